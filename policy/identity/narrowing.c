#include "policy/identity/narrowing.h"

#include <string.h>

#include "residency/judge.h"

bool
gh_narrowing_next(gh_str_t *rest, char separator, gh_str_t *item)
{
    const char *end;

    if (rest->len == 0) {
        return false;
    }
    end = memchr(rest->data, separator, rest->len);
    *item = (gh_str_t) { rest->data, end != NULL ? (size_t) (end - rest->data) : rest->len };
    *rest = end != NULL ? (gh_str_t) { end + 1, rest->len - item->len - 1 } : GH_STR("");
    return true;
}

int
gh_narrowing_add(gh_arena_t *arena, gh_str_t *lists, gh_str_t list, gh_error_t *error)
{
    gh_str_t rest = *lists, one;

    if (list.len == 0) {
        return GH_OK;
    }
    while (gh_narrowing_next(&rest, GH_NARROWING_LISTS, &one)) {
        if (gh_str_eq(one, list)) {
            return GH_OK;
        }
    }
    *lists = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(*lists), lists->len > 0 ? "\n" : "", GH_STR_ARG(list));
    return lists->data != NULL ? GH_OK : gh_error_set(error, "out_of_memory", "no memory for what a caller is narrowed to");
}

int
gh_narrowing_add_all(gh_arena_t *arena, gh_str_t *lists, gh_str_t more, gh_error_t *error)
{
    gh_str_t one;

    while (gh_narrowing_next(&more, GH_NARROWING_LISTS, &one)) {
        if (gh_narrowing_add(arena, lists, one, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

bool
gh_narrowing_permits(gh_str_t lists, gh_str_t model)
{
    gh_str_t list, pattern;

    while (gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list)) {
        bool fits = false;

        while (!fits && gh_narrowing_next(&list, GH_NARROWING_LIST, &pattern)) {
            fits = gh_pattern_permits(pattern, model);
        }
        if (!fits) {
            return false;
        }
    }
    return true;
}
