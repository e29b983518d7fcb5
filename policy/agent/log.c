#include "policy/agent/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "policy/base/json_writer.h"

#define LINE_MAX_BYTES 4096           /* of a line; at most what a pipe takes in one piece */

const char *const gh_log_level_names[] = { NULL, NULL, NULL, "error", "warning", "notice", "info", "debug" };

static struct {
    gh_log_level_t most;
    bool           priorities;
} log_state = { GH_LOG_INFO, false };

void
gh_log_open(gh_log_level_t most, bool priorities)
{
    log_state.most = most;
    log_state.priorities = priorities;
}

static void
put_time(gh_json_writer_t *w)
{
    char            text[40];
    struct timespec now;
    struct tm       parts;
    size_t          len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    len += (size_t) snprintf(text + len, sizeof(text) - len, ".%03ldZ", now.tv_nsec / 1000000);
    gh_json_key(w, "t");
    gh_json_string(w, (gh_str_t) { text, len });
}

/* A pair that has no room takes itself out again. */
static void
put_pair(gh_json_writer_t *w, const char *name, const char *value)
{
    gh_json_writer_t before = *w;

    gh_json_key(w, name);
    gh_json_string(w, gh_str_from(value));
    if (!gh_json_writer_ok(w) || w->len + 8 > w->size) {
        *w = before;
    }
}

static void
line(gh_log_level_t level, const char *what, const gh_error_t *error, va_list pairs)
{
    char             text[LINE_MAX_BYTES];
    gh_json_writer_t w;
    size_t           head = 0;
    const char      *name, *value;

    if (log_state.priorities) {
        head = (size_t) snprintf(text, sizeof(text), "<%d>", (int) level);
    }
    gh_json_writer_init(&w, text + head, sizeof(text) - head - 1);
    gh_json_begin_object(&w);
    put_time(&w);
    put_pair(&w, "level", gh_log_level_names[level]);
    put_pair(&w, "what", what);
    if (error != NULL && error->code != NULL) {
        put_pair(&w, "code", error->code);
        put_pair(&w, "error", error->text);
        if (error->source[0] != '\0') {
            put_pair(&w, "at", error->source);
        }
    }
    while ((name = va_arg(pairs, const char *)) != NULL) {
        value = va_arg(pairs, const char *);
        if (value != NULL) {
            put_pair(&w, name, value);
        }
    }
    gh_json_end_object(&w);
    if (gh_json_writer_ok(&w)) {
        text[head + w.len] = '\n';
        if (write(STDERR_FILENO, text, head + w.len + 1) < 0) {
            return;                      /* nobody reads it: the agent goes on */
        }
    }
}

void
gh_log(gh_log_level_t level, const char *what, ...)
{
    va_list pairs;

    if (level <= log_state.most) {
        va_start(pairs, what);
        line(level, what, NULL, pairs);
        va_end(pairs);
    }
}

void
gh_log_error(gh_log_level_t level, const char *what, const gh_error_t *error, ...)
{
    va_list pairs;

    if (level <= log_state.most) {
        va_start(pairs, error);
        line(level, what, error, pairs);
        va_end(pairs);
    }
}
