/*
 * Counters and reservations: what was used in a window, exact through the death of any process at any instruction. What will hurt you first:
 *  - a counter's value is what was settled and what is reserved, together; only reservations change it;
 *  - a reservation belongs to the slot that took it, and is written by its owner alone, or by whoever holds the lock of its dead owner;
 *  - RESERVE may be refused; SETTLE and UNDO never are, and leave a counter alone whose window has moved on.
 *
 * Counters are found by what they count, never by a pointer kept across events. Nothing here waits, allocates or locks.
 */
#ifndef GH_RESERVATION_H
#define GH_RESERVATION_H

#include "policy/ledger/ledger.h"

/* Whose use is counted. A deployment's counter has no limit: it is how many dispatches are under way. A user is one of tokens or certificates, of one app. */
typedef enum {
    GH_LEVEL_ORGANISATION = 1, GH_LEVEL_TENANT, GH_LEVEL_APP, GH_LEVEL_KEY, GH_LEVEL_DEPLOYMENT, GH_LEVEL_USER
} gh_level_t;

typedef enum {
    GH_COUNT_REQUESTS = 1, GH_COUNT_TOKENS, GH_COUNT_MICRO_DOLLARS, GH_COUNT_IN_FLIGHT, GH_COUNT_INPUT, GH_COUNT_OUTPUT, GH_COUNT_STREAMS
} gh_dimension_t;

/* NONE: for IN_FLIGHT and STREAMS, which come back, and for budgets of a lifetime. Windows are UTC. */
typedef enum { GH_PER_NONE = 0, GH_PER_SECOND, GH_PER_MINUTE, GH_PER_DAY, GH_PER_MONTH } gh_per_t;

typedef enum { GH_LIMIT_BUDGET = 1, GH_LIMIT_RATE, GH_LIMIT_SHADOW } gh_limit_class_t;

/* What one counter counts. uid: of the organisation, tenant, app or key, never given twice; of a deployment gh_model_number of its name. */
typedef struct {
    uint64_t uid;                     /* below 2^48 */
    uint64_t model;                   /* gh_model_number of the catalogue's name; 0: every model together */
    uint8_t  level, dimension, per, limit_class;
} gh_counter_id_t;

/* The first 64 bits of the name's SHA-256, little-endian, never 0. */
uint64_t gh_model_number(gh_str_t name);

/* Number of the window that holds now_ms: seconds, minutes, days or months (12 * year + month - 1) of Unix time, UTC; NONE: 0. */
uint32_t gh_window_number(gh_per_t per, uint64_t now_ms);

/* First instant after it, ms; NONE: 0. */
uint64_t gh_window_end(gh_per_t per, uint32_t number);

#define GH_RESERVATION_COUNTERS 24
#define GH_COUNT_MAX            ((UINT64_C(1) << 48) - 1)   /* of a value; above it: held there */
#define GH_NO_LIMIT             UINT64_MAX

typedef struct {
    gh_counter_id_t id;
    uint32_t        window;           /* gh_window_number */
    uint64_t        limit;            /* taken only while value + amount <= limit; GH_NO_LIMIT: always */
    uint64_t        amount;           /* at most GH_COUNT_MAX */
    bool            optional;         /* without room for its counter it is left out instead of refused */
    bool            left_out;         /* result: it was; value is 0 then, and later calls pass over it */
    uint64_t        value;            /* result: the counter with this reservation; refused: without it */
} gh_reservation_item_t;

typedef struct { uint32_t index; uint64_t serial; } gh_reservation_t;   /* serial 0: none */

typedef enum {
    GH_RESERVED = 0,                  /* all of it */
    GH_RESERVE_LIMIT,                 /* items[*refused] had no room left under its limit; nothing is taken */
    GH_RESERVE_FULL                   /* the ledger has no room; *refused: the counter's item, or count when for the reservation itself */
} gh_reserved_t;

/*
 * Takes all items or none. request_id: 16 bytes. expires_ms: bounds what an orphan holds; never frees what a living owner holds. count 0 is
 * taken as well. Needs a slot.
 */
gh_reserved_t gh_reservation_take(gh_ledger_t *ledger, gh_reservation_item_t *items, unsigned count, const uint8_t request_id[16],
    uint64_t expires_ms, gh_reservation_t *reservation, unsigned *refused);

/*
 * What was really used, one amount an item in the order of the take, and frees it; in-flight items: 0. Never refused; *over: bits of the
 * items whose actual amount was above what was reserved. values (NULL: not wanted): each counter behind it.
 */
void gh_reservation_settle(gh_ledger_t *ledger, gh_reservation_t *reservation, const uint64_t *actual, uint32_t *over, uint64_t *values);

/* As if it had not been taken. */
void gh_reservation_undo(gh_ledger_t *ledger, gh_reservation_t *reservation);

/* Of the window asked for: 0 when nothing was counted in it, or when the counter is of an older one. Any process, without a slot. */
uint64_t gh_counter_read(const gh_ledger_t *ledger, const gh_counter_id_t *id, uint32_t window);

/*
 * What a dead owner left, finished: RESERVE is undone, SETTLE and UNDO are completed, HELD is charged as it stands and gives back what is in
 * flight. Takes locks of dead owners' slots one by one. At most `most` reservations a call; *left: whether there are more. recovered
 * (NULL: nobody) is told of each that was HELD or SETTLE, before it is freed; when the sweeper dies right then, the next one tells of it
 * again. now_ms is the clock by which windows expire. Needs a slot.
 */
typedef struct {
    uint8_t  request_id[16];
    unsigned count;
    gh_counter_id_t ids[GH_RESERVATION_COUNTERS];
    uint32_t windows[GH_RESERVATION_COUNTERS];
    uint64_t reserved[GH_RESERVATION_COUNTERS], charged[GH_RESERVATION_COUNTERS];
} gh_recovered_t;

typedef void (*gh_recovered_fn)(void *context, const gh_recovered_t *recovered);

int gh_ledger_sweep(gh_ledger_t *ledger, uint64_t now_ms, unsigned most, bool *left, gh_recovered_fn recovered, void *context, gh_error_t *error);

/*
 * Who sweeps? true: the caller, for the next for_ms; everybody else is told false until then. Sweeping without it is safe as well, only
 * wasteful.
 */
bool gh_ledger_sweep_lease(gh_ledger_t *ledger, uint64_t now_ms, uint64_t for_ms);

#define GH_SWEEP_LEASE_MAX_MS 5000u   /* what is further ahead is of a clock that stepped back */

/*
 * The same for one who keeps it: *until_ms is what the last call gave (0: none). false: it ran out and somebody else sweeps, or did in between; *until_ms is 0
 * then. gh_ledger_sweep_leave gives it back.
 */
bool gh_ledger_sweep_keep(gh_ledger_t *ledger, uint64_t now_ms, uint64_t for_ms, uint64_t *until_ms);
void gh_ledger_sweep_leave(gh_ledger_t *ledger, uint64_t *until_ms);

/* ---- the agent, which sweeps while it lives and finishes the record that they write: workers do then not ask for the lease ---- */

#define GH_AGENT_BEAT_MS 3000u        /* how long one call says that it lives */

void gh_ledger_agent_beat(gh_ledger_t *ledger, uint64_t now_ms, uint64_t since_ms, uint64_t pid);
void gh_ledger_agent_end(gh_ledger_t *ledger, uint64_t now_ms);
bool gh_ledger_agent_lives(const gh_ledger_t *ledger, uint64_t now_ms);

/*
 * Which record the workers write, and which one the agent finishes, in two numbers (gh_record_mark_t). An agent of another node, or of other directories, does not
 * sweep: what it took from the workers nobody would finish. A place of zeros: nobody said, or it does not sweep.
 */
void gh_ledger_workers_place(gh_ledger_t *ledger, uint64_t node, uint64_t audit);
void gh_ledger_workers_placed(const gh_ledger_t *ledger, uint64_t *node, uint64_t *audit);
void gh_ledger_agent_place(gh_ledger_t *ledger, uint64_t node, uint64_t audit);

/* Does an agent live that finishes this record? */
bool gh_ledger_agent_sweeps(const gh_ledger_t *ledger, uint64_t now_ms, uint64_t node, uint64_t audit);

/* When it said last that it lives. 0: never, or it ended as it should. */
uint64_t gh_ledger_agent_seen_ms(const gh_ledger_t *ledger);

/* Of a ledger whose agent does not live: since when, however it ended. 0: none ever ran. */
uint64_t gh_ledger_agent_gone_ms(const gh_ledger_t *ledger);

/* A token named a key that its issuer's set does not have: the agent is asked to fetch it again. bits: of gh_issuer_t.number % 64. */
void     gh_ledger_keys_want(gh_ledger_t *ledger, uint64_t bits);
uint64_t gh_ledger_keys_wanted(gh_ledger_t *ledger);   /* and takes them away */

/* Likewise, of credentials that backends refuse, by their names: those of files in the credentials directory. */
uint64_t gh_ledger_credential_bit(gh_str_t name);
void     gh_ledger_credentials_refuse(gh_ledger_t *ledger, uint64_t bits);
uint64_t gh_ledger_credentials_refused(gh_ledger_t *ledger);

/* For the CLI: every counter that is in use, every reservation that is not free, as they are. */
typedef struct { gh_counter_id_t id; uint32_t window; uint32_t place; uint64_t value; } gh_counter_view_t;   /* place: in the file, 64 bytes each */
typedef struct {
    uint32_t index, owner;            /* slot */
    const char *phase;                /* "reserve" "held" "settle" "undo" */
    uint8_t  request_id[16];
    uint64_t expires_ms;
    unsigned count;
    gh_reservation_item_t items[GH_RESERVATION_COUNTERS];   /* amount: reserved; value: actual, once it is settled; optional: left out */
} gh_reservation_view_t;

typedef int (*gh_counter_view_fn)(void *context, const gh_counter_view_t *counter);
typedef int (*gh_reservation_view_fn)(void *context, const gh_reservation_view_t *reservation);
int gh_ledger_each_counter(const gh_ledger_t *ledger, gh_counter_view_fn each, void *context);
int gh_ledger_each_reservation(const gh_ledger_t *ledger, gh_reservation_view_fn each, void *context);

#endif
