/*
 * What the record costs a worker for one request: the decision line and the outcome line, made, chained and written; of a request that policy
 * alone judges, and of one that is held to six limits and chooses among backends whose state is known.
 *
 *     make build/tests/bench/record/record && build/tests/bench/record/record [--count N] [--only PART] [DIRECTORY]
 *
 * Prints microseconds of processor time a request, of each part, the best of several rounds: on a shared machine the others say more of
 * it than of the code.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy/audit/record.h"
#include "policy/base/hash.h"
#include "policy/base/id.h"
#include "policy/quota/quota.h"
#include "tests/unit/decide_world.h"

#define ROUNDS        10
#define A_MILLISECOND 20             /* requests of a busy worker in one */

static double
cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double) now.tv_sec * 1e6 + (double) now.tv_nsec / 1e3;
}

static gh_image_t          *image;
static world_request_t      asked;
static gh_record_request_t  request;
static gh_record_attempt_t  attempt;
static gh_record_outcome_t  outcome;
static gh_quota_t           quota;
static gh_quota_charge_t    charge;
static gh_order_t           order;
static char                 buffer[GH_RECORD_LINE_MAX], id[GH_ID_LEN];
static gh_json_writer_t     w;
static gh_error_t           error;

static gh_str_t
decision_line(void)
{
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_decision(&w, &request);
    return (gh_str_t) { w.data, w.len };
}

static gh_str_t
outcome_line(void)
{
    gh_json_writer_init(&w, buffer, sizeof(buffer));
    gh_record_outcome(&w, &outcome);
    return (gh_str_t) { w.data, w.len };
}

static void
next_request(void)
{
    static uint64_t number;
    uint8_t         random[10] = { 0 };

    memcpy(random, &number, sizeof(number));
    request.now_ms = outcome.now_ms = UINT64_C(1700000000000) + number++ / A_MILLISECOND;
    gh_uuid7(request.now_ms, random, id);
}

typedef struct {
    const char *what;
    void      (*run)(gh_record_t *record, unsigned long count);
} part_t;

static void
part_build(gh_record_t *record, unsigned long count)
{
    (void) record;
    for (unsigned long i = 0; i < count; i++) {
        decision_line();
        outcome_line();
    }
}

static void
part_hash(gh_record_t *record, unsigned long count)
{
    uint8_t digest[32];
    size_t  decision = decision_line().len + 80, end = outcome_line().len + 80;

    (void) record;
    for (unsigned long i = 0; i < count; i++) {
        gh_sha256(buffer, decision, digest);
        gh_sha256(buffer, end, digest);
    }
}

static int plain = -1;

static void
part_write(gh_record_t *record, unsigned long count)
{
    size_t decision = decision_line().len + 80, end = outcome_line().len + 80;

    (void) record;
    for (unsigned long i = 0; i < count; i++) {
        (void) !write(plain, buffer, decision);
        (void) !write(plain, buffer, end);
    }
    (void) !ftruncate(plain, 0);
}

static void
part_stat(gh_record_t *record, unsigned long count)
{
    struct stat st;

    (void) record;
    for (unsigned long i = 0; i < 2 * count; i++) {
        (void) !fstat(plain, &st);
    }
}

static void
part_all(gh_record_t *record, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        next_request();
        if (gh_record_append(record, decision_line(), &error) != GH_OK || gh_record_append(record, outcome_line(), &error) != GH_OK) {
            fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
    }
}

static void
measure(const part_t *part, gh_record_t *record, unsigned long count, const char *only)
{
    double best = 1e18;

    if (strstr(part->what, only) == NULL) {
        return;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_us();

        part->run(record, count);
        if (cpu_us() - begin < best) {
            best = cpu_us() - begin;
        }
    }
    printf("%-20s %6.2f us\n", part->what, best / (double) count);
}

/* ---- with limits ---- */

static void
write_reserve(gh_json_writer_t *line, const void *context)
{
    gh_quota_record_reserve(line, context);
}

static void
write_charge(gh_json_writer_t *line, const void *context)
{
    gh_quota_record_charge(line, context);
}

static void
write_charged(gh_json_writer_t *line, const void *context)
{
    gh_quota_record_charged(line, context);
}

/* Of organisation, tenant, app and key; requests, tokens, money and what is in flight. */
static void
add_limits(gh_arena_t *arena)
{
    static const gh_limit_t limits[] = {
        { .level = GH_LEVEL_ORGANISATION, .dimension = GH_COUNT_MICRO_DOLLARS, .per = GH_PER_MONTH, .limit_class = GH_LIMIT_BUDGET, .amount = 5000000000 },
        { .level = GH_LEVEL_TENANT, .dimension = GH_COUNT_TOKENS, .per = GH_PER_DAY, .limit_class = GH_LIMIT_BUDGET, .amount = 50000000 },
        { .level = GH_LEVEL_APP, .dimension = GH_COUNT_TOKENS, .per = GH_PER_MINUTE, .limit_class = GH_LIMIT_RATE, .amount = 1000000 },
        { .level = GH_LEVEL_APP, .dimension = GH_COUNT_IN_FLIGHT, .limit_class = GH_LIMIT_RATE, .amount = 400 },
        { .level = GH_LEVEL_KEY, .dimension = GH_COUNT_REQUESTS, .per = GH_PER_MINUTE, .limit_class = GH_LIMIT_RATE, .amount = 600 },
        { .level = GH_LEVEL_KEY, .dimension = GH_COUNT_INPUT, .per = GH_PER_DAY, .limit_class = GH_LIMIT_SHADOW, .amount = 20000000 },
    };
    gh_target_t target;

    quota.limits.count = sizeof(limits) / sizeof(limits[0]);
    memcpy(quota.limits.items, limits, sizeof(limits));
    quota.at_ms = UINT64_C(1700000000000);
    quota.model = GH_STR("gpt");
    quota.deployment = GH_STR("de2");
    quota.admission_limits = 0x18;
    quota.attempt_limits = 0x27;
    quota.seen = 0x3f;
    for (unsigned i = 0; i < quota.limits.count; i++) {
        quota.uids[limits[i].level] = 1234567 + i;
        quota.amounts[i] = limits[i].dimension == GH_COUNT_REQUESTS || limits[i].dimension == GH_COUNT_IN_FLIGHT ? 1 : 1545;
        quota.values[i] = limits[i].amount / 3;
    }
    gh_image_target(image, asked.decision.route[1], &target);
    gh_quota_bound(&quota.limits, 0, &target, &asked.intake, &quota.bound);
    quota.charged = charge.amounts = (gh_quota_amounts_t) { 1200, 345, 9450 };
    charge.source = "reported";

    if (gh_order_decide(image, &asked.input, NULL, arena, &asked.decision, &order, &error) != GH_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    for (uint32_t i = 0; i < order.count; i++) {
        order.steps[i].looked = true;
        order.steps[i].state = (gh_backend_state_t) { .first_byte_us = 234567 + i, .token_us = 12345 + i, .samples = 20, .asked = 77, .in_flight = 3 };
    }

    request.order = &order;
    request.more = (gh_record_members_t) { write_reserve, &quota };
    attempt.charged = (gh_record_members_t) { write_charge, &charge };
    outcome.more = (gh_record_members_t) { write_charged, &quota };
}

int
main(int argc, char **argv)
{
    static const part_t      parts[] = {
        { "both lines made", part_build }, { "both lines hashed", part_hash }, { "both lines written", part_write },
        { "two fstat", part_stat }, { "all of it", part_all },
    };
    static const char *const documents[] = { fleet, tenants, residency };
    unsigned long            count = 20000;
    const char              *base = "/tmp", *only = "";
    char                     directory[300], path[400];
    gh_heap_t                heap;
    gh_record_t             *record;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--count") == 0 && i + 1 < argc) {
            count = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else {
            base = argv[i];
        }
    }

    gh_heap_init(&heap);
    image = world_image(&heap.arena, documents, 3);
    world_request(&asked, "nord/retail/chat", "gpt");
    world_decide(image, &asked, &heap.arena);
    request = (gh_record_request_t) { .id = { id, GH_ID_LEN }, .node = GH_STR("n1"), .node_country = GH_STR("SE"),
        .image = image, .input = &asked.input, .decision = &asked.decision };
    attempt = (gh_record_attempt_t) { .deployment = GH_STR("se"), .upstream_model = GH_STR("gpt-se"), .revision = 3, .status = 200, .cached = true,
        .sent = 1234, .received = 5678, .connect_us = -1, .first_byte_us = 234567, .total_us = 1234567,
        .backend_request_id = GH_STR("req_0123456789abcdef0123456789abcdef") };
    outcome = (gh_record_outcome_t) { .id = { id, GH_ID_LEN }, .status = 200, .end = "complete", .attempts = &attempt,
        .attempt_count = 1, .usage = { .reported = true, .input = 1200, .cached = 1000, .output = 345, .reasoning = 100 },
        .usage_source = "reported", .bytes_out = 4321 };

    next_request();

    snprintf(directory, sizeof(directory), "%.200s/gatehouse-bench-XXXXXX", base);
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return 1;
    }
    snprintf(path, sizeof(path), "%s/open", directory);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/plain", directory);
    plain = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    record = gh_record_open(&(gh_record_options_t) { .directories = { directory }, .node = GH_STR("n1"), .version = GH_STR("0"),
        .epoch_ms = UINT64_C(1700000000000), .pid = 1 });

    for (int limits = 0; limits < 2; limits++) {
        if (limits) {
            add_limits(&heap.arena);
        }
        printf("%s: decision %zu bytes, outcome %zu bytes, %lu requests a round\n", limits ? "under six limits" : "policy alone",
            decision_line().len, outcome_line().len, count);
        for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
            measure(&parts[p], record, count, only);
        }
    }

    gh_record_close(record);
    printf("left in %s: remove it\n", directory);
    return 0;
}
