#include "policy/base/mapped.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

static _Thread_local sigjmp_buf *volatile landing;   /* NULL: nobody copies here */
static struct sigaction                   before;

static void
on_sigbus(int number, siginfo_t *info, void *context)
{
    (void) number;
    (void) info;
    (void) context;
    if (landing != NULL) {
        siglongjmp(*landing, 1);
    }
    sigaction(SIGBUS, &before, NULL);   /* the same instruction again, and whoever was there meets it */
}

bool
gh_mapped_ready(void)
{
    struct sigaction now, wanted;

    if (sigaction(SIGBUS, NULL, &now) != 0) {
        return false;
    }
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_sigbus) {
        return true;
    }
    before = now;
    memset(&wanted, 0, sizeof(wanted));
    wanted.sa_sigaction = on_sigbus;
    wanted.sa_flags = SA_SIGINFO | SA_NODEFER;       /* siglongjmp leaves the mask as it is */
    sigemptyset(&wanted.sa_mask);
    return sigaction(SIGBUS, &wanted, NULL) == 0;
}

bool
gh_mapped_read(void (*read)(void *context), void *context)
{
    sigjmp_buf here;

    if (sigsetjmp(here, 0) != 0) {
        landing = NULL;
        return false;
    }
    landing = &here;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    read(context);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    landing = NULL;
    return true;
}

typedef struct { void *to; const void *from; size_t len; } copy_t;

static void
copy(void *context)
{
    const copy_t *copy = context;

    memcpy(copy->to, copy->from, copy->len);
}

bool
gh_mapped_copy(void *to, const void *from, size_t len)
{
    return gh_mapped_read(copy, &(copy_t) { to, from, len });
}
