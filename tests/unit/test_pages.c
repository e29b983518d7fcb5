/*
 * Reading LMDB's pages with branch pages kept between look-ups: what is found is what LMDB's own mdb_get finds, in each of many snapshots
 * that follow each other, whatever the pages of the ones before were used for since.
 */
#include "policy/store/pages.h"

#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/base/mapped.h"
#include "tests/unit/check.h"

enum { KEYS = 20000, VALUE = 180, ROUNDS = 40, LOOKS = 3000 };

static uint64_t seed = 20261127;
static MDB_env *env;
static MDB_dbi  dbi;
static int      fd = -1;

static uint32_t
any(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (seed >> 33) % below;
}

/* Scattered, as hashes are; and every third as names are: many begin alike, and go on alike for longer than a head. */
static void
key_of(uint32_t number, uint8_t key[32])
{
    uint64_t word = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    if (number % 3 == 0) {
        char text[33];

        snprintf(text, sizeof(text), "nord/t%02u/another-app-%06u/chat", number / 90 % 100, number);
        memcpy(key, text, 32);
        return;
    }
    for (int i = 0; i < 32; i++) {
        key[i] = (uint8_t) (word >> 8 * (i % 8)) ^ (uint8_t) (i / 8);
    }
}

static bool
put(MDB_txn *txn, uint32_t number)
{
    uint8_t key[32], value[VALUE];
    MDB_val k = { sizeof(key), key }, v = { sizeof(value), value };

    key_of(number, key);
    memset(value, (int) any(256), sizeof(value));
    memcpy(value, &number, sizeof(number));
    return mdb_put(txn, dbi, &k, &v, 0) == 0;
}

static bool
remove_key(MDB_txn *txn, uint32_t number)
{
    uint8_t key[32];
    MDB_val k = { sizeof(key), key };
    int     rc;

    key_of(number, key);
    rc = mdb_del(txn, dbi, &k, NULL);
    return rc == 0 || rc == MDB_NOTFOUND;
}

static bool
make(const char *path)
{
    MDB_txn *txn;
    bool     good;

    if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, 64 << 20) != 0 || mdb_env_set_maxdbs(env, 4) != 0
        || mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOTLS, 0600) != 0 || mdb_txn_begin(env, NULL, 0, &txn) != 0
        || mdb_dbi_open(txn, "key", MDB_CREATE, &dbi) != 0)
    {
        return false;
    }
    good = true;
    for (uint32_t i = 0; good && i < KEYS; i += 2) {
        good = put(txn, i);
    }
    good = mdb_txn_commit(txn) == 0 && good;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return good && fd >= 0;
}

/* Some keys come, some go, some get another value; enough that pages are split, merged and used again. */
static bool
edit(void)
{
    MDB_txn *txn;
    uint32_t from = any(KEYS), count = any(2000);
    bool     good = mdb_txn_begin(env, NULL, 0, &txn) == 0, away = any(2) == 0;

    if (!good) {
        return false;
    }
    for (uint32_t i = 0; good && i < count; i++) {
        uint32_t number = (from + i * 7) % KEYS;

        good = away && any(8) != 0 ? remove_key(txn, number) : put(txn, number);
    }
    return mdb_txn_commit(txn) == 0 && good;
}

/* One look-up by both; the cache does not make a difference. */
static void
look(const gh_pages_t *pages, const gh_tree_t *tree, MDB_txn *txn, gh_value_t *value, unsigned *found_count)
{
    uint8_t    key[32];
    MDB_val    k = { any(16) == 0 ? 1 + any(31) : sizeof(key), key }, v;      /* or the beginning of one, which is none */
    gh_error_t error = { 0 };
    bool       found = false;
    int        rc;

    key_of(any(KEYS), key);
    rc = mdb_get(txn, dbi, &k, &v);
    CHECK_INT(gh_pages_get(pages, tree, (gh_bytes_t) { key, k.mv_size }, value, &found, &error), GH_OK);
    CHECK(found == (rc == 0));
    if (found && rc == 0) {
        CHECK(value->len == v.mv_size && memcmp(value->data, v.mv_data, v.mv_size) == 0);
        ++*found_count;
    }
}

static void
test_snapshots(gh_pages_cache_t *cache, bool mapped)
{
    gh_pages_t  pages = { .cache = cache };
    gh_value_t  value = { 0 };
    gh_error_t  error = { 0 };
    gh_tree_t   tree;
    MDB_txn    *txn;
    unsigned    found = 0;
    uint64_t    before;

    for (int round = 0; round < ROUNDS; round++) {
        if (!CHECK(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0)) {
            return;
        }
        CHECK_INT(gh_pages_snapshot(&pages, fd, mdb_txn_id(txn), &error), GH_OK);
        CHECK(pages.cache == cache);
        if (mapped) {
            gh_pages_map(&pages);
            CHECK(pages.mapped >= pages.page_count * pages.page_size);
        }
        CHECK_INT(gh_pages_tree(&pages, "key", &tree, &error), GH_OK);
        CHECK(tree.depth >= 3);
        before = cache != NULL ? gh_pages_cache_reads(cache) : 0;
        for (int i = 0; i < LOOKS; i++) {
            look(&pages, &tree, txn, &value, &found);
        }
        if (cache != NULL) {              /* of each branch page once, and all of them are known by now */
            CHECK(gh_pages_cache_reads(cache) - before <= 2 * tree.branch_pages);
            before = gh_pages_cache_reads(cache);
            for (int i = 0; i < LOOKS; i++) {
                look(&pages, &tree, txn, &value, &found);
            }
            CHECK(gh_pages_cache_reads(cache) - before <= 2);
        }
        mdb_txn_abort(txn);
        CHECK(edit());
    }
    CHECK(found > ROUNDS * LOOKS / 10);
    CHECK(mapped == (pages.map != NULL));
    gh_pages_unmap(&pages);
    gh_value_free(&value);
}

/* A copy of the file is cut short under its map: what is left is read, what is gone is damage, and what comes back is read again. */
static void
test_cut(const char *path)
{
    gh_pages_t  pages = { 0 };
    gh_value_t  value = { 0 };
    gh_error_t  error = { 0 };
    gh_tree_t   tree;
    MDB_txn    *txn;
    char        copy[128];
    uint8_t     key[32];
    unsigned    read = 0, damaged = 0;
    bool        found;
    int         cut;

    snprintf(copy, sizeof(copy), "%s-copy", path);
    if (!CHECK(mdb_env_copy(env, copy) == 0 && mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0)) {
        return;
    }
    cut = open(copy, O_RDWR | O_CLOEXEC);
    CHECK(cut >= 0);
    CHECK_INT(gh_pages_snapshot(&pages, cut, mdb_txn_id(txn), &error), GH_OK);
    CHECK_INT(gh_pages_tree(&pages, "key", &tree, &error), GH_OK);
    gh_pages_map(&pages);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            key_of(i, key);
            error = (gh_error_t) { 0 };
            if (gh_pages_get(&pages, &tree, (gh_bytes_t) { key, sizeof(key) }, &value, &found, &error) == GH_OK) {
                read++;
            } else {
                damaged += error.code != NULL && strcmp(error.code, "store_damaged") == 0;
            }
        }
        CHECK_INT(read + damaged, (unsigned) (pass + 1) * KEYS);
        CHECK(pass == 0 ? damaged == 0 : damaged > KEYS / 10);
        CHECK(ftruncate(cut, (off_t) (pages.page_count / 2 * pages.page_size)) == 0);
    }
    gh_pages_unmap(&pages);
    mdb_txn_abort(txn);
    close(cut);
    unlink(copy);
    gh_value_free(&value);
}

/* Any other SIGBUS is met by whoever met it before: by nobody, which ends the process. */
static void
test_others(const char *path)
{
    int   status = 0, file = open(path, O_RDONLY | O_CLOEXEC);
    pid_t child = fork();

    if (child == 0) {
        struct rlimit none = { 0, 0 };
        volatile char *map = mmap(NULL, 1 << 30, PROT_READ, MAP_SHARED, file, 0);

        setrlimit(RLIMIT_CORE, &none);
        signal(SIGBUS, SIG_DFL);
        _exit(!gh_mapped_ready() || map == MAP_FAILED ? 1 : map[(1 << 30) - 1]);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    close(file);
}

/* A branch page that is damaged before it was ever read is damage with a cache too, each time; nothing of it is kept. */
static void
test_damage(const char *path, gh_pages_cache_t *cache)
{
    gh_pages_t pages = { .cache = cache };
    gh_value_t value = { 0 };
    gh_error_t error = { 0 };
    gh_tree_t  tree;
    MDB_txn   *txn;
    uint8_t    key[32], byte = 0;
    bool       found;
    int        to = open(path, O_WRONLY | O_CLOEXEC);

    if (!CHECK(to >= 0 && mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0)) {
        return;
    }
    CHECK_INT(gh_pages_snapshot(&pages, fd, mdb_txn_id(txn), &error), GH_OK);
    CHECK_INT(gh_pages_tree(&pages, "key", &tree, &error), GH_OK);
    CHECK(pwrite(to, &byte, 1, (off_t) (tree.root * pages.page_size + 10)) == 1);      /* its kind */
    key_of(2, key);
    for (int i = 0; i < 3; i++) {
        error = (gh_error_t) { 0 };
        CHECK_INT(gh_pages_get(&pages, &tree, (gh_bytes_t) { key, sizeof(key) }, &value, &found, &error), GH_ERROR);
        CHECK(error.code != NULL && strcmp(error.code, "store_damaged") == 0);
    }
    mdb_txn_abort(txn);
    close(to);
    gh_value_free(&value);
}

/* A page all of whose keys begin alike but those that stand before its first one: they are found, in their order or not. */
static void
test_before(gh_pages_cache_t *cache)
{
    gh_pages_t pages = { .cache = cache };
    gh_value_t value = { 0 };
    gh_error_t error = { 0 };
    gh_tree_t  tree;
    MDB_txn   *txn;
    MDB_dbi    before;
    char       key[33], filled[VALUE] = { 0 };

    if (!CHECK(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, "before", MDB_CREATE, &before) == 0)) {
        return;
    }
    for (int i = 0; i < 600; i++) {
        MDB_val v = { sizeof(filled), filled };

        snprintf(key, sizeof(key), i < 5 ? "acme/%027d" : "nord/%027d", i);
        CHECK(mdb_put(txn, before, &(MDB_val) { 32, key }, &v, MDB_APPEND) == 0);
    }
    CHECK(mdb_txn_commit(txn) == 0 && mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0);
    CHECK_INT(gh_pages_snapshot(&pages, fd, mdb_txn_id(txn), &error), GH_OK);
    CHECK_INT(gh_pages_tree(&pages, "before", &tree, &error), GH_OK);
    CHECK(tree.depth == 2);
    for (int i = 599; i >= 0; i--) {
        bool found = false;

        snprintf(key, sizeof(key), i < 5 ? "acme/%027d" : "nord/%027d", i);
        CHECK_INT(gh_pages_get(&pages, &tree, (gh_bytes_t) { key, 32 }, &value, &found, &error), GH_OK);
        CHECK(found);
    }
    mdb_txn_abort(txn);
    gh_value_free(&value);
}

int
main(void)
{
    const char       *tmp = getenv("TMPDIR");
    char              path[96], lock[128];
    gh_pages_cache_t *cache = gh_pages_cache_new();

    snprintf(path, sizeof(path), "%.40s/gh-pages-%d.mdb", tmp == NULL ? "/tmp" : tmp, (int) getpid());
    snprintf(lock, sizeof(lock), "%s-lock", path);
    if (CHECK(cache != NULL && make(path))) {
        test_snapshots(NULL, false);
        test_snapshots(cache, false);
        test_snapshots(cache, true);
        test_before(cache);
        test_cut(path);
        test_others(path);
        test_damage(path, cache);
    }
    gh_pages_cache_free(cache);
    mdb_env_close(env);
    close(fd);
    unlink(path);
    unlink(lock);
    return check_done("pages");
}
