/*
 * The documents of one revision, parsed, checked and resolved: what policy/compile turns into an image.
 * Every name is a set bit or an index by now; nothing here needs the facts artefact. All memory is the arena's
 * passed to gh_documents_load; strings borrow from it.
 *
 * A fact that is unknown is stored as unknown (places: gh_places_unknown(); flags below). A fact known only until its
 * evidence ends keeps its value and *_until_ms: at and after that instant it is unknown. 0: does not end.
 *
 * Evidence. A stated fact is known only with evidence {"by","on","source","until"?} standing beside it: the member "evidence" of
 * the same object (the deployment, or the model's entry), which is either one such object for every fact that object states, or
 * one per fact name, {"process": {...}, "store": {...}}. The facts that need it: process, country, destinations, store, operator_home,
 * training, attest, features; each under its own name, none stands in for another, so that taking evidence away never makes a fact
 * known. A deployment's evidence does not cover what a model's entry states, nor the other way round. Derived processing, partition,
 * serves and endpoints need none.
 */
#ifndef GH_MODEL_H
#define GH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/audit/mode.h"
#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"
#include "policy/decide/intake.h"
#include "policy/quota/limits.h"
#include "policy/store/image.h"
#include "residency/judge.h"
#include "residency/places.h"

#define GH_MAX_CLASSES     32      /* a policy */
#define GH_MAX_DEPLOYMENTS 1024
#define GH_MAX_MODELS      4096
#define GH_MAX_NODES       1024
#define GH_MAX_NAMES       64      /* of partitions, of attestations */

typedef struct {
    gh_str_t path;                 /* as shown in errors, relative to the applied directory */
    gh_str_t bytes;
} gh_document_source_t;

typedef struct {                   /* where something was said */
    const char *source;
    uint32_t    line, column;
} gh_where_t;

typedef struct {
    gh_str_t   path;
    uint64_t   bytes;
    uint8_t    sha256[32];
} gh_model_source_t;

typedef struct { gh_str_t *items; uint32_t count; } gh_str_list_t;

/* ---- fleet/1 ---- */

typedef struct {
    gh_str_t   id;
    int        country;            /* gh_country_index */
    gh_where_t where;
} gh_model_node_t;

typedef struct {                   /* catalogue */
    gh_str_t      name;
    gh_str_list_t aliases;         /* no alias equals any name or other alias */
    uint64_t      context;         /* tokens; 0: not said */
    uint64_t      max_output;      /* tokens; 0: not said */
    uint64_t      image_tokens;    /* the most of one image; 0: not said */
    uint64_t      message_tokens;  /* the most of a message besides its text; GH_MESSAGE_TOKENS when not said */
    gh_where_t    where;
} gh_model_entry_t;

typedef struct {                   /* "store" of a deployment or of a feature */
    gh_places_t places;            /* UNKNOWN when not known; none when nothing */
    bool        nothing;           /* it says "nothing": places is empty, days 0 and known */
    bool        days_known;
    uint32_t    days;
} gh_model_store_t;

typedef struct {
    gh_str_t         name;         /* "web_search", "store", ... */
    gh_places_t      process;      /* added to the deployment's; UNKNOWN when not said or without evidence */
    gh_model_store_t store;        /* likewise: see gh_judged_add_feature in residency/judge.h */
    uint64_t         until_ms;     /* of the features' evidence: then process and store are UNKNOWN */
} gh_model_feature_t;

typedef struct {
    gh_str_t     id;
    gh_str_t     backend;          /* gatehouse_backend of nginx.conf */
    gh_str_t     provider;         /* azure | aws | openai | anthropic | self | other */
    gh_str_t     region;           /* may be empty */
    gh_dialect_t dialect;          /* its targets list only endpoints that it has */
    gh_str_t     api_version;      /* azure-classic: never empty; else empty */
    gh_where_t   where;
} gh_model_deployment_t;

typedef struct {                   /* one (deployment, model); facts of the deployment overridden by the model's entry */
    uint32_t            deployment;   /* index in gh_model_t.deployments */
    uint32_t            model;        /* index in gh_model_t.models */
    gh_str_t            upstream;     /* the name the backend knows; never empty */
    gh_str_t            sku;          /* may be empty */
    gh_str_t            inference_geo;   /* may be empty; letters, digits and "-" of a fact */
    gh_str_list_t       serves;       /* patterns of org/tenant/app/key paths; none: nobody */
    uint32_t            endpoints;    /* bits by gh_endpoint_t; 0: none */
    uint32_t            priority;     /* lower first; 100 when not said */
    gh_price_t          price;        /* known: input and output were said; cached and cache_write default to input, reasoning to output */
    gh_price_t          service_prices[GH_SERVICE_TIERS];   /* of the service tiers that have one; with a known price only */
    gh_str_t            price_source; /* may be empty */
    uint32_t            price_as_of;  /* yyyymmdd; 0: not said */

    gh_places_t         process;      /* derived and stated together; without the node's country */
    uint64_t            process_until_ms;
    gh_model_store_t    store;
    uint64_t            store_until_ms;
    gh_places_t         operator_home;
    uint64_t            operator_home_until_ms;
    int                 partition;    /* index in gh_model_t.partitions; -1: unknown. Does not end. */
    uint64_t            attest_mask;  /* bits by gh_model_t.attests; unknown is 0: never contains a rule's */
    uint64_t            attest_until_ms;
    uint8_t             training;     /* GH_TRAINING_* */
    uint64_t            training_until_ms;
    gh_model_feature_t *features;     /* the listed ones; any other is unlisted */
    uint32_t            feature_count;
    gh_where_t          where;        /* of the model's entry */
} gh_model_target_t;

/* ---- residency/1 ---- */

typedef struct {
    gh_str_t      id, why, law;    /* why and law may be empty */
    uint8_t       kind;            /* GH_RULE_ALLOW, GH_RULE_FORBID */
    uint32_t      states;          /* GH_STATES_* */
    uint32_t      class_mask;      /* allow: never 0; forbid: with GH_STATES_CLASSES; a guard's never */
    gh_str_list_t tenants;         /* patterns of org/tenant/app/key paths, any may match; with GH_STATES_TENANTS */
    gh_str_list_t models;          /* patterns of catalogue names or upstream ids, any may match either; with GH_STATES_MODELS */
    gh_places_t   process;         /* within (allow) or touches (forbid) */
    gh_places_t   store;
    gh_places_t   operator_home;
    uint64_t      partition_mask;  /* bits by gh_model_t.partitions */
    uint64_t      attest_mask;     /* bits by gh_model_t.attests */
    uint32_t      max_days;        /* with GH_STATES_MAX_DAYS */
    uint64_t      until_ms;        /* with GH_STATES_UNTIL: first instant at which it no longer holds */
    gh_where_t    where;
} gh_model_rule_t;

typedef struct {                   /* the classes of every matching one are carried, and the default is not */
    gh_str_list_t tenants;
    uint32_t      class_index;
} gh_model_assign_t;

typedef enum { GH_LABEL_DENY = 0, GH_LABEL_HIGHEST } gh_unknown_label_t;

typedef struct {
    gh_str_t     name;             /* place or set name usable by x-gatehouse-places: the policy's own places only */
    gh_places_t  places;
} gh_model_place_t;

typedef struct {
    gh_str_t            name;
    bool                guard;             /* forbids only; no classes, no default */
    gh_str_list_t       applies_to;        /* patterns */
    gh_str_list_t       classes;           /* lowest first; the last is the highest */
    gh_where_t         *class_wheres;      /* of each */
    uint32_t            default_class;     /* index; not for a guard */
    gh_model_assign_t  *assigns;
    uint32_t            assign_count;
    gh_str_list_t       label_headers;     /* lower-case header names, of "header:NAME" */
    gh_unknown_label_t  unknown_label;     /* deny when not said */
    uint32_t            uninspected_mask;  /* classes added when something cannot be read */
    gh_model_place_t   *places;            /* of "places" */
    uint32_t            place_count;
    gh_model_rule_t    *rules;             /* allows, then forbids, as written */
    uint32_t            rule_count;
    gh_model_node_t    *pins;              /* of a guard: nodes whose country it pins; fleet/1 says the same of them */
    uint32_t            pin_count;
    bool                has_audit_store;
    gh_places_t         audit_store;       /* every node is inside */
    gh_where_t          audit_store_where;
    uint8_t             audit;             /* GH_AUDIT_*: the most that tenants/1 may say of its tenants; not for a guard */
    gh_where_t          audit_where;       /* of that, or of the document that does not say it */
    gh_str_t            facts;             /* the artefact it was reviewed against: its pin */
    gh_where_t          facts_where;
    gh_str_list_t       sets;              /* names of the artefact's sets that the policy uses, ANYWHERE included */
    gh_where_t          where;
} gh_model_policy_t;

/* ---- tenants/1 ---- */


typedef struct {
    gh_limit_t limit;
    gh_str_t   model;              /* catalogue name; empty: whatever the model */
    gh_where_t where;
} gh_model_limit_t;

typedef struct {
    gh_model_limit_t *items;
    uint32_t          count;
} gh_limit_list_t;

typedef struct {
    gh_str_t        id;
    gh_str_t        path;          /* "org/tenant/app" */
    uint32_t        class_mask;    /* the app's own, in its tenant's policy */
    bool            narrowed;      /* the app, its tenant or its organisation narrows */
    gh_places_t     places;        /* with narrowed: of all three, intersected; process and store must be inside */
    gh_str_list_t   models;        /* patterns of catalogue names; none: not limited. Must match besides the tenant's and organisation's */
    uint8_t         audit;         /* GH_AUDIT_*: of the app, its tenant and its organisation, and its policy permits it */
    uint16_t        latency_weight;   /* of its "objective", inherited: of 1000; cost weighs the rest. 0 too when nothing is said */
    gh_limit_list_t limits;
    gh_limit_list_t key_limits, user_limits;   /* of each key, of each user: its tenant's among them, of two for one counter the smaller. All with those of its organisation and tenant at most GH_LIMITS_MAX */
    uint64_t        max_output;    /* the smallest that the app, its tenant and its organisation say; 0: none does */
    gh_where_t      where;
} gh_model_app_t;

typedef struct {
    gh_str_t        id;
    gh_str_t        path;          /* "org/tenant" */
    int32_t         policy;        /* index in gh_model_t.policies of the one that covers it (never a guard); -1: none, denied */
    uint32_t        class_mask;    /* of the organisation and the tenant */
    bool            narrowed;      /* of the organisation and the tenant, intersected */
    gh_places_t     places;
    gh_str_list_t   models;
    uint8_t         audit;         /* likewise, of two */
    uint16_t        latency_weight;
    gh_limit_list_t limits;
    gh_limit_list_t key_limits, user_limits;   /* of each key and user of its apps: its organisation's among them, of two for one counter the smaller */
    uint64_t        max_output;    /* likewise, of two */
    gh_model_app_t *apps;
    uint32_t        app_count;
    gh_where_t      where;
} gh_model_tenant_t;

typedef struct {
    gh_str_t           id;
    uint32_t           document_count;   /* that give it */
    gh_str_t           said;       /* what they say of all its tenants, as a JSON object; empty: nothing */
    gh_str_list_t      models;     /* patterns; none: not limited */
    gh_limit_list_t    limits;
    gh_limit_list_t    key_limits, user_limits;   /* of each key and user of its apps */
    uint64_t           max_output;   /* 0: not said */
    gh_model_tenant_t *tenants;
    uint32_t           tenant_count;
    gh_where_t         where;
} gh_model_organisation_t;

/* ---- everything ---- */

typedef struct {
    gh_model_source_t       *sources;        /* sorted by path */
    uint32_t                 source_count;
    uint8_t                  policy_sha256[32];   /* over every source: path, 0, sha256, in path order */
    uint8_t                  facts_sha256[32];    /* one artefact: its SHA-256; several: SHA-256 over theirs, newest first */
    gh_str_list_t            facts;          /* names of the artefacts used, newest first */

    gh_str_list_t            partitions;     /* bit and index names; at most GH_MAX_NAMES */
    gh_str_list_t            attests;        /* likewise */

    gh_model_place_t        *sets;           /* named sets of the newest artefact, ANYWHERE included: for x-gatehouse-places */
    uint32_t                 set_count;

    gh_model_node_t         *nodes;
    uint32_t                 node_count;
    gh_model_entry_t        *models;
    uint32_t                 model_count;
    gh_model_deployment_t   *deployments;
    uint32_t                 deployment_count;
    gh_model_target_t       *targets;        /* grouped by deployment, models as written */
    uint32_t                 target_count;

    gh_model_policy_t       *policies;       /* guards included */
    uint32_t                 policy_count;

    gh_model_organisation_t *organisations;
    uint32_t                 organisation_count;

    gh_str_list_t            identities;     /* identity/1 documents, without white space */
    gh_str_list_t            token_apps;     /* "org/tenant/app" that their claims name; some may stand there twice */
} gh_model_t;

/*
 * Reads, checks and resolves a whole set of documents (each one JSON object with a "kind"). now_ms (Unix, UTC) is used for warnings and
 * to refuse evidence dated in the future, never to drop anything. Every error and warning goes to *report, in path order, not only the first.
 * GH_OK: *model is complete (there may be warnings). GH_ERROR: report->errors > 0 or out of memory; *model is NULL.
 */
int gh_documents_load(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, uint64_t now_ms,
    gh_model_t **model, gh_report_t *report);

typedef struct {                   /* "what if this set of countries had these members", "what if this policy pinned that artefact" */
    gh_str_t    name;              /* of a set of the facts artefacts, or of a place of a policy */
    gh_places_t places;
    gh_str_t    policy, facts;     /* or, with policy: its name, and the artefact's */
    bool        met;               /* out: there is such a set, place or policy */
} gh_supposition_t;

/* The same with something supposed, which nothing can be applied from: for plans. */
int gh_documents_suppose(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, uint64_t now_ms,
    gh_supposition_t *suppositions, size_t supposition_count, gh_model_t **model, gh_report_t *report);

/* ---- a part of the tenants/1 documents ---- */

/*
 * When of a set that was loaded before only some tenants/1 documents changed, the others need not be read again: what they say of
 * organisations they share with these, and what is gone, is told instead.
 */
typedef struct {
    const gh_model_source_t *whole;      /* every document of the set, for its digest; sorted by path */
    uint32_t                 whole_count;
    const gh_str_t          *said;       /* gh_model_organisation_t.said, with its "id", of organisations that others give too */
    uint32_t                 said_count;
    gh_str_t                *before;     /* paths of tenants and apps that these documents, or ones that are gone, gave; put in order here */
    uint32_t                 before_count;
    bool                     uncertain;  /* result: what is found depends on the others */
} gh_documents_part_t;

/*
 * gh_documents_load of every document but the unchanged ones of tenants/1. *model has no tenants of those. Warnings of them, and of the
 * whole set together, are not found again. Whatever depends on them otherwise sets part->uncertain: then, and after GH_ERROR, the whole set
 * must be loaded. Tenants given twice, by these and by those, are for the caller to find.
 */
int gh_documents_load_part(gh_arena_t *arena, const gh_document_source_t *sources, size_t count, gh_documents_part_t *part,
    uint64_t now_ms, gh_model_t **model, gh_report_t *report);

/* What a tenants/1 document that was loaded before lists, without reading the rest of it. */
typedef struct {
    gh_str_t id;
    uint32_t said;                       /* bits of the members that it gives of all the tenants */
    uint32_t tenant_count;
} gh_outline_organisation_t;

typedef struct {
    gh_outline_organisation_t *organisations;
    uint32_t                   organisation_count;
    gh_str_list_t              tenants, apps;   /* paths */
    gh_str_list_t              bare;     /* paths of tenants without apps */
} gh_outline_t;

/* Adds to *outline, in the arena. GH_ERROR: it is not JSON, or out of memory. */
int gh_document_outline(gh_arena_t *arena, gh_str_t text, gh_outline_t *outline, gh_error_t *error);

#endif
