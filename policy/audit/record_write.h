/* What the lines of the record share. Private to policy/audit. */
#ifndef GH_RECORD_WRITE_H
#define GH_RECORD_WRITE_H

#include "policy/audit/record.h"

#define GH_RECORD_NAME  512   /* bytes of a model as sent */
#define GH_RECORD_WORDY 16    /* targets of a model: of more only as many bits are written, and the first of the route */
#define GH_RECORD_WHERE 192   /* bytes of the place of a feature, or of a backend's request id */

/* {"v":1,"type":...,"t":...,"id":... of an object left open. */
void gh_record_head(gh_json_writer_t *w, const char *type, uint64_t now_ms, gh_str_t id);

/* Is the line of such a decision always abridged? */
static inline bool
gh_record_wordless(const gh_decision_t *decision)
{
    return decision->target_count > GH_RECORD_WORDY;
}

/* Nothing when s is empty. */
GH_JSON_INLINE void
gh_record_string(gh_json_writer_t *w, const char *key, gh_str_t s)
{
    if (s.len != 0) {
        gh_json_kv_string(w, key, s);
    }
}

/* Text from outside, cut at max bytes; length_key then says how many bytes it had. */
void gh_record_cut(gh_json_writer_t *w, const char *key, const char *length_key, gh_str_t s, size_t max);

/* ["?"], ["ANYWHERE"] or at most max codes. Returns how many were left out. */
unsigned gh_record_places(gh_json_writer_t *w, const char *key, gh_places_t places, unsigned max);

/* "store": "nothing" or the places. */
void gh_record_store(gh_json_writer_t *w, bool nothing, gh_places_t store);

/* "operation"; nothing of CREATE. */
void gh_record_operation(gh_json_writer_t *w, gh_operation_t operation);

/* "revision" to "deployments" of a decision: what it was judged by, the route, and why other targets are none. */
void gh_record_verdict(gh_json_writer_t *w, const gh_record_request_t *request, bool abridged);

/* "session", "state_sessions": which session the request belongs to, and whose state it uses besides; nothing of a request of none. */
void gh_record_session(gh_json_writer_t *w, const gh_intake_t *intake);

/* What others know, into the object that is open. */
void gh_record_members(gh_json_writer_t *w, gh_record_members_t members);

#endif
