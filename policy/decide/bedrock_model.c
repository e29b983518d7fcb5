#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* memmem */
#endif

#include "policy/decide/bedrock_model.h"

#include <string.h>

#include "policy/decide/intake.h"
#include "policy/decide/words.h"

const char *const gh_bedrock_model_names[GH_BEDROCK_MODELS] = {
    "other", "unnamed", "anthropic", "titan-v1", "titan-v2", "cohere-v3", "cohere-v4", "nova", "gpt-oss"
};

static const struct {
    const char        *prefix;
    gh_bedrock_model_t model;
} models[] = {
    { "anthropic.", GH_BEDROCK_ANTHROPIC },
    { "amazon.nova-2", GH_BEDROCK_NOVA },
    { "openai.gpt-oss", GH_BEDROCK_GPT_OSS },
    { "amazon.titan-embed-text-v1", GH_BEDROCK_TITAN_V1 },
    { "amazon.titan-embed-g1-text-02", GH_BEDROCK_TITAN_V1 },
    { "amazon.titan-embed-text-v2", GH_BEDROCK_TITAN_V2 },
    { "cohere.embed-english-v3", GH_BEDROCK_COHERE_V3 },
    { "cohere.embed-multilingual-v3", GH_BEDROCK_COHERE_V3 },
    { "cohere.embed-v4", GH_BEDROCK_COHERE_V4 },
};

static gh_bedrock_model_t
by_name(gh_str_t name)
{
    size_t i;

    for (i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (gh_str_starts(name, gh_str_from(models[i].prefix))) {
            return models[i].model;
        }
    }

    return GH_BEDROCK_OTHER;
}

gh_bedrock_model_t
gh_bedrock_model(gh_str_t id)
{
    gh_bedrock_model_t model;
    const char        *p;
    size_t             i;

    if (gh_str_starts(id, GH_STR("arn:"))) {
        static const char *const named[] = { ":foundation-model/", ":inference-profile/" };

        for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
            p = memmem(id.data, id.len, named[i], strlen(named[i]));
            if (p != NULL) {
                p += strlen(named[i]);
                return gh_bedrock_model((gh_str_t) { p, id.len - (size_t) (p - id.data) });
            }
        }
        return GH_BEDROCK_UNNAMED;
    }

    model = by_name(id);
    p = model == GH_BEDROCK_OTHER && id.len != 0 ? memchr(id.data, '.', id.len) : NULL;

    /* a profile's geography stands in front */
    return p != NULL ? by_name((gh_str_t) { p + 1, id.len - (size_t) (p + 1 - id.data) }) : model;
}

uint32_t
gh_bedrock_endpoints(gh_str_t id, uint32_t endpoints)
{
    gh_bedrock_model_t model = gh_bedrock_model(id);

    if (gh_bedrock_embeds(model)) {
        return endpoints & 1u << GH_ENDPOINT_EMBEDDINGS;
    }

    endpoints &= ~(1u << GH_ENDPOINT_EMBEDDINGS);
    return model == GH_BEDROCK_ANTHROPIC || model == GH_BEDROCK_UNNAMED ? endpoints : endpoints & ~(1u << GH_ENDPOINT_INVOKE | 1u << GH_ENDPOINT_BEDROCK_COUNT);
}

gh_words_t
gh_bedrock_words(gh_str_t id, uint32_t endpoints)
{
    switch (gh_bedrock_model(id)) {
    case GH_BEDROCK_ANTHROPIC:
        return GH_WORDS_ANTHROPIC;
    case GH_BEDROCK_NOVA:
        return GH_WORDS_NOVA;
    case GH_BEDROCK_GPT_OSS:
        return GH_WORDS_GPT_OSS;
    case GH_BEDROCK_UNNAMED:
        return endpoints >> GH_ENDPOINT_INVOKE & 1 ? GH_WORDS_ANTHROPIC : GH_WORDS_PLAIN;
    default:
        return GH_WORDS_PLAIN;
    }
}
