/* What the agent and the workers tell each other: that it lives, which issuers' keys are missed, which credentials are refused. */
#include "policy/ledger/ledger_internal.h"
#include "policy/ledger/reservation.h"

void
gh_ledger_agent_beat(gh_ledger_t *ledger, uint64_t now_ms, uint64_t since_ms, uint64_t pid)
{
    __atomic_store_n(&ledger->header->agent_since_ms, since_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&ledger->header->agent_pid, pid, __ATOMIC_RELAXED);
    __atomic_store_n(&ledger->header->agent_until_ms, now_ms + GH_AGENT_BEAT_MS, __ATOMIC_SEQ_CST);
}

void
gh_ledger_agent_end(gh_ledger_t *ledger, uint64_t now_ms)
{
    __atomic_store_n(&ledger->header->agent_ended_ms, now_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&ledger->header->agent_until_ms, 0, __ATOMIC_SEQ_CST);
}

bool
gh_ledger_agent_lives(const gh_ledger_t *ledger, uint64_t now_ms)
{
    uint64_t until = __atomic_load_n(&ledger->header->agent_until_ms, __ATOMIC_ACQUIRE);

    return until > now_ms && until - now_ms <= GH_SWEEP_LEASE_MAX_MS;
}

void
gh_ledger_workers_place(gh_ledger_t *ledger, uint64_t node, uint64_t audit)
{
    __atomic_store_n(&ledger->header->workers_node, node, __ATOMIC_RELAXED);
    __atomic_store_n(&ledger->header->workers_audit, audit, __ATOMIC_RELEASE);
}

void
gh_ledger_workers_placed(const gh_ledger_t *ledger, uint64_t *node, uint64_t *audit)
{
    *audit = __atomic_load_n(&ledger->header->workers_audit, __ATOMIC_ACQUIRE);
    *node = __atomic_load_n(&ledger->header->workers_node, __ATOMIC_RELAXED);
}

void
gh_ledger_agent_place(gh_ledger_t *ledger, uint64_t node, uint64_t audit)
{
    __atomic_store_n(&ledger->header->agent_node, node, __ATOMIC_RELAXED);
    __atomic_store_n(&ledger->header->agent_audit, audit, __ATOMIC_RELEASE);
}

bool
gh_ledger_agent_sweeps(const gh_ledger_t *ledger, uint64_t now_ms, uint64_t node, uint64_t audit)
{
    return gh_ledger_agent_lives(ledger, now_ms) && __atomic_load_n(&ledger->header->agent_audit, __ATOMIC_ACQUIRE) == audit
        && __atomic_load_n(&ledger->header->agent_node, __ATOMIC_RELAXED) == node;
}

uint64_t
gh_ledger_agent_seen_ms(const gh_ledger_t *ledger)
{
    uint64_t until = __atomic_load_n(&ledger->header->agent_until_ms, __ATOMIC_ACQUIRE);

    return until > GH_AGENT_BEAT_MS ? until - GH_AGENT_BEAT_MS : 0;
}

uint64_t
gh_ledger_agent_gone_ms(const gh_ledger_t *ledger)
{
    uint64_t seen = gh_ledger_agent_seen_ms(ledger);

    return seen != 0 ? seen : __atomic_load_n(&ledger->header->agent_ended_ms, __ATOMIC_RELAXED);
}

static void
put(uint64_t *word, uint64_t bits)
{
    if ((__atomic_load_n(word, __ATOMIC_RELAXED) & bits) != bits) {
        __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
    }
}

static uint64_t
take(uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED) == 0 ? 0 : __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
}

void
gh_ledger_keys_want(gh_ledger_t *ledger, uint64_t bits)
{
    put(&ledger->header->keys_wanted, bits);
}

uint64_t
gh_ledger_keys_wanted(gh_ledger_t *ledger)
{
    return take(&ledger->header->keys_wanted);
}

uint64_t
gh_ledger_credential_bit(gh_str_t name)
{
    return UINT64_C(1) << gh_model_number(name) % 64;
}

void
gh_ledger_credentials_refuse(gh_ledger_t *ledger, uint64_t bits)
{
    put(&ledger->header->credentials_refused, bits);
}

uint64_t
gh_ledger_credentials_refused(gh_ledger_t *ledger)
{
    return take(&ledger->header->credentials_refused);
}
