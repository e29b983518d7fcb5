/* What was sent without a line of the record, until one says so: in its sender's slot, where its death does not lose it. */
#include "policy/ledger/ledger_internal.h"

void
gh_slot_gap_set(gh_slot_t *slot, const gh_ledger_gap_t *gap)
{
    uint64_t counts = (uint64_t) gap->attempts << 32 | gap->requests;

    if (counts == 0) {
        gh_slot_set(slot, gap_counts, counts);    /* first: times without counts say nothing */
    }
    gh_slot_set(slot, gap_from_ms, gap->from_ms);
    gh_slot_set(slot, gap_to_ms, gap->to_ms);
    gh_slot_set(slot, gap_counts, counts);
}

bool
gh_slot_gap(const gh_slot_t *slot, gh_ledger_gap_t *gap)
{
    uint64_t counts = gh_slot_get(slot, gap_counts);

    *gap = (gh_ledger_gap_t) { 0, gh_slot_get(slot, pid), (uint32_t) counts, (uint32_t) (counts >> 32), gh_slot_get(slot, gap_from_ms), gh_slot_get(slot, gap_to_ms) };
    return counts != 0;
}

int
gh_ledger_gaps(gh_ledger_t *ledger, gh_ledger_gap_fn found, void *context, gh_error_t *error)
{
    static const gh_ledger_gap_t none;
    uint32_t                     numbers[GH_LEDGER_SLOTS];
    size_t                       count, next = 0;
    gh_ledger_gap_t              gap;

    if (gh_ledger_live(ledger, numbers, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < GH_LEDGER_SLOTS; i++) {
        gh_slot_t *slot = &ledger->slots[i];
        int        status = GH_OK;

        if (next < count && numbers[next] == i) {
            next++;
            continue;
        }
        if (!gh_slot_gap(slot, &gap) || !gh_slot_lock(ledger, i)) {
            continue;
        }
        gh_kill_point("gap_locked");
        if (gh_slot_gap(slot, &gap)) {
            gap.slot = i;
            status = found(context, &gap);
            gh_kill_point("gap_told");
        }
        if (status == GH_OK) {
            gh_slot_gap_set(slot, &none);
        }
        gh_slot_unlock(ledger, i);
        gh_kill_point("gap_unlocked");
        if (status != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}
