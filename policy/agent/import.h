/*
 * What a cloud's control plane says of deployments, as fleet/1: read-only calls, the facts that follow from their answers, each with the call as its evidence.
 * What no answer says stays unknown, with the reason. Nothing here opens a connection of its own: gh_import_io_t does, so that recorded answers can feed it.
 *
 * Sources: Amazon Bedrock API reference (ListFoundationModels, ListInferenceProfiles, GetInferenceProfile, ListProvisionedModelThroughputs,
 * GetModelInvocationLoggingConfiguration, GetAccountDataRetention) and its user guide, "Data retention"; Azure Resource Manager, Microsoft.CognitiveServices
 * 2025-09-01 (Accounts - List, Deployments - List), and Microsoft's "Data, privacy, and security for Azure OpenAI".
 */
#ifndef GH_IMPORT_H
#define GH_IMPORT_H

#include "ngx_module/wire/sigv4.h"
#include "policy/agent/fetch.h"
#include "policy/base/json_tree.h"
#include "policy/document/model.h"
#include "residency/facts.h"

#define GH_IMPORT_BY "gatehouse fleet import"    /* "by" of the evidence it states; what has another was written by people */

#define GH_IMPORT_CALLS_MAX 5000                 /* of one import */
#define GH_IMPORT_PAGES_MAX 200                  /* of one list */
#define GH_IMPORT_BODY_MAX  (8u << 20)           /* bytes of one answer */
#define GH_IMPORT_TRIES     5                    /* of one call that is throttled or fails inside the service */
#define GH_IMPORT_WAIT_MS   30000                /* most that one wait between them takes, whatever Retry-After says */

typedef struct {
    int      (*fetch)(void *context, const gh_fetch_request_t *request, gh_arena_t *arena, gh_fetch_answer_t *answer, gh_error_t *error);
    void     (*wait)(void *context, uint64_t ms);
    uint64_t (*now_ms)(void *context);           /* Unix, UTC */
    void      *context;
} gh_import_io_t;

typedef enum { GH_STORE_UNKNOWN = 0, GH_STORE_NOTHING, GH_STORE_KEPT } gh_import_keeps_t;

typedef struct {                                 /* the fact "store" */
    gh_import_keeps_t keeps;
    gh_str_t          in;                        /* of KEPT: a code or a set */
    bool              in_guessed;                /* nobody says where: it is the worst case */
    bool              days_known;
    uint32_t          days;
    gh_str_t          evidence;                  /* the calls it rests on; "" when unknown */
    gh_str_t          why;                       /* of UNKNOWN: half a sentence */
} gh_import_store_t;

typedef struct {
    gh_str_t          model;                     /* its name in the catalogue */
    gh_str_t          upstream;
    gh_str_list_t     destinations;              /* regions, sorted; none: not said */
    gh_str_t          destinations_evidence;
    gh_import_store_t store;
    gh_str_t          why;                       /* why "process" cannot be known, when the facts artefact does not say it; "" */
    bool              unsound;                   /* and no SKU that people state would make it known */
    uint64_t          context, max_output;       /* tokens; 0: not said */
} gh_import_target_t;

typedef struct {
    gh_str_t            id, backend, provider, partition, region, resource, dialect;
    gh_str_t            sku, seller, profile;    /* "" when there is none */
    gh_str_t            host;                    /* of the backend, for nginx.conf */
    gh_str_list_t       endpoints;
    gh_import_target_t *targets;                 /* by model */
    uint32_t            target_count;
} gh_import_deployment_t;

typedef struct {
    gh_arena_t             *arena;
    gh_import_io_t          io;
    gh_facts_t             *facts;               /* the newest artefact */
    gh_str_t                on;                  /* today, "2026-11-27" */
    const char             *ca_file;             /* of gh_fetch_request_t */
    const char             *proxy;
    gh_import_deployment_t *deployments;         /* by id, after gh_import_finish */
    uint32_t                deployment_count;
    gh_str_t               *notes;               /* sentences: what was left out, and what could not be asked */
    uint32_t                note_count;
    gh_str_list_t           asked;               /* what resources begin with that were asked for in full */
    uint32_t                calls;
    bool                    no_memory;
} gh_import_t;

/* GH_ERROR: out of memory, or the facts artefact cannot be read. */
int gh_import_begin(gh_import_t *import, gh_arena_t *arena, const gh_import_io_t *io, gh_error_t *error);

/* ---- what is asked ---- */

typedef struct {
    const gh_aws_credential_t *credential;
    const char *const         *regions;
    size_t                     region_count;
    gh_str_t                   endpoint;         /* instead of https://bedrock.REGION.amazonaws.com; "" */
} gh_import_bedrock_t;

/*
 * Adds the deployments of these regions: one for bare model ids, one for each prefix of profiles, one for each application profile and provisioned
 * throughput. GH_ERROR, code "import_denied" (the sentence names the IAM action), "import_failed", "import_answer" (not what the API documents), or one of
 * gh_fetch. Answers that only a fact depends on may be refused: the fact is unknown then, and a note says so.
 */
int gh_import_bedrock(gh_import_t *import, const gh_import_bedrock_t *asked, gh_error_t *error);

typedef struct {
    gh_str_t           token;                    /* of Entra ID, for the control plane */
    const char *const *subscriptions;            /* none: all that the token can see */
    size_t             subscription_count;
    const gh_str_t    *resources;                /* accounts that are expected: one that no list has is asked for by itself, since lists leave out */
    size_t             resource_count;           /* what the token may not see */
    gh_str_t           endpoint;                 /* https://management.azure.com */
    gh_str_t           partition;                /* azure, azure-us-gov, azure-cn */
} gh_import_azure_t;

/* Adds the deployments of accounts of kind OpenAI and AIServices. Errors as above; "import_denied" names the permission. */
int gh_import_azure(gh_import_t *import, const gh_import_azure_t *asked, gh_error_t *error);

/* Sorts, and makes ids unique. GH_ERROR: out of memory, or more than fleet/1 can hold. */
int gh_import_finish(gh_import_t *import, gh_error_t *error);

/* ---- what comes of it ---- */

/* The fleet/1 document as a tree. NULL: out of memory. */
gh_node_t *gh_import_document(gh_import_t *import);

typedef struct {
    uint32_t  deployments, targets;
    uint32_t  anywhere;                          /* targets that may process anywhere */
    uint32_t  kept, kept_days[8], kept_count[8]; /* targets that keep text; the most frequent numbers of days */
    uint32_t  kept_distinct;
    uint32_t  kept_unsaid;                       /* for a time that is not said */
    uint32_t  unknown;                           /* targets whose process or store is unknown */
    gh_str_t  because;                           /* reasons with their numbers, the most frequent first */
    gh_str_t  sentence;                          /* "14 deployments: 5 may run anywhere, 3 keep text 30 days, 2 unknown, because ..." */
} gh_import_summary_t;

/*
 * Judged by what reads fleet/1 for the policy, so it says what the document will mean. text: of gh_import_document. GH_ERROR: it is not valid, which
 * would be a fault here; report has the reasons.
 */
int gh_import_summarise(gh_import_t *import, gh_str_t text, gh_import_summary_t *summary, gh_report_t *report);

#endif
