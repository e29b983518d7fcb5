/*
 * What a deployment answers at Responses, on its way to a client: every stream and answer of tests/data/dialects/responses, fed at once, split at
 * every byte, and byte by byte. What comes out is what replacing the quoted ids in the text gives, which knows nothing of JSON.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdlib.h>

#include "ngx_module/wire/responses.h"
#include "policy/base/arena.h"
#include "tests/unit/check.h"

#define FOLDER "tests/data/dialects/responses"

typedef struct { char *data; size_t len, size; } sink_t;

static gh_handles_t        *handles;
static gh_ids_owner_t owner, nobody;
static sink_t               out;

static void
sink_out(void *context, const char *data, size_t len)
{
    sink_t *sink = context;

    if (sink->len + len > sink->size) {
        abort();
    }
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
}

static gh_str_t
file_read(const char *name)
{
    char     path[512];
    FILE    *file;
    char    *data = malloc(1 << 20);
    gh_str_t text;

    snprintf(path, sizeof(path), FOLDER "/%s", name);
    file = fopen(path, "rb");
    text = (gh_str_t) { data, file != NULL ? fread(data, 1, 1 << 20, file) : 0 };
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static size_t
put_handle(char *to, gh_handle_kind_t kind, gh_str_t id)
{
    gh_handle_t handle = { kind, owner.tenant_uid, owner.deployment, owner.model, id, GH_STR("") };

    return gh_handle_write(handles, &handle, to, GH_HANDLE_MAX);
}

/* Quoted words that begin as ids do. */
static gh_str_t
replaced(gh_str_t text)
{
    static const struct { const char *prefix; gh_handle_kind_t kind; } ids[] = {
        { "\"resp_", GH_HANDLE_RESPONSE }, { "\"msg_", GH_HANDLE_ITEM }, { "\"rs_", GH_HANDLE_ITEM }, { "\"fc_", GH_HANDLE_ITEM },
        { "\"conv_", GH_HANDLE_CONVERSATION }, { "\"file-", GH_HANDLE_FILE }, { "\"cntr_", GH_HANDLE_CONTAINER },
    };
    char    *to = malloc(text.len * 20 + 1000);
    size_t   len = 0;

    for (size_t i = 0; i < text.len; i++) {
        to[len++] = text.data[i];
        for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
            size_t n = strlen(ids[k].prefix);

            if (text.len - i > n && memcmp(text.data + i, ids[k].prefix, n) == 0) {
                const char *end = memchr(text.data + i + 1, '"', text.len - i - 1);

                len += put_handle(to + len, ids[k].kind, (gh_str_t) { text.data + i + 1, (size_t) (end - text.data) - i - 1 });
                i = (size_t) (end - text.data) - 1;
                break;
            }
        }
    }

    return (gh_str_t) { to, len };
}

static gh_responses_t
run(gh_str_t text, bool stream, const gh_ids_owner_t *who, size_t first, size_t step)
{
    static gh_responses_t w;

    out.len = 0;
    gh_responses_init(&w, stream, who);
    for (size_t at = 0; at < text.len; ) {
        size_t part = at == 0 && first != 0 ? first : step != 0 ? step : text.len - at;
        char  *copy;

        part = part < text.len - at ? part : text.len - at;
        copy = malloc(part);           /* of its own size: a sanitizer sees a byte too far */
        memcpy(copy, text.data + at, part);
        gh_responses_feed(&w, copy, part, sink_out, &out);
        free(copy);
        at += part;
    }
    gh_responses_finish(&w, sink_out, &out);
    return w;
}

static bool
same(const gh_responses_t *a, const gh_responses_t *b)
{
    return a->done == b->done && a->error == b->error && a->commit == b->commit && a->ids.usage_seen == b->ids.usage_seen && a->events == b->events
        && a->ids.content_bytes == b->ids.content_bytes && a->ids.usage.input == b->ids.usage.input && a->ids.usage.output == b->ids.usage.output
        && a->ids.usage.cached == b->ids.usage.cached && a->ids.usage.reasoning == b->ids.usage.reasoning
        && gh_str_eq((gh_str_t) { a->ids.status, a->ids.status_len }, (gh_str_t) { b->ids.status, b->ids.status_len });
}

static void
check_split(const char *name, gh_str_t text, bool stream)
{
    gh_str_t       expected = replaced(text);
    gh_responses_t whole = run(text, stream, &owner, 0, 0), parts;
    unsigned       wrong = 0;

    if (!CHECK(out.len == expected.len && memcmp(out.data, expected.data, out.len) == 0)) {
        fprintf(stderr, "    %s\n", name);
    }
    for (size_t at = 1; at < text.len; at++) {
        parts = run(text, stream, &owner, at, 0);
        wrong += out.len != expected.len || memcmp(out.data, expected.data, out.len) != 0 || !same(&whole, &parts);
    }
    for (size_t step = 1; step < 8; step++) {
        parts = run(text, stream, &owner, 0, step);
        wrong += out.len != expected.len || memcmp(out.data, expected.data, out.len) != 0 || !same(&whole, &parts);
    }
    if (!CHECK_INT(wrong, 0)) {
        fprintf(stderr, "    %s\n", name);
    }
    parts = run(text, stream, &nobody, 0, 7);
    CHECK(out.len == text.len && memcmp(out.data, text.data, out.len) == 0 && same(&whole, &parts));
    free((char *) expected.data);
}

static void
test_recorded(void)
{
    DIR           *folder = opendir(FOLDER);
    struct dirent *entry;
    unsigned       files = 0;

    while (CHECK(folder != NULL) && (entry = readdir(folder)) != NULL) {
        bool     stream = strstr(entry->d_name, ".sse") != NULL;
        gh_str_t text;

        if (!stream && strstr(entry->d_name, ".json") == NULL) {
            continue;
        }
        text = file_read(entry->d_name);
        check_split(entry->d_name, text, stream);
        files++;
        free((char *) text.data);
    }
    closedir(folder);
    CHECK(files > 20);
}

/* Every place an id can stand in, and places that look like one. */
static void
test_places(void)
{
    gh_str_t text = GH_STR("{\"id\": \"resp_1\",\"previous_response_id\":\"resp_0\",\"conversation\":{\"id\":\"conv_1\",\"x\":{\"id\":\"a\"}},\"output\":["
        "{\"type\":\"message\",\"id\":\"msg_1\",\"content\":[{\"type\":\"output_text\",\"text\":\"say \\\"id\\\":\\\"x\\\"\",\"annotations\":"
        "[{\"file_id\":\"file-1\",\"container_id\":\"cntr_1\",\"filename\":\"a\"}]}]},{\"container_id\":\"cntr_2\",\"id\":\"msg_2\","
        "\"results\":[{\"file_id\":\"file-2\",\"attributes\":{\"id\":\"y\",\"file_id\":\"z\"}}],\"approval_request_id\":\"msg_3\",\"call_id\":\"call_1\"}],"
        "\"tools\":[{\"type\":\"function\",\"parameters\":{\"id\":\"q\",\"properties\":{\"file_id\":{\"id\":\"w\"}}}},{\"container\":\"cntr_3\"},"
        "{\"container\":{\"type\":\"auto\",\"file_ids\":[\"file-3\",\"file-4\"]}}],\"metadata\":{\"id\":\"m\",\"item_id\":\"n\"},"
        "\"usage\":{\"input_tokens\":7,\"input_tokens_details\":{\"cached_tokens\":3},\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":2},"
        "\"total_tokens\":12},\"user\":\"id\",\"text\":{\"format\":{\"schema\":{\"id\":\"r\"}}},\"safety_identifier\":null}");
    gh_str_t       list = GH_STR("{\"object\":\"list\",\"data\":[{\"id\":\"msg_1\"},{\"id\":\"msg_2\",\"content\":[{\"type\":\"input_file\",\"file_id\":\"file-9\"}]}],"
        "\"first_id\":\"msg_1\",\"last_id\":\"msg_2\",\"has_more\":false}");
    gh_str_t       deleted = GH_STR("{\"id\":\"resp_1\",\"object\":\"response\",\"deleted\":true}");
    gh_responses_t w;

    check_split("places", text, false);
    check_split("list", list, false);
    check_split("deleted", deleted, false);
    w = run(text, false, &owner, 0, 0);
    CHECK(w.done && w.ids.usage_seen);
    CHECK_INT(w.ids.usage.input, 7);
    CHECK_INT(w.ids.usage.cached, 3);
    CHECK_INT(w.ids.usage.output, 5);
    CHECK_INT(w.ids.usage.reasoning, 2);
    CHECK_INT(w.ids.content_bytes, strlen("say \"id\":\"x\""));
    w = run((gh_str_t) { text.data, text.len - 1 }, false, &owner, 0, 0);
    CHECK(!w.done);
}

/* What is no id, or too long for one, or no JSON: it passes as it came. */
static void
test_odd(void)
{
    static const char *const odd[] = {
        "{\"id\":\"\"}", "{\"id\":null}", "{\"id\":7}", "{\"id\":\"a\\u0062\"}", "{\"id\":\"a\\\"b\\\\\",\"x\":\"y\"}", "{\"id\":[{\"id\":7}]}",
        "[]", "\"id\"", "", "{", "{\"id\"", "{\"id\":\"resp_", "}}}{{{", "{\"output\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", "{\"usage\":{\"input_tokens\":\"x\"}}",
    };
    char           long_id[1000];
    gh_responses_t w;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        w = run(gh_str_from(odd[i]), false, &owner, 0, i % 3);
        CHECK_STR(((gh_str_t) { out.data, out.len }), odd[i]);
        CHECK(!w.ids.usage_seen);
    }
    for (size_t n = GH_HANDLE_ID_MAX - 1; n <= GH_HANDLE_ID_MAX + 2; n++) {
        int len = snprintf(long_id, sizeof(long_id), "{\"id\":\"%0*d\"}", (int) n, 7);

        for (size_t step = 0; step < 4; step++) {
            run((gh_str_t) { long_id, (size_t) len }, false, &owner, 0, step);
            CHECK((out.len == (size_t) len) == (n > GH_HANDLE_ID_MAX));
        }
    }
    run(GH_STR("data: {\"type\":\"x\",\"item_id\":\"msg\ndata: _1\"}\n\n"), true, &owner, 0, 0);
    CHECK_STR(((gh_str_t) { out.data, out.len }), "data: {\"type\":\"x\",\"item_id\":\"msg\ndata: _1\"}\n\n");
}

static gh_commit_t
look(const char *text, int *status)
{
    return gh_responses_look(gh_str_from(text), status);
}

#define CREATED "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"error\":null}}\n\n"
#define ADDED   "data: {\"type\":\"response.output_item.added\",\"item\":{\"id\":\"msg_1\"}}\r\n\r\n"
#define DELTA   "data: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"delta\":\"x\"}\n\n"

static void
test_commit(void)
{
    int      status;
    gh_str_t text;

    CHECK_INT(look("", &status), GH_COMMIT_HOLD);
    CHECK_INT(look(": hi\n\n" CREATED ADDED, &status), GH_COMMIT_HOLD);
    CHECK_INT(look("data: {\"type\":\"keepalive\",\"sequence_number\":1}\n\n", &status), GH_COMMIT_HOLD);
    CHECK_INT(look(CREATED ADDED "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n", &status), GH_COMMIT_HOLD);
    CHECK_INT(look(CREATED ADDED DELTA, &status), GH_COMMIT_GO);
    CHECK_INT(look(CREATED "data: {\"type\":\"response.completed\",\"response\":{}}\n\n", &status), GH_COMMIT_GO);
    CHECK_INT(look("event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"m\",\"param\":null}\n\n", &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 429);
    CHECK_INT(look(CREATED "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}}\n\n",
        &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 502);
    CHECK_INT(look("data: {\"error\":{\"code\":\"invalid_request\",\"message\":\"m\"}}\n\n", &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 400);
    CHECK_INT(look("data: {\"error\":\"broken\"}\n\n", &status), GH_COMMIT_ERROR);
    CHECK_INT(look(CREATED DELTA "data: {\"type\":\"error\"}\n\n", &status), GH_COMMIT_GO);

    for (size_t i = 0; i < 2; i++) {
        gh_responses_t w;

        text = file_read(i == 0 ? "failed.sse" : "error.sse");
        w = run(text, true, &owner, 0, 0);
        CHECK(w.error && !w.done);
        free((char *) text.data);
    }
}

#define FAILED(members) "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\"," members "}}\n\n"
#define BLOCKED         "\"error\":null,\"content_filters\":[{\"blocked\":false,\"source_type\":\"completion\"},{\"source_type\":\"prompt\",\"blocked\":true}]"
#define POLICY          "data: {\"type\":\"error\",\"error\":{\"code\":\"content_policy_violation\",\"message\":\"m\"}}\n\n"

/* Its error as a body has that in it. */
static void
error_has(const char *held, const char *text)
{
    gh_heap_t heap;
    gh_str_t  body;

    gh_heap_init(&heap);
    body = gh_responses_error(&heap.arena, gh_str_from(held));
    CHECK(body.data != NULL && memmem(body.data, body.len, text, strlen(text)) != NULL);
    gh_heap_free(&heap);
}

/* Azure's content filter: what it blocked is nobody else's to answer, whatever of it has come. */
static void
test_blocked(void)
{
    static const char *const none[] = { "", "null", "{}", "[]", "[{\"blocked\":false}]", "[{\"blocked\":\"true\"}]", "[{\"a\":{\"blocked\":true}}]",
        "[{\"blocked\":true}", "[1,{\"blocked\":true}]", "{\"blocked\":true}" };
    int status = 502;

    CHECK(gh_responses_blocked(GH_STR("[{\"a\":[1,{}],\"blocked\":false},{\"blocked\":true,\"b\":{}}]")));
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        CHECK(!gh_responses_blocked(gh_str_from(none[i])));
    }

    CHECK_INT(look(CREATED FAILED(BLOCKED), &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 400);
    status = 502;
    CHECK_INT(look(CREATED FAILED(BLOCKED) POLICY, &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 400);
    CHECK_INT(look(CREATED DELTA FAILED(BLOCKED), &status), GH_COMMIT_GO);

    error_has(CREATED FAILED(BLOCKED), "\"code\":\"content_filter\",\"content_filters\":[{");
    error_has(CREATED FAILED(BLOCKED) POLICY, "{\"error\":{\"code\":\"content_policy_violation\",\"message\":\"m\"}}");
    error_has(CREATED FAILED("\"error\":{\"code\":\"c\"},\"content_filters\":[{\"blocked\":true}]"), "{\"error\":{\"code\":\"c\"}}");

    /* without a word of it in the event itself, the one behind says why */
    status = 502;
    CHECK_INT(look(CREATED FAILED("\"error\":null,\"content_filters\":null"), &status), GH_COMMIT_HOLD);
    CHECK_INT(look(CREATED FAILED("\"error\":null,\"content_filters\":null") POLICY, &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 400);
    status = 502;
    CHECK_INT(look(CREATED FAILED("\"error\":null") "data: [DONE]\n\n", &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 502);
    CHECK_INT(look(CREATED FAILED("\"error\":{\"message\":\"m\"}"), &status), GH_COMMIT_ERROR);
    CHECK_INT(status, 502);
}

/* One id has one text, in every event and for another tenant another. */
static void
test_owner(void)
{
    gh_ids_owner_t other = owner;
    char                 first[4096];
    size_t               len;

    run(gh_str_from(DELTA), true, &owner, 0, 0);
    len = out.len;
    memcpy(first, out.data, len);
    run(gh_str_from(DELTA), true, &owner, 0, 1);
    CHECK(out.len == len && memcmp(first, out.data, len) == 0);
    other.tenant_uid++;
    run(gh_str_from(DELTA), true, &other, 0, 0);
    CHECK(out.len != len || memcmp(first, out.data, len) != 0);
    CHECK(memmem(out.data, out.len, "msg_1", 5) == NULL);
    CHECK(memmem(out.data, out.len, "azure", 5) == NULL);
}

/* Which response it is, and how far it got: of the response itself, never of what it names or holds. */
static void
test_told(void)
{
    static const struct { bool stream, kept; const char *text, *id, *status; bool done, error; } cases[] = {
        { false, true, "{\"previous_response_id\":\"resp_0\",\"output\":[{\"id\":\"msg_1\",\"status\":\"done\"}],\"status\":\"queued\",\"id\":\"resp_1\"}",
          "resp_1", "queued", true, false },
        { false, true, "{\"id\":\"resp_1\",\"object\":\"response\",\"deleted\":true}", "resp_1", "", true, false },
        { false, true, "{\"object\":\"list\",\"data\":[{\"id\":\"msg_1\",\"status\":\"completed\"}],\"first_id\":\"msg_1\"}", "", "", true, false },
        { false, true, "{\"id\":\"resp_1\",\"status\":\"a word that is longer than any status\"}", "resp_1", "", true, false },
        { true, true, "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\"c\"}}}\n\n", "resp_1",
          "failed", true, false },
        { true, false, "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\"c\"}}}\n\n", "resp_1",
          "failed", false, true },
        { true, true, "data: {\"type\":\"error\",\"code\":\"c\"}\n\n", "", "", false, true },
        { true, true, "data: {\"type\":\"response.queued\",\"response\":{\"id\":\"resp_1\",\"status\":\"queued\"}}\n\n"
          "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_2\",\"status\":\"completed\"}}\n\n", "resp_1", "completed", true, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 0; step < 3; step++) {
            gh_ids_owner_t who = owner;
            gh_responses_t       w;

            who.kept = cases[i].kept;
            w = run(gh_str_from(cases[i].text), cases[i].stream, &who, 0, step);
            CHECK_STR(((gh_str_t) { w.ids.id, w.ids.id_len }), cases[i].id);
            CHECK_STR(((gh_str_t) { w.ids.status, w.ids.status_len }), cases[i].status);
            CHECK(w.done == cases[i].done && w.error == cases[i].error);
        }
    }
}

int
main(void)
{
    static const uint8_t secret[32] = "32 bytes that are no secret here";

    handles = gh_handles_new(secret);
    owner = (gh_ids_owner_t) { .handles = handles, .tenant_uid = 7, .deployment = GH_STR("azure-se"), .model = GH_STR("gpt-x") };
    out.size = 4 << 20;
    out.data = malloc(out.size);
    test_recorded();
    test_places();
    test_odd();
    test_commit();
    test_blocked();
    test_owner();
    test_told();
    free(out.data);
    gh_handles_free(handles);
    return check_done("responses_watch");
}
