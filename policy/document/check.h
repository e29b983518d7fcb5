/* The parts of gh_documents_check: what only the whole set of documents can show. Each reports what it finds. */
#ifndef GH_CHECK_H
#define GH_CHECK_H

#include "policy/document/reading.h"

/* Patterns that cover nothing. errors_only: without those that are only warned of. */
void gh_check_patterns(gh_loader_t *loader, bool errors_only);

/* Policies reviewed against older facts: what their sets gained and lost since. */
void gh_check_facts(gh_loader_t *loader);

/* Classes nobody is given, rules that never match, forbids that leave nothing. Of a set without errors. */
void gh_check_rules(gh_loader_t *loader);

#endif
