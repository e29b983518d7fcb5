#include "ngx_module/wire/wire.h"

#include <string.h>

#define PATH(literal) { literal, sizeof(literal) - 1 }

/* Where a row's path is served. */
enum { V1 = 1, OPENAI_V1 = 2, DEPLOYMENT = 4, CLASSIC = 8, ANTHROPIC = 16, BEDROCK = 32 };

/* Of the rows of policy/base/dialects.h. */
enum {
    AT_OPENAI = V1 | OPENAI_V1 | DEPLOYMENT, AT_RESPONSES = V1 | OPENAI_V1 | CLASSIC, AT_ANTHROPIC = V1 | ANTHROPIC, AT_BEDROCK = BEDROCK
};

#define NAMED (DEPLOYMENT | BEDROCK)   /* the model, or the deployment, and a "/" follow */

static const struct {
    gh_str_t         path;
    unsigned         mount;
    gh_hub_dialect_t client;      /* of what is not served there */
} mounts[] = {
    { PATH("/v1/"), V1, GH_HUB_CHAT },
    { PATH("/openai/v1/"), OPENAI_V1, GH_HUB_CHAT },
    { PATH("/openai/deployments/"), DEPLOYMENT, GH_HUB_CHAT },
    { PATH("/openai/"), CLASSIC, GH_HUB_CHAT },
    { PATH("/anthropic/v1/"), ANTHROPIC, GH_HUB_MESSAGES },
    { PATH("/model/"), BEDROCK, GH_HUB_CONVERSE },
};

/*
 * Rows of one path stand together, one for each method. They are served once their bodies can be read (gh_intake_reads). A path that ends in "/" is
 * followed by a name; of KEPT it is an id, without a "/", and what `kept` has behind it. GH_ENDPOINTS: not served, and no id.
 */
static const struct {
    gh_str_t           path;
    unsigned           mounts;
    const char        *method;
    const char        *allow;     /* every method of this path */
    gh_url_operation_t operation;
    gh_endpoint_t      endpoint;
    gh_hub_dialect_t   client;
    bool               stream;
    gh_operation_t     kept;
} rows[] = {
#define E(name, word, api, client, form, open, fields, mounts, path, stream, traits, to) \
    { PATH(path), AT_##mounts, "POST", "POST", GH_URL_CREATE, GH_ENDPOINT_##name, GH_HUB_##client, false, GH_OPERATION_CREATE }, \
    { PATH(stream), sizeof(stream) > 1 ? AT_##mounts : 0, "POST", "POST", GH_URL_CREATE, GH_ENDPOINT_##name, GH_HUB_##client, true, GH_OPERATION_CREATE },
    GH_ENDPOINT_ROWS(E)
#undef E
    { PATH("responses/compact"), AT_RESPONSES, "POST", "POST", GH_URL_CREATE, GH_ENDPOINTS, GH_HUB_RESPONSES, false, GH_OPERATION_CREATE },
    { PATH("responses/input_tokens"), AT_RESPONSES, "POST", "POST", GH_URL_CREATE, GH_ENDPOINTS, GH_HUB_RESPONSES, false, GH_OPERATION_CREATE },
    { PATH("responses/"), AT_RESPONSES, "GET", "GET, DELETE", GH_URL_KEPT, GH_ENDPOINT_RESPONSES, GH_HUB_RESPONSES, false, GH_OPERATION_RETRIEVE },
    { PATH("responses/"), AT_RESPONSES, "DELETE", "GET, DELETE", GH_URL_KEPT, GH_ENDPOINT_RESPONSES, GH_HUB_RESPONSES, false, GH_OPERATION_DELETE },
    { PATH("responses/"), AT_RESPONSES, "POST", "POST", GH_URL_KEPT, GH_ENDPOINT_RESPONSES, GH_HUB_RESPONSES, false, GH_OPERATION_CANCEL },
    { PATH("responses/"), AT_RESPONSES, "GET", "GET", GH_URL_KEPT, GH_ENDPOINT_RESPONSES, GH_HUB_RESPONSES, false, GH_OPERATION_INPUT_ITEMS },
    { PATH("models"), V1 | OPENAI_V1 | CLASSIC, "GET", "GET", GH_URL_MODELS, GH_ENDPOINTS, GH_HUB_CHAT, false, GH_OPERATION_CREATE },
    { PATH("models/"), V1 | OPENAI_V1 | CLASSIC, "GET", "GET", GH_URL_MODEL, GH_ENDPOINTS, GH_HUB_CHAT, false, GH_OPERATION_CREATE },
};

#define MOUNTS (sizeof(mounts) / sizeof(mounts[0]))
#define ROWS   (sizeof(rows) / sizeof(rows[0]))

const char *const gh_url_behind_id[GH_OPERATIONS] = {
    [GH_OPERATION_CREATE] = "",
    [GH_OPERATION_RETRIEVE] = "",
    [GH_OPERATION_CANCEL] = "/cancel",
    [GH_OPERATION_DELETE] = "",
    [GH_OPERATION_INPUT_ITEMS] = "/input_items",
};

static int
hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What it may be is what a model's name in a body may be. */
int
gh_url_name(gh_arena_t *arena, gh_str_t raw, gh_str_t *name, gh_error_t *error)
{
    return gh_url_text(arena, raw, GH_URL_NAME_MAX, name, error);
}

int
gh_url_text(gh_arena_t *arena, gh_str_t raw, size_t most, gh_str_t *name, gh_error_t *error)
{
    char  *p;
    size_t i;

    if (raw.len > most * 3) {
        return gh_error_set(error, "invalid_request", "a name in the URL is longer than %zu bytes", most);
    }

    p = gh_arena_alloc(arena, raw.len + 1);
    if (p == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    *name = (gh_str_t) { p, 0 };
    for (i = 0; i < raw.len; i++) {
        if (raw.data[i] != '%') {
            *p = raw.data[i];
        } else if (raw.len - i < 3 || hex_value(raw.data[i + 1]) < 0 || hex_value(raw.data[i + 2]) < 0) {
            return gh_error_set(error, "invalid_request", "a name in the URL is not percent-encoded");
        } else {
            *p = (char) (hex_value(raw.data[i + 1]) << 4 | hex_value(raw.data[i + 2]));
            i += 2;
        }

        if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            return gh_error_set(error, "invalid_request", "a name in the URL has a control character");
        }
        p++;
    }

    name->len = (size_t) (p - name->data);
    if (name->len == 0 || name->len > most || !gh_utf8_valid(*name)) {
        return gh_error_set(error, "invalid_request", "a name in the URL must be 1 to %zu bytes of UTF-8", most);
    }

    return GH_OK;
}

static gh_str_t
str_from(gh_str_t s, size_t begin)
{
    return (gh_str_t) { s.data + begin, s.len - begin };
}

/* Would nginx leave a path with this name in it as it is? It resolves "." and ".." between slashes, which may have been encoded, and merges "//". */
static bool
name_stays(gh_str_t name)
{
    const char *slash;
    gh_str_t    rest = name, step;

    for ( ;; ) {
        slash = rest.len != 0 ? memchr(rest.data, '/', rest.len) : NULL;
        step = (gh_str_t) { rest.data, slash != NULL ? (size_t) (slash - rest.data) : rest.len };

        if (step.len == 0 || gh_str_is(step, ".") || gh_str_is(step, "..")) {
            return false;
        }
        if (slash == NULL) {
            return true;
        }
        rest = str_from(rest, step.len + 1);
    }
}

/* Is served what was sent? name: the one in the path, as it was sent and decoded; raw.data NULL: none. */
static bool
same_path(gh_str_t path, gh_str_t raw, gh_str_t name, gh_str_t served)
{
    size_t   before;
    gh_str_t after;

    if (served.data == NULL) {
        return raw.data == NULL || name_stays(name);
    }

    if (raw.data == NULL) {
        return gh_str_eq(path, served);
    }

    before = (size_t) (raw.data - path.data);
    after = str_from(path, before + raw.len);

    return served.len == before + name.len + after.len
           && memcmp(served.data, path.data, before) == 0
           && memcmp(served.data + before, name.data, name.len) == 0
           && (after.len == 0 || memcmp(served.data + before + name.len, after.data, after.len) == 0);
}

/* Is it the row's path? *name: the name that it ends in. */
static bool
row_fits(size_t row, gh_str_t rest, gh_str_t *name)
{
    gh_str_t path = rows[row].path, behind = gh_str_from(gh_url_behind_id[rows[row].kept]), id;

    if (!gh_str_starts(rest, path)) {
        return false;
    }
    if (path.data[path.len - 1] != '/') {
        return rest.len == path.len;
    }
    id = str_from(rest, path.len);
    if (rows[row].operation == GH_URL_KEPT) {
        if (id.len <= behind.len || memcmp(id.data + id.len - behind.len, behind.data, behind.len) != 0) {
            return false;
        }
        id.len -= behind.len;
        if (memchr(id.data, '/', id.len) != NULL) {
            return false;
        }
    }
    *name = id;

    return id.len != 0;
}

/* The row of what follows a mount; ROWS: none. *name: what follows the row's path. With another method: a row of the same path, and *allowed is false. */
static size_t
find_row(unsigned mount, gh_str_t rest, gh_str_t method, gh_str_t *name, bool *allowed)
{
    size_t i, found = ROWS;

    *allowed = false;

    for (i = 0; i < ROWS; i++) {
        if ((rows[i].mounts & mount) == 0 || !row_fits(i, rest, name)) {
            continue;
        }

        found = i;
        if (gh_str_is(method, rows[i].method)) {
            *allowed = true;
            break;
        }
    }

    return found;
}

static int
unknown(gh_error_t *error)
{
    return gh_error_set(error, "unknown_endpoint", "There is no such endpoint.");
}

int
gh_url_read(gh_arena_t *arena, gh_str_t method, gh_str_t target, gh_str_t served, gh_url_t *url, gh_error_t *error)
{
    gh_str_t    path = target, rest, raw = { NULL, 0 }, *named;
    const char *p;
    bool        allowed;
    size_t      i, row;

    memset(url, 0, sizeof(*url));
    url->endpoint = GH_ENDPOINTS;
    url->client = GH_HUB_CHAT;

    p = target.len != 0 ? memchr(target.data, '?', target.len) : NULL;
    if (p != NULL) {
        path.len = (size_t) (p - target.data);
        url->query = str_from(target, path.len + 1);
    }

    for (i = 0; i < MOUNTS && !gh_str_starts(path, mounts[i].path); i++) { }
    if (i == MOUNTS) {
        return unknown(error);
    }

    url->client = mounts[i].client;
    rest = str_from(path, mounts[i].path.len);

    if ((mounts[i].mount & NAMED) != 0) {
        p = rest.len != 0 ? memchr(rest.data, '/', rest.len) : NULL;
        if (p == NULL) {
            return unknown(error);
        }
        raw = (gh_str_t) { rest.data, (size_t) (p - rest.data) };
        rest = str_from(rest, raw.len + 1);
    }

    row = find_row(mounts[i].mount, rest, method, &raw, &allowed);
    if (row == ROWS || (rows[row].operation == GH_URL_CREATE && !gh_intake_reads(rows[row].endpoint))) {
        return unknown(error);
    }

    url->operation = rows[row].operation;
    url->endpoint = rows[row].endpoint;
    url->client = rows[row].client;
    url->stream = rows[row].stream;
    url->allow = rows[row].allow;
    url->kept = rows[row].kept;

    named = url->operation == GH_URL_KEPT ? &url->id : &url->model;
    if (raw.data != NULL && gh_url_text(arena, raw, named == &url->id ? GH_HANDLE_MAX : GH_URL_NAME_MAX, named, error) != GH_OK) {
        return GH_ERROR;
    }

    if (!same_path(path, raw, *named, served)) {
        return unknown(error);
    }

    if (!allowed) {
        return gh_error_set(error, "method_not_allowed", "This endpoint takes %s.", url->allow);
    }

    return GH_OK;
}

bool
gh_url_next_parameter(gh_str_t *rest, gh_str_t *name, gh_str_t *value)
{
    const char *p, *end;
    gh_str_t    one;

    while (rest->len != 0) {
        end = memchr(rest->data, '&', rest->len);
        one = (gh_str_t) { rest->data, end != NULL ? (size_t) (end - rest->data) : rest->len };
        *rest = str_from(*rest, end != NULL ? one.len + 1 : one.len);
        if (one.len == 0) {
            continue;
        }

        p = memchr(one.data, '=', one.len);
        *name = (gh_str_t) { one.data, p != NULL ? (size_t) (p - one.data) : one.len };
        *value = p != NULL ? str_from(one, name->len + 1) : (gh_str_t) { NULL, 0 };
        return true;
    }

    return false;
}

bool
gh_url_parameter(gh_str_t query, gh_str_t name, gh_str_t *value)
{
    gh_str_t rest = query, found;

    while (gh_url_next_parameter(&rest, &found, value)) {
        if (gh_str_eq(found, name) && value->data != NULL) {
            return true;
        }
    }

    return false;
}
