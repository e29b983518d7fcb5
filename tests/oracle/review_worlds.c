/*
 * Where the data of a world's tenants may get, by policy/review; one JSON object a line on stdin, one answer a line on stdout, for
 * comparison with an independent enumeration.
 *
 * {"documents":[...],"now":"2026-11-21T00:00:00Z","sample":N,"claims":["never ..."],"after":[...]}. Answers: {"errors":[...]} or {"groups":[{"members":["org/tenant/app/key"],
 * "rows":[{"class","deployment","upstream","feature","unlisted","steps":[{"from":ms,"process":[],"store":[],"operator":[]}]}]}],
 * "counts":{...},"laws":["what an enumeration of N more requests a group found to be otherwise"],"proofs":[{"verdict","examples":[{"path",
 * "class","deployment","upstream","at"}]}],"plan":[{"members","class","deployment","model","feature","unlisted","gained","status","from","process",
 * "store","operator"}]}; plan: from documents to after, changes without a deployment first.
 */
#include "policy/review/plan.h"
#include "policy/review/prove.h"
#include "policy/review/reach.h"
#include "tests/oracle/world_line.h"

#define ANSWER_MAX (1u << 27)
#define TARGETS_MAX 1024

/* ---- the answer ---- */

static void
write_places(gh_json_writer_t *w, const char *key, gh_places_t places)
{
    gh_json_key(w, key);
    gh_json_begin_array(w);
    for (int i = 0; i < GH_COUNTRIES; i++) {
        if (places.word[i / 64] >> (i % 64) & 1) {
            gh_json_string(w, (gh_str_t) { gh_country_codes[i], 2 });
        }
    }
    if (gh_places_has_unknown(places)) {
        gh_json_string(w, GH_STR("?"));
    }
    gh_json_end_array(w);
}

static void
write_row(gh_json_writer_t *w, const gh_reach_row_t *row)
{
    gh_json_begin_object(w);
    gh_json_kv_string(w, "class", row->class_name);
    gh_json_kv_string(w, "deployment", row->deployment);
    gh_json_kv_string(w, "upstream", row->upstream);
    gh_json_kv_string(w, "feature", row->feature.name);
    gh_json_kv_bool(w, "unlisted", row->feature.kind == GH_REVIEW_UNLISTED_FEATURE);
    gh_json_key(w, "steps");
    gh_json_begin_array(w);
    for (uint32_t i = 1; i < row->timeline.count; i++) {
        const gh_timeline_step_t *step = &row->timeline.steps[i];

        gh_json_begin_object(w);
        gh_json_kv_u64(w, "from", step->from_ms);
        write_places(w, "process", step->reached.of[GH_REACH_PROCESS]);
        write_places(w, "store", step->reached.of[GH_REACH_STORE]);
        write_places(w, "operator", step->reached.of[GH_REACH_OPERATOR]);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
    gh_json_end_object(w);
}

/* ---- the laws that review.h counts on ---- */

typedef struct {                       /* what one visited case said */
    gh_review_request_t request;
    uint32_t            model;
    gh_review_feature_t feature;
    gh_endpoint_t       endpoint;
    int                 country;
    uint64_t            from_ms, until_ms;
    gh_reached_t       *reached;       /* by number of the model's targets; process empty: not eligible */
} seen_t;

typedef struct {
    gh_arena_t       *arena;
    gh_reach_table_t  table;
    seen_t           *seen;
    uint32_t          count, capacity;
} seeing_t;

static int
see(void *context, const gh_review_case_t *one)
{
    seeing_t  *s = context;
    gh_range_t targets = one->image->models[one->model].targets;
    seen_t    *seen;

    if (gh_reach_visit(&s->table, one) != GH_OK) {
        return GH_ERROR;
    }
    if (s->count == s->capacity) {
        s->seen = gh_arena_grow(s->arena, s->seen, s->count, s->capacity * 2 + 64, sizeof(*s->seen));
        s->capacity = s->capacity * 2 + 64;
    }
    seen = &s->seen[s->count++];
    *seen = (seen_t) { *one->request, one->model, one->feature, one->input->intake->endpoint,
        gh_image_node_country(one->image, one->input->node), one->from_ms, one->until_ms,
        gh_arena_array(s->arena, targets.count, sizeof(gh_reached_t)) };
    for (uint32_t i = 0; i < one->decision->route_count; i++) {
        if (gh_reach_of_use(one, one->decision->route[i], &seen->reached[one->decision->route[i] - targets.first]) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

typedef struct { uint64_t state; } dice_t;

static uint32_t
roll(dice_t *dice, uint32_t sides)
{
    dice->state = dice->state * 6364136223846793005ull + 1442695040888963407ull;
    return sides == 0 ? 0 : (uint32_t) (dice->state >> 33) % sides;
}

typedef struct {
    char     header[64], labels[2048], places[16];
    bool     narrowed;
} headers_t;

static bool
give(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const headers_t *h = context;

    if (index == 0 && h->narrowed && gh_str_eq_nocase(name, GH_STR("x-gatehouse-places"))) {
        *value = gh_str_from(h->places);
        return true;
    }
    *value = gh_str_from(h->labels);
    return index == 0 && h->labels[0] != '\0' && gh_str_eq_nocase(name, gh_str_from(h->header));
}

typedef struct {                       /* a request of any kind */
    gh_identity_t     identity;
    gh_intake_t       intake;
    gh_decide_input_t input;
    headers_t         headers;
    uint32_t          model;
} request_t;

static void
random_labels(dice_t *dice, const gh_image_t *image, const gh_image_policy_t *policy, headers_t *headers)
{
    uint32_t count = roll(dice, 4);

    headers->labels[0] = '\0';
    if (policy == NULL || policy->labels.count == 0) {
        return;
    }
    snprintf(headers->header, sizeof(headers->header), "%.*s",
        GH_STR_ARG(gh_image_str(image, image->labels[policy->labels.first + roll(dice, policy->labels.count)])));
    for (uint32_t i = 0; i < count; i++) {
        gh_str_t name = gh_image_str(image, image->classes[policy->classes.first + roll(dice, policy->classes.count)]);
        size_t   len = strlen(headers->labels);

        snprintf(headers->labels + len, sizeof(headers->labels) - len, "%s%.*s", len == 0 ? "" : ", ", GH_STR_ARG(name));
    }
}

static void
random_request(dice_t *dice, const gh_image_t *image, const gh_review_groups_t *groups, const gh_review_group_t *group, request_t *r,
    const seeing_t *seen)
{
    const gh_review_member_t *member = &groups->members[group->first + roll(dice, group->count)];
    const gh_image_profile_t *profile = &image->profiles[group->profile[0]];
    gh_str_t                  key = groups->keys[member->key].example;

    memset(r, 0, sizeof(*r));
    r->identity.path = groups->apps[member->app];
    r->identity.key = key;
    r->model = roll(dice, image->count[GH_SECTION_MODEL]);
    r->intake.model = gh_image_str(image, image->models[r->model].name);
    r->intake.endpoint = (gh_endpoint_t) roll(dice, GH_ENDPOINTS);
    r->intake.uninspected = roll(dice, 2);
    r->intake.feature_count = roll(dice, 4);
    for (uint32_t i = 0; i < r->intake.feature_count; i++) {
        uint32_t features = image->count[GH_SECTION_FEATURE], one = roll(dice, features + 1 + features / 4);
        gh_str_t name = one < features ? gh_image_str(image, image->features[one].name) : GH_STR("");

        r->intake.features[i] = (gh_feature_use_t) { name, GH_STR("somewhere") };
    }
    r->input.identity = &r->identity;
    r->input.intake = &r->intake;
    r->input.node = gh_image_str(image, image->nodes[roll(dice, image->count[GH_SECTION_NODE])].name);
    r->input.now_ms = image->clock_ms;
    if (roll(dice, 2) == 0 && seen->count > 0) {
        const seen_t *one = &seen->seen[roll(dice, seen->count)];

        r->input.now_ms = one->from_ms + roll(dice, 3);
    }
    r->input.header = give;
    r->input.header_context = &r->headers;
    random_labels(dice, image, profile->policy < 0 ? NULL : &image->policies[profile->policy], &r->headers);
    if (roll(dice, 4) == 0) {
        r->headers.narrowed = true;
        snprintf(r->headers.places, sizeof(r->headers.places), "%s %s", gh_country_codes[roll(dice, GH_COUNTRIES)], "DE");
    }
}

/* Is this seen case one that the request's class and feature are judged by? */
static bool
concerns(const seen_t *seen, const gh_image_t *image, const request_t *r, uint32_t class_bit, const gh_feature_use_t *feature)
{
    gh_range_t targets = image->models[r->model].targets;
    bool       offered = false;

    if (seen->model != r->model || !(seen->request.minimal & class_bit) || seen->country != gh_image_node_country(image, r->input.node)
        || r->input.now_ms < seen->from_ms || r->input.now_ms >= seen->until_ms)
    {
        return false;
    }
    for (uint32_t i = 0; i < targets.count; i++) {
        uint32_t endpoints = image->targets[targets.first + i].endpoints;

        if (gh_endpoint_served(endpoints, seen->endpoint) != gh_endpoint_served(endpoints, r->intake.endpoint)) {
            return false;
        }
        offered = offered || gh_endpoint_served(endpoints, r->intake.endpoint);
    }
    if (feature == NULL || !offered) {                         /* what nobody offers is decided without features */
        return seen->feature.kind == GH_REVIEW_NO_FEATURE;
    }
    if (feature->name.len > 0 && seen->feature.kind == GH_REVIEW_LISTED_FEATURE) {
        return gh_str_eq(feature->name, seen->feature.name);
    }
    if (seen->feature.kind != GH_REVIEW_UNLISTED_FEATURE) {
        return false;
    }
    for (uint32_t i = 0; feature->name.len > 0 && i < targets.count; i++) {
        gh_range_t features = image->targets[targets.first + i].features;

        for (uint32_t f = 0; f < features.count; f++) {
            if (gh_str_eq(gh_image_str(image, image->features[features.first + f].name), feature->name)) {
                return false;
            }
        }
    }
    return true;
}

/* Eligible and reached as single cases say: all of them must, places are united. false: a case is missing. */
static bool
expected(const seeing_t *s, const gh_image_t *image, const request_t *r, uint32_t classes, bool *eligible, gh_reached_t *reached)
{
    uint32_t count = image->models[r->model].targets.count;

    for (uint32_t i = 0; i < count; i++) {
        eligible[i] = classes != 0;
        reached[i] = (gh_reached_t) { 0 };
    }
    for (uint32_t c = 0; c < GH_CLASSES_MAX; c++) {
        for (uint32_t f = 0; (classes >> c & 1) && f < (r->intake.feature_count > 0 ? r->intake.feature_count : 1); f++) {
            const gh_feature_use_t *feature = r->intake.feature_count > 0 ? &r->intake.features[f] : NULL;
            const seen_t           *found = NULL;

            for (uint32_t i = 0; found == NULL && i < s->count; i++) {
                found = concerns(&s->seen[i], image, r, (uint32_t) 1 << c, feature) ? &s->seen[i] : NULL;
            }
            if (found == NULL) {
                return false;
            }
            for (uint32_t i = 0; i < count; i++) {
                eligible[i] = eligible[i] && !gh_places_empty(found->reached[i].of[GH_REACH_PROCESS]);
                for (int kind = 0; kind < GH_REACHES; kind++) {
                    reached[i].of[kind] = gh_places_union(reached[i].of[kind], found->reached[i].of[kind]);
                }
            }
        }
    }
    return true;
}

static uint32_t
carried_by(const gh_image_t *image, const gh_image_policy_t *policy, const gh_decision_t *decision)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < decision->class_count; i++) {
        for (uint32_t c = 0; c < policy->classes.count; c++) {
            if (gh_str_eq(gh_image_str(image, image->classes[policy->classes.first + c]), decision->classes[i].name)) {
                mask |= (uint32_t) 1 << c;
            }
        }
    }
    return mask;
}

/* NULL, or what is otherwise than the single cases say. */
static const char *
broken_law(const seeing_t *s, const gh_image_t *image, const gh_image_policy_t *policy, const request_t *r, gh_arena_t *arena)
{
    static bool         eligible[TARGETS_MAX];
    static gh_reached_t reached[TARGETS_MAX];
    gh_range_t          targets = image->models[r->model].targets;
    gh_decision_t       decision;
    gh_error_t          error;
    bool                exact = r->intake.feature_count < 2 && !r->headers.narrowed;

    if (gh_decide(image, &r->input, arena, &decision, &error) != GH_OK) {
        return "no decision";
    }
    if (policy == NULL) {
        return decision.route_count == 0 ? NULL : "a route without a policy";
    }
    if (!expected(s, image, r, carried_by(image, policy, &decision), eligible, reached)) {
        return "no case stands for this request";
    }
    for (uint32_t i = 0; i < targets.count; i++) {
        bool         chosen = false;
        gh_reached_t got;

        for (uint32_t k = 0; k < decision.route_count; k++) {
            chosen = chosen || decision.route[k] == targets.first + i;
        }
        if (chosen && !eligible[i]) {
            return "eligible, though not for each part of it";
        }
        if (exact && !chosen && eligible[i]) {
            return "not eligible, though for each class it carries";
        }
        if (!chosen) {
            continue;
        }
        if (gh_decide_use(image, &r->input, &decision, targets.first + i, &(gh_judged_facts_t) { 0 }) != GH_OK) {
            return "no facts";
        }
        gh_review_case_t one = { .image = image, .input = &r->input, .decision = &decision };

        gh_reach_of_use(&one, targets.first + i, &got);
        for (int kind = 0; kind < GH_REACHES; kind++) {
            if (!gh_places_empty(gh_places_minus(got.of[kind], reached[i].of[kind]))) {
                return "it reaches a country that no part of it reaches";
            }
        }
    }
    return NULL;
}

static void
check_laws(gh_json_writer_t *w, gh_arena_t *arena, const seeing_t *s, const gh_image_t *image, const gh_review_groups_t *groups,
    const gh_review_group_t *group, uint64_t sample, dice_t *dice)
{
    const gh_image_profile_t *profile = &image->profiles[group->profile[0]];
    const gh_image_policy_t  *policy = profile->policy < 0 ? NULL : &image->policies[profile->policy];

    for (uint64_t i = 0; i < sample && image->count[GH_SECTION_MODEL] > 0; i++) {
        request_t   r;
        gh_heap_t   heap;
        const char *broken;

        random_request(dice, image, groups, group, &r, s);
        gh_heap_init(&heap);
        broken = broken_law(s, image, policy, &r, &heap.arena);
        if (broken != NULL) {
            gh_json_string(w, gh_str_format(arena, "%.*s/%.*s %.*s labels \"%s\" uninspected %d features %u at %llu: %s",
                GH_STR_ARG(r.identity.path), GH_STR_ARG(r.identity.key), GH_STR_ARG(r.intake.model), r.headers.labels,
                r.intake.uninspected, r.intake.feature_count, (unsigned long long) r.input.now_ms, broken));
        }
        gh_heap_free(&heap);
    }
}

/* ---- claims ---- */

static void
write_examples(gh_json_writer_t *w, gh_arena_t *arena, const gh_proof_t *proof)
{
    gh_json_key(w, "examples");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < proof->example_count; i++) {
        const gh_example_t *example = &proof->examples[i];

        gh_json_begin_object(w);
        gh_json_kv_string(w, "path", gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(example->app), GH_STR_ARG(example->key)));
        gh_json_kv_string(w, "class", example->class_name);
        gh_json_kv_string(w, "deployment", example->deployment);
        gh_json_kv_string(w, "upstream", example->upstream);
        gh_json_kv_u64(w, "at", example->at_ms);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

static void
write_proofs(gh_json_writer_t *w, gh_arena_t *arena, const gh_node_t *world, const gh_image_t *image, uint64_t now_ms)
{
    static const char *const verdicts[] = { "holds", "broken", "vacuous" };
    const gh_node_t         *list = gh_node_get(world, "claims");
    gh_error_t               error;

    memset(&error, 0, sizeof(error));
    gh_json_key(w, "proofs");
    gh_json_begin_array(w);
    for (const gh_node_t *text = list == NULL ? NULL : list->first; text != NULL; text = text->next) {
        gh_review_counts_t counts;
        gh_claim_t         claim;
        gh_proof_t         proof;

        gh_json_begin_object(w);
        if (gh_claim_parse(arena, image, text->text, &claim, &error) != GH_OK
            || gh_prove(arena, image, &claim, 1, now_ms, NULL, &proof, &counts, &error) != GH_OK)
        {
            gh_json_kv_string(w, "verdict", gh_str_from(error.text));
        } else {
            gh_json_kv_string(w, "verdict", gh_str_from(verdicts[proof.verdict]));
            write_examples(w, arena, &proof);
        }
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

/* ---- plans ---- */

static void
write_group(gh_json_writer_t *w, gh_arena_t *arena, const gh_review_groups_t *groups, const gh_review_group_t *group)
{
    for (uint32_t i = 0; i < group->count; i++) {
        const gh_review_member_t *member = &groups->members[group->first + i];

        gh_json_string(w, gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(groups->apps[member->app]),
            GH_STR_ARG(groups->keys[member->key].example)));
    }
}

static void
write_change(gh_json_writer_t *w, gh_arena_t *arena, const gh_plan_t *plan, const gh_plan_change_t *change)
{
    static const char *const statuses[] = { "more", "new", "gone" };

    gh_json_begin_object(w);
    gh_json_key(w, "members");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < change->group_count; i++) {
        write_group(w, arena, &plan->groups, &plan->groups.groups[change->groups[i]]);
    }
    gh_json_end_array(w);
    gh_json_kv_string(w, "class", change->class_name);
    gh_json_kv_string(w, "deployment", change->deployment);
    gh_json_kv_string(w, "model", change->model);
    gh_json_kv_string(w, "feature", change->feature.name);
    gh_json_kv_bool(w, "unlisted", change->feature.kind == GH_REVIEW_UNLISTED_FEATURE);
    gh_json_kv_bool(w, "gained", change->gained);
    gh_json_kv_string(w, "status", gh_str_from(statuses[change->status]));
    gh_json_kv_u64(w, "from", change->from_ms);
    write_places(w, "process", change->what.of[GH_REACH_PROCESS]);
    write_places(w, "store", change->what.of[GH_REACH_STORE]);
    write_places(w, "operator", change->what.of[GH_REACH_OPERATOR]);
    gh_json_end_object(w);
}

static void
write_plan(gh_json_writer_t *w, gh_arena_t *arena, const gh_image_t *before, const gh_image_t *after, uint64_t now_ms)
{
    gh_error_t error;
    gh_plan_t  plan;

    memset(&error, 0, sizeof(error));
    if (gh_plan_make(arena, before, after, now_ms, NULL, &plan, &error) != GH_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    gh_json_key(w, "plan");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < plan.reach.count; i++) {
        write_change(w, arena, &plan, &plan.reach.items[i]);
    }
    for (uint32_t i = 0; i < plan.deployments.count; i++) {
        write_change(w, arena, &plan, &plan.deployments.items[i]);
    }
    gh_json_end_array(w);
}

/* ---- a world ---- */

static void
write_members(gh_json_writer_t *w, gh_arena_t *arena, const gh_review_groups_t *groups, const gh_review_group_t *group)
{
    gh_json_key(w, "members");
    gh_json_begin_array(w);
    write_group(w, arena, groups, group);
    gh_json_end_array(w);
}

static void
write_counts(gh_json_writer_t *w, const gh_review_t *review)
{
    gh_review_counts_t counts = gh_review_counts(review);

    gh_json_key(w, "counts");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "decisions", counts.decisions);
    gh_json_kv_u64(w, "stood_for", counts.stood_for);
    gh_json_kv_u64(w, "eligible", counts.eligible);
    gh_json_kv_u64(w, "instants", counts.instants);
    gh_json_end_object(w);
}

static void
review_image(gh_json_writer_t *w, gh_arena_t *arena, const gh_node_t *world, const gh_image_t *image, const gh_image_t *after,
    uint64_t now_ms, uint64_t sample)
{
    gh_review_groups_t groups;
    gh_json_writer_t   laws;
    gh_review_t       *review;
    gh_error_t         error;
    dice_t             dice = { now_ms };
    size_t             room = 1 << 20;

    memset(&error, 0, sizeof(error));
    gh_json_writer_init(&laws, gh_arena_alloc(arena, room), room);
    gh_json_begin_array(&laws);
    gh_json_begin_object(w);
    gh_json_key(w, "groups");
    gh_json_begin_array(w);
    if (gh_review_groups_make(arena, &image, 1, NULL, 0, &groups, &error) != GH_OK
        || (review = gh_review_new(arena, image, 0, &groups, now_ms)) == NULL)
    {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    for (uint32_t i = 0; i < groups.group_count; i++) {
        gh_heap_t heap;
        seeing_t  seeing = { 0 };

        gh_heap_init(&heap);
        seeing.arena = &heap.arena;
        gh_reach_init(&seeing.table, &heap.arena);
        if (gh_review_group(review, i, see, &seeing, &error) != GH_OK) {
            fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
        gh_json_begin_object(w);
        write_members(w, arena, &groups, &groups.groups[i]);
        gh_json_key(w, "rows");
        gh_json_begin_array(w);
        for (uint32_t k = 0; k < seeing.table.count; k++) {
            write_row(w, &seeing.table.rows[k]);
        }
        gh_json_end_array(w);
        gh_json_end_object(w);
        check_laws(&laws, arena, &seeing, image, &groups, &groups.groups[i], sample, &dice);
        gh_heap_free(&heap);
    }
    gh_json_end_array(w);
    write_counts(w, review);
    gh_json_end_array(&laws);
    gh_json_key(w, "laws");
    gh_json_raw(w, (gh_str_t) { laws.data, laws.len });
    write_proofs(w, arena, world, image, now_ms);
    if (after != NULL) {
        write_plan(w, arena, image, after, now_ms);
    }
    gh_json_end_object(w);
}

static void
review_world(gh_arena_t *arena, const gh_node_t *world, gh_str_t line, gh_json_writer_t *w)
{
    const gh_node_t *sample;
    gh_report_t      report;
    gh_model_t      *model;
    gh_image_t      *image, *after = NULL;
    uint64_t         now_ms;

    gh_report_init(&report, arena);
    now_ms = time_of(text_of(world, "now", ""));
    image = world_line_image(arena, world, "documents", line, now_ms, &model, &report);
    if (image == NULL) {
        write_errors(w, &report);
        return;
    }
    if (gh_node_get(world, "after") != NULL) {
        after = world_line_image(arena, world, "after", line, now_ms, &model, &report);
        if (after == NULL) {
            write_errors(w, &report);
            return;
        }
    }
    sample = gh_node_get(world, "sample");
    review_image(w, arena, world, image, after, now_ms, sample == NULL ? 0 : strtoull(sample->text.data, NULL, 10));
    gh_image_unref(image);
    if (after != NULL) {
        gh_image_unref(after);
    }
}

int
main(void)
{
    return world_lines(ANSWER_MAX, review_world);
}
