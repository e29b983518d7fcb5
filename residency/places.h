/*
 * Places: sets of countries as 256-bit masks.
 *
 * Bits 0..248 are the 249 ISO 3166-1 alpha-2 codes in a frozen, append-only table (alphabetical order of
 * 2026); bit 255 is "?", the unknown. UNKNOWN = every country + "?". No `within` ever contains "?", so that subset and
 * intersection need no special cases: unknown is never inside and always touches.
 */
#ifndef GH_PLACES_H
#define GH_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/str.h"

#define GH_COUNTRIES 249
#define GH_PLACE_UNKNOWN_BIT 255

typedef struct { uint64_t word[4]; } gh_places_t;

extern const char gh_country_codes[GH_COUNTRIES][3];

/* "Germany"; UTF-8, static. */
extern const char *const gh_country_names[GH_COUNTRIES];

/* Index of a country by its name in any ASCII case, or -1. For messages. */
int gh_country_called(gh_str_t name);

/* Index of an upper-case ISO code, or -1. */
int gh_country_index(gh_str_t code);

gh_places_t gh_places_none(void);
gh_places_t gh_places_anywhere(void);
gh_places_t gh_places_unknown(void);
void        gh_places_add(gh_places_t *places, int country);
gh_places_t gh_places_union(gh_places_t a, gh_places_t b);
gh_places_t gh_places_intersect(gh_places_t a, gh_places_t b);
gh_places_t gh_places_minus(gh_places_t a, gh_places_t b);
bool        gh_places_inside(gh_places_t a, gh_places_t within);   /* a is a subset */
bool        gh_places_touch(gh_places_t a, gh_places_t b);         /* they share a bit, or a holds "?" */
bool        gh_places_empty(gh_places_t a);
bool        gh_places_has_unknown(gh_places_t a);
bool        gh_places_equal(gh_places_t a, gh_places_t b);
unsigned    gh_places_count(gh_places_t a);

/* "DE SE", "ANYWHERE", "?", "nothing"; long lists as a known set name minus/plus is the caller's business. Arena-owned. */
gh_str_t    gh_places_text(gh_arena_t *arena, gh_places_t a);

#endif
