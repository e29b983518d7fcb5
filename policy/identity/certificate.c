#include "policy/identity/certificate.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "policy/base/hash.h"

const char *const gh_certificate_kinds[] = { "uri", "dns", "subject", "sha256", NULL };

static int
malformed(gh_error_t *error, const char *what)
{
    return gh_error_set(error, "certificate_malformed", "the client certificate is malformed: %s", what);
}

static int
no_memory(gh_error_t *error)
{
    return gh_error_set(error, "out_of_memory", "no memory for a client certificate");
}

/* ---- reading ---- */

/* RFC 5280, 4.2.1.6: IA5String; what is no printable ASCII is no name, and hides what stands behind it from those that read C strings. */
static int
read_name(const ASN1_IA5STRING *from, gh_arena_t *arena, gh_str_t *to, gh_error_t *error)
{
    const char *data = (const char *) ASN1_STRING_get0_data(from);
    int         len = ASN1_STRING_length(from);

    if (len <= 0) {
        return malformed(error, "a name is empty");
    }
    for (int i = 0; i < len; i++) {
        if (data[i] <= ' ' || data[i] > '~') {
            return malformed(error, "a name has a byte that is no printable ASCII");
        }
    }
    *to = gh_str_copy(arena, (gh_str_t) { data, (size_t) len });
    return to->data != NULL ? GH_OK : no_memory(error);
}

static int
read_sans(const GENERAL_NAMES *names, gh_arena_t *arena, gh_certificate_t *c, gh_error_t *error)
{
    int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;

    if (count > GH_CERTIFICATE_NAMES_MAX) {
        return malformed(error, "it has too many names");
    }
    c->uris = gh_arena_array(arena, (size_t) count + 1, sizeof(*c->uris));
    c->dns = gh_arena_array(arena, (size_t) count + 1, sizeof(*c->dns));
    if (c->uris == NULL || c->dns == NULL) {
        return no_memory(error);
    }
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI && read_name(name->d.uniformResourceIdentifier, arena, &c->uris[c->uri_count++], error) != GH_OK) {
            return GH_ERROR;
        }
        if (name->type == GEN_DNS && read_name(name->d.dNSName, arena, &c->dns[c->dns_count++], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
read_subject(X509 *leaf, gh_arena_t *arena, gh_certificate_t *c, gh_error_t *error)
{
    BIO  *out = BIO_new(BIO_s_mem());
    char *data;
    long  len;

    if (out == NULL || X509_NAME_print_ex(out, X509_get_subject_name(leaf), 0, XN_FLAG_RFC2253) < 0) {
        BIO_free(out);
        return no_memory(error);
    }
    len = BIO_get_mem_data(out, &data);
    c->subject = len > 0 ? gh_str_copy(arena, (gh_str_t) { data, (size_t) len }) : GH_STR("");
    BIO_free(out);
    return c->subject.data != NULL ? GH_OK : no_memory(error);
}

/* Unix ms; before 1970: 0. */
static bool
time_of(const ASN1_TIME *from, uint64_t *ms)
{
    struct tm tm;
    time_t    seconds;

    if (ASN1_TIME_to_tm(from, &tm) != 1) {
        return false;
    }
    seconds = timegm(&tm);
    *ms = seconds > 0 ? (uint64_t) seconds * 1000 : 0;
    return true;
}

static int
read_chain(X509 *leaf, STACK_OF(X509) *chain, gh_arena_t *arena, gh_certificate_t *c, gh_error_t *error)
{
    int      count = chain != NULL ? sk_X509_num(chain) : 0;
    unsigned len = sizeof(c->sha256);

    if (count < 1 || count > GH_CERTIFICATE_CHAIN_MAX) {
        return malformed(error, "its chain is empty or too long");
    }
    c->chain = gh_arena_array(arena, (size_t) count, sizeof(*c->chain));
    if (c->chain == NULL || X509_digest(leaf, EVP_sha256(), c->sha256, &len) != 1) {
        return no_memory(error);
    }
    /* a certificate that is trusted itself is its own authority */
    for (int i = count > 1; i < count; i++) {
        if (X509_digest(sk_X509_value(chain, i), EVP_sha256(), c->chain[c->chain_count++], &len) != 1) {
            return no_memory(error);
        }
    }
    return GH_OK;
}

/* X509-SVID, 2 and 4.1: one URI, no authority, no signing of certificates. */
static int
check_spiffe(X509 *leaf, const gh_certificate_t *c, gh_error_t *error)
{
    bool spiffe = false;

    for (size_t i = 0; i < c->uri_count; i++) {
        spiffe = spiffe || (c->uris[i].len >= 9 && gh_str_eq_nocase((gh_str_t) { c->uris[i].data, 9 }, GH_STR("spiffe://")));
    }
    if (!spiffe) {
        return GH_OK;
    }
    if (c->uri_count != 1) {
        return malformed(error, "a SPIFFE ID stands beside another URI");
    }
    if (X509_check_ca(leaf) != 0 || ((X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) && (X509_get_key_usage(leaf) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)))) {
        return malformed(error, "a SPIFFE ID stands in an authority's certificate");
    }
    return GH_OK;
}

int
gh_certificate_read(X509 *leaf, STACK_OF(X509) *chain, gh_arena_t *arena, gh_certificate_t *c, gh_error_t *error)
{
    gh_bytes_t     parts[GH_CERTIFICATE_CHAIN_MAX + 2] = { { "certificate", sizeof("certificate") } };
    GENERAL_NAMES *names;
    size_t         count = 1;
    int            critical = -1, rc;

    memset(c, 0, sizeof(*c));
    if (read_chain(leaf, chain, arena, c, error) != GH_OK) {
        return GH_ERROR;
    }
    names = X509_get_ext_d2i(leaf, NID_subject_alt_name, &critical, NULL);
    if (names == NULL && critical != -1) {
        return malformed(error, "its names cannot be read");
    }
    rc = read_sans(names, arena, c, error);
    GENERAL_NAMES_free(names);
    if (rc != GH_OK || read_subject(leaf, arena, c, error) != GH_OK || check_spiffe(leaf, c, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!time_of(X509_get0_notBefore(leaf), &c->not_before_ms) || !time_of(X509_get0_notAfter(leaf), &c->not_after_ms)) {
        return malformed(error, "its times cannot be read");
    }
    c->not_after_ms += 1000;                   /* RFC 5280, 4.1.2.5: that second is inside */
    parts[count++] = (gh_bytes_t) { c->sha256, sizeof(c->sha256) };
    for (size_t i = 0; i < c->chain_count; i++) {
        parts[count++] = (gh_bytes_t) { c->chain[i], sizeof(c->chain[i]) };
    }
    gh_sha256_parts(parts, count, c->digest);
    return GH_OK;
}

int
gh_certificate_in_time(const gh_certificate_t *certificate, uint64_t now_ms, gh_error_t *error)
{
    if (now_ms >= certificate->not_after_ms) {
        return gh_error_set(error, "certificate_expired", "the client certificate has expired");
    }
    if (now_ms < certificate->not_before_ms) {
        return gh_error_set(error, "certificate_not_yet", "the client certificate is not valid yet");
    }
    return GH_OK;
}

/* ---- verifying ---- */

int
gh_certificate_verify(X509_STORE *store, const X509_VERIFY_PARAM *param, int security_level, X509 *leaf, STACK_OF(X509) *untrusted, STACK_OF(X509) **chain,
    gh_error_t *error)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    *chain = NULL;
    if (ctx == NULL || X509_STORE_CTX_init(ctx, store, leaf, untrusted) != 1) {
        X509_STORE_CTX_free(ctx);
        return no_memory(error);
    }
    /* as OpenSSL itself does for a server */
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), security_level);
    if (X509_STORE_CTX_set_default(ctx, "ssl_client") != 1 || (param != NULL && X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(ctx), param) != 1)) {
        X509_STORE_CTX_free(ctx);
        return no_memory(error);
    }
    if (X509_verify_cert(ctx) != 1) {
        gh_error_set(error, "certificate_untrusted", "the client certificate is not accepted: %s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        X509_STORE_CTX_free(ctx);
        return GH_ERROR;
    }
    *chain = X509_STORE_CTX_get1_chain(ctx);
    X509_STORE_CTX_free(ctx);
    return *chain != NULL ? GH_OK : no_memory(error);
}

/* ---- names that rules compare ---- */

gh_certificate_kind_t
gh_certificate_kind(gh_str_t name)
{
    int kind = 0;

    while (kind < GH_CERTIFICATE_KINDS && !gh_str_is(name, gh_certificate_kinds[kind])) {
        kind++;
    }
    return (gh_certificate_kind_t) kind;
}

/* Bytes of "scheme://authority"; 0: it has none. */
static size_t
authority_end(gh_str_t uri)
{
    size_t at = 0;

    while (at + 2 < uri.len && memcmp(uri.data + at, "://", 3) != 0) {
        at++;
    }
    if (at == 0 || at + 2 >= uri.len) {
        return 0;
    }
    for (at += 3; at < uri.len && uri.data[at] != '/' && uri.data[at] != '?' && uri.data[at] != '#'; at++) {
    }
    return at;
}

static bool
same_uri(gh_str_t a, gh_str_t b)
{
    size_t end = authority_end(a);

    return a.len == b.len && end == authority_end(b) && gh_str_eq_nocase((gh_str_t) { a.data, end }, (gh_str_t) { b.data, end })
        && memcmp(a.data + end, b.data + end, a.len - end) == 0;
}

bool
gh_certificate_has(const gh_certificate_t *c, gh_certificate_kind_t kind, gh_str_t value)
{
    uint8_t sha256[32];
    size_t  i = 0;

    switch (kind) {
    case GH_CERTIFICATE_URI:
        while (i < c->uri_count && !same_uri(c->uris[i], value)) {
            i++;
        }
        return i < c->uri_count;
    case GH_CERTIFICATE_DNS:
        while (i < c->dns_count && (memchr(c->dns[i].data, '*', c->dns[i].len) != NULL || !gh_str_eq_nocase(c->dns[i], value))) {
            i++;
        }
        return i < c->dns_count;
    case GH_CERTIFICATE_SUBJECT:
        return c->subject.len > 0 && gh_str_eq(c->subject, value);
    case GH_CERTIFICATE_SHA256:
        return gh_certificate_sha256(value, sha256) && memcmp(sha256, c->sha256, sizeof(sha256)) == 0;
    default:
        return false;
    }
}

static int
digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
gh_certificate_sha256(gh_str_t text, uint8_t sha256[32])
{
    for (size_t i = 0; i < 32 && text.len == 64; i++) {
        int high = digit_of(text.data[2 * i]), low = digit_of(text.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        sha256[i] = (uint8_t) (high << 4 | low);
    }
    return text.len == 64;
}

static bool
has_upper(gh_str_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'Z') {
            return true;
        }
    }
    return false;
}

static const char *
dns_wrong(gh_str_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '*') {
            return "a wildcard fits nothing: name each host";
        }
        if (value.data[i] <= ' ' || value.data[i] > '~') {
            return "a DNS name is ASCII: write its A-label (\"xn--...\")";
        }
    }
    return value.data[value.len - 1] == '.' ? "a DNS name stands there without the dot at its end" : has_upper(value) ? "write a DNS name in lower case" : NULL;
}

const char *
gh_certificate_value_wrong(gh_certificate_kind_t kind, gh_str_t value)
{
    uint8_t sha256[32];
    size_t  end;

    if (value.len == 0) {
        return "it is empty, and no name is";
    }
    switch (kind) {
    case GH_CERTIFICATE_URI:
        end = authority_end(value);
        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] <= ' ' || value.data[i] > '~') {
                return "a URI is printable ASCII";
            }
        }
        return memchr(value.data, ':', value.len) == NULL ? "a URI begins with its scheme, such as \"spiffe://\""
            : has_upper((gh_str_t) { value.data, end }) ? "write scheme and authority of a URI in lower case" : NULL;
    case GH_CERTIFICATE_DNS:
        return dns_wrong(value);
    case GH_CERTIFICATE_SHA256:
        return !gh_certificate_sha256(value, sha256) || has_upper(value)
            ? "write a SHA-256 as 64 hexadecimal digits in lower case, without colons: openssl x509 -in FILE -outform DER | sha256sum" : NULL;
    default:
        return NULL;
    }
}
