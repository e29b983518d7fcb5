#include "policy/agent/assertion.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "policy/base/base64.h"
#include "policy/base/hash.h"
#include "policy/base/json_writer.h"

#define CHAIN_MAX  8
#define HEADER_MAX 65536u
#define CLAIMS_MAX 4096u

typedef struct {
    X509     *certificates[CHAIN_MAX];
    int       count;
    EVP_PKEY *key;
} identity_t;

/* Never asks a terminal. */
static int
no_password(char *buffer, int size, int writing, void *context)
{
    (void) buffer;
    (void) size;
    (void) writing;
    (void) context;
    return 0;
}

static void
identity_free(identity_t *identity)
{
    for (int i = 0; i < identity->count; i++) {
        X509_free(identity->certificates[i]);
    }
    EVP_PKEY_free(identity->key);
    ERR_clear_error();
}

static int
identity_read(gh_str_t pem, identity_t *identity, gh_error_t *error)
{
    BIO  *bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    X509 *one;

    if (bio == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    identity->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    (void) BIO_reset(bio);
    while (identity->count < CHAIN_MAX && (one = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        identity->certificates[identity->count++] = one;
    }
    BIO_free(bio);
    if (identity->count == 0) {
        return gh_error_set(error, "source_secret", "the certificate's file has no certificate in PEM");
    }
    if (identity->key == NULL) {
        return gh_error_set(error, "source_secret", "the certificate's file has no private key in PEM, or one with a password");
    }
    if (EVP_PKEY_get_base_id(identity->key) != EVP_PKEY_RSA) {
        return gh_error_set(error, "source_secret", "the certificate's key is no RSA key");
    }
    return GH_OK;
}

/* The key's certificate comes first, wherever it stands in the file. */
static int
identity_check(identity_t *identity, uint64_t now_ms, gh_error_t *error)
{
    time_t now = (time_t) (now_ms / 1000);
    int    own = 0;
    X509  *certificate;

    while (own < identity->count && X509_check_private_key(identity->certificates[own], identity->key) != 1) {
        own++;
    }
    if (own == identity->count) {
        return gh_error_set(error, "source_secret", "the private key is not the certificate's");
    }
    certificate = identity->certificates[own];
    identity->certificates[own] = identity->certificates[0];
    identity->certificates[0] = certificate;
    if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0) {
        return gh_error_set(error, "source_secret", "the certificate has ended");
    }
    return GH_OK;
}

/* x5c holds base64, not base64url, of DER: RFC 7515, section 4.1.6. */
static int
write_chain(gh_arena_t *arena, gh_json_writer_t *w, const identity_t *identity)
{
    gh_json_key(w, "x5c");
    gh_json_begin_array(w);
    for (int i = 0; i < identity->count; i++) {
        unsigned char *der = NULL;
        int            len = i2d_X509(identity->certificates[i], &der);
        char          *text = len > 0 ? gh_arena_alloc(arena, GH_BASE64_LENGTH((size_t) len)) : NULL;

        if (text != NULL) {
            gh_json_string(w, (gh_str_t) { text, gh_base64(der, (size_t) len, text) });
        }
        OPENSSL_free(der);
        if (text == NULL) {
            return GH_ERROR;
        }
    }
    gh_json_end_array(w);
    return GH_OK;
}

static int
write_header(gh_arena_t *arena, const gh_assertion_t *assertion, const identity_t *identity, gh_json_writer_t *w)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int  len = 0;
    char          thumbprint[64];

    if (X509_digest(identity->certificates[0], EVP_sha256(), digest, &len) != 1) {
        return GH_ERROR;
    }
    gh_json_begin_object(w);
    gh_json_kv_string(w, "alg", GH_STR("PS256"));
    gh_json_kv_string(w, "typ", GH_STR("JWT"));
    gh_json_kv_string(w, "x5t#S256", (gh_str_t) { thumbprint, gh_base64url(digest, len, thumbprint) });
    if (assertion->send_chain && write_chain(arena, w, identity) != GH_OK) {
        return GH_ERROR;
    }
    gh_json_end_object(w);
    return gh_json_writer_ok(w) ? GH_OK : GH_ERROR;
}

static int
write_claims(const gh_assertion_t *assertion, gh_json_writer_t *w)
{
    uint8_t  random[16];
    char     id[32];
    uint64_t now = assertion->now_ms / 1000;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return GH_ERROR;
    }
    gh_hex(random, sizeof(random), id);
    gh_json_begin_object(w);
    gh_json_kv_string(w, "aud", assertion->audience);
    gh_json_kv_string(w, "iss", assertion->client_id);
    gh_json_kv_string(w, "sub", assertion->client_id);
    gh_json_kv_string(w, "jti", (gh_str_t) { id, sizeof(id) });
    gh_json_kv_u64(w, "iat", now);
    gh_json_kv_u64(w, "nbf", now);
    gh_json_kv_u64(w, "exp", now + GH_ASSERTION_MS / 1000);
    gh_json_end_object(w);
    return gh_json_writer_ok(w) ? GH_OK : GH_ERROR;
}

/* RSASSA-PSS with SHA-256 and a salt as long: RFC 7518, section 3.5. -1: it failed. */
static long
sign(EVP_PKEY *key, gh_str_t text, uint8_t *out, size_t size)
{
    EVP_MD_CTX   *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    size_t        len = size;
    bool          done;

    done = context != NULL && EVP_DigestSignInit(context, &options, EVP_sha256(), NULL, key) == 1
        && EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1
        && EVP_DigestSign(context, out, &len, (const unsigned char *) text.data, text.len) == 1;
    EVP_MD_CTX_free(context);
    return done ? (long) len : -1;
}

/* header.claims.signature in one buffer. */
static int
make(gh_arena_t *arena, const gh_assertion_t *assertion, identity_t *identity, gh_str_t *jwt, gh_error_t *error)
{
    gh_json_writer_t header, claims;
    char            *h = gh_arena_alloc(arena, HEADER_MAX), *c = gh_arena_alloc(arena, CLAIMS_MAX), *text;
    uint8_t          signature[2048];
    size_t           len;
    long             signed_len;

    if (h == NULL || c == NULL || (text = gh_arena_alloc(arena, (HEADER_MAX + CLAIMS_MAX + sizeof(signature)) * 4 / 3 + 16)) == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    gh_json_writer_init(&header, h, HEADER_MAX);
    gh_json_writer_init(&claims, c, CLAIMS_MAX);
    if (write_header(arena, assertion, identity, &header) != GH_OK || write_claims(assertion, &claims) != GH_OK) {
        return gh_error_set(error, "source_secret", "no assertion can be made with the certificate: it, or the client's id, is too long");
    }
    len = gh_base64url((const uint8_t *) h, header.len, text);
    text[len++] = '.';
    len += gh_base64url((const uint8_t *) c, claims.len, text + len);
    signed_len = (size_t) EVP_PKEY_get_size(identity->key) <= sizeof(signature)
        ? sign(identity->key, (gh_str_t) { text, len }, signature, sizeof(signature)) : -1;
    if (signed_len < 0) {
        return gh_error_set(error, "source_secret", "nothing can be signed with the certificate's private key");
    }
    text[len++] = '.';
    len += gh_base64url(signature, (size_t) signed_len, text + len);
    *jwt = (gh_str_t) { text, len };
    return GH_OK;
}

int
gh_assertion_sign(gh_arena_t *arena, const gh_assertion_t *assertion, gh_str_t *jwt, gh_error_t *error)
{
    identity_t identity = { .count = 0 };
    int        rc = identity_read(assertion->pem, &identity, error);

    rc = rc == GH_OK ? identity_check(&identity, assertion->now_ms, error) : rc;
    rc = rc == GH_OK ? make(arena, assertion, &identity, jwt, error) : rc;
    identity_free(&identity);
    return rc;
}
