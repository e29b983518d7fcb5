/*
 * context_management of Messages: which edits it has decides where it can be asked. Source: anthropic-sdk-python's BetaContextManagementConfig.
 */
#include <stddef.h>
#include <string.h>

#include "ngx_module/wire/hub/messages.h"

typedef struct {
    gh_str_t type, keep;    /* keep: what it says in a word */
} edit_t;

static const gh_hub_field_t keep_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, edit_t, keep),
    GH_HUB_SKIPS("value"),
};

/* "all", or an object with a type. */
static int
read_keep(gh_hub_reader_t *r, void *object)
{
    return r->json.event == GH_JSON_STRING ? gh_hub_string(r, &((edit_t *) object)->keep)
        : GH_HUB_EXPECT_OBJECT(r, keep_fields, object);
}

static const gh_hub_field_t edit_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, edit_t, type),
    GH_HUB_READS("keep", read_keep),
    GH_HUB_SKIPS("trigger"),
    GH_HUB_SKIPS("clear_at_least"),
    GH_HUB_SKIPS("clear_tool_inputs"),
    GH_HUB_SKIPS("exclude_tools"),
};

/* Only clearing: what compaction makes of an answer is in no other dialect. */
static int
read_edits(gh_hub_reader_t *r, void *object)
{
    size_t offset;
    edit_t read;
    int    status;

    (void) object;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }
    while (GH_HUB_OBJECT_ELEMENT(r, edit_fields, &read, &offset, &status)) {
        if (gh_hub_is(read.type, "clear_thinking_20251015")) {
            if (!gh_hub_is(read.keep, "all")) {
                gh_hub_ask_at(r, GH_ASK_CONTEXT_EDITS, offset);
            }
        } else {
            gh_hub_ask_at(r, gh_hub_is(read.type, "clear_tool_uses_20250919") ? GH_ASK_CONTEXT_EDITS : GH_ASK_UNKNOWN, offset);
        }
    }

    return status;
}

static const gh_hub_field_t management_fields[] = {
    GH_HUB_READS("edits", read_edits),
};

int
messages_management_read(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    const char       *begin = r->body.data + r->json.token_offset;

    gh_hub_ask(r, GH_ASK_CONTEXT_KEPT);
    if (GH_HUB_EXPECT_OBJECT(r, management_fields, object) != GH_OK) {
        return GH_ERROR;
    }

    request->management = (gh_str_t) { begin, (size_t) (r->body.data + r->json.token_end - begin) };
    return GH_OK;
}
