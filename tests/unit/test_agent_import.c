/* What an import does when memory ends at any point, and documents from which deployments are taken out. */
#include <stdio.h>

#include "tests/unit/check.h"
#include "tests/unit/import_world.h"

static gh_str_t
file(gh_arena_t *arena, const char *path)
{
    FILE    *in = fopen(path, "rb");
    gh_str_t text = { "", 0 };
    char     buffer[32768];

    if (CHECK(in != NULL)) {
        text = gh_str_copy(arena, (gh_str_t) { buffer, fread(buffer, 1, sizeof(buffer), in) });
        fclose(in);
    }

    return text;
}

/* GH_OK: all of it; *targets is how many there are. */
static int
whole(gh_str_t text, gh_arena_t *arena, gh_import_summary_t *summary, gh_error_t *error)
{
    import_world_t   world;
    gh_import_t      import;
    gh_report_t      report;
    gh_differences_t differences = { NULL, 0, 0 };
    gh_node_t       *document;
    gh_str_t         printed;

    world_split(&world, (gh_str_t) { text.data + 1, text.len - 1 });
    if (world_import(&world, text.data[0] == '1', arena, &import, error) != GH_OK) {
        return GH_ERROR;
    }
    document = gh_import_document(&import);
    printed = document != NULL ? gh_tree_print(arena, document) : (gh_str_t) { NULL, 0 };
    if (printed.data == NULL || gh_import_compare(&import, document, true, &differences, error) != GH_OK) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    CHECK_INT(differences.count, 0);

    return gh_import_summarise(&import, printed, summary, &report) == GH_OK ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

/* Every failed allocation is an error that says so; none is a document with something missing. */
static void
test_memory_that_ends(gh_str_t text, unsigned targets)
{
    gh_import_summary_t summary = { 0 };
    size_t              n = 0;
    int                 rc;

    do {
        gh_heap_t  heap;
        gh_error_t error = { 0 };

        gh_heap_init(&heap);
        heap.limit = n;
        rc = whole(text, &heap.arena, &summary, &error);
        if (rc != GH_OK && !CHECK(error.code != NULL && strcmp(error.code, "import_denied") != 0)) {
            break;
        }
        if (rc == GH_OK) {
            CHECK_INT(summary.targets, targets);
        }
        gh_heap_free(&heap);
        n += 1 + n / 64;
    } while (rc != GH_OK && n < 1000000);
    CHECK_INT(rc, GH_OK);
}

static void
test_taking_out(gh_arena_t *arena)
{
    static const struct {
        const char *in, *out;         /* out NULL: no such document */
        unsigned    changed;
    } rows[] = {
        { "{\"deployments\":[{\"id\":\"a\",\"serves\":[\"x\"]}]}", "{\"deployments\":[{\"id\":\"a\",\"serves\":[]}]}", 1 },
        { "{\"deployments\":[{\"serves\":[\"x\",\"y\"],\"id\":\"a\"}]}", "{\"deployments\":[{\"serves\":[],\"id\":\"a\"}]}", 1 },
        { "{\"deployments\":[{\"id\":\"b\",\"serves\":[\"x\"]}]}", "{\"deployments\":[{\"id\":\"b\",\"serves\":[\"x\"]}]}", 0 },
        { "{\"deployments\":[{\"id\":\"a\",\"serves\":[]}]}", "{\"deployments\":[{\"id\":\"a\",\"serves\":[]}]}", 0 },
        { "{\"deployments\":[{\"id\":\"a\"}]}", "{\"deployments\":[{\"id\":\"a\"}]}", 0 },
        { "{\"deployments\":[{\"id\":\"a\",\"models\":{\"m\":{\"serves\": [ \"x\" ] },\"n\":{}}}]}",
          "{\"deployments\":[{\"id\":\"a\",\"models\":{\"m\":{\"serves\": [] },\"n\":{}}}]}", 1 },
        { "{\"models\":{\"serves\":[\"x\"]},\"deployments\":[{\"id\":\"\\u0061\",\"s\\u0065rves\":[\"x\"]}]}",
          "{\"models\":{\"serves\":[\"x\"]},\"deployments\":[{\"id\":\"\\u0061\",\"s\\u0065rves\":[]}]}", 1 },
        { "{}", "{}", 0 },
        { "[]", NULL, 0 }, { "{\"deployments\":{}}", NULL, 0 }, { "{\"deployments\":[{\"id\":\"a\",\"serves\":[7]}]}", NULL, 0 },
        { "{\"deployments\":[{\"id\":\"a\",\"serves\":\"x\"}]}", NULL, 0 }, { "{\"deployments\":[{\"id\":\"a\",\"models\":[]}]}", NULL, 0 },
        { "{\"deployments\":[{\"id\":\"a\",\"serves\":[\"x\"]}]", NULL, 0 },
    };
    gh_str_t      ids[] = { GH_STR("a") };
    gh_str_list_t list = { ids, 1 };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t changed;
        gh_str_t out = gh_drift_out(arena, gh_str_from(rows[i].in), &list, &changed);

        if (rows[i].out == NULL) {
            CHECK(out.data == NULL);
        } else if (CHECK(out.data != NULL)) {
            CHECK_STR(out, rows[i].out);
            CHECK_INT(changed, rows[i].changed);
        }
    }
}

/* Written and read again it is the same tree, whatever is in it; and the same tree is the same text. */
static void
test_printing(gh_arena_t *arena)
{
    static const char *const texts[] = {
        "{}", "[ 1, -0.5e3, true, false, null, \"\\u0001\\\"\\\\\\u2028\" ]", "{\"a\":{\"b\":[]},\"c\":{}}",
        "{\"long\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\",{\"x\":[[[1]]]}]}",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        gh_node_t *read, *again;
        gh_error_t error = { 0 };
        gh_str_t   text;

        CHECK_INT(gh_json_parse(arena, gh_str_from(texts[i]), "text", &read, &error), GH_OK);
        text = gh_tree_print(arena, read);
        CHECK(text.data != NULL && text.data[text.len - 1] == '\n');
        CHECK_INT(gh_json_parse(arena, text, "text", &again, &error), GH_OK);
        CHECK(gh_tree_same(read, again));
        CHECK(gh_str_eq(gh_tree_print(arena, again), text));
    }
}

int
main(void)
{
    gh_heap_t heap;

    gh_heap_init(&heap);
    test_taking_out(&heap.arena);
    test_printing(&heap.arena);
    test_memory_that_ends(file(&heap.arena, "tests/fuzz/corpus/fuzz_agent_import/bedrock"), 5);
    test_memory_that_ends(file(&heap.arena, "tests/fuzz/corpus/fuzz_agent_import/azure"), 3);
    gh_heap_free(&heap);

    return check_done("agent import");
}
