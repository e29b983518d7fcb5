/* A store whose policy an older version compiled: nothing is judged by it, and applying again, or rolling back to it, compiles it anew. */
#include "policy/store/store_edit.h"
#include "tests/unit/store_world.h"

/* Seals the image in force again, as of another format. */
static void
compile_as(gh_store_t *store, uint32_t format)
{
    const gh_image_t *image = store->image;
    gh_image_header_t header;
    gh_edit_t         edit;
    gh_error_t        error;
    uint8_t          *bytes = malloc(image->length), key[8];

    memcpy(bytes, image->bytes, image->length);
    memcpy(&header, bytes, sizeof(header));
    header.format = format;
    memcpy(bytes, &header, sizeof(header));
    gh_store_key_u64(gh_image_revision(image), key);
    CHECK_INT(gh_edit_begin(&edit, store, WORLD_NOW, &error), GH_OK);
    CHECK_INT(gh_edit_put(&edit, GH_DB_IMAGE, (gh_bytes_t) { key, 8 }, bytes, image->length, &error), GH_OK);
    CHECK_INT(gh_edit_commit(&edit, &error), GH_OK);
    free(bytes);
}

static gh_store_t *
open_again(gh_store_t *store)
{
    gh_error_t error;

    gh_store_close(store);
    store = store_open(true, &error);
    CHECK(store != NULL);
    return store;
}

static void
test_outdated(gh_store_t *store, gh_arena_t *arena)
{
    char          key[GH_KEY_TEXT + 1];
    gh_identity_t identity;
    gh_image_t   *image;
    gh_error_t    error;
    uint64_t      revision;

    CHECK_INT(store_apply(store, store_tenants, &revision), GH_OK);
    CHECK_INT(store_new_key(store, "chat", "laptop", 1, 0, key, &error), GH_OK);
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_OK);
    compile_as(store, GH_IMAGE_FORMAT - 1);

    store = open_again(store);
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "store_outdated");
    CHECK(image == NULL && strstr(error.text, "policy rollback") != NULL);
    CHECK_INT(gh_store_identify(store, gh_str_from(key), WORLD_NOW, arena, &identity, &image, &error), GH_ERROR);
    CHECK(image == NULL);

    CHECK_INT(store_apply(store, store_tenants, &revision), GH_OK);
    CHECK_INT(revision, 2);
    CHECK_INT(gh_store_identify(store, gh_str_from(key), WORLD_NOW, arena, &identity, &image, &error), GH_OK);
    CHECK(image != NULL && identity.revision == 2 && gh_image_profile_find(image, identity.profile) == 0);

    /* A newer version's is not for this one to replace. */
    compile_as(store, GH_IMAGE_FORMAT + 1);
    store = open_again(store);
    CHECK_INT(gh_store_current(store, WORLD_NOW, &image, &error), GH_ERROR);
    CHECK_STR(gh_str_from(error.code), "store_version");
    store_quiet = true;
    CHECK_INT(store_apply(store, store_tenants, &revision), GH_ERROR);
    gh_store_close(store);
}

int
main(void)
{
    gh_heap_t   heap;
    gh_error_t  error;
    gh_store_t *store;

    if (!store_make()) {
        fprintf(stderr, "no store can be made\n");
        return 1;
    }
    gh_heap_init(&heap);
    store = store_open(true, &error);
    if (CHECK(store != NULL)) {
        test_outdated(store, &heap.arena);
    }
    gh_heap_free(&heap);
    store_remove();
    return check_done("outdated");
}
