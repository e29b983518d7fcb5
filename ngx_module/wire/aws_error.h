/*
 * Errors of AWS's JSON services: of an answer, and of an exception inside an event stream. Sources: Smithy's restJson1 protocol ("Operation error
 * serialization"), the service model of bedrock-runtime.
 */
#ifndef GH_AWS_ERROR_H
#define GH_AWS_ERROR_H

#include "policy/base/arena.h"
#include "policy/base/str.h"

typedef struct {
    gh_str_t type;         /* "ThrottlingException", without namespace and URI; "" when nothing says */
    gh_str_t message;      /* "" when there is none */
} gh_aws_error_t;

/*
 * type_header: x-amzn-errortype, "" for none; it goes before `__type` and `code` in the body. The message is `message` or `Message`. Borrows from both, or is
 * the arena's where text had escapes. A body that cannot be read has neither.
 */
void gh_aws_error_read(gh_arena_t *arena, gh_str_t type_header, gh_str_t body, gh_aws_error_t *out);

/* "aws.protocoltests#FooError:http://..." is "FooError". */
gh_str_t gh_aws_error_name(gh_str_t type);

/*
 * The HTTP status of a modelled error of bedrock-runtime, or 0. The first letter's case does not matter: event streams name them with a small one. It says what
 * happened, also where the frame or the answer around it says another status.
 */
int gh_aws_error_status(gh_str_t type);

#endif
