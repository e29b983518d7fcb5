/*
 * What a deployment answers at OpenAI's Responses, on its way to a client that speaks it too: its ids are given out (ids.h), and its events say how far it got.
 *
 * Sources: openai-python's openai/types/responses: the events of ResponseStreamEvent, Response.
 */
#ifndef GH_RESPONSES_H
#define GH_RESPONSES_H

#include "ngx_module/wire/ids.h"

typedef struct {
    gh_ids_t    ids;               /* what was told: code, usage, the response's own id, its status */
    bool        done;              /* the answer's own end: response.completed, response.incomplete */
    bool        error;             /* an error event, or response.failed */
    gh_commit_t commit;            /* what the first event was that says more than that an answer has begun */
    uint64_t    events;            /* with content */
    uint64_t    all_events;
} gh_responses_t;

/* stream: server-sent events; else the body of a plain answer: a response, a list of its items, what DELETE says. */
void gh_responses_init(gh_responses_t *responses, bool stream, const gh_ids_owner_t *owner);

/* As gh_ids_feed and gh_ids_finish. */
void gh_responses_feed(gh_responses_t *responses, const char *data, size_t len, gh_stream_out_fn out, void *context);
void gh_responses_finish(gh_responses_t *responses, gh_stream_out_fn out, void *context);

/* The error event that ends a stream which broke after the commit. Bytes written; size 512 at least. */
size_t gh_responses_error_event(const gh_responses_t *responses, char *buffer, size_t size, gh_str_t code, gh_str_t message);

/* The error of a stream that gh_responses_look found to be one, as the body of an answer: {"error":...}. data NULL: no memory. */
gh_str_t gh_responses_error(gh_arena_t *arena, gh_str_t held);

/*
 * content_filters of Azure's responses, raw, [{"blocked","source_type","content_filter_results","content_filter_offsets"}]: does one of them say that what it
 * looked at was blocked? Source: azure-rest-api-specs, AzureContentFilterForResponsesAPI. What cannot be read says nothing.
 */
bool gh_responses_blocked(gh_str_t filters);

/*
 * As gh_commit_look. Azure ends a stream at its content filter with a response.failed that gives no error, and tells it in an error event behind: until then such
 * a stream is held. What a content filter blocked has the status 400, so that nobody else is asked.
 */
gh_commit_t gh_responses_look(gh_str_t held, int *status);

#endif
