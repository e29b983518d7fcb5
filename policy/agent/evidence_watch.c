#include "policy/agent/evidence_watch.h"

#include <stdio.h>
#include <time.h>

#include "policy/agent/log.h"
#include "policy/store/evidence.h"
#include "policy/store/image_format.h"

#define DAY_MS  86400000u
#define HOUR_MS 3600000u

static void
say(const gh_evidence_end_t *end, uint64_t now_ms)
{
    bool      over = end->until_ms <= now_ms;
    time_t    seconds = (time_t) (end->until_ms / 1000);
    char      deployment[256], feature[256], until[32] = "", days[24];
    struct tm tm;

    if (gmtime_r(&seconds, &tm) != NULL) {
        strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    snprintf(deployment, sizeof(deployment), "%.*s", GH_STR_ARG(end->deployment));
    snprintf(feature, sizeof(feature), "%.*s", GH_STR_ARG(end->feature));
    snprintf(days, sizeof(days), "%llu", over ? 0ULL : (unsigned long long) ((end->until_ms - now_ms) / DAY_MS));
    gh_log(over ? GH_LOG_ERROR : GH_LOG_WARNING, over ? "the evidence of a fact is over: it is unknown" : "the evidence of a fact ends soon", "deployment", deployment,
        "fact", end->fact, "feature", feature[0] != '\0' ? feature : NULL, "until", until, "days_left", days, NULL);
}

void
gh_evidence_watch_look(gh_evidence_watch_t *watch, gh_store_t *store, uint64_t now_ms)
{
    gh_evidence_end_t ends[GH_EVIDENCE_SAID];
    gh_error_t        error = { 0 };
    gh_image_t       *image;
    size_t            count;
    uint64_t          since = now_ms >= watch->said_ms ? now_ms - watch->said_ms : UINT64_MAX;
    char              text[24];

    if (watch->said_ms != 0 && since < HOUR_MS) {
        return;
    }
    if (gh_store_current(store, now_ms, &image, &error) != GH_OK || (watch->said_ms != 0 && since < DAY_MS && image->serial == watch->serial)) {
        return;
    }
    watch->said_ms = now_ms;
    watch->serial = image->serial;
    count = gh_evidence_ending(image, now_ms + GH_EVIDENCE_SOON_MS, ends, GH_EVIDENCE_SAID);
    for (size_t i = 0; i < count && i < GH_EVIDENCE_SAID; i++) {
        say(&ends[i], now_ms);
    }
    if (count > GH_EVIDENCE_SAID) {
        snprintf(text, sizeof(text), "%zu", count);
        gh_log(GH_LOG_WARNING, "the evidence of more facts ends soon: gatehouse agent status names them all", "facts", text, NULL);
    }
}
