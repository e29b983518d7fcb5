/*
 * What Amazon Bedrock keeps: by the account's retention mode, which is a region's ("Data retention" of its user guide: "none" keeps nothing and gives nothing to
 * providers; under every other it depends on the model), and by the log of invocations, which the customer turns on. Projects may have a mode of their own; the
 * gateway names none in its requests.
 */
#include "policy/agent/import_bedrock.h"

/* GH_OK with answer->root NULL: refused in a way that leaves only this fact unknown, and *why says how. */
static int
ask_fact(gh_bedrock_import_t *b, gh_str_t region, const char *operation, gh_str_t path, gh_import_answer_t *answer, gh_str_t *why, gh_error_t *error)
{
    if (gh_bedrock_ask(b, region, operation, GH_STR(""), path, GH_STR(""), answer, error) == GH_OK) {
        return GH_OK;
    }
    if (answer->status == 0 || answer->status == 200 || answer->status == 401) {
        return GH_ERROR;
    }
    gh_import_note(b->import, "%s", error->text);
    *why = gh_str_format(b->import->arena, "%s was refused in %.*s (%u)", operation, GH_STR_ARG(region), answer->status);
    answer->root = NULL;

    return why->data != NULL ? GH_OK : gh_error_set(error, "no_memory", "out of memory");
}

int
gh_bedrock_retention(gh_bedrock_import_t *b, gh_str_t region, gh_bedrock_retention_t *out, gh_error_t *error)
{
    gh_import_answer_t      answer;
    gh_bedrock_retention_t *modes;

    for (uint32_t i = 0; i < b->mode_count; i++) {
        if (gh_str_eq(b->modes[i].region, region)) {
            *out = b->modes[i];
            return GH_OK;
        }
    }
    *out = (gh_bedrock_retention_t) { .region = region, .mode = GH_STR("") };
    if (ask_fact(b, region, "GetAccountDataRetention", GH_STR("/data-retention"), &answer, &out->why, error) != GH_OK) {
        return GH_ERROR;
    }
    if (answer.root != NULL) {
        out->mode = gh_import_text(answer.root, "mode");
        out->evidence = answer.evidence;
        if (out->mode.len == 0 || out->mode.len > 64 || !gh_model_name_ok(out->mode)) {
            return gh_import_bad(error, GH_STR("GetAccountDataRetention"), "there is no \"mode\"");
        }
    }
    modes = gh_arena_grow(b->import->arena, b->modes, b->mode_count, b->mode_count + 1, sizeof(*modes));
    if (modes == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    modes[b->mode_count++] = *out;
    b->modes = modes;

    return GH_OK;
}

/* A kind of data that is not mentioned is delivered: only "false" says that it is not. */
static bool
delivers(const gh_node_t *config)
{
    static const char *const kinds[] = { "textDataDeliveryEnabled", "imageDataDeliveryEnabled", "embeddingDataDeliveryEnabled",
                                         "videoDataDeliveryEnabled", "audioDataDeliveryEnabled" };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const gh_node_t *said = gh_node_get(config, kinds[i]);

        if (i < 3 ? said == NULL || said->type != GH_NODE_FALSE : said != NULL && said->type != GH_NODE_FALSE) {
            return true;
        }
    }

    return false;
}

int
gh_bedrock_logging(gh_bedrock_import_t *b, gh_error_t *error)
{
    gh_import_answer_t answer;
    const gh_node_t   *config;

    b->logging_known = b->logging = false;
    if (ask_fact(b, b->region, "GetModelInvocationLoggingConfiguration", GH_STR("/logging/modelinvocations"), &answer, &b->logging_why, error) != GH_OK) {
        return GH_ERROR;
    }
    if (answer.root == NULL) {
        return GH_OK;
    }
    config = gh_node_get(answer.root, "loggingConfig");
    if (config != NULL && config->type != GH_NODE_OBJECT && config->type != GH_NODE_NULL) {
        return gh_import_bad(error, GH_STR("GetModelInvocationLoggingConfiguration"), "\"loggingConfig\" is %s, not an object",
            gh_node_type_name(config->type));
    }
    b->logging_known = true;
    b->logging_evidence = answer.evidence;
    b->logging = config != NULL && config->type == GH_NODE_OBJECT && delivers(config);

    return GH_OK;
}

static gh_import_store_t
unknown(gh_bedrock_import_t *b, gh_str_t why)
{
    b->import->no_memory |= why.data == NULL;

    return (gh_import_store_t) { .keeps = GH_STORE_UNKNOWN, .why = why };
}

static gh_str_t
why_mode(gh_bedrock_import_t *b, const gh_bedrock_retention_t *retention)
{
    return retention->mode.len == 0 ? retention->why
                                    : gh_str_format(b->import->arena, "under the retention mode \"%.*s\" of %.*s it depends on the model",
                                          GH_STR_ARG(retention->mode), GH_STR_ARG(retention->region));
}

gh_import_store_t
gh_bedrock_store(gh_bedrock_import_t *b, const gh_bedrock_retention_t *here, const gh_str_list_t *destinations)
{
    gh_import_store_t store = { .keeps = GH_STORE_NOTHING };
    gh_str_t          evidence = here->evidence;
    int               country;

    if (!gh_str_is(here->mode, "none")) {
        return unknown(b, why_mode(b, here));
    }
    for (uint32_t i = 0; destinations != NULL && i < destinations->count; i++) {
        gh_bedrock_retention_t there;
        gh_error_t             error = { 0 };

        if (!gh_facts_region(b->import->facts, GH_STR("aws"), destinations->items[i], NULL, NULL)) {
            return unknown(b, gh_str_format(b->import->arena, "destination \"%.*s\" is not in %.*s", GH_STR_ARG(destinations->items[i]),
                GH_STR_ARG(gh_facts_name(b->import->facts))));
        }
        if (gh_bedrock_retention(b, destinations->items[i], &there, &error) != GH_OK) {
            return unknown(b, gh_str_format(b->import->arena, "the retention mode of %.*s could not be read", GH_STR_ARG(destinations->items[i])));
        }
        if (!gh_str_is(there.mode, "none")) {
            return unknown(b, why_mode(b, &there));
        }
        if (!gh_str_eq(there.region, here->region) && evidence.len < 700) {
            evidence = gh_str_format(b->import->arena, "%.*s; %.*s", GH_STR_ARG(evidence), GH_STR_ARG(there.evidence));
        }
    }
    if (!b->logging_known) {
        return unknown(b, b->logging_why);
    }
    store.evidence = gh_str_format(b->import->arena, "mode \"none\" by %.*s; %s by %.*s", GH_STR_ARG(evidence),
        b->logging ? "invocations are logged" : "no log of invocations", GH_STR_ARG(b->logging_evidence));
    if (b->logging && gh_facts_region(b->import->facts, GH_STR("aws"), b->region, &country, NULL)) {
        store.keeps = GH_STORE_KEPT;
        store.in = (gh_str_t) { gh_country_codes[country], 2 };
    }
    b->import->no_memory |= store.evidence.data == NULL;

    return store;
}
