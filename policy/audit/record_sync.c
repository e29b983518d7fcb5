/* The record's lines on the disk before what they tell of is done: what becomes of them when a sync fails. */
#include "policy/audit/record_state.h"

#include "policy/audit/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
gh_record_place(const gh_record_t *record, const gh_segment_t *segment, unsigned d, gh_group_line_t *line)
{
    line->place.sequence = segment->sequence;
    line->place.directory = d;
    line->place.n = segment->n - 1;
    memcpy(line->place.chain, record->chain, sizeof(line->place.chain));
}

void
gh_record_sync(gh_record_t *record, gh_group_line_t *line)
{
    if (line != NULL) {
        gh_record_place(record, &record->segment, record->segment.directory, line);
        gh_group_add(record->group, line);
        gh_sync_want(record->group->sync, record->group->position, record->segment.size);
    }
}

void
gh_record_name(const gh_record_t *record, uint64_t sequence, char name[GH_SEGMENT_NAME])
{
    gh_segment_name_t parts = { gh_str_from(record->node), record->options.epoch_ms, record->options.pid, sequence };

    gh_segment_name_write(&parts, name);
}

int
gh_record_rewrite(gh_record_t *record, gh_segment_t *segment, unsigned d, gh_error_t *error)
{
    for (gh_group_line_t *line = record->group->first; line != NULL; line = line->next) {
        if (gh_record_write(record, segment, d, line->body, error) != GH_OK) {
            return GH_ERROR;
        }
        gh_record_place(record, segment, d, line);
    }

    return GH_OK;
}

void
gh_record_begun(gh_record_t *record, gh_sync_file_t *file, gh_group_line_t *first)
{
    gh_group_t *group = record->group;
    gh_line_t   head;
    uint64_t    ignored;

    for (gh_group_line_t *line = group->again ? group->first : NULL; line != NULL; line = line->next) {
        if (gh_line_body(line->body, &head) && head.allow && gh_owed_find(&record->owed, gh_line_id_key(head.id), &ignored)) {
            (void) gh_owed_add(&record->owed, gh_line_id_key(head.id), record->segment.sequence);
        }
    }
    if (group->again) {
        gh_group_renew(group, first, record->now_ms);
    } else {
        gh_group_add(group, first);
    }
    gh_sync_add(group->sync, file);
    gh_sync_want(group->sync, group->position, record->segment.size);
}

int
gh_record_append_synced(gh_record_t *record, gh_str_t body, bool owed, gh_error_t *error)
{
    gh_group_t      *group = record->group;
    uint64_t         age = group->again ? 0 : gh_group_age(group, record->now_ms);
    gh_group_line_t *line;

    if (!owed && (age > record->options.sync_ms || group->bytes > GH_GROUP_BYTES)) {
        return gh_error_set(error, "audit_unavailable", "the disk of %s does not keep up: %" PRIu64 " bytes wait for it since %" PRIu64 " ms",
            gh_record_file(record), group->bytes, age);
    }
    line = gh_group_line(body, record->now_ms);
    if (line == NULL) {
        return gh_error_set(error, "audit_unavailable", "out of memory");
    }
    if (gh_record_append_line(record, body, owed, line, error) == GH_OK) {
        return GH_OK;
    }
    if (owed && group->again) {
        gh_group_add(group, line);           /* with the others, when they can be written */
        return GH_OK;
    }
    gh_group_line_free(line);

    return GH_ERROR;
}

uint64_t
gh_record_ticket(const gh_record_t *record)
{
    return record->group != NULL ? record->group->ticket : 0;
}

uint64_t
gh_record_durable(const gh_record_t *record)
{
    return record->group != NULL ? record->group->durable : record->durable;
}

uint64_t
gh_record_syncs(const gh_record_t *record)
{
    gh_sync_state_t state = { 0 };

    if (record->group != NULL) {
        gh_sync_state(record->group->sync, &state);
    }

    return state.calls;
}

int
gh_record_synced(gh_record_t *record, uint64_t now_ms, gh_error_t *error)
{
    gh_group_t *group = record->group;
    char        name[GH_SEGMENT_NAME];
    int         code = 0;

    if (group == NULL) {
        return GH_OK;
    }
    record->now_ms = now_ms;
    if (!gh_group_look(group, &code)) {
        return GH_OK;
    }

    gh_record_name(record, group->failed.sequence, name);
    record->state.failures++;
    snprintf(record->state.why, sizeof(record->state.why), "%.160s: cannot be synced: %.60s", name, strerror(code));
    snprintf(record->previous_error, sizeof(record->previous_error), "cannot be synced: %.100s", strerror(code));
    record->failed_ms[group->failed.directory] = now_ms;
    record->segment.failed = true;
    record->torn_bytes = 0;
    if (group->known) {
        memcpy(record->chain, group->end.chain, sizeof(record->chain));
        gh_record_name(record, group->end.sequence, record->previous);
    } else {
        memset(record->chain, '0', sizeof(record->chain));
        record->previous[0] = '\0';
    }

    return gh_record_begin(record, true, 0, error);
}

void
gh_record_end(gh_record_t *record)
{
    uint64_t failures;

    for (unsigned tries = 0; tries <= GH_RECORD_DIRECTORIES && !gh_sync_wait(record->group->sync, record->options.sync_ms); tries++) {
        failures = record->state.failures;
        memset(record->again_ms, 0, sizeof(record->again_ms));   /* there is no later */
        if (gh_record_synced(record, record->now_ms, NULL) != GH_OK || record->state.failures == failures) {
            return;                          /* none can be begun, or the disk does not answer */
        }
        if (record->owed.count == 0) {
            gh_record_seal(record, NULL);
        }
    }
}
