/* The agent's sources on a made-up clock: one flight each, a bounded number of all, growing distances after failures, and their removal. */
#include <pthread.h>
#include <unistd.h>

#include "policy/agent/source.h"
#include "tests/unit/check.h"

#define COUNT 20

typedef struct {
    gh_source_t source;
    _Atomic int runs, in_flight, most;
    int         dones, bad;
    bool        fails, cannot_use, waits;
    uint64_t    next_ms;
} one_t;

static _Atomic int flying, most_flying, gate;

static int
run(void *context, const _Atomic int *stop, gh_arena_t *arena, void **result, gh_error_t *error)
{
    one_t *one = context;
    int    now = ++flying;

    one->runs++;
    one->most = ++one->in_flight > one->most ? (int) one->in_flight : (int) one->most;
    most_flying = now > most_flying ? now : (int) most_flying;
    while (one->waits && gate == 0 && *stop == 0) {
        usleep(500);
    }
    *result = gh_arena_alloc(arena, 8);
    one->in_flight--;
    flying--;
    return one->fails ? gh_error_set(error, "no", "no such luck") : GH_OK;
}

static uint64_t
done(void *context, void *result, const gh_error_t *error, uint64_t now_ms, gh_error_t *failed)
{
    one_t *one = context;

    one->dones++;
    one->bad += result == NULL || (error != NULL) != one->fails || now_ms == 0;
    if (one->cannot_use) {
        gh_error_set(failed, "full", "the disk is full");
    }
    return one->next_ms;
}

static void
settle(gh_sources_t *sources, uint64_t now_ms)
{
    for (int i = 0; i < 200000; i++) {
        bool busy = false;

        (void) gh_sources_tick(sources, now_ms, 1000);
        for (size_t n = 0; n < gh_sources_count(sources); n++) {
            busy |= gh_sources_at(sources, n)->running;
        }
        if (!busy) {
            return;
        }
        usleep(500);
    }
    CHECK(!"settles");
}

static void
test_flights(void)
{
    gh_sources_t *sources = gh_sources_new(1);
    one_t         ones[COUNT] = { 0 };

    for (int i = 0; i < COUNT; i++) {
        ones[i] = (one_t) { .source = { .kind = "test", .name = "one", .context = &ones[i], .run = run, .done = done }, .waits = true, .next_ms = 10000 };
        CHECK(gh_sources_add(sources, &ones[i].source) == GH_OK);
    }
    for (int i = 0, more = 20; i < 100000 && more > 0; i++) {
        gh_sources_tick(sources, 1000, 1000);
        gh_source_hurry(&ones[0].source, 1000, 0);
        usleep(1000);
        more -= flying >= GH_SOURCES_AT_ONCE;               /* all are there, and some turns more */
    }
    CHECK_INT(flying, GH_SOURCES_AT_ONCE);
    gate = 1;
    settle(sources, 1000);
    settle(sources, 1000);
    for (int i = 0; i < COUNT; i++) {
        CHECK(ones[i].most == 1 && ones[i].dones == ones[i].runs && ones[i].bad == 0 && ones[i].source.succeeded_ms == 1000);
        CHECK(ones[i].source.due_ms >= 10000 && ones[i].source.due_ms <= 12001);
    }
    CHECK(most_flying <= GH_SOURCES_AT_ONCE && ones[1].runs == 1);
    CHECK_INT(ones[0].runs, 2);                              /* hurried while it ran: once more, however often it was said */
    CHECK(ones[1].source.due_ms != ones[2].source.due_ms || ones[2].source.due_ms != ones[3].source.due_ms);
    /* hurried, but not within 5 s of its last beginning */
    gh_source_hurry(&ones[1].source, 2000, 5000);
    CHECK_INT(ones[1].source.due_ms, 6000);
    gh_sources_free(sources);
}

/* What would be due in ten years is asked again within a month, not at once and for ever. */
static void
test_far_ahead(void)
{
    gh_sources_t *sources = gh_sources_new(3);
    one_t         one = { .source = { .kind = "test", .name = "one", .context = &one, .run = run, .done = done }, .next_ms = UINT64_C(3650) * 86400000 };

    CHECK(gh_sources_add(sources, &one.source) == GH_OK);
    settle(sources, 1000);
    for (int i = 0; i < 5; i++) {
        gh_sources_tick(sources, 2000, 1000);
        usleep(1000);
    }
    CHECK_INT(one.runs, 1);
    CHECK(one.source.due_ms > UINT64_C(26) * 86400000 && one.source.due_ms <= 1000 + UINT64_C(30) * 86400000);
    gh_sources_free(sources);
}

/* Sources that are due again at once leave room for those that are due for longer. */
static void
test_longest_due(void)
{
    gh_sources_t *sources = gh_sources_new(4);
    one_t         ones[COUNT] = { 0 };

    for (int i = 0; i < COUNT; i++) {
        ones[i] = (one_t) { .source = { .kind = "test", .name = "one", .context = &ones[i], .run = run, .done = done }, .next_ms = 1000000 };
        CHECK(gh_sources_add(sources, &ones[i].source) == GH_OK);
    }
    gate = 0;
    for (int i = 0; i < COUNT; i++) {
        ones[i].waits = true;
        ones[i].source.due_ms = (uint64_t) (COUNT - i);
    }
    gh_sources_tick(sources, 1000, 1000);
    for (int i = 0; i < COUNT; i++) {
        CHECK(ones[i].source.running == (i >= COUNT - GH_SOURCES_AT_ONCE));
    }
    gate = 1;
    settle(sources, 1000);
    gh_sources_free(sources);
}

static void
test_failures(void)
{
    gh_sources_t *sources = gh_sources_new(2);
    one_t         one = { .source = { .kind = "test", .name = "one", .context = &one, .run = run, .done = done }, .fails = true };
    uint64_t      now = 1000, base = GH_SOURCE_RETRY_MS;

    CHECK(gh_sources_add(sources, &one.source) == GH_OK);
    for (int i = 0; i < 14; i++) {
        settle(sources, now);
        CHECK_INT(one.runs, i + 1);
        CHECK_INT(one.source.failures, i + 1);
        CHECK(one.source.due_ms - now >= base - base / 10 && one.source.due_ms - now <= base + base / 10 + 1);
        settle(sources, one.source.due_ms - 1);
        CHECK_INT(one.runs, i + 1);
        now = one.source.due_ms;
        base = base * 2 < GH_SOURCE_RETRY_MAX_MS ? base * 2 : GH_SOURCE_RETRY_MAX_MS;
    }
    CHECK_STR(gh_str_from(one.source.error), "no such luck");
    one.fails = false;
    settle(sources, now);
    CHECK(one.source.failures == 0 && one.source.error[0] == '\0' && one.source.succeeded_ms == now && one.bad == 0);
    gh_sources_free(sources);
}

/* What was fetched and could not be put where it is needed failed: it is no success that is tried again in five minutes. */
static void
test_what_cannot_be_used(void)
{
    gh_sources_t *sources = gh_sources_new(5);
    one_t         one = { .source = { .kind = "test", .name = "one", .context = &one, .run = run, .done = done }, .cannot_use = true };
    uint64_t      now = 1000, base = GH_SOURCE_RETRY_MS;

    CHECK(gh_sources_add(sources, &one.source) == GH_OK);
    for (int i = 0; i < 4; i++, base *= 2) {
        settle(sources, now);
        CHECK(one.source.failures == (uint32_t) i + 1 && one.source.succeeded_ms == 0);
        CHECK_STR(gh_str_from(one.source.code), "full");
        CHECK_STR(gh_str_from(one.source.error), "the disk is full");
        CHECK(one.source.due_ms - now >= base - base / 10 && one.source.due_ms - now <= base + base / 10 + 1);
        now = one.source.due_ms;
    }
    /* what run() says itself comes first */
    one.fails = true;
    settle(sources, now);
    CHECK_STR(gh_str_from(one.source.code), "no");
    CHECK_INT(one.source.failures, 5);
    one.fails = one.cannot_use = false;
    now = one.source.due_ms;
    settle(sources, now);
    CHECK(one.source.failures == 0 && one.source.code[0] == '\0' && one.source.succeeded_ms == now && one.bad == 0);
    CHECK(one.source.due_ms - now >= GH_SOURCE_RETRY_MAX_MS - GH_SOURCE_RETRY_MAX_MS / 10);
    gh_sources_free(sources);
}

static void
test_removal(void)
{
    gh_sources_t *sources = gh_sources_new(3);
    one_t         one = { .source = { .kind = "test", .name = "one", .context = &one, .run = run, .done = done }, .waits = true };

    gate = 0;
    CHECK(gh_sources_add(sources, &one.source) == GH_OK);
    gh_sources_tick(sources, 1000, 1000);
    CHECK(!gh_sources_remove(sources, &one.source));
    gate = 1;
    settle(sources, 1000);
    CHECK(one.dones == 0 && gh_sources_remove(sources, &one.source) && gh_sources_count(sources) == 0);
    /* what runs is asked to end, and waited for */
    gate = 0;
    CHECK(gh_sources_add(sources, &one.source) == GH_OK);
    gh_sources_tick(sources, 5000, 1000);
    gh_sources_free(sources);
    CHECK_INT(flying, 0);
    CHECK_INT(one.dones, 0);
}

int
main(void)
{
    test_flights();
    test_far_ahead();
    test_longest_due();
    test_failures();
    test_what_cannot_be_used();
    test_removal();
    return check_done("agent_source");
}
