/* Putting a backup in force. Making and checking one: store_backup.c. */
#define _GNU_SOURCE                   /* renameat2 */
#include "policy/store/store_restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/store/revision.h"

typedef struct {
    const gh_restore_t *restore;
    gh_arena_t         *arena;
    gh_restored_t      *restored;
    gh_hmac_t          *mac;
    gh_backup_t         backup;
    gh_saved_t          saved, present;       /* present: with restored->present, or with `records` */
    bool                records;              /* what stands there can be read, whether it is the store or not */
    gh_mark_t           mark;
    bool                marked;
    gh_store_t          fresh;                /* the new one: env, mac and names only */
    gh_edit_t           edit;
    char                store[1024], made[1024];
    int                 fd, present_fd;
} work_t;

static uint64_t
highest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- what stands there now ---- */

/* Reads it whole; its records are of use even when it is not the store any more, since a revocation never does harm. */
static void
look_at_present(work_t *work)
{
    gh_error_t *why = &work->restored->why;
    char        path[1100];
    struct stat st;

    work->marked = gh_mark_read(work->mac, work->store, &work->mark, why) == GH_OK;
    snprintf(path, sizeof(path), "%s/data.mdb", work->store);
    work->present_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (work->present_fd < 0 || fstat(work->present_fd, &st) != 0) {
        gh_error_at(why, "store_missing", path, 0, 0, "%s", strerror(errno));
        return;
    }
    if (gh_saved_open(&work->present, work->present_fd, work->mac, why) != GH_OK) {
        return;
    }
    if (memcmp(work->present.head.store_id, work->backup.store_id, 16) != 0) {
        gh_error_at(why, "store_replaced", path, 0, 0, "it is another policy store than the backup's");
        return;
    }
    work->records = true;
    work->restored->present = work->marked && gh_mark_check(&work->mark, st.st_ino, &work->present.head, why) == GH_OK;
}

/* ---- what is taken over from it ---- */

static int
put_raw(work_t *work, gh_db_t db, gh_bytes_t key, gh_bytes_t value, unsigned flags, gh_error_t *error)
{
    MDB_val k = { key.len, (void *) (uintptr_t) key.data }, v = { value.len, (void *) (uintptr_t) value.data };
    int     rc = mdb_put(work->edit.txn, work->fresh.dbi[db], &k, &v, flags);

    return rc == 0 || rc == MDB_KEYEXIST ? GH_OK : gh_store_mdb_error(rc, "the new store cannot be written", error);
}

/* History and documents: what the backup does not have. */
static int
take_new(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    work_t *work = context;

    return put_raw(work, work->present.db, key, value, MDB_NOOVERWRITE, error);
}

static bool
revoked(gh_db_t db, const void *value, size_t len)
{
    gh_key_record_t record;
    gh_name_key_t   name;

    if (db == GH_DB_KEY) {
        return !gh_key_record_numbers(value, len, &record) || record.state == GH_KEY_REVOKED;
    }
    return gh_store_name_read(GH_STR(""), (gh_bytes_t) { value, len }, &name, NULL) == GH_OK && name.revoked_ms != 0;
}

/* Keys and their names: a key revoked in one of the two is revoked; else the backup's stays when what stands there is not the store. */
static int
take_key(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    work_t *work = context;
    gh_db_t db = work->present.db;
    MDB_val k = { key.len, (void *) (uintptr_t) key.data }, v;
    bool    there = mdb_get(work->edit.txn, work->fresh.dbi[db], &k, &v) == 0;

    if (there && revoked(db, v.mv_data, v.mv_size)) {
        return GH_OK;
    }
    if (!work->restored->present && !revoked(db, value.data, value.len)) {
        return GH_OK;
    }
    return put_raw(work, db, key, value, 0, error);
}

static int
take_present(work_t *work, gh_error_t *error)
{
    static const struct { gh_db_t db; gh_pages_entry_fn take; bool of_store; } parts[] = {
        { GH_DB_REVISION, take_new, true }, { GH_DB_DOCUMENT, take_new, true }, { GH_DB_CHANGE, take_new, true },
        { GH_DB_KEY, take_key, false }, { GH_DB_NAME, take_key, false },
    };

    for (size_t i = 0; work->records && i < sizeof(parts) / sizeof(parts[0]); i++) {
        work->present.db = parts[i].db;
        if ((!parts[i].of_store || work->restored->present)
            && gh_pages_each(&work->present.pages, &work->present.tree[parts[i].db], (gh_bytes_t) { "", 0 }, parts[i].take, work, error)
                != GH_OK)
        {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* ---- the new revision ---- */

/* The image of the backup's revision under the new number; *header: the copy that was put, for the revision's record. Arena-owned. */
static int
put_image(work_t *work, gh_image_header_t **header, size_t *len, gh_error_t *error)
{
    gh_value_t value = { 0 };
    uint8_t    key[8];
    MDB_val    k = { 8, key };
    bool       found;
    int        rc;

    gh_store_key_u64(work->backup.revision, key);
    rc = gh_pages_get(&work->saved.pages, &work->saved.tree[GH_DB_IMAGE], (gh_bytes_t) { key, 8 }, &value, &found, error);
    if (rc == GH_OK && (!found || value.len < GH_IMAGE_HEADER)) {
        rc = gh_error_set(error, "backup_damaged", "the backup has no compiled policy");
    }
    *header = rc == GH_OK ? work->arena->alloc(work->arena, value.len) : NULL;
    if (rc == GH_OK && *header == NULL) {
        rc = gh_error_set(error, "out_of_memory", "no memory for the compiled policy");
    }
    if (rc == GH_OK) {
        memcpy(*header, value.data, value.len);
        memset((*header)->envelope, 0, sizeof((*header)->envelope));
        (*header)->revision = work->edit.head.revision;
        *len = value.len;
        gh_store_key_u64(work->edit.head.revision, key);
        rc = gh_edit_put(&work->edit, GH_DB_IMAGE, (gh_bytes_t) { key, 8 }, *header, value.len, error);
    }
    gh_store_key_u64(GH_PROPOSAL_KEY, key);
    mdb_del(work->edit.txn, work->fresh.dbi[GH_DB_IMAGE], &k, NULL);
    gh_value_free(&value);
    return rc;
}

/* Who has a document in it: all of them count as changed. */
static int
owners(work_t *work, const gh_store_revision_t *of, gh_store_revision_new_t *new, gh_error_t *error)
{
    gh_store_source_t *sources = gh_arena_array(work->arena, of->document_count + 1, sizeof(*sources));
    gh_str_t          *changed = gh_arena_array(work->arena, of->document_count + 1, sizeof(*changed));
    size_t             count = 0;

    if (sources == NULL || changed == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the revision's record");
    }
    for (size_t i = 0; i < of->document_count; i++) {
        size_t at = 0;

        sources[i] = (gh_store_source_t) { .path = of->documents[i].path, .owner = of->documents[i].owner,
                                           .tenants = of->documents[i].tenants, .stored = true };
        memcpy(sources[i].sha256, of->documents[i].sha256, 32);
        while (at < count && gh_str_cmp(changed[at], of->documents[i].owner) < 0) {
            at++;
        }
        if (at == count || !gh_str_eq(changed[at], of->documents[i].owner)) {
            memmove(&changed[at + 1], &changed[at], (count - at) * sizeof(*changed));
            changed[at] = of->documents[i].owner;
            count++;
        }
    }
    new->sources = sources;
    new->source_count = of->document_count;
    new->changed = changed;
    new->changed_count = count;
    return GH_OK;
}

static int
put_revision(work_t *work, const gh_image_header_t *image, size_t image_len, gh_error_t *error)
{
    gh_store_revision_new_t new = { .image = { image, image_len }, .rollback_of = work->backup.revision, .author = work->restore->author,
                                    .reason = work->restore->reason, .now_ms = work->edit.now_ms };
    gh_store_revision_t     of;
    gh_value_t              value = { 0 };
    char                    number[24];
    uint8_t                 key[8], *record;
    size_t                  len;
    bool                    found;
    int                     rc;

    new.base = work->restored->present ? work->present.head.revision : work->backup.revision;
    gh_store_key_u64(work->backup.revision, key);
    rc = gh_pages_get(&work->saved.pages, &work->saved.tree[GH_DB_REVISION], (gh_bytes_t) { key, 8 }, &value, &found, error);
    if (rc == GH_OK && !found) {
        rc = gh_error_set(error, "backup_damaged", "the backup has no record of its revision");
    }
    if (rc == GH_OK) {
        rc = gh_revision_read((gh_bytes_t) { value.data, value.len }, work->arena, &of, error);
    }
    gh_value_free(&value);
    if (rc != GH_OK || owners(work, &of, &new, error) != GH_OK) {
        return GH_ERROR;
    }
    record = gh_revision_record(work->edit.head.revision, work->edit.now_ms, &new, &len);
    if (record == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the revision's record");
    }
    gh_store_key_u64(work->edit.head.revision, key);
    rc = gh_edit_put(&work->edit, GH_DB_REVISION, (gh_bytes_t) { key, 8 }, record, len, error);
    free(record);
    snprintf(number, sizeof(number), "%llu", (unsigned long long) work->edit.head.revision);
    return rc == GH_OK ? gh_edit_change(&work->edit, work->restore->author, "restore", gh_str_from(number), error) : rc;
}

/* Numbers go on above all that were used, wherever they are known from. */
static void
set_head(work_t *work)
{
    static const uint8_t none[16];
    gh_head_t           *head = &work->edit.head;
    const gh_head_t     *present = &work->present.head;

    *head = work->saved.head;
    if (work->records) {
        head->revision = highest(head->revision, present->revision);
        head->last_change = highest(head->last_change, present->last_change);
        head->last_uid = highest(head->last_uid, present->last_uid);
        head->time_ms = highest(head->time_ms, present->time_ms);
        memcpy(head->ledger_id, present->ledger_id, 16);
    }
    if (work->marked) {
        head->revision = highest(head->revision, work->mark.revision);
        head->last_change = highest(head->last_change, work->mark.last_change);
        head->last_uid = highest(head->last_uid, work->mark.last_uid);
    }
    head->revision = highest(head->revision, work->restore->used_revision) + 1;
    head->finish_from = work->restore->let_finish && work->restored->present ? present->finish_from : head->revision;
    head->time_ms = highest(head->time_ms, work->restore->now_ms);
    if (memcmp(work->restore->ledger_id, none, 16) != 0) {
        memcpy(head->ledger_id, work->restore->ledger_id, 16);
    }
    work->edit.now_ms = head->time_ms;
}

static int
fill(work_t *work, gh_error_t *error)
{
    gh_image_header_t *header;
    size_t             len;

    set_head(work);
    if (take_present(work, error) != GH_OK || put_image(work, &header, &len, error) != GH_OK
        || put_revision(work, header, len, error) != GH_OK)
    {
        return GH_ERROR;
    }
    work->edit.head.image_length = len;
    work->restored->revision = work->edit.head.revision;
    work->restored->of = work->backup.revision;
    return GH_OK;
}

/* ---- the files ---- */

static int
copy_data(work_t *work, gh_error_t *error)
{
    uint64_t len = work->backup.bytes - GH_BACKUP_SEAL, at = 0;
    uint8_t  buffer[65536];
    int      fd = open(work->fresh.data_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    bool     ok = fd >= 0;

    while (ok && at < len) {
        ssize_t n = pread(work->fd, buffer, len - at < sizeof(buffer) ? (size_t) (len - at) : sizeof(buffer), (off_t) at);

        ok = n > 0 && write(fd, buffer, (size_t) n) == n;
        at += n > 0 ? (uint64_t) n : 0;
    }
    if (!ok) {
        gh_error_at(error, errno == ENOSPC ? "store_full" : "store_denied", work->fresh.data_path, 0, 0, "cannot be written: %s", strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok ? GH_OK : GH_ERROR;
}

/* The new store, in a directory of its own, complete and on disk. */
static int
make(work_t *work, gh_error_t *error)
{
    int rc;

    snprintf(work->fresh.data_path, sizeof(work->fresh.data_path), "%s/data.mdb", work->made);
    work->fresh.writable = true;
    work->fresh.mac = work->mac;
    if (copy_data(work, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = mdb_env_create(&work->fresh.env);
    if (rc != 0) {
        return gh_store_mdb_error(rc, "LMDB cannot be started", error);
    }
    mdb_env_set_mapsize(work->fresh.env, GH_STORE_MAP);
    mdb_env_set_maxdbs(work->fresh.env, GH_STORE_DBS);
    mdb_env_set_maxreaders(work->fresh.env, GH_STORE_READERS);
    rc = mdb_env_open(work->fresh.env, work->made, MDB_NOTLS, 0640);
    work->edit = (gh_edit_t) { .store = &work->fresh };
    rc = rc == 0 ? mdb_txn_begin(work->fresh.env, NULL, 0, &work->edit.txn) : rc;
    for (int db = 0; db < GH_DBS && rc == 0; db++) {
        rc = mdb_dbi_open(work->edit.txn, gh_db_names[db], MDB_CREATE, &work->fresh.dbi[db]);
    }
    if (rc != 0) {
        gh_edit_abort(&work->edit);
        return gh_store_mdb_error(rc, "the new store cannot be opened", error);
    }
    if (fill(work, error) != GH_OK) {
        gh_edit_abort(&work->edit);
        return GH_ERROR;
    }
    return gh_edit_commit(&work->edit, error);
}

static void
name_in(char path[1100], const char *directory, const char *name)
{
    snprintf(path, 1100, "%s/%s", directory, name);
}

static void
remove_directory(const char *directory)
{
    static const char *const names[] = { "data.mdb", "lock.mdb", "identity", ".identity.new" };
    char                     path[1100];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        name_in(path, directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

/* Owners and modes of the directory that it takes the place of, or of the home. */
static int
own(work_t *work, gh_error_t *error)
{
    static const struct { const char *name; mode_t mode; } files[] = { { "data.mdb", 0640 }, { "lock.mdb", 0660 }, { "identity", 0640 } };
    char                                                   path[1100];
    struct stat                                            st;
    bool                                                   ok = stat(work->store, &st) == 0 || stat(work->restore->home, &st) == 0;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && ok; i++) {
        name_in(path, work->made, files[i].name);
        ok = (geteuid() != 0 || chown(path, st.st_uid, st.st_gid) == 0) && chmod(path, files[i].mode) == 0;
    }
    ok = ok && (geteuid() != 0 || chown(work->made, st.st_uid, st.st_gid) == 0) && chmod(work->made, 02750) == 0;
    return ok ? GH_OK : gh_error_at(error, "store_denied", work->made, 0, 0, "cannot be given its owner: %s", strerror(errno));
}

/* Both directories change places in one step; the old files have no name afterwards, which is how workers know. */
static int
exchange(work_t *work, gh_error_t *error)
{
    int fd, rc;

    rc = renameat2(AT_FDCWD, work->made, AT_FDCWD, work->store, access(work->store, F_OK) == 0 ? RENAME_EXCHANGE : RENAME_NOREPLACE);
    if (rc != 0) {
        return gh_error_at(error, "store_denied", work->store, 0, 0, "the new store cannot take its place: %s", strerror(errno));
    }
    fd = open(work->restore->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return GH_OK;
}

/* Other editors wait in front of the present store meanwhile, and find it gone afterwards. */
static void
hold_present(const work_t *work, gh_store_t **store, gh_edit_t *edit)
{
    gh_store_options_t options = { .home = work->restore->home, .writable = true };
    gh_error_t         ignored = { 0 };

    memcpy(options.key, work->restore->key, 32);
    edit->txn = NULL;
    *store = gh_store_open(&options, &ignored);
    if (*store != NULL && gh_edit_begin(edit, *store, work->restore->now_ms, &ignored) != GH_OK) {
        edit->txn = NULL;
    }
    memset(options.key, 0, sizeof(options.key));
}

static int
restore_held(work_t *work, gh_error_t *error)
{
    int rc;

    look_at_present(work);
    if (!work->restored->present && !work->restore->keys_as_saved) {
        return gh_error_set(error, "store_lost", "the present store cannot be relied on: %s", work->restored->why.text);
    }
    if (snprintf(work->made, sizeof(work->made), "%s/.store-XXXXXX", work->restore->home) >= (int) sizeof(work->made)
        || mkdtemp(work->made) == NULL)
    {
        return gh_error_at(error, "store_denied", work->restore->home, 0, 0, "nothing can be made in it: %s", strerror(errno));
    }
    rc = make(work, error);
    if (work->fresh.env != NULL) {
        mdb_env_close(work->fresh.env);
    }
    rc = rc == GH_OK ? own(work, error) : rc;
    rc = rc == GH_OK ? exchange(work, error) : rc;
    remove_directory(work->made);     /* the old store, or what there is of the new one */
    return rc;
}

int
gh_store_restore(const gh_restore_t *restore, gh_arena_t *arena, gh_restored_t *restored, gh_error_t *error)
{
    work_t     *work = arena->alloc(arena, sizeof(*work));
    gh_store_t *held = NULL;
    gh_edit_t   edit;
    int         rc;

    if (work == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory to restore");
    }
    memset(work, 0, sizeof(*work));
    memset(restored, 0, sizeof(*restored));
    *work = (work_t) { .restore = restore, .arena = arena, .restored = restored, .fd = -1, .present_fd = -1, .mac = gh_store_mac(restore->key) };
    snprintf(work->store, sizeof(work->store), "%s/store", restore->home);
    if (work->mac == NULL) {
        return gh_error_set(error, "store_denied", "the store's key cannot be used: OpenSSL failed");
    }
    rc = gh_backup_open(restore->file, work->mac, &work->fd, &work->saved, &work->backup, error);
    if (rc == GH_OK && work->backup.revision == 0) {
        rc = gh_error_at(error, "backup_damaged", restore->file, 0, 0, "no policy was in force when the backup was made");
    }
    if (rc == GH_OK) {
        hold_present(work, &held, &edit);
        rc = restore_held(work, error);
        if (edit.txn != NULL) {
            gh_edit_abort(&edit);
        }
        gh_store_close(held);
    }
    if (work->fd >= 0) {
        close(work->fd);
    }
    if (work->present_fd >= 0) {
        close(work->present_fd);
    }
    gh_hmac_free(work->mac);
    return rc;
}
