/* API keys: changing what is said of one. Its secrets, its name and its counters stay; what it may no longer do every worker refuses from its next look at the store on. */
#include "policy/store/store_edit.h"

#include <string.h>

typedef struct {
    const gh_store_key_edit_t *asked;
    gh_heap_t                  heap;       /* for the strings of records */
} editing_t;

static bool
narrows(const gh_store_key_edit_t *asked)
{
    return asked->says & (GH_KEY_SAYS_CLASSES | GH_KEY_SAYS_PLACES | GH_KEY_SAYS_MODELS | GH_KEY_SAYS_LIMITS | GH_KEY_SAYS_MINTS);
}

/* Of one of its secrets. That which was rotated away ends when it would have, or with the key. */
static int
edit_record(gh_edit_t *edit, editing_t *editing, const uint8_t hash[32], gh_error_t *error)
{
    const gh_store_key_edit_t *asked = editing->asked;
    gh_key_record_t            record, numbers;
    gh_identity_t              said;
    gh_key_words_t             words;
    uint8_t                    buffer[GH_KEY_RECORD_MAX], out[GH_KEY_RECORD_MAX];
    size_t                     len;

    if (gh_edit_key_get(edit, asked->path, hash, buffer, &len, &numbers, error) != GH_OK
        || gh_key_record_read(buffer, len, &editing->heap.arena, &record, &said, error) != GH_OK)
    {
        return GH_ERROR;
    }
    if ((asked->says & GH_KEY_SAYS_EXPIRES) && (numbers.state != GH_KEY_RETIRING || (asked->not_after_ms != 0 && asked->not_after_ms < numbers.not_after_ms))) {
        numbers.not_after_ms = asked->not_after_ms;
    }
    if (asked->says & GH_KEY_SAYS_LIMITS) {
        memset(numbers.limit, 0, sizeof(numbers.limit));
        numbers.limit_count = (uint8_t) asked->limit_count;
        if (asked->limit_count > 0) {
            memcpy(numbers.limit, asked->limits, asked->limit_count * sizeof(*asked->limits));
        }
    }
    words = (gh_key_words_t) { said.org, said.tenant, said.app, said.key, asked->says & GH_KEY_SAYS_CLASSES ? asked->classes : said.own_classes,
                               asked->says & GH_KEY_SAYS_PLACES ? asked->places : said.own_places, asked->says & GH_KEY_SAYS_MODELS ? asked->models : said.own_models };
    len = gh_key_record_write(&numbers, &words, out);
    if (len == 0) {
        return gh_error_set(error, "invalid_request", "the classes, places and models of %.*s do not fit", GH_STR_ARG(asked->path));
    }
    return gh_key_record_numbers(out, len, &numbers) ? gh_edit_key_put(edit, hash, out, len, &numbers, error)
        : gh_error_set(error, "store_damaged", "the record of key %.*s cannot be written", GH_STR_ARG(asked->path));
}

static int
edit_name(const gh_store_key_edit_t *asked, gh_name_key_t *name, gh_error_t *error)
{
    char     text[sizeof(name->text)];
    gh_str_t owner = asked->says & GH_KEY_SAYS_OWNER ? asked->owner : gh_store_name_owner(name);
    gh_str_t mints = asked->says & GH_KEY_SAYS_MINTS ? asked->mints : gh_store_name_mints(name);

    if (owner.len + mints.len > sizeof(text)) {
        return gh_error_set(error, "invalid_request", "the owner and what it makes keys for do not fit");
    }
    memset(text, 0, sizeof(text));
    if (owner.len > 0) {
        memcpy(text, owner.data, owner.len);
    }
    if (mints.len > 0) {
        memcpy(text + owner.len, mints.data, mints.len);
    }
    name->owner_len = (uint8_t) owner.len;
    name->mints_len = (uint8_t) mints.len;
    memcpy(name->text, text, sizeof(text));
    return GH_OK;
}

static int
edit_records(gh_edit_t *edit, editing_t *editing, gh_error_t *error)
{
    static const uint8_t none[32];
    gh_str_t             path = editing->asked->path;
    gh_store_name_key_t  index;
    gh_name_key_t        name;
    bool                 found;

    if (gh_edit_name_get(edit, path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found || name.revoked_ms != 0) {
        return found ? gh_error_set(error, "key_revoked", "%.*s was revoked: nothing of it can be changed", GH_STR_ARG(path))
                     : gh_error_set(error, "key_unknown", "there is no key %.*s; \"gatehouse key list\" shows all", GH_STR_ARG(path));
    }
    if (gh_edit_change(edit, editing->asked->actor, "key.edit", path, error) != GH_OK || edit_record(edit, editing, name.hash, error) != GH_OK
        || (memcmp(name.before, none, sizeof(none)) != 0 && edit_record(edit, editing, name.before, error) != GH_OK) || edit_name(editing->asked, &name, error) != GH_OK)
    {
        return GH_ERROR;
    }
    if ((editing->asked->says & GH_KEY_SAYS_EXPIRES) && editing->asked->not_after_ms != 0 && name.before_until_ms > editing->asked->not_after_ms) {
        name.before_until_ms = editing->asked->not_after_ms;
    }
    return gh_edit_name_put(edit, &index, &name, error);
}

/* As for a new key of this app that says the same. *revision: what it was held against; as it is when it was not. */
static int
check(gh_store_t *store, const gh_store_key_edit_t *asked, uint64_t *revision, gh_error_t *error)
{
    gh_store_key_new_t as_new = { .now_ms = asked->now_ms, .owner = asked->owner, .mints = asked->mints, .classes = asked->classes, .places = asked->places, .models = asked->models,
                                  .limits = asked->limits, .limit_count = asked->limit_count, .not_after_ms = asked->not_after_ms, .actor = asked->actor };
    gh_str_t          *parts[] = { &as_new.org, &as_new.tenant, &as_new.app, &as_new.name }, rest = asked->path;
    char               path[GH_STORE_PATH_MAX];
    gh_str_t           text;

    for (int i = 0; i < 4; i++) {
        const char *slash = i < 3 && rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;

        *parts[i] = (gh_str_t) { rest.data, slash != NULL ? (size_t) (slash - rest.data) : rest.len };
        rest = slash != NULL ? (gh_str_t) { slash + 1, rest.len - parts[i]->len - 1 } : GH_STR("");
    }
    if (gh_store_key_new_check(&as_new, path, &text, error) != GH_OK) {
        return GH_ERROR;
    }
    return narrows(asked) ? gh_store_key_app_check(store, (gh_str_t) { path, text.len - as_new.name.len - 1 }, &as_new, asked->now_ms, revision, error) : GH_OK;
}

int
gh_store_key_edit(gh_store_t *store, const gh_store_key_edit_t *asked, gh_error_t *error)
{
    editing_t editing = { .asked = asked };
    gh_edit_t edit;
    uint64_t  revision = 0;
    int       rc;

    if (check(store, asked, &revision, error) != GH_OK || gh_edit_begin(&edit, store, asked->now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    gh_heap_init(&editing.heap);
    rc = gh_edit_unmoved(&edit, revision, 0, error) == GH_OK ? edit_records(&edit, &editing, error) : GH_ERROR;
    gh_heap_free(&editing.heap);
    if (rc != GH_OK) {
        gh_edit_abort(&edit);
        return GH_ERROR;
    }
    return gh_edit_commit(&edit, error);
}
