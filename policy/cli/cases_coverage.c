/* What the cases reached: rules that decided, and classes that were held against deployments. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/cases.h"
#include "policy/store/image_format.h"

struct gh_cli_coverage_s {
    gh_arena_t       *arena;
    const gh_model_t *model;
    const gh_image_t *image;
    uint64_t         *rules;        /* by rule of the image: how often it decided on a deployment */
    uint8_t          *cells;        /* gh_cli_cell_t by policy, class, deployment */
};

static size_t
cell_index(const gh_cli_coverage_t *coverage, uint32_t policy, uint32_t class_index, uint32_t deployment)
{
    return ((size_t) policy * GH_MAX_CLASSES + class_index) * coverage->model->deployment_count + deployment;
}

/* The part of a pattern before its "*". */
static gh_str_t
stem(gh_str_t pattern)
{
    if (pattern.len > 0 && pattern.data[pattern.len - 1] == '*') {
        pattern.len--;
    }
    return pattern;
}

/* Can one name be covered by both? Patterns are beginnings, so one must begin the other. */
static bool
overlap(const gh_str_list_t *a, const gh_str_list_t *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; k < b->count; k++) {
            gh_str_t left = stem(a->items[i]), right = stem(b->items[k]);

            if (gh_str_starts(left, right) || gh_str_starts(right, left)) {
                return true;
            }
        }
    }
    return false;
}

gh_cli_coverage_t *
gh_cli_coverage_new(gh_arena_t *arena, const gh_model_t *model, const gh_image_t *image)
{
    gh_cli_coverage_t *coverage = gh_arena_alloc(arena, sizeof(*coverage));

    if (coverage == NULL) {
        return NULL;
    }
    *coverage = (gh_cli_coverage_t) { .arena = arena, .model = model, .image = image };
    coverage->rules = gh_arena_array(arena, image->count[GH_SECTION_RULE], sizeof(*coverage->rules));
    coverage->cells = gh_arena_array(arena, (size_t) model->policy_count * GH_MAX_CLASSES * model->deployment_count, 1);
    if (coverage->rules == NULL || coverage->cells == NULL) {
        return NULL;
    }
    for (uint32_t p = 0; p < model->policy_count; p++) {
        const gh_model_policy_t *policy = &model->policies[p];

        for (uint32_t t = 0; t < model->target_count; t++) {
            if (policy->guard || !overlap(&model->targets[t].serves, &policy->applies_to)) {
                continue;
            }
            for (uint32_t c = 0; c < policy->classes.count; c++) {
                coverage->cells[cell_index(coverage, p, c, model->targets[t].deployment)] = GH_CELL_UNCOVERED;
            }
        }
    }
    return coverage;
}

static void
cover(gh_cli_coverage_t *coverage, uint32_t policy, gh_str_t class_name, uint32_t target)
{
    int32_t class_index = gh_list_find(&coverage->model->policies[policy].classes, class_name);

    if (class_index >= 0) {
        coverage->cells[cell_index(coverage, policy, (uint32_t) class_index, coverage->image->targets[target].deployment)] = GH_CELL_COVERED;
    }
}

void
gh_cli_coverage_add(gh_cli_coverage_t *coverage, const gh_decision_t *decision, uint32_t policy)
{
    for (uint32_t i = 0; i < decision->target_count; i++) {
        const gh_target_verdict_t *verdict = &decision->targets[i];

        if (verdict->code == GH_TARGET_FORBIDDEN && verdict->rule >= 0) {
            coverage->rules[verdict->rule]++;
        }
        for (uint32_t c = 0; c < decision->class_count; c++) {
            if (verdict->code == GH_TARGET_ELIGIBLE && verdict->fits[c] >= 0) {
                coverage->rules[verdict->fits[c]]++;
            }
            if (verdict->code == GH_TARGET_ELIGIBLE || verdict->code == GH_TARGET_FORBIDDEN || verdict->code == GH_TARGET_NARROWED
                || (verdict->code == GH_TARGET_NO_ALLOW && verdict->class_index == c))
            {
                cover(coverage, policy, decision->classes[c].name, verdict->target);
            }
        }
    }
}

uint64_t
gh_cli_coverage_rule(const gh_cli_coverage_t *coverage, uint32_t rule)
{
    return coverage->rules[rule];
}

gh_cli_cell_t
gh_cli_coverage_cell(const gh_cli_coverage_t *coverage, uint32_t policy, uint32_t class_index, uint32_t deployment)
{
    return (gh_cli_cell_t) coverage->cells[cell_index(coverage, policy, class_index, deployment)];
}

gh_cli_coverage_counts_t
gh_cli_coverage_counts(const gh_cli_coverage_t *coverage)
{
    gh_cli_coverage_counts_t counts = { .rules = coverage->image->count[GH_SECTION_RULE] };
    size_t                   cells = (size_t) coverage->model->policy_count * GH_MAX_CLASSES * coverage->model->deployment_count;

    for (uint32_t i = 0; i < counts.rules; i++) {
        counts.rules_hit += coverage->rules[i] > 0;
    }
    for (size_t i = 0; i < cells; i++) {
        counts.cells += coverage->cells[i] != GH_CELL_IMPOSSIBLE;
        counts.cells_hit += coverage->cells[i] == GH_CELL_COVERED;
    }
    return counts;
}

/* ---- printed ---- */

static const char *
decided_word(const gh_model_rule_t *rule)
{
    return rule->kind == GH_RULE_ALLOW ? "fits" : "fires";
}

static void
print_rules(const gh_cli_coverage_t *coverage, const char *prefix, bool full)
{
    uint32_t number = 0;

    for (uint32_t p = 0; p < coverage->model->policy_count; p++) {
        const gh_model_policy_t *policy = &coverage->model->policies[p];

        for (uint32_t i = 0; i < policy->rule_count; i++, number++) {
            const gh_model_rule_t *rule = &policy->rules[i];
            const char            *kind = rule->kind == GH_RULE_ALLOW ? "allow" : "forbid";

            if (coverage->rules[number] == 0) {
                printf("  never  %s %.*s/%.*s: it %s in no case (%s%s:%u)\n", kind, GH_STR_ARG(policy->name), GH_STR_ARG(rule->id),
                    decided_word(rule), prefix, rule->where.source, (unsigned) rule->where.line);
            } else if (full) {
                printf("  %5llu  %s %.*s/%.*s\n", (unsigned long long) coverage->rules[number], kind, GH_STR_ARG(policy->name),
                    GH_STR_ARG(rule->id));
            }
        }
    }
}

static int
longest_class(const gh_model_policy_t *policy)
{
    size_t width = 0;

    for (uint32_t c = 0; c < policy->classes.count; c++) {
        width = policy->classes.items[c].len > width ? policy->classes.items[c].len : width;
    }
    return (int) width;
}

/* The names of the deployments that no case held a class against. */
static void
print_cells(const gh_cli_coverage_t *coverage, uint32_t p, bool full)
{
    const gh_model_policy_t *policy = &coverage->model->policies[p];
    int                      width = longest_class(policy);

    for (uint32_t c = 0; c < policy->classes.count; c++) {
        uint32_t covered = 0, missing = 0;

        for (uint32_t d = 0; d < coverage->model->deployment_count; d++) {
            gh_cli_cell_t cell = gh_cli_coverage_cell(coverage, p, c, d);

            covered += cell == GH_CELL_COVERED;
            missing += cell == GH_CELL_UNCOVERED;
        }
        if (missing == 0 && !full) {
            continue;
        }
        printf("  %-*.*s  %u of %u", width, GH_STR_ARG(policy->classes.items[c]), (unsigned) covered, (unsigned) (covered + missing));
        for (uint32_t d = 0, shown = 0; d < coverage->model->deployment_count; d++) {
            if (gh_cli_coverage_cell(coverage, p, c, d) == GH_CELL_UNCOVERED) {
                printf("%s%.*s", shown++ ? ", " : "; not with ", GH_STR_ARG(coverage->model->deployments[d].id));
            }
        }
        putchar('\n');
    }
}

void
gh_cli_coverage_print(const gh_cli_coverage_t *coverage, const char *prefix, bool full)
{
    gh_cli_coverage_counts_t counts = gh_cli_coverage_counts(coverage);

    printf("Rules: %u of %u decided in some case.\n", (unsigned) counts.rules_hit, (unsigned) counts.rules);
    print_rules(coverage, prefix, full);

    printf("Classes held against deployments: %u of %u.\n", (unsigned) counts.cells_hit, (unsigned) counts.cells);
    for (uint32_t p = 0; p < coverage->model->policy_count; p++) {
        if (!coverage->model->policies[p].guard) {
            print_cells(coverage, p, full);
        }
    }
}

static json_t *
json_name(gh_str_t name)
{
    return json_stringn(name.data, name.len);
}

static json_t *
rules_json(const gh_cli_coverage_t *coverage)
{
    json_t  *list = json_array();
    uint32_t number = 0;

    for (uint32_t p = 0; p < coverage->model->policy_count; p++) {
        const gh_model_policy_t *policy = &coverage->model->policies[p];

        for (uint32_t i = 0; i < policy->rule_count; i++, number++) {
            json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:I}", "policy", json_name(policy->name), "rule",
                json_name(policy->rules[i].id), "kind", policy->rules[i].kind == GH_RULE_ALLOW ? "allow" : "forbid",
                "decided", (json_int_t) coverage->rules[number]));
        }
    }
    return list;
}

static json_t *
cells_json(const gh_cli_coverage_t *coverage)
{
    json_t *list = json_array();

    for (uint32_t p = 0; p < coverage->model->policy_count; p++) {
        const gh_model_policy_t *policy = &coverage->model->policies[p];

        for (uint32_t c = 0; c < policy->classes.count; c++) {
            for (uint32_t d = 0; d < coverage->model->deployment_count; d++) {
                gh_cli_cell_t cell = gh_cli_coverage_cell(coverage, p, c, d);

                if (cell != GH_CELL_IMPOSSIBLE) {
                    json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b}", "policy", json_name(policy->name), "class",
                        json_name(policy->classes.items[c]), "deployment", json_name(coverage->model->deployments[d].id),
                        "covered", cell == GH_CELL_COVERED));
                }
            }
        }
    }
    return list;
}

json_t *
gh_cli_coverage_json(const gh_cli_coverage_t *coverage)
{
    gh_cli_coverage_counts_t counts = gh_cli_coverage_counts(coverage);

    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "rules", (json_int_t) counts.rules, "rules_decided", (json_int_t) counts.rules_hit,
        "cells", (json_int_t) counts.cells, "cells_covered", (json_int_t) counts.cells_hit, "by_rule", rules_json(coverage),
        "by_cell", cells_json(coverage));
}
