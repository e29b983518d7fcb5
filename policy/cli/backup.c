/* `gatehouse backup`: the policy store as one file, while it is in use. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/policy.h"
#include "policy/store/store_backup.h"

static int
print(gh_cli_t *cli, const gh_backup_t *backup)
{
    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, json_pack("{s:s, s:I, s:s, s:I}", "file", cli->arguments[0], "revision",
            (json_int_t) backup->revision, "time", gh_cli_time_text(cli->arena, backup->time_ms), "bytes", (json_int_t) backup->bytes));
    }
    printf("revision %llu of %s, %llu bytes\n", (unsigned long long) backup->revision, gh_cli_time_text(cli->arena, backup->time_ms),
        (unsigned long long) backup->bytes);
    return gh_cli_flush(cli);
}

static int
make(gh_cli_t *cli, gh_backup_t *backup)
{
    gh_error_t  error = { 0 };
    gh_store_t *store = gh_cli_store_open(cli, false);
    int         rc;

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    rc = gh_store_backup(store, cli->arguments[0], gh_cli_now_ms(), backup, &error);
    gh_store_close(store);
    if (rc != GH_OK) {
        return gh_cli_fail_store(cli, &error);
    }
    gh_cli_say("store.key is not in it: keep a copy of %s/store.key elsewhere, without it the backup cannot be read", gh_cli_secrets(cli));
    return GH_EXIT_DONE;
}

static int
check(gh_cli_t *cli, gh_backup_t *backup)
{
    gh_str_t   path = gh_str_format(cli->arena, "%s/store.key", gh_cli_secrets(cli));
    gh_error_t error = { 0 };
    uint8_t    key[32];
    int        rc;

    if (path.data == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    rc = gh_store_key_read(path.data, key, &error);
    rc = rc == GH_OK ? gh_backup_check(cli->arguments[0], key, backup, &error) : rc;
    explicit_bzero(key, sizeof(key));
    return rc == GH_OK ? GH_EXIT_DONE : gh_cli_fail_error(cli, &error);
}

static int
run(gh_cli_t *cli)
{
    gh_backup_t backup;
    int         status = gh_cli_flag(cli, "check") ? check(cli, &backup) : make(cli, &backup);

    return status == GH_EXIT_DONE ? print(cli, &backup) : status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "check", NULL, "makes nothing: checks that FILE is a whole backup, to its last byte", false },
    { "json", NULL, "prints an object: file, revision, time, bytes", false },
    { 0 }
};

const gh_cli_command_t gh_cli_backup = {
    .name = "backup",
    .usage = "FILE [options]",
    .summary = "saves the policy store in one file, while it is in use",
    .help =
        "Writes revisions, documents and API keys (their hashes) as of one instant to FILE, which must not exist,\n"
        "and checks it. Workers and editors go on meanwhile. store.key is not in it: FILE cannot be read, and says\n"
        "nothing about keys, without it; keep a copy of store.key in another place. `gatehouse restore` puts FILE in\n"
        "force; a copy of HOME/store made in any other way is refused.\n",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
