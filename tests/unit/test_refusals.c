/* Refused credentials: every short history of answers of three tenants against a list of all that happened, then waits, probes and what ends them. */
#include "policy/ledger/backend_state.h"

#include <string.h>

#include "tests/unit/check.h"

#define T0 UINT64_C(1764201600000)               /* some day, ms */

/* ---- until it is out ---- */

enum { REFUSED_A, REFUSED_B, REFUSED_C, ACCEPTED_NOW, ACCEPTED_OF_BEFORE, REPLACED, LATER, KINDS };
#define HISTORY 7u
#define PAUSE   (GH_REFUSAL_WINDOW_MS * 2 / 3)

static unsigned histories, outs, wrong;

/* 0: it is not out; 1: for one tenant; 2: for everybody. From the list alone. */
static unsigned
expected(const uint8_t *history, unsigned length)
{
    unsigned met[3] = { 0 }, sum = 0;
    uint64_t now = T0, begun = 0;

    for (unsigned i = 0; i < length; i++) {
        unsigned what = history[i], tenants;

        now += what == LATER ? PAUSE : 1;
        if (what == ACCEPTED_NOW || what == REPLACED) {
            sum = 0;
        }
        if (what > REFUSED_C) {
            continue;
        }
        if (sum == 0 || now - begun > GH_REFUSAL_WINDOW_MS) {
            memset(met, 0, sizeof(met));
            sum = 0;
            begun = now;
        }
        met[what]++;
        sum++;
        tenants = (met[0] > 0) + (met[1] > 0) + (met[2] > 0);
        if (sum >= GH_REFUSALS) {
            return tenants > 1 ? 2 : 1;
        }
    }
    return 0;
}

static void
every_history(const gh_refusal_t *before, uint8_t *history, unsigned length, uint64_t now)
{
    for (unsigned what = 0; what < KINDS; what++) {
        gh_refusal_t refusal = gh_refusal_unpack(gh_refusal_pack(before));
        uint64_t     then = now + (what == LATER ? PAUSE : 1);
        unsigned     is;

        history[length] = (uint8_t) what;
        if (what <= REFUSED_C) {
            gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, what + 1, then, then);
        } else if (what == ACCEPTED_NOW || what == REPLACED) {
            gh_refusal_step_tell(&refusal, what == REPLACED ? GH_REFUSAL_REPLACED : GH_REFUSAL_ACCEPTED, 1, then, then);
        } else if (what == ACCEPTED_OF_BEFORE) {
            gh_refusal_step_tell(&refusal, GH_REFUSAL_ACCEPTED, 1, T0, then);
        }
        is = refusal.is == GH_REFUSAL_IS_NONE ? 0 : refusal.tenants[0] != 0 ? 1 : 2;
        histories++;
        outs += is != 0;
        if (is != expected(history, length + 1) && wrong++ < 5) {
            fprintf(stderr, "    history of %u: %u\n", length + 1, is);
        }
        if (is == 0 && length + 1 < HISTORY) {
            every_history(&refusal, history, length + 1, then);
        }
    }
}

static void
test_counts(void)
{
    gh_refusal_t refusal = { 0 };
    uint8_t      history[HISTORY];

    every_history(&refusal, history, 0, T0);
    CHECK_INT(wrong, 0);
    CHECK(histories > 100000 && outs > 10000);
}

/* ---- and after ---- */

static gh_refusal_t
out(uint32_t second)
{
    gh_refusal_t refusal = { 0 };

    for (unsigned i = 0; i < GH_REFUSALS; i++) {
        gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, i == 1 ? second : 1, T0, T0);
    }
    CHECK_INT(refusal.is, GH_REFUSAL_IS_OUT);
    return gh_refusal_unpack(gh_refusal_pack(&refusal));
}

static void
test_probes(void)
{
    gh_refusal_t refusal = out(2);
    uint64_t     now = T0;

    /* each probe that is refused doubles the wait, to a bound; nobody but the probe is let through */
    for (unsigned i = 0; i < GH_REFUSAL_DOUBLINGS + 3; i++) {
        uint64_t hold = (uint64_t) GH_REFUSAL_HOLD_MS << (i < GH_REFUSAL_DOUBLINGS ? i : GH_REFUSAL_DOUBLINGS);

        CHECK(hold <= GH_REFUSAL_HOLD_MAX_MS);
        CHECK_INT(gh_refusal_wait_ms(&refusal, now), hold);
        CHECK_INT(gh_refusal_step_ask(&refusal, 3, now + hold - 1), GH_REFUSAL_OUT);
        now += hold;
        CHECK_INT(gh_refusal_step_ask(&refusal, 3, now), GH_REFUSAL_PROBE);
        CHECK_INT(gh_refusal_step_ask(&refusal, 4, now + 1), GH_REFUSAL_OUT);
        CHECK(!gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, 4, now - 1, now + 1));
        CHECK(!gh_refusal_step_tell(&refusal, GH_REFUSAL_ACCEPTED, 4, T0 - 1, now + 1));
        CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, 3, now, now + 1));
        refusal = gh_refusal_unpack(gh_refusal_pack(&refusal));
        now++;
    }
    /* one that dies gives way, one that says nothing at once; what it says then is late; a success ends it */
    now += GH_REFUSAL_HOLD_MAX_MS;
    CHECK_INT(gh_refusal_step_ask(&refusal, 3, now), GH_REFUSAL_PROBE);
    CHECK_INT(gh_refusal_step_ask(&refusal, 3, now + GH_REFUSAL_PROBE_MS - 1), GH_REFUSAL_OUT);
    CHECK_INT(gh_refusal_step_ask(&refusal, 5, now + GH_REFUSAL_PROBE_MS), GH_REFUSAL_PROBE);
    CHECK(!gh_refusal_step_tell(&refusal, GH_REFUSAL_NO_WORD, 3, now, now + GH_REFUSAL_PROBE_MS));
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_NO_WORD, 5, now + GH_REFUSAL_PROBE_MS, now + GH_REFUSAL_PROBE_MS + 1));
    now += GH_REFUSAL_PROBE_MS + 1;
    CHECK_INT(gh_refusal_step_ask(&refusal, 6, now), GH_REFUSAL_PROBE);
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_ACCEPTED, 6, now, now + 9));
    CHECK(refusal.is == GH_REFUSAL_IS_NONE && gh_refusal_step_ask(&refusal, 7, now + 9) == GH_REFUSAL_MAY);
    CHECK(!gh_refusal_step_tell(&refusal, GH_REFUSAL_ACCEPTED, 6, now, now + 9) && !gh_refusal_step_tell(&refusal, GH_REFUSAL_REPLACED, 0, now, now + 9));
}

static void
test_one_tenant(void)
{
    gh_refusal_t refusal = out(1);

    CHECK_INT(gh_refusal_step_ask(&refusal, 1, T0 + 1), GH_REFUSAL_OUT);
    CHECK_INT(gh_refusal_step_ask(&refusal, 2, T0 + 1), GH_REFUSAL_MAY);
    CHECK(!gh_refusal_step_tell(&refusal, GH_REFUSAL_ACCEPTED, 2, T0 - 1, T0 + 2));       /* begun before it was out: says nothing of now */
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_ACCEPTED, 2, T0 + 1, T0 + 2));
    CHECK_INT(refusal.is, GH_REFUSAL_IS_NONE);
    /* another tenant's refusal: then it is the credential */
    refusal = out(1);
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, 2, T0 + 1, T0 + 2));
    CHECK(gh_refusal_step_ask(&refusal, 1, T0 + 3) == GH_REFUSAL_OUT && gh_refusal_step_ask(&refusal, 3, T0 + 3) == GH_REFUSAL_OUT);
    /* the tenant's own probe that is refused keeps it out for that tenant alone */
    refusal = out(1);
    CHECK_INT(gh_refusal_step_ask(&refusal, 1, T0 + GH_REFUSAL_HOLD_MS), GH_REFUSAL_PROBE);
    CHECK_INT(gh_refusal_step_ask(&refusal, 2, T0 + GH_REFUSAL_HOLD_MS), GH_REFUSAL_MAY);
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, 1, T0 + GH_REFUSAL_HOLD_MS, T0 + GH_REFUSAL_HOLD_MS + 5));
    CHECK(gh_refusal_step_ask(&refusal, 2, T0 + GH_REFUSAL_HOLD_MS + 6) == GH_REFUSAL_MAY && gh_refusal_step_ask(&refusal, 1, T0 + GH_REFUSAL_HOLD_MS + 6) == GH_REFUSAL_OUT);
}

static void
test_replaced(void)
{
    gh_refusal_t refusal = out(2);

    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_REPLACED, 0, T0 + 1, T0 + 1));
    CHECK(!gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, 1, T0, T0 + 1));            /* of the credential before */
    CHECK_INT(gh_refusal_step_ask(&refusal, 1, T0 + 2), GH_REFUSAL_PROBE);
    CHECK_INT(gh_refusal_step_ask(&refusal, 2, T0 + 2), GH_REFUSAL_OUT);
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, 1, T0 + 2, T0 + 3));
    CHECK_INT(gh_refusal_wait_ms(&refusal, T0 + 3), 2 * GH_REFUSAL_HOLD_MS);
    /* one that gives way to another that is refused, too, waits no less than before */
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_REPLACED, 0, T0 + 4, T0 + 4));
    CHECK_INT(gh_refusal_step_ask(&refusal, 1, T0 + 5), GH_REFUSAL_PROBE);
    CHECK(gh_refusal_step_tell(&refusal, GH_REFUSAL_REFUSED, 1, T0 + 5, T0 + 6));
    CHECK_INT(gh_refusal_wait_ms(&refusal, T0 + 6), 4 * GH_REFUSAL_HOLD_MS);
    /* a clock that is set back makes every wait be over */
    CHECK_INT(gh_refusal_step_ask(&refusal, 2, T0 - 3600000), GH_REFUSAL_PROBE);
}

int
main(void)
{
    test_counts();
    test_probes();
    test_one_tenant();
    test_replaced();
    return check_done("refusals");
}
