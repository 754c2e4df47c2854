"""The process that is killed: ``python -m tests.service.driver HOW DIRECTORY`` takes orders, in one of these ways."""

from __future__ import annotations

import os
import sys
import time

import durakv
from durakv_fuzz.service import say

ORDERS = 3
"""After so many some drivers come to an end."""


def main(how: str, directory: str) -> None:
    with durakv.open(directory, fsync="no") as db:
        first = order = db.llen(b"orders")
        while True:
            if how == "acks first":
                say(began=["order", order], acked=["order", order])
                db.rpush(b"orders", b"%d" % order)
            else:
                say(began=["order", order])
                db.rpush(b"orders", b"%d" % order)
                say(acked=["order", order])
            order += 1
            if how == "ends" and order == first + ORDERS:
                return
            if how == "breaks" and order == first + ORDERS:
                raise RuntimeError("no more paper")
            if how == "talks":
                os.write(1, b"hello\n")
            if how == "hangs":
                time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
