#include "policy/agent/exchange.h"

#include <string.h>

#define ANSWER_MAX (256u * 1024)
#define WORD_MAX   64u

static bool
unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

static char *
put_encoded(char *p, gh_str_t value)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char) value.data[i];

        if (unreserved(value.data[i])) {
            *p++ = value.data[i];
        } else {
            *p++ = '%';
            *p++ = hex[byte >> 4];
            *p++ = hex[byte & 15];
        }
    }
    return p;
}

gh_str_t
gh_form(gh_arena_t *arena, const gh_form_field_t *fields, size_t count)
{
    size_t size = 1;
    char  *text, *p;

    for (size_t i = 0; i < count; i++) {
        size += strlen(fields[i].name) + fields[i].value.len * 3 + 2;
    }
    p = text = gh_arena_alloc(arena, size);
    if (text == NULL) {
        return (gh_str_t) { NULL, 0 };
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value.data == NULL) {
            continue;
        }
        if (p != text) {
            *p++ = '&';
        }
        p = put_encoded(p, gh_str_from(fields[i].name));
        *p++ = '=';
        p = put_encoded(p, fields[i].value);
    }
    return (gh_str_t) { text, (size_t) (p - text) };
}

int
gh_exchange(const gh_credential_source_t *source, gh_credential_run_t *run, const char *who, gh_fetch_request_t *request, gh_fetch_answer_t *answer,
    gh_error_t *error)
{
    gh_error_t inner = { 0 };

    if (request->url.data == NULL || (request->method.len == 4 && request->body.data == NULL)) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    request->ca_file = source->ca_file.len != 0 ? source->ca_file.data : NULL;
    request->stop = run->stop;
    request->body_max = ANSWER_MAX;
    if (gh_fetch(request, run->arena, answer, &inner) != GH_OK) {
        return gh_error_set(error, inner.code, "%s: %s", who, inner.text);
    }
    return GH_OK;
}

int
gh_exchange_object(gh_credential_run_t *run, const char *who, const gh_fetch_answer_t *answer, gh_node_t **root, gh_error_t *error)
{
    gh_error_t inner = { 0 };

    if (gh_json_parse(run->arena, answer->body, "", root, &inner) != GH_OK || (*root)->type != GH_NODE_OBJECT) {
        return gh_error_set(error, "source_answer", "%s answered %u with what is no JSON object", who, answer->status);
    }
    return GH_OK;
}

gh_str_t
gh_exchange_text(const gh_node_t *object, const char *name)
{
    const gh_node_t *member = gh_node_get(object, name);

    return member != NULL && member->type == GH_NODE_STRING ? member->text : GH_STR("");
}

uint64_t
gh_exchange_seconds(const gh_node_t *object, const char *name)
{
    const gh_node_t *member = gh_node_get(object, name);
    uint64_t         value = 0;

    if (member == NULL || (member->type != GH_NODE_NUMBER && member->type != GH_NODE_STRING) || member->text.len == 0 || member->text.len > 12) {
        return 0;
    }
    for (size_t i = 0; i < member->text.len; i++) {
        if (member->text.data[i] < '0' || member->text.data[i] > '9') {
            return 0;
        }
        value = value * 10 + (uint64_t) (member->text.data[i] - '0');
    }
    return value;
}

const char *
gh_exchange_word(gh_arena_t *arena, gh_str_t text)
{
    size_t   len = 0;
    gh_str_t word;

    while (len < text.len && len < WORD_MAX && unreserved(text.data[len]) && text.data[len] != '~') {
        len++;
    }
    word = gh_str_copy(arena, (gh_str_t) { text.data, len });
    return word.data != NULL && len != 0 ? word.data : "no reason";
}
