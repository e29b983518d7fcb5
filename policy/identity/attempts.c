/*
 * Two tables of a fixed size. Of an address: the moment at which it will have all its attempts again. Where there is no place left, the address that comes nearest to that is
 * forgotten: who has thousands of addresses has thousands of times the attempts, and nobody else fewer. Of accepted tokens: a part of their digest. Of all addresses together: such
 * a moment, too.
 */
#include "policy/identity/attempts.h"

#include <stdlib.h>
#include <string.h>

#include "policy/base/error.h"

#define SETS  1024u
#define WAYS  4u
#define GOOD  4096u

typedef struct { uint64_t address, full_ms; } place_t;      /* full_ms not in the future: it has all of them */

struct gh_attempts_s {
    gh_hmac_t *hmac;
    place_t    all;
    place_t    places[SETS][WAYS];
    uint64_t   good[GOOD];
};

gh_attempts_t *
gh_attempts_new(gh_hmac_t *hmac)
{
    gh_attempts_t *attempts = calloc(1, sizeof(*attempts));

    if (attempts != NULL) {
        attempts->hmac = hmac;
    }
    return attempts;
}

void
gh_attempts_free(gh_attempts_t *attempts)
{
    free(attempts);
}

/* What stands for an address. 0: it is none. An IPv4 address is the same however it is written. */
static uint64_t
number_of(const gh_attempts_t *attempts, gh_bytes_t address)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    const uint8_t       *bytes = address.data;
    gh_bytes_t           counts = address;
    uint8_t              digest[32];
    uint64_t             number;

    if (address.len != 4 && address.len != 16) {
        return 0;
    }
    if (address.len == 16) {
        counts = memcmp(bytes, mapped, sizeof(mapped)) == 0 ? (gh_bytes_t) { bytes + 12, 4 } : (gh_bytes_t) { bytes, 8 };
    }
    if (gh_hmac(attempts->hmac, (gh_bytes_t[]) { { "attempts", sizeof("attempts") }, counts }, 2, digest) != GH_OK) {
        return 0;
    }
    memcpy(&number, digest, sizeof(number));
    return number | 1;
}

static uint64_t
part_of(const uint8_t digest[32])
{
    uint64_t part;

    memcpy(&part, digest, sizeof(part));
    return part | 1;
}

/* How long until it has all of them. More than can be owed: the clock went back, and it has none. */
static uint64_t
left_of(const place_t *place, uint64_t burst, uint64_t back_ms, uint64_t now_ms)
{
    uint64_t most = (burst + GH_ATTEMPTS_DEBT) * back_ms;
    uint64_t left = place->full_ms > now_ms ? place->full_ms - now_ms : 0;

    return left <= most ? left : burst * back_ms;
}

static uint64_t
until_full(const place_t *place, uint64_t now_ms)
{
    return left_of(place, GH_ATTEMPTS_BURST, GH_ATTEMPTS_BACK_MS, now_ms);
}

static uint64_t
until_all_full(const gh_attempts_t *attempts, uint64_t now_ms)
{
    return left_of(&attempts->all, GH_ATTEMPTS_ALL_BURST, GH_ATTEMPTS_ALL_BACK_MS, now_ms);
}

/* One, as far as there is one, and one for each GH_ATTEMPTS_BYTES, which may be owed. */
static void
take(place_t *place, uint64_t left_ms, uint64_t back_ms, uint64_t burst, uint64_t bytes, uint64_t now_ms)
{
    uint64_t more = bytes / GH_ATTEMPTS_BYTES, one_ms = left_ms + back_ms < burst * back_ms ? left_ms + back_ms : burst * back_ms;

    one_ms = one_ms < left_ms ? left_ms : one_ms;
    more = more < GH_ATTEMPTS_DEBT ? more : GH_ATTEMPTS_DEBT;
    one_ms += more * back_ms;
    place->full_ms = now_ms + (one_ms < (burst + GH_ATTEMPTS_DEBT) * back_ms ? one_ms : (burst + GH_ATTEMPTS_DEBT) * back_ms);
}

bool
gh_attempts_may(const gh_attempts_t *attempts, gh_bytes_t address, const uint8_t digest[32], uint64_t now_ms, uint64_t *wait_ms)
{
    uint64_t all = until_all_full(attempts, now_ms), number, part = part_of(digest);

    *wait_ms = 0;
    if (all <= (GH_ATTEMPTS_ALL_BURST - 1) * GH_ATTEMPTS_ALL_BACK_MS) {
        return true;
    }
    all -= (GH_ATTEMPTS_ALL_BURST - 1) * GH_ATTEMPTS_ALL_BACK_MS;
    number = number_of(attempts, address);
    if (number == 0 || attempts->good[part / 2 % GOOD] == part) {
        return true;
    }
    for (unsigned i = 0; i < WAYS; i++) {
        const place_t *place = &attempts->places[number / 2 % SETS][i];
        uint64_t       left = place->address == number ? until_full(place, now_ms) : 0;

        if (left > (GH_ATTEMPTS_BURST - 1) * GH_ATTEMPTS_BACK_MS) {
            left -= (GH_ATTEMPTS_BURST - 1) * GH_ATTEMPTS_BACK_MS;
            *wait_ms = left < all ? left : all;
            return false;
        }
    }
    return true;
}

void
gh_attempts_accepted(gh_attempts_t *attempts, const uint8_t digest[32])
{
    uint64_t part = part_of(digest);

    attempts->good[part / 2 % GOOD] = part;
}

void
gh_attempts_refused(gh_attempts_t *attempts, gh_bytes_t address, const uint8_t *digest, uint64_t bytes, uint64_t now_ms)
{
    uint64_t number = number_of(attempts, address), part = digest != NULL ? part_of(digest) : 0;
    place_t *set, *place;

    if (part != 0 && attempts->good[part / 2 % GOOD] == part) {
        attempts->good[part / 2 % GOOD] = 0;
    }
    take(&attempts->all, until_all_full(attempts, now_ms), GH_ATTEMPTS_ALL_BACK_MS, GH_ATTEMPTS_ALL_BURST, bytes, now_ms);
    if (number == 0) {
        return;
    }
    set = attempts->places[number / 2 % SETS];
    place = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].address == number) {
            place = &set[i];
            break;
        }
        if (until_full(&set[i], now_ms) < until_full(place, now_ms)) {
            place = &set[i];
        }
    }
    take(place, place->address == number ? until_full(place, now_ms) : 0, GH_ATTEMPTS_BACK_MS, GH_ATTEMPTS_BURST, bytes, now_ms);
    place->address = number;
}
