/* `gatehouse explain ID`: the story of one request from its lines in the record. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/base/id.h"
#include "policy/cli/explain.h"
#include "policy/cli/record_find.h"

#define DIRECTORIES_MAX 16u

typedef struct {
    gh_cli_t      *cli;
    gh_cli_sets_t  sets;
    uint64_t       decided_ms;     /* 0: no decision line was found */
    bool           denied;
    bool           ended;          /* an outcome line was found */
} story_t;

/* Text of a member that may be printed to a terminal; "" when it is absent. Parts of it came from clients. */
static const char *
text(const story_t *story, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    gh_str_t      shown;

    if (!json_is_string(value)) {
        return "";
    }

    shown = gh_cli_shown(story->cli->arena, (gh_str_t) { json_string_value(value), json_string_length(value) });

    return shown.data;
}

static long long
number(const json_t *object, const char *key)
{
    return (long long) json_integer_value(json_object_get(object, key));
}

static bool
has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

/* ["DE","SE"], ["ANYWHERE"], ["?"], "nothing" in words. */
static gh_str_t
places(const story_t *story, const json_t *list)
{
    gh_places_t   set = gh_places_none();
    const json_t *item;
    size_t        i;

    if (json_is_string(list)) {
        return gh_str_from(json_string_value(list));
    }

    json_array_foreach((json_t *) list, i, item) {
        gh_str_t code = { json_string_value(item), json_string_length(item) };
        int      country;

        if (code.data == NULL) {
            continue;
        }

        if (gh_str_is(code, "?")) {
            return GH_STR("unknown");
        }
        if (gh_str_is(code, "ANYWHERE")) {
            return GH_STR("ANYWHERE");
        }

        country = gh_country_index(code);
        if (country >= 0) {
            gh_places_add(&set, country);
        }
    }

    return gh_cli_places_text(&story->sets, set);
}

/* "a, b" of an array of strings. */
static void
print_list(const story_t *story, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *holder = json_pack("{s:O}", "x", json_array_get(list, i));

        printf("%s%s", i ? ", " : "", text(story, holder, "x"));
        json_decref(holder);
    }
}

/* "deployment (SE, rules a, b)" of a route entry or an attempt. */
static void
print_step(const story_t *story, const json_t *step)
{
    const json_t *rules = json_object_get(step, "rules");

    printf("%s", text(story, step, "deployment"));
    if (has(step, "upstream_model")) {
        printf(" as %s", text(story, step, "upstream_model"));
    }
    if (has(step, "process")) {
        printf(", processed in %.*s", GH_STR_ARG(places(story, json_object_get(step, "process"))));
    }
    if (json_array_size(rules) > 0) {
        printf(", by rule%s ", json_array_size(rules) > 1 ? "s" : "");
        print_list(story, rules);
    }
}

static unsigned
bits_of(const char *hex)
{
    unsigned bits = 0;

    for ( ; hex != NULL && *hex != '\0'; hex++) {
        int digit = isdigit((unsigned char) *hex) ? *hex - '0' : tolower((unsigned char) *hex) - 'a' + 10;

        for ( ; digit > 0 && digit < 16; digit >>= 1) {
            bits += (unsigned) digit & 1;
        }
    }

    return bits;
}

static void
print_classes(const story_t *story, const json_t *classes)
{
    const json_t *entry;
    size_t        i;

    json_array_foreach((json_t *) classes, i, entry) {
        printf("%s%s (%s)", i ? ", " : "  Classes: ", text(story, entry, "name"), text(story, entry, "from"));
    }
    if (json_array_size(classes) > 0) {
        printf(".\n");
    }
}

/* One deployment that was refused: "no   azure-we  AD AE and 230 more: outside rule x (process) for class y". */
static void
print_verdict(const story_t *story, const json_t *verdict)
{
    static const struct { const char *word, *sentence; } others[] = {
        { "not_served", "not for this tenant (\"serves\")" },
        { "endpoint", "does not offer the endpoint" },
        { "narrowed", "outside the places the request, its caller or tenant allowed" },
        { "elsewhere", "not where the state is that the request uses" },
        { "not_expressible", "cannot be asked that: the request has no translation for it" },
    };
    const char   *word = text(story, verdict, "verdict"), *rule = text(story, verdict, "rule");
    const json_t *set = json_object_get(verdict, "places"), *misses = json_object_get(verdict, "misses");

    printf("  no  %s  ", text(story, verdict, "deployment"));
    if (has(verdict, "places_more")) {
        print_list(story, set);
        printf(" and %lld more: ", number(verdict, "places_more"));
    } else if (set != NULL) {
        printf("%.*s: ", GH_STR_ARG(places(story, set)));
    }

    if (strcmp(word, "forbidden") == 0) {
        printf("forbidden by rule %s", rule);

    } else if (strcmp(word, "no_allow") == 0 && rule[0] != '\0') {
        printf("outside rule %s (", rule);
        print_list(story, misses);
        printf(") for class %s", text(story, verdict, "class"));

    } else if (strcmp(word, "no_allow") == 0) {
        printf("no rule allows class %s here", text(story, verdict, "class"));
    }

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(word, others[i].word) == 0) {
            printf("%s", others[i].sentence);
        }
    }

    if (has(verdict, "feature")) {
        printf("; the request used %s, which the deployment does not list", text(story, verdict, "feature"));
    }
    printf("\n");
}

/* Of an abridged line: how many deployments each rule refused. */
static void
print_refused(const json_t *no)
{
    const char *rule;
    json_t     *bitmap;
    bool        first = true;

    json_object_foreach((json_t *) no, rule, bitmap) {
        unsigned bits = bits_of(json_string_value(bitmap));

        printf("%s%s (%u deployment%s)", first ? "  Not eligible: " : ", ", rule, bits, bits == 1 ? "" : "s");
        first = false;
    }
    if (!first) {
        printf(".\n");
    }
}

/* "Denied with residency_denied by rule x: detail." or "Allowed"; then under what. */
static void
print_decided(const story_t *story, const json_t *line)
{
    printf("%s  ", gh_cli_time_text(story->cli->arena, story->decided_ms));

    if (story->denied) {
        printf("Denied with %s", text(story, line, "code"));
        if (has(line, "rule")) {
            printf(" by rule %s", text(story, line, "rule"));
        }
    } else {
        printf("Allowed");
    }

    if (has(line, "revision")) {
        printf(" under revision %lld", number(line, "revision"));
    } else {
        printf(" before it was decided");
    }
    if (has(line, "residency")) {
        printf(" of policy %s", text(story, line, "residency"));
    }
    if (has(line, "node")) {
        printf(", on node %s%s%s", text(story, line, "node"), has(line, "node_country") ? " in " : "",
            text(story, line, "node_country"));
    }
    printf(".\n");

    if (has(line, "detail") && text(story, line, "detail")[0] != '\0') {
        printf("  %s\n", text(story, line, "detail"));
    }
}

/* What the caller narrowed by itself. */
static void
print_own(const story_t *story, const json_t *line, const char *name, const char *what)
{
    const json_t *lists = json_object_get(line, name), *list;
    size_t        i;

    json_array_foreach((json_t *) lists, i, list) {
        if (!json_is_string(list)) {
            continue;
        }
        printf("  The caller's key, token or certificate is narrowed to the %s %s.\n", what,
            gh_cli_shown(story->cli->arena, (gh_str_t) { json_string_value(list), json_string_length(list) }).data);
    }
}

static void
print_asked(const story_t *story, const json_t *line)
{
    printf("  %s/%s/%s, key %s, asked%s%s", text(story, line, "org"), text(story, line, "tenant"), text(story, line, "app"),
        text(story, line, "key"), has(line, "model") ? " for " : "", text(story, line, "model"));
    if (has(line, "model_sent")) {
        printf(" (as \"%s\")", text(story, line, "model_sent"));
    }
    printf(" at %s%s", text(story, line, "endpoint"), json_is_true(json_object_get(line, "stream")) ? ", streamed" : "");
    if (has(line, "service_tier")) {
        printf(", service tier %s", text(story, line, "service_tier"));
    }
    if (has(line, "operation")) {
        printf(", to %s what is kept there", strcmp(text(story, line, "operation"), "input_items") == 0 ? "list the input of"
            : text(story, line, "operation"));
    } else if (has(line, "bytes")) {
        printf(", %lld bytes", number(line, "bytes"));
    }
    printf(".\n");

    if (has(line, "session")) {
        const json_t *session = json_object_get(line, "session");

        printf("  Session %s, named by %s.\n", text(story, session, "id_sha256"), text(story, session, "source"));
    }
    if (json_array_size(json_object_get(line, "state_sessions")) > 0) {
        printf("  It uses state of %s: ", json_array_size(json_object_get(line, "state_sessions")) == 1 ? "another session" : "other sessions");
        print_list(story, json_object_get(line, "state_sessions"));
        printf("%s.\n", json_is_true(json_object_get(line, "state_sessions_more")) ? " and more" : "");
    }

    if (has(line, "unopened")) {
        const json_t *unopened = json_object_get(line, "unopened");

        printf("  The id in %s could not be used: %s.\n", text(story, unopened, "where"), text(story, unopened, "why"));
    }

    print_own(story, line, "key_places", "places");
    print_own(story, line, "key_models", "models");
    if (json_array_size(json_object_get(line, "narrowing")) > 0) {
        printf("  Narrowed to: ");
        print_list(story, json_object_get(line, "narrowing"));
        printf(".\n");
    }
}

static void
print_features(const story_t *story, const json_t *features)
{
    const json_t *use;
    size_t        i;

    json_array_foreach((json_t *) features, i, use) {
        const char *name = text(story, use, "name");

        printf("%s%s from %s%s", i ? ", " : "  Features: ", name[0] ? name : "unknown", text(story, use, "where"),
            json_is_true(json_object_get(use, "by_default")) ? " (by default)" : "");
    }
    if (json_array_size(features) > 0) {
        printf(".\n");
    }
}

/* What was held for it before it was sent. */
static void
print_reserve(const json_t *line)
{
    const json_t *reserve = json_object_get(line, "reserve");

    if (reserve != NULL && has(reserve, "deployment")) {
        printf("  Reserved: %lld in, %lld out", number(reserve, "input"), number(reserve, "output"));
        if (number(reserve, "micro_dollars") != 0) {
            printf(", $%lld.%06lld", number(reserve, "micro_dollars") / 1000000, number(reserve, "micro_dollars") % 1000000);
        }
        printf(", under %zu limit%s.\n", json_array_size(json_object_get(reserve, "limits")),
            json_array_size(json_object_get(reserve, "limits")) == 1 ? "" : "s");
    }
}

static void
tell_decision(story_t *story, const json_t *line)
{
    const json_t *route = json_object_get(line, "route"), *verdicts = json_object_get(line, "verdicts"), *item;
    size_t        i;

    story->decided_ms = (uint64_t) number(line, "t");
    story->denied = strcmp(text(story, line, "verdict"), "deny") == 0;

    print_decided(story, line);
    print_asked(story, line);
    print_classes(story, json_object_get(line, "classes"));
    print_features(story, json_object_get(line, "features"));
    if (json_object_get(line, "pin") != NULL) {
        printf("  State: kept by %s, as %s says: it goes there or nowhere.\n", text(story, json_object_get(line, "pin"), "deployment"),
            text(story, json_object_get(line, "pin"), "where"));
    }

    json_array_foreach((json_t *) route, i, item) {
        printf("  %zu.  ", i + 1);
        print_step(story, item);
        printf("\n");
    }
    if (json_array_size(json_object_get(line, "route_more")) > 0) {
        printf("  then ");
        print_list(story, json_object_get(line, "route_more"));
        printf("\n");
    }

    gh_cli_explain_tell_order(story->cli->arena, line);
    json_array_foreach((json_t *) verdicts, i, item) {
        print_verdict(story, item);
    }
    if (verdicts == NULL) {
        print_refused(json_object_get(line, "no"));
    }
    print_reserve(line);
}

static void
tell_attempt(const story_t *story, const json_t *line)
{
    printf("%s  Attempt %lld: ", gh_cli_time_text(story->cli->arena, (uint64_t) number(line, "t")), number(line, "number"));
    print_step(story, line);
    if (has(line, "revision")) {
        printf(", revision %lld", number(line, "revision"));
    }
    printf("\n");
    print_reserve(line);
}

/* ", charged 12 in, 7 out, $0.000123 (reported)" of an attempt, outcome or lost line; nothing when it has none. */
static void
print_charged(const story_t *story, const json_t *line)
{
    const json_t *charged = json_object_get(line, "charged");
    const char   *source = text(story, charged, "source");

    if (charged == NULL) {
        return;
    }
    printf(", charged %lld in, %lld out", number(charged, "input"), number(charged, "output"));
    if (number(charged, "micro_dollars") != 0) {
        printf(", $%lld.%06lld", number(charged, "micro_dollars") / 1000000, number(charged, "micro_dollars") % 1000000);
    }
    if (source[0] != '\0') {
        printf(" (%s)", source);
    }
}

static void
print_attempt_result(const story_t *story, size_t index, const json_t *attempt)
{
    printf("  %zu. %s: ", index + 1, text(story, attempt, "deployment"));

    if (number(attempt, "status") != 0) {
        printf("answered %lld", number(attempt, "status"));
    } else {
        printf("no answer");
    }
    if (has(attempt, "error")) {
        printf(" (%s)", text(story, attempt, "error"));
    }
    if (has(attempt, "sent")) {
        printf(", %lld bytes sent, %lld received", number(attempt, "sent"), number(attempt, "received"));
    }
    if (has(attempt, "total_us")) {
        printf(", %.1f ms", (double) number(attempt, "total_us") / 1000);
    }
    if (has(attempt, "request_id")) {
        printf(", the backend calls it %s", text(story, attempt, "request_id"));
    }
    print_charged(story, attempt);
    printf("\n");
}

static void
tell_outcome(story_t *story, const json_t *line)
{
    static const struct { const char *word, *sentence; } ends[] = {
        { "complete", "completely" },
        { "cut", "but cut short" },
        { "client_left", "but the client left" },
        { "denied_late", "but ended early: a later revision, or time, denied the rest" },
        { "failed", "as a failure" },
    };
    const json_t *attempts = json_object_get(line, "attempts"), *attempt, *usage = json_object_get(line, "usage");
    const char   *end = text(story, line, "end");
    uint64_t      t = (uint64_t) number(line, "t");
    size_t        i;

    story->ended = true;
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (strcmp(end, ends[i].word) == 0) {
            end = ends[i].sentence;
            break;
        }
    }

    printf("%s  Answered %lld %s", gh_cli_time_text(story->cli->arena, t), number(line, "status"), end);
    if (has(line, "code")) {
        printf(" (%s)", text(story, line, "code"));
    }
    if (story->decided_ms != 0 && t >= story->decided_ms) {
        printf(", %.1f s after the decision", (double) (t - story->decided_ms) / 1000);
    }
    printf(".\n");

    json_array_foreach((json_t *) attempts, i, attempt) {
        print_attempt_result(story, i, attempt);
    }

    if (usage != NULL) {
        printf("  Tokens: %lld in, %lld out (%s)", number(usage, "input"), number(usage, "output"),
            has(usage, "source") ? text(story, usage, "source") : "as reported");
        printf("; %lld bytes to the client.\n", number(line, "bytes_out"));
    }
    if (json_is_true(json_object_get(line, "over_reserved"))) {
        printf("  More was used than was reserved: a bound of the model is wrong.\n");
    }
}

static void
tell_lost(story_t *story, const json_t *line)
{
    story->ended = true;
    printf("%s  Lost: its worker died during attempt %lld, and nobody knows how it ended", gh_cli_time_text(story->cli->arena,
        (uint64_t) number(line, "t")), number(line, "number"));
    print_charged(story, line);
    printf(".\n");
}

static void
tell(story_t *story, const gh_cli_lines_t *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        const json_t *line = lines->lines[i].json;
        const char   *type = text(story, line, "type");

        if (strcmp(type, "decision") == 0) {
            tell_decision(story, line);

        } else if (strcmp(type, "attempt") == 0) {
            tell_attempt(story, line);

        } else if (strcmp(type, "outcome") == 0) {
            tell_outcome(story, line);

        } else if (strcmp(type, "lost") == 0) {
            tell_lost(story, line);

        } else {
            printf("%s  %s\n", gh_cli_time_text(story->cli->arena, (uint64_t) number(line, "t")), type);
        }
    }

    if (story->decided_ms == 0) {
        printf("The decision itself is not in this record: its segment was moved away or lost.\n");

    } else if (!story->denied && !story->ended) {
        printf("There is no outcome: the request is still running, or its worker died and no other one has finished its record yet.\n");
    }

    printf("Record: %s\n", lines->lines[0].file);
}

static int
print_json(story_t *story, const gh_cli_lines_t *lines)
{
    json_t *list = json_array();

    for (size_t i = 0; i < lines->count; i++) {
        json_array_append(list, lines->lines[i].json);
        if (strcmp(text(story, lines->lines[i].json, "verdict"), "deny") == 0) {
            story->denied = true;
        }
    }

    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(list);

    return GH_EXIT_DONE;
}

static int
not_found(const gh_cli_t *cli, const char *id, const char *directory, const gh_cli_lines_t *lines)
{
    gh_cli_fail(cli, "no record of %s in %s (%zu file%s read)", id, directory, lines->files, lines->files == 1 ? "" : "s");
    if (lines->damaged > 0) {
        gh_cli_advise("%zu damaged line%s there name%s this id; look at the files", lines->damaged,
            lines->damaged == 1 ? "" : "s", lines->damaged == 1 ? "s" : "");
    }
    gh_cli_advise("look on the node that answered, or name another directory with --audit; requests without a valid key "
        "are not recorded, nor those that were sent in a gap: `gatehouse audit show --type gap`");

    return GH_EXIT_ERROR;
}

/* --again: the decision line only. */
static int
again(story_t *story, const gh_cli_lines_t *lines)
{
    int status;

    for (size_t i = 0; i < lines->count; i++) {
        const json_t *line = lines->lines[i].json;

        if (strcmp(text(story, line, "type"), "decision") == 0) {
            story->denied = strcmp(text(story, line, "verdict"), "deny") == 0;
            status = gh_cli_explain_again(story->cli, line);

            return status != GH_EXIT_DONE ? status : story->denied ? GH_EXIT_DENIED : GH_EXIT_DONE;
        }
    }

    return gh_cli_fail(story->cli, "the decision itself is not in this record, so it cannot be made again");
}

int
gh_cli_explain_id(gh_cli_t *cli, const char *id)
{
    const char    *directories[DIRECTORIES_MAX + 1] = { gh_cli_value_at(cli, "audit", 0) };
    story_t        story = { .cli = cli };
    gh_error_t     error = { 0 };
    gh_cli_lines_t lines;
    gh_str_t       home_audit, lower = gh_str_copy(cli->arena, gh_str_from(id));
    uint64_t       id_ms;
    bool           tenant;
    int            status;

    for (size_t i = 0; lower.data != NULL && i < lower.len; i++) {
        ((char *) lower.data)[i] = (char) tolower((unsigned char) lower.data[i]);
    }

    if (lower.data == NULL || gh_uuid7_time(lower, &id_ms) != GH_OK) {
        return gh_cli_misuse(cli, "%s is not a request id: the x-request-id of an answer, such as "
            "01932f5e-7c3a-7abc-8def-0123456789ab", id);
    }

    home_audit = gh_str_format(cli->arena, "%s/audit", gh_cli_home(cli));
    directories[0] = directories[0] ? directories[0] : home_audit.data ? home_audit.data : "";
    for (unsigned i = 1; i < DIRECTORIES_MAX && gh_cli_value_at(cli, "audit", i) != NULL; i++) {
        directories[i] = gh_cli_value_at(cli, "audit", i);
    }

    if (gh_cli_record_find(cli->arena, directories, lower, id_ms, &lines, &error) != GH_OK) {
        gh_cli_record_free(&lines);
        gh_cli_fail_error(cli, &error);
        gh_cli_advise("run this as a user who may read the record, or name its directory with --audit");
        return GH_EXIT_ERROR;
    }

    if (lines.count == 0) {
        return not_found(cli, id, directories[0], &lines);
    }

    gh_cli_sets_load(cli->arena, &story.sets);
    gh_cli_explain_role(cli, &tenant);
    if (tenant) {
        status = gh_cli_explain_tenant_record(cli, id, &lines);
        gh_cli_record_free(&lines);
        return status;
    }
    if (gh_cli_flag(cli, "again")) {
        status = again(&story, &lines);
        gh_cli_record_free(&lines);
        return status;
    }
    if (gh_cli_flag(cli, "json")) {
        print_json(&story, &lines);
    } else {
        tell(&story, &lines);
    }
    gh_cli_record_free(&lines);

    status = gh_cli_flush(cli);

    return status != GH_EXIT_DONE ? status : story.denied ? GH_EXIT_DENIED : GH_EXIT_DONE;
}
