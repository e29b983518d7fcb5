/* A store in a temporary directory, with the documents of a small world. */
#ifndef GH_TEST_STORE_WORLD_H
#define GH_TEST_STORE_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/compile/apply.h"
#include "tests/unit/world.h"

static const uint8_t store_key[32] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
static const uint8_t store_id[16] = { 7, 7, 7 };
static char          store_home[64];
static bool          store_quiet;       /* refusals of store_apply are expected */

static const char store_fleet[] =
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"SE\"}],\"models\":{\"gpt\":{}},"
    "\"deployments\":[{\"id\":\"se\",\"backend\":\"b\",\"serves\":[\"nord\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"SE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"SE\",\"training\":false,"
    WORLD_EVIDENCE ",\"models\":{\"gpt\":{\"upstream\":\"gpt-se\"}}}]}";
static const char store_tenants[] =
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":[{\"id\":\"retail\",\"apps\":[{\"id\":\"chat\"}]}]}]}";
static const char store_tenants_more[] =
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":[{\"id\":\"retail\",\"apps\":[{\"id\":\"hr\","
    "\"classes\":[\"secret\"]},{\"id\":\"chat\"}]}]}]}";
static const char store_residency[] =
    "{\"kind\":\"residency/1\",\"name\":\"nord\",\"applies_to\":\"nord/*\",\"facts\":\"regions/2026-11-21\","
    "\"classes\":[\"internal\",\"secret\"],\"classify\":{\"default\":\"internal\"},"
    "\"allow\":[{\"id\":\"eu\",\"why\":\"w\",\"classes\":[\"internal\"],\"process\":{\"within\":[\"EU\"]},\"store\":\"nothing\"}]}";

static inline bool
store_make(void)
{
    char        path[96];
    const char *tmp = getenv("TMPDIR");
    gh_error_t  error;

    snprintf(store_home, sizeof(store_home), "%.40s/gh-store-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    memset(&error, 0, sizeof(error));
    if (mkdtemp(store_home) == NULL) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/store", store_home);
    if (mkdir(path, 0700) != 0 || gh_store_create(store_home, store_key, store_id, &error) != GH_OK) {
        fprintf(stderr, "%s: %s\n", error.source, error.text);
        return false;
    }
    return true;
}

static inline void
store_remove(void)
{
    static const char *const names[] = { "/store/data.mdb", "/store/lock.mdb", "/store/identity", "/store/other.mdb", "/store", "/key", "" };
    char                     path[96];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", store_home, names[i]);
        if (unlink(path) != 0 && errno == EISDIR) {
            rmdir(path);
        }
    }
}

static inline gh_store_t *
store_open(bool writable, gh_error_t *error)
{
    gh_store_options_t options = { .home = store_home, .writable = writable };

    memset(error, 0, sizeof(*error));
    memcpy(options.key, store_key, 32);
    return gh_store_open(&options, error);
}

/* Applies the small world with one tenants document. */
static inline int
store_apply(gh_store_t *store, const char *tenants, uint64_t *revision)
{
    gh_document_source_t sources[3] = { { GH_STR("fleet.json"), gh_str_from(store_fleet) },
                                        { GH_STR("residency.json"), gh_str_from(store_residency) },
                                        { GH_STR("tenants.json"), gh_str_from(tenants) } };
    gh_apply_t           apply = { .sources = sources, .source_count = 3, .author = GH_STR("alice"), .reason = GH_STR("test"),
                                   .now_ms = WORLD_NOW };
    gh_report_t          report;
    gh_heap_t            heap;
    int                  rc;

    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    rc = gh_apply(store, &heap.arena, &apply, revision, &report);
    for (size_t i = 0; rc != GH_OK && !store_quiet && i < report.count; i++) {
        fprintf(stderr, "%s:%u: %s\n", report.items[i].error.source, report.items[i].error.line, report.items[i].error.text);
    }
    gh_heap_free(&heap);
    return rc;
}

static inline int
store_new_key(gh_store_t *store, const char *app, const char *name, uint8_t seed, uint64_t not_after_ms,
    char text[GH_KEY_TEXT + 1], gh_error_t *error)
{
    gh_store_key_new_t key = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = gh_str_from(app),
                               .name = gh_str_from(name), .now_ms = WORLD_NOW, .not_after_ms = not_after_ms,
                               .actor = GH_STR("alice") };

    memset(key.random, seed, sizeof(key.random));
    return gh_store_key_create(store, &key, text, error);
}

#endif
