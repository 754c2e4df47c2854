"""Telling a recording what a program said."""

from __future__ import annotations

from durakv_fuzz.program.oracle import ACKED, ISSUED, SYNCED
from durakv_fuzz.program.recording import Recording


class RecordingTeller:
    """A ``Teller`` whose words become notes of the trace."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def issued(self, number: int) -> None:
        """See :class:`Teller`."""
        self._recording.note(ISSUED, number)

    def acked(self, number: int) -> None:
        """See :class:`Teller`."""
        self._recording.note(ACKED, number)

    def synced(self, number: int) -> None:
        """See :class:`Teller`."""
        self._recording.note(SYNCED, number)
