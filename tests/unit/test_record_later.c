/* Lines that are kept for the next one: the same record as without keeping, whatever fails, and who waits for a decision is told the truth. */
#include "tests/unit/record_world.h"

static gh_error_t error;

static int
world_later(gh_record_t *record, unsigned number, uint64_t after_ms)
{
    char body[512];
    int  len = snprintf(body, sizeof(body), "{\"v\":1,\"type\":\"outcome\",\"t\":%llu,\"id\":\"r%u\"}",
        (unsigned long long) (UINT64_C(1700000000000) + after_ms), number);
    char    *room = number % 2 == 0 ? gh_record_later_room(record) : NULL;
    uint64_t ticket;

    if (room != NULL) {                           /* every other one is made where it is kept */
        memcpy(room, body, (size_t) len);
    }

    return gh_record_later(record, (gh_str_t) { room != NULL ? room : body, (size_t) len }, NULL, &ticket, &error);
}

static uint32_t
random_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Two writers are told the same, one of them to wait where it may: byte for byte the same files, in fewer writes. */
static void
test_same_record(void)
{
    uint32_t state = 7;

    for (unsigned round = 0; round < 40; round++) {
        gh_record_options_t options[DIRECTORIES];
        gh_record_t        *record[DIRECTORIES];
        unsigned            open[64], count = 0, next = 1, writes[DIRECTORIES], d;
        uint64_t            segment = round % 2 == 0 ? 1 << 20 : 4000;
        size_t              len[DIRECTORIES];
        char               *bytes, *copy;

        world_clear();
        for (d = 0; d < DIRECTORIES; d++) {
            options[d] = world_options(segment);
            options[d].directories[0] = directories[d];
            options[d].directories[1] = NULL;
            record[d] = gh_record_open(&options[d]);
        }
        memset(writes, 0, sizeof(writes));
        for (unsigned step = 0; step < 200; step++) {
            unsigned what = random_next(&state) % 8, number;

            if ((what < 3 && count < 64) || count == 0) {
                number = next++;
                open[count++] = number;
                for (d = 0; d < DIRECTORIES; d++) {
                    fault.writes = 0;
                    CHECK(world_append(record[d], "decision", number, step, &error) == GH_OK);
                    writes[d] += fault.writes;
                }
            } else if (what < 7) {
                number = random_next(&state) % count;
                fault.writes = 0;
                CHECK(world_append(record[0], "outcome", open[number], step, &error) == GH_OK);
                writes[0] += fault.writes;
                fault.writes = 0;
                CHECK(world_later(record[1], open[number], step) == GH_OK);
                writes[1] += fault.writes;
                open[number] = open[--count];
            } else {
                CHECK(gh_record_flush(record[1], &error) == GH_OK);
                CHECK(gh_record_state(record[1])->owed == count && gh_record_state(record[0])->owed == count);
            }
        }
        for (d = 0; d < DIRECTORIES; d++) {
            gh_record_close(record[d]);
        }
        CHECK(writes[1] < writes[0]);
        if (segment == 4000) {
            continue;                             /* a segment may end a line earlier: what waits is counted together */
        }
        bytes = world_read(0, 0, &len[0]);
        copy = malloc(len[0] + 1);
        memcpy(copy, bytes, len[0] + 1);
        bytes = world_read(1, 0, &len[1]);
        CHECK(len[0] > 10000 && len[0] == len[1] && memcmp(copy, bytes, len[0]) == 0);
        free(copy);
    }
}

/*
 * Lines of all lengths, made where they are kept for as long as there is room, more of them than are kept: what is kept when one comes goes out, and
 * it has to move to where that began. The same as those that are made elsewhere and appended one by one.
 */
static void
test_made_in_place(void)
{
    static char         text[GH_RECORD_LINE_MAX];
    gh_record_options_t options[DIRECTORIES];
    gh_record_t        *record[DIRECTORIES];
    size_t              len[DIRECTORIES];
    unsigned            places = 0, others = 0;
    char               *bytes, *copy;

    world_clear();
    for (unsigned d = 0; d < DIRECTORIES; d++) {
        options[d] = world_options(4 << 20);
        options[d].directories[0] = directories[d];
        options[d].directories[1] = NULL;
        record[d] = gh_record_open(&options[d]);
    }
    for (unsigned i = 0; i < 350; i++) {
        size_t   padding = i >= 300 ? i * 7919u % 24000 : i == 129 ? 24000 : i % 50;
        uint64_t ticket;
        int      begin = snprintf(text, sizeof(text), "{\"v\":1,\"type\":\"decision\",\"t\":%llu,\"id\":\"r%u\",\"verdict\":\"allow\",\"padding\":\"",
            (unsigned long long) (UINT64_C(1700000000000) + i), i);
        char    *room = gh_record_later_room(record[1]);

        for (size_t at = 0; at < padding; at++) {
            text[(size_t) begin + at] = (char) ('a' + (at * 31 + i) % 26);
        }
        memcpy(text + begin + padding, "\"}", 2);
        CHECK(gh_record_append(record[0], (gh_str_t) { text, (size_t) begin + padding + 2 }, &error) == GH_OK);

        places += room != NULL;
        others += room == NULL && i != 0;
        if (room != NULL) {
            memcpy(room, text, (size_t) begin + padding + 2);
        }
        CHECK(gh_record_later(record[1], (gh_str_t) { room != NULL ? room : text, (size_t) begin + padding + 2 }, NULL, &ticket, &error) == GH_OK);
        if (i == 0) {
            CHECK(gh_record_flush(record[1], &error) == GH_OK);   /* the segments begin at the same time */
        }
    }
    for (unsigned d = 0; d < DIRECTORIES; d++) {
        gh_record_close(record[d]);
    }
    CHECK(places > 300 && others > 5);
    bytes = world_read(0, 0, &len[0]);
    copy = malloc(len[0] + 1);
    memcpy(copy, bytes, len[0] + 1);
    bytes = world_read(1, 0, &len[1]);
    CHECK(len[0] > 500000 && len[0] < 1000000 && len[0] == len[1] && memcmp(copy, bytes, len[0]) == 0);
    free(copy);
}

/* With small segments: every decision and outcome is there once, in one chain. */
static void
test_small_segments(void)
{
    gh_record_options_t options = world_options(1500);
    gh_record_t        *record;
    account_t           account;

    world_clear();
    record = gh_record_open(&options);
    for (unsigned i = 1; i <= 90; i++) {
        CHECK(world_append(record, "decision", i, i, &error) == GH_OK);
        CHECK(i % 3 == 0 || world_later(record, i, i) == GH_OK);
        if (i % 3 == 0) {
            for (unsigned k = 0; k < 80; k++) {       /* more than are kept */
                CHECK(world_append(record, "decision", 1000 + i * 80 % 2000 + k, i, &error) == GH_OK);
            }
            for (unsigned k = 0; k < 80; k++) {
                CHECK(world_later(record, 1000 + i * 80 % 2000 + k, i) == GH_OK);
            }
            CHECK(world_later(record, i, i) == GH_OK);
        }
    }
    gh_record_close(record);
    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.decisions, 90 + 30 * 80);
    CHECK_INT(account.outcomes, 90 + 30 * 80);
    CHECK_INT(account.final_seals, 1);
}

/* An error at each write, after each number of bytes: whole lines that got through count once, the others go elsewhere or are named. */
static void
test_each_write_fails(int code, bool second)
{
    static const int cut[] = { 0, 1, 90, 130, 150, 300, 330 };

    for (unsigned at = 1; at <= 14; at++) {
        for (unsigned c = 0; c < sizeof(cut) / sizeof(cut[0]); c++) {
            gh_record_options_t options = world_options(2500);
            gh_record_t        *record;
            account_t           account;
            unsigned            said[IDS] = { 0 }, i, k, outcomes = 0, lost = 0;

            world_clear();
            if (!second) {
                options.directories[1] = NULL;
            }
            record = gh_record_open(&options);
            snprintf(fault.under, sizeof(fault.under), "%s", directories[0]);
            fault.write_at = (int) at;
            fault.write_error = code;
            fault.write_bytes = cut[c];
            for (i = 1; i <= 12; i += 3) {
                for (k = i; k < i + 3; k++) {
                    said[k] = world_append(record, "decision", k, k * 200, &error) == GH_OK;
                }
                for (k = i; k < i + 3; k++) {
                    outcomes += said[k] && world_later(record, k, k * 200 + 100) == GH_OK;
                }
                if (i % 2 == 0) {
                    lost += gh_record_flush(record, &error) != GH_OK;
                }
            }
            lost += gh_record_flush(record, &error) != GH_OK;
            CHECK(lost == 0 || (strstr(error.text, "the outcome of request r") != NULL && strcmp(error.code, "outcome_missing") == 0));
            outcomes -= (unsigned) gh_record_state(record)->owed;
            gh_record_close(record);

            world_account(&account, false);
            CHECK_INT(account.broken, 0);
            CHECK_INT(account.outcomes, outcomes);
            for (i = 1; i <= 12; i++) {
                CHECK_INT(account.decided[i], said[i]);
                CHECK(account.paid[i] <= 1 && account.paid[i] <= said[i]);
                CHECK(!second || (said[i] && account.paid[i] == 1));
            }
            CHECK(!second || lost == 0);
        }
    }
}

/* Room for an outcome is there when it was admitted: a disk that is full then has all of them, though they waited. */
static void
test_full_disk(void)
{
    gh_record_options_t options = world_options(20000);
    gh_record_t        *record;
    account_t           account;
    unsigned            admitted = 0, i;

    world_clear();
    options.directories[1] = NULL;
    record = gh_record_open(&options);
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    fault.fallocate_error = ENOSPC;
    for (i = 1; i < 2000 && (i == 1 || world_append(record, "decision", i, i, &error) == GH_OK); i++) {
        admitted = i;
        CHECK(i % 4 != 3 || world_later(record, i - 2, i) == GH_OK);
    }
    CHECK(admitted > 4 && admitted < 400);
    for (i = 1; i <= admitted; i++) {
        CHECK((i % 4 == 1 && i + 2 <= admitted) || world_later(record, i, i) == GH_OK);
    }
    CHECK(gh_record_flush(record, &error) == GH_OK);
    CHECK(gh_record_state(record)->owed == 0);
    gh_record_close(record);
    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.decisions, admitted);
    CHECK_INT(account.outcomes, admitted);
}

static int
world_decide(gh_record_t *record, unsigned number, uint64_t after_ms, uint64_t *ticket)
{
    char body[512];
    int  len = snprintf(body, sizeof(body), "{\"v\":1,\"type\":\"decision\",\"t\":%llu,\"id\":\"r%u\",\"verdict\":\"%s\"}",
        (unsigned long long) (UINT64_C(1700000000000) + after_ms), number, number % 7 == 0 ? "deny" : "allow");

    return gh_record_later(record, (gh_str_t) { body, (size_t) len }, NULL, ticket, &error);
}

#define TURNS 12
#define EACH  5                       /* decisions in a turn */

/* Turns of an event loop: some are decided, some of those before end, then all is flushed, and who may go on does. */
static void
turns(gh_record_t *record, int nowhere, bool *told, unsigned *lost)
{
    uint64_t ticket[TURNS * EACH + 1];
    bool     kept[TURNS * EACH + 1] = { false };

    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned first = turn * EACH + 1;

        fault.fallocate_error = turn >= 4 && turn < 8 ? nowhere : 0;
        for (unsigned i = first; i < first + EACH; i++) {
            kept[i] = world_decide(record, i, turn * 200, &ticket[i]) == GH_OK;
            CHECK(!kept[i] || ticket[i] > gh_record_durable(record));
            if (turn % 3 == 2 && i == first + 2) {
                (void) world_append(record, "change", 0, turn * 200, &error);      /* takes those before it along */
            }
            if (turn > 0 && told[i - EACH] && (i - EACH) % 7 != 0) {
                CHECK(world_later(record, i - EACH, turn * 200) == GH_OK);
            }
            if (turn % 2 == 1 && i == first + 4 && kept[i - 1] && (i - 1) % 7 != 0) {
                CHECK(world_later(record, i - 1, turn * 200) == GH_OK);            /* its client left before it went on */
                kept[i - 1] = false;
            }
        }
        *lost += gh_record_flush(record, &error) != GH_OK;
        for (unsigned i = first; i < first + EACH; i++) {
            told[i] = kept[i] && ticket[i] <= gh_record_durable(record);
        }
    }
    for (unsigned i = (TURNS - 1) * EACH + 1; i <= TURNS * EACH; i++) {
        CHECK(!told[i] || i % 7 == 0 || world_later(record, i, TURNS * 200) == GH_OK);
    }
    *lost += gh_record_flush(record, &error) != GH_OK;
}

/*
 * An error at each write, after each number of bytes, for good or once: who was told that its decision is there has it in the record, before its
 * outcome; who was told otherwise has none, nor an outcome.
 */
static void
test_decisions(int code, bool second, int nowhere)
{
    static const int cut[] = { 0, 1, 130, 170, 400, 800 };
    unsigned         all = 0;

    for (unsigned at = 1; at <= 2 * TURNS; at++) {
        for (unsigned c = 0; c < sizeof(cut) / sizeof(cut[0]); c++) {
            gh_record_options_t options = world_options(nowhere != 0 ? 100000 : 2500);
            gh_record_t        *record;
            account_t           account;
            bool                told[TURNS * EACH + 1] = { false };
            unsigned            lost = 0;

            world_clear();
            if (!second) {
                options.directories[1] = NULL;
            }
            record = gh_record_open(&options);
            snprintf(fault.under, sizeof(fault.under), "%s", directories[0]);
            fault.write_at = (int) at;
            fault.write_error = code;
            fault.write_bytes = cut[c];
            turns(record, nowhere, told, &lost);
            all += lost;
            CHECK(!second || lost == 0);
            CHECK(lost == 0 || strcmp(error.code, "audit_unavailable") == 0 || strcmp(error.code, "outcome_missing") == 0);
            gh_record_close(record);

            world_account(&account, false);
            CHECK_INT(account.broken, 0);
            for (unsigned i = 1; i <= TURNS * EACH; i++) {
                CHECK(account.decided[i] <= 1 && account.paid[i] <= account.decided[i]);
                CHECK(!told[i] || account.decided[i] == 1);
                CHECK(!second || account.decided[i] == 1);
                CHECK(!second || i % 7 == 0 || account.paid[i] == 1);
                CHECK(told[i] || account.decided[i] == 0 || ((i - 1) / EACH % 2 == 1 && i % EACH == 4 && i % 7 != 0));
            }
        }
    }
    CHECK((nowhere != 0) == (all != 0));
}

/* Nothing that waits is told that its line is there before it is; a disk that is full for good refuses all that come. */
static void
test_nowhere(void)
{
    gh_record_options_t options = world_options(0);
    gh_record_t        *record;
    uint64_t            ticket[4];
    size_t              len;

    world_clear();
    options.directories[1] = NULL;
    record = gh_record_open(&options);
    CHECK(world_decide(record, 1, 0, &ticket[0]) == GH_OK && world_decide(record, 2, 0, &ticket[1]) == GH_OK);
    CHECK(ticket[0] == 1 && ticket[1] == 2 && gh_record_durable(record) == 0 && gh_record_state(record)->owed == 2);
    CHECK(gh_record_flush(record, &error) == GH_OK && gh_record_durable(record) == 2);
    CHECK(strstr(world_read(0, 0, &len), "\"id\":\"r2\"") != NULL);

    fault.fallocate_error = ENOSPC;
    fault.write_at = 1;
    fault.write_error = EIO;
    CHECK(world_decide(record, 3, 1, &ticket[2]) == GH_OK && ticket[2] == 3);
    gh_record_tick(record, UINT64_C(1700000000002));                               /* tells nobody */
    CHECK(gh_record_durable(record) == 2 && gh_record_state(record)->owed == 2);
    CHECK(world_decide(record, 4, 2, &ticket[3]) == GH_ERROR && strstr(error.text, "the decision of request r3") != NULL);
    CHECK(gh_record_flush(record, &error) == GH_ERROR && strstr(error.text, "the decision of request r3") != NULL);
    CHECK(gh_record_flush(record, &error) == GH_OK && gh_record_durable(record) == 2);

    memset(&fault, 0, sizeof(fault));
    CHECK(world_decide(record, 5, 9000, &ticket[3]) == GH_OK && ticket[3] == 4);
    CHECK(gh_record_flush(record, &error) == GH_OK && gh_record_durable(record) == 4 && gh_record_state(record)->owed == 3);
    gh_record_close(record);
}

/* Only an outcome or a decision is kept: anything else is written at once, behind what waits, and so is what is no body at all refused. */
static void
test_others(void)
{
    gh_record_options_t options = world_options(0);
    gh_record_t        *record;
    uint64_t            ticket;
    size_t              len;

    world_clear();
    record = gh_record_open(&options);
    CHECK(gh_record_flush(record, &error) == GH_OK);
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(world_later(record, 1, 5) == GH_OK);
    (void) world_read(0, 0, &len);
    CHECK(strstr(world_read(0, 0, &len), "outcome") == NULL && gh_record_state(record)->owed == 1);
    CHECK(gh_record_later(record, GH_STR("{\"v\":1,\"type\":\"change\",\"t\":1700000000006}"), NULL, &ticket, &error) == GH_OK);
    CHECK(strstr(world_read(0, 0, &len), "\"type\":\"outcome\"") < strstr(world_read(0, 0, &len), "\"type\":\"change\""));
    CHECK(gh_record_state(record)->owed == 0);
    CHECK(gh_record_later(record, GH_STR("{\"v\":1,\n}"), NULL, &ticket, &error) == GH_ERROR && strcmp(error.code, "audit_unavailable") == 0);
    CHECK(world_append(record, "decision", 2, 7, &error) == GH_OK);
    CHECK(world_later(record, 2, 8) == GH_OK);
    gh_record_tick(record, UINT64_C(1700000000009));
    CHECK(gh_record_state(record)->owed == 0);
    gh_record_close(record);
}

int
main(void)
{
    world_open();
    test_same_record();
    test_made_in_place();
    test_small_segments();
    test_each_write_fails(EIO, true);
    test_each_write_fails(EIO, false);
    test_each_write_fails(ENOSPC, true);
    test_each_write_fails(ENOSPC, false);
    test_full_disk();
    test_decisions(EIO, true, 0);
    test_decisions(EIO, false, 0);
    test_decisions(ENOSPC, true, 0);
    test_decisions(EIO, false, ENOSPC);
    test_decisions(ENOSPC, false, EIO);
    test_nowhere();
    test_others();
    world_close();

    return check_done("record's kept lines");
}
