/* Private to the intake: the reader's state while one body is read, shared by intake.c, intake_object.c, intake_fields.c, intake_nested.c. */
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
    uint32_t                depth;         /* of path */
    gh_intake_step_t        path[GH_INTAKE_PATH_MAX];
} gh_intake_reader_t;

#define GH_INTAKE_TYPE_NONE    (-1)
#define GH_INTAKE_TYPE_UNKNOWN (-2)

/* Reads the members of an object up to its end; OBJECT_BEGIN was the last event. */
int gh_intake_object(gh_intake_reader_t *r, const gh_field_table_t *table);

/* An object with its own "type", whose value is a row of types. */
int gh_intake_typed(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types);

/* The array of such objects to come; null is allowed. */
int gh_intake_array(gh_intake_reader_t *r, const gh_field_table_t *table, const gh_field_table_t *types);

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

/* Sets the error for what the JSON reader found. */
int gh_intake_json_error(gh_intake_reader_t *r);

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
