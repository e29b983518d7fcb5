/* Private to the hub: a running stream, what readers of events tell it and what writers of events find. */
#ifndef GH_HUB_STREAM_H
#define GH_HUB_STREAM_H

#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/hub/put.h"
#include "ngx_module/wire/ids.h"

#define GH_HUB_NO_PART UINT32_MAX

struct gh_hub_stream_s {
    gh_arena_t           *arena;
    gh_hub_dialect_t      backend, client;
    gh_hub_reply_t        reply;
    gh_hub_out_t          out;
    gh_hub_stream_state_t state;

    /* ---- events out of bytes: stream.c ---- */
    gh_hub_put_t          carry;          /* an event of which only a part has come */
    bool                  after_cr;       /* the last byte was a CR: a LF belongs to it */
    bool                  line_empty;     /* nothing of the line has come yet */
    bool                  first;          /* no event has come yet: a byte order mark may stand in front */
    gh_hub_put_t          scratch;        /* of events with several data lines */

    /* ---- of the reader ---- */
    bool                  begun;          /* START was written: with the first part, so that nothing is sent before there is something to say */
    bool                  finished;       /* FINISH was told */
    bool                  called;         /* a call was among the parts */
    bool                  refused;        /* a refusal was */
    bool                  failing;        /* it failed without a reason, which the next event may give */
    bool                  guarded;        /* a guardrail intervened */
    uint32_t              parts;          /* begun so far */
    uint32_t              open;           /* the part that is open; GH_HUB_NO_PART: none */
    gh_hub_kind_t         open_kind;
    uint16_t              backend_part[GH_HUB_PARTS_MAX];   /* by the backend's index: 1 + the part; 0: none, or one that is not passed on */
    gh_usage_t            usage;          /* filled as it comes, by gh_hub_usage_read */
    char                  held[6];        /* half of a surrogate pair, whose other half must come in the next delta of the open part */
    uint8_t               held_len;
    gh_hub_tier_t         tier;           /* as far as it was told */
    gh_hub_put_t          mended[2];      /* a delta without its lone surrogates, and its tokens */
    uint64_t              detail;         /* 1 + the index of chat's reasoning_details that the open part is of; 0: it is of none */
    bool                  signed_;        /* and its signature was told */
    uint64_t              chars, before;  /* of texts, and of those before the open part; counted where the client is told places in them */
    gh_hub_request_t      unused;         /* what answers ask, which nobody wants to know */

    /* ---- of the writer ---- */
    gh_hub_put_t          put;            /* bytes for the client that have not been handed out */
    gh_hub_put_t          wrapped;        /* of InvokeModel: an event in the message around it */
    gh_str_t              padding;        /* escaped: of the message that is being read, which what is written of it has, too; empty: none */
    uint16_t              call_of[GH_HUB_PARTS_MAX];        /* by part: the number of a call among the calls */
    uint16_t              calls;
    gh_hub_finish_t       finish;
    gh_hub_put_t          stop_sequence;  /* a copy, escaped; len 0: none */
    gh_hub_put_t          id, model;      /* copies, escaped, of what the backend said, or ours */
    gh_hub_error_t        failure;        /* with copies of its strings */
    uint64_t              created;
    void                 *writer;         /* what else a writer keeps */

    /* ---- between equal events: pass.c ---- */
    bool                  passes;         /* both sides have the same events, which are not written anew */
    bool                  changed;        /* the last one came as another than it was */
    bool                  plain;          /* they are made of a plain answer: none came framed */
    gh_ids_t             *ids;            /* ids in them are given out; NULL: they stay */
    gh_hub_put_t          event;          /* one that is changed */
};

/* ---- for readers of events. None does anything once the stream has ended. ---- */

void gh_hub_tell_start(gh_hub_stream_t *s, gh_str_t id, gh_str_t model, uint64_t created);
/* A part begins; one that is open ends. index: the backend's own, GH_HUB_NO_PART when it has none. Returns the part. */
uint32_t gh_hub_tell_part(gh_hub_stream_t *s, uint32_t index, gh_hub_kind_t kind, gh_str_t id, gh_str_t name, gh_str_t text);
/* The part that the backend's index means; GH_HUB_NO_PART: none. */
uint32_t gh_hub_part_at(const gh_hub_stream_t *s, uint32_t index);
/* More of a part; nothing for GH_HUB_NO_PART. Empty texts and signatures tell nothing. */
void gh_hub_tell_delta(gh_hub_stream_t *s, uint32_t part, gh_hub_kind_t kind, gh_str_t text, gh_str_t signature);
/* The same of a text with the log probabilities of its tokens: elements, raw. */
void gh_hub_tell_tokens(gh_hub_stream_t *s, uint32_t part, gh_str_t text, gh_str_t logprobs);
/* Of the open part, if it is a text; nothing for one that cites nothing. */
void gh_hub_tell_citation(gh_hub_stream_t *s, const gh_hub_citation_t *citation);
void gh_hub_tell_part_end(gh_hub_stream_t *s);
void gh_hub_tell_finish(gh_hub_stream_t *s, gh_hub_finish_t finish, gh_str_t stop_sequence);
void gh_hub_tell_ping(gh_hub_stream_t *s);
/* The backend's own end. Without a finish before it is an error. */
void gh_hub_tell_end(gh_hub_stream_t *s);
void gh_hub_tell_error(gh_hub_stream_t *s, const gh_hub_error_t *error);
/* It failed, and no reason was given. */
void gh_hub_tell_failed(gh_hub_stream_t *s);
/* An event that cannot be read. */
void gh_hub_tell_broken(gh_hub_stream_t *s, const char *sentence);

/* ---- for writers ---- */

/* "event: TYPE\ndata: " and "data: "; the event's end. type NULL: no event line. For InvokeModel's clients what stands between is a message's chunk. */
void gh_hub_event_begin(gh_hub_stream_t *s, const char *type);
void gh_hub_event_end(gh_hub_stream_t *s);
/* What was put as one message of the framing, with the backend's padding; as the chunk of one. */
void gh_hub_message_out(gh_hub_stream_t *s, const char *type, bool exception);
void gh_hub_chunk_out(gh_hub_stream_t *s);

/* ---- pass.c: streams of Messages and InvokeModel, whose events are the same ---- */

/* One event of the backend, its JSON; error: its name says that it is one. */
void gh_hub_pass_event(gh_hub_stream_t *s, gh_str_t data, bool error);

static inline gh_str_t
gh_hub_kept(const gh_hub_put_t *copy)
{
    return (gh_str_t) { copy->data, copy->len };
}

#endif
