/*
 * Any bytes as what a gateway reads from its files: documents, credentials/1, key sets, lines of an audit log; and an image and the record of a key with some of
 * their bytes changed. What is taken is whole: documents that load compile, and their image opens; a changed one is refused, or can be read to its end.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/agent/credentials.h"
#include "policy/audit/line.h"
#include "policy/audit/segment.h"
#include "policy/base/base64.h"
#include "policy/compile/compile.h"
#include "policy/identity/key.h"
#include "policy/identity/key_sets.h"
#include "tests/fuzz/standalone.h"

#define NOW_MS UINT64_C(1795262400000)   /* 2026-11-21T12:00:00Z */

static const char *const documents_of[] = {
    "{\"kind\":\"residency/1\",\"name\":\"p\",\"applies_to\":\"o\",\"facts\":\"regions/2026-11-21\",\"places\":{\"mine\":[\"DE\",\"SE\"]},"
    "\"classes\":[\"a\",\"b\"],\"classify\":{\"default\":\"a\"}}",
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"o\",\"classes\":[\"a\"],\"places\":[\"mine\"],\"tenants\":[{\"id\":\"t\",\"apps\":[{\"id\":\"x\"},"
    "{\"id\":\"y\",\"places\":[\"SE\"],\"classes\":[\"b\"]}]}]}]}",
};

/* The compiled form of documents; NULL: they are none. */
static gh_image_t *
image_of(gh_arena_t *arena, const gh_document_source_t *sources, size_t count)
{
    gh_image_t *image = NULL;
    gh_model_t *model;
    gh_report_t report;
    gh_error_t  error;

    memset(&error, 0, sizeof(error));
    gh_report_init(&report, arena);
    if (gh_documents_load(arena, sources, count, NOW_MS, &model, &report) != GH_OK) {
        if (report.errors == 0) {
            abort();
        }
        return NULL;
    }
    if (gh_compile_image(arena, model, NOW_MS, &image, &error) != GH_OK && error.code == NULL) {
        abort();
    }
    return image;
}

static void
documents(gh_arena_t *arena, gh_str_t text)
{
    gh_document_source_t sources[] = { { GH_STR("a.json"), text }, { GH_STR("p.json"), gh_str_from(documents_of[0]) }, { GH_STR("t.json"), gh_str_from(documents_of[1]) } };

    gh_image_t          *image;

    if (memchr(text.data, '{', text.len) == NULL) {
        return;    /* what is no JSON is refused at once, and by fuzz_json */
    }
    image = image_of(arena, sources, text.len % 4 == 0 ? 3 : 1);
    if (image != NULL) {
        gh_image_unref(image);
    }
}

/* Three bytes each: where, and what is changed there. */
static void
changed(uint8_t *bytes, size_t len, const uint8_t *data, size_t size)
{
    for (; size >= 3; data += 3, size -= 3) {
        bytes[((size_t) data[0] << 8 | data[1]) % len] ^= data[2];
    }
}

static void
image(gh_arena_t *arena, const uint8_t *data, size_t size)
{
    static uint8_t   *bytes;
    static size_t     len;
    gh_document_source_t sources[2];
    gh_report_t       report;
    gh_model_t       *model;
    gh_compiled_t     compiled;
    gh_image_t       *opened = NULL;
    gh_error_t        error;
    uint8_t          *copy;

    if (bytes == NULL) {
        for (unsigned i = 0; i < 2; i++) {
            sources[i] = (gh_document_source_t) { gh_str_format(arena, "%u.json", i), gh_str_from(documents_of[i]) };
        }
        gh_report_init(&report, arena);
        if (gh_documents_load(arena, sources, 2, NOW_MS, &model, &report) != GH_OK || gh_compile(arena, model, NULL, NOW_MS, &compiled, &error) != GH_OK) {
            abort();
        }
        len = compiled.image.len;
        bytes = malloc(len);
        memcpy(bytes, compiled.image.data, len);
    }

    copy = malloc(len);
    memcpy(copy, bytes, len);
    changed(copy, len, data, size);
    memset(&error, 0, sizeof(error));
    if (gh_image_open(copy, len - (size % 7 == 0 ? size % len : 0), &opened, &error) == GH_OK) {
        gh_image_unref(opened);
    } else if (error.code == NULL) {
        abort();
    }
    free(copy);
}

static void
key(gh_arena_t *arena, const uint8_t *data, size_t size)
{
    static const gh_key_words_t words = { GH_STR("o"), GH_STR("t"), GH_STR("x"), GH_STR("laptop"), GH_STR("a,b"), GH_STR(""), GH_STR("") };
    uint8_t                     bytes[GH_KEY_RECORD_MAX];
    gh_key_record_t             record;
    gh_identity_t               identity;
    gh_error_t                  error;
    size_t                      len;

    memset(&record, 0, sizeof(record));
    memset(&identity, 0, sizeof(identity));
    memset(&error, 0, sizeof(error));
    record.limit_count = size % 3;
    len = gh_key_record_write(&record, &words, bytes);
    if (len == 0) {
        abort();
    }
    changed(bytes, len, data, size);
    if (gh_key_record_read(bytes, len, arena, &record, &identity, &error) != GH_OK && error.code == NULL) {
        abort();
    }
    (void) gh_key_record_read(data, size, arena, &record, &identity, &error);
}

/* What stands in a member of a line is a part of that line. */
static void
line(gh_str_t text)
{
    gh_line_t read;
    gh_str_t  member;

    memset(&read, 0, sizeof(read));
    if (gh_line_read(text, &read) && text.len == 0) {
        abort();
    }
    member = gh_line_member(text, "data");
    if (member.len != 0 && (member.data < text.data || member.data + member.len > text.data + text.len)) {
        abort();
    }
    (void) gh_line_last(member);
    (void) gh_line_number(text, "n");
}

static void
name(gh_arena_t *arena, gh_str_t text)
{
    gh_str_t          copy = gh_str_format(arena, "%.*s", GH_STR_ARG(text));
    char              written[GH_SEGMENT_NAME];
    gh_segment_name_t parts, again;

    if (copy.data != NULL && gh_segment_name_parse(copy.data, &parts)) {
        gh_segment_name_write(&parts, written);
        if (!gh_segment_name_parse(written, &again) || !gh_str_eq(parts.node, again.node) || parts.epoch_ms != again.epoch_ms
            || parts.pid != again.pid || parts.sequence != again.sequence)
        {
            abort();
        }
    }
}

static void
secrets(gh_arena_t *arena, gh_str_t text)
{
    uint8_t              decoded[512];
    gh_credential_list_t list;
    gh_key_file_t        file;
    gh_report_t          report;
    gh_error_t           error;

    memset(&list, 0, sizeof(list));
    gh_report_init(&report, arena);
    if ((gh_credentials_read(arena, text, "c.json", &list, &report) == GH_OK) != (report.errors == 0)) {
        abort();
    }
    memset(&file, 0, sizeof(file));
    memset(&error, 0, sizeof(error));
    if (gh_key_file_read(arena, text, "k.json", &file, &error) == GH_OK) {
        gh_jwks_free(file.keys);
    } else if (error.code == NULL) {
        abort();
    }
    (void) gh_base64url_decode(text, decoded, sizeof(decoded));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str_t  text = { (const char *) data, size };
    gh_heap_t heap;

    if (size > 1 << 16) {
        return 0;
    }
    gh_heap_init(&heap);
    documents(&heap.arena, text);
    image(&heap.arena, data, size);
    key(&heap.arena, data, size);
    line(text);
    name(&heap.arena, text);
    secrets(&heap.arena, text);
    gh_heap_free(&heap);

    return 0;
}
