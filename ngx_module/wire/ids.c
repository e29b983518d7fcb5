/* An answer on its way to the client: its events' lines (WHATWG HTML section 9.2), or one JSON value, and which request's answers are looked into at all. */
#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/ids_walk.h"

#include <stddef.h>
#include <string.h>

static bool
uses(const gh_intake_t *intake, const char *name)
{
    for (uint32_t i = 0; i < intake->feature_count; i++) {
        if (gh_str_is(intake->features[i].name, name)) {
            return true;
        }
    }

    return false;
}

/* Is there anything in the request under whose use something could be kept that its answer names? All but what is known not to: a feature of tomorrow does. */
static bool
keeps(const gh_intake_t *intake)
{
    static const char *const nothing[] = { "fetched_url", "prompt_cache" };
    uint32_t                 count = intake->feature_count;

    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        count -= uses(intake, nothing[i]);
    }

    return count != 0;
}

const gh_ids_shape_t *
gh_ids_shape_of(const gh_intake_t *intake, bool stream)
{
    gh_hub_dialect_t dialect = gh_hub_dialect_of(intake->endpoint, false);
    bool             whole = uses(intake, "thread") || uses(intake, "cache_diagnosis");

    if (dialect == GH_HUB_DIALECTS || gh_endpoint_counts(intake->endpoint) || (!gh_hub_traits(dialect)->walked && !keeps(intake))) {
        return NULL;
    }

    return whole ? gh_hub_rows[dialect]->kept[stream] : gh_hub_rows[dialect]->ids[stream];
}

void
gh_ids_init(gh_ids_t *w, const gh_ids_shape_t *shape, bool stream, const gh_ids_owner_t *owner, gh_ids_event_fn event)
{
    memset(w, 0, offsetof(gh_ids_t, code));
    w->owner = *owner;
    w->root = shape;
    w->event = event;
    w->stream = stream;
    for (unsigned i = 0; i < GH_IDS_KNOWN; i++) {
        w->known[i].id_len = 0;
    }
    gh_ids_json_begin(w);
}

static void
event_end(gh_ids_t *w)
{
    w->in_event = false;
    if (w->event != NULL) {
        w->event(w);
    }
}

enum { L_START = 0, L_FIELD, L_SPACE, L_DATA, L_OTHER };

static const char *
line_stop(const char *p, const char *end)
{
    while (p < end && *p != '\n' && *p != '\r') {
        p++;
    }
    return p;
}

/* A line has ended, or nothing stood in it. */
static void
line_end(gh_ids_t *w, bool empty)
{
    if (empty && w->in_event) {
        event_end(w);
    }
    w->line = L_START;
}

static void
field_byte(gh_ids_t *w, char c)
{
    if (c == ':') {
        if (w->field_len == 4 && memcmp(w->field, "data", 4) == 0) {
            if (!w->in_event) {
                gh_ids_json_begin(w);
                w->in_event = true;
            }
            w->line = L_SPACE;
        } else {
            w->line = L_OTHER;     /* "event" says what "type" does; a comment has no name */
        }
    } else if (w->field_len < sizeof(w->field)) {
        w->field[w->field_len++] = c;
    }
}

static void
stream_feed(gh_ids_output_t *o, const char *p, const char *end)
{
    gh_ids_t   *w = o->w;
    const char *stop;

    while (p < end) {
        if (w->after_cr) {
            w->after_cr = false;
            if (*p == '\n') {
                p++;
                continue;
            }
        }
        if (*p == '\n' || *p == '\r') {
            if (w->holding) {
                o->run = p;        /* no string of JSON goes over a line's end */
                gh_ids_release(o, false);
            }
            w->after_cr = *p == '\r';
            line_end(w, w->line == L_START);
            p++;
            continue;
        }
        switch (w->line) {
        case L_START:
            w->line = L_FIELD;
            w->field_len = 0;
            /* fall through */
        case L_FIELD:
            if ((unsigned char) *p < 0x80 || w->field_len != 0) {
                field_byte(w, *p);
            }
            p++;
            break;
        case L_SPACE:
            w->line = L_DATA;
            p += *p == ' ';
            break;
        default:
            stop = line_stop(p, end);
            if (w->line == L_DATA) {
                gh_ids_json(o, p, stop);
            }
            p = stop;
        }
    }
}

void
gh_ids_feed(gh_ids_t *w, const char *data, size_t len, gh_stream_out_fn out, void *context)
{
    gh_ids_output_t o = { w, out, context, data };

    if (w->stream) {
        stream_feed(&o, data, data + len);
    } else {
        gh_ids_json(&o, data, data + len);
    }
    if (!w->holding) {
        gh_ids_output_to(&o, data + len);
    }
}

void
gh_ids_finish(gh_ids_t *w, gh_stream_out_fn out, void *context)
{
    gh_ids_output_t o = { w, out, context, NULL };

    if (w->holding) {
        gh_ids_release(&o, false);
    }
    if (w->stream && w->in_event) {
        event_end(w);
    }
}

bool
gh_ids_inside(const gh_ids_t *w)
{
    return w->stream && (w->line != L_START || w->in_event);
}
