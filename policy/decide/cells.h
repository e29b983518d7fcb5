/*
 * Cells: what gh_decide found for a kind of caller and of request, kept for the next one of that kind, so that a decision takes the same
 * time with ten rules and with ten thousand. A cell is found by everything that what is in it depends on, compared byte by byte: the
 * policy, which patterns of tenants cover the caller, classes, model, endpoint, features, narrowing, the node's country. It holds from the
 * time it was judged at until the first instant at which a date in a rule or in evidence could change it.
 *
 * Bounded in bytes, and fair: a cell counts against the tenant whose request made it and gives way only to cells of tenants of the same
 * share (1 of GH_CELLS_SHARES), so a tenant that asks for ever new narrowings pushes out its own cells and nobody else's.
 *
 * One process, one thread, one image at a time: with another image all are dropped.
 */
#ifndef GH_CELLS_H
#define GH_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "policy/base/str.h"

typedef struct gh_cells_s gh_cells_t;

/* Which cell a decision was taken from, as it stands there, and what that was good for. */
typedef struct {
    void    *cell;                     /* private; NULL: from none, or it was changed since */
    uint64_t dropped;                  /* counts.dropped then: with the next one the cell may be gone */
} gh_cell_at_t;

#define GH_CELLS_SHARES 64u

/* At most so many bytes of cells, beside 130 KiB for looking them up. NULL: out of memory. */
gh_cells_t *gh_cells_new(size_t bytes);
void        gh_cells_free(gh_cells_t *cells);

typedef struct {
    uint64_t found, judged, dropped;   /* decisions taken from a cell, and not; cells that gave way or ran out */
    size_t   cells, bytes;             /* now */
} gh_cells_counts_t;

gh_cells_counts_t gh_cells_counts(const gh_cells_t *cells);

/*
 * A text that follows from what is in a cell, and from the image, alone: who made it may keep it there, a copy that goes with the cell. Text: borrowed
 * until the next gh_decide; data NULL: none is kept. cells may be NULL; without memory, or room in the tenant's share, nothing is kept.
 */
gh_str_t gh_cells_text(const gh_cells_t *cells, gh_cell_at_t at);
void     gh_cells_keep_text(gh_cells_t *cells, gh_cell_at_t at, gh_str_t text);

#endif
