/*
 * Two facts artefacts instead of the project's, made from it: in the newer one the EEA has gained Switzerland and lost Norway, FIVE is
 * gone, and everything else is the same. Call make_artefacts first.
 */
#ifndef GH_TEST_TWO_FACTS_H
#define GH_TEST_TWO_FACTS_H

#include <openssl/evp.h>
#include <string.h>

#include "residency/facts.h"
#include "residency/facts_data.h"
#include "tests/unit/check.h"

#define SIZE (1 << 20)

static char          older[SIZE], newer[SIZE], older_signature[64], newer_signature[64];
static unsigned char key[32];

/* Stand for residency/facts_data.c. The bytes are as long as the arrays: what follows the text is space. */
const gh_facts_data_t gh_facts_data[] = {
    { "regions/2026-12-24", newer, newer + SIZE, newer_signature, key },
    { "regions/2026-11-21", older, older + SIZE, older_signature, key },
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

/* With a key of this run. */
static void
sign(EVP_PKEY *pair, const char *text, char *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t      len = 64;

    CHECK(EVP_DigestSignInit(context, NULL, NULL, NULL, pair) == 1
          && EVP_DigestSign(context, (unsigned char *) signature, &len, (const unsigned char *) text, SIZE) == 1 && len == 64);
    EVP_MD_CTX_free(context);
}

static void
sign_artefacts(void)
{
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    size_t    len = sizeof(key);

    CHECK(pair != NULL && EVP_PKEY_get_raw_public_key(pair, key, &len) == 1);
    sign(pair, older, older_signature);
    sign(pair, newer, newer_signature);
    EVP_PKEY_free(pair);
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
    sign_artefacts();
}

#endif
