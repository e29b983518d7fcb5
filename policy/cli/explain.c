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
#include "policy/store/image_format.h"

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

        gh_intake_header(explain->cli->arena, &explain->intake, gh_str_trim((gh_str_t) { text, (size_t) (colon - text) }),
            gh_str_trim(gh_str_from(colon + 1)));
    }

    explain->input.header = find_header;
    explain->input.header_context = explain->cli;

    return GH_EXIT_DONE;
}

static int
find_endpoint(const gh_cli_t *cli, const char *name, gh_endpoint_t *endpoint)
{
    gh_str_t names[GH_ENDPOINTS], near, all = GH_STR("");

    for (int i = 0; i < GH_ENDPOINTS; i++) {
        if (strcmp(name, gh_endpoint_names[i]) == 0) {
            *endpoint = (gh_endpoint_t) i;
            return GH_EXIT_DONE;
        }
        names[i] = gh_str_from(gh_endpoint_names[i]);
        all = gh_str_format(cli->arena, "%.*s%s%s", GH_STR_ARG(all), i > 0 ? ", " : "", gh_endpoint_names[i]);
    }

    near = gh_str_nearest(gh_str_from(name), names, GH_ENDPOINTS);

    return gh_cli_misuse(cli, "--endpoint %s is not one of %.*s%s%.*s%s", name, GH_STR_ARG(all),
        near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");
}

/* By --method; else as clients ask: POST, or GET where only what is kept can be meant. */
static int
read_url(gh_cli_explain_t *explain, const char *target, gh_error_t *error)
{
    const char *method = gh_cli_value(explain->cli, "method");
    gh_str_t    text = gh_str_from(target), unserved = { NULL, 0 };
    gh_error_t  other = { 0 };
    gh_url_t    url;
    int         rc = gh_url_read(explain->cli->arena, gh_str_from(method != NULL ? method : "POST"), text, unserved, &explain->url, error);

    if (rc == GH_OK || method != NULL || strcmp(error->code, "method_not_allowed") != 0) {
        return rc;
    }
    if (gh_url_read(explain->cli->arena, GH_STR("GET"), text, unserved, &url, &other) == GH_OK && url.operation == GH_URL_KEPT) {
        explain->url = url;
        return GH_OK;
    }

    return rc;
}

/* What is asked for: by --url as the client's SDK sends it, or --endpoint, or chat completions. */
static int
take_url(gh_cli_explain_t *explain)
{
    const gh_cli_t *cli = explain->cli;
    const char     *target = gh_cli_value(cli, "url"), *endpoint = gh_cli_value(cli, "endpoint");
    gh_error_t      error = { 0 };

    explain->url = (gh_url_t) { .operation = GH_URL_CREATE, .endpoint = GH_ENDPOINT_CHAT_COMPLETIONS };

    if (target == NULL && gh_cli_value(cli, "method") != NULL) {
        return gh_cli_misuse(cli, "--method goes with --url");
    }
    if (target == NULL) {
        return endpoint != NULL ? find_endpoint(cli, endpoint, &explain->url.endpoint) : GH_EXIT_DONE;
    }
    if (endpoint != NULL) {
        return gh_cli_misuse(cli, "give --url or --endpoint, not both: a URL says which endpoint it is");
    }
    if (target[0] != '/') {
        return gh_cli_misuse(cli, "--url %s does not begin with \"/\": give path and query as they are sent, such as /v1/chat/completions", target);
    }

    if (read_url(explain, target, &error) != GH_OK) {
        return gh_cli_fail(cli, "--url %s: the gateway answers %s: %s", target, error.code ? error.code : "", error.text);
    }
    if (explain->url.operation != GH_URL_CREATE && explain->url.operation != GH_URL_KEPT) {
        return gh_cli_fail(cli, "--url %s: the gateway answers itself: no deployment is asked", target);
    }

    return GH_EXIT_DONE;
}

/* What the request was taken from, for messages. */
static const char *
asked_by(const gh_cli_t *cli)
{
    const char *path = gh_cli_value(cli, "request");

    return path != NULL ? path : gh_cli_value(cli, "url");
}

/* The body of --request, as intake reads it. */
static int
take_request(gh_cli_explain_t *explain)
{
    gh_cli_t   *cli = explain->cli;
    const char *path = gh_cli_value(cli, "request");
    gh_error_t  error = { 0 };
    gh_str_t    body = GH_STR("");
    int         status;

    if ((status = take_url(explain)) != GH_EXIT_DONE) {
        return status;
    }

    if (path == NULL && explain->url.operation == GH_URL_CREATE) {
        return gh_cli_misuse(cli, "--request FILE is missing: the body that is sent to %s", gh_cli_value(cli, "url"));
    }

    if (path != NULL && gh_cli_read_input(cli->arena, path, REQUEST_MAX, &body, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    if (gh_intake_parse_url(cli->arena, &explain->url, body, &explain->intake, &error) != GH_OK) {
        return gh_cli_fail(cli, "%s: the gateway answers 400 %s: %s", asked_by(cli), error.code ? error.code : "", error.text);
    }

    explain->asked = (gh_hub_asked_t) { .arena = cli->arena, .intake = &explain->intake, .body = body };
    explain->input.express = gh_hub_asked;
    explain->input.express_context = &explain->asked;

    return take_headers(explain);
}

/* Ids of what deployments keep, opened with the store's secret: they pin the request. Once it is known whose they have to be. */
static int
open_ids(gh_cli_explain_t *explain)
{
    gh_cli_t      *cli = explain->cli;
    gh_str_t       path = gh_str_format(cli->arena, "%s/store.key", gh_cli_secrets(cli));
    gh_handles_t  *handles = NULL;
    gh_error_t     error = { 0 };
    uint8_t        secret[32];
    int            status = GH_EXIT_DONE;

    if (explain->intake.handle_count == 0 && explain->intake.operation == GH_OPERATION_CREATE) {
        return GH_EXIT_DONE;
    }
    if (explain->identity.tenant_uid == 0) {
        return gh_cli_fail(cli, "%s: ids of what is kept were given to a tenant of the store: give --key, or --as without --policy and --revision", asked_by(cli));
    }

    if (path.data == NULL || gh_store_key_read(path.data, secret, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    handles = gh_handles_new(secret);
    explicit_bzero(secret, sizeof(secret));
    if (handles == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    if (gh_intake_open(cli->arena, handles, explain->identity.tenant_uid, &explain->url, &explain->asked.body, &explain->intake, &error) != GH_OK) {
        status = gh_cli_fail(cli, "%s: the gateway refuses it, %s: %s", asked_by(cli), error.code, error.text);
    }
    gh_handles_free(handles);

    return status == GH_EXIT_DONE ? take_headers(explain) : status;
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
    int32_t        profile;
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

    profile = gh_image_app_find(explain->image, identity->path);
    if (profile >= 0) {
        identity->audit = explain->image->profiles[profile].audit;
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

    status = gh_cli_explain_order(explain);
    if (status != GH_EXIT_DONE) {
        return status;
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
        status = open_ids(&explain);
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
    static const char *const request_only[] = { "key", "as", "url", "method", "endpoint", "header", "node", "now", "policy", "revision", "ledger" };
    static const char *const id_only[] = { "audit", "tenant" };
    bool                     by_id = cli->argument_count == 1, tenant;
    bool                     request = gh_cli_value(cli, "request") != NULL || (!by_id && gh_cli_value(cli, "url") != NULL);
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
    { "url", "/PATH", "path and query as the client sends them: the endpoint, and the\nmodel where the path names it (Azure's deployments, Bedrock)", false },
    { "method", "METHOD", "of --url: POST (default), or GET, POST or DELETE of a response\nthat is kept, which has no body: then without --request", false },
    { "endpoint", "NAME", "chat.completions (default), completions, embeddings, responses, ...", false },
    { "header", "'NAME: VALUE'", "a header of the request; may be repeated", true },
    { "now", "TIME", "judges as of this time (RFC 3339); not before the revision", false },
    { "policy", "DIR", "judges by the documents below DIR instead of the store", false },
    { "revision", "NUMBER", "judges by the documents of an older revision", false },
    { "role", "WHO", "security (default), or tenant: the verdict and the ids of\nrules, as the tenant may see them", false },
    { "tenant", "ORG/TENANT", "with an ID and --role tenant: whose request it must be", false },
    { "again", NULL, "with an ID: decides once more by the documents of the\nrecord's revision, prints every deployment, and says\nwhether it comes out as recorded", false },
    { "audit", "DIR", "with an ID: an audit directory (default: HOME/audit);\nrepeat it for the second one", true },
    GH_CLI_STORE_OPTIONS,
    GH_CLI_LEDGER_OPTION,
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
        "that are outside; then what the order rests on, where latency or the state of a backend counts. Nothing is\n"
        "sent or recorded.\n"
        "With the id that every answer carries as x-request-id: tells from the record what was decided, sent and\n"
        "answered.",
    .exits = ", 3 the request is, or was, denied",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
