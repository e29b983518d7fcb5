/* The parts that sentences are made of. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/paragraph.h"
#include "policy/cli/policy_words.h"
#include "policy/document/reading.h"

/* A line's beginning says what it is: a paragraph, its further lines, an item of a list, its further lines. */
#define PARAGRAPH 3
#define FURTHER   6
#define ITEM      5
#define BESIDE    7

void
gh_policy_words_heading(gh_policy_words_t *words, const char *title)
{
    printf("\n%u. %s\n\n", ++words->section, title);
}

static void
say(const gh_policy_words_t *words, unsigned indent, unsigned hang, const char *format, va_list arguments)
{
    va_list again;
    int     len;
    char   *text;

    va_copy(again, arguments);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = len < 0 ? NULL : gh_arena_alloc(words->arena, (size_t) len + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t) len + 1, format, arguments);
        gh_cli_paragraph(indent, hang, (gh_str_t) { text, (size_t) len });
    }
}

void
gh_policy_words_say(const gh_policy_words_t *words, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(words, PARAGRAPH, FURTHER, format, arguments);
    va_end(arguments);
}

void
gh_policy_words_item(const gh_policy_words_t *words, const char *format, ...)
{
    va_list  arguments;
    gh_str_t dashed = gh_str_format(words->arena, "- %s", format);

    va_start(arguments, format);
    if (dashed.data != NULL) {
        say(words, ITEM, BESIDE, dashed.data, arguments);
    }
    va_end(arguments);
}

gh_str_t
gh_policy_words_list(const gh_policy_words_t *words, const gh_str_list_t *list, gh_words_join_t join)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < list->count; i++) {
        const char *between = i == 0 ? "" : i + 1 < list->count ? ", " : join == GH_WORDS_AND ? " and " : " or ";

        text = gh_str_format(words->arena, "%.*s%s\"%.*s\"", GH_STR_ARG(text), between, GH_STR_ARG(list->items[i]));
    }

    return text;
}

gh_str_t
gh_policy_words_mask(const gh_policy_words_t *words, const gh_str_list_t *names, uint64_t mask, gh_words_join_t join)
{
    gh_str_list_t some = { gh_arena_array(words->arena, names->count, sizeof(gh_str_t)), 0 };

    for (uint32_t i = 0; some.items != NULL && i < names->count && i < 64; i++) {
        if (mask >> i & 1) {
            some.items[some.count++] = names->items[i];
        }
    }

    return gh_policy_words_list(words, &some, join);
}

gh_str_t
gh_policy_words_places(gh_policy_words_t *words, gh_places_t places)
{
    return gh_cli_places_words(&words->places, places);
}

gh_str_t
gh_policy_words_last_day(const gh_policy_words_t *words, uint64_t until_ms)
{
    const char *text = gh_cli_time_text(words->arena, until_ms - GH_DAY_MS);

    return (gh_str_t) { text, strcspn(text, "T") };
}
