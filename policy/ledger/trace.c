#include "policy/ledger/trace.h"

#ifdef GH_TRACE

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "policy/ledger/ledger_format.h"

static const char *trace_path;
static const char *trace_first;
static int         trace_fd = -1;

/* When the library is loaded: nginx empties the environment of its workers. */
__attribute__((constructor)) static void
trace_begin(void)
{
    trace_path = getenv("GATEHOUSE_TRACE");
    if (trace_path != NULL) {
        trace_fd = open(trace_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    }
}

void
gh_trace_slots(const void *first)
{
    trace_first = first;
}

void
gh_trace(const void *slot, const char *event, uint64_t number)
{
    struct timespec now;
    char            line[128], name[16] = "-";
    int             len;

    if (trace_fd < 0) {
        return;
    }
    if (slot != NULL && trace_first != NULL) {
        snprintf(name, sizeof(name), "%u", (unsigned) (((const char *) slot - trace_first) / GH_LEDGER_SLOT));
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    len = snprintf(line, sizeof(line), "%lld%09ld %d %s %s %llu\n", (long long) now.tv_sec, now.tv_nsec, (int) getpid(), name, event,
        (unsigned long long) number);
    if (len > 0 && write(trace_fd, line, (size_t) len) != len) {
        abort();
    }
}

#endif
