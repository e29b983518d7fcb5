/* Shared by the files of the ledger. */
#ifndef GH_LEDGER_INTERNAL_H
#define GH_LEDGER_INTERNAL_H

#include <sys/types.h>

#include "policy/ledger/kill_point.h"
#include "policy/ledger/ledger.h"
#include "policy/ledger/reservation.h"

#define GH_LEDGER_FREED 1024

struct gh_ledger_s {
    char                path[1024];
    int                 fd;           /* holds the lock of the slot taken; never inherited, kept until the process ends */
    bool                writable;
    dev_t               device;
    ino_t               inode;
    gh_ledger_header_t *header;       /* the mapping: GH_LEDGER_SIZE_MAX of addresses, of which the file backs the first file_size */
    gh_slot_t          *slots;
    gh_slot_t          *own;          /* NULL: none taken */
    uint32_t            owner;        /* 1 + its number; 0: none */

    /* this process's own memory */
    uint32_t            freed[GH_LEDGER_FREED];   /* reservations it freed last: most likely still free, and in its caches */
    unsigned            freed_count;
    uint64_t            cursor;       /* ordinal at which the search for a free one goes on */
    uint64_t            held;         /* reservations this process owns */
    bool                lapped;       /* the last search went over all of them and found none */
};

static inline void *
gh_ledger_at(const gh_ledger_t *ledger, uint64_t unit)
{
    return (char *) ledger->header + unit * GH_LEDGER_UNIT;
}

static inline unsigned
gh_ledger_extent_count(const gh_ledger_t *ledger)
{
    uint64_t count = __atomic_load_n(&ledger->header->extent_count, __ATOMIC_ACQUIRE);

    return count > GH_LEDGER_EXTENTS ? GH_LEDGER_EXTENTS : (unsigned) count;
}

/* ---- extents.c ---- */

/* Fills the sections of a new ledger of that size, a multiple of 4096. */
void gh_ledger_lay_out(gh_ledger_header_t *header, uint64_t size);

/* Do sections and extents lie where a ledger of this layout has them, inside of file_size? */
bool gh_ledger_layout_ok(const gh_ledger_header_t *header);

/* ---- pages.c ---- */

/* The file and the addresses it may grow into. NULL and errno. */
void *gh_ledger_map(int fd, bool writable);
void  gh_ledger_unmap(void *address);

/* Bytes of the file that have their blocks, and that nobody uses yet, into pages as large as they get. from: a multiple of 4096. */
void gh_ledger_gather(void *address, uint64_t from, uint64_t upto);

/* ---- slot.c ---- */

/* Locks a dead owner's slot. false: it lives, or somebody else recovers it. */
bool gh_slot_lock(const gh_ledger_t *ledger, uint32_t number);
void gh_slot_unlock(const gh_ledger_t *ledger, uint32_t number);

/* ---- counters, counter_find.c ---- */

/* Place of a counter, or 0: there is none. hash: what gh_counter_prefetch said. */
uint32_t gh_counter_find(const gh_ledger_t *ledger, gh_pair_t id);
uint32_t gh_counter_find_hashed(const gh_ledger_t *ledger, gh_pair_t id, uint64_t hash);

/* The same, made when it is not there. 0: no room. Needs a slot. */
uint32_t gh_counter_make(gh_ledger_t *ledger, gh_pair_t id);

/* Undoes the half of it that a dead owner of the slot, whose lock the caller holds, left. */
void gh_counter_recover_claim(gh_ledger_t *ledger, uint32_t slot);

static inline gh_pair_t
gh_counter_pack(const gh_counter_id_t *id)
{
    return (gh_pair_t) { (id->uid & GH_COUNT_MAX) | (uint64_t) (id->level & 7) << 48 | (uint64_t) (id->dimension & 7) << 51
            | (uint64_t) (id->per & 7) << 54 | (uint64_t) (id->limit_class & 3) << 57, id->model };
}

static inline void
gh_counter_unpack(uint64_t low, uint64_t high, gh_counter_id_t *id)
{
    id->uid = low & GH_COUNT_MAX;
    id->model = high;
    id->level = low >> 48 & 7;
    id->dimension = low >> 51 & 7;
    id->per = low >> 54 & 7;
    id->limit_class = low >> 57 & 3;
}

/* Where the search for it begins, into the cache. */
uint64_t gh_counter_prefetch(const gh_ledger_t *ledger, gh_pair_t id);

/* ---- counter.c ---- */

typedef enum {
    GH_APPLIED = 0,
    GH_UNCHANGED,                     /* the counter has moved on to another window or identity */
    GH_REFUSED,                       /* RESERVE: no room under the limit */
    GH_GONE                           /* RESERVE: the place is another counter's by now */
} gh_applied_t;

/* seq: the slot's own, published already. *value: the counter behind it; refused: without it. */
gh_applied_t gh_counter_reserve(gh_ledger_t *ledger, gh_reservation_entry_t *entry, uint32_t window, uint64_t limit, uint64_t seq, uint64_t *value);
gh_applied_t gh_counter_give_back(gh_ledger_t *ledger, const gh_reservation_entry_t *entry, uint64_t actual, uint64_t seq, uint64_t *value);

/* Was operation seq of the slot's dead owner applied to this counter? */
bool gh_counter_was_applied(const gh_ledger_t *ledger, uint32_t counter, uint32_t slot, uint64_t seq);

/* ---- reservation.c ---- */

typedef enum { GH_PHASE_FREE = 0, GH_PHASE_RESERVE, GH_PHASE_HELD, GH_PHASE_SETTLE, GH_PHASE_UNDO } gh_phase_t;

typedef struct {
    gh_phase_t phase;
    unsigned   set, count, owner;     /* owner: 1 + slot; 0: none */
    uint64_t   serial;
} gh_state_t;

static inline gh_state_t
gh_state_unpack(uint64_t word)
{
    return (gh_state_t) { (gh_phase_t) (word & 7), (unsigned) (word >> 3 & 1), (unsigned) (word >> 4 & 31), (unsigned) (word >> 9 & 0x7ff),
        word >> 20 };
}

static inline uint64_t
gh_state_pack(gh_state_t state)
{
    return (uint64_t) state.phase | (uint64_t) state.set << 3 | (uint64_t) state.count << 4 | (uint64_t) state.owner << 9 | state.serial << 20;
}

/* A reservation by its ordinal over all extents, and how many there are. NULL above. */
gh_reservation_record_t *gh_reservation_at(const gh_ledger_t *ledger, uint64_t ordinal);
uint64_t                 gh_reservation_total(const gh_ledger_t *ledger);

/* Flips to the other set, owned by this process from operation `start` on, in that phase, and does what is left of it. Not freed. */
void gh_reservation_finish(gh_ledger_t *ledger, gh_reservation_record_t *record, gh_phase_t phase, unsigned start, unsigned count, uint64_t *values);

/* Back to FREE. */
void gh_reservation_release(gh_ledger_t *ledger, gh_reservation_record_t *record);

/* Of a dimension that comes back when the request ends. */
static inline bool
gh_dimension_returns(unsigned dimension)
{
    return dimension == GH_COUNT_IN_FLIGHT || dimension == GH_COUNT_STREAMS;
}

/* ---- recover.c ---- */

/*
 * Everything that the dead owner of a slot left; the caller holds its lock, or has just become its owner. At most *most reservations, of
 * which as many are taken off. true: nothing is left.
 */
bool gh_recover_slot(gh_ledger_t *ledger, uint32_t number, unsigned *most, gh_recovered_fn recovered, void *context);

#endif
