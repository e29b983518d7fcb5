#include "policy/store/revision.h"

#include <stdlib.h>
#include <string.h>

#include "policy/store/image_format.h"

typedef struct {
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint64_t number, base, time_ms;
    uint8_t  policy_digest[32], facts_digest[32];
    uint32_t author_len, reason_len, document_count, reserved;
} revision_fixed_t;

typedef struct {
    uint8_t  sha256[32];
    uint32_t path_len, reserved;
} revision_document_t;

uint8_t *
gh_revision_record(uint64_t number, uint64_t now_ms, const gh_store_revision_new_t *revision, size_t *len)
{
    const gh_image_header_t *header = revision->image.data;
    revision_fixed_t         fixed;
    uint8_t                 *value, *at;

    *len = sizeof(fixed) + revision->source_count * sizeof(revision_document_t) + revision->author.len + revision->reason.len;
    for (size_t i = 0; i < revision->source_count; i++) {
        *len += revision->sources[i].path.len;
    }
    value = calloc(1, *len);
    if (value == NULL) {
        return NULL;
    }
    memset(&fixed, 0, sizeof(fixed));
    fixed.number = number;
    fixed.base = revision->base;
    fixed.time_ms = now_ms;
    memcpy(fixed.policy_digest, header->policy_digest, 32);
    memcpy(fixed.facts_digest, header->facts_digest, 32);
    fixed.author_len = (uint32_t) revision->author.len;
    fixed.reason_len = (uint32_t) revision->reason.len;
    fixed.document_count = (uint32_t) revision->source_count;
    memcpy(value, &fixed, sizeof(fixed));
    at = value + sizeof(fixed);
    for (size_t i = 0; i < revision->source_count; i++) {
        revision_document_t document = { .path_len = (uint32_t) revision->sources[i].path.len };

        gh_sha256(revision->sources[i].text.data, revision->sources[i].text.len, document.sha256);
        memcpy(at, &document, sizeof(document));
        at += sizeof(document);
    }
    for (size_t i = 0; i < revision->source_count + 2; i++) {
        gh_str_t s = i == 0 ? revision->author : i == 1 ? revision->reason : revision->sources[i - 2].path;

        if (s.len > 0) {
            memcpy(at, s.data, s.len);
        }
        at += s.len;
    }
    return value;
}

/* The next len bytes of value as a copy in the arena. */
static int
take_string(gh_bytes_t value, size_t *at, uint32_t len, gh_arena_t *arena, gh_str_t *out, gh_error_t *error)
{
    if (len > value.len - *at) {
        return gh_error_set(error, "store_damaged", "a revision's record is not valid");
    }
    *out = gh_str_copy(arena, (gh_str_t) { (const char *) value.data + *at, len });
    *at += len;
    return out->data == NULL ? gh_error_set(error, "out_of_memory", "no memory for the history") : GH_OK;
}

int
gh_revision_read(gh_bytes_t value, gh_arena_t *arena, gh_store_revision_t *revision, gh_error_t *error)
{
    revision_fixed_t    fixed;
    revision_document_t document;
    const uint8_t      *documents = (const uint8_t *) value.data + sizeof(fixed);
    size_t              at;

    memset(revision, 0, sizeof(*revision));
    if (value.len < sizeof(fixed)) {
        return gh_error_set(error, "store_damaged", "a revision's record is not valid");
    }
    memcpy(&fixed, value.data, sizeof(fixed));
    if (fixed.document_count > (value.len - sizeof(fixed)) / sizeof(document)) {
        return gh_error_set(error, "store_damaged", "a revision's record is not valid");
    }
    at = sizeof(fixed) + fixed.document_count * sizeof(document);
    revision->number = fixed.number;
    revision->base = fixed.base;
    revision->time_ms = fixed.time_ms;
    memcpy(revision->policy_digest, fixed.policy_digest, 32);
    memcpy(revision->facts_digest, fixed.facts_digest, 32);
    revision->document_count = fixed.document_count;
    revision->documents = gh_arena_array(arena, fixed.document_count, sizeof(*revision->documents));
    if (revision->documents == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the history");
    }
    if (take_string(value, &at, fixed.author_len, arena, &revision->author, error) != GH_OK
        || take_string(value, &at, fixed.reason_len, arena, &revision->reason, error) != GH_OK)
    {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < fixed.document_count; i++) {
        memcpy(&document, documents + i * sizeof(document), sizeof(document));
        memcpy(revision->documents[i].sha256, document.sha256, 32);
        if (take_string(value, &at, document.path_len, arena, &revision->documents[i].path, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}
