#include "policy/cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#define PATIENCE_MS 400            /* work that is done by then shows nothing */
#define BETWEEN_MS  100
#define WIDTH       30

void
gh_cli_progress_begin(gh_cli_progress_t *progress, const char *what)
{
    *progress = (gh_cli_progress_t) { .what = what, .terminal = isatty(2) == 1, .begun_ms = gh_cli_now_ms() };
}

void
gh_cli_progress_tick(void *context, uint64_t done, uint64_t total)
{
    gh_cli_progress_t *progress = context;
    uint64_t           now_ms;
    char               bar[WIDTH + 1];

    if (!progress->terminal || total == 0) {
        return;
    }

    now_ms = gh_cli_now_ms();
    if (now_ms - progress->begun_ms < PATIENCE_MS || now_ms - progress->last_ms < BETWEEN_MS) {
        return;
    }

    for (unsigned i = 0; i < WIDTH; i++) {
        bar[i] = i < done * WIDTH / total ? '#' : '.';
    }
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %3u%%", progress->what, bar, (unsigned) (done * 100 / total));
    fflush(stderr);
    progress->last_ms = now_ms;
    progress->shown = true;
}

void
gh_cli_progress_end(gh_cli_progress_t *progress)
{
    if (progress->shown) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    progress->shown = false;
}
