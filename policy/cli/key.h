/* What the `gatehouse key` commands share. */
#ifndef GH_CLI_KEY_H
#define GH_CLI_KEY_H

#include <jansson.h>

#include "policy/cli/cli.h"
#include "policy/store/store_write.h"

/*
 * "90d": days from now; a day such as 2027-01-31: to its end, UTC. *not_after_ms is the first instant at which the key is refused. GH_ERROR: a
 * sentence that begins with the text.
 */
int gh_cli_key_expires(const char *text, uint64_t now_ms, uint64_t *not_after_ms, gh_error_t *error);

/* "90s", "15m", "24h", "7d" or "0", at most 366 days, in ms. GH_ERROR likewise. */
int gh_cli_key_span(const char *text, uint64_t *ms, gh_error_t *error);

/* "EU,NO" as one more list that has to hold: *lists is as in policy/identity/narrowing.h. GH_ERROR: why it is none. */
int gh_cli_key_narrowing(const gh_cli_t *cli, const char *text, gh_str_t *lists, gh_error_t *error);

/* "budget:micro-dollars/month=5000000@gpt-4.1" as one more limit of GH_LEVEL_KEY. GH_ERROR: why it is none. */
int gh_cli_key_limit(const gh_cli_t *cli, const char *text, gh_limits_t *limits, gh_error_t *error);

/* A limit, as gh_cli_key_limit reads it, but for the model's name, which only its number is known of; in the arena. */
gh_str_t gh_cli_key_limit_text(gh_arena_t *arena, const gh_limit_t *limit);

/* Rows for the tables of commands that say what a key is narrowed to, and gh_cli_key_asked: what they say, in the arena. GH_EXIT_DONE, or an exit code after a message. */
#define GH_CLI_KEY_OPTIONS \
    { "class", "NAME", "a data class that its requests carry besides the app's; repeat it", true }, \
    { "places", "LIST", "countries, sets and places of the policy, separated by commas: the only ones where\nits requests may be processed and kept; repeat it: each list holds", true }, \
    { "models", "LIST", "names of models, or a beginning and *, separated by commas: the only ones that\nit may use; repeat it: each list holds", true }, \
    { "limit", "LIMIT", "[CLASS:]DIMENSION[/PER]=AMOUNT[@MODEL], such as requests/minute=60 or\nbudget:micro-dollars/month=5000000; CLASS is rate when not said; repeat it", true }, \
    { "audit", "MODE", "required: nothing of its requests is sent without their decision in the record, whatever its app's mode", false }, \
    { "mint", "NAME", "an organisation, or a tenant or an app of it: the key may make keys of the apps there (--minter),\nnone of which may do more than it; repeat it", true }
int gh_cli_key_asked(const gh_cli_t *cli, gh_minted_t *minted);

/* Random bytes of the system. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_key_random(const gh_cli_t *cli, uint8_t random[32]);

/* What a new secret consists of; the caller's to wipe. */
typedef struct {
    char text[GH_KEY_TEXT + 1];                        /* the API key, or the id of an access key */
    char access_secret[GH_ACCESS_KEY_SECRET + 1];      /* of an access key; else empty */
} gh_cli_key_secret_t;

/* Completes what gh_store_key_create or gh_store_key_rotate wrote to text. */
int gh_cli_key_secret(gh_store_t *store, gh_cli_key_secret_t *secret, gh_error_t *error);

/* The key alone on a line, or the two variables that AWS's SDKs read. */
void gh_cli_key_secret_print(const gh_cli_key_secret_t *secret);

/* "key"; or "access_key_id" and "secret_access_key". */
void gh_cli_key_secret_json(const gh_cli_key_secret_t *secret, json_t *object);

/* The key in the file of --minter, or on standard input for "-"; the caller's to wipe. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_key_presented(const gh_cli_t *cli, const char *file, gh_str_t *text);

/* What the store said against it. GH_EXIT_ERROR, after a message. */
int gh_cli_key_minter_failed(const gh_cli_t *cli, const gh_error_t *error);

/* Names the key `by` in the author of an edit. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_key_by(const gh_cli_t *cli, gh_str_t by, gh_str_t *actor);

/* When requests of keys last had a decision, by the record: `count` keys, which gh_store_key_list gave. */
int gh_cli_key_last_use(gh_cli_t *cli, const gh_store_key_t *keys, size_t count, uint64_t *last_ms);

/* After "key_unknown": the nearest name, and the command that lists them. */
void gh_cli_key_advise(const gh_cli_t *cli, gh_store_t *store, const gh_cli_path_t *path);

#endif
