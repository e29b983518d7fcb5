/* Labels of sessions where clients write them: headers, lists and JSON in headers. Whatever stands there is a label or none, never an error. */
#include <string.h>

#include "policy/base/json_reader.h"
#include "policy/session/session.h"

#define UUID    36u
#define KEY_MAX 32u                    /* bytes of a member's name: above all that are looked for */

typedef enum { PLAIN = 0, TURN, WINDOW, BAGGAGE } reading_t;

#define HEADER(n, s, r) { { (n), sizeof(n) - 1 }, GH_SESSION_##s, (r) }

static const struct {
    gh_str_t            name;
    gh_session_source_t source;
    reading_t           reading;
} headers[] = {
    HEADER("x-gatehouse-session-id", GATEHOUSE, PLAIN),
    HEADER("x-claude-code-session-id", CLAUDE_CODE, PLAIN),
    HEADER("session-id", CODEX_SESSION, PLAIN),
    HEADER("session_id", CODEX_SESSION, PLAIN),            /* of older versions; nginx drops it unless it has underscores_in_headers on */
    HEADER("thread-id", CODEX_THREAD, PLAIN),
    HEADER("x-codex-turn-metadata", TURN_SESSION, TURN),
    HEADER("x-codex-window-id", CODEX_WINDOW, WINDOW),
    HEADER("baggage", BAGGAGE_CONVERSATION, BAGGAGE),
    HEADER("x-litellm-session-id", LITELLM_SESSION, PLAIN),
    HEADER("x-litellm-trace-id", LITELLM_TRACE, PLAIN),
    HEADER("x-portkey-trace-id", PORTKEY, PLAIN),
    HEADER("helicone-session-id", HELICONE, PLAIN),
    HEADER("x-opencode-session", OPENCODE, PLAIN),
    HEADER("x-grok-conv-id", GROK, PLAIN),
    HEADER("agent-session-id", AGENT, PLAIN),
    HEADER("x-session-id", GENERIC, PLAIN),
};

/* A bit for each length of a name, and for each first letter: most headers of a request have neither. */
#define LENGTHS (1u << 7 | 1u << 9 | 1u << 10 | 1u << 12 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 18 | 1u << 19 | 1u << 20 | 1u << 21 | 1u << 22 | 1u << 24)
#define LETTER(c) (1u << ((c) & 31))
#define LETTERS (LETTER('x') | LETTER('s') | LETTER('t') | LETTER('b') | LETTER('h') | LETTER('a'))

/* The source that a member of an object stands for, which is of one of the sources first to last: their names end in the member's. */
static gh_session_source_t
source_of(gh_str_t key, gh_session_source_t first, gh_session_source_t last)
{
    for (unsigned source = first; source <= last; source++) {
        gh_str_t name = gh_str_from(gh_session_source_names[source]);

        if (name.len > key.len && name.data[name.len - key.len - 1] == '.' && memcmp(name.data + name.len - key.len, key.data, key.len) == 0) {
            return (gh_session_source_t) source;
        }
    }

    return GH_SESSION_NONE;
}

/* The members of an object in JSON that name a session. Of one that is not well-formed, none. */
static void
read_members(gh_arena_t *arena, gh_session_label_t *best, gh_str_t json, gh_session_source_t first, gh_session_source_t last)
{
    gh_json_reader_t    reader;
    gh_session_label_t  found = *best;
    gh_session_source_t source;
    gh_str_t            name, text;
    char                key[KEY_MAX], value[GH_SESSION_LABEL_MAX];

    gh_json_reader_init(&reader, json, 0);
    if (gh_json_next(&reader) != GH_JSON_OBJECT_BEGIN) {
        return;
    }
    while (gh_json_next(&reader) == GH_JSON_KEY) {
        source = gh_json_token_decode(&reader, key, sizeof(key), &name) == GH_OK ? source_of(name, first, last) : GH_SESSION_NONE;
        if (gh_json_next(&reader) == GH_JSON_STRING && source != GH_SESSION_NONE
            && gh_json_token_decode(&reader, value, sizeof(value), &text) == GH_OK)
        {
            gh_session_offer(&found, source, text.data == value ? gh_str_copy(arena, text) : text);
        } else if ((reader.event == GH_JSON_OBJECT_BEGIN || reader.event == GH_JSON_ARRAY_BEGIN) && gh_json_skip_rest(&reader) != GH_OK) {
            return;
        }
    }
    if (reader.event == GH_JSON_OBJECT_END && gh_json_next(&reader) == GH_JSON_END) {
        *best = found;
    }
}

static int
digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-encoded, as a value of baggage. data NULL: it is not well-formed, or longer than a label. */
static gh_str_t
percent_decoded(gh_arena_t *arena, gh_str_t value)
{
    char   text[GH_SESSION_LABEL_MAX];
    size_t len = 0;

    if (value.len == 0 || memchr(value.data, '%', value.len) == NULL) {
        return value;
    }
    for (size_t i = 0; i < value.len; i++) {
        int high, low;

        if (len == sizeof(text)) {
            return (gh_str_t) { NULL, 0 };
        }
        if (value.data[i] != '%') {
            text[len++] = value.data[i];
            continue;
        }
        if (value.len - i < 3 || (high = digit_of(value.data[i + 1])) < 0 || (low = digit_of(value.data[i + 2])) < 0) {
            return (gh_str_t) { NULL, 0 };
        }
        text[len++] = (char) (high << 4 | low);
        i += 2;
    }

    return gh_str_copy(arena, (gh_str_t) { text, len });
}

/* Up to the first c; *rest is what lies behind it. */
static gh_str_t
cut(gh_str_t s, char c, gh_str_t *rest)
{
    const char *at = s.len != 0 ? memchr(s.data, c, s.len) : NULL;
    size_t      len = at != NULL ? (size_t) (at - s.data) : s.len;

    *rest = (gh_str_t) { s.data + len + (at != NULL), s.len - len - (at != NULL) };
    return (gh_str_t) { s.data, len };
}

/* KEY=VALUE;PROPERTY, KEY=VALUE: W3C Baggage section 3.3.1. */
static void
read_baggage(gh_arena_t *arena, gh_session_label_t *best, gh_str_t list)
{
    gh_str_t            member, key, value, ignored;
    gh_session_source_t source;

    while (list.len != 0) {
        member = cut(cut(list, ',', &list), ';', &ignored);
        key = gh_str_trim(cut(member, '=', &value));
        source = gh_str_is(key, "gen_ai.conversation.id") ? GH_SESSION_BAGGAGE_CONVERSATION
            : gh_str_is(key, "session.id") ? GH_SESSION_BAGGAGE_SESSION : GH_SESSION_NONE;
        if (source != GH_SESSION_NONE) {
            value = percent_decoded(arena, gh_str_trim(value));
            gh_session_offer(best, source, value);
        }
    }
}

/* THREAD:NUMBER. */
static gh_str_t
thread_of(gh_str_t window)
{
    size_t len = window.len;

    while (len > 0 && window.data[len - 1] >= '0' && window.data[len - 1] <= '9') {
        len--;
    }

    return len > 1 && len < window.len && window.data[len - 1] == ':' ? (gh_str_t) { window.data, len - 1 } : window;
}

/* {"session_id": ..., "thread_id": ...}: as in client_metadata. */
static void
read_turn(gh_arena_t *arena, gh_session_label_t *best, gh_str_t json)
{
    gh_session_label_t found = { 0 };

    read_members(arena, &found, json, GH_SESSION_CLIENT_SESSION, GH_SESSION_CLIENT_THREAD);
    if (found.source != GH_SESSION_NONE) {
        gh_session_offer(best, found.source == GH_SESSION_CLIENT_SESSION ? GH_SESSION_TURN_SESSION : GH_SESSION_TURN_THREAD, found.text);
    }
}

bool
gh_session_header(gh_arena_t *arena, gh_session_label_t *best, gh_str_t name, gh_str_t value)
{
    size_t i;

    if (name.len == 0 || name.len > 24 || (LENGTHS >> name.len & 1) == 0 || (LETTERS >> (name.data[0] & 31) & 1) == 0) {
        return false;
    }
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]) && (name.len != headers[i].name.len || !gh_str_eq_nocase(name, headers[i].name)); i++) { }
    if (i == sizeof(headers) / sizeof(headers[0])) {
        return false;
    }

    switch (headers[i].reading) {
    case PLAIN:
        gh_session_offer(best, headers[i].source, value);
        break;
    case WINDOW:
        gh_session_offer(best, headers[i].source, thread_of(gh_str_trim(value)));
        break;
    case TURN:
        if (value.len <= GH_SESSION_TEXT_MAX) {
            read_turn(arena, best, value);
        }
        break;
    case BAGGAGE:
        if (value.len <= GH_SESSION_TEXT_MAX) {
            read_baggage(arena, best, value);
        }
        break;
    }

    return true;
}

static bool
is_uuid(gh_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? s.data[i] != '-' : digit_of(s.data[i]) < 0) {
            return false;
        }
    }

    return s.len == UUID;
}

/* USER_session_UUID, or {"session_id": ...}. */
static void
read_user_id(gh_arena_t *arena, gh_session_label_t *best, gh_str_t value)
{
    const gh_str_t     mark = GH_STR("_session_");
    gh_session_label_t found = { 0 };

    if (value.len != 0 && value.data[0] == '{') {
        read_members(arena, &found, value, GH_SESSION_CLIENT_SESSION, GH_SESSION_CLIENT_SESSION);
    } else if (value.len >= mark.len + UUID) {
        found.text = (gh_str_t) { value.data + value.len - UUID, UUID };
        if (memcmp(found.text.data - mark.len, mark.data, mark.len) != 0 || !is_uuid(found.text)) {
            return;
        }
    }
    gh_session_offer(best, GH_SESSION_USER_ID, found.text);
}

static void
read_string(gh_arena_t *arena, gh_session_label_t *best, gh_session_source_t source, gh_str_t json)
{
    gh_json_reader_t reader;
    gh_str_t         text;
    char            *buffer;

    gh_json_reader_init(&reader, json, 0);
    if (gh_json_next(&reader) != GH_JSON_STRING) {
        return;
    }
    text = reader.token;
    if (reader.escaped) {
        buffer = gh_arena_alloc(arena, text.len);
        if (buffer == NULL || gh_json_token_decode(&reader, buffer, text.len, &text) != GH_OK) {
            return;
        }
    }
    if (source == GH_SESSION_USER_ID) {
        read_user_id(arena, best, text);
    } else {
        gh_session_offer(best, source, text);
    }
}

void
gh_session_field(gh_arena_t *arena, gh_session_label_t *best, gh_session_source_t source, gh_str_t json)
{
    if (json.len > GH_SESSION_TEXT_MAX || (best->source != GH_SESSION_NONE && best->source < source)) {
        return;
    }

    switch (source) {
    case GH_SESSION_METADATA_SESSION:
        read_members(arena, best, json, source, GH_SESSION_METADATA_HARNESS);
        break;
    case GH_SESSION_CLIENT_SESSION:
        read_members(arena, best, json, source, GH_SESSION_CLIENT_THREAD);
        break;
    default:
        read_string(arena, best, source, json);
        break;
    }
}

void
gh_session_trace(gh_session_label_t *best, gh_str_t value)
{
    gh_str_t trace = { value.data + 3, 32 };
    size_t   zeros = 0;

    if (value.len < 3 + trace.len || memcmp(value.data, "ff", 2) == 0) {
        return;
    }
    while (zeros < trace.len && trace.data[zeros] == '0') {
        zeros++;
    }
    if (zeros < trace.len) {
        gh_session_offer(best, GH_SESSION_TRACE, trace);
    }
}
