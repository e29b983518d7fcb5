#include "policy/cli/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/quota/limits.h"

const char gh_cli_ledger_words[] =
    "The ledger is the file that all workers share: what was used of every limit, what is reserved by running\n"
    "requests, which policy each worker sends under, and how backends answer. `gatehouse init` makes it.\n";

int
gh_cli_size_parse(const char *text, uint64_t *size)
{
    char              *end;
    unsigned long long number;
    unsigned           shift = 0;

    if (*text < '0' || *text > '9') {
        return GH_ERROR;
    }
    errno = 0;
    number = strtoull(text, &end, 10);
    if (*end != '\0') {
        shift = *end == 'k' || *end == 'K' ? 10 : *end == 'm' || *end == 'M' ? 20 : *end == 'g' || *end == 'G' ? 30 : 0;
        if (shift == 0 || end[1] != '\0') {
            return GH_ERROR;
        }
    }
    if (errno != 0 || number > UINT64_MAX >> shift) {
        return GH_ERROR;
    }
    *size = (uint64_t) number << shift;
    return GH_OK;
}

const char *
gh_cli_size_text(gh_arena_t *arena, uint64_t size)
{
    unsigned shift = size % (1u << 30) == 0 ? 30 : size % (1u << 20) == 0 ? 20 : size % (1u << 10) == 0 ? 10 : 0;
    gh_str_t text = gh_str_format(arena, "%llu%.*s", (unsigned long long) (size >> shift), shift != 0,
        shift == 30 ? "g" : shift == 20 ? "m" : "k");

    return text.data != NULL ? text.data : "";
}

gh_ledger_t *
gh_cli_ledger_open(const gh_cli_t *cli, bool writable)
{
    gh_error_t   error = { 0 };
    gh_ledger_t *ledger = gh_ledger_open(gh_cli_ledger(cli), writable, &error);

    if (ledger != NULL) {
        return ledger;
    }
    gh_cli_fail_error(cli, &error);
    if (strcmp(error.code, "ledger_denied") == 0) {
        gh_cli_advise("run this as root or as the owner of %s", gh_cli_ledger(cli));
    } else if (strcmp(error.code, "ledger_missing") == 0) {
        gh_cli_advise("gatehouse init%s   makes it; or name another one with --ledger", gh_cli_init_words(cli));
    } else {
        gh_cli_advise("gatehouse init%s   once no worker uses it", gh_cli_init_words(cli));
    }
    return NULL;
}

static const char *
word(const char *const *names, unsigned count, unsigned index)
{
    return index < count && names[index] != NULL && names[index][0] != '\0' ? names[index] : "unknown";
}

json_t *
gh_cli_counter_json(const gh_counter_id_t *id)
{
    json_t *object = json_pack("{s:s, s:I, s:s, s:s, s:s}", "level", word(gh_level_names, GH_LEVELS, id->level), "uid", (json_int_t) id->uid,
        "dimension", word(gh_dimension_names, GH_DIMENSIONS, id->dimension), "per", word(gh_per_names, GH_PERS, id->per),
        "class", word(gh_limit_class_names, GH_LIMIT_CLASSES, id->limit_class));
    char    model[17];

    if (object != NULL && id->model != 0) {
        snprintf(model, sizeof(model), "%016llx", (unsigned long long) id->model);
        json_object_set_new(object, "model", json_string(model));
    }
    return object;
}

const char *
gh_cli_counter_text(gh_arena_t *arena, const gh_counter_id_t *id)
{
    char     model[32] = "";
    gh_str_t text;

    if (id->model != 0) {
        snprintf(model, sizeof(model), ", of model %016llx", (unsigned long long) id->model);
    }
    if (id->level == GH_LEVEL_DEPLOYMENT) {
        text = gh_str_format(arena, "deployment %012llx: %s", (unsigned long long) id->uid,
            word(gh_dimension_names, GH_DIMENSIONS, id->dimension));
    } else {
        text = gh_str_format(arena, "%s %llu: %s%s%s, %s%s", word(gh_level_names, GH_LEVELS, id->level), (unsigned long long) id->uid,
            word(gh_dimension_names, GH_DIMENSIONS, id->dimension), id->per == GH_PER_NONE ? "" : " per ",
            id->per == GH_PER_NONE ? "" : word(gh_per_names, GH_PERS, id->per),
            word(gh_limit_class_names, GH_LIMIT_CLASSES, id->limit_class), model);
    }
    return text.data != NULL ? text.data : "";
}

const char *
gh_cli_window_text(gh_arena_t *arena, gh_per_t per, uint32_t window)
{
    return per == GH_PER_NONE ? NULL : window == 0 ? "1970-01-01T00:00:00Z" : gh_cli_time_text(arena, gh_window_end(per, window - 1));
}
