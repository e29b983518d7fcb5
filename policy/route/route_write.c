/* What an order depended on, as JSON. */
#include "policy/route/route.h"
#include "policy/store/image_format.h"

const char *const gh_breaker_names[3] = { "closed", "open", "half_open" };
const char *const gh_credential_names[4] = { "ready", "expired", "unavailable", "refused" };

GH_JSON_INLINE void
write_number(gh_json_writer_t *w, const char *key, uint64_t value)
{
    if (value != 0) {
        gh_json_kv_u64(w, key, value);
    }
}

static void
write_term(gh_json_writer_t *w, const gh_image_t *image, const gh_route_step_t *step)
{
    const gh_backend_state_t *state = &step->state;

    gh_json_begin_object(w);
    gh_json_kv_string(w, "deployment", gh_image_str(image, image->deployments[image->targets[step->target].deployment].id));
    if (step->price != UINT64_MAX) {
        gh_json_kv_u64(w, "price", step->price);
    }
    write_number(w, "first_byte_us", state->first_byte_us);
    write_number(w, "token_us", state->token_us);
    write_number(w, "samples", state->samples);
    write_number(w, "asked", state->asked);
    write_number(w, "in_flight", state->in_flight);
    write_number(w, "retry_at", state->retry_at_ms);
    if (state->breaker != GH_BREAKER_CLOSED) {
        gh_json_kv_string(w, "breaker", gh_str_from(gh_breaker_names[state->breaker]));
    }
    if (state->credential != GH_CREDENTIAL_IS_READY) {
        gh_json_kv_string(w, "credential", gh_str_from(gh_credential_names[state->credential]));
    }
    gh_json_end_object(w);
}

/* Nothing of it stands in the ledger. */
static bool
untold(const gh_backend_state_t *state)
{
    return state->first_byte_us == 0 && state->token_us == 0 && state->samples == 0 && state->asked == 0 && state->in_flight == 0
        && state->retry_at_ms == 0 && state->breaker == GH_BREAKER_CLOSED
        && state->credential == GH_CREDENTIAL_IS_READY;
}

void
gh_route_write(gh_json_writer_t *w, const gh_image_t *image, const gh_route_step_t *steps, uint32_t count, gh_route_weights_t weights,
    bool told_only)
{
    gh_json_key(w, "order_by");
    gh_json_begin_object(w);
    gh_json_kv_u64(w, "cost", weights.cost);
    gh_json_kv_u64(w, "latency", weights.latency);
    gh_json_end_object(w);
    gh_json_key(w, "terms");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].looked && !(told_only && untold(&steps[i].state))) {
            write_term(w, image, &steps[i]);
        }
    }
    gh_json_end_array(w);
}
