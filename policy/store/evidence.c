#include "policy/store/evidence.h"

#include "policy/store/image_format.h"

typedef struct {
    const gh_image_t  *image;
    uint64_t           before_ms;
    gh_evidence_end_t *ends;
    size_t             room, count;
} ending_t;

/* Models of a deployment share its evidence: said once. */
static bool
is_said(const ending_t *e, const gh_evidence_end_t *end)
{
    for (size_t i = e->count < e->room ? e->count : e->room; i-- > 0;) {
        if (e->ends[i].until_ms == end->until_ms && e->ends[i].fact == end->fact && gh_str_eq(e->ends[i].deployment, end->deployment)
            && gh_str_eq(e->ends[i].feature, end->feature))
        {
            return true;
        }
    }
    return false;
}

static void
add(ending_t *e, uint32_t deployment, gh_ref_t feature, const char *fact, uint64_t until_ms)
{
    gh_evidence_end_t end = { gh_image_str(e->image, e->image->deployments[deployment].id), gh_image_str(e->image, feature), fact, until_ms };

    if (until_ms == 0 || until_ms >= e->before_ms || is_said(e, &end)) {
        return;
    }
    if (e->count < e->room) {
        e->ends[e->count] = end;
    }
    e->count++;
}

size_t
gh_evidence_ending(const gh_image_t *image, uint64_t before_ms, gh_evidence_end_t *ends, size_t room)
{
    ending_t e = { .image = image, .before_ms = before_ms, .ends = ends, .room = room };

    for (uint32_t i = 0; i < image->count[GH_SECTION_TARGET]; i++) {
        const gh_image_target_t *target = &image->targets[i];
        const gh_ref_t           none = { 0 };

        add(&e, target->deployment, none, "process", target->until.process);
        add(&e, target->deployment, none, "store", target->until.store);
        add(&e, target->deployment, none, "operator_home", target->until.operator_home);
        add(&e, target->deployment, none, "training", target->until.training);
        add(&e, target->deployment, none, "attest", target->until.attest);
        for (uint32_t f = 0; f < target->features.count; f++) {
            const gh_image_feature_t *feature = &image->features[target->features.first + f];

            add(&e, target->deployment, feature->name, "features", feature->until_ms);
        }
    }
    return e.count;
}
