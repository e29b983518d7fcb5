/* The writer of the record: chain, rolling, and every way a file can fail. */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/audit/record_writer.h"
#include "policy/base/hash.h"
#include "policy/base/json_tree.h"
#include "tests/unit/check.h"

static char      directory[256];
static gh_heap_t heap;

static char *
file_name(char *path, size_t size, const char *node, unsigned sequence)
{
    snprintf(path, size, "%s/open/%s-1700000000000-77-%u.jsonl", directory, node, sequence);
    return path;
}

static gh_str_t
file_read(const char *path)
{
    static char bytes[1 << 20];
    ssize_t     len;
    int         fd = open(path, O_RDONLY);

    if (fd == -1) {
        return (gh_str_t) { NULL, 0 };
    }
    len = read(fd, bytes, sizeof(bytes));
    close(fd);
    return (gh_str_t) { bytes, len > 0 ? (size_t) len : 0 };
}

static unsigned
file_count(void)
{
    char           path[300];
    DIR           *dir;
    struct dirent *entry;
    unsigned       count = 0;

    snprintf(path, sizeof(path), "%s/open", directory);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

/* An empty open/ directory. */
static void
directory_clear(void)
{
    char           path[300], file[600];
    DIR           *dir;
    struct dirent *entry;

    snprintf(path, sizeof(path), "%s/open", directory);
    mkdir(path, 0700);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
            unlink(file);
        }
    }
    closedir(dir);
}

static bool
contains(gh_str_t text, const char *part)
{
    size_t len = strlen(part), i;

    for (i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Every line is JSON, numbered from 0, and carries the hash of the one before. Returns the lines; chain goes on in *chain. */
static unsigned
check_chain(const char *path, char chain[64])
{
    gh_str_t    text = file_read(path);
    const char *p = text.data, *end = text.data + text.len, *newline;
    char        prefix[128];
    uint8_t     digest[32];
    unsigned    lines = 0;
    gh_node_t  *root;
    gh_error_t  error;

    CHECK(text.len != 0 && end[-1] == '\n');

    for (; p < end; p = newline + 1, lines++) {
        newline = memchr(p, '\n', (size_t) (end - p));
        if (!CHECK(newline != NULL)) {
            break;
        }
        snprintf(prefix, sizeof(prefix), "{\"prev\":\"%.64s\",\"n\":%u,\"v\":1,\"type\":\"", chain, lines);
        CHECK((size_t) (newline - p) > strlen(prefix) && memcmp(p, prefix, strlen(prefix)) == 0);
        CHECK(gh_json_parse(&heap.arena, (gh_str_t) { p, (size_t) (newline - p) }, "line", &root, &error) == GH_OK);
        CHECK(newline - p < GH_RECORD_LINE_MAX);
        gh_sha256(p, (size_t) (newline - p), digest);
        gh_hex(digest, 32, chain);
    }
    return lines;
}

static gh_record_t *
record_open(const char *node, uint64_t segment_bytes)
{
    gh_record_options_t options = {
        .directories = { directory }, .node = gh_str_from(node), .country = GH_STR("DE"), .version = GH_STR("0.1"),
        .epoch_ms = UINT64_C(1700000000000), .worker = 3, .pid = 77, .segment_bytes = segment_bytes
    };

    return gh_record_open(&options);
}

#define BODY    GH_STR("{\"v\":1,\"type\":\"decision\",\"t\":1700000000123,\"id\":\"x\"}")
#define SOON    GH_STR("{\"v\":1,\"type\":\"decision\",\"t\":1700000000132,\"id\":\"x\"}")
#define AFTER   GH_STR("{\"v\":1,\"type\":\"decision\",\"t\":1700000000133,\"id\":\"x\"}")
#define LATER   GH_STR("{\"v\":1,\"type\":\"decision\",\"t\":1700000000323,\"id\":\"x\"}")
#define OUTCOME GH_STR("{\"v\":1,\"type\":\"outcome\",\"t\":1700000000124,\"id\":\"x\"}")

static void
test_append(void)
{
    gh_record_t *record;
    gh_error_t   error;
    char         path[512], chain[64];
    struct stat  st;
    gh_str_t     text;
    const char  *first =
        "{\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"n\":0,\"v\":1,\"type\":\"segment\","
        "\"t\":1700000000123,\"node\":\"fra-1\",\"country\":\"DE\",\"worker\":3,\"epoch\":1700000000000,\"pid\":77,\"version\":\"0.1\"}\n";

    directory_clear();
    record = record_open("fra-1", 0);
    CHECK(file_count() == 0);
    CHECK(gh_record_append(record, BODY, &error) == GH_OK);
    CHECK(gh_record_append(record, OUTCOME, &error) == GH_OK);
    CHECK(file_count() == 1);

    file_name(path, sizeof(path), "fra-1", 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0660);
    text = file_read(path);
    CHECK(gh_str_starts(text, gh_str_from(first)));
    memset(chain, '0', 64);
    CHECK_INT(check_chain(path, chain), 3);

    /* bodies that would break the file */
    CHECK(gh_record_append(record, GH_STR(""), &error) == GH_ERROR);
    CHECK(gh_record_append(record, GH_STR("{}"), &error) == GH_ERROR);
    CHECK(gh_record_append(record, GH_STR("{\"v\":1,\"type\":\"d\",\"t\":1,\"a\":\n1}"), &error) == GH_ERROR);
    CHECK(gh_record_append(record, GH_STR("{\"v\":1,\"type\":\"d\",\"a\":1}"), &error) == GH_ERROR);
    CHECK(gh_record_append(record, GH_STR("[\"a\"]"), NULL) == GH_ERROR);
    CHECK(strcmp(error.code, "audit_unavailable") == 0);
    gh_record_close(record);
    gh_record_close(NULL);

    memset(chain, '0', 64);
    CHECK_INT(check_chain(path, chain), 4);
    CHECK(contains(file_read(path), "\"type\":\"seal\",\"t\":1700000000124,\"lines\":3,\"bytes\":"));
    CHECK(stat(path, &st) == 0 && st.st_blocks * 512 < 64 * 1024);   /* the room for outcomes was given back */
}

static void
test_line_limit(void)
{
    static char  body[GH_RECORD_LINE_MAX + 100];
    gh_record_t *record;
    gh_error_t   error;
    char         path[512], chain[64];
    size_t       len, largest = 0;

    directory_clear();
    record = record_open("fra-1", 0);
    for (len = GH_RECORD_BODY_MAX - 14; len < GH_RECORD_LINE_MAX + 50; len += 6) {
        memset(body, 'x', len);
        memcpy(body, "{\"v\":1,\"type\":\"d\",\"t\":1,\"a\":\"", 29);
        memcpy(body + len - 2, "\"}", 2);
        if (gh_record_append(record, (gh_str_t) { body, len }, &error) == GH_OK) {
            largest = len;
        }
    }
    CHECK(largest >= GH_RECORD_BODY_MAX - 6 && largest <= GH_RECORD_BODY_MAX);
    gh_record_close(record);
    memset(chain, '0', 64);
    CHECK(check_chain(file_name(path, sizeof(path), "fra-1", 0), chain) > 1);
}

static void
test_roll(void)
{
    gh_record_t *record;
    gh_error_t   error;
    char         path[512], chain[64], next[128];
    unsigned     i, lines = 0, files;

    directory_clear();
    record = record_open("fra-1", 2000);
    for (i = 0; i < 60; i++) {
        CHECK(gh_record_append(record, i % 2 != 0 ? OUTCOME : BODY, &error) == GH_OK);
    }
    files = file_count();
    CHECK(files > 4);
    memset(chain, '0', 64);
    for (i = 0; i < files; i++) {
        lines += check_chain(file_name(path, sizeof(path), "fra-1", i), chain) - 1;
        CHECK(file_read(path).len <= 2000 + 400);          /* lines, then a seal */
        if (i + 1 < files) {
            snprintf(next, sizeof(next), "\"next_file\":\"fra-1-1700000000000-77-%u.jsonl\"}\n", i + 1);
            CHECK(contains(file_read(path), next));
            lines--;
        }
    }
    CHECK_INT(lines, 60);
    CHECK(contains(file_read(path), "\"previous_file\":\"fra-1-1700000000000-77-"));
    gh_record_close(record);

    /* the names are taken: the next free one */
    record = record_open("fra-1", 2000);
    CHECK(gh_record_append(record, BODY, &error) == GH_OK);
    CHECK_INT(file_count(), files + 1);
    gh_record_close(record);

    /* a name cannot leave the directory */
    record = record_open("../../x/\xff", 2000);
    CHECK(gh_record_append(record, BODY, &error) == GH_OK);
    CHECK(file_read(file_name(path, sizeof(path), "_._.._x__", 0)).len != 0);
    gh_record_close(record);
}

static void
test_missing_directory(void)
{
    gh_record_t *record;
    gh_error_t   error;
    char         path[512], away[512], chain[64];

    directory_clear();
    snprintf(path, sizeof(path), "%s/open", directory);
    snprintf(away, sizeof(away), "%s/away", directory);
    rename(path, away);
    record = record_open("fra-1", 0);
    CHECK(gh_record_append(record, BODY, &error) == GH_ERROR);
    CHECK(strcmp(error.code, "audit_unavailable") == 0 && strstr(error.text, "cannot make") != NULL);
    rename(away, path);
    CHECK(gh_record_append(record, BODY, &error) == GH_ERROR);   /* not asked again in the same moment */
    CHECK(gh_record_append(record, LATER, &error) == GH_OK);
    memset(chain, '0', 64);
    CHECK_INT(check_chain(file_name(path, sizeof(path), "fra-1", 0), chain), 2);
    gh_record_close(record);
}

/* Somebody else's hands on the file: what follows goes to a new one, which names the old. */
static void
test_tampered(void)
{
    gh_record_t *record;
    gh_error_t   error;
    char         path[512], next[512], chain[64], after[64];
    int          fd;

    file_name(path, sizeof(path), "fra-1", 0);
    file_name(next, sizeof(next), "fra-1", 1);

    directory_clear();
    record = record_open("fra-1", 0);
    CHECK(gh_record_append(record, BODY, &error) == GH_OK);
    memset(chain, '0', 64);
    check_chain(path, chain);
    unlink(path);
    CHECK(gh_record_append(record, LATER, &error) == GH_OK);
    memcpy(after, chain, 64);
    CHECK_INT(check_chain(next, after), 2);
    CHECK(contains(file_read(next), "\"previous_file\":\"fra-1-1700000000000-77-0.jsonl\",\"previous_error\":\"removed or"));
    gh_record_close(record);

    directory_clear();
    record = record_open("fra-1", 0);
    CHECK(gh_record_append(record, BODY, &error) == GH_OK);
    fd = open(path, O_WRONLY | O_APPEND);
    CHECK(write(fd, "{\"half", 6) == 6);
    close(fd);
    CHECK(gh_record_append(record, LATER, &error) == GH_OK);
    memcpy(after, chain, 64);
    CHECK_INT(check_chain(next, after), 2);
    CHECK(contains(file_read(next), "\"torn_bytes\":6}"));
    gh_record_close(record);

    directory_clear();
    record = record_open("fra-1", 0);
    CHECK(gh_record_append(record, BODY, &error) == GH_OK);
    CHECK(truncate(path, 10) == 0);
    CHECK(gh_record_append(record, LATER, &error) == GH_OK);
    memcpy(after, chain, 64);
    CHECK_INT(check_chain(next, after), 2);
    gh_record_close(record);

    /* it was looked at a moment ago: what comes too soon goes where the file went, what comes later does not */
    directory_clear();
    record = record_open("fra-1", 0);
    CHECK(gh_record_append(record, BODY, &error) == GH_OK);
    unlink(path);
    CHECK(gh_record_append(record, SOON, &error) == GH_OK);
    CHECK_INT(file_count(), 0);
    CHECK(gh_record_append(record, AFTER, &error) == GH_OK);
    CHECK_INT(file_count(), 1);
    CHECK(contains(file_read(next), "\"t\":1700000000133,\"id\""));
    gh_record_close(record);
}

int
main(void)
{
    const char *base = getenv("TMPDIR");
    char        path[300];

    snprintf(directory, sizeof(directory), "%.200s/gatehouse-record-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return 1;
    }
    gh_heap_init(&heap);

    test_append();
    test_line_limit();
    test_roll();
    test_missing_directory();
    test_tampered();

    gh_heap_free(&heap);
    directory_clear();
    snprintf(path, sizeof(path), "%s/open", directory);
    rmdir(path);
    rmdir(directory);

    return check_done("record writer");
}
