/*
 * The record of a revision: envelope, then u64 number, base, time_ms, rollback_of; policy and facts digests (32 each); u32 author
 * length, reason length, document count, count of changed owners; per document sha256[32], u32 path length, u32 owner length; per
 * changed owner u32 length; then the strings in the same order.
 */
#ifndef GH_REVISION_H
#define GH_REVISION_H

#include "policy/store/store_write.h"

/* malloc'ed, envelope still empty. NULL when out of memory. */
uint8_t *gh_revision_record(uint64_t number, uint64_t now_ms, const gh_store_revision_new_t *revision, size_t *len);

/* Strings are copied into the arena. GH_ERROR "store_damaged" or out of memory. */
int gh_revision_read(gh_bytes_t value, gh_arena_t *arena, gh_store_revision_t *revision, gh_error_t *error);

#endif
