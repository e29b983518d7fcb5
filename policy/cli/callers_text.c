#include "policy/cli/callers_text.h"

#include "policy/cli/limits_text.h"
#include "policy/document/limit_node.h"

const gh_node_t *
gh_cli_callers_first(const gh_node_t *object, const char *name)
{
    const gh_node_t *list = gh_node_get(object, name);

    return list != NULL && (list->type == GH_NODE_ARRAY || list->type == GH_NODE_OBJECT) ? list->first : NULL;
}

static gh_str_t
text_of(const gh_node_t *object, const char *name)
{
    const gh_node_t *node = gh_node_get(object, name);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

static void
say(const gh_cli_callers_t *callers, gh_str_t text)
{
    callers->said(callers->context, text);
}

/* `"a", "b" or "c"` of a list of strings. */
static gh_str_t
names(gh_arena_t *arena, const gh_node_t *item, const char *last)
{
    gh_str_t text = GH_STR("");

    for (const char *between = ""; item != NULL; item = item->next) {
        text = gh_str_format(arena, "%.*s%s\"%.*s\"", GH_STR_ARG(text), between, GH_STR_ARG(item->text));
        between = item->next != NULL && item->next->next != NULL ? ", " : last;
    }
    return text;
}

/* `tokens with groups "interns"` */
static gh_str_t
whose(const gh_cli_callers_t *callers, const gh_node_t *rule)
{
    const gh_node_t *when = gh_cli_callers_first(rule, "when");
    gh_str_t         text = callers->who;

    for (const char *join = " with"; when != NULL; when = when->next, join = " and") {
        text = gh_str_format(callers->arena, "%.*s%s %.*s \"%.*s\"", GH_STR_ARG(text), join, GH_STR_ARG(when->key), GH_STR_ARG(when->text));
    }
    return text;
}

static void
say_rule(const gh_cli_callers_t *callers, const gh_node_t *rule)
{
    gh_str_t         who = whose(callers, rule);
    const gh_node_t *places = gh_cli_callers_first(rule, "places"), *models = gh_cli_callers_first(rule, "models");
    gh_limit_list_t  limits;

    if (places != NULL) {
        say(callers, gh_str_format(callers->arena, "%.*s: within %.*s together", GH_STR_ARG(who), GH_STR_ARG(names(callers->arena, places, " or "))));
    }
    if (models != NULL) {
        say(callers, gh_str_format(callers->arena, "%.*s: no other models than %.*s", GH_STR_ARG(who), GH_STR_ARG(names(callers->arena, models, " or "))));
    }
    if (text_of(rule, "audit").len > 0) {
        say(callers, gh_str_format(callers->arena, "%.*s: the audit mode is %.*s, whatever the app's is", GH_STR_ARG(who), GH_STR_ARG(text_of(rule, "audit"))));
    }
    if (gh_limit_node_list(callers->arena, gh_node_get(rule, "limits"), GH_LEVEL_USER, &limits) == GH_OK) {
        for (uint32_t i = 0; i < limits.count; i++) {
            say(callers, gh_str_format(callers->arena, "each user of %.*s: %.*s", GH_STR_ARG(who), GH_STR_ARG(gh_cli_limit_text(callers->arena, &limits.items[i]))));
        }
    }
}

static void
say_map(const gh_cli_callers_t *callers, const gh_node_t *map)
{
    const gh_node_t *optional = gh_node_get(map, "optional");
    gh_str_t         claim = text_of(map, "claim");

    for (const gh_node_t *value = gh_cli_callers_first(map, "values"); value != NULL; value = value->next) {
        say(callers, gh_str_format(callers->arena, "%.*s whose %.*s says \"%.*s\": within %.*s together", GH_STR_ARG(callers->who), GH_STR_ARG(claim), GH_STR_ARG(value->key),
            GH_STR_ARG(names(callers->arena, value->first, " or "))));
    }
    say(callers, gh_str_format(callers->arena, "%.*s whose %.*s says anything else%s are refused", GH_STR_ARG(callers->who), GH_STR_ARG(claim),
        optional != NULL && optional->type == GH_NODE_TRUE ? "" : ", or that have none,"));
}

void
gh_cli_callers_narrow(const gh_cli_callers_t *callers, const gh_node_t *source)
{
    for (const gh_node_t *rule = gh_cli_callers_first(source, "narrow"); rule != NULL; rule = rule->next) {
        say_rule(callers, rule);
    }
    for (const gh_node_t *map = gh_cli_callers_first(source, "places"); map != NULL; map = map->next) {
        say_map(callers, map);
    }
}

void
gh_cli_callers_map(const gh_cli_callers_t *callers, const gh_node_t *source)
{
    for (const gh_node_t *rule = gh_cli_callers_first(source, "apps"); rule != NULL; rule = rule->next) {
        say(callers, gh_str_format(callers->arena, "%.*s: count as \"%.*s\"", GH_STR_ARG(whose(callers, rule)), GH_STR_ARG(text_of(rule, "app"))));
    }
    for (const gh_node_t *rule = gh_cli_callers_first(source, "classes"); rule != NULL; rule = rule->next) {
        say(callers, gh_str_format(callers->arena, "%.*s: carry %.*s besides", GH_STR_ARG(whose(callers, rule)),
            GH_STR_ARG(names(callers->arena, gh_cli_callers_first(rule, "classes"), " and "))));
    }
}
