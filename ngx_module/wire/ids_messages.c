/*
 * Where ids of what is kept stand in what Messages answers, and InvokeModel of Anthropic's models: containers, files that tools left or that are cited, and, where
 * the request has it kept, the message itself.
 *
 * Sources: anthropic-sdk-python's anthropic/types and types/beta (beta_message.py, beta_container.py, beta_raw_message_delta_event.py, the blocks of results,
 * citations).
 */
#include "ngx_module/wire/ids_walk.h"

static const gh_ids_shape_t block;

static const gh_ids_member_t file_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
};
SHAPE(file);

static const gh_ids_member_t block_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
    MEMBER("citations", INTO, 0, &file),
    MEMBER("source", INTO, 0, &file),
    MEMBER("content", INTO, 0, &block),
};
SHAPE(block);

/* Skills are not of the gateway's making, here or there. */
static const gh_ids_member_t container_members[] = {
    MEMBER("id", ID, GH_HANDLE_CONTAINER, NULL),
};
SHAPE(container);

#define MESSAGE_MEMBERS \
    MEMBER("container", INTO, 0, &container), \
    MEMBER("content", INTO, 0, &block)

static const gh_ids_member_t message_members[] = {
    MESSAGE_MEMBERS,
};
const gh_ids_shape_t gh_ids_message = MEMBERS(message);

static const gh_ids_member_t kept_message_members[] = {
    MEMBER("id", ID, GH_HANDLE_MESSAGE, NULL),
    MESSAGE_MEMBERS,
};
const gh_ids_shape_t gh_ids_kept_message = MEMBERS(kept_message);

static const gh_ids_member_t delta_members[] = {
    MEMBER("container", INTO, 0, &container),    /* message_delta */
    MEMBER("citation", INTO, 0, &file),          /* content_block_delta */
};
SHAPE(delta);

#define EVENT_MEMBERS \
    MEMBER("content_block", INTO, 0, &block), \
    MEMBER("delta", INTO, 0, &delta)

static const gh_ids_member_t event_members[] = {
    MEMBER("message", INTO, 0, &gh_ids_message),
    EVENT_MEMBERS,
};
const gh_ids_shape_t gh_ids_message_event = MEMBERS(event);

static const gh_ids_member_t kept_event_members[] = {
    MEMBER("message", INTO, 0, &gh_ids_kept_message),
    EVENT_MEMBERS,
};
const gh_ids_shape_t gh_ids_kept_message_event = MEMBERS(kept_event);
