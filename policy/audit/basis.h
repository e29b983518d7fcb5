/*
 * What many decisions have in common is written once a segment. A line of type "basis" has it, the members as they stand in a decision, with null in place
 * of each value that differs from one to the next:
 *
 *     {"prev":...,"n":...,"v":1,"type":"basis","t":...,"basis":K,"members":{"limits":[{"level":"key","uid":null,...,"value":null}]}}
 *
 * and decisions behind it, in the same segment, have "basis":[K,VALUE,...] in the place of those members, with the values in their order. What a decision
 * says is what it says with the members put back: byte for byte the line that it would have been. A segment can be read alone.
 */
#ifndef GH_BASIS_H
#define GH_BASIS_H

#include "policy/base/json_writer.h"

#define GH_BASIS_LEAST   128          /* bytes of a text that is worth a line */
#define GH_BASIS_MOST    8192         /* and at most */
#define GH_BASIS_NUMBERS 4096u        /* bases of a segment, at most: who reads one keeps them */
#define GH_BASIS_EXTRA   128          /* bytes that a basis' line has besides its text and the chain, or a reference besides its values, at most */

/* ---- for the writer ---- */

typedef struct gh_bases_s gh_bases_t;

/* NULL: out of memory. */
gh_bases_t *gh_bases_new(void);
void gh_bases_free(gh_bases_t *bases);

/* The segment of that number is written: what was in another one is not there. */
void gh_bases_segment(gh_bases_t *bases, uint64_t sequence);

/* Nobody knows which lines got into the segment: none may be referred to. Numbers are not given twice. */
void gh_bases_forget(gh_bases_t *bases);

typedef struct {
    uint32_t number;                  /* 0: the run stands as it is */
    bool     fresh;                   /* its line has to come first */
    gh_str_t text;                    /* of its line, until the next call; set when it is fresh */
} gh_basis_t;

/*
 * What may stand in the place of that run of a body. A text is given a line when it was seen before: what comes only once is not written twice. Texts are
 * compared, whatever their hashes are.
 */
gh_basis_t gh_bases_find(gh_bases_t *bases, const char *body, const gh_json_marks_t *marks, unsigned run);

/* The line of a basis, from "v" on, to out; returns its length. */
size_t gh_basis_line(char *out, uint64_t t, const gh_basis_t *basis);

/* The body behind its leading brace, with bases[run] in the place of each run; returns its length. */
size_t gh_basis_body(char *out, gh_str_t body, const gh_json_marks_t *marks, const gh_basis_t *bases);

/* ---- for readers ---- */

typedef struct {
    gh_str_t *texts;                  /* malloc'ed, by number; data NULL: none */
    size_t    count;
} gh_basis_texts_t;

/* Takes in a whole line of type "basis". GH_ERROR: it is none that can be read, its number is given already, or there is no memory. */
int gh_basis_take(gh_basis_texts_t *texts, gh_str_t line);

/* All of those lines among these. GH_ERROR: out of memory, or one that cannot be read. */
int gh_basis_take_all(gh_basis_texts_t *texts, gh_str_t lines);

/*
 * *whole is what the line says: itself, or with members put back in `out`, of size bytes. GH_ERROR: it refers to what is not there, or does not fit;
 * *whole is itself then.
 */
int gh_basis_whole(const gh_basis_texts_t *texts, gh_str_t line, char *out, size_t size, gh_str_t *whole);

void gh_basis_texts_free(gh_basis_texts_t *texts);

#endif
