#include "ngx_module/wire/wire.h"

bool
gh_splice_holds(const gh_splice_t *splice, gh_str_t body)
{
    size_t   from = 0;
    unsigned i;

    if (splice->count > GH_SPLICE_MAX) {
        return false;
    }

    for (i = 0; i < splice->count; i++) {
        const gh_splice_edit_t *edit = &splice->edit[i];

        if (edit->offset < from || edit->offset > body.len || edit->length > body.len - edit->offset) {
            return false;
        }
        from = edit->offset + edit->length;
    }

    return true;
}

unsigned
gh_splice_pieces(const gh_splice_t *splice, gh_str_t body, gh_str_t *pieces)
{
    const gh_splice_edit_t *edit;
    size_t                  from = 0;
    unsigned                i, count = 0;

    for (i = 0; i < splice->count; i++) {
        edit = &splice->edit[i];

        if (edit->offset > from) {
            pieces[count++] = (gh_str_t) { body.data + from, edit->offset - from };
        }
        if (edit->text.len != 0) {
            pieces[count++] = edit->text;
        }
        from = edit->offset + edit->length;
    }

    if (body.len > from) {
        pieces[count++] = (gh_str_t) { body.data + from, body.len - from };
    }

    return count;
}

uint64_t
gh_splice_length(const gh_splice_t *splice, gh_str_t body)
{
    uint64_t length = body.len;
    unsigned i;

    for (i = 0; i < splice->count; i++) {
        length = length - splice->edit[i].length + splice->edit[i].text.len;
    }

    return length;
}
