/* Private to the hub's messages dialect: what its requests and answers share. */
#ifndef GH_HUB_MESSAGES_H
#define GH_HUB_MESSAGES_H

#include "ngx_module/wire/hub/dialect.h"

#define INVOKE_VERSION "bedrock-2023-05-31"   /* the only one InvokeModel takes */

#define GUARDRAIL_ACTION "amazon-bedrock-guardrailAction"   /* of InvokeModel's answers and events: "INTERVENED", "NONE" */

/* A string or an array of blocks; the value's first event has been read. */
int messages_content_read(gh_hub_reader_t *r, gh_hub_part_t **parts);

/* Tools among Converse's additionalModelRequestFields, as Messages has them; object is the request. */
int messages_tools_read(gh_hub_reader_t *r, void *object);

/* output_config: an effort, and the answer's schema; object is the request. */
int messages_output_read(gh_hub_reader_t *r, void *object);

/* context_management, kept as it is written; object is the request. */
int messages_management_read(gh_hub_reader_t *r, void *object);

/* One of a text's citations, of nothing where the hub has no word for it; the value's first event has been read. */
int  messages_citation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation);
/* One that cites something; those that are written, as the block's member. */
void messages_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation);
void messages_put_citations(gh_hub_put_t *p, const gh_hub_citation_t *citation, gh_hub_writes_t writes);

/* One block in an answer's or message's content. Nothing for what the dialect has no block for. */
void messages_put_part(gh_hub_put_t *p, const gh_hub_part_t *part, gh_hub_writes_t writes);

/* "thinking", as the client wrote it or as its effort asks for it, where there is any. */
void messages_put_thinking(gh_hub_put_t *p, const gh_hub_request_t *request);

/* GUARDRAIL_ACTION, where the answer ended so. */
void messages_put_guardrail(gh_hub_put_t *p, gh_hub_finish_t finish);

int  messages_request_read(gh_hub_reader_t *r, gh_hub_request_t *request);
int  messages_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error);
int  messages_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer);
void messages_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply);
void messages_event_read(gh_hub_stream_t *stream, gh_str_t type, gh_str_t data);
void messages_event_write(gh_hub_stream_t *stream, const gh_hub_event_t *event);
void messages_error_write(gh_hub_put_t *p, const gh_hub_error_t *error, gh_str_t request_id);

#endif
