#include "policy/identity/rules.h"

#include <string.h>

#include "policy/audit/mode.h"
#include "policy/base/hash.h"
#include "policy/identity/narrowing.h"
#include "policy/quota/limit_node.h"

int
gh_rules_unsound(gh_error_t *error, const char *what)
{
    return gh_error_set(error, "identity", "an identity/1 document is not as it must be: %s", what);
}

static int
no_memory(gh_error_t *error)
{
    return gh_error_set(error, "out_of_memory", "no memory for who callers are");
}

const gh_node_t *
gh_rules_member(const gh_node_t *object, const char *name, gh_node_type_t type)
{
    const gh_node_t *node = object->type == GH_NODE_OBJECT ? gh_node_get(object, name) : NULL;

    return node != NULL && node->type == type ? node : NULL;
}

gh_str_t
gh_rules_text(const gh_node_t *object, const char *name)
{
    const gh_node_t *node = gh_rules_member(object, name, GH_NODE_STRING);

    return node != NULL ? node->text : GH_STR("");
}

int
gh_rules_strings(gh_arena_t *arena, const gh_node_t *list, gh_str_t **items, size_t *count, gh_error_t *error)
{
    *count = 0;
    *items = gh_arena_array(arena, list != NULL ? list->count + 1 : 1, sizeof(**items));
    if (*items == NULL) {
        return no_memory(error);
    }
    for (const gh_node_t *item = list != NULL ? list->first : NULL; item != NULL; item = item->next) {
        if (item->type != GH_NODE_STRING) {
            return gh_rules_unsound(error, "a list has something else than strings");
        }
        (*items)[(*count)++] = item->text;
    }
    return GH_OK;
}

uint64_t
gh_rules_number(gh_str_t organisation, gh_str_t id)
{
    gh_bytes_t parts[] = { { organisation.data, organisation.len }, { "/", 1 }, { id.data, id.len } };
    uint8_t    digest[32];
    uint64_t   number;

    gh_sha256_parts(parts, 3, digest);
    memcpy(&number, digest, sizeof(number));
    return number;
}

uint64_t
gh_rules_user_uid(uint64_t number, gh_str_t app, gh_str_t user)
{
    gh_bytes_t parts[] = { { &number, sizeof(number) }, { app.data, app.len }, { "/", 1 }, { user.data, user.len } };
    uint8_t    digest[32];
    uint64_t   uid;

    gh_sha256_parts(parts, 4, digest);
    memcpy(&uid, digest, sizeof(uid));
    return uid >> 17 | (uint64_t) 1 << 47;
}

/* ---- reading ---- */

static int
read_when(gh_arena_t *arena, const gh_node_t *node, gh_caller_rule_t *rule, gh_error_t *error)
{
    const gh_node_t *when = gh_rules_member(node, "when", GH_NODE_OBJECT);

    rule->when = gh_arena_array(arena, when != NULL ? when->count + 1 : 1, sizeof(*rule->when));
    if (rule->when == NULL) {
        return no_memory(error);
    }
    if (when == NULL) {
        return gh_rules_unsound(error, "a rule has no \"when\"");
    }
    for (const gh_node_t *test = when->first; test != NULL; test = test->next) {
        if (test->type != GH_NODE_STRING || test->key.len == 0) {
            return gh_rules_unsound(error, "a rule compares with something else than a string");
        }
        rule->when[rule->when_count++] = (gh_caller_test_t) { test->key, test->text };
    }
    return GH_OK;
}

static int
read_app(gh_arena_t *arena, gh_str_t organisation, const gh_node_t *node, gh_caller_rule_t *rule, gh_error_t *error)
{
    gh_str_t app = gh_rules_text(node, "app");

    if (app.len == 0) {
        return gh_rules_unsound(error, "a rule names no app");
    }
    rule->classes = GH_STR("");
    rule->app = gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(organisation), GH_STR_ARG(app));
    return rule->app.data != NULL ? GH_OK : no_memory(error);
}

static int
read_classes(gh_arena_t *arena, const gh_node_t *node, gh_caller_rule_t *rule, gh_error_t *error)
{
    gh_str_t *classes;
    size_t    count;

    rule->classes = GH_STR("");
    if (gh_rules_strings(arena, gh_rules_member(node, "classes", GH_NODE_ARRAY), &classes, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < count; i++) {
        rule->classes = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(rule->classes), i ? "," : "", GH_STR_ARG(classes[i]));
    }
    return rule->classes.data != NULL ? GH_OK : no_memory(error);
}

/* Strings with one space between them; empty when there is no such member. */
static int
read_list(gh_arena_t *arena, const gh_node_t *node, gh_str_t *list, gh_error_t *error)
{
    gh_str_t *names;
    size_t    count;

    *list = GH_STR("");
    if (gh_rules_strings(arena, node, &names, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < count; i++) {
        *list = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(*list), i ? " " : "", GH_STR_ARG(names[i]));
    }
    if (list->data == NULL) {
        return no_memory(error);
    }
    return node == NULL || list->len > 0 ? GH_OK : gh_rules_unsound(error, "a list that narrows is empty");
}

static int
read_limits(gh_arena_t *arena, const gh_node_t *node, gh_limits_t **limits, gh_error_t *error)
{
    if (node == NULL) {
        return GH_OK;
    }
    *limits = gh_arena_array(arena, 1, sizeof(**limits));
    if (*limits == NULL) {
        return no_memory(error);
    }
    for (const gh_node_t *item = node->first; item != NULL; item = item->next) {
        gh_limit_t limit;
        gh_str_t   model;

        if (!gh_limit_node_read(item, GH_LEVEL_USER, &limit, &model) || !gh_limit_valid(&limit) || !gh_limits_tighten(*limits, &limit)) {
            return gh_rules_unsound(error, "a limit cannot be read, or there are too many");
        }
    }
    return GH_OK;
}

static int
read_narrow(gh_arena_t *arena, const gh_node_t *node, gh_caller_rule_t *rule, gh_error_t *error)
{
    static const char *const members[] = { "places", "models", "limits" };

    for (size_t i = 0; node->type == GH_NODE_OBJECT && i < sizeof(members) / sizeof(members[0]); i++) {
        if (gh_node_get(node, members[i]) != NULL && gh_rules_member(node, members[i], GH_NODE_ARRAY) == NULL) {
            return gh_rules_unsound(error, "what narrows is no list");
        }
    }
    if (read_list(arena, gh_rules_member(node, "places", GH_NODE_ARRAY), &rule->places, error) != GH_OK
        || read_list(arena, gh_rules_member(node, "models", GH_NODE_ARRAY), &rule->models, error) != GH_OK
        || read_limits(arena, gh_rules_member(node, "limits", GH_NODE_ARRAY), &rule->limits, error) != GH_OK)
    {
        return GH_ERROR;
    }
    if (gh_node_get(node, "audit") != NULL) {
        if (!gh_str_is(gh_rules_text(node, "audit"), gh_audit_names[GH_AUDIT_REQUIRED])) {
            return gh_rules_unsound(error, "a rule of \"narrow\" loosens the audit mode");
        }
        rule->audit_required = true;
    }
    return rule->places.len > 0 || rule->models.len > 0 || rule->limits != NULL || rule->audit_required ? GH_OK
        : gh_rules_unsound(error, "a rule of \"narrow\" says nothing");
}

static int
read_map(gh_arena_t *arena, const gh_node_t *node, gh_caller_map_t *map, gh_error_t *error)
{
    const gh_node_t *values = gh_rules_member(node, "values", GH_NODE_OBJECT), *optional = node->type == GH_NODE_OBJECT ? gh_node_get(node, "optional") : NULL;

    map->claim = gh_rules_text(node, "claim");
    map->optional = optional != NULL && optional->type == GH_NODE_TRUE;
    map->values = gh_arena_array(arena, values != NULL ? values->count + 1 : 1, sizeof(*map->values));
    if (map->values == NULL) {
        return no_memory(error);
    }
    if (map->claim.len == 0 || values == NULL) {
        return gh_rules_unsound(error, "one of \"places\" has no claim or no values");
    }
    for (const gh_node_t *value = values->first; value != NULL; value = value->next) {
        gh_caller_value_t *to = &map->values[map->value_count++];

        to->value = value->key;
        if (value->type != GH_NODE_ARRAY) {
            return gh_rules_unsound(error, "a value of \"places\" has no list of them");
        }
        if (read_list(arena, value, &to->places, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
read_narrowing(gh_arena_t *arena, const gh_node_t *object, gh_caller_rules_t *rules, gh_error_t *error)
{
    const gh_node_t *narrow = gh_rules_member(object, "narrow", GH_NODE_ARRAY), *places = gh_rules_member(object, "places", GH_NODE_ARRAY);

    if ((narrow == NULL && gh_node_get(object, "narrow") != NULL) || (places == NULL && gh_node_get(object, "places") != NULL)) {
        return gh_rules_unsound(error, "\"narrow\" or \"places\" is no list");
    }
    rules->narrow = gh_arena_array(arena, narrow != NULL ? narrow->count + 1 : 1, sizeof(*rules->narrow));
    rules->places = gh_arena_array(arena, places != NULL ? places->count + 1 : 1, sizeof(*rules->places));
    if (rules->narrow == NULL || rules->places == NULL) {
        return no_memory(error);
    }
    for (const gh_node_t *node = narrow != NULL ? narrow->first : NULL; node != NULL; node = node->next) {
        gh_caller_rule_t *rule = &rules->narrow[rules->narrow_count++];

        if (read_when(arena, node, rule, error) != GH_OK || read_narrow(arena, node, rule, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    for (const gh_node_t *node = places != NULL ? places->first : NULL; node != NULL; node = node->next) {
        if (read_map(arena, node, &rules->places[rules->place_count++], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

int
gh_rules_read(gh_arena_t *arena, gh_str_t organisation, const gh_node_t *object, gh_caller_rules_t *rules, gh_error_t *error)
{
    const gh_node_t *apps = gh_rules_member(object, "apps", GH_NODE_ARRAY), *classes = gh_rules_member(object, "classes", GH_NODE_ARRAY);

    memset(rules, 0, sizeof(*rules));
    rules->apps = gh_arena_array(arena, apps != NULL ? apps->count + 1 : 1, sizeof(*rules->apps));
    rules->classes = gh_arena_array(arena, classes != NULL ? classes->count + 1 : 1, sizeof(*rules->classes));
    if (rules->apps == NULL || rules->classes == NULL) {
        return no_memory(error);
    }
    for (const gh_node_t *node = apps != NULL ? apps->first : NULL; node != NULL; node = node->next) {
        gh_caller_rule_t *rule = &rules->apps[rules->app_count++];

        if (read_when(arena, node, rule, error) != GH_OK || read_app(arena, organisation, node, rule, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    for (const gh_node_t *node = classes != NULL ? classes->first : NULL; node != NULL; node = node->next) {
        gh_caller_rule_t *rule = &rules->classes[rules->class_count++];

        if (read_when(arena, node, rule, error) != GH_OK || read_classes(arena, node, rule, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    if (rules->app_count == 0) {
        return gh_rules_unsound(error, "no rule names an app");
    }
    return read_narrowing(arena, object, rules, error);
}

/* ---- judging ---- */

static bool
fits(const gh_caller_rule_t *rule, gh_caller_shows_fn shows, const void *caller)
{
    for (size_t i = 0; i < rule->when_count; i++) {
        if (!shows(caller, rule->when[i].name, rule->when[i].value)) {
            return false;
        }
    }
    return true;
}

bool
gh_rules_app(const gh_caller_rules_t *rules, gh_caller_shows_fn shows, const void *caller, gh_str_t *app)
{
    for (size_t i = 0; i < rules->app_count; i++) {
        if (!fits(&rules->apps[i], shows, caller)) {
            continue;
        }
        if (app->len != 0 && !gh_str_eq(*app, rules->apps[i].app)) {
            return false;
        }
        *app = rules->apps[i].app;
    }
    return true;
}

int
gh_rules_classes(const gh_caller_rules_t *rules, gh_caller_shows_fn shows, const void *caller, gh_arena_t *arena, gh_str_t *classes, gh_error_t *error)
{
    for (size_t i = 0; i < rules->class_count; i++) {
        if (!fits(&rules->classes[i], shows, caller)) {
            continue;
        }
        *classes = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(*classes), classes->len ? "," : "", GH_STR_ARG(rules->classes[i].classes));
        if (classes->data == NULL) {
            return no_memory(error);
        }
    }
    return GH_OK;
}

int
gh_rules_narrow(const gh_caller_rules_t *rules, gh_caller_shows_fn shows, const void *caller, gh_arena_t *arena, gh_caller_t *out, gh_error_t *error)
{
    for (size_t i = 0; i < rules->narrow_count; i++) {
        const gh_caller_rule_t *rule = &rules->narrow[i];

        if (!fits(rule, shows, caller)) {
            continue;
        }
        out->audit_required = out->audit_required || rule->audit_required;
        if (gh_narrowing_add(arena, &out->places, rule->places, error) != GH_OK || gh_narrowing_add(arena, &out->models, rule->models, error) != GH_OK) {
            return GH_ERROR;
        }
        for (uint32_t k = 0; rule->limits != NULL && k < rule->limits->count; k++) {
            if (!gh_limits_tighten(&out->limits, &rule->limits->items[k])) {
                return gh_error_set(error, "too_many_limits", "rules of identity/1 that fit this caller have more than %d limits", GH_LIMITS_MAX);
            }
        }
    }
    return GH_OK;
}

static int
map_value(const gh_caller_map_t *map, const gh_node_t *value, gh_arena_t *arena, gh_str_t *places, gh_error_t *error)
{
    for (size_t i = 0; value->type == GH_NODE_STRING && i < map->value_count; i++) {
        if (gh_str_eq(map->values[i].value, value->text)) {
            return gh_narrowing_add(arena, places, map->values[i].places, error);
        }
    }
    return gh_error_set(error, "token_places", "the token's claim that narrows its places has a value that is not mapped");
}

int
gh_rules_map(const gh_caller_map_t *map, const gh_node_t *claim, gh_arena_t *arena, gh_str_t *places, gh_error_t *error)
{
    if (claim == NULL) {
        return map->optional ? GH_OK : gh_error_set(error, "token_places", "the token has not the claim that narrows its places");
    }
    if (claim->type != GH_NODE_ARRAY || claim->first == NULL) {
        return map_value(map, claim, arena, places, error);
    }
    for (const gh_node_t *value = claim->first; value != NULL; value = value->next) {
        if (map_value(map, value, arena, places, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}
