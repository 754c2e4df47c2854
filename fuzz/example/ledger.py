"""A small state machine: accounts, transfers between them, and the requests that were answered already.

open account                          pay request from to amount
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence


class Ledger:
    """``forgetful=True`` is a bug on request: the image leaves out which requests were answered."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self.balances: dict[str, int] = {}
        self.answered: set[str] = set()
        self._forgetful = forgetful

    def apply(self, command: Sequence[bytes], /) -> int:
        name, *arguments = (part.decode() for part in command)
        if name == "open":
            return self.balances.setdefault(arguments[0], 100)
        request, source, target, amount = arguments
        if request not in self.answered:  # a client that asks twice pays once
            self.answered.add(request)
            self.balances[source] = self.balances.get(source, 0) - int(amount)
            self.balances[target] = self.balances.get(target, 0) + int(amount)
        return self.balances.get(source, 0)

    def freeze(self) -> Iterator[bytes]:
        answered = [] if self._forgetful else sorted(self.answered)
        return iter([json.dumps([self.balances, answered]).encode()])

    def restore(self, chunks: Iterable[bytes], /) -> None:
        balances, answered = json.loads(b"".join(chunks))
        self.balances, self.answered = balances, set(answered)
