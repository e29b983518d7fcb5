/* Proofs as text, as JSON and as cases. */
#include "policy/cli/prove.h"

#include <stdio.h>

#define EXAMPLES_SHOWN 5
#define UNKNOWN_FIELD  "a_field_nobody_knows"

static const char *const verdict_names[] = { [GH_PROOF_HOLDS] = "holds", [GH_PROOF_BROKEN] = "broken", [GH_PROOF_VACUOUS] = "vacuous" };

static const char *
plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static unsigned long long
number(uint64_t n)
{
    return n;
}

static json_t *
text(gh_str_t s)
{
    return json_stringn(s.data, s.len);
}

/* ---- text ---- */

/* "processed in US, stored in US", of what offends. */
static gh_str_t
offence(const gh_cli_prove_t *prove, const gh_claim_t *claim, const gh_example_t *example)
{
    gh_str_t all = GH_STR("");

    if (claim->relation == GH_CLAIM_ON) {
        return gh_str_format(prove->cli->arena, "processed in %.*s", GH_STR_ARG(gh_cli_places_text(&prove->sets,
            example->offending.of[GH_REACH_PROCESS])));
    }
    for (int kind = 0; kind < GH_REACHES; kind++) {
        gh_places_t places = example->offending.of[kind];
        gh_str_t    where = gh_cli_places_text(&prove->sets, places);

        if (gh_places_empty(places)) {
            continue;
        }
        all = gh_str_format(prove->cli->arena, "%.*s%s%s %s%.*s", GH_STR_ARG(all), all.len > 0 ? ", " : "", gh_reach_words[kind],
            gh_places_has_unknown(places) ? "nobody knows where" : kind == GH_REACH_OPERATOR ? "of " : "in ",
            GH_STR_ARG(gh_places_has_unknown(places) ? GH_STR("") : where));
    }

    return all;
}

static void
print_feature(const gh_example_t *example)
{
    if (example->feature.kind == GH_REVIEW_UNLISTED_FEATURE) {
        printf(", with a feature that no deployment lists, which the rule accepts");
    } else if (example->feature.kind == GH_REVIEW_LISTED_FEATURE) {
        printf(", with %.*s%s", GH_STR_ARG(example->feature.name),
            example->unlisted ? ", which the deployment does not list and the rule accepts" : "");
    }
}

static void
print_example(const gh_cli_prove_t *prove, const gh_claim_t *claim, const gh_example_t *example)
{
    printf("  %.*s", GH_STR_ARG(example->app));
    if (example->key_matters) {
        printf(", key %.*s", GH_STR_ARG(example->key));
    }
    if (example->apps > 1) {
        printf(" and %llu like it", number(example->apps - 1));
    }
    printf(": %.*s may be %.*s\n", GH_STR_ARG(example->class_name), GH_STR_ARG(offence(prove, claim, example)));
    printf("      on %.*s (%.*s) by %.*s, for %.*s at %s on node %.*s", GH_STR_ARG(example->deployment), GH_STR_ARG(example->upstream),
        GH_STR_ARG(example->rules), GH_STR_ARG(example->model), gh_endpoint_names[example->endpoint], GH_STR_ARG(example->node));
    print_feature(example);
    if (example->how == GH_REVIEW_LABELLED) {
        printf(", with %.*s: %.*s", GH_STR_ARG(example->label_header), GH_STR_ARG(example->label));
    } else if (example->how == GH_REVIEW_UNINSPECTED) {
        printf(", with something that cannot be inspected");
    }
    if (example->later) {
        printf(", from %s on", gh_cli_time_text(prove->cli->arena, example->at_ms));
    }
    printf("\n");
}

static void
print_proof(const gh_cli_prove_t *prove, const gh_proof_t *proof)
{
    const gh_claim_t *claim = proof->claim;

    if (proof->verdict == GH_PROOF_VACUOUS) {
        printf("VACUOUS: %.*s\n", GH_STR_ARG(claim->text));
        printf("  nothing is eligible: %s\n", !proof->carried ? "no request of these tenants can carry such a class"
            : proof->unlisted_left_out > 0 ? "except with unlisted features, which the claim leaves out" : "every request is denied");
    } else {
        printf("%s: %.*s\n", proof->verdict == GH_PROOF_HOLDS ? "holds" : "BROKEN", GH_STR_ARG(claim->text));
    }

    for (uint32_t i = 0; i < proof->example_count && i < EXAMPLES_SHOWN; i++) {
        print_example(prove, claim, &proof->examples[i]);
    }
    if (proof->example_count > EXAMPLES_SHOWN) {
        printf("  and %llu more counter-examples%s\n", number(proof->example_count - EXAMPLES_SHOWN),
            proof->example_count == GH_EXAMPLES_MAX ? " at least" : "");
    }
    printf("  %llu decision%s about it; %llu eligible use%s, %llu of them later", number(proof->decisions), plural(proof->decisions),
        number(proof->uses), plural(proof->uses), number(proof->later_uses));
    if (proof->uses > 0) {
        printf(" (%llu kind%s of caller, %llu model%s, %llu deployment%s, %llu kind%s of feature)", number(proof->groups),
            plural(proof->groups), number(proof->models), plural(proof->models), number(proof->deployments), plural(proof->deployments),
            number(proof->features), plural(proof->features));
    }
    printf("; %llu against it\n", number(proof->broken));
    if (claim->listed_only) {
        printf("  left out: %llu use%s with a feature that the deployment does not list\n", number(proof->unlisted_left_out),
            plural(proof->unlisted_left_out));
    }
}

void
gh_cli_prove_print(const gh_cli_prove_t *prove)
{
    const gh_review_counts_t *c = &prove->counts;

    for (uint32_t i = 0; i < prove->count; i++) {
        print_proof(prove, &prove->proofs[i]);
    }
    printf("examined: %llu app%s in %llu kind%s of caller that decisions tell apart, %llu class%s that these can carry, %llu model%s, %llu endpoints, "
           "%llu node%s, %llu features (none, %llu listed, an unlisted one)\n", number(c->apps), plural(c->apps), number(c->groups),
        plural(c->groups), number(c->classes), c->classes == 1 ? "" : "es", number(c->models), plural(c->models), number(c->endpoints),
        number(c->nodes), plural(c->nodes), number(c->features), number(c->features - 2));
    printf("          from %s on, with %llu later instant%s at which a rule or evidence ends: %llu decision%s, for %llu kinds of request; "
           "%llu allowed, %llu deployment%s eligible\n", gh_cli_time_text(prove->cli->arena, prove->from_ms), number(c->instants),
        plural(c->instants), number(c->decisions), plural(c->decisions), number(c->stood_for), number(c->allowed), number(c->eligible),
        plural(c->eligible));
    printf("          more classes, several features or narrowed places in one request make it eligible for no more, and are covered\n");
}

/* ---- JSON ---- */

static json_t *
reached_json(const gh_reached_t *reached)
{
    return json_pack("{s:o, s:o, s:o}", "process", gh_cli_places_json(reached->of[GH_REACH_PROCESS]), "store",
        gh_cli_places_json(reached->of[GH_REACH_STORE]), "operator", gh_cli_places_json(reached->of[GH_REACH_OPERATOR]));
}

static json_t *
example_json(const gh_cli_prove_t *prove, const gh_example_t *example)
{
    json_t *object = json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:s, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "app", text(example->app),
        "key", text(example->key), "alike", (json_int_t) example->apps, "class", text(example->class_name), "carries",
        text(example->classes), "model", text(example->model), "endpoint", gh_endpoint_names[example->endpoint], "node",
        text(example->node), "at", gh_cli_time_text(prove->cli->arena, example->at_ms), "later", example->later,
        "deployment", text(example->deployment), "upstream_model", text(example->upstream), "rules", text(example->rules),
        "reached", reached_json(&example->reached), "against", reached_json(&example->offending));

    if (object != NULL && example->feature.kind == GH_REVIEW_LISTED_FEATURE) {
        json_object_set_new(object, "feature", text(example->feature.name));
    }
    if (object != NULL) {
        json_object_set_new(object, "unlisted_feature", json_boolean(example->unlisted));
    }
    if (object != NULL && example->how == GH_REVIEW_LABELLED) {
        json_object_set_new(object, "label", text(example->label));
    }
    if (object != NULL && example->how == GH_REVIEW_UNINSPECTED) {
        json_object_set_new(object, "uninspected", json_true());
    }

    return object;
}

static json_t *
proof_json(const gh_cli_prove_t *prove, const gh_proof_t *proof)
{
    json_t *examples = json_array();

    for (uint32_t i = 0; i < proof->example_count; i++) {
        json_array_append_new(examples, example_json(prove, &proof->examples[i]));
    }

    return json_pack("{s:o, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "claim", text(proof->claim->text),
        "verdict", verdict_names[proof->verdict], "carried", proof->carried, "decisions", (json_int_t) proof->decisions, "uses",
        (json_int_t) proof->uses, "later_uses", (json_int_t) proof->later_uses, "against", (json_int_t) proof->broken, "left_out",
        (json_int_t) proof->unlisted_left_out, "groups", (json_int_t) proof->groups, "deployments", (json_int_t) proof->deployments,
        "models", (json_int_t) proof->models, "features", (json_int_t) proof->features, "examples", examples);
}

static json_t *
examined_json(const gh_review_counts_t *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "apps", (json_int_t) c->apps, "groups",
        (json_int_t) c->groups, "classes", (json_int_t) c->classes, "classes_never_carried", (json_int_t) c->uncarried, "models",
        (json_int_t) c->models, "endpoints", (json_int_t) c->endpoints, "nodes", (json_int_t) c->nodes, "features",
        (json_int_t) c->features, "later_instants", (json_int_t) c->instants, "decisions", (json_int_t) c->decisions, "requests",
        (json_int_t) c->stood_for, "allowed", (json_int_t) c->allowed, "eligible", (json_int_t) c->eligible);
}

json_t *
gh_cli_prove_json(const gh_cli_prove_t *prove)
{
    json_t *claims = json_array();
    bool    holds = true;

    for (uint32_t i = 0; i < prove->count; i++) {
        json_array_append_new(claims, proof_json(prove, &prove->proofs[i]));
        holds = holds && prove->proofs[i].verdict == GH_PROOF_HOLDS;
    }

    return json_pack("{s:b, s:s, s:I, s:o, s:o}", "holds", holds, "from", gh_cli_time_text(prove->cli->arena, prove->from_ms), "revision",
        (json_int_t) prove->policy.revision, "claims", claims, "examined", examined_json(&prove->counts));
}

/* ---- cases ---- */

/* The claim's places in the claim's words, which a case resolves as a rule of the policy would. */
static json_t *
within_json(const gh_image_t *image, const gh_claim_t *claim, const gh_example_t *example)
{
    json_t  *names = json_array();
    int32_t  profile = gh_image_app_find(image, example->app);

    for (uint32_t i = 0; i < claim->place_count; i++) {
        json_array_append_new(names, text(claim->place_names[i]));
    }
    if (claim->place_count == 0 && profile >= 0 && image->profiles[profile].policy >= 0) {
        json_decref(names);
        names = gh_cli_places_json(claim->places[image->profiles[profile].policy]);
    }

    return json_pack("{s:o}", "within", names);
}

static json_t *
expect_json(const gh_image_t *image, const gh_claim_t *claim, const gh_example_t *example)
{
    static const char *const members[] = { "process", "store", "operator_home" };
    json_t                  *expect = json_object();

    if (claim->relation != GH_CLAIM_OUTSIDE) {
        json_object_set_new(expect, "never", json_pack("[o]", text(example->deployment)));
        return expect;
    }
    for (int kind = 0; kind < GH_REACHES; kind++) {
        if (!gh_places_empty(example->offending.of[kind])) {
            json_object_set_new(expect, members[kind], within_json(image, claim, example));
        }
    }

    return expect;
}

static json_t *
case_json(const gh_cli_prove_t *prove, const gh_claim_t *claim, const gh_example_t *example, size_t count)
{
    gh_arena_t *arena = prove->cli->arena;
    gh_str_t    who = example->key_matters ? gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(example->app), GH_STR_ARG(example->key))
                                           : example->app;
    gh_str_t    name = gh_str_format(arena, "counter-example %zu: %.*s on %.*s", count, GH_STR_ARG(example->class_name),
        GH_STR_ARG(example->deployment));
    json_t     *object = json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:s}", "name", text(name), "because", text(claim->text),
        example->key_matters ? "key" : "app", text(who), "model", text(example->model), "endpoint",
        gh_endpoint_names[example->endpoint], "node", text(example->node), "at", gh_cli_time_text(arena, example->at_ms));

    if (object == NULL) {
        return NULL;
    }
    if (example->how == GH_REVIEW_LABELLED) {
        json_object_set_new(object, "labels", json_pack("[o]", text(example->label)));
    } else if (example->how == GH_REVIEW_UNINSPECTED) {
        json_object_set_new(object, "uninspected", json_true());
    }
    if (example->feature.kind == GH_REVIEW_LISTED_FEATURE) {
        json_object_set_new(object, "features", json_pack("[o]", text(example->feature.name)));
    } else if (example->feature.kind == GH_REVIEW_UNLISTED_FEATURE) {
        json_object_set_new(object, "unknown_fields", json_pack("[s]", UNKNOWN_FIELD));
    }
    json_object_set_new(object, "expect", expect_json(prove->policy.image, claim, example));

    return object;
}

json_t *
gh_cli_prove_cases(const gh_cli_prove_t *prove, size_t *count)
{
    json_t *cases = json_array();

    *count = 0;
    for (uint32_t i = 0; i < prove->count; i++) {
        for (uint32_t k = 0; k < prove->proofs[i].example_count; k++) {
            const gh_proof_t *proof = &prove->proofs[i];

            json_array_append_new(cases, case_json(prove, proof->claim, &proof->examples[k], ++*count));
        }
    }

    return json_pack("{s:s, s:o}", "kind", "cases/1", "cases", cases);
}
