"""What a campaign is about: everything, or one policy, or one kind of disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from durakv.durability import FsyncPolicy
from durakv_fuzz.model import Model
from durakv_fuzz.script import Action, Script, Setup, Step

_POLICIES = tuple(FsyncPolicy)


class Profile(StrEnum):
    """Which disks crash."""

    ANY = "any"
    POSIX = "posix"
    """Bare POSIX: whatever no sync covers survives or not, page by page and name by name (F1 to F3)."""

    ORDERED = "ordered"
    """Journalling file systems: names and each file's writes survive in their order (F4)."""

    PROCESS = "process"
    """No power loss at all: programs are killed."""

    @property
    def models(self) -> tuple[Model, ...]:
        """The crashes of these disks."""
        return _MODELS[self]


_MODELS = {
    Profile.ANY: tuple(Model),
    Profile.POSIX: (Model.POWER_LOSS,),
    Profile.ORDERED: (Model.ORDERED, Model.ORDERED_ZERO_TAIL),
    Profile.PROCESS: (Model.PROCESS_CRASH,),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """See the module."""

    policy: FsyncPolicy | None = None
    """None: each of them, and changes from one to the other."""
    profile: Profile = Profile.ANY

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == EVERYTHING

    def setup(self, setup: Setup) -> Setup:
        """The engine, with the policy that is wanted."""
        return setup if self.policy is None else replace(setup, policy=self.policy)

    def script(self, script: Script) -> Script:
        """The program, without what leads to another policy."""
        if self.policy is None:
            return script
        index = _POLICIES.index(self.policy)
        return tuple(
            Step(step.action, (index,)) if step.action in (Action.REOPEN, Action.KILL) else step
            for step in script
            if step.action is not Action.POLICY
        )


EVERYTHING = Scope()
