/* What several dialects read alike. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/hub/read.h"

#define USER_SHORT 64   /* bytes of a user's name that every dialect takes */
#define STOPS_FEW  4

gh_hub_part_t *
gh_hub_part_add(gh_hub_reader_t *r, gh_hub_part_t ***tail, gh_hub_kind_t kind)
{
    gh_hub_part_t *part = gh_hub_new(r, sizeof(gh_hub_part_t));

    if (part != NULL) {
        part->kind = kind;
        **tail = part;
        *tail = &part->next;
    }

    return part;
}

/* No arguments at all are an empty object: some servers write calls of functions without parameters so. */
int
gh_hub_arguments(gh_hub_reader_t *r, gh_hub_part_t *part, gh_str_t escaped, size_t offset)
{
    gh_str_t raw;

    part->arguments = escaped;
    if (escaped.len == 0) {
        part->input = GH_STR("{}");
        return GH_OK;
    }

    raw = gh_hub_decode(r->arena, escaped);
    if (raw.data == NULL) {
        return gh_hub_no_memory(r);
    }

    if (strcmp(r->invalid, "bad_answer") == 0 && gh_hub_lone(raw, false)) {
        raw = gh_str_copy(r->arena, raw);
        if (raw.data == NULL) {
            return gh_hub_no_memory(r);
        }
        gh_hub_mend((char *) raw.data, raw.len, false);
    }

    if (gh_hub_is_object(raw)) {
        while (raw.len != 0 && strchr(" \t\r\n", raw.data[0]) != NULL) {
            raw.data++;
            raw.len--;
        }
        while (strchr(" \t\r\n", raw.data[raw.len - 1]) != NULL) {
            raw.len--;
        }
        part->input = raw;
    } else {
        gh_hub_ask_at(r, GH_ASK_ARGUMENTS_TEXT, offset);
    }

    return GH_OK;
}

bool
gh_hub_data_url(gh_str_t escaped, gh_str_t *media_type, gh_str_t *data)
{
    size_t      begin, i;
    const char *comma, *mark;

    if (!gh_hub_starts(escaped, "data:", &begin)) {
        return false;
    }

    comma = memchr(escaped.data + begin, ',', escaped.len - begin);
    if (comma == NULL || comma - escaped.data < (ptrdiff_t) (begin + 7) || memcmp(comma - 7, ";base64", 7) != 0) {
        return false;
    }

    /* parameters between the two, such as a character set, are no part of the type */
    mark = memchr(escaped.data + begin, ';', (size_t) (comma - escaped.data) - begin);
    *media_type = (gh_str_t) { escaped.data + begin, (size_t) (mark - escaped.data) - begin };
    *data = (gh_str_t) { comma + 1, (size_t) (escaped.data + escaped.len - comma - 1) };

    for (i = 0; i < data->len; i++) {
        if (data->data[i] == '"' || data->data[i] == '%') {
            return false;
        }
    }

    return true;
}

void
gh_hub_ask_image(gh_hub_reader_t *r, const gh_hub_part_t *part, size_t offset)
{
    static const char *const types[] = { "image/png", "image/jpeg", "image/gif", "image/webp" };
    size_t                   i;

    if (part->source == GH_HUB_URL) {
        gh_hub_ask_at(r, GH_ASK_IMAGE_URL, offset);
        return;
    }

    gh_hub_ask_at(r, GH_ASK_IMAGE_DATA, offset);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (gh_hub_is(part->media_type, types[i])) {
            return;
        }
    }
    gh_hub_ask_at(r, GH_ASK_IMAGE_TYPE, offset);
}

void
gh_hub_ask_document(gh_hub_reader_t *r, gh_hub_part_t *part, size_t offset)
{
    if (part->source == GH_HUB_URL) {
        gh_hub_ask_at(r, GH_ASK_DOCUMENT_URL, offset);
    } else if (part->source == GH_HUB_PLAIN) {
        gh_hub_ask_at(r, GH_ASK_DOCUMENT_TEXT, offset);
    } else if (part->source == GH_HUB_BLOCKS) {
        gh_hub_ask_at(r, GH_ASK_DOCUMENT_BLOCKS, offset);
        gh_hub_ask_blocks(r, part, offset);
    } else if (gh_hub_is(part->media_type, "application/pdf")) {
        gh_hub_ask_at(r, GH_ASK_DOCUMENT_PDF, offset);
    } else {
        gh_hub_ask_at(r, gh_hub_media_format(GH_HUB_DOCUMENT, part->media_type) != NULL ? GH_ASK_DOCUMENT_OTHER : GH_ASK_DOCUMENT_TYPE, offset);
    }

    if (part->context.data != NULL) {
        gh_hub_ask_at(r, GH_ASK_DOCUMENT_CONTEXT, offset);
    }
}

void
gh_hub_ask_reasoning(gh_hub_reader_t *r, const gh_hub_part_t *part, size_t offset)
{
    if (part->kind == GH_HUB_REDACTED) {
        gh_hub_ask_at(r, GH_ASK_REASONING_REDACTED, offset);
    } else {
        gh_hub_ask_at(r, part->signature.len != 0 ? GH_ASK_REASONING_SIGNED : GH_ASK_REASONING_UNSIGNED, offset);
    }
}

int
gh_hub_read_temperature(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    char              digits[64];
    size_t            len = r->json.token.len < sizeof(digits) - 1 ? r->json.token.len : sizeof(digits) - 1;

    if (r->json.event != GH_JSON_NUMBER) {
        return gh_hub_invalid(r, "must be a number");
    }

    request->temperature = r->json.token;
    memcpy(digits, r->json.token.data, len);
    digits[len] = '\0';
    gh_hub_ask(r, strtod(digits, NULL) > 1 ? GH_ASK_TEMPERATURE_HIGH : GH_ASK_TEMPERATURE);

    return GH_OK;
}

int
gh_hub_read_stop(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    size_t            begin = r->json.token_offset;
    unsigned          count = 0;
    int               status;

    if (r->json.event == GH_JSON_STRING) {
        request->stop = (gh_str_t) { r->json.start + begin, r->json.token_end - begin };
        gh_hub_ask(r, GH_ASK_STOP);
        return GH_OK;
    }

    if (r->json.event != GH_JSON_ARRAY_BEGIN) {
        return gh_hub_invalid(r, "must be a string or an array of strings");
    }

    while (gh_hub_string_element(r, &status)) {
        count++;
    }

    if (status == GH_OK && count != 0) {
        request->stop = (gh_str_t) { r->json.start + begin, r->json.token_end - begin };
        gh_hub_ask_at(r, count > STOPS_FEW ? GH_ASK_STOP_MANY : GH_ASK_STOP, begin);
    }

    return status;
}

void
gh_hub_effort(gh_hub_reader_t *r, gh_hub_request_t *request, gh_str_t escaped, size_t offset)
{
    request->effort = escaped;
    gh_hub_ask_at(r, gh_hub_is(escaped, "none") ? GH_ASK_EFFORT_NONE : gh_hub_is(escaped, "minimal") ? GH_ASK_EFFORT_MINIMAL
        : gh_hub_is(escaped, "xhigh") || gh_hub_is(escaped, "max") ? GH_ASK_EFFORT_MOST : GH_ASK_EFFORT, offset);
}

int
gh_hub_read_effort(gh_hub_reader_t *r, void *object)
{
    size_t   offset = r->json.token_offset;
    gh_str_t effort;

    if (gh_hub_string(r, &effort) != GH_OK) {
        return GH_ERROR;
    }

    gh_hub_effort(r, object, effort, offset);
    return GH_OK;
}

/* `user` and `safety_identifier` say the same: the first that stands there counts. */
int
gh_hub_read_user(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_str_t          user;

    if (gh_hub_string(r, &user) != GH_OK) {
        return GH_ERROR;
    }

    if (user.len != 0 && request->user.data == NULL) {
        request->user = user;
        gh_hub_ask(r, user.len > USER_SHORT ? GH_ASK_USER_LONG : GH_ASK_USER);
    }

    return GH_OK;
}

bool
gh_hub_openai_choice(gh_hub_reader_t *r, gh_hub_request_t *request, size_t offset, gh_str_t type, gh_str_t name)
{
    if (gh_hub_is(type, "none")) {
        request->choice = GH_HUB_CHOICE_NONE;
    } else if (gh_hub_is(type, "auto")) {
        request->choice = GH_HUB_CHOICE_AUTO;
    } else if (gh_hub_is(type, "required")) {
        request->choice = GH_HUB_CHOICE_REQUIRED;
    } else if ((gh_hub_is(type, "function") || gh_hub_is(type, "custom")) && name.data != NULL) {
        request->choice = GH_HUB_CHOICE_TOOL;
        request->choice_name = name;
        request->choice_text = gh_hub_is(type, "custom");
    } else {
        return false;
    }

    gh_hub_ask_at(r, request->choice == GH_HUB_CHOICE_NONE ? GH_ASK_TOOL_CHOICE_NONE : GH_ASK_TOOL_CHOICE, offset);
    return true;
}

int
gh_hub_read_top_logprobs(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;

    if (gh_json_token_u64(&r->json, &request->top_logprobs) != GH_OK) {
        return gh_hub_invalid(r, "must be a number from 0 on");
    }
    if (request->top_logprobs != 0) {
        request->logprobs = true;
        gh_hub_ask(r, GH_ASK_LOGPROBS);
    }

    return GH_OK;
}

static const struct {
    const char   *name;
    gh_hub_tier_t tier;
    unsigned      ask;
} openai_tiers[] = {
    { "auto", GH_HUB_TIER_AUTO, GH_ASKS }, { "default", GH_HUB_TIER_DEFAULT, GH_ASK_TIER_DEFAULT }, { "flex", GH_HUB_TIER_FLEX, GH_ASK_TIER_FLEX },
    { "priority", GH_HUB_TIER_PRIORITY, GH_ASK_TIER_PRIORITY }, { "scale", GH_HUB_TIER_SCALE, GH_ASK_TIER_OPENAI },
    { "fast", GH_HUB_TIER_FAST, GH_ASK_TIER_OPENAI },
};

#define OPENAI_TIERS (sizeof(openai_tiers) / sizeof(openai_tiers[0]))

gh_hub_tier_t
gh_hub_openai_tier(gh_str_t escaped)
{
    for (size_t i = 0; i < OPENAI_TIERS; i++) {
        if (gh_hub_is(escaped, openai_tiers[i].name)) {
            return openai_tiers[i].tier;
        }
    }

    return GH_HUB_TIER_UNSAID;
}

const char *
gh_hub_openai_tier_name(gh_hub_tier_t tier)
{
    for (size_t i = 0; i < OPENAI_TIERS; i++) {
        if (openai_tiers[i].tier == tier) {
            return openai_tiers[i].name;
        }
    }

    return NULL;
}

int
gh_hub_read_openai_tier(gh_hub_reader_t *r, void *object)
{
    gh_hub_request_t *request = object;
    gh_str_t          tier;

    if (gh_hub_string(r, &tier) != GH_OK) {
        return GH_ERROR;
    }

    request->tier = gh_hub_openai_tier(tier);
    for (size_t i = 0; i < OPENAI_TIERS; i++) {
        if (openai_tiers[i].tier == request->tier && openai_tiers[i].ask != GH_ASKS) {
            gh_hub_ask(r, openai_tiers[i].ask);
        }
    }
    if (request->tier == GH_HUB_TIER_UNSAID) {
        gh_hub_ask(r, GH_ASK_UNKNOWN);
    }

    return GH_OK;
}

gh_str_t
gh_hub_elements(gh_str_t raw)
{
    if (raw.len < 2 || raw.data[0] != '[') {
        return GH_STR("");
    }

    raw.data++;
    raw.len -= 2;
    while (raw.len != 0 && strchr(" \t\r\n", raw.data[0]) != NULL) {
        raw.data++;
        raw.len--;
    }
    while (raw.len != 0 && strchr(" \t\r\n", raw.data[raw.len - 1]) != NULL) {
        raw.len--;
    }

    return raw;
}

typedef struct {
    gh_str_t type, mode, ttl;
} cache_t;

static const gh_hub_field_t cache_fields[] = {
    GH_HUB_FIELD("type", STRING, GH_ASKS, cache_t, type),
    GH_HUB_FIELD("mode", STRING, GH_ASKS, cache_t, mode),
    GH_HUB_FIELD("ttl", STRING, GH_ASKS, cache_t, ttl),
    GH_HUB_SKIPS("scope"),    /* a feature where it is asked natively; a translated point is its organisation's own */
};

int
gh_hub_read_cache(gh_hub_reader_t *r, void *object)
{
    gh_hub_cache_t *cache = object;
    size_t          offset = r->json.token_offset;
    cache_t         read;

    memset(&read, 0, sizeof(read));
    if (r->json.event != GH_JSON_OBJECT_BEGIN) {
        return gh_hub_invalid(r, "must be an object");
    }
    if (GH_HUB_OBJECT(r, cache_fields, &read) != GH_OK) {
        return GH_ERROR;
    }

    *cache = gh_hub_is(read.ttl, "5m") ? GH_HUB_CACHE_5M : gh_hub_is(read.ttl, "1h") ? GH_HUB_CACHE_1H : gh_hub_is(read.ttl, "30m") ? GH_HUB_CACHE_30M
        : gh_hub_is(read.ttl, "12h") ? GH_HUB_CACHE_12H : GH_HUB_CACHE;
    gh_hub_ask_at(r, GH_ASK_CACHE_POINT, offset);

    return GH_OK;
}
