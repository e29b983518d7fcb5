/*
 * The session of a request: what its labels and the ids in it say. An id carries the session it was given out in, under its MAC; a request that names
 * no session better belongs to that of the response or conversation it goes on with.
 */
#include <string.h>

#include "ngx_module/wire/ids.h"
#include "ngx_module/wire/intake_reader.h"

int
gh_intake_opened(gh_arena_t *arena, gh_intake_t *intake, uint32_t most, const gh_handle_t *handle, gh_str_t text)
{
    gh_intake_opened_t *opened;

    if (handle->session.len != GH_SESSION_ID) {
        return GH_OK;
    }
    if (intake->opened == NULL) {
        intake->opened = gh_arena_array(arena, most, sizeof(*intake->opened));
        if (intake->opened == NULL) {
            return GH_ERROR;
        }
    }
    opened = &intake->opened[intake->opened_count++];
    opened->kind = handle->kind;
    opened->text = text;
    opened->deployment = gh_str_copy(arena, handle->deployment);
    opened->id = gh_str_copy(arena, handle->id);
    opened->session = gh_str_copy(arena, handle->session);

    return opened->deployment.data != NULL && opened->id.data != NULL && opened->session.data != NULL ? GH_OK : GH_ERROR;
}

/* The response or the conversation that it goes on with, else an item or an answer of one. A file and a container may be of many sessions. */
static const gh_intake_opened_t *
goes_on_with(const gh_intake_t *intake)
{
    const gh_intake_opened_t *found = NULL;

    for (uint32_t i = 0; i < intake->opened_count; i++) {
        switch (intake->opened[i].kind) {
        case GH_HANDLE_RESPONSE:
        case GH_HANDLE_CONVERSATION:
            return &intake->opened[i];
        case GH_HANDLE_ITEM:
        case GH_HANDLE_AUDIO:
        case GH_HANDLE_MESSAGE:
            found = found != NULL ? found : &intake->opened[i];
            break;
        default:
            break;
        }
    }

    return found;
}

int
gh_intake_session(const gh_sessions_t *sessions, uint64_t tenant_uid, gh_str_t request_id, gh_intake_t *intake)
{
    gh_session_label_t        label = intake->label;
    const gh_intake_opened_t *state = label.source == GH_SESSION_NONE || label.source > GH_SESSION_STATE ? goes_on_with(intake) : NULL;

    if (state != NULL) {
        intake->session.source = GH_SESSION_STATE;
        memcpy(intake->session.id, state->session.data, GH_SESSION_ID);
        return GH_OK;
    }
    if (label.source == GH_SESSION_NONE) {
        if (intake->operation != GH_OPERATION_CREATE || gh_ids_shape_of(intake, intake->stream) == NULL) {
            return GH_OK;
        }
        label.source = GH_SESSION_REQUEST;
        label.text = request_id;
    }
    intake->session.source = label.source;

    return gh_session_id(sessions, tenant_uid, label.source, label.text, intake->session.id);
}

gh_str_t
gh_intake_ids_session(const gh_intake_t *intake)
{
    if (intake->operation != GH_OPERATION_CREATE) {
        /* what is told again has the ids it had */
        return intake->opened_count != 0 ? intake->opened[0].session : GH_STR("");
    }

    return intake->session.source != GH_SESSION_NONE ? (gh_str_t) { (const char *) intake->session.id, GH_SESSION_ID } : GH_STR("");
}
