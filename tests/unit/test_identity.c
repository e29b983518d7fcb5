/* API keys: their text, their record, and who the store says presents one. */
#include "tests/unit/store_world.h"

static void
test_text(void)
{
    uint8_t random[32];
    char    text[GH_KEY_TEXT], changed[GH_KEY_TEXT + 1];

    for (int i = 0; i < 32; i++) {
        random[i] = (uint8_t) (i * 7);
    }
    gh_key_text(random, text);
    CHECK_STR(((gh_str_t) { text, 3 }), "gh_");
    CHECK(gh_key_well_formed((gh_str_t) { text, GH_KEY_TEXT }));
    CHECK(!gh_key_well_formed((gh_str_t) { text, GH_KEY_TEXT - 1 }));
    CHECK(!gh_key_well_formed(GH_STR("")));
    memcpy(changed, text, GH_KEY_TEXT);
    changed[GH_KEY_TEXT] = 'A';
    CHECK(!gh_key_well_formed((gh_str_t) { changed, GH_KEY_TEXT + 1 }));
    /* Every single byte replaced by every other: never well formed. */
    for (size_t at = 0; at < GH_KEY_TEXT; at++) {
        unsigned passed = 0;

        for (unsigned c = 0; c < 256; c++) {
            memcpy(changed, text, GH_KEY_TEXT);
            if ((uint8_t) text[at] == c) {
                continue;
            }
            changed[at] = (char) c;
            passed += gh_key_well_formed((gh_str_t) { changed, GH_KEY_TEXT });
        }
        CHECK_INT(passed, 0);
    }
}

static void
test_names(void)
{
    static const char *const good[] = { "a", "0", "a-b", "a-", "abc123" };
    static const char *const bad[] = { "", "-a", "A", "a/b", "a_b", "a b", "\xc3\xa4", "a\n" };
    char                     name[65];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK(gh_key_name_ok(gh_str_from(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!gh_key_name_ok(gh_str_from(bad[i])));
    }
    memset(name, 'a', sizeof(name));
    CHECK(gh_key_name_ok((gh_str_t) { name, 63 }));
    CHECK(!gh_key_name_ok((gh_str_t) { name, 64 }));
    CHECK(!gh_key_name_ok((gh_str_t) { "a\0b", 3 }));
}

/* A record with any one byte changed reads as an error or as something inside its own bytes (the sanitizers look on). */
static void
test_record(gh_arena_t *arena)
{
    gh_key_record_t record, read;
    gh_identity_t   identity;
    gh_error_t      error;
    uint8_t         buffer[GH_KEY_RECORD_MAX];
    size_t          len;
    gh_key_words_t  words = { GH_STR("org"), GH_STR("tenant"), GH_STR("app"), GH_STR("name"), GH_STR("secret"), GH_STR("EU NO\nDE"), GH_STR("gpt-4*") };

    memset(&record, 0, sizeof(record));
    record.key_uid = 7;
    record.state = GH_KEY_LIVE;
    record.not_before_ms = 100;
    record.not_after_ms = 200;
    record.limit_count = 1;
    record.limit[0] = (gh_limit_t) { .level = GH_LEVEL_KEY, .dimension = GH_COUNT_REQUESTS, .per = GH_PER_MINUTE, .limit_class = GH_LIMIT_RATE, .amount = 60 };
    len = gh_key_record_write(&record, &words, buffer);
    CHECK(len == gh_key_record_fixed(&record) + sizeof("orgtenantappnamesecretEU NO-DEgpt-4*") - 1);
    CHECK_INT(gh_key_record_read(buffer, len, arena, &read, &identity, &error), GH_OK);
    CHECK_STR(identity.org, "org");
    CHECK_STR(identity.tenant, "tenant");
    CHECK_STR(identity.app, "app");
    CHECK_STR(identity.key, "name");
    CHECK_STR(identity.path, "org/tenant/app");
    CHECK_STR(identity.own_classes, "secret");
    CHECK_STR(identity.own_places, "EU NO\nDE");
    CHECK_STR(identity.own_models, "gpt-4*");
    CHECK_INT(read.form, GH_KEY_NARROWED);
    CHECK(read.limit_count == 1 && read.limit[0].amount == 60);
    CHECK_INT(identity.key_uid, 7);
    CHECK_INT(gh_key_record_usable(&read, 99, &error), GH_ERROR);
    CHECK(strcmp(error.code, "key_not_yet") == 0);
    CHECK_INT(gh_key_record_usable(&read, 100, &error), GH_OK);
    CHECK_INT(gh_key_record_usable(&read, 199, &error), GH_OK);
    CHECK_INT(gh_key_record_usable(&read, 200, &error), GH_ERROR);
    CHECK(strcmp(error.code, "key_expired") == 0);

    {
        uint8_t old[GH_KEY_RECORD_MAX] = { 0 };          /* as records of version 1 lie: what follows the numbers begins at byte 512 */
        size_t  fixed = gh_key_record_fixed(&record);

        read.org.offset += 512 - fixed;
        read.tenant.offset += 512 - fixed;
        read.app.offset += 512 - fixed;
        read.name.offset += 512 - fixed;
        read.own_classes.offset += 512 - fixed;
        gh_key_record_renumber(&read, old);
        memcpy(old + 512, buffer + fixed, len - fixed);
        CHECK_INT(gh_key_record_read(old, len + 512 - fixed, arena, &read, &identity, &error), GH_OK);
        CHECK_STR(identity.path, "org/tenant/app");
        CHECK_STR(identity.key, "name");
        CHECK_STR(identity.own_classes, "secret");
    }

    for (size_t at = 0; at < len; at++) {
        for (int bit = 0; bit < 8; bit += 3) {
            uint8_t *copy = malloc(len);

            memcpy(copy, buffer, len);
            copy[at] ^= (uint8_t) (1 << bit);
            gh_key_record_read(copy, len, arena, &read, &identity, &error);
            free(copy);
        }
    }
    for (size_t cut = 0; cut < len; cut++) {
        CHECK_INT(gh_key_record_read(buffer, cut, arena, &read, &identity, &error), GH_ERROR);
    }
    words.org = (gh_str_t) { (char *) buffer, sizeof(buffer) };
    CHECK_INT(gh_key_record_write(&record, &words, buffer), 0);
}

static const char *
identify(gh_store_t *store, const char *text, uint64_t now_ms, gh_arena_t *arena, gh_identity_t *identity)
{
    gh_error_t error;

    memset(&error, 0, sizeof(error));
    if (gh_store_identify(store, gh_str_from(text), now_ms, arena, identity, NULL, &error) == GH_OK) {
        return "ok";
    }
    CHECK(strstr(error.text, text) == NULL);
    return error.code;
}

static void
test_store_keys(gh_arena_t *arena)
{
    char            first[GH_KEY_TEXT + 1], second[GH_KEY_TEXT + 1], none[GH_KEY_TEXT + 1];
    uint8_t         random[32];
    gh_store_key_t *keys;
    gh_identity_t   identity, again;
    gh_error_t      error;
    gh_store_t     *store = store_open(true, &error);
    uint64_t        revision;
    size_t          count;

    if (!CHECK(store != NULL)) {
        return;
    }
    CHECK_INT(store_new_key(store, "chat", "k1", 1, 0, first, &error), GH_ERROR);
    CHECK(strcmp(error.code, "store_empty") == 0);
    CHECK_INT(first[0], 0);
    CHECK_INT(store_apply(store, store_tenants, &revision), GH_OK);
    CHECK_INT(revision, 1);
    CHECK_INT(store_new_key(store, "chat", "k1", 1, 0, first, &error), GH_OK);
    CHECK_INT(store_new_key(store, "chat", "k2", 2, WORLD_NOW + 1000, second, &error), GH_OK);
    CHECK_INT(store_new_key(store, "chat", "k1", 3, 0, none, &error), GH_ERROR);
    CHECK(strcmp(error.code, "key_exists") == 0);
    CHECK_INT(store_new_key(store, "hr", "k1", 4, 0, none, &error), GH_ERROR);
    CHECK(strcmp(error.code, "app_unknown") == 0);
    CHECK_INT(store_new_key(store, "chat", "Bad", 4, 0, none, &error), GH_ERROR);
    CHECK(strcmp(error.code, "invalid_request") == 0);
    CHECK_INT(store_new_key(store, "chat", "past", 4, WORLD_NOW, none, &error), GH_ERROR);

    CHECK(strcmp(identify(store, first, WORLD_NOW, arena, &identity), "ok") == 0);
    CHECK_STR(identity.path, "nord/retail/chat");
    CHECK_STR(identity.key, "k1");
    CHECK(identity.key_uid != 0 && identity.org_uid != 0 && identity.tenant_uid != identity.org_uid);
    CHECK_INT(identity.profile, 1);
    CHECK_INT(gh_store_identify_again(store, &identity, WORLD_NOW, arena, &again, NULL, &error), GH_OK);
    CHECK_STR(again.path, "nord/retail/chat");
    identity.key_uid++;
    CHECK_INT(gh_store_identify_again(store, &identity, WORLD_NOW, arena, &again, NULL, &error), GH_ERROR);

    memset(random, 99, sizeof(random));
    gh_key_text(random, none);
    none[GH_KEY_TEXT] = '\0';
    CHECK(strcmp(identify(store, none, WORLD_NOW, arena, &identity), "key_unknown") == 0);
    none[10] ^= 1;
    CHECK(strcmp(identify(store, none, WORLD_NOW, arena, &identity), "key_malformed") == 0);

    CHECK_INT(gh_store_key_revoke(store, GH_STR("nord/retail/chat/k1"), WORLD_NOW, GH_STR("bob"), NULL, &error), GH_OK);
    CHECK(strcmp(identify(store, first, WORLD_NOW, arena, &identity), "key_revoked") == 0);
    CHECK_INT(gh_store_key_revoke(store, GH_STR("nord/retail/chat/k1"), WORLD_NOW, GH_STR("bob"), NULL, &error), GH_ERROR);
    CHECK(strcmp(error.code, "key_revoked") == 0);
    CHECK_INT(gh_store_key_revoke(store, GH_STR("nord/retail/chat"), WORLD_NOW, GH_STR("bob"), NULL, &error), GH_ERROR);
    CHECK(strcmp(error.code, "key_unknown") == 0);
    CHECK_INT(store_new_key(store, "chat", "k1", 5, 0, none, &error), GH_ERROR);
    CHECK(strcmp(error.code, "key_exists") == 0);

    /* Another revision revives nothing, and a tenant that comes later gets keys. */
    CHECK_INT(store_apply(store, store_tenants_more, &revision), GH_OK);
    CHECK_INT(revision, 2);
    CHECK(strcmp(identify(store, first, WORLD_NOW, arena, &identity), "key_revoked") == 0);
    CHECK(strcmp(identify(store, second, WORLD_NOW, arena, &identity), "ok") == 0);
    CHECK_INT(identity.profile, 1);                   /* kept, though another app stands before it now */
    CHECK_INT(store_new_key(store, "hr", "k1", 6, 0, none, &error), GH_OK);
    CHECK(strcmp(identify(store, none, WORLD_NOW, arena, &identity), "ok") == 0);
    CHECK_INT(identity.profile, 2);

    CHECK_INT(gh_store_key_list(store, GH_STR(""), WORLD_NOW, arena, &keys, &count, &error), GH_OK);
    CHECK_INT(count, 3);
    CHECK_STR(keys[0].name, "k1");
    CHECK_STR(keys[0].app, "chat");
    CHECK_INT(keys[0].state, GH_KEY_REVOKED);
    CHECK_INT(keys[0].revoked_ms, WORLD_NOW);
    CHECK_INT(keys[1].not_after_ms, WORLD_NOW + 1000);
    CHECK_STR(keys[2].app, "hr");
    CHECK(keys[2].app_listed && !keys[2].expired);
    CHECK_INT(gh_store_key_list(store, GH_STR("nord/retail/hr"), WORLD_NOW, arena, &keys, &count, &error), GH_OK);
    CHECK_INT(count, 1);
    CHECK_INT(gh_store_key_list(store, GH_STR("nord/ret"), WORLD_NOW, arena, &keys, &count, &error), GH_OK);
    CHECK_INT(count, 0);

    /* The app leaves: its keys are refused; it comes back: they work again. */
    CHECK_INT(store_apply(store, store_tenants, &revision), GH_OK);
    CHECK(strcmp(identify(store, none, WORLD_NOW, arena, &identity), "key_unknown") == 0);
    CHECK_INT(store_apply(store, store_tenants_more, &revision), GH_OK);
    CHECK(strcmp(identify(store, none, WORLD_NOW, arena, &identity), "ok") == 0);

    CHECK(strcmp(identify(store, second, WORLD_NOW + 999, arena, &identity), "ok") == 0);
    CHECK(strcmp(identify(store, second, WORLD_NOW + 1000, arena, &identity), "key_expired") == 0);
    CHECK(strcmp(identify(store, second, WORLD_NOW, arena, &identity), "key_expired") == 0);   /* time does not run backwards */
    CHECK_INT(gh_store_key_list(store, GH_STR("nord/retail/chat/k2"), WORLD_NOW + 1000, arena, &keys, &count, &error), GH_OK);
    CHECK(count == 1 && keys[0].expired);
    gh_store_close(store);
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    test_text();
    test_names();
    test_record(&heap.arena);
    if (CHECK(store_make())) {
        test_store_keys(&heap.arena);
    }
    store_remove();
    gh_heap_free(&heap);
    return check_done("identity");
}
