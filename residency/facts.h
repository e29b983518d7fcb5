/*
 * The facts artefact: regions -> country and partition, named country sets, what SKUs, profile prefixes and hosts do
 * to the processing places. Source: residency/data/regions-<date>.json ("regions/2"), built into the binary.
 * Rows with verified: false, or whose status is not "ga"/"restricted", are unknown.
 */
#ifndef GH_FACTS_H
#define GH_FACTS_H

#include "policy/base/error.h"
#include "residency/places.h"

typedef struct gh_facts_s gh_facts_t;

/* Every date built into the binary, newest first. name is "regions/2026-11-21". */
size_t gh_facts_names(gh_str_t *names, size_t size);

/* The bytes of a built-in artefact, or of the newest when name is empty, whose signature is good. GH_ERROR as gh_facts_load. */
int gh_facts_text(gh_str_t name, gh_str_t *text, gh_error_t *error);

/* Was this signed with one of the project's keys? signature: 64 bytes. */
bool gh_facts_signed(gh_str_t text, const uint8_t signature[64]);

/*
 * Parses the built-in artefact of that name, or the newest when name is empty. GH_ERROR with the known names when unknown, "facts_signature"
 * when its bytes are not those that were signed.
 */
int gh_facts_load(gh_arena_t *arena, gh_str_t name, gh_facts_t **facts, gh_error_t *error);

/* The artefact's own name and SHA-256 of its bytes. */
gh_str_t gh_facts_name(const gh_facts_t *facts);
const uint8_t *gh_facts_digest(const gh_facts_t *facts);

/* A named set ("EU", "ANYWHERE" included). false when there is none. */
bool gh_facts_set(const gh_facts_t *facts, gh_str_t name, gh_places_t *places);
/* Names of all sets, for nearest-spelling messages. */
size_t gh_facts_set_names(const gh_facts_t *facts, gh_str_t *names, size_t size);

/*
 * As if a named set had these members, in whatever names it: a hypothesis, for plans. A processing place derived from a set that becomes empty is
 * unknown. false when there is no such set, and for ANYWHERE.
 */
bool gh_facts_redefine(gh_facts_t *facts, gh_str_t name, gh_places_t places);

typedef struct {
    gh_str_t provider;    /* azure | aws | openai | anthropic | self | other */
    gh_str_t region;
    gh_str_t sku;         /* azure */
    gh_str_t seller;      /* azure: "anthropic" for Claude in Foundry, also when the model's name says so */
    gh_str_t profile;     /* aws: a geographic prefix such as "eu.", "" when none */
    gh_str_t upstream;    /* aws: the upstream model id, for bare vendors, prefixes and ARNs */
    gh_str_t host;        /* openai */
    gh_str_t inference_geo;   /* anthropic: what requests say, "us"; empty: nothing, which leaves it to the account */
    gh_str_t country;     /* self */
} gh_facts_query_t;

typedef enum {
    GH_PROCESS_DERIVED,   /* places is the derivation; a stated set adds to it */
    GH_PROCESS_STATE,     /* must be stated with evidence, else unknown */
    GH_PROCESS_UNKNOWN    /* unknown whatever is stated */
} gh_process_rule_t;

/*
 * What the artefact says of processing: the first matching row, with these corners:
 *  - azure and aws need a known region, whatever the row says; else UNKNOWN. A SKU without a row: UNKNOWN.
 *  - azure, seller "anthropic": STATE whatever the SKU; places is what the SKU's own row gives.
 *  - aws: an ARN is UNKNOWN; else the profile given, else the upstream id's own prefix, counts; a prefix the artefact does not list,
 *    before a known vendor, is STATE like any geographic one; an id without prefix or known vendor is UNKNOWN.
 *  - provider "other", which has no rows: STATE.
 * For STATE, places is what has to be united with the statement: the source region's country for profiles and data zones.
 * For UNKNOWN, places is gh_places_unknown().
 */
gh_process_rule_t gh_facts_process(const gh_facts_t *facts, const gh_facts_query_t *query, gh_places_t *places);

/* The values of inference_geo that the artefact has places for: "us". Returns how many; at most size are filled in. */
size_t gh_facts_inference_geos(const gh_facts_t *facts, gh_str_t *names, size_t size);

/*
 * The profile prefix of a Bedrock upstream model id: "eu." of "eu.anthropic.x"; empty for "anthropic.x", ARNs and ids
 * that name no known vendor. Borrows from upstream.
 */
gh_str_t gh_facts_profile(const gh_facts_t *facts, gh_str_t upstream);

/* Why gh_facts_process does not derive: half a sentence such as "region \"x\" is not in regions/2026-11-21". Empty for DERIVED. Arena-owned. */
gh_str_t gh_facts_process_why(gh_arena_t *arena, const gh_facts_t *facts, const gh_facts_query_t *query);

/* A region's country and partition (either may be NULL). false when unknown or unverified. */
bool gh_facts_region(const gh_facts_t *facts, gh_str_t provider, gh_str_t region, int *country, gh_str_t *partition);

/* The usable region of a provider that is spelt most like this one; empty when none is near. For messages. */
gh_str_t gh_facts_nearest_region(gh_arena_t *arena, const gh_facts_t *facts, gh_str_t provider, gh_str_t region);

/* Names of all partitions that the artefact has operators for. */
size_t gh_facts_partitions(const gh_facts_t *facts, gh_str_t *names, size_t size);

/* Countries of a partition's operator and of who controls it. false when the artefact does not know. */
bool gh_facts_operator_home(const gh_facts_t *facts, gh_str_t partition, gh_places_t *places);

#endif
