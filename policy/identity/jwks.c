#include "policy/identity/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "policy/base/base64.h"

#define RSA_EXPONENT_MAX 8u           /* bytes */
#define NUMBER_MAX       (GH_RSA_BITS_MAX / 8 + 1)

const char *const gh_jwa_names[] = { "RS256", "PS256", "ES256", "ES384", "EdDSA", NULL };

unsigned
gh_jwa_of(gh_str_t name)
{
    for (unsigned i = 0; gh_jwa_names[i] != NULL; i++) {
        if (gh_str_is(name, gh_jwa_names[i])) {
            return 1u << i;
        }
    }
    return 0;
}

static const gh_node_t *
text_member(const gh_node_t *node, const char *name)
{
    const gh_node_t *member = gh_node_get(node, name);

    return member != NULL && member->type == GH_NODE_STRING ? member : NULL;
}

/* Bytes of a base64url member, or -1. */
static long
bytes_member(const gh_node_t *node, const char *name, uint8_t *out, size_t size)
{
    const gh_node_t *member = text_member(node, name);

    return member == NULL ? -1 : gh_base64url_decode(member->text, out, size);
}

static int
wrong(gh_jwk_t *jwk, const char *why)
{
    jwk->unusable = why;
    jwk->wrong = true;
    return GH_ERROR;
}

static int
other(gh_jwk_t *jwk, const char *why)
{
    jwk->unusable = why;
    return GH_ERROR;
}

/* A public key of a type from its parameters; NULL when OpenSSL takes them for none. */
static EVP_PKEY *
from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM   *parameters = builder != NULL ? OSSL_PARAM_BLD_to_param(builder) : NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY     *key = NULL;

    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1
        || EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
    {
        key = NULL;
    }
    OSSL_PARAM_free(parameters);
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return key;
}

static int
read_rsa(const gh_node_t *node, gh_jwk_t *jwk)
{
    uint8_t         modulus[NUMBER_MAX], exponent[RSA_EXPONENT_MAX];
    long            modulus_len = bytes_member(node, "n", modulus, sizeof(modulus)), exponent_len = bytes_member(node, "e", exponent, sizeof(exponent));
    BIGNUM         *n, *e;
    OSSL_PARAM_BLD *builder;
    int             rc = GH_OK;

    if (modulus_len <= 0 || exponent_len <= 0) {
        return wrong(jwk, "\"n\" and \"e\" are not the base64url of an RSA key of at most 8192 bits");
    }
    n = BN_bin2bn(modulus, (int) modulus_len, NULL);
    e = BN_bin2bn(exponent, (int) exponent_len, NULL);
    builder = OSSL_PARAM_BLD_new();
    if (n == NULL || e == NULL || builder == NULL) {
        rc = wrong(jwk, "no memory");
    } else if (BN_num_bits(n) < GH_RSA_BITS_MIN || BN_num_bits(n) > GH_RSA_BITS_MAX) {
        rc = wrong(jwk, "it is weak: an RSA key has 2048 to 8192 bits");
    } else if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e)) {
        rc = wrong(jwk, "it is weak: an RSA key's modulus and exponent are odd, and the exponent is above 1");
    } else if (OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1
        || (jwk->key = from_parameters("RSA", builder)) == NULL)
    {
        rc = wrong(jwk, "OpenSSL does not take it for an RSA key");
    }
    jwk->algorithms = GH_JWA_RS256 | GH_JWA_PS256;
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return rc;
}

static int
read_ec(const gh_node_t *node, gh_jwk_t *jwk)
{
    static const struct { const char *curve, *group; size_t size; unsigned algorithm; } curves[] = {
        { "P-256", "prime256v1", 32, GH_JWA_ES256 }, { "P-384", "secp384r1", 48, GH_JWA_ES384 },
    };
    const gh_node_t *curve = text_member(node, "crv");
    uint8_t          point[1 + 2 * 48] = { 4 };
    OSSL_PARAM_BLD  *builder;
    int              rc = GH_OK;
    size_t           i = 0;

    while (curve != NULL && i < 2 && !gh_str_is(curve->text, curves[i].curve)) {
        i++;
    }
    if (curve == NULL || i == 2) {
        return other(jwk, "its curve is neither P-256 nor P-384");
    }
    if (bytes_member(node, "x", point + 1, curves[i].size) != (long) curves[i].size
        || bytes_member(node, "y", point + 1 + curves[i].size, curves[i].size) != (long) curves[i].size)
    {
        return wrong(jwk, "\"x\" and \"y\" are not the base64url of as many bytes as its curve has");
    }
    builder = OSSL_PARAM_BLD_new();
    if (builder == NULL || OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) != 1
        || OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curves[i].size) != 1
        || (jwk->key = from_parameters("EC", builder)) == NULL)
    {
        rc = wrong(jwk, "its point is not on its curve");
    }
    jwk->algorithms = curves[i].algorithm;
    OSSL_PARAM_BLD_free(builder);
    return rc;
}

/* Points of small order, whatever their sign: with them as a key anybody signs. */
static bool
small_order(const uint8_t x[32])
{
    static const uint8_t points[][32] = {
        { 0 }, { 1 },
        { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
        { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
          0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
        { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
          0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    };

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        if (memcmp(x, points[i], 31) == 0 && (x[31] & 0x7f) == points[i][31]) {
            return true;
        }
    }
    return false;
}

static int
read_okp(const gh_node_t *node, gh_jwk_t *jwk)
{
    const gh_node_t *curve = text_member(node, "crv");
    uint8_t          x[32];

    if (curve == NULL || !gh_str_is(curve->text, "Ed25519")) {
        return other(jwk, "its curve is not Ed25519");
    }
    if (bytes_member(node, "x", x, sizeof(x)) != 32) {
        return wrong(jwk, "\"x\" is not the base64url of 32 bytes");
    }
    if (small_order(x)) {
        return wrong(jwk, "it is weak: a point of small order");
    }
    jwk->key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, sizeof(x));
    jwk->algorithms = GH_JWA_EDDSA;
    return jwk->key != NULL ? GH_OK : wrong(jwk, "OpenSSL does not take it for an Ed25519 key");
}

/* Is it for verifying, by "use" and "key_ops"? */
static bool
for_verifying(const gh_node_t *node)
{
    const gh_node_t *use = gh_node_get(node, "use"), *ops = gh_node_get(node, "key_ops");
    bool             found = ops == NULL;

    if (use != NULL && (use->type != GH_NODE_STRING || !gh_str_is(use->text, "sig"))) {
        return false;
    }
    for (const gh_node_t *op = ops != NULL && ops->type == GH_NODE_ARRAY ? ops->first : NULL; op != NULL; op = op->next) {
        found = found || (op->type == GH_NODE_STRING && gh_str_is(op->text, "verify"));
    }
    return found;
}

static int
read_key(const gh_node_t *node, gh_jwk_t *jwk)
{
    const gh_node_t *kty = node->type == GH_NODE_OBJECT ? text_member(node, "kty") : NULL;
    const gh_node_t *kid = node->type == GH_NODE_OBJECT ? gh_node_get(node, "kid") : NULL, *alg;
    int              rc;

    if (kty == NULL) {
        return wrong(jwk, "it is no object with a \"kty\"");
    }
    if (kid != NULL && (kid->type != GH_NODE_STRING || kid->text.len > sizeof(jwk->kid))) {
        return wrong(jwk, "its \"kid\" is no string of at most 256 bytes");
    }
    if (kid != NULL) {
        memcpy(jwk->kid, kid->text.data, kid->text.len);
        jwk->kid_len = kid->text.len;
        jwk->has_kid = true;
    }
    if (gh_str_is(kty->text, "oct")) {
        return other(jwk, "it is a shared secret");
    }
    if (gh_node_get(node, "d") != NULL) {
        return wrong(jwk, "it is a private key, which has no place in a set of public ones");
    }
    if (!for_verifying(node)) {
        return other(jwk, "it is not for verifying signatures");
    }
    rc = gh_str_is(kty->text, "RSA") ? read_rsa(node, jwk) : gh_str_is(kty->text, "EC") ? read_ec(node, jwk)
        : gh_str_is(kty->text, "OKP") ? read_okp(node, jwk) : other(jwk, "its \"kty\" is none of RSA, EC and OKP");
    if (rc == GH_OK && (alg = gh_node_get(node, "alg")) != NULL) {
        jwk->algorithms &= alg->type == GH_NODE_STRING ? gh_jwa_of(alg->text) : 0;
        rc = jwk->algorithms != 0 ? GH_OK : other(jwk, "its \"alg\" is not supported for its \"kty\"");
    }
    return rc;
}

/* Keys of one name and one kind could not be told apart. */
static bool
named_twice(const gh_jwks_t *set, const gh_jwk_t *jwk)
{
    for (size_t i = 0; i < set->count; i++) {
        const gh_jwk_t *earlier = &set->keys[i];

        if (earlier->unusable == NULL && (earlier->algorithms & jwk->algorithms) != 0 && earlier->has_kid && jwk->has_kid
            && earlier->kid_len == jwk->kid_len && memcmp(earlier->kid, jwk->kid, jwk->kid_len) == 0)
        {
            return true;
        }
    }
    return false;
}

int
gh_jwks_of(const gh_node_t *root, gh_jwks_t **out, gh_error_t *error)
{
    const gh_node_t *list = root->type == GH_NODE_OBJECT ? gh_node_get(root, "keys") : NULL;
    const char      *why = "it has none";
    gh_jwks_t       *set;

    *out = NULL;
    if (list == NULL || list->type != GH_NODE_ARRAY) {
        return gh_error_set(error, "jwks", "a JWKS is an object with a list \"keys\"");
    }
    if (list->count > GH_JWKS_KEYS_MAX) {
        return gh_error_set(error, "jwks", "a JWKS may have %d keys, not %zu", GH_JWKS_KEYS_MAX, list->count);
    }
    set = calloc(1, sizeof(*set));
    if (set == NULL || (set->keys = calloc(list->count + 1, sizeof(*set->keys))) == NULL) {
        free(set);
        return gh_error_set(error, "out_of_memory", "no memory for keys");
    }
    for (const gh_node_t *node = list->first; node != NULL; node = node->next) {
        gh_jwk_t *jwk = &set->keys[set->count];

        if (read_key(node, jwk) == GH_OK && named_twice(set, jwk)) {
            gh_error_set(error, "jwks", "key %zu of the JWKS has the \"kid\" of an earlier one of its kind", set->count + 1);
            gh_jwks_free(set);
            return GH_ERROR;
        }
        if (jwk->unusable != NULL) {
            EVP_PKEY_free(jwk->key);
            jwk->key = NULL;
            why = set->count == 0 ? jwk->unusable : why;
        }
        set->usable += jwk->unusable == NULL;
        set->count++;
    }
    if (set->usable == 0) {
        gh_jwks_free(set);
        return gh_error_set(error, "jwks", "the JWKS has no key that could be used: %s", why);
    }
    *out = set;
    return GH_OK;
}

int
gh_jwks_read(gh_str_t text, const char *source, gh_jwks_t **set, gh_error_t *error)
{
    gh_node_t *root;
    gh_heap_t  heap;
    int        rc;

    *set = NULL;
    if (text.len > GH_JWKS_MAX) {
        return gh_error_set(error, "jwks", "a JWKS may have %u bytes, not %zu", GH_JWKS_MAX, text.len);
    }
    gh_heap_init(&heap);
    rc = gh_json_parse(&heap.arena, text, source, &root, error);
    if (rc == GH_OK) {
        rc = gh_jwks_of(root, set, error);
    }
    gh_heap_free(&heap);
    return rc;
}

void
gh_jwks_free(gh_jwks_t *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i <= set->count; i++) {
        EVP_PKEY_free(set->keys[i].key);      /* one that is read now lies behind the last */
    }
    free(set->keys);
    free(set);
}
