/*
 * `gatehouse explain ID --again`: the recorded inputs, decided on once more by the documents of the recorded revision. The record may name
 * deployments by a bitmap only, and a year later nobody has that revision at hand; this gives every line of it, and would show a record
 * that does not follow from its policy.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/cli/explain.h"
#include "policy/cli/policy_load.h"
#include "policy/cli/verdict_text.h"

typedef struct {
    gh_cli_explain_t explain;
    const json_t    *line;
    unsigned         differences;
} again_t;

static gh_str_t
member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_string(value) ? (gh_str_t) { json_string_value(value), json_string_length(value) } : GH_STR("");
}

/* The recorded labels and narrowings, as the headers that they came in. */
static bool
find_header(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const again_t *again = context;
    const json_t  *item;
    size_t         i;

    if (gh_str_is(name, "x-gatehouse-places")) {
        item = json_array_get(json_object_get(again->line, "narrowing"), index);
        *value = json_is_string(item) ? (gh_str_t) { json_string_value(item), json_string_length(item) } : GH_STR("");
        return item != NULL;
    }
    json_array_foreach(json_object_get(again->line, "labels"), i, item) {
        if (gh_str_eq(member(item, "header"), name) && index-- == 0) {
            *value = member(item, "value");
            return true;
        }
    }

    return false;
}

/* What the line says could not be translated. */
static const gh_express_t *
recorded_express(void *context)
{
    static const char *const names[] = { [GH_WORDS_PLAIN] = "not_expressible", [GH_WORDS_OPEN] = "not_expressible_self" };
    again_t                 *again = context;
    gh_express_t            *express = gh_arena_array(again->explain.cli->arena, 1, sizeof(*express));

    for (unsigned words = 0; express != NULL && words < GH_WORDS; words++) {
        const json_t *object = json_object_get(again->line, names[words == GH_WORDS_OPEN ? GH_WORDS_OPEN : GH_WORDS_PLAIN]);

        for (int e = 0; e < GH_ENDPOINTS; e++) {
            if (json_object_get(object, gh_endpoint_names[e]) != NULL) {
                express->where[words][e] = member(object, gh_endpoint_names[e]);
            }
        }
    }

    /* an older line knows no models: what it says of the endpoint held for all */
    for (unsigned words = GH_WORDS_OPEN + 1; express != NULL && words < GH_WORDS; words++) {
        const json_t *object = json_object_get(again->line, "not_expressible_converse");

        if (object != NULL) {
            express->where[words][gh_endpoint_by_model()] = json_object_get(object, gh_words_names[words]) != NULL ? member(object, gh_words_names[words])
                : (gh_str_t) { NULL, 0 };
        }
    }

    for (int m = 0; express != NULL && m < GH_BEDROCK_MODELS; m++) {
        const json_t *object = json_object_get(again->line, "not_expressible_models");

        if (json_object_get(object, gh_bedrock_model_names[m]) != NULL) {
            express->embeddings[m] = member(object, gh_bedrock_model_names[m]);
        }
    }

    return express;
}

static int
fill_intake(again_t *again)
{
    gh_intake_t  *intake = &again->explain.intake;
    gh_str_t      endpoint = member(again->line, "endpoint");
    const json_t *features = json_object_get(again->line, "features"), *item;
    bool          known = false;
    size_t        i;

    for (int e = 0; e < GH_ENDPOINTS; e++) {
        if (gh_str_is(endpoint, gh_endpoint_names[e])) {
            intake->endpoint = (gh_endpoint_t) e;
            known = true;
        }
    }
    for (int o = 0; o < GH_OPERATIONS; o++) {
        if (gh_str_is(member(again->line, "operation"), gh_operation_names[o])) {
            intake->operation = (gh_operation_t) o;
        }
    }
    intake->n = 1;
    intake->model = member(again->line, "model");
    intake->service_tier = member(again->line, "service_tier");
    intake->stream = json_is_true(json_object_get(again->line, "stream"));
    intake->uninspected = json_is_true(json_object_get(again->line, "uninspected"));
    json_array_foreach((json_t *) features, i, item) {
        if (i == GH_FEATURES_MAX) {
            break;
        }
        intake->features[intake->feature_count++] = (gh_feature_use_t) { member(item, "name"), member(item, "where") };
        if (json_is_true(json_object_get(item, "by_default"))) {
            intake->by_default = intake->feature_count;
        }
    }
    intake->pin.deployment = member(json_object_get(again->line, "pin"), "deployment");
    intake->pin.where = member(json_object_get(again->line, "pin"), "where");

    return known && intake->model.len > 0 ? GH_OK : GH_ERROR;
}

/* What the caller narrowed by itself, as it stands beside an identity. */
static gh_str_t
recorded_lists(const again_t *again, const char *name)
{
    const json_t *array = json_object_get(again->line, name), *item;
    gh_str_t      lists = GH_STR("");
    size_t        i;

    json_array_foreach((json_t *) array, i, item) {
        if (json_is_string(item)) {
            lists = gh_str_format(again->explain.cli->arena, "%.*s%s%s", GH_STR_ARG(lists), i > 0 ? "\n" : "", json_string_value(item));
        }
    }
    return lists;
}

static int
fill_input(again_t *again)
{
    gh_cli_explain_t *explain = &again->explain;
    gh_identity_t    *identity = &explain->identity;

    identity->org = member(again->line, "org");
    identity->tenant = member(again->line, "tenant");
    identity->app = member(again->line, "app");
    identity->key = member(again->line, "key");
    identity->own_classes = member(again->line, "key_classes");
    identity->own_places = recorded_lists(again, "key_places");
    identity->own_models = recorded_lists(again, "key_models");
    identity->path = gh_str_format(explain->cli->arena, "%.*s/%.*s/%.*s", GH_STR_ARG(identity->org), GH_STR_ARG(identity->tenant),
        GH_STR_ARG(identity->app));
    explain->input = (gh_decide_input_t) { .identity = identity, .intake = &explain->intake, .node = member(again->line, "node"),
        .now_ms = (uint64_t) json_integer_value(json_object_get(again->line, "clock")), .header = find_header, .header_context = again,
        .express = recorded_express, .express_context = again };

    return identity->path.data != NULL && explain->input.now_ms > 0 && fill_intake(again) == GH_OK ? GH_OK : GH_ERROR;
}

/* ---- the same? ---- */

static void
differ(again_t *again, const char *what, gh_str_t recorded, gh_str_t now)
{
    gh_arena_t *arena = again->explain.cli->arena;

    again->differences++;
    gh_cli_fail(again->explain.cli, "the record says %s %.*s, and deciding again gives %.*s", what,
        GH_STR_ARG(recorded.len ? gh_cli_shown(arena, recorded) : GH_STR("none")), GH_STR_ARG(now.len ? now : GH_STR("none")));
}

static gh_str_t
route_text(const again_t *again)
{
    const gh_cli_explain_t *explain = &again->explain;
    gh_str_t                text = GH_STR("");

    for (uint32_t i = 0; i < explain->decision.route_count; i++) {
        gh_target_t target;

        gh_image_target(explain->image, explain->decision.route[i], &target);
        text = gh_str_format(explain->cli->arena, "%.*s%s%.*s", GH_STR_ARG(text), i ? ", " : "", GH_STR_ARG(target.deployment));
    }

    return text;
}

/* The names recorded in full; the rest of an abridged route stands in a bitmap. */
static void
compare_route(again_t *again)
{
    const gh_decision_t *decision = &again->explain.decision;
    const json_t        *route = json_object_get(again->line, "route"), *more = json_object_get(again->line, "route_more"), *item;
    gh_str_t             recorded = GH_STR("");
    bool                 same = json_array_size(route) + json_array_size(more) == decision->route_count;
    size_t               i;

    json_array_foreach((json_t *) route, i, item) {
        gh_target_t target;

        recorded = gh_str_format(again->explain.cli->arena, "%.*s%s%.*s", GH_STR_ARG(recorded), i ? ", " : "",
            GH_STR_ARG(member(item, "deployment")));
        if (i < decision->route_count) {
            gh_image_target(again->explain.image, decision->route[i], &target);
            same = same && gh_str_eq(target.deployment, member(item, "deployment"));
        }
    }
    if (!same) {
        differ(again, "the route", recorded, route_text(again));
    }
}

/* The weights are the documents' own: they are derived again as well. */
static void
compare_objective(again_t *again)
{
    gh_cli_explain_t  *explain = &again->explain;
    gh_arena_t        *arena = explain->cli->arena;
    gh_route_weights_t weights;
    gh_error_t         error;

    if (explain->order.count > 0 && gh_order_weights(explain->image, &explain->identity, &weights, &error) == GH_OK
        && (weights.latency != explain->order.weights.latency || weights.cost != explain->order.weights.cost))
    {
        differ(again, "the weights of cost and latency",
            gh_str_format(arena, "%u %u", explain->order.weights.cost, explain->order.weights.latency),
            gh_str_format(arena, "%u %u", weights.cost, weights.latency));
    }
}

static void
compare(again_t *again)
{
    const gh_decision_t *decision = &again->explain.decision;
    gh_str_t             code = decision->code == GH_DECIDED_ALLOW ? GH_STR("") : gh_str_from(gh_verdict_answers[decision->code].code);
    char                 digest[64];

    gh_hex(gh_image_policy_digest(again->explain.image), 32, digest);
    if (!gh_str_eq(member(again->line, "policy"), (gh_str_t) { digest, 64 })) {
        differ(again, "the policy", member(again->line, "policy"), (gh_str_t) { digest, 64 });
    }
    gh_hex(gh_image_facts_digest(again->explain.image), 32, digest);
    if (!gh_str_eq(member(again->line, "facts"), (gh_str_t) { digest, 64 })) {
        gh_cli_say("warning: this program has other facts than the record (%.*s): places may come out differently",
            GH_STR_ARG(gh_cli_shown(again->explain.cli->arena, member(again->line, "facts"))));
    }
    if (!gh_str_eq(member(again->line, "code"), code)) {
        differ(again, "the code", member(again->line, "code"), code);
    }
    if (!gh_str_eq(member(again->line, "rule"), decision->rule)) {
        differ(again, "the rule", member(again->line, "rule"), decision->rule);
    }
    compare_objective(again);
    compare_route(again);
}

/* ---- the command ---- */

static int
print(const again_t *again, uint64_t revision)
{
    const gh_cli_explain_t *explain = &again->explain;
    gh_cli_verdict_words_t  words = { explain->cli->arena, explain->image, &explain->decision, &explain->intake, &explain->sets };

    if (gh_cli_flag(explain->cli, "json")) {
        return gh_cli_explain_print_json(explain);
    }
    printf("Decided again by the documents of revision %llu, as of %s: %.*s.\n", (unsigned long long) revision,
        gh_cli_time_text(explain->cli->arena, explain->input.now_ms), GH_STR_ARG(gh_cli_decision_text(&words)));
    if (explain->decision.target_count > 0) {
        putchar('\n');
        gh_cli_explain_print_targets(explain);
        gh_cli_explain_print_order(explain);
        putchar('\n');
    }
    printf("%s\n", again->differences == 0 ? "It comes out as recorded." : "It does not come out as recorded.");

    return gh_cli_flush(explain->cli);
}

static int
decide(again_t *again, uint64_t revision)
{
    gh_cli_explain_t *explain = &again->explain;
    gh_error_t        error;
    int               status;

    if (gh_decide(explain->image, &explain->input, explain->cli->arena, &explain->decision, &error) != GH_OK) {
        return gh_cli_fail_error(explain->cli, &error);
    }
    explain->decision.revision = revision;
    if (gh_cli_explain_order_again(explain, again->line) != GH_OK) {
        return gh_cli_fail(explain->cli, "out of memory");
    }
    gh_cli_sets_load(explain->cli->arena, &explain->sets);
    compare(again);
    status = print(again, revision);

    return again->differences > 0 ? GH_EXIT_ERROR : status;
}

int
gh_cli_explain_again(gh_cli_t *cli, const json_t *decision)
{
    again_t         again = { .explain = { .cli = cli }, .line = decision };
    uint64_t        revision = (uint64_t) json_integer_value(json_object_get(decision, "revision"));
    gh_cli_policy_t policy;
    int             status;

    if (revision == 0 || fill_input(&again) != GH_OK) {
        return gh_cli_fail(cli, "this record does not hold what the decision was made on");
    }

    status = gh_cli_policy_load(cli, NULL, revision, again.explain.input.now_ms, &policy);
    if (status == GH_EXIT_DONE) {
        again.explain.image = policy.image;
        status = decide(&again, revision);
        gh_image_unref(policy.image);
    }

    return status;
}
