#include "policy/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GH_HEAP_BLOCK   (64 * 1024)
#define GH_HEAP_LARGEST (4 * 1024 * 1024)

/* Under AddressSanitizer every allocation is its own block, so that running over one is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define GH_HEAP_SEPARATE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GH_HEAP_SEPARATE 1
#endif
#endif

struct gh_heap_block_s {
    gh_heap_block_t *next;
    size_t           size;     /* of data */
    size_t           used;
    size_t           pad;      /* data stays 16-aligned */
    char             data[];
};

void *
gh_arena_alloc(gh_arena_t *arena, size_t size)
{
    void *p;

    p = arena->alloc(arena, size ? size : 1);
    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}

void *
gh_arena_array(gh_arena_t *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }

    return gh_arena_alloc(arena, total);
}

void *
gh_arena_grow(gh_arena_t *arena, const void *old, size_t old_count, size_t new_count, size_t size)
{
    void   *p;
    size_t  kept;

    p = gh_arena_array(arena, new_count, size);
    kept = old_count < new_count ? old_count : new_count;

    if (p != NULL && old != NULL && kept != 0) {
        memcpy(p, old, kept * size);
    }

    return p;
}

static gh_heap_block_t *
heap_block_add(gh_heap_t *heap, size_t needed)
{
    gh_heap_block_t *block;
    size_t           size;

#ifdef GH_HEAP_SEPARATE
    size = needed;
#else
    size = heap->blocks != NULL ? heap->blocks->size * 2 : GH_HEAP_BLOCK;
    if (size > GH_HEAP_LARGEST) {
        size = GH_HEAP_LARGEST;
    }
    if (size < needed) {
        size = needed;
    }
#endif

    block = malloc(sizeof(gh_heap_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->size = size;
    block->used = 0;
    block->next = heap->blocks;
    heap->blocks = block;

    return block;
}

static void *
heap_alloc(gh_arena_t *arena, size_t size)
{
    gh_heap_t       *heap = arena->context;
    gh_heap_block_t *block = heap->blocks;
    void            *p;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    if (heap->limit != SIZE_MAX) {
        if (heap->limit == 0) {
            return NULL;
        }
        heap->limit--;
    }

#ifndef GH_HEAP_SEPARATE
    size = (size + 15) & ~(size_t) 15;
#endif

    if (block == NULL || block->size - block->used < size) {
        block = heap_block_add(heap, size);
        if (block == NULL) {
            return NULL;
        }
    }

    p = block->data + block->used;
    block->used += size;

    return p;
}

void
gh_heap_init(gh_heap_t *heap)
{
    heap->arena.alloc = heap_alloc;
    heap->arena.context = heap;
    heap->blocks = NULL;
    heap->limit = SIZE_MAX;
}

void
gh_heap_free(gh_heap_t *heap)
{
    gh_heap_block_t *block, *next;

    for (block = heap->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }

    heap->blocks = NULL;
}
