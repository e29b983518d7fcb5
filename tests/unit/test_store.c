/* The store: revisions, snapshots, and every damage denied and named. */
#include "tests/unit/store_world.h"

#include <sys/wait.h>

#include "policy/store/image_format.h"
#include "policy/store/pages.h"

static char first_key[GH_KEY_TEXT + 1];

static void
path_of(const char *name, char path[96])
{
    snprintf(path, 96, "%s/store/%s", store_home, name);
}

static uint8_t *
read_file(const char *path, size_t *len)
{
    struct stat st;
    uint8_t    *bytes;
    int         fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &st) != 0) {
        return NULL;
    }
    bytes = malloc((size_t) st.st_size);
    *len = (size_t) read(fd, bytes, (size_t) st.st_size);
    close(fd);
    return bytes;
}

static void
write_file(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t) len);
    close(fd);
}

static bool
is(const gh_error_t *error, const char *code)
{
    bool same = error->code != NULL && strcmp(error->code, code) == 0;

    if (!same) {
        fprintf(stderr, "    code %s: %s: %s\n", error->code == NULL ? "none" : error->code, error->source, error->text);
    }
    return same;
}

/* ---- opening ---- */

static void
test_open(void)
{
    gh_store_options_t options = { .home = "/nonexistent" };
    char               path[96];
    uint8_t            key[32];
    gh_store_t        *store;
    gh_image_t        *image;
    gh_error_t         error;
    struct stat        st;

    memset(&error, 0, sizeof(error));
    CHECK(gh_store_open(&options, &error) == NULL);
    CHECK(is(&error, "store_missing"));
    CHECK(strstr(error.text, "gatehouse init") != NULL);

    path_of("data.mdb", path);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    path_of("lock.mdb", path);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0660);
    CHECK_INT(gh_store_create(store_home, store_key, store_id, &error), GH_OK);       /* again: nothing is replaced */

    store = store_open(false, &error);
    if (CHECK(store != NULL)) {
        CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_ERROR);
        CHECK(is(&error, "store_empty"));
        gh_store_close(store);
    }
    memcpy(options.key, store_key, 32);
    options.key[0] ^= 1;
    options.home = store_home;
    memset(&error, 0, sizeof(error));
    CHECK(gh_store_open(&options, &error) == NULL);
    CHECK(is(&error, "store_damaged"));
    CHECK(strstr(error.source, "store/identity") != NULL);

    snprintf(path, sizeof(path), "%s/key", store_home);
    CHECK_INT(gh_store_key_read(path, key, &error), GH_ERROR);
    CHECK(is(&error, "store_missing"));
    write_file(path, store_key, 32);
    chmod(path, 0640);
    CHECK_INT(gh_store_key_read(path, key, &error), GH_OK);
    CHECK_MEM(key, store_key, 32);
    chmod(path, 0644);
    CHECK_INT(gh_store_key_read(path, key, &error), GH_ERROR);
    CHECK(is(&error, "store_denied"));
    write_file(path, store_key, 31);
    chmod(path, 0600);
    CHECK_INT(gh_store_key_read(path, key, &error), GH_ERROR);
    CHECK(is(&error, "store_damaged"));
}

/* ---- revisions ---- */

static void
test_revisions(gh_arena_t *arena)
{
    gh_store_revision_t    *history;
    gh_store_revision_new_t stale = { .base = 3 };
    gh_error_t              error;
    gh_store_t             *store = store_open(true, &error);
    gh_image_t             *image, *kept = NULL;
    gh_str_t                text;
    uint64_t                revision;
    size_t                  count;

    if (!CHECK(store != NULL)) {
        return;
    }
    for (uint64_t i = 1; i <= 20; i++) {
        CHECK_INT(store_apply(store, i % 2 ? store_tenants : store_tenants_more, &revision), GH_OK);
        CHECK_INT(revision, i);
        CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
        CHECK_INT(gh_image_revision(image), i);
        CHECK(image->header->next_profile > i / 2 + 1);               /* numbers are given once */
        CHECK_INT(image->profiles[0].number, 1);                      /* and kept while in use */
        if (i == 1) {
            kept = gh_image_ref(image);
        }
    }
    CHECK_INT(gh_image_revision(kept), 1);
    CHECK(!gh_image_holds_apps(kept));
    CHECK_INT(gh_image_counts(kept).apps, 1);
    gh_image_unref(kept);

    CHECK_INT(gh_store_history(store, arena, &history, &count, &error), GH_OK);
    CHECK_INT(count, 20);
    CHECK_INT(history[0].number, 20);
    CHECK_INT(history[19].number, 1);
    CHECK_INT(history[19].base, 0);
    CHECK_STR(history[0].author, "alice");
    CHECK_STR(history[0].reason, "test");
    CHECK_INT(history[0].document_count, 3);
    CHECK_STR(history[0].documents[2].path, "tenants.json");
    CHECK_INT(gh_store_document(store, history[0].documents[2].sha256, arena, &text, &error), GH_OK);
    CHECK_STR(text, store_tenants_more);
    CHECK_INT(gh_store_document(store, store_key, arena, &text, &error), GH_ERROR);
    CHECK(is(&error, "store_unknown"));

    CHECK_INT(gh_store_commit(store, &stale, &revision, &error), GH_ERROR);
    CHECK(is(&error, "store_moved"));
    stale.base = 20;
    CHECK_INT(gh_store_commit(store, &stale, &revision, &error), GH_ERROR);
    CHECK(is(&error, "store_damaged"));
    CHECK_INT(store_new_key(store, "chat", "k1", 1, 0, first_key, &error), GH_OK);
    gh_store_close(store);

    store = store_open(false, &error);
    if (CHECK(store != NULL)) {
        CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
        CHECK_INT(gh_image_revision(image), 20);
        store_quiet = true;
        CHECK_INT(store_apply(store, store_tenants, &revision), GH_ERROR);
        store_quiet = false;
        gh_store_close(store);
    }
}

/* What readers see while another process writes: revisions never fall, and each is whole. */
static void
test_concurrent(gh_arena_t *arena)
{
    gh_identity_t identity;
    gh_store_t   *store;
    gh_image_t   *image;
    gh_error_t    error;
    uint64_t      last = 0, revision;
    int           status = -1;
    pid_t         child = fork();

    if (child == 0) {
        store = store_open(true, &error);
        for (int i = 0; store != NULL && i < 40; i++) {
            if (store_apply(store, i % 2 ? store_tenants : store_tenants_more, &revision) != GH_OK) {
                _exit(1);
            }
        }
        _exit(store == NULL);
    }
    store = store_open(false, &error);
    if (!CHECK(store != NULL)) {
        return;
    }
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (gh_store_current(store, WORLD_NOW, &image, &error) != GH_OK) {
            CHECK(is(&error, "no error"));
            break;
        }
        CHECK(gh_image_revision(image) >= last);
        last = gh_image_revision(image);
        CHECK_INT(gh_image_counts(image).apps, last == 20 || last % 2 == 1 ? 2 : 1);
        CHECK_INT(gh_store_identify(store, gh_str_from(first_key), WORLD_NOW, arena, &identity, NULL, &error), GH_OK);
    }
    CHECK(status == 0);
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
    CHECK_INT(gh_image_revision(image), 60);
    gh_store_close(store);
}

/* What gh_store_current gave stays readable while gh_store_identify meets a newer revision; a process remembers what it has used. */
static void
test_borrowed(gh_arena_t *arena)
{
    gh_store_options_t options = { .home = store_home, .lowest = 62 };
    gh_identity_t      identity;
    gh_store_t        *store;
    gh_image_t        *image;
    gh_error_t         error;
    uint64_t           revision;
    int                status;
    pid_t              child;

    store = store_open(false, &error);
    if (!CHECK(store != NULL)) {
        return;
    }
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
    CHECK_INT(gh_image_revision(image), 60);
    child = fork();
    if (child == 0) {
        gh_store_t *writer = store_open(true, &error);

        _exit(writer == NULL || store_apply(writer, store_tenants_more, &revision) != GH_OK);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_INT(gh_store_identify(store, gh_str_from(first_key), WORLD_NOW, arena, &identity, NULL, &error), GH_OK);
    CHECK_INT(gh_image_revision(image), 60);
    CHECK_INT(gh_image_counts(image).apps, 1);
    CHECK_INT(identity.revision, 61);
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
    CHECK_INT(gh_image_revision(image), 61);
    gh_store_close(store);

    memcpy(options.key, store_key, 32);
    memset(&error, 0, sizeof(error));
    CHECK(gh_store_open(&options, &error) == NULL);
    CHECK(is(&error, "store_damaged"));
    options.lowest = 61;
    store = gh_store_open(&options, &error);
    CHECK(store != NULL);
    gh_store_close(store);
}

/* ---- damage ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t
next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

typedef struct { unsigned denied, same, wrong, unnamed, edited; } tally_t;

/* Opens the damaged store as a worker does. Denied with a name, or exactly the policy and the caller of before. */
static void
look(const gh_image_t *before, gh_arena_t *arena, tally_t *tally)
{
    static const char *const codes[] = { "store_damaged", "store_version", "store_empty", "store_busy", "store_missing",
                                         "store_replaced", "store_outdated", "key_unknown" };
    gh_identity_t identity;
    gh_image_t   *image;
    gh_error_t    error;
    gh_store_t   *store = store_open(false, &error);
    bool          denied = true, named = false;

    if (store != NULL && gh_store_current(store, WORLD_NOW, &image, &error) == GH_OK) {
        if (image->length != before->length || memcmp(image->bytes, before->bytes, before->length) != 0) {
            tally->wrong++;
        }
        if (gh_store_identify(store, gh_str_from(first_key), WORLD_NOW, arena, &identity, NULL, &error) == GH_OK) {
            tally->wrong += !gh_str_is(identity.path, "nord/retail/chat") || identity.profile != before->profiles[0].number
                || identity.revision != gh_image_revision(before);
            tally->same++;
            denied = false;
        }
    }
    gh_store_close(store);
    if (denied) {
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
            named |= error.code != NULL && strcmp(error.code, codes[i]) == 0;
        }
        tally->denied++;
        tally->unnamed += !named || error.text[0] == '\0';
    }
    /* An editor looks at every page: it refuses, or what it sees is sound enough to write to. */
    store = store_open(true, &error);
    if (store != NULL) {
        char     text[GH_KEY_TEXT + 1];
        uint64_t revision;

        store_new_key(store, "chat", "another", 77, 0, text, &error);
        gh_store_key_revoke(store, GH_STR("nord/retail/chat/k1"), WORLD_NOW, GH_STR("bob"), NULL, &error);
        store_apply(store, store_tenants, &revision);
        tally->edited++;
        gh_store_close(store);
    }
}

static void
damage(uint8_t *bytes, size_t *len, unsigned kind)
{
    size_t page = next_random() % (*len / 4096) * 4096, other = next_random() % (*len / 4096) * 4096;
    size_t at = next_random() % *len;

    switch (kind) {
    case 0:
        bytes[at] ^= (uint8_t) (1 << next_random() % 8);
        break;
    case 1:
        memset(bytes + page, 0, 4096);
        break;
    case 2:
        memset(bytes + page, 0xff, 4096);
        break;
    case 3:
        *len = at;
        break;
    case 4:
        for (int i = 0; i < 4096; i++) {
            uint8_t swap = bytes[page + i];

            bytes[page + i] = bytes[other + i];
            bytes[other + i] = swap;
        }
        break;
    case 5:                                       /* a page's header and offsets */
        bytes[page + next_random() % 64] = (uint8_t) next_random();
        break;
    case 6:
        for (int i = 0; i < 64; i++) {
            bytes[next_random() % *len] = (uint8_t) next_random();
        }
        break;
    case 7:                                       /* the meta pages */
        bytes[next_random() % 2 * 4096 + next_random() % 160] = (uint8_t) next_random();
        break;
    }
}

static void
test_damage(gh_arena_t *arena)
{
    char        path[96], mark[96];
    tally_t     tally = { 0, 0, 0, 0, 0 };
    gh_error_t  error;
    gh_store_t *store = store_open(false, &error);
    gh_image_t *image, *before;
    uint8_t    *bytes, *copy, *identity;
    size_t      len, changed, identity_len;

    path_of("data.mdb", path);
    path_of("identity", mark);
    bytes = read_file(path, &len);
    identity = read_file(mark, &identity_len);
    if (!CHECK(store != NULL && bytes != NULL) || !CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK)) {
        return;
    }
    before = gh_image_ref(image);
    gh_store_close(store);
    copy = malloc(len);
    store_quiet = true;
    for (unsigned i = 0; i < 1200; i++) {
        memcpy(copy, bytes, len);
        changed = len;
        damage(copy, &changed, i % 8);
        write_file(path, copy, changed);
        write_file(mark, identity, identity_len);     /* as it was before an editor took one of the others */
        look(before, arena, &tally);
    }
    printf("store: %u damaged files: %u denied by name, %u without effect, %u taken by an editor\n",
        tally.denied + tally.same, tally.denied, tally.same, tally.edited);
    CHECK_INT(tally.wrong, 0);
    CHECK_INT(tally.unnamed, 0);
    CHECK(tally.denied > 200);
    store_quiet = false;
    write_file(path, bytes, len);
    write_file(mark, identity, identity_len);
    free(identity);
    gh_image_unref(before);
    free(copy);
    free(bytes);
}

/* The record of a database says that a key may have many values: LMDB would write as if it had, and end the process. */
static void
test_damaged_flags(void)
{
    static const uint8_t node[] = { 48, 0, 0, 0, 2, 0, 3, 0, 'k', 'e', 'y' };   /* size of value (two halves), flags, size of key, key */
    char                 path[96];
    gh_error_t           error = { 0 };
    uint8_t             *bytes, *copy;
    size_t               len;
    unsigned             found = 0;

    path_of("data.mdb", path);
    bytes = read_file(path, &len);
    copy = malloc(len);
    if (CHECK(bytes != NULL && copy != NULL)) {
        memcpy(copy, bytes, len);
        for (size_t at = 0; at + sizeof(node) + 48 <= len; at++) {
            if (memcmp(copy + at, node, sizeof(node)) == 0) {
                copy[at + sizeof(node) + 4] |= 0x04;      /* MDB_DUPSORT in md_flags */
                found++;
            }
        }
        CHECK(found > 0);
        write_file(path, copy, len);
        store_quiet = true;
        CHECK(store_open(true, &error) == NULL);
        CHECK(is(&error, "store_damaged"));
        store_quiet = false;
        write_file(path, bytes, len);
    }
    free(copy);
    free(bytes);
}

/* Under a running reader: truncated, put back, removed, replaced, an older copy put in place. */
static void
test_running(gh_arena_t *arena)
{
    char        path[96], other[96];
    gh_error_t  error;
    gh_store_t *store = store_open(false, &error);
    gh_image_t *image;
    uint8_t    *bytes;
    uint64_t    revision;
    size_t      len;
    pid_t       child;
    int         status;

    (void) arena;
    path_of("data.mdb", path);
    path_of("other.mdb", other);
    bytes = read_file(path, &len);
    if (!CHECK(store != NULL && bytes != NULL)) {
        return;
    }
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
    CHECK(truncate(path, 4096) == 0);
    memset(&error, 0, sizeof(error));
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_ERROR);
    CHECK(is(&error, "store_damaged") && image == NULL);
    write_file(path, bytes, len);
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);

    child = fork();
    if (child == 0) {
        gh_store_t *writer = store_open(true, &error);

        _exit(writer == NULL || store_apply(writer, store_tenants, &revision) != GH_OK);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
    CHECK_INT(gh_image_revision(image), 63);
    write_file(path, bytes, len);                 /* the file of before, in place */
    memset(&error, 0, sizeof(error));
    CHECK_INT(gh_store_current(store, WORLD_NOW + 2000, &image, &error), GH_ERROR);
    CHECK(is(&error, "store_damaged"));

    write_file(other, bytes, len);
    CHECK(rename(other, path) == 0);
    memset(&error, 0, sizeof(error));
    CHECK_INT(gh_store_current(store, WORLD_NOW + 5000, &image, &error), GH_ERROR);
    CHECK(is(&error, "store_replaced"));
    gh_store_close(store);
    free(bytes);
}

/* ---- the image by itself ---- */

/* Any byte changed: refused, or read without leaving its bytes (the sanitizers look on), through a decision. */
static void
test_image(gh_arena_t *arena)
{
    const char *const documents[] = { store_fleet, store_tenants_more, store_residency };
    gh_image_t       *image = world_image(arena, documents, 3), *changed;
    gh_error_t        error;
    uint8_t          *copy;
    unsigned          refused = 0, read = 0;

    if (!CHECK(image != NULL)) {
        return;
    }
    copy = malloc(image->length);
    for (size_t at = 0; at < image->length; at++) {
        for (unsigned i = 0; i < 3; i++) {
            world_request_t request;
            gh_heap_t       heap;

            memcpy(copy, image->bytes, image->length);
            copy[at] = (uint8_t) (i == 0 ? copy[at] ^ 1 : i == 1 ? 0xff : next_random());
            if (gh_image_open(copy, image->length, &changed, &error) != GH_OK) {
                refused++;
                continue;
            }
            read++;
            gh_heap_init(&heap);
            world_request(&request, "nord/retail/hr", "gpt");
            world_decide(changed, &request, &heap.arena);
            gh_heap_free(&heap);
            gh_image_unref(changed);
        }
    }
    for (size_t cut = 0; cut < image->length; cut += 7) {
        if (gh_image_open(image->bytes, cut, &changed, &error) == GH_OK) {
            gh_image_unref(changed);
            read++;
        }
    }
    printf("store: %u changed images: %u refused\n", refused + read, refused);
    CHECK(refused > 1000 && read > 100);
    gh_image_unref(image);
    free(copy);
}

static void
test_envelope(void)
{
    uint8_t     value[100], key[4] = { 1, 2, 3, 4 };
    gh_hmac_t  *mac = gh_hmac_new(store_key, 32);
    gh_bytes_t  bound = { key, 4 };
    gh_error_t  error;
    unsigned    passed = 0;

    memset(value, 7, sizeof(value));
    CHECK_INT(gh_envelope_seal(mac, GH_DB_KEY, bound, value, sizeof(value)), GH_OK);
    CHECK_INT(gh_envelope_check(mac, GH_DB_KEY, bound, value, sizeof(value), &error), GH_OK);
    CHECK_INT(gh_envelope_check(mac, GH_DB_NAME, bound, value, sizeof(value), &error), GH_ERROR);
    CHECK_INT(gh_envelope_check(mac, GH_DB_KEY, (gh_bytes_t) { key, 3 }, value, sizeof(value), &error), GH_ERROR);
    CHECK_INT(gh_envelope_check(mac, GH_DB_KEY, bound, value, sizeof(value) - 1, &error), GH_ERROR);
    CHECK_INT(gh_envelope_check(mac, GH_DB_KEY, bound, value, 31, &error), GH_ERROR);
    for (size_t i = 0; i < sizeof(value) * 8; i++) {
        value[i / 8] ^= (uint8_t) (1 << i % 8);
        passed += gh_envelope_check(mac, GH_DB_KEY, bound, value, sizeof(value), &error) == GH_OK;
        value[i / 8] ^= (uint8_t) (1 << i % 8);
    }
    CHECK_INT(passed, 0);
    value[4] = 9;
    CHECK_INT(gh_envelope_check(mac, GH_DB_KEY, bound, value, sizeof(value), &error), GH_ERROR);
    CHECK(is(&error, "store_version"));
    CHECK(strstr(error.text, "9") != NULL);
    CHECK_INT(gh_envelope_seal(mac, GH_DB_KEY, bound, value, 31), GH_ERROR);
    gh_hmac_free(mac);
}

/* lock.mdb removed and made again: who has the old one must not go on with what was in force then. */
static void
test_lock_lost(void)
{
    gh_error_t  error;
    gh_store_t *reader = store_open(false, &error), *writer;
    gh_image_t *image;
    uint64_t    revision;
    char        path[96];

    if (!CHECK(reader != NULL) || !CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_OK)) {
        gh_store_close(reader);
        return;
    }
    path_of("lock.mdb", path);
    CHECK(unlink(path) == 0);
    CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_ERROR);
    CHECK(is(&error, "store_replaced"));
    CHECK(strstr(error.source, "lock.mdb") != NULL && strstr(error.text, "lock.mdb") != NULL);

    /* as "gatehouse init" does */
    CHECK(close(open(path, O_RDWR | O_CREAT | O_EXCL, 0660)) == 0);
    writer = store_open(true, &error);
    if (CHECK(writer != NULL)) {
        CHECK_INT(store_apply(writer, store_tenants, &revision), GH_OK);
        CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_ERROR);
        CHECK(is(&error, "store_replaced"));
        CHECK(image == NULL);
    }
    gh_store_close(reader);
    reader = store_open(false, &error);
    if (CHECK(reader != NULL) && CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_OK)) {
        CHECK_INT(gh_image_revision(image), revision);
    }
    gh_store_close(writer);
    gh_store_close(reader);
}

/* data.mdb has a second name, as some backups give it one: moved out of its place it is not the store, at once. */
static void
test_hard_link(void)
{
    gh_error_t  error;
    gh_store_t *reader = store_open(false, &error);
    gh_image_t *image;
    char        path[96], other[96];

    path_of("data.mdb", path);
    path_of("other.mdb", other);
    if (CHECK(reader != NULL) && CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_OK)) {
        CHECK(link(path, other) == 0);
        CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_OK);
        CHECK(unlink(path) == 0);
        CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_ERROR);
        CHECK(is(&error, "store_replaced"));
        CHECK(rename(other, path) == 0);
        CHECK_INT(gh_store_current(reader, WORLD_NOW, &image, &error), GH_OK);
    }
    gh_store_close(reader);
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    test_envelope();
    test_image(&heap.arena);
    if (CHECK(store_make())) {
        test_open();
        test_revisions(&heap.arena);
        test_concurrent(&heap.arena);
        test_borrowed(&heap.arena);
        test_damage(&heap.arena);
        test_damaged_flags();
        test_hard_link();
        test_lock_lost();
        test_running(&heap.arena);
    }
    store_remove();
    gh_heap_free(&heap);
    return check_done("store");
}
