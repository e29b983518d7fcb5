/*
 * Chunks of one stream are alike: the same JSON but for the text that is new. One that was read tells where that stands; of those that follow with the
 * same bytes before and behind it, only that string is read. What it is found to say is what reading all of it would have found: a string in
 * the place of another changes neither what the bytes around it mean, nor, where it is counted as text, anything but how long it is.
 *
 * "obfuscation", with which OpenAI pads chunks, may differ too.
 */
#include <string.h>

#include "ngx_module/wire/sse.h"

#define LEARNED_AT_MOST 1024   /* bytes of a chunk that is learned from */
#define STRINGS         16     /* its last ones, which may be the text */

typedef struct { size_t begin, end; } span_t;   /* of a string, its quotes included */

/* The string that begins with the quote at p. Returns what stands behind it; NULL: it is none. */
static const char *
string_behind(const char *p, const char *end, uint64_t *decoded)
{
    gh_json_reader_t r;

    gh_json_reader_init(&r, (gh_str_t) { p, (size_t) (end - p) }, 0);
    if (p == end || gh_json_next(&r) != GH_JSON_STRING) {
        return NULL;
    }
    *decoded = r.token.len - r.token_spare;

    return p + r.token_end;
}

/* Past len bytes of text that stand at p; NULL: they do not. */
static const char *
same(const char *p, const char *end, const char *text, size_t len)
{
    return (size_t) (end - p) >= len && memcmp(p, text, len) == 0 ? p + len : NULL;
}

bool
gh_chunk_like(gh_chunk_like_t *like, gh_str_t data, gh_chunk_t *chunk)
{
    const char *end = data.data + data.len, *p;
    uint64_t    decoded = 0, padding = 0;

    if (!like->known) {
        return false;
    }

    p = same(data.data, end, like->text, like->head);
    p = p != NULL ? string_behind(p, end, &decoded) : NULL;
    if (p != NULL && like->padded) {
        p = same(p, end, like->text + like->head, like->middle);
        p = p != NULL ? string_behind(p, end, &padding) : NULL;
    }
    p = p != NULL ? same(p, end, like->text + like->head + like->middle, like->tail) : NULL;
    if (p != end) {
        return false;
    }

    memset(chunk, 0, sizeof(*chunk));
    chunk->readable = true;
    chunk->choices = true;
    chunk->finish = like->finish;
    chunk->content_bytes = like->other_bytes + decoded;
    chunk->waits = chunk->content_bytes == 0 && !chunk->finish;
    like->hits++;

    return true;
}

/* Only text: no error, no usage, not the end. */
static bool
plain(const gh_chunk_t *chunk)
{
    return chunk->readable && chunk->choices && !chunk->done && !chunk->error && !chunk->usage_only && chunk->usage_value.data == NULL;
}

/* Is the string counted? One byte more in it is one byte more of text then, and changes nothing else. */
static bool
counted(gh_str_t data, span_t string, const gh_chunk_t *chunk)
{
    char       longer[LEARNED_AT_MOST + 1];
    gh_chunk_t other;

    memcpy(longer, data.data, string.end - 1);
    longer[string.end - 1] = 'x';
    memcpy(longer + string.end, data.data + string.end - 1, data.len - string.end + 1);
    gh_chunk_chat((gh_str_t) { longer, data.len + 1 }, &other);

    return plain(&other) && other.finish == chunk->finish && other.content_bytes == chunk->content_bytes + 1;
}

/* Its last strings, and that of "obfuscation" (end 0: it has none). Returns how many. */
static unsigned
strings_of(gh_str_t data, span_t strings[STRINGS], span_t *padding)
{
    gh_json_reader_t r;
    unsigned         count = 0;
    bool             pads = false;

    *padding = (span_t) { 0, 0 };
    gh_json_reader_init(&r, data, 0);

    for (gh_json_next(&r); r.event != GH_JSON_ERROR && r.event != GH_JSON_END; gh_json_next(&r)) {
        if (r.event == GH_JSON_STRING && pads) {
            *padding = (span_t) { r.token_offset, r.token_end };
        } else if (r.event == GH_JSON_STRING) {
            memmove(strings + 1, strings, (STRINGS - 1) * sizeof(*strings));
            strings[0] = (span_t) { r.token_offset, r.token_end };
            count += count < STRINGS;
        }
        pads = r.event == GH_JSON_KEY && r.depth == 1 && gh_json_token_is(&r, GH_STR("obfuscation"));
    }

    return count;
}

static void
keep(gh_chunk_like_t *like, gh_str_t data, span_t text, span_t padding)
{
    size_t middle_end = padding.end != 0 ? padding.begin : text.end, tail = padding.end != 0 ? padding.end : text.end;

    if (text.begin + (middle_end - text.end) + (data.len - tail) > sizeof(like->text)) {
        return;
    }

    like->head = (uint16_t) text.begin;
    like->middle = (uint16_t) (middle_end - text.end);
    like->tail = (uint16_t) (data.len - tail);
    like->padded = padding.end != 0;
    memcpy(like->text, data.data, like->head);
    memcpy(like->text + like->head, data.data + text.end, like->middle);
    memcpy(like->text + like->head + like->middle, data.data + tail, like->tail);
    like->known = true;
}

void
gh_chunk_learn(gh_chunk_like_t *like, gh_str_t data, const gh_chunk_t *chunk)
{
    span_t   strings[STRINGS], padding;
    unsigned count, i;
    uint64_t decoded;

    /* a stream whose chunks are never alike is not tried for ever */
    if (!plain(chunk) || chunk->content_bytes == 0 || data.len > LEARNED_AT_MOST || like->tries > 3 + like->hits / 8) {
        return;
    }

    like->tries++;
    like->known = false;
    count = strings_of(data, strings, &padding);

    for (i = 0; i < count; i++) {
        if (padding.end != 0 && padding.begin < strings[i].end) {
            continue;
        }
        if (counted(data, strings[i], chunk) && string_behind(data.data + strings[i].begin, data.data + data.len, &decoded) != NULL) {
            like->finish = chunk->finish;
            like->other_bytes = chunk->content_bytes - decoded;
            keep(like, data, strings[i], padding);
            return;
        }
    }
}
