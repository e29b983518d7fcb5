/* Ids of what deployments keep, the sessions they are given out in, and answers of Responses, which are full of them; a part of ngx_http_gatehouse.h. */

#ifndef NGX_HTTP_GATEHOUSE_IDS_H
#define NGX_HTTP_GATEHOUSE_IDS_H


gh_handles_t *ngx_http_gatehouse_handles(void);
void ngx_http_gatehouse_handles_exit(void);
/* _session.c */
void ngx_http_gatehouse_sessions_exit(void);
ngx_int_t ngx_http_gatehouse_session(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_session_header(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
gh_str_t ngx_http_gatehouse_session_text(ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_open_ids(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_ids_owner(ngx_http_gatehouse_ctx_t *ctx,
    gh_ids_owner_t *owner);
void ngx_http_gatehouse_ids_room(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
const gh_ids_shape_t *ngx_http_gatehouse_ids_shape(
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_ids_init(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
ngx_int_t ngx_http_gatehouse_own_body(ngx_http_gatehouse_ctx_t *ctx,
    ngx_http_gatehouse_attempt_t *attempt, const gh_intake_t **intake,
    gh_error_t *error);
ngx_int_t ngx_http_gatehouse_responses_init(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx);
void ngx_http_gatehouse_responses_told(ngx_http_gatehouse_ctx_t *ctx,
    gh_record_response_t *told);
void ngx_http_gatehouse_responses_use(ngx_http_request_t *r,
    ngx_http_gatehouse_ctx_t *ctx, gh_quota_use_t *use);


#endif
