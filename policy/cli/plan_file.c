#include "policy/cli/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/base/hash.h"
#include "policy/cli/files.h"

#define PLAN_KIND "plan/1"
#define PLAN_MAX  ((size_t) 1 << 30)

static const char *const scope_words[] = { [GH_SCOPE_ALL] = "all", [GH_SCOPE_GATEWAY] = "gateway",
                                           [GH_SCOPE_ORGANISATION] = "organisation" };

/* ---- digests ---- */

static json_t *
digest_json(const uint8_t *digest, size_t len)
{
    char text[64];

    gh_hex(digest, len, text);

    return json_stringn(text, len * 2);
}

/* A member of 64 hex digits; false: absent or something else. */
static bool
take_digest(const json_t *object, const char *name, uint8_t digest[32])
{
    const char *text = json_string_value(json_object_get(object, name));

    for (size_t i = 0; text != NULL && i < 32; i++) {
        char     pair[3] = { text[i * 2], text[i * 2] ? text[i * 2 + 1] : '\0', '\0' };
        char    *end;
        unsigned long byte = strtoul(pair, &end, 16);

        if (end != pair + 2) {
            return false;
        }
        digest[i] = (uint8_t) byte;
    }

    return text != NULL && text[64] == '\0';
}

/* HMAC over everything but "mac". GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
static int
plan_mac(gh_cli_t *cli, json_t *object, uint8_t mac[32])
{
    gh_str_t   path = gh_str_format(cli->arena, "%s/store.key", gh_cli_secrets(cli));
    uint8_t    key[32], subkey[32];
    gh_error_t error = { 0 };
    json_t    *signed_part = json_copy(object);
    gh_hmac_t *hmac = NULL;
    char      *text = NULL;
    int        rc = GH_ERROR;

    if (path.data == NULL || signed_part == NULL) {
        gh_error_set(&error, "out_of_memory", "out of memory");

    } else if (gh_store_key_read(path.data, key, &error) == GH_OK) {
        json_object_del(signed_part, "mac");
        text = json_dumps(signed_part, JSON_COMPACT | JSON_SORT_KEYS);
        hmac = gh_hkdf(key, sizeof(key), "plan", subkey, sizeof(subkey)) == GH_OK ? gh_hmac_new(subkey, sizeof(subkey)) : NULL;
        rc = text != NULL && hmac != NULL ? gh_hmac(hmac, &(gh_bytes_t) { text, strlen(text) }, 1, mac) : GH_ERROR;
        if (rc != GH_OK) {
            gh_error_set(&error, "out_of_memory", "the plan cannot be sealed");
        }
    }

    explicit_bzero(key, sizeof(key));
    explicit_bzero(subkey, sizeof(subkey));
    gh_hmac_free(hmac);
    free(text);
    json_decref(signed_part);

    return rc == GH_OK ? GH_EXIT_DONE : gh_cli_fail_error(cli, &error);
}

/* ---- writing ---- */

static json_t *
documents_json(const gh_cli_documents_t *documents)
{
    json_t *list = json_array();

    for (size_t i = 0; i < documents->count; i++) {
        gh_str_t path = documents->sources[i].path, text = documents->sources[i].bytes;
        uint8_t  sha256[32];
        json_t  *item;

        gh_sha256(text.data, text.len, sha256);
        item = json_pack("{s:s%, s:o, s:s%}", "path", path.data, path.len, "sha256", digest_json(sha256, 32),
            "text", text.data, text.len);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}

/* Written beside and renamed: the name holds a whole plan, the one before, or nothing. */
static int
write_whole(gh_cli_t *cli, const char *path, const json_t *object)
{
    gh_str_t beside = gh_str_format(cli->arena, "%s.XXXXXX", path);
    int      fd = beside.data != NULL ? mkstemp((char *) (uintptr_t) beside.data) : -1;
    FILE    *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool     written;
    int      reason;

    if (file == NULL) {
        reason = errno;
        if (fd >= 0) {
            close(fd);
            unlink(beside.data);
        }
        return gh_cli_fail(cli, "the plan cannot be written to %s: %s", path, strerror(reason));
    }

    errno = 0;
    written = json_dumpf(object, file, JSON_INDENT(2)) == 0 && fputc('\n', file) != EOF && fflush(file) == 0
        && fchmod(fd, 0640) == 0 && fsync(fd) == 0;
    written = fclose(file) == 0 && written && rename(beside.data, path) == 0;

    if (!written) {
        reason = errno;
        unlink(beside.data);
        return gh_cli_fail(cli, "the plan cannot be written to %s: %s", path, reason ? strerror(reason) : "out of memory");
    }

    return GH_EXIT_DONE;
}

int
gh_cli_plan_write(gh_cli_t *cli, gh_store_t *store, const char *path, const gh_cli_edit_t *edit, uint64_t base,
    const gh_model_t *after, uint64_t now_ms, json_t *summary)
{
    gh_store_revision_t record = { 0 };
    gh_error_t          error = { 0 };
    gh_str_t            by = gh_cli_actor(cli), newest = after->facts.items[0];
    uint8_t             mac[32];
    json_t             *object, *documents;
    int                 status;

    if (base != 0 && gh_store_revision_read(store, base, cli->arena, &record, &error) != GH_OK) {
        return gh_cli_fail_store(cli, &error);
    }

    documents = documents_json(&edit->documents);
    object = documents == NULL ? NULL : json_pack("{s:s, s:s, s:s%, s:{s:I, s:o}, s:s, s:s%, s:o, s:o, s:o, s:s%, s:O}",
        "kind", PLAN_KIND, "made", gh_cli_time_text(cli->arena, now_ms), "by", by.data, by.len,
        "base", "revision", (json_int_t) base, "policy", digest_json(record.policy_digest, base != 0 ? 32 : 0),
        "scope", scope_words[edit->scope.kind],
        "organisation", edit->scope.organisation.data ? edit->scope.organisation.data : "", edit->scope.organisation.len,
        "documents", documents, "policy", digest_json(after->policy_sha256, 32), "facts", digest_json(after->facts_sha256, 32),
        "newest_facts", newest.data, newest.len, "summary", summary);

    if (object == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    status = plan_mac(cli, object, mac);
    if (status == GH_EXIT_DONE) {
        json_object_set_new(object, "mac", digest_json(mac, 32));
        status = write_whole(cli, path, object);
    }
    json_decref(object);

    return status;
}

/* ---- reading ---- */

static int
damaged(gh_cli_t *cli, const char *path, const char *what)
{
    gh_cli_fail(cli, "%s is not the plan that was written: %s", path, what);
    gh_cli_advise("nothing was applied; make the plan again: gatehouse policy plan DIR --out FILE%s", gh_cli_store_words(cli));

    return GH_EXIT_ERROR;
}

/* GH_EXIT_DONE: an object of this version whose mac is right. */
static int
check_seal(gh_cli_t *cli, const char *path, json_t *object)
{
    const char *kind = json_string_value(json_object_get(object, "kind"));
    uint8_t     mac[32], said[32];

    if (kind == NULL || strncmp(kind, "plan/", 5) != 0) {
        gh_cli_fail(cli, "%s is neither a directory nor a saved plan", path);
        gh_cli_advise("name the directory that holds all documents: a revision is all of them, not one file");
        return GH_EXIT_ERROR;
    }

    if (strcmp(kind, PLAN_KIND) != 0) {
        gh_cli_fail(cli, "%s is of kind \"%s\", a version that this program does not know: it reads \"" PLAN_KIND "\"", path, kind);
        gh_cli_advise("make the plan again with this program");
        return GH_EXIT_ERROR;
    }

    if (!take_digest(object, "mac", said)) {
        return damaged(cli, path, "it has no \"mac\"");
    }
    if (plan_mac(cli, object, mac) != GH_EXIT_DONE) {
        return GH_EXIT_ERROR;
    }
    if (gh_memcmp_constant(mac, said, sizeof(mac)) != 0) {
        return damaged(cli, path, "it was edited or damaged after that, or made with another gateway's store.key");
    }

    return GH_EXIT_DONE;
}

static gh_str_t
take_text(gh_cli_t *cli, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    gh_str_t      none = { NULL, 0 };

    return json_is_string(value)
        ? gh_str_copy(cli->arena, (gh_str_t) { json_string_value(value), json_string_length(value) }) : none;
}

/* Every member has the mac's word for being as it was written; what is missing all the same was never written. */
static int
take_documents(gh_cli_t *cli, const char *path, const json_t *list, gh_cli_documents_t *documents)
{
    const char **names = gh_arena_array(cli->arena, json_array_size(list), sizeof(*names));

    documents->count = json_array_size(list);
    documents->sources = gh_arena_array(cli->arena, documents->count, sizeof(*documents->sources));
    documents->prefix = "";
    documents->shown = names;
    if (names == NULL || documents->sources == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }

    for (size_t i = 0; i < documents->count; i++) {
        const json_t         *item = json_array_get(list, i);
        gh_document_source_t *source = &documents->sources[i];
        uint8_t               sha256[32], said[32];

        source->path = take_text(cli, item, "path");
        source->bytes = take_text(cli, item, "text");
        if (source->path.data == NULL || source->bytes.data == NULL || !take_digest(item, "sha256", said)) {
            return damaged(cli, path, "a document of it cannot be read");
        }
        gh_sha256(source->bytes.data, source->bytes.len, sha256);
        if (memcmp(sha256, said, sizeof(said)) != 0) {
            return damaged(cli, path, "a document does not have the digest it is said to have");
        }
        names[i] = gh_str_format(cli->arena, "%s: %.*s", path, GH_STR_ARG(source->path)).data;
        if (names[i] == NULL) {
            return gh_cli_fail(cli, "out of memory");
        }
    }

    return GH_EXIT_DONE;
}

static int
take_plan(gh_cli_t *cli, const char *path, const json_t *object, gh_cli_plan_t *plan)
{
    const json_t *base = json_object_get(object, "base"), *number = json_object_get(base, "revision");
    gh_str_t      scope = take_text(cli, object, "scope"), made = take_text(cli, object, "made");
    gh_cli_edit_t *edit = &plan->edit;
    bool          known = false;

    for (int kind = GH_SCOPE_ALL; scope.data != NULL && kind <= GH_SCOPE_ORGANISATION; kind++) {
        if (gh_str_is(scope, scope_words[kind])) {
            edit->scope.kind = (gh_scope_kind_t) kind;
            known = true;
        }
    }
    if (edit->scope.kind == GH_SCOPE_ORGANISATION) {
        edit->scope.organisation = take_text(cli, object, "organisation");
        known = known && gh_cli_name_ok(edit->scope.organisation);
    }

    edit->based = true;
    edit->base = json_is_integer(number) ? (uint64_t) json_integer_value(number) : 0;
    edit->promise = &plan->promise;
    plan->made_by = take_text(cli, object, "by");
    plan->promise.newest_facts = take_text(cli, object, "newest_facts");

    if (!known || !json_is_integer(number) || json_integer_value(number) < 0 || made.data == NULL
        || gh_cli_time_parse(made.data, &plan->made_ms) != GH_OK || plan->made_by.data == NULL
        || plan->promise.newest_facts.data == NULL || !take_digest(object, "policy", plan->promise.policy)
        || !take_digest(object, "facts", plan->promise.facts)
        || (edit->base != 0 && !take_digest(base, "policy", plan->promise.base_policy)))
    {
        return damaged(cli, path, "a member of it cannot be read");
    }

    return take_documents(cli, path, json_object_get(object, "documents"), &edit->documents);
}

int
gh_cli_plan_read(gh_cli_t *cli, const char *path, gh_cli_plan_t *plan)
{
    gh_error_t   error = { 0 };
    json_error_t wrong;
    gh_str_t     text;
    json_t      *object;
    int          status;

    memset(plan, 0, sizeof(*plan));

    if (gh_cli_read_file(cli->arena, path, PLAN_MAX, &text, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }

    object = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &wrong);
    if (object == NULL) {
        gh_cli_fail(cli, "%s is neither a directory nor a saved plan: line %d: %s", path, wrong.line, wrong.text);
        gh_cli_advise("name the directory that holds all documents, or a file of `gatehouse policy plan --out`");
        return GH_EXIT_ERROR;
    }

    status = check_seal(cli, path, object);
    if (status == GH_EXIT_DONE) {
        status = take_plan(cli, path, object, plan);
    }
    if (status == GH_EXIT_DONE) {
        plan->summary = json_incref(json_object_get(object, "summary"));
    }
    json_decref(object);

    return status;
}
