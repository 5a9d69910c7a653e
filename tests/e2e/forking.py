"""The program in a fork of the test process: a process of its own without the start of one.

For tests that call it many times at different times of day. What a start is like, and what an
installed script does, others test.
"""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from functools import cache
from typing import IO, TextIO

import cuectl as package
from tests.builder import LIMIT_S, Answer, Cuectl


class Forked(Cuectl):
    """Like `Cuectl`, and several times as quick."""

    def run(self, *words: str, stdin: str | bytes = b"", limit_s: float = LIMIT_S) -> Answer:
        """Run `cuectl` with the words and wait for it."""
        _preload()
        given = stdin.encode() if isinstance(stdin, str) else stdin
        with (
            tempfile.TemporaryFile() as source,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            source.write(given)
            source.seek(0)
            with warnings.catch_warnings():
                # Other threads of the test process hold nothing that the program needs.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                self._become(words, source, out, err)
            status = _wait(pid, limit_s)
            out.seek(0)
            err.seek(0)
            answer = Answer(words, out.read().decode(), err.read().decode(), status)
        assert "Traceback" not in answer.stderr, answer.stderr
        return answer

    def _become(
        self, words: tuple[str, ...], source: IO[bytes], out: IO[bytes], err: IO[bytes]
    ) -> None:
        status = 99
        try:
            for number, file in enumerate((source, out, err)):
                os.dup2(file.fileno(), number)
            sys.stdin, sys.stdout, sys.stderr = _streams()
            sys.argv = [str(self.programs / "cuectl"), *words]
            os.environ.clear()
            os.environ.update(self.environment)
            time.tzset()
            os.chdir(self.work)
            from cuectl.entry import main

            status = main()
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:  # noqa: BLE001 - the child must not go on as a test run
            traceback.print_exc()
        finally:
            os._exit(status)


def _streams() -> tuple[TextIO, TextIO, TextIO]:
    return (
        io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8"),
        io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8"),
        io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
            encoding="utf-8",
            errors="backslashreplace",
        ),
    )


@cache
def _preload() -> None:
    """Import what a child would have to import each time."""
    for found in pkgutil.walk_packages(package.__path__, "cuectl."):
        if not found.name.endswith("__main__"):
            try:
                importlib.import_module(found.name)
            except ImportError:
                continue


def _wait(pid: int, limit_s: float) -> int:
    watch = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([watch], [], [], limit_s)
        if not ready:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(watch)
    assert ready, f"not over within {limit_s:g} s"
    return os.waitstatus_to_exitcode(status)
