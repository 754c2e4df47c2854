"""Asks the service what is there after a crash: `python kv_check.py PORT`.

Another status than 0 would say that the service refuses what it found.
"""

from __future__ import annotations

import socket
import sys

from kv_driver import value_of

NUMBERS_MAX = 1000


def main() -> None:
    """``found N`` for every number with its own value, ``wrong TEXT`` for every other value."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection, connection.makefile("rw") as service:
        for number in range(NUMBERS_MAX):
            service.write(f"get n{number}\n")
            service.flush()
            answer = service.readline().rstrip("\n")
            if answer == f"value {value_of(number)}":
                print(f"found {number}")
            elif answer != "none":
                print(f"wrong {number}: {answer[:40]}")


if __name__ == "__main__":
    main()
