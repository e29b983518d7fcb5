/* Keys that other keys make, against a store that is edited meanwhile, and across apps of other audit modes. */
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

static const char *
mint(gh_store_t *store, const char *presented, const char *path, uint64_t *seen_change)
{
    static gh_error_t error;
    gh_minted_t       minted = { .classes = GH_STR(""), .mints = GH_STR(""), .places = GH_STR(""), .models = GH_STR("") };
    gh_str_t          by;

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
    CHECK_INT(gh_store_key_revoke(store, edit.path, WORLD_NOW, GH_STR("alice"), &error), GH_OK);
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
    test_moved(store);
    test_unmoved(store);
    gh_store_close(store);
    store_remove();
    gh_heap_free(&heap);
    return check_done("mint");
}
