#include "policy/cli/plan_lines.h"

void
gh_cli_line_add(gh_cli_comparing_t *c, char sign, const char *where, gh_str_t owner, gh_str_t id, gh_str_t details)
{
    gh_cli_edit_lines_t *lines = c->lines;

    if (lines->count == lines->capacity) {
        uint32_t more = lines->capacity * 2 + 32;

        lines->items = gh_arena_grow(c->arena, lines->items, lines->count, more, sizeof(*lines->items));
        lines->capacity = lines->items == NULL ? 0 : more;
    }
    if (lines->items == NULL) {
        lines->failed = true;
        lines->count = 0;
        return;
    }
    lines->items[lines->count++] = (gh_cli_edit_line_t) { sign, gh_str_from(where), owner, id, details };
}

void
gh_cli_line_differ(gh_cli_comparing_t *c, const char *what, gh_str_t before, gh_str_t after)
{
    if (!gh_str_eq(before, after)) {
        c->details = gh_str_format(c->arena, "%.*s%s%s: %.*s -> %.*s", GH_STR_ARG(c->details), c->details.len > 0 ? "; " : "", what,
            GH_STR_ARG(before.len > 0 ? before : GH_STR("none")), GH_STR_ARG(after.len > 0 ? after : GH_STR("none")));
    }
}

gh_str_t
gh_cli_line_list(gh_arena_t *arena, const gh_str_list_t *list)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < list->count; i++) {
        text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), i > 0 ? " " : "", GH_STR_ARG(list->items[i]));
    }

    return text;
}

gh_str_t
gh_cli_line_mask(gh_arena_t *arena, const gh_str_list_t *names, uint64_t mask)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < names->count && i < 64; i++) {
        if (mask >> i & 1) {
            text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len > 0 ? " " : "", GH_STR_ARG(names->items[i]));
        }
    }

    return text;
}

gh_str_t
gh_cli_line_places(gh_cli_comparing_t *c, gh_places_t value)
{
    return gh_cli_places_text(c->sets, value);
}
