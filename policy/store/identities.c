/*
 * A table of a fixed size in which a key has two places, by its hash, which is an HMAC: nobody chooses where. What was kept in
 * another state of the store than the present one is not there any more: whatever is edited begins with an empty table.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "policy/store/identities.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAIRS 2048u                   /* under 6 MB, touched as keys come; 16 MB more, malloc'ed, if all names were as long as they may be */
#define HUGE  ((size_t) 2 << 20)      /* bytes of a large page of x86-64 and of most others */
#define TEXT  512u                    /* bytes of the names that an identity is made of; longer ones stand apart */
#define LONG  4096u                   /* and those beyond are not kept */

typedef struct {
    uint64_t      state;              /* 0: empty */
    gh_identity_t identity;           /* its strings stand in text, or apart */
    char          text[TEXT];
    char         *apart;              /* malloc'ed; NULL: they fit into text */
    size_t        text_len;
} kept_t;

typedef struct {
    kept_t   of[2];
    unsigned last;                    /* the one that was kept or found last */
} pair_t;

struct gh_identities_s {
    pair_t pairs[PAIRS];
    void  *mapping;
    size_t mapped;
};

/* In large pages where the system gives them to who asks: each key lies elsewhere, and looking its page up costs as much as the key. */
gh_identities_t *
gh_identities_new(void)
{
    size_t           size = (sizeof(gh_identities_t) + HUGE - 1) / HUGE * HUGE, mapped = size + HUGE;
    void            *mapping = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    gh_identities_t *identities;

    if (mapping == MAP_FAILED) {
        return NULL;
    }
    identities = (gh_identities_t *) (((uintptr_t) mapping + HUGE - 1) / HUGE * HUGE);
#ifdef MADV_HUGEPAGE
    (void) madvise(identities, size, MADV_HUGEPAGE);
#endif
    identities->mapping = mapping;
    identities->mapped = mapped;
    return identities;
}

void
gh_identities_free(gh_identities_t *identities)
{
    if (identities != NULL) {
        for (size_t i = 0; i < 2 * (size_t) PAIRS; i++) {
            free(identities->pairs[i / 2].of[i % 2].apart);
        }
        (void) munmap(identities->mapping, identities->mapped);
    }
}

static pair_t *
pair_of(gh_identities_t *identities, const uint8_t hash[32])
{
    uint32_t number;

    memcpy(&number, hash, sizeof(number));
    return &identities->pairs[number % PAIRS];
}

/* Those that stand by themselves; NULL: there are no more. */
static gh_str_t *
text_of(gh_identity_t *identity, unsigned i)
{
    gh_str_t *const texts[] = { &identity->key, &identity->own_classes, &identity->own_places, &identity->own_models, &identity->user };

    return i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : NULL;
}

/* The same strings in other bytes: org, tenant and app are parts of the path. */
static void
move(gh_identity_t *identity, char *to)
{
    const char *path = identity->path.data;
    gh_str_t   *text;

    memcpy(to, path, identity->path.len);
    identity->path.data = to;
    identity->org.data = to + (identity->org.data - path);
    identity->tenant.data = to + (identity->tenant.data - path);
    identity->app.data = to + (identity->app.data - path);
    to += identity->path.len;
    for (unsigned i = 0; (text = text_of(identity, i)) != NULL; i++) {
        if (text->len > 0) {
            memcpy(to, text->data, text->len);
        }
        text->data = to;
        to += text->len;
    }
}

bool
gh_identities_find(gh_identities_t *identities, uint64_t state, const uint8_t hash[32], gh_arena_t *arena,
    gh_identity_t *identity)
{
    pair_t *pair;
    char   *text;

    if (identities == NULL || state == 0) {
        return false;
    }
    pair = pair_of(identities, hash);
    for (unsigned i = 0; i < 2; i++) {
        const kept_t *kept = &pair->of[i];

        if (kept->state != state || memcmp(kept->identity.key_hash, hash, 32) != 0) {
            continue;
        }
        text = arena->alloc(arena, kept->text_len);
        if (text == NULL) {
            return false;
        }
        pair->last = i;
        *identity = kept->identity;
        move(identity, text);
        return true;
    }
    return false;
}

/* The one that has this key, or means nothing any more, or was not used last. */
static unsigned
place(const pair_t *pair, uint64_t state, const uint8_t hash[32])
{
    for (unsigned i = 0; i < 2; i++) {
        if (memcmp(pair->of[i].identity.key_hash, hash, 32) == 0) {
            return i;
        }
    }
    return pair->of[pair->last].state == state ? 1 - pair->last : pair->last;
}

void
gh_identities_keep(gh_identities_t *identities, uint64_t state, const gh_identity_t *identity)
{
    size_t  len = identity->path.len + identity->key.len + identity->own_classes.len + identity->own_places.len + identity->own_models.len + identity->user.len;
    pair_t *pair;
    kept_t *kept;

    if (identities == NULL || state == 0 || len > LONG) {
        return;
    }
    pair = pair_of(identities, identity->key_hash);
    pair->last = place(pair, state, identity->key_hash);
    kept = &pair->of[pair->last];
    free(kept->apart);
    kept->apart = len > TEXT ? malloc(len) : NULL;
    if (len > TEXT && kept->apart == NULL) {
        kept->state = 0;
        return;
    }
    kept->identity = *identity;
    kept->text_len = len;
    move(&kept->identity, kept->apart != NULL ? kept->apart : kept->text);
    kept->state = state;
}
