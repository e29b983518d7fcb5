/*
 * Anthropic's own API, and hosts that have it behind a prefix (Foundry: /anthropic, which is the backend's base path): Messages and its count of tokens. Key in
 * `x-api-key`. The version is the only one there is; without one the API refuses. It has no `store`, and streams always say what they used.
 */
#include "ngx_module/wire/dialect.h"

static gh_str_t
anthropic_path(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_error_t *error)
{
    (void) arena;
    (void) target;
    (void) stream;

    if (endpoint == GH_ENDPOINT_MESSAGES) {
        return GH_STR("/v1/messages");
    }

    if (endpoint == GH_ENDPOINT_COUNT_TOKENS) {
        return GH_STR("/v1/messages/count_tokens");
    }

    gh_error_set(error, "bad_gateway", "Anthropic's API has Messages only");
    return (gh_str_t) { NULL, 0 };
}

const gh_dialect_row_t gh_dialect_anthropic = {
    "x-api-key", "", { "anthropic-version", "2023-06-01" }, anthropic_path, gh_dialect_no, gh_dialect_no, gh_dialect_no
};
