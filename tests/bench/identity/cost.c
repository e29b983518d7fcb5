/*
 * What it costs to know who asks: nanoseconds of one gh_store_identify_client for an API key, a token and a client certificate, when it is in the worker's table and when it is
 * not, over a store with so many keys. identity/cost [KEYS]; medians of 21 rounds. The worker does nothing else to identify a caller but read its headers.
 */
#include <time.h>

#include "tests/unit/caller_world.h"

#define ROUNDS 21
#define CALLS  2000
#define BATCH  20000

static gh_heap_t heap;

static double
now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double) at.tv_sec * 1e9 + (double) at.tv_nsec;
}

static int
by_value(const void *left, const void *right)
{
    double a = *(const double *) left, b = *(const double *) right;

    return (a > b) - (a < b);
}

/* An arena for one call: what the worker's is to a request. */
static char   room[65536];
static size_t room_used;

static void *
room_alloc(gh_arena_t *arena, size_t size)
{
    void *at = room + room_used;

    (void) arena;
    room_used += (size + 15) & ~(size_t) 15;
    return room_used <= sizeof(room) ? at : NULL;
}

typedef struct { gh_store_t *store; char (*text)[1024]; size_t count; const gh_certificate_t *certificate; size_t next; } shown_t;

static void
identify(shown_t *shown)
{
    gh_arena_t    arena = { room_alloc, NULL };
    gh_identity_t identity;
    gh_error_t    error;
    gh_str_t      text = shown->count > 0 ? gh_str_from(shown->text[shown->next++ % shown->count]) : GH_STR("");

    room_used = 0;
    error.code = NULL;
    if (gh_store_identify_client(shown->store, text, shown->certificate, WORLD_NOW, &arena, &identity, NULL, &error) != GH_OK) {
        fprintf(stderr, "%s: %s\n", error.code, error.text);
        exit(1);
    }
}

/* Nanoseconds a call; each text once and again. */
static void
measure(const char *name, shown_t shown, size_t calls)
{
    double rounds[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        double begin = now_ns();

        for (size_t k = 0; k < calls; k++) {
            identify(&shown);
        }
        rounds[i] = (now_ns() - begin) / (double) calls;
    }
    qsort(rounds, ROUNDS, sizeof(rounds[0]), by_value);
    printf("%-44s %9.0f ns   (%.0f to %.0f)\n", name, rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1]);
}

/* ---- keys ---- */

static void
make_keys(gh_store_t *store, size_t count)
{
    gh_store_key_import_t *items = calloc(BATCH, sizeof(*items));
    char                 (*names)[16] = calloc(BATCH, sizeof(*names)), (*secrets)[32] = calloc(BATCH, sizeof(*secrets));
    size_t                 made, wrong;
    gh_error_t             error = { 0 };

    for (size_t done = 0; done < count; done += BATCH) {
        size_t n = count - done < BATCH ? count - done : BATCH;

        for (size_t i = 0; i < n; i++) {
            snprintf(names[i], sizeof(names[i]), "k%zu", done + i);
            snprintf(secrets[i], sizeof(secrets[i]), "sk-of-another-%012zu", done + i);
            items[i] = (gh_store_key_import_t) { .secret = gh_str_from(secrets[i]),
                .key = { .org = GH_STR("nord"), .tenant = GH_STR("retail"), .app = GH_STR("chat"), .name = gh_str_from(names[i]), .now_ms = WORLD_NOW, .actor = GH_STR("bench") } };
        }
        if (gh_store_key_import(store, items, n, WORLD_NOW, true, &made, &wrong, &error) != GH_OK) {
            fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
    }
    free(items);
    free(names);
    free(secrets);
}

/* ---- what there is ---- */

static gh_str_t
identity_document(X509 *root)
{
    return gh_str_format(&heap.arena, "{\"kind\":\"identity/1\",\"organisation\":\"nord\",\"issuers\":[{\"id\":\"login\",\"issuer\":\"https://login.example\",\"audiences\":[\"api\"],"
        "\"algorithms\":[\"ES256\"],\"user\":\"sub\",\"keys\":{\"keys\":[%.*s]},\"apps\":[{\"when\":{\"azp\":\"chat\"},\"app\":\"retail/chat\"}]}],"
        "\"certificates\":[{\"id\":\"mesh\",\"authorities\":[\"%.*s\"],\"apps\":[{\"when\":{},\"app\":\"retail/chat\"}]}]}", GH_STR_ARG(caller_key(&heap.arena)),
        GH_STR_ARG(caller_sha256(&heap.arena, root)));
}

static void
make_token(size_t number, char out[1024])
{
    char claims[256];

    snprintf(claims, sizeof(claims), "{\"iss\":\"https://login.example\",\"aud\":\"api\",\"azp\":\"chat\",\"sub\":\"user-%zu\",\"exp\":%llu}", number,
        (unsigned long long) WORLD_NOW / 1000 + 600);
    caller_token(claims, out);
}

int
main(int argc, char **argv)
{
    size_t           count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000, tokens = ROUNDS * 100;
    char           (*one)[1024] = calloc(1, sizeof(*one)), (*many)[1024] = calloc(CALLS * ROUNDS, sizeof(*many)), (*signed_)[1024] = calloc(tokens, sizeof(*signed_));
    gh_store_t      *store;
    gh_error_t       error;
    gh_certificate_t certificate;
    STACK_OF(X509)  *chain = sk_X509_new_null();
    X509            *root;

    gh_heap_init(&heap);
    caller_signer = EVP_EC_gen("P-256");
    root = caller_certificate(NULL);
    sk_X509_push(chain, root);
    if (!store_make() || (store = store_open(true, &error)) == NULL || caller_apply(store, &heap.arena, store_tenants, identity_document(root)) != GH_OK
        || store_new_key(store, "chat", "own", 1, 0, one[0], &error) != GH_OK || gh_certificate_read(root, chain, &heap.arena, &certificate, &error) != GH_OK)
    {
        fprintf(stderr, "no store\n");
        return 1;
    }
    make_keys(store, count);
    gh_store_close(store);
    store = store_open(false, &error);
    gh_store_edits(store, 1);              /* as a worker does: no look at the files within a millisecond */
    for (size_t i = 0; i < CALLS * ROUNDS; i++) {
        snprintf(many[i], sizeof(many[i]), "sk-of-another-%012zu", (i * 7919 + 13) % count);
    }
    for (size_t i = 0; i < tokens; i++) {
        make_token(i, signed_[i]);
    }
    printf("%zu keys in the store\n", count + 1);
    measure("API key, asked before", (shown_t) { store, one, 1, NULL, 0 }, CALLS);
    measure("API key, another each time", (shown_t) { store, many, CALLS * ROUNDS, NULL, 0 }, CALLS);
    measure("ES256 token, asked before", (shown_t) { store, signed_, 1, NULL, 0 }, CALLS);
    measure("ES256 token, first seen", (shown_t) { store, signed_, tokens, NULL, 0 }, tokens / ROUNDS);
    measure("client certificate, asked before", (shown_t) { store, NULL, 0, &certificate, 0 }, CALLS);
    measure("client certificate and API key", (shown_t) { store, one, 1, &certificate, 0 }, CALLS);
    gh_store_close(store);
    store_remove();
    gh_heap_free(&heap);
    return 0;
}
