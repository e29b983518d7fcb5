/* API keys: making and importing them. They are beside revisions: a rollback never revives a revoked key. */
#include "policy/store/store_edit.h"

#include <stdio.h>
#include <string.h>

#include "policy/identity/narrowing.h"

#define NEAR_CLASSES 256u             /* looked at for the nearest spelling */

/* ---- records, as rotating and ending keys use them too ---- */

int
gh_edit_name_get(gh_edit_t *edit, gh_str_t path, gh_store_name_key_t *index, gh_name_key_t *name, bool *found, gh_error_t *error)
{
    uint8_t value[sizeof(gh_name_key_t)];
    size_t  len;

    gh_store_name_key(index, "k/", path);
    if (gh_edit_get_any(edit, GH_DB_NAME, (gh_bytes_t) { index->text, index->len }, value, sizeof(value), &len, found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!*found) {
        memset(name, 0, sizeof(*name));
        return GH_OK;
    }
    return gh_store_name_read(path, (gh_bytes_t) { value, len }, name, error);
}

int
gh_edit_name_put(gh_edit_t *edit, const gh_store_name_key_t *index, gh_name_key_t *name, gh_error_t *error)
{
    bool plain = name->rotated_ms == 0 && name->imported == 0 && name->access_key == 0 && name->owner_len == 0 && name->mints_len == 0 && name->minter_len == 0 && name->has_minted == 0;

    return gh_edit_put(edit, GH_DB_NAME, (gh_bytes_t) { index->text, index->len }, name,
        plain ? GH_NAME_KEY_PLAIN : offsetof(gh_name_key_t, text) + name->owner_len + name->mints_len + name->minter_len, error);
}

int
gh_edit_name_says(gh_name_key_t *name, gh_str_t owner, gh_str_t mints, gh_str_t minter, gh_error_t *error)
{
    const gh_str_t parts[] = { owner, mints, minter };
    char           text[sizeof(name->text)] = { 0 };
    size_t         len = 0;

    for (int i = 0; i < 3; i++) {
        if (parts[i].len > UINT8_MAX || parts[i].len > sizeof(text) - len) {
            return gh_error_set(error, "invalid_request", "the owner, what it makes keys for and its minter's name do not fit");
        }
        if (parts[i].len > 0) {
            memcpy(text + len, parts[i].data, parts[i].len);
        }
        len += parts[i].len;
    }
    name->owner_len = (uint8_t) owner.len;
    name->mints_len = (uint8_t) mints.len;
    name->minter_len = (uint8_t) minter.len;
    memcpy(name->text, text, sizeof(text));
    return GH_OK;
}

int
gh_edit_key_get(gh_edit_t *edit, gh_str_t path, const uint8_t hash[32], uint8_t *buffer, size_t *len, gh_key_record_t *record,
    gh_error_t *error)
{
    bool found;

    if (gh_edit_get_any(edit, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, buffer, GH_KEY_RECORD_MAX, len, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found || !gh_key_record_numbers(buffer, *len, record)) {
        return gh_error_set(error, "store_damaged", "the record of key %.*s is missing or cut short", GH_STR_ARG(path));
    }
    return GH_OK;
}

int
gh_edit_key_put(gh_edit_t *edit, const uint8_t hash[32], uint8_t *buffer, size_t len, gh_key_record_t *record, gh_error_t *error)
{
    record->change = edit->head.last_change;
    memset(record->envelope, 0, sizeof(record->envelope));
    gh_key_record_renumber(record, buffer);
    return gh_edit_put(edit, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, buffer, len, error);
}

int
gh_edit_key_rewrite(gh_edit_t *edit, gh_str_t path, const uint8_t hash[32], gh_key_record_t *record, const gh_key_words_t *words, gh_error_t *error)
{
    uint8_t buffer[GH_KEY_RECORD_MAX];
    size_t  len = gh_key_record_write(record, words, buffer);

    if (len == 0) {
        return gh_error_set(error, "invalid_request", "the classes, places and models of %.*s do not fit", GH_STR_ARG(path));
    }
    return gh_key_record_numbers(buffer, len, record) ? gh_edit_key_put(edit, hash, buffer, len, record, error)
        : gh_error_set(error, "store_damaged", "the record of key %.*s cannot be written", GH_STR_ARG(path));
}

int
gh_edit_key_add(gh_edit_t *edit, gh_str_t path, const uint8_t hash[32], uint8_t *buffer, size_t len, gh_error_t *error)
{
    uint8_t present[GH_KEY_RECORD_MAX];
    size_t  present_len;
    bool    found;

    if (gh_edit_get_any(edit, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, present, sizeof(present), &present_len, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (found) {
        return gh_error_set(error, "key_exists", "the secret of %.*s is another key's, or was", GH_STR_ARG(path));
    }
    return gh_edit_put(edit, GH_DB_KEY, (gh_bytes_t) { hash, 32 }, buffer, len, error);
}

/* ---- making ---- */

int
gh_edit_path_uid(gh_edit_t *edit, gh_str_t path, uint64_t *uid, gh_error_t *error)
{
    gh_name_uid_t record;
    gh_store_name_key_t key;
    bool          found;

    gh_store_name_key(&key, "u/", path);
    if (gh_edit_get(edit, GH_DB_NAME, (gh_bytes_t) { key.text, key.len }, &record, sizeof(record), &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!found) {
        memset(&record, 0, sizeof(record));
        record.uid = ++edit->head.last_uid;
        if (gh_edit_put(edit, GH_DB_NAME, (gh_bytes_t) { key.text, key.len }, &record, sizeof(record), error) != GH_OK) {
            return GH_ERROR;
        }
    }
    *uid = record.uid;
    return GH_OK;
}

/* Every class has to be one of a policy in force: a key whose class none knows could be used for nothing. */
static int
classes_known(gh_store_t *store, gh_str_t classes, gh_error_t *error)
{
    const gh_image_t *image = store->image;
    gh_str_t          known[NEAR_CLASSES];
    uint32_t          count = image->count[GH_SECTION_CLASS];

    count = count < NEAR_CLASSES ? count : NEAR_CLASSES;
    for (uint32_t i = 0; i < count; i++) {
        known[i] = gh_image_str(image, image->classes[i]);
    }
    while (classes.len > 0) {
        const char *comma = memchr(classes.data, ',', classes.len);
        gh_str_t    name = { classes.data, comma == NULL ? classes.len : (size_t) (comma - classes.data) };
        bool        found = false;

        for (uint32_t i = 0; i < image->count[GH_SECTION_CLASS] && !found; i++) {
            found = gh_str_eq(gh_image_str(image, image->classes[i]), name);
        }
        if (!found) {
            gh_str_t near = gh_str_nearest(name, known, count);

            return gh_error_set(error, "class_unknown", "no policy in force has the class \"%.*s\"%s%.*s%s", GH_STR_ARG(name),
                near.len > 0 ? "; did you mean \"" : "", GH_STR_ARG(near), near.len > 0 ? "\"?" : "");
        }
        classes = comma == NULL ? GH_STR("") : (gh_str_t) { comma + 1, classes.len - name.len - 1 };
    }
    return GH_OK;
}

int
gh_store_key_app_check(gh_store_t *store, gh_str_t path, const gh_store_key_new_t *key, uint64_t now_ms, uint64_t *revision, gh_error_t *error)
{
    gh_identity_t identity;

    memset(&identity, 0, sizeof(identity));
    identity.path = path;
    if (gh_store_identify_app(store, now_ms, &identity, NULL, error) != GH_OK) {
        return GH_ERROR;
    }
    *revision = identity.revision;
    return classes_known(store, key->classes, error) == GH_OK ? gh_store_key_narrow_check(store, &identity, key, error) : GH_ERROR;
}

/* One key of an import or of `key create`, as it is written. */
typedef struct {
    const gh_store_key_new_t *key;
    gh_str_t                  path;
    const uint8_t            *hash;
    bool                      imported;
} made_t;

static int
create_records(gh_edit_t *edit, const made_t *made, gh_error_t *error)
{
    const gh_store_key_new_t *key = made->key;
    gh_str_t        path = made->path;
    gh_str_t        app_path = { path.data, path.len - key->name.len - 1 };
    gh_str_t        tenant_path = { path.data, key->org.len + 1 + key->tenant.len };
    gh_key_record_t record;
    gh_name_key_t   name;
    gh_store_name_key_t index;
    uint8_t         buffer[GH_KEY_RECORD_MAX];
    size_t          len;
    bool            found;

    if (gh_edit_name_get(edit, path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (found) {
        return gh_error_set(error, "key_exists", "%.*s %s; names of keys are not used again", GH_STR_ARG(path),
            name.revoked_ms != 0 ? "was revoked" : "exists");
    }
    memset(&record, 0, sizeof(record));
    if (gh_edit_path_uid(edit, key->org, &record.org_uid, error) != GH_OK
        || gh_edit_path_uid(edit, tenant_path, &record.tenant_uid, error) != GH_OK
        || gh_edit_path_uid(edit, app_path, &record.app_uid, error) != GH_OK
        || gh_edit_change(edit, key->actor, made->imported ? "key.import" : "key.create", path, error) != GH_OK)
    {
        return GH_ERROR;
    }
    record.key_uid = ++edit->head.last_uid;
    record.not_before_ms = key->not_before_ms;
    record.not_after_ms = key->not_after_ms;
    record.change = edit->head.last_change;
    record.state = GH_KEY_LIVE;
    record.audit_required = key->audit_required;
    record.limit_count = (uint8_t) key->limit_count;
    if (key->limit_count > 0) {
        memcpy(record.limit, key->limits, key->limit_count * sizeof(*key->limits));
    }
    len = gh_key_record_write(&record, &(gh_key_words_t) { key->org, key->tenant, key->app, key->name, key->classes, key->places, key->models }, buffer);
    if (len == 0) {
        return gh_error_set(error, "invalid_request", "the classes, places and models of %.*s do not fit", GH_STR_ARG(path));
    }
    if (gh_edit_key_add(edit, path, made->hash, buffer, len, error) != GH_OK) {
        return GH_ERROR;
    }
    memcpy(name.hash, made->hash, 32);
    name.created_ms = edit->now_ms;
    name.imported = made->imported;
    name.access_key = key->access_key;
    return gh_edit_name_says(&name, key->owner, key->mints, key->minter, error) == GH_OK && gh_edit_name_put(edit, &index, &name, error) == GH_OK
        ? gh_edit_has_minted(edit, key->minter, error) : GH_ERROR;
}

/* Names of the key's own organisation, or of what is below it. */
static int
check_mints(const gh_store_key_new_t *key, gh_error_t *error)
{
    gh_str_t rest = key->mints, scope, name;

    if (key->mints.len > GH_KEY_MINTS_MAX) {
        return gh_error_set(error, "invalid_request", "what it makes keys for has more than %d bytes", GH_KEY_MINTS_MAX);
    }
    while (gh_narrowing_next(&rest, GH_NARROWING_LIST, &scope)) {
        gh_str_t parts = scope;
        unsigned levels = 0;
        bool     ok = scope.len > 0 && scope.data[scope.len - 1] != '/';

        while (gh_narrowing_next(&parts, '/', &name)) {
            ok = ok && gh_key_name_ok(name) && (levels > 0 || gh_str_eq(name, key->org));
            levels++;
        }
        if (!ok || levels > 3) {
            return gh_error_set(error, "invalid_request", "a key of %.*s can make keys for %.*s, or for one of its tenants or apps: not for \"%.*s\"", GH_STR_ARG(key->org), GH_STR_ARG(key->org),
                GH_STR_ARG(scope));
        }
    }
    return GH_OK;
}

int
gh_store_key_new_check(const gh_store_key_new_t *key, char *path, gh_str_t *text, gh_error_t *error)
{
    int len;

    if (!gh_key_name_ok(key->org) || !gh_key_name_ok(key->tenant) || !gh_key_name_ok(key->app) || !gh_key_name_ok(key->name)) {
        return gh_error_set(error, "invalid_request",
            "names are 1 to 63 of a-z, 0-9 and -, not beginning with -: org/tenant/app and the key's name");
    }
    if (key->actor.len > 256) {
        return gh_error_set(error, "invalid_request", "the author may have 256 bytes");
    }
    if (!gh_key_owner_ok(key->owner)) {
        return gh_error_set(error, "invalid_request", "an owner is UTF-8 without control characters, of at most %d bytes", GH_KEY_OWNER_MAX);
    }
    if (check_mints(key, error) != GH_OK) {
        return GH_ERROR;
    }
    if (key->not_after_ms != 0 && (key->not_after_ms <= key->now_ms || key->not_after_ms <= key->not_before_ms)) {
        return gh_error_set(error, "invalid_request", "the key would have expired before its first use");
    }
    len = snprintf(path, GH_STORE_PATH_MAX, "%.*s/%.*s/%.*s/%.*s", GH_STR_ARG(key->org), GH_STR_ARG(key->tenant),
        GH_STR_ARG(key->app), GH_STR_ARG(key->name));
    *text = (gh_str_t) { path, (size_t) len };
    return GH_OK;
}

/* The text of a new secret, and its hash. */
static int
secret_made(gh_edit_t *edit, const gh_edit_secret_t *secret, char text[GH_KEY_TEXT + 1], uint8_t hash[32], gh_error_t *error)
{
    gh_store_name_key_t index;
    gh_name_key_t       name;
    bool                access_key = secret->access_key, found = false;
    int                 rc;

    if (secret->path.len > 0) {
        if (gh_edit_name_get(edit, secret->path, &index, &name, &found, error) != GH_OK) {
            return GH_ERROR;
        }
        access_key = name.access_key != 0;
    }
    memset(text, 0, GH_KEY_TEXT + 1);
    if (access_key) {
        gh_access_key_id(secret->random, text);
        rc = gh_access_key_hash(edit->store->api_key, (gh_str_t) { text, GH_ACCESS_KEY_ID }, hash);
    } else {
        gh_key_text(secret->random, text);
        rc = gh_key_hash(edit->store->api_key, (gh_str_t) { text, GH_KEY_TEXT }, hash);
    }
    return rc == GH_OK ? GH_OK : gh_error_set(error, "store_denied", "the key cannot be hashed: OpenSSL failed");
}

int
gh_edit_secret(gh_store_t *store, const gh_edit_secret_t *secret, gh_edit_records_fn records, const void *what, char text[GH_KEY_TEXT + 1],
    gh_error_t *error)
{
    gh_edit_t edit;
    uint8_t   hash[32];

    text[0] = '\0';
    if (gh_edit_begin(&edit, store, secret->now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_edit_unmoved(&edit, secret->revision, secret->change, error) != GH_OK || secret_made(&edit, secret, text, hash, error) != GH_OK || records(&edit, what, hash, error) != GH_OK) {
        gh_edit_abort(&edit);
    } else if (gh_edit_commit(&edit, error) == GH_OK) {
        return GH_OK;
    }
    memset(text, 0, GH_KEY_TEXT + 1);
    return GH_ERROR;
}

static int
create_hashed(gh_edit_t *edit, const void *what, const uint8_t hash[32], gh_error_t *error)
{
    made_t made = *(const made_t *) what;

    made.hash = hash;
    return create_records(edit, &made, error);
}

int
gh_store_key_create(gh_store_t *store, const gh_store_key_new_t *key, char text[GH_KEY_TEXT + 1], gh_error_t *error)
{
    char      path[GH_STORE_PATH_MAX];
    made_t    made = { .key = key };
    gh_edit_secret_t secret = { .random = key->random, .now_ms = key->now_ms, .access_key = key->access_key, .change = key->seen_change };

    text[0] = '\0';
    if (gh_store_key_new_check(key, path, &made.path, error) != GH_OK
        || gh_store_key_app_check(store, (gh_str_t) { path, made.path.len - key->name.len - 1 }, key, key->now_ms, &secret.revision, error) != GH_OK)
    {
        return GH_ERROR;
    }
    return gh_edit_secret(store, &secret, create_hashed, &made, text, error);
}

/* ---- importing ---- */

/* One that was imported before, with this secret, is there already. */
static int
import_one(gh_edit_t *edit, const gh_store_key_import_t *item, bool *made, gh_error_t *error)
{
    char                path[GH_STORE_PATH_MAX];
    gh_store_name_key_t index;
    gh_name_key_t       name;
    made_t              new = { .key = &item->key, .hash = item->hash, .imported = true };
    bool                found;

    *made = false;
    if (gh_store_key_new_check(&item->key, path, &new.path, error) != GH_OK || gh_edit_name_get(edit, new.path, &index, &name, &found, error) != GH_OK) {
        return GH_ERROR;
    }
    if (found && name.imported && name.revoked_ms == 0 && memcmp(name.hash, item->hash, 32) == 0) {
        return GH_OK;
    }
    *made = true;
    return create_records(edit, &new, error);
}

int
gh_store_key_import(gh_store_t *store, gh_store_key_import_t *items, size_t count, uint64_t now_ms, bool keep, size_t *made,
    size_t *wrong, gh_error_t *error)
{
    char      path[GH_STORE_PATH_MAX], last[GH_STORE_PATH_MAX] = "";
    gh_str_t  text;
    gh_edit_t edit;
    bool      new;
    uint64_t  revision = 0, first = 0;          /* of the first check: a later one that saw another has seen an edit */

    *made = 0;
    for (*wrong = 0; *wrong < count; ++*wrong) {
        gh_store_key_import_t *item = &items[*wrong];
        size_t                 app_len;

        if (gh_store_key_new_check(&item->key, path, &text, error) != GH_OK) {
            return GH_ERROR;
        }
        app_len = text.len - item->key.name.len - 1;
        path[app_len] = '\0';
        if ((item->key.classes.len > 0 || item->key.places.len > 0 || item->key.models.len > 0 || item->key.limit_count > 0 || strcmp(path, last) != 0)
            && gh_store_key_app_check(store, (gh_str_t) { path, app_len }, &item->key, now_ms, &revision, error) != GH_OK)
        {
            return GH_ERROR;
        }
        first = first == 0 ? revision : first;
        memcpy(last, path, app_len + 1);
        if ((item->secret.len > 0 ? gh_key_presented_hash(store->api_key, gh_key_form(item->secret), item->secret, item->hash)
                                  : gh_key_foreign_hash(store->api_key, item->sha256, item->hash)) != GH_OK)
        {
            return gh_error_set(error, "invalid_request", "\"key\" cannot be an API key: it has 20 to %d printable ASCII characters, does not "
                "look like a JWT, and begins with \"gh_\" only when a gateway of this kind made it", GH_KEY_FOREIGN_MAX);
        }
    }
    if (gh_edit_begin(&edit, store, now_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_edit_unmoved(&edit, first, 0, error) != GH_OK) {
        gh_edit_abort(&edit);
        return GH_ERROR;
    }
    for (*wrong = 0; *wrong < count; ++*wrong) {
        if (import_one(&edit, &items[*wrong], &new, error) != GH_OK) {
            gh_edit_abort(&edit);
            return GH_ERROR;
        }
        *made += new;
    }
    if (!keep) {
        gh_edit_abort(&edit);
        return GH_OK;
    }
    return gh_edit_commit(&edit, error);
}
