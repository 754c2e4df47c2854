"""Which trees a crash may leave: the models of ``model``, for programs that use directories.

What is asked, and how it is answered, is the same; the fault model's F3 and F4 then mean:

- The sync of a directory settles the changes of names in it; of a rename or an exchange, in the directory that the
  first name went to.  A file that was renamed to another directory may be in both until the sync of the one it left,
  too (as on btrfs); the ordered models know no such thing.  That of a file settles its data and size, and no name.
  ``sync_all`` settles everything.
- In the ordered models all directories share one journal: changes of names survive as one prefix.
- A directory without a name takes everything beneath along, also what was synced, or moved there.
- An unlinked file is gone; if its removal is lost it is there again, with what was written to it since, as far as that
  survived.
- A file with several names is asked for its content once.
- A directory has one name, and none is beneath itself: see ``model``.
- Modes, owners and extended attributes are as they were last set.
- No file system is assumed to force the data of a file that replaces another, or of one that was truncated (as ext4
  does with ``auto_da_alloc``; XFS does not).
"""

from __future__ import annotations

from collections.abc import Mapping

from durakv_fuzz.choose import Choose
from durakv_fuzz.content import Content
from durakv_fuzz.image import Image
from durakv_fuzz.layers import in_one
from durakv_fuzz.model import Model, crash_image, settle
from durakv_fuzz.places import place_of
from durakv_fuzz.timeline import Moment, Timeline
from durakv_fuzz.trace import Trace
from durakv_fuzz.tree import ROOT, Node, Tree, with_data


def crash_tree(source: Trace | Timeline, crash_seq: int, choose: Choose, *, model: Model = Model.POWER_LOSS) -> Tree:
    """The tree that a crash right before event ``crash_seq`` leaves (``trace.seq``: after everything).

    A trace is played anew each time; pass a ``Timeline`` to ask more than once.  The names are settled first and then
    the content of the files that still have one, in the order of their numbers.
    """
    timeline = source if isinstance(source, Timeline) else Timeline(source)
    return tree_at(timeline.moments[crash_seq], choose, model=model)


def crash_any(source: Trace | Timeline, crash_seq: int, choose: Choose, *, model: Model) -> Image | Tree:
    """``crash_image`` or ``crash_tree``, as the trace asks for."""
    timeline = source if isinstance(source, Timeline) else Timeline(source)
    make = crash_tree if isinstance(timeline.trace.base, Tree) else crash_image
    return make(timeline, crash_seq, choose, model=model)


def tree_at(moment: Moment, choose: Choose, *, model: Model = Model.POWER_LOSS) -> Tree:
    """The tree that a crash at this moment leaves."""
    if moment.nodes is None:
        raise TypeError("the trace is of one directory: ask model")
    names, content = settle(moment, choose, model)
    entries = _reachable(names)
    known = in_one(moment.nodes)
    nodes: dict[int, Node] = {number: known[number] for number in (ROOT, *entries.values())}
    for number in moment.unsettled:
        if number in nodes:
            data = content(moment.files[number])
            assert isinstance(data, Content)
            nodes[number] = with_data(nodes[number], data)
    return Tree(nodes, entries)


def _reachable(names: Mapping[str, int]) -> dict[tuple[int, str], int]:
    """The entries of the directories that have a name themselves."""
    inside: dict[int, list[tuple[tuple[int, str], int]]] = {}
    for key, number in names.items():
        place = place_of(key)
        inside.setdefault(place[0], []).append((place, number))
    entries: dict[tuple[int, str], int] = {}
    waiting = [ROOT]
    while waiting:
        for place, number in inside.get(waiting.pop(), ()):
            entries[place] = number
            if number in inside:
                waiting.append(number)
    return entries
