/*
 * Reads JSON documents from stdin, one a line in hexadecimal, and prints one line for each: "ok " and the document written out
 * again from the tree, "duplicate" when only a repeated key speaks against it, or "error OFFSET CODE". For tests/data/check_json.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"

#define LINE_MAX_BYTES (4 * 1024 * 1024)

static int
document(gh_str_t text, char *out, size_t size)
{
    gh_json_reader_t reader;
    gh_json_event_t  event;
    gh_json_writer_t w;
    gh_heap_t        heap;
    gh_node_t       *root;
    gh_error_t       error;
    int              status = 0;

    gh_json_reader_init(&reader, text, 0);
    do {
        event = gh_json_next(&reader);
    } while (event != GH_JSON_END && event != GH_JSON_ERROR);

    gh_heap_init(&heap);
    if (gh_json_parse(&heap.arena, text, "document", &root, &error) == GH_OK) {
        gh_json_writer_init(&w, out, size);
        gh_node_write(&w, root);
        if (event != GH_JSON_END || !gh_json_writer_ok(&w)) {
            fprintf(stderr, "json_events: reader, tree and writer do not agree\n");
            status = 1;
        }
        printf("ok %.*s\n", (int) w.len, out);

    } else if (event == GH_JSON_END) {
        printf("%s\n", strcmp(error.code, "json_duplicate") == 0 ? "duplicate" : "disagree");

    } else {
        printf("error %zu %s\n", reader.error_offset, reader.error_code);
    }
    gh_heap_free(&heap);

    return status;
}

static int
hex_value(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
main(void)
{
    char  *line = malloc(LINE_MAX_BYTES), *out = malloc(LINE_MAX_BYTES * 4), *bytes;
    size_t len, i;
    int    status = 0;

    if (line == NULL || out == NULL) {
        return 2;
    }

    while (fgets(line, LINE_MAX_BYTES, stdin) != NULL) {
        len = strcspn(line, "\n") / 2;
        bytes = malloc(len != 0 ? len : 1);   /* exactly as long as the text: reading past the end is seen */
        if (bytes == NULL) {
            return 2;
        }

        for (i = 0; i < len; i++) {
            int high = hex_value(line[2 * i]), low = hex_value(line[2 * i + 1]);

            if (high < 0 || low < 0) {
                fprintf(stderr, "json_events: a line is not hexadecimal\n");
                return 2;
            }
            bytes[i] = (char) (high << 4 | low);
        }

        status |= document((gh_str_t) { bytes, len }, out, LINE_MAX_BYTES * 4);
        free(bytes);
    }

    free(line);
    free(out);

    return status;
}
