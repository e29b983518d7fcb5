/* Request ids: UUIDv7 text (RFC 9562 section 5.7), 36 bytes lower-case. Time and randomness are handed in. */
#ifndef GH_ID_H
#define GH_ID_H

#include <stdint.h>

#include "policy/base/str.h"

#define GH_ID_LEN 36

/* out has 36 bytes, no NUL. random: 10 bytes; unix_ms: the time, 48 bits used. */
void gh_uuid7(uint64_t unix_ms, const uint8_t random[10], char out[GH_ID_LEN]);

/* GH_OK and the time when text is a well-formed UUIDv7. */
int gh_uuid7_time(gh_str_t text, uint64_t *unix_ms);

/* The 16 bytes that a UUID's text stands for, as the ledger has ids, and back. GH_ERROR: text has not its 36 bytes of it. */
int  gh_uuid_bytes(gh_str_t text, uint8_t bytes[16]);
void gh_uuid_text(const uint8_t bytes[16], char out[GH_ID_LEN]);

#endif
