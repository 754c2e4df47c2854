"""The methods of the facades: every command written once, as what it asks for, whoever runs it.

``Database`` runs a request and returns the value, ``AsyncDatabase`` returns it to who awaits it, ``Batch`` collects the
request and returns an ``Answer``.  A class for each kind of value; another kind is another class, named here.
"""

from durakv.keyspace.methods.bits import BitMethods
from durakv.keyspace.methods.deadlines import DeadlineMethods
from durakv.keyspace.methods.hash_deadlines import HashDeadlineMethods
from durakv.keyspace.methods.hashes import HashMethods
from durakv.keyspace.methods.hyperloglogs import HyperLogLogMethods
from durakv.keyspace.methods.keys import KeyMethods
from durakv.keyspace.methods.lists import ListMethods
from durakv.keyspace.methods.places import PlaceMethods
from durakv.keyspace.methods.sets import SetMethods
from durakv.keyspace.methods.sort import SortMethods
from durakv.keyspace.methods.streams import StreamMethods
from durakv.keyspace.methods.strings import StringMethods
from durakv.keyspace.methods.zset_operations import SortedSetOperationMethods
from durakv.keyspace.methods.zsets import SortedSetMethods


class Methods(
    StringMethods,
    BitMethods,
    HyperLogLogMethods,
    HashMethods,
    HashDeadlineMethods,
    ListMethods,
    SetMethods,
    SortedSetMethods,
    SortedSetOperationMethods,
    PlaceMethods,
    StreamMethods,
    SortMethods,
    DeadlineMethods,
    KeyMethods,
):
    """A method for every common command but GET and SET, for which each facade has a short way of its own.

    ``Request[T]`` in a signature stands for what the facade returns: T, an awaitable of T, or ``Answer[T]``.
    """


__all__ = ["Methods"]
