/* Limits from tenants/1 to an identity: what is said at which level, whose uids, in an image by itself, and in an edit that is only proposed. */
#include "policy/store/store_internal.h"
#include "tests/unit/store_world.h"

#define HEAD "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\"%s,\"tenants\":[{\"id\":\"retail\"%s,\"apps\":[{\"id\":\"chat\"%s},{\"id\":\"hr\"}]}]}]}"

static char text[4096];

static const char *
tenants(const char *organisation, const char *tenant, const char *app)
{
    snprintf(text, sizeof(text), HEAD, organisation, tenant, app);
    return text;
}

static const char *
everything(void)
{
    return tenants(",\"max_output\":900,\"limits\":[{\"dimension\":\"micro-dollars\",\"amount\":7,\"class\":\"budget\"}]",
        ",\"max_output\":500,\"limits\":[{\"dimension\":\"requests\",\"per\":\"second\",\"amount\":3,\"class\":\"rate\",\"model\":\"gpt\"}]",
        ",\"max_output\":400,\"limits\":[{\"dimension\":\"tokens\",\"per\":\"month\",\"amount\":281474976710655,\"class\":\"shadow\"}],"
        "\"key_limits\":[{\"dimension\":\"streams\",\"amount\":0,\"class\":\"rate\"}]");
}

static bool
limit_is(const gh_limit_t *limit, gh_level_t level, gh_dimension_t dimension, gh_per_t per, gh_limit_class_t class, uint64_t amount)
{
    return limit->level == level && limit->dimension == dimension && limit->per == per && limit->limit_class == class
        && limit->amount == amount && limit->reserved == 0;
}

/* What everything() says of a key of an app. */
static void
check_everything(const gh_limits_t *limits, bool chat)
{
    if (!CHECK_INT(limits->count, chat ? 4 : 2)) {
        return;
    }
    CHECK_INT(limits->max_output, chat ? 400 : 500);
    CHECK(limit_is(&limits->items[0], GH_LEVEL_ORGANISATION, GH_COUNT_MICRO_DOLLARS, GH_PER_NONE, GH_LIMIT_BUDGET, 7));
    CHECK(limit_is(&limits->items[1], GH_LEVEL_TENANT, GH_COUNT_REQUESTS, GH_PER_SECOND, GH_LIMIT_RATE, 3));
    CHECK(limits->items[0].model == 0 && limits->items[1].model == gh_model_number(GH_STR("gpt")));
    if (chat) {
        CHECK(limit_is(&limits->items[2], GH_LEVEL_APP, GH_COUNT_TOKENS, GH_PER_MONTH, GH_LIMIT_SHADOW, GH_COUNT_MAX));
        CHECK(limit_is(&limits->items[3], GH_LEVEL_KEY, GH_COUNT_STREAMS, GH_PER_NONE, GH_LIMIT_RATE, 0));
    }
}

static void
test_image(gh_arena_t *arena)
{
    const char *documents[] = { store_fleet, store_residency, everything() };
    gh_image_t *image = world_image(arena, documents, 3);
    gh_limits_t limits;

    if (!CHECK(image != NULL)) {
        return;
    }
    CHECK(gh_image_app_limits(image, GH_STR("nord/retail/chat"), &limits));
    check_everything(&limits, true);
    CHECK(gh_image_app_limits(image, GH_STR("nord/retail/hr"), &limits));
    check_everything(&limits, false);
    CHECK(!gh_image_app_limits(image, GH_STR("nord/retail/site"), &limits) && limits.count == 0);
    CHECK_STR(gh_image_model_name(image, gh_model_number(GH_STR("gpt"))), "gpt");
    CHECK_INT(gh_image_model_name(image, 17).len, 0);
    gh_image_unref(image);
}

static void
check_uids(const gh_identity_t *identity, uint64_t key)
{
    CHECK(identity->org_uid == 1 && identity->tenant_uid == 2 && identity->app_uid == 3);
    CHECK_INT(identity->key_uid, key);
}

/* Who presents a key, who asks for it by name, and what it would be without one. */
static void
test_identify(gh_store_t *store, gh_arena_t *arena)
{
    gh_store_named_t *names;
    gh_identity_t     identity = { .path = GH_STR("nord/retail/chat") }, again;
    gh_error_t        error;
    uint64_t          revision;
    size_t            count;
    char              key[GH_KEY_TEXT + 1], other[GH_KEY_TEXT + 1];

    CHECK_INT(store_apply(store, everything(), &revision), GH_OK);
    CHECK_INT(gh_store_identify_app(store, WORLD_NOW, &identity, NULL, &error), GH_OK);
    CHECK(identity.org_uid == 0 && identity.tenant_uid == 0 && identity.app_uid == 0);
    check_everything(&identity.limits, true);
    CHECK_INT(gh_store_names(store, GH_STR(""), WORLD_NOW, arena, &names, &count, &error), GH_OK);
    CHECK_INT(count, 0);

    CHECK_INT(store_new_key(store, "chat", "one", 1, 0, key, &error), GH_OK);
    CHECK_INT(store_new_key(store, "chat", "two", 2, 0, other, &error), GH_OK);
    CHECK_INT(gh_store_identify(store, gh_str_from(key), WORLD_NOW, arena, &identity, NULL, &error), GH_OK);
    check_everything(&identity.limits, true);
    check_uids(&identity, 4);
    CHECK_INT(gh_store_identify_key(store, GH_STR("nord/retail/chat/two"), WORLD_NOW, arena, &again, NULL, &error), GH_OK);
    check_everything(&again.limits, true);
    check_uids(&again, 5);
    again = (gh_identity_t) { .path = GH_STR("nord/retail/chat") };
    CHECK_INT(gh_store_identify_app(store, WORLD_NOW, &again, NULL, &error), GH_OK);
    check_uids(&again, 0);

    /* An edit counts from the next request on. */
    CHECK_INT(store_apply(store, tenants("", ",\"max_output\":10", ""), &revision), GH_OK);
    CHECK_INT(gh_store_identify_again(store, &identity, WORLD_NOW, arena, &again, NULL, &error), GH_OK);
    CHECK(again.limits.count == 0 && again.limits.max_output == 10);
    check_uids(&again, 4);

    CHECK_INT(gh_store_names(store, GH_STR("nord/retail"), WORLD_NOW, arena, &names, &count, &error), GH_OK);
    if (CHECK_INT(count, 4)) {
        CHECK_STR(names[0].path, "nord/retail");
        CHECK_STR(names[3].path, "nord/retail/chat/two");
        CHECK(names[0].level == GH_LEVEL_TENANT && names[1].level == GH_LEVEL_APP && names[3].level == GH_LEVEL_KEY && names[3].uid == 5);
    }
}

/* A proposal says what would hold; nothing holds by it. */
static void
test_proposal(gh_store_t *store, gh_arena_t *arena)
{
    gh_document_source_t sources[3] = { { GH_STR("fleet.json"), gh_str_from(store_fleet) },
                                        { GH_STR("residency.json"), gh_str_from(store_residency) },
                                        { GH_STR("tenants.json"), gh_str_from(everything()) } };
    gh_apply_t           apply = { .sources = sources, .source_count = 3, .author = GH_STR("alice"), .reason = GH_STR("test"),
                                   .now_ms = WORLD_NOW };
    gh_apply_ready_t     ready = { 0 };
    gh_identity_t        identity = { .path = GH_STR("nord/retail/chat") };
    gh_proposal_t       *proposal;
    gh_report_t          report;
    gh_error_t           error;

    gh_report_init(&report, arena);
    if (!CHECK_INT(gh_apply_prepare(store, arena, &apply, &ready, &report), GH_OK)
        || !CHECK_INT(gh_apply_propose(store, &apply, &ready, 99, &error), GH_OK)
        || !CHECK_INT(gh_store_proposal(store, 99, WORLD_NOW, &proposal, &error), GH_OK))
    {
        return;
    }
    CHECK_INT(gh_store_identify_app(store, WORLD_NOW, &identity, NULL, &error), GH_OK);
    CHECK_INT(identity.limits.count, 0);
    CHECK(gh_proposal_identity(proposal, true, &identity));
    check_everything(&identity.limits, true);
    identity = (gh_identity_t) { .path = GH_STR("nord/retail/hr") };
    CHECK_INT(gh_store_identify_app(store, WORLD_NOW, &identity, NULL, &error), GH_OK);
    CHECK(gh_proposal_identity(proposal, true, &identity));
    check_everything(&identity.limits, false);
    gh_proposal_free(proposal);
    CHECK_INT(gh_store_propose_end(store, WORLD_NOW, &error), GH_OK);
}

/* A record whose bytes say what no document can is damage, whoever sealed it. */
static void
test_records(void)
{
    struct { gh_app_record_t record; gh_limit_t limits[2]; } value;
    gh_app_record_t record;
    gh_bytes_t      limits, bytes = { &value, sizeof(value) };
    gh_error_t      error;

    memset(&value, 0, sizeof(value));
    value.record.profile = 1;
    value.record.limit_count = 2;
    for (int i = 0; i < 2; i++) {
        value.limits[i] = (gh_limit_t) { .level = GH_LEVEL_APP, .dimension = GH_COUNT_REQUESTS, .per = GH_PER_DAY, .limit_class = GH_LIMIT_RATE };
    }
    CHECK_INT(gh_app_record_read(bytes, &record, &limits, &error), GH_OK);
    CHECK(record.limit_count == 2 && limits.len == sizeof(value.limits));
    for (size_t at = 0; at < offsetof(gh_limit_t, model); at++) {
        uint8_t *byte = (uint8_t *) &value.limits[1] + at, before = *byte;

        *byte = 0xff;
        /* the first six bytes of an amount may be anything: 2^48 - 1 is the most */
        CHECK_INT(gh_app_record_read(bytes, &record, &limits, &error),
            at < offsetof(gh_limit_t, amount) || at >= offsetof(gh_limit_t, amount) + 6 ? GH_ERROR : GH_OK);
        *byte = before;
    }
    value.record.limit_count = 1;
    CHECK_INT(gh_app_record_read(bytes, &record, &limits, &error), GH_ERROR);
    value.record.limit_count = GH_LIMITS_MAX + 1;
    CHECK_INT(gh_app_record_read(bytes, &record, &limits, &error), GH_ERROR);
    value.record.limit_count = 2;
    value.record.profile = 0;
    CHECK_INT(gh_app_record_read(bytes, &record, &limits, &error), GH_ERROR);
    CHECK_INT(gh_app_record_read((gh_bytes_t) { &value, sizeof(gh_app_record_t) - 1 }, &record, &limits, &error), GH_ERROR);
}

/* Every combination: what gh_limit_windows says is what can be said. */
static void
test_windows(void)
{
    unsigned valid = 0;

    for (unsigned dimension = 0; dimension < 16; dimension++) {
        for (unsigned per = 0; per < 8; per++) {
            for (unsigned class = 0; class < 8; class++) {
                gh_limit_t limit = { .level = GH_LEVEL_KEY, .dimension = (uint8_t) dimension, .per = (uint8_t) per,
                                     .limit_class = (uint8_t) class };

                valid += gh_limit_valid(&limit);
            }
        }
    }
    /* requests 3 x 3 - 1, tokens, input and output 9 each, micro-dollars 9 - 1, in-flight and streams 3 each */
    CHECK_INT(valid, 8 + 27 + 8 + 6);
}

int
main(void)
{
    gh_heap_t   heap;
    gh_store_t *store;
    gh_error_t  error;

    if (!store_make()) {
        fprintf(stderr, "no store can be made\n");
        return 1;
    }
    gh_heap_init(&heap);
    store = store_open(true, &error);
    test_windows();
    test_records();
    test_image(&heap.arena);
    if (CHECK(store != NULL)) {
        test_identify(store, &heap.arena);
        test_proposal(store, &heap.arena);
        gh_store_close(store);
    }
    gh_heap_free(&heap);
    store_remove();
    return check_done("limits");
}
