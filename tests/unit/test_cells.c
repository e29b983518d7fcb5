/* Cells change how long a decision takes and nothing else; the index of patterns finds what one after the other finds. */
#include "tests/unit/world.h"

#include "policy/audit/record.h"
#include "policy/store/image_patterns.h"
#include "tests/unit/same_decision.h"

#define WIDE 24u                      /* deployments of one model: more than a line of the record has in words */

static const char few[] =
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"SE\"},{\"id\":\"n-us\",\"country\":\"US\"}],"
    "\"models\":{\"gpt\":{\"aliases\":[\"gpt-latest\"]},\"llama\":{},\"emb\":{},\"wide\":{}},"
    "\"deployments\":["
    "{\"id\":\"se\",\"backend\":\"b\",\"serves\":[\"nord\",\"sued/*\"],\"priority\":2,\"provider\":\"self\",\"partition\":\"self\",\"country\":\"SE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"SE\",\"training\":false,"
    WORLD_EVIDENCE ",\"features\":{\"cache\":{\"process\":[\"SE\"],\"store\":{\"in\":[\"SE\"],\"days\":1}},"
    "\"web_search\":{\"process\":[\"US\"],\"store\":\"nothing\"}},"
    "\"models\":{\"gpt\":{\"upstream\":\"gpt-se\"},\"llama\":{\"upstream\":\"llama-se\"}}},"
    "{\"id\":\"de\",\"backend\":\"b\",\"serves\":[\"nord/retail\",\"nord/w*\"],\"priority\":1,\"provider\":\"self\",\"partition\":\"self\",\"country\":\"DE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\",\"embeddings\"],\"store\":{\"in\":[\"DE\"],\"days\":7},\"operator_home\":\"DE\","
    "\"training\":false,\"evidence\":{\"by\":\"c\",\"on\":\"2026-01-15\",\"source\":\"s\",\"until\":\"2026-11-22\"},"
    "\"models\":{\"gpt\":{\"upstream\":\"gpt-de\",\"price\":{\"input\":10,\"output\":10}},\"emb\":{\"upstream\":\"emb-de\"}}},"
    "{\"id\":\"us\",\"backend\":\"b\",\"serves\":[\"nord\",\"sued\"],\"priority\":0,\"provider\":\"self\",\"partition\":\"self\",\"country\":\"US\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\",\"completions\"],\"store\":{\"in\":[\"US\"],\"days\":30},"
    "\"operator_home\":\"US\",\"training\":false," WORLD_EVIDENCE ",\"features\":{\"cache\":{\"process\":[\"US\"],\"store\":\"nothing\"}},"
    "\"models\":{\"gpt\":{\"upstream\":\"gpt-us\"},\"llama\":{\"upstream\":\"l\"}}}";

static char fleet[sizeof(few) + WIDE * 512];

static const char tenants[] =
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":["
    "{\"id\":\"retail\",\"apps\":[{\"id\":\"chat\"},{\"id\":\"hr\",\"classes\":[\"personal\"]},{\"id\":\"home\",\"places\":[\"SE\",\"DE\"]}]},"
    "{\"id\":\"web\",\"models\":[\"gp*\"],\"apps\":[{\"id\":\"bot\"},{\"id\":\"shop\"}]}]},"
    "{\"id\":\"sued\",\"tenants\":[{\"id\":\"t\",\"apps\":[{\"id\":\"a\"},{\"id\":\"b\",\"places\":[\"SE\"]}]}]}]}";

static const char nord[] =
    "{\"kind\":\"residency/1\",\"name\":\"nord\",\"applies_to\":\"nord/*\",\"facts\":\"regions/2026-11-21\","
    "\"places\":{\"north\":[\"SE\",\"NO\"]},\"classes\":[\"public\",\"internal\",\"personal\",\"secret\"],"
    "\"classify\":{\"default\":\"internal\",\"assign\":[{\"tenants\":[\"nord/web\"],\"class\":\"public\"},"
    "{\"tenants\":[\"nord/web/b*\",\"nord/retail/chat/k2\"],\"class\":\"personal\"}],"
    "\"labels\":[\"header:x-data-class\"],\"unknown_label\":\"deny\",\"uninspected\":[\"secret\"]},"
    "\"allow\":[{\"id\":\"open\",\"why\":\"w\",\"classes\":[\"public\",\"internal\"],\"process\":{\"within\":[\"EU\",\"US\"]},"
    "\"store\":{\"within\":[\"EU\",\"US\"],\"max_days\":30}},"
    "{\"id\":\"eu\",\"why\":\"w\",\"classes\":[\"personal\"],\"process\":{\"within\":[\"EU\"]},\"store\":{\"within\":[\"EU\"],\"max_days\":7},"
    "\"until\":\"2026-11-22\"},"
    "{\"id\":\"retail-us\",\"why\":\"w\",\"classes\":[\"personal\"],\"tenants\":[\"nord/retail/h*\"],\"process\":{\"within\":[\"US\",\"SE\"]},"
    "\"store\":{\"within\":[\"US\"],\"max_days\":40},\"unlisted_features\":\"accepted\"},"
    "{\"id\":\"own\",\"why\":\"w\",\"classes\":[\"secret\"],\"process\":{\"within\":[\"SE\"]},\"store\":\"nothing\","
    "\"unlisted_features\":\"accepted\"}],"
    "\"forbid\":[{\"id\":\"no-l\",\"why\":\"w\",\"models\":[\"l\"],\"tenants\":[\"nord/retail\"]},"
    "{\"id\":\"shop-us\",\"why\":\"w\",\"tenants\":[\"nord/web/shop\"],\"process\":{\"touches\":[\"US\"]}}]}";

static const char sued[] =
    "{\"kind\":\"residency/1\",\"name\":\"sued\",\"applies_to\":\"sued/*\",\"facts\":\"regions/2026-11-21\","
    "\"classes\":[\"internal\"],\"classify\":{\"default\":\"internal\"},"
    "\"allow\":[{\"id\":\"eu\",\"why\":\"w\",\"classes\":[\"internal\"],\"process\":{\"within\":[\"EU\"]},\"store\":\"nothing\"}]}";

static const char guard[] =
    "{\"kind\":\"residency/1\",\"name\":\"group\",\"role\":\"guard\",\"applies_to\":\"nord/web\",\"facts\":\"regions/2026-11-21\","
    "\"forbid\":[{\"id\":\"group-us\",\"why\":\"w\",\"tenants\":[\"nord/web/bot\"],\"process\":{\"touches\":[\"US\"]}}]}";

static const char *const documents[] = { fleet, tenants, nord, sued, guard };

static gh_image_t *image;

/* The few, and as many of one more model, some of them abroad, or for one organisation alone. */
static void
make_fleet(void)
{
    size_t len = (size_t) snprintf(fleet, sizeof(fleet), "%s", few);

    for (unsigned i = 0; i < WIDE; i++) {
        const char *country = i % 7 == 3 ? "US" : i % 3 == 0 ? "SE" : "DE";

        len += (size_t) snprintf(fleet + len, sizeof(fleet) - len, ",{\"id\":\"w%u\",\"backend\":\"b\",\"serves\":[\"nord\"%s],\"priority\":%u,"
            "\"provider\":\"self\",\"partition\":\"self\",\"country\":\"%s\",\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],"
            "\"store\":\"nothing\",\"operator_home\":\"SE\",\"training\":false," WORLD_EVIDENCE ",\"models\":{\"wide\":{\"upstream\":\"w\"}}}",
            i, i % 5 == 0 ? "" : ",\"sued/*\"", i % 4, country);
    }
    (void) snprintf(fleet + len, sizeof(fleet) - len, "]}");
}
static uint64_t    random_state;

static uint32_t
next_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t) (random_state >> 11) % below;
}

#define PICK(list) list[next_random(sizeof(list) / sizeof(list[0]))]

static void
random_request(world_request_t *r)
{
    static const char *const paths[] = { "nord/retail/chat", "nord/retail/hr", "nord/retail/home", "nord/web/bot", "nord/web/shop",
                                         "sued/t/a", "sued/t/b", "nord/retail/none" };
    static const char *const models[] = { "gpt", "gpt", "gpt-latest", "llama", "emb", "x", "wide" };
    static const char *const places[] = { "EU", "SE", "north", "US, DE", "DE", "nowhere", "EU US", "SE DE US NO" };
    static const char *const labels[] = { "secret", "personal", "public, personal", "odd", "" };
    static const char *const features[] = { "cache", "web_search", "files", "" };
    static const char *const wheres[] = { "tools[0]", "tools[1]", "frobnicate" };
    int                      headers = 0;

    world_request(r, PICK(paths), PICK(models));
    r->identity.key = next_random(3) == 0 ? GH_STR("k2") : GH_STR("k1");
    r->identity.own_classes = next_random(12) == 0 ? GH_STR("secret") : GH_STR("");
    r->intake.endpoint = next_random(4) == 0 ? (gh_endpoint_t) next_random(GH_ENDPOINT_EMBEDDINGS + 1) : GH_ENDPOINT_CHAT_COMPLETIONS;
    r->intake.uninspected = next_random(10) == 0;
    r->input.node = next_random(6) == 0 ? GH_STR("n-us") : next_random(30) == 0 ? GH_STR("n9") : GH_STR("n1");
    for (uint32_t n = next_random(4) == 0 ? 1 + next_random(2) : 0; n > 0; n--) {
        r->intake.features[r->intake.feature_count++] = (gh_feature_use_t) { gh_str_from(PICK(features)), gh_str_from(PICK(wheres)) };
    }
    for (uint32_t n = next_random(6) / 3; n > 0; n--) {
        r->headers[headers++] = (world_header_t) { "x-gatehouse-places", PICK(places) };
    }
    if (next_random(4) == 0) {
        r->headers[headers++] = (world_header_t) { "x-data-class", PICK(labels) };
    }
}

/* The record's line of a decision: on one node or another, with its route in one order or another, or refused by limits. */
static size_t
line_of(const world_request_t *r, char *buffer, size_t size, unsigned how)
{
    static const char *const countries[] = { "SE", "DE", "US", "" };
    gh_record_request_t record;
    gh_decision_t       decision = r->decision;
    gh_json_writer_t    w;
    uint32_t            route[WIDE];

    memset(&record, 0, sizeof(record));
    record.id = GH_STR("0193ff00-0000-7000-8000-000000000000");
    record.now_ms = WORLD_NOW;
    record.node = r->input.node;
    record.image = image;
    record.input = &r->input;
    record.decision = &decision;
    record.node_country = gh_str_from(countries[how % 4]);
    if (how / 4 % 8 == 0 && decision.code == GH_DECIDED_ALLOW) {
        record.limited = "rate_limit_exceeded";
    }
    for (uint32_t i = 0; i < decision.route_count && decision.route_count <= WIDE; i++) {
        route[i] = r->decision.route[how / 32 % 3 == 0 ? decision.route_count - 1 - i : i];
        decision.route = route;
    }
    gh_json_writer_init(&w, buffer, size);
    gh_record_decision(&w, &record);
    CHECK(gh_json_writer_ok(&w));
    return w.len;
}

/* What is kept of a line that was too long in words is not kept for the others of its cell. */
static void
test_too_long(gh_arena_t *arena)
{
    static char     line[GH_RECORD_LINE_MAX];
    gh_cells_t     *cells = gh_cells_new(1 << 20);
    world_request_t r;
    size_t          len, least;

    for (int i = 0; i < 2; i++) {
        world_request(&r, "nord/web/shop", "gpt");
        r.input.cells = cells;
        world_decide(image, &r, arena);
    }
    CHECK(r.decision.from.cell != NULL && r.decision.code == GH_DECIDED_ALLOW);
    r.input.cells = NULL;
    len = line_of(&r, line, sizeof(line), 4);
    least = line_of(&r, line, len - 1, 4);
    CHECK(least < len - 1);
    r.input.cells = cells;
    CHECK_INT(line_of(&r, line, least + 1, 4), least);
    CHECK(gh_cells_text(cells, r.decision.from).data == NULL);
    CHECK_INT(line_of(&r, line, sizeof(line), 4), len);
    CHECK(gh_cells_text(cells, r.decision.from).data != NULL);
    gh_cells_free(cells);
}

static bool
same_line(const world_request_t *a, const world_request_t *b, unsigned how)
{
    static char one[GH_RECORD_LINE_MAX], other[GH_RECORD_LINE_MAX];
    size_t      len = line_of(a, one, sizeof(one), how);

    return len == line_of(b, other, sizeof(other), how) && memcmp(one, other, len) == 0;
}

/* Policy time never falls, and passes the day on which rules and evidence end. */
static void
test_law(size_t bytes, uint64_t seed)
{
    gh_cells_t       *cells = gh_cells_new(bytes);
    gh_cells_counts_t counts;
    unsigned          different = 0, allowed = 0, denied = 0, texts = 0, wide = 0;

    random_state = seed;
    for (unsigned i = 0; i < 40000; i++) {
        world_request_t plain, kept;
        const char     *what;
        gh_heap_t       heap;

        gh_heap_init(&heap);
        random_request(&plain);
        plain.input.now_ms = WORLD_NOW + (uint64_t) i * 86400000u * 3 / 40000;
        kept = plain;
        kept.input.cells = cells;
        world_decide(image, &plain, &heap.arena);
        world_decide(image, &kept, &heap.arena);
        what = same_decision(&plain.decision, &kept.decision);
        what = what == NULL && !same_line(&plain, &kept, (i ^ i >> 7) % 96) ? "the line" : what;
        texts += gh_cells_text(cells, kept.decision.from).data != NULL;
        wide += gh_cells_text(cells, kept.decision.from).data != NULL && kept.decision.target_count == WIDE;
        if (what != NULL && different++ == 0) {
            fprintf(stderr, "request %u of seed %llu: %s\n", i, (unsigned long long) seed, what);
        }
        allowed += plain.decision.code == GH_DECIDED_ALLOW;
        denied += plain.decision.code == GH_DENIED_RESIDENCY;
        counts = gh_cells_counts(cells);
        CHECK(counts.bytes <= bytes);
        gh_heap_free(&heap);
    }
    CHECK_INT(different, 0);
    CHECK(allowed > 4000 && denied > 4000 && counts.found > 1500 && counts.judged > 1000 && texts > (bytes > 1 << 20 ? 100 : 0) && wide > (bytes > 1 << 20 ? 100 : 0));
    printf("cells: %zu bytes: %llu found, %llu judged, %llu dropped, %zu kept\n", bytes, (unsigned long long) counts.found,
        (unsigned long long) counts.judged, (unsigned long long) counts.dropped, counts.cells);
    gh_cells_free(cells);
}

static void
ask(gh_cells_t *cells, const char *path, const char *places, gh_str_t feature, uint64_t now_ms)
{
    world_request_t r;
    gh_heap_t       heap;

    gh_heap_init(&heap);
    world_request(&r, path, "gpt");
    r.input.cells = cells;
    r.input.now_ms = now_ms;
    if (places != NULL) {
        r.headers[0] = (world_header_t) { "x-gatehouse-places", places };
    }
    if (feature.len > 0) {
        r.intake.features[r.intake.feature_count++] = (gh_feature_use_t) { GH_STR(""), feature };
    }
    world_decide(image, &r, &heap.arena);
    gh_heap_free(&heap);
}

/* One tenant's ever new requests push out its own cells only. */
static void
test_fair(void)
{
    gh_cells_t *cells = gh_cells_new(GH_CELLS_SHARES * 4096u);
    uint64_t    found;

    ask(cells, "sued/t/a", NULL, GH_STR(""), WORLD_NOW);
    ask(cells, "nord/retail/chat", NULL, GH_STR(""), WORLD_NOW);
    for (unsigned i = 0; i < 3000; i++) {
        char places[64] = "SE", odd[32];

        for (int c = 0; c < 12; c++) {
            if (i >> c & 1) {
                snprintf(places + strlen(places), sizeof(places) - strlen(places), " %s", gh_country_codes[c * 11 + 1]);
            }
        }
        snprintf(odd, sizeof(odd), "field-%u", i);
        ask(cells, "nord/retail/chat", i % 2 ? places : NULL, i % 2 ? GH_STR("") : gh_str_from(odd), WORLD_NOW);
    }
    CHECK(gh_cells_counts(cells).dropped > 2000);
    CHECK(gh_cells_counts(cells).bytes <= 2 * 4096);
    found = gh_cells_counts(cells).found;
    ask(cells, "sued/t/a", NULL, GH_STR(""), WORLD_NOW);
    CHECK_INT(gh_cells_counts(cells).found, found + 1);
    ask(cells, "nord/retail/chat", NULL, GH_STR(""), WORLD_NOW);
    CHECK_INT(gh_cells_counts(cells).found, found + 1);       /* its own first one is gone */
    gh_cells_free(cells);
}

/* What is shared, what is not, and for how long. */
static void
test_found(gh_arena_t *arena)
{
    static const struct { const char *path; unsigned found; } asked[] = {
        { "nord/retail/chat", 0 }, { "nord/retail/chat", 1 }, { "nord/retail/hr", 1 },        /* another class */
        { "nord/retail/home", 1 },                                                          /* narrowed, and another rule's tenant */
        { "nord/web/shop", 1 }, { "sued/t/a", 1 }, { "sued/t/a", 2 },
    };
    gh_cells_t      *cells = gh_cells_new(1 << 20);
    const char      *all[sizeof(documents) / sizeof(documents[0])];
    gh_image_t      *before = image;
    uint64_t         end = 0;
    world_request_t  r;

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        ask(cells, asked[i].path, NULL, GH_STR(""), WORLD_NOW);
        CHECK_INT(gh_cells_counts(cells).found, asked[i].found);
    }
    world_request(&r, "nord/retail/chat", "gpt");
    world_decide(image, &r, arena);
    end = r.decision.valid_until_ms;
    CHECK(end > WORLD_NOW && end != UINT64_MAX);
    ask(cells, "nord/retail/chat", NULL, GH_STR(""), end - 1);
    CHECK_INT(gh_cells_counts(cells).found, 3);
    ask(cells, "nord/retail/chat", NULL, GH_STR(""), end);
    CHECK_INT(gh_cells_counts(cells).found, 3);
    ask(cells, "nord/retail/chat", NULL, GH_STR(""), end);
    CHECK_INT(gh_cells_counts(cells).found, 4);

    memcpy(all, documents, sizeof(all));
    image = world_image(arena, all, sizeof(all) / sizeof(all[0]));
    if (CHECK(image != NULL)) {
        ask(cells, "nord/retail/chat", NULL, GH_STR(""), WORLD_NOW);
        CHECK_INT(gh_cells_counts(cells).found, 4);
        CHECK_INT(gh_cells_counts(cells).cells, 1);
        gh_image_unref(image);
    }
    image = before;
    gh_cells_free(cells);
}

/* Memory for n allocations only, with the cell there and without: an error, or the decision that all the memory gives. */
static void
test_no_memory(void)
{
    gh_cells_t *cells = gh_cells_new(1 << 20);
    unsigned    failed = 0;

    for (int kept = 0; kept < 2; kept++) {
        for (size_t limit = 0; limit < 64; limit++) {
            world_request_t whole, r;
            gh_heap_t       heap, all;
            gh_error_t      error;

            gh_heap_init(&heap);
            gh_heap_init(&all);
            heap.limit = limit;
            world_request(&whole, "nord/web/shop", "gpt");
            whole.input.node = GH_STR("n-us");
            whole.headers[0] = (world_header_t) { "x-data-class", "secret" };
            r = whole;
            world_decide(image, &whole, &all.arena);
            CHECK_INT(whole.decision.code, GH_DENIED_RESIDENCY);
            r.input.cells = cells;
            r.input.identity = &r.identity;
            r.input.intake = &r.intake;
            r.input.header_context = r.headers;
            if (kept == 0) {
                gh_cells_free(cells);
                cells = r.input.cells = gh_cells_new(1 << 20);
            }
            if (gh_decide(image, &r.input, &heap.arena, &r.decision, &error) != GH_OK) {
                CHECK(r.decision.code != GH_DECIDED_ALLOW && r.decision.route_count == 0);
                failed++;
            } else {
                CHECK(same_decision(&whole.decision, &r.decision) == NULL);
            }
            gh_heap_free(&heap);
            gh_heap_free(&all);
        }
    }
    CHECK(failed > 5 && failed < 100);
    gh_cells_free(cells);
}

/* Every path that can be made of few bytes, and some of this world's: as gh_pattern_covers says for each pattern by itself. */
static void
test_patterns(gh_arena_t *arena)
{
    static const char letters[] = "ab/-*";
    unsigned          wrong = 0, covered = 0;

    for (unsigned world = 0; world < 200; world++) {
        gh_image_t            small = { .references = 1 };
        gh_ref_t              refs[12];
        char                  strings[64];
        gh_image_target_t     target = { .serves = { 0, 12 } };
        gh_image_policy_t     none;
        uint32_t              used = 0;

        memset(&none, 0, sizeof(none));
        for (int i = 0; i < 12; i++) {
            refs[i] = (gh_ref_t) { used, 1 + next_random(5) };
            for (uint32_t k = 0; k < refs[i].length; k++) {
                strings[used++] = letters[next_random(k + 1 == refs[i].length ? 5 : 4)];
            }
        }
        small.strings = strings;
        small.patterns = refs;
        small.targets = &target;
        small.policies = &none;
        small.count[GH_SECTION_PATTERN] = 12;
        small.count[GH_SECTION_TARGET] = 1;
        small.patterns_index = gh_patterns_new(&small);
        for (unsigned p = 0; CHECK(small.patterns_index != NULL) && p < 300; p++) {
            char      path[8];
            gh_str_t  name = { path, next_random(8) };
            uint32_t  count, *numbers;
            gh_heap_t heap;

            for (size_t k = 0; k < name.len; k++) {
                path[k] = letters[next_random(4)];
            }
            gh_heap_init(&heap);
            numbers = gh_patterns_match(&small, &heap.arena, name, &count);
            for (uint32_t i = 0; i < 12; i++) {
                bool found = false;

                for (uint32_t n = 0; n < count; n++) {
                    found |= numbers[n] == small.patterns_index->number[i];
                }
                covered += found;
                wrong += found != gh_pattern_covers(gh_image_pattern(&small, i), name);
            }
            gh_heap_free(&heap);
        }
        gh_patterns_free(small.patterns_index);
    }
    CHECK_INT(wrong, 0);
    CHECK(covered > 10000);
    (void) arena;
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    make_fleet();
    random_state = 7;
    test_patterns(&heap.arena);
    image = world_image(&heap.arena, documents, sizeof(documents) / sizeof(documents[0]));
    if (CHECK(image != NULL)) {
        test_law(16 << 20, 11);
        test_law(GH_CELLS_SHARES * 3072, 12);
        test_too_long(&heap.arena);
        test_fair();
        test_found(&heap.arena);
        test_no_memory();
        gh_image_unref(image);
    }
    gh_heap_free(&heap);
    return check_done("cells");
}
