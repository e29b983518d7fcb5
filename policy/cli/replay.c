/* Joining the record's lines by request, and what they charge. The counters are in replay_tally.c. */
#include "policy/cli/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/audit/line.h"
#include "policy/cli/replay_tally.h"
#include "policy/audit/segment_read.h"
#include "policy/audit/voided.h"
#include "policy/base/id.h"
#include "policy/base/json_tree.h"
#include "policy/quota/limits.h"

#define BUCKETS    65536u
#define LIMITS_MAX 64u                /* of a request, its attempts' together; more are charged at once */

typedef struct {
    gh_counter_id_t id;
    uint32_t        window;
    uint64_t        amount, last;     /* reserved: in all, and by the line that came last */
} counted_t;

typedef struct request_s request_t;

struct request_s {
    request_t *next;
    uint8_t    id[16];
    bool       partial;               /* its decision is older: only further attempts are known, and charged as they were reserved */
    bool       decided, lost;
    unsigned   count;
    counted_t  counted[LIMITS_MAX];
    uint64_t   charged[GH_DIMENSIONS];   /* of its lost line */
    bool       known[GH_DIMENSIONS];
};

typedef struct { gh_segment_name_t name; char path[GH_SEGMENT_PATH]; } file_t;

struct gh_replay_s {
    const gh_checkpoint_t *checkpoint;
    gh_checkpoint_open_t  *open;      /* the checkpoint's, by request */
    uint64_t               from_ms;
    file_t                *files;
    size_t                 file_count, file_room;
    gh_voids_t             voids;
    request_t             *requests[BUCKETS];
    gh_tally_t             tally;
    gh_replay_told_t       told;
};

static int
by_request(const void *a, const void *b)
{
    return memcmp(((const gh_checkpoint_open_t *) a)->request_id, ((const gh_checkpoint_open_t *) b)->request_id, 16);
}

gh_replay_t *
gh_replay_new(const gh_checkpoint_t *checkpoint)
{
    gh_replay_t *replay = calloc(1, sizeof(*replay));
    bool         good = replay != NULL;

    if (!good || checkpoint == NULL) {
        return replay;
    }
    replay->checkpoint = checkpoint;
    replay->from_ms = checkpoint->header.taken_ms < GH_REPLAY_MARGIN_MS ? 0 : checkpoint->header.taken_ms - GH_REPLAY_MARGIN_MS;
    replay->open = malloc(checkpoint->header.open * sizeof(*replay->open) + 1);
    good = replay->open != NULL;
    if (good) {
        memcpy(replay->open, checkpoint->open, checkpoint->header.open * sizeof(*replay->open));
        qsort(replay->open, checkpoint->header.open, sizeof(*replay->open), by_request);
    }
    for (uint64_t i = 0; i < checkpoint->header.counters && good; i++) {
        const gh_checkpoint_counter_t *counter = &checkpoint->counters[i];
        gh_counter_id_t                id = { counter->uid, counter->model, counter->level, counter->dimension, counter->per, counter->limit_class };

        good = gh_tally_add(&replay->tally, &id, counter->window, counter->value);
    }
    for (uint64_t i = 0; i < checkpoint->header.open && good; i++) {
        replay->told.open += i == 0 || by_request(&replay->open[i], &replay->open[i - 1]) != 0;
    }
    if (!good) {
        gh_replay_free(replay);
        return NULL;
    }
    return replay;
}

void
gh_replay_free(gh_replay_t *replay)
{
    for (unsigned i = 0; replay != NULL && i < BUCKETS; i++) {
        while (replay->requests[i] != NULL) {
            request_t *request = replay->requests[i];

            replay->requests[i] = request->next;
            free(request);
        }
    }
    if (replay != NULL) {
        gh_tally_free(&replay->tally);
        free(replay->open);
        free(replay->files);
        gh_voids_free(&replay->voids);
    }
    free(replay);
}

const gh_replay_told_t *
gh_replay_told(const gh_replay_t *replay)
{
    return &replay->told;
}

/* ---- what a request is charged ---- */

/* What the checkpoint's counter has of it already. */
static uint64_t
taken_before(const gh_replay_t *replay, const uint8_t request_id[16], const counted_t *counted)
{
    gh_checkpoint_open_t key = { 0 };
    size_t               low = 0, high = replay->checkpoint == NULL ? 0 : replay->checkpoint->header.open;
    uint64_t             amount = 0;

    memcpy(key.request_id, request_id, sizeof(key.request_id));
    for (size_t end = high; low < end; ) {
        size_t middle = low + (end - low) / 2;

        if (by_request(&replay->open[middle], &key) < 0) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    for (; low < high && by_request(&replay->open[low], &key) == 0; low++) {
        const gh_checkpoint_open_t *open = &replay->open[low];

        if (open->uid == counted->id.uid && open->model == counted->id.model && open->level == counted->id.level && open->window == counted->window
            && open->dimension == counted->id.dimension && open->per == counted->id.per && open->limit_class == counted->id.limit_class)
        {
            amount += open->amount;
        }
    }
    return amount;
}

/*
 * charged, known: by dimension, what its outcome says of all its attempts; NULL: it has none. Lost: what the ledger charged for the last of
 * them; those before it had ended, for no more than they had reserved.
 */
static bool
charge(gh_replay_t *replay, request_t *request, const uint64_t *charged, const bool *known)
{
    bool good = true;

    for (unsigned i = 0; i < request->count; i++) {
        const counted_t *counted = &request->counted[i];
        unsigned         dimension = counted->id.dimension;
        uint64_t         amount = counted->amount, before;

        if (dimension == GH_COUNT_IN_FLIGHT || dimension == GH_COUNT_STREAMS) {
            continue;
        }
        if (charged != NULL && known[dimension] && dimension != GH_COUNT_REQUESTS && !request->partial) {
            amount = charged[dimension] + (request->lost ? counted->amount - counted->last : 0);
        }
        before = taken_before(replay, request->id, counted);
        good = (amount <= before || gh_tally_add(&replay->tally, &counted->id, counted->window, amount - before)) && good;
    }
    replay->told.requests += request->decided;
    return good;
}

/* ---- its lines ---- */

/* Where it is; *at is NULL when it is not there. */
static request_t **
find(gh_replay_t *replay, const uint8_t id[16])
{
    request_t **at = &replay->requests[((unsigned) id[15] << 8 | id[14]) % BUCKETS];

    while (*at != NULL && memcmp((*at)->id, id, 16) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static request_t *
find_or_make(gh_replay_t *replay, const uint8_t id[16])
{
    request_t **at = find(replay, id);

    if (*at == NULL && (*at = calloc(1, sizeof(request_t))) != NULL) {
        memcpy((*at)->id, id, 16);
    }
    return *at;
}

static bool
number(const gh_node_t *object, const char *key, uint64_t *value)
{
    const gh_node_t *node = gh_node_get(object, key);

    return node != NULL && node->type == GH_NODE_NUMBER && gh_node_u64(node, value) == GH_OK;
}

static bool
name(const gh_node_t *object, const char *key, const char *const *names, unsigned count, uint8_t *index)
{
    const gh_node_t *node = gh_node_get(object, key);

    for (unsigned i = 0; node != NULL && node->type == GH_NODE_STRING && i < count; i++) {
        if (names[i] != NULL && gh_str_eq(node->text, gh_str_from(names[i]))) {
            *index = (uint8_t) i;
            return true;
        }
    }
    return false;
}

static bool
read_limit(const gh_node_t *limit, counted_t *counted)
{
    const gh_node_t *model = gh_node_get(limit, "model");
    uint64_t         window;

    memset(counted, 0, sizeof(*counted));
    if (!number(limit, "uid", &counted->id.uid) || !number(limit, "amount", &counted->amount) || !number(limit, "window", &window)
        || window >= UINT32_MAX || counted->amount > GH_COUNT_MAX || counted->id.uid >> 48 != 0
        || !name(limit, "level", gh_level_names, GH_LEVELS, &counted->id.level)
        || !name(limit, "dimension", gh_dimension_names, GH_DIMENSIONS, &counted->id.dimension)
        || !name(limit, "per", gh_per_names, GH_PERS, &counted->id.per)
        || !name(limit, "class", gh_limit_class_names, GH_LIMIT_CLASSES, &counted->id.limit_class)
        || (model != NULL && model->type != GH_NODE_STRING))
    {
        return false;
    }
    counted->id.model = model == NULL ? 0 : gh_model_number(model->text);
    counted->window = (uint32_t) window;
    counted->last = counted->amount;
    return true;
}

/* What a decision or an attempt had reserved: the same counter again is added to. */
static void
reserved(gh_replay_t *replay, request_t *request, const gh_node_t *line)
{
    const gh_node_t *reserve = gh_node_get(line, "reserve"), *limits = reserve == NULL ? NULL : gh_node_get(reserve, "limits");

    for (unsigned i = 0; limits != NULL && i < request->count; i++) {
        request->counted[i].last = 0;
    }
    for (const gh_node_t *limit = limits == NULL || limits->type != GH_NODE_ARRAY ? NULL : limits->first; limit != NULL; limit = limit->next) {
        const gh_node_t *left_out = limit->type == GH_NODE_OBJECT ? gh_node_get(limit, "left_out") : NULL;
        counted_t        counted;
        unsigned         i;

        if (limit->type != GH_NODE_OBJECT || !read_limit(limit, &counted)) {
            replay->told.damaged++;
            continue;
        }
        if (left_out != NULL && left_out->type == GH_NODE_TRUE) {
            continue;
        }
        for (i = 0; i < request->count && (request->counted[i].window != counted.window
            || memcmp(&request->counted[i].id, &counted.id, sizeof(counted.id)) != 0); i++)
        {
            /* not yet */
        }
        if (i < request->count) {
            request->counted[i].amount += counted.amount;
            request->counted[i].last += counted.amount;
        } else if (request->count < LIMITS_MAX) {
            request->counted[request->count++] = counted;
        }
    }
}

static void
read_charged(const gh_node_t *line, uint64_t charged[GH_DIMENSIONS], bool known[GH_DIMENSIONS])
{
    static const struct { const char *key; unsigned dimension; } members[] = {
        { "requests", GH_COUNT_REQUESTS }, { "input", GH_COUNT_INPUT }, { "output", GH_COUNT_OUTPUT }, { "tokens", GH_COUNT_TOKENS },
        { "micro_dollars", GH_COUNT_MICRO_DOLLARS },
    };
    const gh_node_t *object = gh_node_get(line, "charged");

    for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        unsigned dimension = members[i].dimension;

        known[dimension] = object != NULL && object->type == GH_NODE_OBJECT && number(object, members[i].key, &charged[dimension]);
    }
}

/* It is charged, and forgotten. */
static bool
finish(gh_replay_t *replay, request_t **at, const uint64_t charged[GH_DIMENSIONS], const bool known[GH_DIMENSIONS])
{
    request_t *request = *at;
    bool       good = charge(replay, request, charged, known);

    *at = request->next;
    free(request);
    return good;
}

static bool
ended(gh_replay_t *replay, const uint8_t id[16], const gh_node_t *line)
{
    uint64_t    charged[GH_DIMENSIONS] = { 0 };
    bool        known[GH_DIMENSIONS] = { false };
    request_t **at = find(replay, id);

    if (*at == NULL) {
        return true;
    }
    read_charged(line, charged, known);
    return finish(replay, at, charged, known);
}

/* Admitted, and then denied: it was a request, and used nothing else. */
static bool
denied(gh_replay_t *replay, const uint8_t id[16])
{
    static const uint64_t charged[GH_DIMENSIONS] = { 0 };
    static const bool     known[GH_DIMENSIONS] = { [GH_COUNT_TOKENS] = true, [GH_COUNT_MICRO_DOLLARS] = true, [GH_COUNT_INPUT] = true,
        [GH_COUNT_OUTPUT] = true };

    return finish(replay, find(replay, id), charged, known);
}

/* false: out of memory. */
static bool
take_line(gh_replay_t *replay, const gh_line_t *line, gh_str_t text, gh_arena_t *arena)
{
    const gh_node_t *root;
    gh_node_t       *parsed;
    request_t       *request;
    uint8_t          id[16];

    if (gh_uuid_bytes(line->id, id) != GH_OK || gh_json_parse(arena, text, "record", &parsed, NULL) != GH_OK || parsed->type != GH_NODE_OBJECT) {
        replay->told.damaged++;
        return true;
    }
    root = parsed;
    if (line->type == GH_LINE_OUTCOME) {
        return ended(replay, id, root);
    }
    request = find_or_make(replay, id);
    if (request == NULL) {
        return false;
    }
    if (line->type == GH_LINE_LOST) {
        request->lost = true;
        read_charged(root, request->charged, request->known);
        return true;
    }
    request->partial = request->partial || (line->type == GH_LINE_ATTEMPT && !request->decided);
    request->decided = true;
    reserved(replay, request, root);
    return line->type != GH_LINE_DECISION || line->allow || denied(replay, id);
}

/* ---- the files ---- */

typedef struct { gh_replay_t *replay; const char *directory; bool no_memory; } adding_t;

static int
add_file(void *context, const char *file_name, const gh_segment_name_t *parts)
{
    adding_t    *adding = context;
    gh_replay_t *replay = adding->replay;
    file_t      *file;
    struct stat  info;

    if (replay->file_count == replay->file_room) {
        size_t  room = replay->file_room == 0 ? 64 : replay->file_room * 2;
        file_t *larger = realloc(replay->files, room * sizeof(*larger));

        if (larger == NULL) {
            adding->no_memory = true;
            return GH_ERROR;
        }
        replay->files = larger;
        replay->file_room = room;
    }
    file = &replay->files[replay->file_count];
    snprintf(file->path, sizeof(file->path), "%s/%s", adding->directory, file_name);
    file->name = *parts;
    file->name.node = (gh_str_t) { NULL, 0 };              /* borrowed; processes are told apart by the rest */
    /* what was last written before says nothing */
    if (stat(file->path, &info) == 0 && (uint64_t) info.st_mtim.tv_sec * 1000 + 1000 >= replay->from_ms) {
        replay->file_count++;
    }
    return GH_OK;
}

int
gh_replay_add(gh_replay_t *replay, const char *directory, gh_error_t *error)
{
    static const char *const parts[] = { "/open", "/sealed", "" };

    for (unsigned i = 0; i < 3; i++) {
        char     path[GH_SEGMENT_PATH];
        adding_t adding = { replay, path, false };
        bool     there = false;

        snprintf(path, sizeof(path), "%s%s", directory, parts[i]);
        errno = 0;
        if (gh_segment_each(path, add_file, &adding, &there) != GH_OK && errno != ENOENT) {
            return adding.no_memory ? gh_error_set(error, "no_memory", "out of memory")
                : gh_error_at(error, "audit_denied", path, 0, 0, "the record cannot be read: %s", strerror(errno));
        }
    }
    return GH_OK;
}

/* A writer's segments in their order, so that a decision comes before its outcome. */
static int
by_order(const void *a, const void *b)
{
    const gh_segment_name_t *x = &((const file_t *) a)->name, *y = &((const file_t *) b)->name;

    if (x->epoch_ms != y->epoch_ms || x->pid != y->pid) {
        return x->epoch_ms != y->epoch_ms ? (x->epoch_ms < y->epoch_ms ? -1 : 1) : x->pid < y->pid ? -1 : 1;
    }
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Only whole lines; 1: out of memory. */
static int
read_file(gh_replay_t *replay, const file_t *file)
{
    gh_segment_reader_t reader;
    gh_str_t            text;
    uint64_t            counted = gh_voids_counted(&replay->voids, file->path);
    bool                good = true;
    int                 fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 1;

    if (fd < 0 || !gh_segment_reader_open(&reader, fd, 0)) {
        if (fd >= 0) {
            close(fd);
        }
        return GH_ERROR;
    }
    replay->told.segments++;
    while (good && (rc = gh_segment_reader_next(&reader, &text)) == 1) {
        gh_line_t line;
        gh_heap_t heap;

        if (counted == 0) {
            break;                       /* what follows stands again in another one */
        }
        counted--;
        if (!gh_line_read(text, &line)) {
            replay->told.damaged += text.len > 0;
            continue;
        }
        replay->told.lines++;
        replay->told.damaged += reader.unknown;      /* its limits may stand in a basis that is not there */
        if (line.t < replay->from_ms
            || (line.type == GH_LINE_DECISION && !line.allow && gh_line_member(text, "reserve").len == 0)
            || (line.type != GH_LINE_DECISION && line.type != GH_LINE_ATTEMPT && line.type != GH_LINE_OUTCOME && line.type != GH_LINE_LOST))
        {
            continue;
        }
        gh_heap_init(&heap);
        good = take_line(replay, &line, text, &heap.arena);
        gh_heap_free(&heap);
    }
    gh_segment_reader_close(&reader);
    close(fd);
    return !good ? 1 : rc == GH_ERROR ? GH_ERROR : GH_OK;
}

int
gh_replay_read(gh_replay_t *replay, gh_error_t *error)
{
    bool good = true;

    if (replay->file_count > 0) {
        qsort(replay->files, replay->file_count, sizeof(*replay->files), by_order);
    }
    for (size_t i = 0; i < replay->file_count; i++) {
        if (gh_voids_look(&replay->voids, replay->files[i].path) != GH_OK) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
    }
    for (size_t i = 0; i < replay->file_count; i++) {
        int rc = read_file(replay, &replay->files[i]);

        if (rc == 1) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        if (rc == GH_ERROR) {
            return gh_error_at(error, "audit_denied", replay->files[i].path, 0, 0, "the record cannot be read: %s", strerror(errno));
        }
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (request_t *request = replay->requests[i]; request != NULL; request = request->next) {
            replay->told.unfinished += request->decided;
            good = charge(replay, request, request->lost ? request->charged : NULL, request->known) && good;
        }
    }
    return good ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

int
gh_replay_load(gh_replay_t *replay, gh_ledger_t *ledger, uint64_t now_ms, gh_error_t *error)
{
    return gh_tally_load(&replay->tally, ledger, now_ms, &replay->told.counters, error);
}
