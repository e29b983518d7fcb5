/* Bodies read by the intake, and what they use, for the tests of it. */
#ifndef GH_INTAKE_WORLD_H
#define GH_INTAKE_WORLD_H

#include <stdlib.h>

#include "ngx_module/wire/wire.h"
#include "tests/unit/check.h"

static gh_heap_t   heap;
static gh_intake_t intake;
static gh_error_t  error;

/* The body in memory of its own size, so that a sanitizer sees a byte too far. Freed by the next call. */
static int
parse_at(gh_endpoint_t endpoint, gh_str_t body)
{
    static char *copy;

    free(copy);
    copy = malloc(body.len != 0 ? body.len : 1);
    memcpy(copy, body.data, body.len);
    memset(&error, 0, sizeof(error));

    return gh_intake_parse(&heap.arena, endpoint, (gh_str_t) { copy, body.len }, &intake, &error);
}

static int
parse(const char *body)
{
    return parse_at(GH_ENDPOINT_CHAT_COMPLETIONS, gh_str_from(body));
}

/* Uses as "name@where name@where"; "?" for nobody's. */
static inline const char *
uses(void)
{
    static char text[8192];
    size_t      len = 0;
    uint32_t    i;

    text[0] = '\0';
    for (i = 0; i < intake.feature_count; i++) {
        const gh_feature_use_t *use = &intake.features[i];

        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%.*s@%.*s", i != 0 ? " " : "",
            GH_STR_ARG(use->name.len != 0 ? use->name : GH_STR("?")), GH_STR_ARG(use->where));
    }

    return text;
}

#define CHECK_USES(body, expected) \
    (CHECK_INT(parse(body), GH_OK), CHECK_STR(gh_str_from(uses()), (expected)))

/* Members of an otherwise plain chat request. */
#define CHAT(members)  "{\"model\":\"m\",\"messages\":[]," members "}"
#define PARTS(parts)   "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[" parts "]}]}"
#define TOOLS(tools)   "{\"model\":\"m\",\"messages\":[],\"tools\":[" tools "]}"

static inline void
check_refused(const char *body, const char *code, const char *text)
{
    CHECK_INT(parse(body), GH_ERROR);
    CHECK_STR(gh_str_from(error.code != NULL ? error.code : "none"), code);
    if (!CHECK(strstr(error.text, text) != NULL)) {
        fprintf(stderr, "    \"%s\" has no \"%s\"\n", error.text, text);
    }
}

#endif
