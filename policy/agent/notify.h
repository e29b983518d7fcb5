/*
 * What systemd is told, by the protocol of sd_notify(3): a datagram of lines to the socket that $NOTIFY_SOCKET names, an absolute path or "@" and an abstract name.
 * Without that variable nothing is sent.
 */
#ifndef GH_AGENT_NOTIFY_H
#define GH_AGENT_NOTIFY_H

#include <stdint.h>

/*
 * Opens the socket and takes the variables away, so that no child has them. *watchdog_ms: how often WATCHDOG=1 has to come at least, half of what $WATCHDOG_USEC says
 * when $WATCHDOG_PID is this process or not there; 0: never. GH_ERROR: there is a socket, and it cannot be reached.
 */
int gh_notify_open(uint64_t *watchdog_ms);

/* Lines with "\n" between them: "READY=1\nSTATUS=..." */
void gh_notify(const char *state);

/* "RELOADING=1" with the monotonic time that Type=notify-reload asks for; READY=1 has to follow. */
void gh_notify_reloading(void);

#endif
