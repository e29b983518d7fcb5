#include "policy/agent/credential_hand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"

#define MODE       0640
#define AHEAD_MS   300000u
#define AGAIN_MS   60000u        /* what has no end */
#define WHY_MAX    2048u
#define OWN_MAX  80u

/* -1 with *error. What others may read or write holds no secret. */
static int
open_directory(const char *directory, gid_t *group, gh_error_t *error)
{
    struct stat info;
    int         fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        gh_error_set(error, "hand_over", "the credentials directory %s cannot be opened: %s", directory, strerror(errno));
        return -1;
    }
    if (fstat(fd, &info) != 0 || (info.st_mode & 07) != 0) {
        gh_error_set(error, "hand_over", "others may read or write the credentials directory %s (mode %04o): chmod 0750 %s", directory,
            (unsigned) (info.st_mode & 07777), directory);
        close(fd);
        return -1;
    }
    *group = info.st_gid;
    return fd;
}

static int
fail(const char *what, const char *name, gh_error_t *error)
{
    return gh_error_set(error, "hand_over", "%s %s: %s", what, name, strerror(errno));
}

static bool
write_all(int fd, gh_str_t text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.data, text.len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text.data += n;
        text.len -= (size_t) n;
    }
    return true;
}

/* Complete under its name, or not there. */
static int
replace(int directory, gid_t group, const char *name, gh_str_t text, gh_error_t *error)
{
    char        fresh[OWN_MAX + 16];
    struct stat info;
    int         fd, rc = GH_OK;

    snprintf(fresh, sizeof(fresh), ".%s.new", name);
    if (unlinkat(directory, fresh, 0) != 0 && errno != ENOENT) {
        return fail("nothing can be removed in the credentials directory,", fresh, error);
    }
    fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd == -1) {
        return fail("nothing can be written to the credentials directory,", fresh, error);
    }
    if (fstat(fd, &info) != 0 || (info.st_gid != group && fchown(fd, (uid_t) -1, group) != 0)) {
        rc = fail("the group of the workers cannot be given to", fresh, error);
    } else if (!write_all(fd, text) || !write_all(fd, GH_STR("\n")) || fchmod(fd, MODE) != 0 || fsync(fd) != 0) {
        rc = fail("the disk does not take", fresh, error);
    } else if (renameat(directory, fresh, directory, name) != 0 || fsync(directory) != 0) {
        rc = fail("it cannot be renamed into place,", name, error);
    }
    close(fd);
    if (rc != GH_OK) {
        (void) unlinkat(directory, fresh, 0);
    }
    return rc;
}

int
gh_credential_put(const char *directory, const char *file, gh_str_t text, gh_error_t *error)
{
    gid_t group;
    int   rc, fd = open_directory(directory, &group, error);

    if (fd == -1) {
        return GH_ERROR;
    }
    rc = replace(fd, group, file, text, error);
    close(fd);
    return rc;
}

/* Is that what the file has, with a mode that is right? */
static bool
same(int directory, gid_t group, const char *name, gh_str_t text)
{
    char        found[GH_CREDENTIAL_MAX + 2];
    struct stat info;
    ssize_t     n = -1;
    int         fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool        is;

    if (fd == -1) {
        return false;
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        n = read(fd, found, sizeof(found));
    }
    close(fd);
    is = n == (ssize_t) text.len + 1 && memcmp(found, text.data, text.len) == 0 && (info.st_mode & 07777) == MODE && info.st_gid == group;
    explicit_bzero(found, sizeof(found));
    return is;
}

static bool
name_fits(gh_str_t name)
{
    return name.len != 0 && name.len < OWN_MAX && name.data[0] != '.' && memchr(name.data, '/', name.len) == NULL && memchr(name.data, '\0', name.len) == NULL;
}

int
gh_credential_hand(gh_arena_t *arena, const char *directory, gh_str_t name, const gh_credential_t *credential, bool *changed, gh_error_t *error)
{
    char            own[OWN_MAX];
    gh_str_t        text;
    gh_credential_t again;
    gid_t           group;
    int             fd, rc;

    *changed = false;
    if (!name_fits(name)) {
        return gh_error_set(error, "hand_over", "a credential cannot have this name");
    }
    snprintf(own, sizeof(own), "%.*s", GH_STR_ARG(name));
    /* what the workers would refuse is refused here */
    if (gh_credential_write(arena, credential, &text, error) != GH_OK || gh_credential_read(arena, text, &again, error) != GH_OK) {
        return GH_ERROR;
    }
    fd = open_directory(directory, &group, error);
    if (fd == -1) {
        return GH_ERROR;
    }
    *changed = !same(fd, group, own, text);
    rc = *changed ? replace(fd, group, own, text, error) : GH_OK;
    *changed = *changed && rc == GH_OK;
    close(fd);
    explicit_bzero((char *) (uintptr_t) text.data, text.len);
    return rc;
}

static int
read_handed(gh_arena_t *arena, const char *directory, gh_str_t name, gh_str_t *text, gh_error_t *error)
{
    gh_str_t path = gh_str_format(arena, "%s/%.*s", directory, GH_STR_ARG(name));

    if (!name_fits(name) || path.data == NULL) {
        return gh_error_set(error, "hand_over", "a credential cannot have this name");
    }
    return gh_secret_file(arena, path.data, "the credential", false, text, error);
}

int
gh_credential_handed(gh_arena_t *arena, const char *directory, gh_str_t name, gh_credential_t *credential, gh_error_t *error)
{
    gh_str_t text;

    return read_handed(arena, directory, name, &text, error) == GH_OK ? gh_credential_read(arena, gh_token_trim(text), credential, error) : GH_ERROR;
}

bool
gh_credential_withdraw(gh_arena_t *arena, const char *directory, gh_str_t name, bool ending)
{
    gh_str_t        path = gh_str_format(arena, "%s/%.*s", directory, GH_STR_ARG(name)), text;
    gh_credential_t credential;
    gh_error_t      error = { 0 };
    bool            goes;

    if (path.data == NULL || read_handed(arena, directory, name, &text, &error) != GH_OK) {
        return false;
    }
    goes = ending || gh_credential_read(arena, gh_token_trim(text), &credential, &error) != GH_OK || credential.expires_ms == 0;
    explicit_bzero((char *) (uintptr_t) text.data, text.len);
    return goes && unlink(path.data) == 0;
}

/* ---- why it cannot be fetched ---- */

int
gh_credential_why_write(gh_arena_t *arena, const char *directory, gh_str_t name, const gh_credential_why_t *why, gh_error_t *error)
{
    char             own[OWN_MAX + 8], *buffer = gh_arena_alloc(arena, WHY_MAX);
    gh_json_writer_t w;
    gid_t            group;
    int              fd, rc = GH_OK;

    if (buffer == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (!name_fits(name)) {
        return gh_error_set(error, "hand_over", "a credential cannot have this name");
    }
    fd = open_directory(directory, &group, error);
    if (fd == -1) {
        return GH_ERROR;
    }
    snprintf(own, sizeof(own), ".%.*s.why", GH_STR_ARG(name));
    if (why->code[0] == '\0') {
        if (unlinkat(fd, own, 0) != 0 && errno != ENOENT) {
            rc = fail("it cannot be removed,", own, error);
        }
        close(fd);
        return rc;
    }
    gh_json_writer_init(&w, buffer, WHY_MAX);
    gh_json_begin_object(&w);
    gh_json_kv_string(&w, "code", gh_str_from(why->code));
    gh_json_kv_string(&w, "error", gh_str_from(why->text));
    gh_json_kv_u64(&w, "since_ms", why->since_ms);
    gh_json_kv_u64(&w, "tried_ms", why->tried_ms);
    gh_json_kv_u64(&w, "failures", why->failures);
    gh_json_end_object(&w);
    rc = gh_json_writer_ok(&w) ? replace(fd, group, own, (gh_str_t) { buffer, w.len }, error) : gh_error_set(error, "hand_over", "the reason is too long");
    close(fd);
    return rc;
}

void
gh_credential_why_read(gh_arena_t *arena, const char *directory, gh_str_t name, gh_credential_why_t *why)
{
    gh_str_t         path = gh_str_format(arena, "%s/.%.*s.why", directory, GH_STR_ARG(name)), text;
    gh_error_t       error = { 0 };
    gh_node_t       *root;
    const gh_node_t *code, *said, *since, *tried, *failures;

    memset(why, 0, sizeof(*why));
    if (path.data == NULL || gh_secret_file(arena, path.data, "the reason", false, &text, &error) != GH_OK
        || gh_json_parse(arena, text, path.data, &root, &error) != GH_OK || root->type != GH_NODE_OBJECT)
    {
        return;
    }
    code = gh_node_get(root, "code");
    said = gh_node_get(root, "error");
    since = gh_node_get(root, "since_ms");
    tried = gh_node_get(root, "tried_ms");
    failures = gh_node_get(root, "failures");
    if (code == NULL || code->type != GH_NODE_STRING || said == NULL || said->type != GH_NODE_STRING || since == NULL || tried == NULL || failures == NULL
        || gh_node_u64(since, &why->since_ms) != GH_OK || gh_node_u64(tried, &why->tried_ms) != GH_OK || gh_node_u64(failures, &why->failures) != GH_OK)
    {
        memset(why, 0, sizeof(*why));
        return;
    }
    snprintf(why->code, sizeof(why->code), "%.*s", GH_STR_ARG(code->text));
    snprintf(why->text, sizeof(why->text), "%.*s", GH_STR_ARG(said->text));
}

void
gh_credential_why_add(gh_credential_why_t *why, const gh_error_t *error, uint64_t now_ms)
{
    if (why->code[0] == '\0') {
        why->since_ms = now_ms;
        why->failures = 0;
    }
    snprintf(why->code, sizeof(why->code), "%s", error->code);
    snprintf(why->text, sizeof(why->text), "%s", error->text);
    why->tried_ms = now_ms;
    why->failures++;
}

/* ---- when ---- */

uint64_t
gh_credential_due(uint64_t now_ms, uint64_t expires_ms, uint64_t refresh_ms, uint64_t random)
{
    uint64_t life, due, chance;

    if (expires_ms == 0) {
        return now_ms + AGAIN_MS - random % (AGAIN_MS / 20);
    }
    life = expires_ms > now_ms ? expires_ms - now_ms : 0;
    chance = life >= 20 ? random % (life / 20) : 0;
    due = refresh_ms > now_ms && refresh_ms < expires_ms ? refresh_ms : now_ms + life * 2 / 3;
    if (life >= 2 * AHEAD_MS && due > expires_ms - AHEAD_MS) {
        due = expires_ms - AHEAD_MS;
    }
    due = due - chance > now_ms ? due - chance : due;
    return due > now_ms + 1000 ? due : now_ms + 1000;
}
