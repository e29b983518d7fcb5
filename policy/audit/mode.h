/* How much of a request has to be in the record before anything of it is sent: "audit" of residency/1 and tenants/1. */
#ifndef GH_AUDIT_MODE_H
#define GH_AUDIT_MODE_H

typedef enum {
    GH_AUDIT_REQUIRED = 0,            /* its decision: without it nothing is sent */
    GH_AUDIT_BEST_EFFORT              /* its decision if it can be written, else a gap that says so (gap.h) */
} gh_audit_mode_t;

extern const char *const gh_audit_names[];   /* by mode; ends in NULL */

#endif
