/*
 * Judges worlds through the program's own code: documents -> gh_documents_load -> gh_compile -> gh_decide. One JSON object a line on
 * stdin, one answer a line on stdout; for comparison with an independent judge.
 *
 * {"documents":[{"path":"a.json","json":{...}}],"now":"2026-11-21T00:00:00Z","node":"n1","requests":[{"tenant":"org/tenant/app",
 *  "key":"k1","model":"m","endpoint":"chat.completions","headers":{"x-data-class":"secret"},"uninspected":false,"inference_geo":"us",
 *  "features":[{"name":"web_search","where":"tools[0]"}]}]}
 *
 * "key" defaults to "key", "endpoint" to "chat.completions"; a header's value may be a list: one header line each; "bytes" instead of
 * "json" gives a document as text. Answers: {"errors":["file:line:col: text"]} or {"answers":[{"code","eligible","classes","rule",
 * "narrowed","detail"}]}. Every request is judged three times, without cells and twice with those of its world: an answer whose three
 * decisions are not the same in everything has the code "cells differ". With "findings":true in the world also
 * "findings":[{"file","code","text"}], what the documents are warned of.
 */
#include "ngx_module/wire/wire.h"
#include "policy/decide/decide.h"
#include "tests/oracle/world_line.h"
#include "tests/unit/same_decision.h"

#define ANSWER_MAX (1u << 20)
#define CELLS      (256u << 10)      /* bytes: with many requests some give way */

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

/* With cells as without. */
static bool
cells_agree(const gh_image_t *image, gh_decide_input_t input, gh_cells_t *cells, gh_arena_t *arena, const gh_decision_t *plain)
{
    gh_decision_t decision;
    gh_error_t    error;

    input.cells = cells;
    for (int i = 0; i < 2; i++) {
        const char *what = gh_decide(image, &input, arena, &decision, &error) != GH_OK ? "an error" : same_decision(plain, &decision);

        if (what != NULL) {
            fprintf(stderr, "cells differ: %s\n", what);
            return false;
        }
    }
    return true;
}

/* As the body's reader hands it on. */
static gh_str_t
geo_of(gh_arena_t *arena, const gh_node_t *request)
{
    gh_intake_t read;
    gh_error_t  error;
    gh_str_t    body = gh_str_format(arena, "{\"model\":\"m\",\"messages\":[],\"inference_geo\":\"%.*s\"}", GH_STR_ARG(text_of(request, "inference_geo", "global")));

    return gh_intake_parse(arena, GH_ENDPOINT_CHAT_COMPLETIONS, body, &read, &error) == GH_OK ? read.inference_geo : GH_STR("unreadable");
}

static void
judge_request(gh_json_writer_t *w, gh_arena_t *arena, const gh_image_t *image, gh_cells_t *cells, const gh_node_t *world,
    const gh_node_t *request)
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
    intake.inference_geo = geo_of(arena, request);
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
    if (!cells_agree(image, input, cells, arena, &decision)) {
        gh_json_raw(w, GH_STR("{\"code\":\"cells differ\",\"eligible\":[],\"classes\":[]}"));
        return;
    }
    write_answer(w, arena, image, &decision);
}

static void
write_findings(gh_json_writer_t *w, const gh_report_t *report)
{
    gh_json_key(w, "findings");
    gh_json_begin_array(w);
    for (size_t i = 0; i < report->count; i++) {
        gh_json_begin_object(w);
        gh_json_kv_string(w, "file", gh_str_from(report->items[i].error.source));
        gh_json_kv_string(w, "code", gh_str_from(report->items[i].error.code));
        gh_json_kv_string(w, "text", gh_str_from(report->items[i].error.text));
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

static void
judge_world(gh_arena_t *arena, const gh_node_t *world, gh_str_t line, gh_json_writer_t *w)
{
    const gh_node_t *requests;
    gh_report_t      report;
    gh_model_t      *model;
    gh_image_t      *image;
    gh_cells_t      *cells;

    gh_report_init(&report, arena);
    image = world_line_image(arena, world, "documents", line, time_of(text_of(world, "now", "")), &model, &report);
    if (image == NULL) {
        write_errors(w, &report);
        return;
    }
    requests = gh_node_get(world, "requests");
    cells = gh_cells_new(CELLS);
    gh_json_begin_object(w);
    gh_json_key(w, "answers");
    gh_json_begin_array(w);
    for (const gh_node_t *r = requests == NULL ? NULL : requests->first; r != NULL; r = r->next) {
        judge_request(w, arena, image, cells, world, r);
    }
    gh_json_end_array(w);
    if (gh_node_get(world, "findings") != NULL) {
        write_findings(w, &report);
    }
    gh_json_end_object(w);
    gh_cells_free(cells);
    gh_image_unref(image);
}

int
main(void)
{
    return world_lines(ANSWER_MAX, judge_world);
}
