#include "policy/agent/credential_check.h"

#include <string.h>

#include "ngx_module/wire/aws_error.h"
#include "policy/agent/exchange.h"
#include "policy/agent/signed_headers.h"
#include "policy/agent/sts_answer.h"

#define HEADERS  (2 + GH_SIGNED_HEADERS)
#define TEXT_MAX 2048u
#define BODY_MAX (4u << 20)               /* lists of models are long, and not looked at */

static const char *const header_words[] = { "api-key", "x-api-key", "authorization", NULL };

/* ---- reading ---- */

static gh_str_t
text_of(gh_loader_t *loader, const gh_node_t *node, const char *name)
{
    gh_str_t text = gh_doc_text(loader, gh_doc_get(node, name, GH_IS_STRING), TEXT_MAX);

    return text.len != 0 ? gh_str_copy(loader->arena, text) : GH_STR("");
}

/* What says how it is sent must fit to what the source gives. */
static void
read_sending(gh_loader_t *loader, const gh_node_t *node, const gh_credential_source_t *source, gh_credential_check_t *check)
{
    const gh_node_t *header = gh_doc_get(node, "header", GH_IS_STRING), *signing = gh_node_get(node, "region");
    gh_str_t         kind = gh_str_from(source->kind->word);
    int              word = header != NULL ? gh_doc_word(loader, header, "header", header_words) : -1;

    signing = signing != NULL ? signing : gh_node_get(node, "service");
    if (gh_str_starts(kind, GH_STR("aws_"))) {
        check->service = check->service.len != 0 ? check->service : GH_STR("bedrock");
        check->region = check->region.len != 0 ? check->region : source->region;
        if (header != NULL) {
            gh_doc_error(loader, GH_WHERE_KEY(loader, header), "bad_check", "what is signed has no \"header\": leave it out");
        }
        if (check->region.len == 0) {
            gh_doc_error(loader, GH_WHERE(loader, node), "bad_check", "a \"check\" of a source of AWS credentials must say \"region\", which is signed");
        }
        return;
    }
    if (signing != NULL) {
        gh_doc_error(loader, GH_WHERE_KEY(loader, signing), "bad_check", "\"%.*s\" is for what is signed: sources whose names begin with aws_", GH_STR_ARG(signing->key));
    }
    if (header != NULL && !gh_str_is(kind, "api_key") && !gh_str_is(kind, "azure_key")) {
        gh_doc_error(loader, GH_WHERE_KEY(loader, header), "bad_check", "\"header\" is for keys: what %s gives is sent as a bearer", source->kind->word);
    }
    check->header = word >= 0 ? gh_str_from(header_words[word]) : gh_str_is(kind, "azure_key") ? GH_STR("api-key") : GH_STR("authorization");
}

const gh_credential_check_t *
gh_credential_check_read(gh_loader_t *loader, const gh_node_t *node, const gh_credential_source_t *source)
{
    static const gh_member_t members[] = {
        { "url", GH_IS_STRING, GH_REQUIRED }, { "header", GH_IS_STRING, 0 }, { "region", GH_IS_STRING, 0 }, { "service", GH_IS_STRING, 0 },
        { "ca_file", GH_IS_STRING, 0 }, { "every_seconds", GH_IS_NUMBER, 0 }, { NULL, 0, 0 }
    };
    gh_credential_check_t *check = gh_arena_alloc(loader->arena, sizeof(*check));
    const gh_node_t       *every = gh_doc_get(node, "every_seconds", GH_IS_NUMBER);
    uint64_t               seconds = 0;

    if (check == NULL || !gh_doc_members(loader, node, "a \"check\"", members)) {
        return NULL;
    }
    *check = (gh_credential_check_t) { text_of(loader, node, "url"), text_of(loader, node, "ca_file"), GH_STR(""), text_of(loader, node, "region"),
        text_of(loader, node, "service"), GH_CHECK_EVERY_MS };
    if (check->url.len != 0 && !gh_doc_url_ok(check->url)) {
        gh_doc_error(loader, GH_WHERE(loader, gh_node_get(node, "url")), "bad_check",
            "\"url\" is a URL that begins with https:// (or with http:// and this machine: 127.0.0.1, localhost, [::1])");
    }
    read_sending(loader, node, source, check);
    if (every != NULL && gh_doc_positive(loader, every, GH_CHECK_SECONDS_MAX, &seconds)) {
        check->every_ms = seconds * 1000;
        if (seconds < GH_CHECK_SECONDS_MIN) {
            gh_doc_error(loader, GH_WHERE(loader, every), "bad_check", "\"every_seconds\" is from %u to %u", GH_CHECK_SECONDS_MIN, GH_CHECK_SECONDS_MAX);
        }
    }
    return check;
}

/* ---- asking ---- */

static int
authorise(const gh_credential_check_t *check, const gh_credential_t *credential, gh_arena_t *arena, uint64_t now_ms, gh_fetch_request_t *request,
    gh_fetch_header_t *headers, gh_error_t *error)
{
    gh_sigv4_scope_t   scope = { check->region, check->service };
    gh_sigv4_request_t signing = { .method = GH_STR("GET") };
    bool               key = credential->form == GH_CREDENTIAL_KEY && !gh_str_is(check->header, "authorization");

    headers[request->headers_count++] = (gh_fetch_header_t) { GH_STR("Accept"), GH_STR("application/json") };
    if (credential->form == GH_CREDENTIAL_AWS) {
        gh_url_parts(check->url, &signing.host, &signing.path, &signing.query);
        return gh_signed_headers(arena, &credential->aws, &scope, &signing, now_ms, headers, &request->headers_count, error);
    }
    headers[request->headers_count++] = key ? (gh_fetch_header_t) { check->header, credential->secret }
        : (gh_fetch_header_t) { GH_STR("Authorization"), gh_str_format(arena, "Bearer %.*s", GH_STR_ARG(credential->secret)) };
    if (key && gh_str_is(check->header, "x-api-key")) {      /* which Anthropic's API wants to have said before it looks at a key */
        headers[request->headers_count++] = (gh_fetch_header_t) { GH_STR("anthropic-version"), GH_STR("2023-06-01") };
    }
    return headers[1].value.data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

/* The name that AWS gives its error, in a header, in JSON or in XML; "" where there is none. */
static gh_str_t
error_name(const gh_fetch_answer_t *answer, gh_arena_t *arena)
{
    gh_str_t       header = gh_fetch_header(answer, "x-amzn-errortype");
    gh_aws_error_t aws;

    gh_aws_error_read(arena, header.data != NULL ? header : GH_STR(""), answer->body, &aws);
    return aws.type.len != 0 ? aws.type : gh_sts_error_code(arena, answer->body);
}

gh_check_end_t
gh_credential_check(const gh_credential_check_t *check, const gh_credential_t *credential, gh_arena_t *arena, uint64_t now_ms, const _Atomic int *stop,
    gh_error_t *error)
{
    gh_fetch_header_t  headers[HEADERS];
    gh_fetch_request_t request = { .url = check->url, .headers = headers, .ca_file = check->ca_file.len != 0 ? check->ca_file.data : NULL, .body_max = BODY_MAX,
        .stop = stop };
    gh_fetch_answer_t  answer;
    gh_str_t           name, shown = gh_fetch_shown(check->url);
    bool               aws = credential->form != GH_CREDENTIAL_KEY;

    if (authorise(check, credential, arena, now_ms, &request, headers, error) != GH_OK || gh_fetch(&request, arena, &answer, error) != GH_OK) {
        return GH_CHECK_NO_WORD;
    }
    if (answer.status >= 200 && answer.status < 300) {
        return GH_CHECK_ACCEPTED;
    }
    name = answer.status == 403 ? error_name(&answer, arena) : GH_STR("");
    if (gh_credential_refused((int) answer.status, name, answer.body, aws)) {
        (void) gh_error_set(error, "check_refused", "%.*s refused it: it answered %u%s%s", GH_STR_ARG(shown), answer.status, name.len != 0 ? ", " : "",
            gh_exchange_word(arena, name));
        return GH_CHECK_REFUSED;
    }
    (void) gh_error_set(error, "check_answer", "%.*s answered %u, which says nothing of the credential", GH_STR_ARG(shown), answer.status);
    return GH_CHECK_NO_WORD;
}
