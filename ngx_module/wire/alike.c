/*
 * Requests. What is the path's, a header's or another member's at the other endpoint is taken out, and said there: the model and whether it streams, the version,
 * flags of betas, the service tier. Bedrock has no cache_control of the whole request, which is left out there. All else stays as it is written. Sources: AWS's
 * "Anthropic Claude Messages API", the service model of bedrock-runtime (InvokeModelRequest), anthropic-sdk-python's anthropic/lib/bedrock.
 */
#include "ngx_module/wire/alike.h"

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/hub/messages.h"

gh_str_t
gh_alike_refused(const gh_intake_t *intake)
{
    static const char *const tiers[] = { "flex", "priority", "reserved" };

    for (uint32_t i = 0; i < intake->feature_count; i++) {
        if (intake->features[i].name.len == 0) {
            return intake->features[i].where;
        }
    }

    /* what else turns something on there is a guardrail */
    for (uint32_t i = 0; i < intake->feature_count; i++) {
        if (gh_str_starts(intake->features[i].where, GH_STR("header x-amzn-bedrock-"))) {
            return intake->features[i].where;
        }
    }

    /* the body's own tiers have other names */
    for (size_t i = 0; gh_endpoint_is(intake->endpoint, GH_IS_TIER_HEADER) && i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (gh_str_is(intake->service_tier, tiers[i])) {
            return GH_STR("header x-amzn-bedrock-service-tier");
        }
    }

    return intake->unlike;
}

static void
edit_add(gh_splice_t *splice, size_t offset, size_t length, gh_str_t text)
{
    unsigned i = splice->count++;

    for (; i > 0 && splice->edit[i - 1].offset > offset; i--) {
        splice->edit[i] = splice->edit[i - 1];
    }
    splice->edit[i] = (gh_splice_edit_t) { offset, length, text };
}

/* Takes members out; does the first one of the body stay? */
static bool
take_out(gh_splice_t *splice, const gh_intake_t *intake, bool to_invoke)
{
    static const bool from_messages[GH_MOVED] = { [GH_MOVED_MODEL] = true, [GH_MOVED_STREAM] = true, [GH_MOVED_TIER] = true, [GH_MOVED_CACHE] = true,
                                                  [GH_MOVED_GEO] = true };
    static const bool from_invoke[GH_MOVED] = { [GH_MOVED_VERSION] = true, [GH_MOVED_BETAS] = true, [GH_MOVED_GEO] = true };
    bool              first = true;

    for (unsigned i = 0; i < GH_MOVED; i++) {
        const gh_intake_member_t *member = &intake->moved[i];

        if (member->end != 0 && (to_invoke ? from_messages[i] : from_invoke[i])) {
            edit_add(splice, member->begin, member->end - member->begin, GH_STR(""));
            first = first && !member->first;
        }
    }
    for (uint32_t i = 0; i < intake->cuts; i++) {
        edit_add(splice, intake->cut[i].offset, intake->cut[i].length, GH_STR(""));
    }

    return first;
}

/* The most tokens: where the body says it, replaced in place. What has to be said at the object's beginning; 0: nothing. */
static int
maximum(gh_arena_t *arena, gh_splice_t *splice, const gh_intake_t *intake, const gh_hub_send_t *send, uint64_t *said, gh_error_t *error)
{
    const gh_intake_maximum_t *given = &intake->maxima[GH_MAX_TOKENS];
    uint64_t                   most = send->output_cap;
    gh_str_t                   number;

    *said = 0;
    if (given->length != 0 && !given->null && (most == 0 || (!given->unlimited && given->tokens <= most))) {
        return GH_OK;
    }

    most = most != 0 ? most : send->default_max;
    if (most == 0) {
        return gh_error_set(error, "not_expressible", "max_tokens is missing: a backend that speaks messages must be told how many at most");
    }
    if (given->length == 0) {
        *said = most;
        return GH_OK;
    }

    number = gh_str_format(arena, "%llu", (unsigned long long) most);
    if (number.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    edit_add(splice, given->offset, given->length, number);

    return GH_OK;
}

/* All flags of the client: of InvokeModel's body, and of the header. */
static gh_str_t
flags(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t body)
{
    const gh_intake_member_t *member = &intake->moved[GH_MOVED_BETAS];
    gh_str_t                  written = { NULL, 0 };

    if (member->end != 0 && body.data[member->value] == '[') {
        written = (gh_str_t) { body.data + member->value, member->end - member->value };
    }

    return gh_hub_betas_join(arena, written, intake->betas);
}

int
gh_alike_request(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t body, const gh_hub_send_t *send, gh_wire_request_t *wire, gh_error_t *error)
{
    bool         to_invoke = !gh_endpoint_is(intake->endpoint, GH_IS_MODEL_IN_PATH), first;
    gh_str_t     betas = flags(arena, intake, body);
    gh_hub_put_t p;
    uint64_t     most;

    /* what is put in comes first, whatever is taken out at the same place */
    wire->splice.count = 0;
    edit_add(&wire->splice, intake->object_begin + 1, 0, GH_STR(""));
    first = take_out(&wire->splice, intake, to_invoke);
    if (maximum(arena, &wire->splice, intake, send, &most, error) != GH_OK) {
        return GH_ERROR;
    }

    /* the first byte is the comma's measure alone */
    gh_hub_put_init(&p, arena, 128 + send->model.len + betas.len, SIZE_MAX / 4);
    gh_hub_put_open(&p, '{');
    if (to_invoke) {
        gh_hub_put_kv_string(&p, "anthropic_version", GH_STR(INVOKE_VERSION));
        gh_hub_put_flags(&p, betas, 0);
        wire->said[GH_BEDROCK_HEADER_TIER] = gh_str_is(intake->service_tier, "standard_only") ? GH_STR("default") : GH_STR("");
    } else {
        gh_hub_put_kv_text(&p, "model", send->model);
        if (intake->stream) {
            GH_HUB_PUT(&p, ",\"stream\":true");
        }
        if (intake->moved[GH_MOVED_TIER].end == 0 && gh_str_is(intake->service_tier, "default")) {
            GH_HUB_PUT(&p, ",\"service_tier\":\"standard_only\"");
        }
        if (send->inference_geo.len != 0) {
            gh_hub_put_kv_text(&p, "inference_geo", send->inference_geo);
        }
        wire->betas = gh_hub_betas_header(arena, gh_hub_betas_native(arena, betas));
    }
    if (most != 0) {
        gh_hub_put_kv_u64(&p, "max_tokens", most);
    }
    if (first) {
        GH_HUB_PUT(&p, ",");
    }
    if (p.failed) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    wire->splice.edit[0].text = (gh_str_t) { p.data + 1, p.len - 1 };

    return GH_OK;
}
