/*
 * The route of three deployments, for every combination of eligible or not, order of priorities (with ties) and prices (unknown, lower,
 * equal, higher): it holds the eligible ones and no other, in the one order that priority, price and id give, whatever order they came in.
 * Each combination is a model of its own, so that one image holds every priority and price. Health is no part of the core's route: the
 * shell passes over what must wait, and never looks beyond the route.
 */
#include "policy/route/route.h"
#include "policy/store/image_format.h"
#include "tests/unit/document_text.h"
#include "tests/unit/world.h"

#define THREE    3u
#define LEVELS   3u                          /* priorities 1, 2, 3; prices unknown, 1 + 1, 1 + 2 */
#define POWER    27u
#define MODELS   (POWER * POWER)
#define ELIGIBLE 8u                          /* sets of the three */

static unsigned
digit(unsigned number, unsigned index)
{
    for (; index > 0; index--) {
        number /= LEVELS;
    }
    return number % LEVELS;
}

static unsigned
priority_of(unsigned model, unsigned deployment)
{
    return digit(model / POWER, deployment) + 1;
}

/* 0: unknown */
static unsigned
price_of(unsigned model, unsigned deployment)
{
    return digit(model % POWER, deployment);
}

static void
say_deployment(unsigned deployment, bool eligible)
{
    say("%s{\"id\":\"d%u\",\"backend\":\"b\",\"serves\":[\"o\"],\"provider\":\"other\",\"dialect\":\"openai\",\"store\":\"nothing\","
        "\"training\":false,\"endpoints\":[\"chat.completions\"]," WORLD_EVIDENCE ",\"process\":[\"%s\"],\"models\":{",
        deployment ? "," : "", deployment, eligible ? "DE" : "US");
    for (unsigned model = 0; model < MODELS; model++) {
        unsigned price = price_of(model, deployment);

        say("%s\"m%u\":{\"priority\":%u", model ? "," : "", model, priority_of(model, deployment));
        if (price) {
            say(",\"price\":{\"input\":%u,\"output\":1}", price);
        }
        say("}");
    }
    say("}}");
}

static gh_image_t *
make_image(gh_heap_t *heap, unsigned eligible)
{
    static const char *const rules =
        "{\"kind\":\"residency/1\",\"name\":\"o\",\"applies_to\":\"o\",\"facts\":\"regions/2026-11-21\",\"classes\":[\"a\"],"
        "\"classify\":{\"default\":\"a\"},\"allow\":[{\"id\":\"a\",\"classes\":[\"a\"],\"process\":{\"within\":[\"DE\"]},"
        "\"store\":\"nothing\"}]}";
    static const char *const tenants =
        "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"o\",\"tenants\":[{\"id\":\"t\",\"apps\":[{\"id\":\"a\"}]}]}]}";
    const char              *documents[3] = { document_text, rules, tenants };

    document_length = 0;
    say("{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"DE\"}],\"models\":{");
    for (unsigned model = 0; model < MODELS; model++) {
        say("%s\"m%u\":{\"context\":1000,\"max_output\":1000}", model ? "," : "", model);
    }
    say("},\"deployments\":[");
    for (unsigned deployment = 0; deployment < THREE; deployment++) {
        say_deployment(deployment, eligible >> deployment & 1);
    }
    say("]}");
    return CHECK(say_fitted()) ? world_image(&heap->arena, documents, 3) : NULL;
}

/* Is deployment a tried before b? */
static bool
before(unsigned model, unsigned a, unsigned b)
{
    unsigned price_a = price_of(model, a), price_b = price_of(model, b);

    if (priority_of(model, a) != priority_of(model, b)) {
        return priority_of(model, a) < priority_of(model, b);
    }
    if (price_a != price_b) {
        return price_a != 0 && (price_b == 0 || price_a < price_b);
    }
    return a < b;
}

/* The eligible deployments in order, by how many others come before each. */
static unsigned
expected_route(unsigned model, unsigned eligible, unsigned route[THREE])
{
    unsigned count = 0;

    for (unsigned a = 0; a < THREE; a++) {
        unsigned place = 0;

        if (!(eligible >> a & 1)) {
            continue;
        }
        for (unsigned b = 0; b < THREE; b++) {
            place += b != a && (eligible >> b & 1) && before(model, b, a);
        }
        route[place] = a;
        count++;
    }
    return count;
}

static unsigned
deployment_of(const gh_image_t *image, uint32_t target)
{
    return image->targets[target].deployment;
}

static bool
same_route(const gh_image_t *image, const uint32_t *targets, const unsigned *expected, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (deployment_of(image, targets[i]) != expected[i]) {
            return false;
        }
    }
    return true;
}

/* Every order of the same targets is put into the same route. */
static bool
every_order(const gh_image_t *image, const uint32_t *route, uint32_t count)
{
    static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

    for (unsigned o = 0; o < 6; o++) {
        uint32_t targets[THREE], n = 0;

        for (unsigned i = 0; i < THREE; i++) {
            if (orders[o][i] < count) {
                targets[n++] = route[orders[o][i]];
            }
        }
        gh_route_sort(image, targets, n);
        if (n != count || memcmp(targets, route, count * sizeof(*route)) != 0) {
            return false;
        }
    }
    return true;
}

static unsigned wrong, decided, routed[THREE + 1], moved;

static void
judge(gh_image_t *image, unsigned model, unsigned eligible)
{
    world_request_t request, again;
    gh_heap_t       heap;
    char            name[16];
    unsigned        expected[THREE], count = expected_route(model, eligible, expected);

    gh_heap_init(&heap);
    snprintf(name, sizeof(name), "m%u", model);
    world_request(&request, "o/t/a", name);
    world_request(&again, "o/t/a", name);
    request.input.identity = &request.identity;
    request.input.intake = &request.intake;
    request.input.header_context = request.headers;
    again.input = request.input;

    decided++;
    routed[count]++;
    for (unsigned i = 0; i + 1 < count; i++) {
        moved += expected[i] > expected[i + 1];
    }
    if (gh_decide(image, &request.input, &heap.arena, &request.decision, &request.error) != GH_OK
        || gh_decide(image, &again.input, &heap.arena, &again.decision, &again.error) != GH_OK || request.decision.target_count != THREE
        || request.decision.route_count != count || again.decision.route_count != count
        || (request.decision.code == GH_DECIDED_ALLOW) != (count > 0)
        || !same_route(image, request.decision.route, expected, count) || !same_route(image, again.decision.route, expected, count)
        || !every_order(image, request.decision.route, count))
    {
        if (wrong++ < 5) {
            fprintf(stderr, "eligible %u, priorities %u %u %u, prices %u %u %u\n", eligible, priority_of(model, 0), priority_of(model, 1),
                priority_of(model, 2), price_of(model, 0), price_of(model, 1), price_of(model, 2));
        }
    }
    gh_heap_free(&heap);
}

int
main(void)
{
    for (unsigned eligible = 0; eligible < ELIGIBLE; eligible++) {
        gh_heap_t   heap;
        gh_image_t *image;

        gh_heap_init(&heap);
        image = make_image(&heap, eligible);
        CHECK(image != NULL);
        for (unsigned model = 0; image != NULL && model < MODELS; model++) {
            judge(image, model, eligible);
        }
        gh_image_unref(image);
        gh_heap_free(&heap);
    }
    CHECK_INT(decided, ELIGIBLE * MODELS);
    CHECK_INT(wrong, 0);
    CHECK(routed[0] == MODELS && routed[1] == 3 * MODELS && routed[2] == 3 * MODELS && routed[3] == MODELS && moved > 1000);
    return check_done("exhaustive_route");
}
