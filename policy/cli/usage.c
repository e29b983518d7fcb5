/* `gatehouse usage`: every counter of the ledger at or below a name. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cli/counters.h"
#include "policy/cli/limits_text.h"
#include "policy/cli/policy.h"
#include "policy/ledger/backends.h"

typedef struct {
    gh_counter_view_t view;
    gh_str_t          path, model;     /* names; model empty: every model */
} row_t;

typedef struct {
    gh_cli_counters_t counters;
    gh_str_t          below;           /* empty: everything */
    bool              all;             /* also what is 0, and windows that have ended */
    gh_store_named_t *names;           /* by uid */
    size_t            name_count;
    const gh_image_t *image;           /* NULL: nothing was applied yet */
    row_t            *rows;
    size_t            count, capacity;
} usage_t;

/* ---- names ---- */

static int
compare_uid(const void *key, const void *item)
{
    uint64_t uid = *(const uint64_t *) key, other = ((const gh_store_named_t *) item)->uid;

    return (uid > other) - (uid < other);
}

static gh_str_t
deployment_name(const usage_t *usage, uint64_t uid)
{
    gh_target_t target;

    for (uint32_t i = 0; usage->image != NULL && i < gh_image_target_count(usage->image); i++) {
        gh_image_target(usage->image, i, &target);
        if (gh_backend_counter(target.deployment).uid == uid) {
            return target.deployment;
        }
    }
    return GH_STR("");
}

/* Empty: it is not below the name that was asked for. */
static gh_str_t
path_of(const usage_t *usage, const gh_counter_id_t *id)
{
    const gh_store_named_t *found = NULL;
    gh_str_t                path = GH_STR("");

    if (id->level == GH_LEVEL_DEPLOYMENT) {
        path = usage->below.len == 0 ? deployment_name(usage, id->uid) : path;
    } else if (usage->name_count > 0) {
        found = bsearch(&id->uid, usage->names, usage->name_count, sizeof(*usage->names), compare_uid);
    }
    path = found != NULL && found->level == id->level ? found->path : path;
    if (path.len == 0 && usage->below.len == 0) {
        path = gh_str_format(usage->counters.cli->arena, "uid %llu", (unsigned long long) id->uid);
    }
    return path;
}

static gh_str_t
model_of(const usage_t *usage, uint64_t number)
{
    gh_str_t name = number != 0 && usage->image != NULL ? gh_image_model_name(usage->image, number) : GH_STR("");

    return number == 0 || name.len > 0 ? name : gh_str_format(usage->counters.cli->arena, "number %016llx", (unsigned long long) number);
}

/* ---- counters ---- */

static bool
wanted(const usage_t *usage, const gh_counter_view_t *view)
{
    return usage->all || (view->value != 0 && view->window >= gh_window_number((gh_per_t) view->id.per, usage->counters.now_ms));
}

static int
add(void *context, const gh_counter_view_t *view)
{
    usage_t *usage = context;
    gh_str_t path;

    if (!wanted(usage, view) || view->id.level >= GH_LEVELS || view->id.dimension >= GH_DIMENSIONS || view->id.per >= GH_PERS) {
        return GH_OK;
    }
    path = path_of(usage, &view->id);
    if (path.len == 0) {
        return GH_OK;
    }
    if (usage->count == usage->capacity) {
        usage->capacity = usage->capacity * 2 + 64;
        usage->rows = gh_arena_grow(usage->counters.cli->arena, usage->rows, usage->count, usage->capacity, sizeof(*usage->rows));
        if (usage->rows == NULL) {
            return GH_ERROR;
        }
    }
    usage->rows[usage->count++] = (row_t) { *view, path, model_of(usage, view->id.model) };
    return GH_OK;
}

/* By level, name, and what is counted. */
static int
compare(const void *left, const void *right)
{
    const row_t           *a = left, *b = right;
    const gh_counter_id_t *x = &a->view.id, *y = &b->view.id;
    int                    order = (int) x->level - (int) y->level;

    order = order != 0 ? order : gh_str_cmp(a->path, b->path);
    order = order != 0 ? order : (int) x->dimension - (int) y->dimension;
    order = order != 0 ? order : (int) x->per - (int) y->per;
    order = order != 0 ? order : gh_str_cmp(a->model, b->model);
    return order != 0 ? order : (int) x->limit_class - (int) y->limit_class;
}

static const char *
class_of(const gh_counter_id_t *id)
{
    return id->limit_class < GH_LIMIT_CLASSES ? gh_limit_class_names[id->limit_class] : "";
}

/* ---- printing ---- */

static int
print_text(const usage_t *usage)
{
    gh_arena_t *arena = usage->counters.cli->arena;
    gh_str_t   *what = gh_arena_array(arena, usage->count, sizeof(*what));
    int         path = 4, wide = 4;

    if (what == NULL) {
        return gh_cli_fail(usage->counters.cli, "out of memory");
    }
    for (size_t i = 0; i < usage->count; i++) {
        const row_t *row = &usage->rows[i];
        gh_limit_t   limit = { .dimension = row->view.id.dimension, .per = row->view.id.per };

        what[i] = gh_cli_counted_text(arena, &limit, row->model);
        path = (int) row->path.len > path ? (int) row->path.len : path;
        wide = (int) what[i].len > wide ? (int) what[i].len : wide;
    }
    if (usage->count == 0) {
        fprintf(stderr, "nothing is counted now%s%.*s\n", usage->below.len ? " below " : "", GH_STR_ARG(usage->below));
    } else {
        printf("%-12s  %-*s  %-*s  %-6s  %15s  %s\n", "level", path, "name", wide, "what", "class", "used", "until");
    }
    for (size_t i = 0; i < usage->count; i++) {
        const row_t *row = &usage->rows[i];
        uint64_t     end = gh_window_end((gh_per_t) row->view.id.per, row->view.window);

        printf("%-12s  %-*.*s  %-*.*s  %-6s  %15llu  %s\n", gh_level_names[row->view.id.level], path, GH_STR_ARG(row->path), wide,
            GH_STR_ARG(what[i]), class_of(&row->view.id), (unsigned long long) row->view.value, end ? gh_cli_time_text(arena, end) : "-");
    }
    return gh_cli_flush(usage->counters.cli);
}

static json_t *
row_json(const usage_t *usage, const row_t *row)
{
    const gh_counter_id_t *id = &row->view.id;
    uint64_t               end = gh_window_end((gh_per_t) id->per, row->view.window);
    json_t                *object = json_pack("{s:s, s:s%, s:s, s:s, s:I}", "level", gh_level_names[id->level], "path", row->path.data,
        row->path.len, "dimension", gh_dimension_names[id->dimension], "per", gh_per_names[id->per], "used", (json_int_t) row->view.value);

    if (object != NULL && *class_of(id) != '\0') {
        json_object_set_new(object, "class", json_string(class_of(id)));
    }
    if (object != NULL && row->model.len > 0) {
        json_object_set_new(object, "model", json_stringn(row->model.data, row->model.len));
    }
    if (object != NULL && end != 0) {
        json_object_set_new(object, "until", json_string(gh_cli_time_text(usage->counters.cli->arena, end)));
    }
    return object;
}

static int
print_json(const usage_t *usage)
{
    json_t *list = json_array();

    for (size_t i = 0; i < usage->count; i++) {
        json_array_append_new(list, row_json(usage, &usage->rows[i]));
    }
    return gh_cli_print_json(usage->counters.cli, json_pack("{s:s, s:o}", "at",
        gh_cli_time_text(usage->counters.cli->arena, usage->counters.now_ms), "counters", list));
}

/* ---- the command ---- */

/* Names for models and deployments; before the first policy there are none. */
static int
read_image(usage_t *usage)
{
    gh_error_t  error = { 0 };
    gh_image_t *image = NULL;
    unsigned    tries = 0;

    while (gh_store_current(usage->counters.store, usage->counters.now_ms, &image, &error) != GH_OK) {
        if (strcmp(error.code, "store_empty") == 0) {
            return GH_EXIT_DONE;
        }
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_store(usage->counters.cli, &error);
        }
    }
    usage->image = image;
    return GH_EXIT_DONE;
}

static int
run_usage(usage_t *usage)
{
    gh_cli_t  *cli = usage->counters.cli;
    gh_error_t error = { 0 };
    unsigned   tries = 0;
    int        status;

    while (gh_store_names(usage->counters.store, usage->below, usage->counters.now_ms, cli->arena, &usage->names, &usage->name_count,
               &error) != GH_OK)
    {
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_store(cli, &error);
        }
    }
    status = read_image(usage);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (gh_ledger_each_counter(usage->counters.ledger, add, usage) != GH_OK) {
        return gh_cli_fail(cli, "out of memory");
    }
    if (usage->count > 0) {
        qsort(usage->rows, usage->count, sizeof(*usage->rows), compare);
    }
    return gh_cli_flag(cli, "json") ? print_json(usage) : print_text(usage);
}

static int
run(gh_cli_t *cli)
{
    const char   *below = cli->argument_count > 0 ? cli->arguments[0] : "";
    usage_t       usage = { .below = gh_str_from(below), .all = gh_cli_flag(cli, "all") };
    gh_error_t    error = { 0 };
    gh_cli_path_t path;
    int           status;

    if (below[0] != '\0' && gh_cli_path_parse(below, 1, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }
    status = gh_cli_counters_open(cli, &usage.counters);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    status = run_usage(&usage);
    gh_cli_counters_close(&usage.counters);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_COUNTERS_OPTIONS,
    { "all", NULL, "also counters at 0, and those of windows that have ended", false },
    { "json", NULL, "prints an object: at, counters", false },
    { 0 }
};

const gh_cli_command_t gh_cli_usage = {
    .name = "usage",
    .usage = "[ORG[/TENANT[/APP[/KEY]]]] [options]",
    .summary = "shows what was used, as the workers count it",
    .help =
        "Lists the counters of the ledger at or below a name, live: what was used and is reserved in the window now.\n"
        "Only what a limit is of is counted; without a name also how many requests run at each deployment.\n"
        "`gatehouse limits` says how much is left.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
