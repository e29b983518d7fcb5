/* Private to the hub's Responses dialect: what its requests and answers share. */
#ifndef GH_HUB_RESPONSES_H
#define GH_HUB_RESPONSES_H

#include "ngx_module/wire/hub/dialect.h"

/*
 * Ids of reasoning items that were made here: of reasoning whose signature, and of what only its provider reads, which stand in encrypted_content.
 * Items with other ids are OpenAI's own.
 */
#define RESPONSES_SIGNED   "rs_gh_"
#define RESPONSES_REDACTED "rr_gh_"

/* Of `include`. */
#define RESPONSES_LOGPROBS "message.output_text.logprobs"

/*
 * Items of an input or an output, an array whose beginning has been read, as messages behind *tail: those of one assistant's turn are one. answer: what
 * OpenAI tells of its reasoning becomes reasoning; in a request it is GH_ASK_REASONING_ITEM.
 */
int responses_items_read(gh_hub_reader_t *r, gh_hub_message_t **messages, bool answer);

int  responses_request_read(gh_hub_reader_t *r, gh_hub_request_t *request);
int  responses_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error);
int  responses_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer);
void responses_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply);
void responses_event_read(gh_hub_stream_t *stream, gh_str_t type, gh_str_t data);
void responses_event_write(gh_hub_stream_t *stream, const gh_hub_event_t *event);

/* "completed" and the like, with incomplete_details; the usage object. In an open object. */
void responses_put_status(gh_hub_put_t *p, gh_hub_finish_t finish);
void responses_put_usage(gh_hub_put_t *p, const gh_usage_t *usage);
void responses_put_tier(gh_hub_put_t *p, gh_hub_tier_t tier);
/* One of `annotations`, of a web page; all: the characters of its text, as far as they are there. */
void responses_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation, uint64_t all);
int  responses_annotation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation);
/* The members every response has and an answer says nothing about. */
void responses_put_rest(gh_hub_put_t *p);
/*
 * What ids of a response's items have in common, so that those of a conversation's responses differ; the id's end: PREFIX OWN "_" index.
 */
#define RESPONSES_OWN 16
void responses_own(gh_str_t reply_id, char own[RESPONSES_OWN]);
void responses_put_item_id(gh_hub_put_t *p, const char *prefix, const char own[RESPONSES_OWN], uint32_t index);

/* {"type":...,"id":...} of the item that part number `index` becomes, but for its content; status: "in_progress" or "completed". */
void responses_item_open(gh_hub_put_t *p, gh_hub_kind_t kind, const char own[RESPONSES_OWN], uint32_t index, const char *status);

/*
 * How a response of that status ended; filters: its content_filters, raw. GH_HUB_FINISH_NONE: it has not, or failed. One that failed at a content filter has ended
 * as others do that were blocked: `error`, raw, says nothing then.
 */
gh_hub_finish_t responses_finish(gh_str_t status, gh_str_t reason, gh_str_t error, gh_str_t filters);

#endif
