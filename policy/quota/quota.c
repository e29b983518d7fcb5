#include <string.h>

#include "policy/ledger/backends.h"
#include "policy/quota/quota_internal.h"

/* ---- what one step takes ---- */

/* Items and whose they are. One more than limits: the deployment's in-flight. */
typedef struct {
    gh_reservation_item_t items[GH_LIMITS_MAX];
    uint8_t               limits[GH_LIMITS_MAX];   /* index in the quota's limits */
    unsigned              count;
    bool                  deployment;              /* the last item is the deployment's in-flight, not a limit's */
    bool                  budget;                  /* one of them is a budget's */
} step_t;

_Static_assert(GH_LIMITS_MAX <= GH_RESERVATION_COUNTERS && GH_LIMITS_MAX <= 32, "a step holds every limit");

gh_counter_id_t
gh_quota_counter(const gh_quota_t *quota, unsigned limit)
{
    const gh_limit_t *l = &quota->limits.items[limit];

    return (gh_counter_id_t) {
        quota->uids[l->level % GH_LEVELS], l->model, l->level, l->dimension, l->per, l->limit_class
    };
}

/* Items are written as they are added: all of them would be a kilobyte and more to clear. */
static void
step_begin(step_t *step)
{
    step->count = 0;
    step->deployment = false;
    step->budget = false;
}

static void
step_add(step_t *step, const gh_quota_t *quota, unsigned limit, uint64_t amount)
{
    const gh_limit_t      *l = &quota->limits.items[limit];
    gh_reservation_item_t *item = &step->items[step->count];

    step->limits[step->count++] = (uint8_t) limit;
    step->budget |= l->limit_class == GH_LIMIT_BUDGET;

    item->id = gh_quota_counter(quota, limit);
    item->window = gh_window_number((gh_per_t) l->per, quota->at_ms);
    item->limit = l->limit_class == GH_LIMIT_SHADOW ? GH_NO_LIMIT : l->amount;
    item->amount = amount;
    item->optional = l->limit_class != GH_LIMIT_BUDGET;
    item->left_out = false;
    item->value = 0;
}

static bool
counts_model(const gh_quota_t *quota, const gh_limit_t *limit)
{
    return limit->model == 0 || limit->model == quota->model_number;
}

static bool
is_used(unsigned dimension)
{
    return dimension == GH_COUNT_TOKENS || dimension == GH_COUNT_INPUT || dimension == GH_COUNT_OUTPUT
        || dimension == GH_COUNT_MICRO_DOLLARS;
}

/* ---- why not ---- */

static int
refuse(gh_quota_verdict_t *verdict, const char *code, int status, int limit, uint64_t amount)
{
    verdict->code = code;
    verdict->status = status;
    verdict->limit = limit;
    verdict->amount = amount;
    verdict->retry_after_ms = 0;
    verdict->should_retry = false;
    verdict->held = false;

    return GH_ERROR;
}

/* In the newest window that anybody counts in: when the clock stepped back, the counter stays in it. */
typedef struct {
    gh_counter_id_t id;
    uint32_t        window;
    uint64_t        amount;
} held_t;

static int
add_held(void *context, const gh_reservation_view_t *reservation)
{
    held_t  *held = context;
    unsigned i;

    for (i = 0; strcmp(reservation->phase, "held") == 0 && i < reservation->count; i++) {
        const gh_reservation_item_t *item = &reservation->items[i];

        if (item->window < held->window || item->optional || item->id.uid != held->id.uid || item->id.model != held->id.model
            || item->id.level != held->id.level || item->id.dimension != held->id.dimension || item->id.per != held->id.per
            || item->id.limit_class != held->id.limit_class)
        {
            continue;
        }

        held->amount = gh_quota_sum(item->window > held->window ? 0 : held->amount, item->amount);
        held->window = item->window;
    }

    return GH_OK;
}

/* Would there be room if nothing of what running requests hold were used? A budget may be full with nothing spent. */
static bool
is_held(const gh_ledger_t *ledger, gh_quota_t *quota, unsigned limit, uint64_t amount)
{
    held_t   held = { .id = gh_quota_counter(quota, limit) };
    uint64_t value = quota->values[limit], most = quota->limits.items[limit].amount;

    held.window = gh_window_number((gh_per_t) held.id.per, quota->at_ms);
    quota->look = false;
    quota->looked = true;
    (void) gh_ledger_each_reservation(ledger, add_held, &held);

    return held.amount != 0 && (value < held.amount ? 0 : value - held.amount) <= most - amount;
}

/*
 * Waiting helps when the limit's window ends before SDKs lose patience, or when others give back what they hold; not when the request by itself is
 * more than the limit.
 */
static int
refuse_limit(const gh_ledger_t *ledger, gh_quota_t *quota, unsigned limit, uint64_t amount, uint64_t now_ms, gh_quota_verdict_t *verdict)
{
    const gh_limit_t *l = &quota->limits.items[limit];
    uint64_t          end = gh_window_end((gh_per_t) l->per, gh_window_number((gh_per_t) l->per, quota->at_ms));
    bool              flows = l->dimension == GH_COUNT_IN_FLIGHT || l->dimension == GH_COUNT_STREAMS;

    refuse(verdict, "insufficient_quota", 429, (int) limit, amount);

    if (l->per != GH_PER_NONE) {
        verdict->retry_after_ms = end > now_ms ? end - now_ms : 1;
    }

    if (amount <= l->amount
        && (flows || (l->per != GH_PER_NONE && verdict->retry_after_ms <= GH_QUOTA_PATIENCE_MS)))
    {
        verdict->code = "rate_limit_exceeded";
        verdict->should_retry = true;

    } else if (amount <= l->amount && quota->look && is_used(l->dimension) && is_held(ledger, quota, limit, amount)) {
        verdict->code = "rate_limit_exceeded";
        verdict->should_retry = true;
        verdict->held = true;
        verdict->retry_after_ms = GH_QUOTA_HELD_MS;
    }

    return GH_ERROR;
}

/* ---- a step taken ---- */

static void
step_seen(gh_quota_t *quota, const step_t *step, uint32_t *taken)
{
    unsigned i;

    *taken = 0;

    for (i = 0; i < step->count; i++) {
        const gh_reservation_item_t *item = &step->items[i];
        const gh_limit_t            *limit;
        unsigned                     at = step->limits[i];

        if (step->deployment && i == step->count - 1) {
            continue;
        }

        limit = &quota->limits.items[at];
        *taken |= GH_BIT(at);
        quota->amounts[at] = item->amount;
        quota->values[at] = item->value;
        quota->seen |= GH_BIT(at);

        if (item->left_out) {
            quota->left_out |= GH_BIT(at);
            quota->skipped = true;
        }
        if (limit->limit_class == GH_LIMIT_SHADOW && item->value > limit->amount) {
            quota->shadowed |= GH_BIT(at);
        }
    }
}

/* No room for the reservation itself, or no ledger: budgets are closed, what is left fails open and is not counted. */
static int
step_without_ledger(gh_quota_t *quota, const step_t *step, uint32_t *taken, gh_quota_verdict_t *verdict)
{
    unsigned i;

    for (i = 0; i < step->count; i++) {
        if (quota->limits.items[step->limits[i]].limit_class == GH_LIMIT_BUDGET && !(step->deployment && i == step->count - 1)) {
            return refuse(verdict, "ledger_full", 503, step->limits[i], step->items[i].amount);
        }
    }

    *taken = 0;
    for (i = 0; i < step->count; i++) {
        if (!(step->deployment && i == step->count - 1)) {
            quota->left_out |= GH_BIT(step->limits[i]);
            *taken |= GH_BIT(step->limits[i]);
        }
    }
    quota->skipped = true;

    return GH_OK;
}

/* All of the step or nothing. GH_ERROR: *verdict. */
static int
step_take(gh_ledger_t *ledger, gh_quota_t *quota, step_t *step, uint64_t now_ms, gh_reservation_t *reservation, uint32_t *taken,
    gh_quota_verdict_t *verdict)
{
    unsigned refused = step->count, at;

    *taken = 0;

    if (step->count == 0) {
        return GH_OK;
    }

    if (ledger == NULL) {
        return step_without_ledger(quota, step, taken, verdict);
    }

    switch (gh_reservation_take(ledger, step->items, step->count, quota->request_id, now_ms + GH_QUOTA_EXPIRY_MS, reservation, &refused)) {

    case GH_RESERVED:
        step_seen(quota, step, taken);
        return GH_OK;

    case GH_RESERVE_LIMIT:
        at = step->limits[refused];
        quota->values[at] = step->items[refused].value;
        quota->seen |= GH_BIT(at);
        return refuse_limit(ledger, quota, at, step->items[refused].amount, now_ms, verdict);

    default:
        if (refused < step->count && !step->items[refused].optional) {
            return refuse(verdict, "ledger_full", 503, step->limits[refused], step->items[refused].amount);
        }
        return step_without_ledger(quota, step, taken, verdict);
    }
}

/* ---- the way of a request ---- */

static void
quota_begin(const gh_identity_t *identity, uint64_t now_ms, gh_quota_t *quota)
{
    memset(quota, 0, sizeof(*quota));
    quota->limits = identity->limits;
    quota->uids[GH_LEVEL_ORGANISATION] = identity->org_uid;
    quota->uids[GH_LEVEL_TENANT] = identity->tenant_uid;
    quota->uids[GH_LEVEL_APP] = identity->app_uid;
    quota->uids[GH_LEVEL_KEY] = identity->key_uid;
    quota->uids[GH_LEVEL_USER] = identity->user_uid;
    quota->at_ms = now_ms;
}

void
gh_quota_look(const gh_ledger_t *ledger, const gh_identity_t *identity, uint64_t now_ms, gh_quota_t *quota)
{
    gh_counter_id_t id;
    unsigned        i;

    if (quota->at_ms == 0) {
        quota_begin(identity, now_ms, quota);
    }

    for (i = 0; i < quota->limits.count; i++) {
        const gh_limit_t *limit = &quota->limits.items[i];

        if ((quota->seen & GH_BIT(i)) != 0 || (limit->model != 0 && limit->model != quota->model_number)) {
            continue;
        }

        id = gh_quota_counter(quota, i);
        quota->values[i] = gh_counter_read(ledger, &id, gh_window_number((gh_per_t) limit->per, quota->at_ms));
        quota->seen |= GH_BIT(i);
    }
}

int
gh_quota_admit(gh_ledger_t *ledger, const gh_identity_t *identity, const uint8_t request_id[16], uint64_t now_ms, gh_quota_t *quota,
    gh_quota_verdict_t *verdict)
{
    step_t   step;
    unsigned i;

    step_begin(&step);
    quota_begin(identity, now_ms, quota);
    memcpy(quota->request_id, request_id, sizeof(quota->request_id));

    for (i = 0; i < quota->limits.count; i++) {
        const gh_limit_t *limit = &quota->limits.items[i];

        if (limit->model == 0 && (limit->dimension == GH_COUNT_REQUESTS || limit->dimension == GH_COUNT_IN_FLIGHT)) {
            step_add(&step, quota, i, 1);
        }
    }

    return step_take(ledger, quota, &step, now_ms, &quota->admission, &quota->admission_limits, verdict);
}

int
gh_quota_reserve_request(gh_ledger_t *ledger, const gh_intake_t *intake, gh_str_t model, uint64_t now_ms, gh_quota_t *quota,
    gh_quota_verdict_t *verdict)
{
    step_t   step;
    bool     named = false;
    unsigned i;

    step_begin(&step);
    quota->model = model;
    for (i = 0; i < quota->limits.count; i++) {
        named |= quota->limits.items[i].model != 0;
    }
    quota->model_number = named ? gh_model_number(model) : 0;

    for (i = 0; i < quota->limits.count; i++) {
        const gh_limit_t *limit = &quota->limits.items[i];

        if (!counts_model(quota, limit)) {
            continue;
        }

        if ((limit->model != 0 && (limit->dimension == GH_COUNT_REQUESTS || limit->dimension == GH_COUNT_IN_FLIGHT))
            || (limit->dimension == GH_COUNT_STREAMS && intake->stream))
        {
            step_add(&step, quota, i, 1);
        }
    }

    if (step_take(ledger, quota, &step, now_ms, &quota->request, &quota->request_limits, verdict) != GH_OK) {
        gh_quota_undo(ledger, quota);
        return GH_ERROR;
    }

    return GH_OK;
}

/* Its name is hashed once for an image, when the order of routes first looks at the backend. */
static gh_counter_id_t
in_flight_of(const gh_target_t *target)
{
    return target->known != NULL && target->known->number != 0 ? target->known->in_flight : gh_backend_counter(target->deployment);
}

int
gh_quota_reserve_attempt(gh_ledger_t *ledger, const gh_intake_t *intake, const gh_target_t *target, uint64_t now_ms,
    gh_quota_t *quota, gh_quota_verdict_t *verdict)
{
    step_t   step;
    unsigned i;

    step_begin(&step);
    quota->counted.text_bytes = intake->text_bytes;
    quota->counted.max_tokens = intake->max_tokens;
    quota->counted.n = intake->n;
    quota->counted.messages = intake->messages;
    quota->counted.prompts = intake->prompts;
    quota->counted.images = intake->images;
    quota->counted.unbounded = intake->unbounded;

    gh_quota_bound(&quota->limits, quota->model_number, target, intake, &quota->bound);
    if (quota->bound.unpriced) {
        return refuse(verdict, "unpriced_model", 403, -1, 0);
    }

    for (i = 0; i < quota->limits.count; i++) {
        const gh_limit_t *limit = &quota->limits.items[i];

        if (is_used(limit->dimension) && counts_model(quota, limit)) {
            step_add(&step, quota, i,
                gh_quota_amount_of(limit->dimension, limit->limit_class == GH_LIMIT_BUDGET ? &quota->bound.budget : &quota->bound.rate));
        }
    }

    if (step.count < GH_LIMITS_MAX) {
        step.items[step.count++] = (gh_reservation_item_t) {
            .id = in_flight_of(target), .limit = GH_NO_LIMIT, .amount = 1, .optional = true
        };
        step.deployment = true;
    }

    if (step_take(ledger, quota, &step, now_ms, &quota->attempt, &quota->attempt_limits, verdict) != GH_OK) {
        return GH_ERROR;
    }

    quota->deployment = target->deployment;
    quota->attempt_deployment = step.deployment;
    quota->attempting = true;

    return GH_OK;
}
