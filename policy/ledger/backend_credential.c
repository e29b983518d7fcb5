/* What workers say of a backend's credential, in one pair of words. */
#include "policy/ledger/backend_state.h"

#define AT_MASK   ((UINT64_C(1) << 44) - 1)
#define AGAIN_MS  (GH_BACKEND_CREDENTIAL_MS / 2)   /* a state that fades is told again after so long */

static uint64_t
told_at(uint64_t high)
{
    return high >> 20 & AT_MASK;
}

static uint8_t
told_state(uint64_t high)
{
    return high >> 16 & 15;
}

void
gh_credential_tell(gh_pair_t *pair, uint64_t now_ms, uint8_t credential, uint64_t until_ms)
{
    gh_pair_t before = gh_pair_look(pair), after = { until_ms, (now_ms & AT_MASK) << 20 | (uint64_t) credential << 16 };

    do {
        if (told_state(before.high) == credential && before.low == until_ms
            && (credential == GH_CREDENTIAL_IS_READY || gh_backend_elapsed(told_at(before.high), now_ms) < AGAIN_MS))
        {
            return;
        }
    } while (!gh_pair_swap(pair, &before, after));
}

void
gh_credential_look(const gh_pair_t *pair, uint64_t now_ms, gh_backend_state_t *state)
{
    gh_pair_t told = gh_pair_look(pair);

    state->credential = gh_backend_elapsed(told_at(told.high), now_ms) < GH_BACKEND_CREDENTIAL_MS ? told_state(told.high) : GH_CREDENTIAL_IS_READY;
    state->credential_until_ms = told.low;
}
