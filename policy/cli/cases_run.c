/* Running a case: gh_decide for each app and node it is about, and what was decided held against what was expected. */
#include "ngx_module/wire/hub/hub.h"
#include "policy/cli/cases.h"
#include "policy/cli/verdict_text.h"
#include "policy/store/image_format.h"

typedef struct {
    gh_cli_case_run_t      *run;
    const gh_cli_case_t    *item;
    gh_cli_case_result_t   *result;
    gh_arena_t             *scratch;     /* of this decision */
    const gh_model_policy_t *policy;     /* that covers the app; NULL: none */
    gh_identity_t           identity;
    gh_decide_input_t       input;
    gh_hub_asked_t          asked;       /* what "request" can be translated to */
    gh_decision_t           decision;
    gh_cli_verdict_words_t  words;
    gh_str_list_t           reasons;     /* in the loader's arena */
} deciding_t;

/* ---- the request ---- */

/* The case's headers, then its labels as values of the policy's first label header. */
static bool
find_header(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const deciding_t *d = context;

    for (uint32_t i = 0; i < d->item->header_count; i++) {
        if (gh_str_eq_nocase(d->item->headers[i].name, name) && index-- == 0) {
            *value = d->item->headers[i].value;
            return true;
        }
    }
    if (d->policy == NULL || d->policy->label_headers.count == 0 || !gh_str_eq_nocase(d->policy->label_headers.items[0], name)) {
        return false;
    }
    if (index >= d->item->labels.count) {
        return false;
    }
    *value = d->item->labels.items[index];
    return true;
}

/* "a/b/c" of "a/b/c/d". */
static gh_str_t
app_path(gh_str_t path)
{
    unsigned slashes = 0;

    for (size_t i = 0; i < path.len; i++) {
        slashes += path.data[i] == '/';
        if (slashes == 3) {
            return (gh_str_t) { path.data, i };
        }
    }
    return path;
}

static void
fill_identity(deciding_t *d, gh_str_t path)
{
    gh_str_t *parts[] = { &d->identity.org, &d->identity.tenant, &d->identity.app, &d->identity.key };
    unsigned  part = 0;
    size_t    begin = 0;

    for (size_t i = 0; i <= path.len && part < 4; i++) {
        if (i == path.len || path.data[i] == '/') {
            *parts[part++] = (gh_str_t) { path.data + begin, i - begin };
            begin = i + 1;
        }
    }
    d->identity.path = app_path(path);
    d->identity.own_classes = d->item->own_classes;
    d->identity.own_places = d->item->own_places;
    d->identity.own_models = d->item->own_models;
}

/* ---- what was expected otherwise ---- */

static void
because(deciding_t *d, gh_str_t text)
{
    gh_str_t *item = gh_doc_push(d->run->loader, &d->reasons.items, &d->reasons.count, sizeof(*item));

    if (item != NULL) {
        *item = gh_str_copy(d->run->loader->arena, text);
    }
}

static gh_str_t
deployment_of(const deciding_t *d, uint32_t target)
{
    return gh_image_str(d->run->image, d->run->image->deployments[d->run->image->targets[target].deployment].id);
}

static const gh_target_verdict_t *
verdict_on(const deciding_t *d, gh_str_t deployment)
{
    for (uint32_t i = 0; i < d->decision.target_count; i++) {
        if (gh_str_eq(deployment_of(d, d->decision.targets[i].target), deployment)) {
            return &d->decision.targets[i];
        }
    }
    return NULL;
}

static bool
may_be_used(const deciding_t *d, gh_str_t deployment)
{
    const gh_target_verdict_t *verdict = verdict_on(d, deployment);

    return d->decision.code == GH_DECIDED_ALLOW && verdict != NULL && verdict->code == GH_TARGET_ELIGIBLE;
}

/* Why a deployment may not be used. */
static gh_str_t
why_not(const deciding_t *d, gh_str_t deployment)
{
    const gh_target_verdict_t *verdict = verdict_on(d, deployment);

    if (d->decision.target_count == 0) {
        return gh_str_format(d->scratch, "the request is %.*s", GH_STR_ARG(gh_cli_decision_text(&d->words)));
    }
    return verdict == NULL ? GH_STR("it does not offer the model") : gh_cli_verdict_text(&d->words, verdict);
}

static void
check_verdict(deciding_t *d)
{
    const gh_cli_expect_t *expect = &d->item->expect;
    bool                   allowed = d->decision.code == GH_DECIDED_ALLOW;

    if (expect->has_verdict && expect->allow != allowed) {
        because(d, gh_str_format(d->scratch, "expected %s, but it is %.*s", expect->allow ? "allow" : "deny",
            GH_STR_ARG(gh_cli_decision_text(&d->words))));

    } else if (expect->code.len > 0 && !gh_str_is(expect->code, gh_verdict_answers[d->decision.code].code)) {
        because(d, gh_str_format(d->scratch, "expected code %.*s, but it is %.*s", GH_STR_ARG(expect->code),
            GH_STR_ARG(gh_cli_decision_text(&d->words))));
    }
}

/* Of a denial: the rule it names. Of an allow: every deployment that may be used is allowed by it, for some class. */
static void
check_rule(deciding_t *d)
{
    gh_str_t rule = d->item->expect.rule;

    if (rule.len == 0) {
        return;
    }
    if (d->decision.code != GH_DECIDED_ALLOW) {
        if (!gh_str_eq(d->decision.rule, rule)) {
            because(d, gh_str_format(d->scratch, "expected rule %.*s, but it is %.*s", GH_STR_ARG(rule),
                GH_STR_ARG(gh_cli_decision_text(&d->words))));
        }
        return;
    }
    for (uint32_t i = 0; i < d->decision.route_count; i++) {
        const gh_target_verdict_t *verdict = gh_decision_verdict(&d->decision, d->decision.route[i]);
        bool                       found = false;

        for (uint32_t c = 0; verdict != NULL && c < d->decision.class_count; c++) {
            found = found || gh_str_eq(gh_decision_rule_id(d->run->image, verdict->fits[c]), rule);
        }
        if (!found && verdict != NULL) {
            because(d, gh_str_format(d->scratch, "expected rule %.*s, but %.*s may be used by %.*s", GH_STR_ARG(rule),
                GH_STR_ARG(deployment_of(d, verdict->target)), GH_STR_ARG(gh_cli_rules_text(&d->words, verdict))));
        }
    }
}

static void
check_deployments(deciding_t *d)
{
    const gh_cli_expect_t *expect = &d->item->expect;

    for (uint32_t i = 0; i < expect->deployments.count; i++) {
        if (!may_be_used(d, expect->deployments.items[i])) {
            because(d, gh_str_format(d->scratch, "expected %.*s, which may not be used: %.*s",
                GH_STR_ARG(expect->deployments.items[i]), GH_STR_ARG(why_not(d, expect->deployments.items[i]))));
        }
    }
    for (uint32_t i = 0; i < d->decision.route_count; i++) {
        gh_str_t id = deployment_of(d, d->decision.route[i]);
        bool     never = gh_list_find(&expect->never, id) >= 0;

        if (never || (expect->deployments.count > 0 && gh_list_find(&expect->deployments, id) < 0)) {
            because(d, gh_str_format(d->scratch, "%s %.*s, which may be used: %.*s", never ? "expected never" : "did not expect",
                GH_STR_ARG(id), GH_STR_ARG(gh_cli_verdict_text(&d->words, gh_decision_verdict(&d->decision, d->decision.route[i])))));
        }
    }
    if (expect->first.len > 0 && !may_be_used(d, expect->first)) {
        because(d, gh_str_format(d->scratch, "expected %.*s first, which may not be used: %.*s", GH_STR_ARG(expect->first),
            GH_STR_ARG(why_not(d, expect->first))));

    } else if (expect->first.len > 0 && !gh_str_eq(deployment_of(d, d->decision.route[0]), expect->first)) {
        because(d, gh_str_format(d->scratch, "expected %.*s first, but %.*s is tried before it", GH_STR_ARG(expect->first),
            GH_STR_ARG(deployment_of(d, d->decision.route[0]))));
    }
}

static gh_str_t
class_names(const deciding_t *d)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < d->decision.class_count; i++) {
        text = gh_str_format(d->scratch, "%.*s%s%.*s (%.*s)", GH_STR_ARG(text), i ? ", " : "",
            GH_STR_ARG(d->decision.classes[i].name), GH_STR_ARG(d->decision.classes[i].from));
    }
    return text.len > 0 ? text : GH_STR("none");
}

static void
check_classes(deciding_t *d)
{
    const gh_str_list_t *expected = &d->item->expect.classes;
    bool                 same = expected->count == d->decision.class_count;

    if (expected->count == 0) {
        return;
    }
    for (uint32_t i = 0; i < d->decision.class_count; i++) {
        same = same && gh_list_find(expected, d->decision.classes[i].name) >= 0;
    }
    if (!same) {
        gh_str_t text = GH_STR("");

        for (uint32_t i = 0; i < expected->count; i++) {
            text = gh_str_format(d->scratch, "%.*s%s%.*s", GH_STR_ARG(text), i ? ", " : "", GH_STR_ARG(expected->items[i]));
        }
        because(d, gh_str_format(d->scratch, "expected the classes %.*s, but it carries %.*s", GH_STR_ARG(text),
            GH_STR_ARG(class_names(d))));
    }
}

/* ---- places ---- */

/* The list as the app's policy would read it. false: it names what is no place, and that is reported. */
static bool
resolve(deciding_t *d, const gh_node_t *list, gh_places_t *within)
{
    gh_place_scope_t scope = { .facts = &d->run->facts, .facts_count = 1 };

    if (d->policy != NULL) {
        scope.own = d->policy->places;
        scope.own_count = d->policy->place_count;
    }
    d->run->loader->source = d->item->where.source;
    return gh_doc_places(d->run->loader, list, &scope, within);
}

/* "expected processing within EU, but ...". */
static void
check_within(deciding_t *d, const gh_node_t *list, const char *what, gh_places_t places, uint32_t target)
{
    gh_places_t within, outside;

    if (list == NULL || !resolve(d, list, &within) || gh_places_inside(places, within)) {
        return;
    }
    outside = gh_places_has_unknown(places) ? gh_places_unknown() : gh_places_minus(places, within);
    because(d, gh_str_format(d->scratch, "expected %s within %.*s, but %.*s may be used and reaches %.*s (%.*s)", what,
        GH_STR_ARG(gh_cli_places_text(&d->run->sets, within)), GH_STR_ARG(deployment_of(d, target)),
        GH_STR_ARG(gh_cli_places_text(&d->run->sets, outside)),
        GH_STR_ARG(gh_cli_rules_text(&d->words, gh_decision_verdict(&d->decision, target)))));
}

static void
check_store(deciding_t *d, const gh_judged_facts_t *facts, uint32_t target)
{
    const gh_cli_expect_t *expect = &d->item->expect;

    if (expect->store_nothing && !facts->store_nothing) {
        because(d, gh_str_format(d->scratch, "expected that nothing is stored, but %.*s may be used and stores in %.*s",
            GH_STR_ARG(deployment_of(d, target)), GH_STR_ARG(gh_cli_places_text(&d->run->sets, facts->store))));
    }
    if (!facts->store_nothing) {
        check_within(d, expect->store, "storage", facts->store, target);
    }
    if (expect->has_max_days && !facts->store_nothing && !(facts->store_days_known && facts->store_days <= expect->max_days)) {
        because(d, gh_str_format(d->scratch, "expected storage for at most %llu days, but %.*s may be used and stores for %s",
            (unsigned long long) expect->max_days, GH_STR_ARG(deployment_of(d, target)), facts->store_days_known
            ? gh_str_format(d->scratch, "%u", (unsigned) facts->store_days).data : "an unknown time"));
    }
}

static void
check_places(deciding_t *d)
{
    const gh_cli_expect_t *expect = &d->item->expect;

    if (d->decision.code != GH_DECIDED_ALLOW) {
        return;
    }
    for (uint32_t i = 0; i < d->decision.route_count; i++) {
        gh_judged_facts_t facts;

        if (gh_decide_use(d->run->image, &d->input, &d->decision, d->decision.route[i], &facts) != GH_OK) {
            continue;                       /* a node that is not listed serves nothing, so there is no route */
        }
        check_within(d, expect->process, "processing", facts.process, d->decision.route[i]);
        check_store(d, &facts, d->decision.route[i]);
        check_within(d, expect->operator_home, "the operator's home", facts.operator_home, d->decision.route[i]);
    }
}

/* ---- names that only the app's policy knows ---- */

static void
check_class_names(deciding_t *d, gh_str_list_t names)
{
    for (uint32_t i = 0; d->policy != NULL && i < names.count; i++) {
        if (gh_list_find(&d->policy->classes, names.items[i]) < 0) {
            gh_doc_error(d->run->loader, d->item->where, "unknown_word", "policy \"%.*s\" has no class \"%.*s\"%s",
                GH_STR_ARG(d->policy->name), GH_STR_ARG(names.items[i]),
                gh_doc_near(d->run->loader, names.items[i], d->policy->classes.items, d->policy->classes.count));
        }
    }
}

static void
check_place_names(deciding_t *d)
{
    const gh_node_t *lists[] = { d->item->expect.process, d->item->expect.store, d->item->expect.operator_home };
    gh_places_t      places;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i] != NULL) {
            resolve(d, lists[i], &places);
        }
    }
}

static gh_str_list_t
split(gh_arena_t *arena, gh_str_t list)
{
    gh_str_list_t out = { gh_arena_array(arena, list.len / 2 + 1, sizeof(gh_str_t)), 0 };
    size_t        begin = 0;

    for (size_t i = 0; out.items != NULL && list.len > 0 && i <= list.len; i++) {
        if (i == list.len || list.data[i] == ',') {
            out.items[out.count++] = (gh_str_t) { list.data + begin, i - begin };
            begin = i + 1;
        }
    }
    return out;
}

/* false: the case is wrong for this app, and said so. */
static bool
check_names(deciding_t *d)
{
    size_t before = d->run->loader->report->errors;

    if (d->policy == NULL) {
        return true;
    }
    if (d->item->labels.count > 0 && d->policy->label_headers.count == 0) {
        gh_doc_error(d->run->loader, d->item->where, "conflict", "policy \"%.*s\" reads no labels, so \"labels\" would not be looked at; "
            "use \"headers\" for what a client sends all the same", GH_STR_ARG(d->policy->name));
    }
    check_place_names(d);
    check_class_names(d, d->item->expect.classes);
    check_class_names(d, split(d->scratch, d->item->own_classes));
    return d->run->loader->report->errors == before;
}

/* ---- one decision ---- */

static void
compare(deciding_t *d)
{
    check_verdict(d);
    if (d->reasons.count == 0) {
        check_rule(d);
        check_deployments(d);
        check_places(d);
    }
    check_classes(d);
}

static int
decide(deciding_t *d, gh_str_t path, gh_str_t node)
{
    int32_t     profile, policy = -1, country;
    gh_error_t  error;
    gh_arena_t *arena = d->run->loader->arena;

    fill_identity(d, path);
    profile = gh_image_app_find(d->run->image, d->identity.path);
    if (profile >= 0) {
        policy = d->run->image->profiles[profile].policy;
    }
    d->policy = policy >= 0 ? &d->run->loader->model->policies[policy] : NULL;
    d->input = (gh_decide_input_t) { .identity = &d->identity, .intake = &d->item->intake, .node = node, .header = find_header,
        .header_context = d, .now_ms = d->item->at_ms ? d->item->at_ms : d->run->now_ms };
    if (!check_names(d)) {
        return GH_OK;
    }
    if (d->item->body.data != NULL) {
        d->asked = (gh_hub_asked_t) { .arena = d->scratch, .intake = &d->item->intake, .body = d->item->body };
        d->input.express = gh_hub_asked;
        d->input.express_context = &d->asked;
    }
    if (gh_decide(d->run->image, &d->input, d->scratch, &d->decision, &error) != GH_OK) {
        gh_cli_fail_error(d->run->cli, &error);
        return GH_ERROR;
    }
    d->words = (gh_cli_verdict_words_t) { d->scratch, d->run->image, &d->decision, &d->item->intake, &d->run->sets };
    if (policy >= 0) {
        gh_cli_coverage_add(d->run->coverage, &d->decision, (uint32_t) policy);
    }
    compare(d);
    d->result->runs++;
    if (d->reasons.count == 0) {
        return GH_OK;
    }
    if (d->result->failed_runs++ == 0) {
        country = gh_image_node_country(d->run->image, node);
        d->result->reasons = d->reasons;
        d->result->failed_as = gh_str_format(arena, "%.*s on node %.*s%s%s", GH_STR_ARG(path), GH_STR_ARG(node),
            country >= 0 ? " in " : "", country >= 0 ? gh_country_codes[country] : "");
    }
    return GH_OK;
}

static int
decide_once(gh_cli_case_run_t *run, const gh_cli_case_t *item, gh_cli_case_result_t *result, gh_str_t path, gh_str_t node)
{
    deciding_t  d = { .run = run, .item = item, .result = result };
    gh_arena_t *sets_arena = run->sets.arena;
    gh_heap_t   heap;
    int         status;

    gh_heap_init(&heap);
    d.scratch = &heap.arena;
    run->sets.arena = &heap.arena;
    status = decide(&d, path, node);
    run->sets.arena = sets_arena;
    gh_heap_free(&heap);
    return status;
}

static int
decide_nodes(gh_cli_case_run_t *run, const gh_cli_case_t *item, gh_cli_case_result_t *result, gh_str_t path)
{
    const gh_model_t *model = run->loader->model;

    if (item->node.len > 0) {
        return decide_once(run, item, result, path, item->node);
    }
    for (uint32_t i = 0; i < model->node_count && run->loader->report->errors == 0; i++) {
        if (decide_once(run, item, result, path, model->nodes[i].id) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* The first app whose path is not below this one. */
static uint32_t
app_lower_bound(const gh_image_t *image, gh_str_t path)
{
    uint32_t low = 0, high = gh_image_counts(image).apps;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (gh_str_cmp(gh_image_app_path(image, middle), path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int
gh_cli_case_run(gh_cli_case_run_t *run, const gh_cli_case_t *item, gh_cli_case_result_t *result)
{
    gh_str_t below;

    *result = (gh_cli_case_result_t) { .item = item, .failed_as = GH_STR("") };
    if (item->who_parts > 2) {
        return decide_nodes(run, item, result, item->who);
    }
    below = gh_str_format(run->loader->arena, "%.*s/", GH_STR_ARG(item->who));
    for (uint32_t i = app_lower_bound(run->image, below); i < gh_image_counts(run->image).apps; i++) {
        gh_str_t path = gh_image_app_path(run->image, i);

        if (!gh_str_starts(path, below) || run->loader->report->errors > 0) {
            break;
        }
        if (decide_nodes(run, item, result, path) != GH_OK) {
            return GH_ERROR;
        }
    }
    if (result->runs == 0 && run->loader->report->errors == 0) {
        gh_doc_error(run->loader, item->where, "unknown_name", "tenant \"%.*s\" has no app: the case is about nobody",
            GH_STR_ARG(item->who));
    }
    return GH_OK;
}
