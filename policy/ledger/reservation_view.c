/* Counters and reservations as they are, for people: read only, without a slot, while workers go on. */
#include "policy/ledger/counter_word.h"
#include "policy/ledger/ledger_internal.h"

#include <string.h>

int
gh_ledger_each_counter(const gh_ledger_t *ledger, gh_counter_view_fn each, void *context)
{
    unsigned extents = gh_ledger_extent_count(ledger);

    for (unsigned e = 0; e < extents; e++) {
        const gh_ledger_section_t *section = &ledger->header->extents[e].counters;
        const gh_counter_t        *place = gh_ledger_at(ledger, section->offset / GH_LEDGER_UNIT);

        for (uint64_t i = 0; i < section->length / sizeof(gh_counter_t); i++, place++) {
            gh_counter_view_t view;
            gh_pair_t         pair;
            gh_word_t         word;
            uint64_t          low, high;

            do {
                pair = gh_word_load(place);
                low = gh_load(&place->id.low);
                high = gh_load(&place->id.high);
            } while (!gh_word_unchanged(place, pair));
            word = gh_word_unpack(pair);
            if (low == 0 || low == UINT64_MAX || word.window == GH_RETIRED) {
                continue;
            }
            gh_counter_unpack(low, high, &view.id);
            view.window = word.window;
            view.place = (uint32_t) (section->offset / GH_LEDGER_UNIT + i);
            view.value = word.value;
            if (each(context, &view) != GH_OK) {
                return GH_ERROR;
            }
        }
    }
    return GH_OK;
}

static const char *
phase_name(gh_phase_t phase)
{
    static const char *const names[] = { "free", "reserve", "held", "settle", "undo" };

    return phase <= GH_PHASE_UNDO ? names[phase] : "unknown";
}

/* false: it is free, or changed while it was read. */
static bool
copy(const gh_ledger_t *ledger, const gh_reservation_record_t *record, gh_reservation_view_t *view)
{
    uint64_t   word = gh_load(&record->state);
    gh_state_t state = gh_state_unpack(word);

    memset(view, 0, sizeof(*view));
    if (state.phase == GH_PHASE_FREE || state.count > GH_RESERVATION_COUNTERS) {
        return false;
    }
    view->index = (uint32_t) ((uint64_t) ((const char *) record - (const char *) ledger->header) / GH_LEDGER_UNIT);
    view->owner = state.owner == 0 ? 0 : state.owner - 1;
    view->phase = phase_name(state.phase);
    view->expires_ms = gh_load(&record->expires_ms);
    view->count = state.count;
    memcpy(view->request_id, record->request_id, sizeof(view->request_id));
    for (unsigned i = 0; i < state.count; i++) {
        const gh_reservation_entry_t *entry = &record->entries[i];

        gh_counter_unpack(gh_load(&entry->id_low), gh_load(&entry->id_high), &view->items[i].id);
        view->items[i].window = __atomic_load_n(&entry->window, __ATOMIC_ACQUIRE);
        view->items[i].amount = gh_load(&entry->reserved);
        view->items[i].limit = GH_NO_LIMIT;
        view->items[i].optional = __atomic_load_n(&entry->counter, __ATOMIC_ACQUIRE) == 0;
        view->items[i].value = state.phase == GH_PHASE_SETTLE ? gh_load(&entry->actual) : 0;
    }
    return gh_load(&record->state) == word;
}

int
gh_ledger_each_reservation(const gh_ledger_t *ledger, gh_reservation_view_fn each, void *context)
{
    uint64_t used = gh_load(&ledger->header->reservations_used);

    for (uint64_t ordinal = 0; ordinal < used; ordinal++) {
        const gh_reservation_record_t *record = gh_reservation_at(ledger, ordinal);
        gh_reservation_view_t          view;

        if (record == NULL) {
            break;
        }
        if (copy(ledger, record, &view) && each(context, &view) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}
