"""Supervising processes: limits, grace, what even SIGKILL does not end."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.executions import supervise
from cuectl.executions.executors.local import LocalExecutor
from cuectl.executions.rules.record import Cause, Execution, ExecutionStatus, Phase, Start
from cuectl.executions.supervise import Supervisor, ended_of
from cuectl.process import process_tree
from cuectl.store.pass_files import PassFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cuectl.executions.supervise import Running

NOW = 1_795_226_400_000


class Bench:
    """A supervisor with processes to start."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = PassFile(str(home), "1795226400000-4711-16")
        self.executor = LocalExecutor(self.log, 0o022)
        self.supervisor = Supervisor(self.executor, lambda: NOW)
        self.supervisor.open()
        self.count = 0

    def start(self, script: str, timeout_s: float = 60.0, **changes: Any) -> str:
        """Start a script; return the id of its execution."""
        self.count += 1
        identity = f"exec_{os.getpid():016d}{self.count:08d}"
        made: dict[str, Any] = {"phase": None}
        execution = Execution(
            id=identity,
            cue_id="cue_a",
            cue_name="job",
            status=ExecutionStatus.PENDING,
            scheduled_for=NOW,
            root_id=identity,
            **(made | changes),
        )
        start = Start(
            execution_id=identity,
            attempt=1,
            phase=Phase(execution.phase) if execution.phase else Phase.MAIN,
            argv=("/bin/sh", "-c", script),
            env={"PATH": "/usr/bin:/bin", "CUE_EXECUTION_ID": identity, "CUE_ATTEMPT": "1"},
            cwd=str(self.home),
            output=f"{self.home}/runs/{identity}.out",
            timeout_s=timeout_s,
        )
        self.supervisor.add(execution, self.executor.spawn(start))
        return identity

    def collect(
        self, count: int = 1, *, limit_s: float = 60.0, look_every_s: float = 1.0
    ) -> list[Running]:
        """Wait until so many have ended, as a pass does."""
        over: list[Running] = []
        deadline = time.monotonic() + limit_s
        while len(over) < count:
            assert time.monotonic() < deadline
            self.supervisor.wait(look_every_s)
            over += self.supervisor.collect()
        return over


@pytest.fixture
def bench(home: Path) -> Iterator[Bench]:
    made = Bench(home)
    here = os.getcwd()
    yield made
    for one in [*made.supervisor.running.values(), *made.supervisor.ending]:
        process_tree.kill(one.execution.id, 1, one.pid)
    made.supervisor.close()
    made.executor.close()
    made.log.remove()
    os.chdir(here)


def test_an_end_is_seen_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a child wakes whoever waits, however long that wants to wait."""
    monkeypatch.setattr(supervise, "_LOOK_AT_OUTPUT_S", 600.0)
    began = time.monotonic()
    bench.start("exit 5")
    (one,) = bench.collect(look_every_s=600.0)
    ended = ended_of(one, NOW + 1)

    assert time.monotonic() - began < 60
    assert (ended.exit_code, ended.signal, ended.cause) == (5, None, None)
    # It began before anything that it wrote, though the pass may come to note it later.
    assert ended.started_at is not None
    assert NOW - 60_000 < ended.started_at <= NOW
    assert ended.ended_at == NOW + 1
    assert ended.duration_s is not None
    assert bench.supervisor.count() == 0


def test_many_ends_are_all_seen(bench: Bench) -> None:
    ids = {bench.start(f"exit {number}") for number in range(12)}
    over = bench.collect(12)

    assert {one.execution.id for one in over} == ids
    assert sorted(ended_of(one, NOW).exit_code or 0 for one in over) == list(range(12))


def test_a_time_limit_is_kept(bench: Bench) -> None:
    bench.start("sleep 600", timeout_s=0.2)
    (one,) = bench.collect()
    ended = ended_of(one, NOW)

    assert (ended.cause, ended.signal) == (Cause.TIMEOUT, signal.SIGTERM)
    assert ended.survivors == ()


def test_who_ignores_the_signal_is_killed_after_its_grace(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 0.3)
    bench.start("trap '' TERM; while :; do sleep 0.05; done", timeout_s=1.5)
    began = time.monotonic()
    (one,) = bench.collect()

    assert ended_of(one, NOW).signal == signal.SIGKILL
    assert time.monotonic() - began >= 0.4


def test_who_goes_in_time_is_not_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 600.0)
    bench.start("trap 'exit 3' TERM; sleep 600 & wait", timeout_s=2.0)
    (one,) = bench.collect()

    assert ended_of(one, NOW).exit_code == 3
    assert ended_of(one, NOW).cause is Cause.TIMEOUT


def test_one_of_several_can_be_ended(bench: Bench) -> None:
    first, second = bench.start("sleep 600"), bench.start("sleep 600")
    assert bench.supervisor.end(second, Cause.CANCEL)
    (one,) = bench.collect()

    assert one.execution.id == second
    assert ended_of(one, NOW).cause is Cause.CANCEL
    assert not bench.supervisor.end("exec_none", Cause.CANCEL)
    bench.supervisor.end_all(Cause.SHUTDOWN)
    (one,) = bench.collect()
    assert one.execution.id == first
    assert ended_of(one, NOW).cause is Cause.SHUTDOWN


def test_the_first_cause_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 0.3)
    identity = bench.start("trap '' TERM; while :; do sleep 0.05; done")
    bench.supervisor.end(identity, Cause.CANCEL)
    bench.supervisor.end_all(Cause.SHUTDOWN)
    (one,) = bench.collect()

    assert ended_of(one, NOW).cause is Cause.CANCEL


def test_what_nothing_ends_is_given_up_and_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process in an uninterruptible sleep does not hold a pass for ever (F33)."""
    monkeypatch.setattr(supervise, "GRACE_S", 0.1)
    monkeypatch.setattr(supervise, "KILL_S", 0.3)
    with monkeypatch.context() as patched:
        patched.setattr(process_tree, "kill", lambda *known: process_tree.members(*known))
        bench.start("trap '' TERM; while :; do sleep 0.05; done", timeout_s=1.5)
        pid = next(iter(bench.supervisor.running))
        (one,) = bench.collect()
    ended = ended_of(one, NOW)

    assert (ended.exit_code, ended.signal, ended.cause) == (None, None, Cause.TIMEOUT)
    assert pid in ended.survivors
    assert bench.supervisor.count() == 0
    process_tree.kill(one.execution.id, 1, pid)
    os.waitpid(pid, 0)


def test_waiting_costs_nothing_while_nothing_happens(bench: Bench) -> None:
    bench.start("sleep 600")
    began_s, used_s = time.monotonic(), time.process_time()
    for _ in range(3):
        bench.supervisor.wait(0.1)
        assert bench.supervisor.collect() == []

    assert time.monotonic() - began_s >= 0.3
    assert time.process_time() - used_s < 0.1


def test_waiting_ends_with_a_signal(bench: Bench) -> None:
    began = time.monotonic()
    os.kill(os.getpid(), signal.SIGTERM)
    bench.supervisor.wait(60.0)

    assert time.monotonic() - began < 30
    assert bench.supervisor.stopped_by == signal.SIGTERM


def test_waiting_ends_when_the_time_of_the_pass_is_over(bench: Bench) -> None:
    bench.start("sleep 600")
    bench.supervisor.end_at_s = time.monotonic() + 0.2
    began = time.monotonic()
    bench.supervisor.wait(60.0)
    bench.supervisor.collect()

    assert 0.15 <= time.monotonic() - began < 30
    assert bench.supervisor.stopped_by == signal.SIGALRM


def test_signals_are_given_back(home: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    made = Bench(home)
    assert signal.getsignal(signal.SIGTERM) is not before[0]
    made.supervisor.close()
    made.executor.close()
    made.log.remove()

    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_the_end_of_a_checker_is_that_of_a_checker(bench: Bench) -> None:
    bench.start("exit 1", phase="check")
    (one,) = bench.collect()
    assert ended_of(one, NOW).phase is Phase.CHECK


def test_an_orphan_is_ended_and_never_reaped(bench: Bench) -> None:
    identity = bench.start("sleep 600")
    pid, one = bench.supervisor.running.popitem()
    bench.supervisor.end_orphan(one.execution, pid)
    assert os.waitpid(pid, 0)[1] == signal.SIGTERM
    (over,) = bench.collect()
    ended = ended_of(over, NOW)

    assert over.execution.id == identity
    assert (ended.cause, ended.lost, ended.exit_code) == (Cause.TIMEOUT, True, None)


def test_a_child_of_somebody_else_is_reaped_and_forgotten(bench: Bench) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    bench.start("sleep 0.2")
    (one,) = bench.collect()

    assert ended_of(one, NOW).exit_code == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
