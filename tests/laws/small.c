/* A broken law made small: everything is left out that is not needed for it to break. Only what both worlds share is touched. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/laws/world.h"

static unsigned tries;

/* What a change of single bytes could have made senseless. */
static bool
sensible(const world_t *world)
{
    const policy_t *policy = &world->policy;
    bool            good = policy->class_count >= 1 && policy->default_class < policy->class_count;

    for (unsigned i = 0; i < ASSIGNS; i++) {
        good &= policy->assigns[i].class_index < policy->class_count;
    }
    for (unsigned i = 0; i < ALLOWS; i++) {
        good &= policy->allows[i].gone || (policy->allows[i].process && policy->allows[i].classes);
        good &= policy->allows[i].store.kind != STORE_SET || policy->allows[i].store.in;
    }
    for (unsigned i = 0; i < OWN_PLACES; i++) {
        good &= policy->own[i] != 0 || !((policy->allows[0].process | policy->allows[1].process) >> (COUNTRIES + SETS + i) & 1);
    }
    return good;
}

static bool
breaks(const law_t *law, const world_t *before, const world_t *after, unsigned request)
{
    answer_t       was[1][REQUESTS] = { { { 0 } } }, is[1][REQUESTS] = { { { 0 } } };
    const world_t *one = before;
    char           why[512];

    tries++;
    if (before->requests[request].gone || !sensible(before) || !sensible(after) || !judge_worlds(&one, 1, was, why, sizeof(why))) {
        return false;
    }
    one = after;
    return judge_worlds(&one, 1, is, why, sizeof(why)) && !law_kept(law->relation, &was[0][request], &is[0][request]);
}

static bool
leave_out(const law_t *law, world_t *before, world_t *after, unsigned request)
{
    bool    *flags[GONE_MAX], *flags_after[GONE_MAX], smaller = false;
    unsigned n = gone_flags(before, flags);

    gone_flags(after, flags_after);
    for (unsigned i = 0; i < n; i++) {
        if (*flags[i] || *flags_after[i]) {
            continue;
        }
        *flags[i] = *flags_after[i] = true;
        if (breaks(law, before, after, request)) {
            smaller = true;
        } else {
            *flags[i] = *flags_after[i] = false;
        }
    }
    return smaller;
}

/* The elements left out stay out. */
static void
mark_flags(world_t *world, bool *is_flag)
{
    bool    *flags[GONE_MAX];
    unsigned n = gone_flags(world, flags);

    memset(is_flag, 0, sizeof(*world));
    for (unsigned i = 0; i < n; i++) {
        is_flag[(uint8_t *) flags[i] - (uint8_t *) world] = true;
    }
}

/* Bytes to 0, then single bits: a fact not stated, a word less, a switch off. The seed and the order stay. */
static bool
clear_bytes(const law_t *law, world_t *before, world_t *after, unsigned request)
{
    uint8_t *a = (uint8_t *) before, *b = (uint8_t *) after;
    bool     smaller = false;
    bool     is_flag[sizeof(world_t)];

    mark_flags(before, is_flag);
    for (size_t i = offsetof(world_t, deployments); i < sizeof(*before); i++) {
        for (int bit = -1; bit < 8 && a[i] == b[i] && a[i] != 0 && !is_flag[i]; bit++) {
            uint8_t was = a[i];

            a[i] = b[i] = bit < 0 ? 0 : was & (uint8_t) ~(1u << bit);
            if (a[i] != was && breaks(law, before, after, request)) {
                smaller = true;
            } else {
                a[i] = b[i] = was;
            }
        }
    }
    return smaller;
}

/* ---- what is written ---- */

static FILE *
create(const char *directory, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return fopen(path, "w");
}

static void
make_directories(const char *directory)
{
    char path[512];

    for (size_t i = 1; directory[i - 1]; i++) {
        if (directory[i] == '/' || directory[i] == 0) {
            snprintf(path, sizeof(path), "%.*s", (int) i, directory);
            if (mkdir(path, 0755) != 0 && errno != EEXIST) {
                return;
            }
        }
    }
}

static void
write_world(const char *directory, const world_t *world)
{
    static char   bytes[1u << 18];
    static text_t text = { .bytes = bytes, .size = sizeof(bytes) };

    text.length = text.count = 0;
    text_nodes(&text);
    text_world(&text, world, 0);
    make_directories(directory);
    for (unsigned i = 0; i < text.count; i++) {
        FILE *file = create(directory, text.documents[i].path);

        if (file != NULL) {
            fwrite(bytes + text.documents[i].begin, 1, text.documents[i].length, file);
            fputc('\n', file);
            fclose(file);
        }
    }
}

static void
write_request(const char *directory, const char *side, const request_t *request, FILE *commands)
{
    char        name[32], model[64], when[32];
    const char *comma = "";
    line_t      lines[8];
    unsigned    n = request_lines(request, lines);
    time_t      seconds = (time_t) (request_ms(request) / 1000);
    struct tm   tm;
    FILE       *file;

    snprintf(name, sizeof(name), "%s.json", side);
    request_model(request, 0, model, sizeof(model));
    file = create(directory, name);
    if (file == NULL) {
        return;
    }
    fprintf(file, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":", model);
    fprintf(file, request->uninspected ? "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]" : "\"Hello\"");
    fprintf(file, "}],\"tools\":[");
    for (unsigned i = 0; i <= FEATURES; i++) {
        if (request->features >> i & 1) {
            fprintf(file, "%s{\"type\":\"%s\"}", comma, i < FEATURES ? feature_words[i] : "frobnicate");
            comma = ",";
        }
    }
    fprintf(file, "]}\n");
    fclose(file);

    gmtime_r(&seconds, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(commands, "gatehouse explain --policy %s/%s --request %s/%s --as w0/t%u/a%u/k1 --node %s --endpoint %s --now %s", directory, side,
        directory, name, request->tenant, request->app, node_name(request->node), endpoint_words[request->endpoint], when);
    for (unsigned i = 0; i < n; i++) {
        fprintf(commands, " --header '%s: %s'", lines[i].name, lines[i].value);
    }
    fprintf(commands, "\n");
}

void
small_report(const law_t *law, world_t *before, world_t *after, unsigned request, const char *directory)
{
    char  path[512];
    FILE *commands;

    if (breaks(law, before, after, request)) {
        tries = 0;
        for (bool again = true; again && tries < 20000;) {
            again = leave_out(law, before, after, request);
            again |= clear_bytes(law, before, after, request);
        }
    } else {
        fprintf(stderr, "  only in the company of its batch: not made smaller\n");
    }
    snprintf(path, sizeof(path), "%s/before", directory);
    write_world(path, before);
    snprintf(path, sizeof(path), "%s/after", directory);
    write_world(path, after);
    commands = create(directory, "commands.sh");
    if (commands != NULL) {
        write_request(directory, "before", &before->requests[request], commands);
        write_request(directory, "after", &after->requests[request], commands);
        fclose(commands);
    }
    fprintf(stderr, "  written to %s: sh %s/commands.sh\n", directory, directory);
}
