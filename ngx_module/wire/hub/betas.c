/*
 * Flags of Anthropic's betas: a header of Messages, an array in the bodies of InvokeModel and Converse. Bedrock refuses what it does not know, and has some under
 * names of its own.
 */
#include "ngx_module/wire/hub/dialect.h"

static bool
flag_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* The next of a list; false: there is none. */
static bool
next_flag(gh_str_t *rest, gh_str_t *flag)
{
    const char *comma;

    while (rest->len != 0) {
        comma = memchr(rest->data, ',', rest->len);
        *flag = (gh_str_t) { rest->data, comma != NULL ? (size_t) (comma - rest->data) : rest->len };
        rest->data += flag->len + (comma != NULL);
        rest->len -= flag->len + (comma != NULL);
        *flag = gh_str_trim(*flag);
        if (flag->len != 0) {
            return true;
        }
    }

    return false;
}

static bool
is_flag(gh_str_t flag)
{
    for (size_t i = 0; i < flag.len; i++) {
        if (!flag_letter(flag.data[i])) {
            return false;
        }
    }

    return true;
}

/* Does the array have it, or the list before it? */
static bool
has_flag(gh_str_t betas, gh_str_t header, gh_str_t flag)
{
    gh_json_reader_t r;
    gh_str_t         other, rest = { header.data, (size_t) (flag.data - header.data) };

    while (next_flag(&rest, &other)) {
        if (gh_str_eq(other, flag)) {
            return true;
        }
    }

    if (betas.data != NULL) {
        gh_json_reader_init(&r, betas, 0);
        while (gh_json_next(&r) == GH_JSON_ARRAY_BEGIN || r.event == GH_JSON_STRING) {
            if (r.event == GH_JSON_STRING && gh_json_token_is(&r, flag)) {
                return true;
            }
        }
    }

    return false;
}

gh_str_t
gh_hub_betas_join(gh_arena_t *arena, gh_str_t betas, gh_str_t header)
{
    gh_str_t         flag, rest = header;
    gh_json_reader_t r;
    gh_hub_put_t     p;
    bool             any = false;

    gh_hub_put_init(&p, arena, betas.len + header.len * 3 + 2, SIZE_MAX / 4);
    gh_hub_put_open(&p, '[');
    if (betas.data != NULL) {
        gh_json_reader_init(&r, betas, 0);
        while (gh_json_next(&r) == GH_JSON_ARRAY_BEGIN || r.event == GH_JSON_STRING) {
            if (r.event == GH_JSON_STRING) {
                gh_hub_put_string(&p, r.token);
            }
        }
    }

    while (next_flag(&rest, &flag)) {
        if (!is_flag(flag)) {
            return betas;
        }
        if (!has_flag(betas, header, flag)) {
            gh_hub_put_string(&p, flag);
            any = true;
        }
    }

    gh_hub_put_close(&p, ']');
    return !any || p.failed ? betas : (gh_str_t) { p.data, p.len };
}

gh_str_t
gh_hub_betas_header(gh_arena_t *arena, gh_str_t betas)
{
    gh_str_t         none = { NULL, 0 }, flag;
    gh_json_reader_t r;
    gh_hub_put_t     p;
    size_t           i;

    if (betas.data == NULL) {
        return none;
    }

    gh_hub_put_init(&p, arena, betas.len, SIZE_MAX / 4);
    gh_json_reader_init(&r, betas, 0);
    if (gh_json_next(&r) != GH_JSON_ARRAY_BEGIN) {
        return none;
    }

    while (gh_json_next(&r) == GH_JSON_STRING) {
        char *room = gh_arena_alloc(arena, r.token.len + 1);

        if (room == NULL || gh_json_token_decode(&r, room, r.token.len + 1, &flag) != GH_OK) {
            return none;
        }
        for (i = 0; i < flag.len; i++) {
            if (!flag_letter(flag.data[i])) {
                return none;
            }
        }
        if (p.len != 0) {
            GH_HUB_PUT(&p, ",");
        }
        gh_hub_put(&p, flag);
    }

    return r.event != GH_JSON_ARRAY_END || p.failed || p.len == 0 ? none : (gh_str_t) { p.data, p.len };
}

/* ---- of Bedrock ---- */

/*
 * What Bedrock knows. Sources: AWS's "Anthropic Claude Messages API" with its pages on tools, compaction and thinking, Anthropic's documentation of each beta,
 * the list that LiteLLM keeps for it, autumn 2026. Each model takes some of them. Not in it, and so left behind: mid-conversation-system, since later system
 * messages need no flag there (AWS's "Mid-conversation system messages").
 */
static const char *const bedrock_flags[] = {
    "computer-use-2024-10-22", "computer-use-2025-01-24", "computer-use-2025-11-24", "token-efficient-tools-2025-02-19", "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19", "dev-full-thinking-2025-05-14", "context-1m-2025-08-07", "context-management-2025-06-27", "compact-2026-01-12",
    "effort-2025-11-24", "tool-search-tool-2025-10-19", "tool-examples-2025-10-29", "fine-grained-tool-streaming-2025-05-14",
    "thinking-binding-controls-2026-08-01", "thinking-display-updates-2026-08-18", "mid-conversation-output-config-2026-07-01",
    "mid-conversation-tool-changes-2026-07-01",
};

/* One flag of Anthropic's is two of Bedrock's: of searching tools, and of their examples. */
static const char advanced_tools[] = "advanced-tool-use-2025-11-20", tool_search[] = "tool-search-tool-2025-10-19", tool_examples[] = "tool-examples-2025-10-29";

static bool
flag_is(const gh_json_reader_t *r, const char *flag)
{
    return gh_json_token_is(r, gh_str_from(flag));
}

static bool
bedrock_knows(const gh_json_reader_t *r)
{
    for (size_t i = 0; i < sizeof(bedrock_flags) / sizeof(bedrock_flags[0]); i++) {
        if (flag_is(r, bedrock_flags[i])) {
            return true;
        }
    }

    return false;
}

/* Is it among the array's flags? */
static bool
among(gh_str_t betas, const char *flag)
{
    gh_json_reader_t r;

    gh_json_reader_init(&r, betas, 0);
    while (gh_json_next(&r) == GH_JSON_ARRAY_BEGIN || r.event == GH_JSON_STRING) {
        if (r.event == GH_JSON_STRING && flag_is(&r, flag)) {
            return true;
        }
    }

    return false;
}

static void
put_flag(gh_hub_put_t *p, bool *any, gh_str_t flag)
{
    if (!*any) {
        gh_hub_put_key(p, "anthropic_beta");
        gh_hub_put_open(p, '[');
        *any = true;
    }
    gh_hub_put_string(p, flag);
}

void
gh_hub_put_flags(gh_hub_put_t *p, gh_str_t betas, uint32_t written)
{
    gh_json_reader_t r;
    uint32_t         number = 0;
    bool             any = false;

    if (betas.data == NULL) {
        return;
    }

    gh_json_reader_init(&r, betas, 0);
    if (gh_json_next(&r) != GH_JSON_ARRAY_BEGIN) {
        return;
    }
    while (gh_json_next(&r) == GH_JSON_STRING) {
        if (number++ < written || bedrock_knows(&r)) {
            put_flag(p, &any, r.token);
        } else if (flag_is(&r, advanced_tools)) {
            if (!among(betas, tool_search)) {
                put_flag(p, &any, gh_str_from(tool_search));
            }
            if (!among(betas, tool_examples)) {
                put_flag(p, &any, gh_str_from(tool_examples));
            }
        }
    }
    if (any) {
        gh_hub_put_close(p, ']');
    }
}

void
gh_hub_put_betas(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    gh_hub_put_flags(p, request->betas, request->betas_written);
}

/* ---- of Anthropic ---- */

gh_str_t
gh_hub_betas_native(gh_arena_t *arena, gh_str_t betas)
{
    gh_json_reader_t r;
    gh_hub_put_t     p;
    bool             put;

    if (betas.data == NULL || (!among(betas, tool_search) && !among(betas, tool_examples))) {
        return betas;
    }

    put = among(betas, advanced_tools);
    gh_hub_put_init(&p, arena, betas.len + sizeof(advanced_tools) + 4, SIZE_MAX / 4);
    gh_hub_put_open(&p, '[');
    gh_json_reader_init(&r, betas, 0);
    while (gh_json_next(&r) == GH_JSON_ARRAY_BEGIN || r.event == GH_JSON_STRING) {
        if (r.event == GH_JSON_STRING && !flag_is(&r, tool_search) && !flag_is(&r, tool_examples)) {
            gh_hub_put_string(&p, r.token);
        } else if (r.event == GH_JSON_STRING && !put) {
            gh_hub_put_string(&p, gh_str_from(advanced_tools));
            put = true;
        }
    }
    gh_hub_put_close(&p, ']');

    return p.failed ? betas : (gh_str_t) { p.data, p.len };
}
