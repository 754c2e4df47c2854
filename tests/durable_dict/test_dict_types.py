"""The promise: a type checker knows the types of keys and values from the codecs.

Method: a program with what it should reveal, and with mistakes that it should find, is given to mypy.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import durakv

db = durakv.open("x")
reveal_type(durakv.DurableDict("x", value=durakv.MsgpackCodec(int)))
reveal_type(durakv.DurableDict("x", value=durakv.TextCodec()))
reveal_type(durakv.DurableDict("x", value=durakv.JsonCodec()))
reveal_type(durakv.DurableDict("x", value=durakv.MsgpackCodec()))
reveal_type(durakv.DurableDict("x", key=durakv.BytesCodec(), value=durakv.MsgpackCodec(list[str])))
reveal_type(durakv.DurableDict.over(db, prefix=b"", value=durakv.MsgpackCodec(int)))
reveal_type(durakv.DurableDict.over(db, prefix=b"", key=durakv.MsgpackCodec(int), value=durakv.BytesCodec()))

d = durakv.DurableDict("x", value=durakv.MsgpackCodec(int))
reveal_type(d["a"])
reveal_type(d.get("a"))
reveal_type(d.pop("a", None))
reveal_type(d.setdefault("a", 1))
reveal_type(d.popitem())
reveal_type([*d.items()])
"""

REVEALED = [
    "durakv.durable_dict.mapping.DurableDict[str, int]",
    "durakv.durable_dict.mapping.DurableDict[str, str]",
    "durakv.durable_dict.mapping.DurableDict[str, Any]",
    "durakv.durable_dict.mapping.DurableDict[str, Any]",
    "durakv.durable_dict.mapping.DurableDict[bytes, list[str]]",
    "durakv.durable_dict.mapping.DurableDict[str, int]",
    "durakv.durable_dict.mapping.DurableDict[int, bytes]",
    "int",
    "int | None",
    "int | None",
    "int",
    "tuple[str, int]",
    "list[tuple[str, int]]",
]

MISTAKES = """
import durakv

d = durakv.DurableDict("x", value=durakv.MsgpackCodec(int))
d["a"] = "text"
d[b"a"] = 1
d.update({"a": "text"})
d.update(a="text")
d.put("a", 1.5)
with d.batch() as batch:
    batch["a"] = "text"
d.update({"a": 1}, b=2)
d.update([("a", 1)])
"""


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy comes with the extra 'check'")
def test_types_come_from_the_codecs_and_mistakes_are_found(tmp_path: Path) -> None:
    (tmp_path / "revealing.py").write_text(PROGRAM)
    (tmp_path / "mistaken.py").write_text(MISTAKES)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    revealed = re.findall(r'note: Revealed type is "(.*)"', done.stdout)
    assert [re.sub(r"builtins\.", "", text).replace("Union[int, None]", "int | None") for text in revealed] == REVEALED
    assert [int(line) for line in re.findall(r"mistaken\.py:(\d+): error", done.stdout)] == [5, 6, 7, 8, 9, 11]
