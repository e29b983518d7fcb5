/* What Amazon Bedrock says of itself, region by region: models, profiles with their destinations, provisioned throughput, what is kept. */
#define _GNU_SOURCE
#include "policy/agent/import_bedrock.h"

#include <string.h>

#define PAGE GH_STR("maxResults=1000")

/* ---- calls ---- */

int
gh_bedrock_ask(gh_bedrock_import_t *b, gh_str_t region, const char *operation, gh_str_t of, gh_str_t path, gh_str_t query, gh_import_answer_t *answer,
    gh_error_t *error)
{
    gh_import_call_t call = {
        .credential = b->asked->credential, .path = path, .query = query, .scope = { .region = region, .service = GH_STR("bedrock") }
    };
    gh_aws_host_t    host = { .service = GH_AWS_BEDROCK_CONTROL, .region = region };
    gh_str_t         name;

    call.what = gh_str_format(b->import->arena, "%s%s%.*s in %.*s", operation, of.len ? " " : "", GH_STR_ARG(of), GH_STR_ARG(region));
    call.permission = gh_str_format(b->import->arena, "the IAM permission bedrock:%s", operation);
    call.origin = b->asked->endpoint;
    if (call.origin.len == 0) {
        name = gh_aws_host(b->import->arena, &host, error);
        if (name.data == NULL) {
            return GH_ERROR;
        }
        call.origin = gh_str_format(b->import->arena, "https://%.*s", GH_STR_ARG(name));
    }
    if (call.what.data == NULL || call.permission.data == NULL || call.origin.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }

    return gh_import_get(b->import, &call, answer, error);
}

/* What may be refused without ending the import. */
static bool
only_a_fact(const gh_import_answer_t *answer)
{
    return answer->status != 0 && answer->status != 200 && answer->status != 401;
}

/* Every page of a list; each item is handed over with its answer's evidence. */
typedef int (*item_fn)(gh_bedrock_import_t *b, const gh_node_t *item, gh_str_t evidence, gh_error_t *error);

static int
pages(gh_bedrock_import_t *b, const char *operation, gh_str_t path, gh_str_t first_query, const char *member, item_fn take, gh_error_t *error)
{
    gh_str_t query = first_query;

    for (unsigned page = 0; page < GH_IMPORT_PAGES_MAX; page++) {
        gh_import_answer_t answer;
        const gh_node_t   *list;
        gh_str_t           next;

        if (gh_bedrock_ask(b, b->region, operation, GH_STR(""), path, query, &answer, error) != GH_OK) {
            return GH_ERROR;
        }
        list = gh_node_get(answer.root, member);
        if (list != NULL && list->type != GH_NODE_ARRAY) {
            return gh_import_bad(error, gh_str_from(operation), "\"%s\" is %s, not a list", member, gh_node_type_name(list->type));
        }
        for (const gh_node_t *item = list != NULL ? list->first : NULL; item != NULL; item = item->next) {
            if (item->type != GH_NODE_OBJECT) {
                return gh_import_bad(error, gh_str_from(operation), "\"%s\" holds %s, not objects alone", member, gh_node_type_name(item->type));
            }
            if (take(b, item, answer.evidence, error) != GH_OK) {
                return GH_ERROR;
            }
        }
        next = gh_import_text(answer.root, "nextToken");
        if (next.len == 0) {
            return GH_OK;
        }
        next = gh_import_percent(b->import->arena, next);
        query = gh_str_format(b->import->arena, "%.*s%snextToken=%.*s", GH_STR_ARG(first_query), first_query.len ? "&" : "", GH_STR_ARG(next));
        if (next.data == NULL || query.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
    }

    return gh_import_bad(error, gh_str_from(operation), "the list goes on after %d pages", GH_IMPORT_PAGES_MAX);
}

/* ---- deployments ---- */

/* The deployment of this region for bare ids (suffix ""), for a profile's prefix, or one of its own; found or made. */
static gh_import_deployment_t *
deployment_of(gh_bedrock_import_t *b, gh_str_t suffix, gh_str_t profile)
{
    gh_import_t            *import = b->import;
    gh_str_t                id, all[] = { GH_STR("converse"), GH_STR("embeddings"), GH_STR("invoke") };
    gh_import_deployment_t *deployment;
    gh_aws_host_t           host = { .service = GH_AWS_BEDROCK_RUNTIME, .region = b->region };
    gh_error_t              ignored;

    id = gh_str_format(import->arena, "bedrock %.*s %.*s", GH_STR_ARG(b->region), GH_STR_ARG(suffix));
    if (id.data == NULL) {
        import->no_memory = true;
        return NULL;
    }
    id = gh_import_name(import, id);
    for (uint32_t i = b->first; i < import->deployment_count; i++) {
        if (gh_str_eq(import->deployments[i].id, id) && gh_str_eq(import->deployments[i].profile, profile)) {
            return &import->deployments[i];
        }
    }
    deployment = gh_import_add(import);
    if (deployment == NULL) {
        return NULL;
    }
    *deployment = (gh_import_deployment_t) {
        .id = id, .provider = GH_STR("aws"), .partition = b->partition, .region = b->region, .dialect = GH_STR("bedrock"), .profile = profile,
        .sku = GH_STR(""), .seller = GH_STR(""), .resource = GH_STR("")
    };
    deployment->backend = gh_import_name(import, gh_str_format(import->arena, "bedrock %.*s", GH_STR_ARG(b->region)));
    deployment->host = gh_aws_host(import->arena, &host, &ignored);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        gh_import_list_add(import, &deployment->endpoints, all[i]);
    }

    return deployment;
}

static bool
has_word(const gh_node_t *item, const char *member, const char *word)
{
    const gh_node_t *list = gh_node_get(item, member);

    for (const gh_node_t *node = list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL; node != NULL; node = node->next) {
        if (node->type == GH_NODE_STRING && gh_str_is(node->text, word)) {
            return true;
        }
    }

    return false;
}

static bool
offers(gh_str_t id)
{
    return gh_bedrock_endpoints(id, 1u << GH_ENDPOINT_CONVERSE | 1u << GH_ENDPOINT_INVOKE | 1u << GH_ENDPOINT_EMBEDDINGS) != 0;
}

/* A model of the catalogue of this region that text or embeddings come out of: known by its id, for the profiles too. */
static int
take_model(gh_bedrock_import_t *b, const gh_node_t *item, gh_str_t evidence, gh_error_t *error)
{
    gh_str_t            id = gh_import_text(item, "modelId");
    bool                text = has_word(item, "outputModalities", "TEXT"), embeds = has_word(item, "outputModalities", "EMBEDDING");
    gh_import_target_t *target;

    (void) evidence;
    if (id.len == 0) {
        return gh_import_bad(error, GH_STR("ListFoundationModels"), "a model has no \"modelId\"");
    }
    if (!gh_model_name_ok(id)) {
        return gh_import_bad(error, GH_STR("ListFoundationModels"), "a \"modelId\" is none of printable ASCII of at most 255 bytes");
    }
    if (!text && !(embeds && offers(id) && gh_bedrock_embeds(gh_bedrock_model(id)))) {
        b->other_models++;
        return GH_OK;
    }
    gh_import_list_add(b->import, &b->models, id);
    if (!has_word(item, "inferenceTypesSupported", "ON_DEMAND")) {
        return GH_OK;
    }
    b->bare = b->bare != NULL ? b->bare : deployment_of(b, GH_STR(""), GH_STR(""));
    target = b->bare != NULL ? gh_import_add_target(b->import, b->bare) : NULL;
    if (target == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    *target = (gh_import_target_t) { .model = id, .upstream = id, .store = gh_bedrock_store(b, &b->here, NULL) };

    return GH_OK;
}

/* ---- profiles ---- */

/* Global profiles name a model without a region too: "arn:aws:bedrock:::foundation-model/NAME". */
static bool
read_model_arn(gh_str_t text, gh_aws_arn_t *arn)
{
    static const char nowhere[] = ":bedrock:::foundation-model/";
    const char       *at;

    if (gh_aws_arn_read(text, arn)) {
        return gh_str_is(arn->kind, "foundation-model") && gh_model_name_ok(arn->name);
    }
    at = text.len > 0 ? memmem(text.data, text.len, nowhere, sizeof(nowhere) - 1) : NULL;
    if (at == NULL || !gh_str_starts(text, GH_STR("arn:aws")) || memchr(text.data + 4, ':', (size_t) (at - text.data) - 4) != NULL) {
        return false;
    }
    *arn = (gh_aws_arn_t) { .kind = GH_STR("foundation-model"), .region = GH_STR("") };
    arn->name.data = at + sizeof(nowhere) - 1;
    arn->name.len = (size_t) (text.data + text.len - arn->name.data);

    return gh_model_name_ok(arn->name);
}

/* The one model that all ARNs of a profile or throughput name, and the regions they are in. false: there is none. */
static bool
read_models(gh_bedrock_import_t *b, const gh_node_t *list, gh_str_t *model, gh_str_list_t *regions, bool *everywhere)
{
    for (const gh_node_t *node = list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL; node != NULL; node = node->next) {
        gh_str_t     text = gh_import_text(node, "modelArn");
        gh_aws_arn_t arn;

        if (!read_model_arn(text, &arn) || (model->len != 0 && !gh_str_eq(*model, arn.name))) {
            return false;
        }
        *model = arn.name;
        if (arn.region.len == 0) {
            *everywhere = true;
        } else {
            gh_import_list_add(b->import, regions, arn.region);
        }
    }

    return model->len != 0;
}

static bool
is_listed(const gh_str_list_t *list, gh_str_t text)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (gh_str_eq(list->items[i], text)) {
            return true;
        }
    }

    return false;
}

/* One of AWS's own. Its destinations are those of both calls: what either names is one. */
static int
take_system(gh_bedrock_import_t *b, gh_str_t id, const gh_node_t *item, gh_str_t evidence, gh_error_t *error)
{
    gh_import_t            *import = b->import;
    gh_str_t                profile = gh_facts_profile(import->facts, id), model = GH_STR(""), path;
    gh_str_list_t           regions = { NULL, 0 };
    gh_import_answer_t      answer;
    gh_import_deployment_t *deployment;
    gh_import_target_t     *target;
    bool                    everywhere = false, readable = read_models(b, gh_node_get(item, "models"), &model, &regions, &everywhere);

    if (readable && !is_listed(&b->models, model)) {
        return GH_OK;              /* pictures and sound, or a model this region does not have */
    }
    if (!readable || profile.len < 2) {
        gh_import_note(import, "profile %.*s in %.*s was left out: it names no single model of a known vendor", GH_STR_ARG(id), GH_STR_ARG(b->region));
        return GH_OK;
    }
    path = gh_str_format(import->arena, "/inference-profiles/%.*s", GH_STR_ARG(gh_import_percent(import->arena, id)));
    if (path.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    if (gh_bedrock_ask(b, b->region, "GetInferenceProfile", id, path, GH_STR(""), &answer, error) == GH_OK) {
        readable = read_models(b, gh_node_get(answer.root, "models"), &model, &regions, &everywhere);
        evidence = answer.evidence;
    } else if (only_a_fact(&answer) && answer.status != 403) {
        readable = false;
    } else {
        return GH_ERROR;
    }

    deployment = deployment_of(b, (gh_str_t) { profile.data, profile.len - 1 }, profile);
    target = deployment != NULL ? gh_import_add_target(import, deployment) : NULL;
    if (target == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    *target = (gh_import_target_t) { .model = model, .upstream = id };
    if (readable && !everywhere) {
        target->destinations = regions;
        target->destinations_evidence = evidence;
    }
    target->why = readable ? GH_STR("") : GH_STR("GetInferenceProfile does not say its destinations");
    target->store = gh_bedrock_store(b, &b->here, readable && !everywhere ? &regions : NULL);
    if (everywhere || !readable) {
        target->store = (gh_import_store_t) { .why = GH_STR("the profile's destinations are no list of regions, so their retention modes cannot be read") };
    }

    return GH_OK;
}

/* What hides behind an ARN: its own deployment, with its own name. */
static int
take_arn(gh_bedrock_import_t *b, const char *kind, gh_str_t name, gh_str_t arn, gh_str_t model, gh_error_t *error)
{
    gh_str_t                suffix = gh_str_format(b->import->arena, "%s %.*s", kind, GH_STR_ARG(name));
    gh_import_deployment_t *deployment = suffix.data != NULL ? deployment_of(b, suffix, GH_STR("")) : NULL;
    gh_import_target_t     *target;

    if (deployment != NULL && deployment->target_count > 0) {      /* another of that name */
        deployment = gh_import_add(b->import);
        if (deployment != NULL) {
            *deployment = *deployment_of(b, suffix, GH_STR(""));
            deployment->targets = NULL;
            deployment->target_count = 0;
        }
    }
    target = deployment != NULL ? gh_import_add_target(b->import, deployment) : NULL;
    if (target == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    *target = (gh_import_target_t) {
        .model = model, .upstream = arn, .store = { .why = GH_STR("an ARN hides where it runs, and so what is kept there") }
    };

    return GH_OK;
}

static int
take_profile(gh_bedrock_import_t *b, const gh_node_t *item, gh_str_t evidence, gh_error_t *error)
{
    gh_str_t      id = gh_import_text(item, "inferenceProfileId"), arn_text = gh_import_text(item, "inferenceProfileArn");
    gh_str_t      type = gh_import_text(item, "type"), name = gh_import_text(item, "inferenceProfileName"), model = GH_STR("");
    gh_str_list_t regions = { NULL, 0 };
    gh_aws_arn_t  arn;
    bool          everywhere;

    if (!gh_model_name_ok(id) || !gh_aws_arn_read(arn_text, &arn) || !gh_model_name_ok(arn_text)) {
        return gh_import_bad(error, GH_STR("ListInferenceProfiles"), "a profile has no \"inferenceProfileId\", or no ARN, of printable ASCII");
    }
    if (b->account.len == 0) {
        b->account = arn.account;
    }
    if (gh_str_is(type, "SYSTEM_DEFINED")) {
        return take_system(b, id, item, evidence, error);
    }
    if (!read_models(b, gh_node_get(item, "models"), &model, &regions, &everywhere) || !is_listed(&b->models, model)) {
        gh_import_note(b->import, "application profile %.*s in %.*s was left out: it names no single model that makes text", GH_STR_ARG(id),
            GH_STR_ARG(b->region));
        return GH_OK;
    }

    return take_arn(b, "profile", name.len != 0 ? name : id, arn_text, model, error);
}

static int
take_provisioned(gh_bedrock_import_t *b, const gh_node_t *item, gh_str_t evidence, gh_error_t *error)
{
    gh_str_t     name = gh_import_text(item, "provisionedModelName"), arn_text = gh_import_text(item, "provisionedModelArn");
    gh_str_t     status = gh_import_text(item, "status");
    gh_aws_arn_t arn, model;

    (void) evidence;
    if (!gh_aws_arn_read(arn_text, &arn) || !gh_model_name_ok(arn_text)) {
        return gh_import_bad(error, GH_STR("ListProvisionedModelThroughputs"), "a throughput has no \"provisionedModelArn\" of printable ASCII");
    }
    if (gh_str_is(status, "Failed") || gh_str_is(status, "Creating")) {
        return GH_OK;
    }
    if (!gh_aws_arn_read(gh_import_text(item, "foundationModelArn"), &model) || !gh_model_name_ok(model.name)) {
        return gh_import_bad(error, GH_STR("ListProvisionedModelThroughputs"), "a throughput has no \"foundationModelArn\"");
    }
    if (!is_listed(&b->models, model.name)) {
        return GH_OK;
    }

    return take_arn(b, "provisioned", name.len != 0 ? name : arn.name, arn_text, model.name, error);
}

/* ---- a region ---- */

static int
import_region(gh_bedrock_import_t *b, gh_error_t *error)
{
    gh_import_t *import = b->import;

    b->first = import->deployment_count;
    b->bare = NULL;
    b->models = (gh_str_list_t) { NULL, 0 };
    b->other_models = 0;
    if (gh_bedrock_retention(b, b->region, &b->here, error) != GH_OK || gh_bedrock_logging(b, error) != GH_OK
        || pages(b, "ListFoundationModels", GH_STR("/foundation-models"), GH_STR(""), "modelSummaries", take_model, error) != GH_OK
        || pages(b, "ListInferenceProfiles", GH_STR("/inference-profiles"), GH_STR("maxResults=1000&type=SYSTEM_DEFINED"), "inferenceProfileSummaries",
               take_profile, error) != GH_OK
        || pages(b, "ListInferenceProfiles", GH_STR("/inference-profiles"), GH_STR("maxResults=1000&type=APPLICATION"), "inferenceProfileSummaries",
               take_profile, error) != GH_OK
        || pages(b, "ListProvisionedModelThroughputs", GH_STR("/provisioned-model-throughputs"), PAGE, "provisionedModelSummaries", take_provisioned,
               error) != GH_OK)
    {
        return GH_ERROR;
    }
    for (uint32_t i = b->first; i < import->deployment_count; i++) {
        import->deployments[i].resource = gh_str_format(import->arena, "arn:%.*s:bedrock:%.*s:%.*s", GH_STR_ARG(b->partition), GH_STR_ARG(b->region),
            GH_STR_ARG(b->account));
        import->no_memory |= import->deployments[i].resource.data == NULL;
    }
    if (b->other_models > 0) {
        gh_import_note(import, "%u model%s of %.*s %s left out: neither text nor embeddings that the gateway can ask for", b->other_models,
            b->other_models == 1 ? "" : "s", GH_STR_ARG(b->region), b->other_models == 1 ? "was" : "were");
    }

    return import->no_memory ? gh_error_set(error, "no_memory", "out of memory") : GH_OK;
}

int
gh_import_bedrock(gh_import_t *import, const gh_import_bedrock_t *asked, gh_error_t *error)
{
    gh_bedrock_import_t b = { .import = import, .asked = asked };
    gh_str_t            prefix;

    for (size_t i = 0; i < asked->region_count; i++) {
        b.region = gh_str_from(asked->regions[i]);
        if (!gh_facts_region(import->facts, GH_STR("aws"), b.region, NULL, &b.partition)) {
            gh_str_t near = gh_facts_nearest_region(import->arena, import->facts, GH_STR("aws"), b.region);

            return gh_error_set(error, "import_failed", "region \"%.*s\" is not in %.*s%s%.*s%s", GH_STR_ARG(b.region),
                GH_STR_ARG(gh_facts_name(import->facts)), near.len ? "; did you mean \"" : "", GH_STR_ARG(near), near.len ? "\"?" : "");
        }
        if (import_region(&b, error) != GH_OK) {
            return GH_ERROR;
        }
        prefix = gh_str_format(import->arena, "arn:%.*s:bedrock:%.*s:%.*s", GH_STR_ARG(b.partition), GH_STR_ARG(b.region), GH_STR_ARG(b.account));
        if (prefix.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        gh_import_list_add(import, &import->asked, prefix);
    }

    return GH_OK;
}
