/* Keys that a worker knows: what it gives was kept last and not edited since, whatever else was; against a model, and over a store that another process edits. */
#include <stdlib.h>
#include <sys/wait.h>

#include "policy/store/store_internal.h"
#include "tests/unit/store_world.h"

static uint64_t seed = 4711;

static uint32_t
next(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t) (seed >> 33) % below;
}

/* ---- the table by itself ---- */

enum { KEYS = 300, NAMED = 100 };     /* three secrets of each name */

static char paths[NAMED][48], names[NAMED][16];

static void
identity_of(uint32_t number, uint32_t kind, gh_identity_t *identity)
{
    char *path = paths[number % NAMED], *name = names[number % NAMED];

    memset(identity, 0, sizeof(*identity));
    snprintf(path, sizeof(paths[0]), "org/t%u/app-of-it", number % NAMED);
    snprintf(name, sizeof(names[0]), "k%u", number % NAMED);
    gh_sha256(&number, sizeof(number), identity->key_hash);
    identity->path = gh_str_from(path);
    identity->org = (gh_str_t) { path, 3 };
    identity->tenant = (gh_str_t) { path + 4, identity->path.len - 4 - 10 };
    identity->app = (gh_str_t) { path + identity->path.len - 9, 9 };
    identity->key = gh_str_from(name);
    identity->key_uid = 1000 + number;
    identity->app_uid = number % NAMED;
    identity->tenant_uid = 7;
    identity->org_uid = UINT32_MAX;
    identity->not_after_ms = number * 3;
    identity->profile = kind;
    identity->audit = kind % 2;
    identity->limits.count = kind % 3;
    identity->limits.max_output = kind * 2;
    for (uint32_t i = 0; i < identity->limits.count; i++) {
        identity->limits.items[i] = (gh_limit_t) { .level = GH_LEVEL_APP, .dimension = 1, .per = 1, .limit_class = 1, .amount = kind, .model = i };
    }
}

static bool
same(const gh_identity_t *a, const gh_identity_t *b)
{
    return memcmp(a->key_hash, b->key_hash, 32) == 0 && gh_str_eq(a->path, b->path) && gh_str_eq(a->org, b->org) && gh_str_eq(a->tenant, b->tenant) && gh_str_eq(a->app, b->app)
        && gh_str_eq(a->key, b->key) && a->key_uid == b->key_uid && a->app_uid == b->app_uid && a->tenant_uid == b->tenant_uid && a->org_uid == b->org_uid
        && a->not_after_ms == b->not_after_ms && a->not_before_ms == 0 && a->profile == b->profile && a->audit == b->audit
        && memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0 && a->own_classes.len + a->own_places.len + a->own_models.len + a->user.len + a->token.len == 0;
}

static void
test_model(uint64_t keys, unsigned least)
{
    static uint32_t  kinds[KEYS];     /* what was kept last; 0: nothing that stands */
    gh_known_keys_t *known = gh_known_keys_new(keys);
    gh_heap_t        heap;
    gh_identity_t    wanted, found;
    unsigned         found_count = 0, stood = 0;

    memset(kinds, 0, sizeof(kinds));
    gh_heap_init(&heap);
    for (unsigned step = 0; step < 60000; step++) {
        uint32_t number = next(KEYS), what = next(1000);

        if (what < 400) {
            kinds[number] = 1 + next(500);
            identity_of(number, kinds[number], &wanted);
            CHECK(gh_known_keys_keep(known, &wanted));
        } else if (what < 405) {
            char path[80];

            identity_of(number, 0, &wanted);
            snprintf(path, sizeof(path), "%s/%s", paths[number % NAMED], names[number % NAMED]);
            gh_known_keys_changed(known, gh_str_from(path));
            for (uint32_t i = number % NAMED; i < KEYS; i += NAMED) {
                kinds[i] = 0;
            }
        } else if (what < 406) {
            gh_known_keys_forget(known);
            memset(kinds, 0, sizeof(kinds));
        } else {
            identity_of(number, kinds[number], &wanted);
            stood += kinds[number] != 0;
            if (gh_known_keys_find(known, wanted.key_hash, &heap.arena, &found)) {
                CHECK(kinds[number] != 0 && same(&found, &wanted));
                found_count++;
            }
        }
    }
    CHECK(found_count > stood / 100 * least);
    gh_heap_free(&heap);
    gh_known_keys_free(known);
}

/* As many as it was made for, and nearly all of them stand: each that does not costs two look-ups in the store, again and again. */
static void
test_room(void)
{
    enum { MANY = 50000 };

    gh_known_keys_t *known = gh_known_keys_new(MANY);
    gh_heap_t        heap;
    gh_identity_t    one, found;
    unsigned         there = 0;

    gh_heap_init(&heap);
    for (uint32_t number = 0; number < MANY; number++) {
        identity_of(number, 1, &one);
        CHECK(gh_known_keys_keep(known, &one));
    }
    for (uint32_t number = 0; number < MANY; number++) {
        identity_of(number, 1, &one);
        gh_known_keys_prefetch(known, one.key_hash);
        if (gh_known_keys_find(known, one.key_hash, &heap.arena, &found)) {
            CHECK(same(&found, &one));
            there++;
        }
    }
    CHECK(there > MANY / 1000 * 999);
    gh_heap_free(&heap);
    gh_known_keys_free(known);
}

/* What it has no place for is not kept, nor changed on the way. */
static void
test_plain(void)
{
    gh_known_keys_t *known = gh_known_keys_new(10);
    gh_identity_t    one, changed;
    char             name[64];
    unsigned         shapes = 0;

    memset(name, 'n', sizeof(name));
    identity_of(1, 1, &one);
    CHECK(gh_known_keys_keep(known, &one));
    for (int i = 0; i < 8; i++) {
        changed = one;
        switch (i) {
        case 0: changed.key = (gh_str_t) { name, 63 }; break;
        case 1: changed.app_uid = (uint64_t) UINT32_MAX + 1; break;
        case 2: changed.not_before_ms = 1; break;
        case 3: changed.own_classes = GH_STR("c"); break;
        case 4: changed.own_places = GH_STR("EU"); break;
        case 5: changed.own_models = GH_STR("m"); break;
        case 6: changed.user_uid = 1; break;
        default: changed.keyless = true; break;
        }
        CHECK(!gh_known_keys_keep(known, &changed));
    }
    for (uint32_t kind = 1; kind < 10000; kind++) {
        identity_of(2, kind, &one);
        shapes += gh_known_keys_keep(known, &one);
    }
    CHECK_INT(shapes, 4096);
    gh_known_keys_forget(known);
    CHECK(gh_known_keys_keep(known, &one));
    CHECK(!gh_known_keys_outgrown(known, 100) && gh_known_keys_outgrown(known, 100000));
    gh_known_keys_free(known);
}

/* ---- over a store ---- */

enum { NAMES = 12, SECRETS = 40 };

static struct { char text[GH_KEY_TEXT + 1]; int state; } secrets[NAMES][SECRETS];      /* 0: not there, else GH_KEY_* */
static unsigned made[NAMES];

static int
edit_one(gh_store_t *store, unsigned name, unsigned what, uint8_t random)
{
    char       path[64], text[GH_KEY_TEXT + 1], key[16];
    gh_error_t error = { 0 };

    snprintf(key, sizeof(key), "n%u", name);
    snprintf(path, sizeof(path), "nord/retail/chat/n%u", name);
    if (what == 0) {
        return store_new_key(store, "chat", key, random, 0, text, &error);
    }
    if (what == 1) {
        gh_store_key_rotate_t rotate = { .path = gh_str_from(path), .now_ms = WORLD_NOW, .before_until_ms = WORLD_NOW + 3600000, .actor = GH_STR("bob") };

        memset(rotate.random, random, sizeof(rotate.random));
        return gh_store_key_rotate(store, &rotate, text, &error);
    }
    return what == 2 ? gh_store_key_retire(store, gh_str_from(path), WORLD_NOW, GH_STR("bob"), &error) : gh_store_key_revoke(store, gh_str_from(path), WORLD_NOW, GH_STR("bob"), NULL, &error);
}

/* What the edit makes of the secrets, if it is one that can be made. */
static bool
model_one(unsigned name, unsigned what, uint8_t random)
{
    unsigned count = made[name];
    int     *last = count > 0 ? &secrets[name][count - 1].state : NULL, *before = count > 1 ? &secrets[name][count - 2].state : NULL;
    bool     rotating = before != NULL && *before == GH_KEY_RETIRING;
    uint8_t  bytes[32];

    if (count == SECRETS || (what == 0) != (count == 0) || (what > 0 && *last == GH_KEY_REVOKED) || (what == 1 && rotating) || (what == 2 && !rotating)) {
        return false;
    }
    if (what == 2 || what == 3) {
        *(rotating ? before : last) = GH_KEY_REVOKED;
        *last = what == 3 ? GH_KEY_REVOKED : *last;
        return true;
    }
    if (what == 1) {
        *last = GH_KEY_RETIRING;
    }
    memset(bytes, random, sizeof(bytes));
    gh_key_text(bytes, secrets[name][count].text);
    secrets[name][made[name]++].state = GH_KEY_LIVE;
    return true;
}

static const char *
identified(gh_store_t *store, const char *text, gh_identity_t *identity)
{
    static gh_heap_t heap;
    gh_error_t       error = { 0 };

    gh_heap_free(&heap);
    gh_heap_init(&heap);
    return gh_store_identify(store, gh_str_from(text), WORLD_NOW, &heap.arena, identity, NULL, &error) == GH_OK ? "ok" : error.code;
}

/* Some edits at once by another process; then every secret that there ever was, and whether those that nobody edited are known without a look at their records. */
static void
test_edits(void)
{
    gh_error_t    error = { 0 };
    gh_store_t   *store = store_open(false, &error);
    gh_identity_t identity;
    uint8_t       random = 1;
    unsigned      kept = 0, revoked = 0;

    if (!CHECK(store != NULL)) {
        return;
    }
    for (int round = 0; round < 40; round++) {
        struct { unsigned name, what; uint8_t random; } edits[8];
        unsigned count = 0;
        bool     touched[NAMES] = { false };
        pid_t    child;
        int      status;

        for (unsigned i = 0; i < 30 && count < 1 + next(8); i++) {
            unsigned name = next(NAMES), what = next(20) == 0 ? 3 : next(3);

            if (count < 8 && random < 250 && model_one(name, what, random)) {
                edits[count].name = name;
                edits[count].what = what;
                edits[count++].random = random++;
                touched[name] = true;
            }
        }
        child = fork();
        if (child == 0) {
            gh_store_t *writer = store_open(true, &error);
            bool        good = writer != NULL;

            for (unsigned i = 0; i < count && good; i++) {
                good = edit_one(writer, edits[i].name, edits[i].what, edits[i].random) == GH_OK;
            }
            _exit(!good);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        CHECK(strcmp(identified(store, "gh_nobody's", &identity), "ok") != 0);
        for (unsigned name = 0; name < NAMES; name++) {
            for (unsigned i = 0; i < made[name]; i++) {
                const char *wanted = secrets[name][i].state == GH_KEY_REVOKED ? "key_revoked" : "ok";

                CHECK(strcmp(identified(store, secrets[name][i].text, &identity), wanted) == 0);
                revoked += secrets[name][i].state == GH_KEY_REVOKED;
                if (*wanted == 'o' && !touched[name] && round > 0) {
                    gh_heap_t     heap;
                    gh_identity_t found;

                    gh_heap_init(&heap);
                    if (gh_known_keys_find(gh_store_known_keys(store), identity.key_hash, &heap.arena, &found)) {
                        CHECK_INT(found.key_uid, identity.key_uid);
                        kept++;
                    }
                    gh_heap_free(&heap);
                }
            }
        }
    }
    CHECK(kept > 100 && revoked > 100);
    gh_store_close(store);
}

/* An edit of one key leaves all others known; another revision none. */
static void
test_others_stand(void)
{
    gh_error_t    error = { 0 };
    gh_store_t   *store = store_open(false, &error);
    gh_identity_t identity;
    gh_heap_t     heap;
    unsigned      live = 0, stood = 0;
    uint8_t       hashes[NAMES][32];
    pid_t         child;
    int           status;

    gh_heap_init(&heap);
    if (!CHECK(store != NULL)) {
        return;
    }
    for (unsigned name = 0; name < NAMES; name++) {
        if (made[name] > 0 && secrets[name][made[name] - 1].state != GH_KEY_REVOKED && strcmp(identified(store, secrets[name][made[name] - 1].text, &identity), "ok") == 0) {
            memcpy(hashes[live++], identity.key_hash, 32);
        }
    }
    child = fork();
    if (child == 0) {
        gh_store_t *writer = store_open(true, &error);
        char        text[GH_KEY_TEXT + 1];

        _exit(writer == NULL || store_new_key(writer, "chat", "another", 251, 0, text, &error) != GH_OK);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_INT(gh_store_begin(store, WORLD_NOW, &error), GH_OK);
    CHECK_INT(gh_store_load_image(store, WORLD_NOW, &error), GH_OK);
    for (unsigned i = 0; i < live; i++) {
        stood += gh_known_keys_find(gh_store_known_keys(store), hashes[i], &heap.arena, &identity);
    }
    gh_store_end(store);
    CHECK(live > 3 && stood == live);

    child = fork();
    if (child == 0) {                 /* another revision: nothing stands */
        gh_store_t *writer = store_open(true, &error);
        uint64_t    revision;

        _exit(writer == NULL || store_apply(writer, store_tenants, &revision) != GH_OK);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_INT(gh_store_begin(store, WORLD_NOW, &error), GH_OK);
    CHECK_INT(gh_store_load_image(store, WORLD_NOW, &error), GH_OK);
    for (unsigned i = 0; i < live; i++) {
        CHECK(!gh_known_keys_find(gh_store_known_keys(store), hashes[i], &heap.arena, &identity));
    }
    gh_store_end(store);
    gh_store_close(store);
    gh_heap_free(&heap);
}

int
main(void)
{
    gh_error_t  error = { 0 };
    gh_store_t *store;
    uint64_t    revision;

    test_model(1000, 99);
    test_model(0, 40);
    test_room();
    test_plain();
    if (CHECK(store_make()) && CHECK((store = store_open(true, &error)) != NULL) && CHECK_INT(store_apply(store, store_tenants, &revision), GH_OK)) {
        gh_store_close(store);
        test_edits();
        test_others_stand();
    }
    store_remove();
    return check_done("known_keys");
}
