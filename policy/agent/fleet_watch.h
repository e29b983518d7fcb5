/*
 * The agent's look at clouds: once a day, and after each edit of the policy, it asks about every deployment in force that has a "resource", and takes out those
 * of which the policy says what is no longer so (drift.h).
 *
 * Whom to ask as stands in a credentials/1 document of its own, whose ids are "azure" and "bedrock": these credentials may only read a control plane, and are
 * handed to nobody. No document, or no such id: that cloud is not asked.
 */
#ifndef GH_FLEET_WATCH_H
#define GH_FLEET_WATCH_H

#include "ngx_module/wire/credential.h"
#include "policy/agent/source.h"
#include "policy/ledger/ledger.h"
#include "policy/store/store.h"

/*
 * The credential of the id `cloud` in a credentials/1 document, fetched now: blocking. Sources of Entra ID that say no scope get that of Azure Resource
 * Manager at arm_endpoint. *found false, and GH_OK: there is no such file, or no such id in it.
 */
int gh_cloud_credential(gh_arena_t *arena, const char *file, const char *cloud, gh_str_t arm_endpoint, uint64_t now_ms, const _Atomic int *stop, bool *found,
    gh_credential_t *credential, gh_error_t *error);

/* $AZURE_RESOURCE_MANAGER_ENDPOINT, else https://management.azure.com; *partition: of which cloud of Azure that is. */
gh_str_t gh_cloud_arm_endpoint(gh_str_t *partition);

typedef struct gh_fleet_watch_s gh_fleet_watch_t;

/*
 * What the agent lends for an edit, in the main thread: a writable store, and the ledger (NULL: no workers). lend NULL store: not now. give_back is called after a
 * lend that gave one.
 */
typedef struct {
    gh_store_t *(*lend)(void *context, gh_ledger_t **ledger);
    void        (*give_back)(void *context);
    void         *context;
} gh_fleet_watch_store_t;

/* file is borrowed. NULL: no memory. */
gh_fleet_watch_t *gh_fleet_watch_new(gh_sources_t *sources, const char *file, const gh_fleet_watch_store_t *store);

/* Now and then, in the main thread: reads what is in force when it is another revision, and has it looked at soon. store may be NULL. */
void gh_fleet_watch_look(gh_fleet_watch_t *watch, gh_store_t *store, uint64_t now_ms);

/* After gh_sources_free. */
void gh_fleet_watch_free(gh_fleet_watch_t *watch);

#endif
