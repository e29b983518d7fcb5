/* API keys: changing what is said of one. Its secrets, its name and its counters stay; what it may no longer do every worker refuses from its next look at the store on. */
#include "policy/store/store_edit.h"

#include <string.h>

typedef struct {
    const gh_store_key_edit_t *asked;
    gh_heap_t                  heap;       /* for the strings of records */
} editing_t;

#define HELD (GH_KEY_SAYS_CLASSES | GH_KEY_SAYS_PLACES | GH_KEY_SAYS_MODELS | GH_KEY_SAYS_LIMITS | GH_KEY_SAYS_MINTS | GH_KEY_SAYS_EXPIRES | GH_KEY_SAYS_AUDIT)   /* to what its minter has */

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
    uint8_t                    buffer[GH_KEY_RECORD_MAX];
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
    if (asked->says & GH_KEY_SAYS_AUDIT) {
        numbers.audit_required = asked->audit_required;
    }
    words = (gh_key_words_t) { said.org, said.tenant, said.app, said.key, asked->says & GH_KEY_SAYS_CLASSES ? asked->classes : said.own_classes,
                               asked->says & GH_KEY_SAYS_PLACES ? asked->places : said.own_places, asked->says & GH_KEY_SAYS_MODELS ? asked->models : said.own_models };
    return gh_edit_key_rewrite(edit, asked->path, hash, &numbers, &words, error);
}

static int
edit_records(gh_edit_t *edit, editing_t *editing, size_t *followed, gh_error_t *error)
{
    static const uint8_t none[32];
    gh_str_t             path = editing->asked->path;
    unsigned             says = editing->asked->says;
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
        || (memcmp(name.before, none, sizeof(none)) != 0 && edit_record(edit, editing, name.before, error) != GH_OK)
        || gh_edit_name_says(&name, says & GH_KEY_SAYS_OWNER ? editing->asked->owner : gh_store_name_owner(&name), says & GH_KEY_SAYS_MINTS ? editing->asked->mints : gh_store_name_mints(&name),
               says & GH_KEY_SAYS_MINTER ? GH_STR("") : gh_store_name_minter(&name), error) != GH_OK)
    {
        return GH_ERROR;
    }
    if ((says & GH_KEY_SAYS_EXPIRES) && editing->asked->not_after_ms != 0 && name.before_until_ms > editing->asked->not_after_ms) {
        name.before_until_ms = editing->asked->not_after_ms;
    }
    if (gh_edit_name_put(edit, &index, &name, error) != GH_OK) {
        return GH_ERROR;
    }
    return says & HELD ? gh_edit_minted_narrow(edit, path, editing->asked->actor, followed, error) : GH_OK;
}

/* What its minter lets it be, of what is said; the rest of the key has been held against it before. */
static int
within_minter(gh_store_t *store, gh_store_key_edit_t *asked, const gh_store_key_t *key, gh_arena_t *arena, gh_error_t *error)
{
    gh_str_t    app = { asked->path.data, asked->path.len - key->name.len - 1 };
    gh_minted_t minted = { .classes = asked->says & GH_KEY_SAYS_CLASSES ? asked->classes : key->classes, .mints = asked->says & GH_KEY_SAYS_MINTS ? asked->mints : key->mints,
                           .places = asked->says & GH_KEY_SAYS_PLACES ? asked->places : key->places, .models = asked->says & GH_KEY_SAYS_MODELS ? asked->models : key->models,
                           .not_after_ms = asked->says & GH_KEY_SAYS_EXPIRES ? asked->not_after_ms : key->not_after_ms,
                           .audit_required = asked->says & GH_KEY_SAYS_AUDIT ? asked->audit_required : key->audit_required };
    const gh_limit_t *limits = asked->says & GH_KEY_SAYS_LIMITS ? asked->limits : key->limits;
    uint32_t          count = asked->says & GH_KEY_SAYS_LIMITS ? asked->limit_count : key->limit_count;
    gh_limit_t       *held;

    for (uint32_t i = 0; i < count; i++) {
        if (!gh_limits_tighten(&minted.limits, &limits[i])) {
            return gh_error_set(error, "invalid_request", "a key has at most %u limits of its own", GH_KEY_LIMITS);
        }
    }
    if (gh_store_mint_edit(store, key->minter, app, asked->now_ms, arena, &minted, error) != GH_OK || (held = gh_arena_array(arena, minted.limits.count + 1, sizeof(*held))) == NULL) {
        return error->code != NULL ? GH_ERROR : gh_error_set(error, "out_of_memory", "no memory for a key");
    }
    memcpy(held, minted.limits.items, minted.limits.count * sizeof(*held));
    asked->classes = asked->says & GH_KEY_SAYS_CLASSES ? minted.classes : asked->classes;
    asked->places = asked->says & GH_KEY_SAYS_PLACES ? minted.places : asked->places;
    asked->models = asked->says & GH_KEY_SAYS_MODELS ? minted.models : asked->models;
    asked->not_after_ms = asked->says & GH_KEY_SAYS_EXPIRES ? minted.not_after_ms : asked->not_after_ms;
    asked->audit_required = minted.audit_required;
    asked->limits = asked->says & GH_KEY_SAYS_LIMITS ? held : asked->limits;
    asked->limit_count = asked->says & GH_KEY_SAYS_LIMITS ? minted.limits.count : asked->limit_count;
    return GH_OK;
}

/* Of a key that another one made: *change is the newest edit that it was held against its minter after. */
static int
held_to_minter(gh_store_t *store, gh_store_key_edit_t *asked, gh_arena_t *arena, uint64_t *change, gh_error_t *error)
{
    gh_store_key_t *keys;
    size_t          count;

    *change = asked->seen_change;
    if (!(asked->says & HELD) || (asked->says & GH_KEY_SAYS_MINTER)) {
        return GH_OK;
    }
    if (gh_store_key_list(store, asked->path, asked->now_ms, arena, &keys, &count, error) != GH_OK) {
        return GH_ERROR;
    }
    if (count != 1 || keys[0].minter.len == 0 || keys[0].revoked_ms != 0) {
        return GH_OK;                            /* what there is to say of it is said where it is edited */
    }
    *change = *change != 0 ? *change : store->head.last_change;
    return within_minter(store, asked, &keys[0], arena, error);
}

/* As for a new key of this app that says the same, after its minter has had its say. *revision: what it was held against; as it is when it was not. */
static int
check(gh_store_t *store, gh_store_key_edit_t *asked, gh_arena_t *arena, uint64_t *revision, uint64_t *change, gh_error_t *error)
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
    if (gh_store_key_new_check(&as_new, path, &text, error) != GH_OK || held_to_minter(store, asked, arena, change, error) != GH_OK) {
        return GH_ERROR;
    }
    as_new.classes = asked->classes;
    as_new.places = asked->places;
    as_new.models = asked->models;
    as_new.limits = asked->limits;
    as_new.limit_count = asked->limit_count;
    return narrows(asked) ? gh_store_key_app_check(store, (gh_str_t) { path, text.len - as_new.name.len - 1 }, &as_new, asked->now_ms, revision, error) : GH_OK;
}

int
gh_store_key_edit(gh_store_t *store, const gh_store_key_edit_t *asked, gh_error_t *error)
{
    gh_store_key_edit_t held = *asked;
    editing_t           editing = { .asked = &held };
    gh_edit_t           edit;
    uint64_t            revision = 0, change;
    size_t              followed = 0;
    int                 rc;

    gh_heap_init(&editing.heap);
    rc = check(store, &held, &editing.heap.arena, &revision, &change, error) == GH_OK ? gh_edit_begin(&edit, store, asked->now_ms, error) : GH_ERROR;
    if (rc != GH_OK) {
        gh_heap_free(&editing.heap);
        return GH_ERROR;
    }
    rc = gh_edit_unmoved(&edit, revision, change, error) == GH_OK ? edit_records(&edit, &editing, &followed, error) : GH_ERROR;
    gh_heap_free(&editing.heap);
    if (rc != GH_OK) {
        gh_edit_abort(&edit);
        return GH_ERROR;
    }
    if (asked->followed != NULL) {
        *asked->followed = followed;
    }
    return gh_edit_commit(&edit, error);
}
