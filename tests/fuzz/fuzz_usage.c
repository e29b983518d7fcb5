/* Any bytes as a JSON answer: the scan gives the same in any parts; any bytes as a usage object and as a Retry-After. */
#include <stdint.h>
#include <stdlib.h>

#include "ngx_module/wire/wire.h"
#include "tests/fuzz/standalone.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gh_usage_scan_t whole, parts;
    const char            *text = (const char *) data;
    gh_str_t               all = { text, size };
    gh_usage_t             usage;
    size_t                 at, part, step = size != 0 ? data[0] % 13 + 1 : 1;

    gh_usage_scan_init(&whole);
    gh_usage_scan_feed(&whole, text, size);

    gh_usage_scan_init(&parts);
    for (at = 0; at < size; at += part) {
        part = size - at < step ? size - at : step;
        gh_usage_scan_feed(&parts, text + at, part);
    }

    if (whole.found != parts.found || whole.usage.input != parts.usage.input || whole.usage.output != parts.usage.output
        || whole.usage.cached != parts.usage.cached || whole.usage.reasoning != parts.usage.reasoning)
    {
        abort();
    }

    if (gh_usage_parse(all, &usage) && (!usage.reported || usage.input > UINT64_C(1) << 40 || usage.output > UINT64_C(1) << 40)) {
        abort();
    }

    if (gh_retry_after_ms((gh_str_t) { NULL, 0 }, all, UINT64_C(1763712000000)) > 3600000
        || gh_retry_after_ms(all, (gh_str_t) { NULL, 0 }, 0) > 3600000)
    {
        abort();
    }

    return 0;
}
