/*
 * The steps of one request's route: a step is an attempt at a deployment, made when it is taken.
 */

#include "ngx_http_gatehouse.h"


static ngx_http_gatehouse_attempt_t *ngx_http_gatehouse_step(
    ngx_http_gatehouse_ctx_t *ctx);


/* The step that is running, or was last; NULL before the first. */
ngx_http_gatehouse_attempt_t *
ngx_http_gatehouse_attempt(ngx_http_gatehouse_ctx_t *ctx)
{
    return ctx->steps ? ctx->attempts[ctx->steps - 1] : NULL;
}


/* May a further deployment be tried now? Pure look: nothing is taken. */
ngx_uint_t
ngx_http_gatehouse_more(ngx_http_gatehouse_ctx_t *ctx)
{
    uint32_t                         i;
    gh_target_t                      target;
    ngx_http_gatehouse_backend_t    *backend;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    if (ctx->closed || ctx->client_left || ctx->request->connection->error
        || ctx->dispatches >= ctx->conf->tries
        || ctx->steps >= NGX_HTTP_GATEHOUSE_STEPS
        || ngx_current_msec - ctx->begun >= ctx->conf->route_timeout)
    {
        return 0;
    }

    gmcf = ngx_http_gatehouse_worker_conf();

    for (i = ctx->next; i < ctx->decision.route_count; i++) {
        gh_image_target(ctx->image, ctx->decision.route[i], &target);

        backend = ngx_http_gatehouse_find_backend(gmcf, target.backend);

        if (backend && ngx_http_gatehouse_credential_lacks(backend) == NULL
            && !ngx_http_gatehouse_refused(backend)
            && ngx_http_gatehouse_ready(ctx, ctx->decision.route[i]))
        {
            return 1;
        }
    }

    return 0;
}


/* A new one, empty; NULL: there is no memory. */
static ngx_http_gatehouse_attempt_t *
ngx_http_gatehouse_step(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_attempt_t  *attempt;

    attempt = gh_arena_alloc(&ctx->arena, sizeof(ngx_http_gatehouse_attempt_t));
    if (attempt) {
        ctx->attempts[ctx->steps++] = attempt;
    }

    return attempt;
}


/* Takes the next step; a deployment that cannot be tried is passed over and noted. NULL: the route is at its end. */
ngx_http_gatehouse_attempt_t *
ngx_http_gatehouse_next_attempt(ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_http_gatehouse_attempt_t    *attempt, *previous;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_http_gatehouse_worker_conf();

    if (ctx->closed || ctx->client_left
        || ctx->steps >= NGX_HTTP_GATEHOUSE_STEPS
        || ngx_current_msec - ctx->begun >= ctx->conf->route_timeout)
    {
        return NULL;
    }

    if (ctx->repeat) {
        ctx->repeat = 0;

        previous = ngx_http_gatehouse_attempt(ctx);
        attempt = ngx_http_gatehouse_step(ctx);
        if (attempt == NULL) {
            return NULL;
        }

        attempt->target = previous->target;
        attempt->facts = previous->facts;
        attempt->backend = previous->backend;
        attempt->servers = previous->servers;
        attempt->record.deployment = previous->record.deployment;
        attempt->record.upstream_model = previous->record.upstream_model;
        attempt->record.revision = previous->record.revision;
        attempt->stale = previous->stale_next;
        attempt->health = previous->health;
        attempt->probe = previous->probe;
        attempt->asked = previous->asked;
        previous->probe = 0;
        previous->asked = 0;

        return attempt;
    }

    while (ctx->next < ctx->decision.route_count
           && ctx->dispatches < ctx->conf->tries
           && ctx->steps < NGX_HTTP_GATEHOUSE_STEPS)
    {
        attempt = ngx_http_gatehouse_step(ctx);
        if (attempt == NULL) {
            return NULL;
        }

        attempt->target = ctx->decision.route[ctx->next++];
        attempt->record.connect_us = -1;
        attempt->record.first_byte_us = -1;
        attempt->record.total_us = -1;

        gh_image_target(ctx->image, attempt->target, &attempt->facts);
        attempt->facts.price = gh_image_price(ctx->image, attempt->target,
                                              ctx->intake.service_tier);

        attempt->record.deployment = attempt->facts.deployment;
        attempt->record.upstream_model = attempt->facts.upstream_model;
        attempt->record.revision = gh_image_revision(ctx->image);
        attempt->backend = ngx_http_gatehouse_find_backend(gmcf,
                                                     attempt->facts.backend);

        if (attempt->backend == NULL) {
            attempt->record.error = "no_backend";
            attempt->ended = 1;
            continue;
        }

        attempt->record.error =
            ngx_http_gatehouse_credential_lacks(attempt->backend);

        if (attempt->record.error) {
            ctx->credentials = 1;
            attempt->ended = 1;
            continue;
        }

        attempt->record.error = ngx_http_gatehouse_ask(ctx, attempt);

        if (attempt->record.error) {
            attempt->ended = 1;
            continue;
        }

        return attempt;
    }

    return NULL;
}
