/*
 * AWS credentials that are handed out as they are: keys that somebody keeps, and those of the role that a virtual machine (docs.aws.amazon.com, "Retrieve
 * security credentials from instance metadata", IMDSv2 alone) or a container ("Container credential provider", of ECS and of EKS Pod Identity) has.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/agent/exchange.h"

#define IMDS            "http://169.254.169.254"
#define IMDS_ROLES      "/latest/meta-data/iam/security-credentials/"
#define IMDS_TOKEN_LIFE "21600"                   /* s */
#define CONTAINER       "http://169.254.170.2"

int
gh_credential_from_aws_keys(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    *out = (gh_credential_t) { .form = GH_CREDENTIAL_AWS };
    out->aws.access_key_id = source->access_key_id;
    if (gh_secret_read(run->arena, &source->secret, "the secret access key", &out->aws.secret_access_key, error) != GH_OK) {
        return GH_ERROR;
    }
    return source->session_token.kind == GH_SECRET_NONE ? GH_OK
        : gh_secret_read(run->arena, &source->session_token, "the session token", &out->aws.session_token, error);
}

int
gh_credential_from_aws_environment(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    gh_credential_source_t keys = *source;
    const char            *token = getenv("AWS_SESSION_TOKEN"), *id = getenv("AWS_ACCESS_KEY_ID");

    if (id == NULL || id[0] == '\0') {
        return gh_error_set(error, "source_secret", "AWS_ACCESS_KEY_ID is not set in the environment");
    }
    keys.access_key_id = gh_str_copy(run->arena, gh_str_from(id));
    keys.secret = (gh_secret_t) { GH_SECRET_ENVIRONMENT, GH_STR("AWS_SECRET_ACCESS_KEY") };
    keys.session_token = (gh_secret_t) { token != NULL && token[0] != '\0' ? GH_SECRET_ENVIRONMENT : GH_SECRET_NONE, GH_STR("AWS_SESSION_TOKEN") };
    if (keys.access_key_id.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    return gh_credential_from_aws_keys(&keys, run, out, error);
}

/* AccessKeyId, SecretAccessKey, Token and Expiration; instance metadata says "Code": "Success" too. */
static int
read_answer(gh_credential_run_t *run, const char *who, const gh_fetch_answer_t *answer, gh_credential_t *out, gh_error_t *error)
{
    gh_node_t *root;
    gh_str_t   code;
    gh_error_t inner = { 0 };

    *out = (gh_credential_t) { .form = GH_CREDENTIAL_AWS };
    if (answer->status != 200) {
        gh_str_t word = gh_json_parse(run->arena, answer->body, "", &root, &inner) == GH_OK && root->type == GH_NODE_OBJECT
            ? gh_exchange_text(root, gh_node_get(root, "code") != NULL ? "code" : "Code") : GH_STR("");

        return gh_error_set(error, "source_refused", "%s answered %u, %s", who, answer->status, gh_exchange_word(run->arena, word));
    }
    if (gh_exchange_object(run, who, answer, &root, error) != GH_OK) {
        return GH_ERROR;
    }
    code = gh_exchange_text(root, "Code");
    if (code.len != 0 && !gh_str_is(code, "Success")) {
        return gh_error_set(error, "source_refused", "%s answered %s", who, gh_exchange_word(run->arena, code));
    }
    if (gh_aws_credential_read(run->arena, answer->body, &out->aws, &inner) != GH_OK) {
        return gh_error_set(error, "source_answer", "%s: %s", who, inner.text);
    }
    if (out->aws.session_token.len == 0 || out->aws.expires_ms == 0) {
        return gh_error_set(error, "source_answer", "%s answered without Token and Expiration", who);
    }
    out->expires_ms = out->aws.expires_ms;
    return GH_OK;
}

/* ---- a virtual machine's role ---- */

static bool
role_valid(gh_str_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && strchr("+=,.@_-", c) == NULL) {
            return false;
        }
    }
    return name.len != 0 && name.len <= 128;
}

/* A token first, which an attacker who can only have a GET sent does not get; version 1 without one is not asked. */
static int
instance_token(const gh_credential_source_t *source, gh_credential_run_t *run, gh_str_t base, const char *who, gh_str_t *token, gh_error_t *error)
{
    gh_fetch_header_t  life = { GH_STR("X-aws-ec2-metadata-token-ttl-seconds"), GH_STR(IMDS_TOKEN_LIFE) };
    gh_fetch_request_t request = { .method = GH_STR("PUT"), .headers = &life, .headers_count = 1, .connect_ms = 2000, .body = GH_STR("") };
    gh_fetch_answer_t  answer;

    request.url = gh_str_format(run->arena, "%.*s/latest/api/token", GH_STR_ARG(base));
    if (gh_exchange(source, run, who, &request, &answer, error) != GH_OK) {
        return GH_ERROR;
    }
    if (answer.status != 200 || answer.body.len == 0) {
        return gh_error_set(error, "source_refused", "%s answered %u when it was asked for a token", who, answer.status);
    }
    *token = answer.body;
    return GH_OK;
}

int
gh_credential_from_instance(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    static const char  who[] = "the instance metadata service";
    gh_fetch_header_t  token = { GH_STR("X-aws-ec2-metadata-token"), GH_STR("") };
    gh_fetch_request_t request = { .headers = &token, .headers_count = 1, .connect_ms = 2000 };
    gh_fetch_answer_t  answer;
    gh_str_t           base = source->endpoint.len != 0 ? source->endpoint : GH_STR(IMDS), role;

    while (base.len > 0 && base.data[base.len - 1] == '/') {
        base.len--;
    }
    if (instance_token(source, run, base, who, &token.value, error) != GH_OK) {
        return GH_ERROR;
    }
    request.url = gh_str_format(run->arena, "%.*s" IMDS_ROLES, GH_STR_ARG(base));
    if (gh_exchange(source, run, who, &request, &answer, error) != GH_OK) {
        return GH_ERROR;
    }
    role = gh_token_trim(answer.body);
    if (answer.status != 200 || !role_valid(role)) {
        return gh_error_set(error, "source_refused", "%s answered %u without the name of a role: the instance has no profile", who, answer.status);
    }
    request.url = gh_str_format(run->arena, "%.*s" IMDS_ROLES "%.*s", GH_STR_ARG(base), GH_STR_ARG(role));
    return gh_exchange(source, run, who, &request, &answer, error) == GH_OK ? read_answer(run, who, &answer, out, error) : GH_ERROR;
}

/* ---- a container's role ---- */

static gh_str_t
host_of(gh_str_t url)
{
    const char *begin = strstr(url.data, "://"), *end;

    begin = begin != NULL ? begin + 3 : url.data;
    end = *begin == '[' ? begin + strcspn(begin, "]") + 1 : begin + strcspn(begin, ":/?#");
    return (gh_str_t) { begin, (size_t) (end - begin) };
}

/* In clear text only to this machine and to the addresses that AWS gives these services, as its own SDKs have it. */
static bool
allowed(gh_str_t url)
{
    static const char *const hosts[] = { "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost", "[::1]" };
    gh_str_t                 host = host_of(url);

    if (gh_str_starts(url, GH_STR("https://")) || gh_str_starts(host, GH_STR("127."))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (gh_str_is(host, hosts[i])) {
            return true;
        }
    }
    return false;
}

/* The file wins, and is read each time: EKS writes it anew. */
static int
container_token(const gh_credential_source_t *source, gh_credential_run_t *run, gh_str_t *token, gh_error_t *error)
{
    *token = GH_STR("");
    if (source->token_file.len != 0) {
        if (gh_secret_file(run->arena, source->token_file.data, "the container's authorization token", false, token, error) != GH_OK) {
            return GH_ERROR;
        }
    } else if (source->authorization_token.kind != GH_SECRET_NONE
        && gh_secret_read(run->arena, &source->authorization_token, "the container's authorization token", token, error) != GH_OK)
    {
        return GH_ERROR;
    }
    *token = gh_token_trim(*token);
    return GH_OK;
}

int
gh_credential_from_container(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    static const char  who[] = "the container's credential service";
    gh_fetch_header_t  headers[] = { { GH_STR("Accept"), GH_STR("application/json") }, { GH_STR("Authorization"), GH_STR("") } };
    gh_fetch_request_t request = { .headers = headers, .connect_ms = 2000 };
    gh_fetch_answer_t  answer;

    if (source->relative_uri.len == 0 && source->full_uri.len == 0) {
        return gh_error_set(error, "source_config", "neither relative_uri nor full_uri is said, nor in the environment");
    }
    if (source->relative_uri.len != 0 && source->relative_uri.data[0] != '/') {
        return gh_error_set(error, "source_config", "relative_uri does not begin with \"/\"");
    }
    request.url = source->relative_uri.len != 0 ? gh_str_format(run->arena, CONTAINER "%.*s", GH_STR_ARG(source->relative_uri)) : source->full_uri;
    if (request.url.data != NULL && !allowed(request.url)) {
        return gh_error_set(error, "source_config", "full_uri is neither https nor at an address of AWS's container services or of this machine");
    }
    if (container_token(source, run, &headers[1].value, error) != GH_OK) {
        return GH_ERROR;
    }
    request.headers_count = headers[1].value.len != 0 ? 2 : 1;
    return gh_exchange(source, run, who, &request, &answer, error) == GH_OK ? read_answer(run, who, &answer, out, error) : GH_ERROR;
}
