/*
 * Credentials of a role, from AWS STS (docs.aws.amazon.com, AssumeRole and AssumeRoleWithWebIdentity): the first signed with other credentials, which may be
 * of a role too; the second for a token that an issuer whom the role trusts signed, as EKS projects it.
 */
#include <string.h>

#include "policy/agent/exchange.h"
#include "policy/agent/signed_headers.h"
#include "policy/agent/sts_answer.h"
#include "policy/base/hash.h"

#define WHO     "STS"
#define VERSION "2011-06-15"
#define SESSION "gatehouse"

/* The partition's domain by the region's prefix. "" for those whose hosts are not published: they are named by `endpoint`. */
static const char *
domain_of(gh_str_t region)
{
    static const struct { const char *prefix, *domain; } known[] = {
        { "cn-", "amazonaws.com.cn" }, { "eusc-", "amazonaws.eu" }, { "us-iso", "" }, { "eu-iso", "" }
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (gh_str_starts(region, gh_str_from(known[i].prefix))) {
            return known[i].domain;
        }
    }
    return "amazonaws.com";
}

static int
endpoint_of(const gh_credential_source_t *source, gh_arena_t *arena, gh_str_t *url, gh_error_t *error)
{
    const char *domain = domain_of(source->region);
    gh_str_t    endpoint = source->endpoint;

    if (endpoint.len == 0 && domain[0] == '\0') {
        return gh_error_set(error, "source_config", "the host of STS in region \"%.*s\" is not published: say \"endpoint\"", GH_STR_ARG(source->region));
    }
    for (size_t i = 0; i < source->region.len; i++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", source->region.data[i]) == NULL) {
            return gh_error_set(error, "source_config", "region \"%.*s\" is none", GH_STR_ARG(source->region));
        }
    }
    while (endpoint.len > 0 && endpoint.data[endpoint.len - 1] == '/') {
        endpoint.len--;
    }
    *url = endpoint.len != 0 ? gh_str_format(arena, "%.*s/", GH_STR_ARG(endpoint))
        : gh_str_format(arena, "https://sts.%.*s.%s/", GH_STR_ARG(source->region), domain);
    return url->data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

static int
read_answer(gh_credential_run_t *run, const gh_fetch_answer_t *answer, gh_credential_t *out, gh_error_t *error)
{
    *out = (gh_credential_t) { .form = GH_CREDENTIAL_AWS };
    if (answer->status != 200) {
        return gh_error_set(error, "source_refused", WHO " answered %u, %s", answer->status,
            gh_exchange_word(run->arena, gh_sts_error_code(run->arena, answer->body)));
    }
    if (gh_sts_credentials_read(run->arena, answer->body, &out->aws, error) != GH_OK) {
        return GH_ERROR;
    }
    out->expires_ms = out->aws.expires_ms;
    return GH_OK;
}

static gh_str_t
duration_text(const gh_credential_source_t *source, gh_arena_t *arena)
{
    return source->duration_seconds == 0 ? (gh_str_t) { NULL, 0 } : gh_str_format(arena, "%llu", (unsigned long long) source->duration_seconds);
}

static gh_str_t
or_none(gh_str_t text)
{
    return text.len != 0 ? text : (gh_str_t) { NULL, 0 };
}

int
gh_credential_from_web_identity(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    gh_fetch_header_t  header = { GH_STR("Content-Type"), GH_STR("application/x-www-form-urlencoded; charset=utf-8") };
    gh_fetch_request_t request = { .method = GH_STR("POST"), .headers = &header, .headers_count = 1 };
    gh_fetch_answer_t  answer;
    gh_str_t           token;

    if (endpoint_of(source, run->arena, &request.url, error) != GH_OK
        || gh_secret_file(run->arena, source->token_file.data, "the web identity token", false, &token, error) != GH_OK)
    {
        return GH_ERROR;
    }
    token = gh_token_trim(token);
    if (token.len == 0) {
        return gh_error_set(error, "source_secret", "the web identity token in %s is empty", source->token_file.data);
    }
    request.body = gh_form(run->arena, (gh_form_field_t[]) {
        { "Action", GH_STR("AssumeRoleWithWebIdentity") }, { "Version", GH_STR(VERSION) }, { "RoleArn", source->role_arn },
        { "RoleSessionName", source->session_name.len != 0 ? source->session_name : GH_STR(SESSION) }, { "WebIdentityToken", token },
        { "DurationSeconds", duration_text(source, run->arena) } }, 6);
    return gh_exchange(source, run, WHO, &request, &answer, error) == GH_OK ? read_answer(run, &answer, out, error) : GH_ERROR;
}

/* The headers of a signed request, besides Content-Type, which is signed too. */
static int
sign(const gh_credential_source_t *source, gh_credential_run_t *run, const gh_aws_credential_t *with, gh_fetch_request_t *request, gh_fetch_header_t *headers,
    gh_error_t *error)
{
    gh_sigv4_header_t  type = { headers[0].name, headers[0].value };
    gh_sigv4_scope_t   scope = { source->region, GH_STR("sts") };
    gh_sigv4_request_t signed_request = { .method = request->method, .headers = &type, .header_count = 1 };
    uint8_t            digest[32];

    gh_url_parts(request->url, &signed_request.host, &signed_request.path, &signed_request.query);
    gh_sha256(request->body.data, request->body.len, digest);
    signed_request.body_sha256 = digest;
    request->headers_count = 1;
    return gh_signed_headers(run->arena, with, &scope, &signed_request, run->now_ms, headers, &request->headers_count, error);
}

int
gh_credential_from_assumed_role(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    gh_fetch_header_t  headers[1 + GH_SIGNED_HEADERS] = { { GH_STR("Content-Type"), GH_STR("application/x-www-form-urlencoded; charset=utf-8") } };
    gh_fetch_request_t request = { .method = GH_STR("POST"), .headers = headers };
    gh_fetch_answer_t  answer;
    gh_credential_t    with;

    if (endpoint_of(source, run->arena, &request.url, error) != GH_OK || gh_credential_run(source->from, run, &with, error) != GH_OK) {
        return GH_ERROR;
    }
    if (with.form != GH_CREDENTIAL_AWS) {
        return gh_error_set(error, "source_config", "\"from\" of a role is a source of AWS credentials, not %s", source->from->kind->word);
    }
    request.body = gh_form(run->arena, (gh_form_field_t[]) {
        { "Action", GH_STR("AssumeRole") }, { "Version", GH_STR(VERSION) }, { "RoleArn", source->role_arn },
        { "RoleSessionName", source->session_name.len != 0 ? source->session_name : GH_STR(SESSION) }, { "ExternalId", or_none(source->external_id) },
        { "DurationSeconds", duration_text(source, run->arena) } }, 6);
    if (request.body.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    return sign(source, run, &with.aws, &request, headers, error) == GH_OK && gh_exchange(source, run, WHO, &request, &answer, error) == GH_OK
        ? read_answer(run, &answer, out, error) : GH_ERROR;
}
