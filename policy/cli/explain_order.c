/* `gatehouse explain`: in which order the allowed deployments are tried, and from what. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/explain.h"
#include "policy/cli/ledger_look.h"

/* State is of now: it says nothing of another time or of documents that were in force then. */
static bool
wants_state(const gh_cli_t *cli)
{
    return gh_cli_value(cli, "ledger") != NULL
        || (gh_cli_value(cli, "policy") == NULL && gh_cli_value(cli, "revision") == NULL && gh_cli_value(cli, "now") == NULL);
}

int
gh_cli_explain_order(gh_cli_explain_t *explain)
{
    gh_cli_t    *cli = explain->cli;
    gh_ledger_t *ledger = NULL;
    gh_error_t   error = { 0 };
    int          rc;

    if (wants_state(cli)) {
        /* one that was not named may be missing: a what-if needs none */
        ledger = gh_cli_value(cli, "ledger") != NULL ? gh_cli_ledger_look(cli, NULL) : gh_ledger_open(gh_cli_ledger(cli), false, &error);
        if (ledger == NULL && gh_cli_value(cli, "ledger") != NULL) {
            return GH_EXIT_ERROR;
        }
    }
    explain->state = ledger != NULL;
    rc = gh_order_decide(explain->image, &explain->input, ledger, cli->arena, &explain->decision, &explain->order, &error);
    gh_ledger_close(ledger);
    return rc == GH_OK ? GH_EXIT_DONE : gh_cli_fail_error(cli, &error);
}

const char *
gh_cli_order_words(gh_route_weights_t weights)
{
    return weights.latency == 0 ? "priority and price" : weights.cost == 0 ? "priority and latency" : "priority, price and latency";
}

static bool
says_anything(const gh_route_step_t *step)
{
    return step->state.samples != 0 || step->state.asked != 0 || step->state.in_flight != 0 || !gh_route_ready(step)
        || step->state.breaker != GH_BREAKER_CLOSED;
}

static bool
worth_saying(const gh_order_t *order)
{
    bool any = order->weights.latency > 0;

    for (uint32_t i = 0; i < order->count && !any; i++) {
        any = says_anything(&order->steps[i]);
    }
    return any && order->count > 0;
}

static void
print_time(const gh_order_t *order, const gh_route_step_t *step)
{
    const gh_backend_state_t *state = &step->state;

    if (state->first_byte_us != 0) {
        printf(", %.1f ms to the first byte", (double) state->first_byte_us / 1000);
        if (state->token_us != 0) {
            printf(" and %.1f ms a token", (double) state->token_us / 1000);
        }
        printf(" (%u%s samples)", state->samples, state->samples == GH_BACKEND_SAMPLES_MAX ? " or more" : "");
    } else if (!step->looked) {
        printf(", not looked at: it is not among the first %u", gh_route_looked(order->weights, order->service_tier));
    } else if (step->time_us == 0) {
        printf(", latency not known: tried to find out");
    } else {
        printf(", latency not known: held to be as slow as the slowest");
    }
}

static void
print_step(const gh_cli_explain_t *explain, const gh_route_step_t *step, unsigned number, int width)
{
    const gh_backend_state_t *state = &step->state;
    gh_target_t               target;

    gh_image_target(explain->image, step->target, &target);
    printf("%3u.  %-*.*s  priority %u", number, width, GH_STR_ARG(target.deployment), (unsigned) target.priority);
    if (step->price != UINT64_MAX) {
        printf(", %.2f dollars", (double) step->price / 1e6);
    } else {
        printf(", price not known");
    }
    if (explain->order.weights.latency > 0 || state->samples > 0) {
        print_time(&explain->order, step);
    }
    if (state->in_flight > 0) {
        printf(", %u in flight", state->in_flight);
    }
    if (step->looked && gh_route_ready(step) && explain->order.weights.latency > 0) {
        printf(", score %.3f", (double) step->score / 1000 / (1 << 20));
    }
    if (state->retry_at_ms != 0) {
        printf("; asked to be left alone until %s", gh_cli_time_text(explain->cli->arena, state->retry_at_ms));
    }
    if (state->breaker == GH_BREAKER_OPEN) {
        printf("; its breaker is open");
    } else if (state->breaker == GH_BREAKER_HALF_OPEN) {
        printf("; its breaker is half open: one request is the probe");
    }
    if (state->credential != GH_CREDENTIAL_IS_READY) {
        printf("; its credential %s", gh_cli_credential_text(state->credential));
    }
    printf("\n");
}

/* Of one that has none: of what the documents say. */
static gh_route_step_t
step_of(const gh_cli_explain_t *explain, uint32_t target)
{
    const gh_order_t *order = &explain->order;
    gh_route_step_t   step = { .target = target };

    for (uint32_t i = 0; i < order->count; i++) {
        if (order->steps[i].target == target) {
            return order->steps[i];
        }
    }
    gh_route_order(explain->image, &step, 1, order->weights, order->service_tier);
    return step;
}

void
gh_cli_explain_print_order(const gh_cli_explain_t *explain)
{
    const gh_order_t *order = &explain->order;
    int               width = 0;

    if (!worth_saying(order)) {
        return;
    }
    for (uint32_t i = 0; i < explain->decision.route_count; i++) {
        gh_target_t target;

        gh_image_target(explain->image, explain->decision.route[i], &target);
        width = (int) target.deployment.len > width ? (int) target.deployment.len : width;
    }
    printf("\nTried by %s (cost weighs %u of 1000, latency %u), %s:\n", gh_cli_order_words(order->weights), order->weights.cost,
        order->weights.latency, explain->state ? "from what the workers know now" : "without a ledger: nothing is known of the backends");
    for (uint32_t i = 0; i < explain->decision.route_count; i++) {
        gh_route_step_t step = step_of(explain, explain->decision.route[i]);

        print_step(explain, &step, i + 1, width);
    }
}

/* ---- of a record ---- */

static uint64_t
number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));

    return value > 0 ? (uint64_t) value : 0;
}

static void
fill_state(const json_t *term, gh_backend_state_t *state)
{
    const char *breaker = json_string_value(json_object_get(term, "breaker")), *credential = json_string_value(json_object_get(term, "credential"));

    state->first_byte_us = number(term, "first_byte_us");
    state->token_us = number(term, "token_us");
    state->samples = (uint32_t) number(term, "samples");
    state->asked = (uint32_t) number(term, "asked");
    state->in_flight = (uint32_t) number(term, "in_flight");
    state->retry_at_ms = number(term, "retry_at");
    for (uint8_t i = 0; i <= GH_CREDENTIAL_IS_REFUSED; i++) {
        if (credential != NULL && strcmp(credential, gh_credential_names[i]) == 0) {
            state->credential = i;
        }
    }
    for (uint8_t i = 0; i < 3; i++) {
        if (breaker != NULL && strcmp(breaker, gh_breaker_names[i]) == 0) {
            state->breaker = i;
        }
    }
}

void
gh_cli_explain_tell_order(gh_arena_t *arena, const json_t *line)
{
    const json_t      *by = json_object_get(line, "order_by"), *term;
    gh_route_weights_t weights = { (uint16_t) number(by, "cost"), (uint16_t) number(by, "latency") };
    bool               begun = weights.latency > 0;
    size_t             t;

    if (begun) {
        printf("  Tried by %s (cost weighs %u of 1000, latency %u)", gh_cli_order_words(weights), weights.cost, weights.latency);
    }
    json_array_foreach(json_object_get(line, "terms"), t, term) {
        const json_t      *name = json_object_get(term, "deployment");
        gh_backend_state_t state = { 0 };

        fill_state(term, &state);
        if (!json_is_string(name) || (weights.latency == 0 && state.retry_at_ms == 0 && state.breaker == GH_BREAKER_CLOSED && state.credential == GH_CREDENTIAL_IS_READY)) {
            continue;
        }
        printf("%s%.*s", begun ? "; " : "  ",
            GH_STR_ARG(gh_cli_shown(arena, (gh_str_t) { json_string_value(name), json_string_length(name) })));
        begun = true;
        if (weights.latency > 0 && state.first_byte_us == 0) {
            printf(", time not known");
        } else if (state.first_byte_us != 0) {
            printf(", %.1f ms to the first byte", (double) state.first_byte_us / 1000);
        }
        if (state.token_us != 0) {
            printf(", %.1f ms a token", (double) state.token_us / 1000);
        }
        if (state.retry_at_ms != 0) {
            printf(", to be left alone until %s", gh_cli_time_text(arena, state.retry_at_ms));
        }
        if (state.breaker != GH_BREAKER_CLOSED) {
            printf(", its breaker %s", state.breaker == GH_BREAKER_OPEN ? "open" : "half open");
        }
        if (state.credential != GH_CREDENTIAL_IS_READY) {
            printf(", its credential %s", gh_cli_credential_text(state.credential));
        }
    }
    if (begun) {
        printf(".\n");
    }
}

int
gh_cli_explain_order_again(gh_cli_explain_t *explain, const json_t *line)
{
    const json_t *by = json_object_get(line, "order_by"), *terms = json_object_get(line, "terms"), *term;
    gh_order_t   *order = &explain->order;
    size_t        t;

    if (by == NULL || explain->decision.code != GH_DECIDED_ALLOW) {
        return GH_OK;
    }
    order->weights = (gh_route_weights_t) { (uint16_t) number(by, "cost"), (uint16_t) number(by, "latency") };
    order->service_tier = explain->intake.service_tier;
    if (gh_order_steps(&explain->decision, explain->cli->arena, order) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < order->count; i++) {
        gh_target_t target;

        gh_image_target(explain->image, order->steps[i].target, &target);
        json_array_foreach((json_t *) terms, t, term) {
            const json_t *name = json_object_get(term, "deployment");

            if (json_is_string(name) && gh_str_eq(target.deployment, (gh_str_t) { json_string_value(name), json_string_length(name) })) {
                fill_state(term, &order->steps[i].state);
            }
        }
    }
    explain->state = true;
    gh_order_apply(explain->image, &explain->decision, order);
    return GH_OK;
}
