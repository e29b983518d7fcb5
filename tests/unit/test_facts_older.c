/* A policy reviewed against older facts than the newest. */
#include <stdlib.h>

#include "policy/document/model.h"
#include "tests/unit/two_facts.h"

#define NOW_MS 1795262400000ull      /* 2026-11-21 12:00:00 UTC */

/* What a policy that pins `facts` and allows processing within `places` is warned of; the fleet and tenants are in order. */
static gh_str_t
warned(gh_heap_t *heap, const char *facts, const char *places, const gh_model_t **model)
{
    static const char fleet[] =
        "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"DE\"}],\"models\":{\"m\":{}},\"deployments\":[{\"id\":\"d\","
        "\"backend\":\"d\",\"serves\":[\"acme\"],\"provider\":\"self\",\"partition\":\"self\",\"country\":\"DE\",\"dialect\":\"openai\","
        "\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"DE\",\"training\":false,"
        "\"evidence\":{\"by\":\"ops\",\"on\":\"2026-11-01\",\"source\":\"own\"},\"models\":{\"m\":{}}}]}";
    static const char tenants[] =
        "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"acme\",\"tenants\":[{\"id\":\"web\",\"apps\":[{\"id\":\"site\"}]}]}]}";
    gh_str_t policy = gh_str_format(&heap->arena,
        "{\"kind\":\"residency/1\",\"name\":\"acme\",\"applies_to\":\"acme\",\"facts\":\"%s\",\"places\":{\"near\":[\"EEA\"]},"
        "\"classes\":[\"any\"],\"classify\":{\"default\":\"any\"},\"allow\":[{\"id\":\"a\",\"classes\":[\"any\"],"
        "\"process\":{\"within\":%s},\"store\":\"nothing\"}]}", facts, places);
    gh_document_source_t sources[] = {
        { GH_STR("fleet.json"), GH_STR(fleet) }, { GH_STR("policy.json"), policy }, { GH_STR("tenants.json"), GH_STR(tenants) }
    };
    gh_report_t report;
    gh_model_t *loaded;

    gh_report_init(&report, &heap->arena);
    CHECK_INT(gh_documents_load(&heap->arena, sources, 3, NOW_MS, &loaded, &report), GH_OK);
    *model = loaded;
    if (report.count == 0) {
        return GH_STR("");
    }
    CHECK_INT(report.count, 1);
    CHECK(strcmp(report.items[0].error.code, "facts_older") == 0 && report.items[0].severity == GH_SEVERITY_WARNING);
    CHECK(strcmp(report.items[0].error.source, "policy.json") == 0 && report.items[0].error.column == strstr(policy.data, "\"regions/") - policy.data + 1);
    return gh_str_from(report.items[0].error.text);
}

#define CHANGED "policy \"acme\" was reviewed against regions/2026-11-21, and regions/2026-12-24 is newer: "

static void
test_older(void)
{
    gh_heap_t         heap;
    const gh_model_t *model;
    gh_places_t       norway = gh_places_none(), switzerland = gh_places_none();

    gh_places_add(&norway, gh_country_index(GH_STR("NO")));
    gh_places_add(&switzerland, gh_country_index(GH_STR("CH")));
    gh_heap_init(&heap);
    CHECK_STR(warned(&heap, "regions/2026-12-24", "[\"EEA\"]", &model), "");
    CHECK(gh_places_inside(switzerland, model->policies[0].rules[0].process));
    CHECK_STR(warned(&heap, "regions/2026-11-21", "[\"EU\",\"near\"]", &model), CHANGED "EEA gained CH; EEA lost NO");
    CHECK(gh_places_inside(norway, model->policies[0].rules[0].process));
    CHECK(!gh_places_touch(switzerland, model->policies[0].rules[0].process));
    CHECK_STR(warned(&heap, "regions/2026-11-21", "[\"FIVE\",\"EEA\",\"DE\"]", &model), CHANGED "EEA gained CH; EEA lost NO; FIVE is gone");
    CHECK_INT(model->facts.count, 2);
    gh_heap_free(&heap);
}

static void
test_same_sets(void)
{
    gh_heap_t   heap;
    gh_report_t report;
    gh_model_t *model;
    gh_document_source_t guard = { GH_STR("guard.json"), GH_STR(
        "{\"kind\":\"residency/1\",\"role\":\"guard\",\"name\":\"group\",\"applies_to\":\"*\",\"facts\":\"regions/2026-11-21\","
        "\"forbid\":[{\"id\":\"f\",\"process\":{\"touches\":[\"GCC\"]}}]}") };
    gh_document_source_t sources[] = { guard, { GH_STR("tenants.json"), GH_STR(
        "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"acme\",\"tenants\":[{\"id\":\"web\"}]}]}") } };

    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    CHECK_INT(gh_documents_load(&heap.arena, sources, 2, NOW_MS, &model, &report), GH_OK);
    CHECK_INT(report.count, 2);
    CHECK_STR(gh_str_from(report.items[0].error.text), "guard \"group\" was reviewed against regions/2026-11-21, and regions/2026-12-24 "
        "is newer: the sets it uses are the same");
    CHECK(strcmp(report.items[1].error.code, "no_policy") == 0);
    gh_heap_free(&heap);
}

/* An artefact that was touched after it was signed gives nothing. */
static void
test_touched_artefact(void)
{
    gh_facts_t *facts;
    gh_error_t  error;
    gh_heap_t   heap;

    gh_heap_init(&heap);
    CHECK(gh_facts_load(&heap.arena, GH_STR("regions/2026-12-24"), &facts, &error) == GH_OK);
    newer[SIZE - 1] = '\n';
    CHECK(gh_facts_load(&heap.arena, GH_STR("regions/2026-12-24"), &facts, &error) == GH_ERROR);
    CHECK(strcmp(error.code, "facts_signature") == 0);
    CHECK(gh_facts_load(&heap.arena, GH_STR("regions/2026-11-21"), &facts, &error) == GH_OK);
    newer[SIZE - 1] = ' ';
    newer_signature[10] ^= 1;
    CHECK(gh_facts_load(&heap.arena, GH_STR("regions/2026-12-24"), &facts, &error) == GH_ERROR);
    newer_signature[10] ^= 1;
    CHECK(gh_facts_load(&heap.arena, GH_STR("regions/2026-12-24"), &facts, &error) == GH_OK);
    gh_heap_free(&heap);
}

int
main(void)
{
    make_artefacts();
    test_touched_artefact();
    test_older();
    test_same_sets();
    return check_done("facts_older");
}
