/*
 * Who presents tokens and certificates to a store: what is kept ends when it has to, an edit holds for the next look and for what runs, and what is presented together has to
 * agree.
 */
#include "policy/identity/attempts.h"

#include <sys/wait.h>
#include <unistd.h>

#include "policy/identity/mint.h"
#include "policy/store/store_internal.h"
#include "tests/unit/caller_world.h"

static gh_heap_t        heap;
static gh_certificate_t chat, hr, stranger;   /* of the apps chat and hr; the last of another authority */
static X509            *root;

#define EXP 600000ull                  /* ms from WORLD_NOW at which tokens end */

/* azp: what tokens of the app chat say; name: what its certificates are called. */
static gh_str_t
document(const char *azp, const char *name)
{
    return gh_str_format(&heap.arena, "{\"kind\":\"identity/1\",\"organisation\":\"nord\",\"issuers\":["
        "{\"id\":\"login\",\"issuer\":\"i\",\"audiences\":[\"api\",\"b\"],\"algorithms\":[\"ES256\"],\"user\":\"sub\",\"keys\":{\"keys\":[%.*s]},"
        "\"apps\":[{\"when\":{\"azp\":\"%s\"},\"app\":\"retail/chat\"},{\"when\":{\"azp\":\"h\"},\"app\":\"retail/hr\"}],"
        "\"classes\":[{\"when\":{\"groups\":\"g\"},\"classes\":[\"secret\"]}]},"
        "{\"id\":\"third\",\"issuer\":\"i\",\"audiences\":[\"third\"],\"algorithms\":[\"ES256\"],\"keys\":{\"keys\":[%.*s]},\"apps\":[{\"when\":{},\"app\":\"retail/hr\"}]}],"
        "\"certificates\":[{\"id\":\"mesh\",\"authorities\":[\"%.*s\"],\"user\":\"dns\",\"apps\":[{\"when\":{\"dns\":\"%s\"},\"app\":\"retail/chat\"},"
        "{\"when\":{\"dns\":\"hr.example\"},\"app\":\"retail/hr\"}],\"classes\":[{\"when\":{\"dns\":\"%s\"},\"classes\":[\"internal\"]}]}]}",
        GH_STR_ARG(caller_key(&heap.arena)), azp, GH_STR_ARG(caller_key(&heap.arena)), GH_STR_ARG(caller_sha256(&heap.arena, root)), name, name);
}

/* The code of an error, or "ok". */
static const char *
identify(gh_store_t *store, const char *presented, const gh_certificate_t *certificate, uint64_t now_ms, gh_identity_t *identity)
{
    static gh_error_t error;

    memset(&error, 0, sizeof(error));
    return gh_store_identify_client(store, gh_str_from(presented), certificate, now_ms, &heap.arena, identity, NULL, &error) == GH_OK ? "ok" : error.code;
}

static const char *
again(gh_store_t *store, const gh_identity_t *before, uint64_t now_ms)
{
    static gh_error_t error;
    gh_identity_t     identity;

    memset(&error, 0, sizeof(error));
    return gh_store_identify_again(store, before, now_ms, &heap.arena, &identity, NULL, &error) == GH_OK ? "ok" : error.code;
}

static void
token(const char *more, char out[1024])
{
    char claims[512];

    snprintf(claims, sizeof(claims), "{\"iss\":\"i\",\"exp\":%llu%s}", (unsigned long long) (WORLD_NOW + EXP) / 1000, more);
    caller_token(claims, out);
}

#define IS(got, code) CHECK_STR(gh_str_from(got), code)

static void
test_tokens(gh_store_t *store)
{
    char          good[1024], other[1024], text[1024];
    gh_identity_t identity;

    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"anna\"", good);
    for (int i = 0; i < 2; i++) {                                        /* judged, then kept */
        IS(identify(store, good, NULL, WORLD_NOW + (uint64_t) i, &identity), "ok");
        CHECK(gh_str_is(identity.path, "nord/retail/chat") && gh_str_is(identity.user, "anna") && gh_str_is(identity.key, "@login") && identity.own_classes.len == 0);
    }
    IS(identify(store, good, NULL, WORLD_NOW + EXP - 1, &identity), "ok");
    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"bert\",\"groups\":[\"f\",\"g\"],\"nbf\":1", other);
    IS(identify(store, other, NULL, WORLD_NOW + EXP - 1, &identity), "ok");
    CHECK(gh_str_is(identity.own_classes, "secret"));
    token(",\"aud\":[\"x\",\"b\"],\"azp\":\"h\",\"sub\":\"anna\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "ok");
    CHECK_STR(identity.path, "nord/retail/hr");
    token(",\"aud\":\"third\",\"azp\":\"c\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "ok");
    CHECK(gh_str_is(identity.path, "nord/retail/hr") && gh_str_is(identity.key, "@third") && identity.user.len == 0);
    token(",\"aud\":[\"third\",\"api\"],\"azp\":\"c\",\"sub\":\"anna\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "token_ambiguous");
    token(",\"aud\":\"apis\",\"azp\":\"c\",\"sub\":\"anna\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "token_audience");
    token(",\"azp\":\"c\",\"sub\":\"anna\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "token_audience");
    token(",\"aud\":\"api\",\"azp\":\"d\",\"sub\":\"anna\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "token_unmapped");
    token(",\"aud\":\"api\",\"azp\":[\"c\",\"h\"],\"sub\":\"anna\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "token_ambiguous");
    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"an\\u0001na\"", text);
    IS(identify(store, text, NULL, WORLD_NOW + EXP - 1, &identity), "token_user");
    IS(identify(store, good, NULL, WORLD_NOW + EXP, &identity), "token_expired");           /* kept, and over */
}

/* While the worker refuses many, forged tokens of one address are refused unseen after some; what was accepted, edits in between, and other addresses are not held back. */
static void
test_forged(gh_store_t *store, const char *key)
{
    static const uint8_t one[4] = { 10, 0, 0, 1 }, two[4] = { 10, 0, 0, 2 }, three[4] = { 10, 0, 0, 3 };
    char                 good[1024], fresh[1024], forged[1024], expired[1024], unmapped[1024], more[64];
    gh_identity_t        identity;
    gh_error_t           error;
    pid_t                editor;
    int                  status;

    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"anna\"", good);
    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"fresh\"", fresh);
    caller_token("{\"iss\":\"i\",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"anna\",\"exp\":1}", expired);
    token(",\"aud\":\"api\",\"azp\":\"d\",\"sub\":\"anna\"", unmapped);
    gh_store_from(store, (gh_bytes_t) { three, sizeof(three) });
    for (unsigned i = 0; i < GH_ATTEMPTS_ALL_BURST; i++) {              /* until then nothing needs protection */
        IS(identify(store, unmapped, NULL, WORLD_NOW, &identity), "token_unmapped");
    }
    IS(identify(store, unmapped, NULL, WORLD_NOW, &identity), "token_attempts");
    gh_store_from(store, (gh_bytes_t) { one, sizeof(one) });
    IS(identify(store, good, NULL, WORLD_NOW, &identity), "ok");
    for (unsigned i = 0; i < GH_ATTEMPTS_BURST; i++) {
        snprintf(more, sizeof(more), ",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"u%u\"", i);
        token(more, forged);
        forged[strlen(forged) - 10] = forged[strlen(forged) - 10] == 'A' ? 'B' : 'A';
        IS(identify(store, i % 3 == 2 ? unmapped : forged, NULL, WORLD_NOW, &identity), i % 3 == 2 ? "token_unmapped" : "token_signature");
        IS(identify(store, expired, NULL, WORLD_NOW, &identity), i + 1 < GH_ATTEMPTS_BURST ? "token_expired" : "token_attempts");
        token(",\"aud\":\"apis\",\"azp\":\"c\"", forged);
        IS(identify(store, forged, NULL, WORLD_NOW, &identity), i + 1 < GH_ATTEMPTS_BURST ? "token_audience" : "token_attempts");   /* no signature was looked at: it costs none */
    }
    CHECK_INT(gh_store_attempts_wait_ms(store), GH_ATTEMPTS_ALL_BACK_MS);
    IS(identify(store, fresh, NULL, WORLD_NOW, &identity), "token_attempts");
    IS(identify(store, good, NULL, WORLD_NOW, &identity), "ok");
    IS(identify(store, key, NULL, WORLD_NOW, &identity), "ok");
    editor = fork();                                                     /* a process opens a store once */
    if (editor == 0) {
        char        made[GH_KEY_TEXT + 1];
        gh_store_t *writable = store_open(true, &error);

        _exit(writable == NULL || store_new_key(writable, "chat", "other", 3, 0, made, &error) != GH_OK);
    }
    CHECK(editor > 0 && waitpid(editor, &status, 0) == editor && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* nobody is known any more */
    IS(identify(store, good, NULL, WORLD_NOW, &identity), "ok");
    IS(identify(store, fresh, NULL, WORLD_NOW, &identity), "token_attempts");
    gh_store_from(store, (gh_bytes_t) { two, sizeof(two) });
    IS(identify(store, fresh, NULL, WORLD_NOW, &identity), "ok");
    gh_store_from(store, (gh_bytes_t) { one, sizeof(one) });
    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"later\"", fresh);
    IS(identify(store, fresh, NULL, WORLD_NOW + GH_ATTEMPTS_ALL_BACK_MS - 1, &identity), "token_attempts");
    IS(identify(store, fresh, NULL, WORLD_NOW + GH_ATTEMPTS_ALL_BACK_MS, &identity), "ok");
    gh_store_from(store, (gh_bytes_t) { NULL, 0 });
}

static void
test_certificates(gh_store_t *store, const char *key, const char *other)
{
    gh_identity_t identity;
    char          text[1024];

    for (int i = 0; i < 2; i++) {
        IS(identify(store, "", &chat, WORLD_NOW, &identity), "ok");
        CHECK(gh_str_is(identity.path, "nord/retail/chat") && gh_str_is(identity.key, "@mesh") && gh_str_is(identity.user, "chat.example") && identity.keyless);
        CHECK(gh_str_is(identity.own_classes, "internal") && identity.certificate == &chat);
    }
    IS(identify(store, key, &chat, WORLD_NOW, &identity), "ok");
    CHECK(gh_str_is(identity.key, "one") && identity.user.len == 0 && gh_str_is(identity.own_classes, "internal") && !identity.keyless);
    IS(identify(store, key, NULL, WORLD_NOW, &identity), "ok");
    CHECK(identity.own_classes.len == 0 && identity.certificate == NULL);
    IS(identify(store, other, &chat, WORLD_NOW, &identity), "certificate_conflict");
    IS(identify(store, key, &hr, WORLD_NOW, &identity), "certificate_conflict");
    IS(identify(store, other, &hr, WORLD_NOW, &identity), "ok");
    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"anna\",\"groups\":\"g\"", text);
    IS(identify(store, text, &chat, WORLD_NOW, &identity), "ok");
    CHECK(gh_str_is(identity.user, "anna") && gh_str_is(identity.own_classes, "secret,internal"));
    IS(identify(store, text, &hr, WORLD_NOW, &identity), "certificate_conflict");
    IS(identify(store, "", &stranger, WORLD_NOW, &identity), "certificate_unknown");
    IS(identify(store, key, &stranger, WORLD_NOW, &identity), "ok");
    CHECK(gh_str_is(identity.path, "nord/retail/chat") && identity.own_classes.len == 0);
    IS(identify(store, "", NULL, WORLD_NOW, &identity), "key_malformed");
    IS(identify(store, "gh_x", &chat, WORLD_NOW, &identity), "key_malformed");
    IS(identify(store, "", &chat, chat.not_after_ms, &identity), "certificate_expired");    /* kept, and over; last, since time does not go back */
}

/* What runs goes on when its token expires, and ends when an edit takes its meaning away. */
static void
test_again(void)
{
    char          good[1024], key[GH_KEY_TEXT + 1];
    gh_identity_t of_token, of_certificate, of_both;
    gh_error_t    error;
    gh_store_t   *store;

    if (!CHECK(store_make()) || !CHECK((store = store_open(true, &error)) != NULL)) {
        return;
    }
    CHECK_INT(caller_apply(store, &heap.arena, store_tenants_more, document("c", "chat.example")), GH_OK);
    CHECK_INT(store_new_key(store, "chat", "one", 1, 0, key, &error), GH_OK);
    token(",\"aud\":\"api\",\"azp\":\"c\",\"sub\":\"anna\"", good);
    IS(identify(store, good, NULL, WORLD_NOW, &of_token), "ok");
    IS(identify(store, "", &chat, WORLD_NOW, &of_certificate), "ok");
    IS(identify(store, key, &chat, WORLD_NOW, &of_both), "ok");
    IS(again(store, &of_token, WORLD_NOW + EXP + 1), "ok");
    IS(again(store, &of_certificate, WORLD_NOW + EXP + 1), "ok");
    IS(again(store, &of_both, WORLD_NOW + EXP + 1), "ok");
    CHECK_INT(caller_apply(store, &heap.arena, store_tenants_more, document("x", "x.example")), GH_OK);
    IS(again(store, &of_token, WORLD_NOW + EXP + 1), "token_unmapped");
    IS(again(store, &of_certificate, WORLD_NOW + EXP + 1), "certificate_unmapped");
    IS(again(store, &of_both, WORLD_NOW + EXP + 1), "certificate_unmapped");
    CHECK_INT(caller_apply(store, &heap.arena, store_tenants_more, document("c", "chat.example")), GH_OK);
    IS(again(store, &of_token, WORLD_NOW + EXP + 1), "ok");
    IS(again(store, &of_both, WORLD_NOW + EXP + 1), "ok");
    CHECK_INT(gh_store_key_revoke(store, GH_STR("nord/retail/chat/one"), WORLD_NOW, GH_STR("tests"), NULL, &error), GH_OK);
    IS(again(store, &of_both, WORLD_NOW + EXP + 1), "key_revoked");
    gh_store_close(store);
    store_remove();
}

/* More limits than can be counted are no damage of the store: the error says what is wrong. */
static void
test_too_many_limits(void)
{
    gh_identity_t identity = { .path = GH_STR("nord/retail/chat") };
    gh_limit_t    limit = { .level = GH_LEVEL_KEY, .amount = 1 };
    gh_error_t    error = { 0 };

    for (uint32_t i = 0; i < GH_LIMITS_MAX; i++) {
        limit.model = i + 1;
        CHECK_INT(gh_store_own_limits(&identity, &limit, 1, &error), GH_OK);
    }
    limit.model = 1;
    CHECK_INT(gh_store_own_limits(&identity, &limit, 1, &error), GH_OK);                     /* there is one of these */
    limit.model = GH_LIMITS_MAX + 1;
    CHECK_INT(gh_store_own_limits(&identity, &limit, 1, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "too_many_limits");
}

/* What a key makes lies within what it may. */
static void
test_mint(void)
{
    static const struct { const char *path; gh_identity_t minter; const char *asked; uint64_t until_ms; const char *code, *classes; uint64_t end_ms; } cases[] = {
        { "o/t/a", { .path = { "o/t/a", 5 } }, "", 0, "ok", "", 0 },
        { "o/t/a", { .path = { "o/t/a", 5 } }, "x", 9, "ok", "x", 9 },
        { "o/t/b", { .path = { "o/t/a", 5 } }, "", 0, "mint_elsewhere", "", 0 },
        { "o/t/ab", { .path = { "o/t/a", 5 } }, "", 0, "mint_elsewhere", "", 0 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .not_after_ms = 9 }, "", 0, "ok", "", 9 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .not_after_ms = 9 }, "", 9, "ok", "", 9 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .not_after_ms = 9 }, "", 8, "ok", "", 8 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .not_after_ms = 9 }, "", 10, "mint_longer", "", 0 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .own_classes = { "s", 1 } }, "", 0, "ok", "s", 0 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .own_classes = { "s", 1 } }, "x,y", 0, "ok", "s,x,y", 0 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .token = { "e", 1 } }, "", 0, "mint_no_key", "", 0 },
        { "o/t/a", { .path = { "o/t/a", 5 }, .keyless = true }, "", 0, "mint_no_key", "", 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gh_minted_t minted = { .classes = gh_str_from(cases[i].asked), .not_after_ms = cases[i].until_ms };
        gh_error_t  error = { 0 };
        int         rc = gh_mint_within(&cases[i].minter, GH_STR(""), gh_str_from(cases[i].path), &heap.arena, &minted, &error);

        IS(rc == GH_OK ? "ok" : error.code, cases[i].code);
        CHECK(rc != GH_OK || (gh_str_is(minted.classes, cases[i].classes) && minted.not_after_ms == cases[i].end_ms));
    }
}

static void
certificate(X509 *x, gh_certificate_t *out)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    gh_error_t      error;

    sk_X509_push(chain, x);
    sk_X509_push(chain, root);
    CHECK_INT(gh_certificate_read(x, chain, &heap.arena, out, &error), GH_OK);
    sk_X509_free(chain);
}

int
main(void)
{
    X509       *of_chat, *of_hr, *of_stranger;
    char        key[GH_KEY_TEXT + 1], other[GH_KEY_TEXT + 1];
    gh_store_t *store;
    gh_error_t  error;

    gh_heap_init(&heap);
    caller_signer = EVP_EC_gen("P-256");
    root = caller_certificate(NULL);
    certificate(of_chat = caller_certificate("DNS:chat.example"), &chat);
    certificate(of_hr = caller_certificate("DNS:hr.example"), &hr);
    certificate(of_stranger = caller_certificate("DNS:chat.example"), &stranger);
    stranger.chain[0][0] ^= 1;                                           /* another authority's */
    stranger.digest[0] ^= 1;
    if (CHECK(store_make()) && CHECK((store = store_open(true, &error)) != NULL)) {
        CHECK_INT(caller_apply(store, &heap.arena, store_tenants_more, document("c", "chat.example")), GH_OK);
        CHECK_INT(store_new_key(store, "chat", "one", 1, 0, key, &error), GH_OK);
        CHECK_INT(store_new_key(store, "hr", "two", 2, 0, other, &error), GH_OK);
        gh_store_close(store);
        if (CHECK((store = store_open(false, &error)) != NULL)) {        /* as a worker: it keeps who came */
            test_tokens(store);
            gh_store_close(store);
        }
        if (CHECK((store = store_open(false, &error)) != NULL)) {
            test_certificates(store, key, other);
            gh_store_close(store);
        }
        if (CHECK((store = store_open(false, &error)) != NULL)) {
            test_forged(store, key);
            gh_store_close(store);
        }
        store_remove();
    }
    test_again();
    test_too_many_limits();
    test_mint();
    X509_free(of_chat);
    X509_free(of_hr);
    X509_free(of_stranger);
    X509_free(root);
    EVP_PKEY_free(caller_signer);
    gh_heap_free(&heap);
    return check_done("callers");
}
