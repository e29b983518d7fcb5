/*
 * tenants/1: "objective", what decides between deployments of the same priority: "cost", "latency", or a weight of each between 0 and 1, of
 * which only the proportion counts.
 */
#include "policy/document/objective.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHT_TEXT 64     /* bytes of a number: more digits than any double has */

static const gh_member_t weight_members[] = {
    { "cost", GH_IS_NUMBER, GH_REQUIRED }, { "latency", GH_IS_NUMBER, GH_REQUIRED }, { NULL, 0, 0 }
};

static bool
read_weight(gh_loader_t *loader, const gh_node_t *node, double *weight)
{
    char text[WEIGHT_TEXT + 1];

    if (node == NULL) {
        return false;
    }
    *weight = -1;
    if (node->text.len <= WEIGHT_TEXT) {
        memcpy(text, node->text.data, node->text.len);
        text[node->text.len] = '\0';
        *weight = strtod(text, NULL);
    }
    if (!(*weight >= 0 && *weight <= 1)) {
        gh_doc_error(loader, GH_WHERE(loader, node), "bad_number", "\"%.*s\" must be a weight from 0 to 1, such as 0.7", GH_STR_ARG(node->key));
        return false;
    }
    return true;
}

static void
read_weights(gh_loader_t *loader, const gh_node_t *object, uint16_t *latency_weight)
{
    double cost, latency;
    bool   read;

    if (!gh_doc_members(loader, object, "an objective", weight_members)) {
        return;
    }
    read = read_weight(loader, gh_doc_get(object, "cost", GH_IS_NUMBER), &cost);
    if (!read_weight(loader, gh_doc_get(object, "latency", GH_IS_NUMBER), &latency) || !read) {
        return;
    }
    if (cost + latency == 0) {
        gh_doc_error(loader, GH_WHERE_KEY(loader, object), "bad_number", "\"cost\" and \"latency\" must not both weigh 0");
        return;
    }
    *latency_weight = (uint16_t) (1000 * (latency / (cost + latency)) + 0.5);
}

void
gh_doc_objective(gh_loader_t *loader, const gh_node_t *node, uint16_t *latency_weight)
{
    static const char *const words[] = { "cost", "latency", NULL };
    int                      word;

    if (node == NULL) {
        return;
    }
    if (node->type == GH_NODE_OBJECT) {
        read_weights(loader, node, latency_weight);
        return;
    }
    word = gh_doc_word(loader, node, "objective", words);
    if (word >= 0) {
        *latency_weight = word == 1 ? 1000 : 0;
    }
}
