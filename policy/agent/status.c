#include "policy/agent/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"

#define KIND        "agent-status/1"
#define HEAD_BYTES  1024u
#define ROW_BYTES   8192u         /* of a source: its name, an error of 512 bytes, each of which may be six as JSON */

static void
write_source(gh_json_writer_t *w, const gh_source_t *source)
{
    gh_json_begin_object(w);
    gh_json_kv_string(w, "kind", gh_str_from(source->kind));
    gh_json_kv_string(w, "name", gh_str_from(source->name));
    gh_json_kv_u64(w, "began_ms", source->began_ms);
    gh_json_kv_u64(w, "succeeded_ms", source->succeeded_ms);
    gh_json_kv_u64(w, "due_ms", source->due_ms);
    gh_json_kv_u64(w, "until_ms", source->until_ms);
    gh_json_kv_u64(w, "again", source->again);
    gh_json_kv_u64(w, "idle", source->idle);
    gh_json_kv_u64(w, "failures", source->failures);
    gh_json_kv_string(w, "code", gh_str_from(source->code));
    gh_json_kv_string(w, "error", gh_str_from(source->error));
    gh_json_end_object(w);
}

static size_t
write_all(char *buffer, size_t size, const gh_status_t *status, const gh_sources_t *sources)
{
    gh_json_writer_t w;

    gh_json_writer_init(&w, buffer, size);
    gh_json_begin_object(&w);
    gh_json_kv_string(&w, "kind", GH_STR(KIND));
    gh_json_kv_string(&w, "version", gh_str_from(status->version));
    gh_json_kv_string(&w, "node", gh_str_from(status->node));
    gh_json_kv_u64(&w, "pid", status->pid);
    gh_json_kv_u64(&w, "began_ms", status->began_ms);
    gh_json_kv_u64(&w, "written_ms", status->written_ms);
    gh_json_kv_u64(&w, "ended", status->ended);
    gh_json_kv_string(&w, "ledger", gh_str_from(status->ledger));
    gh_json_kv_string(&w, "store", gh_str_from(status->store));
    gh_json_kv_u64(&w, "sweeps", status->sweeps);
    gh_json_kv_string(&w, "sweep", gh_str_from(status->sweep));
    gh_json_kv_u64(&w, "swept_ms", status->swept_ms);
    gh_json_key(&w, "sources");
    gh_json_begin_array(&w);
    for (size_t i = 0; i < gh_sources_count(sources); i++) {
        write_source(&w, gh_sources_at(sources, i));
    }
    gh_json_end_array(&w);
    gh_json_end_object(&w);
    return gh_json_writer_ok(&w) ? w.len : 0;
}

int
gh_status_write(const char *directory, const gh_status_t *status, const gh_sources_t *sources, gh_error_t *error)
{
    char   fresh[1400], path[1400], *buffer;
    size_t size = HEAD_BYTES + gh_sources_count(sources) * ROW_BYTES, len;
    int    fd = -1, rc = GH_ERROR;

    snprintf(path, sizeof(path), "%s/status.json", directory);
    snprintf(fresh, sizeof(fresh), "%s/.status.json.new", directory);
    buffer = malloc(size);
    len = buffer != NULL ? write_all(buffer, size, status, sources) : 0;
    errno = len != 0 ? 0 : ENOMEM;
    if (len != 0) {
        fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    }
    if (fd != -1) {
        (void) fchmod(fd, 0640);
        rc = write(fd, buffer, len) == (ssize_t) len && rename(fresh, path) == 0 ? GH_OK : GH_ERROR;
    }
    if (rc != GH_OK) {
        gh_error_at(error, "status_write", path, 0, 0, "%s cannot be written: %s", path, strerror(errno));
    }
    if (fd != -1) {
        close(fd);
    }
    free(buffer);
    return rc;
}

/* ---- and read ---- */

static gh_str_t
text_of(const gh_node_t *object, const char *name)
{
    const gh_node_t *node = gh_node_get(object, name);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

static uint64_t
number_of(const gh_node_t *object, const char *name)
{
    const gh_node_t *node = gh_node_get(object, name);
    uint64_t         value = 0;

    return node != NULL && gh_node_u64(node, &value) == GH_OK ? value : 0;
}

static int
take_sources(gh_arena_t *arena, const gh_node_t *list, gh_status_seen_t *seen, gh_error_t *error)
{
    if (list == NULL || list->type != GH_NODE_ARRAY) {
        return GH_OK;
    }
    seen->sources = gh_arena_array(arena, list->count + 1, sizeof(*seen->sources));
    if (seen->sources == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    for (const gh_node_t *one = list->first; one != NULL; one = one->next) {
        if (one->type == GH_NODE_OBJECT) {
            seen->sources[seen->count++] = (gh_status_source_t) { text_of(one, "kind"), text_of(one, "name"), text_of(one, "code"), text_of(one, "error"),
                number_of(one, "began_ms"), number_of(one, "succeeded_ms"), number_of(one, "due_ms"), number_of(one, "until_ms"), number_of(one, "failures"),
                number_of(one, "again") != 0, number_of(one, "idle") != 0 };
        }
    }
    return GH_OK;
}

int
gh_status_read(gh_arena_t *arena, const char *directory, gh_status_seen_t *seen, bool *there, gh_error_t *error)
{
    gh_str_t    path = gh_str_format(arena, "%s/status.json", directory);
    struct stat info;
    gh_node_t  *root;
    char       *data;
    ssize_t     n = -1;
    int         fd;

    memset(seen, 0, sizeof(*seen));
    *there = false;
    if (path.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd == -1) {
        return errno == ENOENT ? GH_OK : gh_error_at(error, "status", path.data, 0, 0, "%s cannot be read: %s", path.data, strerror(errno));
    }
    *there = true;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= (off_t) GH_STATUS_MAX
        && (data = gh_arena_alloc(arena, (size_t) info.st_size + 1)) != NULL)
    {
        n = pread(fd, data, (size_t) info.st_size, 0);
    }
    close(fd);
    if (n < 0) {
        return gh_error_at(error, "status", path.data, 0, 0, "%s cannot be read", path.data);
    }
    if (gh_json_parse(arena, (gh_str_t) { data, (size_t) n }, path.data, &root, error) != GH_OK) {
        return GH_ERROR;
    }
    if (root->type != GH_NODE_OBJECT || !gh_str_is(text_of(root, "kind"), KIND)) {
        return gh_error_at(error, "status", path.data, 0, 0, "%s is no " KIND, path.data);
    }
    *seen = (gh_status_seen_t) { .version = text_of(root, "version"), .node = text_of(root, "node"), .ledger = text_of(root, "ledger"), .store = text_of(root, "store"), .sweep = text_of(root, "sweep"),
        .pid = number_of(root, "pid"), .began_ms = number_of(root, "began_ms"), .written_ms = number_of(root, "written_ms"), .swept_ms = number_of(root, "swept_ms"),
        .ended = number_of(root, "ended") != 0, .sweeps = number_of(root, "sweeps") != 0 };
    return take_sources(arena, gh_node_get(root, "sources"), seen, error);
}
