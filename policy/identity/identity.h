/* Who a request is from: what its key record says. */
#ifndef GH_IDENTITY_H
#define GH_IDENTITY_H

#include <stdint.h>

#include "policy/base/str.h"

typedef struct {
    uint8_t  key_hash[32];        /* HMAC of the presented key; never logged */
    uint64_t key_uid, tenant_uid, app_uid, org_uid;
    gh_str_t org, tenant, app, key;   /* names; key is its name, never the secret */
    gh_str_t path;                /* "org/tenant/app" */
    /*
     * What of the app a decision needs stands in one image alone: the number of its profile and that image's revision, read in one
     * snapshot. An image that holds its apps itself is asked by path, and both are not looked at.
     */
    uint32_t profile;
    uint64_t revision;
    uint64_t transaction;         /* of that snapshot: while gh_store_transaction says the same, all of this still holds, but by time */
    gh_str_t own_classes;         /* classes the key itself adds, comma separated; usually empty */
    uint64_t not_before_ms, not_after_ms;
    uint8_t  audit;               /* 0 required, 1 best-effort */
} gh_identity_t;

#endif
