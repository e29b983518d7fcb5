/* Lines on the disk before what they tell of is done: a disk that is asked, waits and fails as the test says. */
#include "tests/unit/record_world.h"

#include <pthread.h>
#include <time.h>

#define SEQUENCES 512

/* ---- the disk ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t  changed;
    unsigned        permits;          /* calls that may return; UINT_MAX: all */
    unsigned        waiting, calls;
    int             error[DIRECTORIES], entry_error;   /* of each call to a file below; of a directory */
    size_t          synced[DIRECTORIES][SEQUENCES];    /* bytes that survive */
    bool            entered[DIRECTORIES][SEQUENCES];
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static bool
place_of(int fd, unsigned *d, unsigned *sequence)
{
    char    link[64], path[600];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len > 0 ? len : 0] = '\0';
    for (*d = 0; *d < DIRECTORIES; (*d)++) {
        if (strncmp(path, directories[*d], strlen(directories[*d])) == 0 && strstr(path, "-77-") != NULL) {
            *sequence = (unsigned) strtoul(strstr(path, "-77-") + 4, NULL, 10);
            return *sequence < SEQUENCES;
        }
    }
    return false;
}

static int
disk_data(void *context, int fd, uint64_t size)
{
    unsigned d = 0, sequence = 0;
    int      error;

    (void) context;
    if (!place_of(fd, &d, &sequence)) {
        abort();                      /* the checks are the other thread's */
    }
    pthread_mutex_lock(&disk.mutex);
    disk.calls++;
    disk.waiting++;
    pthread_cond_broadcast(&disk.changed);
    while (disk.permits == 0) {
        pthread_cond_wait(&disk.changed, &disk.mutex);
    }
    disk.permits -= disk.permits != UINT32_MAX;
    disk.waiting--;
    error = disk.error[d];
    if (error == 0) {
        disk.synced[d][sequence] = size;
    }
    pthread_mutex_unlock(&disk.mutex);
    errno = error;
    return error == 0 ? 0 : -1;
}

static int
disk_entry(void *context, const char *directory)
{
    (void) context;
    pthread_mutex_lock(&disk.mutex);
    for (unsigned d = 0; d < DIRECTORIES && disk.entry_error == 0; d++) {
        for (unsigned sequence = 0; strncmp(directory, directories[d], strlen(directories[d])) == 0 && sequence < SEQUENCES; sequence++) {
            char path[600];

            snprintf(path, sizeof(path), "%s/open/fra-1-1700000000000-77-%u.jsonl", directories[d], sequence);
            disk.entered[d][sequence] = disk.entered[d][sequence] || access(path, F_OK) == 0;
        }
    }
    errno = disk.entry_error;
    pthread_mutex_unlock(&disk.mutex);
    return errno == 0 ? 0 : -1;
}

static const gh_sync_calls_t disk_calls = { disk_data, disk_entry, NULL };

/* So many calls may return from now on. */
static void
disk_permit(unsigned count)
{
    pthread_mutex_lock(&disk.mutex);
    disk.permits = count;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.mutex);
}

static void
disk_fails(unsigned d, int error)
{
    pthread_mutex_lock(&disk.mutex);
    disk.error[d] = error;
    pthread_mutex_unlock(&disk.mutex);
}

/* Until the thread is in a call: what is appended now is no part of it. */
static void
disk_busy(void)
{
    pthread_mutex_lock(&disk.mutex);
    while (disk.waiting == 0) {
        pthread_cond_wait(&disk.changed, &disk.mutex);
    }
    pthread_mutex_unlock(&disk.mutex);
}

static size_t kept[DIRECTORIES][SEQUENCES];

static size_t
survives(unsigned d, unsigned sequence, size_t len)
{
    size_t size = sequence < SEQUENCES ? kept[d][sequence] : 0;

    return size < len ? size : len;
}

/* Power is lost now: what is read from here on is what was on the disk. */
static void
power_loss(void)
{
    pthread_mutex_lock(&disk.mutex);
    for (unsigned d = 0; d < DIRECTORIES; d++) {
        for (unsigned i = 0; i < SEQUENCES; i++) {
            kept[d][i] = disk.entered[d][i] ? disk.synced[d][i] : 0;
        }
    }
    pthread_mutex_unlock(&disk.mutex);
    world_seen = survives;
}

/* ---- the writer ---- */

static gh_error_t error;

static gh_record_t *
begin(uint64_t segment_bytes, bool second)
{
    gh_record_options_t options = world_options(segment_bytes);

    world_clear();
    world_seen = NULL;
    disk.permits = disk.calls = 0;
    disk.entry_error = 0;
    memset(disk.error, 0, sizeof(disk.error));
    memset(disk.synced, 0, sizeof(disk.synced));
    memset(disk.entered, 0, sizeof(disk.entered));
    options.sync = true;
    options.sync_wake = -1;
    options.sync_calls = &disk_calls;
    if (!second) {
        options.directories[1] = NULL;
    }
    return gh_record_open(&options);
}

static uint64_t
at(uint64_t after_ms)
{
    return UINT64_C(1700000000000) + after_ms;
}

/* Looks until the ticket is on the disk, or a sync failed and nothing could be written. false: the latter, or it took too long. */
static bool
durable(gh_record_t *record, uint64_t ticket, uint64_t after_ms)
{
    struct timespec pause = { 0, 200000 };

    for (unsigned i = 0; i < 50000; i++) {
        if (gh_record_synced(record, at(after_ms), &error) != GH_OK) {
            return false;
        }
        if (gh_record_durable(record) >= ticket) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static unsigned
failures_after(gh_record_t *record, uint64_t failures, uint64_t after_ms)
{
    struct timespec pause = { 0, 200000 };

    for (unsigned i = 0; i < 50000 && gh_record_state(record)->failures == failures; i++) {
        (void) gh_record_synced(record, at(after_ms), &error);
        nanosleep(&pause, NULL);
    }
    return (unsigned) gh_record_state(record)->failures;
}

static void
expect_each_once(unsigned first, unsigned last)
{
    account_t account;

    world_account(&account, false);
    CHECK_INT(account.broken, 0);
    for (unsigned i = first; i <= last; i++) {
        CHECK_INT(account.decided[i], 1);
    }
}

/* ---- tests ---- */

static void
test_lines_share_a_call(void)
{
    gh_record_t *record = begin(0, false);

    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK_INT(gh_record_ticket(record), 1);
    disk_busy();
    for (unsigned i = 2; i <= 40; i++) {
        CHECK(world_append(record, "decision", i, 1, &error) == GH_OK);
    }
    CHECK(gh_record_synced(record, at(2), &error) == GH_OK);
    CHECK_INT(gh_record_durable(record), 0);
    disk_permit(1);
    disk_busy();
    CHECK(gh_record_synced(record, at(3), &error) == GH_OK);
    CHECK(gh_record_durable(record) <= 1);
    disk_permit(UINT32_MAX);
    CHECK(durable(record, 40, 3));
    CHECK(gh_record_syncs(record) <= 3);
    power_loss();
    expect_each_once(1, 40);
    for (unsigned i = 1; i <= 40; i++) {
        CHECK(world_append(record, "outcome", i, 4, &error) == GH_OK);
    }
    gh_record_close(record);
    CHECK_INT(disk.synced[0][0], strlen(world_read(0, 0, &(size_t) { 0 })));   /* the seal too */
}

/* Without its name a file is nowhere. */
static void
test_directory_that_cannot_be_synced(void)
{
    gh_record_t *record = begin(0, false);

    disk.entry_error = EIO;
    disk_permit(UINT32_MAX);
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(failures_after(record, 0, 1) >= 1);
    CHECK_INT(failures_after(record, 1, 2), 2);               /* at once in another file */
    CHECK_INT(gh_record_durable(record), 0);
    pthread_mutex_lock(&disk.mutex);
    disk.entry_error = 0;
    pthread_mutex_unlock(&disk.mutex);
    gh_record_tick(record, at(1000));
    CHECK(gh_record_durable(record) == 0 && gh_record_state(record)->failures == 2);   /* but not again and again */
    gh_record_tick(record, at(20000));
    CHECK(durable(record, 1, 20000));
    power_loss();
    expect_each_once(1, 1);
    gh_record_close(record);
}

/* What was on the disk before stays in the old file; what was not is written again, and is there once. */
static void
test_file_that_failed(int code)
{
    gh_record_t *record = begin(0, true);
    account_t    account;

    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(world_append(record, "decision", 2, 0, &error) == GH_OK);
    disk_permit(UINT32_MAX);
    CHECK(durable(record, 2, 1));
    disk_permit(0);
    CHECK(world_append(record, "outcome", 2, 2, &error) == GH_OK);
    CHECK(world_append(record, "decision", 3, 3, &error) == GH_OK);
    disk_busy();
    CHECK(world_append(record, "decision", 4, 4, &error) == GH_OK);
    disk_fails(0, code);
    disk_permit(1);
    CHECK_INT(failures_after(record, 0, 5), 1);
    CHECK(strstr(gh_record_state(record)->why, "cannot be synced") != NULL);
    CHECK_INT(gh_record_state(record)->directory, 1);
    CHECK_INT(gh_record_durable(record), 2);
    world_account(&account, false);
    CHECK_INT(account.voids, 1);
    CHECK_INT(account.errors_named, 1);
    CHECK_INT(account.outcomes, 1);
    expect_each_once(1, 4);
    CHECK_INT(gh_record_state(record)->owed, 3);

    disk_permit(UINT32_MAX);
    CHECK(durable(record, 5, 6));
    CHECK(world_append(record, "decision", 5, 7, &error) == GH_OK);
    CHECK(durable(record, 6, 8));
    power_loss();
    expect_each_once(1, 5);
    world_seen = NULL;
    for (unsigned i = 1; i <= 5; i++) {
        if (i != 2) {
            CHECK(world_append(record, "outcome", i, 9, &error) == GH_OK);
        }
    }
    gh_record_close(record);
    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.outcomes, 5);
    CHECK_INT(account.final_seals, 1);
}

/* Neither directory: nothing that waits may go on; what is owed is kept, and written with the rest when a disk works again. */
static void
test_both_fail(void)
{
    gh_record_t *record = begin(0, true);
    account_t    account;

    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    disk_permit(UINT32_MAX);
    CHECK(durable(record, 1, 1));
    disk_permit(0);
    CHECK(world_append(record, "decision", 2, 2, &error) == GH_OK);
    disk_fails(0, EIO);
    fault.fallocate_error = ENOSPC;
    disk_permit(1);
    CHECK(!durable(record, 2, 3));
    CHECK(error.code != NULL && strcmp(error.code, "audit_unavailable") == 0);
    CHECK_INT(gh_record_durable(record), 1);
    CHECK(world_append(record, "decision", 3, 200, &error) == GH_ERROR);
    CHECK(world_append(record, "outcome", 1, 300, &error) == GH_OK);
    CHECK(world_append(record, "outcome", 2, 301, &error) == GH_OK);
    CHECK_INT(gh_record_state(record)->owed, 0);
    gh_record_tick(record, at(1000));
    CHECK_INT(gh_record_durable(record), 1);

    fault.fallocate_error = 0;
    disk_fails(0, 0);
    disk_permit(UINT32_MAX);
    CHECK(world_append(record, "decision", 4, 2000, &error) == GH_ERROR);
    CHECK(world_append(record, "decision", 4, 6000, &error) == GH_OK);
    CHECK(durable(record, gh_record_ticket(record), 6001));
    CHECK(world_append(record, "outcome", 4, 6002, &error) == GH_OK);
    gh_record_close(record);
    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.decisions, 3);
    CHECK_INT(account.outcomes, 3);
    CHECK(account.decided[1] == 1 && account.decided[2] == 1 && account.decided[3] == 0 && account.decided[4] == 1);
    CHECK_INT(account.final_seals, 1);
}

/* The segments behind the one that failed go with it, and so does one that took its place and failed too. */
static void
test_several_segments_are_taken_back(void)
{
    gh_record_t *record = begin(1500, true);
    account_t    account;

    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    disk_permit(UINT32_MAX);
    CHECK(durable(record, 1, 1));
    disk_permit(0);
    for (unsigned i = 2; i <= 30; i++) {
        CHECK(world_append(record, "decision", i, i, &error) == GH_OK);
    }
    world_account(&account, true);
    CHECK(account.files >= 4);
    disk_fails(0, EIO);
    disk_fails(1, EIO);
    disk_permit(1);
    CHECK_INT(failures_after(record, 0, 50), 1);
    expect_each_once(1, 30);
    disk_permit(1);
    CHECK_INT(failures_after(record, 1, 60), 2);
    CHECK_INT(gh_record_durable(record), 1);
    expect_each_once(1, 30);
    disk_fails(0, 0);
    disk_fails(1, 0);
    disk_permit(UINT32_MAX);
    CHECK(durable(record, 30, 70));
    power_loss();
    expect_each_once(1, 30);
    world_account(&account, false);
    CHECK(account.voids >= 1);
    gh_record_close(record);
}

/* A disk that does not answer refuses what is new; what is owed is still taken. */
static void
test_disk_that_does_not_answer(void)
{
    gh_record_t *record = begin(0, false);

    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(world_append(record, "decision", 2, GH_RECORD_SYNC_MS, &error) == GH_OK);
    CHECK(world_append(record, "decision", 3, GH_RECORD_SYNC_MS + 10, &error) == GH_ERROR && strstr(error.text, "does not keep up") != NULL);
    CHECK(world_append(record, "outcome", 1, GH_RECORD_SYNC_MS + 10, &error) == GH_OK);
    disk_permit(UINT32_MAX);
    CHECK(durable(record, 3, GH_RECORD_SYNC_MS + 20));
    CHECK(world_append(record, "decision", 3, GH_RECORD_SYNC_MS + 30, &error) == GH_OK);
    gh_record_close(record);
}

/* The end waits for the disk, and goes elsewhere when that fails. */
static void
test_end(void)
{
    gh_record_t *record = begin(0, true);
    account_t    account;

    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(world_append(record, "outcome", 1, 0, &error) == GH_OK);
    disk_fails(0, EDQUOT);
    disk_permit(UINT32_MAX);
    gh_record_close(record);
    power_loss();
    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK(account.decisions == 1 && account.outcomes == 1 && account.final_seals == 1);
}

/* The system's own calls: a file that somebody removed is on no disk. */
static void
test_removed_file(void)
{
    gh_record_options_t options = world_options(0);
    gh_record_t        *record;
    char                path[600];
    account_t           account;

    world_clear();
    world_seen = NULL;
    options.sync = true;
    options.sync_wake = -1;
    record = gh_record_open(&options);
    CHECK(world_append(record, "decision", 1, 0, &error) == GH_OK);
    CHECK(durable(record, 1, 1));
    CHECK(world_append(record, "decision", 2, 2, &error) == GH_OK);
    CHECK(durable(record, 2, 2));
    snprintf(path, sizeof(path), "%s/open/fra-1-1700000000000-77-0.jsonl", directories[0]);
    unlink(path);
    (void) world_append(record, "decision", 3, 3, &error);
    CHECK(durable(record, 3, 4));
    CHECK_INT(gh_record_state(record)->failures, 1);
    world_account(&account, false);
    CHECK(account.decided[1] == 0 && account.decided[2] == 0 && account.decided[3] == 1);
    gh_record_close(record);
}

/* ---- whatever happens, in any order ---- */

static uint64_t random_state;

static unsigned
pick(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned) (random_state >> 33) % below;
}

/* What was said to be on the disk is there, once. */
static void
expect_survivors(const uint64_t *ticket_of, unsigned decisions, uint64_t said)
{
    account_t account;

    power_loss();
    world_account(&account, false);
    world_seen = NULL;
    CHECK_INT(account.broken, 0);
    for (unsigned i = 1; i <= decisions; i++) {
        CHECK(account.decided[i] <= 1);
        CHECK(ticket_of[i] == 0 || ticket_of[i] > said || account.decided[i] == 1);
    }
}

static void
test_any_history(uint64_t seed)
{
    static uint64_t ticket_of[IDS];
    gh_record_t    *record = begin(pick(2) ? 1500 : 6000, true);
    unsigned        decisions = 0, ended = 0;
    uint64_t        now = 0;
    account_t       account;

    random_state = seed;
    memset(ticket_of, 0, sizeof(ticket_of));
    for (unsigned turn = 0; turn < 120; turn++) {
        now += pick(40);
        switch (pick(8)) {
        case 0:
            disk_fails(pick(2), pick(2) ? EIO : 0);
            break;
        case 1:
            disk_permit(pick(3));
            break;
        case 2:
            fault.fallocate_error = pick(4) == 0 ? ENOSPC : 0;
            break;
        case 3:
            (void) gh_record_synced(record, at(now), &error);
            expect_survivors(ticket_of, decisions, gh_record_durable(record));
            break;
        case 4:
            if (ended < decisions) {
                ended += ticket_of[ended + 1] == 0 || world_append(record, "outcome", ended + 1, now, &error) == GH_OK;
            }
            break;
        case 5:
            gh_record_tick(record, at(now));
            break;
        default:
            decisions++;
            ticket_of[decisions] = world_append(record, "decision", decisions, now, &error) == GH_OK ? gh_record_ticket(record) : 0;
        }
    }
    disk_fails(0, 0);
    disk_fails(1, 0);
    fault.fallocate_error = 0;
    disk_permit(UINT32_MAX);
    while (ended < decisions) {
        now += 200;
        ended += ticket_of[ended + 1] == 0 || world_append(record, "outcome", ended + 1, now, &error) == GH_OK;
    }
    gh_record_close(record);
    power_loss();
    world_account(&account, true);
    CHECK_INT(account.broken, 0);
    CHECK_INT(account.final_seals, account.files != 0);
    for (unsigned i = 1; i <= decisions; i++) {
        CHECK_INT(account.decided[i], ticket_of[i] != 0);
        CHECK_INT(account.paid[i], ticket_of[i] != 0);
    }
}

int
main(void)
{
    const char *histories = getenv("GH_HISTORIES");

    world_open();
    test_lines_share_a_call();
    test_directory_that_cannot_be_synced();
    test_file_that_failed(EIO);
    test_file_that_failed(ENOSPC);
    test_file_that_failed(EDQUOT);
    test_both_fail();
    test_several_segments_are_taken_back();
    test_disk_that_does_not_answer();
    test_end();
    test_removed_file();
    for (unsigned seed = 1; seed <= (histories != NULL ? (unsigned) strtoul(histories, NULL, 10) : 120); seed++) {
        test_any_history(seed);
    }
    world_close();

    return check_done("record on the disk");
}
