#include "policy/cli/fleet_clouds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/agent/fleet_watch.h"
#include "policy/cli/files.h"

#define CREDENTIAL_MAX 65536

/* ---- the exchange ---- */

static int
fetch(void *context, const gh_fetch_request_t *request, gh_arena_t *arena, gh_fetch_answer_t *answer, gh_error_t *error)
{
    (void) context;

    return gh_fetch(request, arena, answer, error);
}

static void
wait_ms(void *context, uint64_t ms)
{
    struct timespec left = { .tv_sec = (time_t) (ms / 1000), .tv_nsec = (long) (ms % 1000) * 1000000 };

    (void) context;
    nanosleep(&left, NULL);
}

static uint64_t
now_ms(void *context)
{
    (void) context;

    return gh_cli_now_ms();
}

/* By a source of --clouds. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
static int
from_clouds(gh_cli_t *cli, const char *cloud, gh_str_t arm_endpoint, gh_credential_t *credential)
{
    const char *file = gh_cli_value(cli, "clouds");
    gh_error_t  error = { 0 };
    bool        found;

    if (gh_cloud_credential(cli->arena, file, cloud, arm_endpoint, gh_cli_now_ms(), NULL, &found, credential, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    return found ? GH_EXIT_DONE : gh_cli_fail(cli, "%s is not there, or has no credential of the id \"%s\"", file, cloud);
}

/* ---- Amazon Bedrock ---- */

static int
aws_credential(gh_cli_t *cli, gh_aws_credential_t *credential)
{
    const char *file = gh_cli_value(cli, "credential"), *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    const char *session = getenv("AWS_SESSION_TOKEN");
    gh_error_t  error = { 0 };
    gh_str_t    text;

    if (gh_cli_value(cli, "clouds") != NULL) {
        gh_credential_t fetched;
        int             status = from_clouds(cli, "bedrock", GH_STR(""), &fetched);

        *credential = status == GH_EXIT_DONE ? fetched.aws : *credential;
        return status;
    }
    if (file != NULL) {
        if (gh_cli_read_input(cli->arena, file, CREDENTIAL_MAX, &text, &error) != GH_OK
            || gh_aws_credential_read(cli->arena, text, credential, &error) != GH_OK)
        {
            return gh_cli_fail_error(cli, &error);
        }
        return GH_EXIT_DONE;
    }
    if (id == NULL || *id == '\0' || secret == NULL || *secret == '\0') {
        gh_cli_fail(cli, "no credential of AWS: there is neither --credential nor AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY");
        gh_cli_advise("aws configure export-credentials | gatehouse fleet import bedrock --region REGION --credential -");
        return GH_EXIT_ERROR;
    }
    *credential = (gh_aws_credential_t) {
        .access_key_id = gh_str_from(id), .secret_access_key = gh_str_from(secret), .session_token = gh_str_from(session != NULL ? session : "")
    };

    return GH_EXIT_DONE;
}

/* C strings of a list, behind those that were given. NULL: out of memory. */
static const char **
words_of(gh_cli_t *cli, const char *option, const gh_str_list_t *list, size_t *count)
{
    const char **words = gh_arena_array(cli->arena, GH_CLI_GIVEN_MAX + (list != NULL ? list->count : 0), sizeof(*words));

    for (unsigned i = 0; words != NULL && gh_cli_value_at(cli, option, i) != NULL; i++) {
        words[(*count)++] = gh_cli_value_at(cli, option, i);
    }
    for (uint32_t i = 0, given = *count > 0; words != NULL && list != NULL && !given && i < list->count; i++) {
        gh_str_t copy = gh_str_copy(cli->arena, list->items[i]);

        if (copy.data == NULL) {
            return NULL;
        }
        words[(*count)++] = copy.data;
    }

    return words;
}

static int
bedrock(gh_cli_t *cli, const gh_drift_fleet_t *fleet, gh_import_t *import)
{
    const char         **regions, *endpoint = gh_cli_value(cli, "endpoint");
    gh_import_bedrock_t asked = { .endpoint = gh_str_from(endpoint != NULL ? endpoint : "") };
    gh_aws_credential_t credential = { 0 };
    gh_error_t          error = { 0 };
    int                 status;

    if (gh_cli_value(cli, "subscription") != NULL || gh_cli_value(cli, "token") != NULL || gh_cli_value(cli, "cloud") != NULL) {
        return gh_cli_misuse(cli, "--subscription, --token and --cloud are for azure; bedrock takes --region and --credential");
    }
    regions = words_of(cli, "region", fleet != NULL ? &fleet->regions : NULL, &asked.region_count);
    if (regions == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    if (asked.region_count == 0 && fleet == NULL) {
        return gh_cli_misuse(cli, "bedrock needs --region REGION");
    }
    if (asked.region_count == 0) {
        return gh_cli_fail(cli, "no deployment in force has a \"resource\" of Amazon Bedrock: there is nothing to compare");
    }
    asked.regions = regions;
    status = aws_credential(cli, &credential);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    asked.credential = &credential;

    return gh_import_bedrock(import, &asked, &error) == GH_OK ? GH_EXIT_DONE : gh_cli_fail_error(cli, &error);
}

/* ---- Azure ---- */

static const struct {
    const char *partition, *endpoint;
} azure_clouds[] = {
    { "azure", "https://management.azure.com" },
    { "azure-us-gov", "https://management.usgovcloudapi.net" },
    { "azure-cn", "https://management.chinacloudapi.cn" },
};

/* A token alone, or a JSON object that has it as accessToken (az) or access_token (OAuth 2.0). */
static int
azure_token(gh_cli_t *cli, gh_str_t endpoint, gh_str_t *token)
{
    const char *file = gh_cli_value(cli, "token");
    gh_error_t  error = { 0 };
    gh_node_t  *root;
    gh_str_t    text;

    if (gh_cli_value(cli, "clouds") != NULL) {
        gh_credential_t fetched;
        int             status = from_clouds(cli, "azure", endpoint, &fetched);

        *token = status == GH_EXIT_DONE ? fetched.secret : *token;
        return status;
    }
    if (file == NULL) {
        gh_cli_fail(cli, "no token for Azure: there is neither --token nor --clouds");
        gh_cli_advise("az account get-access-token | gatehouse fleet import azure --token -");
        return GH_EXIT_ERROR;
    }
    if (gh_cli_read_input(cli->arena, file, CREDENTIAL_MAX, &text, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]) != NULL) {
        text.len--;
    }
    *token = text;
    if (text.len > 0 && text.data[0] == '{') {
        const gh_node_t *member = NULL;

        if (gh_json_parse(cli->arena, text, file, &root, &error) == GH_OK) {
            member = gh_node_get(root, "accessToken");
            member = member != NULL ? member : gh_node_get(root, "access_token");
        }
        if (member == NULL || member->type != GH_NODE_STRING) {
            return gh_cli_fail(cli, "%s is no JSON object with accessToken or access_token", file);
        }
        *token = member->text;
    }
    for (size_t i = 0; i < token->len; i++) {
        if (token->data[i] <= ' ' || token->data[i] > '~') {
            return gh_cli_fail(cli, "the token in %s has bytes that no token has", file);
        }
    }

    return token->len > 0 ? GH_EXIT_DONE : gh_cli_fail(cli, "there is no token in %s", file);
}

static int
azure(gh_cli_t *cli, const gh_drift_fleet_t *fleet, gh_import_t *import)
{
    const char       **subscriptions, *endpoint = gh_cli_value(cli, "endpoint"), *name = gh_cli_value(cli, "cloud");
    gh_import_azure_t asked = { .resources = fleet != NULL ? fleet->accounts.items : NULL, .resource_count = fleet != NULL ? fleet->accounts.count : 0 };
    gh_error_t        error = { 0 };
    int               status;

    if (gh_cli_value(cli, "region") != NULL || gh_cli_value(cli, "credential") != NULL) {
        return gh_cli_misuse(cli, "--region and --credential are for bedrock; azure takes --subscription and --token");
    }
    for (size_t i = 0; i < sizeof(azure_clouds) / sizeof(azure_clouds[0]); i++) {
        if (strcmp(azure_clouds[i].partition, name != NULL ? name : "azure") == 0) {
            asked.partition = gh_str_from(azure_clouds[i].partition);
            asked.endpoint = gh_str_from(endpoint != NULL ? endpoint : azure_clouds[i].endpoint);
        }
    }
    if (asked.partition.len == 0) {
        return gh_cli_misuse(cli, "unknown --cloud %s: azure, azure-us-gov or azure-cn", name);
    }
    subscriptions = words_of(cli, "subscription", fleet != NULL ? &fleet->subscriptions : NULL, &asked.subscription_count);
    if (subscriptions == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    if (asked.subscription_count == 0 && fleet != NULL) {
        return gh_cli_fail(cli, "no deployment in force has a \"resource\" of Azure: there is nothing to compare");
    }
    asked.subscriptions = subscriptions;
    status = azure_token(cli, asked.endpoint, &asked.token);
    if (status != GH_EXIT_DONE) {
        return status;
    }

    return gh_import_azure(import, &asked, &error) == GH_OK ? GH_EXIT_DONE : gh_cli_fail_error(cli, &error);
}

/* ---- both ---- */

int
gh_cli_cloud_import(gh_cli_t *cli, const char *cloud, const gh_drift_fleet_t *fleet, gh_import_t *import)
{
    gh_import_io_t io = { .fetch = fetch, .wait = wait_ms, .now_ms = now_ms };
    gh_error_t     error = { 0 };
    int            status;

    if (gh_import_begin(import, cli->arena, &io, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    import->ca_file = gh_cli_value(cli, "ca");
    import->proxy = gh_cli_value(cli, "proxy");
    if (strcmp(cloud, "bedrock") == 0) {
        status = bedrock(cli, fleet, import);
    } else if (strcmp(cloud, "azure") == 0) {
        status = azure(cli, fleet, import);
    } else {
        return gh_cli_misuse(cli, "unknown cloud %s: azure or bedrock", cloud);
    }
    if (status == GH_EXIT_DONE && gh_import_finish(import, &error) != GH_OK) {
        status = gh_cli_fail_error(cli, &error);
    }

    return status;
}

/* ---- differences ---- */

void
gh_cli_differences_print(const gh_cli_t *cli, const gh_differences_t *differences)
{
    for (uint32_t i = 0; i < differences->count; i++) {
        gh_str_t text = gh_difference_text(cli->arena, &differences->items[i]);

        printf("  %s: %.*s\n", gh_difference_names[differences->items[i].kind], GH_STR_ARG(gh_cli_shown(cli->arena, text)));
    }
}

static json_t *
text_json(gh_str_t text)
{
    return text.data != NULL ? json_stringn(text.data, text.len) : json_string("");
}

json_t *
gh_cli_differences_json(const gh_differences_t *differences)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < differences->count; i++) {
        const gh_difference_t *d = &differences->items[i];

        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "kind", gh_difference_names[d->kind], "deployment",
            text_json(d->deployment), "model", text_json(d->model), "fact", d->fact, "was", text_json(d->was), "is", text_json(d->is)));
    }

    return list;
}
