/*
 * Tokens against identity/1 documents: tokens DOCUMENT..., then lines "NOW_MS TOKEN" on stdin. Each is answered by "ok ORG/TENANT/APP ISSUER CLASSES USER"
 * ("-" where there is none) or by the code of what is wrong. With --time N each accepted token is judged N times more, and the microseconds of one follow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/identity/issuers.h"

static gh_str_t
read_all(const char *path)
{
    FILE  *file = fopen(path, "rb");
    char  *text = malloc(1 << 20);
    size_t len;

    if (file == NULL || text == NULL) {
        perror(path);
        exit(1);
    }
    len = fread(text, 1, 1 << 20, file);
    fclose(file);
    return (gh_str_t) { text, len };
}

static double
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static void
judge(const gh_issuers_t *issuers, gh_str_t token, uint64_t now_ms, unsigned times)
{
    gh_caller_t found;
    gh_error_t error = { 0 };
    gh_heap_t  heap;
    double     begun;

    gh_heap_init(&heap);
    if (gh_issuers_judge(issuers, &heap.arena, token, now_ms, &found, &error) != GH_OK) {
        printf("%s\n", error.code);
        gh_heap_free(&heap);
        return;
    }
    printf("ok %.*s %.*s %s%.*s %s%.*s", GH_STR_ARG(found.app), GH_STR_ARG(found.id), found.classes.len ? "" : "-", GH_STR_ARG(found.classes),
        found.user.len ? "" : "-", GH_STR_ARG(found.user));
    gh_heap_free(&heap);

    begun = now_us();
    for (unsigned i = 0; i < times; i++) {
        gh_heap_init(&heap);
        gh_issuers_judge(issuers, &heap.arena, token, now_ms, &found, &error);
        gh_heap_free(&heap);
    }
    if (times > 0) {
        printf(" %.1f", (now_us() - begun) / times);
    }
    printf("\n");
}

int
main(int argc, char **argv)
{
    gh_issuers_t *issuers = gh_issuers_new();
    gh_error_t    error = { 0 };
    unsigned      times = 0;
    char         *line = NULL, *space;
    size_t        size = 0;
    ssize_t       len;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--time") == 0 && i + 1 < argc) {
            times = (unsigned) strtoul(argv[++i], NULL, 10);
        } else if (gh_issuers_add(issuers, read_all(argv[i]), &error) != GH_OK) {
            fprintf(stderr, "%s: %s\n", argv[i], error.text);
            return 1;
        }
    }
    while ((len = getline(&line, &size, stdin)) > 0) {
        line[len - 1] = '\0';
        space = strchr(line, ' ');
        if (space == NULL) {
            return 1;
        }
        judge(issuers, (gh_str_t) { space + 1, (size_t) (line + len - 1 - space - 1) }, strtoull(line, NULL, 10), times);
        fflush(stdout);
    }
    free(line);
    gh_issuers_free(issuers);
    return 0;
}
