"""What becomes of open executions whose pass is dead, case by case."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.executions import claim
from cuectl.executions.effects import Effects
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.passes.pass_end import remove_dead_passes
from cuectl.passes.recover import Recovery, recover_open
from cuectl.process import process_tree
from cuectl.process.runtime import since_boot_ns
from cuectl.store import output, pass_files, paths
from cuectl.store.pass_files import PassFile
from tests.fixtures.passing import a_cue, fired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime

DEAD, MINE = "1-100-4", "2-200-4"
LIMIT_S = 600.0


@dataclass
class World:
    """One open execution, and what its pass and the system say of it."""

    runtime: Runtime
    execution: Execution
    claimed: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.execution.id}.1"

    def log(self, *lines: str, seconds_ago: float = 1.0) -> None:
        """Write the spawn log of the dead pass; `NOW` is a moment ago."""
        stamp = str(since_boot_ns() - round(seconds_ago * 1e9))
        text = "".join(line.replace("NOW", stamp) + "\n" for line in lines)
        with open(paths.pass_file(self.runtime.home, DEAD), "w") as file:
            file.write(text)

    def recovered(self, room: int = 10, *, may_claim: bool = True) -> Recovery:
        effects = Effects(
            now=self.runtime.now(),
            random=self.runtime.random,
            reactions=self.runtime.reactions,
            pass_id=MINE,
            boot=self.runtime.store.boot,
        )
        with self.runtime.store.transaction(self.runtime.now()) as tx:
            found = recover_open(
                tx,
                effects,
                room=lambda: room - len(effects.claimed),
                limit_s=lambda _: LIMIT_S,
                seen=lambda one: self.seen.append(one.id),
                may_claim=lambda _: may_claim,
            )
        self.claimed = [one.id for one in effects.claimed]
        return found


@pytest.fixture
def world(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(process_tree, "is_alive", lambda *_: False)
    monkeypatch.setattr(process_tree, "any_carries", lambda *_: False)
    a_cue(runtime)
    identity = fired(runtime)
    return World(runtime, _claimed(runtime, identity))


def _claimed(runtime: Runtime, identity: str, **changes: Any) -> Execution:
    from cuectl.executions.rules.record import execution_from_record

    with runtime.store.transaction(runtime.now()) as tx:
        waiting = tx.decoded(paths.waiting_execution(identity), execution_from_record)
        assert waiting is not None
        made: dict[str, Any] = {"pass_id": DEAD, "boot": runtime.store.boot}
        execution = replace(waiting, **(made | changes))
        gone = {
            paths.waiting_execution(identity): None,
            paths.marker(waiting.due_at or 0, "e", identity): None,
        }
        tx.stage(claim.open_event("claimed", execution, dict(gone)))
    return execution


def change(world: World, **changes: Any) -> None:
    world.execution = replace(world.execution, **changes)
    with world.runtime.store.transaction(world.runtime.now()) as tx:
        tx.stage(claim.open_event("claimed", world.execution))


def test_what_never_started_is_started(world: World) -> None:
    world.log()
    assert world.recovered() == Recovery()
    assert world.claimed == [world.execution.id]
    record = world.runtime.store.read(paths.open_execution(world.execution.id))
    assert record is not None
    assert record["pass_id"] == MINE


@pytest.mark.parametrize(("room", "may_claim"), [(0, True), (10, False)])
def test_what_this_pass_cannot_take_is_left_alone(world: World, room: int, may_claim: bool) -> None:
    world.log()
    assert world.recovered(room, may_claim=may_claim) == Recovery()
    assert world.claimed == []


def test_what_was_about_to_start_is_lost(world: World) -> None:
    """`S` without `P`: whether it ran, nobody can tell."""
    world.log(f"S {world.key} NOW")
    ((execution, ended),) = world.recovered().lost

    assert execution.id == world.execution.id
    assert ended.lost
    assert ended.exit_code is None
    assert world.claimed == []


@pytest.mark.parametrize(
    ("status", "code", "number"), [(0, 0, None), (1792, 7, None), (9, None, 9)]
)
def test_an_end_that_was_seen_counts(
    world: World, status: int, code: int | None, number: int | None
) -> None:
    world.log(f"S {world.key} NOW", f"P {world.key} 4711", f"X {world.key} {status}")
    ((_, ended),) = world.recovered().lost

    assert (ended.lost, ended.exit_code, ended.signal) == (False, code, number)
    assert ended.started_at is not None
    assert abs(world.runtime.now() - 1000 - ended.started_at) < 500


def test_without_its_pass_file_it_is_lost(world: World) -> None:
    ((_, ended),) = world.recovered().lost
    assert ended.lost


@pytest.mark.parametrize("lines", [(), ("S {key} NOW",), ("S {key} NOW", "X {key} 0")])
def test_after_another_boot_it_is_lost_whatever_the_log_says(
    world: World, lines: tuple[str, ...]
) -> None:
    change(world, boot="another-boot")
    world.log(*(line.format(key=world.key) for line in lines))
    ((_, ended),) = world.recovered().lost

    assert ended.lost
    assert ended.started_at is None
    assert world.claimed == []


def test_where_boots_cannot_be_told_apart_nothing_is_trusted(world: World) -> None:
    world.runtime.store.boot = "-"
    change(world, boot="-")
    world.log()
    assert [ended.lost for _, ended in world.recovered().lost] == [True]


@pytest.fixture(params=["lease", "pid", "environment"])
def alive(
    request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A world in which one of three signs says that the work goes on."""
    fd = -1
    if request.param == "lease":
        path = paths.run_file(world.runtime.home, world.execution.id, 1, "out")
        fd = output.open_output(path)
    elif request.param == "pid":
        monkeypatch.setattr(process_tree, "is_alive", lambda pid, _: pid == 4711)
    else:
        monkeypatch.setattr(process_tree, "any_carries", lambda *_: True)
    yield world
    if fd >= 0:
        os.close(fd)


def test_who_still_runs_is_left_alone(alive: World) -> None:
    alive.log(f"S {alive.key} NOW", f"P {alive.key} 4711")
    found = alive.recovered()

    assert [one.id for one in found.alive] == [alive.execution.id]
    assert (found.lost, found.overdue, alive.claimed) == ([], [], [])
    # It counts against the limit on parallel work.
    assert alive.seen == [alive.execution.id]


def test_who_runs_over_its_limit_is_ended(alive: World) -> None:
    alive.log(f"S {alive.key} NOW", f"P {alive.key} 4711", seconds_ago=LIMIT_S + 1)
    ((execution, _),) = alive.recovered().overdue
    assert execution.id == alive.execution.id


def test_an_end_that_was_seen_counts_though_a_child_lives(alive: World) -> None:
    """A background child does not hold a run open, under the next pass either."""
    alive.log(f"S {alive.key} NOW", f"P {alive.key} 4711", f"X {alive.key} 0")
    ((_, ended),) = alive.recovered().lost
    assert ended.exit_code == 0


def test_a_request_to_cancel_is_remembered(world: World) -> None:
    change(world, cancel="by hand")
    world.log(f"S {world.key} NOW", f"P {world.key} 4711")
    ((_, ended),) = world.recovered().lost
    assert ended.cause == "cancel"


# --- checkers ---------------------------------------------------------------------------------


def test_a_checker_that_died_is_run_again(world: World) -> None:
    change(world, status=ExecutionStatus.RUNNING, phase="check")
    world.log(f"S {world.key}.check NOW", f"P {world.key}.check 4711")
    assert world.recovered() == Recovery()
    assert world.claimed == [world.execution.id]


def test_a_checker_that_nobody_has_taken_is_taken(world: World) -> None:
    change(world, status=ExecutionStatus.RUNNING, phase="check", pass_id=None, boot=None)
    assert world.recovered() == Recovery()
    assert world.claimed == [world.execution.id]


def test_what_an_attempt_left_behind_is_not_its_checker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(world, status=ExecutionStatus.RUNNING, phase="check")
    monkeypatch.setattr(process_tree, "any_carries", lambda *_: True)
    world.log(f"S {world.key}.check NOW", f"P {world.key}.check 4711")
    world.recovered()
    assert world.claimed == [world.execution.id]


def test_the_end_of_a_checker_is_told_as_such(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(world, status=ExecutionStatus.RUNNING, phase="check")
    monkeypatch.setattr(process_tree, "is_alive", lambda pid, _: pid == 4711)
    key = f"{world.key}.check"
    world.log(f"S {key} NOW", f"P {key} 4711", f"X {key} 256")
    ((_, ended),) = world.recovered().lost
    assert (ended.phase, ended.exit_code) == ("check", 1)


# --- passes that live -----------------------------------------------------------------------


def test_what_a_living_pass_holds_is_not_ours(world: World) -> None:
    world.log()
    with open(paths.pass_file(world.runtime.home, DEAD)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert world.recovered() == Recovery()
        assert world.claimed == []
        assert world.seen == [world.execution.id]


def test_a_pass_that_is_stopped_does_not_keep_its_handlers_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It should have ended this one long ago (hole A30)."""
    killed: list[int | None] = []
    monkeypatch.setattr(process_tree, "is_alive", lambda *_: True)

    def note(_id: str, _attempt: int, pid: int | None, *_: object) -> dict[int, int]:
        killed.append(pid)
        return {}

    monkeypatch.setattr(process_tree, "kill", note)
    old = world.runtime.now() - round((LIMIT_S + 100) * 1000)
    change(world, scheduled_for=old)
    with open(paths.pass_file(world.runtime.home, DEAD), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = Recovery()
        for seconds, expected in ((LIMIT_S + 30, []), (LIMIT_S + 60, [4711])):
            stamp = since_boot_ns() - round(seconds * 1e9)
            file.seek(0)
            file.truncate()
            file.write(f"S {world.key} {stamp}\nP {world.key} 4711\n")
            file.flush()
            found = world.recovered()
            assert killed == expected
    assert "left running over its time limit" in found.stuck[0]


def test_pass_files_that_are_named_stay(world: World) -> None:
    store = world.runtime.store
    living = PassFile(world.runtime.home, MINE)
    world.log()
    Path(paths.pass_file(world.runtime.home, "3-300-4")).touch()
    with store.locked():
        remove_dead_passes(store)
    assert sorted(pass_files.pass_ids(world.runtime.home)) == sorted([DEAD, MINE])
    change(world, pass_id=MINE)
    with store.locked():
        remove_dead_passes(store)
    assert pass_files.pass_ids(world.runtime.home) == [MINE]
    living.remove()
