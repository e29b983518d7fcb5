/* What the lines of the record share. Private to policy/audit. */
#ifndef GH_RECORD_WRITE_H
#define GH_RECORD_WRITE_H

#include "policy/audit/record.h"

#define GH_RECORD_NAME  512   /* bytes of a model as sent */
#define GH_RECORD_WHERE 192   /* bytes of the place of a feature, or of a backend's request id */

/* {"v":1,"type":...,"t":...,"id":... of an object left open. */
void gh_record_head(gh_json_writer_t *w, const char *type, uint64_t now_ms, gh_str_t id);

/* Nothing when s is empty. */
void gh_record_string(gh_json_writer_t *w, const char *key, gh_str_t s);

/* Text from outside, cut at max bytes; length_key then says how many bytes it had. */
void gh_record_cut(gh_json_writer_t *w, const char *key, const char *length_key, gh_str_t s, size_t max);

/* ["?"], ["ANYWHERE"] or at most max codes. Returns how many were left out. */
unsigned gh_record_places(gh_json_writer_t *w, const char *key, gh_places_t places, unsigned max);

/* "store": "nothing" or the places. */
void gh_record_store(gh_json_writer_t *w, bool nothing, gh_places_t store);

#endif
