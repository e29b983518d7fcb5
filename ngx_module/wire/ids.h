/*
 * Ids of what a deployment keeps, in its answer on the way to a client of the same dialect: they become the gateway's own (policy/identity/handle.h), everything
 * else passes as it came. Fixed memory, whatever comes and however it is split: values are looked at where they stand, and only ids are held back, until their
 * closing quote. Which members are ids is said by the shapes of each dialect (ids_*.c); nothing else is looked into.
 */
#ifndef GH_IDS_H
#define GH_IDS_H

#include "ngx_module/wire/wire.h"
#include "policy/identity/handle.h"

/* Whose the ids are, and who made them. Strings are borrowed. handles NULL: ids stay as they are. */
typedef struct {
    gh_handles_t *handles;
    uint64_t      tenant_uid;
    gh_str_t      deployment, model;
    gh_str_t      session;         /* they are given out in; empty: in none */
    const gh_intake_opened_t *opened;   /* ids that were given out in others: told again they stay as they are */
    uint32_t      opened_count;
    bool          kept;            /* of Responses: what was kept is told again, and that it failed is an end like another */
} gh_ids_owner_t;

typedef struct gh_ids_shape_s gh_ids_shape_t;
typedef struct gh_ids_s gh_ids_t;

/* An event of a stream has come to its end. Never of a plain answer. */
typedef void (*gh_ids_event_fn)(gh_ids_t *ids);

#define GH_IDS_DEPTH  12
#define GH_IDS_WORD   64
#define GH_IDS_STATUS 24
#define GH_IDS_KNOWN  4            /* ids whose handles are kept at hand: every delta names its item */
#define GH_IDS_ID     80
#define GH_IDS_TEXT   400

typedef struct {
    const gh_ids_shape_t *shape;   /* of an object: its members that matter; of an array: those of each object in it */
    uint8_t     action, kind;      /* of an array: of its elements */
    bool        array;
} gh_ids_frame_t;

struct gh_ids_s {
    /* what the shapes had it read, of the event that came last, or of all so far */
    size_t      code_len;          /* of the error: code, escaped as it came; 0: none */
    bool        keep_code;         /* events to come do not take it back */
    bool        usage_seen;
    gh_usage_t  usage;
    size_t      id_len;            /* of the answer's own id, the provider's; 0: none came, or ids stay as they are */
    size_t      status_len;        /* the last that was told */
    size_t      type_len;          /* of the event */
    bool        delta, failed;     /* of the event: it had content; it has an error object */
    uint64_t    content_bytes;     /* of text, reasoning and arguments, decoded */

    /* private */
    gh_ids_owner_t owner;
    const gh_ids_shape_t *root;
    gh_ids_event_fn event;
    bool        stream;            /* events; else one JSON value */
    uint8_t     line;              /* where in a line */
    bool        after_cr, in_event;
    uint8_t     field_len;
    char        field[6];
    uint8_t     state;             /* where in the JSON */
    uint8_t     depth;             /* of frames */
    gh_ids_frame_t frame[GH_IDS_DEPTH];
    uint32_t    skip;              /* depth inside a value that nobody looks at */
    bool        string, escape, key;
    uint8_t     unicode;           /* digits of an escape to come */
    uint8_t     action, kind;      /* of the value to come, or of the string that is read */
    const gh_ids_shape_t *shape;
    size_t      word_len;
    bool        capturing;
    size_t      capture_len;
    bool        holding;           /* an id, in hold */
    bool        held_escape;
    size_t      hold_len;
    unsigned    oldest;

    /* what the lengths above are of, and buffers: not cleared at the beginning */
    char        code[GH_IDS_WORD], type[GH_IDS_WORD], status[GH_IDS_STATUS], id[GH_HANDLE_ID_MAX];
    char        word[GH_IDS_WORD]; /* key, or value of a word; len above: longer than any */
    char        capture[GH_USAGE_MAX], hold[GH_HANDLE_ID_MAX], text[GH_HANDLE_MAX];
    struct {
        uint8_t kind;
        size_t  id_len, text_len;
        char    id[GH_IDS_ID], text[GH_IDS_TEXT];
    } known[GH_IDS_KNOWN];
};

/*
 * Where ids stand in the answer of a request that goes to a deployment of the client's own dialect. stream: in its events; else in the body of a plain answer. NULL:
 * nothing that the request uses is ever kept under an id that its answer tells, and the answer passes unread.
 */
const gh_ids_shape_t *gh_ids_shape_of(const gh_intake_t *intake, bool stream);

/* stream: server-sent events; else one JSON value. event may be NULL. */
void gh_ids_init(gh_ids_t *ids, const gh_ids_shape_t *shape, bool stream, const gh_ids_owner_t *owner, gh_ids_event_fn event);

/* As gh_stream_feed: out gets pieces of data, and ids given out, which live during the call. out NULL: only look. */
void gh_ids_feed(gh_ids_t *ids, const char *data, size_t len, gh_stream_out_fn out, void *context);

/* The backend's end: what is held back, an id without its closing quote, is passed on. */
void gh_ids_finish(gh_ids_t *ids, gh_stream_out_fn out, void *context);

/* Has part of an event been passed on, but not its end? */
bool gh_ids_inside(const gh_ids_t *ids);

#endif
