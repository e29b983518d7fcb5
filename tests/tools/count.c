/*
 * Counts in a ledger as a worker does: count LEDGER, then lines on stdin,
 *     UID LEVEL DIMENSION PER CLASS AMOUNT [MODEL]       by the words of policy/quota/limits.h
 * each taken by a reservation of its own and settled; count LEDGER held: held until stdin ends.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "policy/quota/limits.h"

static int
word(const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    return 0;
}

static int
take(gh_ledger_t *ledger, const char *line, uint64_t now_ms, bool held)
{
    char                  level[16], dimension[16], per[16], limit_class[16], model[256] = "";
    unsigned long long    uid, amount;
    uint8_t               request_id[16] = { 1 };
    gh_reservation_item_t item = { .limit = GH_NO_LIMIT };
    gh_reservation_t      reservation;
    unsigned              refused;
    uint64_t              used;
    uint32_t              over;

    if (sscanf(line, "%llu %15s %15s %15s %15s %llu %255s", &uid, level, dimension, per, limit_class, &amount, model) < 6) {
        return 1;
    }
    item.id = (gh_counter_id_t) {
        .uid = uid, .level = (uint8_t) word(level, gh_level_names, GH_LEVELS),
        .dimension = (uint8_t) word(dimension, gh_dimension_names, GH_DIMENSIONS), .per = (uint8_t) word(per, gh_per_names, GH_PERS),
        .limit_class = (uint8_t) word(limit_class, gh_limit_class_names, GH_LIMIT_CLASSES),
        .model = model[0] == '\0' ? 0 : gh_model_number(gh_str_from(model))
    };
    item.amount = used = amount;
    item.window = gh_window_number((gh_per_t) item.id.per, now_ms);
    if (gh_reservation_take(ledger, &item, 1, request_id, now_ms + 60000, &reservation, &refused) != GH_RESERVED) {
        return 1;
    }
    if (!held) {
        gh_reservation_settle(ledger, &reservation, &used, &over, NULL);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    gh_error_t      error = { 0 };
    gh_ledger_t    *ledger = argc < 2 ? NULL : gh_ledger_open(argv[1], true, &error);
    struct timespec now;
    char            line[512];
    int             status = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ledger == NULL || gh_ledger_slot_take(ledger, &(gh_slot_owner_t) { .pid = (uint32_t) getpid() }, &error) == NULL) {
        fprintf(stderr, "count: %s\n", error.text);
        return 1;
    }
    while (status == 0 && fgets(line, sizeof(line), stdin) != NULL) {
        status = take(ledger, line, (uint64_t) now.tv_sec * 1000, argc > 2);
        printf("%s\n", status == 0 ? "counted" : "refused");
        fflush(stdout);
    }
    gh_ledger_close(ledger);
    return status;
}
