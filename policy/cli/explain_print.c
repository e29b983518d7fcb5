/* A decision in words: a sentence, the classes, one line per deployment. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/audit/mode.h"
#include "policy/cli/explain.h"
#include "policy/cli/verdict_text.h"
#include "policy/store/image_format.h"

#define JSON_FIRST (64u << 10)
#define JSON_LAST  (64u << 20)

#define OTHERS_SHOWN 12     /* deployments that were not asked, by name */

static gh_str_t
words(const gh_cli_explain_t *explain, gh_places_t places)
{
    return gh_cli_places_text(&explain->sets, places);
}

/* What the client wrote, safe for a terminal. */
static gh_str_t
shown(const gh_cli_explain_t *explain, gh_str_t s)
{
    return gh_cli_shown(explain->cli->arena, s);
}

static gh_cli_verdict_words_t
verdict_words(const gh_cli_explain_t *explain)
{
    return (gh_cli_verdict_words_t) { explain->cli->arena, explain->image, &explain->decision, &explain->intake, &explain->sets };
}

static void
print_target(const gh_cli_explain_t *explain, const gh_target_verdict_t *verdict, int id_width, int place_width)
{
    gh_cli_verdict_words_t context = verdict_words(explain);
    gh_target_t            target;

    gh_image_target(explain->image, verdict->target, &target);

    printf("%-3s  %-*.*s  %-*.*s  %.*s\n", verdict->code == GH_TARGET_ELIGIBLE ? "yes" : "no", id_width,
        GH_STR_ARG(target.deployment), place_width, GH_STR_ARG(words(explain, target.process)),
        GH_STR_ARG(gh_cli_verdict_text(&context, verdict)));
}

void
gh_cli_explain_print_targets(const gh_cli_explain_t *explain)
{
    const gh_decision_t *decision = &explain->decision;
    int                  id_width = 0, place_width = 0;

    for (uint32_t i = 0; i < decision->target_count; i++) {
        gh_target_t target;
        int         len;

        gh_image_target(explain->image, decision->targets[i].target, &target);
        len = (int) target.deployment.len;
        id_width = len > id_width ? len : id_width;
        len = (int) words(explain, target.process).len;
        place_width = len > place_width ? len : place_width;
    }

    for (uint32_t i = 0; i < decision->route_count; i++) {
        const gh_target_verdict_t *verdict = gh_decision_verdict(decision, decision->route[i]);

        if (verdict != NULL) {
            print_target(explain, verdict, id_width, place_width);
        }
    }

    for (uint32_t i = 0; i < decision->target_count; i++) {
        if (decision->targets[i].code != GH_TARGET_ELIGIBLE) {
            print_target(explain, &decision->targets[i], id_width, place_width);
        }
    }
}

/* "Allowed: ..." or "Denied: ...". */
static void
print_verdict(const gh_cli_explain_t *explain)
{
    gh_cli_verdict_words_t context = verdict_words(explain);
    const gh_decision_t   *decision = &explain->decision;
    gh_target_t            first;

    if (decision->code != GH_DECIDED_ALLOW) {
        const gh_verdict_answer_t *answer = &gh_verdict_answers[decision->code];

        printf("Denied with %d %s", answer->status, answer->code);
        if (decision->rule.len > 0) {
            printf(" by rule %.*s", GH_STR_ARG(decision->rule));
        }
        if (decision->detail.len > 0) {
            printf(": %.*s", GH_STR_ARG(shown(explain, decision->detail)));
        }
        printf("%s\n", decision->detail.len > 0 && decision->detail.data[decision->detail.len - 1] == '.' ? "" : ".");
        return;
    }

    gh_image_target(explain->image, decision->route[0], &first);
    printf("Allowed by %.*s: %.*s is tried first (processed in %.*s, priority %u)",
        GH_STR_ARG(gh_cli_rules_text(&context, gh_decision_verdict(decision, decision->route[0]))), GH_STR_ARG(first.deployment),
        GH_STR_ARG(words(explain, first.process)), (unsigned) first.priority);
    if (decision->route_count > 1) {
        printf(", then %u more by %s", (unsigned) decision->route_count - 1, gh_cli_order_words(explain->order.weights));
    }
    printf(".\n");
}

static void
print_classes(const gh_cli_explain_t *explain)
{
    const gh_decision_t *decision = &explain->decision;

    if (decision->class_count == 0) {
        return;
    }

    printf("Classes:");
    for (uint32_t i = 0; i < decision->class_count; i++) {
        printf("%s %.*s (%.*s)", i ? "," : "", GH_STR_ARG(decision->classes[i].name),
            GH_STR_ARG(decision->classes[i].from));
    }
    if (decision->policy.len > 0) {
        printf("; policy %.*s", GH_STR_ARG(decision->policy));
    }
    printf(".\n");
}

/* What the caller narrows by itself, list by list. */
static void
print_own(const gh_cli_explain_t *explain, const char *what, gh_str_t lists)
{
    gh_str_t list;

    while (gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list)) {
        printf("Its caller is narrowed to the %s %.*s.\n", what, GH_STR_ARG(shown(explain, list)));
    }
}

static const char *const operation_words[GH_OPERATIONS] = {
    [GH_OPERATION_RETRIEVE] = "read what is kept", [GH_OPERATION_CANCEL] = "cancel what is kept", [GH_OPERATION_DELETE] = "delete what is kept",
    [GH_OPERATION_INPUT_ITEMS] = "read the items of what is kept",
};

static void
print_request(const gh_cli_explain_t *explain)
{
    const gh_intake_t   *intake = &explain->intake;
    const gh_identity_t *who = &explain->identity;
    int                  country = gh_image_node_country(explain->image, explain->input.node);

    printf("Request: %.*s%s%.*s asks for %.*s at %s%s%s%s, node %.*s%s%s, ", GH_STR_ARG(who->path),
        who->key.len ? ", key " : "",
        GH_STR_ARG(who->key), GH_STR_ARG(shown(explain, intake->model)), gh_endpoint_names[intake->endpoint],
        intake->operation != GH_OPERATION_CREATE ? ", to " : "", intake->operation != GH_OPERATION_CREATE ? operation_words[intake->operation] : "",
        intake->stream ? ", streamed" : "", GH_STR_ARG(explain->input.node), country >= 0 ? " in " : "",
        country >= 0 ? gh_country_codes[country] : "");

    if (explain->decision.revision != 0) {
        printf("revision %llu.\n", (unsigned long long) explain->decision.revision);
    } else {
        printf("documents that are not applied.\n");
    }

    for (uint32_t i = 0; i < intake->feature_count; i++) {
        printf("%s%.*s%s%.*s", i ? ", " : "Features: ",
            GH_STR_ARG(intake->features[i].name.len ? intake->features[i].name : GH_STR("unknown")), " from ",
            GH_STR_ARG(shown(explain, intake->features[i].where)));
    }
    if (intake->feature_count > 0) {
        printf(".\n");
    }
    if (explain->identity.audit == GH_AUDIT_BEST_EFFORT) {
        printf("Its audit mode is best-effort: while it cannot be recorded it is sent nevertheless, and the record has a gap.\n");
    }
    print_own(explain, "places", explain->identity.own_places);
    print_own(explain, "models", explain->identity.own_models);
    if (intake->pin.deployment.len > 0) {
        printf("State: what %.*s names is kept by deployment %.*s.\n", GH_STR_ARG(shown(explain, intake->pin.where)), GH_STR_ARG(intake->pin.deployment));
    }
    if (explain->decision.narrowing.len > 0) {
        printf("Narrowed to: %.*s.\n", GH_STR_ARG(shown(explain, explain->decision.narrowing)));
    }
}

/* The deployments that were no question at all, so that none is missing without a word. */
static void
print_others(const gh_cli_explain_t *explain)
{
    const gh_image_t *image = explain->image;
    gh_arena_t       *arena = explain->cli->arena;
    uint32_t          total = image->count[GH_SECTION_DEPLOYMENT], others = 0;
    bool             *judged = gh_arena_array(arena, total, sizeof(bool));
    gh_str_t          names = GH_STR("");

    for (uint32_t i = 0; judged != NULL && i < explain->decision.target_count; i++) {
        judged[image->targets[explain->decision.targets[i].target].deployment] = true;
    }
    for (uint32_t i = 0; judged != NULL && i < total; i++) {
        if (!judged[i] && others++ < OTHERS_SHOWN) {
            names = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(names), others > 1 ? ", " : "",
                GH_STR_ARG(gh_image_str(image, image->deployments[i].id)));
        }
    }
    if (others > OTHERS_SHOWN) {
        names = gh_str_format(arena, "%.*s and %u more", GH_STR_ARG(names), (unsigned) (others - OTHERS_SHOWN));
    }
    if (others > 0) {
        printf("\nDo not offer this model: %.*s.\n", GH_STR_ARG(names));
    }
}

int
gh_cli_explain_print(const gh_cli_explain_t *explain)
{
    print_verdict(explain);
    print_request(explain);
    print_classes(explain);

    if (explain->decision.target_count > 0) {
        putchar('\n');
        gh_cli_explain_print_targets(explain);
        print_others(explain);
        gh_cli_explain_print_order(explain);
    }

    if (explain->decision.valid_until_ms != UINT64_MAX && explain->decision.target_count > 0) {
        printf("\nAn \"until\" or the end of some evidence may change this at %s.\n",
            gh_cli_time_text(explain->cli->arena, explain->decision.valid_until_ms));
    }

    return gh_cli_flush(explain->cli);
}

static void
write_intake(gh_json_writer_t *w, const gh_cli_explain_t *explain)
{
    const gh_intake_t *intake = &explain->intake;

    gh_json_begin_object(w);
    gh_json_kv_string(w, "endpoint", gh_str_from(gh_endpoint_names[intake->endpoint]));
    if (intake->operation != GH_OPERATION_CREATE) {
        gh_json_kv_string(w, "operation", gh_str_from(gh_operation_names[intake->operation]));
    }
    gh_json_kv_string(w, "model", intake->model);
    gh_json_kv_bool(w, "stream", intake->stream);
    gh_json_kv_u64(w, "bytes", intake->body_bytes);
    gh_json_key(w, "features");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < intake->feature_count; i++) {
        gh_json_begin_object(w);
        gh_json_kv_string(w, "name", intake->features[i].name);
        gh_json_kv_string(w, "where", intake->features[i].where);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
    if (intake->pin.deployment.len > 0) {
        gh_json_key(w, "pin");
        gh_json_begin_object(w);
        gh_json_kv_string(w, "deployment", intake->pin.deployment);
        gh_json_kv_string(w, "where", intake->pin.where);
        gh_json_end_object(w);
    }
    gh_json_end_object(w);
}

static void
write_all(gh_json_writer_t *w, const gh_cli_explain_t *explain)
{
    const gh_identity_t *who = &explain->identity;
    int                  country = gh_image_node_country(explain->image, explain->input.node);

    gh_json_begin_object(w);
    gh_json_key(w, "intake");
    write_intake(w, explain);
    gh_json_key(w, "identity");
    gh_json_begin_object(w);
    gh_json_kv_string(w, "audit", gh_str_from(gh_audit_names[who->audit]));
    gh_json_kv_string(w, "org", who->org);
    gh_json_kv_string(w, "tenant", who->tenant);
    gh_json_kv_string(w, "app", who->app);
    if (who->key.len > 0) {
        gh_json_kv_string(w, "key", who->key);
    }
    gh_json_end_object(w);
    gh_json_kv_string(w, "node", explain->input.node);
    if (country >= 0) {
        gh_json_kv_string(w, "node_country", gh_str_from(gh_country_codes[country]));
    }
    gh_json_kv_string(w, "now", gh_str_from(gh_cli_time_text(explain->cli->arena, explain->input.now_ms)));
    if (explain->decision.code != GH_DECIDED_ALLOW) {
        gh_json_kv_u64(w, "status", (uint64_t) gh_verdict_answers[explain->decision.code].status);
        gh_json_kv_string(w, "detail", explain->decision.detail);
    }
    gh_json_key(w, "decision");
    gh_decision_write(w, explain->image, &explain->decision);
    if (explain->order.count > 0) {
        gh_json_key(w, "order");
        gh_json_begin_object(w);
        gh_json_kv_bool(w, "state", explain->state);
        gh_route_write(w, explain->image, explain->order.steps, explain->order.count, explain->order.weights, false);
        gh_json_end_object(w);
    }
    gh_json_end_object(w);
}

int
gh_cli_explain_print_json(const gh_cli_explain_t *explain)
{
    gh_json_writer_t w;
    json_error_t     error;
    json_t          *pretty;

    for (size_t size = JSON_FIRST; size <= JSON_LAST; size *= 4) {
        char *buffer = malloc(size);

        if (buffer == NULL) {
            break;
        }

        gh_json_writer_init(&w, buffer, size);
        write_all(&w, explain);

        if (gh_json_writer_ok(&w)) {
            pretty = json_loadb(buffer, w.len, 0, &error);
            free(buffer);
            if (pretty == NULL) {
                return gh_cli_fail(explain->cli, "the decision is not valid JSON: %s", error.text);
            }

            json_dumpf(pretty, stdout, JSON_INDENT(2));
            putchar('\n');
            json_decref(pretty);
            return gh_cli_flush(explain->cli);
        }
        free(buffer);
    }

    return gh_cli_fail(explain->cli, "out of memory");
}
