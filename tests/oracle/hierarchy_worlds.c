/*
 * Who callers are in random worlds, and what is left to them, through the program's own code: documents -> gh_apply -> a store, keys made in it, callers identified by it, gh_decide. One
 * JSON object a line on stdin, one answer a line on stdout; for comparison with an independent model (hierarchy_reference.py).
 *
 * {"now":"2026-11-21T00:00:00Z","node":"n1","certificates":{"c1":"3082..."},"steps":[{"documents":[{"path","json"}],
 *  "keys":[{"app":"o/t/a","name","classes":[..],"places":["SE DE",..],"models":[..],"limits":[{"dimension","per","class","amount","model"}],"mints":["o/t"],"required":true,"minter":"o/t/a/NAME"}],
 *  "edits":[{"key":"o/t/a/NAME","says":{"places":[..],..}}],
 *  "callers":[{"key":"o/t/a/NAME","token":"ey...","certificate":"c1"}],"requests":[{"caller":0,"model":"m","label":"secret","places":"EU"}]}]}
 *
 * Each step edits the same store; an edit that says nothing revokes the key. A certificate is its own authority. Answers: a list with one object a step: {"errors":[codes]} when the documents are refused, else
 * {"keys":["ok" or a code],"edits":["ok" or a code],"callers":[{"code","classes","limits":[..],"max_output"}],"answers":[{"code","eligible","classes"}]}.
 */
#include <openssl/x509.h>

#include "policy/audit/mode.h"
#include "policy/decide/decide.h"
#include "policy/quota/limit_node.h"
#include "policy/identity/certificate.h"
#include "policy/identity/narrowing.h"
#include "policy/store/store_write.h"
#include "tests/oracle/world_line.h"
#include "tests/unit/store_world.h"

#define ANSWER_MAX (4u << 20)
#define KEYS_MAX   64

typedef struct { gh_str_t path; char text[GH_KEY_TEXT + 1]; } made_key_t;

typedef struct {
    gh_arena_t      *arena;
    gh_str_t         line;
    const gh_node_t *world;
    gh_store_t      *store;
    uint64_t         now_ms;
    made_key_t       keys[KEYS_MAX];
    size_t           key_count;
    gh_json_writer_t *w;
} judging_t;

static gh_str_t
joined(gh_arena_t *arena, const gh_node_t *list, char separator)
{
    gh_str_t text = GH_STR("");

    for (const gh_node_t *item = list != NULL ? list->first : NULL; item != NULL; item = item->next) {
        text = gh_str_format(arena, "%.*s%.*s%.*s", GH_STR_ARG(text), text.len > 0, &separator, GH_STR_ARG(item->text));
    }
    return text;
}

static const made_key_t *
key_named(const judging_t *j, gh_str_t path)
{
    for (size_t i = 0; i < j->key_count; i++) {
        if (gh_str_eq(j->keys[i].path, path)) {
            return &j->keys[i];
        }
    }
    return NULL;
}

static bool
is_true(const gh_node_t *node, const char *name)
{
    const gh_node_t *member = gh_node_get(node, name);

    return member != NULL && member->type == GH_NODE_TRUE;
}

static bool
limits_of(const gh_node_t *node, gh_limits_t *limits)
{
    for (const gh_node_t *item = gh_node_get(node, "limits") != NULL ? gh_node_get(node, "limits")->first : NULL; item != NULL; item = item->next) {
        gh_limit_t limit;
        gh_str_t   model;

        if (!gh_limit_node_read(item, GH_LEVEL_KEY, &limit, &model) || !gh_limits_tighten(limits, &limit)) {
            return false;
        }
    }
    return true;
}

static const char *
edit_key(judging_t *j, const gh_node_t *node)
{
    static const struct { const char *name; unsigned says; } members[] = { { "classes", GH_KEY_SAYS_CLASSES }, { "places", GH_KEY_SAYS_PLACES }, { "models", GH_KEY_SAYS_MODELS },
                                                                           { "limits", GH_KEY_SAYS_LIMITS }, { "mints", GH_KEY_SAYS_MINTS }, { "required", GH_KEY_SAYS_AUDIT } };
    const gh_node_t    *says = gh_node_get(node, "says");
    gh_limits_t         limits = { 0 };
    gh_store_key_edit_t edit = { .path = text_of(node, "key", ""), .now_ms = j->now_ms, .actor = GH_STR("tests"), .owner = GH_STR(""), .limits = limits.items };
    gh_error_t          error = { 0 };

    if (says == NULL) {
        return gh_store_key_revoke(j->store, edit.path, j->now_ms, edit.actor, NULL, &error) == GH_OK ? "ok" : error.code;
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        edit.says |= gh_node_get(says, members[i].name) != NULL ? members[i].says : 0;
    }
    edit.classes = joined(j->arena, gh_node_get(says, "classes"), ',');
    edit.places = joined(j->arena, gh_node_get(says, "places"), '\n');
    edit.models = joined(j->arena, gh_node_get(says, "models"), '\n');
    edit.mints = joined(j->arena, gh_node_get(says, "mints"), ' ');
    if (!limits_of(says, &limits)) {
        return "unreadable";
    }
    edit.limit_count = limits.count;
    edit.audit_required = is_true(says, "required");
    return gh_store_key_edit(j->store, &edit, &error) == GH_OK ? "ok" : error.code;
}

static const char *
make_key(judging_t *j, const gh_node_t *node)
{
    gh_str_t           app = text_of(node, "app", ""), name = text_of(node, "name", ""), rest = app, *parts[3];
    gh_store_key_new_t key = { .name = name, .now_ms = j->now_ms, .actor = GH_STR("tests"), .owner = GH_STR("") };
    gh_minted_t        minted = { .not_after_ms = 0 };
    made_key_t        *made = &j->keys[j->key_count];
    const made_key_t  *by = NULL;
    gh_str_t           minter;
    gh_error_t         error = { 0 };

    parts[0] = &key.org, parts[1] = &key.tenant, parts[2] = &key.app;
    for (int i = 0; i < 3; i++) {
        gh_narrowing_next(&rest, '/', parts[i]);
    }
    minted.audit_required = is_true(node, "required");
    minted.classes = joined(j->arena, gh_node_get(node, "classes"), ',');
    minted.mints = joined(j->arena, gh_node_get(node, "mints"), ' ');
    minted.places = joined(j->arena, gh_node_get(node, "places"), '\n');
    minted.models = joined(j->arena, gh_node_get(node, "models"), '\n');
    if (!limits_of(node, &minted.limits)) {
        return "unreadable";
    }
    if (gh_node_get(node, "minter") != NULL && ((by = key_named(j, text_of(node, "minter", ""))) == NULL
        || gh_store_mint(j->store, gh_str_from(by->text), app, j->now_ms, j->arena, &minted, &minter, &key.seen_change, &error) != GH_OK))
    {
        return by == NULL ? "key_unknown" : error.code;
    }
    key.minter = by != NULL ? minter : GH_STR("");
    key.audit_required = minted.audit_required;
    key.mints = minted.mints;
    key.classes = minted.classes;
    key.places = minted.places;
    key.models = minted.models;
    key.limits = minted.limits.items;
    key.limit_count = minted.limits.count;
    memset(key.random, (int) (j->key_count + 1), sizeof(key.random));
    if (gh_store_key_create(j->store, &key, made->text, &error) != GH_OK) {
        return error.code;
    }
    made->path = gh_str_format(j->arena, "%.*s/%.*s", GH_STR_ARG(app), GH_STR_ARG(name));
    j->key_count++;
    return "ok";
}

static bool
read_certificate(judging_t *j, gh_str_t name, gh_certificate_t *certificate)
{
    const gh_node_t *all = gh_node_get(j->world, "certificates"), *node = NULL;
    uint8_t          der[4096];
    const uint8_t   *p = der;
    gh_error_t       error;
    STACK_OF(X509)  *chain;
    X509            *x;
    bool             read;

    for (node = all != NULL ? all->first : NULL; node != NULL && !gh_str_eq(node->key, name); node = node->next) {
    }
    if (node == NULL || node->text.len > 2 * sizeof(der)) {
        return false;
    }
    for (size_t i = 0; i < node->text.len / 2; i++) {
        sscanf(node->text.data + 2 * i, "%2hhx", &der[i]);
    }
    x = d2i_X509(NULL, &p, (long) (node->text.len / 2));
    chain = sk_X509_new_null();
    sk_X509_push(chain, x);
    sk_X509_push(chain, x);
    read = gh_certificate_read(x, chain, j->arena, certificate, &error) == GH_OK;
    sk_X509_free(chain);
    X509_free(x);
    return read;
}

static void
write_limit(judging_t *j, const gh_image_t *image, const gh_limit_t *limit)
{
    gh_json_begin_object(j->w);
    gh_json_kv_string(j->w, "level", gh_str_from(gh_level_names[limit->level]));
    gh_json_kv_string(j->w, "dimension", gh_str_from(gh_dimension_names[limit->dimension]));
    gh_json_kv_string(j->w, "per", gh_str_from(gh_per_names[limit->per]));
    gh_json_kv_string(j->w, "class", gh_str_from(gh_limit_class_names[limit->limit_class]));
    gh_json_kv_string(j->w, "model", limit->model != 0 ? gh_image_model_name(image, limit->model) : GH_STR(""));
    gh_json_kv_u64(j->w, "amount", limit->amount);
    gh_json_end_object(j->w);
}

typedef struct { gh_str_t label, places; } headers_t;

static bool
header_value(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const headers_t *headers = context;

    *value = gh_str_is(name, "x-gatehouse-places") ? headers->places : gh_str_is(name, "x-data-class") ? headers->label : GH_STR("");
    return index == 0 && value->len > 0;
}

static int
identify(judging_t *j, const gh_node_t *caller, gh_identity_t *identity, gh_image_t **image, gh_error_t *error)
{
    gh_str_t          key = text_of(caller, "key", ""), token = text_of(caller, "token", ""), certificate = text_of(caller, "certificate", "");
    const made_key_t *made = key.len > 0 ? key_named(j, key) : NULL;
    gh_certificate_t *shown = certificate.len > 0 ? gh_arena_array(j->arena, 1, sizeof(*shown)) : NULL;

    if (shown != NULL && !read_certificate(j, certificate, shown)) {
        return gh_error_set(error, "certificate_unread", "the test's certificate cannot be read");
    }
    if (key.len > 0 && made == NULL) {
        return gh_error_set(error, "key_unknown", "no such key was made");
    }
    return gh_store_identify_client(j->store, made != NULL ? gh_str_from(made->text) : token, shown, j->now_ms, j->arena, identity, image, error);
}

static void
write_caller(judging_t *j, const gh_node_t *caller)
{
    gh_identity_t identity;
    gh_image_t   *image;
    gh_error_t    error = { 0 };

    gh_json_begin_object(j->w);
    if (identify(j, caller, &identity, &image, &error) != GH_OK) {
        gh_json_kv_string(j->w, "code", gh_str_from(error.code));
    } else {
        gh_json_kv_string(j->w, "code", GH_STR("ok"));
        gh_json_kv_string(j->w, "app", identity.path);
        gh_json_kv_string(j->w, "user", identity.user);
        gh_json_kv_bool(j->w, "counts_user", identity.user_uid != 0);
        gh_json_kv_string(j->w, "audit", gh_str_from(gh_audit_names[identity.audit]));
        gh_json_kv_u64(j->w, "max_output", identity.limits.max_output);
        gh_json_key(j->w, "limits");
        gh_json_begin_array(j->w);
        for (uint32_t i = 0; i < identity.limits.count; i++) {
            write_limit(j, image, &identity.limits.items[i]);
        }
        gh_json_end_array(j->w);
    }
    gh_json_end_object(j->w);
}

static void
write_answer(judging_t *j, const gh_node_t *caller, const gh_node_t *request, gh_cells_t *cells)
{
    headers_t         headers = { text_of(request, "label", ""), text_of(request, "places", "") };
    gh_intake_t       intake;
    gh_decide_input_t input = { .intake = &intake, .node = text_of(j->world, "node", ""), .now_ms = j->now_ms, .header = header_value,
                                .header_context = &headers, .cells = cells };
    gh_identity_t     identity;
    gh_decision_t     decision;
    gh_image_t       *image;
    gh_error_t        error = { 0 };

    memset(&intake, 0, sizeof(intake));
    intake.model = text_of(request, "model", "");
    intake.endpoint = GH_ENDPOINT_CHAT_COMPLETIONS;
    intake.n = 1;
    gh_json_begin_object(j->w);
    if (identify(j, caller, &identity, &image, &error) != GH_OK) {
        gh_json_kv_string(j->w, "code", gh_str_from(error.code));
        gh_json_end_object(j->w);
        return;
    }
    input.identity = &identity;
    if (gh_decide(image, &input, j->arena, &decision, &error) != GH_OK) {
        gh_json_kv_string(j->w, "code", gh_str_from(error.code));
        gh_json_end_object(j->w);
        return;
    }
    gh_json_kv_string(j->w, "code", gh_str_from(gh_verdict_answers[decision.code].code));
    gh_json_key(j->w, "eligible");
    gh_json_begin_array(j->w);
    for (uint32_t i = 0; i < decision.route_count; i++) {
        gh_target_t target;

        gh_image_target(image, decision.route[i], &target);
        gh_json_string(j->w, target.deployment);
    }
    gh_json_end_array(j->w);
    gh_json_key(j->w, "classes");
    gh_json_begin_array(j->w);
    for (uint32_t i = 0; i < decision.class_count; i++) {
        gh_json_string(j->w, decision.classes[i].name);
    }
    gh_json_end_array(j->w);
    gh_json_end_object(j->w);
}

/* false: the documents are refused. */
static bool
apply(judging_t *j, const gh_node_t *step)
{
    size_t                count;
    gh_document_source_t *sources = read_documents(j->arena, step, "documents", j->line, &count);
    gh_apply_t            edit = { .sources = sources, .source_count = count, .author = GH_STR("tests"), .reason = GH_STR("tests"), .now_ms = j->now_ms };
    gh_report_t           report;
    uint64_t              revision;

    gh_report_init(&report, j->arena);
    if (gh_apply(j->store, j->arena, &edit, &revision, &report) == GH_OK) {
        return true;
    }
    gh_json_begin_object(j->w);
    gh_json_key(j->w, "errors");
    gh_json_begin_array(j->w);
    for (size_t i = 0; i < report.count; i++) {
        if (report.items[i].severity == GH_SEVERITY_ERROR) {
            gh_json_string(j->w, gh_str_from(report.items[i].error.code));
            if (getenv("HIERARCHY_ERRORS") != NULL) {
                fprintf(stderr, "%s: %s\n", report.items[i].error.source, report.items[i].error.text);
            }
        }
    }
    gh_json_end_array(j->w);
    gh_json_end_object(j->w);
    return false;
}

static const gh_node_t *
item_at(const gh_node_t *list, uint64_t index)
{
    const gh_node_t *item = list != NULL ? list->first : NULL;

    while (item != NULL && index-- > 0) {
        item = item->next;
    }
    return item;
}

static void
judge_step(judging_t *j, const gh_node_t *step)
{
    const gh_node_t *callers = gh_node_get(step, "callers"), *list;
    gh_cells_t      *cells = gh_cells_new(64u << 10);
    uint64_t         index = 0;

    if (!apply(j, step)) {
        gh_cells_free(cells);
        return;
    }
    gh_json_begin_object(j->w);
    gh_json_key(j->w, "keys");
    gh_json_begin_array(j->w);
    list = gh_node_get(step, "keys");
    for (const gh_node_t *key = list != NULL ? list->first : NULL; key != NULL && j->key_count < KEYS_MAX; key = key->next) {
        gh_json_string(j->w, gh_str_from(make_key(j, key)));
    }
    gh_json_end_array(j->w);
    gh_json_key(j->w, "edits");
    gh_json_begin_array(j->w);
    list = gh_node_get(step, "edits");
    for (const gh_node_t *edit = list != NULL ? list->first : NULL; edit != NULL; edit = edit->next) {
        gh_json_string(j->w, gh_str_from(edit_key(j, edit)));
    }
    gh_json_end_array(j->w);
    gh_json_key(j->w, "callers");
    gh_json_begin_array(j->w);
    for (const gh_node_t *caller = callers != NULL ? callers->first : NULL; caller != NULL; caller = caller->next) {
        write_caller(j, caller);
    }
    gh_json_end_array(j->w);
    gh_json_key(j->w, "answers");
    gh_json_begin_array(j->w);
    list = gh_node_get(step, "requests");
    for (const gh_node_t *request = list != NULL ? list->first : NULL; request != NULL; request = request->next) {
        const gh_node_t *number = gh_node_get(request, "caller");

        gh_node_u64(number, &index);
        write_answer(j, item_at(callers, index), request, cells);
    }
    gh_json_end_array(j->w);
    gh_json_end_object(j->w);
    gh_cells_free(cells);
}

static void
judge_world(gh_arena_t *arena, const gh_node_t *world, gh_str_t line, gh_json_writer_t *w)
{
    judging_t        j = { .arena = arena, .line = line, .world = world, .w = w };
    const gh_node_t *steps;
    gh_error_t       error = { 0 };

    if (!store_make()) {
        fprintf(stderr, "no folder for a store\n");
        exit(1);
    }
    j.now_ms = time_of(text_of(world, "now", ""));
    j.store = store_open(true, &error);
    if (j.store == NULL) {
        fprintf(stderr, "no store: %s\n", error.text);
        exit(1);
    }
    gh_json_begin_array(w);
    steps = gh_node_get(world, "steps");
    for (const gh_node_t *step = steps != NULL ? steps->first : NULL; step != NULL; step = step->next) {
        judge_step(&j, step);
    }
    gh_json_end_array(w);
    gh_store_close(j.store);
    store_remove();
}

int
main(void)
{
    return world_lines(ANSWER_MAX, judge_world);
}
