/* Dialects: path, credential and the changed body of one attempt; which response headers pass. */
#include <stdlib.h>

#include "ngx_module/wire/wire.h"
#include "tests/unit/check.h"

static gh_heap_t heap;

typedef struct {
    const char       *body;
    const char       *expected;      /* NULL: the same as body */
    const char       *upstream;      /* NULL: "m" */
    bool              store_false;
    gh_dialect_t      dialect;
    const char       *api_version;
    gh_endpoint_t     endpoint;
    const char       *geo;           /* the target's inference_geo; NULL: none */
} case_t;

static gh_target_t
target_of(const case_t *c)
{
    gh_target_t target;

    memset(&target, 0, sizeof(target));
    target.dialect = c->dialect;
    target.upstream_model = gh_str_from(c->upstream != NULL ? c->upstream : "m");
    target.inference_geo = gh_str_from(c->geo != NULL ? c->geo : "");
    target.api_version = gh_str_from(c->api_version != NULL ? c->api_version : "");

    return target;
}

static void
check_body(const case_t *c)
{
    gh_str_t          body = gh_str_from(c->body), pieces[2 * GH_SPLICE_MAX + 1];
    gh_target_t       target = target_of(c);
    gh_wire_request_t request;
    gh_intake_t       intake;
    gh_error_t        error;
    char              joined[2048];
    size_t            len = 0;
    unsigned          i, count;

    if (!CHECK_INT(gh_intake_parse(&heap.arena, c->endpoint, body, &intake, &error), GH_OK)) {
        fprintf(stderr, "    %s: %s\n", c->body, error.text);
        return;
    }
    if (!CHECK_INT(gh_dialect_request(&heap.arena, &target, &intake, GH_STR(""), c->store_false, 0, &request, &error), GH_OK)) {
        return;
    }

    count = gh_splice_pieces(&request.splice, body, pieces);
    CHECK(count <= 2 * GH_SPLICE_MAX + 1);
    for (i = 0; i < count; i++) {
        CHECK(pieces[i].len != 0);
        memcpy(joined + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }

    CHECK_INT(len, gh_splice_length(&request.splice, body));
    CHECK_STR(((gh_str_t) { joined, len }), c->expected != NULL ? c->expected : c->body);
    if (c->expected == NULL) {
        CHECK_INT(request.splice.count, 0);
    }
}

#define M "\"messages\":[]"
#define U "\"stream_options\":{\"include_usage\":true},"

static void
test_bodies(void)
{
    static const case_t cases[] = {
        /* nothing to change */
        { .body = " { \"model\" : \"m\" ," M "} " },
        { .body = "{\"model\":\"m\"," M ",\"stream\":false,\"stream_options\":{}}" },
        { .body = "{\"model\":\"m\"," M ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { .body = "{\"model\":\"m\"," M ",\"store\":false}", .store_false = true },
        { .body = "{\"mod\\u0065l\":\"\\u006d\"," M ",\"temperature\":0.10}" },

        /* the model */
        { .body = "{" M ",\"model\" : \"a\\u0062\" }", .expected = "{" M ",\"model\" : \"m\" }" },
        { .body = "{\"model\":\"m\"," M "}", .expected = "{\"model\":\"x\\\"\\\\\xc3\xa4/:\"," M "}", .upstream = "x\"\\\xc3\xa4/:" },

        /* usage: absent, null, empty, without, false, null, true */
        { .body = "\n{ \"model\":\"m\"," M ",\"stream\":true}", .expected = "\n{" U " \"model\":\"m\"," M ",\"stream\":true}" },
        { .body = "{\"stream_options\":null,\"model\":\"m\"," M ",\"stream\":true}",
          .expected = "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\"," M ",\"stream\":true}" },
        { .body = "{\"stream_options\":{},\"model\":\"m\"," M ",\"stream\":true}",
          .expected = "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\"," M ",\"stream\":true}" },
        { .body = "{\"stream_options\":{ \n},\"model\":\"m\"," M ",\"stream\":true}",
          .expected = "{\"stream_options\":{ \n\"include_usage\":true},\"model\":\"m\"," M ",\"stream\":true}" },
        { .body = "{\"stream\":true,\"stream_options\":{\"include_obfuscation\":false },\"model\":\"m\"," M "}",
          .expected = "{\"stream\":true,\"stream_options\":{\"include_obfuscation\":false ,\"include_usage\":true},\"model\":\"m\"," M "}" },
        { .body = "{\"stream\":true,\"stream_options\":{\"x\":{\"include_usage\":true}},\"model\":\"m\"," M "}",
          .expected = "{\"stream\":true,\"stream_options\":{\"x\":{\"include_usage\":true},\"include_usage\":true},\"model\":\"m\"," M "}" },
        { .body = "{\"stream\":true,\"stream_options\":{\"include_\\u0075sage\": false },\"model\":\"m\"," M "}",
          .expected = "{\"stream\":true,\"stream_options\":{\"include_\\u0075sage\": true },\"model\":\"m\"," M "}" },
        { .body = "{\"stream\":true,\"stream_options\":{\"include_usage\":null,\"include_obfuscation\":true},\"model\":\"m\"," M "}",
          .expected = "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":true},\"model\":\"m\"," M "}" },

        /* store */
        { .body = "{\"model\":\"m\"," M "}", .expected = "{\"store\":false,\"model\":\"m\"," M "}", .store_false = true },
        { .body = "{\"model\":\"m\"," M ",\"store\":true}", .expected = "{\"model\":\"m\"," M ",\"store\":false}", .store_false = true },
        { .body = "{\"model\":\"m\"," M ",\"store\":null}", .expected = "{\"model\":\"m\"," M ",\"store\":false}", .store_false = true },
        { .body = "{\"model\":\"m\"," M ",\"store\":true}" },
        { .body = "{\"model\":\"m\",\"prompt\":\"\"}", .store_false = true, .endpoint = GH_ENDPOINT_COMPLETIONS },
        { .body = "{\"model\":\"m\",\"input\":\"\"}", .store_false = true, .endpoint = GH_ENDPOINT_EMBEDDINGS },

        /* all at once, in every order */
        { .body = "{\"model\":\"a\"," M ",\"stream\":true}", .expected = "{" U "\"store\":false,\"model\":\"m\"," M ",\"stream\":true}",
          .store_false = true },
        { .body = "{\"store\":true,\"stream_options\":{\"include_usage\":false},\"stream\":true," M ",\"model\":\"a\"}",
          .expected = "{\"store\":false,\"stream_options\":{\"include_usage\":true},\"stream\":true," M ",\"model\":\"m\"}",
          .store_false = true },
        { .body = "{\"stream\":true," M ",\"model\":\"a\",\"stream_options\":{},\"store\":null}",
          .expected = "{\"stream\":true," M ",\"model\":\"m\",\"stream_options\":{\"include_usage\":true},\"store\":false}",
          .store_false = true },

        /* completions stream, too */
        { .body = "{\"model\":\"m\",\"prompt\":\"\",\"stream\":true}", .expected = "{" U "\"model\":\"m\",\"prompt\":\"\",\"stream\":true}",
          .endpoint = GH_ENDPOINT_COMPLETIONS },

        /* what a dialect or version does not know is not added, but is not left true either */
        { .body = "{\"model\":\"m\"," M "}", .store_false = true, .dialect = GH_DIALECT_BEDROCK_OPENAI },
        { .body = "{\"model\":\"m\"," M ",\"store\":true}", .expected = "{\"model\":\"m\"," M ",\"store\":false}", .store_false = true,
          .dialect = GH_DIALECT_BEDROCK_OPENAI },
        { .body = "{\"model\":\"m\"," M ",\"stream\":true}", .expected = "{" U "\"model\":\"m\"," M ",\"stream\":true}",
          .dialect = GH_DIALECT_BEDROCK_OPENAI },
        { .body = "{\"model\":\"m\"," M ",\"stream\":true}", .dialect = GH_DIALECT_AZURE_CLASSIC, .api_version = "2024-06-01", .store_false = true },
        { .body = "{\"model\":\"m\"," M ",\"stream\":true}", .expected = "{" U "\"model\":\"m\"," M ",\"stream\":true}",
          .dialect = GH_DIALECT_AZURE_CLASSIC, .api_version = "2024-10-21", .store_false = true },
        { .body = "{\"model\":\"m\"," M "}", .expected = "{\"store\":false,\"model\":\"m\"," M "}",
          .dialect = GH_DIALECT_AZURE_CLASSIC, .api_version = "2025-01-01-preview", .store_false = true },
        { .body = "{\"model\":\"m\"," M "}", .expected = "{\"store\":false,\"model\":\"m\"," M "}",
          .dialect = GH_DIALECT_AZURE_V1, .store_false = true },

        /* responses: store is theirs everywhere, usage is never asked for */
        { .body = "{\"model\":\"m\",\"stream\":true}", .endpoint = GH_ENDPOINT_RESPONSES },
        { .body = "{\"model\":\"m\"}", .expected = "{\"store\":false,\"model\":\"m\"}", .store_false = true, .endpoint = GH_ENDPOINT_RESPONSES,
          .dialect = GH_DIALECT_BEDROCK_OPENAI },
        { .body = "{\"model\":\"m\",\"store\":true}", .expected = "{\"model\":\"m\",\"store\":false}", .store_false = true,
          .endpoint = GH_ENDPOINT_RESPONSES, .dialect = GH_DIALECT_AZURE_CLASSIC, .api_version = "2024-06-01" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_body(&cases[i]);
    }
}

/* What the client says of where it is run goes, with its comma; what the deployment says is said. */
static void
test_inference_geo(void)
{
#define US .geo = "us", .dialect = GH_DIALECT_ANTHROPIC, .endpoint = GH_ENDPOINT_MESSAGES
    static const case_t cases[] = {
        { .body = "{\"model\":\"m\"," M "}", .expected = "{\"inference_geo\":\"us\",\"model\":\"m\"," M "}", US },
        { .body = "{\"model\":\"m\"," M ", \"inference_geo\" : \"global\" }", .expected = "{\"model\":\"m\"," M ", \"inference_geo\" : \"us\" }", US },
        { .body = "{\"inference_geo\":null,\"model\":\"m\"," M "}", .expected = "{\"inference_geo\":\"us\",\"model\":\"m\"," M "}", US },
        { .body = "{\"model\":\"m\"," M ",\"inference_geo\":\"us\"}", .expected = "{\"model\":\"m\"," M "}" },
        { .body = "{\"model\":\"m\"," M ", \"inference_geo\" : \"us\" }", .expected = "{\"model\":\"m\"," M " }" },
        { .body = "{ \"inference_geo\" : null , \"model\":\"m\"," M "}", .expected = "{  \"model\":\"m\"," M "}" },
        { .body = "{\"inference_geo\":\"us\",\"model\":\"m\"," M "}", .expected = "{\"store\":false,\"model\":\"m\"," M "}", .store_false = true },
        { .body = "{\"model\":\"x\",\"inference_geo\":\"us\"," M "}", .expected = "{\"model\":\"m\"," M "}" },
        { .body = "{\"model\":\"m\"," M ",\"inference_geo\":\"us\"}", .expected = "{\"model\":\"m\"," M "}", .dialect = GH_DIALECT_ANTHROPIC,
          .endpoint = GH_ENDPOINT_COUNT_TOKENS, .geo = "us" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_body(&cases[i]);
    }
#undef US
}

static void
test_paths(void)
{
    static const struct {
        gh_dialect_t  dialect;
        gh_endpoint_t endpoint;
        const char   *upstream, *api_version, *base, *path;   /* path NULL: refused */
        const char   *header, *prefix;
    } cases[] = {
        { GH_DIALECT_OPENAI, GH_ENDPOINT_CHAT_COMPLETIONS, "a/b", "", "", "/v1/chat/completions", "authorization", "Bearer " },
        { GH_DIALECT_OPENAI, GH_ENDPOINT_COMPLETIONS, "m", "", "/llm/", "/llm/v1/completions", "authorization", "Bearer " },
        { GH_DIALECT_OPENAI, GH_ENDPOINT_EMBEDDINGS, "m", "", "/", "/v1/embeddings", "authorization", "Bearer " },
        { GH_DIALECT_AZURE_V1, GH_ENDPOINT_CHAT_COMPLETIONS, "dep", "", "", "/openai/v1/chat/completions", "api-key", "" },
        { GH_DIALECT_AZURE_V1, GH_ENDPOINT_EMBEDDINGS, "dep", "", "", "/openai/v1/embeddings", "api-key", "" },
        { GH_DIALECT_AZURE_CLASSIC, GH_ENDPOINT_CHAT_COMPLETIONS, "gpt-4o_x.1~", "2024-10-21", "",
          "/openai/deployments/gpt-4o_x.1~/chat/completions?api-version=2024-10-21", "api-key", "" },
        { GH_DIALECT_AZURE_CLASSIC, GH_ENDPOINT_EMBEDDINGS, "../a b%2f?#\xc3\xa4", "2024&x=1", "/p",
          "/p/openai/deployments/..%2Fa%20b%252f%3F%23%C3%A4/embeddings?api-version=2024%26x%3D1", "api-key", "" },
        { GH_DIALECT_AZURE_CLASSIC, GH_ENDPOINT_CHAT_COMPLETIONS, "..", "2024-10-21", "", NULL, NULL, NULL },
        { GH_DIALECT_AZURE_CLASSIC, GH_ENDPOINT_CHAT_COMPLETIONS, "d", "", "", NULL, NULL, NULL },
        { GH_DIALECT_BEDROCK_OPENAI, GH_ENDPOINT_CHAT_COMPLETIONS, "us.openai.gpt-oss-120b-1:0", "", "",
          "/openai/v1/chat/completions", "authorization", "Bearer " },
        { GH_DIALECT_AZURE_CLASSIC, GH_ENDPOINT_RESPONSES, "d", "2025-04-01-preview", "", "/openai/responses?api-version=2025-04-01-preview", "api-key", "" },
        { GH_DIALECT_AZURE_V1, GH_ENDPOINT_RESPONSES, "d", "", "", "/openai/v1/responses", "api-key", "" },
        { GH_DIALECT_OPENAI, GH_ENDPOINT_RESPONSES, "m", "", "", "/v1/responses", "authorization", "Bearer " },
        { GH_DIALECT_BEDROCK_OPENAI, GH_ENDPOINT_RESPONSES, "m", "", "", "/openai/v1/responses", "authorization", "Bearer " },
        { GH_DIALECT_BEDROCK_OPENAI, GH_ENDPOINT_EMBEDDINGS, "m", "", "", NULL, NULL, NULL },
        { GH_DIALECT_BEDROCK_OPENAI, GH_ENDPOINT_COMPLETIONS, "m", "", "", NULL, NULL, NULL },
        { GH_DIALECT_BEDROCK_OPENAI, GH_ENDPOINT_MESSAGES, "m", "", "", NULL, NULL, NULL },
        { GH_DIALECT_OPENAI, GH_ENDPOINT_MESSAGES, "m", "", "", NULL, NULL, NULL },
        { GH_DIALECT_AZURE_CLASSIC, GH_ENDPOINT_CONVERSE, "m", "2024-10-21", "", NULL, NULL, NULL },
        { GH_DIALECT_ANTHROPIC, GH_ENDPOINT_MESSAGES, "claude", "", "", "/v1/messages", "x-api-key", "" },
        { GH_DIALECT_ANTHROPIC, GH_ENDPOINT_COUNT_TOKENS, "claude", "", "/anthropic", "/anthropic/v1/messages/count_tokens", "x-api-key", "" },
        { GH_DIALECT_ANTHROPIC, GH_ENDPOINT_CHAT_COMPLETIONS, "claude", "", "", NULL, NULL, NULL },
        { GH_DIALECT_BEDROCK, GH_ENDPOINT_CONVERSE, "eu.amazon.nova-2-lite-v1:0", "", "",
          "/model/eu.amazon.nova-2-lite-v1%3A0/converse", "authorization", "Bearer " },
        { GH_DIALECT_BEDROCK, GH_ENDPOINT_INVOKE, "arn:aws:bedrock:eu-central-1:1:inference-profile/a", "", "",
          "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fa/invoke", "authorization", "Bearer " },
        { GH_DIALECT_BEDROCK, GH_ENDPOINT_BEDROCK_COUNT, "anthropic.claude-x-v1:0", "", "", "/model/anthropic.claude-x-v1%3A0/count-tokens", "authorization",
          "Bearer " },
        { GH_DIALECT_BEDROCK, GH_ENDPOINT_COUNT_TOKENS, "m", "", "", NULL, NULL, NULL },
        { GH_DIALECT_BEDROCK, GH_ENDPOINT_CONVERSE, "a b", "", "", NULL, NULL, NULL },
        { GH_DIALECT_BEDROCK, GH_ENDPOINT_MESSAGES, "m", "", "", NULL, NULL, NULL },
        { GH_DIALECTS, GH_ENDPOINT_CHAT_COMPLETIONS, "m", "", "", NULL, NULL, NULL },
        { GH_DIALECT_OPENAI, GH_ENDPOINT_CHAT_COMPLETIONS, "", "", "", NULL, NULL, NULL },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_t            c = { .dialect = cases[i].dialect, .upstream = cases[i].upstream, .api_version = cases[i].api_version };
        gh_target_t       target = target_of(&c);
        gh_wire_request_t request;
        gh_intake_t       intake;
        gh_error_t        error;
        int               rc;

        memset(&error, 0, sizeof(error));
        CHECK_INT(gh_intake_parse(&heap.arena, GH_ENDPOINT_CHAT_COMPLETIONS, GH_STR("{\"model\":\"m\",\"messages\":[]}"), &intake, &error), GH_OK);
        intake.endpoint = cases[i].endpoint;
        rc = gh_dialect_request(&heap.arena, &target, &intake, gh_str_from(cases[i].base), false, 0, &request, &error);
        if (cases[i].path == NULL) {
            CHECK_INT(rc, GH_ERROR);
            CHECK(error.code != NULL);
            continue;
        }
        if (CHECK_INT(rc, GH_OK)) {
            CHECK_STR(request.path, cases[i].path);
            CHECK_STR(request.credential_header, cases[i].header);
            CHECK_STR(request.credential_prefix, cases[i].prefix);
        }
    }
}

static void
test_memory(void)
{
    case_t            c = { .dialect = GH_DIALECT_AZURE_CLASSIC, .upstream = "other", .api_version = "2025-01-01" };
    gh_target_t       target = target_of(&c);
    gh_wire_request_t request;
    gh_intake_t       intake;
    gh_error_t        error;
    gh_heap_t         small;
    size_t            n;
    int               rc = GH_ERROR;

    CHECK_INT(gh_intake_parse(&heap.arena, GH_ENDPOINT_CHAT_COMPLETIONS, GH_STR("{\"model\":\"m\",\"messages\":[]}"), &intake, &error), GH_OK);
    for (n = 0; n < 16 && rc != GH_OK; n++) {
        gh_heap_init(&small);
        small.limit = n;
        rc = gh_dialect_request(&small.arena, &target, &intake, GH_STR("/x"), true, 7, &request, &error);
        if (rc != GH_OK) {
            CHECK(strcmp(error.code, "no_memory") == 0);
        } else {
            CHECK_STR(request.path, "/x/openai/deployments/other/chat/completions?api-version=2025-01-01");
        }
        gh_heap_free(&small);
    }
    CHECK(n > 3 && rc == GH_OK);
}

static void
test_response_headers(void)
{
    static const char *const passed[] = { "Content-Type", "retry-after", "Retry-After-Ms", "x-should-retry",
        "openai-processing-ms" };
    static const char *const kept[] = { "Server", "Set-Cookie", "x-request-id", "apim-request-id", "x-ms-region", "x-ratelimit-",
        "X-RateLimit-Limit-Requests", "x-ratelimit-reset-tokens",
        "x-ms-deployment-name", "X-Accel-Buffering", "x-accel-redirect", "Content-Length", "Transfer-Encoding", "Connection",
        "openai-organization", "x-amzn-requestid", "Location", "content-encoding", "" };
    size_t i;
    int    dialect;

    for (dialect = 0; dialect < GH_DIALECTS; dialect++) {
        for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
            CHECK(gh_dialect_response_header((gh_dialect_t) dialect, gh_str_from(passed[i])));
        }
        for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
            CHECK(!gh_dialect_response_header((gh_dialect_t) dialect, gh_str_from(kept[i])));
        }
    }
}

int
main(void)
{
    gh_heap_init(&heap);

    test_bodies();
    test_inference_geo();
    test_paths();
    test_memory();
    test_response_headers();

    gh_heap_free(&heap);
    return check_done("wire_dialect");
}
