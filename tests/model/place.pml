/*
 * The places of the ledger's counters (policy/ledger/counter_find.c, extents.c): counters that are looked for and made under a claim, places of windows
 * that are over given to other identities, a ledger that grows; owners that die at any step, and whoever ends what they left. Checked by
 * tests/model/check.py. counter.pml has what is simplified here: a reservation is of one counter and one unit, and changes hands in one step.
 *
 * One step is one load, store or compare-and-swap of shared memory. What holds:
 *   an identity lies in one place at most;
 *   what is counted in is the identity that was asked for, in an extent that is there;
 *   no place is taken from a counter whose window runs, or in which anything is in flight;
 * and when nothing is under way any more:
 *   each counter is the sum of what reservations owe in it, all that is owed in the window that runs is there, and no dead owner's claim or half of a place is left.
 *
 * Each of these makes a faulty variant that must fail: NO_CLAIM, CLAIM_KEPT, CLAIM_STOLEN, NOTED_AFTER, NO_RETIRE, RETIRED_BLINDLY, NO_INCARNATION, SAME_TAG,
 * WORD_FIRST, IN_USE_TAKEN, RECOVERED_UNSEEN, FREED_AS_NEVER, EXTENTS_FIRST, PUBLISHED_FIRST, IDENTITY_UNSEEN.
 */

#ifndef OWNERS
#define OWNERS 2
#endif
#ifndef TAKES
#define TAKES 1                        /* reservations of each owner */
#endif
#ifndef IDS
#define IDS 2                          /* identities */
#endif
#ifndef CLAIMS
#define CLAIMS 1                       /* words of claims */
#endif
#ifndef FIRST
#define FIRST 2                        /* places of the first extent */
#endif
#ifndef SECOND
#define SECOND 0                       /* places that growing adds */
#endif
#ifndef FILLED
#define FILLED 0                       /* places that have counters of window 1: of an identity that nobody asks for, of identity 1 */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef SWEEPS
#define SWEEPS 0                       /* looks of each owner at the other's slot */
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2                     /* a place was taken by another identity in between */
#endif
#ifndef REMAKES
#define REMAKES 1                      /* a counter was taken away before it was counted in */
#endif
#ifndef STEPS
#define STEPS 0                        /* of the clock, from window 1 to 2 */
#endif
/* LATE: an owner's clock may be behind. FLYING: counters of what is in flight, which have no window. */

#define PLACES  (FIRST + SECOND)
#define LAST    OWNERS                 /* comes when all are gone */
#define NOBODY  0
#define NEVER   0
#define AGAIN   9                      /* free again */
#define RETIRED 7
#define KEPT    (OWNERS * TAKES)
#define NONE    255
#define CLAIM   claim[want % CLAIMS]

mtype = { UNUSED, RESERVE, HELD, SETTLE, OVER };

typedef word_t { byte value; byte window; byte owner; byte seq };      /* owner: number + 1; 0: made with the place, seq is unique */
typedef slot_t { byte seq; byte done; byte lock; byte claim; byte recycles };
typedef kept_t { mtype phase; byte owner; byte seq; byte place; byte id; byte window; byte incarnation; bool owes };

word_t word[PLACES];
byte id[PLACES], incarnation[PLACES];
slot_t slot[OWNERS + 1];
kept_t kept[KEPT];
byte claim[CLAIMS];
byte unique = 0;
byte extents = 1;
bool laid_out = (SECOND == 0);
byte clock = 1, steps = 0, crashes = 0;
bool alive[OWNERS], dead[OWNERS];

#if OWNERS == 1
#define ALL_GONE (!alive[0])
#else
#define ALL_GONE (!alive[0] && !alive[1])
#endif
#define ROOM(many) (many == 1 -> FIRST : PLACES)

/* Can what it counted matter to nobody any more? */
#ifdef FLYING
#define USABLE(value_, window_) (value_ == 0)
#else
#define USABLE(value_, window_) (window_ < clock)
#endif

inline load(p)
{
    d_step { assert(p < FIRST || laid_out); v = word[p].value; w = word[p].window; o = word[p].owner; s = word[p].seq }
}
#define SAME(p) (word[p].value == v && word[p].window == w && word[p].owner == o && word[p].seq == s)
#ifdef SAME_TAG
#define NUMBER 0
#else
#define NUMBER unique
#endif

inline raise_done()
{
    atomic {
        if
        :: o != 0 && o != me + 1 && slot[o - 1].seq == s && slot[o - 1].done < s -> slot[o - 1].done = s
        :: else -> skip
        fi
    }
}

/* The identity in place p is in no other one. */
#define ALSO_IN(p, q) (q < PLACES && q != p && id[q % PLACES] == id[p] && word[q % PLACES].window != RETIRED)
#define ALONE(p) (id[p] == AGAIN || id[p] == NEVER || !(ALSO_IN(p, 0) || ALSO_IN(p, 1) || ALSO_IN(p, 2)))

/* at: where `want` is + 1; 0: nowhere. */
inline find()
{
    d_step { at = 0; i = 0; many = extents };
    do
    :: i < ROOM(many) ->
       w = word[i].window;
       d_step {
           assert(i < FIRST || laid_out);
           if
           :: id[i] == want && w != RETIRED -> at = i + 1; i = PLACES
           :: else -> if :: id[i] == NEVER -> i = PLACES :: else -> i++ fi
           fi
       }
    :: else -> break
    od;
    skip;
    d_step { i = 0; many = 0; w = 0 }
}

/* Of a place whose word is retired: v, w, o, s are that word. */
inline give_to(p, whom)
{
#ifdef WORD_FIRST
    d_step { unique++; word[p].value = 0; word[p].window = 0; word[p].owner = 0; word[p].seq = NUMBER };
    d_step { incarnation[p] = unique; id[p] = whom; assert(ALONE(p)) }
#else
    d_step { unique++; f = unique; incarnation[p] = f };
    id[p] = whom;
    d_step {
        if
        :: SAME(p) -> word[p].value = 0; word[p].window = 0; word[p].owner = 0; word[p].seq = (NUMBER == 0 -> 0 : f); assert(ALONE(p))
        :: else -> skip
        fi;
        f = 0
    }
#endif
}

/* The lock of its slot is held. */
inline recover_claim(whose)
{
    if
    :: slot[whose].recycles != 0 ->
       r = slot[whose].recycles - 1;
       load(r);
       if
#ifdef RECOVERED_UNSEEN
       :: true
#else
       :: w == RETIRED && v == whose + 1
#endif
          ->
#ifdef FREED_AS_NEVER
          give_to(r, NEVER)
#else
          give_to(r, AGAIN)
#endif
       :: else -> skip
       fi;
       slot[whose].recycles = 0
    :: else -> skip
    fi;
#ifndef CLAIM_KEPT
    d_step {
        if
        :: slot[whose].claim != 0 && claim[slot[whose].claim - 1] == whose + 1 -> claim[slot[whose].claim - 1] = NOBODY
        :: else -> skip
        fi
    };
#endif
    d_step { slot[whose].claim = 0; r = 0; v = 0; w = 0; o = 0; s = 0 }
}

inline unlock(whose) { slot[whose].lock = 0 }

/* taken: the claim is this process's; else it was not to be had. */
inline take_claim()
{
#ifdef NO_CLAIM
    taken = true;
#endif
    do
    :: taken -> break
    :: atomic { !taken && CLAIM == NOBODY -> CLAIM = me + 1; taken = true }
#ifdef CLAIM_STOLEN
    :: atomic { !taken && CLAIM != NOBODY && CLAIM != me + 1 -> CLAIM = me + 1; taken = true }
#endif
    :: atomic { !taken && CLAIM != NOBODY && CLAIM != me + 1 && slot[CLAIM - 1].lock == 0 -> h = CLAIM - 1; slot[h].lock = me + 1 };
       recover_claim(h);
       unlock(h);
       h = 0
    :: atomic { !taken && CLAIM != NOBODY && CLAIM != me + 1 && slot[CLAIM - 1].lock != 0 -> break }     /* no patience any more */
    od
}

/* Under the claim. at: the place + 1; 0: there is none. The best room is `room` - 1, seen as rid and v, w, o, s. */
inline make_claimed()
{
    retry = true;
    attempts = 0;
    do
    :: retry ->
    d_step {
        retry = false; at = 0; i = 0; room = 0; rid = 0;
#ifndef EXTENTS_FIRST
        many = extents
#endif
    };
    do
    :: i < ROOM(many) && at == 0 ->
       d_step { assert(i < FIRST || laid_out); lv = word[i].value; lw = word[i].window; lo = word[i].owner; ls = word[i].seq };
       d_step {
           if
           :: id[i] == want && lw != RETIRED -> at = i + 1
           :: else ->
              if
              :: room == 0 && (id[i] == NEVER || (lw != RETIRED && (id[i] == AGAIN || USABLE(lv, lw)))) ->
                 room = i + 1; rid = id[i]; v = lv; w = lw; o = lo; s = ls
#ifdef IN_USE_TAKEN
              :: room == 0 && id[i] != NEVER && lw != RETIRED -> room = i + 1; rid = id[i]; v = lv; w = lw; o = lo; s = ls
#endif
              :: else -> skip
              fi;
              i = (id[i] == NEVER -> PLACES : i + 1)
           fi;
           lv = 0; lw = 0; lo = 0; ls = 0
       }
    :: else -> break
    od;
    if
    :: at != 0 || room == 0 -> skip
    :: else ->
       p = room - 1;
       if
       :: rid == NEVER || rid == AGAIN ->
          d_step {
              if
              :: id[p] == rid -> id[p] = want; at = room; assert(ALONE(p))
              :: else -> skip
              fi
          }
       :: else ->
#ifndef NOTED_AFTER
          slot[me].recycles = room;
#endif
#ifdef NO_RETIRE
          d_step { unique++; incarnation[p] = unique; id[p] = want; at = room; assert(ALONE(p)) };
#else
          raise_done();
          d_step {
#ifdef RETIRED_BLINDLY
              word[p].window != RETIRED -> v = word[p].value; w = word[p].window; o = word[p].owner; s = word[p].seq;
#endif
              if
              :: SAME(p) ->
                 assert(USABLE(v, w));
                 unique++; word[p].value = me + 1; word[p].window = RETIRED; word[p].owner = 0; word[p].seq = NUMBER;
                 v = me + 1; w = RETIRED; o = 0; s = NUMBER; at = room
              :: else -> skip
              fi
          };
#ifdef NOTED_AFTER
          slot[me].recycles = room;
#endif
          if
          :: at != 0 -> give_to(p, want)
          :: else -> skip
          fi;
#endif
          slot[me].recycles = 0
       fi;
       attempts++;
       retry = (at == 0 && attempts < ATTEMPTS)
    fi
    :: else -> break
    od;
    skip;
    d_step { attempts = 0; i = 0; many = 0; room = 0; rid = 0; p = 0; v = 0; w = 0; o = 0; s = 0 }
}

inline make()
{
#ifdef EXTENTS_FIRST
    many = extents;
#endif
    at = 0;
    slot[me].claim = want % CLAIMS + 1;
    take_claim();
    if
    :: taken ->
       make_claimed();
#ifndef NO_CLAIM
       CLAIM = NOBODY;
#endif
       taken = false
    :: else -> skip
    fi;
    slot[me].claim = 0
}

/* kept[k] is this process's, which counts it as operation slot[me].seq. */
inline reserve(k)
{
    do
    :: kept[k].phase == RESERVE && at != 0 ->
       p = at - 1;
       load(p);
       if
       :: w == RETIRED -> gone = true
#ifndef IDENTITY_UNSEEN
       :: w != RETIRED && id[p] != want -> gone = true
#endif
       :: else -> skip
       fi;
       if
       :: gone -> d_step { gone = false; p = 0; v = 0; w = 0; o = 0; s = 0 }; if :: tries < REMAKES -> tries++; make() :: else -> at = 0 fi; kept[k].place = at
       :: else ->
          d_step { kept[k].window = (w < asked -> asked : w); kept[k].incarnation = incarnation[p] };
          raise_done();
          d_step {
              if
              :: SAME(p) ->
                 assert(id[p] == want);
                 word[p].value = (w < asked -> 0 : v) + 1; word[p].window = kept[k].window; word[p].owner = me + 1; word[p].seq = slot[me].seq;
                 counted = true
              :: else -> skip
              fi;
              p = 0; v = 0; w = 0; o = 0; s = 0
          };
          if
          :: counted -> d_step { counted = false; kept[k].phase = HELD; kept[k].owes = true }
          :: else -> skip
          fi
       fi
    :: kept[k].phase == RESERVE && at == 0 -> kept[k].phase = OVER       /* there is no room */
    :: else -> break
    od;
    skip;
    d_step { at = 0; asked = 0; want = 0; tries = 0 }
}

inline give_back(k)
{
    do
    :: kept[k].phase == SETTLE ->
       p = kept[k].place - 1;
       load(p);
       gone = (w != kept[k].window);
       gone = gone || id[p] != kept[k].id;
#ifndef NO_INCARNATION
       gone = gone || incarnation[p] != kept[k].incarnation;
#endif
       if
       :: gone -> counted = SAME(p)
       :: else ->
          raise_done();
          d_step {
              if
              :: SAME(p) -> word[p].value = v - 1; word[p].owner = me + 1; word[p].seq = slot[me].seq; counted = true
              :: else -> skip
              fi
          }
       fi;
       d_step { gone = false; p = 0; v = 0; w = 0; o = 0; s = 0 };
       if
       :: counted -> d_step { counted = false; kept[k].phase = OVER }
       :: else -> skip
       fi
    :: else -> break
    od
}

/* From then on it owes nothing. */
inline settle(k)
{
    d_step { slot[me].seq++; kept[k].phase = SETTLE; kept[k].owner = me; kept[k].seq = slot[me].seq; kept[k].owes = false };
    give_back(k)
}

/* What the owner `whose` left; the lock of its slot is held. */
inline recover(whose)
{
    recover_claim(whose);
    do
    :: k < KEPT ->
       if
       :: kept[k].owner != whose || kept[k].phase == UNUSED || kept[k].phase == OVER -> skip
       :: kept[k].owner == whose && kept[k].phase == HELD ->
#ifdef FLYING
          settle(k)
#else
          kept[k].phase = OVER         /* charged as it stands */
#endif
       :: kept[k].owner == whose && (kept[k].phase == RESERVE || kept[k].phase == SETTLE) ->
          counted = kept[k].place != 0 && word[kept[k].place - 1].owner == whose + 1 && word[kept[k].place - 1].seq == kept[k].seq;
          counted = counted || slot[whose].done >= kept[k].seq;
          d_step { gone = (counted == (kept[k].phase == RESERVE)); counted = false };
          if
          :: gone -> gone = false; settle(k)
          :: else -> kept[k].phase = OVER
          fi
       fi;
       k++
    :: else -> k = 0; break
    od
}

#define LOCALS_RESET \
    v = 0; w = 0; o = 0; s = 0; lv = 0; lw = 0; lo = 0; ls = 0; at = 0; i = 0; many = 0; want = 0; asked = 0; room = 0; rid = 0; p = 0; r = 0; h = 0; f = 0; n = 0; \
    k = 0; attempts = 0; tries = 0; taken = false; gone = false; counted = false; retry = false

proctype process(byte me)
{
    byte v, w, o, s, lv, lw, lo, ls, at, i, many, want, asked, room, rid, p, r, h, f, n, k, takes, sweeps, attempts, tries;
    bool taken, gone, counted, retry;

    {
        atomic { me != LAST || ALL_GONE -> slot[me].lock = me + 1 };
        do
        :: me < LAST && takes < TAKES && (takes == 0 || kept[me * TAKES + takes - 1].phase == OVER || kept[me * TAKES + takes - 1].phase == HELD) ->
           d_step {
               k = me * TAKES + takes; takes++;
#ifdef FLYING
               asked = 0
#else
               asked = clock
#endif
           };
           if
           :: want = 1
#if IDS > 1
           :: want = 2
#endif
           fi;
#ifdef LATE
           if :: asked = 1 :: skip fi;
#endif
           find();
           if
           :: at == 0 -> make()
           :: else -> skip
           fi;
           if
           :: at == 0 -> d_step { kept[k].phase = OVER; want = 0; asked = 0; k = 0 }
           :: else ->
              d_step {
                  slot[me].seq++;
                  kept[k].phase = RESERVE; kept[k].owner = me; kept[k].seq = slot[me].seq; kept[k].place = at; kept[k].id = want
              };
              reserve(k);
              k = 0
           fi
        :: me < LAST && takes > 0 && kept[me * TAKES + takes - 1].phase == HELD ->
           k = me * TAKES + takes - 1;
           settle(k);
           k = 0
        :: me < LAST && takes > 0 && kept[me * TAKES].phase == HELD && takes == TAKES -> k = me * TAKES; settle(k); k = 0
        :: atomic { me < LAST && sweeps < SWEEPS && OWNERS > 1 && slot[(me + 1) % OWNERS].lock == 0 -> sweeps++; h = (me + 1) % OWNERS; slot[h].lock = me + 1 };
           recover(h);
           unlock(h);
           h = 0
        :: me == LAST -> 
           recover(0);
#if OWNERS > 1
           recover(1);
#endif
           break
#ifdef FLYING
        :: me < LAST && takes == TAKES && kept[me * TAKES].phase == OVER && kept[me * TAKES + TAKES - 1].phase == OVER -> break
#else
        :: me < LAST && takes == TAKES && kept[me * TAKES + TAKES - 1].phase != RESERVE -> break     /* what it holds is charged by who comes */
#endif
        od;
        skip;
        d_step { LOCALS_RESET; if :: me < LAST -> alive[me] = false; slot[me].lock = 0 :: else -> skip fi };
        goto ended
    } unless {
        atomic { me < LAST && dead[me % OWNERS] -> dead[me] = false; LOCALS_RESET; alive[me] = false; goto ended }
    };
ended:
    if
    :: me == LAST ->
       d_step {
           do
           :: i < KEPT ->
              assert(kept[i].phase == OVER || kept[i].phase == UNUSED);
              p = (kept[i].place == 0 -> 0 : kept[i].place - 1);
              assert(!kept[i].owes || kept[i].window < clock || (id[p] == kept[i].id && incarnation[p] == kept[i].incarnation));
              i++
           :: else -> break
           od;
           i = 0;
           do
           :: i < CLAIMS -> assert(claim[i] == NOBODY); i++
           :: else -> break
           od;
           i = 0;
           do
           :: i < PLACES ->
              assert(word[i].window != RETIRED);
              n = 0; k = 0;
              do
              :: n < KEPT ->
                 if
                 :: kept[n].owes && kept[n].place == i + 1 && kept[n].incarnation == incarnation[i] && kept[n].window == word[i].window -> k++
                 :: else -> skip
                 fi;
                 n++
              :: else -> break
              od;
              assert(word[i].value == k);
              i++
           :: else -> break
           od;
           i = 0; n = 0; k = 0
       }
    :: else -> skip
    fi
}

/* The kernel gives the locks of the dead back. */
#define DROP(j, i) if :: slot[j].lock == i + 1 -> slot[j].lock = 0 :: else -> skip fi
#define MAY_DIE(i) :: d_step { crashes < CRASHES && alive[i] && !dead[i] && slot[i].lock == i + 1 -> \
        dead[i] = true; crashes++; DROP(0, i); DROP(1 % OWNERS, i) }

proctype grower()
{
#ifdef PUBLISHED_FIRST
    extents = 2;
    laid_out = true
#else
    laid_out = true;
    extents = 2
#endif
}

init
{
    byte i;

    atomic {
        do
        :: i < KEPT -> kept[i].phase = UNUSED; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < OWNERS -> alive[i] = true; run process(i); i++
        :: else -> break
        od;
        run process(LAST);
        do
        :: i > OWNERS && i - OWNERS <= FILLED -> id[i - OWNERS - 1] = (i - OWNERS == 1 -> 3 : 1); word[i - OWNERS - 1].window = 1; i++
        :: i == OWNERS -> i++
        :: i > OWNERS && i - OWNERS > FILLED -> break
        od;
        if :: SECOND > 0 -> run grower() :: else -> skip fi;
        i = 0
    };
    do
    MAY_DIE(0)
#if OWNERS > 1
    MAY_DIE(1)
#endif
    :: d_step { steps < STEPS && !(ALL_GONE) -> clock++; steps++ }
    :: ALL_GONE -> break
    od
}
