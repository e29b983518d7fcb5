/* The enumeration: see review.h for what it leaves out and why it may. */
#include "policy/review/review.h"

#include <string.h>

#include "policy/review/dimensions.h"

struct gh_review_s {
    gh_arena_t               *arena;
    const gh_image_t         *image;
    uint32_t                  side;
    const gh_review_groups_t *groups;
    uint64_t                  now_ms;
    gh_review_dimensions_t    dimensions;
    gh_review_counts_t        counts;
    uint64_t                 *instants;
    uint32_t                  instant_count, instant_capacity;
};

/* Memory of one decision after the other: a block that is used again, and what did not fit into it. */
typedef struct {
    gh_arena_t arena;
    gh_heap_t  block_heap, beside_heap;
    char      *block;
    size_t     size, used, wanted;         /* wanted: by the decision under way */
} scratch_t;

typedef struct {                           /* one group under way */
    gh_review_t        *review;
    gh_review_visit_fn  visit;
    void               *context;
    gh_error_t         *error;
    scratch_t           scratch;
    gh_review_request_t requests[GH_CLASSES_MAX + 2];
    uint32_t            request_count;
    gh_identity_t       identity;
    gh_intake_t         intake;
    gh_decide_input_t   input;
    gh_review_case_t    one;
} reviewing_t;

static int
no_memory(gh_error_t *error)
{
    return gh_error_set(error, "out_of_memory", "no memory to review every request");
}

/* ---- memory ---- */

static void *
scratch_alloc(gh_arena_t *arena, size_t size)
{
    scratch_t *scratch = arena->context;
    size_t     needed = (size + 15) & ~(size_t) 15;
    void      *data = scratch->block + scratch->used;

    scratch->wanted += needed;
    if (needed < size || needed > scratch->size - scratch->used) {
        return scratch->beside_heap.arena.alloc(&scratch->beside_heap.arena, size);
    }
    scratch->used += needed;
    return data;
}

static void
scratch_init(scratch_t *scratch)
{
    *scratch = (scratch_t) { .arena = { scratch_alloc, scratch } };
    gh_heap_init(&scratch->block_heap);
    gh_heap_init(&scratch->beside_heap);
}

static void
scratch_free(scratch_t *scratch)
{
    gh_heap_free(&scratch->block_heap);
    gh_heap_free(&scratch->beside_heap);
}

/* Everything of the last decision is gone; the block is as large as that wanted. */
static void
scratch_again(scratch_t *scratch)
{
    if (scratch->wanted > scratch->size) {
        size_t size = scratch->wanted * 2;

        scratch_free(scratch);
        scratch_init(scratch);
        scratch->block = scratch->block_heap.arena.alloc(&scratch->block_heap.arena, size);
        scratch->size = scratch->block == NULL ? 0 : size;
    }
    scratch->used = scratch->wanted = 0;
}

gh_review_t *
gh_review_new(gh_arena_t *arena, const gh_image_t *image, uint32_t side, const gh_review_groups_t *groups, uint64_t now_ms)
{
    gh_review_t *review = gh_arena_alloc(arena, sizeof(*review));

    if (review == NULL) {
        return NULL;
    }
    review->arena = arena;
    review->image = image;
    review->side = side;
    review->groups = groups;
    review->now_ms = now_ms > image->clock_ms ? now_ms : image->clock_ms;
    if (gh_review_dimensions_of(arena, image, &review->dimensions) != GH_OK) {
        return NULL;
    }
    review->counts.apps = image->count[GH_SECTION_APP];
    review->counts.models = image->count[GH_SECTION_MODEL];
    review->counts.endpoints = GH_ENDPOINTS;
    review->counts.nodes = image->count[GH_SECTION_NODE];
    review->counts.features = review->dimensions.feature_names + 2;
    return review;
}

/* ---- what a request may carry ---- */

static bool
give_label(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const gh_review_case_t *one = context;

    if (index != 0 || one->request->how != GH_REVIEW_LABELLED || !gh_str_eq_nocase(one->request->header, name)) {
        return false;
    }
    *value = one->request->label;
    return true;
}

static void
set_request(reviewing_t *r, const gh_review_request_t *request)
{
    r->one.request = request;
    r->intake.uninspected = request->how == GH_REVIEW_UNINSPECTED;
}

/* Which classes a request carries, as the worker's function says, whatever it decides. */
static int
classes_carried(reviewing_t *r, const gh_review_request_t *request, uint32_t *mask)
{
    const gh_image_t  *image = r->review->image;
    gh_range_t         classes = r->one.policy->classes;
    gh_decision_t      decision;

    set_request(r, request);
    if (gh_decide(image, &r->input, &r->scratch.arena, &decision, r->error) != GH_OK) {
        return GH_ERROR;
    }
    *mask = 0;
    for (uint32_t i = 0; i < decision.class_count; i++) {
        for (uint32_t c = 0; c < classes.count; c++) {
            if (gh_str_eq(gh_image_str(image, image->classes[classes.first + c]), decision.classes[i].name)) {
                *mask |= (uint32_t) 1 << c;
            }
        }
    }
    return GH_OK;
}

static gh_review_request_t *
add_request(reviewing_t *r, gh_review_carry_t how, uint32_t minimal)
{
    gh_review_request_t *request = &r->requests[r->request_count++];

    *request = (gh_review_request_t) { .how = how, .minimal = minimal };
    return request;
}

/*
 * For every class that a request of this group can carry, the one that carries it with as few others as possible: any further request carries
 * those classes and more. With a label header a class comes alone; without one, all that `uninspected` adds come together.
 */
static int
find_requests(reviewing_t *r)
{
    const gh_image_t        *image = r->review->image;
    const gh_image_policy_t *policy = r->one.policy;
    uint32_t                 plain, uninspected, count = policy->classes.count, carried;

    r->request_count = 0;
    if (classes_carried(r, add_request(r, GH_REVIEW_PLAIN, 0), &plain) != GH_OK) {
        return GH_ERROR;
    }
    r->requests[0].minimal = carried = plain;
    for (uint32_t c = 0; policy->labels.count > 0 && c < count && c < GH_CLASSES_MAX; c++) {
        gh_review_request_t *request;

        if (plain >> c & 1) {
            continue;
        }
        request = add_request(r, GH_REVIEW_LABELLED, (uint32_t) 1 << c);
        request->header = gh_image_str(image, image->labels[policy->labels.first]);
        request->label = gh_image_str(image, image->classes[policy->classes.first + c]);
        carried |= request->minimal;
    }
    if (policy->labels.count == 0) {
        gh_review_request_t *request = add_request(r, GH_REVIEW_UNINSPECTED, 0);

        if (classes_carried(r, request, &uninspected) != GH_OK) {
            return GH_ERROR;
        }
        request->minimal = uninspected & ~plain;
        carried |= uninspected;
        r->request_count -= request->minimal == 0;
    }
    r->review->counts.classes += (uint32_t) __builtin_popcount(carried);
    r->review->counts.uncarried += count - (uint32_t) __builtin_popcount(carried);
    return GH_OK;
}

/* ---- decisions ---- */

/* Remembers an instant, once. */
static int
add_instant(gh_review_t *review, uint64_t instant_ms)
{
    uint32_t low = 0, high = review->instant_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (review->instants[middle] < instant_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < review->instant_count && review->instants[low] == instant_ms) {
        return GH_OK;
    }
    if (review->instant_count == review->instant_capacity) {
        uint32_t more = review->instant_capacity * 2 + 16;

        review->instants = gh_arena_grow(review->arena, review->instants, review->instant_count, more, sizeof(*review->instants));
        if (review->instants == NULL) {
            return GH_ERROR;
        }
        review->instant_capacity = more;
    }
    memmove(review->instants + low + 1, review->instants + low, (review->instant_count - low) * sizeof(*review->instants));
    review->instants[low] = instant_ms;
    review->instant_count++;
    review->counts.instants = review->instant_count;
    return GH_OK;
}

/* From now on, one decision for each stretch of time in which none can change. */
static int
through_time(reviewing_t *r)
{
    gh_review_t *review = r->review;
    uint64_t     instant_ms = review->now_ms;

    while (instant_ms != UINT64_MAX) {
        gh_decision_t decision;
        int           status;

        scratch_again(&r->scratch);
        r->input.now_ms = instant_ms;
        if (gh_decide(review->image, &r->input, &r->scratch.arena, &decision, r->error) != GH_OK) {
            return GH_ERROR;
        }
        review->counts.decisions++;
        review->counts.stood_for += r->one.stands_for;
        review->counts.allowed += decision.code == GH_DECIDED_ALLOW;
        review->counts.eligible += decision.route_count;
        r->one.from_ms = instant_ms;
        r->one.until_ms = decision.valid_until_ms;
        r->one.decision = &decision;
        status = r->visit(r->context, &r->one);
        if (status != GH_OK) {
            return GH_ERROR;
        }
        instant_ms = decision.valid_until_ms;
        if (instant_ms != UINT64_MAX && add_instant(review, instant_ms) != GH_OK) {
            return no_memory(r->error);
        }
    }
    return GH_OK;
}

static int
with_features(reviewing_t *r, const gh_review_model_t *model, bool offered)
{
    /* Where no deployment offers the endpoint, none looks at features. */
    for (uint32_t i = 0; i < (offered ? model->feature_count : 1); i++) {
        r->one.feature = model->features[i];
        r->intake.feature_count = r->one.feature.kind == GH_REVIEW_NO_FEATURE ? 0 : 1;
        r->intake.features[0] = (gh_feature_use_t) { r->one.feature.name, GH_STR("an unlisted feature") };
        if (through_time(r) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
with_models(reviewing_t *r)
{
    const gh_review_dimensions_t *dimensions = &r->review->dimensions;
    const gh_image_t             *image = r->review->image;

    for (uint32_t m = 0; m < image->count[GH_SECTION_MODEL]; m++) {
        const gh_review_model_t *model = &dimensions->models[m];

        r->one.model = m;
        r->intake.model = gh_image_str(image, image->models[m].name);
        for (uint32_t e = 0; e < model->endpoint_count; e++) {
            r->intake.endpoint = model->endpoints[e].endpoint;
            for (uint32_t n = 0; n < dimensions->node_count; n++) {
                r->input.node = dimensions->nodes[n].id;
                r->one.stands_for = (uint64_t) r->one.group->count * model->endpoints[e].stands_for * dimensions->nodes[n].stands_for;
                if (with_features(r, model, model->endpoints[e].offered) != GH_OK) {
                    return GH_ERROR;
                }
            }
        }
    }
    return GH_OK;
}

static void
begin(reviewing_t *r, gh_review_t *review, const gh_review_group_t *group)
{
    const gh_image_profile_t *profile = &review->image->profiles[group->profile[review->side]];

    r->review = review;
    r->identity.path = group->path;
    r->identity.key = group->key;
    r->intake.n = 1;
    r->input.identity = &r->identity;
    r->input.intake = &r->intake;
    r->input.now_ms = review->now_ms;
    r->input.node = review->dimensions.node_count > 0 ? review->dimensions.nodes[0].id : GH_STR("");
    r->input.header = give_label;
    r->input.header_context = &r->one;
    r->one.image = review->image;
    r->one.group = group;
    r->one.policy = profile->policy < 0 ? NULL : &review->image->policies[profile->policy];
    r->one.input = &r->input;
}

int
gh_review_group(gh_review_t *review, uint32_t index, gh_review_visit_fn visit, void *context, gh_error_t *error)
{
    const gh_review_group_t *group = &review->groups->groups[index];
    reviewing_t              r = { .visit = visit, .context = context, .error = error };
    int                      status = GH_OK;

    if (group->profile[review->side] < 0) {
        return GH_OK;
    }
    begin(&r, review, group);
    scratch_init(&r.scratch);
    review->counts.groups++;
    if (r.one.policy != NULL) {
        status = find_requests(&r);
    } else {
        add_request(&r, GH_REVIEW_PLAIN, 0);
    }
    for (uint32_t i = 0; status == GH_OK && i < r.request_count; i++) {
        set_request(&r, &r.requests[i]);
        status = with_models(&r);
    }
    scratch_free(&r.scratch);
    return status;
}

int
gh_review_all(gh_review_t *review, gh_review_visit_fn visit, void *context, gh_review_progress_t *progress, gh_error_t *error)
{
    for (uint32_t i = 0; i < review->groups->group_count; i++) {
        if (gh_review_group(review, i, visit, context, error) != GH_OK) {
            return GH_ERROR;
        }
        if (progress != NULL && progress->tick != NULL) {
            progress->tick(progress->context, ++progress->done, progress->total);
        }
    }
    return GH_OK;
}

gh_review_counts_t
gh_review_counts(const gh_review_t *review)
{
    return review->counts;
}

const uint64_t *
gh_review_instants(const gh_review_t *review, uint32_t *count)
{
    *count = review->instant_count;
    return review->instants;
}

gh_str_t
gh_review_class(const gh_review_case_t *one, uint32_t index)
{
    return gh_image_str(one->image, one->image->classes[one->policy->classes.first + index]);
}
