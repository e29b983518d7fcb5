/*
 * Two words that change together: a 16-byte compare-and-swap, with which whatever has to agree is never half written, whoever dies where. In
 * shared memory, aligned to 16. A file that is mapped to be looked at only cannot be swapped in, so a look reads the halves on their own.
 */
#ifndef GH_PAIR_H
#define GH_PAIR_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct { alignas(16) uint64_t low; uint64_t high; } gh_pair_t;

/*
 * Is *at still *expected? Then it is desired now; else *expected is what it was. One instruction that others see whole or not at all, and a
 * full fence: never a lock of a library, which a death would leave locked.
 */
static inline bool
gh_pair_swap(gh_pair_t *at, gh_pair_t *expected, gh_pair_t desired)
{
#if defined(__x86_64__)
    bool swapped;

    __asm__ __volatile__("lock cmpxchg16b %1"
        : "=@ccz"(swapped), "+m"(*at), "+a"(expected->low), "+d"(expected->high)
        : "b"(desired.low), "c"(desired.high)
        : "memory");
    return swapped;
#elif defined(__aarch64__)
    uint64_t low, high, new_low, new_high;
    uint32_t failed, same;

    /* one block: no memory of anything else is touched between load and store. What differs is stored back, which makes the load one moment's */
    __asm__ __volatile__(
        "0: ldaxp %[low], %[high], %[at]\n"
        "   cmp   %[low], %[expected_low]\n"
        "   ccmp  %[high], %[expected_high], #0, eq\n"
        "   cset  %w[same], eq\n"
        "   csel  %[new_low], %[desired_low], %[low], eq\n"
        "   csel  %[new_high], %[desired_high], %[high], eq\n"
        "   stlxp %w[failed], %[new_low], %[new_high], %[at]\n"
        "   cbnz  %w[failed], 0b\n"
        "   dmb   ish\n"
        : [low] "=&r"(low), [high] "=&r"(high), [new_low] "=&r"(new_low), [new_high] "=&r"(new_high), [failed] "=&r"(failed),
          [same] "=&r"(same), [at] "+Q"(*at)
        : [expected_low] "r"(expected->low), [expected_high] "r"(expected->high), [desired_low] "r"(desired.low),
          [desired_high] "r"(desired.high)
        : "memory", "cc");
    expected->low = low;
    expected->high = high;
    return same != 0;
#else
#error "the ledger needs a 16-byte compare-and-swap: x86-64 or aarch64"
#endif
}

/*
 * As it is: both halves of one swap, unless two more of them happen between three reads and the second leaves the high half as it was before
 * the first. For what is only looked at; a swap compares for itself.
 */
static inline gh_pair_t
gh_pair_look(const gh_pair_t *at)
{
    gh_pair_t pair;

    do {
        pair.high = __atomic_load_n(&at->high, __ATOMIC_ACQUIRE);
        pair.low = __atomic_load_n(&at->low, __ATOMIC_ACQUIRE);
    } while (__atomic_load_n(&at->high, __ATOMIC_ACQUIRE) != pair.high);
    return pair;
}

#endif
