/* Tokens refused in vain, by address: how many, when there are more again, whom it does not concern. */
#include "policy/identity/attempts.h"

#include <string.h>

#include "tests/unit/check.h"

#define NOW UINT64_C(1790000000000)

static gh_attempts_t *attempts;
static const uint8_t  forged[32] = { 1 }, good[32] = { 2 };

static gh_bytes_t
v4(uint32_t number, uint8_t bytes[4])
{
    memcpy(bytes, &number, 4);
    return (gh_bytes_t) { bytes, 4 };
}

/* The worker refuses so many that addresses are told apart. */
static void
drain(uint64_t now_ms)
{
    for (unsigned i = 0; i < GH_ATTEMPTS_ALL_BURST; i++) {
        gh_attempts_refused(attempts, (gh_bytes_t) { "", 0 }, forged, 0, now_ms);
    }
}

static unsigned
many(gh_bytes_t address, uint64_t now_ms)
{
    uint64_t wait;
    unsigned count = 0;

    drain(now_ms);
    while (count < 1000 && gh_attempts_may(attempts, address, forged, now_ms, &wait)) {
        CHECK_INT(wait, 0);
        gh_attempts_refused(attempts, address, forged, 0, now_ms);
        count++;
    }
    return count;
}

/* One address alone, with no drain: as many as the worker has, all its own long gone. */
static void
test_all(void)
{
    uint8_t  a[4], b[4];
    uint64_t wait, now = NOW - 3600000;
    unsigned count = 0;

    while (count < 1000 && gh_attempts_may(attempts, v4(9, a), forged, now, &wait)) {
        gh_attempts_refused(attempts, v4(9, a), forged, 0, now);
        count++;
    }
    CHECK_INT(count, GH_ATTEMPTS_ALL_BURST);
    CHECK_INT(wait, GH_ATTEMPTS_ALL_BACK_MS);
    CHECK(gh_attempts_may(attempts, v4(10, b), forged, now, &wait));                    /* it has its own */
    CHECK(!gh_attempts_may(attempts, v4(9, a), forged, now + GH_ATTEMPTS_ALL_BACK_MS - 1, &wait) && wait == 1);
    CHECK(gh_attempts_may(attempts, v4(9, a), forged, now + GH_ATTEMPTS_ALL_BACK_MS, &wait));
    gh_attempts_refused(attempts, v4(9, a), forged, 0, now + GH_ATTEMPTS_ALL_BACK_MS);
    CHECK(!gh_attempts_may(attempts, v4(9, a), forged, now + GH_ATTEMPTS_ALL_BACK_MS, &wait));
    for (unsigned i = 0; i < 500; i++) {                                                /* fewer than come back: never held back */
        now += 2 * GH_ATTEMPTS_ALL_BACK_MS;
        CHECK(gh_attempts_may(attempts, v4(9, a), forged, now, &wait));
        gh_attempts_refused(attempts, v4(9, a), forged, 0, now);
    }
}

static void
test_budget(void)
{
    uint8_t  a[4], b[4], mapped[16] = { 0 }, wide[16] = { 0x20, 1 };
    uint64_t wait;

    CHECK_INT(many(v4(1, a), NOW), GH_ATTEMPTS_BURST);
    CHECK(!gh_attempts_may(attempts, v4(1, a), forged, NOW, &wait) && wait == GH_ATTEMPTS_ALL_BACK_MS);
    drain(NOW + GH_ATTEMPTS_BACK_MS - 1);
    CHECK(!gh_attempts_may(attempts, v4(1, a), forged, NOW + GH_ATTEMPTS_BACK_MS - 1, &wait) && wait == 1);
    CHECK_INT(many(v4(1, a), NOW + GH_ATTEMPTS_BACK_MS), 1);
    CHECK_INT(many(v4(1, a), NOW + 4 * GH_ATTEMPTS_BACK_MS), 3);
    CHECK_INT(many(v4(1, a), NOW + 100 * GH_ATTEMPTS_BACK_MS), GH_ATTEMPTS_BURST);      /* never more than all of them */
    CHECK_INT(many(v4(2, b), NOW), GH_ATTEMPTS_BURST);
    memset(mapped + 10, 0xff, 2);
    memcpy(mapped + 12, b, 4);
    CHECK_INT(many((gh_bytes_t) { mapped, 16 }, NOW), 0);                               /* the same address */
    CHECK_INT(many((gh_bytes_t) { wide, 16 }, NOW), GH_ATTEMPTS_BURST);
    wide[15] = 7;
    CHECK_INT(many((gh_bytes_t) { wide, 16 }, NOW), 0);                                 /* of the same network */
    wide[7] = 7;
    CHECK_INT(many((gh_bytes_t) { wide, 16 }, NOW), GH_ATTEMPTS_BURST);
    CHECK_INT(many((gh_bytes_t) { "", 0 }, NOW), 1000);                                 /* a socket without an address */
}

/* A clock that goes back by days takes nobody's attempts away for days. */
static void
test_clock(void)
{
    uint64_t wait, then = NOW - 86400000;
    uint8_t  a[4];

    CHECK_INT(many(v4(3, a), NOW), GH_ATTEMPTS_BURST);
    CHECK(!gh_attempts_may(attempts, v4(3, a), forged, then, &wait) && wait == GH_ATTEMPTS_ALL_BACK_MS);
    gh_attempts_refused(attempts, v4(3, a), forged, 0, then);
    CHECK(gh_attempts_may(attempts, v4(3, a), forged, then + GH_ATTEMPTS_ALL_BACK_MS, &wait));
    drain(then + GH_ATTEMPTS_BACK_MS);
    CHECK(gh_attempts_may(attempts, v4(3, a), forged, then + GH_ATTEMPTS_BACK_MS, &wait));
}

/* What is long counts by its length, beyond what there is; and what was cut short takes nobody's good name. */
static void
test_long(void)
{
    uint64_t wait, now = NOW + 7200000;
    uint8_t  a[4], b[4];

    gh_attempts_refused(attempts, v4(105, a), forged, 0, now);
    CHECK(gh_attempts_may(attempts, v4(105, a), forged, now, &wait));
    gh_attempts_refused(attempts, v4(105, a), forged, UINT64_C(300) * GH_ATTEMPTS_BYTES, now);
    CHECK(!gh_attempts_may(attempts, v4(105, a), forged, now, &wait) && wait == (302 - (GH_ATTEMPTS_ALL_BURST - 1)) * GH_ATTEMPTS_ALL_BACK_MS);
    CHECK(gh_attempts_may(attempts, v4(106, b), forged, now, &wait));
    now += 300 * GH_ATTEMPTS_ALL_BACK_MS;
    drain(now);                                                                          /* the address owes still when the worker is asked again */
    CHECK(!gh_attempts_may(attempts, v4(105, a), forged, now, &wait));
    CHECK_INT(many(v4(105, a), now + 302 * GH_ATTEMPTS_BACK_MS), GH_ATTEMPTS_BURST);

    now += 7200000;
    gh_attempts_refused(attempts, v4(107, a), forged, UINT64_MAX, now);                    /* no more than can be owed */
    CHECK(!gh_attempts_may(attempts, v4(107, a), forged, now, &wait) && wait == (GH_ATTEMPTS_DEBT + 1 - (GH_ATTEMPTS_ALL_BURST - 1)) * GH_ATTEMPTS_ALL_BACK_MS);
    drain(now);
    gh_attempts_refused(attempts, v4(107, a), forged, UINT64_MAX, now);
    CHECK(!gh_attempts_may(attempts, v4(107, a), forged, now, &wait) && wait == (GH_ATTEMPTS_DEBT + 1) * GH_ATTEMPTS_ALL_BACK_MS);

    gh_attempts_accepted(attempts, good);
    gh_attempts_refused(attempts, v4(107, a), NULL, GH_ATTEMPTS_BYTES, now);
    CHECK(gh_attempts_may(attempts, v4(107, a), good, now, &wait));
    gh_attempts_refused(attempts, v4(107, a), good, GH_ATTEMPTS_BYTES, now);
    CHECK(!gh_attempts_may(attempts, v4(107, a), good, now, &wait));
}

static void
test_good(void)
{
    uint8_t  a[4];
    uint64_t wait;

    CHECK_INT(many(v4(4, a), NOW), GH_ATTEMPTS_BURST);
    CHECK(!gh_attempts_may(attempts, v4(4, a), good, NOW, &wait));
    gh_attempts_accepted(attempts, good);
    CHECK(gh_attempts_may(attempts, v4(4, a), good, NOW, &wait) && wait == 0);
    CHECK(!gh_attempts_may(attempts, v4(4, a), forged, NOW, &wait));
    gh_attempts_refused(attempts, v4(4, a), good, 0, NOW);                                 /* it has expired, say: it counts from now on */
    CHECK(!gh_attempts_may(attempts, v4(4, a), good, NOW, &wait));
}

/* More addresses than there are places: whoever is new has all attempts, and what is forgotten is what had most left. */
static void
test_crowd(void)
{
    uint8_t  a[4];
    uint64_t wait;
    unsigned held = 0;

    CHECK_INT(many(v4(5, a), NOW), GH_ATTEMPTS_BURST);
    for (uint32_t i = 1000; i < 21000; i++) {
        CHECK(gh_attempts_may(attempts, v4(i, a), forged, NOW, &wait));
        gh_attempts_refused(attempts, v4(i, a), forged, 0, NOW);
        held += !gh_attempts_may(attempts, v4(5, a), forged, NOW, &wait);
    }
    CHECK_INT(held, 20000);
}

int
main(void)
{
    static const uint8_t key[32] = { 9 };
    gh_hmac_t           *hmac = gh_hmac_new(key, sizeof(key));

    attempts = gh_attempts_new(hmac);
    if (CHECK(attempts != NULL)) {
        test_all();
        test_budget();
        test_clock();
        test_long();
        test_good();
        test_crowd();
    }
    gh_attempts_free(attempts);
    gh_hmac_free(hmac);
    return check_done("attempts");
}
