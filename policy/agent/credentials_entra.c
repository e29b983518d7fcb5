/*
 * Tokens of Entra ID for an application (learn.microsoft.com, "OAuth 2.0 client credentials flow"): with a secret, with a certificate, or with a token
 * that somebody whom the application trusts issued (workload identity federation).
 */
#include <string.h>

#include "policy/agent/assertion.h"
#include "policy/agent/exchange.h"

#define AUTHORITY "https://login.microsoftonline.com"
#define SCOPE     "https://cognitiveservices.azure.com/.default"
#define WHO       "Entra ID"
#define JWT_TYPE  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* A path segment of the authority: a GUID or a domain's name. */
static bool
tenant_valid(gh_str_t tenant)
{
    for (size_t i = 0; i < tenant.len; i++) {
        char c = tenant.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '.') {
            return false;
        }
    }
    return tenant.len != 0 && tenant.len <= 255 && tenant.data[0] != '.';
}

static int
token_url(const gh_credential_source_t *source, gh_arena_t *arena, gh_str_t *url, gh_error_t *error)
{
    gh_str_t authority = source->authority.len != 0 ? source->authority : GH_STR(AUTHORITY);

    if (!tenant_valid(source->tenant_id)) {
        return gh_error_set(error, "source_config", "tenant_id is neither a GUID nor a domain's name");
    }
    while (authority.len > 0 && authority.data[authority.len - 1] == '/') {
        authority.len--;
    }
    *url = gh_str_format(arena, "%s%.*s/%.*s/oauth2/v2.0/token", strstr(authority.data, "://") != NULL ? "" : "https://", GH_STR_ARG(authority),
        GH_STR_ARG(source->tenant_id));
    return url->data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

/* "AADSTS7000215" of a description that goes on with the ids of things, and may with more. */
static const char *
number_of(gh_arena_t *arena, gh_str_t description)
{
    return gh_str_starts(description, GH_STR("AADSTS")) ? gh_exchange_word(arena, description) : "no AADSTS number";
}

static int
read_token(gh_credential_run_t *run, const gh_fetch_answer_t *answer, gh_credential_t *out, gh_error_t *error)
{
    gh_node_t *root;
    uint64_t   expires, refresh;

    if (gh_exchange_object(run, WHO, answer, &root, error) != GH_OK) {
        return GH_ERROR;
    }
    if (answer->status != 200) {
        return gh_error_set(error, "source_refused", WHO " answered %u, %s (%s)", answer->status, gh_exchange_word(run->arena, gh_exchange_text(root, "error")),
            number_of(run->arena, gh_exchange_text(root, "error_description")));
    }
    out->form = GH_CREDENTIAL_BEARER;
    out->secret = gh_exchange_text(root, "access_token");
    expires = gh_exchange_seconds(root, "expires_in");
    refresh = gh_exchange_seconds(root, "refresh_in");
    if (out->secret.len == 0 || expires == 0 || !gh_str_eq_nocase(gh_exchange_text(root, "token_type"), GH_STR("Bearer"))) {
        return gh_error_set(error, "source_answer", WHO " answered 200 without access_token, expires_in, and a token_type that is Bearer");
    }
    out->expires_ms = run->now_ms + expires * 1000;
    run->refresh_ms = refresh != 0 ? run->now_ms + refresh * 1000 : 0;
    return GH_OK;
}

/* secret or assertion: the other one's data is NULL. */
static int
ask(const gh_credential_source_t *source, gh_credential_run_t *run, gh_str_t url, gh_str_t secret, gh_str_t assertion, gh_credential_t *out, gh_error_t *error)
{
    gh_fetch_header_t  headers[] = {
        { GH_STR("Content-Type"), GH_STR("application/x-www-form-urlencoded") }, { GH_STR("Accept"), GH_STR("application/json") }
    };
    gh_form_field_t    fields[] = {
        { "grant_type", GH_STR("client_credentials") }, { "client_id", source->client_id },
        { "scope", source->scope.len != 0 ? source->scope : GH_STR(SCOPE) }, { "client_secret", secret },
        { "client_assertion_type", assertion.data != NULL ? GH_STR(JWT_TYPE) : (gh_str_t) { NULL, 0 } }, { "client_assertion", assertion }
    };
    gh_fetch_request_t request = { .method = GH_STR("POST"), .url = url, .headers = headers, .headers_count = 2 };
    gh_fetch_answer_t  answer;

    *out = (gh_credential_t) { .form = GH_CREDENTIAL_BEARER };
    request.body = gh_form(run->arena, fields, sizeof(fields) / sizeof(fields[0]));
    return gh_exchange(source, run, WHO, &request, &answer, error) == GH_OK ? read_token(run, &answer, out, error) : GH_ERROR;
}

int
gh_credential_from_entra_secret(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    gh_str_t url, secret;

    if (token_url(source, run->arena, &url, error) != GH_OK || gh_secret_read(run->arena, &source->secret, "the client's secret", &secret, error) != GH_OK) {
        return GH_ERROR;
    }
    return ask(source, run, url, secret, (gh_str_t) { NULL, 0 }, out, error);
}

int
gh_credential_from_entra_certificate(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    gh_assertion_t assertion = { .client_id = source->client_id, .send_chain = source->send_chain, .now_ms = run->now_ms };
    gh_str_t       jwt;

    if (token_url(source, run->arena, &assertion.audience, error) != GH_OK
        || gh_secret_read(run->arena, &source->certificate, "the certificate", &assertion.pem, error) != GH_OK
        || gh_assertion_sign(run->arena, &assertion, &jwt, error) != GH_OK)
    {
        return GH_ERROR;
    }
    return ask(source, run, assertion.audience, (gh_str_t) { NULL, 0 }, jwt, out, error);
}

/* The file is another one every hour: whoever projects it writes it anew. It is given to this user alone or to everybody in a pod's file system. */
int
gh_credential_from_entra_federation(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    gh_str_t url, token;

    if (token_url(source, run->arena, &url, error) != GH_OK
        || gh_secret_file(run->arena, source->token_file.data, "the federated token", false, &token, error) != GH_OK)
    {
        return GH_ERROR;
    }
    token = gh_token_trim(token);
    if (token.len == 0) {
        return gh_error_set(error, "source_secret", "the federated token in %s is empty", source->token_file.data);
    }
    return ask(source, run, url, (gh_str_t) { NULL, 0 }, token, out, error);
}
