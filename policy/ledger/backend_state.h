/*
 * One entry of the ledger's section of backends, and what becomes of it. Nothing in it is written but by one compare-and-swap of one word or
 * pair, after which that word says the whole of what it is about: there is no state between. Private to policy/ledger and its tests.
 */
#ifndef GH_BACKEND_STATE_H
#define GH_BACKEND_STATE_H

#include "policy/ledger/backends.h"
#include "policy/ledger/pair.h"
#include "policy/ledger/refusals.h"

typedef struct {
    alignas(64) uint64_t number;      /* 0: free. Claimed once, and never moved */
    uint64_t  retry;                  /* when it was told (ms since the epoch, 42 bits), for how long (ms, 22 bits) */
    gh_pair_t breaker;
    gh_pair_t first_byte, token;      /* averages, us */
    gh_pair_t errors;                 /* of 1000; a sample for each result */
    gh_pair_t credential;             /* low: when it ends (ms), 0: not said. high: when that was told (ms, 44 bits), state 4, unused 16 */
    gh_pair_t refusal;                /* of a backend's entry, which has nothing else */
    uint64_t  unused[2];
} gh_backend_slot_t;

_Static_assert(sizeof(gh_backend_slot_t) == 128, "an entry is two cache lines");

/* ---- time ---- */

/* ms since `at`: 0 when another worker's clock is a little ahead, UINT64_MAX when the clock stepped back behind it. */
static inline uint64_t
gh_backend_elapsed(uint64_t at_ms, uint64_t now_ms)
{
    return now_ms >= at_ms ? now_ms - at_ms : at_ms - now_ms <= GH_BACKEND_CLOCK_MS ? 0 : UINT64_MAX;
}

/* ---- averages: backend_average.c ---- */

typedef struct {
    uint64_t average;                 /* in 2^-16, at most GH_AVERAGE_MAX << 16 */
    uint32_t samples;                 /* at most GH_BACKEND_SAMPLES_MAX */
    uint32_t weight;                  /* of all samples at at_ms, in 2^-12 of one new sample, 30 bits; more weigh as that many */
    uint64_t at_ms;                   /* 42 bits */
} gh_average_t;

#define GH_AVERAGE_MAX UINT32_MAX     /* of a sample: 71 minutes in us; a longer one counts as that */

gh_pair_t    gh_average_pack(const gh_average_t *average);
gh_average_t gh_average_unpack(gh_pair_t pair);

/* weight as it is ms later: halved every GH_BACKEND_DECAY_MS. */
uint32_t gh_average_decay(uint32_t weight, uint64_t ms);

/* With one more sample. After GH_BACKEND_STALE_MS without one it begins anew. */
void gh_average_add(gh_average_t *average, uint64_t sample, uint64_t now_ms);

/* The average, rounded; 0 and *samples 0 when it is stale. */
uint64_t gh_average_look(const gh_average_t *average, uint64_t now_ms, uint32_t *samples);

/* ---- the breaker: backend_breaker.c ---- */

/* CLOSED: at_ms is when the run of failures began. OPEN: when it was opened. PROBING: when the probe was given out. */
enum { GH_BREAKER_IS_CLOSED = 0, GH_BREAKER_IS_OPEN, GH_BREAKER_IS_PROBING };

typedef struct {
    uint8_t  is;
    uint8_t  unreached;               /* of the run, each at most 15 */
    uint8_t  failed[3];               /* of the first tenant that failed, of the second, of all others */
    uint32_t tenants[2];              /* those two, as gh_breaker_tenant gives them. OPEN, PROBING: whose probe failed last, and whose it is; or 0 */
    uint64_t at_ms;                   /* 44 bits */
} gh_breaker_t;

gh_pair_t    gh_breaker_pack(const gh_breaker_t *breaker);
gh_breaker_t gh_breaker_unpack(gh_pair_t pair);

/* 32 bits of a uid, never 0. Two tenants of which this is the same count as one: the breaker opens later, never without cause. */
uint32_t gh_breaker_tenant(uint64_t tenant_uid);

uint8_t gh_breaker_look(const gh_breaker_t *breaker, uint64_t now_ms);

/* ms until it is half open; 0: it may be asked now. */
uint64_t gh_breaker_wait_ms(const gh_breaker_t *breaker, uint64_t now_ms);

/* GH_BACKEND_MAY, PROBE (*breaker is changed) or OPEN. */
gh_backend_may_t gh_breaker_ask(gh_breaker_t *breaker, uint32_t tenant, uint64_t now_ms);

/*
 * Whether *breaker was changed. probe_ms: as in gh_backend_result_t. One that gave way to another, and comes late, changes nothing unless it is
 * an answer.
 */
bool gh_breaker_tell(gh_breaker_t *breaker, gh_backend_end_t end, uint64_t probe_ms, uint32_t tenant, uint64_t now_ms);

/* ---- refused credentials: backend_refusal.c ---- */

/* NONE: at_ms is when the run of refusals began. OUT: the refusal by which it is out; 0: half open. PROBING: when the probe was given out. */
enum { GH_REFUSAL_IS_NONE = 0, GH_REFUSAL_IS_OUT, GH_REFUSAL_IS_PROBING };

typedef struct {
    uint8_t  is, doublings;           /* doublings: of the hold, at most GH_REFUSAL_DOUBLINGS */
    uint8_t  refused[3];              /* NONE: of the first tenant that met one, of the second, of all others; each at most 15 */
    uint32_t tenants[2];              /* NONE: those two, as gh_breaker_tenant gives them. OUT, PROBING: for whom alone it is out, 0: everybody; whose probe it is */
    uint64_t at_ms;                   /* 44 bits */
} gh_refusal_t;

gh_pair_t    gh_refusal_pack(const gh_refusal_t *refusal);
gh_refusal_t gh_refusal_unpack(gh_pair_t pair);

/* ms until a probe may be sent by those for whom it is out. */
uint64_t gh_refusal_wait_ms(const gh_refusal_t *refusal, uint64_t now_ms);

/* *refusal is changed when it is the probe. */
gh_refusal_may_t gh_refusal_step_ask(gh_refusal_t *refusal, uint32_t tenant, uint64_t now_ms);

/* Whether *refusal was changed. */
bool gh_refusal_step_tell(gh_refusal_t *refusal, gh_refusal_end_t end, uint32_t tenant, uint64_t asked_ms, uint64_t now_ms);

/* ---- entries, wherever they lie: backends.c ---- */

/* Of the ledger; as gh_backend_slot. */
gh_backend_slot_t *gh_backend_find(const gh_ledger_t *ledger, uint64_t number, bool claim);

/* NULL: it is not there, or with claim, there is no room. */
gh_backend_slot_t *gh_backend_slot(gh_backend_slot_t *slots, uint32_t count, uint64_t number, bool claim);

void             gh_backend_slot_look(const gh_backend_slot_t *slot, uint64_t now_ms, gh_backend_state_t *state);
gh_backend_may_t gh_backend_slot_ask(gh_backend_slot_t *slot, uint64_t tenant_uid, uint64_t now_ms);
uint64_t         gh_backend_slot_wait_ms(const gh_backend_slot_t *slot, uint64_t now_ms);
void             gh_backend_slot_tell(gh_backend_slot_t *slot, uint64_t now_ms, const gh_backend_result_t *result);

/* ---- credentials: backend_credential.c ---- */

void gh_credential_tell(gh_pair_t *pair, uint64_t now_ms, uint8_t credential, uint64_t until_ms);
void gh_credential_look(const gh_pair_t *pair, uint64_t now_ms, gh_backend_state_t *state);

#endif
