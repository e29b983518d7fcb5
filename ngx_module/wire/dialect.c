#include "ngx_module/wire/dialect.h"

#include <string.h>

#include "policy/base/json_writer.h"

#define USAGE_MEMBER "\"stream_options\":{\"include_usage\":true},"
#define STORE_MEMBER "\"store\":false,"

static const gh_dialect_row_t *const dialects[GH_DIALECTS] = {
#define D(name, word, row, traits, endpoints) &gh_dialect_##row,
    GH_DIALECT_ROWS(D)
#undef D
};

gh_str_t
gh_dialect_openai_endpoint(gh_arena_t *arena, const char *prefix, gh_endpoint_t endpoint, gh_error_t *error)
{
    static const char *const paths[GH_ENDPOINTS] = {
#define E(name, word, api, client, form, open, fields, mounts, path, stream, traits, to) path,
        GH_ENDPOINT_ROWS(E)
#undef E
    };
    gh_str_t path = { NULL, 0 };

    if (strcmp(gh_endpoint_dialect(endpoint), "openai") != 0) {
        gh_error_set(error, "bad_gateway", "the target's dialect has no such endpoint");
        return path;
    }

    path = gh_str_join(arena, (const gh_str_t[]) { gh_str_from(prefix), gh_str_from(paths[endpoint]) }, 2);
    if (path.data == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
    }
    return path;
}

bool
gh_dialect_yes(const gh_target_t *target)
{
    (void) target;
    return true;
}

bool
gh_dialect_no(const gh_target_t *target)
{
    (void) target;
    return false;
}

gh_str_t
gh_dialect_segment(gh_arena_t *arena, gh_str_t name, gh_error_t *error)
{
    gh_str_t out = { NULL, 0 };

    if (name.len == 0 || gh_str_is(name, ".") || gh_str_is(name, "..")) {
        gh_error_set(error, "bad_gateway", "a name of the target cannot stand in a path");
        return out;
    }

    out = gh_dialect_escape(arena, name);
    if (out.data == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
    }

    return out;
}

gh_str_t
gh_dialect_escape(gh_arena_t *arena, gh_str_t text)
{
    static const char digits[] = "0123456789ABCDEF";
    char             *p = gh_arena_alloc(arena, text.len * 3 + 1);
    gh_str_t          out = { p, 0 };
    size_t            i;

    for (i = 0; p != NULL && i < text.len; i++) {
        unsigned char c = (unsigned char) text.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
            || c == '-' || c == '.' || c == '_' || c == '~')
        {
            *p++ = (char) c;
        } else {
            *p++ = '%';
            *p++ = digits[c >> 4];
            *p++ = digits[c & 15];
        }
    }

    out.len = p != NULL ? (size_t) (p - out.data) : 0;
    return out;
}

/* Keeps the edits ascending; they never overlap, being different fields. */
static void
splice_add(gh_splice_t *splice, size_t offset, size_t length, gh_str_t text)
{
    unsigned i = splice->count++;

    for (; i > 0 && splice->edit[i - 1].offset > offset; i--) {
        splice->edit[i] = splice->edit[i - 1];
    }

    splice->edit[i] = (gh_splice_edit_t) { offset, length, text };
}

static int
splice_model(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t model, gh_splice_t *splice, gh_error_t *error)
{
    static const char member[] = "\"model\":";
    gh_json_writer_t  w;
    size_t            size = sizeof(member) + model.len * 6 + 2, head = 0;
    char             *text;

    if (gh_str_eq(model, intake->model) && !intake->model_in_path) {
        return GH_OK;
    }

    text = gh_arena_alloc(arena, size);
    if (text == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    if (intake->model_value.length == 0) {
        head = sizeof(member) - 1;
        memcpy(text, member, head);
    }

    gh_json_writer_init(&w, text + head, size - head - 1);
    gh_json_string(&w, model);
    if (!gh_json_writer_ok(&w)) {
        return gh_error_set(error, "bad_gateway", "the target's model name cannot be written");
    }

    if (head == 0) {
        splice_add(splice, intake->model_value.offset, intake->model_value.length, (gh_str_t) { text, w.len });
    } else {
        text[head + w.len] = ',';
        splice_add(splice, intake->object_begin + 1, 0, (gh_str_t) { text, head + w.len + 1 });
    }

    return GH_OK;
}

/* true: stream_options is absent and has to be inserted. */
static bool
splice_usage(const gh_intake_t *intake, gh_splice_t *splice)
{
    if (!intake->stream || intake->include_usage) {
        return false;
    }

    if (intake->stream_options.length == 0) {
        return true;
    }

    if (intake->stream_options.end == 0) {
        splice_add(splice, intake->stream_options.offset, intake->stream_options.length,
            GH_STR("{\"include_usage\":true}"));   /* it was null */
    } else if (intake->include_usage_value.length != 0) {
        splice_add(splice, intake->include_usage_value.offset, intake->include_usage_value.length, GH_STR("true"));
    } else {
        splice_add(splice, intake->stream_options.end, 0,
            intake->stream_options.empty ? GH_STR("\"include_usage\":true") : GH_STR(",\"include_usage\":true"));
    }

    return false;
}

/* true: store is absent and has to be inserted. */
static bool
splice_store(const gh_intake_t *intake, gh_splice_t *splice)
{
    if (intake->store_value.length == 0) {
        return true;
    }

    /* "false" is the only value of five bytes: true and null have four */
    if (intake->store_value.length != 5) {
        splice_add(splice, intake->store_value.offset, intake->store_value.length, GH_STR("false"));
    }

    return false;
}

/* Converse has its most tokens in an object, which may be absent, null or empty. */
static int
splice_inference(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t number, gh_splice_t *splice, gh_error_t *error)
{
    const gh_intake_object_t  *config = &intake->inference;
    const gh_intake_maximum_t *maximum = &intake->maxima[GH_MAX_TOKENS];
    size_t                     offset, length = 0;
    gh_str_t                   text;

    if (maximum->length != 0) {
        splice_add(splice, maximum->offset, maximum->length, number);   /* it was null */
        return GH_OK;
    }

    if (config->length == 0) {
        offset = intake->object_begin + 1;
        text = gh_str_format(arena, "\"inferenceConfig\":{\"maxTokens\":%.*s},", GH_STR_ARG(number));
    } else if (config->end == 0) {
        offset = config->offset;
        length = config->length;
        text = gh_str_format(arena, "{\"maxTokens\":%.*s}", GH_STR_ARG(number));
    } else {
        offset = config->end;
        text = gh_str_format(arena, "%s\"maxTokens\":%.*s", config->empty ? "" : ",", GH_STR_ARG(number));
    }

    if (text.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    splice_add(splice, offset, length, text);

    return GH_OK;
}

/*
 * The most tokens of a choice. *added: the name of the field that has to be inserted, NULL: none. Whether a maximum is left that every backend obeys
 * is asked of what the body will say.
 */
static int
splice_cap(gh_arena_t *arena, const gh_dialect_row_t *row, const gh_target_t *target, const gh_intake_t *intake, uint64_t cap,
    gh_splice_t *splice, gh_str_t *number, const char **added, gh_error_t *error)
{
    static const char *const   names[GH_MAXIMA] = { "max_tokens", "max_completion_tokens", "n_predict", "max_output_tokens" };
    const gh_intake_maximum_t *maxima = intake->maxima;
    unsigned                   name = GH_MAX_TOKENS, i;
    bool                       obeyed = false;

    *added = NULL;

    if (cap == 0 || gh_endpoint_is(intake->endpoint, GH_IS_EMBEDS | GH_IS_COUNTS)) {
        return GH_OK;
    }

    *number = gh_str_format(arena, "%llu", (unsigned long long) cap);
    if (number->data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    for (i = 0; i < GH_MAXIMA; i++) {
        if (maxima[i].unlimited || maxima[i].tokens > cap) {
            splice_add(splice, maxima[i].offset, maxima[i].length, *number);
        }
        obeyed |= i != GH_N_PREDICT && maxima[i].length != 0 && !maxima[i].null;
    }

    if (obeyed) {
        return GH_OK;
    }

    if (gh_endpoint_is(intake->endpoint, GH_IS_MAX_COMPLETION) && row->knows_max_completion(target)) {
        name = GH_MAX_COMPLETION_TOKENS;
    } else if (gh_endpoint_is(intake->endpoint, GH_IS_MAX_OUTPUT)) {
        name = GH_MAX_OUTPUT_TOKENS;
    }

    if (gh_endpoint_is(intake->endpoint, GH_IS_MAX_INFERENCE)) {
        return splice_inference(arena, intake, *number, splice, error);
    }

    if (gh_endpoint_is(intake->endpoint, GH_IS_MODEL_IN_PATH)) {
        return gh_error_set(error, "bad_gateway", "the most tokens of an answer cannot be written into such a body");
    }

    if (maxima[name].length != 0) {
        splice_add(splice, maxima[name].offset, maxima[name].length, *number);   /* it was null */
    } else {
        *added = names[name];
    }

    return GH_OK;
}

/*
 * Where it is run: what the target's deployment says. The client's own narrows and is taken out. Behind all insertions at the same place, so that they
 * come before what is cut.
 */
static int
splice_geo(gh_arena_t *arena, const gh_target_t *target, const gh_intake_t *intake, gh_splice_t *splice, gh_error_t *error)
{
    bool     own = target->inference_geo.len != 0 && gh_endpoint_is(intake->endpoint, GH_IS_PLACED), given = intake->geo_value.length != 0;
    gh_str_t text;

    if (!own) {
        if (given) {
            splice_add(splice, intake->geo_member.offset, intake->geo_member.length, GH_STR(""));
        }
        return GH_OK;
    }

    text = gh_str_format(arena, given ? "\"%.*s\"" : "\"inference_geo\":\"%.*s\",", GH_STR_ARG(target->inference_geo));
    if (text.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    splice_add(splice, given ? intake->geo_value.offset : intake->object_begin + 1, given ? intake->geo_value.length : 0, text);

    return GH_OK;
}

static int
dialect_splice(gh_arena_t *arena, const gh_dialect_row_t *row, const gh_target_t *target, const gh_intake_t *intake,
    bool store_false, uint64_t output_cap, gh_splice_t *splice, gh_error_t *error)
{
    static const char *const insertions[4] = {
        "", USAGE_MEMBER, STORE_MEMBER, USAGE_MEMBER STORE_MEMBER
    };
    const char *maximum;
    gh_str_t    number, text;
    unsigned    insert = 0;

    splice->count = 0;

    if (splice_cap(arena, row, target, intake, output_cap, splice, &number, &maximum, error) != GH_OK) {
        return GH_ERROR;
    }

    if (gh_endpoint_is(intake->endpoint, GH_IS_USAGE_ASKED) && row->knows_usage(target) && splice_usage(intake, splice)) {
        insert |= 1;
    }

    /* responses are kept unless the body says otherwise, wherever there are any */
    if (store_false && gh_endpoint_is(intake->endpoint, GH_IS_STORES)
        && splice_store(intake, splice) && (gh_endpoint_is(intake->endpoint, GH_IS_KEEPS) || row->knows_store(target)))
    {
        insert |= 2;
    }

    text = gh_str_from(insertions[insert]);
    if (maximum != NULL) {
        text = gh_str_format(arena, "\"%s\":%.*s,%s", maximum, GH_STR_ARG(number), insertions[insert]);
        if (text.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
    }

    if (text.len != 0) {
        /* the object is not empty, the intake saw to it: a comma behind is right */
        splice_add(splice, intake->object_begin + 1, 0, text);
    }

    if (!gh_endpoint_is(intake->endpoint, GH_IS_MODEL_IN_PATH) && splice_model(arena, intake, target->upstream_model, splice, error) != GH_OK) {
        return GH_ERROR;
    }

    return splice_geo(arena, target, intake, splice, error);
}

int
gh_dialect_address(gh_arena_t *arena, const gh_target_t *target, gh_endpoint_t endpoint, bool stream, gh_str_t base_path, gh_wire_request_t *out,
    gh_error_t *error)
{
    const gh_dialect_row_t *row;
    gh_str_t                path;

    if ((unsigned) target->dialect >= GH_DIALECTS || (unsigned) endpoint >= GH_ENDPOINTS || target->upstream_model.len == 0) {
        return gh_error_set(error, "bad_gateway", "a target without a dialect, an endpoint or a model");
    }

    row = dialects[target->dialect];
    path = row->path(arena, target, endpoint, stream, error);
    if (path.data == NULL) {
        return GH_ERROR;
    }

    while (base_path.len != 0 && base_path.data[base_path.len - 1] == '/') {
        base_path.len--;
    }

    if (base_path.len != 0) {
        path = gh_str_join(arena, (const gh_str_t[]) { base_path, path }, 2);
        if (path.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
    }

    out->method = gh_operation_methods[GH_OPERATION_CREATE];
    out->path = path;
    out->credential_header = gh_str_from(row->credential_header);
    out->credential_prefix = gh_str_from(row->credential_prefix);
    out->version_header = gh_str_from(row->version.name ? row->version.name : "");
    out->version_value = gh_str_from(row->version.value ? row->version.value : "");
    out->knows_store = row->knows_store(target);
    out->knows_max_completion = row->knows_max_completion(target);
    out->splice.count = 0;

    return GH_OK;
}

int
gh_dialect_request(gh_arena_t *arena, const gh_target_t *target, const gh_intake_t *intake,
    gh_str_t base_path, bool store_false, uint64_t output_cap, gh_wire_request_t *out, gh_error_t *error)
{
    if (intake->model.len == 0) {
        return gh_error_set(error, "bad_gateway", "a request without a model");
    }

    if (gh_dialect_address(arena, target, intake->endpoint, intake->stream, base_path, out, error) != GH_OK) {
        return GH_ERROR;
    }

    if (intake->operation != GH_OPERATION_CREATE) {
        return gh_dialect_kept(arena, intake, out, error);
    }

    return dialect_splice(arena, dialects[target->dialect], target, intake, store_false, output_cap, &out->splice, error);
}

/*
 * Neither x-ratelimit-*, which say what the provider's account has left and not what the client has, nor names of backends and deployments
 * (x-ms-deployment-name, server, set-cookie), nor anything nginx acts on (x-accel-*), nor hop-by-hop headers and lengths, which the shell
 * makes itself.
 */
bool
gh_dialect_response_header(gh_dialect_t dialect, gh_str_t name)
{
    static const char *const of_bedrock[] = {
        "x-amzn-bedrock-service-tier", "x-amzn-bedrock-performanceconfig-latency", "x-amzn-bedrock-invocation-latency",
        "x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count", "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
    };
    static const char *const passed[] = {
        "content-type", "retry-after", "retry-after-ms", "x-should-retry",
        "openai-processing-ms", "openai-version", "openai-model",
    };
    size_t i;

    for (i = 0; gh_dialect_is(dialect, GH_HOST_CATALOGUE) && i < sizeof(of_bedrock) / sizeof(of_bedrock[0]); i++) {
        if (gh_str_eq_nocase(name, gh_str_from(of_bedrock[i]))) {
            return true;
        }
    }

    for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        if (gh_str_eq_nocase(name, gh_str_from(passed[i]))) {
            return true;
        }
    }

    return false;
}
