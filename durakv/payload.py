"""What the log holds of a batch: the commands as RESP, one behind the other."""

from __future__ import annotations

from durakv.errors import Limit
from durakv.machine import Batch, check_batch
from durakv_formats.compiled import plain_batch
from durakv_formats.errors import LimitError
from durakv_formats.resp import encode_batch


def encoded(batch: Batch) -> bytes:
    """The payload of a batch; raises TypeError for what is none, and Limit."""
    if plain_batch is not None and (plain := plain_batch(batch)) is not None:
        return plain
    check_batch(batch)
    try:
        return encode_batch(batch)
    except LimitError as error:
        raise Limit(f"{error.reason}; nothing was logged") from error
