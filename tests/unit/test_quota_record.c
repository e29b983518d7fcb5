/* What the record has of limits is the same whether its text is kept or made anew, and one number of a text is of one text. */
#include "policy/base/hash.h"
#include "policy/quota/quota.h"
#include "tests/unit/check.h"

#define SERIALS 65536
#define TEXT    4096

static uint64_t state = 11;
static uint8_t  digests[SERIALS][32];    /* of the texts; zeros: none yet */

static uint32_t
next(uint32_t most)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;

    return (uint32_t) (state >> 33) % most;
}

static uint64_t
amount(void)
{
    static const uint64_t ends[] = { 0, 1, 9, 10, 4096, UINT32_MAX, GH_COUNT_MAX };

    return next(3) == 0 ? ends[next(7)] : next(1000000);
}

/* One of so many lists of limits, with other amounts held and counted each time. */
static void
random_quota(gh_quota_t *quota, unsigned kinds)
{
    uint64_t before;
    unsigned kind = next(kinds), count;

    memset(quota, 0, sizeof(*quota));
    before = state;
    state = 1000 + kind;
    count = kind % 7 == 6 ? GH_LIMITS_MAX : next(7);
    quota->limits.count = count;
    for (unsigned i = 0; i < count; i++) {
        gh_limit_t *limit = &quota->limits.items[i];

        limit->level = next(GH_LEVELS);
        limit->dimension = next(GH_DIMENSIONS);
        limit->per = next(GH_PERS);
        limit->limit_class = next(GH_LIMIT_CLASSES);
        limit->amount = amount();
        limit->model = next(40) == 0 ? 5 : 0;
    }
    quota->request_limits = next(2) == 0 ? UINT32_MAX : next(1u << 24);
    quota->attempt_limits = next(1u << 24);
    quota->seen = next(2) == 0 ? UINT32_MAX : next(1u << 24);
    state = before;
    quota->shadowed = next(4) == 0 ? 1u << next(7) : 0;
    quota->left_out = next(4) == 0 ? 1u << next(7) : 0;
    quota->seen ^= next(4) == 0 ? 1u << next(7) : 0;
    for (unsigned i = 0; i < count; i++) {
        quota->amounts[i] = amount();
        quota->values[i] = amount();
    }
    for (unsigned i = 0; i < GH_LEVELS; i++) {
        quota->uids[i] = amount();
    }
    quota->model = next(2) == 0 ? GH_STR("gpt") : GH_STR("claude \"x\"");
    quota->at_ms = UINT64_C(1700000000000) + next(UINT32_MAX);
    quota->deployment = next(3) == 0 ? GH_STR("") : GH_STR("se");
}

static unsigned known;

static void
check_run(const char *text, const gh_json_marks_t *marks)
{
    size_t   from = marks->run[0].begin, len = 0;
    uint64_t serial = marks->serial[0];
    char     made[TEXT];
    uint8_t  digest[32], none[32] = { 0 };

    for (unsigned i = 0; i <= marks->until[0]; i++) {
        size_t until = i < marks->until[0] ? marks->hole[i].begin : marks->run[0].end;

        memcpy(made + len, text + from, until - from);
        len += until - from;
        made[len++] = '#';
        from = i < marks->until[0] ? marks->hole[i].end : 0;
    }
    CHECK(memcmp(made, "\"limits\":[", 10) == 0 && memcmp(made + len - 2, "]#", 2) == 0);
    if (serial == 0) {
        return;
    }
    known++;
    if (!CHECK(serial < SERIALS)) {
        return;
    }
    gh_sha256(made, len, digest);
    if (memcmp(digests[serial], none, 32) == 0) {
        memcpy(digests[serial], digest, 32);
    }
    CHECK_MEM(digests[serial], digest, 32);
}

static void
test_same(unsigned kinds, bool attempt)
{
    for (unsigned i = 0; i < 12000; i++) {
        static char      plain[16384], marked[16384];
        gh_quota_t       quota;
        gh_json_writer_t w[2];
        gh_json_marks_t  marks;

        random_quota(&quota, kinds);
        gh_json_writer_init(&w[0], plain, sizeof(plain));
        gh_json_writer_init(&w[1], marked, i % 100 == 0 ? next(1500) : sizeof(marked));
        w[1].marks = &marks;
        gh_json_unmark(&w[1]);
        for (unsigned k = 0; k < 2; k++) {
            gh_json_begin_object(&w[k]);
            (attempt ? gh_quota_record_reserve_attempt : gh_quota_record_reserve)(&w[k], &quota);
            gh_json_end_object(&w[k]);
        }
        CHECK(gh_json_writer_ok(&w[0]));
        if (!gh_json_writer_ok(&w[1])) {
            CHECK(i % 100 == 0);
            continue;
        }
        CHECK(w[0].len == w[1].len && memcmp(plain, marked, w[0].len) == 0);
        if (marks.runs == 1) {
            check_run(marked, &marks);
        }
    }
}

int
main(void)
{
    test_same(5, false);
    test_same(30, true);
    test_same(400, false);
    CHECK(known > 5000);

    return check_done("limits in the record");
}
