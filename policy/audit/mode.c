#include "policy/audit/mode.h"

#include <stddef.h>

const char *const gh_audit_names[] = { [GH_AUDIT_REQUIRED] = "required", [GH_AUDIT_BEST_EFFORT] = "best-effort", NULL };
