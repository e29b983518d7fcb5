#define _GNU_SOURCE                   /* open-file-description locks */
#include "policy/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "policy/agent/checkpoints.h"
#include "policy/agent/credential_rows.h"
#include "policy/agent/evidence_watch.h"
#include "policy/agent/fleet_watch.h"
#include "policy/agent/keys.h"
#include "policy/agent/notify.h"
#include "policy/agent/source.h"
#include "policy/agent/status.h"
#include "policy/agent/sweep.h"
#include "policy/base/version.h"
#include "policy/ledger/reservation.h"
#include "policy/store/store.h"

#define TURN_MS       200u            /* at most between two looks at the ledger's words */
#define BEAT_MS       500u
#define LOOK_MS       1000u           /* at store and ledger: still the same files? */
#define TRY_AGAIN_MS  1000u           /* what could not be opened */
#define SAY_AGAIN_MS  60000u          /* and stays so */

/* What can be missing while the agent runs, and is tried again. */
typedef struct {
    uint64_t tried_ms, said_ms;
    char     code[32];                /* said last; "": it is there */
} missing_t;

typedef struct {
    const gh_agent_options_t *options;
    uint8_t           key[32];
    char              directory[1024], ckpt[1024], keys_directory[1024], keys_files[1024];
    int               lock, signals;
    uint64_t          began_ms, watchdog_ms, watchdog_due_ms, beat_due_ms, look_due_ms, sweep_due_ms;
    gh_ledger_t      *ledger;         /* NULL: none; with a slot */
    gh_store_t       *store;
    uint16_t          opening;
    missing_t         no_ledger, no_store;
    gh_sweep_t       *sweep;
    gh_sources_t     *sources;
    gh_checkpoints_t  checkpoints;
    char              credentials_file[1024], credentials_directory[1024];
    gh_credential_rows_t *credentials;
    char              clouds_file[1024];
    gh_fleet_watch_t *watch;
    gh_keys_t        *keys;
    gh_evidence_watch_t evidence;
    uint64_t          swept_ms, status_due_ms;
    bool              ends, status_fails;
} agent_t;

static uint64_t
now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

/* Said when it begins to be missing, when the reason changes, and once a minute. */
static void
say_missing(missing_t *missing, const char *what, const gh_error_t *error, uint64_t now_ms)
{
    if (strcmp(missing->code, error->code) != 0 || now_ms - missing->said_ms >= SAY_AGAIN_MS) {
        snprintf(missing->code, sizeof(missing->code), "%s", error->code);
        missing->said_ms = now_ms;
        gh_log_error(GH_LOG_ERROR, what, error, NULL);
    }
}

static void
say_there(missing_t *missing, const char *what)
{
    if (missing->code[0] != '\0') {
        missing->code[0] = '\0';
        gh_log(GH_LOG_NOTICE, what, NULL);
    }
}

/* ---- ledger and store ---- */

static void
close_ledger(agent_t *agent)
{
    if (agent->ledger != NULL) {
        gh_sweep_free(agent->sweep, agent->ledger);
        agent->sweep = NULL;
        gh_ledger_agent_end(agent->ledger, now(CLOCK_REALTIME));
        gh_ledger_close(agent->ledger);
        agent->ledger = NULL;
    }
}

static void
open_ledger(agent_t *agent, uint64_t now_ms)
{
    const gh_agent_options_t *options = agent->options;
    gh_slot_owner_t           owner = { (uint32_t) getpid(), GH_GENERATION_AGENT, agent->began_ms };
    gh_record_options_t       record = { .directories = { options->audit[0], options->audit[1] }, .node = gh_str_from(options->node),
                                         .version = GH_STR(GH_VERSION), .pid = (uint64_t) getpid() };
    gh_error_t                error = { 0 };
    gh_ledger_t              *ledger;

    if (agent->no_ledger.tried_ms != 0 && now_ms - agent->no_ledger.tried_ms < TRY_AGAIN_MS) {
        return;
    }
    agent->no_ledger.tried_ms = now_ms;
    ledger = gh_ledger_open(options->ledger, true, &error);
    if (ledger != NULL && gh_ledger_slot_take(ledger, &owner, &error) != NULL) {
        agent->sweep = gh_sweep_new(&record);
        if (agent->sweep != NULL) {
            agent->ledger = ledger;
            agent->beat_due_ms = agent->sweep_due_ms = 0;
            say_there(&agent->no_ledger, "the ledger is there again");
            return;
        }
        gh_error_set(&error, "no_memory", "no memory to sweep");
    }
    gh_ledger_close(ledger);
    say_missing(&agent->no_ledger, "the ledger cannot be used: nothing is swept", &error, now_ms);
}

static void
close_store(agent_t *agent)
{
    gh_store_close(agent->store);
    agent->store = NULL;
}

/* For an edit: the one that is open gives way, since a process opens a store once. It is opened again with the next look. */
static gh_store_t *
lend_store(void *context, gh_ledger_t **ledger)
{
    agent_t           *agent = context;
    gh_store_options_t options = { .home = agent->options->home, .opening = ++agent->opening, .writable = true };
    gh_error_t         error = { 0 };

    close_store(agent);
    memcpy(options.key, agent->key, sizeof(options.key));
    agent->store = gh_store_open(&options, &error);
    explicit_bzero(options.key, sizeof(options.key));
    if (agent->store == NULL) {
        gh_log_error(GH_LOG_ERROR, "the policy store cannot be opened for an edit", &error, NULL);
    }
    *ledger = agent->ledger;

    return agent->store;
}

static void
give_store_back(void *context)
{
    agent_t *agent = context;

    close_store(agent);
    agent->no_store.tried_ms = agent->look_due_ms = 0;
}

static void
open_store(agent_t *agent, uint64_t now_ms)
{
    gh_store_options_t options = { .home = agent->options->home, .opening = ++agent->opening };
    gh_error_t         error = { 0 };

    if (agent->no_store.tried_ms != 0 && now_ms - agent->no_store.tried_ms < TRY_AGAIN_MS) {
        return;
    }
    agent->no_store.tried_ms = now_ms;
    memcpy(options.key, agent->key, sizeof(options.key));
    agent->store = gh_store_open(&options, &error);
    explicit_bzero(options.key, sizeof(options.key));
    if (agent->store == NULL) {
        say_missing(&agent->no_store, "the policy store cannot be used", &error, now_ms);
    }
}

/* A store that is there and empty is one that can be used. */
static void
look_at_store(agent_t *agent, uint64_t now_ms)
{
    gh_error_t error = { 0 };

    if (agent->store == NULL) {
        open_store(agent, now_ms);
    }
    if (agent->store == NULL) {
        return;
    }
    if (gh_keys_policy(agent->keys, agent->store, now_ms, &error) == GH_OK || strcmp(error.code, "store_empty") == 0) {
        say_there(&agent->no_store, "the policy store can be used again");
        gh_evidence_watch_look(&agent->evidence, agent->store, now_ms);
        return;
    }
    if (strcmp(error.code, "store_busy") != 0) {
        say_missing(&agent->no_store, "the policy cannot be read", &error, now_ms);
        close_store(agent);
    }
}

static void
look_at_ledger(agent_t *agent, uint64_t now_ms)
{
    gh_error_t error = { 0 };

    if (agent->ledger != NULL && gh_ledger_still(agent->ledger, &error) != GH_OK) {
        say_missing(&agent->no_ledger, "the ledger is another one", &error, now_ms);
        agent->no_ledger.tried_ms = 0;
        close_ledger(agent);
    }
    if (agent->ledger == NULL) {
        open_ledger(agent, now_ms);
    }
}

/* ---- beginning ---- */

static int
take_lock(agent_t *agent, gh_error_t *error)
{
    struct flock one = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char         path[1100], pid[24];
    int          len;

    snprintf(path, sizeof(path), "%s/lock", agent->directory);
    agent->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (agent->lock == -1) {
        return gh_error_at(error, errno == ENOENT ? "agent_missing" : "agent_denied", agent->directory, 0, 0, "%s cannot be written: %s", path,
            errno == ENOENT ? "the directory is not there" : strerror(errno));
    }
    if (fcntl(agent->lock, F_OFD_SETLK, &one) != 0) {
        return errno == EAGAIN || errno == EACCES
            ? gh_error_at(error, "agent_running", path, 0, 0, "another agent of this home is running")
            : gh_error_at(error, "agent_denied", path, 0, 0, "%s cannot be locked: %s", path, strerror(errno));
    }
    len = snprintf(pid, sizeof(pid), "%ld\n", (long) getpid());
    if (ftruncate(agent->lock, 0) != 0 || pwrite(agent->lock, pid, (size_t) len, 0) != len) {
        return gh_error_at(error, "agent_denied", path, 0, 0, "%s cannot be written: %s", path, strerror(errno));
    }
    return GH_OK;
}

static int
begin(agent_t *agent, gh_error_t *error)
{
    const gh_agent_options_t *options = agent->options;
    char                      path[1100];
    sigset_t                  signals;

    snprintf(agent->directory, sizeof(agent->directory), "%s/agent", options->home);
    snprintf(agent->ckpt, sizeof(agent->ckpt), "%s/ledger.ckpt", options->home);
    snprintf(agent->keys_directory, sizeof(agent->keys_directory), "%s/agent/keys", options->home);
    snprintf(agent->keys_files, sizeof(agent->keys_files), "%s/jwks", options->secrets);
    snprintf(path, sizeof(path), "%s/store.key", options->secrets);
    if (gh_store_key_read(path, agent->key, error) != GH_OK || take_lock(agent, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_notify_open(&agent->watchdog_ms) != GH_OK) {
        return gh_error_set(error, "agent_denied", "systemd's socket ($NOTIFY_SOCKET) cannot be reached: %s", strerror(errno));
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR
        || (agent->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
    {
        return gh_error_set(error, "agent_denied", "signals cannot be heard: %s", strerror(errno));
    }
    agent->began_ms = now(CLOCK_REALTIME);
    agent->sources = gh_sources_new(agent->began_ms ^ (uint64_t) getpid() << 32);
    agent->keys = gh_keys_new(agent->sources, agent->keys_directory, agent->keys_files, options->ca_file);
    if (agent->sources == NULL || agent->keys == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    snprintf(agent->clouds_file, sizeof(agent->clouds_file), "%s/clouds.json", options->secrets);
    agent->watch = gh_fleet_watch_new(agent->sources, agent->clouds_file, &(gh_fleet_watch_store_t) { lend_store, give_store_back, agent });
    if (agent->watch == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    gh_checkpoints_init(&agent->checkpoints, options->ledger, agent->ckpt, agent->key, options->checkpoint_ms);
    snprintf(agent->credentials_file, sizeof(agent->credentials_file), "%s/credentials.json", options->secrets);
    snprintf(agent->credentials_directory, sizeof(agent->credentials_directory), "%s/cred", options->home);
    agent->credentials = gh_credential_rows_new(agent->sources, agent->credentials_file, agent->credentials_directory);
    if (agent->credentials == NULL || gh_sources_add(agent->sources, &agent->checkpoints.source) != GH_OK) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    return GH_OK;
}

/* ---- going on ---- */

/* What is read again: files and documents, and whatever waits after a failure is tried at once. */
static void
reload(agent_t *agent, uint64_t now_ms)
{
    gh_notify_reloading();
    gh_log(GH_LOG_NOTICE, "everything is read again", NULL);
    close_store(agent);
    agent->no_store.tried_ms = agent->no_ledger.tried_ms = agent->look_due_ms = 0;
    gh_credential_rows_look(agent->credentials, true);
    for (size_t i = 0; i < gh_sources_count(agent->sources); i++) {
        gh_source_hurry(gh_sources_at(agent->sources, i), now_ms, 0);
    }
    gh_notify("READY=1");
}

/* However often it is told to in the meantime it reads again once a turn: the rest of its work comes to its turn, too. */
static void
hear(agent_t *agent, uint64_t now_ms)
{
    struct signalfd_siginfo one;
    bool                    again = false;

    while (read(agent->signals, &one, sizeof(one)) == sizeof(one)) {
        again = again || one.ssi_signo == SIGHUP;
        agent->ends = agent->ends || one.ssi_signo != SIGHUP;
    }
    if (again && !agent->ends) {
        reload(agent, now_ms);
    }
}

static void
tell_systemd(agent_t *agent)
{
    uint64_t ms = now(CLOCK_MONOTONIC);

    if (agent->watchdog_ms != 0 && ms >= agent->watchdog_due_ms) {
        agent->watchdog_due_ms = ms + agent->watchdog_ms;
        gh_notify("WATCHDOG=1");
    }
}

/* Said once when it cannot be written: nothing but a command needs it. */
static void
write_status(agent_t *agent, uint64_t now_ms)
{
    gh_error_t  error = { 0 };
    gh_status_t status = { .version = GH_VERSION, .node = agent->options->node, .ledger = agent->ledger == NULL ? agent->no_ledger.code : "",
                           .store = agent->no_store.code, .pid = (uint64_t) getpid(), .began_ms = agent->began_ms, .written_ms = now_ms, .swept_ms = agent->swept_ms,
                           .ended = agent->ends, .sweeps = agent->ledger != NULL && gh_sweep_leads(agent->sweep),
                           .sweep = agent->ledger != NULL ? gh_sweep_wrong(agent->sweep) : "" };
    bool        fails = gh_status_write(agent->directory, &status, agent->sources, &error) != GH_OK;

    if (fails && !agent->status_fails) {
        gh_log_error(GH_LOG_WARNING, "what the agent does cannot be written down", &error, NULL);
    }
    agent->status_fails = fails;
}

/* One turn; returns the milliseconds until the next. */
static uint64_t
turn(agent_t *agent)
{
    uint64_t now_ms = now(CLOCK_REALTIME), wait = TURN_MS;

    if (now_ms >= agent->look_due_ms || agent->look_due_ms - now_ms > LOOK_MS) {
        agent->look_due_ms = now_ms + LOOK_MS;
        look_at_ledger(agent, now_ms);
        look_at_store(agent, now_ms);
        gh_credential_rows_look(agent->credentials, false);
        gh_fleet_watch_look(agent->watch, agent->store, now_ms);
    }
    if (agent->ledger != NULL) {
        if (now_ms >= agent->beat_due_ms || agent->beat_due_ms - now_ms > BEAT_MS) {
            agent->beat_due_ms = now_ms + BEAT_MS;
            gh_ledger_agent_beat(agent->ledger, now_ms, agent->began_ms, (uint64_t) getpid());
        }
        if (now_ms >= agent->sweep_due_ms || agent->sweep_due_ms - now_ms > LOOK_MS) {
            agent->sweep_due_ms = now_ms + gh_sweep_turn(agent->sweep, agent->ledger, agent->store, now_ms);
            agent->swept_ms = gh_sweep_leads(agent->sweep) ? now_ms : agent->swept_ms;
        }
        gh_keys_want(agent->keys, gh_ledger_keys_wanted(agent->ledger), now_ms);
        gh_credential_rows_refused(agent->credentials, gh_ledger_credentials_refused(agent->ledger), now_ms);
        wait = agent->sweep_due_ms - now_ms < wait ? agent->sweep_due_ms - now_ms : wait;
    }
    if (now_ms >= agent->status_due_ms || agent->status_due_ms - now_ms > GH_STATUS_EVERY_MS) {
        agent->status_due_ms = now_ms + GH_STATUS_EVERY_MS;
        write_status(agent, now_ms);
    }
    return gh_sources_tick(agent->sources, now_ms, wait);
}

static void
go_on(agent_t *agent)
{
    struct pollfd events[2] = { { .fd = agent->signals, .events = POLLIN }, { .fd = gh_sources_descriptor(agent->sources), .events = POLLIN } };
    uint64_t      wait = 0;
    bool          ready = false;

    while (!agent->ends) {
        if (poll(events, 2, (int) wait) < 0 && errno != EINTR) {
            gh_log(GH_LOG_ERROR, "poll failed", "error", strerror(errno), NULL);
            usleep(TURN_MS * 1000);
        }
        hear(agent, now(CLOCK_REALTIME));
        wait = turn(agent);
        tell_systemd(agent);
        if (!ready) {
            ready = true;
            gh_notify("READY=1");
            gh_log(GH_LOG_NOTICE, "the agent runs", "version", GH_VERSION, "node", agent->options->node, "home", agent->options->home, NULL);
        }
    }
}

/* What the counters are at the end is on the disk, and the workers sweep again at once. */
static void
end(agent_t *agent)
{
    gh_error_t error = { 0 };

    gh_notify("STOPPING=1");
    write_status(agent, now(CLOCK_REALTIME));
    gh_sources_free(agent->sources);
    gh_credential_rows_free(agent->credentials);
    if (gh_checkpoints_make(&agent->checkpoints, &error) != GH_OK) {
        gh_log_error(GH_LOG_ERROR, "no last checkpoint could be made", &error, NULL);
    }
    close_ledger(agent);
    close_store(agent);
    gh_log(GH_LOG_NOTICE, "the agent has ended", NULL);
}

int
gh_agent_run(const gh_agent_options_t *options, gh_error_t *error)
{
    agent_t agent = { .options = options, .lock = -1, .signals = -1 };
    int     rc = begin(&agent, error);

    if (rc == GH_OK) {
        go_on(&agent);
        end(&agent);
    } else {
        gh_sources_free(agent.sources);
        gh_credential_rows_free(agent.credentials);
    }
    gh_fleet_watch_free(agent.watch);
    gh_keys_free(agent.keys);
    explicit_bzero(agent.key, sizeof(agent.key));
    explicit_bzero(agent.checkpoints.key, sizeof(agent.checkpoints.key));
    close(agent.signals);
    close(agent.lock);
    return rc;
}
