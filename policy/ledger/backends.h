/*
 * What the workers learned of each (deployment, upstream model): how long it takes, how often it fails, when it may be asked again. Shared by
 * all workers, of the old configuration and the new one, through the ledger; without locks: a death anywhere loses one result at most. How many
 * dispatches are under way is a counter of reservations (GH_LEVEL_DEPLOYMENT), so that it comes back after any death.
 *
 * Averages decay with time: a sample that is GH_BACKEND_DECAY_MS old weighs half of a new one. Nothing is known of what has fewer than
 * GH_BACKEND_SAMPLES_MIN samples, or none for GH_BACKEND_STALE_MS.
 *
 * The breaker opens after GH_BREAKER_FAILURES failures within GH_BREAKER_WINDOW_MS and no success among them, and is half open
 * GH_BREAKER_OPEN_MS later: one request at a time is the probe, whose answer closes it. A probe that says nothing for GH_BREAKER_PROBE_MS, its
 * worker dead perhaps, gives way to another tenant's, and after twice that to any. A failure that a request can provoke (GH_BACKEND_FAILED)
 * counts only while at least two of them are left without those of whichever tenant had most, and a probe of one tenant that fails so lets
 * another tenant's through at once: one tenant alone opens no breaker, and keeps none open.
 *
 * A deployment whose backend's credential has expired, cannot be had, or is refused by it (refusals.h), is one that no worker asks: each tells so of its own copy, again and
 * again while it is so, and what nobody repeats for GH_BACKEND_CREDENTIAL_MS is forgotten.
 *
 * A clock that steps back by more than GH_BACKEND_CLOCK_MS makes every wait be over and no sample older.
 */
#ifndef GH_BACKENDS_H
#define GH_BACKENDS_H

#include "policy/ledger/reservation.h"

#define GH_BACKEND_DECAY_MS     30000u
#define GH_BACKEND_SAMPLES_MIN  5u
#define GH_BACKEND_SAMPLES_MAX  255u     /* that many, or more */
#define GH_BACKEND_STALE_MS     300000u
#define GH_BACKEND_RETRY_MAX_MS 3600000u /* no Retry-After is longer */
#define GH_BACKEND_CLOCK_MS     1000u    /* workers read their clocks once a turn of their event loops */
#define GH_BACKEND_CREDENTIAL_MS 5000u
#define GH_BREAKER_FAILURES     5u
#define GH_BREAKER_WINDOW_MS    30000u
#define GH_BREAKER_OPEN_MS      2000u
#define GH_BREAKER_PROBE_MS     2500u

/* HALF_OPEN: a probe may be sent now. While one is under way: OPEN. */
enum { GH_BREAKER_CLOSED = 0, GH_BREAKER_OPEN, GH_BREAKER_HALF_OPEN };

/* READY: it is there, or nobody said otherwise. REFUSED: by the backend: refusals.h. */
enum { GH_CREDENTIAL_IS_READY = 0, GH_CREDENTIAL_IS_EXPIRED, GH_CREDENTIAL_IS_UNAVAILABLE, GH_CREDENTIAL_IS_REFUSED };

/* One of them as it is at now_ms: all that an order may depend on. Recorded as the decision's "terms". */
typedef struct {
    uint64_t first_byte_us;           /* average time to the first byte of an answer, or to its first event; 0: not known */
    uint64_t token_us;                /* likewise: per token of output behind it */
    uint32_t samples;                 /* of first_byte_us, at most GH_BACKEND_SAMPLES_MAX */
    uint32_t asked;                   /* results that were told, with a sample or without; likewise */
    uint32_t errors;                  /* of 1000 of those, decayed: how many were no success. For people: no order depends on it. */
    uint32_t in_flight;               /* dispatches to the deployment, of any model */
    uint64_t retry_at_ms;             /* not to be asked before; 0: may be */
    uint8_t  breaker;                 /* GH_BREAKER_* */
    uint8_t  credential;              /* GH_CREDENTIAL_IS_* */
    uint64_t credential_until_ms;     /* when it ends; 0: not said */
} gh_backend_state_t;

/* Who it is. number: the first 64 bits of SHA-256 over the names of the deployment and of its model there, a zero between; never 0. */
typedef struct {
    uint64_t        number;
    gh_counter_id_t in_flight;        /* gh_backend_counter of the deployment */
} gh_backend_id_t;

/* The counter of dispatches to a deployment that are under way, of any model; without a window, without a limit. */
gh_counter_id_t gh_backend_counter(gh_str_t deployment);

gh_backend_id_t gh_backend_id(gh_str_t deployment, gh_str_t upstream_model);

/* Of one that nothing was told about, or for which the ledger had no room: all zero. */
void gh_backend_look(const gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms, gh_backend_state_t *state);

typedef enum {
    GH_BACKEND_MAY = 0,
    GH_BACKEND_PROBE,                 /* it may, as the probe: how it ends must be told, as NO_WORD when nothing is sent after all */
    GH_BACKEND_WAITS,                 /* it said when it may be asked again */
    GH_BACKEND_OPEN                   /* its breaker is open, or another one is the probe */
} gh_backend_may_t;

/* May this tenant's request be sent to it now? */
gh_backend_may_t gh_backend_ask(gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t tenant_uid, uint64_t now_ms);

/* ms until it may be asked, as it looks now; 0: now. */
uint64_t gh_backend_wait_ms(const gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms);

typedef enum {
    GH_BACKEND_ANSWERED = 0,          /* 2xx: all of it, or the first event of a stream */
    GH_BACKEND_STREAMED,              /* the end of a stream that was told as ANSWERED: how long its tokens took */
    GH_BACKEND_REFUSED,               /* 4xx: it lives, which is all that says */
    GH_BACKEND_UNREACHED,             /* no connection, no TLS: nothing that a request can provoke */
    GH_BACKEND_FAILED,                /* 5xx, reset, timeout once bytes were sent */
    GH_BACKEND_NO_WORD                /* nothing was sent, the client left, policy cut it: says nothing */
} gh_backend_end_t;

typedef struct {
    gh_backend_end_t end;
    uint64_t probe_ms;                /* now_ms of the gh_backend_ask that said PROBE, and was not told yet; 0: it did not */
    uint64_t tenant_uid;
    uint64_t first_byte_us;           /* ANSWERED */
    bool     untimed;                 /* ANSWERED: that was no work of a model, so how long it took is not looked at */
    uint64_t stream_us;               /* STREAMED: from the first event to the last byte */
    uint64_t output_tokens;           /* STREAMED: of it; ANSWERED: that were made before the first byte, so of a whole answer; 0: not known */
    uint64_t retry_after_ms;          /* it said how long; 0: it did not */
} gh_backend_result_t;

/* false: the ledger has no room for it, and nothing is remembered. */
bool gh_backend_tell(gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms, const gh_backend_result_t *result);

/*
 * What a worker's own copy of the backend's credential is now. Cheap while nothing changes: then nothing is written. false: the ledger has no
 * room for it.
 */
bool gh_backend_tell_credential(gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms, uint8_t credential, uint64_t until_ms);

/* How many the ledger holds and has room for. Full, those that come later are always as if nothing were known of them. */
void gh_backend_room(const gh_ledger_t *ledger, uint32_t *used, uint32_t *room);

#endif
