/* Credentials that cannot be fetched now, as whoever tried last wrote it down: policy/agent/credential_hand.h. */
#include "policy/cli/credential.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define FAILING_MAX GH_CREDENTIALS_MAX

static int
by_name(const void *a, const void *b)
{
    return gh_str_cmp(((const gh_cli_failing_t *) a)->name, ((const gh_cli_failing_t *) b)->name);
}

/* ".NAME.why" */
static gh_str_t
name_of(const char *entry)
{
    size_t len = strlen(entry), end = sizeof(".why") - 1;

    return len > 1 + end && entry[0] == '.' && strcmp(entry + len - end, ".why") == 0 ? (gh_str_t) { entry + 1, len - 1 - end } : GH_STR("");
}

size_t
gh_cli_credential_failing(const gh_cli_t *cli, gh_cli_failing_t **failing)
{
    const char    *directory = gh_cli_credential_directory(cli);
    DIR           *stream = opendir(directory);
    struct dirent *entry;
    size_t         count = 0;

    *failing = gh_arena_array(cli->arena, FAILING_MAX, sizeof(**failing));
    while (stream != NULL && *failing != NULL && count < FAILING_MAX && (entry = readdir(stream)) != NULL) {
        gh_cli_failing_t *one = &(*failing)[count];

        one->name = name_of(entry->d_name);
        if (one->name.len != 0) {
            one->name = gh_str_copy(cli->arena, one->name);
            gh_credential_why_read(cli->arena, directory, one->name, &one->why);
            count += one->name.data != NULL && one->why.code[0] != '\0';
        }
    }
    if (stream != NULL) {
        closedir(stream);
    }
    if (count > 1) {
        qsort(*failing, count, sizeof(**failing), by_name);
    }
    return count;
}
