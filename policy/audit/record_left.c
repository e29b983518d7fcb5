/* How somebody else's segment ends. */
#include "policy/audit/line.h"
#include "policy/audit/record_writer.h"
#include "policy/audit/segment_read.h"
#include "policy/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
gh_record_left_read(gh_record_left_t *left, bool *done, gh_error_t *error)
{
    gh_segment_t *segment = &left->segment;
    gh_line_t     line;
    gh_str_t      text;
    uint8_t       digest[32];
    char         *bytes;
    size_t        len;

    *done = false;
    left->n = 0;
    left->sealed = false;
    memset(left->chain, '0', sizeof(left->chain));

    if (gh_segment_last(segment->fd, segment->size, &bytes, &len, &left->torn_bytes) != GH_OK) {
        return gh_error_at(error, "audit_unreadable", segment->name, 0, 0, "cannot read %s: %s", segment->name, strerror(errno));
    }
    if (bytes == NULL) {
        left->sealed = true;             /* not even a first line: nothing goes behind that either */
        return GH_OK;
    }

    text = (gh_str_t) { bytes, len };
    gh_sha256(bytes, len, digest);
    gh_hex(digest, sizeof(digest), left->chain);

    if (!gh_line_read(text, &line)) {
        left->sealed = true;             /* whoever wrote that */
    } else {
        left->n = line.n + 1;
        left->sealed = line.type == GH_LINE_SEAL;
        *done = left->sealed && left->torn_bytes == 0 && gh_line_member(text, "next_file").len == 0;
    }
    free(bytes);

    return GH_OK;
}

int
gh_record_left_cut(gh_record_left_t *left, gh_error_t *error)
{
    gh_segment_t *segment = &left->segment;

    if (left->torn_bytes == 0) {
        return GH_OK;
    }
    if (ftruncate(segment->fd, (off_t) (segment->size - left->torn_bytes)) != 0) {
        return gh_error_at(error, "audit_unreadable", segment->name, 0, 0, "cannot cut the torn line off %s: %s", segment->name,
            strerror(errno));
    }
    segment->size -= left->torn_bytes;
    segment->held = segment->size;

    return GH_OK;
}
