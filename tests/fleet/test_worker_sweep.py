"""A worker that is killed at each of its state-changing calls: the effect once, the end told.

The calls are those of fence, spawn, spool and send: of the process that carries a start out, then
of the janitor that looks after what was left.
"""

from __future__ import annotations

import os
import signal
import socket
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.executions.executors.errand import Post, carry_out
from cuectl.executions.executors.janitor import Janitor
from cuectl.executions.rules import wire
from cuectl.executions.rules.wire import Kind
from cuectl.passes.reactions import REACTIONS
from cuectl.process.runtime import Clock, Runtime
from tests.fixtures.fleet import HOST, NAME, SECRET, Fleet, outcome_of
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fixtures.redis import RedisServer

DEFINITIONS = "handlers:\n  quick: {cmd: ./handler.sh}\n"
CALLS = "mkdir rename unlink posix_spawn write fdatasync fsync utime kill killpg".split()
SAMPLE = 7
LAST = 0  # the exit status of a process that was never killed


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("fleet"), redis_server, DEFINITIONS)
    Path(f"{made.effects}.go").touch()
    yield made
    made.stop()


def post(fleet: Fleet) -> Post:
    """Return what a process of the worker works with."""
    return Post(
        runtime=Runtime(
            home=str(fleet.home),
            environment=fleet.environment,
            clock=Clock(),
            reactions=lambda: REACTIONS,
        ),
        executor=NAME,
        host=HOST,
        config=str(fleet.folder / "worker.yaml"),
        url=fleet.server.url,
        secret=SECRET,
        umask=0o022,
    )


def killed_at(number: int, *, after: bool) -> None:
    """Have this process kill itself at one of its calls, before it is made or after."""
    left = [number]

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            is_last = left[0] == 0
            try:
                return call(*args, **named)
            finally:
                if is_last:
                    real(os.getpid(), signal.SIGKILL)

        return counted

    real = os.kill
    for name in CALLS:
        if name != "kill" or after:
            setattr(os, name, counting(getattr(os, name)))

    class Sending(socket.socket):
        def sendall(self, *args: Any) -> None:
            counting(super().sendall)(*args)

    socket.socket = Sending  # type: ignore[misc]


def in_a_fork(act: Callable[[], object], number: int = 0, *, after: bool = False) -> int:
    """Do something in a process of its own; return its status, 0 when it was not killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if number:
                killed_at(number, after=after)
            act()
            status = 0
        except Exception:  # noqa: BLE001 - whatever it is, the fork ends here
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1]


def is_told(fleet: Fleet, start: wire.RemoteStart) -> bool:
    """Have a janitor look once; tell whether the start has ended, or is free again."""
    look(fleet)
    result, fence = fleet.cells.texts([wire.result(start.key), wire.fence(start.key)])
    return result is not None or (fence is None and not is_known(fleet, start))


def is_known(fleet: Fleet, start: wire.RemoteStart) -> bool:
    return (fleet.home / "fleet" / NAME / "starts" / start.key).exists()


def is_forgotten(fleet: Fleet, start: wire.RemoteStart) -> bool:
    """Have a janitor look once; tell whether only the mark of a start is left."""
    look(fleet)
    return fleet.is_forgotten(start)


def look(fleet: Fleet) -> None:
    problems: list[str] = []
    here = post(fleet)
    Janitor(here, 1, problems.append).look()
    here.cells.close()
    assert problems == []


def finish(fleet: Fleet, start: wire.RemoteStart, sealed: str) -> None:
    """Bring a start to its end, as the next worker does, and check all that came of it."""
    until(lambda: is_told(fleet, start), f"{start.key} is told, or free")
    if fleet.cells.texts([wire.result(start.key)]) == [None]:
        assert fleet.lines(start) == []
        # The control machine sends it again.
        assert in_a_fork(lambda: carry_out(post(fleet), sealed)) == LAST
    end = fleet.end(start)
    assert fleet.lines(start) in (["start", "end"], []), "once, or never and told so"
    if fleet.lines(start):
        assert outcome_of(end)["success"] is True
        assert end.ended.exit_code == 0 or end.ended.lost
    else:
        assert end.ended.lost
    until(lambda: is_forgotten(fleet, start), "it is forgotten")
    # A message that comes late finds the mark, even where the fence is gone.
    fleet.cells.ask(("DEL", wire.fence(start.key)))
    begun = fleet.lines(start)
    assert in_a_fork(lambda: carry_out(post(fleet), sealed)) == LAST
    assert fleet.lines(start) == begun
    assert fleet.cells.texts([wire.fence(start.key)]) == [None]


def sealed_start(fleet: Fleet) -> tuple[wire.RemoteStart, str]:
    start = fleet.start_of("quick")
    return start, wire.seal(SECRET, Kind.START, start.to_record())


def sweep(
    fleet: Fleet, act: Callable[[str], object], step: int, *, left_behind: bool, after: bool
) -> int:
    """Kill at each call in turn until there is none left; return how many there are."""
    number = 1
    while True:
        start, sealed = sealed_start(fleet)
        if left_behind:
            assert os.WIFSIGNALED(in_a_fork(partial(killed_once_spawned, fleet, sealed)))
        status = in_a_fork(partial(act, sealed), number, after=after)
        finish(fleet, start, sealed)
        if status == LAST:
            return number
        assert os.WIFSIGNALED(status), f"call {number}"
        number += step


def killed_once_spawned(fleet: Fleet, sealed: str) -> None:
    """Carry a start out, and die right after its process was made."""
    spawn = os.posix_spawn

    def last_act(*args: Any, **named: Any) -> int:
        spawn(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    os.posix_spawn = last_act
    carry_out(post(fleet), sealed)


STEPS = [SAMPLE, pytest.param(1, marks=pytest.mark.sweep)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_killed_while_it_carries_a_start_out(fleet: Fleet, step: int, after: bool) -> None:
    def act(sealed: str) -> None:
        carry_out(post(fleet), sealed)

    assert sweep(fleet, act, step, left_behind=False, after=after) > 15, "the calls are seen"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_a_janitor_that_is_killed_while_it_concludes(fleet: Fleet, step: int, after: bool) -> None:
    def act(_: str) -> None:
        janitor = Janitor(post(fleet), 1, lambda _: None)
        for _look in range(3):
            janitor.look()

    assert sweep(fleet, act, step, left_behind=True, after=after) > 3, "the calls are seen"
