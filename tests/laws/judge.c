/* Worlds through the program's own way: documents, the loader, the compiler, the one decision function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compile/compile.h"
#include "policy/decide/decide.h"
#include "tests/laws/world.h"

const char *const endpoint_words[3] = { "chat.completions", "completions", "embeddings" };

typedef struct { line_t lines[8]; unsigned count; } headers_t;

unsigned
request_lines(const request_t *request, line_t lines[8])
{
    static const char *const names[] = { "x-data-class", "X-Sensitivity" };
    unsigned                 n = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (request->label_sent[i]) {
            lines[n].name = names[i];
            snprintf(lines[n++].value, sizeof(lines[0].value), "%s", request->labels[i]);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        if (request->places[i]) {
            lines[n].name = "x-gatehouse-places";
            text_places(lines[n++].value, sizeof(lines[0].value), request->places[i]);
        }
    }
    if (request->noise) {
        static const char *const noise[][2] = { { "x-gatehouse-tenant", "w1/t0/a0" }, { "x-data-classes", "public" },
            { "host", "eu.api.openai.com" }, { "x-gatehouse-node", "n2" } };

        for (unsigned i = 0; i < 4; i++) {
            lines[n].name = noise[i][0];
            snprintf(lines[n++].value, sizeof(lines[0].value), "%s", noise[i][1]);
        }
    }
    return n;
}

static bool
header(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const headers_t *headers = context;

    for (unsigned i = 0; i < headers->count; i++) {
        if (gh_str_eq_nocase(gh_str_from(headers->lines[i].name), name) && index-- == 0) {
            *value = gh_str_from(headers->lines[i].value);
            return true;
        }
    }
    return false;
}

void
request_model(const request_t *request, unsigned index, char *out, size_t size)
{
    /* before the name and behind it: none is a name */
    static const char *const odd[ODD_MODELS][2] = { { "", "" }, { "", "" }, { "", " " }, { "azure/", "" }, { "", "-up" }, { "", "/../m1" },
        { "", "*" }, { " ", "" }, { "", "%00" }, { "", ":free" } };

    snprintf(out, size, "%sw%u-m%u%s%s", odd[request->odd_model][0], index, request->model, request->alias ? "-alias" : "",
        odd[request->odd_model][1]);
    if (request->odd_model == 1) {
        out[0] = 'W';
    }
}

uint64_t
request_ms(const request_t *request)
{
    return request->at_ms ? request->at_ms : NOW_MS + request->days * DAY_MS;
}

static void
intake_of(const request_t *request, const char *model, gh_intake_t *intake)
{
    memset(intake, 0, sizeof(*intake));
    intake->model = gh_str_from(model);
    intake->endpoint = (gh_endpoint_t) request->endpoint;
    intake->n = 1;
    intake->uninspected = request->uninspected;
    for (unsigned i = 0; i <= FEATURES; i++) {
        if (request->features >> i & 1) {
            intake->features[intake->feature_count++]
                = (gh_feature_use_t) { i < FEATURES ? gh_str_from(feature_words[i]) : GH_STR(""), GH_STR("tools[0].type") };
        }
    }
}

/* "w3-d2": 2 */
static unsigned
deployment_number(gh_str_t id)
{
    return (unsigned) (id.data[id.len - 1] - '0');
}

static bool
judge_request(const gh_image_t *image, gh_arena_t *arena, const request_t *request, unsigned index, answer_t *answer)
{
    char              path[32], model[64];
    headers_t         headers;
    gh_identity_t     identity;
    gh_intake_t       intake;
    gh_decide_input_t input;
    gh_decision_t     decision;
    gh_error_t        error;

    memset(&identity, 0, sizeof(identity));
    memset(&input, 0, sizeof(input));
    memset(answer, 0, sizeof(*answer));
    snprintf(path, sizeof(path), "w%u/t%u/a%u", index, request->tenant, request->app);
    request_model(request, index, model, sizeof(model));
    intake_of(request, model, &intake);
    headers.count = request_lines(request, headers.lines);
    identity.path = gh_str_from(path);
    identity.key = GH_STR("k1");
    input.identity = &identity;
    input.intake = &intake;
    input.node = gh_str_from(node_name(request->node));
    input.now_ms = request_ms(request);
    input.header = header;
    input.header_context = &headers;
    if (gh_decide(image, &input, arena, &decision, &error) != GH_OK || decision.route_count > DEPLOYMENTS
        || (decision.code == GH_DECIDED_ALLOW) != (decision.route_count > 0))
    {
        return false;
    }
    answer->code = (uint8_t) decision.code;
    answer->count = (uint8_t) decision.route_count;
    answer->classes = decision.class_count;
    answer->until_ms = decision.valid_until_ms;
    for (uint32_t i = 0; i < decision.route_count; i++) {
        gh_target_t target;

        gh_image_target(image, decision.route[i], &target);
        answer->route[i] = (uint8_t) deployment_number(target.deployment);
        answer->eligible |= 1u << answer->route[i];
    }
    return true;
}

static void
first_error(const gh_report_t *report, char *why, size_t size)
{
    for (size_t i = 0; i < report->count; i++) {
        const gh_error_t *error = &report->items[i].error;

        if (report->items[i].severity == GH_SEVERITY_ERROR) {
            snprintf(why, size, "%s:%u:%u: %s", error->source, error->line, error->column, error->text);
            return;
        }
    }
    snprintf(why, size, "refused without an error");
}

static gh_image_t *
compile(gh_arena_t *arena, const text_t *text, char *why, size_t size)
{
    static gh_document_source_t sources[512];
    gh_report_t                 report;
    gh_model_t                 *model;
    gh_image_t                 *image = NULL;
    gh_error_t                  error;

    for (unsigned i = 0; i < text->count; i++) {
        const text_document_t *d = &text->documents[i];

        sources[i] = (gh_document_source_t) { gh_str_from(d->path), { text->bytes + d->begin, d->length } };
    }
    gh_report_init(&report, arena);
    if (gh_documents_load(arena, sources, text->count, NOW_MS, &model, &report) != GH_OK) {
        first_error(&report, why, size);
        return NULL;
    }
    if (gh_compile_image(arena, model, NOW_MS, &image, &error) != GH_OK) {
        snprintf(why, size, "%s", error.text);
    }
    return image;
}

bool
judge_worlds(const world_t *const *worlds, unsigned n, answer_t (*answers)[REQUESTS], char *why, size_t size)
{
    static char   bytes[1u << 20];
    static text_t text = { .bytes = bytes, .size = sizeof(bytes) };
    gh_heap_t     heap;
    gh_image_t   *image;
    bool          good = true;

    text.length = 0;
    text.count = 0;
    text_nodes(&text);
    for (unsigned i = 0; i < n; i++) {
        if (worlds[i] != NULL) {
            text_world(&text, worlds[i], i);
        }
    }
    gh_heap_init(&heap);
    image = compile(&heap.arena, &text, why, size);
    for (unsigned i = 0; i < n && image != NULL && good; i++) {
        for (unsigned q = 0; worlds[i] != NULL && q < REQUESTS && good; q++) {
            good = worlds[i]->requests[q].gone || judge_request(image, &heap.arena, &worlds[i]->requests[q], i, &answers[i][q]);
            if (!good) {
                snprintf(why, size, "w%u, request %u: no decision", i, q);
            }
        }
    }
    good = good && image != NULL;
    gh_image_unref(image);
    gh_heap_free(&heap);
    return good;
}
