/* What the policy layer has to know of translations: which endpoints a request can be expressed at. */
#include <string.h>

#include "ngx_module/wire/alike.h"
#include "ngx_module/wire/hub/dialect.h"
#include "ngx_module/wire/hub/embeddings.h"
#include "ngx_module/wire/wire.h"

gh_hub_dialect_t
gh_hub_dialect_of(gh_endpoint_t endpoint, gh_words_t words)
{
    static const uint8_t forms[GH_ENDPOINTS][2] = {
#define E(name, word, api, client, form, open, fields, mounts, path, stream, traits, to) { GH_HUB_##form, GH_HUB_##open },
        GH_ENDPOINT_ROWS(E)
#undef E
    };

    return endpoint < GH_ENDPOINTS ? (gh_hub_dialect_t) forms[endpoint][words == GH_WORDS_OPEN] : GH_HUB_DIALECTS;
}

gh_hub_dialect_t
gh_hub_target_of(gh_endpoint_t endpoint, gh_words_t words)
{
    gh_hub_dialect_t dialect = gh_hub_dialect_of(endpoint, words);

    return dialect != GH_HUB_DIALECTS && gh_hub_rows[dialect]->by_words[words].written ? gh_hub_rows[dialect]->by_words[words].as : dialect;
}

static void
nowhere(gh_hub_asked_t *asked, gh_str_t where)
{
    gh_express_t *express = asked->express;

    for (unsigned words = 0; words < GH_WORDS; words++) {
        for (unsigned i = 0; i < GH_ENDPOINTS; i++) {
            express->where[words][i] = where;
        }
    }
    for (unsigned i = 0; gh_endpoint_is(asked->intake->endpoint, GH_IS_EMBEDS) && i < GH_BEDROCK_MODELS; i++) {
        express->embeddings[i] = where;
    }
}

/* A header that turns something on is said in no other dialect, but for a guardrail of InvokeModel; NULL data: there is none. */
static gh_str_t
header_used(const gh_intake_t *intake)
{
    bool told = gh_endpoint_is(intake->endpoint, GH_IS_TIER_HEADER);

    for (uint32_t i = 0; i < intake->feature_count; i++) {
        if (gh_str_starts(intake->features[i].where, GH_STR("header ")) && !(told && gh_str_is(intake->features[i].name, "guardrail"))) {
            return intake->features[i].where;
        }
    }

    return (gh_str_t) { NULL, 0 };
}

/* Where the reader's sentence begins with a path, that path. */
static gh_str_t
path_of(gh_arena_t *arena, const gh_error_t *error)
{
    size_t len = 0;

    while (error->text[len] != '\0' && error->text[len] != ' ') {
        len++;
    }

    return gh_str_copy(arena, (gh_str_t) { error->text, len });
}

/* Where the bodies are alike the intake has seen what stands against it. inner, body: of what is to be counted. */
static void
alike_endpoint(gh_hub_asked_t *asked, gh_endpoint_t inner, gh_str_t body)
{
    gh_endpoint_t alike = gh_endpoint_alike(asked->intake->endpoint), counted = gh_alike_counted(asked->intake->endpoint, inner);
    gh_str_t      where;

    if (counted != GH_ENDPOINTS) {
        asked->counted = body;
        alike = counted;
    }
    if (alike == GH_ENDPOINTS) {
        return;
    }

    where = counted != GH_ENDPOINTS ? gh_alike_count_refused(asked->arena, asked->intake, body) : gh_alike_refused(asked->intake);
    for (unsigned words = 0; words < GH_WORDS; words++) {
        asked->express->where[words][alike] = where;
    }
}

/* To find a path the body is read once more, which is done once for each ask: most targets refuse the same one. */
static int
each_endpoint(gh_hub_asked_t *asked)
{
    gh_str_t found[GH_ASKS] = { { NULL, 0 } };

    for (unsigned words = 0; words < GH_WORDS; words++) {
        for (unsigned i = 0; i < GH_ENDPOINTS; i++) {
            gh_hub_dialect_t target = gh_hub_target_of((gh_endpoint_t) i, (gh_words_t) words);
            gh_str_t        *where = &asked->express->where[words][i];
            char             path[256];
            unsigned         ask;

            if (target == GH_HUB_DIALECTS || gh_endpoint_counts((gh_endpoint_t) i) != gh_endpoint_counts(asked->intake->endpoint)) {
                *where = GH_STR("");
                continue;
            }

            ask = gh_hub_refused(asked->request, target);
            if (ask == GH_ASKS) {
                continue;
            }
            if (found[ask].data == NULL) {
                (void) gh_hub_express(asked->request, target, path, sizeof(path), NULL);
                found[ask] = path[0] == '\0' ? gh_hub_said_where(ask) : gh_str_copy(asked->arena, gh_str_from(path));
                if (found[ask].data == NULL) {
                    return GH_ERROR;
                }
            }
            *where = found[ask];
        }
    }

    return GH_OK;
}

/* Of embeddings: which models of Bedrock can be asked. GH_ERROR: no memory. */
static int
each_model(gh_hub_asked_t *asked)
{
    char       path[256];
    gh_error_t error;

    memset(&error, 0, sizeof(error));
    asked->embed = gh_arena_alloc(asked->arena, sizeof(*asked->embed));
    if (asked->embed == NULL) {
        return GH_ERROR;
    }

    /* to other endpoints they are not translated */
    nowhere(asked, GH_STR(""));
    memset(asked->express->embeddings, 0, sizeof(asked->express->embeddings));

    if (gh_embed_request_read(asked->arena, asked->body, asked->embed, &error) != GH_OK) {
        gh_str_t where = path_of(asked->arena, &error);

        nowhere(asked, where);
        return where.data == NULL || strcmp(error.code, "no_memory") == 0 ? GH_ERROR : GH_OK;
    }

    for (unsigned i = 0; i < GH_BEDROCK_MODELS; i++) {
        if (gh_embed_express(asked->embed, i, path, sizeof(path), &error) != GH_OK) {
            asked->express->embeddings[i] = gh_str_copy(asked->arena, gh_str_from(path));
            if (asked->express->embeddings[i].data == NULL) {
                return GH_ERROR;
            }
        }
    }

    return GH_OK;
}

const gh_express_t *
gh_hub_asked(void *context)
{
    gh_hub_asked_t  *asked = context;
    gh_hub_dialect_t dialect = gh_hub_dialect_of(asked->intake->endpoint, GH_WORDS_PLAIN);
    gh_endpoint_t    inner = asked->intake->endpoint;
    gh_error_t       error;
    gh_str_t         where, body = asked->body;

    if (asked->express != NULL) {
        return asked->express;
    }

    memset(&error, 0, sizeof(error));
    asked->express = gh_arena_alloc(asked->arena, sizeof(*asked->express));
    asked->request = gh_arena_alloc(asked->arena, sizeof(*asked->request));
    if (asked->express == NULL || asked->request == NULL) {
        return asked->express = NULL;
    }
    memset(asked->express, 0, sizeof(*asked->express));

    where = header_used(asked->intake);
    if (where.data != NULL || (dialect == GH_HUB_DIALECTS && !gh_endpoint_is(asked->intake->endpoint, GH_IS_EMBEDS))) {
        nowhere(asked, where.data != NULL ? where : GH_STR(""));
        return asked->express;
    }

    if (gh_endpoint_is(asked->intake->endpoint, GH_IS_EMBEDS)) {
        return asked->express = each_model(asked) == GH_OK ? asked->express : NULL;
    }

    if (gh_endpoint_is(asked->intake->endpoint, GH_IS_WRAPS)) {
        if (gh_intake_count_input(asked->arena, asked->body, &inner, &body, &error) != GH_OK) {
            return asked->express = NULL;
        }
        dialect = gh_hub_dialect_of(inner, GH_WORDS_PLAIN);
    }

    if (gh_hub_request_read(asked->arena, dialect, body, asked->request, &error) != GH_OK) {
        where = path_of(asked->arena, &error);
        if (where.data == NULL || (error.code != NULL && strcmp(error.code, "no_memory") == 0)) {
            return asked->express = NULL;
        }
        nowhere(asked, where);
        alike_endpoint(asked, inner, body);
        return asked->express;
    }

    asked->request->betas = gh_hub_betas_join(asked->arena, asked->request->betas, asked->intake->betas);
    if (gh_endpoint_is(asked->intake->endpoint, GH_IS_TIER_HEADER)) {
        gh_hub_said_read(asked->arena, asked->intake->said, asked->request);
    }
    asked->request->stream = asked->intake->stream;   /* Converse, InvokeModel: the path says it */
    if (each_endpoint(asked) != GH_OK) {
        return asked->express = NULL;
    }
    alike_endpoint(asked, inner, body);

    return asked->express;
}
