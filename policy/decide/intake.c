#include "policy/decide/intake.h"

const char *const gh_endpoint_names[GH_ENDPOINTS] = { "chat.completions", "completions", "embeddings" };
