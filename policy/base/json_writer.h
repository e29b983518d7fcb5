/*
 * Writes JSON into a bounded buffer: used for records, explain and error bodies. Commas and quoting are its
 * business. Overflow is remembered, never written past: check gh_json_writer_ok at the end.
 */
#ifndef GH_JSON_WRITER_H
#define GH_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/str.h"

typedef struct {
    char    *data;
    size_t   size;
    size_t   len;
    bool     overflow;
    bool     comma;       /* private: a comma is due before the next value */
} gh_json_writer_t;

void gh_json_writer_init(gh_json_writer_t *w, char *buffer, size_t size);
bool gh_json_writer_ok(const gh_json_writer_t *w);

void gh_json_begin_object(gh_json_writer_t *w);
void gh_json_end_object(gh_json_writer_t *w);
void gh_json_begin_array(gh_json_writer_t *w);
void gh_json_end_array(gh_json_writer_t *w);
void gh_json_key(gh_json_writer_t *w, const char *key);
/* Escapes ", \, control bytes, DEL, U+2028, U+2029; bytes that are not UTF-8 become U+FFFD. */
void gh_json_string(gh_json_writer_t *w, gh_str_t s);
void gh_json_u64(gh_json_writer_t *w, uint64_t n);
void gh_json_i64(gh_json_writer_t *w, int64_t n);
void gh_json_bool(gh_json_writer_t *w, bool b);
void gh_json_null(gh_json_writer_t *w);
/* Bytes that already are one JSON value. */
void gh_json_raw(gh_json_writer_t *w, gh_str_t json);

/* key + value in one call */
void gh_json_kv_string(gh_json_writer_t *w, const char *key, gh_str_t s);
void gh_json_kv_u64(gh_json_writer_t *w, const char *key, uint64_t n);
void gh_json_kv_bool(gh_json_writer_t *w, const char *key, bool b);

#endif
