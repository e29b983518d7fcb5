/*
 * `gatehouse explain`: what the gateway would do with a request, by the same functions; or, by a request id, what the record
 * says it did.
 */
#include "policy/cli/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/wire.h"
#include "policy/cli/files.h"
#include "policy/cli/policy_load.h"

#define REQUEST_MAX (256u << 20)     /* bytes of a request's body */
#define NEAR_APPS   10000            /* apps looked at for the nearest spelling */

/* --header values, as the gateway would see the request's. */
static bool
find_header(void *context, gh_str_t name, unsigned index, gh_str_t *value)
{
    const gh_cli_t *cli = context;
    const char     *text;

    for (unsigned i = 0; (text = gh_cli_value_at(cli, "header", i)) != NULL; i++) {
        const char *colon = strchr(text, ':');
        gh_str_t    key = gh_str_trim((gh_str_t) { text, (size_t) (colon - text) });

        if (gh_str_eq_nocase(key, name) && index-- == 0) {
            *value = gh_str_trim(gh_str_from(colon + 1));
            return true;
        }
    }

    return false;
}

static int
take_headers(gh_cli_explain_t *explain)
{
    const char *text;

    for (unsigned i = 0; (text = gh_cli_value_at(explain->cli, "header", i)) != NULL; i++) {
        const char *colon = strchr(text, ':');

        if (colon == NULL || colon == text) {
            return gh_cli_misuse(explain->cli, "--header %s is not of the form 'Name: value'", text);
        }

        gh_intake_header(&explain->intake, gh_str_trim((gh_str_t) { text, (size_t) (colon - text) }),
            gh_str_trim(gh_str_from(colon + 1)));
    }

    explain->input.header = find_header;
    explain->input.header_context = explain->cli;

    return GH_EXIT_DONE;
}

static int
find_endpoint(const gh_cli_t *cli, gh_endpoint_t *endpoint)
{
    const char *name = gh_cli_value(cli, "endpoint");
    gh_str_t    names[GH_ENDPOINTS], near;

    *endpoint = GH_ENDPOINT_CHAT_COMPLETIONS;
    if (name == NULL) {
        return GH_EXIT_DONE;
    }

    for (int i = 0; i < GH_ENDPOINTS; i++) {
        if (strcmp(name, gh_endpoint_names[i]) == 0) {
            *endpoint = (gh_endpoint_t) i;
            return GH_EXIT_DONE;
        }
        names[i] = gh_str_from(gh_endpoint_names[i]);
    }

    near = gh_str_nearest(gh_str_from(name), names, GH_ENDPOINTS);

    return gh_cli_misuse(cli, "--endpoint %s is not one of chat.completions, completions, embeddings%s%.*s%s", name,
        near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");
}

/* The body of --request, as intake reads it. */
static int
take_request(gh_cli_explain_t *explain)
{
    gh_cli_t     *cli = explain->cli;
    const char   *path = gh_cli_value(cli, "request");
    gh_error_t    error = { 0 };
    gh_endpoint_t endpoint;
    gh_str_t      body;
    int           status;

    if ((status = find_endpoint(cli, &endpoint)) != GH_EXIT_DONE) {
        return status;
    }

    if (gh_cli_read_input(cli->arena, path, REQUEST_MAX, &body, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    if (gh_intake_parse(cli->arena, endpoint, body, &explain->intake, &error) != GH_OK) {
        return gh_cli_fail(cli, "%s: the gateway answers 400 %s: %s", path, error.code ? error.code : "", error.text);
    }

    return take_headers(explain);
}

/* --as: who it would be, without a key. */
static int
take_as(gh_cli_explain_t *explain, gh_store_t *store, const char *as)
{
    gh_cli_t      *cli = explain->cli;
    gh_identity_t *identity = &explain->identity;
    gh_error_t     error = { 0 };
    gh_cli_path_t  path;
    gh_image_t    *image;
    gh_str_t       near, *apps;
    uint32_t       count;
    bool           tenant;        /* who must not learn other tenants' names from the nearest spelling */

    gh_cli_explain_role(cli, &tenant);
    if (gh_cli_path_parse(as, 3, 4, &path, &error) != GH_OK) {
        return gh_cli_misuse(cli, "--as %s", error.text);
    }

    identity->org = path.org;
    identity->tenant = path.tenant;
    identity->app = path.app;
    identity->key = path.key;
    identity->path = (gh_str_t) { as, path.org.len + path.tenant.len + path.app.len + 2 };

    if (explain->image == NULL) {
        if (gh_store_identify_app(store, gh_cli_now_ms(), identity, &image, &error) == GH_OK) {
            explain->image = gh_image_ref(image);
            return GH_EXIT_DONE;
        }
        if (error.code != NULL && strcmp(error.code, "app_unknown") == 0 && tenant) {
            return gh_cli_fail(cli, "--as: there is no such app");
        }
        return error.code != NULL && strcmp(error.code, "app_unknown") == 0 ? gh_cli_fail(cli, "--as: %s", error.text)
            : gh_cli_fail_store(cli, &error);
    }

    if (gh_image_app_listed(explain->image, identity->path)) {
        return GH_EXIT_DONE;
    }
    if (tenant) {
        return gh_cli_fail(cli, "--as: there is no such app");
    }

    count = gh_image_counts(explain->image).apps;
    count = count < NEAR_APPS ? count : NEAR_APPS;
    apps = gh_arena_array(cli->arena, count, sizeof(gh_str_t));
    for (uint32_t i = 0; apps != NULL && i < count; i++) {
        apps[i] = gh_image_app_path(explain->image, i);
    }
    near = apps ? gh_str_nearest(identity->path, apps, count) : GH_STR("");

    return gh_cli_fail(cli, "--as: tenants/1 of these documents does not list %.*s%s%.*s%s", GH_STR_ARG(identity->path),
        near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");
}

/* --key, or the first line of a file with --key @FILE, which keeps it out of the process list. */
static int
take_key(gh_cli_explain_t *explain, gh_store_t *store, const char *key)
{
    gh_cli_t   *cli = explain->cli;
    gh_error_t  error = { 0 };
    gh_str_t    text = gh_str_from(key);
    gh_image_t *image;

    if (key[0] == '@') {
        if (gh_cli_read_input(cli->arena, key + 1, 4096, &text, &error) != GH_OK) {
            return gh_cli_fail_error(cli, &error);
        }
        text.len = strcspn(text.data, "\r\n");
    }

    if (gh_store_identify(store, text, explain->input.now_ms, cli->arena, &explain->identity, &image, &error) == GH_OK) {
        if (explain->image == NULL) {
            explain->image = gh_image_ref(image);
        }
        return GH_EXIT_DONE;
    }

    if (error.code != NULL && strncmp(error.code, "store_", 6) == 0) {
        return gh_cli_fail_store(cli, &error);
    }

    gh_cli_fail(cli, "the gateway answers 401 invalid_api_key: %s", error.text);

    /* A mistyped key is an error of this command; a key that was ended is a request denied. */
    return error.code != NULL && (strcmp(error.code, "key_revoked") == 0 || strcmp(error.code, "key_expired") == 0
        || strcmp(error.code, "key_not_yet") == 0) ? GH_EXIT_DENIED : GH_EXIT_ERROR;
}

static int
decide(gh_cli_explain_t *explain)
{
    gh_error_t error = { 0 };
    bool       tenant;
    int        status;

    explain->input.identity = &explain->identity;
    explain->input.intake = &explain->intake;

    if (gh_decide(explain->image, &explain->input, explain->cli->arena, &explain->decision, &error) != GH_OK) {
        return gh_cli_fail_error(explain->cli, &error);
    }

    if (explain->revision != 0) {
        explain->decision.revision = explain->revision;     /* an image that was compiled again has none */
    }

    gh_cli_sets_load(explain->cli->arena, &explain->sets);
    gh_cli_explain_role(explain->cli, &tenant);
    status = tenant ? gh_cli_explain_print_tenant(explain)
        : gh_cli_flag(explain->cli, "json") ? gh_cli_explain_print_json(explain) : gh_cli_explain_print(explain);

    return status != GH_EXIT_DONE ? status : explain->decision.code == GH_DECIDED_ALLOW ? GH_EXIT_DONE : GH_EXIT_DENIED;
}

/* --revision: a number from 1. */
static int
take_revision(gh_cli_t *cli, uint64_t *revision)
{
    const char *text = gh_cli_value(cli, "revision");
    char       *end;

    *revision = 0;
    if (text == NULL) {
        return GH_EXIT_DONE;
    }

    errno = 0;
    *revision = strtoull(text, &end, 10);

    return text[0] < '1' || text[0] > '9' || *end != '\0' || errno != 0
        ? gh_cli_misuse(cli, "--revision %s is not the number of a revision", text) : GH_EXIT_DONE;
}

/* The image of --policy DIR or --revision N, with a reference; without them the one in force comes with who asks, of the same snapshot. */
static int
find_image(gh_cli_explain_t *explain)
{
    const char     *directory = gh_cli_value(explain->cli, "policy");
    gh_cli_policy_t policy;
    uint64_t        revision;
    int             status = take_revision(explain->cli, &revision);

    if (status != GH_EXIT_DONE || (directory == NULL && revision == 0)) {
        return status;
    }
    if (directory != NULL && revision != 0) {
        return gh_cli_misuse(explain->cli, "give --policy or --revision, not both");
    }

    status = gh_cli_policy_load(explain->cli, directory, revision,
        explain->input.now_ms < gh_cli_now_ms() && revision != 0 ? explain->input.now_ms : gh_cli_now_ms(), &policy);
    explain->image = policy.image;
    explain->revision = revision;

    return status;
}

static int
explain_request(gh_cli_t *cli)
{
    const char      *as = gh_cli_value(cli, "as"), *key = gh_cli_value(cli, "key"), *now = gh_cli_value(cli, "now");
    gh_cli_explain_t explain = { .cli = cli };
    gh_store_t      *store = NULL;
    int              status;

    if ((as == NULL) == (key == NULL)) {
        return gh_cli_misuse(cli, "who asks? give --key KEY, or --as ORG/TENANT/APP for a what-if");
    }

    if (gh_cli_value(cli, "node") == NULL) {
        return gh_cli_misuse(cli, "--node is missing: the gatehouse_node of nginx.conf, whose country is part of every path");
    }
    explain.input.node = gh_str_from(gh_cli_value(cli, "node"));
    explain.input.now_ms = gh_cli_now_ms();

    if (now != NULL && gh_cli_time_parse(now, &explain.input.now_ms) != GH_OK) {
        return gh_cli_misuse(cli, "--now %s is not a time such as 2026-11-21T09:30:00Z", now);
    }

    if ((status = take_request(&explain)) != GH_EXIT_DONE) {
        return status;
    }

    if (key != NULL || gh_cli_value(cli, "policy") == NULL) {
        store = gh_cli_store_open(cli, false);
        if (store == NULL) {
            return GH_EXIT_ERROR;
        }
    }

    status = find_image(&explain);
    if (status == GH_EXIT_DONE) {
        status = as != NULL ? take_as(&explain, store, as) : take_key(&explain, store, key);
    }
    if (status == GH_EXIT_DONE) {
        status = decide(&explain);
    }

    if (explain.image != NULL) {
        gh_image_unref(explain.image);
    }
    if (store != NULL) {
        gh_store_close(store);
    }

    return status;
}

/* Options of a what-if make no sense beside an id, and --audit none without one. */
static int
check_shape(const gh_cli_t *cli)
{
    static const char *const request_only[] = { "key", "as", "endpoint", "header", "node", "now", "policy", "revision" };
    static const char *const id_only[] = { "audit", "tenant" };
    bool                     by_id = cli->argument_count == 1, request = gh_cli_value(cli, "request") != NULL, tenant;
    int                      status = gh_cli_explain_role(cli, &tenant);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (by_id == request) {
        return gh_cli_misuse(cli, by_id ? "give a request id or --request FILE, not both"
                                        : "give a request id, or --request FILE with --key and --node");
    }

    for (size_t i = 0; by_id && i < sizeof(request_only) / sizeof(request_only[0]); i++) {
        if (gh_cli_value(cli, request_only[i]) != NULL) {
            return gh_cli_misuse(cli, "--%s goes with --request, not with a request id", request_only[i]);
        }
    }

    for (size_t i = 0; !by_id && i < sizeof(id_only) / sizeof(id_only[0]); i++) {
        if (gh_cli_value(cli, id_only[i]) != NULL) {
            return gh_cli_misuse(cli, "--%s goes with a request id", id_only[i]);
        }
    }
    if (!by_id && gh_cli_flag(cli, "again")) {
        return gh_cli_misuse(cli, "--again goes with a request id");
    }

    return GH_EXIT_DONE;
}

static int
run(gh_cli_t *cli)
{
    int status = check_shape(cli);

    if (status != GH_EXIT_DONE) {
        return status;
    }

    return cli->argument_count == 1 ? gh_cli_explain_id(cli, cli->arguments[0]) : explain_request(cli);
}

static const gh_cli_option_t options[] = {
    { "request", "FILE", "the request's JSON body; - is standard input", false },
    { "key", "KEY", "the API key of the caller; @FILE reads it from a file", false },
    { "as", "ORG/TENANT/APP", "judges for this app without a key; a fourth part names\nthe key", false },
    { "node", "NODE", "the gatehouse_node that would take the request", false },
    { "endpoint", "NAME", "chat.completions (default), completions or embeddings", false },
    { "header", "'NAME: VALUE'", "a header of the request; may be repeated", true },
    { "now", "TIME", "judges as of this time (RFC 3339); not before the revision", false },
    { "policy", "DIR", "judges by the documents below DIR instead of the store", false },
    { "revision", "NUMBER", "judges by the documents of an older revision", false },
    { "role", "WHO", "security (default), or tenant: the verdict and the ids of\nrules, as the tenant may see them", false },
    { "tenant", "ORG/TENANT", "with an ID and --role tenant: whose request it must be", false },
    { "again", NULL, "with an ID: decides once more by the documents of the\nrecord's revision, prints every deployment, and says\nwhether it comes out as recorded", false },
    { "audit", "DIR", "with an ID: the audit directory (default: HOME/audit)", false },
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an object; with an ID: the record's lines in an array", false },
    { 0 }
};

const gh_cli_command_t gh_cli_explain = {
    .name = "explain",
    .usage = "--request FILE --key KEY --node NODE [options]\n       gatehouse explain ID [--audit DIR] [--again] [--role tenant --tenant ORG/TENANT]",
    .summary = "says where a request may go and why, or where it went",
    .help =
        "With --request: decides on the request exactly as a worker would, and prints the verdict, the classes\n"
        "with their sources, and one line per deployment: yes with the rule, or no with the rule and the places\n"
        "that are outside. Nothing is sent or recorded.\n"
        "With the id that every answer carries as x-request-id: tells from the record what was decided, sent and\n"
        "answered.",
    .exits = ", 3 the request is, or was, denied",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
