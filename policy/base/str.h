/*
 * Strings are pointer + length, never NUL-terminated by contract.
 * A gh_str_t borrows: whoever owns the bytes must outlive it.
 */
#ifndef GH_STR_H
#define GH_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/base/arena.h"

typedef struct {
    const char *data;
    size_t      len;
} gh_str_t;

/* A gh_str_t over a string literal. */
#define GH_STR(literal) ((gh_str_t) { (literal), sizeof(literal) - 1 })

/* For printf("%.*s", GH_STR_ARG(s)); lengths above INT_MAX are cut. */
#define GH_STR_ARG(s) (int) ((s).len > 0x7fffffff ? 0x7fffffff : (s).len), (s).data

gh_str_t gh_str_from(const char *c_string);

/* Byte-exact; no case or Unicode folding. */
bool gh_str_eq(gh_str_t a, gh_str_t b);
bool gh_str_is(gh_str_t a, const char *c_string);

/* ASCII case-insensitive, for HTTP header names only. */
bool gh_str_eq_nocase(gh_str_t a, gh_str_t b);

bool gh_str_starts(gh_str_t s, gh_str_t prefix);

/* memcmp order, shorter first on a tie: <0, 0, >0. */
int gh_str_cmp(gh_str_t a, gh_str_t b);

/* Space and tab removed at both ends. Borrows from s. */
gh_str_t gh_str_trim(gh_str_t s);

/* A copy owned by the arena, NUL-terminated for convenience (len excludes it).
 * data == NULL when the arena is out of memory. */
gh_str_t gh_str_copy(gh_arena_t *arena, gh_str_t s);

/* One behind the other, NUL-terminated as a copy is. data == NULL when out of memory. */
gh_str_t gh_str_join(gh_arena_t *arena, const gh_str_t *parts, size_t count);

/* printf into the arena. data == NULL when out of memory. Slow: not for what every request does. */
gh_str_t gh_str_format(gh_arena_t *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The candidate nearest to word by Damerau-Levenshtein distance over bytes, or
 * an empty string when none is near (distance > 1 + len/3). Words above 64 bytes have no near one.
 */
gh_str_t gh_str_nearest(gh_str_t word, const gh_str_t *candidates, size_t count);

/*
 * Bytes of the UTF-8 sequence at p (RFC 3629): 1..4, or 0 when it is not well-formed (overlong forms,
 * surrogates, above U+10FFFF, cut by end). p < end.
 */
size_t gh_utf8_sequence(const char *p, const char *end);

/* All of it is such sequences. */
bool gh_utf8_valid(gh_str_t s);

#define GH_STR_DIGITS 20   /* of 2^64 - 1 */
/* Decimal digits of n, which stand in the caller's buffer. */
gh_str_t gh_str_u64(uint64_t n, char digits[GH_STR_DIGITS]);
/* How many there are. What lies behind them, up to GH_STR_DIGITS, may be overwritten. */
size_t gh_u64_put(uint64_t n, char out[GH_STR_DIGITS]);

#endif
