/* What an edit would make, as a worker reads it. Writing: store_proposal_write.c. */
#include "policy/store/store_internal.h"

#include <stdlib.h>
#include <string.h>

struct gh_proposal_s {
    uint8_t                 *bytes;
    size_t                   len;
    gh_image_t              *image;
    const gh_proposal_app_t *apps;
    uint32_t                 app_count;
};

static int
damaged(gh_error_t *error)
{
    return gh_error_set(error, "store_damaged", "the proposed policy is not valid");
}

static size_t
align(size_t offset)
{
    return (offset + 7) & ~(size_t) 7;
}

static bool
app_ok(const gh_proposal_t *proposal, const gh_proposal_app_t *app)
{
    gh_limit_t limit;

    if (app->path > proposal->len || app->path_len > proposal->len - app->path || app->limit_count > GH_LIMITS_MAX
        || app->limits > proposal->len || app->limit_count * sizeof(limit) > proposal->len - app->limits)
    {
        return false;
    }
    for (uint32_t i = 0; i < app->limit_count; i++) {
        memcpy(&limit, proposal->bytes + app->limits + i * sizeof(limit), sizeof(limit));
        if (!gh_limit_valid(&limit)) {
            return false;
        }
    }
    return true;
}

static int
check(gh_proposal_t *proposal, uint64_t number, gh_error_t *error)
{
    gh_proposal_head_t head;
    size_t             apps;

    if (proposal->len < sizeof(head)) {
        return damaged(error);
    }
    memcpy(&head, proposal->bytes, sizeof(head));
    if (head.number != number) {
        return gh_error_set(error, "store_unknown", "the proposed policy is another one");
    }
    if (head.image_length > proposal->len - GH_PROPOSAL_IMAGE) {
        return damaged(error);
    }
    apps = align(GH_PROPOSAL_IMAGE + (size_t) head.image_length);
    if (apps > proposal->len || head.app_count > (proposal->len - apps) / sizeof(gh_proposal_app_t)) {
        return damaged(error);
    }
    proposal->apps = (const gh_proposal_app_t *) (proposal->bytes + apps);
    proposal->app_count = head.app_count;
    for (uint32_t i = 0; i < head.app_count; i++) {
        if (!app_ok(proposal, &proposal->apps[i])) {
            return damaged(error);
        }
    }
    return gh_image_open(proposal->bytes + GH_PROPOSAL_IMAGE, (size_t) head.image_length, &proposal->image, error);
}

int
gh_store_proposal(gh_store_t *store, uint64_t number, uint64_t now_ms, gh_proposal_t **result, gh_error_t *error)
{
    gh_proposal_t *proposal = calloc(1, sizeof(*proposal));
    uint8_t        key[8];
    bool           found = false;
    int            rc;

    *result = NULL;
    if (proposal == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the proposed policy");
    }
    gh_store_key_u64(GH_PROPOSAL_KEY, key);
    rc = gh_store_begin(store, now_ms, error);
    if (rc == GH_OK) {
        rc = gh_store_read(store, GH_DB_IMAGE, (gh_bytes_t) { key, 8 }, &found, error);
        gh_store_end(store);
    }
    if (rc == GH_OK && !found) {
        rc = gh_error_set(error, "store_unknown", "the proposed policy is not there any more");
    }
    if (rc == GH_OK) {
        proposal->bytes = store->value.data;
        proposal->len = store->value.len;
        memset(&store->value, 0, sizeof(store->value));
        rc = check(proposal, number, error);
    }
    if (rc != GH_OK) {
        gh_proposal_free(proposal);
        return GH_ERROR;
    }
    if (proposal->image->clock_ms < store->clock_ms) {
        proposal->image->clock_ms = store->clock_ms;
    }
    *result = proposal;
    return GH_OK;
}

void
gh_proposal_free(gh_proposal_t *proposal)
{
    if (proposal != NULL) {
        gh_image_unref(proposal->image);
        free(proposal->bytes);
        free(proposal);
    }
}

const gh_image_t *
gh_proposal_image(const gh_proposal_t *proposal)
{
    return proposal->image;
}

static const gh_proposal_app_t *
find_app(const gh_proposal_t *proposal, gh_str_t path)
{
    uint32_t low = 0, high = proposal->app_count;

    while (low < high) {
        uint32_t                 middle = low + (high - low) / 2;
        const gh_proposal_app_t *app = &proposal->apps[middle];
        int order = gh_str_cmp((gh_str_t) { (const char *) proposal->bytes + app->path, app->path_len }, path);

        if (order == 0) {
            return app;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

bool
gh_proposal_identity(const gh_proposal_t *proposal, bool listed, gh_identity_t *identity)
{
    const gh_proposal_app_t *app = find_app(proposal, identity->path);

    if (app == NULL ? !listed : app->dropped != 0) {
        return false;
    }
    if (app != NULL) {
        identity->profile = app->profile;
        memcpy(identity->limits.items, proposal->bytes + app->limits, app->limit_count * sizeof(gh_limit_t));
        identity->limits.count = app->limit_count;
        identity->limits.max_output = app->max_output;
    }
    identity->revision = gh_image_revision(proposal->image);
    return gh_image_profile_find(proposal->image, identity->profile) >= 0;
}
