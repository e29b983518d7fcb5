/*
 * The ledger's counters: reservations of several owners, deaths at every step, recovery by whoever comes, by a recoverer that dies in its turn
 * and by the next owner of the slot, windows that roll over, a clock that steps back. Checked by tests/model/check.py.
 *
 * One step is one load, store or compare-and-swap of shared memory; a counter's word (value, window, owner, seq) is loaded and swapped whole,
 * as 16 bytes are. What is written where nobody looks before a later store (the set that is not in use) goes in one step. Everything the
 * protocol reads of another process it reads behind a word that this process stored later, so order is that of release and acquire, and
 * stores may be taken as done at once.
 *
 * What it is held against, when nothing is under way any more:
 *   a counter is the sum of what its reservations owe in its window: what was settled, nothing where it was undone or refused, all that was
 *   reserved where the owner died holding it; what is in flight comes back to 0;
 * and at all times:
 *   what is owed never goes over the limit but by what was used above a reservation.
 * What is owed is kept beside the protocol (owed, truth, excess): no step of it reads them.
 *
 * Each of these makes a faulty variant that must fail: NO_DONE, DONE_AFTER_SWAP, DONE_STORED, DONE_FIRST, REUSE_FIRST, IN_ANY_ORDER, SEQ_RESET, SEQ_AFTER, NO_OWNER,
 * PROGRESS_FIRST, FETCH_ADD, BLIND_SWAP, LIMIT_OUTSIDE, UNDO_ANY_WINDOW, SETTLE_AT_NOW, OLD_WINDOW_RESETS,
 * WINDOW_AS_ASKED, WINDOW_AFTER, NO_FLIP,
 * FLIP_FIRST, HELD_UNDONE, NO_LOCK, IN_FLIGHT_KEPT.
 */

#ifndef OWNERS
#define OWNERS 2
#endif
#ifndef SWEEPERS
#define SWEEPERS 0                     /* processes that only recover */
#endif
#ifndef TAKES
#define TAKES 1                        /* reservations of each owner, over all its lives */
#endif
#ifndef SWEEPS
#define SWEEPS 1                       /* looks of each owner at another slot */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LIVES
#define LIVES 1                        /* of each process: the next one takes the slot of the dead one */
#endif
#ifndef ITEMS
#define ITEMS 1                        /* counters of a reservation; the second is of what is in flight */
#endif
#ifndef SPARE
#define SPARE 0                        /* further reservations of each owner, open beside the first */
#endif
#ifndef STEPS
#define STEPS 0                        /* of the clock, forwards and back between window 1 and 2 */
#endif
/* ONE_END: what is held is settled at less than was reserved, and in no other way. */

#define PROCESSES (OWNERS + SWEEPERS)
#define LAST      PROCESSES            /* comes when all are gone */
#define SLOTS     (PROCESSES + 1)
#define KEPT      (OWNERS * (1 + SPARE))
#define NOBODY    255
#define NONE      255
#define AMOUNT    2                    /* reserved of each item */
#define LESS      1
#define MORE      3                    /* really used, when it is not as much */
#ifndef LIMIT
#define LIMIT     3                    /* one fits; two do when the first used less */
#endif
#define OF(k, n)  ((k) * ITEMS + (n))
#define AT(k)     (kept[k].set[side].start + kept[k].set[side].progress)     /* the item that is next */
#define TRUTH(n, window) ((n) * 3 + (window))

mtype = { FREE, RESERVE, HELD, SETTLE, UNDO };

typedef word_t { byte value; byte window; byte owner; byte seq };
typedef slot_t { byte seq; byte done; byte lock };           /* lock: its holder's number + 1 */
typedef set_t  { byte first; byte start; byte progress };
typedef kept_t { mtype phase; byte side; byte owner; byte count; set_t set[2] };

word_t counter[ITEMS];
slot_t slot[SLOTS];
kept_t kept[KEPT];                     /* phase, side, owner, count are one word */
byte window[KEPT * ITEMS];
byte actual[KEPT * ITEMS];
byte now = 1;

/* Beside the protocol. */
byte owed[KEPT * ITEMS];
byte truth[ITEMS * 3];                 /* of reservations that are over, by window */
byte excess[ITEMS * 3];
bool alive[SLOTS], dead[SLOTS];
byte crashes = 0, steps = 0;

#define ALL_GONE (!alive[0] && !alive[1 % PROCESSES] && !alive[2 % PROCESSES])

/* ---- one operation of reservation k: item `at`, under the seq `number`, in the process's `phase` ---- */

/* Whoever is behind the tag that is to go learns that its operation is in, if it may not know. */
inline raise_done()
{
    if
#if !defined(NO_DONE) && !defined(FETCH_ADD)
#ifdef DONE_STORED
    :: o != NOBODY && o != me && slot[o].seq == s -> slot[o].done = s
#else
    :: atomic { o != NOBODY && o != me && slot[o].seq == s -> seen = slot[o].done };
       do
       :: atomic { seen < s && slot[o].done == seen -> slot[o].done = s; seen = s }
       :: atomic { seen < s && slot[o].done != seen -> seen = slot[o].done }
       :: seen >= s -> break
       od
#endif
#endif
    :: else -> skip
    fi
}

#define ASKED  (at == 0 -> asked : 0)
#define USED   (phase == SETTLE -> actual[OF(k, at)] : 0)
#ifdef OLD_WINDOW_RESETS
#define BEGINS w != ASKED
#else
#define BEGINS w < ASKED
#endif
#if defined(BLIND_SWAP)
#define SAME true
#else
#define SAME (counter[at].value == v && counter[at].window == w && counter[at].owner == o && counter[at].seq == s)
#endif
#ifdef NO_OWNER
#define TAG 0
#else
#define TAG me
#endif

/* out: it was refused. */
inline operate(k)
{
#ifdef PROGRESS_FIRST
    kept[k].set[side].progress++;
#endif
#ifndef SEQ_AFTER
    slot[me].seq = number;
#endif
    do
    :: swapped || out -> break
    :: else ->
       d_step {
           v = counter[at].value; w = counter[at].window; o = counter[at].owner; s = counter[at].seq;
           nw = w;
           nv = v + (phase == RESERVE -> AMOUNT : USED - AMOUNT);
           if
           :: phase == RESERVE && BEGINS -> nw = ASKED; nv = AMOUNT
           :: else -> skip
           fi;
           if
           :: phase == RESERVE -> out = nv > LIMIT
#if defined(SETTLE_AT_NOW)
           :: phase != RESERVE && w < (at == 0 -> now : 0) -> nw = now; nv = USED
#elif !defined(UNDO_ANY_WINDOW)
           :: phase != RESERVE && w != window[OF(k, at)] -> swapped = true; nw = NONE      /* it has moved on: nothing is to be done */
#endif
           :: else -> skip
           fi
       };
       if
       :: out || nw == NONE -> skip
       :: else ->
#ifndef WINDOW_AFTER
          if
#ifdef WINDOW_AS_ASKED
          :: phase == RESERVE -> window[OF(k, at)] = ASKED
#else
          :: phase == RESERVE -> window[OF(k, at)] = nw
#endif
          :: else -> skip
          fi;
#endif
#ifndef DONE_AFTER_SWAP
          raise_done();
#endif
          if
#ifdef FETCH_ADD
          :: d_step { counter[at].value = (nw == counter[at].window -> counter[at].value + nv - v : nv); counter[at].window = nw; swapped = true }
#else
#ifdef LIMIT_OUTSIDE
          :: d_step {                  /* it had room when it was looked at */
                 phase == RESERVE && nw >= counter[at].window ->
                 nv = (nw == counter[at].window -> counter[at].value : 0) + AMOUNT; o = counter[at].owner; s = counter[at].seq;
                 if :: o != NOBODY && o != me && slot[o].done < s -> slot[o].done = s :: else -> skip fi;
                 counter[at].value = nv; counter[at].window = nw; counter[at].owner = me; counter[at].seq = number; swapped = true
             }
#endif
          :: d_step { SAME -> counter[at].value = nv; counter[at].window = nw; counter[at].owner = TAG; counter[at].seq = number; swapped = true }
#endif
          :: else -> skip
          fi;
#ifdef DONE_AFTER_SWAP
          if :: swapped -> raise_done() :: else -> skip fi;
#endif
#ifdef WINDOW_AFTER
          if :: swapped && phase == RESERVE -> window[OF(k, at)] = nw :: else -> skip fi;
#endif
          skip
       fi
    od;
#ifdef SEQ_AFTER
    slot[me].seq = number;
#endif
    skip;
    d_step {
#ifndef PROGRESS_FIRST
        if :: !out -> kept[k].set[side].progress++ :: else -> skip fi;
#endif
        v = 0; w = 0; o = 0; s = 0; nv = 0; nw = 0; seen = 0; swapped = false; at = 0; number = 0
    }
}

/* ---- a reservation's ways ---- */

/* The next phase: its set first, then the word that makes it so. */
inline turn(k, what, from, to)
{
    d_step {
        kept[k].set[1 - side].first = slot[me].seq + 1;
        kept[k].set[1 - side].start = from;
        kept[k].set[1 - side].progress = 0
    };
    d_step { kept[k].phase = what; kept[k].side = 1 - side; kept[k].owner = me; kept[k].count = to; side = 1 - side; phase = what }
}

inline begin(k)
{
    d_step {
        asked = now;
        side = kept[k].side;
        kept[k].set[side].first = slot[me].seq + 1; kept[k].set[side].start = 0; kept[k].set[side].progress = 0
    };
    d_step { kept[k].phase = RESERVE; kept[k].owner = me; kept[k].count = ITEMS; phase = RESERVE }
}

/* The owner ends what it holds: from then on it owes what was used. */
inline end(k, what, used)
{
    d_step { side = kept[k].side; actual[OF(k, 0)] = used };
    d_step {
        kept[k].set[1 - side].first = slot[me].seq + 1; kept[k].set[1 - side].start = 0; kept[k].set[1 - side].progress = 0
    };
    d_step {
        kept[k].phase = what; kept[k].side = 1 - side; kept[k].count = ITEMS; side = 1 - side; phase = what;
        owed[OF(k, ITEMS - 1)] = 0;
        owed[OF(k, 0)] = used;
        if :: used > AMOUNT -> excess[TRUTH(0, window[OF(k, 0)])] = excess[TRUTH(0, window[OF(k, 0)])] + used - AMOUNT :: else -> skip fi
    }
}

/* What a reservation that is now held owes; no limit is broken by it. */
inline held(k)
{
    d_step {
        kept[k].phase = HELD;
        n = 0;
        do
        :: n < ITEMS ->
           owed[OF(k, n)] = AMOUNT;
           sum = truth[TRUTH(n, window[OF(k, n)])];
           other = 0;
           do
           :: other < KEPT ->
              if
              :: kept[other].phase != FREE && window[OF(other, n)] == window[OF(k, n)] -> sum = sum + owed[OF(other, n)]
              :: else -> skip
              fi;
              other++
           :: else -> break
           od;
           assert(sum <= LIMIT + excess[TRUTH(n, window[OF(k, n)])]);
           n++
        :: else -> break
        od;
        n = 0; other = 0; sum = 0; phase = 0; side = 0; asked = 0; one = 0
    }
}

inline free(k)
{
    d_step {
        kept[k].phase = FREE;
        n = 0;
        do
        :: n < ITEMS ->
           truth[TRUTH(n, window[OF(k, n)])] = truth[TRUTH(n, window[OF(k, n)])] + (n == 0 -> owed[OF(k, n)] : 0);
           owed[OF(k, n)] = 0;
           window[OF(k, n)] = 0;
           actual[OF(k, n)] = 0;
           n++
        :: else -> break
        od;
        n = 0; phase = 0; side = 0; one = 0; asked = 0
    }
}

/* ---- recovery of reservation k: the lock of slot `dead_slot` is held ---- */

/* Is the operation under way in? The counter's tag before done: whoever takes the tag away has raised done before. */
inline was_applied(k)
{
    at = AT(k);
    applied = 0;
    if
    :: at < kept[k].count ->
       number = kept[k].set[side].first + kept[k].set[side].progress;
#ifdef FETCH_ADD
       skip
#elif defined(DONE_FIRST)
       applied = (slot[dead_slot].done >= number -> 1 : 0);
       if :: counter[at].owner == dead_slot && counter[at].seq == number -> applied = 1 :: else -> skip fi
#else
#ifdef NO_OWNER
       applied = (counter[at].seq == number -> 1 : 0);
#else
       applied = (counter[at].owner == dead_slot && counter[at].seq == number -> 1 : 0);
#endif
       if :: slot[dead_slot].done >= number -> applied = 1 :: else -> skip fi
#endif
    :: else -> skip
    fi;
    at = at + applied;
    applied = 0
}

inline adopt(k)
{
    d_step { side = kept[k].side; phase = kept[k].phase };
    if
#ifdef HELD_UNDONE
    :: phase == HELD -> turn(k, UNDO, 0, ITEMS)
#else
    :: phase == HELD ->
       d_step {
           actual[OF(k, 0)] = AMOUNT;
#ifdef IN_FLIGHT_KEPT
           actual[OF(k, ITEMS - 1)] = AMOUNT
#endif
       };
       turn(k, SETTLE, 0, ITEMS)
#endif
    :: phase == RESERVE -> was_applied(k); turn(k, UNDO, 0, at)
    :: phase == UNDO || phase == SETTLE ->
#ifdef FLIP_FIRST
       kept[k].owner = me;
#endif
       was_applied(k);
#ifdef NO_FLIP
       kept[k].owner = me;
       kept[k].set[side].start = at;
       kept[k].set[side].first = slot[me].seq + 1;
       kept[k].set[side].progress = 0
#else
       turn(k, phase, at, kept[k].count)
#endif
    fi
}

/* ---- processes ---- */

#define LOCALS_RESET \
    v = 0; w = 0; o = 0; s = 0; nv = 0; nw = 0; seen = 0; asked = 0; at = 0; number = 0; side = 0; n = 0; other = 0; sum = 0; which = 0; \
    applied = 0; phase = 0; out = false; swapped = false; all = ALL_AT_ONCE; dead_slot = NONE; one = 0
#ifdef NO_LOCK
#define TRY_LOCK(j) slot[j].lock == 0
#else
#define TRY_LOCK(j) slot[j].lock == 0 -> slot[j].lock = me + 1
#endif
/* Those in doubt first: in its own slot the next owner takes new numbers for the others, and what was done is not told any more. */
#ifdef IN_ANY_ORDER
#define ALL_AT_ONCE true
#else
#define ALL_AT_ONCE false
#endif
#define TO_ADOPT(k) (kept[k].phase != FREE && kept[k].owner == dead_slot && (all || kept[k].phase != HELD))
#define IDLE    (phase == 0 && dead_slot == NONE)
#define MINE(k) (kept[k].phase == HELD && kept[k].owner == me)

proctype process(byte me)
{
    byte v, w, o, s, nv, nw, seen, asked, at, number, side, n, other, sum, which, applied, one, dead_slot = NONE, takes, sweeps, lives;
    mtype phase;                       /* of reservation `one`, which is being worked on; 0: none is */
    bool out, swapped, all = ALL_AT_ONCE;   /* all: those in doubt are over, those that are held come next */

life:
    {
        atomic {
            slot[me].lock == 0 && (me != LAST || ALL_GONE) ->
            slot[me].lock = me + 1;
            lives++;
#ifdef REUSE_FIRST
            dead_slot = (me == LAST -> 0 : NONE)
#else
            dead_slot = (me == LAST -> 0 : me)
#endif
        };
#ifdef SEQ_RESET
        d_step { slot[me].seq = 0; slot[me].done = 0 };
#endif
next:
        do
        /* work */
        :: phase != 0 && !out && AT(one) < kept[one].count ->
           at = AT(one);
           number = kept[one].set[side].first + kept[one].set[side].progress;
           operate(one)
        :: phase == RESERVE && out -> out = false; at = AT(one); turn(one, UNDO, 0, at)
        :: phase == RESERVE && !out && AT(one) == kept[one].count -> held(one)
        :: (phase == UNDO || phase == SETTLE) && AT(one) == kept[one].count -> free(one)

        /* recovery, reservation by reservation */
        :: atomic {
               phase == 0 && dead_slot != NONE && which < KEPT ->
               if
               :: TO_ADOPT(which) -> one = which
               :: else -> which++; goto next
               fi
           };
           adopt(one);
           which++
#ifndef IN_ANY_ORDER
        :: d_step { phase == 0 && dead_slot != NONE && which == KEPT && !all -> which = 0; all = true }
#endif
        :: d_step {
               phase == 0 && dead_slot != NONE && which == KEPT && all ->
               all = ALL_AT_ONCE;
#ifndef NO_LOCK
               if :: dead_slot != me && me != LAST -> slot[dead_slot].lock = 0 :: else -> skip fi;
#endif
               which = 0;
               dead_slot = (me == LAST && dead_slot + 1 < LAST -> dead_slot + 1 : NONE)
           }

        /* the owner's own */
        :: IDLE && takes < TAKES && me < OWNERS && kept[me].phase == FREE -> takes++; one = me; begin(one)
        :: IDLE && me < OWNERS && MINE(me) ->
           one = me;
           if
           :: end(one, SETTLE, LESS)
#ifndef ONE_END
           :: end(one, SETTLE, MORE)
           :: end(one, UNDO, 0)
#endif
           fi
#if SPARE > 0
        :: IDLE && takes < TAKES && me < OWNERS && kept[me + OWNERS].phase == FREE -> takes++; one = me + OWNERS; begin(one)
        :: IDLE && me < OWNERS && MINE(me + OWNERS) -> one = me + OWNERS; end(one, SETTLE, LESS)
#endif
        :: IDLE && sweeps < (me < OWNERS -> SWEEPS : 1) && me != LAST ->
           sweeps++;
           if :: n = (me + 1) % PROCESSES :: PROCESSES > 2 -> n = (me + 2) % PROCESSES fi;
           if :: atomic { n != me && TRY_LOCK(n); dead_slot = n } :: else -> skip fi;
           n = 0
        :: IDLE -> break
        od;
        skip;
        d_step { alive[me] = false; slot[me].lock = 0; LOCALS_RESET };
        goto ended
    } unless {
        atomic {
            dead[me];
            dead[me] = false;
            LOCALS_RESET;
            if :: lives < LIVES -> goto life :: else -> alive[me] = false; goto ended fi
        }
    };
ended:
    if
    :: me == LAST ->                   /* nobody is left, and everything must be there */
       do
       :: n < KEPT -> assert(kept[n].phase == FREE); n++
       :: else -> break
       od;
       assert(counter[0].value == truth[TRUTH(0, counter[0].window)]);
       assert(ITEMS == 1 || counter[ITEMS - 1].value == 0)
    :: else -> skip
    fi
}

/* The kernel gives the locks of the dead back. */
#define MAY_DIE(i) :: d_step { crashes < CRASHES && alive[i] && !dead[i] && slot[i].lock == i + 1 -> \
        dead[i] = true; crashes++; DROP(0, i); DROP(1, i); DROP(2 % SLOTS, i) }
#define DROP(j, i) if :: slot[j].lock == i + 1 -> slot[j].lock = 0 :: else -> skip fi

init
{
    byte i;

    atomic {
        do
        :: i < KEPT -> kept[i].phase = FREE; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < ITEMS -> counter[i].owner = NOBODY; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < PROCESSES -> alive[i] = true; run process(i); i++
        :: else -> break
        od;
        run process(LAST);
        i = 0
    };
    do
    MAY_DIE(0)
#if PROCESSES > 1
    MAY_DIE(1)
#endif
#if PROCESSES > 2
    MAY_DIE(2)
#endif
    :: d_step { steps < STEPS && !(ALL_GONE) -> now = 3 - now; steps++ }
    :: ALL_GONE -> break
    od
}
