/*
 * API keys over their lives: random histories of making, importing, rotating, ending and revoking keys while time goes on, against a list of
 * secrets that knows only when each begins and ends. GH_HISTORIES=1000 for longer.
 */
#include "tests/unit/store_world.h"

#include <stdlib.h>

#define SECRETS 400
#define NAMES   6
#define STEPS   60

typedef struct {
    char     text[64];
    int      name;                    /* of the key it is a secret of */
    uint64_t until_ms;                /* 0: for ever */
    bool     ended;                   /* for ever */
} secret_t;

typedef struct {
    bool     made, revoked;
    uint64_t uid;
    int      current, before;         /* secrets; -1: none */
} key_t_;

static secret_t secrets[SECRETS];
static int      secret_count;
static key_t_   keys[NAMES];
static uint64_t now_ms, random_state;

static uint32_t
chance(uint32_t below)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t) (random_state >> 33) % below;
}

static bool
code_is(const gh_error_t *error, const char *code)
{
    return error->code != NULL && strcmp(error->code, code) == 0;
}

static void
name_of(int number, char name[16])
{
    snprintf(name, 16, "k%d", number);
}

static gh_str_t
path_of(int number, char path[64])
{
    snprintf(path, 64, "nord/retail/chat/k%d", number);
    return gh_str_from(path);
}

static void
fill(uint8_t random[32])
{
    for (int i = 0; i < 32; i++) {
        random[i] = (uint8_t) chance(256);
    }
}

static bool
works(const secret_t *secret)
{
    return !secret->ended && (secret->until_ms == 0 || now_ms < secret->until_ms);
}

static int
add_secret(const char *text, int name, uint64_t until_ms)
{
    secret_t *secret = &secrets[secret_count];

    snprintf(secret->text, sizeof(secret->text), "%s", text);
    secret->name = name;
    secret->until_ms = until_ms;
    secret->ended = false;
    keys[name].current = secret_count;
    return secret_count++;
}

static uint64_t
some_end(void)
{
    return chance(3) == 0 ? now_ms + 1 + chance(40000) : 0;
}

static void
step_create(gh_store_t *store, int number, gh_error_t *error)
{
    char               name[16], text[GH_KEY_TEXT + 1];
    gh_store_key_new_t new = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = GH_STR("chat"), .now_ms = now_ms,
                               .not_after_ms = some_end(), .owner = GH_STR("alice@nord.example"), .actor = GH_STR("alice") };

    name_of(number, name);
    new.name = gh_str_from(name);
    fill(new.random);
    if (keys[number].made) {
        CHECK_INT(gh_store_key_create(store, &new, text, error), GH_ERROR);
        CHECK(code_is(error, "key_exists") && text[0] == '\0');
        return;
    }
    CHECK_INT(gh_store_key_create(store, &new, text, error), GH_OK);
    keys[number].made = true;
    add_secret(text, number, new.not_after_ms);
}

static void
step_import(gh_store_t *store, int number, gh_error_t *error)
{
    char                  name[16], text[64];
    gh_store_key_import_t item = { .key = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = GH_STR("chat"), .now_ms = now_ms,
                                            .not_after_ms = some_end(), .actor = GH_STR("alice") } };
    size_t                made, wrong;
    bool                  plain = chance(2);
    int                   rc;

    name_of(number, name);
    item.key.name = gh_str_from(name);
    snprintf(text, sizeof(text), "sk-%08x%08x%08x", chance(1u << 31), chance(1u << 31), chance(1u << 31));
    if (plain) {
        item.secret = gh_str_from(text);
    } else {
        gh_sha256(text, strlen(text), item.sha256);
    }
    rc = gh_store_key_import(store, &item, 1, now_ms, true, &made, &wrong, error);
    CHECK_INT(rc, keys[number].made ? GH_ERROR : GH_OK);
    if (rc != GH_OK) {
        CHECK(code_is(error, "key_exists"));
        return;
    }
    CHECK_INT(made, 1);
    keys[number].made = true;
    add_secret(text, number, item.key.not_after_ms);

    CHECK_INT(gh_store_key_import(store, &item, 1, now_ms, true, &made, &wrong, error), GH_OK);
    CHECK_INT(made, 0);
}

static void
step_rotate(gh_store_t *store, int number, gh_error_t *error)
{
    char                  path[64], text[GH_KEY_TEXT + 1];
    key_t_               *key = &keys[number];
    secret_t             *old = key->made ? &secrets[key->current] : NULL;
    gh_store_key_rotate_t rotate = { .path = path_of(number, path), .now_ms = now_ms, .actor = GH_STR("alice") };
    const char           *expected = NULL;

    rotate.before_until_ms = chance(3) == 0 ? 0 : now_ms + chance(20000);
    rotate.expires = chance(2);
    rotate.not_after_ms = rotate.expires ? some_end() : 0;
    fill(rotate.random);
    if (!key->made) {
        expected = "key_unknown";
    } else if (key->revoked) {
        expected = "key_revoked";
    } else if (key->before >= 0 && works(&secrets[key->before])) {
        expected = "key_rotating";
    } else if (!rotate.expires && !works(old)) {
        expected = "key_expired";
    }
    if (gh_store_key_rotate(store, &rotate, text, error) != GH_OK) {
        CHECK(expected != NULL && code_is(error, expected));
        CHECK(text[0] == '\0');
        return;
    }
    CHECK(expected == NULL);
    if (key->before >= 0) {
        secrets[key->before].ended = true;
    }
    key->before = key->current;
    add_secret(text, number, rotate.expires ? rotate.not_after_ms : old->until_ms);
    if (old->until_ms == 0 || old->until_ms > rotate.before_until_ms) {
        old->until_ms = rotate.before_until_ms;
        old->ended = rotate.before_until_ms <= now_ms;
    }
}

static void
step_end(gh_store_t *store, int number, bool revoke, gh_error_t *error)
{
    char     path[64];
    key_t_  *key = &keys[number];
    gh_str_t text = path_of(number, path);
    int      rc = revoke ? gh_store_key_revoke(store, text, now_ms, GH_STR("bob"), NULL, error)
                         : gh_store_key_retire(store, text, now_ms, GH_STR("bob"), error);

    if (rc != GH_OK) {
        CHECK(!key->made ? code_is(error, "key_unknown")
            : revoke ? key->revoked && code_is(error, "key_revoked")
                     : (key->before < 0 || !works(&secrets[key->before])) && code_is(error, "key_not_rotating"));
        return;
    }
    CHECK(key->made && (!revoke || !key->revoked));
    if (key->before >= 0) {
        secrets[key->before].ended = true;
        key->before = -1;
    }
    if (revoke) {
        secrets[key->current].ended = true;
        key->revoked = true;
    }
}

/* Another end, of both secrets, of which the old one's is never later; or another class, which ends nothing. */
static void
step_edit(gh_store_t *store, int number, gh_error_t *error)
{
    char                path[64];
    key_t_             *key = &keys[number];
    gh_store_key_edit_t edit = { .path = path_of(number, path), .now_ms = now_ms, .says = chance(4) == 0 ? GH_KEY_SAYS_CLASSES : GH_KEY_SAYS_EXPIRES,
                                 .not_after_ms = some_end(), .owner = GH_STR(""), .actor = GH_STR("alice") };

    if (gh_store_key_edit(store, &edit, error) != GH_OK) {
        CHECK(code_is(error, !key->made ? "key_unknown" : "key_revoked") && (!key->made || key->revoked));
        return;
    }
    CHECK(key->made && !key->revoked);
    if (edit.says == GH_KEY_SAYS_EXPIRES) {
        secrets[key->current].until_ms = edit.not_after_ms;
        if (key->before >= 0 && edit.not_after_ms != 0 && edit.not_after_ms < secrets[key->before].until_ms) {
            secrets[key->before].until_ms = edit.not_after_ms;
        }
    }
}

/* Every secret that there ever was is accepted or refused as the list says, through one reader that stays and one that is new. */
static void
compare(gh_store_t *reader, gh_arena_t *arena)
{
    unsigned live[NAMES] = { 0 };

    for (int i = 0; i < secret_count; i++) {
        gh_identity_t identity;
        gh_error_t    error = { 0 };
        key_t_       *key = &keys[secrets[i].name];
        int           rc = gh_store_identify(reader, gh_str_from(secrets[i].text), now_ms, arena, &identity, NULL, &error);

        CHECK_INT(rc, works(&secrets[i]) ? GH_OK : GH_ERROR);
        if (rc != GH_OK) {
            CHECK(strcmp(error.code, "key_expired") == 0 || strcmp(error.code, "key_revoked") == 0);
            continue;
        }
        if (key->uid == 0) {
            key->uid = identity.key_uid;
        }
        CHECK_INT(identity.key_uid, key->uid);         /* however often it is rotated */
        CHECK_INT(gh_store_identify_again(reader, &identity, now_ms, arena, &identity, NULL, &error), GH_OK);
        CHECK(++live[secrets[i].name] <= 2);
    }
}

static void
compare_list(gh_store_t *reader, gh_arena_t *arena)
{
    gh_store_key_t *items;
    gh_error_t      error = { 0 };
    size_t          count, made = 0;

    CHECK_INT(gh_store_key_list(reader, GH_STR("nord/retail/chat"), now_ms, arena, &items, &count, &error), GH_OK);
    for (int i = 0; i < NAMES; i++) {
        made += keys[i].made;
    }
    CHECK_INT(count, made);
    for (size_t i = 0; i < count; i++) {
        key_t_ *key = &keys[items[i].name.data[1] - '0'];
        bool    before = !key->revoked && key->before >= 0 && works(&secrets[key->before]);

        CHECK_INT(items[i].state, key->revoked ? GH_KEY_REVOKED : GH_KEY_LIVE);
        CHECK_INT(items[i].not_after_ms, secrets[key->current].until_ms);
        CHECK_INT(items[i].before_until_ms, before ? secrets[key->before].until_ms : 0);
        CHECK(items[i].imported ? items[i].owner.len == 0 : gh_str_is(items[i].owner, "alice@nord.example"));
    }
}

static void
history(uint64_t seed)
{
    gh_error_t  error;
    uint64_t    revision;
    gh_store_t *writer, *reader;
    gh_heap_t   heap;

    random_state = seed * 0x9e3779b97f4a7c15ull + 1;
    secret_count = 0;
    memset(keys, 0, sizeof(keys));
    for (int i = 0; i < NAMES; i++) {
        keys[i].current = keys[i].before = -1;
    }
    now_ms = WORLD_NOW;
    if (!store_make()) {
        CHECK(!"a store is made");
        return;
    }
    gh_heap_init(&heap);
    writer = store_open(true, &error);
    CHECK_INT(store_apply(writer, store_tenants, &revision), GH_OK);
    reader = store_open(false, &error);

    for (int step = 0; step < STEPS; step++) {
        int number = (int) chance(NAMES);

        now_ms += chance(3) == 0 ? chance(15000) : 0;
        memset(&error, 0, sizeof(error));
        switch (chance(10)) {
        case 0: case 1: step_create(writer, number, &error); break;
        case 2: step_import(writer, number, &error); break;
        case 3: step_rotate(writer, number, &error); step_end(writer, number, true, &error); break;
        case 4: step_end(writer, number, false, &error); break;
        case 5: step_rotate(writer, number, &error); now_ms += chance(2) * 20000; break;
        case 6: case 7: step_edit(writer, number, &error); break;
        default: step_rotate(writer, number, &error); break;
        }
        compare(reader, &heap.arena);
    }
    compare_list(reader, &heap.arena);
    gh_store_close(reader);
    reader = store_open(false, &error);
    compare(reader, &heap.arena);
    gh_store_close(reader);
    gh_store_close(writer);
    gh_heap_free(&heap);
    store_remove();
}

/* ---- what an import is not ---- */

static void
test_forms(void)
{
    static const struct { const char *text; gh_key_form_t form; } cases[] = {
        { "", GH_KEY_NONE }, { "gh_", GH_KEY_NONE }, { "sk-1234567890123456", GH_KEY_NONE }, { "sk-12345678901234567", GH_KEY_FOREIGN },
        { "gh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", GH_KEY_NONE }, { "sk-1234567890 1234567", GH_KEY_NONE },
        { "sk-1234567890\x80" "1234567", GH_KEY_NONE }, { "eyJhbGciOiJub25lIn0.e30.", GH_KEY_NONE }, { "eyJhbGciOiJub25lIn0-e30-", GH_KEY_FOREIGN },
    };
    char long_one[GH_KEY_FOREIGN_MAX + 2];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(gh_key_form(gh_str_from(cases[i].text)), cases[i].form);
    }
    memset(long_one, 'a', sizeof(long_one));
    CHECK_INT(gh_key_form((gh_str_t) { long_one, GH_KEY_FOREIGN_MAX }), GH_KEY_FOREIGN);
    CHECK_INT(gh_key_form((gh_str_t) { long_one, GH_KEY_FOREIGN_MAX + 1 }), GH_KEY_NONE);
    CHECK(gh_key_owner_ok(GH_STR("")) && gh_key_owner_ok(GH_STR("J\xc3\xbcrgen")) && !gh_key_owner_ok(GH_STR("a\nb"))
        && !gh_key_owner_ok(GH_STR("\xff")) && !gh_key_owner_ok((gh_str_t) { long_one, GH_KEY_OWNER_MAX + 1 }));
}

/* Neither what the store keeps nor the digest it was imported by works as a key, and an import is all or nothing. */
static void
test_import(gh_arena_t *arena)
{
    gh_store_key_import_t items[2] = { { .key = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = GH_STR("chat"),
        .name = GH_STR("a"), .now_ms = WORLD_NOW }, .secret = GH_STR("sk-abcdefghijklmnopqrst") } };
    char          hex[64];
    gh_error_t    error = { 0 };
    gh_identity_t identity;
    size_t        made, wrong, count;
    gh_store_key_t *keys_;
    uint64_t      revision;
    gh_store_t   *store = store_open(true, &error);

    CHECK_INT(store_apply(store, store_tenants, &revision), GH_OK);
    items[1] = items[0];
    items[1].key.name = GH_STR("b");
    CHECK_INT(gh_store_key_import(store, items, 2, WORLD_NOW, true, &made, &wrong, &error), GH_ERROR);   /* one secret, two keys */
    CHECK_INT(wrong, 1);
    CHECK(code_is(&error, "key_exists") && strstr(error.text, "sk-") == NULL);
    CHECK_INT(gh_store_key_list(store, GH_STR(""), WORLD_NOW, arena, &keys_, &count, &error), GH_OK);
    CHECK_INT(count, 0);

    items[1].secret = GH_STR("sk-zbcdefghijklmnopqrst");
    CHECK_INT(gh_store_key_import(store, items, 2, WORLD_NOW, false, &made, &wrong, &error), GH_OK);     /* tried only */
    CHECK_INT(made, 2);
    CHECK_INT(gh_store_identify(store, items[0].secret, WORLD_NOW, arena, &identity, NULL, &error), GH_ERROR);
    CHECK(code_is(&error, "key_malformed"));
    CHECK_INT(gh_store_key_import(store, items, 2, WORLD_NOW, true, &made, &wrong, &error), GH_OK);
    CHECK_INT(gh_store_identify(store, items[0].secret, WORLD_NOW, arena, &identity, NULL, &error), GH_OK);
    CHECK_STR(identity.key, "a");

    for (int form = 0; form < 2; form++) {
        uint8_t digest[32];

        gh_sha256(items[0].secret.data, items[0].secret.len, digest);
        gh_hex(form == 0 ? digest : items[0].hash, 32, hex);
        CHECK_INT(gh_store_identify(store, (gh_str_t) { hex, 64 }, WORLD_NOW, arena, &identity, NULL, &error), GH_ERROR);
    }

    items[0].key.name = GH_STR("c");
    items[0].secret = GH_STR("sk-cbcdefghijklmnopqrst");
    items[0].key.classes = GH_STR("secret,intrenal");
    CHECK_INT(gh_store_key_import(store, items, 1, WORLD_NOW, true, &made, &wrong, &error), GH_ERROR);
    CHECK(code_is(&error, "class_unknown") && strstr(error.text, "did you mean \"internal\"") != NULL);
    items[0].key.classes = GH_STR("secret");
    CHECK_INT(gh_store_key_import(store, items, 1, WORLD_NOW, true, &made, &wrong, &error), GH_OK);
    CHECK_INT(gh_store_identify(store, items[0].secret, WORLD_NOW, arena, &identity, NULL, &error), GH_OK);
    CHECK_STR(identity.own_classes, "secret");
    gh_store_close(store);
}

int
main(void)
{
    const char *count = getenv("GH_HISTORIES");
    gh_heap_t   heap;

    test_forms();
    for (uint64_t seed = 0; seed < (count != NULL ? strtoull(count, NULL, 10) : 6); seed++) {
        history(seed);
    }
    gh_heap_init(&heap);
    if (store_make()) {
        test_import(&heap.arena);
        store_remove();
    }
    gh_heap_free(&heap);
    return check_done("keys");
}
