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
find(gh_arena_t *arena, const gh_node_t *world, gh_str_t line, gh_json_writer_t *w)
{
    gh_document_source_t *sources;
    gh_report_t           report;
    gh_model_t           *model;
    size_t                count;

    gh_report_init(&report, arena);
    sources = read_documents(arena, world, "documents", line, &count);
    gh_documents_load(arena, sources, count, time_of(text_of(world, "now", "")), &model, &report);
    gh_json_begin_array(w);
    for (size_t i = 0; i < report.count; i++) {
        write_finding(w, &report.items[i]);
    }
    gh_json_end_array(w);
}

int
main(void)
{
    return world_lines(ANSWER_MAX, find);
}
