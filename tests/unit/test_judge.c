/* The judgement, sentence by sentence of the policy language. */
#include "residency/judge.h"
#include "tests/unit/check.h"

#define DAY 86400000ull

static gh_places_t
of(const char *codes)
{
    gh_places_t places = gh_places_none();

    for (; codes[0]; codes += codes[2] ? 3 : 2) {
        gh_places_add(&places, gh_country_index((gh_str_t) { codes, 2 }));
    }
    return places;
}

static gh_judged_facts_t
known_facts(void)
{
    return (gh_judged_facts_t) { .process = of("SE DE"),
        .store = of("SE"),
        .store_days_known = true,
        .store_days = 30,
        .operator_home = of("US"),
        .partition_bit = 2,
        .partition_known = true,
        .attest_mask = 5,
        .training = GH_TRAINING_NO };
}

static gh_judged_facts_t
unknown_facts(void)
{
    return (gh_judged_facts_t) { .process = gh_places_unknown(),
        .store = gh_places_unknown(),
        .operator_home = gh_places_unknown(),
        .training = GH_TRAINING_UNKNOWN };
}

static uint32_t
allow(uint32_t states, const char *process, const char *store, const gh_judged_facts_t *facts)
{
    gh_rule_t rule = { .kind = GH_RULE_ALLOW,
        .states = states,
        .process = of(process),
        .store = of(store),
        .operator_home = of("US DE"),
        .max_days = 30,
        .until_ms = DAY,
        .partition_mask = 6,
        .attest_mask = 4 };

    return gh_rule_allow_misses(&rule, facts, 0);
}

static void
test_allow(void)
{
    gh_judged_facts_t facts = known_facts(), unknown = unknown_facts();
    const uint32_t    base = GH_STATES_PROCESS | GH_STATES_STORE;
    const uint32_t    all
        = base | GH_STATES_MAX_DAYS | GH_STATES_OPERATOR_HOME | GH_STATES_PARTITIONS | GH_STATES_ATTEST;

    CHECK_INT(allow(all, "SE DE FR", "SE", &facts), GH_FITS);
    CHECK_INT(allow(all, "SE", "SE", &facts), GH_MISS_PROCESS);
    CHECK_INT(allow(all, "SE DE", "DE", &facts), GH_MISS_STORE);
    CHECK_INT(allow(base | GH_STATES_STORE_NOTHING, "SE DE", "", &facts), GH_MISS_STORE);

    facts.store_days = 31;
    CHECK_INT(allow(all, "SE DE", "SE", &facts), GH_MISS_STORE_DAYS);
    CHECK_INT(allow(base, "SE DE", "SE", &facts), GH_FITS);
    facts.store_days_known = false;
    facts.store_days = 0;
    CHECK_INT(allow(all, "SE DE", "SE", &facts), GH_MISS_STORE_DAYS);

    facts = known_facts();
    facts.operator_home = of("CN US");
    CHECK_INT(allow(all, "SE DE", "SE", &facts), GH_MISS_OPERATOR_HOME);
    CHECK_INT(allow(base, "SE DE", "SE", &facts), GH_FITS);
    facts = known_facts();
    facts.partition_bit = 1;
    CHECK_INT(allow(all, "SE DE", "SE", &facts), GH_MISS_PARTITION);
    facts.partition_bit = 2;
    facts.partition_known = false;
    CHECK_INT(allow(all, "SE DE", "SE", &facts), GH_MISS_PARTITION);
    facts = known_facts();
    facts.attest_mask = 3;
    CHECK_INT(allow(all, "SE DE", "SE", &facts), GH_MISS_ATTEST);

    CHECK_INT(allow(all, "SE DE", "SE", &unknown), GH_MISS_PROCESS | GH_MISS_STORE | GH_MISS_STORE_DAYS
                                                       | GH_MISS_OPERATOR_HOME | GH_MISS_PARTITION | GH_MISS_ATTEST
                                                       | GH_MISS_TRAINING);
}

/* "Anywhere" is not the unknown, and an empty set that is not "nothing" is. */
static void
test_anywhere(void)
{
    gh_judged_facts_t facts = known_facts();
    gh_rule_t         rule = { .kind = GH_RULE_ALLOW,
                .states = GH_STATES_PROCESS | GH_STATES_STORE,
                .process = gh_places_anywhere(),
                .store = gh_places_anywhere() };

    facts.process = gh_places_anywhere();
    CHECK_INT(gh_rule_allow_misses(&rule, &facts, 0), GH_FITS);
    facts.process = gh_places_unknown();
    CHECK_INT(gh_rule_allow_misses(&rule, &facts, 0), GH_MISS_PROCESS);
    facts.process = gh_places_none();
    CHECK_INT(gh_rule_allow_misses(&rule, &facts, 0), GH_MISS_PROCESS);
    facts = known_facts();
    facts.store = gh_places_none();
    CHECK_INT(gh_rule_allow_misses(&rule, &facts, 0), GH_MISS_STORE);
}

/* Every attestation that a rule asks for, whatever else there is. */
static void
test_attest(void)
{
    gh_judged_facts_t facts = known_facts();
    gh_rule_t         rule = { .kind = GH_RULE_ALLOW, .states = GH_STATES_ATTEST, .attest_mask = 5 };
    const uint64_t    misses[] = { 0, 1, 2, 4, 6 }, fits[] = { 5, 7 };

    for (size_t i = 0; i < sizeof(misses) / sizeof(misses[0]); i++) {
        facts.attest_mask = misses[i];
        CHECK_INT(gh_rule_allow_misses(&rule, &facts, 0), GH_MISS_ATTEST);
    }
    for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
        facts.attest_mask = fits[i];
        CHECK_INT(gh_rule_allow_misses(&rule, &facts, 0), GH_FITS);
    }
}

static void
test_store_nothing(void)
{
    gh_judged_facts_t facts = known_facts();
    const uint32_t    nothing = GH_STATES_PROCESS | GH_STATES_STORE_NOTHING,
                   within = GH_STATES_PROCESS | GH_STATES_STORE | GH_STATES_MAX_DAYS;

    facts.store_days = 0;                       /* 0 is a number, not nothing */
    CHECK_INT(allow(nothing, "SE DE", "", &facts), GH_MISS_STORE);
    CHECK_INT(allow(within, "SE DE", "SE", &facts), GH_FITS);

    facts.store_nothing = true;
    facts.store = gh_places_none();
    facts.store_days_known = true;
    CHECK_INT(allow(nothing, "SE DE", "", &facts), GH_FITS);
    CHECK_INT(allow(within, "SE DE", "DE", &facts), GH_FITS);
}

static void
test_training_and_until(void)
{
    gh_judged_facts_t facts = known_facts();
    const uint32_t    base = GH_STATES_PROCESS | GH_STATES_STORE;
    gh_rule_t         rule = { .kind = GH_RULE_ALLOW,
                .states = base | GH_STATES_UNTIL,
                .process = of("SE DE"),
                .store = of("SE"),
                .until_ms = DAY };

    CHECK_INT(gh_rule_allow_misses(&rule, &facts, DAY - 1), GH_FITS);
    CHECK_INT(gh_rule_allow_misses(&rule, &facts, DAY), GH_MISS_UNTIL);
    rule.states = base;
    CHECK_INT(gh_rule_allow_misses(&rule, &facts, DAY), GH_FITS);

    facts.training = GH_TRAINING_YES;
    CHECK_INT(allow(base, "SE DE", "SE", &facts), GH_MISS_TRAINING);
    CHECK_INT(allow(base | GH_STATES_TRAINING, "SE DE", "SE", &facts), GH_FITS);
    facts.training = GH_TRAINING_UNKNOWN;
    CHECK_INT(allow(base, "SE DE", "SE", &facts), GH_MISS_TRAINING);
    CHECK_INT(allow(base | GH_STATES_TRAINING, "SE DE", "SE", &facts), GH_FITS);
}

static bool
forbid(uint32_t states, const char *places, const gh_judged_facts_t *facts)
{
    gh_rule_t rule = { .kind = GH_RULE_FORBID,
        .states = states,
        .process = of(places),
        .store = of(places),
        .operator_home = of(places),
        .partition_mask = 4 };

    return gh_rule_forbid_fires(&rule, facts);
}

static void
test_forbid(void)
{
    gh_judged_facts_t facts = known_facts(), unknown = unknown_facts();
    const uint32_t    places = GH_STATES_PROCESS | GH_STATES_STORE | GH_STATES_OPERATOR_HOME;

    CHECK(forbid(0, "", &facts));                                         /* the off switch */
    CHECK(forbid(GH_STATES_TENANTS | GH_STATES_CLASSES | GH_STATES_MODELS, "", &facts));
    CHECK(!forbid(places, "CN", &facts));
    CHECK(forbid(places, "CN DE", &facts) && forbid(GH_STATES_PROCESS, "DE", &facts)
          && !forbid(GH_STATES_STORE, "DE", &facts));
    CHECK(forbid(GH_STATES_OPERATOR_HOME, "US", &facts) && forbid(places, "US", &facts));
    CHECK(!forbid(GH_STATES_PARTITIONS, "", &facts) && !forbid(GH_STATES_TRAINING, "", &facts));

    facts.partition_bit = 4;
    CHECK(forbid(GH_STATES_PARTITIONS, "", &facts));
    facts.training = GH_TRAINING_YES;
    CHECK(forbid(GH_STATES_TRAINING, "", &facts));
    facts.store_nothing = true;
    facts.store = gh_places_none();
    CHECK(!forbid(GH_STATES_STORE, "SE", &facts));

    CHECK(forbid(GH_STATES_PROCESS, "CN", &unknown) && forbid(GH_STATES_STORE, "CN", &unknown)
          && forbid(GH_STATES_OPERATOR_HOME, "CN", &unknown));
    CHECK(forbid(GH_STATES_PARTITIONS, "", &unknown) && forbid(GH_STATES_TRAINING, "", &unknown));
    facts = known_facts();
    facts.process = gh_places_none();                                     /* only a damaged image: unknown */
    CHECK(forbid(GH_STATES_PROCESS, "CN", &facts));
}

static void
test_features(void)
{
    gh_judged_facts_t facts = known_facts();

    gh_judged_add_feature(&facts, of("US"), of("FR"), false, true, 90);
    CHECK(gh_places_equal(facts.process, of("DE SE US")) && gh_places_equal(facts.store, of("FR SE")));
    CHECK(facts.store_days_known && facts.store_days == 90);

    gh_judged_add_feature(&facts, gh_places_none(), gh_places_none(), true, true, 0);
    CHECK(gh_places_equal(facts.process, of("DE SE US")) && gh_places_equal(facts.store, of("FR SE"))
          && facts.store_days == 90);

    gh_judged_add_feature(&facts, gh_places_none(), of("SE"), false, false, 0);
    CHECK(!facts.store_days_known && gh_places_equal(facts.store, of("FR SE")));

    facts = known_facts();
    facts.store_nothing = true;
    facts.store = gh_places_none();
    gh_judged_add_feature(&facts, gh_places_none(), gh_places_none(), true, true, 0);
    CHECK(facts.store_nothing && gh_places_empty(facts.store));
    gh_judged_add_feature(&facts, gh_places_none(), of("US"), false, true, 7);
    CHECK(!facts.store_nothing && gh_places_equal(facts.store, of("US")) && facts.store_days == 7);

    gh_judged_add_feature(&facts, gh_places_unknown(), gh_places_unknown(), false, false, 0);
    CHECK(gh_places_has_unknown(facts.process) && gh_places_has_unknown(facts.store) && !facts.store_days_known);

    facts = known_facts();
    facts.store_nothing = true;
    gh_judged_add_unlisted(&facts);
    CHECK(gh_places_has_unknown(facts.process) && gh_places_has_unknown(facts.store) && !facts.store_nothing
          && !facts.store_days_known);

    facts = unknown_facts();
    gh_judged_add_feature(&facts, of("SE"), of("SE"), false, true, 1);
    CHECK(gh_places_has_unknown(facts.process) && gh_places_has_unknown(facts.store) && !facts.store_days_known);
}

static bool
covers(const char *pattern, const char *name)
{
    return gh_pattern_covers(gh_str_from(pattern), gh_str_from(name));
}

static void
test_patterns(void)
{
    CHECK(covers("nordbank/retail", "nordbank/retail") && covers("nordbank/retail", "nordbank/retail/app1"));
    CHECK(!covers("nordbank/retail", "nordbank/retail-2") && !covers("nordbank/retail", "nordbank/retai")
          && !covers("nordbank/retail", "nordbank"));
    CHECK(covers("nordbank", "nordbank/retail/app1/key") && !covers("nordbank", "nordbank2/retail")
          && !covers("nordbank", "Nordbank"));
    CHECK(covers("nordbank/*", "nordbank/retail") && !covers("nordbank/*", "nordbank")
          && covers("nordbank/ret*", "nordbank/retail/app1"));
    CHECK(covers("*", "anything") && covers("gpt-*", "gpt-4.1") && !covers("gpt-*", "gpt4"));
    CHECK(!covers("", "nordbank") && !covers("", "") && !covers("a", ""));
    CHECK(!covers("nord*/x", "nordbank/x") && !covers("a*b", "axb") && covers("a*b", "a*b"));
}

/* Every pattern and every model of up to four letters of "a", "/", "b", against what is written of them: a star at the end, the same spelling, or, forbidden, a name below. */
static void
test_patterns_of_models(void)
{
    static const char letters[] = "a/b*";
    char              pattern[5], model[5];
    unsigned          compared = 0, below = 0, wrong = 0;

    for (unsigned i = 1; i < 5 * 5 * 5 * 5; i++) {
        unsigned length = 0;

        for (unsigned rest = i; rest > 0; rest /= 5) {
            if (rest % 5 > 0) {
                pattern[length++] = letters[rest % 5 - 1];
            }
        }
        pattern[length] = '\0';
        for (unsigned k = 0; k < 4 * 4 * 4 * 4; k++) {
            size_t   size = 0;
            bool     star = length > 0 && pattern[length - 1] == '*', same, begins;
            gh_str_t name;

            for (unsigned rest = k; rest > 0; rest /= 4) {
                if (rest % 4 > 0) {
                    model[size++] = letters[rest % 4 - 1];
                }
            }
            model[size] = '\0';
            name = (gh_str_t) { model, size };
            same = length > 0 && strcmp(pattern, model) == 0;
            begins = length > 0 && strncmp(pattern, model, length - star) == 0;
            below += !star && begins && model[length] == '/';
            wrong += gh_rule_names(GH_RULE_ALLOW, gh_str_from(pattern), name) != (same || (star && begins));
            wrong += gh_pattern_permits(gh_str_from(pattern), name) != (same || (star && begins));
            wrong += gh_rule_names(GH_RULE_FORBID, gh_str_from(pattern), name) != (same || (star && begins) || (!star && begins && model[length] == '/'));
            compared++;
        }
    }
    CHECK(compared > 100000 && below > 100);
    CHECK_INT(wrong, 0);
    CHECK(!gh_pattern_permits(GH_STR("meta"), GH_STR("meta/llama")) && gh_rule_names(GH_RULE_FORBID, GH_STR("meta"), GH_STR("meta/llama")));
    CHECK(gh_pattern_permits(GH_STR("meta/*"), GH_STR("meta/llama")) && !gh_rule_names(GH_RULE_FORBID, GH_STR("meta"), GH_STR("meta-llama")));
}

int
main(void)
{
    test_allow();
    test_anywhere();
    test_attest();
    test_store_nothing();
    test_training_and_until();
    test_forbid();
    test_features();
    test_patterns();
    test_patterns_of_models();
    CHECK_INT(sizeof(gh_rule_t), 176);
    return check_done("judge");
}
