/*
 * Two facts artefacts instead of the project's, made from it: in the newer one the EEA has gained Switzerland and lost Norway, FIVE is
 * gone, and everything else is the same. Call make_artefacts first.
 */
#ifndef GH_TEST_TWO_FACTS_H
#define GH_TEST_TWO_FACTS_H

#include "residency/facts_data.h"
#include "tests/unit/check.h"

#define SIZE (1 << 20)

static char older[SIZE], newer[SIZE];

/* Stand for residency/facts_data.c. The bytes are as long as the arrays: what follows the text is space. */
const gh_facts_data_t gh_facts_data[] = {
    { "regions/2026-12-24", newer, newer + SIZE },
    { "regions/2026-11-21", older, older + SIZE },
};
const size_t gh_facts_data_count = 2;

/* The first `what` behind `from` becomes `by`, which is as long. */
static void
replace(char *text, const char *from, const char *what, const char *by)
{
    char *at = strstr(text, from);

    at = at == NULL ? NULL : strstr(at, what);
    CHECK(at != NULL && strlen(what) == strlen(by));
    if (at != NULL) {
        memcpy(at, by, strlen(by));
    }
}

static void
make_artefacts(void)
{
    FILE  *file = fopen("residency/data/regions-2026-11-21.json", "rb");
    size_t len = file == NULL ? 0 : fread(older, 1, SIZE - 1, file);

    CHECK(len > 1000 && len < SIZE - 1);
    if (file != NULL) {
        fclose(file);
    }
    memcpy(newer, older, len);
    replace(newer, "\"name\"", "2026-11-21", "2026-12-24");
    replace(newer, "\"EEA\"", "\"NO\"", "\"CH\"");
    replace(newer, "\"sets\"", "\"FIVE\"", "\"SIX6\"");
    memset(older + len, ' ', SIZE - len);
    memset(newer + len, ' ', SIZE - len);
}

#endif
