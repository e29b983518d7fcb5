/* Is a ledger whole? Looked at while workers use it, without taking anything from them. */
#ifndef GH_VERIFY_H
#define GH_VERIFY_H

#include "policy/ledger/reservation.h"

typedef struct {
    uint64_t counters, counter_room;  /* with an identity; places in all */
    uint64_t reservations, reservation_room;   /* not free; in all */
    uint64_t orphans;                 /* of them: whose owner is dead, for the sweeper */
    uint64_t overdue;                 /* of the others: HELD beyond their expiry, by a living owner */
    uint64_t problems;
} gh_verified_t;

/* One problem, in words that name what it is about. */
typedef void (*gh_verify_fn)(void *context, const char *text);

/*
 * Every counter has a possible identity, is where a search finds it and nowhere else, and is at least what its reservations hold; every
 * reservation has a possible state and names counters. What is only between two steps of a worker is looked at again before it is called a
 * problem. GH_ERROR: out of memory, or locks cannot be looked at.
 */
int gh_ledger_verify(const gh_ledger_t *ledger, uint64_t now_ms, gh_verify_fn each, void *context, gh_verified_t *verified, gh_error_t *error);

/* What the reservations hold of each counter, in its own window. */
typedef struct {
    uint32_t counter;                 /* place; 0: free entry of the table */
    uint64_t reserved;
} gh_held_entry_t;

typedef struct {
    gh_held_entry_t *entries;         /* malloc'ed */
    uint64_t         capacity;        /* a power of two */
} gh_held_table_t;

/* GH_ERROR: out of memory. *table is to be freed by gh_held_free. */
int      gh_held_collect(const gh_ledger_t *ledger, gh_held_table_t *table);
uint64_t gh_held_of(const gh_held_table_t *table, uint32_t counter);
void     gh_held_free(gh_held_table_t *table);

#endif
