/* What is read in bodies of Anthropic's Messages and of Bedrock's Converse, and in the headers beside them. */
#include "tests/unit/intake_world.h"

static int
messages(const char *body)
{
    return parse_at(GH_ENDPOINT_MESSAGES, gh_str_from(body));
}

#define MESSAGES(members) "{\"model\":\"m\",\"max_tokens\":5,\"messages\":[]," members "}"
#define BLOCKS(blocks)    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[" blocks "]}]}"

#define CHECK_MESSAGES(body, expected) \
    (CHECK_INT(messages(body), GH_OK), CHECK_STR(gh_str_from(uses()), (expected)))

static void
test_plain(void)
{
    CHECK_MESSAGES("{\"model\":\"claude\",\"max_tokens\":1024,\"stream\":true,\"system\":\"s\",\"service_tier\":\"standard_only\",\"top_k\":3,"
        "\"stop_sequences\":[\"x\"],\"metadata\":{\"user_id\":\"u\"},\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1000},"
        "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"}]}]}", "");
    CHECK_STR(intake.model, "claude");
    CHECK(intake.stream);
    CHECK_INT(intake.max_tokens, 1024);
    CHECK_INT(intake.messages, 2);
    CHECK_INT(intake.unbounded, 0);
    CHECK(!intake.uninspected);
    CHECK_STR(intake.service_tier, "standard_only");

    CHECK_INT(messages("{\"model\":\"m\"}"), GH_ERROR);
    CHECK_STR(gh_str_from(error.text), "messages is missing: it must be an array");
    CHECK_INT(messages(MESSAGES("\"inference_geo\":\"us\"")), GH_OK);
    CHECK_STR(intake.inference_geo, "US");
    CHECK_INT(messages(MESSAGES("\"inference_geo\":[]")), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "invalid_places");
    CHECK_INT(messages(MESSAGES("\"fallbacks\":\"default\"")), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "invalid_request");

    /* fields of the other API */
    CHECK_MESSAGES(MESSAGES("\"n\":2,\"store\":true"), "?@n ?@store");
    CHECK_INT(parse_at(GH_ENDPOINT_COUNT_TOKENS, GH_STR("{\"model\":\"m\",\"messages\":[],\"system\":\"s\",\"max_tokens\":1}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "?@max_tokens");
}

static void
test_tiers(void)
{
    CHECK_MESSAGES(MESSAGES("\"speed\":\"fast\",\"service_tier\":\"auto\""), "");
    CHECK_STR(intake.service_tier, "fast");
    CHECK_MESSAGES(MESSAGES("\"service_tier\":\"auto\",\"speed\":\"fast\""), "");
    CHECK_STR(intake.service_tier, "fast");
    CHECK_MESSAGES(MESSAGES("\"service_tier\":\"auto\",\"speed\":\"standard\""), "");
    CHECK_STR(intake.service_tier, "auto");
    CHECK_MESSAGES(MESSAGES("\"speed\":\"ludicrous\""), "?@speed=ludicrous");
}

static void
test_tools(void)
{
    CHECK_MESSAGES(MESSAGES("\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}},{\"type\":\"custom\",\"name\":\"g\",\"input_schema\":{}},"
        "{\"type\":\"bash_20250124\",\"name\":\"bash\"},{\"type\":\"computer_20251124\",\"name\":\"computer\",\"display_width_px\":1},"
        "{\"type\":\"memory_20250818\",\"name\":\"memory\"},{\"type\":\"browser_toolset_20260801\",\"configs\":{\"find\":{\"enabled\":true}}}]"), "");
    CHECK_MESSAGES(MESSAGES("\"tools\":[{\"max_uses\":3,\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]"), "web_search@tools[0].type");
    CHECK_MESSAGES(MESSAGES("\"tools\":[{\"name\":\"f\",\"max_uses\":3}]"), "?@tools[0].max_uses");
    CHECK_MESSAGES(MESSAGES("\"tools\":[{\"type\":\"web_search_20301231\"}]"), "?@tools[0].type=web_search_20301231");
    CHECK_MESSAGES(MESSAGES("\"tools\":[{\"name\":\"f\",\"allowed_callers\":[\"direct\"]},{\"name\":\"g\",\"allowed_callers\":[\"code_execution_20250825\"]}]"),
        "code_execution@tools[1].allowed_callers[0]");
    CHECK_MESSAGES(MESSAGES("\"tools\":[{\"name\":\"f\",\"input_schema\":{\"$ref\":\"https://x/y\"}}]"), "fetched_url@tools[0].input_schema");
    CHECK_MESSAGES(MESSAGES("\"tools\":[{\"type\":\"browser_toolset_20260801\",\"configs\":{\"find\":{\"proxy\":\"http://x\"}}}]"), "?@tools[0].configs.find.proxy");
    CHECK_MESSAGES(MESSAGES("\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}"), "");
    CHECK_MESSAGES(MESSAGES("\"mcp_servers\":[{\"type\":\"url\",\"url\":\"https://x\"}],\"container\":\"c\",\"thread\":{\"type\":\"create\"}"),
        "mcp@mcp_servers container@container thread@thread");
}

static void
test_cache(void)
{
    CHECK_MESSAGES(BLOCKS("{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\"}}"), "");
    CHECK_MESSAGES(BLOCKS("{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"5m\"}}"), "");
    CHECK_MESSAGES(BLOCKS("{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}"),
        "prompt_cache@messages[0].content[0].cache_control.ttl");
    CHECK_MESSAGES(BLOCKS("{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\",\"scope\":\"global\"}}"),
        "prompt_cache@messages[0].content[0].cache_control.scope");
    CHECK_MESSAGES(BLOCKS("{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"durable\"}}"),
        "?@messages[0].content[0].cache_control.type=durable");
}

/* The type says what the data is, wherever it stands. */
static void
test_sources(void)
{
    static const struct { const char *block, *uses; int images, unbounded, media; bool uninspected; } cases[] = {
        { "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}}", "", 1, 0, 4, true },
        { "{\"source\":{\"data\":\"AAAA\",\"media_type\":\"image/png\",\"type\":\"base64\"},\"type\":\"image\"}", "", 1, 0, 4, true },
        { "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"AAAA\"}}", "", 0, 1, 4, true },
        { "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"AAAA\"}}", "", 0, 0, 0, false },
        { "{\"type\":\"document\",\"source\":{\"data\":\"see https://x\",\"type\":\"text\"}}", "", 0, 0, 0, false },
        { "{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":\"AAAA\"}}]}}",
          "", 1, 0, 4, true },
        { "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/y.png\"}}", "fetched_url@messages[0].content[0].source.url", 1, 0, 0, true },
        { "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":\"https://x\"}}", "fetched_url@messages[0].content[0].source", 1, 0, 0, true },
        { "{\"type\":\"image\",\"source\":{\"data\":\"https://x\"}}", "fetched_url@messages[0].content[0].source", 1, 0, 0, true },
        { "{\"type\":\"image\",\"source\":{\"type\":\"s3\",\"data\":\"AAAA\"}}", "?@messages[0].content[0].source.type=s3", 1, 1, 4, true },
        { "{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}", "files@messages[0].content[0].source.file_id", 0, 2, 0, true },
        { "{\"type\":\"image\",\"source\":\"https://x\"}", "?@messages[0].content[0]", 0, 1, 0, true },
        { "{\"type\":\"search_result\",\"source\":\"https://x\",\"title\":\"t\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}", "", 0, 0, 0, false },
        { "{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":\"AAAA\"}}]}", "", 1, 0, 4, true },
        { "{\"type\":\"redacted_thinking\",\"data\":\"AAAA\"}", "", 0, 0, 0, true },
        { "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":\"web_search_result\",\"url\":\"https://x\",\"title\":\"t\","
          "\"encrypted_content\":\"e\"}]}", "web_search@messages[0].content[0].type", 0, 1, 0, true },
        { "{\"type\":\"container_upload\",\"file_id\":\"f\"}", "container@messages[0].content[0].type files@messages[0].content[0].file_id", 0, 2, 0, true },
        { "{\"type\":\"hologram\"}", "?@messages[0].content[0].type=hologram", 0, 1, 0, true },
    };
    char   body[1024];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(body, sizeof(body), "{\"model\":\"m\",\"messages\":[{\"content\":[%s]}]}", cases[i].block);
        CHECK_INT(messages(body), GH_OK);
        CHECK_STR(gh_str_from(uses()), cases[i].uses);
        if (!CHECK_INT(intake.images, cases[i].images) || !CHECK_INT(intake.unbounded, cases[i].unbounded)
            || !CHECK_INT((int) (intake.body_bytes - intake.text_bytes), cases[i].media) || !CHECK_INT(intake.uninspected, cases[i].uninspected))
        {
            fprintf(stderr, "    %s\n", body);
        }
    }

    CHECK_INT(messages(BLOCKS("{\"type\":\"image\",\"source\":{\"data\":7}}")), GH_ERROR);
    CHECK_INT(messages(BLOCKS("{\"type\":\"image\",\"source\":[]}")), GH_ERROR);
}

static void
test_headers(void)
{
    gh_arena_t *arena = &heap.arena;

    CHECK_INT(messages(MESSAGES("\"top_p\":1")), GH_OK);
    CHECK(gh_intake_header(arena, &intake, GH_STR("anthropic-version"), GH_STR("2023-06-01")));
    CHECK(gh_intake_header(arena, &intake, GH_STR("Anthropic-Beta"), GH_STR("context-1m-2025-08-07, interleaved-thinking-2025-05-14,,")));
    CHECK(!gh_intake_header(arena, &intake, GH_STR("x-api-key"), GH_STR("k")));
    CHECK(!gh_intake_header(arena, &intake, GH_STR("anthropic-beta"), GH_STR(" ")));
    CHECK(!gh_intake_header(arena, &intake, GH_STR("anthropic-workspace-id"), GH_STR("w")));
    CHECK_STR(gh_str_from(uses()), "");
    CHECK(gh_intake_header(arena, &intake, GH_STR("anthropic-beta"), GH_STR("compact-2026-01-12,of-tomorrow")));
    CHECK(gh_intake_header(arena, &intake, GH_STR("anthropic-version"), GH_STR("latest")));
    CHECK_STR(gh_str_from(uses()), "?@header anthropic-beta=of-tomorrow ?@header anthropic-version");
}

static void
test_every_member_once(void)
{
    CHECK_INT(messages(MESSAGES("\"tools\":[{\"type\":\"browser_toolset_20260801\",\"configs\":{\"a\":{},\"\\u0061\":{}}}]")), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "duplicate_key");
    CHECK_INT(messages(BLOCKS("{\"type\":\"text\",\"type\":\"text\"}")), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "duplicate_key");
}

int
main(void)
{
    gh_heap_init(&heap);

    test_plain();
    test_tiers();
    test_tools();
    test_cache();
    test_sources();
    test_headers();
    test_every_member_once();

    gh_heap_free(&heap);
    return check_done("wire_messages");
}
