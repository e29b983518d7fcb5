/*
 * The one judgement: a rule against a deployment's facts and a request's classes and scope.
 * Flat records without pointers: the store's image holds arrays of them and workers judge in place.
 *
 *   An allow fits when everything it states is inside. A forbid fires when anything it states is touched.
 *   Unknown is never inside and always touches. Every class needs a fitting allow. Order never matters.
 */
#ifndef GH_JUDGE_H
#define GH_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "residency/places.h"

enum { GH_RULE_ALLOW = 1, GH_RULE_FORBID = 2 };

/* gh_rule_t.states */
enum {
    GH_STATES_PROCESS       = 1 << 0,
    GH_STATES_STORE         = 1 << 1,   /* allow: within + max_days; forbid: touches */
    GH_STATES_STORE_NOTHING = 1 << 2,   /* allow: "store": "nothing" */
    GH_STATES_OPERATOR_HOME = 1 << 3,
    GH_STATES_PARTITIONS    = 1 << 4,
    GH_STATES_ATTEST        = 1 << 5,   /* allow only */
    GH_STATES_TRAINING      = 1 << 6,   /* allow: "accepted"; forbid: fires on may train or unknown */
    GH_STATES_CLASSES       = 1 << 7,   /* forbid: limited to class_mask */
    GH_STATES_TENANTS       = 1 << 8,   /* scope is limited: see the scope tests in the image */
    GH_STATES_MODELS        = 1 << 9,
    GH_STATES_UNLISTED_OK   = 1 << 10,  /* allow: "unlisted_features": "accepted" */
    GH_STATES_MAX_DAYS      = 1 << 11,
    GH_STATES_UNTIL         = 1 << 12
};

typedef struct {                        /* little-endian, 8-aligned; 176 bytes */
    uint32_t    id_offset, id_len;      /* strings are in the image's string section */
    uint32_t    why_offset, why_len;
    uint32_t    law_offset, law_len;
    uint8_t     kind;                   /* GH_RULE_* */
    uint8_t     reserved[3];
    uint32_t    states;
    uint32_t    class_mask;             /* bits are class numbers of the rule's own policy */
    uint32_t    max_days;
    uint64_t    until_ms;               /* first instant at which it no longer holds: 00:00 UTC of the day after; 0: none */
    uint64_t    partition_mask;         /* bits number the image's partition names */
    uint64_t    attest_mask;            /* bits number the image's attest names */
    gh_places_t process;
    gh_places_t store;
    gh_places_t operator_home;
    uint32_t    tenants_first, tenants_count;  /* patterns, in the image's pattern section */
    uint32_t    models_first, models_count;
} gh_rule_t;

enum { GH_TRAINING_NO = 0, GH_TRAINING_YES = 1, GH_TRAINING_UNKNOWN = 2 };

typedef struct {                        /* what is known of one (deployment, model) for this request */
    gh_places_t process;                /* the node's country, the features' places and UNKNOWN for unlisted ones added */
    gh_places_t store;                  /* UNKNOWN when not known; empty with store_nothing */
    bool        store_nothing;          /* it says "nothing" */
    bool        store_days_known;
    uint32_t    store_days;
    gh_places_t operator_home;
    uint64_t    partition_bit;          /* 0: unknown or not a name any rule uses */
    bool        partition_known;
    uint64_t    attest_mask;
    uint8_t     training;               /* GH_TRAINING_* */
} gh_judged_facts_t;

/*
 * Adds what a used, listed feature adds: places are united, days become the longer, "nothing" stays only when both say it, days are known
 * only when both are. places UNKNOWN (not stated, or its evidence ended) makes the whole fact unknown.
 */
void gh_judged_add_feature(gh_judged_facts_t *facts, gh_places_t process, gh_places_t store, bool store_nothing,
    bool store_days_known, uint32_t store_days);

/* A feature that is not listed, or a field nobody knows: process and store become unknown. */
void gh_judged_add_unlisted(gh_judged_facts_t *facts);

typedef enum {                          /* why an allow does not fit; GH_FITS is 0 */
    GH_FITS = 0, GH_MISS_PROCESS = 1, GH_MISS_STORE = 2, GH_MISS_STORE_DAYS = 4, GH_MISS_OPERATOR_HOME = 8,
    GH_MISS_PARTITION = 16, GH_MISS_ATTEST = 32, GH_MISS_TRAINING = 64, GH_MISS_UNTIL = 128, GH_MISS_FEATURES = 256
} gh_miss_t;

/* Scope already matched by the caller. Bits of gh_miss_t; GH_FITS when everything stated is inside. */
uint32_t gh_rule_allow_misses(const gh_rule_t *rule, const gh_judged_facts_t *facts, uint64_t now_ms);

/* Scope and classes already matched by the caller. True when any stated fact is touched, or none is stated. */
bool gh_rule_forbid_fires(const gh_rule_t *rule, const gh_judged_facts_t *facts);

/* Of tenants: "nordbank/retail" covers itself and everything below it; or one trailing '*'. Byte-exact. */
bool gh_pattern_covers(gh_str_t pattern, gh_str_t name);

/*
 * Of models, where something is permitted or narrowed: the name alone, or one trailing '*'. A catalogue has nothing below a name: "meta" does not permit "meta/llama", which is another model.
 */
bool gh_pattern_permits(gh_str_t pattern, gh_str_t model);

/* Of models, in a rule. What an allow names has to be it; what a forbid names is touched by what begins so and goes on with '/', too, as gh_pattern_covers says. */
bool gh_rule_names(uint8_t kind, gh_str_t pattern, gh_str_t model);

#endif
