#include "policy/audit/record_write.h"

void
gh_record_head(gh_json_writer_t *w, const char *type, uint64_t now_ms, gh_str_t id)
{
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "v", 1);
    gh_json_kv_string(w, "type", gh_str_from(type));
    gh_json_kv_u64(w, "t", now_ms);
    gh_json_kv_string(w, "id", id);
}

void
gh_record_string(gh_json_writer_t *w, const char *key, gh_str_t s)
{
    if (s.len != 0) {
        gh_json_kv_string(w, key, s);
    }
}

void
gh_record_cut(gh_json_writer_t *w, const char *key, const char *length_key, gh_str_t s, size_t max)
{
    gh_str_t cut = s;

    if (s.len > max) {
        cut.len = max;
        while (cut.len != 0 && ((unsigned char) s.data[cut.len] & 0xc0) == 0x80) {
            cut.len--;
        }
    }

    gh_json_kv_string(w, key, cut);
    if (cut.len != s.len) {
        gh_json_kv_u64(w, length_key, s.len);
    }
}

unsigned
gh_record_places(gh_json_writer_t *w, const char *key, gh_places_t places, unsigned max)
{
    unsigned written = 0;
    int      country;

    gh_json_key(w, key);
    gh_json_begin_array(w);

    if (gh_places_has_unknown(places)) {
        gh_json_string(w, GH_STR("?"));
        places = gh_places_none();

    } else if (gh_places_equal(places, gh_places_anywhere())) {
        gh_json_string(w, GH_STR("ANYWHERE"));
        places = gh_places_none();
    }

    for (country = 0; country < GH_COUNTRIES && written < max; country++) {
        if (places.word[country / 64] >> (country % 64) & 1) {
            gh_json_string(w, (gh_str_t) { gh_country_codes[country], 2 });
            written++;
        }
    }

    gh_json_end_array(w);

    return gh_places_count(places) - written;
}

void
gh_record_store(gh_json_writer_t *w, bool nothing, gh_places_t store)
{
    if (nothing) {
        gh_json_kv_string(w, "store", GH_STR("nothing"));
    } else {
        gh_record_places(w, "store", store, GH_COUNTRIES);
    }
}

static void
record_dispatch(gh_json_writer_t *w, const gh_record_attempt_t *attempt)
{
    gh_json_kv_string(w, "deployment", attempt->deployment);
    gh_json_kv_string(w, "upstream_model", attempt->upstream_model);
    gh_json_kv_u64(w, "revision", attempt->revision);
}

void
gh_record_attempt(gh_json_writer_t *w, gh_str_t id, uint64_t now_ms, unsigned number,
    const gh_record_attempt_t *attempt)
{
    unsigned i;

    gh_record_head(w, "attempt", now_ms, id);
    gh_json_kv_u64(w, "number", number);
    record_dispatch(w, attempt);
    gh_record_places(w, "process", attempt->process, GH_COUNTRIES);
    gh_record_store(w, attempt->store_nothing, attempt->store);

    if (attempt->rules != NULL) {
        gh_json_key(w, "rules");
        gh_json_begin_array(w);
        for (i = 0; i < attempt->rule_count; i++) {
            gh_json_string(w, attempt->rules[i]);
        }
        gh_json_end_array(w);
    }

    gh_json_end_object(w);
}

static void
record_time(gh_json_writer_t *w, const char *key, int64_t us)
{
    if (us >= 0) {
        gh_json_kv_u64(w, key, (uint64_t) us);
    }
}

static void
record_tried(gh_json_writer_t *w, const gh_record_attempt_t *attempt)
{
    gh_json_begin_object(w);
    record_dispatch(w, attempt);
    if (attempt->status != 0) {
        gh_json_kv_u64(w, "status", (uint64_t) attempt->status);
    }
    if (attempt->error != NULL) {
        gh_json_kv_string(w, "error", gh_str_from(attempt->error));
    }
    gh_json_kv_bool(w, "cached", attempt->cached);
    gh_json_kv_u64(w, "sent", attempt->sent);
    gh_json_kv_u64(w, "received", attempt->received);
    record_time(w, "connect_us", attempt->connect_us);
    record_time(w, "first_byte_us", attempt->first_byte_us);
    record_time(w, "total_us", attempt->total_us);
    if (attempt->backend_request_id.len != 0) {
        gh_record_cut(w, "request_id", "request_id_bytes", attempt->backend_request_id, GH_RECORD_WHERE);
    }
    gh_json_end_object(w);
}

static void
record_usage(gh_json_writer_t *w, const gh_usage_t *usage)
{
    gh_json_key(w, "usage");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "input", usage->input);
    gh_json_kv_u64(w, "cached", usage->cached);
    gh_json_kv_u64(w, "cache_write", usage->cache_write);
    gh_json_kv_u64(w, "output", usage->output);
    gh_json_kv_u64(w, "reasoning", usage->reasoning);
    gh_json_kv_string(w, "source", GH_STR("reported"));
    gh_json_end_object(w);
}

void
gh_record_outcome(gh_json_writer_t *w, const gh_record_outcome_t *outcome)
{
    unsigned i;

    gh_record_head(w, "outcome", outcome->now_ms, outcome->id);
    gh_json_kv_u64(w, "status", (uint64_t) outcome->status);
    if (outcome->code != NULL) {
        gh_json_kv_string(w, "code", gh_str_from(outcome->code));
    }
    gh_json_kv_string(w, "end", gh_str_from(outcome->end));

    gh_json_key(w, "attempts");
    gh_json_begin_array(w);
    for (i = 0; i < outcome->attempt_count; i++) {
        record_tried(w, &outcome->attempts[i]);
    }
    gh_json_end_array(w);

    if (outcome->usage.reported) {
        record_usage(w, &outcome->usage);
    }
    gh_json_kv_u64(w, "bytes_out", outcome->bytes_out);
    gh_json_end_object(w);
}
