#include "ngx_module/wire/body_digest.h"

#include <string.h>

#include "policy/base/hash.h"

static size_t
length(const gh_str_t *pieces, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += pieces[i].len;
    }
    return len;
}

/* Of one length as a whole. */
static bool
same_bytes(const gh_str_t *a, const gh_str_t *b, size_t len)
{
    size_t in_a = 0, in_b = 0, step;

    while (len != 0) {
        while (in_a == a->len) {
            a++;
            in_a = 0;
        }
        while (in_b == b->len) {
            b++;
            in_b = 0;
        }
        step = a->len - in_a < b->len - in_b ? a->len - in_a : b->len - in_b;
        if (a->data + in_a != b->data + in_b && memcmp(a->data + in_a, b->data + in_b, step) != 0) {
            return false;
        }
        in_a += step;
        in_b += step;
        len -= step;
    }
    return true;
}

void
gh_body_digest(gh_body_digest_t *kept, const gh_str_t *pieces, size_t count, uint8_t sha256[32])
{
    gh_bytes_t parts[GH_BODY_PIECES];
    size_t     len = length(pieces, count);

    if (kept->hashed == 0 || length(kept->pieces, kept->count) != len || !same_bytes(kept->pieces, pieces, len)) {
        for (size_t i = 0; i < count; i++) {
            parts[i] = (gh_bytes_t) { pieces[i].data, pieces[i].len };
            kept->pieces[i] = pieces[i];
        }
        gh_sha256_parts(parts, count, kept->sha256);
        kept->count = count;
        kept->hashed++;
    }
    memcpy(sha256, kept->sha256, 32);
}
