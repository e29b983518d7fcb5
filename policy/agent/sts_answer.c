#include "policy/agent/sts_answer.h"

#include <string.h>

#include "ngx_module/wire/http_date.h"

#define DEPTH_MAX 16u

typedef struct {
    const char *p, *end;
    gh_str_t    open[DEPTH_MAX];      /* names of the elements that are open */
    unsigned    depth;
    gh_str_t    text;                 /* raw, of the innermost element, when it has no other element in it */
} xml_t;

typedef enum { XML_WRONG = -1, XML_END = 0, XML_OPEN, XML_CLOSE } xml_event_t;

static bool
name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':';
}

static bool
blank(gh_str_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Behind "<": the name of a tag. */
static gh_str_t
take_name(xml_t *x)
{
    gh_str_t name = { x->p, 0 };

    while (x->p < x->end && name_byte(*x->p)) {
        x->p++;
    }
    name.len = (size_t) (x->p - name.data);
    return name;
}

/* Attributes, of which none is used, up to ">". *closed: the tag is "<x/>". */
static bool
take_attributes(xml_t *x, bool *closed)
{
    char quote = 0;

    *closed = false;
    for (; x->p < x->end; x->p++) {
        if (quote != 0) {
            quote = *x->p == quote ? 0 : quote;
        } else if (*x->p == '"' || *x->p == '\'') {
            quote = *x->p;
        } else if (*x->p == '<') {
            return false;
        } else if (*x->p == '>') {
            *closed = x->p[-1] == '/';
            x->p++;
            return true;
        }
    }
    return false;
}

static xml_event_t
take_close(xml_t *x)
{
    gh_str_t name;

    x->p++;
    name = take_name(x);
    while (x->p < x->end && (*x->p == ' ' || *x->p == '\n')) {
        x->p++;
    }
    if (x->p == x->end || *x->p != '>' || x->depth == 0 || !gh_str_eq(name, x->open[x->depth - 1])) {
        return XML_WRONG;
    }
    x->p++;
    return XML_CLOSE;
}

/* The next tag; XML_CLOSE leaves the element among those that are open, with its text, for the caller to take away. */
static xml_event_t
xml_next(xml_t *x)
{
    const char *from = x->p, *tag = memchr(x->p, '<', (size_t) (x->end - x->p));
    bool        closed;
    gh_str_t    name;

    x->text = (gh_str_t) { from, (size_t) ((tag != NULL ? tag : x->end) - from) };
    if (tag == NULL) {
        return x->depth == 0 && blank(x->text) ? XML_END : XML_WRONG;
    }
    x->p = tag + 1;
    if (x->p < x->end && *x->p == '/') {
        return take_close(x);
    }
    name = take_name(x);
    if (name.len == 0 || x->depth == DEPTH_MAX || !blank(x->text) || !take_attributes(x, &closed)) {
        return XML_WRONG;
    }
    x->text = GH_STR("");
    if (!closed) {
        x->open[x->depth++] = name;    /* an empty one says nothing that is wanted */
    }
    return XML_OPEN;
}

static bool
xml_begin(xml_t *x, gh_str_t text)
{
    gh_str_t    mark = GH_STR("<?xml ");
    const char *end;

    memset(x, 0, sizeof(*x));
    x->p = text.data;
    x->end = text.data + text.len;
    if (text.data == NULL || memchr(text.data, '\0', text.len) != NULL) {
        return false;
    }
    if (gh_str_starts(text, mark)) {
        end = memchr(text.data, '>', text.len);
        if (end == NULL || end[-1] != '?') {
            return false;
        }
        x->p = end + 1;
    }
    return true;
}

/* &amp; and its four siblings, &#38; and &#x26; of ASCII: others are no part of what STS says. */
static long
entity(gh_str_t name)
{
    static const struct { const char *name; char byte; } known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' } };
    bool hex = name.len > 1 && name.data[0] == '#' && name.data[1] == 'x';
    long value = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (gh_str_is(name, known[i].name)) {
            return known[i].byte;
        }
    }
    if (name.len < (hex ? 3u : 2u) || name.len > 6 || name.data[0] != '#') {
        return -1;
    }
    for (size_t i = hex ? 2 : 1; i < name.len; i++) {
        char c = name.data[i];
        int  digit = c >= '0' && c <= '9' ? c - '0' : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : hex && c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;

        if (digit == 99) {
            return -1;
        }
        value = value * (hex ? 16 : 10) + digit;
    }
    return value > 0 && value < 0x7f ? value : -1;
}

/* data NULL: an entity is none, or out of memory. */
static gh_str_t
decode(gh_arena_t *arena, gh_str_t text)
{
    char  *out = gh_arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; out != NULL && i < text.len; i++) {
        if (text.data[i] != '&') {
            out[len++] = text.data[i];
        } else {
            const char *end = memchr(text.data + i, ';', text.len - i);
            long        byte = end != NULL ? entity((gh_str_t) { text.data + i + 1, (size_t) (end - text.data) - i - 1 }) : -1;

            if (byte < 0) {
                return (gh_str_t) { NULL, 0 };
            }
            out[len++] = (char) byte;
            i = (size_t) (end - text.data);
        }
    }
    return (gh_str_t) { out, len };
}

typedef struct {
    const char *parent, *name;
    gh_str_t   *to;
} wanted_t;

/* The texts of elements by their own and their parent's name; the same twice is wrong. false: it is no such XML. */
static bool
xml_read(gh_arena_t *arena, gh_str_t text, const wanted_t *wanted, size_t count)
{
    xml_t       x;
    xml_event_t event;
    bool        any = false;

    if (!xml_begin(&x, text)) {
        return false;
    }
    while ((event = xml_next(&x)) > XML_END) {
        any = true;
        if (event == XML_OPEN) {
            continue;
        }
        for (size_t i = 0; i < count && x.depth > 1; i++) {
            if (!gh_str_is(x.open[x.depth - 1], wanted[i].name) || !gh_str_is(x.open[x.depth - 2], wanted[i].parent)) {
                continue;
            }
            if (wanted[i].to->data != NULL) {
                return false;
            }
            *wanted[i].to = decode(arena, gh_str_trim(x.text));
            if (wanted[i].to->data == NULL) {
                return false;
            }
        }
        x.depth--;
    }
    return event == XML_END && any;
}

int
gh_sts_credentials_read(gh_arena_t *arena, gh_str_t xml, gh_aws_credential_t *credential, gh_error_t *error)
{
    gh_str_t       id = { NULL, 0 }, secret = { NULL, 0 }, token = { NULL, 0 }, expiration = { NULL, 0 };
    const wanted_t wanted[] = {
        { "Credentials", "AccessKeyId", &id }, { "Credentials", "SecretAccessKey", &secret }, { "Credentials", "SessionToken", &token },
        { "Credentials", "Expiration", &expiration }
    };
    int64_t        at;

    if (!xml_read(arena, xml, wanted, sizeof(wanted) / sizeof(wanted[0]))) {
        return gh_error_set(error, "source_answer", "STS answered with what is no XML of its API");
    }
    at = expiration.data != NULL ? gh_utc_text_ms(expiration) : -1;
    if (id.len == 0 || secret.len == 0 || token.len == 0 || at <= 0) {
        return gh_error_set(error, "source_answer", "STS answered without all of AccessKeyId, SecretAccessKey, SessionToken and Expiration");
    }
    *credential = (gh_aws_credential_t) { id, secret, token, (uint64_t) at };
    return GH_OK;
}

gh_str_t
gh_sts_error_code(gh_arena_t *arena, gh_str_t xml)
{
    gh_str_t       code = { NULL, 0 };
    const wanted_t wanted[] = { { "Error", "Code", &code } };

    return xml_read(arena, xml, wanted, 1) && code.data != NULL ? code : GH_STR("");
}
