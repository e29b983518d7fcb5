/*
 * Sessions: which run of an agent, or which conversation, a request says that it belongs to. Clients name it in many places (sources, below); what
 * they write is a label: it correlates, and gives no right. A session is a label of one source kind in one tenant, so the same label of another tenant
 * is another session. Its id is HMAC-SHA-256 under a secret of the store: labels are neither in the record nor to be guessed from it.
 */
#ifndef GH_SESSION_H
#define GH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/str.h"

/*
 * Where a session was named, in order of precedence: the first that has a usable label counts.
 *
 * Sources: Claude Code's gateway protocol reference (code.claude.com/docs); the headers of Codex CLI's requests; W3C Baggage (2024) with the
 * names of OpenTelemetry's semantic conventions; the documentation of LiteLLM, Langfuse, LangSmith, Portkey, Helicone, OpenRouter; W3C Trace
 * Context. Read in autumn 2026.
 */
typedef enum {
    GH_SESSION_NONE = 0,
    GH_SESSION_GATEHOUSE,          /* x-gatehouse-session-id */
    GH_SESSION_CLAUDE_CODE,
    GH_SESSION_CODEX_SESSION,
    GH_SESSION_CODEX_THREAD,
    GH_SESSION_TURN_SESSION,       /* JSON in a header: its session_id */
    GH_SESSION_TURN_THREAD,
    GH_SESSION_CODEX_WINDOW,       /* a thread and a number: THREAD:3 */
    GH_SESSION_CLIENT_SESSION,     /* client_metadata.session_id of Responses, as Codex has it */
    GH_SESSION_CLIENT_THREAD,
    GH_SESSION_STATE,              /* an id in the request, which was given out in that session */
    GH_SESSION_BAGGAGE_CONVERSATION,
    GH_SESSION_BAGGAGE_SESSION,
    GH_SESSION_METADATA_SESSION,
    GH_SESSION_METADATA_LITELLM,
    GH_SESSION_METADATA_TRACE,
    GH_SESSION_METADATA_GROUP,
    GH_SESSION_METADATA_LANGFUSE,
    GH_SESSION_METADATA_THREAD,
    GH_SESSION_METADATA_CONVERSATION,
    GH_SESSION_METADATA_HARNESS,
    GH_SESSION_LITELLM_SESSION,
    GH_SESSION_LITELLM_TRACE,
    GH_SESSION_PORTKEY,
    GH_SESSION_HELICONE,
    GH_SESSION_OPENCODE,
    GH_SESSION_GROK,
    GH_SESSION_AGENT,
    GH_SESSION_GENERIC,            /* x-session-id */
    GH_SESSION_BODY,               /* session_id */
    GH_SESSION_CACHE_KEY,
    GH_SESSION_USER_ID,            /* the end of Claude Code's metadata.user_id, or in its JSON */
    GH_SESSION_TRACE,              /* traceparent: the trace's id */
    GH_SESSION_REQUEST,            /* nothing named one, and its answer has ids: a session that begins with it */
    GH_SESSION_SOURCES
} gh_session_source_t;

/* As records have them: "x-claude-code-session-id", "metadata.session_id", ...; "" of NONE. */
extern const char *const gh_session_source_names[GH_SESSION_SOURCES];

#define GH_SESSION_LABEL_MAX 256u    /* bytes; a longer label, an empty one, and one with other bytes than printable ASCII is none */
#define GH_SESSION_TEXT_MAX  8192u   /* bytes of what a label is looked for in: baggage, JSON; what is longer is not read */
#define GH_SESSION_ID        32u

/* The best label so far. All zero: none. */
typedef struct {
    gh_session_source_t source;
    gh_str_t            text;        /* borrowed from what it was read from, or the arena's */
    bool                refused;     /* a label of our own, which clients only send on purpose, is none; or there are two */
} gh_session_label_t;

/* Takes the label when it is one, and none of higher or the same precedence was there. Of our own: an unusable one, or another one, sets refused. */
void gh_session_offer(gh_session_label_t *best, gh_session_source_t source, gh_str_t text);

/*
 * A header of a request, in any order; several of one name are read one by one. false: it names no session, whatever its value. What it decodes
 * lies in the arena; without memory it names none.
 */
bool gh_session_header(gh_arena_t *arena, gh_session_label_t *best, gh_str_t name, gh_str_t value);

/*
 * The value of a body's field that names a session, as it stands there: source METADATA_SESSION and CLIENT_SESSION are objects, of which members are
 * read, USER_ID is metadata.user_id as Claude Code writes it: USER_session_UUID, or an object with session_id, as text. Every other is a string.
 */
void gh_session_field(gh_arena_t *arena, gh_session_label_t *best, gh_session_source_t source, gh_str_t json);

/* A valid traceparent's trace id. */
void gh_session_trace(gh_session_label_t *best, gh_str_t value);

typedef struct gh_sessions_s gh_sessions_t;   /* keyed once, used for many; one thread */

/* secret: the bytes of store.key. Owned by the caller: gh_sessions_free. NULL when OpenSSL fails or there is no memory. */
gh_sessions_t *gh_sessions_new(const uint8_t secret[32]);
void gh_sessions_free(gh_sessions_t *sessions);

/*
 * HMAC-SHA-256(subkey "session", tenant uid as u64 little-endian, kind, 0, label). Sources that carry the same id have one kind: a header of Claude
 * Code and its metadata.user_id name one session, and so do Codex's headers. GH_OK or GH_ERROR.
 */
int gh_session_id(const gh_sessions_t *sessions, uint64_t tenant_uid, gh_session_source_t source, gh_str_t label, uint8_t id[GH_SESSION_ID]);

#endif
