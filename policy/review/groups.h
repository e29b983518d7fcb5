/*
 * The apps and keys that nothing in some images tells apart: the same profile and the same patterns of tenants cover them. What
 * is decided for one of a group is decided for all of it, so a million tenants take as many decisions as they differ in ways.
 */
#ifndef GH_REVIEW_GROUPS_H
#define GH_REVIEW_GROUPS_H

#include "policy/base/error.h"
#include "policy/review/keys.h"

#define GH_REVIEW_SIDES_MAX 2

typedef struct {
    uint32_t app;                 /* index of apps */
    uint32_t key;                 /* index of keys; 0: any key, or any other than those that patterns name */
} gh_review_member_t;

typedef struct {
    gh_str_t path;                /* "org/tenant/app" of the first member */
    gh_str_t key;                 /* a key name that stands for it */
    int32_t  profile[GH_REVIEW_SIDES_MAX];   /* index in each image; -1: tenants/1 does not list the app there */
    uint32_t first, count;        /* of members */
} gh_review_group_t;

typedef struct {
    gh_str_t           *apps;     /* paths of every app that any image lists, sorted */
    uint32_t            app_count;
    gh_review_key_t    *keys;
    uint32_t            key_count;
    gh_review_member_t *members;  /* by group, then app */
    uint32_t            member_count;
    gh_review_group_t  *groups;   /* by first member */
    uint32_t            group_count;
} gh_review_groups_t;

/*
 * Images must hold their apps (gh_compile_image); everything borrows from them and from the arena. more: patterns besides the images' own that
 * are to tell apps and keys apart. GH_ERROR: out of memory.
 */
int gh_review_groups_make(gh_arena_t *arena, const gh_image_t *const *images, uint32_t image_count, const gh_str_t *more,
    uint32_t more_count, gh_review_groups_t *groups, gh_error_t *error);

#endif
