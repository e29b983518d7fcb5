/* Members of the record's lines: what was reserved, which limit refused, what was charged. */
#include "policy/quota/quota_internal.h"

#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 96

/* The names of a limit, written once for all limits of its kind: every request of a key that has limits writes each of them. */
typedef struct { uint8_t len; char text[NAMED_MAX]; } named_t;

static named_t levels[GH_LEVELS];
static named_t counts[GH_DIMENSIONS][GH_PERS][GH_LIMIT_CLASSES];

/* Enums come from documents and images that were checked. */
static gh_str_t
word(const char *const *names, unsigned index)
{
    return gh_str_from(names[index] != NULL ? names[index] : "?");
}

static gh_str_t
named(const named_t *at)
{
    return (gh_str_t) { at->text, at->len };
}

static void
keep(named_t *at, const gh_json_writer_t *w)
{
    at->len = (uint8_t) w->len;
    memcpy(at->text, w->data, w->len);
}

/* {"level":...,"uid": */
static gh_str_t
level_lead(unsigned level)
{
    named_t         *at = &levels[level % GH_LEVELS];
    char             buffer[NAMED_MAX];
    gh_json_writer_t w;

    if (at->len == 0) {
        gh_json_writer_init(&w, buffer, sizeof(buffer));
        gh_json_begin_object(&w);
        gh_json_kv_plain(&w, "level", word(gh_level_names, level % GH_LEVELS));
        gh_json_key(&w, "uid");
        keep(at, &w);
    }

    return named(at);
}

/* "dimension":...,"per":...,"class":... */
static gh_str_t
count_members(const gh_limit_t *limit)
{
    unsigned         dimension = limit->dimension % GH_DIMENSIONS, per = limit->per % GH_PERS, class = limit->limit_class % GH_LIMIT_CLASSES;
    named_t         *at = &counts[dimension][per][class];
    char             buffer[NAMED_MAX];
    gh_json_writer_t w;

    if (at->len == 0) {
        gh_json_writer_init(&w, buffer, sizeof(buffer));
        gh_json_kv_plain(&w, "dimension", word(gh_dimension_names, dimension));
        gh_json_kv_plain(&w, "per", word(gh_per_names, per));
        gh_json_kv_plain(&w, "class", word(gh_limit_class_names, class));
        keep(at, &w);
    }

    return named(at);
}

static void
limit_members(gh_json_writer_t *w, const gh_quota_t *quota, unsigned index, uint64_t amount)
{
    const gh_limit_t *limit = &quota->limits.items[index];
    size_t            begin;

    gh_json_lead(w, level_lead(limit->level));
    begin = w->len;
    gh_json_u64(w, gh_quota_counter(quota, index).uid);
    gh_json_hole(w, begin);
    gh_json_raw(w, count_members(limit));
    if (limit->model != 0) {
        gh_json_kv_string(w, "model", quota->model);
    }
    gh_json_kv_u64(w, "limit", limit->amount);
    gh_json_kv_hole(w, "window", gh_window_number((gh_per_t) limit->per, quota->at_ms));
    gh_json_kv_hole(w, "amount", amount);
    if ((quota->seen & GH_BIT(index)) != 0) {
        gh_json_kv_hole(w, "value", quota->values[index]);
    }
    if ((quota->shadowed & GH_BIT(index)) != 0) {
        gh_json_kv_bool(w, "shadowed", true);
    }
    if ((quota->left_out & GH_BIT(index)) != 0) {
        gh_json_kv_bool(w, "left_out", true);
    }
    gh_json_end_object(w);
}

/*
 * What is the same in the "limits" of all requests that have such limits: kept, so that it is copied with the values between, and numbered for those who
 * keep it themselves (gh_json_run_is). What it follows from is compared byte by byte.
 */
#define SHAPES      64u               /* each in the place that its hash says; a power of two */
#define SHAPE_MOST  4096              /* bytes of its text */
#define SHAPE_HOLES (4 * GH_LIMITS_MAX)

typedef struct {
    uint64_t   count;
    uint32_t   which, seen, shadowed, left_out;
    gh_limit_t items[GH_LIMITS_MAX];
} shape_key_t;

typedef struct {
    uint64_t    serial;               /* 0: the place is free */
    shape_key_t key;
    unsigned    holes;
    uint16_t    end[SHAPE_HOLES + 1]; /* of each piece between them, which stand one behind the other */
    char        text[SHAPE_MOST];
} shape_t;

static shape_t *shapes[SHAPES];       /* malloc'ed, for the life of the process */

/* What a limit of a model is called is not in its definition: such limits have no shape. Returns the bytes of the key that count; 0: none. */
static size_t
shape_key(shape_key_t *key, const gh_quota_t *quota, uint32_t which)
{
    for (unsigned i = 0; i < quota->limits.count; i++) {
        if ((which & GH_BIT(i)) != 0 && quota->limits.items[i].model != 0) {
            return 0;
        }
    }
    key->count = quota->limits.count;
    key->which = which;
    key->seen = quota->seen & which;
    key->shadowed = quota->shadowed & which;
    key->left_out = quota->left_out & which;
    memcpy(key->items, quota->limits.items, quota->limits.count * sizeof(key->items[0]));

    return offsetof(shape_key_t, items) + quota->limits.count * sizeof(key->items[0]);
}

/* A whole number of words. */
static uint64_t
shape_hash(const shape_key_t *key, size_t len)
{
    const char *p = (const char *) key;
    uint64_t    a = len, b = ~a, word[2];

    for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
        memcpy(word, p, sizeof(word));
        a = (a ^ word[0]) * UINT64_C(0x9e3779b97f4a7c15);
        b = (b ^ word[1]) * UINT64_C(0x9e3779b97f4a7c15);
        a = a << 29 | a >> 35;
        b = b << 31 | b >> 33;
    }
    memset(word, 0, sizeof(word));
    memcpy(word, p, len);

    return (a ^ word[0]) * UINT64_C(0x9e3779b97f4a7c15) + (b ^ word[1]) * UINT64_C(0xc2b2ae3d27d4eb4f);
}

static void
shape_piece(gh_json_writer_t *w, const shape_t *shape, unsigned hole)
{
    size_t from = hole != 0 ? shape->end[hole - 1] : 0;

    w->comma = w->comma && hole == 0;
    gh_json_lead(w, (gh_str_t) { shape->text + from, shape->end[hole] - from });
}

static void
shape_value(gh_json_writer_t *w, const shape_t *shape, unsigned *hole, uint64_t value)
{
    size_t begin;

    shape_piece(w, shape, (*hole)++);
    begin = w->len;
    gh_json_u64(w, value);
    gh_json_hole(w, begin);
}

static void
shape_write(gh_json_writer_t *w, const shape_t *shape, const gh_quota_t *quota)
{
    unsigned hole = 0;

    for (unsigned i = 0; i < quota->limits.count; i++) {
        if ((shape->key.which & GH_BIT(i)) == 0) {
            continue;
        }
        shape_value(w, shape, &hole, gh_quota_counter(quota, i).uid);
        shape_value(w, shape, &hole, gh_window_number((gh_per_t) quota->limits.items[i].per, quota->at_ms));
        shape_value(w, shape, &hole, quota->amounts[i]);
        if ((shape->key.seen & GH_BIT(i)) != 0) {
            shape_value(w, shape, &hole, quota->values[i]);
        }
    }
    shape_piece(w, shape, hole);
    w->comma = true;
    gh_json_run_is(w, shape->serial);
}

/* Of the run that ended last. */
static void
shape_keep(shape_t **place, const shape_key_t *key, size_t key_len, const gh_json_writer_t *w)
{
    const gh_json_marks_t *marks = w->marks;
    unsigned               run = marks->runs - 1, hole = run != 0 ? marks->until[run - 1] : 0, last = marks->until[run];
    size_t                 from = marks->run[run].begin, len = 0;
    shape_t               *shape = *place;

    if (last - hole > SHAPE_HOLES || (size_t) (marks->run[run].end - from) > SHAPE_MOST) {
        return;
    }
    if (shape == NULL) {
        shape = *place = malloc(sizeof(*shape));
    }
    if (shape == NULL) {
        return;
    }
    shape->serial = gh_json_serial();
    shape->holes = 0;
    memcpy(&shape->key, key, key_len);
    for (; hole <= last; hole++) {
        size_t until = hole < last ? marks->hole[hole].begin : marks->run[run].end;

        memcpy(shape->text + len, w->data + from, until - from);
        len += until - from;
        shape->end[shape->holes++] = (uint16_t) len;
        from = hole < last ? marks->hole[hole].end : 0;
    }
}

static void
limits_array(gh_json_writer_t *w, const gh_quota_t *quota, uint32_t which)
{
    gh_json_key(w, "limits");
    gh_json_begin_array(w);
    for (unsigned i = 0; i < quota->limits.count; i++) {
        if ((which & GH_BIT(i)) != 0) {
            limit_members(w, quota, i, quota->amounts[i]);
        }
    }
    gh_json_end_array(w);
}

static void
limits_member(gh_json_writer_t *w, const gh_quota_t *quota, uint32_t which)
{
    shape_key_t key;
    size_t      len = w->marks != NULL ? shape_key(&key, quota, which) : 0;
    shape_t   **place = len != 0 ? &shapes[(shape_hash(&key, len) >> 32) & (SHAPES - 1)] : NULL;
    unsigned    runs = w->marks != NULL ? w->marks->runs : 0;

    gh_json_run(w);
    if (place != NULL && *place != NULL && memcmp(&(*place)->key, &key, len) == 0) {
        shape_write(w, *place, quota);
        gh_json_run_end(w);
        return;
    }

    limits_array(w, quota, which);
    gh_json_run_end(w);
    if (place != NULL && w->marks->runs == runs + 1 && gh_json_writer_ok(w)) {
        shape_keep(place, &key, len, w);
    }
}

static void
amounts_members(gh_json_writer_t *w, const gh_quota_amounts_t *amounts)
{
    gh_json_kv_u64(w, "input", amounts->input);
    gh_json_kv_u64(w, "output", amounts->output);
    gh_json_kv_u64(w, "tokens", gh_quota_tokens(amounts));
    gh_json_kv_u64(w, "micro_dollars", amounts->micro_dollars);
}

static void
counted_member(gh_json_writer_t *w, const gh_quota_t *quota)
{
    gh_json_key(w, "counted");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "text_bytes", quota->counted.text_bytes);
    gh_json_kv_u64(w, "messages", quota->counted.messages);
    gh_json_kv_u64(w, "prompts", quota->counted.prompts);
    gh_json_kv_u64(w, "images", quota->counted.images);
    gh_json_kv_u64(w, "unbounded", quota->counted.unbounded);
    gh_json_kv_u64(w, "n", quota->counted.n);
    gh_json_kv_u64(w, "max_tokens", quota->counted.max_tokens);
    gh_json_end_object(w);
}

static void
reserve_member(gh_json_writer_t *w, const gh_quota_t *quota, uint32_t which)
{
    gh_json_key(w, "reserve");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "at", quota->at_ms);
    if (quota->deployment.len != 0) {
        gh_quota_amounts_t amounts = gh_quota_reserved(quota);

        amounts_members(w, &amounts);
        if (quota->bound.output_cap != 0) {
            gh_json_kv_u64(w, "output_cap", quota->bound.output_cap);
        }
        gh_json_kv_string(w, "deployment", quota->deployment);
        counted_member(w, quota);
    }
    limits_member(w, quota, which);
    gh_json_end_object(w);
}

void
gh_quota_record_reserve(gh_json_writer_t *w, const gh_quota_t *quota)
{
    uint32_t which = quota->admission_limits | quota->request_limits | quota->attempt_limits;

    if (quota->deployment.len != 0 || which != 0) {
        reserve_member(w, quota, which);
    }
}

void
gh_quota_record_reserve_attempt(gh_json_writer_t *w, const gh_quota_t *quota)
{
    if (quota->deployment.len != 0) {
        reserve_member(w, quota, quota->attempt_limits);
    }
}

void
gh_quota_record_limit(gh_json_writer_t *w, const gh_quota_t *quota, const gh_quota_verdict_t *verdict)
{
    if (verdict->limit >= 0 && (uint32_t) verdict->limit < quota->limits.count) {
        gh_json_key(w, "limit");
        limit_members(w, quota, (unsigned) verdict->limit, verdict->amount);
    }
}

void
gh_quota_record_charge(gh_json_writer_t *w, const gh_quota_charge_t *charge)
{
    gh_json_key(w, "charged");
    gh_json_begin_object(w);
    amounts_members(w, &charge->amounts);
    gh_json_kv_string(w, "source", gh_str_from(charge->source));
    gh_json_end_object(w);
}

void
gh_quota_record_charged(gh_json_writer_t *w, const gh_quota_t *quota)
{
    gh_json_key(w, "charged");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "requests", 1);
    amounts_members(w, &quota->charged);
    gh_json_end_object(w);

    if (quota->shadowed != 0) {
        gh_json_kv_bool(w, "shadowed", true);
    }
    if (quota->over) {
        gh_json_kv_bool(w, "over_reserved", true);
    }
    if (quota->skipped) {
        gh_json_kv_bool(w, "limits_skipped", true);
    }
}
