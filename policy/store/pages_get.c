/* One entry of a tree: down its branches (pages_cache.c), then in a leaf, which is looked at in the map where there is one. */
#include "policy/store/pages_format.h"

#include <string.h>

#include "policy/base/mapped.h"

/* The leaf that may hold the key. */
static int
tree_leaf(const gh_pages_t *pages, const gh_tree_t *tree, gh_bytes_t key, uint8_t *buffer, uint64_t *leaf, gh_error_t *error)
{
    *leaf = tree->root;
    if (gh_tree_ok(tree, error) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t depth = 1; depth < tree->depth; depth++) {
        if (gh_page_child(pages, *leaf, key, buffer, leaf, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return tree->depth > 0 ? gh_page_number_ok(pages, *leaf, error) : gh_page_no_tree(error);
}

/* The exact key's entry. */
static int
leaf_find(const gh_pages_t *pages, const gh_page_t *page, gh_bytes_t key, gh_page_node_t *node, bool *found, gh_error_t *error)
{
    uint32_t index;

    *found = false;
    if (!page->leaf) {
        return gh_page_no_tree(error);
    }
    if (gh_page_search(pages, page, key, 0, page->count, &index, error) != GH_OK) {
        return GH_ERROR;
    }
    if (index == page->count) {
        return GH_OK;
    }
    if (gh_page_node(pages, page, index, node, error) != GH_OK) {
        return GH_ERROR;
    }
    *found = gh_page_key_compare(node->key, key) == 0;
    return GH_OK;
}

int
gh_pages_tree(const gh_pages_t *pages, const char *name, gh_tree_t *tree, gh_error_t *error)
{
    uint8_t        buffer[GH_PAGE_SIZE_MAX];
    gh_bytes_t     key = { name, strlen(name) };
    gh_page_t      page;
    gh_page_node_t node;
    uint64_t       leaf;
    bool           found = false;

    if (pages->main_tree.root != GH_TREE_EMPTY
        && (tree_leaf(pages, &pages->main_tree, key, buffer, &leaf, error) != GH_OK || gh_page_read(pages, leaf, buffer, &page, error) != GH_OK
            || leaf_find(pages, &page, key, &node, &found, error) != GH_OK))
    {
        return GH_ERROR;
    }
    if (!found || node.flags != GH_NODE_TREE || node.size != sizeof(*tree)) {
        return gh_error_set(error, "store_damaged", "data.mdb has no database \"%s\"", name);
    }
    memcpy(tree, node.data, sizeof(*tree));
    return GH_OK;
}

/* A leaf that is looked at where it is mapped: of its 4 KB a key needs some hundred bytes. */
typedef struct {
    const gh_pages_t *pages;
    uint64_t          number;
    gh_bytes_t        key;
    gh_page_node_t    node;           /* its pointers are of the map */
    gh_value_t       *value;          /* has room for a page's */
    bool              found;
    int               rc;
    gh_error_t       *error;
} leaf_look_t;

#define AHEAD 32u                     /* entries whose keys are asked of memory all at once */

static void
leaf_look(void *context)
{
    leaf_look_t   *look = context;
    const uint8_t *bytes = look->pages->map + look->number * look->pages->page_size;
    gh_page_t      page;

    look->rc = gh_page_look(look->pages, look->number, bytes, &page, look->error);
    if (look->rc != GH_OK) {
        return;
    }
    for (uint32_t i = 0; i < page.count && i < AHEAD; i++) {
        uint16_t offset;

        memcpy(&offset, bytes + GH_PAGE_HEADER + i * 2, sizeof(offset));
        __builtin_prefetch(bytes + offset % look->pages->page_size);
    }
    look->rc = leaf_find(look->pages, &page, look->key, &look->node, &look->found, look->error);
    if (look->rc == GH_OK && look->found && look->node.flags == 0) {
        look->value->len = look->node.size;
        memcpy(look->value->data, look->node.data, look->node.size);
    }
}

static int
leaf_value(const gh_pages_t *pages, uint64_t leaf, gh_bytes_t key, gh_value_t *value, bool *found, uint8_t *buffer, gh_error_t *error)
{
    leaf_look_t look = { .pages = pages, .number = leaf, .key = key, .value = value, .error = error };
    gh_page_t   page;
    bool        mapped = (leaf + 1) * pages->page_size <= pages->mapped;

    if (mapped && gh_value_room(value, pages->page_size, error) != GH_OK) {
        return GH_ERROR;
    }
    if (mapped && !gh_mapped_read(leaf_look, &look)) {
        return gh_error_set(error, "store_damaged", "page %llu of data.mdb cannot be read: the file ends before it, or its disk fails", (unsigned long long) leaf);
    }
    if (!mapped) {
        look.rc = gh_page_read(pages, leaf, buffer, &page, error);
        look.rc = look.rc == GH_OK ? leaf_find(pages, &page, key, &look.node, &look.found, error) : look.rc;
    }
    if (look.rc != GH_OK || !look.found) {
        return look.rc;
    }
    *found = true;
    if (look.node.flags == GH_NODE_TREE) {
        return gh_error_set(error, "store_damaged", "a record of data.mdb is of the wrong kind");
    }
    return mapped && look.node.flags == 0 ? GH_OK : gh_page_value(pages, &look.node, value, error);
}

int
gh_pages_get(const gh_pages_t *pages, const gh_tree_t *tree, gh_bytes_t key, gh_value_t *value, bool *found,
    gh_error_t *error)
{
    uint8_t  buffer[GH_PAGE_SIZE_MAX];
    uint64_t leaf;

    *found = false;
    if (tree->root == GH_TREE_EMPTY) {
        return GH_OK;
    }
    if (tree_leaf(pages, tree, key, buffer, &leaf, error) != GH_OK) {
        return GH_ERROR;
    }
    return leaf_value(pages, leaf, key, value, found, buffer, error);
}
