#include "policy/document/tenants_inherit.h"

#define WHERE_TEXT "%s:%u:%u"
#define WHERE_ARGS(where) (where).source, (where).line, (where).column

/* Is whatever the pattern permits permitted by the other too? As gh_pattern_permits says. */
static bool
pattern_inside(gh_str_t pattern, gh_str_t within)
{
    if (within.len == 0 || within.data[within.len - 1] != '*') {
        return gh_str_eq(pattern, within);
    }
    return gh_str_starts(pattern, (gh_str_t) { within.data, within.len - 1 });
}

bool
gh_inherit_pattern_inside(gh_str_t pattern, const gh_str_list_t *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (pattern_inside(pattern, list->items[i])) {
            return true;
        }
    }
    return false;
}

void
gh_inherit_models(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node, const gh_str_list_t *list)
{
    for (const gh_node_t *item = node != NULL ? node->first : NULL; item != NULL; item = item->next) {
        for (unsigned i = 0; item->type == GH_NODE_STRING && i < above->model_count; i++) {
            if (!gh_inherit_pattern_inside(item->text, &above->models[i].list)) {
                gh_doc_error(loader, GH_WHERE(loader, item), "loosens", "models: \"%.*s\" is more than " WHERE_TEXT " allows above: a level below can only narrow",
                    GH_STR_ARG(item->text), WHERE_ARGS(above->models[i].where));
                break;
            }
        }
    }
    if (node != NULL && list->count > 0 && above->model_count < GH_INHERITED_MAX) {
        above->models[above->model_count].list = *list;
        above->models[above->model_count++].where = GH_WHERE_KEY(loader, node);
    }
}

bool
gh_inherit_places(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node, gh_places_t places)
{
    /* what-if has other countries in a set than whoever wrote its name */
    for (unsigned i = 0; loader->supposition_count == 0 && i < above->place_count; i++) {
        gh_places_t more = gh_places_minus(places, above->places[i].places);

        if (!gh_places_empty(more)) {
            gh_doc_error(loader, GH_WHERE_KEY(loader, node), "loosens", "places: %.*s are more than " WHERE_TEXT " allows above: a level below can only narrow",
                GH_STR_ARG(gh_doc_some_places(loader, more)), WHERE_ARGS(above->places[i].where));
            return false;
        }
    }
    if (above->place_count < GH_INHERITED_MAX) {
        above->places[above->place_count].places = places;
        above->places[above->place_count++].where = GH_WHERE_KEY(loader, node);
    }
    return true;
}

void
gh_inherit_max_output(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node)
{
    uint64_t said;

    if (node == NULL || gh_node_u64(node, &said) != GH_OK || said == 0) {
        return;
    }
    if (above->max_output != 0 && said > above->max_output) {
        gh_doc_error(loader, GH_WHERE(loader, node), "loosens", "max_output: %llu is more than the %llu of " WHERE_TEXT " above: a level below can only narrow",
            (unsigned long long) said, (unsigned long long) above->max_output, WHERE_ARGS(above->max_output_where));
        return;
    }
    above->max_output = said;
    above->max_output_where = GH_WHERE(loader, node);
}

void
gh_inherit_audit(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node)
{
    int mode = node != NULL ? gh_doc_word(loader, node, "audit mode", gh_audit_names) : -1;

    if (mode == GH_AUDIT_BEST_EFFORT && above->audit_required) {
        gh_doc_error(loader, GH_WHERE(loader, node), "loosens", "audit: \"best-effort\" is less than the \"required\" of " WHERE_TEXT " above: a level below can only tighten",
            WHERE_ARGS(above->audit_where));
    }
    if (mode == GH_AUDIT_REQUIRED && !above->audit_required) {
        above->audit_required = true;
        above->audit_where = GH_WHERE(loader, node);
    }
}

static bool
same_counter(const gh_model_limit_t *a, const gh_model_limit_t *b)
{
    return a->limit.dimension != 0 && a->limit.dimension == b->limit.dimension && a->limit.per == b->limit.per && a->limit.limit_class == b->limit.limit_class
        && gh_str_eq(a->model, b->model);
}

static void
check_limit(gh_loader_t *loader, const gh_inherited_t *above, const gh_model_limit_t *limit)
{
    for (unsigned i = 0; i < above->limit_count; i++) {
        for (uint32_t k = 0; k < above->limits[i].count; k++) {
            const gh_model_limit_t *other = &above->limits[i].items[k];

            if (same_counter(limit, other) && limit->limit.limit_class != GH_LIMIT_SHADOW && limit->limit.amount > other->limit.amount) {
                gh_doc_error(loader, limit->where, "loosens", "this limit of %llu can never be reached: " WHERE_TEXT " above allows %llu of the same, and a level below can only "
                    "narrow", (unsigned long long) limit->limit.amount, WHERE_ARGS(other->where), (unsigned long long) other->limit.amount);
                return;
            }
        }
    }
}

void
gh_inherit_held(gh_inherited_t *above, gh_limit_list_t limits)
{
    if (limits.count > 0 && above->limit_count < GH_INHERITED_LIMITS) {
        above->limits[above->limit_count++] = limits;
    }
}

void
gh_inherit_limits(gh_loader_t *loader, gh_inherited_t *above, gh_limit_list_t limits)
{
    for (uint32_t i = 0; i < limits.count; i++) {
        check_limit(loader, above, &limits.items[i]);
    }
    gh_inherit_held(above, limits);
}
