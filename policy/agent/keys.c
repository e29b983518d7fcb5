#include "policy/agent/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/agent/fetch.h"
#include "policy/agent/log.h"
#include "policy/identity/issuers.h"
#include "policy/identity/key_sets.h"
#include "policy/store/image_format.h"

typedef struct issuer_s issuer_t;

struct issuer_s {
    gh_source_t  source;
    gh_keys_t   *keys;
    issuer_t    *next;
    gh_heap_t    heap;                /* of what follows, which never changes */
    gh_str_t     organisation, id, issuer, place, at;
    gh_keys_at_t keys_at;
    uint64_t     keep_ms, number;
    const char  *file;                /* its name in the directory */
    bool         wanted;              /* by the policy that is being read */
    bool         leaves;

    char        *text, *etag, *url;   /* malloc'ed: of the set that its file has, and where it came from; NULL: none. Changed in the main thread, while no flight is under way */
    uint64_t     until_ms;
    char         said[32];            /* code of the failure that was logged */
};

struct gh_keys_s {
    gh_sources_t *sources;
    const char   *directory, *files, *ca_file;
    issuer_t     *issuers;
    uint64_t      serial;             /* of the image they are of; 0: none */
};

typedef struct {                      /* of a flight */
    gh_str_t text, etag, url;
    int64_t  fresh_ms;                /* -1: not said */
    bool     same;                    /* as the set there was */
} fetched_t;

/* ---- in a thread ---- */

static int
ask(const issuer_t *issuer, gh_str_t url, const char *etag, const _Atomic int *stop, gh_arena_t *arena, gh_fetch_answer_t *answer, gh_error_t *error)
{
    gh_fetch_header_t  headers[2] = { { GH_STR("Accept"), GH_STR("application/json") }, { GH_STR("If-None-Match"), gh_str_from(etag != NULL ? etag : "") } };
    gh_fetch_request_t request = { .url = url, .headers = headers, .headers_count = etag != NULL ? 2 : 1, .ca_file = issuer->keys->ca_file,
                                   .body_max = GH_JWKS_MAX, .stop = stop };

    if (gh_fetch(&request, arena, answer, error) != GH_OK) {
        return GH_ERROR;
    }
    if (answer->status != 200 && !(answer->status == 304 && etag != NULL)) {
        return gh_error_set(error, "keys_status", "%.*s answered with status %u", GH_STR_ARG(gh_fetch_shown(url)), answer->status);
    }
    return GH_OK;
}

/* The URL of the keys, of an issuer's metadata that is its own. */
static int
discover(const issuer_t *issuer, const _Atomic int *stop, gh_arena_t *arena, gh_str_t *url, gh_error_t *error)
{
    const gh_node_t  *says, *uri;
    gh_fetch_answer_t answer;
    gh_node_t        *root;
    gh_str_t          shown = gh_fetch_shown(issuer->place);

    if (ask(issuer, issuer->place, NULL, stop, arena, &answer, error) != GH_OK || gh_json_parse(arena, answer.body, "the issuer's metadata", &root, error) != GH_OK) {
        return GH_ERROR;
    }
    says = root->type == GH_NODE_OBJECT ? gh_node_get(root, "issuer") : NULL;
    uri = root->type == GH_NODE_OBJECT ? gh_node_get(root, "jwks_uri") : NULL;
    if (says == NULL || says->type != GH_NODE_STRING || !gh_str_eq(says->text, issuer->issuer)) {
        return gh_error_set(error, "keys_issuer", "%.*s is the metadata of another issuer than the document's, or of none", GH_STR_ARG(shown));
    }
    if (uri == NULL || uri->type != GH_NODE_STRING) {
        return gh_error_set(error, "keys_metadata", "%.*s has no \"jwks_uri\"", GH_STR_ARG(shown));
    }
    /* Clear text leads on to clear text of this machine alone, as gh_fetch has it; https does not lead down to it. */
    if (!gh_str_starts(uri->text, GH_STR("https://")) && !gh_str_starts(issuer->place, GH_STR("http://"))) {
        return gh_error_set(error, "keys_metadata", "%.*s has a \"jwks_uri\" that is no https:// URL", GH_STR_ARG(shown));
    }
    *url = uri->text;
    return GH_OK;
}

static int
read_file(const issuer_t *issuer, gh_arena_t *arena, gh_str_t *text, gh_error_t *error)
{
    gh_str_t    path = gh_str_format(arena, "%s/%.*s", issuer->keys->files, GH_STR_ARG(issuer->place));
    struct stat info;
    char       *data;
    ssize_t     n = -1;
    int         fd = path.data != NULL ? open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

    if (fd == -1 || fstat(fd, &info) != 0) {
        gh_error_set(error, "keys_file", "%s cannot be read: %s", path.data != NULL ? path.data : "", strerror(errno));
    } else if (!S_ISREG(info.st_mode) || info.st_size > (off_t) GH_JWKS_MAX) {
        gh_error_set(error, "keys_file", "%s is no file of at most %u bytes", path.data, GH_JWKS_MAX);
    } else {
        data = gh_arena_alloc(arena, (size_t) info.st_size + 1);
        n = data != NULL ? pread(fd, data, (size_t) info.st_size, 0) : -1;
        *text = (gh_str_t) { data, n > 0 ? (size_t) n : 0 };
        if (n < 0) {
            gh_error_set(error, "keys_file", "%s cannot be read: %s", path.data, strerror(errno));
        }
    }
    if (fd != -1) {
        close(fd);
    }
    return n < 0 ? GH_ERROR : GH_OK;
}

static int
run(void *context, const _Atomic int *stop, gh_arena_t *arena, void **result, gh_error_t *error)
{
    issuer_t         *issuer = context;
    fetched_t        *fetched = gh_arena_alloc(arena, sizeof(*fetched));
    gh_str_t          url = issuer->place;
    gh_fetch_answer_t answer;
    gh_jwks_t        *set;

    if (fetched == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    fetched->fresh_ms = GH_KEYS_FILE_MS;
    if (issuer->keys_at == GH_KEYS_FILE) {
        if (read_file(issuer, arena, &fetched->text, error) != GH_OK) {
            return GH_ERROR;
        }
    } else {
        if (issuer->keys_at == GH_KEYS_DISCOVERY && discover(issuer, stop, arena, &url, error) != GH_OK) {
            return GH_ERROR;
        }
        /* an ETag is one of its URL, which discovery may say anew each time */
        if (ask(issuer, url, issuer->url != NULL && gh_str_is(url, issuer->url) ? issuer->etag : NULL, stop, arena, &answer, error) != GH_OK) {
            return GH_ERROR;
        }
        fetched->same = answer.status == 304;
        fetched->text = answer.body;
        fetched->url = url;
        fetched->etag = gh_fetch_header(&answer, "etag");
        fetched->fresh_ms = gh_fetch_fresh_ms(&answer);
    }
    if (!fetched->same) {
        if (gh_jwks_read(fetched->text, "the issuer's keys", &set, error) != GH_OK) {
            return GH_ERROR;
        }
        gh_jwks_free(set);
    }
    *result = fetched;
    return GH_OK;
}

/* ---- in the main thread ---- */

/* A file that is there as a whole, or not at all; on the disk. */
static int
write_file(const issuer_t *issuer, const gh_key_file_t *file, gh_error_t *error)
{
    char             fresh[1400], path[1400];
    size_t           size = GH_KEY_FILE_MAX;
    char            *data = malloc(size);
    gh_json_writer_t w;
    int              fd = -1, rc = GH_ERROR, directory;

    snprintf(path, sizeof(path), "%s/%s", issuer->keys->directory, issuer->file);
    snprintf(fresh, sizeof(fresh), "%s/.%s.new", issuer->keys->directory, issuer->file);
    if (data != NULL) {
        gh_json_writer_init(&w, data, size);
        gh_key_file_write(&w, file);
        fd = gh_json_writer_ok(&w) ? open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640) : -1;
    }
    if (fd != -1) {
        (void) fchmod(fd, 0640);
        rc = write(fd, data, w.len) == (ssize_t) w.len && fsync(fd) == 0 && rename(fresh, path) == 0 ? GH_OK : GH_ERROR;
    }
    if (rc != GH_OK) {
        gh_error_at(error, "keys_write", path, 0, 0, "%s cannot be written: %s", path, strerror(errno));
    }
    if (fd != -1) {
        close(fd);
    }
    free(data);
    directory = rc == GH_OK ? open(issuer->keys->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory != -1) {
        fsync(directory);
        close(directory);
    }
    return rc;
}

static char *
copy(gh_str_t s)
{
    char *out = malloc(s.len + 1);

    if (out != NULL) {
        memcpy(out, s.data != NULL ? s.data : "", s.len);
        out[s.len] = '\0';
    }
    return out;
}

/* What is the same is written again only to say that it counts for longer, and not each time. */
static int
take(issuer_t *issuer, const fetched_t *fetched, uint64_t now_ms, gh_error_t *error)
{
    bool          same = fetched->same || (issuer->text != NULL && gh_str_is(fetched->text, issuer->text));
    gh_key_file_t file = { .organisation = issuer->organisation, .id = issuer->id, .source = issuer->at, .etag = fetched->etag,
                           .text = same ? gh_str_from(issuer->text) : fetched->text, .fetched_ms = now_ms, .until_ms = now_ms + issuer->keep_ms };

    if (same && issuer->until_ms > now_ms + issuer->keep_ms - issuer->keep_ms / 8 && issuer->until_ms <= now_ms + issuer->keep_ms) {
        return GH_OK;
    }
    if (fetched->same && file.etag.len == 0 && issuer->etag != NULL) {
        file.etag = gh_str_from(issuer->etag);
    }
    if (write_file(issuer, &file, error) != GH_OK) {
        return GH_ERROR;
    }
    issuer->until_ms = file.until_ms;
    if (!same) {
        free(issuer->text);
        free(issuer->etag);
        free(issuer->url);
        issuer->text = copy(fetched->text);
        issuer->etag = issuer->text != NULL && fetched->etag.len != 0 ? copy(fetched->etag) : NULL;
        issuer->url = copy(fetched->url);
        gh_log(GH_LOG_NOTICE, "keys of an issuer were fetched", "issuer", issuer->source.name, NULL);
    }
    return GH_OK;
}

static uint64_t
done(void *context, void *result, const gh_error_t *error, uint64_t now_ms, gh_error_t *failed)
{
    issuer_t  *issuer = context;
    fetched_t *fetched = result;
    uint64_t   every;

    if (error == NULL && take(issuer, fetched, now_ms, failed) != GH_OK) {
        error = failed;
    }
    issuer->source.until_ms = issuer->until_ms;
    if (error != NULL) {
        if (strcmp(issuer->said, error->code) != 0) {
            snprintf(issuer->said, sizeof(issuer->said), "%s", error->code);
            gh_log_error(issuer->until_ms > now_ms ? GH_LOG_WARNING : GH_LOG_ERROR, issuer->until_ms > now_ms
                ? "keys of an issuer cannot be fetched; the last ones count for now" : "keys of an issuer cannot be fetched, and it has none", error,
                "issuer", issuer->source.name, NULL);
        }
        return 0;
    }
    if (issuer->said[0] != '\0') {
        issuer->said[0] = '\0';
        gh_log(GH_LOG_NOTICE, "keys of an issuer can be fetched again", "issuer", issuer->source.name, NULL);
    }
    if (issuer->keys_at == GH_KEYS_FILE) {
        return GH_KEYS_FILE_MS;
    }
    every = fetched->fresh_ms < 0 ? GH_KEYS_EVERY_MS : (uint64_t) fetched->fresh_ms;
    every = every < GH_KEYS_EVERY_MIN_MS ? GH_KEYS_EVERY_MIN_MS : every > GH_KEYS_EVERY_MAX_MS ? GH_KEYS_EVERY_MAX_MS : every;
    /* often enough that some may fail before the keys' time is over */
    return every < issuer->keep_ms / 3 ? every : issuer->keep_ms / 3;
}

/* ---- which issuers there are ---- */

static void
free_issuer(issuer_t *issuer)
{
    free(issuer->text);
    free(issuer->etag);
    free(issuer->url);
    gh_heap_free(&issuer->heap);
    free(issuer);
}

gh_keys_t *
gh_keys_new(gh_sources_t *sources, const char *directory, const char *files, const char *ca_file)
{
    gh_keys_t *keys = calloc(1, sizeof(*keys));

    if (keys != NULL) {
        *keys = (gh_keys_t) { .sources = sources, .directory = directory, .files = files, .ca_file = ca_file };
    }
    return keys;
}

void
gh_keys_free(gh_keys_t *keys)
{
    issuer_t *next;

    for (issuer_t *issuer = keys != NULL ? keys->issuers : NULL; issuer != NULL; issuer = next) {
        next = issuer->next;
        free_issuer(issuer);
    }
    free(keys);
}

/* What its file has is what counts until it is fetched again: after a restart too. */
static void
remember(issuer_t *issuer)
{
    char          path[1400];
    gh_error_t    error = { 0 };
    gh_key_file_t file;
    struct stat   info;
    gh_heap_t     heap;
    char         *data;
    int           fd;

    snprintf(path, sizeof(path), "%s/%s", issuer->keys->directory, issuer->file);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) {
        return;
    }
    gh_heap_init(&heap);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= (off_t) GH_KEY_FILE_MAX
        && (data = gh_arena_alloc(&heap.arena, (size_t) info.st_size + 1)) != NULL && pread(fd, data, (size_t) info.st_size, 0) == info.st_size
        && gh_key_file_read(&heap.arena, (gh_str_t) { data, (size_t) info.st_size }, path, &file, &error) == GH_OK)
    {
        if (gh_str_eq(file.source, issuer->at)) {
            issuer->text = copy(file.text);
            issuer->etag = issuer->text != NULL && file.etag.len != 0 ? copy(file.etag) : NULL;
            issuer->url = issuer->keys_at == GH_KEYS_URI ? copy(issuer->place) : NULL;     /* where discovery sent to is not kept */
            issuer->until_ms = issuer->source.until_ms = file.until_ms;
        }
        gh_jwks_free(file.keys);
    }
    close(fd);
    gh_heap_free(&heap);
}

static int
add_issuer(gh_keys_t *keys, const gh_issuer_t *from, gh_error_t *error)
{
    issuer_t   *issuer = calloc(1, sizeof(*issuer));
    gh_arena_t *arena;
    gh_str_t    name, file;

    if (issuer == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    gh_heap_init(&issuer->heap);
    arena = &issuer->heap.arena;
    name = gh_str_format(arena, "%.*s/%.*s", GH_STR_ARG(from->organisation), GH_STR_ARG(from->id));
    file = gh_str_format(arena, "%.*s.%.*s.json", GH_STR_ARG(from->organisation), GH_STR_ARG(from->id));
    issuer->keys = keys;
    issuer->organisation = gh_str_copy(arena, from->organisation);
    issuer->id = gh_str_copy(arena, from->id);
    issuer->issuer = gh_str_copy(arena, from->issuer);
    issuer->place = gh_str_copy(arena, from->place);
    issuer->at = gh_str_copy(arena, from->source);
    issuer->keys_at = from->keys_at;
    issuer->keep_ms = from->keep_ms;
    issuer->number = from->number;
    issuer->file = file.data;
    issuer->wanted = true;
    issuer->source = (gh_source_t) { .kind = "keys", .name = name.data, .context = issuer, .run = run, .done = done };
    if (name.data == NULL || file.data == NULL || issuer->organisation.data == NULL || issuer->id.data == NULL || issuer->issuer.data == NULL
        || issuer->place.data == NULL || issuer->at.data == NULL || gh_sources_add(keys->sources, &issuer->source) != GH_OK)
    {
        free_issuer(issuer);
        return gh_error_set(error, "no_memory", "out of memory");
    }
    remember(issuer);
    issuer->next = keys->issuers;
    keys->issuers = issuer;
    return GH_OK;
}

static issuer_t *
find_same(const gh_keys_t *keys, const gh_issuer_t *from)
{
    for (issuer_t *issuer = keys->issuers; issuer != NULL; issuer = issuer->next) {
        if (!issuer->leaves && issuer->number == from->number && issuer->keep_ms == from->keep_ms && gh_str_eq(issuer->at, from->source)
            && gh_str_eq(issuer->issuer, from->issuer))
        {
            return issuer;
        }
    }
    return NULL;
}

/* Those that are wanted no more; one that is in flight goes with a later call. */
static void
drop(gh_keys_t *keys)
{
    issuer_t **at = &keys->issuers, *issuer;

    while ((issuer = *at) != NULL) {
        bool        again = false;
        char        path[1400];

        issuer->leaves |= !issuer->wanted;
        if (!issuer->leaves || !gh_sources_remove(keys->sources, &issuer->source)) {
            at = &issuer->next;
            continue;
        }
        for (const issuer_t *other = keys->issuers; other != NULL; other = other->next) {
            again |= other != issuer && !other->leaves && other->number == issuer->number;
        }
        snprintf(path, sizeof(path), "%s/%s", keys->directory, issuer->file);
        if (!again && unlink(path) == 0) {
            gh_log(GH_LOG_INFO, "keys of an issuer are not needed any more", "issuer", issuer->source.name, NULL);
        }
        *at = issuer->next;
        free_issuer(issuer);
    }
}

static int
read_policy(gh_keys_t *keys, const gh_image_t *image, gh_error_t *error)
{
    gh_issuers_t *issuers = gh_issuers_new();
    issuer_t     *same;
    int           rc = issuers != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");

    for (uint32_t i = 0; rc == GH_OK && i < image->count[GH_SECTION_IDENTITY]; i++) {
        rc = gh_issuers_add(issuers, gh_image_str(image, image->identities[i]), error);
    }
    if (rc == GH_OK) {
        for (issuer_t *issuer = keys->issuers; issuer != NULL; issuer = issuer->next) {
            issuer->wanted = false;
        }
        for (size_t i = 0; rc == GH_OK && i < issuers->count; i++) {
            if (issuers->items[i].keys_at == GH_KEYS_HERE) {
                continue;
            }
            same = find_same(keys, &issuers->items[i]);
            if (same != NULL) {
                same->wanted = true;
            } else {
                rc = add_issuer(keys, &issuers->items[i], error);
            }
        }
    }
    gh_issuers_free(issuers);
    return rc;
}

int
gh_keys_policy(gh_keys_t *keys, gh_store_t *store, uint64_t now_ms, gh_error_t *error)
{
    gh_image_t *image;
    int         rc = gh_store_current(store, now_ms, &image, error);

    if (rc == GH_OK && image->serial != keys->serial) {
        rc = read_policy(keys, image, error);
        keys->serial = rc == GH_OK ? image->serial : 0;
    }
    if (rc == GH_OK) {
        drop(keys);
    }
    return rc;
}

void
gh_keys_want(gh_keys_t *keys, uint64_t bits, uint64_t now_ms)
{
    for (issuer_t *issuer = keys->issuers; issuer != NULL; issuer = issuer->next) {
        if (bits >> issuer->number % 64 & 1) {
            gh_source_hurry(&issuer->source, now_ms, GH_KEYS_WANTED_MS);
        }
    }
}
