/* Dates of HTTP (RFC 9110 section 5.6.7, all three forms) and UTC in numbers. No locale, no time zone tables. */
#ifndef GH_HTTP_DATE_H
#define GH_HTTP_DATE_H

#include <stdint.h>

#include "policy/base/str.h"

/* Milliseconds since 1970, or -1: no date, or one before that. now_ms places the two-digit years of RFC 850. */
int64_t gh_http_date_ms(gh_str_t text, uint64_t now_ms);

/* The same of numbers; month from 0. -1: no such day or time. A leap second is the next one. */
int64_t gh_utc_ms(int64_t year, int month, int day, int hour, int minute, int second);

/* "2026-11-27T08:00:00Z" (RFC 3339), fractions of a second, which are not read, and "+00:00" too. -1: no such thing. */
int64_t gh_utc_text_ms(gh_str_t text);

#endif
