/*
 * Any bytes as a token, as its header and claims under a made-up signature, and as a JWKS: what nobody signed is never accepted. And as a file of an issuer's keys: what is read of one,
 * written and read again is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/base/base64.h"
#include "policy/base/json_writer.h"
#include "policy/identity/issuers.h"
#include "policy/identity/key_sets.h"
#include "tests/fuzz/standalone.h"

static const char document[] =
    "{\"organisation\":\"o\",\"issuers\":[{\"id\":\"i\",\"issuer\":\"joe\",\"audiences\":[\"a\"],\"algorithms\":[\"ES256\",\"EdDSA\"],\"keys\":{\"keys\":["
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]},\"user\":\"sub\",\"apps\":[{\"when\":{},\"app\":\"t/a\"}],"
    "\"classes\":[{\"when\":{\"/a/b\":\"c\"},\"classes\":[\"x\"]}]}]}";

static size_t
put_part(char *out, const uint8_t *data, size_t len)
{
    size_t n = gh_base64url(data, len, out);

    out[n] = '.';
    return n + 1;
}

static void
read_file(gh_arena_t *arena, gh_str_t text)
{
    size_t           size = text.len * 6 + 1024;
    gh_key_file_t    file, again;
    gh_error_t       error = { 0 };
    gh_json_writer_t w;
    char            *out = gh_arena_alloc(arena, size);

    if (gh_key_file_read(arena, text, "file", &file, &error) != GH_OK) {
        if (error.code == NULL || file.keys != NULL) {
            abort();
        }
        return;
    }
    gh_json_writer_init(&w, out, size);
    gh_key_file_write(&w, &file);
    if (!gh_json_writer_ok(&w) || gh_key_file_read(arena, (gh_str_t) { w.data, w.len }, "again", &again, &error) != GH_OK || again.fetched_ms != file.fetched_ms
        || again.until_ms != file.until_ms || !gh_str_eq(again.source, file.source) || !gh_str_eq(again.id, file.id) || !gh_str_eq(again.organisation, file.organisation)
        || !gh_str_eq(again.etag, file.etag) || !gh_str_eq(again.text, file.text) || again.keys->usable != file.keys->usable)
    {
        abort();
    }
    gh_jwks_free(file.keys);
    gh_jwks_free(again.keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gh_issuers_t *issuers;
    static char          text[GH_JWT_MAX * 2];
    gh_error_t           error = { 0 };
    gh_caller_t           token;
    gh_jwks_t           *set;
    gh_heap_t            heap;
    gh_jwt_t             jwt;
    size_t               half = size / 2, len;

    if (issuers == NULL) {
        issuers = gh_issuers_new();
        if (issuers == NULL || gh_issuers_add(issuers, gh_str_from(document), &error) != GH_OK) {
            abort();
        }
    }
    gh_heap_init(&heap);
    if (gh_issuers_judge(issuers, &heap.arena, (gh_str_t) { (const char *) data, size }, 1, &token, &error) == GH_OK) {
        abort();
    }
    if (size < GH_JWT_MAX / 2) {
        len = put_part(text, data, half);
        len += put_part(text + len, data + half, size - half);
        memset(text + len, 'A', 86);
        if (gh_issuers_judge(issuers, &heap.arena, (gh_str_t) { text, len + 86 }, 1, &token, &error) == GH_OK || error.code == NULL) {
            abort();
        }
        if (gh_jwt_parse(&heap.arena, (gh_str_t) { text, len + 86 }, &jwt, &error) == GH_OK) {
            uint64_t begin, end;

            gh_jwt_times(&jwt, 1000, &begin, &end, &error);
            gh_jwt_claim_has(&jwt, (gh_str_t) { (const char *) data, half }, GH_STR("x"));
        }
    }
    if (gh_jwks_read((gh_str_t) { (const char *) data, size }, "set", &set, &error) == GH_OK && (set->usable == 0 || set->count > GH_JWKS_KEYS_MAX)) {
        abort();
    }
    gh_jwks_free(set);
    read_file(&heap.arena, (gh_str_t) { (const char *) data, size });
    gh_heap_free(&heap);
    return 0;
}
