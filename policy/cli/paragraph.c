#include "policy/cli/paragraph.h"

#include <stdio.h>

static size_t
columns(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char) text[i] & 0xc0) != 0x80;
    }

    return count;
}

/* A space that a line may end at: one that stands alone. */
static bool
breakable(gh_str_t text, size_t at)
{
    return text.data[at] == ' ' && at > 0 && at + 1 < text.len && text.data[at - 1] != ' ' && text.data[at + 1] != ' ';
}

/* Bytes of the text's next line. */
static size_t
line_length(gh_str_t text, size_t width)
{
    size_t last = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!breakable(text, i)) {
            continue;
        }
        if (columns(text.data, i) > width) {
            return last > 0 ? last : i;
        }
        last = i;
    }

    return columns(text.data, text.len) <= width || last == 0 ? text.len : last;
}

void
gh_cli_paragraph(unsigned indent, unsigned hang, gh_str_t text)
{
    unsigned left = indent;

    while (text.len > 0) {
        size_t len = line_length(text, left < GH_CLI_COLUMNS - 20 ? GH_CLI_COLUMNS - left : 20);

        printf("%*s%.*s\n", (int) left, "", (int) len, text.data);
        text.data += len;
        text.len -= len;
        if (text.len > 0) {
            text.data++;
            text.len--;
        }
        left = hang;
    }
}
