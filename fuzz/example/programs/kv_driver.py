"""Writes numbers into the service: `python kv_driver.py PORT FIRST COUNT`.

It says ``issued N`` before it asks, and ``acked N`` only when the answer has come: that is all that the laboratory
needs to know.
"""

from __future__ import annotations

import socket
import sys


def value_of(number: int) -> str:
    """What belongs to a number, and to no other."""
    return f"{number:06}." * (3 + number % 20)


def main() -> None:
    """One connection, one number after the other."""
    port, first, count = map(int, sys.argv[1:])
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rw") as service:
        for number in range(first, first + count):
            print(f"issued {number}", flush=True)
            service.write(f"set n{number} {value_of(number)}\n")
            service.flush()
            if service.readline() != "ok\n":
                sys.exit(f"{number} was refused")
            print(f"acked {number}", flush=True)


if __name__ == "__main__":
    main()
