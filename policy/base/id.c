#include "policy/base/id.h"

#include "policy/base/error.h"
#include "policy/base/hash.h"

#include <string.h>

static const uint8_t group_bytes[5] = { 4, 2, 2, 2, 6 };

void
gh_uuid_text(const uint8_t bytes[16], char out[GH_ID_LEN])
{
    unsigned i;

    for (i = 0; i < 5; i++) {
        if (i != 0) {
            *out++ = '-';
        }
        gh_hex(bytes, group_bytes[i], out);
        out += 2 * group_bytes[i];
        bytes += group_bytes[i];
    }
}

void
gh_uuid7(uint64_t unix_ms, const uint8_t random[10], char out[GH_ID_LEN])
{
    uint8_t  bytes[16];
    unsigned i;

    for (i = 0; i < 6; i++) {
        bytes[i] = (uint8_t) (unix_ms >> (40 - 8 * i));
    }
    memcpy(bytes + 6, random, 10);
    bytes[6] = (uint8_t) (0x70 | (bytes[6] & 0x0f));
    bytes[8] = (uint8_t) (0x80 | (bytes[8] & 0x3f));

    gh_uuid_text(bytes, out);
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int
gh_uuid_bytes(gh_str_t text, uint8_t bytes[16])
{
    unsigned i, digits = 0;
    int      digit;

    if (text.len != GH_ID_LEN) {
        return GH_ERROR;
    }

    for (i = 0; i < GH_ID_LEN; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text.data[i] != '-') {
                return GH_ERROR;
            }
            continue;
        }

        digit = hex_value(text.data[i]);
        if (digit < 0) {
            return GH_ERROR;
        }
        bytes[digits / 2] = (uint8_t) (digits % 2 == 0 ? digit << 4 : bytes[digits / 2] | digit);
        digits++;
    }

    return GH_OK;
}

int
gh_uuid7_time(gh_str_t text, uint64_t *unix_ms)
{
    uint8_t  bytes[16];
    uint64_t time = 0;
    unsigned i;

    if (gh_uuid_bytes(text, bytes) != GH_OK || bytes[6] >> 4 != 7 || bytes[8] >> 6 != 2) {
        return GH_ERROR;
    }

    for (i = 0; i < 6; i++) {
        time = time << 8 | bytes[i];
    }

    *unix_ms = time;
    return GH_OK;
}
