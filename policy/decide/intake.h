/*
 * Intake: what a request asks for. Made by ngx_module/wire from the body's bytes, judged by gh_decide.
 * It borrows from the body and from the arena it was made in.
 */
#ifndef GH_INTAKE_H
#define GH_INTAKE_H

#include "policy/base/str.h"

typedef enum {
    GH_ENDPOINT_CHAT_COMPLETIONS = 0,
    GH_ENDPOINT_COMPLETIONS,
    GH_ENDPOINT_EMBEDDINGS,
    GH_ENDPOINTS
} gh_endpoint_t;

/* As written in fleet/1 and in records: "chat.completions", "completions", "embeddings". */
extern const char *const gh_endpoint_names[GH_ENDPOINTS];

typedef struct {
    gh_str_t name;    /* "web_search", "store", ...; empty: nobody knows this field, tool type or header */
    gh_str_t where;   /* JSON path or header, e.g. "tools[2].type", "web_search_options", "header openai-beta" */
} gh_feature_use_t;

#define GH_FEATURES_MAX 32   /* more: the last one becomes {"" , "too many features"} */

typedef struct {
    gh_endpoint_t    endpoint;
    gh_str_t         model;              /* decoded */
    bool             stream;
    bool             include_usage;      /* the client asked for the usage chunk itself */
    uint64_t         body_bytes;
    uint64_t         max_tokens;         /* 0: not given */
    uint64_t         n;                  /* 1 when not given */
    gh_feature_use_t features[GH_FEATURES_MAX];
    uint32_t         feature_count;
    bool             uninspected;        /* it holds what no detector reads (images, audio, files, token arrays, encrypted items) */

    /* Where the fields stand, for splicing; offsets into the body. A length of 0: absent. */
    struct { size_t offset, length; } model_value, stream_options_value, store_value;
    size_t           stream_options_end;    /* offset of the closing } of stream_options */
    bool             stream_options_empty;  /* "{}" */
    struct { size_t offset, length; } include_usage_value;
    size_t           object_begin;          /* offset of the body's first { */
} gh_intake_t;

#endif
