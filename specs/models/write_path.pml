/*
 * The write path once more, for Spin: the machine of write_path.tla in other words.
 *
 * Sets of numbers are words of bits, number n being bit n-1.  Where the other model gives each frame a word ("dirty",
 * "ghost", "durable"), this one has three sets.  Each option of the one process below is one step, so both models must
 * have the same number of states and of transitions; a test asserts it.
 *
 *     spin -DN=4 -DCAP=2 -DCRASHES=2 -DFAULTS=1 -DPOLICY=EVERYSEC -a write_path.pml
 *     gcc -O2 -DSAFETY -DNOREDUCE -DNOFAIR -o pan pan.c && ./pan -E -m1000000
 *
 * A mistake is made on purpose with -DMUTANT=ACK_BEFORE_FSYNC and so on.
 */

#define ALWAYS 0
#define EVERYSEC 1
#define NO 2

#define NONE 0
#define ACK_BEFORE_FSYNC 1
#define ACK_BEFORE_WRITE 2
#define ROTATION_UNSYNCED 3
#define BASE_UNSYNCED 4
#define FSYNC_RETRIED 5
#define NOT_POISONED 6
#define CUT_UNSYNCED 7
#define SEQ_REUSED 8
#define REMOVED_EARLY 9
#define NO_WINDOW 10
#define TAIL_NOT_REWRITTEN 11
#define PROMISE_AHEAD 12
#define SYNC_COVERS_LATER_WRITES 13
#define HOLE_SKIPPED 14

#ifndef MUTANT
#define MUTANT NONE
#endif

/* Sets of numbers. */
#define UP_TO(n) ((1 << (n)) - 1)
#define FROM_TO(a, b) (UP_TO(b) & ~UP_TO((a) - 1))        /* empty if b is a-1 */
#define ALL UP_TO(N)
#define IN(n, s) (((s) >> ((n) - 1)) & 1)
#define ONLY(n) (1 << ((n) - 1))
#define LEAST(a, b) ((a) < (b) -> (a) : (b))

/* Phases. */
#define DOWN 0
#define OPEN 1
#define POISONED 2
#define REVERTED 3
#define REWRITTEN 4
#define SETTLED 5
#define INCOMPLETE 6
#define UNVOUCHED 7

/* What is being published. */
#define NOTHING 0
#define SEGMENT 1
#define BASE 2
#define CLOSE 3
#define OPENING 4

/* --- the disk ---------------------------------------------------------------------------------------------------- */

typedef Manifest {
    byte base;      /* the numbers in the base */
    byte log;       /* the numbers in sealed segments */
    byte first = 1; /* the first number of the open segment */
    byte closed = 1 /* there is none */
};

Manifest seen;      /* as programs see it */
Manifest kept;      /* what a power loss may leave in its place */
byte doubted;       /* a sync of the directory has failed: the next one proves nothing of what it covered */
byte dirty;         /* frames that a sync would make durable */
byte ghost;         /* frames whose sync failed: seen, and clean */
byte solid;         /* durable frames */
byte promise[N + 1];
byte base_dirty;    /* likewise bases, each under the number up to which it reaches */
byte base_solid;

/* --- the owner --------------------------------------------------------------------------------------------------- */

byte phase;
byte publishing;
byte applied;
byte written;
byte synced;
byte syncing;
byte rewriting;

/* --- what was told, and how often something may go wrong ----------------------------------------------------------- */

byte told_written;
byte told_synced;
byte recent;
byte old;
byte given;
byte history;
byte crashes;
byte faults;

/* --- words that are no part of the state --------------------------------------------------------------------------- */

hidden byte i;
hidden byte last;       /* the end of what recovery finds */
hidden byte tail;
hidden byte promised;
hidden byte set;
hidden byte lost;

hidden byte C1_Prefix = true;
hidden byte C2_ProcessCrash = true;
hidden byte C3_PowerLossSynced = true;
hidden byte C4_PowerLossEverysec = true;
hidden byte C5_PublishedIsSynced = true;
hidden byte C6_AlwaysAWayToOpen = true;
hidden byte C7_FailStop = true;
hidden byte C8_NoPromiseIsBroken = true;
hidden byte NumbersAreFresh = true;
hidden byte Order = true;

#define THERE (dirty | ghost | solid)
#define PENDING FROM_TO(written + 1, applied)
#define LIVE (seen.base | seen.log | FROM_TO(seen.first, applied))
#define RUNNING (phase == OPEN || phase == POISONED || phase == REVERTED)
#define RECOVERING (phase == REWRITTEN || phase == SETTLED)
#define UNSURE (dirty | ghost | PENDING)
#define MAY_FAIL (faults < FAULTS)
#define REPLACED (THERE & UP_TO(seen.first - 1) & ~seen.log)

/* The highest number of a set (N is 4 at most). */
#define TOP(s) ((s) & 8 -> 4 : ((s) & 4 -> 3 : ((s) & 2 -> 2 : ((s) & 1))))
#define NAMED(m) (m.base -> 1 << (TOP(m.base) - 1) : 0)
#define IN_THE_MAKING (rewriting -> ONLY(rewriting) : 0)
#define BASE_IN_DOUBT(m) (base_dirty & NAMED(m))

inline take(to, from) {
    to.base = from.base;
    to.log = from.log;
    to.first = from.first;
    to.closed = from.closed
}

inline forget(s) {
    for (i : 1 .. N) {
        if
        :: IN(i, s) -> promise[i] = 0
        :: else
        fi
    }
}

/* Go through the open segment as recovery does, up to the first frame that is missing. */
inline look() {
    last = seen.first - 1;
    promised = 0;
    i = seen.first;
    do
    :: i <= N && i < seen.first + CAP && !seen.closed ->
        if
        :: IN(i, THERE) ->
            if
            :: last == i - 1 || MUTANT == HOLE_SKIPPED -> last = i
            :: else
            fi;
            if
            :: promise[i] > promised -> promised = promise[i]
            :: else
            fi
        :: else
        fi;
        i++
    :: else -> break
    od;
    tail = FROM_TO(seen.first, last) & THERE
}

/* Into `set`: whether all is there that the manifest names. */
inline everything_is_named() {
    set = ((NAMED(seen) & ~(base_dirty | base_solid)) | (seen.log & ~THERE)) == 0
}

inline stop() {
    phase = DOWN;
    publishing = NOTHING;
    applied = 0;
    written = 0;
    synced = 0;
    syncing = 0;
    rewriting = 0
}

/* The contract, looked at after every step. */
inline check() {
    if
    :: phase == REWRITTEN ->
        look();
        set = seen.base | seen.log | tail;
        C1_Prefix = set == (history & UP_TO(TOP(set)));
        C2_ProcessCrash = told_written <= last;
        C3_PowerLossSynced = told_synced <= last;
        C4_PowerLossEverysec = old <= last
    :: else
    fi;
    C5_PublishedIsSynced = (((NAMED(seen) | NAMED(kept)) & ~base_solid) | ((seen.log | kept.log) & ~solid)) == 0;
    C6_AlwaysAWayToOpen = phase != INCOMPLETE;
    C8_NoPromiseIsBroken = phase != UNVOUCHED;
    if
    :: phase == OPEN ->
        set = FROM_TO(seen.first, applied) & UP_TO(synced);
        C7_FailStop = (set & ~solid) == 0;
        NumbersAreFresh = given <= applied;
        Order = synced <= written && written <= applied
    :: else
    fi;
    assert(C1_Prefix);
    assert(C2_ProcessCrash);
    assert(C3_PowerLossSynced);
    assert(C4_PowerLossEverysec);
#ifndef CRASHES_ONLY    /* what a crash shows, and not what already leads to it */
    assert(C5_PublishedIsSynced);
    assert(C7_FailStop);
#endif
    assert(C6_AlwaysAWayToOpen);
    assert(C8_NoPromiseIsBroken);
    assert(NumbersAreFresh);
    assert(Order)
}

inline crash() {
    crashes++;
    if
    :: RUNNING -> history = LIVE
    :: else
    fi;
    recent = 0
}

/* Power is lost; of what is unsure, `stay` stays.  which: 0 the manifest that is seen, 1 the one that was kept. */
inline power_loss(stay, which, base_stays) {
    crash();
    told_written = 0;
    lost = UNSURE & ~(stay);
    if
    :: which -> take(seen, kept)
    :: else -> take(kept, seen)
    fi;
    doubted = 0;
    solid = solid | (UNSURE & (stay));
    dirty = 0;
    ghost = 0;
    forget(lost);
    set = NAMED(seen);
    base_solid = set & (base_solid | (base_stays -> base_dirty : 0));
    base_dirty = 0;
    stop()      /* what is found is checked once recovery has looked at it */
}

inline drop_pages(stay) {
    faults++;
    lost = dirty & ~(stay);
    forget(lost);
    solid = solid | (stay);
    dirty = 0
}

#define DIFFERENT (seen.base != kept.base || seen.log != kept.log || seen.first != kept.first || seen.closed != kept.closed)

#define MORTAL (crashes < CRASHES && phase != INCOMPLETE && phase != UNVOUCHED)
#define POWER(s) \
    :: d_step { MORTAL && ((s) & ~UNSURE) == 0 -> power_loss(s, 0, true) } \
    :: d_step { MORTAL && ((s) & ~UNSURE) == 0 && DIFFERENT -> power_loss(s, 1, true) } \
    :: d_step { MORTAL && ((s) & ~UNSURE) == 0 && BASE_IN_DOUBT(seen) -> power_loss(s, 0, false) } \
    :: d_step { MORTAL && ((s) & ~UNSURE) == 0 && DIFFERENT && BASE_IN_DOUBT(kept) -> power_loss(s, 1, false) }

/* A sync fails, and of the pages only those in `stay`, written back before, are seen again: of an owner, or in recovery. */
#define DROP(stay) \
    :: d_step { \
        phase == OPEN && syncing > 0 && MAY_FAIL && ((stay) & ~dirty) == 0 -> \
        drop_pages(stay); \
        phase = REVERTED; \
        syncing = 0; \
        check() \
    } \
    :: d_step { \
        phase == REWRITTEN && MAY_FAIL && ((stay) & ~dirty) == 0 -> \
        drop_pages(stay); \
        told_written = 0; \
        stop() \
    }

/* A process crash, after which `k` is the last number in the page cache. */
#define KILL(k) \
    :: d_step { \
        crashes < CRASHES && (RUNNING || RECOVERING) && written <= (k) && (k) <= applied -> \
        crash(); \
        if \
        :: phase == REVERTED -> told_written = 0 \
        :: else \
        fi; \
        dirty = dirty | FROM_TO(written + 1, k); \
        set = FROM_TO((k) + 1, applied); \
        forget(set); \
        set = NAMED(seen) | NAMED(kept); \
        base_dirty = base_dirty & set; \
        base_solid = base_solid & set; \
        stop(); \
        check() \
    }

active proctype directory() {
    do
    /* --- commit ----------------------------------------------------------------------------------------------------- */
    :: d_step { /* append */
        phase == OPEN && publishing != SEGMENT && publishing != CLOSE && applied < N && applied + 1 < seen.first + CAP ->
        promise[applied + 1] = (MUTANT == PROMISE_AHEAD -> applied : synced);
        applied++;
        if
        :: applied > given -> given = applied
        :: else
        fi;
        check()
    }
    :: d_step { /* write */
        phase == OPEN && written < applied ->
        ghost = ghost & ~PENDING;
        solid = solid & ~PENDING;
        dirty = dirty | PENDING;
        written = applied;
        check()
    }
    :: d_step { /* a write fails */
        phase == OPEN && written < applied && MAY_FAIL ->
        faults++;
        phase = POISONED;
        check()
    }
    :: d_step { /* a sync begins */
        phase == OPEN && syncing == 0 && synced < written ->
        syncing = written;
        check()
    }
    :: d_step { /* and ends */
        phase == OPEN && syncing > 0 ->
        set = dirty & UP_TO(syncing);
        dirty = dirty & ~set;
        solid = solid | set;
        forget(set);
        synced = (MUTANT == SYNC_COVERS_LATER_WRITES -> written : syncing);
        syncing = 0;
        check()
    }
    :: d_step { /* or fails: the pages stay, and are clean */
        phase == OPEN && syncing > 0 && MAY_FAIL ->
        faults++;
        ghost = ghost | dirty;
        dirty = 0;
        if
        :: MUTANT == FSYNC_RETRIED
        :: MUTANT == NOT_POISONED -> syncing = 0
        :: else -> phase = POISONED; syncing = 0
        fi;
        check()
    }
    :: d_step { /* callers who wait for WRITTEN are told */
        phase == OPEN && POLICY != ALWAYS && told_written < (MUTANT == ACK_BEFORE_WRITE -> applied : written) ->
        told_written = (MUTANT == ACK_BEFORE_WRITE -> applied : written);
        check()
    }
    :: d_step { /* those who wait for SYNCED, after a failure too: what was synced before it is */
        RUNNING && told_synced < (MUTANT == ACK_BEFORE_FSYNC -> written : synced) ->
        told_synced = (MUTANT == ACK_BEFORE_FSYNC -> written : synced);
        if
        :: told_written < told_synced -> told_written = told_synced
        :: else
        fi;
        check()
    }
    :: d_step { /* a second passes */
        phase == OPEN && POLICY == EVERYSEC && syncing == 0 && (recent <= synced || MUTANT == NO_WINDOW) &&
            (recent != written || old != written) ->
        old = recent;
        recent = written;
        check()
    }
    /* --- the manifest ------------------------------------------------------------------------------------------------ */
    :: d_step { /* rotation */
        phase == OPEN && publishing == NOTHING && syncing == 0 && written == applied &&
            (synced == applied || MUTANT == ROTATION_UNSYNCED) ->
        seen.log = seen.log | FROM_TO(seen.first, applied);
        seen.first = applied + 1;
        publishing = SEGMENT;
        check()
    }
    :: d_step { /* close */
        phase == OPEN && publishing == NOTHING && syncing == 0 && rewriting == 0 && synced == applied ->
        seen.log = seen.log | FROM_TO(seen.first, applied);
        seen.first = applied + 1;
        seen.closed = 1;
        publishing = CLOSE;
        check()
    }
    :: d_step { /* a rewrite begins */
        phase == OPEN && publishing == NOTHING && rewriting == 0 && seen.log ->
        rewriting = TOP(seen.log);
        base_solid = base_solid & ~ONLY(rewriting);
        base_dirty = base_dirty | ONLY(rewriting);
        check()
    }
    :: d_step { /* its base is synced, and its name */
        phase == OPEN && base_dirty & IN_THE_MAKING ->
        base_dirty = base_dirty & ~ONLY(rewriting);
        base_solid = base_solid | ONLY(rewriting);
        check()
    }
    :: d_step { /* or given up */
        phase == OPEN && rewriting && publishing != BASE ->
        base_dirty = base_dirty & ~ONLY(rewriting);
        base_solid = base_solid & ~ONLY(rewriting);
        rewriting = 0;
        check()
    }
    :: d_step { /* and published */
        phase == OPEN && rewriting && publishing == NOTHING &&
            ((base_solid & IN_THE_MAKING) || MUTANT == BASE_UNSYNCED) ->
        set = seen.log & UP_TO(rewriting);
        seen.base = seen.base | set;
        seen.log = seen.log & ~set;
        publishing = BASE;
        check()
    }
    :: d_step { /* the directory is synced */
        phase == OPEN && publishing != NOTHING ->
        take(kept, seen);
        doubted = 0;
        if
        :: publishing == CLOSE -> history = LIVE; recent = 0; stop()
        :: publishing == BASE -> rewriting = 0; publishing = NOTHING
        :: else -> publishing = NOTHING
        fi;
        check()
    }
    :: d_step { /* or cannot be */
        phase == OPEN && publishing != NOTHING && MAY_FAIL ->
        faults++;
        doubted = DIFFERENT;
        phase = POISONED;
        publishing = NOTHING;
        check()
    }
    :: d_step { /* what was replaced is removed */
        phase == OPEN && (publishing == NOTHING || MUTANT == REMOVED_EARLY) &&
            (REPLACED || ((base_dirty | base_solid) & ~IN_THE_MAKING & ~NAMED(seen))) ->
        set = REPLACED;
        forget(set);
        dirty = dirty & ~set;
        ghost = ghost & ~set;
        solid = solid & ~set;
        set = IN_THE_MAKING | NAMED(seen);
        base_dirty = base_dirty & set;
        base_solid = base_solid & set;
        check()
    }
    /* --- crashes ------------------------------------------------------------------------------------------------------- */
    KILL(0) KILL(1) KILL(2) KILL(3) KILL(4)
    DROP(0) DROP(1) DROP(2) DROP(3) DROP(4) DROP(5) DROP(6) DROP(7)
#if N > 3
    DROP(8) DROP(9) DROP(10) DROP(11) DROP(12) DROP(13) DROP(14) DROP(15)
#endif
    POWER(0) POWER(1) POWER(2) POWER(3) POWER(4) POWER(5) POWER(6) POWER(7)
#if N > 3
    POWER(8) POWER(9) POWER(10) POWER(11) POWER(12) POWER(13) POWER(14) POWER(15)
#endif
    /* --- recovery ------------------------------------------------------------------------------------------------------- */
    :: d_step { /* it reads and judges; and writes the tail again, or refuses */
        phase == DOWN ->
        look();
        everything_is_named();
        if
        :: !set -> phase = INCOMPLETE
        :: set && promised > last -> phase = UNVOUCHED
        :: else ->
            phase = REWRITTEN;
            if
            :: MUTANT != TAIL_NOT_REWRITTEN ->
                dirty = dirty | (ghost & tail);
                ghost = ghost & ~tail
            :: else
            fi
        fi;
        check()
    }
    :: d_step { /* it syncs the tail and the directory */
        phase == REWRITTEN ->
        look();
        solid = solid | (dirty & tail);
        dirty = dirty & ~tail;
        forget(tail);
        if
        :: !doubted -> take(kept, seen)
        :: else
        fi;
        phase = SETTLED;
        check()
    }
    :: d_step { /* or cannot */
        phase == REWRITTEN && MAY_FAIL ->
        faults++;
        doubted = DIFFERENT;
        ghost = ghost | dirty;
        dirty = 0;
        stop();
        check()
    }
    :: d_step { /* the cut, the retired numbers and the new segment, in one rename */
        phase == SETTLED && publishing == NOTHING ->
        look();
        seen.log = seen.log | tail;
        if
        :: seen.closed
        :: !seen.closed && MUTANT == SEQ_REUSED -> seen.first = last + 1
        :: else -> seen.first = LEAST(seen.first + CAP, N + 1)
        fi;
        seen.closed = 0;
        publishing = OPENING;
        check()
    }
    :: d_step { /* the open returns */
        publishing == OPENING ->
        if
        :: MUTANT != CUT_UNSYNCED -> take(kept, seen); doubted = 0
        :: else
        fi;
        stop();
        phase = OPEN;
        applied = seen.first - 1;
        written = applied;
        synced = applied;
        told_written = applied;
        told_synced = applied;
        recent = 0;
        old = 0;
        if
        :: given < applied -> given = applied
        :: else
        fi;
        history = 0;
        check()
    }
    :: d_step { /* or cannot */
        publishing == OPENING && MAY_FAIL ->
        faults++;
        doubted = DIFFERENT;
        stop();
        check()
    }
    od
}
