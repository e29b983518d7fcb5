/*
 * What loading finds in sets of documents: one JSON object a line on stdin, as tests/oracle/world_line.h reads it, one list a line on
 * stdout: [{"file","line","column","severity","code","text"}].
 */
#include "tests/oracle/world_line.h"

#define ANSWER_MAX (1u << 20)

static void
write_finding(gh_json_writer_t *w, const gh_report_item_t *item)
{
    gh_json_begin_object(w);
    gh_json_kv_string(w, "file", gh_str_from(item->error.source));
    gh_json_kv_u64(w, "line", item->error.line);
    gh_json_kv_u64(w, "column", item->error.column);
    gh_json_kv_string(w, "severity", item->severity == GH_SEVERITY_ERROR ? GH_STR("error") : GH_STR("warning"));
    gh_json_kv_string(w, "code", gh_str_from(item->error.code));
    gh_json_kv_string(w, "text", gh_str_from(item->error.text));
    gh_json_end_object(w);
}

static void
find(gh_arena_t *arena, gh_str_t line, gh_json_writer_t *w)
{
    gh_document_source_t *sources;
    gh_report_t           report;
    gh_model_t           *model;
    gh_node_t            *world;
    gh_error_t            error;
    size_t                count;

    gh_report_init(&report, arena);
    if (gh_json_parse(arena, line, "stdin", &world, &error) != GH_OK) {
        gh_report_add(&report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);
    } else {
        sources = read_documents(arena, world, "documents", line, &count);
        gh_documents_load(arena, sources, count, time_of(text_of(world, "now", "")), &model, &report);
    }
    gh_json_begin_array(w);
    for (size_t i = 0; i < report.count; i++) {
        write_finding(w, &report.items[i]);
    }
    gh_json_end_array(w);
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
        find(&heap.arena, (gh_str_t) { line, (size_t) len }, &w);
        gh_heap_free(&heap);
        if (!gh_json_writer_ok(&w)) {
            fprintf(stderr, "the findings are above %u bytes\n", ANSWER_MAX);
            return 1;
        }
        fwrite(w.data, 1, w.len, stdout);
        putchar('\n');
    }
    free(line);
    return 0;
}
