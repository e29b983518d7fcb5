/* Write transactions, the making of a store, and committing a revision. */
#include "policy/store/store_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "policy/base/json_writer.h"
#include "policy/store/revision.h"

#define CHANGE_MAX  4096u
#define ROOM_BLOCKS 16        /* of the file system: a disk with less is full */

int
gh_edit_begin(gh_edit_t *edit, gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    bool found;
    int  rc;

    memset(edit, 0, sizeof(*edit));
    edit->store = store;
    if (!store->writable) {
        gh_error_set(error, "store_denied", "the store was opened for reading only");
        return gh_store_blame(store, error);
    }
    rc = mdb_txn_begin(store->env, NULL, 0, &edit->txn);
    if (rc != 0) {
        edit->txn = NULL;
        gh_store_mdb_error(rc, "a write transaction cannot be begun", error);
        return gh_store_blame(store, error);
    }
    if (gh_store_in_place(store, error) != GH_OK
        || gh_edit_get(edit, GH_DB_HEAD, GH_HEAD_KEY, &edit->head, sizeof(edit->head), &found, error) != GH_OK)
    {
        gh_edit_abort(edit);
        return gh_store_blame(store, error);
    }
    if (!found) {
        gh_edit_abort(edit);
        gh_error_set(error, "store_damaged", "the store has no record of the revision in force");
        return gh_store_blame(store, error);
    }
    edit->now_ms = now_ms > edit->head.time_ms ? now_ms : edit->head.time_ms;
    edit->head.time_ms = edit->now_ms;
    return GH_OK;
}

int
gh_edit_unmoved(const gh_edit_t *edit, uint64_t revision, uint64_t change, gh_error_t *error)
{
    if (revision != 0 && edit->head.revision != revision) {
        return gh_error_set(error, "store_moved", "revision %llu is in force, this was checked against revision %llu", (unsigned long long) edit->head.revision, (unsigned long long) revision);
    }
    return change == 0 || edit->head.last_change == change ? GH_OK : gh_error_set(error, "store_moved", "a policy or a key was edited while this was checked");
}

void
gh_edit_abort(gh_edit_t *edit)
{
    if (edit->txn != NULL) {
        mdb_txn_abort(edit->txn);
        edit->txn = NULL;
    }
}

/* LMDB calls a write that stopped in the middle an input/output error, which on a disk without room it is not. */
static bool
is_full(const gh_store_t *store)
{
    struct statvfs room;

    return statvfs(store->data_path, &room) == 0 && room.f_bavail < ROOM_BLOCKS;
}

/*
 * The edit is in force whatever becomes of this: an identity that is behind only notices less, and the next edit writes it again.
 */
static void
write_mark(const gh_edit_t *edit)
{
    char       directory[1100];
    gh_error_t ignored = { 0 };

    snprintf(directory, sizeof(directory), "%.*s", (int) (strrchr(edit->store->data_path, '/') - edit->store->data_path),
        edit->store->data_path);
    gh_mark_write(edit->store->mac, directory, &edit->head, &ignored);
}

int
gh_edit_commit(gh_edit_t *edit, gh_error_t *error)
{
    int rc;

    edit->head.transaction = mdb_txn_id(edit->txn);
    if (gh_edit_put(edit, GH_DB_HEAD, GH_HEAD_KEY, &edit->head, sizeof(edit->head), error) != GH_OK) {
        gh_edit_abort(edit);
        return gh_store_blame(edit->store, error);
    }
    rc = mdb_txn_commit(edit->txn);
    edit->txn = NULL;
    if (rc != 0) {
        rc = rc == EIO && is_full(edit->store) ? ENOSPC : rc;
        gh_store_mdb_error(rc, "the edit cannot be written; nothing changed", error);
        return gh_store_blame(edit->store, error);
    }
    edit->store->committed = edit->head.transaction;
    write_mark(edit);
    return GH_OK;
}

int
gh_edit_put(gh_edit_t *edit, gh_db_t db, gh_bytes_t key, void *value, size_t len, gh_error_t *error)
{
    MDB_val k = { key.len, (void *) key.data };
    MDB_val v = { len, value };
    int     rc;

    if (gh_envelope_seal(edit->store->mac, db, key, value, len) != GH_OK) {
        return gh_error_set(error, "store_denied", "a record of \"%s\" cannot be sealed", gh_db_names[db]);
    }
    rc = mdb_put(edit->txn, edit->store->dbi[db], &k, &v, 0);
    return rc == 0 ? GH_OK : gh_store_mdb_error(rc, "a record cannot be written; nothing changed", error);
}

int
gh_edit_get_any(gh_edit_t *edit, gh_db_t db, gh_bytes_t key, void *record, size_t size, size_t *len, bool *found,
    gh_error_t *error)
{
    MDB_val k = { key.len, (void *) key.data };
    MDB_val v;
    int     rc;

    *found = false;
    rc = mdb_get(edit->txn, edit->store->dbi[db], &k, &v);
    if (rc == MDB_NOTFOUND) {
        return GH_OK;
    }
    if (rc != 0) {
        return gh_store_mdb_error(rc, "a record cannot be read", error);
    }
    if (gh_envelope_check(edit->store->mac, db, key, v.mv_data, v.mv_size, error) != GH_OK) {
        return GH_ERROR;
    }
    if (v.mv_size > size) {
        return gh_error_set(error, "store_damaged", "a record of \"%s\" has %zu bytes", gh_db_names[db], v.mv_size);
    }
    memcpy(record, v.mv_data, v.mv_size);
    *len = v.mv_size;
    *found = true;
    return GH_OK;
}

int
gh_edit_get(gh_edit_t *edit, gh_db_t db, gh_bytes_t key, void *record, size_t size, bool *found, gh_error_t *error)
{
    size_t len;

    if (gh_edit_get_any(edit, db, key, record, size, &len, found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (*found && len != size) {
        return gh_error_set(error, "store_damaged", "a record of \"%s\" has %zu bytes", gh_db_names[db], len);
    }
    return GH_OK;
}

int
gh_edit_change(gh_edit_t *edit, gh_str_t actor, const char *what, gh_str_t subject, gh_error_t *error)
{
    uint8_t          value[CHANGE_MAX], key[8];
    gh_json_writer_t w;

    gh_json_writer_init(&w, (char *) value + GH_ENVELOPE_SIZE, sizeof(value) - GH_ENVELOPE_SIZE);
    gh_json_begin_object(&w);
    gh_json_kv_u64(&w, "number", ++edit->head.last_change);
    gh_json_kv_u64(&w, "t", edit->now_ms);
    gh_json_kv_string(&w, "actor", actor);
    gh_json_kv_string(&w, "what", gh_str_from(what));
    gh_json_kv_string(&w, "subject", subject);
    gh_json_end_object(&w);
    if (!gh_json_writer_ok(&w)) {
        return gh_error_set(error, "invalid_request", "the author's name is too long");
    }
    gh_store_key_u64(edit->head.last_change, key);
    return gh_edit_put(edit, GH_DB_CHANGE, (gh_bytes_t) { key, 8 }, value, GH_ENVELOPE_SIZE + w.len, error);
}

/* A document that an earlier revision has is there already, and shared. */
static int
has_document(gh_edit_t *edit, const uint8_t digest[32], size_t len, bool *found, gh_error_t *error)
{
    MDB_val key = { 32, (void *) (uintptr_t) digest };
    MDB_val value;
    int     rc = mdb_get(edit->txn, edit->store->dbi[GH_DB_DOCUMENT], &key, &value);

    *found = rc == 0 && value.mv_size == GH_ENVELOPE_SIZE + len;
    if (*found) {
        return gh_envelope_check(
            edit->store->mac, GH_DB_DOCUMENT, (gh_bytes_t) { digest, 32 }, value.mv_data, value.mv_size, error);
    }
    return rc == 0 || rc == MDB_NOTFOUND ? GH_OK : gh_store_mdb_error(rc, "a document cannot be read", error);
}

/* One that the revision in force has: it is there, and nobody but its readers has to trust it. */
static int
keep_document(gh_edit_t *edit, const gh_store_source_t *source, gh_error_t *error)
{
    MDB_val key = { 32, (void *) (uintptr_t) source->sha256 };
    MDB_val value;
    int     rc = mdb_get(edit->txn, edit->store->dbi[GH_DB_DOCUMENT], &key, &value);

    return rc == 0 ? GH_OK : rc == MDB_NOTFOUND
        ? gh_error_set(error, "store_damaged", "a document of the revision in force is missing: %.*s", GH_STR_ARG(source->path))
        : gh_store_mdb_error(rc, "a document cannot be read", error);
}

static int
commit_document(gh_edit_t *edit, const gh_store_source_t *source, gh_error_t *error)
{
    gh_str_t text = source->text;
    uint8_t  digest[32];
    uint8_t *value;
    bool     found;
    int      rc;

    if (source->stored) {
        return keep_document(edit, source, error);
    }
    gh_sha256(text.data, text.len, digest);
    if (memcmp(digest, source->sha256, sizeof(digest)) != 0) {
        return gh_error_set(error, "invalid_request", "the digest of %.*s is another one's", GH_STR_ARG(source->path));
    }
    if (has_document(edit, digest, text.len, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (found) {
        return GH_OK;
    }
    value = calloc(1, GH_ENVELOPE_SIZE + text.len);
    if (value == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for a document");
    }
    if (text.len > 0) {
        memcpy(value + GH_ENVELOPE_SIZE, text.data, text.len);
    }
    rc = gh_edit_put(edit, GH_DB_DOCUMENT, (gh_bytes_t) { digest, 32 }, value, GH_ENVELOPE_SIZE + text.len, error);
    free(value);
    return rc;
}

static int
commit_documents(gh_edit_t *edit, const gh_store_revision_new_t *revision, gh_error_t *error)
{
    for (size_t i = 0; i < revision->source_count; i++) {
        if (commit_document(edit, &revision->sources[i], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
commit_image(gh_edit_t *edit, const gh_store_revision_new_t *revision, gh_error_t *error)
{
    gh_image_header_t *header;
    gh_image_t        *image;
    uint8_t           *bytes, key[8];
    int                rc;

    if (revision->image.len < GH_IMAGE_HEADER) {
        return gh_error_set(error, "store_damaged", "the compiled policy is empty");
    }
    bytes = malloc(revision->image.len);
    if (bytes == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the compiled policy");
    }
    memcpy(bytes, revision->image.data, revision->image.len);
    header = (gh_image_header_t *) bytes;
    header->revision = edit->head.revision;
    if (header->compiled_ms < edit->now_ms) {
        header->compiled_ms = edit->now_ms;
    }
    rc = gh_image_open(bytes, revision->image.len, &image, error);
    if (rc == GH_OK) {
        rc = gh_edit_listed(edit, image, revision, error);
        gh_image_unref(image);
    }
    if (rc == GH_OK) {
        gh_store_key_u64(edit->head.revision, key);
        rc = gh_edit_put(edit, GH_DB_IMAGE, (gh_bytes_t) { key, 8 }, bytes, revision->image.len, error);
    }
    free(bytes);
    return rc;
}

/* Images older than the newest GH_STORE_IMAGES_KEPT. */
static int
drop_images(gh_edit_t *edit, gh_error_t *error)
{
    MDB_cursor *cursor;
    MDB_val     key, value;
    int         rc;

    if (edit->head.revision <= GH_STORE_IMAGES_KEPT) {
        return GH_OK;
    }
    rc = mdb_cursor_open(edit->txn, edit->store->dbi[GH_DB_IMAGE], &cursor);
    while (rc == 0) {
        uint8_t oldest[8];

        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        gh_store_key_u64(edit->head.revision - GH_STORE_IMAGES_KEPT, oldest);
        if (rc != 0 || key.mv_size != 8 || memcmp(key.mv_data, oldest, 8) > 0) {
            break;
        }
        rc = mdb_cursor_del(cursor, 0);
    }
    if (rc == 0 || rc == MDB_NOTFOUND) {
        mdb_cursor_close(cursor);
        return GH_OK;
    }
    return gh_store_mdb_error(rc, "old revisions cannot be dropped; nothing changed", error);
}

/* Counters are kept by uid: an app whose callers have tokens alone needs its own as one with keys does, and so do its tenant and organisation. */
static int
name_token_apps(gh_edit_t *edit, const gh_store_revision_new_t *revision, gh_error_t *error)
{
    uint64_t uid;

    for (size_t i = 0; i < revision->token_app_count; i++) {
        gh_str_t path = revision->token_apps[i];

        for (size_t at = 1; at <= path.len; at++) {
            if ((at == path.len || path.data[at] == '/') && gh_edit_path_uid(edit, (gh_str_t) { path.data, at }, &uid, error) != GH_OK) {
                return GH_ERROR;
            }
        }
    }
    return GH_OK;
}

static int
commit_revision(gh_edit_t *edit, const gh_store_revision_new_t *revision, gh_error_t *error)
{
    uint8_t *value, key[8];
    char     number[24];
    size_t   len;
    int      rc;

    if (edit->head.revision != revision->base) {
        return gh_error_set(error, "store_moved", "revision %llu is in force, this was made for revision %llu",
            (unsigned long long) edit->head.revision, (unsigned long long) revision->base);
    }
    edit->head.revision++;
    if (!revision->let_finish) {
        edit->head.finish_from = edit->head.revision;
    }
    edit->head.image_length = revision->image.len;
    if (name_token_apps(edit, revision, error) != GH_OK || commit_image(edit, revision, error) != GH_OK || commit_documents(edit, revision, error) != GH_OK) {
        return GH_ERROR;
    }
    value = gh_revision_record(edit->head.revision, edit->now_ms, revision, &len);
    if (value == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the revision's record");
    }
    gh_store_key_u64(edit->head.revision, key);
    rc = gh_edit_put(edit, GH_DB_REVISION, (gh_bytes_t) { key, 8 }, value, len, error);
    free(value);
    snprintf(number, sizeof(number), "%llu", (unsigned long long) edit->head.revision);
    if (rc != GH_OK || gh_edit_change(edit, revision->author, "apply", gh_str_from(number), error) != GH_OK) {
        return GH_ERROR;
    }
    return drop_images(edit, error);
}

int
gh_store_commit(gh_store_t *store, const gh_store_revision_new_t *revision, uint64_t *number, gh_error_t *error)
{
    gh_edit_t edit;

    if (revision->author.len > 256 || revision->reason.len > 1024) {
        return gh_error_set(error, "invalid_request", "the author may have 256 bytes and the reason 1024");
    }
    if (gh_edit_begin(&edit, store, revision->now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (commit_revision(&edit, revision, error) != GH_OK) {
        gh_edit_abort(&edit);
        return gh_store_blame(store, error);
    }
    *number = edit.head.revision;
    return gh_edit_commit(&edit, error);
}

int
gh_store_name_ledger(gh_store_t *store, const uint8_t ledger_id[16], uint64_t now_ms, gh_error_t *error)
{
    gh_edit_t edit;

    if (gh_edit_begin(&edit, store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    memcpy(edit.head.ledger_id, ledger_id, 16);
    return gh_edit_commit(&edit, error);
}

uint64_t
gh_store_committed(const gh_store_t *store)
{
    return store->committed;
}

/* An environment with its databases and a head that says revision 0, in a directory of its own. */
static int
create_env(const char *directory, gh_hmac_t *mac, const uint8_t id[16], gh_error_t *error)
{
    gh_store_t store;
    gh_edit_t  edit;
    int        rc;

    memset(&store, 0, sizeof(store));
    store.writable = true;
    store.mac = mac;
    snprintf(store.data_path, sizeof(store.data_path), "%s/data.mdb", directory);
    rc = mdb_env_create(&store.env);
    if (rc != 0) {
        return gh_store_mdb_error(rc, "LMDB cannot be started", error);
    }
    mdb_env_set_mapsize(store.env, GH_STORE_MAP);
    mdb_env_set_maxdbs(store.env, GH_STORE_DBS);
    mdb_env_set_maxreaders(store.env, GH_STORE_READERS);
    rc = mdb_env_open(store.env, directory, MDB_NOTLS, 0640);
    memset(&edit, 0, sizeof(edit));
    edit.store = &store;
    memcpy(edit.head.store_id, id, 16);
    if (rc == 0) {
        rc = mdb_txn_begin(store.env, NULL, 0, &edit.txn);
    }
    for (int db = 0; db < GH_DBS && rc == 0; db++) {
        rc = mdb_dbi_open(edit.txn, gh_db_names[db], MDB_CREATE, &store.dbi[db]);
    }
    if (rc == 0) {
        rc = gh_edit_commit(&edit, error);
    } else {
        gh_edit_abort(&edit);
        gh_store_mdb_error(rc, "the store cannot be made", error);
        rc = gh_store_blame(&store, error);
    }
    mdb_env_close(store.env);
    return rc;
}

/* Makes both files beside their places and links them in: a half-made store is never seen, an existing one never replaced. */
static int
create_files(const char *home, gh_hmac_t *mac, const uint8_t id[16], gh_error_t *error)
{
    static const char *const names[3] = { "lock.mdb", "identity", "data.mdb" };
    static const mode_t      modes[3] = { 0660, 0640, 0640 };
    char                     directory[1024], from[1100], to[1100];
    int                      rc;

    snprintf(directory, sizeof(directory), "%s/store/.new-XXXXXX", home);
    if (mkdtemp(directory) == NULL) {
        return gh_error_at(error, errno == ENOENT ? "store_missing" : "store_denied", home, 0, 0,
            "the directory store/ in it cannot be written: %s", strerror(errno));
    }
    rc = create_env(directory, mac, id, error);
    for (int i = 0; i < 3; i++) {
        snprintf(from, sizeof(from), "%s/%s", directory, names[i]);
        snprintf(to, sizeof(to), "%s/store/%s", home, names[i]);
        if (rc == GH_OK && (chmod(from, modes[i]) != 0 || (link(from, to) != 0 && errno != EEXIST))) {
            rc = gh_error_at(error, "store_denied", to, 0, 0, "cannot be made: %s", strerror(errno));
        }
        unlink(from);
    }
    rmdir(directory);
    return rc;
}

static int
sync_directory(const char *home, gh_error_t *error)
{
    char directory[1100];
    int  fd, rc = -1;

    snprintf(directory, sizeof(directory), "%s/store", home);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        rc = fsync(fd);
        close(fd);
    }
    return rc == 0 ? GH_OK : gh_error_at(error, "store_denied", directory, 0, 0, "cannot be synced: %s", strerror(errno));
}

int
gh_store_create(const char *home, const uint8_t key[32], const uint8_t id[16], gh_error_t *error)
{
    gh_store_options_t options = { .home = home, .writable = true };
    char               path[1024];
    struct stat        st;
    uint8_t            subkey[32];
    gh_hmac_t         *mac;
    gh_store_t        *store;
    int                rc = GH_OK;

    if (snprintf(path, sizeof(path), "%s/store/data.mdb", home) >= 900) {
        return gh_error_set(error, "store_missing", "the home directory's name is too long");
    }
    if (stat(path, &st) != 0 && errno == ENOENT) {
        mac = gh_hkdf(key, 32, "store-mac", subkey, sizeof(subkey)) == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;
        if (mac == NULL) {
            return gh_error_set(error, "store_denied", "the store's key cannot be used: OpenSSL failed");
        }
        rc = create_files(home, mac, id, error);
        gh_hmac_free(mac);
        if (rc == GH_OK) {
            rc = sync_directory(home, error);
        }
    }
    if (rc != GH_OK) {
        return rc;
    }
    memcpy(options.key, key, 32);
    store = gh_store_open(&options, error);
    if (store == NULL) {
        return GH_ERROR;
    }
    gh_store_close(store);
    return GH_OK;
}
