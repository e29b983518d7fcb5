/* Requests: read, judged by what the dialects say of the asks of asks.h, written. */
#include <stdio.h>
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"

static const struct {
    const char *what, *note;
} asks[GH_ASKS] = {
#define A(name, what, note) { what, note },
    GH_HUB_ASKS(A)
#undef A
};

const char *const gh_hub_dialect_names[GH_HUB_DIALECTS] = {
#define F(name, word, row) word,
    GH_HUB_ROWS(F)
#undef F
};

const gh_hub_row_t *const gh_hub_rows[GH_HUB_DIALECTS] = {
#define F(name, word, row) &gh_hub_##row,
    GH_HUB_ROWS(F)
#undef F
};

const gh_hub_traits_t *
gh_hub_traits(gh_hub_dialect_t dialect)
{
    static const gh_hub_traits_t none;

    return dialect < GH_HUB_DIALECTS ? &gh_hub_rows[dialect]->traits : &none;
}

/* Known when all was read. */
static void
effort_settle(gh_hub_reader_t *r, const gh_hub_request_t *request)
{
    if (request->effort.data != NULL && gh_hub_is(request->effort, "high")
        && (request->max_tokens != 0 || request->temperature.data != NULL || request->top_p.data != NULL))
    {
        gh_hub_ask_at(r, GH_ASK_EFFORT_BOUNDED, request->where[GH_ASK_EFFORT]);
    }
}

int
gh_hub_request_read(gh_arena_t *arena, gh_hub_dialect_t dialect, gh_str_t body, gh_hub_request_t *request, gh_error_t *error)
{
    gh_hub_reader_t r;

    memset(request, 0, sizeof(*request));
    request->dialect = dialect;
    request->body = body;

    memset(&r, 0, sizeof(r));
    r.body = body;
    r.arena = arena;
    r.request = request;
    r.error = error;
    r.invalid = "invalid_request";
    gh_json_reader_init(&r.json, body, 0);

    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(&r, "the body must be a JSON object");
    }

    if (gh_hub_rows[dialect]->request_read(&r, request) != GH_OK || gh_hub_tools_settle(&r, request) != GH_OK) {
        return GH_ERROR;
    }

    effort_settle(&r, request);

    return gh_json_next(&r.json) == GH_JSON_END ? GH_OK : gh_hub_invalid(&r, "");
}

unsigned
gh_hub_refused(const gh_hub_request_t *request, gh_hub_dialect_t target)
{
    uint64_t bits;
    unsigned word, ask;

    for (word = 0; word < GH_ASK_WORDS; word++) {
        for (bits = request->asks[word]; bits != 0; bits &= bits - 1) {
            ask = word * 64 + (unsigned) __builtin_ctzll(bits);
            if (gh_hub_rows[target]->asks[ask] == GH_HUB_REFUSES) {
                return ask;
            }
        }
    }

    return GH_ASKS;
}

bool
gh_hub_expressible(const gh_hub_request_t *request, gh_hub_dialect_t target)
{
    return gh_hub_refused(request, target) == GH_ASKS;
}

int
gh_hub_express(const gh_hub_request_t *request, gh_hub_dialect_t target, char *path, size_t size, gh_error_t *error)
{
    unsigned ask = gh_hub_refused(request, target);
    char     text[256];
    size_t   len;

    if (ask == GH_ASKS) {
        return GH_OK;
    }

    len = gh_hub_path(request->body, request->where[ask], text, sizeof(text));
    if (path != NULL && size != 0) {
        snprintf(path, size, "%.*s", (int) len, text);
    }

    return gh_error_set(error, "not_expressible", "%.*s (%s) cannot be asked of a backend that speaks %s", (int) len, text, asks[ask].what,
        gh_hub_dialect_names[target]);
}

int
gh_hub_request_write(gh_arena_t *arena, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_str_t *body,
    gh_error_t *error)
{
    gh_hub_request_t less;
    gh_hub_put_t     p;

    if (gh_hub_express(request, target, NULL, 0, error) != GH_OK) {
        return GH_ERROR;
    }
    if (request->some_tools && !gh_hub_rows[target]->traits.some_tools) {
        if (gh_hub_tools_only(arena, request, &less) != GH_OK) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        request = &less;
    }

    gh_hub_put_init(&p, arena, request->body.len + request->values_bytes + (request->nodes + 8) * GH_HUB_NODE_BYTES + send->model.len * 6,
        SIZE_MAX / 4);
    if (gh_hub_rows[target]->request_write(&p, request, target, send, error) != GH_OK) {
        return GH_ERROR;
    }

    if (p.failed) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    *body = (gh_str_t) { p.data, p.len };
    return GH_OK;
}

/* ---- answers ---- */

void
gh_hub_answer_finish(gh_hub_answer_t *answer)
{
    const gh_hub_part_t *part;
    bool                 called = false, refused = false;

    for (part = answer->parts; part != NULL; part = part->next) {
        called |= part->kind == GH_HUB_TOOL_CALL || part->kind == GH_HUB_TEXT_CALL;
        refused |= part->kind == GH_HUB_REFUSAL;
    }
    if (answer->finish == GH_HUB_STOP && (called || refused)) {
        answer->finish = called ? GH_HUB_TOOL_CALLS : GH_HUB_REFUSED;
    }
}

bool
gh_hub_tells(gh_hub_kind_t kind, gh_hub_dialect_t client)
{
    return kind != GH_HUB_TEXT_CALL || gh_hub_rows[client]->traits.text_calls;
}

/* What readers know of requests no answer is made of, whatever a backend sends: images, documents, results. */
static void
keep_told(gh_hub_part_t **parts)
{
    while (*parts != NULL) {
        switch ((*parts)->kind) {
        case GH_HUB_TEXT:
        case GH_HUB_REFUSAL:
        case GH_HUB_REASONING:
        case GH_HUB_REDACTED:
        case GH_HUB_TOOL_CALL:
        case GH_HUB_TEXT_CALL:
            parts = &(*parts)->next;
            break;
        default:
            *parts = (*parts)->next;
            break;
        }
    }
}

int
gh_hub_answer_read(gh_arena_t *arena, gh_hub_dialect_t dialect, gh_str_t body, gh_hub_answer_t *answer, gh_error_t *error)
{
    gh_hub_reader_t  r;
    gh_hub_request_t unused;

    memset(answer, 0, sizeof(*answer));
    memset(&unused, 0, sizeof(unused));
    memset(&r, 0, sizeof(r));

    if (gh_hub_lone(body, false)) {
        body = gh_str_copy(arena, body);
        if (body.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        gh_hub_mend((char *) body.data, body.len, false);
    }

    r.body = body;
    r.arena = arena;
    r.request = &unused;
    r.error = error;
    r.invalid = "bad_answer";
    gh_json_reader_init(&r.json, body, 0);

    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(&r, "the answer must be a JSON object");
    }
    if (gh_hub_rows[dialect]->answer_read(&r, answer) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_json_next(&r.json) != GH_JSON_END) {
        return gh_hub_invalid(&r, "");
    }
    keep_told(&answer->parts);
    if (answer->finish == GH_HUB_MALFORMED) {
        return gh_error_set(error, "bad_answer", "the model's output could not be read by its provider");
    }
    if (gh_hub_asks(&unused, GH_ASK_ARGUMENTS_TEXT)) {
        return gh_error_set(error, "bad_answer", "the model called a tool with arguments that are no JSON object");
    }

    return GH_OK;
}

int
gh_hub_answer_write(gh_arena_t *arena, const gh_hub_answer_t *answer, gh_hub_dialect_t client, const gh_hub_reply_t *reply, gh_str_t *body,
    gh_error_t *error)
{
    gh_hub_part_t *part;
    gh_hub_put_t   p;
    size_t         size = 1024 + (reply->id.len + reply->model.len) * 6;
    uint32_t       number = 0;

    for (part = answer->parts; part != NULL; part = part->next, number++) {
        size += GH_HUB_NODE_BYTES + 2 * (part->text.len + part->input.len) + part->signature.len + part->logprobs.len;
        if (!gh_hub_tells(part->kind, client)) {
            return gh_error_set(error, "bad_answer", "the model called a tool that takes text, and there is none");
        }
        if ((part->kind == GH_HUB_TOOL_CALL || part->kind == GH_HUB_TEXT_CALL) && part->id.len == 0) {
            char *own = arena->alloc(arena, GH_HUB_CALL_ID);

            if (own == NULL) {
                return gh_error_set(error, "no_memory", "out of memory");
            }
            part->id = gh_hub_call_id(reply->id, number, own);
        }
    }

    gh_hub_put_init(&p, arena, size, SIZE_MAX / 4);
    gh_hub_rows[client]->answer_write(&p, answer, reply);
    if (p.failed) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    *body = (gh_str_t) { p.data, p.len };
    return GH_OK;
}

static const char *
verdict(unsigned ask, gh_hub_dialect_t target)
{
    static const char *const words[] = { [GH_HUB_MAPS] = "mapped", [GH_HUB_DROPS] = "dropped", [GH_HUB_REFUSES] = "**refused**" };

    return words[gh_hub_rows[target]->asks[ask]];
}

/* Does it depend on whose model is asked? */
static bool
by_model(unsigned ask, gh_hub_dialect_t target)
{
    const gh_hub_row_t *row = gh_hub_rows[target];

    for (unsigned words = 0; words < GH_WORDS; words++) {
        if (row->by_words[words].written && gh_hub_rows[row->by_words[words].as]->asks[ask] != row->asks[ask]) {
            return true;
        }
    }

    return false;
}

size_t
gh_hub_table(char *buffer, size_t size)
{
    size_t   len = 0;
    unsigned ask, target, columns = 0;

    gh_hub_append(buffer, size, &len, "| asked for |");
    for (target = 0; target < GH_HUB_DIALECTS; target++) {
        if (gh_hub_rows[target]->model == NULL) {
            gh_hub_append(buffer, size, &len, " %s |", gh_hub_dialect_names[target]);
            columns++;
        }
    }
    gh_hub_append(buffer, size, &len, " |\n|---|");
    while (columns-- > 0) {
        gh_hub_append(buffer, size, &len, "---|");
    }
    gh_hub_append(buffer, size, &len, "---|\n");

    for (ask = 0; ask < GH_ASKS; ask++) {
        gh_hub_append(buffer, size, &len, "| %s |", asks[ask].what);
        for (target = 0; target < GH_HUB_DIALECTS; target++) {
            if (gh_hub_rows[target]->model == NULL) {
                gh_hub_append(buffer, size, &len, " %s |", by_model(ask, target) ? "by model" : verdict(ask, target));
            }
        }
        gh_hub_append(buffer, size, &len, " %s |\n", asks[ask].note);
    }

    return len;
}

size_t
gh_hub_model_table(char *buffer, size_t size)
{
    size_t   len = 0;
    unsigned ask, target, own, words;

    for (target = 0; target < GH_HUB_DIALECTS; target++) {
        const gh_hub_row_t *row = gh_hub_rows[target];
        unsigned            columns = 1;

        for (words = 0; words < GH_WORDS; words++) {
            if (row->by_words[words].written) {
                gh_hub_append(buffer, size, &len, "%s %s |", columns++ == 1 ? "| asked for |" : "", gh_hub_rows[row->by_words[words].as]->model);
            }
        }
        if (columns == 1) {
            continue;
        }
        gh_hub_append(buffer, size, &len, " others |\n|---|");
        while (columns-- > 0) {
            gh_hub_append(buffer, size, &len, "---|");
        }

        for (ask = 0; ask < GH_ASKS; ask++) {
            if (!by_model(ask, target)) {
                continue;
            }
            gh_hub_append(buffer, size, &len, "\n| %s |", asks[ask].what);
            for (words = 0; words < GH_WORDS; words++) {
                own = row->by_words[words].as;
                if (row->by_words[words].written) {
                    gh_hub_append(buffer, size, &len, " %s |", verdict(ask, own));
                }
            }
            gh_hub_append(buffer, size, &len, " %s |", verdict(ask, target));
        }
        gh_hub_append(buffer, size, &len, "\n");
    }

    return len;
}
