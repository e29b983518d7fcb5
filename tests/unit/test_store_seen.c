/* What a worker remembers of the store between two looks: that its files are in their places, and who presented keys. */
#include "policy/store/identities.h"
#include "tests/unit/store_world.h"

#include <sys/wait.h>


static uint64_t revision_seen;

/* The code of a look at the policy in force; "ok" when there is none. */
static const char *
look(gh_store_t *store, uint64_t edits, uint64_t now_ms)
{
    gh_error_t  error = { 0 };
    gh_image_t *image;

    gh_store_edits(store, edits);
    if (gh_store_current(store, now_ms, &image, &error) != GH_OK) {
        return error.code;
    }
    revision_seen = gh_image_revision(image);
    return "ok";
}

/* The places stand for a millisecond while nothing is announced. */
static void
test_places(const char *name)
{
    char        path[96], aside[96];
    gh_error_t  error = { 0 };
    gh_store_t *store = store_open(false, &error);

    snprintf(path, sizeof(path), "%s/store/%s", store_home, name);
    snprintf(aside, sizeof(aside), "%s/store/aside", store_home);
    if (!CHECK(store != NULL)) {
        return;
    }
    CHECK(strcmp(look(store, 7, WORLD_NOW), "ok") == 0);
    CHECK(rename(path, aside) == 0);
    CHECK(strcmp(look(store, 7, WORLD_NOW), "ok") == 0);
    CHECK(strcmp(look(store, 8, WORLD_NOW), "store_replaced") == 0);
    CHECK(strcmp(look(store, 8, WORLD_NOW), "store_replaced") == 0);         /* what failed was not seen */
    CHECK(strcmp(look(store, 7, WORLD_NOW), "store_replaced") == 0);
    CHECK(rename(aside, path) == 0);
    CHECK(strcmp(look(store, 8, WORLD_NOW), "ok") == 0);
    CHECK(rename(path, aside) == 0);
    CHECK(strcmp(look(store, 8, WORLD_NOW + 1), "store_replaced") == 0);
    CHECK(rename(aside, path) == 0);

    CHECK(strcmp(look(store, 0, WORLD_NOW + 1), "ok") == 0);
    CHECK(rename(path, aside) == 0);
    CHECK(strcmp(look(store, 0, WORLD_NOW + 1), "store_replaced") == 0);     /* nobody says when it was edited */
    CHECK(rename(aside, path) == 0);
    gh_store_close(store);
}

/* An edit is met at once, announced or not. */
static void
test_edit(void)
{
    gh_error_t  error = { 0 };
    gh_store_t *store = store_open(false, &error), *writer;
    uint64_t    revision;
    pid_t       child;
    int         status;

    if (!CHECK(store != NULL) || !CHECK(strcmp(look(store, 7, WORLD_NOW), "ok") == 0)) {
        return;
    }
    child = fork();
    if (child == 0) {
        writer = store_open(true, &error);
        _exit(writer == NULL || store_apply(writer, store_tenants_more, &revision) != GH_OK);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(strcmp(look(store, 7, WORLD_NOW), "ok") == 0);
    CHECK_INT(revision_seen, 2);
    gh_store_close(store);
}

/* What another process does to a key, or with it. */
static void
edit(const char *revoked, const char *tenants)
{
    gh_error_t  error = { 0 };
    gh_store_t *writer;
    uint64_t    revision;
    pid_t       child = fork();
    int         status;

    if (child == 0) {
        writer = store_open(true, &error);
        _exit(writer == NULL || (revoked != NULL && gh_store_key_revoke(writer, gh_str_from(revoked), WORLD_NOW, GH_STR("bob"), NULL, &error) != GH_OK)
            || (tenants != NULL && store_apply(writer, tenants, &revision) != GH_OK));
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static const char *
identify(gh_store_t *store, const char *key, uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity)
{
    gh_error_t error = { 0 };

    gh_store_edits(store, 1);
    return gh_store_identify(store, gh_str_from(key), now_ms, arena, identity, NULL, &error) == GH_OK ? "ok" : error.code;
}

/* Remembered or read, it is the same identity. */
static void
check_same(const gh_identity_t *a, const gh_identity_t *b)
{
    CHECK(gh_str_eq(a->path, b->path) && gh_str_eq(a->org, b->org) && gh_str_eq(a->tenant, b->tenant) && gh_str_eq(a->app, b->app));
    CHECK(gh_str_eq(a->key, b->key) && gh_str_eq(a->own_classes, b->own_classes));
    CHECK(memcmp(a->key_hash, b->key_hash, 32) == 0 && a->key_uid == b->key_uid && a->profile == b->profile);
    CHECK(a->revision == b->revision && a->transaction == b->transaction && a->not_after_ms == b->not_after_ms);
    CHECK(memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0);
}

/* What ends a key ends it at its next use, however often it was seen before. */
static void
test_keys(char first[], char second[])
{
    gh_error_t    error = { 0 };
    gh_heap_t     heap;
    gh_store_t   *store = store_open(false, &error);
    gh_identity_t one, again;

    gh_heap_init(&heap);
    if (!CHECK(store != NULL)) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        CHECK(strcmp(identify(store, first, WORLD_NOW, &heap.arena, i == 0 ? &one : &again), "ok") == 0);
    }
    check_same(&one, &again);
    CHECK(one.path.data != again.path.data);
    CHECK_STR(again.path, "nord/retail/chat");
    CHECK_STR(again.app, "chat");
    CHECK(strcmp(identify(store, second, WORLD_NOW, &heap.arena, &again), "ok") == 0);
    CHECK(strcmp(identify(store, second, WORLD_NOW + 999, &heap.arena, &again), "ok") == 0);
    CHECK(strcmp(identify(store, second, WORLD_NOW + 1000, &heap.arena, &again), "key_expired") == 0);
    gh_store_close(store);

    store = store_open(false, &error);
    CHECK(strcmp(identify(store, first, WORLD_NOW, &heap.arena, &one), "ok") == 0);
    edit(NULL, "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":[{\"id\":\"retail\",\"apps\":[{\"id\":\"hr\"}]}]}]}");
    CHECK(strcmp(identify(store, first, WORLD_NOW, &heap.arena, &again), "key_unknown") == 0);
    edit(NULL, store_tenants);
    CHECK(strcmp(identify(store, first, WORLD_NOW, &heap.arena, &again), "ok") == 0);
    CHECK(again.transaction != one.transaction && again.revision > one.revision);
    edit("nord/retail/chat/k1", NULL);
    CHECK(strcmp(identify(store, first, WORLD_NOW, &heap.arena, &again), "key_revoked") == 0);
    CHECK(strcmp(identify(store, first, WORLD_NOW, &heap.arena, &again), "key_revoked") == 0);
    gh_store_close(store);
    gh_heap_free(&heap);
}

/* The table by itself: what it gives was kept last under that hash in that state, whatever crowds its places. */
static void
test_table(void)
{
    enum { HASHES = 64 };
    static char      paths[HASHES][32];
    static uint64_t  uids[HASHES], states[HASHES];
    gh_identities_t *table = gh_identities_new();
    gh_heap_t        heap;
    gh_identity_t    identity, found;
    uint8_t          hash[32];
    uint64_t         state = 1, seed = 12345;
    unsigned         hits = 0, kept = 0;

    gh_heap_init(&heap);
    if (!CHECK(table != NULL)) {
        return;
    }
    for (unsigned i = 0; i < 20000; i++) {
        unsigned n;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        n = (unsigned) (seed >> 33) % HASHES;
        memset(hash, 0, sizeof(hash));
        hash[0] = (uint8_t) (n % 16);                   /* four of each: more than the places they have */
        hash[31] = (uint8_t) n;
        if (gh_identities_find(table, state, hash, &heap.arena, &found)) {
            hits++;
            CHECK_INT(found.key_uid, uids[n]);
            CHECK_INT(states[n], state);
            CHECK_STR(found.path, paths[n]);
            CHECK(found.org.data == found.path.data && found.app.data == found.path.data + 2);
        }
        if ((seed >> 50) % 3 == 0) {
            memset(&identity, 0, sizeof(identity));
            memcpy(identity.key_hash, hash, 32);
            snprintf(paths[n], sizeof(paths[n]), "o/%u", i);
            identity.path = gh_str_from(paths[n]);
            identity.org = (gh_str_t) { paths[n], 1 };
            identity.tenant = identity.org;
            identity.app = (gh_str_t) { paths[n] + 2, identity.path.len - 2 };
            identity.key_uid = uids[n] = i;
            states[n] = state;
            gh_identities_keep(table, state, &identity);
            CHECK(gh_identities_find(table, state, hash, &heap.arena, &found) && found.key_uid == i);
            kept++;
        }
        state += (seed >> 40) % 500 == 0;
    }
    CHECK(hits > 1000 && kept > 1000);
    CHECK(!gh_identities_find(table, 0, hash, &heap.arena, &found) && !gh_identities_find(NULL, 1, hash, &heap.arena, &found));
    gh_identities_keep(NULL, 1, &identity);
    gh_identities_free(table);
    gh_heap_free(&heap);
}

/* Names of up to 4096 bytes are kept as short ones are, whichever was in the place before; longer ones are not, and leave what was there. */
static void
test_long_names(void)
{
    static const size_t lengths[] = { 8, 512, 513, 40, 4096, 600, 4096, 4097, 5000, 16, 2000, 511 };
    static char         user[8192];
    gh_identities_t    *table = gh_identities_new();
    gh_heap_t           heap;
    gh_identity_t       identity, found;
    size_t              kept = 0;

    gh_heap_init(&heap);
    if (!CHECK(table != NULL)) {
        return;
    }
    for (size_t i = 0; i < 40 * sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i % (sizeof(lengths) / sizeof(lengths[0]))];

        memset(user, 'a' + (int) (i % 26), sizeof(user));
        memset(&identity, 0, sizeof(identity));
        identity.key_hash[31] = (uint8_t) (i % 3);                /* three that share two places */
        identity.path = GH_STR("o/t/a");
        identity.org = (gh_str_t) { identity.path.data, 1 };
        identity.tenant = (gh_str_t) { identity.path.data + 2, 1 };
        identity.app = (gh_str_t) { identity.path.data + 4, 1 };
        identity.key = GH_STR("k");
        identity.user = (gh_str_t) { user, len - 6 };
        identity.key_uid = i;
        gh_identities_keep(table, 1, &identity);
        memset(user, '-', sizeof(user));                          /* nothing of it is borrowed */
        if (!gh_identities_find(table, 1, identity.key_hash, &heap.arena, &found) || found.key_uid != i) {
            CHECK(len > 4096);
            continue;
        }
        kept++;
        CHECK(len <= 4096 && found.user.len == len - 6);
        CHECK(found.user.data[0] == 'a' + (char) (i % 26) && memcmp(found.user.data, found.user.data + 1, found.user.len - 1) == 0);
        CHECK_STR(found.path, "o/t/a");
        CHECK_STR(found.key, "k");
        CHECK(found.tenant.data == found.path.data + 2);
    }
    CHECK_INT((long) kept, 400);
    gh_identities_free(table);
    gh_heap_free(&heap);
}

int
main(void)
{
    char        first[GH_KEY_TEXT + 1], second[GH_KEY_TEXT + 1];
    gh_error_t  error = { 0 };
    gh_store_t *store;
    uint64_t    revision;

    if (CHECK(store_make())) {
        store = store_open(true, &error);
        CHECK(store != NULL && store_apply(store, store_tenants, &revision) == GH_OK);
        CHECK_INT(store_new_key(store, "chat", "k1", 1, 0, first, &error), GH_OK);
        CHECK_INT(store_new_key(store, "chat", "k2", 2, WORLD_NOW + 1000, second, &error), GH_OK);
        gh_store_close(store);
        test_places("data.mdb");
        test_places("lock.mdb");
        test_edit();
        test_keys(first, second);
    }
    test_table();
    test_long_names();
    store_remove();
    return check_done("store seen");
}
