/*
 * Tells a ledger, through the functions of workers, of a backend: tell_backend LEDGER DEPLOYMENT UPSTREAM_MODEL RESULT...
 * RESULT: answered:MS, streamed:MS:TOKENS, refused, unreached, failed, each with @TENANT_UID (1 when not said), and retry:MS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/ledger/backends.h"

static int
tell(gh_ledger_t *ledger, const gh_backend_id_t *id, const char *text)
{
    static const struct { const char *word; gh_backend_end_t end; } words[] = {
        { "answered:", GH_BACKEND_ANSWERED }, { "streamed:", GH_BACKEND_STREAMED }, { "refused", GH_BACKEND_REFUSED },
        { "unreached", GH_BACKEND_UNREACHED }, { "failed", GH_BACKEND_FAILED }, { "retry:", GH_BACKEND_REFUSED }
    };
    const char         *at = strchr(text, '@'), *tokens = strrchr(text, ':');
    gh_backend_result_t result = { .tenant_uid = at != NULL ? strtoull(at + 1, NULL, 10) : 1 };
    struct timespec     now;
    uint64_t            value, now_ms;

    clock_gettime(CLOCK_REALTIME, &now);
    now_ms = (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(text, words[i].word, strlen(words[i].word)) != 0) {
            continue;
        }
        value = strtoull(text + strlen(words[i].word), NULL, 10);
        result.end = words[i].end;
        result.retry_after_ms = strncmp(text, "retry:", 6) == 0 ? value : 0;
        if (result.end == GH_BACKEND_STREAMED) {
            result.stream_us = value * 1000;
            result.output_tokens = tokens != NULL ? strtoull(tokens + 1, NULL, 10) : 0;
        } else {
            result.first_byte_us = value * 1000;
        }
        return gh_backend_tell(ledger, id, now_ms, &result) ? 0 : 1;
    }
    return 2;
}

int
main(int argc, char **argv)
{
    gh_error_t      error = { 0 };
    gh_ledger_t    *ledger = argc < 5 ? NULL : gh_ledger_open(argv[1], true, &error);
    gh_backend_id_t id;

    if (ledger == NULL) {
        fprintf(stderr, "tell_backend LEDGER DEPLOYMENT UPSTREAM_MODEL RESULT...: %s\n", error.text);
        return 64;
    }
    id = gh_backend_id(gh_str_from(argv[2]), gh_str_from(argv[3]));
    for (int i = 4; i < argc; i++) {
        if (tell(ledger, &id, argv[i]) != 0) {
            fprintf(stderr, "tell_backend: %s\n", argv[i]);
            return 1;
        }
    }
    gh_ledger_close(ledger);
    return 0;
}
