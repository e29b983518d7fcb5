/* A template is a folder of conf/templates and a row here. */
#include "policy/cli/templates.h"

#include "policy/base/embed.h"

#define TEMPLATE(symbol, folder)                                                        \
    GH_EMBED(gh_template_##symbol##_residency, "conf/templates/" folder "/residency.json"); \
    GH_EMBED(gh_template_##symbol##_fleet, "conf/templates/" folder "/fleet.json");         \
    GH_EMBED(gh_template_##symbol##_tenants, "conf/templates/" folder "/tenants.json");     \
    GH_EMBED(gh_template_##symbol##_cases, "conf/templates/" folder "/cases.json");         \
    GH_EMBED(gh_template_##symbol##_readme, "conf/templates/" folder "/README.md")

TEMPLATE(eu_only, "eu-only");
TEMPLATE(us_hipaa, "us-hipaa");
TEMPLATE(global_saas, "global-saas");
TEMPLATE(public_sector_de, "public-sector-de");

#define FILE_OF(symbol, file) { gh_template_##symbol##_##file##_begin, gh_template_##symbol##_##file##_end }
#define ROW(name, symbol, summary)                                                                                   \
    { name, summary, { FILE_OF(symbol, residency), FILE_OF(symbol, fleet), FILE_OF(symbol, tenants), FILE_OF(symbol, cases), \
                       FILE_OF(symbol, readme) } }

const char *const gh_template_paths[GH_TEMPLATE_FILES] = {
    "policy/residency.json", "policy/fleet.json", "policy/tenants.json", "cases.json", "README.md"
};

const gh_template_t gh_templates[] = {
    ROW("eu-only", eu_only, "everything stays in the European Union"),
    ROW("us-hipaa", us_hipaa, "health information under a business associate agreement"),
    ROW("global-saas", global_saas, "customers on several continents, each by its contract"),
    ROW("public-sector-de", public_sector_de, "German public authorities: open, official, restricted"),
};

const size_t gh_template_count = sizeof(gh_templates) / sizeof(gh_templates[0]);
