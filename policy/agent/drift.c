#include "policy/agent/drift.h"

#include <string.h>
#include <strings.h>

#include "policy/agent/import_private.h"
#include "policy/compile/apply.h"

#define REASON_MAX 1000      /* bytes of a revision's reason; the store takes 1024 */

/* ---- what is watched ---- */

static bool
is_fleet(gh_arena_t *arena, gh_str_t text, gh_node_t **root)
{
    gh_error_t ignored;

    return gh_json_parse(arena, text, "fleet", root, &ignored) == GH_OK && (*root)->type == GH_NODE_OBJECT
           && gh_str_is(gh_import_text(*root, "kind"), "fleet/1");
}

/* The part of a resource up to the n-th byte of that kind. */
static gh_str_t
part(gh_str_t text, char separator, unsigned from)
{
    size_t begin = 0, end;

    for (; from > 0 && begin < text.len; from--) {
        const char *at = memchr(text.data + begin, separator, text.len - begin);

        begin = at != NULL ? (size_t) (at - text.data) + 1 : text.len;
    }
    for (end = begin; end < text.len && text.data[end] != separator; end++) {
        ;
    }

    return (gh_str_t) { text.data + begin, end - begin };
}

static void
watch(gh_import_t *lists, gh_drift_fleet_t *fleet, const gh_node_t *root)
{
    const gh_node_t *list = gh_node_get(root, "deployments");

    for (const gh_node_t *node = list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL; node != NULL; node = node->next) {
        gh_str_t resource = gh_import_text(node, "resource");

        if (resource.len == 0) {
            continue;
        }
        fleet->watched++;
        if (gh_str_starts(resource, GH_STR("arn:"))) {
            gh_import_list_add(lists, &fleet->regions, part(resource, ':', 3));
        } else if (resource.len > 15 && strncasecmp(resource.data, "/subscriptions/", 15) == 0) {
            gh_import_list_add(lists, &fleet->subscriptions, part(resource, '/', 2));
            gh_import_list_add(lists, &fleet->accounts, resource);
        }
    }
}

static int
gateway_documents(gh_store_t *store, gh_arena_t *arena, gh_store_revision_t *record, gh_document_source_t **sources, size_t *count, gh_error_t *error)
{
    uint64_t revision;

    *count = 0;
    if (gh_store_revision_number(store, &revision, error) != GH_OK) {
        return GH_ERROR;
    }
    *record = (gh_store_revision_t) { .number = revision };
    if (revision == 0) {
        return GH_OK;
    }
    if (gh_store_revision_read(store, revision, arena, record, error) != GH_OK) {
        return GH_ERROR;
    }
    *sources = gh_arena_array(arena, record->document_count + 1, sizeof(**sources));
    if (*sources == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    for (size_t i = 0; i < record->document_count; i++) {
        gh_document_source_t *source = &(*sources)[*count];

        if (record->documents[i].owner.len != 0) {
            continue;
        }
        source->path = record->documents[i].path;
        if (gh_store_document(store, record->documents[i].sha256, arena, &source->bytes, error) != GH_OK) {
            return GH_ERROR;
        }
        ++*count;
    }

    return GH_OK;
}

int
gh_drift_fleet(gh_store_t *store, gh_arena_t *arena, gh_drift_fleet_t *fleet, gh_error_t *error)
{
    gh_import_t          lists = { .arena = arena };
    gh_store_revision_t  record;
    gh_document_source_t *sources;
    size_t               count;

    *fleet = (gh_drift_fleet_t) { .documents = NULL };
    if (gateway_documents(store, arena, &record, &sources, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    fleet->revision = record.number;
    fleet->documents = gh_arena_array(arena, count + 1, sizeof(*fleet->documents));
    if (fleet->documents == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        gh_node_t *root;

        if (is_fleet(arena, sources[i].bytes, &root)) {
            fleet->documents[fleet->count++] = root;
            watch(&lists, fleet, root);
        }
    }

    return lists.no_memory ? gh_error_set(error, "no_memory", "out of memory") : GH_OK;
}

/* ---- what drifted ---- */

static bool
names_somebody(const gh_node_t *object)
{
    const gh_node_t *serves = object->type == GH_NODE_OBJECT ? gh_node_get(object, "serves") : NULL;

    return serves != NULL && serves->type == GH_NODE_ARRAY && serves->count > 0;
}

static bool
serves_somebody(const gh_node_t *document, gh_str_t id)
{
    const gh_node_t *list = gh_node_get(document, "deployments");

    for (const gh_node_t *node = list != NULL ? list->first : NULL; node != NULL; node = node->next) {
        const gh_node_t *models = gh_node_get(node, "models");

        if (!gh_str_eq(gh_import_text(node, "id"), id)) {
            continue;
        }
        if (names_somebody(node)) {
            return true;
        }
        for (const gh_node_t *entry = models != NULL ? models->first : NULL; entry != NULL; entry = entry->next) {
            if (names_somebody(entry)) {
                return true;
            }
        }
    }

    return false;
}

int
gh_drift_find(gh_import_t *import, const gh_drift_fleet_t *fleet, gh_differences_t *differences, gh_error_t *error)
{
    for (size_t i = 0; i < fleet->count; i++) {
        uint32_t before = differences->count, kept = before;

        if (gh_import_compare(import, fleet->documents[i], false, differences, error) != GH_OK) {
            return GH_ERROR;
        }
        for (uint32_t k = before; k < differences->count; k++) {
            if (serves_somebody(fleet->documents[i], differences->items[k].deployment)) {
                differences->items[kept++] = differences->items[k];
            } else {
                differences->taken_out -= gh_difference_takes_out(&differences->items[k]);
            }
        }
        differences->count = kept;
    }

    return GH_OK;
}

/* ---- the document without them ---- */

#define SPANS_MAX 4097       /* a deployment and its models */

typedef struct {
    size_t begin, end;
} span_t;

typedef struct {
    gh_arena_t          *arena;
    gh_json_reader_t     reader;
    const gh_str_list_t *ids;
    span_t              *own;                    /* "serves" of the deployment that is read, not empty ones */
    size_t               own_count;
    span_t              *spans;                  /* to be replaced */
    size_t               span_count;
    uint32_t             changed;
    bool                 failed;
} cutting_t;

/* The value to come, "serves": a list that is not empty is remembered. */
static void
read_serves(cutting_t *c)
{
    gh_json_reader_t *r = &c->reader;
    size_t            begin;

    if (gh_json_next(r) != GH_JSON_ARRAY_BEGIN) {
        c->failed = true;
        return;
    }
    begin = r->token_offset;
    if (gh_json_next(r) == GH_JSON_ARRAY_END) {
        return;
    }
    while (r->event == GH_JSON_STRING) {
        gh_json_next(r);
    }
    if (r->event != GH_JSON_ARRAY_END || c->own_count == SPANS_MAX) {
        c->failed = true;
        return;
    }
    c->own[c->own_count++] = (span_t) { begin, (size_t) (r->pos - r->start) };
}

static void
read_id(cutting_t *c, gh_str_t *id)
{
    char *buffer;

    if (gh_json_next(&c->reader) != GH_JSON_STRING) {
        c->failed = true;
        return;
    }
    buffer = gh_arena_alloc(c->arena, c->reader.token.len + 1);
    c->failed = buffer == NULL || gh_json_token_decode(&c->reader, buffer, c->reader.token.len + 1, id) != GH_OK;
}

/* The members of an object that is open, to its end. */
static void read_members(cutting_t *c, gh_str_t *id, bool deployment);

static void
read_models(cutting_t *c)
{
    gh_json_reader_t *r = &c->reader;

    c->failed |= gh_json_next(r) != GH_JSON_OBJECT_BEGIN;
    while (!c->failed && gh_json_next(r) == GH_JSON_KEY) {
        c->failed |= gh_json_next(r) != GH_JSON_OBJECT_BEGIN;
        if (!c->failed) {
            read_members(c, NULL, false);
        }
    }
    c->failed |= r->event != GH_JSON_OBJECT_END;
}

static void
read_members(cutting_t *c, gh_str_t *id, bool deployment)
{
    gh_json_reader_t *r = &c->reader;

    while (!c->failed && gh_json_next(r) == GH_JSON_KEY) {
        if (gh_json_token_is(r, GH_STR("serves"))) {
            read_serves(c);
        } else if (deployment && gh_json_token_is(r, GH_STR("models"))) {
            read_models(c);
        } else if (deployment && gh_json_token_is(r, GH_STR("id"))) {
            read_id(c, id);
        } else {
            c->failed |= gh_json_skip(r) != GH_OK;
        }
    }
    c->failed |= r->event != GH_JSON_OBJECT_END;
}

static void
keep_spans(cutting_t *c, gh_str_t id)
{
    uint32_t i = 0;
    span_t  *spans;

    while (i < c->ids->count && !gh_str_eq(c->ids->items[i], id)) {
        i++;
    }
    if (i == c->ids->count || c->own_count == 0) {
        return;
    }
    spans = gh_arena_grow(c->arena, c->spans, c->span_count, c->span_count + c->own_count, sizeof(*spans));
    if (spans == NULL) {
        c->failed = true;
        return;
    }
    memcpy(spans + c->span_count, c->own, c->own_count * sizeof(*spans));
    c->spans = spans;
    c->span_count += c->own_count;
    c->changed++;
}

static void
read_deployments(cutting_t *c)
{
    gh_json_reader_t *r = &c->reader;

    c->failed |= gh_json_next(r) != GH_JSON_ARRAY_BEGIN;
    while (!c->failed && gh_json_next(r) == GH_JSON_OBJECT_BEGIN) {
        gh_str_t id = GH_STR("");

        c->own_count = 0;
        read_members(c, &id, true);
        if (!c->failed) {
            keep_spans(c, id);
        }
    }
    c->failed |= r->event != GH_JSON_ARRAY_END;
}

gh_str_t
gh_drift_out(gh_arena_t *arena, gh_str_t document, const gh_str_list_t *ids, uint32_t *changed)
{
    cutting_t c = { .arena = arena, .ids = ids };
    char     *text = gh_arena_alloc(arena, document.len + 1);
    size_t    len = 0, from = 0;

    *changed = 0;
    c.own = gh_arena_array(arena, SPANS_MAX, sizeof(*c.own));
    gh_json_reader_init(&c.reader, document, 0);
    if (text == NULL || c.own == NULL || gh_json_next(&c.reader) != GH_JSON_OBJECT_BEGIN) {
        return (gh_str_t) { NULL, 0 };
    }
    while (!c.failed && gh_json_next(&c.reader) == GH_JSON_KEY) {
        if (gh_json_token_is(&c.reader, GH_STR("deployments"))) {
            read_deployments(&c);
        } else {
            c.failed |= gh_json_skip(&c.reader) != GH_OK;
        }
    }
    if (c.failed || c.reader.event != GH_JSON_OBJECT_END) {
        return (gh_str_t) { NULL, 0 };
    }
    for (size_t i = 0; i < c.span_count; i++) {
        memcpy(text + len, document.data + from, c.spans[i].begin - from);
        len += c.spans[i].begin - from;
        memcpy(text + len, "[]", 2);
        len += 2;
        from = c.spans[i].end;
    }
    memcpy(text + len, document.data + from, document.len - from);
    *changed = c.changed;

    return (gh_str_t) { text, len + document.len - from };
}

/* ---- the edit ---- */

static gh_str_t
reason_of(gh_arena_t *arena, const gh_differences_t *differences)
{
    gh_str_t reason = GH_STR("incident facts_drift: ");
    uint32_t said = 0;

    for (uint32_t i = 0; i < differences->count && reason.data != NULL; i++) {
        gh_str_t text;

        if (!gh_difference_takes_out(&differences->items[i])) {
            continue;
        }
        text = gh_difference_text(arena, &differences->items[i]);
        if (reason.len + text.len + 40 > REASON_MAX) {
            return gh_str_format(arena, "%.*s; and %u more", GH_STR_ARG(reason), differences->taken_out - said);
        }
        reason = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(reason), said > 0 ? "; " : "", GH_STR_ARG(text));
        said++;
    }

    return reason;
}

static int
obey(gh_store_t *store, gh_ledger_t *ledger, gh_arena_t *arena, uint64_t wait_ms, gh_drift_taken_t *taken, gh_error_t *error)
{
    taken->obeyed = ledger == NULL;
    if (ledger == NULL) {
        return GH_OK;
    }
    gh_barrier_announce(ledger, gh_store_committed(store));
    if (gh_barrier_wait(ledger, gh_store_committed(store), gh_store_inode(store), wait_ms, arena, &taken->barrier, error) != GH_OK) {
        return GH_ERROR;
    }
    taken->obeyed = taken->barrier.waiting == 0;

    return GH_OK;
}

int
gh_drift_take_out(gh_store_t *store, gh_ledger_t *ledger, gh_arena_t *arena, const gh_differences_t *differences, uint64_t now_ms, uint64_t wait_ms,
    gh_drift_taken_t *taken, gh_error_t *error)
{
    gh_import_t           lists = { .arena = arena };
    gh_store_revision_t   record;
    gh_document_source_t *sources = NULL;
    gh_str_list_t         ids = { NULL, 0 };
    gh_apply_t            apply = { .scope = { .kind = GH_SCOPE_GATEWAY }, .author = GH_STR(GH_DRIFT_AUTHOR), .now_ms = now_ms, .based = true };

    *taken = (gh_drift_taken_t) { .obeyed = true };
    gh_report_init(&taken->report, arena);
    for (uint32_t i = 0; i < differences->count; i++) {
        if (gh_difference_takes_out(&differences->items[i])) {
            gh_import_list_add(&lists, &ids, differences->items[i].deployment);
        }
    }
    if (gateway_documents(store, arena, &record, &sources, &apply.source_count, error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < apply.source_count; i++) {
        gh_node_t *root;
        gh_str_t   text;
        uint32_t   changed;

        if (!is_fleet(arena, sources[i].bytes, &root)) {
            continue;
        }
        text = gh_drift_out(arena, sources[i].bytes, &ids, &changed);
        if (text.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        sources[i].bytes = text;
        taken->deployments += changed;
    }
    apply.reason = reason_of(arena, differences);
    if (lists.no_memory || apply.reason.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (taken->deployments == 0) {
        return GH_OK;
    }
    apply.sources = sources;
    apply.base = record.number;
    if (gh_apply(store, arena, &apply, &taken->revision, &taken->report) != GH_OK) {
        return gh_error_set(error, "drift", "the deployments could not be taken out");
    }

    return obey(store, ledger, arena, wait_ms, taken, error);
}
