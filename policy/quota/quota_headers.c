/* What clients get: rate limit headers as OpenAI or as Anthropic spell them, and a sentence for a refusal. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "policy/quota/quota_internal.h"

/* ---- the tightest limit of a kind ---- */

typedef struct {
    gh_str_t limit, remaining, reset;
} names_t;

typedef struct {
    names_t names[GH_QUOTA_SPELLINGS];
    uint8_t dimension;
} kind_t;

#define NAME(literal) { literal, sizeof(literal) - 1 }
#define OPENAI(name)    { NAME("x-ratelimit-limit-" name), NAME("x-ratelimit-remaining-" name), NAME("x-ratelimit-reset-" name) }
#define ANTHROPIC(name) { NAME("anthropic-ratelimit-" name "-limit"), NAME("anthropic-ratelimit-" name "-remaining"), NAME("anthropic-ratelimit-" name "-reset") }
#define KIND(name, dimension) { { OPENAI(name), ANTHROPIC(name) }, dimension }

static const kind_t kinds[] = {
    KIND("requests", GH_COUNT_REQUESTS),
    KIND("tokens", GH_COUNT_TOKENS),
    KIND("input-tokens", GH_COUNT_INPUT),
    KIND("output-tokens", GH_COUNT_OUTPUT),
    { { OPENAI("micro-dollars"), OPENAI("micro-dollars") }, GH_COUNT_MICRO_DOLLARS },   /* ours alone */
};

_Static_assert(GH_RECORD_ALLOWANCES == 4, "providers' allowances are the first kinds");

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

_Static_assert(KINDS * 3 + 3 <= GH_QUOTA_HEADERS, "room for all headers");

static uint64_t
left_of(const gh_quota_t *quota, unsigned limit)
{
    uint64_t amount = quota->limits.items[limit].amount, value = quota->values[limit];

    return value < amount ? amount - value : 0;
}

/* Has a less left in proportion than b? On a tie the one that comes back later. */
static bool
tighter(const gh_quota_t *quota, unsigned a, unsigned b)
{
    const gh_limit_t *la = &quota->limits.items[a], *lb = &quota->limits.items[b];
    unsigned __int128 left_a = (unsigned __int128) left_of(quota, a) * lb->amount;
    unsigned __int128 left_b = (unsigned __int128) left_of(quota, b) * la->amount;

    if (la->amount == 0 || lb->amount == 0) {
        return la->amount == 0 && lb->amount != 0;
    }

    return left_a != left_b ? left_a < left_b : la->per > lb->per;
}

/* Index in limits, or -1: nothing of the kind was looked at. Shadow limits are nobody's business but the operator's. */
static int
tightest(const gh_quota_t *quota, unsigned dimension, int refused)
{
    int      found = -1;
    unsigned i;

    for (i = 0; i < quota->limits.count; i++) {
        const gh_limit_t *limit = &quota->limits.items[i];

        if (limit->dimension != dimension || limit->limit_class == GH_LIMIT_SHADOW
            || (quota->seen & GH_BIT(i)) == 0 || (quota->left_out & GH_BIT(i)) != 0)
        {
            continue;
        }
        if ((int) i == refused) {
            return refused;
        }
        if (found < 0 || tighter(quota, i, (unsigned) found)) {
            found = (int) i;
        }
    }

    return found;
}

/* ---- header values ---- */

#define VALUE_MAX GH_STR_DIGITS   /* bytes: the longest duration, of 2^64 - 1 ms, is as long */
#define MOMENT     (sizeof("2026-11-27T10:00:00Z") - 1)
#define VALUES_MAX (GH_QUOTA_HEADERS * VALUE_MAX + GH_STR_DIGITS)

/* Three digits at most, with zeros in front; those at the end are left out. */
static size_t
put_fraction(unsigned ms, char *out)
{
    out[0] = (char) ('0' + ms / 100);
    out[1] = (char) ('0' + ms / 10 % 10);
    out[2] = (char) ('0' + ms % 10);

    return ms % 100 == 0 ? 1 : ms % 10 == 0 ? 2 : 3;
}

static size_t
put_unit(uint64_t n, const char *unit, size_t unit_len, char *out)
{
    size_t len = gh_u64_put(n, out);

    memcpy(out + len, unit, unit_len);

    return len + unit_len;
}

/* Go's spelling of a duration, as OpenAI's headers have it: "12ms", "1.5s", "6m0s", "23h59m59s". Whole seconds, rounded up, from a minute on. */
static size_t
put_duration(uint64_t ms, char *out)
{
    uint64_t s = ms / 1000;
    unsigned rest = (unsigned) (ms % 1000);
    size_t   len = 0;

    if (ms < 1000) {
        return put_unit(ms, "ms", 2, out);
    }

    if (s < 60 && rest != 0) {
        len = put_unit(s, ".", 1, out);
        len += put_fraction(rest, out + len);
        out[len++] = 's';
        return len;
    }

    s += rest != 0;
    if (s >= 3600) {
        len = put_unit(s / 3600, "h", 1, out);
    }
    if (s >= 60) {
        len += put_unit(s / 60 % 60, "m", 1, out + len);
    }

    return len + put_unit(s % 60, "s", 1, out + len);
}

/* The second it is in, rounded up: RFC 3339, as Anthropic's headers have it. VALUE_MAX bytes; no year is above 9999. */
static size_t
put_moment(uint64_t ms, char *out)
{
    char      text[64];
    time_t    seconds = (time_t) (ms / 1000 + (ms % 1000 != 0));
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900) {
        return put_unit(0, "", 0, out);
    }

    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(out, text, MOMENT);

    return MOMENT;
}

typedef struct {
    gh_quota_header_t *headers;
    unsigned           count;
    char              *text;          /* where the next value goes */
} headers_t;

static void
put(headers_t *out, gh_str_t name, gh_str_t value)
{
    out->headers[out->count++] = (gh_quota_header_t) { name, value };
}

/* The value stands behind out->text, and is len long. */
static void
put_made(headers_t *out, gh_str_t name, size_t len)
{
    put(out, name, (gh_str_t) { out->text, len });
    out->text += len;
}

static void
put_number(headers_t *out, gh_str_t name, uint64_t n)
{
    put_made(out, name, gh_u64_put(n, out->text));
}

static void
put_kind(headers_t *out, const gh_quota_t *quota, const names_t *names, bool moments, unsigned limit, uint64_t now_ms)
{
    const gh_limit_t *l = &quota->limits.items[limit];
    uint64_t          end;

    put_number(out, names->limit, l->amount);
    put_number(out, names->remaining, left_of(quota, limit));

    if (l->per != GH_PER_NONE) {
        end = gh_window_end((gh_per_t) l->per, gh_window_number((gh_per_t) l->per, quota->at_ms));
        end = end > now_ms ? end : now_ms;
        put_made(out, names->reset, moments ? put_moment(end, out->text) : put_duration(end - now_ms, out->text));
    }
}

/* As a provider said it of its account, as far as it did. */
static void
put_allowance(headers_t *out, const gh_record_allowance_t *allowance, const names_t *names, bool moments, uint64_t now_ms)
{
    if (allowance->limit >= 0) {
        put_number(out, names->limit, (uint64_t) allowance->limit);
    }
    if (allowance->remaining >= 0) {
        put_number(out, names->remaining, (uint64_t) allowance->remaining);
    }
    if (allowance->reset_ms >= 0) {
        put_made(out, names->reset, moments ? put_moment(now_ms + (uint64_t) allowance->reset_ms, out->text)
                                            : put_duration((uint64_t) allowance->reset_ms, out->text));
    }
}

unsigned
gh_quota_headers(const gh_quota_t *quota, const gh_quota_verdict_t *verdict, const gh_record_said_t *said, gh_quota_spelling_t spelling, uint64_t now_ms, gh_arena_t *arena,
    gh_quota_header_t headers[GH_QUOTA_HEADERS])
{
    headers_t out = { .headers = headers, .text = arena->alloc(arena, VALUES_MAX) };
    size_t    i;
    int       limit;

    if (out.text == NULL) {
        return 0;
    }

    for (i = 0; i < KINDS; i++) {
        limit = tightest(quota, kinds[i].dimension, verdict != NULL ? verdict->limit : -1);
        if (limit >= 0) {
            put_kind(&out, quota, &kinds[i].names[spelling], spelling == GH_QUOTA_ANTHROPIC && kinds[i].dimension != GH_COUNT_MICRO_DOLLARS, (unsigned) limit, now_ms);
        } else if (said != NULL && verdict == NULL && i < GH_RECORD_ALLOWANCES) {
            put_allowance(&out, &said->allowance[i], &kinds[i].names[spelling], spelling == GH_QUOTA_ANTHROPIC, now_ms);
        }
    }

    if (verdict != NULL) {
        if (verdict->retry_after_ms != 0) {
            put_number(&out, GH_STR("retry-after"), verdict->retry_after_ms / 1000 + (verdict->retry_after_ms % 1000 != 0));
            put_number(&out, GH_STR("retry-after-ms"), verdict->retry_after_ms);
        }
        put(&out, GH_STR("x-should-retry"), verdict->should_retry ? GH_STR("true") : GH_STR("false"));
    }

    return out.count;
}

/* ---- the sentence ---- */

static const char *
what_of(unsigned dimension)
{
    switch (dimension) {
    case GH_COUNT_REQUESTS:      return "requests";
    case GH_COUNT_TOKENS:        return "tokens";
    case GH_COUNT_INPUT:         return "input tokens";
    case GH_COUNT_OUTPUT:        return "output tokens";
    case GH_COUNT_MICRO_DOLLARS: return "micro-dollars";
    case GH_COUNT_IN_FLIGHT:     return "requests at a time";
    default:                     return "streams at a time";
    }
}

static const char *
window_of(const gh_limit_t *limit)
{
    switch (limit->per) {
    case GH_PER_SECOND: return " per second";
    case GH_PER_MINUTE: return " per minute";
    case GH_PER_DAY:    return " per day";
    case GH_PER_MONTH:  return " per month";
    default:            return limit->dimension == GH_COUNT_MICRO_DOLLARS ? " in all" : "";
    }
}

static const char *
advice_for(const gh_limit_t *limit, const gh_quota_verdict_t *verdict)
{
    bool used = limit->dimension != GH_COUNT_REQUESTS && limit->dimension != GH_COUNT_IN_FLIGHT && limit->dimension != GH_COUNT_STREAMS;

    if (used && verdict->amount > limit->amount) {
        return " The request alone is above it: shorten it, or ask for fewer tokens with max_completion_tokens.";
    }
    if (verdict->held) {
        return " Running requests hold the rest: try again in a moment, or ask for fewer tokens.";
    }
    if (verdict->should_retry) {
        return " Try again later.";
    }
    if (used) {
        return " What running requests hold and do not use comes back; a request that asks for fewer tokens may still fit.";
    }

    return "";
}

gh_str_t
gh_quota_message(const gh_quota_t *quota, const gh_quota_verdict_t *verdict, gh_arena_t *arena)
{
    const gh_limit_t *limit;

    if (strcmp(verdict->code, "unpriced_model") == 0) {
        return gh_str_copy(arena, GH_STR("No deployment of this model says what a request may cost at most, and a limit asks for it."));
    }

    if (strcmp(verdict->code, "ledger_full") == 0 || verdict->limit < 0 || (uint32_t) verdict->limit >= quota->limits.count) {
        return gh_str_copy(arena, GH_STR("The limits of this key cannot be counted at the moment."));
    }

    limit = &quota->limits.items[verdict->limit];

    return gh_str_format(arena, "The limit of %llu %s%s of this %s%s%.*s is reached: %llu left, %llu needed.%s",
        (unsigned long long) limit->amount, what_of(limit->dimension), window_of(limit), gh_level_names[limit->level % GH_LEVELS],
        limit->model != 0 ? " for model " : "", GH_STR_ARG(limit->model != 0 ? quota->model : GH_STR("")),
        (unsigned long long) left_of(quota, (unsigned) verdict->limit), (unsigned long long) verdict->amount,
        advice_for(limit, verdict));
}
