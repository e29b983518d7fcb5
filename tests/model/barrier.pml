/*
 * The edit barrier: edits, dispatches, crashes, reloads, a store that is restored or replaced. Checked by tests/model/check.py, which also
 * holds traces of the real programs against it.
 *
 * What is in it: workers that take a slot of the ledger, open the store, send requests in pieces, sweep what runs, and end; an editor that
 * commits, fences, scans and acknowledges or gives up; the memory between them, with a store buffer for each worker and for the editor; the
 * kernel, which sends what a socket has taken when it likes, and at a death resets the sockets before it gives the slot's lock back.
 * A process may be delayed for ever at any step, which is what SIGSTOP is.
 *
 * What it is held against:
 *   R3  nothing is written that was judged under a revision older than one acknowledged; no byte leaves of a dispatch that an acknowledged
 *       edit forbids, unless that edit let it finish; no dispatch begins under an older revision
 *   R4  what is judged is one revision, not half of two
 *   a worker never uses a revision lower than one it has used
 *   an edit ends: it is acknowledged, or it names a worker that really had something under way
 *
 * Numbers: a transaction is a number of one store file, a revision one of all of them. A restored file begins again at a low transaction,
 * which is the worst a new file may do. Every edit forbids every dispatch that began before it; `finish_from` says which of them may go on
 * all the same.
 *
 * Each of these makes a faulty variant that must fail: NO_WORKER_FENCE, NO_EDITOR_FENCE, CLEAR_BEFORE_WRITE, NO_INODE_CHECK, NO_RESET,
 * SWEPT_ONLY, WINDOW_ONLY, RUNNING_FIRST, FILE_LAST, NO_REREAD, PINNED_REVISION, HALF_EDIT, NO_IDENTITY, LOCK_FIRST, NO_DROP, SWEPT_BEFORE_CUT, STALE_SWEPT,
 * LEDGER_REMOVED.
 */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef SLOTS
#define SLOTS WORKERS                  /* with fewer a later worker takes the slot of one that ended or died */
#endif
#ifndef EDITS
#define EDITS 1
#endif
#ifndef DISPATCHES
#define DISPATCHES 1                   /* of each worker, one after the other */
#endif
#ifndef PIECES
#define PIECES 2                       /* writes of a dispatch */
#endif
#ifndef SWEEPS
#define SWEEPS 1                       /* of a dispatch */
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef RESTORES
#define RESTORES 0
#endif
#ifndef INTRUDERS
#define INTRUDERS 0                    /* a copy of an older file is put in place of the store */
#endif

#ifndef LEDGERS
#define LEDGERS 0                      /* the ledger is replaced by a new one */
#endif

/*
 * ---- TRACED: is this trace a behaviour of the model? ----
 * The trace's events are steps that the model must take in their order. A process tells of an action after it and before its next one, so
 * between the two others may have acted and told: LOG is a step of its own. What a trace does not tell (what runs, deaths, stores on their
 * way) the search finds. The file that tests/model/accept.py writes sets the sizes and trace_set; the last event reached is an error that is
 * the answer "accepted".
 */
#ifdef TRACED
mtype = { TAKE, OPEN, SNAPSHOT, PERMIT, REFUSE, WRITE, CLOSE, SWEEP, COMMIT, ANNOUNCE, SCAN, ACK, GIVEUP };
hidden mtype trace_kind[TRACED];
hidden byte  trace_who[TRACED], trace_number[TRACED];
hidden byte  wanted_slot[WORKERS];     /* of the ledger, by a worker's number */
hidden short next_of[TRACED];          /* index of the next event of the same process; TRACED: none */
short mine[WORKERS + 1];               /* index of each worker's next event; the editor's is the last */
short at = 0;
bool  bad = false;                     /* something that must never be has been done: no behaviour */

#define LOG(kind, who, number) \
    d_step { \
        !bad && at < TRACED && trace_kind[at] == kind && trace_who[at] == who && trace_number[at] == (number) -> \
        mine[PROCESS(kind, who)] = next_of[at]; \
        at++; \
        assert(at < TRACED) \
    };
#define PROCESS(kind, who) ((kind == COMMIT || kind == ANNOUNCE || kind == SCAN || kind == ACK || kind == GIVEUP) -> WORKERS : who)
/* What a process does next has to be what it tells of next: whatever leads elsewhere need not be searched. */
#define NEXT(who)     (mine[who] < TRACED -> trace_kind[mine[who] % TRACED] : 0)
#define TELLS(who, kind, number) (NEXT(who) == kind && trace_number[mine[who] % TRACED] == (number))
#define CLAIM(what)   bad = bad || !(what)
#define LESS(a, b)    true
#define MORE(counter) skip
#else
#define LOG(kind, who, number)
#define CLAIM(what)   assert(what)
#define LESS(a, b)    (a < b)
#define MORE(counter) counter++
#endif

#define NOBODY 255
#define CLOSED 0                       /* of a window */
#define READING 1
#define FIRST  2                       /* transaction of a new file */

/* ---- what lies in files ---- */

#define FILES  3                       /* 1: the first; 2: restored; 3: put there by an intruder */
#define NUMBER (FIRST + EDITS + 2)
#define AT(file, transaction) ((file) * NUMBER + (transaction))

byte path = 1;                         /* the file that the name leads to */
byte newest[FILES + 1];                /* transaction, as any process sees it */
byte revision_of[(FILES + 1) * NUMBER];
byte finish_from[EDITS + RESTORES + 3];  /* by revision */
byte identity_file = 1, identity_revision = 1;
byte last_revision = 1;

/* ---- the ledger ---- */

typedef slot_t { byte owner; byte window; bool running; byte file; byte swept };
slot_t slot[SLOTS];
byte ledger_from = 0;                  /* transaction from which the store names another ledger; 0: it names this one */
bool removed[SLOTS];                   /* the slot is of a ledger that is gone: no editor sees it */

/* ---- what only the checks see ---- */

byte acknowledged = 1;                 /* highest revision */
byte begun[WORKERS];                   /* revision under which the running dispatch began; 0: none */
bool pending[WORKERS];                 /* taken by the socket, not sent yet */
bool busy[WORKERS];                    /* has opened a window, has something running, or is starting */
bool dying[WORKERS];
byte crashes = 0;

#define lawful(who)   (begun[who] >= finish_from[acknowledged])
/* What a socket has taken may leave at any time from then on, so it is enough to look at every acknowledgement. */
#define unlawful(who) (pending[who] && !lawful(who))

/*
 * ---- store buffers: first in, first out ----
 * Only an editor reads what a worker stores, so it is enough that a buffer is drained as far as anybody likes at each of those reads, and of
 * its oldest store when there is no room for another. At the end of an event all of it is: a store that lags longer while its worker reads
 * nothing is a worker that is slower.
 */

mtype = { WINDOW, RUNNING, FILE, SWEPT };
chan buffer[WORKERS] = [2] of { mtype, byte };
byte slot_of[WORKERS];
byte commit_file = 0, commit_transaction;   /* the editor's: committed, not yet seen by others */
hidden mtype drained_field;
hidden byte  drained_value;

inline drain(who)
{
    buffer[who] ? drained_field, drained_value;
    if
    :: drained_field == WINDOW  -> slot[slot_of[who]].window = drained_value
    :: drained_field == RUNNING -> slot[slot_of[who]].running = drained_value
    :: drained_field == FILE    -> slot[slot_of[who]].file = drained_value
    :: drained_field == SWEPT   -> slot[slot_of[who]].swept = drained_value
    fi
}

inline store(field, value)
{
    if
    :: full(buffer[me]) -> drain(me)
    :: nfull(buffer[me])
    fi;
    buffer[me] ! field, value
}

inline fence()
{
    do
    :: nempty(buffer[me]) -> drain(me)
    :: empty(buffer[me]) -> break
    od
}

inline commit_seen()
{
    newest[commit_file] = commit_transaction;
    commit_file = 0
}

/* ---- a worker ---- */

#define REVISION revision_of[AT(file, t)]

#ifdef NO_IDENTITY
#define USABLE true
#else
#define USABLE (file == identity_file && REVISION >= identity_revision && REVISION >= used)
#endif
#ifdef STALE_SWEPT
#define NEW_FILE store(FILE, file)
#else
#define NEW_FILE store(SWEPT, 0); store(FILE, file)
#endif

/* A worker whose ledger is not the one that the store names uses nothing. */
#define NOT_OURS t = (ledger_from != 0 && t >= ledger_from && removed[slot_of[me]] -> 0 : t)

#ifdef TRACED
#define AS_TOLD(number) (TELLS(me, SNAPSHOT, number) || TELLS(me, SWEEP, number))
#else
#define AS_TOLD(number) true
#endif

/* The newest transaction of the file that is open; 0: none can be used. Opens the file in place when none is. */
inline snapshot()
{
    if
    :: d_step { file != 0 && path != file -> file = 0; t = 0; store(FILE, 0) }      /* its last link is gone: it was replaced */
    :: d_step { file != 0 && path == file && AS_TOLD(newest[file]) -> t = newest[file]; NOT_OURS }
    :: d_step { file != 0 && path == file && commit_file == file && AS_TOLD(commit_transaction) -> commit_seen(); t = newest[file]; NOT_OURS }
    :: d_step {
           file == 0 ->
           file = path;
           t = newest[file];
           if
           :: USABLE -> NEW_FILE
           :: else -> file = 0; t = 0
           fi
       }
    fi
}

/* The dispatch may go on, or begin, under the revision it is judged by. */
#define permitted (r >= used && (begun[me] == 0 || begun[me] >= finish_from[r]))

#ifdef PINNED_REVISION
#define JUDGED_BY (begun[me] != 0 -> begun[me] : REVISION)
#else
#define JUDGED_BY REVISION
#endif
#ifdef HALF_EDIT
#define IMAGE revision_of[AT(file, newest[file])]
#else
#define IMAGE r
#endif

inline cut()
{
#ifndef NO_DROP
    pending[me] = false;
#endif
    over = true
}

inline judge_and_write()
{
    r = JUDGED_BY;
    image = IMAGE;
    if
    :: permitted ->
        if
        :: !counted -> store(RUNNING, true); counted = true
        :: else -> skip
        fi;
        CLAIM(image == r);
        CLAIM(r >= acknowledged);
        CLAIM(r >= used);
        used = r;
        begun[me] = (begun[me] == 0 -> r : begun[me]);
        CLAIM(lawful(me));
        pending[me] = true
    :: else -> cut()
    fi;
    r = 0;
    image = 0
}

inline send_piece()
{
#ifdef NO_REREAD
    if                                 /* policy is read when the dispatch begins, and never again */
    :: begun[me] == 0 -> snapshot(); first = t
    :: else -> t = first
    fi;
#else
    snapshot();
#endif
    if
    :: d_step { t != 0 -> store(WINDOW, t) };
        LOG(SNAPSHOT, me, t)
#ifdef CLEAR_BEFORE_WRITE
        d_step { store(WINDOW, CLOSED); fence() };
#endif
#ifdef TRACED
        d_step { judge_and_write() };
        if
        :: over -> LOG(REFUSE, me, t) skip
        :: !over -> LOG(PERMIT, me, t) LOG(WRITE, me, t) skip
        fi
#else
        d_step { judge_and_write() }
#endif
    :: t == 0 -> LOG(REFUSE, me, 0) over = true          /* nothing can be judged, nothing is written */
    fi;
    LOG(CLOSE, me, 0)
    d_step { store(WINDOW, CLOSED); fence(); t = 0; MORE(pieces) }
}

inline sweep()
{
    snapshot();
#ifdef TRACED
    told = t;
#endif
#ifdef SWEPT_BEFORE_CUT
    d_step { if :: t != 0 -> store(SWEPT, t); fence() :: else -> skip fi };
#endif
    d_step {
        if
        :: t != 0 ->
            r = REVISION;
            if
            :: begun[me] != 0 && !permitted -> cut()
            :: else -> skip
            fi;
            r = 0;
#ifndef SWEPT_BEFORE_CUT
            store(SWEPT, t);
#endif
            t = 0
        :: else -> skip
        fi;
        fence();
        MORE(sweeps)
    }
#ifdef TRACED
    if
    :: told != 0 -> LOG(SWEEP, me, told) told = 0
    :: else -> skip
    fi
#endif
}

#ifdef TRACED
#define MAY_END     true
#define OPENS       (NEXT(me) == OPEN)
#define SWEEPS_NEXT (NEXT(me) == SWEEP)
#define HAS_MORE    (mine[me] < TRACED)
#else
#define MAY_END     pieces > 0
#define OPENS       true
#define SWEEPS_NEXT true
#define HAS_MORE    true
#endif

/* A dispatch is counted as running when it begins, or at the latest inside its first window. */
inline dispatch()
{
    if
    :: d_step { LESS(done, DISPATCHES) && HAS_MORE -> store(RUNNING, true); counted = true; busy[me] = true; MORE(done) }
#ifndef COUNTED_FIRST
    :: d_step { LESS(done, DISPATCHES) -> counted = false; busy[me] = true; MORE(done) }
#endif
    fi;
    do
#ifdef NO_WORKER_FENCE
    :: d_step { !over && LESS(pieces, PIECES) -> store(WINDOW, READING) }; send_piece()
#else
    :: d_step { !over && LESS(pieces, PIECES) && OPENS -> store(WINDOW, READING); fence() }; LOG(OPEN, me, READING) send_piece()
#endif
    :: LESS(sweeps, SWEEPS) && begun[me] != 0 && SWEEPS_NEXT -> sweep()
    :: d_step {                        /* what the socket has not sent yet is dropped, or has been sent by now */
           over || MAY_END ->
           pending[me] = false; begun[me] = 0; pieces = 0; sweeps = 0; over = false; counted = false;
           store(RUNNING, false);
           fence();
           busy[me] = false
       }; break
    od
}

#define FREE(n) (slot[(n) % SLOTS].owner == NOBODY)

/* The lock of the first byte that is free; waits for one. What the last owner left is reset before anything else. */
inline take_slot()
{
    d_step {
        if
#ifdef TRACED
        :: FREE(wanted_slot[me]) -> slot_of[me] = wanted_slot[me]
#else
        :: FREE(0) -> slot_of[me] = 0
        :: SLOTS > 1 && !FREE(0) && FREE(1) -> slot_of[me] = 1 % SLOTS
        :: SLOTS > 2 && !FREE(0) && !FREE(1) && FREE(2) -> slot_of[me] = 2 % SLOTS
#endif
        fi;
        slot[slot_of[me]].owner = me;
        removed[slot_of[me]] = false;
        busy[me] = true
    };
#ifndef NO_RESET
    slot[slot_of[me]].window = CLOSED;
    d_step { slot[slot_of[me]].running = false; slot[slot_of[me]].file = 0; slot[slot_of[me]].swept = 0; busy[me] = false }
#else
    busy[me] = false
#endif
    ;
    LOG(TAKE, me, slot_of[me])
    skip
}

/* The kernel's part of a death, by whatever cause: the process's stores are all seen, its sockets are reset, its lock is free. */
inline die()
{
#ifdef LOCK_FIRST
    d_step { fence(); slot[slot_of[me]].owner = NOBODY; slot_of[me] = NOBODY; busy[me] = false; dying[me] = false };
    d_step { pending[me] = false; begun[me] = 0 };
#else
    d_step {
        fence();
        pending[me] = false; begun[me] = 0;
        slot[slot_of[me]].owner = NOBODY; slot_of[me] = NOBODY; busy[me] = false; dying[me] = false
    };
#endif
    d_step { file = 0; t = 0; r = 0; image = 0; used = 0; pieces = 0; sweeps = 0; done = DISPATCHES; over = false; counted = false }
}

proctype worker(byte me)
{
    byte file, t, r, image, used, pieces, sweeps, done;
    bool over, counted;
#ifdef TRACED
    byte told;
#endif
#ifdef NO_REREAD
    byte first;
#endif

end:
    take_slot();
    {
        snapshot();                    /* the store is opened at the start */
        d_step { fence(); t = 0 };
        do
        :: dispatch()
#ifndef TRACED
        :: done > 0 || CRASHES > 0 -> break
#endif
        od
    } unless { dying[me] };            /* at any step */
    die()
}

/* ---- an editor ---- */

byte live;                             /* mask, as the locks were seen */
byte saw_window;                       /* 0 closed, 1 old or reading, 2 of the edit or a later one */
bool saw_running, saw_file, seen;      /* saw_file: the slot's file is the edit's */

#ifdef NO_INODE_CHECK
#define FILE_OBEYS true
#else
#define FILE_OBEYS saw_file
#endif
#ifdef WINDOW_ONLY
#define RUNNING_WAITS false
#else
#define RUNNING_WAITS (saw_running && !(slot[s].swept >= transaction && FILE_OBEYS))
#endif
#ifdef SWEPT_ONLY
#define WINDOW_WAITS false
#else
#define WINDOW_WAITS (saw_window == 1 || (saw_window == 2 && !FILE_OBEYS))
#endif
#define WINDOW_SEEN (slot[s].window == CLOSED -> 0 : (slot[s].window == READING || slot[s].window < transaction -> 1 : 2))

#define OWNER slot[s].owner
/* While it was looked at, its worker was starting, in a window or had something running, or was gone. */
#define SEEN  seen = seen || OWNER == NOBODY || busy[OWNER] || nempty(buffer[OWNER])

#define READ(what) \
    if \
    :: d_step { LIVE; SEEN; what } \
    :: d_step { LIVE && OWNER != NOBODY && len(buffer[OWNER]) > 0 -> SEEN; drain(OWNER); what } \
    :: d_step { LIVE && OWNER != NOBODY && len(buffer[OWNER]) > 1 -> SEEN; drain(OWNER); drain(OWNER); what } \
    :: d_step { !(LIVE) -> skip } \
    fi
/* One that waits is enough: the rest of a scan changes nothing. */
#ifdef TRACED
#define LIVE ((live >> s) & 1)         /* the program looks at all of them */
#else
#define LIVE ((live >> s) & 1 && !waiting)
#endif

/*
 * The file first: a window that is read after it is of that file or of a newer one. The window before what runs: one that is closed was
 * closed after its dispatch was counted.
 */
#ifdef TRACED
#define RAW raw = slot[s].window
#else
#define RAW skip
#endif

inline look_at()
{
#ifndef FILE_LAST
    READ(saw_file = (slot[s].file == file));
#endif
#ifdef RUNNING_FIRST
    READ(saw_running = slot[s].running);
    READ(saw_window = WINDOW_SEEN);
#else
    READ(saw_window = WINDOW_SEEN; RAW);
#ifdef TRACED
    if
    :: LIVE -> LOG(SCAN, s, raw) raw = 0
    :: else -> skip
    fi;
#endif
    READ(saw_running = slot[s].running);
#endif
#ifdef FILE_LAST
    READ(saw_file = (slot[s].file == file));
#endif
    READ(named = WINDOW_WAITS || RUNNING_WAITS; waiting = waiting || named; CLAIM(!named || seen); named = false);
    d_step {
        saw_window = 0; saw_running = false; saw_file = false; seen = false; live = live & ~(1 << s); s++
    }
}

/* One look at every living worker. One that fails changes nothing, and another may follow at any time: so one is enough here. */
inline barrier()
{
#ifdef TRACED
    do                                 /* again, until the time is over */
    ::
#endif
    d_step {
        s = 0;
        do
        :: s < SLOTS -> live = live | ((OWNER != NOBODY && !removed[s] -> 1 : 0) << s); s++
        :: else -> break
        od;
        s = 0
    };
    look_at();
#if SLOTS > 1
    look_at();
#endif
#if SLOTS > 2
    look_at();
#endif
#if SLOTS > 3
    look_at();
#endif
#if SLOTS > 4
    look_at();
#endif
#if SLOTS > 5
    look_at();
#endif
#ifdef TRACED
        if
        :: waiting -> d_step { waiting = false; s = 0; live = 0 }
        :: waiting -> LOG(GIVEUP, NOBODY, transaction) break
        :: !waiting -> told = transaction; break
        fi
    od;
    skip;
#endif
    d_step {
        if
        :: !waiting ->
            acknowledged = (revision > acknowledged -> revision : acknowledged);
            CLAIM(!unlawful(0));
#if WORKERS > 1
            CLAIM(!unlawful(1));
#endif
#if WORKERS > 2
            CLAIM(!unlawful(2));
#endif
#if WORKERS > 3
            CLAIM(!unlawful(3));
#endif
#if WORKERS > 4
            CLAIM(!unlawful(4));
#endif
#if WORKERS > 5
            CLAIM(!unlawful(5));
#endif
#if WORKERS > 6
            CLAIM(!unlawful(6));
#endif
#if WORKERS > 7
            CLAIM(!unlawful(7));
#endif
#if WORKERS > 8
            CLAIM(!unlawful(8));
#endif
#if WORKERS > 9
            CLAIM(!unlawful(9));
#endif
#if WORKERS > 10
            CLAIM(!unlawful(10));
#endif
#if WORKERS > 11
            CLAIM(!unlawful(11));
#endif
        :: else -> skip                /* gives up, and names it */
        fi;
        waiting = false; s = 0; live = 0; revision = 0; transaction = 0; file = 0
    }
#ifdef TRACED
    if
    :: told != 0 -> LOG(ACK, NOBODY, told) told = 0
    :: else -> skip
    fi
#endif
}

inline begin_revision()
{
    last_revision++;
    revision = last_revision;
    if
    :: finish_from[revision] = revision                      /* --cut */
    :: finish_from[revision] = finish_from[revision - 1]     /* --let-finish */
    fi
}

inline editor_fence()
{
    d_step { if :: commit_file != 0 -> commit_seen() :: else -> skip fi }
}

proctype editor()
{
    byte edits, restores, file, transaction, revision, s;
    bool waiting, named;
#ifdef TRACED
    byte raw, told;
#endif

    do
    :: atomic {
           edits < EDITS && path == identity_file ->
           editor_fence();
           edits++;
           file = path;
           transaction = newest[file] + 1;
           begin_revision();
           revision_of[AT(file, transaction)] = revision;
           commit_file = file;
           commit_transaction = transaction
       };
       LOG(COMMIT, NOBODY, transaction)
#ifndef NO_EDITOR_FENCE
       editor_fence();
#endif
       d_step { if :: path == file -> identity_revision = revision :: else -> skip fi };
       LOG(ANNOUNCE, NOBODY, transaction)
       barrier()
    :: atomic {                        /* the new file, complete, takes the name */
           restores < RESTORES ->
           editor_fence();
           restores++;
           file = 2;
           transaction = FIRST;
           begin_revision();
           revision_of[AT(file, transaction)] = revision;
           newest[file] = transaction;
           path = file
       };
       d_step { identity_file = file; identity_revision = revision };
       barrier()
    :: edits + (path != identity_file -> EDITS : 0) >= EDITS && restores == RESTORES -> break
    od
}

/* Somebody puts a copy of the store as it was at first in its place. */
proctype intruder()
{
    atomic { revision_of[AT(3, NUMBER - 1)] = 1; newest[3] = NUMBER - 1; path = 3 }
}

/* A new ledger, in the store by a transaction of its own. It is refused while anybody holds a slot of the one there is. */
#define NOBODY_HOLDS_ONE (FREE(0) && FREE(1) && FREE(2))

proctype replacer()
{
end:
    d_step {
#ifndef LEDGER_REMOVED
        NOBODY_HOLDS_ONE &&
#endif
        commit_file == 0 && path == 1 && last_revision == 1 ->
        ledger_from = newest[1] + 1;
        revision_of[AT(1, ledger_from)] = revision_of[AT(1, newest[1])];
        newest[1] = ledger_from;
        if :: !FREE(0) -> removed[0] = true :: else -> skip fi;
        if :: !FREE(1) -> removed[1 % SLOTS] = true :: else -> skip fi
    }
}

/* A worker dies at any step, by whatever cause. */
#ifdef TRACED
#define MAY_DIE(i) :: d_step { mine[i] == TRACED && slot_of[i] != NOBODY && !dying[i] -> dying[i] = true }
#else
#define MAY_DIE(i) :: d_step { crashes < CRASHES && slot_of[i] != NOBODY && !dying[i] -> dying[i] = true; crashes++ }
#endif

init
{
    byte i;

    atomic {
#ifdef TRACED
        trace_set();
#endif
        revision_of[AT(1, FIRST)] = 1;
        newest[1] = FIRST;
        finish_from[1] = 1;
        do
        :: i < SLOTS -> slot[i].owner = NOBODY; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < WORKERS -> slot_of[i] = NOBODY; run worker(i); i++
        :: else -> break
        od;
        run editor();
        if :: INTRUDERS > 0 -> run intruder() :: else -> skip fi;
        if :: LEDGERS > 0 -> run replacer() :: else -> skip fi;
        i = 0
    }
end:
    do
    MAY_DIE(0)
#if WORKERS > 1
    MAY_DIE(1)
#endif
#if WORKERS > 2
    MAY_DIE(2)
#endif
#if WORKERS > 3
    MAY_DIE(3)
#endif
#if WORKERS > 4
    MAY_DIE(4)
#endif
#if WORKERS > 5
    MAY_DIE(5)
#endif
#if WORKERS > 6
    MAY_DIE(6)
#endif
#if WORKERS > 7
    MAY_DIE(7)
#endif
#if WORKERS > 8
    MAY_DIE(8)
#endif
#if WORKERS > 9
    MAY_DIE(9)
#endif
#if WORKERS > 10
    MAY_DIE(10)
#endif
#if WORKERS > 11
    MAY_DIE(11)
#endif
    od
}
