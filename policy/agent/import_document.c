/* What was gathered as fleet/1, and in a sentence what it means. */
#include "policy/agent/import_private.h"
#include "policy/agent/tree.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- the document ---- */

static gh_node_t *
evidence(gh_tree_maker_t *make, gh_str_t on, gh_str_t source)
{
    gh_node_t *object = gh_tree_object(make);

    gh_tree_set(object, GH_STR("by"), gh_tree_string(make, GH_STR(GH_IMPORT_BY)));
    gh_tree_set(object, GH_STR("on"), gh_tree_string(make, on));
    gh_tree_set(object, GH_STR("source"), gh_tree_string(make, source));

    return object;
}

static gh_node_t *
strings(gh_tree_maker_t *make, const gh_str_list_t *list)
{
    gh_node_t *array = gh_tree_array(make);

    for (uint32_t i = 0; i < list->count; i++) {
        gh_tree_append(array, gh_tree_string(make, list->items[i]));
    }

    return array;
}

static void
set_text(gh_tree_maker_t *make, gh_node_t *object, const char *key, gh_str_t text)
{
    if (text.len != 0) {
        gh_tree_set(object, gh_str_from(key), gh_tree_string(make, text));
    }
}

static gh_node_t *
store_of(gh_tree_maker_t *make, const gh_import_store_t *store)
{
    gh_str_list_t in = { (gh_str_t *) &store->in, 1 };
    gh_node_t    *object;

    if (store->keeps == GH_STORE_NOTHING) {
        return gh_tree_string(make, GH_STR("nothing"));
    }
    object = gh_tree_object(make);
    gh_tree_set(object, GH_STR("in"), strings(make, &in));
    if (store->days_known) {
        gh_tree_set(object, GH_STR("days"), gh_tree_number(make, store->days));
    }

    return object;
}

static gh_node_t *
entry_of(gh_import_t *import, gh_tree_maker_t *make, const gh_import_target_t *target)
{
    gh_node_t *object = gh_tree_object(make), *by_fact = gh_tree_object(make);

    gh_tree_set(object, GH_STR("upstream"), gh_tree_string(make, target->upstream));
    if (target->destinations.count > 0) {
        gh_tree_set(object, GH_STR("destinations"), strings(make, &target->destinations));
        gh_tree_set(by_fact, GH_STR("destinations"), evidence(make, import->on, target->destinations_evidence));
    }
    if (target->store.keeps != GH_STORE_UNKNOWN) {
        gh_tree_set(object, GH_STR("store"), store_of(make, &target->store));
        gh_tree_set(by_fact, GH_STR("store"), evidence(make, import->on, target->store.evidence));
    }
    if (by_fact != NULL && by_fact->count > 0) {
        gh_tree_set(object, GH_STR("evidence"), by_fact);
    }

    return object;
}

static void
operator_home(gh_import_t *import, gh_tree_maker_t *make, gh_node_t *object, gh_str_t partition)
{
    gh_places_t places;
    gh_node_t  *list = gh_tree_array(make), *by_fact = gh_tree_object(make);
    gh_str_t    source = gh_str_format(import->arena, "%.*s: who operates the partition %.*s", GH_STR_ARG(gh_facts_name(import->facts)),
           GH_STR_ARG(partition));

    if (!gh_facts_operator_home(import->facts, partition, &places)) {
        return;
    }
    for (int country = 0; country < GH_COUNTRIES; country++) {
        gh_places_t one = gh_places_none();

        gh_places_add(&one, country);
        if (gh_places_inside(one, places)) {
            gh_tree_append(list, gh_tree_string(make, (gh_str_t) { gh_country_codes[country], 2 }));
        }
    }
    make->no_memory |= source.data == NULL;
    gh_tree_set(object, GH_STR("operator_home"), list);
    gh_tree_set(by_fact, GH_STR("operator_home"), evidence(make, import->on, source));
    gh_tree_set(object, GH_STR("evidence"), by_fact);
}

static gh_node_t *
deployment_of(gh_import_t *import, gh_tree_maker_t *make, const gh_import_deployment_t *deployment)
{
    gh_node_t *object = gh_tree_object(make), *models = gh_tree_object(make);

    set_text(make, object, "id", deployment->id);
    set_text(make, object, "backend", deployment->backend);
    set_text(make, object, "provider", deployment->provider);
    set_text(make, object, "partition", deployment->partition);
    set_text(make, object, "region", deployment->region);
    set_text(make, object, "sku", deployment->sku);
    set_text(make, object, "seller", deployment->seller);
    set_text(make, object, "profile", deployment->profile);
    set_text(make, object, "resource", deployment->resource);
    set_text(make, object, "dialect", deployment->dialect);
    if (deployment->endpoints.count > 0) {
        gh_tree_set(object, GH_STR("endpoints"), strings(make, &deployment->endpoints));
    }
    operator_home(import, make, object, deployment->partition);
    for (uint32_t i = 0; i < deployment->target_count; i++) {
        gh_tree_set(models, deployment->targets[i].model, entry_of(import, make, &deployment->targets[i]));
    }
    gh_tree_set(object, GH_STR("models"), models);

    return object;
}

/* Each model once, in byte order; of several deployments the smallest bound on tokens. */
static gh_node_t *
catalogue(gh_import_t *import, gh_tree_maker_t *make)
{
    gh_node_t    *object = gh_tree_object(make);
    gh_str_list_t names = { NULL, 0 };

    for (uint32_t i = 0; i < import->deployment_count; i++) {
        for (uint32_t k = 0; k < import->deployments[i].target_count; k++) {
            gh_import_list_add(import, &names, import->deployments[i].targets[k].model);
        }
    }
    for (uint32_t n = 0; n < names.count; n++) {
        gh_node_t *entry = gh_tree_object(make);
        uint64_t   context = 0, max_output = 0;

        for (uint32_t i = 0; i < import->deployment_count; i++) {
            for (uint32_t k = 0; k < import->deployments[i].target_count; k++) {
                const gh_import_target_t *target = &import->deployments[i].targets[k];

                if (gh_str_eq(target->model, names.items[n])) {
                    context = target->context != 0 && (context == 0 || target->context < context) ? target->context : context;
                    max_output = target->max_output != 0 && (max_output == 0 || target->max_output < max_output) ? target->max_output : max_output;
                }
            }
        }
        if (context != 0) {
            gh_tree_set(entry, GH_STR("context"), gh_tree_number(make, context));
        }
        if (max_output != 0) {
            gh_tree_set(entry, GH_STR("max_output"), gh_tree_number(make, max_output));
        }
        gh_tree_set(object, names.items[n], entry);
    }

    return object;
}

gh_node_t *
gh_import_document(gh_import_t *import)
{
    gh_tree_maker_t make = { .arena = import->arena };
    gh_node_t      *root = gh_tree_object(&make), *list = gh_tree_array(&make);

    gh_tree_set(root, GH_STR("kind"), gh_tree_string(&make, GH_STR("fleet/1")));
    gh_tree_set(root, GH_STR("models"), catalogue(import, &make));
    for (uint32_t i = 0; i < import->deployment_count; i++) {
        gh_tree_append(list, deployment_of(import, &make, &import->deployments[i]));
    }
    if (import->deployment_count > 0) {
        gh_tree_set(root, GH_STR("deployments"), list);
    }

    return make.no_memory || import->no_memory ? NULL : root;
}

/* ---- the sentence ---- */

#define REASONS_MAX 64
#define REASONS_SAID 4

typedef struct {
    gh_str_t text;
    uint32_t count;
} reason_t;

typedef struct {
    gh_import_t         *import;
    gh_import_summary_t *out;
    reason_t             reasons[REASONS_MAX];   /* more than so many are not told apart */
    uint32_t             reason_count;
} summary_t;

static void
count_reason(summary_t *s, gh_str_t text)
{
    uint32_t i = 0;

    while (i < s->reason_count && !gh_str_eq(s->reasons[i].text, text)) {
        i++;
    }
    if (i == s->reason_count) {
        if (i == REASONS_MAX) {
            return;
        }
        s->reasons[s->reason_count++] = (reason_t) { .text = text };
    }
    s->reasons[i].count++;
    for (; i > 0 && s->reasons[i - 1].count < s->reasons[i].count; i--) {
        reason_t moved = s->reasons[i];

        s->reasons[i] = s->reasons[i - 1];
        s->reasons[i - 1] = moved;
    }
}

static void
count_days(gh_import_summary_t *out, const gh_model_store_t *store)
{
    uint32_t i = 0;

    out->kept++;
    if (!store->days_known) {
        out->kept_unsaid++;
        return;
    }
    while (i < out->kept_distinct && out->kept_days[i] != store->days) {
        i++;
    }
    if (i == out->kept_distinct) {
        if (i == sizeof(out->kept_days) / sizeof(out->kept_days[0])) {
            return;
        }
        out->kept_days[out->kept_distinct++] = store->days;
    }
    out->kept_count[i]++;
}

/* Why the facts artefact does not derive it, as gh_documents_load would warn. */
static gh_str_t
why_process(gh_import_t *import, const gh_import_deployment_t *deployment, const gh_import_target_t *target)
{
    gh_facts_query_t query = {
        .provider = deployment->provider, .region = deployment->region, .sku = deployment->sku, .seller = deployment->seller,
        .profile = deployment->profile, .upstream = target->upstream
    };
    gh_str_t         why = gh_facts_process_why(import->arena, import->facts, &query);

    return target->why.len != 0 ? target->why : why.len != 0 ? why : GH_STR("a fact of where it processes is unknown");
}

static void
count_target(summary_t *s, const gh_import_deployment_t *deployment, const gh_import_target_t *target, const gh_model_target_t *judged)
{
    bool process = !gh_places_has_unknown(judged->process), store = !gh_places_has_unknown(judged->store.places);

    s->out->targets++;
    s->out->anywhere += process && gh_places_inside(gh_places_anywhere(), judged->process);
    if (store && !judged->store.nothing) {
        count_days(s->out, &judged->store);
    }
    if (process && store) {
        return;
    }
    s->out->unknown++;
    count_reason(s, !process ? why_process(s->import, deployment, target) : target->store.why);
}

typedef struct {
    char   text[2048];
    size_t len;
} words_t;

__attribute__((format(printf, 2, 3))) static void
say(words_t *w, const char *format, ...)
{
    va_list arguments;
    int     n;

    va_start(arguments, format);
    n = vsnprintf(w->text + w->len, sizeof(w->text) - w->len, format, arguments);
    va_end(arguments);
    if (n > 0) {
        w->len = w->len + (size_t) n < sizeof(w->text) ? w->len + (size_t) n : sizeof(w->text) - 1;
    }
}

static void
say_kept(const gh_import_summary_t *out, words_t *w, const char **comma)
{
    for (uint32_t i = 0; i < out->kept_distinct; i++) {
        say(w, "%s %u keep%s text %u day%s", *comma, out->kept_count[i], out->kept_count[i] == 1 ? "s" : "", out->kept_days[i],
            out->kept_days[i] == 1 ? "" : "s");
        *comma = ",";
    }
    if (out->kept_unsaid > 0) {
        say(w, "%s %u keep%s text for a time that nothing says", *comma, out->kept_unsaid, out->kept_unsaid == 1 ? "s" : "");
        *comma = ",";
    }
}

static int
say_all(summary_t *s)
{
    gh_import_summary_t *out = s->out;
    words_t              w = { .len = 0 }, because = { .len = 0 };
    const char          *comma = ":";

    for (uint32_t i = 0; i < s->reason_count && i < REASONS_SAID; i++) {
        say(&because, "%s%.*s", i > 0 ? "; " : "", GH_STR_ARG(s->reasons[i].text));
        if (s->reason_count > 1) {
            say(&because, " (%u)", s->reasons[i].count);
        }
    }
    if (s->reason_count > REASONS_SAID) {
        say(&because, "; and %u other reason%s", s->reason_count - REASONS_SAID, s->reason_count - REASONS_SAID == 1 ? "" : "s");
    }
    if (out->targets != out->deployments) {
        say(&w, "%u model%s in %u deployment%s", out->targets, out->targets == 1 ? "" : "s", out->deployments, out->deployments == 1 ? "" : "s");
    } else {
        say(&w, "%u deployment%s", out->deployments, out->deployments == 1 ? "" : "s");
    }
    if (out->anywhere > 0) {
        say(&w, "%s %u may run anywhere", comma, out->anywhere);
        comma = ",";
    }
    say_kept(out, &w, &comma);
    if (out->unknown > 0) {
        say(&w, "%s %u unknown, because %s", comma, out->unknown, because.text);
    } else {
        say(&w, "%s none unknown", comma);
    }
    out->because = gh_str_copy(s->import->arena, (gh_str_t) { because.text, because.len });
    out->sentence = gh_str_copy(s->import->arena, (gh_str_t) { w.text, w.len });

    return out->because.data != NULL && out->sentence.data != NULL ? GH_OK : GH_ERROR;
}

int
gh_import_summarise(gh_import_t *import, gh_str_t text, gh_import_summary_t *summary, gh_report_t *report)
{
    gh_document_source_t source = { GH_STR("fleet.json"), text };
    summary_t            s = { .import = import, .out = summary };
    gh_model_t          *model;
    uint32_t             at = 0;

    *summary = (gh_import_summary_t) { .deployments = import->deployment_count };
    gh_report_init(report, import->arena);
    if (import->deployment_count == 0) {
        return say_all(&s);
    }
    if (gh_documents_load(import->arena, &source, 1, import->io.now_ms(import->io.context), &model, report) != GH_OK) {
        return GH_ERROR;
    }
    for (uint32_t i = 0; i < import->deployment_count; i++) {
        for (uint32_t k = 0; k < import->deployments[i].target_count && at < model->target_count; k++) {
            count_target(&s, &import->deployments[i], &import->deployments[i].targets[k], &model->targets[at++]);
        }
    }

    return say_all(&s);
}
