/*
 * identity/1: who issues tokens and signs client certificates for an organisation, and which app claims and names are of. They choose among the apps that tenants/1 lists, and add
 * classes or narrow places, models and limits; nothing they say widens anything. What is compiled of it is the document itself, without white space (policy/identity/issuers.h reads it).
 */
#include <stdlib.h>
#include <string.h>

#include "policy/base/json_writer.h"
#include "policy/document/identity_reading.h"
#include "policy/identity/issuers.h"

#define AUDIENCES_MAX 64
#define PLACE_MAX     1024             /* bytes of a URL */
#define DOCUMENT_MAX  (4u << 20)       /* bytes, without white space */

static const gh_member_t document_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "organisation", GH_IS_STRING, GH_REQUIRED }, { "issuers", GH_IS_LIST, 0 },
    { "certificates", GH_IS_LIST, 0 }, { NULL, 0, 0 }
};
static const gh_member_t issuer_members[] = {
    { "id", GH_IS_STRING, GH_REQUIRED }, { "issuer", GH_IS_STRING, GH_REQUIRED }, { "audiences", GH_IS_LIST, GH_REQUIRED },
    { "algorithms", GH_IS_LIST, GH_REQUIRED }, { "keys", GH_IS_OBJECT, 0 }, { "skew_seconds", GH_IS_NUMBER, 0 }, { "user", GH_IS_STRING, 0 },
    { "apps", GH_IS_LIST, GH_REQUIRED }, { "classes", GH_IS_LIST, 0 }, { "narrow", GH_IS_LIST, 0 }, { "places", GH_IS_LIST, 0 }, { "jwks_uri", GH_IS_STRING, 0 }, { "discovery", GH_IS_STRING, 0 },
    { "jwks_file", GH_IS_STRING, 0 }, { "keys_max_age_seconds", GH_IS_NUMBER, 0 },
    { NULL, 0, 0 }
};

static void
read_claim(gh_identity_reading_t *r, const gh_node_t *test)
{
    if (test->key.len == 0 || test->key.len > GH_IDENTITY_TEXT_MAX || gh_str_is(test->key, "/")) {
        gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, test), "wrong_claim", "a claim is named by 1 to %d bytes, or by a JSON pointer such as "
            "\"/realm_access/roles\"", GH_IDENTITY_TEXT_MAX);
    }
    if (test->type != GH_NODE_STRING || test->text.len == 0 || test->text.len > GH_IDENTITY_TEXT_MAX) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, test), "wrong_claim", "a claim is compared with a string of 1 to %d bytes: it has to be that string, or a "
            "list with it", GH_IDENTITY_TEXT_MAX);
    }
}

static void
read_audiences(gh_identity_reading_t *r)
{
    const gh_node_t *list = gh_doc_get(r->node, "audiences", GH_IS_LIST), *issuer = gh_doc_get(r->node, "issuer", GH_IS_STRING);

    gh_doc_text(r->loader, issuer, GH_IDENTITY_TEXT_MAX);
    if (list != NULL && (list->count == 0 || list->count > AUDIENCES_MAX)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "limit", "\"audiences\" has 1 to %d strings", AUDIENCES_MAX);
    }
    for (const gh_node_t *item = list != NULL ? list->first : NULL; item != NULL; item = item->next) {
        if (item->type != GH_NODE_STRING) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, item), "wrong_type", "an audience is a string, not %s", gh_node_type_name(item->type));
            continue;
        }
        gh_doc_text(r->loader, item, GH_IDENTITY_TEXT_MAX);
        if (issuer != NULL) {
            gh_doc_given(r->loader, "pair of issuer and audience", gh_doc_format(r->loader, "%.*s %.*s", GH_STR_ARG(issuer->text),
                GH_STR_ARG(item->text)), GH_WHERE(r->loader, item));
        }
    }
}

static void
read_algorithms(gh_identity_reading_t *r)
{
    const gh_node_t *list = gh_doc_get(r->node, "algorithms", GH_IS_LIST);

    if (list != NULL && list->count == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "empty_list", "\"algorithms\" must not be empty: it says with what the issuer signs, such as \"RS256\"");
    }
    for (const gh_node_t *item = list != NULL ? list->first : NULL; item != NULL; item = item->next) {
        if (item->type != GH_NODE_STRING) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, item), "wrong_type", "an algorithm is a string, not %s", gh_node_type_name(item->type));
        } else {
            gh_doc_word(r->loader, item, "algorithm", gh_jwa_names);
        }
    }
}

/* A name in SECRETS/jwks, no path: a document of an organisation does not choose what of this machine is read. */
static bool
is_file_name(gh_str_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!((name.data[i] | 0x20) >= 'a' && (name.data[i] | 0x20) <= 'z') && !(name.data[i] >= '0' && name.data[i] <= '9')
            && (memchr("._-", name.data[i], 3) == NULL || i == 0))
        {
            return false;
        }
    }
    return name.len > 0 && name.len <= 128;
}

/* One of the members that say where the keys are. */
static void
read_place(gh_identity_reading_t *r)
{
    const gh_node_t *keep = gh_doc_get(r->node, "keys_max_age_seconds", GH_IS_NUMBER), *place = NULL, *node;
    unsigned         found = 0;
    uint64_t         seconds;

    for (unsigned i = 0; i < GH_KEYS_AT; i++) {
        node = gh_node_get(r->node, gh_keys_at_names[i]);
        if (node == NULL) {
            continue;
        }
        if (found++ > 0) {
            gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, node), "two_places", "an issuer's keys are in one place: \"keys\", \"jwks_uri\", \"discovery\" or \"jwks_file\"");
        }
        place = i != GH_KEYS_HERE && node->type == GH_NODE_STRING ? node : place;
        if (place == node && i == GH_KEYS_FILE ? !is_file_name(node->text) : place == node && (!gh_doc_url_ok(node->text) || node->text.len > PLACE_MAX)) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, node), "wrong_place", i == GH_KEYS_FILE
                ? "\"jwks_file\" is the name of a file in SECRETS/jwks, of at most 128 letters, digits, \".\", \"_\" and \"-\", and no path"
                : "\"%s\" is a URL that begins with https:// (or with http:// and this machine: 127.0.0.1, localhost, [::1])", gh_keys_at_names[i]);
        }
    }
    if (found == 0) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, r->node), "missing", "an issuer says where its keys are: \"keys\" has them, or \"jwks_uri\", \"discovery\" or \"jwks_file\" "
            "says what `gatehouse agent` fetches");
    }
    if (keep != NULL && place == NULL) {
        gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, keep), "wrong_place", "\"keys_max_age_seconds\" is of keys that are fetched");
    }
    if (keep != NULL && (gh_node_u64(keep, &seconds) != GH_OK || seconds < GH_ISSUER_KEEP_MIN || seconds > GH_ISSUER_KEEP_MAX)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, keep), "limit", "\"keys_max_age_seconds\" is a whole number from %u to %u", GH_ISSUER_KEEP_MIN, GH_ISSUER_KEEP_MAX);
    }
}

/* Weak and private keys are mistakes; what is for something else may stand beside those that are used. */
static void
read_keys(gh_identity_reading_t *r)
{
    const gh_node_t *keys = gh_doc_get(r->node, "keys", GH_IS_OBJECT), *list, *node;
    gh_jwks_t       *set;
    gh_error_t       error = { 0 };
    size_t           i = 0;

    if (keys == NULL) {
        return;
    }
    if (gh_jwks_of(keys, &set, &error) != GH_OK) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, keys), "jwks", "%s", error.text);
        return;
    }
    list = gh_node_get(keys, "keys");
    for (node = list->first; node != NULL; node = node->next, i++) {
        if (set->keys[i].wrong) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, node), "jwks", "this key cannot be used: %s", set->keys[i].unusable);
        } else if (set->keys[i].unusable != NULL) {
            gh_doc_warn(r->loader, GH_WHERE(r->loader, node), "unusable_key", "this key is not used: %s", set->keys[i].unusable);
        }
    }
    gh_jwks_free(set);
}

static void
read_issuer(gh_identity_reading_t *r)
{
    const gh_node_t *user = gh_doc_get(r->node, "user", GH_IS_STRING);
    uint64_t         skew;

    gh_identity_id(r);
    if (user != NULL) {
        gh_doc_text(r->loader, user, GH_IDENTITY_TEXT_MAX);
    }
    gh_doc_integer(r->loader, gh_doc_get(r->node, "skew_seconds", GH_IS_NUMBER), GH_ISSUER_SKEW_MAX, &skew);
    read_audiences(r);
    read_algorithms(r);
    read_place(r);
    read_keys(r);
    gh_identity_rules(r, read_claim);
}

/* The document without its white space, for the image. */
static void
keep(gh_loader_t *loader, const gh_node_t *root)
{
    char            *text = malloc(DOCUMENT_MAX);
    gh_str_t        *kept, copy;
    gh_json_writer_t w;

    if (text == NULL) {
        loader->report->no_memory = 1;
        return;
    }
    gh_json_writer_init(&w, text, DOCUMENT_MAX);
    gh_node_write(&w, root);
    if (!gh_json_writer_ok(&w)) {
        gh_doc_error(loader, GH_WHERE(loader, root), "limit", "an identity document has at most %u bytes", DOCUMENT_MAX);
        free(text);
        return;
    }
    copy = gh_str_copy(loader->arena, (gh_str_t) { text, w.len });
    free(text);
    loader->report->no_memory |= copy.data == NULL;
    kept = gh_doc_push(loader, &loader->model->identities.items, &loader->model->identities.count, sizeof(*kept));
    if (kept != NULL) {
        *kept = copy;
    }
}

void
gh_identity_read(gh_loader_t *loader, const gh_document_t *document)
{
    gh_identity_reading_t r = { .loader = loader };
    const gh_node_t      *issuers, *certificates;

    if (!gh_doc_members(loader, document->root, "an identity document", document_members)) {
        return;
    }
    r.organisation = gh_doc_id(loader, document->root, "organisation");
    issuers = gh_doc_get(document->root, "issuers", GH_IS_LIST);
    certificates = gh_doc_get(document->root, "certificates", GH_IS_LIST);
    if (issuers == NULL && certificates == NULL) {
        gh_doc_error(loader, GH_WHERE(loader, document->root), "missing_member", "an identity document must say \"issuers\" or \"certificates\", or both");
    }
    for (int i = 0; i < 2; i++) {
        const gh_node_t *list = i == 0 ? issuers : certificates;

        if (list != NULL && list->count == 0) {
            gh_doc_error(loader, GH_WHERE(loader, list), "empty_list", "\"%s\" must not be empty", i == 0 ? "issuers" : "certificates");
        }
    }
    for (r.node = issuers != NULL ? issuers->first : NULL; r.node != NULL && r.organisation.len > 0; r.node = r.node->next) {
        if (gh_doc_members(loader, r.node, "an issuer", issuer_members)) {
            read_issuer(&r);
        }
    }
    for (r.node = certificates != NULL ? certificates->first : NULL; r.node != NULL && r.organisation.len > 0; r.node = r.node->next) {
        gh_identity_certificates(&r);
    }
    keep(loader, document->root);
}
