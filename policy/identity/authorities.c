#include "policy/identity/authorities.h"

#include <string.h>

int
gh_authority_read(gh_arena_t *arena, gh_str_t organisation, const gh_node_t *node, gh_authority_t *authority, gh_error_t *error)
{
    gh_str_t user = gh_rules_text(node, "user"), *roots;

    authority->id = gh_rules_text(node, "id");
    authority->number = gh_rules_number(organisation, authority->id);
    authority->user = gh_certificate_kind(user);
    if (authority->id.len == 0 || (user.len > 0 && authority->user == GH_CERTIFICATE_KINDS)) {
        return gh_rules_unsound(error, "an authority has no \"id\", or an unknown \"user\"");
    }
    if (gh_rules_strings(arena, gh_rules_member(node, "authorities", GH_NODE_ARRAY), &roots, &authority->root_count, error) != GH_OK) {
        return GH_ERROR;
    }
    authority->roots = gh_arena_array(arena, authority->root_count + 1, sizeof(*authority->roots));
    if (authority->roots == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for authorities");
    }
    for (size_t i = 0; i < authority->root_count; i++) {
        if (!gh_certificate_sha256(roots[i], authority->roots[i])) {
            return gh_rules_unsound(error, "an authority's certificate is named by something else than its SHA-256");
        }
    }
    if (authority->root_count == 0) {
        return gh_rules_unsound(error, "\"authorities\" is empty");
    }
    return gh_rules_read(arena, organisation, node, &authority->rules, error);
}

static bool
stands_above(const gh_authority_t *authority, const gh_certificate_t *certificate)
{
    for (size_t i = 0; i < certificate->chain_count; i++) {
        for (size_t k = 0; k < authority->root_count; k++) {
            if (memcmp(certificate->chain[i], authority->roots[k], 32) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool
gh_authorities_know(const gh_authority_t *authorities, size_t count, const gh_certificate_t *certificate)
{
    for (size_t i = 0; i < count; i++) {
        if (stands_above(&authorities[i], certificate)) {
            return true;
        }
    }
    return false;
}

static bool
certificate_shows(const void *certificate, gh_str_t name, gh_str_t value)
{
    return gh_certificate_has(certificate, gh_certificate_kind(name), value);
}

/* The one name of that kind. */
static int
map_user(const gh_authority_t *authority, const gh_certificate_t *c, gh_arena_t *arena, gh_caller_t *out, gh_error_t *error)
{
    char     hex[2 * sizeof(c->sha256)];
    gh_str_t name = GH_STR("");

    switch (authority->user) {
    case GH_CERTIFICATE_URI:
        name = c->uri_count == 1 ? c->uris[0] : name;
        break;
    case GH_CERTIFICATE_DNS:
        name = c->dns_count == 1 ? c->dns[0] : name;
        break;
    case GH_CERTIFICATE_SUBJECT:
        name = c->subject;
        break;
    case GH_CERTIFICATE_SHA256:
        for (size_t i = 0; i < sizeof(hex); i++) {
            hex[i] = "0123456789abcdef"[c->sha256[i / 2] >> (i % 2 ? 0 : 4) & 15];
        }
        name = (gh_str_t) { hex, sizeof(hex) };
        break;
    default:
        return GH_OK;
    }
    if (name.len == 0 || name.len > GH_CALLER_USER_MAX) {
        return gh_error_set(error, "certificate_user", "the client certificate has not the one name that says whose it is");
    }
    out->user = gh_str_copy(arena, name);
    return out->user.data != NULL ? GH_OK : gh_error_set(error, "out_of_memory", "no memory for a client certificate");
}

/* Adds what an authority's rules say. */
static int
judge_by(const gh_authority_t *authority, gh_arena_t *arena, const gh_certificate_t *certificate, gh_caller_t *out, gh_error_t *error)
{
    bool first = out->app.len == 0;

    if (!gh_rules_app(&authority->rules, certificate_shows, certificate, &out->app)) {
        return gh_error_set(error, "certificate_ambiguous", "the client certificate's names are those of more than one app");
    }
    if (first && out->app.len > 0) {
        out->id = authority->id;
        out->number = authority->number;
        if (map_user(authority, certificate, arena, out, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return gh_rules_classes(&authority->rules, certificate_shows, certificate, arena, &out->classes, error) != GH_OK ? GH_ERROR
        : gh_rules_narrow(&authority->rules, certificate_shows, certificate, arena, out, error);
}

int
gh_authorities_judge(const gh_authority_t *authorities, size_t count, gh_arena_t *arena, const gh_certificate_t *certificate, uint64_t now_ms, gh_caller_t *out,
    gh_error_t *error)
{
    bool known = false;

    memset(out, 0, sizeof(*out));
    out->classes = out->user = out->places = out->models = GH_STR("");
    out->not_before_ms = certificate->not_before_ms;
    out->not_after_ms = certificate->not_after_ms;
    for (size_t i = 0; i < count; i++) {
        if (!stands_above(&authorities[i], certificate)) {
            continue;
        }
        known = true;
        if (judge_by(&authorities[i], arena, certificate, out, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    if (!known) {
        return gh_error_set(error, "certificate_unknown", "no identity/1 document names who signed the client certificate");
    }
    if (out->app.len == 0) {
        return gh_error_set(error, "certificate_unmapped", "the client certificate's names are those of no app");
    }
    return gh_certificate_in_time(certificate, now_ms, error);
}
