/* `gatehouse limits`: what holds for a key, app, tenant or organisation, and how much of it is used. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/counters.h"
#include "policy/cli/limits_text.h"
#include "policy/cli/policy.h"
#include "policy/identity/rules.h"
#include "policy/store/image_format.h"

typedef struct {
    gh_limit_t limit;
    gh_str_t   model;                  /* catalogue name; empty: every model */
    gh_str_t   path;                   /* whose it is */
    bool       counted;                /* false: of each key, and no key was named */
    uint64_t   used;                   /* settled and reserved, in this window */
    uint64_t   resets_ms;              /* 0: it has no window */
} row_t;

typedef struct {
    gh_cli_counters_t counters;
    gh_identity_t     identity;
    const gh_image_t *image;
    gh_str_t          path;            /* as given */
    gh_level_t        level;           /* of it */
    gh_str_t          organisation, issuer, user;   /* with GH_LEVEL_USER: of --user */
    uint64_t          model;           /* number of --model; 0: not given */
    row_t             rows[GH_LIMITS_MAX];
    uint32_t          count;
} looking_t;

/* ---- who ---- */

/* What holds for an organisation or a tenant stands with each of its apps. */
static int
app_below(looking_t *l, gh_error_t *error)
{
    gh_arena_t *arena = l->counters.cli->arena;

    if (gh_store_app_below(l->counters.store, l->path, l->counters.now_ms, arena, &l->identity.path, error) != GH_OK) {
        return GH_ERROR;
    }
    return l->identity.path.len > 0 ? GH_OK : gh_error_set(error, "app_unknown", "tenants/1 in force lists no app below %.*s",
        GH_STR_ARG(l->path));
}

static int
identify(looking_t *l, gh_error_t *error)
{
    gh_store_t *store = l->counters.store;
    gh_image_t *image = NULL;
    int         rc;

    memset(&l->identity, 0, sizeof(l->identity));
    if (l->level == GH_LEVEL_KEY) {
        rc = gh_store_identify_key(store, l->path, l->counters.now_ms, l->counters.cli->arena, &l->identity, &image, error);
    } else {
        l->identity.path = l->path;
        rc = l->level == GH_LEVEL_APP || l->level == GH_LEVEL_USER ? GH_OK : app_below(l, error);
        rc = rc != GH_OK ? rc : gh_store_identify_app(store, l->counters.now_ms, &l->identity, &image, error);
    }
    l->image = image;
    if (l->level == GH_LEVEL_USER) {
        l->identity.key_uid = l->identity.user_uid = gh_rules_user_uid(gh_rules_number(l->organisation, l->issuer), l->path, l->user);
    }
    return rc;
}

static int
read_model(looking_t *l)
{
    const char *name = gh_cli_value(l->counters.cli, "model");
    int32_t     model = name == NULL ? 0 : gh_image_model_find(l->image, gh_str_from(name));
    gh_str_t   *names, near;
    uint32_t    count = l->image->count[GH_SECTION_NAME];

    if (name == NULL) {
        return GH_EXIT_DONE;
    }
    if (model >= 0) {
        l->model = gh_model_number(gh_image_str(l->image, l->image->models[model].name));
        return GH_EXIT_DONE;
    }
    names = gh_arena_array(l->counters.cli->arena, count, sizeof(*names));
    for (uint32_t i = 0; names != NULL && i < count; i++) {
        names[i] = gh_image_str(l->image, l->image->names[i].name);
    }
    near = names != NULL ? gh_str_nearest(gh_str_from(name), names, count) : GH_STR("");
    return gh_cli_fail(l->counters.cli, "--model %s: fleet/1 in force does not have it%s%.*s%s", name, near.len ? "; did you mean " : "",
        GH_STR_ARG(near), near.len ? "?" : "");
}

/* ---- what ---- */

/* The beginning of the path that a level has. */
static gh_str_t
path_of(const looking_t *l, gh_level_t level)
{
    gh_str_t path = level == GH_LEVEL_KEY || level == GH_LEVEL_USER ? l->path : l->identity.path;
    unsigned left = (unsigned) level;

    for (size_t i = 0; i < path.len; i++) {
        if (path.data[i] == '/' && --left == 0) {
            return (gh_str_t) { path.data, i };
        }
    }
    return path;
}

static uint64_t
uid_of(const gh_identity_t *identity, gh_level_t level)
{
    return level == GH_LEVEL_ORGANISATION ? identity->org_uid : level == GH_LEVEL_TENANT ? identity->tenant_uid
        : level == GH_LEVEL_APP ? identity->app_uid : level == GH_LEVEL_USER ? identity->user_uid : identity->key_uid;
}

static void
look_at(looking_t *l, const gh_limit_t *limit)
{
    uint32_t        window = gh_window_number((gh_per_t) limit->per, l->counters.now_ms);
    gh_counter_id_t id = { .uid = uid_of(&l->identity, (gh_level_t) limit->level), .model = limit->model, .level = limit->level,
                           .dimension = limit->dimension, .per = limit->per, .limit_class = limit->limit_class };
    row_t          *row = &l->rows[l->count++];

    *row = (row_t) { .limit = *limit, .model = limit->model != 0 ? gh_image_model_name(l->image, limit->model) : GH_STR(""),
                     .path = path_of(l, (gh_level_t) limit->level), .counted = limit->level < GH_LEVEL_KEY || l->level >= GH_LEVEL_KEY,
                     .resets_ms = gh_window_end((gh_per_t) limit->per, window) };
    /* Before its first key nothing can have been counted. */
    row->used = row->counted && id.uid != 0 ? gh_counter_read(l->counters.ledger, &id, window) : 0;
}

static void
look(looking_t *l)
{
    for (uint32_t i = 0; i < l->identity.limits.count; i++) {
        const gh_limit_t *limit = &l->identity.limits.items[i];
        bool              below = limit->level > l->level && !(l->level == GH_LEVEL_APP && limit->level >= GH_LEVEL_KEY);

        if (!below && (l->model == 0 || limit->model == 0 || limit->model == l->model)) {
            look_at(l, limit);
        }
    }
}

static uint64_t
left(const row_t *row)
{
    return row->used < row->limit.amount ? row->limit.amount - row->used : 0;
}

/* ---- printing ---- */

static void
print_table(const looking_t *l)
{
    gh_arena_t *arena = l->counters.cli->arena;
    gh_str_t    what[GH_LIMITS_MAX], whose[GH_LIMITS_MAX];
    int         wide = 5, of = 5;

    for (uint32_t i = 0; i < l->count; i++) {
        const row_t *row = &l->rows[i];

        what[i] = gh_cli_counted_text(arena, &row->limit, row->model);
        whose[i] = row->counted ? gh_str_format(arena, "%s %.*s", gh_level_names[row->limit.level], GH_STR_ARG(row->path))
                                : gh_cli_limited_text(arena, (gh_level_t) row->limit.level, l->identity.path);
        wide = (int) what[i].len > wide ? (int) what[i].len : wide;
        of = (int) whose[i].len > of ? (int) whose[i].len : of;
    }
    if (l->count == 0) {
        printf("nothing limits %.*s\n", GH_STR_ARG(l->path));
        return;
    }
    printf("%-*s  %-*s  %-6s  %15s  %15s  %15s  %s\n", wide, "limit", of, "of", "class", "at most", "used", "left", "resets");
    for (uint32_t i = 0; i < l->count; i++) {
        const row_t *row = &l->rows[i];

        printf("%-*.*s  %-*.*s  %-6s  %15llu", wide, GH_STR_ARG(what[i]), of, GH_STR_ARG(whose[i]),
            gh_limit_class_names[row->limit.limit_class], (unsigned long long) row->limit.amount);
        if (row->counted) {
            printf("  %15llu  %15llu", (unsigned long long) row->used, (unsigned long long) left(row));
        } else {
            printf("  %15s  %15s", "-", "-");
        }
        printf("  %s\n", row->resets_ms != 0 ? gh_cli_time_text(arena, row->resets_ms) : "-");
    }
}

static int
print_text(const looking_t *l)
{
    print_table(l);
    if (l->level >= GH_LEVEL_APP && l->identity.limits.max_output != 0) {
        printf("answers have at most %llu tokens\n", (unsigned long long) l->identity.limits.max_output);
    }
    return gh_cli_flush(l->counters.cli);
}

static json_t *
row_json(const looking_t *l, const row_t *row)
{
    json_t *object = json_pack("{s:s, s:s%, s:s, s:s, s:s, s:I}", "level", gh_level_names[row->limit.level], "path", row->path.data,
        row->path.len, "dimension", gh_dimension_names[row->limit.dimension], "per", gh_per_names[row->limit.per], "class",
        gh_limit_class_names[row->limit.limit_class], "amount", (json_int_t) row->limit.amount);

    if (object != NULL && row->limit.model != 0) {
        json_object_set_new(object, "model", json_stringn(row->model.data, row->model.len));
    }
    if (object != NULL && row->counted) {
        json_object_set_new(object, "used", json_integer((json_int_t) row->used));
        json_object_set_new(object, "left", json_integer((json_int_t) left(row)));
    }
    if (object != NULL && row->resets_ms != 0) {
        json_object_set_new(object, "resets", json_string(gh_cli_time_text(l->counters.cli->arena, row->resets_ms)));
    }
    return object;
}

static int
print_json(const looking_t *l)
{
    json_t *list = json_array(), *object;

    for (uint32_t i = 0; i < l->count; i++) {
        json_array_append_new(list, row_json(l, &l->rows[i]));
    }
    object = json_pack("{s:s%, s:s, s:I, s:o}", "path", l->path.data, l->path.len, "at",
        gh_cli_time_text(l->counters.cli->arena, l->counters.now_ms), "revision", (json_int_t) gh_image_revision(l->image), "limits", list);
    if (object != NULL && l->level >= GH_LEVEL_APP && l->identity.limits.max_output != 0) {
        json_object_set_new(object, "max_output", json_integer((json_int_t) l->identity.limits.max_output));
    }
    return gh_cli_print_json(l->counters.cli, object);
}

/* ---- the command ---- */

static int
run_looking(looking_t *l)
{
    gh_cli_t  *cli = l->counters.cli;
    gh_error_t error = { 0 };
    unsigned   tries = 0;
    int        status;

    while (identify(l, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_store(cli, &error);
        }
    }
    status = read_model(l);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    look(l);
    return gh_cli_flag(cli, "json") ? print_json(l) : print_text(l);
}

/* ISSUER/USER of an app. The user's name may be empty: of all whose tokens or certificates name none. */
static int
read_user(looking_t *l, const char *text, const gh_cli_path_t *path)
{
    const char *slash = strchr(text, '/');

    l->issuer = (gh_str_t) { text, slash == NULL ? 0 : (size_t) (slash - text) };
    if (l->level != GH_LEVEL_APP || !gh_cli_name_ok(l->issuer)) {
        return gh_cli_misuse(l->counters.cli, "--user %s: ISSUER/USER of an ORG/TENANT/APP, where ISSUER is the id that identity/1 gives an issuer or an authority", text);
    }
    l->organisation = path->org;
    l->user = gh_str_from(slash + 1);
    l->level = GH_LEVEL_USER;
    return GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    looking_t     l = { .path = gh_str_from(cli->arguments[0]), .counters.cli = cli };
    gh_error_t    error = { 0 };
    gh_cli_path_t path;
    const char   *user = gh_cli_value(cli, "user");
    int           status;

    if (gh_cli_path_parse(cli->arguments[0], 1, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }
    l.level = path.key.len ? GH_LEVEL_KEY : path.app.len ? GH_LEVEL_APP : path.tenant.len ? GH_LEVEL_TENANT : GH_LEVEL_ORGANISATION;
    if (user != NULL && read_user(&l, user, &path) != GH_EXIT_DONE) {
        return GH_EXIT_USAGE;
    }
    status = gh_cli_counters_open(cli, &l.counters);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    status = run_looking(&l);
    gh_cli_counters_close(&l.counters);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_COUNTERS_OPTIONS,
    { "user", "ISSUER/USER", "of an app: what a user of its tokens or certificates has used, ISSUER being the\nid in identity/1", false },
    { "model", "MODEL", "only limits that hold for requests for this model", false },
    { "json", NULL, "prints an object: path, at, revision, limits, max_output", false },
    { 0 }
};

const gh_cli_command_t gh_cli_limits = {
    .name = "limits",
    .usage = "ORG[/TENANT[/APP[/KEY]]] [options]",
    .summary = "shows what limits a name, and how much of it is used",
    .help =
        "Lists the limits that hold for an organisation, a tenant, an app or a key: its own and those of the levels\n"
        "above, each with what was used and is reserved in its window now, as the workers count it, what is left, and\n"
        "when the window ends (UTC). Limits of each key are counted for a key that is named, those of each\n"
        "user for a user; what rules of identity/1 add for some callers is not among them.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
