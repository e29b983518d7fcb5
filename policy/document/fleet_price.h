/* What a model costs at a deployment, as fleet/1 says it. */
#ifndef GH_FLEET_PRICE_H
#define GH_FLEET_PRICE_H

#include "policy/document/reading.h"

/* price, service_prices, price_source and price_as_of of the target, from a model's entry of a deployment. */
void gh_fleet_read_price(gh_loader_t *loader, const gh_node_t *entry, gh_model_target_t *target);

#endif
