/* A small policy for tests of gh_decide: four deployments, an organisation with five apps, four classes. */
#ifndef GH_TEST_DECIDE_WORLD_H
#define GH_TEST_DECIDE_WORLD_H

#include "tests/unit/world.h"

static const char fleet[] =
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"SE\"},{\"id\":\"n-us\",\"country\":\"US\"}],"
    "\"models\":{\"gpt\":{\"aliases\":[\"gpt-latest\"]},\"llama\":{},\"secret-model\":{},\"emb\":{}},"
    "\"deployments\":["
    "{\"id\":\"se\",\"backend\":\"b\",\"serves\":[\"nord\"],\"priority\":2,\"provider\":\"self\",\"partition\":\"self\",\"country\":\"SE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\",\"operator_home\":\"SE\",\"training\":false,"
    WORLD_EVIDENCE ",\"features\":{\"cache\":{\"process\":[\"SE\"],\"store\":{\"in\":[\"SE\"],\"days\":1}}},"
    "\"models\":{\"gpt\":{\"upstream\":\"gpt-se\"},\"secret-model\":{\"upstream\":\"s\"}}},"
    "{\"id\":\"de\",\"backend\":\"b\",\"serves\":[\"nord\"],\"priority\":1,\"provider\":\"self\",\"partition\":\"self\",\"country\":\"DE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":{\"in\":[\"DE\"],\"days\":7},\"operator_home\":\"DE\","
    "\"training\":false,\"evidence\":{\"by\":\"c\",\"on\":\"2026-01-15\",\"source\":\"s\",\"until\":\"2026-12-31\"},"
    "\"models\":{\"gpt\":{\"upstream\":\"gpt-de\",\"price\":{\"input\":10,\"output\":10}}}},"
    "{\"id\":\"de2\",\"backend\":\"b\",\"serves\":[\"nord\"],\"priority\":1,\"provider\":\"self\",\"partition\":\"self\",\"country\":\"DE\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":{\"in\":[\"DE\"],\"days\":7},\"operator_home\":\"DE\","
    "\"training\":false," WORLD_EVIDENCE ",\"models\":{\"gpt\":{\"upstream\":\"gpt-de2\",\"price\":{\"input\":5,\"output\":10}}}},"
    "{\"id\":\"us\",\"backend\":\"b\",\"serves\":[\"nord\"],\"priority\":0,\"provider\":\"self\",\"partition\":\"self\",\"country\":\"US\","
    "\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\",\"completions\"],\"store\":{\"in\":[\"US\"],\"days\":30},"
    "\"operator_home\":\"US\",\"training\":false," WORLD_EVIDENCE ",\"models\":{\"gpt\":{\"upstream\":\"gpt-us\"},"
    "\"llama\":{\"upstream\":\"l\"}}}]}";

static const char tenants[] =
    "{\"kind\":\"tenants/1\",\"organisations\":[{\"id\":\"nord\",\"tenants\":["
    "{\"id\":\"retail\",\"apps\":[{\"id\":\"chat\"},{\"id\":\"hr\",\"classes\":[\"personal\"]},"
    "{\"id\":\"home\",\"places\":[\"SE\"]}]},"
    "{\"id\":\"web\",\"models\":[\"gp*\"],\"apps\":[{\"id\":\"bot\"}]}]},"
    "{\"id\":\"nobody\",\"tenants\":[{\"id\":\"t\",\"apps\":[{\"id\":\"a\"}]}]}]}";

static const char residency[] =
    "{\"kind\":\"residency/1\",\"name\":\"nord\",\"applies_to\":\"nord/*\",\"facts\":\"regions/2026-11-21\","
    "\"places\":{\"north\":[\"SE\",\"NO\"]},\"classes\":[\"public\",\"internal\",\"personal\",\"secret\"],"
    "\"classify\":{\"default\":\"internal\",\"assign\":[{\"tenants\":[\"nord/web\"],\"class\":\"public\"}],"
    "\"labels\":[\"header:x-data-class\"],\"unknown_label\":\"deny\",\"uninspected\":[\"secret\"]},"
    "\"allow\":[{\"id\":\"open\",\"why\":\"w\",\"classes\":[\"public\",\"internal\"],\"process\":{\"within\":[\"EU\",\"US\"]},"
    "\"store\":{\"within\":[\"EU\",\"US\"],\"max_days\":30}},"
    "{\"id\":\"eu\",\"why\":\"w\",\"classes\":[\"personal\"],\"process\":{\"within\":[\"EU\"]},\"store\":{\"within\":[\"EU\"],\"max_days\":7},"
    "\"until\":\"2026-12-01\"},"
    "{\"id\":\"own\",\"why\":\"w\",\"classes\":[\"secret\"],\"process\":{\"within\":[\"SE\"]},\"store\":\"nothing\","
    "\"unlisted_features\":\"accepted\"}],"
    "\"forbid\":[{\"id\":\"no-secret-model\",\"why\":\"w\",\"models\":[\"s\"]}]}";

#endif
