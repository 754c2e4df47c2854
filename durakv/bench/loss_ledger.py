"""What crashes of one kind took, counted crash by crash, and whether it was more than was promised."""

from __future__ import annotations

from dataclasses import dataclass, field

from durakv.bench.results import Loss

SIGKILL = "SIGKILL"
POWER_CUT = "power cut"

BROKEN = "BROKEN"
"""What the note of a ``Loss`` begins with when a promise was broken."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Crashes of one store, with one setting, by one method."""

    store: str
    setting: str
    crash: str
    lost_max: int | None
    """How many acknowledged writes a crash may take; None if no number is promised."""
    age_max_seconds: float | None
    """How old they may be; None if nothing is promised."""
    acknowledged: list[int] = field(default_factory=list[int])
    lost: list[int] = field(default_factory=list[int])
    oldest_seconds: list[float] = field(default_factory=list[float])
    broken: list[str] = field(default_factory=list[str])
    """What crashes did that they must not, one line each."""

    def count(
        self, *, acknowledged: int, survived: int, oldest_seconds: float, where: str = "", damage: str = ""
    ) -> None:
        """One more crash: writes 1 to ``survived`` were found; the first of the others was acknowledged so long ago.

        ``damage`` says why what was found is no state that writes 1 to k leave, for any k.
        """
        lost = max(0, acknowledged - survived)
        age = oldest_seconds if lost else 0.0
        self.acknowledged.append(acknowledged)
        self.lost.append(lost)
        self.oldest_seconds.append(age)
        if damage:
            self.broken.append(f"{where}: {damage}")
        elif exceeds(lost, self.lost_max) or exceeds(age, self.age_max_seconds):
            self.broken.append(f"{where}: {lost} acknowledged writes lost, the oldest {age:.3f} s old")

    def loss(self, *, method: str, writes_per_second: float | None, notes: list[str]) -> Loss:
        """The entry for the report; a broken promise is what its note says first."""
        crashes = len(self.lost)
        if not any(self.acknowledged):
            notes = [f"{BROKEN}: nothing was acknowledged before any of {crashes} crashes, so nothing is shown", *notes]
        elif self.broken:
            told = f"{BROKEN}: {len(self.broken)} of {crashes} crashes broke the promise; first {self.broken[0]}"
            notes = [told, *notes]
        return Loss(
            store=self.store,
            setting=self.setting,
            crash=self.crash,
            method=method,
            promised_lost_max=self.lost_max,
            promised_age_max_seconds=self.age_max_seconds,
            acknowledged=tuple(self.acknowledged),
            lost=tuple(self.lost),
            oldest_seconds=tuple(self.oldest_seconds),
            writes_per_second=writes_per_second,
            note="; ".join(notes),
        )


def is_broken(loss: Loss) -> bool:
    """Whether any crash took more than the store promised, or left what it must not."""
    return loss.note.startswith(BROKEN)


def exceeds(value: float, limit: float | None) -> bool:
    """Whether a promise was made and is broken."""
    return limit is not None and value > limit
