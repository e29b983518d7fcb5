/* What tokens and client certificates take away, in words: "narrow" and "places" of identity/1. */
#include "policy/cli/callers_text.h"
#include "policy/cli/policy_words.h"
#include "policy/document/scope.h"

static gh_str_t
text_of(const gh_node_t *object, const char *name)
{
    const gh_node_t *node = gh_node_get(object, name);

    return node != NULL && node->type == GH_NODE_STRING ? node->text : GH_STR("");
}

static void
say(void *context, gh_str_t text)
{
    gh_policy_words_item(context, "%.*s;", GH_STR_ARG(text));
}

static void
say_document(const gh_policy_words_t *words, const gh_node_t *root)
{
    static const struct { const char *list, *who; } sources[] = { { "issuers", "tokens of issuer" }, { "certificates", "certificates of" } };

    for (int i = 0; i < 2; i++) {
        for (const gh_node_t *node = gh_cli_callers_first(root, sources[i].list); node != NULL; node = node->next) {
            gh_cli_callers_t callers = { words->arena, gh_str_format(words->arena, "%s \"%.*s\"", sources[i].who, GH_STR_ARG(text_of(node, "id"))), say, (void *) (uintptr_t) words };

            gh_cli_callers_narrow(&callers, node);
        }
    }
}

void
gh_policy_words_callers(const gh_policy_words_t *words)
{
    gh_str_t organisation = words->policy->applies_to.count > 0 ? gh_pattern_organisation(words->policy->applies_to.items[0]) : GH_STR("");

    gh_policy_words_say(words, "An API key may be made with fewer places and models, and with limits of its own. Tokens and client certificates take away besides, each of these that fits:");
    for (uint32_t i = 0; i < words->model->identities.count; i++) {
        gh_node_t *root;
        gh_error_t error;

        if (gh_json_parse(words->arena, words->model->identities.items[i], "identity/1", &root, &error) == GH_OK && gh_str_eq(text_of(root, "organisation"), organisation)) {
            say_document(words, root);
        }
    }
    gh_policy_words_item(words, "no other.");
}
