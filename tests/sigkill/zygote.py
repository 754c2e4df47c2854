"""Starts the scripted runs: a plain Python process that has everything imported and forks for each run.

    driver -> zygote    {"script": name, "directory": path}, with the pipe for what the run tells
    run -> driver       {"pid": n}, with the listener of its system calls
    zygote -> driver    {"status": n}, when the run has ended

A start from nothing would cost half a second each, and there are hundreds of runs.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import traceback

from tests.sigkill import scripts, syscalls


def main() -> int:
    """Serve until the driver goes away."""
    driver = socket.socket(fileno=int(sys.argv[1]))
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(driver, 4096, 1)
        if not message:
            return 0
        order = json.loads(message)
        child = os.fork()
        if not child:
            _run(driver, descriptors[0], order["script"], order["directory"])
        os.close(descriptors[0])
        _, status = os.waitpid(child, 0)
        driver.send(json.dumps({"status": status}).encode())


def _run(driver: socket.socket, pipe: int, script: str, directory: str) -> None:
    code = 1
    try:
        listener = syscalls.listen()
        socket.send_fds(driver, [json.dumps({"pid": os.getpid()}).encode()], [listener])
        os.close(listener)
        driver.close()
        scripts.SCRIPTS[script](directory, pipe)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the driver is told and this process ends
        os.write(pipe, b"failed " + traceback.format_exc().replace("\n", " | ").encode() + b"\n")
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
