/*
 * Core memory is an arena handed in by the caller: the core frees nothing and
 * error paths need no cleanup. nginx backs it with a request pool, the CLI and
 * the tests with malloc.
 */
#ifndef GH_ARENA_H
#define GH_ARENA_H

#include <stddef.h>

typedef struct gh_arena_s gh_arena_t;

struct gh_arena_s {
    /* Returns size bytes aligned to 16, or NULL. Need not be zeroed. */
    void *(*alloc)(gh_arena_t *arena, size_t size);
    void  *context;
};

/* Zeroed memory aligned to 16, or NULL when out of memory. size 0 gives a valid pointer. */
void *gh_arena_alloc(gh_arena_t *arena, size_t size);

/* Zeroed array; NULL on overflow of count * size too. */
void *gh_arena_array(gh_arena_t *arena, size_t count, size_t size);

/*
 * A grown copy of an array: new_count elements, the first old_count copied, the
 * rest zeroed. The old one stays allocated (arena).
 */
void *gh_arena_grow(gh_arena_t *arena, const void *old, size_t old_count, size_t new_count, size_t size);

/* A malloc-backed arena. Blocks grow from 64 KiB. */
typedef struct gh_heap_block_s gh_heap_block_t;
typedef struct {
    gh_arena_t       arena;      /* pass &heap.arena to the core */
    gh_heap_block_t *blocks;
    size_t           limit;      /* allocations left before NULL is returned; SIZE_MAX: no limit (tests of the n-th failure) */
} gh_heap_t;

void gh_heap_init(gh_heap_t *heap);
void gh_heap_free(gh_heap_t *heap);

#endif
