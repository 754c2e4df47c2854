"""What a dict, a queue and counters may hold after a crash, told by what callers were told and by nothing else.

    ("life 7 write 3", "set", "a", "x")      the tag makes every fact another one

One caller makes one write after the other, so what survives is what all writes up to one of them left, and that one is
no earlier than the last acknowledged one.  A life that opens says what it found, and goes on from there.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, cast

from durakv_fuzz.service import Facts

Fact = tuple[Any, ...]


@dataclass
class Held:
    """What the three hold."""

    settings: dict[str, str] = field(default_factory=dict[str, str])
    jobs: list[str] = field(default_factory=list[str])
    sums: dict[str, int] = field(default_factory=dict[str, int])

    def same(self, other: Held) -> bool:
        """Equal, in the order of the dict too."""
        return self == other and list(self.settings) == list(other.settings)

    def found(self) -> Fact:
        """As the rest of a fact."""
        return "found", tuple(self.settings.items()), tuple(self.jobs), tuple(self.sums.items())

    def after(self, fact: Fact) -> Held:
        """What they hold after one write."""
        new = copy.deepcopy(self)
        match fact[1:]:
            case ("found", settings, jobs, sums):
                return Held(dict(settings), list(jobs), dict(sums))
            case ("set", key, value):
                new.settings[key] = value
            case ("default", key, value):
                new.settings.setdefault(key, value)
            case ("update", pairs):
                new.settings.update(dict(pairs))
            case ("batch", deleted, pairs):
                for key in deleted:
                    del new.settings[key]
                new.settings.update(dict(pairs))
            case ("delete" | "pop", key):
                del new.settings[key]
            case ("popitem",):
                new.settings.popitem()
            case ("clear",):
                new.settings.clear()
            case ("put", item):
                new.jobs.append(item)
            case ("acknowledge", item):
                new.jobs.remove(item)
            case ("add", name, amount):
                new.sums[name] = new.sums.get(name, 0) + amount
            case _:
                raise AssertionError(f"no such write: {fact}")
        return new


def assert_expected(found: Held, facts: Facts) -> None:
    """What was found is what all writes up to one of them left, the last acknowledged one or a later one."""
    acked = set(facts.acked)
    allowed = [Held()]
    for fact in cast("tuple[Fact, ...]", facts.began):
        if fact[1] == "found":
            told = Held().after(fact)
            assert any(told.same(held) for held in allowed), f"an open found {told}, allowed were {allowed}"
            allowed = [told]
        else:
            after = allowed[-1].after(fact)
            allowed = [after] if fact in acked else [*allowed, after]
    assert any(found.same(held) for held in allowed), f"found {found}, allowed are {allowed}"
