#include "policy/audit/group.h"

#include <stdlib.h>
#include <string.h>

gh_group_t *
gh_group_open(int wake, const gh_sync_calls_t *calls, gh_error_t *error)
{
    gh_group_t *group = calloc(1, sizeof(*group));

    if (group == NULL) {
        gh_error_set(error, "audit_unavailable", "out of memory");
        return NULL;
    }
    group->last = &group->first;
    group->sync = gh_sync_start(wake, calls, error);
    if (group->sync == NULL) {
        free(group);
        return NULL;
    }

    return group;
}

void
gh_group_close(gh_group_t *group, unsigned ms)
{
    gh_group_line_t *line;

    if (group == NULL) {
        return;
    }
    gh_sync_stop(group->sync, ms);
    while ((line = group->first) != NULL) {
        group->first = line->next;
        free(line);
    }
    free(group);
}

gh_group_line_t *
gh_group_line(gh_str_t body, uint64_t now_ms)
{
    gh_group_line_t *line = malloc(sizeof(*line) + body.len);

    if (line == NULL) {
        return NULL;
    }
    memset(line, 0, sizeof(*line));
    line->at_ms = now_ms;
    line->body = (gh_str_t) { (char *) (line + 1), body.len };
    if (body.len != 0) {
        memcpy(line + 1, body.data, body.len);
    }

    return line;
}

void
gh_group_line_free(gh_group_line_t *line)
{
    free(line);
}

void
gh_group_add(gh_group_t *group, gh_group_line_t *line)
{
    line->next = NULL;
    line->ticket = line->body.len != 0 ? ++group->ticket : 0;
    line->position = group->again ? 0 : ++group->position;
    *group->last = line;
    group->last = &line->next;
    group->bytes += line->body.len;
}

void
gh_group_renew(gh_group_t *group, gh_group_line_t *first, uint64_t now_ms)
{
    group->again = false;
    first->ticket = 0;
    first->next = group->first;
    if (group->first == NULL) {
        group->last = &first->next;
    }
    group->first = first;
    for (gh_group_line_t *line = first; line != NULL; line = line->next) {
        line->position = ++group->position;
        line->at_ms = now_ms;
    }
}

uint64_t
gh_group_room(const gh_group_t *group, uint64_t each)
{
    uint64_t room = 0;

    for (const gh_group_line_t *line = group->again ? group->first : NULL; line != NULL; line = line->next) {
        room += line->body.len + each;
    }

    return room;
}

/* Only what somebody has to be told again stays. */
static void
forget_own(gh_group_t *group)
{
    gh_group_line_t **at = &group->first, *line;

    while ((line = *at) != NULL) {
        if (line->ticket == 0) {
            *at = line->next;
            free(line);
        } else {
            line->position = 0;
            at = &line->next;
        }
    }
    group->last = at;
}

bool
gh_group_look(gh_group_t *group, int *code)
{
    gh_sync_state_t  state;
    gh_group_line_t *line;

    gh_sync_state(group->sync, &state);

    while ((line = group->first) != NULL && line->position != 0 && line->position <= state.position) {
        group->known = true;
        group->voided = false;
        group->end = line->place;
        group->durable = line->ticket != 0 ? line->ticket : group->durable;
        group->bytes -= line->body.len;
        group->first = line->next;
        free(line);
    }
    if (group->first == NULL) {
        group->last = &group->first;
    }

    if (state.error == 0 || group->again) {
        return false;
    }

    *code = state.error;
    gh_sync_drop(group->sync);
    line = group->first;
    if (line != NULL) {
        group->failed = line->place;
        if (!group->voided) {
            group->voided = true;
            group->void_sequence = line->place.sequence;
            group->void_n = line->place.n;
        }
    }
    group->again = true;
    forget_own(group);

    return true;
}

uint64_t
gh_group_age(const gh_group_t *group, uint64_t now_ms)
{
    return group->first == NULL || group->first->at_ms >= now_ms ? 0 : now_ms - group->first->at_ms;
}
