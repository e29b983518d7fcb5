/*
 * Loaded into nginx by test_window.py: notes for every write to a backend whether the worker's slot of the ledger said, at that moment, that it
 * is about to write. One letter a write in PROBE_LOG: "o" the window was open, at a snapshot of the policy; "r" it was reading policy; "c" closed.
 * nginx clears the environment of its workers, so it is read when this is loaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "policy/ledger/ledger_format.h"

static char     ledger_path[4096], log_path[4096];
static int      backend_port;

__attribute__((constructor)) static void
read_environment(void)
{
    const char *ledger = getenv("PROBE_LEDGER"), *log = getenv("PROBE_LOG"), *port = getenv("PROBE_PORT");

    if (ledger != NULL && log != NULL && port != NULL && strlen(ledger) < sizeof(ledger_path) && strlen(log) < sizeof(log_path)) {
        memcpy(ledger_path, ledger, strlen(ledger));
        memcpy(log_path, log, strlen(log));
        backend_port = (int) strtol(port, NULL, 10);
    }
}

/* This process's slot; NULL while it has none. */
static const gh_slot_t *
own_slot(void)
{
    static const char *map;
    uint32_t           pid = (uint32_t) getpid();
    int                fd;

    if (map == NULL) {
        fd = open(ledger_path, O_RDONLY | O_CLOEXEC);
        map = fd < 0 ? NULL : mmap(NULL, GH_LEDGER_SIZE_MIN, PROT_READ, MAP_SHARED, fd, 0);
        if (map == NULL || map == MAP_FAILED) {
            abort();
        }
        close(fd);
    }
    for (uint32_t i = 0; i < GH_LEDGER_SLOTS; i++) {
        const gh_slot_t *slot = (const gh_slot_t *) (map + GH_LEDGER_HEADER + (size_t) i * GH_LEDGER_SLOT);

        if (__atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE) == pid) {
            return slot;
        }
    }
    return NULL;
}

static void
note(int socket)
{
    struct sockaddr_in peer;
    socklen_t          len = sizeof(peer);
    const gh_slot_t   *slot;
    uint64_t           window;
    int                fd;

    if (backend_port == 0 || getpeername(socket, (struct sockaddr *) &peer, &len) != 0 || peer.sin_family != AF_INET
        || ntohs(peer.sin_port) != backend_port)
    {
        return;
    }
    slot = own_slot();
    window = slot == NULL ? GH_WINDOW_CLOSED : __atomic_load_n(&slot->window, __ATOMIC_SEQ_CST);
    fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_write, fd, window == GH_WINDOW_CLOSED ? "c" : window == GH_WINDOW_READING ? "r" : "o", 1) != 1) {
        abort();
    }
    close(fd);
}

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

ssize_t
writev(int fd, const struct iovec *pieces, int count)
{
    note(fd);
    return REAL(writev)(fd, pieces, count);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
    note(fd);
    return REAL(send)(fd, data, len, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    note(fd);
    return REAL(sendmsg)(fd, message, flags);
}

ssize_t
write(int fd, const void *data, size_t len)
{
    note(fd);
    return REAL(write)(fd, data, len);
}

ssize_t
sendfile64(int to, int from, off64_t *offset, size_t count)
{
    note(to);
    return REAL(sendfile64)(to, from, offset, count);
}

ssize_t
sendfile(int to, int from, off_t *offset, size_t count)
{
    note(to);
    return REAL(sendfile)(to, from, offset, count);
}
