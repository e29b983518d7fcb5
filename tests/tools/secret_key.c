/*
 * The way of an API key to its hash, with its bytes marked as undefined: under valgrind's memcheck each branch and each memory access that depended on one of them would be an
 * error. secret_key own | foreign | control; the last looks at the bytes, and has to be found out. What a key begins with is no secret.
 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "policy/identity/key.h"

int
main(int argc, char **argv)
{
    const char   *what = argc > 1 ? argv[1] : "own";
    bool          foreign = strcmp(what, "foreign") == 0;
    uint8_t       random[32], hash[32], subkey[32] = { 1 };
    char          text[GH_KEY_TEXT];
    size_t        open = foreign ? 3 : sizeof("gh_") - 1;
    gh_hmac_t    *hmac = gh_hmac_new(subkey, sizeof(subkey));
    gh_key_form_t shape;
    int           rc;

    for (int i = 0; i < 32; i++) {
        random[i] = (uint8_t) (7 * i + 3);
    }
    gh_key_text(random, text);
    if (foreign) {
        memcpy(text, "sk-", 3);
    }
    VALGRIND_MAKE_MEM_UNDEFINED(text + open, sizeof(text) - open);
    if (strcmp(what, "control") == 0) {
        printf("%d\n", gh_key_well_formed((gh_str_t) { text, sizeof(text) }));
        return 0;
    }
    shape = gh_key_shape((gh_str_t) { text, sizeof(text) });
    VALGRIND_MAKE_MEM_DEFINED(&shape, sizeof(shape));          /* that it can be a key at all */
    rc = gh_key_presented_hash(hmac, shape, (gh_str_t) { text, sizeof(text) }, hash);
    VALGRIND_MAKE_MEM_DEFINED(hash, sizeof(hash));             /* what is looked up, which says nothing of the key */
    printf("%d %d %02x%02x\n", (int) shape, rc, hash[0], hash[1]);
    gh_hmac_free(hmac);
    return shape == (foreign ? GH_KEY_FOREIGN : GH_KEY_OWN) && rc == GH_OK ? 0 : 1;
}
