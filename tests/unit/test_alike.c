/* Bodies of Messages and InvokeModel for each other: what is taken out and put in, what is refused, and flags. */
#include <stdlib.h>

#include "ngx_module/wire/alike.h"
#include "tests/unit/check.h"

static gh_heap_t heap;

typedef struct {
    gh_endpoint_t endpoint;          /* the client's; the other one is asked */
    const char   *body, *sent;       /* sent NULL: it is refused, at `betas` */
    const char   *header;            /* anthropic-beta; NULL: none */
    const char   *tier_header;
    const char   *betas, *tier;      /* what stands in headers then */
    uint64_t      cap;
    const char   *geo;
    bool          stream;            /* the path says it */
} case_t;

#define M GH_ENDPOINT_MESSAGES
#define I GH_ENDPOINT_INVOKE
#define V "\"anthropic_version\":\"bedrock-2023-05-31\""
/* sent; refused */
#define C(e, b, s, ...) { .endpoint = (e), .body = b, .sent = s, __VA_ARGS__ }
#define R(e, b, ...)    { .endpoint = (e), .body = b, __VA_ARGS__ }
#define T "\"messages\":[],\"max_tokens\":9"
#define SCOPED(s) ",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"scope\":\"" s "\"}}]"
#define UNSCOPED  ",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{}}]"
#define SCOPE     "longer-than-all-that-stays-of-the-body-longer-than-all-that-stays-of-the-body-longer-than-all-that-stays-of-the-body"

static void
check(const case_t *c)
{
    gh_str_t          body = gh_str_from(c->body), pieces[2 * GH_SPLICE_MAX + 1], refused;
    gh_url_t          url = { .endpoint = c->endpoint, .stream = c->stream };
    gh_hub_send_t     send = { .model = GH_STR("up"), .output_cap = c->cap, .default_max = 4096 };
    gh_wire_request_t wire;
    gh_intake_t       intake;
    gh_error_t        error;
    char              joined[2048];
    size_t            len = 0;
    unsigned          i, count;

    memset(&wire, 0, sizeof(wire));
    send.inference_geo = gh_str_from(c->geo != NULL ? c->geo : "");
    if (c->endpoint == I) {
        url.model = GH_STR("m");
    }
    if (!CHECK_INT(gh_intake_parse_url(&heap.arena, &url, body, &intake, &error), GH_OK)) {
        fprintf(stderr, "    %s: %s\n", c->body, error.text);
        return;
    }
    if (c->header != NULL) {
        gh_intake_header(&heap.arena, &intake, GH_STR("anthropic-beta"), gh_str_from(c->header));
    }
    if (c->tier_header != NULL) {
        gh_intake_header(&heap.arena, &intake, GH_STR("x-amzn-bedrock-service-tier"), gh_str_from(c->tier_header));
    }

    refused = gh_alike_refused(&intake);
    if (c->sent == NULL) {
        CHECK_STR(refused, c->betas);
        return;
    }
    if (!CHECK(refused.data == NULL)) {
        fprintf(stderr, "    %s: %.*s\n", c->body, GH_STR_ARG(refused));
        return;
    }

    CHECK_INT(gh_alike_request(&heap.arena, &intake, body, &send, &wire, &error), GH_OK);
    if (!CHECK(gh_splice_holds(&wire.splice, body))) {
        fprintf(stderr, "    %s: edits overlap\n", c->body);
        return;
    }
    count = gh_splice_pieces(&wire.splice, body, pieces);
    for (i = 0; i < count; i++) {
        memcpy(joined + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }
    CHECK_INT(len, gh_splice_length(&wire.splice, body));
    CHECK_STR(((gh_str_t) { joined, len }), c->sent);
    CHECK_STR(wire.betas, c->betas != NULL ? c->betas : "");
    CHECK_STR(wire.said[GH_BEDROCK_HEADER_TIER], c->tier != NULL ? c->tier : "");
}

static void
test_sent(void)
{
    static const case_t cases[] = {
        /* wherever what is taken out stands */
        C(M, "{\"model\":\"m\"," T "}", "{" V "," T "}"),
        C(M, "{" T ",\"model\":\"m\"}", "{" V "," T "}"),
        C(M, "{\"model\":\"m\",\"stream\":true," T ",\"cache_control\":{\"type\":\"ephemeral\"},\"inference_geo\":\"us\"}", "{" V "," T "}"),
        C(M, " { \"stream\" : false , \"model\" : \"m\" , \"messages\" : [ ] , \"max_tokens\" : 9 , \"service_tier\" : \"auto\" } ",
          " {" V "   , \"messages\" : [ ] , \"max_tokens\" : 9  } "),
        C(M, "{\"model\":\"m\",\"messages\":[]}", "{" V ",\"max_tokens\":4096,\"messages\":[]}"),
        C(M, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":null}", "{" V ",\"messages\":[],\"max_tokens\":4096}"),
        C(M, "{\"model\":\"m\"," T "}", "{" V ",\"messages\":[],\"max_tokens\":5}", .cap = 5),
        C(M, "{\"messages\":[],\"model\":\"m\"}", "{" V ",\"max_tokens\":5,\"messages\":[]}", .cap = 5),
        C(M, "{\"mod\\u0065l\":\"m\"," T "}", "{" V "," T "}", .geo = "us"),

        /* headers */
        C(M, "{\"model\":\"m\"," T ",\"service_tier\":\"standard_only\"}", "{" V "," T "}", .tier = "default"),
        C(M, "{\"model\":\"m\"," T "}", "{" V ",\"anthropic_beta\":[\"effort-2025-11-24\"]," T "}",
          .header = "claude-code-20250219, effort-2025-11-24,mid-conversation-system-2026-04-07"),
        C(M, "{\"model\":\"m\"," T "}", "{" V ",\"anthropic_beta\":[\"tool-search-tool-2025-10-19\",\"tool-examples-2025-10-29\"]," T "}",
          .header = "advanced-tool-use-2025-11-20"),
        C(M, "{\"model\":\"m\"," T "}", "{" V ",\"anthropic_beta\":[\"tool-search-tool-2025-10-19\",\"tool-examples-2025-10-29\"]," T "}",
          .header = "advanced-tool-use-2025-11-20,tool-examples-2025-10-29"),

        /* what is in both stays to the byte */
        C(M, "{\"model\":\"m\"," T ",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"},{\"name\":\"t\",\"input_schema\":{},\"defer_loading\":true,"
             "\"input_examples\":[{}],\"allowed_callers\":[\"direct\"]}]}",
          "{" V "," T ",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"},{\"name\":\"t\",\"input_schema\":{},\"defer_loading\":true,"
             "\"input_examples\":[{}],\"allowed_callers\":[\"direct\"]}]}"),
        C(M, "{\"model\":\"m\",\"max_tokens\":10,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[],"
             "\"citations\":{\"enabled\":true}}]}],\"context_management\":{\"edits\":[{\"type\":\"compact_20260112\"}]}}",
          "{" V ",\"max_tokens\":10,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[],"
             "\"citations\":{\"enabled\":true}}]}],\"context_management\":{\"edits\":[{\"type\":\"compact_20260112\"}]}}"),
        C(M, "{\"model\":\"m\"," T ",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\",\"scope\":\"global\"}},"
             "{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"scope\":\"global\" , \"type\":\"ephemeral\"}}]}",
          "{" V "," T ",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\"}},"
             "{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{ \"type\":\"ephemeral\"}}]}"),
        C(M, "{\"model\":\"m\"," T ",\"container\":null}", "{" V "," T ",\"container\":null}"),

        /* what goes with the member that it stands in is not taken out twice, and what comes before or behind it still is */
        C(M, "{\"model\":\"m\",\"cache_control\":{\"type\":\"ephemeral\",\"scope\":\"global\"}," T "}", "{" V "," T "}"),
        C(M, "{\"model\":\"m\"," T ",\"cache_control\":{\"scope\":\"global\",\"type\":\"ephemeral\"}}", "{" V "," T "}"),
        C(M, "{\"cache_control\" : { \"scope\" : \"" SCOPE "\" } , \"model\":\"m\"," T "}", "{" V " ," T "}"),
        C(M, "{\"model\":\"m\"," T SCOPED("a") ",\"cache_control\":{\"type\":\"ephemeral\",\"scope\":\"" SCOPE "\"}}", "{" V "," T UNSCOPED "}"),
        C(M, "{\"cache_control\":{\"type\":\"ephemeral\",\"scope\":\"" SCOPE "\"},\"model\":\"m\"," T SCOPED("a") "}", "{" V "," T UNSCOPED "}"),

        /* the other way */
        C(I, "{" V "," T "}", "{\"model\":\"up\"," T "}"),
        C(I, "{" T "," V "}", "{\"model\":\"up\",\"stream\":true," T "}", .stream = true),
        C(I, "{" V ",\"anthropic_beta\":[\"interleaved-thinking-2025-05-14\",\"tool-search-tool-2025-10-19\"]," T "}", "{\"model\":\"up\"," T "}",
          .header = "claude-code-20250219", .betas = "interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20,claude-code-20250219"),
        C(I, "{" V "," T ",\"anthropic_beta\":[]}", "{\"model\":\"up\"," T "}"),
        C(I, "{" V "," T "}", "{\"model\":\"up\",\"service_tier\":\"standard_only\"," T "}", .tier_header = "default"),
        C(I, "{" V "," T ",\"service_tier\":\"auto\"}", "{\"model\":\"up\"," T ",\"service_tier\":\"auto\"}", .tier_header = "default"),
        C(I, "{" V "," T ",\"inference_geo\":\"us\"}", "{\"model\":\"up\",\"inference_geo\":\"eu\"," T "}", .geo = "eu"),
        C(I, "{" T ",\"cache_control\":{\"type\":\"ephemeral\"}}", "{\"model\":\"up\"," T ",\"cache_control\":{\"type\":\"ephemeral\"}}"),
        C(I, "{" T ",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"scope\":\"global\"}}]}",
          "{\"model\":\"up\"," T ",\"system\":[{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"scope\":\"global\"}}]}"),
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&cases[i]);
    }
}

#define BLOCK(b) "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[" b "]}]}"

static void
test_refused(void)
{
    static const case_t cases[] = {
        R(M, "{\"model\":\"m\"," T ",\"mcp_servers\":[]}", .betas = "mcp_servers"),
        R(M, "{\"model\":\"m\"," T ",\"speed\":\"fast\"}", .betas = "speed"),
        R(M, "{\"model\":\"m\"," T ",\"container\":\"c\"}", .betas = "container"),
        R(M, "{\"model\":\"m\"," T ",\"thread\":{\"type\":\"create\"}}", .betas = "thread"),
        R(M, "{\"model\":\"m\"," T ",\"output_config\":{\"task_budget\":{\"type\":\"tokens\",\"total\":9}}}", .betas = "output_config.task_budget"),
        R(M, "{\"model\":\"m\"," T ",\"tools\":[{\"name\":\"a\"},{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]}", .betas = "tools[1].type"),
        R(M, "{\"model\":\"m\"," T ",\"tools\":[{\"name\":\"a\",\"allowed_callers\":[\"direct\",\"code_execution_20250825\"]}]}", .betas = "tools[0].allowed_callers[1]"),
        R(M, BLOCK("{\"type\":\"container_upload\"}"), .betas = "messages[0].content[0].type"),
        R(M, BLOCK("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://a.b\"}}"), .betas = "messages[0].content[0].source.type"),
        R(M, BLOCK("{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}"), .betas = "messages[0].content[0].source.type"),
        R(M, BLOCK("{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"web_search_tool_result\",\"content\":[]}"), .betas = "messages[0].content[1].type"),
        R(M, "{\"model\":\"m\"," T ",\"nobody\":1,\"speed\":\"fast\"}", .betas = "nobody"),
        R(M, "{\"model\":\"m\"," T "}", .header = "nobody-knows", .betas = "header anthropic-beta=nobody-knows"),
        R(M, "{\"model\":\"m\"," T ",\"anthropic_version\":\"bedrock-2023-05-31\"}", .betas = "anthropic_version"),
        R(I, "{" V "," T "}", .tier_header = "flex", .betas = "header x-amzn-bedrock-service-tier"),
        R(I, "{" V "," T ",\"model\":\"m\"}", .betas = "model"),
        R(I, "{" V "," T ",\"nobody\":1}", .betas = "nobody"),
    };
    char   body[2048], scopes[1024] = "";

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&cases[i]);
    }

    /* more than providers take */
    for (unsigned i = 0; i < GH_CUTS_MAX + 1; i++) {
        snprintf(scopes + strlen(scopes), sizeof(scopes) - strlen(scopes), "%s{\"name\":\"t\",\"cache_control\":{\"scope\":\"x\"}}", i != 0 ? "," : "");
    }
    snprintf(body, sizeof(body), "{\"model\":\"m\"," T ",\"tools\":[%s]}", scopes);
    check(&(case_t) { .endpoint = M, .body = body, .betas = "tools[4].cache_control.scope" });
}

/* Edits that cannot be sent are told from those that can. */
static void
test_holds(void)
{
    static const struct { gh_splice_t splice; bool holds; } cases[] = {
        { { .count = 0 }, true },
        { { .edit = { { 0, 2, { "", 0 } }, { 2, 0, { "x", 1 } }, { 2, 3, { "", 0 } }, { 5, 0, { "y", 1 } } }, .count = 4 }, true },
        { { .edit = { { 1, 3, { "", 0 } }, { 3, 1, { "", 0 } } }, .count = 2 }, false },
        { { .edit = { { 1, 3, { "", 0 } }, { 2, 1, { "", 0 } } }, .count = 2 }, false },
        { { .edit = { { 3, 0, { "x", 1 } }, { 1, 1, { "", 0 } } }, .count = 2 }, false },
        { { .edit = { { 4, 2, { "", 0 } } }, .count = 1 }, false },
        { { .edit = { { 6, 0, { "x", 1 } } }, .count = 1 }, false },
        { { .edit = { { 2, SIZE_MAX, { "", 0 } } }, .count = 1 }, false },
        { { .count = GH_SPLICE_MAX + 1 }, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!CHECK(gh_splice_holds(&cases[i].splice, GH_STR("12345")) == cases[i].holds)) {
            fprintf(stderr, "    case %zu\n", i);
        }
    }
}

static void
test_pairs(void)
{
    CHECK_INT(gh_endpoint_alike(M), I);
    CHECK_INT(gh_endpoint_alike(I), M);
    for (unsigned i = 0; i < GH_ENDPOINTS; i++) {
        CHECK(i == M || i == I || gh_endpoint_alike((gh_endpoint_t) i) == GH_ENDPOINTS);
    }
}

int
main(void)
{
    gh_heap_init(&heap);
    test_pairs();
    test_sent();
    test_refused();
    test_holds();
    gh_heap_free(&heap);
    return check_done("alike");
}
