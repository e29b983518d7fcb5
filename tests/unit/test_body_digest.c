/* A body's digest is that of its bytes, and is computed once for the same ones. */
#include <stdlib.h>

#include "ngx_module/wire/body_digest.h"
#include "policy/base/arena.h"
#include "policy/base/hash.h"
#include "tests/unit/check.h"

#define LENGTH 64

/* Cuts a copy of the text at random places into at most GH_BODY_PIECES pieces, some of them empty. The copy stays. */
static size_t
cut(const char *text, size_t len, gh_str_t *pieces, gh_arena_t *arena)
{
    const char *copy = gh_str_copy(arena, (gh_str_t) { text, len }).data;
    size_t      count = 0, at = 0;

    while (count + 1 < GH_BODY_PIECES && rand() % 4 != 0) {
        size_t step = (size_t) rand() % (len - at + 1);

        pieces[count++] = (gh_str_t) { copy + at, step };
        at += step;
    }
    pieces[count++] = (gh_str_t) { copy + at, len - at };
    return count;
}

int
main(void)
{
    gh_body_digest_t kept = { 0 };
    gh_heap_t        heap;
    gh_str_t         pieces[GH_BODY_PIECES];
    char             text[LENGTH] = "";
    uint8_t          got[32], expected[32];
    size_t           len = 0;
    unsigned         changes = 0;

    srand(7);
    gh_heap_init(&heap);
    for (unsigned turn = 0; turn < 4000; turn++) {
        bool changed = turn == 0;

        if (turn % 5 == 0) {
            len = (size_t) rand() % LENGTH + 1;
            for (size_t i = 0; i < len; i++) {
                text[i] = (char) rand();
            }
            changed = true;
        } else if (turn % 3 == 0) {
            text[(size_t) rand() % len] ^= 1;
            changed = true;
        }
        changes += changed;
        gh_sha256(text, len, expected);
        gh_body_digest(&kept, pieces, cut(text, len, pieces, &heap.arena), got);
        CHECK_MEM(got, expected, 32);
        CHECK_INT(kept.hashed, changes);
    }

    /* the same place is the same bytes */
    gh_body_digest(&kept, kept.pieces, kept.count, got);
    CHECK_MEM(got, expected, 32);
    gh_body_digest(&kept, NULL, 0, got);
    gh_sha256("", 0, expected);
    CHECK_MEM(got, expected, 32);
    gh_heap_free(&heap);

    return check_done("body_digest");
}
