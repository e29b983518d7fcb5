/* What the `gatehouse key` commands share that change a key: the edit, the workers that have to obey it, and what is printed when they do. */
#include "policy/cli/key_change.h"

#include <stdio.h>
#include <string.h>

#include "policy/cli/policy.h"

static int
print(const gh_cli_t *cli, const gh_cli_barrier_t *barrier, const gh_cli_key_change_t *change, json_t *object)
{
    if (gh_cli_flag(cli, "json")) {
        if (object != NULL && change->followed > 0) {
            json_object_set_new(object, "minted", json_integer((json_int_t) change->followed));
        }
        return gh_cli_print_json(cli, gh_cli_barrier_json(barrier, object));
    }
    json_decref(object);
    if (change->before) {
        printf("%s was %s before\n", cli->arguments[0], change->done);
    } else {
        printf("%s %s\n", change->done, cli->arguments[0]);
    }
    if (change->followed > 0) {
        printf("%s with it: %zu key%s that it made, or that those made\n", change->done, change->followed, change->followed == 1 ? "" : "s");
    }
    gh_cli_barrier_print(barrier);

    return gh_cli_flush(cli);
}

static int
change_it(gh_cli_t *cli, gh_store_t *store, gh_cli_barrier_t *barrier, const gh_cli_path_t *path, gh_cli_key_change_t *change)
{
    gh_error_t error = { 0 };
    json_t    *object;
    int        status, obeyed;

    if (change->edit(store, change, &error) == GH_OK) {
        obeyed = gh_cli_barrier_obeyed(barrier, change->what);

    } else if (change->repeats != NULL && error.code != NULL && strcmp(error.code, change->repeats) == 0) {
        /* what was asked for is so, or will be when every worker has seen it */
        change->before = true;
        obeyed = gh_cli_barrier_again(barrier, change->what);

    } else {
        status = gh_cli_fail_store(cli, &error);
        if (error.code != NULL && strcmp(error.code, "key_unknown") == 0) {
            gh_cli_key_advise(cli, store, path);
        }
        return status;
    }
    object = json_pack("{s:s}", change->done, cli->arguments[0]);
    if (object != NULL && change->repeats != NULL) {
        json_object_set_new(object, "before", json_boolean(change->before));
    }
    status = print(cli, barrier, change, object);

    return status != GH_EXIT_DONE ? status : obeyed;
}

int
gh_cli_key_change(gh_cli_t *cli, const gh_cli_path_t *path, gh_cli_key_change_t *change)
{
    gh_cli_barrier_t barrier;
    gh_store_t      *store = gh_cli_store_open(cli, true);
    int              status;

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    status = change->prepare != NULL ? change->prepare(cli, store, change) : GH_EXIT_DONE;
    status = status != GH_EXIT_DONE ? status : gh_cli_barrier_begin(cli, store, &barrier);
    if (status == GH_EXIT_DONE) {
        status = change_it(cli, store, &barrier, path, change);
        gh_cli_barrier_end(&barrier);
    }
    gh_store_close(store);

    return status;
}
