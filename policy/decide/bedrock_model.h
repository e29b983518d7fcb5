/* Whose model an id of Amazon Bedrock names, as far as what it can be asked depends on it. Sources: AWS's lists of model ids and of inference profiles. */
#ifndef GH_BEDROCK_MODEL_H
#define GH_BEDROCK_MODEL_H

#include "policy/base/str.h"

typedef enum {
    GH_BEDROCK_OTHER = 0,
    GH_BEDROCK_UNNAMED,        /* an ARN that hides the model: application inference profiles, provisioned and custom models */
    GH_BEDROCK_ANTHROPIC,
    GH_BEDROCK_TITAN_V1,       /* amazon.titan-embed-text-v1, amazon.titan-embed-g1-text-02 */
    GH_BEDROCK_TITAN_V2,       /* amazon.titan-embed-text-v2:0 */
    GH_BEDROCK_COHERE_V3,      /* cohere.embed-english-v3, cohere.embed-multilingual-v3 */
    GH_BEDROCK_COHERE_V4,      /* cohere.embed-v4:0 */
    GH_BEDROCK_NOVA,           /* amazon.nova-2-lite and the like: Amazon Nova 2 */
    GH_BEDROCK_GPT_OSS,        /* openai.gpt-oss-120b and the like */
    GH_BEDROCK_MODELS
} gh_bedrock_model_t;

/* As records say them: "other", "unnamed", "anthropic", "titan-v1", "titan-v2", "cohere-v3", "cohere-v4", "nova", "gpt-oss". */
extern const char *const gh_bedrock_model_names[GH_BEDROCK_MODELS];

/* id: a model's, a profile's ("eu.anthropic...."), or an ARN of one. */
gh_bedrock_model_t gh_bedrock_model(gh_str_t id);

static inline bool
gh_bedrock_embeds(gh_bedrock_model_t model)
{
    return model >= GH_BEDROCK_TITAN_V1 && model <= GH_BEDROCK_COHERE_V4;
}

/*
 * Of the endpoints that a deployment offers (bits by gh_endpoint_t), those that this model has: invoke and the count of tokens are spoken in Anthropic's words alone, embeddings have
 * models of their own.
 */
uint32_t gh_bedrock_endpoints(gh_str_t id, uint32_t endpoints);

#endif
