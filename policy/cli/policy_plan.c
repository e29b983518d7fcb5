/* `gatehouse policy plan`: what applying documents would change, before anybody applies them. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/plan.h"
#include "policy/cli/plan_file.h"
#include "policy/cli/progress.h"
#include "policy/cli/revision_documents.h"
#include "policy/compile/compile.h"
#include "residency/facts.h"

#define SUPPOSITIONS_MAX 32
#define SETS_MAX         128

typedef struct {
    gh_cli_t         *cli;
    gh_store_t       *store;
    gh_cli_edit_t     edit;
    gh_cli_planned_t  planned;
    gh_supposition_t  suppositions[SUPPOSITIONS_MAX];
    size_t            supposition_count;
} planning_t;

/* ---- --if "SET = {DE FR}" ---- */

static bool
separates(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

static int
unknown_member(const gh_cli_t *cli, const char *text, gh_str_t word, const gh_str_t *names, size_t count)
{
    gh_str_t near = gh_str_nearest(word, names, count);

    return gh_cli_misuse(cli, "--if \"%s\": \"%.*s\" is not a country code or a set of the facts%s%.*s%s", text, GH_STR_ARG(word),
        near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");
}

/* The members between the braces. */
static int
read_members(const gh_cli_t *cli, const gh_facts_t *facts, const char *text, gh_str_t members, gh_places_t *places)
{
    gh_str_t names[SETS_MAX];
    size_t   count = gh_facts_set_names(facts, names, SETS_MAX), at = 0;

    count = count < SETS_MAX ? count : SETS_MAX;
    *places = gh_places_none();
    while (at < members.len) {
        gh_str_t    word = { members.data + at, 0 };
        gh_places_t one = gh_places_none();
        int         country;

        while (at < members.len && !separates(members.data[at])) {
            at++;
            word.len++;
        }
        at++;
        if (word.len == 0) {
            continue;
        }
        country = gh_country_index(word);
        if (country >= 0) {
            gh_places_add(&one, country);
        } else if (!gh_facts_set(facts, word, &one)) {
            return unknown_member(cli, text, word, names, count);
        }
        *places = gh_places_union(*places, one);
    }

    return GH_EXIT_DONE;
}

static int
read_supposition(planning_t *p, const gh_facts_t *facts, const char *text)
{
    const char       *equals = strchr(text, '=');
    gh_str_t          name, value;
    gh_supposition_t *one = &p->suppositions[p->supposition_count];

    if (p->supposition_count == SUPPOSITIONS_MAX) {
        return gh_cli_misuse(p->cli, "more than %d suppositions", SUPPOSITIONS_MAX);
    }
    name = equals == NULL ? GH_STR("") : gh_str_trim((gh_str_t) { text, (size_t) (equals - text) });
    value = equals == NULL ? GH_STR("") : gh_str_trim(gh_str_from(equals + 1));
    if (name.len == 0 || value.len < 2 || value.data[0] != '{' || value.data[value.len - 1] != '}') {
        return gh_cli_misuse(p->cli, "--if \"%s\" is not of the form \"SET = {DE FR}\", or \"SET = {}\" for none", text);
    }
    if (gh_str_is(name, "ANYWHERE") || gh_country_index(name) >= 0) {
        return gh_cli_misuse(p->cli, "--if \"%s\": %.*s is not a set that could be another one", text, GH_STR_ARG(name));
    }
    one->name = name;
    p->supposition_count++;

    return read_members(p->cli, facts, text, (gh_str_t) { value.data + 1, value.len - 2 }, &one->places);
}

static int
read_suppositions(planning_t *p)
{
    gh_cli_planned_t *planned = &p->planned;
    gh_facts_t       *facts;
    gh_error_t        error = { 0 };
    const char       *text;
    int               status;

    if (gh_facts_load(p->cli->arena, GH_STR(""), &facts, &error) != GH_OK) {
        return gh_cli_fail_error(p->cli, &error);
    }
    for (unsigned i = 0; (text = gh_cli_value_at(p->cli, "if", i)) != NULL; i++) {
        if ((status = read_supposition(p, facts, text)) != GH_EXIT_DONE) {
            return status;
        }
        planned->supposition = gh_str_format(p->cli->arena, "%.*s%s%s", GH_STR_ARG(planned->supposition), i > 0 ? " and " : "", text);
    }
    if ((p->supposition_count > 0 || gh_cli_value(p->cli, "at") != NULL) && gh_cli_value(p->cli, "out") != NULL) {
        return gh_cli_misuse(p->cli, "--out saves what apply makes true now; a plan with --if or --at supposes something");
    }

    return GH_EXIT_DONE;
}

/* Every supposed set is one that the documents could name. */
static int
check_suppositions(planning_t *p)
{
    const gh_model_t *model = p->planned.after.model;
    gh_str_t          names[SETS_MAX * 4];
    size_t            count = 0;

    for (uint32_t i = 0; i < model->set_count && count < SETS_MAX; i++) {
        names[count++] = model->sets[i].name;
    }
    for (uint32_t i = 0; i < model->policy_count; i++) {
        for (uint32_t k = 0; k < model->policies[i].place_count && count < SETS_MAX * 4; k++) {
            names[count++] = model->policies[i].places[k].name;
        }
    }
    for (size_t i = 0; i < p->supposition_count; i++) {
        if (!p->suppositions[i].met) {
            gh_str_t near = gh_str_nearest(p->suppositions[i].name, names, count);

            return gh_cli_misuse(p->cli, "--if: \"%.*s\" is no set of the facts and no place of a policy%s%.*s%s",
                GH_STR_ARG(p->suppositions[i].name), near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");
        }
    }

    return GH_EXIT_DONE;
}

/* ---- the sides ---- */

static int
load(planning_t *p, gh_cli_side_t *side, gh_supposition_t *suppositions, size_t count)
{
    gh_cli_t  *cli = p->cli;
    gh_error_t error = { 0 };

    gh_report_init(&side->report, cli->arena);
    if (gh_documents_suppose(cli->arena, side->documents.sources, side->documents.count, p->planned.now_ms, suppositions, count,
            &side->model, &side->report) != GH_OK)
    {
        gh_cli_report_print(cli, &side->documents, &side->report);
        return GH_EXIT_ERROR;
    }
    if (gh_compile_image(cli->arena, side->model, p->planned.now_ms, &side->image, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    return GH_EXIT_DONE;
}

/* DIR as an edit of what is in force; without DIR, what is in force on both sides. */
static int
collect(planning_t *p)
{
    gh_cli_planned_t *planned = &p->planned;
    int               status;

    if (p->cli->argument_count == 0) {
        status = gh_cli_revision_documents(p->cli, p->store, 0, &planned->after.documents);
        planned->before.documents = planned->after.documents;
        if (status == GH_EXIT_DONE) {
            gh_error_t error = { 0 };

            status = gh_store_revision_number(p->store, &planned->base, &error) == GH_OK ? GH_EXIT_DONE
                                                                                       : gh_cli_fail_store(p->cli, &error);
        }
        return status;
    }
    status = gh_cli_edit_read(p->cli, p->cli->arguments[0], &p->edit);
    if (status == GH_EXIT_DONE) {
        status = gh_cli_edit_collect(p->cli, p->store, &p->edit, planned->now_ms, &planned->after.documents, &planned->base);
    }
    if (status == GH_EXIT_DONE && planned->base != 0) {
        status = gh_cli_revision_documents(p->cli, p->store, planned->base, &planned->before.documents);
    }

    return status;
}

/* Policies that are pinned to other facts than before, each as it would be with the old pin. */
static size_t
moved_pins(planning_t *p, gh_supposition_t *pins)
{
    gh_cli_planned_t *planned = &p->planned;
    const gh_model_t *before = planned->before.model, *after = planned->after.model;
    size_t            count = 0;

    for (uint32_t i = 0; before != NULL && i < after->policy_count; i++) {
        for (uint32_t k = 0; k < before->policy_count; k++) {
            const gh_model_policy_t *old = &before->policies[k], *new = &after->policies[i];

            if (!gh_str_eq(old->name, new->name) || gh_str_eq(old->facts, new->facts)) {
                continue;
            }
            pins[count++] = (gh_supposition_t) { .policy = old->name, .facts = old->facts };
            planned->pins = gh_str_format(p->cli->arena, "%.*s%s%.*s from %.*s to %.*s", GH_STR_ARG(planned->pins), count > 1 ? ", " : "",
                GH_STR_ARG(old->name), GH_STR_ARG(old->facts), GH_STR_ARG(new->facts));
        }
    }

    return count;
}

static int
load_sides(planning_t *p)
{
    gh_cli_planned_t *planned = &p->planned;
    gh_supposition_t *pins;
    size_t            pin_count;
    int               status = load(p, &planned->after, NULL, 0);

    if (status == GH_EXIT_DONE && planned->base != 0) {
        status = load(p, &planned->before, NULL, 0);
    }
    if (status == GH_EXIT_DONE && p->supposition_count > 0) {
        planned->supposed.documents = planned->after.documents;
        if (load(p, &planned->supposed, p->suppositions, p->supposition_count) != GH_EXIT_DONE) {
            return gh_cli_fail(p->cli, "if %.*s, these documents could not be applied: see above", GH_STR_ARG(planned->supposition));
        }
        status = check_suppositions(p);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }
    pins = gh_arena_array(p->cli->arena, planned->after.model->policy_count, sizeof(*pins));
    if (pins == NULL) {
        return gh_cli_fail(p->cli, "out of memory");
    }
    pin_count = moved_pins(p, pins);
    planned->pinned.documents = planned->after.documents;

    return pin_count == 0 ? GH_EXIT_DONE : load(p, &planned->pinned, pins, pin_count);
}

/* ---- comparing ---- */

static const gh_document_source_t *
find_source(const gh_cli_documents_t *documents, gh_str_t path)
{
    for (size_t i = 0; i < documents->count; i++) {
        if (gh_str_eq(documents->sources[i].path, path)) {
            return &documents->sources[i];
        }
    }
    return NULL;
}

static int
compare_documents(planning_t *p)
{
    gh_cli_planned_t         *planned = &p->planned;
    const gh_cli_documents_t *before = &planned->before.documents, *after = &planned->after.documents;

    planned->files = gh_arena_array(p->cli->arena, before->count + after->count, sizeof(*planned->files));
    if (planned->files == NULL) {
        return gh_cli_fail(p->cli, "out of memory");
    }
    for (size_t i = 0; i < after->count; i++) {
        const gh_document_source_t *old = find_source(before, after->sources[i].path);

        if (old == NULL || !gh_str_eq(old->bytes, after->sources[i].bytes)) {
            planned->files[planned->file_count++] = (gh_cli_edit_line_t) { old == NULL ? '+' : '~', GH_STR("document"), GH_STR(""),
                after->sources[i].path, GH_STR("") };
        }
    }
    for (size_t i = 0; i < before->count; i++) {
        if (find_source(after, before->sources[i].path) == NULL) {
            planned->files[planned->file_count++] = (gh_cli_edit_line_t) { '-', GH_STR("document"), GH_STR(""), before->sources[i].path,
                GH_STR("") };
        }
    }

    return GH_EXIT_DONE;
}

static bool
warned_before(const gh_report_t *report, const gh_error_t *error)
{
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->items[i].error.text, error->text) == 0) {
            return true;
        }
    }
    return false;
}

static int
compare_warnings(planning_t *p)
{
    gh_cli_planned_t  *planned = &p->planned;
    const gh_report_t *after = &planned->after.report;

    planned->warnings = gh_arena_array(p->cli->arena, after->count, sizeof(*planned->warnings));
    if (planned->warnings == NULL) {
        return gh_cli_fail(p->cli, "out of memory");
    }
    for (size_t i = 0; i < after->count; i++) {
        if (planned->before.model == NULL || !warned_before(&planned->before.report, &after->items[i].error)) {
            planned->warnings[planned->warning_count++] = &after->items[i];
        }
    }

    return GH_EXIT_DONE;
}

static int
compare_reach(planning_t *p, const gh_image_t *before, const gh_image_t *after, gh_plan_t *plan)
{
    gh_cli_progress_t    bar;
    gh_review_progress_t progress = { gh_cli_progress_tick, &bar, 0, 0 };
    gh_error_t           error = { 0 };
    int                  status;

    gh_cli_progress_begin(&bar, "planning");
    status = gh_plan_make(p->cli->arena, before, after, p->planned.now_ms, &progress, plan, &error);
    gh_cli_progress_end(&bar);

    return status == GH_OK ? GH_EXIT_DONE : gh_cli_fail_error(p->cli, &error);
}

static int
compare(planning_t *p)
{
    gh_cli_planned_t *planned = &p->planned;
    int               status = compare_documents(p);

    if (status == GH_EXIT_DONE) {
        status = compare_warnings(p);
    }
    if (status == GH_EXIT_DONE) {
        status = compare_reach(p, planned->before.image, planned->after.image, &planned->plan);
    }
    if (status == GH_EXIT_DONE && planned->supposed.image != NULL) {
        status = compare_reach(p, planned->after.image, planned->supposed.image, &planned->if_plan);
    }
    if (status == GH_EXIT_DONE && planned->pinned.image != NULL) {
        status = compare_reach(p, planned->pinned.image, planned->after.image, &planned->pin_plan);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }
    gh_cli_sets_load(p->cli->arena, &planned->sets);
    gh_cli_sets_prefer(&planned->sets, planned->before.documents.sources, planned->before.documents.count);
    gh_cli_sets_prefer(&planned->sets, planned->after.documents.sources, planned->after.documents.count);
    gh_cli_edit_lines(p->cli->arena, &planned->sets, planned->before.model, planned->after.model, &planned->lines);
    if (planned->lines.failed) {
        return gh_cli_fail(p->cli, "out of memory");
    }
    planned->changes = planned->file_count > 0 || planned->plan.reach.count > 0 || planned->plan.deployments.count > 0;
    planned->if_changes = planned->if_plan.reach.count > 0 || planned->if_plan.deployments.count > 0;

    return GH_EXIT_DONE;
}

/* ---- the command ---- */

static int
save(planning_t *p)
{
    const char *path = gh_cli_value(p->cli, "out");
    json_t     *summary;
    int         status;

    if (path == NULL) {
        return GH_EXIT_DONE;
    }
    summary = gh_cli_plan_json(&p->planned);
    if (summary == NULL) {
        return gh_cli_fail(p->cli, "out of memory");
    }
    status = gh_cli_plan_write(p->cli, p->store, path, &p->edit, p->planned.base, p->planned.after.model, p->planned.now_ms, summary);
    json_decref(summary);
    if (status == GH_EXIT_DONE) {
        gh_cli_say("saved: gatehouse policy apply %s%s", path, gh_cli_store_words(p->cli));
    }

    return status;
}

static int
plan(planning_t *p)
{
    int status = collect(p);

    if (status == GH_EXIT_DONE) {
        status = load_sides(p);
    }
    if (status == GH_EXIT_DONE) {
        status = compare(p);
    }
    if (status == GH_EXIT_DONE) {
        status = gh_cli_flag(p->cli, "json") ? gh_cli_print_json(p->cli, gh_cli_plan_json(&p->planned)) : gh_cli_plan_print(&p->planned);
    }
    if (status == GH_EXIT_DONE) {
        status = save(p);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }

    return p->planned.changes || p->planned.if_changes ? GH_EXIT_CHANGES : GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    planning_t     p = { .cli = cli, .planned = { .cli = cli, .now_ms = gh_cli_now_ms(), .supposition = GH_STR(""), .pins = GH_STR("") } };
    gh_cli_side_t *sides[] = { &p.planned.before, &p.planned.after, &p.planned.supposed, &p.planned.pinned };
    const char    *at = gh_cli_value(cli, "at");
    int            status = read_suppositions(&p);

    if (status == GH_EXIT_DONE && at != NULL && gh_cli_time_parse(at, &p.planned.now_ms) != GH_OK) {
        return gh_cli_misuse(cli, "--at %s is not a time such as 2026-11-21 or 2026-11-21T09:30:00Z", at);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (cli->argument_count == 0 && p.supposition_count == 0) {
        return gh_cli_misuse(cli, "the directory of the documents is missing; without one, --if says what to suppose of those in force");
    }
    p.store = gh_cli_store_open(cli, false);
    if (p.store == NULL) {
        return GH_EXIT_ERROR;
    }
    status = plan(&p);
    for (int i = 0; i < 4; i++) {
        if (sides[i]->image != NULL) {
            gh_image_unref(sides[i]->image);
        }
    }
    gh_store_close(p.store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_SCOPE_OPTIONS,
    { "base", "REVISION", "refuses when another revision than this is in force", false },
    { "if", "\"SET = {..}\"", "also: what if a set of the facts, or a place of a policy,\nhad these members? {} is none. May be repeated", true },
    { "at", "TIME", "as if it were this time (RFC 3339 or a day; default: now)", false },
    { "out", "FILE", "saves the plan; `policy apply FILE` does exactly this", false },
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an object: summary, changes, gained, lost, ...", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_plan = {
    .name = "policy plan",
    .usage = "DIR [options], or --if \"SET = {..}\"",
    .summary = "says what applying the documents below DIR would change",
    .help =
        "The first line says which tenants' data may get to which country that it could not get to, then what it\n"
        "loses. Below: each country and deployment gained and lost, by class and feature, now or from a later\n"
        "day on; rules and everything else that was written differently; warnings that are new. Every caller,\n"
        "class, model, endpoint, node and feature is decided before and after by the function that the workers\n"
        "use. Nothing is changed.\n"
        "Without DIR, --if supposes something of the policy in force.",
    .exits = ", 2 something changes",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
