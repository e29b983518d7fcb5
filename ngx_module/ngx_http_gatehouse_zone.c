/*
 * The shared zone: what all workers, of the old and the new generation, must know of each other until the ledger holds it. That is
 * until when a (deployment, model) must not be tried, its Retry-After.
 *
 * No locks: a worker may die anywhere. Slots are claimed by compare-and-swap on their key and are never moved.
 */

#include "ngx_http_gatehouse.h"


#define NGX_HTTP_GATEHOUSE_PROBES    16
#define NGX_HTTP_GATEHOUSE_WAIT_MAX  3600000   /* ms, as gh_retry_after_ms cuts */


typedef struct {
    ngx_atomic_t   key;        /* 0: free */
    ngx_atomic_t   value;      /* ms since the epoch */
} ngx_http_gatehouse_slot_t;


typedef struct {
    ngx_uint_t                  count;     /* a power of two */
    ngx_http_gatehouse_slot_t  *retry;
} ngx_http_gatehouse_shared_t;


static ngx_int_t ngx_http_gatehouse_zone_init(ngx_shm_zone_t *zone,
    void *data);


char *
ngx_http_gatehouse_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gatehouse_main_conf_t *gmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (gmcf->zone_size) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR || size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\": at least %uz bytes",
                           &value[1], 8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    gmcf->zone_size = size;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_gatehouse_zone_add(ngx_conf_t *cf,
    ngx_http_gatehouse_main_conf_t *gmcf)
{
    ngx_str_t  name = ngx_string("gatehouse");

    gmcf->zone = ngx_shared_memory_add(cf, &name, gmcf->zone_size,
                                       &ngx_http_gatehouse_module);
    if (gmcf->zone == NULL) {
        return NGX_ERROR;
    }

    gmcf->zone->init = ngx_http_gatehouse_zone_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gatehouse_zone_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                        size;
    ngx_slab_pool_t              *pool;
    ngx_http_gatehouse_shared_t  *shared;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    shared = ngx_slab_calloc(pool, sizeof(ngx_http_gatehouse_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    /* half the zone, so that the slab's own needs never matter */

    for (shared->count = 64; /* void */; shared->count *= 2) {
        size = shared->count * sizeof(ngx_http_gatehouse_slot_t);
        if (2 * size > zone->shm.size / 2) {
            break;
        }
    }

    size = shared->count * sizeof(ngx_http_gatehouse_slot_t);

    shared->retry = ngx_slab_calloc(pool, size);

    if (shared->retry == NULL) {
        return NGX_ERROR;
    }

    pool->data = shared;
    zone->data = shared;

    return NGX_OK;
}


static ngx_http_gatehouse_slot_t *
ngx_http_gatehouse_slot(ngx_http_gatehouse_slot_t *table, ngx_uint_t count,
    ngx_atomic_uint_t key, ngx_uint_t claim)
{
    ngx_uint_t                  i;
    ngx_http_gatehouse_slot_t  *slot;

    for (i = 0; i < NGX_HTTP_GATEHOUSE_PROBES; i++) {
        slot = &table[(key + i) & (count - 1)];

        if (slot->key == key) {
            return slot;
        }

        if (slot->key == 0) {

            if (!claim) {
                return NULL;
            }

            if (ngx_atomic_cmp_set(&slot->key, 0, key) || slot->key == key) {
                return slot;
            }
        }
    }

    return NULL;
}


/* FNV-1a, 64 bits, over both names with a zero between; never 0. */
static ngx_atomic_uint_t
ngx_http_gatehouse_zone_key(gh_str_t a, gh_str_t b)
{
    size_t    i;
    uint64_t  hash = 14695981039346656037ULL;

    for (i = 0; i < a.len; i++) {
        hash = (hash ^ (uint8_t) a.data[i]) * 1099511628211ULL;
    }

    hash *= 1099511628211ULL;

    for (i = 0; i < b.len; i++) {
        hash = (hash ^ (uint8_t) b.data[i]) * 1099511628211ULL;
    }

    hash ^= hash >> 29;

    return hash ? (ngx_atomic_uint_t) hash : 1;
}


/* ms since the epoch at which the deployment may be tried again; 0: now. */
uint64_t
ngx_http_gatehouse_retry_at(ngx_http_gatehouse_main_conf_t *gmcf,
    gh_str_t deployment, gh_str_t model)
{
    ngx_http_gatehouse_slot_t    *slot;
    ngx_http_gatehouse_shared_t  *shared = gmcf->zone->data;

    slot = ngx_http_gatehouse_slot(shared->retry, shared->count,
                               ngx_http_gatehouse_zone_key(deployment, model),
                               0);

    /* no wait is longer than an hour: more than that ahead is a clock that was set back */

    if (slot == NULL || slot->value > ngx_http_gatehouse_now_ms()
                                      + NGX_HTTP_GATEHOUSE_WAIT_MAX)
    {
        return 0;
    }

    return slot->value;
}


void
ngx_http_gatehouse_retry_set(ngx_http_gatehouse_main_conf_t *gmcf,
    gh_str_t deployment, gh_str_t model, uint64_t until_ms)
{
    ngx_atomic_uint_t             old;
    ngx_http_gatehouse_slot_t    *slot;
    ngx_http_gatehouse_shared_t  *shared = gmcf->zone->data;

    slot = ngx_http_gatehouse_slot(shared->retry, shared->count,
                               ngx_http_gatehouse_zone_key(deployment, model),
                               1);
    if (slot == NULL) {
        return;
    }

    /* the later of two answers holds */

    do {
        old = slot->value;

        if (old >= until_ms
            && old <= ngx_http_gatehouse_now_ms()
                      + NGX_HTTP_GATEHOUSE_WAIT_MAX)
        {
            return;
        }

    } while (!ngx_atomic_cmp_set(&slot->value, old, until_ms));
}
