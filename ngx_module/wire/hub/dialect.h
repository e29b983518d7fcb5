/* Private to the wire: what a dialect is. Each has files of requests, of answers and of streams, and a row in one of them, which policy/base/dialects.h names. */
#ifndef GH_HUB_DIALECT_H
#define GH_HUB_DIALECT_H

#include "ngx_module/wire/hub/put.h"
#include "ngx_module/wire/hub/read.h"
#include "ngx_module/wire/hub/stream.h"
#include "ngx_module/wire/ids.h"
#include "ngx_module/wire/sse.h"

/* Where a plain answer's text is: {"choices":[{"message":... of chat. Of a key its first eight bytes are looked at. */
struct gh_usage_shape_s {
    const char *member;      /* of the root */
    uint32_t    depth;       /* of the objects below it that have text */
    const char *keys[3];     /* of their members that do */
};

typedef struct {
    gh_hub_traits_t traits;

    /* By gh_hub_ask_t: what of a request it says, GH_MAPS, and what it leaves out, GH_DROPS. What is in no list is refused. */
    uint8_t asks[GH_ASKS];

    /* What requests for models that take words of their own are written as. */
    struct {
        bool             written;
        gh_hub_dialect_t as;
    } by_words[GH_WORDS];
    const char *model;            /* of such a form: whose models they are; NULL: of any */

    /* The body's object; its beginning has been read. */
    int  (*request_read)(gh_hub_reader_t *r, gh_hub_request_t *request);
    /* What can be expressed. GH_ERROR only where a value is missing that the dialect must have. */
    int  (*request_write)(gh_hub_put_t *p, const gh_hub_request_t *request, gh_hub_dialect_t target, const gh_hub_send_t *send, gh_error_t *error);

    int  (*answer_read)(gh_hub_reader_t *r, gh_hub_answer_t *answer);
    void (*answer_write)(gh_hub_put_t *p, const gh_hub_answer_t *answer, const gh_hub_reply_t *reply);

    /* One event of the backend: its JSON, and its name where the frame says it. */
    void (*event_read)(gh_hub_stream_t *stream, gh_str_t type, gh_str_t data);
    /* One event for the client. */
    void (*event_write)(gh_hub_stream_t *stream, const gh_hub_event_t *event);

    /* As an answer's body, and inside of a stream's event. */
    void (*error_write)(gh_hub_put_t *p, const gh_hub_error_t *error, gh_str_t request_id);
    const char *error_event;      /* what stands in front of it there */
    int         overloaded;       /* the status of GH_HUB_OVERLOADED */

    /* A usage object into *usage, as gh_hub_usage_read. */
    bool (*usage_read)(gh_str_t raw, gh_usage_t *usage);

    /* ---- what is passed on as it came ---- */

    gh_usage_shape_t shape;       /* of plain answers */
    void (*chunk_read)(gh_str_t data, gh_chunk_t *chunk);           /* the data of a stream's event */
    gh_commit_t (*commit)(gh_str_t held, int *status);              /* gh_commit_look, where it is not to be found out chunk by chunk; NULL: it is */

    /* Where answers have ids, and those of answers that are themselves kept: [0] plain ones, [1] streams; NULL: nowhere. */
    const gh_ids_shape_t *ids[2], *kept[2];
} gh_hub_row_t;

#define GH_MAPS(ask)  [GH_ASK_##ask] = GH_HUB_MAPS
#define GH_DROPS(ask) [GH_ASK_##ask] = GH_HUB_DROPS

#define F(name, word, row) extern const gh_hub_row_t gh_hub_##row;
GH_HUB_ROWS(F)
#undef F

extern const gh_hub_row_t *const gh_hub_rows[GH_HUB_DIALECTS];

/* A body of InvokeModel in one of Bedrock's CountTokens; in the arena. GH_ERROR: "no_memory". */
int gh_hub_count_wrap(gh_arena_t *arena, gh_str_t inner, gh_str_t *body, gh_error_t *error);

/* Usage as Anthropic, Bedrock and Responses have it. */
bool gh_hub_counts_read(gh_str_t raw, gh_usage_t *usage);

/*
 * "anthropic_beta" of a body for Bedrock, unless nothing is left: it refuses flags that it does not know, so of those that Anthropic's clients send the
 * documented ones go. Those that stood in a body for it are as they were written.
 */
void gh_hub_put_betas(gh_hub_put_t *p, const gh_hub_request_t *request);

/* The same of an array of flags, of which the first `written` stay whatever they are; data NULL: there are none. */
void gh_hub_put_flags(gh_hub_put_t *p, gh_str_t betas, uint32_t written);

/* An array of flags, as InvokeModel and Converse have it: request->betas. */
int gh_hub_read_betas(gh_hub_reader_t *r, void *object);

/* Does it ask for no reasoning? */
static inline bool
gh_hub_effort_none(const gh_hub_request_t *request)
{
    return request->effort.data != NULL && gh_hub_is(request->effort, "none");
}

/*
 * "messages" of Messages and Converse, from this one on: those of one side behind each other are one turn. content writes a turn's, as the value of key, and
 * says whether there was any: without it there is no turn.
 */
void gh_hub_put_turns(gh_hub_put_t *p, const gh_hub_message_t *message,
    bool (*content)(gh_hub_put_t *p, const char *key, const gh_hub_message_t *first, const gh_hub_message_t *last));

/* A message of those two, as their fields fill it. */
typedef struct {
    gh_str_t       role;
    gh_hub_part_t *content;
} gh_hub_turn_t;

/* "messages" of those two, behind the request's. fields: of a gh_hub_turn_t. */
int gh_hub_read_turns(gh_hub_reader_t *r, gh_hub_request_t *request, const gh_hub_field_t *fields, unsigned count);

/* The most tokens that are asked for; 0: none. */
static inline uint64_t
gh_hub_maximum(const gh_hub_request_t *request, const gh_hub_send_t *send)
{
    return request->max_tokens == 0 || (send->output_cap != 0 && send->output_cap < request->max_tokens) ? send->output_cap : request->max_tokens;
}

/*
 * A usage object of a dialect into *usage, as it was reported: counts that it does not have stay (Anthropic tells them in two parts). false: it
 * cannot be read, or has none; nothing is changed then.
 */
bool gh_hub_usage_read(gh_hub_dialect_t dialect, gh_str_t raw, gh_usage_t *usage);

/* With everything in input and output that belongs there, as OpenAI counts. Others write input without what was cached: gh_hub_usage_fresh. */
gh_usage_t gh_hub_usage_whole(const gh_usage_t *usage);
uint64_t gh_hub_usage_fresh(const gh_usage_t *usage);

/* A member behind others: the counts that Bedrock puts into the last event of an InvokeModel's stream. */
void gh_hub_put_metrics(gh_hub_put_t *p, const gh_usage_t *usage, uint64_t latency_ms);

/* OpenAI's usage object of chat completions. */
void gh_hub_put_openai_usage(gh_hub_put_t *p, const gh_usage_t *usage);

/* The first ask that the target has to refuse; GH_ASKS: none. */
unsigned gh_hub_refused(const gh_hub_request_t *request, gh_hub_dialect_t target);

/* An answer that only stopped: its parts say whether to call tools, or refusing. */
void gh_hub_answer_finish(gh_hub_answer_t *answer);

/* Which citations of a text are written: a request takes those of the documents and search results that it has, an answer those of web pages, too. */
typedef enum { GH_HUB_WRITES_NONE = 0, GH_HUB_WRITES_SOURCES, GH_HUB_WRITES_CITED } gh_hub_writes_t;

static inline bool
gh_hub_is_cited(const gh_hub_citation_t *citation, gh_hub_writes_t writes)
{
    return citation->kind > GH_HUB_CITES_WEB ? writes != GH_HUB_WRITES_NONE : writes == GH_HUB_WRITES_CITED && citation->kind == GH_HUB_CITES_WEB;
}

/* Is it one that dialects have that cite web pages alone? */
static inline bool
gh_hub_is_page(const gh_hub_citation_t *citation)
{
    return citation->kind == GH_HUB_CITES_WEB;
}

/* key and the text of the source, as one string; empty where none is said. */
void gh_hub_put_cited(gh_hub_put_t *p, const char *key, const gh_hub_citation_t *citation);

/* A member behind others: {"enabled": true} of a document or a search result, where the answer is to cite it. */
void gh_hub_put_citing(gh_hub_put_t *p, const gh_hub_part_t *part);

/* Is it a part that such a client can be told of? */
bool gh_hub_tells(gh_hub_kind_t kind, gh_hub_dialect_t client);

/* Reads an event's JSON without taking memory. */
void gh_hub_event_reader(gh_hub_stream_t *s, gh_hub_reader_t *r, gh_str_t data);

/* {"object":"error"} and {"type":"error"}: errors that are not inside of "error". */
bool gh_hub_flat_error(gh_str_t data);

/* Lengths that a writer may count on: of everything but texts, for each node. */
#define GH_HUB_NODE_BYTES 160

#endif
