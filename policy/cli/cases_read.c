/* Reading "cases/1": every member checked, every name held against the documents under test. */
#include <ctype.h>
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "policy/cli/cases.h"
#include "policy/store/image_format.h"

static const gh_member_t document_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "cases", GH_IS_LIST, GH_REQUIRED }, { "defaults", GH_IS_OBJECT, 0 }, { NULL, 0, 0 }
};

#define REQUEST_MEMBERS                                                                                                    \
    { "tenant", GH_IS_STRING, 0 }, { "app", GH_IS_STRING, 0 }, { "key", GH_IS_STRING, 0 }, { "model", GH_IS_STRING, 0 },   \
    { "endpoint", GH_IS_STRING, 0 }, { "node", GH_IS_STRING, 0 }, { "at", GH_IS_STRING, 0 }

static const gh_member_t defaults_members[] = { REQUEST_MEMBERS, { NULL, 0, 0 } };

static const gh_member_t case_members[] = {
    { "name", GH_IS_STRING, GH_REQUIRED }, { "because", GH_IS_STRING, GH_REQUIRED }, { "expect", GH_IS_OBJECT, GH_REQUIRED },
    REQUEST_MEMBERS, { "request", GH_IS_OBJECT, 0 }, { "key_classes", GH_IS_LIST, 0 }, { "labels", GH_IS_LIST, 0 },
    { "headers", GH_IS_OBJECT, 0 }, { "features", GH_IS_LIST, 0 }, { "unknown_fields", GH_IS_LIST, 0 },
    { "uninspected", GH_IS_BOOL, 0 }, { NULL, 0, 0 }
};

static const gh_member_t expect_members[] = {
    { "verdict", GH_IS_STRING, 0 }, { "code", GH_IS_STRING, 0 }, { "rule", GH_IS_STRING, 0 }, { "first", GH_IS_STRING, 0 },
    { "deployments", GH_IS_LIST, 0 }, { "never", GH_IS_LIST, 0 }, { "classes", GH_IS_LIST, 0 }, { "process", GH_IS_OBJECT, 0 },
    { "store", GH_IS_STRING | GH_IS_OBJECT, 0 }, { "operator_home", GH_IS_OBJECT, 0 }, { NULL, 0, 0 }
};

static const gh_member_t within_members[] = { { "within", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 } };
static const gh_member_t store_members[] = { { "within", GH_IS_LIST, GH_REQUIRED }, { "max_days", GH_IS_NUMBER, 0 }, { NULL, 0, 0 } };

typedef struct {
    gh_loader_t     *loader;
    const gh_node_t *node, *defaults;    /* defaults: NULL when the document has none */
    gh_cli_case_t   *item;
} reading_t;

/* A member of the case, else of the defaults. */
static const gh_node_t *
member(const reading_t *r, const char *name)
{
    const gh_node_t *own = gh_node_get(r->node, name);

    if (own == NULL && r->defaults != NULL) {
        return gh_doc_get(r->defaults, name, GH_IS_STRING);
    }
    return gh_doc_get(r->node, name, GH_IS_STRING);
}

/* ---- who ---- */

static const gh_node_t *
who_node(reading_t *r, unsigned *parts)
{
    static const char *const names[] = { "tenant", "app", "key" };
    const gh_node_t         *found = NULL;

    for (int pass = 0; pass < 2 && found == NULL; pass++) {
        const gh_node_t *object = pass == 0 ? r->node : r->defaults;

        for (unsigned i = 0; object != NULL && i < 3; i++) {
            const gh_node_t *node = gh_node_get(object, names[i]);

            if (node != NULL && found != NULL) {
                gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, node), "conflict", "\"%s\" stands beside \"%.*s\": give one of them",
                    names[i], GH_STR_ARG(found->key));
            } else if (node != NULL) {
                found = node;
                *parts = i + 2;
            }
        }
    }
    return found;
}

static void
read_who(reading_t *r)
{
    static const char *const forms[] = { "organisation/tenant", "organisation/tenant/app", "organisation/tenant/app/key" };
    unsigned                 parts = 0;
    const gh_node_t         *node = who_node(r, &parts);
    gh_error_t               error;
    gh_cli_path_t            path;
    gh_str_t                 text;

    if (node == NULL) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, r->node), "missing_member",
            "a case must say who asks: \"tenant\", \"app\" or \"key\"");
        return;
    }
    text = gh_str_copy(r->loader->arena, node->text);
    if (node->type != GH_NODE_STRING || text.data == NULL) {
        return;
    }
    if (gh_cli_path_parse(text.data, parts, parts, &path, &error) != GH_OK) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "bad_name", "\"%.*s\" must be %s, not \"%.*s\"", GH_STR_ARG(node->key),
            forms[parts - 2], GH_STR_ARG(node->text));
        return;
    }
    r->item->who = text;
    r->item->who_parts = parts;
}

static const gh_model_organisation_t *
find_organisation(const gh_model_t *model, gh_str_t id)
{
    for (uint32_t i = 0; i < model->organisation_count; i++) {
        if (gh_str_eq(model->organisations[i].id, id)) {
            return &model->organisations[i];
        }
    }
    return NULL;
}

/* Is the tenant or app listed? Else an error with the nearest of the same organisation. */
static void
check_who(reading_t *r)
{
    const gh_model_organisation_t *organisation;
    gh_str_t                       who = r->item->who, near[256];
    unsigned                       parts = r->item->who_parts, slashes = 0;
    size_t                         count = 0, end = 0, first = who.len;
    const gh_node_t               *node = who_node(r, &parts);

    if (who.len == 0) {
        return;
    }
    for (size_t i = 0; i < who.len; i++) {
        slashes += who.data[i] == '/';
        first = slashes == 1 && first == who.len && who.data[i] == '/' ? i : first;
        end = slashes == 3 && end == 0 ? i : end;
    }
    who.len = end != 0 ? end : who.len;         /* a key stands in no document */
    organisation = find_organisation(r->loader->model, (gh_str_t) { who.data, first });

    for (uint32_t t = 0; organisation != NULL && t < organisation->tenant_count; t++) {
        const gh_model_tenant_t *tenant = &organisation->tenants[t];

        for (uint32_t a = 0; a < (parts == 2 ? 1 : tenant->app_count); a++) {
            gh_str_t path = parts == 2 ? tenant->path : tenant->apps[a].path;

            if (gh_str_eq(path, who)) {
                return;
            }
            if (count < sizeof(near) / sizeof(near[0])) {
                near[count++] = path;
            }
        }
    }
    gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_name", "tenants/1 does not list \"%.*s\"%s", GH_STR_ARG(who),
        gh_doc_near(r->loader, who, near, count));
}

/* ---- what is asked ---- */

static void
read_endpoint(reading_t *r)
{
    const gh_node_t *node = member(r, "endpoint");
    int              index;

    if (node == NULL) {
        return;
    }
    index = gh_doc_word_of(r->loader, node, "endpoint", gh_endpoint_names, GH_ENDPOINTS);
    r->item->intake.endpoint = index < 0 ? GH_ENDPOINT_CHAT_COMPLETIONS : (gh_endpoint_t) index;
}

static void
read_at(reading_t *r)
{
    const gh_node_t *node = member(r, "at");
    gh_str_t         text;

    if (node == NULL) {
        return;
    }
    text = gh_str_copy(r->loader->arena, node->text);
    if (text.data == NULL || gh_cli_time_parse(text.data, &r->item->at_ms) != GH_OK) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "bad_date", "\"%.*s\" is not a time such as 2026-11-21T09:30:00Z, nor a day",
            GH_STR_ARG(node->text));
    }
}

static void
add_feature(reading_t *r, gh_str_t name, gh_str_t where, const gh_node_t *node)
{
    gh_intake_t *intake = &r->item->intake;

    if (intake->feature_count == GH_FEATURES_MAX) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "limit", "more than %d features", GH_FEATURES_MAX);
        return;
    }
    intake->features[intake->feature_count++] = (gh_feature_use_t) { name, where };
}

static void
read_features(reading_t *r)
{
    static const char *const lists[] = { "features", "unknown_fields" };
    gh_str_t                 names[512];
    size_t                   count = gh_intake_feature_names(names, 512);

    for (int i = 0; i < 2; i++) {
        const gh_node_t *list = gh_doc_get(r->node, lists[i], GH_IS_LIST);

        for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
            bool known = false;

            if (node->type != GH_NODE_STRING || node->text.len == 0) {
                gh_doc_error(r->loader, GH_WHERE(r->loader, node), "wrong_type", "\"%s\" holds names, not %s", lists[i],
                    node->type == GH_NODE_STRING ? "an empty one" : gh_node_type_name(node->type));
                continue;
            }
            if (i == 1) {
                add_feature(r, GH_STR(""), node->text, node);
                continue;
            }
            for (size_t k = 0; k < count; k++) {
                known = known || gh_str_eq(names[k], node->text);
            }
            if (!known) {
                gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_word",
                    "no request turns on a feature \"%.*s\"%s", GH_STR_ARG(node->text),
                    gh_doc_near(r->loader, node->text, names, count));
            }
            add_feature(r, node->text, GH_STR("features of the case"), node);
        }
        if (list != NULL && list->count == 0) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, list), "empty_list", "\"%s\" must not be empty", lists[i]);
        }
    }
}

/* The tree as JSON again: what intake reads is bytes. */
static void
write_node(gh_json_writer_t *w, gh_arena_t *arena, const gh_node_t *node)
{
    switch (node->type) {
    case GH_NODE_OBJECT:
    case GH_NODE_ARRAY:
        if (node->type == GH_NODE_OBJECT) {
            gh_json_begin_object(w);
        } else {
            gh_json_begin_array(w);
        }
        for (const gh_node_t *child = node->first; child; child = child->next) {
            if (node->type == GH_NODE_OBJECT) {
                gh_str_t key = gh_str_copy(arena, child->key);

                w->overflow = w->overflow || key.data == NULL;
                gh_json_key(w, key.data ? key.data : "");
            }
            write_node(w, arena, child);
        }
        if (node->type == GH_NODE_OBJECT) {
            gh_json_end_object(w);
        } else {
            gh_json_end_array(w);
        }
        break;
    case GH_NODE_STRING:
        gh_json_string(w, node->text);
        break;
    case GH_NODE_NUMBER:
        gh_json_raw(w, node->text);
        break;
    case GH_NODE_TRUE:
    case GH_NODE_FALSE:
        gh_json_bool(w, node->type == GH_NODE_TRUE);
        break;
    case GH_NODE_NULL:
        gh_json_null(w);
        break;
    }
}

#define REQUEST_MAX (1u << 20)

static void
read_request(reading_t *r, const gh_node_t *request)
{
    static const char *const others[] = { "model", "features", "unknown_fields", "uninspected" };
    gh_json_writer_t         w;
    gh_error_t               error;
    gh_endpoint_t            endpoint = r->item->intake.endpoint;
    char                    *buffer = gh_arena_alloc(r->loader->arena, REQUEST_MAX);

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const gh_node_t *node = gh_node_get(r->node, others[i]);

        if (node != NULL) {
            gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, node), "conflict", "\"%s\" is what \"request\" says itself", others[i]);
        }
    }
    if (buffer == NULL) {
        r->loader->report->no_memory = 1;
        return;
    }
    gh_json_writer_init(&w, buffer, REQUEST_MAX);
    write_node(&w, r->loader->arena, request);
    if (!gh_json_writer_ok(&w)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, request), "limit", "\"request\" is larger than %u bytes", REQUEST_MAX);
        return;
    }
    if (gh_intake_parse(r->loader->arena, endpoint, (gh_str_t) { w.data, w.len }, &r->item->intake, &error) != GH_OK) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, request), "bad_request", "the gateway answers 400 %s to this \"request\": %s",
            error.code ? error.code : "", error.text);
    }
}

static void
read_model(reading_t *r)
{
    const gh_node_t *request = gh_doc_get(r->node, "request", GH_IS_OBJECT), *model = member(r, "model");

    if (request != NULL) {
        read_request(r, request);
        return;
    }
    r->item->intake.n = 1;
    r->item->intake.model = model ? model->text : GH_STR("");
    r->item->intake.uninspected = gh_doc_get(r->node, "uninspected", 1 << GH_NODE_TRUE) != NULL;
    if (model == NULL) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, r->node), "missing_member", "a case must say \"model\", or \"request\"");
    }
    read_features(r);
}

static void
add_header(reading_t *r, gh_str_t name, const gh_node_t *value)
{
    gh_cli_case_header_t *header;

    if (value->type != GH_NODE_STRING) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, value), "wrong_type", "header \"%.*s\" must be a string or a list of strings",
            GH_STR_ARG(name));
        return;
    }
    header = gh_doc_push(r->loader, &r->item->headers, &r->item->header_count, sizeof(*header));
    if (header != NULL) {
        *header = (gh_cli_case_header_t) { name, gh_str_trim(value->text) };
        gh_intake_header(&r->item->intake, name, header->value);
    }
}

static void
read_headers(reading_t *r)
{
    const gh_node_t *object = gh_doc_get(r->node, "headers", GH_IS_OBJECT);

    for (const gh_node_t *node = object ? object->first : NULL; node; node = node->next) {
        for (size_t i = 0; i < node->key.len; i++) {
            if (!isalnum((unsigned char) node->key.data[i]) && strchr("!#$%&'*+-.^_`|~", node->key.data[i]) == NULL) {
                gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, node), "bad_label", "\"%.*s\" is not a header name",
                    GH_STR_ARG(node->key));
                break;
            }
        }
        if (node->type != GH_NODE_ARRAY) {
            add_header(r, node->key, node);
        }
        for (const gh_node_t *value = node->type == GH_NODE_ARRAY ? node->first : NULL; value; value = value->next) {
            add_header(r, node->key, value);
        }
    }
}

static void
read_labels(reading_t *r)
{
    const gh_node_t *list = gh_doc_get(r->node, "labels", GH_IS_LIST), *own = gh_doc_get(r->node, "key_classes", GH_IS_LIST);
    gh_str_list_t    classes = gh_doc_list(r->loader, own, GH_LIST_NAMES, 0);

    if (list != NULL && list->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "empty_list", "\"labels\" must not be empty");
    }
    for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
        gh_str_t *label;

        if (node->type != GH_NODE_STRING) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, node), "wrong_type", "a label must be a string, as a client would send it");
            continue;
        }
        label = gh_doc_push(r->loader, &r->item->labels.items, &r->item->labels.count, sizeof(*label));
        if (label != NULL) {
            *label = node->text;
        }
    }
    for (uint32_t i = 0; i < classes.count; i++) {
        r->item->own_classes = gh_doc_format(r->loader, "%.*s%s%.*s", GH_STR_ARG(r->item->own_classes), i ? "," : "",
            GH_STR_ARG(classes.items[i]));
    }
}

/* ---- what is expected ---- */

static gh_str_t
word_of(reading_t *r, const gh_node_t *node, const char *what, const gh_str_t *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(names[i], node->text)) {
            return node->text;
        }
    }
    gh_doc_error(r->loader, GH_WHERE(r->loader, node), "unknown_word", "unknown %s \"%.*s\"%s", what, GH_STR_ARG(node->text),
        gh_doc_near(r->loader, node->text, names, count));
    return GH_STR("");
}

/* Deployments are checked: a "never" with a slip of the pen would be true of every policy. */
static void
check_deployments(reading_t *r, const gh_node_t *node)
{
    const gh_model_t *model = r->loader->model;
    gh_str_t         *ids = gh_arena_array(r->loader->arena, model->deployment_count, sizeof(*ids));

    if (node == NULL || ids == NULL) {
        return;
    }
    for (uint32_t i = 0; i < model->deployment_count; i++) {
        ids[i] = model->deployments[i].id;
    }
    if (node->type == GH_NODE_STRING) {
        word_of(r, node, "deployment", ids, model->deployment_count);
        return;
    }
    for (const gh_node_t *item = node->first; item; item = item->next) {
        if (item->type == GH_NODE_STRING) {
            word_of(r, item, "deployment", ids, model->deployment_count);
        }
    }
}

static gh_str_t
read_rule(reading_t *r, const gh_node_t *node)
{
    const gh_model_t *model = r->loader->model;
    gh_str_t         *ids;
    uint32_t          count = 0;

    if (node == NULL) {
        return GH_STR("");
    }
    for (uint32_t p = 0; p < model->policy_count; p++) {
        count += model->policies[p].rule_count;
    }
    ids = gh_arena_array(r->loader->arena, count, sizeof(*ids));
    if (ids == NULL) {
        r->loader->report->no_memory = 1;
        return GH_STR("");
    }
    count = 0;
    for (uint32_t p = 0; p < model->policy_count; p++) {
        for (uint32_t i = 0; i < model->policies[p].rule_count; i++) {
            ids[count++] = model->policies[p].rules[i].id;
        }
    }
    return word_of(r, node, "rule", ids, count);
}

static const gh_node_t *
read_within(reading_t *r, const gh_node_t *object, const char *what)
{
    const gh_node_t *list;

    if (object == NULL || object->type != GH_NODE_OBJECT) {
        return NULL;
    }
    gh_doc_members(r->loader, object, what, strcmp(what, "\"store\"") == 0 ? store_members : within_members);
    list = gh_doc_get(object, "within", GH_IS_LIST);
    if (list != NULL && list->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "empty_list", "\"within\" must not be empty");
    }
    return list;
}

static void
read_verdict(reading_t *r, const gh_node_t *object)
{
    static const char *const words[] = { "allow", "deny", NULL };
    const gh_node_t         *verdict = gh_doc_get(object, "verdict", GH_IS_STRING), *code = gh_doc_get(object, "code", GH_IS_STRING);
    gh_cli_expect_t         *expect = &r->item->expect;
    gh_str_t                 codes[16];
    size_t                   count = 0;

    if (verdict != NULL) {
        int index = gh_doc_word(r->loader, verdict, "verdict", words);

        expect->has_verdict = index >= 0;
        expect->allow = index == 0;
    }
    if (code == NULL) {
        return;
    }
    for (int i = GH_DENIED_MODEL_UNKNOWN; i <= GH_DENIED_NODE; i++) {
        codes[count++] = gh_str_from(gh_verdict_answers[i].code);
    }
    expect->code = word_of(r, code, "code", codes, count);
    if (expect->has_verdict && expect->allow) {
        gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, code), "conflict", "\"code\" is of a denial, and the verdict expected is \"allow\"");
    }
    expect->has_verdict = true;
}

/* What only an allow can show, beside an expected denial. */
static void
check_denial(reading_t *r, const gh_node_t *object)
{
    static const char *const allowed[] = { "first", "deployments", "process", "store", "operator_home" };

    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        const gh_node_t *node = gh_node_get(object, allowed[i]);

        if (node != NULL && r->item->expect.has_verdict && !r->item->expect.allow) {
            gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, node), "conflict",
                "\"%s\" would never be looked at: the verdict expected is \"deny\"", allowed[i]);
        }
    }
}

static void
read_expect(reading_t *r)
{
    const gh_node_t *object = gh_doc_get(r->node, "expect", GH_IS_OBJECT), *store, *first, *days;
    gh_cli_expect_t *expect = &r->item->expect;

    if (object == NULL) {
        return;
    }
    gh_doc_members(r->loader, object, "\"expect\"", expect_members);
    if (object->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, object), "missing_member", "\"expect\" expects nothing: say \"verdict\", at least");
    }
    read_verdict(r, object);
    check_denial(r, object);
    expect->rule = read_rule(r, gh_doc_get(object, "rule", GH_IS_STRING));
    first = gh_doc_get(object, "first", GH_IS_STRING);
    expect->first = first ? first->text : GH_STR("");
    expect->deployments = gh_doc_list(r->loader, gh_doc_get(object, "deployments", GH_IS_LIST), GH_LIST_NAMES, 0);
    expect->never = gh_doc_list(r->loader, gh_doc_get(object, "never", GH_IS_LIST), GH_LIST_NAMES, 0);
    expect->classes = gh_doc_list(r->loader, gh_doc_get(object, "classes", GH_IS_LIST), GH_LIST_NAMES, 0);
    check_deployments(r, first);
    check_deployments(r, gh_doc_get(object, "deployments", GH_IS_LIST));
    check_deployments(r, gh_doc_get(object, "never", GH_IS_LIST));

    expect->process = read_within(r, gh_doc_get(object, "process", GH_IS_OBJECT), "\"process\"");
    expect->operator_home = read_within(r, gh_doc_get(object, "operator_home", GH_IS_OBJECT), "\"operator_home\"");
    store = gh_doc_get(object, "store", GH_IS_STRING | GH_IS_OBJECT);
    expect->store = read_within(r, store, "\"store\"");
    days = store && store->type == GH_NODE_OBJECT ? gh_doc_get(store, "max_days", GH_IS_NUMBER) : NULL;
    expect->has_max_days = gh_doc_integer(r->loader, days, 36500, &expect->max_days);
    if (store != NULL && store->type == GH_NODE_STRING) {
        expect->store_nothing = gh_str_is(store->text, "nothing");
        if (!expect->store_nothing) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, store), "unknown_word",
                "\"store\" must be \"nothing\" or {\"within\", \"max_days\"}, not \"%.*s\"", GH_STR_ARG(store->text));
        }
    }
}

/* ---- names of the documents under test ---- */

static void
check_model(reading_t *r)
{
    const gh_model_t *model = r->loader->model;
    gh_str_t          wanted = r->item->intake.model, near[512];
    size_t            count = 0;
    const gh_node_t  *node = member(r, "model");

    for (uint32_t i = 0; i < model->model_count; i++) {
        for (uint32_t k = 0; k <= model->models[i].aliases.count; k++) {
            gh_str_t name = k == 0 ? model->models[i].name : model->models[i].aliases.items[k - 1];

            if (gh_str_eq(name, wanted)) {
                return;
            }
            if (count < sizeof(near) / sizeof(near[0])) {
                near[count++] = name;
            }
        }
    }
    node = gh_doc_get(r->node, "request", GH_IS_OBJECT) ? gh_node_get(r->node, "request") : node;
    gh_doc_error(r->loader, GH_WHERE(r->loader, node ? node : r->node), "unknown_name", "fleet/1 has no model \"%.*s\"%s; a case that is "
        "about this expects \"code\": \"model_not_found\"", GH_STR_ARG(wanted), gh_doc_near(r->loader, wanted, near, count));
}

static void
check_node(reading_t *r)
{
    const gh_model_t *model = r->loader->model;
    const gh_node_t  *node = member(r, "node");
    gh_str_t          near[256];
    uint32_t          count = model->node_count < 256 ? model->node_count : 256;

    for (uint32_t i = 0; i < model->node_count; i++) {
        if (node == NULL || gh_str_eq(model->nodes[i].id, node->text)) {
            return;
        }
        near[i < 256 ? i : 255] = model->nodes[i].id;
    }
    gh_doc_error(r->loader, GH_WHERE(r->loader, node ? node : r->node), "unknown_name", "fleet/1 lists no node \"%.*s\"%s",
        GH_STR_ARG(node ? node->text : GH_STR("")), node ? gh_doc_near(r->loader, node->text, near, count) : "");
}

/* A name that nobody has is a slip, but in a case about just that. */
static void
check_names(reading_t *r)
{
    gh_str_t code = r->item->expect.code;

    if (!gh_str_is(code, "no_policy") || r->item->who_parts == 2) {
        check_who(r);
    }
    if (!gh_str_is(code, "model_not_found") && r->item->intake.model.len > 0) {
        check_model(r);
    }
    if (!gh_str_is(code, "policy_unavailable")) {
        check_node(r);
    }
}

static void
read_case(reading_t *r)
{
    const gh_node_t *name = gh_doc_get(r->node, "name", GH_IS_STRING), *node;

    r->item->where = GH_WHERE(r->loader, r->node);
    r->item->name = gh_doc_text(r->loader, name, 256);
    r->item->because = gh_doc_text(r->loader, gh_doc_get(r->node, "because", GH_IS_STRING), 1024);
    r->item->own_classes = GH_STR("");
    if (name != NULL) {
        gh_doc_given(r->loader, "case", r->item->name, GH_WHERE(r->loader, name));
    }
    read_who(r);
    read_endpoint(r);
    read_model(r);
    read_headers(r);
    read_labels(r);
    read_at(r);
    node = member(r, "node");
    r->item->node = node ? node->text : GH_STR("");
    read_expect(r);
    check_names(r);
}

void
gh_cli_cases_read(gh_loader_t *loader, const gh_node_t *root, gh_cli_cases_t *cases)
{
    const gh_node_t *list, *defaults;

    if (!gh_doc_members(loader, root, "a cases document", document_members)) {
        return;
    }
    defaults = gh_doc_get(root, "defaults", GH_IS_OBJECT);
    if (defaults != NULL) {
        gh_doc_members(loader, defaults, "\"defaults\"", defaults_members);
    }
    list = gh_doc_get(root, "cases", GH_IS_LIST);
    if (list != NULL && list->count == 0) {
        gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"cases\" must not be empty");
    }
    for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
        reading_t r = { .loader = loader, .node = node, .defaults = defaults };

        if (!gh_doc_members(loader, node, "a case", case_members)) {
            continue;
        }
        r.item = gh_doc_push(loader, &cases->items, &cases->count, sizeof(*r.item));
        if (r.item != NULL) {
            memset(r.item, 0, sizeof(*r.item));
            read_case(&r);
        }
    }
}
