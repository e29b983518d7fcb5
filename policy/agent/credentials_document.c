/* credentials/1, and the table of sources: a new one is a row, its members, and a flow. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "policy/agent/credential_check.h"
#include "policy/base/hash.h"
#include "policy/document/reading.h"

#define TEXT_MAX     2048u
#define DURATION_MAX 43200u           /* s: what STS gives at most */
#define MEMBERS      16u
#define AUTHORIZATION "AWS_CONTAINER_AUTHORIZATION_TOKEN"   /* the one secret that is taken from the environment unasked */

/* "!": must be said. "=NAME": from the environment when it is not, and then it must be there unless "?" follows. */
static const gh_credential_kind_t kinds[] = {
    { "api_key", gh_credential_from_key, { "secret!", NULL } },
    { "azure_key", gh_credential_from_key, { "secret!", NULL } },
    { "bedrock_api_key", gh_credential_from_bearer, { "secret!", NULL } },
    { "entra_client_secret", gh_credential_from_entra_secret,
      { "secret!", "tenant_id=AZURE_TENANT_ID", "client_id=AZURE_CLIENT_ID", "authority=AZURE_AUTHORITY_HOST?", "scope", "ca_file", NULL } },
    { "entra_client_certificate", gh_credential_from_entra_certificate,
      { "certificate!", "send_chain", "tenant_id=AZURE_TENANT_ID", "client_id=AZURE_CLIENT_ID", "authority=AZURE_AUTHORITY_HOST?", "scope", "ca_file", NULL } },
    { "entra_workload_identity", gh_credential_from_entra_federation,
      { "token_file=AZURE_FEDERATED_TOKEN_FILE", "tenant_id=AZURE_TENANT_ID", "client_id=AZURE_CLIENT_ID", "authority=AZURE_AUTHORITY_HOST?", "scope", "ca_file",
        NULL } },
    { "azure_managed_identity", gh_credential_from_managed_identity, { "client_id", "object_id", "resource_id", "scope", "endpoint", "ca_file", NULL } },
    { "aws_keys", gh_credential_from_aws_keys, { "access_key_id!", "secret!", "session_token", NULL } },
    { "aws_environment", gh_credential_from_aws_environment, { NULL } },
    { "aws_profile", gh_credential_from_aws_profile,
      { "profile=AWS_PROFILE?", "config_file=AWS_CONFIG_FILE?", "credentials_file=AWS_SHARED_CREDENTIALS_FILE?", "region=AWS_REGION?",
        "endpoint=AWS_ENDPOINT_URL_STS?", "ca_file", NULL } },
    { "aws_instance_metadata", gh_credential_from_instance, { "endpoint=AWS_EC2_METADATA_SERVICE_ENDPOINT?", "ca_file", NULL } },
    { "aws_container", gh_credential_from_container,
      { "relative_uri=AWS_CONTAINER_CREDENTIALS_RELATIVE_URI?", "full_uri=AWS_CONTAINER_CREDENTIALS_FULL_URI?",
        "token_file=AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE?", "authorization_token=AWS_CONTAINER_AUTHORIZATION_TOKEN?", "ca_file", NULL } },
    { "aws_web_identity", gh_credential_from_web_identity,
      { "token_file=AWS_WEB_IDENTITY_TOKEN_FILE", "role_arn=AWS_ROLE_ARN", "session_name=AWS_ROLE_SESSION_NAME?", "region=AWS_REGION",
        "endpoint=AWS_ENDPOINT_URL_STS?", "duration_seconds", "ca_file", NULL } },
    { "aws_assume_role", gh_credential_from_assumed_role,
      { "from!", "role_arn!", "session_name", "external_id", "region=AWS_REGION", "endpoint=AWS_ENDPOINT_URL_STS?", "duration_seconds", "ca_file", NULL } },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

typedef enum { FIELD_TEXT, FIELD_SECRET, FIELD_SECONDS, FIELD_BOOL, FIELD_SOURCE } field_type_t;

#define FIELD(name, type) { #name, type, offsetof(gh_credential_source_t, name) }

static const struct field_s { const char *name; field_type_t type; size_t offset; } fields[] = {
    FIELD(secret, FIELD_SECRET), FIELD(certificate, FIELD_SECRET), FIELD(session_token, FIELD_SECRET), FIELD(authorization_token, FIELD_SECRET),
    FIELD(tenant_id, FIELD_TEXT), FIELD(client_id, FIELD_TEXT), FIELD(authority, FIELD_TEXT), FIELD(scope, FIELD_TEXT), FIELD(object_id, FIELD_TEXT),
    FIELD(resource_id, FIELD_TEXT), FIELD(token_file, FIELD_TEXT), FIELD(endpoint, FIELD_TEXT), FIELD(ca_file, FIELD_TEXT), FIELD(access_key_id, FIELD_TEXT),
    FIELD(profile, FIELD_TEXT), FIELD(config_file, FIELD_TEXT), FIELD(credentials_file, FIELD_TEXT), FIELD(region, FIELD_TEXT), FIELD(role_arn, FIELD_TEXT),
    FIELD(session_name, FIELD_TEXT), FIELD(external_id, FIELD_TEXT), FIELD(relative_uri, FIELD_TEXT), FIELD(full_uri, FIELD_TEXT),
    FIELD(duration_seconds, FIELD_SECONDS), FIELD(send_chain, FIELD_BOOL), FIELD(from, FIELD_SOURCE)
};

static const gh_member_t document_members[] = { { "kind", GH_IS_STRING, GH_REQUIRED }, { "credentials", GH_IS_LIST, GH_REQUIRED }, { NULL, 0, 0 } };
static const gh_member_t secret_members[] = { { "file", GH_IS_STRING, 0 }, { "environment", GH_IS_STRING, 0 }, { "systemd", GH_IS_STRING, 0 }, { NULL, 0, 0 } };

typedef struct {                      /* a member as its kind has it */
    const struct field_s *field;
    gh_str_t              name;       /* NUL-terminated */
    const char           *environment;
    bool                  required, optional;
} member_t;

const gh_credential_kind_t *
gh_credential_kind(gh_str_t word)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (gh_str_is(word, kinds[i].word)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static member_t
member_of(const char *text, char *room, size_t size)
{
    size_t      len = strcspn(text, "!=");
    const char *equals = strchr(text, '=');
    member_t    member = { .required = text[len] == '!' };

    len = len < size ? len : size - 1;
    memcpy(room, text, len);
    room[len] = '\0';
    member.name = (gh_str_t) { room, len };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, room) == 0) {
            member.field = &fields[i];
        }
    }
    if (equals != NULL) {
        member.environment = equals + 1;
        member.optional = equals[strlen(equals) - 1] == '?';
    }
    return member;
}

/* The name of the variable, without the "?". NULL: it is not set, or empty. */
static const char *
from_environment(const member_t *member, char name[64])
{
    const char *value;

    if (member->environment == NULL) {
        return NULL;
    }
    memcpy(name, member->environment, strlen(member->environment) + 1);
    name[strcspn(name, "?")] = '\0';
    value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* What a source of that kind takes from the environment and was not said. */
void
gh_credential_environment(gh_credential_source_t *source)
{
    char room[64], name[64];

    for (size_t i = 0; source->kind->members[i] != NULL; i++) {
        member_t    member = member_of(source->kind->members[i], room, sizeof(room));
        const char *value = from_environment(&member, name);
        char       *at = (char *) source + member.field->offset;

        if (value != NULL && member.field->type == FIELD_TEXT && ((gh_str_t *) (void *) at)->len == 0) {
            *(gh_str_t *) (void *) at = gh_str_from(value);
        } else if (value != NULL && member.field->type == FIELD_SECRET && ((gh_secret_t *) (void *) at)->kind == GH_SECRET_NONE) {
            *(gh_secret_t *) (void *) at = (gh_secret_t) { GH_SECRET_ENVIRONMENT, gh_str_from(AUTHORIZATION) };
        }
    }
}

/* One more text; its length with it, so that two do not run into each other. */
static void
mark_more(uint8_t mark[32], gh_str_t text)
{
    uint64_t   len = text.len;
    gh_bytes_t parts[3] = { { mark, 32 }, { &len, sizeof(len) }, { text.data, text.len } };

    gh_sha256_parts(parts, 3, mark);
}

static void
mark_source(uint8_t mark[32], const gh_credential_source_t *source)
{
    mark_more(mark, gh_str_from(source->kind->word));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const void        *at = (const char *) source + fields[i].offset;
        const gh_secret_t *secret = at;

        switch (fields[i].type) {
        case FIELD_TEXT:
            mark_more(mark, *(const gh_str_t *) at);
            break;
        case FIELD_SECRET:
            mark_more(mark, (gh_str_t) { (const char *) &secret->kind, sizeof(secret->kind) });
            mark_more(mark, secret->name);
            break;
        case FIELD_SECONDS:
            mark_more(mark, (gh_str_t) { at, sizeof(uint64_t) });
            break;
        case FIELD_BOOL:
            mark_more(mark, (gh_str_t) { at, sizeof(bool) });
            break;
        case FIELD_SOURCE:
            if (source->from != NULL) {
                mark_source(mark, source->from);
            }
        }
    }
}

void
gh_credential_source_mark(const gh_credential_source_t *source, char mark[65])
{
    uint8_t hash[32] = { 0 };

    mark_source(hash, source);
    gh_hex(hash, sizeof(hash), mark);
    mark[64] = '\0';
}

/* ---- reading ---- */

static void read_source(gh_loader_t *loader, const gh_node_t *node, const char *what, unsigned depth, gh_credential_source_t *source);

static gh_str_t
read_text(gh_loader_t *loader, const gh_node_t *node)
{
    gh_str_t text = gh_doc_text(loader, node, TEXT_MAX);

    return text.len != 0 ? gh_str_copy(loader->arena, text) : GH_STR("");
}

static void
read_secret(gh_loader_t *loader, const gh_node_t *node, const char *name, gh_secret_t *secret)
{
    static const struct { const char *name; gh_secret_kind_t kind; } places[] = {
        { "file", GH_SECRET_FILE }, { "environment", GH_SECRET_ENVIRONMENT }, { "systemd", GH_SECRET_SYSTEMD }
    };
    const gh_node_t *member = node->first;

    if (!gh_doc_members(loader, node, gh_doc_format(loader, "\"%s\"", name).data, secret_members)) {
        return;
    }
    if (node->count != 1) {
        gh_doc_error(loader, GH_WHERE(loader, node), "bad_secret", "\"%s\" must say one of \"file\", \"environment\" and \"systemd\"", name);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (gh_str_is(member->key, places[i].name) && member->type == GH_NODE_STRING) {
            *secret = (gh_secret_t) { places[i].kind, read_text(loader, member) };
        }
    }
    if (secret->kind == GH_SECRET_FILE && secret->name.len != 0 && secret->name.data[0] != '/') {
        gh_doc_error(loader, GH_WHERE(loader, member), "bad_secret", "\"file\" must be an absolute path, not \"%.*s\"", GH_STR_ARG(secret->name));
    }
    if (secret->kind == GH_SECRET_SYSTEMD && memchr(secret->name.data, '/', secret->name.len) != NULL) {
        gh_doc_error(loader, GH_WHERE(loader, member), "bad_secret", "\"systemd\" is the name of a LoadCredential, not a path");
    }
}

static void
read_member(gh_loader_t *loader, const gh_node_t *node, const member_t *member, unsigned depth, gh_credential_source_t *source)
{
    void *at = (char *) source + member->field->offset;

    switch (member->field->type) {
    case FIELD_TEXT:
        if (node->type == GH_NODE_STRING) {
            *(gh_str_t *) at = read_text(loader, node);
        }
        break;
    case FIELD_SECRET:
        if (node->type == GH_NODE_OBJECT) {
            read_secret(loader, node, member->name.data, at);
        }
        break;
    case FIELD_SECONDS:
        if (node->type == GH_NODE_NUMBER && gh_doc_positive(loader, node, DURATION_MAX, at) && *(uint64_t *) at < 900) {
            gh_doc_error(loader, GH_WHERE(loader, node), "bad_duration", "\"%s\" is from 900 to %u seconds", member->name.data, DURATION_MAX);
        }
        break;
    case FIELD_BOOL:
        *(bool *) at = node->type == GH_NODE_TRUE;
        break;
    case FIELD_SOURCE:
        if (node->type == GH_NODE_OBJECT) {
            gh_credential_source_t *from = gh_arena_alloc(loader->arena, sizeof(*from));

            if (from != NULL) {
                read_source(loader, node, "\"from\"", depth + 1, from);
            }
            source->from = from;
        }
    }
}

static unsigned
types_of(field_type_t type)
{
    return type == FIELD_TEXT ? GH_IS_STRING : type == FIELD_SECONDS ? GH_IS_NUMBER : type == FIELD_BOOL ? GH_IS_BOOL : GH_IS_OBJECT;
}

static bool
is_said(const member_t *member, const gh_credential_source_t *source)
{
    const void *at = (const char *) source + member->field->offset;

    return member->field->type == FIELD_TEXT ? ((const gh_str_t *) at)->len != 0 : member->field->type == FIELD_SECRET
        ? ((const gh_secret_t *) at)->kind != GH_SECRET_NONE : true;
}

/* Members of a kind, which is known; then what the environment has, and what is missing after it. */
static void
read_members(gh_loader_t *loader, const gh_node_t *node, const char *what, unsigned depth, gh_credential_source_t *source)
{
    gh_member_t table[MEMBERS] = { { "source", GH_IS_STRING, GH_REQUIRED } };
    member_t    members[MEMBERS];
    char        rooms[MEMBERS][64], variable[64];
    size_t      count = 0, t = 1;

    if (depth == 0) {
        table[t++] = (gh_member_t) { "id", GH_IS_STRING, GH_REQUIRED };
        table[t++] = (gh_member_t) { "check", GH_IS_OBJECT, 0 };
    }
    for (; source->kind->members[count] != NULL; count++) {
        members[count] = member_of(source->kind->members[count], rooms[count], sizeof(rooms[count]));
        table[t++] = (gh_member_t) { rooms[count], types_of(members[count].field->type), members[count].required ? GH_REQUIRED : 0 };
    }
    table[t] = (gh_member_t) { NULL, 0, 0 };
    if (!gh_doc_members(loader, node, what, table)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const gh_node_t *member = gh_node_get(node, rooms[i]);

        if (member != NULL) {
            read_member(loader, member, &members[i], depth, source);
        }
    }
    gh_credential_environment(source);
    for (size_t i = 0; i < count; i++) {
        if (members[i].environment != NULL && !members[i].optional && !is_said(&members[i], source) && gh_node_get(node, rooms[i]) == NULL) {
            (void) from_environment(&members[i], variable);
            gh_doc_error(loader, GH_WHERE(loader, node), "missing_member", "%s must say \"%s\": %s is not set in the environment", what, rooms[i], variable);
        }
    }
}

static void
read_source(gh_loader_t *loader, const gh_node_t *node, const char *what, unsigned depth, gh_credential_source_t *source)
{
    const gh_node_t *word = gh_doc_get(node, "source", GH_IS_STRING), *check;
    const char      *words[KINDS + 1] = { NULL };
    int              index;

    source->line = node->line;
    if (node->type != GH_NODE_OBJECT || word == NULL) {
        gh_doc_error(loader, GH_WHERE(loader, node), "missing_member", "%s must be an object that says \"source\"", what);
        return;
    }
    for (size_t i = 0; i < KINDS; i++) {
        words[i] = kinds[i].word;
    }
    index = gh_doc_word(loader, word, "source", words);
    if (index < 0) {
        return;
    }
    if (depth + 1 > GH_CREDENTIAL_CHAIN) {
        gh_doc_error(loader, GH_WHERE(loader, node), "too_deep", "more than %u sources stand inside each other", GH_CREDENTIAL_CHAIN);
        return;
    }
    source->kind = &kinds[index];
    read_members(loader, node, what, depth, source);
    check = depth == 0 ? gh_doc_get(node, "check", GH_IS_OBJECT) : NULL;
    source->check = check != NULL ? gh_credential_check_read(loader, check, source) : NULL;
    if (source->from != NULL && source->from->kind != NULL && strncmp(source->from->kind->word, "aws_", 4) != 0) {
        gh_doc_error(loader, (gh_where_t) { loader->source, source->from->line, 0 }, "bad_source", "\"from\" must be a source of AWS credentials, not \"%s\"",
            source->from->kind->word);
    }
}

static void
read_list(gh_loader_t *loader, const gh_node_t *list, gh_credential_list_t *out)
{
    if (list->count > GH_CREDENTIALS_MAX) {
        gh_doc_error(loader, GH_WHERE(loader, list), "too_many", "at most %u credentials", GH_CREDENTIALS_MAX);
        return;
    }
    out->items = gh_arena_array(loader->arena, list->count + 1, sizeof(*out->items));
    for (const gh_node_t *node = list->first; out->items != NULL && node != NULL; node = node->next) {
        gh_credential_source_t *source = &out->items[out->count++];
        gh_str_t                id = node->type == GH_NODE_OBJECT ? gh_doc_id(loader, node, "id") : GH_STR("");

        source->id = id.len != 0 ? gh_str_copy(loader->arena, id) : id;
        if (id.len != 0) {
            gh_doc_given(loader, "credential", id, GH_WHERE(loader, node));
        }
        read_source(loader, node, id.len != 0 ? gh_doc_format(loader, "credential \"%.*s\"", GH_STR_ARG(id)).data : "a credential", 0, source);
    }
}

int
gh_credentials_read(gh_arena_t *arena, gh_str_t text, const char *source, gh_credential_list_t *list, gh_report_t *report)
{
    gh_loader_t      loader = { .arena = arena, .report = report, .source = source };
    gh_error_t       error = { 0 };
    gh_node_t       *root;
    const gh_node_t *kind, *items;

    *list = (gh_credential_list_t) { NULL, 0 };
    if (gh_json_parse(arena, text, source, &root, &error) != GH_OK) {
        gh_report_add(report, GH_SEVERITY_ERROR, error.code, source, error.line, error.column, "%s", error.text);
        return GH_ERROR;
    }
    if (gh_doc_members(&loader, root, "the document", document_members)) {
        kind = gh_doc_get(root, "kind", GH_IS_STRING);
        if (kind != NULL && !gh_str_is(kind->text, "credentials/1")) {
            gh_doc_error(&loader, GH_WHERE(&loader, kind), "unknown_kind", "the kind of this document must be \"credentials/1\"");
        }
        items = gh_doc_get(root, "credentials", GH_IS_LIST);
        if (items != NULL) {
            read_list(&loader, items, list);
        }
    }
    if (report->no_memory || (list->count != 0 && list->items == NULL)) {
        gh_report_add(report, GH_SEVERITY_ERROR, "no_memory", source, 0, 0, "out of memory");
    }
    return report->errors == 0 && !report->no_memory ? GH_OK : GH_ERROR;
}
