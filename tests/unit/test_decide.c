/* gh_decide: every small world of places against sets computed here; then each sentence of the policy language by example. */
#include "tests/unit/decide_world.h"

#include "policy/base/json_tree.h"
#include "policy/store/image_format.h"

/* ---- every combination of three countries, nothing and unknown ---- */

enum { NOTHING = 0, UNKNOWN = 8 };                /* masks of DE, FR, US; process is 1..7 or UNKNOWN */
static const char *const countries[3] = { "DE", "FR", "US" };

static gh_places_t
places_of(unsigned mask)
{
    gh_places_t places = gh_places_none();

    if (mask == UNKNOWN) {
        return gh_places_unknown();
    }
    for (int i = 0; i < 3; i++) {
        if (mask >> i & 1) {
            gh_places_add(&places, gh_country_index(gh_str_from(countries[i])));
        }
    }
    return places;
}

static bool
mask_inside(unsigned mask, unsigned within)
{
    return mask != UNKNOWN && (mask & ~within) == 0;
}

static bool
mask_touches(unsigned mask, unsigned by)
{
    return mask == UNKNOWN || (mask & by) != 0;
}

#define SMALL_TARGETS (8 * 9)

static void
small_targets(gh_model_t *model, gh_str_list_t *everybody)
{
    for (unsigned i = 0; i < SMALL_TARGETS; i++) {
        gh_model_target_t *target = &model->targets[i];
        unsigned           process = i / 9 + 1, store = i % 9;

        model->deployments[i] = (gh_model_deployment_t) { .id = { "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
            "0123456789" + i, 2 }, .backend = GH_STR("b"), .provider = GH_STR("self") };
        target->deployment = i;
        target->upstream = GH_STR("m");
        target->serves = *everybody;
        target->endpoints = 7;
        target->process = places_of(process);
        target->store = (gh_model_store_t) { places_of(store), store == NOTHING, store == NOTHING, 0 };
        target->operator_home = places_of(1);
        target->partition = -1;
    }
}

/* The node is in DE: every process holds it. */
static void
test_every_small_world(gh_arena_t *arena)
{
    static gh_model_target_t     targets[SMALL_TARGETS];
    static gh_model_deployment_t deployments[SMALL_TARGETS];
    gh_str_t                     all = GH_STR("o"), class_name = GH_STR("c");
    gh_str_list_t                everybody = { &all, 1 };
    gh_model_rule_t              rules[2] = { { .id = GH_STR("a"), .kind = GH_RULE_ALLOW, .class_mask = 1 },
                                              { .id = GH_STR("f"), .kind = GH_RULE_FORBID } };
    gh_model_policy_t            policy = { .name = GH_STR("p"), .applies_to = everybody, .classes = { &class_name, 1 },
                                            .rules = rules };
    gh_model_node_t              node = { .id = GH_STR("n1"), .country = gh_country_index(GH_STR("DE")) };
    gh_model_entry_t             entry = { .name = GH_STR("m"), .message_tokens = GH_MESSAGE_TOKENS };
    gh_model_app_t               app = { .id = GH_STR("a"), .path = GH_STR("o/t/a") };
    gh_model_tenant_t            tenant = { .id = GH_STR("t"), .path = GH_STR("o/t"), .apps = &app, .app_count = 1 };
    gh_model_organisation_t      organisation = { .id = GH_STR("o"), .tenants = &tenant, .tenant_count = 1 };
    gh_model_t                   model = { .nodes = &node, .node_count = 1, .models = &entry, .model_count = 1,
                                           .deployments = deployments, .deployment_count = SMALL_TARGETS, .targets = targets,
                                           .target_count = SMALL_TARGETS, .policies = &policy, .policy_count = 1,
                                           .organisations = &organisation, .organisation_count = 1 };
    unsigned                     worlds = 0, wrong = 0, allowed = 0;

    small_targets(&model, &everybody);
    for (unsigned within = 1; within < 8; within++) {
        for (unsigned keep = 0; keep < 8; keep++) {               /* 0: "nothing" */
            for (unsigned forbid = 0; forbid < 16; forbid++) {    /* low 8: process touches; high 8: store touches; 0, 8: no rule */
                for (unsigned narrow = 0; narrow < 8; narrow += 3) {
                    world_request_t request;
                    gh_image_t     *image;
                    gh_heap_t       heap;
                    gh_error_t      error;
                    unsigned        by = forbid % 8;

                    gh_heap_init(&heap);
                    rules[0].states = GH_STATES_PROCESS | (keep == 0 ? GH_STATES_STORE_NOTHING : GH_STATES_STORE);
                    rules[0].process = places_of(within);
                    rules[0].store = places_of(keep);
                    rules[1].states = forbid < 8 ? GH_STATES_PROCESS : GH_STATES_STORE;
                    rules[1].process = forbid < 8 ? places_of(by) : gh_places_none();
                    rules[1].store = forbid < 8 ? gh_places_none() : places_of(by);
                    policy.rule_count = by == 0 ? 1 : 2;
                    app.narrowed = narrow != 0;
                    app.places = places_of(narrow);
                    if (gh_compile_image(&heap.arena, &model, WORLD_NOW, &image, &error) != GH_OK) {
                        CHECK(!"compiles");
                        gh_heap_free(&heap);
                        return;
                    }
                    world_request(&request, "o/t/a", "m");
                    world_decide(image, &request, &heap.arena);
                    for (unsigned i = 0; i < SMALL_TARGETS; i++) {
                        unsigned process = (i / 9 + 1) == UNKNOWN ? UNKNOWN : (i / 9 + 1) | 1, store = i % 9;
                        bool     expected = mask_inside(process, within) && mask_inside(store, keep);
                        bool     got = false;

                        if (by != 0 && (forbid < 8 ? mask_touches(process, by) : mask_touches(store, by))) {
                            expected = false;
                        }
                        if (narrow != 0 && !(mask_inside(process, narrow) && mask_inside(store, narrow))) {
                            expected = false;
                        }
                        for (uint32_t r = 0; r < request.decision.route_count; r++) {
                            got |= image->targets[request.decision.route[r]].deployment == i;
                        }
                        worlds++;
                        allowed += expected;
                        wrong += expected != got;
                    }
                    gh_image_unref(image);
                    gh_heap_free(&heap);
                }
            }
        }
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(worlds, 7 * 8 * 16 * 3 * SMALL_TARGETS);
    CHECK(allowed > 1000);
    (void) arena;
}

/* ---- by example ---- */

static const char *const documents[] = { fleet, tenants, residency };

static gh_image_t *image;

#define DECIDE(request, expected, route) do { \
    CHECK_INT(world_decide(image, (request), arena), (expected)); \
    CHECK_STR(world_route(image, (request), arena), (route)); \
} while (0)

static void
test_order(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/chat", "gpt");
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    CHECK_STR(r.decision.model, "gpt");
    CHECK_STR(r.decision.policy, "nord");
    CHECK_STR(r.decision.classes[0].name, "internal");
    CHECK_STR(r.decision.classes[0].from, "default");
    CHECK_INT(r.decision.class_count, 1);
    CHECK(gh_decide_still(image, &r.input, arena, GH_STR("de"), GH_STR("gpt-de"), &r.decision) != NULL);
    CHECK(gh_decide_still(image, &r.input, arena, GH_STR("de"), GH_STR("gpt-us"), &r.decision) == NULL);
    CHECK(gh_decide_still(image, &r.input, arena, GH_STR("fr"), GH_STR("gpt-de"), &r.decision) == NULL);

    world_request(&r, "nord/retail/chat", "gpt-latest");
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    CHECK_STR(r.decision.model, "gpt");
    world_request(&r, "nord/retail/chat", "GPT");
    DECIDE(&r, GH_DENIED_MODEL_UNKNOWN, "");
    world_request(&r, "nord/retail/chat", "emb");
    DECIDE(&r, GH_DENIED_ENDPOINT, "");
    world_request(&r, "nord/retail/chat", "llama");
    r.intake.endpoint = GH_ENDPOINT_EMBEDDINGS;
    DECIDE(&r, GH_DENIED_ENDPOINT, "");
    r.intake.endpoint = GH_ENDPOINT_COMPLETIONS;
    DECIDE(&r, GH_DECIDED_ALLOW, "us");
    world_request(&r, "nord/web/bot", "llama");
    DECIDE(&r, GH_DENIED_MODEL, "");
    world_request(&r, "nobody/t/a", "gpt");
    DECIDE(&r, GH_DENIED_NO_POLICY, "");
    world_request(&r, "nord/retail/none", "gpt");
    DECIDE(&r, GH_DENIED_NO_POLICY, "");
    world_request(&r, "nord/retail/chat", "gpt");
    r.input.node = GH_STR("n2");
    DECIDE(&r, GH_DENIED_NODE, "");
}

/* "a b c" */
static gh_str_t
models_of(world_request_t *r, gh_arena_t *arena)
{
    gh_str_t *names, text = GH_STR("");
    size_t    count;

    r->input.identity = &r->identity;
    r->input.intake = NULL;
    r->input.header_context = r->headers;
    CHECK_INT(gh_decide_models(image, &r->input, arena, &names, &count), GH_OK);
    for (size_t i = 0; i < count; i++) {
        text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), i > 0 ? " " : "", GH_STR_ARG(names[i]));
    }
    return text;
}

/* What a key could use with a plain request: not secret-model, which a forbid takes, nor emb, which nobody serves. */
static void
test_models(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/chat", "");
    CHECK_STR(models_of(&r, arena), "gpt llama");
    r.headers[0] = (world_header_t) { "x-data-class", "unheard-of" };      /* headers are not looked at */
    r.headers[1] = (world_header_t) { "x-gatehouse-places", "CN" };
    CHECK_STR(models_of(&r, arena), "gpt llama");
    world_request(&r, "nord/web/bot", "");
    CHECK_STR(models_of(&r, arena), "gpt");
    world_request(&r, "nord/retail/hr", "");                               /* personal: llama is in the US only */
    CHECK_STR(models_of(&r, arena), "gpt");
    r.input.now_ms = 1796169600000;                                        /* the allow for personal has ended */
    CHECK_STR(models_of(&r, arena), "");
    world_request(&r, "nord/retail/home", "");                             /* narrowed to SE */
    CHECK_STR(models_of(&r, arena), "gpt");
    world_request(&r, "nord/retail/chat", "");
    r.identity.own_classes = GH_STR("secret");
    CHECK_STR(models_of(&r, arena), "gpt");
    r.identity.own_classes = GH_STR("gone");
    CHECK_STR(models_of(&r, arena), "");
    world_request(&r, "nord/retail/home", "");
    r.input.node = GH_STR("n-us");                                         /* adds US to every process */
    CHECK_STR(models_of(&r, arena), "");
    r.input.node = GH_STR("n9");
    CHECK_STR(models_of(&r, arena), "");
    world_request(&r, "nobody/t/a", "");
    CHECK_STR(models_of(&r, arena), "");
    world_request(&r, "nord/retail/none", "");
    CHECK_STR(models_of(&r, arena), "");
}

static void
test_classes(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/chat", "gpt");
    r.headers[0] = (world_header_t) { "X-Data-Class", " personal " };
    DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
    CHECK_INT(r.decision.class_count, 2);
    CHECK_STR(r.decision.classes[1].name, "personal");
    CHECK_STR(r.decision.classes[1].from, "label");
    r.headers[0].value = "public, secret";
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    CHECK_INT(r.decision.class_count, 3);
    CHECK(r.decision.targets[0].code != GH_TARGET_ELIGIBLE || r.decision.targets[0].store_false);
    r.headers[0].value = "public";
    r.headers[1] = (world_header_t) { "x-data-class", "secret" };
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    r.headers[1].value = "Secret";
    DECIDE(&r, GH_DENIED_LABEL, "");
    r.headers[1].value = "";
    DECIDE(&r, GH_DENIED_LABEL, "");
    r.headers[1].value = "public,,public";
    DECIDE(&r, GH_DENIED_LABEL, "");

    world_request(&r, "nord/retail/hr", "gpt");
    DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
    CHECK_STR(r.decision.classes[1].from, "app");
    world_request(&r, "nord/web/bot", "gpt");
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    CHECK_INT(r.decision.class_count, 1);
    CHECK_STR(r.decision.classes[0].from, "assign");
    r.intake.uninspected = true;
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    CHECK_STR(r.decision.classes[1].from, "uninspected");
    r.intake.uninspected = false;
    r.identity.own_classes = GH_STR("secret");
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    CHECK_STR(r.decision.classes[1].from, "key");
    r.identity.own_classes = GH_STR("public,gone");
    DECIDE(&r, GH_DENIED_LABEL, "");
}

static void
test_narrowing(gh_arena_t *arena)
{
    static const char *const bad[] = { "Sweden", "se", "", " , ", "SE,XX", "?", "UNKNOWN", "SE;DE" };
    world_request_t          r;

    world_request(&r, "nord/retail/chat", "gpt");
    r.headers[0] = (world_header_t) { "x-gatehouse-places", "DE SE" };
    DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
    CHECK_STR(r.decision.narrowing, "DE SE");
    r.headers[0].value = "EU";
    DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
    r.headers[0].value = " north,\tDE ";
    DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
    r.headers[0].value = "north";
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    r.headers[0].value = "DE";                    /* the node is in SE */
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
    CHECK_INT(r.decision.targets[0].code, GH_TARGET_NARROWED);
    r.headers[0].value = "ANYWHERE";
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    r.headers[0].value = "SE";                    /* a second header takes away, never adds */
    r.headers[1] = (world_header_t) { "x-gatehouse-places", "EU" };
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    CHECK_STR(r.decision.narrowing, "SE; EU");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        r.headers[1].value = bad[i];
        DECIDE(&r, GH_DENIED_PLACES, "");
    }
    world_request(&r, "nord/retail/home", "gpt");
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
    r.headers[0] = (world_header_t) { "x-gatehouse-places", "ANYWHERE" };
    DECIDE(&r, GH_DECIDED_ALLOW, "se");
}

static void
test_features(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/chat", "gpt");
    r.intake.features[0] = (gh_feature_use_t) { GH_STR("web_search"), GH_STR("tools[0].type") };
    r.intake.feature_count = 1;
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
    CHECK_INT(r.decision.targets[0].misses & GH_MISS_FEATURES, GH_MISS_FEATURES);
    CHECK_STR(r.decision.targets[0].feature, "web_search");
    CHECK_STR(r.decision.rule, "open");
    r.intake.features[0] = (gh_feature_use_t) { GH_STR(""), GH_STR("tools[0].colour") };
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
    CHECK_STR(r.decision.targets[0].feature, "tools[0].colour");
    r.intake.features[0] = (gh_feature_use_t) { GH_STR("cache"), GH_STR("cache") };
    DECIDE(&r, GH_DECIDED_ALLOW, "se");           /* only se lists it */
    r.headers[0] = (world_header_t) { "x-data-class", "secret" };
    DECIDE(&r, GH_DENIED_RESIDENCY, "");          /* which then stores: not "nothing" */

    /* "own" accepts unlisted features, "open" for the default class does not. */
    r.intake.features[0] = (gh_feature_use_t) { GH_STR("web_search"), GH_STR("tools[0].type") };
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
}

static void
test_time(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/hr", "gpt");
    DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
    CHECK_INT(r.decision.valid_until_ms, 1796169600000);      /* 2026-12-02T00:00Z: "until" is the last day */
    r.input.now_ms = 1796169599999;
    DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
    r.input.now_ms = 1796169600000;
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
    CHECK_STR(r.decision.rule, "eu");
    CHECK_INT(r.decision.targets[0].misses, GH_MISS_UNTIL);

    world_request(&r, "nord/retail/chat", "gpt");
    r.input.now_ms = 1798761599999;                           /* evidence of de ends with 2026-12-31 */
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    CHECK_INT(r.decision.valid_until_ms, 1798761600000);
    r.input.now_ms = 1798761600000;
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 se");
    CHECK(r.decision.valid_until_ms == UINT64_MAX);
    r.input.now_ms = 0;                                       /* before the policy was made: judged at its time */
    DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
    CHECK_INT(r.decision.clock_ms, WORLD_NOW);
}

static void
test_why(gh_arena_t *arena)
{
    char             buffer[8192];
    gh_json_writer_t w;
    world_request_t  r;

    world_request(&r, "nord/retail/chat", "secret-model");
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
    CHECK_STR(r.decision.rule, "no-secret-model");
    CHECK_STR(gh_decision_rule_id(image, r.decision.targets[0].rule), "no-secret-model");
    CHECK_STR(gh_decision_rule_why(image, r.decision.targets[0].rule), "w");
    CHECK_STR(gh_decision_rule_id(image, -1), "");
    CHECK_STR(gh_decision_rule_id(image, 99), "");
    CHECK(r.decision.detail.len > 0);

    world_request(&r, "nord/retail/hr", "llama");
    DECIDE(&r, GH_DENIED_RESIDENCY, "");
    CHECK_STR(r.decision.rule, "eu");
    CHECK_INT(r.decision.targets[0].misses, GH_MISS_PROCESS | GH_MISS_STORE | GH_MISS_STORE_DAYS);
    CHECK_INT(gh_places_count(r.decision.targets[0].places), 1);

    world_request(&r, "nord/retail/hr", "gpt");
    world_decide(image, &r, arena);
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_decision_write(&w, image, &r.decision);
    CHECK(gh_json_writer_ok(&w));
    CHECK_STR(((gh_str_t) { buffer, 18 }), "{\"verdict\":\"allow\"");
    {
        gh_node_t *root;
        gh_error_t error;

        CHECK_INT(gh_json_parse(arena, (gh_str_t) { buffer, w.len }, "decision", &root, &error), GH_OK);
        CHECK_INT(gh_node_get(root, "route")->count, 3);
        CHECK_INT(gh_node_get(root, "no")->count, 1);
    }
}

#define SAYS(request, expected_rule, expected_detail) do { \
    CHECK_INT(world_decide(image, (request), arena), GH_DENIED_RESIDENCY); \
    CHECK_STR((request)->decision.rule, (expected_rule)); \
    CHECK_STR((request)->decision.detail, (expected_detail)); \
} while (0)

/* What empties the set is what the denial names. */
static void
test_why_narrowed(gh_arena_t *arena)
{
    world_request_t r;

    world_request(&r, "nord/retail/chat", "gpt");
    r.headers[0] = (world_header_t) { "x-gatehouse-places", "FR" };
    SAYS(&r, "", "the places that the request names leave no deployment: \"de\" is allowed otherwise, but reaches DE SE");
    CHECK(r.decision.narrowed && r.decision.narrowed_by_request);

    /* With "secret" only se is left, which the narrowing excludes: the nearest allow of the others says nothing. */
    r.headers[0] = (world_header_t) { "x-data-class", "secret" };
    r.headers[1] = (world_header_t) { "x-gatehouse-places", "DE" };
    SAYS(&r, "", "the places that the request names leave no deployment: \"se\" is allowed otherwise, but reaches SE");
    CHECK(r.decision.narrowed && r.decision.narrowed_by_request);

    world_request(&r, "nord/retail/home", "llama");
    SAYS(&r, "", "the places of tenants/1 leave no deployment: \"us\" is allowed otherwise, but reaches US");
    CHECK(r.decision.narrowed && !r.decision.narrowed_by_request);
    r.headers[0] = (world_header_t) { "x-gatehouse-places", "ANYWHERE" };
    SAYS(&r, "", "the places of tenants/1 leave no deployment: \"us\" is allowed otherwise, but reaches US");
    CHECK(r.decision.narrowed && !r.decision.narrowed_by_request);
    world_request(&r, "nord/retail/home", "gpt");
    r.headers[0] = (world_header_t) { "x-gatehouse-places", "DE" };
    CHECK_INT(world_decide(image, &r, arena), GH_DENIED_RESIDENCY);
    CHECK(r.decision.rule.len == 0 && r.decision.narrowed && r.decision.narrowed_by_request);

    /* Narrowed as well, but lost without it. */
    world_request(&r, "nord/retail/hr", "llama");
    r.headers[0] = (world_header_t) { "x-gatehouse-places", "SE" };
    CHECK_INT(world_decide(image, &r, arena), GH_DENIED_RESIDENCY);
    CHECK_STR(r.decision.rule, "eu");
    CHECK(!r.decision.narrowed);
    world_request(&r, "nord/retail/chat", "secret-model");
    r.headers[0] = (world_header_t) { "x-gatehouse-places", "FR" };
    CHECK_INT(world_decide(image, &r, arena), GH_DENIED_RESIDENCY);
    CHECK_STR(r.decision.rule, "no-secret-model");
    CHECK(!r.decision.narrowed && !r.decision.narrowed_by_request);
    world_request(&r, "nord/retail/chat", "gpt");
    world_decide(image, &r, arena);
    CHECK(!r.decision.narrowed && !r.decision.narrowed_by_request);
}

/* Forbids on some of the deployments: "us" for US, "de" for one of two in DE. */
static void
test_why_forbidden(gh_arena_t *arena)
{
    static const char guard[] =
        "{\"kind\":\"residency/1\",\"name\":\"group\",\"role\":\"guard\",\"applies_to\":\"nord\",\"facts\":\"regions/2026-11-21\","
        "\"forbid\":[{\"id\":\"group-us\",\"process\":{\"touches\":[\"US\"]}},{\"id\":\"group-de\",\"store\":{\"touches\":[\"DE\"]}},"
        "{\"id\":\"group-off\",\"tenants\":[\"nord/web\"]},{\"id\":\"group-se\",\"tenants\":[\"nord/retail/hr\"],"
        "\"operator_home\":{\"touches\":[\"SE\"]}}]}";
    const char *const all[] = { fleet, tenants, residency, guard };
    gh_image_t       *before = image;
    world_request_t   r;

    image = world_image(arena, all, 4);
    if (CHECK(image != NULL)) {
        /* us and both de are forbidden, se is not: only the narrowing keeps it out. */
        world_request(&r, "nord/retail/chat", "gpt");
        DECIDE(&r, GH_DECIDED_ALLOW, "se");
        r.headers[0] = (world_header_t) { "x-gatehouse-places", "US DE" };
        SAYS(&r, "", "the places that the request names leave no deployment: \"se\" is allowed otherwise, but reaches SE");
        CHECK(r.decision.narrowed);

        /* A feature that only se lists leaves the others unknown, which touches; se then stores, which "own" does not accept. */
        world_request(&r, "nord/retail/chat", "gpt");
        r.headers[0] = (world_header_t) { "x-data-class", "secret" };
        r.intake.features[0] = (gh_feature_use_t) { GH_STR("cache"), GH_STR("cache") };
        r.intake.feature_count = 1;
        CHECK_INT(world_decide(image, &r, arena), GH_DENIED_RESIDENCY);
        CHECK_STR(r.decision.rule, "own");

        /* "group-off" fires everywhere, others first for some. */
        world_request(&r, "nord/web/bot", "gpt");
        SAYS(&r, "group-off", "forbid \"group-off\" fires for deployment \"us\"");

        /* No forbid fires everywhere: named is one in front of a deployment that "personal" may use, not "group-us". */
        world_request(&r, "nord/retail/hr", "gpt");
        CHECK_INT(world_decide(image, &r, arena), GH_DENIED_RESIDENCY);
        CHECK_STR(r.decision.rule, "group-de");
        r.headers[0] = (world_header_t) { "x-gatehouse-places", "SE" };
        CHECK_INT(world_decide(image, &r, arena), GH_DENIED_RESIDENCY);
        CHECK_STR(r.decision.rule, "group-se");
        CHECK(!r.decision.narrowed);
        gh_image_unref(image);
    }
    image = before;
}

static void
test_no_memory(void)
{
    gh_str_t *names;
    size_t    count;
    unsigned  failed = 0;

    for (size_t limit = 0; limit < 64; limit++) {
        world_request_t r;
        gh_heap_t       heap;
        int             rc;

        gh_heap_init(&heap);
        heap.limit = limit;
        world_request(&r, "nord/retail/hr", "gpt");
        r.input.identity = &r.identity;
        r.input.intake = &r.intake;
        r.input.header_context = r.headers;
        rc = gh_decide(image, &r.input, &heap.arena, &r.decision, &r.error);
        CHECK(rc == GH_OK || (r.decision.code != GH_DECIDED_ALLOW && r.decision.route_count == 0));
        gh_heap_free(&heap);

        gh_heap_init(&heap);
        heap.limit = limit;
        rc = gh_decide_models(image, &r.input, &heap.arena, &names, &count);
        CHECK(rc == GH_ERROR || (count == 1 && gh_str_is(names[0], "gpt")));
        failed += rc != GH_OK;
        gh_heap_free(&heap);
    }
    CHECK(failed > 5 && failed < 64);
}

/* Compiling with memory for n allocations only: an error, or the image that all the memory gives. */
static void
test_compile_no_memory(gh_arena_t *arena)
{
    gh_document_source_t sources[3];
    gh_report_t          report;
    gh_model_t          *model;
    gh_compiled_t        whole, some;
    gh_error_t           error;
    unsigned             failed = 0;

    for (int i = 0; i < 3; i++) {
        sources[i] = (gh_document_source_t) { GH_STR("d.json"), gh_str_from(documents[i]) };
    }
    gh_report_init(&report, arena);
    if (!CHECK_INT(gh_documents_load(arena, sources, 3, WORLD_NOW, &model, &report), GH_OK)
        || !CHECK_INT(gh_compile(arena, model, image, WORLD_NOW, &whole, &error), GH_OK))
    {
        return;
    }
    for (size_t limit = 0; limit < 200; limit++) {
        gh_heap_t heap;

        gh_heap_init(&heap);
        heap.limit = limit;
        if (gh_compile(&heap.arena, model, image, WORLD_NOW, &some, &error) != GH_OK) {
            failed++;
        } else {
            CHECK_MEM(some.image.data, whole.image.data, whole.image.len);
            CHECK_INT(some.image.len, whole.image.len);
            CHECK_INT(some.listed_count, whole.listed_count);
            for (size_t i = 0; i < some.listed_count; i++) {
                CHECK(gh_str_eq(some.listed[i].path, whole.listed[i].path) && some.listed[i].profile == whole.listed[i].profile);
            }
        }
        gh_heap_free(&heap);
    }
    CHECK(failed > 5 && failed < 200);
}

/* A guard takes away on top; it has no classes of its own. */
static void
test_guard(gh_arena_t *arena)
{
    static const char guard[] =
        "{\"kind\":\"residency/1\",\"name\":\"group\",\"role\":\"guard\",\"applies_to\":\"nord/retail\",\"facts\":\"regions/2026-11-21\","
        "\"forbid\":[{\"id\":\"group-us\",\"why\":\"w\",\"process\":{\"touches\":[\"US\"]}}]}";
    const char *const all[] = { fleet, tenants, residency, guard };
    gh_image_t       *before = image;
    world_request_t   r;

    image = world_image(arena, all, 4);
    if (CHECK(image != NULL)) {
        world_request(&r, "nord/retail/chat", "gpt");
        DECIDE(&r, GH_DECIDED_ALLOW, "de2 de se");
        CHECK_STR(gh_decision_rule_id(image, r.decision.targets[3].rule), "group-us");
        r.input.node = GH_STR("n-us");
        DECIDE(&r, GH_DENIED_RESIDENCY, "");
        CHECK_STR(r.decision.rule, "group-us");
        world_request(&r, "nord/web/bot", "gpt");
        DECIDE(&r, GH_DECIDED_ALLOW, "us de2 de se");
        gh_image_unref(image);
    }
    image = before;
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    test_every_small_world(&heap.arena);
    image = world_image(&heap.arena, documents, 3);
    if (CHECK(image != NULL)) {
        test_order(&heap.arena);
        test_models(&heap.arena);
        test_classes(&heap.arena);
        test_narrowing(&heap.arena);
        test_features(&heap.arena);
        test_time(&heap.arena);
        test_why(&heap.arena);
        test_why_narrowed(&heap.arena);
        test_why_forbidden(&heap.arena);
        test_no_memory();
        test_compile_no_memory(&heap.arena);
        test_guard(&heap.arena);
        gh_image_unref(image);
    }
    gh_heap_free(&heap);
    return check_done("decide");
}
