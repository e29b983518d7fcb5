/*
 * Between endpoints whose bodies, answers and events are the same object but for some members: Messages and InvokeModel of Anthropic's models. Nothing is read
 * into the hub and written again: the bytes pass, and members are taken out and put in.
 */
#ifndef GH_ALIKE_H
#define GH_ALIKE_H

#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/wire.h"

/*
 * Where the request asks what the endpoint alike does not have: a JSON path or a header, static or the intake's. data NULL: nothing stands against it. What
 * nobody knows does.
 */
gh_str_t gh_alike_refused(const gh_intake_t *intake);

/*
 * The client's body for a deployment that offers the endpoint alike: wire->splice, and what stands in headers there, wire->betas and wire->tier. wire is the
 * target's address (gh_dialect_address); send as for gh_hub_request_write. GH_ERROR: "no_memory"; "not_expressible": nobody says how many tokens at most.
 */
int gh_alike_request(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t body, const gh_hub_send_t *send, gh_wire_request_t *wire, gh_error_t *error);

/* ---- counts of tokens: alike_count.c ---- */

/*
 * Where what a client of this endpoint has counted, a body of `inner`, can be counted without writing it anew: a body of Messages in InvokeModel's, and the other way.
 * GH_ENDPOINTS: nowhere.
 */
gh_endpoint_t gh_alike_counted(gh_endpoint_t endpoint, gh_endpoint_t inner);

/* What stands against it: a JSON path of what is counted, or a header; in the arena, static or the intake's. data NULL: nothing. */
gh_str_t gh_alike_count_refused(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t inner);

/* The body of that count, in the arena, and what stands in headers then, wire->betas. GH_ERROR: "no_memory", "not_expressible", "bad_splice", "invalid_json". */
int gh_alike_count(gh_arena_t *arena, const gh_intake_t *intake, gh_str_t inner, const gh_hub_send_t *send, gh_wire_request_t *wire, gh_str_t *body,
    gh_error_t *error);

#endif
