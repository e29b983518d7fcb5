#include "policy/identity/issuers.h"

#include <stdlib.h>
#include <string.h>

#include "policy/identity/key.h"

const char *const gh_keys_at_names[] = { "keys", "jwks_uri", "discovery", "jwks_file", NULL };

gh_issuers_t *
gh_issuers_new(void)
{
    gh_issuers_t *issuers = calloc(1, sizeof(*issuers));

    if (issuers != NULL) {
        gh_heap_init(&issuers->heap);
    }
    return issuers;
}

void
gh_issuers_free(gh_issuers_t *issuers)
{
    if (issuers == NULL) {
        return;
    }
    for (size_t i = 0; i < issuers->count; i++) {
        gh_jwks_free(issuers->items[i].keys);
    }
    gh_heap_free(&issuers->heap);
    free(issuers);
}

/* ---- reading ---- */

typedef struct {
    gh_arena_t  *arena;
    gh_str_t     organisation;
    gh_issuer_t *issuer;
    gh_error_t  *error;
} reading_t;

static int
read_algorithms(reading_t *r, const gh_node_t *node)
{
    gh_str_t *names;
    size_t    count;

    if (gh_rules_strings(r->arena, gh_rules_member(node, "algorithms", GH_NODE_ARRAY), &names, &count, r->error) != GH_OK) {
        return GH_ERROR;
    }
    for (size_t i = 0; i < count; i++) {
        if (gh_jwa_of(names[i]) == 0) {
            return gh_rules_unsound(r->error, "an algorithm is not known");
        }
        r->issuer->algorithms |= gh_jwa_of(names[i]);
    }
    return r->issuer->algorithms != 0 ? GH_OK : gh_rules_unsound(r->error, "an issuer has no algorithms");
}

/* Exactly one of the members that say where they are. */
static int
read_keys(reading_t *r, const gh_node_t *node)
{
    const gh_node_t *keep = gh_rules_member(node, "keys_max_age_seconds", GH_NODE_NUMBER);
    gh_issuer_t     *issuer = r->issuer;
    uint64_t         seconds = GH_ISSUER_KEEP_DEFAULT;
    unsigned         found = 0;

    for (unsigned i = 0; i < GH_KEYS_AT; i++) {
        if (gh_node_get(node, gh_keys_at_names[i]) != NULL) {
            issuer->keys_at = (gh_keys_at_t) i;
            found++;
        }
    }
    if (found != 1 || (keep != NULL && (gh_node_u64(keep, &seconds) != GH_OK || seconds < GH_ISSUER_KEEP_MIN || seconds > GH_ISSUER_KEEP_MAX))) {
        return gh_rules_unsound(r->error, "it does not say where an issuer's keys are, or how long they may be used");
    }
    issuer->keep_ms = seconds * 1000;
    if (issuer->keys_at == GH_KEYS_HERE) {
        const gh_node_t *keys = gh_rules_member(node, "keys", GH_NODE_OBJECT);

        return keys != NULL ? gh_jwks_of(keys, &issuer->keys, r->error) : gh_rules_unsound(r->error, "an issuer's keys are no set of keys");
    }
    issuer->place = gh_rules_text(node, gh_keys_at_names[issuer->keys_at]);
    issuer->source = gh_str_format(r->arena, "%s %.*s", gh_keys_at_names[issuer->keys_at], GH_STR_ARG(issuer->place));
    if (issuer->source.data == NULL) {
        return gh_error_set(r->error, "out_of_memory", "no memory for issuers");
    }
    return issuer->place.len != 0 ? GH_OK : gh_rules_unsound(r->error, "it does not say where an issuer's keys are");
}

static int
read_issuer(reading_t *r, const gh_node_t *node)
{
    const gh_node_t *skew = gh_rules_member(node, "skew_seconds", GH_NODE_NUMBER);
    gh_issuer_t     *issuer = r->issuer;
    uint64_t         seconds = 0;

    issuer->organisation = r->organisation;
    issuer->id = gh_rules_text(node, "id");
    issuer->issuer = gh_rules_text(node, "issuer");
    issuer->user = gh_rules_text(node, "user");
    issuer->number = gh_rules_number(r->organisation, issuer->id);
    if (issuer->id.len == 0 || issuer->issuer.len == 0
        || (skew != NULL && (gh_node_u64(skew, &seconds) != GH_OK || seconds > GH_ISSUER_SKEW_MAX)))
    {
        return gh_rules_unsound(r->error, "an issuer has no \"id\", no \"issuer\", or a skew that is too large");
    }
    issuer->skew_ms = seconds * 1000;
    if (read_algorithms(r, node) != GH_OK
        || gh_rules_strings(r->arena, gh_rules_member(node, "audiences", GH_NODE_ARRAY), &issuer->audiences, &issuer->audience_count, r->error) != GH_OK
        || gh_rules_read(r->arena, r->organisation, node, &issuer->rules, r->error) != GH_OK)
    {
        return GH_ERROR;
    }
    if (issuer->audience_count == 0) {
        return gh_rules_unsound(r->error, "an issuer has no audience");
    }
    return read_keys(r, node);
}

/* One more item of a list that lies in the arena, zeroed. NULL: no memory. */
static void *
grown(gh_arena_t *arena, void *items, size_t *count, size_t *capacity, size_t size)
{
    if (*count == *capacity) {
        items = gh_arena_grow(arena, items, *count, *capacity * 2 + 8, size);
        *capacity = items != NULL ? *capacity * 2 + 8 : 0;
        *count = items != NULL ? *count : 0;
    }
    *count += items != NULL;
    return items;
}

static int
read_lists(gh_issuers_t *issuers, reading_t *r, const gh_node_t *root)
{
    const gh_node_t *list = gh_rules_member(root, "issuers", GH_NODE_ARRAY), *certificates = gh_rules_member(root, "certificates", GH_NODE_ARRAY);

    for (const gh_node_t *node = list != NULL ? list->first : NULL; node != NULL; node = node->next) {
        issuers->items = grown(r->arena, issuers->items, &issuers->count, &issuers->capacity, sizeof(*issuers->items));
        if (issuers->items == NULL) {
            return gh_error_set(r->error, "out_of_memory", "no memory for issuers");
        }
        r->issuer = &issuers->items[issuers->count - 1];
        if (read_issuer(r, node) != GH_OK) {
            return GH_ERROR;
        }
    }
    for (const gh_node_t *node = certificates != NULL ? certificates->first : NULL; node != NULL; node = node->next) {
        issuers->authorities = grown(r->arena, issuers->authorities, &issuers->authority_count, &issuers->authority_capacity, sizeof(*issuers->authorities));
        if (issuers->authorities == NULL) {
            return gh_error_set(r->error, "out_of_memory", "no memory for authorities");
        }
        if (gh_authority_read(r->arena, r->organisation, node, &issuers->authorities[issuers->authority_count - 1], r->error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return list != NULL || certificates != NULL ? GH_OK : gh_rules_unsound(r->error, "it names neither issuers nor authorities");
}

int
gh_issuers_add(gh_issuers_t *issuers, gh_str_t document, gh_error_t *error)
{
    reading_t  r = { .arena = &issuers->heap.arena, .error = error };
    gh_str_t   text = gh_str_copy(r.arena, document);
    gh_node_t *root;

    if (text.data == NULL) {
        return gh_error_set(error, "out_of_memory", "no memory for issuers");
    }
    if (gh_json_parse(r.arena, text, "identity/1", &root, error) != GH_OK) {
        return GH_ERROR;
    }
    r.organisation = gh_rules_text(root, "organisation");
    if (!gh_key_name_ok(r.organisation)) {
        return gh_rules_unsound(error, "it names no organisation");
    }
    return read_lists(issuers, &r, root);
}

/* ---- judging ---- */

static int
refuse(gh_error_t *error, const char *code, const char *why)
{
    return gh_error_set(error, code, "%s", why);
}

static bool
for_audience(const gh_issuer_t *issuer, const gh_jwt_t *jwt)
{
    for (size_t i = 0; i < issuer->audience_count; i++) {
        if (gh_jwt_claim_has(jwt, GH_STR("aud"), issuer->audiences[i])) {
            return true;
        }
    }
    return false;
}

/* The one issuer that the token names and is meant for: two that it could be of are none. */
static int
find_issuer(const gh_issuers_t *issuers, const gh_jwt_t *jwt, const gh_issuer_t **found, gh_error_t *error)
{
    const gh_node_t *iss = gh_node_get(jwt->claims, "iss");
    bool             named = false;

    *found = NULL;
    for (size_t i = 0; iss != NULL && iss->type == GH_NODE_STRING && i < issuers->count; i++) {
        const gh_issuer_t *issuer = &issuers->items[i];

        if (!gh_str_eq(issuer->issuer, iss->text)) {
            continue;
        }
        named = true;
        if (!for_audience(issuer, jwt)) {
            continue;
        }
        if (*found != NULL) {
            return refuse(error, "token_ambiguous", "two issuers could have issued the token");
        }
        *found = issuer;
    }
    return *found != NULL ? GH_OK
        : named ? refuse(error, "token_audience", "the token is for another audience")
                : refuse(error, "token_issuer", "the token's issuer is not one of this gateway");
}

static bool
claims_show(const void *jwt, gh_str_t claim, gh_str_t value)
{
    return gh_jwt_claim_has(jwt, claim, value);
}

/* A user's name is printable and short: it stands in the record. */
static int
map_user(const gh_issuer_t *issuer, const gh_jwt_t *jwt, gh_arena_t *arena, gh_caller_t *out, gh_error_t *error)
{
    const gh_node_t *claim = issuer->user.len > 0 ? gh_jwt_claim(jwt, issuer->user) : NULL;

    out->user = GH_STR("");
    if (issuer->user.len == 0) {
        return GH_OK;
    }
    if (claim == NULL || claim->type != GH_NODE_STRING || claim->text.len == 0 || claim->text.len > GH_CALLER_USER_MAX) {
        return refuse(error, "token_user", "the token has not the claim that says whose it is");
    }
    for (size_t i = 0; i < claim->text.len; i++) {
        if ((unsigned char) claim->text.data[i] < ' ' || claim->text.data[i] == 0x7f) {
            return refuse(error, "token_user", "the token has not the claim that says whose it is");
        }
    }
    out->user = gh_str_copy(arena, claim->text);
    return out->user.data != NULL ? GH_OK : gh_error_set(error, "out_of_memory", "no memory for a token");
}

/* Classes, and what its claims narrow. */
static int
map_rest(const gh_issuer_t *issuer, const gh_jwt_t *jwt, gh_arena_t *arena, gh_caller_t *out, gh_error_t *error)
{
    if (gh_rules_classes(&issuer->rules, claims_show, jwt, arena, &out->classes, error) != GH_OK
        || gh_rules_narrow(&issuer->rules, claims_show, jwt, arena, out, error) != GH_OK)
    {
        return GH_ERROR;
    }
    for (size_t i = 0; i < issuer->rules.place_count; i++) {
        const gh_caller_map_t *map = &issuer->rules.places[i];

        if (gh_rules_map(map, gh_jwt_claim(jwt, map->claim), arena, &out->places, error) != GH_OK) {
            return GH_ERROR;
        }
    }
    return map_user(issuer, jwt, arena, out, error);
}

/* Those it may be verified with now, and until when. What is missing is asked for. */
static int
find_keys(const gh_issuers_t *issuers, const gh_issuer_t *issuer, uint64_t now_ms, const gh_jwks_t **keys, uint64_t *until_ms, gh_error_t *error)
{
    *keys = issuer->keys;
    *until_ms = UINT64_MAX;
    if (issuer->keys_at == GH_KEYS_HERE) {
        return GH_OK;
    }
    *keys = gh_key_sets_find(issuers->sets, issuer->number, issuer->source, until_ms);
    if (*keys != NULL && now_ms < *until_ms) {
        return GH_OK;
    }
    if (issuers->wanted != NULL) {
        *issuers->wanted |= (uint64_t) 1 << issuer->number % 64;
    }
    return refuse(error, "identity_unavailable", *keys == NULL ? "the keys of the token's issuer have not been fetched yet"
                                                               : "the keys of the token's issuer are too old: they could not be fetched again");
}

static int
verify(const gh_issuers_t *issuers, const gh_issuer_t *issuer, const gh_jwt_t *jwt, uint64_t now_ms, uint64_t *until_ms, bool *verified, gh_error_t *error)
{
    gh_error_t       why = { 0 };
    const gh_jwks_t *keys;

    if (find_keys(issuers, issuer, now_ms, &keys, until_ms, error) != GH_OK) {
        return GH_ERROR;
    }
    *verified = true;
    if (gh_jwt_verify(jwt, keys, issuer->algorithms, &why) == GH_OK) {
        return GH_OK;
    }
    *verified = why.code == NULL || strcmp(why.code, "token_key_unknown") != 0;
    if (issuer->keys_at != GH_KEYS_HERE && issuers->wanted != NULL && why.code != NULL && strcmp(why.code, "token_key_unknown") == 0) {
        *issuers->wanted |= (uint64_t) 1 << issuer->number % 64;
    }
    if (error != NULL) {
        *error = why;
    }
    return GH_ERROR;
}

int
gh_issuers_judge(const gh_issuers_t *issuers, gh_arena_t *arena, gh_str_t token, uint64_t now_ms, gh_caller_t *out, gh_error_t *error)
{
    const gh_issuer_t *issuer;
    gh_jwt_t           jwt;
    uint64_t           until_ms;

    memset(out, 0, sizeof(*out));
    if (gh_jwt_parse(arena, token, &jwt, error) != GH_OK || find_issuer(issuers, &jwt, &issuer, error) != GH_OK
        || gh_jwt_times(&jwt, issuer->skew_ms, &out->not_before_ms, &out->not_after_ms, error) != GH_OK)
    {
        return GH_ERROR;
    }
    /* What says itself that it is over is refused without the price of its signature. */
    if (now_ms >= out->not_after_ms) {
        return refuse(error, "token_expired", "the token has expired");
    }
    if (now_ms < out->not_before_ms) {
        return refuse(error, "token_not_yet", "the token is not valid yet");
    }
    if (verify(issuers, issuer, &jwt, now_ms, &until_ms, &out->verified, error) != GH_OK) {
        return GH_ERROR;
    }
    out->not_after_ms = out->not_after_ms < until_ms ? out->not_after_ms : until_ms;
    out->id = issuer->id;
    out->number = issuer->number;
    out->classes = out->places = out->models = GH_STR("");
    if (!gh_rules_app(&issuer->rules, claims_show, &jwt, &out->app)) {
        return refuse(error, "token_ambiguous", "the token's claims name more than one app");
    }
    if (out->app.len == 0) {
        return refuse(error, "token_unmapped", "the token's claims name no app");
    }
    return map_rest(issuer, &jwt, arena, out, error);
}
