/*
 * What control planes answer: whatever it is, the import fails or its document is valid, is no different from itself, and merging it into itself changes nothing.
 * The first byte says which cloud; then answers with RS between them (tests/unit/import_world.h).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/standalone.h"
#include "tests/unit/import_world.h"

static void
must(int holds)
{
    if (!holds) {
        abort();
    }
}

static void
check(gh_import_t *import, gh_arena_t *arena)
{
    gh_import_summary_t summary;
    gh_differences_t    differences = { NULL, 0, 0 };
    gh_report_t         report;
    gh_error_t          error = { 0 };
    gh_node_t          *document = gh_import_document(import), *again;
    gh_str_t            text, merged;

    must(document != NULL);
    text = gh_tree_print(arena, document);
    must(text.data != NULL && gh_json_parse(arena, text, "document", &again, &error) == GH_OK && gh_tree_same(document, again));
    must(gh_import_summarise(import, text, &summary, &report) == GH_OK && summary.unknown <= summary.targets);
    must(gh_import_compare(import, again, true, &differences, &error) == GH_OK);
    for (uint32_t i = 0; i < differences.count; i++) {
        must(gh_difference_text(arena, &differences.items[i]).data != NULL);
    }
    merged = gh_tree_print(arena, again);
    must(differences.count == 0 && gh_str_eq(merged, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_heap_t      heap;
    import_world_t world;
    gh_import_t    import;
    gh_error_t     error = { 0 };
    gh_str_t       ids[] = { GH_STR("a"), GH_STR("b") };
    gh_str_list_t  list = { ids, 2 };
    uint32_t       changed;
    gh_node_t     *root;

    if (size == 0 || size > 65536) {
        return 0;
    }
    gh_heap_init(&heap);
    world_split(&world, (gh_str_t) { (const char *) data + 1, size - 1 });
    if (world_import(&world, data[0] & 1, &heap.arena, &import, &error) == GH_OK) {
        check(&import, &heap.arena);
    }
    gh_str_t out = gh_drift_out(&heap.arena, world.answers[0], &list, &changed);

    if (out.data != NULL && gh_json_parse(&heap.arena, world.answers[0], "document", &root, &error) == GH_OK) {
        must(gh_json_parse(&heap.arena, out, "document", &root, &error) == GH_OK);
    }
    gh_heap_free(&heap);

    return 0;
}
