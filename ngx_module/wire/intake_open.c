/*
 * The ids of a request's body, opened: what was given out here becomes the provider's own id again, and says which deployment the request is tied to.
 * Then the body is read anew, so that offsets are those of what is sent.
 */
#include <string.h>

#include "ngx_module/wire/intake_reader.h"

typedef struct {
    size_t   offset, length;
    gh_str_t text;
} edit_t;

static edit_t
left_out(gh_str_t body, const gh_intake_handle_t *handle)
{
    size_t begin = handle->member, end = handle->offset + handle->length;

    gh_intake_member(body, &begin, &end);
    return (edit_t) { begin, end - begin, GH_STR("") };
}

/* Providers' ids are letters, digits, "_" and "-": another is written with its escapes. */
static gh_str_t
quoted(gh_arena_t *arena, gh_str_t id)
{
    gh_json_writer_t w;
    size_t           size = id.len * 6 + 2;
    char            *text = gh_arena_alloc(arena, size);

    if (text == NULL) {
        return (gh_str_t) { NULL, 0 };
    }
    gh_json_writer_init(&w, text, size);
    gh_json_string(&w, id);
    return (gh_str_t) { text, w.len };
}

static int
no_memory(gh_error_t *error)
{
    return gh_error_set(error, "no_memory", "out of memory");
}

static int
pin(gh_arena_t *arena, gh_intake_t *intake, const gh_intake_handle_t *handle, gh_str_t deployment, gh_error_t *error)
{
    if (intake->pin.deployment.len != 0) {
        return gh_str_eq(intake->pin.deployment, deployment) ? GH_OK
            : gh_error_set(error, "state_elsewhere", "%.*s and %.*s are not kept in one place: a request can use what one deployment keeps",
                GH_STR_ARG(intake->pin.where), GH_STR_ARG(handle->where));
    }

    intake->pin.deployment = gh_str_copy(arena, deployment);
    intake->pin.where = handle->where;
    return intake->pin.deployment.data != NULL ? GH_OK : no_memory(error);
}

static int
open_one(gh_arena_t *arena, gh_handles_t *handles, uint64_t tenant_uid, gh_intake_t *intake, gh_str_t body, const gh_intake_handle_t *handle,
    edit_t *edit, gh_error_t *error)
{
    char        buffer[GH_HANDLE_MAX];
    gh_handle_t opened;
    gh_error_t  why;

    if (gh_handle_read(handles, handle->text, handle->kind, tenant_uid, buffer, &opened, &why) != GH_OK) {
        if (handle->required || handle->member == 0 || strcmp(why.code, "handle_unknown") != 0) {
            intake->unopened = (gh_intake_unopened_t) { why.code, handle->where, gh_str_copy(arena, opened.deployment) };
            return gh_error_set(error, "state_not_found", "%.*s names no %s that was given out here", GH_STR_ARG(handle->where),
                gh_handle_kind_names[handle->kind]);
        }
        if (gh_intake_is_translated(handle->text)) {
            /* it has no state: a deployment that it is translated for again reads it as it stands */
            intake->translated = true;
            *edit = (edit_t) { handle->offset, handle->length, { body.data + handle->offset, handle->length } };
        } else {
            *edit = left_out(body, handle);
        }
        return GH_OK;
    }

    *edit = (edit_t) { handle->offset, handle->length, quoted(arena, opened.id) };
    if (edit->text.data == NULL || gh_intake_opened(arena, intake, intake->handle_count, &opened, handle->text) != GH_OK) {
        return no_memory(error);
    }
    return handle->pins ? pin(arena, intake, handle, opened.deployment, error) : GH_OK;
}

static gh_str_t
edited(gh_arena_t *arena, gh_str_t body, const edit_t *edits, uint32_t count)
{
    size_t   len = body.len, from = 0;
    gh_str_t out;
    char    *p;

    for (uint32_t i = 0; i < count; i++) {
        len += edits[i].text.len - edits[i].length;
    }
    p = gh_arena_alloc(arena, len);
    out = (gh_str_t) { p, len };
    for (uint32_t i = 0; p != NULL && i < count; i++) {
        memcpy(p, body.data + from, edits[i].offset - from);
        p += edits[i].offset - from;
        if (edits[i].text.len != 0) {
            memcpy(p, edits[i].text.data, edits[i].text.len);
            p += edits[i].text.len;
        }
        from = edits[i].offset + edits[i].length;
    }
    if (p != NULL) {
        memcpy(p, body.data + from, body.len - from);
    }

    return out;
}

int
gh_intake_open(gh_arena_t *arena, gh_handles_t *handles, uint64_t tenant_uid, const gh_url_t *url, gh_str_t *body, gh_intake_t *intake,
    gh_error_t *error)
{
    gh_intake_t before;
    edit_t     *edits;

    if (url->operation == GH_URL_KEPT) {
        return gh_intake_open_kept(arena, handles, tenant_uid, url->id, intake, error);
    }
    if (intake->handle_count == 0) {
        return GH_OK;
    }

    edits = gh_arena_array(arena, intake->handle_count, sizeof(*edits));
    if (edits == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; i < intake->handle_count; i++) {
        if (open_one(arena, handles, tenant_uid, intake, *body, &intake->handles[i], &edits[i], error) != GH_OK) {
            return GH_ERROR;
        }
    }

    *body = edited(arena, *body, edits, intake->handle_count);
    if (body->data == NULL) {
        return no_memory(error);
    }

    before = *intake;
    if (gh_intake_parse_url(arena, url, *body, intake, error) != GH_OK) {
        return GH_ERROR;
    }
    intake->pin = before.pin;
    intake->translated = before.translated;
    intake->body_bytes = before.body_bytes;
    intake->opened = before.opened;
    intake->opened_count = before.opened_count;

    return GH_OK;
}
