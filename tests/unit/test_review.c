/* The enumeration of everything permitted, in its parts; against an independent one: tests/oracle/test_review.py. */
#include "tests/unit/world.h"

#include "policy/review/prove.h"
#include "policy/review/reach.h"

#define DAY 86400000ull

static const char fleet[] = "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"DE\"},{\"id\":\"n2\",\"country\":\"DE\"},"
    "{\"id\":\"n3\",\"country\":\"SE\"}],\"models\":{\"m\":{}},\"deployments\":["
    "{\"id\":\"home\",\"backend\":\"b\",\"serves\":[\"bank\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"DE\",\"dialect\":\"openai\","
    "\"endpoints\":[\"chat.completions\",\"completions\"],\"store\":\"nothing\",\"operator_home\":\"DE\",\"training\":false,"
    "\"features\":{\"web_search\":{\"process\":[\"US\"],\"store\":\"nothing\"}}," WORLD_EVIDENCE ",\"models\":{\"m\":{\"upstream\":\"up\"}}},"
    "{\"id\":\"away\",\"backend\":\"b\",\"serves\":[\"bank/a/one/night*\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"US\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":{\"in\":[\"US\"],\"days\":3},\"operator_home\":\"US\","
    "\"training\":false,\"evidence\":{\"by\":\"counsel\",\"on\":\"2026-01-15\",\"until\":\"2026-12-31\",\"source\":\"contract\"},"
    "\"models\":{\"m\":{\"upstream\":\"up\"}}}]}";

static const char policy[] = "{\"kind\":\"residency/1\",\"name\":\"bank\",\"applies_to\":\"bank/*\",\"facts\":\"regions/2026-11-21\","
    "\"classes\":[\"low\",\"high\"],\"classify\":{\"default\":\"low\",\"uninspected\":[\"high\"]},"
    "\"allow\":[{\"id\":\"low\",\"why\":\"x\",\"classes\":[\"low\"],\"process\":{\"within\":[\"ANYWHERE\"]},\"store\":{\"within\":[\"ANYWHERE\"]}},"
    "{\"id\":\"high\",\"why\":\"x\",\"classes\":[\"high\"],\"process\":{\"within\":[\"EU\"]},\"store\":\"nothing\",\"until\":\"2027-01-31\"}]}";

static const char tenants[] = "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"bank\",\"tenants\":[{\"id\":\"a\",\"apps\":[{\"id\":\"one\"},"
    "{\"id\":\"two\"}]},{\"id\":\"b\",\"apps\":[{\"id\":\"one\"}]}]}]}";

static gh_image_t *
small_image(gh_arena_t *arena)
{
    const char *const documents[] = { fleet, policy, tenants };

    return world_image(arena, documents, 3);
}

/* ---- keys ---- */

static gh_str_t
key_of(gh_arena_t *arena, const char *const *more, uint32_t count, uint32_t index, uint32_t *found)
{
    const gh_image_t    *none = NULL;
    gh_review_patterns_t patterns;
    gh_review_key_t     *keys;
    gh_str_t            *texts = gh_arena_array(arena, count, sizeof(*texts));

    for (uint32_t i = 0; i < count; i++) {
        texts[i] = gh_str_from(more[i]);
    }
    if (!CHECK_INT(gh_review_patterns_gather(arena, &none, 0, texts, count, &patterns), GH_OK)
        || !CHECK_INT(gh_review_keys(arena, &patterns, GH_STR("o/t/a"), &keys, found), GH_OK) || index >= *found)
    {
        return GH_STR("");
    }
    return keys[index].example;
}

static void
keys_stand_for_their_kind(gh_arena_t *arena)
{
    const char *const named[] = { "o/t/a/x", "o/t/a/batch*", "o/t/a/batchx", "o/t/a", "o/t/b/y", "o/t/a*", "o/t/a/batchxx*", "o/t/a/UPPER" };
    const char       *every[37];
    char              texts[37][16];
    uint32_t          count;

    CHECK_STR(key_of(arena, named, 8, 0, &count), "a");            /* not x, which is named; not batch... */
    CHECK_INT(count, 6);
    CHECK_STR(key_of(arena, named, 8, 2, &count), "batch");        /* it is begun so itself */
    CHECK_STR(key_of(arena, named, 8, 3, &count), "batchx");
    CHECK_STR(key_of(arena, named, 8, 4, &count), "batchxx");

    for (int i = 0; i < 36; i++) {                                 /* every first letter is taken: there is no other key */
        snprintf(texts[i], sizeof(texts[i]), "o/t/a/%c*", "abcdefghijklmnopqrstuvwxyz0123456789"[i]);
        every[i] = texts[i];
    }
    CHECK_STR(key_of(arena, every, 36, 0, &count), "0");
    CHECK_INT(count, 36);
    CHECK_STR(key_of(arena, every, 35, 0, &count), "9");
    CHECK_INT(count, 36);
}

/* ---- groups ---- */

static void
groups_are_what_decisions_tell_apart(gh_arena_t *arena)
{
    const gh_image_t  *images[2] = { small_image(arena), NULL };
    gh_str_t           more = GH_STR("bank/b");
    gh_review_groups_t groups;
    gh_error_t         error;

    CHECK_INT(gh_review_groups_make(arena, images, 1, NULL, 0, &groups, &error), GH_OK);
    CHECK_INT(groups.app_count, 3);
    CHECK_INT(groups.group_count, 2);                              /* all alike, but for the night keys of bank/a/one */
    CHECK_INT(groups.groups[0].count, 3);
    CHECK_STR(groups.groups[1].path, "bank/a/one");
    CHECK_STR(groups.groups[1].key, "night");
    CHECK_INT(groups.keys[groups.members[groups.groups[1].first].key].kind, GH_REVIEW_KEY_BEGINS);

    CHECK_INT(gh_review_groups_make(arena, images, 1, &more, 1, &groups, &error), GH_OK);
    CHECK_INT(groups.group_count, 3);

    const char *const fewer[] = { fleet, policy, "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"bank\",\"tenants\":[{\"id\":\"a\","
        "\"apps\":[{\"id\":\"one\"},{\"id\":\"three\"}]}]}]}" };

    images[1] = world_image(arena, fewer, 3);
    CHECK_INT(gh_review_groups_make(arena, images, 2, NULL, 0, &groups, &error), GH_OK);
    CHECK_INT(groups.app_count, 4);
    CHECK_INT(groups.group_count, 4);                              /* one: in both; two and b/one: before; three: after; night */
    for (uint32_t i = 0; i < groups.group_count; i++) {
        const gh_review_group_t *group = &groups.groups[i];

        CHECK(group->profile[0] >= 0 || gh_str_is(group->path, "bank/a/three"));
        CHECK(group->profile[1] >= 0 || gh_str_is(group->path, "bank/a/two"));
    }
    gh_image_unref((gh_image_t *) (uintptr_t) images[0]);
    gh_image_unref((gh_image_t *) (uintptr_t) images[1]);
}

/* ---- time ---- */

static gh_reached_t
reached(const char *country)
{
    gh_reached_t result = { 0 };

    gh_places_add(&result.of[GH_REACH_PROCESS], gh_country_index(gh_str_from(country)));
    return result;
}

static unsigned
countries_at(const gh_timeline_t *timeline, uint64_t instant_ms)
{
    gh_reached_t there = gh_timeline_at(timeline, instant_ms);

    return gh_places_count(there.of[GH_REACH_PROCESS]);
}

static void
timelines_add_up(gh_arena_t *arena)
{
    gh_timeline_t one = { 0 }, other = { 0 };
    gh_reached_t  de = reached("DE"), us = reached("US"), se = reached("SE");

    CHECK_INT(countries_at(&one, 5), 0);
    CHECK_INT(gh_timeline_next(&one, 5), -1);
    CHECK_INT(gh_timeline_add(arena, &one, 10, UINT64_MAX, &de), GH_OK);
    CHECK_INT(gh_timeline_add(arena, &one, 10, 20, &us), GH_OK);
    CHECK_INT(gh_timeline_add(arena, &one, 15, 30, &se), GH_OK);
    CHECK_INT(countries_at(&one, 9), 0);
    CHECK_INT(countries_at(&one, 10), 2);
    CHECK_INT(countries_at(&one, 15), 3);
    CHECK_INT(countries_at(&one, 19), 3);
    CHECK_INT(countries_at(&one, 20), 2);
    CHECK_INT(countries_at(&one, 29), 2);
    CHECK_INT(countries_at(&one, 30), 1);
    CHECK_INT(gh_timeline_next(&one, 0), 10);
    CHECK_INT(gh_timeline_next(&one, 15), 20);
    CHECK_INT(gh_timeline_next(&one, 30), -1);
    CHECK_INT(gh_timeline_add(arena, &other, 0, 12, &se), GH_OK);
    CHECK_INT(gh_timeline_unite(arena, &other, &one), GH_OK);
    CHECK_INT(countries_at(&other, 5), 1);
    CHECK_INT(countries_at(&other, 11), 3);
    CHECK_INT(countries_at(&other, 12), 2);
    CHECK_INT(countries_at(&other, 1000), 1);
}

/* ---- reach and counts ---- */

static const gh_reach_row_t *
row_of(const gh_reach_table_t *table, const char *class_name, const char *deployment, const char *feature)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const gh_reach_row_t *row = &table->rows[i];

        if (gh_str_is(row->class_name, class_name) && gh_str_is(row->deployment, deployment) && gh_str_is(row->feature.name, feature)) {
            return row;
        }
    }
    return NULL;
}

static void
reach_is_over_nodes_features_and_time(gh_arena_t *arena)
{
    const gh_image_t     *image = small_image(arena);
    gh_review_groups_t    groups;
    gh_reach_table_t      table;
    gh_review_t          *review;
    const gh_reach_row_t *row;
    gh_review_counts_t    counts;
    gh_error_t            error;
    uint32_t              instants;

    CHECK_INT(gh_review_groups_make(arena, &image, 1, NULL, 0, &groups, &error), GH_OK);
    review = gh_review_new(arena, image, 0, &groups, WORLD_NOW);
    gh_reach_init(&table, arena);
    CHECK_INT(gh_review_group(review, 1, gh_reach_visit, &table, &error), GH_OK);
    CHECK_INT(table.count, 4);                                     /* low at home, home with web_search, away; high at home */
    row = row_of(&table, "low", "home", "");
    CHECK(row != NULL && countries_at(&row->timeline, WORLD_NOW) == 2 && countries_at(&row->timeline, WORLD_NOW + 400 * DAY) == 2);
    row = row_of(&table, "low", "home", "web_search");
    CHECK(row != NULL && countries_at(&row->timeline, WORLD_NOW) == 3);
    row = row_of(&table, "low", "away", "");
    CHECK(row != NULL && countries_at(&row->timeline, 1798761600000ull - 1) == 3 && countries_at(&row->timeline, 1798761600000ull) == 0);
    row = row_of(&table, "high", "home", "");
    CHECK(row != NULL && countries_at(&row->timeline, 1801440000000ull - 1) == 2 && countries_at(&row->timeline, 1801440000000ull) == 0);
    CHECK(row_of(&table, "high", "away", "") == NULL && row_of(&table, "high", "home", "web_search") == NULL);

    counts = gh_review_counts(review);
    CHECK_INT(counts.groups, 1);
    CHECK_INT(counts.classes, 2);
    CHECK_INT(counts.nodes, 3);
    CHECK_INT(counts.features, 3);
    CHECK_INT(counts.instants, 2);
    CHECK_INT(gh_review_instants(review, &instants)[0], 1798761600000ll);
    CHECK_INT(instants, 2);
    /* 2 requests on nodes of 2 countries: 3 features at chat completions and completions, through time; none at embeddings, which nobody offers */
    CHECK(counts.decisions > 2 * 2 * 3 * 2 && counts.stood_for > counts.decisions);
    gh_image_unref((gh_image_t *) (uintptr_t) image);
}

/* ---- claims ---- */

static gh_proof_verdict_t
verdict_of(gh_arena_t *arena, const gh_image_t *image, const char *text, gh_proof_t *proof)
{
    gh_claim_t        *claim = gh_arena_alloc(arena, sizeof(*claim));
    gh_review_counts_t counts;
    gh_error_t         error;

    memset(&error, 0, sizeof(error));
    if (!CHECK_INT(gh_claim_parse(arena, image, gh_str_from(text), claim, &error), GH_OK)
        || !CHECK_INT(gh_prove(arena, image, claim, 1, WORLD_NOW, NULL, proof, &counts, &error), GH_OK))
    {
        fprintf(stderr, "%s: %s\n", text, error.text);
        return GH_PROOF_VACUOUS;
    }
    return proof->verdict;
}

static void
claims_hold_or_have_an_example(gh_arena_t *arena)
{
    const gh_image_t *image = small_image(arena);
    gh_proof_t        proof;

    CHECK_INT(verdict_of(arena, image, "never high process outside EU", &proof), GH_PROOF_HOLDS);
    CHECK_INT(proof.broken, 0);
    CHECK_INT(verdict_of(arena, image, "never high store in ANYWHERE", &proof), GH_PROOF_HOLDS);
    CHECK_INT(verdict_of(arena, image, "never low store in ANYWHERE", &proof), GH_PROOF_BROKEN);
    CHECK_STR(proof.examples[0].deployment, "away");
    CHECK_STR(proof.examples[0].key, "night");
    CHECK(proof.examples[0].key_matters);
    CHECK_INT(verdict_of(arena, image, "never low store in ANYWHERE for bank/b bank/a/two", &proof), GH_PROOF_HOLDS);
    CHECK_INT(verdict_of(arena, image, "never low on away for bank/a/one/nightly", &proof), GH_PROOF_BROKEN);
    CHECK_INT(verdict_of(arena, image, "never low on away for bank/a/one/day", &proof), GH_PROOF_HOLDS);
    CHECK_INT(verdict_of(arena, image, "never low process outside EU for bank/b", &proof), GH_PROOF_BROKEN);
    CHECK_INT(proof.examples[0].feature.kind, GH_REVIEW_LISTED_FEATURE);
    CHECK_INT(verdict_of(arena, image, "never high on away", &proof), GH_PROOF_HOLDS);
    gh_image_unref((gh_image_t *) (uintptr_t) image);
}

/* Words in any order: a claim is read, or its mistake stands within it. What is read can be proved or not, and says which. */
static void
any_words(void)
{
    static const char *const words[] = { "never", "always", "low", "high", "anything", "process", "store", "operator", "any", "outside", "in",
        "on", "within", "EU", "EEA", "DE", "US", "ANYWHERE", "minus", "plus", "and", "or", "for", "bank", "bank/b", "bank/a/one/night*", "except",
        "unlisted", "features", "home", "away", ",", "", "xx", "*" };
    const size_t             count = sizeof(words) / sizeof(words[0]);
    gh_heap_t                made;
    const gh_image_t        *image;
    uint64_t                 state = 1;
    unsigned                 read = 0;

    gh_heap_init(&made);
    image = small_image(&made.arena);
    for (int i = 0; i < 30000; i++) {
        char       text[256] = "";
        size_t     len = 0, most;
        gh_heap_t  heap;
        gh_claim_t claim;
        gh_error_t error;

        state = state * 6364136223846793005ull + 1442695040888963407ull;
        most = state >> 60;
        for (size_t k = 0; k < most; k++) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            len += (size_t) snprintf(text + len, sizeof(text) - len, "%s ", k == 0 && i % 2 ? "never" : k == 1 && i % 4 == 1 ? "low"
                : k == 2 && i % 8 == 1 ? "outside" : k == 3 && i % 16 == 1 ? "EU" : words[(state >> 33) % count]);
        }
        gh_heap_init(&heap);
        memset(&error, 0, sizeof(error));
        if (gh_claim_parse(&heap.arena, image, (gh_str_t) { text, len }, &claim, &error) == GH_OK) {
            read++;
            CHECK(claim.relation == GH_CLAIM_ON ? claim.deployment_count > 0 : claim.facts != 0 && claim.places_text.len > 0);
        } else if (!CHECK(error.code != NULL && error.column >= 1 && error.column <= len + 1)) {
            fprintf(stderr, "%s: %s\n", text, error.text);
        }
        gh_heap_free(&heap);
    }
    CHECK(read > 100 && read < 20000);
    gh_image_unref((gh_image_t *) (uintptr_t) image);
    gh_heap_free(&made);
}

static void
every_allocation_may_fail(void)
{
    gh_heap_t          made;
    const gh_image_t  *image;
    gh_proof_t         proof;
    gh_review_counts_t counts;
    gh_error_t         error;
    int                status = GH_ERROR;

    gh_heap_init(&made);
    image = small_image(&made.arena);
    for (size_t limit = 0; status != GH_OK && limit < 3000; limit++) {
        gh_heap_t  heap;
        gh_claim_t claim;

        gh_heap_init(&heap);
        heap.limit = limit;
        memset(&error, 0, sizeof(error));
        status = gh_claim_parse(&heap.arena, image, GH_STR("never low process outside EU for bank except unlisted features"), &claim, &error);
        if (status == GH_OK) {
            status = gh_prove(&heap.arena, image, &claim, 1, WORLD_NOW, NULL, &proof, &counts, &error);
        }
        CHECK(status == GH_OK || error.code != NULL);
        gh_heap_free(&heap);
    }
    CHECK_INT(status, GH_OK);
    CHECK_INT(proof.verdict, GH_PROOF_BROKEN);
    gh_image_unref((gh_image_t *) (uintptr_t) image);
    gh_heap_free(&made);
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    keys_stand_for_their_kind(&heap.arena);
    groups_are_what_decisions_tell_apart(&heap.arena);
    timelines_add_up(&heap.arena);
    reach_is_over_nodes_features_and_time(&heap.arena);
    claims_hold_or_have_an_example(&heap.arena);
    any_words();
    every_allocation_may_fail();
    gh_heap_free(&heap);
    return check_done("review");
}
