#include "policy/decide/words.h"

const char *const gh_words_names[GH_WORDS] = { "other", "self", "anthropic", "nova", "gpt-oss" };

gh_words_t
gh_words_of(gh_dialect_t dialect, gh_str_t provider, gh_str_t upstream, uint32_t endpoints)
{
    /* only vLLM, SGLang, llama.cpp and their like ignore fields they do not know */
    if (gh_dialect_is(dialect, GH_HOST_OPENAI_ALIKE) && gh_str_is(provider, "self")) {
        return GH_WORDS_OPEN;
    }

    return gh_dialect_is(dialect, GH_HOST_CATALOGUE) ? gh_bedrock_words(upstream, endpoints) : GH_WORDS_PLAIN;
}
