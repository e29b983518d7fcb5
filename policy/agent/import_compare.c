#include "policy/agent/import_compare.h"

#include <string.h>
#include <strings.h>

#include "policy/agent/import_private.h"

const char *const gh_difference_names[GH_DIFFERENCES] = { "new", "gone", "changed", "conflict", "narrower", "learned" };

typedef struct {
    gh_import_t      *import;
    gh_tree_maker_t   make;
    bool              merge;
    gh_differences_t *out;
    gh_node_t        *document;
    const gh_node_t  *imported;                  /* the import's own document, for what is taken over from it */
    bool             *met;                       /* of each imported target, in order */

    /* the pair that is looked at */
    gh_node_t                    *deployment, *entry;
    const gh_import_deployment_t *now;
    const gh_import_target_t     *target;
    const gh_node_t              *now_deployment, *now_entry;
} comparing_t;

bool
gh_difference_takes_out(const gh_difference_t *difference)
{
    return difference->kind == GH_DIFFERENCE_GONE || difference->kind == GH_DIFFERENCE_CHANGED || difference->kind == GH_DIFFERENCE_CONFLICT;
}

gh_str_t
gh_difference_text(gh_arena_t *arena, const gh_difference_t *d)
{
    switch (d->kind) {
    case GH_DIFFERENCE_NEW:
        return gh_str_format(arena, "%.*s, %.*s: is not in the document", GH_STR_ARG(d->deployment), GH_STR_ARG(d->model));
    case GH_DIFFERENCE_GONE:
        return gh_str_format(arena, "%.*s, %.*s: the cloud does not have it any more", GH_STR_ARG(d->deployment), GH_STR_ARG(d->model));
    case GH_DIFFERENCE_LEARNED:
        return gh_str_format(arena, "%.*s, %.*s: %s is %.*s, which the document does not state", GH_STR_ARG(d->deployment), GH_STR_ARG(d->model), d->fact,
            GH_STR_ARG(d->is));
    case GH_DIFFERENCE_CONFLICT:
        return gh_str_format(arena, "%.*s, %.*s: %s is %.*s by the cloud, and %.*s by what people state", GH_STR_ARG(d->deployment), GH_STR_ARG(d->model),
            d->fact, GH_STR_ARG(d->is), GH_STR_ARG(d->was));
    default:
        return gh_str_format(arena, "%.*s, %.*s: %s is now %.*s, not %.*s", GH_STR_ARG(d->deployment), GH_STR_ARG(d->model), d->fact, GH_STR_ARG(d->is),
            GH_STR_ARG(d->was));
    }
}

static void
tell(comparing_t *c, gh_difference_t difference)
{
    gh_differences_t *out = c->out;

    if ((out->count & (out->count - 1)) == 0) {
        gh_difference_t *items = gh_arena_grow(c->import->arena, out->items, out->count, out->count == 0 ? 1 : (size_t) out->count * 2, sizeof(*items));

        if (items == NULL) {
            c->make.no_memory = true;
            return;
        }
        out->items = items;
    }
    out->items[out->count++] = difference;
    out->taken_out += gh_difference_takes_out(&difference);
}

static void
tell_fact(comparing_t *c, gh_difference_kind_t kind, const char *fact, gh_str_t was, gh_str_t is)
{
    tell(c, (gh_difference_t) {
        .kind = kind, .deployment = gh_import_text(c->deployment, "id"), .model = c->entry->key, .fact = fact, .was = was.len ? was : GH_STR("nothing said"),
        .is = is.len ? is : GH_STR("unknown")
    });
}

/* ---- what is stated where, and by whom ---- */

static gh_node_t *
member(const gh_node_t *object, const char *name)
{
    return (gh_node_t *) gh_node_get(object, name);
}

/* The object that states a fact for this model: its entry, else the deployment; NULL: neither. */
static gh_node_t *
stated_in(const comparing_t *c, const char *fact)
{
    return member(c->entry, fact) != NULL ? c->entry : member(c->deployment, fact) != NULL ? c->deployment : NULL;
}

/* A member by a name that is no C string. */
static const gh_node_t *
named(const gh_node_t *object, gh_str_t name)
{
    const gh_node_t *node = object != NULL ? object->first : NULL;

    while (node != NULL && !gh_str_eq(node->key, name)) {
        node = node->next;
    }

    return node;
}

static gh_str_t
said(const comparing_t *c, const char *name)
{
    const gh_node_t *object = stated_in(c, name);

    return object != NULL ? gh_import_text(object, name) : GH_STR("");
}

static const gh_node_t *
evidence_of(const gh_node_t *object, const char *fact)
{
    const gh_node_t *evidence = gh_node_get(object, "evidence");

    if (evidence == NULL || evidence->type != GH_NODE_OBJECT || gh_node_get(evidence, "by") != NULL) {
        return evidence;
    }

    return gh_node_get(evidence, fact);
}

static bool
is_imported(const gh_node_t *object, const char *fact)
{
    const gh_node_t *evidence = evidence_of(object, fact);

    return evidence != NULL && gh_str_is(gh_import_text(evidence, "by"), GH_IMPORT_BY);
}

static gh_str_t
text_of(comparing_t *c, const gh_node_t *node)
{
    gh_str_t text = node != NULL ? gh_tree_print(c->import->arena, node) : GH_STR("");

    while (text.len > 0 && text.data[text.len - 1] == '\n') {
        text.len--;
    }
    c->make.no_memory |= text.data == NULL;

    return node != NULL && node->type == GH_NODE_STRING ? node->text : text;
}

/* ---- bringing up to date ---- */

/* The evidence of an object fact by fact, so that one can be replaced. */
static gh_node_t *
split_evidence(comparing_t *c, gh_node_t *object)
{
    static const char *const facts[] = { "process", "country", "destinations", "store", "operator_home", "attest", "training", "features" };
    gh_node_t               *old = member(object, "evidence"), *split;

    if (old != NULL && gh_node_get(old, "by") == NULL) {
        return old;
    }
    split = gh_tree_object(&c->make);
    for (size_t i = 0; old != NULL && i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (gh_node_get(object, facts[i]) != NULL) {
            gh_tree_set(split, gh_str_from(facts[i]), gh_tree_copy(&c->make, old));
        }
    }
    gh_tree_set(object, GH_STR("evidence"), split);

    return split;
}

/* Takes a fact over from the import, or away when the cloud does not say it any more. */
static void
take_over(comparing_t *c, gh_node_t *object, const char *fact)
{
    const gh_node_t *from = gh_node_get(c->now_entry, fact) != NULL ? c->now_entry : c->now_deployment;
    const gh_node_t *value = gh_node_get(from, fact), *evidence = value != NULL ? evidence_of(from, fact) : NULL;
    gh_node_t       *split;

    if (!c->merge) {
        return;
    }
    split = split_evidence(c, object);
    if (split == NULL) {
        return;
    }
    if (value == NULL) {
        gh_tree_remove(object, fact);
        gh_tree_remove(split, fact);
        if (split->count == 0) {
            gh_tree_remove(object, "evidence");
        }
        return;
    }
    gh_tree_set(object, gh_str_from(fact), gh_tree_copy(&c->make, value));
    gh_tree_set(split, gh_str_from(fact), gh_tree_copy(&c->make, evidence));
}

static void
set_word(comparing_t *c, const char *name, gh_str_t text)
{
    gh_node_t *object = strcmp(name, "region") == 0 || stated_in(c, name) == NULL ? c->deployment : stated_in(c, name);

    if (!c->merge) {
        return;
    }
    if (object == c->deployment && strcmp(name, "region") != 0 && member(c->deployment, "models") != NULL && member(c->deployment, "models")->count > 1) {
        object = c->entry;
    }
    if (text.len == 0) {
        gh_tree_remove(object, name);
    } else {
        gh_tree_set(object, gh_str_from(name), gh_tree_string(&c->make, text));
    }
}

/* ---- where it processes ---- */

static gh_places_t
derived(comparing_t *c, gh_str_t region, gh_str_t sku, gh_str_t seller, gh_str_t profile)
{
    gh_facts_query_t query = {
        .provider = c->now->provider, .region = region, .sku = sku, .seller = seller, .profile = profile, .upstream = c->target->upstream
    };
    gh_places_t      places;

    return gh_facts_process(c->import->facts, &query, &places) == GH_PROCESS_DERIVED ? places : gh_places_unknown();
}

/* Words from which processing follows. A SKU that people gave where the cloud binds nothing is theirs, unless the cloud says that it cannot be so. */
static void
compare_words(comparing_t *c)
{
    static const char *const names[] = { "region", "sku", "seller", "profile" };
    const gh_str_t           now[] = { c->now->region, c->now->sku, c->now->seller, c->now->profile };
    gh_str_t                 was[4];
    gh_places_t              before, after;
    bool                     narrower;

    for (size_t i = 0; i < 4; i++) {
        was[i] = said(c, names[i]);
    }
    if (was[3].len == 0) {
        was[3] = now[3];                         /* the upstream id says it */
    }
    before = derived(c, was[0], was[1], was[2], was[3]);
    after = derived(c, now[0], now[1], now[2], now[3]);
    narrower = !gh_places_has_unknown(before) && !gh_places_has_unknown(after) && gh_places_inside(after, before);
    for (size_t i = 0; i < 4; i++) {
        bool unbound = now[i].len == 0 && i == 1 && !c->target->unsound;

        if (!gh_str_eq(was[i], now[i]) && !unbound) {
            tell_fact(c, was[i].len == 0 ? GH_DIFFERENCE_LEARNED : narrower ? GH_DIFFERENCE_NARROWER : GH_DIFFERENCE_CHANGED, names[i], was[i], now[i]);
            set_word(c, names[i], now[i]);
        }
    }
}

static bool
covers_list(const gh_node_t *list, const gh_str_list_t *now)
{
    for (uint32_t i = 0; i < now->count; i++) {
        const gh_node_t *item = list->first;

        while (item != NULL && !(item->type == GH_NODE_STRING && gh_str_eq(item->text, now->items[i]))) {
            item = item->next;
        }
        if (item == NULL) {
            return false;
        }
    }

    return now->count > 0;
}

static void
compare_destinations(comparing_t *c)
{
    gh_node_t       *object = stated_in(c, "destinations");
    const gh_node_t *list = object != NULL ? gh_node_get(object, "destinations") : NULL, *now = gh_node_get(c->now_entry, "destinations");

    if (list == NULL && now == NULL) {
        return;
    }
    if (list == NULL) {
        tell_fact(c, GH_DIFFERENCE_LEARNED, "destinations", GH_STR(""), text_of(c, now));
        take_over(c, c->entry, "destinations");
        return;
    }
    if (covers_list(list, &c->target->destinations) && list->count == c->target->destinations.count) {
        return;
    }
    if (covers_list(list, &c->target->destinations)) {
        tell_fact(c, GH_DIFFERENCE_NARROWER, "destinations", text_of(c, list), text_of(c, now));
    } else {
        tell_fact(c, is_imported(object, "destinations") ? GH_DIFFERENCE_CHANGED : GH_DIFFERENCE_CONFLICT, "destinations", text_of(c, list), text_of(c, now));
    }
    if (is_imported(object, "destinations")) {
        take_over(c, c->entry, "destinations");
    }
}

/* ---- what is kept ---- */

static bool
names_place(const gh_node_t *list, gh_str_t place)
{
    for (const gh_node_t *item = list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL; item != NULL; item = item->next) {
        if (item->type == GH_NODE_STRING && (gh_str_eq(item->text, place) || gh_str_is(item->text, "ANYWHERE"))) {
            return true;
        }
    }

    return false;
}

/* Is what is stated at least as much as what the cloud says? Places that the cloud does not say are not compared. */
static bool
covers_store(const gh_node_t *store, const gh_import_store_t *now)
{
    uint64_t days;

    if (now->keeps == GH_STORE_NOTHING) {
        return true;
    }
    if (store->type != GH_NODE_OBJECT || (!now->in_guessed && !names_place(gh_node_get(store, "in"), now->in))) {
        return false;
    }
    if (gh_node_get(store, "days") == NULL) {
        return true;                             /* for a time that is not said */
    }

    return now->days_known && gh_node_u64(gh_node_get(store, "days"), &days) == GH_OK && days >= now->days;
}

static void
compare_store(comparing_t *c)
{
    gh_node_t               *object = stated_in(c, "store");
    const gh_import_store_t *now = &c->target->store;
    const gh_node_t         *store = object != NULL ? gh_node_get(object, "store") : NULL, *value = gh_node_get(c->now_entry, "store");
    bool                     ours = object != NULL && is_imported(object, "store");

    if (store == NULL) {
        if (value != NULL) {
            tell_fact(c, GH_DIFFERENCE_LEARNED, "store", GH_STR(""), text_of(c, value));
            take_over(c, c->entry, "store");
        }
        return;
    }
    if (gh_tree_same(store, value) || (!ours && now->keeps == GH_STORE_UNKNOWN)) {
        return;                                  /* people may know what the cloud does not say */
    }
    if (now->keeps == GH_STORE_UNKNOWN) {
        tell_fact(c, GH_DIFFERENCE_CHANGED, "store", text_of(c, store), gh_str_format(c->import->arena, "unknown: %.*s", GH_STR_ARG(now->why)));
    } else if (!covers_store(store, now)) {
        tell_fact(c, ours ? GH_DIFFERENCE_CHANGED : GH_DIFFERENCE_CONFLICT, "store", text_of(c, store), text_of(c, value));
    } else if (ours) {
        tell_fact(c, GH_DIFFERENCE_NARROWER, "store", text_of(c, store), text_of(c, value));
    }
    if (ours) {
        take_over(c, c->entry, "store");
    }
}

/* ---- pairs ---- */

/* "arn:aws:bedrock:REGION:ACCOUNT" without an account is any. */
static bool
same_resource(gh_str_t a, gh_str_t b)
{
    gh_str_t shorter = a.len < b.len ? a : b, longer = a.len < b.len ? b : a;

    if (a.len == b.len) {
        return strncasecmp(a.data, b.data, a.len) == 0;
    }

    return gh_str_starts(shorter, GH_STR("arn:")) && shorter.data[shorter.len - 1] == ':' && gh_str_starts(longer, shorter);
}

static bool
was_asked(const comparing_t *c, gh_str_t resource)
{
    for (uint32_t i = 0; i < c->import->asked.count; i++) {
        gh_str_t prefix = c->import->asked.items[i];

        if (same_resource(prefix, resource) || (resource.len >= prefix.len && strncasecmp(resource.data, prefix.data, prefix.len) == 0)) {
            return true;
        }
    }

    return false;
}

/* The imported target that an entry of the document is; sets c's pair. */
static bool
find_pair(comparing_t *c, gh_str_t resource)
{
    gh_str_t         upstream = gh_import_text(c->entry, "upstream");
    const gh_node_t *node = gh_node_get(c->imported, "deployments");
    uint32_t         at = 0;

    upstream = upstream.len != 0 ? upstream : c->entry->key;
    node = node != NULL ? node->first : NULL;
    for (uint32_t i = 0; i < c->import->deployment_count; i++, node = node->next) {
        const gh_import_deployment_t *now = &c->import->deployments[i];

        for (uint32_t k = 0; k < now->target_count; k++, at++) {
            if (gh_str_eq(now->targets[k].upstream, upstream) && same_resource(now->resource, resource)) {
                c->now = now;
                c->target = &now->targets[k];
                c->now_deployment = node;
                c->now_entry = named(gh_node_get(node, "models"), now->targets[k].model);
                c->met[at] = true;
                return c->now_entry != NULL;
            }
        }
    }

    return false;
}

static void
compare_deployment(comparing_t *c)
{
    gh_str_t   resource = gh_import_text(c->deployment, "resource");
    gh_node_t *models = member(c->deployment, "models");

    if (resource.len == 0 || !was_asked(c, resource) || models == NULL || models->type != GH_NODE_OBJECT) {
        return;
    }
    for (c->entry = models->first; c->entry != NULL; c->entry = c->entry->next) {
        if (c->entry->type != GH_NODE_OBJECT) {
            continue;
        }
        if (!find_pair(c, resource)) {
            tell(c, (gh_difference_t) { .kind = GH_DIFFERENCE_GONE, .deployment = gh_import_text(c->deployment, "id"), .model = c->entry->key, .fact = "" });
            continue;
        }
        compare_words(c);
        compare_destinations(c);
        compare_store(c);
    }
}

/* ---- what the document does not have ---- */

static gh_node_t *
deployment_called(const gh_node_t *list, gh_str_t id)
{
    for (gh_node_t *node = list != NULL ? list->first : NULL; node != NULL; node = node->next) {
        if (gh_str_eq(gh_import_text(node, "id"), id)) {
            return node;
        }
    }

    return NULL;
}

static void
add_to_catalogue(comparing_t *c, gh_str_t model)
{
    gh_node_t       *catalogue = member(c->document, "models");
    const gh_node_t *entry = named(gh_node_get(c->imported, "models"), model);

    if (catalogue == NULL) {
        catalogue = gh_tree_object(&c->make);
        gh_tree_set(c->document, GH_STR("models"), catalogue);
    }
    if (catalogue != NULL && entry != NULL && catalogue->type == GH_NODE_OBJECT && named(catalogue, model) == NULL) {
        gh_tree_set(catalogue, model, gh_tree_copy(&c->make, entry));
    }
}

/* Into the deployment that was imported as this one, else a new one, under a name that is free. */
static void
add_target(comparing_t *c, const gh_node_t *now, const gh_node_t *entry)
{
    gh_node_t *list = member(c->document, "deployments"), *same, *whole, *models;
    gh_str_t   id = gh_import_text(now, "id");

    if (list == NULL) {
        list = gh_tree_array(&c->make);
        gh_tree_set(c->document, GH_STR("deployments"), list);
    }
    same = deployment_called(list, id);
    models = same != NULL ? member(same, "models") : NULL;
    if (same != NULL && same_resource(gh_import_text(same, "resource"), gh_import_text(now, "resource")) && models != NULL
        && named(models, entry->key) == NULL && gh_str_eq(gh_import_text(same, "profile"), gh_import_text(now, "profile")))
    {
        gh_tree_set(models, entry->key, gh_tree_copy(&c->make, entry));
        return;
    }
    for (unsigned number = 2; deployment_called(list, id) != NULL; number++) {
        id = gh_str_format(c->import->arena, "%.*s-%u", (int) (gh_import_text(now, "id").len < 57 ? gh_import_text(now, "id").len : 57),
            gh_import_text(now, "id").data, number);
    }
    whole = gh_tree_copy(&c->make, now);
    models = gh_tree_object(&c->make);
    if (whole == NULL || models == NULL || id.data == NULL) {
        c->make.no_memory = true;
        return;
    }
    gh_tree_set(whole, GH_STR("id"), gh_tree_string(&c->make, id));
    gh_tree_set(models, entry->key, gh_tree_copy(&c->make, entry));
    gh_tree_set(whole, GH_STR("models"), models);
    gh_tree_append(list, whole);
}

static void
add_new(comparing_t *c)
{
    const gh_node_t *node = gh_node_get(c->imported, "deployments");
    uint32_t         at = 0;

    for (node = node != NULL ? node->first : NULL; node != NULL; node = node->next) {
        for (const gh_node_t *entry = gh_node_get(node, "models")->first; entry != NULL; entry = entry->next) {
            if (!c->met[at++]) {
                tell(c, (gh_difference_t) { .kind = GH_DIFFERENCE_NEW, .deployment = gh_import_text(node, "id"), .model = entry->key, .fact = "" });
                add_to_catalogue(c, entry->key);
                add_target(c, node, entry);
            }
        }
    }
}

int
gh_import_compare(gh_import_t *import, gh_node_t *document, bool merge, gh_differences_t *differences, gh_error_t *error)
{
    comparing_t c = { .import = import, .make = { .arena = import->arena }, .merge = merge, .out = differences, .document = document };
    gh_node_t  *list;
    uint32_t    targets = 0;

    if (document->type != GH_NODE_OBJECT || !gh_str_is(gh_import_text(document, "kind"), "fleet/1")) {
        return gh_error_set(error, "import_failed", "the document is not of kind \"fleet/1\"");
    }
    list = member(document, "deployments");
    if (list != NULL && list->type != GH_NODE_ARRAY) {
        return gh_error_set(error, "import_failed", "\"deployments\" of the document is no list");
    }
    c.imported = gh_import_document(import);
    for (uint32_t i = 0; i < import->deployment_count; i++) {
        targets += import->deployments[i].target_count;
    }
    c.met = gh_arena_array(import->arena, targets + 1, sizeof(*c.met));
    if (c.imported == NULL || c.met == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    for (c.deployment = list != NULL ? list->first : NULL; c.deployment != NULL; c.deployment = c.deployment->next) {
        if (c.deployment->type == GH_NODE_OBJECT) {
            compare_deployment(&c);
        }
    }
    if (merge) {
        add_new(&c);
    }

    return c.make.no_memory || import->no_memory ? gh_error_set(error, "no_memory", "out of memory") : GH_OK;
}
