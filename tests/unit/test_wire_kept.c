/* Requests about responses that a deployment keeps: their URLs, what they ask, the ids in them, and how the deployment is asked. */
#include <stdlib.h>

#include "ngx_module/wire/wire.h"
#include "tests/unit/check.h"

#define TENANT 7

static gh_heap_t     heap;
static gh_handles_t *handles;
static gh_error_t    error;

static gh_str_t
given(gh_handle_kind_t kind, uint64_t tenant_uid, const char *deployment, const char *id)
{
    gh_handle_t handle = { kind, tenant_uid, gh_str_from(deployment), GH_STR("gpt-x"), gh_str_from(id), GH_STR("") };
    char        text[GH_HANDLE_MAX];

    return gh_str_copy(&heap.arena, (gh_str_t) { text, gh_handle_write(handles, &handle, text, sizeof(text)) });
}

static int
read_url(const char *method, gh_str_t target, gh_url_t *url)
{
    const char *mark = memchr(target.data, '?', target.len);
    gh_str_t    path = { target.data, mark != NULL ? (size_t) (mark - target.data) : target.len };

    memset(&error, 0, sizeof(error));
    return gh_url_read(&heap.arena, gh_str_from(method), target, path, url, &error);
}

static void
test_urls(void)
{
    static const struct { const char *method, *target; gh_operation_t operation; const char *code, *allow; } cases[] = {
        { "GET", "/v1/responses/resp_1", GH_OPERATION_RETRIEVE, NULL, "GET, DELETE" },
        { "GET", "/openai/v1/responses/resp_1", GH_OPERATION_RETRIEVE, NULL, "GET, DELETE" },
        { "GET", "/openai/responses/resp_1?api-version=1", GH_OPERATION_RETRIEVE, NULL, "GET, DELETE" },
        { "DELETE", "/v1/responses/resp_1", GH_OPERATION_DELETE, NULL, "GET, DELETE" },
        { "POST", "/v1/responses/resp_1/cancel", GH_OPERATION_CANCEL, NULL, "POST" },
        { "GET", "/v1/responses/resp_1/input_items", GH_OPERATION_INPUT_ITEMS, NULL, "GET" },
        { "POST", "/v1/responses/resp_1", 0, "method_not_allowed", "GET, DELETE" },
        { "GET", "/v1/responses/resp_1/cancel", 0, "method_not_allowed", "POST" },
        { "DELETE", "/v1/responses/resp_1/input_items", 0, "method_not_allowed", "GET" },
        { "GET", "/v1/responses/", 0, "unknown_endpoint", NULL },
        { "GET", "/v1/responses/resp_1/", 0, "unknown_endpoint", NULL },
        { "GET", "/v1/responses/resp_1/output_items", 0, "unknown_endpoint", NULL },
        { "POST", "/v1/responses//cancel", 0, "unknown_endpoint", NULL },
        { "POST", "/v1/responses/a/b/cancel", 0, "unknown_endpoint", NULL },
        { "POST", "/v1/responses/compact", 0, "unknown_endpoint", NULL },
        { "POST", "/v1/responses/input_tokens", 0, "unknown_endpoint", NULL },
        { "GET", "/openai/deployments/m/responses/resp_1", 0, "unknown_endpoint", NULL },
        { "GET", "/anthropic/v1/responses/resp_1", 0, "unknown_endpoint", NULL },
        { "GET", "/v1/responses/%zz", 0, "invalid_request", "GET, DELETE" },
    };
    gh_url_t url;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int rc = read_url(cases[i].method, gh_str_from(cases[i].target), &url);

        CHECK_STR(gh_str_from(rc == GH_OK ? "" : error.code), cases[i].code != NULL ? cases[i].code : "");
        if (cases[i].allow != NULL) {
            CHECK_STR(gh_str_from(url.allow), cases[i].allow);
        }
        if (cases[i].code == NULL) {
            CHECK_INT(url.operation, GH_URL_KEPT);
            CHECK_INT(url.kept, cases[i].operation);
            CHECK_INT(url.client, GH_HUB_RESPONSES);
            CHECK_STR(url.id, "resp_1");
            CHECK(url.model.data == NULL);
        }
    }
}

/* Reads, opens and writes it for a deployment; the path that this is asked at, or the code of the error. */
static gh_str_t
asked(const char *method, gh_str_t target, const char *body, gh_target_t *deployment, gh_intake_t *intake, gh_wire_request_t *wire)
{
    gh_url_t url;
    gh_str_t sent = gh_str_from(body);

    memset(intake, 0, sizeof(*intake));
    if (read_url(method, target, &url) != GH_OK || gh_intake_parse_url(&heap.arena, &url, sent, intake, &error) != GH_OK
        || gh_intake_open(&heap.arena, handles, TENANT, &url, &sent, intake, &error) != GH_OK
        || gh_dialect_request(&heap.arena, deployment, intake, GH_STR("/base/"), true, 5, wire, &error) != GH_OK)
    {
        return gh_str_from(error.code);
    }

    return wire->path;
}

static gh_str_t
of(gh_str_t id, const char *behind)
{
    return gh_str_format(&heap.arena, "/v1/responses/%.*s%s", GH_STR_ARG(id), behind);
}

static void
test_asked(void)
{
    gh_target_t       openai = { .dialect = GH_DIALECT_OPENAI, .upstream_model = GH_STR("up") };
    gh_target_t       azure = { .dialect = GH_DIALECT_AZURE_CLASSIC, .upstream_model = GH_STR("up"), .api_version = GH_STR("2025-04-01") };
    gh_str_t          id = given(GH_HANDLE_RESPONSE, TENANT, "se", "resp_1"), item = given(GH_HANDLE_ITEM, TENANT, "se", "msg_1");
    gh_wire_request_t wire;
    gh_intake_t       intake;

    CHECK_STR(asked("GET", of(id, ""), "", &openai, &intake, &wire), "/base/v1/responses/resp_1");
    CHECK_STR(gh_str_from(wire.method), "GET");
    CHECK_STR(intake.pin.deployment, "se");
    CHECK_STR(intake.pin.where, "path");
    CHECK_STR(intake.model, "gpt-x");
    CHECK_INT(intake.feature_count, 1);
    CHECK_STR(intake.features[0].name, "store");
    CHECK(!intake.stream && !intake.uninspected && wire.splice.count == 0);

    CHECK_STR(asked("GET", of(id, "?stream=true&starting_after=7&include[]=message.output_text.logprobs&api-version=9&"), "", &openai, &intake, &wire),
        "/base/v1/responses/resp_1?stream=true&starting_after=7&include%5B%5D=message.output_text.logprobs");
    CHECK(intake.stream && intake.feature_count == 1);
    CHECK_STR(asked("GET", of(id, "?stream=false"), "", &azure, &intake, &wire), "/base/openai/responses/resp_1?api-version=2025-04-01&stream=false");
    CHECK(!intake.stream);

    CHECK_STR(asked("POST", of(id, "/cancel"), " {} ", &azure, &intake, &wire), "/base/openai/responses/resp_1/cancel?api-version=2025-04-01");
    CHECK_STR(gh_str_from(wire.method), "POST");
    CHECK_INT(intake.feature_count, 0);
    CHECK_STR(asked("DELETE", of(id, ""), "", &openai, &intake, &wire), "/base/v1/responses/resp_1");
    CHECK_STR(gh_str_from(wire.method), "DELETE");
    CHECK_INT(intake.feature_count, 0);

    CHECK_STR(asked("GET", gh_str_format(&heap.arena, "%.*s?limit=2&after=%.*s&order=asc", GH_STR_ARG(of(id, "/input_items")), GH_STR_ARG(item)), "",
        &openai, &intake, &wire), "/base/v1/responses/resp_1/input_items?limit=2&after=msg_1&order=asc");

    /* a provider's id is written so that it stays one */
    id = given(GH_HANDLE_RESPONSE, TENANT, "se", "resp_a/../b?c");
    CHECK_STR(asked("GET", of(id, ""), "", &openai, &intake, &wire), "/base/v1/responses/resp_a%2F..%2Fb%3Fc");
}

/* None of them may lead anywhere: another tenant's, another kind's, changed, the provider's own, another deployment's item. */
static void
test_ids(void)
{
    gh_target_t       openai = { .dialect = GH_DIALECT_OPENAI, .upstream_model = GH_STR("up") };
    gh_str_t          id = given(GH_HANDLE_RESPONSE, TENANT, "se", "resp_1"), changed = gh_str_copy(&heap.arena, id);
    const struct { gh_str_t id; const char *code, *deployment; } ids[] = {
        { GH_STR("resp_1"), "handle_unknown", "" },
        { changed, "handle_unknown", "" },
        { given(GH_HANDLE_RESPONSE, TENANT + 1, "se", "resp_1"), "handle_foreign", "se" },
        { given(GH_HANDLE_ITEM, TENANT, "se", "resp_1"), "handle_kind", "se" },
        { given(GH_HANDLE_CONVERSATION, TENANT, "se", "resp_1"), "handle_kind", "se" },
    };
    const struct { gh_str_t id; const char *code, *deployment; } items[] = {
        { GH_STR("msg_1"), "handle_unknown", "" },
        { id, "handle_kind", "se" },
        { given(GH_HANDLE_ITEM, TENANT + 1, "se", "msg_1"), "handle_foreign", "se" },
        { given(GH_HANDLE_ITEM, TENANT, "de", "msg_1"), "handle_elsewhere", "de" },
    };
    gh_wire_request_t wire;
    gh_intake_t       intake;

    ((char *) changed.data)[changed.len - 3] ^= 1;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        CHECK_STR(asked("GET", of(ids[i].id, ""), "", &openai, &intake, &wire), "state_not_found");
        CHECK_STR(gh_str_from(intake.unopened.code), ids[i].code);
        CHECK_STR(intake.unopened.where, "path");
        CHECK_STR(intake.unopened.deployment, ids[i].deployment);
        CHECK_STR(gh_str_from(error.text), "path names no response that was given out here");
    }
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        CHECK_STR(asked("GET", gh_str_format(&heap.arena, "%.*s?before=%.*s", GH_STR_ARG(of(id, "/input_items")), GH_STR_ARG(items[i].id)), "", &openai,
            &intake, &wire), "state_not_found");
        CHECK_STR(gh_str_from(intake.unopened.code), items[i].code);
        CHECK_STR(intake.unopened.where, "query before");
        CHECK_STR(intake.unopened.deployment, items[i].deployment);
    }
}

static void
test_refused(void)
{
    static const struct { const char *method, *behind, *body, *text; } cases[] = {
        { "GET", "?stream=1", "", "the parameter \"stream\" of the URL must be true or false" },
        { "GET", "?stream", "", "the parameter \"stream\" of the URL must be true or false" },
        { "GET", "?starting_after=", "", "the parameter \"starting_after\" of the URL must be a number" },
        { "GET", "?starting_after=1e3", "", "the parameter \"starting_after\" of the URL must be a number" },
        { "GET", "?starting_after=1&starting_after=2", "", "the parameter \"starting_after\" of the URL stands twice" },
        { "GET", "?%0a=1", "", "a name in the URL has a control character" },
        { "POST", "/cancel", "{\"a\":1}", "this request takes no body" },
        { "DELETE", "", "x", "this request takes no body" },
    };
    static const struct { const char *behind, *where; } unknown[] = {
        { "?limit=1", "query limit" }, { "?x%20y=1", "query x y" }, { "?include=nothing.known", "query include" }, { "?include[]=", "query include[]" },
    };
    gh_target_t       openai = { .dialect = GH_DIALECT_OPENAI, .upstream_model = GH_STR("up") };
    gh_str_t          id = given(GH_HANDLE_RESPONSE, TENANT, "se", "resp_1"), target = of(id, "?");
    gh_wire_request_t wire;
    gh_intake_t       intake;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_STR(asked(cases[i].method, of(id, cases[i].behind), cases[i].body, &openai, &intake, &wire), "invalid_request");
        CHECK_STR(gh_str_from(error.text), cases[i].text);
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        CHECK(asked("GET", of(id, unknown[i].behind), "", &openai, &intake, &wire).data == wire.path.data);
        CHECK_INT(intake.feature_count, 2);
        CHECK_STR(intake.features[1].name, "");
        CHECK_STR(intake.features[1].where, unknown[i].where);
    }

    for (unsigned i = 0; i < GH_PARAMETERS_MAX; i++) {
        target = gh_str_format(&heap.arena, "%.*sinclude=message.output_text.logprobs&", GH_STR_ARG(target));
    }
    CHECK(asked("GET", target, "", &openai, &intake, &wire).data == wire.path.data);
    CHECK_STR(asked("GET", gh_str_format(&heap.arena, "%.*sstream=true", GH_STR_ARG(target)), "", &openai, &intake, &wire), "invalid_request");
}

int
main(void)
{
    static const uint8_t secret[32] = "32 bytes that are no secret here";

    gh_heap_init(&heap);
    handles = gh_handles_new(secret);
    test_urls();
    test_asked();
    test_ids();
    test_refused();
    gh_handles_free(handles);
    gh_heap_free(&heap);
    return check_done("wire_kept");
}
