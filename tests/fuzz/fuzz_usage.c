/*
 * Any bytes as a JSON answer: the scan gives the same in any parts; any bytes as a usage object, as a Retry-After, and as what a provider says in headers, of
 * any name and of those that are known; as a date; as a count of tokens.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_module/wire/http_date.h"
#include "ngx_module/wire/hub/hub.h"
#include "ngx_module/wire/wire.h"
#include "policy/base/json_reader.h"
#include "tests/fuzz/standalone.h"

#define NOW_MS UINT64_C(1763712000000)

static void
header(gh_arena_t *arena, gh_str_t name, gh_str_t value)
{
    gh_record_said_t *said = NULL;
    bool              known = gh_provider_header(arena, &said, name, value, NOW_MS);

    if ((!known && said != NULL) || gh_provider_wait_ms(said) > 3600000) {
        abort();
    }
    if (said == NULL) {
        return;
    }
    if (said->region.len > value.len || said->deployment.len > value.len) {
        abort();
    }
    for (unsigned i = 0; i < GH_RECORD_ALLOWANCES; i++) {
        const gh_record_allowance_t *one = &said->allowance[i];

        if (one->limit < -1 || one->remaining < -1 || one->reset_ms < -1 || one->limit > INT64_C(1) << 53 || one->remaining > INT64_C(1) << 53
            || one->reset_ms > INT64_C(366) * 86400 * 1000)
        {
            abort();
        }
    }
}

/* "NAME: VALUE", and all of it as the value of those that are known. */
static void
headers(gh_str_t all)
{
    static const char *const names[] = {
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-requests-reset", "x-ms-region", "X-MS-Deployment-Name"
    };
    const char *colon = all.len != 0 ? memchr(all.data, ':', all.len) : NULL;
    gh_heap_t   heap;
    size_t      i;

    gh_heap_init(&heap);
    if (colon != NULL) {
        header(&heap.arena, (gh_str_t) { all.data, (size_t) (colon - all.data) }, (gh_str_t) { colon + 1, (size_t) (all.data + all.len - colon - 1) });
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        header(&heap.arena, gh_str_from(names[i]), all);
    }
    gh_heap_free(&heap);
}

/* As the answer of who counts tokens, for clients of both ways to ask. */
static void
counts(gh_str_t all)
{
    static const gh_endpoint_t clients[] = { GH_ENDPOINT_COUNT_TOKENS, GH_ENDPOINT_BEDROCK_COUNT };
    gh_json_reader_t           r;
    gh_error_t                 error;
    gh_heap_t                  heap;
    gh_str_t                   body;

    gh_heap_init(&heap);
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        memset(&error, 0, sizeof(error));
        if (gh_hub_count_answer(&heap.arena, all, clients[i], &body, &error) != GH_OK) {
            if (error.code == NULL) {
                abort();
            }
            continue;
        }
        gh_json_reader_init(&r, body, 0);
        if (gh_json_skip(&r) != GH_OK || gh_json_next(&r) != GH_JSON_END) {
            abort();
        }
    }
    gh_heap_free(&heap);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gh_usage_scan_t whole, parts;
    const char            *text = (const char *) data;
    gh_str_t               all = { text, size };
    gh_usage_t             usage;
    size_t                 at, part, step = size != 0 ? data[0] % 13 + 1 : 1;

    gh_usage_scan_init(&whole, GH_HUB_CHAT);
    gh_usage_scan_feed(&whole, text, size);

    memset(&parts, 0xa5, sizeof(parts));
    gh_usage_scan_init(&parts, GH_HUB_CHAT);
    for (at = 0; at < size; at += part) {
        part = size - at < step ? size - at : step;
        gh_usage_scan_feed(&parts, text + at, part);
    }

    if (whole.found != parts.found || whole.usage.input != parts.usage.input || whole.usage.output != parts.usage.output
        || gh_usage_scan_content(&whole) != gh_usage_scan_content(&parts) || gh_usage_scan_content(&whole) > size
        || whole.usage.cached != parts.usage.cached || whole.usage.reasoning != parts.usage.reasoning)
    {
        abort();
    }

    for (at = gh_usage_scan_written(&parts); at < sizeof(parts); at++) {
        if (((const uint8_t *) &parts)[at] != 0xa5) {
            abort();
        }
    }

    if (gh_usage_parse(all, &usage) && (!usage.reported || usage.input > UINT64_C(1) << 40 || usage.output > UINT64_C(1) << 40)) {
        abort();
    }

    if (gh_retry_after_ms((gh_str_t) { NULL, 0 }, all, NOW_MS) > 3600000
        || gh_retry_after_ms(all, (gh_str_t) { NULL, 0 }, 0) > 3600000)
    {
        abort();
    }

    headers(all);
    counts(all);
    if (gh_http_date_ms(all, NOW_MS) < -1 || gh_utc_text_ms(all) < -1) {
        abort();
    }

    return 0;
}
