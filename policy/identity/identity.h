/* Who a request is from: what its key record, its token or its client certificate says. */
#ifndef GH_IDENTITY_H
#define GH_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/str.h"
#include "policy/quota/limits.h"

typedef struct {
    uint8_t  key_hash[32];        /* HMAC of the presented key, or digest of the token or certificate; never logged */
    uint64_t key_uid, tenant_uid, app_uid, org_uid;
    uint64_t user_uid;            /* of the user of a token or a certificate, also of one beside an API key; else 0, without limits of users */
    gh_str_t org, tenant, app, key;   /* names; key is its name, never the secret; of a token "@" and its issuer's id, of a certificate "@" and its authority's */
    gh_str_t path;                /* "org/tenant/app" */
    /*
     * What of the app a decision needs stands in one image alone: the number of its profile and that image's revision, read in one
     * snapshot. An image that holds its apps itself is asked by path, and both are not looked at.
     */
    uint32_t profile;
    uint64_t revision;
    uint64_t transaction;         /* of that snapshot: while gh_store_transaction says the same, all of this still holds, but by time */
    gh_str_t user;                /* of a token or certificate: who it says it is for; else empty */
    gh_str_t token;               /* the one that was presented, borrowed from the caller; empty: it was an API key, or a certificate alone */
    const struct gh_certificate_s *certificate;   /* the one that was presented, borrowed likewise; NULL: there was none */
    bool     keyless;             /* there was nothing but that certificate */
    uint64_t judged_ms;           /* of a token or a certificate: when it was accepted. A request that it began goes on when it expires. */
    gh_str_t own_places, own_models;   /* what it narrows by itself: lists as in policy/identity/narrowing.h; usually empty */
    gh_str_t own_classes;         /* classes the key itself, a token's claims or a certificate's names add, comma separated; usually empty */
    uint64_t not_before_ms, not_after_ms;
    uint8_t  audit;               /* 0 required, 1 best-effort */
    bool     own_required;        /* an API key: it asks for the former itself */
    gh_limits_t limits;
} gh_identity_t;

#endif
