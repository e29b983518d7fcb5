/* What the `gatehouse key` commands share: times as people write them, random bytes, the nearest name. */
#include "policy/cli/key.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define DAY_MS    86400000ull
#define DAYS_MAX  36500
#define SPAN_MAX  (366 * DAY_MS)
#define NEAR_KEYS 10000

const char gh_cli_key_words[] =
    "API keys of applications. A key belongs to org/tenant/app of the tenants/1 document in force and is\n"
    "stored only as a keyed hash. Keys stand beside the revisions: no rollback revives a revoked one. A key\n"
    "may do what its app may; what is said of the key itself only takes away.\n";

/* Digits, below limit * 10; *end stands behind them. */
static uint64_t
number(const char *text, uint64_t limit, const char **end)
{
    uint64_t n = 0;

    for (*end = text; isdigit((unsigned char) **end) && n <= limit; ++*end) {
        n = n * 10 + (uint64_t) (**end - '0');
    }

    return n;
}

int
gh_cli_key_expires(const char *text, uint64_t now_ms, uint64_t *not_after_ms, gh_error_t *error)
{
    const char *p;
    uint64_t    days = number(text, DAYS_MAX, &p);

    if (p != text && strcmp(p, "d") == 0) {
        if (days == 0 || days > DAYS_MAX) {
            return gh_error_set(error, "invalid_request", "%s: from 1d to %dd", text, DAYS_MAX);
        }
        *not_after_ms = now_ms + days * DAY_MS;
        return GH_OK;
    }

    if (strlen(text) != 10 || gh_cli_time_parse(text, not_after_ms) != GH_OK) {
        return gh_error_set(error, "invalid_request", "%s is neither a day such as 2027-01-31 nor a number of days such as 90d", text);
    }

    *not_after_ms += DAY_MS;
    if (*not_after_ms <= now_ms) {
        return gh_error_set(error, "invalid_request", "%s is over already", text);
    }

    return GH_OK;
}

int
gh_cli_key_span(const char *text, uint64_t *ms, gh_error_t *error)
{
    static const struct { const char *unit; uint64_t ms; } units[] = { { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", DAY_MS } };
    const char *p;
    uint64_t    n = number(text, SPAN_MAX, &p);

    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return GH_OK;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && p != text; i++) {
        if (strcmp(p, units[i].unit) == 0 && n <= SPAN_MAX / units[i].ms) {
            *ms = n * units[i].ms;
            return GH_OK;
        }
    }

    return gh_error_set(error, "invalid_request", "%s is no time such as 15m, 24h or 7d, of at most 366d", text);
}

int
gh_cli_key_random(const gh_cli_t *cli, uint8_t random[32])
{
    if (getrandom(random, 32, 0) != 32) {
        return gh_cli_fail(cli, "the system gives no random bytes: %s", strerror(errno));
    }

    return GH_EXIT_DONE;
}

/* The key of the same app whose name is nearest, or none. */
static gh_str_t
nearest(const gh_cli_t *cli, gh_store_t *store, const gh_cli_path_t *path)
{
    gh_str_t        below = gh_str_format(cli->arena, "%.*s/%.*s/%.*s", GH_STR_ARG(path->org), GH_STR_ARG(path->tenant),
        GH_STR_ARG(path->app));
    gh_store_key_t *keys;
    gh_str_t       *names;
    gh_error_t      error = { 0 };
    size_t          count, live = 0;

    if (below.data == NULL
        || gh_store_key_list(store, below, gh_cli_now_ms(), cli->arena, &keys, &count, &error) != GH_OK
        || (names = gh_arena_array(cli->arena, count, sizeof(gh_str_t))) == NULL)
    {
        return GH_STR("");
    }

    for (size_t i = 0; i < count && live < NEAR_KEYS; i++) {
        if (keys[i].state != GH_KEY_REVOKED) {
            names[live++] = keys[i].name;
        }
    }

    return gh_str_nearest(path->key, names, live);
}

void
gh_cli_key_advise(const gh_cli_t *cli, gh_store_t *store, const gh_cli_path_t *path)
{
    gh_str_t near = nearest(cli, store, path);

    if (near.len > 0) {
        gh_cli_advise("did you mean %.*s/%.*s/%.*s/%.*s?", GH_STR_ARG(path->org), GH_STR_ARG(path->tenant),
            GH_STR_ARG(path->app), GH_STR_ARG(near));
    }
    gh_cli_advise("gatehouse key list%s", gh_cli_store_words(cli));
}
