/* Nodes, endpoints and features, reduced to those that decisions can tell apart. */
#include "policy/review/dimensions.h"

static int
nodes_of(gh_arena_t *arena, const gh_image_t *image, gh_review_dimensions_t *out)
{
    uint32_t count = image->count[GH_SECTION_NODE];

    out->nodes = gh_arena_array(arena, count, sizeof(*out->nodes));
    if (out->nodes == NULL) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;

        while (at < out->node_count && out->nodes[at].country != image->nodes[i].country) {
            at++;
        }
        if (at == out->node_count) {
            out->nodes[out->node_count++] = (gh_review_node_t) { gh_image_str(image, image->nodes[i].name), image->nodes[i].country, 0 };
        }
        out->nodes[at].stands_for++;
    }
    return GH_OK;
}

static bool
offered_alike(const gh_image_t *image, gh_range_t targets, unsigned a, unsigned b)
{
    for (uint32_t i = 0; i < targets.count; i++) {
        uint32_t endpoints = image->targets[targets.first + i].endpoints;

        if (gh_endpoint_served(endpoints, a) != gh_endpoint_served(endpoints, b)) {
            return false;
        }
    }
    return true;
}

static void
endpoints_of(const gh_image_t *image, gh_range_t targets, gh_review_model_t *out)
{
    for (unsigned i = 0; i < GH_ENDPOINTS; i++) {
        uint32_t at = 0;

        while (at < out->endpoint_count && !offered_alike(image, targets, out->endpoints[at].endpoint, i)) {
            at++;
        }
        if (at == out->endpoint_count) {
            out->endpoints[out->endpoint_count++] = (gh_review_endpoint_t) { (gh_endpoint_t) i, 0, false };
            for (uint32_t t = 0; t < targets.count; t++) {
                out->endpoints[at].offered |= gh_endpoint_served(image->targets[targets.first + t].endpoints, (gh_endpoint_t) i);
            }
        }
        out->endpoints[at].stands_for++;
    }
}

static bool
has_feature(const gh_review_feature_t *features, uint32_t count, gh_str_t name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (gh_str_eq(features[i].name, name)) {
            return true;
        }
    }
    return false;
}

static int
features_of(gh_arena_t *arena, const gh_image_t *image, gh_range_t targets, gh_review_model_t *out)
{
    uint32_t most = 2;

    for (uint32_t i = 0; i < targets.count; i++) {
        most += image->targets[targets.first + i].features.count;
    }
    out->features = gh_arena_array(arena, most, sizeof(*out->features));
    if (out->features == NULL) {
        return GH_ERROR;
    }
    out->features[out->feature_count++] = (gh_review_feature_t) { GH_REVIEW_NO_FEATURE, GH_STR("") };
    for (uint32_t i = 0; i < targets.count; i++) {
        gh_range_t range = image->targets[targets.first + i].features;

        for (uint32_t f = 0; f < range.count; f++) {
            gh_str_t name = gh_image_str(image, image->features[range.first + f].name);

            if (!has_feature(out->features + 1, out->feature_count - 1, name)) {
                out->features[out->feature_count++] = (gh_review_feature_t) { GH_REVIEW_LISTED_FEATURE, name };
            }
        }
    }
    out->features[out->feature_count++] = (gh_review_feature_t) { GH_REVIEW_UNLISTED_FEATURE, GH_STR("") };
    return GH_OK;
}

/* How many different names all models' features have. */
static int
count_names(gh_arena_t *arena, const gh_image_t *image, gh_review_dimensions_t *out)
{
    gh_review_feature_t *all = gh_arena_array(arena, image->count[GH_SECTION_FEATURE] + 1, sizeof(*all));

    if (all == NULL) {
        return GH_ERROR;
    }
    for (uint32_t m = 0; m < image->count[GH_SECTION_MODEL]; m++) {
        for (uint32_t f = 1; f + 1 < out->models[m].feature_count; f++) {
            if (!has_feature(all, out->feature_names, out->models[m].features[f].name)) {
                all[out->feature_names++] = out->models[m].features[f];
            }
        }
    }
    return GH_OK;
}

int
gh_review_dimensions_of(gh_arena_t *arena, const gh_image_t *image, gh_review_dimensions_t *out)
{
    *out = (gh_review_dimensions_t) { 0 };
    out->models = gh_arena_array(arena, image->count[GH_SECTION_MODEL], sizeof(*out->models));
    if (out->models == NULL || nodes_of(arena, image, out) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t m = 0; m < image->count[GH_SECTION_MODEL]; m++) {
        endpoints_of(image, image->models[m].targets, &out->models[m]);
        if (features_of(arena, image, image->models[m].targets, &out->models[m]) != GH_OK) {
            return GH_ERROR;
        }
    }
    return count_names(arena, image, out);
}
