/* Turns, which Messages and Converse have alike. */
#include "ngx_module/wire/hub/dialect.h"

static int
read_turn(gh_hub_reader_t *r, gh_str_t role, gh_hub_message_t *message, size_t offset)
{
    if (gh_hub_is(role, "user")) {
        message->role = GH_HUB_USER;
    } else if (gh_hub_is(role, "assistant")) {
        message->role = GH_HUB_ASSISTANT;
    } else if (gh_hub_is(role, "system")) {
        message->role = GH_HUB_SYSTEM;
        gh_hub_ask_at(r, GH_ASK_SYSTEM_LATER, offset);
    } else {
        return gh_hub_invalid(r, "must have a role: user, assistant or system");
    }

    return GH_OK;
}

int
gh_hub_read_turns(gh_hub_reader_t *r, gh_hub_request_t *request, const gh_hub_field_t *fields, unsigned count)
{
    gh_hub_message_t **tail, *message;
    gh_hub_turn_t      read;
    size_t             offset;
    int                status;

    if (gh_hub_array(r) != GH_OK) {
        return GH_ERROR;
    }

    /* system may have been read before */
    for (tail = &request->messages; *tail != NULL; tail = &(*tail)->next) { }

    while (gh_hub_object_element(r, fields, count, &read, sizeof(read), &offset, &status)) {
        message = gh_hub_new(r, sizeof(gh_hub_message_t));
        if (message == NULL) {
            return GH_ERROR;
        }
        message->parts = read.content;
        if (read_turn(r, read.role, message, offset) != GH_OK) {
            return GH_ERROR;
        }
        *tail = message;
        tail = &message->next;
    }

    return status;
}

static const char *
turn_of(const gh_hub_message_t *message)
{
    return message->role == GH_HUB_ASSISTANT ? "assistant" : message->role <= GH_HUB_DEVELOPER ? "system" : "user";
}

void
gh_hub_put_turns(gh_hub_put_t *p, const gh_hub_message_t *message,
    bool (*content)(gh_hub_put_t *p, const char *key, const gh_hub_message_t *first, const gh_hub_message_t *last))
{
    const gh_hub_message_t *last;
    const char             *turn;
    size_t                  begin;

    gh_hub_put_key(p, "messages");
    gh_hub_put_open(p, '[');

    for (; message != NULL; message = last) {
        turn = turn_of(message);
        for (last = message->next; last != NULL && strcmp(turn_of(last), turn) == 0; last = last->next) { }

        begin = p->len;
        gh_hub_put_open(p, '{');
        gh_hub_put_kv_string(p, "role", gh_str_from(turn));
        if (content(p, "content", message, last)) {
            gh_hub_put_close(p, '}');
        } else {
            p->len = begin;
        }
    }

    gh_hub_put_close(p, ']');
}
