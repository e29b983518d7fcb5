/*
 * Policy between the decision and the wire: it is read again before every further dispatch and in front of every write. Whatever
 * an edit changed holds for the bytes not sent yet; a store that cannot be read denies.
 */

#include "ngx_http_gatehouse.h"


static const gh_target_verdict_t *ngx_http_gatehouse_decide_again(
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt,
    gh_image_t *image, const gh_identity_t *identity, uint64_t now,
    gh_decision_t *decision);
static void ngx_http_gatehouse_take_verdict(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t *image,
    const gh_decision_t *decision, const gh_target_verdict_t *verdict);


/* Has the revision or the time moved past the request's own decision? */
static ngx_uint_t
ngx_http_gatehouse_moved(ngx_http_gatehouse_ctx_t *ctx, gh_image_t *image,
    uint64_t now)
{
    return gh_image_revision(image) != gh_image_revision(ctx->image)
           || now >= ctx->decision.valid_until_ms;
}


/*
 * Before an attempt's request is made: the deployment must be in the route of the policy in force, whose facts and rules the attempt then
 * has. The route itself never grows: it is the first decision's. NGX_ERROR: not this one; ctx->late says why.
 */
ngx_int_t
ngx_http_gatehouse_adopt(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    uint64_t                    now;
    gh_image_t                 *image;
    gh_error_t                  error;
    gh_identity_t               identity;
    gh_decision_t               decision;
    const gh_target_verdict_t  *verdict;

    now = ngx_http_gatehouse_now_ms();

    image = ngx_http_gatehouse_image(ctx->request->connection->log, &error);
    if (image == NULL) {
        ctx->late = "policy_unavailable";
        return NGX_ERROR;
    }

    if (ctx->recorded == 0 && !ngx_http_gatehouse_moved(ctx, image, now)) {
        /* the decision is of this very moment */
        verdict = gh_decision_verdict(&ctx->decision, attempt->target);
        if (verdict == NULL) {
            return NGX_ERROR;
        }

        decision = ctx->decision;
        ngx_http_gatehouse_take_verdict(ctx, attempt, ctx->image, &decision,
                                        verdict);

    } else {
        if (ngx_http_gatehouse_key_holds(ctx, now, &identity, &image)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        verdict = ngx_http_gatehouse_decide_again(ctx, attempt, image,
                                                  &identity, now, &decision);
        if (verdict == NULL) {
            return NGX_ERROR;
        }

        ngx_http_gatehouse_take_verdict(ctx, attempt, image, &decision,
                                        verdict);
    }

    ngx_http_gatehouse_checked(ctx, image, &decision);

    return NGX_OK;
}


/*
 * In front of every write: may the rest of these bytes go where the first went? Cheap while nothing has moved since the last check. An edit
 * that moves the deployment elsewhere, or asks for other bytes, ends the attempt too.
 */
ngx_int_t
ngx_http_gatehouse_still(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt)
{
    uint64_t                    now, transaction;
    gh_image_t                 *image;
    gh_error_t                  error;
    gh_target_t                 facts;
    gh_identity_t               identity;
    gh_decision_t               decision;
    const gh_target_verdict_t  *verdict;

    now = ngx_http_gatehouse_now_ms();

    image = ngx_http_gatehouse_image(ctx->request->connection->log, &error);
    if (image == NULL) {
        ctx->late = "policy_unavailable";
        return NGX_ERROR;
    }

    transaction = ngx_http_gatehouse_transaction();

    if (transaction == ctx->checked_transaction
        && now < ctx->checked_until_ms)
    {
        return NGX_OK;
    }

    if (ngx_http_gatehouse_key_holds(ctx, now, &identity, &image) != NGX_OK) {
        return NGX_ERROR;
    }

    if (gh_image_revision(image) == ctx->checked_revision
        && now < ctx->checked_until_ms)
    {
        /* a key was made or revoked, and it was not this one */
        ctx->checked_transaction = transaction;
        return NGX_OK;
    }

    verdict = ngx_http_gatehouse_decide_again(ctx, attempt, image, &identity,
                                              now, &decision);
    if (verdict == NULL) {
        return NGX_ERROR;
    }

    gh_image_target(image, verdict->target, &facts);

    if (!gh_str_eq(facts.backend, attempt->facts.backend)
        || !gh_str_eq(facts.api_version, attempt->facts.api_version)
        || facts.dialect != attempt->facts.dialect
        || (verdict->store_false && !attempt->store_false))
    {
        ctx->late = "residency_denied";
        return NGX_ERROR;
    }

    ngx_http_gatehouse_checked(ctx, image, &decision);

    return NGX_OK;
}


/* What was found holds until the store is written again, or until time alone changes it. */
void
ngx_http_gatehouse_checked(ngx_http_gatehouse_ctx_t *ctx, gh_image_t *image,
    const gh_decision_t *decision)
{
    ctx->checked_revision = gh_image_revision(image);
    ctx->checked_transaction = ngx_http_gatehouse_transaction();
    ctx->checked_until_ms = decision->valid_until_ms;

    if (ctx->identity.not_after_ms
        && ctx->identity.not_after_ms < ctx->checked_until_ms)
    {
        ctx->checked_until_ms = ctx->identity.not_after_ms;
    }
}


/*
 * Is the key that asked still one that may ask? *image is of the same snapshot, borrowed as ngx_http_gatehouse_image's: what the caller
 * is known by holds in that one alone.
 */
ngx_int_t
ngx_http_gatehouse_key_holds(ngx_http_gatehouse_ctx_t *ctx, uint64_t now,
    gh_identity_t *identity, gh_image_t **image)
{
    gh_store_t  *store;
    gh_error_t   error;

    ngx_memzero(&error, sizeof(gh_error_t));

    store = ngx_http_gatehouse_store(ctx->request->connection->log, &error);

    if (store
        && gh_store_identify_again(store, &ctx->identity, now, &ctx->arena,
                                   identity, image, &error)
           == GH_OK)
    {
        return NGX_OK;
    }

    ctx->late = error.code && ngx_strncmp(error.code, "key_", 4) == 0
                ? "invalid_api_key" : "policy_unavailable";

    return NGX_ERROR;
}


static const gh_target_verdict_t *
ngx_http_gatehouse_decide_again(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t *image,
    const gh_identity_t *identity, uint64_t now, gh_decision_t *decision)
{
    gh_decide_input_t           input;
    const gh_target_verdict_t  *verdict;

    input = ctx->input;
    input.identity = identity;
    input.now_ms = now;

    verdict = gh_decide_still(image, &input, &ctx->arena,
                              attempt->facts.deployment,
                              attempt->facts.upstream_model, decision);

    if (verdict == NULL) {
        ctx->late = "residency_denied";
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "gatehouse: revision %uL forbids a dispatch decided "
                      "under revision %uL", gh_image_revision(image),
                      gh_image_revision(ctx->image));
    }

    return verdict;
}


/* What the attempt is judged by, for its request and for its line in the record. */
static void
ngx_http_gatehouse_take_verdict(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t *image,
    const gh_decision_t *decision, const gh_target_verdict_t *verdict)
{
    uint32_t  i;

    if (attempt->image) {
        gh_image_unref(attempt->image);
    }

    attempt->image = gh_image_ref(image);
    attempt->store_false = verdict->store_false;
    attempt->node_country = gh_image_node_country(image, ctx->input.node);

    gh_image_target(image, verdict->target, &attempt->facts);

    attempt->record.deployment = attempt->facts.deployment;
    attempt->record.upstream_model = attempt->facts.upstream_model;
    attempt->record.revision = gh_image_revision(image);
    attempt->record.process = attempt->facts.process;
    attempt->record.store = attempt->facts.store;
    attempt->record.store_nothing = attempt->facts.store_nothing;

    if (attempt->node_country >= 0) {
        gh_places_add(&attempt->record.process, attempt->node_country);
    }

    attempt->record.rule_count = 0;
    attempt->record.rules = attempt->rules;

    for (i = 0; i < GH_CLASSES_MAX && i < decision->class_count; i++) {
        attempt->rules[i] = gh_decision_rule_id(image, verdict->fits[i]);
        attempt->record.rule_count++;
    }
}


/* Policy's last word after the request was let in: ctx->late in an answer. */
ngx_int_t
ngx_http_gatehouse_refuse_late(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    if (ngx_strcmp(ctx->late, "invalid_api_key") == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED,
                                         ctx->late,
                                         "The API key stopped being valid "
                                         "while the request was under way.");
    }

    if (ngx_strcmp(ctx->late, "policy_unavailable") == 0) {
        return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         ctx->late,
                                         "The policy could not be read any "
                                         "more (request %*s).",
                                         (size_t) GH_ID_LEN, ctx->id);
    }

    return ngx_http_gatehouse_refuse(r, ctx, NGX_HTTP_FORBIDDEN, ctx->late,
                                     "The residency policy changed while the "
                                     "request was under way (request %*s).",
                                     (size_t) GH_ID_LEN, ctx->id);
}
