/* A control plane that answers from a list of texts, one a call and from the beginning again: "!..." is a 403, "?..." a 404, "~..." a 429; others are 200. */
#ifndef GH_IMPORT_WORLD_H
#define GH_IMPORT_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "policy/agent/drift.h"

#define WORLD_ANSWERS 64
#define WORLD_CALLS   400     /* then every call fails */
#define WORLD_NOW     UINT64_C(1795780800000)

typedef struct {
    gh_str_t answers[WORLD_ANSWERS];
    unsigned count, next, calls;
} import_world_t;

static const char *const world_regions[] = { "eu-central-1" };

/* Texts with an RS (0x1e) between them. */
static inline void
world_split(import_world_t *world, gh_str_t text)
{
    *world = (import_world_t) { .count = 0 };
    while (world->count < WORLD_ANSWERS) {
        const char *end = text.len > 0 ? memchr(text.data, 0x1e, text.len) : NULL;
        size_t      len = end != NULL ? (size_t) (end - text.data) : text.len;

        world->answers[world->count++] = (gh_str_t) { text.data, len };
        if (end == NULL) {
            return;
        }
        text = (gh_str_t) { text.data + len + 1, text.len - len - 1 };
    }
}

static inline int
world_fetch(void *context, const gh_fetch_request_t *request, gh_arena_t *arena, gh_fetch_answer_t *answer, gh_error_t *error)
{
    import_world_t *world = context;
    gh_str_t        text;

    if (request->url.len == 0 || world->count == 0 || ++world->calls > WORLD_CALLS) {
        return gh_error_set(error, "fetch_unreachable", "nothing more is answered");
    }
    text = world->answers[world->next++ % world->count];
    *answer = (gh_fetch_answer_t) { .status = 200 };
    if (text.len > 0 && strchr("!?~", text.data[0]) != NULL) {
        answer->status = text.data[0] == '!' ? 403 : text.data[0] == '?' ? 404 : 429;
        text = (gh_str_t) { text.data + 1, text.len - 1 };
    }
    answer->body = gh_str_copy(arena, text);

    return answer->body.data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

static inline void
world_wait(void *context, uint64_t ms)
{
    (void) context;
    (void) ms;
}

static inline uint64_t
world_now(void *context)
{
    (void) context;
    return WORLD_NOW;
}

/* Asks azure or bedrock of the world; GH_OK: finished. */
static inline int
world_import(import_world_t *world, bool azure, gh_arena_t *arena, gh_import_t *import, gh_error_t *error)
{
    gh_import_io_t      io = { .fetch = world_fetch, .wait = world_wait, .now_ms = world_now, .context = world };
    gh_aws_credential_t credential = { .access_key_id = GH_STR("AKID"), .secret_access_key = GH_STR("secret"), .session_token = GH_STR("") };
    gh_import_bedrock_t bedrock = { .credential = &credential, .regions = world_regions, .region_count = 1, .endpoint = GH_STR("") };
    gh_import_azure_t   arm = { .token = GH_STR("token"), .endpoint = GH_STR("https://management.azure.com"), .partition = GH_STR("azure") };

    if (gh_import_begin(import, arena, &io, error) != GH_OK
        || (azure ? gh_import_azure(import, &arm, error) : gh_import_bedrock(import, &bedrock, error)) != GH_OK)
    {
        return GH_ERROR;
    }

    return gh_import_finish(import, error);
}

#endif
