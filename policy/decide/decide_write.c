/* The decision as JSON. */
#include "policy/decide/decide.h"
#include "policy/store/image_format.h"

static const char *const target_words[] = {
    [GH_TARGET_ELIGIBLE] = "eligible", [GH_TARGET_FORBIDDEN] = "forbidden", [GH_TARGET_NO_ALLOW] = "no_allow",
    [GH_TARGET_NOT_SERVED] = "not_served", [GH_TARGET_ENDPOINT] = "endpoint", [GH_TARGET_NARROWED] = "narrowed",
    [GH_TARGET_ELSEWHERE] = "elsewhere", [GH_TARGET_NOT_EXPRESSIBLE] = "not_expressible"
};

static void
write_places(gh_json_writer_t *w, const char *key, gh_places_t places)
{
    gh_json_key(w, key);
    gh_json_begin_array(w);
    if (gh_places_has_unknown(places)) {
        gh_json_string(w, GH_STR("?"));
    } else if (gh_places_equal(places, gh_places_anywhere())) {
        gh_json_string(w, GH_STR("ANYWHERE"));
    } else {
        for (int i = 0; i < GH_COUNTRIES; i++) {
            if (places.word[i / 64] >> (i % 64) & 1) {
                gh_json_string(w, (gh_str_t) { gh_country_codes[i], 2 });
            }
        }
    }
    gh_json_end_array(w);
}

static const gh_target_verdict_t *
verdict_of(const gh_decision_t *decision, uint32_t target)
{
    for (uint32_t i = 0; i < decision->target_count; i++) {
        if (decision->targets[i].target == target) {
            return &decision->targets[i];
        }
    }
    return NULL;
}

static void
write_route(gh_json_writer_t *w, const gh_image_t *image, const gh_decision_t *decision)
{
    gh_json_key(w, "route");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < decision->route_count; i++) {
        const gh_target_verdict_t *verdict = verdict_of(decision, decision->route[i]);
        gh_target_t                target;

        gh_image_target(image, decision->route[i], &target);
        gh_json_begin_object(w);
        gh_json_kv_string(w, "deployment", target.deployment);
        gh_json_kv_string(w, "backend", target.backend);
        gh_json_kv_string(w, "upstream_model", target.upstream_model);
        write_places(w, "process", target.process);
        if (target.store_nothing) {
            gh_json_kv_string(w, "store", GH_STR("nothing"));
        } else {
            write_places(w, "store", target.store);
            if (target.store_days_known) {
                gh_json_kv_u64(w, "store_days", target.store_days);
            }
        }
        gh_json_key(w, "rules");
        gh_json_begin_array(w);
        for (uint32_t c = 0; verdict != NULL && c < decision->class_count; c++) {
            gh_json_string(w, gh_decision_rule_id(image, verdict->fits[c]));
        }
        gh_json_end_array(w);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

static void
write_no(gh_json_writer_t *w, const gh_image_t *image, const gh_decision_t *decision)
{
    gh_json_key(w, "no");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &decision->targets[i];

        if (verdict->code == GH_TARGET_ELIGIBLE) {
            continue;
        }
        gh_json_begin_object(w);
        gh_json_kv_string(w, "deployment",
            gh_image_str(image, image->deployments[image->targets[verdict->target].deployment].id));
        gh_json_kv_string(w, "why", gh_str_from(target_words[verdict->code]));
        if (verdict->rule >= 0) {
            gh_json_kv_string(w, "rule", gh_decision_rule_id(image, verdict->rule));
        }
        if (!gh_places_empty(verdict->places)) {
            write_places(w, "places", verdict->places);
        }
        if (verdict->code == GH_TARGET_NO_ALLOW && verdict->class_index < decision->class_count) {
            gh_json_kv_string(w, "class", decision->classes[verdict->class_index].name);
        }
        if (verdict->feature.len > 0) {
            gh_json_kv_string(w, "feature", verdict->feature);
        }
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
}

void
gh_decision_write(gh_json_writer_t *w, const gh_image_t *image, const gh_decision_t *decision)
{
    gh_json_begin_object(w);
    gh_json_kv_string(w, "verdict", decision->code == GH_DECIDED_ALLOW ? GH_STR("allow") : GH_STR("deny"));
    gh_json_kv_string(w, "code", gh_str_from(gh_verdict_answers[decision->code].code));
    gh_json_kv_u64(w, "revision", decision->revision);
    gh_json_kv_string(w, "model", decision->model);
    gh_json_key(w, "classes");
    gh_json_begin_array(w);
    for (uint32_t i = 0; i < decision->class_count; i++) {
        gh_json_begin_object(w);
        gh_json_kv_string(w, "name", decision->classes[i].name);
        gh_json_kv_string(w, "from", decision->classes[i].from);
        gh_json_end_object(w);
    }
    gh_json_end_array(w);
    gh_json_kv_string(w, "policy", decision->policy);
    gh_json_kv_string(w, "rule", decision->rule);
    gh_json_kv_string(w, "narrowing", decision->narrowing);
    write_route(w, image, decision);
    write_no(w, image, decision);
    gh_json_end_object(w);
}
