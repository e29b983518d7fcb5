/* Reports, members and ids: see reading.h. */
#include "policy/document/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
report(gh_loader_t *loader, gh_severity_t severity, gh_where_t where, const char *code, const char *format,
    va_list args)
{
    char text[GH_ERROR_TEXT];

    vsnprintf(text, sizeof(text), format, args);
    gh_report_add(loader->report, severity, code, where.source, where.line, where.column, "%s", text);
}

void
gh_doc_error(gh_loader_t *loader, gh_where_t where, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(loader, GH_SEVERITY_ERROR, where, code, format, args);
    va_end(args);
}

void
gh_doc_warn(gh_loader_t *loader, gh_where_t where, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(loader, GH_SEVERITY_WARNING, where, code, format, args);
    va_end(args);
}

static char
upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

static bool
same_letters(gh_str_t a, gh_str_t b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (upper(a.data[i]) != upper(b.data[i])) {
            return false;
        }
    }
    return true;
}

const char *
gh_doc_near(gh_loader_t *loader, gh_str_t word, const gh_str_t *candidates, size_t count)
{
    gh_str_t near = { "", 0 };

    for (size_t i = 0; i < count && near.len == 0; i++) {
        if (same_letters(word, candidates[i])) {
            near = candidates[i];
        }
    }
    if (near.len == 0) {
        near = gh_str_nearest(word, candidates, count);
    }
    if (near.len == 0) {
        return "";
    }
    return gh_doc_format(loader, "; did you mean \"%.*s\"?", GH_STR_ARG(near)).data;
}

gh_str_t
gh_doc_format(gh_loader_t *loader, const char *format, ...)
{
    char     text[1024];
    gh_str_t copy;
    va_list  args;
    int      len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    copy = gh_str_copy(loader->arena, (gh_str_t) { text, len < 0                       ? 0
                                                        : (size_t) len < sizeof(text) ? (size_t) len
                                                                                      : sizeof(text) - 1 });
    if (copy.data == NULL) {
        loader->report->no_memory = 1;
        return (gh_str_t) { "", 0 };
    }
    return copy;
}

void *
gh_doc_push(gh_loader_t *loader, void *items, uint32_t *count, size_t size)
{
    void **array = items;

    if ((*count & (*count - 1)) == 0) {    /* full at 0 and at every power of 2 */
        void *grown = gh_arena_grow(loader->arena, *array, *count, *count ? (size_t) *count * 2 : 1, size);

        if (grown == NULL) {
            loader->report->no_memory = 1;
            return NULL;
        }
        *array = grown;
    }
    return (char *) *array + (size_t) (*count)++ * size;
}

void
gh_doc_given(gh_loader_t *loader, const char *what, gh_str_t id, gh_where_t where)
{
    gh_given_id_t *given;

    if (id.len == 0) {
        return;
    }
    given = gh_doc_push(loader, &loader->ids, &loader->id_count, sizeof(*given));
    if (given != NULL) {
        *given = (gh_given_id_t) { what, id, where };
    }
}

const char *
gh_doc_types(gh_loader_t *loader, unsigned types)
{
    static const struct { unsigned types; const char *name; } names[] = {
        { GH_IS_OBJECT, "an object" }, { GH_IS_LIST, "a list" }, { GH_IS_STRING, "a string" },
        { GH_IS_NUMBER, "a number" }, { GH_IS_BOOL, "true or false" },
    };
    gh_str_t text = { "", 0 };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (types & names[i].types) {
            text = gh_doc_format(loader, "%.*s%s%s", GH_STR_ARG(text), text.len ? " or " : "", names[i].name);
        }
    }
    return text.data;
}

static const char *
type_name(const gh_node_t *node)
{
    return node->type == GH_NODE_ARRAY ? "a list" : gh_node_type_name(node->type);
}

static const gh_member_t *
find_member(const gh_member_t *table, gh_str_t name)
{
    for (; table->name; table++) {
        if (gh_str_is(name, table->name)) {
            return table;
        }
    }
    return NULL;
}

static void
unknown_member(gh_loader_t *loader, const gh_node_t *member, const char *what, const gh_member_t *table)
{
    gh_str_t names[64];
    size_t   count = 0;

    for (; table->name && count < 64; table++) {
        if (table->need != GH_LATER && table->need != GH_FOREIGN) {
            names[count++] = gh_str_from(table->name);
        }
    }
    gh_doc_error(loader, GH_WHERE_KEY(loader, member), "unknown_member", "%s has no member \"%.*s\"%s", what,
                 GH_STR_ARG(member->key), gh_doc_near(loader, member->key, names, count));
}

bool
gh_doc_members(gh_loader_t *loader, const gh_node_t *object, const char *what, const gh_member_t *table)
{
    if (object->type != GH_NODE_OBJECT) {
        gh_doc_error(
            loader, GH_WHERE(loader, object), "wrong_type", "%s must be an object, not %s", what, type_name(object));
        return false;
    }
    for (const gh_node_t *node = object->first; node; node = node->next) {
        const gh_member_t *member = find_member(table, node->key);

        if (member == NULL) {
            unknown_member(loader, node, what, table);
        } else if (member->need == GH_LATER) {
            gh_doc_error(
                loader, GH_WHERE_KEY(loader, node), "not_supported", "\"%s\" is not supported yet", member->name);
        } else if (member->need == GH_FOREIGN) {
            gh_doc_error(
                loader, GH_WHERE_KEY(loader, node), "foreign_member", "%s cannot say \"%s\"", what, member->name);
        } else if (!(member->types >> node->type & 1)) {
            gh_doc_error(loader, GH_WHERE(loader, node), "wrong_type", "\"%s\" must be %s, not %s", member->name,
                         gh_doc_types(loader, member->types), type_name(node));
        }
    }
    for (; table->name; table++) {
        if (table->need == GH_REQUIRED && gh_node_get(object, table->name) == NULL) {
            gh_doc_error(loader, GH_WHERE(loader, object), "missing_member", "%s must say \"%s\"", what, table->name);
        }
    }
    return true;
}

const gh_node_t *
gh_doc_get(const gh_node_t *object, const char *name, unsigned types)
{
    const gh_node_t *node = gh_node_get(object, name);

    return node != NULL && (types >> node->type & 1) ? node : NULL;
}
