/*
 * The bytes of the facts artefacts in the binary. Only residency/facts.c needs this, and a test that brings artefacts of its own: what it
 * defines stands for facts_data.c, which is then not taken from the library.
 */
#ifndef GH_FACTS_DATA_H
#define GH_FACTS_DATA_H

#include <stddef.h>

typedef struct {
    const char *name;     /* "regions/2026-11-21" */
    const char *begin;
    const char *end;      /* one past the last byte */
    const char *signature;   /* 64 bytes: Ed25519 over the artefact's */
    const unsigned char *key;   /* 32 bytes: the public key it was signed with */
} gh_facts_data_t;

extern const gh_facts_data_t gh_facts_data[];   /* newest first */
extern const size_t          gh_facts_data_count;

#endif
