/* `gatehouse policy show`: the policy for people: a listing, or sentences to sign. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/policy_load.h"
#include "policy/cli/policy_words.h"

typedef struct {
    gh_cli_t        *cli;
    gh_cli_policy_t  policy;
    gh_cli_sets_t    sets;
    const char      *organisation;   /* NULL: all */
    unsigned         shown;
} showing_t;

/* Does a pattern of the policy lie in the organisation, or reach into it? */
static bool
wanted(const showing_t *s, const gh_model_policy_t *policy)
{
    size_t len = s->organisation ? strlen(s->organisation) : 0;

    for (uint32_t i = 0; s->organisation != NULL && i < policy->applies_to.count; i++) {
        gh_str_t pattern = policy->applies_to.items[i];

        if (gh_str_is(pattern, "*") || gh_str_is(pattern, s->organisation)
            || (pattern.len > len && strncmp(pattern.data, s->organisation, len) == 0 && pattern.data[len] == '/'))
        {
            return true;
        }
    }

    return s->organisation == NULL;
}

static bool
known_organisation(const showing_t *s)
{
    const gh_model_t *model = s->policy.model;
    gh_str_t          names[256], name = gh_str_from(s->organisation ? s->organisation : ""), near;
    size_t            count = 0;

    for (uint32_t i = 0; i < model->organisation_count; i++) {
        if (s->organisation == NULL || gh_str_eq(model->organisations[i].id, name)) {
            return true;
        }
        if (count < sizeof(names) / sizeof(names[0])) {
            names[count++] = model->organisations[i].id;
        }
    }
    near = gh_str_nearest(name, names, count);
    gh_cli_fail(s->cli, "--organisation %s: tenants/1 does not list it%s%.*s%s", s->organisation, near.len ? "; did you mean " : "",
        GH_STR_ARG(near), near.len ? "?" : "");

    return false;
}

/* ---- in words ---- */

static int
show_words(showing_t *s)
{
    gh_policy_words_t words = { .cli = s->cli, .arena = s->cli->arena, .loaded = &s->policy, .model = s->policy.model,
        .now_ms = gh_cli_now_ms() };
    int               status = GH_EXIT_DONE;

    for (uint32_t i = 0; i < s->policy.model->policy_count && status == GH_EXIT_DONE; i++) {
        words.policy = &s->policy.model->policies[i];
        if (words.policy->guard || !wanted(s, words.policy)) {
            continue;
        }
        printf("%s", s->shown++ > 0 ? "\f" : "");
        status = gh_policy_words_print(&words);
    }

    return status;
}

/* ---- a listing ---- */

static gh_str_t
join(const showing_t *s, const gh_str_list_t *names, uint64_t mask)
{
    gh_str_t text = GH_STR("");

    for (uint32_t i = 0; i < names->count; i++) {
        if (mask == UINT64_MAX || (i < 64 && (mask >> i & 1))) {
            text = gh_str_format(s->cli->arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len ? ", " : "", GH_STR_ARG(names->items[i]));
        }
    }

    return text;
}

static void
print_places(const showing_t *s, const char *name, gh_places_t places)
{
    printf("; %s %.*s", name, GH_STR_ARG(gh_cli_places_text(&s->sets, places)));
}

static void
print_rule(const showing_t *s, const gh_model_policy_t *policy, const gh_model_rule_t *rule)
{
    const gh_model_t *model = s->policy.model;
    bool              allow = rule->kind == GH_RULE_ALLOW;

    printf("  %-6s %.*s: %.*s", allow ? "allow" : "forbid", GH_STR_ARG(rule->id), GH_STR_ARG(allow || (rule->states & GH_STATES_CLASSES)
        ? join(s, &policy->classes, rule->class_mask) : GH_STR("every class")));
    if (rule->states & GH_STATES_TENANTS) {
        printf("; tenants %.*s", GH_STR_ARG(join(s, &rule->tenants, UINT64_MAX)));
    }
    if (rule->states & GH_STATES_MODELS) {
        printf("; models %.*s", GH_STR_ARG(join(s, &rule->models, UINT64_MAX)));
    }
    if (rule->states & GH_STATES_PROCESS) {
        print_places(s, "process", rule->process);
    }
    if (rule->states & GH_STATES_STORE_NOTHING) {
        printf("; store nothing");
    }
    if (rule->states & GH_STATES_STORE) {
        print_places(s, "store", rule->store);
    }
    if (rule->states & GH_STATES_MAX_DAYS) {
        printf(" for %u days", (unsigned) rule->max_days);
    }
    if (rule->states & GH_STATES_OPERATOR_HOME) {
        print_places(s, "operator_home", rule->operator_home);
    }
    if (rule->states & GH_STATES_PARTITIONS) {
        printf("; partitions %.*s", GH_STR_ARG(join(s, &model->partitions, rule->partition_mask)));
    }
    if (rule->states & GH_STATES_ATTEST) {
        printf("; attest %.*s", GH_STR_ARG(join(s, &model->attests, rule->attest_mask)));
    }
    if (rule->states & GH_STATES_TRAINING) {
        printf("; training%s", allow ? " accepted" : "");
    }
    if (rule->states & GH_STATES_UNLISTED_OK) {
        printf("; unlisted features accepted");
    }
    if (rule->states & GH_STATES_UNTIL) {
        printf("; until %.10s", gh_cli_time_text(s->cli->arena, rule->until_ms - 86400000));
    }
    printf(" (%s%s:%u)\n", s->policy.documents.prefix, rule->where.source, (unsigned) rule->where.line);
}

static void
print_policy(const showing_t *s, const gh_model_policy_t *policy)
{
    printf("%s%s %.*s for %.*s, facts %.*s\n", s->shown > 1 ? "\n" : "", policy->guard ? "guard" : "policy", GH_STR_ARG(policy->name),
        GH_STR_ARG(join(s, &policy->applies_to, UINT64_MAX)), GH_STR_ARG(policy->facts));
    if (!policy->guard) {
        printf("  classes %.*s; default %.*s", GH_STR_ARG(join(s, &policy->classes, UINT64_MAX)),
            GH_STR_ARG(policy->classes.items[policy->default_class]));
        if (policy->label_headers.count > 0) {
            printf("; labels %.*s, unknown %s", GH_STR_ARG(join(s, &policy->label_headers, UINT64_MAX)),
                policy->unknown_label == GH_LABEL_DENY ? "denied" : "highest");
        }
        printf("\n");
    }
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        print_rule(s, policy, &policy->rules[i]);
    }
}

static int
show_listing(showing_t *s)
{
    const gh_model_t *model = s->policy.model;

    if (s->policy.revision != 0) {
        printf("revision %llu\n\n", (unsigned long long) s->policy.revision);
    }
    for (uint32_t i = 0; i < model->policy_count; i++) {
        if (wanted(s, &model->policies[i])) {
            s->shown++;
            print_policy(s, &model->policies[i]);
        }
    }

    return GH_EXIT_DONE;
}

/* ---- as JSON ---- */

static json_t *
names_json(const gh_str_list_t *names, uint64_t mask)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < names->count; i++) {
        if (mask == UINT64_MAX || (i < 64 && (mask >> i & 1))) {
            json_array_append_new(list, json_stringn(names->items[i].data, names->items[i].len));
        }
    }

    return list;
}

static void
set_text(json_t *object, const char *name, gh_str_t text)
{
    if (text.len > 0) {
        json_object_set_new(object, name, json_stringn(text.data, text.len));
    }
}

/* As written in the document, with every place resolved to countries. */
static json_t *
rule_json(const showing_t *s, const gh_model_policy_t *policy, const gh_model_rule_t *rule)
{
    const gh_model_t *model = s->policy.model;
    bool              allow = rule->kind == GH_RULE_ALLOW;
    const char       *side = allow ? "within" : "touches";
    json_t           *object = json_pack("{s:s}", "kind", allow ? "allow" : "forbid");

    set_text(object, "id", rule->id);
    set_text(object, "why", rule->why);
    set_text(object, "law", rule->law);
    if (allow || (rule->states & GH_STATES_CLASSES)) {
        json_object_set_new(object, "classes", names_json(&policy->classes, rule->class_mask));
    }
    if (rule->states & GH_STATES_TENANTS) {
        json_object_set_new(object, "tenants", names_json(&rule->tenants, UINT64_MAX));
    }
    if (rule->states & GH_STATES_MODELS) {
        json_object_set_new(object, "models", names_json(&rule->models, UINT64_MAX));
    }
    if (rule->states & GH_STATES_PROCESS) {
        json_object_set_new(object, "process", json_pack("{s:o}", side, gh_cli_places_json(rule->process)));
    }
    if (rule->states & GH_STATES_STORE_NOTHING) {
        json_object_set_new(object, "store", json_string("nothing"));
    }
    if (rule->states & GH_STATES_STORE) {
        json_object_set_new(object, "store", json_pack("{s:o}", side, gh_cli_places_json(rule->store)));
    }
    if (rule->states & GH_STATES_MAX_DAYS) {
        json_object_set_new(json_object_get(object, "store"), "max_days", json_integer(rule->max_days));
    }
    if (rule->states & GH_STATES_OPERATOR_HOME) {
        json_object_set_new(object, "operator_home", json_pack("{s:o}", side, gh_cli_places_json(rule->operator_home)));
    }
    if (rule->states & GH_STATES_PARTITIONS) {
        json_object_set_new(object, "partitions", names_json(&model->partitions, rule->partition_mask));
    }
    if (rule->states & GH_STATES_ATTEST) {
        json_object_set_new(object, "attest", names_json(&model->attests, rule->attest_mask));
    }
    if (rule->states & GH_STATES_TRAINING) {
        json_object_set_new(object, "training", allow ? json_string("accepted") : json_true());
    }
    if (rule->states & GH_STATES_UNLISTED_OK) {
        json_object_set_new(object, "unlisted_features", json_string("accepted"));
    }
    if (rule->states & GH_STATES_UNTIL) {
        json_object_set_new(object, "until", json_stringn(gh_cli_time_text(s->cli->arena, rule->until_ms - 86400000), 10));
    }

    return object;
}

static json_t *
policy_json(const showing_t *s, const gh_model_policy_t *policy)
{
    json_t *object = json_pack("{s:b, s:o, s:o}", "guard", policy->guard, "applies_to", names_json(&policy->applies_to, UINT64_MAX), "rules",
        json_array());

    set_text(object, "name", policy->name);
    set_text(object, "facts", policy->facts);
    if (!policy->guard) {
        json_object_set_new(object, "classes", names_json(&policy->classes, UINT64_MAX));
        set_text(object, "default", policy->classes.items[policy->default_class]);
    }
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        json_array_append_new(json_object_get(object, "rules"), rule_json(s, policy, &policy->rules[i]));
    }

    return object;
}

static int
show_json(showing_t *s)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < s->policy.model->policy_count; i++) {
        if (wanted(s, &s->policy.model->policies[i])) {
            s->shown++;
            json_array_append_new(list, policy_json(s, &s->policy.model->policies[i]));
        }
    }

    return gh_cli_print_json(s->cli, json_pack("{s:I, s:o}", "revision", (json_int_t) s->policy.revision, "policies", list));
}

/* ---- the command ---- */

static int
show(showing_t *s)
{
    int status = gh_cli_policy_load(s->cli, s->cli->argument_count == 1 ? s->cli->arguments[0] : NULL, 0, gh_cli_now_ms(), &s->policy);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    if (!known_organisation(s)) {
        return GH_EXIT_ERROR;
    }
    gh_cli_sets_load(s->cli->arena, &s->sets);
    gh_cli_sets_prefer(&s->sets, s->policy.documents.sources, s->policy.documents.count);
    status = gh_cli_flag(s->cli, "json") ? show_json(s) : gh_cli_flag(s->cli, "words") ? show_words(s) : show_listing(s);
    if (status == GH_EXIT_DONE && s->shown == 0) {
        return gh_cli_fail(s->cli, s->organisation ? "no policy applies to %s" : "there is no policy%s",
            s->organisation ? s->organisation : "");
    }

    return status != GH_EXIT_DONE ? status : gh_cli_flush(s->cli);
}

static int
run(gh_cli_t *cli)
{
    showing_t s = { .cli = cli, .organisation = gh_cli_value(cli, "organisation") };
    int       status;

    if (gh_cli_flag(cli, "json") && gh_cli_flag(cli, "words")) {
        return gh_cli_misuse(cli, "give --words or --json, not both");
    }

    status = show(&s);
    if (s.policy.image != NULL) {
        gh_image_unref(s.policy.image);
    }

    return status;
}

static const gh_cli_option_t options[] = {
    { "words", NULL, "the policy in sentences, to be signed", false },
    { "organisation", "ORG", "only what binds this organisation", false },
    GH_CLI_STORE_OPTIONS,
    { "json", NULL, "prints an object: revision, policies; places are countries", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_show = {
    .name = "policy show",
    .usage = "[DIR] [--words] [options]",
    .summary = "prints the policy: a listing, or sentences to sign",
    .help =
        "Prints the policies of the documents below DIR, or of the revision in force: one line a rule. With --words:\n"
        "every class, rule and guard in sentences that counsel can sign, countries by name, what is unknown, what the\n"
        "gateway does not check, the revision with its digest, and a place to sign; 100 columns wide.",
    .options = options,
    .least = 0,
    .most = 1,
    .run = run,
};
