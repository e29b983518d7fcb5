/* What an edit would make, beside the image in force: written for workers to look at, and taken away again. */
#define _GNU_SOURCE                   /* qsort_r */
#include "policy/store/store_edit.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    gh_proposal_app_t *apps;
    uint32_t           count;
    uint8_t           *value;
    size_t             limits, paths; /* offsets of the next */
} changed_t;

static void
add(changed_t *changed, const gh_store_listed_t *listed, bool dropped)
{
    size_t bytes = listed->limit_count * sizeof(gh_limit_t);

    changed->apps[changed->count++] = (gh_proposal_app_t) {
        .path = changed->paths, .path_len = (uint16_t) listed->path.len, .dropped = dropped, .profile = listed->profile,
        .limits = changed->limits, .limit_count = listed->limit_count, .max_output = listed->max_output
    };
    memcpy(changed->value + changed->paths, listed->path.data, listed->path.len);
    changed->paths += listed->path.len;
    if (bytes > 0) {
        memcpy(changed->value + changed->limits, listed->limits, bytes);
    }
    changed->limits += bytes;
}

/* How many apps differ at most, how many limits they have, and how long their paths are together. */
static void
measure(const gh_store_revision_new_t *revision, const gh_listed_difference_t *difference, size_t *count, size_t *limits,
    size_t *bytes)
{
    *count = 0;
    *limits = 0;
    *bytes = 0;
    for (size_t at = 0; at < difference->dropped_len; at += (uint8_t) difference->dropped[at] + (size_t) 1) {
        (*count)++;
        *bytes += (uint8_t) difference->dropped[at];
    }
    for (size_t i = 0; i < revision->listed_count; i++) {
        if (difference->put[i / 8] >> i % 8 & 1) {
            (*count)++;
            *limits += revision->listed[i].limit_count;
            *bytes += revision->listed[i].path.len;
        }
    }
}

static void
add_all(const gh_store_revision_new_t *revision, const gh_listed_difference_t *difference, changed_t *changed)
{
    for (size_t at = 0; at < difference->dropped_len; at += (uint8_t) difference->dropped[at] + (size_t) 1) {
        add(changed, &(gh_store_listed_t) { .path = { difference->dropped + at + 1, (uint8_t) difference->dropped[at] } }, true);
    }
    for (size_t i = 0; i < revision->listed_count; i++) {
        if (difference->put[i / 8] >> i % 8 & 1) {
            add(changed, &revision->listed[i], false);
        }
    }
}

static int
by_path(const void *a, const void *b, void *paths)
{
    const gh_proposal_app_t *one = a, *other = b;

    return gh_str_cmp((gh_str_t) { (const char *) paths + one->path, one->path_len },
        (gh_str_t) { (const char *) paths + other->path, other->path_len });
}

static int
put_proposal(gh_edit_t *edit, const gh_store_revision_new_t *revision, const gh_listed_difference_t *difference, uint64_t number,
    gh_error_t *error)
{
    gh_proposal_head_t head = { .number = number, .image_length = revision->image.len };
    size_t             count, limits, bytes, apps = (GH_PROPOSAL_IMAGE + revision->image.len + 7) & ~(size_t) 7, len;
    changed_t          changed = { 0 };
    uint8_t           *value, key[8];
    int                rc;

    measure(revision, difference, &count, &limits, &bytes);
    if (count > UINT32_MAX) {
        return gh_error_set(error, "too_large", "%zu apps change at once", count);
    }
    len = apps + count * sizeof(gh_proposal_app_t) + limits * sizeof(gh_limit_t) + bytes;
    value = calloc(1, len);
    if (value == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the proposed policy");
    }
    head.app_count = (uint32_t) count;
    memcpy(value, &head, sizeof(head));
    memcpy(value + GH_PROPOSAL_IMAGE, revision->image.data, revision->image.len);
    ((gh_image_header_t *) (value + GH_PROPOSAL_IMAGE))->revision = edit->head.revision + 1;
    changed.apps = (gh_proposal_app_t *) (value + apps);
    changed.value = value;
    changed.limits = apps + count * sizeof(gh_proposal_app_t);
    changed.paths = len - bytes;
    add_all(revision, difference, &changed);
    qsort_r(changed.apps, changed.count, sizeof(*changed.apps), by_path, value);
    gh_store_key_u64(GH_PROPOSAL_KEY, key);
    rc = gh_edit_put(edit, GH_DB_IMAGE, (gh_bytes_t) { key, 8 }, value, len, error);
    free(value);
    return rc;
}

static int
propose(gh_edit_t *edit, const gh_store_revision_new_t *revision, uint64_t number, gh_error_t *error)
{
    gh_listed_difference_t difference;
    gh_image_t          *image;
    int                  rc;

    if (edit->head.revision != revision->base) {
        return gh_error_set(error, "store_moved", "revision %llu is in force, this was made for revision %llu",
            (unsigned long long) edit->head.revision, (unsigned long long) revision->base);
    }
    if (revision->image.len < GH_IMAGE_HEADER) {
        return gh_error_set(error, "store_damaged", "the compiled policy is empty");
    }
    if (gh_image_open(revision->image.data, revision->image.len, &image, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_edit_listed_compare(edit, image, revision, &difference, error);
    gh_image_unref(image);
    if (rc == GH_OK) {
        rc = put_proposal(edit, revision, &difference, number, error);
    }
    gh_listed_difference_free(&difference);
    return rc;
}

int
gh_store_propose(gh_store_t *store, const gh_store_revision_new_t *revision, uint64_t number, gh_error_t *error)
{
    gh_edit_t edit;

    if (gh_edit_begin(&edit, store, revision->now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (propose(&edit, revision, number, error) != GH_OK) {
        gh_edit_abort(&edit);
        return gh_store_blame(store, error);
    }
    return gh_edit_commit(&edit, error);
}

int
gh_store_propose_end(gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    gh_edit_t edit;
    uint8_t   key[8];
    MDB_val   k = { 8, key };
    int       rc;

    if (gh_edit_begin(&edit, store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    gh_store_key_u64(GH_PROPOSAL_KEY, key);
    rc = mdb_del(edit.txn, store->dbi[GH_DB_IMAGE], &k, NULL);
    if (rc != 0) {
        gh_edit_abort(&edit);
        return rc == MDB_NOTFOUND ? GH_OK : gh_store_mdb_error(rc, "the proposed policy cannot be taken away", error);
    }
    return gh_edit_commit(&edit, error);
}
