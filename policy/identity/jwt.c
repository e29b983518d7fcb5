#include "policy/identity/jwt.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "policy/base/base64.h"

#define ECDSA_MAX     48u              /* bytes of one number */
#define SECONDS_MAX   253402300799ull  /* the end of the year 9999 */

static int
malformed(gh_error_t *error, const char *why)
{
    return gh_error_set(error, "token_malformed", "the token is malformed: %s", why);
}

bool
gh_jwt_looks(gh_str_t text)
{
    unsigned dots = 0;

    if (!gh_str_starts(text, GH_STR("ey")) && !gh_str_starts(text, GH_STR("ew"))) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        dots += text.data[i] == '.';
    }
    return dots == 2;
}

/* ---- reading ---- */

/* A part's JSON object, in the arena. */
static int
part_object(gh_arena_t *arena, gh_str_t part, const gh_node_t **object, gh_error_t *error)
{
    size_t           size = part.len / 4 * 3 + 3;
    uint8_t         *bytes = gh_arena_alloc(arena, size);
    gh_json_reader_t reader;
    gh_json_event_t  event;
    gh_node_t       *root;
    long             len;

    if (bytes == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for a token");
    }
    len = gh_base64url_decode(part, bytes, size);
    if (len <= 0) {
        return malformed(error, "a part of it is no base64url");
    }
    gh_json_reader_init(&reader, (gh_str_t) { (const char *) bytes, (size_t) len }, GH_JWT_DEPTH);
    do {
        event = gh_json_next(&reader);
    } while (event != GH_JSON_ERROR && event != GH_JSON_END);
    if (event == GH_JSON_ERROR || gh_json_parse(arena, (gh_str_t) { (const char *) bytes, (size_t) len }, "token", &root, error) != GH_OK
        || root->type != GH_NODE_OBJECT)
    {
        return malformed(error, "a part of it is no JSON object as it must be");
    }
    *object = root;
    return GH_OK;
}

/* "JWT" and "at+jwt" (RFC 9068), with "application/" before it or without: another kind of token is for something else. */
static bool
type_ok(const gh_node_t *typ)
{
    gh_str_t text = typ->text, prefix = GH_STR("application/");

    if (typ->type != GH_NODE_STRING) {
        return false;
    }
    if (text.len > prefix.len && gh_str_eq_nocase((gh_str_t) { text.data, prefix.len }, prefix)) {
        text = (gh_str_t) { text.data + prefix.len, text.len - prefix.len };
    }
    return gh_str_eq_nocase(text, GH_STR("jwt")) || gh_str_eq_nocase(text, GH_STR("at+jwt"));
}

static int
read_header(const gh_node_t *header, gh_jwt_t *jwt, gh_error_t *error)
{
    static const char *const refused[] = { "crit", "b64", "enc", "zip" };
    const gh_node_t *alg = gh_node_get(header, "alg"), *kid = gh_node_get(header, "kid"), *typ = gh_node_get(header, "typ");

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (gh_node_get(header, refused[i]) != NULL) {
            return gh_error_set(error, "token_unsupported", "the token's header has \"%s\", which is not supported", refused[i]);
        }
    }
    if (typ != NULL && !type_ok(typ)) {
        return gh_error_set(error, "token_unsupported", "the token's \"typ\" is neither \"JWT\" nor \"at+jwt\"");
    }
    jwt->algorithm = alg != NULL && alg->type == GH_NODE_STRING ? gh_jwa_of(alg->text) : 0;
    if (jwt->algorithm == 0) {
        return gh_error_set(error, "token_algorithm", "the token's \"alg\" is none of RS256, PS256, ES256, ES384 and EdDSA");
    }
    if (kid != NULL && kid->type != GH_NODE_STRING) {
        return malformed(error, "its \"kid\" is no string");
    }
    jwt->has_kid = kid != NULL;
    jwt->kid = kid != NULL ? kid->text : GH_STR("");
    return GH_OK;
}

int
gh_jwt_parse(gh_arena_t *arena, gh_str_t token, gh_jwt_t *jwt, gh_error_t *error)
{
    const char      *first, *second;
    const gh_node_t *header;
    gh_str_t         parts[3];
    long             len;

    memset(jwt, 0, sizeof(*jwt));
    if (token.len == 0 || token.len > GH_JWT_MAX) {
        return malformed(error, "it has no byte, or more than 16384");
    }
    first = memchr(token.data, '.', token.len);
    second = first != NULL ? memchr(first + 1, '.', (size_t) (token.data + token.len - first - 1)) : NULL;
    if (second == NULL) {
        return malformed(error, "it has not three parts");
    }
    parts[0] = (gh_str_t) { token.data, (size_t) (first - token.data) };
    parts[1] = (gh_str_t) { first + 1, (size_t) (second - first - 1) };
    parts[2] = (gh_str_t) { second + 1, (size_t) (token.data + token.len - second - 1) };
    jwt->signed_part = (gh_str_t) { token.data, (size_t) (second - token.data) };

    if (part_object(arena, parts[0], &header, error) != GH_OK || read_header(header, jwt, error) != GH_OK) {
        return GH_ERROR;
    }
    len = gh_base64url_decode(parts[2], jwt->signature, sizeof(jwt->signature));
    if (len <= 0) {
        return malformed(error, "its signature is missing, or no base64url of at most 1024 bytes");
    }
    jwt->signature_len = (size_t) len;
    return part_object(arena, parts[1], &jwt->claims, error);
}

/* ---- verifying ---- */

static bool
all_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* An INTEGER of DER: no leading zeros but the one before a high bit. Returns its length. */
static size_t
der_integer(const uint8_t *number, size_t len, uint8_t *out)
{
    size_t pad;

    while (len > 1 && number[0] == 0) {
        number++;
        len--;
    }
    pad = number[0] >> 7;
    out[0] = 2;
    out[1] = (uint8_t) (len + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, number, len);
    return 2 + pad + len;
}

/* r and s, each of exactly the curve's size and not 0 (RFC 7518, 3.4), as OpenSSL takes them; that they are below the order it looks at itself. 0: they are not. */
static size_t
ecdsa_der(const gh_jwt_t *jwt, size_t size, uint8_t out[8 + 2 * ECDSA_MAX])
{
    size_t len;

    if (jwt->signature_len != 2 * size || all_zero(jwt->signature, size) || all_zero(jwt->signature + size, size)) {
        return 0;
    }
    len = der_integer(jwt->signature, size, out + 2);
    len += der_integer(jwt->signature + size, size, out + 2 + len);
    out[0] = 0x30;
    out[1] = (uint8_t) len;                    /* below 128: at most 2 * 51 */
    return len + 2;
}

static bool
signed_by(const gh_jwt_t *jwt, EVP_PKEY *key)
{
    static EVP_MD *sha256, *sha384;            /* fetched once in a process, which has one thread */
    uint8_t        der[8 + 2 * ECDSA_MAX];
    const uint8_t *signature = jwt->signature;
    size_t         len = jwt->signature_len;
    EVP_PKEY_CTX  *context = NULL;
    EVP_MD_CTX    *md;
    EVP_MD        *digest;
    bool           good;

    if (sha256 == NULL) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        sha384 = EVP_MD_fetch(NULL, "SHA384", NULL);
    }
    digest = jwt->algorithm == GH_JWA_EDDSA ? NULL : jwt->algorithm == GH_JWA_ES384 ? sha384 : sha256;
    if (digest == NULL && jwt->algorithm != GH_JWA_EDDSA) {
        return false;
    }
    if (jwt->algorithm == GH_JWA_ES256 || jwt->algorithm == GH_JWA_ES384) {
        len = ecdsa_der(jwt, jwt->algorithm == GH_JWA_ES256 ? 32 : 48, der);
        signature = der;
        if (len == 0) {
            return false;
        }
    } else if (len != (size_t) EVP_PKEY_get_size(key)) {
        return false;
    }
    md = EVP_MD_CTX_new();
    good = md != NULL && EVP_DigestVerifyInit(md, &context, digest, NULL, key) == 1;
    if (good && jwt->algorithm == GH_JWA_PS256) {
        good = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1
            && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    good = good && EVP_DigestVerify(md, signature, len, (const uint8_t *) jwt->signed_part.data, jwt->signed_part.len) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return good;
}

int
gh_jwt_verify(const gh_jwt_t *jwt, const gh_jwks_t *set, unsigned algorithms, gh_error_t *error)
{
    const gh_jwk_t *found = NULL;
    bool            several = false;

    if ((algorithms & jwt->algorithm) == 0) {
        return gh_error_set(error, "token_algorithm", "the token's issuer does not sign with its \"alg\"");
    }
    for (size_t i = 0; i < set->count; i++) {
        const gh_jwk_t *jwk = &set->keys[i];

        if (jwk->key == NULL || (jwk->algorithms & jwt->algorithm) == 0
            || (jwt->has_kid && (!jwk->has_kid || !gh_str_eq((gh_str_t) { jwk->kid, jwk->kid_len }, jwt->kid))))
        {
            continue;
        }
        several = found != NULL;
        found = jwk;
    }
    if (found == NULL || several) {
        return gh_error_set(error, "token_key_unknown", "%s", several ? "the token has no \"kid\", and several keys of its issuer could have signed it"
            : "no key of the token's issuer has its \"kid\" and \"alg\"");
    }
    return signed_by(jwt, found->key) ? GH_OK : gh_error_set(error, "token_signature", "the token's signature is not its issuer's");
}

/* ---- claims ---- */

/* A NumericDate: seconds, whose fraction is dropped. Neither signs nor exponents. */
static bool
numeric_date(const gh_node_t *node, uint64_t *seconds)
{
    gh_str_t text = node->text;
    uint64_t n = 0;
    size_t   i = 0;

    if (node->type != GH_NODE_NUMBER) {
        return false;
    }
    for ( ; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        n = n * 10 + (uint64_t) (text.data[i] - '0');
        if (n > SECONDS_MAX) {
            return false;
        }
    }
    if (i == 0 || (i < text.len && text.data[i] != '.')) {
        return false;
    }
    for (i++; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    *seconds = n;
    return true;
}

int
gh_jwt_times(const gh_jwt_t *jwt, uint64_t skew_ms, uint64_t *not_before_ms, uint64_t *not_after_ms, gh_error_t *error)
{
    const gh_node_t *exp = gh_node_get(jwt->claims, "exp"), *nbf = gh_node_get(jwt->claims, "nbf");
    uint64_t         end, begin = 0;

    if (exp == NULL || !numeric_date(exp, &end)) {
        return malformed(error, "it has no \"exp\", or one that is no time");
    }
    if (nbf != NULL && !numeric_date(nbf, &begin)) {
        return malformed(error, "its \"nbf\" is no time");
    }
    *not_after_ms = end * 1000 + skew_ms;
    *not_before_ms = begin * 1000 > skew_ms ? begin * 1000 - skew_ms : 0;
    return GH_OK;
}

/* The next name of a pointer, "~1" and "~0" decoded, is that of the member? */
static bool
pointer_names(gh_str_t name, gh_str_t key)
{
    size_t at = 0;

    for (size_t i = 0; i < name.len; i++, at++) {
        char c = name.data[i];

        if (c == '~' && i + 1 < name.len) {
            c = name.data[++i] == '1' ? '/' : '~';
        }
        if (at >= key.len || key.data[at] != c) {
            return false;
        }
    }
    return at == key.len;
}

const gh_node_t *
gh_jwt_claim(const gh_jwt_t *jwt, gh_str_t name)
{
    const gh_node_t *node = jwt->claims;
    bool             pointer = name.len > 0 && name.data[0] == '/';

    while (node != NULL && name.len > 0) {
        const char *slash;
        gh_str_t    part = name;

        if (pointer) {
            part = (gh_str_t) { name.data + 1, name.len - 1 };
            slash = part.len > 0 ? memchr(part.data, '/', part.len) : NULL;
            part.len = slash != NULL ? (size_t) (slash - part.data) : part.len;
        }
        node = node->type == GH_NODE_OBJECT ? node->first : NULL;
        while (node != NULL && !(pointer ? pointer_names(part, node->key) : gh_str_eq(part, node->key))) {
            node = node->next;
        }
        name = (gh_str_t) { part.data + part.len, (size_t) (name.data + name.len - part.data) - part.len };
    }
    return node;
}

bool
gh_jwt_claim_has(const gh_jwt_t *jwt, gh_str_t name, gh_str_t value)
{
    const gh_node_t *claim = gh_jwt_claim(jwt, name);

    if (claim == NULL) {
        return false;
    }
    if (claim->type == GH_NODE_STRING) {
        return gh_str_eq(claim->text, value);
    }
    for (const gh_node_t *item = claim->type == GH_NODE_ARRAY ? claim->first : NULL; item != NULL; item = item->next) {
        if (item->type == GH_NODE_STRING && gh_str_eq(item->text, value)) {
            return true;
        }
    }
    return false;
}
