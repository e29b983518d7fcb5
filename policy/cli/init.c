/*
 * `gatehouse init`: the only thing that makes the home, the secrets directory, the store and its key. Running it again
 * repairs owners and modes and replaces nothing.
 *
 *   HOME                user:group 0750      HOME/store          user:group 2750
 *   HOME/store/data.mdb user:group 0640      HOME/store/lock.mdb user:group 0660
 *   HOME/store/identity user:group 0640
 *   HOME/audit          user:group 0750      HOME/audit/open     user:group 2770
 *   HOME/audit/sealed   user:group 0750      HOME/cred, its files user:group 2750, 0640
 *   HOME/agent, keys    user:group 2750, what the agent hands to the workers
 *   SECRETS             root:<user's group> 0750, store.key 0640
 *   LEDGER              user:group 0660
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/cli/init.h"
#include "policy/cli/ledger.h"
#include "policy/cli/policy.h"
#include "policy/store/store.h"
#include "policy/store/store_write.h"

static int
find_user(gh_init_t *init)
{
    const char    *name = gh_cli_value(init->cli, "user");
    struct passwd *entry;

    if (name == NULL && geteuid() != 0) {
        entry = getpwuid(geteuid());
        init->user = entry ? gh_str_copy(init->cli->arena, gh_str_from(entry->pw_name)).data : "the current user";
        init->uid = geteuid();
        init->secrets_uid = geteuid();
        init->secrets_gid = getegid();
        return GH_EXIT_DONE;
    }

    init->user = name ? name : GH_CLI_USER;
    entry = getpwnam(init->user);

    if (entry == NULL) {
        gh_cli_fail(init->cli, "there is no user \"%s\"", init->user);
        gh_cli_advise("useradd --system --user-group --no-create-home --shell /usr/sbin/nologin %s", init->user);
        gh_cli_advise("or name another one with --user");
        return GH_EXIT_ERROR;
    }

    if (geteuid() != 0 && entry->pw_uid != geteuid()) {
        gh_cli_fail(init->cli, "only root can give files to another user than the one who runs this command");
        gh_cli_advise("run it as root, or without --user");
        return GH_EXIT_ERROR;
    }

    init->uid = entry->pw_uid;
    init->secrets_uid = geteuid();
    init->secrets_gid = geteuid() == 0 ? entry->pw_gid : getegid();

    return GH_EXIT_DONE;
}

static int
find_group(gh_init_t *init)
{
    const char   *name = gh_cli_value(init->cli, "group");
    struct group *entry;

    if (name == NULL && geteuid() != 0) {
        entry = getgrgid(getegid());
        init->group = entry ? gh_str_copy(init->cli->arena, gh_str_from(entry->gr_name)).data : "the current group";
        init->gid = getegid();
        return GH_EXIT_DONE;
    }

    init->group = name ? name : GH_CLI_GROUP;
    entry = getgrnam(init->group);

    if (entry == NULL) {
        gh_cli_fail(init->cli, "there is no group \"%s\"", init->group);
        gh_cli_advise("name the group that nginx's workers run with: --group GROUP");
        gh_cli_advise("or make it: groupadd --system %s", init->group);
        return GH_EXIT_ERROR;
    }
    init->gid = entry->gr_gid;

    return GH_EXIT_DONE;
}

/* Names that may stand in a home already; anything else shows that the directory is something else. */
static bool
home_entry_ok(const char *name)
{
    static const char *const ours[] = { ".", "..", "store", "audit", "cred", "agent", "ledger", "ledger.ckpt", "ledger.ckpt.new", "lost+found" };

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(name, ours[i]) == 0) {
            return true;
        }
    }

    return false;
}

static bool
secrets_entry_ok(const char *name)
{
    size_t len = strlen(name);

    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (len > 5 && strcmp(name + len - 5, ".json") == 0);
}

/*
 * Owner and mode of an existing directory are changed only when it looks like ours: `--home /var/lib` or
 * `--secrets /etc` must not take a system's directory away from it. mark: an entry whose presence settles it;
 * documents and directories may stand beside a key that is still to be made.
 */
static int
check_ours(gh_init_t *init, const char *path, const char *option, const char *mark, bool directories_ok,
    bool (*entry_ok)(const char *))
{
    struct stat    root, info;
    struct dirent *entry;
    const char    *strange = NULL;
    DIR           *stream;
    bool           marked = false;

    if (stat(path, &info) == 0 && stat("/", &root) == 0 && info.st_ino == root.st_ino && info.st_dev == root.st_dev) {
        return gh_cli_fail(init->cli, "--%s cannot be the root directory", option);
    }

    stream = opendir(path);
    if (stream == NULL) {
        return GH_EXIT_DONE;    /* missing, or making it says why not */
    }

    while ((entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, mark) == 0) {
            marked = true;
        }
        if (strange == NULL && !entry_ok(entry->d_name) && !(directories_ok && entry->d_type == DT_DIR)) {
            strange = gh_str_copy(init->cli->arena, gh_str_from(entry->d_name)).data;
        }
    }
    closedir(stream);

    if (marked || strange == NULL) {
        return GH_EXIT_DONE;
    }

    gh_cli_fail(init->cli, "%s holds other things already (%s), so its owner and mode are not changed", path, strange);
    gh_cli_advise("name a directory of Gatehouse's own with --%s, for example %s/gatehouse", option, path);

    return GH_EXIT_ERROR;
}

/* A failed directory: the reason, and what to do about the usual ones. */
static int
fail_directory(const gh_init_t *init, const char *path, const gh_error_t *error)
{
    gh_cli_fail_error(init->cli, error);

    if (strcmp(error->code, "no_parent") == 0) {
        gh_cli_advise("make the directory above %s first, or name another place", path);

    } else if (geteuid() != 0) {
        gh_cli_advise("run this as root, or name places that you may write with --home and --secrets");
    }

    return GH_EXIT_ERROR;
}

static const char *
join(const gh_init_t *init, const char *directory, const char *name)
{
    gh_str_t text = gh_str_format(init->cli->arena, "%s/%s", directory, name);

    return text.data ? text.data : name;
}

/* Opens or makes HOME/NAME..., -1 after a message. */
static int
home_directory(const gh_init_t *init, int parent, const char *name, const char *shown, mode_t mode)
{
    gh_cli_owner_t owner = { init->uid, init->gid, join(init, init->home, shown), mode };
    gh_error_t     error = { 0 };
    bool           made;
    int            fd = gh_cli_make_directory(parent, name, &owner, &made, &error);

    if (fd == -1) {
        fail_directory(init, owner.name, &error);
    }

    return fd;
}

static int
own_if_there(const gh_init_t *init, int directory, const char *name, const char *shown, mode_t mode)
{
    gh_cli_owner_t owner = { init->uid, init->gid, join(init, init->home, shown), mode };
    gh_error_t     error = { 0 };

    if (faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT) {
        return GH_EXIT_DONE;
    }

    return gh_cli_own_file(directory, name, &owner, &error) == GH_OK ? GH_EXIT_DONE
                                                                     : gh_cli_fail_error(init->cli, &error);
}

static int
own_store_files(const gh_init_t *init, int store)
{
    int status = own_if_there(init, store, "data.mdb", "store/data.mdb", 0640);

    status = status != GH_EXIT_DONE ? status : own_if_there(init, store, "identity", "store/identity", 0640);

    return status != GH_EXIT_DONE ? status : own_if_there(init, store, "lock.mdb", "store/lock.mdb", 0660);
}

/* SECRETS and store.key. A store without its key is never given a new one: nothing in it could be read again. */
static int
make_secrets(gh_init_t *init)
{
    gh_cli_owner_t directory_owner = { init->secrets_uid, init->secrets_gid, init->secrets, 0750 };
    gh_cli_owner_t key_owner = { init->secrets_uid, init->secrets_gid, join(init, init->secrets, "store.key"), 0640 };
    gh_error_t     error = { 0 };
    uint8_t        fresh[GH_INIT_KEY_BYTES];
    bool           made;
    int            fd, status = GH_EXIT_DONE;

    fd = gh_cli_make_directory(AT_FDCWD, init->secrets, &directory_owner, &made, &error);
    if (fd == -1) {
        return fail_directory(init, init->secrets, &error);
    }

    if (faccessat(fd, "store.key", F_OK, AT_SYMLINK_NOFOLLOW) == -1
        && access(join(init, init->home, "store/data.mdb"), F_OK) == 0)
    {
        gh_cli_fail(init->cli, "%s is missing, but %s/store/data.mdb was made with it and cannot be read without it",
            key_owner.name, init->home);
        gh_cli_advise("bring the key back from a copy; to begin with an empty store, move %s/store away", init->home);
        close(fd);
        return GH_EXIT_ERROR;
    }

    if (getrandom(fresh, sizeof(fresh), 0) != (ssize_t) sizeof(fresh)) {
        status = gh_cli_fail(init->cli, "the system gives no random bytes: %s", strerror(errno));

    } else if (gh_cli_create_file(fd, "store.key", fresh, sizeof(fresh), &key_owner, &init->key_made, &error) != GH_OK
        || gh_cli_own_file(fd, "store.key", &key_owner, &error) != GH_OK
        || gh_store_key_read(key_owner.name, init->key, &error) != GH_OK)
    {
        status = gh_cli_fail_error(init->cli, &error);
    }

    explicit_bzero(fresh, sizeof(fresh));
    close(fd);

    return status;
}

static int
make_store(gh_init_t *init, int home)
{
    gh_error_t error = { 0 };
    uint8_t    id[16];
    int        fd, status;

    if (getrandom(id, sizeof(id), 0) != (ssize_t) sizeof(id)) {
        return gh_cli_fail(init->cli, "the system gives no random bytes: %s", strerror(errno));
    }
    fd = home_directory(init, home, "store", "store", 02750);
    if (fd == -1) {
        return GH_EXIT_ERROR;
    }

    init->store_made = faccessat(fd, "data.mdb", F_OK, AT_SYMLINK_NOFOLLOW) == -1;
    if (init->store_made && faccessat(fd, "identity", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        gh_cli_fail(init->cli, "%s/store/data.mdb is gone: a policy store was there, as %s/store/identity says", init->home, init->home);
        gh_cli_advise("gatehouse restore FILE%s   puts a backup in force", gh_cli_store_words(init->cli));
        gh_cli_advise("or, to begin with an empty store, move %s/store away first: every API key is then gone", init->home);
        close(fd);
        return GH_EXIT_ERROR;
    }

    status = own_store_files(init, fd);
    if (status == GH_EXIT_DONE) {
        status = gh_store_create(init->home, init->key, id, &error) == GH_OK ? own_store_files(init, fd)
                                                                         : gh_cli_fail_error(init->cli, &error);
    }

    fsync(fd);
    close(fd);

    return status;
}

static int
make_audit(const gh_init_t *init, int home)
{
    int audit, open_directory, sealed, status;

    audit = home_directory(init, home, "audit", "audit", 0750);
    if (audit == -1) {
        return GH_EXIT_ERROR;
    }

    open_directory = home_directory(init, audit, "open", "audit/open", 02770);
    sealed = home_directory(init, audit, "sealed", "audit/sealed", 0750);
    status = open_directory == -1 || sealed == -1 ? GH_EXIT_ERROR : GH_EXIT_DONE;

    if (open_directory != -1) {
        close(open_directory);
    }
    if (sealed != -1) {
        close(sealed);
    }
    close(audit);

    return status;
}

/* A credential that root put here with its own owner is one that no worker can read. */
static int
make_credentials(const gh_init_t *init, int home)
{
    struct dirent *entry;
    DIR           *stream;
    int            fd, status = GH_EXIT_DONE;

    fd = home_directory(init, home, "cred", "cred", 02750);
    if (fd == -1) {
        return GH_EXIT_ERROR;
    }

    stream = fdopendir(fd);
    if (stream == NULL) {
        close(fd);
        return gh_cli_fail(init->cli, "cannot read %s/cred: %s", init->home, strerror(errno));
    }

    while (status == GH_EXIT_DONE && (entry = readdir(stream)) != NULL) {
        struct stat info;

        if (entry->d_name[0] != '.' && fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0
            && S_ISREG(info.st_mode))
        {
            gh_str_t shown = gh_str_format(init->cli->arena, "cred/%s", entry->d_name);

            status = own_if_there(init, fd, entry->d_name, shown.data ? shown.data : "cred", 0640);
        }
    }
    closedir(stream);

    return status;
}

/* Where the agent hands over to the workers what it fetched: in its directories files have the workers' group. */
static int
make_agent(const gh_init_t *init, int home)
{
    int agent, keys;

    agent = home_directory(init, home, "agent", "agent", 02750);
    if (agent == -1) {
        return GH_EXIT_ERROR;
    }
    keys = home_directory(init, agent, "keys", "agent/keys", 02750);
    close(agent);
    if (keys == -1) {
        return GH_EXIT_ERROR;
    }
    close(keys);

    return GH_EXIT_DONE;
}

static int
make_home(gh_init_t *init)
{
    gh_cli_owner_t owner = { init->uid, init->gid, init->home, 0750 };
    gh_error_t     error = { 0 };
    bool           made;
    int            fd, status;

    fd = gh_cli_make_directory(AT_FDCWD, init->home, &owner, &made, &error);
    if (fd == -1) {
        return fail_directory(init, init->home, &error);
    }

    status = make_secrets(init);
    if (status == GH_EXIT_DONE) {
        status = make_store(init, fd);
    }
    if (status == GH_EXIT_DONE) {
        status = gh_init_ledger(init);
    }
    if (status == GH_EXIT_DONE) {
        status = make_audit(init, fd);
    }
    if (status == GH_EXIT_DONE) {
        status = make_credentials(init, fd);
    }
    if (status == GH_EXIT_DONE) {
        status = make_agent(init, fd);
    }

    close(fd);

    return status;
}

/* Where the counters of a new ledger are from. */
static void
print_counters(const gh_init_t *init)
{
    const gh_replay_told_t *replayed = &init->replayed;

    if (init->checkpoint != NULL) {
        printf("%s: of %s; %" PRIu64 " reservations in it are charged in full\n", init->checkpoint,
            gh_cli_time_text(init->cli->arena, init->checkpoint_ms), replayed->open);
    }
    if (replayed->requests != 0) {
        printf("record: %" PRIu64 " requests since are charged, %" PRIu64 " of them what they had reserved, for want of an outcome\n", replayed->requests,
            replayed->unfinished);
    }
    if (init->checkpoint != NULL || replayed->requests != 0) {
        printf("%" PRIu64 " counters are not zero\n", replayed->counters);
    }
    if (replayed->damaged != 0) {
        gh_cli_say("note: %" PRIu64 " damaged lines of the record were left out", replayed->damaged);
    }
}

static int
print(const gh_init_t *init)
{
    const gh_cli_t *cli = init->cli;

    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, json_pack("{s:s, s:b, s:s, s:s, s:s+, s:b, s:s, s:b, s:I, s:s*, s:I, s:I, s:I}", "home", init->home, "store_made", init->store_made,
            "user", init->user, "group", init->group, "key", init->secrets, "/store.key", "key_made", init->key_made, "ledger", init->ledger,
            "ledger_made", init->ledger_made, "ledger_size", (json_int_t) init->ledger_has, "checkpoint", init->checkpoint, "counters",
            (json_int_t) init->replayed.counters, "requests", (json_int_t) init->replayed.requests, "unfinished",
            (json_int_t) init->replayed.unfinished));
    }
    printf("%s: %s, owner %s, group %s\n", init->home, init->store_made ? "store made" : "store kept", init->user, init->group);
    printf("%s/store.key: %s\n", init->secrets, init->key_made ? "made; keep a copy, the store cannot be read without it" : "kept");
    printf("%s: %s, %s\n", init->ledger, init->ledger_made ? "made" : "kept", gh_cli_size_text(cli->arena, init->ledger_has));
    print_counters(init);
    if (!init->ledger_made && gh_cli_value(cli, "ledger-size") != NULL && init->ledger_size > init->ledger_has) {
        gh_cli_say("note: to make it larger: gatehouse ledger grow %s%s", gh_cli_value(cli, "ledger-size"), gh_cli_store_words(cli));
    }
    if (init->ledger_made && init->ledger_on_disk && geteuid() == 0) {
        gh_cli_say("note: %s is not on a tmpfs, where it never waits for a disk", init->ledger);
    }
    if (init->store_made) {
        printf("next: gatehouse policy apply DIR%s\n", gh_cli_store_words(cli));
    }

    return gh_cli_flush(cli);
}

/* --ledger-size. */
static int
find_size(gh_init_t *init)
{
    const char *text = gh_cli_value(init->cli, "ledger-size");

    init->ledger_size = GH_LEDGER_SIZE_DEFAULT;
    if (text == NULL) {
        return GH_EXIT_DONE;
    }
    if (gh_cli_size_parse(text, &init->ledger_size) != GH_OK) {
        return gh_cli_misuse(init->cli, "--ledger-size: %s is no size: 64m, 1g, 512k or bytes are", text);
    }
    if (init->ledger_size < GH_LEDGER_SIZE_MIN || init->ledger_size > GH_LEDGER_SIZE_MAX) {
        return gh_cli_misuse(init->cli, "--ledger-size: from %s to %s, not %s", gh_cli_size_text(init->cli->arena, GH_LEDGER_SIZE_MIN),
            gh_cli_size_text(init->cli->arena, GH_LEDGER_SIZE_MAX), text);
    }
    return GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    gh_init_t init = { .cli = cli, .home = gh_cli_home(cli), .secrets = gh_cli_secrets(cli) };
    int    status;

    if ((status = find_size(&init)) != GH_EXIT_DONE || (status = find_user(&init)) != GH_EXIT_DONE || (status = find_group(&init)) != GH_EXIT_DONE
        || (status = check_ours(&init, init.home, "home", "store", false, home_entry_ok)) != GH_EXIT_DONE
        || (status = check_ours(&init, init.secrets, "secrets", "store.key", true, secrets_entry_ok)) != GH_EXIT_DONE
        || (status = make_home(&init)) != GH_EXIT_DONE)
    {
        explicit_bzero(init.key, sizeof(init.key));
        return status;
    }
    explicit_bzero(init.key, sizeof(init.key));

    return print(&init);
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
    { "ledger-size", "SIZE", "of a ledger that is made: 64m, 1g or bytes (default: 64m)", false },
    { "checkpoint", "FILE", "of the counters of a ledger that is made (default: HOME/ledger.ckpt)", false },
    { "audit", "DIR", "with the record written after it (default: HOME/audit); may be repeated", true },
    { "no-checkpoint", NULL, "a ledger that is made begins with counters of 0: budgets that were\nused are granted again", false },
    { "user", "USER", "who owns the home (default: gatehouse; without root: you)", false },
    { "group", "GROUP", "what nginx's workers run with (default: www-data; without\nroot: your group)", false },
    { "json", NULL, "prints an object: home, store_made, user, group, key, key_made,\nledger, ledger_made,\nledger_size (bytes), checkpoint, counters, requests, unfinished", false },
    { 0 }
};

const gh_cli_command_t gh_cli_init = {
    .name = "init",
    .usage = "[options]",
    .summary = "makes the home, the store and its key, or repairs owners and modes",
    .help =
        "Makes the gateway's home (policy store, audit directories, credentials directory) and the\n"
        "secrets directory with store.key, 32 random bytes that everything in the store is checked with.\n"
        "Makes the ledger too, in which workers say what they do: on a tmpfs, so it is to be run at each boot,\n"
        "before nginx. Running it again repairs owners and modes; a key, a store, or a ledger that workers use\n"
        "is never replaced. A ledger that is made gets its counters from the last checkpoint (`gatehouse ledger checkpoint`)\n"
        "and from the record written after it; when one of them cannot be read, none is made.\n"
        "Nothing else is made: users and groups are yours to make.",
    .options = options,
    .least = 0,
    .most = 0,
    .run = run,
};
