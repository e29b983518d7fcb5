#include "policy/cli/facts_tree.h"

#include <string.h>
#include <unistd.h>

#include "policy/base/hash.h"
#include "policy/base/json_writer.h"
#include "policy/cli/files.h"

#define FACTS_MAX (16u << 20)

const char *
gh_cli_signature_text(gh_cli_signature_t signature)
{
    return signature == GH_FACTS_SIGNED ? "signed by the project" : signature == GH_FACTS_UNSIGNED ? "not signed" : "not what was signed";
}

gh_str_t
gh_cli_node_text(const gh_node_t *object, const char *member)
{
    const gh_node_t *node = object != NULL && object->type == GH_NODE_OBJECT ? gh_node_get(object, member) : NULL;

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

gh_places_t
gh_cli_node_places(const gh_node_t *list)
{
    gh_places_t places = gh_places_none();

    for (const gh_node_t *node = list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL; node != NULL; node = node->next) {
        int country = node->type == GH_NODE_STRING ? gh_country_index(node->text) : -1;

        if (country >= 0) {
            gh_places_add(&places, country);
        }
        if (node->type == GH_NODE_STRING && gh_str_is(node->text, "ANYWHERE")) {
            places = gh_places_anywhere();
        }
    }

    return places;
}

gh_str_t
gh_cli_node_json(gh_arena_t *arena, const gh_node_t *node)
{
    gh_json_writer_t w;

    for (size_t size = 4096; size <= FACTS_MAX; size *= 8) {
        char *buffer = gh_arena_alloc(arena, size);

        if (buffer == NULL) {
            break;
        }
        gh_json_writer_init(&w, buffer, size);
        gh_node_write(&w, node);
        if (gh_json_writer_ok(&w)) {
            return (gh_str_t) { w.data, w.len };
        }
    }

    return GH_STR("");
}

gh_str_t
gh_cli_process_text(gh_arena_t *arena, const gh_node_t *process)
{
    const gh_node_t *countries = process && process->type == GH_NODE_OBJECT ? gh_node_get(process, "countries") : NULL;
    gh_str_t         set = gh_cli_node_text(process, "set");

    if (process == NULL || process->type != GH_NODE_OBJECT) {
        return GH_STR("unknown");
    }
    if (countries != NULL) {
        return gh_places_text(arena, gh_cli_node_places(countries));
    }
    if (set.len > 0) {
        return set;
    }
    if (gh_node_get(process, "any") != NULL) {
        return GH_STR("any country");
    }
    if (gh_node_get(process, "region") != NULL) {
        return GH_STR("the region's country");
    }

    return gh_node_get(process, "state") != NULL ? GH_STR("must be stated") : gh_cli_node_json(arena, process);
}

/* ---- loading ---- */

static bool
built_in(const char *word)
{
    gh_str_t names[64];
    size_t   count = gh_facts_names(names, 64);

    for (size_t i = 0; i < count && i < 64; i++) {
        if (gh_str_is(names[i], word)) {
            return true;
        }
    }

    return false;
}

static int
unknown(const gh_cli_t *cli, const char *word)
{
    gh_str_t names[64], near;
    size_t   count = gh_facts_names(names, 64);

    near = gh_str_nearest(gh_str_from(word), names, count < 64 ? count : 64);

    return gh_cli_fail(cli, "%s is neither a file nor facts of this program, which has %.*s%s%.*s%s", word, GH_STR_ARG(names[0]),
        near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");
}

static int
read_file(gh_cli_t *cli, const char *path, gh_str_t *text, gh_cli_signature_t *signature)
{
    gh_error_t error = { 0 };
    gh_str_t   beside = gh_str_format(cli->arena, "%s.sig", path), bytes;

    *signature = GH_FACTS_UNSIGNED;
    if (gh_cli_read_file(cli->arena, path, FACTS_MAX, text, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    if (beside.data != NULL && access(beside.data, F_OK) == 0) {
        if (gh_cli_read_file(cli->arena, beside.data, 4096, &bytes, &error) != GH_OK) {
            return gh_cli_fail_error(cli, &error);
        }
        *signature = bytes.len == 64 && gh_facts_signed(*text, (const uint8_t *) bytes.data) ? GH_FACTS_SIGNED : GH_FACTS_FORGED;
    }

    return GH_EXIT_DONE;
}

int
gh_cli_facts_tree(gh_cli_t *cli, const char *word, gh_cli_facts_t *facts)
{
    gh_error_t error = { 0 };
    gh_str_t   text;
    gh_node_t *root;

    *facts = (gh_cli_facts_t) { .signature = GH_FACTS_SIGNED };
    if (word == NULL || built_in(word)) {
        if (gh_facts_text(gh_str_from(word ? word : ""), &text, &error) != GH_OK) {
            return gh_cli_fail_error(cli, &error);
        }
    } else if (access(word, F_OK) != 0) {
        return unknown(cli, word);
    } else if (read_file(cli, word, &text, &facts->signature) != GH_EXIT_DONE) {
        return GH_EXIT_ERROR;
    }

    if (gh_json_parse(cli->arena, text, word ? word : "", &root, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    facts->name = gh_cli_node_text(root, "name");
    facts->source = gh_str_from(word ? word : "");
    if (facts->source.len == 0) {
        facts->source = facts->name;
    }
    if (!gh_str_is(gh_cli_node_text(root, "format"), "regions/2") || facts->name.len == 0) {
        return gh_cli_fail(cli, "%.*s is no facts artefact: it must say \"format\": \"regions/2\" and \"name\"", GH_STR_ARG(facts->source));
    }
    facts->root = root;
    gh_sha256(text.data, text.len, facts->digest);

    return GH_EXIT_DONE;
}
