/* Opening the policy store for a command, and what to say when it does not open. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy/cli/cli.h"
#include "policy/store/store.h"

#define BUSY_TRIES    100
#define BUSY_PAUSE_MS 20

const char *
gh_cli_init_words(const gh_cli_t *cli)
{
    const char          *words = gh_cli_store_words(cli);
    const struct passwd *user;
    const struct group  *group;
    struct stat          home;
    gh_str_t             text;

    if (geteuid() != 0 || stat(gh_cli_home(cli), &home) != 0) {
        return words;
    }
    user = getpwuid(home.st_uid);
    group = getgrgid(home.st_gid);
    text = gh_str_format(cli->arena, "%s%s%s%s%s", words,
        user != NULL && strcmp(user->pw_name, GH_CLI_USER) != 0 ? " --user " : "",
        user != NULL && strcmp(user->pw_name, GH_CLI_USER) != 0 ? user->pw_name : "",
        group != NULL && strcmp(group->gr_name, GH_CLI_GROUP) != 0 ? " --group " : "",
        group != NULL && strcmp(group->gr_name, GH_CLI_GROUP) != 0 ? group->gr_name : "");

    return text.data ? text.data : words;
}

/* Whether a store was there once: its identity still is. */
static bool
was_there(const gh_cli_t *cli)
{
    gh_str_t path = gh_str_format(cli->arena, "%s/store/identity", gh_cli_home(cli));

    return path.data != NULL && access(path.data, F_OK) == 0;
}

/* Advice by the error's code; commands carry the --home and --secrets of this call. */
static void
advise(const gh_cli_t *cli, const char *code)
{
    const char *words = gh_cli_store_words(cli);

    if (code == NULL) {
        return;
    }

    if (strcmp(code, "store_replaced") == 0 || (strcmp(code, "store_missing") == 0 && was_there(cli))) {
        gh_cli_advise("gatehouse restore FILE%s   puts a backup in force", words);

    } else if (strcmp(code, "store_missing") == 0) {
        gh_cli_advise("gatehouse init%s", gh_cli_init_words(cli));

    } else if (strcmp(code, "store_empty") == 0) {
        gh_cli_advise("gatehouse policy apply DIR%s", words);

    } else if (strcmp(code, "store_denied") == 0) {
        gh_cli_advise("run this as root or as the owner of %s; `gatehouse init%s` repairs owners and modes",
            gh_cli_home(cli), gh_cli_init_words(cli));

    } else if (strcmp(code, "store_moved") == 0) {
        gh_cli_advise("another edit came in between; look at it and run this again");

    } else if (strcmp(code, "store_busy") == 0) {
        gh_cli_advise("run this again: other editors kept the store busy for seconds");

    } else if (strcmp(code, "store_damaged") == 0) {
        gh_cli_advise("gatehouse restore FILE%s   puts a backup in force; or %s/store.key is not the key that the store was made with",
            words, gh_cli_secrets(cli));

    } else if (strcmp(code, "store_full") == 0) {
        gh_cli_advise("make room on the disk of %s and run this again; nothing was changed", gh_cli_home(cli));
    }
}

int
gh_cli_fail_store(const gh_cli_t *cli, const gh_error_t *error)
{
    gh_cli_fail_error(cli, error);
    advise(cli, error->code);

    return GH_EXIT_ERROR;
}

bool
gh_cli_again(const gh_error_t *error, unsigned *tries)
{
    const struct timespec pause = { 0, BUSY_PAUSE_MS * 1000000l };

    if (error->code == NULL || strcmp(error->code, "store_busy") != 0 || *tries == BUSY_TRIES) {
        return false;
    }

    (*tries)++;
    nanosleep(&pause, NULL);

    return true;
}

/* Whether a file is there and readable, said better than its reader can: it does not know of --home and init. */
static bool
readable(const gh_cli_t *cli, const char *path, const char *what)
{
    if (access(path, R_OK) == 0) {
        return true;
    }

    if (errno == EACCES) {
        gh_cli_fail(cli, "%s %s may not be read by this user", what, path);
        advise(cli, "store_denied");

    } else {
        gh_cli_fail(cli, "%s %s %s", what, path,
            errno == ENOENT || errno == ENOTDIR ? "does not exist" : strerror(errno));
        advise(cli, "store_missing");
    }

    return false;
}

gh_store_t *
gh_cli_store_open(const gh_cli_t *cli, bool writable)
{
    gh_store_options_t options = { .home = gh_cli_home(cli), .writable = writable };
    gh_error_t         error = { 0 };
    gh_str_t           data, key;
    gh_store_t        *store;
    unsigned           tries = 0;

    data = gh_str_format(cli->arena, "%s/store/data.mdb", options.home);
    key = gh_str_format(cli->arena, "%s/store.key", gh_cli_secrets(cli));

    if (data.data == NULL || key.data == NULL) {
        gh_cli_fail(cli, "out of memory");
        return NULL;
    }

    if (!readable(cli, data.data, "the policy store") || !readable(cli, key.data, "the store's key")) {
        return NULL;
    }

    if (gh_store_key_read(key.data, options.key, &error) != GH_OK) {
        gh_cli_fail_error(cli, &error);
        gh_cli_advise("gatehouse init%s", gh_cli_init_words(cli));
        return NULL;
    }

    do {
        store = gh_store_open(&options, &error);
    } while (store == NULL && gh_cli_again(&error, &tries));
    explicit_bzero(options.key, sizeof(options.key));

    if (store == NULL) {
        gh_cli_fail_store(cli, &error);
    }

    return store;
}

gh_str_t
gh_cli_actor(const gh_cli_t *cli)
{
    static const char *const variables[] = { "SUDO_USER", "USER", "LOGNAME" };
    const char              *name = gh_cli_value(cli, "author");
    struct passwd           *entry;

    for (size_t i = 0; name == NULL && i < sizeof(variables) / sizeof(variables[0]); i++) {
        name = getenv(variables[i]);
        name = name != NULL && name[0] != '\0' ? name : NULL;
    }

    if (name == NULL) {
        entry = getpwuid(geteuid());
        if (entry == NULL) {
            return gh_str_format(cli->arena, "uid %u", (unsigned) geteuid());
        }
        name = entry->pw_name;
    }

    return gh_str_copy(cli->arena, gh_str_from(name));
}
