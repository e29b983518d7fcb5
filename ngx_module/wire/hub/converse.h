/* Private to the hub's Converse dialect: what its requests and answers share. */
#ifndef GH_HUB_CONVERSE_H
#define GH_HUB_CONVERSE_H

#include "ngx_module/wire/hub/dialect.h"

/* An array of blocks; the value's first event has been read. */
int converse_content_read(gh_hub_reader_t *r, gh_hub_part_t **parts);

/* An array of {"text"}, as parts; the value's first event has been read. All of them as one text, from the arena where there are several. */
int  converse_texts_read(gh_hub_reader_t *r, gh_hub_part_t **parts);
int  converse_texts_join(gh_hub_reader_t *r, const gh_hub_part_t *parts, gh_str_t *text);
/* The same as the member "content". */
void converse_put_texts(gh_hub_put_t *p, const gh_hub_part_t *parts);

/* A Citation or CitationsDelta, of nothing where it does not say its place; the value's first event has been read. */
int  converse_citation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation);
/* One that cites something. */
void converse_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation);
/* A text with those of its citations that are written, as the member of a block; false: there are none, and nothing was written. */
bool converse_put_cited(gh_hub_put_t *p, const gh_hub_part_t *part, gh_hub_writes_t writes);

/* A block, and the cache point behind it. */
void converse_put_part(gh_hub_put_t *p, const gh_hub_part_t *part, gh_hub_writes_t writes);

/* additionalModelRequestFields: object is the request; and as a model of the target's provider takes it, where something is said there. */
int  converse_model_read(gh_hub_reader_t *r, void *object);
void converse_model_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target);

/* guardrailConfig, performanceConfig and requestMetadata: object is the request; and as they are written, where they are asked. */
int  converse_guardrail_read(gh_hub_reader_t *r, void *object);
int  converse_performance_read(gh_hub_reader_t *r, void *object);
int  converse_labels_read(gh_hub_reader_t *r, void *object);
void converse_put_said(gh_hub_put_t *p, const gh_hub_request_t *request);

int  converse_request_read(gh_hub_reader_t *r, gh_hub_request_t *request);
int  converse_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error);
int  converse_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer);
void converse_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply);
void converse_event_read(gh_hub_stream_t *stream, gh_str_t type, gh_str_t data);
void converse_event_write(gh_hub_stream_t *stream, const gh_hub_event_t *event);
/* An error inside of a stream, in the framing. */
void converse_exception_write(gh_hub_stream_t *stream, const gh_hub_event_t *event);
void converse_error_write(gh_hub_put_t *p, const gh_hub_error_t *error, gh_str_t request_id);

/* "serviceTier", where it has a word for it. */
void converse_put_tier(gh_hub_put_t *p, gh_hub_tier_t tier);

#endif
