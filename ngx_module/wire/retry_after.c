/*
 * How long a backend asks to be left alone: retry-after-ms (OpenAI, Azure), then retry-after as decimal seconds or as
 * an HTTP date in the three forms of RFC 9110 section 5.6.7. No locale, no time zone tables.
 */
#include <string.h>

#include "ngx_module/wire/wire.h"

#define WAIT_MAX_MS   UINT64_C(3600000)
#define DIGITS_MAX    12                  /* more is no number anybody means */

typedef struct {
    const char *p, *end;
} cursor_t;

typedef struct {
    int64_t year;
    int     month, day, hour, minute, second;   /* month from 0 */
} date_t;

/* Decimal digits, at least min and at most max of them. */
static bool
take_number(cursor_t *c, int min, int max, int64_t *out)
{
    int64_t value = 0;
    int     i;

    for (i = 0; i < max && c->p < c->end && *c->p >= '0' && *c->p <= '9'; i++) {
        value = value * 10 + (*c->p++ - '0');
    }

    *out = value;
    return i >= min;
}

static bool
take_int(cursor_t *c, int min, int max, int *out)
{
    int64_t value;

    if (!take_number(c, min, max, &value)) {
        return false;
    }

    *out = (int) value;
    return true;
}

static bool
take_char(cursor_t *c, char expected)
{
    if (c->p == c->end || *c->p != expected) {
        return false;
    }

    c->p++;
    return true;
}

static bool
take_month(cursor_t *c, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    if (c->end - c->p < 3) {
        return false;
    }

    for (*month = 0; *month < 12; (*month)++) {
        if (memcmp(c->p, names + *month * 3, 3) == 0) {
            c->p += 3;
            return true;
        }
    }

    return false;
}

static bool
take_time(cursor_t *c, date_t *d)
{
    return take_int(c, 2, 2, &d->hour) && take_char(c, ':')
        && take_int(c, 2, 2, &d->minute) && take_char(c, ':')
        && take_int(c, 2, 2, &d->second);
}

static bool
take_gmt(cursor_t *c)
{
    return c->end - c->p == 4 && memcmp(c->p, " GMT", 4) == 0;
}

/* The weekday and what follows it are read past: they say nothing new. */
static bool
take_weekday(cursor_t *c, bool *comma)
{
    const char *start = c->p;

    while (c->p < c->end && ((*c->p >= 'A' && *c->p <= 'Z') || (*c->p >= 'a' && *c->p <= 'z'))) {
        c->p++;
    }

    if (c->p - start < 3 || c->p - start > 9) {
        return false;
    }

    *comma = take_char(c, ',');
    return take_char(c, ' ');
}

/* Days from 1970-01-01, Gregorian. */
static int64_t
days_from_civil(int64_t year, int month, int day)
{
    int64_t era, year_of_era, day_of_year, m = month + 1;

    year -= m <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool
date_valid(const date_t *d)
{
    static const int days[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return d->day >= 1 && d->day <= days[d->month]
        && d->hour <= 23 && d->minute <= 59 && d->second <= 60;
}

/* Milliseconds since 1970, or -1. now_ms places the two-digit years of RFC 850. */
static int64_t
date_parse(gh_str_t text, uint64_t now_ms)
{
    cursor_t c = { text.data, text.len != 0 ? text.data + text.len : text.data };
    date_t   d = { 0, 0, 0, 0, 0, 0 };
    int64_t  now_year = 1970 + (int64_t) (now_ms / 1000 / 31556952);
    bool     comma, good;

    if (text.len == 0 || !take_weekday(&c, &comma)) {
        return -1;
    }

    if (!comma) {
        /* asctime: Sun Nov  6 08:49:37 1994 */
        good = take_month(&c, &d.month) && take_char(&c, ' ')
            && (take_char(&c, ' ') ? take_int(&c, 1, 1, &d.day) : take_int(&c, 2, 2, &d.day))
            && take_char(&c, ' ') && take_time(&c, &d) && take_char(&c, ' ')
            && take_number(&c, 4, 4, &d.year) && c.p == c.end;

    } else if (c.end - c.p > 2 && c.p[2] == '-') {
        /* RFC 850: Sunday, 06-Nov-94 08:49:37 GMT */
        good = take_int(&c, 2, 2, &d.day) && take_char(&c, '-') && take_month(&c, &d.month) && take_char(&c, '-')
            && take_number(&c, 2, 2, &d.year) && take_char(&c, ' ') && take_time(&c, &d) && take_gmt(&c);
        d.year += now_year / 100 * 100;
        if (d.year > now_year + 50) {
            d.year -= 100;
        } else if (d.year < now_year - 50) {
            d.year += 100;
        }

    } else {
        /* Sun, 06 Nov 1994 08:49:37 GMT */
        good = take_int(&c, 2, 2, &d.day) && take_char(&c, ' ') && take_month(&c, &d.month) && take_char(&c, ' ')
            && take_number(&c, 4, 4, &d.year) && take_char(&c, ' ') && take_time(&c, &d) && take_gmt(&c);
    }

    if (!good || !date_valid(&d)) {
        return -1;
    }

    return ((days_from_civil(d.year, d.month, d.day) * 24 + d.hour) * 3600 + d.minute * 60 + d.second) * 1000;
}

/* A decimal number times scale. false: unreadable. */
static bool
decimal_parse(gh_str_t text, uint64_t scale, uint64_t *out)
{
    cursor_t c = { text.data, text.len != 0 ? text.data + text.len : text.data };
    int64_t  whole;
    uint64_t part = 0, unit = scale;

    if (text.len == 0 || !take_number(&c, 1, DIGITS_MAX, &whole)) {
        return false;
    }

    if (take_char(&c, '.')) {
        for (; c.p < c.end && *c.p >= '0' && *c.p <= '9'; c.p++) {
            unit /= 10;
            part += (uint64_t) (*c.p - '0') * unit;
        }
    }

    if (c.p != c.end) {
        return false;
    }

    *out = (uint64_t) whole * scale + part;
    return true;
}

uint64_t
gh_retry_after_ms(gh_str_t retry_after_ms, gh_str_t retry_after, uint64_t now_ms)
{
    uint64_t wait;
    int64_t  at;

    retry_after_ms = gh_str_trim(retry_after_ms);
    retry_after = gh_str_trim(retry_after);

    if (!decimal_parse(retry_after_ms, 1, &wait) && !decimal_parse(retry_after, 1000, &wait)) {
        at = date_parse(retry_after, now_ms);
        wait = at > 0 && (uint64_t) at > now_ms ? (uint64_t) at - now_ms : 0;
    }

    return wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
}
