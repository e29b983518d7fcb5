/* Reading "cases/1": what is asked, by URL, body, features, headers, and by what a key was given. */
#include <ctype.h>
#include <string.h>

#include "policy/cli/cases_read.h"

/* The case's own "url" or "endpoint", else the defaults'. Both stand in one object: an error. */
static const gh_node_t *
url_node(gh_cli_case_reading_t *r, bool *is_url)
{
    for (int pass = 0; pass < 2; pass++) {
        const gh_node_t *object = pass == 0 ? r->node : r->defaults;
        const gh_node_t *url = object ? gh_doc_get(object, "url", GH_IS_STRING) : NULL;
        const gh_node_t *endpoint = object ? gh_doc_get(object, "endpoint", GH_IS_STRING) : NULL;

        if (url != NULL && endpoint != NULL) {
            gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, endpoint), "conflict", "\"endpoint\" stands beside \"url\", which says it: give one of them");
        }
        if (url != NULL || endpoint != NULL) {
            *is_url = url != NULL;
            return url != NULL ? url : endpoint;
        }
    }
    return NULL;
}

static void
read_url(gh_cli_case_reading_t *r)
{
    bool             is_url = false;
    const gh_node_t *node = url_node(r, &is_url), *model = gh_node_get(r->node, "model");
    gh_error_t       error;
    int              index;

    r->url = (gh_url_t) { .operation = GH_URL_CREATE, .endpoint = GH_ENDPOINT_CHAT_COMPLETIONS };
    if (node != NULL && !is_url) {
        index = gh_doc_word_of(r->loader, node, "endpoint", gh_endpoint_names, GH_ENDPOINTS);
        r->url.endpoint = index < 0 ? GH_ENDPOINT_CHAT_COMPLETIONS : (gh_endpoint_t) index;
    }
    if (node != NULL && is_url
        && gh_url_read(r->loader->arena, GH_STR("POST"), node->text, (gh_str_t) { NULL, 0 }, &r->url, &error) != GH_OK
        && (gh_url_read(r->loader->arena, GH_STR("GET"), node->text, (gh_str_t) { NULL, 0 }, &r->url, &(gh_error_t) { 0 }) != GH_OK || r->url.operation != GH_URL_KEPT))
    {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "bad_url", "the gateway answers %s to POST %.*s: %s", error.code,
            GH_STR_ARG(node->text), error.text);
        r->url = (gh_url_t) { .operation = GH_URL_CREATE, .endpoint = GH_ENDPOINT_CHAT_COMPLETIONS };
    }
    if (r->url.operation != GH_URL_CREATE) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "bad_url", "where a kept response lies is sealed in its id, by the key of one store: a case asks a model; \"gatehouse explain --url\" judges this");
        r->url = (gh_url_t) { .operation = GH_URL_CREATE, .endpoint = GH_ENDPOINT_CHAT_COMPLETIONS };
    }
    if (r->url.model.data != NULL && model != NULL) {
        gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, model), "conflict", "\"model\" stands beside a \"url\" that names it: \"%.*s\"",
            GH_STR_ARG(r->url.model));
    }
    r->item->intake.endpoint = r->url.endpoint;
    r->item->intake.stream = r->url.stream;
}

static void
add_feature(gh_cli_case_reading_t *r, gh_str_t name, gh_str_t where, const gh_node_t *node)
{
    gh_intake_t *intake = &r->item->intake;

    if (intake->feature_count == GH_FEATURES_MAX) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, node), "limit", "more than %d features", GH_FEATURES_MAX);
        return;
    }
    intake->features[intake->feature_count++] = (gh_feature_use_t) { name, where };
}

static void
read_features(gh_cli_case_reading_t *r)
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

#define REQUEST_MAX (1u << 20)

static void
read_request(gh_cli_case_reading_t *r, const gh_node_t *request)
{
    static const char *const others[] = { "model", "features", "unknown_fields", "uninspected" };
    gh_json_writer_t         w;
    gh_error_t               error;
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
    gh_node_write(&w, request);                               /* what intake reads is bytes */
    if (!gh_json_writer_ok(&w)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, request), "limit", "\"request\" is larger than %u bytes", REQUEST_MAX);
        return;
    }
    r->item->body = (gh_str_t) { w.data, w.len };
    if (gh_intake_parse_url(r->loader->arena, &r->url, r->item->body, &r->item->intake, &error) != GH_OK) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, request), "bad_request", "the gateway answers 400 %s to this \"request\": %s",
            error.code ? error.code : "", error.text);
    }
}

static void
read_model(gh_cli_case_reading_t *r)
{
    const gh_node_t *request = gh_doc_get(r->node, "request", GH_IS_OBJECT), *model = gh_cli_case_member(r, "model");

    if (request != NULL) {
        read_request(r, request);
        return;
    }
    r->item->intake.n = 1;
    r->item->intake.model = r->url.model.data != NULL ? r->url.model : model ? model->text : GH_STR("");
    r->item->intake.model_in_path = r->url.model.data != NULL;
    r->item->intake.uninspected = gh_doc_get(r->node, "uninspected", 1 << GH_NODE_TRUE) != NULL;
    if (model == NULL && r->url.model.data == NULL) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, r->node), "missing_member", "a case must say \"model\", or \"request\", or a \"url\" that names one");
    }
    read_features(r);
}

static void
add_header(gh_cli_case_reading_t *r, gh_str_t name, const gh_node_t *value)
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
        gh_intake_header(r->loader->arena, &r->item->intake, name, header->value);
    }
}

static void
read_headers(gh_cli_case_reading_t *r)
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

/* Names with one space between them, as a caller narrows by itself. */
static gh_str_t
narrowed(gh_cli_case_reading_t *r, const gh_node_t *list)
{
    gh_str_t text = GH_STR("");

    if (list != NULL && list->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "empty_list", "\"%.*s\" must not be empty", GH_STR_ARG(list->key));
    }
    for (const gh_node_t *node = list != NULL ? list->first : NULL; node != NULL; node = node->next) {
        gh_str_t name = gh_doc_text(r->loader, node, 255);

        if (name.len > 0 && memchr(name.data, ' ', name.len) != NULL) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, node), "invalid_name", "no place and no model has a space in its name");
        }
        text = gh_doc_format(r->loader, "%.*s%s%.*s", GH_STR_ARG(text), text.len > 0 ? " " : "", GH_STR_ARG(name));
    }
    return text;
}

static void
read_labels(gh_cli_case_reading_t *r)
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
    r->item->own_places = narrowed(r, gh_doc_get(r->node, "key_places", GH_IS_LIST));
    r->item->own_models = narrowed(r, gh_doc_get(r->node, "key_models", GH_IS_LIST));
    for (uint32_t i = 0; i < classes.count; i++) {
        r->item->own_classes = gh_doc_format(r->loader, "%.*s%s%.*s", GH_STR_ARG(r->item->own_classes), i ? "," : "",
            GH_STR_ARG(classes.items[i]));
    }
}

void
gh_cli_case_request_read(gh_cli_case_reading_t *r)
{
    read_url(r);
    read_model(r);
    read_headers(r);
    read_labels(r);
}
