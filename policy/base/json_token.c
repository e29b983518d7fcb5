#include "policy/base/json_reader.h"

#include <string.h>

static unsigned
hex_value(char c)
{
    return c <= '9' ? (unsigned) (c - '0') : (unsigned) ((c | 0x20) - 'a' + 10);
}

static uint32_t
hex4(const char *p)
{
    return hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4 | hex_value(p[3]);
}

static size_t
utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char) c;
        return 1;
    }

    if (c < 0x800) {
        out[0] = (char) (0xc0 | c >> 6);
        out[1] = (char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        out[0] = (char) (0xe0 | c >> 12);
        out[1] = (char) (0x80 | (c >> 6 & 0x3f));
        out[2] = (char) (0x80 | (c & 0x3f));
        return 3;
    }

    out[0] = (char) (0xf0 | c >> 18);
    out[1] = (char) (0x80 | (c >> 12 & 0x3f));
    out[2] = (char) (0x80 | (c >> 6 & 0x3f));
    out[3] = (char) (0x80 | (c & 0x3f));
    return 4;
}

/* One escape of a token the reader has checked. Bytes written to out; *p moves past the escape. Half a pair alone is U+FFFD. */
static size_t
escape_decode(const char **p, const char *end, char out[4])
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char       *from = *p;
    uint32_t          unit;

    if (from[1] != 'u') {
        out[0] = bytes[strchr(letters, from[1]) - letters];
        *p = from + 2;
        return 1;
    }

    unit = hex4(from + 2);
    *p = from + 6;

    if (unit >= 0xd800 && unit <= 0xdfff) {
        if (unit > 0xdbff || end - from < 12 || from[6] != '\\' || from[7] != 'u' || hex4(from + 8) < 0xdc00 || hex4(from + 8) > 0xdfff) {
            return utf8_encode(0xfffd, out);
        }
        unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(from + 8) - 0xdc00);
        *p = from + 12;
    }

    return utf8_encode(unit, out);
}

/* The next piece of the decoded token: a run without escapes, or one decoded escape in scratch. */
static gh_str_t
token_piece(const char **p, const char *end, char scratch[4])
{
    const char *run = *p, *stop;

    if (*run == '\\') {
        return (gh_str_t) { scratch, escape_decode(p, end, scratch) };
    }

    stop = memchr(run, '\\', (size_t) (end - run));
    *p = stop != NULL ? stop : end;

    return (gh_str_t) { run, (size_t) (*p - run) };
}

bool
gh_json_token_is_escaped(const gh_json_reader_t *reader, gh_str_t text)
{
    const char *p = reader->token.data, *end = p + reader->token.len;
    char        scratch[4];
    gh_str_t    piece;

    while (p < end) {
        piece = token_piece(&p, end, scratch);
        if (!gh_str_starts(text, piece)) {
            return false;
        }
        text.data += piece.len;
        text.len -= piece.len;
    }

    return text.len == 0;
}

int
gh_json_token_decode(const gh_json_reader_t *reader, char *buffer, size_t size, gh_str_t *out)
{
    const char *p = reader->token.data, *end = p + reader->token.len;
    char        scratch[4];
    gh_str_t    piece;
    size_t      len = 0;

    if (!reader->escaped) {
        *out = reader->token;
        return GH_OK;
    }

    while (p < end) {
        piece = token_piece(&p, end, scratch);
        if (piece.len > size - len) {
            return GH_ERROR;
        }
        memcpy(buffer + len, piece.data, piece.len);
        len += piece.len;
    }

    *out = (gh_str_t) { buffer, len };
    return GH_OK;
}

int
gh_json_token_u64(const gh_json_reader_t *reader, uint64_t *out)
{
    uint64_t value = 0;
    size_t   i;

    if (reader->event != GH_JSON_NUMBER || reader->token.len > 19) {
        return GH_ERROR;
    }

    for (i = 0; i < reader->token.len; i++) {
        char c = reader->token.data[i];

        if (c < '0' || c > '9') {
            return GH_ERROR;
        }
        value = value * 10 + (uint64_t) (c - '0');   /* 19 digits stay below 2^64 */
    }

    if (value > INT64_MAX) {
        return GH_ERROR;
    }

    *out = value;
    return GH_OK;
}

void
gh_json_position(gh_str_t text, size_t offset, uint32_t *line, uint32_t *column)
{
    const char *p = text.data, *at, *newline;

    if (offset > text.len) {
        offset = text.len;
    }
    at = text.data + offset;
    *line = 1;

    while (p < at && (newline = memchr(p, '\n', (size_t) (at - p))) != NULL) {
        (*line)++;
        p = newline + 1;
    }

    *column = (uint32_t) (at - p) + 1;
}

void
gh_json_seen_init(gh_json_seen_t *seen)
{
    memset(seen, 0, sizeof(*seen));
}

static int
seen_fail(gh_json_reader_t *reader, const char *code)
{
    reader->event = GH_JSON_ERROR;
    reader->error_code = code;
    reader->error_offset = reader->token_offset;
    return GH_ERROR;
}

int
gh_json_seen_add(gh_json_seen_t *seen, gh_json_reader_t *reader)
{
    const char *p = reader->token.data, *end = p + reader->token.len;
    char        scratch[4];
    gh_str_t    piece;
    uint64_t    hash = UINT64_C(0xcbf29ce484222325);   /* FNV-1a */
    uint32_t    slot;
    size_t      i;

    if (reader->event != GH_JSON_KEY) {
        return GH_ERROR;
    }

    while (p < end) {
        piece = token_piece(&p, end, scratch);
        for (i = 0; i < piece.len; i++) {
            hash = (hash ^ (unsigned char) piece.data[i]) * UINT64_C(0x100000001b3);
        }
    }

    hash ^= hash >> 32;
    if (hash == 0) {
        hash = 1;   /* 0 marks a free slot */
    }

    for (slot = (uint32_t) (hash % (GH_JSON_MAX_KEYS * 2)); seen->hash[slot] != 0;
         slot = (slot + 1) % (GH_JSON_MAX_KEYS * 2))
    {
        if (seen->hash[slot] == hash) {
            return seen_fail(reader, "duplicate key");
        }
    }

    if (seen->count == GH_JSON_MAX_KEYS) {
        return seen_fail(reader, "too many keys");
    }

    seen->hash[slot] = hash;
    seen->count++;

    return GH_OK;
}
