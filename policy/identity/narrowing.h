/*
 * What a key, a token or a certificate narrows by itself: lists of places and of models, each of which has to hold. As text, so that it lies in a key's record and beside an
 * identity: names with one space between them, lists with one newline between them. No name of a place or of a model has either.
 */
#ifndef GH_NARROWING_H
#define GH_NARROWING_H

#include "policy/base/arena.h"
#include "policy/base/error.h"

#define GH_NARROWING_LIST  ' '
#define GH_NARROWING_LISTS '\n'

/* One more list that has to hold; one that is empty or stands there already adds nothing. *lists is in the arena then. GH_ERROR "out_of_memory". */
int gh_narrowing_add(gh_arena_t *arena, gh_str_t *lists, gh_str_t list, gh_error_t *error);

/* The same of each of `more`. */
int gh_narrowing_add_all(gh_arena_t *arena, gh_str_t *lists, gh_str_t more, gh_error_t *error);

/* Takes the first item of *rest, up to the separator; false: nothing is left. */
bool gh_narrowing_next(gh_str_t *rest, char separator, gh_str_t *item);

/* Does every list have a pattern that fits this name of the catalogue? No list: yes. */
bool gh_narrowing_permits(gh_str_t lists, gh_str_t model);

#endif
