/*
 * API keys: rotating and ending them. A name has one secret in use and, while it is being rotated, the one before it: both are the same key
 * for limits and the record. However a key ends, every secret that it ever had is refused from then on.
 */
#include "policy/store/store_edit.h"

#include <string.h>

static int
unknown(gh_str_t path, gh_error_t *error)
{
    return gh_error_set(error, "key_unknown", "there is no key %.*s; \"gatehouse key list\" shows all", GH_STR_ARG(path));
}

/* Is there a secret that the last rotation replaced and that can still be used? */
static bool
has_before(const gh_name_key_t *name)
{
    static const uint8_t none[32];

    return memcmp(name->before, none, sizeof(none)) != 0;
}

/* The secret that was rotated away is refused from now on, also where a clock goes back. */
static int
end_before(gh_edit_t *edit, gh_str_t path, gh_name_key_t *name, gh_error_t *error)
{
    gh_key_record_t record;
    uint8_t         buffer[GH_KEY_RECORD_MAX];
    size_t          len;

    if (!has_before(name)) {
        return GH_OK;
    }
    if (gh_edit_key_get(edit, path, name->before, buffer, &len, &record, error) != GH_OK) {
        return GH_ERROR;
    }
    record.state = GH_KEY_REVOKED;
    if (gh_edit_key_put(edit, name->before, buffer, len, &record, error) != GH_OK) {
        return GH_ERROR;
    }
    memset(name->before, 0, sizeof(name->before));
    name->before_until_ms = 0;
    return GH_OK;
}

/* ---- revoking ---- */

int
gh_edit_key_revoke(gh_edit_t *edit, gh_str_t path, gh_str_t actor, gh_error_t *error)
{
    gh_key_record_t record;
    gh_name_key_t   name;
    gh_store_name_key_t index;
    uint8_t         buffer[GH_KEY_RECORD_MAX];
    size_t          len;
    bool            found;

    if (gh_edit_name_get(edit, path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        return unknown(path, error);
    }
    if (gh_edit_key_get(edit, path, name.hash, buffer, &len, &record, error) != GH_OK) {
        return GH_ERROR;
    }
    if (record.state == GH_KEY_REVOKED) {
        return gh_error_set(error, "key_revoked", "%.*s already is revoked", GH_STR_ARG(path));
    }
    if (gh_edit_change(edit, actor, "key.revoke", path, error) != GH_OK) {
        return GH_ERROR;
    }
    record.state = GH_KEY_REVOKED;
    name.revoked_ms = edit->now_ms;
    if (gh_edit_key_put(edit, name.hash, buffer, len, &record, error) != GH_OK || end_before(edit, path, &name, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_edit_name_put(edit, &index, &name, error);
}

static int
check_path(gh_str_t path, gh_str_t actor, gh_error_t *error)
{
    return path.len == 0 || path.len >= GH_STORE_PATH_MAX || memchr(path.data, '\0', path.len) != NULL || actor.len > 256
        ? gh_error_set(error, "invalid_request", "a key is named org/tenant/app/name") : GH_OK;
}

int
gh_store_key_revoke(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_str_t actor, size_t *followed, gh_error_t *error)
{
    gh_edit_t edit;
    size_t    count;

    if (check_path(path, actor, error) != GH_OK || gh_edit_begin(&edit, store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_edit_key_revoke(&edit, path, actor, error) != GH_OK || gh_edit_minted_revoke(&edit, path, actor, &count, error) != GH_OK) {
        gh_edit_abort(&edit);
        return GH_ERROR;
    }
    if (followed != NULL) {
        *followed = count;
    }
    return gh_edit_commit(&edit, error);
}

/* ---- rotating ---- */

/* A new secret ends no later than the key that made this one. */
static int
ends_with_minter(gh_edit_t *edit, gh_str_t path, const gh_name_key_t *name, uint64_t not_after_ms, gh_error_t *error)
{
    gh_str_t minter = gh_store_name_minter(name);
    uint64_t end;

    if (minter.len == 0) {
        return GH_OK;
    }
    if (gh_edit_key_end(edit, minter, &end, error) != GH_OK) {
        return GH_ERROR;
    }
    return end == 0 || (not_after_ms != 0 && not_after_ms <= end) ? GH_OK
        : gh_error_set(error, "mint_longer", "%.*s, which made %.*s, ends before that", GH_STR_ARG(minter), GH_STR_ARG(path));
}

/* What was in use becomes the one before: it may be used on until `until_ms`, or no longer when that is not ahead. */
static int
retire(gh_edit_t *edit, gh_str_t path, gh_name_key_t *name, uint8_t *buffer, size_t len, gh_key_record_t *record, uint64_t until_ms,
    gh_error_t *error)
{
    if (record->not_after_ms != 0 && record->not_after_ms < until_ms) {
        until_ms = record->not_after_ms;
    }
    memcpy(name->before, name->hash, 32);
    name->before_until_ms = until_ms;
    if (until_ms <= edit->now_ms) {
        return end_before(edit, path, name, error);
    }
    record->state = GH_KEY_RETIRING;
    record->not_after_ms = until_ms;
    return gh_edit_key_put(edit, name->before, buffer, len, record, error);
}

static int
rotate_records(gh_edit_t *edit, const void *what, const uint8_t hash[32], gh_error_t *error)
{
    const gh_store_key_rotate_t *rotate = what;
    gh_key_record_t record, new;
    gh_name_key_t   name;
    gh_store_name_key_t index;
    uint8_t         buffer[GH_KEY_RECORD_MAX], copy[GH_KEY_RECORD_MAX];
    size_t          len, followed;
    bool            found;

    if (gh_edit_name_get(edit, rotate->path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        return unknown(rotate->path, error);
    }
    if (gh_edit_key_get(edit, rotate->path, name.hash, buffer, &len, &record, error) != GH_OK) {
        return GH_ERROR;
    }
    if (record.state == GH_KEY_REVOKED) {
        return gh_error_set(error, "key_revoked", "%.*s was revoked, for ever", GH_STR_ARG(rotate->path));
    }
    if (has_before(&name) && name.before_until_ms > edit->now_ms) {
        return gh_error_set(error, "key_rotating", "%.*s is being rotated: the secret before the present one may be used still", GH_STR_ARG(rotate->path));
    }
    if (gh_edit_change(edit, rotate->actor, "key.rotate", rotate->path, error) != GH_OK
        || end_before(edit, rotate->path, &name, error) != GH_OK)
    {
        return GH_ERROR;
    }
    new = record;
    new.state = GH_KEY_LIVE;
    new.not_after_ms = rotate->expires ? rotate->not_after_ms : record.not_after_ms;
    if (new.not_after_ms != 0 && new.not_after_ms <= edit->now_ms) {
        return gh_error_set(error, "key_expired", "%.*s has expired, and the new secret would have too", GH_STR_ARG(rotate->path));
    }
    if (rotate->expires && ends_with_minter(edit, rotate->path, &name, new.not_after_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    memcpy(copy, buffer, len);
    if (retire(edit, rotate->path, &name, buffer, len, &record, rotate->before_until_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    new.change = edit->head.last_change;
    memset(new.envelope, 0, sizeof(new.envelope));
    gh_key_record_renumber(&new, copy);
    memcpy(name.hash, hash, 32);
    name.rotated_ms = edit->now_ms;
    if (gh_edit_key_add(edit, rotate->path, hash, copy, len, error) != GH_OK || gh_edit_name_put(edit, &index, &name, error) != GH_OK) {
        return GH_ERROR;
    }
    return rotate->expires ? gh_edit_minted_narrow(edit, rotate->path, rotate->actor, &followed, error) : GH_OK;
}

int
gh_store_key_rotate(gh_store_t *store, const gh_store_key_rotate_t *rotate, char text[GH_KEY_TEXT + 1], gh_error_t *error)
{
    gh_edit_secret_t secret = { .random = rotate->random, .now_ms = rotate->now_ms, .path = rotate->path };

    text[0] = '\0';
    if (check_path(rotate->path, rotate->actor, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_edit_secret(store, &secret, rotate_records, rotate, text, error);
}

static int
retire_records(gh_edit_t *edit, gh_str_t path, gh_str_t actor, gh_error_t *error)
{
    gh_name_key_t       name;
    gh_store_name_key_t index;
    bool                found;

    if (gh_edit_name_get(edit, path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        return unknown(path, error);
    }
    if (!has_before(&name)) {
        return gh_error_set(error, "key_not_rotating", "%.*s has one secret, which is in use", GH_STR_ARG(path));
    }
    if (gh_edit_change(edit, actor, "key.retire", path, error) != GH_OK || end_before(edit, path, &name, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_edit_name_put(edit, &index, &name, error);
}

int
gh_store_key_retire(gh_store_t *store, gh_str_t path, uint64_t now_ms, gh_str_t actor, gh_error_t *error)
{
    gh_edit_t edit;

    if (check_path(path, actor, error) != GH_OK || gh_edit_begin(&edit, store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (retire_records(&edit, path, actor, error) != GH_OK) {
        gh_edit_abort(&edit);
        return GH_ERROR;
    }
    return gh_edit_commit(&edit, error);
}
