/* What the intake counts of a body for the bound of its prompt, also of bodies made to look small; and the output cap in what is sent. */
#include "tests/unit/intake_world.h"

typedef struct {
    const char *body;
    uint64_t    messages, prompts, images;
    bool        bounded;
} counts_t;

static void
check_counts(gh_endpoint_t endpoint, const counts_t *c)
{
    if (!CHECK_INT(parse_at(endpoint, gh_str_from(c->body)), GH_OK)
        || !CHECK(intake.messages == c->messages && intake.prompts == c->prompts && intake.images == c->images
                  && (intake.unbounded == 0) == c->bounded))
    {
        fprintf(stderr, "    %s: messages %u prompts %u images %u unbounded %u\n", c->body, intake.messages, intake.prompts, intake.images,
            intake.unbounded);
    }
}

#define PART(part) "{\"model\":\"m\",\"messages\":[{\"content\":[" part "]}]}"
#define IMAGE      "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}"

static void
test_chat(void)
{
    static const counts_t cases[] = {
        { CHAT("\"n\":2"), 0, 1, 0, true },
        { "{\"model\":\"m\",\"messages\":[{\"content\":\"a\"},{\"content\":null},{\"role\":\"tool\",\"content\":[\"b\"]}]}", 3, 1, 0, true },
        { PART(IMAGE "," IMAGE), 1, 1, 2, true },
        { PART("{\"image_url\":\"https://a/b.png\"}"), 1, 1, 1, true },
        { PART("{\"image_url\":null}"), 1, 1, 0, true },

        /* media whose most no catalogue says */
        { PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}}"), 1, 1, 0, false },
        { PART("{\"video_url\":{\"url\":\"data:,\"}}"), 1, 1, 0, false },
        { PART("{\"file\":{\"file_data\":\"AAAA\"}}"), 1, 1, 0, false },
        { PART("{\"image_embeds\":\"AAAA\"}"), 1, 1, 0, false },

        /* content that is elsewhere, or that the provider brings in */
        { PART("{\"image_url\":{\"file_id\":\"f\"}}"), 1, 1, 1, false },
        { "{\"model\":\"m\",\"messages\":[{\"audio\":{\"id\":\"a\"}}]}", 1, 1, 0, false },
        { CHAT("\"web_search_options\":{}"), 0, 1, 0, false },
        { CHAT("\"tools\":[{\"type\":\"code_interpreter\"}]"), 0, 1, 0, false },
        { CHAT("\"data_sources\":[]"), 0, 1, 0, false },
        { CHAT("\"documents\":[{\"text\":\"t\"}]"), 0, 1, 0, true },
        { CHAT("\"documents\":[{\"url\":\"https://a/b\"}]"), 0, 1, 0, false },
        { CHAT("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"$ref\":\"https://a/b\"}}}"), 0, 1, 0, false },
        { CHAT("\"previous_response_id\":\"r\""), 0, 1, 0, false },
        { CHAT("\"service_tier\":\"platinum\""), 0, 1, 0, false },

        /* what does not lengthen the prompt */
        { CHAT("\"store\":true,\"service_tier\":\"flex\",\"prompt_cache_retention\":\"24h\",\"metadata\":{\"a\":\"b\"}"), 0, 1, 0, true },
        { CHAT("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]"), 0, 1, 0, true },

        /* options that write the prompt, or make an image larger than the catalogue says */
        { CHAT("\"chat_template\":\"{% for i in range(99999) %}x{% endfor %}\""), 0, 1, 0, false },
        { "{\"mm_processor_kwargs\":{\"min_pixels\":99999999},\"model\":\"m\",\"messages\":[{\"content\":[" IMAGE "]}]}", 1, 1, 1, false },
        { "{\"model\":\"m\",\"messages\":[{\"content\":[" IMAGE "]}],\"max_dynamic_patch\":64}", 1, 1, 1, false },
        { PART("{\"image_url\":{\"url\":\"data:,\",\"min_dynamic_patch\":64}}"), 1, 1, 1, false },
        { "{\"mm_processor_kwargs\":{},\"model\":\"m\",\"messages\":[{\"content\":\"a\"}]}", 1, 1, 0, true },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_counts(GH_ENDPOINT_CHAT_COMPLETIONS, &cases[i]);
    }
}

/* Each text of a completion or an embedding is answered by itself. */
static void
test_prompts(void)
{
    static const counts_t cases[] = {
        { "{\"model\":\"m\",\"prompt\":\"a\"}", 0, 1, 0, true },
        { "{\"model\":\"m\",\"prompt\":[]}", 0, 1, 0, true },
        { "{\"model\":\"m\",\"prompt\":[1,2,3]}", 0, 1, 0, true },
        { "{\"model\":\"m\",\"prompt\":[\"a\",\"b\",\"c\"]}", 0, 3, 0, true },
        { "{\"model\":\"m\",\"prompt\":[[1,2],[3]]}", 0, 2, 0, true },
        { "{\"model\":\"m\",\"prompt\":[[[1],[2]],\"a\",3]}", 0, 2, 0, true },
        { "{\"model\":\"m\"}", 0, 1, 0, true },
        { "{\"model\":\"m\",\"prompt\":[{\"prompt_string\":\"a\"},{\"x\":[\"b\",\"c\"]}]}", 0, 2, 0, false },
        { "{\"model\":\"m\",\"prompt_embeds\":[\"AAAA\",\"AAAA\"],\"prompt\":[\"a\",\"b\"]}", 0, 4, 0, false },
        { "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"prompt_embeds\":\"AAAA\"}", 0, 2, 0, false },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_counts(GH_ENDPOINT_COMPLETIONS, &cases[i]);
    }
    check_counts(GH_ENDPOINT_EMBEDDINGS, &(counts_t) { "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}", 0, 2, 0, true });
    check_counts(GH_ENDPOINT_EMBEDDINGS, &(counts_t) { "{\"model\":\"m\",\"messages\":[{\"content\":\"a\"}]}", 1, 1, 0, true });
}

static uint64_t
text_of(const char *body)
{
    CHECK_INT(parse(body), GH_OK);
    return intake.text_bytes;
}

/* Bytes of the shortest spelling, data of media left out. */
static void
test_text(void)
{
    CHECK_INT(text_of("{\"model\":\"m\",\"messages\":[]}"), 27);
    CHECK_INT(text_of(" { \"model\" :\n\t\"m\" , \"messages\" : [ ] }\r\n"), 27);
    CHECK_INT(text_of("{\"mod\\u0065l\":\"\\u006d\",\"messages\":[]}"), 27);
    CHECK_INT(text_of("{\"model\":\"m\",\"messages\":[],\"user\":\"\\u00e4\\ud83d\\ude00\\u20ac\\n\\/\"}"), 27 + 10 + 2 + 4 + 3 + 1 + 1);
    CHECK_INT(text_of("{\"model\":\"m\",\"messages\":[],\"user\":\"\xc3\xa4\xf0\x9f\x98\x80\xe2\x82\xac  \"}"), 27 + 10 + 2 + 4 + 3 + 2);

    /* what fields that are passed over hold is text, too */
    CHECK_INT(text_of("{\"model\":\"m\",\"messages\":[],\"metadata\":{ \"a\" : [ \"bcd\" ] }}"), 27 + 12 + 13);

    CHECK_INT(text_of(PART(IMAGE)), strlen(PART(IMAGE)) - strlen("data:image/png;base64,AAAA"));
    CHECK_INT(text_of(PART("{\"image_url\":\"data:image\\/png;base64,AA\\/A\"}")), strlen(PART("{\"image_url\":\"\"}")));
    CHECK_INT(text_of(PART("{\"input_audio\":{\"data\":\"AAAAAAAA\",\"format\":\"wav\"}}")), strlen(PART("{\"input_audio\":{\"data\":\"\",\"format\":\"wav\"}}")));

    /* only where a medium stands, and only data: a text that looks like it is text */
    CHECK_INT(text_of(PART("{\"text\":\"data:image/png;base64,AAAA\"}")), strlen(PART("{\"text\":\"data:image/png;base64,AAAA\"}")));
    CHECK_INT(text_of(PART("{\"annotations\":[{\"url\":\"data:,AAAA\"}]}")), strlen(PART("{\"annotations\":[{\"url\":\"data:,AAAA\"}]}")));
    CHECK_INT(text_of(PART("{\"image_url\":{\"url\":\"https://a/b\",\"detail\":\"high\"}}")),
        strlen(PART("{\"image_url\":{\"url\":\"https://a/b\",\"detail\":\"high\"}}")));
    CHECK_INT(text_of(PART("{\"text\":\"a\",\"image_url\":\"data:,A\"},{\"annotations\":[{\"url\":\"data:,AAAA\"}]}")),
        strlen(PART("{\"text\":\"a\",\"image_url\":\"\"},{\"annotations\":[{\"url\":\"data:,AAAA\"}]}")));
}

static uint64_t
most(const char *members)
{
    char body[512];

    snprintf(body, sizeof(body), "{\"model\":\"m\",\"messages\":[],%s}", members);
    CHECK_INT(parse(body), GH_OK);
    return intake.max_tokens;
}

/* What no backend has to obey is no maximum. */
static void
test_maxima(void)
{
    CHECK_INT(most("\"max_tokens\":5"), 5);
    CHECK_INT(most("\"max_completion_tokens\":5"), 5);
    CHECK_INT(most("\"max_tokens\":5,\"max_completion_tokens\":9"), 9);
    CHECK_INT(most("\"max_tokens\":5,\"n_predict\":9"), 9);
    CHECK_INT(most("\"n_predict\":9"), 0);
    CHECK_INT(most("\"max_tokens\":-1"), 0);
    CHECK_INT(most("\"max_tokens\":5,\"n_predict\":-1"), 0);
    CHECK_INT(most("\"max_tokens\":null,\"max_completion_tokens\":null"), 0);
    CHECK_INT(most("\"max_tokens\":0"), 0);
    CHECK_INT(most("\"max_tokens\":9223372036854775807"), INT64_MAX);
}

/* The body sent, for a target of this dialect and provider. NULL: it stays as it is. */
static void
check_sent(gh_endpoint_t endpoint, gh_dialect_t dialect, const char *provider, const char *version, uint64_t cap, const char *members,
    const char *expected)
{
    char              body[512], sent[1024];
    gh_target_t       target = { .dialect = dialect };
    gh_wire_request_t request;
    gh_str_t          pieces[2 * GH_SPLICE_MAX + 1];
    unsigned          count, i;
    size_t            len = 0;

    snprintf(body, sizeof(body), "{\"model\":\"m\"%s%s}", endpoint == GH_ENDPOINT_CHAT_COMPLETIONS ? ",\"messages\":[]" : "", members);
    if (!CHECK_INT(parse_at(endpoint, gh_str_from(body)), GH_OK)) {
        return;
    }
    target.provider = gh_str_from(provider);
    target.api_version = gh_str_from(version);
    target.upstream_model = GH_STR("m");
    CHECK_INT(gh_dialect_request(&heap.arena, &target, &intake, GH_STR(""), false, cap, &request, &error), GH_OK);
    count = gh_splice_pieces(&request.splice, gh_str_from(body), pieces);
    for (i = 0; i < count; i++) {
        memcpy(sent + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }
    CHECK_STR(((gh_str_t) { sent, len }), expected != NULL ? expected : body);
}

#define OPENAI(cap, members, expected) \
    check_sent(GH_ENDPOINT_CHAT_COMPLETIONS, GH_DIALECT_OPENAI, "openai", "", (cap), (members), (expected))

static void
test_cap(void)
{
    const gh_endpoint_t chat = GH_ENDPOINT_CHAT_COMPLETIONS, text = GH_ENDPOINT_COMPLETIONS;

    OPENAI(0, "", NULL);
    OPENAI(0, ",\"max_tokens\":-1,\"n_predict\":null", NULL);
    OPENAI(64, "", "{\"max_completion_tokens\":64,\"model\":\"m\",\"messages\":[]}");
    OPENAI(64, ",\"max_completion_tokens\":null", "{\"model\":\"m\",\"messages\":[],\"max_completion_tokens\":64}");
    OPENAI(64, ",\"max_completion_tokens\":64", NULL);
    OPENAI(64, ",\"max_tokens\": 65 ", "{\"model\":\"m\",\"messages\":[],\"max_tokens\": 64 }");
    OPENAI(64, ",\"max_tokens\":63", NULL);
    OPENAI(64, ",\"max_tokens\":0", NULL);
    OPENAI(64, ",\"max_tokens\":-1,\"n_predict\":500", "{\"model\":\"m\",\"messages\":[],\"max_tokens\":64,\"n_predict\":64}");
    OPENAI(64, ",\"n_predict\":5", "{\"max_completion_tokens\":64,\"model\":\"m\",\"messages\":[],\"n_predict\":5}");
    OPENAI(64, ",\"max_tokens\":null", "{\"max_completion_tokens\":64,\"model\":\"m\",\"messages\":[],\"max_tokens\":null}");
    OPENAI(UINT64_C(281474976710655), "", "{\"max_completion_tokens\":281474976710655,\"model\":\"m\",\"messages\":[]}");

    check_sent(chat, GH_DIALECT_OPENAI, "self", "", 64, "", "{\"max_tokens\":64,\"model\":\"m\",\"messages\":[]}");
    check_sent(chat, GH_DIALECT_OPENAI, "self", "", 64, ",\"max_completion_tokens\":5", NULL);
    check_sent(chat, GH_DIALECT_AZURE_V1, "azure", "", 64, "", "{\"max_completion_tokens\":64,\"model\":\"m\",\"messages\":[]}");
    check_sent(chat, GH_DIALECT_AZURE_CLASSIC, "azure", "2024-06-01", 64, "", "{\"max_tokens\":64,\"model\":\"m\",\"messages\":[]}");
    check_sent(chat, GH_DIALECT_AZURE_CLASSIC, "azure", "2024-10-21", 64, "", "{\"max_completion_tokens\":64,\"model\":\"m\",\"messages\":[]}");
    check_sent(chat, GH_DIALECT_BEDROCK_OPENAI, "aws", "", 64, "", "{\"max_completion_tokens\":64,\"model\":\"m\",\"messages\":[]}");
    check_sent(text, GH_DIALECT_OPENAI, "openai", "", 64, "", "{\"max_tokens\":64,\"model\":\"m\"}");
    check_sent(text, GH_DIALECT_OPENAI, "openai", "", 64, ",\"stream\":true",
        "{\"max_tokens\":64,\"stream_options\":{\"include_usage\":true},\"model\":\"m\",\"stream\":true}");
    check_sent(GH_ENDPOINT_EMBEDDINGS, GH_DIALECT_OPENAI, "openai", "", 64, ",\"input\":\"a\"", NULL);
}

static void
test_service_tier(void)
{
    CHECK_INT(parse(CHAT("\"service_tier\":\"pr\\u0069ority\"")), GH_OK);
    CHECK_STR(intake.service_tier, "priority");
    CHECK_INT(parse(CHAT("\"service_tier\":null")), GH_OK);
    CHECK_INT(intake.service_tier.len, 0);
    CHECK_INT(parse(CHAT("\"n\":1")), GH_OK);
    CHECK_INT(intake.service_tier.len, 0);
}

int
main(void)
{
    gh_heap_init(&heap);
    test_chat();
    test_prompts();
    test_text();
    test_maxima();
    test_cap();
    test_service_tier();
    gh_heap_free(&heap);

    return check_done("wire counts");
}
