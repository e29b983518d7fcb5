/*
 * One blocking HTTP exchange, by libcurl: what the agent and the commands that talk to clouds use. Nothing of it is linked into the nginx module.
 *
 * What is refused or not done, so that no caller has to think of it: clear text except to this machine and its metadata services, redirects, proxies of
 * the environment, user names in URLs, cookies, .netrc, other schemes, answers larger or later than asked for. No error repeats a query, a header or a body.
 *
 * Safe to call from several threads at once, each with an arena of its own.
 */
#ifndef GH_AGENT_FETCH_H
#define GH_AGENT_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_FETCH_CONNECT_MS   5000
#define GH_FETCH_TOTAL_MS    20000
#define GH_FETCH_BODY_MAX    (1024 * 1024)
#define GH_FETCH_HEADERS_MAX (64 * 1024)    /* of an answer, all together */

typedef struct {
    gh_str_t name;
    gh_str_t value;
} gh_fetch_header_t;

/* Everything that is 0, empty or NULL has the default said beside it. */
typedef struct {
    gh_str_t                 method;        /* GET */
    gh_str_t                 url;           /* https://..., whole; with a query when there is one */
    const gh_fetch_header_t *headers;
    size_t                   headers_count;
    gh_str_t                 body;          /* sent when its data is not NULL, with its length */
    const char              *ca_file;       /* PEM; then nothing else is trusted. The system's certificates */
    const char              *proxy;         /* http://host:port. None, whatever the environment says */
    uint32_t                 connect_ms;    /* name, connection and TLS; GH_FETCH_CONNECT_MS */
    uint32_t                 total_ms;      /* GH_FETCH_TOTAL_MS */
    size_t                   body_max;      /* of the answer; GH_FETCH_BODY_MAX */
    bool                     clear;         /* http:// to any host */
    const _Atomic int       *stop;          /* when it becomes non-zero the exchange ends within about a second. NULL: nothing can end it early */
} gh_fetch_request_t;

typedef struct {
    unsigned                 status;        /* of the final answer, 200-599 */
    const gh_fetch_header_t *headers;       /* as sent, in order; owned by the arena */
    size_t                   headers_count;
    gh_str_t                 body;          /* owned by the arena, NUL-terminated behind its length */
} gh_fetch_answer_t;

/*
 * GH_OK with *answer filled, whatever its status; GH_ERROR with *error:
 *   fetch_refused      the request is not one that is sent (its URL, a header); nothing went out
 *   fetch_unreachable  no address, no connection
 *   fetch_tls          the server could not show who it is, or spoke no TLS
 *   fetch_timeout      not done within connect_ms or total_ms
 *   fetch_large        more than body_max or GH_FETCH_HEADERS_MAX
 *   fetch_broken       the answer ended early or was no HTTP
 *   fetch_stopped      request->stop was set
 *   no_memory
 * The text names the scheme, host, port and path, and never the query.
 */
int gh_fetch(const gh_fetch_request_t *request, gh_arena_t *arena, gh_fetch_answer_t *answer, gh_error_t *error);

/* The value of the first header of that name, in any case; data NULL when there is none. */
gh_str_t gh_fetch_header(const gh_fetch_answer_t *answer, const char *name);

/*
 * A URL without user, query and fragment, for messages and logs: what it would have had is left out. Of what is no http or https URL, its first
 * characters up to a "?", "#" or "@".
 */
gh_str_t gh_fetch_shown(gh_str_t url);

/*
 * How long an answer may be used by its Cache-Control (RFC 9111: max-age, less Age): milliseconds, 0 with no-store or no-cache, -1 when it does not say. At most
 * 365 days.
 */
int64_t gh_fetch_fresh_ms(const gh_fetch_answer_t *answer);

#endif
