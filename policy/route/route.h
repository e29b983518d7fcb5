/* The order in which eligible targets are tried. A pure ordering: nothing is added, nothing left out. */
#ifndef GH_ROUTE_H
#define GH_ROUTE_H

#include "policy/store/image.h"

/* Priority (lower first), then price (input + output, unknown last), then deployment id. In place, no memory. */
void gh_route_order(const gh_image_t *image, uint32_t *targets, uint32_t count);

#endif
