#include <string.h>

#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/wire.h"
#include "policy/base/json_writer.h"

#define MODEL_BYTES 192   /* of one, its names (each byte six at most when it is escaped) not counted */

#define LIMIT_MAX   1000

/* When a model came out is not known here: Anthropic's API says the epoch then. */
#define CREATED_AT  "1970-01-01T00:00:00Z"

static void
put_model(gh_json_writer_t *w, gh_hub_dialect_t client, gh_str_t name)
{
    gh_json_begin_object(w);
    if (gh_hub_traits(client)->pages) {
        gh_json_kv_string(w, "type", GH_STR("model"));
        gh_json_kv_string(w, "id", name);
        gh_json_kv_string(w, "display_name", name);
        gh_json_kv_string(w, "created_at", GH_STR(CREATED_AT));
    } else {
        gh_json_kv_string(w, "id", name);
        gh_json_kv_string(w, "object", GH_STR("model"));
        gh_json_kv_u64(w, "created", 0);
        gh_json_kv_string(w, "owned_by", GH_STR("gatehouse"));
    }
    gh_json_end_object(w);
}

static void
put_id(gh_json_writer_t *w, const char *key, const gh_str_t *name)
{
    if (name != NULL) {
        gh_json_kv_string(w, key, *name);
    } else {
        gh_json_key(w, key);
        gh_json_null(w);
    }
}

/* The part of the list that is asked for. */
typedef struct {
    size_t first, end;   /* indexes */
    bool   more;         /* there are some beyond the limit */
} page_t;

static int
page_limit(gh_str_t query, size_t *limit, gh_error_t *error)
{
    gh_str_t value;
    size_t   i;

    *limit = SIZE_MAX;
    if (!gh_url_parameter(query, GH_STR("limit"), &value)) {
        return GH_OK;
    }

    for (*limit = 0, i = 0; i < value.len && *limit <= LIMIT_MAX && value.data[i] >= '0' && value.data[i] <= '9'; i++) {
        *limit = *limit * 10 + (size_t) (value.data[i] - '0');
    }

    return i == value.len && *limit >= 1 && *limit <= LIMIT_MAX ? GH_OK
           : gh_error_set(error, "invalid_request", "limit must be a number from 1 to %d", LIMIT_MAX);
}

/* The index of the model that a parameter names; *index stays when it is not there. */
static int
page_id(gh_arena_t *arena, gh_str_t query, gh_str_t parameter, const gh_str_t *names, size_t count, size_t *index, bool *found, gh_error_t *error)
{
    gh_str_t value, name;
    size_t   i;

    *found = gh_url_parameter(query, parameter, &value);
    if (!*found) {
        return GH_OK;
    }

    if (gh_url_name(arena, value, &name, error) != GH_OK) {
        return GH_ERROR;
    }

    for (i = 0; i < count && !gh_str_eq(names[i], name); i++) { }
    if (i == count) {
        return gh_error_set(error, "invalid_request", "%.*s is none of the models you may use", GH_STR_ARG(parameter));
    }

    *index = i;
    return GH_OK;
}

static int
page_read(gh_arena_t *arena, gh_str_t query, const gh_str_t *names, size_t count, page_t *page, gh_error_t *error)
{
    size_t limit;
    bool   after, before;

    page->first = 0;
    page->end = count;

    if (page_limit(query, &limit, error) != GH_OK
        || page_id(arena, query, GH_STR("after_id"), names, count, &page->first, &after, error) != GH_OK
        || page_id(arena, query, GH_STR("before_id"), names, count, &page->end, &before, error) != GH_OK)
    {
        return GH_ERROR;
    }

    page->first += after;
    if (page->first > page->end) {
        page->first = page->end;
    }

    page->more = page->end - page->first > limit;
    if (page->more && before && !after) {
        page->first = page->end - limit;
    } else if (page->more) {
        page->end = page->first + limit;
    }

    return GH_OK;
}

static void
put_list(gh_json_writer_t *w, gh_hub_dialect_t client, const gh_str_t *names, const page_t *page)
{
    bool   none = page->first == page->end;
    size_t i;

    gh_json_begin_object(w);
    if (!gh_hub_traits(client)->pages) {
        gh_json_kv_string(w, "object", GH_STR("list"));
    }
    gh_json_key(w, "data");
    gh_json_begin_array(w);
    for (i = page->first; i < page->end; i++) {
        put_model(w, client, names[i]);
    }
    gh_json_end_array(w);
    if (gh_hub_traits(client)->pages) {
        gh_json_kv_bool(w, "has_more", page->more);
        put_id(w, "first_id", none ? NULL : &names[page->first]);
        put_id(w, "last_id", none ? NULL : &names[page->end - 1]);
    }
    gh_json_end_object(w);
}

int
gh_models_write(gh_arena_t *arena, const gh_url_t *url, const gh_str_t *names, size_t count, gh_str_t *json, gh_error_t *error)
{
    gh_json_writer_t w;
    page_t           page = { 0, count, false };
    size_t           i, size = 2 * MODEL_BYTES;
    char            *buffer;

    if (url->operation == GH_URL_MODEL) {
        for (; page.first < count && !gh_str_eq(names[page.first], url->model); page.first++) { }
        if (page.first == count) {
            return gh_error_set(error, "model_not_found", "The model \"%.*s\" does not exist or is not yours to use.", GH_STR_ARG(url->model));
        }
        page.end = page.first + 1;
    } else if (gh_hub_traits(url->client)->pages && page_read(arena, url->query, names, count, &page, error) != GH_OK) {
        return GH_ERROR;
    }

    for (i = page.first; i < page.end; i++) {
        size += names[i].len * 12 + MODEL_BYTES;
        if (i == page.first || i + 1 == page.end) {
            size += names[i].len * 6;
        }
    }

    buffer = gh_arena_alloc(arena, size);
    if (buffer == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    gh_json_writer_init(&w, buffer, size);
    if (url->operation == GH_URL_MODEL) {
        put_model(&w, url->client, names[page.first]);
    } else {
        put_list(&w, url->client, names, &page);
    }

    if (!gh_json_writer_ok(&w)) {
        return gh_error_set(error, "no_memory", "the list of models does not fit");
    }

    *json = (gh_str_t) { buffer, w.len };
    return GH_OK;
}
