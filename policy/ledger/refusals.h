/*
 * Backends that refuse the credential they are asked with: 401, or 403 where its error is one of credentials. Shared by all workers through the ledger, one entry a
 * backend, since its credential is one for all its deployments.
 *
 * After GH_REFUSALS of them within GH_REFUSAL_WINDOW_MS, and no success among them, the backend is out: for everybody when requests of two tenants met them, else for
 * that tenant alone, whose requests may be what is refused: others go on, and their first success says so. It is out for GH_REFUSAL_HOLD_MS, twice as long
 * after each probe that is refused, up to GH_REFUSAL_HOLD_MAX_MS; then one request at a time is the probe. A success closes it, and another credential
 * lets a probe through at once. A success counts only of what was asked behind the first refusal: an answer that runs on was begun with what was good then.
 */
#ifndef GH_REFUSALS_H
#define GH_REFUSALS_H

#include "policy/ledger/ledger.h"

#define GH_REFUSALS             3u
#define GH_REFUSAL_WINDOW_MS    60000u
#define GH_REFUSAL_HOLD_MS      5000u
#define GH_REFUSAL_DOUBLINGS    5u
#define GH_REFUSAL_HOLD_MAX_MS  (GH_REFUSAL_HOLD_MS << GH_REFUSAL_DOUBLINGS)
#define GH_REFUSAL_PROBE_MS     5000u    /* a probe that says nothing for so long gives way to another */

typedef enum {
    GH_REFUSAL_MAY = 0,
    GH_REFUSAL_PROBE,                 /* it may, as the probe: how it ends must be told */
    GH_REFUSAL_OUT
} gh_refusal_may_t;

typedef enum {
    GH_REFUSAL_ACCEPTED = 0,          /* 2xx */
    GH_REFUSAL_REFUSED,
    GH_REFUSAL_NO_WORD,               /* of a probe: it says neither */
    GH_REFUSAL_REPLACED               /* the credential is another one now */
} gh_refusal_end_t;

typedef struct {                      /* for people, and for the order of routes */
    bool     out;                     /* for one tenant or for everybody, waiting or at a probe */
    bool     everybody;
    uint64_t since_ms;                /* the last refusal that counted; 0: a probe may be sent at once */
    uint64_t wait_ms;                 /* until a probe may be sent */
} gh_refusal_state_t;

/* Who it is, for the functions below; never 0. */
uint64_t gh_refusal_number(gh_str_t backend);

/* May this tenant's request be sent to the backend now? now_ms is what gh_refusal_tell gets of it as asked_ms. */
gh_refusal_may_t gh_refusal_ask(gh_ledger_t *ledger, uint64_t number, uint64_t tenant_uid, uint64_t now_ms);

/* true: by this the backend is out, or is so again. A ledger without room remembers nothing. */
bool gh_refusal_tell(gh_ledger_t *ledger, uint64_t number, gh_refusal_end_t end, uint64_t tenant_uid, uint64_t asked_ms, uint64_t now_ms);

/* Of one that was never refused: all zero. */
void gh_refusal_look(const gh_ledger_t *ledger, uint64_t number, uint64_t now_ms, gh_refusal_state_t *state);

#endif
