/*
 * The compiled form of one revision: one flat little-endian value, sections without pointers, under a MAC. A worker keeps a
 * verified copy of the newest one; requests hold a reference, so strings taken from it live as long as the request.
 */
#ifndef GH_IMAGE_H
#define GH_IMAGE_H

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"
#include "residency/judge.h"

typedef struct gh_image_s gh_image_t;

/*
 * Takes a copy (malloc) of an image's bytes, as gh_compile or the store gives them, and checks all of it once: every offset, index,
 * order and value, so that later reads are safe whatever the bytes were. The MAC is the store's business. One reference is the
 * caller's. GH_ERROR: "store_damaged", "store_version" or out of memory.
 */
int gh_image_open(const void *bytes, size_t len, gh_image_t **image, gh_error_t *error);

/* One process, one thread: plain counts. */
gh_image_t *gh_image_ref(gh_image_t *image);
void        gh_image_unref(gh_image_t *image);

uint64_t       gh_image_revision(const gh_image_t *image);
const uint8_t *gh_image_policy_digest(const gh_image_t *image);   /* 32 bytes */
const uint8_t *gh_image_facts_digest(const gh_image_t *image);    /* 32 bytes */

typedef enum { GH_DIALECT_OPENAI = 0, GH_DIALECT_AZURE_V1, GH_DIALECT_AZURE_CLASSIC, GH_DIALECT_BEDROCK_OPENAI, GH_DIALECTS } gh_dialect_t;
extern const char *const gh_dialect_names[GH_DIALECTS];   /* "openai", "azure-v1", "azure-classic", "bedrock-openai" */

typedef struct {
    bool     known;                /* false: no price in fleet/1, which is not 0 */
    uint64_t input, cached, cache_write, output, reasoning;   /* micro-dollars per 1,000,000 tokens */
} gh_price_t;

typedef struct {                   /* one (deployment, model), strings borrowed from the image */
    gh_str_t     deployment;
    gh_str_t     backend;          /* name of a gatehouse_backend of nginx.conf */
    gh_str_t     provider, region, sku, partition;
    gh_dialect_t dialect;
    uint32_t     endpoints;        /* bits by gh_endpoint_t */
    gh_str_t     api_version;      /* azure-classic */
    gh_str_t     upstream_model;
    gh_str_t     model;            /* catalogue name */
    uint32_t     priority;         /* lower first */
    gh_price_t   price;
    gh_places_t  process, store, operator_home;
    bool         store_nothing, store_days_known;
    uint32_t     store_days;
} gh_target_t;

uint32_t gh_image_target_count(const gh_image_t *image);
void     gh_image_target(const gh_image_t *image, uint32_t target, gh_target_t *out);

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

/* The country of a node of fleet/1: index, or -1 when the node is not listed. */
int gh_image_node_country(const gh_image_t *image, gh_str_t node);

#endif
