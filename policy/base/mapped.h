/*
 * Copying out of, or looking at, a mapped file that somebody may cut short meanwhile. What is behind the end of the file, or cannot be read from its disk, is a
 * SIGBUS, which ends a process; here it ends the copy. The handler is the process's own, set by gh_mapped_ready: a SIGBUS from anywhere
 * else goes to whoever had the signal before.
 */
#ifndef GH_MAPPED_H
#define GH_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

/* Once before the first copy; again does no harm. false: the handler cannot be set, and nothing must be copied. */
bool gh_mapped_ready(void);

/* false: the bytes are not there; what `to` holds then is not said. */
bool gh_mapped_copy(void *to, const void *from, size_t len);

/*
 * The same of reading in place: false when bytes that `read` looked at are not there, and what it did until then is done. It may be ended at any of its reads of the map, so
 * it takes no memory, no lock, and calls nothing that does.
 */
bool gh_mapped_read(void (*read)(void *context), void *context);

#endif
