/* The ledger's part of `gatehouse init`: made at each boot, kept while it is good, never replaced while anybody uses it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "policy/cli/init.h"
#include "policy/ledger/ledger.h"
#include "policy/store/store_write.h"

#define TMPFS      0x01021994         /* f_type of a tmpfs */
#define LOCK_LOOKS 6000u              /* 10 ms apart */

static int
fail(const gh_cli_t *cli, const gh_error_t *error, const char *advice)
{
    gh_cli_fail_error(cli, error);
    gh_cli_advise("%s", advice);
    return GH_EXIT_ERROR;
}

static int
fail_in_use(const gh_cli_t *cli, const char *path, const gh_error_t *error)
{
    gh_cli_fail_error(cli, error);
    gh_cli_fail(cli, "%s is in use by running workers, so it is not replaced", path);
    gh_cli_advise("stop the nginx that uses it and run this again, or name another ledger with --ledger");
    return GH_EXIT_ERROR;
}

/* What is at PATH may go: it is a ledger, of this store or of a layout that is no more, and nobody uses it. */
static int
make_room(const gh_cli_t *cli, const char *path, const gh_error_t *why)
{
    if (gh_ledger_in_use(path)) {
        return fail_in_use(cli, path, why);
    }
    if (unlink(path) == -1) {
        return gh_cli_fail(cli, "cannot remove the old %s: %s", path, strerror(errno));
    }
    return GH_EXIT_DONE;
}

/* *ledger: the file that is there and good, or NULL when one has to be made. */
static int
look_at(const gh_cli_t *cli, const char *path, const gh_store_t *store, gh_ledger_t **ledger)
{
    gh_error_t error = { 0 };

    *ledger = gh_ledger_open(path, true, &error);
    if (*ledger == NULL) {
        if (strcmp(error.code, "ledger_missing") == 0) {
            return GH_EXIT_DONE;
        }
        if (strcmp(error.code, "ledger_version") == 0 || strcmp(error.code, "ledger_other") == 0) {
            return make_room(cli, path, &error);
        }
        return fail(cli, &error, "remove it if nothing needs it, or name another place with --ledger");
    }
    if (memcmp(gh_ledger_header(*ledger)->store_id, gh_store_id(store), 16) != 0) {
        gh_error_at(&error, "ledger_other", path, 0, 0, "the ledger belongs to another policy store");
        gh_ledger_close(*ledger);
        *ledger = NULL;
        return gh_ledger_in_use(path) ? fail_in_use(cli, path, &error)
            : fail(cli, &error, "remove it if that store is gone, or name another place with --ledger");
    }
    if (gh_ledger_of_earlier_boot(*ledger)) {
        gh_error_at(&error, "ledger_other", path, 0, 0, "the ledger is of an earlier boot");
        gh_ledger_close(*ledger);
        *ledger = NULL;
        return make_room(cli, path, &error);
    }
    return GH_EXIT_DONE;
}

static int
make(gh_init_t *init, const char *path, const gh_store_t *store, bool *made, gh_ledger_t **ledger)
{
    gh_error_t error = { 0 };
    uint8_t    id[16];

    if (getrandom(id, sizeof(id), 0) != (ssize_t) sizeof(id)) {
        return gh_cli_fail(init->cli, "the system gives no random bytes: %s", strerror(errno));
    }
    if (!gh_cli_flag(init->cli, "no-checkpoint")) {
        int status = gh_init_counters(init, path, store, id, made);

        if (status != GH_EXIT_DONE) {
            return status;
        }
    } else if (gh_ledger_create(path, init->ledger_size, id, gh_store_id(store), made, &error) != GH_OK) {
        return fail(init->cli, &error, GH_INIT_LEDGER_ADVICE);
    }
    *ledger = gh_ledger_open(path, true, &error);
    return *ledger != NULL ? GH_EXIT_DONE : fail(init->cli, &error, GH_INIT_LEDGER_ADVICE);
}

/* The directory, when it is missing; one that is there is its maker's, but for the one that the default names. */
static int
make_directory(const gh_init_t *init, const char *path, int *directory, const char **name)
{
    const char *slash = strrchr(path, '/');
    gh_error_t  error = { 0 };
    gh_str_t    parent;
    bool        made;

    *name = slash ? slash + 1 : path;
    parent = slash == NULL ? GH_STR(".") : slash == path ? GH_STR("/")
        : gh_str_copy(init->cli->arena, (gh_str_t) { path, (size_t) (slash - path) });
    if (parent.data == NULL) {
        return gh_cli_fail(init->cli, "out of memory");
    }

    gh_cli_owner_t owner = { init->uid, init->gid, parent.data, 0750 };

    if (access(parent.data, F_OK) == 0 && strcmp(path, GH_LEDGER_PATH) != 0) {
        *directory = open(parent.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *directory != -1 ? GH_EXIT_DONE
            : gh_cli_fail(init->cli, "cannot open %s: %s", parent.data, strerror(errno));
    }
    *directory = gh_cli_make_directory(AT_FDCWD, parent.data, &owner, &made, &error);
    if (*directory == -1) {
        return fail(init->cli, &error, geteuid() == 0 ? "make the directory above it first, or name another place with --ledger"
            : "run this as root, or name a place that you may write with --ledger");
    }
    return GH_EXIT_DONE;
}

/* The store's head names the ledger in use, and workers with another one serve nothing. */
static int
name_it(const gh_init_t *init, gh_store_t *store, const gh_ledger_t *ledger)
{
    gh_error_t error = { 0 };

    if (memcmp(gh_ledger_header(ledger)->id, gh_store_ledger_id(store), 16) == 0
        || gh_store_name_ledger(store, gh_ledger_header(ledger)->id, gh_cli_now_ms(), &error) == GH_OK)
    {
        return GH_EXIT_DONE;
    }
    return gh_cli_fail_store(init->cli, &error);
}

/* One init at a time: what another one makes meanwhile is neither removed nor half there. Until the directory is closed. */
static int
lock_directory(const gh_cli_t *cli, int directory, const char *path)
{
    struct timespec pause = { 0, 10000000 };

    for (unsigned i = 0; flock(directory, LOCK_EX | LOCK_NB) == -1; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return gh_cli_fail(cli, "cannot lock the directory of %s: %s", path, strerror(errno));
        }
        if (i == LOCK_LOOKS) {
            return gh_cli_fail(cli, "another process holds the lock on the directory of %s, and does not end", path);
        }
        nanosleep(&pause, NULL);
    }
    return GH_EXIT_DONE;
}

static int
make_file(gh_init_t *init, gh_store_t *store, const char *path)
{
    gh_cli_owner_t owner = { init->uid, init->gid, path, 0660 };
    gh_ledger_t   *ledger = NULL;
    gh_error_t     error = { 0 };
    struct statfs  fs;
    const char    *name;
    uint64_t       revision;
    int            directory, status;

    if (gh_store_revision_number(store, &revision, &error) != GH_OK) {
        return gh_cli_fail_store(init->cli, &error);
    }
    status = make_directory(init, path, &directory, &name);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    status = lock_directory(init->cli, directory, path);
    if (status != GH_EXIT_DONE) {
        close(directory);
        return status;
    }
    status = look_at(init->cli, path, store, &ledger);
    if (status == GH_EXIT_DONE && ledger == NULL) {
        status = make(init, path, store, &init->ledger_made, &ledger);
    }
    if (status == GH_EXIT_DONE && gh_cli_own_file(directory, name, &owner, &error) != GH_OK) {
        status = gh_cli_fail_error(init->cli, &error);
    }
    if (status == GH_EXIT_DONE) {
        status = name_it(init, store, ledger);
        init->ledger_has = gh_ledger_size(ledger);
        init->ledger_on_disk = fstatfs(directory, &fs) == 0 && fs.f_type != TMPFS;
    }
    gh_ledger_close(ledger);
    close(directory);
    return status;
}

int
gh_init_ledger(gh_init_t *init)
{
    gh_store_options_t options = { .home = init->home, .writable = true };
    gh_error_t         error = { 0 };
    gh_store_t        *store;
    unsigned           tries = 0;
    int                status;

    init->ledger = gh_cli_ledger(init->cli);
    memcpy(options.key, init->key, sizeof(options.key));
    do {
        store = gh_store_open(&options, &error);
    } while (store == NULL && gh_cli_again(&error, &tries));
    explicit_bzero(options.key, sizeof(options.key));
    if (store == NULL) {
        return gh_cli_fail_store(init->cli, &error);
    }
    status = make_file(init, store, init->ledger);
    gh_store_close(store);
    return status;
}
