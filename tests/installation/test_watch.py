"""The watch of the watch tells that no pass is made: once, whatever the store, and only then."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.installation import watch
from cuectl.installation.open_work import LATE_MS
from cuectl.installation.watch import WatchLook, look
from cuectl.values.times import MINUTE
from tests.fixtures.background import WAITS
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

FORKED = True
DAY = "2026-11-21T"
SINK = "alerts: {default: {command: [sh, -c, 'echo \"$1\" >> told', told, '{{ alert.type }}']}}\n"


def watch_at(cuectl: Cuectl, clock: str, status: int = 0) -> str:
    answer = cuectl.at(f"{DAY}{clock}Z").run("scheduler", "watch", "--quiet")
    assert (answer.status, answer.stdout) == (status, ""), answer
    return answer.stderr


def pass_at(cuectl: Cuectl, clock: str) -> None:
    assert cuectl.at(f"{DAY}{clock}Z").run("run-due").status == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 200)), max_size=40))
def test_it_tells_once_and_only_while_no_pass_is_made(steps: list[tuple[bool, int]]) -> None:
    """A model counts the passes between two looks that are far enough from each other."""
    before: WatchLook | None = None
    now, last, seen, silent = 10**12, None, 0, False
    looked: int | None = None
    for is_pass, minutes in steps:
        now += minutes * MINUTE
        if is_pass:
            last, seen = now, seen + 1
            continue
        before = look(before, last, now)
        if looked is None or seen:
            silent, looked, seen = False, now, 0
        elif now - looked >= LATE_MS:
            silent, looked = True, now
        assert (before.silent_since is not None) == silent
        assert before.silent_since is None or last is None or before.silent_since >= last
        assert look(before, last, now) == before


def test_a_clock_that_went_back_is_no_silence() -> None:
    before = WatchLook(at=10**12)
    assert look(before, None, 10**12 - 1) == WatchLook(at=10**12 - 1)
    ahead = look(before, 2 * 10**12, 10**12 + LATE_MS)
    assert ahead.silent_since is not None, "a heartbeat from the future proves nothing"


def test_it_tells_once_when_passes_stop_and_once_when_they_go_on(
    cuectl: Cuectl, state: StoreState
) -> None:
    pass_at(cuectl, "02:00:00")
    assert watch_at(cuectl, "02:07:00") == ""
    pass_at(cuectl, "02:08:00")
    assert watch_at(cuectl, "02:22:00") == ""
    beat = (cuectl.home / "last-pass").stat().st_mtime_ns
    said = watch_at(cuectl, "02:37:00", 4)
    assert said.startswith(
        "cuectl: alert: scheduler_silent: nothing has called 'cuectl run-due' since "
        "2026-11-21T02:08:"
    )
    assert said.endswith("; no cue runs by itself\n")
    assert watch_at(cuectl, "02:52:00", 4) == ""
    assert (cuectl.home / "last-pass").stat().st_mtime_ns == beat, "it is no pass"
    assert state.alerts() == ["scheduler_silent"]
    pass_at(cuectl, "03:00:00")
    assert "alert: recovered: 'cuectl run-due' is called again; it was not since " in watch_at(
        cuectl, "03:07:00"
    )
    assert watch_at(cuectl, "03:22:00", 4).count("scheduler_silent") == 1, "the next one anew"
    assert state.alerts() == ["scheduler_silent", "recovered", "scheduler_silent"]
    assert state.differences() == []


def test_a_machine_that_slept_raises_no_alarm(cuectl: Cuectl) -> None:
    pass_at(cuectl, "02:00:00")
    watch_at(cuectl, "02:07:00")
    pass_at(cuectl, "02:08:00")
    assert watch_at(cuectl, "14:00:00") == ""


def test_the_sinks_hear_of_it(cuectl: Cuectl) -> None:
    cuectl.files({"../user/.cue/cue.yaml": SINK})
    cuectl.home.chmod(0o700)
    pass_at(cuectl, "02:00:00")
    watch_at(cuectl, "02:07:00")
    watch_at(cuectl, "02:22:00", 4)
    told = cuectl.home / "told"
    until(lambda: told.exists() and told.read_text() == "scheduler_silent\n", "the sink has it")


def locked(home: Path) -> int:
    descriptor = os.open(home / "lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


@pytest.mark.parametrize("trouble", ["locked", "damaged"])
def test_a_store_that_takes_nothing_is_told_of_too(
    cuectl: Cuectl, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOCK_LIMIT_S", 0.1)
    cuectl.files({"../user/.cue/cue.yaml": SINK})
    cuectl.home.chmod(0o700)
    cuectl.checked = False
    pass_at(cuectl, "02:00:00")
    watch_at(cuectl, "02:07:00")
    held = None
    if trouble == "locked":
        held = locked(cuectl.home)
    else:
        (cuectl.home / "FORMAT").write_text("cuectl-home 99\n")
    said = watch_at(cuectl, "02:22:00", 4)
    assert said.startswith("cuectl: alert: scheduler_silent: nothing has called 'cuectl run-due'")
    assert "\ncuectl: it can't be recorded: " in said
    if held is not None:
        told = cuectl.home / "told"
        until(lambda: told.exists() and told.read_text() == "scheduler_silent\n", "it has it")
    assert watch_at(cuectl, "02:37:00", 4) == "", "told once"
    if held is not None:
        os.close(held)


def test_there_must_be_something_to_watch(cuectl: Cuectl) -> None:
    assert cuectl.run("scheduler", "watch").status == 5


# What proves that something calls us, and what proves nothing.
PASSES = {
    ("run-due",): True,
    ("run-due", "--max-parallel", "1"): True,
    ("run-due", "--max-time", "1s"): True,
    ("run-due", "--exit-code"): True,
    ("worker", "--once"): True,
    ("run-due", "--only", "job"): False,
    ("run-due", "--dry-run"): False,
    ("fire", "job"): False,
    ("fire", "--wait", "job"): False,
    ("fire", "--wait", "--as-scheduled", "job"): False,
    ("deliver",): False,
    ("scheduler", "watch"): False,
    ("status",): False,
    ("doctor",): False,
    ("gc",): False,
    ("fsck",): False,
    ("list",): False,
    ("next",): False,
}


@pytest.mark.parametrize("words", PASSES)
def test_only_a_pass_over_everything_leaves_a_heartbeat(
    cuectl: Cuectl, words: tuple[str, ...]
) -> None:
    assert cuectl.run("create", "--name", "job", "--cron", "@daily", "--", "true").status == 0
    cuectl.run(*words)
    assert (cuectl.home / "last-pass").exists() is PASSES[words]


def test_a_run_that_is_waited_for_does_not_hide_that_nothing_calls_us(
    cuectl: Cuectl, passes: Passes
) -> None:
    assert cuectl.run("create", "--name", "job", "--shell", WAITS).status == 0
    waiting = passes.run("fire", "job", "--wait")
    passes.begun("job")
    found = json.loads(cuectl.run("--json", "status", "--max-age", "5m").stdout)
    assert (found["last_pass_at"], found["level"], found["passes"]) == (None, "problem", 1)
    (cuectl.work / "go").touch()
    waiting.end()


def test_status_fails_when_something_is_overdue_though_passes_are_made(cuectl: Cuectl) -> None:
    cuectl.at(f"{DAY}02:00:00Z")
    for name in ("a", "b"):
        cuectl.run("create", "--name", name, "--cron", "30 2 * * *", "--", "true")
    pass_at(cuectl, "02:00:00")
    # A pass was just made, and yet the cue has not begun: a clock, a view, a full machine.
    beat = cuectl.home / "last-pass"
    now = 1_795_228_800_000_000_000 + 40 * 60 * 10**9
    os.utime(beat, ns=(now, now))
    cuectl.at(f"{DAY}02:40:00Z")
    codes = {one["code"] for one in cuectl.json("status")["findings"]}
    assert "overdue" in codes, "a warning alone"
    failed = cuectl.run("--json", "status", "--max-age", "5m")
    assert failed.status == 4
    assert [(one["level"], one["code"]) for one in failed.json["findings"]] == [
        ("problem", "overdue")
    ]
    assert cuectl.run("status", "--max-age", "15m").status == 0
