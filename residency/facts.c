/*
 * The facts artefact, read into plain arrays. The artefact is built in and covered by a test, so a malformed one
 * is a build mistake: reading stops with an error instead of dropping a row, since a dropped row could be the one that said "state".
 */
#include "residency/facts.h"

#include <string.h>

#include "policy/base/hash.h"
#include "policy/base/json_tree.h"
#include "residency/facts_data.h"
#include "residency/facts_private.h"

static gh_str_t
member_text(const gh_node_t *object, const char *key)
{
    const gh_node_t *node = gh_node_get(object, key);

    return node && node->type == GH_NODE_STRING ? node->text : (gh_str_t) { "", 0 };
}

static int
fail(const gh_node_t *node, const char *text, gh_error_t *error)
{
    return gh_error_at(
        error, "facts_damaged", "facts artefact", node ? node->line : 0, node ? node->column : 0, "%s", text);
}

static const gh_node_t *
need(const gh_node_t *object, const char *key, gh_node_type_t type, gh_error_t *error)
{
    const gh_node_t *node = gh_node_get(object, key);

    if (node == NULL || node->type != type) {
        fail(node ? node : object, "a member is missing or of the wrong type", error);
        return NULL;
    }
    return node;
}

bool
gh_facts_contains(const gh_node_t *array, gh_str_t word)
{
    for (const gh_node_t *node = array ? array->first : NULL; node; node = node->next) {
        if (node->type == GH_NODE_STRING && gh_str_eq(node->text, word)) {
            return true;
        }
    }
    return false;
}

/* An array of ISO codes. */
static int
read_codes(const gh_node_t *array, gh_places_t *places, gh_error_t *error)
{
    *places = gh_places_none();

    if (array == NULL || array->type != GH_NODE_ARRAY || array->count == 0) {
        return fail(array, "a list of countries is missing or empty", error);
    }
    for (const gh_node_t *node = array->first; node; node = node->next) {
        int country = node->type == GH_NODE_STRING ? gh_country_index(node->text) : -1;

        if (country < 0) {
            return fail(node, "not an ISO 3166-1 code", error);
        }
        gh_places_add(places, country);
    }
    return GH_OK;
}

static int
read_sets(gh_arena_t *arena, gh_facts_t *facts, const gh_node_t *root, gh_error_t *error)
{
    const gh_node_t *object = need(root, "sets", GH_NODE_OBJECT, error);

    if (object == NULL) {
        return GH_ERROR;
    }
    facts->sets = gh_arena_array(arena, object->count + 1, sizeof(gh_facts_set_t));
    if (facts->sets == NULL) {
        return fail(NULL, "out of memory", error);
    }
    facts->sets[facts->set_count++] = (gh_facts_set_t) { GH_STR("ANYWHERE"), gh_places_anywhere() };

    for (const gh_node_t *node = object->first; node; node = node->next) {
        gh_facts_set_t *set = &facts->sets[facts->set_count++];

        set->name = node->key;
        if (read_codes(gh_node_get(node, "members"), &set->places, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
read_operators(gh_arena_t *arena, gh_facts_t *facts, const gh_node_t *root, gh_error_t *error)
{
    const gh_node_t *object = need(root, "partition_operators", GH_NODE_OBJECT, error);

    if (object == NULL) {
        return GH_ERROR;
    }
    facts->operators = gh_arena_array(arena, object->count, sizeof(gh_facts_set_t));
    if (facts->operators == NULL) {
        return fail(NULL, "out of memory", error);
    }
    for (const gh_node_t *node = object->first; node; node = node->next) {
        gh_facts_set_t *operator = &facts->operators[facts->operator_count++];

        operator->name = node->key;
        if (read_codes(gh_node_get(node, "home"), &operator->places, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
read_regions(gh_arena_t *arena, gh_facts_t *facts, const gh_node_t *root, gh_error_t *error)
{
    const gh_node_t *array = need(root, "regions", GH_NODE_ARRAY, error);

    if (array == NULL) {
        return GH_ERROR;
    }
    facts->regions = gh_arena_array(arena, array->count, sizeof(gh_facts_region_t));
    if (facts->regions == NULL) {
        return fail(NULL, "out of memory", error);
    }
    for (const gh_node_t *node = array->first; node; node = node->next) {
        gh_facts_region_t        *region = &facts->regions[facts->region_count];
        const gh_node_t *verified = gh_node_get(node, "verified");
        gh_str_t         status = member_text(node, "status");

        region->provider = member_text(node, "provider");
        region->id = member_text(node, "id");
        region->partition = member_text(node, "partition");
        region->country = gh_country_index(member_text(node, "country"));
        region->usable = (verified == NULL || verified->type == GH_NODE_TRUE)
                         && (gh_str_is(status, "ga") || gh_str_is(status, "restricted"));

        if (region->provider.len == 0 || region->partition.len == 0 || region->country < 0
            || (region->usable && region->id.len == 0))
        {
            return fail(node, "a region without provider, partition, country or id", error);
        }
        facts->region_count += region->id.len != 0;
    }
    return GH_OK;
}

static int
read_row_process(const gh_facts_t *facts, const gh_node_t *node, gh_facts_row_t *row, gh_error_t *error)
{
    const gh_node_t *process = need(node, "process", GH_NODE_OBJECT, error);
    const gh_node_t *what = process ? process->first : NULL;

    if (what == NULL || what->next != NULL) {
        return fail(node, "a row's process says exactly one thing", error);
    }
    if (gh_str_is(what->key, "region") && what->type == GH_NODE_TRUE) {
        row->process = DO_REGION;
    } else if (gh_str_is(what->key, "any") && what->type == GH_NODE_TRUE) {
        row->process = DO_ANY;
        row->places = gh_places_anywhere();
    } else if (gh_str_is(what->key, "state") && what->type == GH_NODE_TRUE) {
        row->process = DO_STATE;
    } else if (gh_str_is(what->key, "state") && what->type == GH_NODE_FALSE) {
        row->process = DO_UNKNOWN;
    } else if (gh_str_is(what->key, "set") && gh_facts_set(facts, what->text, &row->places)) {
        row->process = DO_PLACES;
        row->set = what->text;
    } else if (gh_str_is(what->key, "countries")) {
        row->process = DO_PLACES;
        return read_codes(what, &row->places, error);
    } else {
        return fail(what, "not a known way to derive processing", error);
    }
    return GH_OK;
}

static int
read_row(const gh_facts_t *facts, gh_str_t provider, const gh_node_t *node, gh_facts_row_t *row, gh_error_t *error)
{
    const gh_node_t *list = gh_node_get(node, "when_region_country");
    gh_str_t         set = member_text(node, "when_region_country_in");

    row->provider = provider;
    row->seller = member_text(node, "seller");
    row->profile = member_text(node, "profile");
    row->host = member_text(node, "host");
    row->inference_geo = member_text(node, "inference_geo");
    row->skus = gh_node_get(node, "sku");
    row->vendors = gh_node_get(node, "vendors");
    row->arn = gh_node_get(node, "arn") != NULL;

    if (list != NULL) {
        row->limited = true;
        if (read_codes(list, &row->region_in, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    if (set.len != 0) {
        row->limited = true;
        if (!gh_facts_set(facts, set, &row->region_in)) {
            return fail(node, "no such set", error);
        }
        row->region_set = set;
    }
    return read_row_process(facts, node, row, error);
}

static int
read_rows(gh_arena_t *arena, gh_facts_t *facts, const gh_node_t *root, gh_error_t *error)
{
    const gh_node_t *object = need(root, "process_rules", GH_NODE_OBJECT, error);
    size_t           count = 0;

    if (object == NULL) {
        return GH_ERROR;
    }
    for (const gh_node_t *list = object->first; list; list = list->next) {
        count += list->type == GH_NODE_ARRAY ? list->count : 0;
    }
    facts->rows = gh_arena_array(arena, count, sizeof(gh_facts_row_t));
    if (facts->rows == NULL) {
        return fail(NULL, "out of memory", error);
    }
    for (const gh_node_t *list = object->first; list; list = list->next) {
        if (list->type != GH_NODE_ARRAY) {
            continue;
        }
        for (const gh_node_t *node = list->first; node; node = node->next) {
            if (read_row(facts, list->key, node, &facts->rows[facts->row_count++], error) != GH_OK) {
                return GH_ERROR;
            }
        }
    }
    return GH_OK;
}

size_t
gh_facts_names(gh_str_t *names, size_t size)
{
    for (size_t i = 0; i < gh_facts_data_count && i < size; i++) {
        names[i] = gh_str_from(gh_facts_data[i].name);
    }
    return gh_facts_data_count;
}

static const gh_facts_data_t *
find(gh_str_t name)
{
    for (size_t i = 0; i < gh_facts_data_count; i++) {
        if (name.len == 0 || gh_str_is(name, gh_facts_data[i].name)) {
            return &gh_facts_data[i];
        }
    }
    return NULL;
}

static bool
signature_good(const gh_facts_data_t *data)
{
    return data->signature != NULL && data->key != NULL
        && gh_ed25519_verify(data->key, (const uint8_t *) data->signature, data->begin, (size_t) (data->end - data->begin));
}

int
gh_facts_text(gh_str_t name, gh_str_t *text, gh_error_t *error)
{
    const gh_facts_data_t *data = find(name);

    if (data == NULL) {
        return gh_error_set(error, "facts_unknown", "no facts \"%.*s\": this program has %s", GH_STR_ARG(name),
            gh_facts_data[0].name);
    }
    if (!signature_good(data)) {
        return gh_error_set(error, "facts_signature", "the facts %s in this program are not those that were signed", data->name);
    }
    *text = (gh_str_t) { data->begin, (size_t) (data->end - data->begin) };
    return GH_OK;
}

bool
gh_facts_signed(gh_str_t text, const uint8_t signature[64])
{
    for (size_t i = 0; i < gh_facts_data_count; i++) {
        if (gh_facts_data[i].key != NULL && gh_ed25519_verify(gh_facts_data[i].key, signature, text.data, text.len)) {
            return true;
        }
    }
    return false;
}

int
gh_facts_load(gh_arena_t *arena, gh_str_t name, gh_facts_t **out, gh_error_t *error)
{
    const gh_facts_data_t *data = find(name);
    gh_facts_t            *facts;
    gh_node_t             *root;
    gh_str_t               text;

    if (gh_facts_text(name, &text, error) != GH_OK) {
        return GH_ERROR;
    }
    facts = gh_arena_alloc(arena, sizeof(*facts));
    if (facts == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (gh_json_parse(arena, text, data->name, &root, error) != GH_OK) {
        return GH_ERROR;
    }
    facts->name = gh_str_from(data->name);
    gh_sha256(text.data, text.len, facts->digest);

    if (root->type != GH_NODE_OBJECT || !gh_str_is(member_text(root, "format"), "regions/2")
        || !gh_str_eq(member_text(root, "name"), facts->name))
    {
        return fail(root, "not a regions/2 artefact of that name", error);
    }
    if (read_sets(arena, facts, root, error) != GH_OK || read_operators(arena, facts, root, error) != GH_OK
        || read_regions(arena, facts, root, error) != GH_OK || read_rows(arena, facts, root, error) != GH_OK)
    {
        return GH_ERROR;
    }
    *out = facts;
    return GH_OK;
}

gh_str_t
gh_facts_name(const gh_facts_t *facts)
{
    return facts->name;
}

const uint8_t *
gh_facts_digest(const gh_facts_t *facts)
{
    return facts->digest;
}

static bool
get_set(const gh_facts_set_t *sets, size_t count, gh_str_t name, gh_places_t *places)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(sets[i].name, name)) {
            *places = sets[i].places;
            return true;
        }
    }
    return false;
}

static size_t
get_names(const gh_facts_set_t *sets, size_t count, gh_str_t *names, size_t size)
{
    for (size_t i = 0; i < count && i < size; i++) {
        names[i] = sets[i].name;
    }
    return count;
}

bool
gh_facts_set(const gh_facts_t *facts, gh_str_t name, gh_places_t *places)
{
    return get_set(facts->sets, facts->set_count, name, places);
}

bool
gh_facts_redefine(gh_facts_t *facts, gh_str_t name, gh_places_t places)
{
    bool found = false;

    for (size_t i = 0; i < facts->set_count; i++) {
        if (gh_str_eq(facts->sets[i].name, name) && !gh_str_is(name, "ANYWHERE")) {
            facts->sets[i].places = places;
            found = true;
        }
    }
    for (size_t i = 0; found && i < facts->row_count; i++) {
        gh_facts_row_t *row = &facts->rows[i];

        if (gh_str_eq(row->region_set, name)) {
            row->region_in = places;
        }
        if (gh_str_eq(row->set, name)) {
            row->process = gh_places_empty(places) ? DO_UNKNOWN : DO_PLACES;
            row->places = gh_places_empty(places) ? gh_places_unknown() : places;
        }
    }
    return found;
}

size_t
gh_facts_set_names(const gh_facts_t *facts, gh_str_t *names, size_t size)
{
    return get_names(facts->sets, facts->set_count, names, size);
}

bool
gh_facts_operator_home(const gh_facts_t *facts, gh_str_t partition, gh_places_t *places)
{
    return get_set(facts->operators, facts->operator_count, partition, places);
}

size_t
gh_facts_partitions(const gh_facts_t *facts, gh_str_t *names, size_t size)
{
    return get_names(facts->operators, facts->operator_count, names, size);
}

bool
gh_facts_region(const gh_facts_t *facts, gh_str_t provider, gh_str_t region, int *country, gh_str_t *partition)
{
    for (size_t i = 0; region.len != 0 && i < facts->region_count; i++) {
        const gh_facts_region_t *row = &facts->regions[i];

        if (!row->usable || !gh_str_eq(row->provider, provider) || !gh_str_eq(row->id, region)) {
            continue;
        }
        if (country) {
            *country = row->country;
        }
        if (partition) {
            *partition = row->partition;
        }
        return true;
    }
    return false;
}
