/* What the commands that ask a cloud's control plane share: options, credentials, the exchange itself. */
#ifndef GH_CLI_FLEET_CLOUDS_H
#define GH_CLI_FLEET_CLOUDS_H

#include <jansson.h>

#include "policy/agent/drift.h"
#include "policy/cli/cli.h"

/* Rows for their tables of options. */
#define GH_CLI_CLOUD_OPTIONS                                                                                                                  \
    { "region", "REGION", "bedrock: a region to ask in; may be given several times", true },                                                   \
    { "credential", "FILE", "bedrock: AccessKeyId, SecretAccessKey and SessionToken as a\ncredential_process prints them; - is standard input", false }, \
    { "subscription", "ID", "azure: a subscription to ask in; may be given several times\n(default: all that the token can see)", true },         \
    { "token", "FILE", "azure: an access token for the control plane, or what\n`az account get-access-token` prints; - is standard input", false }, \
    { "cloud", "NAME", "azure: azure, azure-us-gov or azure-cn (default: azure)", false },                                                      \
    { "clouds", "FILE", "a credentials/1 document whose ids azure and bedrock say where the\ncredential comes from: Entra ID, IMDS, roles, files, ...", false },        \
    { "endpoint", "URL", "asks there instead of at the cloud's public address", false },                                                        \
    { "ca", "FILE", "certificates (PEM) that are trusted instead of the system's", false },                                                     \
    { "proxy", "URL", "http://HOST:PORT of a proxy", false }

/*
 * Asks the cloud of that name by the options. fleet: where it has resources is asked when the options do not say where, and accounts of it that no list has are
 * looked for; NULL: of no fleet. GH_EXIT_DONE with *import finished, or an exit code after a message.
 */
int gh_cli_cloud_import(gh_cli_t *cli, const char *cloud, const gh_drift_fleet_t *fleet, gh_import_t *import);

/* A line on stdout for each. */
void gh_cli_differences_print(const gh_cli_t *cli, const gh_differences_t *differences);

/* [{"kind", "deployment", "model", "fact", "was", "is"}]; the caller's reference. NULL: out of memory. */
json_t *gh_cli_differences_json(const gh_differences_t *differences);

#endif
