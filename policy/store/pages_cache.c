/*
 * Branch pages of one snapshot. LMDB writes to no page that a snapshot shows, so while a transaction's number stands its pages do; of another one
 * nothing is said, and nothing of it is found. A tree of a million keys has some two thousand of them, on each way to a key the same few kinds.
 *
 * Of each page stands beside its bytes a list of its keys' heads: the eight bytes behind what all of them begin with. A look in it meets two or three
 * lines of the processor's cache, one in the page a line for each key that it compares. Only where heads are equal are keys compared.
 */
#include "policy/store/pages_format.h"

#include <stdlib.h>
#include <string.h>

#define SETS 2048u                    /* of two: at most 24 MB where pages have 4 KB, taken as they are read */

typedef struct {
    uint64_t head;                    /* as a number; what is behind a key's end is 0. The first entry's key is below everything: not looked at */
    uint64_t child;
} entry_t;

typedef struct {
    uint64_t  transaction;            /* 0: empty */
    gh_page_t page;
    uint32_t  common;                 /* bytes that all its keys begin with, but the first entry's */
    uint32_t  capacity;               /* of entries */
    entry_t  *entries;                /* one for each of the page's */
    uint8_t  *data;                   /* a page's size; NULL: was never needed */
} kept_t;

typedef struct {
    kept_t   of[2];
    unsigned last;                    /* the one that was read or found last */
} set_t;

struct gh_pages_cache_s {
    set_t    sets[SETS];
    uint64_t reads;
};

gh_pages_cache_t *
gh_pages_cache_new(void)
{
    return calloc(1, sizeof(gh_pages_cache_t));
}

void
gh_pages_cache_free(gh_pages_cache_t *cache)
{
    if (cache == NULL) {
        return;
    }
    for (uint32_t i = 0; i < SETS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            free(cache->sets[i].of[k].entries);
            free(cache->sets[i].of[k].data);
        }
    }
    free(cache);
}

uint64_t
gh_pages_cache_reads(const gh_pages_cache_t *cache)
{
    return cache->reads;
}

static uint64_t
head_of(gh_bytes_t key, uint32_t common)
{
    const uint8_t *bytes = key.data;
    uint64_t       head = 0;

    if (key.len >= common + sizeof(head)) {
        memcpy(&head, bytes + common, sizeof(head));
        return __builtin_bswap64(head);
    }
    for (uint32_t i = 0; i < sizeof(head); i++) {
        head = head << 8 | (common + i < key.len ? bytes[common + i] : 0);
    }
    return head;
}

/* What the first and the last of a page's keys begin with alike; all between them do, or the page is damaged. */
static int
common_of(const gh_pages_t *pages, const gh_page_t *page, uint32_t *common, gh_error_t *error)
{
    gh_page_node_t first, last;

    *common = 0;
    if (page->count < 2) {
        return GH_OK;
    }
    if (gh_page_node(pages, page, 1, &first, error) != GH_OK || gh_page_node(pages, page, page->count - 1, &last, error) != GH_OK) {
        return GH_ERROR;
    }
    while (*common < first.key.len && *common < last.key.len
        && ((const uint8_t *) first.key.data)[*common] == ((const uint8_t *) last.key.data)[*common])
    {
        (*common)++;
    }
    return GH_OK;
}

/* false: no memory for them. */
static bool
entries_room(kept_t *kept, uint32_t count)
{
    entry_t *entries;

    if (count <= kept->capacity) {
        return true;
    }
    entries = realloc(kept->entries, count * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    kept->entries = entries;
    kept->capacity = count;
    return true;
}

static int
fill(const gh_pages_t *pages, kept_t *kept, gh_error_t *error)
{
    const gh_page_t *page = &kept->page;
    gh_bytes_t       before = { "", 0 };
    gh_page_node_t   node;

    if (common_of(pages, page, &kept->common, error) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < page->count; i++) {
        if (gh_page_node(pages, page, i, &node, error) != GH_OK) {
            return GH_ERROR;
        }
        kept->entries[i] = (entry_t) { i > 0 ? head_of(node.key, kept->common) : 0, node.child };
        if (i > 1 && gh_page_key_compare(before, node.key) >= 0) {
            return gh_error_set(error, "store_damaged", "the keys of page %llu of data.mdb are out of order", (unsigned long long) page->number);
        }
        before = node.key;
    }
    return GH_OK;
}

/* The page, kept from now on. 1: there is no memory for it. */
static int
keep(const gh_pages_t *pages, uint64_t number, set_t *set, const kept_t **page, gh_error_t *error)
{
    kept_t *kept = &set->of[set->of[set->last].transaction == pages->transaction ? 1 - set->last : set->last];

    kept->transaction = 0;
    if (kept->data == NULL && (kept->data = malloc(pages->page_size)) == NULL) {
        return 1;
    }
    pages->cache->reads++;
    if (gh_page_read(pages, number, kept->data, &kept->page, error) != GH_OK) {
        return GH_ERROR;
    }
    if (kept->page.leaf || kept->page.count == 0) {
        return gh_page_no_tree(error);
    }
    if (!entries_room(kept, kept->page.count)) {
        return 1;
    }
    if (fill(pages, kept, error) != GH_OK) {
        return GH_ERROR;
    }
    kept->transaction = pages->transaction;
    set->last = (unsigned) (kept - set->of);
    *page = kept;
    return GH_OK;
}

/* How many of the entries from the second on have a head that is not above that one. */
static uint32_t
heads_until(const kept_t *kept, uint64_t head)
{
    const entry_t *entries = kept->entries + 1;
    uint32_t       low = 0, count = kept->page.count - 1;

    while (count > 0) {
        uint32_t half = count / 2;
        bool     below = entries[low + half].head <= head;

        low = below ? low + half + 1 : low;
        count = below ? count - half - 1 : half;
    }
    return low;
}

static int
kept_child(const gh_pages_t *pages, const kept_t *kept, gh_bytes_t key, uint64_t *child, gh_error_t *error)
{
    gh_page_node_t node;
    uint64_t       head;
    uint32_t       low, high, index;
    int            order;

    if (kept->common > 0) {
        if (gh_page_node(pages, &kept->page, 1, &node, error) != GH_OK) {
            return GH_ERROR;
        }
        order = memcmp(key.data, node.key.data, key.len < kept->common ? key.len : kept->common);
        if (order != 0 || key.len < kept->common) {
            *child = kept->entries[order > 0 ? kept->page.count - 1 : 0].child;
            return GH_OK;
        }
    }
    head = head_of(key, kept->common);
    high = heads_until(kept, head);
    low = high;
    while (low > 0 && kept->entries[low].head == head) {
        low--;
    }
    index = high;
    if (low < high && gh_page_search(pages, &kept->page, key, low + 1, high + 1, &index, error) != GH_OK) {
        return GH_ERROR;
    }
    *child = kept->entries[index].child;
    return GH_OK;
}

static int
read_child(const gh_pages_t *pages, uint64_t number, gh_bytes_t key, uint8_t *buffer, uint64_t *child, gh_error_t *error)
{
    gh_page_t      page;
    gh_page_node_t node;
    uint32_t       index;

    if (gh_page_read(pages, number, buffer, &page, error) != GH_OK) {
        return GH_ERROR;
    }
    if (page.leaf || page.count == 0) {
        return gh_page_no_tree(error);
    }
    if (gh_page_search(pages, &page, key, 1, page.count, &index, error) != GH_OK || gh_page_node(pages, &page, index, &node, error) != GH_OK) {
        return GH_ERROR;
    }
    *child = node.child;
    return GH_OK;
}

int
gh_page_child(const gh_pages_t *pages, uint64_t number, gh_bytes_t key, uint8_t *buffer, uint64_t *child, gh_error_t *error)
{
    const kept_t *kept = NULL;
    set_t        *set;
    int           rc = GH_OK;

    if (pages->cache == NULL || pages->transaction == 0) {
        return read_child(pages, number, key, buffer, child, error);
    }
    set = &pages->cache->sets[(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SETS];
    for (unsigned i = 0; i < 2 && kept == NULL; i++) {
        if (set->of[i].transaction == pages->transaction && set->of[i].page.number == number) {
            set->last = i;
            kept = &set->of[i];
        }
    }
    if (kept == NULL) {
        rc = keep(pages, number, set, &kept, error);
    }
    return rc == GH_OK ? kept_child(pages, kept, key, child, error) : rc == 1 ? read_child(pages, number, key, buffer, child, error) : GH_ERROR;
}
