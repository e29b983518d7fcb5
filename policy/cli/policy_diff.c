/* `gatehouse policy diff`: what one revision says otherwise than another, by document, by named thing and by line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/cli/edit.h"
#include "policy/cli/limits_text.h"
#include "policy/cli/line_diff.h"
#include "policy/cli/revision_documents.h"
#include "policy/document/items.h"

typedef struct {
    const gh_store_document_t *before, *after;    /* NULL where there is none */
    gh_str_t                   lines;             /* of gh_cli_line_diff; empty when the bytes are the same */
} pair_t;

typedef struct {
    gh_store_revision_t revision;
    bool               *paired;                   /* of each document */
    gh_document_source_t *sources;                /* of those that differ from the other side */
    size_t              source_count;
    gh_items_t          items;
} side_t;

typedef struct {
    gh_cli_t   *cli;
    gh_store_t *store;
    gh_scope_t  scope;
    side_t      sides[2];
    pair_t     *pairs;
    size_t      count;
} diff_t;

/* ---- which document was which ---- */

static bool
same_bytes(const gh_store_document_t *a, const gh_store_document_t *b)
{
    return memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

static gh_str_t
file_name(gh_str_t path)
{
    size_t begin = path.len;

    while (begin > 0 && path.data[begin - 1] != '/') {
        begin--;
    }

    return (gh_str_t) { path.data + begin, path.len - begin };
}

/* The same file of the same owner, wherever its directory was. */
static bool
same_file(const gh_store_document_t *a, const gh_store_document_t *b)
{
    return gh_str_eq(a->owner, b->owner) && gh_str_eq(file_name(a->path), file_name(b->path));
}

static void
add_pair(diff_t *diff, size_t i, size_t k)
{
    diff->sides[0].paired[i] = diff->sides[1].paired[k] = true;
    diff->pairs[diff->count++] = (pair_t) { &diff->sides[0].revision.documents[i], &diff->sides[1].revision.documents[k],
                                            { NULL, 0 } };
}

/* Most documents stay where they are: both lists are sorted by path. */
static void
pair_by_path(diff_t *diff)
{
    const gh_store_revision_t *before = &diff->sides[0].revision, *after = &diff->sides[1].revision;
    size_t                     i = 0, k = 0;

    while (i < before->document_count && k < after->document_count) {
        int order = gh_str_cmp(before->documents[i].path, after->documents[k].path);

        if (order == 0 && gh_str_eq(before->documents[i].owner, after->documents[k].owner)) {
            add_pair(diff, i, k);
        }
        i += order <= 0;
        k += order >= 0;
    }
}

/* Those that are left. */
static void
pair_documents(diff_t *diff, bool (*same)(const gh_store_document_t *a, const gh_store_document_t *b))
{
    side_t *before = &diff->sides[0], *after = &diff->sides[1];

    for (size_t i = 0; i < before->revision.document_count; i++) {
        for (size_t k = 0; k < after->revision.document_count && !before->paired[i]; k++) {
            const gh_store_document_t *a = &before->revision.documents[i], *b = &after->revision.documents[k];

            if (!after->paired[k] && same(a, b)) {
                add_pair(diff, i, k);
            }
        }
    }
}

static int
pair_cmp(const void *left, const void *right)
{
    const pair_t *a = left, *b = right;
    gh_str_t      a_path = a->after ? a->after->path : a->before->path, b_path = b->after ? b->after->path : b->before->path;

    return gh_str_cmp(a_path, b_path);
}

static bool
equal(const pair_t *pair)
{
    return pair->before && pair->after && same_bytes(pair->before, pair->after) && gh_str_eq(pair->before->path, pair->after->path);
}

/* Every document of either side in one pair; those that did not change are left out. */
static int
find_pairs(diff_t *diff)
{
    size_t kept = 0, total = 0;

    for (int s = 0; s < 2; s++) {
        side_t *side = &diff->sides[s];

        total += side->revision.document_count;
        side->paired = gh_arena_array(diff->cli->arena, side->revision.document_count, sizeof(bool));
    }
    diff->pairs = gh_arena_array(diff->cli->arena, total, sizeof(pair_t));
    if (diff->pairs == NULL || diff->sides[0].paired == NULL || diff->sides[1].paired == NULL) {
        return GH_ERROR;
    }

    pair_by_path(diff);
    pair_documents(diff, same_bytes);
    pair_documents(diff, same_file);
    for (int s = 0; s < 2; s++) {
        const side_t *side = &diff->sides[s];

        for (size_t i = 0; i < side->revision.document_count; i++) {
            const gh_store_document_t *document = &side->revision.documents[i];

            if (!side->paired[i]) {
                diff->pairs[diff->count++] = s == 0 ? (pair_t) { .before = document } : (pair_t) { .after = document };
            }
        }
    }

    for (size_t i = 0; i < diff->count; i++) {
        const pair_t *pair = &diff->pairs[i];

        if (!equal(pair) && gh_scope_replaces(&diff->scope, pair->after ? pair->after->owner : pair->before->owner)) {
            diff->pairs[kept++] = *pair;
        }
    }
    diff->count = kept;
    if (kept != 0) {
        qsort(diff->pairs, kept, sizeof(pair_t), pair_cmp);
    }

    return GH_OK;
}

/* ---- what they say ---- */

static int
read_text(diff_t *diff, side_t *side, const gh_store_document_t *document, gh_str_t *text, gh_error_t *error)
{
    unsigned tries = 0;

    *text = GH_STR("");
    if (document == NULL) {
        return GH_OK;
    }
    while (gh_store_document(diff->store, document->sha256, diff->cli->arena, text, error) != GH_OK) {
        if (!gh_cli_again(error, &tries)) {
            return GH_ERROR;
        }
    }
    side->sources[side->source_count++] = (gh_document_source_t) { document->path, *text };

    return GH_OK;
}

static int
compare_texts(diff_t *diff, gh_error_t *error)
{
    for (int s = 0; s < 2; s++) {
        diff->sides[s].sources = gh_arena_array(diff->cli->arena, diff->count, sizeof(gh_document_source_t));
        if (diff->sides[s].sources == NULL) {
            return gh_error_set(error, "out_of_memory", "out of memory");
        }
    }

    for (size_t i = 0; i < diff->count; i++) {
        pair_t  *pair = &diff->pairs[i];
        gh_str_t before, after;

        if (pair->before && pair->after && same_bytes(pair->before, pair->after)) {
            continue;
        }
        if (read_text(diff, &diff->sides[0], pair->before, &before, error) != GH_OK
            || read_text(diff, &diff->sides[1], pair->after, &after, error) != GH_OK)
        {
            return GH_ERROR;
        }
        pair->lines = gh_cli_line_diff(diff->cli->arena, before, after);
        if (pair->lines.data == NULL) {
            return gh_error_set(error, "out_of_memory", "out of memory");
        }
    }

    return GH_OK;
}

static int
compare(diff_t *diff, gh_item_change_t **changes, size_t *count, gh_error_t *error)
{
    side_t *before = &diff->sides[0], *after = &diff->sides[1];

    if (find_pairs(diff) != GH_OK) {
        return gh_error_set(error, "out_of_memory", "out of memory");
    }
    if (compare_texts(diff, error) != GH_OK
        || gh_document_items(diff->cli->arena, before->sources, before->source_count, &before->items, error) != GH_OK
        || gh_document_items(diff->cli->arena, after->sources, after->source_count, &after->items, error) != GH_OK)
    {
        return GH_ERROR;
    }

    return gh_items_compare(diff->cli->arena, &before->items, &after->items, changes, count) == GH_OK
        ? GH_OK : gh_error_set(error, "out_of_memory", "out of memory");
}

/* ---- printing ---- */

static const char *const change_words[] = { "added", "removed", "changed" };

static const char *
pair_word(const pair_t *pair)
{
    return pair->before == NULL ? "added" : pair->after == NULL ? "removed" : same_bytes(pair->before, pair->after) ? "moved" : "changed";
}

static void
print_documents(const diff_t *diff)
{
    for (size_t i = 0; i < diff->count; i++) {
        const pair_t              *pair = &diff->pairs[i];
        const gh_store_document_t *document = pair->after ? pair->after : pair->before;
        gh_str_t                   path = gh_cli_shown(diff->cli->arena, document->path);

        printf("%-8s  %-16.*s  %.*s", pair_word(pair), GH_STR_ARG(document->owner.len ? document->owner : GH_STR("gateway")),
            GH_STR_ARG(path));
        if (pair->before && pair->after && !gh_str_eq(pair->before->path, pair->after->path)) {
            path = gh_cli_shown(diff->cli->arena, pair->before->path);
            printf(" (was %.*s)", GH_STR_ARG(path));
        }
        putchar('\n');
    }
}

static void
print_limit(void *context, char sign, gh_str_t text)
{
    const gh_str_t *whose = context;

    printf("  %c limit %.*s: %.*s\n", sign, GH_STR_ARG(*whose), GH_STR_ARG(text));
}

/* Those of the item itself, of each key below it and of each user. */
static const gh_level_t limit_lists[] = { GH_LEVEL_ORGANISATION, GH_LEVEL_KEY, GH_LEVEL_USER };
#define LIMIT_LISTS (sizeof(limit_lists) / sizeof(limit_lists[0]))

static const gh_limit_list_t *
list_of(const gh_item_t *item, gh_level_t list)
{
    static const gh_limit_list_t none = { NULL, 0 };

    return item == NULL ? &none : list == GH_LEVEL_KEY ? &item->key_limits : list == GH_LEVEL_USER ? &item->user_limits : &item->limits;
}

/* Below an organisation, tenant or app: its limits that are new, gone, raised or lowered. */
static void
each_limit(gh_arena_t *arena, const gh_item_change_t *change, gh_level_t list, gh_cli_limit_change_fn each, void *context)
{
    gh_cli_limits_differ(arena, list_of(change->before, list), list_of(change->after, list), each, context);
}

static gh_str_t
limited(gh_arena_t *arena, const gh_item_t *item, gh_level_t list)
{
    return gh_cli_limited_text(arena, list != GH_LEVEL_ORGANISATION ? list : (gh_level_t) (GH_LEVEL_ORGANISATION + (item->kind - GH_ITEM_ORGANISATION)), item->id);
}

static void
print_limits(gh_arena_t *arena, const gh_item_change_t *change)
{
    const gh_item_t *item = change->after ? change->after : change->before;

    for (size_t i = 0; item->kind >= GH_ITEM_ORGANISATION && i < LIMIT_LISTS; i++) {
        gh_str_t whose = limited(arena, item, limit_lists[i]);

        each_limit(arena, change, limit_lists[i], print_limit, &whose);
    }
}

static void
print_items(gh_arena_t *arena, const gh_item_change_t *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const gh_item_change_t *change = &changes[i];
        const gh_item_t        *item = change->after ? change->after : change->before;

        printf("%c %s %.*s", "+-~"[change->change], gh_item_kind_names[item->kind], GH_STR_ARG(item->id));
        for (uint32_t k = 0; k < change->member_count; k++) {
            printf("%s %.*s", k == 0 ? ":" : ",", GH_STR_ARG(change->members[k]));
        }
        putchar('\n');
        print_limits(arena, change);
    }
}

static void
print_lines(const diff_t *diff)
{
    for (size_t i = 0; i < diff->count; i++) {
        const pair_t *pair = &diff->pairs[i];

        if (pair->lines.len == 0) {
            continue;
        }
        putchar('\n');
        for (int s = 0; s < 2; s++) {
            const gh_store_document_t *document = s == 0 ? pair->before : pair->after;
            gh_str_t                   path = document ? gh_cli_shown(diff->cli->arena, document->path) : GH_STR("nothing");

            printf("%s revision %llu: %.*s\n", s == 0 ? "---" : "+++", (unsigned long long) diff->sides[s].revision.number,
                GH_STR_ARG(path));
        }
        fwrite(pair->lines.data, 1, pair->lines.len, stdout);
    }
}

static json_t *
documents_json(const diff_t *diff)
{
    json_t *list = json_array();

    for (size_t i = 0; i < diff->count; i++) {
        const pair_t              *pair = &diff->pairs[i];
        const gh_store_document_t *document = pair->after ? pair->after : pair->before;
        json_t                    *object = json_pack("{s:s, s:s%, s:s%, s:s%}", "change", pair_word(pair),
            "organisation", document->owner.data, document->owner.len, "path", document->path.data, document->path.len,
            "lines", pair->lines.data ? pair->lines.data : "", pair->lines.len);

        if (object != NULL && pair->before && pair->after && !gh_str_eq(pair->before->path, pair->after->path)) {
            json_object_set_new(object, "was", json_stringn(pair->before->path.data, pair->before->path.len));
        }
        json_array_append_new(list, object);
    }

    return list;
}

static void
push_limit(void *context, char sign, gh_str_t text)
{
    json_array_append_new(context, json_pack("{s:s, s:s%}", "change", sign == '+' ? "added" : sign == '-' ? "removed" : "changed", "text",
        text.data, text.len));
}

static json_t *
items_json(gh_arena_t *arena, const gh_item_change_t *changes, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const gh_item_t *item = changes[i].after ? changes[i].after : changes[i].before;
        json_t          *members = json_array(), *limits = json_array(), *object;

        for (uint32_t k = 0; k < changes[i].member_count; k++) {
            json_array_append_new(members, json_stringn(changes[i].members[k].data, changes[i].members[k].len));
        }
        object = json_pack("{s:s, s:s, s:s%, s:o}", "change", change_words[changes[i].change], "kind", gh_item_kind_names[item->kind], "id",
            item->id.data, item->id.len, "members", members);
        for (size_t k = 0; k < LIMIT_LISTS; k++) {
            each_limit(arena, &changes[i], limit_lists[k], push_limit, limits);
        }
        if (json_array_size(limits) > 0) {
            json_object_set(object, "limits", limits);
        }
        json_decref(limits);
        json_array_append_new(list, object);
    }

    return list;
}

static int
print(const diff_t *diff, const gh_item_change_t *changes, size_t count)
{
    gh_cli_t *cli = diff->cli;

    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, json_pack("{s:I, s:I, s:o, s:o}",
            "from", (json_int_t) diff->sides[0].revision.number, "to", (json_int_t) diff->sides[1].revision.number,
            "documents", documents_json(diff), "items", items_json(cli->arena, changes, count)));
    }

    printf("revision %llu to revision %llu: %zu document%s differ%s\n", (unsigned long long) diff->sides[0].revision.number,
        (unsigned long long) diff->sides[1].revision.number, diff->count, diff->count == 1 ? "" : "s", diff->count == 1 ? "s" : "");
    print_documents(diff);
    if (count != 0) {
        putchar('\n');
        print_items(cli->arena, changes, count);
    }
    if (!gh_cli_flag(cli, "no-lines")) {
        print_lines(diff);
    }

    return gh_cli_flush(cli);
}

/* ---- the command ---- */

/* Number 0: the newest. */
static int
read_side(diff_t *diff, uint64_t number, side_t *side)
{
    gh_error_t error = { 0 };
    unsigned   tries = 0;

    for ( ;; ) {
        int rc = number != 0 ? GH_OK : gh_store_revision_number(diff->store, &number, &error);

        if (rc == GH_OK && gh_store_revision_read(diff->store, number, diff->cli->arena, &side->revision, &error) == GH_OK) {
            return GH_EXIT_DONE;
        }
        if (!gh_cli_again(&error, &tries)) {
            return gh_cli_fail_revision(diff->cli, diff->store, &error);
        }
    }
}

static int
run_diff(diff_t *diff, const uint64_t numbers[2])
{
    gh_item_change_t *changes;
    gh_error_t        error = { 0 };
    size_t            count;
    int               status = read_side(diff, numbers[0], &diff->sides[0]);

    if (status == GH_EXIT_DONE) {
        status = read_side(diff, numbers[1], &diff->sides[1]);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }

    return compare(diff, &changes, &count, &error) == GH_OK ? print(diff, changes, count) : gh_cli_fail_store(diff->cli, &error);
}

static int
run(gh_cli_t *cli)
{
    uint64_t numbers[2] = { 0, 0 };
    diff_t   diff = { .cli = cli };
    int      status = gh_cli_scope(cli, &diff.scope);

    for (unsigned i = 0; i < cli->argument_count && status == GH_EXIT_DONE; i++) {
        status = gh_cli_number(cli, "", cli->arguments[i], GH_CLI_A_REVISION, &numbers[i]);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }

    diff.store = gh_cli_store_open(cli, false);
    if (diff.store == NULL) {
        return GH_EXIT_ERROR;
    }
    status = run_diff(&diff, numbers);
    gh_store_close(diff.store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "organisation", "ORG", "only the documents of this organisation", false },
    { "gateway", NULL, "only the gateway's documents", false },
    { "no-lines", NULL, "without the lines of each document", false },
    { "json", NULL, "prints an object: from, to, documents, items", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_diff = {
    .name = "policy diff",
    .usage = "A [B] [options]",
    .summary = "says what revision B says otherwise than revision A",
    .help =
        "Lists the documents that were added, removed, changed or moved between two revisions, then the policies,\n"
        "rules, nodes, models, deployments, organisations, tenants and apps, each by its id (\"+\" added, \"-\" removed,\n"
        "\"~\" changed, with the members that differ), then the lines. Without B: the revision in force.\n"
        "It compares what is written; what an edit does to requests is said by `gatehouse policy plan`.",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
