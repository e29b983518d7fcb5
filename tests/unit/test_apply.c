/* Whose documents are whose, what an edit replaces and stands on, and the record that a revision leaves. */
#include "tests/unit/store_world.h"

#include <stdlib.h>

#include "policy/document/items.h"
#include "policy/store/envelope.h"
#include "policy/store/image_format.h"
#include "policy/store/revision.h"

#define POLICY(org, why)                                                                                                    \
    "{\"kind\":\"residency/1\",\"name\":\"" org "\",\"applies_to\":\"" org "/*\",\"facts\":\"regions/2026-11-21\","           \
    "\"classes\":[\"internal\"],\"classify\":{\"default\":\"internal\"},\"allow\":[{\"id\":\"eu\",\"why\":\"" why "\","        \
    "\"classes\":[\"internal\"],\"process\":{\"within\":[\"EU\"]},\"store\":\"nothing\"}]}"
#define TENANTS(org, app) \
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"" org "\",\"tenants\":[{\"id\":\"t\",\"apps\":[{\"id\":\"" app "\"}]}]}]}"

/* ---- owners ---- */

static void
test_owners(gh_arena_t *arena)
{
    static const struct {
        const char *text, *owner;          /* owner NULL: it does not say */
    } cases[] = {
        { POLICY("nord", "w"), "nord" },
        { "{\"kind\":\"residency/1\",\"applies_to\":[\"nord/a\",\"nord/b*\"]}", "nord" },
        { "{\"kind\":\"residency/1\",\"applies_to\":[\"nord/a\",\"sud/b\"]}", "" },
        { "{\"kind\":\"residency/1\",\"applies_to\":\"*\"}", "" },
        { "{\"kind\":\"residency/1\",\"applies_to\":\"nord\",\"role\":\"guard\"}", "" },
        { "{\"kind\":\"residency/1\",\"applies_to\":\"nord\",\"role\":7}", "" },
        { "{\"kind\":\"residency/1\",\"applies_to\":7}", NULL },
        { "{\"kind\":\"residency/1\",\"applies_to\":[]}", NULL },
        { "{\"kind\":\"residency/1\"}", NULL },
        { store_tenants, "nord" },
        { "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "" },
        { "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"a\"},{\"id\":\"a\"}]}", "a" },
        { "{\"kind\":\"tenants/1\",\"organisations\":[{}]}", NULL },
        { "{\"kind\":\"tenants/1\",\"organisations\":{}}", NULL },
        { store_fleet, "" },
        { "{\"kind\":\"fleet/2\"}", NULL },
        { "{\"kind\":[]}", NULL },
        { "[]", NULL },
        { "{", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_document_source_t source = { GH_STR("x.json"), gh_str_from(cases[i].text) };
        gh_error_t           error = { 0 };
        gh_str_t             owner;
        bool                 tenants;
        int                  rc = gh_document_owner(arena, &source, &owner, &tenants, &error);

        CHECK_INT(tenants, rc == GH_OK && strstr(cases[i].text, "tenants/1") != NULL);
        CHECK_INT(rc, cases[i].owner != NULL ? GH_OK : GH_ERROR);
        CHECK_STR(owner, cases[i].owner != NULL ? cases[i].owner : "");
        CHECK(rc == GH_OK || error.code != NULL);
    }
}

static void
test_scopes(gh_arena_t *arena)
{
    const gh_scope_t all = { .kind = GH_SCOPE_ALL }, gateway = { .kind = GH_SCOPE_GATEWAY };
    const gh_scope_t nord = { GH_SCOPE_ORGANISATION, GH_STR("nord") };

    CHECK(gh_scope_replaces(&all, GH_STR("nord")) && gh_scope_replaces(&all, GH_OWNER_GATEWAY));
    CHECK(!gh_scope_replaces(&gateway, GH_STR("nord")) && gh_scope_replaces(&gateway, GH_OWNER_GATEWAY));
    CHECK(gh_scope_replaces(&nord, GH_STR("nord")) && !gh_scope_replaces(&nord, GH_STR("nor")));
    CHECK(!gh_scope_replaces(&nord, GH_OWNER_GATEWAY) && !gh_scope_replaces(&nord, GH_STR("nordbank")));
    CHECK(gh_scope_depends(&all, GH_STR("nord")) && gh_scope_depends(&gateway, GH_STR("nord")));
    CHECK(gh_scope_depends(&nord, GH_OWNER_GATEWAY) && gh_scope_depends(&nord, GH_STR("nord")) && !gh_scope_depends(&nord, GH_STR("sud")));
    CHECK_STR(gh_scope_path(arena, &nord, GH_STR("a/b.json")), "nord/a/b.json");
    CHECK_STR(gh_scope_path(arena, &gateway, GH_STR("a/b.json")), "a/b.json");
    CHECK_STR(gh_pattern_organisation(GH_STR("nord/x*")), "nord");
    CHECK_STR(gh_pattern_organisation(GH_STR("*")), "");
}

/* ---- which owners changed, against counting ---- */

#define OWNERS 4
#define TEXTS  3

static unsigned
multiplicity(const gh_store_document_t *documents, size_t count, gh_str_t owner, uint8_t text)
{
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        found += gh_str_eq(documents[i].owner, owner) && documents[i].sha256[31] == text;
    }
    return found;
}

static void
test_changed(gh_arena_t *arena)
{
    static const char *const names[OWNERS] = { "", "a", "ab", "b" };

    srand(11);
    for (int world = 0; world < 20000; world++) {
        gh_store_document_t documents[2][6];
        size_t              counts[2], changed;
        gh_str_t           *owners;
        size_t              at = 0;

        memset(documents, 0, sizeof(documents));
        for (int side = 0; side < 2; side++) {
            counts[side] = (size_t) rand() % 7;
            for (size_t i = 0; i < counts[side]; i++) {
                documents[side][i].owner = gh_str_from(names[rand() % OWNERS]);
                documents[side][i].sha256[31] = (uint8_t) (rand() % TEXTS);
            }
        }
        if (gh_apply_changed(arena, documents[0], counts[0], documents[1], counts[1], &owners, &changed) != GH_OK) {
            CHECK(false);
            return;
        }
        for (int o = 0; o < OWNERS; o++) {
            gh_str_t owner = gh_str_from(names[o]);
            bool     differs = false;

            for (uint8_t text = 0; text < TEXTS; text++) {
                differs = differs || multiplicity(documents[0], counts[0], owner, text) != multiplicity(documents[1], counts[1], owner, text);
            }
            if (differs) {
                CHECK(at < changed && gh_str_eq(owners[at], owner));
                at++;
            }
        }
        CHECK_INT(at, changed);
    }
}

/* ---- random edits against a model of who wrote what ---- */

#define EDITORS 3                    /* nord, sud, the gateway */
#define EDITS   250

static const char *const editor_names[EDITORS] = { "nord", "sud", "" };
static int               contents[EDITS + 2][EDITORS];     /* which version of their documents each revision has */

static const char *const policies[2][2] = { { POLICY("nord", "one"), POLICY("nord", "two") }, { POLICY("sud", "one"), POLICY("sud", "two") } };
static const char *const tenant_texts[2][2] = { { TENANTS("nord", "a"), TENANTS("nord", "b") }, { TENANTS("sud", "a"), TENANTS("sud", "b") } };
static const char        fleet_start[] =
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"SE\"}],\"models\":{\"gpt\":{}},\"deployments\":[{\"id\":\"%s\",\"backend\":\"b\","
    "\"serves\":[\"nord\",\"sud\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"SE\",\"dialect\":\"openai\",\"endpoints\":"
    "[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"SE\",\"training\":false," WORLD_EVIDENCE
    ",\"models\":{\"gpt\":{\"upstream\":\"u\"}}}]}";
static char              fleets[2][1024];

/* The documents of one editor in a version (bit 0: of its policy or fleet; bit 1: of its tenants), at the paths its own edits have. */
static size_t
documents_of(int editor, int version, gh_document_source_t *sources)
{
    static const gh_str_t paths[2][2] = { { GH_STR("nord/p.json"), GH_STR("nord/t.json") }, { GH_STR("sud/p.json"), GH_STR("sud/t.json") } };

    if (editor == 2) {
        sources[0] = (gh_document_source_t) { GH_STR("fleet.json"), gh_str_from(fleets[version & 1]) };
        return 1;
    }
    sources[0] = (gh_document_source_t) { paths[editor][0], gh_str_from(policies[editor][version & 1]) };
    sources[1] = (gh_document_source_t) { paths[editor][1], gh_str_from(tenant_texts[editor][version >> 1]) };
    return 2;
}

static gh_scope_t
scope_of(int editor)
{
    return editor == EDITORS ? (gh_scope_t) { .kind = GH_SCOPE_ALL }
        : editor == 2 ? (gh_scope_t) { .kind = GH_SCOPE_GATEWAY }
                      : (gh_scope_t) { GH_SCOPE_ORGANISATION, gh_str_from(editor_names[editor]) };
}

/* Whether the base is one that the editor may stand on: an organisation looks at itself and the gateway, everybody else at all. */
static bool
base_holds(int editor, uint64_t base, uint64_t newest)
{
    for (int other = 0; other < EDITORS; other++) {
        bool looks = editor >= 2 || other == editor || other == 2;

        if (looks && contents[base][other] != contents[newest][other]) {
            return false;
        }
    }
    return true;
}

/* SHA-256 over path, 0, SHA-256 of every document, by path. */
static void
check_digest(const gh_store_revision_t *revision)
{
    uint8_t text[5 * 64], digest[32];
    size_t  len = 0;

    for (size_t i = 0; i < revision->document_count && i < 5; i++) {
        const gh_store_document_t *document = &revision->documents[i];

        memcpy(text + len, document->path.data, document->path.len);
        text[len + document->path.len] = 0;
        memcpy(text + len + document->path.len + 1, document->sha256, 32);
        len += document->path.len + 1 + 32;
    }
    gh_sha256(text, len, digest);
    CHECK_MEM(revision->policy_digest, digest, 32);
}

static void
check_revision(gh_store_t *store, uint64_t newest)
{
    gh_store_revision_t revision;
    gh_error_t          error = { 0 };
    gh_heap_t           heap;
    size_t              changed = 0;

    gh_heap_init(&heap);
    if (CHECK_INT(gh_store_revision_read(store, newest, &heap.arena, &revision, &error), GH_OK)) {
        CHECK_INT(revision.document_count, 5);
        for (size_t i = 0; i < revision.document_count; i++) {
            gh_document_source_t expected[2];
            gh_str_t             text;
            int                  editor = revision.documents[i].owner.len == 0 ? 2 : gh_str_is(revision.documents[i].owner, "sud");
            size_t               count = documents_of(editor, contents[newest][editor], expected);
            bool                 found = false;

            CHECK_INT(gh_store_document(store, revision.documents[i].sha256, &heap.arena, &text, &error), GH_OK);
            for (size_t k = 0; k < count; k++) {
                found = found || (gh_str_eq(expected[k].path, revision.documents[i].path) && gh_str_eq(expected[k].bytes, text));
            }
            CHECK(found);
        }
        for (int editor = 0; editor < EDITORS; editor++) {
            bool differs = contents[newest][editor] != contents[newest - 1][editor], said = false;

            for (size_t i = 0; i < revision.changed_count; i++) {
                said = said || gh_str_is(revision.changed[i], editor_names[editor]);
            }
            CHECK(said == differs);
            changed += differs;
        }
        CHECK_INT(revision.changed_count, changed);
        CHECK_INT(revision.base, newest - 1);
        check_digest(&revision);
    }
    gh_heap_free(&heap);
}

static void
test_random_edits(void)
{
    gh_error_t  error;
    gh_store_t *store = store_open(true, &error);
    uint64_t    newest = 0;
    unsigned    refused = 0, parts = 0;

    if (!CHECK(store != NULL)) {
        return;
    }
    snprintf(fleets[0], sizeof(fleets[0]), fleet_start, "one");
    snprintf(fleets[1], sizeof(fleets[1]), fleet_start, "two");
    contents[0][0] = contents[0][1] = contents[0][2] = -1;
    srand(5);

    for (int i = 0; i < EDITS; i++) {
        int                  editor = newest == 0 ? EDITORS : rand() % (EDITORS + 1), version[EDITORS];
        gh_document_source_t sources[5];
        gh_apply_t           apply = { .scope = scope_of(editor), .sources = sources, .based = rand() % 3 != 0,
                                       .base = (uint64_t) rand() % (newest + 1),
                                       .how = rand() % 2 ? GH_APPLY_WHOLE : GH_APPLY_PART, .now_ms = WORLD_NOW - (uint64_t) (rand() % 5000) };
        gh_apply_ready_t     ready;
        gh_report_t          report;
        gh_heap_t            heap;
        uint64_t             revision;
        bool                 holds = !apply.based || base_holds(editor, apply.base, newest);

        for (int other = 0; other < EDITORS; other++) {
            version[other] = contents[newest][other];
            if (editor == EDITORS || editor == other) {
                version[other] = rand() % (other == 2 ? 2 : 4);
                apply.source_count += documents_of(other, version[other], sources + apply.source_count);
            }
        }
        gh_heap_init(&heap);
        gh_report_init(&report, &heap.arena);
        parts += gh_apply_prepare(store, &heap.arena, &apply, &ready, &report) == GH_OK && ready.unread != 0;
        CHECK_INT(gh_apply(store, &heap.arena, &apply, &revision, &report), holds ? GH_OK : GH_ERROR);
        if (holds) {
            newest++;
            CHECK_INT(revision, newest);
            memcpy(contents[newest], version, sizeof(version));
            check_revision(store, newest);
        } else {
            CHECK_INT(report.errors, 1);
            CHECK(report.count > 0 && strcmp(report.items[0].error.code, "base_moved") == 0);
            refused++;
        }
        gh_heap_free(&heap);
    }
    CHECK(refused > 20 && newest > 100 && parts > 5);
    gh_store_close(store);
}

/* Policy time: a clock that goes back, as above, moves no revision before another. */
static void
test_time(gh_arena_t *arena)
{
    gh_store_revision_t *history;
    gh_error_t           error;
    gh_store_t          *store = store_open(false, &error);
    size_t               count = 0;

    if (CHECK(store != NULL)) {
        CHECK_INT(gh_store_history(store, arena, &history, &count, &error), GH_OK);
        for (size_t i = 1; i < count; i++) {
            CHECK(history[i - 1].time_ms >= history[i].time_ms);
        }
        CHECK(count > 100);
        gh_store_close(store);
    }
}

/* ---- running out of memory ---- */

static void
test_no_memory(void)
{
    gh_error_t  error;
    gh_store_t *store = store_open(true, &error);
    uint64_t    before, after;
    size_t      limit = 0;
    int         rc = GH_ERROR;

    if (!CHECK(store != NULL)) {
        return;
    }
    CHECK_INT(gh_store_revision_number(store, &before, &error), GH_OK);
    for (; limit < 100000 && rc != GH_OK; limit += limit < 300 ? 1 : 97) {
        gh_document_source_t sources[2];
        gh_apply_t           apply = { .scope = scope_of(0), .sources = sources, .source_count = documents_of(0, 0, sources),
                                       .now_ms = WORLD_NOW };
        gh_apply_ready_t     ready;
        gh_report_t          report;
        gh_heap_t            heap;

        gh_heap_init(&heap);
        heap.limit = limit;
        gh_report_init(&report, &heap.arena);
        rc = gh_apply_prepare(store, &heap.arena, &apply, &ready, &report);
        CHECK(rc == GH_OK || report.errors != 0 || report.no_memory);
        gh_heap_free(&heap);
    }
    CHECK(rc == GH_OK && limit > 50);
    CHECK_INT(gh_store_revision_number(store, &after, &error), GH_OK);
    CHECK_INT(after, before);
    gh_store_close(store);
}

/* ---- the record ---- */

static void
test_record(gh_arena_t *arena)
{
    static const gh_store_source_t sources[2] = { { .path = GH_STR("a.json"), .owner = GH_STR("nord"), .tenants = true, .text = GH_STR("{}") },
                                                    { .path = GH_STR("b/c.json"), .owner = GH_STR(""), .text = GH_STR("[]") } };
    static const gh_str_t          changed[2] = { GH_STR(""), GH_STR("nord") };
    static uint8_t                 image[GH_IMAGE_HEADER];
    gh_store_revision_new_t        new = { .base = 6, .image = { image, sizeof(image) }, .sources = sources, .source_count = 2, .changed = changed,
                                           .changed_count = 2, .rollback_of = 3, .author = GH_STR("ada"), .reason = GH_STR("why") };
    gh_store_revision_t            revision;
    gh_error_t                     error = { 0 };
    size_t                         len;
    uint8_t                       *record = gh_revision_record(7, 99, &new, &len);

    if (!CHECK(record != NULL)) {
        return;
    }
    CHECK_INT(gh_revision_read((gh_bytes_t) { record, len }, arena, &revision, &error), GH_OK);
    CHECK(revision.number == 7 && revision.base == 6 && revision.time_ms == 99 && revision.rollback_of == 3);
    CHECK_STR(revision.author, "ada");
    CHECK_STR(revision.reason, "why");
    CHECK_INT(revision.document_count, 2);
    CHECK_STR(revision.documents[0].owner, "nord");
    CHECK(revision.documents[0].tenants && !revision.documents[1].tenants);
    CHECK_STR(revision.documents[1].path, "b/c.json");
    CHECK_STR(revision.documents[1].owner, "");
    CHECK_INT(revision.changed_count, 2);
    CHECK_STR(revision.changed[1], "nord");

    /* In memory of exactly its size, so that a sanitizer sees a byte too many. */
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *part = malloc(cut + 1);

        memcpy(part, record, cut);
        CHECK_INT(gh_revision_read((gh_bytes_t) { part, cut }, arena, &revision, &error), GH_ERROR);
        free(part);
    }
    srand(3);
    for (int i = 0; i < 20000; i++) {
        uint8_t *part = malloc(len);

        memcpy(part, record, len);
        part[(size_t) rand() % len] = (uint8_t) rand();
        part[GH_ENVELOPE_SIZE + 96 + (size_t) rand() % 32] = (uint8_t) rand();
        gh_revision_read((gh_bytes_t) { part, len }, arena, &revision, &error);
        free(part);
    }
    CHECK(error.code != NULL && strcmp(error.code, "store_damaged") == 0);
    free(record);
}

/* ---- named things ---- */

static gh_items_t
items_of(gh_arena_t *arena, const char *text)
{
    gh_document_source_t source = { GH_STR("x.json"), gh_str_from(text) };
    gh_error_t           error;
    gh_items_t           items;

    CHECK_INT(gh_document_items(arena, &source, 1, &items, &error), GH_OK);
    return items;
}

static size_t
differences(gh_arena_t *arena, const char *before, const char *after, gh_item_change_t **changes)
{
    gh_items_t a = items_of(arena, before), b = items_of(arena, after);
    gh_items_t *kept = gh_arena_array(arena, 2, sizeof(*kept));
    size_t      count;

    kept[0] = a;
    kept[1] = b;
    CHECK_INT(gh_items_compare(arena, &kept[0], &kept[1], changes, &count), GH_OK);
    return count;
}

static void
test_items(gh_arena_t *arena)
{
    static const char base[] = "{\"kind\":\"fleet/1\",\"deployments\":[{\"id\":\"a\",\"x\":[1,2],\"y\":{\"p\":\"1\",\"q\":true}},{\"id\":\"b\"}]}";
    gh_item_change_t *changes;

    CHECK_INT(differences(arena, base, "{\"deployments\" : [{\"id\":\"b\"}, {\"y\":{\"q\":true,\"p\":\"1\"}, \"x\":[1,2],\"id\":\"a\"}],\n"
                          "\"kind\":\"fleet/1\"}", &changes), 0);
    CHECK_INT(differences(arena, base, "{\"kind\":\"fleet/1\",\"deployments\":[{\"id\":\"a\",\"x\":[2,1],\"y\":{\"p\":1,\"q\":true},\"z\":0},"
                          "{\"id\":\"c\"}]}", &changes), 3);
    CHECK(changes[0].change == GH_ITEM_CHANGED && changes[1].change == GH_ITEM_REMOVED && changes[2].change == GH_ITEM_ADDED);
    CHECK_INT(changes[0].member_count, 3);
    CHECK_STR(changes[0].members[0], "x");
    CHECK_STR(changes[0].members[1], "y");
    CHECK_STR(changes[0].members[2], "z");
    CHECK_STR(changes[1].before->id, "b");
    CHECK(changes[1].after == NULL && changes[2].before == NULL);
    CHECK_STR(changes[2].after->id, "c");

    CHECK_INT(items_of(arena, store_tenants).count, 3);
    CHECK_INT(differences(arena, store_tenants, store_tenants_more, &changes), 1);
    CHECK(changes[0].change == GH_ITEM_ADDED && changes[0].after->kind == GH_ITEM_APP);
    CHECK_STR(changes[0].after->id, "nord/retail/hr");
    CHECK_INT(differences(arena, POLICY("nord", "one"), POLICY("nord", "two"), &changes), 1);
    CHECK(changes[0].after->kind == GH_ITEM_ALLOW && changes[0].member_count == 1);
    CHECK_STR(changes[0].after->id, "nord/eu");
    CHECK_STR(changes[0].members[0], "why");
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    test_owners(&heap.arena);
    test_scopes(&heap.arena);
    test_changed(&heap.arena);
    test_record(&heap.arena);
    test_items(&heap.arena);
    if (CHECK(store_make())) {
        test_random_edits();
        test_time(&heap.arena);
        test_no_memory();
        store_remove();
    }
    gh_heap_free(&heap);
    return check_done("apply");
}
