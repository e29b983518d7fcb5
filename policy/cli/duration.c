#include "policy/cli/duration.h"

#include <stdlib.h>
#include <string.h>

#include "policy/base/error.h"

int
gh_cli_every_parse(const char *text, uint64_t *ms)
{
    char              *end = "";
    unsigned long long number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : UINT64_MAX;

    if (number > GH_CLI_EVERY_MAX_MS) {
        return GH_ERROR;
    }
    *ms = number * (strcmp(end, "ms") == 0 ? 1 : strcmp(end, "s") == 0 || *end == '\0' ? 1000 : strcmp(end, "m") == 0 ? 60000 : 0);
    return *ms >= GH_CLI_EVERY_MIN_MS && *ms <= GH_CLI_EVERY_MAX_MS ? GH_OK : GH_ERROR;
}
