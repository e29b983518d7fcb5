/* The breaker: closed, open, probing. Pure: a state, what happened, the next state. */
#include "policy/ledger/backend_state.h"

#define COUNT_MAX 15u
#define AT_MASK   ((UINT64_C(1) << 44) - 1)

/* low: the tenants. high: at 44, is 2, unreached 4, failed 4 4 4, 2 unused. */
gh_pair_t
gh_breaker_pack(const gh_breaker_t *breaker)
{
    return (gh_pair_t) { (uint64_t) breaker->tenants[1] << 32 | breaker->tenants[0],
        (breaker->at_ms & AT_MASK) << 20 | (uint64_t) breaker->is << 18 | (uint64_t) breaker->unreached << 14
            | (uint64_t) breaker->failed[0] << 10 | (uint64_t) breaker->failed[1] << 6 | (uint64_t) breaker->failed[2] << 2 };
}

gh_breaker_t
gh_breaker_unpack(gh_pair_t pair)
{
    return (gh_breaker_t) { .is = pair.high >> 18 & 3, .unreached = pair.high >> 14 & 15,
        .failed = { pair.high >> 10 & 15, pair.high >> 6 & 15, pair.high >> 2 & 15 },
        .tenants = { (uint32_t) pair.low, (uint32_t) (pair.low >> 32) }, .at_ms = pair.high >> 20 };
}

uint32_t
gh_breaker_tenant(uint64_t tenant_uid)
{
    uint32_t tenant = (uint32_t) (tenant_uid ^ tenant_uid >> 32);

    return tenant != 0 ? tenant : 1;
}

/* For how long what it is now keeps others away, from at_ms on. */
static uint64_t
closed_for(const gh_breaker_t *breaker)
{
    return breaker->is == GH_BREAKER_IS_OPEN ? GH_BREAKER_OPEN_MS : breaker->is == GH_BREAKER_IS_PROBING ? GH_BREAKER_PROBE_MS : 0;
}

uint64_t
gh_breaker_wait_ms(const gh_breaker_t *breaker, uint64_t now_ms)
{
    uint64_t elapsed = gh_backend_elapsed(breaker->at_ms, now_ms), wait = closed_for(breaker);

    return elapsed < wait ? wait - elapsed : 0;
}

/* One tenant's probe failed, which may be that tenant's own doing: another's may be sent at once. */
static bool
other_may(const gh_breaker_t *breaker)
{
    return breaker->is == GH_BREAKER_IS_OPEN && breaker->tenants[0] != 0;
}

uint8_t
gh_breaker_look(const gh_breaker_t *breaker, uint64_t now_ms)
{
    return breaker->is == GH_BREAKER_IS_CLOSED ? GH_BREAKER_CLOSED
        : other_may(breaker) || gh_breaker_wait_ms(breaker, now_ms) == 0 ? GH_BREAKER_HALF_OPEN : GH_BREAKER_OPEN;
}

gh_backend_may_t
gh_breaker_ask(gh_breaker_t *breaker, uint32_t tenant, uint64_t now_ms)
{
    if (breaker->is == GH_BREAKER_IS_CLOSED) {
        return GH_BACKEND_MAY;
    }
    if (gh_breaker_wait_ms(breaker, now_ms) > 0 && !(other_may(breaker) && breaker->tenants[0] != tenant)) {
        return GH_BACKEND_OPEN;
    }
    if (breaker->is == GH_BREAKER_IS_PROBING && breaker->tenants[1] == tenant
        && gh_backend_elapsed(breaker->at_ms, now_ms) < 2 * GH_BREAKER_PROBE_MS)
    {
        return GH_BACKEND_OPEN;                          /* its last probe hangs: now it is somebody else's turn */
    }
    breaker->is = GH_BREAKER_IS_PROBING;
    breaker->tenants[1] = tenant;
    breaker->at_ms = now_ms;
    return GH_BACKEND_PROBE;
}

static void
become(gh_breaker_t *breaker, uint8_t is, uint64_t at_ms)
{
    *breaker = (gh_breaker_t) { .is = is, .at_ms = at_ms };
}

static bool
in_run(const gh_breaker_t *breaker)
{
    return breaker->unreached != 0 || breaker->failed[0] != 0;
}

static void
count_failure(gh_breaker_t *breaker, gh_backend_end_t end, uint32_t tenant)
{
    uint8_t *count = &breaker->unreached;

    if (end == GH_BACKEND_FAILED) {
        unsigned which = 0;

        while (which < 2 && breaker->failed[which] != 0 && breaker->tenants[which] != tenant) {
            which++;
        }
        if (which < 2) {
            breaker->tenants[which] = tenant;
        }
        count = &breaker->failed[which];
    }
    *count = (uint8_t) (*count + (*count < COUNT_MAX));
}

/* All others are held to be one tenant, which they may be. */
static bool
trips(const gh_breaker_t *breaker)
{
    unsigned sum = 0, most = 0;

    for (unsigned i = 0; i < 3; i++) {
        sum += breaker->failed[i];
        most = breaker->failed[i] > most ? breaker->failed[i] : most;
    }
    return breaker->unreached + (sum - most >= 2 ? sum : 0) >= GH_BREAKER_FAILURES;
}

static bool
tell_probe(gh_breaker_t *breaker, gh_backend_end_t end, uint64_t probe_ms, uint32_t tenant, uint64_t now_ms)
{
    uint32_t before = breaker->tenants[0];
    bool     late = breaker->is != GH_BREAKER_IS_PROBING || breaker->at_ms != (probe_ms & AT_MASK);

    if (late && end != GH_BACKEND_ANSWERED && end != GH_BACKEND_REFUSED) {
        return false;
    }
    switch (end) {
    case GH_BACKEND_ANSWERED:
    case GH_BACKEND_REFUSED:
        become(breaker, GH_BREAKER_IS_CLOSED, now_ms);
        return true;
    case GH_BACKEND_UNREACHED:
        become(breaker, GH_BREAKER_IS_OPEN, now_ms);
        return true;
    case GH_BACKEND_FAILED:
        become(breaker, GH_BREAKER_IS_OPEN, now_ms);
        breaker->tenants[0] = before == 0 || before == tenant ? tenant : 0;
        return true;
    default:
        become(breaker, GH_BREAKER_IS_OPEN, 0);          /* half open at once */
        breaker->tenants[0] = before;
        return true;
    }
}

bool
gh_breaker_tell(gh_breaker_t *breaker, gh_backend_end_t end, uint64_t probe_ms, uint32_t tenant, uint64_t now_ms)
{
    if (breaker->is != GH_BREAKER_IS_CLOSED) {
        return probe_ms != 0 && tell_probe(breaker, end, probe_ms, tenant, now_ms);
    }
    if (end == GH_BACKEND_ANSWERED) {
        if (!in_run(breaker)) {
            return false;
        }
        become(breaker, GH_BREAKER_IS_CLOSED, now_ms);
        return true;
    }
    if (end != GH_BACKEND_UNREACHED && end != GH_BACKEND_FAILED) {
        return false;
    }
    if (!in_run(breaker) || gh_backend_elapsed(breaker->at_ms, now_ms) > GH_BREAKER_WINDOW_MS) {
        become(breaker, GH_BREAKER_IS_CLOSED, now_ms);
    }
    count_failure(breaker, end, tenant);
    if (trips(breaker)) {
        become(breaker, GH_BREAKER_IS_OPEN, now_ms);
    }
    return true;
}
