#include "ngx_module/wire/hub/put.h"

#include <stdarg.h>
#include <stdio.h>

#include "ngx_module/wire/hub/read.h"
#include "policy/base/hash.h"
#include "policy/base/json_writer.h"

void
gh_hub_put_init(gh_hub_put_t *p, gh_arena_t *arena, size_t size, size_t max)
{
    memset(p, 0, sizeof(*p));
    p->arena = arena;
    p->max = max;
    gh_hub_put_room(p, size);
}

bool
gh_hub_put_room(gh_hub_put_t *p, size_t len)
{
    size_t size = p->size != 0 ? p->size : 512;
    char  *data;

    if (p->failed || len > p->max - p->len) {
        p->failed = true;
        return false;
    }

    if (len <= p->size - p->len) {
        return true;
    }

    while (size - p->len < len) {
        size = size > p->max / 2 ? p->max : size * 2;
    }

    data = p->arena->alloc(p->arena, size);
    if (data == NULL) {
        p->failed = true;
        return false;
    }

    if (p->len != 0) {
        memcpy(data, p->data, p->len);
    }
    p->data = data;
    p->size = size;

    return true;
}

static void
put_byte(gh_hub_put_t *p, char c)
{
    gh_hub_put(p, (gh_str_t) { &c, 1 });
}

void
gh_hub_put_comma(gh_hub_put_t *p)
{
    char last = p->len != 0 ? p->data[p->len - 1] : '\n';

    if (last != '{' && last != '[' && last != ':' && last != '\n' && last != ' ') {
        put_byte(p, ',');
    }
}

void
gh_hub_put_open(gh_hub_put_t *p, char bracket)
{
    gh_hub_put_comma(p);
    put_byte(p, bracket);
}

void
gh_hub_put_close(gh_hub_put_t *p, char bracket)
{
    put_byte(p, bracket);
}

void
gh_hub_put_key(gh_hub_put_t *p, const char *key)
{
    gh_hub_put_comma(p);
    put_byte(p, '"');
    gh_hub_put(p, gh_str_from(key));
    GH_HUB_PUT(p, "\":");
}

void
gh_hub_put_raw(gh_hub_put_t *p, gh_str_t raw)
{
    gh_hub_put_comma(p);
    gh_hub_put(p, raw);
}

void
gh_hub_put_string(gh_hub_put_t *p, gh_str_t escaped)
{
    gh_hub_put_comma(p);
    put_byte(p, '"');
    gh_hub_put(p, escaped);
    put_byte(p, '"');
}

void
gh_hub_put_u64(gh_hub_put_t *p, uint64_t n)
{
    char digits[GH_STR_DIGITS];

    gh_hub_put_raw(p, gh_str_u64(n, digits));
}

void
gh_hub_put_text(gh_hub_put_t *p, gh_str_t text)
{
    /* most of it needs no escapes; six bytes for each at most, which is asked for only when it does not fit; what fits at last is known when it is written */
    const size_t     rooms[] = { text.len + text.len / 4 + 16, text.len * 6 + 2 };
    gh_json_writer_t w;
    size_t           left;

    gh_hub_put_comma(p);
    left = p->max - p->len;

    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        if (!gh_hub_put_room(p, rooms[i] < left ? rooms[i] : left)) {
            return;
        }
        gh_json_writer_init(&w, p->data + p->len, p->size - p->len);
        gh_json_string(&w, text);
        if (gh_json_writer_ok(&w)) {
            p->len += w.len;
            return;
        }
    }

    p->failed = true;
}

void
gh_hub_put_kv_raw(gh_hub_put_t *p, const char *key, gh_str_t raw)
{
    if (raw.data != NULL) {
        gh_hub_put_key(p, key);
        gh_hub_put_raw(p, raw);
    }
}

void
gh_hub_put_kv_string(gh_hub_put_t *p, const char *key, gh_str_t escaped)
{
    if (escaped.data != NULL) {
        gh_hub_put_key(p, key);
        gh_hub_put_string(p, escaped);
    }
}

void
gh_hub_put_kv_text(gh_hub_put_t *p, const char *key, gh_str_t text)
{
    gh_hub_put_key(p, key);
    gh_hub_put_text(p, text);
}

void
gh_hub_put_kv_u64(gh_hub_put_t *p, const char *key, uint64_t n)
{
    gh_hub_put_key(p, key);
    gh_hub_put_u64(p, n);
}

/* ---- ids of calls ---- */

#define CALL_ID_MAX 64

gh_str_t
gh_hub_call_id(gh_str_t text, uint64_t number, char *out)
{
    gh_bytes_t parts[] = { { text.data, text.len }, { &number, sizeof(number) } };
    uint8_t    hash[32];

    gh_sha256_parts(parts, 2, hash);
    memcpy(out, "call_gh_", 8);
    gh_hex(hash, (GH_HUB_CALL_ID - 8) / 2, out + 8);

    return (gh_str_t) { out, GH_HUB_CALL_ID };
}

static bool
call_id_taken(gh_str_t id)
{
    size_t i;

    for (i = 0; i < id.len; i++) {
        char c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) {
            return false;
        }
    }

    return id.len != 0 && id.len <= CALL_ID_MAX;
}

void
gh_hub_put_kv_call_id(gh_hub_put_t *p, const char *key, gh_str_t escaped)
{
    char     own[GH_HUB_CALL_ID];
    gh_str_t text;

    if (escaped.data == NULL || call_id_taken(escaped)) {
        gh_hub_put_kv_string(p, key, escaped);
        return;
    }

    /* the call and its result may be escaped differently */
    text = gh_hub_decode(p->arena, escaped);
    p->failed |= text.data == NULL;
    gh_hub_put_kv_string(p, key, gh_hub_call_id(text, 0, own));
}

void
gh_hub_append(char *buffer, size_t size, size_t *len, const char *format, ...)
{
    va_list arguments;
    int     n;

    va_start(arguments, format);
    n = vsnprintf(*len < size ? buffer + *len : NULL, *len < size ? size - *len : 0, format, arguments);
    va_end(arguments);
    *len += n > 0 ? (size_t) n : 0;
}
