/* What keys, tokens and certificates narrow by themselves: lists, limits, what minted keys have, tokens whose claims say places, and what is kept of decisions. */
#include "policy/decide/decide.h"
#include "policy/identity/mint.h"
#include "policy/identity/narrowing.h"
#include "policy/quota/limits.h"
#include "policy/store/store_write.h"
#include "tests/unit/caller_world.h"
#include "tests/unit/check.h"

static gh_heap_t heap;
static uint64_t  seed = 20261121;

#define IS(got, code) CHECK_STR(gh_str_from(got), code)

static uint32_t
next_random(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (seed >> 33) % below;
}

static void
test_lists(void)
{
    gh_error_t error;
    gh_str_t   lists = GH_STR(""), rest, item;
    unsigned   count = 0;

    CHECK(gh_narrowing_permits(lists, GH_STR("gpt")));
    CHECK_INT(gh_narrowing_add(&heap.arena, &lists, GH_STR(""), &error), GH_OK);
    CHECK_INT(lists.len, 0);
    CHECK_INT(gh_narrowing_add(&heap.arena, &lists, GH_STR("gpt-4* lla/*"), &error), GH_OK);
    CHECK_INT(gh_narrowing_add(&heap.arena, &lists, GH_STR("gpt-4.1 lla/x"), &error), GH_OK);
    CHECK_INT(gh_narrowing_add(&heap.arena, &lists, GH_STR("gpt-4* lla/*"), &error), GH_OK);
    CHECK_STR(lists, "gpt-4* lla/*\ngpt-4.1 lla/x");
    for (rest = lists; gh_narrowing_next(&rest, GH_NARROWING_LISTS, &item); count++) {
    }
    CHECK_INT(count, 2);
    CHECK(gh_narrowing_permits(lists, GH_STR("gpt-4.1")) && gh_narrowing_permits(lists, GH_STR("lla/x")));
    CHECK(!gh_narrowing_permits(lists, GH_STR("gpt-4")));                 /* the second list has it not */
    CHECK(!gh_narrowing_permits(lists, GH_STR("gpt-5")));
    CHECK(!gh_narrowing_permits(GH_STR("gpt-4.1\ngpt-5"), GH_STR("gpt-5")));   /* the first one has it not */
}

static gh_limit_t
limit(gh_level_t level, gh_dimension_t dimension, uint64_t amount)
{
    return (gh_limit_t) { .level = (uint8_t) level, .dimension = (uint8_t) dimension, .per = GH_PER_DAY, .limit_class = GH_LIMIT_RATE, .amount = amount };
}

static void
test_limits(void)
{
    gh_limits_t limits = { .count = 0 };
    gh_limit_t  one = limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, 9), other = limit(GH_LEVEL_USER, GH_COUNT_REQUESTS, 7);

    CHECK(gh_limits_tighten(&limits, &one) && gh_limits_tighten(&limits, &other));
    CHECK_INT(limits.count, 2);                                           /* of another level it is another counter's */
    one.amount = 10;
    CHECK(gh_limits_tighten(&limits, &one) && limits.items[0].amount == 9);
    one.amount = 8;
    CHECK(gh_limits_tighten(&limits, &one) && limits.items[0].amount == 8 && limits.count == 2);
    gh_limits_without(&limits, GH_LEVEL_KEY);
    CHECK(limits.count == 1 && limits.items[0].level == GH_LEVEL_USER);
    for (uint64_t i = 1; limits.count < GH_LIMITS_MAX; i++) {
        one.model = i;
        CHECK(gh_limits_tighten(&limits, &one));
    }
    one.model = 99;
    CHECK(!gh_limits_tighten(&limits, &one));
    CHECK(gh_limits_tighten(&limits, &other));                            /* no more room is needed */
    CHECK(gh_limit_valid(&other));
    other.level = GH_LEVEL_DEPLOYMENT;
    CHECK(!gh_limit_valid(&other));
}

/* ---- minted rights lie within the minter's ---- */

static const char *const models[] = { "gpt-a", "gpt-b", "lla/x", "lla/y" };
static const char *const patterns[] = { "gpt-a", "gpt-*", "lla", "lla/x", "*", "gpt-a lla/y" };
static const char *const countries[] = { "SE", "DE", "SE DE", "SE NO", "EU" };
static const char *const classes[] = { "", "internal", "secret", "secret,internal" };

static gh_str_t
some_lists(const char *const *from, uint32_t count)
{
    gh_str_t   lists = GH_STR("");
    gh_error_t error;

    for (uint32_t n = next_random(3); n > 0; n--) {
        gh_narrowing_add(&heap.arena, &lists, gh_str_from(from[next_random(count)]), &error);
    }
    return lists;
}

static bool
has_list(gh_str_t lists, gh_str_t wanted)
{
    gh_str_t one;

    while (gh_narrowing_next(&lists, GH_NARROWING_LISTS, &one)) {
        if (gh_str_eq(one, wanted)) {
            return true;
        }
    }
    return false;
}

static bool
has_class(gh_str_t list, gh_str_t wanted)
{
    gh_str_t one;

    while (gh_narrowing_next(&list, ',', &one)) {
        if (gh_str_eq(one, wanted)) {
            return true;
        }
    }
    return false;
}

static void
some_limits(gh_limits_t *limits)
{
    limits->count = 0;
    for (uint32_t n = next_random(4); n > 0; n--) {
        gh_limit_t one = limit(GH_LEVEL_KEY, (gh_dimension_t) (GH_COUNT_REQUESTS + next_random(3)), next_random(100));

        gh_limits_tighten(limits, &one);
    }
}

/* Nothing that the minter may not, whatever is asked for. */
static bool
within(const gh_identity_t *minter, const gh_minted_t *minted)
{
    gh_str_t rest = minter->own_classes, one;

    while (gh_narrowing_next(&rest, ',', &one)) {
        if (!has_class(minted->classes, one)) {
            return false;
        }
    }
    for (rest = minter->own_places; gh_narrowing_next(&rest, GH_NARROWING_LISTS, &one);) {
        if (!has_list(minted->places, one)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (gh_narrowing_permits(minted->models, gh_str_from(models[i])) && !gh_narrowing_permits(minter->own_models, gh_str_from(models[i]))) {
            return false;
        }
    }
    for (uint32_t i = 0; i < minter->limits.count; i++) {
        bool held = false;

        for (uint32_t k = 0; k < minted->limits.count; k++) {
            held = held || (gh_limit_same_counter(&minter->limits.items[i], &minted->limits.items[k]) && minted->limits.items[k].amount <= minter->limits.items[i].amount);
        }
        if (!held) {
            return false;
        }
    }
    return minter->not_after_ms == 0 || (minted->not_after_ms != 0 && minted->not_after_ms <= minter->not_after_ms);
}

static void
test_minted(void)
{
    unsigned made = 0;

    for (int i = 0; i < 20000; i++) {
        gh_identity_t minter = { .path = GH_STR("o/t/a"), .own_classes = gh_str_from(classes[next_random(4)]) };
        gh_minted_t   minted = { .classes = gh_str_from(classes[next_random(4)]) }, asked;
        gh_error_t    error = { 0 };

        minter.own_places = some_lists(countries, 5);
        minter.own_models = some_lists(patterns, 6);
        minter.not_after_ms = next_random(2) * (1000 + next_random(3));
        some_limits(&minter.limits);
        minted.places = some_lists(countries, 5);
        minted.models = some_lists(patterns, 6);
        minted.not_after_ms = next_random(2) * (1000 + next_random(3));
        some_limits(&minted.limits);
        asked = minted;
        if (gh_mint_within(&minter, GH_STR(""), GH_STR("o/t/a"), &heap.arena, &minted, &error) != GH_OK) {
            CHECK(strcmp(error.code, "mint_longer") == 0 && asked.not_after_ms > minter.not_after_ms);
            continue;
        }
        made++;
        CHECK(within(&minter, &minted));
        minter.own_classes = asked.classes;                               /* and all that was asked for */
        minter.own_places = asked.places;
        minter.own_models = asked.models;
        minter.limits = asked.limits;
        minter.not_after_ms = asked.not_after_ms;
        CHECK(within(&minter, &minted));
    }
    CHECK(made > 5000);
}

/* ---- in a store ---- */

static const char *
identify(gh_store_t *store, const char *text, gh_identity_t *identity, gh_image_t **image)
{
    static gh_error_t error;

    memset(&error, 0, sizeof(error));
    return gh_store_identify(store, gh_str_from(text), WORLD_NOW, &heap.arena, identity, image, &error) == GH_OK ? "ok" : error.code;
}

static gh_str_t
document(const char *more)
{
    return gh_str_format(&heap.arena, "{\"kind\":\"identity/1\",\"organisation\":\"nord\",\"issuers\":[{\"id\":\"login\",\"issuer\":\"i\",\"audiences\":[\"api\"],\"algorithms\":[\"ES256\"],"
        "\"keys\":{\"keys\":[%.*s]},\"user\":\"sub\",\"apps\":[{\"when\":{},\"app\":\"retail/chat\"}]%s}]}", GH_STR_ARG(caller_key(&heap.arena)), more);
}

static const char *
of_token(gh_store_t *store, const char *more, gh_identity_t *identity, gh_image_t **image)
{
    char claims[512], text[1024];

    snprintf(claims, sizeof(claims), "{\"iss\":\"i\",\"aud\":\"api\",\"exp\":%llu,\"sub\":\"anna\"%s}", (unsigned long long) WORLD_NOW / 1000 + 600, more);
    caller_token(claims, text);
    return identify(store, text, identity, image);
}

static gh_verdict_code_t
decided(const gh_image_t *image, const gh_identity_t *identity, gh_cells_t *cells, gh_decision_t *decision)
{
    gh_intake_t       intake = { .model = GH_STR("gpt"), .endpoint = GH_ENDPOINT_CHAT_COMPLETIONS, .n = 1 };
    gh_decide_input_t input = { .identity = identity, .intake = &intake, .node = GH_STR("n1"), .now_ms = WORLD_NOW, .cells = cells };
    gh_error_t        error;

    CHECK_INT(gh_decide(image, &input, &heap.arena, decision, &error), GH_OK);
    return decision->code;
}

#define TENANTS "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":[{\"id\":\"retail\",\"user_limits\":[{\"dimension\":\"requests\",\"per\":\"day\",\"amount\":9,\"class\":\"rate\"}]," \
    "\"apps\":[{\"id\":\"chat\",\"key_limits\":[{\"dimension\":\"requests\",\"per\":\"day\",\"amount\":20,\"class\":\"rate\"}]}]}]}]}"

static void
test_tokens(gh_store_t *store)
{
    gh_identity_t identity;
    gh_image_t   *image;
    gh_decision_t decision, kept;
    gh_cells_t   *cells = gh_cells_new(64u << 10);

    CHECK_INT(caller_apply(store, &heap.arena, TENANTS, document(",\"places\":[{\"claim\":\"residency\",\"values\":{\"eu\":[\"EU\"],\"no\":[\"NO\"]}}],"
        "\"narrow\":[{\"when\":{\"g\":\"m\"},\"limits\":[{\"dimension\":\"requests\",\"per\":\"day\",\"amount\":5,\"class\":\"rate\"}]}]")), GH_OK);
    IS(of_token(store, "", &identity, &image), "token_places");
    IS(of_token(store, ",\"residency\":\"mars\"", &identity, &image), "token_places");
    IS(of_token(store, ",\"residency\":[\"eu\",\"mars\"]", &identity, &image), "token_places");
    IS(of_token(store, ",\"residency\":[]", &identity, &image), "token_places");
    IS(of_token(store, ",\"residency\":7", &identity, &image), "token_places");
    for (int i = 0; i < 2; i++) {                                         /* judged, then kept */
        IS(of_token(store, ",\"residency\":\"eu\",\"g\":\"m\"", &identity, &image), "ok");
        CHECK_STR(identity.own_places, "EU");
        CHECK_INT(identity.limits.count, 2);
        CHECK(identity.limits.items[0].level == GH_LEVEL_KEY && identity.limits.items[0].amount == 20);
        CHECK(identity.limits.items[1].level == GH_LEVEL_USER && identity.limits.items[1].amount == 5);
        CHECK(identity.user_uid != 0 && decided(image, &identity, cells, &decision) == GH_DECIDED_ALLOW);
    }
    IS(of_token(store, ",\"residency\":[\"no\",\"eu\"]", &identity, &image), "ok");
    CHECK_STR(identity.own_places, "NO\nEU");
    CHECK_INT(identity.limits.items[1].amount, 9);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(decided(image, &identity, cells, &kept), GH_DENIED_RESIDENCY);
        CHECK(kept.narrowed && !kept.narrowed_by_request);
        CHECK(strstr(kept.detail.data, "key, token or certificate") != NULL);
    }
    CHECK_INT(caller_apply(store, &heap.arena, TENANTS, document(",\"places\":[{\"claim\":\"residency\",\"values\":{\"eu\":[\"EU\"]},\"optional\":true}]")), GH_OK);
    IS(of_token(store, "", &identity, &image), "ok");
    CHECK_INT(identity.own_places.len, 0);
    IS(of_token(store, ",\"residency\":\"no\"", &identity, &image), "token_places");
    gh_cells_free(cells);
}

static const char *
make(gh_store_t *store, const char *name, const char *places, const char *of_models, const gh_limit_t *limits, uint32_t count, char text[GH_KEY_TEXT + 1])
{
    static gh_error_t  error;
    static uint8_t     number = 50;
    gh_store_key_new_t key = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = GH_STR("chat"), .name = gh_str_from(name), .now_ms = WORLD_NOW, .actor = GH_STR("alice"),
                               .places = gh_str_from(places), .models = gh_str_from(of_models), .limits = limits, .limit_count = count };

    memset(&error, 0, sizeof(error));
    memset(key.random, number++, sizeof(key.random));
    return gh_store_key_create(store, &key, text, &error) == GH_OK ? "ok" : error.code;
}

static void
test_keys(gh_store_t *store)
{
    gh_limit_t            many[GH_KEY_LIMITS + 1], requests = limit(GH_LEVEL_KEY, GH_COUNT_REQUESTS, 21), wrong = limit(GH_LEVEL_USER, GH_COUNT_REQUESTS, 1);
    gh_store_key_rotate_t rotate = { .path = GH_STR("nord/retail/chat/no"), .now_ms = WORLD_NOW, .before_until_ms = WORLD_NOW, .actor = GH_STR("alice") };
    char                  text[GH_KEY_TEXT + 1], plain[GH_KEY_TEXT + 1];
    gh_identity_t         identity, other;
    gh_image_t           *image;
    gh_decision_t         decision;
    gh_cells_t           *cells = gh_cells_new(64u << 10);
    gh_error_t            error = { 0 };

    IS(make(store, "a", "ESS", "", NULL, 0, text), "place_unknown");
    IS(make(store, "a", "SE", "gtp", NULL, 0, text), "model_unknown");
    IS(make(store, "a", "SE", "", &requests, 1, text), "loosens");
    IS(make(store, "a", "SE", "", &wrong, 1, text), "invalid_request");
    for (uint32_t i = 0; i <= GH_KEY_LIMITS; i++) {
        many[i] = requests;
    }
    IS(make(store, "a", "", "", many, GH_KEY_LIMITS + 1, text), "invalid_request");
    requests.amount = 3;
    IS(make(store, "plain", "", "", NULL, 0, plain), "ok");
    IS(make(store, "no", "NO\nNO SE", "gpt*", &requests, 1, text), "ok");
    for (int i = 0; i < 2; i++) {
        IS(identify(store, plain, &other, &image), "ok");
        CHECK_INT(other.limits.count, 1);                                 /* a key is no user */
        CHECK(other.limits.items[0].amount == 20 && other.user_uid == 0 && other.own_places.len == 0);
        CHECK_INT(decided(image, &other, cells, &decision), GH_DECIDED_ALLOW);
        IS(identify(store, text, &identity, &image), "ok");
        CHECK_STR(identity.own_places, "NO\nNO SE");
        CHECK_STR(identity.own_models, "gpt*");
        CHECK(identity.limits.count == 1 && identity.limits.items[0].amount == 3);
        CHECK_INT(decided(image, &identity, cells, &decision), GH_DENIED_RESIDENCY);
    }
    memset(rotate.random, 99, sizeof(rotate.random));
    CHECK_INT(gh_store_key_rotate(store, &rotate, text, &error), GH_OK);
    IS(identify(store, text, &identity, &image), "ok");
    CHECK(gh_str_is(identity.own_places, "NO\nNO SE") && identity.limits.items[0].amount == 3);
    gh_cells_free(cells);
}

int
main(void)
{
    gh_store_t *store;
    gh_error_t  error;

    gh_heap_init(&heap);
    caller_signer = EVP_EC_gen("P-256");
    test_lists();
    test_limits();
    test_minted();
    CHECK(store_make());
    store = store_open(true, &error);
    if (CHECK(store != NULL)) {
        test_tokens(store);
        test_keys(store);
        gh_store_close(store);
    }
    store_remove();
    EVP_PKEY_free(caller_signer);
    gh_heap_free(&heap);
    return check_done("narrow");
}
