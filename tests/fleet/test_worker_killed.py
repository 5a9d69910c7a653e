"""Whatever is killed with a real SIGKILL: each effect once, none lost, and told."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from cuectl.executions.rules import wire
from cuectl.executions.rules.record import Cause
from tests.fixtures.fleet import Fleet, children, outcome_of, text_of
from tests.fixtures.observing import is_gone, processes_with, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.executions.rules.wire import RemoteStart
    from tests.fixtures.redis import RedisServer

DEFINITIONS = """\
handlers:
  wait: {cmd: ./handler.sh}
  bad: {cmd: ./handler.sh, env: {STATUS: "3"}}
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("fleet"), redis_server, DEFINITIONS)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def begun(fleet: Fleet) -> RemoteStart:
    """A start whose handler waits to be let go."""
    start = fleet.run("wait")
    fleet.has_begun(start)
    return start


def handler_of(fleet: Fleet, start: RemoteStart) -> int:
    """Return the pid of the shell that a start runs, as the spawn log has it."""
    log = fleet.home / "fleet/farm/starts" / start.key / "passes/log"

    def noted() -> list[str]:
        return [line for line in log.read_text().splitlines() if line.startswith("P ")]

    return int(until(noted, "its pid is noted")[0].split()[2])


def ends_well(fleet: Fleet, start: RemoteStart, *, lost: bool) -> None:
    """Let a handler end, and compare all that comes back."""
    fleet.let_go(start)
    end = fleet.end(start)
    assert fleet.lines(start) == ["start", "end"]
    assert end.ended.lost is lost
    assert end.ended.exit_code == (None if lost else 0)
    assert end.ended.cause is None
    assert outcome_of(end) == {"success": True, "summary": "done"}
    assert text_of(end) == f"said by {start.execution.id}\n"
    until(lambda: fleet.is_forgotten(start), "it is forgotten")


def test_the_pool_process_that_looks_after_it(fleet: Fleet, begun: RemoteStart) -> None:
    (pool,) = fleet.pool()
    os.kill(pool, signal.SIGKILL)
    until(lambda: is_gone(pool))
    # It is adopted: its lease is beaten, though it was taken away.
    fleet.cells.ask(("DEL", wire.lease(begun.key)))
    until(lambda: fleet.cells.texts([wire.lease(begun.key)])[0], "it is beaten")
    ends_well(fleet, begun, lost=True)


def test_celery(fleet: Fleet, begun: RemoteStart) -> None:
    celery = fleet.celery()
    os.kill(celery, signal.SIGKILL)
    # Its pool process dies with it.
    ends_well(fleet, begun, lost=True)
    assert until(lambda: [pid for pid in children(fleet.janitor) if pid != celery])
    ends_well(fleet, fleet.run("wait"), lost=False)


def test_the_janitor(fleet: Fleet, begun: RemoteStart) -> None:
    celery = fleet.celery()
    os.kill(fleet.janitor, signal.SIGKILL)
    fleet.wait()
    fleet.start()
    ends_well(fleet, begun, lost=False)
    until(lambda: is_gone(celery), "the old Celery has gone")
    ends_well(fleet, fleet.run("wait"), lost=False)


def test_all_of_the_worker(fleet: Fleet, begun: RemoteStart) -> None:
    fleet.kill_all()
    fleet.start()
    ends_well(fleet, begun, lost=True)


def test_all_of_the_worker_and_the_handler_ends_before_the_next_one(
    fleet: Fleet, begun: RemoteStart
) -> None:
    fleet.kill_all()
    fleet.let_go(begun)
    until(lambda: fleet.lines(begun) == ["start", "end"])
    fleet.start()
    ends_well(fleet, begun, lost=True)


def test_the_handler(fleet: Fleet, begun: RemoteStart) -> None:
    os.kill(handler_of(fleet, begun), signal.SIGKILL)
    end = fleet.end(begun)
    assert (end.ended.signal, end.ended.exit_code, end.ended.lost) == (9, None, False)
    assert fleet.lines(begun) == ["start"]


@pytest.mark.parametrize("cause", [Cause.CANCEL, Cause.TIMEOUT])
def test_an_orphan_is_ended_when_it_is_time(fleet: Fleet, cause: Cause) -> None:
    limit_s = 2.0 if cause is Cause.TIMEOUT else 600.0
    start = fleet.run("wait", timeout_s=limit_s)
    fleet.has_begun(start)
    (pool,) = fleet.pool()
    os.kill(pool, signal.SIGKILL)
    if cause is Cause.CANCEL:
        fleet.cancel(start)
    end = fleet.end(start)
    assert end.ended.cause is cause
    assert fleet.lines(start) == ["start"]
    assert processes_with(f"CUE_EXECUTION_ID={start.execution.id}") == []


def test_redis_while_it_runs(fleet: Fleet, begun: RemoteStart) -> None:
    waiting = fleet.run("bad")
    fleet.server.kill()
    fleet.let_go(begun)
    until(lambda: fleet.lines(begun) == ["start", "end"])
    until(lambda: (fleet.home / "fleet/farm/spool" / begun.key).exists(), "it is on the disk")
    fleet.server.start()
    fleet.cells.close()
    ends_well(fleet, begun, lost=False)
    # What nobody had taken is there still, and is taken once.
    fleet.has_begun(waiting)
    fleet.let_go(waiting)
    assert fleet.end(waiting).ended.exit_code == 3
    assert fleet.lines(waiting) == ["start", "end"]


def test_a_worker_that_is_asked_to_go_lets_what_runs_end(fleet: Fleet, begun: RemoteStart) -> None:
    assert fleet.process is not None
    fleet.process.terminate()
    after = fleet.run("wait")
    fleet.let_go(begun)
    assert fleet.wait() == 143
    assert fleet.cells.mapping(wire.workers("farm")) == {}
    assert fleet.lines(after) == []
    fleet.start()
    ends_well(fleet, begun, lost=False)
    ends_well(fleet, after, lost=False)


def test_a_worker_that_is_asked_twice_ends_what_runs(fleet: Fleet, begun: RemoteStart) -> None:
    assert fleet.process is not None
    said = fleet.log.read_text().count("Warm shutdown")
    fleet.process.terminate()
    # Two signals that come at once are one.
    until(lambda: fleet.log.read_text().count("Warm shutdown") > said, "Celery knows")
    fleet.process.terminate()
    end = fleet.end(begun)
    assert end.ended.cause is Cause.SHUTDOWN
    assert fleet.lines(begun) == ["start"]
    assert fleet.wait() == 143
    fleet.start()
