/* The writer of the record when disks fail: what was written stays one chain, and everything sent is closed. */
#include "tests/unit/record_world.h"

static gh_error_t error;

static bool
named(const char *what)
{
    return strstr(error.text, what) != NULL && error.code != NULL && strcmp(error.code, "audit_unavailable") == 0;
}

/* Blocks for lines and for what is owed are there before the first line; a full disk refuses decisions, and every outcome still fits. */
static void
test_full_disk_closes_what_was_sent(void)
{
    gh_record_options_t options = world_options(20000);
    gh_record_t        *record;
    account_t           account;
    struct stat         st;
    char                path[600];
    unsigned            admitted = 0, i;

    world_clear();
    options.directories[1] = NULL;
    record = gh_record_open(&options);
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    snprintf(path, sizeof(path), "%s/open/fra-1-1700000000000-77-0.jsonl", directories[0]);
    CHECK(stat(path, &st) == 0 && st.st_blocks * 512 >= 20000 + GH_RECORD_OWED && st.st_size < 2000);

    fault.fallocate_error = ENOSPC;
    for (i = 2; i < 2000 && world_append(record, "decision", i, i, &error) == GH_OK; i++) {
        admitted = i;
    }
    CHECK(admitted >= 1 && admitted < 200 && named("No space left"));
    CHECK(gh_record_state(record)->owed == admitted);
    CHECK(stat(path, &st) == 0 && (uint64_t) st.st_blocks * 512 >= (uint64_t) st.st_size + admitted * GH_RECORD_OWED);
    for (i = 0; i < 100 && world_append(record, "attempt", 1, 3000, &error) == GH_OK; i++) {
    }
    CHECK(i < 100);
    for (i = 1; i <= admitted; i++) {
        CHECK(world_append(record, "outcome", i, 3000 + i, &error) == GH_OK);
    }
    CHECK(gh_record_state(record)->owed == 0);

    fault.fallocate_error = 0;
    CHECK(world_append(record, "decision", 3000, 9000, &error) == GH_OK);
    CHECK(world_append(record, "outcome", 3000, 9000, &error) == GH_OK);
    gh_record_close(record);
    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.decisions, admitted + 1);
    CHECK_INT(account.outcomes, admitted + 1);
    CHECK_INT(account.final_seals, 1);
    CHECK(stat(path, &st) == 0 && st.st_blocks * 512 <= st.st_size + 8192);   /* what is not needed is given back */
}

/* Bytes of blocks behind the ends of all files. */
static uint64_t
spare_room(void)
{
    uint64_t spare = 0;

    for (unsigned d = 0; d < DIRECTORIES; d++) {
        for (unsigned sequence = 0; sequence < 40; sequence++) {
            struct stat st;
            char        path[600];

            snprintf(path, sizeof(path), "%s/open/fra-1-1700000000000-77-%u.jsonl", directories[d], sequence);
            if (stat(path, &st) == 0 && (uint64_t) st.st_blocks * 512 > ((uint64_t) st.st_size + 4095) / 4096 * 4096) {
                spare += (uint64_t) st.st_blocks * 512 - ((uint64_t) st.st_size + 4095) / 4096 * 4096;
            }
        }
    }

    return spare;
}

/* An error at each write, after each number of bytes: the line is in the record when it was said to be, and the chain goes on. */
static void
test_each_write_fails(int code, bool second)
{
    static const int cut[] = { 0, 1, 60, 90 };

    for (unsigned at = 1; at <= 14; at++) {
        for (unsigned c = 0; c < sizeof(cut) / sizeof(cut[0]); c++) {
            gh_record_options_t options = world_options(1500);
            gh_record_t        *record;
            account_t           account;
            unsigned            said[IDS] = { 0 }, i, outcomes = 0;

            world_clear();
            if (!second) {
                options.directories[1] = NULL;
            }
            record = gh_record_open(&options);
            snprintf(fault.under, sizeof(fault.under), "%s", directories[0]);
            fault.write_at = (int) at;
            fault.write_error = code;
            fault.write_bytes = cut[c];
            for (i = 1; i <= 10; i++) {
                said[i] = world_append(record, "decision", i, i * 200, &error) == GH_OK;
                if (said[i]) {
                    outcomes += world_append(record, "outcome", i, i * 200 + 100, &error) == GH_OK;
                }
            }
            gh_record_close(record);

            world_account(&account, false);
            CHECK_INT(account.broken, 0);
            CHECK_INT(account.outcomes, outcomes);
            for (i = 1; i <= 10; i++) {
                CHECK_INT(account.decided[i], said[i]);
                CHECK(!second || said[i]);
            }
            CHECK(!second || outcomes == 10);
            CHECK(!second || spare_room() == 0);      /* nobody is left who would need it */
        }
    }
}

/* A file that failed is never written again; the first directory is used again when it works. */
static void
test_second_directory(void)
{
    gh_record_options_t options = world_options(100000);
    gh_record_t        *record;
    account_t           account;
    size_t              len, after;
    unsigned            i;

    world_clear();
    record = gh_record_open(&options);
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(gh_record_state(record)->directory == 0);

    snprintf(fault.under, sizeof(fault.under), "%s", directories[0]);
    fault.write_at = 1;
    fault.write_error = EIO;
    fault.write_bytes = 30;
    fault.fallocate_error = EIO;
    CHECK(world_append(record, "outcome", 1, 10, &error) == GH_OK);
    CHECK(gh_record_state(record)->directory == 1 && strstr(gh_record_state(record)->why, "Input/output") != NULL);
    world_read(0, 0, &len);
    for (i = 2; i < 60; i++) {
        CHECK(world_append(record, "decision", i, i * 100, &error) == GH_OK);
        CHECK(world_append(record, "outcome", i, i * 100 + 50, &error) == GH_OK);
    }
    CHECK(gh_record_state(record)->directory == 1);
    CHECK(world_append(record, "decision", 60, 10500, &error) == GH_OK);

    memset(&fault, 0, sizeof(fault));
    CHECK(world_append(record, "decision", 61, 11000, &error) == GH_OK);
    CHECK(gh_record_state(record)->directory == 1);                          /* not before its time */
    gh_record_tick(record, UINT64_C(1700000000000) + 10500 + GH_RECORD_BACK_MS);
    CHECK(gh_record_state(record)->directory == 0);
    CHECK(world_append(record, "outcome", 60, 16000, &error) == GH_OK);
    CHECK(world_append(record, "outcome", 61, 16000, &error) == GH_OK);
    gh_record_close(record);
    world_read(0, 0, &after);
    CHECK_INT(after, len);
    world_account(&account, false);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.decisions, 61);
    CHECK_INT(account.outcomes, 61);
    CHECK_INT(account.torn_bytes, 30);
    CHECK_INT(account.errors_named, 1);

    /* full from the start: the second one at once */
    world_clear();
    record = gh_record_open(&options);
    snprintf(fault.under, sizeof(fault.under), "%s", directories[0]);
    fault.fallocate_error = ENOSPC;
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(gh_record_state(record)->directory == 1);
    gh_record_close(record);

    /* both fail */
    world_clear();
    record = gh_record_open(&options);
    fault.fallocate_error = EIO;
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_ERROR && named("Input/output"));
    CHECK(gh_record_state(record)->owed == 0);
    gh_record_close(record);
}

/* By age, with and without somebody who writes; a writer that is idle has no file of its own any more. */
static void
test_roll_by_age(void)
{
    gh_record_options_t options = world_options(0);
    gh_record_t        *record;
    account_t           account;
    const uint64_t      begin = UINT64_C(1700000000000);

    world_clear();
    options.roll_ms = 1000;
    record = gh_record_open(&options);
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    gh_record_tick(record, begin + 999);
    CHECK(strcmp(gh_record_file(record), "fra-1-1700000000000-77-0.jsonl") == 0);
    gh_record_tick(record, begin + 1000);
    CHECK(strcmp(gh_record_file(record), "fra-1-1700000000000-77-1.jsonl") == 0);
    CHECK(world_append(record, "outcome", 1, 1500, &error) == GH_OK);
    CHECK(world_append(record, "decision", 2, 2100, &error) == GH_OK);
    CHECK(strcmp(gh_record_file(record), "fra-1-1700000000000-77-2.jsonl") == 0);
    CHECK(world_append(record, "outcome", 2, 2200, &error) == GH_OK);
    gh_record_tick(record, begin + 9000);
    CHECK(strcmp(gh_record_file(record), "") == 0);
    gh_record_tick(record, begin + 19000);
    CHECK(world_append(record, "decision", 3, 20000, &error) == GH_OK);
    CHECK(world_append(record, "outcome", 3, 20000, &error) == GH_OK);
    gh_record_close(record);

    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.files, 4);
    CHECK_INT(account.seals, 4);
    CHECK_INT(account.final_seals, 2);
}

int
main(void)
{
    world_open();
    test_full_disk_closes_what_was_sent();
    test_each_write_fails(EIO, true);
    test_each_write_fails(EIO, false);
    test_each_write_fails(ENOSPC, true);
    test_each_write_fails(ENOSPC, false);
    test_second_directory();
    test_roll_by_age();
    world_close();

    return check_done("record on failing disks");
}
