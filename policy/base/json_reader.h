/*
 * A strict JSON pull reader (RFC 8259): one pass, no tree, no allocation, spans
 * into the original bytes. Strict means: UTF-8 only (no BOM, no overlong forms,
 * no surrogates in UTF-8), lone \u surrogates refused, \u0000 refused, control bytes in strings
 * refused, no trailing bytes but white space, number grammar exact and exponents whose value is not a finite
 * double refused.
 *
 * Duplicate keys are not seen here: an object's reader says which keys it knows
 * (gh_json_seen_t below makes refusing duplicates one line, for unknown keys as well).
 */
#ifndef GH_JSON_READER_H
#define GH_JSON_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_JSON_MAX_DEPTH 128   /* of nested objects and arrays */

typedef enum {
    GH_JSON_ERROR = 0,          /* reader->error_code / error_offset say why; stays */
    GH_JSON_END,                /* the whole text was one value; stays */
    GH_JSON_OBJECT_BEGIN,
    GH_JSON_OBJECT_END,
    GH_JSON_ARRAY_BEGIN,
    GH_JSON_ARRAY_END,
    GH_JSON_KEY,                /* token is the key without quotes, escapes undecoded */
    GH_JSON_STRING,             /* token likewise */
    GH_JSON_NUMBER,             /* token is the original spelling */
    GH_JSON_TRUE,
    GH_JSON_FALSE,
    GH_JSON_NULL
} gh_json_event_t;

typedef struct {
    const char     *start;
    const char     *pos;
    const char     *end;
    gh_json_event_t event;        /* the last one returned */
    gh_str_t        token;        /* of KEY, STRING, NUMBER */
    size_t          token_offset; /* of the token's first byte, a string's opening quote included, or of { [ } ] t f n, from start */
    size_t          token_end;    /* offset one past the token's last byte, a string's closing quote included */
    bool            escaped;      /* the token holds a backslash */
    uint32_t        depth;        /* open objects and arrays, after the event */
    uint32_t        max_depth;    /* <= GH_JSON_MAX_DEPTH */
    const char     *error_code;   /* static, e.g. "unexpected byte", "depth above 128" */
    size_t          error_offset;
    bool            lone_surrogates;  /* set after init: one half of a pair alone is no error (of streams, which may cut between them) */
    uint64_t        spare;        /* bytes so far that carry nothing: white space between tokens, and what escapes take above what they stand for */
    size_t          token_spare;  /* of them, in the token */
    uint32_t        state;        /* private */
    uint64_t        stack[GH_JSON_MAX_DEPTH / 64]; /* private: 1 bit a level, set for objects */
} gh_json_reader_t;

/* text is borrowed for the reader's life. max_depth 0 means GH_JSON_MAX_DEPTH. */
void gh_json_reader_init(gh_json_reader_t *reader, gh_str_t text, uint32_t max_depth);

gh_json_event_t gh_json_next(gh_json_reader_t *reader);

/*
 * Skips one value, checking it. After KEY, or inside an array before an element: skips the value to
 * come. After OBJECT_BEGIN or ARRAY_BEGIN: use gh_json_skip_rest instead.
 * GH_OK or GH_ERROR (reader->error_code is set).
 */
int gh_json_skip(gh_json_reader_t *reader);

/* After OBJECT_BEGIN / ARRAY_BEGIN: to the matching end, included. */
int gh_json_skip_rest(gh_json_reader_t *reader);

/* Token compared decoded with UTF-8 text, so that "mod\u0065l" equals "model". */
static inline bool gh_json_token_is(const gh_json_reader_t *reader, gh_str_t text);

/*
 * Decodes the token into buffer (size bytes). The result borrows the original when nothing is escaped, else buffer.
 * GH_ERROR when it does not fit.
 */
int gh_json_token_decode(const gh_json_reader_t *reader, char *buffer, size_t size, gh_str_t *out);

/* A NUMBER that is an integer 0..2^63-1 ("1e3", "1.0" are not: GH_ERROR). */
int gh_json_token_u64(const gh_json_reader_t *reader, uint64_t *out);

/* 1-based line and byte column of an offset. */
void gh_json_position(gh_str_t text, size_t offset, uint32_t *line, uint32_t *column);

/*
 * Duplicate keys of one object: a set of 64-bit hashes of *decoded* keys, open addressing. An object with more
 * than GH_JSON_MAX_KEYS keys is refused. A hash collision reads as a duplicate (refused, never passed).
 */
#define GH_JSON_MAX_KEYS 128
typedef struct {
    uint64_t hash[GH_JSON_MAX_KEYS * 2];
    uint32_t count;
} gh_json_seen_t;

void gh_json_seen_init(gh_json_seen_t *seen);

/* For the reader's current KEY: GH_OK, or GH_ERROR with reader->error_code "duplicate key" or "too many keys". */
int gh_json_seen_add(gh_json_seen_t *seen, gh_json_reader_t *reader);

/* ---- what has to be seen to be inlined ---- */

bool gh_json_token_is_escaped(const gh_json_reader_t *reader, gh_str_t text);   /* private */

/* The length of a literal is known then, and its comparison a few words. */
static inline __attribute__((always_inline)) bool
gh_json_token_is(const gh_json_reader_t *reader, gh_str_t text)
{
    if (__builtin_expect(reader->escaped, 0)) {
        return gh_json_token_is_escaped(reader, text);
    }

    return reader->token.len == text.len && (text.len == 0 || memcmp(reader->token.data, text.data, text.len) == 0);
}

#endif
