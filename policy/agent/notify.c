#include "policy/agent/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "policy/base/error.h"

static int notify_socket = -1;

static uint64_t
watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t    number = usec != NULL ? strtoull(usec, NULL, 10) : 0;

    if (pid != NULL && strtoull(pid, NULL, 10) != (uint64_t) getpid()) {
        return 0;
    }
    return number / 2000 > 0 || number == 0 ? number / 2000 : 1;
}

int
gh_notify_open(uint64_t *watchdog_ms)
{
    const char        *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t             len = path != NULL ? strlen(path) : 0;
    int                status = GH_OK;

    *watchdog_ms = watchdog();
    if (len == 0) {
        return GH_OK;
    }
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(address.sun_path)) {
        errno = EINVAL;
        status = GH_ERROR;
    } else {
        memcpy(address.sun_path, path, len);
        if (path[0] == '@') {
            address.sun_path[0] = '\0';
        }
        notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (notify_socket == -1
            || connect(notify_socket, (struct sockaddr *) &address, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len)) != 0)
        {
            status = GH_ERROR;
        }
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return status;
}

void
gh_notify(const char *state)
{
    /* Whether it arrived is for systemd to find out: its watchdog says what came of it. One that does not read stops nothing here. */
    while (notify_socket != -1 && send(notify_socket, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
    }
}

void
gh_notify_reloading(void)
{
    char            state[64];
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000);
    gh_notify(state);
}
