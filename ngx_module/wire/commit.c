/* The commit point of a stream: is what came so far an answer, an error, or neither yet? */
#include <string.h>

#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/sse.h"
#include "policy/base/json_reader.h"

#define STATUS_BAD_GATEWAY 502
#define LABEL_MAX          128
#define EVENTS_MAX         64       /* held: more than that begins no stream that fails */

/* A number, or a string that is one, when it is an error's HTTP status; else 0. */
static int
status_number(const gh_json_reader_t *r)
{
    int value = 0;
    size_t i;

    if (r->token.len != 3) {
        return 0;
    }

    for (i = 0; i < 3; i++) {
        char c = r->token.data[i];

        if (c < '0' || c > '9') {
            return 0;
        }
        value = value * 10 + (c - '0');
    }

    return value >= 400 && value <= 599 ? value : 0;
}

/* What OpenAI, Azure, Bedrock, vLLM, SGLang and Anthropic call their errors, looked for inside `code` and `type`. */
static const struct {
    const char *word;
    int         status;
} words[] = {
    { "rate_limit", 429 }, { "rate limit", 429 }, { "ratelimit", 429 }, { "throttl", 429 },
    { "too_many", 429 }, { "toomany", 429 }, { "insufficient_quota", 429 }, { "429", 429 },
    { "overloaded", 503 }, { "unavailable", 503 },
    { "content_filter", 400 }, { "content_policy", 400 }, { "invalid_request", 400 }, { "badrequest", 400 },
    { "validationexception", 400 }, { "context_length", 400 },
    { "authentication", 401 }, { "unauthorized", 401 }, { "invalid_api_key", 401 },
    { "permission", 403 }, { "forbidden", 403 }, { "accessdenied", 403 },
    { "not_found", 404 }, { "notfound", 404 }, { "timeout", 504 },
};

static int
status_word(const gh_json_reader_t *r)
{
    char   text[LABEL_MAX];
    size_t i, k, len = r->token.len < LABEL_MAX ? r->token.len : LABEL_MAX;

    for (i = 0; i < len; i++) {
        char c = r->token.data[i];

        text[i] = c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
    }

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i].word);

        for (k = 0; k + n <= len; k++) {
            if (memcmp(text + k, words[i].word, n) == 0) {
                return words[i].status;
            }
        }
    }

    return 0;
}

/* A number wins over a word, whatever their order. */
int
gh_chunk_error_status(gh_str_t error_value)
{
    gh_json_reader_t r;
    int              number = 0, word = 0, found;
    bool             label;

    gh_json_reader_init(&r, error_value, 0);

    if (gh_json_next(&r) == GH_JSON_STRING) {
        word = status_word(&r);
        return word != 0 ? word : STATUS_BAD_GATEWAY;
    }

    if (r.event != GH_JSON_OBJECT_BEGIN) {
        return STATUS_BAD_GATEWAY;
    }

    while (gh_json_next(&r) == GH_JSON_KEY) {
        label = gh_json_token_is(&r, GH_STR("code")) || gh_json_token_is(&r, GH_STR("type"));
        if (!label && !gh_json_token_is(&r, GH_STR("status")) && !gh_json_token_is(&r, GH_STR("status_code"))) {
            if (gh_json_skip(&r) != GH_OK) {
                break;
            }
            continue;
        }

        switch (gh_json_next(&r)) {
        case GH_JSON_NUMBER:
        case GH_JSON_STRING:
            found = status_number(&r);
            if (number == 0) {
                number = found;
            }
            if (label && word == 0 && r.event == GH_JSON_STRING) {
                word = status_word(&r);
            }
            break;
        case GH_JSON_OBJECT_BEGIN:
        case GH_JSON_ARRAY_BEGIN:
            gh_json_skip_rest(&r);
            break;
        default:
            break;
        }
    }

    return number != 0 ? number : word != 0 ? word : STATUS_BAD_GATEWAY;
}

/* What one event of the head says. */
static gh_commit_t
look_at(gh_hub_dialect_t dialect, const gh_sse_event_t *event, int *status)
{
    gh_chunk_t chunk;
    gh_str_t   data;

    if (!event->has_data) {
        return event->is_error ? GH_COMMIT_ERROR : GH_COMMIT_HOLD;
    }

    gh_chunk_read(dialect, event->data, &chunk);

    if (chunk.error || event->is_error) {
        *status = gh_chunk_error_status(chunk.error_value.data != NULL ? chunk.error_value : event->data);
        return GH_COMMIT_ERROR;
    }

    if (chunk.done) {
        return GH_COMMIT_GO;
    }

    if (chunk.readable) {
        return chunk.waits ? GH_COMMIT_HOLD : GH_COMMIT_GO;
    }

    /* an object our strict reader does not take may still be one to the client; anything else is no chunk */
    data = gh_str_trim(event->data);
    return data.len != 0 && data.data[0] == '{' ? GH_COMMIT_GO : data.len == 0 ? GH_COMMIT_HOLD : GH_COMMIT_ERROR;
}

gh_commit_t
gh_commit_look(gh_hub_dialect_t dialect, gh_str_t held, int *status)
{
    char           scratch[GH_STREAM_CARRY];
    gh_sse_event_t event;
    gh_chunk_t     chunk;
    gh_commit_t    found;
    gh_str_t       rest = held;
    unsigned       events = 0;
    size_t         len;

    *status = STATUS_BAD_GATEWAY;

    if (held.len != 0 && held.data[0] == '{') {
        /* a JSON error that is called an event stream */
        gh_chunk_read(dialect, held, &chunk);
        if (chunk.readable && chunk.error) {
            *status = gh_chunk_error_status(chunk.error_value);
            return GH_COMMIT_ERROR;
        }
    }

    if (gh_hub_rows[dialect]->commit != NULL) {
        return gh_hub_rows[dialect]->commit(held, status);
    }

    while ((len = gh_sse_end(rest)) != 0) {
        if (len > sizeof(scratch) || events == EVENTS_MAX) {
            return GH_COMMIT_GO;   /* too long, or too many, to be anything but an answer */
        }

        gh_sse_read((gh_str_t) { rest.data, len }, events == 0, scratch, &event);
        found = look_at(dialect, &event, status);
        if (found != GH_COMMIT_HOLD) {
            return found;
        }

        events++;
        rest.data += len;
        rest.len -= len;
    }

    /* of an event that long nothing is kept: it is passed on as it comes */
    return rest.len > sizeof(scratch) ? GH_COMMIT_GO : GH_COMMIT_HOLD;
}
