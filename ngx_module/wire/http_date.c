#include "ngx_module/wire/http_date.h"

#include <string.h>

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

/* February has its 29th in every year. */
int64_t
gh_utc_ms(int64_t year, int month, int day, int hour, int minute, int second)
{
    static const int days[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (year < 1970 || month < 0 || month > 11 || day < 1 || day > days[month] || hour > 23 || minute > 59 || second > 60) {
        return -1;
    }

    return ((days_from_civil(year, month, day) * 24 + hour) * 3600 + minute * 60 + second) * 1000;
}

int64_t
gh_http_date_ms(gh_str_t text, uint64_t now_ms)
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

    return good ? gh_utc_ms(d.year, d.month, d.day, d.hour, d.minute, d.second) : -1;
}

static bool
digits(const char *p, int count, int *out)
{
    *out = 0;
    for (; count != 0; count--, p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        *out = *out * 10 + (*p - '0');
    }

    return true;
}

int64_t
gh_utc_text_ms(gh_str_t text)
{
    int     year, month, day, hour, minute, second;
    int64_t at = -1;
    size_t  i = 19;

    if (text.len >= 20 && digits(text.data, 4, &year) && text.data[4] == '-' && digits(text.data + 5, 2, &month) && text.data[7] == '-'
        && digits(text.data + 8, 2, &day) && (text.data[10] == 'T' || text.data[10] == 't') && digits(text.data + 11, 2, &hour)
        && text.data[13] == ':' && digits(text.data + 14, 2, &minute) && text.data[16] == ':' && digits(text.data + 17, 2, &second))
    {
        if (text.data[i] == '.') {
            for (i++; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) { }
        }
        text = (gh_str_t) { text.data + i, text.len - i };
        if (gh_str_is(text, "Z") || gh_str_is(text, "z") || gh_str_is(text, "+00:00")) {
            at = gh_utc_ms(year, month - 1, day, hour, minute, second);
        }
    }

    return at;
}
