/* gh_decide under documents that differ in one place from those of test_decide.c. */
#include "tests/unit/decide_world.h"

/* A document with the first `what` in it, which is there, replaced. */
static const char *
with(gh_arena_t *arena, const char *document, const char *what, const char *by)
{
    const char *at = strstr(document, what);

    CHECK(at != NULL);
    return at == NULL ? document
        : gh_str_format(arena, "%.*s%s%s", (int) (at - document), document, by, at + strlen(what)).data;
}

/* A deployment is for those it serves, down to one key, and for nobody else. */
static void
test_serves(gh_arena_t *arena)
{
    const char *const narrowed[] = {
        with(arena, fleet, "\"serves\":[\"nord\"]", "\"serves\":[\"nord/web\",\"nord/retail/hr/batch\"]"), tenants, residency
    };
    gh_image_t       *own = world_image(arena, narrowed, 3);
    world_request_t   r;

    world_request(&r, "nord/retail/chat", "gpt");
    CHECK_INT(world_decide(own, &r, arena), GH_DECIDED_ALLOW);
    CHECK_STR(world_route(own, &r, arena), "us de2 de");
    world_request(&r, "nord/web/bot", "gpt");
    CHECK_INT(world_decide(own, &r, arena), GH_DECIDED_ALLOW);
    CHECK_STR(world_route(own, &r, arena), "us de2 de se");
    world_request(&r, "nord/retail/hr", "secret-model");
    CHECK_INT(world_decide(own, &r, arena), GH_DENIED_ENDPOINT);
    r.identity.key = GH_STR("batch");
    CHECK_INT(world_decide(own, &r, arena), GH_DENIED_RESIDENCY);
    gh_image_unref(own);
}

/* An allow may judge a deployment without the features it does not list; a forbid never does. */
static void
test_forbids_and_unlisted(gh_arena_t *arena)
{
    const char       *accepted = with(arena, residency, "\"max_days\":30}}", "\"max_days\":30},\"unlisted_features\":\"accepted\"}");
    const char *const allowed[] = { fleet, tenants, accepted };
    const char *const forbidden[] = {
        fleet, tenants, with(arena, accepted, "\"forbid\":[", "\"forbid\":[{\"id\":\"far\",\"why\":\"w\",\"process\":{\"touches\":[\"CN\"]}},")
    };
    gh_image_t       *without = world_image(arena, allowed, 3), *far = world_image(arena, forbidden, 3);
    world_request_t   r;

    world_request(&r, "nord/retail/chat", "gpt");
    CHECK_INT(world_decide(far, &r, arena), GH_DECIDED_ALLOW);
    r.intake.features[0] = (gh_feature_use_t) { GH_STR("web_search"), GH_STR("tools[0].type") };
    r.intake.feature_count = 1;
    CHECK_INT(world_decide(without, &r, arena), GH_DECIDED_ALLOW);
    CHECK_INT(world_decide(far, &r, arena), GH_DENIED_RESIDENCY);
    CHECK_STR(r.decision.rule, "far");
    CHECK_STR(r.decision.targets[0].feature, "web_search");
    gh_image_unref(without);
    gh_image_unref(far);
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    test_serves(&heap.arena);
    test_forbids_and_unlisted(&heap.arena);
    gh_heap_free(&heap);
    return check_done("decide_edited");
}
