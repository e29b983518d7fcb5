/*
 * Fuzzes the JSON reader, tree and writer on one input. clang -fsanitize=fuzzer,address,undefined; or, with FUZZ_STANDALONE
 * defined, a program that runs over the files it is given.
 *
 * Beside not crashing: offsets stay inside and grow; what the tree accepts the reader accepts; written out and read again it is
 * the same; a refused text is refused again when read from a copy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"

#define REQUIRE(cond)                                                              \
    do {                                                                           \
        if (!(cond)) {                                                             \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond);     \
            abort();                                                               \
        }                                                                          \
    } while (0)

/* The events of the whole text; true when it is accepted. */
static bool
read_events(gh_str_t text, uint32_t max_depth, bool skip)
{
    gh_json_reader_t reader;
    gh_json_event_t  event;
    gh_json_seen_t   seen;
    gh_str_t         out;
    size_t           last = 0;
    char             buffer[64];

    gh_json_reader_init(&reader, text, max_depth);
    gh_json_seen_init(&seen);

    for ( ;; ) {
        event = gh_json_next(&reader);
        if (event == GH_JSON_ERROR) {
            REQUIRE(reader.error_code != NULL && reader.error_offset <= text.len);
            REQUIRE(gh_json_next(&reader) == GH_JSON_ERROR);
            return false;
        }
        if (event == GH_JSON_END) {
            REQUIRE(reader.depth == 0 && gh_json_next(&reader) == GH_JSON_END);
            return true;
        }
        REQUIRE(reader.token_offset >= last && reader.token_end > reader.token_offset && reader.token_end <= text.len);
        REQUIRE(reader.depth <= reader.max_depth);
        last = reader.token_end;

        if (event == GH_JSON_KEY || event == GH_JSON_STRING) {
            REQUIRE(text.data[reader.token_offset] == '"' && text.data[reader.token_end - 1] == '"');
            if (gh_json_token_decode(&reader, buffer, sizeof(buffer), &out) == GH_OK) {
                REQUIRE(gh_json_token_is(&reader, out));
            }
        }
        if (event == GH_JSON_KEY && skip) {
            if (gh_json_seen_add(&seen, &reader) != GH_OK) {
                REQUIRE(reader.event == GH_JSON_ERROR);
            } else if (gh_json_skip(&reader) != GH_OK) {
                REQUIRE(reader.event == GH_JSON_ERROR);
            }
            last = reader.event != GH_JSON_ERROR ? reader.token_end : last;
        }
    }
}

static bool
same_tree(const gh_node_t *a, const gh_node_t *b)
{
    const gh_node_t *x, *y;

    if (a->type != b->type || a->count != b->count || !gh_str_eq(a->text, b->text) || !gh_str_eq(a->key, b->key)) {
        return false;
    }
    for (x = a->first, y = b->first; x != NULL && y != NULL; x = x->next, y = y->next) {
        if (!same_tree(x, y)) {
            return false;
        }
    }
    return x == NULL && y == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str_t         text = { (const char *) data, size };
    gh_heap_t        heap;
    gh_node_t       *root, *again;
    gh_error_t       error;
    gh_json_writer_t w;
    char            *buffer;
    bool             accepted, skipped, shallow;

    accepted = read_events(text, 0, false);
    skipped = read_events(text, 0, true);
    shallow = read_events(text, 3, false);
    REQUIRE(accepted || (!skipped && !shallow));

    gh_heap_init(&heap);
    if (gh_json_parse(&heap.arena, text, "fuzz", &root, &error) == GH_OK) {
        REQUIRE(accepted);

        /* the longest escape of one byte: U+FFFD never comes, \u007f may */
        buffer = malloc(size * 6 + 16);
        gh_json_writer_init(&w, buffer, size * 6 + 16);
        gh_node_write(&w, root);
        REQUIRE(gh_json_writer_ok(&w));
        REQUIRE(gh_json_parse(&heap.arena, (gh_str_t) { buffer, w.len }, "again", &again, &error) == GH_OK);
        REQUIRE(same_tree(root, again));
        free(buffer);
    } else {
        REQUIRE(error.code != NULL && error.line >= 1);
        REQUIRE(!accepted || strcmp(error.code, "json_duplicate") == 0);
    }
    gh_heap_free(&heap);

    return 0;
}

#ifdef FUZZ_STANDALONE
int
main(int argc, char **argv)
{
    int      i;
    long     size;
    FILE    *file;
    uint8_t *data;

    for (i = 1; i < argc; i++) {
        file = fopen(argv[i], "rb");
        if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
            perror(argv[i]);
            return 1;
        }
        rewind(file);
        data = malloc((size_t) size + (size == 0));   /* no spare byte: reading past the end is seen */
        if (fread(data, 1, (size_t) size, file) != (size_t) size) {
            perror(argv[i]);
            return 1;
        }
        fclose(file);
        LLVMFuzzerTestOneInput(data, (size_t) size);
        free(data);
    }
    printf("fuzz_json: %d passed, 0 failed\n", argc - 1);
    return 0;
}
#endif
