/* Making a backup of the store, and checking one. Putting it in force: store_restore.c. */
#include "policy/store/store_restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#define SEAL_KEY   ((gh_bytes_t) { "backup", 6 })
#define SEAL_MAGIC "GHBACKU1"

typedef struct {
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    char     magic[8];
    uint8_t  store_id[16], sha256[32];
    uint64_t data_length, revision, transaction, time_ms;
} seal_t;

static int
file_error(const char *path, const char *what, gh_error_t *error)
{
    return gh_error_at(error, errno == ENOSPC || errno == EDQUOT ? "store_full" : errno == ENOENT ? "backup_missing" : "store_denied",
        path, 0, 0, "%s: %s", what, strerror(errno));
}

/* SHA-256 of the first len bytes of a file. */
static int
digest_file(int fd, uint64_t len, uint8_t sha256[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t     buffer[65536];
    uint64_t    at = 0;
    bool        ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    while (ok && at < len) {
        size_t  want = len - at < sizeof(buffer) ? (size_t) (len - at) : sizeof(buffer);
        ssize_t n = pread(fd, buffer, want, (off_t) at);

        ok = n > 0 && EVP_DigestUpdate(context, buffer, (size_t) n) == 1;
        at += n > 0 ? (uint64_t) n : 0;
    }
    ok = ok && EVP_DigestFinal_ex(context, sha256, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok ? GH_OK : GH_ERROR;
}

gh_hmac_t *
gh_store_mac(const uint8_t key[32])
{
    uint8_t    subkey[32];
    gh_hmac_t *mac = gh_hkdf(key, 32, "store-mac", subkey, sizeof(subkey)) == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;

    memset(subkey, 0, sizeof(subkey));
    return mac;
}

/* ---- a data file that is not open as a store ---- */

static int
check_entry(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    gh_saved_t *saved = context;

    return gh_envelope_check(saved->mac, saved->db, key, value.data, value.len, error);
}

/* Every record of every database, and the head. */
static int
check_records(gh_saved_t *saved, gh_error_t *error)
{
    gh_value_t value = { 0 };
    bool       found = false;
    int        rc = GH_OK;

    for (int db = 0; db < GH_DBS && rc == GH_OK; db++) {
        saved->db = (gh_db_t) db;
        rc = gh_pages_tree(&saved->pages, gh_db_names[db], &saved->tree[db], error);
        if (rc == GH_OK) {
            rc = gh_pages_each(&saved->pages, &saved->tree[db], (gh_bytes_t) { "", 0 }, check_entry, saved, error);
        }
    }
    if (rc == GH_OK) {
        rc = gh_pages_get(&saved->pages, &saved->tree[GH_DB_HEAD], GH_HEAD_KEY, &value, &found, error);
    }
    if (rc == GH_OK && (!found || value.len != sizeof(saved->head))) {
        rc = gh_error_set(error, "store_damaged", "there is no record of the revision in force");
    }
    if (rc == GH_OK) {
        memcpy(&saved->head, value.data, sizeof(saved->head));
        if (saved->head.transaction != saved->pages.transaction) {
            rc = gh_error_set(error, "store_damaged", "the newest write is not the one it says");
        }
    }
    gh_value_free(&value);
    return rc;
}

int
gh_saved_open(gh_saved_t *saved, int fd, gh_hmac_t *mac, gh_error_t *error)
{
    uint64_t newest;

    memset(saved, 0, sizeof(*saved));
    saved->mac = mac;
    if (gh_pages_check_file(fd, error) != GH_OK || gh_pages_newest(fd, &newest, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_pages_snapshot(&saved->pages, fd, newest, error) != GH_OK || gh_pages_check_all(&saved->pages, error) != GH_OK) {
        return error->code != NULL ? GH_ERROR : gh_error_set(error, "store_damaged", "its newest write cannot be read");
    }
    return check_records(saved, error);
}

/* ---- the seal ---- */

static int
write_seal(gh_store_t *store, int fd, uint64_t now_ms, gh_backup_t *backup, gh_error_t *error)
{
    gh_saved_t  saved;
    seal_t      seal;
    struct stat st;
    uint8_t     page[GH_BACKUP_SEAL] = { 0 };

    if (fstat(fd, &st) != 0 || gh_saved_open(&saved, fd, store->mac, error) != GH_OK) {
        return GH_ERROR;
    }
    memset(&seal, 0, sizeof(seal));
    memcpy(seal.magic, SEAL_MAGIC, sizeof(seal.magic));
    memcpy(seal.store_id, saved.head.store_id, 16);
    seal.data_length = (uint64_t) st.st_size;
    seal.revision = saved.head.revision;
    seal.transaction = saved.head.transaction;
    seal.time_ms = now_ms;
    if (digest_file(fd, seal.data_length, seal.sha256) != GH_OK
        || gh_envelope_seal(store->mac, GH_DB_HEAD, SEAL_KEY, (uint8_t *) &seal, sizeof(seal)) != GH_OK)
    {
        return gh_error_set(error, "store_denied", "the backup cannot be sealed");
    }
    memcpy(page, &seal, sizeof(seal));
    if (pwrite(fd, page, sizeof(page), st.st_size) != (ssize_t) sizeof(page) || fsync(fd) != 0) {
        return gh_error_set(error, errno == ENOSPC ? "store_full" : "store_denied", "the backup cannot be written: %s", strerror(errno));
    }
    *backup = (gh_backup_t) { .revision = seal.revision, .transaction = seal.transaction, .time_ms = now_ms,
                              .bytes = seal.data_length + GH_BACKUP_SEAL };
    memcpy(backup->store_id, seal.store_id, 16);
    return GH_OK;
}

int
gh_store_backup(gh_store_t *store, const char *path, uint64_t now_ms, gh_backup_t *backup, gh_error_t *error)
{
    char fresh[1100];
    int  fd, rc, copied;

    if (snprintf(fresh, sizeof(fresh), "%s.new-XXXXXX", path) >= (int) sizeof(fresh)) {
        return gh_error_set(error, "store_denied", "the backup's name is too long");
    }
    if (access(path, F_OK) == 0) {
        return gh_error_at(error, "backup_exists", path, 0, 0, "the file is there already, and is not overwritten");
    }
    fd = mkstemp(fresh);
    if (fd < 0) {
        return file_error(path, "the backup cannot be made", error);
    }
    copied = mdb_env_copyfd(store->env, fd);
    rc = copied == 0 ? write_seal(store, fd, now_ms, backup, error) : gh_store_mdb_error(copied, "the store cannot be copied", error);
    close(fd);
    if (rc == GH_OK && link(fresh, path) != 0) {
        rc = errno == EEXIST ? gh_error_at(error, "backup_exists", path, 0, 0, "the file is there already, and is not overwritten")
            : file_error(path, "the backup cannot be made", error);
    }
    unlink(fresh);
    return rc;
}

int
gh_backup_open(const char *path, gh_hmac_t *mac, int *fd, gh_saved_t *saved, gh_backup_t *backup, gh_error_t *error)
{
    struct stat st;
    seal_t      seal;
    uint8_t     sha256[32];

    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        return file_error(path, "the backup cannot be opened", error);
    }
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t) GH_BACKUP_SEAL
        || pread(*fd, &seal, sizeof(seal), st.st_size - (off_t) GH_BACKUP_SEAL) != (ssize_t) sizeof(seal)
        || memcmp(seal.magic, SEAL_MAGIC, sizeof(seal.magic)) != 0)
    {
        return gh_error_at(error, "backup_damaged", path, 0, 0, "the file is no backup of a policy store, or was cut short");
    }
    if (gh_envelope_check(mac, GH_DB_HEAD, SEAL_KEY, (uint8_t *) &seal, sizeof(seal), error) != GH_OK) {
        return gh_error_at(error, "backup_damaged", path, 0, 0, "the backup's seal does not match: it was changed, or made with another store.key");
    }
    if (seal.data_length != (uint64_t) st.st_size - GH_BACKUP_SEAL || digest_file(*fd, seal.data_length, sha256) != GH_OK
        || memcmp(sha256, seal.sha256, 32) != 0)
    {
        return gh_error_at(error, "backup_damaged", path, 0, 0, "the backup was changed: its bytes do not match its seal");
    }
    if (gh_saved_open(saved, *fd, mac, error) != GH_OK) {
        return gh_error_at(error, "backup_damaged", path, 0, 0, "the backup cannot be used: %s", error->text);
    }
    *backup = (gh_backup_t) { .revision = seal.revision, .transaction = seal.transaction, .time_ms = seal.time_ms,
                              .bytes = (uint64_t) st.st_size };
    memcpy(backup->store_id, seal.store_id, 16);
    return GH_OK;
}

int
gh_backup_check(const char *path, const uint8_t key[32], gh_backup_t *backup, gh_error_t *error)
{
    gh_hmac_t *mac = gh_store_mac(key);
    gh_saved_t saved;
    int        fd = -1, rc;

    rc = mac == NULL ? gh_error_set(error, "store_denied", "the store's key cannot be used: OpenSSL failed")
        : gh_backup_open(path, mac, &fd, &saved, backup, error);
    if (fd >= 0) {
        close(fd);
    }
    gh_hmac_free(mac);
    return rc;
}
