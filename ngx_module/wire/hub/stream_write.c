/* What writers of events have in common: where one begins and ends, in lines of server-sent events or in a message of AWS's framing. */
#include "ngx_module/wire/hub/stream.h"

#include "ngx_module/wire/hub/dialect.h"

void
gh_hub_event_begin(gh_hub_stream_t *s, const char *type)
{
    if (gh_hub_framed(s->client)) {
        s->put.len = 0;    /* each event is a message of its own */
        return;
    }
    if (type != NULL) {
        GH_HUB_PUT(&s->put, "event: ");
        gh_hub_put(&s->put, gh_str_from(type));
        GH_HUB_PUT(&s->put, "\n");
    }
    GH_HUB_PUT(&s->put, "data: ");
}

void
gh_hub_event_end(gh_hub_stream_t *s)
{
    if (gh_hub_framed(s->client)) {
        gh_hub_chunk_out(s);
        return;
    }
    GH_HUB_PUT(&s->put, "\n\n");
}

void
gh_hub_message_out(gh_hub_stream_t *s, const char *type, bool exception)
{
    if (!exception && s->padding.len != 0 && s->put.len != 0) {
        s->put.len--;    /* the object is open again */
        gh_hub_put_kv_string(&s->put, "p", s->padding);
        GH_HUB_PUT(&s->put, "}");
    }
    if (!s->put.failed && s->out.message != NULL) {
        s->out.message(s->out.context, type, exception, gh_hub_kept(&s->put));
        s->put.len = 0;
    }
}
