/* What clients' URLs ask for, the models lists that some of them get, and bodies whose model the path names. */
#include <stdlib.h>

#include "ngx_module/wire/wire.h"
#include "tests/unit/check.h"

static gh_heap_t  heap;
static gh_error_t error;

typedef struct {
    const char        *method, *target, *served;   /* served NULL: the target's path */
    const char        *code;                       /* NULL: it is served */
    gh_url_operation_t operation;
    gh_endpoint_t      endpoint;
    gh_hub_dialect_t   client;
    const char        *model;                      /* NULL: the path names none */
    const char        *query;
} url_case_t;

/* Read in memory of its own size, so that a sanitizer sees a byte too far. */
static int
read_url(const char *method, const char *target, const char *served, gh_url_t *url)
{
    static char *copy, *served_copy;
    size_t       len = strlen(target), served_len = served != NULL ? strlen(served) : strcspn(target, "?");

    free(copy);
    free(served_copy);
    copy = malloc(len + 1);
    served_copy = malloc(served_len + 1);
    memcpy(copy, target, len);
    memcpy(served_copy, served != NULL ? served : target, served_len);
    memset(&error, 0, sizeof(error));

    return gh_url_read(&heap.arena, gh_str_from(method), (gh_str_t) { copy, len }, (gh_str_t) { served_copy, served_len }, url, &error);
}

#define POST(target, model, endpoint, client) { "POST", target, NULL, NULL, GH_URL_CREATE, endpoint, client, model, "" }
#define GET(target, model, operation)         { "GET", target, NULL, NULL, operation, GH_ENDPOINTS, GH_HUB_CHAT, model, "" }
#define NONE(method, target, served, client)  { method, target, served, "unknown_endpoint", 0, 0, client, NULL, NULL }

static void
test_urls(void)
{
    static const url_case_t cases[] = {
        POST("/v1/chat/completions", NULL, GH_ENDPOINT_CHAT_COMPLETIONS, GH_HUB_CHAT),
        POST("/v1/completions", NULL, GH_ENDPOINT_COMPLETIONS, GH_HUB_CHAT),
        POST("/v1/embeddings", NULL, GH_ENDPOINT_EMBEDDINGS, GH_HUB_CHAT),
        POST("/openai/v1/chat/completions", NULL, GH_ENDPOINT_CHAT_COMPLETIONS, GH_HUB_CHAT),
        POST("/openai/v1/embeddings", NULL, GH_ENDPOINT_EMBEDDINGS, GH_HUB_CHAT),
        POST("/openai/deployments/gpt-4.1/chat/completions", "gpt-4.1", GH_ENDPOINT_CHAT_COMPLETIONS, GH_HUB_CHAT),
        POST("/openai/deployments/m/completions", "m", GH_ENDPOINT_COMPLETIONS, GH_HUB_CHAT),
        POST("/openai/deployments/m/embeddings", "m", GH_ENDPOINT_EMBEDDINGS, GH_HUB_CHAT),
        GET("/v1/models", NULL, GH_URL_MODELS),
        GET("/openai/v1/models", NULL, GH_URL_MODELS),
        GET("/openai/models", NULL, GH_URL_MODELS),
        GET("/v1/models/m", "m", GH_URL_MODEL),
        GET("/v1/models/meta-llama/Llama-3", "meta-llama/Llama-3", GH_URL_MODEL),
        GET("/openai/models/gpt-4.1", "gpt-4.1", GH_URL_MODEL),

        { "POST", "/openai/deployments/m/chat/completions?api-version=2024-10-21", NULL, NULL, GH_URL_CREATE, GH_ENDPOINT_CHAT_COMPLETIONS,
          GH_HUB_CHAT, "m", "api-version=2024-10-21" },
        { "POST", "/v1/chat/completions?", NULL, NULL, GH_URL_CREATE, GH_ENDPOINT_CHAT_COMPLETIONS, GH_HUB_CHAT, NULL, "" },
        { "GET", "/v1/models/meta-llama%2fLlama%2D3?limit=1&x=%2f", "/v1/models/meta-llama/Llama-3", NULL, GH_URL_MODEL, GH_ENDPOINTS, GH_HUB_CHAT,
          "meta-llama/Llama-3", "limit=1&x=%2f" },
        { "POST", "/openai/deployments/a%2Fb%20c/embeddings", "/openai/deployments/a/b c/embeddings", NULL, GH_URL_CREATE, GH_ENDPOINT_EMBEDDINGS,
          GH_HUB_CHAT, "a/b c", "" },
        { "GET", "/v1/models/b%C3%A4r", "/v1/models/b\xc3\xa4r", NULL, GH_URL_MODEL, GH_ENDPOINTS, GH_HUB_CHAT, "b\xc3\xa4r", "" },

        NONE("POST", "", NULL, GH_HUB_CHAT),
        NONE("POST", "/", NULL, GH_HUB_CHAT),
        NONE("POST", "?", NULL, GH_HUB_CHAT),
        NONE("POST", "/v1/", NULL, GH_HUB_CHAT),
        NONE("POST", "/v1/chat/completions/", NULL, GH_HUB_CHAT),
        NONE("POST", "/v1/chat/completionsx", NULL, GH_HUB_CHAT),
        NONE("POST", "/v1/Chat/completions", NULL, GH_HUB_CHAT),
        NONE("POST", "/v1/chat/completion", NULL, GH_HUB_CHAT),
        NONE("GET", "/v1/models/", NULL, GH_HUB_CHAT),
        NONE("POST", "/openai/chat/completions", NULL, GH_HUB_CHAT),
        NONE("POST", "/openai/deployments/", NULL, GH_HUB_CHAT),
        NONE("POST", "/openai/deployments/m", NULL, GH_HUB_CHAT),
        NONE("POST", "/openai/deployments/m/", NULL, GH_HUB_CHAT),
        NONE("POST", "/openai/deployments/a/b/embeddings", NULL, GH_HUB_CHAT),
        NONE("POST", "/openai/deployments/chat/completions/completions", NULL, GH_HUB_CHAT),
        NONE("GET", "/openai/deployments/m/models", NULL, GH_HUB_CHAT),
        NONE("POST", "/anthropic/v1/nothing", NULL, GH_HUB_MESSAGES),

        /* what was sent is not what is served */
        NONE("POST", "/v1/chat%2fcompletions", "/v1/chat/completions", GH_HUB_CHAT),
        NONE("POST", "//v1/chat/completions", "/v1/chat/completions", GH_HUB_CHAT),
        NONE("POST", "/v1/chat/completions", "/v1/embeddings", GH_HUB_CHAT),
        NONE("POST", "/v1/chat/completions", "/v1/chat/completions2", GH_HUB_CHAT),
        NONE("POST", "/openai/deployments/a/embeddings", "/openai/deployments/b/embeddings", GH_HUB_CHAT),
        NONE("POST", "/openai/deployments/a%252Fb/embeddings", "/openai/deployments/a/b/embeddings", GH_HUB_CHAT),
        NONE("GET", "/v1/models/../models/m", "/v1/models/m", GH_HUB_CHAT),
        NONE("GET", "/v1/models/%2e%2e/models/m", "/v1/models/m", GH_HUB_CHAT),
    };
    gh_url_t url;
    size_t   i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const url_case_t *c = &cases[i];
        int               rc = read_url(c->method, c->target, c->served, &url);

        if (c->code != NULL) {
            CHECK_INT(rc, GH_ERROR);
            CHECK_STR(gh_str_from(error.code != NULL ? error.code : ""), c->code);
            CHECK_INT(url.client, c->client);
            continue;
        }
        if (!CHECK_INT(rc, GH_OK)) {
            fprintf(stderr, "    %s: %s\n", c->target, error.text);
            continue;
        }
        CHECK_INT(url.operation, c->operation);
        CHECK_INT(url.endpoint, c->endpoint);
        CHECK_INT(url.client, c->client);
        CHECK(!url.stream);
        CHECK_STR(url.query, c->query);
        CHECK_INT(url.model.data != NULL, c->model != NULL);
        if (c->model != NULL) {
            CHECK_STR(url.model, c->model);
        }
    }
}

static void
test_refused(void)
{
    static const struct { const char *method, *target, *served, *code, *allow; } cases[] = {
        { "GET", "/v1/chat/completions", NULL, "method_not_allowed", "POST" },
        { "post", "/v1/chat/completions", NULL, "method_not_allowed", "POST" },
        { "HEAD", "/v1/models", NULL, "method_not_allowed", "GET" },
        { "DELETE", "/v1/models/m", NULL, "method_not_allowed", "GET" },
        { "GET", "/openai/deployments/m/embeddings?api-version=1", NULL, "method_not_allowed", "POST" },
        { "POST", "/openai/deployments//embeddings", NULL, "invalid_request", "POST" },
        { "POST", "/openai/deployments/%zz/embeddings", NULL, "invalid_request", "POST" },
        { "POST", "/openai/deployments/a%0/embeddings", NULL, "invalid_request", "POST" },
        { "POST", "/openai/deployments/a%0a/embeddings", NULL, "invalid_request", "POST" },
        { "POST", "/openai/deployments/%00/embeddings", NULL, "invalid_request", "POST" },
        { "POST", "/openai/deployments/%7f/embeddings", NULL, "invalid_request", "POST" },
        { "POST", "/openai/deployments/%ff/embeddings", NULL, "invalid_request", "POST" },
        { "GET", "/v1/models/%", NULL, "invalid_request", "GET" },
    };
    static char long_name[1200];
    gh_url_t    url;
    size_t      i, len;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(read_url(cases[i].method, cases[i].target, cases[i].served, &url), GH_ERROR);
        CHECK_STR(gh_str_from(error.code != NULL ? error.code : ""), cases[i].code);
        CHECK_STR(gh_str_from(url.allow), cases[i].allow);
    }

    len = sizeof("/v1/models/") - 1;
    memcpy(long_name, "/v1/models/", len);
    memset(long_name + len, 'a', GH_URL_NAME_MAX);
    CHECK_INT(read_url("GET", long_name, NULL, &url), GH_OK);
    long_name[len + GH_URL_NAME_MAX] = 'a';
    CHECK_INT(read_url("GET", long_name, NULL, &url), GH_ERROR);
    memset(long_name + len, 'a', 3 * GH_URL_NAME_MAX + 1);
    CHECK_INT(read_url("GET", long_name, NULL, &url), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "invalid_request");
}

static void
test_parameters(void)
{
    gh_str_t value;

    CHECK(!gh_url_parameter(GH_STR(""), GH_STR("a"), &value));
    CHECK(!gh_url_parameter(GH_STR("a"), GH_STR("a"), &value));
    CHECK(!gh_url_parameter(GH_STR("&&b=1&"), GH_STR("a"), &value));
    CHECK(!gh_url_parameter(GH_STR("xa=1&ax=2"), GH_STR("a"), &value));
    CHECK(gh_url_parameter(GH_STR("b=1&a=2=3&a=4"), GH_STR("a"), &value));
    CHECK_STR(value, "2=3");
    CHECK(gh_url_parameter(GH_STR("a="), GH_STR("a"), &value));
    CHECK_STR(value, "");
}

/* ---- models ---- */

static const gh_str_t names[] = { { "a", 1 }, { "b\"\x01", 3 }, { "c", 1 }, { "d", 1 } };

static gh_str_t
models(gh_hub_dialect_t client, const char *model, const char *query)
{
    gh_url_t url;
    gh_str_t json = { NULL, 0 };

    memset(&url, 0, sizeof(url));
    memset(&error, 0, sizeof(error));
    url.operation = model != NULL ? GH_URL_MODEL : GH_URL_MODELS;
    url.client = client;
    url.query = gh_str_from(query);
    url.model = gh_str_from(model != NULL ? model : "");
    if (gh_models_write(&heap.arena, &url, names, 4, &json, &error) != GH_OK) {
        return gh_str_from(error.code);
    }
    return json;
}

#define OPENAI_MODEL(name)    "{\"id\":\"" name "\",\"object\":\"model\",\"created\":0,\"owned_by\":\"gatehouse\"}"
#define ANTHROPIC_MODEL(name) "{\"type\":\"model\",\"id\":\"" name "\",\"display_name\":\"" name "\",\"created_at\":\"1970-01-01T00:00:00Z\"}"
#define PAGE(data, more, first, last) "{\"data\":[" data "],\"has_more\":" more ",\"first_id\":" first ",\"last_id\":" last "}"

static void
test_models(void)
{
    static const struct { const char *query, *expected; } pages[] = {
        { "", PAGE(ANTHROPIC_MODEL("a") "," ANTHROPIC_MODEL("b\\\"\\u0001") "," ANTHROPIC_MODEL("c") "," ANTHROPIC_MODEL("d"), "false", "\"a\"", "\"d\"") },
        { "limit=1", PAGE(ANTHROPIC_MODEL("a"), "true", "\"a\"", "\"a\"") },
        { "limit=4", PAGE(ANTHROPIC_MODEL("a") "," ANTHROPIC_MODEL("b\\\"\\u0001") "," ANTHROPIC_MODEL("c") "," ANTHROPIC_MODEL("d"), "false", "\"a\"", "\"d\"") },
        { "after_id=b%22%01&limit=1", "invalid_request" },
        { "after_id=a&limit=2", PAGE(ANTHROPIC_MODEL("b\\\"\\u0001") "," ANTHROPIC_MODEL("c"), "true", "\"b\\\"\\u0001\"", "\"c\"") },
        { "limit=2&after_id=%63", PAGE(ANTHROPIC_MODEL("d"), "false", "\"d\"", "\"d\"") },
        { "after_id=d", PAGE("", "false", "null", "null") },
        { "before_id=d&limit=1", PAGE(ANTHROPIC_MODEL("c"), "true", "\"c\"", "\"c\"") },
        { "before_id=a", PAGE("", "false", "null", "null") },
        { "after_id=c&before_id=a", PAGE("", "false", "null", "null") },
        { "after_id=a&before_id=c", PAGE(ANTHROPIC_MODEL("b\\\"\\u0001"), "false", "\"b\\\"\\u0001\"", "\"b\\\"\\u0001\"") },
        { "after_id=x", "invalid_request" }, { "after_id=", "invalid_request" }, { "limit=0", "invalid_request" }, { "limit=", "invalid_request" },
        { "limit=1001", "invalid_request" }, { "limit=99999999999999999999", "invalid_request" }, { "limit=-1", "invalid_request" },
    };
    gh_heap_t small;
    gh_url_t  url;
    gh_str_t  json;
    size_t    i;

    CHECK_STR(models(GH_HUB_CHAT, NULL, "limit=1"), "{\"object\":\"list\",\"data\":[" OPENAI_MODEL("a") "," OPENAI_MODEL("b\\\"\\u0001") "," OPENAI_MODEL("c") ","
        OPENAI_MODEL("d") "]}");
    CHECK_STR(models(GH_HUB_CHAT, "b\"\x01", ""), OPENAI_MODEL("b\\\"\\u0001"));
    CHECK_STR(models(GH_HUB_MESSAGES, "d", ""), ANTHROPIC_MODEL("d"));
    CHECK_STR(models(GH_HUB_MESSAGES, "dd", ""), "model_not_found");
    CHECK_STR(models(GH_HUB_CHAT, "A", ""), "model_not_found");
    for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        CHECK_STR(models(GH_HUB_MESSAGES, NULL, pages[i].query), pages[i].expected);
    }

    memset(&url, 0, sizeof(url));
    url.operation = GH_URL_MODELS;
    CHECK_INT(gh_models_write(&heap.arena, &url, NULL, 0, &json, &error), GH_OK);
    CHECK_STR(json, "{\"object\":\"list\",\"data\":[]}");
    url.client = GH_HUB_MESSAGES;
    CHECK_INT(gh_models_write(&heap.arena, &url, NULL, 0, &json, &error), GH_OK);
    CHECK_STR(json, PAGE("", "false", "null", "null"));

    gh_heap_init(&small);
    small.limit = 0;
    CHECK_INT(gh_models_write(&small.arena, &url, names, 4, &json, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "no_memory");
    gh_heap_free(&small);
}

/* ---- bodies ---- */

/* The body as it goes to a backend that calls the model "up". */
static gh_str_t
sent(const char *path_model, const char *text, gh_dialect_t dialect)
{
    static char       joined[1024];
    gh_str_t          body = gh_str_from(text), pieces[2 * GH_SPLICE_MAX + 1];
    gh_url_t          url;
    gh_intake_t       intake;
    gh_target_t       target;
    gh_wire_request_t request;
    size_t            len = 0;
    unsigned          i, count;

    memset(&url, 0, sizeof(url));
    memset(&target, 0, sizeof(target));
    memset(&error, 0, sizeof(error));
    url.endpoint = GH_ENDPOINT_EMBEDDINGS;
    url.model = path_model != NULL ? gh_str_from(path_model) : url.model;
    target.dialect = dialect;
    target.upstream_model = GH_STR("up");
    target.api_version = GH_STR("2024-10-21");

    if (gh_intake_parse_url(&heap.arena, &url, body, &intake, &error) != GH_OK
        || gh_dialect_request(&heap.arena, &target, &intake, GH_STR(""), false, 0, &request, &error) != GH_OK)
    {
        return gh_str_from(error.code);
    }

    CHECK_STR(intake.model, path_model != NULL ? path_model : "m");
    CHECK_INT(intake.model_in_path, path_model != NULL);
    count = gh_splice_pieces(&request.splice, body, pieces);
    for (i = 0; i < count; i++) {
        memcpy(joined + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }
    CHECK_INT(len, gh_splice_length(&request.splice, body));

    return (gh_str_t) { joined, len };
}

static void
test_bodies(void)
{
    CHECK_STR(sent(NULL, "{\"model\":\"m\",\"input\":\"x\"}", GH_DIALECT_OPENAI), "{\"model\":\"up\",\"input\":\"x\"}");
    CHECK_STR(sent(NULL, "{\"input\":\"x\"}", GH_DIALECT_OPENAI), "invalid_request");
    CHECK_STR(sent("m", "{\"input\":\"x\"}", GH_DIALECT_OPENAI), "{\"model\":\"up\",\"input\":\"x\"}");
    CHECK_STR(sent("m", " { \"input\":\"x\"}", GH_DIALECT_AZURE_CLASSIC), " {\"model\":\"up\", \"input\":\"x\"}");
    CHECK_STR(sent("m", "{\"input\":\"x\",\"model\":\"other\"}", GH_DIALECT_OPENAI), "{\"input\":\"x\",\"model\":\"up\"}");
    CHECK_STR(sent("up", "{\"input\":\"x\",\"model\":\"other\"}", GH_DIALECT_OPENAI), "{\"input\":\"x\",\"model\":\"up\"}");
    CHECK_STR(sent("up", "{\"input\":\"x\"}", GH_DIALECT_AZURE_V1), "{\"model\":\"up\",\"input\":\"x\"}");
    CHECK_STR(sent("m", "{}", GH_DIALECT_OPENAI), "invalid_request");
    CHECK_STR(sent("m", "{ \n\t}", GH_DIALECT_OPENAI), "invalid_request");
    CHECK_STR(sent("m", "{\"input\":\"x\",\"model\":7}", GH_DIALECT_OPENAI), "invalid_request");
}

int
main(void)
{
    gh_heap_init(&heap);
    test_urls();
    test_refused();
    test_parameters();
    test_models();
    test_bodies();
    gh_heap_free(&heap);

    return check_done("wire_url");
}
