"""No test of workflows leaves a process behind."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.builder import Cuectl

_WITHIN_S = 60.0


def processes_with(variable: str) -> dict[int, str]:
    """Return the processes that have a variable, by number, with their command lines."""
    # A look may miss one whose parent ends during it; see tests/fixtures/observing.py.
    return _seen_with(variable) or _seen_with(variable)


def _seen_with(variable: str) -> dict[int, str]:
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                has_it = variable.encode() in file.read().split(b"\0")
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        # A zombie has no command line, and no work.
        if has_it and words and int(pid) != os.getpid():
            found[int(pid)] = words
    return found


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose turns, commands or runs are still there when it is over."""
    if "cuectl" not in request.fixturenames:
        yield
        return
    cuectl: Cuectl = request.getfixturevalue("cuectl")
    yield
    deadline = time.monotonic() + _WITHIN_S
    while left := processes_with(f"HOME={cuectl.user}"):
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            pytest.fail(f"left behind: {left}")
        time.sleep(0.02)
