/* residency/1: one policy or guard a document. Its rules are read in residency_rules.c. */
#include "policy/document/residency_rules.h"
#include "policy/document/scope.h"

#include <string.h>

#define LATER_MEMBERS                                                                        \
    { "networks", 0, GH_LATER }, { "detectors", 0, GH_LATER }, { "sessions", 0, GH_LATER },  \
    { "approvals", 0, GH_LATER }, { "stale_nodes", 0, GH_LATER }, { NULL, 0, 0 }

static const gh_member_t policy_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "name", GH_IS_STRING, GH_REQUIRED }, { "role", GH_IS_STRING, 0 },
    { "applies_to", GH_IS_STRING | GH_IS_LIST, GH_REQUIRED }, { "facts", GH_IS_STRING, GH_REQUIRED },
    { "places", GH_IS_OBJECT, 0 }, { "classes", GH_IS_LIST, GH_REQUIRED }, { "classify", GH_IS_OBJECT, GH_REQUIRED },
    { "allow", GH_IS_LIST, 0 }, { "forbid", GH_IS_LIST, 0 }, { "audit_store", GH_IS_OBJECT, 0 },
    { "audit", GH_IS_STRING, 0 }, { "nodes", 0, GH_FOREIGN }, LATER_MEMBERS
};

static const gh_member_t guard_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "name", GH_IS_STRING, GH_REQUIRED }, { "role", GH_IS_STRING, 0 },
    { "applies_to", GH_IS_STRING | GH_IS_LIST, GH_REQUIRED }, { "facts", GH_IS_STRING, GH_REQUIRED },
    { "places", GH_IS_OBJECT, 0 }, { "nodes", GH_IS_LIST, 0 }, { "forbid", GH_IS_LIST, 0 },
    { "allow", 0, GH_FOREIGN }, { "classes", 0, GH_FOREIGN }, { "classify", 0, GH_FOREIGN },
    { "audit_store", 0, GH_FOREIGN }, { "audit", 0, GH_FOREIGN }, LATER_MEMBERS
};

static const gh_member_t classify_members[] = {
    { "default", GH_IS_STRING, GH_REQUIRED }, { "assign", GH_IS_LIST, 0 }, { "labels", GH_IS_LIST, 0 },
    { "unknown_label", GH_IS_STRING, 0 }, { "uninspected", GH_IS_LIST, 0 },
    { "detectors", 0, GH_LATER }, { "detect", 0, GH_LATER }, { "origin", 0, GH_LATER }, { "claims", 0, GH_LATER },
    { "session", 0, GH_LATER }, { NULL, 0, 0 }
};

static const gh_member_t assign_members[] = {
    { "tenants", GH_IS_LIST, GH_REQUIRED }, { "class", GH_IS_STRING, GH_REQUIRED }, { "origin", 0, GH_LATER },
    { "claims", 0, GH_LATER }, { NULL, 0, 0 }
};

static const gh_member_t pin_members[] = {
    { "id", GH_IS_STRING, GH_REQUIRED }, { "country", GH_IS_STRING, GH_REQUIRED }, { NULL, 0, 0 }
};

static const gh_member_t audit_store_members[] = { { "within", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 } };

/* Index of a class, or -1 and reported. */
static int32_t
class_index(gh_loader_t *loader, const gh_node_t *node, const gh_model_policy_t *policy)
{
    int32_t index = gh_list_find(&policy->classes, node->text);

    if (index < 0) {
        gh_doc_error(loader, GH_WHERE(loader, node), "unknown_class", "unknown class \"%.*s\"%s",
            GH_STR_ARG(node->text), gh_doc_near(loader, node->text, policy->classes.items, policy->classes.count));
    }
    return index;
}

static void
read_assigns(gh_loader_t *loader, const gh_node_t *list, gh_model_policy_t *policy)
{
    if (list == NULL) {
        return;
    }
    if (list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"assign\" must not be empty");
    }
    for (const gh_node_t *node = list->first; node; node = node->next) {
        const gh_node_t   *tenants, *class;
        gh_model_assign_t *assign;
        int32_t            index;

        if (!gh_doc_members(loader, node, "an assign", assign_members)) {
            continue;
        }
        tenants = gh_doc_get(node, "tenants", GH_IS_LIST);
        class = gh_doc_get(node, "class", GH_IS_STRING);
        index = class ? class_index(loader, class, policy) : -1;
        assign = gh_doc_push(loader, &policy->assigns, &policy->assign_count, sizeof(*assign));
        if (assign != NULL) {
            assign->tenants = gh_doc_list(loader, tenants, GH_LIST_TENANT_PATTERNS, 0);
            assign->class_index = index < 0 ? 0 : (uint32_t) index;
            gh_doc_must_cover(loader, tenants, &assign->tenants,
                &(gh_cover_check_t) { .applies_to = &policy->applies_to, .what = "assign" });
        }
    }
}

/* "header:NAME": the lower-case name, or empty and reported. */
static gh_str_t
label_header(gh_loader_t *loader, const gh_node_t *node)
{
    static const char other[] = "!#$%&'*+-.^_`|~";
    gh_str_t          name = { "", 0 };
    char             *lower;

    if (node->type != GH_NODE_STRING || !gh_str_starts(node->text, GH_STR("header:")) || node->text.len == 7
        || node->text.len > 7 + 64) {
        const char *colon = node->type == GH_NODE_STRING ? memchr(node->text.data, ':', node->text.len) : NULL;
        gh_str_t    kind = { node->text.data, colon ? (size_t) (colon - node->text.data) : 0 };

        gh_doc_error(loader, GH_WHERE(loader, node), "bad_label", "a label must be \"header:NAME\"%s",
            gh_doc_near(loader, kind, &GH_STR("header"), 1));
        return name;
    }
    name = gh_doc_format(loader, "%.*s", (int) node->text.len - 7, node->text.data + 7);
    lower = (char *) (uintptr_t) name.data;

    for (size_t i = 0; i < name.len; i++) {
        char c = lower[i];

        if (c >= 'A' && c <= 'Z') {
            lower[i] = (char) (c - 'A' + 'a');
        } else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr(other, c))) {
            gh_doc_error(
                loader, GH_WHERE(loader, node), "bad_label", "\"%.*s\" is not a header name", GH_STR_ARG(name));
            return (gh_str_t) { "", 0 };
        }
    }
    return name;
}

static void
read_labels(gh_loader_t *loader, const gh_node_t *list, gh_model_policy_t *policy)
{
    if (list == NULL) {
        return;
    }
    if (list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"labels\" must not be empty");
    }
    for (const gh_node_t *node = list->first; node; node = node->next) {
        gh_str_t  name = label_header(loader, node);
        gh_str_t *item;

        if (name.len == 0) {
            continue;
        }
        if (gh_list_find(&policy->label_headers, name) >= 0) {
            gh_doc_error(loader, GH_WHERE(loader, node), "duplicate", "\"%.*s\" stands in this list twice",
                GH_STR_ARG(node->text));
            continue;
        }
        item = gh_doc_push(loader, &policy->label_headers.items, &policy->label_headers.count, sizeof(*item));
        if (item != NULL) {
            *item = name;
        }
    }
}

static void
read_classify(gh_loader_t *loader, const gh_node_t *root, gh_model_policy_t *policy)
{
    static const char *const words[] = { "deny", "highest", NULL };
    const gh_node_t         *object = gh_doc_get(root, "classify", GH_IS_OBJECT);
    const gh_node_t         *node;
    int32_t                  index;

    if (object == NULL) {
        return;
    }
    gh_doc_members(loader, object, "\"classify\"", classify_members);

    node = gh_doc_get(object, "default", GH_IS_STRING);
    index = node ? class_index(loader, node, policy) : -1;
    policy->default_class = index < 0 ? 0 : (uint32_t) index;

    read_assigns(loader, gh_doc_get(object, "assign", GH_IS_LIST), policy);
    read_labels(loader, gh_doc_get(object, "labels", GH_IS_LIST), policy);

    node = gh_doc_get(object, "unknown_label", GH_IS_STRING);
    policy->unknown_label
        = node && gh_doc_word(loader, node, "word for \"unknown_label\"", words) == 1 ? GH_LABEL_HIGHEST : GH_LABEL_DENY;

    node = gh_doc_get(object, "uninspected", GH_IS_LIST);
    if (node != NULL) {
        if (node->count == 0) {
            gh_doc_error(loader, GH_WHERE(loader, node), "empty_list", "\"uninspected\" must not be empty");
        }
        policy->uninspected_mask = (uint32_t) gh_doc_mask(loader, node, "class", &policy->classes);
    }
}

static void
read_pins(gh_loader_t *loader, const gh_node_t *list, gh_model_policy_t *policy)
{
    if (list == NULL) {
        return;
    }
    if (list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"nodes\" must not be empty");
    }
    for (const gh_node_t *node = list->first; node; node = node->next) {
        const gh_node_t *id, *country;
        gh_node_pin_t   *pin;
        gh_model_node_t *kept;

        if (!gh_doc_members(loader, node, "a node", pin_members)) {
            continue;
        }
        id = gh_doc_get(node, "id", GH_IS_STRING);
        country = gh_doc_get(node, "country", GH_IS_STRING);
        if (id == NULL || country == NULL || !gh_doc_name(loader, id)) {
            continue;
        }
        gh_doc_given(loader, "node of this guard",
            gh_doc_format(loader, "%.*s/%.*s", GH_STR_ARG(policy->name), GH_STR_ARG(id->text)), GH_WHERE(loader, id));
        pin = gh_doc_push(loader, &loader->pins, &loader->pin_count, sizeof(*pin));
        kept = gh_doc_push(loader, &policy->pins, &policy->pin_count, sizeof(*kept));
        if (pin != NULL && kept != NULL) {
            *kept = (gh_model_node_t) { id->text, gh_country_index(country->text), GH_WHERE(loader, id) };
            *pin = (gh_node_pin_t) { policy->name, id->text, gh_doc_country(loader, country), GH_WHERE(loader, country) };
        }
    }
}

static void
read_classes(gh_loader_t *loader, const gh_node_t *root, gh_model_policy_t *policy)
{
    const gh_node_t *list = gh_doc_get(root, "classes", GH_IS_LIST);
    uint32_t         at = 0;

    policy->classes = gh_doc_list(loader, list, GH_LIST_NAMES, 0);
    policy->class_wheres = gh_arena_array(loader->arena, policy->classes.count, sizeof(gh_where_t));
    if (policy->class_wheres == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    for (const gh_node_t *node = list ? list->first : NULL; node && at < policy->classes.count; node = node->next) {
        if (node->text.data == policy->classes.items[at].data) {
            policy->class_wheres[at++] = GH_WHERE(loader, node);
        }
    }
    if (policy->classes.count > GH_MAX_CLASSES) {
        gh_doc_error(loader, GH_WHERE(loader, list), "limit", "%u classes: a policy may have %d",
            policy->classes.count, GH_MAX_CLASSES);
    }
}

/* A policy is one organisation's, and the only one it has: what holds for others too is a guard's. */
static void
read_organisation(gh_loader_t *loader, const gh_node_t *node, const gh_model_policy_t *policy)
{
    const gh_node_t *item = node->type == GH_NODE_ARRAY ? node->first : node;
    gh_str_t         organisation = gh_pattern_organisation(policy->applies_to.items[0]);

    if (organisation.len == 0) {
        gh_doc_error(loader, GH_WHERE(loader, item), "whose_policy",
            "a policy applies to one organisation, not to all: name it, or make this a guard");
        return;
    }
    for (uint32_t i = 1; i < policy->applies_to.count; i++) {
        if (!gh_str_eq(gh_pattern_organisation(policy->applies_to.items[i]), organisation)) {
            gh_doc_error(loader, GH_WHERE(loader, node), "whose_policy",
                "a policy applies to one organisation: \"%.*s\" is not in \"%.*s\"; write one policy for each, or make this a "
                "guard", GH_STR_ARG(policy->applies_to.items[i]), GH_STR_ARG(organisation));
            return;
        }
    }
    gh_doc_given(loader, "policy of organisation", organisation, GH_WHERE(loader, item));
}

static void
read_applies_to(gh_loader_t *loader, const gh_node_t *root, gh_model_policy_t *policy)
{
    const gh_node_t *node = gh_doc_get(root, "applies_to", GH_IS_STRING | GH_IS_LIST);
    unsigned         limit = policy->guard ? 3 : 2;

    policy->applies_to = gh_doc_list(loader, node, GH_LIST_TENANT_PATTERNS, GH_ALLOW_ONE);

    for (uint32_t i = 0; i < policy->applies_to.count; i++) {
        if (gh_doc_segments(policy->applies_to.items[i]) > limit) {
            gh_doc_error(loader, GH_WHERE(loader, node), "bad_pattern",
                "pattern \"%.*s\" is below %s, and a %s applies to whole ones",
                GH_STR_ARG(policy->applies_to.items[i]), policy->guard ? "an app" : "a tenant",
                policy->guard ? "guard" : "policy");
        }
    }
    if (!policy->guard && policy->applies_to.count != 0) {
        read_organisation(loader, node, policy);
    }
    gh_doc_must_cover(loader, node, &policy->applies_to,
        &(gh_cover_check_t) { .forbid = policy->guard, .what = policy->guard ? "guard" : "policy" });
}

gh_str_t
gh_doc_pinned(const gh_loader_t *loader, const gh_node_t *root)
{
    const gh_node_t *node = gh_doc_get(root, "facts", GH_IS_STRING), *name = gh_doc_get(root, "name", GH_IS_STRING);

    for (size_t i = 0; name != NULL && i < loader->supposition_count; i++) {
        gh_supposition_t *one = &loader->suppositions[i];

        if (one->policy.len > 0 && gh_str_eq(one->policy, name->text)) {
            one->met = true;
            return one->facts;
        }
    }
    return node == NULL ? GH_STR("") : node->text;
}

/* The artefact that the policy pins; the newest when that is wrong, which the first pass has reported. */
static void
read_facts(gh_loader_t *loader, const gh_node_t *root, gh_model_policy_t *policy, gh_facts_t **pinned)
{
    const gh_node_t *node = gh_doc_get(root, "facts", GH_IS_STRING);
    gh_str_t         name = gh_doc_pinned(loader, root);

    *pinned = loader->facts[0];
    policy->facts_where = GH_WHERE(loader, node ? node : root);

    for (size_t i = 0; i < loader->facts_count; i++) {
        if (gh_str_eq(gh_facts_name(loader->facts[i]), name)) {
            *pinned = loader->facts[i];
        }
    }
    policy->facts = gh_facts_name(*pinned);
}

static bool
read_role(gh_loader_t *loader, const gh_node_t *root)
{
    static const char *const words[] = { "guard", NULL };
    const gh_node_t         *node = gh_doc_get(root, "role", GH_IS_STRING);

    if (node == NULL || gh_doc_word(loader, node, "role", words) == 0) {
        return node != NULL;
    }
    return gh_node_get(root, "classes") == NULL;    /* misspelt: what the document looks like, so that one mistake stays one */
}

/* "audit": how little the tenants may ask for; nothing said: every line of theirs is required. */
static void
read_audit(gh_loader_t *loader, const gh_node_t *node, gh_model_policy_t *policy)
{
    policy->audit = GH_AUDIT_REQUIRED;
    policy->audit_where = policy->where;
    if (node != NULL) {
        policy->audit_where = GH_WHERE(loader, node);
        policy->audit = gh_doc_word(loader, node, "audit mode", gh_audit_names) == GH_AUDIT_BEST_EFFORT ? GH_AUDIT_BEST_EFFORT : GH_AUDIT_REQUIRED;
    }
}

void
gh_residency_read(gh_loader_t *loader, const gh_document_t *document)
{
    const gh_node_t    *root = document->root, *audit_store, *within;
    gh_model_policy_t  *policy = gh_arena_alloc(loader->arena, sizeof(*policy));   /* others keep pointers into it */
    gh_model_policy_t **slot;
    uint32_t            pinned_count = loader->policy_count;
    gh_facts_t        **facts, **pinned = gh_arena_alloc(loader->arena, sizeof(*pinned));
    gh_place_scope_t    scope = { .facts = pinned, .facts_count = 1 };
    const gh_node_t    *name = gh_doc_get(root, "name", GH_IS_STRING);

    if (policy == NULL || pinned == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    policy->guard = read_role(loader, root);
    policy->where = GH_WHERE(loader, name ? name : root);
    gh_doc_members(
        loader, root, policy->guard ? "a guard" : "a policy", policy->guard ? guard_members : policy_members);
    policy->name = gh_doc_id(loader, root, "name");
    gh_doc_given(loader, "residency document", policy->name, policy->where);

    read_facts(loader, root, policy, pinned);
    scope.used = &policy->sets;
    read_applies_to(loader, root, policy);
    gh_doc_own_places(loader, gh_doc_get(root, "places", GH_IS_OBJECT), &scope);
    policy->places = (gh_model_place_t *) (uintptr_t) scope.own;
    policy->place_count = scope.own_count;

    if (policy->guard) {
        read_pins(loader, gh_doc_get(root, "nodes", GH_IS_LIST), policy);
    } else {
        read_classes(loader, root, policy);
        read_classify(loader, root, policy);
        gh_residency_rules(loader, gh_doc_get(root, "allow", GH_IS_LIST), GH_RULE_ALLOW, policy, &scope);
    }
    gh_residency_rules(loader, gh_doc_get(root, "forbid", GH_IS_LIST), GH_RULE_FORBID, policy, &scope);

    read_audit(loader, policy->guard ? NULL : gh_doc_get(root, "audit", GH_IS_STRING), policy);
    audit_store = policy->guard ? NULL : gh_doc_get(root, "audit_store", GH_IS_OBJECT);
    if (audit_store != NULL) {
        gh_doc_members(loader, audit_store, "\"audit_store\"", audit_store_members);
        within = gh_doc_get(audit_store, "within", GH_IS_LIST);
        if (within != NULL) {
            size_t errors = loader->report->errors;

            policy->audit_store = gh_residency_within(loader, within, &scope);
            policy->audit_store_where = GH_WHERE(loader, within);
            policy->has_audit_store = loader->report->errors == errors;
        }
    }
    slot = gh_doc_push(loader, &loader->policies, &loader->policy_count, sizeof(*slot));
    facts = gh_doc_push(loader, &loader->pinned, &pinned_count, sizeof(*facts));
    if (slot != NULL && facts != NULL) {
        *slot = policy;
        *facts = *pinned;
    }
}
