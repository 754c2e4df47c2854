----------------------------- MODULE write_path -----------------------------
(***************************************************************************)
(* The write path of one data directory, from the caller to the disk and   *)
(* back: numbers, group commit, rotation, rewrite, close, failing syncs,   *)
(* crashes at every step, and recovery, which may be crashed as well.      *)
(*                                                                         *)
(* A number stands for a batch: it survives whole or not at all, because   *)
(* one checksum covers its frame.  Which segment holds a number follows    *)
(* from the manifest: the sealed ones hold `log`, the open one begins at   *)
(* `first` and has room for CAP numbers.  README.md says what is left out. *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
    N,          \* numbers that can be given out: 1..N
    CAP,        \* numbers that a segment has room for
    CRASHES,    \* how many crashes there may be, those of recoveries included
    FAULTS,     \* how many calls may fail
    POLICY,     \* "always", "everysec" or "no"
    MUTANT      \* "none", or the name of a mistake that is made on purpose

VARIABLES
    disk,       \* what the machine holds, and what of it survives a power loss
    engine,     \* what the owner of the directory has in memory
    told,       \* what callers were told, and may hold us to
    budget      \* crashes and failures so far

vars == <<disk, engine, told, budget>>

Numbers == 1..N
Max(S) == IF S = {} THEN 0 ELSE CHOOSE x \in S : \A y \in S : y <= x
Least(a, b) == IF a < b THEN a ELSE b

(***************************************************************************)
(* A frame (or base) is                                                    *)
(*   "none"     not there                                                  *)
(*   "dirty"    in the page cache; a sync makes it durable                 *)
(*   "ghost"    in the page cache, but clean after a failed sync: later    *)
(*              syncs succeed and do nothing for it (F5)                   *)
(*   "durable"  on the disk                                                *)
(***************************************************************************)
Manifest == [base : SUBSET Numbers, log : SUBSET Numbers, first : 1..N+1, closed : BOOLEAN]

Empty == [base |-> {}, log |-> {}, first |-> 1, closed |-> TRUE]

Init ==
    /\ disk = [manifest |-> Empty,      \* as programs see it
               durable  |-> Empty,      \* what a power loss may leave in its place
               doubted  |-> FALSE,  \* a sync of the directory has failed: the next one proves nothing of what it covered
               frame    |-> [n \in Numbers |-> "none"],
               promise  |-> [n \in Numbers |-> 0],     \* the synced number that a frame carries
               base     |-> [n \in Numbers |-> "none"]]     \* the base that reaches up to n
    /\ engine = [phase |-> "down", publishing |-> "none", applied |-> 0, written |-> 0, synced |-> 0,
                 syncing |-> 0,         \* up to where the sync under way vouches; 0: none is
                 rewriting |-> 0]       \* up to where the base in the making reaches
    /\ told = [written |-> 0, synced |-> 0,    \* the highest numbers acknowledged at these levels
               recent |-> 0, old |-> 0,        \* written before the last tick of a second, and the one before
               given |-> 0,                    \* the highest number that anybody was told
               history |-> {}]                 \* what had been applied when the last crash came
    /\ budget = [crashes |-> 0, faults |-> 0]

first == disk.manifest.first
IsOpen == engine.phase = "open"
Running == engine.phase \in {"open", "poisoned", "reverted"}
Sealing == engine.publishing \in {"segment", "close"}
Live == disk.manifest.base \cup disk.manifest.log \cup (first..engine.applied)
There(n) == disk.frame[n] /= "none"

Down == [phase |-> "down", publishing |-> "none", applied |-> 0, written |-> 0, synced |-> 0, syncing |-> 0,
         rewriting |-> 0]

Fault == budget.faults < FAULTS /\ budget' = [budget EXCEPT !.faults = @ + 1]

-----------------------------------------------------------------------------
(* Commit: append, write, sync, acknowledge.                               *)

Append ==       \* a batch gets its number, and is applied; its frame carries what is known to be synced
    LET n == engine.applied + 1 IN
    /\ IsOpen /\ ~Sealing /\ n <= N /\ n < first + CAP
    /\ engine' = [engine EXCEPT !.applied = n]
    /\ disk' = [disk EXCEPT !.promise[n] = IF MUTANT = "promise_ahead" THEN n - 1 ELSE engine.synced]
    /\ told' = [told EXCEPT !.given = Max({@, n})]
    /\ UNCHANGED budget

Write ==        \* one write for everything that is pending
    /\ IsOpen /\ engine.written < engine.applied
    /\ disk' = [disk EXCEPT !.frame =
                    [n \in Numbers |-> IF n \in engine.written+1..engine.applied THEN "dirty" ELSE @[n]]]
    /\ engine' = [engine EXCEPT !.written = engine.applied]
    /\ UNCHANGED <<told, budget>>

WriteFail ==    \* any part of it may have reached the file; no position moves again (C7)
    /\ IsOpen /\ engine.written < engine.applied
    /\ Fault
    /\ engine' = [engine EXCEPT !.phase = "poisoned"]
    /\ UNCHANGED <<disk, told>>

SyncBegin ==    \* it vouches for what is written now, not for what is written meanwhile
    /\ IsOpen /\ engine.syncing = 0 /\ engine.synced < engine.written
    /\ engine' = [engine EXCEPT !.syncing = engine.written]
    /\ UNCHANGED <<disk, told, budget>>

Covered(n) == n <= engine.syncing /\ disk.frame[n] = "dirty"

SyncEnd ==
    /\ IsOpen /\ engine.syncing > 0
    /\ disk' = [disk EXCEPT !.frame = [n \in Numbers |-> IF Covered(n) THEN "durable" ELSE @[n]],
                            !.promise = [n \in Numbers |-> IF Covered(n) THEN 0 ELSE @[n]]]
    /\ engine' = [engine EXCEPT !.synced = IF MUTANT = "sync_covers_later_writes" THEN engine.written
                                           ELSE engine.syncing,
                                !.syncing = 0]
    /\ UNCHANGED <<told, budget>>

SyncFail ==     \* the kernel keeps the pages as if they were clean
    /\ IsOpen /\ engine.syncing > 0
    /\ Fault
    /\ disk' = [disk EXCEPT !.frame = [n \in Numbers |-> IF @[n] = "dirty" THEN "ghost" ELSE @[n]]]
    /\ engine' = [engine EXCEPT
            !.phase = IF MUTANT \in {"fsync_retried", "not_poisoned"} THEN @ ELSE "poisoned",
            \* retried, and believed: as good as begun anew
            !.syncing = IF MUTANT = "fsync_retried" THEN @ ELSE 0]
    /\ UNCHANGED told

Dirty == {n \in Numbers : disk.frame[n] = "dirty"}
\* What was written back before is shown again; the rest is gone, from the page cache too.
Reverted(kept) ==
    disk' = [disk EXCEPT !.frame = [n \in Numbers |-> IF n \notin Dirty THEN @[n]
                                                      ELSE IF n \in kept THEN "durable" ELSE "none"],
                         !.promise = [n \in Numbers |-> IF n \in Dirty \ kept THEN 0 ELSE @[n]]]

SyncFailReverting ==    \* the kernel drops the pages: even a process crash may lose them then
    /\ IsOpen /\ engine.syncing > 0
    /\ Fault
    /\ \E kept \in SUBSET Dirty : Reverted(kept)
    /\ engine' = [engine EXCEPT !.phase = "reverted", !.syncing = 0]
    /\ UNCHANGED told

AckWritten ==   \* the most that callers who wait for WRITTEN can be told; under `always` they wait for SYNCED
    LET n == IF MUTANT = "ack_before_write" THEN engine.applied ELSE engine.written IN
    /\ IsOpen /\ POLICY /= "always" /\ told.written < n
    /\ told' = [told EXCEPT !.written = n]
    /\ UNCHANGED <<disk, engine, budget>>

AckSynced ==    \* `always`, a call that asked for it, or a sync() that returned
    LET n == IF MUTANT = "ack_before_fsync" THEN engine.written ELSE engine.synced IN
    /\ Running /\ told.synced < n      \* also after a failure: what was synced before it is
    /\ told' = [told EXCEPT !.synced = n, !.written = Max({@, n})]
    /\ UNCHANGED <<disk, engine, budget>>

Tick ==         \* a second passes in which no sync is under way; it may not, while a write of the second before is owed
    /\ IsOpen /\ POLICY = "everysec" /\ engine.syncing = 0
    /\ told.recent <= engine.synced \/ MUTANT = "no_window"
    /\ ~(told.recent = engine.written /\ told.old = engine.written)
    /\ told' = [told EXCEPT !.old = told.recent, !.recent = engine.written]
    /\ UNCHANGED <<disk, engine, budget>>

-----------------------------------------------------------------------------
(* The manifest.  Every change of the directory is one rename, and then a  *)
(* sync of the directory; in between a power loss may leave either.        *)

Publish(kind, manifest) ==
    /\ engine.publishing = "none"
    /\ disk' = [disk EXCEPT !.manifest = manifest]
    /\ engine' = [engine EXCEPT !.publishing = kind]

Sealed == [disk.manifest EXCEPT !.log = @ \cup (first..engine.applied), !.first = engine.applied + 1]

PublishSegment ==       \* rotation: what is sealed is synced before the manifest says so
    /\ IsOpen /\ engine.syncing = 0 /\ engine.written = engine.applied
    /\ engine.synced = engine.applied \/ MUTANT = "rotation_unsynced"
    /\ Publish("segment", Sealed)
    /\ UNCHANGED <<told, budget>>

PublishClose ==
    /\ IsOpen /\ engine.syncing = 0 /\ engine.rewriting = 0 /\ engine.synced = engine.applied
    /\ Publish("close", [Sealed EXCEPT !.closed = TRUE])
    /\ UNCHANGED <<told, budget>>

RewriteBegin ==         \* the base that is made of the old one and of all that is sealed
    /\ IsOpen /\ engine.publishing = "none" /\ engine.rewriting = 0 /\ disk.manifest.log /= {}
    /\ engine' = [engine EXCEPT !.rewriting = Max(disk.manifest.log)]
    /\ disk' = [disk EXCEPT !.base[Max(disk.manifest.log)] = "dirty"]
    /\ UNCHANGED <<told, budget>>

RewriteSync ==
    /\ IsOpen /\ engine.rewriting > 0 /\ disk.base[engine.rewriting] = "dirty"
    /\ disk' = [disk EXCEPT !.base[engine.rewriting] = "durable"]
    /\ UNCHANGED <<engine, told, budget>>

RewriteGiveUp ==
    /\ IsOpen /\ engine.rewriting > 0 /\ engine.publishing /= "base"
    /\ disk' = [disk EXCEPT !.base[engine.rewriting] = "none"]
    /\ engine' = [engine EXCEPT !.rewriting = 0]
    /\ UNCHANGED <<told, budget>>

PublishBase ==          \* a base is durable, content and name, before the manifest names it
    LET merged == {n \in disk.manifest.log : n <= engine.rewriting} IN
    /\ IsOpen /\ engine.rewriting > 0
    /\ disk.base[engine.rewriting] = "durable" \/ MUTANT = "base_unsynced"
    /\ Publish("base", [disk.manifest EXCEPT !.base = @ \cup merged, !.log = @ \ merged])
    /\ UNCHANGED <<told, budget>>

PublicationSynced ==    \* from now on the new manifest is what a power loss leaves
    /\ IsOpen /\ engine.publishing \in {"segment", "base", "close"}
    /\ disk' = [disk EXCEPT !.durable = disk.manifest, !.doubted = FALSE]
    /\ engine' = IF engine.publishing = "close" THEN Down
                 ELSE [engine EXCEPT !.publishing = "none",
                                     !.rewriting = IF engine.publishing = "base" THEN 0 ELSE @]
    /\ told' = IF engine.publishing = "close" THEN [told EXCEPT !.history = Live, !.recent = 0] ELSE told
    /\ UNCHANGED budget

PublicationFail ==      \* either manifest may be what a crash leaves
    /\ IsOpen /\ engine.publishing /= "none"
    /\ Fault
    /\ engine' = [engine EXCEPT !.phase = "poisoned", !.publishing = "none"]
    /\ disk' = [disk EXCEPT !.doubted = disk.manifest /= disk.durable]
    /\ UNCHANGED told

Replaced == {n \in Numbers : There(n) /\ n < first /\ n \notin disk.manifest.log}
OldBases == {n \in Numbers : disk.base[n] /= "none" /\ n /= Max(disk.manifest.base) /\ n /= engine.rewriting}

Remove ==               \* what was replaced is removed, and what was cut is trimmed
    /\ IsOpen /\ Replaced \cup OldBases /= {}
    /\ engine.publishing = "none" \/ MUTANT = "removed_early"
    /\ disk' = [disk EXCEPT !.frame = [n \in Numbers |-> IF n \in Replaced THEN "none" ELSE @[n]],
                            !.promise = [n \in Numbers |-> IF n \in Replaced THEN 0 ELSE @[n]],
                            !.base = [n \in Numbers |-> IF n \in OldBases THEN "none" ELSE @[n]]]
    /\ UNCHANGED <<engine, told, budget>>

-----------------------------------------------------------------------------
(* Crashes.                                                                *)

Recovering == engine.phase \in {"rewritten", "settled"}
Pending == engine.written+1..engine.applied

Crash ==
    /\ budget.crashes < CRASHES
    /\ budget' = [budget EXCEPT !.crashes = @ + 1]
    /\ engine' = Down

Remembered == IF Running THEN Live ELSE told.history

Named(m) == Max(m.base)
\* A base that nothing names counts for nothing, whatever becomes of it.
Bases(m, d) == [n \in Numbers |-> IF n \in {Named(m), Named(d)} THEN disk.base[n] ELSE "none"]

ProcessCrash ==         \* the page cache lives on; of a write that was under way, the front
    /\ Running \/ Recovering
    /\ Crash
    /\ \E k \in engine.written..engine.applied :
        disk' = [disk EXCEPT
            !.frame = [n \in Numbers |-> IF n \in Pending /\ n <= k THEN "dirty" ELSE @[n]],
            !.promise = [n \in Numbers |-> IF n \in Pending /\ n > k THEN 0 ELSE @[n]],
            !.base = Bases(disk.manifest, disk.durable)]
    /\ told' = [told EXCEPT !.history = Remembered, !.recent = 0,
                            !.written = IF engine.phase = "reverted" THEN 0 ELSE @]

Uncertain == {n \in Numbers : disk.frame[n] \in {"dirty", "ghost"}} \cup Pending

PowerLoss ==            \* of what was not synced, anything (F1, F3)
    /\ engine.phase \in {"down", "open", "poisoned", "reverted", "rewritten", "settled"}
    /\ Crash
    /\ \E kept \in SUBSET Uncertain, m \in {disk.manifest, disk.durable} :
       \E keeps \in (IF m.base /= {} /\ disk.base[Named(m)] = "dirty" THEN BOOLEAN ELSE {TRUE}) :
        disk' = [manifest |-> m, durable |-> m, doubted |-> FALSE,
                 frame |-> [n \in Numbers |-> IF n \notin Uncertain THEN disk.frame[n]
                                              ELSE IF n \in kept THEN "durable" ELSE "none"],
                 promise |-> [n \in Numbers |-> IF n \in Uncertain \ kept THEN 0 ELSE disk.promise[n]],
                 base |-> [n \in Numbers |-> IF n /= Named(m) THEN "none"
                                             ELSE IF disk.base[n] /= "dirty" THEN disk.base[n]
                                             ELSE IF keeps THEN "durable" ELSE "none"]]
    /\ told' = [told EXCEPT !.history = Remembered, !.recent = 0, !.written = 0]

-----------------------------------------------------------------------------
(* Recovery.  Nothing is ever appended to what an earlier owner left.      *)

Room == {n \in Numbers : first <= n /\ n < first + CAP /\ ~disk.manifest.closed}
\* The last number before the first that is missing.
Whole_end == CHOOSE k \in first-1..N :
            /\ \A n \in first..k : n \in Room /\ There(n)
            /\ k = N \/ k+1 \notin Room \/ ~There(k+1)
End == IF MUTANT = "hole_skipped" THEN Max({first - 1} \cup {n \in Room : There(n)}) ELSE Whole_end
Tail == {n \in first..End : There(n)}
Found == disk.manifest.base \cup disk.manifest.log \cup Tail
Promised == Max({disk.promise[n] : n \in {x \in Room : There(x)}})

Whole ==
    /\ disk.manifest.base /= {} => disk.base[Named(disk.manifest)] /= "none"
    /\ \A n \in disk.manifest.log : There(n)

Refuse ==
    /\ engine.phase = "down"
    /\ ~Whole \/ Promised > End
    /\ engine' = [engine EXCEPT !.phase = IF ~Whole THEN "incomplete" ELSE "unvouched"]
    /\ UNCHANGED <<disk, told, budget>>

Recover ==              \* read and judge; then write the tail again, whose last sync may have failed
    /\ engine.phase = "down"
    /\ Whole /\ Promised <= End
    /\ engine' = [engine EXCEPT !.phase = "rewritten"]
    /\ disk' = [disk EXCEPT !.frame =
            [n \in Numbers |-> IF n \in Tail /\ @[n] = "ghost" /\ MUTANT /= "tail_not_rewritten"
                               THEN "dirty" ELSE @[n]]]
    /\ UNCHANGED <<told, budget>>

SettleSync ==           \* the tail and the directory
    /\ engine.phase = "rewritten"
    /\ engine' = [engine EXCEPT !.phase = "settled"]
    /\ disk' = [disk EXCEPT !.durable = IF disk.doubted THEN @ ELSE disk.manifest,
                            !.frame = [n \in Numbers |-> IF n \in Tail /\ @[n] = "dirty" THEN "durable" ELSE @[n]],
                            !.promise = [n \in Numbers |-> IF n \in Tail THEN 0 ELSE @[n]]]
    /\ UNCHANGED <<told, budget>>

SettleFail ==
    /\ engine.phase = "rewritten"
    /\ Fault
    /\ engine' = Down
    /\ disk' = [disk EXCEPT !.frame = [n \in Numbers |-> IF @[n] = "dirty" THEN "ghost" ELSE @[n]],
                            !.doubted = disk.manifest /= disk.durable]
    /\ UNCHANGED told

SettleFailReverting ==  \* nobody was told yet what had been found, and what had been written may be gone
    /\ engine.phase = "rewritten"
    /\ Fault
    /\ engine' = Down
    /\ \E kept \in SUBSET Dirty : Reverted(kept)
    /\ told' = [told EXCEPT !.written = 0]

\* Every number that the dead owner can have given out is retired: it never names another batch.
Next_first == IF disk.manifest.closed THEN first
              ELSE IF MUTANT = "seq_reused" THEN End + 1
              ELSE Least(first + CAP, N + 1)

PublishOpening ==
    /\ engine.phase = "settled"
    /\ Publish("opening", [base |-> disk.manifest.base, log |-> disk.manifest.log \cup Tail,
                           first |-> Next_first, closed |-> FALSE])
    /\ UNCHANGED <<told, budget>>

OpeningSynced ==        \* the open returns: what was found is durable, and is told
    LET last == first - 1 IN
    /\ engine.publishing = "opening"
    /\ disk' = IF MUTANT = "cut_unsynced" THEN disk ELSE [disk EXCEPT !.durable = disk.manifest, !.doubted = FALSE]
    /\ engine' = [Down EXCEPT !.phase = "open", !.applied = last, !.written = last, !.synced = last]
    /\ told' = [written |-> last, synced |-> last, recent |-> 0, old |-> 0, given |-> Max({told.given, last}),
                history |-> {}]
    /\ UNCHANGED budget

OpeningFail ==
    /\ engine.publishing = "opening"
    /\ Fault
    /\ engine' = Down
    /\ disk' = [disk EXCEPT !.doubted = disk.manifest /= disk.durable]
    /\ UNCHANGED told

Next ==
    \/ Append \/ Write \/ WriteFail \/ SyncBegin \/ SyncEnd \/ SyncFail \/ SyncFailReverting
    \/ AckWritten \/ AckSynced \/ Tick
    \/ PublishSegment \/ PublishClose \/ PublishBase \/ PublicationSynced \/ PublicationFail
    \/ RewriteBegin \/ RewriteSync \/ RewriteGiveUp \/ Remove
    \/ ProcessCrash \/ PowerLoss
    \/ Refuse \/ Recover \/ SettleSync \/ SettleFail \/ SettleFailReverting
    \/ PublishOpening \/ OpeningSynced \/ OpeningFail

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* The contract.  `Recovered` is the moment in which a recovery has judged *)
(* what it found and has changed nothing yet that matters.                 *)

Recovered == engine.phase = "rewritten"

C1_Prefix == Recovered => Found = {n \in told.history : n <= Max(Found)}
C2_ProcessCrash == Recovered => told.written <= End
C3_PowerLossSynced == Recovered => told.synced <= End
C4_PowerLossEverysec == Recovered => told.old <= End
C5_PublishedIsSynced == \A m \in {disk.manifest, disk.durable} :
    /\ m.base /= {} => disk.base[Named(m)] = "durable"
    /\ \A n \in m.log : disk.frame[n] = "durable"
C6_AlwaysAWayToOpen == engine.phase /= "incomplete"
C7_FailStop == IsOpen => \A n \in Live : n <= engine.synced /\ n >= first => disk.frame[n] = "durable"
C8_NoPromiseIsBroken == engine.phase /= "unvouched"
NumbersAreFresh == IsOpen => told.given <= engine.applied
Order == IsOpen => engine.synced <= engine.written /\ engine.written <= engine.applied

=============================================================================
