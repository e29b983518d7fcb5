/* Which documents a new revision has: those of the edit, and of the revision in force what the edit leaves alone. */
#include <stdlib.h>
#include <string.h>

#include "policy/compile/apply.h"

#define REASON_SHOWN 120

typedef struct {
    gh_store_t          *store;
    gh_arena_t          *arena;
    const gh_apply_t    *apply;
    gh_apply_ready_t    *ready;
    gh_report_t         *report;
    gh_store_revision_t  base;             /* in force; number 0: none */
    gh_store_document_t *known;            /* its documents, by digest */
    gh_store_source_t   *given;            /* those of the edit, in its order */
} collect_t;

static int
refuse(const collect_t *collect, const gh_error_t *error)
{
    gh_report_add(collect->report, GH_SEVERITY_ERROR, error->code, error->source, error->line, error->column, "%s",
        error->text);
    return GH_ERROR;
}

static int
no_memory(const collect_t *collect)
{
    collect->report->no_memory = 1;
    return GH_ERROR;
}

/* ---- which owners' documents differ ---- */

static int
compare_documents(const void *left, const void *right)
{
    const gh_store_document_t *a = left, *b = right;
    int                        order = gh_str_cmp(a->owner, b->owner);

    return order != 0 ? order : memcmp(a->sha256, b->sha256, sizeof(a->sha256));
}

static gh_store_document_t *
sorted(gh_arena_t *arena, const gh_store_document_t *documents, size_t count)
{
    gh_store_document_t *copy = gh_arena_array(arena, count, sizeof(*copy));

    if (copy != NULL && count != 0) {
        memcpy(copy, documents, count * sizeof(*copy));
        qsort(copy, count, sizeof(*copy), compare_documents);
    }
    return copy;
}

/* How many of the first documents belong to the same owner. */
static size_t
run_of(const gh_store_document_t *documents, size_t count, gh_str_t owner)
{
    size_t run = 0;

    while (run < count && gh_str_eq(documents[run].owner, owner)) {
        run++;
    }
    return run;
}

static bool
same_bytes(const gh_store_document_t *a, size_t a_count, const gh_store_document_t *b, size_t b_count)
{
    for (size_t i = 0; a_count == b_count && i < a_count; i++) {
        if (memcmp(a[i].sha256, b[i].sha256, sizeof(a[i].sha256)) != 0) {
            return false;
        }
    }
    return a_count == b_count;
}

int
gh_apply_changed(gh_arena_t *arena, const gh_store_document_t *before, size_t before_count,
    const gh_store_document_t *after, size_t after_count, gh_str_t **owners, size_t *count)
{
    gh_store_document_t *a = sorted(arena, before, before_count), *b = sorted(arena, after, after_count);
    size_t               i = 0, k = 0;

    *count = 0;
    *owners = gh_arena_array(arena, before_count + after_count, sizeof(**owners));
    if (a == NULL || b == NULL || *owners == NULL) {
        return GH_ERROR;
    }
    while (i < before_count || k < after_count) {
        bool     of_b = i == before_count || (k < after_count && gh_str_cmp(b[k].owner, a[i].owner) < 0);
        gh_str_t owner = of_b ? b[k].owner : a[i].owner;
        size_t   in_a = run_of(a + i, before_count - i, owner), in_b = run_of(b + k, after_count - k, owner);

        if (!same_bytes(a + i, in_a, b + k, in_b)) {
            (*owners)[(*count)++] = owner;
        }
        i += in_a;
        k += in_b;
    }
    return GH_OK;
}

/* ---- the base that the editor saw ---- */

/* The first owner of a list that the edit depends on; data NULL: none. */
static gh_str_t
first_needed(const collect_t *collect, const gh_str_t *owners, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_scope_depends(&collect->apply->scope, owners[i])) {
            return owners[i];
        }
    }
    return (gh_str_t) { NULL, 0 };
}

static const char *
owner_words(gh_arena_t *arena, gh_str_t owner)
{
    gh_scope_t scope = { owner.len == 0 ? GH_SCOPE_GATEWAY : GH_SCOPE_ORGANISATION, owner };

    return gh_scope_words(arena, &scope);
}

/* Who moved the base: the first revision after it that changed something the edit depends on. */
static int
refuse_moved(const collect_t *collect, gh_str_t owner)
{
    uint64_t   seen = collect->apply->base;
    gh_error_t error = { 0 }, ignored;

    gh_error_set(&error, "base_moved", "%s changed after revision %llu, which this edit was made on",
        owner_words(collect->arena, owner), (unsigned long long) seen);

    for (uint64_t number = seen + 1; number <= collect->base.number; number++) {
        gh_store_revision_t revision;
        gh_heap_t           heap;
        gh_str_t            changed = { NULL, 0 };

        gh_heap_init(&heap);
        if (gh_store_revision_read(collect->store, number, &heap.arena, &revision, &ignored) == GH_OK) {
            changed = first_needed(collect, revision.changed, revision.changed_count);
        }
        if (changed.data != NULL) {
            gh_str_t reason = { revision.reason.data, revision.reason.len > REASON_SHOWN ? REASON_SHOWN : revision.reason.len };

            gh_error_set(&error, "base_moved", "revision %llu by %.*s%s%.*s%s changed %s after revision %llu, which this "
                "edit was made on", (unsigned long long) number, GH_STR_ARG(revision.author), reason.len ? " (\"" : "",
                GH_STR_ARG(reason), reason.len ? "\")" : "", owner_words(&heap.arena, changed), (unsigned long long) seen);
            number = collect->base.number;
        }
        gh_heap_free(&heap);
    }
    return refuse(collect, &error);
}

static int
check_base(const collect_t *collect)
{
    uint64_t            seen = collect->apply->base;
    gh_store_revision_t then = { 0 };
    gh_error_t          error = { 0 };
    gh_str_t           *owners, owner;
    size_t              count;

    if (!collect->apply->based || seen == collect->base.number) {
        return GH_OK;
    }
    if (seen != 0 && gh_store_revision_read(collect->store, seen, collect->arena, &then, &error) != GH_OK) {
        if (strcmp(error.code, "revision_unknown") == 0) {
            gh_error_set(&error, "base_unknown", "there is no revision %llu to base this on: revision %llu is in force",
                (unsigned long long) seen, (unsigned long long) collect->base.number);
        }
        return refuse(collect, &error);
    }
    if (gh_apply_changed(collect->arena, then.documents, then.document_count, collect->base.documents,
            collect->base.document_count, &owners, &count) != GH_OK)
    {
        return no_memory(collect);
    }
    owner = first_needed(collect, owners, count);

    return owner.data == NULL ? GH_OK : refuse_moved(collect, owner);
}

/* ---- the documents ---- */

static int
compare_digests(const void *left, const void *right)
{
    const gh_store_document_t *a = left, *b = right;

    return memcmp(a->sha256, b->sha256, sizeof(a->sha256));
}

/* The document of the base with the same bytes, or NULL. */
static const gh_store_document_t *
known_document(const collect_t *collect, const uint8_t sha256[32])
{
    gh_store_document_t wanted;

    memcpy(wanted.sha256, sha256, sizeof(wanted.sha256));
    return collect->base.document_count == 0 ? NULL
        : bsearch(&wanted, collect->known, collect->base.document_count, sizeof(wanted), compare_digests);
}

/*
 * What the edit gives. What the base has need not be read: its owner and kind follow from its bytes. Of a new one they are asked; one that
 * cannot tell is none that gh_documents_load takes.
 */
static int
look_at_given(collect_t *collect)
{
    const gh_apply_t *apply = collect->apply;
    size_t            count = collect->base.document_count;

    collect->given = gh_arena_array(collect->arena, apply->source_count, sizeof(*collect->given));
    collect->known = gh_arena_array(collect->arena, count, sizeof(*collect->known));
    if (collect->given == NULL || collect->known == NULL) {
        return no_memory(collect);
    }
    if (count != 0) {
        memcpy(collect->known, collect->base.documents, count * sizeof(*collect->known));
        qsort(collect->known, count, sizeof(*collect->known), compare_digests);
    }
    for (size_t i = 0; i < apply->source_count; i++) {
        const gh_document_source_t *source = &apply->sources[i];
        gh_store_source_t          *given = &collect->given[i];
        const gh_store_document_t  *known;
        gh_error_t                  ignored;

        given->path = source->path;
        given->text = source->bytes;
        gh_sha256(source->bytes.data, source->bytes.len, given->sha256);
        known = known_document(collect, given->sha256);
        if (known != NULL) {
            given->owner = known->owner;
            given->tenants = known->tenants;
            given->stored = true;
        } else {
            gh_document_owner(collect->arena, source, &given->owner, &given->tenants, &ignored);
        }
    }
    return GH_OK;
}

static int
check_scope(const collect_t *collect)
{
    const gh_apply_t *apply = collect->apply;
    int               rc = GH_OK;

    for (size_t i = 0; apply->scope.kind != GH_SCOPE_ALL && i < apply->source_count; i++) {
        if (!(collect->given[i].stored && gh_scope_replaces(&apply->scope, collect->given[i].owner))
            && gh_scope_check(&apply->scope, &apply->sources[i], collect->report) != GH_OK)
        {
            rc = GH_ERROR;
        }
    }
    return rc;
}

/*
 * A kept document of the gateway that gives the tenants of the organisation whose tenants the edit gives: it must be taken apart first.
 */
static int
check_shared(const collect_t *collect, const gh_store_source_t *kept)
{
    const gh_apply_t           *apply = collect->apply;
    gh_document_source_t        there = { kept->path, kept->text };
    gh_where_t                  theirs, ours;
    gh_error_t                  error = { 0 };

    if (apply->scope.kind != GH_SCOPE_ORGANISATION || kept->owner.len != 0 || !kept->tenants) {
        return GH_OK;
    }
    if (gh_store_document(collect->store, kept->sha256, collect->arena, &there.bytes, &error) != GH_OK) {
        return refuse(collect, &error);
    }
    if (!gh_document_gives(collect->arena, &there, apply->scope.organisation, &theirs)) {
        return GH_OK;
    }
    for (size_t i = 0; i < apply->source_count; i++) {
        if (gh_document_gives(collect->arena, &apply->sources[i], apply->scope.organisation, &ours)) {
            gh_report_add(collect->report, GH_SEVERITY_ERROR, "shared", ours.source, ours.line, ours.column,
                "organisation \"%.*s\" is given at %s:%u:%u of revision %llu, together with others: that document is the "
                "gateway's. Give each organisation a tenants/1 document of its own there first, with an edit of the whole "
                "gateway", GH_STR_ARG(apply->scope.organisation), theirs.source, theirs.line, theirs.column,
                (unsigned long long) collect->base.number);
            return GH_ERROR;
        }
    }
    return GH_OK;
}

/* Documents in force that the edit leaves alone. */
static int
keep_others(const collect_t *collect)
{
    gh_apply_ready_t *ready = collect->ready;

    for (size_t i = 0; i < collect->base.document_count; i++) {
        const gh_store_document_t *document = &collect->base.documents[i];
        gh_store_source_t         *kept = &ready->documents[ready->document_count];

        if (gh_scope_replaces(&collect->apply->scope, document->owner)) {
            continue;
        }
        kept->path = document->path;
        kept->owner = document->owner;
        kept->tenants = document->tenants;
        kept->stored = true;
        memcpy(kept->sha256, document->sha256, sizeof(kept->sha256));
        if (check_shared(collect, kept) != GH_OK) {
            return GH_ERROR;
        }
        ready->document_count++;
    }
    return GH_OK;
}

static int
compare_paths(const void *left, const void *right)
{
    return gh_str_cmp(((const gh_store_source_t *) left)->path, ((const gh_store_source_t *) right)->path);
}

static int
add_new(const collect_t *collect)
{
    gh_apply_ready_t *ready = collect->ready;
    int               rc = GH_OK;

    for (size_t i = 0; i < collect->apply->source_count; i++) {
        const gh_scope_t  *scope = &collect->apply->scope;
        gh_store_source_t *document = &ready->documents[ready->document_count++];

        *document = collect->given[i];
        if (scope->kind != GH_SCOPE_ALL) {
            document->owner = scope->kind == GH_SCOPE_GATEWAY ? GH_OWNER_GATEWAY : scope->organisation;
        }
    }
    if (ready->document_count != 0) {
        qsort(ready->documents, ready->document_count, sizeof(*ready->documents), compare_paths);
    }
    for (size_t i = 1; i < ready->document_count; i++) {
        const gh_store_source_t *document = &ready->documents[i];

        if (gh_str_eq(document->path, document[-1].path)) {
            gh_str_t path = gh_str_copy(collect->arena, document->path);
            gh_str_t owner = gh_scope_replaces(&collect->apply->scope, document->owner) ? document[-1].owner : document->owner;

            gh_report_add(collect->report, GH_SEVERITY_ERROR, "name_taken", path.data, 0, 0,
                "%s in force have one of this name: give this file another", owner_words(collect->arena, owner));
            rc = GH_ERROR;
        }
    }
    return rc;
}

/* An organisation's edit that leaves its tenants out takes them away; that is too easily done by a file that was forgotten. */
static void
warn_of_tenants(const collect_t *collect)
{
    const gh_scope_t *scope = &collect->apply->scope;
    bool              before = false, after = false;

    for (size_t i = 0; i < collect->base.document_count; i++) {
        const gh_store_document_t *document = &collect->base.documents[i];

        before = before || (document->tenants && gh_str_eq(document->owner, scope->organisation));
    }
    for (size_t i = 0; i < collect->apply->source_count; i++) {
        after = after || collect->given[i].tenants;
    }
    if (scope->kind == GH_SCOPE_ORGANISATION && before && !after) {
        gh_report_add(collect->report, GH_SEVERITY_WARNING, "tenants_gone", "", 0, 0,
            "organisation \"%.*s\" has no tenants/1 document any more: the tenants that it gave are gone, and their keys are refused",
            GH_STR_ARG(scope->organisation));
    }
}

static int
find_changed(const collect_t *collect)
{
    gh_apply_ready_t    *ready = collect->ready;
    gh_store_document_t *now = gh_arena_array(collect->arena, ready->document_count, sizeof(*now));

    if (now == NULL) {
        return no_memory(collect);
    }
    for (size_t i = 0; i < ready->document_count; i++) {
        now[i].owner = ready->documents[i].owner;
        memcpy(now[i].sha256, ready->documents[i].sha256, sizeof(now[i].sha256));
    }
    return gh_apply_changed(collect->arena, collect->base.documents, collect->base.document_count, now,
               ready->document_count, &ready->changed, &ready->changed_count) == GH_OK ? GH_OK : no_memory(collect);
}

int
gh_apply_collect_only(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, gh_apply_ready_t *ready,
    gh_store_revision_t *base, gh_report_t *report)
{
    collect_t  collect = { .store = store, .arena = arena, .apply = apply, .ready = ready, .report = report };
    gh_error_t error = { 0 };

    memset(ready, 0, sizeof(*ready));
    if (gh_store_revision_number(store, &ready->base, &error) != GH_OK
        || (ready->base != 0 && gh_store_revision_read(store, ready->base, arena, &collect.base, &error) != GH_OK))
    {
        return refuse(&collect, &error);
    }
    *base = collect.base;
    if (look_at_given(&collect) != GH_OK || check_scope(&collect) != GH_OK || check_base(&collect) != GH_OK) {
        return GH_ERROR;
    }
    ready->documents = gh_arena_array(arena, collect.base.document_count + apply->source_count, sizeof(*ready->documents));
    if (ready->documents == NULL) {
        return no_memory(&collect);
    }
    if (keep_others(&collect) != GH_OK || add_new(&collect) != GH_OK) {
        return GH_ERROR;
    }
    warn_of_tenants(&collect);
    return find_changed(&collect);
}

int
gh_apply_texts(gh_store_t *store, gh_arena_t *arena, gh_apply_ready_t *ready, gh_report_t *report)
{
    gh_error_t error = { 0 };

    for (size_t i = 0; i < ready->document_count; i++) {
        gh_store_source_t *document = &ready->documents[i];

        if (document->stored && document->text.data == NULL
            && gh_store_document(store, document->sha256, arena, &document->text, &error) != GH_OK)
        {
            gh_report_add(report, GH_SEVERITY_ERROR, error.code, error.source, error.line, error.column, "%s", error.text);
            return GH_ERROR;
        }
    }
    return GH_OK;
}

int
gh_apply_collect(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, gh_apply_ready_t *ready,
    gh_report_t *report)
{
    gh_store_revision_t base;

    return gh_apply_collect_only(store, arena, apply, ready, &base, report) == GH_OK ? gh_apply_texts(store, arena, ready, report)
        : GH_ERROR;
}
