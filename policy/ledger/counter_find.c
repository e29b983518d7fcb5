/*
 * Finding the counter of an identity, and making it. In each extent an identity may lie in PROBE places behind its home; it lies in at most
 * one place of all extents, whoever makes it at the same time and whoever dies.
 *
 *  - An identity is 16 bytes and is put in by one compare-and-swap: there is no half of one.
 *  - Only the holder of the identity's claim (one of GH_LEDGER_CLAIMS words, by its hash) puts it in, after a look at all its places. The
 *    claim names its holder's slot; that of a dead one is ended by whoever wants it and got the lock of the slot.
 *  - A place that was never used (id 0) never comes back as such, so a search ends at the first one. Places are taken front to back.
 *  - An expired counter's place is given to another identity while its word is RETIRED: noted in the slot, word retired by compare-and-swap
 *    (whoever counted meanwhile wins), incarnation and identity changed, word made new. In every state but the last nobody counts there, and
 *    a dead owner's is made free (id of all ones) by recovery. Words made here carry numbers that no other word had.
 *
 * Holding a claim takes well under a microsecond; one whose holder is stopped inside makes others wait PATIENCE, and then have no room.
 */
#define _GNU_SOURCE
#include "policy/ledger/counter_word.h"
#include "policy/ledger/ledger_internal.h"

#include <sched.h>
#include <time.h>

#define PROBE      32u
#define PATIENCE   20u                /* ms of looks at another's claim, the processor given away after each */
#define ASK_EVERY  16u                /* of them: is its holder dead? */
#define ATTEMPTS   64u                /* a place was taken by another identity in between */
#define GRACE_MS   5000u              /* after a window's end: clocks of workers are a little apart */
#define FREE_AGAIN UINT64_MAX

static uint64_t
hash_id(gh_pair_t id)
{
    uint64_t h = id.low * UINT64_C(0x9e3779b97f4a7c15) ^ (id.high + UINT64_C(0x632be59bd9b4e019)) * UINT64_C(0xd6e8feb86659fd93);

    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    h = (h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static gh_counter_t *
home(const gh_ledger_t *ledger, unsigned extent, uint64_t hash)
{
    const gh_ledger_section_t *section = &ledger->header->extents[extent].counters;
    uint64_t                   places = section->length / sizeof(gh_counter_t) - (PROBE - 1);

    return (gh_counter_t *) ((char *) ledger->header + section->offset) + ((hash >> 32) * places >> 32);
}

static uint32_t
unit_of(const gh_ledger_t *ledger, const gh_counter_t *counter)
{
    return (uint32_t) ((uint64_t) ((const char *) counter - (const char *) ledger->header) / GH_LEDGER_UNIT);
}

uint64_t
gh_counter_prefetch(const gh_ledger_t *ledger, gh_pair_t id)
{
    uint64_t hash = hash_id(id);

    __builtin_prefetch(home(ledger, 0, hash), 1);
    return hash;
}

uint32_t
gh_counter_find(const gh_ledger_t *ledger, gh_pair_t id)
{
    return gh_counter_find_hashed(ledger, id, hash_id(id));
}

uint32_t
gh_counter_find_hashed(const gh_ledger_t *ledger, gh_pair_t id, uint64_t hash)
{
    unsigned extents = gh_ledger_extent_count(ledger);

    for (unsigned e = 0; e < extents; e++) {
        const gh_counter_t *place = home(ledger, e, hash);

        for (unsigned i = 0; i < PROBE; i++, place++) {
            uint32_t window = gh_word_unpack(gh_word_load(place)).window;
            uint64_t low = gh_load(&place->id.low);

            if (low == id.low && gh_load(&place->id.high) == id.high && window != GH_RETIRED) {
                return unit_of(ledger, place);
            }
            if (low == 0) {
                return 0;
            }
        }
    }
    return 0;
}

/* Can what it counted matter to nobody any more? IDLE: nothing is in flight, so it is as good as not there, but soon will be again. */
typedef enum { IN_USE = 0, EXPIRED, IDLE } use_t;

static use_t
use_of(const gh_ledger_t *ledger, uint64_t id_low, gh_word_t word)
{
    gh_counter_id_t id;

    gh_counter_unpack(id_low, 0, &id);
    if (id.per == GH_PER_NONE) {
        return gh_dimension_returns(id.dimension) && word.value == 0 ? IDLE : IN_USE;
    }
    return gh_window_end((gh_per_t) id.per, word.window) + GRACE_MS <= gh_load(&ledger->header->clock_ms) ? EXPIRED : IN_USE;
}

static gh_word_t
new_word(gh_ledger_t *ledger, uint64_t value, uint32_t window)
{
    uint64_t number = __atomic_add_fetch(&ledger->header->unique, 1, __ATOMIC_RELAXED);

    return (gh_word_t) { value, window, 0, number & GH_SEQ_MASK };
}

/* Of a place whose word this process retired, or that a dead one retired whose lock it holds. */
static void
give_to(gh_ledger_t *ledger, gh_counter_t *place, gh_pair_t id)
{
    gh_pair_t retired = gh_word_load(place), was = { gh_load(&place->id.low), gh_load(&place->id.high) };
    gh_word_t fresh = new_word(ledger, 0, 0);

    __atomic_store_n(&place->incarnation, fresh.seq, __ATOMIC_RELEASE);
    gh_kill_point("recycle_incarnation");
    gh_pair_swap(&place->id, &was, id);
    gh_kill_point("recycle_identity");
    gh_pair_swap(&place->word, &retired, gh_word_pack(fresh));
    gh_kill_point("recycle_word");
}

static bool
recycle(gh_ledger_t *ledger, gh_counter_t *place, gh_pair_t word, gh_pair_t id)
{
    gh_word_t retired = new_word(ledger, ledger->owner, GH_RETIRED);

    __atomic_store_n(&ledger->own->recycles, unit_of(ledger, place), __ATOMIC_RELEASE);
    gh_kill_point("recycle_noted");
    gh_counter_raise_done(ledger->slots, gh_word_unpack(word));
    gh_kill_point("recycle_raised");
    if (!gh_pair_swap(&place->word, &word, gh_word_pack(retired))) {
        __atomic_store_n(&ledger->own->recycles, 0, __ATOMIC_RELEASE);
        return false;
    }
    gh_kill_point("recycle_retired");
    give_to(ledger, place, id);
    __atomic_store_n(&ledger->own->recycles, 0, __ATOMIC_RELEASE);
    return true;
}

/* Where an identity that is not there could go. */
typedef struct {
    gh_counter_t *place;              /* NULL: nowhere */
    gh_pair_t     id, word;           /* as they were seen */
} room_t;

/*
 * Under the claim. The place of the identity, or NULL and the best room for it: the first that can be used again, else the first that was never
 * used, else one that is idle.
 */
static gh_counter_t *
look(gh_ledger_t *ledger, gh_pair_t id, room_t *room)
{
    uint64_t hash = hash_id(id);
    unsigned extents = gh_ledger_extent_count(ledger);
    room_t   idle = { 0 };

    room->place = NULL;
    for (unsigned e = 0; e < extents; e++) {
        gh_counter_t *place = home(ledger, e, hash);

        for (unsigned i = 0; i < PROBE; i++, place++) {
            gh_pair_t word = gh_word_load(place), was = { gh_load(&place->id.low), gh_load(&place->id.high) };
            gh_word_t seen = gh_word_unpack(word);
            room_t    here = { place, was, word };
            use_t     use;

            if (was.low == id.low && was.high == id.high && seen.window != GH_RETIRED) {
                return place;
            }
            if (was.low == 0) {
                *room = room->place == NULL ? here : *room;
                return NULL;
            }
            if (room->place != NULL || seen.window == GH_RETIRED) {
                continue;
            }
            use = was.low == FREE_AGAIN ? EXPIRED : use_of(ledger, was.low, seen);
            *room = use == EXPIRED ? here : *room;
            idle = use == IDLE && idle.place == NULL ? here : idle;
        }
    }
    *room = room->place == NULL ? idle : *room;
    return NULL;
}

static uint32_t
make_claimed(gh_ledger_t *ledger, gh_pair_t id)
{
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        room_t        room;
        gh_counter_t *place = look(ledger, id, &room);
        bool          taken;

        if (place != NULL) {
            return unit_of(ledger, place);
        }
        if (room.place == NULL) {
            return 0;
        }
        if (room.id.low == 0 || room.id.low == FREE_AGAIN) {
            taken = gh_pair_swap(&room.place->id, &room.id, id);
            gh_kill_point("insert_identity");
        } else {
            taken = recycle(ledger, room.place, room.word, id);
        }
        if (taken) {
            return unit_of(ledger, room.place);
        }
    }
    return 0;
}

static uint64_t *
claim_word(const gh_ledger_t *ledger, uint32_t number)
{
    return (uint64_t *) ((char *) ledger->header + ledger->header->claims.offset) + number;
}

void
gh_counter_recover_claim(gh_ledger_t *ledger, uint32_t number)
{
    gh_slot_t *slot = &ledger->slots[number];
    uint32_t   claim = __atomic_load_n(&slot->claim, __ATOMIC_ACQUIRE), at = __atomic_load_n(&slot->recycles, __ATOMIC_ACQUIRE);
    uint64_t   held = number + 1;

    if (at != 0) {
        gh_counter_t *place = gh_ledger_at(ledger, at);
        gh_word_t     word = gh_word_unpack(gh_word_load(place));

        if (word.window == GH_RETIRED && word.value == number + 1) {
            give_to(ledger, place, (gh_pair_t) { FREE_AGAIN, FREE_AGAIN });
        }
        __atomic_store_n(&slot->recycles, 0, __ATOMIC_RELEASE);
        gh_kill_point("claim_recovered_place");
    }
    if (claim != 0 && claim <= GH_LEDGER_CLAIMS) {
        __atomic_compare_exchange_n(claim_word(ledger, claim - 1), &held, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        gh_kill_point("claim_recovered");
    }
    __atomic_store_n(&slot->claim, 0, __ATOMIC_RELEASE);
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static bool
take_claim(gh_ledger_t *ledger, uint32_t number)
{
    uint64_t *word = claim_word(ledger, number), until = 0;

    for (unsigned tries = 1; ; tries++) {
        uint64_t holder = 0;

        if (__atomic_compare_exchange_n(word, &holder, ledger->owner, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)) {
            return true;
        }
        if (tries % ASK_EVERY == 0) {
            until = until == 0 ? now_ms() + PATIENCE : until;
            if (holder <= GH_LEDGER_SLOTS && gh_slot_lock(ledger, (uint32_t) holder - 1)) {
                gh_counter_recover_claim(ledger, (uint32_t) holder - 1);
                gh_slot_unlock(ledger, (uint32_t) holder - 1);
            } else if (now_ms() >= until) {
                return false;
            }
        }
        sched_yield();
    }
}

uint32_t
gh_counter_make(gh_ledger_t *ledger, gh_pair_t id)
{
    uint32_t number = (uint32_t) hash_id(id) & (GH_LEDGER_CLAIMS - 1), at = 0;

    __atomic_store_n(&ledger->own->claim, number + 1, __ATOMIC_RELEASE);
    gh_kill_point("claim_noted");
    if (take_claim(ledger, number)) {
        gh_kill_point("claim_taken");
        at = make_claimed(ledger, id);
        gh_kill_point("claim_used");
        __atomic_store_n(claim_word(ledger, number), 0, __ATOMIC_RELEASE);
        gh_kill_point("claim_released");
    }
    __atomic_store_n(&ledger->own->claim, 0, __ATOMIC_RELEASE);
    return at;
}
