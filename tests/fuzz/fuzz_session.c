/*
 * Any bytes as each of the headers, and as each of the fields of a body, that name a session: what is taken as a label is one, and is found again when it is
 * written plainly. The first byte says which.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/session/session.h"
#include "tests/fuzz/standalone.h"

static const char *const headers[] = {
    "x-gatehouse-session-id", "x-claude-code-session-id", "session-id", "thread-id", "x-codex-turn-metadata", "x-codex-window-id", "baggage", "x-session-id",
};

#define HEADERS (sizeof(headers) / sizeof(headers[0]))

static void
check(gh_arena_t *arena, const gh_session_label_t *found)
{
    gh_session_label_t again = { 0 };

    if (found->source == GH_SESSION_NONE) {
        if (found->text.data != NULL) {
            abort();
        }
        return;
    }
    if (found->text.len == 0 || found->text.len > GH_SESSION_LABEL_MAX) {
        abort();
    }
    for (size_t i = 0; i < found->text.len; i++) {
        if (found->text.data[i] < ' ' || found->text.data[i] > '~') {
            abort();
        }
    }
    if (!gh_session_header(arena, &again, GH_STR("session-id"), found->text) || !gh_str_eq(again.text, found->text)) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_heap_t          heap;
    gh_session_label_t found = { 0 };
    gh_str_t           value = { (const char *) data + 1, size - 1 };
    unsigned           which;

    if (size == 0) {
        return 0;
    }
    which = data[0] % (HEADERS + GH_SESSION_SOURCES);
    gh_heap_init(&heap);
    if (which < HEADERS) {
        if (!gh_session_header(&heap.arena, &found, gh_str_from(headers[which]), value)) {
            abort();
        }
        if (found.refused && (which != 0 || found.source != GH_SESSION_NONE)) {
            abort();
        }
    } else if (which > HEADERS) {
        gh_session_field(&heap.arena, &found, (gh_session_source_t) (which - HEADERS), value);
    }
    check(&heap.arena, &found);
    gh_heap_free(&heap);

    return 0;
}
