/*
 * Limits of a request: what it takes of each, before anything is sent, and what it used in the end. Turns limits, prices and the
 * intake into items of reservations; the ledger does the counting.
 *
 * Three steps, so that a refusal is cheap. Admission, when the key is known: requests and in-flight of limits that name no model. The request,
 * when the body was read and it is decided: the same of limits that name the model, and streams. An attempt, for the target that will bill:
 * tokens and micro-dollars, and one in flight of the deployment; again for each further target. Every step takes all of its limits or none,
 * and whatever is refused for good gives back all that the request had taken.
 *
 *     admit -> reserve_request -> reserve_attempt -> (dispatch) -> settle_attempt -> [reserve_attempt -> ...] -> end
 *                  refused: all undone     refused: another target, or undo (end, when one had been dispatched)
 *
 * A limit's class says what is held against it. budget: the most that the request can use, refused when that is not known; never passed
 * over. rate: what is expected of it (bytes of text / 4 + output). shadow: as rate, never refused, only marked. A ledger without room (or
 * none at all, NULL) refuses budgets and lets the others pass: quota->skipped.
 */
#ifndef GH_QUOTA_H
#define GH_QUOTA_H

#include "policy/audit/record.h"
#include "policy/decide/decide.h"
#include "policy/ledger/backends.h"
#include "policy/quota/limits.h"

/* ---- bound.c, cost.c: arithmetic without a ledger. Nothing overflows: tokens end at GH_QUOTA_TOKENS_MAX, amounts at GH_COUNT_MAX. ---- */

typedef struct {
    uint64_t input, output;           /* tokens; output: of all choices */
    uint64_t micro_dollars;
} gh_quota_amounts_t;

/* input + output, at most GH_COUNT_MAX. */
uint64_t gh_quota_tokens(const gh_quota_amounts_t *amounts);

typedef struct {
    gh_quota_amounts_t budget, rate;  /* what it may use at most; what is expected of it. A part that nothing bounds: 0 in rate, GH_COUNT_MAX in budget */
    uint64_t estimate;                /* tokens of input that are charged when an answer came without usage */
    uint64_t output_cap;              /* tokens for one choice to put into the request sent; 0: it stays as the client wrote it */
    bool     unpriced;                /* a limit that may refuse asks for what nothing says: refuse "unpriced_model" */
} gh_quota_bound_t;

/*
 * What a request for a target may use at most. model: gh_model_number of the catalogue's name; target->price is the one of the service tier asked
 * for (gh_image_price). Pure.
 *
 * budget.input: min(context, bytes of text + messages x message_tokens + images x image_tokens) of each prompt; the whole context when it
 * holds media, or turns something on, whose most is not known (intake->unbounded). budget.output: choices x min(client's, target's max_output, tenants/1's
 * max_output / choices), the context when none of them is said. rate: bytes of text / 4, and the same output.
 *
 * output_cap is set when a budget counts tokens or money, or tenants/1 has max_output, and the client gave none or a larger one.
 */
void gh_quota_bound(const gh_limits_t *limits, uint64_t model, const gh_target_t *target, const gh_intake_t *intake, gh_quota_bound_t *bound);

/*
 * Micro-dollars, rounded up once; the price tier that the input exceeds. Above GH_COUNT_MAX, or with a price that is not known: UINT64_MAX.
 * usage->cached_outside and reasoning_outside are obeyed.
 */
uint64_t gh_quota_cost(const gh_price_t *price, const gh_usage_t *usage);

/* All tokens of input (output) that a report stands for, wherever it counts cached and cache-written (reasoning) ones. */
uint64_t gh_quota_input(const gh_usage_t *usage);
uint64_t gh_quota_output(const gh_usage_t *usage);

/* ---- quota.c, quota_charge.c: a request's way through its limits ---- */

/* What a request holds in the ledger. All zero at the start; the limits are copied: it is settled on what it was admitted by. */
typedef struct {
    gh_limits_t        limits;
    uint64_t           uids[GH_LEVELS];   /* by gh_level_t */
    uint8_t            request_id[16];
    uint64_t           at_ms;         /* its windows are those of this instant */
    gh_str_t           model;         /* the catalogue's name, borrowed; empty before reserve_request */
    uint64_t           model_number;  /* 0: no limit names a model */
    gh_str_t           deployment;    /* of the attempt reserved last, borrowed */
    gh_reservation_t   admission, request, attempt;
    uint32_t           admission_limits, request_limits, attempt_limits;   /* bits by index in limits: what each step counted, last attempt's */
    uint64_t           amounts[GH_LIMITS_MAX];   /* held against each */
    uint64_t           values[GH_LIMITS_MAX];    /* each counter as last seen, this request in it: what is left on every answer */
    uint32_t           seen;          /* bits of values */
    uint32_t           shadowed;      /* bits of the shadow limits that would have refused it */
    uint32_t           left_out;      /* bits of the limits that were not counted: the ledger had no room */
    bool               attempting;    /* an attempt is reserved and neither settled nor undone */
    bool               attempt_deployment;   /* it counts in the deployment's in-flight */
    struct {                          /* what the bound was made from, for the record */
        uint64_t text_bytes, max_tokens, n;
        uint32_t messages, prompts, images, unbounded;
    } counted;
    gh_quota_bound_t   bound;         /* of the attempt reserved */
    gh_quota_amounts_t charged;       /* settled so far, all attempts together */
    bool               look;          /* the caller's, after admission: a refusal may look through all reservations, a millisecond of work, to
                                         tell a limit that is used up from one that running requests hold; looked: it did */
    bool               looked;
    bool               over;          /* a budget was charged more than was reserved: an over_reserved incident */
    bool               skipped;       /* left_out is not 0, or there was no room for a reservation without budgets: failed open */
} gh_quota_t;

typedef struct {
    /*
     * "rate_limit_exceeded" (waiting helps) and "insufficient_quota" (it does not: longer than SDKs wait, or never), 429; "unpriced_model", 403;
     * "ledger_full", 503.
     */
    const char *code;
    int         status;
    int         limit;                /* index in limits; -1: none */
    uint64_t    amount;               /* what was asked of it */
    uint64_t    retry_after_ms;       /* until its window ends; 0: not known */
    bool        should_retry;
    bool        held;                 /* what running requests hold is in the way, not what was used: waiting helps, GH_QUOTA_HELD_MS */
} gh_quota_verdict_t;

#define GH_QUOTA_PATIENCE_MS 120000u  /* OpenAI's SDKs do not wait longer than that for a retry */
#define GH_QUOTA_HELD_MS     1000u    /* to wait for running requests: most end sooner or later, none says when */
#define GH_QUOTA_EXPIRY_MS   3600000u /* what an orphan holds is bounded by */

/* GH_OK: admitted. GH_ERROR: *verdict says why not and nothing is held. identity: uids and limits. request_id: 16 bytes. Once. */
int gh_quota_admit(gh_ledger_t *ledger, const gh_identity_t *identity, const uint8_t request_id[16], uint64_t now_ms, gh_quota_t *quota,
    gh_quota_verdict_t *verdict);

/*
 * For what clients are told: reads the counters that no step of this request has looked at. quota all zero, for a request that takes nothing:
 * those of identity. Limits of a model count only when it is known to be that one.
 */
void gh_quota_look(const gh_ledger_t *ledger, const gh_identity_t *identity, uint64_t now_ms, gh_quota_t *quota);

/* Once, behind the decision: what is the model's (the catalogue's name, decision->model) and the stream's. GH_ERROR: nothing is held. */
int gh_quota_reserve_request(gh_ledger_t *ledger, const gh_intake_t *intake, gh_str_t model, uint64_t now_ms, gh_quota_t *quota,
    gh_quota_verdict_t *verdict);

/*
 * Before each dispatch to another target. GH_ERROR leaves admission and request held: another target may be asked. The request sent is made with
 * quota->bound.output_cap.
 */
int gh_quota_reserve_attempt(gh_ledger_t *ledger, const gh_intake_t *intake, const gh_target_t *target, uint64_t now_ms,
    gh_quota_t *quota, gh_quota_verdict_t *verdict);

/* An attempt that was not begun: as if it had not been reserved. */
void gh_quota_undo_attempt(gh_ledger_t *ledger, gh_quota_t *quota);

/* How an attempt ended, for its charge. */
typedef enum {
    GH_CHARGE_NOTHING = 0,            /* no byte was sent, or a provider's error status came */
    GH_CHARGE_ANSWER,                 /* a success status: what usage says when it is reported, else an estimate from what was delivered */
    GH_CHARGE_RESERVATION             /* bytes were sent and no status came */
} gh_charge_t;

typedef struct {
    gh_charge_t charge;
    gh_usage_t  usage;                /* of ANSWER; reported false: none could be read */
    bool        partial;              /* it was not the last word: not less than the estimate is charged (gh_stream_t.usage_partial) */
    uint64_t    delivered_bytes;      /* of text that came: gh_stream_t.content_bytes, gh_usage_scan_content */
    uint64_t    delivered_events;     /* of a stream, with content: each is a token at least */
} gh_quota_use_t;

typedef struct {
    gh_quota_amounts_t amounts;
    const char        *source;        /* "reported" "counted" "reservation" "nothing" */
    gh_usage_t         usage;         /* what was charged on; counted and reservation: input and output alone */
} gh_quota_charge_t;

/*
 * Never refused, and nothing negative or absurd gets in: a report that no request can reach (above GH_QUOTA_TOKENS_MAX tokens) is none. An
 * estimate: max(bytes / 4, events) tokens of output, bound->estimate of input, not above what was reserved for it.
 */
#define GH_QUOTA_TOKENS_MAX (UINT64_C(1) << 32)
void gh_quota_settle_attempt(gh_ledger_t *ledger, const gh_target_t *target, const gh_quota_use_t *use, gh_quota_t *quota,
    gh_quota_charge_t *charge);

/* The request's end, however it ended: requests stay counted, in-flight and streams come back. */
void gh_quota_end(gh_ledger_t *ledger, gh_quota_t *quota);

/* It was refused before anything was dispatched: all that it still holds is undone. */
void gh_quota_undo(gh_ledger_t *ledger, gh_quota_t *quota);

/*
 * What stands for the attempt reserved: a budget's amounts when one was, else what is expected; of what nothing bounds, and no budget asks, what is
 * expected too.
 */
gh_quota_amounts_t gh_quota_reserved(const gh_quota_t *quota);

/* The counter that is behind a limit of this request: for `usage`, and to read it later. */
gh_counter_id_t gh_quota_counter(const gh_quota_t *quota, unsigned limit);

/* ---- quota_headers.c, quota_record.c: what clients and the record get ---- */

/*
 * x-ratelimit-{limit,remaining,reset}-{requests,tokens,input-tokens,output-tokens,micro-dollars} of the tightest limit of each (least left in proportion;
 * the one that refused, if any), resets in OpenAI's spelling ("6m0s", "12ms"; none for a lifetime), and for a refusal retry-after (whole seconds,
 * up), retry-after-ms, x-should-retry. verdict NULL: none was refused. In Anthropic's spelling anthropic-ratelimit-{requests,...}-{limit,remaining,reset},
 * resets as moments (RFC 3339, UTC); money keeps its name. said: what a provider said of its account, told of kinds that no limit counts; NULL: nothing, or it
 * is not to be told. Values in the arena. Returns how many; 0 when out of memory.
 */
typedef enum { GH_QUOTA_OPENAI = 0, GH_QUOTA_ANTHROPIC, GH_QUOTA_SPELLINGS } gh_quota_spelling_t;   /* x-ratelimit-limit-tokens, anthropic-ratelimit-tokens-limit */
typedef struct { gh_str_t name, value; } gh_quota_header_t;
#define GH_QUOTA_HEADERS 20
unsigned gh_quota_headers(const gh_quota_t *quota, const gh_quota_verdict_t *verdict, const gh_record_said_t *said, gh_quota_spelling_t spelling, uint64_t now_ms, gh_arena_t *arena,
    gh_quota_header_t headers[GH_QUOTA_HEADERS]);

/* A sentence for the client: which limit, how much of it is left, what was asked, and what to do. data NULL: out of memory. */
gh_str_t gh_quota_message(const gh_quota_t *quota, const gh_quota_verdict_t *verdict, gh_arena_t *arena);

/*
 * Members of the record's lines, into an object that is open; nothing when there is nothing to say.
 *
 * "reserve":{"at","input","output","tokens","micro_dollars","output_cap","deployment","counted":{"text_bytes","messages","prompts","images",
 * "unbounded","n","max_tokens"},"limits":[{"level","uid","dimension","per","class","model","limit","window","amount","value","shadowed","left_out"}]}: a
 * decision's has every limit that admission, request and first attempt counted, an attempt's its own. The amounts are a budget's when one was
 * reserved, else what is expected; windows are gh_window_number; value has this request in it.
 */
void gh_quota_record_reserve(gh_json_writer_t *w, const gh_quota_t *quota);
void gh_quota_record_reserve_attempt(gh_json_writer_t *w, const gh_quota_t *quota);

/* "limit":{... as one of "limits"} of the limit that refused. */
void gh_quota_record_limit(gh_json_writer_t *w, const gh_quota_t *quota, const gh_quota_verdict_t *verdict);

/* "charged":{"input","output","tokens","micro_dollars","source"} of one attempt. */
void gh_quota_record_charge(gh_json_writer_t *w, const gh_quota_charge_t *charge);

/* "charged":{"requests","input","output","tokens","micro_dollars"} of the request, and "shadowed", "over_reserved", "limits_skipped" when true. */
void gh_quota_record_charged(gh_json_writer_t *w, const gh_quota_t *quota);

#endif
