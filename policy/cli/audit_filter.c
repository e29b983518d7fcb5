/* Which lines of the record are asked for, and how they are printed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* memmem */
#endif

#include "policy/cli/audit.h"

#include <stdio.h>
#include <string.h>

#define SLACK_MS 300000u     /* clocks that were set between a segment's begin and its lines */

static const char *const types[] = {
    [GH_LINE_SEGMENT] = "segment", [GH_LINE_DECISION] = "decision", [GH_LINE_ATTEMPT] = "attempt", [GH_LINE_OUTCOME] = "outcome",
    [GH_LINE_LOST] = "lost", [GH_LINE_CHANGE] = "change", [GH_LINE_SEAL] = "seal",
    [GH_LINE_BASIS] = "basis", [GH_LINE_GAP] = "gap",
};

static int
read_time(const gh_cli_t *cli, const char *option, uint64_t *ms)
{
    const char *text = gh_cli_value(cli, option);

    if (text != NULL && gh_cli_time_parse(text, ms) != GH_OK) {
        return gh_cli_misuse(cli, "--%s %s is no time: write 2026-11-21T09:30:00Z, or a day such as 2026-11-21", option, text);
    }

    return GH_EXIT_DONE;
}

int
gh_cli_filter_read(const gh_cli_t *cli, gh_cli_filter_t *filter)
{
    bool known = false;

    *filter = (gh_cli_filter_t) {
        .org = gh_cli_value(cli, "org"), .tenant = gh_cli_value(cli, "tenant"), .app = gh_cli_value(cli, "app"),
        .key = gh_cli_value(cli, "key"), .model = gh_cli_value(cli, "model"), .verdict = gh_cli_value(cli, "verdict"),
        .type = gh_cli_value(cli, "type"), .code = gh_cli_value(cli, "code"), .deployment = gh_cli_value(cli, "deployment"),
        .id = gh_cli_value(cli, "id"), .until_ms = UINT64_MAX
    };

    for (size_t i = GH_LINE_SEGMENT; filter->type != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        known = known || strcmp(filter->type, types[i]) == 0;
    }
    if (filter->type != NULL && !known) {
        return gh_cli_misuse(cli, "--type %s: expected decision, attempt, outcome, lost, gap, change, segment, seal or basis", filter->type);
    }
    if (filter->verdict != NULL && strcmp(filter->verdict, "allow") != 0 && strcmp(filter->verdict, "deny") != 0) {
        return gh_cli_misuse(cli, "--verdict %s: expected allow or deny", filter->verdict);
    }
    if (read_time(cli, "since", &filter->since_ms) != GH_EXIT_DONE || read_time(cli, "until", &filter->until_ms) != GH_EXIT_DONE) {
        return GH_EXIT_USAGE;
    }

    return gh_cli_session_open(cli, &filter->session);
}

void
gh_cli_filter_free(gh_cli_filter_t *filter)
{
    gh_cli_session_close(filter->session);
    gh_owed_free(&filter->chosen);
}

bool
gh_cli_filter_segment(const gh_cli_filter_t *filter, const gh_cli_segment_t *segment)
{
    if (filter->since_ms != 0 && segment->modified_ms + SLACK_MS < filter->since_ms) {
        return false;
    }

    return filter->until_ms == UINT64_MAX || segment->parts.epoch_ms <= filter->until_ms + SLACK_MS;
}

/* "key":"value" somewhere in the line: values asked for are names, which are never escaped. */
static bool
has(gh_str_t text, const char *key, const char *value)
{
    char pair[512];
    int  len = snprintf(pair, sizeof(pair), "\"%s\":\"%s\"", key, value);

    return len > 0 && (size_t) len < sizeof(pair) && memmem(text.data, text.len, pair, (size_t) len) != NULL;
}

static bool
of_request(const gh_cli_filter_t *filter)
{
    return filter->org != NULL || filter->tenant != NULL || filter->app != NULL || filter->key != NULL || filter->model != NULL
           || filter->verdict != NULL || filter->session != NULL;
}

static bool
decision_fits(const gh_cli_filter_t *filter, gh_str_t text)
{
    return (filter->org == NULL || has(text, "org", filter->org)) && (filter->tenant == NULL || has(text, "tenant", filter->tenant))
           && (filter->app == NULL || has(text, "app", filter->app)) && (filter->key == NULL || has(text, "key", filter->key))
           && (filter->model == NULL || has(text, "model", filter->model) || has(text, "model_sent", filter->model))
           && (filter->verdict == NULL || has(text, "verdict", filter->verdict))
           && (filter->session == NULL || gh_cli_session_fits(filter->session, text));
}

bool
gh_cli_filter_line(gh_cli_filter_t *filter, gh_str_t text, const gh_line_t *line)
{
    uint64_t ignored;

    if (line->type == GH_LINE_BASIS && filter->type == NULL) {
        return false;                    /* decisions are whole: it says nothing on top of them */
    }
    if (filter->id != NULL && !gh_str_is(line->id, filter->id)) {
        return false;
    }
    if (of_request(filter)) {
        uint64_t key = gh_line_id_key(line->id);

        if (line->id.len == 0) {
            return false;
        }
        if (line->type == GH_LINE_DECISION) {
            if (!decision_fits(filter, text)) {
                return false;
            }
            (void) gh_owed_add(&filter->chosen, key, 1);
        } else if (!gh_owed_find(&filter->chosen, key, &ignored)) {
            return false;
        } else if (line->type != GH_LINE_ATTEMPT) {
            gh_owed_remove(&filter->chosen, key);
        }
    }

    return line->t >= filter->since_ms && line->t < filter->until_ms
           && (filter->type == NULL || (line->type != GH_LINE_OTHER && strcmp(filter->type, types[line->type]) == 0))
           && (filter->code == NULL || has(text, "code", filter->code))
           && (filter->deployment == NULL || has(text, "deployment", filter->deployment));
}

/* ---- printing ---- */

/* What is shown of a line: its own member, or one of an object in it; of an array: of its first or last object. */
typedef enum { HERE = 0, INSIDE, FIRST, LAST } where_t;

typedef struct { const char *key; where_t where; const char *of; } shown_t;

#define SHOWN_MAX 9u
#define OWN(key) { key, HERE, NULL }

/* A member's text without its quotes, fit for a terminal. */
static gh_str_t
word(const gh_cli_t *cli, gh_str_t text, const shown_t *shown)
{
    gh_str_t object = shown->where == HERE ? text : gh_line_member(text, shown->of), value;

    if (shown->where == FIRST && object.len != 0) {
        object.data++;
        object.len--;
    } else if (shown->where == LAST) {
        object = gh_line_last(object);
    }
    value = gh_line_member(object, shown->key);
    if (value.len >= 2 && value.data[0] == '"') {
        value.data++;
        value.len -= 2;
    }

    return gh_cli_shown(cli->arena, value);
}

static void
print_words(const gh_cli_t *cli, gh_str_t text, const gh_line_t *line)
{
    static const struct { gh_line_type_t type; shown_t keys[SHOWN_MAX]; } shown[] = {
        { GH_LINE_DECISION, { OWN("org"), OWN("tenant"), OWN("app"), OWN("key"), OWN("model"), OWN("verdict"), OWN("code"), { "deployment", FIRST, "route" },
            { "id_sha256", INSIDE, "session" } } },
        { GH_LINE_ATTEMPT, { OWN("number"), OWN("deployment"), OWN("upstream_model"), OWN("revision") } },
        { GH_LINE_OUTCOME, { OWN("status"), OWN("code"), OWN("end"), { "deployment", LAST, "attempts" }, { "source", INSIDE, "usage" },
            { "micro_dollars", INSIDE, "charged" }, OWN("bytes_out") } },
        { GH_LINE_LOST, { OWN("segment"), OWN("number"), { "tokens", INSIDE, "charged" }, { "micro_dollars", INSIDE, "charged" } } },
        { GH_LINE_CHANGE, { OWN("number"), OWN("actor"), OWN("what"), OWN("subject") } },
        { GH_LINE_SEGMENT, { OWN("node"), OWN("worker"), OWN("epoch"), OWN("pid"), OWN("previous_file"), OWN("previous_error"), OWN("torn_bytes"),
            OWN("recovered_by") } },
        { GH_LINE_GAP, { OWN("from"), OWN("to"), OWN("pid"), OWN("requests"), OWN("attempts"), OWN("ended"), { "micro_dollars", INSIDE, "charged" }, OWN("recovered_by") } },
        { GH_LINE_SEAL, { OWN("lines"), OWN("bytes"), OWN("next_file"), OWN("recovered_by") } },
        { GH_LINE_BASIS, { OWN("basis") } },
    };

    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        if (shown[i].type != line->type) {
            continue;
        }
        for (size_t k = 0; k < SHOWN_MAX && shown[i].keys[k].key != NULL; k++) {
            gh_str_t value = word(cli, text, &shown[i].keys[k]);

            if (value.len != 0) {
                printf(" %s %.*s", shown[i].keys[k].key, GH_STR_ARG(value));
            }
        }
    }
}

void
gh_cli_audit_print(const gh_cli_t *cli, gh_str_t text, const gh_line_t *line)
{
    gh_str_t id = gh_cli_shown(cli->arena, line->id);

    if (gh_cli_flag(cli, "json")) {
        fwrite(text.data, 1, text.len, stdout);
        putchar('\n');
        return;
    }

    printf("%s  %-8s", gh_cli_time_text(cli->arena, line->t), line->type != GH_LINE_OTHER ? types[line->type] : "other");
    if (id.len != 0) {
        printf(" %.*s", GH_STR_ARG(id));
    }
    print_words(cli, text, line);
    putchar('\n');
}
