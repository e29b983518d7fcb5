/*
 * What the readers of the document kinds share. A helper that meets a mistake reports it, with its place, and goes on: a value that it
 * could not read is given as absent or empty, and the whole load fails at the end because the report holds an error.
 */
#ifndef GH_DOCUMENT_READING_H
#define GH_DOCUMENT_READING_H

#include "policy/base/json_tree.h"
#include "policy/document/model.h"
#include "residency/facts.h"

#define GH_MAX_FACTS  16     /* artefacts in use at once */
#define GH_MAX_PLACES 256    /* named places of one policy */

#define GH_DAY_MS  86400000ull
#define GH_SOON_MS (30 * GH_DAY_MS)   /* what ends within this time is warned of */

typedef struct {                     /* an id that must be given once */
    const char *what;                /* "deployment", "rule", ...: one name space each */
    gh_str_t    id;
    gh_where_t  where;
} gh_given_id_t;

typedef struct {                     /* a pattern that must cover something */
    gh_str_t             pattern;
    const gh_str_list_t *applies_to; /* it must do so within these; NULL: anywhere */
    bool                 models;     /* of models, else of tenants */
    bool                 names_only; /* of models: catalogue names, not upstream ids too */
    bool                 forbid;     /* an error, else a warning */
    const char          *what;       /* "forbid \"x\"" */
    gh_where_t           where;
} gh_cover_check_t;

typedef struct {                     /* a guard's pinned node */
    gh_str_t   guard, id;
    int        country;
    gh_where_t where;
} gh_node_pin_t;

typedef struct {                     /* an attestation that a rule asks for */
    gh_str_t    name;
    const char *what;                /* "allow \"x\"" */
    gh_where_t  where;
} gh_attest_use_t;

typedef struct {
    const char *source;              /* NUL-terminated path */
    gh_node_t  *root;
} gh_document_t;

typedef struct {
    gh_arena_t       *arena;
    gh_report_t      *report;
    gh_model_t       *model;
    uint64_t          now_ms;
    const char       *source;        /* of the document being read */
    gh_facts_t       *facts[GH_MAX_FACTS];   /* in use, newest first */
    size_t            facts_count;
    gh_given_id_t    *ids;
    uint32_t          id_count;
    gh_cover_check_t *covers;
    uint32_t          cover_count;
    gh_node_pin_t    *pins;
    uint32_t          pin_count;
    gh_documents_part_t *part;       /* NULL: every document of the set is here */
    struct gh_part_s *parts;         /* of organisations: tenants.h */
    uint32_t          part_count;
    gh_attest_use_t  *attest_uses;
    uint32_t          attest_use_count;
    gh_model_policy_t **policies;   /* until all are read: others point into them */
    gh_facts_t       **pinned;       /* of each policy */
    uint32_t          policy_count;
    bool              incomplete;    /* a document could not be read at all: say nothing of what may stand in it */
    gh_supposition_t *suppositions;  /* of gh_documents_suppose */
    size_t            supposition_count;
    gh_model_entry_t **catalogue;    /* sorted by name: see gh_catalogue_find */
} gh_loader_t;

/* The kinds. Each reads one document's root, already known to be an object of its kind. */
void gh_residency_read(gh_loader_t *loader, const gh_document_t *document);
void gh_fleet_read_catalogue(gh_loader_t *loader, const gh_document_t *document);
void gh_fleet_read_deployments(gh_loader_t *loader, const gh_document_t *document);
/* Only collects organisations; after the last document gh_tenants_finish reads them, each from all documents that give it. */
void gh_tenants_read(gh_loader_t *loader, const gh_document_t *document);
void gh_tenants_finish(gh_loader_t *loader);
/* After the tenants are known. */
void gh_identity_read(gh_loader_t *loader, const gh_document_t *document);

/* After every catalogue is read and before any deployment is: the index of names. */
void gh_catalogue_index(gh_loader_t *loader);
/* Index of a catalogue entry by its name, -1 when there is none. Aliases do not count. */
int32_t gh_catalogue_find(gh_loader_t *loader, gh_str_t name);
/* The same of a name that must be there; else -1 and reported, unless a document that may have it could not be read. */
int32_t gh_catalogue_said(gh_loader_t *loader, gh_str_t name, gh_where_t where);

/* The name of the artefact that a residency document pins, or is supposed to pin. Empty when it does not say. */
gh_str_t gh_doc_pinned(const gh_loader_t *loader, const gh_node_t *root);

/* What only the whole set can show. */
void gh_documents_check(gh_loader_t *loader);

/* ---- reports ---- */

#define GH_WHERE(loader, node) ((gh_where_t) { (loader)->source, (node)->line, (node)->column })
#define GH_WHERE_KEY(loader, node) ((gh_where_t) { (loader)->source, (node)->key_line, (node)->key_column })

void gh_doc_error(gh_loader_t *loader, gh_where_t where, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void gh_doc_warn(gh_loader_t *loader, gh_where_t where, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "; did you mean \"x\"?" when a candidate is near, else "". Arena-owned. */
const char *gh_doc_near(gh_loader_t *loader, gh_str_t word, const gh_str_t *candidates, size_t count);

/* printf into the arena, NUL-terminated; empty when out of memory (reported). */
gh_str_t gh_doc_format(gh_loader_t *loader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A new zeroed element at the end of an array that only this function grows. NULL when out of memory (reported).
 * Earlier pointers into the array may become stale copies.
 */
void *gh_doc_push(gh_loader_t *loader, void *items, uint32_t *count, size_t size);

/* Remembers an id: given twice is an error at the later place. */
void gh_doc_given(gh_loader_t *loader, const char *what, gh_str_t id, gh_where_t where);

/* ---- members ---- */

enum {
    GH_IS_OBJECT = 1 << GH_NODE_OBJECT, GH_IS_LIST = 1 << GH_NODE_ARRAY, GH_IS_STRING = 1 << GH_NODE_STRING,
    GH_IS_NUMBER = 1 << GH_NODE_NUMBER, GH_IS_BOOL = 1 << GH_NODE_TRUE | 1 << GH_NODE_FALSE
};

#define GH_REQUIRED 1     /* gh_member_t.need */
#define GH_LATER    2     /* known, not supported yet: using it is an error */
#define GH_FOREIGN  3     /* known, but of another object: using it is an error */

typedef struct {
    const char *name;     /* NULL ends a table */
    unsigned    types;    /* GH_IS_* */
    int         need;
} gh_member_t;

/* Checks an object against a table. what names it in messages: "an allow", "deployment \"x\"". false: not an object at all. */
bool gh_doc_members(gh_loader_t *loader, const gh_node_t *object, const char *what, const gh_member_t *table);

/* A member that has one of the types, else NULL (absent, or wrong and reported by gh_doc_members). */
const gh_node_t *gh_doc_get(const gh_node_t *object, const char *name, unsigned types);

/* "an object or a list" */
const char *gh_doc_types(gh_loader_t *loader, unsigned types);

/* ---- words ---- */

/* [a-z0-9][a-z0-9-]{0,62}; else reported and false. */
bool gh_doc_name(gh_loader_t *loader, const gh_node_t *node);
/* The member "id" (or another) as a name; empty when absent or wrong. */
gh_str_t gh_doc_id(gh_loader_t *loader, const gh_node_t *object, const char *member);
/* Model names: 1..255 bytes of printable ASCII without space, '*' and '"'. gh_doc_model_name complains of others. */
bool gh_model_name_ok(gh_str_t text);
bool gh_doc_model_name(gh_loader_t *loader, gh_str_t text, gh_where_t where);
/* Index in words (ended by NULL, or counted: at most 32); -1 reported, with the nearest. what: "provider". */
int gh_doc_word(gh_loader_t *loader, const gh_node_t *node, const char *what, const char *const *words);
int gh_doc_word_of(gh_loader_t *loader, const gh_node_t *node, const char *what, const char *const *words, size_t count);
/* A string of 1..limit bytes without control bytes, copied by reference; empty and reported otherwise. NULL gives "". */
gh_str_t gh_doc_text(gh_loader_t *loader, const gh_node_t *node, size_t limit);
/* https://host/..., or http:// to this very machine; nothing that an agent would have to guess. */
bool gh_doc_url_ok(gh_str_t url);
/* An integer 0..max; false and reported otherwise. node NULL: false. */
bool gh_doc_integer(gh_loader_t *loader, const gh_node_t *node, uint64_t max, uint64_t *out);
/* 1..max; *out is 0 otherwise. */
bool gh_doc_positive(gh_loader_t *loader, const gh_node_t *node, uint64_t max, uint64_t *out);
/* YYYY-MM-DD: Unix ms of its 00:00 UTC and yyyymmdd (each may be NULL). false and reported otherwise. */
bool gh_doc_date(gh_loader_t *loader, const gh_node_t *node, uint64_t *ms, uint32_t *yyyymmdd);

typedef enum { GH_LIST_NAMES, GH_LIST_MODELS, GH_LIST_MODEL_PATTERNS, GH_LIST_TENANT_PATTERNS } gh_list_kind_t;

#define GH_ALLOW_EMPTY 1
#define GH_ALLOW_ONE   2     /* a single string stands for a list of one */

/* A list of distinct strings of a kind. NULL gives an empty list. */
gh_str_list_t gh_doc_list(gh_loader_t *loader, const gh_node_t *node, gh_list_kind_t kind, unsigned flags);
/* The number of names in a tenant pattern: 2 for "a/b" and "a/b*", 0 for "*" alone. */
unsigned gh_doc_segments(gh_str_t pattern);
/* Every pattern of list, which was read from node, must cover something at the end: see gh_cover_check_t. */
void gh_doc_must_cover(gh_loader_t *loader, const gh_node_t *node, const gh_str_list_t *list, const gh_cover_check_t *check);

/* Index of a name in a list; -1. */
int32_t gh_list_find(const gh_str_list_t *list, gh_str_t name);
/* Mask of names that must be in words, the first GH_MAX_NAMES of which count; what: "class". An unknown one is reported, one given twice too. */
uint64_t gh_doc_mask(gh_loader_t *loader, const gh_node_t *node, const char *what, const gh_str_list_t *words);
/* Mask of partitions. */
uint64_t gh_doc_partitions(gh_loader_t *loader, const gh_node_t *node);
/* Mask of attestations; new names get the next bit. */
uint64_t gh_doc_attests(gh_loader_t *loader, const gh_node_t *node);

/* ---- places ---- */

typedef struct {
    gh_facts_t *const      *facts;       /* a set is united over all of them */
    size_t                  facts_count;
    const gh_model_place_t *own;         /* the policy's places, resolved; NULL: none */
    uint32_t                own_count;
    gh_str_list_t          *used;        /* receives the names of the sets that were named; NULL: nobody asks */
} gh_place_scope_t;

/* A list of codes, sets and own places. Empty gives none. false when anything was reported. */
bool gh_doc_places(gh_loader_t *loader, const gh_node_t *list, const gh_place_scope_t *scope, gh_places_t *places);
/* "DE SE", "?", or the first few and how many more. */
gh_str_t gh_doc_some_places(gh_loader_t *loader, gh_places_t places);
/* What gh_doc_near says of a region that the newest facts do not have. */
const char *gh_doc_near_region(gh_loader_t *loader, gh_str_t provider, gh_str_t region);
/* A single ISO code: index, or -1 and reported. */
int gh_doc_country(gh_loader_t *loader, const gh_node_t *node);
/* The member "places" of a policy: resolves one through another, refuses cycles. scope->own is set to the result. */
void gh_doc_own_places(gh_loader_t *loader, const gh_node_t *object, gh_place_scope_t *scope);

#endif
