/*
 * What Converse says in its body and InvokeModel in headers: guardrails, how quick the answer is to be, labels, the service tier. Source: the service model of
 * bedrock-runtime (InvokeModelRequest, GuardrailConfiguration, GuardrailStreamConfiguration, PerformanceConfiguration, RequestMetadata).
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/bedrock.h"
#include "ngx_module/wire/hub/converse.h"

#define LABELS      16     /* at most */
#define LABEL_BYTES 256    /* of a key, which has one at least, and of a value */

static const char *const traces[][2] = { { "enabled", "ENABLED" }, { "disabled", "DISABLED" }, { "enabled_full", "ENABLED_FULL" } };

static const struct { const char *name; gh_hub_tier_t tier; gh_hub_ask_t ask; } tiers[] = {
    { "default", GH_HUB_TIER_DEFAULT, GH_ASK_TIER_DEFAULT }, { "flex", GH_HUB_TIER_FLEX, GH_ASK_TIER_FLEX },
    { "priority", GH_HUB_TIER_PRIORITY, GH_ASK_TIER_PRIORITY }, { "reserved", GH_HUB_TIER_RESERVED, GH_ASK_TIER_RESERVED },
};

/* ---- forms that hold in a header and in JSON alike ---- */

static bool
all_of(gh_str_t text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(others, c) != NULL))) {
            return false;
        }
    }

    return true;
}

/* An id or an ARN of a guardrail, its version. */
static bool
names_guardrail(gh_str_t text)
{
    return text.len <= GH_BEDROCK_ID_MAX && all_of(text, "-._:/");
}

static bool
is_label(gh_str_t text)
{
    return text.len <= LABEL_BYTES && all_of(text, " :_@$#=/+,-.");
}

/* Up to 16 strings in an object, as they stand in one line; in the arena. Empty: there is none in it; data NULL: it is no such object, or no memory. */
static gh_str_t
labels_of(gh_arena_t *arena, gh_str_t raw)
{
    gh_str_t         none = { NULL, 0 }, key, value;
    gh_json_reader_t r;
    gh_hub_put_t     p;
    unsigned         count = 0;

    gh_json_reader_init(&r, raw, 0);
    gh_hub_put_init(&p, arena, raw.len, LABELS * (2 * LABEL_BYTES + 6) + 2);
    gh_hub_put_open(&p, '{');
    if (raw.len == 0 || gh_json_next(&r) != GH_JSON_OBJECT_BEGIN) {
        return none;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        key = gh_hub_decode(arena, r.token);
        if (++count > LABELS || key.data == NULL || key.len == 0 || !is_label(key) || gh_json_next(&r) != GH_JSON_STRING) {
            return none;
        }
        value = gh_hub_decode(arena, r.token);
        if (value.data == NULL || !is_label(value)) {
            return none;
        }
        gh_hub_put_text(&p, key);
        GH_HUB_PUT(&p, ":");
        gh_hub_put_text(&p, value);
    }
    gh_hub_put_close(&p, '}');

    if (r.event != GH_JSON_OBJECT_END || gh_json_next(&r) != GH_JSON_END || p.failed) {
        return none;
    }
    return count != 0 ? (gh_str_t) { p.data, p.len } : GH_STR("");
}

/* ---- read in a body of Converse ---- */

typedef struct {
    gh_str_t guardrail, version, trace, mode;
} guardrail_t;

static const gh_hub_field_t guardrail_fields[] = {
    GH_HUB_FIELD("guardrailIdentifier", STRING, GH_ASKS, guardrail_t, guardrail),
    GH_HUB_FIELD("guardrailVersion", STRING, GH_ASKS, guardrail_t, version),
    GH_HUB_FIELD("trace", STRING, GH_ASKS, guardrail_t, trace),
    GH_HUB_FIELD("streamProcessingMode", STRING, GH_ASKS, guardrail_t, mode),
};

/* Decoded; empty: it is said nothing. data NULL: it is none. */
static gh_str_t
guardrail_name(gh_hub_reader_t *r, gh_str_t escaped)
{
    gh_str_t text = escaped.data == NULL ? GH_STR("") : gh_hub_decode(r->arena, escaped);

    return text.data != NULL && names_guardrail(text) ? text : (gh_str_t) { NULL, 0 };
}

int
converse_guardrail_read(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    size_t            offset = r->json.token_offset, i;
    guardrail_t       read;

    memset(&read, 0, sizeof(read));
    gh_hub_ask(r, GH_ASK_GUARDRAIL);
    if (GH_HUB_EXPECT_OBJECT(r, guardrail_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    request->guardrail = guardrail_name(r, read.guardrail);
    request->guardrail_version = guardrail_name(r, read.version);
    if (request->guardrail.data == NULL || request->guardrail_version.data == NULL) {
        return gh_hub_invalid(r, "must have the id or ARN of a guardrail, and its version");
    }
    for (i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        if (read.trace.data != NULL && gh_hub_is(read.trace, traces[i][0])) {
            request->trace = traces[i][0];
        }
    }
    if (read.trace.data != NULL && request->trace == NULL) {
        gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);
    }
    if (read.mode.data != NULL && !gh_hub_is(read.mode, "sync")) {
        gh_hub_ask_at(r, GH_ASK_GUARDED, offset);
    }

    return GH_OK;
}

typedef struct {
    gh_str_t latency;
} performance_t;

static const gh_hub_field_t performance_fields[] = {
    GH_HUB_FIELD("latency", STRING, GH_ASKS, performance_t, latency),
};

int
converse_performance_read(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    size_t            offset = r->json.token_offset;
    performance_t     read = { { NULL, 0 } };

    if (gh_hub_expect_object(r, performance_fields, 1, &read) != GH_OK) {
        return GH_ERROR;
    }

    if (read.latency.data == NULL) {
        return GH_OK;
    }
    gh_hub_ask_at(r, GH_ASK_LATENCY, offset);
    request->latency = gh_hub_is(read.latency, "standard") ? "standard" : gh_hub_is(read.latency, "optimized") ? "optimized" : NULL;
    if (request->latency == NULL) {
        gh_hub_ask_at(r, GH_ASK_UNKNOWN, offset);
    }

    return GH_OK;
}

int
converse_labels_read(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    size_t            offset = r->json.token_offset;
    gh_str_t          raw;

    if (r->json.event != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(r, "must be an object");
    }
    if (gh_hub_raw(r, &raw) != GH_OK) {
        return GH_ERROR;
    }

    request->labels = labels_of(r->arena, raw);
    if (request->labels.data == NULL || request->labels.len != 0) {
        gh_hub_ask_at(r, request->labels.data != NULL ? GH_ASK_REQUEST_METADATA : GH_ASK_LABELS_OTHER, offset);
    }

    return GH_OK;
}

/* ---- and written there ---- */

void
converse_put_said(gh_hub_put_t *p, const gh_hub_request_t *request)
{
    if (gh_hub_asks(request, GH_ASK_GUARDRAIL)) {
        gh_hub_put_key(p, "guardrailConfig");
        gh_hub_put_open(p, '{');
        if (request->guardrail.len != 0) {
            gh_hub_put_kv_text(p, "guardrailIdentifier", request->guardrail);
        }
        if (request->guardrail_version.len != 0) {
            gh_hub_put_kv_text(p, "guardrailVersion", request->guardrail_version);
        }
        if (request->trace != NULL) {
            gh_hub_put_kv_string(p, "trace", gh_str_from(request->trace));
        }
        gh_hub_put_close(p, '}');
    }
    if (request->latency != NULL) {
        gh_hub_put_key(p, "performanceConfig");
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "latency", gh_str_from(request->latency));
        gh_hub_put_close(p, '}');
    }
    if (request->labels.len != 0) {
        gh_hub_put_kv_raw(p, "requestMetadata", request->labels);
    }
}

/* ---- headers of InvokeModel ---- */

void
gh_hub_said_write(const gh_hub_request_t *request, gh_str_t said[GH_BEDROCK_HEADERS])
{
    size_t i;

    for (i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (request->tier == tiers[i].tier) {
            said[GH_BEDROCK_HEADER_TIER] = gh_str_from(tiers[i].name);
        }
    }
    for (i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        if (request->trace == traces[i][0]) {
            said[GH_BEDROCK_HEADER_TRACE] = gh_str_from(traces[i][1]);
        }
    }
    said[GH_BEDROCK_HEADER_GUARDRAIL] = request->guardrail;
    said[GH_BEDROCK_HEADER_GUARDRAIL_VERSION] = request->guardrail_version;
    said[GH_BEDROCK_HEADER_LATENCY] = gh_str_from(request->latency != NULL ? request->latency : "");
    said[GH_BEDROCK_HEADER_LABELS] = request->labels;
}

/* Of a header, where the body does not say it first. */
static void
note(gh_hub_request_t *request, gh_hub_ask_t ask)
{
    if (!gh_hub_asks(request, ask)) {
        request->asks[ask / 64] |= UINT64_C(1) << ask % 64;
        request->where[ask] = 0;
    }
}

/* What cannot be said elsewhere as it is meant is refused there. */
static void
guardrail_of_headers(gh_hub_request_t *request, const gh_str_t said[GH_BEDROCK_HEADERS])
{
    size_t i;

    if (said[GH_BEDROCK_HEADER_GUARDRAIL].len + said[GH_BEDROCK_HEADER_GUARDRAIL_VERSION].len + said[GH_BEDROCK_HEADER_TRACE].len == 0) {
        return;
    }

    note(request, GH_ASK_GUARDRAIL);
    request->guardrail = said[GH_BEDROCK_HEADER_GUARDRAIL];
    request->guardrail_version = said[GH_BEDROCK_HEADER_GUARDRAIL_VERSION];
    for (i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        if (gh_str_is(said[GH_BEDROCK_HEADER_TRACE], traces[i][1])) {
            request->trace = traces[i][0];
        }
    }
    if (!names_guardrail(request->guardrail) || !names_guardrail(request->guardrail_version) || (said[GH_BEDROCK_HEADER_TRACE].len != 0 && request->trace == NULL)) {
        note(request, GH_ASK_UNKNOWN);
    }
}

void
gh_hub_said_read(gh_arena_t *arena, const gh_str_t said[GH_BEDROCK_HEADERS], gh_hub_request_t *request)
{
    size_t i;

    for (i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (gh_str_is(said[GH_BEDROCK_HEADER_TIER], tiers[i].name)) {
            request->tier = tiers[i].tier;
            note(request, tiers[i].ask);
        }
    }

    guardrail_of_headers(request, said);

    request->latency = gh_str_is(said[GH_BEDROCK_HEADER_LATENCY], "standard") ? "standard" : gh_str_is(said[GH_BEDROCK_HEADER_LATENCY], "optimized") ? "optimized" : NULL;
    if (request->latency != NULL) {
        note(request, GH_ASK_LATENCY);
    }

    if (said[GH_BEDROCK_HEADER_LABELS].len != 0) {
        request->labels = labels_of(arena, said[GH_BEDROCK_HEADER_LABELS]);
        if (request->labels.data == NULL || request->labels.len != 0) {
            note(request, request->labels.data != NULL ? GH_ASK_REQUEST_METADATA : GH_ASK_LABELS_OTHER);
        }
    }
}

gh_str_t
gh_hub_said_where(unsigned ask)
{
    switch (ask) {
    case GH_ASK_GUARDRAIL:
    case GH_ASK_UNKNOWN:
        return GH_STR("header x-amzn-bedrock-guardrailidentifier");
    case GH_ASK_LATENCY:
        return GH_STR("header x-amzn-bedrock-performanceconfig-latency");
    case GH_ASK_REQUEST_METADATA:
    case GH_ASK_LABELS_OTHER:
        return GH_STR("header x-amzn-bedrock-request-metadata");
    default:
        return GH_STR("header x-amzn-bedrock-service-tier");
    }
}
