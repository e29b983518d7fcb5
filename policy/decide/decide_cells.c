/* See cells.h. Keys and bodies are byte strings that only this file writes and reads. */
#include "policy/decide/decide_internal.h"

#include <stdlib.h>
#include <string.h>

#define HEADS   16384u
#define KEY_MAX 2048u

typedef struct cell_s cell_t;

struct cell_s {
    cell_t  *next;                    /* under the same head */
    cell_t  *younger;                 /* of the same share */
    uint64_t hash;
    uint64_t from_ms, until_ms;
    uint32_t key_len, size;           /* size: of the allocation, and of the text */
    uint32_t share;
    gh_str_t text;                    /* gh_cells_keep_text; data NULL: none */
    uint8_t  data[];                  /* key, body */
};

typedef struct { cell_t *oldest, *youngest; size_t bytes; } share_t;

struct gh_cells_s {
    uint64_t          image;          /* its serial; 0: none yet */
    size_t            share_bytes;
    gh_cells_counts_t counts;
    cell_t           *heads[HEADS];
    share_t           shares[GH_CELLS_SHARES];
};

typedef struct {                      /* of everything but the verdicts */
    gh_str_t rule;                    /* in the image */
    uint8_t  code, narrowed, narrowed_by_request;
    uint32_t route_count, detail_len;
} body_t;

typedef struct {                      /* of a target that is served, at that endpoint; class_count fits follow */
    int32_t     rule;
    uint32_t    misses;
    uint8_t     class_index, store_false;
    uint8_t     feature;              /* of the intake, 1 is the first; 0: none */
    gh_places_t places;
} verdict_t;

typedef struct { uint8_t *data; size_t len, size; } bytes_t;   /* data NULL: only counts */

static void
put(bytes_t *bytes, const void *data, size_t len)
{
    if (bytes->data != NULL && len > 0 && len <= bytes->size && bytes->len <= bytes->size - len) {
        memcpy(bytes->data + bytes->len, data, len);
    }
    bytes->len += len;
}

static const uint8_t *
take(const uint8_t *at, void *data, size_t len)
{
    memcpy(data, at, len);
    return at + len;
}

static uint64_t
hash_bytes(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t       hash = len * 0x9e3779b97f4a7c15u, word;

    for (; len >= 8; at += 8, len -= 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    for (word = 0; len > 0; len--) {
        word = word << 8 | at[len - 1];
    }
    hash = (hash ^ word) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 29;
}

gh_cells_t *
gh_cells_new(size_t bytes)
{
    gh_cells_t *cells = calloc(1, sizeof(*cells));

    if (cells != NULL) {
        cells->share_bytes = bytes / GH_CELLS_SHARES;
    }
    return cells;
}

static void
drop_oldest(gh_cells_t *cells, share_t *share)
{
    cell_t  *cell = share->oldest;
    cell_t **at = &cells->heads[cell->hash % HEADS];

    while (*at != cell) {
        at = &(*at)->next;
    }
    *at = cell->next;
    share->oldest = cell->younger;
    if (share->oldest == NULL) {
        share->youngest = NULL;
    }
    share->bytes -= cell->size;
    cells->counts.bytes -= cell->size;
    cells->counts.cells--;
    cells->counts.dropped++;
    free((char *) cell->text.data);
    free(cell);
}

static void
drop_all(gh_cells_t *cells)
{
    for (uint32_t i = 0; i < GH_CELLS_SHARES; i++) {
        while (cells->shares[i].oldest != NULL) {
            drop_oldest(cells, &cells->shares[i]);
        }
    }
}

void
gh_cells_free(gh_cells_t *cells)
{
    if (cells != NULL) {
        drop_all(cells);
        free(cells);
    }
}

gh_cells_counts_t
gh_cells_counts(const gh_cells_t *cells)
{
    return cells->counts;
}

/* ---- texts ---- */

gh_str_t
gh_cells_text(const gh_cells_t *cells, gh_cell_at_t at)
{
    const cell_t *cell = at.cell;

    return cells != NULL && cell != NULL && cells->counts.dropped == at.dropped ? cell->text : (gh_str_t) { NULL, 0 };
}

void
gh_cells_keep_text(gh_cells_t *cells, gh_cell_at_t at, gh_str_t text)
{
    cell_t *cell = at.cell;
    char   *copy;

    if (cells == NULL || cell == NULL || cells->counts.dropped != at.dropped || cell->text.data != NULL || text.len == 0
        || text.len > cells->share_bytes - cells->shares[cell->share].bytes || (copy = malloc(text.len)) == NULL)
    {
        return;
    }
    memcpy(copy, text.data, text.len);
    cell->text = (gh_str_t) { copy, text.len };
    cell->size += (uint32_t) text.len;
    cells->shares[cell->share].bytes += text.len;
    cells->counts.bytes += text.len;
}

/* ---- keys ---- */

static void
put_text(bytes_t *key, gh_str_t text)
{
    uint32_t len = (uint32_t) text.len;

    put(key, &len, sizeof(len));
    put(key, text.data, text.len);
}

/*
 * Everything that judge_targets and why_residency look at. A feature that nobody knows is told by where it stands; of one that is known
 * only the name is looked at.
 */
static void
cell_key(const gh_deciding_t *d, bytes_t *key)
{
    const gh_intake_t *intake = d->input->intake;
    const uint32_t     fixed[] = { (uint32_t) (d->policy - d->image->policies), (uint32_t) d->node_country, d->model,
                                   (uint32_t) intake->endpoint | (uint32_t) (intake->operation != GH_OPERATION_CREATE) << 8, d->class_mask, d->narrowed | intake->by_default << 1,
                                   d->narrowed_own | (uint32_t) (d->input->identity->own_places.len > 0) << 1,
                                   d->pattern_count, intake->feature_count };

    put(key, fixed, sizeof(fixed));
    put(key, d->patterns, d->pattern_count * sizeof(*d->patterns));
    if (d->narrowed) {
        put(key, &d->narrow, sizeof(d->narrow));
    }
    if (d->narrowed_own) {
        put(key, &d->narrow_own, sizeof(d->narrow_own));
    }
    for (uint32_t i = 0; i < intake->feature_count && i < GH_FEATURES_MAX; i++) {
        put_text(key, intake->features[i].name);
        if (intake->features[i].name.len == 0) {
            put_text(key, intake->features[i].where);
        }
    }
}

static bool
holds(const cell_t *cell, const gh_deciding_t *d)
{
    return cell->from_ms <= d->now_ms && d->now_ms < cell->until_ms;
}

static cell_t *
find_cell(const gh_cells_t *cells, const bytes_t *key, const gh_deciding_t *d)
{
    uint64_t hash = hash_bytes(key->data, key->len);
    cell_t  *cell;

    for (cell = cells->heads[hash % HEADS]; cell != NULL; cell = cell->next) {
        if (cell->hash == hash && cell->key_len == key->len && memcmp(cell->data, key->data, key->len) == 0 && holds(cell, d)) {
            return cell;
        }
    }
    return NULL;
}

/* ---- bodies ---- */

static gh_str_t
feature_text(const gh_intake_t *intake, uint8_t feature)
{
    const gh_feature_use_t *use = &intake->features[feature - 1];

    return use->name.len > 0 ? use->name : use->where;
}

/* A verdict's feature is one of the intake's, of which the first of that spelling will do. */
static uint8_t
feature_number(const gh_intake_t *intake, gh_str_t text)
{
    for (uint32_t i = 0; text.len > 0 && i < intake->feature_count && i < GH_FEATURES_MAX; i++) {
        if (gh_str_eq(feature_text(intake, (uint8_t) (i + 1)), text)) {
            return (uint8_t) (i + 1);
        }
    }
    return 0;
}

static bool
judged(uint8_t code)
{
    return code != GH_TARGET_NOT_SERVED && code != GH_TARGET_ENDPOINT;
}

static void
put_body(const gh_deciding_t *d, bytes_t *bytes)
{
    const gh_decision_t *decision = d->decision;
    body_t               body;

    memset(&body, 0, sizeof(body));
    body.rule = decision->rule;
    body.code = (uint8_t) decision->code;
    body.narrowed = decision->narrowed;
    body.narrowed_by_request = decision->narrowed_by_request;
    body.route_count = decision->route_count;
    body.detail_len = decision->code == GH_DENIED_RESIDENCY ? (uint32_t) decision->detail.len : 0;
    put(bytes, &body, sizeof(body));
    put(bytes, decision->route, decision->route_count * sizeof(*decision->route));
    put(bytes, decision->detail.data, body.detail_len);
    for (uint32_t i = 0; i < decision->target_count; i++) {
        const gh_target_verdict_t *target = &decision->targets[i];
        uint8_t                    code = (uint8_t) target->code;
        verdict_t                  verdict;

        put(bytes, &code, 1);
        if (!judged(code)) {
            continue;
        }
        memset(&verdict, 0, sizeof(verdict));
        verdict.rule = target->rule;
        verdict.misses = target->misses;
        verdict.class_index = target->class_index;
        verdict.store_false = target->store_false;
        verdict.feature = feature_number(d->input->intake, target->feature);
        verdict.places = target->places;
        put(bytes, &verdict, sizeof(verdict));
        put(bytes, target->fits, decision->class_count * sizeof(*target->fits));
    }
}

static void
take_targets(gh_deciding_t *d, const uint8_t *at, int32_t *fits)
{
    gh_decision_t *decision = d->decision;
    uint32_t       first = d->image->models[d->model].targets.first, classes = decision->class_count;

    for (uint32_t i = 0; i < decision->target_count; i++) {
        gh_target_verdict_t *target = &decision->targets[i];
        verdict_t            verdict;
        uint8_t              code;

        at = take(at, &code, 1);
        *target = (gh_target_verdict_t) { .target = first + i, .code = code, .rule = -1, .feature = GH_STR(""), .fits = fits + (size_t) i * classes };
        if (!judged(code)) {
            memset(target->fits, 0xff, classes * sizeof(*fits));   /* -1 */
            continue;
        }
        at = take(at, &verdict, sizeof(verdict));
        target->rule = verdict.rule;
        target->misses = verdict.misses;
        target->class_index = verdict.class_index;
        target->store_false = verdict.store_false;
        target->places = verdict.places;
        if (verdict.feature != 0) {
            target->feature = feature_text(d->input->intake, verdict.feature);
        }
        at = take(at, target->fits, classes * sizeof(*fits));
    }
}

static int
take_body(gh_deciding_t *d, const cell_t *cell)
{
    gh_decision_t *decision = d->decision;
    const uint8_t *at = cell->data + cell->key_len;
    int32_t       *fits;
    body_t         body;

    at = take(at, &body, sizeof(body));
    decision->target_count = d->image->models[d->model].targets.count;
    decision->targets = d->arena->alloc(d->arena, (decision->target_count + 1) * sizeof(*decision->targets));     /* all of them written below */
    decision->route = d->arena->alloc(d->arena, (decision->target_count + 1) * sizeof(*decision->route));
    fits = d->arena->alloc(d->arena, ((size_t) decision->target_count * decision->class_count + 1) * sizeof(*fits));
    if (decision->targets == NULL || decision->route == NULL || fits == NULL) {
        decision->target_count = 0;
        return GH_ERROR;
    }
    if (body.code == GH_DENIED_RESIDENCY) {
        decision->detail = gh_str_copy(d->arena, (gh_str_t) { (const char *) at + body.route_count * sizeof(*decision->route),
                                                              body.detail_len });
        if (decision->detail.data == NULL) {
            decision->target_count = 0;
            return GH_ERROR;
        }
    }
    at = take(at, decision->route, body.route_count * sizeof(*decision->route)) + body.detail_len;
    take_targets(d, at, fits);
    decision->code = (gh_verdict_code_t) body.code;
    decision->rule = body.rule;
    decision->narrowed = body.narrowed;
    decision->narrowed_by_request = body.narrowed_by_request;
    decision->route_count = body.route_count;
    decision->valid_until_ms = cell->until_ms;
    return GH_OK;
}

/* ---- the two calls of gh_decide ---- */

int
gh_cells_take(gh_deciding_t *d, bool *found)
{
    gh_cells_t *cells = d->input->cells;
    uint8_t     text[KEY_MAX];
    bytes_t     key = { text, 0, sizeof(text) };
    cell_t     *cell;

    *found = false;
    if (cells == NULL) {
        return GH_OK;
    }
    if (cells->image != d->image->serial) {
        drop_all(cells);
        cells->image = d->image->serial;
    }
    cell_key(d, &key);
    cell = key.len > sizeof(text) ? NULL : find_cell(cells, &key, d);
    if (cell == NULL) {
        cells->counts.judged++;
        return GH_OK;
    }
    cells->counts.found++;
    *found = true;
    d->decision->from = (gh_cell_at_t) { cell, cells->counts.dropped };
    return take_body(d, cell);
}

/* The tenant that pays for it: "org/tenant" of the path. */
static uint32_t
share_of(gh_str_t path)
{
    size_t   len = 0;
    unsigned slashes = 0;

    while (len < path.len && (path.data[len] != '/' || ++slashes < 2)) {
        len++;
    }
    return (uint32_t) (hash_bytes(path.data, len) % GH_CELLS_SHARES);
}

void
gh_cells_put(const gh_deciding_t *d)
{
    gh_cells_t *cells = d->input->cells;
    uint8_t     text[KEY_MAX];
    bytes_t     key = { text, 0, sizeof(text) }, body = { NULL, 0, 0 };
    share_t    *share;
    cell_t     *cell;
    size_t      size;

    if (cells == NULL) {
        return;
    }
    cell_key(d, &key);
    put_body(d, &body);
    size = sizeof(*cell) + key.len + body.len;
    if (key.len > sizeof(text) || size > cells->share_bytes || (cell = malloc(size)) == NULL) {
        return;
    }
    body = (bytes_t) { cell->data + key.len, 0, size - sizeof(*cell) - key.len };
    memcpy(cell->data, text, key.len);
    put_body(d, &body);
    cell->hash = hash_bytes(text, key.len);
    cell->from_ms = d->now_ms;
    cell->until_ms = d->decision->valid_until_ms;
    cell->key_len = (uint32_t) key.len;
    cell->size = (uint32_t) size;
    cell->younger = NULL;
    cell->share = share_of(d->path);
    cell->text = (gh_str_t) { NULL, 0 };
    share = &cells->shares[cell->share];
    while (share->bytes + size > cells->share_bytes) {
        drop_oldest(cells, share);
    }
    cell->next = cells->heads[cell->hash % HEADS];
    cells->heads[cell->hash % HEADS] = cell;
    if (share->youngest != NULL) {
        share->youngest->younger = cell;
    } else {
        share->oldest = cell;
    }
    share->youngest = cell;
    share->bytes += size;
    cells->counts.bytes += size;
    cells->counts.cells++;
}
