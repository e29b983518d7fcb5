/*
 * A statement becomes known only here, and only with evidence beside it. Everything that is missing, empty or without
 * evidence stays unknown, with a warning that says which fact and why.
 */
#include "policy/document/fleet_facts.h"

#include <string.h>

#define MAX_DAYS 36500

static const char *const fact_names[GH_FACTS] = {
    "process", "country", "destinations", "store", "operator_home", "attest", "training", "features"
};

static const gh_member_t evidence_members[] = {
    { "by", GH_IS_STRING, GH_REQUIRED }, { "on", GH_IS_STRING, GH_REQUIRED }, { "source", GH_IS_STRING, GH_REQUIRED },
    { "until", GH_IS_STRING, 0 }, { NULL, 0, 0 }
};

static const gh_member_t by_fact_members[] = {
    { "process", GH_IS_OBJECT, 0 }, { "country", GH_IS_OBJECT, 0 }, { "destinations", GH_IS_OBJECT, 0 },
    { "store", GH_IS_OBJECT, 0 }, { "operator_home", GH_IS_OBJECT, 0 }, { "attest", GH_IS_OBJECT, 0 },
    { "training", GH_IS_OBJECT, 0 }, { "features", GH_IS_OBJECT, 0 }, { NULL, 0, 0 }
};

static const gh_member_t store_members[] = {
    { "in", GH_IS_LIST, GH_REQUIRED }, { "days", GH_IS_NUMBER, 0 }, { NULL, 0, 0 }
};

static const gh_member_t feature_members[] = {
    { "process", GH_IS_STRING | GH_IS_LIST, 0 }, { "store", GH_IS_STRING | GH_IS_OBJECT, 0 }, { NULL, 0, 0 }
};

typedef struct {
    gh_loader_t      *loader;
    const gh_node_t  *object;
    const char       *whose;
    gh_place_scope_t  scope;
    gh_statements_t  *out;
} reading_t;

/* ---- evidence ---- */

static void
read_evidence(gh_loader_t *loader, const gh_node_t *node, uint64_t *until_ms)
{
    const gh_node_t *on, *until;
    uint64_t         on_ms = 0, last_ms;

    gh_doc_members(loader, node, "evidence", evidence_members);
    gh_doc_text(loader, gh_doc_get(node, "by", GH_IS_STRING), 1024);
    gh_doc_text(loader, gh_doc_get(node, "source", GH_IS_STRING), 1024);
    on = gh_doc_get(node, "on", GH_IS_STRING);
    until = gh_doc_get(node, "until", GH_IS_STRING);

    if (on != NULL && gh_doc_date(loader, on, &on_ms, NULL) && on_ms > loader->now_ms + GH_DAY_MS) {
        gh_doc_error(
            loader, GH_WHERE(loader, on), "evidence_dates", "evidence of %.*s is in the future", GH_STR_ARG(on->text));
    }
    if (until != NULL && gh_doc_date(loader, until, &last_ms, NULL)) {
        *until_ms = last_ms + GH_DAY_MS;
        if (last_ms < on_ms) {
            gh_doc_error(loader, GH_WHERE(loader, until), "evidence_dates", "evidence ends on %.*s, before it begins",
                GH_STR_ARG(until->text));
        }
    }
}

static bool
is_single(const gh_node_t *evidence)
{
    return gh_node_get(evidence, "by") || gh_node_get(evidence, "on") || gh_node_get(evidence, "source")
           || gh_node_get(evidence, "until");
}

typedef struct {
    const gh_node_t *node;        /* NULL: none */
    uint64_t         until_ms;
} evidence_t;

static void
read_evidence_by_fact(reading_t *r, const gh_node_t *object, evidence_t all[GH_FACTS])
{
    gh_doc_members(r->loader, object, "evidence by fact", by_fact_members);
    if (object->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, object), "missing_member",
            "evidence must say \"by\", \"on\" and \"source\"");
    }
    for (int fact = 0; fact < GH_FACTS; fact++) {
        const gh_node_t *node = gh_doc_get(object, fact_names[fact], GH_IS_OBJECT);

        if (node == NULL) {
            continue;
        }
        all[fact].node = node;
        read_evidence(r->loader, node, &all[fact].until_ms);
        if (!r->out->facts[fact].stated) {
            gh_doc_warn(r->loader, GH_WHERE_KEY(r->loader, node), "evidence_alone",
                "evidence for \"%s\", which %s does not state here", fact_names[fact], r->whose);
        }
    }
}

/* Evidence that is over, or soon will be: the fact is unknown from then on. */
static void
warn_of_end(reading_t *r, const gh_node_t *member, const evidence_t *evidence)
{
    const gh_node_t *until = gh_doc_get(evidence->node, "until", GH_IS_STRING);
    gh_where_t       where = GH_WHERE_KEY(r->loader, member);

    if (r->loader->now_ms >= evidence->until_ms) {
        gh_doc_warn(r->loader, where, "evidence_ended", "\"%.*s\" of %s is unknown: its evidence ended on %.*s",
            GH_STR_ARG(member->key), r->whose, GH_STR_ARG(until->text));
    } else if (evidence->until_ms - r->loader->now_ms <= GH_SOON_MS) {
        gh_doc_warn(r->loader, where, "evidence_ends_soon", "\"%.*s\" of %s will be unknown: its evidence ends on %.*s",
            GH_STR_ARG(member->key), r->whose, GH_STR_ARG(until->text));
    }
}

/* Statements without evidence become unknown; the others take its end. */
static void
apply_evidence(reading_t *r)
{
    const gh_node_t *object = gh_doc_get(r->object, "evidence", GH_IS_OBJECT);
    evidence_t       all[GH_FACTS] = { { NULL, 0 } };

    if (object != NULL && is_single(object)) {
        evidence_t one = { object, 0 };

        read_evidence(r->loader, object, &one.until_ms);
        for (int fact = 0; fact < GH_FACTS; fact++) {
            all[fact] = one;
        }
    } else if (object != NULL) {
        read_evidence_by_fact(r, object, all);
    }
    for (int fact = 0; fact < GH_FACTS; fact++) {
        gh_statement_t  *statement = &r->out->facts[fact];
        const gh_node_t *member = gh_node_get(r->object, fact_names[fact]);

        if (!statement->stated || member == NULL) {
            continue;
        }
        statement->until_ms = all[fact].until_ms;
        if (all[fact].node == NULL) {
            statement->known = false;
            gh_doc_warn(r->loader, GH_WHERE_KEY(r->loader, member), "unknown_fact",
                "\"%s\" of %s is unknown: it is stated without evidence", fact_names[fact], r->whose);
        } else if (statement->until_ms != 0) {
            warn_of_end(r, member, &all[fact]);
        }
    }
}

/* ---- the facts ---- */

static void
empty(reading_t *r, const gh_node_t *node)
{
    gh_doc_warn(r->loader, GH_WHERE_KEY(r->loader, node), "unknown_fact", "\"%.*s\" of %s is unknown: it is empty",
        GH_STR_ARG(node->key), r->whose);
}

/* process, operator_home: codes and sets. */
static void
read_places(reading_t *r, gh_fact_t fact, unsigned types)
{
    const gh_node_t *node = gh_doc_get(r->object, fact_names[fact], types);
    gh_statement_t  *statement = &r->out->facts[fact];

    if (node == NULL) {
        return;
    }
    statement->stated = true;
    if (node->type == GH_NODE_ARRAY && node->count == 0) {
        empty(r, node);
        return;
    }
    statement->known = gh_doc_places(r->loader, node, &r->scope, &statement->places) && !gh_places_empty(statement->places);
}

static void
read_country(reading_t *r, gh_str_t provider)
{
    const gh_node_t *node = gh_doc_get(r->object, "country", GH_IS_STRING);
    gh_statement_t  *statement = &r->out->facts[GH_FACT_COUNTRY];
    int              country;

    if (node == NULL) {
        return;
    }
    if (provider.len != 0 && !gh_str_is(provider, "self")) {
        gh_doc_error(
            r->loader, GH_WHERE_KEY(r->loader, node), "conflict", "\"country\" is for provider \"self\" only");
    }
    statement->stated = true;
    country = gh_doc_country(r->loader, node);
    if (country >= 0) {
        gh_places_add(&statement->places, country);
        statement->known = true;
    }
}

static bool
region_country(gh_loader_t *loader, gh_str_t provider, gh_str_t region, gh_places_t *places)
{
    bool found = false;

    for (size_t i = 0; i < loader->facts_count; i++) {
        int country;

        if (gh_facts_region(loader->facts[i], provider, region, &country, NULL)) {
            gh_places_add(places, country);
            found = true;
        }
    }
    return found;
}

static void
read_destinations(reading_t *r, gh_str_t provider)
{
    const gh_node_t *node = gh_doc_get(r->object, "destinations", GH_IS_LIST);
    gh_statement_t  *statement = &r->out->facts[GH_FACT_DESTINATIONS];

    if (node == NULL) {
        return;
    }
    if (provider.len != 0 && !gh_str_is(provider, "aws")) {
        gh_doc_error(
            r->loader, GH_WHERE_KEY(r->loader, node), "conflict", "\"destinations\" is for provider \"aws\" only");
    }
    statement->stated = true;
    statement->known = node->count != 0;
    if (node->count == 0) {
        empty(r, node);
    }
    for (const gh_node_t *item = node->first; item; item = item->next) {
        if (item->type != GH_NODE_STRING) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, item), "wrong_type", "a destination must be a string");
        } else if (!region_country(r->loader, GH_STR("aws"), item->text, &statement->places)) {
            statement->known = false;
            gh_doc_warn(r->loader, GH_WHERE(r->loader, item), "unknown_fact",
                "\"destinations\" of %s is unknown: region \"%.*s\" is not in %.*s%s", r->whose, GH_STR_ARG(item->text),
                GH_STR_ARG(gh_facts_name(r->loader->facts[0])), gh_doc_near_region(r->loader, GH_STR("aws"), item->text));
        }
    }
}

/* "nothing" or {"in", "days"}. false: unknown. */
static bool
read_store_value(reading_t *r, const gh_node_t *node, gh_model_store_t *store)
{
    const gh_node_t *in;
    uint64_t         days;
    bool             known;

    *store = (gh_model_store_t) { .places = gh_places_unknown() };

    if (node->type == GH_NODE_STRING) {
        if (!gh_str_is(node->text, "nothing")) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_word",
                "\"store\" must be \"nothing\" or {\"in\", \"days\"}, not \"%.*s\"", GH_STR_ARG(node->text));
            return false;
        }
        *store = (gh_model_store_t) { .places = gh_places_none(), .nothing = true, .days_known = true };
        return true;
    }
    gh_doc_members(r->loader, node, "\"store\"", store_members);
    in = gh_doc_get(node, "in", GH_IS_LIST);
    store->days_known = gh_doc_integer(r->loader, gh_doc_get(node, "days", GH_IS_NUMBER), MAX_DAYS, &days);
    store->days = (uint32_t) days;
    if (in == NULL) {
        return false;
    }
    if (in->count == 0) {
        empty(r, in);
        return false;
    }
    known = gh_doc_places(r->loader, in, &r->scope, &store->places) && !gh_places_empty(store->places);
    if (!store->days_known) {
        gh_doc_warn(r->loader, GH_WHERE_KEY(r->loader, node), "unknown_fact",
            "the days of \"store\" of %s are unknown: they are not stated", r->whose);
    }
    return known;
}

static void
read_store(reading_t *r)
{
    const gh_node_t *node = gh_doc_get(r->object, "store", GH_IS_STRING | GH_IS_OBJECT);

    if (node != NULL) {
        r->out->facts[GH_FACT_STORE].stated = true;
        r->out->facts[GH_FACT_STORE].known = read_store_value(r, node, &r->out->store);
    }
}

static void
read_attest_and_training(reading_t *r)
{
    const gh_node_t *attest = gh_doc_get(r->object, "attest", GH_IS_LIST);
    const gh_node_t *training = gh_doc_get(r->object, "training", GH_IS_BOOL);

    if (attest != NULL) {
        r->out->facts[GH_FACT_ATTEST].stated = r->out->facts[GH_FACT_ATTEST].known = true;
        r->out->attest_mask = gh_doc_attests(r->loader, attest);
    }
    if (training != NULL) {
        r->out->facts[GH_FACT_TRAINING].stated = r->out->facts[GH_FACT_TRAINING].known = true;
        r->out->training = training->type == GH_NODE_TRUE ? GH_TRAINING_YES : GH_TRAINING_NO;
    }
}

static bool
is_feature_name(gh_str_t name)
{
    if (name.len == 0 || name.len > 63) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
                || (i > 0 && (c == '_' || c == '-' || c == '.' || c == ':')))) {
            return false;
        }
    }
    return true;
}

/* A feature's member that is not there is unknown, as for a deployment. */
static void
read_feature(reading_t *r, const gh_node_t *node, gh_model_feature_t *feature)
{
    gh_str_t         what = gh_doc_format(r->loader, "feature \"%.*s\" of %s", GH_STR_ARG(node->key), r->whose);
    const gh_node_t *process, *store;
    reading_t        own = *r;

    own.whose = what.data;
    feature->name = node->key;
    feature->process = gh_places_unknown();
    feature->store.places = gh_places_unknown();

    if (!gh_doc_members(r->loader, node, own.whose, feature_members)) {
        return;
    }
    process = gh_doc_get(node, "process", GH_IS_STRING | GH_IS_LIST);
    store = gh_doc_get(node, "store", GH_IS_STRING | GH_IS_OBJECT);

    if (process == NULL || store == NULL) {
        gh_doc_warn(r->loader, GH_WHERE_KEY(r->loader, node), "unknown_fact",
            "%s is unknown: it must state \"process\" and \"store\"", own.whose);
    }
    if (process != NULL && process->type == GH_NODE_STRING && gh_str_is(process->text, "nothing")) {
        feature->process = gh_places_none();
    } else if (process != NULL && process->type == GH_NODE_STRING) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, process), "unknown_word",
            "\"process\" of a feature must be \"nothing\" or a list, not \"%.*s\"", GH_STR_ARG(process->text));
    } else if (process != NULL && process->count == 0) {
        empty(&own, process);
    } else if (process != NULL && (!gh_doc_places(r->loader, process, &r->scope, &feature->process) || gh_places_empty(feature->process)))
    {
        feature->process = gh_places_unknown();
    }
    if (store != NULL && !read_store_value(&own, store, &feature->store)) {
        feature->store = (gh_model_store_t) { .places = gh_places_unknown() };
    }
}

static void
read_features(reading_t *r)
{
    const gh_node_t *object = gh_doc_get(r->object, "features", GH_IS_OBJECT);

    if (object == NULL) {
        return;
    }
    r->out->facts[GH_FACT_FEATURES].stated = r->out->facts[GH_FACT_FEATURES].known = true;

    for (const gh_node_t *node = object->first; node; node = node->next) {
        gh_model_feature_t *feature;

        if (!is_feature_name(node->key)) {
            gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, node), "bad_name",
                "\"%.*s\" is not the name of a feature", GH_STR_ARG(node->key));
            continue;
        }
        feature = gh_doc_push(r->loader, &r->out->features, &r->out->feature_count, sizeof(*feature));
        if (feature != NULL) {
            read_feature(r, node, feature);
        }
    }
}

void
gh_statements_read(gh_loader_t *loader, const gh_node_t *object, const char *whose, gh_str_t provider,
    gh_statements_t *out)
{
    reading_t r = { .loader = loader, .object = object, .whose = whose, .out = out };

    memset(out, 0, sizeof(*out));
    r.scope.facts = loader->facts;
    r.scope.facts_count = loader->facts_count;

    read_places(&r, GH_FACT_PROCESS, GH_IS_LIST);
    read_country(&r, provider);
    read_destinations(&r, provider);
    read_store(&r);
    read_places(&r, GH_FACT_OPERATOR_HOME, GH_IS_STRING | GH_IS_LIST);
    read_attest_and_training(&r);
    read_features(&r);
    apply_evidence(&r);
}
