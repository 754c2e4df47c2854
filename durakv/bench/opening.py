"""Opens a directory in a process of its own and says how long that took: ``python -m durakv.bench.opening DIR``.

A process that has opened nothing yet: what an earlier open left in memory would make the next one look cheap.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

from durakv.bench.kernel import rss_bytes
from durakv.keyspace.database import open as open_database


def main() -> int:
    """Open, and tell seconds, keys and memory as JSON."""
    began = perf_counter()
    database = open_database(sys.argv[1], create=False)
    seconds = perf_counter() - began
    held = rss_bytes()
    told = {"seconds": seconds, "keys": database.dbsize(), "rss_bytes": held}
    sys.stdout.write(json.dumps(told) + "\n")
    database.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
