/* The decision, step by step. What it carries: decide_classes.c. One target: decide_target.c. Why not: decide_why.c. */
#include "policy/decide/decide_internal.h"

#include <string.h>

#include "policy/route/route.h"

const gh_verdict_answer_t gh_verdict_answers[] = {
    [GH_DECIDED_ALLOW] = { "allow", 200 },
    [GH_DENIED_MODEL_UNKNOWN] = { "model_not_found", 404 },
    [GH_DENIED_MODEL] = { "model_not_allowed", 403 },
    [GH_DENIED_RESIDENCY] = { "residency_denied", 403 },
    [GH_DENIED_LABEL] = { "unknown_data_class", 403 },
    [GH_DENIED_PLACES] = { "invalid_places", 400 },
    [GH_DENIED_NO_POLICY] = { "no_policy", 403 },
    [GH_DENIED_ENDPOINT] = { "model_not_found", 404 },
    [GH_DENIED_NODE] = { "policy_unavailable", 503 },
    [GH_DENIED_STATE] = { "state_not_found", 404 },
    [GH_DENIED_NOT_EXPRESSIBLE] = { "not_expressible", 400 },
};

static int
no_memory(gh_error_t *error)
{
    return gh_error_set(error, "out_of_memory", "no memory for a decision");
}

/* What may be said before any deployment is looked at. GH_DECIDED_ALLOW: nothing stands against it so far. */
static gh_verdict_code_t
refused_early(gh_deciding_t *d)
{
    int32_t model;

    d->node_country = gh_image_node_country(d->image, d->input->node);
    if (d->node_country < 0) {
        return GH_DENIED_NODE;
    }
    model = gh_image_model_find(d->image, d->input->intake->model);
    if (model < 0) {
        return GH_DENIED_MODEL_UNKNOWN;
    }
    d->model = (uint32_t) model;
    d->decision->model = gh_image_str(d->image, d->image->models[model].name);
    if (!gh_image_profile_permits(d->image, d->profile, d->model) || !gh_narrowing_permits(d->input->identity->own_models, d->decision->model)) {
        return GH_DENIED_MODEL;
    }
    if (d->policy == NULL) {
        return GH_DENIED_NO_POLICY;
    }
    if (d->label_unknown) {
        return GH_DENIED_LABEL;
    }
    return d->place_unknown ? GH_DENIED_PLACES : GH_DECIDED_ALLOW;
}

int
gh_decide_profile(const gh_image_t *image, const gh_identity_t *identity, int32_t *profile, gh_error_t *error)
{
    *profile = -1;
    if (gh_image_holds_apps(image)) {
        *profile = gh_image_app_find(image, identity->path);
        return GH_OK;
    }
    if (identity->revision != gh_image_revision(image)) {
        return gh_error_set(error, "store_moved", "the caller is of revision %llu, the policy of revision %llu",
            (unsigned long long) identity->revision, (unsigned long long) gh_image_revision(image));
    }
    *profile = gh_image_profile_find(image, identity->profile);
    return *profile >= 0 ? GH_OK
        : gh_error_set(error, "store_damaged", "revision %llu has no profile %u", (unsigned long long) identity->revision,
            identity->profile);
}

/* org/tenant/app/key */
static gh_str_t
key_path(gh_arena_t *arena, const gh_identity_t *identity)
{
    return gh_str_join(arena, (const gh_str_t[]) { identity->path, GH_STR("/"), identity->key }, 3);
}

static int
find_policy(gh_deciding_t *d, gh_error_t *error)
{
    int32_t profile;

    if (gh_decide_profile(d->image, d->input->identity, &profile, error) != GH_OK) {
        return GH_ERROR;
    }
    d->path = key_path(d->arena, d->input->identity);
    if (d->path.data == NULL) {
        return no_memory(error);
    }
    d->patterns = gh_patterns_match(d->image, d->arena, d->path, &d->pattern_count);
    if (d->patterns == NULL) {
        return no_memory(error);
    }
    if (profile >= 0) {
        d->profile = &d->image->profiles[profile];
        if (d->profile->policy >= 0) {
            d->policy = &d->image->policies[d->profile->policy];
            d->decision->policy = gh_image_str(d->image, d->policy->name);
        }
    }
    return GH_OK;
}

static int
judge_targets(gh_deciding_t *d)
{
    gh_range_t     range = d->image->models[d->model].targets;
    gh_decision_t *decision = d->decision;
    bool           offered = false;
    int32_t       *fits;

    decision->targets = gh_arena_array(d->arena, range.count, sizeof(*decision->targets));
    decision->route = gh_arena_array(d->arena, range.count, sizeof(*decision->route));
    fits = gh_arena_array(d->arena, (size_t) range.count * decision->class_count, sizeof(*fits));
    d->judged = gh_arena_array(d->arena, range.count, sizeof(*d->judged));
    if (decision->targets == NULL || decision->route == NULL || fits == NULL || d->judged == NULL || gh_decide_rules(d) != GH_OK) {
        return GH_ERROR;
    }
    decision->target_count = range.count;
    for (uint32_t i = 0; i < range.count; i++) {
        gh_target_verdict_t *verdict = &decision->targets[i];

        verdict->target = range.first + i;
        verdict->fits = fits + (size_t) i * decision->class_count;
        gh_decide_target(d, i);
        if (verdict->code == GH_TARGET_ELIGIBLE) {
            decision->route[decision->route_count++] = verdict->target;
        }
        if (verdict->code != GH_TARGET_NOT_SERVED && verdict->code != GH_TARGET_ENDPOINT) {
            offered = true;
        }
    }
    gh_route_sort(d->image, decision->route, decision->route_count);
    decision->code = decision->route_count > 0 ? GH_DECIDED_ALLOW : offered ? GH_DENIED_RESIDENCY : GH_DENIED_ENDPOINT;
    return GH_OK;
}

int
gh_decide(const gh_image_t *image, const gh_decide_input_t *input, gh_arena_t *arena,
    gh_decision_t *decision, gh_error_t *error)
{
    gh_deciding_t d;
    bool          found = false, judged = false;

    memset(&d, 0, sizeof(d));
    memset(decision, 0, sizeof(*decision));
    d.image = image;
    d.input = input;
    d.arena = arena;
    d.decision = decision;
    d.now_ms = input->now_ms > image->clock_ms ? input->now_ms : image->clock_ms;
    decision->code = GH_DENIED_NO_POLICY;
    decision->revision = gh_image_revision(image);
    decision->clock_ms = d.now_ms;
    decision->valid_until_ms = UINT64_MAX;

    if (find_policy(&d, error) != GH_OK) {
        return GH_ERROR;
    }
    if (d.policy != NULL && (gh_decide_classes(&d) != GH_OK || gh_decide_narrowing(&d) != GH_OK)) {
        return no_memory(error);
    }
    if (d.profile != NULL) {
        decision->code = refused_early(&d);
        judged = decision->code == GH_DECIDED_ALLOW;
        if (judged && (gh_cells_take(&d, &found) != GH_OK || (!found && judge_targets(&d) != GH_OK))) {
            decision->code = GH_DENIED_RESIDENCY;
            decision->route_count = 0;
            return no_memory(error);
        }
    }
    if (decision->code != GH_DECIDED_ALLOW && !(found && decision->code == GH_DENIED_RESIDENCY) && gh_decide_why(&d) != GH_OK) {
        return no_memory(error);
    }
    if (judged && !found) {
        gh_cells_put(&d);
    }
    if ((decision->code == GH_DECIDED_ALLOW || (decision->code == GH_DENIED_ENDPOINT && input->intake->operation != GH_OPERATION_CREATE))
        && gh_decide_pin(&d) != GH_OK)
    {
        decision->code = GH_DENIED_STATE;
        decision->route_count = 0;
        return no_memory(error);
    }
    if (decision->code == GH_DECIDED_ALLOW && gh_decide_express(&d) != GH_OK) {
        decision->code = GH_DENIED_NOT_EXPRESSIBLE;
        decision->route_count = 0;
        return no_memory(error);
    }
    return GH_OK;
}

const gh_target_verdict_t *
gh_decide_still(const gh_image_t *image, const gh_decide_input_t *input, gh_arena_t *arena,
    gh_str_t deployment, gh_str_t upstream_model, gh_decision_t *decision)
{
    gh_error_t error;

    if (gh_decide(image, input, arena, decision, &error) != GH_OK || decision->code != GH_DECIDED_ALLOW) {
        return NULL;
    }
    for (uint32_t i = 0; i < decision->route_count; i++) {
        const gh_image_target_t *target = &image->targets[decision->route[i]];

        if (gh_str_eq(gh_image_str(image, image->deployments[target->deployment].id), deployment)
            && gh_str_eq(gh_image_str(image, target->upstream), upstream_model))
        {
            return gh_decision_verdict(decision, decision->route[i]);
        }
    }
    return NULL;
}

const gh_target_verdict_t *
gh_decision_verdict(const gh_decision_t *decision, uint32_t target)
{
    for (uint32_t i = 0; i < decision->target_count; i++) {
        if (decision->targets[i].target == target) {
            return &decision->targets[i];
        }
    }
    return NULL;
}

/* Bits of the endpoints at which some deployment that serves the path offers the model: at no other it is allowed. */
static uint32_t
endpoints_served(const gh_image_t *image, uint32_t model, gh_str_t path)
{
    gh_range_t range = image->models[model].targets;
    uint32_t   endpoints = 0;

    for (uint32_t i = 0; i < range.count; i++) {
        const gh_image_target_t *target = &image->targets[range.first + i];

        if (gh_image_covers(image, target->serves, path)) {
            endpoints |= target->endpoints;
        }
    }
    return endpoints;
}

/* GH_ERROR: out of memory. */
static int
model_allowed(const gh_image_t *image, const gh_decide_input_t *input, gh_arena_t *arena, gh_str_t model, uint32_t endpoints,
    bool *allowed)
{
    gh_decide_input_t plain = *input;
    gh_intake_t       intake;
    gh_decision_t     decision;
    gh_error_t        error;

    memset(&intake, 0, sizeof(intake));
    intake.model = model;
    intake.n = 1;
    plain.intake = &intake;
    plain.header = NULL;
    *allowed = false;
    for (int i = 0; i < GH_ENDPOINTS && !*allowed; i++) {
        if (!(endpoints >> i & 1)) {
            continue;
        }
        intake.endpoint = (gh_endpoint_t) i;
        if (gh_decide(image, &plain, arena, &decision, &error) != GH_OK) {
            return GH_ERROR;
        }
        *allowed = decision.code == GH_DECIDED_ALLOW;
    }
    return GH_OK;
}

int
gh_decide_models(const gh_image_t *image, const gh_decide_input_t *input, gh_arena_t *arena,
    gh_str_t **names, size_t *count)
{
    const gh_identity_t *identity = input->identity;
    int32_t              profile;
    gh_error_t           error;
    gh_str_t             path = key_path(arena, identity);

    *count = 0;
    *names = gh_arena_array(arena, image->count[GH_SECTION_MODEL], sizeof(**names));
    if (*names == NULL || path.data == NULL || gh_decide_profile(image, identity, &profile, &error) != GH_OK) {
        return GH_ERROR;
    }
    if (profile < 0 || image->profiles[profile].policy < 0) {
        return GH_OK;
    }
    for (uint32_t i = 0; i < image->count[GH_SECTION_NAME] && *count < image->count[GH_SECTION_MODEL]; i++) {
        const gh_image_name_t *name = &image->names[i];
        gh_str_t               text = gh_image_str(image, name->name);
        uint32_t               endpoints;
        bool                   allowed;

        if (name->alias || !gh_image_profile_permits(image, &image->profiles[profile], name->model)) {
            continue;
        }
        endpoints = endpoints_served(image, name->model, path);
        if (model_allowed(image, input, arena, text, endpoints, &allowed) != GH_OK) {
            return GH_ERROR;
        }
        if (allowed) {
            (*names)[(*count)++] = text;
        }
    }
    return GH_OK;
}

gh_str_t
gh_decision_rule_id(const gh_image_t *image, int32_t rule)
{
    if (rule < 0 || (uint32_t) rule >= image->count[GH_SECTION_RULE]) {
        return GH_STR("");
    }
    return gh_image_str(image, (gh_ref_t) { image->rules[rule].id_offset, image->rules[rule].id_len });
}

gh_str_t
gh_decision_rule_why(const gh_image_t *image, int32_t rule)
{
    if (rule < 0 || (uint32_t) rule >= image->count[GH_SECTION_RULE]) {
        return GH_STR("");
    }
    return gh_image_str(image, (gh_ref_t) { image->rules[rule].why_offset, image->rules[rule].why_len });
}
