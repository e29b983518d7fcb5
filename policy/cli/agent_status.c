/* `gatehouse agent status`: what the agent fetches and makes, how old each of it is, and what the facts in force rest on that ends soon. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/agent/evidence_watch.h"
#include "policy/agent/status.h"
#include "policy/cli/cli.h"
#include "policy/cli/ledger_look.h"
#include "policy/cli/policy.h"
#include "policy/ledger/reservation.h"
#include "policy/store/evidence.h"
#include "policy/store/image_format.h"

#define DAY_MS        UINT64_C(86400000)
#define DAYS_LISTED   30u
#define ENDS_MAX      4096u
#define AHEAD_MS      300000u         /* less than that before its end, a credential should have been replaced */
#define ENDLESS_MS    600000u         /* what has no end is looked at every minute */
#define UNSEEN_MS     10000u          /* the agent writes every 2 s */

/* How long after its last success something is ageing. */
static const struct { const char *kind; uint64_t ms; } limits[] = { { "checkpoint", 60000 }, { "sweep", 60000 }, { "keys", 7200000 }, { "fleet", 129600000 } };

typedef enum { FINE, FAILS, AGEING, OVER } state_t;
static const char *const state_names[] = { "fine", "fails", "ageing", "over" };

typedef struct {
    gh_cli_t         *cli;
    uint64_t          now_ms;
    bool              there, lives;
    gh_status_seen_t  seen;
    gh_evidence_end_t *ends;
    size_t            ends_count;
    bool              policy;         /* there is one, whose evidence was looked at */
    unsigned          ageing;         /* how many are not fine, evidence of the next 14 days included */
} status_t;

static state_t
state_of(const status_t *s, const gh_status_source_t *one)
{
    uint64_t age = s->now_ms > one->succeeded_ms ? s->now_ms - one->succeeded_ms : 0, limit = 0;
    bool     credential = gh_str_is(one->kind, "credential");

    if (one->idle) {
        return FINE;
    }
    if (one->until_ms != 0 && one->until_ms <= s->now_ms) {
        return OVER;
    }
    if (one->succeeded_ms == 0) {
        return one->failures > 0 ? FAILS : s->lives ? FINE : AGEING;
    }
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        limit = gh_str_is(one->kind, limits[i].kind) ? limits[i].ms : limit;
    }
    limit = credential && one->until_ms == 0 ? ENDLESS_MS : limit;
    if ((credential && one->until_ms != 0 && one->until_ms - s->now_ms < AHEAD_MS && (age > AHEAD_MS || one->again)) || (limit != 0 && age > limit)) {
        return AGEING;
    }
    return one->failures > 0 ? FAILS : FINE;
}

/* What workers do when no agent lives is no row then. */
static int
add_sweep(status_t *s)
{
    gh_status_source_t *sources = gh_arena_array(s->cli->arena, s->seen.count + 1, sizeof(*sources));

    if (sources == NULL) {
        return gh_cli_fail(s->cli, "out of memory");
    }
    if (s->seen.count > 0) {
        memcpy(sources, s->seen.sources, s->seen.count * sizeof(*sources));
    }
    if (s->lives) {
        bool node = gh_str_is(s->seen.sweep, "sweep_node"), denied = gh_str_is(s->seen.sweep, "sweep_denied");

        sources[s->seen.count++] = (gh_status_source_t) { .kind = GH_STR("sweep"), .name = GH_STR("what dead workers left"), .succeeded_ms = s->seen.swept_ms,
            .failures = s->seen.sweep.len != 0, .code = s->seen.sweep, .error = s->seen.sweep.len == 0 ? GH_STR("")
            : node ? GH_STR("the workers are of another node than --node says: they sweep")
            : denied ? GH_STR("the agent may not write open/ of an audit directory: the workers sweep") : GH_STR("the workers' audit directories are not those of --audit: they sweep") };
    }
    s->seen.sources = sources;
    return GH_EXIT_DONE;
}

/* ---- printing ---- */

/* "12 s", "5 min", "3 h", "40 days" */
static const char *
span(const status_t *s, uint64_t ms)
{
    gh_str_t text = ms < 120000 ? gh_str_format(s->cli->arena, "%llu s", (unsigned long long) ms / 1000)
        : ms < 7200000 ? gh_str_format(s->cli->arena, "%llu min", (unsigned long long) ms / 60000)
        : ms < 2 * DAY_MS ? gh_str_format(s->cli->arena, "%llu h", (unsigned long long) ms / 3600000)
        : gh_str_format(s->cli->arena, "%llu days", (unsigned long long) (ms / DAY_MS));

    return text.data != NULL ? text.data : "";
}

static void
print_agent(const status_t *s)
{
    gh_arena_t *arena = s->cli->arena;

    if (!s->there) {
        printf("agent: none ever ran here\n");
        return;
    }
    if (s->lives) {
        printf("agent: runs as process %llu since %s, version %.*s, node %.*s\n", (unsigned long long) s->seen.pid, gh_cli_time_text(arena, s->seen.began_ms),
            GH_STR_ARG(gh_cli_shown(arena, s->seen.version)), GH_STR_ARG(gh_cli_shown(arena, s->seen.node)));
    } else {
        printf("agent: %s %s; requests are served on, and what stands here grows old\n", s->seen.ended ? "ended at" : "not running, last seen at",
            gh_cli_time_text(arena, s->seen.written_ms));
    }
    if (s->seen.ledger.len != 0) {
        printf("ledger: cannot be used by it [%.*s]\n", GH_STR_ARG(gh_cli_shown(arena, s->seen.ledger)));
    }
    if (s->seen.store.len != 0) {
        printf("policy store: cannot be used by it [%.*s]\n", GH_STR_ARG(gh_cli_shown(arena, s->seen.store)));
    }
}

static void
print_source(const status_t *s, const gh_status_source_t *one, int width)
{
    gh_arena_t *arena = s->cli->arena;

    printf("%-10.*s  %-*.*s  %-6s  ", GH_STR_ARG(one->kind), width, GH_STR_ARG(gh_cli_shown(arena, one->name)), state_names[state_of(s, one)]);
    if (one->idle) {
        printf("not asked: clouds.json or the policy has nothing of it");
    } else if (one->succeeded_ms == 0) {
        printf("never succeeded");
    } else {
        printf("%s ago", span(s, s->now_ms > one->succeeded_ms ? s->now_ms - one->succeeded_ms : 0));
    }
    if (s->lives && one->due_ms > s->now_ms) {
        printf(", next in %s", span(s, one->due_ms - s->now_ms));
    }
    if (one->until_ms != 0) {
        printf(one->until_ms > s->now_ms ? ", holds for %s more" : ", over since %s",
            span(s, one->until_ms > s->now_ms ? one->until_ms - s->now_ms : s->now_ms - one->until_ms));
    }
    if (one->failures > 0) {
        printf(", failed %llu time%s: %.*s [%.*s]", (unsigned long long) one->failures, one->failures == 1 ? "" : "s", GH_STR_ARG(gh_cli_shown(arena, one->error)),
            GH_STR_ARG(gh_cli_shown(arena, one->code)));
    }
    printf("\n");
}

static int
print_text(const status_t *s)
{
    int width = 4;

    print_agent(s);
    for (size_t i = 0; i < s->seen.count; i++) {
        width = (int) s->seen.sources[i].name.len > width ? (int) s->seen.sources[i].name.len : width;
    }
    for (size_t i = 0; i < s->seen.count; i++) {
        print_source(s, &s->seen.sources[i], width);
    }
    if (!s->policy) {
        printf("evidence: no policy can be read\n");
    } else if (s->ends_count == 0) {
        printf("evidence: none ends within %u days\n", DAYS_LISTED);
    }
    for (size_t i = 0; i < s->ends_count && i < ENDS_MAX; i++) {
        const gh_evidence_end_t *end = &s->ends[i];
        bool                     over = end->until_ms <= s->now_ms;

        printf("%-10s  %.*s, %s%s%.*s  %s%s%s, at %s\n", "evidence", GH_STR_ARG(end->deployment), end->fact, end->feature.len != 0 ? " " : "", GH_STR_ARG(end->feature),
            over ? "over: the fact is unknown since " : "ends in ", span(s, over ? s->now_ms - end->until_ms : end->until_ms - s->now_ms), over ? "" : " more",
            gh_cli_time_text(s->cli->arena, end->until_ms));
    }
    return gh_cli_flush(s->cli);
}

static void
put_time(json_t *object, const status_t *s, const char *name, uint64_t ms, int *failed)
{
    if (ms != 0) {
        *failed |= json_object_set_new(object, name, json_string(gh_cli_time_text(s->cli->arena, ms)));
    }
}

static json_t *
source_json(const status_t *s, const gh_status_source_t *one)
{
    json_t *object = json_pack("{s:s%, s:s%, s:s, s:b, s:I}", "kind", one->kind.data, one->kind.len, "name", one->name.data, one->name.len, "state", state_names[state_of(s, one)],
        "asked", !one->idle, "failures", (json_int_t) one->failures);
    int failed = object == NULL;

    if (!failed) {
        put_time(object, s, "tried", one->began_ms, &failed);
        put_time(object, s, "succeeded", one->succeeded_ms, &failed);
        put_time(object, s, "next", one->due_ms, &failed);
        put_time(object, s, "holds_until", one->until_ms, &failed);
    }
    if (!failed && one->succeeded_ms != 0) {
        failed = json_object_set_new(object, "age_seconds", json_integer((json_int_t) (s->now_ms > one->succeeded_ms ? (s->now_ms - one->succeeded_ms) / 1000 : 0)));
    }
    if (!failed && one->code.len != 0) {
        failed = json_object_set_new(object, "code", json_stringn(one->code.data, one->code.len)) != 0
            || json_object_set_new(object, "error", json_stringn(one->error.data, one->error.len)) != 0;
    }
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *
evidence_json(const status_t *s, const gh_evidence_end_t *end)
{
    return json_pack("{s:s%, s:s, s:s%, s:s, s:I}", "deployment", end->deployment.data, end->deployment.len, "fact", end->fact, "feature",
        end->feature.data != NULL ? end->feature.data : "", end->feature.len, "until", gh_cli_time_text(s->cli->arena, end->until_ms), "days_left",
        end->until_ms > s->now_ms ? (json_int_t) ((end->until_ms - s->now_ms) / DAY_MS) : (json_int_t) 0);
}

static int
print_json(const status_t *s)
{
    json_t *sources = json_array(), *evidence = json_array();
    bool    failed = sources == NULL || evidence == NULL;

    for (size_t i = 0; !failed && i < s->seen.count; i++) {
        failed = json_array_append_new(sources, source_json(s, &s->seen.sources[i])) != 0;
    }
    for (size_t i = 0; !failed && i < s->ends_count && i < ENDS_MAX; i++) {
        failed = json_array_append_new(evidence, evidence_json(s, &s->ends[i])) != 0;
    }
    if (failed) {
        json_decref(sources);
        json_decref(evidence);
        return gh_cli_fail(s->cli, "out of memory");
    }
    return gh_cli_print_json(s->cli, json_pack("{s:b, s:s*, s:s*, s:s%, s:s%, s:o, s:o, s:i}", "runs", s->lives, "since",
        s->lives ? gh_cli_time_text(s->cli->arena, s->seen.began_ms) : NULL, "seen", s->there ? gh_cli_time_text(s->cli->arena, s->seen.written_ms) : NULL, "ledger",
        s->seen.ledger.data != NULL ? s->seen.ledger.data : "", s->seen.ledger.len, "store", s->seen.store.data != NULL ? s->seen.store.data : "", s->seen.store.len,
        "sources", sources, "evidence", evidence, "ageing", (int) s->ageing));
}

/* ---- what there is ---- */

static int
look_at_evidence(status_t *s, gh_store_t *store)
{
    gh_error_t  error = { 0 };
    gh_image_t *image;
    unsigned    tries = 0;

    while (gh_store_current(store, s->now_ms, &image, &error) != GH_OK) {
        if (!gh_cli_again(&error, &tries)) {
            return strcmp(error.code, "store_empty") == 0 ? GH_EXIT_DONE : gh_cli_fail_store(s->cli, &error);
        }
    }
    s->ends = gh_arena_array(s->cli->arena, ENDS_MAX, sizeof(*s->ends));
    if (s->ends == NULL) {
        return gh_cli_fail(s->cli, "out of memory");
    }
    s->policy = true;
    s->ends_count = gh_evidence_ending(image, s->now_ms + DAYS_LISTED * DAY_MS, s->ends, ENDS_MAX);
    return GH_EXIT_DONE;
}

static void
count_ageing(status_t *s)
{
    s->ageing = s->there && !s->lives;
    for (size_t i = 0; i < s->seen.count; i++) {
        s->ageing += state_of(s, &s->seen.sources[i]) != FINE;
    }
    for (size_t i = 0; i < s->ends_count && i < ENDS_MAX; i++) {
        s->ageing += s->ends[i].until_ms < s->now_ms + GH_EVIDENCE_SOON_MS;
    }
}

static int
show(gh_cli_t *cli, gh_store_t *store)
{
    status_t   s = { .cli = cli, .now_ms = gh_cli_now_ms() };
    gh_str_t   directory = gh_str_format(cli->arena, "%s/agent", gh_cli_home(cli));
    gh_error_t error = { 0 };
    int        result;

    if (directory.data == NULL || gh_status_read(cli->arena, directory.data, &s.seen, &s.there, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    s.lives = s.there && !s.seen.ended && s.now_ms < s.seen.written_ms + UNSEEN_MS;
    result = add_sweep(&s);
    result = result == GH_EXIT_DONE ? look_at_evidence(&s, store) : result;
    if (result != GH_EXIT_DONE) {
        return result;
    }
    count_ageing(&s);
    result = gh_cli_flag(cli, "json") ? print_json(&s) : print_text(&s);
    return result == GH_EXIT_DONE && gh_cli_flag(cli, "check") && (s.ageing > 0 || !s.there) ? GH_EXIT_AGEING : result;
}

static int
run(gh_cli_t *cli)
{
    gh_store_t *store = gh_cli_store_open(cli, false);
    int         result;

    if (store == NULL) {
        return GH_EXIT_ERROR;
    }
    result = show(cli, store);
    gh_store_close(store);
    return result;
}

static const gh_cli_option_t options[] = {
    { "check", NULL, "exits with 2 when something is not fine", false },
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an object", false },
    { 0 }
};

const gh_cli_command_t gh_cli_agent_status = {
    .name = "agent status",
    .usage = "[options]",
    .summary = "shows what the agent keeps fresh, and what is ageing",
    .help =
        "Prints whether the agent runs, and a line for each thing it keeps fresh (keys of identity providers, credentials, what clouds say\n"
        "of the fleet, checkpoints, sweeping): fine, fails, ageing or over, when it last went well, when it is due, how long it holds, and\n"
        "why it fails. Then facts of the policy in force whose evidence ends within 30 days. It reads HOME/agent/status.json, which the agent\n"
        "writes every 2 seconds, so it says what is ageing while the agent is down too.\n"
        "--check exits with 2 when no agent runs, something is not fine, or evidence ends within 14 days.\n",
    .options = options,
    .least = 0,
    .most = 0,
    .run = run,
};
