#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* memmem, memrchr */
#endif

#include "policy/audit/basis.h"

#include "policy/audit/line.h"
#include "policy/base/error.h"

#include <stdlib.h>

#define REFERENCE "\"basis\":["       /* inside a string its quotes would be escaped */
#define HOLE      "null"

int
gh_basis_take(gh_basis_texts_t *texts, gh_str_t line)
{
    uint64_t  number = gh_line_number(line, "basis");
    gh_str_t  members = gh_line_member(line, "members");
    gh_str_t *all;
    size_t    count;
    char     *text;

    if (number == 0 || number > GH_BASIS_NUMBERS || members.len < 3 || members.data[0] != '{'
        || (number < texts->count && texts->texts[number].data != NULL))
    {
        return GH_ERROR;
    }
    if (number >= texts->count) {
        count = number * 2 + 16;
        all = realloc(texts->texts, count * sizeof(*all));
        if (all == NULL) {
            return GH_ERROR;
        }
        memset(all + texts->count, 0, (count - texts->count) * sizeof(*all));
        texts->texts = all;
        texts->count = count;
    }

    text = malloc(members.len - 2);
    if (text == NULL) {
        return GH_ERROR;
    }
    memcpy(text, members.data + 1, members.len - 2);
    texts->texts[number] = (gh_str_t) { text, members.len - 2 };

    return GH_OK;
}

int
gh_basis_take_all(gh_basis_texts_t *texts, gh_str_t lines)
{
    static const char type[] = ",\"v\":1,\"type\":\"basis\",";
    const char       *at = lines.data, *end = lines.data + lines.len;

    while ((at = memmem(at, (size_t) (end - at), type, sizeof(type) - 1)) != NULL) {
        const char *before = memrchr(lines.data, '\n', (size_t) (at - lines.data)), *begin = before != NULL ? before + 1 : lines.data;
        const char *stop = memchr(at, '\n', (size_t) (end - at));

        if (stop == NULL) {
            break;                       /* it is being written */
        }
        if (gh_basis_take(texts, (gh_str_t) { begin, (size_t) (stop - begin) }) != GH_OK) {
            return GH_ERROR;
        }
        at = stop;
    }

    return GH_OK;
}

typedef struct { char *at, *end; } room_t;

static bool
put(room_t *room, const char *data, size_t len)
{
    if ((size_t) (room->end - room->at) < len) {
        return false;
    }
    memcpy(room->at, data, len);
    room->at += len;

    return true;
}

/* Behind the string that begins there. */
static const char *
string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }

    return p < end ? p + 1 : end;
}

/* The next value of those, a number; empty: there is none. */
static gh_str_t
next_value(const char **at, const char *end)
{
    gh_str_t value = { *at + 1, 0 };

    if (*at < end && **at == ',') {
        while (value.data + value.len < end && value.data[value.len] >= '0' && value.data[value.len] <= '9') {
            value.len++;
        }
        *at = value.data + value.len;
    }

    return value;
}

/* The text with the values in its holes, as many as there are of them. */
static bool
fill(room_t *room, gh_str_t text, const char **values, const char *end)
{
    const char *p = text.data, *stop = p + text.len, *from = p;

    while (p < stop) {
        if (*p == '"') {
            p = string_end(p, stop);
            continue;
        }
        if (*p != 'n' || (size_t) (stop - p) < sizeof(HOLE) - 1 || memcmp(p, HOLE, sizeof(HOLE) - 1) != 0) {
            p++;
            continue;
        }
        gh_str_t value = next_value(values, end);

        if (value.len == 0 || !put(room, from, (size_t) (p - from)) || !put(room, value.data, value.len)) {
            return false;
        }
        from = p += sizeof(HOLE) - 1;
    }

    return put(room, from, (size_t) (stop - from));
}

int
gh_basis_whole(const gh_basis_texts_t *texts, gh_str_t line, char *out, size_t size, gh_str_t *whole)
{
    const char *from = line.data, *end = from + line.len, *at;
    room_t      room = { out, out + size };

    *whole = line;
    while ((at = memmem(from, (size_t) (end - from), REFERENCE, sizeof(REFERENCE) - 1)) != NULL) {
        const char *p = at + sizeof(REFERENCE) - 1;
        uint64_t    number = 0;

        for (; p < end && *p >= '0' && *p <= '9' && number <= GH_BASIS_NUMBERS; p++) {
            number = number * 10 + (unsigned char) (*p - '0');
        }
        if (number >= texts->count || texts->texts[number].data == NULL || !put(&room, from, (size_t) (at - from))
            || !fill(&room, texts->texts[number], &p, end) || p >= end || *p != ']')
        {
            return GH_ERROR;
        }
        from = p + 1;
    }
    if (from == line.data) {
        return GH_OK;
    }
    if (!put(&room, from, (size_t) (end - from))) {
        return GH_ERROR;
    }
    *whole = (gh_str_t) { out, (size_t) (room.at - out) };

    return GH_OK;
}

void
gh_basis_texts_free(gh_basis_texts_t *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free((char *) texts->texts[i].data);
    }
    free(texts->texts);
    *texts = (gh_basis_texts_t) { 0 };
}
