/* `gatehouse fleet check`: what each deployment may do where, and why; what nobody knows of it first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cli/fleet_check.h"
#include "policy/cli/verdict_text.h"
#include "policy/store/image_format.h"

#define SOON_DAYS 30

typedef struct {
    gh_cli_t        *cli;
    gh_cli_policy_t  policy;
    gh_cli_sets_t    sets;
    uint64_t         now_ms, soon_ms;
    long             days;
    gh_fleet_gaps_t  unknown, ending;
    gh_fleet_uses_t  uses;
} checking_t;

static const gh_image_target_t *
target_of(const checking_t *c, uint32_t target)
{
    return &c->policy.image->targets[target];
}

/* ---- what is not known ---- */

static void
print_gaps(const checking_t *c, const gh_fleet_gaps_t *gaps)
{
    for (uint32_t i = 0; i < gaps->count; i++) {
        const gh_fleet_gap_t        *gap = &gaps->items[i];
        const gh_model_deployment_t *deployment = &c->policy.model->deployments[gap->deployment];

        printf("  %.*s%s%.*s, %s: %.*s (%s%s:%u)\n", GH_STR_ARG(deployment->id), gap->models.len ? " for " : "", GH_STR_ARG(gap->models),
            gap->fact, GH_STR_ARG(gap->why), c->policy.documents.prefix, gap->where.source, (unsigned) gap->where.line);
        printf("    do: %.*s\n", GH_STR_ARG(gap->state));
    }
}

static void
print_unknown(const checking_t *c)
{
    if (c->unknown.count == 0) {
        printf("Nothing is unknown of %u deployment%s.\n", (unsigned) c->policy.model->deployment_count,
            c->policy.model->deployment_count == 1 ? "" : "s");
    } else {
        printf("Unknown, so never inside and always touched:\n");
        print_gaps(c, &c->unknown);
    }
    if (c->ending.count > 0) {
        printf("\nEvidence that ends within %ld days; after it the fact is unknown:\n", c->days);
        print_gaps(c, &c->ending);
    }
}

/* ---- who may use what ---- */

static bool
used(const checking_t *c, uint32_t target)
{
    for (uint32_t i = 0; i < c->uses.count; i++) {
        if (c->uses.items[i].target == target && c->uses.items[i].yes > 0) {
            return true;
        }
    }
    return false;
}

/* Why nobody may use a target, in half a sentence. */
static gh_str_t
why_nobody(const checking_t *c, uint32_t target)
{
    if (target_of(c, target)->serves.count == 0) {
        return GH_STR("it serves nobody: state \"serves\"");
    }
    if (target_of(c, target)->endpoints == 0) {
        return GH_STR("it offers no endpoint: state \"endpoints\"");
    }
    for (uint32_t i = 0; i < c->uses.count; i++) {
        if (c->uses.items[i].target == target && c->uses.items[i].no > 0) {
            return c->uses.items[i].reason;       /* of the fewest classes: what stands in the way of each request */
        }
    }
    return GH_STR("no app that it serves may use the model");
}

static void
print_unused(const checking_t *c)
{
    bool any = false;

    for (uint32_t t = 0; t < c->policy.image->count[GH_SECTION_TARGET]; t++) {
        if (!used(c, t)) {
            gh_target_t target;

            gh_image_target(c->policy.image, t, &target);
            printf("%s  %.*s, %.*s: %.*s\n", any ? "" : "\nNobody may use:\n", GH_STR_ARG(target.deployment), GH_STR_ARG(target.model),
                GH_STR_ARG(why_nobody(c, t)));
            any = true;
        }
    }
}

/* A fact as it is now: past the end of its evidence it is unknown. */
static gh_places_t
now(const checking_t *c, gh_places_t places, uint64_t until_ms)
{
    return until_ms != 0 && c->now_ms >= until_ms ? gh_places_unknown() : places;
}

static gh_str_t
store_text(const checking_t *c, const gh_image_target_t *target)
{
    gh_places_t store = now(c, target->store, target->until.store);

    if (gh_places_has_unknown(store)) {
        return GH_STR("unknown storage");
    }
    if (target->store_nothing) {
        return GH_STR("stores nothing");
    }
    return gh_str_format(c->cli->arena, target->store_days_known ? "stores in %.*s for %u days" : "stores in %.*s for an unknown time",
        GH_STR_ARG(gh_cli_places_text(&c->sets, store)), (unsigned) target->store_days);
}

static gh_str_t
attest_text(const checking_t *c, const gh_image_target_t *target)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < c->policy.image->count[GH_SECTION_ATTEST] && i < 64; i++) {
        if ((target->attest_mask >> i & 1) && !(target->until.attest != 0 && c->now_ms >= target->until.attest)) {
            text = gh_str_format(c->cli->arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len ? ", " : "; attests ",
                GH_STR_ARG(gh_image_str(c->policy.image, c->policy.image->attests[i])));
        }
    }
    return text;
}

static void
print_facts(const checking_t *c, uint32_t index)
{
    static const char *const trains[] = { "no training", "may train", "training unknown" };
    const gh_image_target_t *target = target_of(c, index);
    bool                     over = target->until.training != 0 && c->now_ms >= target->until.training;
    gh_target_t              view;

    gh_image_target(c->policy.image, index, &view);
    printf("  %.*s", GH_STR_ARG(view.model));
    if (!gh_str_eq(view.model, view.upstream_model)) {
        printf(" as %.*s", GH_STR_ARG(view.upstream_model));
    }
    printf(": processes in %.*s; %.*s; operator from %.*s; partition %.*s; %s%.*s\n",
        GH_STR_ARG(gh_cli_places_text(&c->sets, now(c, target->process, target->until.process))), GH_STR_ARG(store_text(c, target)),
        GH_STR_ARG(gh_cli_places_text(&c->sets, now(c, target->operator_home, target->until.operator_home))),
        GH_STR_ARG(view.partition.len ? view.partition : GH_STR("unknown")), trains[over ? GH_TRAINING_UNKNOWN : target->training],
        GH_STR_ARG(attest_text(c, target)));
}

static gh_str_t
use_text(const checking_t *c, const gh_fleet_use_t *use)
{
    if (use->no == 0) {
        return gh_str_format(c->cli->arena, "yes, by %.*s", GH_STR_ARG(use->rules));
    }
    if (use->yes == 0) {
        return gh_str_format(c->cli->arena, "no: %.*s", GH_STR_ARG(use->reason));
    }
    return gh_str_format(c->cli->arena, "for some, by %.*s; else no: %.*s", GH_STR_ARG(use->rules), GH_STR_ARG(use->reason));
}

/* How many uses of the target by a policy there are, and whether all come to the same. */
static uint32_t
uses_of(const checking_t *c, uint32_t target, uint32_t policy, bool *same)
{
    const gh_fleet_use_t *first = NULL;
    uint32_t              count = 0;

    *same = true;
    for (uint32_t i = 0; i < c->uses.count; i++) {
        const gh_fleet_use_t *use = &c->uses.items[i];

        if (use->target == target && use->policy == policy) {
            *same = *same && (first == NULL || gh_str_eq(use_text(c, use), use_text(c, first)));
            first = first ? first : use;
            count++;
        }
    }
    return count;
}

static void
print_uses(const checking_t *c, uint32_t target)
{
    for (uint32_t p = 0; p < c->policy.image->count[GH_SECTION_POLICY]; p++) {
        gh_str_t name = gh_image_str(c->policy.image, c->policy.image->policies[p].name);
        bool     same;
        uint32_t count = uses_of(c, target, p, &same);

        for (uint32_t i = 0, shown = 0; i < c->uses.count && shown < count; i++) {
            const gh_fleet_use_t *use = &c->uses.items[i];

            if (use->target != target || use->policy != p) {
                continue;
            }
            if (same && count > 1) {
                printf("    %.*s, whatever is carried: %.*s\n", GH_STR_ARG(name), GH_STR_ARG(use_text(c, use)));
                break;
            }
            printf("    %.*s, %.*s: %.*s\n", GH_STR_ARG(name), GH_STR_ARG(use->carries), GH_STR_ARG(use_text(c, use)));
            shown++;
        }
    }
}

static void
print_deployments(const checking_t *c)
{
    const gh_image_t *image = c->policy.image;

    for (uint32_t d = 0; d < image->count[GH_SECTION_DEPLOYMENT]; d++) {
        const gh_image_deployment_t *deployment = &image->deployments[d];
        gh_str_t                     region = gh_image_str(image, deployment->region);
        bool                         headed = false;

        for (uint32_t t = 0; t < image->count[GH_SECTION_TARGET]; t++) {
            gh_target_t target;

            if (target_of(c, t)->deployment != d) {
                continue;
            }
            gh_image_target(image, t, &target);
            if (!headed) {
                printf("\n%.*s: %.*s%s%.*s%s%.*s%s%.*s\n", GH_STR_ARG(target.deployment), GH_STR_ARG(target.provider), region.len ? " " : "",
                    GH_STR_ARG(region), target.sku.len ? " " : "", GH_STR_ARG(target.sku), target.inference_geo.len ? " inference_geo " : "",
                    GH_STR_ARG(target.inference_geo));
                headed = true;
            }
            print_facts(c, t);
            print_uses(c, t);
        }
    }
}

static int
print(const checking_t *c)
{
    gh_review_counts_t counts = c->uses.counts;

    print_unknown(c);
    print_unused(c);
    print_deployments(c);
    if (c->uses.uncovered_apps > 0) {
        printf("\n%llu app%s no policy, and may use nothing.\n", (unsigned long long) c->uses.uncovered_apps,
            c->uses.uncovered_apps == 1 ? " has" : "s have");
    }
    printf("\nThe country of the node is part of every way (%llu node%s); %llu decisions for %llu app%s; facts %.*s.\n",
        (unsigned long long) counts.nodes, counts.nodes == 1 ? "" : "s", (unsigned long long) counts.decisions,
        (unsigned long long) counts.apps, counts.apps == 1 ? "" : "s", GH_STR_ARG(c->policy.model->facts.items[0]));

    return gh_cli_flush(c->cli);
}

/* ---- as JSON ---- */

static json_t *
text_json(gh_str_t text)
{
    return json_stringn(text.data, text.len);
}

static json_t *
gaps_json(const checking_t *c, const gh_fleet_gaps_t *gaps)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < gaps->count; i++) {
        const gh_fleet_gap_t *gap = &gaps->items[i];
        json_t               *item = json_pack("{s:o, s:o, s:s, s:o, s:o, s:s, s:I}", "deployment",
            text_json(c->policy.model->deployments[gap->deployment].id), "models", text_json(gap->models), "fact", gap->fact, "why",
            text_json(gap->why), "do", text_json(gap->state), "file", gap->where.source, "line", (json_int_t) gap->where.line);

        if (item != NULL && gap->until_ms != 0) {
            json_object_set_new(item, "until", json_string(gh_cli_time_text(c->cli->arena, gap->until_ms)));
        }
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *
uses_json(const checking_t *c, uint32_t target)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < c->uses.count; i++) {
        const gh_fleet_use_t *use = &c->uses.items[i];

        if (use->target == target) {
            json_array_append_new(list, json_pack("{s:o, s:o, s:I, s:I, s:o, s:o}", "policy",
                text_json(gh_image_str(c->policy.image, c->policy.image->policies[use->policy].name)), "carries", text_json(use->carries),
                "yes", (json_int_t) use->yes, "no", (json_int_t) use->no, "rules", text_json(use->rules), "reason", text_json(use->reason)));
        }
    }
    return list;
}

static json_t *
target_json(const checking_t *c, uint32_t index)
{
    const gh_image_target_t *target = target_of(c, index);
    gh_target_t              view;

    gh_image_target(c->policy.image, index, &view);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "deployment", text_json(view.deployment), "model", text_json(view.model),
        "upstream_model", text_json(view.upstream_model), "process", gh_cli_places_json(now(c, target->process, target->until.process)), "store",
        target->store_nothing && !gh_places_has_unknown(now(c, target->store, target->until.store)) ? json_string("nothing")
            : gh_cli_places_json(now(c, target->store, target->until.store)),
        "operator_home", gh_cli_places_json(now(c, target->operator_home, target->until.operator_home)), "used", used(c, index),
        "uses", uses_json(c, index), "why_nobody", used(c, index) ? json_null() : text_json(why_nobody(c, index)));
}

static int
print_json(const checking_t *c)
{
    json_t *targets = json_array();

    for (uint32_t t = 0; t < c->policy.image->count[GH_SECTION_TARGET]; t++) {
        json_array_append_new(targets, target_json(c, t));
    }
    return gh_cli_print_json(c->cli, json_pack("{s:I, s:o, s:o, s:o, s:o}", "revision", (json_int_t) c->policy.revision, "facts",
        text_json(c->policy.model->facts.items[0]), "unknown", gaps_json(c, &c->unknown), "ending", gaps_json(c, &c->ending),
        "targets", targets));
}

/* ---- the command ---- */

static int
read_options(checking_t *c)
{
    const char *days = gh_cli_value(c->cli, "days"), *when = gh_cli_value(c->cli, "now");
    char       *end;

    c->now_ms = gh_cli_now_ms();
    c->days = SOON_DAYS;
    if (when != NULL && gh_cli_time_parse(when, &c->now_ms) != GH_OK) {
        return gh_cli_misuse(c->cli, "--now %s is not a time such as 2026-11-21T09:30:00Z", when);
    }
    if (days != NULL) {
        c->days = strtol(days, &end, 10);
        if (*end != '\0' || end == days || c->days < 0 || c->days > 36500) {
            return gh_cli_misuse(c->cli, "--days %s is not a number of days from 0 to 36500", days);
        }
    }
    c->soon_ms = c->now_ms + (uint64_t) c->days * GH_DAY_MS;

    return GH_EXIT_DONE;
}

static int
check(checking_t *c)
{
    const char *directory = c->cli->argument_count == 1 ? c->cli->arguments[0] : NULL;
    int         status = gh_cli_policy_load(c->cli, directory, 0, c->now_ms, &c->policy);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    gh_cli_sets_load(c->cli->arena, &c->sets);
    gh_cli_sets_prefer(&c->sets, c->policy.documents.sources, c->policy.documents.count);
    if (gh_fleet_unknowns(c->cli->arena, &c->policy, c->now_ms, &c->unknown) != GH_OK
        || gh_fleet_ending(c->cli->arena, &c->policy, c->now_ms, c->soon_ms, &c->ending) != GH_OK)
    {
        return gh_cli_fail(c->cli, "out of memory");
    }
    if (gh_fleet_uses(c->cli, c->policy.image, &c->sets, c->now_ms, &c->uses) != GH_OK) {
        return GH_EXIT_ERROR;
    }
    status = gh_cli_flag(c->cli, "json") ? print_json(c) : print(c);

    return status != GH_EXIT_DONE ? status : gh_cli_flag(c->cli, "strict") && c->unknown.count > 0 ? GH_EXIT_ERROR : GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    checking_t c = { .cli = cli };
    int        status = read_options(&c);

    if (status == GH_EXIT_DONE) {
        status = check(&c);
    }
    if (c.policy.image != NULL) {
        gh_image_unref(c.policy.image);
    }

    return status;
}

static const gh_cli_option_t options[] = {
    { "days", "N", "evidence that ends within N days is listed (default: 30)", false },
    { "now", "TIME", "judges as of this time (RFC 3339; default: now)", false },
    { "strict", NULL, "exit code 1 when something is unknown", false },
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an object: unknown, ending, targets", false },
    { 0 }
};

const char gh_cli_fleet_words[] =
    "The fleet is what platform teams state of deployments, each fact with its evidence. A fact that is missing,\n"
    "empty, without evidence or past its end is unknown: never inside what a rule allows, and always touched by\n"
    "what a rule forbids.\n";

const gh_cli_command_t gh_cli_fleet_check = {
    .name = "fleet check",
    .usage = "[DIR] [options]",
    .summary = "says what each deployment may do where, unknowns first",
    .help =
        "Reads the documents below DIR, or the revision in force, and prints: the facts that are unknown, with what to\n"
        "state and where; the evidence that ends soon; the deployments that nobody may use; and for each deployment\n"
        "its facts, and for each policy and what a request carries the rules that let it in, or why not. Every app,\n"
        "class, model, endpoint and node is decided on by the function that the workers use, for requests without\n"
        "features.",
    .exits = " (with --strict also: something is unknown)",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
