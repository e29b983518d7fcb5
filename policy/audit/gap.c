#include "policy/audit/gap.h"

#include <string.h>

#define COUNTS_MAX UINT32_MAX         /* as a slot has them */

/* ---- counting ---- */

static bool
same_name(const char *name, gh_str_t text)
{
    return strlen(name) == text.len && memcmp(name, text.data, text.len) == 0;
}

static void
keep_name(char name[GH_GAP_NAME], gh_str_t text)
{
    size_t len = text.len < GH_GAP_NAME ? text.len : GH_GAP_NAME - 1;

    memcpy(name, text.data, len);
    name[len] = '\0';
}

static gh_gap_counts_t *
counts_of(gh_gap_t *gap, gh_str_t org, gh_str_t tenant)
{
    for (unsigned i = 0; i < gap->tenant_count; i++) {
        if (same_name(gap->tenants[i].tenant, tenant) && same_name(gap->tenants[i].org, org)) {
            return &gap->tenants[i].counts;
        }
    }
    if (gap->tenant_count == GH_GAP_TENANTS) {
        return &gap->more;
    }
    keep_name(gap->tenants[gap->tenant_count].org, org);
    keep_name(gap->tenants[gap->tenant_count].tenant, tenant);

    return &gap->tenants[gap->tenant_count++].counts;
}

/* A clock that was set back widens it. */
static void
widen(gh_gap_t *gap, uint64_t from_ms, uint64_t to_ms)
{
    gap->from_ms = gap->from_ms == 0 || from_ms < gap->from_ms ? from_ms : gap->from_ms;
    gap->to_ms = to_ms > gap->to_ms ? to_ms : gap->to_ms;
}

void
gh_gap_request(gh_gap_t *gap, gh_str_t org, gh_str_t tenant, uint64_t now_ms)
{
    gap->all.requests++;
    counts_of(gap, org, tenant)->requests++;
    widen(gap, now_ms, now_ms);
}

void
gh_gap_attempt(gh_gap_t *gap, gh_str_t org, gh_str_t tenant, uint64_t now_ms)
{
    gap->all.attempts++;
    counts_of(gap, org, tenant)->attempts++;
    widen(gap, now_ms, now_ms);
}

static void
charge(gh_gap_counts_t *counts, const gh_quota_amounts_t *charged)
{
    counts->ended++;
    counts->charged.input += charged->input;
    counts->charged.output += charged->output;
    counts->charged.micro_dollars += charged->micro_dollars;
}

void
gh_gap_ended(gh_gap_t *gap, gh_str_t org, gh_str_t tenant, const gh_quota_amounts_t *charged)
{
    charge(&gap->all, charged);
    charge(counts_of(gap, org, tenant), charged);
}

void
gh_gap_adopt(gh_gap_t *gap, const gh_ledger_gap_t *left)
{
    gap->all.requests += left->requests;
    gap->all.attempts += left->attempts;
    widen(gap, left->from_ms, left->to_ms);
}

gh_ledger_gap_t
gh_gap_of_slot(const gh_gap_t *gap)
{
    gh_ledger_gap_t of = { .from_ms = gap->from_ms, .to_ms = gap->to_ms };

    of.requests = (uint32_t) (gap->all.requests < COUNTS_MAX ? gap->all.requests : COUNTS_MAX);
    of.attempts = (uint32_t) (gap->all.attempts < COUNTS_MAX ? gap->all.attempts : COUNTS_MAX);

    return of;
}

/* ---- its line ---- */

static void
write_counts(gh_json_writer_t *w, const gh_gap_counts_t *counts)
{
    gh_json_kv_u64(w, "requests", counts->requests);
    if (counts->attempts != 0) {
        gh_json_kv_u64(w, "attempts", counts->attempts);
    }
    if (counts->ended == 0) {
        return;
    }
    gh_json_kv_u64(w, "ended", counts->ended);
    gh_json_key(w, "charged");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "input", counts->charged.input);
    gh_json_kv_u64(w, "output", counts->charged.output);
    gh_json_kv_u64(w, "tokens", gh_quota_tokens(&counts->charged));
    gh_json_kv_u64(w, "micro_dollars", counts->charged.micro_dollars);
    gh_json_end_object(w);
}

static bool
empty(const gh_gap_counts_t *counts)
{
    return counts->requests == 0 && counts->attempts == 0 && counts->ended == 0;
}

static void
write_tenants(gh_json_writer_t *w, const gh_gap_t *gap)
{
    if (gap->tenant_count != 0) {
        gh_json_key(w, "tenants");
        gh_json_begin_array(w);
        for (unsigned i = 0; i < gap->tenant_count; i++) {
            gh_json_begin_object(w);
            gh_json_kv_string(w, "org", gh_str_from(gap->tenants[i].org));
            gh_json_kv_string(w, "tenant", gh_str_from(gap->tenants[i].tenant));
            write_counts(w, &gap->tenants[i].counts);
            gh_json_end_object(w);
        }
        gh_json_end_array(w);
    }
    if (!empty(&gap->more)) {
        gh_json_key(w, "tenants_more");
        gh_json_begin_object(w);
        write_counts(w, &gap->more);
        gh_json_end_object(w);
    }
}

void
gh_gap_write(gh_json_writer_t *w, const gh_gap_t *gap, uint64_t now_ms, uint64_t pid, uint64_t recovered_by)
{
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "v", 1);
    gh_json_kv_string(w, "type", GH_STR("gap"));
    gh_json_kv_u64(w, "t", now_ms);
    if (gh_gap_due(gap)) {
        gh_json_kv_u64(w, "from", gap->from_ms);
        gh_json_kv_u64(w, "to", gap->to_ms);
    }
    gh_json_kv_u64(w, "pid", pid);
    write_counts(w, &gap->all);
    write_tenants(w, gap);
    if (recovered_by != 0) {
        gh_json_kv_u64(w, "recovered_by", recovered_by);
    }
    gh_json_end_object(w);
}

/* ---- what the dead left ---- */

typedef struct {
    const gh_record_options_t *options;
    uint64_t                   recovered_by, now_ms, *lines;
    gh_error_t                *error;
} finish_t;

static int
finish_one(void *context, const gh_ledger_gap_t *left)
{
    finish_t           *finish = context;
    gh_record_options_t options = *finish->options;
    gh_gap_t            gap = { 0 };
    char                buffer[GH_RECORD_OWED];
    gh_json_writer_t    w;
    gh_record_t        *record;
    int                 status;

    options.epoch_ms = finish->now_ms;        /* a chain of its own, which the dead one cannot have begun */
    options.pid = left->pid;
    options.worker = 0;
    options.recovered_by = finish->recovered_by;
    options.segment_bytes = GH_RECORD_SEGMENT_MIN;
    options.sync = false;
    record = gh_record_open(&options);
    if (record == NULL) {
        return gh_error_set(finish->error, "out_of_memory", "no memory to write a gap of the record");
    }

    gh_gap_adopt(&gap, left);
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_gap_write(&w, &gap, finish->now_ms, left->pid, finish->recovered_by);
    status = gh_record_append(record, (gh_str_t) { w.data, w.len }, finish->error);
    *finish->lines += status == GH_OK;
    gh_record_close(record);

    return status;
}

int
gh_gaps_finish(gh_ledger_t *ledger, const gh_record_options_t *options, uint64_t recovered_by, uint64_t now_ms, uint64_t *lines, gh_error_t *error)
{
    finish_t finish = { options, recovered_by, now_ms, lines, error };

    return gh_ledger_gaps(ledger, finish_one, &finish, error);
}
