/* A small world for tests of the store and of decisions: documents as text, an image of them, one request. */
#ifndef GH_TEST_WORLD_H
#define GH_TEST_WORLD_H

#include <stdlib.h>

#include "policy/compile/compile.h"
#include "policy/decide/decide.h"
#include "tests/unit/check.h"

#define WORLD_NOW 1795262400000u    /* 2026-11-21T12:00:00Z */
#define WORLD_EVIDENCE "\"evidence\":{\"by\":\"counsel\",\"on\":\"2026-01-15\",\"source\":\"contract 17\"}"

/* An image of documents; NULL after printing every error. */
static inline gh_image_t *
world_image(gh_arena_t *arena, const char *const *documents, size_t count)
{
    gh_document_source_t *sources = gh_arena_array(arena, count, sizeof(*sources));
    gh_report_t           report;
    gh_model_t           *model;
    gh_image_t           *image = NULL;
    gh_error_t            error;

    memset(&error, 0, sizeof(error));
    for (size_t i = 0; i < count; i++) {
        sources[i] = (gh_document_source_t) { gh_str_format(arena, "%zu.json", i), gh_str_from(documents[i]) };
    }
    gh_report_init(&report, arena);
    if (gh_documents_load(arena, sources, count, WORLD_NOW, &model, &report) != GH_OK) {
        for (size_t i = 0; i < report.count; i++) {
            fprintf(stderr, "%s:%u:%u: %s\n", report.items[i].error.source, report.items[i].error.line,
                report.items[i].error.column, report.items[i].error.text);
        }
        return NULL;
    }
    if (gh_compile_image(arena, model, WORLD_NOW, &image, &error) != GH_OK) {
        fprintf(stderr, "%s: %s\n", error.code, error.text);
    }
    return image;
}

typedef struct { const char *name, *value; } world_header_t;

typedef struct {
    gh_identity_t     identity;
    gh_intake_t       intake;
    gh_decide_input_t input;
    world_header_t    headers[8];
    gh_decision_t     decision;
    gh_error_t        error;
} world_request_t;

static inline bool
world_header(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const world_header_t *headers = context;

    for (int i = 0; i < 8 && headers[i].name != NULL; i++) {
        if (gh_str_eq_nocase(gh_str_from(headers[i].name), name) && index-- == 0) {
            *value = gh_str_from(headers[i].value);
            return true;
        }
    }
    return false;
}

static inline void
world_request(world_request_t *request, const char *path, const char *model)
{
    memset(request, 0, sizeof(*request));
    request->identity.path = gh_str_from(path);
    request->identity.key = GH_STR("k1");
    request->intake.model = gh_str_from(model);
    request->input.node = GH_STR("n1");
    request->input.now_ms = WORLD_NOW;
    request->input.header = world_header;
}

static inline gh_verdict_code_t
world_decide(gh_image_t *image, world_request_t *request, gh_arena_t *arena)
{
    request->input.identity = &request->identity;
    request->input.intake = &request->intake;
    request->input.header_context = request->headers;
    CHECK_INT(gh_decide(image, &request->input, arena, &request->decision, &request->error), GH_OK);
    return request->decision.code;
}

/* Deployments of the route in order, "a b c". */
static inline gh_str_t
world_route(const gh_image_t *image, const world_request_t *request, gh_arena_t *arena)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < request->decision.route_count; i++) {
        gh_target_t target;

        gh_image_target(image, request->decision.route[i], &target);
        text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), i > 0 ? " " : "", GH_STR_ARG(target.deployment));
    }
    return text;
}

#endif
