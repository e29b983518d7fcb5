/*
 * Tokens and key sets: the vectors of RFC 7515 (A.2, A.3), RFC 7520 (4.1) and RFC 8037 (A.4), every bit of them changed; those of RFC 7515 and RFC 7520 that are
 * refused, the sets of RFC 7517 (A.1 to A.3), and what a set refuses.
 */
#include "policy/identity/jwt.h"

#include <stdlib.h>

#include "tests/unit/check.h"

typedef struct { const char *name, *set, *token; unsigned algorithm; bool claims; } vector_t;

#define RSA_N "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_" \
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5" \
    "ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RSA_KEY "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"
#define EC_XY "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC_KEY "{\"kty\":\"EC\",\"crv\":\"P-256\"," EC_XY "}"
#define OKP_KEY "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define CLAIMS "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define SET(keys) "{\"keys\":[" keys "]}"

/* RFC 7520, 3.1, 3.3 and 4.1 to 4.3: an RSA key and one of P-521 with one name, a text that is no JSON, and its signatures. */
#define RFC7520_N "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5y" \
    "dQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzS" \
    "nbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
#define RFC7520_X "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt"
#define RFC7520_Y "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"
#define RFC7520_TEXT "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlv" \
    "dXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
#define RFC7520_RS256 "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-X" \
    "tL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4u" \
    "OZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
#define RFC7520_PS384 "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiR" \
    "eQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjV" \
    "KPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"
#define RFC7520_ES512 "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQen" \
    "s_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"
#define RFC7520_KID "\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\","
#define RFC7520_RSA "{\"kty\":\"RSA\"," RFC7520_KID "\"n\":\"" RFC7520_N "\",\"e\":\"AQAB\"}"
#define RFC7520_EC "{\"kty\":\"EC\"," RFC7520_KID "\"crv\":\"P-521\",\"x\":\"" RFC7520_X "\",\"y\":\"" RFC7520_Y "\"}"
#define RFC7520_SET SET(RFC7520_EC "," RFC7520_RSA)

/* RFC 7517, A.1 to A.3: public keys, the same with what is private of them, and shared secrets. */
#define RFC7517_N "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93" \
    "lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINH" \
    "aQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define RFC7517_D "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHN" \
    "KroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-" \
    "Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q"
#define RFC7517_EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"," \
    "\"use\":\"enc\",\"kid\":\"1\""
#define RFC7517_RSA "\"kty\":\"RSA\",\"n\":\"" RFC7517_N "\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\""
#define RFC7517_SECRET "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"

static const vector_t vectors[] = {
    { "RFC 7515 A.2", SET(RSA_KEY), "eyJhbGciOiJSUzI1NiJ9." CLAIMS ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5"
      "YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOL"
      "n6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
      GH_JWA_RS256, true },
    { "RFC 7515 A.3", SET(EC_KEY), "eyJhbGciOiJFUzI1NiJ9." CLAIMS ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6"
      "NU1Q", GH_JWA_ES256, true },
    { "RFC 8037 A.4", SET(OKP_KEY), "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4k"
      "i4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", GH_JWA_EDDSA, false },
    { "RFC 7520 4.1", RFC7520_SET, "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." RFC7520_TEXT "." RFC7520_RS256, GH_JWA_RS256, false },
};

/* Sound signatures of kinds that are not verified here, and what is no signature: refused by the header alone, whatever key there is. */
static const struct { const char *name, *set, *token, *code; } refused[] = {
    { "RFC 7520 4.2: PS384", RFC7520_SET, "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." RFC7520_TEXT "." RFC7520_PS384, "token_algorithm" },
    { "RFC 7520 4.3: ES512", RFC7520_SET, "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." RFC7520_TEXT "." RFC7520_ES512, "token_algorithm" },
    { "RFC 7515 A.1: HS256", SET("{\"kty\":\"oct\",\"k\":\"" RFC7517_SECRET "\"}," RSA_KEY),
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "token_algorithm" },
    { "RFC 7515 A.5: none", SET(RSA_KEY), "eyJhbGciOiJub25lIn0." CLAIMS ".", "token_algorithm" },
    { "RFC 7515 E: crit", SET(RSA_KEY),
      "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.", "token_unsupported" },
};

static gh_heap_t heap;

/* What it says when it is not a token whose claims are JSON: its signature can be looked at nevertheless. */
static int
accepted(const char *token, size_t len, const gh_jwks_t *set, unsigned algorithms)
{
    gh_jwt_t   jwt;
    gh_error_t error = { 0 };

    gh_jwt_parse(&heap.arena, (gh_str_t) { token, len }, &jwt, &error);
    return jwt.signature_len > 0 && gh_jwt_verify(&jwt, set, algorithms, &error) == GH_OK;
}

static void
test_vectors(void)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const vector_t *v = &vectors[i];
        size_t          len = strlen(v->token), wrong = 0;
        char           *copy = strdup(v->token);
        gh_jwks_t      *set;
        gh_error_t      error = { 0 };
        gh_jwt_t        jwt;

        CHECK_INT(gh_jwks_read(gh_str_from(v->set), "set", &set, &error), GH_OK);
        if (set == NULL) {
            continue;
        }
        CHECK(accepted(v->token, len, set, v->algorithm));
        CHECK(!accepted(v->token, len, set, 31u & ~v->algorithm));       /* not what its issuer signs with */
        CHECK_INT(gh_jwt_parse(&heap.arena, gh_str_from(v->token), &jwt, &error), v->claims ? GH_OK : GH_ERROR);
        CHECK_INT(gh_jwt_verify(&jwt, set, v->algorithm, &error), GH_OK);
        jwt.signature_len++;                                             /* a byte more, a 0 */
        CHECK_INT(gh_jwt_verify(&jwt, set, v->algorithm, &error), GH_ERROR);
        jwt.signature_len--;
        if (v->claims) {
            uint64_t begin, end;

            CHECK_INT(gh_jwt_times(&jwt, 60000, &begin, &end, &error), GH_OK);
            CHECK_INT(end, 1300819380ull * 1000 + 60000);
            CHECK_INT(begin, 0);
            CHECK(gh_jwt_claim_has(&jwt, GH_STR("iss"), GH_STR("joe")) && !gh_jwt_claim_has(&jwt, GH_STR("iss"), GH_STR("jo")));
            CHECK(gh_jwt_claim(&jwt, GH_STR("http://example.com/is_root")) != NULL && gh_jwt_claim(&jwt, GH_STR("/iss/x")) == NULL);
        }
        for (size_t at = 0; at < len; at++) {                            /* a bit of each byte, and each length */
            copy[at] ^= (char) (1 << at % 7);
            wrong += accepted(copy, len, set, v->algorithm);
            copy[at] = v->token[at];
            wrong += accepted(copy, at, set, v->algorithm);
        }
        CHECK_INT(wrong, 0);
        free(copy);
        gh_jwks_free(set);
    }
}

/* The header decides: nothing behind it was read, so there is no signature to be looked at. */
static void
test_refused(void)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        gh_jwks_t *set;
        gh_error_t error = { 0 };
        gh_jwt_t   jwt;

        CHECK_INT(gh_jwks_read(gh_str_from(refused[i].set), "set", &set, &error), GH_OK);
        CHECK_INT(gh_jwt_parse(&heap.arena, gh_str_from(refused[i].token), &jwt, &error), GH_ERROR);
        if (!CHECK(error.code != NULL && strcmp(error.code, refused[i].code) == 0)) {
            fprintf(stderr, "    %s: %s\n", refused[i].name, error.text);
        }
        CHECK_INT(jwt.signature_len, 0);
        CHECK(set == NULL || gh_jwt_verify(&jwt, set, 31, &error) == GH_ERROR);
        gh_jwks_free(set);
    }
}

/* The sets of RFC 7517 and RFC 7520: of what is public only what signs is used, and what is private or shared is never taken. */
static void
test_published_sets(void)
{
    static const struct { const char *set, *words; } none[] = {
        { SET("{" RFC7517_EC ",\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"},{" RFC7517_RSA ",\"d\":\"" RFC7517_D "\"}"), "private key" },
        { SET("{" RFC7517_RSA ",\"d\":\"" RFC7517_D "\"}"), "private key" },
        { SET("{\"kty\":\"oct\",\"alg\":\"A128KW\",\"k\":\"GawgguFyGrWKav7AX4VKUg\"},{\"kty\":\"oct\",\"k\":\"" RFC7517_SECRET "\"}"), "shared secret" },
        { SET("{" RFC7517_EC "}"), "not for verifying" }, { SET(RFC7520_EC), "P-256 nor P-384" },
    };
    gh_jwks_t *set;
    gh_error_t error = { 0 };

    CHECK_INT(gh_jwks_read(GH_STR(SET("{" RFC7517_EC "},{" RFC7517_RSA "}")), "set", &set, &error), GH_OK);
    if (CHECK(set != NULL)) {
        CHECK(set->count == 2 && set->usable == 1 && set->keys[0].key == NULL && !set->keys[0].wrong);
        CHECK(set->keys[1].key != NULL && set->keys[1].algorithms == GH_JWA_RS256 && EVP_PKEY_get_bits(set->keys[1].key) == 2048);
        CHECK(set->keys[1].kid_len == 10 && memcmp(set->keys[1].kid, "2011-04-29", 10) == 0);
    }
    gh_jwks_free(set);

    /* beside a private key a public one is used, and the private one is called wrong */
    CHECK_INT(gh_jwks_read(GH_STR(SET("{" RFC7517_RSA ",\"d\":\"" RFC7517_D "\"}," RFC7520_RSA)), "set", &set, &error), GH_OK);
    CHECK(set != NULL && set->usable == 1 && set->keys[0].key == NULL && set->keys[0].wrong && set->keys[1].key != NULL);
    gh_jwks_free(set);

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        memset(&error, 0, sizeof(error));
        CHECK_INT(gh_jwks_read(gh_str_from(none[i].set), "set", &set, &error), GH_ERROR);
        if (!CHECK(strstr(error.text, none[i].words) != NULL)) {
            fprintf(stderr, "    %s\n", error.text);
        }
        gh_jwks_free(set);
    }
}

static size_t
put_keys(char *out, int count)
{
    size_t len = (size_t) snprintf(out, 16, "{\"keys\":[");

    for (int i = 0; i < count; i++) {
        len += (size_t) snprintf(out + len, 200, "%s%s", i ? "," : "", EC_KEY);
    }
    return len + (size_t) snprintf(out + len, 4, "]}");
}

static void
test_sets(void)
{
    static const struct { const char *set, *words; } cases[] = {
        { "[]", "an object with a list" }, { "{\"keys\":{}}", "an object with a list" }, { "{\"keys\":[]}", "it has none" },
        { "{\"keys\":[1]}", "no object" }, { SET("{\"kty\":\"oct\",\"k\":\"AAAA\"}"), "shared secret" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}"), "exponent is above 1" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"BA\"}"), "are odd" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\",\"d\":\"AQAB\"}"), "private key" },
        { SET("{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzPw\",\"e\":\"AQAB\"}"), "2048 to 8192" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}"), "base64url" }, { SET("{\"kty\":\"RSA\",\"n\":\"a+b=\",\"e\":\"AQAB\"}"), "base64url" },
        { SET("{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"), "not for verifying" },
        { SET("{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"],\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"), "not for verifying" },
        { SET("{\"kty\":\"RSA\",\"alg\":\"ES256\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"), "is not supported" },
        { SET("{\"kty\":\"RSA\",\"alg\":\"RS1\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"), "is not supported" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-521\"," EC_XY "}"), "P-256 nor P-384" }, { SET("{\"kty\":\"EC\",\"crv\":\"P-384\"," EC_XY "}"), "as many bytes" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5aw\"}"), "on its curve" },
        { SET("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"), "not Ed25519" },
        { SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"), "small order" },
        { SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA\"}"), "small order" },
        { SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU\"}"), "small order" },
        { SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o\"}"), "small order" },
        { SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7P_______________________________________38\"}"), "small order" },
        { "{\"keys\":[" EC_KEY "],\"keys\":[]}", "keys" }, { SET("{\"kty\":\"EC\",\"kid\":1,\"crv\":\"P-256\"," EC_XY "}"), "\"kid\"" },
        { SET("{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\"," EC_XY "},{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\"," EC_XY "}"), "key 2" },
    };
    gh_jwks_t *set;
    gh_error_t error;
    char      *many, *at;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&error, 0, sizeof(error));
        CHECK_INT(gh_jwks_read(gh_str_from(cases[i].set), "set", &set, &error), GH_ERROR);
        if (!CHECK(strstr(error.text, cases[i].words) != NULL)) {
            fprintf(stderr, "    %s\n    %s\n", cases[i].set, error.text);
        }
        gh_jwks_free(set);
    }

    /* what is for something else is passed over, and of RSA "alg" fixes the one of two */
    CHECK_INT(gh_jwks_read(GH_STR(SET("{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"new\"},{\"kty\":\"RSA\",\"alg\":\"PS256\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}")), "set",
        &set, &error), GH_OK);
    CHECK(set->count == 3 && set->usable == 1 && set->keys[2].algorithms == GH_JWA_PS256 && !set->keys[0].wrong);
    CHECK(!accepted(vectors[0].token, strlen(vectors[0].token), set, GH_JWA_RS256 | GH_JWA_PS256));
    gh_jwks_free(set);

    many = malloc(GH_JWKS_MAX + 16);
    at = many + put_keys(many, GH_JWKS_KEYS_MAX + 1);
    CHECK_INT(gh_jwks_read((gh_str_t) { many, (size_t) (at - many) }, "set", &set, &error), GH_ERROR);
    CHECK(strstr(error.text, "may have 100 keys") != NULL);
    memset(many, ' ', GH_JWKS_MAX + 1);
    CHECK_INT(gh_jwks_read((gh_str_t) { many, GH_JWKS_MAX + 1 }, "set", &set, &error), GH_ERROR);
    CHECK(strstr(error.text, "bytes") != NULL);
    free(many);
}

int
main(void)
{
    gh_heap_init(&heap);
    test_vectors();
    test_refused();
    test_sets();
    test_published_sets();
    gh_heap_free(&heap);
    return check_done("jwt");
}
