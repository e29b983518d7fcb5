/* `gatehouse policy prove`: a claim, held against everything that a policy permits. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/cli/progress.h"
#include "policy/cli/prove.h"

enum { EXIT_BROKEN = 2, EXIT_VACUOUS = 3 };

/* A claim that cannot be read: the message, the claim, and a mark below the word. */
static int
bad_claim(const gh_cli_t *cli, const char *text, const gh_error_t *error)
{
    if (error->column == 0) {
        return gh_cli_fail_error(cli, error);
    }
    gh_cli_fail(cli, "column %u of the claim: %s", (unsigned) error->column, error->text);
    gh_cli_say("  %s", text);
    gh_cli_say("  %*s", (int) error->column, "^");

    return GH_EXIT_ERROR;
}

static int
read_claims(gh_cli_prove_t *prove)
{
    gh_cli_t   *cli = prove->cli;
    gh_error_t  error = { 0 };
    struct stat info;

    prove->count = cli->argument_count;
    prove->claims = gh_arena_array(cli->arena, prove->count, sizeof(*prove->claims));
    prove->proofs = gh_arena_array(cli->arena, prove->count, sizeof(*prove->proofs));
    if (prove->claims == NULL || prove->proofs == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (uint32_t i = 0; i < prove->count; i++) {
        const char *text = cli->arguments[i];

        if (stat(text, &info) == 0 && S_ISDIR(info.st_mode)) {
            return gh_cli_misuse(cli, "%s is a directory, not a claim: --policy %s", text, text);
        }
        if (gh_claim_parse(cli->arena, prove->policy.image, gh_str_from(text), &prove->claims[i], &error) != GH_OK) {
            return bad_claim(cli, text, &error);
        }
    }

    return GH_EXIT_DONE;
}

static int
write_cases(const gh_cli_prove_t *prove, const char *path)
{
    size_t  count;
    json_t *cases = gh_cli_prove_cases(prove, &count);
    FILE   *file;
    int     failed;

    if (cases == NULL) {
        return gh_cli_fail(prove->cli, "out of memory");
    }
    if (count == 0) {
        json_decref(cases);
        gh_cli_say("no counter-example: %s is not written", path);
        return GH_EXIT_DONE;
    }

    file = fopen(path, "wx");
    if (file == NULL) {
        json_decref(cases);
        return gh_cli_fail(prove->cli, "cannot write %s: %m", path);
    }
    failed = json_dumpf(cases, file, JSON_INDENT(2)) != 0;
    failed = fputc('\n', file) == EOF || failed;
    failed = fclose(file) != 0 || failed;
    json_decref(cases);
    if (failed) {
        return gh_cli_fail(prove->cli, "%s is not complete: writing it failed", path);
    }
    gh_cli_say("%zu counter-example%s in %s: gatehouse policy test %s", count, count == 1 ? "" : "s", path, path);

    return GH_EXIT_DONE;
}

static int
exit_code(const gh_cli_prove_t *prove)
{
    int code = GH_EXIT_DONE;

    for (uint32_t i = 0; i < prove->count; i++) {
        if (prove->proofs[i].verdict == GH_PROOF_BROKEN) {
            return EXIT_BROKEN;
        }
        code = prove->proofs[i].verdict == GH_PROOF_VACUOUS ? EXIT_VACUOUS : code;
    }

    return code;
}

static int
prove_claims(gh_cli_prove_t *prove)
{
    gh_cli_t            *cli = prove->cli;
    gh_cli_progress_t    bar;
    gh_review_progress_t progress = { gh_cli_progress_tick, &bar, 0, 0 };
    const char          *path = gh_cli_value(cli, "case");
    gh_error_t           error = { 0 };
    int                  status;

    gh_cli_progress_begin(&bar, "proving");
    status = gh_prove(cli->arena, prove->policy.image, prove->claims, prove->count, prove->from_ms, &progress, prove->proofs,
        &prove->counts, &error);
    gh_cli_progress_end(&bar);
    if (status != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    gh_cli_sets_load(cli->arena, &prove->sets);
    gh_cli_sets_prefer(&prove->sets, prove->policy.documents.sources, prove->policy.documents.count);
    if (gh_cli_flag(cli, "json")) {
        status = gh_cli_print_json(cli, gh_cli_prove_json(prove));
    } else {
        gh_cli_prove_print(prove);
        status = gh_cli_flush(cli);
    }
    if (status == GH_EXIT_DONE && path != NULL) {
        status = write_cases(prove, path);
    }

    return status != GH_EXIT_DONE ? status : exit_code(prove);
}

static int
run(gh_cli_t *cli)
{
    const char    *at = gh_cli_value(cli, "at");
    gh_cli_prove_t prove = { .cli = cli, .from_ms = gh_cli_now_ms() };
    int            status;

    if (at != NULL && gh_cli_time_parse(at, &prove.from_ms) != GH_OK) {
        return gh_cli_misuse(cli, "--at %s is not a time such as 2026-11-21 or 2026-11-21T09:30:00Z", at);
    }
    status = gh_cli_policy_load(cli, gh_cli_value(cli, "policy"), 0, prove.from_ms, &prove.policy);
    if (status == GH_EXIT_DONE) {
        status = read_claims(&prove);
    }
    if (status == GH_EXIT_DONE) {
        status = prove_claims(&prove);
    }
    if (prove.policy.image != NULL) {
        gh_image_unref(prove.policy.image);
    }

    return status;
}

static const gh_cli_option_t options[] = {
    { "policy", "DIR", "the documents below DIR instead of the revision in force;\nno store is needed then", false },
    { "at", "TIME", "from this time on (RFC 3339 or a day; default: now)", false },
    { "case", "FILE", "writes the counter-examples as cases, for policy test; FILE must be new", false },
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an object: holds, claims, examined", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_prove = {
    .name = "policy prove",
    .usage = "\"CLAIM\"... [--policy DIR] [options]",
    .summary = "holds a claim against everything the policy permits",
    .help =
        "A claim is one of\n"
        "  never CLASS [process|store|operator|any] outside PLACES\n"
        "  never CLASS [process|store|operator|any] in PLACES\n"
        "  never CLASS on DEPLOYMENT\n"
        "  always CLASS [process|store|operator|any] within PLACES\n"
        "and may end in \"for TENANTS\" (patterns), then in \"except unlisted features\". Several classes, places,\n"
        "deployments and tenants stand behind each other; CLASS may be \"anything\"; places may be taken away:\n"
        "EEA minus LI. Without a fact it is any: process, store and operator.\n"
        "\n"
        "Every app and key, every class a request can carry, model, endpoint, node and feature is decided, from\n"
        "now on through every end of a rule or of evidence, by the function that the workers use. A place that\n"
        "nobody knows is outside of every place and in each: a rule that accepts unlisted features breaks claims\n"
        "unless they except them. A claim about what nothing is eligible for is VACUOUS, which is not the same\n"
        "as true.\n",
    .exits = ", 2 a claim does not hold, 3 none is broken but one is vacuous",
    .options = options,
    .least = 1,
    .most = 100,
    .run = run,
};
