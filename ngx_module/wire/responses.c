/* What the events of a stream of Responses say of it: how far it got, and how it ended. */
#include "ngx_module/wire/responses.h"

#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/ids_walk.h"

/* Events that say no more than that an answer has begun. */
static const char *const beginnings[] = {
    "response.created", "response.queued", "response.in_progress", "response.output_item.added", "response.content_part.added",
    "response.reasoning_summary_part.added", "keepalive", "ping",
};

static void
event_end(gh_ids_t *ids)
{
    gh_responses_t *w = (gh_responses_t *) ids;              /* its first member */
    bool            begins = ids->state == J_VALUE || ids->type_len == 0;   /* no JSON object, or none of these events: [DONE] */

    w->all_events++;
    if (ids->owner.kept && gh_ids_type_is(ids, "response.failed")) {
        w->done = true;
    } else if (ids->failed || gh_ids_type_is(ids, "error") || gh_ids_type_is(ids, "response.failed")) {
        w->error = true;
        if (ids->code_len == 0 && ids->state != J_VALUE && gh_ids_type_is(ids, "response.failed")) {
            return;                                          /* an event behind it may say why */
        }
        ids->keep_code = true;
        w->commit = w->commit == GH_COMMIT_HOLD ? GH_COMMIT_ERROR : w->commit;
        return;
    }
    if (w->error && w->commit == GH_COMMIT_HOLD) {
        w->commit = GH_COMMIT_ERROR;                         /* none does */
        return;
    }
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        begins |= gh_ids_type_is(ids, beginnings[i]);
    }
    w->done |= gh_ids_type_is(ids, "response.completed") || gh_ids_type_is(ids, "response.incomplete");
    w->events += ids->delta;
    if (!begins && w->commit == GH_COMMIT_HOLD) {
        w->commit = GH_COMMIT_GO;
    }
}

void
gh_responses_init(gh_responses_t *w, bool stream, const gh_ids_owner_t *owner)
{
    w->done = false;
    w->error = false;
    w->commit = GH_COMMIT_HOLD;
    w->events = 0;
    w->all_events = 0;
    gh_ids_init(&w->ids, stream ? &gh_ids_response_event : &gh_ids_response, stream, owner, event_end);
}

void
gh_responses_feed(gh_responses_t *w, const char *data, size_t len, gh_stream_out_fn out, void *context)
{
    gh_ids_feed(&w->ids, data, len, out, context);
    w->done |= !w->ids.stream && w->ids.state == J_END;
}

void
gh_responses_finish(gh_responses_t *w, gh_stream_out_fn out, void *context)
{
    gh_ids_finish(&w->ids, out, context);
}
