#include "policy/review/prove.h"

#include <string.h>

#include "policy/review/reach.h"

typedef struct {
    gh_arena_t               *arena;
    const gh_image_t         *image;
    const gh_review_groups_t *groups;
    uint64_t                  now_ms;
    gh_proof_t               *proofs;
    uint32_t                  count;
    struct marks {
        bool                 *deployments, *models;      /* by index of the image: some use was of it */
        gh_str_t             *features;
        uint32_t              feature_capacity;
        int64_t               group;                     /* the last one with a use */
    }                        *marks;                     /* of each proof */
} proving_t;

/* ---- counts ---- */

static bool
mark_feature(proving_t *p, struct marks *marks, gh_proof_t *proof, const gh_review_case_t *one)
{
    gh_str_t name = one->feature.kind == GH_REVIEW_UNLISTED_FEATURE ? GH_STR("?") : one->feature.name;

    for (uint64_t i = 0; i < proof->features; i++) {
        if (gh_str_eq(marks->features[i], name)) {
            return true;
        }
    }
    if (proof->features == marks->feature_capacity) {
        uint32_t more = marks->feature_capacity * 2 + 8;

        marks->features = gh_arena_grow(p->arena, marks->features, marks->feature_capacity, more, sizeof(*marks->features));
        marks->feature_capacity = marks->features == NULL ? 0 : more;
        if (marks->features == NULL) {
            return false;
        }
    }
    marks->features[proof->features++] = name;
    return true;
}

static bool
count_use(proving_t *p, uint32_t index, const gh_review_case_t *one, const gh_image_target_t *target)
{
    gh_proof_t   *proof = &p->proofs[index];
    struct marks *marks = &p->marks[index];
    int64_t       group = one->group - p->groups->groups;

    proof->uses++;
    proof->later_uses += one->from_ms > p->now_ms;
    proof->groups += marks->group != group;
    marks->group = group;
    proof->deployments += !marks->deployments[target->deployment];
    marks->deployments[target->deployment] = true;
    proof->models += !marks->models[one->model];
    marks->models[one->model] = true;
    return mark_feature(p, marks, proof, one);
}

/* ---- examples ---- */

static bool
lists_feature(const gh_image_t *image, const gh_image_target_t *target, const gh_review_feature_t *feature)
{
    for (uint32_t i = 0; feature->kind == GH_REVIEW_LISTED_FEATURE && i < target->features.count; i++) {
        if (gh_str_eq(gh_image_str(image, image->features[target->features.first + i].name), feature->name)) {
            return true;
        }
    }
    return feature->kind == GH_REVIEW_NO_FEATURE;
}

static bool
same_facts(const gh_reached_t *a, const gh_reached_t *b)
{
    for (int kind = 0; kind < GH_REACHES; kind++) {
        if (gh_places_empty(a->of[kind]) != gh_places_empty(b->of[kind])) {
            return false;
        }
    }
    return true;
}

static bool
known_example(const gh_proof_t *proof, const gh_example_t *example)
{
    for (uint32_t i = 0; i < proof->example_count; i++) {
        const gh_example_t *other = &proof->examples[i];

        if (gh_str_eq(other->class_name, example->class_name) && gh_str_eq(other->deployment, example->deployment)
            && gh_str_eq(other->model, example->model) && other->feature.kind == example->feature.kind
            && gh_str_eq(other->feature.name, example->feature.name) && same_facts(&other->offending, &example->offending)
            && gh_str_eq(other->app, example->app) && gh_str_eq(other->key, example->key))
        {
            return true;
        }
    }
    return false;
}

/* Names of the classes carried, or ids of the allows that fit; empty data: out of memory. */
static gh_str_t
names_of(gh_arena_t *arena, const gh_review_case_t *one, const gh_target_verdict_t *verdict)
{
    gh_str_t text = GH_STR("");
    int32_t  last = -1;

    for (uint32_t i = 0; i < one->decision->class_count && text.data != NULL; i++) {
        gh_str_t name = verdict == NULL ? one->decision->classes[i].name : gh_decision_rule_id(one->image, verdict->fits[i]);

        if (verdict != NULL && verdict->fits[i] == last) {
            continue;
        }
        last = verdict == NULL ? -1 : verdict->fits[i];
        text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len > 0 ? " " : "", GH_STR_ARG(name));
    }
    return text;
}

/* Does the app of the group have keys that are told apart? */
static bool
key_matters(const proving_t *p, const gh_review_group_t *group)
{
    uint32_t app = p->groups->members[group->first].app, keys = 0;

    for (uint32_t i = 0; i < p->groups->member_count; i++) {
        keys += p->groups->members[i].app == app;
    }
    return keys > 1;
}

static int
add_example(proving_t *p, gh_proof_t *proof, const gh_review_case_t *one, uint32_t class_index, uint32_t target,
    const gh_reached_t *reached, const gh_reached_t *offending)
{
    const gh_image_t        *image = p->image;
    const gh_image_target_t *t = &image->targets[target];
    gh_example_t             example = {
        .app = one->group->path, .key = one->group->key, .apps = one->group->count, .class_name = gh_review_class(one, class_index),
        .how = one->request->how, .label_header = one->request->header, .label = one->request->label,
        .model = gh_image_str(image, image->models[one->model].name), .endpoint = one->input->intake->endpoint, .node = one->input->node,
        .feature = one->feature, .unlisted = !lists_feature(image, t, &one->feature), .at_ms = one->from_ms,
        .later = one->from_ms > p->now_ms, .deployment = gh_image_str(image, image->deployments[t->deployment].id),
        .upstream = gh_image_str(image, t->upstream), .reached = *reached, .offending = *offending };

    if (proof->example_count == GH_EXAMPLES_MAX || known_example(proof, &example)) {
        return GH_OK;
    }
    example.key_matters = key_matters(p, one->group);
    example.classes = names_of(p->arena, one, NULL);
    example.rules = names_of(p->arena, one, gh_decision_verdict(one->decision, target));
    if (example.classes.data == NULL || example.rules.data == NULL) {
        return GH_ERROR;
    }
    if (proof->examples == NULL) {
        proof->examples = gh_arena_array(p->arena, GH_EXAMPLES_MAX, sizeof(*proof->examples));
        if (proof->examples == NULL) {
            return GH_ERROR;
        }
    }
    proof->examples[proof->example_count++] = example;
    return GH_OK;
}

/* ---- one decision ---- */

static int
look_at(proving_t *p, uint32_t index, const gh_review_case_t *one, uint32_t classes)
{
    gh_proof_t       *proof = &p->proofs[index];
    const gh_claim_t *claim = proof->claim;
    uint32_t          policy = (uint32_t) (one->policy - p->image->policies), class_index = (uint32_t) __builtin_ctz(classes);

    for (uint32_t i = 0; i < one->decision->route_count; i++) {
        uint32_t                 target = one->decision->route[i];
        const gh_image_target_t *t = &p->image->targets[target];
        gh_reached_t             reached, offending;

        if (claim->listed_only && !lists_feature(p->image, t, &one->feature)) {
            proof->unlisted_left_out++;
            continue;
        }
        if (gh_reach_of_use(one, target, &reached) != GH_OK || !count_use(p, index, one, t)) {
            return GH_ERROR;
        }
        if (!gh_claim_broken(claim, policy, gh_image_str(p->image, p->image->deployments[t->deployment].id), &reached, &offending)) {
            continue;
        }
        proof->broken++;
        if (add_example(p, proof, one, class_index, target, &reached, &offending) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
visit(void *context, const gh_review_case_t *one)
{
    proving_t *p = context;
    char       path[2 * GH_REVIEW_PATH_MAX + 2];
    gh_str_t   whole = { path, one->group->path.len + 1 + one->group->key.len };

    if (one->policy == NULL) {
        return GH_OK;
    }
    memcpy(path, one->group->path.data, one->group->path.len);
    path[one->group->path.len] = '/';
    memcpy(path + one->group->path.len + 1, one->group->key.data, one->group->key.len);
    for (uint32_t i = 0; i < p->count; i++) {
        const gh_claim_t *claim = p->proofs[i].claim;
        uint32_t          classes = gh_claim_classes(claim, p->image, one->policy) & one->request->minimal;

        if (classes == 0 || !gh_claim_covers(claim, whole)) {
            continue;
        }
        p->proofs[i].decisions++;
        p->proofs[i].carried = true;
        if (look_at(p, i, one, classes) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* ---- all ---- */

/* Patterns of all claims, which have to tell apps and keys apart as those of the policy do. */
static gh_str_t *
tenants_of(gh_arena_t *arena, const gh_claim_t *claims, uint32_t claim_count, uint32_t *count)
{
    gh_str_t *all;

    *count = 0;
    for (uint32_t i = 0; i < claim_count; i++) {
        *count += claims[i].tenant_count;
    }
    all = gh_arena_array(arena, *count, sizeof(*all));
    *count = 0;
    for (uint32_t i = 0; all != NULL && i < claim_count; i++) {
        for (uint32_t k = 0; k < claims[i].tenant_count; k++) {
            all[(*count)++] = claims[i].tenants[k];
        }
    }
    return all;
}

static int
prepare(proving_t *p, const gh_claim_t *claims)
{
    p->marks = gh_arena_array(p->arena, p->count, sizeof(*p->marks));
    for (uint32_t i = 0; p->marks != NULL && i < p->count; i++) {
        p->proofs[i] = (gh_proof_t) { .claim = &claims[i] };
        p->marks[i].group = -1;
        p->marks[i].deployments = gh_arena_array(p->arena, p->image->count[GH_SECTION_DEPLOYMENT], sizeof(bool));
        p->marks[i].models = gh_arena_array(p->arena, p->image->count[GH_SECTION_MODEL], sizeof(bool));
        if (p->marks[i].deployments == NULL || p->marks[i].models == NULL) {
            return GH_ERROR;
        }
    }
    return p->marks == NULL ? GH_ERROR : GH_OK;
}

int
gh_prove(gh_arena_t *arena, const gh_image_t *image, const gh_claim_t *claims, uint32_t claim_count, uint64_t now_ms,
    gh_review_progress_t *progress, gh_proof_t *proofs, gh_review_counts_t *counts, gh_error_t *error)
{
    gh_review_groups_t groups;
    proving_t          p = { .arena = arena, .image = image, .groups = &groups, .proofs = proofs, .count = claim_count };
    gh_review_t       *review;
    uint32_t           more_count;
    gh_str_t          *more = tenants_of(arena, claims, claim_count, &more_count);

    if (more == NULL || prepare(&p, claims) != GH_OK) {
        return gh_error_set(error, "out_of_memory", "no memory for a proof");
    }
    if (gh_review_groups_make(arena, &image, 1, more, more_count, &groups, error) != GH_OK) {
        return GH_ERROR;
    }
    p.now_ms = now_ms > image->clock_ms ? now_ms : image->clock_ms;
    if (progress != NULL) {
        progress->total = groups.group_count;
    }
    review = gh_review_new(arena, image, 0, &groups, now_ms);
    if (review == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for a proof");
    }
    if (gh_review_all(review, visit, &p, progress, error) != GH_OK) {
        return error->code != NULL ? GH_ERROR : gh_error_set(error, "out_of_memory", "no memory for a proof");
    }
    for (uint32_t i = 0; i < claim_count; i++) {
        proofs[i].verdict = proofs[i].broken > 0 ? GH_PROOF_BROKEN : proofs[i].uses > 0 ? GH_PROOF_HOLDS : GH_PROOF_VACUOUS;
    }
    *counts = gh_review_counts(review);
    return GH_OK;
}
