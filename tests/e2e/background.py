"""Passes and workers that run while a test goes on, and nothing of them afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.e2e.observing import processes_with, until

if TYPE_CHECKING:
    from tests.builder import Cuectl

# A handler that says that it runs, and waits until the test lets it go.
WAITS = "echo $$ > begun-$CUE_CUE_NAME; while [ ! -e go ]; do sleep 0.02; done; "
NOTES = "echo $CUE_CUE_NAME >> effects; "


MANY = """
import json, sys
from cuectl.entry import main
for line in sys.stdin:
    status = main(json.loads(line))
    assert status == 0, line
"""


def run_all(cuectl: Cuectl, commands: list[list[str]]) -> None:
    """Run many commands one after the other in one process, which is quicker."""
    subprocess.run(
        [sys.executable, "-c", MANY],
        input="".join(json.dumps(words) + "\n" for words in commands).encode(),
        cwd=cuectl.work,
        env=cuectl.environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )


class Background:
    """One process of the program."""

    def __init__(self, cuectl: Cuectl, words: tuple[str, ...], number: int) -> None:
        self._errors = cuectl.work.parent / f"stderr-{number}"
        with self._errors.open("wb") as errors:
            self.process = cuectl.start(*words, stdout=subprocess.DEVNULL, stderr=errors)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stderr(self) -> str:
        return self._errors.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it, and it alone."""
        self.process.kill()
        self.process.wait()

    def end(self, number: int | None = None) -> int:
        """Send a signal, if one is given, and return the exit status."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(timeout=100)


class Passes:
    """Starts the program in the background; `clean_up` ends it with all its handlers."""

    def __init__(self, cuectl: Cuectl) -> None:
        self._cuectl = cuectl
        self._started: list[Background] = []

    def run(self, *words: str) -> Background:
        """Start `cuectl` with the words."""
        started = Background(self._cuectl, words, len(self._started))
        self._started.append(started)
        return started

    def start(self, *names: str, options: tuple[str, ...] = ()) -> Background:
        """Start a pass and wait until the cues of these names run."""
        started = self.run("run-due", *options)
        for name in names:
            self.begun(name)
        return started

    def begun(self, name: str) -> int:
        """Wait until a handler that `WAITS` has begun; return its pid."""
        path = self._cuectl.work / f"begun-{name}"
        until(lambda: path.exists() and path.read_text().endswith("\n"), f"{name} has begun")
        return int(path.read_text())

    def clean_up(self) -> None:
        for one in self._started:
            with contextlib.suppress(ProcessLookupError):
                one.process.kill()
            one.process.wait()
        for pid in processes_with(str(self._cuectl.home)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
