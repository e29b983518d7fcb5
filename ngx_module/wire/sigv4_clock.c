/* The difference of our clock and a backend's, from its refusals. */
#include "ngx_module/wire/sigv4.h"

#include <string.h>

#include "ngx_module/wire/http_date.h"

#define DIFFERENCE_MIN INT64_C(60000)   /* ms; a Date has whole seconds, an answer takes some, and AWS lets 5 minutes pass */

/* What AWS answers to a time it does not take; some of it to other mistakes too. */
static bool
may_be_the_clock(int status, gh_str_t type)
{
    static const char *const types[] = {
        "AuthFailure", "InvalidSignatureException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
    };
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (gh_str_is(type, types[i])) {
            return status >= 400 && status <= 499;
        }
    }

    return false;
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
gh_sigv4_date_ms(gh_str_t text)
{
    const char *p = text.data;
    int         year, month, day, hour, minute, second;

    if (text.len != 16 || !digits(p, 4, &year) || !digits(p + 4, 2, &month) || !digits(p + 6, 2, &day) || p[8] != 'T' || !digits(p + 9, 2, &hour)
        || !digits(p + 11, 2, &minute) || !digits(p + 13, 2, &second) || p[15] != 'Z')
    {
        return -1;
    }

    return gh_utc_ms(year, month - 1, day, hour, minute, second);
}

/* "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z (20150830T124600Z - 5 min.)": the backend's is in parentheses. */
static int64_t
sentence_ms(gh_str_t message)
{
    size_t i;

    for (i = 0; i + 17 <= message.len; i++) {
        if (message.data[i] == '(') {
            int64_t at = gh_sigv4_date_ms((gh_str_t) { message.data + i + 1, 16 });

            if (at >= 0) {
                return at;
            }
        }
    }

    return -1;
}

bool
gh_sigv4_learn_skew(int status, gh_str_t error_type, gh_str_t message, gh_str_t date, uint64_t now_ms, int64_t *skew_ms)
{
    int64_t at, skew, change;

    if (!may_be_the_clock(status, error_type) || now_ms > INT64_MAX / 2) {
        return false;
    }

    at = gh_http_date_ms(gh_str_trim(date), now_ms);
    if (at < 0) {
        at = sentence_ms(message);
    }
    if (at < 0) {
        return false;
    }

    skew = at - (int64_t) now_ms;
    change = skew - *skew_ms;
    if ((change < DIFFERENCE_MIN && change > -DIFFERENCE_MIN)
        || skew > (int64_t) GH_SIGV4_SKEW_MAX || skew < -(int64_t) GH_SIGV4_SKEW_MAX)
    {
        return false;
    }

    *skew_ms = skew;
    return true;
}
