/* The limits of one key, as tenants/1 says them: of its organisation, tenant, app and of the key itself, each possibly of one model. */
#ifndef GH_LIMITS_H
#define GH_LIMITS_H

#include "policy/ledger/reservation.h"

#define GH_LIMITS_MAX 24              /* that one key has, over all its levels; tenants/1 with more is refused */

/* As it lies in records of the store too: 24 bytes, little-endian. */
typedef struct {
    uint8_t  level;                   /* gh_level_t: ORGANISATION, TENANT, APP, KEY, USER */
    uint8_t  dimension;               /* gh_dimension_t */
    uint8_t  per;                     /* gh_per_t */
    uint8_t  limit_class;             /* gh_limit_class_t */
    uint32_t reserved;                /* 0 */
    uint64_t amount;
    uint64_t model;                   /* gh_model_number of the catalogue's name; 0: whatever the model */
} gh_limit_t;

typedef struct {
    gh_limit_t items[GH_LIMITS_MAX];
    uint32_t   count;
    uint64_t   max_output;            /* tokens an answer may have at most by tenants/1, all choices together; 0: not said */
} gh_limits_t;

/* As written in tenants/1, in records and by the CLI; by gh_level_t, gh_dimension_t, gh_per_t, gh_limit_class_t. [0] is "" where there is no 0. */
#define GH_LEVELS        7
#define GH_DIMENSIONS    8
#define GH_PERS          5
#define GH_LIMIT_CLASSES 4
extern const char *const gh_level_names[GH_LEVELS];             /* "organisation", "tenant", "app", "key", "deployment", "user" */
extern const char *const gh_dimension_names[GH_DIMENSIONS];     /* "requests", "tokens", "micro-dollars", "in-flight", ... */
extern const char *const gh_per_names[GH_PERS];                 /* "none", "second", "minute", "day", "month" */
extern const char *const gh_limit_class_names[GH_LIMIT_CLASSES];   /* "budget", "rate", "shadow" */

/* Bits by gh_per_t of the windows that a limit of this dimension and class can have; class 0: of any class. */
uint32_t gh_limit_windows(gh_dimension_t dimension, gh_limit_class_t limit_class);

/* What a document can say, and nothing else. */
bool gh_limit_valid(const gh_limit_t *limit);

/* Of the same level too: they would be counted in one counter. */
bool gh_limit_same_counter(const gh_limit_t *a, const gh_limit_t *b);

/* One more that has to hold: of two that one counter counts the smaller amount holds. false: there is no room for it. */
bool gh_limits_tighten(gh_limits_t *limits, const gh_limit_t *limit);

/* Takes away those of that level. */
void gh_limits_without(gh_limits_t *limits, gh_level_t level);

#endif
