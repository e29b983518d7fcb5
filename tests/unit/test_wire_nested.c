/* Intake: what values hold inside, judged field by field, and the fields that would steer a request. */
#include "ngx_module/wire/fields.h"
#include "tests/unit/intake_world.h"

#define VIDEO "messages[0].content[0].input_video"

/* What a part holds is judged field by field: data: and base64 move nothing, any other URL is fetched. */
static void
test_nested_media(void)
{
    static const char *const names[] = { "input_video", "input_audio" };
    static const char *const urls[] = { "https://evil/x", "HTTP://evil/x", "//evil/x", "gs://b/o", "s3://b/o", "file:///x", "", " data:,", "\\u0064ata:," };
    char                     body[512], expected[128];
    size_t                   i, j;

    for (i = 0; i < 2; i++) {
        for (j = 0; j < sizeof(urls) / sizeof(urls[0]); j++) {
            snprintf(body, sizeof(body), PARTS("{\"type\":\"%s\",\"%s\":{\"url\":\"%s\"}}"), names[i], names[i], urls[j]);
            snprintf(expected, sizeof(expected), "fetched_url@messages[0].content[0].%s.url", names[i]);
            CHECK_USES(body, expected);
            CHECK(intake.uninspected);
        }
        snprintf(body, sizeof(body), PARTS("{\"type\":\"%s\",\"%s\":{\"url\":\"data:video/mp4;base64,AA==\"}}"), names[i], names[i]);
        CHECK_USES(body, "");
        CHECK(intake.uninspected);
        snprintf(body, sizeof(body), PARTS("{\"%s\":\"https://evil/x\"}"), names[i]);
        snprintf(expected, sizeof(expected), "fetched_url@messages[0].content[0].%s", names[i]);
        CHECK_USES(body, expected);
    }

    CHECK_USES(PARTS("{\"input_video\":{\"data\":\"AA+\\/-_==\\r\\n\",\"format\":\"mp4\",\"url\":null}}"), "");
    CHECK_USES(PARTS("{\"input_video\":{\"data\":\"https://evil/x\"}}"), "fetched_url@" VIDEO ".data");
    CHECK_USES(PARTS("{\"input_video\":{\"data\":\"www.evil.test/x\"}}"), "fetched_url@" VIDEO ".data");
    CHECK_USES(PARTS("{\"input_video\":{\"data\":[\"AA\",[\"http:\"]]}}"), "fetched_url@" VIDEO ".data[1][0]");
    CHECK_USES(PARTS("{\"input_video\":{\"data\":{\"url\":1}}}"), "?@" VIDEO ".data");
    CHECK_USES(PARTS("{\"input_video\":{\"u\\u0072l\":\"https://evil/x\"}}"), "fetched_url@" VIDEO ".url");
    CHECK_USES(PARTS("{\"input_video\":{\"URL\":\"https://evil/x\",\"headers\":{}}}"), "?@" VIDEO ".URL ?@" VIDEO ".headers");
    CHECK_USES(PARTS("{\"input_video\":[{\"url\":\"https://evil/x\"}]}"), "fetched_url@" VIDEO "[0].url");
    CHECK_USES(PARTS("{\"input_audio\":{\"file_id\":\"f\",\"uuid\":\"u\"}}"),
        "files@messages[0].content[0].input_audio.file_id media_cache@messages[0].content[0].input_audio.uuid");
    CHECK_USES(PARTS("{\"image_url\":{\"url\":\"data:,\",\"content_hash\":\"h\"}}"), "media_cache@messages[0].content[0].image_url.content_hash");

    CHECK_USES(PARTS("{\"type\":\"image_embeds\",\"image_embeds\":\"AA==\"}"), "");
    CHECK_USES(PARTS("{\"type\":\"image_embeds\",\"image_embeds\":{\"image_embeds\":\"AA==\",\"image_grid_thw\":[[1,2,3]]}}"), "");
    CHECK_USES(PARTS("{\"image_embeds\":\"https://evil/x\"}"), "fetched_url@messages[0].content[0].image_embeds");
    CHECK_USES(PARTS("{\"audio_embeds\":{\"audio_embeds\":\"https://evil/x\",\"from\":\"y\"}}"),
        "fetched_url@messages[0].content[0].audio_embeds.audio_embeds ?@messages[0].content[0].audio_embeds.from");
    CHECK_USES(PARTS("{\"file\":{\"file_url\":\"https://evil/x\"}}"), "fetched_url@messages[0].content[0].file.file_url");
    CHECK_USES(PARTS("{\"file\":{\"file_data\":\"evil.test/x\",\"filename\":{\"url\":1}}}"),
        "fetched_url@messages[0].content[0].file.file_data ?@messages[0].content[0].file.filename");
    CHECK_USES(PARTS("{\"type\":\"document_url\",\"document_url\":\"https://evil/x\"}"),
        "?@messages[0].content[0].type=document_url ?@messages[0].content[0].document_url");

    CHECK_INT(parse_at(GH_ENDPOINT_COMPLETIONS, GH_STR("{\"model\":\"m\",\"prompt_embeds\":[\"AA==\",\"https://evil/x\",{\"url\":1}]}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "fetched_url@prompt_embeds[1] ?@prompt_embeds[2]");
    CHECK(intake.uninspected);
}

static void
test_nested_body(void)
{
    CHECK_USES(CHAT("\"documents\":[{\"url\":\"https://evil/x\"}]"), "fetched_url@documents[0].url");
    CHECK_USES(CHAT("\"documents\":[{\"title\":\"t\",\"text\":\"see https://x/\"},{\"id\":\"1\",\"data\":{\"snippet\":\"s\"}},{\"id\":\"2\",\"data\":\"d\"}]"), "");
    CHECK(!intake.uninspected);
    CHECK_USES(CHAT("\"documents\":[{\"url\":\"data:text/plain,x\"}]"), "");
    CHECK(intake.uninspected);
    CHECK_USES(CHAT("\"documents\":[{\"data\":{\"url\":\"https://evil/x\"}},{\"source\":{\"url\":\"y\"}},\"https://evil/x\",[{}]]"),
        "fetched_url@documents[0].data.url ?@documents[1].source ?@documents[2] ?@documents[3]");
    CHECK_USES(CHAT("\"documents\":\"https://evil/x\""), "?@documents");

    CHECK_USES(CHAT("\"chat_template_kwargs\":{\"enable_thinking\":false,\"reasoning_effort\":\"low\",\"documents\":[{\"text\":\"x\"}]}"), "");
    CHECK_USES(CHAT("\"chat_template_kwargs\":{\"images\":[\"https://evil/x\"],\"enable_thinking\":{\"url\":1},\"documents\":[{\"url\":\"x\"}]}"),
        "?@chat_template_kwargs.images ?@chat_template_kwargs.enable_thinking fetched_url@chat_template_kwargs.documents[0].url");
    CHECK_USES(CHAT("\"mm_processor_kwargs\":{\"fps\":1,\"size\":{\"height\":2},\"videos_kwargs\":{\"fps\":[1,2]}}"), "");
    CHECK_USES(CHAT("\"mm_processor_kwargs\":{\"images\":\"https://evil/x\",\"size\":{\"url\":1},\"images_kwargs\":{\"url\":\"x\"}}"),
        "?@mm_processor_kwargs.images ?@mm_processor_kwargs.size.url ?@mm_processor_kwargs.images_kwargs.url");
    CHECK_USES(CHAT("\"media_io_kwargs\":{\"video\":{\"num_frames\":4}}"), "");
    CHECK_USES(CHAT("\"media_io_kwargs\":{\"video\":{\"proxy\":\"https://evil\"},\"pdf\":{}}"), "?@media_io_kwargs.video.proxy ?@media_io_kwargs.pdf");
    CHECK_USES(CHAT("\"extra_args\":{\"a\":1},\"vllm_xargs\":{}"), "?@extra_args custom_code@vllm_xargs");

    CHECK_USES(CHAT("\"prediction\":{\"type\":\"content\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}"), "");
    CHECK_USES(CHAT("\"prediction\":{\"type\":\"file\",\"content\":[{\"image_url\":\"http://x\"}],\"from\":1}"),
        "?@prediction.type=file fetched_url@prediction.content[0].image_url ?@prediction.from");
    CHECK_USES(CHAT("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":7},\"reasoning\":{\"effort\":\"low\"}"), "");
    CHECK_USES(CHAT("\"thinking\":true,\"reasoning\":\"low\""), "");
    CHECK_USES(CHAT("\"thinking\":{\"url\":\"x\"},\"reasoning\":{\"url\":\"x\"}"), "?@thinking.url ?@reasoning.url");
    CHECK_USES(CHAT("\"structured_outputs\":{\"choice\":[\"a\"],\"url\":\"x\"},\"repetition_detection\":{\"min_count\":2,\"url\":\"x\"}"),
        "?@structured_outputs.url ?@repetition_detection.url");
    CHECK_USES(CHAT("\"grammar_triggers\":[{\"type\":0,\"value\":\"x\"},{\"url\":\"x\"}],\"images_config\":{\"url\":\"x\"}"),
        "?@grammar_triggers[1].url ?@images_config.url");
    CHECK_USES(CHAT("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,\"schema\":{\"url\":{}}}}"), "");
    CHECK_USES(CHAT("\"response_format\":{\"type\":\"x\",\"url\":\"x\",\"json_schema\":{\"url\":\"x\"}}"),
        "?@response_format.type=x ?@response_format.url ?@response_format.json_schema.url");
    CHECK_USES(CHAT("\"metadata\":{\"url\":\"https://x\"},\"logit_bias\":{\"1\":-100}"), "");

    /* a plain value is no place for an object; one use a field */
    CHECK_USES(CHAT("\"temperature\":{\"url\":\"x\"},\"stop\":[\"a\",[{},{}],{}],\"user\":[[]],\"input_ids\":[1,{\"url\":\"x\"}]"),
        "?@temperature ?@stop ?@input_ids");
    CHECK_INT(parse_at(GH_ENDPOINT_EMBEDDINGS, GH_STR("{\"model\":\"m\",\"input\":\"x\",\"additional_data\":{\"url\":\"x\"}}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "?@additional_data");
}

#define MESSAGE(members) "{\"model\":\"m\",\"messages\":[{" members "}]}"

static void
test_nested_message(void)
{
    CHECK_USES(MESSAGE("\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"https://x\",\"title\":\"t\",\"start_index\":1}}]"),
        "fetched_url@messages[0].annotations[0].url_citation.url");
    CHECK_USES(MESSAGE("\"annotations\":[{\"file_citation\":{\"file_id\":\"f\"}},{\"file\":{\"hash\":\"x\"}}]"),
        "files@messages[0].annotations[0].file_citation.file_id ?@messages[0].annotations[1].file");
    CHECK_USES(MESSAGE("\"context\":{\"intent\":\"x\",\"citations\":[{\"content\":\"x\",\"url\":null}]}"), "");
    CHECK_USES(MESSAGE("\"context\":{\"citations\":[{\"url\":\"https://x\"}],\"messages\":[]}"),
        "fetched_url@messages[0].context.citations[0].url ?@messages[0].context.messages");
    CHECK_USES(MESSAGE("\"reasoning_details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"a:b\",\"id\":\"1\",\"url\":\"x\"}]"),
        "?@messages[0].reasoning_details[0].url");
    CHECK_USES(MESSAGE("\"function_call\":{\"name\":\"f\",\"arguments\":{\"url\":\"https://x\"},\"url\":\"x\"}"), "?@messages[0].function_call.url");
    CHECK_USES(MESSAGE("\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"url\\\":\\\"https://x\\\"}\",\"url\":\"x\"},\"custom\":{\"url\":1}}]"),
        "?@messages[0].tool_calls[0].function.url ?@messages[0].tool_calls[0].custom.url");
    CHECK_USES(MESSAGE("\"role\":{\"url\":\"x\"},\"reasoning\":{\"url\":\"x\"},\"refusal\":[{}]"),
        "?@messages[0].role ?@messages[0].reasoning ?@messages[0].refusal");
    CHECK_USES(PARTS("{\"type\":\"text\",\"text\":{\"url\":\"x\"}},{\"thinking\":[{\"type\":\"text\",\"text\":\"x\"},{\"image_url\":\"http:\"}]}"),
        "?@messages[0].content[0].text fetched_url@messages[0].content[1].thinking[1].image_url");
    CHECK_USES(PARTS("{\"annotations\":[{\"url\":\"https://x\"}],\"signature\":{\"url\":\"x\"}}"),
        "fetched_url@messages[0].content[0].annotations[0].url ?@messages[0].content[0].signature");
}

static void
test_nested_tools(void)
{
    CHECK_USES(TOOLS("{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"strict\":true,\"url\":\"https://x\"}}"),
        "?@tools[0].function.url");
    CHECK_USES(TOOLS("{\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"format\":{\"type\":\"grammar\",\"grammar\":{\"definition\":\"x\",\"syntax\":\"lark\"}}}}"), "");
    CHECK_USES(TOOLS("{\"type\":\"custom\",\"custom\":{\"format\":{\"grammar\":{\"url\":\"x\"}}}}"), "?@tools[0].custom.format.grammar.url");
    CHECK_USES(TOOLS("{\"defer_loading\":{\"url\":\"x\"},\"type\":\"function\"}"), "?@tools[0].defer_loading");
    CHECK_USES(TOOLS("{\"defer_loading\":{\"url\":\"x\"},\"type\":\"mcp\"}"), "mcp@tools[0].type");
    CHECK_USES(CHAT("\"functions\":[{\"name\":\"f\",\"parameters\":{}},{\"url\":\"x\"}],\"function_call\":{\"name\":\"f\",\"url\":\"x\"}"),
        "?@functions[1].url ?@function_call.url");

    CHECK_USES(CHAT("\"tool_choice\":\"auto\""), "");
    CHECK_USES(CHAT("\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"), "");
    CHECK_USES(CHAT("\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[{\"type\":\"function\","
        "\"function\":{\"name\":\"f\"}},{\"type\":\"mcp\",\"server_url\":\"x\"}]}}"), "mcp@tool_choice.allowed_tools.tools[1].type");
    CHECK_USES(CHAT("\"tool_choice\":{\"type\":\"web_search_preview\"}"), "web_search@tool_choice.type");
    CHECK_USES(CHAT("\"tool_choice\":{\"type\":\"x\",\"url\":\"x\",\"function\":{\"url\":\"x\"}}"),
        "?@tool_choice.type=x ?@tool_choice.url ?@tool_choice.function.url");
}

/* JSON schemas are free-form, but a reference that leaves the document is a URL that may be retrieved. */
static void
test_schemas(void)
{
    CHECK_USES(TOOLS("{\"function\":{\"parameters\":{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"properties\":{\"url\":"
        "{\"default\":\"https://x\"},\"$ref\":{\"type\":\"string\"},\"n\":{\"$ref\":\"#/$defs/n\"}}}}}"), "");
    CHECK_USES(TOOLS("{\"function\":{\"parameters\":{\"properties\":{\"a\":[{\"$\\u0072ef\":\"https://evil/x\"}]}}}}"),
        "fetched_url@tools[0].function.parameters");
    CHECK_USES(CHAT("\"guided_json\":{\"$dynamicRef\":\"//evil/x\"}"), "fetched_url@guided_json");
    CHECK_USES(CHAT("\"json_schema\":\"{\\\"$ref\\\":\\\"#\\\"}\",\"structural_tag\":{\"format\":{\"$ref\":[\"x\"]}}"), "");
    CHECK_USES(CHAT("\"json_schema\":\"{\\\"$\\\\u0072ef\\\":\\\"https://evil/x\\\"}\""), "fetched_url@json_schema");
    CHECK_USES(CHAT("\"json_schema\":\"{'$ref':1}\",\"guided_json\":\"{} {}\",\"structural_tag\":\"\\\"{}\\\"\""),
        "?@json_schema ?@guided_json ?@structural_tag");
    CHECK_USES(CHAT("\"response_format\":{\"schema\":{\"$ref\":\"https://evil/x\"}}"), "fetched_url@response_format.schema");
}

/* An object with a field of no table, as the value of every row of the body. */
static void
test_no_row_is_passed_over(void)
{
    static const char *const free_form[] = { "logit_bias", "metadata", "structural_tag", "guided_json", "json_schema" };
    char                     body[256];
    unsigned                 row, i, e;

    for (row = 0; row < gh_body_tables[GH_ENDPOINT_CHAT_COMPLETIONS]->count; row++) {
        const gh_field_t *field = &gh_body_tables[GH_ENDPOINT_CHAT_COMPLETIONS]->rows[row];
        bool              is_free = false;

        for (i = 0; i < sizeof(free_form) / sizeof(free_form[0]); i++) {
            is_free |= gh_str_is(field->name, free_form[i]);
        }

        for (e = 0; e < GH_ENDPOINTS; e++) {
            if ((field->endpoints & (1u << e)) == 0 || gh_str_is(field->name, "model") || gh_str_is(field->name, "messages")) {
                continue;
            }
            snprintf(body, sizeof(body), "{\"model\":\"m\",\"messages\":[],\"%.*s\":{\"nobodys\":\"https://evil/x\"}}", GH_STR_ARG(field->name));
            if (parse_at((gh_endpoint_t) e, gh_str_from(body)) == GH_OK) {
                if (!CHECK_INT(intake.feature_count > (e == GH_ENDPOINT_COMPLETIONS), !is_free)) {
                    fprintf(stderr, "    %s\n", body);
                }
            }
        }
    }
}

/* The client does not say where its request goes: refused on every endpoint, in any spelling, whatever the value. */
static void
test_steering(void)
{
    static const struct { const char *name, *code, *text; } cases[] = {
        { "api_base", "invalid_request", "api_base is not accepted" }, { "base_url", "invalid_request", "base_url is not" },
        { "fallbacks", "invalid_request", "fallbacks is not" }, { "extra_body", "invalid_request", "extra_body is not" },
        { "context_window_fallbacks", "invalid_request", "context_window_fallbacks is not" },
        { "content_policy_fallbacks", "invalid_request", "content_policy_fallbacks is not" },
        { "model_list", "invalid_request", "model_list is not" }, { "user_config", "invalid_request", "user_config is not" },
        { "deployment_id", "invalid_request", "deployment_id is not" },
    };
    static const char *const values[] = { "null", "\"us\"", "[]", "{}", "false", "0" };
    char                     body[512], name[256];
    size_t                   i, j, k, len;
    int                      e;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            snprintf(body, sizeof(body), CHAT("\"%s\":%s"), cases[i].name, values[j]);
            check_refused(body, cases[i].code, cases[i].text);
        }

        for (len = 0, k = 0; cases[i].name[k] != '\0'; k++) {
            len += (size_t) snprintf(name + len, sizeof(name) - len, "\\u%04x", (unsigned) cases[i].name[k]);
        }
        for (e = 0; e < GH_ENDPOINTS; e++) {
            if (!gh_intake_reads((gh_endpoint_t) e) || e == GH_ENDPOINT_BEDROCK_COUNT) {
                continue;    /* in that one nothing but the input may stand */
            }
            snprintf(body, sizeof(body), "{\"%s\":null,\"model\":\"m\",\"messages\":[]}", name);
            CHECK_INT(parse_at((gh_endpoint_t) e, gh_str_from(body)), GH_ERROR);
            CHECK_STR(gh_str_from(error.code != NULL ? error.code : "none"), cases[i].code);
        }
    }

    CHECK_USES(CHAT("\"Inference_geo\":1,\"API_BASE\":1,\"metadata\":{\"inference_geo\":1}"), "?@Inference_geo ?@API_BASE");
    CHECK_USES(CHAT("\"chat_template_kwargs\":{\"inference_geo\":\"us\"}"), "?@chat_template_kwargs.inference_geo");
}

/* inference_geo names places, which the decision takes for a narrowing. */
static void
test_inference_geo(void)
{
    static const struct { const char *value, *places; } cases[] = {
        { "null", "" }, { "\"global\"", "" }, { "\"us\"", "US" }, { "\"US\"", "US" }, { "\"\\u0075s\"", "US" }, { "\"eu-only\"", "eu-only" },
        { "\"EEA, CH\"", "EEA, CH" }, { "\"not_us\"", "not_us" },
    };
    static const char *const wrong[] = { "\"\"", "7", "true", "[]", "{}", "[\"us\"]" };
    char                     body[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(body, sizeof(body), CHAT("\"inference_geo\":%s"), cases[i].value);
        CHECK_USES(body, "");
        CHECK_STR(intake.inference_geo, cases[i].places);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(body, sizeof(body), CHAT("\"inference_geo\":%s"), wrong[i]);
        check_refused(body, "invalid_places", "inference_geo must be a string that names a place");
    }
}

int
main(void)
{
    gh_heap_init(&heap);

    test_nested_media();
    test_nested_body();
    test_nested_message();
    test_nested_tools();
    test_schemas();
    test_no_row_is_passed_over();
    test_steering();
    test_inference_geo();

    gh_heap_free(&heap);
    return check_done("wire_nested");
}
