/* Stated facts of a deployment or of a model's entry, and what they come to for one target. */
#ifndef GH_FLEET_FACTS_H
#define GH_FLEET_FACTS_H

#include "policy/document/reading.h"

typedef enum {
    GH_FACT_PROCESS = 0, GH_FACT_COUNTRY, GH_FACT_DESTINATIONS, GH_FACT_STORE, GH_FACT_OPERATOR_HOME,
    GH_FACT_ATTEST, GH_FACT_TRAINING, GH_FACT_FEATURES, GH_FACTS
} gh_fact_t;

typedef struct {
    bool        stated;           /* the member is there */
    bool        known;            /* and readable, not empty, and evidence stands beside it */
    uint64_t    until_ms;         /* of its evidence; 0: none */
    gh_places_t places;           /* PROCESS, COUNTRY, DESTINATIONS, OPERATOR_HOME */
} gh_statement_t;

typedef struct {
    gh_statement_t      facts[GH_FACTS];
    gh_model_store_t    store;
    uint64_t            attest_mask;
    uint8_t             training;
    gh_model_feature_t *features;
    uint32_t            feature_count;
} gh_statements_t;

#define GH_FACT_MEMBERS                                                                                             \
    { "process", GH_IS_LIST, 0 }, { "destinations", GH_IS_LIST, 0 }, { "store", GH_IS_STRING | GH_IS_OBJECT, 0 },   \
    { "operator_home", GH_IS_STRING | GH_IS_LIST, 0 }, { "attest", GH_IS_LIST, 0 }, { "training", GH_IS_BOOL, 0 },  \
    { "features", GH_IS_OBJECT, 0 }, { "evidence", GH_IS_OBJECT, 0 }

/* Reads and checks what object states; whose names it in warnings: "deployment \"x\"". provider may be empty. */
void gh_statements_read(gh_loader_t *loader, const gh_node_t *object, const char *whose, gh_str_t provider, gh_statements_t *out);

/* A model's entry over its deployment: fact by fact, the entry's when it states one. */
gh_statements_t gh_statements_merge(const gh_statements_t *deployment, const gh_statements_t *entry);

/*
 * Fills the target's facts, except partition. query: what the facts artefact is asked; why receives half a sentence when process is unknown
 * for another reason than a reported statement, else "".
 */
void gh_statements_resolve(gh_loader_t *loader, const gh_statements_t *stated, const gh_facts_query_t *query,
    gh_model_target_t *target, gh_str_t *why);

#endif
