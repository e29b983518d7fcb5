/* Of a decision's line what it was judged by and what came of it: the same for all requests of a cell and a route, and kept with that. */
#include "policy/audit/record_write.h"

#include "policy/audit/basis.h"
#include "policy/base/hash.h"
#include "policy/store/image_format.h"

#include <stdlib.h>
#include <string.h>

#define GH_RECORD_TARGETS     1024   /* of one model: formats allow no more deployments */
#define GH_RECORD_ROUTE_FULL  4      /* of an abridged route */
#define GH_RECORD_ABRIDGED    2      /* how; 1 was another way */
#define GH_RECORD_PLACES      16     /* of a verdict in words */

static const char *const verdict_words[] = {
    [GH_TARGET_ELIGIBLE] = "eligible", [GH_TARGET_FORBIDDEN] = "forbidden", [GH_TARGET_NO_ALLOW] = "no_allow",
    [GH_TARGET_NOT_SERVED] = "not_served", [GH_TARGET_ENDPOINT] = "endpoint", [GH_TARGET_NARROWED] = "narrowed",
    [GH_TARGET_ELSEWHERE] = "elsewhere", [GH_TARGET_NOT_EXPRESSIBLE] = "not_expressible"
};

static const char *const miss_words[] = {   /* by bit of gh_miss_t */
    "process", "store", "store_days", "operator_home", "partition", "attest", "training", "until", "features"
};

/* "policy" and "facts", the digests of the revision: hexadecimal of the newest image is kept. */
static void
record_digests(gh_json_writer_t *w, const gh_image_t *image)
{
    static uint64_t serial;
    static char     policy[64], facts[64];

    if (serial != image->serial || serial == 0) {
        gh_hex(gh_image_policy_digest(image), 32, policy);
        gh_hex(gh_image_facts_digest(image), 32, facts);
        serial = image->serial;
    }

    gh_json_kv_plain(w, "policy", (gh_str_t) { policy, sizeof(policy) });
    gh_json_kv_plain(w, "facts", (gh_str_t) { facts, sizeof(facts) });
}

static void
record_reasons(gh_json_writer_t *w, const gh_decision_t *decision, const char *limited)
{
    bool allow = decision->code == GH_DECIDED_ALLOW;

    if (allow && limited != NULL) {
        gh_json_kv_string(w, "code", gh_str_from(limited));
    }
    if (!allow) {
        gh_json_kv_string(w, "code", gh_str_from(gh_verdict_answers[decision->code].code));
    }
    gh_record_string(w, "rule", decision->rule);
    if (!allow) {
        gh_record_cut(w, "detail", "detail_bytes", decision->detail, GH_ERROR_TEXT);
    }
    gh_record_string(w, "residency", decision->policy);
}

/* The targets of a model follow each other. */
static const gh_target_verdict_t *
record_target(const gh_decision_t *decision, uint32_t target)
{
    uint32_t at = target - decision->targets[0].target;

    return at < decision->target_count && decision->targets[at].target == target ? &decision->targets[at] : NULL;
}

/* One allow a class; two classes may have the same. */
static void
record_fits(gh_json_writer_t *w, const gh_record_request_t *request, const gh_target_verdict_t *verdict)
{
    uint32_t i;

    gh_json_key(w, "rules");
    gh_json_begin_array(w);
    for (i = 0; verdict != NULL && i < request->decision->class_count && verdict->fits[i] >= 0; i++) {
        gh_json_string(w, gh_decision_rule_id(request->image, verdict->fits[i]));
    }
    gh_json_end_array(w);
}

static void
record_facts(gh_json_writer_t *w, const gh_record_request_t *request, uint32_t index)
{
    gh_target_t target;

    gh_image_target(request->image, index, &target);
    if (request->node_country.len == 2) {
        gh_places_add(&target.process, gh_country_index(request->node_country));
    }
    gh_json_kv_string(w, "deployment", target.deployment);
    gh_json_kv_string(w, "backend", target.backend);
    gh_json_kv_string(w, "upstream_model", target.upstream_model);
    gh_record_places(w, "process", target.process, GH_COUNTRIES);
    gh_record_store(w, target.store_nothing, target.store);
    if (target.store_days_known && !target.store_nothing) {
        gh_json_kv_u64(w, "store_days", target.store_days);
    }
}

static uint32_t
record_country(const gh_record_request_t *request)
{
    gh_str_t country = request->node_country;

    return country.len == 2 ? (uint32_t) (uint8_t) country.data[0] << 8 | (uint8_t) country.data[1] : 0;
}

/*
 * What of a target does not depend on the request, but for the node's country, which is the same all day: made once for an image. Without
 * memory to keep it in it is made each time.
 */
static void
record_known(gh_json_writer_t *w, const gh_record_request_t *request, uint32_t target)
{
    gh_image_memo_t *memo = &request->image->memos[target];
    uint32_t         key = record_country(request);
    size_t           begin = w->len;

    if (memo->text != NULL && memo->key == key) {
        gh_json_raw(w, (gh_str_t) { memo->text, memo->length });
        return;
    }

    record_facts(w, request, target);
    if (!gh_json_writer_ok(w)) {
        return;
    }
    free(memo->text);
    memo->length = (uint32_t) (w->len - begin);
    memo->key = key;
    memo->text = malloc(memo->length);
    if (memo->text != NULL) {
        memcpy(memo->text, w->data + begin, memo->length);
    }
}

static void
record_route(gh_json_writer_t *w, const gh_record_request_t *request, bool abridged)
{
    const gh_decision_t       *decision = request->decision;
    const gh_target_verdict_t *verdict;
    uint32_t                   i, full;

    full = decision->route_count;
    if (abridged && full > GH_RECORD_ROUTE_FULL) {
        full = GH_RECORD_ROUTE_FULL;
    }

    gh_json_key(w, "route");
    gh_json_begin_array(w);
    for (i = 0; i < full; i++) {
        gh_json_begin_object(w);
        record_known(w, request, decision->route[i]);
        record_fits(w, request, record_target(decision, decision->route[i]));
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
    case GH_TARGET_ELSEWHERE:
        return GH_STR("(elsewhere)");
    case GH_TARGET_NOT_EXPRESSIBLE:
        return GH_STR("(not_expressible)");
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
            gh_json_key_text(w, record_reason(request->image, verdict));
            record_bitmap(w, request, verdict);
        }
    }

    gh_json_end_object(w);
}

static gh_str_t
record_deployment(const gh_image_t *image, uint32_t target)
{
    return gh_image_str(image, image->deployments[image->targets[target].deployment].id);
}

static void
record_deployments(gh_json_writer_t *w, const gh_record_request_t *request)
{
    uint32_t i;

    gh_json_key(w, "deployments");
    gh_json_begin_array(w);
    for (i = 0; i < request->decision->target_count; i++) {
        gh_json_string(w, record_deployment(request->image, request->decision->targets[i].target));
    }
    gh_json_end_array(w);
}

/* One refused target in words. */
static void
record_words(gh_json_writer_t *w, const gh_record_request_t *request, const gh_target_verdict_t *verdict)
{
    const gh_decision_t *decision = request->decision;
    unsigned             bit, more;

    gh_json_begin_object(w);
    gh_json_kv_string(w, "deployment", record_deployment(request->image, verdict->target));
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
record_refused(gh_json_writer_t *w, const gh_record_request_t *request)
{
    record_no(w, request);
    record_verdicts(w, request);
    record_deployments(w, request);
}

static void
record_bits(gh_json_writer_t *w, const gh_record_request_t *request)
{
    record_no(w, request);
    gh_json_key(w, "yes");
    record_bitmap(w, request, NULL);
    gh_json_kv_u64(w, "abridged", GH_RECORD_ABRIDGED);
    gh_json_kv_u64(w, "targets", request->decision->target_count);
}

/* What is judged by, and the verdict. refused: the members of record_refused or record_bits, if they are there already. Returns where these begin; 0: they do not. */
static size_t
record_verdict(gh_json_writer_t *w, const gh_record_request_t *request, bool abridged, gh_str_t refused)
{
    const gh_decision_t *decision = request->decision;
    size_t               begin;

    gh_json_kv_u64(w, "revision", decision->revision);
    record_digests(w, request->image);
    gh_record_string(w, "node_country", request->node_country);
    record_reasons(w, decision, request->limited);
    if (decision->target_count == 0) {
        return 0;
    }
    record_route(w, request, abridged);
    begin = w->len + w->comma;
    if (refused.len != 0) {
        gh_json_raw(w, refused);
    } else if (abridged) {
        record_bits(w, request);
    } else {
        record_refused(w, request);
    }

    return begin;
}

/*
 * What is kept with a cell: all of the members of record_verdict for one route, the last of which, from `refused` on, are the same for all. Beside
 * the cell, they follow from the image, with which cells go, the node's country, the route, and whether they are abridged. The targets of the route
 * follow, and the text.
 */
typedef struct {
    uint64_t serial;                  /* of the text */
    uint32_t country;
    uint32_t abridged;
    uint32_t refused, len;            /* bytes of the text */
    uint32_t count;                   /* of the route */
} kept_t;

static void
record_keep(const gh_record_request_t *request, bool abridged, gh_str_t text, size_t refused)
{
    const gh_decision_t *decision = request->decision;
    char                 buffer[sizeof(kept_t) + GH_RECORD_TARGETS * sizeof(decision->route[0]) + GH_BASIS_MOST];
    size_t               route = decision->route_count * sizeof(decision->route[0]);
    kept_t               kept = {
        .serial = gh_json_serial(), .country = record_country(request), .abridged = abridged, .refused = (uint32_t) refused, .len = (uint32_t) text.len,
        .count = decision->route_count
    };

    if (text.len > GH_BASIS_MOST || decision->route_count > GH_RECORD_TARGETS) {
        return;
    }
    memcpy(buffer, &kept, sizeof(kept));
    memcpy(buffer + sizeof(kept), decision->route, route);
    memcpy(buffer + sizeof(kept) + route, text.data, text.len);
    gh_cells_keep_text(request->input->cells, decision->from, (gh_str_t) { buffer, sizeof(kept) + route + text.len });
}

/* Of what limits refuse the cell says that policy allows it: then it is not taken from there, but for why others are refused. */
static void
record_kept(gh_json_writer_t *w, const gh_record_request_t *request, bool abridged)
{
    const gh_decision_t *decision = request->decision;
    gh_str_t             text = gh_cells_text(request->input->cells, decision->from), refused = GH_STR("");
    kept_t               kept;
    const char          *route;
    size_t               begin = w->len + w->comma, from;

    if (text.data != NULL) {
        memcpy(&kept, text.data, sizeof(kept));
        route = text.data + sizeof(kept);
        text = (gh_str_t) { route + kept.count * sizeof(decision->route[0]), kept.len };
        if (kept.abridged == abridged) {
            refused = (gh_str_t) { text.data + kept.refused, kept.len - kept.refused };
        }
        if (request->limited == NULL && kept.abridged == abridged && kept.country == record_country(request) && kept.count == decision->route_count
            && memcmp(route, decision->route, kept.count * sizeof(decision->route[0])) == 0)
        {
            gh_json_raw(w, text);
            gh_json_run_is(w, kept.serial);
            return;
        }
    }

    from = record_verdict(w, request, abridged, refused);
    /* one that is abridged because it was too long is the exception among those of its cell */
    if (from != 0 && gh_json_writer_ok(w) && request->limited == NULL && text.data == NULL && abridged == gh_record_wordless(decision)) {
        record_keep(request, abridged, (gh_str_t) { w->data + begin, w->len - begin }, from - begin);
    }
}

void
gh_record_verdict(gh_json_writer_t *w, const gh_record_request_t *request, bool abridged)
{
    const gh_decision_t *decision = request->decision;

    if (decision->from.cell != NULL && (decision->code == GH_DECIDED_ALLOW || decision->code == GH_DENIED_RESIDENCY)) {
        record_kept(w, request, abridged);
    } else {
        (void) record_verdict(w, request, abridged, GH_STR(""));
    }
}
