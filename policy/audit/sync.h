/*
 * A helper thread that brings a writer's files to the disk, so that nobody else waits for it. Files are synced in the order in which they were
 * handed over, each up to the newest position that was asked for when its turn begins: what is written while the disk works shares the next
 * call. What will hurt you first:
 *  - a position counts when its file, the file's directory entry and all positions before it are on the disk;
 *  - after one error nothing further is tried until gh_sync_drop: what the error's file has lost is not known, and the kernel tells it once;
 *  - the thread holds a duplicate of each descriptor, and with it the file's lock, until it is done with the file.
 */
#ifndef GH_SYNC_H
#define GH_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/error.h"

typedef struct gh_sync_s gh_sync_t;
typedef struct gh_sync_file_s gh_sync_file_t;

/* What it does to files; 0, or -1 and errno. Called in the thread. */
typedef struct {
    int (*data)(void *context, int fd, uint64_t size);       /* fdatasync; size: bytes that have to be there */
    int (*entry)(void *context, const char *directory);      /* fsync of the directory */
    void *context;
} gh_sync_calls_t;

/* Starts the thread, all signals blocked. wake: a non-blocking eventfd that it writes to when something is done; borrowed, -1: none.
 * calls: NULL, the system's. NULL and *error when there can be no thread. */
gh_sync_t *gh_sync_start(int wake, const gh_sync_calls_t *calls, gh_error_t *error);

/* Duplicates fd. directory: where its name is. NULL and errno. */
gh_sync_file_t *gh_sync_file_new(int fd, const char *directory);
void gh_sync_file_free(gh_sync_file_t *file);

/* Hands it over, when it has its name: nothing follows in the file before it. Positions start at 1 and rise from file to file. */
void gh_sync_add(gh_sync_t *sync, gh_sync_file_t *file);

/* The newest file is written up to this position and has this size. */
void gh_sync_want(gh_sync_t *sync, uint64_t position, uint64_t size);

typedef struct {
    uint64_t position;                /* on the disk, with all before it */
    uint64_t calls;                   /* of fdatasync that were made */
    int      error;                   /* errno of the call that failed; 0: none did */
} gh_sync_state_t;

void gh_sync_state(gh_sync_t *sync, gh_sync_state_t *state);

/* Forgets every file and the error. A call that is under way says nothing any more. */
void gh_sync_drop(gh_sync_t *sync);

/* Until all that was asked for is there, an error came, or so many ms have passed; true: it is there. */
bool gh_sync_wait(gh_sync_t *sync, unsigned ms);

/* Ends the thread, which a disk that does not answer may keep: then, after so many ms, it is left to the end of the process. */
void gh_sync_stop(gh_sync_t *sync, unsigned ms);

#endif
