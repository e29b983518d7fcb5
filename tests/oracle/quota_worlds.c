/*
 * A ledger and a key's limits, driven line by line, for a reference that keeps the same books.
 *
 *   quota_worlds LEDGER < commands        LEDGER: a path to make a ledger at
 *
 *   world COUNT MAX_OUTPUT, then COUNT lines LEVEL DIMENSION PER CLASS AMOUNT MODEL    another organisation's key: all its counters are new
 *   target CONTEXT MAX_OUTPUT IMAGE MESSAGE KNOWN INPUT CACHED WRITE OUTPUT REASONING TIERS, then for each tier ABOVE and five rates
 *   admit R NOW | request R NOW MODEL STREAM | undo R | undo_attempt R | end R
 *   attempt R NOW ENDPOINT TEXT MESSAGES PROMPTS IMAGES UNBOUNDED N MAX_TOKENS STREAM     on the last target
 *   settle R CHARGE REPORTED CACHED_OUTSIDE REASONING_OUTSIDE INPUT CACHED WRITE OUTPUT REASONING PARTIAL BYTES EVENTS     likewise
 *   counters NOW
 *
 * R is 0..63; MODEL 0 for none, else the model of that number. One JSON line an answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/quota/quota.h"

#define REQUESTS 64

static gh_ledger_t    *ledger;
static gh_identity_t   identity;
static gh_target_t     target;
static gh_price_tier_t tiers[GH_PRICE_TIERS_MAX];
static gh_intake_t     intake;
static gh_quota_t      quotas[REQUESTS];
static char            model_names[64][8];

static uint64_t
number(void)
{
    unsigned long long n;

    if (scanf("%llu", &n) != 1) {
        fprintf(stderr, "quota_worlds: a number was expected\n");
        exit(2);
    }

    return n;
}

static gh_quota_t *
quota(void)
{
    return &quotas[number() % REQUESTS];
}

static gh_str_t
model_name(uint64_t n)
{
    char *name = model_names[n % 64];

    snprintf(name, sizeof(model_names[0]), "m%u", (unsigned) (n % 64));
    return gh_str_from(name);
}

static void
world(void)
{
    static uint64_t uid = 1;
    uint32_t        i;

    memset(&identity, 0, sizeof(identity));
    identity.org_uid = uid++;
    identity.tenant_uid = uid++;
    identity.app_uid = uid++;
    identity.key_uid = uid++;
    identity.limits.count = (uint32_t) number();
    identity.limits.max_output = number();

    for (i = 0; i < identity.limits.count; i++) {
        gh_limit_t *limit = &identity.limits.items[i];
        uint64_t    model;

        limit->level = (uint8_t) number();
        limit->dimension = (uint8_t) number();
        limit->per = (uint8_t) number();
        limit->limit_class = (uint8_t) number();
        limit->amount = number();
        model = number();
        limit->model = model != 0 ? gh_model_number(model_name(model)) : 0;
    }
    printf("{}\n");
}

static void
read_target(void)
{
    uint32_t i;

    memset(&target, 0, sizeof(target));
    target.deployment = GH_STR("deployment");
    target.context = number();
    target.max_output = number();
    target.image_tokens = number();
    target.message_tokens = number();
    target.price.known = number() != 0;
    target.price.input = number();
    target.price.cached = number();
    target.price.cache_write = number();
    target.price.output = number();
    target.price.reasoning = number();
    target.price.tiers = tiers;
    target.price.tier_count = (uint32_t) number();
    for (i = 0; i < target.price.tier_count; i++) {
        tiers[i].input_above = number();
        tiers[i].input = number();
        tiers[i].cached = number();
        tiers[i].cache_write = number();
        tiers[i].output = number();
        tiers[i].reasoning = number();
    }
    printf("{}\n");
}

static void
verdict_line(int rc, const gh_quota_t *q, const gh_quota_verdict_t *verdict)
{
    gh_quota_amounts_t reserved;

    if (rc == GH_OK) {
        reserved = gh_quota_reserved(q);
        printf("{\"ok\":true,\"shadowed\":%u,\"input\":%llu,\"output\":%llu,\"micro_dollars\":%llu,\"cap\":%llu}\n", q->shadowed,
            (unsigned long long) reserved.input, (unsigned long long) reserved.output,
            (unsigned long long) reserved.micro_dollars, (unsigned long long) q->bound.output_cap);
    } else {
        printf("{\"ok\":false,\"code\":\"%s\",\"status\":%d,\"limit\":%d,\"retry_after_ms\":%llu,\"should_retry\":%s}\n", verdict->code, verdict->status,
            verdict->limit, (unsigned long long) verdict->retry_after_ms, verdict->should_retry ? "true" : "false");
    }
}

static void
admit(void)
{
    uint8_t            id[16] = { 0 };
    uint64_t           r = number() % REQUESTS, now = number();
    gh_quota_verdict_t verdict = { 0 };

    id[0] = (uint8_t) r;
    verdict_line(gh_quota_admit(ledger, &identity, id, now, &quotas[r], &verdict), &quotas[r], &verdict);
    quotas[r].look = true;
}

static void
request(void)
{
    gh_quota_t        *q = quota();
    uint64_t           now = number(), model = number();
    gh_quota_verdict_t verdict = { 0 };

    intake.stream = number() != 0;
    verdict_line(gh_quota_reserve_request(ledger, &intake, model_name(model), now, q, &verdict), q, &verdict);
}

static void
attempt(void)
{
    gh_quota_t        *q = quota();
    uint64_t           now = number();
    gh_quota_verdict_t verdict = { 0 };

    q->look = true;
    intake.endpoint = (gh_endpoint_t) number();
    intake.text_bytes = number();
    intake.messages = (uint32_t) number();
    intake.prompts = (uint32_t) number();
    intake.images = (uint32_t) number();
    intake.unbounded = (uint32_t) number();
    intake.n = number();
    intake.max_tokens = number();
    intake.stream = number() != 0;
    verdict_line(gh_quota_reserve_attempt(ledger, &intake, &target, now, q, &verdict), q, &verdict);
}

static void
settle(void)
{
    gh_quota_t       *q = quota();
    gh_quota_use_t    use = { .charge = (gh_charge_t) number() };
    gh_quota_charge_t charge;

    use.usage.reported = number() != 0;
    use.usage.cached_outside = number() != 0;
    use.usage.reasoning_outside = number() != 0;
    use.usage.input = number();
    use.usage.cached = number();
    use.usage.cache_write = number();
    use.usage.output = number();
    use.usage.reasoning = number();
    use.partial = number() != 0;
    use.delivered_bytes = number();
    use.delivered_events = number();

    gh_quota_settle_attempt(ledger, &target, &use, q, &charge);
    printf("{\"input\":%llu,\"output\":%llu,\"micro_dollars\":%llu,\"source\":\"%s\",\"over\":%s}\n", (unsigned long long) charge.amounts.input,
        (unsigned long long) charge.amounts.output, (unsigned long long) charge.amounts.micro_dollars, charge.source, q->over ? "true" : "false");
}

static void
counters(void)
{
    uint64_t   now = number();
    gh_quota_t q = { .limits = identity.limits, .uids = { 0, identity.org_uid, identity.tenant_uid, identity.app_uid, identity.key_uid } };
    gh_counter_id_t in_flight = gh_backend_counter(target.deployment);
    uint32_t   i;

    printf("{\"in_flight\":%llu,\"counters\":[", (unsigned long long) gh_counter_read(ledger, &in_flight, 0));
    for (i = 0; i < identity.limits.count; i++) {
        gh_counter_id_t id = gh_quota_counter(&q, i);

        printf("%s%llu", i != 0 ? "," : "",
            (unsigned long long) gh_counter_read(ledger, &id, gh_window_number((gh_per_t) id.per, now)));
    }
    printf("]}\n");
}

static const struct {
    const char *word;
    void      (*run)(void);
} commands[] = {
    { "world", world }, { "target", read_target }, { "admit", admit }, { "request", request }, { "attempt", attempt },
    { "settle", settle }, { "counters", counters },
};

static void
run(const char *word)
{
    size_t i;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(word, commands[i].word) == 0) {
            commands[i].run();
            return;
        }
    }

    if (strcmp(word, "undo") == 0) {
        gh_quota_undo(ledger, quota());
    } else if (strcmp(word, "undo_attempt") == 0) {
        gh_quota_undo_attempt(ledger, quota());
    } else if (strcmp(word, "end") == 0) {
        gh_quota_end(ledger, quota());
    } else {
        fprintf(stderr, "quota_worlds: unknown command %s\n", word);
        exit(2);
    }
    printf("{}\n");
}

int
main(int argc, char **argv)
{
    static const uint8_t ledger_id[16] = { 1 }, store_id[16] = { 2 };
    gh_slot_owner_t      owner = { (uint32_t) getpid(), 1, 1 };
    gh_error_t           error = { 0 };
    char                 word[32];
    bool                 made;

    if (argc != 2) {
        fprintf(stderr, "usage: quota_worlds LEDGER\n");
        return 2;
    }

    if (gh_ledger_create(argv[1], UINT64_C(64) << 20, ledger_id, store_id, &made, &error) != GH_OK
        || (ledger = gh_ledger_open(argv[1], true, &error)) == NULL || gh_ledger_slot_take(ledger, &owner, &error) == NULL)
    {
        fprintf(stderr, "quota_worlds: %s\n", error.text);
        return 1;
    }
    unlink(argv[1]);

    intake.n = 1;
    intake.prompts = 1;
    while (scanf("%31s", word) == 1) {
        run(word);
        fflush(stdout);
    }
    gh_ledger_close(ledger);

    return 0;
}
