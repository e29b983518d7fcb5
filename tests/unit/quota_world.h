/* A key with limits, a model with a price and a request, on a real ledger. */
#ifndef GH_QUOTA_WORLD_H
#define GH_QUOTA_WORLD_H

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/quota/quota.h"
#include "tests/unit/check.h"

#define NOW      UINT64_C(1795748699500)    /* 2026-11-27T03:04:59.500Z */
#define M(n)     (UINT64_C(1000000) * (n))  /* micro-dollars a million tokens: n dollars */

static gh_heap_t     heap;
static gh_ledger_t  *ledger;
static gh_identity_t identity;
static gh_target_t   target;
static gh_intake_t   intake;
static gh_quota_t    quota;
static gh_quota_verdict_t verdict;
static char          directory[64], path[96];
static const uint8_t id[16] = { 1, 2, 3 };

/* A key that nobody counted for, a model of 8,000 tokens at 2 dollars in, 0.5 cached, 3 written, 8 out; a request of 400 bytes. */
static inline void
fresh(void)
{
    static uint64_t uid = 1000;

    memset(&identity, 0, sizeof(identity));
    identity.org_uid = uid++;
    identity.tenant_uid = uid++;
    identity.app_uid = uid++;
    identity.key_uid = uid++;

    memset(&target, 0, sizeof(target));
    target.deployment = GH_STR("azure-se");
    target.model = GH_STR("gpt");
    target.price = (gh_price_t) { .known = true, .input = M(2), .cached = M(1) / 2, .cache_write = M(3), .output = M(8), .reasoning = M(8) };
    target.context = 8000;
    target.max_output = 1000;
    target.image_tokens = 85;
    target.message_tokens = 16;

    memset(&intake, 0, sizeof(intake));
    intake.n = 1;
    intake.prompts = 1;
    intake.text_bytes = 400;
    intake.messages = 2;
    memset(&quota, 0, sizeof(quota));
    memset(&verdict, 0, sizeof(verdict));
}

static inline void
limit(unsigned level, unsigned dimension, unsigned per, unsigned limit_class, uint64_t amount)
{
    identity.limits.items[identity.limits.count++] = (gh_limit_t) {
        (uint8_t) level, (uint8_t) dimension, (uint8_t) per, (uint8_t) limit_class, 0, amount, 0
    };
}

static inline uint64_t
counted(unsigned index, uint64_t now_ms)
{
    gh_quota_t      q = { .limits = identity.limits, .uids = { 0, identity.org_uid, identity.tenant_uid, identity.app_uid, identity.key_uid } };
    gh_counter_id_t counter = gh_quota_counter(&q, index);

    return gh_counter_read(ledger, &counter, gh_window_number((gh_per_t) counter.per, now_ms));
}

static inline uint64_t
in_flight(void)
{
    gh_counter_id_t counter = gh_backend_counter(target.deployment);

    return gh_counter_read(ledger, &counter, 0);
}

static inline int
all_steps(gh_quota_t *q, uint64_t now_ms)
{
    return gh_quota_admit(ledger, &identity, id, now_ms, q, &verdict) == GH_OK
        && gh_quota_reserve_request(ledger, &intake, GH_STR("gpt"), now_ms, q, &verdict) == GH_OK
        && gh_quota_reserve_attempt(ledger, &intake, &target, now_ms, q, &verdict) == GH_OK ? GH_OK : GH_ERROR;
}

static inline gh_quota_charge_t
settle(gh_quota_t *q, gh_quota_use_t use)
{
    gh_quota_charge_t charge;

    gh_quota_settle_attempt(ledger, &target, &use, q, &charge);
    return charge;
}

static inline gh_quota_use_t
reports(uint64_t input, uint64_t cached, uint64_t output)
{
    return (gh_quota_use_t) { .charge = GH_CHARGE_ANSWER, .usage = { .reported = true, .input = input, .cached = cached, .output = output } };
}

enum { L_REQUESTS, L_FLIGHT, L_STREAMS, L_TOKENS, L_MONEY, L_RATE, L_SHADOW };

static inline void
seven_limits(void)
{
    fresh();
    limit(GH_LEVEL_ORGANISATION, GH_COUNT_REQUESTS, GH_PER_MINUTE, GH_LIMIT_RATE, 10);
    limit(GH_LEVEL_TENANT, GH_COUNT_IN_FLIGHT, GH_PER_NONE, GH_LIMIT_RATE, 3);
    limit(GH_LEVEL_APP, GH_COUNT_STREAMS, GH_PER_NONE, GH_LIMIT_RATE, 2);
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_DAY, GH_LIMIT_BUDGET, 4000);
    limit(GH_LEVEL_KEY, GH_COUNT_MICRO_DOLLARS, GH_PER_NONE, GH_LIMIT_BUDGET, M(1));
    limit(GH_LEVEL_KEY, GH_COUNT_TOKENS, GH_PER_MINUTE, GH_LIMIT_RATE, 100000);
    limit(GH_LEVEL_KEY, GH_COUNT_OUTPUT, GH_PER_DAY, GH_LIMIT_SHADOW, 900);
}

static inline void
open_ledger(uint64_t size)
{
    static const uint8_t ledger_id[16] = { 1 }, store_id[16] = { 2 };
    gh_slot_owner_t      owner = { (uint32_t) getpid(), 1, NOW };
    gh_error_t           error = { 0 };
    bool                 made;

    unlink(path);
    if (gh_ledger_create(path, size, ledger_id, store_id, &made, &error) != GH_OK || (ledger = gh_ledger_open(path, true, &error)) == NULL
        || gh_ledger_slot_take(ledger, &owner, &error) == NULL)
    {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
}

static inline void
world_begin(void)
{
    snprintf(directory, sizeof(directory), "%s/quota-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL) {
        exit(1);
    }
    snprintf(path, sizeof(path), "%s/ledger", directory);
    gh_heap_init(&heap);
    open_ledger(GH_LEDGER_SIZE_MIN);
}

static inline int
world_end(const char *name)
{
    gh_ledger_close(ledger);
    gh_heap_free(&heap);
    unlink(path);
    rmdir(directory);

    return check_done(name);
}

#endif
