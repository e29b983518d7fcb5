/*
 * Azure OpenAI: the v1 API (/openai/v1/..., the deployment is the body's model) and the classic one
 * (/openai/deployments/{deployment}/...?api-version=; Responses has its deployment in the body there too: /openai/responses?api-version=). Key in
 * `api-key`.
 */
#include "ngx_module/wire/dialect.h"

/* API versions begin with their date, so they compare as text. */
#define USAGE_SINCE "2024-09-01"   /* stream_options came with 2024-09-01-preview */
#define MAX_SINCE   "2024-09-01"   /* max_completion_tokens came with 2024-09-01-preview */
#define STORE_SINCE "2024-12-01"   /* store is in the previews after 2024-10-21, which does not have it */

static gh_str_t
azure_v1_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_error_t *error)
{
    gh_str_t path = gh_dialect_openai_endpoint(arena, "/openai/v1/", endpoint, error);

    (void) target;
    (void) stream;

    return path;
}

static gh_str_t
azure_classic_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_error_t *error)
{
    gh_str_t path = { NULL, 0 }, deployment, version;

    (void) stream;

    deployment = gh_dialect_segment(arena, target->upstream_model, error);
    if (deployment.data == NULL) {
        return path;
    }

    version = gh_dialect_segment(arena, target->api_version, error);
    if (version.data == NULL) {
        return path;
    }

    path = gh_dialect_openai_endpoint(arena, "", endpoint, error);
    if (path.data == NULL) {
        return path;
    }

    path = endpoint == GH_ENDPOINT_RESPONSES
        ? gh_str_format(arena, "/openai/%.*s?api-version=%.*s", GH_STR_ARG(path), GH_STR_ARG(version))
        : gh_str_format(arena, "/openai/deployments/%.*s/%.*s?api-version=%.*s", GH_STR_ARG(deployment), GH_STR_ARG(path), GH_STR_ARG(version));
    if (path.data == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
    }

    return path;
}

static bool
classic_usage(const gh_target_t *target)
{
    return gh_str_cmp(target->api_version, GH_STR(USAGE_SINCE)) >= 0;
}

static bool
classic_max_completion(const gh_target_t *target)
{
    return gh_str_cmp(target->api_version, GH_STR(MAX_SINCE)) >= 0;
}

static bool
classic_store(const gh_target_t *target)
{
    return gh_str_cmp(target->api_version, GH_STR(STORE_SINCE)) >= 0;
}

const gh_dialect_row_t gh_dialect_azure_v1 = {
    "api-key", "", { NULL, NULL }, azure_v1_path, gh_dialect_yes, gh_dialect_yes, gh_dialect_yes
};

const gh_dialect_row_t gh_dialect_azure_classic = {
    "api-key", "", { NULL, NULL }, azure_classic_path, classic_store, classic_usage, classic_max_completion
};
