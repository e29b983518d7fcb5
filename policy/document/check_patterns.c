/* Patterns that cover nothing: of tenants in the tenants documents, of models in the catalogue and among upstream ids. */
#include "policy/document/check.h"
#include "policy/document/spans.h"

#include <string.h>

#define NEAR_EACH 4096       /* candidates looked at for one pattern's nearest spelling */
#define NEAR_ALL  200000     /* and for all of them: then messages go without */

typedef struct {
    gh_loader_t *loader;
    gh_names_t   paths;      /* of tenants and apps */
    gh_names_t   before;     /* of a part: of those that it gave before */
    gh_names_t   models;     /* catalogue names */
    gh_names_t   upstreams;  /* upstream ids */
    uint32_t     near_left;
} patterns_t;

static void
push(gh_loader_t *loader, gh_names_t *names, gh_str_t name)
{
    gh_str_t *item = gh_doc_push(loader, &names->items, &names->count, sizeof(*item));

    if (item != NULL) {
        *item = name;
    }
}

static void
collect(patterns_t *p)
{
    gh_loader_t      *loader = p->loader;
    const gh_model_t *model = loader->model;

    for (uint32_t o = 0; o < model->organisation_count; o++) {
        for (uint32_t t = 0; t < model->organisations[o].tenant_count; t++) {
            const gh_model_tenant_t *tenant = &model->organisations[o].tenants[t];

            push(loader, &p->paths, tenant->path);
            for (uint32_t a = 0; a < tenant->app_count; a++) {
                push(loader, &p->paths, tenant->apps[a].path);
            }
        }
    }
    for (uint32_t i = 0; i < model->model_count; i++) {
        push(loader, &p->models, model->models[i].name);
    }
    for (uint32_t i = 0; i < model->target_count; i++) {
        push(loader, &p->upstreams, model->targets[i].upstream);
    }
    gh_names_sort(&p->paths);
    gh_names_sort(&p->models);
    gh_names_sort(&p->upstreams);
}

static bool
covers_name(const gh_names_t *names, const gh_cover_check_t *check)
{
    gh_span_t spans[2], within[2];
    unsigned  count = gh_spans_of(names, gh_pattern_of_app(check->pattern), spans);

    if (check->applies_to == NULL) {
        return count != 0;
    }
    for (uint32_t i = 0; i < check->applies_to->count; i++) {
        unsigned others = gh_spans_of(names, check->applies_to->items[i], within);

        for (unsigned k = 0; k < count * others; k++) {
            if (gh_spans_touch((gh_spans_t) { spans, count }, within[k % others])) {
                return true;
            }
        }
    }
    return false;
}

/*
 * Of a part: a pattern that covered nothing of it before covers of the others what it did, which was checked then. One that did, and does
 * not any more, may cover something of the others or nothing.
 */
static bool
covers_tenant(patterns_t *p, const gh_cover_check_t *check)
{
    if (covers_name(&p->paths, check)) {
        return true;
    }
    if (p->loader->part == NULL) {
        return false;
    }
    p->loader->part->uncertain |= covers_name(&p->before, check);
    return true;
}

/* As gh_rule_names says. What is spelled like the pattern stands first of what it covers. */
static bool
names_any(const gh_names_t *names, const gh_cover_check_t *check)
{
    gh_span_t spans[2];

    return gh_spans_of(names, check->pattern, spans) != 0 && gh_rule_names(check->forbid ? GH_RULE_FORBID : GH_RULE_ALLOW, check->pattern, names->items[spans[0].begin]);
}

static bool
covers_model(patterns_t *p, const gh_cover_check_t *check)
{
    return names_any(&p->models, check) || (!check->names_only && names_any(&p->upstreams, check));
}

/* ---- the nearest right spelling ---- */

typedef struct {
    gh_str_t   stem;         /* of the pattern: without its star and the slash before it */
    gh_str_t   rest;         /* those */
    bool       cut;          /* the star stands inside a name: candidates count as far as the stem is long */
    gh_names_t names;
} near_t;

static near_t
near_of(gh_str_t pattern)
{
    near_t near = { .stem = pattern };

    if (pattern.len > 1 && pattern.data[pattern.len - 1] == '*') {
        bool below = pattern.data[pattern.len - 2] == '/';

        near.stem.len -= below ? 2 : 1;
        near.cut = !below;
    }
    near.rest = (gh_str_t) { pattern.data + near.stem.len, pattern.len - near.stem.len };
    return near;
}

static void
candidate(patterns_t *p, near_t *near, gh_str_t name)
{
    if (near->names.count == NEAR_EACH || p->near_left == 0) {
        return;
    }
    p->near_left--;
    if (near->cut && name.len > near->stem.len) {
        name.len = near->stem.len;
    }
    push(p->loader, &near->names, name);
}

/* Bytes of what both begin with, as whole names and the slash behind them. */
static size_t
common_names(gh_str_t a, gh_str_t b)
{
    size_t common = 0;

    for (size_t i = 0; i < a.len && i < b.len && a.data[i] == b.data[i]; i++) {
        if (a.data[i] == '/') {
            common = i + 1;
        }
    }
    return common;
}

/* What is right of the stem stays: only the names behind it are compared, and only with those that stand there. */
static const char *
did_you_mean(patterns_t *p, const near_t *near)
{
    size_t   right = 0;
    uint32_t kept = 0;
    gh_str_t name, wrong;

    for (uint32_t i = 0; i < near->names.count; i++) {
        size_t common = common_names(near->stem, near->names.items[i]);

        right = common > right ? common : right;
    }
    for (uint32_t i = 0; i < near->names.count; i++) {
        gh_str_t item = near->names.items[i];

        if (common_names(near->stem, item) == right) {
            near->names.items[kept++] = (gh_str_t) { item.data + right, item.len - right };
        }
    }
    wrong = (gh_str_t) { near->stem.data + right, near->stem.len - right };
    name = gh_str_nearest(wrong, near->names.items, kept);
    if (name.len == 0 || gh_str_eq(name, wrong)) {
        return "";
    }
    return gh_doc_format(p->loader, "; did you mean \"%.*s%.*s%.*s\"?", (int) right, near->stem.data, GH_STR_ARG(name),
        GH_STR_ARG(near->rest)).data;
}

static bool
in_policy(const gh_cover_check_t *check, gh_str_t path)
{
    for (uint32_t i = 0; check->applies_to != NULL && i < check->applies_to->count; i++) {
        if (gh_pattern_covers(check->applies_to->items[i], path)) {
            return true;
        }
    }
    return check->applies_to == NULL;
}

/* Names as deep as the pattern: organisations, tenants or apps. */
static const char *
near_tenant(patterns_t *p, const gh_cover_check_t *check)
{
    const gh_model_t *model = p->loader->model;
    near_t            near = near_of(gh_pattern_of_app(check->pattern));
    unsigned          depth = gh_doc_segments(near.stem);

    for (uint32_t o = 0; o < model->organisation_count; o++) {
        const gh_model_organisation_t *organisation = &model->organisations[o];
        bool                           any = false;

        for (uint32_t t = 0; t < organisation->tenant_count && near.names.count < NEAR_EACH; t++) {
            const gh_model_tenant_t *tenant = &organisation->tenants[t];

            if (!in_policy(check, tenant->path)) {
                continue;
            }
            if (depth == 1 && !any) {
                candidate(p, &near, organisation->id);
            } else if (depth == 2) {
                candidate(p, &near, tenant->path);
            }
            any = true;
            for (uint32_t a = 0; depth == 3 && a < tenant->app_count; a++) {
                candidate(p, &near, tenant->apps[a].path);
            }
        }
    }
    return did_you_mean(p, &near);
}

static const char *
near_model(patterns_t *p, const gh_cover_check_t *check)
{
    near_t near = near_of(check->pattern);

    for (uint32_t i = 0; i < p->models.count; i++) {
        candidate(p, &near, p->models.items[i]);
    }
    for (uint32_t i = 0; !check->names_only && i < p->upstreams.count; i++) {
        candidate(p, &near, p->upstreams.items[i]);
    }
    return did_you_mean(p, &near);
}

/* What is wrong with a pattern that covers no model: most often it was written for an alias. */
static const char *
no_model(patterns_t *p, const gh_cover_check_t *check, const char **code)
{
    const gh_model_t *model = p->loader->model;
    const char       *names = check->names_only ? "catalogue names" : "catalogue names and upstream ids";

    for (uint32_t i = 0; i < model->model_count; i++) {
        const gh_model_entry_t *entry = &model->models[i];

        for (uint32_t k = 0; k < entry->aliases.count; k++) {
            gh_str_t alias = entry->aliases.items[k];

            if (!gh_rule_names(check->forbid ? GH_RULE_FORBID : GH_RULE_ALLOW, check->pattern, alias)) {
                continue;
            }
            *code = "alias";
            return gh_str_eq(check->pattern, alias)
                ? gh_doc_format(p->loader, "\"%.*s\" is an alias of \"%.*s\": patterns match %s", GH_STR_ARG(alias),
                    GH_STR_ARG(entry->name), names).data
                : gh_doc_format(p->loader,
                    "pattern \"%.*s\" covers no model: \"%.*s\" is an alias of \"%.*s\", and patterns match %s",
                    GH_STR_ARG(check->pattern), GH_STR_ARG(alias), GH_STR_ARG(entry->name), names).data;
        }
    }
    *code = "covers_nothing";
    return gh_doc_format(p->loader, "pattern \"%.*s\" covers no model%s", GH_STR_ARG(check->pattern),
        near_model(p, check)).data;
}

static const char *
no_tenant(patterns_t *p, const gh_cover_check_t *check)
{
    return gh_doc_format(p->loader, "pattern \"%.*s\" covers no %s%s", GH_STR_ARG(check->pattern),
        check->applies_to ? "tenant of its policy" : "tenant", near_tenant(p, check)).data;
}

void
gh_check_patterns(gh_loader_t *loader, bool errors_only)
{
    patterns_t p = { .loader = loader, .near_left = NEAR_ALL };

    collect(&p);
    if (loader->part != NULL) {
        p.before = (gh_names_t) { loader->part->before, loader->part->before_count };
        gh_names_sort(&p.before);
    }
    for (uint32_t i = 0; i < loader->cover_count; i++) {
        const gh_cover_check_t *check = &loader->covers[i];
        const char             *code = "covers_nothing", *text;

        if ((!check->forbid && errors_only) || (check->models ? covers_model(&p, check) : covers_tenant(&p, check))) {
            continue;
        }
        text = check->models ? no_model(&p, check, &code) : no_tenant(&p, check);
        if (check->forbid) {
            gh_doc_error(loader, check->where, code, "%s: %s", check->what, text);
        } else {
            gh_doc_warn(loader, check->where, code, "%s: %s", check->what, text);
        }
    }
}
