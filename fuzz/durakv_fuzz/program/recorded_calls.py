"""Calls on a recording that has to be told of ``sync(2)`` and ``syncfs(2)``: they are watched for these two alone.

Where system calls cannot be stopped they are plain calls, and such a sync counts for nothing, as if never made.  In a
watched call no program can gain privileges (``no_new_privs``).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable

from durakv_fuzz.injector.calls import Call
from durakv_fuzz.injector.run import start_function
from durakv_fuzz.injector.seccomp import missing
from durakv_fuzz.injector.supervisor import Watch
from durakv_fuzz.program.calls import CallFailed, CallHung, call
from durakv_fuzz.program.recording import Recording, ToldOfSyncs

_WATCHED = frozenset({"sync", "syncfs"})
_GRACE_SECONDS = 10.0
"""How much longer than the call whoever makes it may take to end what it left."""


def recorded_call(recording: Recording, function: Callable[[], object], seconds: float) -> None:
    """As ``call``, without a result."""
    if not isinstance(recording, ToldOfSyncs) or missing():
        call(function, seconds)
        return
    told = recording

    def on_sync(made: Call) -> bool:
        told.sync_all(made.thread)
        return True

    failure = os.memfd_create("failure")

    def body() -> None:
        try:
            call(function, seconds)
        except (CallFailed, CallHung) as raised:
            os.write(failure, pickle.dumps(raised))

    try:
        with start_function(body, Watch(recording.directory, calls=_WATCHED, on_sync=on_sync)) as run:
            try:
                ended = run.wait(seconds + _GRACE_SECONDS)
            except TimeoutError:
                raise CallHung(f"what it started was not gone {_GRACE_SECONDS:g} s after its end") from None
        said = os.pread(failure, os.fstat(failure).st_size, 0)
    finally:
        os.close(failure)
    if said:
        raise pickle.loads(said)
    if ended.code:
        raise CallFailed("its process ended without a word")
