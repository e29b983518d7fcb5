/* Files of the command: documents and requests read; directories, owners and modes made. */
#ifndef GH_CLI_FILES_H
#define GH_CLI_FILES_H

#include <sys/types.h>

#include "policy/cli/cli.h"

/* ---- files.c ---- */

#define GH_CLI_DOCUMENT_MAX  (64u << 20)   /* bytes of one document */
#define GH_CLI_DOCUMENTS_MAX 100000        /* documents below one directory */
#define GH_CLI_DEPTH_MAX     32            /* directories inside each other */

typedef struct {
    gh_str_t path;      /* NUL-terminated: the directory as given, "/", the name */
    gh_str_t name;      /* NUL-terminated: below the directory; what revisions and the loader know it by */
    gh_str_t text;
} gh_cli_file_t;

typedef struct {
    gh_cli_file_t *files;
    size_t         count, capacity;
} gh_cli_files_t;

/* The whole of a regular file, arena-owned and NUL-terminated. GH_ERROR with the reason. max: largest size in bytes. */
int gh_cli_read_file(gh_arena_t *arena, const char *path, size_t max, gh_str_t *text, gh_error_t *error);

/* The same for a file or, when path is "-", for standard input. */
int gh_cli_read_input(gh_arena_t *arena, const char *path, size_t max, gh_str_t *text, gh_error_t *error);

/*
 * Every *.json below a directory, sorted by name bytes. Names beginning with "." are not looked at, which is what version
 * control and mounted ConfigMaps need; a link to a file is read, one to a directory is an error: nothing is left out unsaid.
 */
int gh_cli_read_directory(gh_arena_t *arena, const char *directory, gh_cli_files_t *files, gh_error_t *error);

/* One file; skip: bytes of the path that are not part of its name. */
int gh_cli_files_add(gh_arena_t *arena, gh_cli_files_t *files, const char *path, size_t skip, gh_error_t *error);

/* ---- owners.c ---- */

typedef struct {
    uid_t       uid;
    gid_t       gid;
    const char *name;        /* of the entry, for messages */
    mode_t      mode;
} gh_cli_owner_t;

/*
 * Opens directory `name` in `parent` (AT_FDCWD for a path) after making it when it is missing, then sets owner and mode. Links
 * are followed only for AT_FDCWD. Returns a file descriptor of the caller's, or -1 with *error. *made says whether it was new.
 */
int gh_cli_make_directory(int parent, const char *name, const gh_cli_owner_t *owner, bool *made, gh_error_t *error);

/* Owner and mode of an existing regular file in a directory; links, and files with a second name, are refused. */
int gh_cli_own_file(int directory, const char *name, const gh_cli_owner_t *owner, gh_error_t *error);

/*
 * A new file with these bytes, complete or not there: written beside, synced, then linked to its name. An existing
 * file stays as it is: *made is false then.
 */
int gh_cli_create_file(int directory, const char *name, const void *data, size_t len, const gh_cli_owner_t *owner,
    bool *made, gh_error_t *error);

#endif
