/*
 * Any bytes as a request body: the parser, then every dialect on what it took. What a splice makes of a body the parser
 * took must be a body it takes again, with the target's model and the same features. With a field that would steer it, it
 * is refused; with a URL in a video part it has that use. Reasoning that was translated is left
 * out of Responses all at once, and nothing else is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/wire.h"
#include "tests/fuzz/standalone.h"

#define CAP 7   /* tokens a choice may have at most */

static bool
has_output(gh_endpoint_t endpoint)
{
    return endpoint != GH_ENDPOINT_EMBEDDINGS && !gh_endpoint_counts(endpoint);
}

static bool
names_model(gh_endpoint_t endpoint)
{
    return endpoint == GH_ENDPOINT_CONVERSE || endpoint == GH_ENDPOINT_INVOKE || endpoint == GH_ENDPOINT_BEDROCK_COUNT;
}

/* Where the path has the model, this one. */
static int
parse(gh_arena_t *arena, gh_endpoint_t endpoint, gh_str_t body, gh_intake_t *intake, gh_error_t *error)
{
    gh_url_t url = { .endpoint = endpoint };

    if (names_model(endpoint)) {
        url.model = GH_STR("m");
    }

    return gh_intake_parse_url(arena, &url, body, intake, error);
}

static void
respliced(gh_arena_t *arena, gh_str_t body, const gh_intake_t *intake, gh_dialect_t dialect)
{
    gh_str_t          pieces[2 * GH_SPLICE_MAX + 1];
    gh_wire_request_t request;
    gh_intake_t       again;
    gh_target_t       target;
    gh_error_t        error;
    unsigned          i, count;
    uint64_t          length;
    size_t            len = 0;
    char             *joined;

    memset(&target, 0, sizeof(target));
    target.dialect = dialect;
    target.upstream_model = GH_STR("up/stream \"1\"");
    target.api_version = GH_STR("2025-01-01-preview");

    if (gh_dialect_request(arena, &target, intake, GH_STR(""), true, CAP, &request, &error) != GH_OK) {
        return;
    }

    length = gh_splice_length(&request.splice, body);
    joined = malloc(length);
    count = gh_splice_pieces(&request.splice, body, pieces);
    for (i = 0; i < count; i++) {
        if (pieces[i].len > length - len) {
            abort();
        }
        memcpy(joined + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }

    if (len != length
        || parse(arena, intake->endpoint, (gh_str_t) { joined, len }, &again, &error) != GH_OK
        || !gh_str_eq(again.model, names_model(intake->endpoint) ? intake->model : target.upstream_model)
        || again.stream != intake->stream
        || (again.stream && !again.include_usage && (intake->endpoint == GH_ENDPOINT_CHAT_COMPLETIONS || intake->endpoint == GH_ENDPOINT_COMPLETIONS))
        || again.max_tokens > (has_output(intake->endpoint) ? CAP : intake->max_tokens)
        || again.text_bytes > len
        || again.n != intake->n
        || again.messages != intake->messages || again.prompts != intake->prompts || again.images != intake->images
        || again.uninspected != intake->uninspected)
    {
        abort();
    }

    for (i = 0; i < again.feature_count; i++) {
        if (gh_str_is(again.features[i].name, "store") && again.handle_count == 0) {
            abort();
        }
    }

    /* no maximum above the cap is left, and one that every backend obeys is there */
    for (i = 0; i < GH_MAXIMA && has_output(intake->endpoint); i++) {
        if (again.maxima[i].unlimited || again.maxima[i].tokens > CAP) {
            abort();
        }
    }
    if (has_output(intake->endpoint)
        && (again.maxima[GH_MAX_TOKENS].length == 0 || again.maxima[GH_MAX_TOKENS].null)
        && (again.maxima[GH_MAX_COMPLETION_TOKENS].length == 0 || again.maxima[GH_MAX_COMPLETION_TOKENS].null)
        && (again.maxima[GH_MAX_OUTPUT_TOKENS].length == 0 || again.maxima[GH_MAX_OUTPUT_TOKENS].null))
    {
        abort();
    }

    free(joined);
}

/* The body with `member` as its first one: refused with `code`, or NULL: taken with the use "fetched_url". */
static void
with_member(gh_arena_t *arena, gh_str_t body, const gh_intake_t *intake, const char *member, const char *code)
{
    size_t      begin = intake->object_begin + 1, len = strlen(member), i;
    char       *joined = malloc(body.len + len);
    gh_intake_t again;
    gh_error_t  error;
    bool        found = false;
    int         rc;

    memset(&error, 0, sizeof(error));
    memcpy(joined, body.data, begin);
    memcpy(joined + begin, member, len);
    memcpy(joined + begin + len, body.data + begin, body.len - begin);
    rc = parse(arena, intake->endpoint, (gh_str_t) { joined, body.len + len }, &again, &error);

    if (code != NULL) {
        if (rc == GH_OK || strcmp(error.code, code) != 0) {
            abort();
        }
    } else if (rc == GH_OK) {
        for (i = 0; i < again.feature_count; i++) {
            found |= gh_str_is(again.features[i].name, "fetched_url") || gh_str_is(again.features[i].where, "too many features");
        }
        if (!found) {
            abort();
        }
    } else if (strcmp(error.code, "duplicate_key") != 0) {
        abort();
    }

    free(joined);
}

/* A body whose ids were opened. */
static void
native(gh_arena_t *arena, gh_str_t body, const gh_intake_t *intake)
{
    static const gh_url_t url = { .endpoint = GH_ENDPOINT_RESPONSES };
    gh_str_t              sent = { NULL, 0 }, twice = { NULL, 0 };
    gh_intake_t           again;
    gh_error_t            error;

    memset(&error, 0, sizeof(error));
    if (gh_intake_native(arena, &url, body, &sent, &again, &error) != GH_OK) {
        if (!intake->translated || error.code == NULL) {
            abort();
        }
        return;
    }
    if (sent.len > body.len || (!intake->translated && !gh_str_eq(sent, body)) || !gh_str_eq(again.model, intake->model)
        || again.stream != intake->stream || gh_intake_native(arena, &url, sent, &twice, &again, &error) != GH_OK || !gh_str_eq(twice, sent))
    {
        abort();
    }
}

/*
 * Ids of what is kept, none of them given out here: refused, or left out, which leaves a body that is read again and tied to nothing.
 */
static void
opened(gh_arena_t *arena, gh_str_t body, gh_intake_t *intake)
{
    static gh_handles_t *handles;
    static const uint8_t secret[32] = "32 bytes that are no secret here";
    gh_str_t             out = body;
    gh_error_t           error;
    uint32_t             i, required = 0;

    if (handles == NULL && (handles = gh_handles_new(secret)) == NULL) {
        abort();
    }
    for (i = 0; i < intake->handle_count; i++) {
        required += intake->handles[i].required;
    }
    memset(&error, 0, sizeof(error));
    if (gh_intake_open(arena, handles, 7, &(gh_url_t) { .endpoint = intake->endpoint }, &out, intake, &error) != GH_OK) {
        if (required == 0 && strcmp(error.code, "state_not_found") == 0 && intake->handles[0].member != 0) {
            abort();
        }
        return;
    }
    if (required != 0 || intake->pin.deployment.len != 0 || (intake->handle_count != 0 && out.len > body.len)) {
        abort();
    }
    if (intake->endpoint == GH_ENDPOINT_RESPONSES) {
        native(arena, out, intake);
    }
}

/* What is in a body of CountTokens is a part of it, or was in its base64. */
static void
counted(gh_arena_t *arena, gh_str_t body)
{
    gh_endpoint_t endpoint = GH_ENDPOINTS;
    gh_str_t      inner = { NULL, 0 };
    gh_error_t    error;

    memset(&error, 0, sizeof(error));
    if (gh_intake_count_input(arena, body, &endpoint, &inner, &error) != GH_OK) {
        if (error.code == NULL || error.text[0] == '\0') {
            abort();
        }
    } else if (endpoint == GH_ENDPOINT_CONVERSE) {
        if (inner.data <= body.data || inner.data + inner.len >= body.data + body.len || inner.data[0] != '{' || inner.data[inner.len - 1] != '}') {
            abort();
        }
    } else if (endpoint != GH_ENDPOINT_INVOKE || inner.len >= body.len) {
        abort();
    }
}

/* What InvokeModel's headers say, as a request of Converse would have it said there: printable ASCII, but for names of guardrails that it refuses. */
static void
told(gh_arena_t *arena, const gh_intake_t *intake)
{
    gh_str_t         said[GH_BEDROCK_HEADERS];
    gh_hub_request_t request;

    memset(said, 0, sizeof(said));
    memset(&request, 0, sizeof(request));
    gh_hub_said_read(arena, intake->said, &request);
    gh_hub_said_write(&request, said);
    for (unsigned i = 0; i < GH_BEDROCK_HEADERS && gh_hub_expressible(&request, GH_HUB_INVOKE); i++) {
        for (size_t at = 0; at < said[i].len; at++) {
            if (said[i].data[at] < ' ' || said[i].data[at] > '~') {
                abort();
            }
        }
    }
}

/* Every header that is known, with any value, and any one: nothing is borrowed that is not there, and what turns something on says where. */
static void
headers(gh_arena_t *arena, gh_str_t all, gh_endpoint_t endpoint)
{
    static const char *const names[] = {
        "traceparent", "anthropic-beta", "anthropic-version", "openai-beta", "x-amzn-bedrock-service-tier", "x-amzn-bedrock-guardrailidentifier",
        "x-amzn-bedrock-performanceconfig-latency", "x-amzn-bedrock-trace", "x-amzn-bedrock-projectidentifier", "x-amzn-bedrock-guardrailversion",
        "x-amzn-bedrock-request-metadata"
    };
    const char *colon = all.len != 0 ? memchr(all.data, ':', all.len) : NULL;
    gh_intake_t intake;

    memset(&intake, 0, sizeof(intake));
    intake.endpoint = endpoint;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) gh_intake_header(arena, &intake, gh_str_from(names[i]), all);
    }
    if (colon != NULL) {
        (void) gh_intake_header(arena, &intake, (gh_str_t) { all.data, (size_t) (colon - all.data) },
            (gh_str_t) { colon + 1, (size_t) (all.data + all.len - colon - 1) });
    }
    told(arena, &intake);
    if (intake.feature_count > GH_FEATURES_MAX) {
        abort();
    }
    for (uint32_t i = 0; i < intake.feature_count; i++) {
        if (intake.features[i].where.len == 0) {
            abort();
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str_t    body = { (const char *) data, size };
    gh_intake_t intake;
    gh_error_t  error;
    gh_heap_t   heap;
    int         endpoint, dialect;

    gh_heap_init(&heap);
    counted(&heap.arena, body);
    gh_heap_free(&heap);

    for (endpoint = 0; endpoint < GH_ENDPOINTS; endpoint++) {
        gh_heap_init(&heap);
        headers(&heap.arena, body, (gh_endpoint_t) endpoint);
        memset(&error, 0, sizeof(error));
        if (parse(&heap.arena, (gh_endpoint_t) endpoint, body, &intake, &error) == GH_OK) {
            for (dialect = 0; dialect < GH_DIALECTS; dialect++) {
                respliced(&heap.arena, body, &intake, (gh_dialect_t) dialect);
            }
            opened(&heap.arena, body, &intake);
            if (endpoint == GH_ENDPOINT_BEDROCK_COUNT) {
                gh_heap_free(&heap);
                continue;    /* its only member holds what was read */
            }
            with_member(&heap.arena, body, &intake, "\"inference_\\u0067eo\":7,", "invalid_places");
            with_member(&heap.arena, body, &intake, "\"\\u0061pi_base\":null,", "invalid_request");
            if (endpoint == GH_ENDPOINT_CHAT_COMPLETIONS) {
                with_member(&heap.arena, body, &intake, "\"prediction\":{\"content\":[{\"input_video\":{\"url\":\"ftp:x\"}}]},", NULL);
            }
        } else if (error.code == NULL || error.text[0] == '\0') {
            abort();
        }
        gh_heap_free(&heap);
    }

    return 0;
}
