/* The layout of LMDB's pages (mdb.c of 0.9: MDB_page, MDB_node, MDB_meta), and reading one with every bound checked. */
#ifndef GH_PAGES_FORMAT_H
#define GH_PAGES_FORMAT_H

#include "policy/store/pages.h"

#define GH_META_MAGIC    0xBEEFC0DEu
#define GH_META_VERSION  1u
#define GH_PAGE_HEADER   16u
#define GH_NODE_HEADER   8u              /* of an entry: size or child, flags, length of its key */
#define GH_PAGE_SIZE_MAX 65536u
#define GH_TREE_EMPTY    UINT64_MAX
#define GH_TREE_DEPTH    32u          /* LMDB's own limit */

enum {
    GH_PAGE_BRANCH = 0x01, GH_PAGE_LEAF = 0x02, GH_PAGE_OVERFLOW = 0x04, GH_PAGE_META = 0x08,
    GH_PAGE_KIND = 0x6f               /* with leaf2 and sub-pages, which this store never has; not dirty, loose, keep */
};

enum { GH_NODE_BIG = 0x01, GH_NODE_TREE = 0x02 };

enum { GH_TREE_INTEGER_KEYS = 0x08 };   /* of the list of free pages; every other tree has no flags */

typedef struct {
    uint64_t number;
    uint16_t pad;
    uint16_t flags;
    uint32_t extent;                  /* u16 lower, u16 upper; of an overflow page: how many */
} gh_page_header_t;

typedef struct {
    uint64_t  number;
    uint16_t  pad;
    uint16_t  flags;
    uint32_t  extent;
    uint32_t  magic;
    uint32_t  version;
    uint64_t  address;
    uint64_t  map_size;
    gh_tree_t free_tree;              /* its pad is the page size */
    gh_tree_t main_tree;
    uint64_t  last_page;
    uint64_t  transaction;
} gh_meta_page_t;

typedef struct {
    uint64_t       number;
    const uint8_t *data;
    uint32_t       upper, count;
    bool           leaf;
} gh_page_t;

typedef struct {
    gh_bytes_t     key;
    uint64_t       child;             /* branch: page; GH_NODE_BIG: first overflow page */
    const uint8_t *data;              /* leaf: in the page */
    uint32_t       size;              /* leaf: of the value */
    uint16_t       flags;
} gh_page_node_t;

/* A branch or leaf page into buffer (page_size bytes). */
int gh_page_read(const gh_pages_t *pages, uint64_t number, uint8_t *buffer, gh_page_t *page, gh_error_t *error);
/* A page whose bytes (page_size of them) are at hand: its header is checked. They live as long as *page. */
int gh_page_look(const gh_pages_t *pages, uint64_t number, const uint8_t *bytes, gh_page_t *page, gh_error_t *error);
/* Of a page that has to be a branch, the child that may hold the key: by the cache where there is one. */
int gh_page_child(const gh_pages_t *pages, uint64_t number, gh_bytes_t key, uint8_t *buffer, uint64_t *child, gh_error_t *error);
/* The first entry of the page, from `low` on and below `high`, whose key is not below `key`, else `high`; on a branch, the child that may hold it: the entry before the first that is above it. */
int gh_page_search(const gh_pages_t *pages, const gh_page_t *page, gh_bytes_t key, uint32_t low, uint32_t high, uint32_t *index, gh_error_t *error);
int gh_page_number_ok(const gh_pages_t *pages, uint64_t number, gh_error_t *error);
/* What a tree's description can say. */
int gh_tree_ok(const gh_tree_t *tree, gh_error_t *error);
/* Says that pages do not form a tree. Returns GH_ERROR. */
int gh_page_no_tree(gh_error_t *error);
/* value->len is len, and there is room for it. GH_ERROR "out_of_memory". */
int gh_value_room(gh_value_t *value, size_t len, gh_error_t *error);
int gh_page_node(const gh_pages_t *pages, const gh_page_t *page, uint32_t index, gh_page_node_t *node, gh_error_t *error);
/* How many pages a big value covers, from node->child. */
int gh_page_overflow(const gh_pages_t *pages, const gh_page_node_t *node, uint64_t *count, gh_error_t *error);
int gh_page_value(const gh_pages_t *pages, const gh_page_node_t *node, gh_value_t *value, gh_error_t *error);
int gh_page_key_compare(gh_bytes_t a, gh_bytes_t b);

#endif
