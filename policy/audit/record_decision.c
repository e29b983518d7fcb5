#include "policy/audit/record_write.h"

#include "policy/store/image_format.h"

#include <stdlib.h>
#include <string.h>

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
        if (i + 1 == intake->by_default) {
            gh_json_kv_bool(w, "by_default", true);
        }
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

/* Where the state is that it uses: it goes there or nowhere. */
static void
record_pin(gh_json_writer_t *w, const gh_intake_t *intake)
{
    const gh_pin_t *pin = &intake->pin;

    if (pin->deployment.len == 0) {
        return;
    }

    gh_json_key(w, "pin");
    gh_json_begin_object(w);
    gh_json_kv_string(w, "deployment", pin->deployment);
    gh_record_cut(w, "where", "where_bytes", pin->where, GH_RECORD_WHERE);
    if (intake->kept.len != 0) {
        gh_record_cut(w, "response", "response_bytes", intake->kept, GH_RECORD_WHERE);
    }
    gh_json_end_object(w);
}

/* x-gatehouse-places, one string a header, and inference_geo, whose places are as those of one more. */
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

    value = input->header == NULL ? request->decision->narrowing : input->intake->inference_geo;
    if (value.len != 0) {
        if (index == 0) {
            gh_json_key(w, "narrowing");
            gh_json_begin_array(w);
        }
        gh_json_string(w, value);
        index++;
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

/* What could not be translated, and where the body says it; an endpoint that is not there could be asked. Nothing where nothing was to be translated. */
static void
record_express(gh_json_writer_t *w, const gh_express_t *express)
{
    static const char *const names[] = { [GH_WORDS_PLAIN] = "not_expressible", [GH_WORDS_OPEN] = "not_expressible_self" };

    for (unsigned words = 0; express != NULL && words <= GH_WORDS_OPEN; words++) {
        gh_json_key(w, names[words]);
        gh_json_begin_object(w);
        for (unsigned i = 0; i < GH_ENDPOINTS; i++) {
            gh_str_t where = express->where[words][i];

            if (where.len != 0) {
                where.len = where.len > GH_RECORD_WHERE ? GH_RECORD_WHERE : where.len;
                gh_json_kv_string(w, gh_endpoint_names[i], where);
            }
        }
        gh_json_end_object(w);
    }

    if (express != NULL) {
        gh_json_key(w, "not_expressible_converse");
        gh_json_begin_object(w);
        for (unsigned words = GH_WORDS_OPEN + 1; words < GH_WORDS; words++) {
            gh_str_t where = express->where[words][gh_endpoint_by_model()];

            if (where.len != 0) {
                where.len = where.len > GH_RECORD_WHERE ? GH_RECORD_WHERE : where.len;
                gh_json_kv_string(w, gh_words_names[words], where);
            }
        }
        gh_json_end_object(w);
    }

    if (express == NULL || express->embeddings[GH_BEDROCK_OTHER].data == NULL) {
        return;
    }

    gh_json_key(w, "not_expressible_models");
    gh_json_begin_object(w);
    for (unsigned i = 0; i < GH_BEDROCK_MODELS; i++) {
        gh_str_t where = express->embeddings[i];

        if (gh_bedrock_embeds((gh_bedrock_model_t) i) && where.data != NULL) {
            where.len = where.len > GH_RECORD_WHERE ? GH_RECORD_WHERE : where.len;
            gh_json_kv_string(w, gh_bedrock_model_names[i], where);
        }
    }
    gh_json_end_object(w);
}

/* What the caller narrows by itself: one string a list, names with one space between them. */
static void
record_own(gh_json_writer_t *w, const char *name, gh_str_t lists)
{
    gh_str_t list;

    if (lists.len == 0) {
        return;
    }
    gh_json_key(w, name);
    gh_json_begin_array(w);
    while (gh_narrowing_next(&lists, GH_NARROWING_LISTS, &list)) {
        gh_json_string(w, list);
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
    gh_json_kv_plain(w, "verdict", decision->code == GH_DECIDED_ALLOW && request->limited == NULL ? GH_STR("allow") : GH_STR("deny"));
    gh_json_kv_string(w, "org", identity->org);
    gh_json_kv_string(w, "tenant", identity->tenant);
    gh_json_kv_string(w, "app", identity->app);
    gh_json_kv_string(w, "key", identity->key);
    gh_record_string(w, "user", identity->user);
    gh_record_string(w, "key_classes", identity->own_classes);
    record_own(w, "key_places", identity->own_places);
    record_own(w, "key_models", identity->own_models);
    gh_json_kv_string(w, "endpoint", gh_str_from(gh_endpoint_names[intake->endpoint]));
    gh_json_kv_string(w, "dialect", gh_str_from(gh_endpoint_dialect(intake->endpoint)));
    gh_record_operation(w, intake->operation);

    if (decision->model.len != 0 && !gh_str_eq(decision->model, intake->model)) {
        gh_json_kv_string(w, "model", decision->model);
        gh_record_cut(w, "model_sent", "model_bytes", intake->model, GH_RECORD_NAME);
    } else {
        gh_record_cut(w, "model", "model_bytes", intake->model, GH_RECORD_NAME);
    }

    gh_json_kv_bool(w, "stream", intake->stream);
    if (intake->service_tier.len != 0) {
        gh_record_cut(w, "service_tier", "service_tier_bytes", intake->service_tier, GH_RECORD_WHERE);
    }
    gh_json_kv_u64(w, "bytes", intake->body_bytes);
    gh_record_session(w, intake);
    record_classes(w, decision);
    record_labels(w, request);
    record_features(w, intake);
    record_pin(w, intake);
    if (intake->uninspected) {
        gh_json_kv_bool(w, "uninspected", true);
    }
    record_express(w, decision->express);
    record_narrowing(w, request);
}

static void
record_decision_line(gh_json_writer_t *w, const gh_record_request_t *request, bool abridged)
{
    gh_json_unmark(w);
    record_inputs(w, request);
    gh_json_run(w);
    gh_record_verdict(w, request, abridged);
    gh_json_run_end(w);
    if (request->order != NULL && request->order->count != 0) {
        gh_route_write(w, request->image, request->order->steps, request->order->count, request->order->weights, abridged);
    }
    gh_json_kv_string(w, "node", request->node);
    gh_json_kv_u64(w, "clock", request->decision->clock_ms);
    gh_record_members(w, request->more);
    gh_json_end_object(w);
}

void
gh_record_decision(gh_json_writer_t *w, const gh_record_request_t *request)
{
    const gh_json_writer_t before = *w;
    bool                   abridged = gh_record_wordless(request->decision);

    record_decision_line(w, request, abridged);
    if (!abridged && (!gh_json_writer_ok(w) || w->len - before.len > GH_RECORD_BODY_MAX)) {
        *w = before;
        record_decision_line(w, request, true);
    }
    if (gh_json_writer_ok(w) && w->len - before.len > GH_RECORD_BODY_MAX) {
        w->overflow = true;
    }
}
