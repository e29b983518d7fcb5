/* Documents written by a test, one after the other in one buffer, each ended by a NUL. */
#ifndef GH_TEST_DOCUMENT_TEXT_H
#define GH_TEST_DOCUMENT_TEXT_H

#include <stdarg.h>
#include <stdio.h>

static char   document_text[1u << 21];
static size_t document_length;

static inline void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void
say(const char *format, ...)
{
    size_t  room = sizeof(document_text) - document_length;
    va_list args;
    int     wrote;

    va_start(args, format);
    wrote = vsnprintf(document_text + document_length, room, format, args);
    va_end(args);
    document_length += wrote < 0 || (size_t) wrote >= room ? room - 1 : (size_t) wrote;
}

/* Ends the document that began at the last call's end, and gives it. */
static inline const char *
say_end(size_t *begin)
{
    const char *document = document_text + *begin;

    say("%c", 0);
    *begin = document_length;
    return document;
}

/* Everything said was kept. */
static inline int
say_fitted(void)
{
    return document_length + 1 < sizeof(document_text);
}

#endif
