#include "policy/session/session.h"

#include <stdlib.h>
#include <string.h>

#include "policy/base/error.h"
#include "policy/base/hash.h"

#define SOURCES(ROW) \
    ROW(NONE, "", ""), \
    ROW(GATEHOUSE, "x-gatehouse-session-id", "gatehouse"), \
    ROW(CLAUDE_CODE, "x-claude-code-session-id", "claude-code"), \
    ROW(CODEX_SESSION, "session-id", "codex"), \
    ROW(CODEX_THREAD, "thread-id", "codex"), \
    ROW(TURN_SESSION, "x-codex-turn-metadata", "codex"), \
    ROW(TURN_THREAD, "x-codex-turn-metadata", "codex"), \
    ROW(CODEX_WINDOW, "x-codex-window-id", "codex"), \
    ROW(CLIENT_SESSION, "client_metadata.session_id", "codex"), \
    ROW(CLIENT_THREAD, "client_metadata.thread_id", "codex"), \
    ROW(STATE, "state", ""), \
    ROW(BAGGAGE_CONVERSATION, "baggage gen_ai.conversation.id", "baggage"), \
    ROW(BAGGAGE_SESSION, "baggage session.id", "baggage"), \
    ROW(METADATA_SESSION, "metadata.session_id", "metadata"), \
    ROW(METADATA_LITELLM, "metadata.litellm_session_id", "litellm"), \
    ROW(METADATA_TRACE, "metadata.trace_id", "metadata"), \
    ROW(METADATA_GROUP, "metadata.group_id", "metadata"), \
    ROW(METADATA_LANGFUSE, "metadata.langfuse_session_id", "langfuse"), \
    ROW(METADATA_THREAD, "metadata.thread_id", "metadata"), \
    ROW(METADATA_CONVERSATION, "metadata.conversation_id", "metadata"), \
    ROW(METADATA_HARNESS, "metadata.agent_harness_id", "agent-harness"), \
    ROW(LITELLM_SESSION, "x-litellm-session-id", "litellm"), \
    ROW(LITELLM_TRACE, "x-litellm-trace-id", "litellm"), \
    ROW(PORTKEY, "x-portkey-trace-id", "portkey"), \
    ROW(HELICONE, "helicone-session-id", "helicone"), \
    ROW(OPENCODE, "x-opencode-session", "opencode"), \
    ROW(GROK, "x-grok-conv-id", "grok"), \
    ROW(AGENT, "agent-session-id", "agent-session"), \
    ROW(GENERIC, "x-session-id", "session"), \
    ROW(BODY, "session_id", "session"), \
    ROW(CACHE_KEY, "prompt_cache_key", "prompt-cache"), \
    ROW(USER_ID, "metadata.user_id", "claude-code"), \
    ROW(TRACE, "traceparent", "trace"), \
    ROW(REQUEST, "request", "request")

#define NAMED(source, name, kind) [GH_SESSION_##source] = name
#define KIND(source, name, kind)  [GH_SESSION_##source] = kind

const char *const gh_session_source_names[GH_SESSION_SOURCES] = { SOURCES(NAMED) };
static const char *const kinds[GH_SESSION_SOURCES] = { SOURCES(KIND) };

struct gh_sessions_s {
    gh_hmac_t *hmac;
};

static bool
usable(gh_str_t text)
{
    if (text.len == 0 || text.len > GH_SESSION_LABEL_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return false;
        }
    }

    return true;
}

void
gh_session_offer(gh_session_label_t *best, gh_session_source_t source, gh_str_t text)
{
    text = gh_str_trim(text);
    if (source == GH_SESSION_GATEHOUSE) {
        best->refused |= !usable(text) || (best->source == source && !gh_str_eq(best->text, text));
    }
    if ((best->source == GH_SESSION_NONE || source < best->source) && usable(text)) {
        best->source = source;
        best->text = text;
    }
}

gh_sessions_t *
gh_sessions_new(const uint8_t secret[32])
{
    gh_sessions_t *sessions = calloc(1, sizeof(*sessions));
    uint8_t        subkey[32];

    if (sessions == NULL) {
        return NULL;
    }
    sessions->hmac = gh_hkdf(secret, 32, "session", subkey, sizeof(subkey)) == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;
    explicit_bzero(subkey, sizeof(subkey));
    if (sessions->hmac == NULL) {
        free(sessions);
        return NULL;
    }

    return sessions;
}

void
gh_sessions_free(gh_sessions_t *sessions)
{
    if (sessions != NULL) {
        gh_hmac_free(sessions->hmac);
        free(sessions);
    }
}

int
gh_session_id(const gh_sessions_t *sessions, uint64_t tenant_uid, gh_session_source_t source, gh_str_t label, uint8_t id[GH_SESSION_ID])
{
    uint8_t uid[8];

    for (unsigned i = 0; i < sizeof(uid); i++) {
        uid[i] = (uint8_t) (tenant_uid >> 8 * i);
    }

    return gh_hmac(sessions->hmac,
        (gh_bytes_t[]) { { uid, sizeof(uid) }, { kinds[source], strlen(kinds[source]) + 1 }, { label.data, label.len } }, 3, id);
}
