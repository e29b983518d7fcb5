/* `gatehouse key list`: names, states and days of keys; never a key. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/cli.h"
#include "policy/store/store_write.h"

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
print_json(const gh_cli_t *cli, const gh_store_key_t *keys, size_t count, uint64_t now_ms)
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

static int
print_text(const gh_cli_t *cli, const gh_store_key_t *keys, size_t count, uint64_t now_ms)
{
    int width = 3;

    for (size_t i = 0; i < count; i++) {
        int len = (int) (keys[i].org.len + keys[i].tenant.len + keys[i].app.len + keys[i].name.len + 3);

        width = len > width ? len : width;
    }

    if (count > 0) {
        printf("%-*s  %-11s  %-10s  %s\n", width, "key", "state", "created", "refused from");
    }

    for (size_t i = 0; i < count; i++) {
        const gh_store_key_t *key = &keys[i];
        gh_str_t              path = gh_str_format(cli->arena, "%.*s/%.*s/%.*s/%.*s", GH_STR_ARG(key->org),
            GH_STR_ARG(key->tenant), GH_STR_ARG(key->app), GH_STR_ARG(key->name));
        const char           *from = key->not_after_ms ? gh_cli_time_text(cli->arena, key->not_after_ms) : "never";

        if (key->state == GH_KEY_REVOKED && key->revoked_ms != 0) {
            from = gh_cli_time_text(cli->arena, key->revoked_ms);
        }

        printf("%-*s  %-11s  %.10s  %s\n", width, path.data ? path.data : "", state_word(key, now_ms),
            gh_cli_time_text(cli->arena, key->created_ms), from);
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
    size_t          count;
    int             status;

    if (below[0] != '\0' && gh_cli_path_parse(below, 1, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }

    gh_store_t *store = gh_cli_store_open(cli, false);

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }

    if (gh_store_key_list(store, gh_str_from(below), now_ms, cli->arena, &keys, &count, &error) != GH_OK) {
        status = gh_cli_fail_store(cli, &error);

    } else if (gh_cli_flag(cli, "json")) {
        status = print_json(cli, keys, count, now_ms);

    } else {
        if (count == 0) {
            fprintf(stderr, "no keys%s%s\n", below[0] ? " below " : "", below);
        }
        status = print_text(cli, keys, count, now_ms);
    }

    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an array of objects", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_list = {
    .name = "key list",
    .usage = "[ORG[/TENANT[/APP]]] [options]",
    .summary = "lists keys by name, with their state",
    .help =
        "Lists the keys at or below a name, sorted. States: live, retiring, not-yet, expired, revoked, and\n"
        "app-removed when the app is no longer in the tenants/1 document in force. Keys themselves are stored\n"
        "nowhere and cannot be shown.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
