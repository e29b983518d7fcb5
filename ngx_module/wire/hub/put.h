/* Private to the hub: writing JSON into memory that grows in an arena, from pieces that are JSON already. */
#ifndef GH_HUB_PUT_H
#define GH_HUB_PUT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "policy/base/arena.h"
#include "policy/base/str.h"

typedef struct {
    char       *data;
    size_t      len, size;
    size_t      max;         /* of size: above it nothing is written any more */
    gh_arena_t *arena;
    bool        failed;      /* no memory, or above max: what is written is not whole */
} gh_hub_put_t;

/* size: what it will probably be. */
void gh_hub_put_init(gh_hub_put_t *p, gh_arena_t *arena, size_t size, size_t max);

/* Room for len bytes more; false, and failed, when there is none. */
bool gh_hub_put_room(gh_hub_put_t *p, size_t len);

static inline void
gh_hub_put(gh_hub_put_t *p, gh_str_t bytes)
{
    if (bytes.len <= p->size - p->len || gh_hub_put_room(p, bytes.len)) {
        if (bytes.len != 0) {
            memcpy(p->data + p->len, bytes.data, bytes.len);
            p->len += bytes.len;
        }
    }
}

#define GH_HUB_PUT(p, literal) gh_hub_put((p), GH_STR(literal))

/*
 * Structure: a comma stands in front of a value or key unless it is the first of its object or array, or belongs to a key. What has been written tells:
 * its last byte, which is never inside a string.
 */
void gh_hub_put_comma(gh_hub_put_t *p);
void gh_hub_put_open(gh_hub_put_t *p, char bracket);
void gh_hub_put_close(gh_hub_put_t *p, char bracket);
void gh_hub_put_key(gh_hub_put_t *p, const char *key);

void gh_hub_put_raw(gh_hub_put_t *p, gh_str_t raw);
void gh_hub_put_string(gh_hub_put_t *p, gh_str_t escaped);
void gh_hub_put_u64(gh_hub_put_t *p, uint64_t n);
/* Text, or a raw value as text: escaped here. */
void gh_hub_put_text(gh_hub_put_t *p, gh_str_t text);

/* key and value; the plain ones write nothing when data is NULL. */
void gh_hub_put_kv_raw(gh_hub_put_t *p, const char *key, gh_str_t raw);
void gh_hub_put_kv_string(gh_hub_put_t *p, const char *key, gh_str_t escaped);
void gh_hub_put_kv_text(gh_hub_put_t *p, const char *key, gh_str_t text);
void gh_hub_put_kv_u64(gh_hub_put_t *p, const char *key, uint64_t n);

/* Formatted text behind *len bytes of a buffer of size bytes; *len counts what did not fit, too. For tables of the documents. */
void gh_hub_append(char *buffer, size_t size, size_t *len, const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Ids of calls that are made here: "call_gh_" and 24 hexadecimal digits, the same for the same text and number. All dialects take them. `out` has room
 * for GH_HUB_CALL_ID bytes.
 */
#define GH_HUB_CALL_ID 32
gh_str_t gh_hub_call_id(gh_str_t text, uint64_t number, char *out);

/* key and an escaped id of a call as Anthropic and Bedrock take it: up to 64 letters, digits, "_" and "-". Others have one made from them. */
void gh_hub_put_kv_call_id(gh_hub_put_t *p, const char *key, gh_str_t escaped);

#endif
