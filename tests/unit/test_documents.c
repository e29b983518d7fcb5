/*
 * Every folder of tests/data/documents: its *.json stand for those of base/ with the same names, or beside them, and
 * expected.txt has every error and warning. Then what resolves to what, and running out of memory.
 */
#include <dirent.h>
#include <stdlib.h>

#include "ngx_module/wire/wire.h"
#include "policy/document/model.h"
#include "policy/decide/bedrock_model.h"
#include "tests/unit/check.h"

#define FOLDER "tests/data/documents"
#define NOW_MS 1795262400000ull      /* 2026-11-21 12:00:00 UTC */
#define MAX_FILES 16

typedef struct {
    char                 names[MAX_FILES][64];
    gh_document_source_t sources[MAX_FILES];
    size_t               count;
} files_t;

static gh_str_t
read_file(const char *folder, const char *name)
{
    char   path[512];
    FILE  *file;
    char  *data = malloc(1 << 20);
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL || data == NULL) {
        free(data);
        return (gh_str_t) { NULL, 0 };
    }
    len = fread(data, 1, 1 << 20, file);
    fclose(file);
    return (gh_str_t) { data, len };
}

static int
add(files_t *files, const char *folder, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->names[i], name) == 0) {
            return 0;
        }
    }
    if (files->count == MAX_FILES || strlen(name) >= sizeof(files->names[0])) {
        return 0;
    }
    snprintf(files->names[files->count], sizeof(files->names[0]), "%s", name);
    files->sources[files->count].path = gh_str_from(files->names[files->count]);
    files->sources[files->count].bytes = read_file(folder, name);
    files->count++;
    return 1;
}

static int
by_name(const void *a, const void *b)
{
    return gh_str_cmp(((const gh_document_source_t *) a)->path, ((const gh_document_source_t *) b)->path);
}

static void
read_folder(files_t *files, const char *folder)
{
    DIR           *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0) {
            add(files, folder, entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void
free_files(files_t *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free((void *) (uintptr_t) files->sources[i].bytes.data);
    }
}

/* The names of the files stay in files->names: sources may be sorted, they only borrow. */
static void
gather(files_t *files, const char *name)
{
    char folder[512];

    memset(files, 0, sizeof(*files));
    snprintf(folder, sizeof(folder), FOLDER "/%s", name);
    read_folder(files, folder);
    read_folder(files, FOLDER "/base");
    qsort(files->sources, files->count, sizeof(files->sources[0]), by_name);
}

static void
test_folder(const char *name)
{
    files_t      files;
    gh_heap_t    heap;
    gh_report_t  report;
    gh_model_t  *model;
    gh_str_t     expected;
    char         folder[512], *got = malloc(1 << 18);
    size_t       len = 0;
    int          status;

    snprintf(folder, sizeof(folder), FOLDER "/%s", name);
    gather(&files, name);
    expected = read_file(folder, "expected.txt");
    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    status = gh_documents_load(&heap.arena, files.sources, files.count, NOW_MS, &model, &report);

    for (size_t i = 0; got && i < report.count; i++) {
        const gh_error_t *e = &report.items[i].error;

        len += (size_t) snprintf(got + len, (1 << 18) - len, "%s:%u:%u: %s: %s [%s]\n", e->source, e->line, e->column,
                                 report.items[i].severity == GH_SEVERITY_ERROR ? "error" : "warning", e->text, e->code);
    }
    if (!check_one(expected.data != NULL && gh_str_eq((gh_str_t) { got, len }, expected), __FILE__, __LINE__, name)) {
        fprintf(stderr, "--- got\n%.*s--- expected\n%.*s", (int) len, got, GH_STR_ARG(expected));
    }
    CHECK((status == GH_OK) == (report.errors == 0) && (model != NULL) == (status == GH_OK));
    gh_heap_free(&heap);
    free((void *) (uintptr_t) expected.data);
    free(got);
    free_files(&files);
}

static void
test_folders(void)
{
    struct dirent **entries;
    int             count = scandir(FOLDER, &entries, NULL, alphasort);

    CHECK(count > 60);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            test_folder(entries[i]->d_name);
        }
        free(entries[i]);
    }
    if (count > 0) {
        free(entries);
    }
}

/* ---- what base/ resolves to ---- */

static gh_places_t
of(const char *codes)
{
    gh_places_t places = gh_places_none();

    for (; codes[0]; codes += codes[2] ? 3 : 2) {
        gh_places_add(&places, gh_country_index((gh_str_t) { codes, 2 }));
    }
    return places;
}

static void
check_base_fleet(const gh_model_t *model)
{
    const gh_model_target_t *azure = &model->targets[0], *gpu = &model->targets[1];

    CHECK_INT(model->node_count, 1);
    CHECK_INT(model->nodes[0].country, gh_country_index(GH_STR("DE")));
    CHECK_INT(model->model_count, 1);
    CHECK_INT(model->models[0].context, 1047576);
    CHECK_INT(model->deployment_count, 2);
    CHECK_INT(model->target_count, 2);
    CHECK_STR(azure->upstream, "gpt41-prod");
    CHECK(gh_places_equal(azure->process, of("SE")) && azure->process_until_ms == 0);
    CHECK(azure->price.known && azure->price.input == 2000000 && azure->price.cached == 2000000
          && azure->price.reasoning == 8000000);
    CHECK_INT(azure->price_as_of, 20261101);
    CHECK_INT(azure->endpoints, 1 << GH_ENDPOINT_CHAT_COMPLETIONS | 1 << GH_ENDPOINT_EMBEDDINGS);
    CHECK_INT(azure->store.days, 30);
    CHECK(azure->store.days_known && !azure->store.nothing);
    CHECK(gh_places_inside(of("CH GB SE"), azure->store.places) && !gh_places_touch(azure->store.places, of("US")));
    CHECK_INT(azure->training, GH_TRAINING_NO);
    CHECK_INT(azure->attest_mask, 1);
    CHECK_STR(model->partitions.items[azure->partition], "azure");
    CHECK_INT(azure->priority, 1);
    CHECK_STR(gpu->upstream, "gpt-4.1");
    CHECK(gh_places_equal(gpu->process, of("SE")) && gpu->store.nothing && gh_places_empty(gpu->store.places));
    CHECK(!gpu->price.known && gpu->attest_mask == 1 && gpu->priority == 100);
}

static void
check_base_policy(const gh_model_t *model)
{
    const gh_model_policy_t *policy = &model->policies[0];

    CHECK_INT(model->policy_count, 1);
    CHECK_INT(policy->default_class, 1);
    CHECK_INT(policy->assign_count, 1);
    CHECK_INT(policy->assigns[0].class_index, 0);
    CHECK_STR(policy->label_headers.items[0], "x-data-class");
    CHECK_INT(policy->uninspected_mask, 4);
    CHECK_INT(policy->rule_count, 4);
    CHECK_INT(policy->rules[0].states, GH_STATES_PROCESS | GH_STATES_STORE | GH_STATES_MAX_DAYS);
    CHECK_INT(policy->rules[0].max_days, 30);
    CHECK_INT(policy->rules[1].states, GH_STATES_PROCESS | GH_STATES_STORE_NOTHING);
    CHECK_INT(gh_places_count(policy->rules[1].process), 27);
    CHECK_INT(policy->rules[2].states,
        GH_STATES_PROCESS | GH_STATES_STORE_NOTHING | GH_STATES_PARTITIONS | GH_STATES_ATTEST);
    CHECK(gh_places_equal(policy->rules[2].process, of("SE NO DE")));
    CHECK_INT(policy->rules[2].class_mask, 4);
    CHECK_INT(policy->rules[3].kind, GH_RULE_FORBID);
    CHECK_INT(policy->rules[3].states, GH_STATES_PROCESS);
    CHECK_INT(model->organisations[0].tenants[0].policy, 0);
    CHECK_STR(model->organisations[0].tenants[1].apps[0].path, "nordbank/web-bot/site");
}

static void
test_base(void)
{
    files_t     files;
    gh_heap_t   heap;
    gh_report_t report;
    gh_model_t *model;

    gather(&files, "base");
    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    if (CHECK(gh_documents_load(&heap.arena, files.sources, files.count, NOW_MS, &model, &report) == GH_OK)) {
        check_base_fleet(model);
        check_base_policy(model);
        CHECK_INT(model->source_count, 3);
        CHECK_STR(model->sources[0].path, "fleet.json");
        CHECK_STR(model->facts.items[0], "regions/2026-11-21");
    }
    gh_heap_free(&heap);
    free_files(&files);
}

/* ---- one target at a time ---- */

#define EVIDENCE "\"evidence\": {\"by\": \"b\", \"on\": \"2026-01-01\", \"source\": \"s\"%s}"

/* The resolved target of a deployment with these members and a model with this name and entry. */
static void
target_of(const char *members, const char *name, const char *entry, gh_model_target_t *target)
{
    gh_heap_t   heap;
    gh_report_t report;
    gh_model_t *model;
    char        text[4096];

    snprintf(text, sizeof(text),
        "{\"kind\": \"fleet/1\", \"nodes\": [{\"id\": \"n\", \"country\": \"DE\"}], \"models\": {\"%s\": {}}, "
        "\"deployments\": "
        "[{\"id\": \"d\", \"backend\": \"b\", \"dialect\": \"%s\", %s, \"models\": {\"%s\": {%s}}}]}",
        name, strstr(members, "inference_geo") != NULL ? "anthropic" : "openai", members, name, entry);
    memset(target, 0, sizeof(*target));
    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    if (CHECK(gh_documents_load(&heap.arena, &(gh_document_source_t) { GH_STR("f.json"), gh_str_from(text) }, 1,
                  NOW_MS, &model, &report)
              == GH_OK)) {
        *target = model->targets[0];
        target->features = NULL;
    } else if (report.count) {
        fprintf(stderr, "    %s\n    %s\n", report.items[0].error.text, text);
    }
    gh_heap_free(&heap);
}

static void
process_is(const char *members, const char *entry, const char *name, gh_places_t expected, int line)
{
    gh_model_target_t target;

    target_of(members, name, entry, &target);
    check_one(gh_places_equal(target.process, expected), __FILE__, line, members);
}

#define PROCESS(members, entry, expected) process_is(members, entry, "m", expected, __LINE__)
#define AZURE(region, sku) "\"provider\": \"azure\", \"region\": \"" region "\", \"sku\": \"" sku "\""
#define AWS(region)        "\"provider\": \"aws\", \"region\": \"" region "\""
#define PROVEN             "\"evidence\": {\"by\": \"b\", \"on\": \"2026-01-01\", \"source\": \"s\"}"

static void
test_process(void)
{
    gh_places_t unknown = gh_places_unknown(), anywhere = gh_places_anywhere(), both = of("DE SE");

    PROCESS(AZURE("northeurope", "Standard"), "", of("IE"));
    PROCESS(AZURE("westeurope", "ProvisionedManaged"), "", of("NL"));
    PROCESS(AZURE("uksouth", "Standard"), "", of("GB"));
    PROCESS(AZURE("eastus2", "DataZoneStandard"), "", of("US"));
    PROCESS(AZURE("westeurope", "GlobalStandard"), "", anywhere);
    PROCESS(AZURE("westeurope", "GlobalStandard") ", \"process\": [\"DE\"], " PROVEN, "", anywhere);
    PROCESS(AZURE("westeurope", "GlobalStandard") ", \"process\": [\"DE\"]", "", unknown);
    PROCESS(AZURE("swedencentral", "Standard") ", \"process\": [\"DE\"], " PROVEN, "", both);
    PROCESS(AZURE("swedencentral", "Standard") ", \"process\": [\"DE\"]", "", unknown);
    PROCESS(AZURE("swedencentral", "Standard") ", \"process\": [], " PROVEN, "", unknown);
    PROCESS(AZURE("mars", "GlobalStandard"), "", unknown);
    PROCESS(AZURE("swedencentral", "Standard"), "\"sku\": \"GlobalBatch\"", anywhere);
    PROCESS(AZURE("swedencentral", "Standard"), "\"process\": [\"DE\"], " PROVEN, both);
    PROCESS(AZURE("swedencentral", "Standard") ", " PROVEN, "\"process\": [\"DE\"]", unknown);
    process_is(AZURE("swedencentral", "Standard"), "", "claude-x", unknown, __LINE__);
    process_is(
        AZURE("swedencentral", "Standard") ", \"process\": [\"US\"], " PROVEN, "", "claude-x", of("SE US"), __LINE__);
    PROCESS(AZURE("swedencentral", "Standard") ", \"seller\": \"anthropic\"", "", unknown);

    PROCESS(AWS("eu-west-2"), "\"upstream\": \"openai.gpt-oss\"", of("GB"));
    PROCESS(AWS("eu-central-1"), "\"upstream\": \"global.openai.gpt-oss\"", anywhere);
    PROCESS(AWS("eu-central-1") ", \"profile\": \"global.\"", "\"upstream\": \"openai.gpt-oss\"", anywhere);
    PROCESS(AWS("eu-central-1"), "\"upstream\": \"eu.openai.gpt-oss\"", unknown);
    PROCESS(AWS("eu-central-1"), "\"upstream\": \"eu.openai.gpt-oss\", \"destinations\": [\"eu-north-1\"], " PROVEN,
        both);
    PROCESS(AWS("eu-central-1") ", \"profile\": \"eu.\", \"destinations\": [\"eu-north-1\"], " PROVEN,
        "\"upstream\": \"openai.gpt-oss\"", both);
    PROCESS(AWS("eu-central-1") ", \"destinations\": [\"eu-north-1\", \"eu-west-9\"], " PROVEN,
        "\"upstream\": \"eu.openai.gpt-oss\"", unknown);
    PROCESS(AWS("eu-central-1") ", \"destinations\": [\"eu-north-1\"], " PROVEN,
        "\"upstream\": \"arn:aws:bedrock:eu-central-1:1:x/y\"", unknown);
    PROCESS(AWS("eu-central-1") ", \"process\": [\"SE\"], " PROVEN, "\"upstream\": \"own-import\"", unknown);

    PROCESS("\"provider\": \"self\", \"country\": \"SE\"", "", unknown);
    PROCESS("\"provider\": \"self\", \"country\": \"SE\", " PROVEN, "", of("SE"));
    PROCESS("\"provider\": \"self\", \"country\": \"SE\", \"process\": [\"DE\"], " PROVEN, "", both);
    PROCESS("\"provider\": \"self\"", "", unknown);
    PROCESS("\"provider\": \"openai\", \"host\": \"us.api.openai.com\"", "", of("US"));
    PROCESS("\"provider\": \"openai\", \"host\": \"api.openai.com\"", "", unknown);
    PROCESS("\"provider\": \"openai\", \"process\": [\"DE\", \"SE\"], " PROVEN, "", both);
    PROCESS("\"provider\": \"other\", \"process\": [\"DE\", \"SE\"], " PROVEN, "", both);
    PROCESS("\"provider\": \"anthropic\"", "", anywhere);
    PROCESS("\"provider\": \"anthropic\", \"inference_geo\": \"us\"", "", of("US"));
    PROCESS("\"provider\": \"anthropic\", \"inference_geo\": \"global\"", "", anywhere);
    PROCESS("\"provider\": \"anthropic\", \"inference_geo\": \"global\"", "\"inference_geo\": \"us\"", of("US"));
    PROCESS("\"provider\": \"anthropic\", \"inference_geo\": \"us\", \"process\": [\"SE\"], " PROVEN, "", of("US SE"));
}

static void
test_evidence(void)
{
    const char *self = "\"provider\": \"self\", \"country\": \"SE\", \"store\": \"nothing\", \"training\": true, "
                       "\"operator_home\": [\"EU\"], \"attest\": [\"c5\"]";
    const uint64_t    first_2027 = 1798761600000ull;
    char              members[2048];
    gh_model_target_t target;

    target_of(self, "m", "", &target);
    CHECK(gh_places_has_unknown(target.process) && gh_places_has_unknown(target.store.places) && !target.store.nothing
          && !target.store.days_known);
    CHECK(gh_places_has_unknown(target.operator_home) && target.attest_mask == 0
          && target.training == GH_TRAINING_UNKNOWN);

    snprintf(members, sizeof(members), "%s, " EVIDENCE, self, ", \"until\": \"2026-12-31\"");
    target_of(members, "m", "", &target);
    CHECK(gh_places_equal(target.process, of("SE")) && target.store.nothing && target.attest_mask == 1
          && target.training == GH_TRAINING_YES);
    CHECK_INT(gh_places_count(target.operator_home), 27);
    CHECK_INT(target.process_until_ms, first_2027);
    CHECK_INT(target.store_until_ms, first_2027);
    CHECK_INT(target.operator_home_until_ms, first_2027);
    CHECK_INT(target.attest_until_ms, first_2027);
    CHECK_INT(target.training_until_ms, first_2027);

    target_of(members, "m", "\"store\": {\"in\": [\"SE\"], \"days\": 0}", &target);
    CHECK(gh_places_has_unknown(target.store.places) && target.store_until_ms == 0 && !target.store.nothing);

    target_of(members, "m", "\"store\": {\"in\": [\"SE\"], \"days\": 0}, " PROVEN, &target);
    CHECK(gh_places_equal(target.store.places, of("SE")) && target.store_until_ms == 0);
    CHECK(target.store.days_known && target.store.days == 0 && !target.store.nothing);

    target_of(members, "m", "\"store\": {\"in\": []}, " PROVEN, &target);
    CHECK(gh_places_has_unknown(target.store.places));
}

/* Taking evidence away never makes a fact known: what stands for one fact stands in for no other. */
static void
test_evidence_stands_for_its_fact(void)
{
    static const char *const self = "\"provider\": \"self\", \"country\": \"SE\", \"evidence\": {%s}";
    static const char *const bedrock = "\"provider\": \"aws\", \"region\": \"eu-central-1\", "
                                       "\"destinations\": [\"eu-north-1\"], \"evidence\": {%s}";
#define FOR(fact, more) "\"" fact "\": {\"by\": \"b\", \"on\": \"2026-01-01\", \"source\": \"s\"" more "}"
    const struct { const char *members, *evidence; const char *process; uint64_t until_ms; } cases[] = {
        { self, FOR("country", ""), "SE", 0 },
        { self, FOR("country", ", \"until\": \"2026-12-31\"") ", " FOR("process", ""), "SE", 1798761600000ull },
        { self, FOR("process", ""), NULL, 0 },
        { self, FOR("destinations", ""), NULL, 0 },
        { bedrock, FOR("destinations", ""), "DE SE", 0 },
        { bedrock, FOR("process", ""), NULL, 0 },
        { bedrock, FOR("country", "") ", " FOR("process", ""), NULL, 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_model_target_t target;
        char              members[1024];

        snprintf(members, sizeof(members), cases[i].members, cases[i].evidence);
        target_of(members, "m", cases[i].members == self ? "" : "\"upstream\": \"eu.openai.gpt-oss\"", &target);
        check_one(gh_places_equal(target.process, cases[i].process ? of(cases[i].process) : gh_places_unknown()), __FILE__,
            __LINE__, members);
        CHECK_INT(target.process_until_ms, cases[i].until_ms);
    }
#undef FOR
}

static void
test_bedrock_models(void)
{
#define AT(endpoint) (1u << GH_ENDPOINT_##endpoint)
    static const struct { const char *id; gh_bedrock_model_t model; uint32_t endpoints; } cases[] = {
        { "anthropic.claude-x-v1:0", GH_BEDROCK_ANTHROPIC, AT(CONVERSE) | AT(INVOKE) | AT(BEDROCK_COUNT) },
        { "eu.anthropic.claude-x-v1:0", GH_BEDROCK_ANTHROPIC, AT(CONVERSE) | AT(INVOKE) | AT(BEDROCK_COUNT) },
        { "us-gov.anthropic.claude-x", GH_BEDROCK_ANTHROPIC, AT(CONVERSE) | AT(INVOKE) | AT(BEDROCK_COUNT) },
        { "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-x", GH_BEDROCK_ANTHROPIC, AT(CONVERSE) | AT(INVOKE) | AT(BEDROCK_COUNT) },
        { "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-x", GH_BEDROCK_ANTHROPIC, AT(CONVERSE) | AT(INVOKE) | AT(BEDROCK_COUNT) },
        { "arn:aws:bedrock:eu-central-1:1:application-inference-profile/abc", GH_BEDROCK_UNNAMED, AT(CONVERSE) | AT(INVOKE) | AT(BEDROCK_COUNT) },
        { "amazon.nova-2-lite-v1:0", GH_BEDROCK_NOVA, AT(CONVERSE) },
        { "eu.amazon.nova-2-lite-v1:0", GH_BEDROCK_NOVA, AT(CONVERSE) },
        { "amazon.nova-lite-v1:0", GH_BEDROCK_OTHER, AT(CONVERSE) },
        { "openai.gpt-oss-120b-1:0", GH_BEDROCK_GPT_OSS, AT(CONVERSE) },
        { "us.openai.gpt-5", GH_BEDROCK_OTHER, AT(CONVERSE) },
        { "x.y.anthropic.claude", GH_BEDROCK_OTHER, AT(CONVERSE) },
        { "notanthropic.claude", GH_BEDROCK_OTHER, AT(CONVERSE) },
        { "claude", GH_BEDROCK_OTHER, AT(CONVERSE) },
        { "", GH_BEDROCK_OTHER, AT(CONVERSE) },
        { "amazon.titan-embed-text-v1", GH_BEDROCK_TITAN_V1, AT(EMBEDDINGS) },
        { "amazon.titan-embed-text-v2:0", GH_BEDROCK_TITAN_V2, AT(EMBEDDINGS) },
        { "cohere.embed-multilingual-v3", GH_BEDROCK_COHERE_V3, AT(EMBEDDINGS) },
        { "eu.cohere.embed-v4:0", GH_BEDROCK_COHERE_V4, AT(EMBEDDINGS) },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(gh_bedrock_model(gh_str_from(cases[i].id)), cases[i].model);
        CHECK_INT(gh_bedrock_endpoints(gh_str_from(cases[i].id), AT(CONVERSE) | AT(INVOKE) | AT(BEDROCK_COUNT) | AT(EMBEDDINGS)), cases[i].endpoints);
        CHECK_INT(gh_bedrock_endpoints(gh_str_from(cases[i].id), 0), 0);
    }
#undef AT
}

/* A deployment may list exactly the endpoints for which the wire can make a request in its dialect. */
static void
test_dialect_endpoints(void)
{
    for (int dialect = 0; dialect < GH_DIALECTS; dialect++) {
        for (int endpoint = 0; endpoint < GH_ENDPOINTS; endpoint++) {
            gh_target_t       target = { .dialect = (gh_dialect_t) dialect, .upstream_model = GH_STR("m"),
                                         .api_version = GH_STR("2025-01-01") };
            gh_intake_t       intake = { .endpoint = (gh_endpoint_t) endpoint, .model = GH_STR("m"),
                                         .model_value = { 10, 3 } };
            gh_wire_request_t request;
            gh_heap_t         heap;
            gh_report_t       report;
            gh_model_t       *model;
            gh_error_t        error;
            char              text[1024];
            int               made, loaded;

            snprintf(text, sizeof(text),
                "{\"kind\": \"fleet/1\", \"models\": {\"m\": {}}, \"deployments\": [{\"id\": \"d\", \"backend\": \"b\", "
                "\"provider\": \"other\", \"dialect\": \"%s\", %s\"endpoints\": [\"%s\"], \"models\": {\"m\": {}}}]}",
                gh_dialect_names[dialect], dialect == GH_DIALECT_AZURE_CLASSIC ? "\"api_version\": \"2025-01-01\", " : "",
                gh_endpoint_names[endpoint]);
            gh_heap_init(&heap);
            gh_report_init(&report, &heap.arena);
            made = gh_dialect_request(&heap.arena, &target, &intake, GH_STR(""), false, 0, &request, &error);
            loaded = gh_documents_load(&heap.arena, &(gh_document_source_t) { GH_STR("f.json"), gh_str_from(text) }, 1, NOW_MS,
                &model, &report);
            check_one(made == loaded, __FILE__, __LINE__, text);
            gh_heap_free(&heap);
        }
    }
}

/* ---- tenants ---- */

static void
test_narrowing(void)
{
    const char *residency = "{\"kind\": \"residency/1\", \"name\": \"p\", \"applies_to\": \"o\", \"facts\": "
                            "\"regions/2026-11-21\", \"places\": "
                            "{\"mine\": [\"DE\", \"SE\", \"FR\"]}, \"classes\": [\"a\", \"b\", \"c\"], \"classify\": "
                            "{\"default\": \"a\"}}";
    const char *tenants = "{\"kind\": \"tenants/1\", \"organisations\": [{\"id\": \"o\", \"classes\": [\"a\"], "
                          "\"places\": [\"mine\"], \"audit\": \"required\", \"objective\": \"latency\", "
                          "\"tenants\": [{\"id\": \"t\", \"classes\": [\"b\"], \"apps\": [{\"id\": \"x\", "
                          "\"places\": [\"SE\"], \"classes\": [\"c\"]}, "
                          "{\"id\": \"y\", \"objective\": {\"cost\": 0.7, \"latency\": 0.3}}, "
                          "{\"id\": \"z\", \"objective\": {\"latency\": 5e-1, \"cost\": 1}}]}]}]}";
    gh_document_source_t sources[]
        = { { GH_STR("r.json"), gh_str_from(residency) }, { GH_STR("t.json"), gh_str_from(tenants) } };
    gh_heap_t                heap;
    gh_report_t              report;
    gh_model_t              *model;
    const gh_model_tenant_t *tenant;

    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    if (CHECK(gh_documents_load(&heap.arena, sources, 2, NOW_MS, &model, &report) == GH_OK)) {
        tenant = &model->organisations[0].tenants[0];
        CHECK(tenant->narrowed && gh_places_equal(tenant->places, of("DE SE FR")));
        CHECK_INT(tenant->class_mask, 3);
        CHECK_INT(tenant->audit, 0);
        CHECK_INT(tenant->latency_weight, 1000);
        CHECK(tenant->apps[0].narrowed && gh_places_equal(tenant->apps[0].places, of("SE")));
        CHECK_INT(tenant->apps[0].class_mask, 4);
        CHECK(tenant->apps[1].narrowed && gh_places_equal(tenant->apps[1].places, of("DE SE FR")));
        CHECK_INT(tenant->apps[1].class_mask, 0);
        CHECK(tenant->apps[0].latency_weight == 1000 && tenant->apps[1].latency_weight == 300 && tenant->apps[2].latency_weight == 333);
        CHECK_STR(model->policies[0].places[0].name, "mine");
    }
    gh_heap_free(&heap);
}

/* ---- limits, memory ---- */

static void
too_many(const char *what, unsigned count, unsigned limit)
{
    size_t      size = 400 + (size_t) count * 160, len = 0;
    char       *text = malloc(size), expected[64];
    int         models = strcmp(what, "models") == 0, found = 0;
    gh_heap_t   heap;
    gh_report_t report;
    gh_model_t *model;

    len += (size_t) snprintf(text + len, size - len, "{\"kind\": \"fleet/1\", \"models\": {");
    for (unsigned i = 0; i < (models ? count : 1); i++) {
        len += (size_t) snprintf(text + len, size - len, "%s\"m%u\": {}", i ? ", " : "", i);
    }
    len += (size_t) snprintf(text + len, size - len, "}, \"deployments\": [");
    for (unsigned i = 0; i < (models ? 1 : count); i++) {
        len += (size_t) snprintf(text + len, size - len,
            "%s{\"id\": \"d%u\", \"backend\": \"b\", \"provider\": \"self\", \"dialect\": \"openai\", \"models\": "
            "{\"m0\": {}}}",
            i ? ", " : "", i);
    }
    len += (size_t) snprintf(text + len, size - len, "]}");
    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    CHECK(gh_documents_load(
              &heap.arena, &(gh_document_source_t) { GH_STR("f.json"), { text, len } }, 1, NOW_MS, &model, &report)
          == (count > limit ? GH_ERROR : GH_OK));
    snprintf(expected, sizeof(expected), "%u %s: at most %u", count, what, limit);
    for (size_t i = 0; i < report.count; i++) {
        found += strcmp(report.items[i].error.text, expected) == 0;
    }
    CHECK_INT(found, count > limit);
    gh_heap_free(&heap);
    free(text);
}

static void
test_memory(void)
{
    files_t     files;
    gh_heap_t   heap;
    gh_report_t report;
    gh_model_t *model;
    size_t      limit = 0;
    int         status;

    gather(&files, "base");
    do {
        gh_heap_init(&heap);
        heap.limit = limit;
        gh_report_init(&report, &heap.arena);
        status = gh_documents_load(&heap.arena, files.sources, files.count, NOW_MS, &model, &report);
        if (status != GH_OK && !(model == NULL && (report.no_memory || report.errors))) {
            CHECK(!"an error without a reason");
        }
        gh_heap_free(&heap);
        limit += limit < 200 ? 1 : 61;
    } while (status != GH_OK && limit < 1000000);
    CHECK_INT(status, GH_OK);
    free_files(&files);
}

int
main(void)
{
    gh_heap_t   heap;
    gh_report_t report;
    gh_model_t *model;

    test_folders();
    test_base();
    test_process();
    test_evidence();
    test_evidence_stands_for_its_fact();
    test_dialect_endpoints();
    test_bedrock_models();
    test_narrowing();
    too_many("deployments", 1024, 1024);
    too_many("deployments", 1025, 1024);
    too_many("models", 4096, 4096);
    too_many("models", 4097, 4096);
    test_memory();

    gh_heap_init(&heap);
    gh_report_init(&report, &heap.arena);
    CHECK(gh_documents_load(&heap.arena, NULL, 0, NOW_MS, &model, &report) == GH_ERROR && report.errors == 1);
    gh_heap_free(&heap);
    return check_done("documents");
}
