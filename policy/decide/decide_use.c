/* What a use of one target comes to, apart from whether it is eligible: for records, plans and proofs. */
#include "policy/decide/decide_internal.h"

#include <string.h>

int
gh_decide_use(const gh_image_t *image, const gh_decide_input_t *input, const gh_decision_t *decision, uint32_t target,
    gh_judged_facts_t *facts)
{
    const gh_target_verdict_t *verdict = gh_decision_verdict(decision, target);
    gh_decision_t      scratch = *decision;
    gh_judged_target_t judged;
    gh_deciding_t      d;

    memset(&d, 0, sizeof(d));
    memset(&judged, 0, sizeof(judged));
    d.image = image;
    d.input = input;
    d.decision = &scratch;
    d.now_ms = decision->clock_ms;
    d.node_country = gh_image_node_country(image, input->node);
    if (d.node_country < 0 || target >= image->count[GH_SECTION_TARGET]) {
        return GH_ERROR;
    }
    judged.left_out = verdict != NULL && verdict->store_false;
    gh_decide_facts(&d, &image->targets[target], &judged);
    *facts = judged.facts;
    if (judged.unlisted != NULL) {
        gh_judged_add_unlisted(facts);
    }
    return GH_OK;
}
