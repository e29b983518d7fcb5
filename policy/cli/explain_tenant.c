/*
 * `gatehouse explain --role tenant`: what the request's own tenant may see. That is what the gateway's answer says, verdict, code and the
 * id of the rule, and no more: no deployment, no place, no fact, no other tenant, nothing of how to change it.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli/explain.h"
#include "policy/cli/policy.h"

int
gh_cli_explain_role(const gh_cli_t *cli, bool *tenant)
{
    const char *role = gh_cli_value(cli, "role");

    *tenant = role != NULL && strcmp(role, "tenant") == 0;
    if (role != NULL && !*tenant && strcmp(role, "security") != 0) {
        return gh_cli_misuse(cli, "--role %s is neither security nor tenant", role);
    }
    if (*tenant && cli->argument_count == 1 && gh_cli_value(cli, "tenant") == NULL) {
        return gh_cli_misuse(cli, "--role tenant needs --tenant ORG/TENANT: a tenant sees its own requests only");
    }
    if (!*tenant && gh_cli_value(cli, "tenant") != NULL) {
        return gh_cli_misuse(cli, "--tenant goes with --role tenant");
    }
    if (*tenant && gh_cli_flag(cli, "again")) {
        return gh_cli_misuse(cli, "--again shows deployments, so it does not go with --role tenant");
    }

    return GH_EXIT_DONE;
}

/* Ids of the allows by which the first deployment may be used, each once. */
static json_t *
rules_of(const gh_cli_explain_t *explain)
{
    const gh_decision_t       *decision = &explain->decision;
    const gh_target_verdict_t *verdict = gh_decision_verdict(decision, decision->route[0]);
    json_t                    *rules = json_array();

    for (uint32_t i = 0; verdict != NULL && i < decision->class_count; i++) {
        gh_str_t id = gh_decision_rule_id(explain->image, verdict->fits[i]);
        bool     known = verdict->fits[i] < 0;

        for (size_t k = 0; k < json_array_size(rules); k++) {
            known = known || gh_str_is(id, json_string_value(json_array_get(rules, k)));
        }
        if (!known) {
            json_array_append_new(rules, json_stringn(id.data, id.len));
        }
    }

    return rules;
}

/* "Allowed by rule a." / "Denied with 403 residency_denied by rule a." of {"verdict", "status"?, "code"?, "rules", "request_id"?}. */
static void
print_sentence(const gh_cli_t *cli, const json_t *answer)
{
    const char   *code = json_string_value(json_object_get(answer, "code")), *id = json_string_value(json_object_get(answer, "request_id"));
    const json_t *rules = json_object_get(answer, "rules");
    long long     status = (long long) json_integer_value(json_object_get(answer, "status"));

    if (id != NULL) {
        printf("Request %s: ", id);
    }
    if (code == NULL) {
        printf("%s", id ? "allowed" : "Allowed");
    } else {
        printf("%s with ", id ? "denied" : "Denied");
        if (status != 0) {
            printf("%lld ", status);
        }
        printf("%s", code);
    }
    for (size_t i = 0; i < json_array_size(rules); i++) {
        gh_str_t rule = gh_cli_shown(cli->arena, gh_str_from(json_string_value(json_array_get(rules, i))));

        printf("%s%.*s", i > 0 ? ", " : json_array_size(rules) > 1 ? " by rules " : " by rule ", GH_STR_ARG(rule));
    }
    printf(".\n");
}

static int
print_answer(gh_cli_t *cli, json_t *answer)
{
    if (answer == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, answer);
    }
    print_sentence(cli, answer);
    json_decref(answer);

    return gh_cli_flush(cli);
}

int
gh_cli_explain_print_tenant(const gh_cli_explain_t *explain)
{
    const gh_decision_t       *decision = &explain->decision;
    const gh_verdict_answer_t *answer = &gh_verdict_answers[decision->code];
    json_t                    *rules = json_array();

    if (decision->code == GH_DECIDED_ALLOW) {
        json_decref(rules);
        return print_answer(explain->cli, json_pack("{s:s, s:o}", "verdict", "allow", "rules", rules_of(explain)));
    }
    if (decision->rule.len > 0) {
        json_array_append_new(rules, json_stringn(decision->rule.data, decision->rule.len));
    }

    return print_answer(explain->cli, json_pack("{s:s, s:i, s:s, s:o}", "verdict", "deny", "status", answer->status, "code", answer->code,
        "rules", rules));
}

static const char *
member(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));

    return text ? text : "";
}

static bool
of_tenant(const json_t *line, const char *tenant)
{
    size_t org = strlen(member(line, "org"));

    return org > 0 && strncmp(tenant, member(line, "org"), org) == 0 && tenant[org] == '/'
        && strcmp(tenant + org + 1, member(line, "tenant")) == 0;
}

/* A decision line as its tenant may see it. NULL: out of memory. */
static json_t *
tenant_answer(const char *id, const json_t *line)
{
    bool          allow = strcmp(member(line, "verdict"), "allow") == 0;
    const json_t *rule = json_object_get(line, "rule"), *first = json_array_get(json_object_get(line, "route"), 0);
    json_t       *rules = json_array(), *answer, *item;
    size_t        i;

    json_array_foreach(json_object_get(first, "rules"), i, item) {
        bool known = !json_is_string(item);

        for (size_t k = 0; k < json_array_size(rules); k++) {
            known = known || json_equal(item, json_array_get(rules, k));
        }
        if (!known) {
            json_array_append(rules, item);
        }
    }
    if (!allow && json_is_string(rule)) {
        json_array_append(rules, (json_t *) rule);
    }
    answer = json_pack("{s:s, s:s, s:o}", "request_id", id, "verdict", allow ? "allow" : "deny", "rules", rules);
    if (answer != NULL && !allow) {
        json_object_set_new(answer, "code", json_string(member(line, "code")));
    }

    return answer;
}

int
gh_cli_explain_tenant_record(gh_cli_t *cli, const char *id, const gh_cli_lines_t *lines)
{
    const char *tenant = gh_cli_value(cli, "tenant");

    for (size_t i = 0; i < lines->count; i++) {
        const json_t *line = lines->lines[i].json;

        if (strcmp(member(line, "type"), "decision") == 0 && of_tenant(line, tenant)) {
            int status = print_answer(cli, tenant_answer(id, line));

            return status != GH_EXIT_DONE ? status : strcmp(member(line, "verdict"), "allow") == 0 ? GH_EXIT_DONE : GH_EXIT_DENIED;
        }
    }

    return gh_cli_fail(cli, "no record of %s for %s", id, tenant);
}
