/*
 * Who could ever reach what under one policy: its apps, the classes each could carry, the targets that could be offered to it, and the
 * facts of those. Everything a request may add (features, a narrowing, a later time) only takes away, so what does not fit here never fits.
 */
#ifndef GH_CHECK_REACH_H
#define GH_CHECK_REACH_H

#include "policy/document/check.h"
#include "policy/document/spans.h"

typedef struct {                     /* of the whole set */
    gh_loader_t       *loader;
    gh_judged_facts_t *facts;        /* the different ones among targets, as of now, without a node */
    uint32_t           fact_count;
    uint32_t          *fact_of;      /* by target */
    gh_places_t       *nodes;        /* the different countries of nodes, one at least: none, when no node is listed */
    uint32_t           node_count;
    uint64_t           steps;        /* of comparing that are left: what would take more is not judged, and said so */
} gh_reach_t;

typedef struct {
    gh_str_t                       path;
    const gh_model_organisation_t *organisation;
    const gh_model_tenant_t       *tenant;
    const gh_model_app_t          *app;
    uint32_t                       carries;   /* mask of the classes that a request of it could carry */
    uint32_t                       always;    /* and of those that every one carries */
    uint32_t                       alone;     /* and of those that come without the others of "uninspected" */
} gh_reach_app_t;

typedef struct {
    uint32_t   target;
    gh_spans_t apps;                 /* whom it could serve */
} gh_offer_t;

typedef struct {                     /* of one policy */
    gh_reach_t              *reach;
    const gh_model_policy_t *policy;
    gh_reach_app_t          *apps;   /* by path */
    gh_names_t               names;  /* their paths */
    gh_offer_t              *offers;
    uint32_t                 offer_count;
    uint32_t                 given;  /* mask of the classes that some app could carry */
    uint32_t                 always; /* and of those that every request of every app carries */
} gh_reached_t;

/* false: out of memory (reported). */
bool gh_reach_begin(gh_loader_t *loader, gh_reach_t *reach);
/* One for each policy, guards left empty. NULL: out of memory (reported). */
gh_reached_t *gh_reach_policies(gh_reach_t *reach);

/* false when all steps are used up. */
bool gh_reach_step(gh_reach_t *reach);

/* May an app use a target's model at all? */
bool gh_reach_permits(const gh_reach_app_t *app, gh_str_t model);
/* Does a rule's scope name a target's model? */
bool gh_reach_model(const gh_reach_t *reach, const gh_model_rule_t *rule, uint32_t target);

/* The rule as residency/judge.h takes it. */
gh_rule_t gh_reach_rule(const gh_model_rule_t *rule);
/* The facts of a target as this node would see them. */
gh_judged_facts_t gh_reach_facts(const gh_reach_t *reach, uint32_t fact, uint32_t node);

#endif
