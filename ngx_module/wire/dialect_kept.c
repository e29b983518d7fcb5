/* How a deployment is asked about a response that it keeps: .../responses/{id}, what is done behind that, and what the client's query says. */
#include <string.h>

#include "ngx_module/wire/dialect.h"

/* Pieces of a path: what the dialect has in front of "?" and behind, the id, the operation, and four of each parameter. */
#define PIECES (5 + 4 * GH_PARAMETERS_MAX)

int
gh_dialect_kept(gh_arena_t *arena, const gh_intake_t *intake, gh_wire_request_t *out, gh_error_t *error)
{
    gh_str_t    pieces[PIECES], path = out->path, query = GH_STR(""), id;
    const char *mark = memchr(path.data, '?', path.len);
    uint32_t    count = 0;

    id = gh_dialect_segment(arena, intake->kept, error);
    if (id.data == NULL) {
        return GH_ERROR;
    }
    if (mark != NULL) {
        path.len = (size_t) (mark - path.data);
        query = (gh_str_t) { mark, out->path.len - path.len };
    }

    pieces[count++] = path;
    pieces[count++] = GH_STR("/");
    pieces[count++] = id;
    pieces[count++] = gh_str_from(gh_url_behind_id[intake->operation]);
    pieces[count++] = query;
    for (uint32_t i = 0; i < intake->parameter_count; i++) {
        pieces[count++] = mark != NULL || i != 0 ? GH_STR("&") : GH_STR("?");
        pieces[count] = gh_dialect_escape(arena, intake->parameters[i].name);
        pieces[count + 1] = GH_STR("=");
        pieces[count + 2] = gh_dialect_escape(arena, intake->parameters[i].value);
        if (pieces[count].data == NULL || pieces[count + 2].data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        count += 3;
    }

    out->method = gh_operation_methods[intake->operation];
    out->path = gh_str_join(arena, pieces, count);

    return out->path.data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}
