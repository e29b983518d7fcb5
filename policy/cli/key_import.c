/* `gatehouse key import`: keys that clients have already, from a file of secrets or of their SHA-256. No secret is ever printed. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/cli/files.h"
#include "policy/cli/key.h"
#include "policy/cli/policy.h"
#include "policy/document/reading.h"

#define CLASSES_MAX 32

typedef struct {
    gh_cli_t              *cli;
    gh_loader_t           *loader;
    gh_store_key_import_t *items;
    gh_where_t            *where;
    uint32_t               count;
    bool                   secrets;      /* the file has any, not only digests */
} import_t;

static const gh_member_t document_members[] = {
    { "kind", GH_IS_STRING, GH_REQUIRED }, { "keys", GH_IS_LIST, GH_REQUIRED }, { 0 }
};

static const gh_member_t key_members[] = {
    { "app", GH_IS_STRING, GH_REQUIRED }, { "name", GH_IS_STRING, GH_REQUIRED }, { "owner", GH_IS_STRING, 0 },
    { "expires", GH_IS_STRING, 0 }, { "classes", GH_IS_LIST, 0 }, { "places", GH_IS_LIST, 0 }, { "models", GH_IS_LIST, 0 }, { "key", GH_IS_STRING, 0 }, { "sha256", GH_IS_STRING, 0 }, { 0 }
};

static bool
hex32(gh_str_t text, uint8_t out[32])
{
    if (text.len != 64) {
        return false;
    }
    for (size_t i = 0; i < 64; i++) {
        char     c = text.data[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned) (c - '0') : c >= 'a' && c <= 'f' ? (unsigned) (c - 'a' + 10)
            : c >= 'A' && c <= 'F' ? (unsigned) (c - 'A' + 10) : 16;

        if (digit == 16) {
            return false;
        }
        out[i / 2] = (uint8_t) (i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }

    return true;
}

static void
read_secret(import_t *import, const gh_node_t *node, gh_store_key_import_t *item)
{
    const gh_node_t *key = gh_doc_get(node, "key", GH_IS_STRING), *digest = gh_doc_get(node, "sha256", GH_IS_STRING);

    if ((key != NULL) == (digest != NULL)) {
        gh_doc_error(import->loader, GH_WHERE(import->loader, node), "key_secret",
            "a key has either \"key\", what clients present, or \"sha256\", its digest in hexadecimal");
    } else if (key != NULL) {
        item->secret = key->text;
        import->secrets = true;
        if (gh_key_form(key->text) == GH_KEY_NONE) {
            gh_doc_error(import->loader, GH_WHERE(import->loader, key), "key_secret",
                "\"key\" cannot be an API key: it has %d to %d printable ASCII characters, does not look like a JWT, and begins with \"gh_\" "
                "only when a gateway of this kind made it", GH_KEY_FOREIGN_MIN, GH_KEY_FOREIGN_MAX);
        }
    } else if (!hex32(digest->text, item->sha256)) {
        gh_doc_error(import->loader, GH_WHERE(import->loader, digest), "key_secret", "\"sha256\" has 64 hexadecimal digits");
    }
}

static void
read_app(import_t *import, const gh_node_t *node, gh_store_key_new_t *key)
{
    const gh_node_t *app = gh_doc_get(node, "app", GH_IS_STRING), *name = gh_doc_get(node, "name", GH_IS_STRING);
    gh_cli_path_t    path;
    gh_error_t       error = { 0 };
    gh_str_t         text = app != NULL ? gh_str_copy(import->loader->arena, app->text) : GH_STR("");

    if (app != NULL && (memchr(app->text.data, '\0', app->text.len) != NULL || text.data == NULL
        || gh_cli_path_parse(text.data, 3, 3, &path, &error) != GH_OK))
    {
        gh_doc_error(import->loader, GH_WHERE(import->loader, app), "invalid_name", "\"app\": %s", error.text);
    } else if (app != NULL) {
        key->org = path.org;
        key->tenant = path.tenant;
        key->app = path.app;
    }
    if (name != NULL && gh_doc_name(import->loader, name)) {
        key->name = name->text;
    }
    if (key->org.len > 0 && key->name.len > 0) {
        gh_doc_given(import->loader, "key", gh_doc_format(import->loader, "%.*s/%.*s", GH_STR_ARG(text), GH_STR_ARG(key->name)),
            GH_WHERE(import->loader, name));
    }
}

/* A list of names as one that narrows. What they name is looked at with the policy in force. */
static void
read_narrowing(import_t *import, const gh_node_t *list, gh_str_t *lists)
{
    for (const gh_node_t *item = list != NULL ? list->first : NULL; item != NULL; item = item->next) {
        gh_str_t name = gh_doc_text(import->loader, item, 255);

        if (name.len > 0 && memchr(name.data, ' ', name.len) != NULL) {
            gh_doc_error(import->loader, GH_WHERE(import->loader, item), "invalid_name", "no place and no model has a space in its name");
        }
        *lists = gh_doc_format(import->loader, "%.*s%s%.*s", GH_STR_ARG(*lists), lists->len > 0 ? " " : "", GH_STR_ARG(name));
    }
    if (list != NULL && list->count == 0) {
        gh_doc_error(import->loader, GH_WHERE(import->loader, list), "empty_list", "a list that narrows must not be empty");
    }
}

static void
read_rest(import_t *import, const gh_node_t *node, gh_store_key_new_t *key)
{
    const gh_node_t *owner = gh_doc_get(node, "owner", GH_IS_STRING), *expires = gh_doc_get(node, "expires", GH_IS_STRING);
    gh_str_list_t    classes = gh_doc_list(import->loader, gh_doc_get(node, "classes", GH_IS_LIST), GH_LIST_NAMES, 0);
    gh_error_t       error = { 0 };

    key->owner = gh_doc_text(import->loader, owner, GH_KEY_OWNER_MAX);
    if (expires != NULL && gh_cli_key_expires(gh_doc_format(import->loader, "%.*s", GH_STR_ARG(expires->text)).data, key->now_ms,
            &key->not_after_ms, &error) != GH_OK)
    {
        gh_doc_error(import->loader, GH_WHERE(import->loader, expires), "invalid_date", "\"expires\": %s", error.text);
    }
    key->places = key->models = GH_STR("");
    read_narrowing(import, gh_doc_get(node, "places", GH_IS_LIST), &key->places);
    read_narrowing(import, gh_doc_get(node, "models", GH_IS_LIST), &key->models);
    for (uint32_t i = 0; i < classes.count && i < CLASSES_MAX; i++) {
        key->classes = gh_doc_format(import->loader, "%.*s%s%.*s", GH_STR_ARG(key->classes), i ? "," : "", GH_STR_ARG(classes.items[i]));
    }
}

static void
read_keys(import_t *import, const gh_node_t *root)
{
    const gh_node_t *list, *kind = root->type == GH_NODE_OBJECT ? gh_doc_get(root, "kind", GH_IS_STRING) : NULL;
    gh_str_t         actor = gh_cli_actor(import->cli);
    uint64_t         now_ms = gh_cli_now_ms();

    if (!gh_doc_members(import->loader, root, "a keys document", document_members)) {
        return;
    }
    if (kind != NULL && !gh_str_is(kind->text, "keys/1")) {
        gh_doc_error(import->loader, GH_WHERE(import->loader, kind), "unknown_kind", "\"kind\" must be \"keys/1\"");
    }
    list = gh_doc_get(root, "keys", GH_IS_LIST);
    import->items = gh_arena_array(import->loader->arena, list ? list->count + 1 : 1, sizeof(*import->items));
    import->where = gh_arena_array(import->loader->arena, list ? list->count + 1 : 1, sizeof(*import->where));
    if (import->items == NULL || import->where == NULL) {
        gh_doc_error(import->loader, GH_WHERE(import->loader, root), "out_of_memory", "no memory for the keys");
        return;
    }
    for (const gh_node_t *node = list ? list->first : NULL; node; node = node->next) {
        gh_store_key_import_t *item = &import->items[import->count];

        if (gh_doc_members(import->loader, node, "a key", key_members)) {
            item->key.now_ms = now_ms;
            item->key.actor = actor;
            read_app(import, node, &item->key);
            read_rest(import, node, &item->key);
            read_secret(import, node, item);
            import->where[import->count++] = GH_WHERE(import->loader, node);
        }
    }
}

/* GH_EXIT_DONE, or GH_EXIT_ERROR after what is wrong was said. */
static int
read_file(import_t *import, const char *file)
{
    gh_report_t *report = import->loader->report;
    gh_node_t   *root;
    gh_error_t   error = { 0 };
    gh_str_t     text;
    struct stat  st;

    if (gh_cli_read_input(import->cli->arena, file, GH_CLI_DOCUMENT_MAX, &text, &error) != GH_OK
        || gh_json_parse(import->cli->arena, text, file, &root, &error) != GH_OK)
    {
        return gh_cli_fail_error(import->cli, &error);
    }
    read_keys(import, root);
    for (size_t i = 0; i < report->count; i++) {
        const gh_error_t *item = &report->items[i].error;

        gh_cli_say("%s:%u:%u: error: %s", item->source, item->line, item->column, item->text);
    }
    if (report->errors > 0 || report->no_memory) {
        return gh_cli_fail(import->cli, "nothing was imported");
    }
    if (import->secrets && strcmp(file, "-") != 0 && stat(file, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
        gh_cli_fail(import->cli, "%s holds secrets and everybody may read it: nothing was imported", file);
        gh_cli_advise("chmod 0600 %s", file);
        return GH_EXIT_ERROR;
    }

    return GH_EXIT_DONE;
}

static int
print(const gh_cli_t *cli, size_t made, size_t count)
{
    bool check = gh_cli_flag(cli, "check");

    if (gh_cli_flag(cli, "json")) {
        return gh_cli_print_json(cli, json_pack("{s:I, s:I, s:b}", "imported", (json_int_t) made, "before", (json_int_t) (count - made),
            "check", check));
    }
    printf("%s%zu key%s imported, %zu there before\n", check ? "would be: " : "", made, made == 1 ? "" : "s", count - made);

    return gh_cli_flush(cli);
}

static int
run(gh_cli_t *cli)
{
    gh_report_t report;
    gh_loader_t loader = { .arena = cli->arena, .report = &report, .now_ms = gh_cli_now_ms(), .source = cli->arguments[0] };
    import_t    import = { .cli = cli, .loader = &loader };
    gh_error_t  error = { 0 };
    size_t      made, wrong;
    int         status;
    gh_store_t *store;

    gh_report_init(&report, cli->arena);
    status = read_file(&import, cli->arguments[0]);
    if (status != GH_EXIT_DONE) {
        return status;
    }
    if ((store = gh_cli_store_open(cli, true)) == NULL) {
        return GH_EXIT_ERROR;
    }
    if (gh_store_key_import(store, import.items, import.count, loader.now_ms, !gh_cli_flag(cli, "check"), &made, &wrong, &error) == GH_OK) {
        status = print(cli, made, import.count);
    } else if (wrong < import.count) {
        gh_cli_say("%s:%u:%u: error: %s", loader.source, import.where[wrong].line, import.where[wrong].column, error.text);
        status = gh_cli_fail(cli, "nothing was imported");
    } else {
        status = gh_cli_fail_store(cli, &error);
    }
    gh_store_close(store);

    return status;
}

static const gh_cli_option_t options[] = {
    GH_CLI_STORE_OPTIONS,
    { "check", NULL, "says what would be imported, and imports nothing", false },
    { "json", NULL, "prints an object: imported, before, check", false },
    { 0 }
};

const gh_cli_command_t gh_cli_key_import = {
    .name = "key import",
    .usage = "FILE [options]",
    .summary = "takes over keys that clients have already",
    .help =
        "FILE (\"-\": standard input) is JSON: {\"kind\": \"keys/1\", \"keys\": [{\"app\": \"ORG/TENANT/APP\", \"name\": \"laptop\",\n"
        "\"sha256\": \"<64 hex>\", \"owner\": \"...\", \"expires\": \"2027-01-31\", \"classes\": [...]}]}, with \"key\", the secret itself, in\n"
        "place of \"sha256\", its digest, as other gateways keep it. All of them are imported or none; one that was\n"
        "imported before under the same name is there already. Secrets are not printed, in errors neither.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
