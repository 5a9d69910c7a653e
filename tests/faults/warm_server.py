"""Commands without the start of an interpreter: everything is imported once, then forked.

Reads requests, one JSON object a line, runs `cuectl` for each in a child of its own, and answers
with the child's exit status, or at once with its number if nobody wants to wait. `ordinary` takes
the privileges of the superuser away first, so that the modes of files count whoever runs the
tests; `boot` is the boot in which the command seems to run.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import json
import os
import pkgutil
import sys
from typing import Any

_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    """Answer requests until there are no more."""
    import cuectl
    import tests.fixtures.scripted_executor  # noqa: F401 - it adds an executor of its own

    for module in pkgutil.walk_packages(cuectl.__path__, "cuectl."):
        # What can't be imported is told by the command that needs it.
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
        answer = pid
        if request["wait"]:
            _, status = os.waitpid(pid, 0)
            answer = os.waitstatus_to_exitcode(status)
        print(answer, flush=True)


def _become(request: dict[str, Any]) -> None:
    status = 1
    try:
        for number, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(fd, number)
            os.close(fd)
        sys.stdin = io.TextIOWrapper(io.FileIO(0), "utf-8")
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), "utf-8")
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "w")), "utf-8", newline="\n")
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        sys.argv = request["argv"]
        if request["ordinary"]:
            _drop_privileges()
        from cuectl.entry import main as entry
        from cuectl.store import idle

        if request["boot"]:
            idle.boot_id = lambda: str(request["boot"])

        status = entry(request["argv"][1:])
        sys.stderr.flush()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _drop_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    main()
