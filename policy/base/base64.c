#include "policy/base/base64.h"

#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Without padding. */
static size_t
encode(const char *alphabet, const uint8_t *data, size_t len, char *out)
{
    char    *start = out;
    uint32_t bits;

    for (; len >= 3; data += 3, len -= 3) {
        bits = (uint32_t) data[0] << 16 | (uint32_t) data[1] << 8 | data[2];
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = alphabet[bits >> 6 & 63];
        *out++ = alphabet[bits & 63];
    }

    if (len != 0) {
        bits = (uint32_t) data[0] << 16 | (len == 2 ? (uint32_t) data[1] << 8 : 0);
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        if (len == 2) {
            *out++ = alphabet[bits >> 6 & 63];
        }
    }

    return (size_t) (out - start);
}

/* Of a character of an alphabet whose last two are these, plus one; 0: none. */
#define VALUES(last, very_last) { \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, \
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, \
    ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, \
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, \
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, \
    ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, \
    ['8'] = 61, ['9'] = 62, [last] = 63, [very_last] = 64 }

static const uint8_t standard_values[256] = VALUES('+', '/');
static const uint8_t url_safe_values[256] = VALUES('-', '_');

/* Of a character, -1: none. */
static int
value_of(const uint8_t *values, char c)
{
    return values[(unsigned char) c] - 1;
}

size_t
gh_base64(const void *data, size_t len, char *out)
{
    size_t n = encode(standard, data, len, out);

    for (; n % 4 != 0; n++) {
        out[n] = '=';
    }

    return n;
}

void
gh_base64_decoder_init(gh_base64_decoder_t *decoder)
{
    memset(decoder, 0, sizeof(*decoder));
}

/* Four characters without padding, which most are. */
static bool
four(const uint8_t *values, const char *text, uint8_t *out)
{
    int      a = value_of(values, text[0]), b = value_of(values, text[1]);
    int      c = value_of(values, text[2]), d = value_of(values, text[3]);
    uint32_t bits;

    if ((a | b | c | d) < 0) {
        return false;
    }

    bits = (uint32_t) a << 18 | (uint32_t) b << 12 | (uint32_t) c << 6 | (uint32_t) d;
    out[0] = (uint8_t) (bits >> 16);
    out[1] = (uint8_t) (bits >> 8);
    out[2] = (uint8_t) bits;
    return true;
}

long
gh_base64_decoder_feed(gh_base64_decoder_t *decoder, gh_str_t text, void *out)
{
    gh_base64_decoder_t d = *decoder;
    uint8_t            *p = out;
    size_t              i;
    int                 value;

    for (i = 0; i < text.len && !d.wrong; i++) {
        if (d.held == 0 && d.padding == 0) {
            for (; text.len - i >= 4 && four(standard_values, text.data + i, p); i += 4) {
                p += 3;
            }
            if (i == text.len) {
                break;
            }
        }

        if (text.data[i] == '=') {
            /* Padding fills four characters, two of which at least are bytes; what is left over of them is 0. */
            d.padding++;
            d.wrong = d.held < 2 || (d.padding == 1 && (d.bits & (d.held == 2 ? 15 : 3)) != 0);
            value = 0;
        } else {
            value = value_of(standard_values, text.data[i]);
            d.wrong = value < 0 || d.padding != 0;
        }

        if (d.wrong) {
            break;
        }

        d.bits = d.bits << 6 | (uint32_t) value;
        if (++d.held < 4) {
            continue;
        }

        *p++ = (uint8_t) (d.bits >> 16);
        if (d.padding < 2) {
            *p++ = (uint8_t) (d.bits >> 8);
        }
        if (d.padding < 1) {
            *p++ = (uint8_t) d.bits;
        }
        d.bits = 0;
        d.held = 0;
    }

    *decoder = d;
    return d.wrong ? -1 : (long) (p - (uint8_t *) out);
}

bool
gh_base64_decoder_done(const gh_base64_decoder_t *decoder)
{
    return !decoder->wrong && decoder->held == 0;
}

long
gh_base64_decode(gh_str_t text, void *out, size_t size)
{
    gh_base64_decoder_t decoder;
    size_t              len = text.len / 4 * 3, i;
    long                n;

    for (i = 0; i < 2 && i < text.len && text.data[text.len - 1 - i] == '='; i++) {
        len--;
    }

    if (text.len % 4 != 0 || (text.len != 0 && len > size)) {
        return -1;
    }

    gh_base64_decoder_init(&decoder);
    n = gh_base64_decoder_feed(&decoder, text, out);

    return gh_base64_decoder_done(&decoder) ? n : -1;
}

size_t
gh_base64url(const uint8_t *data, size_t len, char *out)
{
    return encode(url_safe, data, len, out);
}

long
gh_base64url_decode(gh_str_t text, uint8_t *out, size_t size)
{
    size_t   i, len = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    int      value;

    if (text.len % 4 == 1 || text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0) > size) {
        return -1;
    }

    for (i = 0; text.len - i >= 4; i += 4, len += 3) {
        if (!four(url_safe_values, text.data + i, out + len)) {
            return -1;
        }
    }

    for (; i < text.len; i++) {
        value = value_of(url_safe_values, text.data[i]);
        if (value < 0) {
            return -1;
        }

        bits = bits << 6 | (uint32_t) value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[len++] = (uint8_t) (bits >> held);
            bits &= (1u << held) - 1;
        }
    }

    /* Left-over bits that are not 0 would be a second spelling of the same bytes. */
    return bits == 0 ? (long) len : -1;
}
