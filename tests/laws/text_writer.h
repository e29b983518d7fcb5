/* How text.c and text_fleet.c write documents. */
#ifndef GH_LAWS_TEXT_WRITER_H
#define GH_LAWS_TEXT_WRITER_H

#include "tests/laws/world.h"

#define MANY 32                        /* of a list */

typedef struct {
    text_t        *text;
    const world_t *world;
    unsigned       index;              /* "w<index>" is the organisation */
    random_t       random;
    const char    *comma;              /* before the next item of a list */
} writer_t;

void text_say(writer_t *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Plain bytes: most of a document. */
void text_put(writer_t *w, const char *bytes);
void text_item(writer_t *w, const char *word);
/* 0..n-1, shuffled when the world's order says so. */
void text_order(writer_t *w, unsigned n, uint8_t out[MANY]);
/* The member key, a list of a mask's words. lead: "," or nothing before it. */
void text_list(writer_t *w, const char *lead, const char *key, const char *const *words, unsigned n, uint32_t mask);
/* A list of patterns of tenants. */
void text_tenants(writer_t *w, const char *key, uint32_t mask);
/* Those patterns that cover something; the organisation when none is left. within: PATTERN_ORG or PATTERN_T0. */
uint32_t text_covering(const world_t *world, uint32_t mask, unsigned within);
void text_document(writer_t *w, const char *name);
void text_document_end(writer_t *w);

/* text_fleet.c */
void text_fleet(writer_t *w);

#endif
