#include "ngx_module/wire/hub/embeddings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "ngx_module/wire/hub/dialect.h"
#include "policy/base/base64.h"

#define DIMENSIONS_MAX 5
#define VECTOR_MAX     8192    /* numbers of one vector */
#define NUMBER_MAX     64      /* bytes of one */
#define TOKENS_MAX     (UINT64_C(1) << 40)

/* What a model can be asked. */
static const struct {
    const char *name;
    uint32_t    texts;                          /* at most, a request */
    uint32_t    dimensions[DIMENSIONS_MAX];     /* that may be asked for, up to a 0 */
    bool        says_dimensions;                /* in its body; else it has only that one */
    bool        cohere;
} models[GH_BEDROCK_MODELS] = {
    [GH_BEDROCK_TITAN_V1] = { "amazon.titan-embed-text-v1", 1, { 1536 }, false, false },
    [GH_BEDROCK_TITAN_V2] = { "amazon.titan-embed-text-v2", 1, { 256, 512, 1024 }, true, false },
    [GH_BEDROCK_COHERE_V3] = { "cohere.embed-english-v3, cohere.embed-multilingual-v3", 96, { 1024 }, false, true },
    [GH_BEDROCK_COHERE_V4] = { "cohere.embed-v4", 96, { 256, 512, 1024, 1536 }, true, true },
};

/* Cohere's words, and those that open models' servers have for the same. */
static const struct {
    const char *said, *cohere;
} input_types[] = {
    { "search_document", "search_document" }, { "search_query", "search_query" }, { "classification", "classification" },
    { "clustering", "clustering" }, { "passage", "search_document" }, { "query", "search_query" },
};

/* ---- requests, read ---- */

static int
text_add(gh_hub_reader_t *r, gh_embed_request_t *request)
{
    gh_str_t *grown;
    uint32_t  size;

    if (request->count == request->size) {
        size = request->size != 0 ? request->size * 2 : 4;
        grown = gh_arena_grow(r->arena, request->texts, request->count, size, sizeof(*grown));
        if (grown == NULL) {
            return gh_hub_no_memory(r);
        }
        request->texts = grown;
        request->size = size;
    }

    return gh_hub_string(r, &request->texts[request->count++]);
}

static int
read_input(gh_hub_reader_t *r, void *object)
{
    gh_embed_request_t *request = object;
    gh_str_t            raw;
    int                 status;

    request->input_at = r->json.token_offset;
    if (r->json.event == GH_JSON_STRING) {
        return text_add(r, request);
    }
    if (r->json.event != GH_JSON_ARRAY_BEGIN) {
        return gh_hub_invalid(r, "must be a string or an array");
    }

    while (gh_hub_element(r, &status)) {
        if (r->json.event == GH_JSON_STRING) {
            if (text_add(r, request) != GH_OK) {
                return GH_ERROR;
            }
        } else if (r->json.event == GH_JSON_NUMBER || r->json.event == GH_JSON_ARRAY_BEGIN) {
            request->tokens = true;
            if (gh_hub_raw(r, &raw) != GH_OK) {
                return GH_ERROR;
            }
        } else {
            return gh_hub_invalid(r, "must be a string");
        }
    }

    return status;
}

static int
read_dimensions(gh_hub_reader_t *r, void *object)
{
    gh_embed_request_t *request = object;

    request->dimensions_at = r->json.token_offset;
    return r->json.event == GH_JSON_NUMBER && gh_json_token_u64(&r->json, &request->dimensions) == GH_OK && request->dimensions != 0
        ? GH_OK : gh_hub_invalid(r, "must be a number above 0");
}

static int
read_format(gh_hub_reader_t *r, void *object)
{
    gh_embed_request_t *request = object;
    gh_str_t            format;

    if (gh_hub_string(r, &format) != GH_OK) {
        return GH_ERROR;
    }

    request->base64 = gh_hub_is(format, "base64");
    return request->base64 || gh_hub_is(format, "float") ? GH_OK : gh_hub_invalid(r, "must be \"float\" or \"base64\"");
}

static int
read_input_type(gh_hub_reader_t *r, void *object)
{
    gh_embed_request_t *request = object;

    request->input_type_at = r->json.token_offset;
    return gh_hub_string(r, &request->input_type);
}

static const gh_hub_field_t body_fields[] = {
    GH_HUB_SKIPS("model"),
    GH_HUB_READS("input", read_input),
    GH_HUB_READS("dimensions", read_dimensions),
    GH_HUB_READS("encoding_format", read_format),
    GH_HUB_READS("input_type", read_input_type),
    GH_HUB_SKIPS("user"),
};

int
gh_embed_request_read(gh_arena_t *arena, gh_str_t body, gh_embed_request_t *request, gh_error_t *error)
{
    gh_hub_reader_t  r;
    gh_hub_request_t noted;

    memset(request, 0, sizeof(*request));
    memset(&noted, 0, sizeof(noted));
    memset(&r, 0, sizeof(r));
    request->body = body;
    r.body = body;
    r.arena = arena;
    r.request = &noted;
    r.error = error;
    r.invalid = "invalid_request";
    gh_json_reader_init(&r.json, body, 0);

    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(&r, "the body must be a JSON object");
    }
    if (GH_HUB_OBJECT(&r, body_fields, request) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_json_next(&r.json) != GH_JSON_END) {
        return gh_hub_invalid(&r, "");
    }
    if (request->count == 0 && !request->tokens) {
        return gh_error_set(error, "invalid_request", "input is missing: it must be a string, or an array that is not empty");
    }

    request->unknown = gh_hub_asks(&noted, GH_ASK_UNKNOWN);
    request->unknown_at = noted.where[GH_ASK_UNKNOWN];
    return GH_OK;
}

/* ---- what can be asked ---- */

static const char *
cohere_type(gh_str_t input_type)
{
    size_t i;

    for (i = 0; i < sizeof(input_types) / sizeof(input_types[0]); i++) {
        if (gh_hub_is(input_type, input_types[i].said)) {
            return input_types[i].cohere;
        }
    }

    return NULL;
}

static bool
has_dimensions(gh_bedrock_model_t model, uint64_t dimensions)
{
    unsigned i;

    for (i = 0; i < DIMENSIONS_MAX && models[model].dimensions[i] != 0; i++) {
        if (models[model].dimensions[i] == dimensions) {
            return true;
        }
    }

    return false;
}

int
gh_embed_express(const gh_embed_request_t *request, gh_bedrock_model_t model, char *path, size_t size, gh_error_t *error)
{
    const char *what;
    size_t      at = request->input_at, len;
    char        text[256];

    if (!gh_bedrock_embeds(model)) {
        what = "has no embeddings";
    } else if (request->unknown) {
        what = "has no such field";
        at = request->unknown_at;
    } else if (request->tokens) {
        what = "takes texts, not ids of tokens";
    } else if (request->count > models[model].texts) {
        what = models[model].texts == 1 ? "takes one text a request" : "takes 96 texts a request";
    } else if (request->dimensions != 0 && !has_dimensions(model, request->dimensions)) {
        what = "has no vectors of that length";
        at = request->dimensions_at;
    } else if (models[model].cohere && request->input_type.data != NULL && cohere_type(request->input_type) == NULL) {
        what = "does not know that type of input";
        at = request->input_type_at;
    } else {
        return GH_OK;
    }

    len = gh_hub_path(request->body, at, text, sizeof(text));
    if (path != NULL && size != 0) {
        snprintf(path, size, "%.*s", (int) len, text);
    }

    return gh_error_set(error, "not_expressible", "%.*s: the model %s", (int) len, text, what);
}

int
gh_embed_request_write(gh_arena_t *arena, const gh_embed_request_t *request, gh_bedrock_model_t model, gh_str_t *body, gh_error_t *error)
{
    const char  *type = request->input_type.data != NULL ? cohere_type(request->input_type) : "search_document";
    gh_hub_put_t p;
    uint32_t     i;

    if (gh_embed_express(request, model, NULL, 0, error) != GH_OK) {
        return GH_ERROR;
    }

    gh_hub_put_init(&p, arena, request->body.len + 256, SIZE_MAX / 4);
    gh_hub_put_open(&p, '{');
    if (models[model].cohere) {
        gh_hub_put_key(&p, "texts");
        gh_hub_put_open(&p, '[');
        for (i = 0; i < request->count; i++) {
            gh_hub_put_string(&p, request->texts[i]);
        }
        gh_hub_put_close(&p, ']');
        gh_hub_put_kv_string(&p, "input_type", gh_str_from(type));
        GH_HUB_PUT(&p, ",\"embedding_types\":[\"float\"]");
    } else {
        gh_hub_put_kv_string(&p, "inputText", request->texts[0]);
    }
    if (request->dimensions != 0 && models[model].says_dimensions) {
        gh_hub_put_kv_u64(&p, models[model].cohere ? "output_dimension" : "dimensions", request->dimensions);
    }
    gh_hub_put_close(&p, '}');

    if (p.failed) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    *body = (gh_str_t) { p.data, p.len };
    return GH_OK;
}

/* ---- answers ---- */

typedef struct {
    gh_str_t *vectors;         /* raw arrays of numbers */
    uint32_t  count, size;
    uint64_t  tokens;
    bool      counted;
} answer_t;

/* An array of numbers whose beginning has been read. */
static int
read_vector(gh_hub_reader_t *r, void *object)
{
    answer_t   *answer = object;
    const char *begin = r->body.data + r->json.token_offset;
    unsigned    numbers = 0;
    int         status;

    if (answer->count == answer->size || gh_hub_array(r) != GH_OK) {
        return gh_hub_invalid(r, "must be one vector for each text");
    }

    while (gh_hub_element(r, &status)) {
        if (r->json.event != GH_JSON_NUMBER || r->json.token.len >= NUMBER_MAX || ++numbers > VECTOR_MAX) {
            return gh_hub_invalid(r, "must be a vector of numbers");
        }
    }

    answer->vectors[answer->count++] = (gh_str_t) { begin, (size_t) (r->body.data + r->json.token_end - begin) };
    return status;
}

static int
read_vectors(gh_hub_reader_t *r, void *object)
{
    int status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }
    while (gh_hub_element(r, &status)) {
        if (r->json.event != GH_JSON_ARRAY_BEGIN || read_vector(r, object) != GH_OK) {
            return gh_hub_invalid(r, "must be a vector of numbers");
        }
    }

    return status;
}

static const gh_hub_field_t by_type_fields[] = {
    GH_HUB_READS("float", read_vectors),
};

/* Cohere's: vectors, or an object of them by type. */
static int
read_embeddings(gh_hub_reader_t *r, void *object)
{
    return r->json.event == GH_JSON_OBJECT_BEGIN ? GH_HUB_OBJECT(r, by_type_fields, object) : read_vectors(r, object);
}

static int
read_tokens(gh_hub_reader_t *r, void *object)
{
    answer_t *answer = object;

    answer->counted = r->json.event == GH_JSON_NUMBER && gh_json_token_u64(&r->json, &answer->tokens) == GH_OK && answer->tokens <= TOKENS_MAX;
    return answer->counted ? GH_OK : gh_hub_invalid(r, "must be a number");
}

static const gh_hub_field_t titan_fields[] = {
    GH_HUB_READS("embedding", read_vector),
    GH_HUB_READS("inputTextTokenCount", read_tokens),
};

static const gh_hub_field_t cohere_fields[] = {
    GH_HUB_READS("embeddings", read_embeddings),
};

static int
answer_read(gh_arena_t *arena, const gh_embed_request_t *request, gh_bedrock_model_t model, gh_str_t text, answer_t *answer, gh_error_t *error)
{
    gh_hub_reader_t  r;
    gh_hub_request_t unused;
    int              rc;

    memset(answer, 0, sizeof(*answer));
    memset(&unused, 0, sizeof(unused));
    memset(&r, 0, sizeof(r));
    answer->size = request->count;
    answer->vectors = gh_arena_array(arena, request->count, sizeof(gh_str_t));
    if (answer->vectors == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    r.body = text;
    r.arena = arena;
    r.request = &unused;
    r.error = error;
    r.invalid = "bad_answer";
    gh_json_reader_init(&r.json, text, 0);
    if (gh_json_next(&r.json) != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(&r, "the answer must be a JSON object");
    }

    rc = models[model].cohere ? GH_HUB_OBJECT(&r, cohere_fields, answer) : GH_HUB_OBJECT(&r, titan_fields, answer);
    if (rc != GH_OK) {
        return GH_ERROR;
    }
    if (gh_json_next(&r.json) != GH_JSON_END) {
        return gh_hub_invalid(&r, "");
    }

    return answer->count == request->count ? GH_OK
        : gh_error_set(error, "bad_answer", "%u vectors for %u texts", (unsigned) answer->count, (unsigned) request->count);
}

/* Numbers of a raw array, which was read before, as little-endian 32-bit floats in base64. */
static bool
put_base64(gh_arena_t *arena, gh_hub_put_t *p, gh_str_t raw)
{
    gh_json_reader_t r;
    unsigned char   *bytes = gh_arena_alloc(arena, raw.len * 2 + 4);   /* a number has a comma behind it */
    char             number[NUMBER_MAX];
    size_t           len = 0;

    if (bytes == NULL) {
        return false;
    }

    gh_json_reader_init(&r, raw, 0);
    gh_json_next(&r);
    while (gh_json_next(&r) == GH_JSON_NUMBER) {
        float    value;
        uint32_t bits;

        memcpy(number, r.token.data, r.token.len);
        number[r.token.len] = '\0';
        value = strtof(number, NULL);
        memcpy(&bits, &value, sizeof(bits));
        for (unsigned i = 0; i < 4; i++) {
            bytes[len++] = (unsigned char) (bits >> (8 * i));
        }
    }

    GH_HUB_PUT(p, "\"");
    if (gh_hub_put_room(p, GH_BASE64_LENGTH(len))) {
        p->len += gh_base64(bytes, len, p->data + p->len);
    }
    GH_HUB_PUT(p, "\"");
    return true;
}

int
gh_embed_answer(gh_arena_t *arena, const gh_embed_request_t *request, gh_bedrock_model_t model, gh_str_t text, uint64_t input_tokens, gh_str_t name,
    gh_str_t *body, gh_usage_t *usage, gh_error_t *error)
{
    gh_hub_put_t p;
    answer_t     answer;
    uint32_t     i;

    memset(usage, 0, sizeof(*usage));
    if (answer_read(arena, request, model, text, &answer, error) != GH_OK) {
        return GH_ERROR;
    }

    input_tokens = input_tokens <= TOKENS_MAX ? input_tokens : 0;
    usage->reported = answer.counted || input_tokens != 0;
    usage->input = answer.counted ? answer.tokens : input_tokens;

    gh_hub_put_init(&p, arena, text.len + answer.count * 64 + name.len * 6 + 256, SIZE_MAX / 4);
    GH_HUB_PUT(&p, "{\"object\":\"list\",\"data\":[");
    for (i = 0; i < answer.count; i++) {
        gh_hub_put_open(&p, '{');
        GH_HUB_PUT(&p, "\"object\":\"embedding\"");
        gh_hub_put_kv_u64(&p, "index", i);
        gh_hub_put_key(&p, "embedding");
        if (!request->base64) {
            gh_hub_put_raw(&p, answer.vectors[i]);
        } else if (!put_base64(arena, &p, answer.vectors[i])) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        gh_hub_put_close(&p, '}');
    }
    GH_HUB_PUT(&p, "]");
    gh_hub_put_kv_text(&p, "model", name);
    GH_HUB_PUT(&p, ",\"usage\":{");
    gh_hub_put_kv_u64(&p, "prompt_tokens", usage->input);
    gh_hub_put_kv_u64(&p, "total_tokens", usage->input);
    GH_HUB_PUT(&p, "}}");

    if (p.failed) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    *body = (gh_str_t) { p.data, p.len };
    return GH_OK;
}

size_t
gh_embed_table(char *buffer, size_t size)
{
    size_t   len = 0;
    unsigned model, i;

    gh_hub_append(buffer, size, &len, "| model | texts a request | `dimensions` | `input_type` |\n|---|---|---|---|\n");
    for (model = 0; model < GH_BEDROCK_MODELS; model++) {
        if (models[model].name == NULL) {
            continue;
        }
        gh_hub_append(buffer, size, &len, "| %s | %u |", models[model].name, (unsigned) models[model].texts);
        for (i = 0; i < DIMENSIONS_MAX && models[model].dimensions[i] != 0; i++) {
            gh_hub_append(buffer, size, &len, "%s %u", i != 0 ? "," : "", (unsigned) models[model].dimensions[i]);
        }
        gh_hub_append(buffer, size, &len, " | %s |\n", models[model].cohere ? "search_document (when not said), search_query, classification, clustering; passage, query" : "dropped");
    }

    return len;
}
