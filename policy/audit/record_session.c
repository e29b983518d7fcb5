/* The session of a decision's request, and the others whose state it uses. */
#include "policy/audit/record_write.h"

#include <string.h>

#include "policy/base/hash.h"

#define OTHERS_MAX 8u

static gh_str_t
hexadecimal(const void *id, char text[2 * GH_SESSION_ID])
{
    gh_hex(id, GH_SESSION_ID, text);
    return (gh_str_t) { text, 2 * GH_SESSION_ID };
}

/* Each once, and not its own. */
static void
record_others(gh_json_writer_t *w, const gh_intake_t *intake)
{
    const char *others[OTHERS_MAX];
    char        text[2 * GH_SESSION_ID];
    unsigned    count = 0, more = 0;

    for (uint32_t i = 0; i < intake->opened_count; i++) {
        const char *id = intake->opened[i].session.data;
        unsigned    k;

        for (k = 0; k < count && memcmp(others[k], id, GH_SESSION_ID) != 0; k++) { }
        if (k < count || memcmp(intake->session.id, id, GH_SESSION_ID) == 0) {
            continue;
        }
        if (count == OTHERS_MAX) {
            more = 1;
            continue;
        }
        others[count++] = id;
        if (count == 1) {
            gh_json_key(w, "state_sessions");
            gh_json_begin_array(w);
        }
        gh_json_string(w, hexadecimal(id, text));
    }
    if (count != 0) {
        gh_json_end_array(w);
    }
    if (more) {
        gh_json_kv_bool(w, "state_sessions_more", true);
    }
}

void
gh_record_session(gh_json_writer_t *w, const gh_intake_t *intake)
{
    char text[2 * GH_SESSION_ID];

    if (intake->session.source != GH_SESSION_NONE) {
        gh_json_key(w, "session");
        gh_json_begin_object(w);
        gh_json_kv_plain(w, "source", gh_str_from(gh_session_source_names[intake->session.source]));
        gh_json_kv_plain(w, "id_sha256", hexadecimal(intake->session.id, text));
        gh_json_end_object(w);
    }
    if (intake->opened_count != 0) {
        record_others(w, intake);
    }
}
