/* Intake: what a request's body and headers ask for, and which bodies are refused with which error. */
#include <stdarg.h>

#include "tests/unit/intake_world.h"

#define BODY_SIZE 65536

/* Appends to a body of BODY_SIZE bytes from `at` on; the offset behind. */
static size_t __attribute__((format(printf, 3, 4)))
add(char *body, size_t at, const char *format, ...)
{
    va_list args;
    int     n;

    va_start(args, format);
    n = vsnprintf(body + at, BODY_SIZE - at, format, args);
    va_end(args);

    return at + (size_t) n;
}

static void
test_plain(void)
{
    static const char body[] =
        " {\"model\" : \"gpt-4.1\", \"messages\":[{\"role\":\"system\",\"content\":\"x\"},{\"role\":\"user\","
        "\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}],\"temperature\":0.70,\"max_tokens\":64,"
        "\"max_completion_tokens\":128,\"n\":2,\"stream\":true,\"stream_options\":{\"include_usage\":true},"
        "\"store\":false,\"metadata\":{\"a\":\"b\"},\"user\":\"u\",\"service_tier\":\"flex\"}\n";

    CHECK_INT(parse(body), GH_OK);
    CHECK_STR(intake.model, "gpt-4.1");
    CHECK(intake.stream && intake.include_usage);
    CHECK_INT(intake.max_tokens, 128);
    CHECK_INT(intake.n, 2);
    CHECK_INT(intake.body_bytes, sizeof(body) - 1);
    CHECK_INT(intake.object_begin, 1);
    CHECK_INT(intake.feature_count, 0);
    CHECK_STR(((gh_str_t) { body + intake.model_value.offset, intake.model_value.length }), "\"gpt-4.1\"");
    CHECK_STR(((gh_str_t) { body + intake.store_value.offset, intake.store_value.length }), "false");
    CHECK_STR(((gh_str_t) { body + intake.stream_options.offset, intake.stream_options.length }),
        "{\"include_usage\":true}");
    CHECK_STR(((gh_str_t) { body + intake.include_usage_value.offset, intake.include_usage_value.length }), "true");
    CHECK_INT(body[intake.stream_options.end], '}');
    CHECK(!intake.stream_options.empty);

    CHECK_INT(parse("{\"messages\":[],\"model\":\"m\"}"), GH_OK);
    CHECK(!intake.stream && !intake.include_usage);
    CHECK_INT(intake.n, 1);
    CHECK_INT(intake.max_tokens, 0);
    CHECK_INT(intake.stream_options.length, 0);
    CHECK_INT(intake.store_value.length, 0);

    CHECK_INT(parse(CHAT("\"stream_options\":{ \t\r\n}")), GH_OK);
    CHECK(intake.stream_options.empty);
    CHECK_INT(parse(CHAT("\"stream_options\":null,\"stream\":null,\"n\":null,\"max_tokens\":null,\"store\":null")), GH_OK);
    CHECK_INT(intake.stream_options.length, 4);
    CHECK_INT(intake.stream_options.end, 0);
    CHECK_INT(intake.n, 1);

    CHECK_INT(parse(CHAT("\"max_tokens\":-1,\"n_predict\":7")), GH_OK);
    CHECK_INT(intake.max_tokens, 0);
}

static void
test_endpoints(void)
{
    CHECK_INT(parse_at(GH_ENDPOINT_COMPLETIONS,
        GH_STR("{\"model\":\"m\",\"prompt\":[\"a\",[1,2],3,null],\"best_of\":4,\"n\":2,\"suffix\":\"x\",\"echo\":true}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "");
    CHECK_INT(intake.n, 4);

    CHECK_INT(parse_at(GH_ENDPOINT_COMPLETIONS,
        GH_STR("{\"model\":\"m\",\"prompt\":[\"a\",{\"prompt_string\":\"x\",\"multimodal_data\":[\"\"]}],\"store\":true}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "?@prompt ?@store");

    CHECK_INT(parse_at(GH_ENDPOINT_EMBEDDINGS,
        GH_STR("{\"model\":\"m\",\"input\":\"x\",\"dimensions\":3,\"encoding_format\":\"base64\",\"user\":\"u\"}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "");

    CHECK_INT(parse_at(GH_ENDPOINT_EMBEDDINGS,
        GH_STR("{\"model\":\"m\",\"input\":{\"image\":\"https://x/\"},\"stream\":true,\"tools\":[]}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "?@input ?@stream ?@tools");
    CHECK(!intake.stream);

    CHECK_INT(parse_at(GH_ENDPOINT_EMBEDDINGS, GH_STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
        "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://x/\"}}]}]}")), GH_OK);
    CHECK_STR(gh_str_from(uses()), "fetched_url@messages[0].content[0].image_url.url");
}

static void
test_body_features(void)
{
    CHECK_USES(CHAT("\"store\":true"), "store@store");
    CHECK_USES(CHAT("\"web_search_options\":{}"), "web_search@web_search_options");
    CHECK_USES(CHAT("\"web_search_options\":null,\"data_sources\":null,\"audio\":null,\"prompt_cache_retention\":null"), "");
    CHECK_USES(CHAT("\"data_sources\":[{\"type\":\"azure_search\"}]"), "data_sources@data_sources");
    CHECK_USES(CHAT("\"prompt_cache_retention\":\"24h\""), "prompt_cache@prompt_cache_retention");
    CHECK_USES(CHAT("\"prompt_cache_retention\":\"in_memory\""), "");
    CHECK_USES(CHAT("\"prompt_cache_retention\":7"), "prompt_cache@prompt_cache_retention");
    CHECK_USES(CHAT("\"prompt_cache_options\":{\"ttl\":\"30m\"}"), "prompt_cache@prompt_cache_options");
    CHECK_USES(CHAT("\"modalities\":[\"text\"]"), "");
    CHECK_USES(CHAT("\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":\"alloy\"}"), "audio_output@modalities[1]");
    CHECK_USES(CHAT("\"service_tier\":\"priority\""), "");
    CHECK_USES(CHAT("\"service_tier\":\"elsewhere\""), "?@service_tier=elsewhere");
    CHECK_USES(CHAT("\"moderation\":{\"model\":\"omni\"}"), "moderation@moderation");
    CHECK_USES(CHAT("\"enable_search\":false"), "");
    CHECK_USES(CHAT("\"enable_search\":true"), "web_search@enable_search");
    CHECK_USES(CHAT("\"kv_transfer_params\":{\"remote_host\":\"h\"},\"bootstrap_host\":\"h\""), "kv_transfer@kv_transfer_params");
    CHECK_USES(CHAT("\"stream_options\":{\"include_usage\":false,\"include_obfuscation\":true,\"send_to\":1}"),
        "?@stream_options.send_to");

    /* nobody's: wishes for places and routes first of all */
    CHECK_USES(CHAT("\"provider\":{\"order\":[\"x\"]},\"route\":\"fallback\",\"models\":[\"x\"],\"transforms\":[],\"region\":\"us\",\"location\":null"),
        "?@provider ?@route ?@models ?@transforms ?@region ?@location");
    CHECK_USES(CHAT("\"Store\":true,\"STREAM\":true,\"\":1"), "?@Store ?@STREAM ?@");
    CHECK(!intake.stream);
    CHECK_USES(CHAT("\"n\\u00f6\":1,\"x\\n\":2"), "?@n\303\266 ?@x\n");

    /* escaped spellings of keys are the same keys; values too */
    CHECK_USES("{\"mod\\u0065l\":\"m\\u00e4\\/\",\"\\u006d\\u0065ssages\":[],\"stor\\u0065\":true,\"\\u0073tream\":true}", "store@store");
    CHECK_STR(intake.model, "m\303\244/");
    CHECK(intake.stream);
}

static void
test_parts(void)
{
    CHECK_USES(PARTS("{\"type\":\"text\",\"text\":\"x\"},\"plain\",{\"type\":\"refusal\",\"refusal\":\"no\"}"), "");
    CHECK_USES(PARTS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\",\"detail\":\"low\"}}"), "");
    CHECK_USES(PARTS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"DATA:image\\/png;base64,AA==\"}}"), "");
    CHECK_USES(PARTS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}}"),
        "fetched_url@messages[0].content[0].image_url.url");
    CHECK_USES(PARTS("{\"type\":\"image_url\",\"image_url\":\"http://x/\"}"), "fetched_url@messages[0].content[0].image_url");
    CHECK_USES(PARTS("{\"image_url\":\"file:///etc/passwd\"}"), "fetched_url@messages[0].content[0].image_url");
    CHECK_USES(PARTS("{\"type\":\"image_url\",\"image_url\":{\"url\":\" data:x\"}}"),
        "fetched_url@messages[0].content[0].image_url.url");
    /* the type does not hide what the part holds */
    CHECK_USES(PARTS("{\"type\":\"text\",\"text\":\"x\",\"video_url\":{\"url\":\"https://x\"}}"),
        "fetched_url@messages[0].content[0].video_url.url");
    CHECK_USES(PARTS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\",\"headers\":{}}}"),
        "?@messages[0].content[0].image_url.headers");
    CHECK_USES(PARTS("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"\",\"format\":\"wav\"}}"), "");
    CHECK_USES(PARTS("{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;base64,AA\",\"filename\":\"a.pdf\"}}"), "");
    CHECK_USES(PARTS("{\"type\":\"file\",\"file\":{\"file_data\":\"AA\\/==\"}}"), "");
    CHECK_USES(PARTS("{\"type\":\"file\",\"file\":{\"file_data\":\"https://x\"}}"),
        "fetched_url@messages[0].content[0].file.file_data");
    CHECK_USES(PARTS("{\"type\":\"file\",\"file\":{\"file_data\":\"http\\u003a//x\"}}"),
        "fetched_url@messages[0].content[0].file.file_data");
    CHECK_USES(PARTS("{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}"), "files@messages[0].content[0].file.file_id");
    CHECK_USES(PARTS("{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"hologram\",\"hologram\":{}}"),
        "?@messages[0].content[1].type=hologram ?@messages[0].content[1].hologram");
    CHECK_USES(PARTS("{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\"}}"),
        "prompt_cache@messages[0].content[0].cache_control");
    CHECK_USES(PARTS("{\"text\":\"x\",\"ty\\u0070e\":\"tex\\u0074\"}"), "");

    CHECK_USES("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"image_url\",\"image_url\":\"http:x\"}}]}",
        "fetched_url@messages[0].content.image_url");
    CHECK_USES("{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"audio\":null,"
        "\"function_call\":null,\"annotations\":[],\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{}\"}},{\"id\":\"2\",\"type\":\"custom\",\"custom\":{}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\","
        "\"content\":\"x\"}]}", "");
    CHECK_USES("{\"model\":\"m\",\"messages\":[{\"audio\":{\"id\":\"a\"},\"send\":1,\"tool_calls\":[{\"type\":\"mcp\",\"x\":1}]}]}",
        "stored_audio@messages[0].audio.id ?@messages[0].send ?@messages[0].tool_calls[0].type=mcp ?@messages[0].tool_calls[0].x");
    CHECK_USES("{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"tools\":[{\"type\":\"web_search\"}]}]}",
        "web_search@messages[0].tools[0].type");
}

static void
test_tools(void)
{
    CHECK_USES(TOOLS("{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"mcp\"}}},{\"type\":\"custom\",\"custom\":{}}"), "");
    CHECK_USES(TOOLS("{\"type\":\"function\",\"function\":{\"name\":\"f\",\"type\":\"mcp\"}}"), "?@tools[0].function.type");
    CHECK_USES(TOOLS("{\"function\":{\"name\":\"f\"}}"), "");
    CHECK_USES(TOOLS("{\"type\":\"web_search_preview\",\"user_location\":{}}"), "web_search@tools[0].type");
    CHECK_USES(TOOLS("{\"server_url\":\"x\",\"type\":\"mcp\",\"server_label\":\"y\"}"), "mcp@tools[0].type");
    CHECK_USES(TOOLS("{\"server_url\":\"x\",\"type\":\"function\",\"function\":{}}"), "?@tools[0].server_url");
    CHECK_USES(TOOLS("{\"server_url\":\"x\"}"), "?@tools[0].server_url");
    CHECK_USES(TOOLS("{\"type\":\"teleport\",\"to\":1}"), "?@tools[0].type=teleport ?@tools[0].to");
    CHECK_USES(TOOLS("{\"type\":\"function\",\"function\":{}},{\"type\":\"code_interpreter\"},{\"type\":\"file_search\"}"),
        "code_interpreter@tools[1].type file_search@tools[2].type");
    CHECK_USES(TOOLS("{\"type\":null}"), "");
}

static void
test_uninspected(void)
{
    static const struct { const char *body; bool uninspected; } cases[] = {
        { PARTS("{\"type\":\"text\",\"text\":\"x\"}"), false },
        { PARTS("{\"type\":\"text\",\"text\":\"x\",\"image_url\":null,\"file\":null,\"file_id\":null,\"input_audio\":null}"), false },
        { PARTS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}}"), true },
        { PARTS("{\"image_url\":\"data:,\"}"), true },
        { PARTS("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"\"}}"), true },
        { PARTS("{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}"), true },
        { PARTS("{\"type\":\"input_image\",\"file_id\":\"f\"}"), true },
        { PARTS("{\"type\":\"thinking\",\"thinking\":\"x\",\"signature\":\"enc\"}"), true },
        { PARTS("{\"type\":\"thinking\",\"thinking\":\"x\",\"signature\":\"\"}"), false },
        { PARTS("{\"type\":\"hologram\"}"), true },
        { "{\"model\":\"m\",\"messages\":[{\"reasoning_details\":[]}]}", false },
        { "{\"model\":\"m\",\"messages\":[{\"reasoning_details\":[{\"data\":\"\"}]}]}", true },
        { "{\"model\":\"m\",\"messages\":[{\"audio\":{\"id\":\"x\"}}]}", true },
        { CHAT("\"input_ids\":[1,2]"), true },
        { CHAT("\"input_ids\":[]"), false },
        { CHAT("\"stop\":[\"1\"],\"logit_bias\":{\"1\":1},\"web_search_options\":{}"), false },
        { CHAT("\"anything\":null"), true },
        { TOOLS("{\"type\":\"function\",\"anything\":1}"), true },
        { TOOLS("{\"type\":\"mcp\",\"server_url\":1}"), false },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(parse(cases[i].body), GH_OK);
        if (!CHECK_INT(intake.uninspected, cases[i].uninspected)) {
            fprintf(stderr, "    %s\n", cases[i].body);
        }
    }

    CHECK_INT(parse_at(GH_ENDPOINT_EMBEDDINGS, GH_STR("{\"model\":\"m\",\"input\":[\"a\",null]}")), GH_OK);
    CHECK(!intake.uninspected);
    CHECK_INT(parse_at(GH_ENDPOINT_EMBEDDINGS, GH_STR("{\"model\":\"m\",\"input\":[[1]]}")), GH_OK);
    CHECK(intake.uninspected);
    CHECK_INT(parse_at(GH_ENDPOINT_COMPLETIONS, GH_STR("{\"model\":\"m\",\"prompt\":[7]}")), GH_OK);
    CHECK(intake.uninspected);
}

/* One name is noted once; what nobody knows each time; above 32 the list says so. */
static void
test_many(void)
{
    char  *body = malloc(BODY_SIZE);
    size_t len;
    int    i;

    len = add(body, 0, "{\"model\":\"m\",\"messages\":[{\"content\":[");
    for (i = 0; i < 100; i++) {
        len = add(body, len, "%s{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/%d\"}}", i != 0 ? "," : "", i);
    }
    add(body, len, "]}]}");
    CHECK_USES(body, "fetched_url@messages[0].content[0].image_url.url");

    len = add(body, 0, "{\"model\":\"m\",\"messages\":[]");
    for (i = 0; i < GH_FEATURES_MAX; i++) {
        len = add(body, len, ",\"x%d\":0", i);
    }
    add(body, len, "}");
    CHECK_INT(parse(body), GH_OK);
    CHECK_INT(intake.feature_count, GH_FEATURES_MAX);
    CHECK_STR(intake.features[GH_FEATURES_MAX - 1].where, "x31");

    add(body, len, ",\"store\":true}");
    CHECK_INT(parse(body), GH_OK);
    CHECK_INT(intake.feature_count, GH_FEATURES_MAX);
    CHECK_STR(intake.features[GH_FEATURES_MAX - 1].where, "too many features");
    CHECK_INT(intake.features[GH_FEATURES_MAX - 1].name.len, 0);

    /* a name above every known one's length, escaped */
    add(body, 0, "{\"model\":\"m\",\"messages\":null,\"\\u0061%0150d\":1}", 7);
    CHECK_INT(parse(body), GH_OK);
    CHECK_INT(intake.features[0].where.len, 67);

    /* a long name is cut between characters */
    add(body, 0, "{\"model\":\"m\",\"messages\":[],\"%.63s\303\244kkk\":1}",
        "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
    CHECK_INT(parse(body), GH_OK);
    CHECK_INT(intake.features[0].where.len, 66);
    CHECK(memcmp(intake.features[0].where.data + 62, "k...", 4) == 0);

    free(body);
}

static void
test_refused(void)
{
    char body[2048], long_name[300];

    check_refused("", "invalid_json", "byte 0");
    check_refused("{", "invalid_json", "unexpected end");
    check_refused("\xef\xbb\xbf{\"model\":\"m\",\"messages\":[]}", "invalid_json", "byte 0");
    check_refused("{\"model\":\"m\",\n \"messages\":[,]}", "invalid_json", "byte 27 (line 2, column 14)");
    check_refused("{\"model\":\"m\",\"messages\":[]}x", "invalid_json", "bytes after the value");
    check_refused(CHAT("\"temperature\":1e999"), "invalid_json", "out of range");
    check_refused(CHAT("\"user\":\"\\ud800\""), "invalid_json", "surrogate");
    check_refused(CHAT("\"user\":\"\\u0000\""), "invalid_json", "NUL");
    check_refused(CHAT("\"metadata\":{\"a\":\"\xff\"}"), "invalid_json", "UTF-8");
    check_refused("[]", "invalid_request", "JSON object");
    check_refused("\"x\"", "invalid_request", "JSON object");

    check_refused("{\"messages\":[]}", "invalid_request", "model is missing");
    check_refused("{\"model\":null,\"messages\":[]}", "invalid_request", "model must be a string");
    check_refused("{\"model\":\"\",\"messages\":[]}", "invalid_request", "1 to 256 bytes");
    check_refused("{\"model\":7,\"messages\":[]}", "invalid_request", "model must be a string");
    check_refused("{\"model\":\"a\\nb\",\"messages\":[]}", "invalid_request", "control bytes");
    check_refused("{\"model\":\"a\x7f\",\"messages\":[]}", "invalid_request", "control bytes");
    check_refused("{\"model\":\"m\"}", "invalid_request", "messages is missing");
    check_refused("{\"model\":\"m\",\"messages\":{}}", "invalid_request", "messages must be an array");
    check_refused("{\"model\":\"m\",\"messages\":[7]}", "invalid_request", "messages[0] must be an object");
    check_refused("{\"model\":\"m\",\"messages\":[{\"content\":7}]}", "invalid_request", "messages[0].content must be");
    check_refused(PARTS("7"), "invalid_request", "messages[0].content[0] must be");
    check_refused(PARTS("{\"type\":7}"), "invalid_request", "messages[0].content[0].type must be a string");
    check_refused(PARTS("{\"image_url\":7}"), "invalid_request", "image_url must be");
    check_refused(PARTS("{\"image_url\":{\"url\":[]}}"), "invalid_request", "image_url.url must be a string");
    check_refused(PARTS("{\"file\":\"x\"}"), "invalid_request", "file must be an object");
    check_refused(TOOLS("[]"), "invalid_request", "tools[0] must be an object");
    check_refused(CHAT("\"tools\":{}"), "invalid_request", "tools must be an array");
    check_refused(CHAT("\"stream\":\"yes\""), "invalid_request", "stream must be true or false");
    check_refused(CHAT("\"stream\":1"), "invalid_request", "stream must be true or false");
    check_refused(CHAT("\"store\":0"), "invalid_request", "store must be true or false");
    check_refused(CHAT("\"stream_options\":[]"), "invalid_request", "stream_options must be an object");
    check_refused(CHAT("\"stream_options\":{\"include_usage\":1}"), "invalid_request", "stream_options.include_usage must be");
    check_refused(CHAT("\"n\":0"), "invalid_request", "n must be a whole number from 1 to 128");
    check_refused(CHAT("\"n\":129"), "invalid_request", "n must be");
    check_refused(CHAT("\"n\":1.0"), "invalid_request", "n must be");
    check_refused(CHAT("\"n\":true"), "invalid_request", "n must be");
    check_refused(CHAT("\"max_tokens\":\"7\""), "invalid_request", "max_tokens must be a whole number");
    check_refused(CHAT("\"max_tokens\":1e3"), "invalid_request", "max_tokens must be a whole number");
    check_refused(CHAT("\"max_tokens\":-2"), "invalid_request", "max_tokens must be a whole number");
    check_refused(CHAT("\"max_tokens\":99999999999999999999"), "invalid_request", "max_tokens must be");
    check_refused(CHAT("\"modalities\":\"text\""), "invalid_request", "modalities must be an array");

    memset(long_name, 'm', 257);
    long_name[257] = '\0';
    snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[]}", long_name);
    check_refused(body, "invalid_request", "1 to 256 bytes");
    snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[]}", long_name + 1);
    CHECK_INT(parse(body), GH_OK);
    snprintf(body, sizeof(body), "{\"model\":\"%s\\u006d\",\"messages\":[]}", long_name + 1);
    check_refused(body, "invalid_request", "1 to 256 bytes");
    snprintf(body, sizeof(body), "{\"model\":\"%s\\u006d\",\"messages\":[]}", long_name + 2);
    CHECK_INT(parse(body), GH_OK);
    CHECK_INT(intake.model.len, 256);
}

static void
test_duplicates(void)
{
    check_refused("{\"model\":\"m\",\"messages\":[],\"model\":\"n\"}", "duplicate_key", "model stands twice at byte 27 (line 1");
    check_refused("{\"model\":\"m\",\"messages\":[],\"mod\\u0065l\":\"n\"}", "duplicate_key", "model stands twice");
    check_refused(CHAT("\"temperature\":1,\"temperature\":2"), "duplicate_key", "temperature");
    check_refused(CHAT("\"foo\":1,\"bar\":2,\"f\\u006fo\":2"), "duplicate_key", "foo");
    check_refused(CHAT("\"stream_options\":{\"include_usage\":false,\"include_usage\":true}"), "duplicate_key",
        "stream_options.include_usage");
    check_refused("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"role\":\"system\"}]}", "duplicate_key", "messages[0].role");
    check_refused(PARTS("{\"type\":\"text\",\"type\":\"image_url\"}"), "duplicate_key", "messages[0].content[0].type");
    check_refused(PARTS("{\"image_url\":{\"url\":\"data:,\",\"url\":\"http://x\"}}"), "duplicate_key", "image_url.url");
    check_refused(PARTS("{\"file\":{\"file_id\":null,\"file_id\":\"x\"}}"), "duplicate_key", "file.file_id");
    check_refused(TOOLS("{\"type\":\"function\",\"type\":\"mcp\"}"), "duplicate_key", "tools[0].type");

    /* two messages may say the same, and objects nobody reads are the backend's business */
    CHECK_USES("{\"model\":\"m\",\"messages\":[{\"role\":\"u\"},{\"role\":\"u\"}],\"metadata\":{\"a\":1,\"a\":2}}", "");
}

/* 128 unknown fields are the most that can be told apart. */
static void
test_too_many_keys(void)
{
    char  *body = malloc(BODY_SIZE);
    size_t len = add(body, 0, "{\"model\":\"m\",\"messages\":[]");
    int    i;

    for (i = 0; i < 129; i++) {
        len = add(body, len, ",\"k%d\":0", i);
    }
    add(body, len, "}");
    check_refused(body, "invalid_request", "one field too many");
    free(body);
}

/* Every prefix of a body is refused, and no byte behind it is read. */
static void
test_prefixes(void)
{
    static const char body[] =
        "{\"model\":\"m\\u00e4\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}},"
        "{\"type\":\"file\",\"file\":{\"file_data\":\"AA\"}}],\"tool_calls\":[{\"type\":\"function\"}]}],\"tools\":[{\"type\":\"mcp\",\"x\":1}],"
        "\"stream\":true,\"stream_options\":{ },\"n\":2,\"modalities\":[\"text\"],\"x\":{\"y\":[1,2]}}";
    size_t i;

    for (i = 0; i < sizeof(body) - 1; i++) {
        CHECK_INT(parse_at(GH_ENDPOINT_CHAT_COMPLETIONS, (gh_str_t) { body, i }), GH_ERROR);
        CHECK(error.code != NULL && strcmp(error.code, "invalid_json") == 0);
    }
    CHECK_INT(parse_at(GH_ENDPOINT_CHAT_COMPLETIONS, (gh_str_t) { body, i }), GH_OK);
}

/* Without memory: an error, never a request with fewer uses. */
static void
test_memory(void)
{
    static const char body[] = "{\"model\":\"\\u006d\",\"messages\":[],\"store\":true,\"x\":1,\"tools\":[{\"y\":1,\"type\":\"function\"}],"
        "\"guided_json\":\"{\\\"$ref\\\":\\\"x\\\"}\"}";
    gh_heap_t         small;
    size_t            n;
    int               rc = GH_ERROR;

    for (n = 0; n < 16 && rc != GH_OK; n++) {
        gh_heap_init(&small);
        small.limit = n;
        rc = gh_intake_parse(&small.arena, GH_ENDPOINT_CHAT_COMPLETIONS, GH_STR(body), &intake, &error);
        if (rc != GH_OK) {
            CHECK(strcmp(error.code, "no_memory") == 0);
        } else {
            CHECK_STR(gh_str_from(uses()), "store@store ?@x ?@tools[0].y fetched_url@guided_json");
        }
        gh_heap_free(&small);
    }
    CHECK(n > 3 && rc == GH_OK);
}

static bool
header(const char *name, const char *value)
{
    return gh_intake_header(&heap.arena, &intake, gh_str_from(name), gh_str_from(value));
}

static void
test_headers(void)
{
    CHECK_INT(parse("{\"model\":\"m\",\"messages\":[]}"), GH_OK);

    CHECK(!header("Authorization", "Bearer x"));
    CHECK(!header("api-key", "x"));
    CHECK(!header("Content-Type", "application/json"));
    CHECK(!header("x-forwarded-for", "1.2.3.4"));
    CHECK(!header("x-stainless-lang", "python"));
    CHECK(!header("OpenAI-Organization", "org"));
    CHECK(!header("x-gatehouse-places", "EU"));
    CHECK(!header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01; prompt=secret"));
    CHECK(!header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0G"));
    CHECK(!header("openai-beta", "  "));
    CHECK_STR(gh_str_from(uses()), "");

    CHECK(header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    CHECK(header("OpenAI-Beta", "assistants=v2"));
    CHECK(header("openai-beta", "responses=v1"));
    CHECK(header("X-Amzn-Bedrock-GuardrailIdentifier", "g"));
    CHECK(header("X-Amzn-Bedrock-GuardrailVersion", "1"));
    CHECK(header("anthropic-beta", "x"));
    CHECK_STR(gh_str_from(uses()), "openai-beta@header openai-beta guardrail@header x-amzn-bedrock-guardrailidentifier "
        "anthropic-beta@header anthropic-beta");
}

int
main(void)
{
    gh_heap_init(&heap);

    test_plain();
    test_endpoints();
    test_body_features();
    test_parts();
    test_tools();
    test_uninspected();
    test_many();
    test_refused();
    test_duplicates();
    test_too_many_keys();
    test_prefixes();
    test_memory();
    test_headers();

    gh_heap_free(&heap);
    return check_done("wire_intake");
}
