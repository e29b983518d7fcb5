/* What models cost and how much of them a request can use: budgets are held to both. */
#include "policy/cli/plan_lines.h"

static gh_str_t
rates(gh_arena_t *arena, const gh_price_tier_t *rate)
{
    return gh_str_format(arena, "input %llu cached %llu cache_write %llu output %llu reasoning %llu", (unsigned long long) rate->input,
        (unsigned long long) rate->cached, (unsigned long long) rate->cache_write, (unsigned long long) rate->output,
        (unsigned long long) rate->reasoning);
}

static gh_str_t
price(gh_arena_t *arena, const gh_price_t *of)
{
    gh_price_tier_t base = { 0, of->input, of->cached, of->cache_write, of->output, of->reasoning };
    gh_str_t        text = rates(arena, &base);

    for (uint32_t i = 0; i < of->tier_count; i++) {
        text = gh_str_format(arena, "%.*s, above %llu input tokens %.*s", GH_STR_ARG(text), (unsigned long long) of->tiers[i].input_above,
            GH_STR_ARG(rates(arena, &of->tiers[i])));
    }
    return text;
}

gh_str_t
gh_cli_line_price(gh_arena_t *arena, const gh_model_target_t *target)
{
    gh_str_t text;

    if (!target->price.known) {
        return GH_STR("");
    }
    text = price(arena, &target->price);
    for (int i = 0; i < GH_SERVICE_TIERS; i++) {
        if (target->service_prices[i].known) {
            text = gh_str_format(arena, "%.*s, as %s %.*s", GH_STR_ARG(text), gh_service_tier_names[i],
                GH_STR_ARG(price(arena, &target->service_prices[i])));
        }
    }
    return text;
}

/* ---- the catalogue ---- */

static const gh_model_entry_t *
find(const gh_model_t *model, gh_str_t name)
{
    for (uint32_t i = 0; model != NULL && i < model->model_count; i++) {
        if (gh_str_eq(model->models[i].name, name)) {
            return &model->models[i];
        }
    }
    return NULL;
}

static gh_str_t
tokens(gh_arena_t *arena, uint64_t count)
{
    return count == 0 ? GH_STR("") : gh_str_format(arena, "%llu", (unsigned long long) count);
}

void
gh_cli_compare_models(gh_cli_comparing_t *c)
{
    for (uint32_t i = 0; i < c->after->model_count; i++) {
        const gh_model_entry_t *after = &c->after->models[i], *before = find(c->before, after->name);
        const uint64_t          now[] = { after->context, after->max_output, after->image_tokens, after->message_tokens };
        static const char *const names[] = { "context", "max_output", "image_tokens", "message_tokens" };

        if (before == NULL) {
            gh_cli_line_add(c, '+', "model", GH_STR(""), after->name, GH_STR(""));
            continue;
        }
        c->details = GH_STR("");
        for (int k = 0; k < 4; k++) {
            const uint64_t was[] = { before->context, before->max_output, before->image_tokens, before->message_tokens };

            gh_cli_line_differ(c, names[k], tokens(c->arena, was[k]), tokens(c->arena, now[k]));
        }
        if (c->details.len > 0) {
            gh_cli_line_add(c, '~', "model", GH_STR(""), after->name, c->details);
        }
    }
    for (uint32_t i = 0; c->before != NULL && i < c->before->model_count; i++) {
        if (find(c->after, c->before->models[i].name) == NULL) {
            gh_cli_line_add(c, '-', "model", GH_STR(""), c->before->models[i].name, GH_STR(""));
        }
    }
}
