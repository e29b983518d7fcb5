/*
 * Ids of what is kept, in chat completions and Messages: found wherever a request says one, and given out wherever an answer does, plain or in a stream that is
 * split at every byte. What comes out is what replacing the quoted ids in the text gives, which knows nothing of JSON.
 */
#include "ngx_module/wire/ids.h"
#include "policy/base/base64.h"
#include "tests/unit/intake_world.h"

static gh_handles_t *handles;

static gh_str_t
given(gh_handle_kind_t kind, const char *id)
{
    gh_handle_t handle = { kind, 7, GH_STR("d"), GH_STR("m"), gh_str_from(id), GH_STR("") };
    char       *text = gh_arena_alloc(&heap.arena, GH_HANDLE_MAX);

    return (gh_str_t) { text, gh_handle_write(handles, &handle, text, GH_HANDLE_MAX) };
}

/* ---- requests ---- */

#define MESSAGES(members) "{\"model\":\"m\",\"messages\":[" members "]}"
#define PART(part)        MESSAGES("{\"role\":\"user\",\"content\":[" part "]}")
#define BESIDE(members)   "{\"model\":\"m\",\"messages\":[]," members "}"

/* "@" is where the id stands. */
static const struct { gh_endpoint_t endpoint; gh_handle_kind_t kind; const char *body, *where, *feature; } places[] = {
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_AUDIO, MESSAGES("{\"role\":\"assistant\",\"audio\":{\"id\":\"@\"}}"), "messages[0].audio.id", "stored_audio" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_AUDIO, MESSAGES("{\"role\":\"assistant\",\"audio\":\"@\"}"), "messages[0].audio", "stored_audio" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_FILE, PART("{\"type\":\"file\",\"file\":{\"file_id\":\"@\"}}"), "messages[0].content[0].file.file_id", "files" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_FILE, PART("{\"type\":\"file\",\"file_id\":\"@\"}"), "messages[0].content[0].file_id", "files" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_FILE, PART("{\"image_url\":{\"file_id\":\"@\"}}"), "messages[0].content[0].image_url.file_id", "files" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_FILE, PART("{\"input_audio\":{\"file_id\":\"@\"}}"), "messages[0].content[0].input_audio.file_id", "files" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_FILE, MESSAGES("{\"annotations\":[{\"file_id\":\"@\"}]}"), "messages[0].annotations[0].file_id", "files" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_FILE, MESSAGES("{\"annotations\":[{\"file_citation\":{\"file_id\":\"@\"}}]}"),
      "messages[0].annotations[0].file_citation.file_id", "files" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, GH_HANDLE_FILE, BESIDE("\"prediction\":{\"type\":\"content\",\"content\":[{\"type\":\"file\",\"file_id\":\"@\"}]}"),
      "prediction.content[0].file_id", "files" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_CONTAINER, BESIDE("\"container\":\"@\""), "container", "container" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_CONTAINER, BESIDE("\"container\":{\"skills\":null,\"id\":\"@\"}"), "container.id", "container" },
    { GH_ENDPOINT_INVOKE, GH_HANDLE_CONTAINER, BESIDE("\"container\":{\"id\":\"@\"}"), "container.id", "container" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_MESSAGE, BESIDE("\"thread\":{\"type\":\"continue\",\"previous_message_id\":\"@\"}"), "thread.previous_message_id", "thread" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_MESSAGE, BESIDE("\"diagnostics\":{\"previous_message_id\":\"@\"}"), "diagnostics.previous_message_id", "cache_diagnosis" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_FILE, PART("{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"@\"}}"), "messages[0].content[0].source.file_id", "files" },
    { GH_ENDPOINT_COUNT_TOKENS, GH_HANDLE_FILE, PART("{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"@\"}}"), "messages[0].content[0].source.file_id", "files" },
    { GH_ENDPOINT_INVOKE, GH_HANDLE_FILE, PART("{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"@\"}}"), "messages[0].content[0].source.file_id", "files" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_FILE, BESIDE("\"system\":[{\"type\":\"text\",\"citations\":[{\"type\":\"char_location\",\"file_id\":\"@\"}]}]"),
      "system[0].citations[0].file_id", "files" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_FILE, PART("{\"type\":\"container_upload\",\"file_id\":\"@\"}"), "messages[0].content[0].file_id", "files" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_FILE, PART("{\"type\":\"tool_result\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"@\"}}]}"),
      "messages[0].content[0].content[0].source.file_id", "files" },
    { GH_ENDPOINT_MESSAGES, GH_HANDLE_FILE, PART("{\"type\":\"bash_code_execution_tool_result\",\"content\":{\"type\":\"bash_code_execution_result\","
      "\"content\":[{\"type\":\"bash_code_execution_output\",\"file_id\":\"@\"}]}}"), "messages[0].content[0].content.content[0].file_id", "files" },
};

static gh_str_t
with(const char *body, gh_str_t id)
{
    const char *at = strchr(body, '@');

    return gh_str_format(&heap.arena, "%.*s%.*s%s", (int) (at - body), body, GH_STR_ARG(id), at + 1);
}

static int
open_ids(gh_endpoint_t endpoint, gh_str_t *body)
{
    gh_url_t url = { .endpoint = endpoint, .model = endpoint == GH_ENDPOINT_INVOKE ? GH_STR("m") : (gh_str_t) { NULL, 0 } };

    memset(&error, 0, sizeof(error));
    if (gh_intake_parse_url(&heap.arena, &url, *body, &intake, &error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_intake_open(&heap.arena, handles, 7, &url, body, &intake, &error);
}

static void
test_requests(void)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        gh_str_t     own = GH_STR("file_own"), body = with(places[i].body, given(places[i].kind, "file_own")), meant = with(places[i].body, own);
        const char  *wrong[] = { "file_own", "", "\\u0061" };
        bool         named = false;

        CHECK_INT(open_ids(places[i].endpoint, &body), GH_OK);
        CHECK(gh_str_eq(body, meant));
        CHECK_STR(intake.pin.deployment, "d");
        CHECK_STR(intake.pin.where, places[i].where);
        for (uint32_t k = 0; k < intake.feature_count; k++) {
            named |= gh_str_is(intake.features[k].name, places[i].feature);
        }
        CHECK(named && intake.unbounded > 0);

        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
            body = with(places[i].body, gh_str_from(wrong[k]));
            CHECK_INT(open_ids(places[i].endpoint, &body), GH_ERROR);
            CHECK(strcmp(error.code, "state_not_found") == 0 && strncmp(error.text, places[i].where, strlen(places[i].where)) == 0);
        }
        body = with(places[i].body, given(places[i].kind == GH_HANDLE_FILE ? GH_HANDLE_ITEM : GH_HANDLE_FILE, "file_own"));
        CHECK_INT(open_ids(places[i].endpoint, &body), GH_ERROR);
        CHECK(strcmp(intake.unopened.code, "handle_kind") == 0);
    }
}

/* What only makes something kept is a feature too; null is nothing. */
static void
test_made(void)
{
    static const char *const cases[][2] = {
        { "\"container\":{\"id\":null}", "container@container" }, { "\"container\":{\"skills\":[]}", "skills@container.skills container@container" },
        { "\"container\":null,\"thread\":null,\"diagnostics\":null", "" }, { "\"thread\":{\"type\":\"create\"}", "thread@thread" },
        { "\"thread\":{\"type\":\"frob\"}", "?@thread.type=frob thread@thread" }, { "\"container\":{\"x\":1}", "?@container.x container@container" },
        { "\"diagnostics\":{\"previous_message_id\":null}", "cache_diagnosis@diagnostics" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(parse_at(GH_ENDPOINT_MESSAGES, gh_str_format(&heap.arena, "{\"model\":\"m\",\"messages\":[],%s}", cases[i][0])), GH_OK);
        CHECK_STR(gh_str_from(uses()), cases[i][1]);
        CHECK_INT(intake.handle_count, 0);
    }
    CHECK_INT(parse_at(GH_ENDPOINT_MESSAGES, GH_STR(BESIDE("\"container\":7"))), GH_ERROR);
    CHECK_INT(parse_at(GH_ENDPOINT_CHAT_COMPLETIONS, GH_STR(MESSAGES("{\"audio\":{}}"))), GH_OK);
    CHECK_STR(gh_str_from(uses()), "stored_audio@messages[0].audio");
}

/* The body to be counted stands in another, in base64: it is not written anew. */
static void
test_counted(void)
{
    static const char inner[] = "{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"x\"}}]}]}";
    char              text[1024];
    gh_url_t          url = { .endpoint = GH_ENDPOINT_BEDROCK_COUNT, .model = GH_STR("m") };
    size_t            len = gh_base64((const uint8_t *) inner, sizeof(inner) - 1, text);

    CHECK_INT(gh_intake_parse_url(&heap.arena, &url, gh_str_format(&heap.arena, "{\"input\":{\"invokeModel\":{\"body\":\"%.*s\"}}}", (int) len, text), &intake, &error), GH_ERROR);
    CHECK(strcmp(error.code, "invalid_request") == 0 && strstr(error.text, "messages[0].content[0].source.file_id") != NULL);
}

/* ---- answers ---- */

typedef struct { char data[1 << 16]; size_t len; } sink_t;

static sink_t out;

static void
sink_out(void *context, const char *data, size_t len)
{
    sink_t *sink = context;

    CHECK(sink->len + len <= sizeof(sink->data));
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
}

/* A quoted word that begins so, with a digit behind, is an id of this kind. */
static gh_str_t
replaced(gh_str_t text)
{
    static const struct { const char *prefix; gh_handle_kind_t kind; } ids[] = {
        { "\"audio_", GH_HANDLE_AUDIO }, { "\"file_", GH_HANDLE_FILE }, { "\"container_", GH_HANDLE_CONTAINER }, { "\"msg_", GH_HANDLE_MESSAGE },
    };
    char  *to = gh_arena_alloc(&heap.arena, text.len * 20 + 1000);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        to[len++] = text.data[i];
        for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
            size_t n = strlen(ids[k].prefix);

            if (text.len - i > n && memcmp(text.data + i, ids[k].prefix, n) == 0 && text.data[i + n] >= '0' && text.data[i + n] <= '9'
                && (i == 0 || text.data[i - 1] != '\\'))
            {
                const char *end = memchr(text.data + i + 1, '"', text.len - i - 1);
                gh_str_t    id = gh_str_format(&heap.arena, "%.*s", (int) (end - text.data - (long) i - 1), text.data + i + 1), ours;

                ours = given(ids[k].kind, id.data);
                memcpy(to + len, ours.data, ours.len);
                len += ours.len;
                i = (size_t) (end - text.data) - 1;
                break;
            }
        }
    }
    return (gh_str_t) { to, len };
}

#define BLOCKS "[{\"type\":\"r\",\"content\":{\"type\":\"r\",\"stdout\":\"file-no\",\"content\":[{\"file_id\":\"file_1\"}]}},{\"file_id\" : \"file_2\"}," \
    "{\"text\":\"msg-no\",\"citations\":[{\"file_id\":null},{\"file_id\":\"file_3\"}]},{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"input\":{\"file_id\":\"file-no\",\"container\":{\"id\":\"x\"}}}]"
#define KEPT   "\"container\":{\"id\":\"container_1\",\"skills\":[{\"skill_id\":\"skill_1\"}]}"
#define CHOICE "{\"index\":0,\"%s\":{\"content\":\"audio-no\",\"annotations\":[{\"file_citation\":{\"file_id\":\"file_1\"}},{\"file_id\":\"file_2\"}]," \
    "\"audio\":{\"id\":\"audio_1\",\"data\":\"AAAA\"},\"tool_calls\":[{\"id\":\"call_1\",\"function\":{\"arguments\":\"{\\\"file_id\\\":\\\"x\\\"}\"}}]}}"

static const struct { gh_endpoint_t endpoint; bool stream; const char *more, *text; } answers[] = {
    { GH_ENDPOINT_CHAT_COMPLETIONS, false, "\"modalities\":[\"audio\"]", "{\"id\":\"chatcmpl-1\",\"choices\":[" CHOICE "," CHOICE "],\"usage\":{\"file_id\":\"file-no\"}}" },
    { GH_ENDPOINT_CHAT_COMPLETIONS, true, "\"frob\":1", ": hello\n\ndata: {\"id\":\"x\",\"choices\":[" CHOICE "]}\r\n\r\ndata: {\"choices\":\ndata: [" CHOICE "]}\n\ndata: [DONE]\n\n" },
    { GH_ENDPOINT_MESSAGES, false, "\"container\":{}", "{\"id\":\"msg-1\",\"content\":" BLOCKS "," KEPT "}" },
    { GH_ENDPOINT_INVOKE, false, "\"container\":{}", "{\"id\":\"msg-1\"," KEPT ",\"content\":" BLOCKS "}" },
    { GH_ENDPOINT_MESSAGES, false, "\"thread\":{}", "{\"id\":\"msg_1\",\"content\":" BLOCKS "," KEPT "}" },
    { GH_ENDPOINT_MESSAGES, true, "\"diagnostics\":{}", "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"content\":[]," KEPT "}}\n\n"
      "data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"r\",\"content\":" BLOCKS "}}\n\n"
      "data: {\"delta\":{\"citation\":{\"file_id\":\"file_9\"},\"text\":\"\\\"container_2\\\"\"}}\n\ndata: {\"delta\":{" KEPT "}}\n\n" },
};

static void
test_answers(void)
{
    gh_ids_owner_t owner = { .handles = handles, .tenant_uid = 7, .deployment = GH_STR("d"), .model = GH_STR("m") };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        gh_str_t              text = gh_str_format(&heap.arena, answers[i].text, answers[i].stream ? "delta" : "message", answers[i].stream ? "delta" : "message"), meant = replaced(text);
        const gh_ids_shape_t *shape;
        gh_url_t              url = { .endpoint = answers[i].endpoint, .model = answers[i].endpoint == GH_ENDPOINT_INVOKE ? GH_STR("m") : (gh_str_t) { NULL, 0 } };

        CHECK_INT(gh_intake_parse_url(&heap.arena, &url, gh_str_format(&heap.arena, "{%s\"messages\":[],%s}", url.model.data != NULL ? "" : "\"model\":\"m\",", answers[i].more), &intake, &error), GH_OK);
        shape = gh_ids_shape_of(&intake, answers[i].stream);
        CHECK(shape != NULL && meant.len > text.len + 100);
        for (size_t step = 1, first = 0; first <= text.len; first++) {
            static gh_ids_t ids;

            out.len = 0;
            gh_ids_init(&ids, shape, answers[i].stream, &owner, NULL);
            for (size_t at = 0; at < text.len; at += step) {
                step = at == 0 && first != 0 ? first : first == 0 ? 1 : text.len - at;
                gh_ids_feed(&ids, text.data + at, step, sink_out, &out);
            }
            gh_ids_finish(&ids, sink_out, &out);
            if (!gh_str_eq((gh_str_t) { out.data, out.len }, meant)) {
                CHECK_STR(((gh_str_t) { out.data, out.len }), meant.data);
                break;
            }
        }
    }
}

/* An answer is looked into when its request used something under which anything may be kept. */
static void
test_unread(void)
{
    static const struct { const char *more; bool read; } cases[] = {
        { "\"temperature\":1", false }, { "\"prompt_cache_retention\":\"24h\"", false }, { "\"modalities\":[\"audio\"]", true }, { "\"field_of_tomorrow\":1", true },
        { "\"prompt_cache_retention\":\"24h\",\"tools\":[{\"type\":\"code_interpreter\"}]", true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(parse_at(GH_ENDPOINT_CHAT_COMPLETIONS, gh_str_format(&heap.arena, "{\"model\":\"m\",\"messages\":[],%s}", cases[i].more)), GH_OK);
        CHECK((gh_ids_shape_of(&intake, false) != NULL) == cases[i].read && (gh_ids_shape_of(&intake, true) != NULL) == cases[i].read);
    }
    CHECK_INT(parse_at(GH_ENDPOINT_RESPONSES, GH_STR("{\"model\":\"m\",\"input\":\"x\",\"store\":false}")), GH_OK);
    CHECK(gh_ids_shape_of(&intake, false) != NULL);
    CHECK_INT(parse_at(GH_ENDPOINT_EMBEDDINGS, GH_STR("{\"model\":\"m\",\"input\":\"x\",\"frob\":1}")), GH_OK);
    CHECK(gh_ids_shape_of(&intake, false) == NULL);
}

int
main(void)
{
    static const uint8_t secret[32] = "32 bytes that are no secret here";

    gh_heap_init(&heap);
    handles = gh_handles_new(secret);
    test_requests();
    test_made();
    test_counted();
    test_answers();
    test_unread();
    gh_handles_free(handles);
    gh_heap_free(&heap);
    return check_done("wire ids");
}
