#include "policy/document/tenants.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy/base/json_writer.h"

#define SAID_MAX (64u << 20)   /* bytes of it as JSON */

static const char *const said_names[GH_SAIDS] = {
    [GH_SAID_CLASSES] = "classes", [GH_SAID_PLACES] = "places", [GH_SAID_MODELS] = "models",
    [GH_SAID_OBJECTIVE] = "objective", [GH_SAID_AUDIT] = "audit", [GH_SAID_LIMITS] = "limits",
    [GH_SAID_KEY_LIMITS] = "key_limits", [GH_SAID_USER_LIMITS] = "user_limits",
    [GH_SAID_MAX_OUTPUT] = "max_output"
};

void
gh_tenants_part(gh_loader_t *loader, const gh_node_t *node, gh_str_t id, gh_where_t where)
{
    uint32_t   order = loader->part_count;
    gh_part_t *part = gh_doc_push(loader, &loader->parts, &loader->part_count, sizeof(*part));

    if (part != NULL) {
        *part = (gh_part_t) { id, node, loader->source, where, order, false };
    }
}

static int
part_compare(const void *left, const void *right)
{
    const gh_part_t *a = left, *b = right;
    int              order = gh_str_cmp(a->id, b->id);

    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static void
merge_member(gh_loader_t *loader, gh_organisation_t *organisation, const gh_part_t *part, gh_said_member_t member)
{
    const gh_node_t *node = gh_node_get(part->node, said_names[member]);
    gh_said_t       *said = &organisation->said[member];

    if (node == NULL) {
        return;
    }
    if (said->node == NULL) {
        *said = (gh_said_t) { node, part->source };
    } else if (!gh_node_same(said->node, node)) {
        gh_doc_error(loader, (gh_where_t) { part->source, node->key_line, node->key_column }, "conflict",
            "\"%s\" of organisation \"%.*s\" is given differently at %s:%u:%u: what is said of all its tenants must be the same "
            "wherever it is said", said_names[member], GH_STR_ARG(organisation->id), said->source, said->node->key_line,
            said->node->key_column);
    }
}

static void
merge_parts(gh_loader_t *loader, gh_organisation_t *organisation)
{
    for (uint32_t i = 0; i < organisation->part_count; i++) {
        const gh_part_t *part = &organisation->parts[i];
        bool             same = i > 0 && part[-1].source == part->source;

        /* A document gives an organisation once; gh_doc_given tells when it does not. */
        if (same || (i + 1 < organisation->part_count && part[1].source == part->source)) {
            gh_doc_given(loader, "organisation", part->id, part->where);
        }
        for (int member = 0; !same && member < GH_SAIDS; member++) {
            merge_member(loader, organisation, part, (gh_said_member_t) member);
        }
    }
}

gh_organisation_t *
gh_tenants_merge(gh_loader_t *loader, uint32_t *count)
{
    gh_organisation_t *organisations = gh_arena_array(loader->arena, loader->part_count, sizeof(*organisations));
    uint32_t           next;

    *count = 0;
    if (organisations == NULL) {
        return NULL;
    }
    if (loader->part_count > 0) {
        qsort(loader->parts, loader->part_count, sizeof(*loader->parts), part_compare);
    }
    for (uint32_t i = 0; i < loader->part_count; i = next) {
        gh_organisation_t *organisation = &organisations[(*count)++];

        next = i + 1;
        while (next < loader->part_count && loader->parts[i].id.len != 0 && gh_str_eq(loader->parts[next].id, loader->parts[i].id)) {
            next++;
        }
        organisation->id = loader->parts[i].id;
        organisation->parts = &loader->parts[i];
        organisation->part_count = next - i;
        merge_parts(loader, organisation);
    }
    return organisations;
}

/* ---- as JSON again ---- */

gh_str_t
gh_tenants_said(gh_loader_t *loader, const gh_organisation_t *organisation)
{
    bool any = false;

    for (int member = 0; member < GH_SAIDS; member++) {
        any = any || organisation->said[member].node != NULL;
    }
    for (size_t size = 512; any && size <= SAID_MAX; size *= 4) {
        char            *buffer = gh_arena_alloc(loader->arena, size);
        gh_json_writer_t w;

        if (buffer == NULL) {
            break;
        }
        gh_json_writer_init(&w, buffer, size);
        gh_json_begin_object(&w);
        gh_json_kv_string(&w, "id", organisation->id);
        for (int member = 0; member < GH_SAIDS; member++) {
            if (organisation->said[member].node != NULL) {
                gh_json_key(&w, said_names[member]);
                gh_node_write(&w, organisation->said[member].node);
            }
        }
        gh_json_end_object(&w);
        if (gh_json_writer_ok(&w)) {
            return (gh_str_t) { w.data, w.len };
        }
    }
    loader->report->no_memory |= any;
    return GH_STR("");
}

uint32_t
gh_tenants_said_members(const gh_node_t *organisation)
{
    uint32_t bits = 0;

    for (int member = 0; member < GH_SAIDS; member++) {
        bits |= (uint32_t) (gh_node_get(organisation, said_names[member]) != NULL) << member;
    }
    return bits;
}
