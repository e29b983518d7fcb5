/*
 * Judges worlds through the program's own code: documents -> gh_documents_load -> gh_compile -> gh_decide. One JSON object a line on
 * stdin, one answer a line on stdout; for comparison with an independent judge.
 *
 * {"documents":[{"path":"a.json","json":{...}}],"now":"2026-11-21T00:00:00Z","node":"n1","requests":[{"tenant":"org/tenant/app",
 *  "key":"k1","model":"m","endpoint":"chat.completions","headers":{"x-data-class":"secret"},"uninspected":false,
 *  "features":[{"name":"web_search","where":"tools[0]"}]}]}
 *
 * "key" defaults to "key", "endpoint" to "chat.completions"; a header's value may be a list: one header line each; "bytes" instead of
 * "json" gives a document as text. Answers: {"errors":["file:line:col: text"]} or {"answers":[{"code","eligible","classes","rule",
 * "narrowed","detail"}]}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/base/json_tree.h"
#include "policy/compile/compile.h"
#include "policy/decide/decide.h"

#define ANSWER_MAX (1u << 20)

typedef struct { const gh_node_t *headers; } headers_t;

static bool
header_value(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const gh_node_t *headers = ((headers_t *) context)->headers;

    for (const gh_node_t *h = headers == NULL ? NULL : headers->first; h != NULL; h = h->next) {
        const gh_node_t *line = h->type == GH_NODE_ARRAY ? h->first : h;

        if (!gh_str_eq_nocase(h->key, name)) {
            continue;
        }
        for (; line != NULL; line = h->type == GH_NODE_ARRAY ? line->next : NULL) {
            if (index-- == 0) {
                *value = line->text;
                return true;
            }
        }
    }
    return false;
}

static gh_str_t
text_of(const gh_node_t *object, const char *key, const char *otherwise)
{
    const gh_node_t *node = gh_node_get(object, key);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : gh_str_from(otherwise);
}

/* "2026-11-21T00:00:00Z" as ms. */
static uint64_t
time_of(gh_str_t text)
{
    char      buffer[32];
    struct tm tm;

    memset(&tm, 0, sizeof(tm));
    snprintf(buffer, sizeof(buffer), "%.*s", GH_STR_ARG(text));
    if (sscanf(buffer, "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6) {
        return 0;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (uint64_t) timegm(&tm) * 1000;
}

/* The text of a value of the line: its column is its offset. */
static gh_str_t
span_of(gh_str_t line, const gh_node_t *node)
{
    gh_str_t         rest = { line.data + node->column - 1, line.len - (node->column - 1) };
    gh_json_reader_t reader;

    gh_json_reader_init(&reader, rest, 0);
    gh_json_next(&reader);
    if (reader.event == GH_JSON_OBJECT_BEGIN || reader.event == GH_JSON_ARRAY_BEGIN) {
        gh_json_skip_rest(&reader);
    }
    return (gh_str_t) { rest.data, reader.token_end };
}

static gh_document_source_t *
read_documents(gh_arena_t *arena, const gh_node_t *world, gh_str_t line, size_t *count)
{
    const gh_node_t      *list = gh_node_get(world, "documents");
    gh_document_source_t *sources;
    size_t                n = 0;

    *count = list == NULL ? 0 : list->count;
    sources = gh_arena_array(arena, *count, sizeof(*sources));
    for (const gh_node_t *d = list == NULL ? NULL : list->first; d != NULL; d = d->next) {
        const gh_node_t *json = gh_node_get(d, "json");

        sources[n].path = text_of(d, "path", "document.json");
        sources[n].bytes = json != NULL ? span_of(line, json) : text_of(d, "bytes", "");
        n++;
    }
    return sources;
}

static void
write_errors(gh_json_writer_t *w, const gh_report_t *report)
{
    gh_json_begin_object(w);
    gh_json_key(w, "errors");
    gh_json_begin_array(w);
    for (size_t i = 0; i < report->count; i++) {
        const gh_error_t *e = &report->items[i].error;
        char              text[1024];

        if (report->items[i].severity == GH_SEVERITY_ERROR) {
            snprintf(text, sizeof(text), "%s:%u:%u: %s", e->source, e->line, e->column, e->text);
            gh_json_string(w, gh_str_from(text));
        }
    }
    gh_json_end_array(w);
    gh_json_end_object(w);
}

static int
compare_strings(const void *a, const void *b)
{
    return gh_str_cmp(*(const gh_str_t *) a, *(const gh_str_t *) b);
}

static void
write_answer(gh_json_writer_t *w, gh_arena_t *arena, const gh_image_t *image, const gh_decision_t *decision)
{
    gh_str_t *eligible = gh_arena_array(arena, decision->route_count, sizeof(*eligible));

    for (uint32_t i = 0; i < decision->route_count; i++) {
        gh_target_t target;

        gh_image_target(image, decision->route[i], &target);
        eligible[i] = gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(target.deployment), GH_STR_ARG(target.upstream_model));
    }
    qsort(eligible, decision->route_count, sizeof(*eligible), compare_strings);
    gh_json_begin_object(w);
    gh_json_kv_string(w, "code", gh_str_from(gh_verdict_answers[decision->code].code));
    gh_json_key(w, "eligible");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < decision->route_count; i++) {
        gh_json_string(w, eligible[i]);
    }
    gh_json_end_array(w);
    gh_json_key(w, "classes");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < decision->class_count; i++) {
        gh_json_string(w, decision->classes[i].name);
    }
    gh_json_end_array(w);
    gh_json_kv_string(w, "rule", decision->rule);
    gh_json_kv_bool(w, "narrowed", decision->narrowed);
    gh_json_kv_string(w, "detail", decision->detail);
    gh_json_end_object(w);
}

static void
judge_request(gh_json_writer_t *w, gh_arena_t *arena, const gh_image_t *image, const gh_node_t *world, const gh_node_t *request)
{
    const gh_node_t  *features = gh_node_get(request, "features");
    const gh_node_t  *uninspected = gh_node_get(request, "uninspected");
    gh_str_t          endpoint = text_of(request, "endpoint", "chat.completions");
    headers_t         headers = { gh_node_get(request, "headers") };
    gh_identity_t     identity;
    gh_intake_t       intake;
    gh_decide_input_t input;
    gh_decision_t     decision;
    gh_error_t        error;

    memset(&identity, 0, sizeof(identity));
    memset(&intake, 0, sizeof(intake));
    memset(&input, 0, sizeof(input));
    identity.path = text_of(request, "tenant", "");
    identity.key = text_of(request, "key", "key");
    intake.model = text_of(request, "model", "");
    intake.endpoint = GH_ENDPOINTS;
    for (int i = 0; i < GH_ENDPOINTS; i++) {
        if (gh_str_is(endpoint, gh_endpoint_names[i])) {
            intake.endpoint = (gh_endpoint_t) i;
        }
    }
    intake.uninspected = uninspected != NULL && uninspected->type == GH_NODE_TRUE;
    for (const gh_node_t *f = features == NULL ? NULL : features->first; f != NULL; f = f->next) {
        if (intake.feature_count < GH_FEATURES_MAX) {
            intake.features[intake.feature_count++] = (gh_feature_use_t) { text_of(f, "name", ""), text_of(f, "where", "") };
        }
    }
    input.identity = &identity;
    input.intake = &intake;
    input.node = text_of(world, "node", "");
    input.now_ms = time_of(text_of(world, "now", ""));
    input.header = header_value;
    input.header_context = &headers;
    if (intake.endpoint == GH_ENDPOINTS || gh_decide(image, &input, arena, &decision, &error) != GH_OK) {
        gh_json_raw(w, GH_STR("{\"code\":\"failed\",\"eligible\":[],\"classes\":[]}"));
        return;
    }
    write_answer(w, arena, image, &decision);
}

static void
judge_world(gh_arena_t *arena, gh_str_t line, gh_json_writer_t *w)
{
    gh_document_source_t *sources;
    const gh_node_t      *requests;
    gh_node_t            *world;
    gh_report_t           report;
    gh_model_t           *model;
    gh_image_t           *image = NULL;
    gh_error_t            error;
    size_t                count;
    uint64_t              now_ms;

    memset(&error, 0, sizeof(error));
    gh_report_init(&report, arena);
    if (gh_json_parse(arena, line, "stdin", &world, &error) != GH_OK) {
        gh_report_add(&report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);
        write_errors(w, &report);
        return;
    }
    now_ms = time_of(text_of(world, "now", ""));
    sources = read_documents(arena, world, line, &count);
    if (gh_documents_load(arena, sources, count, now_ms, &model, &report) != GH_OK) {
        write_errors(w, &report);
        return;
    }
    if (gh_compile_image(arena, model, now_ms, &image, &error) != GH_OK) {
        gh_report_add(&report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);
        write_errors(w, &report);
        return;
    }
    requests = gh_node_get(world, "requests");
    gh_json_begin_object(w);
    gh_json_key(w, "answers");
    gh_json_begin_array(w);
    for (const gh_node_t *r = requests == NULL ? NULL : requests->first; r != NULL; r = r->next) {
        judge_request(w, arena, image, world, r);
    }
    gh_json_end_array(w);
    gh_json_end_object(w);
    gh_image_unref(image);
}

int
main(void)
{
    static char answer[ANSWER_MAX];
    char       *line = NULL;
    size_t      size = 0;
    ssize_t     len;

    while ((len = getline(&line, &size, stdin)) > 0) {
        gh_json_writer_t w;
        gh_heap_t        heap;

        gh_heap_init(&heap);
        gh_json_writer_init(&w, answer, sizeof(answer));
        judge_world(&heap.arena, (gh_str_t) { line, (size_t) len }, &w);
        gh_heap_free(&heap);
        if (!gh_json_writer_ok(&w)) {
            fprintf(stderr, "an answer is above %u bytes\n", ANSWER_MAX);
            return 1;
        }
        fwrite(w.data, 1, w.len, stdout);
        putchar('\n');
        fflush(stdout);
    }
    free(line);
    return 0;
}
