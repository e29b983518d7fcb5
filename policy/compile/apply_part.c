/*
 * An edit of a few tenants/1 documents among many. The others are not read: what they list stands in the store, and everything that could
 * depend on them is either looked up there or sends the edit the long way. What has to hold for that:
 *
 *  - every document but those of tenants/1 is the same, under the same path, and so are the facts: then profiles mean what they meant
 *  - a tenant that is new here is not listed by the others (it would be given twice)
 *  - a pattern that covered something here before still does (else it may cover nothing any more)
 *  - what these documents say of organisations that others give too is said as before
 *  - every tenant here is covered by a policy (else who is not is told of whole organisations)
 *  - there is nothing to complain of: errors are those of the whole set
 */
#include <stdlib.h>
#include <string.h>

#include "policy/compile/apply_internal.h"
#include "policy/store/image_format.h"

#define LONG_WAY 1

typedef struct {
    gh_store_t                *store;
    gh_arena_t                *arena;
    const gh_apply_t          *apply;
    const gh_store_revision_t *base;
    const gh_image_t          *previous;
    gh_apply_ready_t          *ready;
    gh_document_source_t      *sources;       /* to be read */
    size_t                     source_count;
    gh_outline_t               before, after; /* what documents list that are gone, and that are new */
    uint32_t                   documents_before, documents_after;
    gh_compile_change_t        change;
    gh_documents_part_t        part;
} part_t;

/* ---- which documents changed ---- */

static int
compare_documents(const void *left, const void *right)
{
    const gh_store_document_t *a = left, *b = right;

    return memcmp(a->sha256, b->sha256, sizeof(a->sha256));
}

/* Those of one list whose bytes are not in the other; both by digest. */
static int
outline_missing(part_t *p, const gh_store_document_t *of, size_t of_count, const gh_store_document_t *in, size_t in_count,
    gh_outline_t *outline)
{
    size_t k = 0;

    for (size_t i = 0; i < of_count; i++) {
        gh_error_t error;
        gh_str_t   text;

        while (k < in_count && compare_documents(&in[k], &of[i]) < 0) {
            k++;
        }
        if (k < in_count && compare_documents(&in[k], &of[i]) == 0) {
            k++;
            continue;
        }
        if (gh_store_document(p->store, of[i].sha256, p->arena, &text, &error) != GH_OK
            || gh_document_outline(p->arena, text, outline, &error) != GH_OK)
        {
            return LONG_WAY;
        }
        p->documents_before++;
    }
    return GH_OK;
}

static bool
same_others(const part_t *p)
{
    size_t i = 0, k = 0;

    for (;;) {
        const gh_store_document_t *before;
        const gh_store_source_t   *now;

        while (i < p->base->document_count && p->base->documents[i].tenants) {
            i++;
        }
        while (k < p->ready->document_count && p->ready->documents[k].tenants) {
            k++;
        }
        if (i == p->base->document_count || k == p->ready->document_count) {
            return i == p->base->document_count && k == p->ready->document_count;
        }
        before = &p->base->documents[i++];
        now = &p->ready->documents[k++];
        if (!gh_str_eq(before->path, now->path) || memcmp(before->sha256, now->sha256, sizeof(now->sha256)) != 0) {
            return false;
        }
    }
}

/* Documents of tenants/1, by digest. */
static gh_store_document_t *
tenants_before(const part_t *p, size_t *count)
{
    gh_store_document_t *list = gh_arena_array(p->arena, p->base->document_count, sizeof(*list));

    *count = 0;
    for (size_t i = 0; list != NULL && i < p->base->document_count; i++) {
        if (p->base->documents[i].tenants) {
            list[(*count)++] = p->base->documents[i];
        }
    }
    if (*count > 0) {
        qsort(list, *count, sizeof(*list), compare_documents);
    }
    return list;
}

static gh_store_document_t *
tenants_now(const part_t *p, size_t *count)
{
    gh_store_document_t *list = gh_arena_array(p->arena, p->ready->document_count, sizeof(*list));

    *count = 0;
    for (size_t i = 0; list != NULL && i < p->ready->document_count; i++) {
        if (p->ready->documents[i].tenants) {
            memcpy(list[(*count)++].sha256, p->ready->documents[i].sha256, 32);
        }
    }
    if (*count > 0) {
        qsort(list, *count, sizeof(*list), compare_documents);
    }
    return list;
}

/* What has to be read: everything but the tenants/1 documents that the base has too. The base has none twice: its tenants would be. */
static int
find_sources(part_t *p)
{
    gh_error_t error;

    p->sources = gh_arena_array(p->arena, p->ready->document_count, sizeof(*p->sources));
    if (p->sources == NULL) {
        return LONG_WAY;
    }
    for (size_t i = 0; i < p->ready->document_count; i++) {
        gh_store_source_t *document = &p->ready->documents[i];

        if (document->tenants && document->stored) {
            p->ready->unread++;
            continue;
        }
        if (document->stored && document->text.data == NULL
            && gh_store_document(p->store, document->sha256, p->arena, &document->text, &error) != GH_OK)
        {
            return LONG_WAY;
        }
        if (document->tenants) {
            p->documents_after++;
            if (gh_document_outline(p->arena, document->text, &p->after, &error) != GH_OK) {
                return LONG_WAY;
            }
        }
        p->sources[p->source_count++] = (gh_document_source_t) { document->path, document->text };
    }
    return GH_OK;
}

static bool
twice(const gh_store_document_t *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (compare_documents(&list[i - 1], &list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int
find_documents(part_t *p)
{
    size_t               before_count, now_count;
    gh_store_document_t *before = tenants_before(p, &before_count), *now = tenants_now(p, &now_count);

    if (before == NULL || now == NULL || !same_others(p) || twice(now, now_count)) {
        return LONG_WAY;
    }
    if (outline_missing(p, before, before_count, now, now_count, &p->before) != GH_OK) {
        return LONG_WAY;
    }
    return find_sources(p);
}

/* ---- what the store has of it ---- */

static int
compare_paths(const void *left, const void *right)
{
    return gh_str_cmp(*(const gh_str_t *) left, *(const gh_str_t *) right);
}

static bool
has(const gh_str_list_t *sorted, gh_str_t path)
{
    return sorted->count != 0 && bsearch(&path, sorted->items, sorted->count, sizeof(path), compare_paths) != NULL;
}

static void
sort(gh_str_list_t *list)
{
    if (list->count != 0) {
        qsort(list->items, list->count, sizeof(*list->items), compare_paths);
    }
}

static bool
of_base(const part_t *p, uint64_t revision)
{
    return revision == p->base->number;
}

/* A tenant that these documents did not give before must not be one of the others'. */
static int
check_new_tenants(part_t *p)
{
    sort(&p->before.tenants);
    for (uint32_t i = 0; i < p->after.tenants.count; i++) {
        gh_error_t error;
        uint64_t   revision;
        bool       listed;

        if (has(&p->before.tenants, p->after.tenants.items[i])) {
            continue;
        }
        if (gh_store_listed_tenant(p->store, p->after.tenants.items[i], &listed, &revision, &error) != GH_OK || listed
            || !of_base(p, revision))
        {
            return LONG_WAY;
        }
    }
    return GH_OK;
}

static int
compare_organisations(const void *left, const void *right)
{
    return gh_str_cmp(((const gh_outline_organisation_t *) left)->id, ((const gh_outline_organisation_t *) right)->id);
}

typedef struct {                     /* of an organisation, over all documents of an outline */
    uint32_t documents, tenants, said;
} given_t;

/* Takes the entries of one id from the sorted outline. */
static given_t
take_given(const gh_outline_t *outline, uint32_t *at, gh_str_t id)
{
    given_t given = { 0, 0, 0 };

    for (; *at < outline->organisation_count && gh_str_eq(outline->organisations[*at].id, id); (*at)++) {
        given.documents++;
        given.tenants += outline->organisations[*at].tenant_count;
        given.said |= outline->organisations[*at].said;
    }
    return given;
}

static int
one_organisation(part_t *p, gh_str_t id, given_t before, given_t after, gh_store_listed_t *listed, gh_store_listed_t *now,
    gh_str_t *said)
{
    gh_error_t error;
    uint64_t   revision;

    if (gh_store_listed_organisation(p->store, id, p->arena, listed, &revision, &error) != GH_OK || !of_base(p, revision)
        || listed->documents < before.documents || listed->tenants < before.tenants)
    {
        return LONG_WAY;
    }
    *now = *listed;
    now->documents += after.documents - before.documents;
    now->tenants += after.tenants - before.tenants;
    /* Others give it too: what they may say of it is told, and what these say must be the same as before. */
    if (listed->documents > before.documents) {
        if (before.said != after.said) {
            return LONG_WAY;
        }
        *said = listed->said;
    } else {
        now->said = GH_STR("");      /* what the model says */
    }
    return GH_OK;
}

/* Every organisation of these documents, before and after. */
static int
find_organisations(part_t *p, gh_store_listed_t *before, size_t *before_count)
{
    gh_outline_t      *a = &p->before, *b = &p->after;
    size_t             most = a->organisation_count + b->organisation_count;
    gh_store_listed_t *now = gh_arena_array(p->arena, most, sizeof(*now));
    gh_str_t          *said = gh_arena_array(p->arena, most, sizeof(*said));

    if (now == NULL || said == NULL) {
        return LONG_WAY;
    }
    if (a->organisation_count != 0) {
        qsort(a->organisations, a->organisation_count, sizeof(*a->organisations), compare_organisations);
    }
    if (b->organisation_count != 0) {
        qsort(b->organisations, b->organisation_count, sizeof(*b->organisations), compare_organisations);
    }
    for (uint32_t i = 0, k = 0; i < a->organisation_count || k < b->organisation_count;) {
        bool     of_b = i == a->organisation_count
            || (k < b->organisation_count && gh_str_cmp(b->organisations[k].id, a->organisations[i].id) < 0);
        gh_str_t id = of_b ? b->organisations[k].id : a->organisations[i].id;
        given_t  in_a = take_given(a, &i, id), in_b = take_given(b, &k, id);

        if (one_organisation(p, id, in_a, in_b, &before[*before_count], &now[p->change.organisation_count],
                &said[p->part.said_count]) != GH_OK)
        {
            return LONG_WAY;
        }
        p->change.tenants_before += in_a.tenants;
        *before_count += before[*before_count].documents != 0;
        p->part.said_count += said[p->part.said_count].len != 0;
        p->change.organisation_count += now[p->change.organisation_count].documents != 0;
    }
    p->change.organisations = now;
    p->part.said = said;
    return GH_OK;
}

static int
compare_listed(const void *left, const void *right)
{
    return gh_str_cmp(((const gh_store_listed_t *) left)->path, ((const gh_store_listed_t *) right)->path);
}

/* What the store lists of the documents that are gone. */
static int
find_before(part_t *p)
{
    const gh_outline_t *old = &p->before;
    size_t              most = old->apps.count + old->bare.count + old->organisation_count + p->after.organisation_count + 1;
    gh_store_listed_t  *before = gh_arena_array(p->arena, most, sizeof(*before));
    gh_store_listed_t  *apps = gh_arena_array(p->arena, old->apps.count, sizeof(*apps));
    size_t              count = 0;
    uint64_t            revision;
    gh_error_t          error;

    if (before == NULL || apps == NULL || find_organisations(p, before, &count) != GH_OK
        || gh_store_listed_apps(p->store, old->apps.items, old->apps.count, p->arena, apps, &revision, &error) != GH_OK
        || !of_base(p, revision))
    {
        return LONG_WAY;
    }
    for (uint32_t i = 0; i < old->apps.count; i++) {
        if (apps[i].profile == 0) {
            return LONG_WAY;
        }
        before[count++] = apps[i];
    }
    for (uint32_t i = 0; i < old->bare.count; i++) {
        before[count++].path = old->bare.items[i];
    }
    if (count > 0) {
        qsort(before, count, sizeof(*before), compare_listed);
    }
    p->change.before = before;
    p->change.before_count = count;
    return GH_OK;
}

/* ---- reading and compiling ---- */

static int
fill_part(part_t *p)
{
    gh_model_source_t *whole = gh_arena_array(p->arena, p->ready->document_count, sizeof(*whole));

    p->part.before = gh_arena_array(p->arena, p->before.tenants.count + p->before.apps.count, sizeof(gh_str_t));
    if (whole == NULL || p->part.before == NULL) {
        return LONG_WAY;
    }
    for (uint32_t i = 0; i < p->before.tenants.count; i++) {
        p->part.before[p->part.before_count++] = p->before.tenants.items[i];
    }
    for (uint32_t i = 0; i < p->before.apps.count; i++) {
        p->part.before[p->part.before_count++] = p->before.apps.items[i];
    }
    for (size_t i = 0; i < p->ready->document_count; i++) {
        whole[i].path = p->ready->documents[i].path;
        whole[i].bytes = p->ready->documents[i].text.len;
        memcpy(whole[i].sha256, p->ready->documents[i].sha256, sizeof(whole[i].sha256));
    }
    p->part.whole = whole;
    p->part.whole_count = (uint32_t) p->ready->document_count;
    return GH_OK;
}

/* What an organisation says that only these documents give is what the model says. */
static void
fill_said(part_t *p)
{
    gh_store_listed_t *listed = (gh_store_listed_t *) p->change.organisations;

    for (size_t i = 0, o = 0; i < p->change.organisation_count; i++) {
        const gh_model_t *model = p->ready->model;

        while (o < model->organisation_count && gh_str_cmp(model->organisations[o].id, listed[i].path) < 0) {
            o++;
        }
        if (o < model->organisation_count && gh_str_eq(model->organisations[o].id, listed[i].path)) {
            listed[i].said = model->organisations[o].said;
        }
    }
}

static bool
wanted(const gh_apply_t *apply, const gh_image_t *previous)
{
    return previous != NULL && (apply->how == GH_APPLY_PART
        || (apply->how == GH_APPLY_BY_SIZE && gh_image_counts(previous).apps >= GH_APPLY_MANY));
}

int
gh_apply_part(gh_store_t *store, gh_arena_t *arena, const gh_apply_t *apply, const gh_store_revision_t *base,
    const gh_image_t *previous, gh_apply_ready_t *ready, gh_report_t *report)
{
    part_t      p = { .store = store, .arena = arena, .apply = apply, .base = base, .previous = previous, .ready = ready };
    gh_report_t found;
    gh_error_t  error;

    ready->unread = 0;
    gh_report_init(&found, arena);
    if (!wanted(apply, previous) || find_documents(&p) != GH_OK || check_new_tenants(&p) != GH_OK
        || find_before(&p) != GH_OK || fill_part(&p) != GH_OK
        || gh_documents_load_part(arena, p.sources, p.source_count, &p.part, apply->now_ms, &ready->model, &found) != GH_OK
        || p.part.uncertain
        || memcmp(ready->model->facts_sha256, gh_image_facts_digest(previous), sizeof(ready->model->facts_sha256)) != 0)
    {
        ready->unread = 0;
        return LONG_WAY;
    }
    fill_said(&p);
    if (gh_compile_part(arena, ready->model, previous, &p.change, apply->now_ms, &ready->compiled, &error) != GH_OK) {
        ready->unread = 0;
        return LONG_WAY;
    }
    for (size_t i = 0; i < found.count; i++) {
        const gh_error_t *e = &found.items[i].error;

        gh_report_add(report, found.items[i].severity, e->code, e->source, e->line, e->column, "%s", e->text);
    }
    return GH_OK;
}
