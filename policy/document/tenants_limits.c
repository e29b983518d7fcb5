/* tenants/1: limits. What cannot hold, or would not mean what it says, is refused with what is possible. */
#include "policy/document/tenants_limits.h"

#include "policy/document/limit_node.h"

#define MAX_TOKENS 1000000000ull

static const gh_member_t limit_members[] = {
    { "dimension", GH_IS_STRING, GH_REQUIRED }, { "per", GH_IS_STRING, 0 }, { "amount", GH_IS_NUMBER, GH_REQUIRED },
    { "class", GH_IS_STRING, GH_REQUIRED }, { "model", GH_IS_STRING, 0 }, { NULL, 0, 0 }
};

/* The first of names may be no word. */
static void
check_word(gh_loader_t *loader, const gh_node_t *node, const char *what, const char *const *names, size_t count)
{
    size_t from = names[0][0] == '\0';

    if (node != NULL) {
        gh_doc_word_of(loader, node, what, names + from, count - from);
    }
}

/* "second, minute or day" */
static gh_str_t
windows_text(gh_loader_t *loader, uint32_t windows)
{
    gh_str_t text = GH_STR("");

    for (int per = 1, left = __builtin_popcount(windows & ~1u); per < GH_PERS; per++) {
        if (windows >> per & 1) {
            text = gh_doc_format(loader, "%.*s%s%s", GH_STR_ARG(text), gh_per_names[per], --left > 1 ? ", " : left == 1 ? " or " : "");
        }
    }
    return text;
}

static void
check_window(gh_loader_t *loader, const gh_node_t *node, const gh_node_t *per, const gh_limit_t *limit)
{
    const char *dimension = gh_dimension_names[limit->dimension], *class = gh_limit_class_names[limit->limit_class];
    uint32_t    any = gh_limit_windows((gh_dimension_t) limit->dimension, 0);
    uint32_t    possible = gh_limit_windows((gh_dimension_t) limit->dimension, (gh_limit_class_t) limit->limit_class);
    gh_where_t  where = per != NULL ? GH_WHERE(loader, per) : GH_WHERE(loader, node);
    const char *words;

    if (possible >> limit->per & 1) {
        return;
    }
    if (any == 1u << GH_PER_NONE) {
        gh_doc_error(loader, where, "bad_window", "\"%s\" are counted while they run: there is no \"per\" to say", dimension);
        return;
    }
    words = windows_text(loader, possible).data;
    if (limit->per == GH_PER_NONE) {
        gh_doc_error(loader, where, "bad_window", "a %s of \"%s\" needs \"per\": %s", class, dimension, words);
    } else {
        gh_doc_error(loader, where, "bad_window", "a %s of \"%s\" cannot be per %s: %s%s%s", class, dimension,
            gh_per_names[limit->per], words, possible & 1 ? ", or without \"per\" for ever" : "",
            any >> limit->per & 1 ? "; or let it be a rate" : "");
    }
}

static void
read_limit(gh_loader_t *loader, const gh_node_t *node, gh_level_t level, gh_limit_list_t *list)
{
    const gh_node_t  *per = gh_doc_get(node, "per", GH_IS_STRING), *model = gh_doc_get(node, "model", GH_IS_STRING);
    gh_model_limit_t *out = gh_doc_push(loader, &list->items, &list->count, sizeof(*out));
    gh_limit_t        limit;
    gh_str_t          name;
    uint64_t          amount;
    bool              sound = gh_limit_node_read(node, level, &limit, &name);

    if (out == NULL) {
        return;
    }
    out->where = GH_WHERE(loader, node);
    check_word(loader, gh_doc_get(node, "dimension", GH_IS_STRING), "dimension", gh_dimension_names, GH_DIMENSIONS);
    check_word(loader, per, "window", gh_per_names, GH_PERS);
    check_word(loader, gh_doc_get(node, "class", GH_IS_STRING), "class of limits", gh_limit_class_names, GH_LIMIT_CLASSES);
    gh_doc_integer(loader, gh_doc_get(node, "amount", GH_IS_NUMBER), GH_COUNT_MAX, &amount);
    if (model != NULL && gh_doc_model_name(loader, model->text, GH_WHERE(loader, model))) {
        gh_catalogue_said(loader, model->text, GH_WHERE(loader, model));
    }
    if (sound) {
        out->limit = limit;
        out->model = name;
        check_window(loader, node, per, &limit);
    }
}

/* Both would be one counter. */
static void
check_twice(gh_loader_t *loader, const gh_limit_list_t *list)
{
    for (uint32_t i = 1; i < list->count; i++) {
        uint32_t k = 0;

        while (k < i && !(list->items[k].limit.dimension != 0 && gh_limit_same_counter(&list->items[k].limit, &list->items[i].limit))) {
            k++;
        }
        if (k < i) {
            gh_doc_error(loader, list->items[i].where, "duplicate",
                "\"%s\" of this class, window and model are limited at %u:%u already: say one of the two",
                gh_dimension_names[list->items[i].limit.dimension], list->items[k].where.line, list->items[k].where.column);
        }
    }
}

gh_limit_list_t
gh_tenants_limits(gh_loader_t *loader, const gh_node_t *list, gh_level_t level)
{
    gh_limit_list_t limits = { NULL, 0 };

    for (const gh_node_t *item = list != NULL ? list->first : NULL; item; item = item->next) {
        if (gh_doc_members(loader, item, "a limit", limit_members)) {
            read_limit(loader, item, level, &limits);
        }
    }
    check_twice(loader, &limits);
    return limits;
}

void
gh_tenants_max_output(gh_loader_t *loader, const gh_node_t *node, uint64_t *max_output)
{
    uint64_t said;

    if (gh_doc_positive(loader, node, MAX_TOKENS, &said) && (*max_output == 0 || said < *max_output)) {
        *max_output = said;
    }
}

void
gh_tenants_inherit_limits(gh_loader_t *loader, const gh_limit_list_t *above, gh_limit_list_t *limits)
{
    for (uint32_t i = 0; i < above->count; i++) {
        gh_model_limit_t *same = NULL, *added;

        for (uint32_t k = 0; k < limits->count && same == NULL; k++) {
            same = gh_limit_same_counter(&limits->items[k].limit, &above->items[i].limit) ? &limits->items[k] : NULL;
        }
        if (same != NULL) {
            same->limit.amount = same->limit.amount < above->items[i].limit.amount ? same->limit.amount : above->items[i].limit.amount;
            continue;
        }
        added = gh_doc_push(loader, &limits->items, &limits->count, sizeof(*added));
        if (added != NULL) {
            *added = above->items[i];
        }
    }
}

void
gh_tenants_check_limits(gh_loader_t *loader, const gh_model_app_t *app, uint32_t above)
{
    uint32_t count = above + app->limits.count + app->key_limits.count + app->user_limits.count;

    if (count > GH_LIMITS_MAX) {
        gh_doc_error(loader, app->where, "limit",
            "%u limits hold for a key or user of app \"%.*s\" (%u of its organisation and tenant, %u of the app, %u of each key, %u of each user): at most %d",
            count, GH_STR_ARG(app->id), above, app->limits.count, app->key_limits.count, app->user_limits.count, GH_LIMITS_MAX);
    }
}
