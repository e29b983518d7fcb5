/* The document tree, and the writer. */
#include <stdlib.h>

#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"
#include "tests/unit/check.h"

static void
test_tree(void)
{
    gh_heap_t        heap;
    gh_error_t       error;
    gh_node_t       *root;
    const gh_node_t *node;
    uint64_t         value;

    gh_heap_init(&heap);
    CHECK(gh_json_parse(&heap.arena, GH_STR("{ \"k\\u0065y\": [1, \"\\u20ac\",\n  {\"x\": null}],\n\"t\":true , \"f\":false,\n\t\"\": 1.5}\n"),
        "doc.json", &root, &error) == GH_OK);
    CHECK(root->type == GH_NODE_OBJECT && root->count == 4 && root->line == 1 && root->column == 1);

    node = gh_node_get(root, "key");
    if (CHECK(node != NULL && node->type == GH_NODE_ARRAY && node->count == 3)) {
        CHECK(node->key_line == 1 && node->key_column == 3 && node->line == 1 && node->column == 15);
        node = node->first;
        CHECK(gh_node_u64(node, &value) == GH_OK && value == 1 && node->column == 16);
        node = node->next;
        CHECK(node->type == GH_NODE_STRING && node->column == 19);
        CHECK_STR(node->text, "\xe2\x82\xac");
        node = node->next;
        CHECK(node->type == GH_NODE_OBJECT && node->line == 2 && node->column == 3 && node->next == NULL);
        CHECK(gh_node_get(node, "x")->type == GH_NODE_NULL && gh_node_get(node, "x")->column == 9);
        CHECK(gh_node_get(node, "y") == NULL);
    }
    CHECK(gh_node_get(root, "t")->type == GH_NODE_TRUE && gh_node_get(root, "t")->line == 3);
    CHECK(gh_node_get(root, "f")->type == GH_NODE_FALSE);
    node = gh_node_get(root, "");
    CHECK(node->line == 4 && node->key_column == 2 && node->column == 6 && gh_node_u64(node, &value) == GH_ERROR);
    CHECK_STR(node->text, "1.5");
    CHECK(gh_node_get(node, "x") == NULL && gh_node_get(NULL, "x") == NULL && gh_node_u64(NULL, &value) == GH_ERROR);
    CHECK_STR(gh_str_from(gh_node_type_name(root->type)), "an object");
    CHECK_STR(gh_str_from(gh_node_type_name(GH_NODE_NULL)), "null");

    CHECK(gh_json_parse(&heap.arena, GH_STR("7"), NULL, &root, NULL) == GH_OK && gh_node_u64(root, &value) == GH_OK);
    gh_heap_free(&heap);
}

static void
fails(const char *text, const char *code, uint32_t line, uint32_t column, const char *words)
{
    gh_heap_t  heap;
    gh_error_t error;
    gh_node_t *root = NULL;

    gh_heap_init(&heap);
    memset(&error, 0, sizeof(error));
    CHECK(gh_json_parse(&heap.arena, gh_str_from(text), "d.json", &root, &error) == GH_ERROR && root == NULL);
    if (CHECK(error.code != NULL)) {
        CHECK_STR(gh_str_from(error.code), code);
    }
    CHECK_STR(gh_str_from(error.source), "d.json");
    CHECK_STR(gh_str_from(error.text), words);
    CHECK_INT(error.line, line);
    CHECK_INT(error.column, column);
    CHECK(gh_json_parse(&heap.arena, gh_str_from(text), NULL, &root, NULL) == GH_ERROR);
    gh_heap_free(&heap);
}

static void
test_errors(void)
{
    fails("", "json_syntax", 1, 1, "not valid JSON: unexpected end");
    fails("{\n  \"a\": 1,\n}", "json_syntax", 3, 1, "not valid JSON: unexpected '}'");
    fails("{\n\"a\": \x01}", "json_syntax", 2, 6, "not valid JSON: unexpected byte 0x01");
    fails("[1,\n 2e999]", "json_syntax", 2, 2, "not valid JSON: number out of range");
    fails("{\"a\":1,\n \"b\":2,\n  \"a\":3}", "json_duplicate", 3, 3, "the key \"a\" is given twice, first on line 1");
    fails("[{\"model\":1,\"\\u006dodel\":3}]", "json_duplicate", 1, 13, "the key \"model\" is given twice, first on line 1");
    fails("{\"a\\n\":1,\"a\\n\":1}", "json_duplicate", 1, 10, "the key \"a\\x0a\" is given twice, first on line 1");
}

/* Objects larger than the first table; the same key at different levels is no duplicate. */
static void
test_many_keys(void)
{
    gh_heap_t  heap;
    gh_error_t error;
    gh_node_t *root;
    char      *text = malloc(200000);
    size_t     len = 0, i;

    gh_heap_init(&heap);
    len += (size_t) snprintf(text + len, 100, "{");
    for (i = 0; i < 5000; i++) {
        len += (size_t) snprintf(text + len, 100, "\"k%zu\":{\"k%zu\":%zu},\n", i, i, i);
    }
    snprintf(text + len, 100, "\"k\":0}");
    CHECK(gh_json_parse(&heap.arena, gh_str_from(text), "d", &root, &error) == GH_OK && root->count == 5001);
    CHECK(gh_node_get(root, "k4999")->line == 5000);
    snprintf(text + len, 100, "\"k17\":0}");
    CHECK(gh_json_parse(&heap.arena, gh_str_from(text), "d", &root, &error) == GH_ERROR && error.line == 5001);
    gh_heap_free(&heap);
    free(text);
}

/* The n-th allocation fails, for every n: an error, never a crash, and the same tree once none fails. */
static void
test_no_memory(void)
{
    static const char text[] = "{\"a\":[\"x\\n\",\"y\",{\"b\\u0062\":1}],\"c\":2,\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,"
        "\"7\":1,\"8\":1,\"9\":1}";
    gh_heap_t  heap;
    gh_error_t error;
    gh_node_t *root;
    size_t     n;
    int        status = GH_ERROR;

    for (n = 0; n < 1000 && status != GH_OK; n++) {
        gh_heap_init(&heap);
        heap.limit = n;
        memset(&error, 0, sizeof(error));
        status = gh_json_parse(&heap.arena, gh_str_from(text), "d", &root, &error);
        if (status != GH_OK) {
            CHECK(error.code != NULL && strcmp(error.code, "no_memory") == 0 && root == NULL);
        } else {
            CHECK(root->count == 11 && n > 20);
        }
        gh_heap_free(&heap);
    }
    CHECK(status == GH_OK);
}

static void
test_writer(void)
{
    gh_json_writer_t w;
    char             buffer[512];

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_json_begin_object(&w);
    gh_json_key_text(&w, GH_STR("a\"b"));
    gh_json_plain(&w, GH_STR("x"));
    gh_json_kv_u64(&w, "n", UINT64_MAX);
    gh_json_kv_bool(&w, "t", true);
    gh_json_key(&w, "l");
    gh_json_begin_array(&w);
    gh_json_i64(&w, INT64_MIN);
    gh_json_begin_object(&w);
    gh_json_end_object(&w);
    gh_json_begin_array(&w);
    gh_json_end_array(&w);
    gh_json_null(&w);
    gh_json_bool(&w, false);
    gh_json_raw(&w, GH_STR("{\"raw\":1}"));
    gh_json_string(&w, (gh_str_t) { NULL, 0 });
    gh_json_end_array(&w);
    gh_json_kv_u64(&w, "z", 0);
    gh_json_end_object(&w);
    CHECK(gh_json_writer_ok(&w));
    CHECK_STR(((gh_str_t) { buffer, w.len }), "{\"a\\\"b\":\"x\",\"n\":18446744073709551615,\"t\":true,"
        "\"l\":[-9223372036854775808,{},[],null,false,{\"raw\":1},\"\"],\"z\":0}");

    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_json_string(&w, GH_STR("\"\\/\b\f\n\r\t\x0b\x01\x7f\xc3\xa9\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xff\xc3(\xed\xa0\x80\0"));
    CHECK_STR(((gh_str_t) { buffer, w.len }), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u000b\\u0001\\u007f\xc3\xa9\xe2\x80\xa7\\u2028\\u2029"
        "\xe2\x80\xaa\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\u0000\"");
}

/* Whatever the room, nothing is written past it, and what fits is a prefix. */
static void
test_writer_overflow(void)
{
    static const char whole[] = "{\"k\":[\"a\\n\xc3\xa9\",12,true]}";
    gh_json_writer_t  w;
    size_t            size, i;

    for (size = 0; size <= sizeof(whole) - 1; size++) {
        char *buffer = malloc(size != 0 ? size : 1);

        gh_json_writer_init(&w, buffer, size);
        gh_json_begin_object(&w);
        gh_json_key(&w, "k");
        gh_json_begin_array(&w);
        gh_json_string(&w, GH_STR("a\n\xc3\xa9"));
        gh_json_u64(&w, 12);
        gh_json_bool(&w, true);
        gh_json_end_array(&w);
        gh_json_end_object(&w);
        CHECK(gh_json_writer_ok(&w) == (size == sizeof(whole) - 1));
        CHECK(w.len <= size);
        for (i = 0; i < w.len; i++) {
            if (buffer[i] != whole[i]) {
                CHECK(!"a prefix");
                break;
            }
        }
        free(buffer);
    }
}

int
main(void)
{
    test_tree();
    test_errors();
    test_many_keys();
    test_no_memory();
    test_writer();
    test_writer_overflow();
    return check_done("base tree");
}
