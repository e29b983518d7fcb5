/*
 * Answers of AWS STS (docs.aws.amazon.com, API version 2011-06-15), which come in XML: elements and text, no more of XML than that. A document type,
 * processing instructions behind the first line, CDATA sections and comments are refused.
 */
#ifndef GH_AGENT_STS_ANSWER_H
#define GH_AGENT_STS_ANSWER_H

#include "ngx_module/wire/sigv4.h"

/* The <Credentials> of an answer; strings are the arena's. GH_ERROR "source_answer": it is no such answer, or no XML. */
int gh_sts_credentials_read(gh_arena_t *arena, gh_str_t xml, gh_aws_credential_t *credential, gh_error_t *error);

/* The <Code> of an answer's <Error>; "" when it is none. Arena-owned. */
gh_str_t gh_sts_error_code(gh_arena_t *arena, gh_str_t xml);

#endif
