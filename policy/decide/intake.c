#include "policy/decide/intake.h"

#include <stddef.h>

const char *const gh_endpoint_names[GH_ENDPOINTS] = {
#define E(name, word, api, client, form, open, fields, mounts, path, stream, traits, to) word,
    GH_ENDPOINT_ROWS(E)
#undef E
};

const char *const gh_operation_names[GH_OPERATIONS] = { "create", "retrieve", "cancel", "delete", "input_items" };
const char *const gh_operation_methods[GH_OPERATIONS] = { "POST", "GET", "POST", "DELETE", "GET" };

#define TO_MAX 4

/* to: the nearest first, GH_ENDPOINTS behind the last. */
static const struct {
    const char *api;
    uint32_t    traits;
    uint8_t     to[TO_MAX + 1];
} endpoints[GH_ENDPOINTS] = {
#define T(trait)   | GH_IS_##trait
#define TO(other)  GH_ENDPOINT_##other,
#define TO_NONE
#define E(name, word, api, client, form, open, fields, mounts, path, stream, traits, to) { api, 0 traits, { to GH_ENDPOINTS } },
    GH_ENDPOINT_ROWS(E)
#undef E
#undef T
};

const char *
gh_endpoint_dialect(gh_endpoint_t endpoint)
{
    return endpoints[endpoint].api;
}

bool
gh_endpoint_is(gh_endpoint_t endpoint, unsigned traits)
{
    return endpoint < GH_ENDPOINTS && (endpoints[endpoint].traits & traits) != 0;
}

gh_endpoint_t
gh_endpoint_alike(gh_endpoint_t endpoint)
{
    unsigned other;

    for (other = 0; other < GH_ENDPOINTS; other++) {
        if (other != (unsigned) endpoint && gh_endpoint_is(endpoint, GH_IS_ALIKE) && gh_endpoint_is((gh_endpoint_t) other, GH_IS_ALIKE)) {
            break;
        }
    }

    return (gh_endpoint_t) other;
}

gh_endpoint_t
gh_endpoint_by_model(void)
{
    gh_endpoint_t endpoint = 0;

    while (!gh_endpoint_is(endpoint, GH_IS_BY_MODEL)) {
        endpoint++;
    }

    return endpoint;
}

bool
gh_endpoint_served(uint32_t offered, gh_endpoint_t endpoint)
{
    return gh_endpoint_upstream(offered, endpoint, GH_WORDS_PLAIN, NULL, NULL) != GH_ENDPOINTS;
}

gh_endpoint_t
gh_endpoint_upstream(uint32_t offered, gh_endpoint_t endpoint, gh_words_t words, const gh_express_t *express, gh_str_t *where)
{
    const uint8_t *to;

    if (where != NULL) {
        *where = GH_STR("");
    }
    if (offered >> endpoint & 1) {
        return endpoint;
    }
    for (to = endpoints[endpoint].to; *to != GH_ENDPOINTS; to++) {
        if (!(offered >> *to & 1)) {
            continue;
        }
        if (express == NULL || express->where[words][*to].data == NULL) {
            return (gh_endpoint_t) *to;
        }
        if (where != NULL && where->len == 0) {
            *where = express->where[words][*to];
        }
    }
    return GH_ENDPOINTS;
}
