/*
 * Rules of identity/1 documents, as they stand in an image: what a caller shows (a token's claims, a certificate's names) chooses one app of an organisation, adds
 * classes, and narrows places, models and limits. Every rule that fits has to name the same app.
 */
#ifndef GH_RULES_H
#define GH_RULES_H

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/json_tree.h"
#include "policy/quota/limits.h"

#define GH_RULES_MAX       4096      /* of one issuer or authority */
#define GH_CALLER_USER_MAX 256       /* bytes of a user's name */

typedef struct { gh_str_t name, value; } gh_caller_test_t;

typedef struct {
    gh_caller_test_t *when;              /* all of them; none: every caller */
    size_t          when_count;
    gh_str_t        app;               /* "org/tenant/app"; of a rule of "apps" alone */
    gh_str_t        classes;           /* that it adds, comma separated; of a rule of "classes" alone */
    gh_str_t        places, models;    /* of a rule of "narrow" alone: a list each, as in policy/identity/narrowing.h; empty: it says none */
    gh_limits_t    *limits;            /* likewise, of each user by itself; NULL: it says none */
    bool            audit_required;    /* likewise, whatever its app's audit mode is */
} gh_caller_rule_t;

typedef struct { gh_str_t value, places; } gh_caller_value_t;

/* One of "places": what a claim's values narrow to. Every value that it has must be among them. */
typedef struct {
    gh_str_t           claim;
    gh_caller_value_t *values;
    size_t             value_count;
    bool               optional;       /* a caller without the claim is not narrowed by it; else it is refused */
} gh_caller_map_t;

typedef struct {
    gh_caller_rule_t *apps, *classes, *narrow;
    size_t     app_count, class_count, narrow_count;
    gh_caller_map_t *places;
    size_t     place_count;
} gh_caller_rules_t;

/* Who a caller is by what it shows. */
typedef struct {
    gh_str_t id;                       /* of the issuer, or of the authority: borrowed from the documents, as app is */
    uint64_t number;                   /* gh_rules_number of it */
    gh_str_t app;                      /* "org/tenant/app" */
    gh_str_t classes;                  /* comma separated, in the arena */
    gh_str_t user;                     /* in the arena; empty: there is none */
    gh_str_t places, models;           /* that it is narrowed to: lists as in policy/identity/narrowing.h, in the arena */
    gh_limits_t limits;                /* of GH_LEVEL_USER, besides those of the app */
    bool     audit_required;           /* though its app's audit mode may be another */
    uint64_t not_before_ms, not_after_ms;
    bool     verified;                 /* of a token, refused ones too: its signature was looked at, which is what costs time */
} gh_caller_t;

/* Does the caller show this value under this name? */
typedef bool (*gh_caller_shows_fn)(const void *caller, gh_str_t name, gh_str_t value);

/* "apps" and "classes" of an issuer, or of an authority; what they hold is in the arena, or borrowed from the nodes. GH_ERROR "identity", "out_of_memory". */
int gh_rules_read(gh_arena_t *arena, gh_str_t organisation, const gh_node_t *object, gh_caller_rules_t *rules, gh_error_t *error);

/* The app that those that fit name: false when it is another one than *app, unless that is empty. None fits: *app stays. */
bool gh_rules_app(const gh_caller_rules_t *rules, gh_caller_shows_fn shows, const void *caller, gh_str_t *app);

/* Adds the classes of those that fit to *classes, comma separated. GH_ERROR "out_of_memory". */
int gh_rules_classes(const gh_caller_rules_t *rules, gh_caller_shows_fn shows, const void *caller, gh_arena_t *arena, gh_str_t *classes, gh_error_t *error);

/* Narrows *out by those that fit. GH_ERROR "out_of_memory", or "identity": more limits than a request can be held to. */
int gh_rules_narrow(const gh_caller_rules_t *rules, gh_caller_shows_fn shows, const void *caller, gh_arena_t *arena, gh_caller_t *out, gh_error_t *error);

/*
 * Narrows *places by what the claim says: a string, or a list of strings, each of which narrows. NULL: the caller has not the claim. GH_ERROR: "token_places" when it is missing, or
 * says what the map does not have, or "out_of_memory".
 */
int gh_rules_map(const gh_caller_map_t *map, const gh_node_t *claim, gh_arena_t *arena, gh_str_t *places, gh_error_t *error);

/* ---- what is checked already is read again without trust ---- */

/* GH_ERROR "identity". */
int gh_rules_unsound(gh_error_t *error, const char *what);

/* A member of this type, else NULL; the text of one that is a string, else "". */
const gh_node_t *gh_rules_member(const gh_node_t *object, const char *name, gh_node_type_t type);
gh_str_t         gh_rules_text(const gh_node_t *object, const char *name);

/* A list's strings, borrowed; NULL gives none. GH_ERROR "identity": something else is in it. */
int gh_rules_strings(gh_arena_t *arena, const gh_node_t *list, gh_str_t **items, size_t *count, gh_error_t *error);

/* Of an issuer or an authority, by its organisation and id: for ever the same. */
uint64_t gh_rules_number(gh_str_t organisation, gh_str_t id);

/*
 * Counters of a user of an app, or of all whose tokens or certificates name none; number: gh_rules_number. Never one of a key, which count from 1. A counter has room for 48 bits: of a
 * million users two may share one by chance, once in three hundred such gateways, and then they share the limit.
 */
uint64_t gh_rules_user_uid(uint64_t number, gh_str_t app, gh_str_t user);

#endif
