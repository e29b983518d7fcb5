/* Names, words, dates, lists and patterns of documents: see reading.h. */
#include "policy/document/reading.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAME 63

static bool
name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool
is_name(gh_str_t text)
{
    if (text.len == 0 || text.len > MAX_NAME || text.data[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!name_byte(text.data[i])) {
            return false;
        }
    }
    return true;
}

bool
gh_doc_name(gh_loader_t *loader, const gh_node_t *node)
{
    if (is_name(node->text)) {
        return true;
    }
    gh_doc_error(loader, GH_WHERE(loader, node), "bad_name",
        "\"%.*s\" is not a name: 1 to 63 of a-z, 0-9 and \"-\", not beginning with \"-\"", GH_STR_ARG(node->text));
    return false;
}

gh_str_t
gh_doc_id(gh_loader_t *loader, const gh_node_t *object, const char *member)
{
    const gh_node_t *node = gh_doc_get(object, member, GH_IS_STRING);

    if (node == NULL || !gh_doc_name(loader, node)) {
        return (gh_str_t) { "", 0 };
    }
    return node->text;
}

bool
gh_model_name_ok(gh_str_t text)
{
    if (text.len == 0 || text.len > 255) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '*' || text.data[i] == '"') {
            return false;
        }
    }
    return true;
}

bool
gh_doc_model_name(gh_loader_t *loader, gh_str_t text, gh_where_t where)
{
    if (gh_model_name_ok(text)) {
        return true;
    }
    gh_doc_error(loader, where, "bad_name",
        "\"%.*s\" is not a model name: 1 to 255 printable ASCII bytes without space, \"*\" and quote",
        GH_STR_ARG(text));
    return false;
}

int
gh_doc_word_of(gh_loader_t *loader, const gh_node_t *node, const char *what, const char *const *words, size_t count)
{
    gh_str_t    candidates[32], known = GH_STR("");
    const char *near;

    for (size_t i = 0; i < count && i < 32; i++) {
        candidates[i] = gh_str_from(words[i]);
        known = gh_doc_format(loader, "%.*s%s\"%s\"", GH_STR_ARG(known), i > 0 ? i + 1 < count ? ", " : " or " : "", words[i]);
        if (gh_str_eq(node->text, candidates[i])) {
            return (int) i;
        }
    }
    near = gh_doc_near(loader, node->text, candidates, count);
    gh_doc_error(loader, GH_WHERE(loader, node), "unknown_word", "unknown %s \"%.*s\"%s%.*s", what, GH_STR_ARG(node->text),
        *near != '\0' ? near : ": expected ", GH_STR_ARG(*near != '\0' ? GH_STR("") : known));
    return -1;
}

int
gh_doc_word(gh_loader_t *loader, const gh_node_t *node, const char *what, const char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL) {
        count++;
    }
    return gh_doc_word_of(loader, node, what, words, count);
}

gh_str_t
gh_doc_text(gh_loader_t *loader, const gh_node_t *node, size_t limit)
{
    if (node == NULL) {
        return (gh_str_t) { "", 0 };
    }
    if (node->text.len == 0 || node->text.len > limit) {
        gh_doc_error(loader, GH_WHERE(loader, node), "bad_text", "\"%.*s\" must have 1 to %zu bytes, not %zu",
                     GH_STR_ARG(node->key), limit, node->text.len);
        return (gh_str_t) { "", 0 };
    }
    for (size_t i = 0; i < node->text.len; i++) {
        if ((unsigned char) node->text.data[i] < ' ' || node->text.data[i] == 0x7f) {
            gh_doc_error(
                loader, GH_WHERE(loader, node), "bad_text", "\"%.*s\" holds a control byte", GH_STR_ARG(node->key));
            return (gh_str_t) { "", 0 };
        }
    }
    return node->text;
}

static bool
integer_from(gh_loader_t *loader, const gh_node_t *node, uint64_t min, uint64_t max, uint64_t *out)
{
    *out = 0;

    if (node == NULL) {
        return false;
    }
    if (gh_node_u64(node, out) != GH_OK || *out > max || *out < min) {
        *out = 0;
        gh_doc_error(loader, GH_WHERE(loader, node), "bad_number", "\"%.*s\" must be an integer from %llu to %llu",
            GH_STR_ARG(node->key), (unsigned long long) min, (unsigned long long) max);
        return false;
    }
    return true;
}

bool
gh_doc_integer(gh_loader_t *loader, const gh_node_t *node, uint64_t max, uint64_t *out)
{
    return integer_from(loader, node, 0, max, out);
}

bool
gh_doc_positive(gh_loader_t *loader, const gh_node_t *node, uint64_t max, uint64_t *out)
{
    return integer_from(loader, node, 1, max, out);
}

static bool
digits(gh_str_t text, size_t from, size_t count, uint32_t *out)
{
    *out = 0;

    for (size_t i = from; i < from + count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *out = *out * 10 + (uint32_t) (text.data[i] - '0');
    }
    return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; year >= 1970. */
static uint64_t
days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    uint32_t              y = year - 1;
    uint32_t              leaps = y / 4 - y / 100 + y / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    bool                  leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return (uint64_t) (year - 1970) * 365 + leaps + before[month - 1] + (leap && month > 2) + day - 1;
}

static uint32_t
month_days(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

bool
gh_doc_url_ok(gh_str_t url)
{
    static const gh_str_t near[] = { { "http://127.0.0.1", 16 }, { "http://localhost", 16 }, { "http://[::1]", 12 } };
    size_t                begin = gh_str_starts(url, GH_STR("https://")) ? 8 : 0;

    for (size_t i = 0; begin == 0 && i < sizeof(near) / sizeof(near[0]); i++) {
        begin = gh_str_starts(url, near[i]) && url.len > near[i].len && (url.data[near[i].len] == ':' || url.data[near[i].len] == '/') ? near[i].len : 0;
    }
    for (size_t i = 0; i < url.len; i++) {
        if ((unsigned char) url.data[i] <= ' ' || (unsigned char) url.data[i] > '~' || url.data[i] == '@' || url.data[i] == '#' || url.data[i] == '\\') {
            return false;
        }
    }
    return begin != 0 && url.len > begin && (begin != 8 || url.data[8] != '/');
}

bool
gh_doc_date(gh_loader_t *loader, const gh_node_t *node, uint64_t *ms, uint32_t *yyyymmdd)
{
    gh_str_t text = node->text;
    uint32_t year = 0, month = 0, day = 0;

    if (text.len != 10 || text.data[4] != '-' || text.data[7] != '-' || !digits(text, 0, 4, &year)
        || !digits(text, 5, 2, &month) || !digits(text, 8, 2, &day) || year < 1970 || month < 1 || month > 12
        || day < 1 || day > month_days(year, month)) {
        gh_doc_error(
            loader, GH_WHERE(loader, node), "bad_date", "\"%.*s\" is not a date: YYYY-MM-DD", GH_STR_ARG(text));
        return false;
    }
    if (ms != NULL) {
        *ms = days_since_1970(year, month, day) * GH_DAY_MS;
    }
    if (yyyymmdd != NULL) {
        *yyyymmdd = year * 10000 + month * 100 + day;
    }
    return true;
}

/* ---- patterns ---- */

unsigned
gh_doc_segments(gh_str_t pattern)
{
    unsigned count = 1;

    if (gh_str_is(pattern, "*")) {
        return 0;
    }
    for (size_t i = 0; i < pattern.len; i++) {
        count += pattern.data[i] == '/';
    }
    return count;
}

static const char *
tenant_pattern_mistake(gh_str_t text)
{
    size_t   begin = 0;
    unsigned segments = gh_doc_segments(text);

    if (segments == 0) {
        return NULL;
    }
    if (segments > 4) {
        return "has more than organisation/tenant/app/key";
    }
    for (unsigned i = 0; i < segments; i++) {
        const char *slash = memchr(text.data + begin, '/', text.len - begin);
        size_t      end = slash ? (size_t) (slash - text.data) : text.len;
        gh_str_t    segment = { text.data + begin, end - begin };
        bool        last = i + 1 == segments;

        if (segment.len != 0 && segment.data[segment.len - 1] == '*') {
            if (i == 0) {
                return "has a wildcard inside the organisation";
            }
            if (!last) {
                return "has a wildcard that is not at its end";
            }
            segment.len--;
            if (segment.len == 0) {
                return NULL;
            }
        }
        if (!is_name(segment)) {
            return "is not names joined by \"/\", with at most one \"*\", at the end";
        }
        begin = end + 1;
    }
    return NULL;
}

static bool
string_ok(gh_loader_t *loader, const gh_node_t *node, gh_list_kind_t kind)
{
    const char *mistake = NULL;
    gh_str_t    text = node->text;

    switch (kind) {
    case GH_LIST_NAMES:
        return gh_doc_name(loader, node);
    case GH_LIST_MODELS:
        return gh_doc_model_name(loader, text, GH_WHERE(loader, node));
    case GH_LIST_MODEL_PATTERNS:
        if (gh_str_is(text, "*")) {
            return true;
        }
        if (text.len != 0 && text.data[text.len - 1] == '*') {
            text.len--;
        }
        mistake = gh_model_name_ok(text) ? NULL : "is not a model name, nor the beginning of one and \"*\"";
        break;
    case GH_LIST_TENANT_PATTERNS:
        mistake = tenant_pattern_mistake(text);
        break;
    }
    if (mistake != NULL) {
        gh_doc_error(
            loader, GH_WHERE(loader, node), "bad_pattern", "pattern \"%.*s\" %s", GH_STR_ARG(node->text), mistake);
    }
    return mistake == NULL;
}

int32_t
gh_list_find(const gh_str_list_t *list, gh_str_t name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (gh_str_eq(list->items[i], name)) {
            return (int32_t) i;
        }
    }
    return -1;
}

/* By text, then as written. */
static int
node_cmp(const void *left, const void *right)
{
    const gh_node_t *a = *(const gh_node_t *const *) left, *b = *(const gh_node_t *const *) right;
    int              order = gh_str_cmp(a->text, b->text);

    if (order == 0) {
        order = (a->line > b->line) - (a->line < b->line);
    }
    return order != 0 ? order : (a->column > b->column) - (a->column < b->column);
}

/* Reports every string that stands in a list again; nodes is put in order. Lists may be long: none is compared with each. */
static void
refuse_twice(gh_loader_t *loader, const gh_node_t **nodes, size_t count)
{
    if (count < 2) {
        return;
    }
    qsort(nodes, count, sizeof(*nodes), node_cmp);
    for (size_t i = 1; i < count; i++) {
        if (gh_str_eq(nodes[i - 1]->text, nodes[i]->text)) {
            gh_doc_error(loader, GH_WHERE(loader, nodes[i]), "duplicate", "\"%.*s\" stands in this list twice",
                GH_STR_ARG(nodes[i]->text));
        }
    }
}

static bool
is_string(gh_loader_t *loader, const gh_node_t *node)
{
    if (node->type != GH_NODE_STRING) {
        gh_doc_error(loader, GH_WHERE(loader, node), "wrong_type", "a string must stand here, not %s",
                     node->type == GH_NODE_ARRAY ? "a list" : gh_node_type_name(node->type));
    }
    return node->type == GH_NODE_STRING;
}

gh_str_list_t
gh_doc_list(gh_loader_t *loader, const gh_node_t *node, gh_list_kind_t kind, unsigned flags)
{
    gh_str_list_t     list = { NULL, 0 };
    const gh_node_t **nodes, *item;
    bool              one = node != NULL && node->type == GH_NODE_STRING && (flags & GH_ALLOW_ONE);

    if (node == NULL) {
        return list;
    }
    if (!one && node->count == 0 && !(flags & GH_ALLOW_EMPTY)) {
        gh_doc_error(
            loader, GH_WHERE(loader, node), "empty_list", "\"%.*s\" must not be empty", GH_STR_ARG(node->key));
    }
    list.items = gh_arena_array(loader->arena, one ? 1 : node->count, sizeof(*list.items));
    nodes = gh_arena_array(loader->arena, one ? 1 : node->count, sizeof(*nodes));
    if (list.items == NULL || nodes == NULL) {
        loader->report->no_memory = 1;
        return (gh_str_list_t) { NULL, 0 };
    }
    for (item = one ? node : node->first; item; item = one ? NULL : item->next) {
        if (is_string(loader, item) && string_ok(loader, item, kind)) {
            nodes[list.count] = item;
            list.items[list.count++] = item->text;
        }
    }
    refuse_twice(loader, nodes, list.count);
    return list;
}

void
gh_doc_must_cover(gh_loader_t *loader, const gh_node_t *node, const gh_str_list_t *list,
    const gh_cover_check_t *check)
{
    const gh_node_t *item = node == NULL || node->type == GH_NODE_STRING ? node : node->first;
    uint32_t         read = 0;

    for (; item; item = item == node ? NULL : item->next) {
        gh_cover_check_t *cover;

        if (read == list->count || item->text.data != list->items[read].data) {
            continue;    /* it could not be read, and is reported */
        }
        read++;
        cover = gh_doc_push(loader, &loader->covers, &loader->cover_count, sizeof(*cover));
        if (cover != NULL) {
            *cover = *check;
            cover->pattern = item->text;
            cover->where = GH_WHERE(loader, item);
        }
    }
}

/* ---- masks ---- */

uint64_t
gh_doc_mask(gh_loader_t *loader, const gh_node_t *node, const char *what, const gh_str_list_t *words)
{
    uint64_t mask = 0;

    for (const gh_node_t *item = node->type == GH_NODE_STRING ? node : node->first; item;
         item = item == node ? NULL : item->next) {
        int32_t index = item->type == GH_NODE_STRING ? gh_list_find(words, item->text) : -1;

        if (item->type != GH_NODE_STRING) {
            gh_doc_error(loader, GH_WHERE(loader, item), "wrong_type", "a %s must be a string", what);
        } else if (index < 0) {
            gh_doc_error(loader, GH_WHERE(loader, item), strcmp(what, "class") == 0 ? "unknown_class" : "unknown_word",
                "unknown %s \"%.*s\"%s", what,
                GH_STR_ARG(item->text), gh_doc_near(loader, item->text, words->items, words->count));
        } else if (index < GH_MAX_NAMES && (mask >> index & 1)) {
            gh_doc_error(loader, GH_WHERE(loader, item), "duplicate", "\"%.*s\" stands in this list twice",
                GH_STR_ARG(item->text));
        } else if (index < GH_MAX_NAMES) {
            mask |= 1ull << index;
        }
    }
    return mask;
}

uint64_t
gh_doc_partitions(gh_loader_t *loader, const gh_node_t *node)
{
    return node ? gh_doc_mask(loader, node, "partition", &loader->model->partitions) : 0;
}

uint64_t
gh_doc_attests(gh_loader_t *loader, const gh_node_t *node)
{
    gh_str_list_t  names = gh_doc_list(loader, node, GH_LIST_NAMES, GH_ALLOW_EMPTY);
    gh_str_list_t *all = &loader->model->attests;
    uint64_t       mask = 0;

    for (uint32_t i = 0; i < names.count; i++) {
        int32_t   index = gh_list_find(all, names.items[i]);
        gh_str_t *item;

        if (index < 0) {
            index = (int32_t) all->count;
            item = gh_doc_push(loader, &all->items, &all->count, sizeof(*item));
            if (item == NULL) {
                return mask;
            }
            *item = names.items[i];
            if (index == GH_MAX_NAMES) {
                gh_doc_error(
                    loader, GH_WHERE(loader, node), "limit", "more than %d different attestations", GH_MAX_NAMES);
            }
        }
        if (index < GH_MAX_NAMES) {
            mask |= 1ull << index;
        }
    }
    return mask;
}
