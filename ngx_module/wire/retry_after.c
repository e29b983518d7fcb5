/*
 * How long a backend asks to be left alone: retry-after-ms (OpenAI, Azure), then retry-after as decimal seconds or as
 * an HTTP date.
 */
#include "ngx_module/wire/http_date.h"
#include "ngx_module/wire/wire.h"

#define WAIT_MAX_MS   UINT64_C(3600000)
#define DIGITS_MAX    12                  /* more is no number anybody means */

/* A decimal number times scale. false: unreadable. */
static bool
decimal_parse(gh_str_t text, uint64_t scale, uint64_t *out)
{
    uint64_t whole = 0, part = 0, unit = scale;
    size_t   i = 0;

    for (; i < text.len && i < DIGITS_MAX && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        whole = whole * 10 + (uint64_t) (text.data[i] - '0');
    }
    if (i == 0) {
        return false;
    }

    if (i < text.len && text.data[i] == '.') {
        for (i++; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
            unit /= 10;
            part += (uint64_t) (text.data[i] - '0') * unit;
        }
    }

    if (i != text.len) {
        return false;
    }

    *out = whole * scale + part;
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
        at = gh_http_date_ms(retry_after, now_ms);
        wait = at > 0 && (uint64_t) at > now_ms ? (uint64_t) at - now_ms : 0;
    }

    return wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
}
