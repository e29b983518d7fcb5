#include "policy/ledger/kill_point.h"

#ifdef GH_KILL_POINTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void (*gh_kill_hook)(const char *name);

static char          kill_name[64];
static unsigned long kill_count;

/* When the library is loaded: nginx empties the environment of its workers. */
__attribute__((constructor)) static void
kill_begin(void)
{
    const char *text = getenv("GATEHOUSE_KILL"), *colon = text == NULL ? NULL : strchr(text, ':');

    if (colon != NULL && (size_t) (colon - text) < sizeof(kill_name)) {
        memcpy(kill_name, text, (size_t) (colon - text));
        kill_count = strtoul(colon + 1, NULL, 10);
    }
}

void
gh_kill_point(const char *name)
{
    if (gh_kill_hook != NULL) {
        gh_kill_hook(name);
    } else if (kill_count > 0 && (strcmp(kill_name, "any") == 0 || strcmp(kill_name, name) == 0) && --kill_count == 0) {
        kill(getpid(), SIGKILL);
    }
}

#endif
