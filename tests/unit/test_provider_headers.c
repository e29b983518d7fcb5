/* What providers say in headers, as their APIs document it; -1, absent and unreadable are nothing said. */
#include "tests/unit/check.h"

#include "ngx_module/wire/wire.h"

#define NOW_MS UINT64_C(1795777000000)   /* 2026-11-27T10:56:40Z */

static gh_heap_t heap;

static bool
say(gh_record_said_t **said, const char *name, const char *value)
{
    return gh_provider_header(&heap.arena, said, gh_str_from(name), gh_str_from(value), NOW_MS);
}

static void
test_values(void)
{
    static const struct { const char *name, *value; unsigned kind; char word; int64_t expected; } cases[] = {
        { "x-ratelimit-limit-requests", "5000", 0, 'l', 5000 }, { "X-RateLimit-Remaining-Tokens", "0", 1, 'r', 0 },
        { "x-ratelimit-reset-requests", "12ms", 0, 't', 12 }, { "x-ratelimit-reset-tokens", "6m0s", 1, 't', 360000 },
        { "x-ratelimit-reset-tokens", "1h2m3.5s", 1, 't', 3723500 }, { "x-ratelimit-reset-requests", "7", 0, 't', 7000 },
        { "x-ratelimit-reset-requests", "0", 0, 't', 0 }, { "x-ratelimit-reset-requests", "1.25s", 0, 't', 1250 },
        { "x-ratelimit-limit-tokens", "-1", 1, 'l', -1 }, { "x-ratelimit-remaining-tokens", "", 1, 'r', -1 }, { "x-ratelimit-remaining-tokens", "1e3", 1, 'r', -1 },
        { "x-ratelimit-remaining-tokens", "99999999999999999999", 1, 'r', -1 }, { "x-ratelimit-reset-tokens", "soon", 1, 't', -1 },
        { "x-ratelimit-reset-tokens", "5m-", 1, 't', -1 }, { "x-ratelimit-reset-tokens", "999999999999h", 1, 't', -1 }, { "x-ratelimit-reset-tokens", "5", 1, 't', 5000 },
        { "anthropic-ratelimit-requests-limit", "50", 0, 'l', 50 }, { "anthropic-ratelimit-input-tokens-remaining", "1000", 2, 'r', 1000 },
        { "anthropic-ratelimit-output-tokens-reset", "2026-11-27T10:56:50Z", 3, 't', 10000 }, { "anthropic-ratelimit-tokens-reset", "2020-01-01T00:00:00Z", 1, 't', 0 },
        { "anthropic-ratelimit-tokens-reset", "2226-01-01T00:00:00Z", 1, 't', -1 }, { "anthropic-ratelimit-tokens-limit", " 7 ", 1, 'l', 7 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_record_said_t            *said = NULL;
        const gh_record_allowance_t *one;
        int64_t                      got;

        CHECK(say(&said, cases[i].name, cases[i].value));
        CHECK((said != NULL) == (cases[i].expected >= 0));
        one = said != NULL ? &said->allowance[cases[i].kind] : &(gh_record_allowance_t) { -1, -1, -1 };
        got = cases[i].word == 'l' ? one->limit : cases[i].word == 'r' ? one->remaining : one->reset_ms;
        if (!CHECK_INT(got, cases[i].expected)) {
            fprintf(stderr, "    %s: %s\n", cases[i].name, cases[i].value);
        }
    }
}

static void
test_others(void)
{
    static const char *const others[] = { "x-ratelimit-", "x-ratelimit-limit", "x-ratelimit-limit-images", "x-ratelimit-used-tokens", "x-ratelimit-limit-input-tokens",
        "anthropic-ratelimit-", "anthropic-ratelimit-limit", "anthropic-ratelimit--limit", "anthropic-ratelimit-tokens-used", "x-request-id", "x-ms-rai-invoked", "a", "x" };
    gh_record_said_t *said = NULL;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (!CHECK(!say(&said, others[i], "1"))) {
            fprintf(stderr, "    %s\n", others[i]);
        }
    }
    CHECK(said == NULL);

    CHECK(say(&said, "x-ms-region", "East US 2") && say(&said, "X-MS-Deployment-Name", "gpt"));
    CHECK_STR(said->region, "East US 2");
    CHECK_STR(said->deployment, "gpt");
}

/* A number alone says when nothing is left; what has something left, or has no limit, is not waited for. */
static void
test_wait(void)
{
    gh_record_said_t *said = NULL;

    CHECK_INT(gh_provider_wait_ms(NULL), 0);
    say(&said, "x-ratelimit-remaining-requests", "3");
    say(&said, "x-ratelimit-reset-requests", "90s");
    CHECK_INT(gh_provider_wait_ms(said), 0);
    say(&said, "x-ratelimit-remaining-tokens", "0");
    CHECK_INT(gh_provider_wait_ms(said), 0);
    say(&said, "x-ratelimit-reset-tokens", "4s");
    CHECK_INT(gh_provider_wait_ms(said), 4000);
    say(&said, "x-ratelimit-remaining-requests", "0");
    CHECK_INT(gh_provider_wait_ms(said), 90000);
    say(&said, "x-ratelimit-reset-requests", "300h");
    CHECK_INT(gh_provider_wait_ms(said), 3600000);
}

int
main(void)
{
    gh_heap_init(&heap);
    test_values();
    test_others();
    test_wait();
    gh_heap_free(&heap);
    return check_done("provider_headers");
}
