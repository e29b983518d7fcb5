/* What an import gathers: deployments, their targets, notes; names and order. */
#include "policy/agent/import_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_MAX_LEN 63

int
gh_import_begin(gh_import_t *import, gh_arena_t *arena, const gh_import_io_t *io, gh_error_t *error)
{
    time_t    now;
    struct tm day;

    *import = (gh_import_t) { .arena = arena, .io = *io };
    now = (time_t) (io->now_ms(io->context) / 1000);
    gmtime_r(&now, &day);
    import->on = gh_str_format(arena, "%04d-%02d-%02d", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
    if (import->on.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    return gh_facts_load(arena, GH_STR(""), &import->facts, error);
}

void
gh_import_note(gh_import_t *import, const char *format, ...)
{
    char       text[1024];
    gh_str_t  *notes;
    va_list    arguments;
    gh_str_t   note;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    note = gh_str_from(text);
    for (uint32_t i = 0; i < import->note_count; i++) {
        if (gh_str_eq(import->notes[i], note)) {
            return;
        }
    }
    notes = gh_arena_grow(import->arena, import->notes, import->note_count, import->note_count + 1, sizeof(*notes));
    note = gh_str_copy(import->arena, note);
    if (notes == NULL || note.data == NULL) {
        import->no_memory = true;
        return;
    }
    notes[import->note_count++] = note;
    import->notes = notes;
}

/* Arrays grow at powers of 2. */
static void *
push(gh_import_t *import, void *items, uint32_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0) {
        return items;
    }
    items = gh_arena_grow(import->arena, items, count, count == 0 ? 1 : (size_t) count * 2, size);
    import->no_memory |= items == NULL;

    return items;
}

gh_import_deployment_t *
gh_import_add(gh_import_t *import)
{
    gh_import_deployment_t *items = push(import, import->deployments, import->deployment_count, sizeof(*items));

    if (items == NULL) {
        return NULL;
    }
    import->deployments = items;

    return &items[import->deployment_count++];
}

gh_import_target_t *
gh_import_add_target(gh_import_t *import, gh_import_deployment_t *deployment)
{
    gh_import_target_t *items = push(import, deployment->targets, deployment->target_count, sizeof(*items));

    if (items == NULL) {
        return NULL;
    }
    deployment->targets = items;

    return &items[deployment->target_count++];
}

/* ---- words ---- */

gh_str_t
gh_import_name(gh_import_t *import, gh_str_t text)
{
    char  *name = gh_arena_alloc(import->arena, NAME_MAX_LEN + 1);
    size_t len = 0;

    if (name == NULL) {
        import->no_memory = true;
        return GH_STR("x");
    }
    for (size_t i = 0; i < text.len && len < NAME_MAX_LEN; i++) {
        char c = text.data[i];

        c = c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            name[len++] = c;
        } else if (len > 0 && name[len - 1] != '-') {
            name[len++] = '-';
        }
    }
    while (len > 0 && name[len - 1] == '-') {
        len--;
    }

    return len > 0 ? (gh_str_t) { name, len } : GH_STR("x");
}

gh_str_t
gh_import_text(const gh_node_t *object, const char *member)
{
    const gh_node_t *node = object != NULL && object->type == GH_NODE_OBJECT ? gh_node_get(object, member) : NULL;

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

bool
gh_import_list_add(gh_import_t *import, gh_str_list_t *list, gh_str_t text)
{
    gh_str_t *items;
    uint32_t  at = 0;

    while (at < list->count && gh_str_cmp(list->items[at], text) < 0) {
        at++;
    }
    if (at < list->count && gh_str_eq(list->items[at], text)) {
        return false;
    }
    items = gh_arena_grow(import->arena, list->items, list->count, list->count + 1, sizeof(*items));
    if (items == NULL) {
        import->no_memory = true;
        return false;
    }
    memmove(items + at + 1, items + at, (list->count - at) * sizeof(*items));
    items[at] = text;
    list->items = items;
    list->count++;

    return true;
}

/* ---- order ---- */

static int
by_model(const void *a, const void *b)
{
    const gh_import_target_t *left = a, *right = b;
    int                       order = gh_str_cmp(left->model, right->model);

    return order != 0 ? order : gh_str_cmp(left->upstream, right->upstream);
}

static int
by_id(const void *a, const void *b)
{
    const gh_import_deployment_t *left = a, *right = b;
    int                           order = gh_str_cmp(left->id, right->id);

    order = order != 0 ? order : gh_str_cmp(left->resource, right->resource);
    order = order != 0 || left->target_count == 0 || right->target_count == 0 ? order
                                                                           : gh_str_cmp(left->targets[0].upstream, right->targets[0].upstream);

    return order;
}

/* Whether one of the first count has this id. */
static bool
taken(const gh_import_t *import, gh_str_t id, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (gh_str_eq(import->deployments[i].id, id)) {
            return true;
        }
    }

    return false;
}

/* Of several that come to the same name, the later ones by resource and upstream name get a number. */
static void
make_unique(gh_import_t *import)
{
    for (uint32_t i = 1; i < import->deployment_count; i++) {
        gh_import_deployment_t *deployment = &import->deployments[i];
        gh_str_t                id = deployment->id;
        size_t                  len = id.len > NAME_MAX_LEN - 6 ? NAME_MAX_LEN - 6 : id.len;

        for (unsigned number = 2; taken(import, deployment->id, i); number++) {
            deployment->id = gh_str_format(import->arena, "%.*s-%u", (int) len, id.data, number);
            if (deployment->id.data == NULL) {
                import->no_memory = true;
                return;
            }
        }
    }
}

/* A model that a list had twice stands in the document once. */
static void
once(gh_import_t *import, gh_import_deployment_t *deployment)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < deployment->target_count; i++) {
        if (kept > 0 && gh_str_eq(deployment->targets[i].model, deployment->targets[kept - 1].model)) {
            gh_import_note(import, "%.*s of %.*s was left out: %.*s serves the same model", GH_STR_ARG(deployment->targets[i].upstream),
                GH_STR_ARG(deployment->id), GH_STR_ARG(deployment->targets[kept - 1].upstream));
        } else {
            deployment->targets[kept++] = deployment->targets[i];
        }
    }
    deployment->target_count = kept;
}

int
gh_import_finish(gh_import_t *import, gh_error_t *error)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < import->deployment_count; i++) {
        gh_import_deployment_t *deployment = &import->deployments[i];

        if (deployment->target_count > 0) {
            qsort(deployment->targets, deployment->target_count, sizeof(*deployment->targets), by_model);
            once(import, deployment);
            import->deployments[kept++] = *deployment;
        }
    }
    import->deployment_count = kept;
    if (kept > 0) {
        qsort(import->deployments, kept, sizeof(*import->deployments), by_id);
    }
    if (kept > GH_MAX_DEPLOYMENTS) {
        return gh_error_set(error, "too_large", "%u deployments were found, and fleet/1 can list %u: import fewer subscriptions or regions at once",
            kept, GH_MAX_DEPLOYMENTS);
    }
    make_unique(import);

    return import->no_memory ? gh_error_set(error, "no_memory", "out of memory") : GH_OK;
}
