/* Keys that other keys make, against a store that is edited meanwhile, and across apps of other audit modes. */
#include "policy/audit/mode.h"
#include "policy/store/store_edit.h"
#include "tests/unit/store_world.h"

static gh_heap_t heap;

#define IS(got, want) CHECK_STR(gh_str_from(got), want)

static const char tenants[] =
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"audit\":\"best-effort\",\"tenants\":[{\"id\":\"retail\",\"apps\":["
    "{\"id\":\"chat\"},{\"id\":\"mail\"},{\"id\":\"hr\",\"audit\":\"required\"}]}]}]}";

/* The small world, whose policy permits best-effort. */
static void
apply(gh_store_t *store)
{
    char                 residency[1024];
    gh_document_source_t sources[3] = { { GH_STR("fleet.json"), gh_str_from(store_fleet) }, { GH_STR("residency.json"), { residency, 0 } },
                                        { GH_STR("tenants.json"), gh_str_from(tenants) } };
    gh_apply_t           what = { .sources = sources, .source_count = 3, .author = GH_STR("alice"), .reason = GH_STR("test"), .now_ms = WORLD_NOW };
    gh_report_t          report;
    uint64_t             revision;

    sources[1].bytes.len = (size_t) snprintf(residency, sizeof(residency), "%.*s,\"audit\":\"best-effort\"}", (int) strlen(store_residency) - 1, store_residency);
    gh_report_init(&report, &heap.arena);
    CHECK_INT(gh_apply(store, &heap.arena, &what, &revision, &report), GH_OK);
}

static gh_minted_t minted;
static gh_str_t    by;

static const char *
mint(gh_store_t *store, const char *presented, const char *path, uint64_t *seen_change)
{
    static gh_error_t error;

    minted = (gh_minted_t) { .classes = GH_STR(""), .mints = GH_STR(""), .places = GH_STR(""), .models = GH_STR("") };
    memset(&error, 0, sizeof(error));
    return gh_store_mint(store, gh_str_from(presented), gh_str_from(path), WORLD_NOW, &heap.arena, &minted, &by, seen_change, &error) == GH_OK ? "ok" : error.code;
}

static const char *
make(gh_store_t *store, const char *app, const char *name, const char *mints, uint64_t seen_change, char text[GH_KEY_TEXT + 1])
{
    static gh_error_t  error;
    static uint8_t     seed = 1;
    gh_store_key_new_t key = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = gh_str_from(app), .name = gh_str_from(name), .now_ms = WORLD_NOW, .actor = GH_STR("alice"),
                               .mints = gh_str_from(mints), .seen_change = seen_change };

    memset(&error, 0, sizeof(error));
    memset(key.random, seed++, sizeof(key.random));
    return gh_store_key_create(store, &key, text, &error) == GH_OK ? "ok" : error.code;
}

/* A key of nord/retail/APP that the presented one makes. */
static const char *
make_by(gh_store_t *store, const char *presented, const char *app, const char *name, const char *mints, char text[GH_KEY_TEXT + 1])
{
    static gh_error_t  error;
    static uint8_t     seed = 100;
    gh_store_key_new_t key = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = gh_str_from(app), .name = gh_str_from(name), .now_ms = WORLD_NOW, .actor = GH_STR("alice") };
    char               path[256];
    const char        *made;

    snprintf(path, sizeof(path), "nord/retail/%s", app);
    made = mint(store, presented, path, &key.seen_change);
    if (strcmp(made, "ok") != 0) {
        return made;
    }
    memset(&error, 0, sizeof(error));
    key.mints = gh_str_from(mints);
    key.minter = by;
    key.classes = minted.classes;
    key.places = minted.places;
    key.models = minted.models;
    key.limits = minted.limits.items;
    key.limit_count = minted.limits.count;
    key.not_after_ms = minted.not_after_ms;
    memset(key.random, seed++, sizeof(key.random));
    return gh_store_key_create(store, &key, text, &error) == GH_OK ? "ok" : error.code;
}

static gh_store_key_t *
listed(gh_store_t *store, const char *path)
{
    gh_store_key_t *keys = NULL;
    gh_error_t      error = { 0 };
    size_t          count = 0;

    CHECK_INT(gh_store_key_list(store, gh_str_from(path), WORLD_NOW, &heap.arena, &keys, &count, &error), GH_OK);
    CHECK_INT(count, 1);
    return &keys[0];
}

static size_t followed;

static const char *
edited(gh_store_t *store, gh_store_key_edit_t edit)
{
    static gh_error_t error;

    memset(&error, 0, sizeof(error));
    followed = 0;
    edit.now_ms = WORLD_NOW;
    edit.actor = GH_STR("alice");
    edit.followed = &followed;
    return gh_store_key_edit(store, &edit, &error) == GH_OK ? "ok" : error.code;
}

#define EDIT(...) edited(store, (gh_store_key_edit_t) { __VA_ARGS__ })

/* What is taken from a key is taken from what it made, and from what that made; what it is given again they do not get. */
static void
test_narrowed(gh_store_t *store)
{
    gh_limit_t limits[] = { { .level = GH_LEVEL_KEY, .dimension = GH_COUNT_REQUESTS, .per = GH_PER_DAY, .limit_class = GH_LIMIT_RATE, .amount = 9 },
                            { .level = GH_LEVEL_KEY, .dimension = GH_COUNT_REQUESTS, .per = GH_PER_DAY, .limit_class = GH_LIMIT_RATE, .amount = 99 } };
    char       root[GH_KEY_TEXT + 1], child[GH_KEY_TEXT + 1], text[GH_KEY_TEXT + 1];
    gh_store_key_t *key;

    IS(make(store, "mail", "root", "nord/retail", 0, root), "ok");
    IS(make(store, "mail", "beside", "", 0, text), "ok");
    IS(make_by(store, root, "chat", "child", "nord/retail nord/retail/mail", child), "ok");
    IS(make_by(store, child, "mail", "grandchild", "", text), "ok");
    CHECK_STR(listed(store, "nord/retail/mail/grandchild")->minter, "nord/retail/chat/child");
    CHECK_STR(listed(store, "nord/retail/chat/child")->minter, "nord/retail/mail/root");
    CHECK_INT(listed(store, "nord/retail/mail/root")->minter.len, 0);

    IS(EDIT(.path = GH_STR("nord/retail/mail/root"), .says = GH_KEY_SAYS_PLACES | GH_KEY_SAYS_MODELS | GH_KEY_SAYS_LIMITS | GH_KEY_SAYS_EXPIRES, .places = GH_STR("SE"),
           .models = GH_STR("gpt"), .limits = limits, .limit_count = 1, .not_after_ms = WORLD_NOW + 9000), "ok");
    CHECK_INT(followed, 2);
    for (int i = 0; i < 2; i++) {
        key = listed(store, i == 0 ? "nord/retail/chat/child" : "nord/retail/mail/grandchild");
        CHECK_STR(key->places, "SE");
        CHECK_STR(key->models, "gpt");
        CHECK_INT(key->limit_count, 1);
        CHECK_INT(key->limits[0].amount, 9);
        CHECK_INT(key->not_after_ms, WORLD_NOW + 9000);
    }
    key = listed(store, "nord/retail/mail/beside");
    CHECK(key->places.len == 0 && key->models.len == 0 && key->limit_count == 0 && key->not_after_ms == 0);

    IS(EDIT(.path = GH_STR("nord/retail/mail/root"), .says = GH_KEY_SAYS_PLACES, .places = GH_STR("SE")), "ok");
    CHECK_INT(followed, 0);                                              /* they have it already */
    IS(EDIT(.path = GH_STR("nord/retail/mail/root"), .says = GH_KEY_SAYS_MINTS, .mints = GH_STR("nord/retail/mail")), "ok");
    CHECK_INT(followed, 1);
    CHECK_STR(listed(store, "nord/retail/chat/child")->mints, "nord/retail/mail");
    IS(EDIT(.path = GH_STR("nord/retail/mail/root"), .says = GH_KEY_SAYS_PLACES | GH_KEY_SAYS_EXPIRES), "ok");
    CHECK_INT(followed, 0);
    CHECK_STR(listed(store, "nord/retail/mail/grandchild")->places, "SE");
    CHECK_INT(listed(store, "nord/retail/mail/grandchild")->not_after_ms, WORLD_NOW + 9000);

    /* what is said of a key that was made is held against the one that made it */
    IS(EDIT(.path = GH_STR("nord/retail/mail/grandchild"), .says = GH_KEY_SAYS_PLACES | GH_KEY_SAYS_LIMITS | GH_KEY_SAYS_MODELS, .limits = &limits[1], .limit_count = 1), "ok");
    key = listed(store, "nord/retail/mail/grandchild");
    CHECK_STR(key->places, "SE");
    CHECK_STR(key->models, "gpt");
    CHECK_INT(key->limits[0].amount, 9);
    IS(EDIT(.path = GH_STR("nord/retail/mail/grandchild"), .says = GH_KEY_SAYS_EXPIRES, .not_after_ms = WORLD_NOW + 9001), "mint_longer");
    IS(EDIT(.path = GH_STR("nord/retail/mail/grandchild"), .says = GH_KEY_SAYS_EXPIRES, .not_after_ms = WORLD_NOW + 8999), "ok");
    IS(EDIT(.path = GH_STR("nord/retail/mail/grandchild"), .says = GH_KEY_SAYS_EXPIRES), "ok");
    CHECK_INT(listed(store, "nord/retail/mail/grandchild")->not_after_ms, WORLD_NOW + 9000);
    IS(EDIT(.path = GH_STR("nord/retail/mail/grandchild"), .says = GH_KEY_SAYS_MINTS, .mints = GH_STR("nord")), "mint_elsewhere");

    /* until it is nobody's */
    IS(EDIT(.path = GH_STR("nord/retail/mail/grandchild"), .says = GH_KEY_SAYS_MINTER | GH_KEY_SAYS_PLACES | GH_KEY_SAYS_EXPIRES), "ok");
    key = listed(store, "nord/retail/mail/grandchild");
    CHECK(key->places.len == 0 && key->minter.len == 0 && key->not_after_ms == 0);
    IS(EDIT(.path = GH_STR("nord/retail/mail/root"), .says = GH_KEY_SAYS_PLACES, .places = GH_STR("DE")), "ok");
    CHECK_INT(followed, 1);
    CHECK_STR(listed(store, "nord/retail/chat/child")->places, "SE\nDE");
    CHECK_INT(listed(store, "nord/retail/mail/grandchild")->places.len, 0);
}

/* A secret that is being rotated away is narrowed, too, and no rotation outlasts the minter. */
static void
test_rotated(gh_store_t *store)
{
    gh_store_key_rotate_t rotate = { .path = GH_STR("nord/retail/chat/made"), .now_ms = WORLD_NOW, .before_until_ms = WORLD_NOW + 5000, .expires = true, .actor = GH_STR("alice") };
    char                  minter[GH_KEY_TEXT + 1], old[GH_KEY_TEXT + 1], text[GH_KEY_TEXT + 1];
    gh_identity_t         identity;
    gh_error_t            error = { 0 };

    memset(rotate.random, 77, sizeof(rotate.random));
    IS(make(store, "chat", "maker", "", 0, minter), "ok");
    IS(make_by(store, minter, "chat", "made", "", old), "ok");
    IS(EDIT(.path = GH_STR("nord/retail/chat/maker"), .says = GH_KEY_SAYS_EXPIRES, .not_after_ms = WORLD_NOW + 9000), "ok");
    rotate.not_after_ms = WORLD_NOW + 9001;
    CHECK_INT(gh_store_key_rotate(store, &rotate, text, &error), GH_ERROR);
    IS(error.code, "mint_longer");
    rotate.not_after_ms = WORLD_NOW + 9000;
    CHECK_INT(gh_store_key_rotate(store, &rotate, text, &error), GH_OK);
    IS(EDIT(.path = GH_STR("nord/retail/chat/maker"), .says = GH_KEY_SAYS_PLACES, .places = GH_STR("SE")), "ok");
    CHECK_INT(gh_store_identify(store, gh_str_from(old), WORLD_NOW, &heap.arena, &identity, NULL, &error), GH_OK);
    CHECK_STR(identity.own_places, "SE");
    CHECK_INT(gh_store_identify(store, gh_str_from(text), WORLD_NOW, &heap.arena, &identity, NULL, &error), GH_OK);
    CHECK_STR(identity.own_places, "SE");

    rotate = (gh_store_key_rotate_t) { .path = GH_STR("nord/retail/chat/maker"), .now_ms = WORLD_NOW, .expires = true, .not_after_ms = WORLD_NOW + 3000, .actor = GH_STR("alice") };
    memset(rotate.random, 78, sizeof(rotate.random));
    CHECK_INT(gh_store_key_rotate(store, &rotate, text, &error), GH_OK);
    CHECK_INT(listed(store, "nord/retail/chat/made")->not_after_ms, WORLD_NOW + 3000);
    CHECK_INT(listed(store, "nord/retail/chat/made")->before_until_ms, WORLD_NOW + 3000);
}

/* With a key all that it made ends, and nothing else; who follows is found by name, in front of and behind the key's own. */
static void
test_revoked(gh_store_t *store)
{
    char           texts[5][GH_KEY_TEXT + 1];
    const char    *names[] = { "nord/retail/hr/a", "nord/retail/chat/b", "nord/retail/mail/c", "nord/retail/mail/d", "nord/retail/mail/e" };
    gh_error_t     error = { 0 };
    gh_identity_t  identity;
    gh_arena_t    *arena = &heap.arena;
    size_t         count = 0;

    IS(make(store, "mail", "c", "nord/retail", 0, texts[2]), "ok");
    IS(make_by(store, texts[2], "hr", "a", "nord/retail", texts[0]), "ok");
    IS(make_by(store, texts[0], "hr", "b", "", texts[1]), "ok");
    IS(make_by(store, texts[2], "mail", "d", "", texts[3]), "ok");
    IS(make(store, "mail", "e", "", 0, texts[4]), "ok");
    names[1] = "nord/retail/hr/b";
    CHECK_INT(gh_store_key_revoke(store, gh_str_from(names[3]), WORLD_NOW, GH_STR("alice"), &count, &error), GH_OK);
    CHECK_INT(count, 0);
    CHECK_INT(gh_store_key_revoke(store, gh_str_from(names[2]), WORLD_NOW, GH_STR("alice"), &count, &error), GH_OK);
    CHECK_INT(count, 2);                                                 /* one was before */
    for (int i = 0; i < 5; i++) {
        bool gone = gh_store_identify(store, gh_str_from(texts[i]), WORLD_NOW, arena, &identity, NULL, &error) != GH_OK;

        CHECK_INT(gone, i < 4);
        CHECK_INT(listed(store, names[i])->revoked_ms != 0, i < 4);
    }
    IS(mint(store, texts[0], "nord/retail/hr", &(uint64_t) { 0 }), "key_revoked");
    IS(EDIT(.path = GH_STR("nord/retail/hr/b"), .says = GH_KEY_SAYS_MINTER), "key_revoked");
}

/* Who edits by its key edits what it made alone. */
static void
test_minter_of(gh_store_t *store)
{
    char       maker[GH_KEY_TEXT + 1], made[GH_KEY_TEXT + 1], text[GH_KEY_TEXT + 1];
    gh_error_t error = { 0 };
    uint64_t   seen;

    IS(make(store, "chat", "m1", "", 0, maker), "ok");
    IS(make_by(store, maker, "chat", "m2", "", made), "ok");
    IS(make_by(store, made, "chat", "m3", "", text), "ok");
    CHECK_INT(gh_store_minter_of(store, gh_str_from(maker), GH_STR("nord/retail/chat/m3"), WORLD_NOW, &heap.arena, &by, &seen, &error), GH_OK);
    CHECK_STR(by, "nord/retail/chat/m1");
    CHECK_INT(gh_store_minter_of(store, gh_str_from(made), GH_STR("nord/retail/chat/m3"), WORLD_NOW, &heap.arena, &by, &seen, &error), GH_OK);
    for (int i = 0; i < 3; i++) {
        const char *path = i == 0 ? "nord/retail/chat/m1" : i == 1 ? "nord/retail/chat/m2" : "nord/retail/chat/m3";

        CHECK_INT(gh_store_minter_of(store, gh_str_from(text), gh_str_from(path), WORLD_NOW, &heap.arena, &by, &seen, &error), GH_ERROR);
        IS(error.code, "mint_elsewhere");
    }
    CHECK_INT(gh_store_minter_of(store, gh_str_from(maker), GH_STR("nord/retail/chat/m9"), WORLD_NOW, &heap.arena, &by, &seen, &error), GH_ERROR);
    IS(error.code, "key_unknown");
    CHECK_INT(gh_store_minter_of(store, gh_str_from(maker), GH_STR("nord/retail/chat/m3"), WORLD_NOW, &heap.arena, &by, &seen, &error), GH_OK);
    IS(EDIT(.path = GH_STR("nord/retail/chat/m1"), .says = GH_KEY_SAYS_OWNER, .owner = GH_STR("bert")), "ok");
    IS(EDIT(.path = GH_STR("nord/retail/chat/m3"), .says = GH_KEY_SAYS_OWNER, .owner = GH_STR("bert"), .seen_change = seen), "store_moved");
}

/* Of apps whose requests are sent unrecorded when they have to be no key makes some whose own are not. */
static void
test_audit(gh_store_t *store)
{
    char     required[GH_KEY_TEXT + 1], effort[GH_KEY_TEXT + 1];
    uint64_t seen;

    IS(make(store, "hr", "required", "nord", 0, required), "ok");
    IS(make(store, "mail", "effort", "nord", 0, effort), "ok");
    IS(mint(store, required, "nord/retail/chat", &seen), "mint_wider");
    IS(mint(store, required, "nord/retail/hr", &seen), "ok");
    IS(mint(store, effort, "nord/retail/chat", &seen), "ok");
    IS(mint(store, effort, "nord/retail/hr", &seen), "ok");
    CHECK(!minted.audit_required);
    IS(EDIT(.path = GH_STR("nord/retail/mail/effort"), .says = GH_KEY_SAYS_AUDIT, .audit_required = true), "ok");
    IS(mint(store, effort, "nord/retail/chat", &seen), "ok");
    CHECK(minted.audit_required);
}

/* A key asks for a record that its app does without; what it made has to, too, and cannot be let off while it follows. */
static void
test_asks_for_a_record(gh_store_t *store)
{
    const char    *paths[] = { "nord/retail/mail/r1", "nord/retail/chat/r2" };
    char           maker[GH_KEY_TEXT + 1], made[GH_KEY_TEXT + 1];
    gh_identity_t  identity;
    gh_error_t     error = { 0 };

    IS(make(store, "mail", "r1", "nord", 0, maker), "ok");
    IS(make_by(store, maker, "chat", "r2", "", made), "ok");
    for (int asked = 0; asked < 2; asked++) {
        for (int i = 0; i < 2; i++) {
            CHECK_INT(listed(store, paths[i])->audit_required, asked);
            CHECK_INT(gh_store_identify(store, gh_str_from(i == 0 ? maker : made), WORLD_NOW, &heap.arena, &identity, NULL, &error), GH_OK);
            CHECK_INT(identity.audit, asked ? GH_AUDIT_REQUIRED : GH_AUDIT_BEST_EFFORT);
        }
        IS(EDIT(.path = GH_STR("nord/retail/mail/r1"), .says = GH_KEY_SAYS_AUDIT, .audit_required = true), "ok");
        CHECK_INT(followed, asked == 0);
    }
    IS(EDIT(.path = GH_STR("nord/retail/chat/r2"), .says = GH_KEY_SAYS_AUDIT), "ok");
    CHECK(listed(store, paths[1])->audit_required);
    IS(EDIT(.path = GH_STR("nord/retail/mail/r1"), .says = GH_KEY_SAYS_AUDIT), "ok");
    CHECK(!listed(store, paths[0])->audit_required && listed(store, paths[1])->audit_required);
    IS(EDIT(.path = GH_STR("nord/retail/chat/r2"), .says = GH_KEY_SAYS_AUDIT), "ok");
    CHECK(!listed(store, paths[1])->audit_required);
}

/* Whatever is edited between the minter's being looked at and the key's being made: it is not made. */
static void
test_moved(gh_store_t *store)
{
    gh_store_key_edit_t edit = { .path = GH_STR("nord/retail/chat/minter"), .now_ms = WORLD_NOW, .says = GH_KEY_SAYS_OWNER, .owner = GH_STR("bert"), .actor = GH_STR("alice") };
    char                minter[GH_KEY_TEXT + 1], text[GH_KEY_TEXT + 1];
    gh_error_t          error = { 0 };
    uint64_t            seen = 0;

    IS(make(store, "chat", "minter", "", 0, minter), "ok");
    IS(mint(store, minter, "nord/retail/chat", &seen), "ok");
    IS(make(store, "chat", "first", "", seen, text), "ok");
    CHECK(text[0] != '\0');
    IS(make(store, "chat", "second", "", seen, text), "store_moved");   /* the first was an edit, too */
    CHECK(text[0] == '\0');

    IS(mint(store, minter, "nord/retail/chat", &seen), "ok");
    CHECK_INT(gh_store_key_edit(store, &edit, &error), GH_OK);
    IS(make(store, "chat", "second", "", seen, text), "store_moved");

    IS(mint(store, minter, "nord/retail/chat", &seen), "ok");
    apply(store);
    IS(make(store, "chat", "second", "", seen, text), "store_moved");

    IS(mint(store, minter, "nord/retail/chat", &seen), "ok");
    CHECK_INT(gh_store_key_revoke(store, edit.path, WORLD_NOW, GH_STR("alice"), NULL, &error), GH_OK);
    IS(make(store, "chat", "second", "", seen, text), "store_moved");
    IS(mint(store, minter, "nord/retail/chat", &seen), "key_revoked");
    IS(make(store, "chat", "second", "", 0, text), "ok");               /* who may write the store needs no minter */
}

/* What every check of a key before its edit is held against: an edit that waits for another writer finds what that one left. */
static void
test_unmoved(gh_store_t *store)
{
    gh_edit_t  edit;
    gh_error_t error = { 0 };
    uint64_t   revision, change;

    CHECK_INT(gh_edit_begin(&edit, store, WORLD_NOW, &error), GH_OK);
    revision = edit.head.revision;
    change = edit.head.last_change;
    CHECK_INT(gh_edit_unmoved(&edit, revision, change, &error), GH_OK);
    CHECK_INT(gh_edit_unmoved(&edit, 0, 0, &error), GH_OK);
    CHECK_INT(gh_edit_unmoved(&edit, revision - 1, 0, &error), GH_ERROR);
    IS(error.code, "store_moved");
    CHECK_INT(gh_edit_unmoved(&edit, revision, change - 1, &error), GH_ERROR);
    IS(error.code, "store_moved");
    gh_edit_abort(&edit);
}

int
main(void)
{
    gh_error_t  error;
    gh_store_t *store;

    gh_heap_init(&heap);
    CHECK(store_make());
    store = store_open(true, &error);
    CHECK(store != NULL);
    apply(store);
    test_audit(store);
    test_asks_for_a_record(store);
    test_moved(store);
    test_unmoved(store);
    test_narrowed(store);
    test_rotated(store);
    test_revoked(store);
    test_minter_of(store);
    gh_store_close(store);
    store_remove();
    gh_heap_free(&heap);
    return check_done("mint");
}
