/* A world as one line of JSON, for the drivers that judge random worlds: documents, clock, and their image; and what all drivers do around it. */
#ifndef GH_TEST_WORLD_LINE_H
#define GH_TEST_WORLD_LINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"
#include "policy/compile/compile.h"

static inline gh_str_t
text_of(const gh_node_t *object, const char *key, const char *otherwise)
{
    const gh_node_t *node = gh_node_get(object, key);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : gh_str_from(otherwise);
}

/* "2026-11-21T00:00:00Z" as ms. */
static inline uint64_t
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
static inline gh_str_t
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

static inline gh_document_source_t *
read_documents(gh_arena_t *arena, const gh_node_t *world, const char *member, gh_str_t line, size_t *count)
{
    const gh_node_t      *list = gh_node_get(world, member);
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

static inline void
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

/* The image of the documents in a member of the world, or NULL and the reasons in the report. */
static inline gh_image_t *
world_line_image(gh_arena_t *arena, const gh_node_t *world, const char *member, gh_str_t line, uint64_t now_ms, gh_model_t **model,
    gh_report_t *report)
{
    size_t                count;
    gh_document_source_t *sources = read_documents(arena, world, member, line, &count);
    gh_image_t           *image = NULL;
    gh_error_t            error;

    memset(&error, 0, sizeof(error));
    if (gh_documents_load(arena, sources, count, now_ms, model, report) != GH_OK) {
        return NULL;
    }
    if (gh_compile_image(arena, *model, now_ms, &image, &error) != GH_OK) {
        gh_report_add(report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);
        return NULL;
    }
    return image;
}

/* Writes the answer to a world. line: what the world was read from. */
typedef void (*world_line_fn)(gh_arena_t *arena, const gh_node_t *world, gh_str_t line, gh_json_writer_t *w);

static inline void
world_line_answer(gh_arena_t *arena, gh_str_t line, world_line_fn judge, gh_json_writer_t *w)
{
    gh_node_t  *world;
    gh_report_t report;
    gh_error_t  error = { 0 };

    if (gh_json_parse(arena, line, "stdin", &world, &error) == GH_OK) {
        judge(arena, world, line, w);
        return;
    }

    gh_report_init(&report, arena);
    gh_report_add(&report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);
    write_errors(w, &report);
}

/* One answer a line, of at most answer_max bytes, to each line of stdin. What main returns. */
static inline int
world_lines(size_t answer_max, world_line_fn judge)
{
    char   *answer = malloc(answer_max), *line = NULL;
    size_t  size = 0;
    ssize_t len;

    while (answer != NULL && (len = getline(&line, &size, stdin)) > 0) {
        gh_json_writer_t w;
        gh_heap_t        heap;

        gh_heap_init(&heap);
        gh_json_writer_init(&w, answer, answer_max);
        world_line_answer(&heap.arena, (gh_str_t) { line, (size_t) len }, judge, &w);
        gh_heap_free(&heap);
        if (!gh_json_writer_ok(&w)) {
            fprintf(stderr, "an answer is above %zu bytes\n", answer_max);
            return 1;
        }
        fwrite(w.data, 1, w.len, stdout);
        putchar('\n');
        fflush(stdout);
    }
    free(line);
    free(answer);
    return 0;
}

#endif
