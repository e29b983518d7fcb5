/*
 * What providers say of themselves in headers: who answered where, and what their account has left. x-ratelimit-{limit,remaining,reset}-{requests,tokens} of
 * OpenAI (resets "12ms", "6m0s") and Azure (whole seconds), anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset} (resets
 * RFC 3339), x-ms-region, x-ms-deployment-name. Azure says -1 where it does not know: that is nothing said.
 */
#include <string.h>

#include "ngx_module/wire/http_date.h"
#include "ngx_module/wire/wire.h"

#define NAME_MAX_BYTES 128
#define RESET_MAX_MS   (INT64_C(366) * 86400 * 1000)
#define WAIT_MAX_MS    INT64_C(3600000)
#define NUMBER_MAX     (INT64_C(1) << 53)

static const char *const openai_kinds[GH_RECORD_ALLOWANCES] = { "requests", "tokens", NULL, NULL };
static const char *const anthropic_kinds[GH_RECORD_ALLOWANCES] = { "requests", "tokens", "input-tokens", "output-tokens" };
static const char *const words[3] = { "limit", "remaining", "reset" };

static bool
takes(gh_str_t *text, const char *word)
{
    gh_str_t prefix = gh_str_from(word);

    if (text->len < prefix.len || !gh_str_eq_nocase((gh_str_t) { text->data, prefix.len }, prefix)) {
        return false;
    }
    text->data += prefix.len;
    text->len -= prefix.len;
    return true;
}

/* A whole number, -1: none. */
static int64_t
number_read(gh_str_t text)
{
    int64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || value > NUMBER_MAX) {
            return -1;
        }
        value = value * 10 + (text.data[i] - '0');
    }

    return text.len != 0 && value <= NUMBER_MAX ? value : -1;
}

/* "6m0s", "12ms", "1.5s", "1h2m3s": milliseconds; -1: no such thing. */
static int64_t
duration_read(gh_str_t text)
{
    static const struct { const char *unit; int64_t ms; } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    int64_t total = 0;

    if (text.len == 0) {
        return -1;
    }

    while (text.len != 0) {
        int64_t whole = 0, thousandths = 0, place = 100;
        size_t  i = 0, u;

        for (; i < text.len && i < 12 && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
            whole = whole * 10 + (text.data[i] - '0');
        }
        if (i == 0) {
            return -1;
        }
        if (i < text.len && text.data[i] == '.') {
            for (i++; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
                thousandths += (text.data[i] - '0') * place;
                place /= 10;
            }
        }
        text.data += i;
        text.len -= i;

        for (u = 0; u < sizeof(units) / sizeof(units[0]) && !takes(&text, units[u].unit); u++) { }
        if (u == sizeof(units) / sizeof(units[0]) || whole > RESET_MAX_MS) {
            return -1;
        }
        total += whole * units[u].ms + thousandths * units[u].ms / 1000;
        if (total > RESET_MAX_MS) {
            return -1;
        }
    }

    return total;
}

static int64_t
reset_read(gh_str_t text, uint64_t now_ms)
{
    int64_t value = number_read(text), at;

    if (value >= 0) {
        return value <= RESET_MAX_MS / 1000 ? value * 1000 : -1;
    }

    at = gh_utc_text_ms(text);
    if (at >= 0) {
        at = at > (int64_t) now_ms ? at - (int64_t) now_ms : 0;
        return at <= RESET_MAX_MS ? at : -1;
    }

    return duration_read(text);
}

static int
find(const char *const *list, int count, gh_str_t word)
{
    for (int i = 0; i < count; i++) {
        if (list[i] != NULL && gh_str_eq_nocase(word, gh_str_from(list[i]))) {
            return i;
        }
    }
    return -1;
}

static gh_record_said_t *
said_of(gh_arena_t *arena, gh_record_said_t **said)
{
    if (*said == NULL && (*said = gh_arena_alloc(arena, sizeof(**said))) != NULL) {
        memset(*said, 0, sizeof(**said));
        for (unsigned i = 0; i < GH_RECORD_ALLOWANCES; i++) {
            (*said)->allowance[i] = (gh_record_allowance_t) { -1, -1, -1 };
        }
    }

    return *said;
}

static bool
allowance_set(gh_arena_t *arena, gh_record_said_t **said, int kind, int word, gh_str_t value, uint64_t now_ms)
{
    gh_record_allowance_t *allowance;
    int64_t                number;

    if (kind < 0 || word < 0) {
        return false;
    }

    number = word == 2 ? reset_read(value, now_ms) : number_read(value);
    if (number >= 0 && said_of(arena, said) != NULL) {
        allowance = &(*said)->allowance[kind];
        *(word == 0 ? &allowance->limit : word == 1 ? &allowance->remaining : &allowance->reset_ms) = number;
    }

    return true;
}

bool
gh_provider_header(gh_arena_t *arena, gh_record_said_t **said, gh_str_t name, gh_str_t value, uint64_t now_ms)
{
    gh_str_t    rest = name, *kept;
    const char *dash;
    bool        region;

    value = gh_str_trim(value);

    if (takes(&rest, "x-ratelimit-")) {
        dash = memchr(rest.data, '-', rest.len);
        return dash != NULL
            && allowance_set(arena, said, find(openai_kinds, GH_RECORD_ALLOWANCES, (gh_str_t) { dash + 1, (size_t) (rest.data + rest.len - dash - 1) }),
                   find(words, 3, (gh_str_t) { rest.data, (size_t) (dash - rest.data) }), value, now_ms);
    }

    if (takes(&rest, "anthropic-ratelimit-")) {
        dash = rest.data + rest.len;
        while (dash > rest.data && dash[-1] != '-') {
            dash--;
        }
        return dash > rest.data
            && allowance_set(arena, said, find(anthropic_kinds, GH_RECORD_ALLOWANCES, (gh_str_t) { rest.data, (size_t) (dash - 1 - rest.data) }),
                   find(words, 3, (gh_str_t) { dash, (size_t) (rest.data + rest.len - dash) }), value, now_ms);
    }

    region = gh_str_eq_nocase(name, GH_STR("x-ms-region"));
    if (!region && !gh_str_eq_nocase(name, GH_STR("x-ms-deployment-name"))) {
        return false;
    }

    if (value.len != 0 && value.len <= NAME_MAX_BYTES && said_of(arena, said) != NULL) {
        kept = region ? &(*said)->region : &(*said)->deployment;
        *kept = gh_str_copy(arena, value);
    }

    return true;
}

uint64_t
gh_provider_wait_ms(const gh_record_said_t *said)
{
    int64_t wait = 0;

    for (unsigned i = 0; said != NULL && i < GH_RECORD_ALLOWANCES; i++) {
        const gh_record_allowance_t *allowance = &said->allowance[i];

        if (allowance->remaining == 0 && allowance->limit != 0 && allowance->reset_ms > wait) {
            wait = allowance->reset_ms;
        }
    }

    return (uint64_t) (wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS);
}
