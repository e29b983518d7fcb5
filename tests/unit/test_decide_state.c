/* gh_decide of requests that use what a deployment keeps, or what their client did not ask for. */
#include "policy/store/image_format.h"
#include "tests/unit/decide_world.h"

static gh_image_t *image;

#define DECIDE(request, expected, route) do { \
    CHECK_INT(world_decide(image, (request), arena), (expected)); \
    CHECK_STR(world_route(image, (request), arena), (route)); \
} while (0)

static gh_str_t
deployment_of(const world_request_t *r, uint32_t target)
{
    return gh_image_str(image, image->deployments[image->targets[r->decision.targets[target].target].deployment].id);
}

static unsigned
elsewhere(const world_request_t *r)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < r->decision.target_count; i++) {
        count += r->decision.targets[i].code == GH_TARGET_ELSEWHERE;
    }
    return count;
}

/* State is with one deployment: that one or none, and residency judges it first. */
static void
test_pin(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/chat", "gpt");
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    r.intake.pin = (gh_pin_t) { GH_STR("de"), GH_STR("previous_response_id") };
    DECIDE(&r, GH_DECIDED_ALLOW, "de");
    CHECK_INT(elsewhere(&r), 3);
    r.intake.pin.deployment = GH_STR("gone");
    DECIDE(&r, GH_DENIED_STATE, "");
    CHECK(strstr(r.decision.detail.data, "previous_response_id") != NULL);
    world_request(&r, "nord/retail/hr", "gpt");       /* personal: in the EU alone */
    r.intake.pin = (gh_pin_t) { GH_STR("us"), GH_STR("input[0].id") };
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
    CHECK_STR(r.decision.rule, "eu");
    CHECK(strstr(r.decision.detail.data, "input[0].id") != NULL);
    world_request(&r, "nord/retail/home", "gpt");     /* narrowed to SE */
    r.intake.pin = (gh_pin_t) { GH_STR("de"), GH_STR("conversation") };
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
}

/* What the client did not ask for is used where it is allowed, and left out where it is not. */
static void
test_by_default(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/chat", "gpt");
    r.intake.features[0] = (gh_feature_use_t) { GH_STR("cache"), GH_STR("cache") };
    r.intake.feature_count = 1;
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    r.intake.by_default = 1;
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    for (uint32_t i = 0; i < r.decision.target_count; i++) {
        CHECK_INT(r.decision.targets[i].store_false, !gh_str_is(deployment_of(&r, i), "se"));
    }
    r.headers[0] = (world_header_t) { "x-data-class", "secret" };
    DECIDE(&r, GH_DECIDED_ALLOW, "se");               /* which must store nothing then */
    CHECK_INT(gh_decision_verdict(&r.decision, r.decision.route[0])->store_false, 1);
    r.intake.by_default = 0;
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
}

int
main(void)
{
    const char *const documents[] = { fleet, tenants, residency };
    gh_heap_t         heap;

    gh_heap_init(&heap);
    image = world_image(&heap.arena, documents, 3);
    if (CHECK(image != NULL)) {
        test_pin(&heap.arena);
        test_by_default(&heap.arena);
        gh_image_unref(image);
    }
    gh_heap_free(&heap);
    return check_done("decide_state");
}
