/* The 16 bytes of a counter that change together, and the compare-and-swap over them. */
#ifndef GH_COUNTER_WORD_H
#define GH_COUNTER_WORD_H

#include <stdbool.h>

#include "policy/ledger/ledger_format.h"

#define GH_VALUE_BITS  48
#define GH_VALUE_MASK  ((UINT64_C(1) << GH_VALUE_BITS) - 1)
#define GH_SEQ_BITS    37
#define GH_SEQ_MASK    ((UINT64_C(1) << GH_SEQ_BITS) - 1)
#define GH_RETIRED     UINT32_MAX     /* as the window: the place is being given to another identity; value: 1 + slot of who does it */

typedef struct {
    uint64_t value;
    uint32_t window;
    uint32_t owner;                   /* 1 + slot; 0: nobody */
    uint64_t seq;                     /* the low GH_SEQ_BITS of the owner's operation */
} gh_word_t;

/* low: value and the window's lower half. high: its upper half and the whole tag, so that an unchanged high is an unchanged word. */
static inline gh_pair_t
gh_word_pack(gh_word_t word)
{
    return (gh_pair_t) { word.value | (uint64_t) word.window << GH_VALUE_BITS,
        (uint64_t) word.window >> 16 | word.seq << 16 | (uint64_t) word.owner << (16 + GH_SEQ_BITS) };
}

static inline gh_word_t
gh_word_unpack(gh_pair_t pair)
{
    return (gh_word_t) { pair.low & GH_VALUE_MASK, (uint32_t) (pair.low >> GH_VALUE_BITS) | (uint32_t) (pair.high & 0xffff) << 16,
        (uint32_t) (pair.high >> (16 + GH_SEQ_BITS)), pair.high >> 16 & GH_SEQ_MASK };
}

static inline uint64_t
gh_load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* high first: gh_word_unchanged tells afterwards whether low was of the same moment. */
static inline gh_pair_t
gh_word_load(const gh_counter_t *counter)
{
    gh_pair_t pair;

    pair.high = gh_load(&counter->word.high);
    pair.low = gh_load(&counter->word.low);
    return pair;
}

/* Every word has a tag of its own, so one that has the same high again did not change in between. */
static inline bool
gh_word_unchanged(const gh_counter_t *counter, gh_pair_t pair)
{
    return gh_load(&counter->word.high) == pair.high;
}

/* Has this processor the instruction? */
bool gh_pair_swap_works(void);

/* Before a word is replaced: its writer, if it is still at that operation, learns that it was applied. */
static inline void
gh_counter_raise_done(gh_slot_t *slots, gh_word_t word)
{
    gh_slot_t *slot;
    uint64_t   seq, done;

    if (word.owner == 0 || word.owner > GH_LEDGER_SLOTS) {
        return;
    }
    slot = &slots[word.owner - 1];
    seq = gh_load(&slot->seq);
    if ((seq & GH_SEQ_MASK) != word.seq) {
        return;    /* it went on by itself */
    }
    done = gh_load(&slot->done);
    while (done < seq && !__atomic_compare_exchange_n(&slot->done, &done, seq, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)) {
        /* done was read again */
    }
}

#endif
