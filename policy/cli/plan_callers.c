/* Issuers of tokens and authorities of certificates: what identity/1 says differently of whoever shows one. */
#include "policy/cli/callers_text.h"
#include "policy/cli/plan_lines.h"

#define SAID_MOST 4096u        /* sentences of one issuer or authority that are compared */

typedef struct {
    gh_str_t         organisation, id;
    bool             tokens;
    const gh_node_t *node;
} source_t;

typedef struct { source_t *items; uint32_t count; } sources_t;

static const char *const lists[] = { "issuers", "certificates" };
static const char *const whats[] = { "issuer", "certificates" };

static gh_str_t
text_of(const gh_node_t *object, const char *name)
{
    const gh_node_t *node = gh_node_get(object, name);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

/* Of all documents. Each was checked when it was loaded. */
static sources_t
sources_of(gh_cli_comparing_t *c, const gh_model_t *model)
{
    sources_t sources = { NULL, 0 };

    for (uint32_t i = 0; model != NULL && i < model->identities.count; i++) {
        gh_node_t *root;
        gh_error_t error;

        if (gh_json_parse(c->arena, model->identities.items[i], "identity/1", &root, &error) != GH_OK) {
            c->lines->failed = true;
            return sources;
        }
        for (int list = 0; list < 2; list++) {
            for (const gh_node_t *node = gh_cli_callers_first(root, lists[list]); node != NULL; node = node->next) {
                if ((sources.count & (sources.count - 1)) == 0) {
                    sources.items = gh_arena_grow(c->arena, sources.items, sources.count, sources.count ? (size_t) sources.count * 2 : 1, sizeof(*sources.items));
                }
                if (sources.items == NULL) {
                    c->lines->failed = true;
                    return (sources_t) { NULL, 0 };
                }
                sources.items[sources.count++] = (source_t) { text_of(root, "organisation"), text_of(node, "id"), list == 0, node };
            }
        }
    }
    return sources;
}

static const source_t *
find(const sources_t *sources, const source_t *wanted)
{
    for (uint32_t i = 0; i < sources->count; i++) {
        const source_t *one = &sources->items[i];

        if (one->tokens == wanted->tokens && gh_str_eq(one->organisation, wanted->organisation) && gh_str_eq(one->id, wanted->id)) {
            return one;
        }
    }
    return NULL;
}

/* ---- sentences ---- */

typedef struct {
    gh_arena_t   *arena;
    gh_str_list_t list;
    bool          failed;
} sentences_t;

static void
add_sentence(void *context, gh_str_t text)
{
    sentences_t *s = context;

    if (s->list.items == NULL || s->list.count == SAID_MOST || text.data == NULL) {
        s->failed = true;
        return;
    }
    s->list.items[s->list.count++] = text;
}

static sentences_t
sentences_of(gh_arena_t *arena, const source_t *source)
{
    sentences_t      s = { arena, { source == NULL ? NULL : gh_arena_array(arena, SAID_MOST, sizeof(gh_str_t)), 0 }, false };
    gh_cli_callers_t callers = { arena, GH_STR(""), add_sentence, &s };

    if (source != NULL) {
        callers.who = source->tokens ? GH_STR("tokens") : GH_STR("certificates");
        gh_cli_callers_map(&callers, source->node);
        gh_cli_callers_narrow(&callers, source->node);
    }
    return s;
}

static bool
among(const gh_str_list_t *list, gh_str_t text)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (gh_str_eq(list->items[i], text)) {
            return true;
        }
    }
    return false;
}

/* What one side says and the other does not. */
static void
add_lines(gh_cli_comparing_t *c, char sign, const source_t *source, const sentences_t *said, const sentences_t *other)
{
    for (uint32_t i = 0; i < said->list.count; i++) {
        if (!among(&other->list, said->list.items[i])) {
            gh_cli_line_add(c, sign, whats[!source->tokens], source->organisation, source->id, said->list.items[i]);
        }
    }
}

/* Members that sentences do not have, by name. */
static gh_str_t
members_changed(gh_arena_t *arena, const gh_node_t *before, const gh_node_t *after)
{
    static const char *const said[] = { "apps", "classes", "narrow", "places" };
    gh_str_t                 text = GH_STR("");

    for (int side = 0; side < 2; side++) {
        const gh_node_t *these = side == 0 ? after : before, *those = side == 0 ? before : after;

        for (const gh_node_t *member = these->first; member != NULL; member = member->next) {
            const gh_node_t *other = those->first;
            bool             told = false;

            for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
                told = told || gh_str_is(member->key, said[i]);
            }
            while (other != NULL && !gh_str_eq(other->key, member->key)) {
                other = other->next;
            }
            if (!told && (other == NULL || (side == 0 && !gh_node_same(member, other)))) {
                text = gh_str_format(arena, "%.*s%s%.*s", GH_STR_ARG(text), text.len > 0 ? ", " : "", GH_STR_ARG(member->key));
            }
        }
    }
    return text;
}

static void
compare_source(gh_cli_comparing_t *c, const source_t *before, const source_t *after)
{
    const source_t *any = after != NULL ? after : before;
    sentences_t     was = sentences_of(c->arena, before), is = sentences_of(c->arena, after);
    gh_str_t        members;

    if (was.failed || is.failed) {
        c->lines->failed = true;
        return;
    }
    if (before == NULL || after == NULL) {
        gh_cli_line_add(c, before == NULL ? '+' : '-', whats[!any->tokens], any->organisation, any->id, GH_STR(""));
    } else if ((members = members_changed(c->arena, before->node, after->node)).len > 0) {
        gh_cli_line_add(c, '~', whats[!any->tokens], any->organisation, any->id, gh_str_format(c->arena, "another %.*s", GH_STR_ARG(members)));
    }
    if (after != NULL) {
        add_lines(c, '-', any, &was, &is);
        add_lines(c, '+', any, &is, &was);
    }
}

void
gh_cli_compare_callers(gh_cli_comparing_t *c)
{
    sources_t before = sources_of(c, c->before), after = sources_of(c, c->after);

    for (uint32_t i = 0; i < after.count; i++) {
        compare_source(c, find(&before, &after.items[i]), &after.items[i]);
    }
    for (uint32_t i = 0; i < before.count; i++) {
        if (find(&after, &before.items[i]) == NULL) {
            compare_source(c, &before.items[i], NULL);
        }
    }
}
