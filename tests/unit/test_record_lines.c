/* The lines of the record: keys, order, bitmaps, what is cut and abridged. */
#include <stdlib.h>

#include "policy/audit/record.h"
#include "policy/base/json_tree.h"
#include "policy/store/image_format.h"
#include "tests/unit/check.h"

static gh_heap_t heap;

static bool
contains(gh_str_t text, const char *part)
{
    size_t len = strlen(part), i;

    for (i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

enum { DEPLOYMENTS = 1000 };

static struct {
    char                  strings[64 * 1024];
    uint32_t              used;
    gh_image_t            image;
    gh_image_header_t     header;
    gh_image_deployment_t deployments[DEPLOYMENTS];
    gh_image_target_t     targets[DEPLOYMENTS];
    gh_image_model_t      model;
    gh_rule_t             rules[3];
    gh_image_policy_t     policy;
    gh_image_profile_t    profile;
    gh_image_app_t        app;
    gh_ref_t              label;
    gh_image_memo_t       memos[DEPLOYMENTS];
} world;

static gh_ref_t
world_string(const char *text)
{
    gh_ref_t ref = { world.used, (uint32_t) strlen(text) };

    memcpy(world.strings + world.used, text, ref.length);
    world.used += ref.length;
    return ref;
}

static void
world_rule(unsigned i, const char *id)
{
    gh_ref_t ref = world_string(id);

    world.rules[i].id_offset = ref.offset;
    world.rules[i].id_len = ref.length;
}

static void
world_make(unsigned deployments)
{
    gh_image_t *image = &world.image;
    char        name[32];
    unsigned    i;

    for (i = 0; i < world.image.count[GH_SECTION_TARGET]; i++) {
        free(world.memos[i].text);
    }
    memset(&world, 0, sizeof(world));
    image->references = 1;
    image->memos = world.memos;
    image->strings = world.strings;
    image->header = &world.header;
    image->deployments = world.deployments;
    image->targets = world.targets;
    image->models = &world.model;
    image->rules = world.rules;
    image->policies = &world.policy;
    image->profiles = &world.profile;
    image->apps = &world.app;
    image->labels = &world.label;
    image->count[GH_SECTION_TARGET] = image->count[GH_SECTION_DEPLOYMENT] = deployments;
    image->count[GH_SECTION_RULE] = 3;
    image->count[GH_SECTION_APP] = image->count[GH_SECTION_PROFILE] = image->count[GH_SECTION_POLICY] = 1;
    image->count[GH_SECTION_LABEL] = image->count[GH_SECTION_MODEL] = 1;
    world.header.revision = 7;
    memset(world.header.policy_digest, 0xab, 32);
    memset(world.header.facts_digest, 0xcd, 32);
    world.model.name = world_string("gpt-4.1");
    world.label = world_string("x-data-class");
    world.policy.labels = (gh_range_t) { 0, 1 };
    world.app.path = world_string("nordbank/retail/chat");
    world_rule(0, "personal-stays-in-eu");
    world_rule(1, "countries-of-concern");
    world_rule(2, "secret-own-gpus");

    for (i = 0; i < deployments; i++) {
        snprintf(name, sizeof(name), "deployment-%u", i);
        world.deployments[i].id = world_string(name);
        snprintf(name, sizeof(name), "backend-%u", i);
        world.deployments[i].backend = world_string(name);
        world.targets[i].deployment = i;
        world.targets[i].partition = -1;
        world.targets[i].upstream = world_string("gpt41-prod");
        gh_places_add(&world.targets[i].process, gh_country_index(GH_STR("SE")));
        gh_places_add(&world.targets[i].process, gh_country_index(GH_STR("DE")));
        world.targets[i].store_nothing = i % 2 == 0;
        world.targets[i].store = i % 2 == 0 ? gh_places_none() : gh_places_anywhere();
        world.targets[i].store_days_known = 1;
        world.targets[i].store_days = i % 2 == 0 ? 0 : 30;
    }
}

static bool
header(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    (void) context;
    if (gh_str_eq_nocase(name, GH_STR("X-Data-Class")) && index < 2) {
        *value = index == 0 ? GH_STR("personal") : GH_STR("a\nb\xff");
        return true;
    }
    if (gh_str_eq_nocase(name, GH_STR("x-gatehouse-places")) && index == 0) {
        *value = GH_STR("EU, CH");
        return true;
    }
    return false;
}

static gh_node_t *
parse(const gh_json_writer_t *w)
{
    gh_node_t *root = NULL;
    gh_error_t error;

    CHECK(gh_json_writer_ok(w));
    if (!CHECK(gh_json_parse(&heap.arena, (gh_str_t) { w->data, w->len }, "line", &root, &error) == GH_OK)) {
        fprintf(stderr, "    %s: %.*s\n", error.text, (int) w->len, w->data);
        abort();
    }
    CHECK(memchr(w->data, '\n', w->len) == NULL);
    return root;
}

static gh_str_t
text_of(const gh_node_t *object, const char *key)
{
    const gh_node_t *node = gh_node_get(object, key);

    return node != NULL ? node->text : GH_STR("(absent)");
}

static gh_identity_t       identity;
static gh_intake_t         intake;
static gh_decide_input_t   input;
static gh_decision_t       decision;
static gh_class_source_t   classes[2];
static gh_target_verdict_t verdicts[DEPLOYMENTS];
static int32_t             allows[DEPLOYMENTS][GH_CLASSES_MAX];   /* that fit */
static uint32_t            route[DEPLOYMENTS];
static gh_record_request_t request;
static char                buffer[GH_RECORD_LINE_MAX];

static void
request_make(unsigned deployments)
{
    unsigned i;

    world_make(deployments);
    identity = (gh_identity_t) {
        .org = GH_STR("nordbank"), .tenant = GH_STR("retail"), .app = GH_STR("chat"), .key = GH_STR("k1"),
        .path = GH_STR("nordbank/retail/chat")
    };
    memset(&intake, 0, sizeof(intake));
    intake.model = GH_STR("gpt-4.1-2025-04-14");
    intake.stream = true;
    intake.service_tier = GH_STR("flex");
    intake.body_bytes = 321;
    intake.feature_count = 2;
    intake.features[0] = (gh_feature_use_t) { GH_STR("web_search"), GH_STR("tools[2].type") };
    intake.features[1] = (gh_feature_use_t) { GH_STR(""), GH_STR("frob") };
    input = (gh_decide_input_t) { .identity = &identity, .intake = &intake, .node = GH_STR("fra-1"), .now_ms = 1000, .header = header };
    classes[0] = (gh_class_source_t) { GH_STR("personal"), GH_STR("default") };
    classes[1] = (gh_class_source_t) { GH_STR("secret"), GH_STR("label") };
    memset(verdicts, 0, sizeof(verdicts));
    for (i = 0; i < deployments; i++) {
        verdicts[i].target = i;
        verdicts[i].rule = -1;
        verdicts[i].fits = memset(allows[i], 0xff, sizeof(allows[i]));
    }
    decision = (gh_decision_t) {
        .code = GH_DECIDED_ALLOW, .revision = 7, .clock_ms = 1000, .model = GH_STR("gpt-4.1"), .classes = classes, .class_count = 2,
        .targets = verdicts, .target_count = deployments, .route = route, .policy = GH_STR("nordbank"),
        .narrowing = GH_STR("EU, CH")
    };
    request = (gh_record_request_t) {
        .id = GH_STR("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), .now_ms = 1001, .node = GH_STR("fra-1"),
        .node_country = GH_STR("DE"), .image = &world.image, .input = &input, .decision = &decision
    };
}

static void
test_decision(void)
{
    static const char *const keys[] = {
        "v", "type", "t", "id", "verdict", "org", "tenant", "app", "key", "endpoint", "dialect", "model", "model_sent", "stream",
        "service_tier", "bytes",
        "classes", "labels", "features", "narrowing", "revision", "policy", "facts", "node_country", "residency",
        "route", "no", "verdicts", "deployments", "node", "clock"
    };
    gh_json_writer_t w;
    gh_node_t       *root;
    const gh_node_t *node;
    size_t           i;

    request_make(10);
    for (i = 0; i < 10; i++) {
        verdicts[i].code = i == 1 || i == 9 ? GH_TARGET_ELIGIBLE : i < 4 ? GH_TARGET_FORBIDDEN
            : i < 7 ? GH_TARGET_NO_ALLOW : (gh_target_verdict_code_t) (GH_TARGET_NOT_SERVED + i - 7);
        verdicts[i].rule = i == 1 || i == 9 ? -1 : i < 4 ? 1 : i < 6 ? 0 : -1;
    }
    verdicts[3].code = GH_TARGET_NARROWED;
    verdicts[3].rule = -1;
    verdicts[1].fits[0] = verdicts[9].fits[0] = 0;
    verdicts[1].fits[1] = 2;
    verdicts[4].misses = GH_MISS_PROCESS | GH_MISS_STORE_DAYS;
    verdicts[4].class_index = 1;
    verdicts[4].places = gh_places_anywhere();
    verdicts[5].places = gh_places_unknown();
    verdicts[5].feature = GH_STR("frob");
    verdicts[0].places = gh_places_minus(gh_places_anywhere(), world.targets[0].process);
    route[0] = 9;
    route[1] = 1;
    decision.route_count = 2;

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_decision(&w, &request);
    root = parse(&w);

    for (node = root->first, i = 0; node != NULL && i < sizeof(keys) / sizeof(keys[0]); node = node->next, i++) {
        CHECK_STR(node->key, keys[i]);
    }
    CHECK(node == NULL && i == sizeof(keys) / sizeof(keys[0]));
    CHECK(!contains((gh_str_t) { w.data, w.len }, ":null"));

    CHECK_STR(text_of(root, "type"), "decision");
    CHECK_STR(text_of(root, "t"), "1001");
    CHECK_STR(text_of(root, "clock"), "1000");
    CHECK_STR(text_of(root, "model"), "gpt-4.1");
    CHECK_STR(text_of(root, "model_sent"), "gpt-4.1-2025-04-14");
    CHECK_STR(text_of(root, "endpoint"), "chat.completions");
    CHECK_STR(text_of(root, "service_tier"), "flex");
    CHECK_STR(text_of(root, "policy"), "abababababababababababababababababababababababababababababababab");
    CHECK_STR(text_of(root, "verdict"), "allow");
    CHECK_STR(text_of(root, "residency"), "nordbank");
    CHECK_STR(text_of(gh_node_get(root, "classes")->first->next, "from"), "label");
    CHECK_STR(text_of(gh_node_get(root, "labels")->first, "header"), "x-data-class");
    CHECK_STR(text_of(gh_node_get(root, "labels")->first->next, "value"), "a\nb\xef\xbf\xbd");
    CHECK_STR(text_of(gh_node_get(root, "features")->first->next, "where"), "frob");
    CHECK_STR(gh_node_get(root, "narrowing")->first->text, "EU, CH");

    node = gh_node_get(root, "route")->first;
    CHECK_STR(text_of(node, "deployment"), "deployment-9");
    CHECK_STR(text_of(node, "store_days"), "30");
    CHECK_STR(gh_node_get(node, "store")->first->text, "ANYWHERE");
    CHECK(gh_node_get(node, "process")->count == 2);
    CHECK_STR(gh_node_get(node, "process")->first->text, "DE");
    CHECK(gh_node_get(node, "rules")->count == 1);
    CHECK_STR(gh_node_get(node->next, "rules")->first->next->text, "secret-own-gpus");

    node = gh_node_get(root, "no");
    CHECK_INT(node->count, 6);
    CHECK_STR(text_of(node, "countries-of-concern"), "0500");
    CHECK_STR(text_of(node, "personal-stays-in-eu"), "3000");
    CHECK_STR(text_of(node, "(no_allow)"), "4000");
    CHECK_STR(text_of(node, "(not_served)"), "8000");
    CHECK_STR(text_of(node, "(endpoint)"), "0001");
    CHECK_STR(text_of(node, "(narrowed)"), "0800");

    node = gh_node_get(root, "verdicts");
    CHECK_INT(node->count, 8);
    CHECK_INT(gh_node_get(node->first, "places")->count, 16);
    CHECK_STR(text_of(node->first, "places_more"), "231");
    node = node->first->next->next->next;
    CHECK_STR(text_of(node, "deployment"), "deployment-4");
    CHECK_STR(text_of(node, "verdict"), "no_allow");
    CHECK_STR(text_of(node, "class"), "secret");
    CHECK_STR(gh_node_get(node, "misses")->first->next->text, "store_days");
    CHECK_STR(gh_node_get(node, "places")->first->text, "ANYWHERE");
    CHECK_STR(gh_node_get(node->next, "places")->first->text, "?");
    CHECK_STR(text_of(node->next, "feature"), "frob");
    CHECK_INT(gh_node_get(root, "deployments")->count, 10);
}

static void
test_denial(void)
{
    static char      longer[40000];
    gh_json_writer_t w;
    gh_node_t       *root;

    request_make(2);
    memset(longer, 'm', sizeof(longer));
    intake.model = (gh_str_t) { longer, sizeof(longer) };
    decision = (gh_decision_t) { .code = GH_DENIED_MODEL_UNKNOWN, .revision = 7, .detail = { longer, sizeof(longer) } };
    input.header = NULL;
    decision.clock_ms = 5000;
    intake.uninspected = true;
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_decision(&w, &request);
    root = parse(&w);
    CHECK_STR(text_of(root, "verdict"), "deny");
    CHECK_STR(text_of(root, "code"), "model_not_found");
    CHECK_INT(text_of(root, "model").len, 512);
    CHECK_STR(text_of(root, "model_bytes"), "40000");
    CHECK(gh_node_get(root, "route") == NULL && gh_node_get(root, "no") == NULL && gh_node_get(root, "rule") == NULL);
    CHECK(gh_node_get(root, "labels") == NULL && gh_node_get(root, "narrowing") == NULL);
    CHECK_STR(text_of(root, "clock"), "5000");   /* policy time never runs backwards */
    CHECK(gh_node_get(root, "uninspected") != NULL);
}

/* Hundreds of deployments: abridged step by step, always under the limit, the bitmaps always whole. */
static void
make_again(char *text, size_t size, const char *country)
{
    gh_json_writer_t w;

    request.node_country = gh_str_from(country);
    gh_json_writer_init(&w, text, size - 1);
    gh_record_decision(&w, &request);
    CHECK(gh_json_writer_ok(&w));
    text[w.len] = '\0';
}

/* What is kept of a deployment is the same the second time, and not another node's. */
static void
test_again(void)
{
    static char first[8192], again[8192];

    request_make(3);
    verdicts[0].fits[0] = verdicts[1].fits[0] = verdicts[2].fits[0] = 0;
    route[0] = 1;
    route[1] = 0;
    decision.route_count = 2;
    make_again(first, sizeof(first), "US");
    CHECK(strstr(first, "\"backend\":\"backend-1\",\"upstream_model\":\"gpt41-prod\",\"process\":[\"DE\",\"SE\",\"US\"],\"store\":[\"ANYWHERE\"],"
        "\"store_days\":30,\"rules\":[\"") != NULL);
    make_again(again, sizeof(again), "US");
    CHECK(strcmp(first, again) == 0);
    make_again(again, sizeof(again), "FR");
    CHECK(strstr(again, "\"process\":[\"DE\",\"FR\",\"SE\"]") != NULL && strstr(again, "US") == NULL);
    make_again(again, sizeof(again), "");
    CHECK(strstr(again, "\"process\":[\"DE\",\"SE\"]") != NULL);
    make_again(again, sizeof(again), "US");
    CHECK(strcmp(first, again) == 0);
}

static void
test_abridged(void)
{
    static const unsigned counts[] = { 1, 16, 17, 64, 200, 500, 1000 };
    char                  number[16];
    static const char    *long_name = "a-deployment-with-a-name-as-long-as-names-may-be-which-is-63-by";
    gh_json_writer_t      w;
    gh_node_t            *root;
    const gh_node_t      *level;
    size_t                i;
    unsigned              j, k;
    gh_ref_t              ref;

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (k = 0; k < 3; k++) {
            request_make(counts[i]);
            ref = world_string(long_name);
            decision.route_count = 0;
            for (j = 0; j < counts[i]; j++) {
                if (k == 2) {
                    world.deployments[j].id = ref;
                }
                if (k == 0 || j % 3 != 0) {
                    verdicts[j].fits[0] = 0;
                    route[decision.route_count++] = j;
                } else {
                    verdicts[j].code = GH_TARGET_FORBIDDEN;
                    verdicts[j].rule = 1;
                }
            }
            gh_json_writer_init(&w, buffer, sizeof(buffer));
            gh_record_decision(&w, &request);
            root = parse(&w);
            level = gh_node_get(root, "abridged");
            CHECK(w.len <= GH_RECORD_BODY_MAX);
            CHECK((level == NULL) == (gh_node_get(root, "yes") == NULL));
            CHECK((level == NULL) == (gh_node_get(root, "verdicts") != NULL));
            if (level == NULL) {
                CHECK_INT(gh_node_get(root, "route")->count, decision.route_count);
            } else {
                CHECK_INT(text_of(root, "yes").len, (counts[i] + 7) / 8 * 2);
                CHECK_INT(gh_node_get(root, "route")->count, 4);
                CHECK_INT(gh_node_get(root, "route_more")->count, decision.route_count - 4);
                CHECK(gh_str_is(gh_node_get(root, "route_more")->first->text, k == 0 ? "4" : "7"));
            }
            CHECK((level == NULL) == (counts[i] <= 16));
            if (level == NULL) {
                CHECK_INT(gh_node_get(root, "deployments")->count, counts[i]);
            } else {
                CHECK(gh_str_is(level->text, "2") && gh_node_get(root, "deployments") == NULL);
                snprintf(number, sizeof(number), "%u", counts[i]);
                CHECK_STR(text_of(root, "targets"), number);
                CHECK(w.len <= 4096 + 5 * counts[i]);                      /* positions and bits */
            }
            if (k != 0) {
                CHECK_INT(text_of(gh_node_get(root, "no"), "countries-of-concern").len, (counts[i] + 7) / 8 * 2);
            }
        }
    }

    /* a writer that is too small says so */
    gh_json_writer_init(&w, buffer, 300);
    gh_record_decision(&w, &request);
    CHECK(!gh_json_writer_ok(&w) && w.len <= 300);
}

static void
test_outcome(void)
{
    static const gh_str_t rules[] = { { "r1", 2 }, { "r2", 2 } };
    gh_record_attempt_t   attempts[2] = {
        { .deployment = GH_STR("d1"), .upstream_model = GH_STR("m1"), .revision = 7, .status = 503, .error = "status",
          .sent = 10, .received = 20, .connect_us = 5, .first_byte_us = 6, .total_us = 7 },
        { .deployment = GH_STR("d2"), .upstream_model = GH_STR("m2"), .revision = 8, .status = 200, .cached = true,
          .connect_us = -1, .first_byte_us = 1, .total_us = 2, .backend_request_id = GH_STR("req\"1"),
          .store_nothing = true, .rules = rules, .rule_count = 2 }
    };
    gh_record_outcome_t outcome = {
        .id = GH_STR("i"), .now_ms = 9, .status = 200, .end = "complete", .attempts = attempts, .attempt_count = 2,
        .usage = { .reported = true, .input = 1, .cached = 2, .cache_write = 3, .output = 4, .reasoning = 5 }, .usage_source = "reported",
        .bytes_out = 99
    };
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_outcome(&w, &outcome);
    parse(&w);
    CHECK_STR(((gh_str_t) { w.data, w.len }),
        "{\"v\":1,\"type\":\"outcome\",\"t\":9,\"id\":\"i\",\"status\":200,\"end\":\"complete\",\"attempts\":["
        "{\"deployment\":\"d1\",\"upstream_model\":\"m1\",\"revision\":7,\"status\":503,\"error\":\"status\",\"cached\":false,"
        "\"sent\":10,\"received\":20,\"connect_us\":5,\"first_byte_us\":6,\"total_us\":7},"
        "{\"deployment\":\"d2\",\"upstream_model\":\"m2\",\"revision\":8,\"status\":200,\"cached\":true,\"sent\":0,\"received\":0,"
        "\"first_byte_us\":1,\"total_us\":2,\"request_id\":\"req\\\"1\"}],"
        "\"usage\":{\"input\":1,\"cached\":2,\"cache_write\":3,\"output\":4,\"reasoning\":5,\"source\":\"reported\"},\"bytes_out\":99}");

    outcome.usage_source = NULL;
    outcome.code = "bad_gateway";
    outcome.end = "failed";
    outcome.attempt_count = 0;
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_outcome(&w, &outcome);
    CHECK_STR(((gh_str_t) { w.data, w.len }),
        "{\"v\":1,\"type\":\"outcome\",\"t\":9,\"id\":\"i\",\"status\":200,\"code\":\"bad_gateway\",\"end\":\"failed\","
        "\"attempts\":[],\"bytes_out\":99}");

    gh_places_add(&attempts[1].process, gh_country_index(GH_STR("SE")));
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_attempt(&w, GH_STR("i"), 9, 2, &attempts[1]);
    CHECK_STR(((gh_str_t) { w.data, w.len }),
        "{\"v\":1,\"type\":\"attempt\",\"t\":9,\"id\":\"i\",\"number\":2,\"deployment\":\"d2\",\"upstream_model\":\"m2\","
        "\"revision\":8,\"process\":[\"SE\"],\"store\":\"nothing\",\"rules\":[\"r1\",\"r2\"]}");
}

static void
seven(gh_json_writer_t *line, const void *context)
{
    gh_json_kv_u64(line, context, 7);
}

/* What limits say stands in the lines, and a request that they refuse is a denial with what policy said beside it. */
static void
test_limited(void)
{
    const gh_identity_t identity = { .org = GH_STR("o"), .tenant = GH_STR("t"), .app = GH_STR("a"), .key = GH_STR("k") };
    gh_record_undecided_t limited = {
        .id = GH_STR("i"), .now_ms = 9, .node = GH_STR("n"), .identity = &identity, .endpoint = GH_ENDPOINT_EMBEDDINGS,
        .code = "rate_limit_exceeded", .more = { seven, "limit" }
    };
    gh_record_attempt_t attempt = {
        .deployment = GH_STR("d"), .upstream_model = GH_STR("m"), .connect_us = -1, .first_byte_us = -1, .total_us = -1,
        .store_nothing = true, .reserve = { seven, "reserve" }, .charged = { seven, "charged" }
    };
    gh_record_outcome_t outcome = {
        .id = GH_STR("i"), .end = "cut", .attempts = &attempt, .attempt_count = 1, .usage = { .input = 1 }, .usage_source = "counted",
        .more = { seven, "charged" }
    };
    gh_json_writer_t w;
    gh_node_t       *root;

    request_make(3);
    request.limited = "insufficient_quota";
    request.more = (gh_record_members_t) { seven, "limit" };
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_decision(&w, &request);
    root = parse(&w);
    CHECK_STR(text_of(root, "verdict"), "deny");
    CHECK_STR(text_of(root, "code"), "insufficient_quota");
    CHECK_STR(text_of(root, "limit"), "7");
    CHECK_STR(text_of(root, "residency"), "nordbank");

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_undecided(&w, &limited);
    CHECK_STR(((gh_str_t) { w.data, w.len }),
        "{\"v\":1,\"type\":\"decision\",\"t\":9,\"id\":\"i\",\"verdict\":\"deny\",\"org\":\"o\",\"tenant\":\"t\",\"app\":\"a\",\"key\":\"k\","
        "\"endpoint\":\"embeddings\",\"dialect\":\"openai\",\"code\":\"rate_limit_exceeded\",\"limit\":7,\"node\":\"n\"}");

    limited.unopened = &(gh_intake_unopened_t) { "handle_foreign", GH_STR("path"), GH_STR("d") };
    limited.operation = GH_OPERATION_CANCEL;
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_undecided(&w, &limited);
    CHECK_STR(((gh_str_t) { w.data, w.len }),
        "{\"v\":1,\"type\":\"decision\",\"t\":9,\"id\":\"i\",\"verdict\":\"deny\",\"org\":\"o\",\"tenant\":\"t\",\"app\":\"a\",\"key\":\"k\","
        "\"endpoint\":\"embeddings\",\"dialect\":\"openai\",\"operation\":\"cancel\",\"code\":\"rate_limit_exceeded\","
        "\"unopened\":{\"why\":\"handle_foreign\",\"where\":\"path\",\"deployment\":\"d\"},\"limit\":7,\"node\":\"n\"}");
    limited.unopened = NULL;
    limited.operation = GH_OPERATION_CREATE;

    limited.skipped = 3;
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_undecided(&w, &limited);
    CHECK(strstr(buffer, "\"limit\":7,\"skipped\":3,\"node\"") != NULL);

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_attempt(&w, GH_STR("i"), 9, 2, &attempt);
    CHECK_STR(((gh_str_t) { w.data, w.len }),
        "{\"v\":1,\"type\":\"attempt\",\"t\":9,\"id\":\"i\",\"number\":2,\"deployment\":\"d\",\"upstream_model\":\"m\","
        "\"revision\":0,\"process\":[],\"store\":\"nothing\",\"reserve\":7}");

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_outcome(&w, &outcome);
    CHECK_STR(((gh_str_t) { w.data, w.len }),
        "{\"v\":1,\"type\":\"outcome\",\"t\":0,\"id\":\"i\",\"status\":0,\"end\":\"cut\",\"attempts\":["
        "{\"deployment\":\"d\",\"upstream_model\":\"m\",\"revision\":0,\"cached\":false,\"sent\":0,\"received\":0,\"charged\":7}],"
        "\"usage\":{\"input\":1,\"cached\":0,\"cache_write\":0,\"output\":0,\"reasoning\":0,\"source\":\"counted\"},\"charged\":7,\"bytes_out\":0}");
}

/* The longest outcome there can be fits into the room that is held for it. */
static void
test_outcome_bound(void)
{
    static char         buffer[GH_RECORD_LINE_MAX], model[3000], name[64], request_id[600];
    gh_record_attempt_t attempts[16];
    gh_record_outcome_t outcome = { .id = GH_STR("01932f5e-7c3a-7abc-8def-0123456789ab"), .status = 200, .end = "complete", .attempts = attempts,
        .usage = { .reported = true, .input = UINT64_MAX, .cached = UINT64_MAX, .cache_write = UINT64_MAX, .output = UINT64_MAX,
            .reasoning = UINT64_MAX }, .usage_source = "reservation", .bytes_out = UINT64_MAX, .now_ms = UINT64_MAX };
    gh_json_writer_t    w;

    memset(model, 'm', sizeof(model));
    memset(name, 'd', sizeof(name));
    memset(request_id, 1, sizeof(request_id));
    for (unsigned count = 0; count <= 16; count++) {
        for (unsigned longest = 0; longest < 3; longest++) {
            for (unsigned i = 0; i < count; i++) {
                attempts[i] = (gh_record_attempt_t) { .deployment = { name, 63 }, .upstream_model = { model, longest == 2 ? 3000 : 60 },
                    .revision = UINT64_MAX, .status = 599, .error = "error_in_stream", .sent = UINT64_MAX, .received = UINT64_MAX,
                    .connect_us = INT64_MAX, .first_byte_us = INT64_MAX, .total_us = INT64_MAX,
                    .backend_request_id = { request_id, longest != 0 ? 600 : 20 } };
            }
            outcome.attempt_count = count;
            gh_json_writer_init(&w, buffer, sizeof(buffer));
            gh_record_outcome(&w, &outcome);
            parse(&w);
            CHECK(w.len + 128 <= GH_RECORD_OWED);
            CHECK(count > 8 || !contains((gh_str_t) { w.data, w.len }, "attempts_more"));
            CHECK(longest != 0 || count > 8 || contains((gh_str_t) { w.data, w.len }, "request_id") == (count != 0));
        }
    }
}

int
main(void)
{
    gh_heap_init(&heap);
    test_decision();
    test_denial();
    test_again();
    test_abridged();
    test_outcome();
    test_limited();
    test_outcome_bound();
    gh_heap_free(&heap);

    return check_done("record lines");
}
