"""Many passes and many creators over one store: each occurrence once, and none lost."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import run_all
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

# One write of one line, so that lines of many handlers stay whole.
EFFECT = 'printf "%s\\n" "$CUE_EXECUTION_ID" >> effects'


def effects(cuectl: Cuectl) -> list[str]:
    path = cuectl.work / "effects"
    return path.read_text().split() if path.exists() else []


def due_cues(cuectl: Cuectl, count: int) -> None:
    """Make cues that are due in a moment."""
    words = ["-q", "create", "--in", "0.01s", "--shell", EFFECT, "--name"]
    run_all(cuectl, [[*words, f"due{number}"] for number in range(count)])


def run_until_nothing_is_open(cuectl: Cuectl, state: StoreState) -> None:
    def is_over() -> bool:
        assert cuectl.run("run-due").status == 0
        views = [path for path in state.implied() if path.startswith(("open/", "due/"))]
        # The reminder of an alert about a lost run is due in a day.
        return not [path for path in views if ".a.alert_" not in path]

    until(is_over)


def check(cuectl: Cuectl, state: StoreState, names: list[str], killed: int = 0) -> None:
    """Everything was done once, but for one execution of each pass that was killed."""
    ends: dict[str, list[str]] = {}
    for one in state.executions():
        ends.setdefault(one["cue_name"], []).append(one["status"])
    assert sorted(ends) == sorted(names)
    assert all(len(found) == 1 for found in ends.values())
    done = effects(cuectl)
    assert len(done) == len(set(done))
    assert set(done) <= {one["id"] for one in state.executions()}
    # Who was about to be started when the pass was killed may not have run, and that is told.
    lost = {one["id"] for one in state.executions()} - set(done)
    assert lost <= {one["id"] for one in state.executions() if one["status"] == "interrupted"}
    assert len(lost) <= killed
    succeeded = {one["id"] for one in state.executions() if one["status"] == "succeeded"}
    assert succeeded <= set(done)
    assert {status for found in ends.values() for status in found} <= {"succeeded", "interrupted"}
    assert state.settled_twice() == []


def test_five_passes_at_once(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    due_cues(cuectl, 30)
    at_once = [passes.run("run-due") for _ in range(5)]

    assert [one.end() for one in at_once] == [0] * 5
    assert state.ends() == ["succeeded"] * 30
    check(cuectl, state, [f"due{number}" for number in range(30)])


@pytest.mark.parametrize("seed", range(3))
def test_two_of_four_passes_are_killed_while_cues_are_made(
    cuectl: Cuectl, passes: Passes, state: StoreState, seed: int
) -> None:
    due_cues(cuectl, 40)
    creators = [
        passes.run("create", "--name", f"new{number}", "--in", "0.2s", "--shell", EFFECT)
        for number in range(4)
    ]
    at_once = [passes.run("run-due", "--max-parallel", "2") for _ in range(4)]
    until(lambda: len(effects(cuectl)) > seed * 6)
    for one in at_once[seed % 3 :][:2]:
        one.kill()
    assert [one.end() for one in creators] == [0] * 4
    for one in at_once:
        assert one.end() in (0, -signal.SIGKILL)
    run_until_nothing_is_open(cuectl, state)

    names = [f"due{n}" for n in range(40)] + [f"new{n}" for n in range(4)]
    check(cuectl, state, names, killed=2)
    # At most what ran at that moment under the two passes.
    lost = [one for one in state.executions() if one["status"] == "interrupted"]
    assert len(lost) <= 4


@pytest.mark.stress
@pytest.mark.parametrize("round_number", range(3))
def test_twenty_passes_and_twenty_creators_and_two_kills(
    cuectl: Cuectl, passes: Passes, state: StoreState, round_number: int
) -> None:
    due_cues(cuectl, 200)
    creators = [
        passes.run("create", "--name", f"new{number}", "--in", "0.2s", "--shell", EFFECT)
        for number in range(20)
    ]
    at_once = [passes.run("run-due") for _ in range(20)]
    until(lambda: len(effects(cuectl)) > 10 * (round_number + 1))
    holders = {line.split("-")[1] for line in os.listdir(cuectl.home / "passes") if "-" in line}
    busy = [one for one in at_once if str(one.pid) in holders]
    for one in busy[:2]:
        one.kill()

    assert [one.end() for one in creators] == [0] * 20
    assert {one.end() for one in at_once} <= {0, -signal.SIGKILL}
    run_until_nothing_is_open(cuectl, state)
    names = [f"due{n}" for n in range(200)] + [f"new{n}" for n in range(20)]
    check(cuectl, state, names, killed=2)
