/* A world as JSON documents. With an order other than 0 every list whose order means nothing is written in another one. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/laws/text_writer.h"

static const char *const partitions[] = { "azure", "aws", "self", "azure-us-gov" };
static const char *const untils[] = { "", "2026-11-21", "2026-11-22", "2027-06-01", "2030-01-01" };

void
text_say(writer_t *w, const char *format, ...)
{
    size_t  room = w->text->size - w->text->length;
    va_list args;
    int     wrote;

    va_start(args, format);
    wrote = vsnprintf(w->text->bytes + w->text->length, room, format, args);
    va_end(args);
    w->text->length += wrote < 0 || (size_t) wrote >= room ? room - 1 : (size_t) wrote;
}

/* Plain bytes: most of a document. */
void
text_put(writer_t *w, const char *bytes)
{
    size_t len = strlen(bytes), room = w->text->size - w->text->length - 1;

    len = len < room ? len : room;
    memcpy(w->text->bytes + w->text->length, bytes, len);
    w->text->length += len;
}

void
text_item(writer_t *w, const char *word)
{
    text_put(w, w->comma);
    text_put(w, "\"");
    text_put(w, word);
    text_put(w, "\"");
    w->comma = ",";
}

/* 0..n-1, shuffled when the world's order says so. */
void
text_order(writer_t *w, unsigned n, uint8_t out[MANY])
{
    for (unsigned i = 0; i < n; i++) {
        out[i] = (uint8_t) i;
    }
    for (unsigned i = n; w->world->order != 0 && i > 1; i--) {
        unsigned other = below(&w->random, i);
        uint8_t  swap = out[i - 1];

        out[i - 1] = out[other];
        out[other] = swap;
    }
}

/* lead: "," or nothing before the member. */
static void
list_begin(writer_t *w, const char *lead, const char *key)
{
    text_put(w, lead);
    text_put(w, "\"");
    text_put(w, key);
    text_put(w, "\":[");
    w->comma = "";
}

void
text_list(writer_t *w, const char *lead, const char *key, const char *const *words, unsigned n, uint32_t mask)
{
    uint8_t at[MANY];

    list_begin(w, lead, key);
    text_order(w, n, at);
    for (unsigned i = 0; i < n; i++) {
        if (mask >> at[i] & 1) {
            text_item(w, words[at[i]]);
        }
    }
    text_put(w, "]");
    w->comma = ",";
}

/* A list of places; the policy's own only where it has them. */
static void
say_places(writer_t *w, const char *lead, const char *key, uint32_t mask)
{
    const policy_t *policy = &w->world->policy;

    for (unsigned i = 0; i < OWN_PLACES; i++) {
        if (!policy->own[i]) {
            mask &= ~(1u << (COUNTRIES + SETS + i));
        }
    }
    text_list(w, lead, key, place_words, WORDS, mask ? mask : 1);
}

/* ---- patterns ---- */

/* Those that cover something; the organisation when none is left. within: PATTERN_ORG or PATTERN_T0. */
uint32_t
text_covering(const world_t *world, uint32_t mask, unsigned within)
{
    if (world->tenants[1].limits.gone || within == PATTERN_T0) {
        mask &= ~(uint32_t) (PATTERN_T1 | PATTERN_T1_A0);
    }
    return mask ? mask : PATTERN_ORG;
}

void
text_tenants(writer_t *w, const char *key, uint32_t mask)
{
    static const char *const below_it[PATTERNS] = { "", "/t0", "/t1", "/t0/a0", "/t1/a0", "/*" };
    uint8_t                  at[MANY];
    char                     pattern[32];

    list_begin(w, ",", key);
    text_order(w, PATTERNS, at);
    for (unsigned i = 0; i < PATTERNS; i++) {
        if (mask >> at[i] & 1) {
            snprintf(pattern, sizeof(pattern), "w%u%s", w->index, below_it[at[i]]);
            text_item(w, pattern);
        }
    }
    text_put(w, "]");
}

static void
say_models(writer_t *w, const char *key, uint32_t mask)
{
    uint8_t at[MANY];
    char    names[MODEL_PATTERNS][32];
    bool    upstream = false;

    snprintf(names[0], sizeof(names[0]), "w%u-m0", w->index);
    snprintf(names[1], sizeof(names[1]), "w%u-m1", w->index);
    snprintf(names[2], sizeof(names[2]), "w%u-m*", w->index);
    snprintf(names[3], sizeof(names[3]), "w%u-m0-up", w->index);
    for (unsigned d = 0; d < DEPLOYMENTS; d++) {
        const deployment_t *each = &w->world->deployments[d];

        upstream |= !each->gone && !each->models[0].gone && each->kind < KIND_AWS && !each->models[0].upstream_is_name;
    }
    mask &= upstream ? 15 : 7;
    mask = mask ? mask : 1;
    list_begin(w, ",", key);
    text_order(w, MODEL_PATTERNS, at);
    for (unsigned i = 0; i < MODEL_PATTERNS; i++) {
        if (mask >> at[i] & 1) {
            text_item(w, names[at[i]]);
        }
    }
    text_put(w, "]");
}

/* ---- documents ---- */

void
text_document(writer_t *w, const char *name)
{
    text_document_t *d = &w->text->documents[w->text->count++];

    if (w->world->order) {
        snprintf(d->path, sizeof(d->path), "%02x-%s-w%u.json", below(&w->random, 256), name, w->index);
    } else {
        snprintf(d->path, sizeof(d->path), "w%u-%s.json", w->index, name);
    }
    d->begin = w->text->length;
}

void
text_document_end(writer_t *w)
{
    text_document_t *d = &w->text->documents[w->text->count - 1];

    d->length = w->text->length - d->begin;
}

/* ---- residency/1 ---- */

/* verb: "within" or "touches". */
static void
say_within(writer_t *w, const char *fact, const char *verb, uint32_t places)
{
    if (places) {
        text_say(w, ",\"%s\":{", fact);
        say_places(w, "", verb, places);
        text_put(w, "}");
    }
}

static void
say_allow(writer_t *w, const rule_t *rule, unsigned number)
{
    text_say(w, "{\"id\":\"allow-%u\",\"why\":\"because\"", number);
    text_list(w, ",", "classes", class_words, CLASSES, rule->classes);
    say_within(w, "process", "within", rule->process);
    if (rule->store.kind == STORE_SET) {
        text_put(w, ",\"store\":{");
        say_places(w, "", "within", rule->store.in);
        if (rule->store.days >= 0) {
            text_say(w, ",\"max_days\":%d", rule->store.days);
        }
        text_put(w, "}");
    } else {
        text_put(w, ",\"store\":\"nothing\"");
    }
    say_within(w, "operator_home", "within", rule->home);
    if (rule->attest) {
        text_list(w, ",", "attest", attest_words, ATTESTS, rule->attest);
    }
    text_put(w, rule->training ? ",\"training\":\"accepted\"" : "");
    text_put(w, rule->unlisted_accepted ? ",\"unlisted_features\":\"accepted\"" : "");
    if (rule->until) {
        text_say(w, ",\"until\":\"%s\"", untils[rule->until]);
    }
}

static void
say_forbid(writer_t *w, const rule_t *rule, unsigned number)
{
    text_say(w, "{\"id\":\"forbid-%u\",\"why\":\"because\"", number);
    if (rule->classes) {
        text_list(w, ",", "classes", class_words, CLASSES, rule->classes);
    }
    say_within(w, "process", "touches", rule->process);
    if (rule->store.kind == STORE_SET) {
        say_within(w, "store", "touches", rule->store.in);
    }
    say_within(w, "operator_home", "touches", rule->home);
    text_put(w, rule->training ? ",\"training\":true" : "");
}

static void
say_rules(writer_t *w, const char *key, const rule_t *rules, unsigned n, bool allow, unsigned within)
{
    const char *comma = "";
    uint8_t     at[MANY];
    unsigned    left = 0;

    for (unsigned i = 0; i < n; i++) {
        left += !rules[i].gone;
    }
    if (left == 0) {
        return;
    }
    text_say(w, ",\"%s\":[", key);
    text_order(w, n, at);
    for (unsigned i = 0; i < n; i++) {
        const rule_t *rule = &rules[at[i]];

        if (rule->gone) {
            continue;
        }
        text_put(w, comma);
        if (allow) {
            say_allow(w, rule, at[i]);
        } else {
            say_forbid(w, rule, at[i]);
        }
        if (rule->partitions) {
            text_list(w, ",", "partitions", partitions, 4, rule->partitions);
        }
        if (rule->tenants) {
            text_tenants(w, "tenants", text_covering(w->world, rule->tenants, within));
        }
        if (rule->models) {
            say_models(w, "models", rule->models);
        }
        text_put(w, "}");
        comma = ",\n";
    }
    text_put(w, "]");
}

static void
say_applies_to(writer_t *w, const char *name, unsigned applies_to)
{
    text_say(w, "\"name\":\"%s\",\"applies_to\":\"w%u%s\",\"facts\":\"regions/2026-11-21\"", name, w->index,
        applies_to == PATTERN_T0 ? "/t0" : "");
}

/* The policy's classes in its own order: the last is the highest. */
static unsigned
class_at(const policy_t *policy, unsigned place)
{
    unsigned left = (1u << policy->class_count) - 1, number = policy->class_order, class_index = 0;

    for (unsigned i = 0; i <= place; i++) {
        unsigned n = (unsigned) __builtin_popcount(left), skip = number % n;

        number /= n;
        for (class_index = 0; !(left >> class_index & 1) || skip-- > 0; class_index++) {
        }
        left &= ~(1u << class_index);
    }
    return class_index;
}

static void
say_classify(writer_t *w, const policy_t *policy)
{
    const char *comma = "";
    uint8_t     at[MANY];

    text_say(w, ",\"classify\":{\"default\":\"%s\"", class_words[policy->default_class]);
    if (!policy->assigns[0].gone || !policy->assigns[1].gone) {
        text_put(w, ",\"assign\":[");
        text_order(w, ASSIGNS, at);
        for (unsigned i = 0; i < ASSIGNS; i++) {
            const assign_t *assign = &policy->assigns[at[i]];

            if (!assign->gone) {
                text_say(w, "%s{\"class\":\"%s\"", comma, class_words[assign->class_index]);
                text_tenants(w, "tenants", text_covering(w->world, assign->tenants, policy->applies_to));
                text_put(w, "}");
                comma = ",";
            }
        }
        text_put(w, "]");
    }
    if (policy->label_count) {
        static const char *const labels[] = { "header:x-data-class", "header:X-Sensitivity" };

        text_list(w, ",", "labels", labels, 2, (1u << policy->label_count) - 1);
        text_say(w, ",\"unknown_label\":\"%s\"", policy->highest ? "highest" : "deny");
    }
    if (policy->uninspected) {
        text_list(w, ",", "uninspected", class_words, CLASSES, policy->uninspected);
    }
    text_put(w, "}");
}

static void
say_policy(writer_t *w)
{
    const policy_t *policy = &w->world->policy;
    const char     *lead = "";
    char            name[16];

    snprintf(name, sizeof(name), "w%u", w->index);
    text_document(w, "policy");
    text_put(w, "{\"kind\":\"residency/1\",");
    say_applies_to(w, name, policy->applies_to);
    if (policy->own[0] || policy->own[1]) {
        text_put(w, ",\"places\":{");
        for (unsigned i = 0; i < OWN_PLACES; i++) {
            if (policy->own[i]) {
                text_list(w, lead, place_words[COUNTRIES + SETS + i], place_words, WORDS, policy->own[i]);
                lead = ",";
            }
        }
        text_put(w, "}");
    }
    list_begin(w, ",", "classes");
    for (unsigned i = 0; i < policy->class_count; i++) {
        text_item(w, class_words[class_at(policy, i)]);
    }
    text_put(w, "]");
    say_classify(w, policy);
    say_rules(w, "allow", policy->allows, ALLOWS, true, policy->applies_to);
    say_rules(w, "forbid", policy->forbids, FORBIDS, false, policy->applies_to);
    text_put(w, "}");
    text_document_end(w);
}

static void
say_guard(writer_t *w, unsigned number)
{
    const guard_t *guard = &w->world->guards[number];
    char           name[24];

    snprintf(name, sizeof(name), "w%u-guard-%u", w->index, number);
    text_document(w, name + 1);
    text_put(w, "{\"kind\":\"residency/1\",\"role\":\"guard\",");
    say_applies_to(w, name, guard->applies_to);
    say_rules(w, "forbid", guard->forbids, FORBIDS, false, guard->applies_to);
    text_put(w, "}");
    text_document_end(w);
}

/* ---- tenants/1 ---- */

static void
say_limits(writer_t *w, const limits_t *limits)
{
    static const char *const names[] = { "m0", "m1", "m*" };
    char                     name[32];

    if (limits->classes) {
        text_list(w, ",", "classes", class_words, CLASSES, limits->classes);
    }
    if (limits->places) {
        text_list(w, ",", "places", place_words, COUNTRIES + SETS, limits->places & ~OWN);
    }
    if (limits->models) {
        list_begin(w, ",", "models");
        for (unsigned i = 0; i < 3; i++) {
            if (limits->models >> i & 1) {
                snprintf(name, sizeof(name), "w%u-%s", w->index, names[i]);
                text_item(w, name);
            }
        }
        text_put(w, "]");
    }
}

static void
say_organisation(writer_t *w)
{
    const world_t *world = w->world;
    const char    *comma = "", *between;
    uint8_t        at[MANY], apps[MANY];

    text_document(w, "tenants");
    text_say(w, "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"w%u\"", w->index);
    say_limits(w, &world->organisation);
    text_put(w, ",\"tenants\":[");
    text_order(w, TENANTS, at);
    for (unsigned i = 0; i < TENANTS; i++) {
        const tenant_t *tenant = &world->tenants[at[i]];

        if (tenant->limits.gone) {
            continue;
        }
        text_say(w, "%s{\"id\":\"t%u\"", comma, at[i]);
        say_limits(w, &tenant->limits);
        text_put(w, ",\"apps\":[");
        text_order(w, APPS, apps);
        between = "";
        for (unsigned a = 0; a < APPS; a++) {
            if (!tenant->apps[apps[a]].gone) {
                text_say(w, "%s{\"id\":\"a%u\"", between, apps[a]);
                say_limits(w, &tenant->apps[apps[a]]);
                text_put(w, "}");
                between = ",";
            }
        }
        text_put(w, "]}");
        comma = ",";
    }
    text_put(w, "]}]}");
    text_document_end(w);
}

/* ---- all of it ---- */

void
text_world(text_t *text, const world_t *world, unsigned index)
{
    writer_t w = { text, world, index, { world->number ^ (uint64_t) world->order << 40 }, "" };

    text_fleet(&w);
    if (!world->policy.gone) {
        say_policy(&w);
    }
    for (unsigned g = 0; g < GUARDS; g++) {
        if (!world->guards[g].gone) {
            say_guard(&w, g);
        }
    }
    say_organisation(&w);
}

const char *
node_name(unsigned node)
{
    return node == 0 ? "n1" : node == 1 ? "n2" : "n9";
}

void
text_nodes(text_t *text)
{
    static const world_t none;
    writer_t             w = { text, &none, 0, { 0 }, "" };

    text_document(&w, "nodes");
    text_put(&w, "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"DE\"},{\"id\":\"n2\",\"country\":\"US\"}]}");
    text_document_end(&w);
}

void
text_places(char *out, size_t size, uint32_t mask)
{
    size_t at = 0;

    out[0] = 0;
    for (unsigned i = 0; i < WORDS && at < size; i++) {
        if (mask >> i & 1) {
            at += (size_t) snprintf(out + at, size - at, "%s%s", at ? " " : "", place_words[i]);
        }
    }
}
