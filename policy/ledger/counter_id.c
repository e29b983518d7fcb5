/* What a counter counts, as 16 bytes; windows of time. */
#include "policy/base/hash.h"
#include "policy/ledger/ledger_internal.h"

#define DAY_MS UINT64_C(86400000)

uint64_t
gh_model_number(gh_str_t name)
{
    uint8_t  digest[32];
    uint64_t number = 0;

    gh_sha256(name.data, name.len, digest);
    for (int i = 7; i >= 0; i--) {
        number = number << 8 | digest[i];
    }
    return number == 0 ? 1 : number;
}

/*
 * Proleptic Gregorian calendar. Years are taken to begin in March, so that the leap day is the last one; 400 years have 146,097 days. Day 0 is
 * 1970-01-01, which is day 719,468 after 0000-03-01.
 */
static uint32_t
month_of_day(uint64_t day)
{
    uint64_t shifted = day + 719468, era = shifted / 146097, of_era = shifted % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100), from_march = (5 * of_year + 2) / 153;
    uint64_t month = from_march < 10 ? from_march + 2 : from_march - 10;

    return (uint32_t) ((year + era * 400 + (month < 2)) * 12 + month);
}

static uint64_t
first_day_of_month(uint32_t number)
{
    uint64_t month = number % 12, year = number / 12 - (month < 2), era = year / 400, of_era = year % 400;
    uint64_t of_year = (153 * (month < 2 ? month + 10 : month - 2) + 2) / 5;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

uint32_t
gh_window_number(gh_per_t per, uint64_t now_ms)
{
    switch (per) {
    case GH_PER_SECOND:
        return (uint32_t) (now_ms / 1000);
    case GH_PER_MINUTE:
        return (uint32_t) (now_ms / 60000);
    case GH_PER_DAY:
        return (uint32_t) (now_ms / DAY_MS);
    case GH_PER_MONTH:
        return month_of_day(now_ms / DAY_MS);
    case GH_PER_NONE:
        break;
    }
    return 0;
}

uint64_t
gh_window_end(gh_per_t per, uint32_t number)
{
    uint64_t next = (uint64_t) number + 1;

    switch (per) {
    case GH_PER_SECOND:
        return next * 1000;
    case GH_PER_MINUTE:
        return next * 60000;
    case GH_PER_DAY:
        return next * DAY_MS;
    case GH_PER_MONTH:
        return first_day_of_month((uint32_t) next) * DAY_MS;
    case GH_PER_NONE:
        break;
    }
    return 0;
}
