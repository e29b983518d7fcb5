/* `gatehouse key list`: names, states and days of keys; never a key. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/audit/mode.h"
#include "policy/cli/key.h"
#include "policy/identity/narrowing.h"

/* One word for what would happen to a request with this key now. */
static const char *
state_word(const gh_store_key_t *key, uint64_t now_ms)
{
    if (key->state == GH_KEY_REVOKED) {
        return "revoked";
    }
    if (key->expired) {
        return "expired";
    }
    if (!key->app_listed) {
        return "app-removed";
    }
    if (key->not_before_ms > now_ms) {
        return "not-yet";
    }

    return key->state == GH_KEY_RETIRING ? "retiring" : "live";
}

static int
put_time(gh_arena_t *arena, json_t *object, const char *name, uint64_t ms)
{
    return ms == 0 ? 0 : json_object_set_new(object, name, json_string(gh_cli_time_text(arena, ms)));
}

static int
put_text(json_t *object, const char *name, gh_str_t text)
{
    return text.len == 0 ? 0 : json_object_set_new(object, name, json_stringn(text.data, text.len));
}

/* Each list of places or of models: "EU NO". */
static int
put_lists(json_t *object, const char *name, gh_str_t lists)
{
    json_t  *array = lists.len > 0 ? json_array() : NULL;
    gh_str_t list;

    while (array != NULL && gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list)) {
        json_array_append_new(array, json_stringn(list.data, list.len));
    }
    return array == NULL ? 0 : json_object_set_new(object, name, array);
}

static int
put_limits(gh_arena_t *arena, json_t *object, const gh_store_key_t *key)
{
    json_t *array = key->limit_count > 0 ? json_array() : NULL;

    for (uint32_t i = 0; array != NULL && i < key->limit_count; i++) {
        gh_str_t text = gh_cli_key_limit_text(arena, &key->limits[i]);

        json_array_append_new(array, json_stringn(text.data, text.len));
    }
    return array == NULL ? 0 : json_object_set_new(object, "limits", array);
}

static int
print_json(const gh_cli_t *cli, const gh_store_key_t *keys, size_t count, const uint64_t *last_ms, uint64_t now_ms)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const gh_store_key_t *key = &keys[i];
        json_t               *object = json_pack("{s:s%, s:s%, s:s%, s:s%, s:s}", "org", key->org.data, key->org.len,
            "tenant", key->tenant.data, key->tenant.len, "app", key->app.data, key->app.len,
            "name", key->name.data, key->name.len, "state", state_word(key, now_ms));

        if (object == NULL || put_time(cli->arena, object, "created", key->created_ms) != 0
            || put_time(cli->arena, object, "not_before", key->not_before_ms) != 0
            || put_time(cli->arena, object, "refused_from", key->not_after_ms) != 0
            || put_time(cli->arena, object, "revoked", key->revoked_ms) != 0
            || put_time(cli->arena, object, "rotated", key->rotated_ms) != 0
            || put_time(cli->arena, object, "before_until", key->before_until_ms) != 0
            || put_time(cli->arena, object, "last_use", last_ms != NULL ? last_ms[i] : 0) != 0
            || put_text(object, "owner", key->owner) != 0 || put_text(object, "mints", key->mints) != 0 || put_text(object, "minter", key->minter) != 0 || put_text(object, "classes", key->classes) != 0
            || (key->access_key && json_object_set_new(object, "access_key", json_true()) != 0)
            || (key->audit_required && json_object_set_new(object, "audit", json_string(gh_audit_names[GH_AUDIT_REQUIRED])) != 0)
            || put_lists(object, "places", key->places) != 0 || put_lists(object, "models", key->models) != 0
            || put_limits(cli->arena, object, key) != 0
            || (key->imported && json_object_set_new(object, "imported", json_true()) != 0)
            || json_array_append_new(list, object) != 0)
        {
            json_decref(list);
            return gh_cli_fail(cli, "out of memory");
        }
    }

    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(list);

    return gh_cli_flush(cli);
}

/* When its last secret ends, or ended; of one that is being rotated also when the one before does. */
static const char *
ends(const gh_cli_t *cli, const gh_store_key_t *key)
{
    const char *from = key->not_after_ms ? gh_cli_time_text(cli->arena, key->not_after_ms) : "never";
    gh_str_t    both;

    if (key->state == GH_KEY_REVOKED && key->revoked_ms != 0) {
        return gh_cli_time_text(cli->arena, key->revoked_ms);
    }
    if (key->before_until_ms == 0) {
        return from;
    }
    both = gh_str_format(cli->arena, "%s (old secret: %s)", from, gh_cli_time_text(cli->arena, key->before_until_ms));

    return both.data ? both.data : from;
}

/* What it may not do though its app may: a line for each. */
static void
print_narrowed(gh_arena_t *arena, const gh_store_key_t *key)
{
    const struct { const char *what; gh_str_t lists; } narrowed[] = { { "places", key->places }, { "models", key->models } };
    gh_str_t list, lists;

    for (size_t i = 0; i < sizeof(narrowed) / sizeof(narrowed[0]); i++) {
        for (lists = narrowed[i].lists; gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list);) {
            printf("  narrowed to the %s %.*s\n", narrowed[i].what, GH_STR_ARG(list));
        }
    }
    if (key->mints.len > 0) {
        printf("  makes keys for %.*s\n", GH_STR_ARG(key->mints));
    }
    if (key->audit_required) {
        printf("  sends nothing without a record\n");
    }
    if (key->minter.len > 0) {
        printf("  made by %.*s\n", GH_STR_ARG(key->minter));
    }
    for (uint32_t i = 0; i < key->limit_count; i++) {
        printf("  limited to %.*s\n", GH_STR_ARG(gh_cli_key_limit_text(arena, &key->limits[i])));
    }
}

static int
print_text(const gh_cli_t *cli, const gh_store_key_t *keys, size_t count, const uint64_t *last_ms, uint64_t now_ms)
{
    int  width = 3;
    bool owners = false;

    for (size_t i = 0; i < count; i++) {
        int len = (int) (keys[i].org.len + keys[i].tenant.len + keys[i].app.len + keys[i].name.len + 3);

        width = len > width ? len : width;
        owners = owners || keys[i].owner.len > 0;
    }

    if (count > 0) {
        printf("%-*s  %-11s  %-10s%s  %s%s\n", width, "key", "state", "created", last_ms ? "  last use            " : "",
            owners ? "refused from          " : "refused from", owners ? "owner" : "");
    }

    for (size_t i = 0; i < count; i++) {
        const gh_store_key_t *key = &keys[i];
        gh_str_t              path = gh_str_format(cli->arena, "%.*s/%.*s/%.*s/%.*s", GH_STR_ARG(key->org),
            GH_STR_ARG(key->tenant), GH_STR_ARG(key->app), GH_STR_ARG(key->name));

        printf("%-*s  %-11s  %.10s", width, path.data ? path.data : "", state_word(key, now_ms), gh_cli_time_text(cli->arena, key->created_ms));
        if (last_ms != NULL) {
            printf("  %-20.19s", last_ms[i] ? gh_cli_time_text(cli->arena, last_ms[i] / 1000 * 1000) : "-");
        }
        printf(key->owner.len > 0 ? "  %-20s  %.*s\n" : "  %s\n", ends(cli, key), GH_STR_ARG(gh_cli_shown(cli->arena, key->owner)));
        print_narrowed(cli->arena, key);
    }

    return gh_cli_flush(cli);
}

static int
run(gh_cli_t *cli)
{
    const char     *below = cli->argument_count > 0 ? cli->arguments[0] : "";
    uint64_t        now_ms = gh_cli_now_ms();
    gh_error_t      error = { 0 };
    gh_cli_path_t   path;
    gh_store_key_t *keys;
    uint64_t       *last_ms = NULL;
    size_t          count;
    int             status = GH_EXIT_DONE;

    if (below[0] != '\0' && gh_cli_path_parse(below, 1, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }

    gh_store_t *store = gh_cli_store_open(cli, false);

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }

    if (gh_store_key_list(store, gh_str_from(below), now_ms, cli->arena, &keys, &count, &error) != GH_OK) {
        status = gh_cli_fail_store(cli, &error);

    } else if (gh_cli_flag(cli, "last-use")
        && ((last_ms = gh_arena_array(cli->arena, count + 1, sizeof(*last_ms))) == NULL
            || gh_cli_key_last_use(cli, keys, count, last_ms) != GH_EXIT_DONE))
    {
        status = last_ms != NULL ? GH_EXIT_ERROR : gh_cli_fail(cli, "out of memory");

    } else if (gh_cli_flag(cli, "json")) {
        status = print_json(cli, keys, count, last_ms, now_ms);

    } else {
        if (count == 0) {
            fprintf(stderr, "no keys%s%s\n", below[0] ? " below " : "", below);
        }
        status = print_text(cli, keys, count, last_ms, now_ms);
    }

    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "last-use", NULL, "with the time of each key's last request, by the record", false },
    { "audit", "DIR", "with --last-use: an audit directory (default: HOME/audit); repeat it for the second one", true },
    { "json", NULL, "prints an array of objects", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_list = {
    .name = "key list",
    .usage = "[ORG[/TENANT[/APP]]] [options]",
    .summary = "lists keys by name, with their state",
    .help =
        "Lists the keys at or below a name, sorted. States: live, retiring, not-yet, expired, revoked, and\n"
        "app-removed when the app is no longer in the tenants/1 document in force. --last-use reads the whole record\n"
        "that is there. Keys themselves are stored nowhere and cannot be shown.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
