/*
 * Facts that are unknown, and those that soon will be. What is unknown is read from the resolved targets, which are what is decided on; only
 * the reason comes from the warnings of loading.
 */
#include <stdio.h>
#include <string.h>

#include "policy/cli/fleet_check.h"

typedef enum { PROCESS, STORE, STORE_DAYS, OPERATOR_HOME, TRAINING, PARTITION, ATTEST, FACTS } fact_t;

static const char *const names[FACTS] = { "process", "store", "store days", "operator_home", "training", "partition", "attest" };

static uint64_t
until_of(const gh_model_target_t *target, fact_t fact)
{
    switch (fact) {
    case PROCESS:
        return target->process_until_ms;
    case STORE:
    case STORE_DAYS:
        return target->store_until_ms;
    case OPERATOR_HOME:
        return target->operator_home_until_ms;
    case TRAINING:
        return target->training_until_ms;
    case ATTEST:
        return target->attest_mask != 0 ? target->attest_until_ms : 0;
    default:
        return 0;
    }
}

static bool
without_statement(const gh_model_target_t *target, fact_t fact)
{
    switch (fact) {
    case PROCESS:
        return gh_places_has_unknown(target->process) || gh_places_empty(target->process);
    case STORE:
        return !target->store.nothing && (gh_places_has_unknown(target->store.places) || gh_places_empty(target->store.places));
    case STORE_DAYS:
        return !target->store.nothing && !target->store.days_known && !gh_places_has_unknown(target->store.places);
    case OPERATOR_HOME:
        return gh_places_has_unknown(target->operator_home) || gh_places_empty(target->operator_home);
    case TRAINING:
        return target->training == GH_TRAINING_UNKNOWN;
    case PARTITION:
        return target->partition < 0;
    default:
        return false;
    }
}

static bool
ended(const gh_model_target_t *target, fact_t fact, uint64_t now_ms)
{
    uint64_t until_ms = until_of(target, fact);

    return until_ms != 0 && now_ms >= until_ms;
}

static bool
is_unknown(const gh_model_target_t *target, fact_t fact, uint64_t now_ms)
{
    if (fact == STORE_DAYS && ended(target, STORE, now_ms)) {
        return false;                      /* said of the store */
    }
    return without_statement(target, fact) || ended(target, fact, now_ms);
}

/* ---- in words ---- */

static gh_str_t
last_day(gh_arena_t *arena, uint64_t until_ms)
{
    const char *text = gh_cli_time_text(arena, until_ms - GH_DAY_MS);

    return (gh_str_t) { text, strlen(text) < 10 ? strlen(text) : 10 };
}

/* How to say it. provider: of the deployment. */
static gh_str_t
how_to_state(gh_arena_t *arena, const gh_model_deployment_t *deployment, fact_t fact, bool over)
{
    static const char evidence[] = ", with \"evidence\": {\"by\", \"on\", \"source\", \"until\"} beside it";
    const char       *state = NULL;

    if (over) {
        return gh_str_format(arena, "look whether it still holds, then renew \"on\", \"source\" and \"until\" of its evidence");
    }
    switch (fact) {
    case PROCESS:
        state = gh_str_is(deployment->provider, "self") ? "\"country\": \"SE\", the country where the machines stand"
            : gh_str_is(deployment->provider, "aws") ? "\"destinations\": [\"eu-central-1\", ...], every region of the profile, or \"process\": [...]"
            : "\"process\": [...], every country where the content could be processed";
        break;
    case STORE:
        state = "\"store\": \"nothing\", or {\"in\": [...], \"days\": N} with every country where content could be kept, copies for abuse "
            "monitoring too";
        break;
    case STORE_DAYS:
        state = "\"days\" of \"store\": how long content could be kept";
        break;
    case OPERATOR_HOME:
        state = "\"operator_home\": [...], the countries of the operator's seat and of whoever controls it";
        break;
    case TRAINING:
        state = "\"training\": false, or true where the operator may train on the content";
        break;
    case PARTITION:
        return GH_STR("state \"partition\": \"azure\", \"aws\", \"aws-eusc\", \"self\", ...; it needs no evidence");
    default:
        break;
    }
    return gh_str_format(arena, "state %s%s", state ? state : "", evidence);
}

static bool
holds(const char *text, gh_str_t part)
{
    for (; *text != '\0'; text++) {
        if (strncmp(text, part.data, part.len) == 0) {
            return true;
        }
    }
    return false;
}

/* The reason that loading gave: of a warning that names the deployment and begins with the fact. Empty: none. */
static gh_str_t
reported(gh_arena_t *arena, const gh_report_t *report, gh_str_t deployment, fact_t fact)
{
    gh_str_t whose = gh_str_format(arena, "deployment \"%.*s\"", GH_STR_ARG(deployment));
    gh_str_t words[3] = { GH_STR(""), GH_STR(""), GH_STR("") };

    words[0] = fact == STORE_DAYS ? GH_STR("the days of \"store\" ") : gh_str_format(arena, "\"%s\" ", names[fact]);
    if (fact == PROCESS) {
        words[1] = GH_STR("\"destinations\" ");
        words[2] = GH_STR("\"country\" ");
    }
    for (size_t i = 0; whose.data != NULL && i < report->count; i++) {
        const char *text = report->items[i].error.text, *colon = strstr(text, " unknown: ");

        for (size_t w = 0; w < 3; w++) {
            if (words[w].len > 0 && colon != NULL && strncmp(text, words[w].data, words[w].len) == 0 && holds(text, whose)) {
                return gh_str_copy(arena, gh_str_from(colon + strlen(" unknown: ")));
            }
        }
    }
    return GH_STR("");
}

/* ---- gathering ---- */

typedef struct {
    gh_arena_t            *arena;
    const gh_cli_policy_t *policy;
    gh_fleet_gaps_t       *out;
    bool                   failed;
} gather_t;

static void
add(gather_t *g, const gh_fleet_gap_t *gap)
{
    uint32_t count = g->out->count;

    if ((count & (count - 1)) == 0) {
        gh_fleet_gap_t *grown = gh_arena_grow(g->arena, g->out->items, count, count ? (size_t) count * 2 : 1, sizeof(*grown));

        if (grown == NULL) {
            g->failed = true;
            return;
        }
        g->out->items = grown;
    }
    g->out->items[g->out->count++] = *gap;
}

typedef bool (*concerns_fn)(const gh_model_target_t *target, fact_t fact, uint64_t a_ms, uint64_t b_ms);

/* The targets of a deployment that a fact concerns, as one gap. The until of the first. */
static bool
gap_of(gather_t *g, uint32_t deployment, fact_t fact, concerns_fn concerns, uint64_t a_ms, uint64_t b_ms, gh_fleet_gap_t *gap)
{
    const gh_model_t *model = g->policy->model;
    uint32_t          all = 0, some = 0;

    *gap = (gh_fleet_gap_t) { .fact = names[fact], .deployment = deployment, .models = GH_STR("") };
    for (uint32_t t = 0; t < model->target_count; t++) {
        const gh_model_target_t *target = &model->targets[t];

        if (target->deployment != deployment) {
            continue;
        }
        all++;
        if (!concerns(target, fact, a_ms, b_ms)) {
            continue;
        }
        if (some++ == 0) {
            gap->until_ms = until_of(target, fact);
            gap->where = target->where;
        }
        gap->until_ms = until_of(target, fact) < gap->until_ms ? until_of(target, fact) : gap->until_ms;
        gap->models = gh_str_format(g->arena, "%.*s%s%.*s", GH_STR_ARG(gap->models), some > 1 ? ", " : "",
            GH_STR_ARG(model->models[target->model].name));
    }
    if (some == all) {
        gap->models = GH_STR("");
        gap->where = model->deployments[deployment].where;
    }
    return some > 0;
}

static bool
concerns_unknown(const gh_model_target_t *target, fact_t fact, uint64_t now_ms, uint64_t unused)
{
    (void) unused;
    return is_unknown(target, fact, now_ms);
}

static bool
concerns_ending(const gh_model_target_t *target, fact_t fact, uint64_t now_ms, uint64_t soon_ms)
{
    uint64_t until_ms = until_of(target, fact);

    return fact != STORE_DAYS && until_ms > now_ms && until_ms <= soon_ms && !without_statement(target, fact);
}

/* A listed feature is as good as unlisted when what it adds is unknown. */
static void
add_features(gather_t *g, uint32_t deployment, uint64_t now_ms, uint64_t soon_ms, bool ending)
{
    const gh_model_t *model = g->policy->model;

    for (uint32_t t = 0; t < model->target_count; t++) {
        const gh_model_target_t *target = &model->targets[t];

        for (uint32_t f = 0; target->deployment == deployment && f < target->feature_count; f++) {
            const gh_model_feature_t *feature = &target->features[f];
            bool over = feature->until_ms != 0 && now_ms >= feature->until_ms;
            bool unknown = gh_places_has_unknown(feature->process) || gh_places_has_unknown(feature->store.places);
            bool soon = feature->until_ms > now_ms && feature->until_ms <= soon_ms && !unknown;
            gh_fleet_gap_t gap = { .deployment = deployment, .models = model->models[target->model].name, .until_ms = feature->until_ms,
                .where = target->where };

            if (ending ? !soon : !(over || unknown)) {
                continue;
            }
            gap.fact = gh_str_format(g->arena, "feature %.*s", GH_STR_ARG(feature->name)).data;
            gap.why = over ? gh_str_format(g->arena, "its evidence ended on %.*s", GH_STR_ARG(last_day(g->arena, feature->until_ms)))
                : GH_STR("it does not state both \"process\" and \"store\", or has no evidence");
            gap.state = over || ending ? how_to_state(g->arena, &model->deployments[deployment], PROCESS, true)
                : GH_STR("state \"process\" and \"store\" of the feature, with evidence for \"features\"");
            add(g, &gap);
        }
    }
}

int
gh_fleet_unknowns(gh_arena_t *arena, const gh_cli_policy_t *policy, uint64_t now_ms, gh_fleet_gaps_t *unknown)
{
    gather_t       g = { .arena = arena, .policy = policy, .out = unknown };
    gh_fleet_gap_t gap;

    *unknown = (gh_fleet_gaps_t) { NULL, 0 };
    for (uint32_t d = 0; d < policy->model->deployment_count; d++) {
        const gh_model_deployment_t *deployment = &policy->model->deployments[d];

        for (fact_t fact = PROCESS; fact < FACTS; fact++) {
            if (!gap_of(&g, d, fact, concerns_unknown, now_ms, 0, &gap)) {
                continue;
            }
            bool over = gap.until_ms != 0 && now_ms >= gap.until_ms;

            gap.why = over ? gh_str_format(arena, "its evidence ended on %.*s", GH_STR_ARG(last_day(arena, gap.until_ms)))
                : reported(arena, &policy->report, deployment->id, fact);
            if (gap.why.len == 0) {
                gap.why = GH_STR("it is not stated");
            }
            gap.state = how_to_state(arena, deployment, fact, over);
            add(&g, &gap);
        }
        add_features(&g, d, now_ms, now_ms, false);
    }
    return g.failed ? GH_ERROR : GH_OK;
}

int
gh_fleet_ending(gh_arena_t *arena, const gh_cli_policy_t *policy, uint64_t now_ms, uint64_t soon_ms, gh_fleet_gaps_t *ending)
{
    gather_t       g = { .arena = arena, .policy = policy, .out = ending };
    gh_fleet_gap_t gap;

    *ending = (gh_fleet_gaps_t) { NULL, 0 };
    for (uint32_t d = 0; d < policy->model->deployment_count; d++) {
        for (fact_t fact = PROCESS; fact < FACTS; fact++) {
            if (gap_of(&g, d, fact, concerns_ending, now_ms, soon_ms, &gap)) {
                gap.why = gh_str_format(arena, "its evidence ends on %.*s", GH_STR_ARG(last_day(arena, gap.until_ms)));
                gap.state = how_to_state(arena, &policy->model->deployments[d], fact, true);
                add(&g, &gap);
            }
        }
        add_features(&g, d, now_ms, soon_ms, true);
    }
    return g.failed ? GH_ERROR : GH_OK;
}
