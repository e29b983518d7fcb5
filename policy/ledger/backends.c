/* The ledger's section of backends: who has which entry, and what is told and asked of it. */
#include "policy/ledger/backends.h"

#include <string.h>

#include "policy/ledger/backend_state.h"

#define NAMES_MAX    2048u             /* bytes of both names and the zero between; fleet/1 has no longer ones */
#define PROBES      32u               /* entries looked at for one number */
#define RETRY_BITS  22u
#define RETRY_MASK  ((UINT64_C(1) << RETRY_BITS) - 1)

_Static_assert(GH_BACKEND_RETRY_MAX_MS <= RETRY_MASK, "a wait fits");

/* ---- entries ---- */

gh_backend_slot_t *
gh_backend_slot(gh_backend_slot_t *slots, uint32_t count, uint64_t number, bool claim)
{
    uint32_t at = (uint32_t) ((unsigned __int128) number * count >> 64);

    for (uint32_t i = 0; i < PROBES && i < count; i++, at = at + 1 < count ? at + 1 : 0) {
        uint64_t found = __atomic_load_n(&slots[at].number, __ATOMIC_ACQUIRE);

        if (found == 0 && !claim) {
            return NULL;
        }
        if (found == number || (found == 0
            && (__atomic_compare_exchange_n(&slots[at].number, &found, number, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) || found == number)))
        {
            return &slots[at];
        }
    }
    return NULL;
}

static uint64_t
retry_at(const gh_backend_slot_t *slot, uint64_t now_ms)
{
    uint64_t word = __atomic_load_n(&slot->retry, __ATOMIC_ACQUIRE), at = word >> RETRY_BITS, wait = word & RETRY_MASK;

    return gh_backend_elapsed(at, now_ms) < wait ? at + wait : 0;
}

void
gh_backend_slot_look(const gh_backend_slot_t *slot, uint64_t now_ms, gh_backend_state_t *state)
{
    gh_breaker_t breaker = gh_breaker_unpack(gh_pair_look(&slot->breaker));
    gh_average_t first_byte = gh_average_unpack(gh_pair_look(&slot->first_byte)), token = gh_average_unpack(gh_pair_look(&slot->token)),
                 errors = gh_average_unpack(gh_pair_look(&slot->errors));
    uint32_t     tokens;

    state->first_byte_us = gh_average_look(&first_byte, now_ms, &state->samples);
    state->token_us = gh_average_look(&token, now_ms, &tokens);
    state->errors = (uint32_t) gh_average_look(&errors, now_ms, &state->asked);
    if (state->samples < GH_BACKEND_SAMPLES_MIN) {
        state->first_byte_us = 0;
    } else if (state->first_byte_us == 0) {
        state->first_byte_us = 1;                     /* known, and quicker than the clock */
    }
    if (tokens < GH_BACKEND_SAMPLES_MIN) {
        state->token_us = 0;
    }
    state->retry_at_ms = retry_at(slot, now_ms);
    state->breaker = gh_breaker_look(&breaker, now_ms);
    gh_credential_look(&slot->credential, now_ms, state);
}

gh_backend_may_t
gh_backend_slot_ask(gh_backend_slot_t *slot, uint64_t tenant_uid, uint64_t now_ms)
{
    gh_pair_t        before = gh_pair_look(&slot->breaker);
    gh_breaker_t     breaker;
    gh_backend_may_t may;

    if (retry_at(slot, now_ms) != 0) {
        return GH_BACKEND_WAITS;
    }
    do {
        breaker = gh_breaker_unpack(before);
        may = gh_breaker_ask(&breaker, gh_breaker_tenant(tenant_uid), now_ms);
    } while (may == GH_BACKEND_PROBE && !gh_pair_swap(&slot->breaker, &before, gh_breaker_pack(&breaker)));
    return may;
}

uint64_t
gh_backend_slot_wait_ms(const gh_backend_slot_t *slot, uint64_t now_ms)
{
    gh_breaker_t breaker = gh_breaker_unpack(gh_pair_look(&slot->breaker));
    uint64_t     at = retry_at(slot, now_ms), retry = at > now_ms ? at - now_ms : 0, wait = gh_breaker_wait_ms(&breaker, now_ms);

    return retry > wait ? retry : wait;
}

static void
add(gh_pair_t *pair, uint64_t sample, uint64_t now_ms)
{
    gh_pair_t    before = gh_pair_look(pair);
    gh_average_t average;

    do {
        average = gh_average_unpack(before);
        gh_average_add(&average, sample, now_ms);
    } while (!gh_pair_swap(pair, &before, gh_average_pack(&average)));
}

/* The later of two answers holds. */
static void
tell_retry(gh_backend_slot_t *slot, uint64_t wait_ms, uint64_t now_ms)
{
    uint64_t before = __atomic_load_n(&slot->retry, __ATOMIC_ACQUIRE), after;

    wait_ms = wait_ms < GH_BACKEND_RETRY_MAX_MS ? wait_ms : GH_BACKEND_RETRY_MAX_MS;
    after = now_ms << RETRY_BITS | wait_ms;
    do {
        uint64_t at = before >> RETRY_BITS, wait = before & RETRY_MASK;

        if (gh_backend_elapsed(at, now_ms) < wait && at + wait >= now_ms + wait_ms) {
            return;
        }
    } while (!__atomic_compare_exchange_n(&slot->retry, &before, after, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

/* Of an answer that came when all its tokens were made, without the time that those take. */
static uint64_t
first_byte_us(const gh_backend_slot_t *slot, const gh_backend_result_t *result, uint64_t now_ms)
{
    gh_average_t token = gh_average_unpack(gh_pair_look(&slot->token));
    uint32_t     samples;
    uint64_t     each = gh_average_look(&token, now_ms, &samples), tokens_us;

    if (samples < GH_BACKEND_SAMPLES_MIN) {
        return result->first_byte_us;
    }
    tokens_us = result->output_tokens < UINT32_MAX ? result->output_tokens * each : UINT64_MAX;
    return result->first_byte_us > tokens_us ? result->first_byte_us - tokens_us : 0;
}

void
gh_backend_slot_tell(gh_backend_slot_t *slot, uint64_t now_ms, const gh_backend_result_t *result)
{
    gh_pair_t    before = gh_pair_look(&slot->breaker);
    gh_breaker_t breaker;
    bool         changed;

    if (result->retry_after_ms > 0) {
        tell_retry(slot, result->retry_after_ms, now_ms);
    }
    do {
        breaker = gh_breaker_unpack(before);
        changed = gh_breaker_tell(&breaker, result->end, result->probe_ms, gh_breaker_tenant(result->tenant_uid), now_ms);
    } while (changed && !gh_pair_swap(&slot->breaker, &before, gh_breaker_pack(&breaker)));

    switch (result->end) {
    case GH_BACKEND_ANSWERED:
        add(&slot->errors, 0, now_ms);
        if (!result->untimed) {
            add(&slot->first_byte, first_byte_us(slot, result, now_ms), now_ms);
        }
        break;
    case GH_BACKEND_STREAMED:
        if (result->output_tokens > 1) {
            add(&slot->token, result->stream_us / (result->output_tokens - 1), now_ms);
        }
        break;
    case GH_BACKEND_NO_WORD:
        break;
    default:
        add(&slot->errors, 1000, now_ms);
    }
}

/* ---- in the ledger ---- */

static gh_backend_slot_t *
section(const gh_ledger_t *ledger, uint32_t *count)
{
    const gh_ledger_header_t *header = gh_ledger_header(ledger);

    *count = (uint32_t) (header->backends.length / sizeof(gh_backend_slot_t));
    return (gh_backend_slot_t *) ((uint8_t *) (uintptr_t) header + header->backends.offset);
}

gh_backend_slot_t *
gh_backend_find(const gh_ledger_t *ledger, uint64_t number, bool claim)
{
    uint32_t           count;
    gh_backend_slot_t *slots = section(ledger, &count);

    return gh_backend_slot(slots, count, number, claim);
}

gh_counter_id_t
gh_backend_counter(gh_str_t deployment)
{
    return (gh_counter_id_t) {
        gh_model_number(deployment) & GH_COUNT_MAX, 0, GH_LEVEL_DEPLOYMENT, GH_COUNT_IN_FLIGHT, GH_PER_NONE, GH_LIMIT_RATE
    };
}

gh_backend_id_t
gh_backend_id(gh_str_t deployment, gh_str_t upstream_model)
{
    char   text[NAMES_MAX];
    size_t a = deployment.len < NAMES_MAX / 2 ? deployment.len : NAMES_MAX / 2 - 1;
    size_t b = upstream_model.len < NAMES_MAX / 2 ? upstream_model.len : NAMES_MAX / 2;

    memcpy(text, deployment.data, a);
    text[a] = '\0';
    memcpy(text + a + 1, upstream_model.data, b);
    return (gh_backend_id_t) { gh_model_number((gh_str_t) { text, a + 1 + b }), gh_backend_counter(deployment) };
}

void
gh_backend_look(const gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms, gh_backend_state_t *state)
{
    const gh_backend_slot_t *slot = gh_backend_find(ledger, id->number, false);

    uint64_t                 in_flight = gh_counter_read(ledger, &id->in_flight, 0);

    memset(state, 0, sizeof(*state));
    if (slot != NULL) {
        gh_backend_slot_look(slot, now_ms, state);
    }
    state->in_flight = in_flight < UINT32_MAX ? (uint32_t) in_flight : UINT32_MAX;
}

gh_backend_may_t
gh_backend_ask(gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t tenant_uid, uint64_t now_ms)
{
    gh_backend_slot_t *slot = gh_backend_find(ledger, id->number, false);

    return slot == NULL ? GH_BACKEND_MAY : gh_backend_slot_ask(slot, tenant_uid, now_ms);
}

uint64_t
gh_backend_wait_ms(const gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms)
{
    const gh_backend_slot_t *slot = gh_backend_find(ledger, id->number, false);

    return slot == NULL ? 0 : gh_backend_slot_wait_ms(slot, now_ms);
}

bool
gh_backend_tell(gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms, const gh_backend_result_t *result)
{
    gh_backend_slot_t *slot = gh_backend_find(ledger, id->number, true);

    if (slot == NULL) {
        return false;
    }
    gh_backend_slot_tell(slot, now_ms, result);
    return true;
}

bool
gh_backend_tell_credential(gh_ledger_t *ledger, const gh_backend_id_t *id, uint64_t now_ms, uint8_t credential, uint64_t until_ms)
{
    bool               worth = credential != GH_CREDENTIAL_IS_READY || until_ms != 0;
    gh_backend_slot_t *slot = gh_backend_find(ledger, id->number, worth);

    if (slot == NULL) {
        return !worth;
    }
    gh_credential_tell(&slot->credential, now_ms, credential, until_ms);
    return true;
}

void
gh_backend_room(const gh_ledger_t *ledger, uint32_t *used, uint32_t *room)
{
    const gh_backend_slot_t *slots = section(ledger, room);

    *used = 0;
    for (uint32_t i = 0; i < *room; i++) {
        *used += __atomic_load_n(&slots[i].number, __ATOMIC_ACQUIRE) != 0;
    }
}
