/*
 * A request about a response that a deployment keeps: what it asks stands in its URL, and it has no body. It is judged as one that uses what is kept
 * there; the id, and ids in its query, have to be ones that were given out here.
 *
 * Source: openai-python's resources/responses: retrieve, cancel, delete, input_items.
 */
#include <string.h>

#include "ngx_module/wire/fields.h"
#include "ngx_module/wire/intake_reader.h"

typedef enum { VALUE_INERT = 0, VALUE_FLAG, VALUE_STREAM, VALUE_NUMBER, VALUE_INCLUDE, VALUE_ITEM, VALUE_OURS } value_t;

#define AT(operation) (1u << GH_OPERATION_##operation)
#define AT_ALL        (AT(RETRIEVE) | AT(CANCEL) | AT(DELETE) | AT(INPUT_ITEMS))

static const struct {
    const char *name;
    unsigned    operations;
    value_t     value;
} known[] = {
    { "stream", AT(RETRIEVE), VALUE_STREAM },
    { "starting_after", AT(RETRIEVE), VALUE_NUMBER },
    { "include_obfuscation", AT(RETRIEVE), VALUE_FLAG },
    { "include", AT(RETRIEVE) | AT(INPUT_ITEMS), VALUE_INCLUDE },
    { "include[]", AT(RETRIEVE) | AT(INPUT_ITEMS), VALUE_INCLUDE },
    { "after", AT(INPUT_ITEMS), VALUE_ITEM },
    { "before", AT(INPUT_ITEMS), VALUE_ITEM },
    { "limit", AT(INPUT_ITEMS), VALUE_NUMBER },
    { "order", AT(INPUT_ITEMS), VALUE_INERT },
    { "api-version", AT_ALL, VALUE_OURS },      /* a deployment's own stands in fleet/1 */
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static int
invalid(gh_error_t *error, gh_str_t name, const char *expected)
{
    return gh_error_set(error, "invalid_request", "the parameter \"%.*s\" of the URL %s", GH_STR_ARG(name), expected);
}

static int
no_memory(gh_error_t *error)
{
    return gh_error_set(error, "no_memory", "out of memory");
}

static bool
is_number(gh_str_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
    }

    return value.len != 0 && value.len < 19;
}

/* What a body may say under the same name. */
static bool
is_includable(gh_str_t value)
{
    const gh_field_table_t *body = gh_body_tables[GH_ENDPOINT_RESPONSES];
    int                     row = gh_field_find(body, GH_STR("include"), GH_ENDPOINT_RESPONSES);

    for (const char *const *one = row >= 0 ? body->rows[row].values : NULL; one != NULL && *one != NULL; one++) {
        if (gh_str_is(value, *one)) {
            return true;
        }
    }

    return false;
}

/* Nobody knows it: a use with an empty name. */
static int
unknown(gh_arena_t *arena, gh_intake_t *intake, gh_str_t name, gh_error_t *error)
{
    gh_str_t where = gh_str_format(arena, "query %.*s", (int) (name.len < 64 ? name.len : 64), name.data);

    if (where.data == NULL) {
        return no_memory(error);
    }
    gh_intake_use_add(intake, GH_STR(""), where);

    return GH_OK;
}

static int
parameter(gh_arena_t *arena, gh_intake_t *intake, gh_intake_parameter_t *p, bool *kept, gh_error_t *error)
{
    size_t i;

    for (i = 0; i < KNOWN && !(gh_str_is(p->name, known[i].name) && known[i].operations >> intake->operation & 1); i++) { }
    if (i == KNOWN) {
        return unknown(arena, intake, p->name, error);
    }

    switch (known[i].value) {
    case VALUE_FLAG:
    case VALUE_STREAM:
        if (!gh_str_is(p->value, "true") && !gh_str_is(p->value, "false")) {
            return invalid(error, p->name, "must be true or false");
        }
        intake->stream |= known[i].value == VALUE_STREAM && gh_str_is(p->value, "true");
        break;
    case VALUE_NUMBER:
        if (!is_number(p->value)) {
            return invalid(error, p->name, "must be a number");
        }
        break;
    case VALUE_INCLUDE:
        if (!is_includable(p->value)) {
            return unknown(arena, intake, p->name, error);
        }
        break;
    case VALUE_ITEM:
        p->item = true;
        break;
    case VALUE_OURS:
        *kept = false;
        break;
    case VALUE_INERT:
        break;
    }

    return GH_OK;
}

/* Decoded, since what a deployment gets is written anew. "+" is one: no SDK writes a space so. */
static int
read_query(gh_arena_t *arena, gh_str_t query, gh_intake_t *intake, gh_error_t *error)
{
    gh_str_t              name, value;
    gh_intake_parameter_t one;
    bool                  kept;

    intake->parameters = gh_arena_array(arena, GH_PARAMETERS_MAX, sizeof(*intake->parameters));
    if (intake->parameters == NULL) {
        return no_memory(error);
    }

    while (gh_url_next_parameter(&query, &name, &value)) {
        memset(&one, 0, sizeof(one));
        if (gh_url_text(arena, name, GH_URL_NAME_MAX, &one.name, error) != GH_OK
            || (value.len != 0 && gh_url_text(arena, value, GH_HANDLE_MAX, &one.value, error) != GH_OK))
        {
            return GH_ERROR;
        }
        kept = true;
        if (parameter(arena, intake, &one, &kept, error) != GH_OK) {
            return GH_ERROR;
        }
        for (uint32_t i = 0; i < intake->parameter_count; i++) {
            if (gh_str_eq(intake->parameters[i].name, one.name) && !gh_str_starts(one.name, GH_STR("include"))) {
                return invalid(error, one.name, "stands twice");
            }
        }
        if (kept && intake->parameter_count == GH_PARAMETERS_MAX) {
            return invalid(error, one.name, "is one too many: at most 16");
        }
        if (kept) {
            intake->parameters[intake->parameter_count++] = one;
        }
    }

    return GH_OK;
}

int
gh_intake_kept(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    memset(intake, 0, sizeof(*intake));
    intake->endpoint = url->endpoint;
    intake->operation = url->kept;
    intake->body_bytes = body.len;
    intake->n = 1;
    intake->prompts = 1;

    body = gh_str_trim(body);
    if (body.len != 0 && !gh_str_is(body, "{}")) {
        return gh_error_set(error, "invalid_request", "this request takes no body");
    }

    /* ending what is kept is no use of it */
    if (intake->operation == GH_OPERATION_RETRIEVE || intake->operation == GH_OPERATION_INPUT_ITEMS) {
        gh_intake_use_add(intake, GH_STR("store"), GH_STR("path"));
    }

    return read_query(arena, url->query, intake, error);
}

/* An id that leads to where the response is kept. */
static int
open_one(gh_arena_t *arena, gh_handles_t *handles, uint64_t tenant_uid, gh_str_t text, gh_handle_kind_t kind, gh_str_t where, gh_intake_t *intake,
    gh_handle_t *opened, char *buffer, gh_error_t *error)
{
    gh_error_t why;

    if (gh_handle_read(handles, text, kind, tenant_uid, buffer, opened, &why) == GH_OK
        && (intake->pin.deployment.len == 0 || gh_str_eq(intake->pin.deployment, opened->deployment)))
    {
        return GH_OK;
    }

    intake->unopened.code = opened->id.len != 0 ? "handle_elsewhere" : why.code;
    intake->unopened.where = where;
    intake->unopened.deployment = gh_str_copy(arena, opened->deployment);
    return gh_error_set(error, "state_not_found", "%.*s names no %s that was given out here", GH_STR_ARG(where), gh_handle_kind_names[kind]);
}

int
gh_intake_open_kept(gh_arena_t *arena, gh_handles_t *handles, uint64_t tenant_uid, gh_str_t id, gh_intake_t *intake, gh_error_t *error)
{
    char        buffer[GH_HANDLE_MAX];
    gh_handle_t opened;

    if (open_one(arena, handles, tenant_uid, id, GH_HANDLE_RESPONSE, GH_STR("path"), intake, &opened, buffer, error) != GH_OK) {
        return GH_ERROR;
    }
    intake->kept = gh_str_copy(arena, opened.id);
    intake->model = gh_str_copy(arena, opened.model);
    intake->pin.deployment = gh_str_copy(arena, opened.deployment);
    intake->pin.where = GH_STR("path");
    if (intake->kept.data == NULL || intake->model.data == NULL || intake->pin.deployment.data == NULL
        || gh_intake_opened(arena, intake, 1 + intake->parameter_count, &opened, id) != GH_OK)
    {
        return no_memory(error);
    }

    for (uint32_t i = 0; i < intake->parameter_count; i++) {
        gh_intake_parameter_t *p = &intake->parameters[i];
        gh_str_t               where;

        if (!p->item) {
            continue;
        }
        where = gh_str_format(arena, "query %.*s", GH_STR_ARG(p->name));
        if (where.data == NULL) {
            return no_memory(error);
        }
        if (open_one(arena, handles, tenant_uid, p->value, GH_HANDLE_ITEM, where, intake, &opened, buffer, error) != GH_OK) {
            return GH_ERROR;
        }
        p->value = gh_str_copy(arena, opened.id);
        if (p->value.data == NULL) {
            return no_memory(error);
        }
    }

    return GH_OK;
}
