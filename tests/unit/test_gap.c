/* Gaps of the record: counted, told in one line, and never lost with who counted them. */
#include <sys/wait.h>

#include "policy/audit/gap.h"
#include "policy/audit/line.h"
#include "policy/base/json_tree.h"
#include "tests/unit/record_world.h"

static gh_error_t error;
static char       path[96], body[GH_GAP_LINE];

static gh_str_t
written(const gh_gap_t *gap, uint64_t recovered_by)
{
    gh_json_writer_t w;

    gh_json_writer_init(&w, body, sizeof(body));
    gh_gap_write(&w, gap, UINT64_C(1700000000002), 77, recovered_by);
    CHECK(gh_json_writer_ok(&w));
    return (gh_str_t) { w.data, w.len };
}

/* ---- counting ---- */

static void
add_counts(const gh_node_t *node, uint64_t sums[6])
{
    static const char *const names[] = { "requests", "attempts", "ended", "input", "output", "micro_dollars" };
    uint64_t                 value;

    for (size_t i = 0; i < 6; i++) {
        const gh_node_t *in = i < 3 ? node : gh_node_get(node, "charged"), *found = in != NULL ? gh_node_get(in, names[i]) : NULL;

        if (found != NULL && gh_node_u64(found, &value) == GH_OK) {
            sums[i] += value;
        }
    }
}

/* What the line says of all is what it says of each tenant and of the others together, and is what happened. */
static void
test_sums(void)
{
    for (unsigned seed = 0; seed < 300; seed++) {
        gh_gap_t         gap = { 0 };
        uint64_t         happened[6] = { 0 }, all[6] = { 0 }, each[6] = { 0 };
        unsigned         tenants = 1 + seed % 60, events = seed % 7 == 0 ? 1 : 200, count = 0;
        gh_heap_t        heap;
        gh_node_t       *root;
        const gh_node_t *list;

        srand(seed);
        for (unsigned i = 0; i < events; i++) {
            char               name[16];
            gh_quota_amounts_t charged = { (uint64_t) rand() % 1000, (uint64_t) rand() % 1000, (uint64_t) rand() % 1000 };
            gh_str_t           tenant;

            snprintf(name, sizeof(name), "t%u", (unsigned) rand() % tenants);
            tenant = gh_str_from(name);
            switch (rand() % 3) {
            case 0:
                gh_gap_request(&gap, GH_STR("o"), tenant, 1000 + i);
                happened[0]++;
                break;
            case 1:
                gh_gap_attempt(&gap, GH_STR("o"), tenant, 1000 + i);
                happened[1]++;
                break;
            default:
                gh_gap_ended(&gap, GH_STR("o"), tenant, &charged);
                happened[2]++;
                happened[3] += charged.input;
                happened[4] += charged.output;
                happened[5] += charged.micro_dollars;
            }
        }
        CHECK(gh_gap_any(&gap) && gh_gap_due(&gap) == (happened[0] + happened[1] != 0));

        gh_heap_init(&heap);
        CHECK(gh_json_parse(&heap.arena, written(&gap, 0), "gap", &root, &error) == GH_OK);
        add_counts(root, all);
        list = gh_node_get(root, "tenants");
        for (const gh_node_t *item = list->first; item != NULL; item = item->next, count++) {
            add_counts(item, each);
        }
        if (gh_node_get(root, "tenants_more") != NULL) {
            add_counts(gh_node_get(root, "tenants_more"), each);
        }
        CHECK(count <= GH_GAP_TENANTS && memcmp(all, happened, sizeof(all)) == 0 && memcmp(each, happened, sizeof(each)) == 0);
        gh_heap_free(&heap);
    }
}

/* The longest there can be fits into a line of the record. */
static void
test_longest(void)
{
    static const gh_quota_amounts_t most = { UINT64_MAX / 128, UINT64_MAX / 128, UINT64_MAX / 128 };
    gh_gap_t                        gap = { 0 };
    gh_line_t                       line;

    for (unsigned i = 0; i < 2 * GH_GAP_TENANTS; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%02u%.61s", i % 100, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        gh_gap_request(&gap, gh_str_from(name), gh_str_from(name), UINT64_C(1700000000000));
        gh_gap_attempt(&gap, gh_str_from(name), gh_str_from(name), UINT64_C(1700000000001));
        gh_gap_ended(&gap, gh_str_from(name), gh_str_from(name), &most);
    }
    CHECK(written(&gap, UINT64_MAX).len <= GH_RECORD_BODY_MAX);
    CHECK(gh_line_body(written(&gap, 1), &line) && line.type == GH_LINE_GAP && line.id.len == 0 && !line.allow && line.t == UINT64_C(1700000000002));
}

/* Among other lines it is one of the chain, and owes nothing. */
static void
test_chained(void)
{
    gh_record_options_t options = world_options(4096);
    gh_record_t        *record = gh_record_open(&options);
    gh_gap_t            gap = { 0 };
    account_t           account;

    world_clear();
    gh_gap_request(&gap, GH_STR("o"), GH_STR("t"), 1000);
    CHECK(world_append(record, "decision", 1, 1, &error) == GH_OK);
    CHECK(gh_record_append(record, written(&gap, 0), &error) == GH_OK && gh_record_state(record)->owed == 1);
    CHECK(world_append(record, "decision", 2, 2, &error) == GH_OK);
    CHECK(world_append(record, "outcome", 1, 3, &error) == GH_OK && world_append(record, "outcome", 2, 4, &error) == GH_OK);
    gh_record_close(record);
    world_account(&account, true);
    CHECK(account.broken == 0 && account.decisions == 2 && account.outcomes == 2 && account.final_seals == 1 && account.lines == 7);
}

/* ---- slots ---- */

/* An owner that counts and dies: its slot. */
static uint32_t
owner_dies(uint32_t pid, uint32_t requests, uint32_t attempts)
{
    gh_slot_owner_t owner = { pid, 1, 1000 };
    gh_ledger_t    *ledger = gh_ledger_open(path, true, &error);
    gh_slot_t      *slot = gh_ledger_slot_take(ledger, &owner, &error);
    uint32_t        number = gh_ledger_slot_number(ledger);
    gh_ledger_gap_t gap = { 0, 0, requests, attempts, 2000, 3000 };

    gh_slot_gap_set(slot, &gap);
    gh_ledger_close(ledger);
    return number;
}

typedef struct { unsigned told; uint64_t requests, attempts; int status; } told_t;

static int
tell(void *context, const gh_ledger_gap_t *gap)
{
    told_t *told = context;

    if (told->status == GH_OK) {
        told->told++;
        told->requests += gap->requests;
        told->attempts += gap->attempts;
        CHECK(gap->from_ms == 2000 && gap->to_ms == 3000 && gap->pid != 0);
    }
    return told->status;
}

static void
test_slots(void)
{
    gh_slot_owner_t owner = { 5, 1, 1000 };
    gh_ledger_t    *sweeper = gh_ledger_open(path, true, &error), *living = gh_ledger_open(path, true, &error);
    gh_ledger_gap_t none = { 0 }, own = { 0, 0, 9, 0, 2000, 3000 };
    uint32_t        first = owner_dies(71, 3, 1), second = owner_dies(72, 4, 0);
    told_t          told = { .status = GH_ERROR };

    CHECK(first != second);                   /* a slot with a gap in it is not the next one's */
    CHECK(gh_ledger_slot_take(sweeper, &owner, &error) != NULL && gh_ledger_slot_number(sweeper) != first && gh_ledger_slot_number(sweeper) != second);
    gh_slot_gap_set(gh_ledger_slot_take(living, &owner, &error), &own);

    CHECK(gh_ledger_gaps(sweeper, tell, &told, &error) == GH_ERROR && told.told == 0);
    told.status = GH_OK;                      /* nothing was forgotten */
    CHECK(gh_ledger_gaps(sweeper, tell, &told, &error) == GH_OK && told.told == 2 && told.requests == 7 && told.attempts == 1);
    CHECK(gh_ledger_gaps(sweeper, tell, &told, &error) == GH_OK && told.told == 2);

    CHECK(gh_slot_gap(gh_ledger_slot_take(living, &owner, &error), &own) && own.requests == 9);   /* that of the living is its own */
    gh_slot_gap_set(gh_ledger_slot_take(living, &owner, &error), &none);
    CHECK(!gh_slot_gap(gh_ledger_slot_take(living, &owner, &error), &own));
    gh_ledger_close(living);
    gh_ledger_close(sweeper);
}

/* ---- what a sweep writes ---- */

typedef struct { unsigned lines, files, sealed; uint64_t requests; } found_t;

/* Gap lines of all files, whoever's. */
static found_t
gap_lines(void)
{
    found_t        found = { 0 };
    char           open_path[300], file[900], text[8192];
    struct dirent *entry;
    DIR           *dir;

    snprintf(open_path, sizeof(open_path), "%s/open", directories[0]);
    dir = opendir(open_path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        FILE *in;
        bool  sealed = false;

        snprintf(file, sizeof(file), "%s/%s", open_path, entry->d_name);
        if (strstr(entry->d_name, ".jsonl") == NULL || (in = fopen(file, "r")) == NULL) {
            continue;
        }
        found.files++;
        while (fgets(text, sizeof(text), in) != NULL) {
            if (strstr(text, "\"type\":\"gap\"") != NULL && strchr(text, '\n') != NULL) {
                found.lines++;
                found.requests += gh_line_number(gh_str_from(text), "requests");
                CHECK(strstr(text, "\"recovered_by\":99") != NULL && strstr(text, "\"from\":2000,\"to\":3000") != NULL);
            }
            sealed = strstr(text, "\"type\":\"seal\"") != NULL;
        }
        found.sealed += sealed;
        fclose(in);
    }
    closedir(dir);
    return found;
}

static int
finish(gh_ledger_t *ledger, uint64_t now_ms)
{
    gh_record_options_t options = world_options(GH_RECORD_SEGMENT_MIN);
    uint64_t            lines = 0;

    return gh_gaps_finish(ledger, &options, 99, now_ms, &lines, &error);
}

static gh_ledger_t *
sweeping(void)
{
    gh_slot_owner_t owner = { 99, 1, 1000 };
    gh_ledger_t    *ledger = gh_ledger_open(path, true, &error);

    CHECK(gh_ledger_slot_take(ledger, &owner, &error) != NULL);
    return ledger;
}

static void
test_finish(void)
{
    gh_ledger_t *ledger = sweeping();
    found_t      found;

    world_clear();
    owner_dies(71, 3, 0);
    owner_dies(72, 4, 2);
    fault.fallocate_error = ENOSPC;
    CHECK(finish(ledger, 10000) == GH_ERROR && strcmp(error.code, "audit_unavailable") == 0 && gap_lines().lines == 0);
    fault.fallocate_error = 0;
    CHECK(finish(ledger, 20000) == GH_OK && finish(ledger, 30000) == GH_OK);
    found = gap_lines();
    CHECK(found.lines == 2 && found.requests == 7 && found.files == 2 && found.sealed == 2);
    gh_ledger_close(ledger);
}

/* Killed at every write: what was counted is told at least once, and twice only when the line was whole before the death. */
static void
test_killed(void)
{
    unsigned twice = 0, once = 0;

    for (int at = 1; at <= 4; at++) {
        for (int bytes = 0; bytes <= 400; bytes += 40) {
            pid_t        child;
            int          status;
            found_t      before, after;
            gh_ledger_t *ledger;

            world_clear();
            owner_dies(71, 3, 0);
            child = fork();
            if (child == 0) {
                ledger = sweeping();
                fault.write_at = at;
                fault.write_bytes = bytes;
                _exit(finish(ledger, 10000) == GH_OK ? 0 : 3);
            }
            waitpid(child, &status, 0);
            CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0));
            before = gap_lines();
            ledger = sweeping();
            CHECK(finish(ledger, 20000) == GH_OK);
            after = gap_lines();
            CHECK(after.lines >= 1 && after.lines <= 2 && after.lines <= before.lines + 1);
            twice += after.lines == 2;
            once += after.lines == 1;
            CHECK(finish(ledger, 30000) == GH_OK && gap_lines().lines == after.lines);
            gh_ledger_close(ledger);
        }
    }
    CHECK(once > 0 && twice > 0);
}

int
main(void)
{
    static const uint8_t id[16] = { 1 }, store[16] = { 2 };
    bool                 made;

    world_open();
    snprintf(path, sizeof(path), "%.80s/ledger", directories[1]);
    CHECK(gh_ledger_create(path, GH_LEDGER_SIZE_MIN, id, store, &made, &error) == GH_OK && made);
    test_sums();
    test_longest();
    test_chained();
    test_slots();
    test_finish();
    test_killed();
    unlink(path);
    world_close();
    return check_done("gaps of the record");
}
