/* Escaped text, where more than its bytes matters: halves of surrogate pairs, characters. */
#include <string.h>

#include "ngx_module/wire/hub/read.h"

#define UNIT 6    /* bytes of an escape of one UTF-16 code unit */

enum { OTHER = 0, HIGH, LOW };

static int
unit_at(const char *p, const char *end)
{
    if (end - p < UNIT || p[0] != '\\' || p[1] != 'u' || (p[2] | 0x20) != 'd') {
        return OTHER;
    }

    return memchr("89abAB", p[3], 6) != NULL ? HIGH : memchr("cdefCDEF", p[3], 8) != NULL ? LOW : OTHER;
}

/* The first half that stands alone at p or behind it; NULL: none. */
static const char *
lone(const char *start, const char *p, const char *end, bool piece)
{
    while (p < end && (p = memchr(p, '\\', (size_t) (end - p))) != NULL) {
        switch (unit_at(p, end)) {
        case HIGH:
            if (unit_at(p + UNIT, end) == LOW) {
                p += 2 * UNIT;
                continue;
            }
            if (!piece || p + UNIT != end) {
                return p;
            }
            return NULL;
        case LOW:
            if (!piece || p != start) {
                return p;
            }
            p += UNIT;
            break;
        default:
            p += 2;
            break;
        }
    }

    return NULL;
}

bool
gh_hub_lone(gh_str_t escaped, bool piece)
{
    return escaped.len != 0 && lone(escaped.data, escaped.data, escaped.data + escaped.len, piece) != NULL;
}

void
gh_hub_mend(char *escaped, size_t len, bool piece)
{
    const char *p = escaped, *end = escaped + len;

    while ((p = lone(escaped, p, end, piece)) != NULL) {
        memcpy(escaped + (p - escaped), "\\ufffd", UNIT);
        p += UNIT;
    }
}

bool
gh_hub_half_pair(gh_str_t text)
{
    const char *p;
    size_t      backslashes = 0;

    if (text.len < 6) {
        return false;
    }

    p = text.data + text.len - 6;
    if (p[0] != '\\' || p[1] != 'u' || (p[2] | 0x20) != 'd' || memchr("89abAB", p[3], 6) == NULL) {
        return false;
    }

    while (backslashes < text.len - 5 && p[-(ptrdiff_t) backslashes] == '\\') {
        backslashes++;
    }

    return backslashes % 2 == 1;
}

bool
gh_hub_low_half(gh_str_t text)
{
    return text.len >= 6 && text.data[0] == '\\' && text.data[1] == 'u' && (text.data[2] | 0x20) == 'd' && memchr("cdefCDEF", text.data[3], 8) != NULL;
}

uint64_t
gh_hub_chars(gh_str_t escaped)
{
    const char *p = escaped.data, *end = escaped.data + escaped.len;
    uint64_t    count = 0;

    while (p < end) {
        if (*p != '\\') {
            count += (*p & 0xc0) != 0x80;
            p++;
        } else {
            count += unit_at(p, end) != LOW;
            p += p + 1 < end && p[1] == 'u' ? UNIT : 2;
        }
    }

    return count;
}
