/* At which endpoint a deployment is asked, and what a request must not say to be asked there. */
#include "tests/unit/check.h"

#include <string.h>

#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/intake_reader.h"

#define AT(endpoint) (1u << GH_ENDPOINT_##endpoint)

static gh_heap_t heap;

static void
test_upstream(void)
{
    static const struct { uint32_t offered; gh_endpoint_t client, expected; } cases[] = {
        { AT(CHAT_COMPLETIONS) | AT(MESSAGES), GH_ENDPOINT_CHAT_COMPLETIONS, GH_ENDPOINT_CHAT_COMPLETIONS },
        { AT(MESSAGES) | AT(CONVERSE), GH_ENDPOINT_CHAT_COMPLETIONS, GH_ENDPOINT_MESSAGES },
        { AT(CONVERSE) | AT(EMBEDDINGS), GH_ENDPOINT_CHAT_COMPLETIONS, GH_ENDPOINT_CONVERSE },
        { AT(CHAT_COMPLETIONS) | AT(COMPLETIONS), GH_ENDPOINT_MESSAGES, GH_ENDPOINT_CHAT_COMPLETIONS },
        { AT(COUNT_TOKENS), GH_ENDPOINT_MESSAGES, GH_ENDPOINTS }, { AT(MESSAGES), GH_ENDPOINT_EMBEDDINGS, GH_ENDPOINTS },
        { AT(CHAT_COMPLETIONS), GH_ENDPOINT_COMPLETIONS, GH_ENDPOINTS }, { 0, GH_ENDPOINT_CHAT_COMPLETIONS, GH_ENDPOINTS },
        { AT(MESSAGES), GH_ENDPOINT_COUNT_TOKENS, GH_ENDPOINTS }, { AT(CONVERSE), GH_ENDPOINT_BEDROCK_COUNT, GH_ENDPOINTS },
        { AT(BEDROCK_COUNT) | AT(CONVERSE), GH_ENDPOINT_COUNT_TOKENS, GH_ENDPOINT_BEDROCK_COUNT },
        { AT(COUNT_TOKENS) | AT(MESSAGES), GH_ENDPOINT_BEDROCK_COUNT, GH_ENDPOINT_COUNT_TOKENS },
        { AT(COUNT_TOKENS) | AT(BEDROCK_COUNT), GH_ENDPOINT_CONVERSE, GH_ENDPOINTS },
        { AT(INVOKE) | AT(CONVERSE), GH_ENDPOINT_INVOKE, GH_ENDPOINT_INVOKE },
        { AT(CONVERSE) | AT(MESSAGES), GH_ENDPOINT_INVOKE, GH_ENDPOINT_MESSAGES },
        { AT(CONVERSE) | AT(CHAT_COMPLETIONS) | AT(RESPONSES), GH_ENDPOINT_INVOKE, GH_ENDPOINT_CONVERSE },
        { AT(EMBEDDINGS) | AT(BEDROCK_COUNT), GH_ENDPOINT_INVOKE, GH_ENDPOINTS },
        { AT(INVOKE) | AT(CONVERSE), GH_ENDPOINT_MESSAGES, GH_ENDPOINT_INVOKE },
        { AT(INVOKE) | AT(CONVERSE) | AT(RESPONSES), GH_ENDPOINT_CHAT_COMPLETIONS, GH_ENDPOINT_CONVERSE },
        { AT(INVOKE) | AT(RESPONSES), GH_ENDPOINT_CHAT_COMPLETIONS, GH_ENDPOINT_INVOKE },
        { AT(INVOKE), GH_ENDPOINT_RESPONSES, GH_ENDPOINT_INVOKE }, { AT(INVOKE), GH_ENDPOINT_CONVERSE, GH_ENDPOINT_INVOKE },
        { AT(INVOKE), GH_ENDPOINT_EMBEDDINGS, GH_ENDPOINTS }, { AT(INVOKE), GH_ENDPOINT_COUNT_TOKENS, GH_ENDPOINTS },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_str_t where;

        if (!CHECK_INT(gh_endpoint_upstream(cases[i].offered, cases[i].client, GH_WORDS_PLAIN, NULL, &where), cases[i].expected)) {
            fprintf(stderr, "    case %zu\n", i);
        }
        CHECK_INT(where.len, 0);
        CHECK_INT(gh_endpoint_served(cases[i].offered, cases[i].client), cases[i].expected != GH_ENDPOINTS);
    }
}

/* What cannot be said at one is said at the next; nowhere: the first one's reason. */
static void
test_express(void)
{
    gh_express_t express;
    gh_str_t     where;

    memset(&express, 0, sizeof(express));
    express.where[0][GH_ENDPOINT_MESSAGES] = GH_STR("seed");
    CHECK_INT(gh_endpoint_upstream(AT(MESSAGES) | AT(CONVERSE), GH_ENDPOINT_CHAT_COMPLETIONS, GH_WORDS_PLAIN, &express, &where), GH_ENDPOINT_CONVERSE);
    express.where[0][GH_ENDPOINT_CONVERSE] = GH_STR("n");
    CHECK_INT(gh_endpoint_upstream(AT(MESSAGES) | AT(CONVERSE), GH_ENDPOINT_CHAT_COMPLETIONS, GH_WORDS_PLAIN, &express, &where), GH_ENDPOINTS);
    CHECK_STR(where, "seed");
    CHECK_INT(gh_endpoint_upstream(AT(MESSAGES), GH_ENDPOINT_CHAT_COMPLETIONS, GH_WORDS_OPEN, &express, &where), GH_ENDPOINT_MESSAGES);
    CHECK_INT(gh_endpoint_upstream(AT(MESSAGES) | AT(CHAT_COMPLETIONS), GH_ENDPOINT_CHAT_COMPLETIONS, GH_WORDS_PLAIN, &express, &where), GH_ENDPOINT_CHAT_COMPLETIONS);
}

static void
test_words(void)
{
    static const struct {
        gh_dialect_t     dialect;
        const char      *provider, *upstream;
        uint32_t         endpoints;
        gh_words_t       words;
        gh_hub_dialect_t target;
    } cases[] = {
        { GH_DIALECT_OPENAI, "self", "anthropic.x", AT(CHAT_COMPLETIONS), GH_WORDS_OPEN, GH_HUB_CONVERSE },
        { GH_DIALECT_OPENAI, "openai", "gpt-x", AT(CHAT_COMPLETIONS), GH_WORDS_PLAIN, GH_HUB_CONVERSE },
        { GH_DIALECT_ANTHROPIC, "anthropic", "anthropic.claude-x", AT(MESSAGES), GH_WORDS_PLAIN, GH_HUB_CONVERSE },
        { GH_DIALECT_BEDROCK, "aws", "eu.anthropic.claude-x", AT(CONVERSE), GH_WORDS_ANTHROPIC, GH_HUB_CONVERSE_ANTHROPIC },
        { GH_DIALECT_BEDROCK, "aws", "amazon.nova-2-lite-v1:0", AT(CONVERSE), GH_WORDS_NOVA, GH_HUB_CONVERSE_NOVA },
        { GH_DIALECT_BEDROCK, "aws", "amazon.nova-lite-v1:0", AT(CONVERSE), GH_WORDS_PLAIN, GH_HUB_CONVERSE },
        { GH_DIALECT_BEDROCK, "aws", "us.openai.gpt-oss-20b-1:0", AT(CONVERSE), GH_WORDS_GPT_OSS, GH_HUB_CONVERSE_GPT_OSS },
        { GH_DIALECT_BEDROCK, "aws", "arn:aws:bedrock:eu-central-1:1:application-inference-profile/abc", AT(CONVERSE), GH_WORDS_PLAIN, GH_HUB_CONVERSE },
        { GH_DIALECT_BEDROCK, "aws", "arn:aws:bedrock:eu-central-1:1:application-inference-profile/abc", AT(CONVERSE) | AT(INVOKE), GH_WORDS_ANTHROPIC,
          GH_HUB_CONVERSE_ANTHROPIC },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(gh_words_of(cases[i].dialect, gh_str_from(cases[i].provider), gh_str_from(cases[i].upstream), cases[i].endpoints), cases[i].words);
        CHECK_INT(gh_hub_target_of(GH_ENDPOINT_CONVERSE, cases[i].words), cases[i].target);
        CHECK_INT(gh_hub_target_of(GH_ENDPOINT_MESSAGES, cases[i].words), GH_HUB_MESSAGES);
    }
}

/* Whatever the table of endpoints names is a dialect of the hub on both sides. */
static void
test_hub_has_them(void)
{
    for (int client = 0; client < GH_ENDPOINTS; client++) {
        for (int upstream = 0; upstream < GH_ENDPOINTS; upstream++) {
            if (client != upstream && gh_endpoint_served(1u << upstream, (gh_endpoint_t) client)) {
                CHECK(gh_hub_dialect_of((gh_endpoint_t) client, GH_WORDS_PLAIN) != GH_HUB_DIALECTS);
                CHECK(gh_hub_dialect_of((gh_endpoint_t) upstream, GH_WORDS_PLAIN) != GH_HUB_DIALECTS);
            }
        }
    }
}

static const gh_express_t *
asked(const char *body, gh_intake_t *intake)
{
    gh_hub_asked_t made = { .arena = &heap.arena, .intake = intake, .body = gh_str_from(body) };

    return gh_hub_asked(&made);
}

static void
test_asked(void)
{
    gh_intake_t         intake;
    const gh_express_t *express;

    memset(&intake, 0, sizeof(intake));
    express = asked("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"n\":2}", &intake);
    CHECK_STR(express->where[0][GH_ENDPOINT_MESSAGES], "n");
    CHECK(express->where[0][GH_ENDPOINT_CHAT_COMPLETIONS].data == NULL);

    express = asked("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"top_k\":2}", &intake);
    CHECK(express->where[0][GH_ENDPOINT_MESSAGES].data == NULL && express->where[1][GH_ENDPOINT_CHAT_COMPLETIONS].data == NULL);
    CHECK_STR(express->where[0][GH_ENDPOINT_CHAT_COMPLETIONS], "top_k");

    /* what the hub's reader refuses is said nowhere else */
    express = asked("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":7}]}", &intake);
    CHECK_STR(express->where[0][GH_ENDPOINT_MESSAGES], "messages[0].content");
    CHECK_STR(express->where[1][GH_ENDPOINT_CONVERSE], "messages[0].content");

    gh_intake_use_add(&intake, GH_STR("openai-beta"), GH_STR("header openai-beta"));
    express = asked("{\"model\":\"m\",\"messages\":[]}", &intake);
    CHECK_STR(express->where[0][GH_ENDPOINT_MESSAGES], "header openai-beta");

    memset(&intake, 0, sizeof(intake));
    intake.endpoint = GH_ENDPOINT_EMBEDDINGS;
    express = asked("{\"model\":\"m\",\"input\":\"x\"}", &intake);
    CHECK(express->where[0][GH_ENDPOINT_MESSAGES].data != NULL);
}

/* Without memory there is no answer, and nothing is taken for said. */
static void
test_memory(void)
{
    static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"seed\":2,\"n\":2}";
    gh_intake_t         intake;
    const gh_express_t *express = NULL;
    gh_heap_t           small;

    memset(&intake, 0, sizeof(intake));
    for (size_t n = 0; n < 64 && express == NULL; n++) {
        gh_hub_asked_t made = { .arena = &small.arena, .intake = &intake, .body = GH_STR(body) };

        gh_heap_init(&small);
        small.limit = n;
        express = gh_hub_asked(&made);
        if (express != NULL) {
            CHECK(n > 2 && express->where[0][GH_ENDPOINT_MESSAGES].len != 0 && express->where[0][GH_ENDPOINT_CONVERSE].len != 0);
        }
        gh_heap_free(&small);
    }
    CHECK(express != NULL);
}

int
main(void)
{
    gh_heap_init(&heap);
    test_upstream();
    test_express();
    test_words();
    test_hub_has_them();
    test_asked();
    test_memory();
    gh_heap_free(&heap);
    return check_done("endpoints");
}
