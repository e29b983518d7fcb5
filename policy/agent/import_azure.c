/*
 * What Azure Resource Manager says of accounts of Azure OpenAI and Foundry, and of the deployments in them. Where a deployment processes follows from the
 * account's region and the deployment's SKU, which the facts artefact knows; what is kept, from the capability ContentLogging, which is there, "false", when
 * abuse monitoring keeps nothing, and absent otherwise.
 */
#include "policy/agent/import_private.h"

#include <strings.h>
#include <string.h>

#define SUBSCRIPTIONS GH_STR("api-version=2022-12-01")
#define ACCOUNTS      GH_STR("api-version=2025-09-01")

#define ABUSE_DAYS 30     /* "Data, privacy, and security for Azure OpenAI": up to 30 days */

typedef struct {
    gh_import_t             *import;
    const gh_import_azure_t *asked;
    gh_str_t                 subscription;
    gh_str_list_t            subscriptions;       /* that are to be asked */
    gh_str_list_t            accounts;            /* ids that lists had */
    const gh_node_t         *account;             /* whose deployments are listed */
    gh_str_t                 account_evidence;
} azure_t;

typedef int (*item_fn)(azure_t *a, const gh_node_t *item, gh_str_t evidence, gh_error_t *error);

/* ---- lists ---- */

/* The path and query of a next page. Only ever at the same origin: the token goes along. */
static int
take_next(azure_t *a, gh_str_t what, gh_str_t next, gh_import_call_t *call, gh_error_t *error)
{
    gh_str_t    rest;
    const char *mark;

    if (next.len > 8192 || !gh_str_starts(next, a->asked->endpoint) || next.len <= a->asked->endpoint.len || next.data[a->asked->endpoint.len] != '/') {
        return gh_import_bad(error, what, "the next page is said to be at another host than %.*s, and was not asked for", GH_STR_ARG(a->asked->endpoint));
    }
    for (size_t i = 0; i < next.len; i++) {
        if (next.data[i] <= ' ' || next.data[i] > '~' || next.data[i] == '#') {
            return gh_import_bad(error, what, "\"nextLink\" is no URL");
        }
    }
    rest = (gh_str_t) { next.data + a->asked->endpoint.len, next.len - a->asked->endpoint.len };
    mark = memchr(rest.data, '?', rest.len);
    call->path = (gh_str_t) { rest.data, mark != NULL ? (size_t) (mark - rest.data) : rest.len };
    call->query = mark != NULL ? (gh_str_t) { mark + 1, rest.len - call->path.len - 1 } : GH_STR("");

    return GH_OK;
}

static int
pages(azure_t *a, gh_str_t what, const char *permission, gh_str_t path, gh_str_t query, item_fn take, gh_error_t *error)
{
    gh_import_call_t call = {
        .what = what, .permission = gh_str_from(permission), .origin = a->asked->endpoint, .path = path, .query = query, .token = a->asked->token
    };

    for (unsigned page = 0; page < GH_IMPORT_PAGES_MAX; page++) {
        gh_import_answer_t answer;
        const gh_node_t   *list;
        gh_str_t           next;

        if (gh_import_get(a->import, &call, &answer, error) != GH_OK) {
            return GH_ERROR;
        }
        list = gh_node_get(answer.root, "value");
        if (list == NULL || list->type != GH_NODE_ARRAY) {
            return gh_import_bad(error, what, "\"value\" is %s, not a list", list != NULL ? gh_node_type_name(list->type) : "missing");
        }
        for (const gh_node_t *item = list->first; item != NULL; item = item->next) {
            if (item->type != GH_NODE_OBJECT) {
                return gh_import_bad(error, what, "\"value\" holds %s, not objects alone", gh_node_type_name(item->type));
            }
            if (take(a, item, answer.evidence, error) != GH_OK) {
                return GH_ERROR;
            }
        }
        next = gh_import_text(answer.root, "nextLink");
        if (next.len == 0) {
            return GH_OK;
        }
        if (take_next(a, what, next, &call, error) != GH_OK) {
            return GH_ERROR;
        }
    }

    return gh_import_bad(error, what, "the list goes on after %d pages", GH_IMPORT_PAGES_MAX);
}

/* ---- facts ---- */

static const gh_node_t *
properties(const gh_node_t *item)
{
    const gh_node_t *node = gh_node_get(item, "properties");

    return node != NULL && node->type == GH_NODE_OBJECT ? node : NULL;
}

/* The value of a capability of an account, [{"name", "value"}]; "" when it has none of that name. */
static gh_str_t
capability(const gh_node_t *account, const char *name)
{
    const gh_node_t *list = properties(account) != NULL ? gh_node_get(properties(account), "capabilities") : NULL;

    for (const gh_node_t *item = list != NULL && list->type == GH_NODE_ARRAY ? list->first : NULL; item != NULL; item = item->next) {
        if (gh_str_is(gh_import_text(item, "name"), name)) {
            return gh_import_text(item, "value");
        }
    }

    return GH_STR("");
}

static bool
is_present(const gh_node_t *account, const char *member)
{
    const gh_node_t *node = properties(account) != NULL ? gh_node_get(properties(account), member) : NULL;

    return node != NULL && node->type != GH_NODE_NULL && !(node->type == GH_NODE_OBJECT && node->count == 0);
}

static gh_import_store_t
store_of(azure_t *a, gh_str_t format)
{
    gh_import_store_t store = { .keeps = GH_STORE_UNKNOWN };
    gh_arena_t       *arena = a->import->arena;

    if (!gh_str_is(format, "OpenAI") && !gh_str_is(format, "Microsoft")) {
        store.why = gh_str_format(arena, "what is kept of models of %.*s is not published", GH_STR_ARG(format));
    } else if (is_present(a->account, "raiMonitorConfig")) {
        store.why = GH_STR("the account copies content to a monitor of its own (raiMonitorConfig)");
    } else if (gh_str_is(capability(a->account, "ContentLogging"), "false")) {
        store.keeps = GH_STORE_NOTHING;
        store.evidence = gh_str_format(arena, "capability ContentLogging is \"false\" by %.*s", GH_STR_ARG(a->account_evidence));
    } else {
        store.keeps = GH_STORE_KEPT;
        store.in = GH_STR("ANYWHERE");
        store.in_guessed = true;
        store.days_known = true;
        store.days = ABUSE_DAYS;
        store.evidence = gh_str_format(arena, "no capability ContentLogging \"false\" by %.*s: abuse monitoring keeps up to %d days in the account's geography, "
            "whose countries are not published", GH_STR_ARG(a->account_evidence), ABUSE_DAYS);
    }
    a->import->no_memory |= store.why.data == NULL && store.evidence.data == NULL;

    return store;
}

/* "Sweden Central" of older accounts is "swedencentral". */
static gh_str_t
location_of(azure_t *a, const gh_node_t *account)
{
    gh_str_t said = gh_import_text(account, "location");
    char    *text = gh_arena_alloc(a->import->arena, said.len + 1);
    size_t   len = 0;

    if (text == NULL) {
        a->import->no_memory = true;
        return GH_STR("");
    }
    for (size_t i = 0; i < said.len; i++) {
        char c = said.data[i];

        if (c != ' ') {
            text[len++] = c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
        }
    }

    return gh_model_name_ok((gh_str_t) { text, len }) && len <= 64 ? (gh_str_t) { text, len } : GH_STR("");
}

static gh_str_t
host_of(const gh_node_t *account)
{
    gh_str_t host = gh_import_text(properties(account), "endpoint");

    if (gh_str_starts(host, GH_STR("https://"))) {
        host = (gh_str_t) { host.data + 8, host.len - 8 };
    }
    while (host.len > 0 && host.data[host.len - 1] == '/') {
        host.len--;
    }

    return gh_model_name_ok(host) ? host : GH_STR("");
}

/* ---- deployments ---- */

static bool
can(const gh_node_t *deployment, const char *what)
{
    const gh_node_t *object = properties(deployment) != NULL ? gh_node_get(properties(deployment), "capabilities") : NULL;

    return gh_str_is(gh_import_text(object, what), "true");
}

static uint64_t
tokens(const gh_node_t *deployment, const char *what)
{
    const gh_node_t *object = properties(deployment) != NULL ? gh_node_get(properties(deployment), "capabilities") : NULL;
    gh_str_t         text = gh_import_text(object, what);
    uint64_t         number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i >= 9) {
            return 0;
        }
        number = number * 10 + (uint64_t) (text.data[i] - '0');
    }

    return number;
}

static void
set_endpoints(azure_t *a, const gh_node_t *item, gh_str_t format, gh_import_deployment_t *deployment)
{
    static const struct { const char *capability, *endpoint; } rows[] = {
        { "chatCompletion", "chat.completions" }, { "completion", "completions" }, { "embeddings", "embeddings" }, { "responses", "responses" }
    };

    if (gh_str_is(format, "Anthropic")) {
        deployment->dialect = GH_STR("anthropic");
        gh_import_list_add(a->import, &deployment->endpoints, GH_STR("messages"));
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (can(item, rows[i].capability)) {
            gh_import_list_add(a->import, &deployment->endpoints, gh_str_from(rows[i].endpoint));
        }
    }
    if (deployment->endpoints.count == 0) {
        gh_import_note(a->import, "%.*s: its capabilities name nothing that the gateway can ask for, so \"endpoints\" must be stated", GH_STR_ARG(deployment->id));
    }
}

/*
 * What the SKU binds is published for models that Azure itself offers; an account that is spread over several regions processes in all of them. Without a
 * SKU, processing is unknown.
 */
static void
set_process(azure_t *a, const gh_node_t *item, gh_str_t format, gh_import_deployment_t *deployment, gh_import_target_t *target)
{
    gh_str_t sku = gh_import_text(gh_node_get(item, "sku"), "name");

    if (gh_str_is(format, "Anthropic")) {
        deployment->seller = GH_STR("anthropic");
    } else if (!gh_str_is(format, "OpenAI") && !gh_str_is(format, "Microsoft")) {
        target->why = gh_str_format(a->import->arena, "whether a SKU binds models of %.*s is not published", GH_STR_ARG(format));
        return;
    }
    if (is_present(a->account, "locations")) {
        target->why = GH_STR("its account is spread over several regions (\"locations\")");
        target->unsound = true;
        return;
    }
    if (sku.len == 0 || sku.len > 64 || !gh_model_name_ok(sku)) {
        target->why = GH_STR("it says no SKU");
        return;
    }
    deployment->sku = sku;
}

static int
take_deployment(azure_t *a, const gh_node_t *item, gh_str_t evidence, gh_error_t *error)
{
    gh_import_t            *import = a->import;
    const gh_node_t        *about = properties(item), *model = about != NULL ? gh_node_get(about, "model") : NULL;
    gh_str_t                name = gh_import_text(item, "name"), model_name = gh_import_text(model, "name"), format = gh_import_text(model, "format");
    gh_str_t                state = gh_import_text(about, "provisioningState"), account = gh_import_text(a->account, "name"), id;
    gh_import_deployment_t *deployment;
    gh_import_target_t     *target;

    (void) evidence;
    if (!gh_model_name_ok(name) || !gh_model_name_ok(model_name) || format.len == 0 || format.len > 64 || !gh_utf8_valid(format)) {
        return gh_import_bad(error, GH_STR("Deployments_List"), "a deployment of account %.*s has no \"name\", \"properties.model.name\" or \"format\" "
            "of printable ASCII", GH_STR_ARG(account));
    }
    if (gh_str_is(state, "Failed") || gh_str_is(state, "Canceled") || gh_str_is(state, "Deleting") || gh_str_is(state, "Disabled")) {
        gh_import_note(import, "deployment %.*s of %.*s was left out: it is %.*s", GH_STR_ARG(name), GH_STR_ARG(account), GH_STR_ARG(state));
        return GH_OK;
    }
    deployment = gh_import_add(import);
    target = deployment != NULL ? gh_import_add_target(import, deployment) : NULL;
    id = gh_str_format(import->arena, "%.*s %.*s", GH_STR_ARG(account), GH_STR_ARG(name));
    if (target == NULL || id.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    *target = (gh_import_target_t) {
        .model = model_name, .upstream = name, .store = store_of(a, format), .context = tokens(item, "maxContextToken"),
        .max_output = tokens(item, "maxOutputToken"), .why = GH_STR("")
    };
    deployment->id = gh_import_name(import, id);
    deployment->backend = gh_import_name(import, account);
    deployment->provider = GH_STR("azure");
    deployment->partition = a->asked->partition;
    deployment->region = location_of(a, a->account);
    deployment->resource = gh_import_text(a->account, "id");
    deployment->dialect = GH_STR("azure-v1");
    deployment->host = host_of(a->account);
    deployment->sku = deployment->seller = deployment->profile = GH_STR("");
    set_endpoints(a, item, format, deployment);
    set_process(a, item, format, deployment, target);

    return import->no_memory ? gh_error_set(error, "no_memory", "out of memory") : GH_OK;
}

/* ---- accounts ---- */

/* An id of ARM that can stand in a URL, of an account in the subscription that was asked. */
static bool
is_account_id(azure_t *a, gh_str_t id)
{
    static const char type[] = "/providers/Microsoft.CognitiveServices/accounts/";
    size_t            slashes = 0;

    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];

        slashes += c == '/';
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("/-._()", c) != NULL))
            || (c == '.' && i + 1 < id.len && (id.data[i + 1] == '.' || id.data[i + 1] == '/')))
        {
            return false;
        }
    }
    if (id.len > 500 || slashes != 8 || id.len < 15 + a->subscription.len || strncasecmp(id.data, "/subscriptions/", 15) != 0
        || strncasecmp(id.data + 15, a->subscription.data, a->subscription.len) != 0 || id.data[15 + a->subscription.len] != '/')
    {
        return false;
    }
    for (size_t i = 0; i + sizeof(type) - 1 < id.len; i++) {
        if (strncasecmp(id.data + i, type, sizeof(type) - 1) == 0) {
            return true;
        }
    }

    return false;
}

static int
take_account(azure_t *a, const gh_node_t *item, gh_str_t evidence, gh_error_t *error)
{
    gh_str_t id = gh_import_text(item, "id"), kind = gh_import_text(item, "kind"), name = gh_import_text(item, "name"), what, path;

    if (!gh_str_is(kind, "OpenAI") && !gh_str_is(kind, "AIServices")) {
        return GH_OK;
    }
    gh_import_list_add(a->import, &a->accounts, id);
    if (!is_account_id(a, id) || !gh_model_name_ok(name)) {
        return gh_import_bad(error, GH_STR("Accounts_List"), "an account has no \"id\" in subscription %.*s, or no \"name\"", GH_STR_ARG(a->subscription));
    }
    what = gh_str_format(a->import->arena, "Deployments_List of account %.*s", GH_STR_ARG(name));
    path = gh_str_format(a->import->arena, "%.*s/deployments", GH_STR_ARG(id));
    if (what.data == NULL || path.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    a->account = item;
    a->account_evidence = evidence;

    return pages(a, what, "the permission Microsoft.CognitiveServices/accounts/deployments/read (role Reader)", path, ACCOUNTS, take_deployment, error);
}

static bool
is_subscription_id(gh_str_t id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }

    return id.len > 0 && id.len <= 64;
}

static int
take_subscription(azure_t *a, const gh_node_t *item, gh_str_t evidence, gh_error_t *error)
{
    gh_str_t id = gh_import_text(item, "subscriptionId"), state = gh_import_text(item, "state");

    (void) evidence;
    if (!is_subscription_id(id)) {
        return gh_import_bad(error, GH_STR("Subscriptions_List"), "a subscription has no \"subscriptionId\"");
    }
    if (gh_str_is(state, "Disabled") || gh_str_is(state, "Deleted")) {
        gh_import_note(a->import, "subscription %.*s was left out: it is %.*s", GH_STR_ARG(id), GH_STR_ARG(state));
        return GH_OK;
    }
    gh_import_list_add(a->import, &a->subscriptions, id);

    return GH_OK;
}

static bool
was_listed(const azure_t *a, gh_str_t id)
{
    for (uint32_t i = 0; i < a->accounts.count; i++) {
        if (a->accounts.items[i].len == id.len && strncasecmp(a->accounts.items[i].data, id.data, id.len) == 0) {
            return true;
        }
    }

    return false;
}

/* Accounts of the subscription that are expected and in no list: gone only when ARM says that they are not there. */
static int
look_for_missing(azure_t *a, gh_error_t *error)
{
    for (size_t i = 0; i < a->asked->resource_count; i++) {
        gh_str_t           id = a->asked->resources[i];
        gh_import_call_t   call = {
            .what = GH_STR("Accounts_Get"), .permission = GH_STR("the permission Microsoft.CognitiveServices/accounts/read (role Reader)"),
            .origin = a->asked->endpoint, .path = id, .query = ACCOUNTS, .token = a->asked->token
        };
        gh_import_answer_t answer;

        if (!is_account_id(a, id) || was_listed(a, id)) {
            continue;
        }
        call.what = gh_str_format(a->import->arena, "Accounts_Get of %.*s", GH_STR_ARG(id));
        if (call.what.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        if (gh_import_get(a->import, &call, &answer, error) == GH_OK) {
            if (take_account(a, answer.root, answer.evidence, error) != GH_OK) {
                return GH_ERROR;
            }
        } else if (answer.status != 404) {
            return GH_ERROR;
        }
    }

    return GH_OK;
}

int
gh_import_azure(gh_import_t *import, const gh_import_azure_t *asked, gh_error_t *error)
{
    azure_t a = { .import = import, .asked = asked };

    for (size_t i = 0; i < asked->subscription_count; i++) {
        gh_str_t id = gh_str_from(asked->subscriptions[i]);

        if (!is_subscription_id(id)) {
            return gh_error_set(error, "import_failed", "\"%.*s\" is not the id of a subscription, such as 0b1f6471-1bf0-4dda-aec3-111122223333", GH_STR_ARG(id));
        }
        gh_import_list_add(import, &a.subscriptions, id);
    }
    if (asked->subscription_count == 0
        && pages(&a, GH_STR("Subscriptions_List"), "the permission Microsoft.Resources/subscriptions/read (role Reader)", GH_STR("/subscriptions"), SUBSCRIPTIONS,
               take_subscription, error) != GH_OK)
    {
        return GH_ERROR;
    }
    if (a.subscriptions.count == 0) {
        return gh_error_set(error, "import_denied", "the token sees no subscription: its owner needs the role Reader on one, or on accounts in it");
    }
    for (uint32_t i = 0; i < a.subscriptions.count; i++) {
        gh_str_t what, path;

        a.subscription = a.subscriptions.items[i];
        what = gh_str_format(import->arena, "Accounts_List of subscription %.*s", GH_STR_ARG(a.subscription));
        path = gh_str_format(import->arena, "/subscriptions/%.*s/providers/Microsoft.CognitiveServices/accounts", GH_STR_ARG(a.subscription));
        if (what.data == NULL || path.data == NULL) {
            return gh_error_set(error, "no_memory", "out of memory");
        }
        if (pages(&a, what, "the permission Microsoft.CognitiveServices/accounts/read (role Reader)", path, ACCOUNTS, take_account, error) != GH_OK
            || look_for_missing(&a, error) != GH_OK)
        {
            return GH_ERROR;
        }
        what = gh_str_format(import->arena, "/subscriptions/%.*s/", GH_STR_ARG(a.subscription));
        import->no_memory |= what.data == NULL;
        gh_import_list_add(import, &import->asked, what);
    }

    return import->no_memory ? gh_error_set(error, "no_memory", "out of memory") : GH_OK;
}
