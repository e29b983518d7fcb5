/*
 * What the models of a target take beyond what its endpoint documents for all: the endpoint is the same, its words are not. Of Bedrock's Converse the
 * model's provider decides (additionalModelRequestFields); sources: AWS's "Model parameters", of each provider.
 */
#ifndef GH_WORDS_H
#define GH_WORDS_H

#include "policy/decide/intake.h"
#include "policy/store/image.h"

/* By the deployment's dialect, its provider, the model's name there and the endpoints it offers. */
gh_words_t gh_words_of(gh_dialect_t dialect, gh_str_t provider, gh_str_t upstream, uint32_t endpoints);

/*
 * Of Bedrock. An ARN that hides the model is one of Anthropic's where the deployment offers invoke, which is spoken in their words alone; else nothing is known
 * of it: bedrock_model.c.
 */
gh_words_t gh_bedrock_words(gh_str_t id, uint32_t endpoints);

/* The same of a target. */
static inline gh_words_t
gh_target_words(const gh_target_t *target)
{
    return gh_words_of(target->dialect, target->provider, target->upstream_model, target->endpoints);
}

#endif
