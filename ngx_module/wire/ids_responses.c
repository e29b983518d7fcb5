/*
 * Where ids of what is kept stand in what OpenAI's Responses answers. Nothing else is looked into: tools' schemas, metadata and what tools said may hold anything.
 *
 * Sources: openai-python's openai/types/responses: the events of ResponseStreamEvent, Response, the items of its output.
 */
#include "ngx_module/wire/ids_walk.h"

static const gh_ids_member_t annotation_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
    MEMBER("container_id", ID, GH_HANDLE_CONTAINER, NULL),
};
SHAPE(annotation);

static const gh_ids_member_t part_members[] = {
    MEMBER("text", TEXT, 0, NULL),
    MEMBER("refusal", TEXT, 0, NULL),
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
    MEMBER("annotations", INTO, 0, &annotation),
};
SHAPE(part);

static const gh_ids_member_t result_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
};
SHAPE(result);

static const gh_ids_member_t container_members[] = {
    MEMBER("file_ids", ID, GH_HANDLE_FILE, NULL),
    MEMBER("container_id", ID, GH_HANDLE_CONTAINER, NULL),
};
SHAPE(container);

static const gh_ids_member_t mask_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
};
SHAPE(mask);

static const gh_ids_member_t tool_members[] = {
    MEMBER("container", ID, GH_HANDLE_CONTAINER, &container),
    MEMBER("environment", INTO, 0, &container),
    MEMBER("input_image_mask", INTO, 0, &mask),
};
SHAPE(tool);

static const gh_ids_member_t variables_members[] = {
    MEMBER("", INTO, 0, &part),    /* their names are the client's own */
};
SHAPE(variables);

/* Its own id is that of a template, which nobody gives out here. */
static const gh_ids_member_t prompt_members[] = {
    MEMBER("variables", INTO, 0, &variables),
};
SHAPE(prompt);

static const gh_ids_member_t compared_members[] = {
    MEMBER("comparison_response_id", ID, GH_HANDLE_RESPONSE, NULL),
};
SHAPE(compared);

static const gh_ids_member_t item_members[] = {
    MEMBER("id", ID, GH_HANDLE_ITEM, NULL),
    MEMBER("approval_request_id", ID, GH_HANDLE_ITEM, NULL),
    MEMBER("container_id", ID, GH_HANDLE_CONTAINER, NULL),
    MEMBER("content", INTO, 0, &part),
    MEMBER("summary", INTO, 0, &part),
    MEMBER("output", INTO, 0, &part),
    MEMBER("results", INTO, 0, &result),
    MEMBER("arguments", TEXT, 0, NULL),
    MEMBER("input", TEXT, 0, NULL),
    MEMBER("code", TEXT, 0, NULL),
    MEMBER("environment", INTO, 0, &container),
    MEMBER("tools", INTO, 0, &tool),
};
SHAPE(item);

static const gh_ids_member_t transformation_members[] = {
    MEMBER("id", ID, GH_HANDLE_ITEM, NULL),
};
SHAPE(transformation);

static const gh_ids_member_t conversation_members[] = {
    MEMBER("id", ID, GH_HANDLE_CONVERSATION, NULL),
};
SHAPE(conversation);

static const gh_ids_member_t error_members[] = {
    MEMBER("code", CODE, 0, NULL),
};
SHAPE(error);

static const gh_ids_member_t response_members[] = {
    MEMBER("id", OWN_ID, GH_HANDLE_RESPONSE, NULL),
    MEMBER("status", STATUS, 0, NULL),
    MEMBER("previous_response_id", ID, GH_HANDLE_RESPONSE, NULL),
    MEMBER("conversation", ID, GH_HANDLE_CONVERSATION, &conversation),
    MEMBER("output", INTO, 0, &item),
    MEMBER("instructions", INTO, 0, &item),
    MEMBER("input_transformations", INTO, 0, &transformation),
    MEMBER("prompt", INTO, 0, &prompt),
    MEMBER("prompt_cache_options", INTO, 0, &compared),
    MEMBER("tools", INTO, 0, &tool),
    MEMBER("usage", USAGE, 0, NULL),
    MEMBER("error", INTO, 0, &error),

    /* a list of items */
    MEMBER("data", INTO, 0, &item),
    MEMBER("first_id", ID, GH_HANDLE_ITEM, NULL),
    MEMBER("last_id", ID, GH_HANDLE_ITEM, NULL),
};
const gh_ids_shape_t gh_ids_response = MEMBERS(response);

static const gh_ids_member_t event_members[] = {
    MEMBER("type", TYPE, 0, NULL),
    MEMBER("response", INTO, 0, &gh_ids_response),
    MEMBER("item", INTO, 0, &item),
    MEMBER("item_id", ID, GH_HANDLE_ITEM, NULL),
    MEMBER("response_id", ID, GH_HANDLE_RESPONSE, NULL),
    MEMBER("previous_response_id", ID, GH_HANDLE_RESPONSE, NULL),
    MEMBER("part", INTO, 0, &part),
    MEMBER("annotation", INTO, 0, &annotation),
    MEMBER("delta", DELTA, 0, NULL),
    MEMBER("code", CODE, 0, NULL),
    MEMBER("error", ERROR, 0, &error),
};
const gh_ids_shape_t gh_ids_response_event = MEMBERS(event);
