/* `gatehouse facts show`: what the facts say of a word; without one, what there is. */
#include <stdio.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/cli/facts_tree.h"
#include "policy/cli/paragraph.h"
#include "policy/cli/places_words.h"
#include "policy/cli/policy.h"

typedef struct {
    gh_cli_t      *cli;
    gh_cli_facts_t facts;
    json_t        *found;         /* what --json prints */
} showing_t;

static json_t *
text_json(gh_str_t text)
{
    return json_stringn(text.data, text.len);
}

static json_t *
codes_json(gh_places_t places)
{
    json_t *list = json_array();

    for (int i = 0; i < GH_COUNTRIES; i++) {
        if (places.word[i / 64] >> (i % 64) & 1) {
            json_array_append_new(list, json_string(gh_country_codes[i]));
        }
    }

    return list;
}

static bool
as_json(const showing_t *s)
{
    return gh_cli_flag(s->cli, "json");
}

/* ---- everything ---- */

static void
show_overview(showing_t *s)
{
    const gh_node_t *sets = gh_node_get(s->facts.root, "sets"), *sources = gh_node_get(s->facts.root, "generated_from");
    const gh_node_t *regions = gh_node_get(s->facts.root, "regions");
    gh_str_t         names[64];
    size_t           count = gh_facts_names(names, 64);
    char             digest[65] = "";
    json_t          *list = json_object();

    gh_hex(s->facts.digest, 32, digest);
    if (!as_json(s)) {
        printf("%.*s, %s\nSHA-256 %s\n", GH_STR_ARG(s->facts.name), gh_cli_signature_text(s->facts.signature), digest);
        printf("%zu regions; sets of countries:\n", regions ? regions->count : 0);
    }
    for (const gh_node_t *set = sets ? sets->first : NULL; set != NULL; set = set->next) {
        gh_places_t places = gh_cli_node_places(set->type == GH_NODE_OBJECT ? gh_node_get(set, "members") : NULL);
        gh_str_t    key = gh_str_copy(s->cli->arena, set->key);

        if (!as_json(s)) {
            printf("  %-26.*s %3u countries\n", GH_STR_ARG(set->key), gh_places_count(places));
        }
        json_object_set_new(list, key.data ? key.data : "", codes_json(places));
    }
    if (!as_json(s)) {
        printf("From:\n");
        for (const gh_node_t *source = sources ? sources->first : NULL; source != NULL; source = source->next) {
            printf("  %.*s\n", GH_STR_ARG(source->text));
        }
        printf("This program has:");
        for (size_t i = 0; i < count && i < 64; i++) {
            printf("%s %.*s", i ? "," : "", GH_STR_ARG(names[i]));
        }
        printf(".\n");
    }
    s->found = json_pack("{s:o, s:s, s:s, s:I, s:o}", "name", text_json(s->facts.name), "sha256", digest, "signature",
        gh_cli_signature_text(s->facts.signature), "regions", (json_int_t) (regions ? regions->count : 0), "sets", list);
}

/* ---- one word ---- */

static bool
show_set(showing_t *s, const char *word)
{
    const gh_node_t *sets = gh_node_get(s->facts.root, "sets"), *set = sets ? gh_node_get(sets, word) : NULL;
    gh_places_t      places;
    gh_str_t         note;

    if (set == NULL || set->type != GH_NODE_OBJECT) {
        return false;
    }
    places = gh_cli_node_places(gh_node_get(set, "members"));
    note = gh_cli_node_text(set, "note");
    s->found = json_pack("{s:s, s:o, s:o, s:o}", "set", word, "countries", codes_json(places), "note", text_json(note), "facts",
        text_json(s->facts.name));
    if (!as_json(s)) {
        printf("%s, a set of %u countries as of %.*s:\n", word, gh_places_count(places), GH_STR_ARG(s->facts.name));
        gh_cli_paragraph(2, 2, gh_cli_places_spelled(s->cli->arena, places));
        if (note.len > 0) {
            gh_cli_paragraph(0, 0, note);
        }
    }

    return true;
}

static bool
show_country(showing_t *s, const char *word)
{
    const gh_node_t *sets = gh_node_get(s->facts.root, "sets");
    int              country = gh_country_index(gh_str_from(word));
    json_t          *in = json_array();
    gh_places_t      one = gh_places_none();

    country = country >= 0 ? country : gh_country_called(gh_str_from(word));
    if (country < 0) {
        json_decref(in);
        return false;
    }
    gh_places_add(&one, country);
    if (!as_json(s)) {
        printf("%s (%s) as of %.*s is in:", gh_country_names[country], gh_country_codes[country], GH_STR_ARG(s->facts.name));
    }
    for (const gh_node_t *set = sets ? sets->first : NULL; set != NULL; set = set->next) {
        if (gh_places_inside(one, gh_cli_node_places(set->type == GH_NODE_OBJECT ? gh_node_get(set, "members") : NULL))) {
            if (!as_json(s)) {
                printf("%s %.*s", json_array_size(in) ? "," : "", GH_STR_ARG(set->key));
            }
            json_array_append_new(in, text_json(set->key));
        }
    }
    if (!as_json(s)) {
        printf("%s.\n", json_array_size(in) ? "" : " no set");
    }
    s->found = json_pack("{s:s, s:s, s:o, s:o}", "country", gh_country_codes[country], "name", gh_country_names[country], "sets", in, "facts",
        text_json(s->facts.name));

    return true;
}

static bool
show_regions(showing_t *s, const char *word)
{
    const gh_node_t *regions = gh_node_get(s->facts.root, "regions");
    json_t          *list = json_array();

    for (const gh_node_t *row = regions ? regions->first : NULL; row != NULL; row = row->next) {
        gh_str_t         country = gh_cli_node_text(row, "country");
        const gh_node_t *verified = row->type == GH_NODE_OBJECT ? gh_node_get(row, "verified") : NULL;
        int              index = gh_country_index(country);

        if (!gh_str_is(gh_cli_node_text(row, "id"), word)) {
            continue;
        }
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "provider", text_json(gh_cli_node_text(row, "provider")), "country",
            text_json(country), "partition", text_json(gh_cli_node_text(row, "partition")), "status", text_json(gh_cli_node_text(row, "status")),
            "source", text_json(gh_cli_node_text(row, "source"))));
        if (!as_json(s)) {
            printf("%s of %.*s, %.*s: %s (%.*s), partition %.*s, %.*s%s (%.*s)\n", word, GH_STR_ARG(gh_cli_node_text(row, "provider")),
                GH_STR_ARG(s->facts.name), index >= 0 ? gh_country_names[index] : "unknown", GH_STR_ARG(country),
                GH_STR_ARG(gh_cli_node_text(row, "partition")), GH_STR_ARG(gh_cli_node_text(row, "status")),
                verified != NULL && verified->type == GH_NODE_FALSE ? ", not verified, so unknown" : "",
                GH_STR_ARG(gh_cli_node_text(row, "source")));
        }
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        return false;
    }
    s->found = json_pack("{s:s, s:o, s:o}", "region", word, "rows", list, "facts", text_json(s->facts.name));

    return true;
}

static int
unknown(const showing_t *s, const char *word)
{
    const gh_node_t *sets = gh_node_get(s->facts.root, "sets"), *regions = gh_node_get(s->facts.root, "regions");
    size_t           size = (sets ? sets->count : 0) + (regions ? regions->count : 0) + GH_COUNTRIES, count = 0;
    gh_str_t        *names = gh_arena_array(s->cli->arena, size, sizeof(*names)), near;

    for (const gh_node_t *set = sets && names ? sets->first : NULL; set != NULL; set = set->next) {
        names[count++] = set->key;
    }
    for (const gh_node_t *row = regions && names ? regions->first : NULL; row != NULL; row = row->next) {
        names[count++] = gh_cli_node_text(row, "id");
    }
    for (int i = 0; names != NULL && i < GH_COUNTRIES; i++) {
        names[count++] = gh_str_from(gh_country_names[i]);
    }
    near = names != NULL ? gh_str_nearest(gh_str_from(word), names, count) : GH_STR("");

    return gh_cli_fail(s->cli, "%.*s has no set, country or region \"%s\"%s%.*s%s", GH_STR_ARG(s->facts.name), word,
        near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");
}

/* ---- the command ---- */

static int
run(gh_cli_t *cli)
{
    const char *word = cli->argument_count == 1 ? cli->arguments[0] : NULL;
    showing_t   s = { .cli = cli };

    if (gh_cli_facts_tree(cli, gh_cli_value(cli, "facts"), &s.facts) != GH_EXIT_DONE) {
        return GH_EXIT_ERROR;
    }
    if (word == NULL) {
        show_overview(&s);
    } else if (!show_set(&s, word) && !show_country(&s, word) && !show_regions(&s, word)) {
        return unknown(&s, word);
    }
    if (as_json(&s)) {
        return gh_cli_print_json(cli, s.found);
    }
    json_decref(s.found);

    return gh_cli_flush(cli);
}

static const gh_cli_option_t options[] = {
    { "facts", "NAME|FILE", "an artefact of this program or a file (default: the\nnewest)", false },
    { "json", NULL, "prints an object", false },
    { 0 }
};

const gh_cli_command_t gh_cli_facts_show = {
    .name = "facts show",
    .usage = "[WORD] [options]",
    .summary = "looks a set, country or region up in the facts",
    .help =
        "Prints what the facts say of a word: the countries of a set, the sets that a country (ISO code or name) is in,\n"
        "or where a region is. Without a word: the artefact's name, digest and signature, its sets and sources.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
