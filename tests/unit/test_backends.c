/*
 * What is remembered of backends, each part against something that is computed otherwise: averages against the sum over all samples in double
 * arithmetic, the breaker against a list of everything that happened, for every short history.
 */
#include "policy/ledger/backend_state.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"

#define T0 UINT64_C(1764201600000)               /* some day, ms */

static uint64_t random_state = 88172645463325252u;

static uint64_t
random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

/* ---- averages ---- */

static void
test_decay(void)
{
    for (uint64_t ms = 0; ms < 400000; ms += 1 + ms / 50) {
        for (uint32_t weight = 1u << 12; weight < 1u << 30; weight = weight * 3 + 7) {
            double exact = weight * exp2(-(double) ms / GH_BACKEND_DECAY_MS), got = gh_average_decay(weight, ms);

            if (!CHECK(fabs(got - exact) <= 1 + exact * 2e-5)) {
                fprintf(stderr, "    %u after %llu ms: %.1f, not %.1f\n", weight, (unsigned long long) ms, got, exact);
            }
        }
    }
    CHECK_INT(gh_average_decay(4096, 0), 4096);
    CHECK_INT(gh_average_decay(4096, GH_BACKEND_DECAY_MS), 2048);
    CHECK_INT(gh_average_decay((1u << 30) - 1, UINT64_MAX), 0);
}

/* Samples at random times; step_back: now and then the clock jumps back by an hour, after which it runs on from there. */
static void
average_history(unsigned spread_ms, uint64_t sample_max, unsigned count, bool step_back)
{
    gh_average_t average = { 0 };
    double      *sample = calloc(count, sizeof(double)), *at = calloc(count, sizeof(double)), clock = 0, sum = 0, weights = 0;
    uint64_t     now = T0;
    uint32_t     samples;

    for (unsigned i = 0; i < count; i++) {
        uint64_t gap = random_below(spread_ms + 1);

        if (step_back && i % 17 == 16) {
            now -= 3600000;
            gap = 0;
        }
        now += gap;
        clock += (double) gap;
        sample[i] = (double) random_below(sample_max);
        at[i] = clock;
        average = gh_average_unpack(gh_average_pack(&average));
        gh_average_add(&average, (uint64_t) sample[i], now);
    }
    for (unsigned i = 0; i < count; i++) {
        double weight = exp2((at[i] - clock) / GH_BACKEND_DECAY_MS);

        sum += weight * sample[i];
        weights += weight;
    }
    CHECK(fabs((double) gh_average_look(&average, now, &samples) - sum / weights) <= 1 + 0.001 * (double) sample_max);
    CHECK(fabs(average.weight / 4096.0 - weights) <= 0.01 * weights);
    CHECK_INT(samples, count < GH_BACKEND_SAMPLES_MAX ? count : GH_BACKEND_SAMPLES_MAX);
    /* looked at later it is the same, until it is stale */
    CHECK_INT(gh_average_look(&average, now + GH_BACKEND_STALE_MS, &samples), gh_average_look(&average, now, &samples));
    CHECK(gh_average_look(&average, now - 10000000, &samples) == gh_average_look(&average, now, &samples) && samples > 0);
    CHECK(gh_average_look(&average, now + GH_BACKEND_STALE_MS + 1, &samples) == 0 && samples == 0);
    free(sample);
    free(at);
}

static void
test_averages(void)
{
    gh_average_t average = { 0 }, other;

    for (unsigned spread = 1; spread < GH_BACKEND_STALE_MS; spread = spread * 5 + 1) {
        for (unsigned count = 1; count < 3000; count = count * 3 + 1) {
            average_history(spread, 90000000, count, false);
            average_history(spread, 500, count, true);
        }
    }
    average_history(0, 1000000, 200000, false);

    gh_average_add(&average, UINT64_MAX, T0);
    CHECK_INT(average.average >> 16, GH_AVERAGE_MAX);
    gh_average_add(&average, 0, T0 + 1000 * GH_BACKEND_DECAY_MS);       /* the first is long forgotten */
    CHECK(average.average == 0 && average.samples == 1);
    gh_average_add(&average, 7, T0 + 1000 * GH_BACKEND_DECAY_MS - GH_BACKEND_CLOCK_MS);   /* another worker's clock */
    CHECK_INT(average.at_ms, T0 + 1000 * GH_BACKEND_DECAY_MS);
    other = gh_average_unpack(gh_average_pack(&average));
    CHECK(other.average == average.average && other.samples == average.samples && other.weight == average.weight && other.at_ms == average.at_ms);
}

/* ---- the breaker, closed: every history of seven of these ---- */

enum { HAPPENS_ANSWERED, HAPPENS_REFUSED, HAPPENS_NO_WORD, HAPPENS_UNREACHED, HAPPENS_FAILED_A, HAPPENS_FAILED_B, HAPPENS_FAILED_C, HAPPENS_TIME,
    HAPPENINGS };
#define HISTORY 7u
#define PAUSE   (GH_BREAKER_WINDOW_MS * 2 / 3)

static const gh_backend_end_t end_of[HAPPENINGS] = { GH_BACKEND_ANSWERED, GH_BACKEND_REFUSED, GH_BACKEND_NO_WORD, GH_BACKEND_UNREACHED,
    GH_BACKEND_FAILED, GH_BACKEND_FAILED, GH_BACKEND_FAILED, GH_BACKEND_NO_WORD };

static unsigned histories, opened, wrong;

static bool
is_failure(unsigned what)
{
    return what >= HAPPENS_UNREACHED && what <= HAPPENS_FAILED_C;
}

/* From the list alone: runs begin at a failure, end with an answer, or when one comes later than the window after their first. */
static bool
should_be_open(const uint8_t *history, unsigned length)
{
    unsigned unreached = 0, failed[3] = { 0 }, begun = 0, pauses = 0;
    bool     run = false;

    for (unsigned i = 0; i < length; i++) {
        unsigned what = history[i], sum, most;

        pauses += what == HAPPENS_TIME;
        if (what == HAPPENS_ANSWERED) {
            run = false;
        }
        if (!is_failure(what)) {
            continue;
        }
        if (!run || (pauses - begun) * PAUSE > GH_BREAKER_WINDOW_MS) {
            run = true;
            begun = pauses;
            unreached = failed[0] = failed[1] = failed[2] = 0;
        }
        if (what == HAPPENS_UNREACHED) {
            unreached++;
        } else {
            failed[what - HAPPENS_FAILED_A]++;
        }
        sum = failed[0] + failed[1] + failed[2];
        most = failed[0] > failed[1] ? failed[0] : failed[1];
        most = most > failed[2] ? most : failed[2];
        if (unreached + (sum - most >= 2 ? sum : 0) >= GH_BREAKER_FAILURES) {
            return true;
        }
    }
    return false;
}

static void
every_history(const gh_breaker_t *before, uint8_t *history, unsigned length, uint64_t now)
{
    for (unsigned what = 0; what < HAPPENINGS; what++) {
        gh_breaker_t breaker = gh_breaker_unpack(gh_breaker_pack(before));
        uint64_t     then = what == HAPPENS_TIME ? now + PAUSE : now;
        bool         open;

        history[length] = (uint8_t) what;
        if (what != HAPPENS_TIME) {
            gh_breaker_tell(&breaker, end_of[what], 0, gh_breaker_tenant(what + 1000), then);
        }
        open = gh_breaker_look(&breaker, then) == GH_BREAKER_OPEN;
        histories++;
        opened += open;
        if (open != should_be_open(history, length + 1) && wrong++ < 5) {
            fprintf(stderr, "    history");
            for (unsigned i = 0; i <= length; i++) {
                fprintf(stderr, " %u", history[i]);
            }
            fprintf(stderr, ": open %d\n", open);
        }
        if (!open && length + 1 < HISTORY) {
            every_history(&breaker, history, length + 1, then);
        }
    }
}

static void
test_closed(void)
{
    gh_breaker_t breaker = { 0 };
    uint8_t      history[HISTORY];

    every_history(&breaker, history, 0, T0);
    CHECK_INT(wrong, 0);
    CHECK(histories > 2000000 && opened > 100);

    /* one tenant alone, however often; then two answers of another, and two failures of it */
    breaker = (gh_breaker_t) { 0 };
    for (unsigned i = 0; i < 1000; i++) {
        gh_breaker_tell(&breaker, GH_BACKEND_FAILED, 0, 7, T0 + i);
        CHECK_INT(gh_breaker_look(&breaker, T0 + i), GH_BREAKER_CLOSED);
    }
    gh_breaker_tell(&breaker, GH_BACKEND_FAILED, 0, 8, T0 + 1000);
    CHECK_INT(gh_breaker_look(&breaker, T0 + 1000), GH_BREAKER_CLOSED);
    gh_breaker_tell(&breaker, GH_BACKEND_FAILED, 0, 8, T0 + 1001);
    CHECK_INT(gh_breaker_look(&breaker, T0 + 1001), GH_BREAKER_OPEN);
    /* two uids that fold to one number are one tenant: it does not open */
    CHECK_INT(gh_breaker_tenant(UINT64_C(5) << 32), gh_breaker_tenant(5));
    CHECK(gh_breaker_tenant(0) != 0 && gh_breaker_tenant(UINT64_C(0x100000001)) != 0);
    /* five tenants, one failure each */
    breaker = (gh_breaker_t) { 0 };
    for (uint32_t i = 1; i <= 5; i++) {
        CHECK_INT(gh_breaker_look(&breaker, T0), GH_BREAKER_CLOSED);
        gh_breaker_tell(&breaker, GH_BACKEND_FAILED, 0, i, T0);
    }
    CHECK_INT(gh_breaker_look(&breaker, T0), GH_BREAKER_OPEN);
}

/* ---- open: every history of nine asks, ends and pauses of two tenants, against a model that keeps all that happened ---- */

enum { OPEN_ASK_A, OPEN_ASK_B, OPEN_ANSWERED, OPEN_REFUSED, OPEN_UNREACHED, OPEN_FAILED, OPEN_NO_WORD, OPEN_OTHERS, OPEN_PAUSE, OPEN_DIES, OPEN_KINDS };
#define OPEN_HISTORY 9u

typedef struct {
    bool     open;
    uint64_t shut_until;              /* for everybody but other_may */
    unsigned blamed;                  /* the tenant whose probe failed; 0: none */
    unsigned probing;                 /* whose probe is out, as far as anybody knows; 0: nobody's */
    uint64_t probe_since;
    unsigned told;                    /* whose probe can still be told; 0: none */
} model_t;

static unsigned open_histories, open_wrong, probes, closed_again;

/* Whether that tenant is let through, as the words of backends.h have it. */
static bool
model_ask(model_t *model, unsigned tenant, uint64_t now)
{
    if (model->probing != 0) {
        uint64_t lease = tenant == model->probing ? 2 * GH_BREAKER_PROBE_MS : GH_BREAKER_PROBE_MS;

        if (now - model->probe_since < lease) {
            return false;
        }
    } else if (now < model->shut_until && (model->blamed == 0 || model->blamed == tenant)) {
        return false;
    }
    model->probing = model->told = tenant;
    model->probe_since = now;
    return true;
}

static void
model_end(model_t *model, unsigned what, uint64_t now)
{
    unsigned tenant = model->told;

    model->told = model->probing = 0;
    if (what == OPEN_ANSWERED || what == OPEN_REFUSED) {
        model->open = false;
    } else if (what == OPEN_NO_WORD) {
        model->shut_until = now;
    } else {
        model->shut_until = now + GH_BREAKER_OPEN_MS;
        model->blamed = what == OPEN_FAILED && (model->blamed == 0 || model->blamed == tenant) ? tenant : 0;
    }
}

static void every_open_history(const gh_breaker_t *breaker, const model_t *model, unsigned length, uint64_t now);

static void
one_open_step(gh_breaker_t breaker, model_t model, unsigned what, unsigned length, uint64_t now)
{
    static const gh_backend_end_t ends[OPEN_KINDS] = { [OPEN_ANSWERED] = GH_BACKEND_ANSWERED, [OPEN_REFUSED] = GH_BACKEND_REFUSED,
        [OPEN_UNREACHED] = GH_BACKEND_UNREACHED, [OPEN_FAILED] = GH_BACKEND_FAILED, [OPEN_NO_WORD] = GH_BACKEND_NO_WORD };
    bool same = true;

    if (what == OPEN_ASK_A || what == OPEN_ASK_B) {
        bool may = model_ask(&model, what + 1, now);

        same = gh_breaker_ask(&breaker, what + 1, now) == (may ? GH_BACKEND_PROBE : GH_BACKEND_OPEN);
        probes += may;
    } else if (what == OPEN_OTHERS) {            /* what was sent before it opened changes nothing */
        same = !gh_breaker_tell(&breaker, GH_BACKEND_FAILED, 0, 1, now) && !gh_breaker_tell(&breaker, GH_BACKEND_ANSWERED, 0, 2, now);
    } else if (what == OPEN_PAUSE) {
        now += GH_BREAKER_OPEN_MS / 2 + GH_BREAKER_PROBE_MS / 4;
    } else if (model.told == 0) {
        return;                                  /* there is no probe that could end */
    } else if (what == OPEN_DIES) {
        model.told = 0;
    } else {
        gh_breaker_tell(&breaker, ends[what], model.probe_since, model.told, now);
        model_end(&model, what, now);
    }
    open_histories++;
    same = same && (breaker.is != GH_BREAKER_IS_CLOSED) == model.open;
    if (!same && open_wrong++ < 5) {
        fprintf(stderr, "    step %u of a history of %u, %llu ms later: not as the model has it\n", what, length + 1, (unsigned long long) (now - T0));
    }
    closed_again += !model.open;
    if (same && model.open && length + 1 < OPEN_HISTORY) {
        breaker = gh_breaker_unpack(gh_breaker_pack(&breaker));
        every_open_history(&breaker, &model, length + 1, now);
    }
}

static void
every_open_history(const gh_breaker_t *breaker, const model_t *model, unsigned length, uint64_t now)
{
    for (unsigned what = 0; what < OPEN_KINDS; what++) {
        one_open_step(*breaker, *model, what, length, now);
    }
}

static void
test_open(void)
{
    gh_breaker_t breaker = { 0 };
    model_t      model = { .open = true, .shut_until = T0 + GH_BREAKER_OPEN_MS };

    for (unsigned i = 0; i < GH_BREAKER_FAILURES; i++) {
        CHECK_INT(gh_breaker_ask(&breaker, 1, T0), GH_BACKEND_MAY);
        gh_breaker_tell(&breaker, GH_BACKEND_UNREACHED, 0, 1, T0);
    }
    CHECK_INT(gh_breaker_wait_ms(&breaker, T0), GH_BREAKER_OPEN_MS);
    CHECK_INT(gh_breaker_look(&breaker, T0 + GH_BREAKER_OPEN_MS - 1), GH_BREAKER_OPEN);
    CHECK_INT(gh_breaker_look(&breaker, T0 + GH_BREAKER_OPEN_MS), GH_BREAKER_HALF_OPEN);
    CHECK_INT(gh_breaker_look(&breaker, T0 - GH_BACKEND_CLOCK_MS), GH_BREAKER_OPEN);            /* another worker's clock */
    CHECK_INT(gh_breaker_look(&breaker, T0 - GH_BACKEND_CLOCK_MS - 1), GH_BREAKER_HALF_OPEN);   /* the clock stepped back */
    every_open_history(&breaker, &model, 0, T0);
    CHECK_INT(open_wrong, 0);

    /* a probe that gave way to another and comes late: only its answer says something */
    breaker = (gh_breaker_t) { .is = GH_BREAKER_IS_OPEN, .at_ms = T0 };
    CHECK_INT(gh_breaker_ask(&breaker, 1, T0 + GH_BREAKER_OPEN_MS), GH_BACKEND_PROBE);
    CHECK_INT(gh_breaker_ask(&breaker, 2, T0 + GH_BREAKER_OPEN_MS + GH_BREAKER_PROBE_MS), GH_BACKEND_PROBE);
    for (gh_backend_end_t end = GH_BACKEND_ANSWERED; end <= GH_BACKEND_NO_WORD; end++) {
        gh_breaker_t after = breaker;
        bool         changed = gh_breaker_tell(&after, end, T0 + GH_BREAKER_OPEN_MS, 1, T0 + GH_BREAKER_OPEN_MS + GH_BREAKER_PROBE_MS + 1);

        CHECK(changed == (end == GH_BACKEND_ANSWERED || end == GH_BACKEND_REFUSED));
        CHECK_INT(after.is, changed ? GH_BREAKER_IS_CLOSED : GH_BREAKER_IS_PROBING);
    }
    CHECK(open_histories > 100000 && probes > 10000 && closed_again > 1000);
}

/* ---- entries ---- */

static gh_backend_result_t
answered(uint64_t first_byte_us, uint64_t tokens)
{
    return (gh_backend_result_t) { .end = GH_BACKEND_ANSWERED, .tenant_uid = 1, .first_byte_us = first_byte_us, .output_tokens = tokens };
}

static void
test_entries(void)
{
    static gh_backend_slot_t table[100];
    unsigned                 placed = 0;
    bool                     refused = false;

    CHECK(gh_backend_slot(table, 0, 5, true) == NULL);
    CHECK(gh_backend_slot(table, 100, UINT64_MAX, false) == NULL);
    for (unsigned i = 0; i < 100; i++) {
        gh_backend_slot_t *slot = gh_backend_slot(table, 100, UINT64_MAX - i, true);    /* all begin at the last entry */

        refused = refused || slot == NULL;
        placed += slot != NULL;
        CHECK(slot == NULL || (!refused && slot->number == UINT64_MAX - i));
    }
    CHECK_INT(placed, 32);
    for (unsigned i = 0; i < placed; i++) {
        CHECK(gh_backend_slot(table, 100, UINT64_MAX - i, false) == gh_backend_slot(table, 100, UINT64_MAX - i, true));
    }
}

static void
test_samples(void)
{
    static gh_backend_slot_t slot;
    gh_backend_state_t       state;
    gh_backend_result_t      result, stream = { .end = GH_BACKEND_STREAMED, .stream_us = 99 * 20000, .output_tokens = 100 };

    for (unsigned i = 0; i < GH_BACKEND_SAMPLES_MIN; i++) {
        gh_backend_slot_look(&slot, T0, &state);
        CHECK(state.first_byte_us == 0 && state.token_us == 0 && state.samples == i && state.asked == i);
        result = answered(300000, 0);
        gh_backend_slot_tell(&slot, T0, &result);
        gh_backend_slot_tell(&slot, T0, &stream);
    }
    gh_backend_slot_look(&slot, T0, &state);
    CHECK(state.first_byte_us == 300000 && state.token_us == 20000 && state.samples == 5 && state.asked == 5 && state.errors == 0);

    /* whole answers of 50 tokens that took 1.3 s: 0.3 s before them */
    for (unsigned i = 0; i < 50; i++) {
        result = answered(1300000, 50);
        gh_backend_slot_tell(&slot, T0 + i, &result);
    }
    gh_backend_slot_look(&slot, T0 + 50, &state);
    CHECK(state.first_byte_us == 300000 && state.token_us == 20000);
    result = answered(3, 1000000000);
    gh_backend_slot_tell(&slot, T0 + 50, &result);

    /* failures are no samples */
    for (unsigned i = 0; i < 56; i++) {
        result = (gh_backend_result_t) { .end = i % 2 ? GH_BACKEND_REFUSED : GH_BACKEND_FAILED, .tenant_uid = 1, .first_byte_us = 9 };
        gh_backend_slot_tell(&slot, T0 + 50, &result);
    }
    result = (gh_backend_result_t) { .end = GH_BACKEND_NO_WORD };
    gh_backend_slot_tell(&slot, T0 + 50, &result);
    gh_backend_slot_look(&slot, T0 + 50, &state);
    CHECK(state.samples == 56 && state.asked == 112 && state.errors >= 499 && state.errors <= 501 && state.breaker == GH_BREAKER_CLOSED);
    gh_backend_slot_look(&slot, T0 + 51 + GH_BACKEND_STALE_MS, &state);
    CHECK(state.first_byte_us == 0 && state.token_us == 0 && state.samples == 0 && state.asked == 0);
}

static void
tell_retry(gh_backend_slot_t *slot, uint64_t wait, uint64_t now)
{
    gh_backend_result_t result = { .end = GH_BACKEND_REFUSED, .tenant_uid = 1, .retry_after_ms = wait };

    gh_backend_slot_tell(slot, now, &result);
}

static void
test_retry_after(void)
{
    static gh_backend_slot_t slot;
    gh_backend_state_t       state;

    CHECK_INT(gh_backend_slot_ask(&slot, 1, T0), GH_BACKEND_MAY);
    tell_retry(&slot, 5000, T0);
    tell_retry(&slot, 100, T0);                                       /* the later of two holds */
    gh_backend_slot_look(&slot, T0 + 4999, &state);
    CHECK_INT(state.retry_at_ms, T0 + 5000);
    CHECK_INT(gh_backend_slot_wait_ms(&slot, T0 + 1000), 4000);
    CHECK_INT(gh_backend_slot_ask(&slot, 1, T0 + 4999), GH_BACKEND_WAITS);
    CHECK_INT(gh_backend_slot_ask(&slot, 1, T0 + 5000), GH_BACKEND_MAY);
    gh_backend_slot_look(&slot, T0 + 5000, &state);
    CHECK_INT(state.retry_at_ms, 0);
    CHECK_INT(gh_backend_slot_ask(&slot, 1, T0 - 500), GH_BACKEND_WAITS);     /* another worker's clock */
    CHECK_INT(gh_backend_slot_ask(&slot, 1, T0 - 1001), GH_BACKEND_MAY);      /* the clock stepped back */
    tell_retry(&slot, UINT64_MAX, T0);
    CHECK_INT(gh_backend_slot_wait_ms(&slot, T0), GH_BACKEND_RETRY_MAX_MS);
    tell_retry(&slot, 10, T0 - 5000000);                              /* said by the clock as it is now */
    CHECK_INT(gh_backend_slot_wait_ms(&slot, T0 - 5000000), 10);
}

static void
test_ids(void)
{
    gh_backend_id_t a = gh_backend_id(GH_STR("azure-se"), GH_STR("gpt41")), b = gh_backend_id(GH_STR("azure-s"), GH_STR("egpt41")),
                    c = gh_backend_id(GH_STR("azure-se"), GH_STR("gpt41-mini"));

    /* printf 'azure-se\0gpt41' | sha256sum */
    CHECK_INT(a.number, (int64_t) UINT64_C(0x876969baf349d9de));
    CHECK(a.number != b.number && a.number != c.number);
}

/* In a file, as workers share it: of more than it has room for, nothing is remembered, and they are asked as if nothing were known. */
static void
test_ledger(void)
{
    char                path[] = "/tmp/test_backends_XXXXXX", file[64], name[16];
    uint8_t             id[16] = { 1 };
    gh_backend_result_t failed = { .end = GH_BACKEND_UNREACHED, .tenant_uid = 1 };
    gh_error_t          error;
    gh_backend_state_t  state;
    gh_ledger_t        *ledger;
    uint32_t            used, room, kept = 0;
    bool                made;

    CHECK(mkdtemp(path) != NULL);
    snprintf(file, sizeof(file), "%s/ledger", path);
    CHECK(gh_ledger_create(file, GH_LEDGER_SIZE_MIN, id, id, &made, &error) == GH_OK);
    ledger = gh_ledger_open(file, true, &error);
    if (!CHECK(ledger != NULL)) {
        return;
    }
    gh_backend_room(ledger, &used, &room);
    CHECK(used == 0 && room >= 32);
    for (uint32_t i = 0; i < 2 * room; i++) {
        gh_backend_id_t backend;
        bool            remembered = true;

        snprintf(name, sizeof(name), "d%u", i);
        backend = gh_backend_id(gh_str_from(name), GH_STR("m"));
        for (unsigned failure = 0; failure < GH_BREAKER_FAILURES; failure++) {
            remembered = gh_backend_tell(ledger, &backend, T0, &failed) && remembered;
        }
        kept += remembered;
        gh_backend_look(ledger, &backend, T0, &state);
        CHECK_INT(state.breaker, remembered ? GH_BREAKER_OPEN : GH_BREAKER_CLOSED);
        CHECK_INT(gh_backend_ask(ledger, &backend, 1, T0), remembered ? GH_BACKEND_OPEN : GH_BACKEND_MAY);
        CHECK_INT(gh_backend_wait_ms(ledger, &backend, T0), remembered ? GH_BREAKER_OPEN_MS : 0);
    }
    gh_backend_room(ledger, &used, &room);
    CHECK(used == room && kept == room);
    gh_ledger_close(ledger);
    unlink(file);
    rmdir(path);
}

int
main(void)
{
    test_ledger();
    test_decay();
    test_averages();
    test_closed();
    test_open();
    test_entries();
    test_samples();
    test_retry_after();
    test_ids();
    return check_done("backends");
}
