/* `gatehouse key edit`: what is said of a key is said otherwise; its secret, its name and what was counted of it stay. */
#include <string.h>

#include "policy/cli/key_change.h"

/* What --without takes away, and the option that says it anew. */
static const struct { const char *word, *option; unsigned says; } members[] = {
    { "owner", "owner", GH_KEY_SAYS_OWNER }, { "end", "expires", GH_KEY_SAYS_EXPIRES }, { "classes", "class", GH_KEY_SAYS_CLASSES }, { "places", "places", GH_KEY_SAYS_PLACES },
    { "models", "models", GH_KEY_SAYS_MODELS }, { "limits", "limit", GH_KEY_SAYS_LIMITS }, { "mint", "mint", GH_KEY_SAYS_MINTS },
    { "audit", "audit", GH_KEY_SAYS_AUDIT }, { "minter", NULL, GH_KEY_SAYS_MINTER }
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* Which members the options say. GH_EXIT_DONE, or an exit code after a message. */
static int
what_is_said(const gh_cli_t *cli, unsigned *says)
{
    const char *word;

    *says = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        *says |= members[i].option != NULL && gh_cli_value_at(cli, members[i].option, 0) != NULL ? members[i].says : 0;
    }
    for (unsigned n = 0; (word = gh_cli_value_at(cli, "without", n)) != NULL; n++) {
        size_t i = 0;

        while (i < MEMBERS && strcmp(members[i].word, word) != 0) {
            i++;
        }
        if (i == MEMBERS) {
            return gh_cli_misuse(cli, "--without %s: it is owner, end, classes, places, models, limits, audit, mint or minter", word);
        }
        if (*says & members[i].says) {
            return gh_cli_misuse(cli, "--without %s and --%s, or the same twice: say one of the two", word, members[i].option != NULL ? members[i].option : "minter");
        }
        if (members[i].says == GH_KEY_SAYS_MINTER && gh_cli_value(cli, "minter") != NULL) {
            return gh_cli_misuse(cli, "--without minter is not for a key that edits (--minter), but for whoever may write the store");
        }
        *says |= members[i].says;
    }
    return *says != 0 ? GH_EXIT_DONE : gh_cli_misuse(cli, "nothing is said of the key: --owner, --expires, --class, --places, --models, --limit, --audit, --mint or --without");
}

/* The key in --minter's file has to have made this one. */
static int
by_minter(gh_cli_t *cli, gh_store_t *store, gh_cli_key_change_t *change)
{
    gh_store_key_edit_t *asked = change->asked;
    const char          *file = gh_cli_value(cli, "minter");
    gh_error_t           error = { 0 };
    gh_str_t             text, by;
    int                  rc;

    if (file == NULL) {
        return GH_EXIT_DONE;
    }
    if (gh_cli_key_presented(cli, file, &text) != GH_EXIT_DONE) {
        return GH_EXIT_ERROR;
    }
    rc = gh_store_minter_of(store, text, asked->path, asked->now_ms, cli->arena, &by, &asked->seen_change, &error);
    explicit_bzero((char *) text.data, text.len);
    return rc == GH_OK ? gh_cli_key_by(cli, by, &asked->actor) : gh_cli_key_minter_failed(cli, &error);
}

static int
edit(gh_store_t *store, gh_cli_key_change_t *change, gh_error_t *error)
{
    return gh_store_key_edit(store, change->asked, error);
}

static int
run(gh_cli_t *cli)
{
    gh_store_key_edit_t asked = { .path = gh_str_from(cli->arguments[0]), .now_ms = gh_cli_now_ms(), .actor = gh_cli_actor(cli), .owner = GH_STR("") };
    const char         *expires = gh_cli_value(cli, "expires"), *owner = gh_cli_value(cli, "owner");
    gh_cli_key_change_t change = { .done = "edited", .what = "the edit", .prepare = by_minter, .edit = edit, .asked = &asked };
    gh_minted_t         minted = { 0 };
    gh_error_t          error = { 0 };
    gh_cli_path_t       path;
    int                 status;

    if (gh_cli_path_parse(cli->arguments[0], 4, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "%s", error.text);
    }
    status = what_is_said(cli, &asked.says);
    status = status != GH_EXIT_DONE ? status : gh_cli_key_asked(cli, &minted);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (expires != NULL && gh_cli_key_expires(expires, asked.now_ms, &asked.not_after_ms, &error) != GH_OK) {
        return gh_cli_misuse(cli, "--expires %s", error.text);
    }
    asked.owner = owner != NULL ? gh_str_from(owner) : GH_STR("");
    if (!gh_key_owner_ok(asked.owner)) {
        return gh_cli_misuse(cli, "--owner: UTF-8 without control characters, at most %d bytes", GH_KEY_OWNER_MAX);
    }
    asked.mints = minted.mints;
    asked.classes = minted.classes;
    asked.places = minted.places;
    asked.models = minted.models;
    asked.limits = minted.limits.items;
    asked.limit_count = minted.limits.count;
    asked.audit_required = minted.audit_required;

    asked.followed = &change.followed;

    return gh_cli_key_change(cli, &path, &change);
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    GH_CLI_BARRIER_OPTIONS,
    { "owner", "TEXT", "whom to ask about it", false },
    { "expires", "WHEN", "YYYY-MM-DD (the last day, UTC) or Nd (days from now)", false },
    GH_CLI_KEY_OPTIONS,
    { "without", "WHAT", "it has no such thing any more: owner, end, classes, places, models, limits, audit or mint;\nminter: it follows the key that made it no more; repeat it", true },
    { "minter", "FILE", "a file (\"-\": standard input) with the key that edits: it made this one, or a key that did, and\nmay let it do no more than itself", false },
    { "json", NULL, "prints an object: edited, minted (how many keys that it made), obeyed, workers, cut, finishing, waiting", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_edit = {
    .name = "key edit",
    .usage = "ORG/TENANT/APP/NAME [options]",
    .summary = "says otherwise what a key is narrowed to, when it ends and whose it is",
    .help =
        "What an option says stands instead of all that was said of the same before: --places EU replaces every list of places that the\n"
        "key had. What no option names stays. Its app's say is as for a new key: what would be more than the app has is refused. The secret, the\n"
        "name and what was counted of it stay, also while it is being rotated: both secrets are edited, and the old one ends no later than it would have. When\n"
        "the command is done every worker holds the key to it: at its next request, and running ones that it forbids are ended. A key that another one made\n"
        "(key create --minter) stays within that one, and what it made itself becomes as narrow as it.",
    .options = options,
    .exits = GH_CLI_BARRIER_EXITS,
    .least = 1,
    .most = 1,
    .run = run,
};
