/*
 * What looking at the backends of a route and putting it into order costs a request, and what telling of one does: order_cost [TARGETS] [COUNT].
 * In ns, the mean over COUNT requests; targets are looked at in a ledger of this process, in random order, by a latency objective.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "policy/route/route.h"
#include "policy/store/image_format.h"

#define MOST GH_ROUTE_LOOKED

static gh_image_target_t     targets[MOST];
static gh_image_deployment_t deployments[MOST];
static gh_backend_id_t       ids[MOST];
static char                  strings[MOST * 4 + 1];
static gh_image_t            image = { .targets = targets, .deployments = deployments, .strings = strings, .backends = ids };

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static gh_ledger_t *
make_ledger(char *path)
{
    uint8_t    id[16] = { 1 };
    gh_error_t error = { 0 };
    bool       made;

    if (gh_ledger_create(path, UINT64_C(64) << 20, id, id, &made, &error) != GH_OK) {
        fprintf(stderr, "order_cost: %s\n", error.text);
        exit(1);
    }
    return gh_ledger_open(path, true, &error);
}

int
main(int argc, char **argv)
{
    uint32_t                 count = argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 10) : 4;
    unsigned long            requests = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000, first = 0;
    char                     path[] = "/dev/shm/order_cost_XXXXXX";
    const gh_route_weights_t weights = { 300, 700 };
    uint64_t                 now = UINT64_C(1764201600000);
    gh_ledger_t             *ledger;
    double                   begin;

    if (count == 0 || count > MOST || mkdtemp(path) == NULL) {
        fprintf(stderr, "order_cost [TARGETS, at most %u] [COUNT]\n", MOST);
        return 64;
    }
    char file[64];

    snprintf(file, sizeof(file), "%s/ledger", path);
    ledger = make_ledger(file);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(strings + 4 * i, 5, "d%03u", (unsigned) i);
        deployments[i].id = (gh_ref_t) { 4 * i, 4 };
        targets[i] = (gh_image_target_t) { .deployment = i, .price_known = 1 };
        targets[i].price.rates[0] = 1000000 + i * 7919 % 1000000;
        ids[i] = gh_backend_id(gh_image_str(&image, deployments[i].id), GH_STR("model"));
        for (unsigned sample = 0; sample < 9; sample++) {
            gh_backend_result_t result = { .end = GH_BACKEND_ANSWERED, .tenant_uid = 1, .first_byte_us = 200000 + i * 104729 % 900000 };

            gh_backend_tell(ledger, &ids[i], now, &result);
        }
    }
    begin = seconds();
    for (unsigned long r = 0; r < requests; r++) {
        gh_route_step_t steps[MOST];

        for (uint32_t i = 0; i < count; i++) {
            steps[i] = (gh_route_step_t) { .target = i, .looked = true };
            gh_backend_look(ledger, &ids[i], now, &steps[i].state);
        }
        gh_route_order(&image, steps, count, weights, GH_STR(""));
        first += steps[0].target;
    }
    printf("%u targets: look and order %.0f ns a request", count, (seconds() - begin) / (double) requests * 1e9);
    begin = seconds();
    for (unsigned long r = 0; r < requests; r++) {
        gh_backend_result_t result = { .end = GH_BACKEND_ANSWERED, .tenant_uid = 1 + r % 3, .first_byte_us = 100000 + r % 1000 };

        first += gh_backend_ask(ledger, &ids[r % count], 1, now + r / 100);
        gh_backend_tell(ledger, &ids[r % count], now + r / 100, &result);
    }
    printf(", ask and tell %.0f ns an attempt (%lu)\n", (seconds() - begin) / (double) requests * 1e9, first);
    gh_ledger_close(ledger);
    unlink(file);
    rmdir(path);
    return 0;
}
