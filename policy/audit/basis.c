#include "policy/audit/basis.h"

#include <stdlib.h>

#define BASES_KEPT 512u               /* texts, each in the place that its hash says; a power of two */
#define BASES_NAMED 1024u             /* numbers of texts, likewise */
#define HOLE       "null"
#define HOLE_LEN   4

typedef struct {
    uint64_t hash;
    uint32_t number;                  /* in the segment; 0: it is not there */
    uint32_t len;
    char    *text;                    /* malloc'ed; NULL: the place is free */
    uint64_t serial;                  /* as its maker numbers it; 0: none does */
} kept_t;

struct gh_bases_s {
    uint64_t sequence;                /* of the segment */
    uint32_t next;
    kept_t   kept[BASES_KEPT];
    uint16_t named[BASES_NAMED];      /* where the text of that number may be */
    char     scratch[GH_BASIS_MOST];  /* a run with its holes made null */
};

gh_bases_t *
gh_bases_new(void)
{
    gh_bases_t *bases = calloc(1, sizeof(*bases));

    if (bases != NULL) {
        bases->next = 1;
    }

    return bases;
}

void
gh_bases_free(gh_bases_t *bases)
{
    for (unsigned i = 0; bases != NULL && i < BASES_KEPT; i++) {
        free(bases->kept[i].text);
    }
    free(bases);
}

void
gh_bases_forget(gh_bases_t *bases)
{
    for (unsigned i = 0; i < BASES_KEPT; i++) {
        bases->kept[i].number = 0;
    }
}

void
gh_bases_segment(gh_bases_t *bases, uint64_t sequence)
{
    if (bases->sequence != sequence) {
        gh_bases_forget(bases);
        bases->sequence = sequence;
        bases->next = 1;
    }
}

static inline uint64_t
word_at(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));

    return word;
}

/* Multiplication by an odd number loses nothing; turning brings the upper bits down. */
static inline uint64_t
mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);

    return hash << 29 | hash >> 35;
}

/* Four words at a time do not wait for each other. */
static uint64_t
text_hash(gh_str_t s)
{
    const char *p = s.data;
    size_t      len = s.len;
    uint64_t    a = len, b = ~a, c = 3 * a, d = ~c, last = 0;

    for (; len >= 32; p += 32, len -= 32) {
        a = mixed(a, word_at(p));
        b = mixed(b, word_at(p + 8));
        c = mixed(c, word_at(p + 16));
        d = mixed(d, word_at(p + 24));
    }
    for (; len >= 8; p += 8, len -= 8) {
        a = mixed(a, word_at(p));
    }
    memcpy(&last, p, len);

    return mixed(mixed(mixed(mixed(a, last), b), c), d);
}

/* The run as its line has it; empty: it is too short for one, or too long. One without holes stands in the body as it is. */
static gh_str_t
run_text(gh_bases_t *bases, const char *body, const gh_json_marks_t *marks, unsigned run)
{
    unsigned    hole = run != 0 ? marks->until[run - 1] : 0, last = marks->until[run];
    size_t      from = marks->run[run].begin, len = marks->run[run].end - from, most = len + (last - hole) * HOLE_LEN;
    const char *at;
    char       *out = bases->scratch;

    if (len < GH_BASIS_LEAST || most > GH_BASIS_MOST) {
        return GH_STR("");
    }
    if (hole == last) {
        return (gh_str_t) { body + from, len };
    }
    for (; hole < last; hole++) {
        at = body + from;
        len = marks->hole[hole].begin - from;
        memcpy(out, at, len);
        memcpy(out + len, HOLE, HOLE_LEN);
        out += len + HOLE_LEN;
        from = marks->hole[hole].end;
    }
    len = marks->run[run].end - from;
    memcpy(out, body + from, len);

    return (gh_str_t) { bases->scratch, (size_t) (out - bases->scratch) + len };
}

/* In the place of whatever was there. */
static void
keep(kept_t *kept, uint64_t hash, gh_str_t text)
{
    char *copy = realloc(kept->text, text.len);

    if (copy == NULL) {
        free(kept->text);
        *kept = (kept_t) { 0 };
        return;
    }
    memcpy(copy, text.data, text.len);
    *kept = (kept_t) { hash, 0, (uint32_t) text.len, copy, 0 };
}

/* By its bytes; NULL: it is kept from now on, or cannot be. */
static kept_t *
find_text(gh_bases_t *bases, gh_str_t text, uint64_t serial)
{
    uint64_t hash = text_hash(text), place = (hash ^ hash >> 32) & (BASES_KEPT - 1);
    kept_t  *kept = &bases->kept[place];
    bool     known = kept->text != NULL && kept->hash == hash && kept->len == text.len && memcmp(kept->text, text.data, text.len) == 0;

    if (!known) {
        keep(kept, hash, text);
    }
    if (serial != 0) {
        kept->serial = serial;
        bases->named[serial & (BASES_NAMED - 1)] = (uint16_t) place;
    }

    return known ? kept : NULL;
}

gh_basis_t
gh_bases_find(gh_bases_t *bases, const char *body, const gh_json_marks_t *marks, unsigned run)
{
    uint64_t   serial = marks->serial[run];
    kept_t    *kept = &bases->kept[bases->named[serial & (BASES_NAMED - 1)]];
    gh_basis_t found = { 0 };

    if (serial == 0 || kept->text == NULL || kept->serial != serial) {
        gh_str_t text = run_text(bases, body, marks, run);

        kept = text.len != 0 ? find_text(bases, text, serial) : NULL;
    }
    if (kept == NULL) {
        return found;
    }

    if (kept->number == 0 && bases->next <= GH_BASIS_NUMBERS) {
        kept->number = bases->next++;
        found.fresh = true;
        found.text = (gh_str_t) { kept->text, kept->len };
    }
    found.number = kept->number;

    return found;
}

static char *
put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);

    return out + len;
}

size_t
gh_basis_line(char *out, uint64_t t, const gh_basis_t *basis)
{
    char *at = put(out, "\"v\":1,\"type\":\"basis\",\"t\":", 25);

    at += gh_u64_put(t, at);
    at = put(at, ",\"basis\":", 9);
    at += gh_u64_put(basis->number, at);
    at = put(at, ",\"members\":{", 12);
    at = put(at, basis->text.data, basis->text.len);
    at = put(at, "}}", 2);

    return (size_t) (at - out);
}

size_t
gh_basis_body(char *out, gh_str_t body, const gh_json_marks_t *marks, const gh_basis_t *bases)
{
    size_t   from = 1;
    unsigned hole = 0;
    char    *at = out;

    for (unsigned run = 0; run < marks->runs; run++) {
        if (bases[run].number == 0) {
            hole = marks->until[run];
            continue;
        }
        at = put(at, body.data + from, marks->run[run].begin - from);
        at = put(at, "\"basis\":[", 9);
        at += gh_u64_put(bases[run].number, at);
        for (; hole < marks->until[run]; hole++) {
            const char *value = body.data + marks->hole[hole].begin, *end = body.data + marks->hole[hole].end;

            *at++ = ',';
            while (value < end) {
                *at++ = *value++;
            }
        }
        *at++ = ']';
        from = marks->run[run].end;
    }
    at = put(at, body.data + from, body.len - from);

    return (size_t) (at - out);
}
