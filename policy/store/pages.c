/* LMDB's pages: meta pages, one page, all entries of a tree. One entry of a tree: pages_get.c. The whole file's check is in pages_check.c. */
#include "policy/store/pages_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/base/mapped.h"

static int
read_exactly(int fd, void *to, size_t len, uint64_t offset, gh_error_t *error)
{
    char *at = to;

    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t) offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return gh_error_set(error, "store_damaged", "data.mdb cannot be read at byte %llu: %s",
                (unsigned long long) offset, n < 0 ? strerror(errno) : "the file ends before it");
        }
        at += n;
        len -= (size_t) n;
        offset += (uint64_t) n;
    }
    return GH_OK;
}

/* Of a page or a value of the snapshot. */
static int
read_bytes(const gh_pages_t *pages, void *to, size_t len, uint64_t offset, gh_error_t *error)
{
    if (offset > pages->mapped || len > pages->mapped - offset) {
        return read_exactly(pages->fd, to, len, offset, error);
    }
    return gh_mapped_copy(to, pages->map + offset, len) ? GH_OK
        : gh_error_set(error, "store_damaged", "data.mdb cannot be read at byte %llu: the file ends before it, or its disk fails",
            (unsigned long long) offset);
}

static int
check_meta(const gh_meta_page_t *page, gh_error_t *error)
{
    uint32_t size = page->free_tree.pad;

    if (page->flags != GH_PAGE_META || page->magic != GH_META_MAGIC) {
        return gh_error_set(error, "store_damaged", "data.mdb is not an LMDB file, or its first pages were overwritten");
    }
    if (page->version != GH_META_VERSION) {
        return gh_error_set(error, "store_version", "data.mdb has LMDB data version %u, this program reads %u", page->version,
            GH_META_VERSION);
    }
    if (size < 512 || size > GH_PAGE_SIZE_MAX || (size & (size - 1)) != 0 || page->last_page < 1
        || page->last_page >= UINT64_MAX / GH_PAGE_SIZE_MAX)
    {
        return gh_error_set(error, "store_damaged", "a meta page of data.mdb is damaged");
    }
    return GH_OK;
}

static int
read_metas(int fd, gh_meta_page_t meta[2], gh_error_t *error)
{
    if (read_exactly(fd, &meta[0], sizeof(meta[0]), 0, error) != GH_OK || check_meta(&meta[0], error) != GH_OK
        || read_exactly(fd, &meta[1], sizeof(meta[1]), meta[0].free_tree.pad, error) != GH_OK
        || check_meta(&meta[1], error) != GH_OK)
    {
        return GH_ERROR;
    }
    if (meta[0].free_tree.pad != meta[1].free_tree.pad) {
        return gh_error_set(error, "store_damaged", "the meta pages of data.mdb name different page sizes");
    }
    if (meta[0].transaction % 2 != 0 || (meta[1].transaction % 2 != 1 && meta[1].transaction != 0)) {
        return gh_error_set(error, "store_damaged", "the meta pages of data.mdb are out of order");
    }
    return GH_OK;
}

int
gh_pages_newest(int fd, uint64_t *transaction, gh_error_t *error)
{
    gh_meta_page_t meta[2];

    if (read_metas(fd, meta, error) != GH_OK) {
        return GH_ERROR;
    }
    *transaction = meta[0].transaction > meta[1].transaction ? meta[0].transaction : meta[1].transaction;
    return GH_OK;
}

int
gh_pages_check_file(int fd, gh_error_t *error)
{
    gh_meta_page_t meta[2];
    struct stat    st;
    uint64_t       last;

    if (fstat(fd, &st) != 0) {
        return gh_error_set(error, "store_damaged", "data.mdb: %s", strerror(errno));
    }
    if (read_metas(fd, meta, error) != GH_OK) {
        return GH_ERROR;
    }
    last = meta[0].transaction > meta[1].transaction ? meta[0].last_page : meta[1].last_page;
    if ((uint64_t) st.st_size / meta[0].free_tree.pad <= last) {
        return gh_error_set(error, "store_damaged", "data.mdb was truncated: it has %lld bytes, its last page is number %llu",
            (long long) st.st_size, (unsigned long long) last);
    }
    return GH_OK;
}

int
gh_pages_snapshot(gh_pages_t *pages, int fd, uint64_t transaction, gh_error_t *error)
{
    gh_meta_page_t meta;
    struct stat    st;

    if (read_exactly(fd, &meta, sizeof(meta), 0, error) != GH_OK || check_meta(&meta, error) != GH_OK) {
        return GH_ERROR;
    }
    if (transaction & 1) {
        uint32_t size = meta.free_tree.pad;

        if (read_exactly(fd, &meta, sizeof(meta), size, error) != GH_OK || check_meta(&meta, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    if (meta.transaction != transaction) {
        return 1;
    }
    if (fstat(fd, &st) != 0 || (uint64_t) st.st_size / meta.free_tree.pad <= meta.last_page) {
        return gh_error_set(error, "store_damaged", "data.mdb was truncated: it has %lld bytes, its last page is number %llu",
            (long long) st.st_size, (unsigned long long) meta.last_page);
    }
    pages->fd = fd;
    pages->page_size = meta.free_tree.pad;
    pages->page_count = meta.last_page + 1;
    pages->transaction = transaction;
    pages->free_tree = meta.free_tree;
    pages->main_tree = meta.main_tree;
    return GH_OK;
}

int
gh_page_number_ok(const gh_pages_t *pages, uint64_t number, gh_error_t *error)
{
    return number >= 2 && number < pages->page_count ? GH_OK
        : gh_error_set(error, "store_damaged", "data.mdb points at page %llu, which is not in it", (unsigned long long) number);
}

int
gh_page_look(const gh_pages_t *pages, uint64_t number, const uint8_t *bytes, gh_page_t *page, gh_error_t *error)
{
    gh_page_header_t header;
    uint32_t         lower, upper;

    memcpy(&header, bytes, sizeof(header));
    lower = header.extent & 0xffff;
    upper = header.extent >> 16;
    page->leaf = (header.flags & GH_PAGE_KIND) == GH_PAGE_LEAF;
    if (header.number != number || (!page->leaf && (header.flags & GH_PAGE_KIND) != GH_PAGE_BRANCH)
        || lower < GH_PAGE_HEADER || lower > upper || upper > pages->page_size || (lower - GH_PAGE_HEADER) % 2 != 0)
    {
        return gh_error_set(error, "store_damaged", "page %llu of data.mdb is damaged", (unsigned long long) number);
    }
    page->number = number;
    page->data = bytes;
    page->upper = upper;
    page->count = (lower - GH_PAGE_HEADER) / 2;
    return GH_OK;
}

int
gh_page_read(const gh_pages_t *pages, uint64_t number, uint8_t *buffer, gh_page_t *page, gh_error_t *error)
{
    if (gh_page_number_ok(pages, number, error) != GH_OK || read_bytes(pages, buffer, pages->page_size, number * pages->page_size, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_page_look(pages, number, buffer, page, error);
}

int
gh_page_node(const gh_pages_t *pages, const gh_page_t *page, uint32_t index, gh_page_node_t *node, gh_error_t *error)
{
    uint16_t offset, field[4];       /* low, high, flags, key size */
    size_t   room;

    memcpy(&offset, page->data + GH_PAGE_HEADER + index * 2, sizeof(offset));
    if (index >= page->count || offset < page->upper || offset > pages->page_size - sizeof(field)) {
        goto damaged;
    }
    memcpy(field, page->data + offset, sizeof(field));
    room = pages->page_size - offset - sizeof(field);
    node->key = (gh_bytes_t) { page->data + offset + sizeof(field), field[3] };
    if (field[3] > room) {
        goto damaged;
    }
    if (!page->leaf) {
        node->child = (uint64_t) field[0] | (uint64_t) field[1] << 16 | (uint64_t) field[2] << 32;
        return GH_OK;
    }
    node->flags = field[2];
    node->size = (uint32_t) field[0] | (uint32_t) field[1] << 16;
    node->data = page->data + offset + sizeof(field) + field[3];
    if (node->flags == GH_NODE_BIG) {
        if (room - field[3] < sizeof(node->child)) {
            goto damaged;
        }
        memcpy(&node->child, node->data, sizeof(node->child));
    } else if ((node->flags != 0 && node->flags != GH_NODE_TREE) || node->size > room - field[3]) {
        goto damaged;
    }
    return GH_OK;

damaged:
    return gh_error_set(error, "store_damaged", "entry %u of page %llu of data.mdb is damaged", index,
        (unsigned long long) page->number);
}

int
gh_page_overflow(const gh_pages_t *pages, const gh_page_node_t *node, uint64_t *count, gh_error_t *error)
{
    gh_page_header_t header;
    uint64_t         needed;

    if (node->child < 2 || node->child >= pages->page_count || node->size > GH_PAGES_VALUE_MAX) {
        return gh_error_set(error, "store_damaged", "a value of data.mdb is on page %llu, which is not in it",
            (unsigned long long) node->child);
    }
    if (read_bytes(pages, &header, sizeof(header), node->child * pages->page_size, error) != GH_OK) {
        return GH_ERROR;
    }
    needed = ((uint64_t) GH_PAGE_HEADER + node->size + pages->page_size - 1) / pages->page_size;
    *count = header.extent;
    if ((header.flags & GH_PAGE_KIND) != GH_PAGE_OVERFLOW || header.number != node->child || *count < needed
        || *count > pages->page_count - node->child)
    {
        return gh_error_set(error, "store_damaged", "page %llu of data.mdb is damaged", (unsigned long long) node->child);
    }
    return GH_OK;
}

int
gh_value_room(gh_value_t *value, size_t len, gh_error_t *error)
{
    uint8_t *data;

    value->len = len;
    if (len <= value->capacity) {
        return GH_OK;
    }
    data = realloc(value->data, len);
    if (data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for a record of %zu bytes", len);
    }
    value->data = data;
    value->capacity = len;
    return GH_OK;
}

void
gh_value_free(gh_value_t *value)
{
    free(value->data);
    memset(value, 0, sizeof(*value));
}

int
gh_page_value(const gh_pages_t *pages, const gh_page_node_t *node, gh_value_t *value, gh_error_t *error)
{
    uint64_t count;

    if (node->flags == GH_NODE_BIG) {
        if (gh_page_overflow(pages, node, &count, error) != GH_OK || gh_value_room(value, node->size, error) != GH_OK) {
            return GH_ERROR;
        }
        return read_bytes(pages, value->data, node->size, node->child * pages->page_size + GH_PAGE_HEADER, error);
    }
    if (gh_value_room(value, node->size, error) != GH_OK) {
        return GH_ERROR;
    }
    if (node->size > 0) {
        memcpy(value->data, node->data, node->size);
    }
    return GH_OK;
}

int
gh_page_key_compare(gh_bytes_t a, gh_bytes_t b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int    order = len == 0 ? 0 : memcmp(a.data, b.data, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

int
gh_page_search(const gh_pages_t *pages, const gh_page_t *page, gh_bytes_t key, uint32_t low, uint32_t high, uint32_t *index, gh_error_t *error)
{
    gh_page_node_t node;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int      order;

        if (gh_page_node(pages, page, middle, &node, error) != GH_OK) {
            return GH_ERROR;
        }
        order = gh_page_key_compare(node.key, key);
        if (page->leaf ? order < 0 : order <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = page->leaf ? low : low - 1;
    return GH_OK;
}

/* Of a whole page: a branch's first entry is below everything, whatever its key. */
static int
page_search(const gh_pages_t *pages, const gh_page_t *page, gh_bytes_t key, uint32_t *index, gh_error_t *error)
{
    return gh_page_search(pages, page, key, page->leaf ? 0 : 1, page->count, index, error);
}

int
gh_page_no_tree(gh_error_t *error)
{
    return gh_error_set(error, "store_damaged", "the pages of a database of data.mdb do not form a tree");
}

int
gh_tree_ok(const gh_tree_t *tree, gh_error_t *error)
{
    if (tree->depth > GH_TREE_DEPTH || tree->flags != 0) {
        return gh_error_set(error, "store_damaged", "a database of data.mdb has an impossible description");
    }
    return GH_OK;
}

typedef struct {
    const gh_pages_t  *pages;
    gh_bytes_t         from;
    gh_pages_entry_fn  entry;
    void              *context;
    gh_value_t         value;
    gh_error_t        *error;
} each_t;

static int
each_page(each_t *each, uint64_t number, uint32_t depth, bool first)
{
    uint8_t       *buffer = malloc(each->pages->page_size);
    gh_page_t      page;
    gh_page_node_t node;
    uint32_t       index = 0;
    int            rc = GH_ERROR;

    if (buffer == NULL) {
        return gh_error_set(each->error, "out_of_memory", "no memory for a page");
    }
    if (gh_page_read(each->pages, number, buffer, &page, each->error) != GH_OK) {
        goto done;
    }
    if (page.leaf != (depth == 1) || (!page.leaf && page.count == 0)) {
        gh_page_no_tree(each->error);
        goto done;
    }
    if (first && page_search(each->pages, &page, each->from, &index, each->error) != GH_OK) {
        goto done;
    }
    rc = GH_OK;
    for (uint32_t i = index; i < page.count && rc == GH_OK; i++) {
        rc = gh_page_node(each->pages, &page, i, &node, each->error);
        if (rc != GH_OK) {
            break;
        }
        if (!page.leaf) {
            rc = each_page(each, node.child, depth - 1, first && i == index);
            continue;
        }
        rc = gh_page_value(each->pages, &node, &each->value, each->error);
        if (rc == GH_OK) {
            rc = each->entry(each->context, node.key, (gh_bytes_t) { each->value.data, each->value.len }, each->error);
        }
    }

done:
    free(buffer);
    return rc;
}

int
gh_pages_each(const gh_pages_t *pages, const gh_tree_t *tree, gh_bytes_t from, gh_pages_entry_fn entry, void *context,
    gh_error_t *error)
{
    each_t each = { .pages = pages, .from = from, .entry = entry, .context = context, .error = error };
    int    rc;

    if (tree->root == GH_TREE_EMPTY) {
        return GH_OK;
    }
    if (gh_tree_ok(tree, error) != GH_OK) {
        return GH_ERROR;
    }
    rc = each_page(&each, tree->root, tree->depth, true);
    gh_value_free(&each.value);
    return rc == 1 ? GH_OK : rc;
}
