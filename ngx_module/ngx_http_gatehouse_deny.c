/* What a tenant is told when policy does not allow its request. */

#include "ngx_http_gatehouse.h"


static const char *ngx_http_gatehouse_unlisted(ngx_http_gatehouse_ctx_t *ctx);
static ngx_int_t ngx_http_gatehouse_deny_residency(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);


/*
 * The field, type or header of the request that took a deployment away, because that does not list what it turns on or because nobody
 * knows it; NULL: none did.
 */
static const char *
ngx_http_gatehouse_unlisted(ngx_http_gatehouse_ctx_t *ctx)
{
    uint32_t                 i, j;
    gh_str_t                 feature;
    const gh_feature_use_t  *use;

    for (i = 0; i < ctx->decision.target_count; i++) {
        feature = ctx->decision.targets[i].feature;

        for (j = 0; feature.len && j < ctx->intake.feature_count; j++) {
            use = &ctx->intake.features[j];

            if (gh_str_eq(feature, use->name.len ? use->name : use->where)) {
                return gh_str_format(&ctx->arena, "%.*s",
                                     GH_STR_ARG(use->where)).data;
            }
        }
    }

    return NULL;
}


/*
 * What a tenant sees of a denial: the rule's id and the request's, and what of the request it turned on. "param" is the path of the body's
 * field, for a header null.
 */
static ngx_int_t
ngx_http_gatehouse_deny_residency(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_str_t                    rule, by, why;
    const char                 *unlisted;
    const gh_verdict_answer_t  *answer;

    answer = &gh_verdict_answers[ctx->decision.code];
    rule = ctx->decision.rule;
    why = GH_STR("");

    if (ctx->decision.narrowed) {
        by = GH_STR("Nothing is left within the places that the request or "
                    "its tenant is narrowed to");

    } else if (rule.len) {
        by = gh_str_format(&ctx->arena, "Denied by residency rule \"%.*s\"",
                           GH_STR_ARG(rule));

    } else {
        by = GH_STR("No residency rule allows this request");
    }

    unlisted = ngx_http_gatehouse_unlisted(ctx);

    if (unlisted) {
        why = gh_str_format(&ctx->arena, ": \"%s\" is not known, or turns on "
                            "what the deployments do not list", unlisted);

        if (ngx_strchr(unlisted, ' ') == NULL) {
            ctx->error_param = unlisted;
        }
    }

    return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                     "%*s%*s (request %*s).", by.len, by.data,
                                     why.len, why.data, (size_t) GH_ID_LEN,
                                     ctx->id);
}


/* Residency allows deployments, and all of them speak another dialect, which has no words for something of the request. */
static ngx_int_t
ngx_http_gatehouse_inexpressible(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    uint32_t    i;
    gh_str_t    where;
    const char *text;

    where = GH_STR("");

    for (i = 0; i < ctx->decision.target_count; i++) {
        if (ctx->decision.targets[i].code == GH_TARGET_NOT_EXPRESSIBLE) {
            where = ctx->decision.targets[i].feature;
            break;
        }
    }

    text = gh_str_format(&ctx->arena, "%.*s", GH_STR_ARG(where)).data;

    if (text && where.len && ngx_strchr(text, ' ') == NULL) {
        ctx->error_param = text;
    }

    return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_BAD_REQUEST,
                                     gh_verdict_answers[
                                         GH_DENIED_NOT_EXPRESSIBLE].code,
                                     "\"%*s\" cannot be translated for the "
                                     "deployments that may serve this request "
                                     "(request %*s).", where.len, where.data,
                                     (size_t) GH_ID_LEN, ctx->id);
}


ngx_int_t
ngx_http_gatehouse_deny(ngx_http_request_t *r, ngx_http_gatehouse_ctx_t *ctx)
{
    ngx_str_t                   model;
    const gh_verdict_answer_t  *answer;

    answer = &gh_verdict_answers[ctx->decision.code];

    model.data = (u_char *) ctx->intake.model.data;
    model.len = ctx->intake.model.len;

    switch (ctx->decision.code) {

    case GH_DENIED_MODEL_UNKNOWN:
    case GH_DENIED_ENDPOINT:
        ctx->error_param = "model";
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "The model `%V` does not exist at "
                                         "this endpoint or is not yours to "
                                         "use.", &model);

    case GH_DENIED_MODEL:
        ctx->error_param = "model";
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "The model `%V` is not allowed for "
                                         "this key (request %*s).", &model,
                                         (size_t) GH_ID_LEN, ctx->id);

    case GH_DENIED_RESIDENCY:
        return ngx_http_gatehouse_deny_residency(r, ctx);

    case GH_DENIED_LABEL:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "The request's data class is not "
                                         "known (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);

    case GH_DENIED_PLACES:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "x-gatehouse-places names a place "
                                         "that is not known (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);

    case GH_DENIED_NOT_EXPRESSIBLE:
        return ngx_http_gatehouse_inexpressible(r, ctx);

    case GH_DENIED_STATE:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "What this request names is kept "
                                         "where it cannot be asked for any "
                                         "more (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);

    case GH_DENIED_NODE:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "This node is not in the fleet.");

    default:
        return ngx_http_gatehouse_refuse(r, ctx, answer->status, answer->code,
                                         "Denied by policy (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);
    }
}
