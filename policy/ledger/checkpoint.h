/*
 * A checkpoint: the ledger's counters, and what was reserved when they were read, as one file that survives a reboot. Made while workers go
 * on, so it is of no one instant; what will hurt you first:
 *  - a reservation that is in it was taken before any counter was read: its counters have it;
 *  - one that is not in it and was taken from `taken_ms` on may be in some of the counters, in all or in none;
 *  - a counter has what was reserved in it; nothing of it is ever given back, but what is in flight.
 *
 * The file, little-endian: a header of 128 bytes (gh_checkpoint_header_t), counters of 40, what is open of 56, then 32 bytes of HMAC-SHA-256
 * over all before it under the store key's subkey "checkpoint".
 */
#ifndef GH_CHECKPOINT_H
#define GH_CHECKPOINT_H

#include "policy/ledger/reservation.h"

#define GH_CHECKPOINT_MAGIC   "GHCKPT01"
#define GH_CHECKPOINT_VERSION 1u

typedef struct {
    char     magic[8];
    uint32_t version, header_size;
    uint64_t length;                  /* of the file */
    uint64_t taken_ms;                /* before the first reservation was read */
    uint64_t counters, open;          /* how many of each follow */
    uint8_t  store_id[16], ledger_id[16];
    uint8_t  unused[48];              /* 0 */
} gh_checkpoint_header_t;

_Static_assert(sizeof(gh_checkpoint_header_t) == 128, "the header's size is the format's");

typedef struct {
    uint64_t uid, model, value;
    uint32_t window;
    uint8_t  level, dimension, per, limit_class;
    uint64_t unused;                  /* 0 */
} gh_checkpoint_counter_t;

typedef struct {                      /* one counter of one reservation */
    uint8_t  request_id[16];
    uint64_t uid, model, amount;
    uint32_t window;
    uint8_t  level, dimension, per, limit_class;
    uint64_t unused;                  /* 0 */
} gh_checkpoint_open_t;

_Static_assert(sizeof(gh_checkpoint_counter_t) == 40 && sizeof(gh_checkpoint_open_t) == 56, "the entries' sizes are the format's");

typedef struct {
    gh_checkpoint_header_t   header;
    gh_checkpoint_counter_t *counters;   /* malloc'ed */
    gh_checkpoint_open_t    *open;
    size_t                   counters_room, open_room;
} gh_checkpoint_t;

/* Reads a ledger in use. GH_ERROR "no_memory". */
int gh_checkpoint_take(const gh_ledger_t *ledger, uint64_t now_ms, gh_checkpoint_t *checkpoint, gh_error_t *error);

/*
 * Replaces PATH in one step, in the disk's hands when it returns; mode 0640. key: of store.key. Several may be written
 * at once: each is whole. GH_ERROR "checkpoint_denied", "checkpoint_full", "checkpoint_busy" (for 10 s): PATH is as it was.
 */
int gh_checkpoint_write(const char *path, const uint8_t key[32], gh_checkpoint_t *checkpoint, gh_error_t *error);

/*
 * GH_ERROR: "checkpoint_missing", "checkpoint_denied", "checkpoint_damaged" (or of another key), "checkpoint_version", "checkpoint_other" (of
 * another store), "checkpoint_future" (taken after now_ms).
 */
int gh_checkpoint_read(const char *path, const uint8_t key[32], const uint8_t store_id[16], uint64_t now_ms, gh_checkpoint_t *checkpoint,
    gh_error_t *error);

void gh_checkpoint_free(gh_checkpoint_t *checkpoint);

#endif
