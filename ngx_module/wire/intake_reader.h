/* Private to the intake: the reader's state while one body is read, shared by intake.c and intake_*.c. */
#ifndef GH_INTAKE_READER_H
#define GH_INTAKE_READER_H

#include "ngx_module/wire/fields.h"
#include "ngx_module/wire/wire.h"
#include "policy/base/json_reader.h"

#define GH_INTAKE_PATH_MAX 12

typedef struct {
    gh_str_t key;      /* data NULL: an array's element */
    uint32_t index;
} gh_intake_step_t;

/* The source of an image or a document, while it is read: what its data is depends on a type that may stand behind. */
typedef struct {
    uint64_t data_bytes;     /* of the body */
    bool     data;           /* there is some */
    bool     fetched;        /* and it is neither base64 nor data: */
} gh_intake_source_t;

typedef struct {
    gh_json_reader_t        json;
    gh_str_t                body;
    gh_arena_t             *arena;
    gh_intake_t            *intake;
    gh_error_t             *error;
    const gh_field_table_t *types;         /* of the object being read: what its "type" may be */
    int                     type;          /* its row in types; TYPE_NONE, TYPE_UNKNOWN */
    gh_str_t                unknown;       /* in a tool: path of its first unknown field, judged when its type is known */
    bool                    defer;         /* collect in `unknown` */
    bool                    no_memory;
    bool                    messages;
    gh_intake_source_t     *source;        /* the one being read, or NULL */
    bool                    medium;        /* in the typed object being read: its source is none of text */
    bool                    source_name;   /* in it: its source is a string */
    bool                    in_media;      /* inside an image's, another medium's or a file's object */
    bool                    sizes_media;   /* an option says how many tokens an image becomes */
    uint64_t                media_bytes;   /* of the body: data of media */
    size_t                  key_offset;    /* of the last known key */
    uint16_t                alike;         /* GH_AT_* bit of the endpoint alike; 0: there is none */
    uint32_t                depth;         /* of path */
    gh_intake_step_t        path[GH_INTAKE_PATH_MAX];
} gh_intake_reader_t;

#define GH_INTAKE_TYPE_NONE    (-1)
#define GH_INTAKE_TYPE_UNKNOWN (-2)

/* Reads the members of an object up to its end; OBJECT_BEGIN was the last event. */
int gh_intake_object(gh_intake_reader_t *r, const gh_field_table_t *table);

/* An object with its own "type", whose value is a row of types. */
int gh_intake_typed(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types);

/* The array of such objects to come; null is allowed. count (NULL: not wanted): how many. */
int gh_intake_array(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types, uint32_t *count);

/* The value to come, unread. */
int gh_intake_skip(gh_intake_reader_t *r);

/* The rest of a value whose first event has been read. */
int gh_intake_skip_rest(gh_intake_reader_t *r);

/* The last event is not the one asked for: the JSON error, or gh_intake_invalid. */
int gh_intake_refuse(gh_intake_reader_t *r, const char *expected);

/* The value of one known field; KEY was the last event. */
int gh_intake_value(gh_intake_reader_t *r, const gh_field_t *field);

/* Values without a meaning of their own: what they hold is judged. Any kind from INERT to WORD_OR_OBJECT; MEDIA, FILE, DATA, URL. */
int gh_intake_nested(gh_intake_reader_t *r, const gh_field_t *field);

/* SOURCE, SOURCE_DATA, MAP: intake_source.c. */
int gh_intake_source(gh_intake_reader_t *r, const gh_field_t *field);
int gh_intake_source_data(gh_intake_reader_t *r);
int gh_intake_map(gh_intake_reader_t *r, const gh_field_t *field);

/* The typed object just read, of a row of types or of none: counts the medium that it is. */
void gh_intake_source_end(gh_intake_reader_t *r, const gh_field_t *type);

/* The string just read: RFC 4648 sections 4 and 5, or data:, and not text. */
bool gh_intake_is_base64(const gh_intake_reader_t *r);
bool gh_intake_is_data_url(const gh_intake_reader_t *r);

/* A flag of anthropic-beta. where: a header's name in front of it; empty: it is the string just read, at the current path. */
int gh_intake_betas(gh_intake_reader_t *r);
/* intake_handle.c: the ids of a HANDLE; the own ids of the object that ends, from number `first` on, now that its type is known. */
int  gh_intake_handle(gh_intake_reader_t *r, const gh_field_t *field);
void gh_intake_handles_typed(gh_intake_reader_t *r, uint32_t first);

/* Keeps an opened id that was given out in a session; there are at most `most` in the request. GH_ERROR: no memory. */
int gh_intake_opened(gh_arena_t *arena, gh_intake_t *intake, uint32_t most, const gh_handle_t *handle, gh_str_t text);

/*
 * The endpoint whose body would be the same but for some members: that alike, and of Messages that are to be counted InvokeModel's, which a count of Bedrock's holds.
 * GH_ENDPOINTS: there is none.
 */
gh_endpoint_t gh_intake_alike(gh_endpoint_t endpoint);

/* What stands at the current path is not known at the endpoint alike. */
void gh_intake_unlike(gh_intake_reader_t *r);

/* Is a known field, or a type, not known there? */
static inline bool
gh_intake_lacks(const gh_intake_reader_t *r, const gh_field_t *field)
{
    return (field->endpoints & ~field->lacks & r->alike) != r->alike && field->moved == 0;
}

/* The value to come is null: it asks for nothing. KEY was the last event. */
bool gh_intake_null_comes(const gh_intake_reader_t *r);

/* The member whose value was just read, of a key at offset key that ended at key_end: `moved`, or `dropped` at the endpoint alike. */
void gh_intake_relocate(gh_intake_reader_t *r, const gh_field_t *field, size_t key, size_t key_end);

/* A use at the current path. feature NULL: unknown. */
void gh_intake_use(gh_intake_reader_t *r, const char *feature);

/* The same for the string just read, a word nobody knows: "tools[2].type=WORD", as it was written; one above 64 bytes is left out. */
void gh_intake_unknown_word(gh_intake_reader_t *r);

/* A use with an empty name at the current path; in a tool it is judged when the tool's type is known. */
void gh_intake_unknown(gh_intake_reader_t *r);

/* Adds to the list; a known name only once, the 33rd use becomes "too many features". */
void gh_intake_use_add(gh_intake_t *intake, gh_str_t name, gh_str_t where);

/* Sets "invalid_request" with the current path in front: "tools[2].type must be a string". */
int gh_intake_invalid(gh_intake_reader_t *r, const char *expected);

/* The same with another code, a string constant. */
int gh_intake_error(gh_intake_reader_t *r, const char *code, const char *expected);

/*
 * An array whose beginning, or null, has just been read: element is called for each of its values, which has been read, with the path at it. *count (may be
 * NULL) is how many.
 */
int gh_intake_list(gh_intake_reader_t *r, int (*element)(gh_intake_reader_t *r, const void *context), const void *context, uint32_t *count);

/*
 * A member of the body from its key on (offset begin), whose value ends at end, with its comma: the one behind it, or that in front of the last one.
 */
void gh_intake_member(gh_str_t body, size_t *begin, size_t *end);

/* gh_intake_parse_url of Bedrock's CountTokens: intake_count.c. */
int gh_intake_count(gh_arena_t *arena, const gh_url_t *url, gh_str_t body, gh_intake_t *intake, gh_error_t *error);

/* Sets the error for what the JSON reader found. */
int gh_intake_json_error(gh_intake_reader_t *r);

/* The string just read is data of a medium: no text. */
static inline void
gh_intake_media_data(gh_intake_reader_t *r)
{
    r->media_bytes += r->json.token.len - r->json.token_spare;
}

/* The current path in buffer, cut to fit. */
gh_str_t gh_intake_path(const gh_intake_reader_t *r, char *buffer, size_t size);

/* Steps beyond the array count, but are not printed. */
static inline void
gh_intake_push(gh_intake_reader_t *r, gh_intake_step_t step)
{
    if (r->depth < GH_INTAKE_PATH_MAX) {
        r->path[r->depth] = step;
    }
    r->depth++;
}

static inline void
gh_intake_pop(gh_intake_reader_t *r)
{
    r->depth--;
}

#endif
