/* The walk over one JSON value of an answer: members that its shape names are read, and of them ids are replaced. */
#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/ids_walk.h"
#include "policy/base/find.h"

#include <string.h>

void
gh_ids_json_begin(gh_ids_t *w)
{
    w->state = J_VALUE;
    w->depth = 0;
    w->skip = 0;
    w->string = false;
    w->escape = false;
    w->unicode = 0;
    w->capturing = false;
    w->action = INTO;
    w->kind = 0;
    w->shape = w->root;
    w->type_len = 0;
    w->code_len = w->keep_code ? w->code_len : 0;
    w->delta = false;
    w->failed = false;
}

static void
output_bytes(gh_ids_output_t *o, const char *data, size_t len)
{
    if (o->out != NULL && len != 0) {
        o->out(o->context, data, len);
    }
}

void
gh_ids_output_to(gh_ids_output_t *o, const char *end)
{
    output_bytes(o, o->run, (size_t) (end - o->run));
    o->run = end;
}

/* The id that is held, as clients get it. */
static gh_str_t
given_out(gh_ids_t *w)
{
    gh_str_t    id = { w->hold, w->hold_len };
    gh_handle_t handle = { .kind = (gh_handle_kind_t) w->kind, .tenant_uid = w->owner.tenant_uid, .deployment = w->owner.deployment,
        .model = w->owner.model, .id = id, .session = w->owner.session };
    size_t      len;
    unsigned    i;

    for (i = 0; i < GH_IDS_KNOWN; i++) {
        if (w->known[i].kind == w->kind && gh_str_eq(id, (gh_str_t) { w->known[i].id, w->known[i].id_len })) {
            return (gh_str_t) { w->known[i].text, w->known[i].text_len };
        }
    }

    for (i = 0; i < w->owner.opened_count; i++) {
        const gh_intake_opened_t *opened = &w->owner.opened[i];

        if (opened->kind == handle.kind && gh_str_eq(id, opened->id) && gh_str_eq(w->owner.deployment, opened->deployment)) {
            return opened->text;
        }
    }

    len = gh_handle_write(w->owner.handles, &handle, w->text, sizeof(w->text));
    if (len == 0) {
        return id;                 /* its parts are bounded, and the hash failed: the provider's own is of no use to the client */
    }
    if (id.len <= GH_IDS_ID && len <= GH_IDS_TEXT) {
        i = w->oldest;
        w->oldest = (i + 1) % GH_IDS_KNOWN;
        w->known[i].kind = w->kind;
        w->known[i].id_len = id.len;
        w->known[i].text_len = len;
        memcpy(w->known[i].id, id.data, id.len);
        memcpy(w->known[i].text, w->text, len);
    }

    return (gh_str_t) { w->text, len };
}

/* An id longer than any, or written with escapes, is none that was given out: it passes. */
void
gh_ids_release(gh_ids_output_t *o, bool whole)
{
    gh_ids_t *w = o->w;
    gh_str_t  text = { w->hold, w->hold_len };

    if (whole && w->hold_len != 0 && !w->held_escape) {
        if (w->action == OWN_ID && w->id_len == 0) {
            memcpy(w->id, text.data, text.len);
            w->id_len = text.len;
        }
        text = given_out(w);
    }
    output_bytes(o, text.data, text.len);
    w->holding = false;
}

static void
string_begin(gh_ids_output_t *o, const char *p)
{
    gh_ids_t *w = o->w;

    w->string = true;
    w->escape = false;
    w->unicode = 0;
    w->word_len = 0;
    if (w->skip == 0 && !w->key && (w->action == ID || w->action == OWN_ID) && w->owner.handles != NULL) {
        gh_ids_output_to(o, p + 1);
        w->holding = true;
        w->held_escape = false;
        w->hold_len = 0;
    }
}

static bool
counts(const gh_ids_t *w)
{
    return w->skip == 0 && !w->key && w->action == (w->stream ? DELTA : TEXT);
}

static void
word_add(gh_ids_t *w, const char *data, size_t len)
{
    size_t room = w->word_len < GH_IDS_WORD ? GH_IDS_WORD - w->word_len : 0;

    if (w->skip == 0 && w->word_len <= GH_IDS_WORD) {
        memcpy(w->word + w->word_len, data, len < room ? len : room);
        w->word_len += len < room ? len : room + 1;
    }
}

/* Plain bytes of a string, none of them a quote or a backslash. */
static void
string_bytes(gh_ids_output_t *o, const char *data, size_t len)
{
    gh_ids_t *w = o->w;

    if (w->holding) {
        if (len > GH_HANDLE_ID_MAX - w->hold_len) {
            o->run = data;
            gh_ids_release(o, false);
            return;
        }
        memcpy(w->hold + w->hold_len, data, len);
        w->hold_len += len;
        o->run = data + len;
        return;
    }
    if (counts(w)) {
        w->content_bytes += len;
        w->delta |= len != 0;
        return;
    }
    word_add(w, data, len);
}

static void
string_escape(gh_ids_output_t *o, const char *p)
{
    gh_ids_t *w = o->w;

    if (w->holding) {
        w->held_escape = true;
        string_bytes(o, p, 1);
    } else {
        word_add(w, p, 1);
    }
    if (w->unicode != 0) {
        w->unicode--;
    } else if (!w->escape) {
        w->escape = true;
    } else {
        w->escape = false;
        w->unicode = *p == 'u' ? 4 : 0;
        if (counts(w)) {
            w->content_bytes += *p == 'u' ? 3 : 1;
            w->delta = true;
        }
    }
}

static void
find_member(gh_ids_t *w)
{
    const gh_ids_shape_t *shape = w->frame[w->depth - 1].shape;
    gh_str_t       name = { w->word, w->word_len };

    w->action = PASS;
    w->shape = NULL;
    for (size_t i = 0; shape != NULL && i < shape->count && name.len <= GH_IDS_WORD; i++) {
        if (shape->members[i].name.len == 0 || gh_str_eq(shape->members[i].name, name)) {
            w->action = shape->members[i].action;
            w->kind = shape->members[i].kind;
            w->shape = shape->members[i].shape;
            return;
        }
    }
}

static void
string_end(gh_ids_output_t *o, const char *p)
{
    gh_ids_t *w = o->w;

    w->string = false;
    if (w->holding) {
        o->run = p;
        gh_ids_release(o, true);
    }
    if (w->skip != 0) {
        return;
    }
    if (w->key) {
        w->key = false;
        find_member(w);
        w->state = J_COLON;
        return;
    }
    if (w->word_len <= GH_IDS_WORD && w->action == TYPE) {
        memcpy(w->type, w->word, w->word_len);
        w->type_len = w->word_len;
    } else if (w->word_len <= GH_IDS_WORD && w->action == CODE && w->word_len != 0) {
        memcpy(w->code, w->word, w->word_len);
        w->code_len = w->word_len;
    }
    if (w->action == STATUS && w->word_len <= GH_IDS_STATUS) {
        memcpy(w->status, w->word, w->word_len);
        w->status_len = w->word_len;
    }
    w->failed |= w->action == ERROR;
    w->state = J_NEXT;
}

/* An object or an array as a value. */
static void
value_open(gh_ids_t *w, bool array)
{
    w->failed |= w->action == ERROR;
    if ((w->action != INTO && w->action != ERROR && w->action != ID) || (!array && w->shape == NULL) || w->depth == GH_IDS_DEPTH) {
        w->skip = 1;
        w->capturing = w->action == USAGE && !array;
        w->capture_len = 0;
        return;
    }
    w->frame[w->depth++] = (gh_ids_frame_t) { w->shape, w->action, w->kind, array };
    w->state = array ? J_VALUE : J_KEY;
}

static void
capture(gh_ids_t *w, const char *data, size_t len)
{
    size_t room = w->capture_len < GH_USAGE_MAX ? GH_USAGE_MAX - w->capture_len : 0;

    if (w->capture_len <= GH_USAGE_MAX) {
        memcpy(w->capture + w->capture_len, data, len < room ? len : room);
        w->capture_len += len < room ? len : room + 1;
    }
}

static void
capture_end(gh_ids_t *w)
{
    gh_usage_t usage;

    w->capturing = false;
    memset(&usage, 0, sizeof(usage));
    if (w->capture_len <= GH_USAGE_MAX) {
        (void) gh_hub_counts_read((gh_str_t) { w->capture, w->capture_len }, &usage);
    }
    if (usage.reported) {
        w->usage = usage;
        w->usage_seen = true;
    }
}

static void
value_next(gh_ids_t *w)
{
    w->state = w->depth != 0 ? J_NEXT : J_END;
}

static void
frame_close(gh_ids_t *w)
{
    w->depth--;
    value_next(w);
}

/* One byte that is in no string. */
static void
json_byte(gh_ids_t *w, char c)
{
    gh_ids_frame_t *frame = w->depth != 0 ? &w->frame[w->depth - 1] : NULL;

    if (w->skip != 0) {
        w->skip += c == '{' || c == '[';
        w->skip -= c == '}' || c == ']';
        if (w->skip == 0) {
            value_next(w);
        }
        return;
    }
    if (c == '}' || c == ']') {
        if (frame != NULL) {
            frame_close(w);
        } else {
            w->state = J_END;
        }
    } else if (c == ',' && frame != NULL) {
        w->state = frame->array ? J_VALUE : J_KEY;
        w->action = frame->action;
        w->kind = frame->kind;
        w->shape = frame->shape;
    } else if (c == ':' && w->state == J_COLON) {
        w->state = J_VALUE;
    } else if (w->state == J_VALUE && (c == '{' || c == '[')) {
        value_open(w, c == '[');
    } else if (w->state == J_VALUE && c != ' ' && c != '\t' && c != '\r' && c != '\n') {
        w->state = J_PRIMITIVE;
    }
}

/* Bytes of one JSON value. */
void
gh_ids_json(gh_ids_output_t *o, const char *p, const char *end)
{
    gh_ids_t   *w = o->w;
    const char *from = p, *stop;

    while (p < end) {
        if (w->string) {
            if (w->escape || w->unicode != 0) {
                string_escape(o, p++);
                continue;
            }
            stop = gh_find_quote(p, end);
            if (stop != p) {
                string_bytes(o, p, (size_t) (stop - p));
            }
            p = stop;
            if (p == end) {
                break;
            }
            if (*p == '\\') {
                string_escape(o, p);
            } else {
                string_end(o, p);
            }
            p++;
            continue;
        }
        if (*p == '"') {
            w->key = w->skip == 0 && w->state == J_KEY;
            string_begin(o, p);
        } else {
            bool capturing = w->capturing;

            json_byte(w, *p);
            if (!capturing && w->capturing) {
                from = p;
            } else if (capturing && w->skip == 0) {
                capture(w, from, (size_t) (p + 1 - from));
                capture_end(w);
            }
        }
        p++;
    }
    if (w->capturing) {
        capture(w, from, (size_t) (end - from));
    }
}
