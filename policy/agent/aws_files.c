#include "policy/agent/aws_files.h"

#include <string.h>

static gh_str_t
trim(gh_str_t text)
{
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    return text;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The profile of a section's head; data NULL: the section is something else. */
static gh_str_t
profile_of(gh_str_t head, bool credentials)
{
    gh_str_t prefix = GH_STR("profile"), name = trim(head);

    if (!credentials) {
        if (gh_str_is(name, "default")) {
            return name;
        }
        if (!gh_str_starts(name, prefix) || name.len == prefix.len || !is_blank(name.data[prefix.len])) {
            return (gh_str_t) { NULL, 0 };
        }
        name = trim((gh_str_t) { name.data + prefix.len, name.len - prefix.len });
    }
    if (name.len >= 2 && (name.data[0] == '"' || name.data[0] == '\'') && name.data[name.len - 1] == name.data[0]) {
        name = (gh_str_t) { name.data + 1, name.len - 2 };
    }
    return name;
}

static int
add(gh_arena_t *arena, gh_aws_settings_t *settings, gh_aws_setting_t setting, gh_error_t *error)
{
    if (settings->count == GH_AWS_SETTINGS_MAX) {
        return gh_error_set(error, "source_config", "the files of AWS have more than %u settings", GH_AWS_SETTINGS_MAX);
    }
    if ((settings->count & (settings->count - 1)) == 0) {
        size_t room = settings->count == 0 ? 1 : settings->count * 2;

        settings->items = gh_arena_grow(arena, settings->items, settings->count, room, sizeof(*settings->items));
        if (settings->items == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
    }
    settings->items[settings->count++] = setting;
    return GH_OK;
}

typedef struct {
    gh_str_t profile;       /* of the section; data NULL: none that is looked at */
    bool     begun;         /* a section was */
} place_t;

static int
read_head(gh_arena_t *arena, gh_str_t line, bool credentials, place_t *place, gh_aws_settings_t *settings, gh_error_t *error)
{
    const char *end = memchr(line.data, ']', line.len);

    if (end == NULL) {
        return gh_error_set(error, "source_config", "a section has no \"]\"");
    }
    place->begun = true;
    place->profile = profile_of((gh_str_t) { line.data + 1, (size_t) (end - line.data) - 1 }, credentials);
    return place->profile.data == NULL ? GH_OK : add(arena, settings, (gh_aws_setting_t) { place->profile, GH_STR(""), GH_STR("") }, error);
}

/* One line. What is indented belongs to the setting before it, which then is none of those that are used here. */
static int
read_line(gh_arena_t *arena, gh_str_t raw, bool credentials, place_t *place, gh_aws_settings_t *settings, gh_error_t *error)
{
    gh_str_t    line = trim(raw);
    const char *equals;

    if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';' || (is_blank(raw.data[0]) && line.data[0] != '[')) {
        return GH_OK;
    }
    if (line.data[0] == '[') {
        return read_head(arena, line, credentials, place, settings, error);
    }
    equals = memchr(line.data, '=', line.len);
    if (equals == NULL || equals == line.data) {
        return gh_error_set(error, "source_config", "a line is neither a section nor \"name = value\"");
    }
    if (!place->begun) {
        return gh_error_set(error, "source_config", "a setting stands before the first section");
    }
    if (place->profile.data == NULL) {
        return GH_OK;
    }
    return add(arena, settings, (gh_aws_setting_t) { place->profile, trim((gh_str_t) { line.data, (size_t) (equals - line.data) }),
        trim((gh_str_t) { equals + 1, (size_t) (line.data + line.len - equals) - 1 }) }, error);
}

int
gh_aws_file_read(gh_arena_t *arena, gh_str_t text, const char *path, bool credentials, gh_aws_settings_t *settings, gh_error_t *error)
{
    place_t     place = { { NULL, 0 }, false };
    gh_error_t  inner = { 0 };
    const char *p = text.data, *end = text.data + text.len;
    uint32_t    number = 1;

    for (; p < end; number++) {
        const char *next = memchr(p, '\n', (size_t) (end - p));
        gh_str_t    line = { p, (size_t) ((next != NULL ? next : end) - p) };

        if (line.len != 0 && read_line(arena, line, credentials, &place, settings, &inner) != GH_OK) {
            return gh_error_set(error, inner.code, "%s:%u: %s", path, number, inner.text);
        }
        p = next != NULL ? next + 1 : end;
    }
    return GH_OK;
}

gh_str_t
gh_aws_setting(const gh_aws_settings_t *settings, gh_str_t profile, const char *name)
{
    for (size_t i = settings->count; i-- > 0;) {
        if (gh_str_is(settings->items[i].name, name) && gh_str_eq(settings->items[i].profile, profile)) {
            return settings->items[i].value;
        }
    }
    return GH_STR("");
}

bool
gh_aws_profile_there(const gh_aws_settings_t *settings, gh_str_t profile)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (gh_str_eq(settings->items[i].profile, profile)) {
            return true;
        }
    }
    return false;
}
