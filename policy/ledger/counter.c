/*
 * One operation on one counter, detectable after any death. Why it is exact:
 *
 *  - An operation has a number that its slot never used before, published in the slot (`seq`) before the counter is touched. It takes effect
 *    in one compare-and-swap that writes value, window and the tag (slot, number) together: there is no half of it.
 *  - Whoever replaces a word with tag (S, n), and sees that S is still at n, first raises S's `done` to n. So when S dies in operation n, and n
 *    was applied, either the word still has the tag, or whoever replaced it had read it there, found S at n (S never left it), and raised
 *    `done` before. If it was not applied, no word has the tag, and nobody can have raised `done` to n.
 *  - Recovery reads the word first and `done` second: a replacement that takes the tag away has raised `done` before.
 *  - Tags repeat after 2^37 operations of a slot. A tag that old misleads only when its slot dies in the operation of the same number, on the
 *    same counter, with nothing else counted there in between.
 *
 * A word is judged by a load of high, low, identity; it was one moment's when high is the same afterwards, or when the compare-and-swap
 * succeeds. The identity of a place changes only while its word is retired (counter_find.c), so the swap also proves whose counter it was.
 */
#include "policy/ledger/counter_word.h"
#include "policy/ledger/ledger_internal.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

bool
gh_pair_swap_works(void)
{
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_CMPXCHG16B) != 0;
#else
    return true;
#endif
}

bool
gh_counter_was_applied(const gh_ledger_t *ledger, uint32_t counter, uint32_t slot, uint64_t seq)
{
    const gh_counter_t *at = gh_ledger_at(ledger, counter);
    gh_word_t           word = gh_word_unpack(gh_word_load(at));

    if (word.owner == slot + 1 && word.seq == (seq & GH_SEQ_MASK)) {
        return true;
    }
    return gh_load(&ledger->slots[slot].done) >= seq;
}

/* This operation's word in the place of the one that was read. */
static inline __attribute__((always_inline)) bool
replace(gh_ledger_t *ledger, gh_counter_t *counter, gh_pair_t was, uint64_t value, uint32_t window, uint64_t seq)
{
    gh_word_t word = { value, window, ledger->owner, seq & GH_SEQ_MASK };

    gh_kill_point("op_read");
    gh_counter_raise_done(ledger->slots, gh_word_unpack(was));
    gh_kill_point("op_raised");
    return gh_pair_swap(&counter->word, &was, gh_word_pack(word));
}

static inline bool
same_identity(const gh_counter_t *counter, const gh_reservation_entry_t *entry)
{
    return gh_load(&counter->id.low) == entry->id_low && gh_load(&counter->id.high) == entry->id_high;
}

/*
 * The window counted in is the counter's when that is newer: the clock stepped back, or a worker's is behind. It is noted in the entry before
 * the swap, and the incarnation too: giving back goes to that window of that counter or nowhere.
 */
gh_applied_t
gh_counter_reserve(gh_ledger_t *ledger, gh_reservation_entry_t *entry, uint32_t window, uint64_t limit, uint64_t seq, uint64_t *value)
{
    gh_counter_t *counter = gh_ledger_at(ledger, entry->counter);

    for ( ;; ) {
        gh_pair_t pair = gh_word_load(counter);
        gh_word_t word = gh_word_unpack(pair);
        uint64_t  before = word.window < window ? 0 : word.value, after;

        if (word.window == GH_RETIRED || !same_identity(counter, entry)) {
            return GH_GONE;
        }
        if (limit != GH_NO_LIMIT && (before > limit || entry->reserved > limit - before)) {
            if (!gh_word_unchanged(counter, pair)) {
                continue;
            }
            *value = before;
            return GH_REFUSED;
        }
        after = before + entry->reserved;
        after = after > GH_COUNT_MAX ? GH_COUNT_MAX : after;
        entry->window = word.window < window ? window : word.window;
        entry->incarnation = gh_load(&counter->incarnation);
        if (replace(ledger, counter, pair, after, entry->window, seq)) {
            *value = after;
            return GH_APPLIED;
        }
    }
}

gh_applied_t
gh_counter_give_back(gh_ledger_t *ledger, const gh_reservation_entry_t *entry, uint64_t actual, uint64_t seq, uint64_t *value)
{
    gh_counter_t *counter = gh_ledger_at(ledger, entry->counter);

    for ( ;; ) {
        gh_pair_t pair = gh_word_load(counter);
        gh_word_t word = gh_word_unpack(pair);
        bool      same = word.window == entry->window && same_identity(counter, entry)
            && gh_load(&counter->incarnation) == entry->incarnation;
        uint64_t  after;

        if (!same) {
            if (!gh_word_unchanged(counter, pair)) {
                continue;
            }
            *value = 0;
            return GH_UNCHANGED;
        }
        after = (word.value > entry->reserved ? word.value - entry->reserved : 0) + actual;
        after = after > GH_COUNT_MAX ? GH_COUNT_MAX : after;
        if (replace(ledger, counter, pair, after, entry->window, seq)) {
            *value = after;
            return GH_APPLIED;
        }
    }
}

uint64_t
gh_counter_read(const gh_ledger_t *ledger, const gh_counter_id_t *id, uint32_t window)
{
    gh_pair_t packed = gh_counter_pack(id);

    for ( ;; ) {
        uint32_t      at = gh_counter_find(ledger, packed);
        gh_counter_t *counter = gh_ledger_at(ledger, at);
        gh_pair_t     pair;
        gh_word_t     word;

        if (at == 0) {
            return 0;
        }
        pair = gh_word_load(counter);
        word = gh_word_unpack(pair);
        if (gh_load(&counter->id.low) == packed.low && gh_load(&counter->id.high) == packed.high && gh_word_unchanged(counter, pair)) {
            return word.window == GH_RETIRED || word.window < window ? 0 : word.value;
        }
    }
}
