/*
 * `--session`: requests of a session, or that use its state. Given by its id as the record has it, or by the name that a client gave it: what that becomes
 * depends on the tenant and on where it was written, so it is computed for each tenant whose lines come by.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* memmem */
#endif

#include "policy/cli/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/base/hash.h"
#include "policy/session/session.h"

#define TENANTS_KEPT 64u
#define HEX          (2 * GH_SESSION_ID)

typedef struct {
    gh_str_t owner;                      /* ORG/TENANT, in text */
    bool     known;
    char     text[2 * 64 + 1];
    char     ids[GH_SESSION_SOURCES][HEX];
} tenant_t;

struct gh_cli_session_s {
    gh_str_t        name;
    bool            is_id;
    gh_store_t     *store;
    gh_sessions_t  *sessions;
    tenant_t        tenants[TENANTS_KEPT];
    unsigned        next;
};

static bool
is_id(gh_str_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!((name.data[i] >= '0' && name.data[i] <= '9') || (name.data[i] >= 'a' && name.data[i] <= 'f'))) {
            return false;
        }
    }

    return name.len == HEX;
}

/* The store, and what names are hashed with. */
static int
open_secrets(const gh_cli_t *cli, gh_cli_session_t *session)
{
    gh_str_t   path = gh_str_format(cli->arena, "%s/store.key", gh_cli_secrets(cli));
    gh_error_t error = { 0 };
    uint8_t    secret[32];

    session->store = gh_cli_store_open(cli, false);
    if (session->store == NULL) {
        gh_cli_advise("a session is found without the store by its id, 64 hexadecimal digits, as the record has it");
        return GH_EXIT_ERROR;
    }
    if (path.data == NULL || gh_store_key_read(path.data, secret, &error) != GH_OK) {
        return gh_cli_fail_error(cli, &error);
    }
    session->sessions = gh_sessions_new(secret);
    explicit_bzero(secret, sizeof(secret));

    return session->sessions != NULL ? GH_EXIT_DONE : gh_cli_fail(cli, "out of memory");
}

int
gh_cli_session_open(const gh_cli_t *cli, gh_cli_session_t **out)
{
    const char         *name = gh_cli_value(cli, "session");
    gh_session_label_t  label = { 0 };
    gh_cli_session_t   *session;

    *out = NULL;
    if (name == NULL) {
        return GH_EXIT_DONE;
    }
    gh_session_offer(&label, GH_SESSION_GENERIC, gh_str_from(name));
    if (label.source == GH_SESSION_NONE) {
        return gh_cli_misuse(cli, "--session: expected a session's id, 64 hexadecimal digits, or its name, 1 to %u printable ASCII characters", GH_SESSION_LABEL_MAX);
    }
    session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return gh_cli_fail(cli, "out of memory");
    }
    *out = session;
    session->name = label.text;
    session->is_id = is_id(label.text);

    return session->is_id ? GH_EXIT_DONE : open_secrets(cli, session);
}

void
gh_cli_session_close(gh_cli_session_t *session)
{
    if (session == NULL) {
        return;
    }
    gh_sessions_free(session->sessions);
    if (session->store != NULL) {
        gh_store_close(session->store);
    }
    free(session);
}

static gh_str_t
plain(gh_str_t text, const char *key)
{
    gh_str_t value = gh_line_member(text, key);

    return value.len >= 2 && value.data[0] == '"' ? (gh_str_t) { value.data + 1, value.len - 2 } : GH_STR("");
}

/* Everything that the name may have become in the line's tenant. An app that is no more has its tenant's, when another line came first. */
static void
make_ids(const gh_cli_session_t *session, tenant_t *tenant, gh_str_t org, gh_str_t name, gh_str_t app)
{
    gh_identity_t identity;
    gh_image_t   *image;
    gh_error_t    error;
    char          path[3 * 64 + 3];
    uint8_t       id[GH_SESSION_ID];
    int           len = snprintf(path, sizeof(path), "%.*s/%.*s/%.*s", GH_STR_ARG(org), GH_STR_ARG(name), GH_STR_ARG(app));

    memset(&identity, 0, sizeof(identity));
    tenant->known = false;
    if (len < 0 || (size_t) len >= sizeof(path)) {
        return;
    }
    identity.org = org;
    identity.tenant = name;
    identity.app = app;
    identity.path = (gh_str_t) { path, (size_t) len };
    if (gh_store_identify_app(session->store, gh_cli_now_ms(), &identity, &image, &error) != GH_OK || identity.tenant_uid == 0) {
        return;
    }
    for (unsigned source = 1; source < GH_SESSION_SOURCES; source++) {
        if (gh_session_id(session->sessions, identity.tenant_uid, (gh_session_source_t) source, session->name, id) != GH_OK) {
            return;
        }
        gh_hex(id, sizeof(id), tenant->ids[source]);
    }
    tenant->known = true;
}

static const tenant_t *
tenant_of(gh_cli_session_t *session, gh_str_t line)
{
    gh_str_t  org = plain(line, "org"), name = plain(line, "tenant");
    char      text[2 * 64 + 1];
    int       len = snprintf(text, sizeof(text), "%.*s/%.*s", GH_STR_ARG(org), GH_STR_ARG(name));
    gh_str_t  owner = { text, len > 0 && (size_t) len < sizeof(text) ? (size_t) len : 0 };
    tenant_t *tenant;

    for (unsigned i = 0; i < TENANTS_KEPT; i++) {
        if (session->tenants[i].known && gh_str_eq(session->tenants[i].owner, owner)) {
            return &session->tenants[i];
        }
    }

    tenant = &session->tenants[session->next++ % TENANTS_KEPT];
    memcpy(tenant->text, owner.data, owner.len);
    tenant->owner = (gh_str_t) { tenant->text, owner.len };
    make_ids(session, tenant, org, name, plain(line, "app"));

    return tenant;
}

static bool
says(gh_str_t value, const char *id)
{
    return value.len != 0 && memmem(value.data, value.len, id, HEX) != NULL;
}

bool
gh_cli_session_fits(gh_cli_session_t *session, gh_str_t line)
{
    gh_str_t        own = gh_line_member(line, "session"), others = gh_line_member(line, "state_sessions");
    const tenant_t *tenant;

    if (own.len == 0 && others.len == 0) {
        return false;
    }
    if (session->is_id) {
        return says(own, session->name.data) || says(others, session->name.data);
    }

    tenant = tenant_of(session, line);
    for (unsigned source = 1; tenant->known && source < GH_SESSION_SOURCES; source++) {
        if (says(own, tenant->ids[source]) || says(others, tenant->ids[source])) {
            return true;
        }
    }

    return false;
}
