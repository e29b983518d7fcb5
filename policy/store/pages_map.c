/*
 * The file mapped, beside LMDB's own map, for reading it without a call of the system for each page. What is read is copied out, checked as it
 * is when it came by pread, and a file that was cut short is damage, not a signal: policy/base/mapped.h.
 */
#include "policy/store/pages_format.h"

#include <sys/mman.h>

#include "policy/base/mapped.h"

void
gh_pages_map(gh_pages_t *pages)
{
    uint64_t size = pages->page_count * pages->page_size;
    void    *map;

    if (size <= pages->mapped || size > SIZE_MAX / 4) {
        return;
    }
    gh_pages_unmap(pages);
    size += size / 2 + GH_PAGE_SIZE_MAX;             /* room to grow: behind the file's end is nothing, which costs nothing */
    if (!gh_mapped_ready()) {
        return;
    }
    map = mmap(NULL, (size_t) size, PROT_READ, MAP_SHARED, pages->fd, 0);
    if (map != MAP_FAILED) {
        pages->map = map;
        pages->mapped = size;
    }
}

void
gh_pages_unmap(gh_pages_t *pages)
{
    if (pages->map != NULL) {
        munmap((void *) pages->map, (size_t) pages->mapped);
    }
    pages->map = NULL;
    pages->mapped = 0;
}
