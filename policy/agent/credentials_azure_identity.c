/*
 * Managed identities of Azure: by the instance metadata service of a virtual machine (learn.microsoft.com, "How to use managed identities for Azure
 * resources on an Azure VM to acquire an access token"), or by the endpoint that App Service, Functions and Container Apps give a process
 * ("How to use managed identities for App Service", REST). The second one when IDENTITY_ENDPOINT is there.
 */
#include <stdlib.h>

#include "policy/agent/exchange.h"

#define IMDS     "http://169.254.169.254"
#define RESOURCE "https://cognitiveservices.azure.com"

/* A scope is a resource and "/.default". */
static gh_str_t
resource_of(const gh_credential_source_t *source)
{
    gh_str_t resource = source->scope.len != 0 ? source->scope : GH_STR(RESOURCE), end = GH_STR("/.default");

    if (resource.len > end.len && gh_str_eq((gh_str_t) { resource.data + resource.len - end.len, end.len }, end)) {
        resource.len -= end.len;
    }
    return resource;
}

static int
read_token(gh_credential_run_t *run, const char *who, const gh_fetch_answer_t *answer, gh_credential_t *out, gh_error_t *error)
{
    gh_node_t *root;
    uint64_t   on, in, refresh;

    if (gh_exchange_object(run, who, answer, &root, error) != GH_OK) {
        return GH_ERROR;
    }
    if (answer->status != 200) {
        return gh_error_set(error, "source_refused", "%s answered %u, %s", who, answer->status, gh_exchange_word(run->arena, gh_exchange_text(root, "error")));
    }
    on = gh_exchange_seconds(root, "expires_on");
    in = gh_exchange_seconds(root, "expires_in");
    refresh = gh_exchange_seconds(root, "refresh_in");
    *out = (gh_credential_t) { .form = GH_CREDENTIAL_BEARER, .secret = gh_exchange_text(root, "access_token") };
    out->expires_ms = on != 0 ? on * 1000 : in != 0 ? run->now_ms + in * 1000 : 0;
    if (out->secret.len == 0 || out->expires_ms == 0) {
        return gh_error_set(error, "source_answer", "%s answered 200 without access_token, or without expires_on and expires_in", who);
    }
    run->refresh_ms = refresh != 0 ? run->now_ms + refresh * 1000 : 0;
    return GH_OK;
}

static gh_str_t
or_none(gh_str_t text)
{
    return text.len != 0 ? text : (gh_str_t) { NULL, 0 };
}

int
gh_credential_from_managed_identity(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    const char        *endpoint = getenv("IDENTITY_ENDPOINT"), *word = getenv("IDENTITY_HEADER"), *host = getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    bool               service = source->endpoint.len == 0 && endpoint != NULL && word != NULL;
    const char        *who = service ? "the managed identity of this service" : "the instance metadata service";
    gh_form_field_t    fields[] = {
        { "api-version", service ? GH_STR("2019-08-01") : GH_STR("2018-02-01") }, { "resource", resource_of(source) },
        { "client_id", or_none(source->client_id) }, { service ? "principal_id" : "object_id", or_none(source->object_id) },
        { service ? "mi_res_id" : "msi_res_id", or_none(source->resource_id) }
    };
    gh_fetch_header_t  header = { GH_STR("Metadata"), GH_STR("true") };
    gh_fetch_request_t request = { .headers = &header, .headers_count = 1, .connect_ms = 2000 };
    gh_fetch_answer_t  answer;
    gh_str_t           query = gh_form(run->arena, fields, sizeof(fields) / sizeof(fields[0])), base;

    if (service) {
        header = (gh_fetch_header_t) { GH_STR("X-IDENTITY-HEADER"), gh_str_from(word) };
        base = gh_str_from(endpoint);
    } else {
        base = source->endpoint.len != 0 ? source->endpoint : host != NULL && host[0] != '\0' ? gh_str_from(host) : GH_STR(IMDS);
        while (base.len > 0 && base.data[base.len - 1] == '/') {
            base.len--;
        }
    }
    if (query.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    request.url = gh_str_format(run->arena, "%.*s%s?%.*s", GH_STR_ARG(base), service ? "" : "/metadata/identity/oauth2/token", GH_STR_ARG(query));
    return gh_exchange(source, run, who, &request, &answer, error) == GH_OK ? read_token(run, who, &answer, out, error) : GH_ERROR;
}
