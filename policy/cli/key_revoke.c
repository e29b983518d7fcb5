/* `gatehouse key revoke`: a key stops working at the next request of every worker, for ever, and with it every key that it made. */
#include "policy/cli/key_change.h"

static int
revoke(gh_store_t *store, gh_cli_key_change_t *change, gh_error_t *error)
{
    gh_cli_t *cli = change->asked;

    return gh_store_key_revoke(store, gh_str_from(cli->arguments[0]), gh_cli_now_ms(), gh_cli_actor(cli), &change->followed, error);
}

static int
run(gh_cli_t *cli)
{
    gh_cli_key_change_t change = { .done = "revoked", .what = "the revocation", .repeats = "key_revoked", .edit = revoke, .asked = cli };
    gh_error_t          error = { 0 };
    gh_cli_path_t       path;

    if (gh_cli_path_parse(cli->arguments[0], 4, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }

    return gh_cli_key_change(cli, &path, &change);
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    { "json", NULL, "prints an object: revoked, before, minted (how many keys that it made), obeyed, workers, cut, finishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_revoke = {
    .name = "key revoke",
    .usage = "ORG/TENANT/APP/NAME [options]",
    .summary = "ends a key at once and for ever, and the keys that it made",
    .help =
        "When the command is done every worker refuses the key, and requests made with it that were under way\n"
        "are ended, with every secret that it has while it is being rotated. It cannot be brought back, by a rollback neither; create another one with another name.\n"
        "Keys that it made (key create --minter), and those that they made, are revoked with it: to replace a key and keep what it made, rotate it; to keep\n"
        "one of them, key edit --without minter.",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
