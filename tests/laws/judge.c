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

typedef struct {                       /* a request as gh_decide is asked */
    char              path[32], model[64];
    headers_t         headers;
    gh_identity_t     identity;
    gh_intake_t       intake;
    gh_decide_input_t input;
} asked_t;

static void
ask(const request_t *request, unsigned index, asked_t *asked)
{
    memset(&asked->identity, 0, sizeof(asked->identity));
    memset(&asked->input, 0, sizeof(asked->input));
    snprintf(asked->path, sizeof(asked->path), "w%u/t%u/a%u", index, request->tenant, request->app);
    request_model(request, index, asked->model, sizeof(asked->model));
    intake_of(request, asked->model, &asked->intake);
    asked->headers.count = request_lines(request, asked->headers.lines);
    asked->identity.path = gh_str_from(asked->path);
    asked->identity.key = GH_STR("k1");
    asked->input.identity = &asked->identity;
    asked->input.intake = &asked->intake;
    asked->input.node = gh_str_from(node_name(request->node));
    asked->input.now_ms = request_ms(request);
    asked->input.header = header;
    asked->input.header_context = &asked->headers;
}

static bool
judge_request(const gh_image_t *image, gh_arena_t *arena, const request_t *request, unsigned index, answer_t *answer)
{
    asked_t       asked;
    gh_decision_t decision;
    gh_error_t    error;

    memset(answer, 0, sizeof(*answer));
    ask(request, index, &asked);
    if (gh_decide(image, &asked.input, arena, &decision, &error) != GH_OK || decision.route_count > DEPLOYMENTS
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

/* ---- cells ---- */

cells_counts_t cells_counts;

/* Everything that a decision says, as text. */
static gh_str_t
decision_text(gh_arena_t *arena, const gh_image_t *image, const gh_decision_t *decision)
{
    static char      bytes[1u << 16];
    gh_json_writer_t w;
    gh_str_t         text;

    gh_json_writer_init(&w, bytes, sizeof(bytes));
    gh_decision_write(&w, image, decision);
    text = gh_str_format(arena, "%.*s %.*s %d %d %llu %llu", (int) w.len, w.data, GH_STR_ARG(decision->detail), decision->narrowed,
        decision->narrowed_by_request, (unsigned long long) decision->valid_until_ms, (unsigned long long) decision->clock_ms);
    for (uint32_t i = 0; i < decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &decision->targets[i];

        text = gh_str_format(arena, "%.*s %u:%d:%d:%u:%u:%d", GH_STR_ARG(text), verdict->target, (int) verdict->code, (int) verdict->rule,
            verdict->misses, verdict->class_index, verdict->store_false);
    }
    return gh_json_writer_ok(&w) ? text : GH_STR("too long");
}

static void
compare_cell(const gh_image_t *image, gh_cells_t *cells, const request_t *request, unsigned index, uint64_t now_ms)
{
    asked_t       asked;
    gh_decision_t plain, kept;
    gh_error_t    error;
    gh_heap_t     heap;
    gh_str_t      expected, got;

    gh_heap_init(&heap);
    ask(request, index, &asked);
    asked.input.now_ms = now_ms;
    if (gh_decide(image, &asked.input, &heap.arena, &plain, &error) == GH_OK) {
        asked.input.cells = cells;
        if (gh_decide(image, &asked.input, &heap.arena, &kept, &error) != GH_OK) {
            cells_counts.broken++;
        } else {
            expected = decision_text(&heap.arena, image, &plain);
            got = decision_text(&heap.arena, image, &kept);
            if (!gh_str_eq(expected, got) && cells_counts.broken++ < 3) {
                fprintf(stderr, "cells: %s asks for %s at %llu\n  judged %.*s\n  kept   %.*s\n", asked.path, asked.model,
                    (unsigned long long) now_ms, GH_STR_ARG(expected), GH_STR_ARG(got));
            }
        }
    }
    cells_counts.compared++;
    gh_heap_free(&heap);
}

/* Every request again and again as time moves: to the last instant of what was found, to the first after it, and back. */
static void
compare_cells(const gh_image_t *image, const world_t *const *worlds, unsigned n, answer_t (*answers)[REQUESTS])
{
    static gh_cells_t *cells;          /* few enough that some give way; of the image before at first */

    if (cells == NULL) {
        cells = gh_cells_new(160u << 10);
    }
    for (unsigned turn = 0; turn < 5 && cells != NULL; turn++) {
        for (unsigned i = 0; i < n; i++) {
            for (unsigned q = 0; worlds[i] != NULL && q < REQUESTS; q++) {
                const request_t *request = &worlds[i]->requests[q];
                uint64_t         until = answers[i][q].until_ms, now = request_ms(request);

                if (!request->gone) {
                    compare_cell(image, cells, request, i, turn < 2 || turn == 4 || until == UINT64_MAX ? now : until - (turn == 2));
                }
            }
        }
    }
    if (cells != NULL) {
        cells_counts.found = gh_cells_counts(cells).found;
        cells_counts.dropped = gh_cells_counts(cells).dropped;
    }
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
    return judge_worlds_with(worlds, n, answers, false, why, size);
}

bool
judge_worlds_with(const world_t *const *worlds, unsigned n, answer_t (*answers)[REQUESTS], bool with_cells, char *why, size_t size)
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
    if (good && with_cells) {
        compare_cells(image, worlds, n, answers);
    }
    gh_image_unref(image);
    gh_heap_free(&heap);
    return good;
}
