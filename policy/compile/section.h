/* Growing sections of an image being made. Private to policy/compile. Out of memory is remembered: check builder.failed once. */
#ifndef GH_SECTION_H
#define GH_SECTION_H

#include "policy/document/model.h"
#include "policy/store/image_format.h"

typedef struct {
    uint8_t *data;
    size_t   length, capacity;        /* bytes */
} gh_section_buffer_t;

typedef struct {
    gh_arena_t          *arena;
    gh_section_buffer_t  section[GH_SECTIONS];
    gh_ref_t            *interned;    /* open addressing; capacity is a power of two */
    size_t               interned_capacity, interned_count;
    bool                 failed;
} gh_builder_t;

/* Count entries, zeroed, at the end of the section; valid until the next append there. NULL when out of memory. */
void *gh_section_append(gh_builder_t *builder, gh_section_t section, uint32_t count);

uint32_t gh_section_count(const gh_builder_t *builder, gh_section_t section);

/* The same string gives the same ref. */
gh_ref_t gh_section_string(gh_builder_t *builder, gh_str_t s);

/* A list of strings as entries of a section of refs. */
gh_range_t gh_section_strings(gh_builder_t *builder, gh_section_t section, const gh_str_list_t *list);

/* The image's bytes from header (without section table) and sections. */
int gh_section_finish(gh_builder_t *builder, const gh_image_header_t *header, gh_bytes_t *image);

#endif
