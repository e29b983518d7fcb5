/*
 * Rules: scope and facts. An allow says "within" and a forbid says "touches", so that neither can be mistaken for the
 * other.
 */
#include "policy/document/residency_rules.h"

#define MAX_DAYS 36500

static const gh_member_t allow_members[] = {
    { "id", GH_IS_STRING, GH_REQUIRED }, { "why", GH_IS_STRING, 0 }, { "law", GH_IS_STRING, 0 },
    { "tenants", GH_IS_LIST, 0 }, { "models", GH_IS_LIST, 0 }, { "origin", 0, GH_LATER },
    { "classes", GH_IS_LIST, GH_REQUIRED }, { "process", GH_IS_OBJECT, GH_REQUIRED },
    { "store", GH_IS_STRING | GH_IS_OBJECT, GH_REQUIRED }, { "operator_home", GH_IS_OBJECT, 0 },
    { "partitions", GH_IS_LIST, 0 }, { "attest", GH_IS_LIST, 0 },
    { "training", GH_IS_STRING, 0 }, { "unlisted_features", GH_IS_STRING, 0 }, { "until", GH_IS_STRING, 0 },
    { "approvals", 0, GH_LATER }, { NULL, 0, 0 }
};

static const gh_member_t forbid_members[] = {
    { "id", GH_IS_STRING, GH_REQUIRED }, { "why", GH_IS_STRING, 0 }, { "law", GH_IS_STRING, 0 },
    { "tenants", GH_IS_LIST, 0 }, { "models", GH_IS_LIST, 0 }, { "origin", 0, GH_LATER },
    { "classes", GH_IS_LIST, 0 }, { "process", GH_IS_OBJECT, 0 }, { "store", GH_IS_OBJECT, 0 },
    { "operator_home", GH_IS_OBJECT, 0 },
    { "partitions", GH_IS_LIST, 0 }, { "training", GH_IS_BOOL, 0 },
    { "attest", 0, GH_FOREIGN }, { "unlisted_features", 0, GH_FOREIGN }, { NULL, 0, 0 }
};

static const gh_member_t within_members[] = { { "within", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 } };
static const gh_member_t touches_members[] = { { "touches", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 } };
static const gh_member_t store_members[] = {
    { "within", GH_IS_LIST, GH_REQUIRED }, { "max_days", GH_IS_NUMBER, 0 }, { NULL, 0, 0 }
};

typedef struct {
    gh_loader_t            *loader;
    const gh_node_t        *node;
    gh_model_policy_t      *policy;
    const gh_place_scope_t *scope;
    gh_model_rule_t        *rule;
    const char             *what;      /* "allow \"x\"" */
} reading_t;

gh_places_t
gh_residency_within(gh_loader_t *loader, const gh_node_t *list, const gh_place_scope_t *scope)
{
    gh_places_t places;

    if (list->count == 0) {
        gh_doc_error(
            loader, GH_WHERE(loader, list), "empty_list", "\"%.*s\" must not be empty", GH_STR_ARG(list->key));
    }
    gh_doc_places(loader, list, scope, &places);
    return places;
}

/* {"within": [...]} or {"touches": [...]} */
static void
read_places(reading_t *r, const char *member, uint32_t states, gh_places_t *places)
{
    const gh_node_t *object = gh_doc_get(r->node, member, GH_IS_OBJECT), *list;
    bool             allow = r->rule->kind == GH_RULE_ALLOW, store = states == GH_STATES_STORE;

    if (object == NULL) {
        return;
    }
    gh_doc_members(r->loader, object,
        gh_doc_format(r->loader, "\"%s\" of %s", member, allow ? "an allow" : "a forbid").data,
        allow ? store ? store_members : within_members : touches_members);
    list = gh_doc_get(object, allow ? "within" : "touches", GH_IS_LIST);
    if (list != NULL) {
        *places = gh_residency_within(r->loader, list, r->scope);
        r->rule->states |= states;
    }
}

static void
read_store(reading_t *r)
{
    const gh_node_t *node = gh_doc_get(r->node, "store", GH_IS_STRING | GH_IS_OBJECT), *days;
    uint64_t         number;

    if (node == NULL) {
        return;
    }
    if (node->type == GH_NODE_STRING) {
        if (r->rule->kind == GH_RULE_ALLOW && gh_str_is(node->text, "nothing")) {
            r->rule->states |= GH_STATES_STORE_NOTHING;
        } else if (r->rule->kind == GH_RULE_ALLOW) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_word",
                "\"store\" must be \"nothing\" or {\"within\", \"max_days\"}, not \"%.*s\"", GH_STR_ARG(node->text));
        }
        return;
    }
    read_places(r, "store", GH_STATES_STORE, &r->rule->store);

    days = r->rule->kind == GH_RULE_ALLOW ? gh_doc_get(node, "max_days", GH_IS_NUMBER) : NULL;
    if (gh_doc_integer(r->loader, days, MAX_DAYS, &number)) {
        r->rule->max_days = (uint32_t) number;
        r->rule->states |= GH_STATES_MAX_DAYS;
    }
}

static void
read_scope(reading_t *r)
{
    const gh_node_t *tenants = gh_doc_get(r->node, "tenants", GH_IS_LIST);
    const gh_node_t *models = gh_doc_get(r->node, "models", GH_IS_LIST);
    gh_cover_check_t check
        = { .applies_to = &r->policy->applies_to, .what = r->what, .forbid = r->rule->kind == GH_RULE_FORBID };

    if (tenants != NULL) {
        r->rule->states |= GH_STATES_TENANTS;
        r->rule->tenants = gh_doc_list(r->loader, tenants, GH_LIST_TENANT_PATTERNS, 0);
        gh_doc_must_cover(r->loader, tenants, &r->rule->tenants, &check);
    }
    if (models != NULL) {
        r->rule->states |= GH_STATES_MODELS;
        r->rule->models = gh_doc_list(r->loader, models, GH_LIST_MODEL_PATTERNS, 0);
        check.models = true;
        gh_doc_must_cover(r->loader, models, &r->rule->models, &check);
    }
}

static const gh_node_t *
full_list(reading_t *r, const char *member)
{
    const gh_node_t *list = gh_doc_get(r->node, member, GH_IS_LIST);

    if (list != NULL && list->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "empty_list", "\"%s\" must not be empty", member);
    }
    return list;
}

static void
read_classes(reading_t *r)
{
    const gh_node_t *list = full_list(r, "classes");

    if (list == NULL) {
        return;
    }
    if (r->policy->guard) {
        gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, list), "guard_class",
            "a guard has no classes, so its forbids cannot name any");
        return;
    }
    r->rule->class_mask = (uint32_t) gh_doc_mask(r->loader, list, "class", &r->policy->classes);
    if (r->rule->kind == GH_RULE_FORBID) {
        r->rule->states |= GH_STATES_CLASSES;
    }
}

static void
read_partitions(reading_t *r)
{
    const gh_node_t *list = full_list(r, "partitions");

    if (list != NULL) {
        r->rule->states |= GH_STATES_PARTITIONS;
        r->rule->partition_mask = gh_doc_partitions(r->loader, list);
    }
}

static void
read_accepted(reading_t *r, const char *member, uint32_t states)
{
    static const char *const words[] = { "accepted", NULL };
    const gh_node_t         *node = gh_doc_get(r->node, member, GH_IS_STRING);

    if (node != NULL && gh_doc_word(r->loader, node, member, words) == 0) {
        r->rule->states |= states;
    }
}

static void
read_until(reading_t *r)
{
    const gh_node_t *node = gh_doc_get(r->node, "until", GH_IS_STRING);
    uint64_t         day;

    if (node == NULL || !gh_doc_date(r->loader, node, &day, NULL)) {
        return;
    }
    r->rule->states |= GH_STATES_UNTIL;
    r->rule->until_ms = day + GH_DAY_MS;
    if (r->loader->now_ms >= r->rule->until_ms) {
        gh_doc_warn(r->loader, GH_WHERE(r->loader, node), "ended", "%s ended on %.*s and fits nothing", r->what,
            GH_STR_ARG(node->text));
    } else if (r->rule->until_ms - r->loader->now_ms <= GH_SOON_MS) {
        gh_doc_warn(r->loader, GH_WHERE(r->loader, node), "ends_soon", "%s fits nothing after %.*s", r->what,
            GH_STR_ARG(node->text));
    }
}

static void
note_attests(reading_t *r, const gh_node_t *list)
{
    for (const gh_node_t *node = list->first; node; node = node->next) {
        gh_attest_use_t *use = node->type != GH_NODE_STRING
            ? NULL : gh_doc_push(r->loader, &r->loader->attest_uses, &r->loader->attest_use_count, sizeof(*use));

        if (use != NULL) {
            *use = (gh_attest_use_t) { node->text, r->what, GH_WHERE(r->loader, node) };
        }
    }
}

static void
read_allow(reading_t *r)
{
    const gh_node_t *attest = full_list(r, "attest");

    read_accepted(r, "training", GH_STATES_TRAINING);
    read_accepted(r, "unlisted_features", GH_STATES_UNLISTED_OK);
    read_until(r);
    if (attest != NULL) {
        r->rule->states |= GH_STATES_ATTEST;
        r->rule->attest_mask = gh_doc_attests(r->loader, attest);
        note_attests(r, attest);
    }
}

static void
read_forbid(reading_t *r)
{
    const gh_node_t *training = gh_doc_get(r->node, "training", GH_IS_BOOL);
    const gh_node_t *until = gh_node_get(r->node, "until");

    if (training != NULL && training->type == GH_NODE_FALSE) {
        gh_doc_error(
            r->loader, GH_WHERE(r->loader, training), "unknown_word", "\"training\" of a forbid can only be true");
    }
    if (training != NULL) {
        r->rule->states |= GH_STATES_TRAINING;
    }
    if (until != NULL) {
        gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, until), "forbid_until",
            "\"until\" stands on allows only: a forbid does not end");
    }
}

/* "until" of a forbid is known, to say why not. */
static void
check_members(reading_t *r)
{
    gh_member_t table[sizeof(forbid_members) / sizeof(forbid_members[0]) + 1] = { { "until", GH_IS_STRING, 0 } };

    if (r->rule->kind == GH_RULE_ALLOW) {
        gh_doc_members(r->loader, r->node, r->what, allow_members);
        return;
    }
    for (size_t i = 0; i < sizeof(forbid_members) / sizeof(forbid_members[0]); i++) {
        table[i + 1] = forbid_members[i];
    }
    gh_doc_members(r->loader, r->node, r->what, table);
}

static void
read_rule(reading_t *r)
{
    gh_loader_t     *loader = r->loader;
    gh_model_rule_t *rule = r->rule;
    bool             allow = rule->kind == GH_RULE_ALLOW;
    const gh_node_t *id = gh_doc_get(r->node, "id", GH_IS_STRING);

    rule->where = GH_WHERE(loader, id ? id : r->node);
    r->what = allow ? "an allow" : "a forbid";
    if (id != NULL) {
        r->what = gh_doc_format(loader, "%s \"%.*s\"", allow ? "allow" : "forbid", GH_STR_ARG(id->text)).data;
        rule->id = gh_doc_id(loader, r->node, "id");
        if (rule->id.len != 0) {
            gh_doc_given(loader, "rule",
                gh_doc_format(loader, "%.*s/%.*s", GH_STR_ARG(r->policy->name), GH_STR_ARG(rule->id)), rule->where);
        }
    }
    check_members(r);
    rule->why = gh_doc_text(loader, gh_doc_get(r->node, "why", GH_IS_STRING), 1024);
    rule->law = gh_doc_text(loader, gh_doc_get(r->node, "law", GH_IS_STRING), 1024);
    read_scope(r);
    read_classes(r);
    read_places(r, "process", GH_STATES_PROCESS, &rule->process);
    read_store(r);
    read_places(r, "operator_home", GH_STATES_OPERATOR_HOME, &rule->operator_home);
    read_partitions(r);
    if (allow) {
        read_allow(r);
    } else {
        read_forbid(r);
    }
}

void
gh_residency_rules(gh_loader_t *loader, const gh_node_t *list, uint8_t kind, gh_model_policy_t *policy,
    const gh_place_scope_t *scope)
{
    if (list == NULL) {
        return;
    }
    if (list->count == 0) {
        gh_doc_error(
            loader, GH_WHERE(loader, list), "empty_list", "\"%.*s\" must not be empty", GH_STR_ARG(list->key));
    }
    for (const gh_node_t *node = list->first; node; node = node->next) {
        reading_t r = { .loader = loader, .node = node, .policy = policy, .scope = scope };

        if (node->type != GH_NODE_OBJECT) {
            gh_doc_members(loader, node, kind == GH_RULE_ALLOW ? "an allow" : "a forbid", allow_members);
            continue;
        }
        r.rule = gh_doc_push(loader, &policy->rules, &policy->rule_count, sizeof(*r.rule));
        if (r.rule != NULL) {
            r.rule->kind = kind;
            read_rule(&r);
        }
    }
}
