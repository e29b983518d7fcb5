/*
 * One error: a stable code, where it is, and a sentence. A report: every error and warning of a set
 * of documents, in the order found.
 */
#ifndef GH_ERROR_H
#define GH_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/str.h"

#define GH_ERROR_SOURCE 256
#define GH_ERROR_TEXT   512

typedef struct {
    const char *code;                 /* static: "store_damaged", "json_syntax", ... NULL: no error */
    char        source[GH_ERROR_SOURCE];  /* file or store path, "" when none */
    uint32_t    line;                 /* from 1; 0 when not known */
    uint32_t    column;               /* bytes from 1; 0 when not known */
    char        text[GH_ERROR_TEXT];  /* one sentence, no newline; control bytes of quoted input are escaped */
} gh_error_t;

/* No error. Of what has two texts only their ends are set: requests do this several times each. */
static inline void
gh_error_clear(gh_error_t *error)
{
    error->code = NULL;
    error->source[0] = '\0';
    error->line = 0;
    error->column = 0;
    error->text[0] = '\0';
}

#define GH_OK      0
#define GH_ERROR (-1)

/*
 * Cold: what leads to an error is moved out of the way of what does not, which matters more than how many instructions there are.
 *
 * Fills *error (which may be NULL) and returns GH_ERROR, so that callers can `return gh_error_set(...)`.
 */
int gh_error_set(gh_error_t *error, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* The same with a place. */
int gh_error_at(gh_error_t *error, const char *code, const char *source, uint32_t line,
    uint32_t column, const char *format, ...) __attribute__((format(printf, 6, 7), cold));

typedef enum { GH_SEVERITY_ERROR = 0, GH_SEVERITY_WARNING } gh_severity_t;

typedef struct {
    gh_severity_t severity;
    gh_error_t    error;
} gh_report_item_t;

typedef struct {
    gh_arena_t       *arena;
    gh_report_item_t *items;
    size_t            count;
    size_t            capacity;
    size_t            errors;      /* of count, how many are errors */
    int               no_memory;   /* an item could not be kept: treat as an error */
} gh_report_t;

void gh_report_init(gh_report_t *report, gh_arena_t *arena);

void gh_report_add(gh_report_t *report, gh_severity_t severity, const char *code, const char *source,
    uint32_t line, uint32_t column, const char *format, ...) __attribute__((format(printf, 7, 8), cold));

#endif
