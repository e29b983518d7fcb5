#include "policy/audit/charged.h"

#include "policy/base/id.h"
#include "policy/base/json_writer.h"

#include <string.h>

static gh_charged_entry_t *
find(gh_charged_t *charged, const uint8_t id[16])
{
    for (size_t i = 0; i < charged->count; i++) {
        if (memcmp(charged->entries[i].id, id, 16) == 0) {
            return &charged->entries[i];
        }
    }

    return NULL;
}

void
gh_charged_add(void *context, const gh_recovered_t *recovered)
{
    gh_charged_t       *charged = context;
    gh_charged_entry_t *entry = find(charged, recovered->request_id);

    if (entry == NULL) {
        entry = &charged->entries[charged->next];
        charged->next = (charged->next + 1) % GH_CHARGED_MAX;
        charged->count += charged->count < GH_CHARGED_MAX;
        memset(entry, 0, sizeof(*entry));
        memcpy(entry->id, recovered->request_id, 16);
    }

    for (unsigned i = 0; i < recovered->count; i++) {
        unsigned dimension = recovered->ids[i].dimension;

        if (dimension > GH_COUNT_STREAMS || recovered->ids[i].level == GH_LEVEL_DEPLOYMENT) {
            continue;
        }
        entry->known[dimension] = true;
        if (recovered->charged[i] > entry->amounts[dimension]) {
            entry->amounts[dimension] = recovered->charged[i];
        }
    }
}

/* 16 bytes of a UUID's text. */
static bool
id_bytes(gh_str_t text, uint8_t id[16])
{
    size_t digits = 0;

    if (text.len != GH_ID_LEN) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        int  value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (value < 0) {
            continue;
        }
        if (digits == 32) {
            return false;
        }
        id[digits / 2] = (uint8_t) (id[digits / 2] << 4 | value);
        digits++;
    }

    return digits == 32;
}

gh_str_t
gh_charged_text(void *context, gh_str_t id)
{
    static const struct { const char *name; gh_dimension_t dimension; } members[] = {
        { "requests", GH_COUNT_REQUESTS }, { "input", GH_COUNT_INPUT }, { "output", GH_COUNT_OUTPUT }, { "tokens", GH_COUNT_TOKENS },
        { "micro_dollars", GH_COUNT_MICRO_DOLLARS },
    };
    gh_charged_t       *charged = context;
    gh_charged_entry_t *entry;
    gh_json_writer_t    w;
    uint8_t             bytes[16] = { 0 };

    entry = id_bytes(id, bytes) ? find(charged, bytes) : NULL;
    if (entry == NULL) {
        return GH_STR("");
    }

    gh_json_writer_init(&w, charged->text, sizeof(charged->text));
    gh_json_begin_object(&w);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (entry->known[members[i].dimension]) {
            gh_json_kv_u64(&w, members[i].name, entry->amounts[members[i].dimension]);
        }
    }
    gh_json_end_object(&w);

    return (gh_str_t) { w.data, w.len };
}
