/* What the `gatehouse key` commands share of what a key narrows by itself: lists of names and limits, as people write them. */
#include <string.h>

#include "policy/audit/mode.h"
#include "policy/cli/key.h"
#include "policy/identity/narrowing.h"

int
gh_cli_key_narrowing(const gh_cli_t *cli, const char *text, gh_str_t *lists, gh_error_t *error)
{
    gh_str_t rest = gh_str_from(text), name, list = GH_STR("");

    while (gh_narrowing_next(&rest, ',', &name)) {
        name = gh_str_trim(name);
        for (size_t i = 0; i < name.len; i++) {
            if (name.data[i] <= ' ' || name.data[i] > '~') {
                return gh_error_set(error, "invalid_request", "names are separated by commas, and have no spaces in them");
            }
        }
        if (name.len == 0) {
            return gh_error_set(error, "invalid_request", "a name is empty");
        }
        list = gh_str_format(cli->arena, "%.*s%s%.*s", GH_STR_ARG(list), list.len ? " " : "", GH_STR_ARG(name));
    }
    if (list.len == 0) {
        return gh_error_set(error, "invalid_request", "it names nothing");
    }
    return gh_narrowing_add(cli->arena, lists, list, error);
}

/* Index of a word; -1, with the nearest in *error. */
static int
word(gh_str_t text, const char *what, const char *const *names, unsigned count, gh_error_t *error)
{
    gh_str_t known[16], near;
    size_t   words = 0;

    for (unsigned i = 0; i < count; i++) {
        if (names[i][0] != '\0' && gh_str_is(text, names[i])) {
            return (int) i;
        }
        if (names[i][0] != '\0') {
            known[words++] = gh_str_from(names[i]);
        }
    }
    near = gh_str_nearest(text, known, words);
    gh_error_set(error, "invalid_request", "\"%.*s\" is no %s%s%.*s%s", GH_STR_ARG(text), what, near.len ? "; did you mean \"" : "", GH_STR_ARG(near), near.len ? "\"?" : "");
    return -1;
}

static bool
whole(gh_str_t text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *number > GH_COUNT_MAX / 10) {
            return false;
        }
        *number = *number * 10 + (uint64_t) (text.data[i] - '0');
    }
    return text.len > 0 && *number <= GH_COUNT_MAX;
}

/* Cuts *text in front of the first `at`: what stands behind it, or nothing. */
static gh_str_t
behind(gh_str_t *text, char at)
{
    const char *found = text->len > 0 ? memchr(text->data, at, text->len) : NULL;
    gh_str_t    rest = GH_STR("");

    if (found != NULL) {
        rest = (gh_str_t) { found + 1, text->len - (size_t) (found - text->data) - 1 };
        text->len = (size_t) (found - text->data);
    }
    return rest;
}

int
gh_cli_key_limit(const gh_cli_t *cli, const char *text, gh_limits_t *limits, gh_error_t *error)
{
    gh_str_t   what = gh_str_from(text), amount = behind(&what, '='), model = behind(&amount, '@'), per, dimension;
    gh_limit_t limit = { .level = GH_LEVEL_KEY, .limit_class = GH_LIMIT_RATE };
    int        found;

    (void) cli;
    dimension = behind(&what, ':');
    if (dimension.len > 0) {
        if ((found = word(what, "class of limits", gh_limit_class_names, GH_LIMIT_CLASSES, error)) < 0) {
            return GH_ERROR;
        }
        limit.limit_class = (uint8_t) found;
        what = dimension;
    }
    per = behind(&what, '/');
    if ((found = word(what, "dimension", gh_dimension_names, GH_DIMENSIONS, error)) < 0) {
        return GH_ERROR;
    }
    limit.dimension = (uint8_t) found;
    if (per.len > 0 && (found = word(per, "window", gh_per_names, GH_PERS, error)) < 0) {
        return GH_ERROR;
    }
    limit.per = per.len > 0 ? (uint8_t) found : GH_PER_NONE;
    if (!whole(amount, &limit.amount)) {
        return gh_error_set(error, "invalid_request", "it needs an amount, such as %.*s=60", GH_STR_ARG(what));
    }
    limit.model = model.len > 0 ? gh_model_number(model) : 0;
    if (!gh_limit_valid(&limit)) {
        return gh_error_set(error, "invalid_request", "a %s of \"%.*s\" cannot be %s%.*s: conf/documents.md, \"Limits\", has what can", gh_limit_class_names[limit.limit_class],
            GH_STR_ARG(what), per.len > 0 ? "per " : "without a window", GH_STR_ARG(per));
    }
    for (uint32_t i = 0; i < limits->count; i++) {
        if (gh_limit_same_counter(&limits->items[i], &limit)) {
            return gh_error_set(error, "invalid_request", "the same is limited already: say one of the two");
        }
    }
    return gh_limits_tighten(limits, &limit) && limits->count <= GH_KEY_LIMITS ? GH_OK
        : gh_error_set(error, "invalid_request", "a key has at most %u limits of its own", GH_KEY_LIMITS);
}

gh_str_t
gh_cli_key_limit_text(gh_arena_t *arena, const gh_limit_t *limit)
{
    return gh_str_format(arena, "%s:%s%s%s=%llu%s", gh_limit_class_names[limit->limit_class % GH_LIMIT_CLASSES], gh_dimension_names[limit->dimension % GH_DIMENSIONS],
        limit->per != GH_PER_NONE ? "/" : "", limit->per != GH_PER_NONE ? gh_per_names[limit->per % GH_PERS] : "", (unsigned long long) limit->amount,
        limit->model != 0 ? "@(one model)" : "");
}

int
gh_cli_key_asked(const gh_cli_t *cli, gh_minted_t *minted)
{
    static const char *const lists[] = { "places", "models" };
    gh_str_t  *const         out[] = { &minted->places, &minted->models };
    gh_error_t               error = { 0 };
    const char              *value;

    minted->mints = minted->classes = minted->places = minted->models = GH_STR("");
    value = gh_cli_value(cli, "audit");
    if (value != NULL && strcmp(value, gh_audit_names[GH_AUDIT_REQUIRED]) != 0) {
        return gh_cli_misuse(cli, "--audit %s: a key can only ask for \"%s\"; what else there is its app says", value, gh_audit_names[GH_AUDIT_REQUIRED]);
    }
    minted->audit_required = value != NULL;
    for (unsigned i = 0; (value = gh_cli_value_at(cli, "mint", i)) != NULL; i++) {
        minted->mints = gh_str_format(cli->arena, "%.*s%s%s", GH_STR_ARG(minted->mints), i ? " " : "", value);
    }
    for (unsigned i = 0; (value = gh_cli_value_at(cli, "class", i)) != NULL; i++) {
        minted->classes = gh_str_format(cli->arena, "%.*s%s%s", GH_STR_ARG(minted->classes), i ? "," : "", value);
    }
    for (unsigned n = 0; n < 2; n++) {
        for (unsigned i = 0; (value = gh_cli_value_at(cli, lists[n], i)) != NULL; i++) {
            if (gh_cli_key_narrowing(cli, value, out[n], &error) != GH_OK) {
                return gh_cli_misuse(cli, "--%s %s: %s", lists[n], value, error.text);
            }
        }
    }
    for (unsigned i = 0; (value = gh_cli_value_at(cli, "limit", i)) != NULL; i++) {
        if (gh_cli_key_limit(cli, value, &minted->limits, &error) != GH_OK) {
            return gh_cli_misuse(cli, "--limit %s: %s", value, error.text);
        }
    }
    return GH_EXIT_DONE;
}
