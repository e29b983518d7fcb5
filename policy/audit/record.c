#include "policy/audit/record_write.h"

#include "policy/audit/line.h"
#include "policy/base/hash.h"

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

    for (unsigned word = 0; word < sizeof(places.word) / sizeof(places.word[0]); word++) {
        for (uint64_t bits = places.word[word]; bits != 0 && written < max; bits &= bits - 1) {
            country = (int) (64 * word) + __builtin_ctzll(bits);
            if (country < GH_COUNTRIES) {
                gh_json_string(w, (gh_str_t) { gh_country_codes[country], 2 });
                written++;
            }
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

void
gh_record_members(gh_json_writer_t *w, gh_record_members_t members)
{
    if (members.write != NULL) {
        members.write(w, members.context);
    }
}

void
gh_record_operation(gh_json_writer_t *w, gh_operation_t operation)
{
    if (operation != GH_OPERATION_CREATE) {
        gh_json_kv_string(w, "operation", gh_str_from(gh_operation_names[operation]));
    }
}

/* An id that was not given out here, or not for this. */
static void
record_unopened(gh_json_writer_t *w, const gh_intake_unopened_t *unopened)
{
    if (unopened == NULL || unopened->code == NULL) {
        return;
    }
    gh_json_key(w, "unopened");
    gh_json_begin_object(w);
    gh_json_kv_string(w, "why", gh_str_from(unopened->code));
    gh_record_cut(w, "where", "where_bytes", unopened->where, GH_RECORD_WHERE);
    gh_record_string(w, "deployment", unopened->deployment);
    gh_json_end_object(w);
}

void
gh_record_undecided(gh_json_writer_t *w, const gh_record_undecided_t *undecided)
{
    gh_record_head(w, "decision", undecided->now_ms, undecided->id);
    gh_json_kv_plain(w, "verdict", GH_STR("deny"));
    gh_json_kv_string(w, "org", undecided->identity->org);
    gh_json_kv_string(w, "tenant", undecided->identity->tenant);
    gh_json_kv_string(w, "app", undecided->identity->app);
    gh_json_kv_string(w, "key", undecided->identity->key);
    gh_record_string(w, "user", undecided->identity->user);
    gh_json_kv_string(w, "endpoint", gh_str_from(gh_endpoint_names[undecided->endpoint]));
    gh_json_kv_string(w, "dialect", gh_str_from(gh_endpoint_dialect(undecided->endpoint)));
    gh_record_operation(w, undecided->operation);
    gh_json_kv_string(w, "code", gh_str_from(undecided->code));
    record_unopened(w, undecided->unopened);
    gh_record_members(w, undecided->more);
    if (undecided->skipped != 0) {
        gh_json_kv_u64(w, "skipped", undecided->skipped);
    }
    gh_json_kv_string(w, "node", undecided->node);
    gh_json_end_object(w);
}

static void
record_dispatch(gh_json_writer_t *w, const gh_record_attempt_t *attempt)
{
    gh_json_kv_string(w, "deployment", attempt->deployment);
    gh_json_kv_string(w, "upstream_model", attempt->upstream_model);
    gh_json_kv_u64(w, "revision", attempt->revision);
    if (attempt->upstream_endpoint != NULL) {
        gh_json_kv_string(w, "upstream_endpoint", gh_str_from(attempt->upstream_endpoint));
        gh_json_kv_string(w, "upstream_dialect", gh_str_from(attempt->upstream_dialect));
    }
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

    gh_record_members(w, attempt->reserve);
    gh_json_end_object(w);
}

GH_JSON_INLINE void
record_time(gh_json_writer_t *w, const char *key, int64_t us)
{
    if (us >= 0) {
        gh_json_kv_u64(w, key, (uint64_t) us);
    }
}

#define RECORD_CHAIN  128             /* what the chain puts in front, and the newline */
#define OUTCOME_MODEL 64              /* bytes of an upstream model in an outcome that has to be short */
#define OUTCOME_TRIED 4               /* attempts at each end of one that has to be shorter still */

static void
record_number(gh_json_writer_t *w, const char *key, int64_t number)
{
    if (number >= 0) {
        gh_json_kv_u64(w, key, (uint64_t) number);
    }
}

static void
record_said(gh_json_writer_t *w, const gh_record_said_t *said)
{
    static const char *const names[GH_RECORD_ALLOWANCES] = { "requests", "tokens", "input_tokens", "output_tokens" };

    gh_json_key(w, "provider");
    gh_json_begin_object(w);
    gh_record_string(w, "region", said->region);
    gh_record_string(w, "deployment", said->deployment);
    for (unsigned i = 0; i < GH_RECORD_ALLOWANCES; i++) {
        const gh_record_allowance_t *allowance = &said->allowance[i];

        if (allowance->limit >= 0 || allowance->remaining >= 0 || allowance->reset_ms >= 0) {
            gh_json_key(w, names[i]);
            gh_json_begin_object(w);
            record_number(w, "limit", allowance->limit);
            record_number(w, "remaining", allowance->remaining);
            record_number(w, "reset_ms", allowance->reset_ms);
            gh_json_end_object(w);
        }
    }
    gh_json_end_object(w);
}

static void
record_tried(gh_json_writer_t *w, const gh_record_attempt_t *attempt, int abridged)
{
    gh_json_begin_object(w);
    if (abridged == 0) {
        record_dispatch(w, attempt);
    } else {
        gh_json_kv_string(w, "deployment", attempt->deployment);
        gh_record_cut(w, "upstream_model", "upstream_model_bytes", attempt->upstream_model, OUTCOME_MODEL);
        gh_json_kv_u64(w, "revision", attempt->revision);
    }
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
    if (abridged == 0 && attempt->backend_request_id.len != 0) {
        gh_record_cut(w, "request_id", "request_id_bytes", attempt->backend_request_id, GH_RECORD_WHERE);
    }
    if (abridged == 0 && attempt->said != NULL) {
        record_said(w, attempt->said);
    }
    gh_record_members(w, attempt->charged);
    gh_json_end_object(w);
}

static void
record_usage(gh_json_writer_t *w, const gh_usage_t *usage, const char *source)
{
    gh_json_key(w, "usage");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "input", usage->input);
    gh_json_kv_u64(w, "cached", usage->cached);
    gh_json_kv_u64(w, "cache_write", usage->cache_write);
    gh_json_kv_u64(w, "output", usage->output);
    gh_json_kv_u64(w, "reasoning", usage->reasoning);
    if (usage->cached_outside) {
        gh_json_kv_bool(w, "cached_outside", true);
    }
    if (usage->reasoning_outside) {
        gh_json_kv_bool(w, "reasoning_outside", true);
    }
    if (usage->audio_input != 0 || usage->audio_output != 0) {
        gh_json_kv_u64(w, "audio_input", usage->audio_input);
        gh_json_kv_u64(w, "audio_output", usage->audio_output);
    }
    if (source != NULL) {
        gh_json_kv_string(w, "source", gh_str_from(source));
    }
    gh_json_end_object(w);
}

static void
record_response(gh_json_writer_t *w, const gh_record_response_t *response)
{
    if (response->id.len == 0) {
        return;
    }
    gh_json_key(w, "response");
    gh_json_begin_object(w);
    gh_record_cut(w, "id", "id_bytes", response->id, GH_RECORD_WHERE);
    gh_record_string(w, "status", response->status);
    if (response->usage.reported) {
        record_usage(w, &response->usage, NULL);
    }
    gh_json_end_object(w);
}

static void
record_outcome(gh_json_writer_t *w, const gh_record_outcome_t *outcome, int abridged)
{
    unsigned i, count = outcome->attempt_count, skipped = 0;

    gh_record_head(w, "outcome", outcome->now_ms, outcome->id);
    gh_json_kv_u64(w, "status", (uint64_t) outcome->status);
    if (outcome->code != NULL) {
        gh_json_kv_string(w, "code", gh_str_from(outcome->code));
    }
    gh_json_kv_string(w, "end", gh_str_from(outcome->end));

    gh_json_key(w, "attempts");
    gh_json_begin_array(w);
    for (i = 0; i < count; i++) {
        if (abridged == 2 && i >= OUTCOME_TRIED && i + OUTCOME_TRIED < count) {
            skipped++;
        } else {
            record_tried(w, &outcome->attempts[i], abridged);
        }
    }
    gh_json_end_array(w);
    if (skipped != 0) {
        gh_json_kv_u64(w, "attempts_more", skipped);
    }

    if (outcome->usage_source != NULL) {
        record_usage(w, &outcome->usage, outcome->usage_source);
    }
    gh_record_members(w, outcome->more);
    gh_json_kv_u64(w, "bytes_out", outcome->bytes_out);
    record_response(w, &outcome->response);
    gh_json_end_object(w);
}

void
gh_record_outcome(gh_json_writer_t *w, const gh_record_outcome_t *outcome)
{
    const gh_json_writer_t before = *w;

    for (int abridged = 0; abridged <= 2; abridged++) {
        *w = before;
        record_outcome(w, outcome, abridged);
        if (gh_json_writer_ok(w) && w->len - before.len + RECORD_CHAIN <= GH_RECORD_OWED) {
            return;
        }
    }
}

#define LOST_RESERVE 6000             /* bytes of a "reserve" that is copied */

void
gh_record_lost(gh_json_writer_t *w, const gh_record_lost_t *lost)
{
    gh_record_head(w, "lost", lost->now_ms, lost->id);
    gh_json_kv_string(w, "segment", lost->segment);
    gh_json_kv_u64(w, "number", lost->number);

    if (lost->reserve.len > LOST_RESERVE) {
        gh_json_kv_u64(w, "reserve_bytes", lost->reserve.len);
    } else if (lost->reserve.len != 0) {
        gh_json_key(w, "reserve");
        gh_json_raw(w, lost->reserve);
    }
    if (lost->charged.len != 0 && lost->charged.len <= GH_RECORD_OWED - LOST_RESERVE - 800) {
        gh_json_key(w, "charged");
        gh_json_raw(w, lost->charged);
    }
    gh_json_end_object(w);
}

void
gh_record_change(gh_json_writer_t *w, uint64_t now_ms, const uint8_t store_id[16], gh_str_t entry)
{
    static const char *const members[] = { "actor", "what", "subject" };
    char                     id[32];

    gh_hex(store_id, 16, id);

    gh_json_begin_object(w);
    gh_json_kv_u64(w, "v", 1);
    gh_json_kv_string(w, "type", GH_STR("change"));
    gh_json_kv_u64(w, "t", now_ms);
    gh_json_kv_u64(w, "number", gh_line_number(entry, "number"));
    gh_json_kv_u64(w, "at", gh_line_number(entry, "t"));
    gh_json_kv_string(w, "store", (gh_str_t) { id, sizeof(id) });
    for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        gh_str_t value = gh_line_member(entry, members[i]);

        if (value.len != 0) {
            gh_json_key(w, members[i]);
            gh_json_raw(w, value);
        }
    }
    gh_json_end_object(w);
}
