/* Reading "cases/1": what is expected. What could never fail, or never be looked at, is a mistake. */
#include <string.h>

#include "policy/cli/cases_read.h"
#include "policy/store/image_format.h"

static const gh_member_t expect_members[] = {
    { "verdict", GH_IS_STRING, 0 }, { "code", GH_IS_STRING, 0 }, { "rule", GH_IS_STRING, 0 }, { "first", GH_IS_STRING, 0 },
    { "deployments", GH_IS_LIST, 0 }, { "never", GH_IS_LIST, 0 }, { "classes", GH_IS_LIST, 0 }, { "process", GH_IS_OBJECT, 0 },
    { "store", GH_IS_STRING | GH_IS_OBJECT, 0 }, { "operator_home", GH_IS_OBJECT, 0 }, { NULL, 0, 0 }
};

static const gh_member_t within_members[] = { { "within", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 } };
static const gh_member_t store_members[] = { { "within", GH_IS_LIST, GH_REQUIRED }, { "max_days", GH_IS_NUMBER, 0 }, { NULL, 0, 0 } };

static gh_str_t
word_of(gh_cli_case_reading_t *r, const gh_node_t *node, const char *what, const gh_str_t *names, size_t count)
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
check_deployments(gh_cli_case_reading_t *r, const gh_node_t *node)
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
read_rule(gh_cli_case_reading_t *r, const gh_node_t *node)
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
read_within(gh_cli_case_reading_t *r, const gh_node_t *object, const char *what)
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
read_verdict(gh_cli_case_reading_t *r, const gh_node_t *object)
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
    for (int i = GH_DENIED_MODEL_UNKNOWN; i <= GH_DENIED_NOT_EXPRESSIBLE; i++) {
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
check_denial(gh_cli_case_reading_t *r, const gh_node_t *object)
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

void
gh_cli_case_expect_read(gh_cli_case_reading_t *r)
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
