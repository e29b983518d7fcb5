/* A plan as text and as JSON. */
#include "policy/cli/plan.h"

#include <stdio.h>

#define LINES_SHOWN 40         /* of a section; the others are counted */

static json_t *
text(gh_str_t s)
{
    return json_stringn(s.data, s.len);
}

static const char *
plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- text ---- */

/* One section of statements: its title, and a line each. */
static void
print_statements(gh_arena_t *arena, const char *title, const gh_cli_statement_t *statements, uint32_t count, bool gained)
{
    uint32_t shown = 0, all = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (statements[i].gained != gained) {
            continue;
        }
        if (all++ == 0) {
            printf("\n%s:\n", title);
        }
        if (shown < LINES_SHOWN) {
            printf("  %c %.*s\n", gained ? '+' : '-', GH_STR_ARG(gh_cli_statement_text(arena, &statements[i])));
            shown++;
        }
    }
    if (all > shown) {
        printf("  and %u more\n", (unsigned) (all - shown));
    }
}

static void
print_changes(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_cli_statement_t *statements, uint32_t count, bool told)
{
    gh_cli_statement_t *operators, *deployments;
    uint32_t            operator_count, deployment_count;

    if (!told) {
        print_statements(who->arena, "Countries gained", statements, count, true);
        print_statements(who->arena, "Countries lost", statements, count, false);
    }
    if (gh_cli_statements(who, plan, true, false, &deployments, &deployment_count) == GH_OK) {
        print_statements(who->arena, "Deployments gained", deployments, deployment_count, true);
        print_statements(who->arena, "Deployments lost", deployments, deployment_count, false);
    }
    if (gh_cli_statements(who, plan, false, true, &operators, &operator_count) == GH_OK) {
        print_statements(who->arena, "Operators gained", operators, operator_count, true);
        print_statements(who->arena, "Operators lost", operators, operator_count, false);
    }
}

typedef enum { RULES, LIMITS, CALLERS, OTHERS } section_t;

static section_t
section_of(const gh_cli_edit_line_t *line)
{
    if (gh_str_is(line->where, "allow") || gh_str_is(line->where, "forbid")) {
        return RULES;
    }
    if (gh_str_is(line->where, "issuer") || gh_str_is(line->where, "certificates")) {
        return CALLERS;
    }
    return gh_str_is(line->where, "limit") || gh_str_is(line->where, "limits") ? LIMITS : OTHERS;
}

static void
print_lines(const char *title, const gh_cli_edit_line_t *lines, uint32_t count, section_t section)
{
    uint32_t shown = 0, all = 0;

    for (uint32_t i = 0; i < count; i++) {
        const gh_cli_edit_line_t *line = &lines[i];

        if (section_of(line) != section) {
            continue;
        }
        if (all++ == 0) {
            printf("\n%s:\n", title);
        }
        if (shown == LINES_SHOWN) {
            continue;
        }
        shown++;
        printf("  %c %.*s %.*s%s%.*s%s%.*s\n", line->sign, GH_STR_ARG(line->where), GH_STR_ARG(line->owner), line->owner.len > 0 ? "/" : "",
            GH_STR_ARG(line->id), line->details.len > 0 ? ": " : "", GH_STR_ARG(line->details));
    }
    if (all > shown) {
        printf("  and %u more\n", (unsigned) (all - shown));
    }
}

static void
print_warnings(const gh_cli_planned_t *planned)
{
    for (uint32_t i = 0; i < planned->warning_count; i++) {
        const gh_error_t *error = &planned->warnings[i]->error;

        if (i == 0) {
            printf("\nWarnings that are new:\n");
        }
        if (error->line > 0) {
            printf("  %s%s:%u:%u: %s\n", planned->after.documents.prefix, error->source, (unsigned) error->line, (unsigned) error->column,
                error->text);
        } else {
            printf("  %s\n", error->text);
        }
    }
}

/* A comparison besides the plan itself: "If GDPR_ADEQUATE_DPF = {}: ...". */
static void
print_besides(const gh_cli_planned_t *planned, const gh_plan_t *plan, const char *title, gh_str_t what)
{
    gh_cli_statement_t *statements;
    gh_cli_who_t        who;
    uint32_t            count;
    gh_str_t            sentence;
    bool                told;

    if (gh_cli_who_init(&who, planned->cli->arena, &plan->groups, &planned->sets) != GH_OK
        || gh_cli_statements(&who, plan, false, false, &statements, &count) != GH_OK)
    {
        return;
    }
    sentence = gh_cli_plan_sentence(&who, plan, statements, count, &told);
    printf("\n%s %.*s: %.*s\n", title, GH_STR_ARG(what), GH_STR_ARG(sentence));
    print_changes(&who, plan, statements, count, told);
}

static void
print_counts(const gh_cli_planned_t *planned)
{
    const gh_review_counts_t *after = &planned->plan.after, *before = &planned->plan.before;

    printf("\n%llu decisions before and %llu after, for %llu app%s in %llu kind%s of caller, from %s on with %llu later instant%s at which a rule "
           "or evidence ends\n", (unsigned long long) before->decisions, (unsigned long long) after->decisions,
        (unsigned long long) planned->plan.groups.app_count, plural(planned->plan.groups.app_count),
        (unsigned long long) planned->plan.groups.group_count, plural(planned->plan.groups.group_count),
        gh_cli_time_text(planned->cli->arena, planned->now_ms), (unsigned long long) (after->instants > before->instants ? after->instants
            : before->instants), plural(after->instants > before->instants ? after->instants : before->instants));
    if (!planned->changes) {
        printf("Nothing changes: these are the documents of revision %llu.\n", (unsigned long long) planned->base);
    }
}

int
gh_cli_plan_print(const gh_cli_planned_t *planned)
{
    gh_arena_t         *arena = planned->cli->arena;
    gh_cli_statement_t *statements;
    gh_cli_who_t        who;
    uint32_t            count;
    gh_str_t            sentence;
    bool                told;

    if (gh_cli_who_init(&who, arena, &planned->plan.groups, &planned->sets) != GH_OK
        || gh_cli_statements(&who, &planned->plan, false, false, &statements, &count) != GH_OK)
    {
        return gh_cli_fail(planned->cli, "out of memory");
    }
    sentence = gh_cli_plan_sentence(&who, &planned->plan, statements, count, &told);
    printf("%.*s\n", GH_STR_ARG(sentence));
    print_changes(&who, &planned->plan, statements, count, told);
    print_lines("Rules", planned->lines.items, planned->lines.count, RULES);
    print_lines("Limits", planned->lines.items, planned->lines.count, LIMITS);
    print_lines("Tokens and certificates", planned->lines.items, planned->lines.count, CALLERS);
    print_lines("Also", planned->lines.items, planned->lines.count, OTHERS);
    print_lines("Documents", planned->files, planned->file_count, OTHERS);
    if (planned->pinned.model != NULL) {
        print_besides(planned, &planned->pin_plan, "Of this, by the facts alone that policies are pinned to,", planned->pins);
    }
    if (planned->supposed.model != NULL) {
        print_besides(planned, &planned->if_plan, "If", planned->supposition);
    }
    print_warnings(planned);
    print_counts(planned);

    return gh_cli_flush(planned->cli);
}

/* ---- JSON ---- */

static json_t *
change_json(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_plan_change_t *change)
{
    static const char *const statuses[] = { "changed", "new", "gone" };
    json_t                  *object = json_pack("{s:o, s:o, s:o, s:o, s:o}", "tenants",
        gh_cli_who_json(who, change->groups, change->group_count), "class", text(change->class_name), "process",
        gh_cli_places_json(change->what.of[GH_REACH_PROCESS]), "store", gh_cli_places_json(change->what.of[GH_REACH_STORE]), "operator",
        gh_cli_places_json(change->what.of[GH_REACH_OPERATOR]));

    if (object != NULL && change->from_ms > plan->now_ms) {
        json_object_set_new(object, "from", json_string(gh_cli_time_text(who->arena, change->from_ms)));
    }
    if (object != NULL && change->deployment.len > 0) {
        json_object_set_new(object, "deployment", text(change->deployment));
        json_object_set_new(object, "model", text(change->model));
        json_object_set_new(object, "status", json_string(statuses[change->status]));
        if (change->feature.kind == GH_REVIEW_LISTED_FEATURE) {
            json_object_set_new(object, "feature", text(change->feature.name));
        } else if (change->feature.kind == GH_REVIEW_UNLISTED_FEATURE) {
            json_object_set_new(object, "unlisted_feature", json_true());
        }
    }

    return object;
}

static json_t *
changes_json(const gh_cli_who_t *who, const gh_plan_t *plan, const gh_plan_changes_t *changes, bool gained)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < changes->count; i++) {
        if (changes->items[i].gained == gained) {
            json_array_append_new(list, change_json(who, plan, &changes->items[i]));
        }
    }

    return list;
}

/* {"summary", "gained", "lost", "deployments_gained", "deployments_lost"} of one comparison; NULL: out of memory. */
static json_t *
comparison_json(const gh_cli_planned_t *planned, const gh_plan_t *plan)
{
    gh_cli_statement_t *statements;
    gh_cli_who_t        who;
    uint32_t            count;
    bool                told;

    if (gh_cli_who_init(&who, planned->cli->arena, &plan->groups, &planned->sets) != GH_OK
        || gh_cli_statements(&who, plan, false, false, &statements, &count) != GH_OK)
    {
        return NULL;
    }

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "summary", text(gh_cli_plan_sentence(&who, plan, statements, count, &told)), "gained",
        changes_json(&who, plan, &plan->reach, true), "lost", changes_json(&who, plan, &plan->reach, false), "deployments_gained",
        changes_json(&who, plan, &plan->deployments, true), "deployments_lost", changes_json(&who, plan, &plan->deployments, false));
}

static json_t *
lines_json(const gh_cli_edit_line_t *lines, uint32_t count)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++) {
        json_t *object = json_pack("{s:s, s:o, s:o}", "change", lines[i].sign == '+' ? "added" : lines[i].sign == '-' ? "removed" : "changed",
            "what", text(lines[i].where), "id", text(lines[i].id));

        if (object != NULL && lines[i].owner.len > 0) {
            json_object_set_new(object, "of", text(lines[i].owner));
        }
        if (object != NULL && lines[i].details.len > 0) {
            json_object_set_new(object, "details", text(lines[i].details));
        }
        json_array_append_new(list, object);
    }

    return list;
}

static json_t *
warnings_json(const gh_cli_planned_t *planned)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < planned->warning_count; i++) {
        const gh_error_t *error = &planned->warnings[i]->error;

        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s}", "code", error->code ? error->code : "", "file", error->source,
            "line", (json_int_t) error->line, "column", (json_int_t) error->column, "text", error->text));
    }

    return list;
}

json_t *
gh_cli_plan_json(const gh_cli_planned_t *planned)
{
    json_t *object = comparison_json(planned, &planned->plan);

    if (object == NULL) {
        return NULL;
    }
    json_object_set_new(object, "changes", json_boolean(planned->changes));
    json_object_set_new(object, "base", json_integer((json_int_t) planned->base));
    json_object_set_new(object, "at", json_string(gh_cli_time_text(planned->cli->arena, planned->now_ms)));
    json_object_set_new(object, "edits", lines_json(planned->lines.items, planned->lines.count));
    json_object_set_new(object, "documents", lines_json(planned->files, planned->file_count));
    json_object_set_new(object, "warnings", warnings_json(planned));
    json_object_set_new(object, "decisions", json_pack("{s:I, s:I}", "before", (json_int_t) planned->plan.before.decisions, "after",
        (json_int_t) planned->plan.after.decisions));
    if (planned->pinned.model != NULL) {
        json_t *pinned = comparison_json(planned, &planned->pin_plan);

        if (pinned != NULL) {
            json_object_set_new(pinned, "moved", text(planned->pins));
        }
        json_object_set_new(object, "facts", pinned);
    }
    if (planned->supposed.model != NULL) {
        json_t *supposed = comparison_json(planned, &planned->if_plan);

        if (supposed != NULL) {
            json_object_set_new(supposed, "supposed", text(planned->supposition));
        }
        json_object_set_new(object, "if", supposed);
    }

    return object;
}
