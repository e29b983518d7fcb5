/* Private to the hub's chat dialect: what its requests and answers share. */
#ifndef GH_HUB_CHAT_H
#define GH_HUB_CHAT_H

#include "ngx_module/wire/hub/dialect.h"

/* A message as it is written; its parts in the order chat_message_parts gives them. */
typedef struct {
    gh_str_t       role, name, tool_call_id, refusal, reasoning_content, reasoning_text;   /* escaped; data NULL: absent */
    gh_hub_part_t *content, *calls, *reasoning;
    gh_hub_citation_t *citations;
    gh_hub_cache_t cache;
} chat_message_t;

/* The value's first event has been read; message is zeroed. */
int chat_message_read(gh_hub_reader_t *r, chat_message_t *message);
int chat_message_parts(gh_hub_reader_t *r, chat_message_t *message, size_t offset, gh_hub_part_t **parts);

/*
 * A part of an answer's content, where that is a list: {"type":"text","text"}, {"type":"thinking","thinking":TEXT or [parts]}, and what says no text: references to
 * documents. Source: Mistral's API, ContentChunk and ThinkChunk of its openapi.yaml.
 */
typedef enum { CHAT_OTHER = 0, CHAT_TEXT, CHAT_THINKING, CHAT_REFERENCE } chat_content_kind_t;

typedef struct {
    chat_content_kind_t kind;
    gh_str_t            text;         /* escaped */
    gh_str_t            list;         /* raw: parts whose texts are the reasoning; data NULL: `text` is it */
    gh_str_t            signature;    /* escaped: of the reasoning; empty: none */
} chat_content_part_t;

/* The value's first event has been read. Every part of a list inside is text or reference, else it is CHAT_OTHER. */
int chat_content_part_read(gh_hub_reader_t *r, chat_content_part_t *part);

/* "thinking" of such a part in a whole message: its texts joined, escaped. *other becomes true where it holds another kind of part. */
int chat_thinking_read(gh_hub_reader_t *r, gh_str_t *text, bool *other);

/* One of `annotations`; it cites a web page or nothing. */
int chat_annotation_read(gh_hub_reader_t *r, gh_hub_citation_t *citation);

/* Of a request: object is it. */
int chat_messages_read(gh_hub_reader_t *r, void *object);

int chat_request_read(gh_hub_reader_t *r, gh_hub_request_t *request);
int chat_request_write(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error);

/*
 * The members content, refusal, tool_calls and, where `reasoning`, reasoning_content and reasoning_details of an assistant's message, in an open
 * object. Of an answer content is one string, whose annotations go with it.
 */
void chat_put_assistant(gh_hub_put_t *p, const gh_hub_part_t *parts, bool reasoning, bool answer);

/* One of `annotations`, of a web page; before: characters of the message in front of its part, all: those of the part as far as they are there. */
void chat_put_citation(gh_hub_put_t *p, const gh_hub_citation_t *citation, uint64_t before, uint64_t all);

gh_hub_finish_t chat_finish(gh_str_t reason);
gh_str_t        chat_finish_name(gh_hub_finish_t finish);
/* A raw number; 0: none. */
uint64_t        chat_seconds(gh_str_t raw);

int  chat_answer_read(gh_hub_reader_t *r, gh_hub_answer_t *answer);
void chat_answer_write(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply);
void chat_event_read(gh_hub_stream_t *stream, gh_str_t type, gh_str_t data);
void chat_event_write(gh_hub_stream_t *stream, const gh_hub_event_t *event);
void chat_error_write(gh_hub_put_t *p, const gh_hub_error_t *error, gh_str_t request_id);

#endif
