/* Hashes against published vectors: FIPS 180-4 examples, RFC 4231, RFC 5869, RFC 4648, the CRC catalogue's check value. */
#include <stdlib.h>

#include "policy/base/base64.h"
#include "policy/base/error.h"
#include "policy/base/hash.h"
#include "tests/unit/check.h"

static size_t
unhex(const char *hex, uint8_t *out)
{
    size_t   i;
    unsigned byte;

    for (i = 0; hex[2 * i] != '\0'; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        out[i] = (uint8_t) byte;
    }
    return i;
}

static void
check_hex(const uint8_t *got, size_t len, const char *expected)
{
    char hex[512];

    gh_hex(got, len, hex);
    CHECK_STR(((gh_str_t) { hex, 2 * len }), expected);
}

/* Every byte, at each place of each length up to 9, and nothing behind it. */
static void
test_hex(void)
{
    uint8_t  data[9];
    char     hex[20], expected[20];
    unsigned byte, len, i;
    bool     good = true;

    for (byte = 0; byte < 256; byte++) {
        for (len = 0; len <= sizeof(data); len++) {
            memset(hex, '!', sizeof(hex));
            memset(expected, '!', sizeof(expected));
            for (i = 0; i < len; i++) {
                data[i] = (uint8_t) (byte + 37 * i);
                snprintf(expected + 2 * i, 3, "%02x", data[i]);
            }
            expected[2 * len] = '!';
            gh_hex(data, len, hex);
            good &= memcmp(hex, expected, sizeof(hex)) == 0;
        }
    }
    CHECK(good);
}

static void
test_sha256(void)
{
    uint8_t out[32];
    char   *million;

    gh_sha256("", 0, out);
    check_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    gh_sha256("abc", 3, out);
    check_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    gh_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, out);
    check_hex(out, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");

    million = malloc(1000000);
    memset(million, 'a', 1000000);
    gh_sha256(million, 1000000, out);
    check_hex(out, 32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* RFC 4231 sections 4.2 to 4.8; 4.6 is truncated to 128 bits there. */
static void
test_hmac(void)
{
    static const struct { const char *key, *data, *mac; } cases[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { "0102030405060708090a0b0c0d0e0f10111213141516171819",
          "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
        { "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "546573742057697468205472756e636174696f6e",
          "a3b6167473100ee06e0c796c2955552b" },
    };
    static const char *const long_data[2] = {
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
        "hashed before being used by the HMAC algorithm."
    };
    static const char *const long_mac[2] = {
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
    };
    uint8_t    key[256], data[256], out[32];
    size_t     key_len, data_len, i;
    gh_hmac_t *hmac;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        key_len = unhex(cases[i].key, key);
        data_len = unhex(cases[i].data, data);
        hmac = gh_hmac_new(key, key_len);
        CHECK(gh_hmac(hmac, (gh_bytes_t[]) { { data, data_len } }, 1, out) == GH_OK);
        check_hex(out, strlen(cases[i].mac) / 2, cases[i].mac);
        /* the saved state is untouched, parts are concatenated, empty ones too */
        CHECK(gh_hmac(hmac, (gh_bytes_t[]) { { data, 3 }, { NULL, 0 }, { data + 3, data_len - 3 } }, 3, out) == GH_OK);
        check_hex(out, strlen(cases[i].mac) / 2, cases[i].mac);
        gh_hmac_free(hmac);
    }

    memset(key, 0xaa, 131);
    hmac = gh_hmac_new(key, 131);
    for (i = 0; i < 2; i++) {
        CHECK(gh_hmac(hmac, (gh_bytes_t[]) { { long_data[i], strlen(long_data[i]) } }, 1, out) == GH_OK);
        check_hex(out, 32, long_mac[i]);
    }
    gh_hmac_free(hmac);
    gh_hmac_free(NULL);
}

/* RFC 5869 section 2.3 from the pseudo-random key on, by HMAC alone. */
static void
expand(const uint8_t prk[32], const char *info, uint8_t *out, size_t len)
{
    gh_hmac_t *hmac = gh_hmac_new(prk, 32);
    uint8_t    block[32], counter;
    size_t     filled = 0, step;

    for (counter = 1; filled < len; counter++) {
        gh_hmac(hmac, (gh_bytes_t[]) { { block, counter == 1 ? 0 : 32 }, { info, strlen(info) }, { &counter, 1 } }, 3, block);
        step = len - filled < 32 ? len - filled : 32;
        memcpy(out + filled, block, step);
        filled += step;
    }
    gh_hmac_free(hmac);
}

static void
test_hkdf(void)
{
    static const uint8_t no_salt[32];
    uint8_t    secret[80], prk[32], out[300], expected[300];
    gh_hmac_t *hmac;
    size_t     i;

    /* A.3: no salt, no info */
    memset(secret, 0x0b, 22);
    CHECK(gh_hkdf(secret, 22, "", out, 42) == GH_OK);
    check_hex(out, 42,
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");

    /* A.2's secret and info without its salt, extracted and expanded by hand */
    for (i = 0; i < 80; i++) {
        secret[i] = (uint8_t) i;
    }
    hmac = gh_hmac_new(no_salt, 32);
    gh_hmac(hmac, (gh_bytes_t[]) { { secret, 80 } }, 1, prk);
    gh_hmac_free(hmac);
    expand(prk, "store-mac", expected, 300);
    CHECK(gh_hkdf(secret, 80, "store-mac", out, 300) == GH_OK);
    CHECK_MEM(out, expected, 300);
    CHECK(gh_hkdf(secret, 80, "api-key", out, 32) == GH_OK);
    CHECK(memcmp(out, expected, 32) != 0);

    /* A.1: the expansion above is itself right */
    unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", prk);
    expand(prk, "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", out, 42);
    check_hex(out, 42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");

    CHECK(gh_hkdf(secret, 80, "x", out, 255 * 32 + 1) == GH_ERROR);
}

static void
test_base64url(void)
{
    /* RFC 4648 section 10, without padding */
    static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
    static const char *const coded[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };
    static const char *const wrong[] = { "Z", "Zh", "Zm9=", "Zg==", "Zm9vY", "Z+", "Z/", "Zm9v Yg", "Zm9", "\xc3\xa9" };
    char    text[64];
    uint8_t bytes[64];
    size_t  i, len;
    long    decoded;

    for (i = 0; i < 7; i++) {
        len = gh_base64url((const uint8_t *) plain[i], strlen(plain[i]), text);
        CHECK_STR(((gh_str_t) { text, len }), coded[i]);
        decoded = gh_base64url_decode(gh_str_from(coded[i]), bytes, strlen(plain[i]));
        CHECK_INT(decoded, strlen(plain[i]));
        CHECK_MEM(bytes, plain[i], strlen(plain[i]));
        if (i != 0) {
            CHECK_INT(gh_base64url_decode(gh_str_from(coded[i]), bytes, strlen(plain[i]) - 1), -1);
        }
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(gh_base64url_decode(gh_str_from(wrong[i]), bytes, sizeof(bytes)), -1);
    }

    len = gh_base64url((const uint8_t *) "\xfb\xff\xfe", 3, text);
    CHECK_STR(((gh_str_t) { text, len }), "-__-");
}

static void
test_base64(void)
{
    /* RFC 4648 section 10 */
    static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
    static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
    static const char *const wrong[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v====", "Zg===", "=", "Zg==Zg==", "Zg=a", "Zm9vY", "Z-__", "Zm9v\n", " Zm9v",
                                         "Zm8=Zm8=", "\xc3\xa9==" };
    gh_base64_decoder_t decoder;
    char                text[64];
    uint8_t             bytes[64];
    size_t              i, at, len;
    long                n;

    for (i = 0; i < 7; i++) {
        len = gh_base64(plain[i], strlen(plain[i]), text);
        CHECK_STR(((gh_str_t) { text, len }), coded[i]);
        CHECK_INT(GH_BASE64_LENGTH(strlen(plain[i])), len);
        CHECK_INT(gh_base64_decode(gh_str_from(coded[i]), text, strlen(plain[i])), strlen(plain[i]));
        CHECK_MEM(text, plain[i], strlen(plain[i]));
        if (i != 0) {
            CHECK_INT(gh_base64_decode(gh_str_from(coded[i]), bytes, strlen(plain[i]) - 1), -1);
        }

        /* In two parts, cut anywhere; the text before its own end is none. */
        for (at = 0; at <= strlen(coded[i]); at++) {
            gh_base64_decoder_init(&decoder);
            n = gh_base64_decoder_feed(&decoder, (gh_str_t) { coded[i], at }, bytes);
            CHECK(n >= 0 && gh_base64_decoder_done(&decoder) == (at % 4 == 0));
            n += gh_base64_decoder_feed(&decoder, gh_str_from(coded[i] + at), bytes + n);
            CHECK_INT(n, strlen(plain[i]));
            CHECK_MEM(bytes, plain[i], strlen(plain[i]));
            CHECK(gh_base64_decoder_done(&decoder));
        }
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(gh_base64_decode(gh_str_from(wrong[i]), bytes, sizeof(bytes)), -1);
        gh_base64_decoder_init(&decoder);
        for (at = 0; at < strlen(wrong[i]); at++) {
            (void) gh_base64_decoder_feed(&decoder, (gh_str_t) { wrong[i] + at, 1 }, bytes);
        }
        CHECK(!gh_base64_decoder_done(&decoder));
    }

    len = gh_base64("\xfb\xff\xfe", 3, text);
    CHECK_STR(((gh_str_t) { text, len }), "+//+");
}

static void
test_small(void)
{
    gh_bytes_t parts[2] = { { "a", 1 }, { "bc", 2 } };
    uint8_t    whole[32], joined[32];

    gh_sha256("abc", 3, whole);
    gh_sha256_parts(parts, 2, joined);
    CHECK_MEM(joined, whole, 32);
    CHECK_INT(gh_crc32_more(gh_crc32("1234", 4), "56789", 5), 0xcbf43926);
    CHECK_INT(gh_crc32_more(5, NULL, 0), 5);
    CHECK_INT(gh_crc32("123456789", 9), 0xcbf43926);
    CHECK_INT(gh_crc32("", 0), 0);
    CHECK(gh_memcmp_constant("abc", "abc", 3) == 0);
    CHECK(gh_memcmp_constant("abc", "abd", 3) != 0);
    CHECK(gh_memcmp_constant("a", "b", 0) == 0);
}

int
main(void)
{
    test_hex();
    test_sha256();
    test_hmac();
    test_hkdf();
    test_base64url();
    test_base64();
    test_small();
    return check_done("base hash");
}
