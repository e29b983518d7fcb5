/*
 * Public keys of identity providers, fetched for the workers: one source (source.h) for each issuer of the policy in force whose keys do not stand in its document. What was
 * fetched is a file of policy/identity/key_sets.h, which workers read when it has changed. A set replaces the one before: a key that its issuer took
 * away counts no more from then on. When it cannot be fetched, the last one counts until its time is over.
 */
#ifndef GH_AGENT_KEYS_H
#define GH_AGENT_KEYS_H

#include "policy/agent/source.h"
#include "policy/store/store.h"

#define GH_KEYS_EVERY_MS     300000u      /* when the issuer does not say how long its set is fresh */
#define GH_KEYS_EVERY_MIN_MS  60000u      /* whatever it says */
#define GH_KEYS_EVERY_MAX_MS 3600000u
#define GH_KEYS_WANTED_MS      5000u      /* between two that tokens with unknown keys caused */
#define GH_KEYS_FILE_MS        1000u      /* between two looks at a file on this machine */

typedef struct gh_keys_s gh_keys_t;

/* directory: HOME/agent/keys; files: SECRETS/jwks; ca_file NULL: the system's. All borrowed. NULL: no memory. */
gh_keys_t *gh_keys_new(gh_sources_t *sources, const char *directory, const char *files, const char *ca_file);

/* After gh_sources_free. */
void gh_keys_free(gh_keys_t *keys);

/*
 * Whose keys are to be fetched, by the policy in force; the same again is cheap. Files of issuers that are not there any more are removed. GH_ERROR: the policy cannot be
 * read; everything stays.
 */
int gh_keys_policy(gh_keys_t *keys, gh_store_t *store, uint64_t now_ms, gh_error_t *error);

/* bits: of gh_ledger_keys_wanted. */
void gh_keys_want(gh_keys_t *keys, uint64_t bits, uint64_t now_ms);

#endif
