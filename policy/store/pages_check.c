/* Every page of the file, for writers. Keys of the list of free pages are native integers; of all else, bytes. */
#include "policy/store/pages_format.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const gh_pages_t *pages;
    uint64_t         *reached;        /* bitmap by page number */
    bool              free_list;      /* the tree under check is the list of free pages */
    uint8_t           last_key[512];
    size_t            last_len;
    bool              have_key;
    gh_value_t        value;
    gh_error_t       *error;
} check_t;

static int
damaged(check_t *check, uint64_t number, const char *what)
{
    return gh_error_set(check->error, "store_damaged", "page %llu of data.mdb %s", (unsigned long long) number, what);
}

static int
reach(check_t *check, uint64_t number)
{
    uint64_t bit = (uint64_t) 1 << (number % 64);

    if (number < 2 || number >= check->pages->page_count) {
        return damaged(check, number, "is not in the file");
    }
    if (check->reached[number / 64] & bit) {
        return damaged(check, number, "is used twice");
    }
    check->reached[number / 64] |= bit;
    return GH_OK;
}

/* MDB_IDL: a count, then page numbers, highest first. */
static int
check_free(check_t *check, uint64_t number)
{
    uint64_t count, id, before = UINT64_MAX;

    if (check->value.len < sizeof(count)) {
        return damaged(check, number, "holds a damaged list of free pages");
    }
    memcpy(&count, check->value.data, sizeof(count));
    if (count > check->value.len / sizeof(id) - 1) {
        return damaged(check, number, "holds a damaged list of free pages");
    }
    for (uint64_t i = 1; i <= count; i++) {
        memcpy(&id, check->value.data + i * sizeof(id), sizeof(id));
        if (id >= before || reach(check, id) != GH_OK) {
            return damaged(check, number, "holds a damaged list of free pages");
        }
        before = id;
    }
    return GH_OK;
}

static int
key_order(check_t *check, uint64_t number, gh_bytes_t key)
{
    gh_bytes_t last = { check->last_key, check->last_len };
    int        order;

    if (key.len > sizeof(check->last_key) || (check->free_list && key.len != sizeof(uint64_t))) {
        return damaged(check, number, "has an impossible key");
    }
    if (check->have_key) {
        if (check->free_list) {
            uint64_t a, b;

            memcpy(&a, last.data, sizeof(a));
            memcpy(&b, key.data, sizeof(b));
            order = a < b ? -1 : 1;
        } else {
            order = gh_page_key_compare(last, key);
        }
        if (order >= 0) {
            return damaged(check, number, "has keys out of order");
        }
    }
    memcpy(check->last_key, key.data, key.len);
    check->last_len = key.len;
    check->have_key = true;
    return GH_OK;
}

static int
check_leaf(check_t *check, const gh_page_t *page)
{
    for (uint32_t i = 0; i < page->count; i++) {
        gh_page_node_t node;
        uint64_t       count = 0;

        if (gh_page_node(check->pages, page, i, &node, check->error) != GH_OK
            || key_order(check, page->number, node.key) != GH_OK)
        {
            return GH_ERROR;
        }
        if (node.flags == GH_NODE_BIG) {
            if (gh_page_overflow(check->pages, &node, &count, check->error) != GH_OK) {
                return GH_ERROR;
            }
            for (uint64_t p = 0; p < count; p++) {
                if (reach(check, node.child + p) != GH_OK) {
                    return GH_ERROR;
                }
            }
        }
        if (check->free_list) {
            if (node.flags == GH_NODE_TREE) {
                return damaged(check, page->number, "holds a damaged list of free pages");
            }
            if (gh_page_value(check->pages, &node, &check->value, check->error) != GH_OK
                || check_free(check, page->number) != GH_OK)
            {
                return GH_ERROR;
            }
        }
    }
    return GH_OK;
}

/* Entries lie side by side from the page's upper end of free room to its end: LMDB moves them by their sizes. `taken`: a byte for two of the page. */
static int
check_packed(check_t *check, const gh_page_t *page, uint8_t *taken)
{
    size_t total = 0;

    for (uint32_t i = 0; i < page->count; i++) {
        gh_page_node_t node;
        size_t         at, size;

        if (gh_page_node(check->pages, page, i, &node, check->error) != GH_OK) {
            return GH_ERROR;
        }
        at = (size_t) ((const uint8_t *) node.key.data - page->data) - GH_NODE_HEADER;
        size = GH_NODE_HEADER + node.key.len;
        size += !page->leaf ? 0 : node.flags == GH_NODE_BIG ? sizeof(node.child) : node.size;
        size += size % 2;
        if (at % 2 != 0 || at + size > check->pages->page_size || memchr(taken + at / 2, 1, size / 2) != NULL) {
            return damaged(check, page->number, "has entries that overlap");
        }
        memset(taken + at / 2, 1, size / 2);
        total += size;
    }
    return total == check->pages->page_size - page->upper ? GH_OK : damaged(check, page->number, "has room between its entries");
}

static int
check_page(check_t *check, uint64_t number, uint32_t depth)
{
    uint8_t       *buffer;
    gh_page_t      page;
    gh_page_node_t node;
    int            rc;

    if (reach(check, number) != GH_OK) {
        return GH_ERROR;
    }
    buffer = calloc(check->pages->page_size + check->pages->page_size / 2, 1);
    if (buffer == NULL) {
        return gh_error_set(check->error, "out_of_memory", "no memory for a page");
    }
    rc = gh_page_read(check->pages, number, buffer, &page, check->error);
    if (rc == GH_OK && (page.leaf != (depth == 1) || page.count == 0)) {
        rc = damaged(check, number, "is not where its tree says");
    }
    if (rc == GH_OK) {
        rc = check_packed(check, &page, buffer + check->pages->page_size);
    }
    if (rc == GH_OK && page.leaf) {
        rc = check_leaf(check, &page);
    }
    for (uint32_t i = 0; rc == GH_OK && !page.leaf && i < page.count; i++) {
        rc = gh_page_node(check->pages, &page, i, &node, check->error);
        if (rc == GH_OK) {
            rc = check_page(check, node.child, depth - 1);
        }
    }
    free(buffer);
    return rc;
}

static int
check_tree(check_t *check, const gh_tree_t *tree)
{
    check->have_key = false;
    if (tree->flags != (check->free_list ? GH_TREE_INTEGER_KEYS : 0)) {
        return gh_error_set(check->error, "store_damaged", "a tree of data.mdb says that its keys or values are of another kind");
    }
    if (tree->root == GH_TREE_EMPTY) {
        return GH_OK;
    }
    if (tree->depth == 0 || tree->depth > GH_TREE_DEPTH) {
        return damaged(check, tree->root, "is the root of a tree of impossible depth");
    }
    return check_page(check, tree->root, tree->depth);
}

#define AHEAD ((off_t) 8 << 20)       /* bytes asked for at once */

/*
 * Trees are read in the order of their keys, which is no order in the file: a file that is not in memory is asked for from its beginning on,
 * so that the disk reads it in one go.
 */
static void
read_ahead(const gh_pages_t *pages)
{
    off_t end = (off_t) (pages->page_count * pages->page_size);

    for (off_t at = 0; at < end; at += AHEAD) {
        posix_fadvise(pages->fd, at, AHEAD, POSIX_FADV_WILLNEED);
    }
}

typedef struct {
    check_t   *check;
    gh_tree_t *trees;                 /* of main's entries */
    size_t     count;
} named_t;

static int
named_tree(void *context, gh_bytes_t key, gh_bytes_t value, gh_error_t *error)
{
    named_t *named = context;

    (void) key;
    if (named->count == 16 || value.len != sizeof(gh_tree_t)) {
        return gh_error_set(error, "store_damaged", "the list of databases of data.mdb is damaged");
    }
    memcpy(&named->trees[named->count++], value.data, sizeof(gh_tree_t));
    return 0;
}

int
gh_pages_check_all(const gh_pages_t *pages, gh_error_t *error)
{
    gh_tree_t trees[16];
    check_t   check = { .pages = pages, .error = error };
    named_t   named = { &check, trees, 0 };
    int       rc;

    check.reached = calloc(pages->page_count / 64 + 1, sizeof(uint64_t));
    if (check.reached == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory to check %llu pages", (unsigned long long) pages->page_count);
    }
    read_ahead(pages);
    rc = check_tree(&check, &pages->main_tree);
    if (rc == GH_OK) {
        rc = gh_pages_each(pages, &pages->main_tree, (gh_bytes_t) { "", 0 }, named_tree, &named, error);
    }
    for (size_t i = 0; rc == GH_OK && i < named.count; i++) {
        rc = check_tree(&check, &trees[i]);
    }
    check.free_list = true;
    if (rc == GH_OK) {
        rc = check_tree(&check, &pages->free_tree);
    }
    gh_value_free(&check.value);
    free(check.reached);
    return rc;
}
