/* Private to the hub: reading JSON by tables of fields. */
#ifndef GH_HUB_READ_H
#define GH_HUB_READ_H

#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/hub/put.h"
#include "policy/base/json_reader.h"

typedef struct {
    gh_json_reader_t   json;
    gh_str_t           body;
    gh_arena_t        *arena;
    gh_hub_request_t  *request;    /* what is asked is noted there; of an answer, one that is thrown away */
    gh_error_t        *error;
    const char        *invalid;    /* the error's code: "invalid_request", "bad_answer" */
} gh_hub_reader_t;

/* How the value of a field is read. null is as if the field were not there, whatever the kind. */
typedef enum {
    GH_HUB_FIELD_STRING = 0,   /* gh_str_t at offset: escaped */
    GH_HUB_FIELD_NUMBER,       /* gh_str_t at offset: its spelling */
    GH_HUB_FIELD_COUNT,        /* uint64_t at offset; -1 is 0 */
    GH_HUB_FIELD_BOOL,         /* bool at offset */
    GH_HUB_FIELD_WORD,         /* gh_str_t at offset: "true" or "false" */
    GH_HUB_FIELD_RAW,          /* gh_str_t at offset: the value */
    GH_HUB_FIELD_CALL,         /* call(): the value's first event has been read */
    GH_HUB_FIELD_PRESENT,      /* any value notes the ask */
    GH_HUB_FIELD_TRUE,         /* true does, false does not */
    GH_HUB_FIELD_NONZERO,      /* a number but 0 does */
    GH_HUB_FIELD_FILLED,       /* an array, object or string does that is not empty */
    GH_HUB_FIELD_SKIPPED
} gh_hub_field_kind_t;

typedef struct {
    gh_str_t  name;
    uint8_t   kind;
    uint8_t   ask;             /* GH_ASKS: none. Noted for STRING, NUMBER, COUNT, RAW, WORD, BOOL whenever they stand there */
    uint16_t  offset;          /* into the object that is filled */
    int     (*call)(gh_hub_reader_t *r, void *object);
} gh_hub_field_t;

#define GH_HUB_FIELDS_MAX 64

#define GH_HUB_NAME(s)                       { (s), sizeof(s) - 1 }
#define GH_HUB_FIELD(n, k, a, type, member)  { GH_HUB_NAME(n), GH_HUB_FIELD_##k, (a), offsetof(type, member), NULL }
#define GH_HUB_READS(n, function)            { GH_HUB_NAME(n), GH_HUB_FIELD_CALL, GH_ASKS, 0, function }
#define GH_HUB_ASKED(n, k, a)                { GH_HUB_NAME(n), GH_HUB_FIELD_##k, (a), 0, NULL }
#define GH_HUB_SKIPS(n)                      { GH_HUB_NAME(n), GH_HUB_FIELD_SKIPPED, GH_ASKS, 0, NULL }

/*
 * The members of an object whose beginning has been read, each at most once. What no row lists is GH_ASK_UNKNOWN. The object is one of C that fields
 * fill, or NULL when every row is a SKIPS or ASKED.
 */
int gh_hub_object(gh_hub_reader_t *r, const gh_hub_field_t *fields, unsigned count, void *object);

#define GH_HUB_OBJECT(r, fields, object) gh_hub_object((r), (fields), sizeof(fields) / sizeof((fields)[0]), (object))

/* The same, but a value that is no object is an error ("must be an object"). */
int gh_hub_expect_object(gh_hub_reader_t *r, const gh_hub_field_t *fields, unsigned count, void *object);

#define GH_HUB_EXPECT_OBJECT(r, fields, object) gh_hub_expect_object((r), (fields), sizeof(fields) / sizeof((fields)[0]), (object))

/* The next element of an array whose beginning, or last element, has been read: false at its end, or with *status GH_ERROR. */
bool gh_hub_element(gh_hub_reader_t *r, int *status);

/* The same of an array of strings, which is r->json.token then: another value is an error ("must be a string"). */
bool gh_hub_string_element(gh_hub_reader_t *r, int *status);

/* The same of an array of objects: its members fill *object, of size bytes, zeroed before. It begins at *offset (may be NULL). */
bool gh_hub_object_element(gh_hub_reader_t *r, const gh_hub_field_t *fields, unsigned count, void *object, size_t size, size_t *offset, int *status);

#define GH_HUB_OBJECT_ELEMENT(r, fields, object, offset, status) \
    gh_hub_object_element((r), (fields), sizeof(fields) / sizeof((fields)[0]), (object), sizeof(*(object)), (offset), (status))

/* The value whose first event has been read: a string; the whole value, skipped; an array's beginning. */
int gh_hub_string(gh_hub_reader_t *r, gh_str_t *escaped);
int gh_hub_raw(gh_hub_reader_t *r, gh_str_t *raw);
int gh_hub_array(gh_hub_reader_t *r);

/* Notes what is asked, where the reader stands, or at an offset. The first place counts. */
void gh_hub_ask(gh_hub_reader_t *r, gh_hub_ask_t ask);
void gh_hub_ask_at(gh_hub_reader_t *r, gh_hub_ask_t ask, size_t offset);

/* "messages[2].content EXPECTED", for the value whose first event has been read; the reader's own error when it has one. */
int gh_hub_invalid(gh_hub_reader_t *r, const char *expected);
int gh_hub_no_memory(gh_hub_reader_t *r);

/* Zeroed, from the arena; NULL with the error set. Counted as a node of the request. */
void *gh_hub_new(gh_hub_reader_t *r, size_t size);

/* Escaped text compared decoded, false when there is none; the inside of a JSON string as the text it stands for. data NULL: no memory. */
bool gh_hub_is(gh_str_t escaped, const char *text);
bool gh_hub_starts(gh_str_t escaped, const char *text, size_t *length);
gh_str_t gh_hub_decode(gh_arena_t *arena, gh_str_t escaped);

/* Is that, raw, one JSON object and nothing else? */
bool gh_hub_is_object(gh_str_t raw);

/* Path of the value or key at offset: "messages[2].content". Bytes written, cut to fit. */
size_t gh_hub_path(gh_str_t body, size_t offset, char *buffer, size_t size);

/* ---- what several dialects read alike ---- */

/* A part behind *tail, which moves on. NULL: no memory, error set. */
gh_hub_part_t *gh_hub_part_add(gh_hub_reader_t *r, gh_hub_part_t ***tail, gh_hub_kind_t kind);

/* Arguments of a call, written as text: part->arguments, and part->input when they are an object. */
int gh_hub_arguments(gh_hub_reader_t *r, gh_hub_part_t *part, gh_str_t escaped, size_t offset);

/* "data:image/png;base64,...": media type and data of the part. false: it is no such URL. */
bool gh_hub_data_url(gh_str_t escaped, gh_str_t *media_type, gh_str_t *data);

/* "image/png" of "png", and "png" of "image/png": NULL where Bedrock has no word for it. kind: IMAGE, DOCUMENT, AUDIO. media.c. */
const char *gh_hub_media_type(gh_hub_kind_t kind, gh_str_t format);
const char *gh_hub_media_format(gh_hub_kind_t kind, gh_str_t media_type);

/* What a document as data is called, escaped, where a file must have a name. */
gh_str_t gh_hub_file_name(const gh_hub_part_t *part);

/* What the request asks by an image, a document, a user's name of that kind. */
void gh_hub_ask_image(gh_hub_reader_t *r, const gh_hub_part_t *part, size_t offset);
void gh_hub_ask_document(gh_hub_reader_t *r, gh_hub_part_t *part, size_t offset);
void gh_hub_ask_reasoning(gh_hub_reader_t *r, const gh_hub_part_t *part, size_t offset);

/* How much is to be reasoned, as it stands at offset. */
void gh_hub_effort(gh_hub_reader_t *r, gh_hub_request_t *request, gh_str_t escaped, size_t offset);

/* Fields at the top that OpenAI's and Anthropic's dialects share; object is the request. */
int gh_hub_read_temperature(gh_hub_reader_t *r, void *object);
int gh_hub_read_stop(gh_hub_reader_t *r, void *object);
int gh_hub_read_effort(gh_hub_reader_t *r, void *object);
int gh_hub_read_user(gh_hub_reader_t *r, void *object);
int gh_hub_read_openai_tier(gh_hub_reader_t *r, void *object);
int gh_hub_read_top_logprobs(gh_hub_reader_t *r, void *object);

/* OpenAI's words for tiers; UNSAID and NULL: none. */
gh_hub_tier_t gh_hub_openai_tier(gh_str_t escaped);
const char   *gh_hub_openai_tier_name(gh_hub_tier_t tier);

/* An array of strings or objects, raw, as its elements alone; empty: none. */
gh_str_t gh_hub_elements(gh_str_t raw);

/* Characters of escaped text, decoded. */
uint64_t gh_hub_chars(gh_str_t escaped);

/*
 * Halves of surrogate pairs that stand alone in escaped text become U+FFFD, which has as many bytes as an escape. Of a piece of text the first may end and
 * the last begin a pair that goes on elsewhere: those stay. Is there any other?
 */
bool gh_hub_lone(gh_str_t escaped, bool piece);
void gh_hub_mend(char *escaped, size_t len, bool piece);

/* A high surrogate at the very end of escaped text whose low one is not there: its six bytes; and a low one at its beginning. */
bool gh_hub_half_pair(gh_str_t escaped);
bool gh_hub_low_half(gh_str_t escaped);

/* ---- citations: citations.c ---- */

/*
 * An array of citations, of which one reads each: those of something (GH_HUB_CITES_NOTHING is left out), in their order. What is asked is asked where it begins:
 * GH_ASK_CITED_SOURCE of documents and search results, GH_ASK_CITED of all else.
 */
int gh_hub_citations(gh_hub_reader_t *r, int (*one)(gh_hub_reader_t *r, gh_hub_citation_t *citation), gh_hub_citation_t **first);

/*
 * What was read of a dialect that cites with whole texts: where no URL of a page, or no index and place (both ends, in their order) was said, it cites nothing. What is
 * not said is GH_HUB_UNSAID.
 */
#define GH_HUB_UNSAID UINT64_MAX
void gh_hub_citation_settle(gh_hub_citation_t *citation);

/* Its texts without lone halves of surrogate pairs, in a copy where there are any. false: there is no room for it. */
bool gh_hub_citation_mend(gh_hub_citation_t *citation, gh_hub_put_t *copy);

/* {"enabled": true} of a document or a search result: part.cites is to be that. GH_ASK_CITATIONS. */
int gh_hub_read_citing(gh_hub_reader_t *r, bool *cites);

/* A document made of blocks, or a search result, that stands at offset: what is no text among them is asked, and a cache point in them moves behind the part. */
void gh_hub_ask_blocks(gh_hub_reader_t *r, gh_hub_part_t *part, size_t offset);

/* ---- tools: tools.c ---- */

/* "auto" or "required" of allowed_tools; object is the request. */
int gh_hub_read_mode(gh_hub_reader_t *r, void *object);

/* allowed_callers of a tool: ["direct"] is what every tool has. object is not looked at. */
int gh_hub_read_callers(gh_hub_reader_t *r, void *object);

/* One of its tools, which may stand behind it in the body. */
int gh_hub_allow(gh_hub_reader_t *r, gh_hub_request_t *request, gh_str_t name);

/* When all has been read: which tools are allowed, and which results are of calls of tools that take text. */
int gh_hub_tools_settle(gh_hub_reader_t *r, gh_hub_request_t *request);

/* The request with no other tools than may be called, for dialects that cannot say so. GH_ERROR: no memory. */
int gh_hub_tools_only(gh_arena_t *arena, const gh_hub_request_t *request, gh_hub_request_t *less);

/* A tool_choice of OpenAI's by a word, or a function by its name, that stands at offset. false: it is none of these. */
bool gh_hub_openai_choice(gh_hub_reader_t *r, gh_hub_request_t *request, size_t offset, gh_str_t type, gh_str_t name);

/* cache_control {type: ephemeral, ttl} and prompt_cache_breakpoint {mode, ttl}: object is a gh_hub_cache_t. */
int gh_hub_read_cache(gh_hub_reader_t *r, void *object);

/* The request's fields whose bits are set, see asks.h. */
static inline bool
gh_hub_asks(const gh_hub_request_t *request, gh_hub_ask_t ask)
{
    return (request->asks[ask / 64] >> (ask % 64) & 1) != 0;
}

#endif
