/*
 * Laws on random worlds: a world's documents are loaded, compiled and asked for decisions; then one thing is changed in it, and what is
 * eligible afterwards is held against what was before. Worlds are judged a dozen together, each an organisation of its own in one
 * revision, so that they are company for each other too.
 *
 *   laws [--worlds N] [--seed N] [--only LAW] [--report DIR]
 *
 * For each law: how many answers were compared, in how many the change made a difference (for a law of sameness: in how many there was
 * something eligible that could have been lost), and how many broke it. A world that breaks a law is made small and written to DIR.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/laws/world.h"

#define TOGETHER 12u
#define ROUNDS   3u                    /* changed copies of each world */

typedef struct { uint64_t compared, mattered, broken, not_here, refused; } count_t;

static count_t     counts[64];
static uint64_t    worlds_done, answers_done, allowed, refused_worlds, codes[16];
static const char *report_directory = "build/laws";
static unsigned    reported;
static char        first_refusal[600];

static bool
mattered(relation_t relation, const answer_t *before, const answer_t *after)
{
    return relation == LAW_SAME || relation == LAW_NONE ? before->count > 0
         : before->eligible != after->eligible || before->code != after->code;
}

static void
break_law(const law_t *law, const world_t *before, const world_t *after, unsigned request)
{
    world_t a = *before, b = *after;
    char    directory[256];

    fprintf(stderr, "law \"%s\" (%s): world %llu of seed %llu, request %u\n", law->name, law->sentence,
        (unsigned long long) before->number, (unsigned long long) before->seed, request);
    if (reported++ < 3) {
        snprintf(directory, sizeof(directory), "%s/%s-%llu-%llu", report_directory, law->name, (unsigned long long) before->seed,
            (unsigned long long) before->number);
        small_report(law, &a, &b, request, directory);
    }
}

static void
compare(const law_t *law, count_t *count, const world_t *before, const world_t *after, const answer_t *was, const answer_t *is)
{
    for (unsigned q = 0; q < REQUESTS; q++) {
        count->compared++;
        count->mattered += mattered(law->relation, &was[q], &is[q]);
        if (!law_kept(law->relation, &was[q], &is[q])) {
            count->broken++;
            break_law(law, before, after, q);
        }
    }
}

static const law_t *
choose(random_t *r, const char *only)
{
    for (unsigned i = 0; only != NULL && i < law_count; i++) {
        if (strcmp(only, laws[i].name) == 0) {
            return &laws[i];
        }
    }
    return &laws[below(r, law_count)];
}

/* One changed copy of each world; where the documents are refused together, one by one, so that a refusal costs only its own world. */
static void
round_of(random_t *r, const world_t *worlds, const world_t *const *base, answer_t (*before)[REQUESTS], unsigned n, const char *only)
{
    static world_t  changed[TOGETHER];
    static answer_t after[TOGETHER][REQUESTS];
    const world_t  *given[TOGETHER] = { NULL };
    const law_t    *law[TOGETHER] = { NULL };
    char            why[512];

    for (unsigned i = 0; i < n; i++) {
        law[i] = choose(r, only);
        changed[i] = worlds[i];
        given[i] = NULL;
        if (base[i] == NULL) {
            law[i] = NULL;
        } else if (law[i]->change(r, &changed[i], before[i])) {
            given[i] = &changed[i];
        } else {
            counts[law[i] - laws].not_here++;
            law[i] = NULL;             /* the world is missing from this revision: company that went */
        }
    }
    if (!judge_worlds(given, n, after, why, sizeof(why))) {
        for (unsigned i = 0; i < n; i++) {
            const world_t *alone[TOGETHER] = { NULL };

            alone[i] = given[i];
            if (given[i] != NULL && !judge_worlds(alone, n, after, why, sizeof(why))) {
                counts[law[i] - laws].refused++;
                snprintf(first_refusal, sizeof(first_refusal), "%s: %s", law[i]->name, why);
                given[i] = NULL;
            }
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (given[i] != NULL) {
            compare(law[i], &counts[law[i] - laws], &worlds[i], &changed[i], before[i], after[i]);
        }
    }
}

static void
batch(uint64_t seed, uint64_t first, unsigned n, const char *only)
{
    static world_t  worlds[TOGETHER];
    static answer_t before[TOGETHER][REQUESTS];
    const world_t  *base[TOGETHER] = { NULL };
    random_t        r = { seed ^ first << 20 ^ 0x1a55e5 };
    char            why[512];

    for (unsigned i = 0; i < n; i++) {
        make_world(&worlds[i], seed, first + i);
        base[i] = &worlds[i];
    }
    if (!judge_worlds_with(base, n, before, first % (3 * TOGETHER) == 0, why, sizeof(why))) {
        for (unsigned i = 0; i < n; i++) {
            const world_t *alone[TOGETHER] = { NULL };

            alone[i] = &worlds[i];
            if (!judge_worlds(alone, n, before, why, sizeof(why))) {
                refused_worlds++;
                snprintf(first_refusal, sizeof(first_refusal), "as made: %s", why);
                base[i] = NULL;
            }
        }
    }
    for (unsigned i = 0; i < n; i++) {
        for (unsigned q = 0; base[i] != NULL && q < REQUESTS; q++) {
            answers_done++;
            allowed += before[i][q].count > 0;
            codes[before[i][q].code & 15]++;
        }
        worlds_done += base[i] != NULL;
    }
    for (unsigned k = 0; k < ROUNDS; k++) {
        round_of(&r, worlds, base, before, n, only);
    }
}

/* Every law tried, none broken, hardly a world refused, and none in vain, but where few worlds or a fresh seed may lack what a law needs: not covers. */
static bool
summary(double seconds, const char *only, bool covers)
{
    uint64_t compared = 0, refused = 0;
    bool     good = worlds_done > 0 && refused_worlds * 100 <= worlds_done;

    printf("%-15s %10s %10s %10s %10s %7s\n", "law", "compared", "mattered", "not here", "refused", "broken");
    for (unsigned i = 0; i < law_count; i++) {
        const count_t *count = &counts[i];

        if (only != NULL && strcmp(only, laws[i].name) != 0) {
            continue;
        }
        printf("%-15s %10llu %10llu %10llu %10llu %7llu  %s%s\n", laws[i].name, (unsigned long long) count->compared,
            (unsigned long long) count->mattered, (unsigned long long) count->not_here, (unsigned long long) count->refused,
            (unsigned long long) count->broken, laws[i].sentence, count->mattered == 0 ? ": VACUOUS" : "");
        good &= count->broken == 0 && (count->mattered > 0 || !covers) && count->refused * 10 <= count->compared / REQUESTS;
        compared += count->compared;
        refused += count->refused;
    }
    printf("%-15s %10llu %10llu %10s %10s %7llu  what cells keep is what is judged; %llu gave way or ran out\n", "cells",
        (unsigned long long) cells_counts.compared, (unsigned long long) cells_counts.found, "", "", (unsigned long long) cells_counts.broken,
        (unsigned long long) cells_counts.dropped);
    good &= cells_counts.broken == 0 && (only != NULL || !covers || (cells_counts.found > 0 && cells_counts.dropped > 0));
    if (first_refusal[0]) {
        printf("last refusal: %s\n", first_refusal);
    }
    printf("codes:");
    for (unsigned i = 0; i < 9; i++) {
        printf(" %llu", (unsigned long long) codes[i]);
    }
    printf("\n%llu worlds, %llu answers, %.1f%% allowed, %llu compared, %llu worlds refused, %llu changes refused, %.0f worlds/s\n",
        (unsigned long long) worlds_done, (unsigned long long) answers_done, 100.0 * (double) allowed / (double) (answers_done + !answers_done),
        (unsigned long long) compared, (unsigned long long) refused_worlds, (unsigned long long) refused,
        (double) worlds_done / (seconds > 0 ? seconds : 1));
    return good;
}

int
main(int argc, char **argv)
{
    uint64_t    total = 50000, seed = (uint64_t) time(NULL);
    const char *only = NULL;
    bool        covers = true;
    clock_t     begun = clock();

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--worlds") == 0) {
            total = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--only") == 0) {
            only = argv[i + 1];
        } else if (strcmp(argv[i], "--report") == 0) {
            report_directory = argv[i + 1];
        } else if (strcmp(argv[i], "--covers") == 0) {
            covers = strcmp(argv[i + 1], "no") != 0;
        } else {
            fprintf(stderr, "usage: laws [--worlds N] [--seed N] [--only LAW] [--report DIR] [--covers yes|no]\n");
            return 64;
        }
    }
    printf("seed %llu\n", (unsigned long long) seed);
    for (uint64_t at = 0; at < total; at += TOGETHER) {
        batch(seed, at, total - at < TOGETHER ? (unsigned) (total - at) : TOGETHER, only);
    }
    return summary((double) (clock() - begun) / CLOCKS_PER_SEC, only, covers) ? 0 : 1;
}
