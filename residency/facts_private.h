/* How the artefact is held in memory: shared by facts.c, which reads it, and facts_process.c, which answers from it. */
#ifndef GH_FACTS_PRIVATE_H
#define GH_FACTS_PRIVATE_H

#include "policy/base/json_tree.h"
#include "residency/facts.h"

typedef struct {
    gh_str_t    name;
    gh_places_t places;
} gh_facts_set_t;

typedef struct {
    gh_str_t provider, id, partition;
    int      country;
    bool     usable;                 /* verified and ga or restricted */
} gh_facts_region_t;

typedef enum { DO_REGION, DO_ANY, DO_PLACES, DO_STATE, DO_UNKNOWN } gh_facts_do_t;

typedef struct {
    gh_str_t         provider;       /* key of process_rules */
    gh_str_t         seller, profile, host, inference_geo;
    const gh_node_t *skus, *vendors; /* arrays of strings, or NULL */
    bool             arn, limited;
    gh_places_t      region_in;      /* with limited: the region's country must be one of these */
    gh_facts_do_t        process;
    gh_places_t      places;
    gh_str_t         set, region_set;    /* names of the sets that places and region_in are; empty: none */
} gh_facts_row_t;

struct gh_facts_s {
    gh_str_t  name;
    uint8_t   digest[32];
    gh_facts_set_t    *sets;
    size_t    set_count;
    gh_facts_set_t    *operators;
    size_t    operator_count;
    gh_facts_region_t *regions;
    size_t    region_count;
    gh_facts_row_t    *rows;
    size_t    row_count;
};

/* Is word one of the array's strings? array may be NULL. */
bool gh_facts_contains(const gh_node_t *array, gh_str_t word);

#endif
