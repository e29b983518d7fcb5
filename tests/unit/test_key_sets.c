/*
 * Files of issuers' keys, as the agent leaves them: random histories of files that are replaced, taken away and damaged, against a list of what each last said. GH_HISTORIES=1000 for longer.
 */
#include "policy/identity/key_sets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy/base/json_writer.h"
#include "policy/identity/rules.h"
#include "tests/unit/check.h"

#define ISSUERS 4
#define SOURCES 3
#define STEPS   60

typedef struct {
    bool     known;                   /* a file of it was read, and is there */
    int      source, keys;
    uint64_t until_ms;
} said_t;

static const char *const jwks[] = {
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"
};
static char     directory[] = "/tmp/gatehouse-key-sets-XXXXXX";
static uint64_t random_state;

static uint32_t
chance(uint32_t below)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t) (random_state >> 33) % below;
}

static void
paths(int issuer, char path[128], char beside[128])
{
    snprintf(path, 128, "%s/acme.i%d.json", directory, issuer);
    snprintf(beside, 128, "%s/.new", directory);
}

/* As the agent does: written beside it, and renamed. */
static void
replace(int issuer, const char *text, size_t len)
{
    char path[128], beside[128];
    int  fd;

    paths(issuer, path, beside);
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd != -1 && write(fd, text, len) == (ssize_t) len && close(fd) == 0 && rename(beside, path) == 0);
}

static void
fill(gh_key_file_t *file, int issuer, const said_t *said, char names[2][32])
{
    snprintf(names[0], 32, "i%d", issuer);
    snprintf(names[1], 32, "jwks_uri https://s%d", said->source);
    *file = (gh_key_file_t) { .organisation = GH_STR("acme"), .id = gh_str_from(names[0]), .source = gh_str_from(names[1]), .etag = GH_STR(""), .text = gh_str_from(jwks[said->keys]),
                              .fetched_ms = 1, .until_ms = said->until_ms };
}

/* One thing happens to one file. true: keys, or whose they are, are others than before. */
static bool
step(said_t *said, int issuer)
{
    said_t           now = { true, (int) chance(SOURCES), (int) chance(2), 1000 + chance(1000) };
    char             path[128], beside[128], out[2048], names[2][32];
    gh_json_writer_t w;
    gh_key_file_t    file;
    bool             changed;

    paths(issuer, path, beside);
    switch (chance(6)) {
    case 0:
        changed = said->known;
        said->known = false;
        (void) unlink(path);
        return changed;
    case 1:                                          /* what was there of it stays, if it was */
        replace(issuer, "{\"kind\":\"keys/1\"}", 1 + 15 * chance(2));
        return false;
    default:
        fill(&file, issuer, &now, names);
        gh_json_writer_init(&w, out, sizeof(out));
        gh_key_file_write(&w, &file);
        replace(issuer, w.data, w.len);
        changed = !said->known || said->source != now.source || said->keys != now.keys;
        *said = now;
        return changed;
    }
}

static void
compare(const gh_key_sets_t *sets, const said_t said[ISSUERS])
{
    for (int i = 0; i < ISSUERS; i++) {
        for (int s = 0; s < SOURCES; s++) {
            char             names[2][32];
            gh_key_file_t    file;
            uint64_t         until_ms = 0;
            const gh_jwks_t *keys;

            fill(&file, i, &(said_t) { true, s, 0, 0 }, names);
            keys = gh_key_sets_find(sets, gh_rules_number(file.organisation, file.id), file.source, &until_ms);
            CHECK((keys != NULL) == (said[i].known && said[i].source == s));
            if (keys != NULL) {
                CHECK_INT(until_ms, said[i].until_ms);
                CHECK_INT(keys->count, said[i].keys + 1);
            }
        }
    }
}

static void
history(uint64_t seed)
{
    said_t         said[ISSUERS] = { { 0 } };
    gh_key_sets_t *sets = gh_key_sets_new();
    gh_error_t     error;

    random_state = seed * 0x9e3779b97f4a7c15ull + 1;
    for (int i = 0; i < STEPS; i++) {
        int  issuer = (int) chance(ISSUERS);
        bool changed = step(&said[issuer], issuer);

        CHECK_INT(gh_key_sets_look(sets, directory, 0, &error), changed);
        CHECK(!gh_key_sets_look(sets, directory, 0, &error));       /* nothing is other than it was */
        compare(sets, said);
    }
    for (int i = 0; i < ISSUERS; i++) {
        char path[128], beside[128];

        paths(i, path, beside);
        (void) unlink(path);
        said[i].known = false;
    }
    (void) gh_key_sets_look(sets, directory, 0, &error);
    compare(sets, said);
    gh_key_sets_free(sets);
}

int
main(void)
{
    const char *count = getenv("GH_HISTORIES");
    long        histories = count != NULL ? strtol(count, NULL, 10) : 40;

    CHECK(mkdtemp(directory) != NULL);
    for (long i = 0; i < histories; i++) {
        history((uint64_t) i + 1);
    }
    CHECK(rmdir(directory) == 0);
    return check_done("key sets");
}
