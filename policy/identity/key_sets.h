/*
 * Keys of issuers that do not stand in their documents: the agent fetches them and writes a file for each issuer, whoever judges tokens reads those files. A set may be used until
 * the time that stands in it, and only for the source that it was fetched from: an issuer whose document names another one has none until that was fetched.
 *
 * A file is HOME/agent/keys/ORGANISATION.ID.json, replaced as a whole:
 *   {"kind":"keys/1","organisation":"..","id":"..","source":"jwks_uri https://..","fetched":ms,"until":ms,"etag":"..","keys":{"keys":[...]}}
 */
#ifndef GH_KEY_SETS_H
#define GH_KEY_SETS_H

#include "policy/identity/jwks.h"

#define GH_KEY_FILE_MAX  (GH_JWKS_MAX + 16384u)   /* bytes */
#define GH_KEY_FILES_MAX 4096u                    /* in the directory; what is beyond is not read */
#define GH_KEY_SETS_TURN 64u                      /* files read by one look */

typedef struct {
    gh_str_t   organisation, id;
    gh_str_t   source;                /* the kind of source, a space, what it says */
    gh_str_t   etag;                  /* empty: there is none */
    gh_str_t   text;                  /* of the JWKS */
    uint64_t   fetched_ms, until_ms;
    gh_jwks_t *keys;
} gh_key_file_t;

/* Writes what a file has to say. */
void gh_key_file_write(gh_json_writer_t *w, const gh_key_file_t *file);

/* From its text; strings in the arena, keys the caller's (gh_jwks_free). GH_ERROR "keys" or "jwks". */
int gh_key_file_read(gh_arena_t *arena, gh_str_t text, const char *source, gh_key_file_t *file, gh_error_t *error);

typedef struct gh_key_sets_s gh_key_sets_t;

/* NULL: no memory. */
gh_key_sets_t *gh_key_sets_new(void);
void           gh_key_sets_free(gh_key_sets_t *sets);

/*
 * Reads what has changed in the directory since the last look; cheap when nothing has. true: a key is other than it was, so what was judged with the old
 * ones has to be judged again. A file that cannot be read leaves what was there of it; one that is gone takes it away. *error (code NULL: none): the first thing that was
 * wrong. A directory that is not there is empty.
 */
bool gh_key_sets_look(gh_key_sets_t *sets, const char *directory, uint64_t now_ms, gh_error_t *error);

/* The keys of the issuer of that number (gh_issuer_t) from that source, and until when they may be used. NULL: there are none. */
const gh_jwks_t *gh_key_sets_find(const gh_key_sets_t *sets, uint64_t number, gh_str_t source, uint64_t *until_ms);

#endif
