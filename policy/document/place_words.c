/* Lists of places: ISO codes, named sets of the facts artefact, and a policy's own places. See reading.h. */
#include "policy/document/reading.h"

#include <string.h>

#define SOME_PLACES 8     /* what a message says of a long list */

static bool
named_set(const gh_place_scope_t *scope, gh_str_t word, gh_places_t *places)
{
    bool found = false;

    *places = gh_places_none();

    for (size_t i = 0; i < scope->facts_count; i++) {
        gh_places_t one;

        if (gh_facts_set(scope->facts[i], word, &one)) {
            *places = gh_places_union(*places, one);
            found = true;
        }
    }
    return found;
}

/* The names are few: there are no more sets than the artefacts have. */
static void
note_use(gh_loader_t *loader, gh_str_list_t *used, gh_str_t name)
{
    gh_str_t *item;

    if (used == NULL || gh_list_find(used, name) >= 0) {
        return;
    }
    item = gh_doc_push(loader, &used->items, &used->count, sizeof(*item));
    if (item != NULL) {
        *item = name;
    }
}

static int32_t
own_index(const gh_place_scope_t *scope, gh_str_t word)
{
    for (uint32_t i = 0; i < scope->own_count; i++) {
        if (gh_str_eq(scope->own[i].name, word)) {
            return (int32_t) i;
        }
    }
    return -1;
}

static const char *
near_code(gh_loader_t *loader, gh_str_t word, const gh_place_scope_t *scope)
{
    char     code[2];
    gh_str_t candidates[GH_MAX_PLACES + 128];
    size_t   count = 0;
    int      named = gh_country_called(word);

    if (gh_str_is(word, "UK") || gh_str_is(word, "uk")) {
        return "; did you mean \"GB\"?";
    }
    if (gh_str_is(word, "EL") || gh_str_is(word, "el")) {
        return "; did you mean \"GR\"?";
    }
    if (named >= 0) {
        return gh_doc_format(loader, "; did you mean \"%s\"?", gh_country_codes[named]).data;
    }
    for (size_t i = 0; scope != NULL && i < scope->facts_count && count < 64; i++) {
        size_t sets = gh_facts_set_names(scope->facts[i], candidates + count, 64);

        count += sets > 64 ? 64 : sets;
    }
    for (uint32_t i = 0; scope != NULL && i < scope->own_count; i++) {
        candidates[count++] = scope->own[i].name;
    }
    if (word.len == 2) {
        gh_str_t text = { code, 2 };

        code[0] = (char) (word.data[0] & ~0x20);
        code[1] = (char) (word.data[1] & ~0x20);
        if (gh_country_index(text) >= 0) {
            candidates[count++] = text;
        }
    }
    return gh_doc_near(loader, word, candidates, count);
}

static bool
place(gh_loader_t *loader, const gh_node_t *node, const gh_place_scope_t *scope, gh_places_t *places)
{
    int32_t own;
    int     country;

    if (node->type != GH_NODE_STRING) {
        gh_doc_error(loader, GH_WHERE(loader, node), "wrong_type", "a place must be a string");
        return false;
    }
    country = gh_country_index(node->text);
    if (country >= 0) {
        *places = gh_places_none();
        gh_places_add(places, country);
        return true;
    }
    own = own_index(scope, node->text);
    if (own >= 0) {
        *places = scope->own[own].places;
        return true;
    }
    if (named_set(scope, node->text, places)) {
        note_use(loader, scope->used, node->text);
        return true;
    }
    gh_doc_error(loader, GH_WHERE(loader, node), "unknown_place", "unknown place \"%.*s\"%s", GH_STR_ARG(node->text),
                 near_code(loader, node->text, scope));
    return false;
}

bool
gh_doc_places(gh_loader_t *loader, const gh_node_t *list, const gh_place_scope_t *scope, gh_places_t *places)
{
    const gh_node_t *node = list->type == GH_NODE_STRING ? list : list->first;
    bool             ok = true;

    *places = gh_places_none();

    for (; node; node = node == list ? NULL : node->next) {
        gh_places_t one;

        if (place(loader, node, scope, &one)) {
            *places = gh_places_union(*places, one);
        } else {
            ok = false;
        }
    }
    return ok;
}

gh_str_t
gh_doc_some_places(gh_loader_t *loader, gh_places_t places)
{
    unsigned count = gh_places_count(places), said = 0;
    gh_str_t text = { "", 0 };

    if (gh_places_has_unknown(places) || count <= SOME_PLACES + 1) {
        return gh_places_text(loader->arena, places);
    }
    for (int country = 0; country < GH_COUNTRIES && said < SOME_PLACES; country++) {
        gh_places_t one = gh_places_none();

        gh_places_add(&one, country);
        if (gh_places_inside(one, places)) {
            text = gh_doc_format(loader, "%.*s%s ", GH_STR_ARG(text), gh_country_codes[country]);
            said++;
        }
    }
    return gh_doc_format(loader, "%.*sand %u more", GH_STR_ARG(text), count - said);
}

const char *
gh_doc_near_region(gh_loader_t *loader, gh_str_t provider, gh_str_t region)
{
    gh_str_t near = gh_facts_nearest_region(loader->arena, loader->facts[0], provider, region);

    return gh_doc_near(loader, region, &near, near.len != 0);
}

int
gh_doc_country(gh_loader_t *loader, const gh_node_t *node)
{
    int country = gh_country_index(node->text);

    if (country < 0) {
        gh_doc_error(loader, GH_WHERE(loader, node), "unknown_place",
            "\"%.*s\" is not an ISO 3166-1 code of a country%s", GH_STR_ARG(node->text),
            near_code(loader, node->text, NULL));
    }
    return country;
}

/* ---- a policy's own places ---- */

typedef enum { WAITING, RESOLVING, DONE } own_state_t;

typedef struct {
    gh_loader_t      *loader;
    gh_place_scope_t *scope;
    gh_model_place_t *places;
    const gh_node_t  *nodes[GH_MAX_PLACES];
    own_state_t       states[GH_MAX_PLACES];
} own_places_t;

static void
resolve(own_places_t *own, int32_t index)
{
    const gh_node_t *list = own->nodes[index];
    bool             cycle = false;

    own->states[index] = RESOLVING;

    for (const gh_node_t *node = list->first; node; node = node->next) {
        int32_t other = node->type == GH_NODE_STRING ? own_index(own->scope, node->text) : -1;

        if (other >= 0 && own->states[other] == WAITING) {
            resolve(own, other);
        } else if (other >= 0 && own->states[other] == RESOLVING) {
            cycle = true;
            gh_doc_error(own->loader, GH_WHERE(own->loader, node), "place_cycle",
                "place \"%.*s\" is defined through itself", GH_STR_ARG(node->text));
        }
    }
    if (!cycle) {
        gh_doc_places(own->loader, list, own->scope, &own->places[index].places);
    }
    own->states[index] = DONE;
}

/* Places that are supposed to have other members need no resolving. */
static void
suppose(own_places_t *own, uint32_t count)
{
    for (size_t i = 0; i < own->loader->supposition_count; i++) {
        gh_supposition_t *one = &own->loader->suppositions[i];

        for (uint32_t k = 0; k < count; k++) {
            if (one->policy.len == 0 && gh_str_eq(own->places[k].name, one->name)) {
                own->places[k].places = one->places;
                own->states[k] = DONE;
                one->met = true;
            }
        }
    }
}

void
gh_doc_own_places(gh_loader_t *loader, const gh_node_t *object, gh_place_scope_t *scope)
{
    own_places_t own = { .loader = loader, .scope = scope };
    uint32_t     count = 0;

    if (object == NULL) {
        return;
    }
    if (object->count == 0 || object->count > GH_MAX_PLACES) {
        gh_doc_error(loader, GH_WHERE(loader, object), object->count ? "limit" : "empty_list",
                     "\"places\" must name 1 to %d places, not %zu", GH_MAX_PLACES, object->count);
        return;
    }
    own.places = gh_arena_array(loader->arena, object->count, sizeof(*own.places));
    if (own.places == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    for (const gh_node_t *node = object->first; node; node = node->next) {
        gh_node_t name = *node;

        name.text = node->key;
        name.line = node->key_line;
        name.column = node->key_column;

        if (!gh_doc_name(loader, &name)) {
            continue;
        }
        if (node->type != GH_NODE_ARRAY || node->count == 0) {
            gh_doc_error(loader, GH_WHERE(loader, node), node->type == GH_NODE_ARRAY ? "empty_list" : "wrong_type",
                         "place \"%.*s\" must be a list of places, not empty", GH_STR_ARG(node->key));
            continue;
        }
        own.places[count].name = node->key;
        own.nodes[count++] = node;
    }
    scope->own = own.places;
    scope->own_count = count;

    suppose(&own, count);
    for (uint32_t i = 0; i < count; i++) {
        if (own.states[i] == WAITING) {
            resolve(&own, (int32_t) i);
        }
    }
}
