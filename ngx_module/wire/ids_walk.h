/* Private to ids*.c and responses.c: what the shapes of answers are made of, and the walk over one JSON value by them. */
#ifndef GH_IDS_WALK_H
#define GH_IDS_WALK_H

#include "ngx_module/wire/ids.h"

/* What becomes of a value. INTO: its objects have shapes. TEXT is counted in a plain answer, DELTA in a stream, whose last events may repeat it all. */
enum { PASS = 0, INTO, ID, OWN_ID, TEXT, DELTA, TYPE, CODE, STATUS, USAGE, ERROR };

typedef struct {
    gh_str_t              name;
    uint8_t               action, kind;   /* kind: of ID, and of OWN_ID, which names the answer itself: gh_handle_kind_t */
    const gh_ids_shape_t *shape;          /* of objects in it */
} gh_ids_member_t;

struct gh_ids_shape_s {
    const gh_ids_member_t *members;       /* one without a name: every other member */
    size_t                 count;
};

#define MEMBER(n, ...)  { { (n), sizeof(n) - 1 }, __VA_ARGS__ }
#define MEMBERS(name)   { name##_members, sizeof(name##_members) / sizeof(name##_members[0]) }
#define SHAPE(name)     static const gh_ids_shape_t name = MEMBERS(name)

/* ids_responses.c, ids_chat.c, ids_messages.c: plain answers and events. */
extern const gh_ids_shape_t gh_ids_response, gh_ids_response_event, gh_ids_completion, gh_ids_message, gh_ids_message_event,
    gh_ids_kept_message, gh_ids_kept_message_event;   /* kept: the message itself is, under its id */

enum { J_VALUE = 0, J_KEY, J_COLON, J_NEXT, J_PRIMITIVE, J_END };

/* What one call passes on: a run of input bytes, cut where an id is replaced. */
typedef struct {
    gh_ids_t        *w;
    gh_stream_out_fn out;
    void            *context;
    const char      *run;
} gh_ids_output_t;

static inline bool
gh_ids_type_is(const gh_ids_t *w, const char *type)
{
    return gh_str_is((gh_str_t) { w->type, w->type_len }, type);
}

/* A JSON value begins. */
void gh_ids_json_begin(gh_ids_t *w);

/* Bytes of it. */
void gh_ids_json(gh_ids_output_t *o, const char *p, const char *end);

/* The run so far goes out. */
void gh_ids_output_to(gh_ids_output_t *o, const char *end);

/* What is held is no id to be replaced (whole: or is all of one), and goes out. */
void gh_ids_release(gh_ids_output_t *o, bool whole);

#endif
