/*
 * The models that a key may use, as a list or one of them, in the words of the API that asks.
 */

#include "ngx_http_gatehouse.h"


ngx_int_t
ngx_http_gatehouse_models(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    size_t                           count;
    gh_str_t                        *names, json;
    gh_image_t                      *image;
    gh_error_t                       error;
    gh_decide_input_t                input;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_gatehouse_module);

    image = ngx_http_gatehouse_image(r->connection->log, &error);
    if (image == NULL) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "policy_unavailable",
                                         "The policy cannot be read.");
    }

    if (ngx_http_gatehouse_key_again(ctx, &image) != NGX_OK) {
        return ngx_http_gatehouse_refuse_late(r, ctx);
    }

    ngx_memzero(&input, sizeof(gh_decide_input_t));

    input.identity = &ctx->identity;
    input.node = ngx_http_gatehouse_str(gmcf->node);
    input.now_ms = ngx_http_gatehouse_now_ms();
    input.cells = ngx_http_gatehouse_cells();

    if (gh_decide_models(image, &input, &ctx->arena, &names, &count) != GH_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (gh_models_write(&ctx->arena, &ctx->url, names, count, &json, &error)
        != GH_OK)
    {
        return ngx_http_gatehouse_refuse_error(r, ctx, &error);
    }

    return ngx_http_gatehouse_send_json(r, json);
}
