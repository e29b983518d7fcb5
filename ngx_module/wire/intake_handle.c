/*
 * Ids of what a provider keeps, found where their field's row says HANDLE. Whether they were given out here is not for the intake to say: it has no
 * keys (intake_open.c).
 */
#include <string.h>

#include "ngx_module/wire/intake_reader.h"

#define PATH_TEXT 256

/* Room for one more; they double, so that what is given up is less than what is used. */
static gh_intake_handle_t *
handle_new(gh_intake_reader_t *r)
{
    gh_intake_t        *intake = r->intake;
    gh_intake_handle_t *more;
    uint32_t            count = intake->handle_count;

    if ((count & (count - 1)) == 0) {
        more = gh_arena_array(r->arena, count != 0 ? 2 * count : 1, sizeof(*more));
        if (more == NULL) {
            r->no_memory = true;
            return NULL;
        }
        if (count != 0) {
            memcpy(more, intake->handles, count * sizeof(*more));
        }
        intake->handles = more;
    }

    return &intake->handles[intake->handle_count++];
}

/* The string just read. */
static int
handle_string(gh_intake_reader_t *r, const gh_field_t *field, bool element)
{
    gh_intake_handle_t *handle;
    char                buffer[PATH_TEXT], text[GH_HANDLE_MAX];
    uint32_t            unbounded;

    if (r->intake->handle_count == GH_HANDLES_MAX) {
        return gh_intake_invalid(r, "is one id too many: at most 1024 in a request");
    }

    handle = handle_new(r);
    if (handle == NULL) {
        return GH_OK;
    }
    memset(handle, 0, sizeof(*handle));
    handle->kind = (gh_handle_kind_t) field->handle;
    handle->offset = r->json.token_offset;
    handle->length = r->json.token_end - r->json.token_offset;
    handle->member = element ? 0 : r->key_offset;
    handle->depth = r->depth;
    handle->own = field->own;
    handle->required = true;
    handle->pins = true;
    handle->where = gh_str_copy(r->arena, gh_intake_path(r, buffer, sizeof(buffer)));

    if (gh_json_token_decode(&r->json, text, sizeof(text), &handle->text) != GH_OK) {
        handle->text = GH_STR("");         /* longer than any */
    } else if (handle->text.data == text) {
        handle->text = gh_str_copy(r->arena, handle->text);
    }
    r->no_memory |= handle->where.data == NULL || handle->text.data == NULL;

    if (field->feature != NULL) {
        unbounded = r->intake->unbounded;
        gh_intake_use(r, field->feature);
        r->intake->unbounded += r->intake->unbounded == unbounded;   /* what is kept may be any length, more of it too */
    }
    r->intake->uninspected |= field->unread;

    return GH_OK;
}

static int
handle_array(gh_intake_reader_t *r, const gh_field_t *field)
{
    uint32_t i;

    for (i = 0; gh_json_next(&r->json) != GH_JSON_ARRAY_END; i++) {
        gh_intake_push(r, (gh_intake_step_t) { { NULL, 0 }, i });
        if (r->json.event != GH_JSON_STRING) {
            return gh_intake_refuse(r, "must be a string");
        }
        if (handle_string(r, field, true) != GH_OK) {
            return GH_ERROR;
        }
        gh_intake_pop(r);
    }

    return GH_OK;
}

/* An id in it turns the feature on with its own path. */
static int
handle_object(gh_intake_reader_t *r, const gh_field_t *field)
{
    if (gh_intake_object(r, field->table) != GH_OK) {
        return GH_ERROR;
    }
    if (field->whole) {
        gh_intake_use(r, field->feature);
    }

    return GH_OK;
}

int
gh_intake_handle(gh_intake_reader_t *r, const gh_field_t *field)
{
    switch (gh_json_next(&r->json)) {
    case GH_JSON_NULL:
        return GH_OK;
    case GH_JSON_STRING:
        return handle_string(r, field, false);
    case GH_JSON_ARRAY_BEGIN:
        return handle_array(r, field);
    case GH_JSON_OBJECT_BEGIN:
        if (field->table != NULL) {
            return handle_object(r, field);
        }
        break;
    default:
        break;
    }

    return gh_intake_refuse(r, "must be an id");
}

void
gh_intake_handles_typed(gh_intake_reader_t *r, uint32_t first)
{
    const gh_field_t   *type = r->type >= 0 ? &r->types->rows[r->type] : NULL;
    gh_intake_handle_t *handle;
    uint32_t            i;

    for (i = first; i < r->intake->handle_count; i++) {
        handle = &r->intake->handles[i];
        if (!handle->own || handle->depth != r->depth + 1) {
            continue;                      /* of an object inside */
        }
        handle->required = type == NULL || type->reference;
        handle->pins = type == NULL || type->state;
        if (handle->required) {
            gh_intake_use_add(r->intake, GH_STR("store"), handle->where);
            r->intake->uninspected = true;
            r->intake->unbounded++;
        }
    }
}
