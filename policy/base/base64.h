/*
 * Base64 of RFC 4648: section 4 with padding, in one piece or in parts, and section 5 (base64url) without. Both ways of decoding are strict: bytes have one
 * spelling, and nothing but the alphabet is taken, white space neither.
 */
#ifndef GH_BASE64_H
#define GH_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/base/str.h"

#define GH_BASE64_LENGTH(len)  (((len) + 2) / 3 * 4)       /* of the text of len bytes */
#define GH_BASE64_DECODED(len) ((len) / 4 * 3 + 3)         /* most bytes that a part of len characters gives */

/* out has GH_BASE64_LENGTH(len) bytes, no NUL. Returns the count. */
size_t gh_base64(const void *data, size_t len, char *out);

/* Decoded length, or -1 when text is not canonical base64 with its padding or does not fit. out may be text.data. */
long gh_base64_decode(gh_str_t text, void *out, size_t size);

/* A text that comes in parts. */
typedef struct {
    uint32_t bits;       /* private */
    uint8_t  held;       /* characters of the last four, padding included */
    uint8_t  padding;
    bool     wrong;      /* stays */
} gh_base64_decoder_t;

void gh_base64_decoder_init(gh_base64_decoder_t *decoder);

/* out has GH_BASE64_DECODED(text.len) bytes elsewhere. Bytes written, or -1: the text is wrong, and so is all that follows. */
long gh_base64_decoder_feed(gh_base64_decoder_t *decoder, gh_str_t text, void *out);

/* Was that all of a text? false: it is cut, or was wrong. */
bool gh_base64_decoder_done(const gh_base64_decoder_t *decoder);

/* Without padding. out has (len * 4 + 2) / 3 bytes. Returns the count. */
size_t gh_base64url(const uint8_t *data, size_t len, char *out);

/* Decoded length, or -1 when text is not canonical base64url without padding or does not fit. */
long gh_base64url_decode(gh_str_t text, uint8_t *out, size_t size);

#endif
