/* Between the two files that ask Amazon Bedrock. */
#ifndef GH_IMPORT_BEDROCK_H
#define GH_IMPORT_BEDROCK_H

#include "ngx_module/wire/bedrock.h"
#include "policy/agent/import_private.h"
#include "policy/decide/bedrock_model.h"

typedef struct {
    gh_str_t region;
    gh_str_t mode;            /* "none", "default", ...; "": it was not said */
    gh_str_t evidence;
    gh_str_t why;             /* of "": half a sentence */
} gh_bedrock_retention_t;

typedef struct {
    gh_import_t               *import;
    const gh_import_bedrock_t *asked;
    gh_str_t                   region, partition;
    gh_str_t                   account;          /* "" until an ARN says it */
    uint32_t                   first;            /* deployment of the region */
    gh_import_deployment_t    *bare;             /* valid while models are listed */
    gh_str_list_t              models;           /* of the region, that make text or embeddings */
    unsigned                   other_models;
    gh_bedrock_retention_t     here;
    gh_bedrock_retention_t    *modes;            /* of every region asked so far */
    uint32_t                   mode_count;
    bool                       logging_known, logging;   /* invocations are logged, with their text */
    gh_str_t                   logging_evidence, logging_why;
} gh_bedrock_import_t;

/* ---- import_bedrock.c ---- */

/* of: what it asks after, for messages; "". Errors as gh_import_get. */
int gh_bedrock_ask(gh_bedrock_import_t *b, gh_str_t region, const char *operation, gh_str_t of, gh_str_t path, gh_str_t query, gh_import_answer_t *answer,
    gh_error_t *error);

/* ---- import_bedrock_store.c ---- */

/* The retention mode of a region, asked once. A refusal is "not said". */
int gh_bedrock_retention(gh_bedrock_import_t *b, gh_str_t region, gh_bedrock_retention_t *out, gh_error_t *error);

/* Whether invocations are logged in b->region. A refusal is "not known". */
int gh_bedrock_logging(gh_bedrock_import_t *b, gh_error_t *error);

/* What is kept of a request made in the region of here that may run in these regions (NULL: in that region alone). */
gh_import_store_t gh_bedrock_store(gh_bedrock_import_t *b, const gh_bedrock_retention_t *here, const gh_str_list_t *destinations);

#endif
