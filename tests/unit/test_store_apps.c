/* Apps beside the image: records follow the documents, whatever changes; who asks and what judges are always of one revision. */
#include <stdlib.h>
#include <sys/wait.h>

#include "policy/compile/apply.h"
#include "policy/store/image_format.h"
#include "tests/unit/store_world.h"

#define APPS   40
#define EDITS  60

static uint64_t random_state = 88172645463325252u;

static uint32_t
next_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t) (random_state >> 11) % below;
}

static bool
is(const gh_error_t *error, const char *code)
{
    return error->code != NULL && strcmp(error->code, code) == 0;
}

static void
identity_of(gh_identity_t *identity, gh_str_t path)
{
    memset(identity, 0, sizeof(*identity));
    identity->path = path;
    identity->key = GH_STR("k");
}

/* said[i]: 0 not listed, 1 plain, 2 with a class, 3 with a model list. */
static gh_str_t
tenants_text(gh_arena_t *arena, const uint8_t said[APPS])
{
    static const char *const words[] = { "", "", ",\"classes\":[\"secret\"]", ",\"models\":[\"gpt\"]" };
    gh_str_t                 text = GH_STR("");

    for (int i = 0; i < APPS; i++) {
        if (said[i] != 0) {
            text = gh_str_format(arena, "%.*s%s{\"id\":\"a%d\"%s}", GH_STR_ARG(text), text.len > 0 ? "," : "", i, words[said[i]]);
        }
    }
    return gh_str_format(arena, "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":[{\"id\":\"retail\",\"apps\":[%.*s]}]}]}",
        GH_STR_ARG(text));
}

/* Random edits: every app is known exactly when it is listed, by a profile that says what the document says. */
static void
test_follow(void)
{
    uint8_t     said[APPS] = { 1 };
    gh_error_t  error;
    gh_store_t *store = store_open(true, &error);
    uint64_t    revision;

    if (!CHECK(store != NULL)) {
        return;
    }
    for (int edit = 1; edit <= EDITS; edit++) {
        gh_heap_t   heap;
        gh_image_t *current;
        unsigned    listed = 0;

        gh_heap_init(&heap);
        CHECK_INT(store_apply(store, tenants_text(&heap.arena, said).data, &revision), GH_OK);
        CHECK_INT(revision, edit);
        for (int i = 0; i < APPS; i++) {
            gh_identity_t             identity;
            gh_image_t               *image;
            const gh_image_profile_t *profile;

            identity_of(&identity, gh_str_format(&heap.arena, "nord/retail/a%d", i));
            if (gh_store_identify_app(store, WORLD_NOW, &identity, &image, &error) != GH_OK) {
                CHECK(is(&error, "app_unknown") && said[i] == 0);
                continue;
            }
            listed++;
            profile = &image->profiles[gh_image_profile_find(image, identity.profile)];
            CHECK(said[i] != 0);
            CHECK_INT(identity.revision, edit);
            CHECK_INT(profile->app_classes, said[i] == 2 ? 2 : 0);
        }
        if (CHECK_INT(gh_store_current(store, WORLD_NOW, &current, &error), GH_OK)) {
            CHECK_INT(gh_image_counts(current).apps, listed);
            CHECK_INT(gh_image_counts(current).tenants, 1);
            CHECK_INT(gh_image_counts(current).organisations, 1);
        }
        for (unsigned changes = next_random(5); changes > 0; changes--) {
            said[next_random(APPS)] = (uint8_t) next_random(4);
        }
        if (edit % 20 == 0) {
            memset(said, (int) next_random(3) + 1, sizeof(said));
        }
        said[next_random(APPS)] = 1;
        gh_heap_free(&heap);
    }
    gh_store_close(store);
}

/* ---- one revision, whoever asks ---- */

static const char state_a[] =
    "{\"kind\":\"residency/1\",\"name\":\"nord\",\"applies_to\":\"nord/*\",\"facts\":\"regions/2026-11-21\","
    "\"classes\":[\"internal\",\"secret\"],\"classify\":{\"default\":\"internal\"},"
    "\"allow\":[{\"id\":\"a\",\"why\":\"w\",\"classes\":[\"internal\"],\"process\":{\"within\":[\"EU\"]},\"store\":\"nothing\"}]}";
static const char state_b[] =
    "{\"kind\":\"residency/1\",\"name\":\"nord\",\"applies_to\":\"nord/*\",\"facts\":\"regions/2026-11-21\","
    "\"classes\":[\"internal\",\"secret\"],\"classify\":{\"default\":\"internal\"},"
    "\"allow\":[{\"id\":\"b\",\"why\":\"w\",\"classes\":[\"internal\",\"secret\"],\"process\":{\"within\":[\"EU\"]},\"store\":\"nothing\"}]}";
static const char app_a[] =
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":[{\"id\":\"retail\",\"apps\":[{\"id\":\"chat\"},{\"id\":\"x\","
    "\"classes\":[\"secret\"]}]}]}]}";
static const char app_b[] =
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":[{\"id\":\"retail\",\"apps\":[{\"id\":\"chat\","
    "\"classes\":[\"secret\"]},{\"id\":\"x\"}]}]}]}";

/*
 * Both profiles are in use in both states, so that a number alone would pass in either. part: only tenants/1 changes, and only what that
 * changes is written.
 */
static int
apply_state(gh_store_t *store, bool b, bool part)
{
    gh_document_source_t sources[3] = { { GH_STR("fleet.json"), gh_str_from(store_fleet) },
                                        { GH_STR("residency.json"), gh_str_from(b || part ? state_b : state_a) },
                                        { GH_STR("tenants.json"), gh_str_from(b ? app_b : app_a) } };
    gh_apply_t           apply = { .sources = sources, .source_count = 3, .author = GH_STR("alice"), .now_ms = WORLD_NOW,
                                   .how = part ? GH_APPLY_PART : GH_APPLY_WHOLE };
    gh_report_t          report;
    gh_heap_t            heap;
    uint64_t             revision;
    int                  rc;

    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    rc = gh_apply(store, &heap.arena, &apply, &revision, &report);
    gh_heap_free(&heap);
    return rc;
}

/* State b stands in even revisions: chat carries both classes there, and one rule allows both. */
static bool
whole(const gh_image_t *image, const world_request_t *r, bool part)
{
    bool b = r->decision.revision % 2 == 0;

    return r->decision.code == GH_DECIDED_ALLOW && r->decision.class_count == (b ? 2 : 1)
        && gh_str_is(gh_decision_rule_id(image, r->decision.targets[0].fits[0]), b || part ? "b" : "a");
}

static int
decide(const gh_image_t *image, world_request_t *r, gh_arena_t *arena)
{
    r->input.identity = &r->identity;
    r->input.intake = &r->intake;
    r->input.header_context = r->headers;
    return gh_decide(image, &r->input, arena, &r->decision, &r->error);
}

static void
test_whole(bool part)
{
    char          key[GH_KEY_TEXT + 1];
    gh_identity_t identity;
    gh_image_t   *image;
    gh_error_t    error;
    gh_store_t   *store = store_open(true, &error);
    unsigned      looked = 0, moved = 0, torn = 0;
    int           status = -1;
    pid_t         child;

    if (!CHECK(store != NULL) || !CHECK_INT(apply_state(store, false, part), GH_OK)
        || !CHECK_INT(store_new_key(store, "chat", part ? "k2" : "k1", part ? 2 : 1, 0, key, &error), GH_OK)
        || !CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK))
    {
        return;
    }
    /* An even number of revisions stands before it. */
    CHECK_INT(gh_image_revision(image) % 2, 1);
    gh_store_close(store);
    child = fork();
    if (child == 0) {
        store = store_open(true, &error);
        for (int i = 0; store != NULL && i < 120; i++) {
            if (apply_state(store, i % 2 == 0, part) != GH_OK) {
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
        world_request_t r;
        gh_heap_t       heap;

        gh_heap_init(&heap);
        world_request(&r, "", "gpt");
        looked++;
        /* Both of one snapshot. */
        if (!CHECK_INT(gh_store_identify(store, gh_str_from(key), WORLD_NOW, &heap.arena, &r.identity, &image, &error), GH_OK)
            || !CHECK_INT(decide(image, &r, &heap.arena), GH_OK))
        {
            gh_heap_free(&heap);
            break;
        }
        torn += !whole(image, &r, part);
        /* An image asked for later: of the same revision, or refused by name. */
        identity = r.identity;
        if (CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK)) {
            if (decide(image, &r, &heap.arena) == GH_OK) {
                torn += !whole(image, &r, part);
            } else {
                moved++;
                CHECK(is(&r.error, "store_moved") && identity.revision != gh_image_revision(image));
            }
        }
        /* Again by what was known before. */
        if (CHECK_INT(gh_store_identify_again(store, &identity, WORLD_NOW, &heap.arena, &r.identity, &image, &error), GH_OK)) {
            CHECK_INT(decide(image, &r, &heap.arena), GH_OK);
            torn += !whole(image, &r, part);
        }
        gh_heap_free(&heap);
    }
    CHECK(status == 0);
    CHECK_INT(torn, 0);
    printf("store apps: %u looks at 120 edits%s, %u between them\n", looked, part ? " of a part" : "", moved);
    gh_store_close(store);
}

/* After test_whole an odd number of revisions stands: one more. */
static int
even_revision(void)
{
    gh_error_t  error;
    gh_store_t *store = store_open(true, &error);
    int         rc = store == NULL ? GH_ERROR : apply_state(store, true, false);

    gh_store_close(store);
    return rc;
}

/* An identity of another revision, or of a profile that is not there. */
static void
test_mixed(gh_arena_t *arena)
{
    world_request_t r;
    gh_image_t     *image;
    gh_error_t      error;
    gh_store_t     *store = store_open(false, &error);
    gh_str_t       *names;
    size_t          count;

    world_request(&r, "nord/retail/chat", "gpt");
    if (!CHECK(store != NULL) || !CHECK_INT(gh_store_identify_app(store, WORLD_NOW, &r.identity, &image, &error), GH_OK)) {
        return;
    }
    CHECK_INT(decide(image, &r, arena), GH_OK);
    CHECK_INT(gh_decide_models(image, &r.input, arena, &names, &count), GH_OK);
    CHECK_INT(count, 1);
    r.identity.revision--;
    CHECK_INT(decide(image, &r, arena), GH_ERROR);
    CHECK(is(&r.error, "store_moved") && r.decision.code != GH_DECIDED_ALLOW);
    CHECK_INT(gh_decide_models(image, &r.input, arena, &names, &count), GH_ERROR);
    CHECK(gh_decide_still(image, &r.input, arena, GH_STR("se"), GH_STR("gpt-se"), &r.decision) == NULL);
    r.identity.revision++;
    r.identity.profile = 9999;
    CHECK_INT(decide(image, &r, arena), GH_ERROR);
    CHECK(is(&r.error, "store_damaged") && r.decision.code != GH_DECIDED_ALLOW);
    gh_store_close(store);
}

static void
test_nearest(gh_arena_t *arena)
{
    static const struct { const char *path, *near; } cases[] = {
        { "nord/retail/chta", "did you mean nord/retail/chat?" },
        { "nord/retial/chat", "did you mean nord/retail/chat?" },
        { "nrod/retail/chat", "did you mean nord/retail/chat?" },
        { "nord/retail/zzzzzzzzzzzz", "did you mean nord/retail/" },
        { "zzzz/yyyyyy/xxxxxxxx", "does not list zzzz/yyyyyy/xxxxxxxx" },
    };
    gh_error_t  error;
    gh_store_t *store = store_open(false, &error);

    (void) arena;
    for (size_t i = 0; CHECK(store != NULL) && i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_identity_t identity;

        memset(&error, 0, sizeof(error));
        identity_of(&identity, gh_str_from(cases[i].path));
        CHECK_INT(gh_store_identify_app(store, WORLD_NOW, &identity, NULL, &error), GH_ERROR);
        CHECK(is(&error, "app_unknown"));
        CHECK(strstr(error.text, cases[i].near) != NULL);
    }
    gh_store_close(store);
}

int
main(void)
{
    gh_heap_t heap;

    if (!store_make()) {
        fprintf(stderr, "no store can be made\n");
        return 1;
    }
    gh_heap_init(&heap);
    test_follow();
    test_whole(false);
    CHECK_INT(even_revision(), GH_OK);
    test_whole(true);
    test_mixed(&heap.arena);
    test_nearest(&heap.arena);
    gh_heap_free(&heap);
    store_remove();
    return check_done("store apps");
}
