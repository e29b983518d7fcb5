/*
 * A random world as a value: one organisation with its policy, guards, deployments, tenants and requests. Lists of words are masks over
 * a vocabulary, so that a word is added or taken away by one bit; every element keeps its place and is `gone` when it is left out, so that
 * a world and its changed copy can be made smaller together.
 */
#ifndef GH_LAWS_WORLD_H
#define GH_LAWS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEPLOYMENTS 5
#define MODELS      2
#define ALLOWS      7
#define FORBIDS     4
#define GUARDS      3
#define TENANTS     2
#define APPS        2
#define REQUESTS    4
#define CLASSES     4
#define FEATURES    5
#define ASSIGNS     2
#define ATTESTS     3
#define OWN_PLACES  2

/* Bits of a list of places: countries, sets of the facts, then the policy's own places. */
#define COUNTRIES 12
#define SETS      8
#define WORDS     (COUNTRIES + SETS + OWN_PLACES)
#define ANYWHERE  (1u << (COUNTRIES + SETS - 1))
#define OWN       (3u << (COUNTRIES + SETS))
extern const char *const place_words[WORDS];
extern const char *const feature_words[FEATURES];
extern const char *const attest_words[ATTESTS];
extern const char *const class_words[CLASSES];

/* Bits of a list of patterns of tenants: the organisation, each tenant, each tenant's first app, a star. */
enum { PATTERN_ORG = 1, PATTERN_T0 = 2, PATTERN_T1 = 4, PATTERN_T0_A0 = 8, PATTERN_T1_A0 = 16, PATTERN_STAR = 32, PATTERNS = 6 };
/* Of models: each by name, both by a star, the upstream name of the first at any deployment. */
enum { MODEL_0 = 1, MODEL_1 = 2, MODEL_STAR = 4, MODEL_UPSTREAM = 8, MODEL_PATTERNS = 4 };

typedef enum { EVIDENCE_NONE = 0, EVIDENCE_OVER, EVIDENCE_TODAY, EVIDENCE_SOON, EVIDENCE_LONG, EVIDENCE_FOR_GOOD } evidence_t;
typedef enum { STORE_UNSTATED = 0, STORE_NOTHING, STORE_SET } store_kind_t;
typedef enum { TRAINING_UNSTATED = 0, TRAINING_NO, TRAINING_YES } training_t;
typedef enum { KIND_OTHER = 0, KIND_SELF, KIND_AZURE, KIND_AWS, KIND_AWS_PROFILE, KINDS } kind_t;

typedef struct { store_kind_t kind; uint32_t in; int days; } store_t;    /* days -1: not stated */

enum { FACT_PROCESS = 0, FACT_COUNTRY, FACT_DESTINATIONS, FACT_STORE, FACT_HOME, FACT_ATTEST, FACT_TRAINING, FACT_FEATURES, FACTS };

typedef struct {                       /* what a deployment or an entry states; 0: not stated */
    uint32_t   process, home;
    store_t    store;
    training_t training;
    uint32_t   attest, features;       /* masks */
    struct { uint32_t process; store_t store; } feature[FEATURES];
    evidence_t evidence[FACTS];
    bool       one_evidence;           /* one for all, where all are the same */
} statements_t;

typedef struct {
    bool         gone;
    statements_t states;
    bool         has_price;
    unsigned     price, priority;      /* priority 0: the deployment's */
    bool         upstream_is_name;
} entry_t;

typedef struct {
    bool         gone;
    kind_t       kind;
    unsigned     region, sku, country;
    bool         partition_stated;
    uint32_t     endpoints, serves;    /* masks */
    unsigned     priority;
    uint32_t     reach;                /* words that hold what is derived of it */
    statements_t states;
    entry_t      models[MODELS];
} deployment_t;

typedef struct {
    bool     gone;
    uint32_t classes;                  /* of an allow; of a forbid 0: all */
    uint32_t process, home;            /* 0: not stated */
    store_t  store;                    /* days: max_days; a forbid's kind is STORE_SET or unstated */
    uint32_t partitions, attest;
    bool     training, unlisted_accepted;
    unsigned until;                    /* 0: none; else index of a day */
    uint32_t tenants, models;          /* masks of patterns; 0: not limited */
} rule_t;

typedef struct { bool gone; uint32_t tenants; unsigned class_index; } assign_t;

typedef struct {
    bool     gone;
    unsigned applies_to;               /* a pattern's bit */
    uint32_t own[OWN_PLACES];          /* 0: not there */
    unsigned class_count, default_class;
    unsigned class_order;              /* the classes' own permutation */
    assign_t assigns[ASSIGNS];
    unsigned label_count;
    bool     highest;
    uint32_t uninspected;
    rule_t   allows[ALLOWS], forbids[FORBIDS];
} policy_t;

typedef struct { bool gone; unsigned applies_to; rule_t forbids[FORBIDS]; } guard_t;
typedef struct { bool gone; uint32_t classes, places, models; } limits_t;
typedef struct { limits_t limits; limits_t apps[APPS]; } tenant_t;

typedef struct {
    bool        gone;
    unsigned    tenant, app, node;
    unsigned    model;                 /* 0, 1; alias */
    bool        alias;
    unsigned    odd_model;             /* a spelling that is no name: index in judge.c; 0: none */
    unsigned    endpoint;
    uint32_t    features;              /* a bit above FEATURES: a field nobody knows */
    bool        uninspected;
    char        labels[2][64];         /* header lines x-data-class, x-sensitivity; empty: not sent */
    bool        label_sent[2];
    uint32_t    places[2];             /* header lines x-gatehouse-places; 0: not sent */
    bool        noise;                 /* headers that mean nothing here */
    unsigned    days;                  /* after the world's time */
    uint64_t    at_ms;                 /* judged then instead; 0: by `days` */
} request_t;

typedef struct {
    uint64_t     seed, number;
    unsigned     order;                /* lists, rules, deployments and documents in another order; 0: as made */
    deployment_t deployments[DEPLOYMENTS];
    bool         fleet_in_two, lenient;   /* lenient: some allows accept unlisted features */
    policy_t     policy;
    guard_t      guards[GUARDS];
    limits_t     organisation;
    tenant_t     tenants[TENANTS];
    request_t    requests[REQUESTS];
} world_t;

/* ---- random numbers: splitmix64 ---- */

typedef struct { uint64_t state; } random_t;

static inline uint64_t
random_next(random_t *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline unsigned
below(random_t *r, unsigned n)
{
    return (unsigned) ((random_next(r) >> 32) * n >> 32);
}

static inline bool
chance(random_t *r, unsigned percent)
{
    return below(r, 100) < percent;
}

/* One of a mask's bits; 0 for an empty mask. */
uint32_t random_bit(random_t *r, uint32_t mask);

/* ---- make.c ---- */

/* World `number` of a seed, the same for ever. */
void make_world(world_t *world, uint64_t seed, uint64_t number);
/* A rule of its own, for a change. guard: of no class. */
rule_t make_forbid(random_t *r, const world_t *world, bool guard);
rule_t make_allow(random_t *r, const world_t *world, uint32_t classes);
uint32_t some_words(random_t *r, unsigned most);

/* Every element that may be left out. */
#define GONE_MAX 96
unsigned gone_flags(world_t *world, bool *flags[GONE_MAX]);

/* ---- text.c ---- */

#define NOW_MS 1795262400000ull        /* 2026-11-21T12:00:00Z */
#define DAY_MS 86400000ull

typedef struct { char path[48]; size_t begin, length; } text_document_t;
typedef struct {
    char           *bytes;
    size_t          length, size;
    text_document_t documents[512];
    unsigned        count;
} text_t;

/* Adds the world's documents; its names begin with "w<index>". */
void text_world(text_t *text, const world_t *world, unsigned index);
/* Adds the nodes, which all worlds share. */
void text_nodes(text_t *text);
/* The words of a mask as a client sends them. */
void text_places(char *out, size_t size, uint32_t mask);
const char *node_name(unsigned node);

/* ---- judge.c ---- */

typedef struct {
    uint8_t  code;                     /* gh_verdict_code_t */
    uint8_t  count, route[DEPLOYMENTS];/* deployments in order */
    uint32_t eligible;                 /* the same as a mask */
    uint32_t classes;                  /* how many */
    uint64_t until_ms;                 /* valid until then */
} answer_t;

/* Header lines of a request, as gh_decide asks for them: its n-th (from 0), false: no more. */
typedef struct { const char *name; char value[256]; } line_t;
#define ODD_MODELS 10
unsigned request_lines(const request_t *request, line_t lines[8]);
void     request_model(const request_t *request, unsigned index, char *out, size_t size);
uint64_t request_ms(const request_t *request);
extern const char *const endpoint_words[3];

/*
 * Documents of n worlds together (NULL ones are left out), compiled, and every request judged. false: refused, with the first error in
 * why (of `size` bytes).
 */
bool judge_worlds(const world_t *const *worlds, unsigned n, answer_t (*answers)[REQUESTS], char *why, size_t size);

/* The same; with_cells: every decision is also made with cells, as time moves, and compared. */
bool judge_worlds_with(const world_t *const *worlds, unsigned n, answer_t (*answers)[REQUESTS], bool with_cells, char *why, size_t size);

typedef struct { uint64_t compared, found, dropped, broken; } cells_counts_t;   /* found: taken from a cell */
extern cells_counts_t cells_counts;

/* ---- change.c ---- */

typedef enum { LAW_FEWER, LAW_MORE, LAW_SAME, LAW_NONE } relation_t;

typedef struct {
    const char *name, *sentence;
    relation_t  relation;
    bool      (*change)(random_t *r, world_t *world, const answer_t *before);   /* false: nothing to change here */
} law_t;

extern const law_t laws[];
extern const unsigned law_count;

/* Does the answer after the change keep the law? */
bool law_kept(relation_t relation, const answer_t *before, const answer_t *after);

/* ---- small.c ---- */

/*
 * Makes a world and its changed copy smaller as long as they break the law, and writes both as directories below `directory`, with the
 * request and the commands that show it.
 */
void small_report(const law_t *law, world_t *before, world_t *after, unsigned request, const char *directory);

#endif
