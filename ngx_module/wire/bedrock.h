/*
 * The native API of Amazon Bedrock: paths, hosts, and the wrapping of a model's own stream. Sources: service model and endpoint rule set of bedrock-runtime,
 * partitions of the AWS SDKs; bedrock-mantle: AWS's "Endpoints supported by Amazon Bedrock".
 */
#ifndef GH_BEDROCK_H
#define GH_BEDROCK_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"
#include "policy/decide/intake.h"

/* ---- paths ---- */

typedef enum {
    GH_BEDROCK_CONVERSE = 0, GH_BEDROCK_CONVERSE_STREAM, GH_BEDROCK_INVOKE, GH_BEDROCK_INVOKE_STREAM, GH_BEDROCK_COUNT_TOKENS,
    GH_BEDROCK_OPERATIONS
} gh_bedrock_operation_t;

#define GH_BEDROCK_ID_MAX 2048   /* bytes of a model id, profile id or ARN */

/* "/model/{id}/converse" and the like, the id percent-encoded as one segment, in the arena; url.c reads it. NULL data and *error ("bad_gateway", "no_memory"). */
gh_str_t gh_bedrock_path(gh_arena_t *arena, gh_bedrock_operation_t operation, gh_str_t id, gh_error_t *error);

/* What an ARN says; "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc". Borrows. */
typedef struct {
    gh_str_t partition, service, region, account;   /* "aws", "bedrock", "eu-central-1", "" for what AWS owns */
    gh_str_t kind, name;                            /* "application-inference-profile", "abc" */
} gh_aws_arn_t;

/* false: id is no ARN. */
bool gh_aws_arn_read(gh_str_t id, gh_aws_arn_t *arn);

/* ---- headers of InvokeModel ---- */

/* By gh_bedrock_header_t: "x-amzn-bedrock-service-tier", ... */
extern const gh_str_t gh_bedrock_headers[GH_BEDROCK_HEADERS];

/* ---- hosts ---- */

typedef enum { GH_AWS_BEDROCK_RUNTIME = 0, GH_AWS_BEDROCK_MANTLE, GH_AWS_BEDROCK_CONTROL, GH_AWS_SERVICES } gh_aws_service_t;

typedef struct {
    gh_aws_service_t service;
    gh_str_t         region;
    bool             fips, dual_stack;
} gh_aws_host_t;

/* The name that signatures are for: "bedrock", "bedrock-mantle". Static. */
gh_str_t gh_aws_signing_name(gh_aws_service_t service);

/* The partition that a region is in by its name: "aws", "aws-cn", "aws-eusc", "aws-us-gov", "aws-iso", ... Static; "" when the name is of no form there is. */
gh_str_t gh_aws_partition(gh_str_t region);

/*
 * "bedrock-runtime.eu-central-1.amazonaws.com", in the arena. NULL data and *error, "aws_host": a region of no partition, or a name that AWS does not
 * document: bedrock-mantle has one in the partition aws only, and neither FIPS nor dual-stack names of its own.
 */
gh_str_t gh_aws_host(gh_arena_t *arena, const gh_aws_host_t *host, gh_error_t *error);

/* The other way, exact, lower case. false: none of those names. region borrows. */
bool gh_aws_host_read(gh_str_t name, gh_aws_host_t *host);

/* ---- the stream of InvokeModelWithResponseStream ---- */

/*
 * The payload of a `chunk` event, {"bytes": "<base64 of one event of the model's own stream>"}, members nobody needs beside it. buffer
 * has payload.len bytes and does not overlap it; *event lies there. GH_ERROR: "bedrock_chunk" (no such object, or no base64).
 */
int gh_bedrock_chunk_read(gh_str_t payload, char *buffer, gh_str_t *event, gh_error_t *error);

#define GH_BEDROCK_CHUNK_LENGTH(len) (((len) + 2) / 3 * 4 + 12)

/* Its padding, which hides how long the event is: the inside of the string `p`, escaped, borrowed; empty: there is none that can be read. */
gh_str_t gh_bedrock_padding(gh_str_t payload);

/* Such a payload; buffer has GH_BEDROCK_CHUNK_LENGTH(event.len) bytes and does not overlap event. Returns its length. */
size_t gh_bedrock_chunk_write(gh_str_t event, char *buffer);

#endif
