#include "ngx_module/wire/dialect.h"

#include <string.h>

#include "policy/base/json_writer.h"

#define USAGE_MEMBER "\"stream_options\":{\"include_usage\":true},"
#define STORE_MEMBER "\"store\":false,"

static const gh_dialect_row_t *const dialects[GH_DIALECTS] = {
    [GH_DIALECT_OPENAI] = &gh_dialect_openai,
    [GH_DIALECT_AZURE_V1] = &gh_dialect_azure_v1,
    [GH_DIALECT_AZURE_CLASSIC] = &gh_dialect_azure_classic,
    [GH_DIALECT_BEDROCK_OPENAI] = &gh_dialect_bedrock_openai,
};

const char *const gh_dialect_endpoint_paths[GH_ENDPOINTS] = {
    [GH_ENDPOINT_CHAT_COMPLETIONS] = "chat/completions",
    [GH_ENDPOINT_COMPLETIONS] = "completions",
    [GH_ENDPOINT_EMBEDDINGS] = "embeddings",
};

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
    static const char digits[] = "0123456789ABCDEF";
    gh_str_t          out = { NULL, 0 };
    char             *p;
    size_t            i;

    if (name.len == 0 || gh_str_is(name, ".") || gh_str_is(name, "..")) {
        gh_error_set(error, "bad_gateway", "a name of the target cannot stand in a path");
        return out;
    }

    p = gh_arena_alloc(arena, name.len * 3);
    if (p == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
        return out;
    }
    out.data = p;

    for (i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char) name.data[i];

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

    out.len = (size_t) (p - out.data);
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
    gh_json_writer_t w;
    size_t           size = model.len * 6 + 2;
    char            *text;

    if (gh_str_eq(model, intake->model)) {
        return GH_OK;
    }

    text = gh_arena_alloc(arena, size);
    if (text == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    gh_json_writer_init(&w, text, size);
    gh_json_string(&w, model);
    if (!gh_json_writer_ok(&w)) {
        return gh_error_set(error, "bad_gateway", "the target's model name cannot be written");
    }

    splice_add(splice, intake->model_value.offset, intake->model_value.length, (gh_str_t) { text, w.len });
    return GH_OK;
}

/* true: stream_options is absent and has to be inserted. */
static bool
splice_usage(const gh_intake_t *intake, gh_splice_t *splice)
{
    if (!intake->stream || intake->include_usage) {
        return false;
    }

    if (intake->stream_options_value.length == 0) {
        return true;
    }

    if (intake->stream_options_end == 0) {
        splice_add(splice, intake->stream_options_value.offset, intake->stream_options_value.length,
            GH_STR("{\"include_usage\":true}"));   /* it was null */
    } else if (intake->include_usage_value.length != 0) {
        splice_add(splice, intake->include_usage_value.offset, intake->include_usage_value.length, GH_STR("true"));
    } else {
        splice_add(splice, intake->stream_options_end, 0,
            intake->stream_options_empty ? GH_STR("\"include_usage\":true") : GH_STR(",\"include_usage\":true"));
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

static int
dialect_splice(gh_arena_t *arena, const gh_dialect_row_t *row, const gh_target_t *target, const gh_intake_t *intake,
    bool store_false, gh_splice_t *splice, gh_error_t *error)
{
    static const char *const insertions[4] = {
        "", USAGE_MEMBER, STORE_MEMBER, USAGE_MEMBER STORE_MEMBER
    };
    unsigned insert = 0;

    splice->count = 0;

    if (row->knows_usage(target) && splice_usage(intake, splice)) {
        insert |= 1;
    }

    if (store_false && intake->endpoint == GH_ENDPOINT_CHAT_COMPLETIONS
        && splice_store(intake, splice) && row->knows_store(target))
    {
        insert |= 2;
    }

    if (insert != 0) {
        /* the object is not empty, it has a model: a comma behind is right */
        splice_add(splice, intake->object_begin + 1, 0, gh_str_from(insertions[insert]));
    }

    return splice_model(arena, intake, target->upstream_model, splice, error);
}

int
gh_dialect_request(gh_arena_t *arena, const gh_target_t *target, const gh_intake_t *intake,
    gh_str_t base_path, bool store_false, gh_wire_request_t *out, gh_error_t *error)
{
    const gh_dialect_row_t *row;
    gh_str_t                path;

    if ((unsigned) target->dialect >= GH_DIALECTS || (unsigned) intake->endpoint >= GH_ENDPOINTS
        || intake->model_value.length == 0 || target->upstream_model.len == 0)
    {
        return gh_error_set(error, "bad_gateway", "a target or request without a dialect, an endpoint or a model");
    }

    row = dialects[target->dialect];
    path = row->path(arena, target, intake->endpoint, error);
    if (path.data == NULL) {
        return GH_ERROR;
    }

    while (base_path.len != 0 && base_path.data[base_path.len - 1] == '/') {
        base_path.len--;
    }

    if (base_path.len != 0) {
        path = gh_str_format(arena, "%.*s%.*s", GH_STR_ARG(base_path), GH_STR_ARG(path));
        if (path.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
    }

    out->path = path;
    out->credential_header = gh_str_from(row->credential_header);
    out->credential_prefix = gh_str_from(row->credential_prefix);

    return dialect_splice(arena, row, target, intake, store_false, &out->splice, error);
}

/*
 * Neither names of backends and deployments (x-ms-deployment-name, server, set-cookie), nor anything nginx acts on
 * (x-accel-*), nor hop-by-hop headers and lengths, which the shell makes itself.
 */
bool
gh_dialect_response_header(gh_dialect_t dialect, gh_str_t name)
{
    static const char *const passed[] = {
        "content-type", "retry-after", "retry-after-ms", "x-should-retry",
        "openai-processing-ms", "openai-version", "openai-model",
    };
    const gh_str_t limits = GH_STR("x-ratelimit-");
    size_t         i;

    (void) dialect;   /* the same for all so far */

    for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        if (gh_str_eq_nocase(name, gh_str_from(passed[i]))) {
            return true;
        }
    }

    return name.len > limits.len && gh_str_eq_nocase((gh_str_t) { name.data, limits.len }, limits);
}
