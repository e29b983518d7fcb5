/*
 * The bytes of an image: a 512-byte header, then sections of fixed-size entries, each aligned to 64. Little-endian, no pointers;
 * a string is (offset, length) into the string section, other references are index ranges of a section. Private to
 * policy/compile (which writes it), policy/store/image.c (which checks all of it once) and policy/decide (which reads it in place).
 */
#ifndef GH_IMAGE_FORMAT_H
#define GH_IMAGE_FORMAT_H

#include "policy/ledger/backends.h"
#include "policy/store/envelope.h"
#include "policy/store/image.h"

typedef struct { uint32_t offset, length; } gh_ref_t;     /* into the string section */
typedef struct { uint32_t first, count; } gh_range_t;     /* of the entries of a section */

typedef enum {
    GH_SECTION_NODE = 0,      /* gh_image_node_t, sorted by name */
    GH_SECTION_DEPLOYMENT,    /* gh_image_deployment_t */
    GH_SECTION_MODEL,         /* gh_image_model_t */
    GH_SECTION_NAME,          /* gh_image_name_t: models and aliases, sorted by bytes */
    GH_SECTION_TARGET,        /* gh_image_target_t, grouped by model */
    GH_SECTION_FEATURE,       /* gh_image_feature_t */
    GH_SECTION_POLICY,        /* gh_image_policy_t, guards included */
    GH_SECTION_RULE,          /* gh_rule_t; a rule's tenants_*, models_* are ranges of PATTERN */
    GH_SECTION_PATTERN,       /* gh_ref_t */
    GH_SECTION_CLASS,         /* gh_ref_t, lowest first within a policy */
    GH_SECTION_LABEL,         /* gh_ref_t: lower-case header names */
    GH_SECTION_ASSIGN,        /* gh_image_assign_t */
    GH_SECTION_PLACE,         /* gh_image_place_t: of each policy; and the facts' sets (header.sets) */
    GH_SECTION_PROFILE,       /* gh_image_profile_t, sorted by number */
    GH_SECTION_BITMAP,        /* uint64_t: permitted models of the profiles */
    GH_SECTION_APP,           /* gh_image_app_t, sorted by path; none with header.apps_elsewhere */
    GH_SECTION_PARTITION,     /* gh_ref_t, by bit */
    GH_SECTION_ATTEST,        /* gh_ref_t, by bit */
    GH_SECTION_PRICE,         /* gh_image_price_t: for service tiers */
    GH_SECTION_TIER,          /* gh_price_tier_t */
    GH_SECTION_LIMIT,         /* gh_limit_t: of APP's keys */
    GH_SECTION_IDENTITY,      /* gh_ref_t: identity/1 documents, as policy/identity/issuers.h reads them */
    GH_SECTION_STRINGS,       /* bytes */
    GH_SECTIONS
} gh_section_t;

#define GH_IMAGE_SECTIONS_ROOM 23

typedef struct { uint64_t offset, length; } gh_image_section_t;   /* bytes from the start of the image */

typedef struct {
    uint8_t            envelope[GH_ENVELOPE_SIZE];
    uint64_t           revision;                /* 0 until the store commits it */
    uint64_t           compiled_ms;
    uint8_t            policy_digest[32];
    uint8_t            facts_digest[32];
    uint32_t           next_profile;            /* numbers below it were given, in this image or an older one */
    uint32_t           format;                  /* GH_IMAGE_FORMAT */
    gh_image_section_t section[GH_IMAGE_SECTIONS_ROOM];
    uint32_t           apps_elsewhere;          /* 1: in the database "app" of the store the image is from; 0: in APP */
    uint32_t           organisation_count, tenant_count, app_count;   /* that tenants/1 lists */
    gh_range_t         sets;                    /* of PLACE: the facts' named sets */
} gh_image_header_t;

#define GH_IMAGE_FORMAT 6u
#define GH_IMAGE_HEADER 512u                    /* bytes before the first section */
_Static_assert(sizeof(gh_image_header_t) == GH_IMAGE_HEADER, "image header");

typedef struct { gh_ref_t name; uint32_t country; uint32_t reserved; } gh_image_node_t;

typedef struct {
    gh_ref_t id, backend, provider, region, api_version;
    uint32_t dialect;
    uint32_t one_tenant;                        /* 1: every deployment of this backend serves the same tenant alone */
} gh_image_deployment_t;

typedef struct {
    gh_ref_t   name;
    gh_range_t targets;
    uint64_t   context, max_output, image_tokens;   /* tokens; 0: not said */
    uint64_t   message_tokens;
} gh_image_model_t;

typedef struct { gh_ref_t name; uint32_t model; uint32_t alias; } gh_image_name_t;   /* alias: 1 when it is one */

typedef struct {                                /* instants from which the fact is unknown, ms; 0: it does not end */
    uint64_t process, store, operator_home, attest, training;
} gh_image_expiry_t;

typedef struct {                                /* per 1,000,000 tokens: input, cached, cache_write, output, reasoning */
    uint64_t   rates[5];
    gh_range_t tiers;                           /* of TIER, by input_above */
    uint32_t   service_tier, reserved;          /* of PRICE: index in gh_service_tier_names */
} gh_image_price_t;

typedef struct {
    uint32_t          deployment, model;
    gh_ref_t          upstream, sku, price_source, inference_geo;
    gh_range_t        serves;                   /* of PATTERN */
    gh_range_t        features;                 /* of FEATURE */
    uint32_t          endpoints;                /* bits by gh_endpoint_t */
    uint32_t          priority;
    int32_t           partition;                /* -1: unknown */
    uint32_t          store_days;
    uint32_t          price_as_of;              /* yyyymmdd; 0: not said */
    uint8_t           store_nothing, store_days_known, price_known, training;
    gh_image_price_t  price;                    /* with price_known */
    gh_range_t        service_prices;           /* of PRICE */
    uint64_t          attest_mask;
    gh_image_expiry_t until;
    gh_places_t       process, store, operator_home;
} gh_image_target_t;

typedef struct {
    gh_ref_t    name;
    uint64_t    until_ms;                       /* then process and store are unknown; 0: never */
    uint32_t    store_days;
    uint8_t     store_nothing, store_days_known, reserved[2];
    gh_places_t process, store;
} gh_image_feature_t;

typedef struct {
    gh_ref_t    name;
    uint8_t     guard, unknown_label, has_audit_store, reserved[5];   /* unknown_label: 0 deny, 1 highest */
    gh_range_t  applies_to;                     /* of PATTERN */
    gh_range_t  classes;                        /* of CLASS */
    uint32_t    default_class;
    uint32_t    uninspected_mask;
    gh_range_t  assigns, labels, places, rules;
    gh_places_t audit_store;
} gh_image_policy_t;

typedef struct { gh_range_t tenants; uint32_t class_index; uint32_t reserved; } gh_image_assign_t;

typedef struct { gh_ref_t name; gh_places_t places; } gh_image_place_t;

typedef struct {                                /* what tenants/1 says, shared by every app it says the same of */
    uint32_t    number;                         /* given once, never reused */
    int32_t     policy;                         /* index; -1: no residency document covers it */
    uint32_t    tenant_classes, app_classes;    /* masks in that policy's order */
    uint8_t     narrowed, audit;
    uint16_t    latency_weight;                 /* of 1000: what latency counts in the order of a route; price counts the rest */
    uint32_t    apps;                           /* how many apps have it; never 0 */
    gh_range_t  models;                         /* words of BITMAP: bit m: model m is permitted */
    uint8_t     digest[32];                     /* of what it says: the same digest keeps its number over revisions */
    gh_places_t places;                         /* with narrowed: process and store must be inside */
} gh_image_profile_t;

typedef struct {
    gh_ref_t   path;
    uint32_t   profile, reserved;               /* profile: index, not number */
    gh_range_t limits;                          /* of LIMIT */
    uint64_t   max_output;                      /* as in gh_limits_t */
} gh_image_app_t;


typedef struct gh_patterns_s gh_patterns_t;     /* image_patterns.h */

typedef struct {                   /* text that somebody made of a target, kept with the image */
    char    *text;                 /* malloc'ed; NULL: none yet */
    uint32_t length;
    uint32_t key;                  /* what else it depends on */
} gh_image_memo_t;

struct gh_image_s {
    unsigned                     references;
    uint64_t                     serial;        /* of this process: no two images had the same */
    uint64_t                     clock_ms;      /* policy time never runs backwards: the highest time seen, at least compiled_ms */
    size_t                       length;
    uint8_t                     *bytes;
    const gh_image_header_t     *header;
    uint32_t                     count[GH_SECTIONS];
    const gh_image_node_t       *nodes;
    const gh_image_deployment_t *deployments;
    const gh_image_model_t      *models;
    const gh_image_name_t       *names;
    const gh_image_target_t     *targets;
    const gh_image_feature_t    *features;
    const gh_image_policy_t     *policies;
    const gh_rule_t             *rules;
    const gh_ref_t              *patterns;
    const gh_ref_t              *classes;
    const gh_ref_t              *labels;
    const gh_image_assign_t     *assigns;
    const gh_image_place_t      *places;
    const gh_image_profile_t    *profiles;
    const uint64_t              *bitmaps;
    const gh_image_app_t        *apps;
    const gh_ref_t              *partitions;
    const gh_ref_t              *attests;
    const gh_image_price_t      *prices;
    const gh_price_tier_t       *tiers;
    const gh_limit_t            *limits;
    const gh_ref_t              *identities;
    const char                  *strings;
    gh_patterns_t               *patterns_index;
    gh_backend_id_t             *backends;      /* of each target, as gh_image_backend works it out; number 0: not yet */
    gh_image_memo_t             *memos;         /* of each target, the record's */
};

/* Bytes of one entry of a section. */
extern const uint32_t gh_section_entry[GH_SECTIONS];

static inline gh_str_t
gh_image_str(const gh_image_t *image, gh_ref_t ref)
{
    return (gh_str_t) { image->strings + ref.offset, ref.length };
}

static inline gh_str_t
gh_image_pattern(const gh_image_t *image, uint32_t pattern)
{
    return gh_image_str(image, image->patterns[pattern]);
}

/* Does any pattern of tenants of the range cover the name? */
bool gh_image_covers(const gh_image_t *image, gh_range_t patterns, gh_str_t name);

/* Does a rule that states models name the target's, by its name in the catalogue or by its upstream id? One that states none names all. As gh_rule_names in residency/judge.h. */
bool gh_image_rule_names(const gh_image_t *image, const gh_rule_t *rule, const gh_image_target_t *target);

/* What a word means where callers name places: one of the policy's own (NULL: none), a country's code, or a set of the newest facts. false: nothing. */
bool gh_image_place(const gh_image_t *image, const gh_image_policy_t *policy, gh_str_t name, gh_places_t *places);

/* Model by catalogue name or alias: index, or -1. */
int32_t gh_image_model_find(const gh_image_t *image, gh_str_t name);

/* "org/tenant/app": profile index, or -1 when APP does not list it; always -1 with header.apps_elsewhere. */
int32_t gh_image_app_find(const gh_image_t *image, gh_str_t path);

/* Index of the profile of that number, or -1. */
int32_t gh_image_profile_find(const gh_image_t *image, uint32_t number);

static inline bool
gh_image_profile_permits(const gh_image_t *image, const gh_image_profile_t *profile, uint32_t model)
{
    return (image->bitmaps[profile->models.first + model / 64] >> (model % 64)) & 1;
}

#endif
