/* The templates of `gatehouse policy new`, from conf/templates. */
#ifndef GH_CLI_TEMPLATES_H
#define GH_CLI_TEMPLATES_H

#include <stddef.h>

#define GH_TEMPLATE_FILES 5

typedef struct {
    const char *begin, *end;      /* its bytes; "ORGANISATION" in them stands for the organisation's name */
} gh_template_file_t;

typedef struct {
    const char        *name;
    const char        *summary;
    gh_template_file_t files[GH_TEMPLATE_FILES];   /* by gh_template_paths */
} gh_template_t;

/* Where each file is written, below the directory of --out. */
extern const char *const   gh_template_paths[GH_TEMPLATE_FILES];
extern const gh_template_t gh_templates[];
extern const size_t        gh_template_count;

#endif
