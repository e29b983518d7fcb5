/*
 * Writes JSON into a bounded buffer: used for records, explain and error bodies. Commas and quoting are its
 * business. Overflow is remembered, never written past: check gh_json_writer_ok at the end.
 *
 * Two lines of the record are made for every request, so that what is known when this is compiled stays out of the way then: a key is one
 * copy of known length, and one look at the room that is left.
 */
#ifndef GH_JSON_WRITER_H
#define GH_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "policy/base/str.h"

/*
 * Where texts of many lines are alike: runs of bytes that are the same in all of them but for its holes, values that are not. In the order of their
 * bytes, one run behind the other. What does not fit has no marks (`full`): the text is the same.
 */
#define GH_JSON_RUNS  2
#define GH_JSON_HOLES 128

typedef struct { uint16_t begin, end; } gh_json_span_t;

typedef struct {
    unsigned       runs;              /* that have ended */
    unsigned       holes;
    unsigned       until[GH_JSON_RUNS];   /* holes of the run, and of those before it */
    uint64_t       serial[GH_JSON_RUNS];  /* of the run's text without its holes, see gh_json_run_is; 0: not known */
    bool           open, full;        /* private */
    gh_json_span_t run[GH_JSON_RUNS], hole[GH_JSON_HOLES];
} gh_json_marks_t;

typedef struct {
    char    *data;
    size_t   size;        /* private: the length from an overflow on, so that nothing fits any more */
    size_t   len;
    bool     overflow;
    bool     comma;       /* private: a comma is due before the next value */
    gh_json_marks_t *marks;   /* borrowed; NULL: none are made */
} gh_json_writer_t;

void gh_json_writer_init(gh_json_writer_t *w, char *buffer, size_t size);
bool gh_json_writer_ok(const gh_json_writer_t *w);

static inline void gh_json_begin_object(gh_json_writer_t *w);
static inline void gh_json_end_object(gh_json_writer_t *w);
static inline void gh_json_begin_array(gh_json_writer_t *w);
static inline void gh_json_end_array(gh_json_writer_t *w);
/* A name of the format: nothing in it has to be escaped. One from outside goes through gh_json_key_text. */
static inline void gh_json_key(gh_json_writer_t *w, const char *key);
void gh_json_key_text(gh_json_writer_t *w, gh_str_t key);
/* Escapes ", \, control bytes, DEL, U+2028, U+2029; bytes that are not UTF-8 become U+FFFD. */
void gh_json_string(gh_json_writer_t *w, gh_str_t s);
/* One that has nothing to escape: a digest, a country, a word of ours. */
static inline void gh_json_plain(gh_json_writer_t *w, gh_str_t s);
void gh_json_u64(gh_json_writer_t *w, uint64_t n);
void gh_json_i64(gh_json_writer_t *w, int64_t n);
static inline void gh_json_bool(gh_json_writer_t *w, bool b);
static inline void gh_json_null(gh_json_writer_t *w);
/* Bytes that already are one JSON value, or members with commas between them for an object that is open. */
static inline void gh_json_raw(gh_json_writer_t *w, gh_str_t json);
/* Bytes that are made once for many lines and end with a key: its value comes next. */
static inline void gh_json_lead(gh_json_writer_t *w, gh_str_t json);

/* From the member that comes next up to the one before gh_json_run_end: a run. Runs do not nest. */
static inline void gh_json_run(gh_json_writer_t *w);
static inline void gh_json_run_end(gh_json_writer_t *w);
/*
 * The open run's text, but for its holes, is the one that had this number before: whoever keeps texts need not compare it. A number is of one text for the
 * life of the process.
 */
static inline void gh_json_run_is(gh_json_writer_t *w, uint64_t serial);
/* Such a number for a text that is new, never 0. */
uint64_t gh_json_serial(void);
/* Whatever was marked is not. */
static inline void gh_json_unmark(gh_json_writer_t *w);
/* A number that is a hole, where a run is open. */
static inline void gh_json_kv_hole(gh_json_writer_t *w, const char *key, uint64_t n);
/* What stands from there (w->len before it) to the end is one. */
static inline void gh_json_hole(gh_json_writer_t *w, size_t begin);

/* key + value in one call */
static inline void gh_json_kv_string(gh_json_writer_t *w, const char *key, gh_str_t s);
static inline void gh_json_kv_plain(gh_json_writer_t *w, const char *key, gh_str_t s);
static inline void gh_json_kv_u64(gh_json_writer_t *w, const char *key, uint64_t n);
static inline void gh_json_kv_bool(gh_json_writer_t *w, const char *key, bool b);

/* ---- what has to be seen to be inlined ---- */

#define GH_JSON_INLINE static inline __attribute__((always_inline))

/* Where the next len bytes go, behind the comma that is due. NULL: they do not fit, and nothing will from now on. */
GH_JSON_INLINE char *
gh_json_room(gh_json_writer_t *w, size_t len)
{
    size_t begin = w->len, comma = w->comma;
    char  *data = w->data;

    if (__builtin_expect(len + comma > w->size - begin, 0)) {
        w->overflow = true;
        w->size = begin;
        return NULL;
    }
    if (comma) {
        data[begin] = ',';
    }
    w->len = begin + comma + len;

    return data + begin + comma;
}

GH_JSON_INLINE void
gh_json_copy(gh_json_writer_t *w, const char *data, size_t len, bool comma)
{
    char *at = gh_json_room(w, len);

    if (at != NULL && len != 0) {
        memcpy(at, data, len);
    }
    w->comma = comma;
}

static inline void
gh_json_begin_object(gh_json_writer_t *w)
{
    gh_json_copy(w, "{", 1, false);
}

static inline void
gh_json_end_object(gh_json_writer_t *w)
{
    w->comma = false;
    gh_json_copy(w, "}", 1, true);
}

static inline void
gh_json_begin_array(gh_json_writer_t *w)
{
    gh_json_copy(w, "[", 1, false);
}

static inline void
gh_json_end_array(gh_json_writer_t *w)
{
    w->comma = false;
    gh_json_copy(w, "]", 1, true);
}

GH_JSON_INLINE void
gh_json_key(gh_json_writer_t *w, const char *key)
{
    size_t len = __builtin_strlen(key);
    char  *at = gh_json_room(w, len + 3);

    if (at != NULL) {
        *at++ = '"';
        memcpy(at, key, len);
        memcpy(at + len, "\":", 2);
    }
    w->comma = false;
}

GH_JSON_INLINE void
gh_json_plain(gh_json_writer_t *w, gh_str_t s)
{
    char *at = gh_json_room(w, s.len + 2);

    if (at != NULL) {
        *at++ = '"';
        if (s.len != 0) {
            memcpy(at, s.data, s.len);
        }
        at[s.len] = '"';
    }
    w->comma = true;
}

GH_JSON_INLINE void
gh_json_raw(gh_json_writer_t *w, gh_str_t json)
{
    gh_json_copy(w, json.data, json.len, true);
}

GH_JSON_INLINE void
gh_json_lead(gh_json_writer_t *w, gh_str_t json)
{
    gh_json_copy(w, json.data, json.len, false);
}

static inline void
gh_json_bool(gh_json_writer_t *w, bool b)
{
    if (b) {
        gh_json_raw(w, GH_STR("true"));
    } else {
        gh_json_raw(w, GH_STR("false"));
    }
}

static inline void
gh_json_null(gh_json_writer_t *w)
{
    gh_json_raw(w, GH_STR("null"));
}

GH_JSON_INLINE void
gh_json_kv_string(gh_json_writer_t *w, const char *key, gh_str_t s)
{
    gh_json_key(w, key);
    gh_json_string(w, s);
}

GH_JSON_INLINE void
gh_json_kv_plain(gh_json_writer_t *w, const char *key, gh_str_t s)
{
    gh_json_key(w, key);
    gh_json_plain(w, s);
}

/* Key, digits and comma after one look at the room; where the most there can be does not fit, what there is may. */
GH_JSON_INLINE void
gh_json_kv_u64(gh_json_writer_t *w, const char *key, uint64_t n)
{
    size_t len = __builtin_strlen(key);
    char  *at = w->data + w->len;

    if (__builtin_expect(w->size - w->len <= len + 3 + GH_STR_DIGITS, 0)) {
        gh_json_key(w, key);
        gh_json_u64(w, n);
        return;
    }
    *at = ',';
    at += w->comma;
    *at++ = '"';
    memcpy(at, key, len);
    memcpy(at + len, "\":", 2);
    at += len + 2;
    at += gh_u64_put(n, at);
    w->len = (size_t) (at - w->data);
    w->comma = true;
}

GH_JSON_INLINE void
gh_json_kv_bool(gh_json_writer_t *w, const char *key, bool b)
{
    gh_json_key(w, key);
    gh_json_bool(w, b);
}

static inline void
gh_json_unmark(gh_json_writer_t *w)
{
    if (w->marks != NULL) {
        w->marks->runs = w->marks->holes = 0;
        w->marks->open = w->marks->full = false;
    }
}

static inline void
gh_json_run(gh_json_writer_t *w)
{
    gh_json_marks_t *marks = w->marks;

    if (marks != NULL && !marks->full) {
        marks->open = marks->runs < GH_JSON_RUNS && w->len < UINT16_MAX;
        marks->full = !marks->open;
        if (marks->open) {
            marks->run[marks->runs].begin = (uint16_t) (w->len + w->comma);
            marks->serial[marks->runs] = 0;
        }
    }
}

static inline void
gh_json_run_is(gh_json_writer_t *w, uint64_t serial)
{
    if (w->marks != NULL && w->marks->open) {
        w->marks->serial[w->marks->runs] = serial;
    }
}

static inline void
gh_json_run_end(gh_json_writer_t *w)
{
    gh_json_marks_t *marks = w->marks;

    if (marks != NULL && marks->open) {
        marks->open = false;
        marks->full = marks->full || w->len > UINT16_MAX;
        marks->run[marks->runs].end = (uint16_t) w->len;
        marks->until[marks->runs] = marks->holes;
        marks->runs += !marks->full;
    }
}

/* What was written from there on. */
GH_JSON_INLINE void
gh_json_hole(gh_json_writer_t *w, size_t begin)
{
    gh_json_marks_t *marks = w->marks;

    if (marks == NULL || !marks->open) {
        return;
    }
    if (marks->holes == GH_JSON_HOLES || w->len > UINT16_MAX) {
        marks->full = true;
        return;
    }
    marks->hole[marks->holes++] = (gh_json_span_t) { (uint16_t) begin, (uint16_t) w->len };
}

GH_JSON_INLINE void
gh_json_kv_hole(gh_json_writer_t *w, const char *key, uint64_t n)
{
    size_t begin = w->len + w->comma + __builtin_strlen(key) + 3;

    gh_json_kv_u64(w, key, n);
    gh_json_hole(w, begin);
}

#endif
