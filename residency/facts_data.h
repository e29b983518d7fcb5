/* The bytes of the facts artefacts in the binary. Only residency/facts.c needs this. */
#ifndef GH_FACTS_DATA_H
#define GH_FACTS_DATA_H

#define GH_FACTS_DATES 1

typedef struct {
    const char *name;     /* "regions/2026-11-21" */
    const char *begin;
    const char *end;      /* one past the last byte */
} gh_facts_data_t;

extern const gh_facts_data_t gh_facts_data[GH_FACTS_DATES];   /* newest first */

#endif
