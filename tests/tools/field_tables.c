/*
 * Prints conf/fields.md: every field, type and flag that the gateway knows, by endpoint, and what it turns on, from the tables that requests are read by.
 */
#include <stdio.h>
#include <string.h>

#include "ngx_module/wire/fields.h"

#define SEEN  256
#define PATH  256

typedef struct {
    const gh_field_table_t *table;
    char                    path[PATH];
} seen_t;

static seen_t   seen[SEEN];
static unsigned seen_count;

static const gh_endpoint_t endpoints[] = {
    GH_ENDPOINT_CHAT_COMPLETIONS, GH_ENDPOINT_COMPLETIONS, GH_ENDPOINT_EMBEDDINGS, GH_ENDPOINT_RESPONSES, GH_ENDPOINT_MESSAGES, GH_ENDPOINT_COUNT_TOKENS,
    GH_ENDPOINT_CONVERSE, GH_ENDPOINT_INVOKE
};

static bool
at(const gh_field_t *row, gh_endpoint_t endpoint)
{
    return (row->endpoints & 1u << endpoint) != 0;
}

/* Does a value of it turn something on, or is it refused? What an object holds has rows of its own. */
static const char *
turns_on(const gh_field_t *row, char *text, size_t size)
{
    const char *feature = row->feature != NULL ? row->feature : "a feature without a name";

    switch ((gh_field_kind_t) row->kind) {
    case GH_FIELD_OVERRIDE:
        return "refused";
    case GH_FIELD_PLACES:
        return "narrows the places";
    case GH_FIELD_STORE:
        return "`store`";
    case GH_FIELD_URL:
    case GH_FIELD_MEDIA:
    case GH_FIELD_DATA:
        return "`fetched_url` unless data";
    case GH_FIELD_SCHEMA:
        return "`fetched_url` where a `$ref` leaves it";
    case GH_FIELD_BETAS:
        return "flags: see below";
    case GH_FIELD_FEATURE:
    case GH_FIELD_HANDLE:
        snprintf(text, size, row->feature != NULL ? "`%s`" : "%s", feature);
        return text;
    case GH_FIELD_FLAG:
        snprintf(text, size, "`%s` when true", feature);
        return text;
    case GH_FIELD_CHOICE:
    case GH_FIELD_CHOICES:
    case GH_FIELD_SERVICE_TIER:
        snprintf(text, size, row->feature != NULL ? "`%s` but for" : "%s but for", feature);
        for (const char *const *value = row->values; value != NULL && *value != NULL; value++) {
            snprintf(text + strlen(text), size - strlen(text), " `%s`", *value);
        }
        return text;
    default:
        return NULL;
    }
}

static void
names(const gh_field_table_t *table, gh_endpoint_t endpoint, bool inert)
{
    char     text[512];
    unsigned count = 0;

    for (unsigned i = 0; i < table->count; i++) {
        const gh_field_t *row = &table->rows[i];
        const char       *what = turns_on(row, text, sizeof(text));

        if (!at(row, endpoint) || (what == NULL) != inert) {
            continue;
        }
        printf("%s`%.*s`%s%s", count++ ? ", " : "", GH_STR_ARG(row->name), inert ? "" : ": ", inert ? "" : what);
    }
    printf(count ? " |" : "- |");
}

static void tables(const gh_field_table_t *table, gh_endpoint_t endpoint, const char *path);

static void
below(const gh_field_t *row, gh_endpoint_t endpoint, const char *path)
{
    bool many = row->kind == GH_FIELD_OBJECTS || row->kind == GH_FIELD_MESSAGES || row->kind == GH_FIELD_ITEMS || row->kind == GH_FIELD_CONTENT;
    char inner[PATH], type[PATH + 16];

    snprintf(inner, sizeof(inner), "%s%s%.*s%s", path, path[0] ? "." : "", GH_STR_ARG(row->name), many ? "[]" : row->kind == GH_FIELD_MAP ? ".*" : "");
    if (row->types != NULL && row->types->count > 0) {
        snprintf(type, sizeof(type), "%s.type=", inner);
        tables(row->types, endpoint, type);
    }
    if (row->table != NULL) {
        tables(row->table, endpoint, inner);
    }
}

/* A table that stands in several places is shown at the first. */
static void
tables(const gh_field_table_t *table, gh_endpoint_t endpoint, const char *path)
{
    for (unsigned i = 0; i < seen_count; i++) {
        if (seen[i].table == table) {
            printf("| `%s` | as `%s` | |\n", path, seen[i].path[0] ? seen[i].path : "the body");
            return;
        }
    }
    if (seen_count == SEEN) {
        return;
    }
    seen[seen_count].table = table;
    snprintf(seen[seen_count++].path, PATH, "%s", path);

    printf(path[0] ? "| `%s` | " : "| the body%s | ", path);
    names(table, endpoint, true);
    printf(" ");
    names(table, endpoint, false);
    printf("\n");

    for (unsigned i = 0; i < table->count; i++) {
        if (at(&table->rows[i], endpoint)) {
            below(&table->rows[i], endpoint, path);
        }
    }
}

/* What of the table's rows becomes of them at the endpoint alike: those that are not there, or that are left out. */
static void
unlike_rows(const gh_field_table_t *table, gh_endpoint_t endpoint, unsigned alike, const char *path)
{
    for (unsigned i = 0; i < table->count; i++) {
        const gh_field_t *row = &table->rows[i];
        const char       *what = row->moved != 0 ? NULL : (row->lacks & alike) != 0 || (row->endpoints & alike) == 0 ? "refused"
            : (row->lacks_others & alike) != 0 ? "refused but for" : (row->dropped & alike) != 0 ? "left out" : NULL;

        if (!at(row, endpoint) || what == NULL) {
            continue;
        }
        printf("| `%s%s%.*s` | %s", path, path[0] && path[strlen(path) - 1] != '=' ? "." : "", GH_STR_ARG(row->name), what);
        for (const char *const *value = row->values; (row->lacks_others & alike) != 0 && *value != NULL; value++) {
            printf(" `%s`", *value);
        }
        printf(" |\n");
    }
}

static void
unlike(gh_endpoint_t endpoint)
{
    gh_endpoint_t other = gh_endpoint_alike(endpoint);

    printf("\n## From `%s` to `%s`\n\n"
        "Bodies pass between the two as they are (`conf/dialects.md`), but for what the provider behind the other one does not have. A table that stands in several places is\n"
        "shown at the first.\n\n| where | |\n|---|---|\n", gh_endpoint_names[endpoint], gh_endpoint_names[other]);
    for (unsigned i = 0; i < seen_count; i++) {
        unlike_rows(seen[i].table, endpoint, 1u << other, seen[i].path);
    }
}

int
main(void)
{
    printf("# Fields, types and flags\n\n"
        "What the gateway knows of requests, by endpoint: what is inert, which is that it moves and keeps nothing beyond prompt in, answer out, and what turns on a feature\n"
        "(`conf/features.md`). What stands nowhere here is unknown, and turns on a feature that has no name: no deployment lists it. Made from the tables that requests are read\n"
        "by (`build/tests/tools/field_tables`), and held against the SDKs' own types and lists by `tests/features`. An object's own name is inert: what it holds has rows of its\n"
        "own. `.type=` are the words that the object's `type` may be.\n");
    for (unsigned i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        printf("\n## `%s`\n\n| where | inert | turns on |\n|---|---|---|\n", gh_endpoint_names[endpoints[i]]);
        seen_count = 0;
        tables(gh_body_tables[endpoints[i]], endpoints[i], "");
        if (endpoints[i] == GH_ENDPOINT_MESSAGES) {
            unlike(endpoints[i]);
        }
    }
    printf("\n## Flags of `anthropic-beta`\n\n"
        "Of the header at Messages' endpoints, of `anthropic_beta` in a body of InvokeModel, and in Converse's `additionalModelRequestFields`. A flag that stands here is inert: what it\n"
        "lets a body say has rows of its own. Every other one, of the SDK's list too, is unknown, as a field is.\n\n");
    for (unsigned i = 0; i < gh_beta_flags.count; i++) {
        printf("- `%.*s`\n", GH_STR_ARG(gh_beta_flags.rows[i].name));
    }
    return 0;
}
