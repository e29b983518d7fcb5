/*
 * Decisions, from documents on, over everything there is for one deployment in a world of four places and the unknown: every set of places
 * it may process in, keep content in or be controlled from, against every set a rule may state. Each deployment of the fleet is one
 * combination of facts and each organisation one combination of rules, so that a decision judges a thousand of them at once. The expected
 * answer comes from the five sentences of the policy language alone, over six bits.
 */
#include "policy/store/image_format.h"
#include "tests/unit/document_text.h"
#include "tests/unit/world.h"

#define SETS    16u                     /* of four places */
#define NODE    16u                     /* the node's country, which every process holds: a fifth place */
#define UNKNOWN 32u

#define PROCESSES   16u                 /* 0: not stated */
#define STORES      18u                 /* 0: not stated; 1..15: sets, 30 days; 16: nothing; 17: one place, days not stated */
#define HOMES       3u
#define DEPLOYMENTS (PROCESSES * STORES * HOMES)
#define NOTHING     16u
#define NO_DAYS     17u
#define ORGS_MAX    256u

static const char     codes[4][3] = { "DE", "SE", "US", "CN" };
static const unsigned homes[HOMES] = { UNKNOWN, 1, 3 };

typedef struct { unsigned process, store, home; bool nothing, days_known; } facts_t;       /* store: places */

/* What an organisation's documents say; sets of places, 0: not stated. An allow's store 16 is "nothing". */
typedef struct {
    unsigned within, store, max_days, home;         /* of the allow for class "a"; max_days 0: none */
    unsigned also;                                  /* class "a": a second allow, process within this and store anywhere */
    unsigned other;                                 /* class "b": its allow, likewise */
} allow_t;

typedef struct { unsigned process, store, home; bool off_switch, for_b; } forbid_t;

static facts_t
facts_of(unsigned deployment)
{
    unsigned process = deployment / (STORES * HOMES), store = deployment / HOMES % STORES;

    return (facts_t) { .process = (process ? process : UNKNOWN) | NODE,
        .store = store == 0 ? UNKNOWN : store == NOTHING ? 0 : store == NO_DAYS ? 1 : store,
        .home = homes[deployment % HOMES],
        .nothing = store == NOTHING,
        .days_known = store != 0 && store != NO_DAYS };
}

/* ---- the five sentences ---- */

static bool
inside(unsigned fact, unsigned within)
{
    return !(fact & UNKNOWN) && (fact & ~within) == 0;
}

static bool
touched(unsigned fact, unsigned by)
{
    return (fact & UNKNOWN) || (fact & by) != 0;
}

static bool
fits(const facts_t *facts, const allow_t *allow)
{
    bool store = facts->nothing || (allow->store != NOTHING && inside(facts->store, allow->store)
                                    && (allow->max_days == 0 || (facts->days_known && 30 <= allow->max_days)));

    return inside(facts->process, allow->within | NODE) && store && (allow->home == 0 || inside(facts->home, allow->home));
}

/* Of an allow that takes any store. */
static bool
fits_anywhere(const facts_t *facts, unsigned within)
{
    return within != 0 && inside(facts->process, within | NODE) && (facts->nothing || !(facts->store & UNKNOWN));
}

static bool
fires(const facts_t *facts, const forbid_t *forbid, bool class_b)
{
    if (forbid->for_b && !class_b) {
        return false;
    }
    return forbid->off_switch || (forbid->process && touched(facts->process, forbid->process))
           || (forbid->store && !facts->nothing && touched(facts->store, forbid->store))
           || (forbid->home && touched(facts->home, forbid->home));
}

static bool
eligible(const facts_t *facts, const allow_t *allow, const forbid_t *forbid, bool class_b, unsigned narrowing)
{
    return (fits(facts, allow) || fits_anywhere(facts, allow->also)) && (!class_b || fits_anywhere(facts, allow->other))
           && !fires(facts, forbid, class_b)
           && (narrowing == 0 || (inside(facts->process, narrowing | NODE) && (facts->nothing || inside(facts->store, narrowing | NODE))));
}

/* ---- documents ---- */

/* "DE","CH": the places of a set. */
static void
say_places(unsigned set)
{
    const char *comma = "";

    for (unsigned i = 0; i < 4; i++) {
        if (set >> i & 1) {
            say("%s\"%s\"", comma, codes[i]);
            comma = ",";
        }
    }
    if (set & NODE) {
        say("%s\"CH\"", comma);
    }
}

static void
say_deployment(unsigned number)
{
    facts_t facts = facts_of(number);

    say("%s{\"id\":\"d%04u\",\"backend\":\"b\",\"serves\":[\"*\"],\"provider\":\"other\",\"dialect\":\"openai\",\"training\":false,"
        "\"endpoints\":[\"chat.completions\"]," WORLD_EVIDENCE ",\"models\":{\"m\":{}}", number ? ",\n" : "", number);
    if (!(facts.process & UNKNOWN)) {
        say(",\"process\":[");
        say_places(facts.process & ~NODE);
        say("]");
    }
    if (facts.nothing) {
        say(",\"store\":\"nothing\"");
    } else if (!(facts.store & UNKNOWN)) {
        say(",\"store\":{\"in\":[");
        say_places(facts.store);
        say(facts.days_known ? "],\"days\":30}" : "]}");
    }
    if (!(facts.home & UNKNOWN)) {
        say(",\"operator_home\":[");
        say_places(facts.home);
        say("]");
    }
    say("}");
}

static void
say_allow(const char *id, const char *class_name, unsigned within)
{
    say("{\"id\":\"%s\",\"classes\":[\"%s\"],\"process\":{\"within\":[", id, class_name);
    say_places(within | NODE);
    say("]},\"store\":");
}

static void
say_allows(const allow_t *allow)
{
    say_allow("a1", "a", allow->within);
    if (allow->store == NOTHING) {
        say("\"nothing\"");
    } else {
        say("{\"within\":[");
        say_places(allow->store);
        say("]");
        if (allow->max_days) {
            say(",\"max_days\":%u", allow->max_days);
        }
        say("}");
    }
    if (allow->home) {
        say(",\"operator_home\":{\"within\":[");
        say_places(allow->home);
        say("]}");
    }
    say("}");
    if (allow->also) {
        say(",");
        say_allow("a2", "a", allow->also);
        say("{\"within\":[\"ANYWHERE\"]}}");
    }
    if (allow->other) {
        say(",");
        say_allow("b1", "b", allow->other);
        say("{\"within\":[\"ANYWHERE\"]}}");
    }
}

static void
say_touches(const char *fact, unsigned set)
{
    if (set) {
        say(",\"%s\":{\"touches\":[", fact);
        say_places(set);
        say("]}");
    }
}

static void
say_forbid(const forbid_t *forbid)
{
    if (!forbid->process && !forbid->store && !forbid->home && !forbid->off_switch) {
        return;
    }
    say(",\"forbid\":[{\"id\":\"f1\"");
    if (forbid->for_b) {
        say(",\"classes\":[\"b\"]");
    }
    say_touches("process", forbid->process);
    say_touches("store", forbid->store);
    say_touches("operator_home", forbid->home);
    say("}]");
}

/* The forbid stands in each policy, or in a guard over them all. */
static size_t
write_documents(const allow_t *allows, unsigned orgs, const forbid_t *forbid, bool guard, const char **documents)
{
    size_t count = 0, begin = 0;

    document_length = 0;
    say("{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"CH\"}],\"models\":{\"m\":{\"context\":1000,\"max_output\":1000}},"
        "\"deployments\":[");
    for (unsigned i = 0; i < DEPLOYMENTS; i++) {
        say_deployment(i);
    }
    say("]}");
    documents[count++] = say_end(&begin);
    say("{\"kind\":\"tenants/1\",\"organisations\":[");
    for (unsigned i = 0; i < orgs; i++) {
        say("%s{\"id\":\"o%u\",\"tenants\":[{\"id\":\"t\",\"apps\":[{\"id\":\"a\"}]}]}", i ? "," : "", i);
    }
    say("]}");
    documents[count++] = say_end(&begin);
    for (unsigned i = 0; i < orgs; i++) {
        say("{\"kind\":\"residency/1\",\"name\":\"o%u\",\"applies_to\":\"o%u\",\"facts\":\"regions/2026-11-21\",\"classes\":[\"a\"%s],"
            "\"classify\":{\"default\":\"a\",\"labels\":[\"header:x-data-class\"]},\"allow\":[", i, i, allows[i].other ? ",\"b\"" : "");
        say_allows(&allows[i]);
        say("]");
        if (!guard) {
            say_forbid(forbid);
        }
        say("}");
        documents[count++] = say_end(&begin);
    }
    if (guard) {
        say("{\"kind\":\"residency/1\",\"role\":\"guard\",\"name\":\"g\",\"applies_to\":\"*\",\"facts\":\"regions/2026-11-21\"");
        say_forbid(forbid);
        say("}");
        documents[count++] = say_end(&begin);
    }
    return CHECK(say_fitted()) ? count : 0;
}

/* ---- judging ---- */

static uint64_t judged, wrong, allowed;

static void
complain(const world_request_t *request, unsigned deployment, bool expected)
{
    if (wrong++ < 5) {
        fprintf(stderr, "%.*s, deployment d%04u, label %s, places %s: expected %s\n", GH_STR_ARG(request->identity.path), deployment,
            request->headers[0].name ? request->headers[0].value : "-", request->headers[1].name ? request->headers[1].value : "-",
            expected ? "eligible" : "not");
    }
}

/* The set of places of a narrowing as a client would send it. */
static void
narrowing_text(unsigned set, char *out, size_t size)
{
    size_t at = (size_t) snprintf(out, size, "CH");

    for (unsigned i = 0; i < 4; i++) {
        if (set >> i & 1) {
            at += (size_t) snprintf(out + at, size - at, ",%s", codes[i]);
        }
    }
}

static void
judge(gh_image_t *image, unsigned org, const allow_t *allow, const forbid_t *forbid, bool class_b, unsigned narrowing)
{
    world_request_t request;
    gh_heap_t       heap;
    char            path[32], places[32];
    uint64_t        expected_count = 0;
    unsigned        header = 0;

    gh_heap_init(&heap);
    snprintf(path, sizeof(path), "o%u/t/a", org);
    world_request(&request, path, "m");
    if (class_b) {
        request.headers[header++] = (world_header_t) { "x-data-class", "b" };
    }
    if (narrowing) {
        narrowing_text(narrowing, places, sizeof(places));
        request.headers[header] = (world_header_t) { "x-gatehouse-places", places };
    }
    request.input.identity = &request.identity;
    request.input.intake = &request.intake;
    request.input.header_context = request.headers;
    if (gh_decide(image, &request.input, &heap.arena, &request.decision, &request.error) != GH_OK
        || request.decision.target_count != DEPLOYMENTS)
    {
        wrong++;
        gh_heap_free(&heap);
        return;
    }
    for (unsigned i = 0; i < DEPLOYMENTS; i++) {
        facts_t facts = facts_of(i);
        bool    expected = eligible(&facts, allow, forbid, class_b, narrowing);

        expected_count += expected;
        if ((request.decision.targets[i].code == GH_TARGET_ELIGIBLE) != expected) {
            complain(&request, i, expected);
        }
    }
    wrong += request.decision.route_count != expected_count;
    wrong += (request.decision.code == GH_DECIDED_ALLOW) != (expected_count > 0);
    judged += DEPLOYMENTS;
    allowed += expected_count;
    gh_heap_free(&heap);
}

static gh_image_t *
make_image(gh_heap_t *heap, const allow_t *allows, unsigned orgs, const forbid_t *forbid, bool guard)
{
    static const char *documents[ORGS_MAX + 3];
    size_t             count = write_documents(allows, orgs, forbid, guard, documents);
    gh_image_t        *image = world_image(&heap->arena, documents, count);

    /* targets stand in the order of their deployments' ids */
    if (CHECK(image != NULL) && CHECK_INT(image->count[GH_SECTION_TARGET], DEPLOYMENTS)) {
        CHECK_STR(gh_image_str(image, image->deployments[image->targets[DEPLOYMENTS - 1].deployment].id), "d0863");
    }
    return image;
}

/* Requests of every organisation, with the class "b" too where it has one, and narrowed to every set when asked. */
static void
judge_all(const allow_t *allows, unsigned orgs, const forbid_t *forbid, bool guard, bool narrow)
{
    gh_heap_t   heap;
    gh_image_t *image;

    gh_heap_init(&heap);
    image = make_image(&heap, allows, orgs, forbid, guard);
    for (unsigned i = 0; image != NULL && i < orgs; i++) {
        for (unsigned class_b = 0; class_b <= (allows[i].other != 0); class_b++) {
            for (unsigned narrowing = 0; narrowing < (narrow ? SETS : 1); narrowing++) {
                judge(image, i, &allows[i], forbid, class_b, narrowing);
            }
        }
    }
    gh_image_unref(image);
    gh_heap_free(&heap);
}

static void
begin(void)
{
    judged = wrong = allowed = 0;
}

static void
end(uint64_t expected)
{
    CHECK_INT(judged, expected);
    CHECK_INT(wrong, 0);
    CHECK(allowed > 0 && allowed < judged);
}

/* Every processing set with every store an allow may state, with and without a limit of days and a home. */
static void
test_allow(void)
{
    static allow_t allows[15 * 16];
    const forbid_t none = { 0 };

    begin();
    for (unsigned variant = 0; variant < 4; variant++) {
        for (unsigned i = 0; i < 15 * 16; i++) {
            static const unsigned days[] = { 0, 30, 29, 31 }, home[] = { 0, 1, 2, 3 };

            allows[i] = (allow_t) { .within = i / 16 + 1, .store = i % 16 + 1, .max_days = i % 16 + 1 == NOTHING ? 0 : days[variant],
                .home = home[variant] };
        }
        judge_all(allows, 15 * 16, &none, false, false);
    }
    end(4ull * 15 * 16 * DEPLOYMENTS);
}

/* Every set a forbid may state of each fact, alone and in pairs, in the policy and in a guard, over allows of every processing set. */
static void
test_forbid(void)
{
    static allow_t allows[15];
    unsigned       images = 0;

    begin();
    for (unsigned i = 0; i < 15; i++) {
        allows[i] = (allow_t) { .within = i + 1, .store = 15 };
    }
    for (unsigned guard = 0; guard < 2; guard++) {
        for (unsigned set = 1; set < SETS; set++) {
            const forbid_t forbids[] = { { .process = set }, { .store = set }, { .home = set },
                { .process = set, .store = set ^ 15 }, { .process = set ^ 5, .home = set }, { .store = set ^ 3, .home = set } };

            for (unsigned f = 0; f < sizeof(forbids) / sizeof(forbids[0]); f++) {
                judge_all(allows, 15, &forbids[f], guard, false);
                images++;
            }
        }
    }
    end((uint64_t) images * 15 * DEPLOYMENTS);
    allows[0].other = 15;
    begin();
    judge_all(allows, 15, &(forbid_t) { .off_switch = true }, false, false);
    CHECK(judged > 0 && allowed == 0 && wrong == 0);
}

/* Two allows of one class: either will do. One allow of each of two classes: both must. Every pair of sets. */
static void
test_classes(void)
{
    static allow_t allows[15 * 15];
    const forbid_t none = { 0 }, process_of_b = { .process = 2, .for_b = true };

    begin();
    for (unsigned i = 0; i < 15 * 15; i++) {
        allows[i] = (allow_t) { .within = i / 15 + 1, .store = NOTHING, .also = i % 15 + 1 };
    }
    judge_all(allows, 15 * 15, &none, false, false);
    end(15ull * 15 * DEPLOYMENTS);

    begin();
    for (unsigned i = 0; i < 15 * 15; i++) {
        allows[i] = (allow_t) { .within = i / 15 + 1, .store = 15, .other = i % 15 + 1 };
    }
    judge_all(allows, 15 * 15, &none, false, false);
    judge_all(allows, 15 * 15, &process_of_b, false, false);
    end(4ull * 15 * 15 * DEPLOYMENTS);
}

/* Every narrowing of a client over every processing set of an allow. */
static void
test_narrowing(void)
{
    static allow_t allows[15];
    const forbid_t none = { 0 };

    begin();
    for (unsigned i = 0; i < 15; i++) {
        allows[i] = (allow_t) { .within = i + 1, .store = 15 };
    }
    judge_all(allows, 15, &none, false, true);
    end(15ull * SETS * DEPLOYMENTS);
}

int
main(void)
{
    test_allow();
    test_forbid();
    test_classes();
    test_narrowing();
    return check_done("exhaustive_decide");
}
