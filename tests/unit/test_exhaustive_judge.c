/*
 * The judgement over everything there is in a world of four places and the unknown: every set a fact may be, against every set a rule may
 * state, alone and combined. The expected answer comes from the first three sentences of the policy language alone, over five bits:
 *
 *   An allow fits when everything it states is inside. A forbid fires when anything it states is touched. Unknown is never inside and
 *   always touches.
 */
#include "residency/judge.h"
#include "tests/unit/check.h"

#define PLACES   4
#define SETS     (1u << PLACES)        /* of places, as a rule states them */
#define FACTS    (2u * SETS)           /* and as a fact holds them: with or without the unknown */
#define UNKNOWN  SETS                  /* the bit of the unknown */
#define UNSTATED SETS                  /* a rule's set: it says nothing of this fact */

#define DAYS     3                     /* unknown, 0, 1 */
#define STORES   (1 + FACTS * DAYS)    /* nothing; or a set and days */
#define LIMITS   3                     /* of an allow's max_days: none, 0, 1 */
#define STATED_STORES (2 + SETS * LIMITS)   /* not stated; "nothing"; or a set and a limit */

typedef struct { bool nothing; unsigned places; int days; } store_t;                     /* days -1: unknown */
typedef struct { bool stated, nothing; unsigned places; int limit; } stated_store_t;     /* limit -1: none */

static gh_places_t    places_of[FACTS];
static store_t        stores[STORES];
static stated_store_t stated_stores[STATED_STORES];

static void
make_dimensions(void)
{
    static const char codes[PLACES][3] = { "AD", "DE", "SE", "ZW" };   /* the first, the last, two between */
    unsigned          n = 0;

    for (unsigned set = 0; set < FACTS; set++) {
        places_of[set] = gh_places_none();
        for (unsigned place = 0; place < PLACES; place++) {
            if (set >> place & 1) {
                gh_places_add(&places_of[set], gh_country_index((gh_str_t) { codes[place], 2 }));
            }
        }
        if (set & UNKNOWN) {
            gh_places_add(&places_of[set], GH_PLACE_UNKNOWN_BIT);
        }
    }
    stores[n++] = (store_t) { true, 0, 0 };
    for (unsigned set = 0; set < FACTS; set++) {
        for (int days = -1; days < DAYS - 1; days++) {
            stores[n++] = (store_t) { false, set, days };
        }
    }
    n = 0;
    stated_stores[n++] = (stated_store_t) { false, false, 0, -1 };
    stated_stores[n++] = (stated_store_t) { true, true, 0, -1 };
    for (unsigned set = 0; set < SETS; set++) {
        for (int limit = -1; limit < LIMITS - 1; limit++) {
            stated_stores[n++] = (stated_store_t) { true, false, set, limit };
        }
    }
}

/* ---- what the sentences say ---- */

/* A set that nothing is known of is the unknown too. */
static bool
is_unknown(unsigned fact)
{
    return (fact & UNKNOWN) || fact == 0;
}

static bool
is_inside(unsigned fact, unsigned within)
{
    return within == UNSTATED || (!is_unknown(fact) && (fact & ~within) == 0);
}

static bool
is_touched(unsigned fact, unsigned by)
{
    return by != UNSTATED && (is_unknown(fact) || (fact & by) != 0);
}

static bool
store_inside(const store_t *fact, const stated_store_t *rule)
{
    if (!rule->stated || fact->nothing) {
        return true;
    }
    return !rule->nothing && is_inside(fact->places, rule->places)
           && (rule->limit < 0 || (fact->days >= 0 && fact->days <= rule->limit));
}

static bool
store_touched(const store_t *fact, unsigned by)
{
    return !fact->nothing && is_touched(fact->places, by);
}

/* ---- the same for the judge ---- */

static void
set_store(gh_judged_facts_t *facts, const store_t *store)
{
    facts->store = places_of[store->places];
    facts->store_nothing = store->nothing;
    facts->store_days_known = store->days >= 0;
    facts->store_days = store->days >= 0 ? (uint32_t) store->days : 0;
}

static void
state_places(gh_rule_t *rule, uint32_t flag, gh_places_t *member, unsigned set)
{
    rule->states = set == UNSTATED ? rule->states & ~flag : rule->states | flag;
    *member = set == UNSTATED ? gh_places_none() : places_of[set];
}

static void
state_store(gh_rule_t *rule, const stated_store_t *store)
{
    rule->states &= ~(uint32_t) (GH_STATES_STORE | GH_STATES_STORE_NOTHING | GH_STATES_MAX_DAYS);
    rule->states |= !store->stated ? 0 : store->nothing ? GH_STATES_STORE_NOTHING : GH_STATES_STORE;
    rule->states |= store->limit >= 0 ? GH_STATES_MAX_DAYS : 0;
    rule->store = places_of[store->places];
    rule->max_days = store->limit >= 0 ? (uint32_t) store->limit : 0;
}

/* One (fact, rule) pair of each kind, as a number: every pair of process or operator_home, of an allow's store, of a forbid's. */
#define PAIRS        (FACTS * (SETS + 1))
#define STORE_PAIRS  (STORES * STATED_STORES)
#define FORBID_PAIRS (STORES * (SETS + 1))

typedef struct { unsigned fact, rule; } pair_t;

static pair_t
pair(unsigned number, unsigned rules)
{
    return (pair_t) { number / rules, number % rules };
}

/* A few operators' homes for the threefold product: unknown, one place, two; a rule that says nothing, one, the other, both. */
static const pair_t few_homes[] = { { UNKNOWN, UNSTATED }, { UNKNOWN, 3 }, { 1, UNSTATED }, { 1, 1 }, { 1, 2 }, { 1, 3 }, { 3, UNSTATED },
                                    { 3, 1 }, { 3, 2 }, { 3, 3 } };
#define FEW (sizeof(few_homes) / sizeof(few_homes[0]))

static gh_judged_facts_t facts = { .training = GH_TRAINING_NO };
static gh_rule_t         rule;
static uint64_t          judged, wrong, fitted, fired;

static void
use_process(pair_t process)
{
    facts.process = places_of[process.fact];
    state_places(&rule, GH_STATES_PROCESS, &rule.process, process.rule);
}

static void
use_home(pair_t home)
{
    facts.operator_home = places_of[home.fact];
    state_places(&rule, GH_STATES_OPERATOR_HOME, &rule.operator_home, home.rule);
}

static void
use_allow_store(pair_t store)
{
    set_store(&facts, &stores[store.fact]);
    state_store(&rule, &stated_stores[store.rule]);
}

static void
use_forbid_store(pair_t store)
{
    set_store(&facts, &stores[store.fact]);
    state_places(&rule, GH_STATES_STORE, &rule.store, store.rule);
}

static void
judge_allow(pair_t process, pair_t store, pair_t home)
{
    bool expected = is_inside(process.fact, process.rule) && store_inside(&stores[store.fact], &stated_stores[store.rule])
                    && is_inside(home.fact, home.rule);

    judged++;
    fitted += expected;
    wrong += (gh_rule_allow_misses(&rule, &facts, 0) == GH_FITS) != expected;
}

/* A forbid that states nothing is the off switch. */
static void
judge_forbid(pair_t process, pair_t store, pair_t home)
{
    bool none = process.rule == UNSTATED && store.rule == UNSTATED && home.rule == UNSTATED;
    bool expected = none || is_touched(process.fact, process.rule) || store_touched(&stores[store.fact], store.rule)
                    || is_touched(home.fact, home.rule);

    judged++;
    fired += expected;
    wrong += gh_rule_forbid_fires(&rule, &facts) != expected;
}

static void
begin(uint8_t kind)
{
    memset(&rule, 0, sizeof(rule));
    rule.kind = kind;
    judged = wrong = fitted = fired = 0;
}

static const pair_t no_home = { 1, UNSTATED };

/* Every process pair with every store pair, and both with a few homes. */
static void
test_allow_process_store(void)
{
    begin(GH_RULE_ALLOW);
    for (unsigned p = 0; p < PAIRS; p++) {
        use_process(pair(p, SETS + 1));
        for (unsigned s = 0; s < STORE_PAIRS; s++) {
            use_allow_store(pair(s, STATED_STORES));
            for (unsigned h = 0; h < FEW; h++) {
                use_home(few_homes[h]);
                judge_allow(pair(p, SETS + 1), pair(s, STATED_STORES), few_homes[h]);
            }
        }
    }
    CHECK_INT(judged, (uint64_t) PAIRS * STORE_PAIRS * FEW);
    CHECK_INT(wrong, 0);
    CHECK(fitted > 0 && fitted < judged);
}

/* Every home pair with every process pair, and with every store pair. */
static void
test_allow_home(void)
{
    const pair_t no_store = { 0, 0 }, no_process = { 1, UNSTATED };

    begin(GH_RULE_ALLOW);
    for (unsigned h = 0; h < PAIRS; h++) {
        use_home(pair(h, SETS + 1));
        use_allow_store(no_store);
        for (unsigned p = 0; p < PAIRS; p++) {
            use_process(pair(p, SETS + 1));
            judge_allow(pair(p, SETS + 1), no_store, pair(h, SETS + 1));
        }
        use_process(no_process);
        for (unsigned s = 0; s < STORE_PAIRS; s++) {
            use_allow_store(pair(s, STATED_STORES));
            judge_allow(no_process, pair(s, STATED_STORES), pair(h, SETS + 1));
        }
    }
    CHECK_INT(judged, (uint64_t) PAIRS * (PAIRS + STORE_PAIRS));
    CHECK_INT(wrong, 0);
    CHECK(fitted > 0 && fitted < judged);
}

static void
test_forbid(void)
{
    begin(GH_RULE_FORBID);
    for (unsigned p = 0; p < PAIRS; p++) {
        use_process(pair(p, SETS + 1));
        for (unsigned s = 0; s < FORBID_PAIRS; s++) {
            use_forbid_store(pair(s, SETS + 1));
            for (unsigned h = 0; h < FEW; h++) {
                use_home(few_homes[h]);
                judge_forbid(pair(p, SETS + 1), pair(s, SETS + 1), few_homes[h]);
            }
        }
    }
    CHECK_INT(judged, (uint64_t) PAIRS * FORBID_PAIRS * FEW);
    CHECK_INT(wrong, 0);
    CHECK(fired > 0 && fired < judged);
}

static void
test_forbid_home(void)
{
    const pair_t no_store = { 0, UNSTATED }, no_process = { 1, UNSTATED };

    begin(GH_RULE_FORBID);
    for (unsigned h = 0; h < PAIRS; h++) {
        use_home(pair(h, SETS + 1));
        use_forbid_store(no_store);
        for (unsigned p = 0; p < PAIRS; p++) {
            use_process(pair(p, SETS + 1));
            judge_forbid(pair(p, SETS + 1), no_store, pair(h, SETS + 1));
        }
        use_process(no_process);
        for (unsigned s = 0; s < FORBID_PAIRS; s++) {
            use_forbid_store(pair(s, SETS + 1));
            judge_forbid(no_process, pair(s, SETS + 1), pair(h, SETS + 1));
        }
    }
    CHECK_INT(judged, (uint64_t) PAIRS * (PAIRS + FORBID_PAIRS));
    CHECK_INT(wrong, 0);
    CHECK(fired > 0 && fired < judged);
}

/* ---- the facts that are not places ---- */

typedef struct { int partition; unsigned attest; uint8_t training; } rest_t;       /* partition -1: unknown */

#define RESTS 36
static rest_t rests[RESTS];

static void
make_rests(void)
{
    unsigned n = 0;

    for (int partition = -1; partition < 2; partition++) {
        for (unsigned attest = 0; attest < 4; attest++) {
            for (uint8_t training = GH_TRAINING_NO; training <= GH_TRAINING_UNKNOWN; training++) {
                rests[n++] = (rest_t) { partition, attest, training };
            }
        }
    }
    CHECK_INT(n, RESTS);
}

static void
use_rest(const rest_t *rest)
{
    facts.partition_known = rest->partition >= 0;
    facts.partition_bit = rest->partition >= 0 ? (uint64_t) 1 << rest->partition : 0;
    facts.attest_mask = rest->attest;
    facts.training = rest->training;
}

/* partitions: 4 is "not stated", else a mask of two; attest likewise. */
static bool
rest_inside(const rest_t *rest, unsigned partitions, unsigned attest, bool training_accepted)
{
    return (partitions == 4 || (rest->partition >= 0 && (partitions >> rest->partition & 1)))
           && (attest == 4 || (attest & ~rest->attest) == 0) && (training_accepted || rest->training == GH_TRAINING_NO);
}

static void
state_rest(unsigned partitions, unsigned attest, bool training)
{
    rule.states = GH_STATES_PROCESS | (partitions == 4 ? 0 : GH_STATES_PARTITIONS) | (attest == 4 ? 0 : GH_STATES_ATTEST)
                  | (training ? GH_STATES_TRAINING : 0);
    rule.partition_mask = partitions == 4 ? 0 : partitions;
    rule.attest_mask = attest == 4 ? 0 : attest;
    rule.process = places_of[3];
}

/* until 0: none; 1: it ends after now; 2: it has ended now. */
static void
judge_rest(unsigned partitions, unsigned attest, bool training, unsigned until)
{
    for (unsigned r = 0; r < RESTS; r++) {
        use_rest(&rests[r]);
        for (unsigned process = 0; process < FACTS; process++) {
            bool expected = is_inside(process, 3) && rest_inside(&rests[r], partitions, attest, training) && until != 2;
            bool touched = is_touched(process, 3) || (partitions != 4 && (rests[r].partition < 0 || (partitions >> rests[r].partition & 1)))
                           || (training && rests[r].training != GH_TRAINING_NO);

            facts.process = places_of[process];
            judged += 2;
            fitted += expected;
            wrong += (gh_rule_allow_misses(&rule, &facts, until == 1 ? 999 : 1000) == GH_FITS) != expected;
            wrong += gh_rule_forbid_fires(&rule, &facts) != touched;
        }
    }
}

static void
test_rest(void)
{
    make_rests();
    begin(GH_RULE_ALLOW);
    for (unsigned partitions = 0; partitions <= 4; partitions++) {
        for (unsigned attest = 0; attest <= 4; attest++) {
            for (unsigned training = 0; training < 2; training++) {
                for (unsigned until = 0; until < 3; until++) {
                    state_rest(partitions, attest, training);
                    rule.states |= until ? GH_STATES_UNTIL : 0;
                    rule.until_ms = until ? 1000 : 0;
                    judge_rest(partitions, attest, training, until);
                }
            }
        }
    }
    CHECK_INT(judged, 2ull * 5 * 5 * 2 * 3 * RESTS * FACTS);
    CHECK_INT(wrong, 0);
    CHECK(fitted > 0);
    facts.training = GH_TRAINING_NO;
}

/* ---- features ---- */

/* What a feature adds: the places of both, unknown with either, the longer days; "nothing" only with both. */
static store_t
both_stores(const store_t *a, const store_t *b)
{
    bool unknown = is_unknown(a->places) || is_unknown(b->places);

    if (a->nothing || b->nothing) {
        return a->nothing ? *b : *a;
    }
    return (store_t) { false, unknown ? UNKNOWN : a->places | b->places,
                       a->days < 0 || b->days < 0 ? -1 : a->days > b->days ? a->days : b->days };
}

/* The loader states a feature's empty set as unknown, so that no fact of either is the empty set. */
static void
test_features(void)
{
    begin(GH_RULE_ALLOW);
    for (unsigned a = 0; a < STORES; a++) {
        for (unsigned b = 0; b < STORES; b++) {
            unsigned process_a = a % FACTS, process_b = (a / FACTS + b) % FACTS;
            store_t  store = both_stores(&stores[a], &stores[b]);

            if (process_a == 0 || process_b == 0) {
                continue;
            }
            facts.process = places_of[process_a];
            set_store(&facts, &stores[a]);
            gh_judged_add_feature(&facts, places_of[process_b], places_of[stores[b].places], stores[b].nothing, stores[b].days >= 0,
                stores[b].days >= 0 ? (uint32_t) stores[b].days : 0);
            for (unsigned stated = 0; stated < STATED_STORES; stated++) {
                unsigned within = (stated + b) % SETS;
                bool     expected = is_inside(process_a | process_b, within) && store_inside(&store, &stated_stores[stated]);

                state_store(&rule, &stated_stores[stated]);
                state_places(&rule, GH_STATES_PROCESS, &rule.process, within);
                judged++;
                fitted += expected;
                wrong += (gh_rule_allow_misses(&rule, &facts, 0) == GH_FITS) != expected;
            }
        }
    }
    CHECK(judged > 400000 && fitted > 0 && fitted < judged);
    CHECK_INT(wrong, 0);
}

int
main(void)
{
    make_dimensions();
    use_home(no_home);
    test_allow_process_store();
    test_allow_home();
    test_forbid();
    test_forbid_home();
    use_home(no_home);
    test_rest();
    test_features();
    return check_done("exhaustive_judge");
}
