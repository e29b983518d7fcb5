/* Recovery of what dead writers left: cut at every byte, killed at every write of it, next to living writers. */
#include <sys/wait.h>

#include "policy/audit/changes.h"
#include "policy/audit/recover.h"
#include "tests/unit/record_world.h"

static gh_error_t error;
static unsigned   listings;

/* Stands in for the C library's: says how often a directory was listed. */
DIR *
opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    listings++;
    return fd == -1 ? NULL : fdopendir(fd);
}

static gh_str_t
charged(void *context, gh_str_t id)
{
    (void) context;
    return gh_str_is(id, "r2") ? GH_STR("{\"tokens\":5}") : GH_STR("");
}

static gh_recover_t *
recover_new(uint64_t segment_bytes)
{
    gh_recover_options_t options = { .record = world_options(segment_bytes), .recovered_by = 99, .charged = charged };

    return gh_recover_new(&options);
}

/* Until nothing is left, in steps of so many bytes. Returns whether it went without an error. */
static bool
recover_all(size_t bytes, gh_recover_report_t *report)
{
    gh_recover_t *recover = recover_new(1500);
    bool          more = true, ok = true;

    memset(report, 0, sizeof(*report));
    for (unsigned steps = 0; more && steps < 20000; steps++) {
        ok = gh_recover_step(recover, UINT64_C(1700000100000), bytes, &more, report, &error) == GH_OK && ok;
    }
    CHECK(!more || !ok);
    gh_recover_free(recover);

    return ok;
}

/* Each decision that is whole is paid by an outcome or a lost line, once; the chain is whole, and ends sealed. */
static void
check_recovered(void)
{
    account_t account;

    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.decisions, account.outcomes + account.losts);
    for (unsigned i = 0; i < IDS; i++) {
        if (account.decided[i] != account.paid[i] + account.lost[i] || account.lost[i] > 1) {
            CHECK(account.decided[i] == account.paid[i] + account.lost[i] && account.lost[i] <= 1);
            break;
        }
    }
    CHECK(account.lines == 0 || account.final_seals >= 1);
}

/* A writer that dies: in a child, so that its lock goes. The odd ones of `count` requests are still running. */
static void
writer_dies(uint64_t segment_bytes, unsigned count)
{
    pid_t child = fork();

    if (child == 0) {
        gh_record_options_t options = world_options(segment_bytes);
        gh_record_t        *record = gh_record_open(&options);

        for (unsigned i = 1; i <= count; i++) {
            world_append(record, "decision", i, i, &error);
            if (i % 3 == 0) {
                world_append(record, "attempt", i, i, &error);
            }
            if (i % 2 == 0) {
                world_append(record, "outcome", i, i, &error);
            }
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

/* With one decision, of that number. */
static void
writer_stops_at(unsigned number)
{
    pid_t child = fork();

    if (child == 0) {
        gh_record_options_t options = world_options(20000);

        world_append(gh_record_open(&options), "decision", number, 1, &error);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void
test_lost_lines(void)
{
    gh_recover_report_t report;
    account_t           account;
    size_t              len;

    world_clear();
    writer_dies(20000, 7);
    CHECK(recover_all(1 << 20, &report));
    CHECK_INT(report.lost, 4);
    CHECK_INT(report.writers, 1);
    check_recovered();
    CHECK(strstr(world_read(0, 0, &len), "\"type\":\"lost\",\"t\":1700000100000,\"id\":\"r1\",\"segment\":\"fra-1-1700000000000-77-0.jsonl\",\"number\":1,"
        "\"reserve\":{\"tokens\":7}}") != NULL);
    CHECK(strstr(world_read(0, 0, &len), "\"recovered_by\":99}\n") != NULL);
    world_account(&account, true);
    CHECK_INT(account.files, 1);                  /* in the room that was held for them */

    CHECK(recover_all(1 << 20, &report));
    CHECK_INT(report.lost + report.writers, 0);

    /* what the ledger says, when it knows */
    world_clear();
    writer_stops_at(2);
    CHECK(recover_all(100, &report));
    CHECK(strstr(world_read(0, 0, &len), "\"number\":1,\"reserve\":{\"tokens\":7},\"charged\":{\"tokens\":5}}") != NULL);
    check_recovered();
}

/* A rule may have any name, and stands before what was reserved. */
static void
test_named_as_a_member(void)
{
    static const char   body[] = "{\"v\":1,\"type\":\"decision\",\"t\":1700000000001,\"id\":\"r1\",\"verdict\":\"allow\",\"detail\":\"\\\"reserve\\\":1\","
        "\"no\":{\"reserve\":\"01\"},\"reserve\":{\"tokens\":7}}";
    gh_recover_report_t report;
    size_t              len;
    pid_t               child;

    world_clear();
    child = fork();
    if (child == 0) {
        gh_record_options_t options = world_options(20000);

        gh_record_append(gh_record_open(&options), GH_STR(body), &error);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    CHECK(recover_all(1 << 20, &report));
    CHECK_INT(report.lost, 1);
    CHECK(strstr(world_read(0, 0, &len), "\"number\":1,\"reserve\":{\"tokens\":7}}") != NULL);
}

/* The file as it was at any moment: every length it can have had. */
static void
test_every_cut(void)
{
    static char         kept[1 << 16];
    const char         *written;
    gh_recover_report_t report;
    account_t           account;
    char                path[600];
    size_t              len, cut;
    int                 fd;

    world_clear();
    writer_dies(20000, 5);
    written = world_read(0, 0, &len);
    memcpy(kept, written, len < sizeof(kept) ? len : 0);
    CHECK(len > 1000 && len < sizeof(kept));

    for (cut = 0; cut <= len; cut++) {
        size_t whole = cut;

        while (whole > 0 && kept[whole - 1] != '\n') {
            whole--;
        }
        world_clear();
        snprintf(path, sizeof(path), "%s/open/fra-1-1700000000000-77-0.jsonl", directories[0]);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        CHECK(syscall(SYS_write, fd, kept, cut) == (long) cut);
        close(fd);

        CHECK(recover_all(cut % 2 ? 64 : 1 << 20, &report));
        CHECK_INT(report.torn_bytes, cut - whole);
        check_recovered();
        world_account(&account, true);
        CHECK_INT(account.torn_bytes, cut - whole);     /* named in the next segment's first line */
        CHECK_INT(account.files, cut != whole || cut == 0 ? 2 : 1);
        CHECK(recover_all(1 << 20, &report) && report.lost == 0 && report.writers == 0);
    }
}

/* Whoever recovers dies at each of its writes, after any part of the line; the next one finishes. */
static void
test_killed_while_recovering(void)
{
    static const int    through[] = { 0, 1, 100, 100000 };
    gh_recover_report_t report;
    unsigned            killed = 0;

    for (unsigned segment = 0; segment < 2; segment++) {
        for (unsigned at = 1; at <= 60; at++) {
            for (unsigned t = 0; t < 4; t++) {
                pid_t child;
                int   status;

                world_clear();
                writer_dies(segment == 0 ? 20000 : 1500, 21);
                child = fork();
                if (child == 0) {
                    fault.write_at = (int) at;
                    fault.write_bytes = through[t];
                    recover_all(1 << 20, &report);
                    _exit(0);
                }
                waitpid(child, &status, 0);
                killed += WIFEXITED(status) && WEXITSTATUS(status) == 9;
                CHECK(recover_all(1 << 20, &report));
                check_recovered();
                if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                    CHECK_INT(report.lost, 0);
                    at = 60;
                }
            }
        }
    }
    CHECK(killed > 80);
}

/* Requests that were decided many segments ago: found from what the last one's first line says. */
static void
test_many_segments(void)
{
    gh_recover_report_t report;
    account_t           account;

    world_clear();
    writer_dies(1500, 300);
    CHECK(recover_all(700, &report));
    CHECK_INT(report.lost, 150);
    check_recovered();
    world_account(&account, true);
    CHECK(account.files > 50);
}

/* One that lives is left alone, also between two of its segments and when it was stopped. */
static void
test_living(void)
{
    gh_record_options_t options = world_options(1500);
    gh_recover_report_t report;
    gh_record_t        *record;
    gh_recover_t       *recover;
    account_t           account;
    bool                more;

    world_clear();
    recover = recover_new(1500);
    record = gh_record_open(&options);
    memset(&report, 0, sizeof(report));
    for (unsigned i = 1; i < 200; i++) {
        CHECK(world_append(record, "decision", i, i, &error) == GH_OK);
        CHECK(gh_recover_step(recover, UINT64_C(1700000100000), 1 << 20, &more, &report, &error) == GH_OK && !more);
        CHECK(i % 5 == 0 || world_append(record, "outcome", i, i, &error) == GH_OK);
    }
    CHECK_INT(report.lost + report.writers, 0);
    world_account(&account, true);
    CHECK_INT(account.losts, 0);
    CHECK(account.files > 10);

    /* it ends while requests are under way: not sealed, so they are lost */
    gh_record_close(record);
    for (more = true; more; ) {
        CHECK(gh_recover_step(recover, UINT64_C(1700000100000), 1 << 20, &more, &report, &error) == GH_OK);
    }
    CHECK_INT(report.lost, 39);
    check_recovered();
    gh_recover_free(recover);
}

/* A disk without room: lost lines have theirs in the dead writer's file. One that fails: the second directory. */
static void
test_failing_disk(void)
{
    gh_recover_report_t report;

    world_clear();
    writer_dies(20000, 9);
    fault.fallocate_error = ENOSPC;
    CHECK(recover_all(1 << 20, &report));
    CHECK_INT(report.lost, 5);
    check_recovered();

    for (unsigned at = 1; at <= 6; at++) {
        world_clear();
        writer_dies(20000, 9);
        snprintf(fault.under, sizeof(fault.under), "%s", directories[0]);
        fault.write_at = (int) at;
        fault.write_error = EIO;
        CHECK(recover_all(1 << 20, &report) || at == 6);
        memset(&fault, 0, sizeof(fault));
        CHECK(recover_all(1 << 20, &report));
        check_recovered();
    }
}

/* Other nodes' files and the chain of changes are none of ours. */
static void
test_others(void)
{
    gh_recover_report_t report;
    char                path[600];
    static const char  *const names[] = { "fra-2-1700000000000-77-0.jsonl", "fra-1-2-1700000000000-77-0.jsonl", "fra-1-0-0-0.jsonl",
        "fra-1.jsonl", ".fra-1-1700000000000-78-0.jsonl.new" };

    world_clear();
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/open/%s", directories[1], names[i]);
        close(open(path, O_WRONLY | O_CREAT, 0600));
    }
    CHECK(recover_all(1 << 20, &report));
    CHECK_INT(report.writers, 0);
}

/* Who waits for the chain of changes asks for its lock each second, and lists nothing; it takes over when its writer dies or has rolled on. */
static void
test_waiting_for_changes(void)
{
    static const uint8_t store[16] = { 7 };
    gh_record_options_t  options = world_options(0);
    gh_changes_t        *changes;
    uint64_t             last;
    bool                 held;
    int                  ready[2], go[2];
    char                 byte;
    pid_t                child;

    world_clear();
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    child = fork();
    if (child == 0) {
        changes = gh_changes_new(&options);
        gh_changes_hold(changes, store, &held, &last, &error);
        gh_changes_add(changes, 1, GH_STR("{\"number\":1,\"t\":5,\"actor\":\"a\",\"what\":\"apply\"}"), 1700000000001, &error);
        (void) !write(ready[1], "x", 1);
        (void) !read(go[0], &byte, 1);
        _exit(0);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    changes = gh_changes_new(&options);
    CHECK(gh_changes_hold(changes, store, &held, &last, &error) == GH_OK && !held);
    listings = 0;
    for (unsigned i = 0; i < 10; i++) {
        CHECK(gh_changes_hold(changes, store, &held, &last, &error) == GH_OK && !held);
    }
    CHECK_INT(listings, 0);
    CHECK(write(go[1], "x", 1) == 1);
    waitpid(child, NULL, 0);
    CHECK(gh_changes_hold(changes, store, &held, &last, &error) == GH_OK && held);
    CHECK_INT(last, 1);
    gh_changes_free(changes);
    for (unsigned i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
}

int
main(void)
{
    world_open();
    test_lost_lines();
    test_named_as_a_member();
    test_every_cut();
    test_killed_while_recovering();
    test_many_segments();
    test_living();
    test_failing_disk();
    test_others();
    test_waiting_for_changes();
    world_close();

    return check_done("recovery of the record");
}
