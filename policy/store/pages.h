/*
 * Reads LMDB's pages (data format 1, of LMDB 0.9) by copying them, and checks everything it follows. Not LMDB's own mdb_get: that trusts
 * offsets found in pages, so a damaged file ends in a wild read or an abort() of the worker, and a truncated one in SIGBUS. The
 * caller holds an LMDB read transaction, which keeps the pages of its snapshot from being reused; nothing else of LMDB is needed.
 */
#ifndef GH_PAGES_H
#define GH_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/error.h"
#include "policy/base/hash.h"

typedef struct {                     /* MDB_db, as on disk */
    uint32_t pad;
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries;
    uint64_t root;                   /* page number; all ones: empty */
} gh_tree_t;

typedef struct gh_pages_cache_s gh_pages_cache_t;

typedef struct {
    int       fd;                    /* borrowed */
    uint32_t  page_size;
    uint64_t  page_count;            /* of the snapshot: valid page numbers are below it */
    uint64_t  transaction;           /* id of the snapshot */
    gh_tree_t free_tree, main_tree;
    gh_pages_cache_t *cache;         /* of branch pages, of this file alone; NULL: none */
    const uint8_t    *map;           /* of the file from its beginning, or NULL: pread */
    uint64_t          mapped;        /* bytes of it, which may be more than the file has */
} gh_pages_t;

/* Of a snapshot: maps the file, or maps it anew when it has outgrown its map. Where that is not possible pread goes on. */
void gh_pages_map(gh_pages_t *pages);
void gh_pages_unmap(gh_pages_t *pages);

/*
 * Branch pages of the newest snapshot that was read, so that a key costs one page read instead of one a level. Up to 16 MB, as they come. The
 * same file and the same page size each time. NULL: no memory, which only costs time.
 */
gh_pages_cache_t *gh_pages_cache_new(void);
void              gh_pages_cache_free(gh_pages_cache_t *cache);

/* Branch pages read so far because they were not there. */
uint64_t          gh_pages_cache_reads(const gh_pages_cache_t *cache);

/*
 * Before LMDB maps the file: both meta pages sane and alike, the file as long as they say. GH_ERROR "store_damaged" or
 * "store_version".
 */
int gh_pages_check_file(int fd, gh_error_t *error);

/*
 * Loads the meta page of a transaction; cache and map stay. 1: it is not that transaction's any more (a writer was faster twice): renew and try again.
 * GH_OK; GH_ERROR "store_damaged".
 */
int gh_pages_snapshot(gh_pages_t *pages, int fd, uint64_t transaction, gh_error_t *error);

/* The newest transaction the file holds. GH_ERROR "store_damaged". */
int gh_pages_newest(int fd, uint64_t *transaction, gh_error_t *error);

/* A named database. GH_ERROR "store_damaged" when there is none, or it is of another kind. */
int gh_pages_tree(const gh_pages_t *pages, const char *name, gh_tree_t *tree, gh_error_t *error);

typedef struct {                     /* a value read: malloc'ed, grown as needed, reused by the next read */
    uint8_t *data;
    size_t   len, capacity;
} gh_value_t;

void gh_value_free(gh_value_t *value);

/* *found false: no such key. Values above GH_PAGES_VALUE_MAX are damage. */
#define GH_PAGES_VALUE_MAX ((size_t) 1 << 31)
int gh_pages_get(const gh_pages_t *pages, const gh_tree_t *tree, gh_bytes_t key, gh_value_t *value, bool *found,
    gh_error_t *error);

/*
 * Entries in key order whose key is not below `from`. Returning 0 goes on, 1 stops (GH_OK), GH_ERROR stops with *error set. key and value
 * live during the call only.
 */
typedef int (*gh_pages_entry_fn)(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error);
int gh_pages_each(const gh_pages_t *pages, const gh_tree_t *tree, gh_bytes_t from, gh_pages_entry_fn entry, void *context,
    gh_error_t *error);

/*
 * Every page of every database and of the list of free pages: reached once, of the right kind, inside the file. For writers, who
 * hand the file to LMDB's own code afterwards. Time grows with the file.
 */
int gh_pages_check_all(const gh_pages_t *pages, gh_error_t *error);

#endif
