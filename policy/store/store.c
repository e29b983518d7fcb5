/* Opening the store, its snapshots, the image in force. Who presents a key: store_identify.c. */
#include "policy/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK_NEWEST_MS  1000u
#define CHECK_READERS_MS 60000u
#define RENEW_TRIES      100

const char gh_head_key[] = "current";

int
gh_store_key_read(const char *path, uint8_t key[32], gh_error_t *error)
{
    struct stat st;
    uint8_t     bytes[33];
    ssize_t     n;
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        return gh_error_at(error, errno == ENOENT ? "store_missing" : "store_denied", path, 0, 0,
            "the store's key cannot be opened: %s; \"gatehouse init\" makes it and repairs its owner and mode", strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return gh_error_at(error, "store_denied", path, 0, 0, "the store's key is not a regular file");
    }
    if ((st.st_mode & 07) != 0) {
        close(fd);
        return gh_error_at(error, "store_denied", path, 0, 0,
            "the store's key may be read or written by everybody (mode %03o); \"gatehouse init\" repairs it, then make a new one "
            "if others had access", (unsigned) st.st_mode & 0777);
    }
    n = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (n != 32) {
        return gh_error_at(error, "store_damaged", path, 0, 0, "the store's key must have exactly 32 bytes, it has %s",
            n < 0 ? "none that can be read" : n > 32 ? "more" : "fewer");
    }
    memcpy(key, bytes, 32);
    return GH_OK;
}

void
gh_store_key_u64(uint64_t number, uint8_t key[8])
{
    for (int i = 0; i < 8; i++) {
        key[i] = (uint8_t) (number >> (56 - 8 * i));
    }
}

int
gh_store_blame(const gh_store_t *store, gh_error_t *error)
{
    if (error != NULL && error->source[0] == '\0') {
        snprintf(error->source, sizeof(error->source), "%.255s", store->data_path);
    }
    return GH_ERROR;
}

int
gh_store_mdb_error(int rc, const char *what, gh_error_t *error)
{
    const char *code = "store_damaged";

    switch (rc) {
    case EACCES:
    case EPERM:
    case EROFS:
        code = "store_denied";
        break;
    case ENOENT:
        code = "store_missing";
        break;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
        code = "store_full";
        break;
    case MDB_VERSION_MISMATCH:
        code = "store_version";
        break;
    case MDB_READERS_FULL:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
        code = "store_busy";
        break;
    }
    return gh_error_set(error, code, "%s: %s", what, mdb_strerror(rc));
}

static int
in_place(const char *path, dev_t device, ino_t inode, struct stat *st, gh_error_t *error)
{
    if (stat(path, st) != 0) {
        return gh_error_at(error, "store_replaced", path, 0, 0, "the store's %s is gone: %s", strrchr(path, '/') + 1, strerror(errno));
    }
    if (st->st_dev != device || st->st_ino != inode) {
        return gh_error_at(error, "store_replaced", path, 0, 0,
            "the store's %s was replaced by another one while it was in use: restart what uses it", strrchr(path, '/') + 1);
    }
    return GH_OK;
}

/* lock.mdb too: whoever has another one of it sees no edit made through this one, and waits for none. */
static int
both_in_place(const gh_store_t *store, struct stat *data, gh_error_t *error)
{
    struct stat lock;

    return in_place(store->data_path, store->device, store->inode, data, error) == GH_OK ?
        in_place(store->lock_path, store->lock_device, store->lock_inode, &lock, error) : GH_ERROR;
}

int
gh_store_in_place(const gh_store_t *store, gh_error_t *error)
{
    struct stat st;

    return both_in_place(store, &st, error);
}

/* Once a second: the file was not overwritten with an older one. */
static int
check_newest(gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    uint64_t newest;

    if (store->checked_ms != 0 && now_ms >= store->checked_ms && now_ms - store->checked_ms < CHECK_NEWEST_MS) {
        return GH_OK;
    }
    if (gh_pages_newest(store->fd, &newest, error) != GH_OK) {
        return GH_ERROR;
    }
    if (newest < store->pages.transaction) {
        return gh_error_set(error, "store_damaged",
            "the store's file was overwritten with an older one while it was in use: restart what uses it");
    }
    store->checked_ms = now_ms == 0 ? 1 : now_ms;
    return GH_OK;
}

/*
 * Before LMDB looks at its map: a file cut short under it would be a SIGBUS, and one that has lost its place an old policy that no edit
 * reaches. Asked of the paths, not of the descriptor: another name of the file (a hard link) keeps it alive behind a restore.
 */
static int
check_file(const gh_store_t *store, gh_error_t *error)
{
    struct stat st;

    if (both_in_place(store, &st, error) != GH_OK) {
        return GH_ERROR;
    }
    if ((uint64_t) st.st_size < store->pages.page_count * store->pages.page_size) {
        return gh_error_set(error, "store_damaged", "the store's file was truncated to %lld bytes", (long long) st.st_size);
    }
    return GH_OK;
}

/* Four look-ups of a path a request, or one for all requests of a millisecond. */
static int
check_places(gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    if (store->edits != 0 && store->seen_edits == store->edits && store->seen_ms == now_ms) {
        return GH_OK;
    }
    store->seen_edits = 0;
    if (check_file(store, error) != GH_OK || check_newest(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    store->seen_edits = store->edits;
    store->seen_ms = now_ms;
    return GH_OK;
}

static int
renew(gh_store_t *store, MDB_txn **reader, gh_error_t *error)
{
    int rc = *reader == NULL ? mdb_txn_begin(store->env, NULL, MDB_RDONLY, reader) : mdb_txn_renew(*reader);

    if (rc == MDB_MAP_RESIZED) {
        rc = mdb_env_set_mapsize(store->env, 0);
        if (rc == 0) {
            rc = *reader == NULL ? mdb_txn_begin(store->env, NULL, MDB_RDONLY, reader) : mdb_txn_renew(*reader);
        }
    }
    return rc == 0 ? GH_OK : gh_store_mdb_error(rc, "a snapshot cannot be taken", error);
}

/*
 * Is the snapshot the newest? A renewed snapshot stands in its reader slot, but without a fence the number it was taken by may have been
 * read before a commit that is acknowledged already. So: the slot, a fence, and the newest number once more, through a second
 * slot. (me_last_txnid will not do: it is the meta page's, which readers see for as long as the disk takes before the commit counts.)
 */
static int
renew_newest(gh_store_t *store, uint64_t *transaction, gh_error_t *error)
{
    for (int i = 0; i < RENEW_TRIES; i++) {
        uint64_t newest;

        if (renew(store, &store->reader, error) != GH_OK) {
            return GH_ERROR;
        }
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (renew(store, &store->peek, error) != GH_OK) {
            gh_store_end(store);
            return GH_ERROR;
        }
        newest = mdb_txn_id(store->peek);
        mdb_txn_reset(store->peek);
        *transaction = mdb_txn_id(store->reader);
        if (newest == *transaction) {
            return GH_OK;
        }
        gh_store_end(store);
    }
    return gh_error_set(error, "store_busy", "the store is being written too fast for a snapshot");
}

static int
load_snapshot(gh_store_t *store, gh_error_t *error)
{
    bool found;

    for (int db = 0; db < GH_DBS; db++) {
        if (gh_pages_tree(&store->pages, gh_db_names[db], &store->tree[db], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    if (gh_store_read(store, GH_DB_HEAD, GH_HEAD_KEY, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found || store->value.len != sizeof(gh_head_t)) {
        return gh_error_set(error, "store_damaged", "the store has no record of the revision in force");
    }
    memcpy(&store->head, store->value.data, sizeof(store->head));
    if (store->head.transaction != store->pages.transaction) {
        return gh_error_set(error, "store_damaged", "data.mdb shows an older state than its newest transaction, %llu, left",
            (unsigned long long) store->pages.transaction);
    }
    if (store->head.revision < store->highest) {
        return gh_error_set(error, "store_damaged", "revision %llu is in force, lower than %llu which was used before",
            (unsigned long long) store->head.revision, (unsigned long long) store->highest);
    }
    return GH_OK;
}

int
gh_store_begin(gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    uint64_t transaction;
    int      rc;

    if (check_places(store, now_ms, error) != GH_OK) {
        store->loaded = false;
        return gh_store_blame(store, error);
    }
    if (now_ms - store->readers_ms >= CHECK_READERS_MS) {
        mdb_reader_check(store->env, NULL);
        store->readers_ms = now_ms;
    }
    for (int i = 0; i < RENEW_TRIES; i++) {
        rc = renew_newest(store, &transaction, error);
        if (rc == GH_OK && store->loaded && transaction == store->pages.transaction) {
            return GH_OK;
        }
        store->loaded = false;
        if (rc == GH_OK) {
            rc = gh_pages_snapshot(&store->pages, store->fd, transaction, error);
        }
        if (rc == GH_OK && store->serves) {
            gh_pages_map(&store->pages);
        }
        if (rc == GH_OK && load_snapshot(store, error) == GH_OK) {
            store->loaded = true;
            store->loads++;
            return GH_OK;
        }
        gh_store_end(store);
        if (rc != 1) {
            return gh_store_blame(store, error);
        }
    }
    gh_error_set(error, "store_busy", "the store is being written too fast for a snapshot");
    return gh_store_blame(store, error);
}

void
gh_store_end(gh_store_t *store)
{
    if (store->reader != NULL) {
        mdb_txn_reset(store->reader);
    }
}

/*
 * The other meta page, once, at open: a newest one damaged so that it looks old would put the state before it in force. The snapshot
 * held keeps that state's pages from being reused; a writer may be overwriting the meta page itself.
 */
static int
check_previous(gh_store_t *store, gh_error_t *error)
{
    gh_pages_t pages = store->pages, previous;
    gh_head_t  head = store->head;
    uint64_t   highest = store->highest;
    int        rc;

    if (pages.transaction < 2) {
        return GH_OK;
    }
    rc = gh_pages_snapshot(&previous, store->fd, pages.transaction - 1, error);
    if (rc == 1) {
        rc = gh_pages_snapshot(&previous, store->fd, pages.transaction + 1, error);
        return rc != 1 ? rc : gh_error_set(error, "store_damaged", "the meta pages of data.mdb do not follow each other");
    }
    if (rc == GH_OK) {
        previous.cache = NULL;
        previous.map = NULL;
        previous.mapped = 0;
        store->pages = previous;
        store->highest = 0;
        rc = load_snapshot(store, error);
    }
    store->highest = highest;
    store->pages = pages;
    store->head = head;
    store->loaded = false;
    return rc;
}

int
gh_store_read(gh_store_t *store, gh_db_t db, gh_bytes_t key, bool *found, gh_error_t *error)
{
    if (gh_pages_get(&store->pages, &store->tree[db], key, &store->value, found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!*found) {
        return GH_OK;
    }
    return gh_envelope_check(store->mac, db, key, store->value.data, store->value.len, error);
}

int
gh_store_load_image(gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    gh_image_t *image;
    uint8_t     key[8];
    bool        found;

    if (store->head.revision == 0) {
        return gh_error_set(error, "store_empty", "no policy was applied yet: run \"gatehouse policy apply DIR\"");
    }
    if (store->clock_ms < now_ms) {
        store->clock_ms = now_ms;
    }
    if (store->image == NULL || gh_image_revision(store->image) != store->head.revision) {
        gh_store_key_u64(store->head.revision, key);
        if (gh_store_read(store, GH_DB_IMAGE, (gh_bytes_t) { key, 8 }, &found, error) != GH_OK) {
            return GH_ERROR;
        }
        if (!found || store->value.len != store->head.image_length) {
            return gh_error_set(error, "store_damaged", "the compiled policy of revision %llu is missing or cut short",
                (unsigned long long) store->head.revision);
        }
        if (gh_image_open(store->value.data, store->value.len, &image, error) != GH_OK) {
            return GH_ERROR;
        }
        gh_value_free(&store->value);
        if (gh_image_revision(image) != store->head.revision) {
            gh_image_unref(image);
            return gh_error_set(error, "store_damaged", "the compiled policy of revision %llu says it is another one",
                (unsigned long long) store->head.revision);
        }
        gh_image_unref(store->image);
        store->image = image;
        store->highest = store->head.revision;
    }
    if (store->clock_ms < store->head.time_ms) {
        store->clock_ms = store->head.time_ms;
    }
    if (store->image->clock_ms < store->clock_ms) {
        store->image->clock_ms = store->clock_ms;
    }
    return GH_OK;
}

gh_image_t *
gh_store_give(gh_store_t *store)
{
    if (store->given != store->image) {
        gh_image_unref(store->given);
        store->given = gh_image_ref(store->image);
    }
    return store->image;
}

int
gh_store_current(gh_store_t *store, uint64_t now_ms, gh_image_t **image, gh_error_t *error)
{
    int rc;

    *image = NULL;
    if (gh_store_begin(store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_store_load_image(store, now_ms, error);
    gh_store_end(store);
    if (rc != GH_OK) {
        return gh_store_blame(store, error);
    }
    *image = gh_store_give(store);
    return GH_OK;
}

static int
check_files(gh_store_t *store, const char *home, gh_error_t *error)
{
    const char *paths[2] = { store->data_path, store->lock_path };

    for (int i = 0; i < 2; i++) {
        struct stat st;
        int         wanted = R_OK | (i == 1 || store->writable ? W_OK : 0);

        if (stat(paths[i], &st) != 0) {
            return gh_error_at(error, errno == ENOENT || errno == ENOTDIR ? "store_missing" : "store_denied", paths[i], 0, 0,
                "%s; run \"gatehouse init --home %s\"", strerror(errno), home);
        }
        if (!S_ISREG(st.st_mode)) {
            return gh_error_at(error, "store_damaged", paths[i], 0, 0, "not a regular file");
        }
        if (i == 1) {
            /* before LMDB opens it: should it be another one by then, it is out of place */
            store->lock_device = st.st_dev;
            store->lock_inode = st.st_ino;
        }
        if (access(paths[i], wanted) != 0) {
            return gh_error_at(error, "store_denied", paths[i], 0, 0,
                "%s (owner %u, mode %03o, this is user %u); \"gatehouse init --home %s\" repairs owners and modes", strerror(errno),
                (unsigned) st.st_uid, (unsigned) st.st_mode & 0777, (unsigned) geteuid(), home);
        }
    }
    return GH_OK;
}

static int
open_env(gh_store_t *store, const char *home, bool unlocked, gh_error_t *error)
{
    char        directory[1100];
    struct stat st;
    int         rc;

    store->fd = open(store->data_path, O_RDONLY | O_CLOEXEC);
    if (store->fd < 0 || fstat(store->fd, &st) != 0) {
        return gh_error_set(error, "store_denied", "%s", strerror(errno));
    }
    store->device = st.st_dev;
    store->inode = st.st_ino;
    if (gh_pages_check_file(store->fd, error) != GH_OK) {
        return GH_ERROR;
    }
    snprintf(directory, sizeof(directory), "%s/store", home);
    rc = mdb_env_create(&store->env);
    if (rc == 0) {
        mdb_env_set_mapsize(store->env, GH_STORE_MAP);
        mdb_env_set_maxdbs(store->env, GH_STORE_DBS);
        mdb_env_set_maxreaders(store->env, GH_STORE_READERS);
        rc = mdb_env_open(store->env, directory, MDB_NOTLS | (unlocked ? MDB_NOLOCK : 0) | (store->writable ? 0 : MDB_RDONLY), 0640);
    }
    if (rc != 0) {
        return gh_store_mdb_error(rc, "LMDB cannot open it", error);
    }
    if (!unlocked) {
        mdb_reader_check(store->env, NULL);
    }
    return GH_OK;
}

static int
open_writable(gh_store_t *store, gh_error_t *error)
{
    MDB_txn *txn;
    int      rc;

    if (gh_store_begin(store, 0, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = gh_pages_check_all(&store->pages, error);
    rc = rc == GH_OK ? check_previous(store, error) : rc;
    gh_store_end(store);
    if (rc != GH_OK) {
        return GH_ERROR;
    }
    rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        return gh_store_mdb_error(rc, "a snapshot cannot be taken", error);
    }
    for (int db = 0; db < GH_DBS && rc == 0; db++) {
        rc = mdb_dbi_open(txn, gh_db_names[db], 0, &store->dbi[db]);
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return gh_store_mdb_error(rc, "a database cannot be opened", error);
    }
    mdb_txn_commit(txn);
    return GH_OK;
}

/* Before the snapshot: what is read of the store afterwards is not older. */
static int
read_mark(const gh_store_t *store, const char *home, gh_mark_t *mark, gh_error_t *error)
{
    char directory[1100];

    snprintf(directory, sizeof(directory), "%s/store", home);
    return gh_mark_read(store->mac, directory, mark, error);
}

gh_store_t *
gh_store_open(const gh_store_options_t *options, gh_error_t *error)
{
    gh_store_t *store = calloc(1, sizeof(*store));
    gh_mark_t   mark;
    uint8_t     subkey[32];
    int         rc;

    if (store == NULL) {
        gh_error_set(error, "out_of_memory", "no memory for the store");
        return NULL;
    }
    store->fd = -1;
    store->writable = options->writable;
    store->highest = options->lowest;
    store->opening = options->opening;
    if (snprintf(store->data_path, sizeof(store->data_path), "%s/store/data.mdb", options->home)
            >= 1000)
    {
        gh_error_set(error, "store_missing", "the home directory's name is too long");
        free(store);
        return NULL;
    }
    snprintf(store->lock_path, sizeof(store->lock_path), "%s/store/lock.mdb", options->home);
    snprintf(store->keys_path, sizeof(store->keys_path), "%s/agent/keys", options->home);

    rc = gh_hkdf(options->key, 32, "store-mac", subkey, sizeof(subkey));
    store->mac = rc == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;
    rc = gh_hkdf(options->key, 32, "api-key", subkey, sizeof(subkey));
    store->api_key = rc == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;
    rc = gh_hkdf(options->key, 32, "access-key", subkey, sizeof(subkey));
    store->access_key = rc == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;
    memset(subkey, 0, sizeof(subkey));
    if (store->mac == NULL || store->api_key == NULL || store->access_key == NULL) {
        gh_error_set(error, "store_denied", "the store's key cannot be used: OpenSSL failed");
    } else if (check_files(store, options->home, error) == GH_OK && read_mark(store, options->home, &mark, error) == GH_OK
        && open_env(store, options->home, options->unlocked, error) == GH_OK && gh_mark_check_file(&mark, store->inode, error) == GH_OK)
    {
        if (store->writable) {
            rc = open_writable(store, error);
        } else {
            rc = gh_store_begin(store, 0, error);
            rc = rc == GH_OK ? check_previous(store, error) : rc;
            gh_store_end(store);
        }
        if (rc == GH_OK) {
            rc = gh_mark_check(&mark, store->inode, &store->head, error);
        }
        store->checked_ms = 0;
        if (rc == GH_OK) {
            store->serves = !store->writable && !options->unlocked;
            if (store->serves) {
                store->identities = gh_identities_new();
                store->attempts = gh_attempts_new(store->api_key);
                store->pages.cache = gh_pages_cache_new();
                gh_pages_map(&store->pages);
            }
            return store;
        }
    }
    gh_store_blame(store, error);
    gh_store_close(store);
    return NULL;
}

void
gh_store_close(gh_store_t *store)
{
    if (store == NULL) {
        return;
    }
    if (store->reader != NULL) {
        mdb_txn_abort(store->reader);
    }
    if (store->peek != NULL) {
        mdb_txn_abort(store->peek);
    }
    if (store->env != NULL) {
        mdb_env_close(store->env);
    }
    if (store->fd >= 0) {
        close(store->fd);
    }
    gh_hmac_free(store->mac);
    gh_hmac_free(store->api_key);
    gh_hmac_free(store->access_key);
    gh_image_unref(store->image);
    gh_image_unref(store->given);
    gh_value_free(&store->value);
    gh_identities_free(store->identities);
    gh_known_keys_free(store->known);
    gh_attempts_free(store->attempts);
    gh_issuers_free(store->issuers);
    gh_key_sets_free(store->key_sets);
    gh_pages_cache_free(store->pages.cache);
    gh_pages_unmap(&store->pages);
    free(store);
}

void
gh_store_edits(gh_store_t *store, uint64_t edits)
{
    store->edits = edits;
}

uint64_t
gh_store_transaction(const gh_store_t *store)
{
    return store->loaded ? store->opening << 48 | store->pages.transaction : 0;
}

uint64_t
gh_store_snapshot(const gh_store_t *store)
{
    return store->loaded ? store->pages.transaction : 0;
}

const uint8_t *
gh_store_id(const gh_store_t *store)
{
    return store->head.store_id;
}

const uint8_t *
gh_store_ledger_id(const gh_store_t *store)
{
    return store->head.ledger_id;
}

uint64_t
gh_store_finish_from(const gh_store_t *store)
{
    return store->head.finish_from;
}

uint64_t
gh_store_inode(const gh_store_t *store)
{
    return (uint64_t) store->inode;
}
