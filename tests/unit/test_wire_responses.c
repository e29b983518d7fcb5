/* Bodies of Responses: what they use, field by field, and the ids of what is kept, opened and left out. */
#include "tests/unit/intake_world.h"

#define BODY(members)  "{\"model\":\"m\",\"input\":\"hi\",\"store\":false," members "}"
#define ITEMS(items)   "{\"model\":\"m\",\"store\":false,\"input\":[" items "]}"

#define CHECK_RESPONSE(body, expected) \
    (CHECK_INT(parse_at(GH_ENDPOINT_RESPONSES, gh_str_from(body)), GH_OK), CHECK_STR(gh_str_from(uses()), (expected)))

static gh_handles_t *handles;

static void
test_store(void)
{
    CHECK_RESPONSE("{\"model\":\"m\",\"input\":\"hi\"}", "store@store");
    CHECK_INT(intake.by_default, 1);
    CHECK_INT(intake.messages, 1);
    CHECK_RESPONSE("{\"model\":\"m\",\"input\":\"hi\",\"store\":null}", "store@store");
    CHECK_INT(intake.by_default, 1);
    CHECK_RESPONSE("{\"model\":\"m\",\"input\":\"hi\",\"store\":true}", "store@store");
    CHECK_INT(intake.by_default, 0);
    CHECK_RESPONSE("{\"model\":\"m\",\"input\":\"hi\",\"store\":false}", "");
    CHECK_INT(intake.by_default, 0);
    CHECK(!intake.uninspected);
    CHECK_INT(intake.unbounded, 0);
    CHECK_RESPONSE("{\"model\":\"m\",\"input\":\"hi\",\"background\":true}", "background@background store@store");
    CHECK_INT(intake.by_default, 0);
    CHECK_RESPONSE("{\"model\":\"m\",\"input\":\"hi\",\"previous_response_id\":\"resp_1\"}", "store@previous_response_id");
    CHECK_INT(intake.by_default, 0);
    CHECK(intake.uninspected);
    CHECK(intake.unbounded > 0);
    CHECK_INT(intake.handle_count, 1);
    CHECK(intake.handles[0].required && intake.handles[0].pins);
    CHECK_RESPONSE("{\"model\":\"m\",\"input\":\"hi\",\"previous_response_id\":null,\"conversation\":null}", "store@store");
    CHECK_RESPONSE(BODY("\"conversation\":{\"id\":\"conv_1\"}"), "conversation@conversation.id");
    CHECK_STR(intake.handles[0].where, "conversation.id");
    CHECK_RESPONSE(BODY("\"conversation\":\"conv_1\",\"prompt\":{\"id\":\"pmpt_1\",\"variables\":{\"a\":\"b\"}}"),
        "conversation@conversation stored_prompt@prompt.id");
    CHECK(intake.uninspected && intake.unbounded > 0);
    CHECK_RESPONSE(BODY("\"prompt\":{\"id\":\"pmpt_1\",\"version\":\"2\",\"variables\":{\"a\":{\"type\":\"input_file\",\"file_id\":\"file-1\"},"
        "\"b\":{\"type\":\"input_image\",\"image_url\":\"https://x\"},\"c\":{\"type\":\"frob\"},\"d\":\"text\"}}"),
        "stored_prompt@prompt.id files@prompt.variables.a.file_id fetched_url@prompt.variables.b.image_url ?@prompt.variables.c.type=frob");
    CHECK_INT(intake.handle_count, 1);
    CHECK_STR(intake.handles[0].where, "prompt.variables.a.file_id");
    CHECK(intake.handles[0].required && intake.handles[0].pins);
    CHECK_RESPONSE(BODY("\"prompt\":\"pmpt_1\""), "?@prompt");
    CHECK_RESPONSE(BODY("\"conversation\":{\"id\":\"conv_1\",\"url\":\"x\"}"), "conversation@conversation.id ?@conversation.url");
}

static void
test_fields(void)
{
    CHECK_RESPONSE(BODY("\"instructions\":\"be brief\",\"max_output_tokens\":5,\"temperature\":1,\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\","
        "\"schema\":{\"type\":\"object\"},\"strict\":true},\"verbosity\":\"low\"},\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},"
        "\"truncation\":\"auto\",\"include\":[\"reasoning.encrypted_content\"],\"metadata\":{\"a\":\"b\"},\"parallel_tool_calls\":false,"
        "\"stream_options\":{\"include_obfuscation\":false},\"service_tier\":\"flex\",\"prompt_cache_key\":\"k\",\"top_logprobs\":3"), "");
    CHECK_INT(intake.max_tokens, 5);
    CHECK_STR(intake.service_tier, "flex");
    CHECK_RESPONSE(BODY("\"include\":[\"everything\"],\"truncation\":\"never\",\"frob\":1"),
        "?@include[0]=everything ?@truncation=never ?@frob");
    CHECK_RESPONSE(BODY("\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"$ref\":\"https://x\"}}}"), "fetched_url@text.format.schema");
    CHECK_RESPONSE(BODY("\"prompt_cache_options\":{\"ttl\":\"12h\"},\"prompt_cache_retention\":\"24h\""), "prompt_cache@prompt_cache_options.ttl");
    CHECK_RESPONSE(BODY("\"max_tokens\":5,\"messages\":[]"), "?@max_tokens ?@messages");
    CHECK_INT(parse_at(GH_ENDPOINT_RESPONSES, gh_str_from(BODY("\"inference_geo\":7"))), GH_ERROR);
    CHECK(strcmp(error.code, "invalid_places") == 0);
    CHECK_INT(parse_at(GH_ENDPOINT_RESPONSES, gh_str_from(BODY("\"api_base\":\"x\""))), GH_ERROR);
    CHECK_INT(parse_at(GH_ENDPOINT_RESPONSES, gh_str_from(BODY("\"previous_response_id\":7"))), GH_ERROR);
    CHECK_INT(parse_at(GH_ENDPOINT_RESPONSES, gh_str_from(BODY("\"conversation\":[7]"))), GH_ERROR);
}

static void
test_tools(void)
{
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":true},"
        "{\"type\":\"custom\",\"name\":\"c\",\"format\":{\"type\":\"grammar\",\"syntax\":\"lark\",\"definition\":\"x\"}}],"
        "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}"), "");
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"web_search\",\"filters\":{\"allowed_domains\":[\"x\"]}}]"), "web_search@tools[0].type");
    CHECK_RESPONSE(BODY("\"tools\":[{\"server_url\":\"https://x\",\"type\":\"mcp\"}],\"tool_choice\":\"required\""), "mcp@tools[0].type");
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"file_search\",\"vector_store_ids\":[\"vs_1\"]},{\"type\":\"image_generation\"},{\"type\":\"computer\"}]"),
        "file_search@tools[0].type image_generation@tools[1].type computer_use@tools[2].type");
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"url\":\"https://x\"}]"), "?@tools[0].url");
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"frob\"}]"), "?@tools[0].type=frob");
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\",\"file_ids\":[\"file-1\",\"file-2\"]}}]"),
        "code_interpreter@tools[0].type files@tools[0].container.file_ids[0]");
    CHECK_INT(intake.handle_count, 2);
    CHECK_INT(intake.handles[1].kind, GH_HANDLE_FILE);
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"code_interpreter\",\"container\":\"cntr_1\"}]"), "code_interpreter@tools[0].type");
    CHECK_INT(intake.handles[0].kind, GH_HANDLE_CONTAINER);
    CHECK_RESPONSE(BODY("\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"mcp\"}]}]"),
        "mcp@tools[0].tools[1].type");
    CHECK_RESPONSE(BODY("\"tool_choice\":{\"type\":\"web_search_preview\"}"), "web_search@tool_choice.type");
}

static void
test_items(void)
{
    CHECK_RESPONSE(ITEMS("{\"role\":\"user\",\"content\":\"hi\"},{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
        "\"text\":\"x\",\"annotations\":[]}],\"id\":\"msg_1\",\"status\":\"completed\"},{\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"f\","
        "\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"call_1\",\"output\":\"7\"}"), "");
    CHECK_INT(intake.messages, 4);
    CHECK_INT(intake.handle_count, 1);
    CHECK(!intake.handles[0].required && !intake.handles[0].pins);

    CHECK_RESPONSE(ITEMS("{\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"x\"}],\"encrypted_content\":\"AA\",\"type\":\"reasoning\"}"), "");
    CHECK(intake.uninspected);
    CHECK(!intake.handles[0].required && intake.handles[0].pins);

    CHECK_RESPONSE(ITEMS("{\"id\":\"msg_1\",\"type\":\"item_reference\"}"), "store@input[0].id");
    CHECK(intake.handles[0].required && intake.handles[0].pins);
    CHECK(intake.unbounded > 0);
    CHECK_RESPONSE(ITEMS("{\"id\":\"msg_1\"}"), "store@input[0].id");
    CHECK(intake.handles[0].required);
    CHECK_RESPONSE(ITEMS("{\"id\":\"msg_1\",\"type\":\"frob\"}"), "?@input[0].type=frob store@input[0].id");

    CHECK_RESPONSE(ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"x\"},{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AA\","
        "\"detail\":\"low\"},{\"type\":\"input_file\",\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;base64,AA\"}]}"), "");
    CHECK_INT(intake.images, 1);
    CHECK(intake.uninspected);
    CHECK_RESPONSE(ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":\"https://x\"},{\"type\":\"input_file\",\"file_url\":\"https://x\"}]}"),
        "fetched_url@input[0].content[0].image_url");
    CHECK_RESPONSE(ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_id\":\"file-1\"}]}"), "files@input[0].content[0].file_id");
    CHECK_INT(intake.handles[0].kind, GH_HANDLE_FILE);
    CHECK_RESPONSE(ITEMS("{\"type\":\"mcp_approval_response\",\"approve\":true,\"approval_request_id\":\"mcpr_1\"}"),
        "mcp@input[0].type store@input[0].approval_request_id");
    CHECK_RESPONSE(ITEMS("{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":[{\"type\":\"input_image\",\"image_url\":\"http://x\"}]}"),
        "fetched_url@input[0].output[0].image_url");
    CHECK_RESPONSE(ITEMS("{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"frob\",\"url\":\"x\"}],\"frob\":{}}"),
        "?@input[0].content[0].type=frob ?@input[0].content[0].url ?@input[0].frob");
}

/* ---- ids ---- */

static gh_str_t
given(gh_handle_kind_t kind, uint64_t tenant, const char *deployment, const char *id)
{
    gh_handle_t handle = { kind, tenant, gh_str_from(deployment), GH_STR("m"), gh_str_from(id), GH_STR("") };
    char       *text = gh_arena_alloc(&heap.arena, GH_HANDLE_MAX);

    return (gh_str_t) { text, gh_handle_write(handles, &handle, text, GH_HANDLE_MAX) };
}

static gh_str_t opened;

static int
open_ids(gh_str_t body)
{
    memset(&error, 0, sizeof(error));
    opened = body;
    if (gh_intake_parse(&heap.arena, GH_ENDPOINT_RESPONSES, body, &intake, &error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_intake_open(&heap.arena, handles, 7, &(gh_url_t) { .endpoint = GH_ENDPOINT_RESPONSES }, &opened, &intake, &error);
}

static void
test_opened(void)
{
    gh_str_t previous = given(GH_HANDLE_RESPONSE, 7, "azure-se", "resp_a"), item = given(GH_HANDLE_ITEM, 7, "azure-se", "msg_a");
    gh_str_t thought = given(GH_HANDLE_ITEM, 7, "gpu", "rs_a");

    CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"input\":[ { \"id\" : \"%.*s\" } ],\"previous_response_id\":\"%.*s\"}", GH_STR_ARG(item),
        GH_STR_ARG(previous))), GH_OK);
    CHECK_STR(opened, "{\"model\":\"m\",\"input\":[ { \"id\" : \"msg_a\" } ],\"previous_response_id\":\"resp_a\"}");
    CHECK_STR(intake.pin.deployment, "azure-se");
    CHECK_STR(intake.pin.where, "input[0].id");
    CHECK_INT(intake.object_begin, 0);
    CHECK_STR(((gh_str_t) { opened.data + intake.model_value.offset, intake.model_value.length }), "\"m\"");

    /* items in full: a message's id does not tie, that of reasoning does */
    CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"input\":[{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"x\",\"id\":\"%.*s\"}]}",
        GH_STR_ARG(item))), GH_OK);
    CHECK_STR(opened, "{\"model\":\"m\",\"input\":[{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"x\",\"id\":\"msg_a\"}]}");
    CHECK_STR(intake.pin.deployment, "");
    CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"input\":[{\"type\":\"message\",\"id\":\"%.*s\"},{\"type\":\"reasoning\",\"id\":\"%.*s\"}]}",
        GH_STR_ARG(item), GH_STR_ARG(thought))), GH_OK);
    CHECK_STR(intake.pin.deployment, "gpu");
    CHECK_STR(intake.pin.where, "input[1].id");

    /* two places */
    CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"previous_response_id\":\"%.*s\",\"input\":[{\"type\":\"reasoning\",\"id\":\"%.*s\"}]}",
        GH_STR_ARG(previous), GH_STR_ARG(thought))), GH_ERROR);
    CHECK(strcmp(error.code, "state_elsewhere") == 0);
    CHECK(strstr(error.text, "azure") == NULL && strstr(error.text, "gpu") == NULL);
}

static void
test_refused(void)
{
    const gh_str_t refused[] = {
        GH_STR("resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b"), GH_STR(""),
        given(GH_HANDLE_RESPONSE, 8, "azure-se", "resp_a"), given(GH_HANDLE_ITEM, 7, "azure-se", "resp_a"),
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"previous_response_id\":\"%.*s\"}", GH_STR_ARG(refused[i]))), GH_ERROR);
        CHECK(strcmp(error.code, "state_not_found") == 0);
        CHECK_STR(gh_str_from(error.text), "previous_response_id names no response that was given out here");
        CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"%.*s\"}]}", GH_STR_ARG(refused[i]))),
            i == 3 ? GH_OK : GH_ERROR);
    }

    /* another tenant's item is refused where nobody's is left out */
    CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"input\":[{\"type\":\"message\",\"id\":\"%.*s\"}]}",
        GH_STR_ARG(given(GH_HANDLE_ITEM, 8, "azure-se", "msg_a")))), GH_ERROR);
    CHECK(strcmp(error.code, "state_not_found") == 0);
}

static void
test_left_out(void)
{
    static const char *const cases[][2] = {
        { "{\"type\":\"message\",\"id\":\"msg_1\",\"content\":\"x\"}", "{\"type\":\"message\",\"content\":\"x\"}" },
        { "{\"id\":\"msg_1\" , \"type\":\"message\"}", "{ \"type\":\"message\"}" },
        { "{ \"type\":\"message\" , \"id\" : \"msg_1\" }", "{ \"type\":\"message\"  }" },
        { "{\"type\":\"reasoning\",\"id\":\"rs_gh_0\",\"encrypted_content\":\"s\"}", "{\"type\":\"reasoning\",\"id\":\"rs_gh_0\",\"encrypted_content\":\"s\"}" },
        { "{\"type\":\"message\",\"\\u0069d\":\"msg_1\",\"content\":\"x\"}", "{\"type\":\"message\",\"content\":\"x\"}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(open_ids(gh_str_format(&heap.arena, "{\"model\":\"m\",\"store\":false,\"input\":[%s]}", cases[i][0])), GH_OK);
        CHECK(gh_str_eq(opened, gh_str_format(&heap.arena, "{\"model\":\"m\",\"store\":false,\"input\":[%s]}", cases[i][1])));
        CHECK_STR(intake.pin.deployment, "");
    }
}

/* Reasoning that was translated for the client: what deployments of Responses get instead, and that the rest stays to the byte. */
static void
test_native(void)
{
#define SIGNED   "{\"type\":\"reasoning\",\"id\":\"rs_gh_0\",\"encrypted_content\":\"s\",\"content\":[{\"id\":\"x\"}]}"
#define REDACTED "{\"\\u0069d\":\"rr_gh_1\",\"type\":\"reasoning\",\"encrypted_content\":\"s\"}"
#define USER     "{\"role\":\"user\",\"content\":\"rs_gh_0\"}"
#define OTHER    "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}"
#define CALL     "{\"type\":\"function_call\",\"id\":\"rs_gh_2\",\"call_id\":\"c\",\"name\":\"n\",\"arguments\":\"{}\"}"
    static const char *const cases[][2] = {
        { SIGNED, "" },
        { SIGNED " , " REDACTED, "" },
        { SIGNED ", " USER, USER },
        { USER "\n,\n" SIGNED, USER },
        { USER " , " SIGNED " , " USER, USER "," USER },
        { " " USER " , " USER " ", " " USER " , " USER " " },
        { SIGNED "," USER " ,  " OTHER "," REDACTED "," SIGNED "," USER " ", USER " ,  " OTHER "," USER " " },
        { CALL "," USER, CALL "," USER },
        { "\"text\"," SIGNED, "\"text\"" },
    };
    const gh_url_t url = { .endpoint = GH_ENDPOINT_RESPONSES };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_intake_t native;
        gh_str_t    sent, body = gh_str_format(&heap.arena, "{ \"metadata\":{\"input\":[1]},\"model\":\"m\",\"input\":[%s],\"store\":false}", cases[i][0]);

        CHECK_INT(gh_intake_native(&heap.arena, &url, body, &sent, &native, &error), GH_OK);
        CHECK(gh_str_eq(sent, gh_str_format(&heap.arena, "{ \"metadata\":{\"input\":[1]},\"model\":\"m\",\"input\":[%s],\"store\":false}", cases[i][1])));
        CHECK(memcmp(sent.data + native.store_value.offset, "false", 5) == 0 && memcmp(sent.data + native.model_value.offset, "\"m\"", 3) == 0);
    }

    CHECK_INT(open_ids(GH_STR("{\"model\":\"m\",\"store\":false,\"input\":[" USER "," SIGNED "]}")), GH_OK);
    CHECK(intake.translated);
    CHECK_INT(open_ids(GH_STR("{\"model\":\"m\",\"store\":false,\"input\":[" USER "," OTHER "]}")), GH_OK);
    CHECK(!intake.translated);
}

static void
test_many(void)
{
    char    *body = malloc(200 * 1024);
    unsigned count;

    for (count = GH_HANDLES_MAX; count <= GH_HANDLES_MAX + 1; count++) {
        size_t len = (size_t) snprintf(body, 100, "{\"model\":\"m\",\"input\":[");

        for (unsigned i = 0; i < count; i++) {
            len += (size_t) snprintf(body + len, 100, "%s{\"type\":\"message\",\"id\":\"msg_%u\",\"content\":\"x\"}", i != 0 ? "," : "", i);
        }
        len += (size_t) snprintf(body + len, 100, "]}");
        CHECK_INT(open_ids((gh_str_t) { body, len }), count == GH_HANDLES_MAX ? GH_OK : GH_ERROR);
    }
    CHECK(strstr(error.text, "input[1024].id") != NULL);
    free(body);
}

int
main(void)
{
    static const uint8_t secret[32] = "32 bytes that are no secret here";

    gh_heap_init(&heap);
    handles = gh_handles_new(secret);
    test_store();
    test_fields();
    test_tools();
    test_items();
    test_opened();
    test_refused();
    test_left_out();
    test_native();
    test_many();
    gh_handles_free(handles);
    gh_heap_free(&heap);
    return check_done("wire_responses");
}
