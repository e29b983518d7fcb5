/* Credentials for control planes: documents of the form credentials/1, of which one id is asked for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/agent/credentials.h"
#include "policy/agent/fleet_watch.h"

gh_str_t
gh_cloud_arm_endpoint(gh_str_t *partition)
{
    const char *said = getenv("AZURE_RESOURCE_MANAGER_ENDPOINT");
    gh_str_t    endpoint = said != NULL && *said != '\0' ? gh_str_from(said) : GH_STR("https://management.azure.com");

    while (endpoint.len > 0 && endpoint.data[endpoint.len - 1] == '/') {
        endpoint.len--;
    }
    *partition = gh_str_is(endpoint, "https://management.usgovcloudapi.net") ? GH_STR("azure-us-gov")
        : gh_str_is(endpoint, "https://management.chinacloudapi.cn")        ? GH_STR("azure-cn")
                                                                             : GH_STR("azure");

    return endpoint;
}

static int
read_source(gh_arena_t *arena, const char *file, const char *cloud, gh_credential_source_t *source, bool *found, gh_error_t *error)
{
    gh_credential_list_t list;
    gh_report_t          report;
    gh_str_t             text;

    *found = false;
    if (access(file, F_OK) != 0 && errno == ENOENT) {
        return GH_OK;
    }
    gh_report_init(&report, arena);
    if (gh_secret_file(arena, file, "credentials/1", false, &text, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_credentials_read(arena, text, file, &list, &report) != GH_OK) {
        for (size_t i = 0; i < report.count; i++) {
            if (report.items[i].severity == GH_SEVERITY_ERROR) {
                *error = report.items[i].error;
                return GH_ERROR;
            }
        }
        return gh_error_set(error, "no_memory", "out of memory");
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (list.items[i].check != NULL) {
            return gh_error_at(error, "bad_check", file, list.items[i].line, 0, "\"check\" is for credentials of backends: a control plane says itself what it refuses");
        }
        if (gh_str_is(list.items[i].id, cloud)) {
            *source = list.items[i];
            *found = true;
        }
    }

    return GH_OK;
}

int
gh_cloud_credential(gh_arena_t *arena, const char *file, const char *cloud, gh_str_t arm_endpoint, uint64_t now_ms, const _Atomic int *stop, bool *found,
    gh_credential_t *credential, gh_error_t *error)
{
    gh_credential_source_t source;
    gh_credential_run_t    run = { .arena = arena, .now_ms = now_ms, .stop = stop };
    bool                   azure = strcmp(cloud, "azure") == 0;

    if (read_source(arena, file, cloud, &source, found, error) != GH_OK || !*found) {
        return *found ? GH_ERROR : error->code != NULL ? GH_ERROR : GH_OK;
    }
    if (azure && source.scope.len == 0) {
        source.scope = gh_str_format(arena, "%.*s/.default", GH_STR_ARG(arm_endpoint));
        if (source.scope.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
    }
    if (gh_credential_run(&source, &run, credential, error) != GH_OK) {
        return GH_ERROR;
    }
    if (azure && credential->form != GH_CREDENTIAL_BEARER) {
        return gh_error_set(error, "source_config", "the credential \"azure\" in %s is of source \"%s\", which gives no token for a control plane", file,
            source.kind->word);
    }
    if (!azure && credential->form != GH_CREDENTIAL_AWS) {
        return gh_error_set(error, "source_config", "the credential \"%s\" in %s is of source \"%s\", with which nothing can be signed", cloud, file,
            source.kind->word);
    }

    return GH_OK;
}
