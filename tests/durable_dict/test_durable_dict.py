"""The promise: what a durable dict is beyond the mapping protocol: durable, ordered, atomic, and clear when it refuses.

Method: examples, on real files and on a simulated disk whose power is cut.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import durakv
from durakv import Durability, DurableDict, JsonCodec, MsgpackCodec, TextCodec
from durakv.clock import ManualClock
from durakv_formats.limits import BULK_BYTES_MAX
from durakv_fuzz.disk import SimulatedDisk
from tests.support import died

TEXT = TextCodec()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[durakv.Database]:
    with durakv.open(tmp_path / "data", fsync="no") as opened:
        yield opened


def texts(database: durakv.Database, prefix: bytes = b"d:") -> DurableDict[str, str]:
    return DurableDict.over(database, prefix=prefix, value=TEXT)


def simulated(disk: SimulatedDisk, fsync: str = "always") -> durakv.Database:
    options = durakv.Options(segment_bytes=4096)
    return durakv.open(None, filesystem=disk, clock=ManualClock(), background=False, fsync=fsync, options=options)


def frames(database: durakv.Database) -> int:
    """How many batches were logged."""
    return database.status().applied_seq


# --- it stays ---------------------------------------------------------------------------------------------------------


def test_what_was_stored_is_there_after_a_restart_in_the_same_order(tmp_path: Path) -> None:
    with DurableDict(tmp_path / "d", value=JsonCodec(), fsync="always") as d:
        d["b"] = {"x": [1, 2.5, None, "é"]}
        d.update({"a": 1, "c": 2})
        del d["b"]
        d["b"] = "again"
        d["a"] = "kept its place"
    with DurableDict(tmp_path / "d", value=JsonCodec()) as d:
        assert list(d.items()) == [("a", "kept its place"), ("c", 2), ("b", "again")]


@pytest.mark.parametrize("base", list(durakv.BaseFormat))
def test_a_rewrite_keeps_the_order(tmp_path: Path, base: durakv.BaseFormat) -> None:
    options = durakv.Options(base_format=base, rewrite_percentage=0)
    expected = {str(number * 7919 % 3000): str(number) for number in range(3000)}
    with DurableDict(tmp_path / "d", value=TEXT, options=options) as d:
        d.update(expected)
        for key in list(expected)[::3]:
            del d[key], expected[key]
        d["1"] = expected["1"] = "new"
        d.database.rewrite()
    with DurableDict(tmp_path / "d", value=TEXT, options=options) as d:
        assert list(d.items()) == list(expected.items())
        assert d.popitem() == expected.popitem()


def test_a_lazily_opened_dict_is_the_same(tmp_path: Path) -> None:
    options = durakv.Options(load=durakv.Load.LAZY)
    with DurableDict(tmp_path / "d", value=TEXT) as d:
        d.update({"a": "1", "b": "2"})
        d.database.rewrite()
    with DurableDict(tmp_path / "d", value=TEXT, options=options) as d:
        assert d.pop("a") == "1"
        d["c"] = "3"
    with DurableDict(tmp_path / "d", value=TEXT, options=options) as d:
        assert list(d.items()) == [("b", "2"), ("c", "3")]


def test_a_write_under_always_is_on_disk_when_it_returns() -> None:
    disk = SimulatedDisk()
    d = texts(simulated(disk))
    d["a"] = "1"
    d.setdefault("b", "2")
    seq = frames(d.database)
    assert d.database.status().synced_seq == seq


def test_a_default_that_was_there_already_is_on_disk_too_when_it_is_returned() -> None:
    d = texts(simulated(SimulatedDisk()))
    d.put("a", "1", durability=Durability.APPLIED)
    assert d.database.status().synced_seq < frames(d.database)
    assert d.setdefault("a", "2") == "1"
    assert d.database.status().synced_seq == frames(d.database)


def test_put_and_batch_wait_for_the_level_that_they_are_given() -> None:
    d = texts(simulated(SimulatedDisk(), "no"))
    d["a"] = "1"
    assert d.database.status().synced_seq < frames(d.database)
    d.put("b", "2", durability=Durability.SYNCED)
    assert d.database.status().synced_seq == frames(d.database)
    with d.batch(durability=Durability.SYNCED) as batch:
        batch["c"] = "3"
    assert d.database.status().synced_seq == frames(d.database)
    d["d"] = "4"
    d.sync()
    assert d.database.status().synced_seq == frames(d.database)


def test_the_death_of_the_process_takes_nothing_under_no() -> None:
    disk = SimulatedDisk()
    texts(simulated(disk, "no"))["a"] = "1"
    assert dict(texts(simulated(died(disk)))) == {"a": "1"}


def test_a_clear_or_an_update_is_one_batch_of_the_log(database: durakv.Database) -> None:
    d = texts(database)
    before = database.status().writes
    d.update({str(number): "x" for number in range(5000)})
    assert database.status().writes == before + 1
    d.clear()
    assert database.status().writes == before + 2
    assert len(d) == 0
    d.clear()
    assert database.status().writes == before + 2, "there was nothing to clear"


# --- one step ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_stored_when_its_block_ends(database: durakv.Database) -> None:
    d = texts(database)
    d.update({"a": "1", "b": "2"})
    with d.batch() as batch:
        batch["c"] = "3"
        del batch["a"]
        batch["a"] = "moved to the end"
        batch["b"] = "4"
        del batch["c"]
        assert dict(d) == {"a": "1", "b": "2"}
    assert list(d.items()) == [("b", "4"), ("a", "moved to the end")]
    with pytest.raises(RuntimeError, match="ended"):
        batch["d"] = "5"
    with pytest.raises(RuntimeError, match="ended"):
        del batch["d"]
    d["b"] = "5"
    with pytest.raises(RuntimeError, match="ended"), batch:
        pass
    assert d["b"] == "5", "it is not stored again"


def test_a_batch_that_fails_stores_nothing(database: durakv.Database) -> None:
    d = texts(database)
    d["a"] = "1"
    before = frames(database)
    with pytest.raises(ZeroDivisionError), d.batch() as batch:
        batch["b"] = "2"
        raise ZeroDivisionError
    with pytest.raises(KeyError, match="absent"), d.batch() as batch:
        batch["b"] = "2"
        del batch["absent"]
    with pytest.raises(TypeError), d.batch() as batch:
        batch["b"] = "2"
        batch["c"] = 3  # type: ignore[assignment]
    with pytest.raises(KeyError, match="a"), d.batch() as batch:
        del batch["a"]
        del batch["a"]
    assert (dict(d), frames(database)) == ({"a": "1"}, before)


def test_an_empty_batch_logs_nothing(database: durakv.Database) -> None:
    d = texts(database)
    before = frames(database)
    with d.batch():
        pass
    d.update()
    assert frames(database) == before


def test_iterating_goes_over_what_was_there_when_it_began(database: durakv.Database) -> None:
    d = texts(database)
    d.update({"a": "1", "b": "2", "c": "3"})
    seen = []
    for key, value in d.items():
        seen.append((key, value))
        d.clear()
        d["new"] = "4"
    assert seen == [("a", "1"), ("b", "2"), ("c", "3")]
    assert list(d.values()) == ["4"]
    assert ("new", "4") in d.items()
    assert "4" in d.values()
    assert d.keys() == {"new"}


def test_what_is_returned_is_what_is_stored(database: durakv.Database) -> None:
    d = DurableDict.over(database, prefix=b"d:", value=JsonCodec())
    assert d.setdefault("a", (1, 2)) == [1, 2]
    assert d.setdefault("a", object()) == [1, 2], "a default that is not needed is not encoded"
    assert d.pop("a") == [1, 2]
    assert d.pop("a", "absent") == "absent"


def test_changing_a_value_that_was_read_stores_nothing(database: durakv.Database) -> None:
    d = DurableDict.over(database, prefix=b"d:", value=JsonCodec())
    d["a"] = [1]
    d["a"].append(2)
    assert d["a"] == [1]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_a_codec_refuses_is_not_logged(database: durakv.Database) -> None:
    d: DurableDict[str, Any] = DurableDict.over(database, prefix=b"d:", value=JsonCodec())
    before = frames(database)
    with pytest.raises(TypeError, match="not JSON serializable"):
        d["a"] = object()
    with pytest.raises(TypeError, match="not JSON serializable"):
        d.update({"good": 1, "bad": object()})
    with pytest.raises(TypeError, match="TextCodec takes str, not int"):
        d[5] = 1  # type: ignore[index]
    with pytest.raises(TypeError, match="TextCodec takes str, not int"):
        d.__contains__(5)
    with pytest.raises(TypeError, match="not JSON serializable"):
        d.setdefault("a", object())
    assert (len(d), frames(database)) == (0, before)


def test_a_codec_that_makes_no_bytes_is_refused(database: durakv.Database) -> None:
    class Wrong:
        name = "wrong"

        def encode(self, value: str) -> bytes:
            return value  # type: ignore[return-value]

        def decode(self, data: bytes) -> str:
            return data.decode()

    d = DurableDict.over(database, prefix=b"d:", value=Wrong())
    with pytest.raises(TypeError, match="the codec 'wrong' made str, not bytes"):
        d["a"] = "text"


def test_a_value_that_does_not_decode_is_told_with_its_key_and_stays(database: durakv.Database) -> None:
    d = DurableDict.over(database, prefix=b"d:", value=MsgpackCodec(int))
    d["a"] = 1
    database.hset(b"d:items", {b"a": b"\xc1"})
    before = frames(database)
    for read in (lambda: d["a"], lambda: d.pop("a"), d.popitem, lambda: d.setdefault("a", 1), lambda: list(d.items())):
        with pytest.raises(durakv.CodecError, match="the value of 'a' does not decode") as raised:
            read()
        assert raised.value.key == "a"
        assert raised.value.__cause__ is not None
    assert frames(database) == before
    assert "a" in d
    d["a"] = 2
    assert d["a"] == 2


def test_a_key_that_does_not_decode_is_told(database: durakv.Database) -> None:
    d = texts(database)
    database.hset(b"d:items", {b"\xff": b"x"})
    with pytest.raises(durakv.CodecError, match=r"the key stored as b'\\xff' does not decode") as raised:
        list(d)
    assert raised.value.key == b"\xff"


def test_another_codec_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with DurableDict(tmp_path / "d", value=JsonCodec()) as d:
        d["a"] = 1
    with pytest.raises(durakv.CodecError, match=r"each value .* by the codec 'json', and this one is 'pickle'"):
        DurableDict(tmp_path / "d", value=durakv.PickleCodec())
    with pytest.raises(durakv.CodecError, match=r"each key .* by the codec 'text', and this one is 'msgpack'"):
        DurableDict(tmp_path / "d", key=MsgpackCodec(int), value=JsonCodec())
    with DurableDict(tmp_path / "d", value=JsonCodec()) as d:
        assert d == {"a": 1}


def test_the_codecs_are_kept_when_it_is_cleared(tmp_path: Path) -> None:
    with DurableDict(tmp_path / "d", value=JsonCodec()) as d:
        d["a"] = 1
        d.clear()
    with pytest.raises(durakv.CodecError):
        DurableDict(tmp_path / "d", value=TEXT)


def test_what_no_dict_made_is_refused(database: durakv.Database) -> None:
    database.hset(b"h:items", {b"a": b"1"})
    with pytest.raises(durakv.CodecError, match="no dict made it"):
        texts(database, b"h:")
    database.set(b"s:items", b"text")
    with pytest.raises(durakv.WrongType, match="choose another prefix"):
        texts(database, b"s:")
    database.set(b"c:codecs", b"text")
    with pytest.raises(durakv.WrongType, match="choose another prefix"):
        texts(database, b"c:")
    texts(database, b"n:")
    database.hset(b"n:codecs", {b"layout": b"2"})
    with pytest.raises(durakv.UnsupportedVersion, match="newer durakv"):
        texts(database, b"n:")
    with pytest.raises(TypeError, match="a prefix is bytes, not str"):
        DurableDict.over(database, prefix="d:", value=TEXT)  # type: ignore[call-overload]


def test_a_directory_of_a_refused_dict_is_given_up(tmp_path: Path) -> None:
    DurableDict(tmp_path / "d", value=TEXT).close()
    with pytest.raises(durakv.CodecError):
        DurableDict(tmp_path / "d", value=JsonCodec())
    DurableDict(tmp_path / "d", value=TEXT).close()
    with pytest.raises(durakv.DirectoryError):
        DurableDict(tmp_path / "absent", value=TEXT, create=False)


def test_it_is_not_copied_or_pickled(database: durakv.Database) -> None:
    d = texts(database)
    for make in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"take dict\(d\.items\(\)\)"):
            make(d)
    with pytest.raises(TypeError, match="unhashable"):
        hash(d)


def test_a_value_larger_than_the_formats_allow_is_refused(database: durakv.Database) -> None:
    d = DurableDict.over(database, prefix=b"d:", value=durakv.BytesCodec())
    before = frames(database)
    with pytest.raises(durakv.Limit, match="nothing was logged"):
        d["a"] = bytes(BULK_BYTES_MAX + 1)
    assert (len(d), frames(database)) == (0, before)


# --- places and ends --------------------------------------------------------------------------------------------------


def test_several_dicts_live_in_one_database_beside_other_keys(database: durakv.Database) -> None:
    one, two = texts(database, b"one:"), texts(database, b"two:")
    empty, other = texts(database, b""), DurableDict.over(database.select(3), prefix=b"one:", value=JsonCodec())
    database.set(b"plain", b"x")
    one["a"], two["a"], empty["a"], other["a"] = "1", "2", "3", 4
    one.clear()
    assert (dict(one), dict(two), dict(empty), dict(other)) == ({}, {"a": "2"}, {"a": "3"}, {"a": 4})
    with other.batch() as batch:
        batch["b"] = 5
        del batch["a"]
    assert (other.pop("b"), len(other), database.get(b"plain")) == (5, 0, b"x")
    assert database.hgetall(b"two:items") == {b"a": b"2"}


def test_two_objects_at_one_place_see_the_same(database: durakv.Database) -> None:
    one, two = texts(database), texts(database)
    one["a"] = "1"
    assert two.pop("a") == "1"
    assert "a" not in one


def test_every_use_after_the_end_raises_closed(tmp_path: Path) -> None:
    owner = DurableDict(tmp_path / "d", value=TEXT)
    owner["a"] = "1"
    inside = texts(owner.database)
    batch = inside.batch()
    owner.close()
    owner.close()
    for d in (owner, inside):
        for use in (d.popitem, d.clear, d.sync, d.__len__, d.__iter__, lambda d=d: d["a"], lambda d=d: d.put("a", "1")):
            with pytest.raises(durakv.Closed):
                use()
        assert "closed" in repr(d)
    with pytest.raises(durakv.Closed), batch:
        batch["a"] = "2"


def test_closing_a_dict_inside_leaves_the_database_open(database: durakv.Database) -> None:
    with texts(database) as d:
        d["a"] = "1"
        assert repr(d) == "<DurableDict b'd:items': 1 keys>"
    with pytest.raises(durakv.Closed):
        d.get("a")
    assert texts(database)["a"] == "1"


@pytest.mark.parametrize("codec", [int, durakv.JsonCodec, None, "json"])
def test_what_is_no_codec_is_refused_before_a_directory_is_made(tmp_path: Path, codec: Any) -> None:
    for codecs in ({"value": codec}, {"key": codec or int, "value": durakv.JsonCodec()}):
        with pytest.raises(TypeError, match=r"(key|value)= is an instance of a codec, such as .*, not "):
            durakv.DurableDict(tmp_path / "dict", **codecs)
    assert not (tmp_path / "dict").exists()
