#include "policy/cli/verdict_text.h"

#include "policy/cli/cli.h"

static const struct {
    uint32_t    bit;
    const char *word;
} misses[] = {
    { GH_MISS_PROCESS, "process" },
    { GH_MISS_STORE, "store" },
    { GH_MISS_STORE_DAYS, "store days" },
    { GH_MISS_OPERATOR_HOME, "operator home" },
    { GH_MISS_PARTITION, "partition" },
    { GH_MISS_ATTEST, "attest" },
    { GH_MISS_TRAINING, "training" },
    { GH_MISS_UNTIL, "until is over" },
    { GH_MISS_FEATURES, "features" },
};

gh_str_t
gh_cli_misses_text(gh_arena_t *arena, uint32_t bits)
{
    gh_str_t text = GH_STR("");

    for (size_t i = 0; i < sizeof(misses) / sizeof(misses[0]); i++) {
        if (bits & misses[i].bit) {
            text = gh_str_format(arena, "%.*s%s%s", GH_STR_ARG(text), text.len ? ", " : "", misses[i].word);
        }
    }

    return text;
}

gh_str_t
gh_cli_rules_text(const gh_cli_verdict_words_t *words, const gh_target_verdict_t *verdict)
{
    const gh_decision_t *decision = words->decision;
    unsigned             count = 0;
    bool                 one = true;
    gh_str_t             text;

    for ( ; verdict != NULL && count < decision->class_count && verdict->fits[count] >= 0; count++) {
        one = one && verdict->fits[count] == verdict->fits[0];
    }

    if (count == 0) {
        return GH_STR("no rule");
    }

    if (one) {
        return gh_str_format(words->arena, "rule %.*s", GH_STR_ARG(gh_decision_rule_id(words->image, verdict->fits[0])));
    }

    text = GH_STR("rules ");
    for (unsigned i = 0; i < count; i++) {
        text = gh_str_format(words->arena, "%.*s%s%.*s (%.*s)", GH_STR_ARG(text), i ? ", " : "",
            GH_STR_ARG(gh_decision_rule_id(words->image, verdict->fits[i])), GH_STR_ARG(decision->classes[i].name));
    }

    return text;
}

/* "ANYWHERE minus EU: ", or nothing. */
static gh_str_t
before(const gh_cli_verdict_words_t *words, gh_places_t places)
{
    return gh_places_empty(places) ? GH_STR("")
        : gh_str_format(words->arena, "%.*s: ", GH_STR_ARG(gh_cli_places_text(words->sets, places)));
}

/* Why an allow does not fit, or that there is none. */
static gh_str_t
no_allow(const gh_cli_verdict_words_t *words, const gh_target_verdict_t *verdict)
{
    const gh_decision_t *decision = words->decision;
    gh_str_t             class_name = GH_STR("?");

    if (verdict->class_index < decision->class_count) {
        class_name = decision->classes[verdict->class_index].name;
    }

    if (verdict->rule < 0) {
        return gh_str_format(words->arena, "no rule allows class %.*s here", GH_STR_ARG(class_name));
    }

    return gh_str_format(words->arena, "%.*soutside rule %.*s (%.*s) for class %.*s", GH_STR_ARG(before(words, verdict->places)),
        GH_STR_ARG(gh_decision_rule_id(words->image, verdict->rule)),
        GH_STR_ARG(gh_cli_misses_text(words->arena, verdict->misses)), GH_STR_ARG(class_name));
}

/* A deployment that is asked in its own words. */
static gh_str_t
translated(const gh_cli_verdict_words_t *words, const gh_target_verdict_t *verdict, gh_str_t text)
{
    gh_endpoint_t own, asked;

    if (words->intake == NULL) {
        return text;
    }

    own = words->intake->endpoint;
    asked = gh_decide_upstream(words->image, verdict->target, own, words->decision->express);
    return asked == own || asked == GH_ENDPOINTS ? text
        : gh_str_format(words->arena, "%.*s; translated to %s", GH_STR_ARG(text), gh_endpoint_names[asked]);
}

static gh_str_t
reason(const gh_cli_verdict_words_t *words, const gh_target_verdict_t *verdict)
{
    switch (verdict->code) {

    case GH_TARGET_ELIGIBLE:
        return translated(words, verdict, gh_cli_rules_text(words, verdict));

    case GH_TARGET_FORBIDDEN:
        return gh_str_format(words->arena, "%.*sforbidden by rule %.*s", GH_STR_ARG(before(words, verdict->places)),
            GH_STR_ARG(gh_decision_rule_id(words->image, verdict->rule)));

    case GH_TARGET_NO_ALLOW:
        return no_allow(words, verdict);

    case GH_TARGET_NOT_SERVED:
        return GH_STR("not for this tenant (\"serves\")");

    case GH_TARGET_ENDPOINT:
        return gh_str_format(words->arena, "does not offer %s", gh_endpoint_names[words->intake->endpoint]);

    case GH_TARGET_NARROWED:
        return gh_str_format(words->arena, "%.*soutside the places the %s allowed", GH_STR_ARG(before(words, verdict->places)),
            words->decision->narrowing.len ? "request, caller or tenant" : "tenant or caller");

    case GH_TARGET_ELSEWHERE:
        return gh_str_format(words->arena, "not where %.*s says the state is: deployment %.*s keeps it", GH_STR_ARG(words->intake->pin.where),
            GH_STR_ARG(words->intake->pin.deployment));

    case GH_TARGET_NOT_EXPRESSIBLE:
        return gh_str_format(words->arena, "cannot be asked %.*s: it does not offer %s, and that has no translation", GH_STR_ARG(verdict->feature),
            gh_endpoint_names[words->intake->endpoint]);
    }

    return GH_STR("");
}

gh_str_t
gh_cli_verdict_text(const gh_cli_verdict_words_t *words, const gh_target_verdict_t *verdict)
{
    gh_str_t text = reason(words, verdict);

    if (verdict->feature.len == 0 || verdict->code == GH_TARGET_NOT_EXPRESSIBLE) {
        return text;
    }

    return gh_str_format(words->arena, "%.*s; the request uses %.*s, which the deployment does not list", GH_STR_ARG(text),
        GH_STR_ARG(gh_cli_shown(words->arena, verdict->feature)));
}

gh_str_t
gh_cli_decision_text(const gh_cli_verdict_words_t *words)
{
    const gh_decision_t       *decision = words->decision;
    const gh_verdict_answer_t *answer = &gh_verdict_answers[decision->code];
    gh_target_t                first;
    gh_str_t                   detail = decision->detail;

    if (decision->code == GH_DECIDED_ALLOW) {
        gh_image_target(words->image, decision->route[0], &first);
        return gh_str_format(words->arena, "allowed by %.*s: %.*s is tried first",
            GH_STR_ARG(gh_cli_rules_text(words, gh_decision_verdict(decision, decision->route[0]))),
            GH_STR_ARG(first.deployment));
    }

    return gh_str_format(words->arena, "denied with %d %s%s%.*s%s%.*s", answer->status, answer->code,
        decision->rule.len ? " by rule " : "", GH_STR_ARG(decision->rule), detail.len ? ": " : "",
        GH_STR_ARG(gh_cli_shown(words->arena, detail)));
}
