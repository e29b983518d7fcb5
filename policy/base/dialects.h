/*
 * The one table of dialects: what a host is, what an endpoint is, what a form of requests and answers is, a row each. Everything else that knows one by its name
 * is its own files, which conf/dialects.md lists; whatever differs between dialects elsewhere is a trait, or a member of a row. tests/lint.py holds that.
 *
 * Only words stand here, so that every layer can take those it knows: the enumerators and names are made of them in policy, the tables of fields, URLs and
 * functions in ngx_module/wire. Rows have the numbers of their order, which compiled policies and ledgers keep: new ones come last.
 */
#ifndef GH_DIALECTS_H
#define GH_DIALECTS_H

/*
 * Hosts, `dialect` of fleet/1: known endpoints at paths of its own, with a header of its own for its key.
 *
 *   GH_DIALECT_*; its word; gh_dialect_* of ngx_module/wire/dialect_*.c; traits; the endpoints that a deployment of it can offer
 *
 * Traits: AWS: errors are AWS's. VERSIONED: api_version is its URL's. CATALOGUE: what it offers depends on the model's id (policy/decide/bedrock_model.h). PLACED: a
 * request says where it is run (inference_geo). OPENAI_ALIKE: software that people run themselves speaks it, too, and takes more fields than it.
 */
#define GH_DIALECT_ROWS(D) \
    D(OPENAI,         "openai",         openai,         T(OPENAI_ALIKE),     E(CHAT_COMPLETIONS) E(COMPLETIONS) E(EMBEDDINGS) E(RESPONSES)) \
    D(AZURE_V1,       "azure-v1",       azure_v1,       T(NOTHING),          E(CHAT_COMPLETIONS) E(COMPLETIONS) E(EMBEDDINGS) E(RESPONSES)) \
    D(AZURE_CLASSIC,  "azure-classic",  azure_classic,  T(VERSIONED),        E(CHAT_COMPLETIONS) E(COMPLETIONS) E(EMBEDDINGS) E(RESPONSES)) \
    D(BEDROCK_OPENAI, "bedrock-openai", bedrock_openai, T(AWS),              E(CHAT_COMPLETIONS) E(RESPONSES)) \
    D(ANTHROPIC,      "anthropic",      anthropic,      T(PLACED),           E(MESSAGES) E(COUNT_TOKENS)) \
    D(BEDROCK,        "bedrock",        bedrock,        T(AWS) T(CATALOGUE), E(CONVERSE) E(INVOKE) E(BEDROCK_COUNT) E(EMBEDDINGS))

/*
 * Endpoints, which clients ask and deployments list.
 *
 *   GH_ENDPOINT_*; its name in fleet/1, records and cases; whose API it is; the form that its answers and errors have; the forms that it is translated from and to, of hosts
 *   and of those that ignore what they do not know (DIALECTS: none); its fields (gh_*_fields); where it is served (ngx_module/wire/url.c), its path there, and another for
 *   streams (empty: the body says it); traits; what it can be translated to, the nearest first
 *
 * Traits: COUNTS: it counts tokens alone, no model runs. EMBEDS: there is no output. ANSWERS: it must have `messages`. WRAPS: the body holds a request of another.
 * USAGE_ASKED: streams tell their usage where stream_options says so. STORES: it has `store`; KEEPS: and what it says without it is true.
 * MODEL_IN_PATH: the body has no model. MAX_COMPLETION, MAX_OUTPUT, MAX_INFERENCE: how the most tokens of an answer are called, where it is not max_tokens.
 * ALIKE: those that have it have the same bodies, answers and events but for some members of the object. PLACED: it has inference_geo. BLOB: its body has any type. BETA_HEADER, TIER_HEADER: headers turn something on, or say the tier. FLAGS: it knows betas, by header or body.
 * BY_MODEL: it is asked in the words of the model's provider (policy/decide/words.h).
 */
#define GH_ENDPOINT_ROWS(E) \
    E(CHAT_COMPLETIONS, "chat.completions", "openai", CHAT, CHAT, CHAT_OPEN, chat, OPENAI, "chat/completions", "", \
      T(ANSWERS) T(USAGE_ASKED) T(STORES) T(MAX_COMPLETION), TO(MESSAGES) TO(CONVERSE) TO(INVOKE) TO(RESPONSES)) \
    E(COMPLETIONS, "completions", "openai", CHAT, DIALECTS, DIALECTS, chat, OPENAI, "completions", "", \
      T(USAGE_ASKED), TO_NONE) \
    E(EMBEDDINGS, "embeddings", "openai", CHAT, DIALECTS, DIALECTS, chat, OPENAI, "embeddings", "", \
      T(EMBEDS), TO_NONE) \
    E(RESPONSES, "responses", "openai", RESPONSES, RESPONSES, RESPONSES, responses, RESPONSES, "responses", "", \
      T(STORES) T(KEEPS) T(MAX_OUTPUT), TO(CHAT_COMPLETIONS) TO(MESSAGES) TO(CONVERSE) TO(INVOKE)) \
    E(MESSAGES, "messages", "anthropic", MESSAGES, MESSAGES, MESSAGES, messages, ANTHROPIC, "messages", "", \
      T(ANSWERS) T(PLACED) T(FLAGS) T(BETA_HEADER) T(ALIKE), TO(INVOKE) TO(CONVERSE) TO(CHAT_COMPLETIONS) TO(RESPONSES)) \
    E(COUNT_TOKENS, "messages.count_tokens", "anthropic", MESSAGES, MESSAGES, MESSAGES, messages, ANTHROPIC, "messages/count_tokens", "", \
      T(COUNTS) T(ANSWERS) T(FLAGS) T(BETA_HEADER), TO(BEDROCK_COUNT)) \
    E(CONVERSE, "converse", "bedrock", CONVERSE, CONVERSE, CONVERSE, converse, BEDROCK, "converse", "converse-stream", \
      T(ANSWERS) T(MODEL_IN_PATH) T(MAX_INFERENCE) T(BY_MODEL), TO(MESSAGES) TO(INVOKE) TO(CHAT_COMPLETIONS) TO(RESPONSES)) \
    E(INVOKE, "invoke", "bedrock", INVOKE, INVOKE, INVOKE, messages, BEDROCK, "invoke", "invoke-with-response-stream", \
      T(MODEL_IN_PATH) T(FLAGS) T(TIER_HEADER) T(BLOB) T(ALIKE), TO(MESSAGES) TO(CONVERSE) TO(CHAT_COMPLETIONS) TO(RESPONSES)) \
    E(BEDROCK_COUNT, "bedrock.count_tokens", "bedrock", CONVERSE, INVOKE, INVOKE, converse, BEDROCK, "count-tokens", "", \
      T(COUNTS) T(WRAPS) T(MODEL_IN_PATH), TO(COUNT_TOKENS))

/*
 * Forms of requests, answers and streams, each translated to and from all others by way of the hub.
 *
 *   GH_HUB_*; its word in conf/dialects.md and in errors; gh_hub_* of ngx_module/wire/hub: a gh_hub_row_t with all that it does and is
 *
 * A word with a hyphen: the form before it, as some deployments take requests.
 */
#define GH_HUB_ROWS(F) \
    F(CHAT,      "chat",      chat) \
    F(CHAT_OPEN, "chat-open", chat_open) \
    F(MESSAGES,  "messages",  messages) \
    F(CONVERSE,  "converse",  converse) \
    F(RESPONSES, "responses", responses) \
    F(INVOKE,    "invoke",    invoke) \
    F(CONVERSE_ANTHROPIC, "converse-anthropic", converse_anthropic) \
    F(CONVERSE_NOVA,      "converse-nova",      converse_nova) \
    F(CONVERSE_GPT_OSS,   "converse-gpt-oss",   converse_gpt_oss)

#endif
