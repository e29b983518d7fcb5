#include "policy/identity/key_sets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/base/hash.h"
#include "policy/identity/rules.h"

#define SETTLED_MS 2000u              /* a directory that changed later than this ago may change again under the same time */

typedef struct {
    char            name[256];        /* of the file */
    ino_t           inode;
    struct timespec changed;
    bool            there;            /* in this look */
    uint64_t        number, until_ms;
    uint8_t         digest[32];       /* of source and keys */
    char           *source;           /* malloc'ed */
    size_t          source_len;
    gh_jwks_t      *keys;             /* NULL: the file could not be read */
} set_t;

struct gh_key_sets_s {
    set_t          *items;
    size_t          count, capacity;
    struct timespec seen;             /* change of the directory when all of it was read */
    ino_t           inode;
};

void
gh_key_file_write(gh_json_writer_t *w, const gh_key_file_t *file)
{
    gh_json_begin_object(w);
    gh_json_kv_plain(w, "kind", GH_STR("keys/1"));
    gh_json_kv_string(w, "organisation", file->organisation);
    gh_json_kv_string(w, "id", file->id);
    gh_json_kv_string(w, "source", file->source);
    gh_json_kv_u64(w, "fetched", file->fetched_ms);
    gh_json_kv_u64(w, "until", file->until_ms);
    if (file->etag.len != 0) {
        gh_json_kv_string(w, "etag", file->etag);
    }
    gh_json_key(w, "keys");
    gh_json_raw(w, file->text);
    gh_json_end_object(w);
}

static gh_str_t
text_of(const gh_node_t *root, const char *name)
{
    const gh_node_t *node = gh_node_get(root, name);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

int
gh_key_file_read(gh_arena_t *arena, gh_str_t text, const char *source, gh_key_file_t *file, gh_error_t *error)
{
    const gh_node_t *fetched, *until, *keys;
    gh_json_writer_t w;
    gh_node_t       *root;
    char            *out;

    memset(file, 0, sizeof(*file));
    if (gh_json_parse(arena, text, source, &root, error) != GH_OK) {
        return GH_ERROR;
    }
    if (root->type != GH_NODE_OBJECT || !gh_str_is(text_of(root, "kind"), "keys/1")) {
        return gh_error_at(error, "keys", source, 0, 0, "this is no file of an issuer's keys");
    }
    fetched = gh_node_get(root, "fetched");
    until = gh_node_get(root, "until");
    keys = gh_node_get(root, "keys");
    file->organisation = text_of(root, "organisation");
    file->id = text_of(root, "id");
    file->source = text_of(root, "source");
    file->etag = text_of(root, "etag");
    if (file->organisation.len == 0 || file->id.len == 0 || file->source.len == 0 || keys == NULL || keys->type != GH_NODE_OBJECT || fetched == NULL
        || until == NULL || fetched->type != GH_NODE_NUMBER || until->type != GH_NODE_NUMBER || gh_node_u64(fetched, &file->fetched_ms) != GH_OK
        || gh_node_u64(until, &file->until_ms) != GH_OK)
    {
        return gh_error_at(error, "keys", source, 0, 0, "something is missing in this file of an issuer's keys");
    }
    out = gh_arena_alloc(arena, text.len * 2 + 64);
    if (out == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for an issuer's keys");
    }
    gh_json_writer_init(&w, out, text.len * 2 + 64);
    gh_node_write(&w, keys);
    file->text = (gh_str_t) { out, w.len };
    return gh_json_writer_ok(&w) ? gh_jwks_of(keys, &file->keys, error) : gh_error_at(error, "keys", source, 0, 0, "the keys are too long");
}

/* ---- reading them again ---- */

gh_key_sets_t *
gh_key_sets_new(void)
{
    return calloc(1, sizeof(gh_key_sets_t));
}

static void
forget(set_t *set)
{
    free(set->source);
    gh_jwks_free(set->keys);
    set->source = NULL;
    set->source_len = 0;
    set->keys = NULL;
}

void
gh_key_sets_free(gh_key_sets_t *sets)
{
    if (sets == NULL) {
        return;
    }
    for (size_t i = 0; i < sets->count; i++) {
        forget(&sets->items[i]);
    }
    free(sets->items);
    free(sets);
}

static set_t *
find_name(gh_key_sets_t *sets, const char *name)
{
    for (size_t i = 0; i < sets->count; i++) {
        if (strcmp(sets->items[i].name, name) == 0) {
            return &sets->items[i];
        }
    }
    if (sets->count == GH_KEY_FILES_MAX) {
        return NULL;
    }
    if (sets->count == sets->capacity) {
        size_t capacity = sets->capacity * 2 + 16;
        set_t *items = realloc(sets->items, capacity * sizeof(*items));

        if (items == NULL) {
            return NULL;
        }
        sets->items = items;
        sets->capacity = capacity;
    }
    memset(&sets->items[sets->count], 0, sizeof(set_t));
    memcpy(sets->items[sets->count].name, name, strlen(name) + 1);
    return &sets->items[sets->count++];
}

/* A regular file of a bounded size, whole. data NULL: errno says why not. */
static gh_str_t
read_whole(gh_arena_t *arena, int fd, const struct stat *info)
{
    gh_str_t text = { NULL, 0 };
    char    *data;
    ssize_t  n;

    if (!S_ISREG(info->st_mode) || info->st_size <= 0 || info->st_size > (off_t) GH_KEY_FILE_MAX) {
        errno = EFBIG;
        return text;
    }
    data = gh_arena_alloc(arena, (size_t) info->st_size);
    n = data != NULL ? pread(fd, data, (size_t) info->st_size, 0) : -1;
    return n == (ssize_t) info->st_size ? (gh_str_t) { data, (size_t) n } : text;
}

/* true: its keys, or whose they are, have changed. */
static bool
take(set_t *set, gh_key_file_t *file)
{
    gh_bytes_t parts[] = { { file->source.data, file->source.len }, { " ", 1 }, { file->text.data, file->text.len } };
    uint8_t    digest[32];
    char      *source;
    bool       same;

    gh_sha256_parts(parts, 3, digest);
    set->until_ms = file->until_ms;
    same = set->keys != NULL && memcmp(digest, set->digest, sizeof(digest)) == 0;
    if (same) {
        gh_jwks_free(file->keys);
        return false;
    }
    source = malloc(file->source.len + 1);
    if (source == NULL) {
        gh_jwks_free(file->keys);
        return false;
    }
    memcpy(source, file->source.data, file->source.len);
    forget(set);
    set->source = source;
    set->source_len = file->source.len;
    set->number = gh_rules_number(file->organisation, file->id);
    set->keys = file->keys;
    memcpy(set->digest, digest, sizeof(digest));
    return true;
}

static bool
read_one(set_t *set, int directory, gh_error_t *error)
{
    gh_error_t    wrong = { 0 };
    gh_key_file_t file;
    struct stat   info;
    gh_heap_t     heap;
    gh_str_t      text;
    bool          changed = false;
    int           fd = openat(directory, set->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd == -1 || fstat(fd, &info) != 0) {
        gh_error_at(&wrong, "keys", set->name, 0, 0, "an issuer's keys cannot be read: %s", strerror(errno));
    } else {
        gh_heap_init(&heap);
        set->inode = info.st_ino;
        set->changed = info.st_mtim;
        text = read_whole(&heap.arena, fd, &info);
        if (text.data == NULL) {
            gh_error_at(&wrong, "keys", set->name, 0, 0, "an issuer's keys cannot be read: %s", strerror(errno));
        } else if (gh_key_file_read(&heap.arena, text, set->name, &file, &wrong) == GH_OK) {
            changed = take(set, &file);
        }
        gh_heap_free(&heap);
    }
    if (fd != -1) {
        close(fd);
    }
    if (wrong.code != NULL && error->code == NULL) {
        *error = wrong;
    }
    return changed;
}

static bool
is_current(const set_t *set, int directory)
{
    struct stat info;

    return set->inode != 0 && fstatat(directory, set->name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_ino == set->inode
        && info.st_mtim.tv_sec == set->changed.tv_sec && info.st_mtim.tv_nsec == set->changed.tv_nsec;
}

static bool
drop_missing(gh_key_sets_t *sets)
{
    size_t kept = 0;
    bool   changed = false;

    for (size_t i = 0; i < sets->count; i++) {
        if (sets->items[i].there) {
            sets->items[kept++] = sets->items[i];
        } else {
            changed |= sets->items[i].keys != NULL;
            forget(&sets->items[i]);
        }
    }
    sets->count = kept;
    return changed;
}

bool
gh_key_sets_look(gh_key_sets_t *sets, const char *directory, uint64_t now_ms, gh_error_t *error)
{
    struct dirent *entry;
    struct stat    info;
    unsigned       read = 0;
    bool           changed = false, whole = true;
    DIR           *stream;
    set_t         *set;
    size_t         len;

    memset(error, 0, sizeof(*error));
    if (stat(directory, &info) == 0 && info.st_ino == sets->inode && info.st_mtim.tv_sec == sets->seen.tv_sec && info.st_mtim.tv_nsec == sets->seen.tv_nsec) {
        return false;
    }
    for (size_t i = 0; i < sets->count; i++) {
        sets->items[i].there = false;
    }
    stream = opendir(directory);
    if (stream == NULL && errno != ENOENT) {
        gh_error_at(error, "keys", directory, 0, 0, "the directory of issuers' keys cannot be read: %s", strerror(errno));
        return false;
    }
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || len < 6 || memcmp(entry->d_name + len - 5, ".json", 6) != 0 || (set = find_name(sets, entry->d_name)) == NULL) {
            continue;
        }
        set->there = true;
        if (is_current(set, dirfd(stream))) {
            continue;
        }
        if (read++ < GH_KEY_SETS_TURN) {
            changed |= read_one(set, dirfd(stream), error);
        } else {
            whole = false;
        }
    }
    if (stream != NULL) {
        closedir(stream);
        if (whole && (uint64_t) info.st_mtim.tv_sec * 1000 + SETTLED_MS < now_ms) {
            sets->seen = info.st_mtim;
            sets->inode = info.st_ino;
        }
    }
    return drop_missing(sets) || changed;
}

const gh_jwks_t *
gh_key_sets_find(const gh_key_sets_t *sets, uint64_t number, gh_str_t source, uint64_t *until_ms)
{
    for (size_t i = 0; sets != NULL && i < sets->count; i++) {
        const set_t *set = &sets->items[i];

        if (set->number == number && set->keys != NULL && gh_str_eq((gh_str_t) { set->source, set->source_len }, source)) {
            *until_ms = set->until_ms;
            return set->keys;
        }
    }
    return NULL;
}
