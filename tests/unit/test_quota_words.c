/* What clients and the record get of limits: headers in OpenAI's spelling, a sentence, JSON members. */
#include "tests/unit/quota_world.h"

static gh_quota_spelling_t     spelling = GH_QUOTA_OPENAI;
static const gh_record_said_t *said;              /* by a provider; NULL: nothing */

/* "name: value" lines of the headers, in order. */
static const char *
headers(const gh_quota_verdict_t *refused, uint64_t now_ms)
{
    static char       text[2048];
    gh_quota_header_t list[GH_QUOTA_HEADERS];
    unsigned          i, count = gh_quota_headers(&quota, refused, said, spelling, now_ms, &heap.arena, list);
    size_t            len = 0;

    text[0] = '\0';
    for (i = 0; i < count; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%.*s: %.*s\n", GH_STR_ARG(list[i].name), GH_STR_ARG(list[i].value));
    }

    return text;
}

#define CHECK_HEADERS(refused, now, expected) CHECK_STR(gh_str_from(headers((refused), (now))), (expected))

static void
test_headers(void)
{
    seven_limits();
    CHECK_HEADERS(NULL, NOW, "");                                  /* nothing was counted yet */
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    CHECK_HEADERS(NULL, NOW,
        "x-ratelimit-limit-requests: 10\nx-ratelimit-remaining-requests: 9\nx-ratelimit-reset-requests: 500ms\n"
        "x-ratelimit-limit-tokens: 4000\nx-ratelimit-remaining-tokens: 2568\nx-ratelimit-reset-tokens: 20h55m1s\n"
        "x-ratelimit-limit-micro-dollars: 1000000\nx-ratelimit-remaining-micro-dollars: 990704\n");
    CHECK(strstr(headers(NULL, NOW - 1), "x-ratelimit-reset-requests: 501ms\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 1000), "x-ratelimit-reset-requests: 1.5s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 1010), "x-ratelimit-reset-requests: 1.51s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 1011), "x-ratelimit-reset-requests: 1.511s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 1500), "x-ratelimit-reset-requests: 2s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 359500), "x-ratelimit-reset-requests: 6m0s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 359501), "x-ratelimit-reset-requests: 6m1s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 5000), "x-ratelimit-reset-requests: 5.5s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 59499), "x-ratelimit-reset-requests: 59.999s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 59500), "x-ratelimit-reset-requests: 1m0s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 3599499), "x-ratelimit-reset-requests: 1h0m0s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW - 3661500), "x-ratelimit-reset-requests: 1h1m2s\n") != NULL);
    CHECK(strstr(headers(NULL, NOW + 90000000), "x-ratelimit-reset-requests: 0ms\n") != NULL);

    spelling = GH_QUOTA_ANTHROPIC;
    CHECK_HEADERS(NULL, NOW,
        "anthropic-ratelimit-requests-limit: 10\nanthropic-ratelimit-requests-remaining: 9\nanthropic-ratelimit-requests-reset: 2026-11-27T03:05:00Z\n"
        "anthropic-ratelimit-tokens-limit: 4000\nanthropic-ratelimit-tokens-remaining: 2568\nanthropic-ratelimit-tokens-reset: 2026-11-28T00:00:00Z\n"
        "x-ratelimit-limit-micro-dollars: 1000000\nx-ratelimit-remaining-micro-dollars: 990704\n");
    spelling = GH_QUOTA_OPENAI;

    /* the least left in proportion */
    identity.limits.items[L_RATE].amount = quota.limits.items[L_RATE].amount = 1200;
    CHECK(strstr(headers(NULL, NOW), "x-ratelimit-limit-tokens: 1200\nx-ratelimit-remaining-tokens: 100\nx-ratelimit-reset-tokens: 500ms\n") != NULL);
    quota.values[L_TOKENS] = 4001;
    CHECK(strstr(headers(NULL, NOW), "x-ratelimit-limit-tokens: 4000\nx-ratelimit-remaining-tokens: 0\n") != NULL);
    gh_quota_undo(ledger, &quota);
}

static void
test_refusals(void)
{
    gh_quota_t first;

    seven_limits();
    identity.limits.items[L_REQUESTS].amount = 1;
    CHECK_INT(all_steps(&first, NOW), GH_OK);
    CHECK_INT(all_steps(&quota, NOW), GH_ERROR);
    CHECK_HEADERS(&verdict, NOW,
        "x-ratelimit-limit-requests: 1\nx-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 500ms\n"
        "retry-after: 1\nretry-after-ms: 500\nx-should-retry: true\n");
    CHECK_STR(gh_quota_message(&quota, &verdict, &heap.arena),
        "The limit of 1 requests per minute of this organisation is reached: 0 left, 1 needed. Try again later.");
    gh_quota_undo(ledger, &first);

    /* longer than SDKs wait */
    seven_limits();
    identity.limits.items[L_TOKENS].amount = 2000;
    CHECK_INT(all_steps(&first, NOW), GH_OK);
    CHECK_INT(all_steps(&quota, NOW), GH_ERROR);
    CHECK(strstr(headers(&verdict, NOW), "retry-after: 75301\nretry-after-ms: 75300500\nx-should-retry: false\n") != NULL);
    CHECK_STR(gh_quota_message(&quota, &verdict, &heap.arena),
        "The limit of 2000 tokens per day of this key is reached: 568 left, 1432 needed. What running requests hold and do not use comes back; a "
        "request that asks for fewer tokens may still fit.");
    gh_quota_undo(ledger, &quota);

    /* as long as they wait, and a millisecond more */
    CHECK_INT(gh_quota_admit(ledger, &identity, id, NOW - NOW % 86400000 + 86400000 - 120000, &quota, &verdict), GH_OK);
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, quota.at_ms, &quota, &verdict), GH_ERROR);
    CHECK(verdict.should_retry && verdict.retry_after_ms == 120000);
    CHECK_INT(gh_quota_reserve_attempt(ledger, &intake, &target, quota.at_ms - 1, &quota, &verdict), GH_ERROR);
    CHECK(!verdict.should_retry && verdict.retry_after_ms == 120001);
    gh_quota_undo(ledger, &quota);
    gh_quota_undo(ledger, &first);

    /* a lifetime has no end, and a request above the limit never fits */
    seven_limits();
    identity.limits.items[L_MONEY].amount = 100;
    CHECK_INT(all_steps(&quota, NOW), GH_ERROR);
    CHECK_STR(gh_quota_message(&quota, &verdict, &heap.arena),
        "The limit of 100 micro-dollars in all of this key is reached: 100 left, 9296 needed. The request alone is above it: shorten it, or ask for "
        "fewer tokens with max_completion_tokens.");
    CHECK(strstr(headers(&verdict, NOW), "retry-after") == NULL && strstr(headers(&verdict, NOW), "x-should-retry: false\n") != NULL);
    gh_quota_undo(ledger, &quota);

    seven_limits();
    identity.limits.items[L_RATE].amount = 50;
    CHECK_INT(all_steps(&quota, NOW), GH_ERROR);
    CHECK(verdict.limit == L_RATE && !verdict.should_retry && verdict.retry_after_ms == 500);
    gh_quota_undo(ledger, &quota);

    seven_limits();
    target.price.known = false;
    CHECK_INT(all_steps(&quota, NOW), GH_ERROR);
    CHECK(gh_quota_message(&quota, &verdict, &heap.arena).len != 0);
    gh_quota_undo(ledger, &quota);
}

static gh_str_t
object(void (*write)(gh_json_writer_t *w))
{
    static char      text[8192];
    gh_json_writer_t w;

    gh_json_writer_init(&w, text, sizeof(text));
    gh_json_begin_object(&w);
    write(&w);
    gh_json_end_object(&w);
    CHECK(gh_json_writer_ok(&w));

    return (gh_str_t) { text, w.len };
}

static gh_quota_charge_t charge;

static void write_reserve(gh_json_writer_t *w) { gh_quota_record_reserve(w, &quota); }
static void write_attempt(gh_json_writer_t *w) { gh_quota_record_reserve_attempt(w, &quota); }
static void write_limit(gh_json_writer_t *w) { gh_quota_record_limit(w, &quota, &verdict); }
static void write_charge(gh_json_writer_t *w) { gh_quota_record_charge(w, &charge); }
static void write_charged(gh_json_writer_t *w) { gh_quota_record_charged(w, &quota); }

static void
test_record(void)
{
    char expected[2048];

    fresh();
    CHECK_STR(object(write_reserve), "{}");

    limit(GH_LEVEL_TENANT, GH_COUNT_REQUESTS, GH_PER_MINUTE, GH_LIMIT_RATE, 10);
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_MONTH, GH_LIMIT_BUDGET, 4000);
    limit(GH_LEVEL_KEY, GH_COUNT_INPUT, GH_PER_DAY, GH_LIMIT_SHADOW, 50);
    identity.limits.items[1].model = gh_model_number(GH_STR("gpt"));
    intake.max_tokens = 2000;
    CHECK_INT(all_steps(&quota, NOW), GH_OK);

    snprintf(expected, sizeof(expected),
        "{\"reserve\":{\"at\":%llu,\"input\":432,\"output\":1000,\"tokens\":1432,\"micro_dollars\":9296,\"output_cap\":1000,\"deployment\":\"azure-se\","
        "\"counted\":{\"text_bytes\":400,\"messages\":2,\"prompts\":1,\"images\":0,\"unbounded\":0,\"n\":1,\"max_tokens\":2000},\"limits\":["
        "{\"level\":\"tenant\",\"uid\":%llu,\"dimension\":\"requests\",\"per\":\"minute\",\"class\":\"rate\",\"limit\":10,\"window\":29929144,"
        "\"amount\":1,\"value\":1},"
        "{\"level\":\"key\",\"uid\":%llu,\"dimension\":\"tokens\",\"per\":\"month\",\"class\":\"budget\",\"model\":\"gpt\",\"limit\":4000,\"window\":24322,"
        "\"amount\":1432,\"value\":1432},"
        "{\"level\":\"key\",\"uid\":%llu,\"dimension\":\"input\",\"per\":\"day\",\"class\":\"shadow\",\"limit\":50,\"window\":20784,\"amount\":100,"
        "\"value\":100,\"shadowed\":true}]}}", (unsigned long long) NOW, (unsigned long long) identity.tenant_uid,
        (unsigned long long) identity.key_uid, (unsigned long long) identity.key_uid);
    CHECK_STR(object(write_reserve), expected);
    CHECK(strstr(object(write_attempt).data, "requests") == NULL && strstr(object(write_attempt).data, "\"tokens\",\"per\":\"month\"") != NULL);

    gh_quota_settle_attempt(ledger, &target, &(gh_quota_use_t) { .charge = GH_CHARGE_ANSWER,
        .usage = { .reported = true, .input = 4000, .output = 10 } }, &quota, &charge);
    CHECK_STR(object(write_charge), "{\"charged\":{\"input\":4000,\"output\":10,\"tokens\":4010,\"micro_dollars\":8080,\"source\":\"reported\"}}");
    CHECK_STR(object(write_charged), "{\"charged\":{\"requests\":1,\"input\":4000,\"output\":10,\"tokens\":4010,\"micro_dollars\":8080},"
        "\"shadowed\":true,\"over_reserved\":true}");
    gh_quota_end(ledger, &quota);

    CHECK_INT(all_steps(&quota, NOW), GH_ERROR);
    snprintf(expected, sizeof(expected),
        "{\"limit\":{\"level\":\"key\",\"uid\":%llu,\"dimension\":\"tokens\",\"per\":\"month\",\"class\":\"budget\",\"model\":\"gpt\",\"limit\":4000,"
        "\"window\":24322,\"amount\":1432,\"value\":4010}}", (unsigned long long) identity.key_uid);
    CHECK_STR(object(write_limit), expected);
    gh_quota_undo(ledger, &quota);
}

/* Without memory there are no headers rather than half of them. */
static void
test_no_memory(void)
{
    gh_quota_header_t list[GH_QUOTA_HEADERS];

    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    heap.limit = 0;
    CHECK_INT(gh_quota_headers(&quota, NULL, NULL, GH_QUOTA_OPENAI, NOW, &heap.arena, list), 0);
    heap.limit = 1;
    CHECK_INT(gh_quota_headers(&quota, NULL, NULL, GH_QUOTA_OPENAI, NOW, &heap.arena, list), 8);
    heap.limit = SIZE_MAX;
    gh_quota_undo(ledger, &quota);
}

/* Where a key has no limit of a kind, what a provider's account has left of it. */
static void
test_allowances(void)
{
    gh_record_said_t provider = { .allowance = { { 9, 8, 7 }, { 5000, -1, 90000 }, { 100, 0, -1 }, { -1, -1, 1500 } } };

    seven_limits();
    CHECK_INT(all_steps(&quota, NOW), GH_OK);
    spelling = GH_QUOTA_OPENAI;
    said = &provider;
    CHECK_HEADERS(NULL, NOW,
        "x-ratelimit-limit-requests: 10\nx-ratelimit-remaining-requests: 9\nx-ratelimit-reset-requests: 500ms\n"
        "x-ratelimit-limit-tokens: 4000\nx-ratelimit-remaining-tokens: 2568\nx-ratelimit-reset-tokens: 20h55m1s\n"
        "x-ratelimit-limit-input-tokens: 100\nx-ratelimit-remaining-input-tokens: 0\nx-ratelimit-reset-output-tokens: 1.5s\n"
        "x-ratelimit-limit-micro-dollars: 1000000\nx-ratelimit-remaining-micro-dollars: 990704\n");

    memset(&quota, 0, sizeof(quota));
    CHECK_HEADERS(NULL, NOW,
        "x-ratelimit-limit-requests: 9\nx-ratelimit-remaining-requests: 8\nx-ratelimit-reset-requests: 7ms\n"
        "x-ratelimit-limit-tokens: 5000\nx-ratelimit-reset-tokens: 1m30s\n"
        "x-ratelimit-limit-input-tokens: 100\nx-ratelimit-remaining-input-tokens: 0\nx-ratelimit-reset-output-tokens: 1.5s\n");
    spelling = GH_QUOTA_ANTHROPIC;
    CHECK(strstr(headers(NULL, UINT64_C(1795773600000)), "anthropic-ratelimit-tokens-limit: 5000\nanthropic-ratelimit-tokens-reset: 2026-11-27T10:01:30Z\n") != NULL);
    spelling = GH_QUOTA_OPENAI;
    said = NULL;
    CHECK_HEADERS(NULL, NOW, "");
}

int
main(void)
{
    world_begin();
    test_headers();
    test_refusals();
    test_record();
    test_no_memory();
    test_allowances();

    return world_end("quota words");
}
