/*
 * tenants/1: what a level says is held against what the levels above it say. A level below can only narrow: what would say more than is allowed above means nothing, and
 * whoever wrote it thinks otherwise, so it is refused with both places. Private to tenants_*.c.
 */
#ifndef GH_TENANTS_INHERIT_H
#define GH_TENANTS_INHERIT_H

#include "policy/document/reading.h"

#define GH_INHERITED_MAX    3
#define GH_INHERITED_LIMITS 7          /* of three levels, and of each key and each user: what holds from above, and what is said */

typedef struct {                       /* by value: what a level adds holds for what is below it */
    struct { gh_str_list_t list; gh_where_t where; } models[GH_INHERITED_MAX];
    struct { gh_places_t places; gh_where_t where; } places[GH_INHERITED_MAX];
    gh_limit_list_t limits[GH_INHERITED_LIMITS];
    unsigned        model_count, place_count, limit_count;
    uint64_t        max_output;        /* 0: not said */
    gh_where_t      max_output_where;
    bool            audit_required;    /* a level says "required" */
    gh_where_t      audit_where;
} gh_inherited_t;

/* Is whatever the pattern of models fits fitted by one of the list, too? */
bool gh_inherit_pattern_inside(gh_str_t pattern, const gh_str_list_t *list);

/* Each reports what is more than is allowed above, and is then what the levels below are held against. node NULL: nothing is said. That of places: false: it was reported. */
void gh_inherit_models(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node, const gh_str_list_t *list);
bool gh_inherit_places(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node, gh_places_t places);
void gh_inherit_max_output(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node);
void gh_inherit_audit(gh_loader_t *loader, gh_inherited_t *above, const gh_node_t *node);

/* A limit that can never be reached, because the same is limited lower above. "shadow" refuses nothing, and is not held against anything. */
void gh_inherit_limits(gh_loader_t *loader, gh_inherited_t *above, gh_limit_list_t limits);

/* Others are held against these, which were looked at already. */
void gh_inherit_held(gh_inherited_t *above, gh_limit_list_t limits);

#endif
