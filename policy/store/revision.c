#include "policy/store/revision.h"

#include <stdlib.h>
#include <string.h>

#include "policy/store/image_format.h"

typedef struct {
    uint8_t  envelope[GH_ENVELOPE_SIZE];
    uint64_t number, base, time_ms, rollback_of;
    uint8_t  policy_digest[32], facts_digest[32];
    uint32_t author_len, reason_len, document_count, changed_count;
} revision_fixed_t;

typedef struct {
    uint8_t  sha256[32];
    uint32_t path_len, owner_len;
    uint32_t tenants, reserved;           /* tenants: 1 when it is a tenants/1 document */
} revision_document_t;

static size_t
record_size(const gh_store_revision_new_t *revision)
{
    size_t len = sizeof(revision_fixed_t) + revision->source_count * sizeof(revision_document_t)
        + revision->changed_count * sizeof(uint32_t) + revision->author.len + revision->reason.len;

    for (size_t i = 0; i < revision->source_count; i++) {
        len += revision->sources[i].path.len + revision->sources[i].owner.len;
    }
    for (size_t i = 0; i < revision->changed_count; i++) {
        len += revision->changed[i].len;
    }
    return len;
}

static uint8_t *
put(uint8_t *at, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(at, data, len);
    }
    return at + len;
}

uint8_t *
gh_revision_record(uint64_t number, uint64_t now_ms, const gh_store_revision_new_t *revision, size_t *len)
{
    const gh_image_header_t *header = revision->image.data;
    revision_fixed_t         fixed;
    uint8_t                 *value, *at;

    *len = record_size(revision);
    value = calloc(1, *len);
    if (value == NULL) {
        return NULL;
    }
    memset(&fixed, 0, sizeof(fixed));
    fixed.number = number;
    fixed.base = revision->base;
    fixed.time_ms = now_ms;
    fixed.rollback_of = revision->rollback_of;
    memcpy(fixed.policy_digest, header->policy_digest, 32);
    memcpy(fixed.facts_digest, header->facts_digest, 32);
    fixed.author_len = (uint32_t) revision->author.len;
    fixed.reason_len = (uint32_t) revision->reason.len;
    fixed.document_count = (uint32_t) revision->source_count;
    fixed.changed_count = (uint32_t) revision->changed_count;
    at = put(value, &fixed, sizeof(fixed));

    for (size_t i = 0; i < revision->source_count; i++) {
        const gh_store_source_t *source = &revision->sources[i];
        revision_document_t      document = { .path_len = (uint32_t) source->path.len,
                                              .owner_len = (uint32_t) source->owner.len, .tenants = source->tenants };

        memcpy(document.sha256, source->sha256, sizeof(document.sha256));
        at = put(at, &document, sizeof(document));
    }
    for (size_t i = 0; i < revision->changed_count; i++) {
        uint32_t changed_len = (uint32_t) revision->changed[i].len;

        at = put(at, &changed_len, sizeof(changed_len));
    }
    at = put(at, revision->author.data, revision->author.len);
    at = put(at, revision->reason.data, revision->reason.len);
    for (size_t i = 0; i < revision->source_count; i++) {
        at = put(at, revision->sources[i].path.data, revision->sources[i].path.len);
        at = put(at, revision->sources[i].owner.data, revision->sources[i].owner.len);
    }
    for (size_t i = 0; i < revision->changed_count; i++) {
        at = put(at, revision->changed[i].data, revision->changed[i].len);
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

static int
take_documents(gh_bytes_t value, const uint8_t *entries, size_t *at, gh_arena_t *arena, gh_store_revision_t *revision,
    gh_error_t *error)
{
    revision_document_t document;

    for (size_t i = 0; i < revision->document_count; i++) {
        memcpy(&document, entries + i * sizeof(document), sizeof(document));
        memcpy(revision->documents[i].sha256, document.sha256, 32);
        revision->documents[i].tenants = document.tenants == 1;
        if (take_string(value, at, document.path_len, arena, &revision->documents[i].path, error) != GH_OK
            || take_string(value, at, document.owner_len, arena, &revision->documents[i].owner, error) != GH_OK)
        {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

static int
take_changed(gh_bytes_t value, const uint8_t *lengths, size_t *at, gh_arena_t *arena, gh_store_revision_t *revision,
    gh_error_t *error)
{
    uint32_t len;

    for (size_t i = 0; i < revision->changed_count; i++) {
        memcpy(&len, lengths + i * sizeof(len), sizeof(len));
        if (take_string(value, at, len, arena, &revision->changed[i], error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return GH_OK;
}

int
gh_revision_read(gh_bytes_t value, gh_arena_t *arena, gh_store_revision_t *revision, gh_error_t *error)
{
    revision_fixed_t fixed;
    const uint8_t   *documents, *changed;
    size_t           rest, at;

    memset(revision, 0, sizeof(*revision));
    if (value.len < sizeof(fixed)) {
        return gh_error_set(error, "store_damaged", "a revision's record is not valid");
    }
    memcpy(&fixed, value.data, sizeof(fixed));
    rest = value.len - sizeof(fixed);
    if (fixed.document_count > rest / sizeof(revision_document_t)
        || fixed.changed_count > (rest - fixed.document_count * sizeof(revision_document_t)) / sizeof(uint32_t))
    {
        return gh_error_set(error, "store_damaged", "a revision's record is not valid");
    }
    documents = (const uint8_t *) value.data + sizeof(fixed);
    changed = documents + fixed.document_count * sizeof(revision_document_t);
    at = (size_t) (changed - (const uint8_t *) value.data) + fixed.changed_count * sizeof(uint32_t);

    revision->number = fixed.number;
    revision->base = fixed.base;
    revision->time_ms = fixed.time_ms;
    revision->rollback_of = fixed.rollback_of;
    memcpy(revision->policy_digest, fixed.policy_digest, 32);
    memcpy(revision->facts_digest, fixed.facts_digest, 32);
    revision->document_count = fixed.document_count;
    revision->documents = gh_arena_array(arena, fixed.document_count, sizeof(*revision->documents));
    revision->changed_count = fixed.changed_count;
    revision->changed = gh_arena_array(arena, fixed.changed_count, sizeof(*revision->changed));
    if (revision->documents == NULL || revision->changed == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for the history");
    }
    if (take_string(value, &at, fixed.author_len, arena, &revision->author, error) != GH_OK
        || take_string(value, &at, fixed.reason_len, arena, &revision->reason, error) != GH_OK
        || take_documents(value, documents, &at, arena, revision, error) != GH_OK)
    {
        return GH_ERROR;
    }
    return take_changed(value, changed, &at, arena, revision, error);
}
