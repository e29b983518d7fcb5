/* Plans of small edits, and what a moved pin of the facts alone does; against an independent enumeration: tests/oracle/test_plan.py. */
#include "tests/unit/two_facts.h"
#include "tests/unit/world.h"

#include "policy/review/plan.h"

#define FLEET(country)                                                                                                          \
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"DE\"}],\"models\":{\"m\":{}},\"deployments\":["              \
    "{\"id\":\"d\",\"backend\":\"b\",\"serves\":[\"bank\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"" country "\","  \
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"DE\",\"training\":false," \
    WORLD_EVIDENCE ",\"models\":{\"m\":{\"upstream\":\"up\"}}}]}"

#define POLICY(facts, within, more)                                                                                             \
    "{\"kind\":\"residency/1\",\"name\":\"bank\",\"applies_to\":\"bank/*\",\"facts\":\"" facts "\",\"places\":{\"near\":[\"EEA\"]}," \
    "\"classes\":[\"c\"],\"classify\":{\"default\":\"c\"},\"allow\":[{\"id\":\"a\",\"why\":\"x\",\"classes\":[\"c\"],"             \
    "\"process\":{\"within\":[" within "]},\"store\":\"nothing\"" more "}]}"

static const char tenants[] = "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"bank\",\"tenants\":[{\"id\":\"t\",\"apps\":[{\"id\":\"a\"},"
    "{\"id\":\"b\"}]}]}]}";

static gh_image_t *
image_of(gh_arena_t *arena, const char *fleet, const char *policy)
{
    const char *const documents[] = { fleet, policy, tenants };

    return world_image(arena, documents, 3);
}

/* With suppositions; NULL when it does not load. */
static gh_image_t *
supposed_image(gh_arena_t *arena, const char *fleet, const char *policy, gh_supposition_t *suppositions, size_t count)
{
    gh_document_source_t sources[] = { { GH_STR("f.json"), gh_str_from(fleet) }, { GH_STR("p.json"), gh_str_from(policy) },
        { GH_STR("t.json"), gh_str_from(tenants) } };
    gh_report_t          report;
    gh_image_t          *image = NULL;
    gh_model_t          *model;
    gh_error_t           error;

    gh_report_init(&report, arena);
    if (CHECK_INT(gh_documents_suppose(arena, sources, 3, WORLD_NOW, suppositions, count, &model, &report), GH_OK)) {
        CHECK_INT(gh_compile_image(arena, model, WORLD_NOW, &image, &error), GH_OK);
    }
    return image;
}

static gh_plan_t
plan_of(gh_arena_t *arena, gh_image_t *before, gh_image_t *after)
{
    gh_plan_t  plan;
    gh_error_t error;

    memset(&error, 0, sizeof(error));
    CHECK_INT(gh_plan_make(arena, before, after, WORLD_NOW, NULL, &plan, &error), GH_OK);
    return plan;
}

static gh_str_t
process_of(gh_arena_t *arena, const gh_plan_changes_t *changes, uint32_t index)
{
    if (index >= changes->count) {
        return GH_STR("");
    }
    return gh_places_text(arena, changes->items[index].what.of[GH_REACH_PROCESS]);
}

static void
edits_gain_and_lose(gh_arena_t *arena)
{
    gh_image_t *france = image_of(arena, FLEET("FR"), POLICY("regions/2026-12-24", "\"EU\"", ""));
    gh_image_t *sweden = image_of(arena, FLEET("SE"), POLICY("regions/2026-12-24", "\"EU\"", ""));
    gh_image_t *ending = image_of(arena, FLEET("FR"), POLICY("regions/2026-12-24", "\"EU\"", ",\"until\":\"2026-12-31\""));
    gh_plan_t   plan;

    CHECK_INT(plan_of(arena, france, france).reach.count, 0);
    CHECK_INT(plan_of(arena, france, france).deployments.count, 0);

    plan = plan_of(arena, NULL, france);
    CHECK_INT(plan.reach.count, 1);
    CHECK(plan.reach.items[0].gained && plan.reach.items[0].status == GH_PLAN_NEW && plan.reach.items[0].group_count == 1);
    CHECK_STR(process_of(arena, &plan.reach, 0), "DE FR");
    CHECK_INT(plan.groups.groups[0].count, 2);

    plan = plan_of(arena, france, sweden);
    CHECK_INT(plan.reach.count, 2);
    CHECK(plan.reach.items[0].gained && !plan.reach.items[1].gained);
    CHECK_STR(process_of(arena, &plan.reach, 0), "SE");
    CHECK_STR(process_of(arena, &plan.reach, 1), "FR");
    CHECK_INT(plan.deployments.items[0].status, GH_PLAN_MORE);

    plan = plan_of(arena, france, ending);                         /* the same until its last day is over */
    CHECK_INT(plan.reach.count, 1);
    CHECK(!plan.reach.items[0].gained && plan.reach.items[0].status == GH_PLAN_GONE);
    CHECK_INT(plan.reach.items[0].from_ms, 1798761600000ll);
    gh_image_unref(france);
    gh_image_unref(sweden);
    gh_image_unref(ending);
}

/* The EEA of the newer artefact has Switzerland and not Norway. */
static void
a_moved_pin_alone(gh_arena_t *arena)
{
    gh_supposition_t old_pin = { .policy = GH_STR("bank"), .facts = GH_STR("regions/2026-11-21") }, other = { .policy = GH_STR("none"),
        .facts = GH_STR("regions/2026-11-21") };
    const char      *policy = POLICY("regions/2026-12-24", "\"near\"", "");
    gh_image_t      *after = image_of(arena, FLEET("CH"), policy), *pinned = supposed_image(arena, FLEET("CH"), policy, &old_pin, 1);
    gh_image_t      *same = supposed_image(arena, FLEET("CH"), policy, &other, 1);
    gh_plan_t        plan = plan_of(arena, pinned, after);

    CHECK(old_pin.met && !other.met);
    CHECK_INT(plan.reach.count, 1);
    CHECK(plan.reach.items[0].gained);
    CHECK_STR(process_of(arena, &plan.reach, 0), "CH DE");
    CHECK_INT(plan_of(arena, same, after).reach.count, 0);
    gh_image_unref(after);
    gh_image_unref(pinned);
    gh_image_unref(same);
}

static void
sets_supposed_to_be_others(gh_arena_t *arena)
{
    gh_supposition_t none = { .name = GH_STR("EEA") }, place = { .name = GH_STR("near") }, unknown = { .name = GH_STR("FIVE") };
    const char      *policy = POLICY("regions/2026-12-24", "\"near\"", "");
    gh_image_t      *before = image_of(arena, FLEET("CH"), policy), *after = supposed_image(arena, FLEET("CH"), policy, &none, 1);

    CHECK(none.met);
    CHECK_INT(plan_of(arena, before, after).reach.count, 1);
    CHECK(!plan_of(arena, before, after).reach.items[0].gained);
    gh_image_unref(after);

    gh_places_add(&place.places, gh_country_index(GH_STR("CH")));
    gh_places_add(&place.places, gh_country_index(GH_STR("DE")));
    after = supposed_image(arena, FLEET("CH"), policy, &place, 1);
    CHECK(place.met);
    CHECK_INT(plan_of(arena, before, after).reach.count, 0);
    gh_image_unref(after);

    after = supposed_image(arena, FLEET("CH"), policy, &unknown, 1);
    CHECK(!unknown.met);                                           /* the newer artefact does not have it */
    gh_image_unref(after);
    gh_image_unref(before);
}

static void
every_allocation_may_fail(void)
{
    gh_heap_t   made;
    gh_image_t *before, *after;
    gh_plan_t   plan;
    gh_error_t  error;
    int         status = GH_ERROR;

    gh_heap_init(&made);
    before = image_of(&made.arena, FLEET("FR"), POLICY("regions/2026-12-24", "\"EU\"", ""));
    after = image_of(&made.arena, FLEET("SE"), POLICY("regions/2026-12-24", "\"EU\"", ",\"until\":\"2026-12-31\""));
    for (size_t limit = 0; status != GH_OK && limit < 3000; limit++) {
        gh_heap_t heap;

        gh_heap_init(&heap);
        heap.limit = limit;
        memset(&error, 0, sizeof(error));
        status = gh_plan_make(&heap.arena, before, after, WORLD_NOW, NULL, &plan, &error);
        CHECK(status == GH_OK || error.code != NULL);
        if (status == GH_OK) {
            CHECK_INT(plan.reach.count, 3);
        }
        gh_heap_free(&heap);
    }
    CHECK_INT(status, GH_OK);
    gh_image_unref(before);
    gh_image_unref(after);
    gh_heap_free(&made);
}

int
main(void)
{
    gh_heap_t heap;

    make_artefacts();
    gh_heap_init(&heap);
    edits_gain_and_lose(&heap.arena);
    a_moved_pin_alone(&heap.arena);
    sets_supposed_to_be_others(&heap.arena);
    every_allocation_may_fail();
    gh_heap_free(&heap);
    return check_done("plan");
}
