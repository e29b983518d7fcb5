/* fleet/1 of a world. */
#include <stdio.h>

#include "tests/laws/text_writer.h"

static const char *const kind_words[KINDS] = { "other", "self", "azure", "aws", "aws" };
static const char *const azure_regions[] = { "swedencentral", "westeurope", "germanywestcentral", "eastus", "switzerlandnorth", "chinaeast2" };
static const char *const aws_regions[] = { "eu-north-1", "eu-west-1", "eu-central-1", "us-east-1", "eu-central-2", "cn-north-1" };
static const char *const skus[] = { "Standard", "ProvisionedManaged", "Standard", "DataZoneStandard", "GlobalStandard", "DeveloperTier" };
static const char *const endpoints[] = { "chat.completions", "completions", "embeddings" };

static void
upstream_name(const writer_t *w, const deployment_t *d, unsigned model, char *out, size_t size)
{
    if (d->kind >= KIND_AWS) {
        snprintf(out, size, "%santhropic.w%u-model-%u", d->kind == KIND_AWS_PROFILE ? "eu." : "", w->index, model);
    } else {
        snprintf(out, size, "w%u-m%u%s", w->index, model, d->models[model].upstream_is_name ? "" : "-up");
    }
}

static void
say_store(writer_t *w, const char *lead, const store_t *store)
{
    if (store->kind == STORE_NOTHING) {
        text_put(w, lead);
        text_put(w, "\"store\":\"nothing\"");
    } else if (store->kind == STORE_SET) {
        text_put(w, lead);
        text_put(w, "\"store\":{");
        text_list(w, "", "in", place_words, WORDS, store->in);
        if (store->days >= 0) {
            text_say(w, ",\"days\":%d", store->days);
        }
        text_put(w, "}");
    }
}

static void
say_features(writer_t *w, const statements_t *s)
{
    const char *comma = "";
    uint8_t     at[MANY];

    text_put(w, ",\"features\":{");
    text_order(w, FEATURES, at);
    for (unsigned i = 0; i < FEATURES; i++) {
        unsigned f = at[i];

        if (!(s->features >> f & 1)) {
            continue;
        }
        text_say(w, "%s\"%s\":{", comma, feature_words[f]);
        if (s->feature[f].process) {
            text_list(w, "", "process", place_words, WORDS, s->feature[f].process);
        }
        say_store(w, s->feature[f].process ? "," : "", &s->feature[f].store);
        text_put(w, "}");
        comma = ",";
    }
    text_put(w, "}");
}

static void
say_evidence(writer_t *w, const char *key, evidence_t evidence)
{
    static const char *const ends[] = { "", "2026-11-20", "2026-11-21", "2026-11-23", "2027-03-01", "" };

    text_put(w, w->comma);
    text_say(w, "\"%s\":{\"by\":\"counsel\",\"on\":\"2026-01-15\",\"source\":\"contract 17\"", key);
    if (evidence != EVIDENCE_FOR_GOOD) {
        text_say(w, ",\"until\":\"%s\"", ends[evidence]);
    }
    text_put(w, "}");
    w->comma = ",";
}

static void
say_statements(writer_t *w, const statements_t *s, kind_t kind, bool deployment)
{
    static const char *const names[FACTS] = { "process", "country", "destinations", "store", "operator_home", "attest", "training",
        "features" };
    const bool stated[FACTS] = { s->process != 0, deployment && kind == KIND_SELF, deployment && kind == KIND_AWS_PROFILE,
        s->store.kind != STORE_UNSTATED, s->home != 0, s->attest != 0, s->training != TRAINING_UNSTATED, s->features != 0 };
    bool       any = false, same = s->one_evidence;

    if (s->process) {
        text_list(w, ",", "process", place_words, WORDS, s->process);
    }
    say_store(w, ",", &s->store);
    if (s->home) {
        text_list(w, ",", "operator_home", place_words, WORDS, s->home);
    }
    if (s->attest) {
        text_list(w, ",", "attest", attest_words, ATTESTS, s->attest);
    }
    if (s->training) {
        text_put(w, s->training == TRAINING_YES ? ",\"training\":true" : ",\"training\":false");
    }
    if (s->features) {
        say_features(w, s);
    }
    for (unsigned i = 0; i < FACTS; i++) {
        any |= stated[i] && s->evidence[i] != EVIDENCE_NONE;
        same &= s->evidence[i] == s->evidence[0] && s->evidence[0] != EVIDENCE_NONE;
    }
    if (any && same) {
        w->comma = ",";
        say_evidence(w, "evidence", s->evidence[0]);
    } else if (any) {
        text_put(w, ",\"evidence\":{");
        w->comma = "";
        for (unsigned i = 0; i < FACTS; i++) {
            if (stated[i] && s->evidence[i] != EVIDENCE_NONE) {
                say_evidence(w, names[i], s->evidence[i]);
            }
        }
        text_put(w, "}");
    }
}

/* A region or SKU above the tables is one that nobody knows. */
static const char *
word_of(const char *const *words, unsigned index, const char *unknown)
{
    return index < 6 ? words[index] : unknown;
}

static void
say_kind(writer_t *w, const deployment_t *d)
{
    text_say(w, ",\"provider\":\"%s\",\"dialect\":\"%s\"", kind_words[d->kind],
        d->kind == KIND_AZURE ? "azure-v1" : d->kind >= KIND_AWS ? "bedrock-openai" : "openai");
    switch (d->kind) {
    case KIND_SELF:
        text_say(w, ",\"country\":\"%s\"", place_words[d->country]);
        text_put(w, d->partition_stated ? ",\"partition\":\"self\"" : "");
        break;
    case KIND_AZURE:
        text_say(w, ",\"region\":\"%s\",\"sku\":\"%s\"", word_of(azure_regions, d->region, "nowhere"), word_of(skus, d->sku, "Turbo"));
        break;
    case KIND_AWS:
    case KIND_AWS_PROFILE:
        text_say(w, ",\"region\":\"%s\"", word_of(aws_regions, d->region, "nowhere-1"));
        text_put(w, d->kind == KIND_AWS_PROFILE ? ",\"profile\":\"eu.\",\"destinations\":[\"eu-central-1\",\"eu-north-1\"]" : "");
        break;
    default:
        break;
    }
}

static void
say_deployment(writer_t *w, unsigned number)
{
    const deployment_t *d = &w->world->deployments[number];
    const char         *comma = "";
    uint8_t             at[MANY];
    char                upstream[64];

    text_say(w, "{\"id\":\"w%u-d%u\",\"backend\":\"b%u\",\"priority\":%u", w->index, number, number, d->priority);
    say_kind(w, d);
    text_list(w, ",", "endpoints", endpoints, 3, d->endpoints);
    if (d->serves) {
        text_tenants(w, "serves", text_covering(w->world, d->serves, PATTERN_ORG));
    }
    say_statements(w, &d->states, d->kind, true);
    text_put(w, ",\"models\":{");
    text_order(w, MODELS, at);
    for (unsigned i = 0; i < MODELS; i++) {
        const entry_t *entry = &d->models[at[i]];

        if (entry->gone) {
            continue;
        }
        upstream_name(w, d, at[i], upstream, sizeof(upstream));
        text_say(w, "%s\"w%u-m%u\":{\"upstream\":\"%s\"", comma, w->index, at[i], upstream);
        if (entry->has_price) {
            text_say(w, ",\"price\":{\"input\":%u,\"output\":1}", entry->price);
        }
        if (entry->priority) {
            text_say(w, ",\"priority\":%u", entry->priority);
        }
        say_statements(w, &entry->states, d->kind, false);
        text_put(w, "}");
        comma = ",";
    }
    text_put(w, "}}");
}

void
text_fleet(writer_t *w)
{
    const world_t *world = w->world;
    uint8_t        at[MANY];
    unsigned       parts = world->fleet_in_two && !world->deployments[1].gone ? 2 : 1;

    text_order(w, DEPLOYMENTS, at);
    for (unsigned part = 0; part < parts; part++) {
        const char *comma = "";

        text_document(w, part ? "fleet-more" : "fleet");
        text_put(w, "{\"kind\":\"fleet/1\"");
        if (part == 0) {
            text_say(w, ",\"models\":{\"w%u-m0\":{\"context\":1000,\"max_output\":100,\"aliases\":[\"w%u-m0-alias\"]},"
                "\"w%u-m1\":{\"context\":1000,\"max_output\":100}}", w->index, w->index, w->index);
        }
        text_put(w, ",\"deployments\":[");
        for (unsigned i = 0; i < DEPLOYMENTS; i++) {
            if (!world->deployments[at[i]].gone && (parts == 1 || (at[i] == 1) == (part == 1))) {
                text_put(w, comma);
                say_deployment(w, at[i]);
                comma = ",\n";
            }
        }
        text_put(w, "]}");
        text_document_end(w);
    }
}

/* ---- residency/1 ---- */
