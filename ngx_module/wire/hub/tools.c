/* What requests say of tools beside the tools themselves: which of them may be called, and which calls were given a text. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/read.h"

int
gh_hub_read_mode(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_str_t          mode;

    if (gh_hub_string(r, &mode) != GH_OK) {
        return GH_ERROR;
    }
    if (!gh_hub_is(mode, "auto") && !gh_hub_is(mode, "required")) {
        return gh_hub_invalid(r, "must be auto or required");
    }
    request->choice = gh_hub_is(mode, "auto") ? GH_HUB_CHOICE_AUTO : GH_HUB_CHOICE_REQUIRED;

    return GH_OK;
}

int
gh_hub_allow(gh_hub_reader_t *r, gh_hub_request_t *request, gh_str_t name)
{
    gh_hub_name_t *allowed = gh_hub_new(r, sizeof(gh_hub_name_t));

    if (allowed == NULL) {
        return GH_ERROR;
    }
    allowed->name = name;
    allowed->next = request->allowed;
    request->allowed = allowed;
    request->some_tools = true;

    return GH_OK;
}

int
gh_hub_read_callers(gh_hub_reader_t *r, void *object)
{
    int status;

    (void) object;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }
    while (gh_hub_string_element(r, &status)) {
        if (!gh_json_token_is(&r->json, GH_STR("direct"))) {
            gh_hub_ask(r, GH_ASK_TOOL_DEFERRED);
        }
    }

    return status;
}

/* ---- names, sorted so that many of them are found quickly ---- */

typedef struct {
    gh_str_t       name;      /* decoded */
    gh_hub_tool_t *tool;      /* NULL: it is a call's id */
} named_t;

static int
by_name(const void *left, const void *right)
{
    const gh_str_t *a = &((const named_t *) left)->name, *b = &((const named_t *) right)->name;
    int             order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* Of that name, as it is written; NULL: none. */
static const named_t *
find(gh_hub_reader_t *r, gh_str_t escaped, const named_t *names, size_t count)
{
    named_t wanted = { gh_hub_decode(r->arena, escaped), NULL };

    return wanted.name.data != NULL && count != 0 ? bsearch(&wanted, names, count, sizeof(named_t), by_name) : NULL;
}

static named_t *
room(gh_hub_reader_t *r, size_t count)
{
    named_t *names = r->arena->alloc(r->arena, (count + 1) * sizeof(named_t));

    if (names == NULL) {
        (void) gh_hub_no_memory(r);
    }

    return names;
}

static int
settle_allowed(gh_hub_reader_t *r, gh_hub_request_t *request)
{
    gh_hub_name_t *allowed;
    gh_hub_tool_t *tool;
    const named_t *found;
    named_t       *names;
    size_t         count = 0;

    for (tool = request->tools; tool != NULL; tool = tool->next) {
        count++;
    }
    names = room(r, count);
    if (names == NULL) {
        return GH_ERROR;
    }

    count = 0;
    for (tool = request->tools; tool != NULL; tool = tool->next) {
        names[count] = (named_t) { gh_hub_decode(r->arena, tool->name), tool };
        if (names[count++].name.data == NULL) {
            return gh_hub_no_memory(r);
        }
    }
    qsort(names, count, sizeof(named_t), by_name);

    for (allowed = request->allowed; allowed != NULL; allowed = allowed->next) {
        found = find(r, allowed->name, names, count);
        if (found == NULL) {
            return gh_error_set(r->error, r->invalid, "tool_choice allows \"%.*s\", which is not among tools",
                (int) (allowed->name.len < 64 ? allowed->name.len : 64), allowed->name.data);
        }
        found->tool->allowed = true;
    }

    return GH_OK;
}

/* Chat completions have one kind of results: a result of a call that was given a text is known by the call's id. */
static int
settle_results(gh_hub_reader_t *r, gh_hub_request_t *request)
{
    gh_hub_message_t *message;
    gh_hub_part_t    *part;
    named_t          *ids;
    size_t            count = 0;

    for (message = request->messages; message != NULL; message = message->next) {
        for (part = message->parts; part != NULL; part = part->next) {
            count += part->kind == GH_HUB_TEXT_CALL;
        }
    }
    ids = room(r, count);
    if (ids == NULL) {
        return GH_ERROR;
    }

    count = 0;
    for (message = request->messages; message != NULL; message = message->next) {
        for (part = message->parts; part != NULL; part = part->next) {
            if (part->kind == GH_HUB_TEXT_CALL) {
                ids[count] = (named_t) { gh_hub_decode(r->arena, part->id), NULL };
                if (ids[count++].name.data == NULL) {
                    return gh_hub_no_memory(r);
                }
            }
        }
    }
    qsort(ids, count, sizeof(named_t), by_name);

    for (message = request->messages; message != NULL; message = message->next) {
        for (part = message->parts; part != NULL; part = part->next) {
            if (part->kind == GH_HUB_TOOL_RESULT) {
                part->to_text = find(r, part->id, ids, count) != NULL;
            }
        }
    }

    return GH_OK;
}

int
gh_hub_tools_settle(gh_hub_reader_t *r, gh_hub_request_t *request)
{
    if (request->some_tools && settle_allowed(r, request) != GH_OK) {
        return GH_ERROR;
    }

    return gh_hub_traits(request->dialect)->results_alike && gh_hub_asks(request, GH_ASK_CUSTOM_TOOL) ? settle_results(r, request) : GH_OK;
}

int
gh_hub_tools_only(gh_arena_t *arena, const gh_hub_request_t *request, gh_hub_request_t *less)
{
    const gh_hub_tool_t *tool;
    gh_hub_tool_t      **tail = &less->tools;

    *less = *request;
    less->some_tools = false;

    for (tool = request->tools; tool != NULL; tool = tool->next) {
        if (tool->allowed) {
            *tail = arena->alloc(arena, sizeof(gh_hub_tool_t));
            if (*tail == NULL) {
                return GH_ERROR;
            }
            **tail = *tool;
            tail = &(*tail)->next;
        }
    }
    *tail = NULL;

    return GH_OK;
}
