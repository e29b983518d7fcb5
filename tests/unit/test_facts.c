/* The facts artefact: what region names do and do not mean, and what processing follows from. */
#include <stdlib.h>

#include "policy/base/hash.h"
#include "residency/facts.h"
#include "tests/unit/check.h"

static gh_heap_t   heap;
static gh_facts_t *facts;

static gh_places_t
of(const char *codes)
{
    gh_places_t places = gh_places_none();

    for (; codes[0]; codes += codes[2] ? 3 : 2) {
        gh_places_add(&places, gh_country_index((gh_str_t) { codes, 2 }));
    }
    return places;
}

static const char *
country(const char *provider, const char *region)
{
    int index;

    return gh_facts_region(facts, gh_str_from(provider), gh_str_from(region), &index, NULL) ? gh_country_codes[index]
                                                                                            : "?";
}

static void
test_load(void)
{
    gh_str_t    names[4];
    gh_facts_t *again;
    gh_error_t  error;
    FILE       *file = fopen("residency/data/regions-2026-11-21.json", "rb");
    char       *text = malloc(1 << 20);
    uint8_t     digest[32];

    CHECK_INT(gh_facts_names(names, 4), 1);
    CHECK_STR(names[0], "regions/2026-11-21");
    CHECK(gh_facts_load(&heap.arena, GH_STR(""), &facts, &error) == GH_OK);
    CHECK_STR(gh_facts_name(facts), "regions/2026-11-21");
    CHECK(gh_facts_load(&heap.arena, names[0], &again, &error) == GH_OK);
    CHECK(gh_facts_load(&heap.arena, GH_STR("regions/2026-11-20"), &again, &error) == GH_ERROR && error.code != NULL);
    CHECK(strstr(error.text, "regions/2026-11-21") != NULL);

    if (CHECK(file != NULL && text != NULL)) {
        gh_sha256(text, fread(text, 1, 1 << 20, file), digest);
        CHECK_MEM(gh_facts_digest(facts), digest, 32);
        fclose(file);
    }
    free(text);
}

static void
test_regions(void)
{
    gh_str_t partition;
    int      index;

    CHECK_STR(gh_str_from(country("azure", "northeurope")), "IE");
    CHECK_STR(gh_str_from(country("azure", "westeurope")), "NL");
    CHECK_STR(gh_str_from(country("azure", "eastasia")), "HK");
    CHECK_STR(gh_str_from(country("azure", "southeastasia")), "SG");
    CHECK_STR(gh_str_from(country("azure", "uksouth")), "GB");
    CHECK_STR(gh_str_from(country("aws", "eu-west-2")), "GB");
    CHECK_STR(gh_str_from(country("aws", "eu-central-2")), "CH");
    CHECK_STR(gh_str_from(country("aws", "me-central-1")), "AE");
    CHECK_STR(gh_str_from(country("azure", "swedensouth")), "SE");      /* restricted is known */
    CHECK_STR(gh_str_from(country("azure", "eastusstg")), "?");         /* internal */
    CHECK_STR(gh_str_from(country("azure", "usgoviowa")), "?");         /* not verified */
    CHECK_STR(gh_str_from(country("azure", "eu-west-2")), "?");         /* another provider's */
    CHECK_STR(gh_str_from(country("azure", "")), "?");
    CHECK_STR(gh_str_from(country("azure", "WestEurope")), "?");
    CHECK_STR(gh_str_from(country("self", "westeurope")), "?");

    CHECK(gh_facts_region(facts, GH_STR("aws"), GH_STR("eusc-de-east-1"), &index, &partition));
    CHECK_STR(partition, "aws-eusc");
    CHECK(gh_facts_region(facts, GH_STR("azure"), GH_STR("usgovvirginia"), NULL, &partition));
    CHECK_STR(partition, "azure-us-gov");
}

static void
test_sets(void)
{
    gh_places_t places, eu, eea;
    gh_str_t    names[64];
    size_t      count = gh_facts_set_names(facts, names, 64);
    bool        anywhere = false;

    CHECK(gh_facts_set(facts, GH_STR("EU"), &eu) && gh_places_count(eu) == 27);
    CHECK(gh_facts_set(facts, GH_STR("EEA"), &eea) && gh_places_count(eea) == 30 && gh_places_inside(eu, eea));
    CHECK(!gh_places_touch(eu, of("GB CH NO IS LI")));
    CHECK(gh_facts_set(facts, GH_STR("EU_DATA_BOUNDARY"), &places) && !gh_places_inside(places, eu)
          && !gh_places_touch(places, of("GB")));
    CHECK(gh_places_touch(places, of("CH")) && gh_places_touch(places, of("NO")));
    CHECK(gh_facts_set(facts, GH_STR("ANYWHERE"), &places) && gh_places_equal(places, gh_places_anywhere()));
    CHECK(gh_facts_set(facts, GH_STR("DOJ_COUNTRIES_OF_CONCERN"), &places) && gh_places_touch(places, of("HK")));
    CHECK(gh_facts_set(facts, GH_STR("GDPR_ADEQUATE"), &places) && !gh_places_touch(places, of("US")));
    CHECK(!gh_facts_set(facts, GH_STR("eu"), &places) && !gh_facts_set(facts, GH_STR(""), &places));
    for (size_t i = 0; i < count && i < 64; i++) {
        anywhere = anywhere || gh_str_is(names[i], "ANYWHERE");
        CHECK(gh_facts_set(facts, names[i], &places) && !gh_places_empty(places) && !gh_places_has_unknown(places));
    }
    CHECK(anywhere);
    CHECK(gh_facts_operator_home(facts, GH_STR("aws-eusc"), &places) && gh_places_equal(places, of("DE US")));
    CHECK(!gh_facts_operator_home(facts, GH_STR("self"), &places));
}

static void
process(int line, gh_process_rule_t rule, gh_places_t places, gh_facts_query_t query)
{
    gh_places_t got;
    int         ok = gh_facts_process(facts, &query, &got) == rule && gh_places_equal(got, places);

    check_one(ok, __FILE__, line, "process");
    CHECK((gh_facts_process_why(&heap.arena, facts, &query).len == 0) == (rule == GH_PROCESS_DERIVED));
    if (!ok) {
        fprintf(stderr, "    got %.*s\n", GH_STR_ARG(gh_places_text(&heap.arena, got)));
    }
}

#define PROCESS(rule, places, ...) process(__LINE__, rule, places, (gh_facts_query_t) { __VA_ARGS__ })
#define DERIVED(places, ...)       PROCESS(GH_PROCESS_DERIVED, places, __VA_ARGS__)
#define STATE(places, ...)         PROCESS(GH_PROCESS_STATE, places, __VA_ARGS__)
#define UNKNOWN(...)               PROCESS(GH_PROCESS_UNKNOWN, gh_places_unknown(), __VA_ARGS__)
#define AZURE(r, s)                .provider = GH_STR("azure"), .region = GH_STR(r), .sku = GH_STR(s)
#define AWS(r, u)                  .provider = GH_STR("aws"), .region = GH_STR(r), .upstream = GH_STR(u)

static void
test_azure(void)
{
    gh_places_t boundary;

    CHECK(gh_facts_set(facts, GH_STR("EU_DATA_BOUNDARY"), &boundary));
    DERIVED(of("SE"), AZURE("swedencentral", "Standard"));
    DERIVED(of("GB"), AZURE("uksouth", "ProvisionedManaged"));
    DERIVED(of("CN"), AZURE("chinaeast2", "Standard"));
    DERIVED(of("US"), AZURE("eastus", "DataZoneStandard"));
    DERIVED(of("US"), AZURE("usgovvirginia", "DataZoneStandard"));
    DERIVED(boundary, AZURE("westeurope", "DataZoneBatch"));
    DERIVED(boundary, AZURE("switzerlandnorth", "DataZoneProvisionedManaged"));
    STATE(of("GB"), AZURE("uksouth", "DataZoneStandard"));
    STATE(of("JP"), AZURE("japaneast", "DataZoneStandard"));
    DERIVED(gh_places_anywhere(), AZURE("westeurope", "GlobalStandard"));
    DERIVED(gh_places_anywhere(), AZURE("westeurope", "DeveloperTier"));
    UNKNOWN(AZURE("mars", "GlobalStandard"));
    UNKNOWN(AZURE("", "Standard"));
    UNKNOWN(AZURE("eastusstg", "Standard"));
    UNKNOWN(AZURE("westeurope", ""));
    UNKNOWN(AZURE("westeurope", "standard"));
    UNKNOWN(AZURE("westeurope", "Instant"));
    STATE(of("SE"), AZURE("swedencentral", "Standard"), .seller = GH_STR("anthropic"));
    STATE(gh_places_anywhere(), AZURE("swedencentral", "GlobalStandard"), .seller = GH_STR("anthropic"));
    UNKNOWN(AZURE("swedencentral", "Standard"), .seller = GH_STR("someone"));
    UNKNOWN(AZURE("swedencentral", "x"), .seller = GH_STR("anthropic"));
}

static void
test_bedrock(void)
{
    DERIVED(of("DE"), AWS("eu-central-1", "anthropic.claude-x-v1:0"));
    DERIVED(of("DE"), AWS("eusc-de-east-1", "openai.gpt-oss-120b-1:0"));
    DERIVED(gh_places_anywhere(), AWS("eu-central-1", "global.anthropic.claude-x"));
    DERIVED(gh_places_anywhere(), AWS("eu-central-1", "anthropic.claude-x"), .profile = GH_STR("global."));
    STATE(of("DE"), AWS("eu-central-1", "eu.anthropic.claude-x"));
    STATE(of("CA"), AWS("ca-central-1", "us.anthropic.claude-x"));
    STATE(of("US"), AWS("us-gov-west-1", "us-gov.anthropic.claude-x"));
    STATE(of("DE"), AWS("eu-central-1", "anthropic.claude-x"), .profile = GH_STR("eu."));
    STATE(of("BR"), AWS("sa-east-1", "latam.anthropic.claude-x"));
    STATE(of("BR"), AWS("sa-east-1", "anthropic.claude-x"), .profile = GH_STR("latam."));
    UNKNOWN(AWS("eu-central-1", "arn:aws:bedrock:eu-central-1:1:application-inference-profile/x"));
    UNKNOWN(AWS("eu-central-1", "arn:aws:bedrock:eu-central-1:1:inference-profile/x"), .profile = GH_STR("eu."));
    UNKNOWN(AWS("eu-central-1", "own-import"));
    UNKNOWN(AWS("eu-central-1", "unknown.claude"));
    UNKNOWN(AWS("eu-central-1", "a.b.anthropic.claude"));
    UNKNOWN(AWS("eu-central-1", "Anthropic.claude"));
    UNKNOWN(AWS("eu-central-1", ""));
    UNKNOWN(AWS("eu-central-9", "anthropic.claude-x"));
    UNKNOWN(AWS("eu-central-9", "global.anthropic.claude-x"));
    UNKNOWN(AWS("westeurope", "anthropic.claude-x"));

    CHECK_STR(gh_facts_profile(facts, GH_STR("eu.anthropic.x")), "eu.");
    CHECK_STR(gh_facts_profile(facts, GH_STR("latam.anthropic.x")), "latam.");
    CHECK_STR(gh_facts_profile(facts, GH_STR("anthropic.x")), "");
    CHECK_STR(gh_facts_profile(facts, GH_STR("x")), "");
    CHECK_STR(gh_facts_profile(facts, GH_STR("")), "");
}

static void
test_others(void)
{
    gh_places_t europe;

    CHECK(gh_facts_set(facts, GH_STR("OPENAI_EUROPE"), &europe));
    DERIVED(of("US"), .provider = GH_STR("openai"), .host = GH_STR("us.api.openai.com"));
    DERIVED(europe, .provider = GH_STR("openai"), .host = GH_STR("eu.api.openai.com"));
    STATE(gh_places_none(), .provider = GH_STR("openai"), .host = GH_STR("api.openai.com"));
    STATE(gh_places_none(), .provider = GH_STR("openai"));
    DERIVED(gh_places_anywhere(), .provider = GH_STR("anthropic"));
    DERIVED(of("US"), .provider = GH_STR("anthropic"), .inference_geo = GH_STR("us"));
    DERIVED(gh_places_anywhere(), .provider = GH_STR("anthropic"), .inference_geo = GH_STR("global"));
    DERIVED(gh_places_anywhere(), .provider = GH_STR("anthropic"), .inference_geo = GH_STR("eu"));
    STATE(gh_places_none(), .provider = GH_STR("self"));
    STATE(of("SE"), .provider = GH_STR("self"), .country = GH_STR("SE"));
    STATE(gh_places_none(), .provider = GH_STR("other"));
    UNKNOWN(.provider = GH_STR("gcp"));
    UNKNOWN(.provider = GH_STR(""));
}

int
main(void)
{
    gh_heap_init(&heap);
    test_load();
    if (facts != NULL) {
        test_regions();
        test_sets();
        test_azure();
        test_bedrock();
        test_others();
    }
    gh_heap_free(&heap);
    return check_done("facts");
}
