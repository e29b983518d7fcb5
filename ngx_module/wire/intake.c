#include <stdio.h>
#include <string.h>

#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/intake_reader.h"

#define PATH_TEXT 256
#define STEP_TEXT 64

static size_t
path_append(char *buffer, size_t size, size_t len, const char *text, size_t text_len)
{
    if (text_len > size - len) {
        text_len = size - len;
    }
    memcpy(buffer + len, text, text_len);
    return len + text_len;
}

gh_str_t
gh_intake_path(const gh_intake_reader_t *r, char *buffer, size_t size)
{
    char     number[16];
    size_t   len = 0, cut;
    uint32_t i;

    for (i = 0; i < r->depth && i < GH_INTAKE_PATH_MAX; i++) {
        const gh_intake_step_t *step = &r->path[i];

        if (step->key.data == NULL) {
            cut = (size_t) snprintf(number, sizeof(number), "[%u]", (unsigned) step->index);
            len = path_append(buffer, size, len, number, cut);
            continue;
        }

        if (i != 0) {
            len = path_append(buffer, size, len, ".", 1);
        }

        cut = step->key.len;
        if (cut > STEP_TEXT) {
            /* not inside a UTF-8 sequence */
            for (cut = STEP_TEXT; cut > 0 && ((unsigned char) step->key.data[cut] & 0xc0) == 0x80; cut--) { }
        }
        len = path_append(buffer, size, len, step->key.data, cut);
        if (cut < step->key.len) {
            len = path_append(buffer, size, len, "...", 3);
        }
    }

    return (gh_str_t) { buffer, len };
}

/*
 * Features that leave the prompt as long as the body makes it. All others may bring in more: tools the provider runs, stored content, what nobody
 * knows. A URL is counted where it stands.
 */
static bool
adds_no_input(gh_str_t name)
{
    static const char *const names[] = {
        "store", "prompt_cache", "audio_output", "moderation", "user_security_context", "metric_labels", "fetched_url"
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gh_str_is(name, names[i])) {
            return true;
        }
    }

    return false;
}

void
gh_intake_use_add(gh_intake_t *intake, gh_str_t name, gh_str_t where)
{
    uint32_t i;

    if (name.len != 0) {
        for (i = 0; i < intake->feature_count; i++) {
            if (gh_str_eq(intake->features[i].name, name)) {
                return;
            }
        }
    }

    intake->unbounded += !adds_no_input(name);

    if (intake->feature_count == GH_FEATURES_MAX) {
        intake->features[GH_FEATURES_MAX - 1] = (gh_feature_use_t) { GH_STR(""), GH_STR("too many features") };
        return;
    }

    intake->features[intake->feature_count++] = (gh_feature_use_t) { name, where };
}

/* word: what stands at the path instead of anything known; empty: the path says it all. */
static void
intake_use(gh_intake_reader_t *r, const char *feature, gh_str_t word)
{
    char     buffer[PATH_TEXT + STEP_TEXT];
    gh_str_t name = feature != NULL ? gh_str_from(feature) : GH_STR("");
    gh_str_t where;
    uint32_t i;

    r->intake->uninspected |= feature == NULL;   /* nobody knows what it holds */

    if (r->intake->feature_count == GH_FEATURES_MAX) {
        gh_intake_use_add(r->intake, name, GH_STR(""));   /* no path is needed: no allocation either */
        return;
    }

    for (i = 0; feature != NULL && i < r->intake->feature_count; i++) {
        if (gh_str_eq(r->intake->features[i].name, name)) {
            return;
        }
    }

    where = gh_intake_path(r, buffer, PATH_TEXT);
    if (word.len != 0) {
        where.len = path_append(buffer, sizeof(buffer), where.len, "=", 1);
        where.len = path_append(buffer, sizeof(buffer), where.len, word.data, word.len);
    }

    where = gh_str_copy(r->arena, where);
    if (where.data == NULL) {
        r->no_memory = true;
        return;
    }

    gh_intake_use_add(r->intake, name, where);
}

void
gh_intake_use(gh_intake_reader_t *r, const char *feature)
{
    intake_use(r, feature, GH_STR(""));
}

void
gh_intake_unknown_word(gh_intake_reader_t *r)
{
    bool shown = r->json.event == GH_JSON_STRING && r->json.token.len <= STEP_TEXT;

    intake_use(r, NULL, shown ? r->json.token : GH_STR(""));
}

int
gh_intake_invalid(gh_intake_reader_t *r, const char *expected)
{
    return gh_intake_error(r, "invalid_request", expected);
}

int
gh_intake_error(gh_intake_reader_t *r, const char *code, const char *expected)
{
    char     buffer[PATH_TEXT];
    gh_str_t path = gh_intake_path(r, buffer, sizeof(buffer));
    uint32_t line, column;

    gh_json_position(r->body, r->json.token_offset, &line, &column);
    return gh_error_at(r->error, code, "", line, column, "%.*s%s%s",
        GH_STR_ARG(path), path.len != 0 ? " " : "", expected);
}

int
gh_intake_json_error(gh_intake_reader_t *r)
{
    const char *why = r->json.error_code != NULL ? r->json.error_code : "unreadable";
    char        buffer[PATH_TEXT];
    gh_str_t    path;
    uint32_t    line, column;

    gh_json_position(r->body, r->json.error_offset, &line, &column);

    if (strcmp(why, "duplicate key") == 0) {
        path = gh_intake_path(r, buffer, sizeof(buffer));
        return gh_error_at(r->error, "duplicate_key", "", line, column,
            "the key %.*s stands twice at byte %zu (line %u, column %u)", GH_STR_ARG(path),
            r->json.error_offset, (unsigned) line, (unsigned) column);
    }

    if (strcmp(why, "too many keys") == 0) {
        return gh_intake_invalid(r, "is one field too many");
    }

    return gh_error_at(r->error, "invalid_json", "", line, column, "%s at byte %zu (line %u, column %u)",
        why, r->json.error_offset, (unsigned) line, (unsigned) column);
}

/*
 * Backends differ in which one they obey when there are several: the largest counts. llama.cpp alone knows n_predict, so alone it is no maximum, and
 * -1 is none.
 */
static uint64_t
largest_maximum(const gh_intake_t *intake)
{
    const gh_intake_maximum_t *maxima = intake->maxima;
    uint64_t                   largest = 0;
    unsigned                   i;

    if (maxima[GH_MAX_TOKENS].tokens == 0 && maxima[GH_MAX_COMPLETION_TOKENS].tokens == 0 && maxima[GH_MAX_OUTPUT_TOKENS].tokens == 0) {
        return 0;
    }

    for (i = 0; i < GH_MAXIMA; i++) {
        if (maxima[i].unlimited) {
            return 0;
        }
        largest = maxima[i].tokens > largest ? maxima[i].tokens : largest;
    }

    return largest;
}

bool
gh_intake_reads(gh_endpoint_t endpoint)
{
    return (unsigned) endpoint < GH_ENDPOINTS && gh_body_tables[endpoint] != NULL;
}

/* The object at offset has no members: "{ }". It has been read. */
static bool
empty_object(gh_str_t body, size_t offset)
{
    do {
        offset++;
    } while (offset < body.len && strchr(" \t\r\n", body.data[offset]) != NULL);

    return offset < body.len && body.data[offset] == '}';
}

/* Nothing would be left without what is never sent on. */
static bool
only_geo(gh_str_t body, const gh_intake_t *intake)
{
    size_t begin = intake->geo_member.offset, end = begin + intake->geo_member.length;

    if (intake->geo_member.length == 0) {
        return false;
    }
    while (strchr(" \t\r\n", body.data[begin - 1]) != NULL) {
        begin--;
    }
    while (strchr(" \t\r\n", body.data[end]) != NULL) {
        end++;
    }

    return body.data[begin - 1] == '{' && body.data[end] == '}';
}

/* The model that counts. */
static int
intake_model(const gh_url_t *url, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    if (url->model.data == NULL) {
        return intake->model.len != 0 ? GH_OK
               : gh_error_set(error, "invalid_request", "model is missing: it must be a string of 1 to 256 bytes");
    }

    if (empty_object(body, intake->object_begin)) {
        return gh_error_set(error, "invalid_request", "the body must not be an empty object");
    }

    intake->model = url->model;
    intake->model_in_path = true;

    return GH_OK;
}

static const gh_feature_use_t *
use_of(const gh_intake_t *intake, const char *name)
{
    uint32_t i;

    for (i = 0; i < intake->feature_count; i++) {
        if (gh_str_is(intake->features[i].name, name)) {
            return &intake->features[i];
        }
    }

    return NULL;
}

/*
 * A response is kept unless the body says "store": false. Who does not say it has not asked for it either, so the gateway may say it; but what runs in the
 * background is answered from what is kept.
 */
static void
stored_by_default(gh_intake_t *intake)
{
    uint32_t count = intake->feature_count;

    if (intake->store_value.length == sizeof("false") - 1 || use_of(intake, "store") != NULL) {
        return;
    }

    gh_intake_use_add(intake, GH_STR("store"), GH_STR("store"));
    if (intake->feature_count > count && use_of(intake, "background") == NULL) {
        intake->by_default = intake->feature_count;
    }
}

int
gh_intake_parse(gh_arena_t *arena, gh_endpoint_t endpoint, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    gh_url_t url;

    memset(&url, 0, sizeof(url));
    url.endpoint = endpoint;

    return gh_intake_parse_url(arena, &url, body, intake, error);
}

int
gh_intake_parse_url(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    gh_intake_reader_t r;

    if (url->operation == GH_URL_KEPT) {
        return gh_intake_kept(arena, url, body, intake, error);
    }

    if (!gh_intake_reads(url->endpoint)) {
        return gh_error_set(error, "invalid_request", "nothing is known of this endpoint's bodies");
    }

    if (gh_endpoint_is(url->endpoint, GH_IS_WRAPS)) {
        return gh_intake_count(arena, url, body, intake, error);
    }

    memset(intake, 0, sizeof(*intake));
    intake->endpoint = url->endpoint;
    intake->stream = url->stream;
    intake->body_bytes = body.len;
    intake->n = 1;
    intake->prompts = 1;

    memset(&r, 0, sizeof(r));
    r.body = body;
    r.arena = arena;
    r.intake = intake;
    r.error = error;
    r.type = GH_INTAKE_TYPE_NONE;
    r.alike = gh_intake_alike(url->endpoint) != GH_ENDPOINTS ? (uint16_t) (1u << gh_intake_alike(url->endpoint)) : 0;
    gh_json_reader_init(&r.json, body, 0);

    switch (gh_json_next(&r.json)) {

    case GH_JSON_OBJECT_BEGIN:
        break;

    case GH_JSON_ERROR:
        return gh_intake_json_error(&r);

    default:
        return gh_intake_invalid(&r, "the body must be a JSON object");
    }

    intake->object_begin = r.json.token_offset;

    if (gh_intake_object(&r, gh_body_tables[url->endpoint]) != GH_OK) {
        return GH_ERROR;
    }

    if (gh_json_next(&r.json) != GH_JSON_END) {
        return gh_intake_json_error(&r);
    }

    if (r.no_memory) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    intake->max_tokens = largest_maximum(intake);
    intake->text_bytes = body.len - r.json.spare - r.media_bytes;
    if (r.sizes_media) {
        intake->unbounded += intake->images;   /* the catalogue's most is the model's own choice */
    }

    if (gh_endpoint_is(url->endpoint, GH_IS_KEEPS)) {
        stored_by_default(intake);
    }

    if (intake_model(url, body, intake, error) != GH_OK) {
        return GH_ERROR;
    }

    if (only_geo(body, intake)) {
        return gh_error_set(error, "invalid_request", "the body must not be an empty object");
    }

    if (!r.messages && gh_endpoint_is(url->endpoint, GH_IS_ANSWERS)) {
        return gh_error_set(error, "invalid_request", "messages is missing: it must be an array");
    }

    return GH_OK;
}

#define HEADER(name, feature) { { (name), sizeof(name) - 1 }, (feature), "header " name }

static const struct {
    gh_str_t    name;
    const char *feature;
    const char *where;
} headers[] = {
    HEADER("openai-beta", "openai-beta"),
    HEADER("anthropic-beta", "anthropic-beta"),
    HEADER("aoai-evals", "aoai-evals"),
    HEADER("x-ms-enable-preview", "x-ms-enable-preview"),
    HEADER("x-amzn-bedrock-guardrailidentifier", "guardrail"),
    HEADER("x-amzn-bedrock-guardrailversion", "guardrail"),
    HEADER("x-amzn-bedrock-trace", "guardrail"),
};

/* 00-<32>-<16>-<2>, lower-case hexadecimal: W3C Trace Context section 3.2. Anything else could carry content. */
static bool
header_traceparent(gh_str_t value)
{
    size_t i;

    if (value.len != 55) {
        return false;
    }

    for (i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (i == 2 || i == 35 || i == 52) {
            if (c != '-') {
                return false;
            }
        } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }

    return true;
}

/* YYYY-MM-DD, as Anthropic names its API's versions. */
static bool
header_date(gh_str_t value)
{
    size_t i;

    if (value.len != 10) {
        return false;
    }

    for (i = 0; i < value.len; i++) {
        if (i == 4 || i == 7 ? value.data[i] != '-' : value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
    }

    return true;
}

/* anthropic-beta is a list of flags; an empty place in it is none. */
static void
header_betas(gh_arena_t *arena, gh_intake_t *intake, gh_str_t value)
{
    const char *end;
    gh_str_t    flag, where;
    int         row;

    intake->betas = intake->betas.len == 0 ? value : gh_str_format(arena, "%.*s,%.*s", GH_STR_ARG(intake->betas), GH_STR_ARG(value));

    for ( ; value.len != 0; value.data += flag.len + (end != NULL), value.len -= flag.len + (end != NULL)) {
        end = memchr(value.data, ',', value.len);
        flag = (gh_str_t) { value.data, end != NULL ? (size_t) (end - value.data) : value.len };
        where = gh_str_trim(flag);
        if (where.len == 0) {
            continue;
        }

        row = gh_field_find(&gh_beta_flags, where, intake->endpoint);
        if (row < 0) {
            where = gh_str_format(arena, "header anthropic-beta=%.*s", (int) (where.len < STEP_TEXT ? where.len : STEP_TEXT), where.data);
            gh_intake_use_add(intake, GH_STR(""), where.data != NULL ? where : GH_STR("header anthropic-beta"));
        } else if (gh_beta_flags.rows[row].kind == GH_FIELD_FEATURE) {
            gh_intake_use_add(intake, gh_str_from(gh_beta_flags.rows[row].feature), GH_STR("header anthropic-beta"));
        }
    }
}

/* Headers that only Messages has, and SDKs that turn it into InvokeModel. *forward is set for those. */
static bool
header_of_messages(gh_arena_t *arena, gh_intake_t *intake, gh_str_t name, gh_str_t value, bool *forward)
{
    if (gh_str_eq_nocase(name, GH_STR("anthropic-beta"))) {
        header_betas(arena, intake, value);
        *forward = value.len != 0;
        return true;
    }

    if (gh_str_eq_nocase(name, GH_STR("anthropic-version"))) {
        if (!header_date(value)) {
            gh_intake_use_add(intake, GH_STR(""), GH_STR("header anthropic-version"));
        }
        *forward = value.len != 0;
        return true;
    }

    return false;
}

/* One of these words, else unknown. */
static bool
header_word(gh_arena_t *arena, gh_intake_t *intake, gh_str_t name, gh_str_t value, const char *const *words)
{
    gh_str_t where;

    for (; *words != NULL; words++) {
        if (gh_str_is(value, *words)) {
            return true;
        }
    }

    where = gh_str_format(arena, "header %.*s=%.*s", GH_STR_ARG(name), (int) (value.len < STEP_TEXT ? value.len : STEP_TEXT), value.data);
    gh_intake_use_add(intake, GH_STR(""), where.data != NULL ? where : GH_STR("header"));
    return false;
}

/* Kept, several of a name as one list, which means nothing in any of them. */
static void
header_said(gh_arena_t *arena, gh_intake_t *intake, gh_str_t name, gh_str_t value)
{
    for (unsigned i = 0; i < GH_BEDROCK_HEADERS; i++) {
        if (gh_str_eq_nocase(name, gh_bedrock_headers[i])) {
            intake->said[i] = intake->said[i].len == 0 ? value : gh_str_format(arena, "%.*s,%.*s", GH_STR_ARG(intake->said[i]), GH_STR_ARG(value));
            if (intake->said[i].data == NULL) {
                intake->said[i] = GH_STR(",");      /* no memory: still said, and nothing that any of them may be */
            }
        }
    }
}

/* Headers in which InvokeModel has what is in Converse's body. Source: the service model of bedrock-runtime (InvokeModelRequest). */
static bool
header_of_invoke(gh_arena_t *arena, gh_intake_t *intake, gh_str_t name, gh_str_t value)
{
    static const char *const tiers[] = { "default", "priority", "flex", "reserved", NULL };
    static const char *const latencies[] = { "standard", "optimized", NULL };

    if (value.len == 0) {
        return false;
    }

    header_said(arena, intake, name, value);
    if (gh_str_eq_nocase(name, GH_STR("x-amzn-bedrock-service-tier"))) {
        header_word(arena, intake, GH_STR("x-amzn-bedrock-service-tier"), value, tiers);
        intake->service_tier = value;
        return true;
    }

    if (gh_str_eq_nocase(name, GH_STR("x-amzn-bedrock-performanceconfig-latency"))) {
        header_word(arena, intake, GH_STR("x-amzn-bedrock-performanceconfig-latency"), value, latencies);
        return true;
    }

    if (gh_str_eq_nocase(name, GH_STR("x-amzn-bedrock-projectidentifier"))) {
        gh_intake_use_add(intake, GH_STR("project"), GH_STR("header x-amzn-bedrock-projectidentifier"));
        return true;
    }

    /* labels of the client's own, for its own filters */
    return gh_str_eq_nocase(name, GH_STR("x-amzn-bedrock-request-metadata"));
}

bool
gh_intake_header(gh_arena_t *arena, gh_intake_t *intake, gh_str_t name, gh_str_t value)
{
    bool   forward;
    size_t i;

    value = gh_str_trim(value);

    if (gh_str_eq_nocase(name, GH_STR("traceparent"))) {
        if (!header_traceparent(value)) {
            return false;
        }
        gh_session_trace(&intake->label, value);
        return true;
    }

    if (gh_session_header(arena, &intake->label, name, value)) {
        return false;      /* whose run it is, no provider is told */
    }

    if (gh_endpoint_is(intake->endpoint, GH_IS_FLAGS) && header_of_messages(arena, intake, name, value, &forward)) {
        return forward;
    }

    if (gh_endpoint_is(intake->endpoint, GH_IS_TIER_HEADER) && header_of_invoke(arena, intake, name, value)) {
        return true;
    }

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (name.len == headers[i].name.len && gh_str_eq_nocase(name, headers[i].name)) {
            if (value.len == 0) {
                return false;   /* turns nothing on, so it need not be sent */
            }
            gh_intake_use_add(intake, gh_str_from(headers[i].feature), gh_str_from(headers[i].where));
            return true;
        }
    }

    return false;
}

typedef struct {
    gh_str_t               *names;
    size_t                  size, count;
    const gh_field_table_t *seen[256];
    size_t                  seen_count;
} feature_names_t;

static void
name_add(feature_names_t *all, const char *feature)
{
    gh_str_t name = gh_str_from(feature != NULL ? feature : "");
    size_t   i;

    for (i = 0; i < all->count; i++) {
        if (gh_str_eq(all->names[i], name)) {
            return;
        }
    }

    if (name.len > 0 && all->count < all->size) {
        all->names[all->count++] = name;
    }
}

/* Tables lead to each other, some in a ring. */
static void
names_of(feature_names_t *all, const gh_field_table_t *table)
{
    size_t   i;
    unsigned row;

    for (i = 0; i < all->seen_count; i++) {
        if (all->seen[i] == table) {
            return;
        }
    }

    if (table == NULL || all->seen_count == sizeof(all->seen) / sizeof(all->seen[0])) {
        return;
    }
    all->seen[all->seen_count++] = table;

    for (row = 0; row < table->count; row++) {
        name_add(all, table->rows[row].feature);
        names_of(all, table->rows[row].table);
        names_of(all, table->rows[row].types);
    }
}

size_t
gh_intake_feature_names(gh_str_t *names, size_t size)
{
    feature_names_t all = { .names = names, .size = size };
    size_t          i;

    for (i = 0; i < GH_ENDPOINTS; i++) {
        names_of(&all, gh_body_tables[i]);
    }
    names_of(&all, &gh_beta_flags);

    /* uses that no table row stands for: what intake finds inside values, and headers */
    name_add(&all, "store");
    name_add(&all, "fetched_url");
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        name_add(&all, headers[i].feature);
    }

    return all.count;
}
