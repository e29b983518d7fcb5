/* Prices of fleet/1, as an image gives them: rates that are not said, tiers, service tiers, and what bounds a prompt. */
#include "policy/compile/compile.h"
#include "tests/unit/world.h"

#define FLEET(models, entry)                                                                                                     \
    "{\"kind\":\"fleet/1\",\"nodes\":[{\"id\":\"n1\",\"country\":\"SE\"}],\"models\":{" models "},"                              \
    "\"deployments\":[{\"id\":\"se\",\"backend\":\"b\",\"serves\":[\"nord\"],\"provider\":\"self\",\"partition\":\"self\","      \
    "\"country\":\"SE\",\"dialect\":\"openai\",\"endpoints\":[\"chat.completions\"],\"store\":\"nothing\","                      \
    "\"operator_home\":\"SE\",\"training\":false," WORLD_EVIDENCE ",\"models\":{" entry "}}]}"

static gh_image_t *
image_of(gh_arena_t *arena, const char *fleet)
{
    gh_document_source_t source = { GH_STR("fleet.json"), gh_str_from(fleet) };
    gh_report_t          report;
    gh_model_t          *model;
    gh_image_t          *image = NULL;
    gh_error_t           error;

    gh_report_init(&report, arena);
    if (CHECK(gh_documents_load(arena, &source, 1, WORLD_NOW, &model, &report) == GH_OK)) {
        CHECK(gh_compile_image(arena, model, WORLD_NOW, &image, &error) == GH_OK);
    }
    return image;
}

static bool
rates(const gh_price_t *p, uint64_t input, uint64_t cached, uint64_t cache_write, uint64_t output, uint64_t reasoning)
{
    return p->known && p->input == input && p->cached == cached && p->cache_write == cache_write && p->output == output
        && p->reasoning == reasoning;
}

static void
test_tiers(void)
{
    gh_heap_t   heap;
    gh_image_t *image;
    gh_target_t target;
    gh_price_t  price;

    gh_heap_init(&heap);
    image = image_of(&heap.arena, FLEET(
        "\"m\":{\"context\":1000,\"max_output\":200,\"image_tokens\":85,\"message_tokens\":4}",
        "\"m\":{\"price\":{\"input\":10,\"cached\":1,\"output\":30,"
        "\"tiers\":[{\"input_above\":100,\"input\":20,\"output\":60},"
        "{\"input_above\":500,\"input\":40,\"cached\":4,\"cache_write\":50,\"output\":120,\"reasoning\":130}],"
        "\"service_tiers\":{\"flex\":{\"input\":5,\"output\":15},"
        "\"priority\":{\"input\":18,\"output\":54,\"reasoning\":55,\"tiers\":[{\"input_above\":7,\"input\":70,\"output\":71}]}}}}"));
    if (image == NULL) {
        gh_heap_free(&heap);
        return;
    }
    gh_image_target(image, 0, &target);
    CHECK(rates(&target.price, 10, 1, 10, 30, 30));
    CHECK_INT(target.context, 1000);
    CHECK_INT(target.max_output, 200);
    CHECK_INT(target.image_tokens, 85);
    CHECK_INT(target.message_tokens, 4);
    if (CHECK_INT(target.price.tier_count, 2)) {
        const gh_price_tier_t *tiers = target.price.tiers;

        CHECK(tiers[0].input_above == 100 && tiers[0].input == 20 && tiers[0].cached == 20 && tiers[0].cache_write == 20
              && tiers[0].output == 60 && tiers[0].reasoning == 60);
        CHECK(tiers[1].input_above == 500 && tiers[1].input == 40 && tiers[1].cached == 4 && tiers[1].cache_write == 50
              && tiers[1].output == 120 && tiers[1].reasoning == 130);
    }
    price = gh_image_price(image, 0, GH_STR("auto"));
    CHECK(rates(&price, 10, 1, 10, 30, 30) && price.tier_count == 2 && price.tiers == target.price.tiers);
    price = gh_image_price(image, 0, GH_STR("flex"));
    CHECK(rates(&price, 5, 5, 5, 15, 15) && price.tier_count == 0);
    price = gh_image_price(image, 0, GH_STR("priority"));
    CHECK(rates(&price, 18, 18, 18, 54, 55) && price.tier_count == 1 && price.tiers[0].input == 70);
    CHECK(!gh_image_price(image, 0, GH_STR("scale")).known);
    CHECK(!gh_image_price(image, 0, GH_STR("Flex")).known);
    CHECK(!gh_image_price(image, 1, GH_STR("")).known);
    gh_image_unref(image);
    gh_heap_free(&heap);
}

/* Without a price there is none in any service tier; what the catalogue does not say has its default. */
static void
test_nothing_said(void)
{
    gh_heap_t   heap;
    gh_image_t *image;
    gh_target_t target;

    gh_heap_init(&heap);
    image = image_of(&heap.arena, FLEET("\"m\":{}", "\"m\":{}"));
    if (image != NULL) {
        gh_image_target(image, 0, &target);
        CHECK(!target.price.known && target.price.tier_count == 0 && target.context == 0 && target.max_output == 0);
        CHECK_INT(target.image_tokens, 0);
        CHECK_INT(target.message_tokens, GH_MESSAGE_TOKENS);
        CHECK(!gh_image_price(image, 0, GH_STR("")).known && !gh_image_price(image, 0, GH_STR("flex")).known);
        gh_image_unref(image);
    }
    gh_heap_free(&heap);
}

int
main(void)
{
    test_tiers();
    test_nothing_said();
    return check_done("prices");
}
