"""Two workers and a Redis on loopback: a hundred runs, a worker that is killed, a count."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess  # noqa: TID251  (no handler: servers of the demonstration, and this program)
import tempfile
from collections import Counter
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

from cuectl.executions.executors.cells import Cells, NoAnswer
from cuectl.process.runtime import monotonic_s, own_command
from cuectl.values.errors import CuectlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RUNS = 100
LIMIT_S = 120.0
_REDIS = "apt-get install redis-server"
_WORKER = """handlers:
  note: {{cmd: 'echo "$CUE_EXECUTION_ID" >> {effects}; sleep 0.2', cwd: {folder}}}
"""
_FARM = """executors:
  farm: {{type: celery, url: "{url}", linger: 30s}}
handlers:
  note: {{executor: farm}}
"""


def play_fleet(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what happens, a line at a time, and leave nothing behind.

    Raises CuectlError: a program is missing, or something was lost or done twice.
    """
    if shutil.which("redis-server") is None:
        raise CuectlError("'redis-server' is not on the PATH", hint=_REDIS)
    with ExitStack() as stack:
        # It ends as by Ctrl-C, for its servers have to go with it.
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, _end))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cuectl-fleet-"))
        yield from _FleetStage(folder, environment, stack).play()


class _FleetStage:
    def __init__(self, folder: str, environment: Mapping[str, str], stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._url = f"redis://127.0.0.1:{self._port}/0"
        self._effects = f"{folder}/effects"
        kept = {name: value for name, value in environment.items() if not name.startswith("CUE")}
        key = os.urandom(16).hex()
        self._environment = {**kept, "CUECTL_HOME": f"{folder}/home", "CUECTL_FLEET_KEY": key}

    def play(self) -> Iterator[str]:
        for name, text in (("worker.yaml", _WORKER), ("farm.yaml", _FARM)):
            with open(f"{self._folder}/{name}", "w", encoding="utf-8") as file:
                places = {"effects": self._effects, "folder": self._folder, "url": self._url}
                file.write(text.format(**places))
        self._start_redis()
        yield f"a Redis of its own answers at {self._url}"
        first = self._start_worker("worker-1")
        self._start_worker("worker-2")
        self._until(lambda: len(self._workers()) == 2, "the workers did not start")
        yield "two workers are running: worker-1, worker-2"
        self._cuectl("apply", "farm.yaml")
        for number in range(RUNS):
            self._cuectl("create", "--name", f"run-{number}", "--task", "note", "--in", "0s")
        yield f"{RUNS} runs are due"
        control = self._process(*own_command(), "run-due")
        self._until(lambda: len(self._done()) >= RUNS // 5, "no run has started")
        yield f"{len(self._done())} have started; now worker-1 is killed"
        _kill(first)
        self._start_worker("worker-1")
        yield "and is started again, as systemd would"
        self._until(lambda: self._passes_until_over(control), "the runs did not finish")
        yield from self._count()

    def _count(self) -> Iterator[str]:
        counts = Counter(self._done())
        twice = sum(1 for count in counts.values() if count > 1)
        rows = self._cuectl("--plain", "executions", "list", "--limit", "0").splitlines()[1:]
        lost = RUNS - len(counts)
        yield f"{len(rows)} runs are on record; {len(counts)} were done, {lost} lost, {twice} twice"
        if lost or twice or len(rows) != RUNS:
            raise CuectlError("something was lost or done twice", hint="cuectl executors ping")

    def _passes_until_over(self, control: subprocess.Popen[bytes]) -> bool:
        if control.poll() is None:
            return False
        self._cuectl("run-due")
        open_ones = self._cuectl("--plain", "executions", "list", "--status", "queued")
        open_ones += self._cuectl("--plain", "executions", "list", "--status", "running")
        return "run-" not in open_ones

    def _start_redis(self) -> None:
        options = {"bind": "127.0.0.1", "port": str(self._port), "dir": self._folder, "save": ""}
        options |= {"appendonly": "yes", "appendfsync": "always"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process("redis-server", *words)
        self._until(self._answers, "Redis does not answer")

    def _answers(self) -> bool:
        cells = Cells(self._url)
        with suppress(NoAnswer, CuectlError):
            return cells.ask(("PING",)) == [b"PONG"]
        return False

    def _workers(self) -> dict[str, bytes]:
        cells = Cells(self._url)
        with suppress(NoAnswer):
            return cells.mapping("worker:farm")
        return {}

    def _start_worker(self, name: str) -> subprocess.Popen[bytes]:
        words = ("executors", "worker", "farm", "--config", "worker.yaml", "--url", self._url)
        more = ("--worker-id", name, "--concurrency", "4")
        home = {"CUECTL_HOME": f"{self._folder}/{name}"}
        return self._process(*own_command(), *words, *more, environment=home)

    def _process(
        self, *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            words,
            cwd=self._folder,
            env={**self._environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._stack.callback(_kill, process)
        return process

    def _cuectl(self, *words: str) -> str:
        done = subprocess.run(
            [*own_command(), *words],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise CuectlError(f"'cuectl {shlex.join(words)}' ended with {done.returncode}: {said}")
        return done.stdout.decode("utf-8", "replace")

    def _done(self) -> list[str]:
        with suppress(FileNotFoundError), open(self._effects, encoding="ascii") as file:
            return file.read().split()
        return []

    def _until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        import select

        deadline_s = monotonic_s() + LIMIT_S
        while not is_so():
            if monotonic_s() > deadline_s:
                raise CuectlError(otherwise, hint="cuectl doctor")
            select.select([], [], [], 0.1)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
