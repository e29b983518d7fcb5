/*
 * Checks for unit tests: a failed one is printed and counted, the test goes on. A test is a main() that ends in
 * `return check_done("name");`.
 */
#ifndef GH_CHECK_H
#define GH_CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "policy/base/str.h"

static unsigned check_passed, check_failed;

static inline int
check_one(int ok, const char *file, int line, const char *what)
{
    if (ok) {
        check_passed++;
    } else {
        check_failed++;
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}

static inline int
check_str(gh_str_t got, gh_str_t expected, const char *file, int line, const char *what)
{
    int ok = gh_str_eq(got, expected);

    check_one(ok, file, line, what);
    if (!ok) {
        fprintf(stderr, "    got      \"%.*s\"\n    expected \"%.*s\"\n", GH_STR_ARG(got), GH_STR_ARG(expected));
    }
    return ok;
}

static inline int
check_int(int64_t got, int64_t expected, const char *file, int line, const char *what)
{
    int ok = got == expected;

    check_one(ok, file, line, what);
    if (!ok) {
        fprintf(stderr, "    got %" PRId64 ", expected %" PRId64 "\n", got, expected);
    }
    return ok;
}

/* All are expressions: 1 when it held, so that a test may stop early. */
#define CHECK(cond)              check_one((cond) ? 1 : 0, __FILE__, __LINE__, #cond)
#define CHECK_INT(got, expected) check_int((int64_t) (got), (int64_t) (expected), __FILE__, __LINE__, #got " == " #expected)
/* a gh_str_t against a C string */
#define CHECK_STR(got, expected) check_str((got), gh_str_from(expected), __FILE__, __LINE__, #got " == " #expected)
#define CHECK_MEM(got, expected, len) \
    check_one(memcmp((got), (expected), (len)) == 0, __FILE__, __LINE__, #got " == " #expected)

static inline int
check_done(const char *name)
{
    printf("%s: %u passed, %u failed\n", name, check_passed, check_failed);
    return check_failed != 0;
}

#endif
