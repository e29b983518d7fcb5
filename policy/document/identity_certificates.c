/*
 * identity/1: "certificates". Which authorities sign an organisation's client certificates, and which app a certificate's names are of. One name has one spelling here, so that
 * two rules that mean the same say the same.
 */
#include "policy/document/identity_reading.h"
#include "policy/identity/authorities.h"

static const gh_member_t authority_members[] = {
    { "id", GH_IS_STRING, GH_REQUIRED }, { "authorities", GH_IS_LIST, GH_REQUIRED }, { "user", GH_IS_STRING, 0 }, { "apps", GH_IS_LIST, GH_REQUIRED },
    { "classes", GH_IS_LIST, 0 }, { "narrow", GH_IS_LIST, 0 }, { NULL, 0, 0 }
};

static void
read_name(gh_identity_reading_t *r, const gh_node_t *test)
{
    gh_certificate_kind_t kind = gh_certificate_kind(test->key);
    gh_str_t              kinds[GH_CERTIFICATE_KINDS];
    const char           *wrong;

    if (kind == GH_CERTIFICATE_KINDS) {
        for (int i = 0; i < GH_CERTIFICATE_KINDS; i++) {
            kinds[i] = gh_str_from(gh_certificate_kinds[i]);
        }
        gh_doc_error(r->loader, GH_WHERE_KEY(r->loader, test), "wrong_name", "\"%.*s\" is no name of a certificate: \"uri\", \"dns\", \"subject\" or \"sha256\"%s",
            GH_STR_ARG(test->key), gh_doc_near(r->loader, test->key, kinds, GH_CERTIFICATE_KINDS));
        return;
    }
    if (test->type != GH_NODE_STRING || test->text.len > GH_IDENTITY_TEXT_MAX) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, test), "wrong_name", "a certificate's name is compared with a string of 1 to %d bytes", GH_IDENTITY_TEXT_MAX);
        return;
    }
    wrong = gh_certificate_value_wrong(kind, test->text);
    if (wrong != NULL) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, test), "wrong_name", "no certificate's \"%s\" can be compared with this: %s", gh_certificate_kinds[kind], wrong);
    }
}

/* A rule as text, its tests in the order of kinds. */
static gh_str_t
rule_text(gh_identity_reading_t *r, const gh_node_t *when)
{
    gh_str_t text = GH_STR("");

    for (int kind = 0; kind < GH_CERTIFICATE_KINDS; kind++) {
        for (const gh_node_t *test = when->first; test != NULL; test = test->next) {
            if (test->type == GH_NODE_STRING && gh_str_is(test->key, gh_certificate_kinds[kind])) {
                text = gh_doc_format(r->loader, "%.*s %s \"%.*s\"", GH_STR_ARG(text), gh_certificate_kinds[kind], GH_STR_ARG(test->text));
            }
        }
    }
    return text;
}

/* What two organisations both took for theirs would be nobody's. */
static void
given_once(gh_identity_reading_t *r, gh_str_t authority)
{
    const gh_node_t *apps = gh_doc_get(r->node, "apps", GH_IS_LIST);

    for (const gh_node_t *rule = apps != NULL ? apps->first : NULL; rule != NULL; rule = rule->next) {
        const gh_node_t *when = rule->type == GH_NODE_OBJECT ? gh_doc_get(rule, "when", GH_IS_OBJECT) : NULL;

        if (when != NULL) {
            gh_doc_given(r->loader, "rule of an authority", gh_doc_format(r->loader, "%.*s%.*s", GH_STR_ARG(authority), GH_STR_ARG(rule_text(r, when))),
                GH_WHERE(r->loader, rule));
        }
    }
}

static void
read_authorities(gh_identity_reading_t *r)
{
    const gh_node_t *list = gh_doc_get(r->node, "authorities", GH_IS_LIST);

    if (list != NULL && (list->count == 0 || list->count > GH_AUTHORITY_ROOTS_MAX)) {
        gh_doc_error(r->loader, GH_WHERE(r->loader, list), "limit", "\"authorities\" has 1 to %d certificates", GH_AUTHORITY_ROOTS_MAX);
        return;
    }
    for (const gh_node_t *item = list != NULL ? list->first : NULL; item != NULL; item = item->next) {
        const char *wrong = item->type == GH_NODE_STRING ? gh_certificate_value_wrong(GH_CERTIFICATE_SHA256, item->text) : "it is no string";

        if (wrong != NULL) {
            gh_doc_error(r->loader, GH_WHERE(r->loader, item), "wrong_name", "an authority is named by the SHA-256 of its certificate: %s", wrong);
        } else {
            given_once(r, item->text);
        }
    }
}

void
gh_identity_certificates(gh_identity_reading_t *r)
{
    const gh_node_t *user;

    if (!gh_doc_members(r->loader, r->node, "an authority of certificates", authority_members)) {
        return;
    }
    gh_identity_id(r);
    user = gh_doc_get(r->node, "user", GH_IS_STRING);
    if (user != NULL) {
        gh_doc_word(r->loader, user, "name of a certificate", gh_certificate_kinds);
    }
    read_authorities(r);
    gh_identity_rules(r, read_name);
}
