#include "policy/audit/record_write.h"

#include "policy/base/hash.h"
#include "policy/store/image_format.h"

#include <string.h>

#define GH_RECORD_TARGETS     1024   /* of one model: formats allow no more deployments */
#define GH_RECORD_ROUTE_FULL  8      /* of an abridged route */
#define GH_RECORD_WORDY       48     /* targets: more are not described in words */
#define GH_RECORD_PLACES      16     /* of a verdict in words */

static const char *const verdict_words[] = {
    [GH_TARGET_ELIGIBLE] = "eligible", [GH_TARGET_FORBIDDEN] = "forbidden", [GH_TARGET_NO_ALLOW] = "no_allow",
    [GH_TARGET_NOT_SERVED] = "not_served", [GH_TARGET_ENDPOINT] = "endpoint", [GH_TARGET_NARROWED] = "narrowed"
};

static const char *const miss_words[] = {   /* by bit of gh_miss_t */
    "process", "store", "store_days", "operator_home", "partition", "attest", "training", "until", "features"
};

static void
record_digest(gh_json_writer_t *w, const char *key, const uint8_t digest[32])
{
    char text[64];

    gh_hex(digest, 32, text);
    gh_json_kv_string(w, key, (gh_str_t) { text, sizeof(text) });
}

/* The headers a policy reads classes from, as sent. */
static void
record_labels(gh_json_writer_t *w, const gh_record_request_t *request)
{
    const gh_decide_input_t *input = request->input;
    const gh_image_t        *image = request->image;
    const gh_image_policy_t *policy;
    gh_str_t                 name, value;
    gh_error_t               error;
    int32_t                  profile;
    uint32_t                 i;
    unsigned                 index;
    bool                     open = false;

    if (input->header == NULL || gh_decide_profile(image, input->identity, &profile, &error) != GH_OK || profile < 0
        || image->profiles[profile].policy < 0)
    {
        return;
    }
    policy = &image->policies[image->profiles[profile].policy];

    for (i = 0; i < policy->labels.count; i++) {
        name = gh_image_str(image, image->labels[policy->labels.first + i]);

        for (index = 0; input->header(input->header_context, name, index, &value); index++) {
            if (!open) {
                gh_json_key(w, "labels");
                gh_json_begin_array(w);
                open = true;
            }
            gh_json_begin_object(w);
            gh_json_kv_string(w, "header", name);
            gh_json_kv_string(w, "value", value);
            gh_json_end_object(w);
        }
    }

    if (open) {
        gh_json_end_array(w);
    }
}

static void
record_features(gh_json_writer_t *w, const gh_intake_t *intake)
{
    uint32_t i;

    gh_json_key(w, "features");
    gh_json_begin_array(w);
    for (i = 0; i < intake->feature_count; i++) {
        gh_json_begin_object(w);
        gh_json_kv_string(w, "name", intake->features[i].name);
        gh_record_cut(w, "where", "where_bytes", intake->features[i].where, GH_RECORD_WHERE);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

/* x-gatehouse-places, one string a header. */
static void
record_narrowing(gh_json_writer_t *w, const gh_record_request_t *request)
{
    const gh_decide_input_t *input = request->input;
    gh_str_t                 value;
    unsigned                 index;

    if (request->decision->narrowing.len == 0 && input->header == NULL) {
        return;
    }

    for (index = 0; input->header != NULL
         && input->header(input->header_context, GH_STR("x-gatehouse-places"), index, &value); index++)
    {
        if (index == 0) {
            gh_json_key(w, "narrowing");
            gh_json_begin_array(w);
        }
        gh_json_string(w, value);
    }

    if (index == 0 && request->decision->narrowing.len != 0) {
        gh_json_key(w, "narrowing");
        gh_json_begin_array(w);
        gh_json_string(w, request->decision->narrowing);
        index = 1;
    }

    if (index != 0) {
        gh_json_end_array(w);
    }
}

static void
record_classes(gh_json_writer_t *w, const gh_decision_t *decision)
{
    uint32_t i;

    gh_json_key(w, "classes");
    gh_json_begin_array(w);
    for (i = 0; i < decision->class_count; i++) {
        gh_json_begin_object(w);
        gh_json_kv_string(w, "name", decision->classes[i].name);
        gh_json_kv_string(w, "from", decision->classes[i].from);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

/* What was asked, and what it was judged under. */
static void
record_inputs(gh_json_writer_t *w, const gh_record_request_t *request)
{
    const gh_identity_t *identity = request->input->identity;
    const gh_intake_t   *intake = request->input->intake;
    const gh_decision_t *decision = request->decision;

    gh_record_head(w, "decision", request->now_ms, request->id);
    gh_json_kv_string(w, "org", identity->org);
    gh_json_kv_string(w, "tenant", identity->tenant);
    gh_json_kv_string(w, "app", identity->app);
    gh_json_kv_string(w, "key", identity->key);
    gh_record_string(w, "key_classes", identity->own_classes);
    gh_json_kv_string(w, "endpoint", gh_str_from(gh_endpoint_names[intake->endpoint]));
    gh_json_kv_string(w, "dialect", GH_STR("openai"));

    if (decision->model.len != 0 && !gh_str_eq(decision->model, intake->model)) {
        gh_json_kv_string(w, "model", decision->model);
        gh_record_cut(w, "model_sent", "model_bytes", intake->model, GH_RECORD_NAME);
    } else {
        gh_record_cut(w, "model", "model_bytes", intake->model, GH_RECORD_NAME);
    }

    gh_json_kv_bool(w, "stream", intake->stream);
    gh_json_kv_u64(w, "bytes", intake->body_bytes);
    record_classes(w, decision);
    record_labels(w, request);
    record_features(w, intake);
    if (intake->uninspected) {
        gh_json_kv_bool(w, "uninspected", true);
    }
    record_narrowing(w, request);
    gh_json_kv_u64(w, "revision", decision->revision);
    record_digest(w, "policy", gh_image_policy_digest(request->image));
    record_digest(w, "facts", gh_image_facts_digest(request->image));
    gh_record_string(w, "node_country", request->node_country);
}

static void
record_verdict(gh_json_writer_t *w, const gh_decision_t *decision)
{
    bool allow = decision->code == GH_DECIDED_ALLOW;

    gh_json_kv_string(w, "verdict", allow ? GH_STR("allow") : GH_STR("deny"));
    if (!allow) {
        gh_json_kv_string(w, "code", gh_str_from(gh_verdict_answers[decision->code].code));
    }
    gh_record_string(w, "rule", decision->rule);
    if (!allow) {
        gh_record_cut(w, "detail", "detail_bytes", decision->detail, GH_ERROR_TEXT);
    }
    gh_record_string(w, "residency", decision->policy);
}

static const gh_target_verdict_t *
record_target(const gh_decision_t *decision, uint32_t target)
{
    uint32_t i;

    for (i = 0; i < decision->target_count; i++) {
        if (decision->targets[i].target == target) {
            return &decision->targets[i];
        }
    }

    return NULL;
}

/* One allow a class; two classes may have the same. */
static void
record_fits(gh_json_writer_t *w, const gh_image_t *image, const gh_target_verdict_t *verdict)
{
    size_t i;

    gh_json_key(w, "rules");
    gh_json_begin_array(w);
    for (i = 0; verdict != NULL && i < sizeof(verdict->fits) / sizeof(verdict->fits[0]); i++) {
        if (verdict->fits[i] < 0) {
            break;
        }
        gh_json_string(w, gh_decision_rule_id(image, verdict->fits[i]));
    }
    gh_json_end_array(w);
}

static void
record_route(gh_json_writer_t *w, const gh_record_request_t *request, int abridged)
{
    const gh_decision_t       *decision = request->decision;
    const gh_target_verdict_t *verdict;
    gh_target_t                target;
    uint32_t                   i, full;

    full = decision->route_count;
    if (abridged && full > GH_RECORD_ROUTE_FULL) {
        full = GH_RECORD_ROUTE_FULL;
    }

    gh_json_key(w, "route");
    gh_json_begin_array(w);
    for (i = 0; i < full; i++) {
        gh_image_target(request->image, decision->route[i], &target);
        if (request->node_country.len == 2) {
            gh_places_add(&target.process, gh_country_index(request->node_country));
        }
        gh_json_begin_object(w);
        gh_json_kv_string(w, "deployment", target.deployment);
        gh_json_kv_string(w, "backend", target.backend);
        gh_json_kv_string(w, "upstream_model", target.upstream_model);
        gh_record_places(w, "process", target.process, GH_COUNTRIES);
        gh_record_store(w, target.store_nothing, target.store);
        if (target.store_days_known && !target.store_nothing) {
            gh_json_kv_u64(w, "store_days", target.store_days);
        }
        record_fits(w, request->image, record_target(decision, decision->route[i]));
        gh_json_end_object(w);
    }
    gh_json_end_array(w);

    if (full < decision->route_count) {
        gh_json_key(w, "route_more");
        gh_json_begin_array(w);
        for (; i < decision->route_count; i++) {
            verdict = record_target(decision, decision->route[i]);
            gh_json_i64(w, verdict != NULL ? verdict - decision->targets : -1);
        }
        gh_json_end_array(w);
    }
}

static gh_str_t
record_reason(const gh_image_t *image, const gh_target_verdict_t *verdict)
{
    switch (verdict->code) {
    case GH_TARGET_NOT_SERVED:
        return GH_STR("(not_served)");
    case GH_TARGET_ENDPOINT:
        return GH_STR("(endpoint)");
    case GH_TARGET_NARROWED:
        return GH_STR("(narrowed)");
    default:
        return verdict->rule >= 0 ? gh_decision_rule_id(image, verdict->rule) : GH_STR("(no_allow)");
    }
}

static bool
record_same_reason(const gh_image_t *image, const gh_target_verdict_t *a, const gh_target_verdict_t *b)
{
    if (a->code == b->code && a->rule == b->rule) {
        return true;
    }

    return gh_str_eq(record_reason(image, a), record_reason(image, b));
}

/* Bits of the targets that are refused for the same reason as `like`; NULL: of the eligible ones. */
static void
record_bitmap(gh_json_writer_t *w, const gh_record_request_t *request, const gh_target_verdict_t *like)
{
    const gh_decision_t *decision = request->decision;
    uint8_t              bits[GH_RECORD_TARGETS / 8] = { 0 };
    char                 hex[2 * sizeof(bits)];
    uint32_t             i;

    if (decision->target_count > GH_RECORD_TARGETS) {
        w->overflow = true;
        return;
    }

    for (i = 0; i < decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &decision->targets[i];
        bool                       eligible = verdict->code == GH_TARGET_ELIGIBLE;

        if (like == NULL ? eligible : !eligible && record_same_reason(request->image, verdict, like)) {
            bits[i / 8] |= (uint8_t) (1u << (i % 8));
        }
    }

    i = (decision->target_count + 7) / 8;
    gh_hex(bits, i, hex);
    gh_json_string(w, (gh_str_t) { hex, 2 * i });
}

static void
record_no(gh_json_writer_t *w, const gh_record_request_t *request)
{
    const gh_decision_t       *decision = request->decision;
    const gh_target_verdict_t *verdict;
    char                       key[256];
    gh_str_t                   reason;
    uint32_t                   i, j;

    gh_json_key(w, "no");
    gh_json_begin_object(w);

    for (i = 0; i < decision->target_count; i++) {
        verdict = &decision->targets[i];
        if (verdict->code == GH_TARGET_ELIGIBLE) {
            continue;
        }

        for (j = 0; j < i; j++) {
            if (decision->targets[j].code != GH_TARGET_ELIGIBLE
                && record_same_reason(request->image, verdict, &decision->targets[j]))
            {
                break;
            }
        }

        if (j == i) {
            reason = record_reason(request->image, verdict);
            if (reason.len >= sizeof(key)) {
                w->overflow = true;
                return;
            }
            memcpy(key, reason.data, reason.len);
            key[reason.len] = '\0';
            gh_json_key(w, key);
            record_bitmap(w, request, verdict);
        }
    }

    gh_json_end_object(w);
}

static void
record_deployments(gh_json_writer_t *w, const gh_record_request_t *request)
{
    gh_target_t target;
    uint32_t    i;

    gh_json_key(w, "deployments");
    gh_json_begin_array(w);
    for (i = 0; i < request->decision->target_count; i++) {
        gh_image_target(request->image, request->decision->targets[i].target, &target);
        gh_json_string(w, target.deployment);
    }
    gh_json_end_array(w);
}

/* One refused target in words. */
static void
record_words(gh_json_writer_t *w, const gh_record_request_t *request, const gh_target_verdict_t *verdict)
{
    const gh_decision_t *decision = request->decision;
    gh_target_t          target;
    unsigned             bit, more;

    gh_image_target(request->image, verdict->target, &target);

    gh_json_begin_object(w);
    gh_json_kv_string(w, "deployment", target.deployment);
    gh_json_kv_string(w, "verdict", gh_str_from(verdict_words[verdict->code]));

    if (verdict->rule >= 0) {
        gh_json_kv_string(w, "rule", gh_decision_rule_id(request->image, verdict->rule));
    }

    if (verdict->code == GH_TARGET_NO_ALLOW && verdict->class_index < decision->class_count) {
        gh_json_kv_string(w, "class", decision->classes[verdict->class_index].name);
    }

    if (verdict->misses != 0) {
        gh_json_key(w, "misses");
        gh_json_begin_array(w);
        for (bit = 0; bit < sizeof(miss_words) / sizeof(miss_words[0]); bit++) {
            if (verdict->misses >> bit & 1) {
                gh_json_string(w, gh_str_from(miss_words[bit]));
            }
        }
        gh_json_end_array(w);
    }

    if (!gh_places_empty(verdict->places)) {
        more = gh_record_places(w, "places", verdict->places, GH_RECORD_PLACES);
        if (more != 0) {
            gh_json_kv_u64(w, "places_more", more);
        }
    }

    if (verdict->feature.len != 0) {
        gh_record_cut(w, "feature", "feature_bytes", verdict->feature, GH_RECORD_WHERE);
    }

    gh_json_end_object(w);
}

static void
record_verdicts(gh_json_writer_t *w, const gh_record_request_t *request)
{
    uint32_t i;

    gh_json_key(w, "verdicts");
    gh_json_begin_array(w);
    for (i = 0; i < request->decision->target_count; i++) {
        if (request->decision->targets[i].code != GH_TARGET_ELIGIBLE) {
            record_words(w, request, &request->decision->targets[i]);
        }
    }
    gh_json_end_array(w);
}

static void
record_targets(gh_json_writer_t *w, const gh_record_request_t *request, int abridged)
{
    record_route(w, request, abridged);
    record_no(w, request);

    if (abridged) {
        gh_json_key(w, "yes");
        record_bitmap(w, request, NULL);
        gh_json_kv_u64(w, "abridged", (uint64_t) abridged);
    } else {
        record_verdicts(w, request);
    }

    if (abridged < 2) {
        record_deployments(w, request);
    } else {
        gh_json_kv_u64(w, "targets", request->decision->target_count);
    }
}

static void
record_decision_line(gh_json_writer_t *w, const gh_record_request_t *request, int abridged)
{
    record_inputs(w, request);
    record_verdict(w, request->decision);
    if (request->decision->target_count != 0) {
        record_targets(w, request, abridged);
    }
    gh_json_kv_string(w, "node", request->node);
    gh_json_kv_u64(w, "clock", request->decision->clock_ms);
    gh_json_end_object(w);
}

void
gh_record_decision(gh_json_writer_t *w, const gh_record_request_t *request)
{
    const gh_json_writer_t before = *w;
    int                    abridged;

    abridged = request->decision->target_count > GH_RECORD_WORDY ? 1 : 0;

    for ( ;; abridged++) {
        *w = before;
        record_decision_line(w, request, abridged);

        if (!gh_json_writer_ok(w)) {
            if (abridged < 2) {
                continue;
            }
            return;
        }

        if (w->len - before.len <= GH_RECORD_BODY_MAX) {
            return;
        }

        if (abridged == 2) {
            w->overflow = true;
            return;
        }
    }
}
