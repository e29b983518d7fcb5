/* Backups of the store, to their last byte, and restoring one over what stands there. */
#include "tests/unit/store_world.h"

#include "policy/store/store_backup.h"

static char saved[128];

static bool
is(const gh_error_t *error, const char *code)
{
    bool same = error->code != NULL && strcmp(error->code, code) == 0;

    if (!same) {
        fprintf(stderr, "    code %s: %s\n", error->code == NULL ? "none" : error->code, error->text);
    }
    return same;
}

/* One byte in each stretch of the file is another: refused, whichever it is. */
static void
test_every_stretch(void)
{
    gh_backup_t backup;
    gh_error_t  error = { 0 };
    struct stat st;
    unsigned    taken = 0, looks = 0;
    int         fd = open(saved, O_RDWR);

    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    for (off_t at = 0; at < st.st_size - (off_t) GH_BACKUP_SEAL; at += 499, looks++) {
        uint8_t byte;

        CHECK(pread(fd, &byte, 1, at) == 1);
        byte ^= 4;
        CHECK(pwrite(fd, &byte, 1, at) == 1);
        taken += gh_backup_check(saved, store_key, &backup, &error) == GH_OK;
        byte ^= 4;
        CHECK(pwrite(fd, &byte, 1, at) == 1);
    }
    close(fd);
    printf("backup: %u changed bytes, %u taken\n", looks, taken);
    CHECK(looks > 100 && taken == 0);
    CHECK_INT(gh_backup_check(saved, store_key, &backup, &error), GH_OK);
    CHECK_INT(backup.revision, 1);
}

static void
test_round(void)
{
    gh_restore_t   restore = { .home = store_home, .file = saved, .used_revision = 40, .author = GH_STR("alice"), .reason = GH_STR("test"),
                               .now_ms = WORLD_NOW };
    gh_restored_t  restored;
    gh_store_key_t *keys;
    gh_error_t     error = { 0 };
    gh_backup_t    backup;
    gh_store_t    *store = store_open(true, &error);
    gh_heap_t      heap;
    char           text[GH_KEY_TEXT + 1];
    uint64_t       revision;
    size_t         count, history;
    gh_store_revision_t *revisions;

    gh_heap_init(&heap);
    memcpy(restore.key, store_key, 32);
    CHECK(store != NULL && store_apply(store, store_tenants, &revision) == GH_OK);
    CHECK_INT(store_new_key(store, "chat", "old", 1, 0, text, &error), GH_OK);
    CHECK_INT(gh_store_backup(store, saved, WORLD_NOW, &backup, &error), GH_OK);
    CHECK_INT(gh_store_backup(store, saved, WORLD_NOW, &backup, &error), GH_ERROR);
    CHECK(is(&error, "backup_exists"));
    test_every_stretch();

    CHECK_INT(store_apply(store, store_tenants_more, &revision), GH_OK);
    CHECK_INT(store_new_key(store, "hr", "new", 2, 0, text, &error), GH_OK);
    CHECK_INT(gh_store_key_revoke(store, GH_STR("nord/retail/chat/old"), WORLD_NOW, GH_STR("alice"), NULL, &error), GH_OK);
    gh_store_close(store);

    CHECK_INT(gh_store_restore(&restore, &heap.arena, &restored, &error), GH_OK);
    CHECK(restored.present && restored.revision == 41 && restored.of == 1);
    store = store_open(true, &error);
    if (CHECK(store != NULL)) {
        CHECK(gh_store_revision_number(store, &revision, &error) == GH_OK && revision == 41);
        CHECK(gh_store_history(store, &heap.arena, &revisions, &history, &error) == GH_OK && history == 3);
        CHECK(revisions[0].number == 41 && revisions[0].rollback_of == 1 && revisions[1].number == 2);
        CHECK(gh_store_key_list(store, GH_STR(""), WORLD_NOW, &heap.arena, &keys, &count, &error) == GH_OK && count == 2);
        CHECK(keys[0].state == GH_KEY_REVOKED && keys[0].revoked_ms != 0 && keys[1].state == GH_KEY_LIVE && !keys[1].app_listed);
        CHECK(store_apply(store, store_tenants, &revision) == GH_OK && revision == 42);
        gh_store_close(store);
    }

    /* without its identity the store is lost, and the backup's keys are only taken when that is said; a revocation that can be read stays */
    char mark[96];

    snprintf(mark, sizeof(mark), "%s/store/identity", store_home);
    CHECK(unlink(mark) == 0);
    CHECK(store_open(false, &error) == NULL && is(&error, "store_replaced"));
    CHECK(gh_store_restore(&restore, &heap.arena, &restored, &error) == GH_ERROR && is(&error, "store_lost"));
    restore.keys_as_saved = true;
    CHECK_INT(gh_store_restore(&restore, &heap.arena, &restored, &error), GH_OK);
    CHECK(!restored.present && restored.revision == 43);
    store = store_open(true, &error);
    if (CHECK(store != NULL)) {
        CHECK(gh_store_key_list(store, GH_STR(""), WORLD_NOW, &heap.arena, &keys, &count, &error) == GH_OK && count == 1);
        CHECK(keys[0].state == GH_KEY_REVOKED);
        gh_store_close(store);
    }
    gh_heap_free(&heap);
}

int
main(void)
{
    if (!store_make()) {
        return 1;
    }
    snprintf(saved, sizeof(saved), "%s.backup", store_home);
    test_round();
    unlink(saved);
    store_remove();
    return check_done("store backup");
}
