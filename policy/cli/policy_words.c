/* The sections of a policy in words, in the order in which people ask: whom, what, where, what not, and what nobody checks. */
#include "policy/cli/policy_words.h"

#include <stdio.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/cli/fleet_check.h"
#include "policy/cli/paragraph.h"

#define PLACES(words, places) GH_STR_ARG(gh_policy_words_places(words, places))
#define TENANTS_NAMED 50     /* more are counted only */

/* ---- the head ---- */

static void
print_head(gh_policy_words_t *words)
{
    char policy[64], facts[64];

    gh_hex(words->model->policy_sha256, 32, policy);
    gh_hex(words->model->facts_sha256, 32, facts);

    printf("RESIDENCY POLICY \"%.*s\"\n\n", GH_STR_ARG(words->policy->name));
    if (words->loaded->revision != 0) {
        printf("Revision:  %llu\n", (unsigned long long) words->loaded->revision);
    } else {
        printf("Revision:  none: documents that are not applied\n");
    }
    printf("Documents: SHA-256 %.64s\n", policy);
    printf("Facts:     %.*s", GH_STR_ARG(words->model->facts.items[0]));
    for (uint32_t i = 1; i < words->model->facts.count; i++) {
        printf(", %.*s", GH_STR_ARG(words->model->facts.items[i]));
    }
    printf("\n           SHA-256 %.64s\n", facts);
    printf("Written:   %s\n\n", gh_cli_time_text(words->arena, words->now_ms));
    gh_cli_paragraph(0, 0, gh_str_format(words->arena, "This is what the gateway decides by, in words. Names of sets of countries mean the "
        "countries that %.*s lists for them; they are spelled out at the end. A name such as \"a/b\" stands for itself and everything "
        "below it; one that ends in \"*\" stands for every name that begins so. A model is that model alone; where something is forbidden, also those "
        "whose names go on with \"/\" behind it.", GH_STR_ARG(words->policy->facts)));
}

/* ---- whom ---- */

static bool
covered(const gh_policy_words_t *words, const gh_model_tenant_t *tenant)
{
    return tenant->policy >= 0 && &words->model->policies[tenant->policy] == words->policy;
}

static void
print_tenants(gh_policy_words_t *words)
{
    unsigned long long tenants = 0, apps = 0;

    for (uint32_t o = 0; o < words->model->organisation_count; o++) {
        for (uint32_t t = 0; t < words->model->organisations[o].tenant_count; t++) {
            const gh_model_tenant_t *tenant = &words->model->organisations[o].tenants[t];

            tenants += covered(words, tenant);
            apps += covered(words, tenant) ? tenant->app_count : 0;
        }
    }
    gh_policy_words_say(words, "At present these are %llu tenant%s with %llu app%s%s", tenants, tenants == 1 ? "" : "s", apps,
        apps == 1 ? "" : "s", tenants > 0 && tenants <= TENANTS_NAMED ? ":" : ".");
    for (uint32_t o = 0; tenants <= TENANTS_NAMED && o < words->model->organisation_count; o++) {
        for (uint32_t t = 0; t < words->model->organisations[o].tenant_count; t++) {
            const gh_model_tenant_t *tenant = &words->model->organisations[o].tenants[t];

            if (covered(words, tenant)) {
                gh_policy_words_item(words, "\"%.*s\" with %u app%s;", GH_STR_ARG(tenant->path), (unsigned) tenant->app_count,
                    tenant->app_count == 1 ? "" : "s");
            }
        }
    }
}

static void
print_whom(gh_policy_words_t *words)
{
    gh_policy_words_heading(words, "WHO IS BOUND");
    gh_policy_words_say(words, "This policy binds every tenant, app and key of %.*s.",
        GH_STR_ARG(gh_policy_words_list(words, &words->policy->applies_to, GH_WORDS_AND)));
    print_tenants(words);
    gh_policy_words_say(words, "A tenant that no policy binds is refused everything. Nothing in a request, and no other document, can permit "
        "more than is written here.");
}

/* ---- classes ---- */

static void
print_labels(gh_policy_words_t *words)
{
    const gh_model_policy_t *policy = words->policy;

    if (policy->label_headers.count == 0) {
        gh_policy_words_item(words, "clients cannot name classes: no header is read for them;");
        return;
    }
    gh_policy_words_item(words, "a client may name further classes in the header %.*s, separated by commas;",
        GH_STR_ARG(gh_policy_words_list(words, &policy->label_headers, GH_WORDS_OR)));
    if (policy->unknown_label == GH_LABEL_DENY) {
        gh_policy_words_item(words, "a request whose header names anything else is refused;");
    } else {
        gh_policy_words_item(words, "a request whose header names anything else carries \"%.*s\" too;",
            GH_STR_ARG(policy->classes.items[policy->classes.count - 1]));
    }
}

/* What tenants/1 adds; apps where they differ from their tenant. */
static void
print_added(gh_policy_words_t *words)
{
    for (uint32_t o = 0; o < words->model->organisation_count; o++) {
        for (uint32_t t = 0; t < words->model->organisations[o].tenant_count; t++) {
            const gh_model_tenant_t *tenant = &words->model->organisations[o].tenants[t];

            if (!covered(words, tenant)) {
                continue;
            }
            if (tenant->class_mask != 0) {
                gh_policy_words_item(words, "every request of tenant \"%.*s\" carries %.*s too;", GH_STR_ARG(tenant->path),
                    GH_STR_ARG(gh_policy_words_mask(words, &words->policy->classes, tenant->class_mask, GH_WORDS_AND)));
            }
            for (uint32_t a = 0; a < tenant->app_count; a++) {
                if (tenant->apps[a].class_mask != 0) {
                    gh_policy_words_item(words, "every request of app \"%.*s\" carries %.*s too;", GH_STR_ARG(tenant->apps[a].path),
                        GH_STR_ARG(gh_policy_words_mask(words, &words->policy->classes, tenant->apps[a].class_mask, GH_WORDS_AND)));
                }
            }
        }
    }
}

static void
print_classes(gh_policy_words_t *words)
{
    const gh_model_policy_t *policy = words->policy;

    gh_policy_words_heading(words, "CLASSES OF DATA");
    gh_policy_words_say(words, "The classes are, the lowest first: %.*s.", GH_STR_ARG(gh_policy_words_list(words, &policy->classes, GH_WORDS_AND)));
    gh_policy_words_say(words, "A request carries every class that any of the following gives it, and is held to the rules of every class it "
        "carries, so that a further class never permits more:");
    for (uint32_t i = 0; i < policy->assign_count; i++) {
        gh_policy_words_item(words, "a request of %.*s carries \"%.*s\";",
            GH_STR_ARG(gh_policy_words_list(words, &policy->assigns[i].tenants, GH_WORDS_OR)),
            GH_STR_ARG(policy->classes.items[policy->assigns[i].class_index]));
    }
    gh_policy_words_item(words, "%s request carries \"%.*s\";", policy->assign_count > 0 ? "any other" : "every",
        GH_STR_ARG(policy->classes.items[policy->default_class]));
    print_labels(words);
    print_added(words);
    if (policy->uninspected_mask != 0) {
        gh_policy_words_item(words, "a request with content that cannot be inspected, such as images, audio, files and token numbers, carries "
            "%.*s too;", GH_STR_ARG(gh_policy_words_mask(words, &policy->classes, policy->uninspected_mask, GH_WORDS_AND)));
    }
    gh_policy_words_item(words, "a key may carry classes of its own, which are added.");
}

/* ---- rules ---- */

/* Rules of a kind, numbered after `number`. Returns the last number. */
static unsigned
print_rules(gh_policy_words_t *words, const gh_model_policy_t *policy, uint8_t kind, unsigned number)
{
    unsigned before = number;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].kind == kind) {
            gh_policy_words_rule(words, policy, &policy->rules[i], ++number);
        }
    }
    if (number == before) {
        gh_policy_words_say(words, "There is none.");
    }

    return number;
}

static void
print_permissions(gh_policy_words_t *words)
{
    gh_policy_words_heading(words, "WHAT IS PERMITTED");
    gh_policy_words_say(words, "A request is sent to a deployment only if its sender may use the model, the deployment serves the sender and offers the "
        "model at that endpoint, for every class that the request carries at least one of these permissions fits, and no prohibition of the next sections stands against it. "
        "Everything else is refused. Where content is processed is every country where it could be, at worst: the country of the gateway node "
        "that sends it and the places that the features in use add are part of it.");
    print_rules(words, words->policy, GH_RULE_ALLOW, 0);
}

static void
print_prohibitions(gh_policy_words_t *words)
{
    gh_policy_words_heading(words, "WHAT IS PROHIBITED WHATEVER IS PERMITTED");
    print_rules(words, words->policy, GH_RULE_FORBID, 0);
}

static gh_str_t
stem(gh_str_t pattern)
{
    if (pattern.len > 0 && pattern.data[pattern.len - 1] == '*') {
        pattern.len--;
    }
    return pattern;
}

/* Can a guard bind anybody whom the policy binds? */
static bool
meets(const gh_str_list_t *a, const gh_str_list_t *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; k < b->count; k++) {
            if (gh_str_starts(stem(a->items[i]), stem(b->items[k])) || gh_str_starts(stem(b->items[k]), stem(a->items[i]))) {
                return true;
            }
        }
    }
    return false;
}

static void
print_guards(gh_policy_words_t *words)
{
    unsigned number = 0;
    bool     any = false;

    gh_policy_words_heading(words, "GUARDS OF THE GATEWAY'S OWNER");
    for (uint32_t i = 0; i < words->model->policy_count; i++) {
        const gh_model_policy_t *guard = &words->model->policies[i];

        if (!guard->guard || !meets(&guard->applies_to, &words->policy->applies_to)) {
            continue;
        }
        any = true;
        gh_policy_words_say(words, "The guard \"%.*s\" binds every tenant, app and key of %.*s. It only takes away.", GH_STR_ARG(guard->name),
            GH_STR_ARG(gh_policy_words_list(words, &guard->applies_to, GH_WORDS_AND)));
        for (uint32_t p = 0; p < guard->pin_count; p++) {
            gh_policy_words_item(words, "it pins node \"%.*s\" to %s (%s): a fleet that says otherwise is refused;", GH_STR_ARG(guard->pins[p].id),
                gh_country_names[guard->pins[p].country], gh_country_codes[guard->pins[p].country]);
        }
        number = print_rules(words, guard, GH_RULE_FORBID, number);
    }
    if (!any) {
        gh_policy_words_say(words, "There is none.");
    }
}

/* ---- narrower ---- */

static void
print_narrowed(gh_policy_words_t *words)
{
    for (uint32_t o = 0; o < words->model->organisation_count; o++) {
        for (uint32_t t = 0; t < words->model->organisations[o].tenant_count; t++) {
            const gh_model_tenant_t *tenant = &words->model->organisations[o].tenants[t];

            for (uint32_t a = 0; covered(words, tenant) && a < tenant->app_count; a++) {
                if (tenant->apps[a].narrowed) {
                    gh_policy_words_item(words, "app \"%.*s\": within %.*s;", GH_STR_ARG(tenant->apps[a].path),
                        PLACES(words, tenant->apps[a].places));
                }
            }
        }
    }
}

static void
print_places(gh_policy_words_t *words)
{
    gh_policy_words_heading(words, "NARROWER STILL");
    gh_policy_words_say(words, "A client may take places away from its own request in the header \"x-gatehouse-places\": content is then processed and "
        "stored only within them. It names countries by their ISO 3166-1 codes, the sets of the facts, and these of this policy:");
    for (uint32_t i = 0; i < words->policy->place_count; i++) {
        gh_policy_words_item(words, "\"%.*s\" stands for %.*s;", GH_STR_ARG(words->policy->places[i].name),
            PLACES(words, words->policy->places[i].places));
    }
    if (words->policy->place_count == 0) {
        gh_policy_words_item(words, "none.");
    }
    gh_policy_words_say(words, "A name that nobody knows is refused. Apps that tenants/1 narrows in the same way, whatever their requests say:");
    print_narrowed(words);
    gh_policy_words_item(words, "no other.");
    gh_policy_words_callers(words);
}

/* ---- nodes and records ---- */

/* Whose requests are sent though they cannot be recorded. */
static void
print_audit(gh_policy_words_t *words)
{
    if (words->policy->audit == GH_AUDIT_REQUIRED) {
        gh_policy_words_say(words, "Nothing is sent before its decision is in the record: while it cannot be written, requests are refused.");
        return;
    }
    gh_policy_words_say(words, "Nothing is sent before its decision is in the record: while it cannot be written, requests are refused. This policy permits that tenants/1 asks for less: "
        "requests of these apps are then sent without it, and the record has a gap instead, which says how many they were, when, and whose:");
    for (uint32_t o = 0; o < words->model->organisation_count; o++) {
        for (uint32_t t = 0; t < words->model->organisations[o].tenant_count; t++) {
            const gh_model_tenant_t *tenant = &words->model->organisations[o].tenants[t];

            for (uint32_t a = 0; covered(words, tenant) && a < tenant->app_count; a++) {
                if (tenant->apps[a].audit == GH_AUDIT_BEST_EFFORT) {
                    gh_policy_words_item(words, "app \"%.*s\": sent with a gap;", GH_STR_ARG(tenant->apps[a].path));
                }
            }
        }
    }
    gh_policy_words_item(words, "no other.");
}

static void
print_nodes(gh_policy_words_t *words)
{
    gh_policy_words_heading(words, "GATEWAY NODES AND RECORDS");
    for (uint32_t i = 0; i < words->model->node_count; i++) {
        const gh_model_node_t *node = &words->model->nodes[i];

        gh_policy_words_item(words, "node \"%.*s\" stands in %s (%s);", GH_STR_ARG(node->id), gh_country_names[node->country],
            gh_country_codes[node->country]);
    }
    gh_policy_words_say(words, "A node that is not listed sends nothing.");
    if (words->policy->has_audit_store) {
        gh_policy_words_say(words, "Records of decisions are kept on the nodes, all of which stand within %.*s.", PLACES(words, words->policy->audit_store));
    } else {
        gh_policy_words_say(words, "Records of decisions are kept on the nodes, wherever they stand.");
    }
    print_audit(words);
}

/* ---- unknown ---- */

static bool
serves(const gh_policy_words_t *words, uint32_t deployment)
{
    for (uint32_t t = 0; t < words->model->target_count; t++) {
        if (words->model->targets[t].deployment == deployment && meets(&words->model->targets[t].serves, &words->policy->applies_to)) {
            return true;
        }
    }
    return false;
}

static int
print_unknown(gh_policy_words_t *words)
{
    gh_fleet_gaps_t gaps;
    bool            any = false;

    if (gh_fleet_unknowns(words->arena, words->loaded, words->now_ms, &gaps) != GH_OK) {
        return gh_cli_fail(words->cli, "out of memory");
    }
    gh_policy_words_heading(words, "WHAT IS UNKNOWN");
    gh_policy_words_say(words, "A fact that is not stated with evidence, or whose evidence has ended, is unknown. A permission that states it never "
        "fits, and a prohibition that states it always stands. With a feature that the deployment does not list, it is unknown where content is processed "
        "and stored. Unknown at present, of the deployments that serve those bound:");
    for (uint32_t i = 0; i < gaps.count; i++) {
        if (serves(words, gaps.items[i].deployment)) {
            gh_policy_words_item(words, "%.*s%s%.*s, %s: %.*s;", GH_STR_ARG(words->model->deployments[gaps.items[i].deployment].id),
                gaps.items[i].models.len ? " for " : "", GH_STR_ARG(gaps.items[i].models), gaps.items[i].fact, GH_STR_ARG(gaps.items[i].why));
            any = true;
        }
    }
    gh_policy_words_item(words, "%s.", any ? "nothing else" : "nothing");

    return GH_EXIT_DONE;
}

static void
print_unchecked(gh_policy_words_t *words)
{
    static const char *const items[] = {
        "whether what is stated of a deployment is true: evidence names who stated it, when and from what source;",
        "what a prompt or an answer says: classes come from the sources above, and no content is read for them;",
        "where the client stands, and which way the network takes between countries;",
        "what operators do with content against their contracts;",
        "what earlier requests of a conversation carried: every request is decided by itself;",
        "whether what this policy permits is lawful.",
    };

    gh_policy_words_heading(words, "WHAT THE GATEWAY DOES NOT CHECK");
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        gh_policy_words_item(words, "%s", items[i]);
    }
}

/* ---- the end ---- */

static void
print_sets(gh_policy_words_t *words)
{
    char title[96];
    bool any = false;

    snprintf(title, sizeof(title), "SETS OF COUNTRIES, AS OF %.*s", GH_STR_ARG(words->policy->facts));
    gh_policy_words_heading(words, title);
    for (size_t i = 0; i < words->places.sets.count; i++) {
        if (words->places.used[i]) {
            gh_policy_words_say(words, "%.*s means: %.*s.", GH_STR_ARG(words->places.sets.names[i]),
                GH_STR_ARG(gh_cli_places_spelled(words->arena, words->places.sets.places[i])));
            any = true;
        }
    }
    if (!any) {
        gh_policy_words_say(words, "No set is named above.");
    }
}

static void
print_signature(const gh_policy_words_t *words)
{
    static const char *const lines[] = { "Name", "Function", "Date", "Signature" };

    printf("\nSigned for \"%.*s\":\n", GH_STR_ARG(words->policy->name));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        printf("\n   %-10s ________________________________________\n", lines[i]);
    }
}

int
gh_policy_words_print(gh_policy_words_t *words)
{
    int status;

    gh_cli_place_words_load(words->arena, words->policy->facts, words->loaded->documents.sources, words->loaded->documents.count,
        &words->places);
    words->section = 0;

    print_head(words);
    print_whom(words);
    print_classes(words);
    print_permissions(words);
    print_prohibitions(words);
    print_guards(words);
    print_places(words);
    gh_policy_words_limits(words);
    print_nodes(words);
    if ((status = print_unknown(words)) != GH_EXIT_DONE) {
        return status;
    }
    print_unchecked(words);
    print_sets(words);
    print_signature(words);

    return GH_EXIT_DONE;
}
