/* Who may use which deployment, and by which rules: every request there is, decided by the workers' function and counted by what it carries. */
#include "policy/cli/fleet_check.h"
#include "policy/cli/verdict_text.h"
#include "policy/store/image_format.h"

typedef struct {
    gh_cli_t            *cli;
    const gh_cli_sets_t *sets;
    uint64_t             now_ms;
    gh_fleet_uses_t     *uses;
    bool                 failed;
} counting_t;

static gh_str_t
carries_text(gh_arena_t *arena, const gh_decision_t *decision)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < decision->class_count; i++) {
        text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), i == 0 ? "" : i + 1 == decision->class_count ? " and " : ", ",
            GH_STR_ARG(decision->classes[i].name));
    }
    return text;
}

/* The row of a target and what is carried; new when there is none. */
static gh_fleet_use_t *
find_use(counting_t *c, uint32_t target, uint32_t policy, gh_str_t carries)
{
    gh_fleet_uses_t *uses = c->uses;

    for (uint32_t i = 0; i < uses->count; i++) {
        if (uses->items[i].target == target && uses->items[i].policy == policy && gh_str_eq(uses->items[i].carries, carries)) {
            return &uses->items[i];
        }
    }
    if ((uses->count & (uses->count - 1)) == 0) {
        gh_fleet_use_t *grown = gh_arena_grow(c->cli->arena, uses->items, uses->count, uses->count ? (size_t) uses->count * 2 : 1,
            sizeof(*grown));

        if (grown == NULL) {
            c->failed = true;
            return NULL;
        }
        uses->items = grown;
    }
    uses->items[uses->count] = (gh_fleet_use_t) { .target = target, .policy = policy, .rules = GH_STR(""), .reason = GH_STR("") };
    uses->items[uses->count].carries = gh_str_copy(c->cli->arena, carries);
    return &uses->items[uses->count++];
}

static int
visit(void *context, const gh_review_case_t *one)
{
    counting_t            *c = context;
    gh_heap_t              heap;
    gh_cli_sets_t          sets = *c->sets;
    gh_cli_verdict_words_t words = { .image = one->image, .decision = one->decision, .intake = one->input->intake, .sets = &sets };
    gh_str_t               carries;

    if (one->feature.kind != GH_REVIEW_NO_FEATURE || one->from_ms > c->now_ms) {
        return GH_OK;
    }
    gh_heap_init(&heap);
    words.arena = sets.arena = &heap.arena;
    carries = carries_text(&heap.arena, one->decision);

    for (uint32_t i = 0; i < one->decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &one->decision->targets[i];
        gh_fleet_use_t            *use;

        if (verdict->code == GH_TARGET_NOT_SERVED || verdict->code == GH_TARGET_ENDPOINT) {
            continue;
        }
        use = find_use(c, verdict->target, (uint32_t) (one->policy - one->image->policies), carries);
        if (use == NULL) {
            break;
        }
        if (verdict->code == GH_TARGET_ELIGIBLE) {
            use->yes += one->stands_for;
            if (use->rules.len == 0) {
                use->rules = gh_str_copy(c->cli->arena, gh_cli_rules_text(&words, verdict));
            }
        } else {
            use->no += one->stands_for;
            if (use->reason.len == 0) {
                use->reason = gh_str_copy(c->cli->arena, gh_cli_verdict_text(&words, verdict));
            }
        }
    }
    gh_heap_free(&heap);
    return c->failed ? GH_ERROR : GH_OK;
}

int
gh_fleet_uses(gh_cli_t *cli, const gh_image_t *image, const gh_cli_sets_t *sets, uint64_t now_ms, gh_fleet_uses_t *uses)
{
    counting_t         counting = { .cli = cli, .sets = sets, .now_ms = now_ms, .uses = uses };
    gh_review_groups_t groups;
    gh_review_t       *review;
    gh_error_t         error = { .code = "out_of_memory", .text = "out of memory" };

    *uses = (gh_fleet_uses_t) { .items = NULL };
    if (gh_review_groups_make(cli->arena, &image, 1, NULL, 0, &groups, &error) != GH_OK) {
        gh_cli_fail_error(cli, &error);
        return GH_ERROR;
    }
    review = gh_review_new(cli->arena, image, 0, &groups, now_ms);
    if (review == NULL || gh_review_all(review, visit, &counting, NULL, &error) != GH_OK) {
        gh_cli_fail_error(cli, &error);
        return GH_ERROR;
    }
    uses->counts = gh_review_counts(review);
    for (uint32_t i = 0; i < image->count[GH_SECTION_APP]; i++) {
        uses->uncovered_apps += image->profiles[image->apps[i].profile].policy < 0;
    }
    return GH_OK;
}
