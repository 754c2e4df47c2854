"""A failing case made smaller: fewer lives, a shorter and plainer program, and a crash that takes what it has to.

Each smaller program is run, and a crash of it is looked for that breaks the same promise: first one like the crash that
is known, then any.  At the end the crash itself is made minimal.  Nobody has to help, and the same case comes out each
time, unless the time is up first.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from durakv_fuzz.campaign import Failure
from durakv_fuzz.choose import Choose, Recorded, Seeded
from durakv_fuzz.choose import Recording as Recorder
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Case, Crash, Life, Recording, play, replay
from durakv_fuzz.losses import Losses
from durakv_fuzz.minimal_crash import MinimalCrash, crash_points
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.oracle import Verdict
from durakv_fuzz.pick import pick_states
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Action, Script, Setup, Step
from durakv_fuzz.simplify import shorter, simpler_setup, simpler_step
from durakv_fuzz.witness import Witness, witness

STATES = 150
"""How many crash states of each smaller program are tried besides those that are like the known one."""

PAST_CRASHES = 12
"""How many crashes of an earlier life, once its program has changed."""

DECAYS = 60
"""How many damages of the known kind, once the files have changed."""

SECONDS = 20.0


def shrink(failure: Failure, *, attempts: int = 300, seconds: float = SECONDS) -> Case:
    """The smallest case found that breaks the same promise, with so many smaller programs, in about so many seconds."""
    with quiet():
        shrunk = _Shrinker(failure, attempts, seconds).go()
        violation = replay(shrunk).violation
        assert violation is not None, "only failing cases are kept"
        assert violation.verdict is failure.violation.verdict, "a case that fails otherwise is another case"
    return shrunk


class _Shrinker:
    """Invariant: ``case`` breaks the promise."""

    def __init__(self, failure: Failure, attempts: int, seconds: float) -> None:
        self.case = failure.case
        self._verdict: Verdict = failure.violation.verdict
        self._attempts = attempts
        self._deadline = time.monotonic() + seconds
        self._seen: dict[tuple[Setup, int], Witness] = {}
        self._past: tuple[Setup, tuple[Life, ...], Recording] | None = None
        self._like: Losses | None = None

    def go(self) -> Case:
        with_damage = self.case.damage is not None
        if not with_damage:
            self._minimise()
        self._fewer_lives()
        for number in reversed(range(len(self.case.lives))):
            self._shorter(number)
            self._plainer(number)
        if len(self.case.lives) == 1:
            self._until_none(lambda: (replace(self.case, setup=setup) for setup in simpler_setup(self.case.setup)))
        if not with_damage:
            self._minimise()
            self._minimise_earlier()
        return self.case

    # --- the program --------------------------------------------------------------------------------------------------

    def _fewer_lives(self) -> None:
        def fewer() -> Iterator[Case]:
            lives = self.case.lives
            for number in range(len(lives) - 1):
                # The crash before may have been enough,
                yield replace(self.case, lives=lives[: number + 1])
            for number in range(1, len(lives) - 1):
                # or a crash of the recovery in between says nothing;
                yield replace(self.case, lives=lives[:number] + lives[number + 1 :])
            if len(lives) > 1:
                # one life is easier to read than two, and a process that is killed may be one of its steps.
                first, second = lives[-2:]
                for between in (Step(Action.KILL), Step(Action.REOPEN)):
                    script = (*first.script, between, *second.script)
                    yield replace(self.case, lives=(*lives[:-2], replace(second, script=script, resumed=first.resumed)))

        self._until_none(fewer)

    def _shorter(self, number: int) -> None:
        count = max(1, len(self.case.lives[number].script) // 2)
        while count:
            self._until_none(partial(self._without, number, count))
            count //= 2

    def _without(self, number: int, count: int) -> Iterator[Case]:
        return map(self._change(number), shorter(self.case.lives[number].script, count))

    def _plainer(self, number: int) -> None:
        def plainer() -> Iterator[Case]:
            script = self.case.lives[number].script
            for index, step in enumerate(script):
                for simpler in simpler_step(step):
                    yield self._change(number)((*script[:index], simpler, *script[index + 1 :]))

        self._until_none(plainer)

    def _change(self, number: int) -> Callable[[Script], Case]:
        case = self.case
        lives = case.lives

        def change(script: Script) -> Case:
            return replace(case, lives=(*lives[:number], replace(lives[number], script=script), *lives[number + 1 :]))

        return change

    def _until_none(self, smaller: Callable[[], Iterator[Case]]) -> None:
        """Take whatever still fails, and begin anew, until nothing smaller does."""
        again = True
        while again:
            again = False
            for case in smaller():
                if self._is_over():
                    return
                self._attempts -= 1
                found = self._failing(case)
                if found is not None:
                    self.case, again = found, True
                    break

    def _is_over(self) -> bool:
        return self._attempts <= 0 or time.monotonic() > self._deadline

    # --- looking for the crash again ----------------------------------------------------------------------------------

    def _failing(self, case: Case) -> Case | None:
        """This case, with whatever crashes make it fail."""
        known = self.case.lives
        same = 0
        while same < min(len(known), len(case.lives)) - 1 and case.lives[same] == known[same]:
            same += 1
        recording = self._record(case, case.lives[:same], case.lives[same])
        return None if recording is None else self._go_on(recording, case, same, PAST_CRASHES)

    def _go_on(self, recording: Recording, case: Case, number: int, crashes: int) -> Case | None:
        """Crash that life of the case, live the ones after it, and see."""
        if number + 1 == len(case.lives):
            crash = self._search(recording)
            if crash is None:
                return None
            if case.damage is None:
                return recording.case(crash)
            damage = self._decay(recording, crash, case.damage)
            return None if damage is None else replace(recording.case(crash), damage=damage)
        if recording.history.violations:
            return None
        following = case.lives[number + 1]
        seen: set[tuple[int, int]] = set()
        for crash, image in self._past_crashes(recording, case.lives[number].crash):
            key = image.fingerprint(), recording.timeline.notes_before(crash.crash_seq)
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > crashes or self._is_over():
                return None
            after = self._follow(recording, crash, following)
            found = None if after is None else self._go_on(after, case, number + 1, 2)
            if found is not None:
                return found
        return None

    def _past_crashes(self, recording: Recording, known: Crash) -> Iterator[tuple[Crash, Image]]:
        """Crashes of an earlier life whose program may have changed, the likeliest to matter first."""
        timeline = recording.timeline
        same = recording.within(known)
        yield same, recording.image(same)
        for point in reversed(crash_points(timeline, known.model)):
            losses, image = Losses.make(timeline, point, known.model)
            yield losses.crash(), image
        for state in pick_states(timeline, PAST_CRASHES, seed=0):
            if known.model is not Model.PROCESS_CRASH or state.model is Model.PROCESS_CRASH:
                yield Crash.of(state), state.image

    def _record(self, case: Case, past: tuple[Life, ...], life: Life) -> Recording | None:
        if not past:
            return Recording.first(case.setup, life.script)
        if self._past is None or self._past[:2] != (case.setup, past):
            self._past = case.setup, past, play(Case(case.setup, past))
        return self._follow(self._past[2], past[-1].crash, life)

    def _follow(self, before: Recording, crash: Crash, life: Life) -> Recording | None:
        """The life after that crash; None if it does not even begin."""
        if life.resumed and crash.model is Model.PROCESS_CRASH:
            return before.resume(crash, life.script)
        image = before.image(crash)
        seen = self._witness(before.setup, image)
        if seen.found is None:
            return None
        return before.next(crash, image, seen.before(before.expect(crash)), life.script)

    def _search(self, recording: Recording) -> Crash | None:
        """A crash of this life that breaks the promise."""
        end = Crash(recording.trace.seq, Model.PROCESS_CRASH, ())
        if recording.history.violations:
            return end if recording.history.violations[0].verdict is self._verdict else None
        if self.case.damage is not None:
            return end
        timeline, since = recording.timeline, _since(recording)
        like = self._like
        alike = () if like is None else (like.alike(timeline, at) for at in crash_points(timeline, like.model, since))
        for losses, image in chain.from_iterable(alike):
            crash = losses.crash()
            if self._fails(recording, crash, image):
                return crash
        for state in pick_states(timeline, STATES, seed=0, since=since):
            crash = Crash.of(state)
            if self._fails(recording, crash, state.image):
                return crash
        return None

    def _decay(self, recording: Recording, crash: Crash, known: tuple[int, ...]) -> tuple[int, ...] | None:
        """Damage of the same kind that breaks the promise."""
        generator = Seeded(random.Random(0))
        for number in range(DECAYS):
            # The very same; then the same way in the same file, and the same way in any.
            kept = len(known) if number == 0 else 1 + number % 2
            recorder = Recorder(_Beginning(known[:kept], generator))
            decayed = recording.decay(crash, recorder)
            violation = None if decayed is None else decayed[1].violation
            if violation is not None and violation.verdict is self._verdict:
                return tuple(recorder.answers)
        return None

    def _fails(self, recording: Recording, crash: Crash, image: Image) -> bool:
        violation = recording.judge(crash, self._witness(recording.setup, image)).violation
        return violation is not None and violation.verdict is self._verdict

    def _witness(self, setup: Setup, image: Image) -> Witness:
        key = setup, image.fingerprint()
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = witness(image, setup)
        return seen

    # --- the crash ----------------------------------------------------------------------------------------------------

    def _minimise(self) -> None:
        """Make the last crash minimal."""
        recording = play(self.case)
        if recording.history.violations:
            return

        def fails(losses: Losses, image: Image) -> bool:
            return self._fails(recording, losses.crash(), image)

        known = Losses.of(recording.timeline, recording.within(self.case.lives[-1].crash))
        smallest = MinimalCrash(crash_image, recording.timeline, fails, since=_since(recording), enough=self._is_over)
        self._like = smallest.find(known)
        self.case = recording.case(self._like.crash())

    def _minimise_earlier(self) -> None:
        """Make the crashes between the lives minimal, as far as the last one still fails just as it does."""
        for number in reversed(range(len(self.case.lives) - 1)):
            if self._is_over():
                return
            lives = self.case.lives
            recording = play(replace(self.case, lives=lives[: number + 1]))

            def failing(losses: Losses, _image: Image, number: int = number, lives: tuple[Life, ...] = lives) -> bool:
                crash = losses.crash()
                if lives[number + 1].resumed and crash.model is not Model.PROCESS_CRASH:
                    return False
                changed = (*lives[:number], replace(lives[number], crash=crash), *lives[number + 1 :])
                return self._breaks(replace(self.case, lives=changed))

            known = Losses.of(recording.timeline, recording.within(lives[number].crash))
            smallest = MinimalCrash(
                crash_image,
                recording.timeline,
                failing,
                since=_since(recording),
                enough=self._is_over,
            )
            crash = smallest.thin(known).crash()
            changed = (*lives[:number], replace(lives[number], crash=crash), *lives[number + 1 :])
            self.case = replace(self.case, lives=changed)

    def _breaks(self, case: Case) -> bool:
        """Whether the case fails as it stands; a life that does not even begin is another failure."""
        recording = self._record(case, case.lives[:-1], case.lives[-1])
        if recording is None:
            return False
        crash = recording.within(case.lives[-1].crash)
        return self._fails(recording, crash, recording.image(crash))


class _Beginning:
    """Answers given before, and others after the last one."""

    def __init__(self, answers: Sequence[int], otherwise: Choose) -> None:
        self._left = len(answers)
        self._recorded = Recorded(answers)
        self._otherwise = otherwise

    def __call__(self, count: int, label: str, /) -> int:
        self._left -= 1
        return (self._recorded if self._left >= 0 else self._otherwise)(count, label)


def _since(recording: Recording) -> int:
    """Where this life begins in its trace; a resumed one goes on in the trace of the life before."""
    return recording.past[-1].crash.crash_seq if recording.resumed else 0
