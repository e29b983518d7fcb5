/* `gatehouse facts diff`: what changed in the world from one dated artefact to another, with the sources. */
#include <stdio.h>
#include <string.h>

#include "policy/cli/facts_tree.h"
#include "policy/cli/places_text.h"
#include "policy/cli/policy.h"

typedef struct {
    gh_cli_t      *cli;
    gh_cli_facts_t a, b;
    json_t        *changes;       /* [{"what", "name", "change", "before", "after", "source"}] */
    const char    *section;       /* the heading that the next change stands under */
    bool           headed;
} diff_t;

static json_t *
text_json(gh_str_t text)
{
    return json_stringn(text.data, text.len);
}

/* One change: kept for JSON, and printed under its section's heading otherwise. before, after and source may be empty. */
static void
change(diff_t *d, const char *what, gh_str_t name, const char *how, gh_str_t before, gh_str_t after, gh_str_t source)
{
    json_array_append_new(d->changes, json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "what", what, "name", text_json(name), "change", how,
        "before", text_json(before), "after", text_json(after), "source", text_json(source)));
    if (gh_cli_flag(d->cli, "json")) {
        return;
    }
    if (!d->headed) {
        printf("\n%s\n", d->section);
        d->headed = true;
    }
    printf("  %-7s %.*s", how, GH_STR_ARG(gh_cli_shown(d->cli->arena, name)));
    if (before.len > 0 && after.len > 0) {
        printf(": %.*s -> %.*s", GH_STR_ARG(gh_cli_shown(d->cli->arena, before)), GH_STR_ARG(gh_cli_shown(d->cli->arena, after)));
    } else if (before.len + after.len > 0) {
        printf(": %.*s", GH_STR_ARG(gh_cli_shown(d->cli->arena, before.len ? before : after)));
    }
    if (source.len > 0) {
        printf(" (%.*s)", GH_STR_ARG(gh_cli_shown(d->cli->arena, source)));
    }
    putchar('\n');
}

static void
begin(diff_t *d, const char *section)
{
    d->section = section;
    d->headed = false;
}

/* ---- sets and operators: names with a list of countries ---- */

static gh_str_t
spelled(const diff_t *d, gh_places_t places)
{
    gh_str_t text = GH_STR("");

    for (int i = 0; i < GH_COUNTRIES; i++) {
        if (places.word[i / 64] >> (i % 64) & 1) {
            text = gh_str_format(d->cli->arena, "%.*s%s%s (%s)", GH_STR_ARG(text), text.len ? ", " : "", gh_country_names[i],
                gh_country_codes[i]);
        }
    }

    return text;
}

static const gh_node_t *
list_of(const gh_node_t *object, const char *member)
{
    return object != NULL && object->type == GH_NODE_OBJECT ? gh_node_get(object, member) : NULL;
}

/* Members of two objects by name; each holds a list of countries under `list`. */
static void
compare_places(diff_t *d, const char *what, const char *member, const char *list, const char *source)
{
    const gh_node_t *a = gh_node_get(d->a.root, member), *b = gh_node_get(d->b.root, member);

    for (const gh_node_t *node = a ? a->first : NULL; node != NULL; node = node->next) {
        gh_str_t         key = gh_str_copy(d->cli->arena, node->key);
        const gh_node_t *other = b && key.data ? gh_node_get(b, key.data) : NULL;
        gh_places_t      before = gh_cli_node_places(list_of(node, list)), after = gh_cli_node_places(list_of(other, list));
        gh_str_t         said = gh_cli_node_text(other, source);

        if (other == NULL) {
            change(d, what, node->key, "removed", spelled(d, before), GH_STR(""), gh_cli_node_text(node, source));
            continue;
        }
        if (!gh_places_empty(gh_places_minus(after, before))) {
            change(d, what, node->key, "gained", GH_STR(""), spelled(d, gh_places_minus(after, before)), said);
        }
        if (!gh_places_empty(gh_places_minus(before, after))) {
            change(d, what, node->key, "lost", spelled(d, gh_places_minus(before, after)), GH_STR(""), said);
        }
    }
    for (const gh_node_t *node = b ? b->first : NULL; node != NULL; node = node->next) {
        gh_str_t key = gh_str_copy(d->cli->arena, node->key);

        if (a == NULL || (key.data != NULL && gh_node_get(a, key.data) == NULL)) {
            change(d, what, node->key, "added", GH_STR(""), spelled(d, gh_cli_node_places(list_of(node, list))), gh_cli_node_text(node, source));
        }
    }
}

/* ---- rows that have a key ---- */

typedef gh_str_t (*key_fn)(const diff_t *d, const gh_node_t *row);
typedef gh_str_t (*value_fn)(const diff_t *d, const gh_node_t *row);

static const gh_node_t *
find_row(const diff_t *d, const gh_node_t *list, key_fn key, gh_str_t wanted)
{
    for (const gh_node_t *row = list && list->type == GH_NODE_ARRAY ? list->first : NULL; row != NULL; row = row->next) {
        if (gh_str_eq(key(d, row), wanted)) {
            return row;
        }
    }

    return NULL;
}

static void
compare_rows(diff_t *d, const char *what, const gh_node_t *a, const gh_node_t *b, key_fn key, value_fn value)
{
    for (const gh_node_t *row = a && a->type == GH_NODE_ARRAY ? a->first : NULL; row != NULL; row = row->next) {
        const gh_node_t *other = find_row(d, b, key, key(d, row));

        if (other == NULL) {
            change(d, what, key(d, row), "removed", value(d, row), GH_STR(""), gh_cli_node_text(row, "source"));
        } else if (!gh_str_eq(value(d, row), value(d, other))) {
            change(d, what, key(d, row), "changed", value(d, row), value(d, other), gh_cli_node_text(other, "source"));
        }
    }
    for (const gh_node_t *row = b && b->type == GH_NODE_ARRAY ? b->first : NULL; row != NULL; row = row->next) {
        if (find_row(d, a, key, key(d, row)) == NULL) {
            change(d, what, key(d, row), "added", GH_STR(""), value(d, row), gh_cli_node_text(row, "source"));
        }
    }
}

/* An announced region has a name but no id yet. */
static gh_str_t
region_key(const diff_t *d, const gh_node_t *row)
{
    static const char *const members[] = { "id", "name", "place", "country" };
    gh_str_t                 word = GH_STR("");

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && word.len == 0; i++) {
        word = gh_cli_node_text(row, members[i]);
    }

    return gh_str_format(d->cli->arena, "%.*s %.*s", GH_STR_ARG(gh_cli_node_text(row, "provider")), GH_STR_ARG(word));
}

/* What the loader takes from a region. */
static gh_str_t
region_value(const diff_t *d, const gh_node_t *row)
{
    const gh_node_t *verified = row->type == GH_NODE_OBJECT ? gh_node_get(row, "verified") : NULL;

    return gh_str_format(d->cli->arena, "%.*s, partition %.*s, %.*s%s", GH_STR_ARG(gh_cli_node_text(row, "country")),
        GH_STR_ARG(gh_cli_node_text(row, "partition")), GH_STR_ARG(gh_cli_node_text(row, "status")),
        verified != NULL && verified->type == GH_NODE_FALSE ? ", not verified" : "");
}

/* A rule's conditions: every member but what it does and where that is from. */
static gh_str_t
rule_key(const diff_t *d, const gh_node_t *row)
{
    static const char *const beside[] = { "process", "source", "note" };
    gh_str_t                 text = GH_STR("");

    for (const gh_node_t *node = row->type == GH_NODE_OBJECT ? row->first : NULL; node != NULL; node = node->next) {
        bool skip = false;

        for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
            skip = skip || gh_str_is(node->key, beside[i]);
        }
        if (!skip) {
            text = gh_str_format(d->cli->arena, "%.*s%s%.*s=%.*s", GH_STR_ARG(text), text.len ? " " : "", GH_STR_ARG(node->key),
                GH_STR_ARG(gh_cli_node_json(d->cli->arena, node)));
        }
    }

    return text.len > 0 ? text : GH_STR("always");
}

static gh_str_t
rule_value(const diff_t *d, const gh_node_t *row)
{
    return gh_cli_process_text(d->cli->arena, row->type == GH_NODE_OBJECT ? gh_node_get(row, "process") : NULL);
}

static void
compare_rules(diff_t *d)
{
    const gh_node_t *a = gh_node_get(d->a.root, "process_rules"), *b = gh_node_get(d->b.root, "process_rules");
    const gh_node_t *sides[] = { a, b };

    for (int side = 0; side < 2; side++) {
        for (const gh_node_t *node = sides[side] ? sides[side]->first : NULL; node != NULL; node = node->next) {
            gh_str_t         key = gh_str_copy(d->cli->arena, node->key);
            const gh_node_t *other = sides[1 - side] && key.data ? gh_node_get(sides[1 - side], key.data) : NULL;

            if (node->type != GH_NODE_ARRAY || (side == 1 && other != NULL)) {
                continue;
            }
            begin(d, gh_str_format(d->cli->arena, "Processing at %.*s:", GH_STR_ARG(node->key)).data);
            compare_rows(d, "processing", side == 0 ? node : NULL, side == 0 ? other : node, rule_key, rule_value);
        }
    }
}

/* ---- the command ---- */

static int
compare(diff_t *d)
{
    int status;

    if (!gh_cli_flag(d->cli, "json")) {
        printf("%.*s (%s) -> %.*s (%s)\n", GH_STR_ARG(d->a.name), gh_cli_signature_text(d->a.signature), GH_STR_ARG(d->b.name),
            gh_cli_signature_text(d->b.signature));
    }
    begin(d, "Sets of countries:");
    compare_places(d, "set", "sets", "members", "note");
    begin(d, "Regions:");
    compare_rows(d, "region", gh_node_get(d->a.root, "regions"), gh_node_get(d->b.root, "regions"), region_key, region_value);
    begin(d, "Homes of operators:");
    compare_places(d, "operator", "partition_operators", "home", "who");
    compare_rules(d);

    size_t count = json_array_size(d->changes);

    if (gh_cli_flag(d->cli, "json")) {
        status = gh_cli_print_json(d->cli, json_pack("{s:o, s:o, s:O}", "from", text_json(d->a.name), "to", text_json(d->b.name), "changes",
            d->changes));
    } else {
        printf(count == 0 ? "Nothing that decides is different.\n" : "\n%zu change%s.\n", count, count == 1 ? "" : "s");
        status = gh_cli_flush(d->cli);
    }

    return status != GH_EXIT_DONE ? status : count > 0 ? GH_EXIT_CHANGES : GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    gh_str_t names[2] = { GH_STR(""), GH_STR("") };
    size_t   known = gh_facts_names(names, 2);
    diff_t   d = { .cli = cli };
    int      status;

    if (cli->argument_count == 0 && known < 2) {
        gh_cli_fail(cli, "this program has one date only, %.*s", GH_STR_ARG(names[0]));
        gh_cli_advise("name another artefact: gatehouse facts diff %.*s FILE", GH_STR_ARG(names[0]));
        return GH_EXIT_ERROR;
    }
    status = gh_cli_facts_tree(cli, cli->argument_count > 0 ? cli->arguments[0] : names[1].data, &d.a);
    if (status == GH_EXIT_DONE) {
        status = gh_cli_facts_tree(cli, cli->argument_count > 1 ? cli->arguments[1] : NULL, &d.b);
    }
    if (status != GH_EXIT_DONE) {
        return status;
    }
    d.changes = json_array();
    status = d.changes != NULL ? compare(&d) : gh_cli_fail(cli, "out of memory");
    json_decref(d.changes);

    return status;
}

static const gh_cli_option_t options[] = {
    { "json", NULL, "prints an object: from, to, changes", false },
    { 0 }
};

const char gh_cli_facts_words[] =
    "Facts are what the project knows of the world: where regions are, what sets of countries hold, what SKUs and\n"
    "profiles do. They are dated and signed; a policy pins the date that its words mean.\n";

const gh_cli_command_t gh_cli_facts_diff = {
    .name = "facts diff",
    .usage = "[A [B]] [options]",
    .summary = "says what changed between two dates of the facts",
    .help =
        "Compares two artefacts, each the name of one in this program or a file: sets that gained or lost countries,\n"
        "regions added, removed or moved, homes of operators, and what SKUs, profiles and hosts do; with the sources.\n"
        "Without B: against the newest. Without A: from the one before it.",
    .exits = ", 2 something that decides is different",
    .options = options,
    .least = 0,
    .most = 2,
    .run = run,
};
