"""The promise: a repair keeps the largest prefix that can be proven, says what is lost before it is, keeps what it
takes out, gives no number out twice, and never acts on its own where promised data is damaged.

Method: damage of every kind done to small directories in memory; what a repaired one opens to is compared with what
was written.
"""

from __future__ import annotations

import msgspec.structs
import pytest

from durakv.directory import MANIFEST_NAME
from durakv.errors import Corruption, DirectoryError, Locked
from durakv.log.segment import numbers_given_out_max
from durakv.repair import repair
from durakv.repair_plan import Remedy, RepairPlan, plan_repair
from durakv.verification import KEPT_PREFIX
from durakv.verify import verify
from durakv_formats.frame import encode_frame
from durakv_formats.manifest import decode_manifest, encode_manifest
from durakv_formats.resp import encode_command
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.badinput.places import Files, abandoned_directory, closed_directory, files_of, read
from tests.support import numbers, open_engine, put

BASE = "appendonly.aof.1.base.dkv"
FIRST, SECOND = "appendonly.aof.2.incr.aof", "appendonly.aof.3.incr.aof"


def zeros(size: int) -> bytes:
    return bytes(size)


def long_log() -> Files:
    """Four sealed segments without a base, numbers 1 to 8."""
    disk = SimulatedDisk()
    for life in range(4):
        opened = open_engine(disk)
        opened.engine.apply(put(2 * life + 1))
        opened.engine.apply(put(2 * life + 2))
        opened.engine.close()
    return files_of(disk)


def flip(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :]


def repaired(files: Files, *, discard_after_damage: bool = True) -> tuple[RepairPlan, Files]:
    """Repair a copy of the files; the originals of all that changed must be beside them."""
    disk = SimulatedDisk(Image(dict(files)))
    plan = repair(disk, discard_after_damage=discard_after_damage, entropy=zeros)
    after = files_of(disk)
    kept = {name: data for name, data in after.items() if name.startswith(KEPT_PREFIX)}
    for name, data in files.items():
        if after.get(name) != data and data.strip(b"\0"):
            assert data in kept.values(), f"the original of {name} is gone"
    assert verify(SimulatedDisk(Image(after))).ok
    assert plan_repair(SimulatedDisk(Image(after))).remedy is Remedy.NOTHING
    return plan, after


def opens_to(files: Files, expected: list[int], plan: RepairPlan) -> None:
    """A clean open that knows exactly these, and gives out only numbers that nobody was given."""
    disk = SimulatedDisk(Image(files))
    opened = open_engine(disk)
    assert numbers(opened.journal) == expected
    assert opened.engine.report.cut is None
    assert opened.engine.report.clean
    assert opened.engine.applied_seq >= plan.retire_seq
    opened.engine.apply(put(99))
    opened.engine.close()
    assert numbers(open_engine(disk).journal) == [*expected, 99]
    assert all(name in disk.list() for name in files if name.startswith(KEPT_PREFIX)), "no open removes what was kept"


def test_there_is_nothing_to_repair_in_a_whole_directory() -> None:
    for files in (closed_directory()[0], abandoned_directory()[0], {}):
        plan, after = repaired(files)
        assert plan.remedy is Remedy.NOTHING
        assert plan.lines() == ["nothing to repair"]
        assert after == files


def test_a_torn_tail_is_cut_without_a_question_and_kept_beside() -> None:
    files, commands, promised = abandoned_directory()
    name = "appendonly.aof.2.incr.aof"
    data = files[name]
    last = data.rindex(b"#DKV1 ")
    files[name] = flip(data, last + 100)
    plan, after = repaired(files, discard_after_damage=False)
    assert plan.remedy is Remedy.CUT
    assert plan.cut == (name,)
    assert plan.keep_seq == promised
    assert "nothing that was promised" in plan.loss
    assert plan.retire_seq == numbers_given_out_max(first=2, capacity=len(data)), "as an open would have it"
    opens_to(after, commands[:promised], plan)


@pytest.mark.parametrize("life", range(4))
def test_damage_in_a_segment_costs_it_and_all_behind_it(life: int) -> None:
    files = long_log()
    name = f"appendonly.aof.{life + 1}.incr.aof"
    second = files[name].rindex(b"#DKV1 ")
    files[name] = flip(files[name], second + 100)
    plan, after = repaired(files)
    assert plan.remedy is Remedy.DISCARD
    assert plan.keep_seq == 2 * life + 1
    assert plan.cut == (name,)
    assert plan.left_out == tuple(f"appendonly.aof.{number}.incr.aof" for number in range(life + 2, 5))
    assert f"numbers {2 * life + 2} to 8" in plan.loss
    assert "promised as synced up to 8" in plan.loss
    opens_to(after, list(range(1, 2 * life + 2)), plan)


@pytest.mark.parametrize("life", range(4))
def test_a_missing_segment_costs_it_and_all_behind_it(life: int) -> None:
    files = long_log()
    del files[f"appendonly.aof.{life + 1}.incr.aof"]
    plan, after = repaired(files)
    assert plan.remedy is Remedy.DISCARD
    assert plan.keep_seq == 2 * life
    opens_to(after, list(range(1, 2 * life + 1)), plan)


@pytest.mark.parametrize("life", range(4))
def test_a_segment_whose_opening_is_damaged_is_taken_out_whole(life: int) -> None:
    files = long_log()
    name = f"appendonly.aof.{life + 1}.incr.aof"
    files[name] = flip(files[name], 10)
    plan, after = repaired(files)
    assert plan.cut == ()
    assert plan.left_out[0] == name
    opens_to(after, list(range(1, 2 * life + 1)), plan)


def test_corruption_is_left_alone_unless_the_loss_is_accepted() -> None:
    files = long_log()
    name = "appendonly.aof.2.incr.aof"
    files[name] = files[name][:-1]
    disk = SimulatedDisk(Image(dict(files)))
    with pytest.raises(Corruption) as caught:
        repair(disk, entropy=zeros)
    assert files_of(disk) == files
    told = str(caught.value)
    for words in (name, "keep everything up to number 3", "numbers 4 to 8", "discard_after_damage", "from a copy"):
        assert words in told
    plan = plan_repair(disk)
    assert plan.loss in told, "the plan and the refusal say the same"
    assert files_of(disk) == files


def test_damage_in_an_open_segment_below_a_promise_retires_all_it_can_have_given_out() -> None:
    files, _, promised = abandoned_directory()
    name = "appendonly.aof.2.incr.aof"
    data = files[name]
    second = data.index(b"#DKV1 ", 1)
    files[name] = flip(data, second + 100)[: len(data) // 2]
    plan, after = repaired(files)
    assert plan.remedy is Remedy.DISCARD
    assert plan.keep_seq == 1
    assert plan.verification.promised_seq == promised
    assert plan.retire_seq > numbers_given_out_max(first=2, capacity=len(data)), "what is left tells no size"
    opens_to(after, [1], plan)


def test_a_promise_without_data_is_given_up_only_on_request() -> None:
    files = long_log()
    manifest = decode_manifest(files[MANIFEST_NAME])
    files[MANIFEST_NAME] = encode_manifest(msgspec.structs.replace(manifest, synced_seq=12))
    plan, after = repaired(files)
    assert plan.remedy is Remedy.DISCARD
    assert plan.keep_seq == 8
    assert plan.retire_seq == 12
    opens_to(after, list(range(1, 9)), plan)


def test_without_its_base_nothing_can_be_proven() -> None:
    files, _ = closed_directory()
    for damage in ({BASE: flip(files[BASE], 150)}, {BASE: b""}, {BASE: None}):
        broken = {name: data for name, data in {**files, **damage}.items() if data is not None}
        disk = SimulatedDisk(Image(dict(broken)))
        with pytest.raises(DirectoryError, match="copy"):
            repair(disk, discard_after_damage=True)
        assert files_of(disk) == broken
        assert plan_repair(disk).remedy is Remedy.IMPOSSIBLE
        assert "restore the directory from a copy" in plan_repair(disk).lines()[-1]


def test_what_could_not_be_checked_is_not_repaired() -> None:
    files = long_log()
    name = "appendonly.aof.4.incr.aof"
    files[name] = files[name].replace(b"#DKV1 ", b"#DKV2 ")
    files["appendonly.aof.2.incr.aof"] = b""
    disk = SimulatedDisk(Image(dict(files)))
    with pytest.raises(DirectoryError, match="log frame 2"):
        repair(disk, discard_after_damage=True)
    assert files_of(disk) == files


def test_an_owner_at_work_is_not_repaired() -> None:
    files = long_log()
    disk = SimulatedDisk(Image(files))
    open_engine(disk)
    with pytest.raises(Locked):
        repair(disk, discard_after_damage=True)


def test_a_second_repair_keeps_what_the_first_one_kept() -> None:
    files = long_log()
    files["appendonly.aof.4.incr.aof"] = files["appendonly.aof.4.incr.aof"][:-1]
    _, after = repaired(files)
    after["appendonly.aof.2.incr.aof"] = after["appendonly.aof.2.incr.aof"][:-1]
    plan, again = repaired(after)
    assert {name: data for name, data in after.items() if name.startswith(KEPT_PREFIX)}.items() <= again.items()
    assert any(name.endswith("-2") for name in again)
    opens_to(again, [1, 2, 3], plan)


# --- stock servers' files ---------------------------------------------------------------------------------------------


def stock_directory(*logs: bytes) -> Files:
    names = [f"appendonly.aof.{number}.incr.aof" for number in range(1, len(logs) + 1)]
    lines = b"".join(b"file %b seq %d type i\n" % (name.encode(), seq) for seq, name in enumerate(names, 1))
    return {MANIFEST_NAME: lines, **dict(zip(names, logs, strict=True))}


def stock_log(*wanted: int) -> bytes:
    return b"".join(encode_command(command) for number in wanted for command in put(number))


def test_a_servers_torn_tail_is_cut() -> None:
    plan, after = repaired(stock_directory(stock_log(1, 2), stock_log(3, 4)[:-2]), discard_after_damage=False)
    assert plan.remedy is Remedy.CUT
    opens_to(after, [1, 2, 3], plan)


def test_damage_in_a_servers_log_costs_what_follows_it() -> None:
    log = stock_log(3, 4, 5).replace(b"*3\r\n$3\r\nput\r\n$1\r\n4", b"*3\r\n$3\r\nput\r\n$9\r\n4")
    files = stock_directory(stock_log(1, 2), log, stock_log(6))
    with pytest.raises(Corruption):
        repaired(files, discard_after_damage=False)
    plan, after = repaired(files)
    assert plan.left_out == ("appendonly.aof.3.incr.aof",)
    opens_to(after, [1, 2, 3], plan)


def test_what_a_server_appended_is_kept_when_it_is_repaired() -> None:
    files = long_log()
    name = "appendonly.aof.4.incr.aof"
    files[name] += stock_log(9, 10)[:-1]
    plan, after = repaired(files, discard_after_damage=False)
    assert plan.remedy is Remedy.CUT
    opens_to(after, list(range(1, 10)), plan)


# --- a lost manifest --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("manifest", [None, b"", b"#DKVM1 nonsense\n"])
@pytest.mark.parametrize("make", [long_log, lambda: closed_directory()[0]], ids=["log", "base"])
def test_a_lost_manifest_is_made_again_from_the_files_on_request(make: object, manifest: bytes | None) -> None:
    assert callable(make)
    files: Files = make()
    expected = read(files)
    if manifest is None:
        del files[MANIFEST_NAME]
    else:
        files[MANIFEST_NAME] = manifest
    with pytest.raises(Corruption, match="which only the manifest could tell"):
        repaired(files, discard_after_damage=False)
    plan, after = repaired(files)
    assert plan.remedy is Remedy.DISCARD
    assert plan.keep_seq == 8
    opens_to(after, expected.commands, plan)


def test_a_lost_manifest_and_a_torn_tail_are_repaired_at_once() -> None:
    files, commands, promised = abandoned_directory()
    del files[MANIFEST_NAME]
    name = "appendonly.aof.2.incr.aof"
    files[name] = flip(files[name], files[name].rindex(b"#DKV1 ") + 100)
    plan, after = repaired(files)
    assert plan.cut == (name,)
    opens_to(after, commands[:promised], plan)


def test_a_gap_ends_what_the_files_prove() -> None:
    files = long_log()
    del files[MANIFEST_NAME]
    del files["appendonly.aof.2.incr.aof"]
    plan, after = repaired(files)
    assert plan.keep_seq == 2
    assert plan.left_out == ("appendonly.aof.3.incr.aof", "appendonly.aof.4.incr.aof")
    opens_to(after, [1, 2], plan)


def test_an_outdated_manifest_is_replaced_by_what_the_files_prove() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk)
    opened.engine.apply(put(1))
    opened.engine.close()
    outdated = files_of(disk)[MANIFEST_NAME]
    opened = open_engine(disk)
    opened.engine.apply(put(2))
    opened.engine.close()
    files = {**files_of(disk), MANIFEST_NAME: outdated}
    with pytest.raises(Corruption, match="older one"):
        repaired(files, discard_after_damage=False)
    plan, after = repaired(files)
    assert plan.keep_seq == 2
    opens_to(after, [1, 2], plan)


@pytest.mark.parametrize("life", [1, 2])
def test_what_the_files_promise_but_do_not_hold_is_told(life: int) -> None:
    files = long_log()
    del files[MANIFEST_NAME]
    name = f"appendonly.aof.{life}.incr.aof"
    files[name] = flip(files[name], files[name].rindex(b"#DKV1 ") + 100)
    plan, after = repaired(files)
    assert plan.keep_seq == 2 * life - 1
    assert "the files themselves promise everything up to number 7" in plan.loss
    opens_to(after, list(range(1, 2 * life)), plan)


def test_files_that_prove_nothing_are_left_alone() -> None:
    whole = long_log()
    del whole[MANIFEST_NAME]
    headless = {name: data for name, data in whole.items() if "aof.1." not in name}
    stranger = encode_frame(b"", seq=8, count=0, synced_seq=8, identity=1, segment=5)
    strangers = {**whole, "appendonly.aof.5.incr.aof": stranger}
    based, _ = closed_directory()
    baseless = {name: data for name, data in based.items() if name not in (BASE, MANIFEST_NAME)}
    stock = {**whole, "appendonly.aof.5.incr.aof": stock_log(9)}
    for files, reason in (
        (headless, "the log begins behind number 2"),
        (strangers, "more than one directory"),
        (baseless, "the log begins behind number 3"),
        (stock, "stock server"),
        ({"appendonly.aof.1.incr.aof": bytes(100)}, "no file says"),
    ):
        disk = SimulatedDisk(Image(dict(files)))
        with pytest.raises(DirectoryError, match=reason):
            repair(disk, discard_after_damage=True, entropy=zeros)
        assert files_of(disk) == files


def test_a_segment_prepared_but_never_used_does_not_break_the_chain() -> None:
    files = long_log()
    del files[MANIFEST_NAME]
    files["appendonly.aof.5.incr.aof"] = bytes(4096)
    plan, after = repaired(files)
    assert plan.keep_seq == 8
    opens_to(after, list(range(1, 9)), plan)
