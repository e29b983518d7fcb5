/*
 * The compiled form of one revision: one flat little-endian value, sections without pointers, under a MAC. A worker keeps a
 * verified copy of the newest one; requests hold a reference, so strings taken from it live as long as the request.
 */
#ifndef GH_IMAGE_H
#define GH_IMAGE_H

#include "policy/base/dialects.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"
#include "policy/ledger/backends.h"
#include "policy/quota/limits.h"
#include "residency/judge.h"

typedef struct gh_image_s gh_image_t;

/*
 * Takes a copy (malloc) of an image's bytes, as gh_compile or the store gives them, and checks all of it once: every offset, index,
 * order and value, so that later reads are safe whatever the bytes were. The MAC is the store's business. One reference is the
 * caller's. GH_ERROR: "store_damaged", "store_version" (of a newer program), "store_outdated" (of an older one) or out of memory.
 */
int gh_image_open(const void *bytes, size_t len, gh_image_t **image, gh_error_t *error);

/* One process, one thread: plain counts. */
gh_image_t *gh_image_ref(gh_image_t *image);
void        gh_image_unref(gh_image_t *image);

uint64_t       gh_image_revision(const gh_image_t *image);
const uint8_t *gh_image_policy_digest(const gh_image_t *image);   /* 32 bytes */
const uint8_t *gh_image_facts_digest(const gh_image_t *image);    /* 32 bytes */

/* Rows of policy/base/dialects.h. */
typedef enum {
#define D(name, word, row, traits, endpoints) GH_DIALECT_##name,
    GH_DIALECT_ROWS(D)
#undef D
    GH_DIALECTS
} gh_dialect_t;

extern const char *const gh_dialect_names[GH_DIALECTS];   /* "openai", "azure-v1", ... */

/* Bits; the table says what each means. */
enum {
    GH_HOST_NOTHING = 0, GH_HOST_AWS = 1 << 0, GH_HOST_VERSIONED = 1 << 1, GH_HOST_CATALOGUE = 1 << 2, GH_HOST_PLACED = 1 << 3, GH_HOST_OPENAI_ALIKE = 1 << 4
};

/* Does it have one of these traits? */
bool gh_dialect_is(uint32_t dialect, unsigned traits);

typedef struct {                   /* 48 bytes, as in the image */
    uint64_t input_above;          /* a request with more input tokens than these, cached ones included, is priced wholly so */
    uint64_t input, cached, cache_write, output, reasoning;
} gh_price_tier_t;

typedef struct {
    bool     known;                /* false: no price in fleet/1, which is not 0 */
    uint64_t input, cached, cache_write, output, reasoning;   /* micro-dollars per 1,000,000 tokens */
    const gh_price_tier_t *tiers;  /* by input_above, lowest first: the last one that is exceeded holds; borrowed from the image */
    uint32_t tier_count;
} gh_price_t;

#define GH_PRICE_TIERS_MAX    8    /* of one price */
#define GH_MESSAGE_TOKENS     16   /* of overhead a message, when the catalogue does not say */

typedef struct {                   /* one (deployment, model), strings borrowed from the image */
    gh_str_t     deployment;
    gh_str_t     backend;          /* name of a gatehouse_backend of nginx.conf */
    gh_str_t     provider, region, sku, partition;
    bool         one_tenant;       /* nobody but one tenant is served by this backend: what its account has left is that tenant's own */
    gh_dialect_t dialect;
    uint32_t     endpoints;        /* bits by gh_endpoint_t */
    gh_str_t     api_version;      /* azure-classic */
    gh_str_t     inference_geo;    /* what requests say of where they are run; empty: nothing */
    gh_str_t     upstream_model;
    gh_str_t     model;            /* catalogue name */
    uint32_t     priority;         /* lower first */
    gh_price_t   price;            /* of a request that asks for no service tier: else gh_image_price */
    uint64_t     context, max_output;   /* of the model, tokens; 0: not said */
    uint64_t     image_tokens;     /* the most that one image counts; 0: not said, then one may fill the context */
    uint64_t     message_tokens;   /* the most that a message counts besides its text; never 0 */
    gh_places_t  process, store, operator_home;
    bool         store_nothing, store_days_known;
    uint32_t     store_days;
    const gh_backend_id_t *known;  /* number 0: not worked out yet by gh_image_backend; NULL: made by hand */
} gh_target_t;

uint32_t gh_image_target_count(const gh_image_t *image);
void     gh_image_target(const gh_image_t *image, uint32_t target, gh_target_t *out);

/* As written in fleet/1, where they have prices of their own: "priority", "flex", "scale", "fast". */
#define GH_SERVICE_TIERS 4
extern const char *const gh_service_tier_names[GH_SERVICE_TIERS];

/*
 * The price of a target for a request with this service_tier: empty, "auto", "default" and "standard" are gh_target_t.price. known false: there
 * is no price for it.
 */
gh_price_t gh_image_price(const gh_image_t *image, uint32_t target, gh_str_t service_tier);

/* As the ledger knows it; target: below gh_image_target_count. Worked out once. */
const gh_backend_id_t *gh_image_backend(const gh_image_t *image, uint32_t target);

/* Backends that fleet/1 names, for nginx's warnings at configuration. */
uint32_t gh_image_deployment_count(const gh_image_t *image);
gh_str_t gh_image_deployment_backend(const gh_image_t *image, uint32_t deployment);

typedef struct { uint32_t organisations, tenants, apps; } gh_image_counts_t;
/* What tenants/1 lists. */
gh_image_counts_t gh_image_counts(const gh_image_t *image);

/*
 * Apps. An image of gh_compile_image holds them; one of a store does not, there each app is a record of its own: ask gh_store_identify,
 * gh_store_identify_app.
 */
bool gh_image_holds_apps(const gh_image_t *image);
/* With gh_image_holds_apps. Is "org/tenant/app" in tenants/1? */
bool gh_image_app_listed(const gh_image_t *image, gh_str_t path);
/* With gh_image_holds_apps: paths of every listed app, sorted; index below gh_image_counts().apps. */
gh_str_t gh_image_app_path(const gh_image_t *image, uint32_t app);

/* With gh_image_holds_apps: what a key of that app is held to. false: it is not listed. */
bool gh_image_app_limits(const gh_image_t *image, gh_str_t path, gh_limits_t *limits);

/* The catalogue's name of the model that a limit is of; empty when it does not have it. */
gh_str_t gh_image_model_name(const gh_image_t *image, uint64_t number);

/* The country of a node of fleet/1: index, or -1 when the node is not listed. */
int gh_image_node_country(const gh_image_t *image, gh_str_t node);

#endif
