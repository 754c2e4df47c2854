"""Crash tests of anybody's state machine, on the real engine and a simulated disk.

    outcome = explore(Subject(Ledger, draw, Ledger.read), seed=1, states=2000)
    assert outcome.failure is None, "\\n".join(outcome.failure.story)

The model is the embedder's own machine, which is given each batch in memory and is never frozen, restored or
recovered.  Whatever comes back from a crash must be a state that it was in.
"""

from durakv_fuzz.embedder.artefact import BadArtefact, dump_case, load_case
from durakv_fuzz.embedder.campaign import Failure, Outcome, explore
from durakv_fuzz.embedder.life import Case, replay
from durakv_fuzz.embedder.story import tell
from durakv_fuzz.embedder.subject import BadSubject, Subject

__all__ = [
    "BadArtefact",
    "BadSubject",
    "Case",
    "Failure",
    "Outcome",
    "Subject",
    "dump_case",
    "explore",
    "load_case",
    "replay",
    "tell",
]
