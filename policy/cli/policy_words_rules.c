/* Rules in sentences. A permission lists what must be known and true, a prohibition what must not even be possible. */
#include <stdio.h>

#include "policy/cli/paragraph.h"
#include "policy/cli/policy_words.h"

#define PLACES(words, places) GH_STR_ARG(gh_policy_words_places(words, places))

/* Whom and what a rule is about, besides classes. */
static void
say_scope(gh_policy_words_t *words, const gh_model_rule_t *rule)
{
    if (rule->states & GH_STATES_TENANTS) {
        gh_policy_words_say(words, "It concerns only requests of %.*s.", GH_STR_ARG(gh_policy_words_list(words, &rule->tenants, GH_WORDS_OR)));
    }
    if (rule->states & GH_STATES_MODELS) {
        gh_policy_words_say(words, "It concerns only the models %.*s, by the name in the catalogue or by the name that the deployment knows.",
            GH_STR_ARG(gh_policy_words_list(words, &rule->models, GH_WORDS_OR)));
    }
    if (rule->states & GH_STATES_UNTIL) {
        gh_policy_words_say(words, "It holds until the end of %.*s, UTC, and not after.",
            GH_STR_ARG(gh_policy_words_last_day(words, rule->until_ms)));
    }
}

static void
say_reason(const gh_policy_words_t *words, const gh_model_rule_t *rule)
{
    if (rule->why.len > 0) {
        gh_policy_words_say(words, "Why: \"%.*s\"", GH_STR_ARG(rule->why));
    } else {
        gh_policy_words_say(words, "No reason is written down.");
    }
    if (rule->law.len > 0) {
        gh_policy_words_say(words, "Law: \"%.*s\"", GH_STR_ARG(rule->law));
    }
}

/* ---- permissions ---- */

static void
say_store(gh_policy_words_t *words, const gh_model_rule_t *rule)
{
    if (rule->states & GH_STATES_STORE_NOTHING) {
        gh_policy_words_item(words, "content is stored nowhere;");

    } else if (rule->states & GH_STATES_MAX_DAYS) {
        gh_policy_words_item(words, "content is stored nowhere, or only in %.*s, and for at most %u days;", PLACES(words, rule->store),
            (unsigned) rule->max_days);

    } else if (rule->states & GH_STATES_STORE) {
        gh_policy_words_item(words, "content is stored nowhere, or only in %.*s, for however long;", PLACES(words, rule->store));
    }
}

static void
say_conditions(gh_policy_words_t *words, const gh_model_rule_t *rule)
{
    if ((rule->states & GH_STATES_PROCESS) && gh_places_equal(rule->process, gh_places_anywhere())) {
        gh_policy_words_item(words, "content is processed in any country, as long as it is known in which;");
    } else if (rule->states & GH_STATES_PROCESS) {
        gh_policy_words_item(words, "content is processed only in %.*s;", PLACES(words, rule->process));
    }
    say_store(words, rule);
    if (rule->states & GH_STATES_OPERATOR_HOME) {
        gh_policy_words_item(words, "the operator is seated in, and controlled from, only %.*s;", PLACES(words, rule->operator_home));
    }
    if (rule->states & GH_STATES_PARTITIONS) {
        gh_policy_words_item(words, "the deployment is in the partition %.*s;",
            GH_STR_ARG(gh_policy_words_mask(words, &words->model->partitions, rule->partition_mask, GH_WORDS_OR)));
    }
    if (rule->states & GH_STATES_ATTEST) {
        gh_policy_words_item(words, "these contracts are in force for it: %.*s;",
            GH_STR_ARG(gh_policy_words_mask(words, &words->model->attests, rule->attest_mask, GH_WORDS_AND)));
    }
    if (!(rule->states & GH_STATES_TRAINING)) {
        gh_policy_words_item(words, "the operator may not train on the content;");
    }
    if (!(rule->states & GH_STATES_UNLISTED_OK)) {
        gh_policy_words_item(words, "the request uses no feature that the deployment does not list;");
    }
}

/* What an allow passes over, said so that nobody reads it into the silence. */
static void
say_not_looked_at(gh_policy_words_t *words, const gh_model_rule_t *rule)
{
    static const struct { uint32_t states; bool stated; const char *what; } facts[] = {
        { GH_STATES_OPERATOR_HOME, false, "where the operator is seated and controlled from" },
        { GH_STATES_PARTITIONS, false, "the partition" },
        { GH_STATES_ATTEST, false, "contracts in force" },
        { GH_STATES_TRAINING, true, "whether the operator trains on the content, which is accepted" },
    };
    gh_str_t text = GH_STR("");

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (((rule->states & facts[i].states) != 0) == facts[i].stated) {
            text = gh_str_format(words->arena, "%.*s%s%s", GH_STR_ARG(text), text.len ? "; " : "", facts[i].what);
        }
    }
    if (text.len > 0) {
        gh_policy_words_say(words, "It does not look at: %.*s.", GH_STR_ARG(text));
    }
    if (rule->states & GH_STATES_UNLISTED_OK) {
        gh_policy_words_say(words, "Features that the deployment does not list are accepted: where they process or store content is not looked at.");
    }
}

static void
say_allow(gh_policy_words_t *words, const gh_model_policy_t *policy, const gh_model_rule_t *rule)
{
    gh_policy_words_say(words, "It permits data of %.*s.",
        GH_STR_ARG(gh_policy_words_mask(words, &policy->classes, rule->class_mask, GH_WORDS_AND)));
    say_scope(words, rule);
    gh_policy_words_say(words, "It fits a deployment when all of this is known and true:");
    say_conditions(words, rule);
    say_not_looked_at(words, rule);
    say_reason(words, rule);
}

/* ---- prohibitions ---- */

static void
say_touches(gh_policy_words_t *words, const gh_model_rule_t *rule)
{
    if (rule->states & GH_STATES_PROCESS) {
        gh_policy_words_item(words, "content could be processed in %.*s;", PLACES(words, rule->process));
    }
    if (rule->states & GH_STATES_STORE) {
        gh_policy_words_item(words, "content could be stored in %.*s;", PLACES(words, rule->store));
    }
    if (rule->states & GH_STATES_OPERATOR_HOME) {
        gh_policy_words_item(words, "the operator is seated in, or controlled from, %.*s;", PLACES(words, rule->operator_home));
    }
    if (rule->states & GH_STATES_PARTITIONS) {
        gh_policy_words_item(words, "the deployment is in the partition %.*s;",
            GH_STR_ARG(gh_policy_words_mask(words, &words->model->partitions, rule->partition_mask, GH_WORDS_OR)));
    }
    if (rule->states & GH_STATES_TRAINING) {
        gh_policy_words_item(words, "the operator may train on the content;");
    }
}

static void
say_forbid(gh_policy_words_t *words, const gh_model_policy_t *policy, const gh_model_rule_t *rule)
{
    const uint32_t facts = GH_STATES_PROCESS | GH_STATES_STORE | GH_STATES_OPERATOR_HOME | GH_STATES_PARTITIONS | GH_STATES_TRAINING;

    if (rule->states & GH_STATES_CLASSES) {
        gh_policy_words_say(words, "It concerns requests that carry %.*s, whatever else they carry.",
            GH_STR_ARG(gh_policy_words_mask(words, &policy->classes, rule->class_mask, GH_WORDS_OR)));
    } else {
        gh_policy_words_say(words, "It concerns requests of every class.");
    }
    say_scope(words, rule);
    if (rule->states & facts) {
        gh_policy_words_say(words, "No deployment is used of which any of this is true, or is not known to be false:");
        say_touches(words, rule);
    } else {
        gh_policy_words_say(words, "No deployment is used at all.");
    }
    say_reason(words, rule);
}

void
gh_policy_words_rule(gh_policy_words_t *words, const gh_model_policy_t *policy, const gh_model_rule_t *rule, unsigned number)
{
    bool allow = rule->kind == GH_RULE_ALLOW;

    printf("\n   %u.%u %s \"%.*s\"\n", words->section, number, allow ? "Permission" : "Prohibition", GH_STR_ARG(rule->id));
    if (allow) {
        say_allow(words, policy, rule);
    } else {
        say_forbid(words, policy, rule);
    }
}
