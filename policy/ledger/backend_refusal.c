/* Refused credentials: nothing, a run of refusals, out, probing. Pure but for the last part, which keeps it in the ledger. */
#include "policy/ledger/backend_state.h"

#include <string.h>

#define COUNT_MAX 15u
#define AT_MASK   ((UINT64_C(1) << 44) - 1)

/* low: the tenants. high: at 44, is 2, doublings 3, refused 4 4 4, 3 unused. */
gh_pair_t
gh_refusal_pack(const gh_refusal_t *refusal)
{
    return (gh_pair_t) { (uint64_t) refusal->tenants[1] << 32 | refusal->tenants[0],
        (refusal->at_ms & AT_MASK) << 20 | (uint64_t) refusal->is << 18 | (uint64_t) refusal->doublings << 15 | (uint64_t) refusal->refused[0] << 11
            | (uint64_t) refusal->refused[1] << 7 | (uint64_t) refusal->refused[2] << 3 };
}

gh_refusal_t
gh_refusal_unpack(gh_pair_t pair)
{
    return (gh_refusal_t) { .is = pair.high >> 18 & 3, .doublings = pair.high >> 15 & 7,
        .refused = { pair.high >> 11 & 15, pair.high >> 7 & 15, pair.high >> 3 & 15 },
        .tenants = { (uint32_t) pair.low, (uint32_t) (pair.low >> 32) }, .at_ms = pair.high >> 20 };
}

uint64_t
gh_refusal_wait_ms(const gh_refusal_t *refusal, uint64_t now_ms)
{
    uint64_t elapsed = gh_backend_elapsed(refusal->at_ms, now_ms);
    uint64_t wait = refusal->is == GH_REFUSAL_IS_OUT ? (uint64_t) GH_REFUSAL_HOLD_MS << refusal->doublings
        : refusal->is == GH_REFUSAL_IS_PROBING ? GH_REFUSAL_PROBE_MS : 0;

    return elapsed < wait ? wait - elapsed : 0;
}

gh_refusal_may_t
gh_refusal_step_ask(gh_refusal_t *refusal, uint32_t tenant, uint64_t now_ms)
{
    if (refusal->is == GH_REFUSAL_IS_NONE || (refusal->tenants[0] != 0 && refusal->tenants[0] != tenant)) {
        return GH_REFUSAL_MAY;
    }
    if (gh_refusal_wait_ms(refusal, now_ms) > 0) {
        return GH_REFUSAL_OUT;
    }
    refusal->is = GH_REFUSAL_IS_PROBING;
    refusal->tenants[1] = tenant;
    refusal->at_ms = now_ms;
    return GH_REFUSAL_PROBE;
}

/* blamed: whose requests alone met it; 0: it is out for everybody. */
static void
take_out(gh_refusal_t *refusal, uint32_t blamed, uint64_t now_ms)
{
    *refusal = (gh_refusal_t) { .is = GH_REFUSAL_IS_OUT, .doublings = refusal->doublings, .tenants = { blamed, 0 }, .at_ms = now_ms };
}

static void
count(gh_refusal_t *refusal, uint32_t tenant, uint64_t now_ms)
{
    unsigned which = 0, sum = 0, others;

    if (refusal->refused[0] == 0 || gh_backend_elapsed(refusal->at_ms, now_ms) > GH_REFUSAL_WINDOW_MS) {
        *refusal = (gh_refusal_t) { .at_ms = now_ms };
    }
    while (which < 2 && refusal->refused[which] != 0 && refusal->tenants[which] != tenant) {
        which++;
    }
    if (which < 2) {
        refusal->tenants[which] = tenant;
    }
    refusal->refused[which] = (uint8_t) (refusal->refused[which] + (refusal->refused[which] < COUNT_MAX));
    others = refusal->refused[1] + refusal->refused[2];
    sum = refusal->refused[0] + others;
    if (sum >= GH_REFUSALS) {
        take_out(refusal, others == 0 ? tenant : 0, now_ms);
    }
}

static bool
is_probe(const gh_refusal_t *refusal, uint64_t asked_ms)
{
    return refusal->is == GH_REFUSAL_IS_PROBING && refusal->at_ms == (asked_ms & AT_MASK);
}

static bool
refused(gh_refusal_t *refusal, uint32_t tenant, uint64_t asked_ms, uint64_t now_ms)
{
    if (refusal->is == GH_REFUSAL_IS_NONE) {
        count(refusal, tenant, now_ms);
        return true;
    }
    if (refusal->tenants[0] != 0 && refusal->tenants[0] != tenant) {
        take_out(refusal, 0, now_ms);
        return true;
    }
    if (is_probe(refusal, asked_ms)) {
        refusal->doublings = (uint8_t) (refusal->doublings + (refusal->doublings < GH_REFUSAL_DOUBLINGS));
        take_out(refusal, refusal->tenants[0], now_ms);
        return true;
    }
    return false;                                        /* sent before it was out, or a probe that gave way */
}

/* Half open at once. */
static void
let_probe(gh_refusal_t *refusal)
{
    take_out(refusal, refusal->tenants[0], 0);
}

bool
gh_refusal_step_tell(gh_refusal_t *refusal, gh_refusal_end_t end, uint32_t tenant, uint64_t asked_ms, uint64_t now_ms)
{
    bool any = refusal->is != GH_REFUSAL_IS_NONE || refusal->refused[0] != 0;

    switch (end) {
    case GH_REFUSAL_REFUSED:
        return refused(refusal, tenant, asked_ms, now_ms);
    case GH_REFUSAL_ACCEPTED:
        if (!any || (asked_ms & AT_MASK) < refusal->at_ms) {
            return false;
        }
        memset(refusal, 0, sizeof(*refusal));
        return true;
    case GH_REFUSAL_NO_WORD:
        if (!is_probe(refusal, asked_ms)) {
            return false;
        }
        let_probe(refusal);
        return true;
    default:
        if (!any) {
            return false;
        }
        if (refusal->is == GH_REFUSAL_IS_NONE) {
            memset(refusal, 0, sizeof(*refusal));
        } else {
            let_probe(refusal);
        }
        return true;
    }
}

/* ---- in the ledger ---- */

uint64_t
gh_refusal_number(gh_str_t backend)
{
    return gh_backend_id(backend, GH_STR("")).number;    /* no deployment has a model without a name */
}

gh_refusal_may_t
gh_refusal_ask(gh_ledger_t *ledger, uint64_t number, uint64_t tenant_uid, uint64_t now_ms)
{
    gh_backend_slot_t *slot = gh_backend_find(ledger, number, false);
    gh_refusal_may_t   may;
    gh_refusal_t       refusal;
    gh_pair_t          before;

    if (slot == NULL) {
        return GH_REFUSAL_MAY;
    }
    before = gh_pair_look(&slot->refusal);
    do {
        refusal = gh_refusal_unpack(before);
        may = gh_refusal_step_ask(&refusal, gh_breaker_tenant(tenant_uid), now_ms);
    } while (may == GH_REFUSAL_PROBE && !gh_pair_swap(&slot->refusal, &before, gh_refusal_pack(&refusal)));
    return may;
}

bool
gh_refusal_tell(gh_ledger_t *ledger, uint64_t number, gh_refusal_end_t end, uint64_t tenant_uid, uint64_t asked_ms, uint64_t now_ms)
{
    gh_backend_slot_t *slot = gh_backend_find(ledger, number, end == GH_REFUSAL_REFUSED);
    gh_refusal_t       refusal;
    gh_pair_t          before;

    if (slot == NULL) {
        return false;
    }
    before = gh_pair_look(&slot->refusal);
    do {
        refusal = gh_refusal_unpack(before);
        if (!gh_refusal_step_tell(&refusal, end, gh_breaker_tenant(tenant_uid), asked_ms, now_ms)) {
            return false;
        }
    } while (!gh_pair_swap(&slot->refusal, &before, gh_refusal_pack(&refusal)));
    return end == GH_REFUSAL_REFUSED && refusal.is == GH_REFUSAL_IS_OUT;
}

void
gh_refusal_look(const gh_ledger_t *ledger, uint64_t number, uint64_t now_ms, gh_refusal_state_t *state)
{
    const gh_backend_slot_t *slot = gh_backend_find(ledger, number, false);
    gh_refusal_t             refusal;

    memset(state, 0, sizeof(*state));
    if (slot == NULL) {
        return;
    }
    refusal = gh_refusal_unpack(gh_pair_look(&slot->refusal));
    if (refusal.is != GH_REFUSAL_IS_NONE) {
        *state = (gh_refusal_state_t) { .out = true, .everybody = refusal.tenants[0] == 0, .since_ms = refusal.at_ms,
            .wait_ms = gh_refusal_wait_ms(&refusal, now_ms) };
    }
}
