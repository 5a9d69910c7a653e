"""Occurrences that meet an earlier one which is not over, under passes of their own."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.fixtures.background import WAITS, run_all
from tests.fixtures.observing import is_gone, until

if TYPE_CHECKING:
    from tests.fixtures.background import Background, Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def begin(cuectl: Cuectl, passes: Passes, overlap: str, script: str = WAITS) -> Background:
    """Make a cue that is due each minute, and a pass that is busy with it."""
    cuectl.at("2026-11-21T01:59:30Z")
    words = ("--cron", "* * * * *", "--overlap", overlap)
    assert cuectl.run("create", "--name", "job", *words, "--shell", script).status == 0
    cuectl.at("2026-11-21T02:00:00Z")
    return passes.start("job")


def pass_at(cuectl: Cuectl, clock: str) -> str:
    answer = cuectl.at(f"2026-11-21T{clock}Z").run("run-due")
    assert answer.status == 0, answer
    return answer.stderr


def test_skip_drops_each_and_alerts_after_three(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    busy = begin(cuectl, passes, "skip")
    said = [pass_at(cuectl, f"02:0{minute}:00") for minute in range(1, 6)]
    (cuectl.work / "go").touch()
    assert busy.end() == 0

    assert state.ends() == ["succeeded"] + ["skipped(overlap)"] * 5
    assert state.alerts() == ["overlap", "recovered"]
    assert ["alert" in words for words in said] == [False, False, True, False, False]
    assert "skipped 3 times in a row" in said[2]


def test_queue_runs_them_one_after_the_other(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    script = WAITS + "echo $CUE_SCHEDULED_FOR >> order"
    busy = begin(cuectl, passes, "queue", script)
    for minute in range(1, 4):
        pass_at(cuectl, f"02:0{minute}:00")
    assert [one["status"] for one in state.executions()] == ["pending"] + ["queued"] * 3
    (cuectl.work / "go").touch()
    assert busy.end() == 0

    assert state.ends() == ["succeeded"] * 4
    order = (cuectl.work / "order").read_text().split()
    assert order == [one["scheduled_for"] for one in state.executions()]
    assert state.cue("job").get("queued") is None


def test_a_queue_outlives_the_pass_that_would_have_gone_on(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    busy = begin(cuectl, passes, "queue")
    pass_at(cuectl, "02:01:00")
    pass_at(cuectl, "02:02:00")
    pid = passes.begun("job")
    busy.kill()
    (cuectl.work / "go").touch()
    until(lambda: is_gone(pid))
    pass_at(cuectl, "02:02:30")

    assert [one["status"] for one in state.executions()] == ["interrupted"] + ["succeeded"] * 2


def test_cancel_ends_the_earlier_one_whoever_supervises_it(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    script = "echo $$ > begun-job; test $CUE_SCHEDULED_FOR != 2026-11-21T02:00:00Z || sleep 600"
    busy = begin(cuectl, passes, "cancel", script)
    pass_at(cuectl, "02:01:00")
    assert busy.end() == 0
    pass_at(cuectl, "02:01:20")

    assert state.ends() == ["cancelled(overlap)", "succeeded"]
    assert state.alerts() == []


def test_allow_runs_both(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    busy = begin(cuectl, passes, "allow")
    cuectl.at("2026-11-21T02:01:00Z")
    other = passes.run("run-due")
    until(lambda: state.spawn_logs().count("P exec_") == 2)
    (cuectl.work / "go").touch()

    assert (busy.end(), other.end()) == (0, 0)
    assert state.ends() == ["succeeded", "succeeded"]


def test_a_run_by_hand_waits_behind_a_scheduled_one(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    busy = begin(cuectl, passes, "skip")
    cuectl.run("fire", "job")
    pass_at(cuectl, "02:00:20")
    # Both are of one instant: which id comes first is not said.
    found = {one["triggered_by"]: one["status"] for one in state.executions()}
    assert found == {"schedule": "pending", "fire": "queued"}
    (cuectl.work / "go").touch()
    assert busy.end() == 0

    assert state.ends() == ["succeeded", "succeeded"]


def test_a_full_queue_drops_and_says_so(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    busy = begin(cuectl, passes, "queue")
    run_all(cuectl, [["fire", "job"]] * 100)
    pass_at(cuectl, "02:00:40")
    pass_at(cuectl, "02:01:00")

    assert state.cue("job")["status"] == "active"
    assert len(state.cue("job")["queued"]) == 100
    assert state.alerts() == ["missed"]
    dropped = [one for one in state.executions() if one["status"] == "missed"]
    assert [one["reason"] for one in dropped] == ["queue_full"]
    assert busy.end(signal.SIGTERM) == 143
