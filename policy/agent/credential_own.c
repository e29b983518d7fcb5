#include "policy/agent/credential_own.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/agent/credential_hand.h"
#include "policy/base/hash.h"
#include "policy/base/json_tree.h"
#include "policy/base/json_writer.h"

#define FROM_MAX 256u
#define NAME_SIZE 96u

typedef struct { char source[65], file[65]; } own_t;

/* "" when there is no such file. */
static void
hash_file(gh_arena_t *arena, const char *directory, gh_str_t name, char hash[65])
{
    gh_str_t   path = gh_str_format(arena, "%s/%.*s", directory, GH_STR_ARG(name)), text;
    gh_error_t error = { 0 };
    uint8_t    bytes[32];

    hash[0] = '\0';
    if (path.data != NULL && gh_secret_file(arena, path.data, "the credential", false, &text, &error) == GH_OK) {
        gh_sha256(text.data, text.len, bytes);
        explicit_bzero((char *) (uintptr_t) text.data, text.len);
        gh_hex(bytes, sizeof(bytes), hash);
        hash[64] = '\0';
    }
}

static bool
take(const gh_node_t *root, const char *member, char out[65])
{
    const gh_node_t *node = gh_node_get(root, member);

    if (node == NULL || node->type != GH_NODE_STRING || node->text.len != 64) {
        return false;
    }
    snprintf(out, 65, "%.*s", GH_STR_ARG(node->text));
    return true;
}

/* What stands beside it, when it still is that file. */
static bool
is_own(gh_arena_t *arena, const char *directory, gh_str_t name, own_t *own)
{
    gh_str_t   path = gh_str_format(arena, "%s/.%.*s.from", directory, GH_STR_ARG(name)), text;
    gh_error_t error = { 0 };
    gh_node_t *root;
    char       hash[65];

    if (path.data == NULL || gh_secret_file(arena, path.data, "its source", false, &text, &error) != GH_OK
        || gh_json_parse(arena, text, path.data, &root, &error) != GH_OK || root->type != GH_NODE_OBJECT || !take(root, "source", own->source)
        || !take(root, "file", own->file))
    {
        return false;
    }
    hash_file(arena, directory, name, hash);
    return strcmp(hash, own->file) == 0;
}

int
gh_credential_own(gh_arena_t *arena, const char *directory, const gh_credential_source_t *source, gh_error_t *error)
{
    gh_json_writer_t w;
    own_t            now, was;
    char             buffer[FROM_MAX], name[NAME_SIZE];

    gh_credential_source_mark(source, now.source);
    if (is_own(arena, directory, source->id, &was) && strcmp(was.source, now.source) == 0) {
        return GH_OK;
    }
    hash_file(arena, directory, source->id, now.file);
    snprintf(name, sizeof(name), ".%.*s.from", GH_STR_ARG(source->id));
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_json_begin_object(&w);
    gh_json_kv_string(&w, "source", gh_str_from(now.source));
    gh_json_kv_string(&w, "file", gh_str_from(now.file));
    gh_json_end_object(&w);
    return now.file[0] != '\0' && gh_json_writer_ok(&w) ? gh_credential_put(directory, name, (gh_str_t) { buffer, w.len }, error)
        : gh_error_set(error, "hand_over", "%s: what was handed over cannot be read again", name);
}

bool
gh_credential_own_replaced(gh_arena_t *arena, const char *directory, const gh_credential_source_t *source)
{
    own_t own;
    char  mark[65];

    gh_credential_source_mark(source, mark);
    return is_own(arena, directory, source->id, &own) && strcmp(own.source, mark) != 0 && gh_credential_withdraw(arena, directory, source->id, false);
}

/* ".NAME" and the end, which is taken off; "" when it is another file. */
static gh_str_t
name_of(const char *entry, const char *end)
{
    size_t len = strlen(entry), tail = strlen(end);

    return len > 1 + tail && entry[0] == '.' && strcmp(entry + len - tail, end) == 0 ? (gh_str_t) { entry + 1, len - 1 - tail } : GH_STR("");
}

static bool
has(const gh_credential_list_t *list, gh_str_t name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (gh_str_eq(list->items[i].id, name)) {
            return true;
        }
    }
    return false;
}

/* false: it is still there. */
static bool
drop(const char *directory, gh_str_t name, void (*gone)(const char *name))
{
    gh_heap_t heap;
    gh_str_t  path;
    own_t     own;
    bool      mine, went;

    gh_heap_init(&heap);
    path = gh_str_format(&heap.arena, "%s/%.*s", directory, GH_STR_ARG(name));
    mine = path.data != NULL && is_own(&heap.arena, directory, name, &own);
    went = mine && unlink(path.data) == 0;
    if (went && gone != NULL) {
        gone(path.data + strlen(directory) + 1);
    }
    gh_heap_free(&heap);
    return went || !mine;
}

void
gh_credential_own_sweep(const char *directory, const gh_credential_list_t *list, void (*gone)(const char *name))
{
    DIR           *stream = opendir(directory);
    struct dirent *entry;

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        gh_str_t from = name_of(entry->d_name, ".from"), name = from.len != 0 ? from : name_of(entry->d_name, ".why");

        if (name.len == 0 || has(list, name)) {
            continue;
        }
        if (from.len == 0 || drop(directory, name, gone)) {
            (void) unlinkat(dirfd(stream), entry->d_name, 0);
        }
    }
    if (stream != NULL) {
        closedir(stream);
    }
}
