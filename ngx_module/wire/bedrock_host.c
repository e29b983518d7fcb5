/* Hosts by service, region and partition. tests/data/check_bedrock.py compares the table with the partitions and the endpoint rules of botocore. */
#include "ngx_module/wire/bedrock.h"

#include <string.h>

typedef struct {
    const char *name, *suffix, *dual_stack_suffix;
    const char *regions[10];   /* what a region begins with, up to its first hyphens; NULL ends it */
} partition_t;

/* A region is {beginning}-{word}-{number}. */
static const partition_t partitions[] = {
    { "aws", "amazonaws.com", "api.aws", { "us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx", NULL } },
    { "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", { "cn", NULL } },
    { "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", { "eusc-de", NULL } },
    { "aws-us-gov", "amazonaws.com", "api.aws", { "us-gov", NULL } },
    { "aws-iso", "c2s.ic.gov", "api.aws.ic.gov", { "us-iso", NULL } },
    { "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", { "us-isob", NULL } },
    { "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", { "eu-isoe", NULL } },
    { "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", { "us-isof", NULL } },
};

static const struct {
    const char *host, *signing;
} services[GH_AWS_SERVICES] = {
    [GH_AWS_BEDROCK_RUNTIME] = { "bedrock-runtime", "bedrock" },
    [GH_AWS_BEDROCK_MANTLE] = { "bedrock-mantle", "bedrock-mantle" },
    [GH_AWS_BEDROCK_CONTROL] = { "bedrock", "bedrock" },
};

gh_str_t
gh_aws_signing_name(gh_aws_service_t service)
{
    return gh_str_from(services[service].signing);
}

static size_t
span(gh_str_t s, char first, char last)
{
    size_t n;

    for (n = 0; n < s.len && s.data[n] >= first && s.data[n] <= last; n++) { }

    return n;
}

/* Is the region {beginning}-{a-z}+-{0-9}+? */
static bool
region_is(gh_str_t region, gh_str_t beginning)
{
    size_t n;

    if (!gh_str_starts(region, beginning) || region.len == beginning.len || region.data[beginning.len] != '-') {
        return false;
    }

    region = (gh_str_t) { region.data + beginning.len + 1, region.len - beginning.len - 1 };
    n = span(region, 'a', 'z');
    if (n == 0 || n == region.len || region.data[n] != '-') {
        return false;
    }

    region = (gh_str_t) { region.data + n + 1, region.len - n - 1 };
    return region.len != 0 && region.len <= 3 && span(region, '0', '9') == region.len;
}

static const partition_t *
partition_of(gh_str_t region)
{
    size_t i, j;

    for (i = 0; i < sizeof(partitions) / sizeof(partitions[0]); i++) {
        for (j = 0; partitions[i].regions[j] != NULL; j++) {
            if (region_is(region, gh_str_from(partitions[i].regions[j]))) {
                return &partitions[i];
            }
        }
    }

    return NULL;
}

gh_str_t
gh_aws_partition(gh_str_t region)
{
    const partition_t *partition = partition_of(region);

    return gh_str_from(partition != NULL ? partition->name : "");
}

gh_str_t
gh_aws_host(gh_arena_t *arena, const gh_aws_host_t *host, gh_error_t *error)
{
    const partition_t *partition = partition_of(host->region);
    gh_str_t           name = { NULL, 0 };

    if (partition == NULL || (unsigned) host->service >= GH_AWS_SERVICES) {
        gh_error_set(error, "aws_host", "\"%.*s\" is no region of a partition of AWS", GH_STR_ARG(host->region));
        return name;
    }
    if (host->service == GH_AWS_BEDROCK_MANTLE && (partition != &partitions[0] || host->fips || host->dual_stack)) {
        gh_error_set(error, "aws_host", "bedrock-mantle has no such name in \"%.*s\"", GH_STR_ARG(host->region));
        return name;
    }

    name = gh_str_format(arena, "%s%s.%.*s.%s", services[host->service].host, host->fips ? "-fips" : "", GH_STR_ARG(host->region),
        host->dual_stack || host->service == GH_AWS_BEDROCK_MANTLE ? partition->dual_stack_suffix : partition->suffix);
    if (name.data == NULL) {
        gh_error_set(error, "no_memory", "out of memory");
    }
    return name;
}

/* Takes text off the beginning of s. */
static bool
take(gh_str_t *s, gh_str_t text)
{
    if (!gh_str_starts(*s, text)) {
        return false;
    }

    *s = (gh_str_t) { s->data + text.len, s->len - text.len };
    return true;
}

bool
gh_aws_host_read(gh_str_t name, gh_aws_host_t *host)
{
    const partition_t *partition;
    const char        *dot;
    gh_str_t           rest;
    unsigned           i;

    for (i = 0; i < GH_AWS_SERVICES; i++) {
        rest = name;
        if (!take(&rest, gh_str_from(services[i].host))) {
            continue;
        }
        host->fips = take(&rest, GH_STR("-fips"));
        if (!take(&rest, GH_STR("."))) {
            continue;
        }

        dot = rest.len != 0 ? memchr(rest.data, '.', rest.len) : NULL;
        if (dot == NULL) {
            return false;
        }
        host->service = (gh_aws_service_t) i;
        host->region = (gh_str_t) { rest.data, (size_t) (dot - rest.data) };
        rest = (gh_str_t) { dot + 1, rest.len - host->region.len - 1 };

        partition = partition_of(host->region);
        if (partition == NULL) {
            return false;
        }
        host->dual_stack = gh_str_is(rest, partition->dual_stack_suffix);
        if (i == GH_AWS_BEDROCK_MANTLE) {
            bool known = partition == &partitions[0] && host->dual_stack && !host->fips;

            host->dual_stack = false;
            return known;
        }
        return host->dual_stack || gh_str_is(rest, partition->suffix);
    }

    return false;
}
