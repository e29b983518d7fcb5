#include "policy/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Control bytes (C1 ones in UTF-8 too: terminals obey them) become \xNN; the cut never splits a UTF-8 sequence. */
static void
error_escape(char *out, size_t size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    const char       *end = text + strlen(text);
    size_t            len = 0, step;
    unsigned char     c;

    while (text < end) {
        step = gh_utf8_sequence(text, end);
        c = (unsigned char) *text;

        if (step == 0 || c < 0x20 || c == 0x7f
            || (step == 2 && c == 0xc2 && (unsigned char) text[1] < 0xa0))
        {
            if (len + 4 >= size) {
                break;
            }
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = hex[c >> 4];
            out[len++] = hex[c & 15];
            text++;

            if (step == 2) {
                if (len + 4 >= size) {
                    break;
                }
                c = (unsigned char) *text++;
                out[len++] = '\\';
                out[len++] = 'x';
                out[len++] = hex[c >> 4];
                out[len++] = hex[c & 15];
            }
            continue;
        }

        if (len + step >= size) {
            break;
        }
        memcpy(out + len, text, step);
        len += step;
        text += step;
    }

    out[len] = '\0';
}

static void
error_fill(gh_error_t *error, const char *code, const char *source, uint32_t line, uint32_t column,
    const char *format, va_list args)
{
    char raw[GH_ERROR_TEXT * 2];
    int  len;

    len = vsnprintf(raw, sizeof(raw), format, args);
    if (len < 0) {
        raw[0] = '\0';
    }

    error->code = code;
    error->line = line;
    error->column = column;
    snprintf(error->source, sizeof(error->source), "%s", source != NULL ? source : "");
    error_escape(error->text, sizeof(error->text), raw);
}

int
gh_error_set(gh_error_t *error, const char *code, const char *format, ...)
{
    va_list args;

    if (error != NULL) {
        va_start(args, format);
        error_fill(error, code, NULL, 0, 0, format, args);
        va_end(args);
    }

    return GH_ERROR;
}

int
gh_error_at(gh_error_t *error, const char *code, const char *source, uint32_t line, uint32_t column,
    const char *format, ...)
{
    va_list args;

    if (error != NULL) {
        va_start(args, format);
        error_fill(error, code, source, line, column, format, args);
        va_end(args);
    }

    return GH_ERROR;
}

void
gh_report_init(gh_report_t *report, gh_arena_t *arena)
{
    memset(report, 0, sizeof(*report));
    report->arena = arena;
}

void
gh_report_add(gh_report_t *report, gh_severity_t severity, const char *code, const char *source,
    uint32_t line, uint32_t column, const char *format, ...)
{
    gh_report_item_t *items;
    size_t            capacity;
    va_list           args;

    if (severity == GH_SEVERITY_ERROR) {
        report->errors++;
    }

    if (report->count == report->capacity) {
        capacity = report->capacity != 0 ? report->capacity * 2 : 8;
        items = gh_arena_grow(report->arena, report->items, report->count, capacity,
            sizeof(gh_report_item_t));
        if (items == NULL) {
            report->no_memory = 1;
            return;
        }
        report->items = items;
        report->capacity = capacity;
    }

    report->items[report->count].severity = severity;

    va_start(args, format);
    error_fill(&report->items[report->count].error, code, source, line, column, format, args);
    va_end(args);

    report->count++;
}
