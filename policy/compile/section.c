#include "policy/compile/section.h"

#include <string.h>

void *
gh_section_append(gh_builder_t *builder, gh_section_t section, uint32_t count)
{
    gh_section_buffer_t *buffer = &builder->section[section];
    size_t               bytes = (size_t) count * gh_section_entry[section];
    void                *at;

    if (buffer->data == NULL || buffer->length + bytes > buffer->capacity) {      /* of no entries, too, there is a place */
        size_t   capacity = buffer->capacity * 2 + bytes + 256;
        uint8_t *data = gh_arena_grow(builder->arena, buffer->data, buffer->length, capacity, 1);

        if (data == NULL) {
            builder->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    at = buffer->data + buffer->length;
    buffer->length += bytes;
    return at;
}

uint32_t
gh_section_count(const gh_builder_t *builder, gh_section_t section)
{
    return (uint32_t) (builder->section[section].length / gh_section_entry[section]);
}

static uint64_t
string_hash(gh_str_t s)
{
    uint64_t hash = 14695981039346656037u;   /* FNV-1a: only speed depends on it */

    for (size_t i = 0; i < s.len; i++) {
        hash = (hash ^ (uint8_t) s.data[i]) * 1099511628211u;
    }
    return hash;
}

static gh_str_t
interned_string(const gh_builder_t *builder, gh_ref_t ref)
{
    return (gh_str_t) { (const char *) builder->section[GH_SECTION_STRINGS].data + ref.offset, ref.length };
}

/* A free slot has length 0: empty strings are never kept. */
static gh_ref_t *
interned_slot(const gh_builder_t *builder, gh_ref_t *slots, size_t capacity, gh_str_t s)
{
    size_t at = string_hash(s) & (capacity - 1);

    while (slots[at].length != 0 && !gh_str_eq(interned_string(builder, slots[at]), s)) {
        at = (at + 1) & (capacity - 1);
    }
    return &slots[at];
}

static bool
interned_room(gh_builder_t *builder)
{
    size_t    capacity = builder->interned_capacity ? builder->interned_capacity * 2 : 256;
    gh_ref_t *slots;

    if (builder->interned_count * 2 < builder->interned_capacity) {
        return true;
    }
    slots = gh_arena_array(builder->arena, capacity, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < builder->interned_capacity; i++) {
        if (builder->interned[i].length != 0) {
            *interned_slot(builder, slots, capacity, interned_string(builder, builder->interned[i])) = builder->interned[i];
        }
    }
    builder->interned = slots;
    builder->interned_capacity = capacity;
    return true;
}

gh_ref_t
gh_section_string(gh_builder_t *builder, gh_str_t s)
{
    gh_ref_t  none = { 0, 0 };
    gh_ref_t *slot;
    char     *text;

    if (s.len == 0) {
        return none;
    }
    if (s.len > UINT32_MAX / 4 || !interned_room(builder)) {
        builder->failed = true;
        return none;
    }
    slot = interned_slot(builder, builder->interned, builder->interned_capacity, s);
    if (slot->length == 0) {
        uint32_t offset = (uint32_t) builder->section[GH_SECTION_STRINGS].length;

        text = gh_section_append(builder, GH_SECTION_STRINGS, (uint32_t) s.len);
        if (text == NULL) {
            return none;
        }
        memcpy(text, s.data, s.len);
        *slot = (gh_ref_t) { offset, (uint32_t) s.len };
        builder->interned_count++;
    }
    return *slot;
}

gh_range_t
gh_section_strings(gh_builder_t *builder, gh_section_t section, const gh_str_list_t *list)
{
    gh_range_t range = { gh_section_count(builder, section), list->count };
    gh_ref_t  *refs = gh_section_append(builder, section, list->count);

    for (uint32_t i = 0; refs != NULL && i < list->count; i++) {
        refs[i] = gh_section_string(builder, list->items[i]);
    }
    return range;
}

int
gh_section_finish(gh_builder_t *builder, const gh_image_header_t *header, gh_bytes_t *image)
{
    gh_image_header_t *out;
    uint64_t           length = GH_IMAGE_HEADER;
    uint8_t           *bytes;

    for (int i = 0; i < GH_SECTIONS; i++) {
        length = (length + 63) / 64 * 64 + builder->section[i].length;
    }
    if (builder->failed || length > UINT32_MAX || (bytes = gh_arena_alloc(builder->arena, length)) == NULL) {
        return GH_ERROR;
    }
    out = (gh_image_header_t *) bytes;
    *out = *header;
    length = GH_IMAGE_HEADER;
    for (int i = 0; i < GH_SECTIONS; i++) {
        length = (length + 63) / 64 * 64;
        out->section[i] = (gh_image_section_t) { length, builder->section[i].length };
        if (builder->section[i].length > 0) {
            memcpy(bytes + length, builder->section[i].data, builder->section[i].length);
        }
        length += builder->section[i].length;
    }
    *image = (gh_bytes_t) { bytes, length };
    return GH_OK;
}
