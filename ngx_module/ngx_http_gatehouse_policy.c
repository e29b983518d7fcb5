/*
 * Policy between the decision and the wire: it is read again before every further dispatch and in front of every write. Whatever
 * an edit changed holds for the bytes not sent yet; a store that cannot be read denies.
 */

#include "ngx_http_gatehouse.h"

#include "policy/audit/mode.h"


static ngx_int_t ngx_http_gatehouse_judge(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t **image,
    gh_arena_t *arena, uint64_t now, gh_decision_t *decision);
static ngx_int_t ngx_http_gatehouse_excused(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t *image);
static const gh_target_verdict_t *ngx_http_gatehouse_decide_again(
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt,
    const gh_image_t *image, gh_arena_t *arena,
    const gh_identity_t *identity, uint64_t now, gh_decision_t *decision,
    ngx_uint_t proposed);
static ngx_int_t ngx_http_gatehouse_same_bytes(
    ngx_http_gatehouse_ctx_t *ctx, ngx_http_gatehouse_attempt_t *attempt,
    const gh_image_t *image, const gh_target_verdict_t *verdict);
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
    gh_decision_t               again;
    const gh_decision_t        *decision;
    const gh_target_verdict_t  *verdict;

    now = ngx_http_gatehouse_now_ms();

    image = ngx_http_gatehouse_image(ctx->request->connection->log, &error);
    if (image == NULL) {
        ctx->late = "policy_unavailable";
        return NGX_ERROR;
    }

    if (ctx->recorded == 0 && !ngx_http_gatehouse_moved(ctx, image, now)
        && ngx_http_gatehouse_transaction() == ctx->checked_transaction)
    {
        /* the decision is of this very moment */
        verdict = gh_decision_verdict(&ctx->decision, attempt->target);
        if (verdict == NULL) {
            return NGX_ERROR;
        }

        decision = &ctx->decision;
        ngx_http_gatehouse_take_verdict(ctx, attempt, ctx->image, decision,
                                        verdict);

    } else {
        if (ngx_http_gatehouse_key_holds(ctx, &ctx->arena, now, &identity,
                                         &image)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_http_gatehouse_gap_over(ctx, attempt)) {
            return NGX_ERROR;
        }

        verdict = ngx_http_gatehouse_decide_again(ctx, attempt, image,
                                                  &ctx->arena, &identity, now,
                                                  &again, 0);
        if (verdict == NULL) {
            ctx->late = "residency_denied";
            ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                          "gatehouse: revision %uL forbids a dispatch decided "
                          "under revision %uL", gh_image_revision(image),
                          gh_image_revision(ctx->image));
            return NGX_ERROR;
        }

        decision = &again;
        ngx_http_gatehouse_take_verdict(ctx, attempt, image, decision,
                                        verdict);
    }

    /* whatever the attempt before it was excused for */
    ngx_http_gatehouse_finishing(ctx, 0);
    ngx_http_gatehouse_checked(ctx, image, decision);

    return NGX_OK;
}


/*
 * In front of every write, and when policy moved while a dispatch runs: may it go on under this image? Cheap while nothing has moved since
 * the last check. What an edit forbids goes on only when it began early enough for that edit to let it finish. NGX_ERROR: ctx->late says
 * why not. arena: for what is needed until it returns.
 */
ngx_int_t
ngx_http_gatehouse_still(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t *image,
    gh_arena_t *arena)
{
    uint64_t       now;
    gh_decision_t  decision;

    now = ngx_http_gatehouse_now_ms();

    if (ngx_http_gatehouse_transaction() == ctx->checked_transaction
        && now < ctx->checked_until_ms)
    {
        return NGX_OK;
    }

    switch (ngx_http_gatehouse_judge(ctx, attempt, &image, arena, now,
                                     &decision))
    {

    case NGX_OK:
        ngx_http_gatehouse_finishing(ctx, 0);
        ngx_http_gatehouse_checked(ctx, image, &decision);
        return NGX_OK;

    case NGX_DONE:
        /* a key was made or revoked, and it was not this one */
        ctx->checked_transaction = ngx_http_gatehouse_transaction();
        return NGX_OK;

    case NGX_DECLINED:
        return ngx_http_gatehouse_excused(ctx, attempt, image);

    default:
        return NGX_ERROR;
    }
}


/*
 * NGX_OK: eligible. NGX_DONE: as it was found last. NGX_DECLINED: policy forbids it; NGX_ERROR: its key is revoked or over, or nothing can
 * be read; ctx->late says which; or it has no line and needs one by now, which ctx->unrecorded says. An edit that moves the deployment elsewhere, or asks for other bytes, forbids it too. *image may become
 * a newer one.
 */
static ngx_int_t
ngx_http_gatehouse_judge(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t **image,
    gh_arena_t *arena, uint64_t now, gh_decision_t *decision)
{
    ngx_int_t                   rc;
    gh_identity_t               identity;
    const gh_target_verdict_t  *verdict;

    rc = ngx_http_gatehouse_key_holds(ctx, arena, now, &identity, image);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_gatehouse_gap_over(ctx, attempt)) {
        return NGX_ERROR;
    }

    if (gh_image_revision(*image) == ctx->checked_revision
        && now < ctx->checked_until_ms)
    {
        return NGX_DONE;
    }

    verdict = ngx_http_gatehouse_decide_again(ctx, attempt, *image, arena,
                                              &identity, now, decision, 0);

    if (verdict
        && ngx_http_gatehouse_same_bytes(ctx, attempt, *image, verdict)
           == NGX_OK)
    {
        return NGX_OK;
    }

    ctx->late = "residency_denied";

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "gatehouse: revision %uL forbids a dispatch decided "
                  "under revision %uL", gh_image_revision(*image),
                  gh_image_revision(ctx->image));

    return NGX_DECLINED;
}


/* Would the same bytes still go to the same place? */
static ngx_int_t
ngx_http_gatehouse_same_bytes(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, const gh_image_t *image,
    const gh_target_verdict_t *verdict)
{
    gh_target_t  facts;

    gh_image_target(image, verdict->target, &facts);

    return gh_str_eq(facts.backend, attempt->facts.backend)
           && gh_str_eq(facts.api_version, attempt->facts.api_version)
           && gh_str_eq(facts.inference_geo, attempt->facts.inference_geo)
           && facts.dialect == attempt->facts.dialect
           && (!verdict->store_false || attempt->store_false)
           && (attempt->body.data == NULL
               || gh_endpoint_upstream(facts.endpoints, ctx->url.endpoint,
                                       gh_target_words(&facts),
                                       ctx->asked.express, NULL)
                  == attempt->endpoint)
           ? NGX_OK : NGX_DECLINED;
}


/*
 * NGX_DECLINED: what runs would be forbidden if the proposed edit were made. What is to end anyway, its key being revoked or over, is not
 * the edit's doing: NGX_OK. NGX_ERROR: it cannot be known.
 */
ngx_int_t
ngx_http_gatehouse_would(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, const gh_proposal_t *proposal,
    gh_arena_t *arena)
{
    uint64_t                    now;
    ngx_int_t                   rc;
    gh_image_t                 *image;
    const char                 *late;
    gh_identity_t               identity;
    gh_decision_t               decision;
    const gh_target_verdict_t  *verdict;

    now = ngx_http_gatehouse_now_ms();
    late = ctx->late;
    identity = ctx->identity;

    rc = ngx_http_gatehouse_key_holds(ctx, arena, now, &identity, &image);

    if (rc == NGX_ERROR) {
        rc = ngx_strcmp(ctx->late, "policy_unavailable") == 0 ? NGX_ERROR
                                                              : NGX_OK;
        ctx->late = late;
        return rc;
    }

    ctx->late = late;

    if (!gh_proposal_identity(proposal, rc == NGX_OK, &identity)) {
        return NGX_DECLINED;
    }

    verdict = ngx_http_gatehouse_decide_again(ctx, attempt,
                                              gh_proposal_image(proposal),
                                              arena, &identity, now,
                                              &decision, 1);

    return verdict ? ngx_http_gatehouse_same_bytes(ctx, attempt,
                                                   gh_proposal_image(proposal),
                                                   verdict)
                   : NGX_DECLINED;
}


/*
 * Begun under a revision that the edits since have let finish: it goes on until the next edit, whatever the time. Where no edit came since,
 * time alone forbids it, and nobody said to let it finish.
 */
static ngx_int_t
ngx_http_gatehouse_excused(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, gh_image_t *image)
{
    if (attempt->begun == 0
        || attempt->begun < ngx_http_gatehouse_finish_from()
        || (image && gh_image_revision(image) == attempt->begun))
    {
        return NGX_ERROR;
    }

    ctx->late = NULL;
    ctx->checked_revision = image ? gh_image_revision(image)
                                  : ctx->checked_revision;
    ctx->checked_transaction = ngx_http_gatehouse_transaction();
    ctx->checked_until_ms = (uint64_t) -1;

    ngx_http_gatehouse_finishing(ctx, 1);

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
 * is known by holds in that one alone, but for an audit mode that is tighter now: that one is the request's from here on. NGX_DECLINED: the key is good, but tenants/1 does not list its app any more; NGX_ERROR: anything
 * else.
 */
ngx_int_t
ngx_http_gatehouse_key_holds(ngx_http_gatehouse_ctx_t *ctx,
    gh_arena_t *arena, uint64_t now, gh_identity_t *identity,
    gh_image_t **image)
{
    gh_store_t  *store;
    gh_error_t   error;

    gh_error_clear(&error);

    store = ngx_http_gatehouse_store(ctx->request->connection->log, &error);

    if (store
        && gh_store_identify_again(store, &ctx->identity, now, arena,
                                   identity, image, &error)
           == GH_OK
        && ngx_http_gatehouse_ledger_fits(store, &error) == NGX_OK)
    {
        if (identity->audit != GH_AUDIT_BEST_EFFORT) {
            ctx->identity.audit = identity->audit;
        }

        return NGX_OK;
    }

    ctx->late = error.code
                && (ngx_strncmp(error.code, "key_", 4) == 0
                    || ngx_strncmp(error.code, "token_", 6) == 0
                    || ngx_strncmp(error.code, "certificate_", 12) == 0)
                ? "invalid_api_key" : "policy_unavailable";

    return error.code && ngx_strcmp(error.code, "key_unknown") == 0
           ? NGX_DECLINED : NGX_ERROR;
}


static const gh_target_verdict_t *
ngx_http_gatehouse_decide_again(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, const gh_image_t *image,
    gh_arena_t *arena, const gh_identity_t *identity, uint64_t now,
    gh_decision_t *decision, ngx_uint_t proposed)
{
    gh_decide_input_t  input;

    input = ctx->input;
    input.identity = identity;
    input.now_ms = now;

    if (proposed) {
        /* what is kept is of the image in force */
        input.cells = NULL;
    }

    return gh_decide_still(image, &input, arena, attempt->facts.deployment,
                           attempt->facts.upstream_model, decision);
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
    attempt->facts.price = gh_image_price(image, verdict->target,
                                          ctx->intake.service_tier);

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


/* What a client is told of ctx->late. */
gh_str_t
ngx_http_gatehouse_late_text(ngx_http_gatehouse_ctx_t *ctx)
{
    if (ngx_strcmp(ctx->late, "invalid_api_key") == 0) {
        return GH_STR("The API key stopped being valid while the request was "
                      "under way");
    }

    if (ngx_strcmp(ctx->late, "policy_unavailable") == 0) {
        return GH_STR("The policy could not be read any more");
    }

    return GH_STR("The residency policy changed while the request was under "
                  "way");
}


/* Policy's last word after the request was let in: ctx->late in an answer. */
ngx_int_t
ngx_http_gatehouse_refuse_late(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx)
{
    gh_str_t    text;
    ngx_uint_t  status;

    text = ngx_http_gatehouse_late_text(ctx);

    status = ngx_strcmp(ctx->late, "invalid_api_key") == 0
             ? NGX_HTTP_UNAUTHORIZED
             : ngx_strcmp(ctx->late, "policy_unavailable") == 0
             ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_HTTP_FORBIDDEN;

    return ngx_http_gatehouse_refuse(r, ctx, status, ctx->late,
                                     "%*s (request %*s).", text.len, text.data,
                                     (size_t) GH_ID_LEN, ctx->id);
}
