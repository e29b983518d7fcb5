#include "policy/route/route.h"

#include "policy/store/image_format.h"

static uint64_t
target_price(const gh_image_target_t *target)
{
    uint64_t sum;

    if (!target->price_known || __builtin_add_overflow(target->price[0], target->price[3], &sum)) {
        return UINT64_MAX;
    }
    return sum;
}

static bool
before(const gh_image_t *image, uint32_t left, uint32_t right)
{
    const gh_image_target_t *a = &image->targets[left], *b = &image->targets[right];
    uint64_t                 price_a = target_price(a), price_b = target_price(b);
    int                      order;

    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    if (price_a != price_b) {
        return price_a < price_b;
    }
    order = gh_str_cmp(gh_image_str(image, image->deployments[a->deployment].id),
        gh_image_str(image, image->deployments[b->deployment].id));
    return order != 0 ? order < 0 : left < right;
}

static void
sift(const gh_image_t *image, uint32_t *targets, uint32_t root, uint32_t count)
{
    for (;;) {
        uint32_t child = root * 2 + 1, swap;

        if (child >= count) {
            return;
        }
        if (child + 1 < count && before(image, targets[child], targets[child + 1])) {
            child++;
        }
        if (!before(image, targets[root], targets[child])) {
            return;
        }
        swap = targets[root];
        targets[root] = targets[child];
        targets[child] = swap;
        root = child;
    }
}

/* Heapsort: qsort may allocate. */
void
gh_route_order(const gh_image_t *image, uint32_t *targets, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;) {
        sift(image, targets, i, count);
    }
    while (count > 1) {
        uint32_t last = targets[--count];

        targets[count] = targets[0];
        targets[0] = last;
        sift(image, targets, 0, count);
    }
}
