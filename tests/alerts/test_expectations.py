"""Runs that take too long and work that is not done in time are told of once, before the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fixtures.background import WAITS
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

FORKED = True
DAY = "2026-11-21T"


def make(cuectl: Cuectl, *words: str, script: str = "true", cron: str = "30 2 * * *") -> None:
    cuectl.at(f"{DAY}02:00:00Z")
    made = cuectl.run("create", "--name", "job", "--cron", cron, *words, "--shell", script)
    assert made.status == 0, made


def pass_at(cuectl: Cuectl, clock: str, *words: str, day: str = DAY) -> str:
    answer = cuectl.at(f"{day}{clock}Z").run("run-due", *words)
    assert answer.status == 0, answer
    return answer.stderr


def test_a_run_is_slow_while_it_still_runs(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    make(cuectl, "--expect-within", "100ms", script=WAITS)
    cuectl.at(f"{DAY}02:30:00Z")
    busy = passes.start("job")
    until(lambda: state.alerts() == ["slow"], "the pass beside it tells")
    assert [one["status"] for one in state.executions()] == ["pending"]
    pass_at(cuectl, "02:31:00")
    (cuectl.work / "go").touch()
    assert busy.end() == 0

    assert state.alerts() == ["slow"]
    assert "alert: slow: 'job' has run for " in busy.stderr
    assert busy.stderr.count("slow") == 1
    assert dict(state.cue("job")["alerts"]).keys() == {"slow"}
    cuectl.run("update", "job", "--expect-within", "1h", "--shell", "true")
    pass_at(cuectl, "02:30:00", day="2026-11-22T")
    assert "alerts" not in state.cue("job"), "the next run in time ends it"


def test_another_pass_tells_when_the_one_beside_it_is_gone(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    make(cuectl, "--expect-within", "2s", script=f"kill -9 $PPID; {WAITS}")
    cuectl.at(f"{DAY}02:30:00Z")
    passes.start("job").process.wait()

    def told() -> bool:
        pass_at(cuectl, "02:31:00")
        return state.alerts() == ["slow"]

    until(told, "a later pass tells")
    lines = len(state.lines())
    assert pass_at(cuectl, "02:32:00") == ""
    assert state.alerts() == ["slow"]
    assert len(state.lines()) == lines, "looking again changes nothing"
    (cuectl.work / "go").touch()


def test_a_run_that_ended_before_anyone_looked_is_told_of_at_its_end(
    cuectl: Cuectl, state: StoreState
) -> None:
    make(cuectl, "--expect-within", "1ms")
    said = pass_at(cuectl, "02:30:00")
    assert "alert: slow: 'job' " in said
    assert state.alerts() == ["slow"]
    later = pass_at(cuectl, "02:40:00", day="2026-11-22T")
    assert "alert: slow: still open: 'job' " in later, "a day later, a reminder"


def test_too_little_is_known_of_what_is_usual(cuectl: Cuectl, state: StoreState) -> None:
    make(cuectl, "--expect-within", "2x")
    assert "expect within: 2x the usual: not known before 5 runs" in cuectl.run("get", "job").stdout
    pass_at(cuectl, "02:30:00")
    assert state.alerts() == []


def test_work_is_late_when_it_has_not_succeeded_by_then(cuectl: Cuectl, state: StoreState) -> None:
    make(cuectl, "--expect-by", "07:00", script="test -e good")
    pass_at(cuectl, "02:30:00")
    assert "late" not in pass_at(cuectl, "06:59:59")
    said = pass_at(cuectl, "07:00:00")
    assert "alert: late: 'job' is not done by 07:00: its newest run failed: exit 1" in said
    assert ", late" in cuectl.run("list").stdout
    assert pass_at(cuectl, "07:01:00") == ""
    cuectl.files({"good": ""})
    cuectl.run("fire", "job")
    pass_at(cuectl, "08:00:00")
    assert "alerts" not in state.cue("job"), "it is done"
    next_day = "2026-11-22T"
    assert pass_at(cuectl, "02:30:00", day=next_day) == ""
    assert pass_at(cuectl, "07:01:00", day=next_day) == ""
    assert state.alerts().count("late") == 1


def test_work_that_is_done_in_time_leaves_no_marker(cuectl: Cuectl, state: StoreState) -> None:
    make(cuectl, "--expect-by", "07:00")
    pass_at(cuectl, "02:30:00")
    assert not list((cuectl.home / "due").rglob("*.b.*"))
    pass_at(cuectl, "07:00:00")
    assert state.alerts() == []


def test_a_run_over_midnight_is_late_beside_its_pass(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    make(cuectl, "--expect-by", "00:00", script=WAITS, cron="59 23 * * *")
    cuectl.at(f"{DAY}23:59:58Z")
    busy = passes.start("job")
    until(lambda: state.alerts() == ["late"], "the pass beside it tells")
    (cuectl.work / "go").touch()
    assert busy.end() == 0
    # On a slow machine it has begun after midnight.
    assert "alert: late: 'job' is not done by 00:00: it " in busy.stderr
    assert "alerts" not in state.cue("job"), "its success ends it"


def test_a_pass_that_comes_late_tells_once(cuectl: Cuectl, state: StoreState) -> None:
    make(cuectl, "--expect-by", "07:00")
    said = pass_at(cuectl, "09:00:00", day="2026-11-24T")
    assert "alert: late: 'job' is not done by 07:00: it starts only now" in said
    assert state.alerts() == ["late", "recovered"]
    assert "alerts" not in state.cue("job"), "it was made up for"
    assert pass_at(cuectl, "10:00:00", day="2026-11-24T") == ""


def test_a_day_off_and_a_pause_have_no_deadline(cuectl: Cuectl, state: StoreState) -> None:
    make(cuectl, "--expect-by", "07:00", "--except", "2026-11-21", script="false")
    pass_at(cuectl, "02:30:00")
    assert pass_at(cuectl, "07:00:00") == ""
    pass_at(cuectl, "02:30:00", day="2026-11-22T")
    cuectl.run("pause", "job")
    assert pass_at(cuectl, "07:00:00", day="2026-11-22T") == ""
    assert "late" not in state.alerts()


def test_a_one_off_and_a_deleted_cue(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at(f"{DAY}02:00:00Z")
    for name in ("once", "gone"):
        at = ("--at", f"{DAY}02:30:00Z", "--expect-by", "07:00")
        assert cuectl.run("create", "--name", name, *at, "--shell", "false").status == 0
    pass_at(cuectl, "02:30:00")
    cuectl.run("delete", "gone", "--yes")
    assert pass_at(cuectl, "07:00:00").count("alert: late: ") == 1
    assert state.alerts().count("late") == 1


def test_a_later_time_is_waited_for(cuectl: Cuectl, state: StoreState) -> None:
    make(cuectl, "--expect-by", "07:00", script="false")
    pass_at(cuectl, "02:30:00")
    cuectl.run("update", "job", "--expect-by", "08:00")
    assert pass_at(cuectl, "07:00:00") == ""
    assert "late" in pass_at(cuectl, "08:00:00")


def test_a_home_without_expectations_stays_idle(cuectl: Cuectl) -> None:
    make(cuectl)
    pass_at(cuectl, "02:30:00")
    assert not (cuectl.home / "due").exists() or not list((cuectl.home / "due").rglob("*.b.*"))


def test_what_means_nothing_is_refused(cuectl: Cuectl) -> None:
    cuectl.files(
        {
            "a.yaml": "cues:\n  a: {command: [x], expect: {by: 07:00}}\n",
            "b.yaml": "cues:\n  b: {cron: '@daily', command: [x], expect: {by: 25:00, until: 1}}\n",
            "c.yaml": "cues:\n  c: {cron: '@daily', command: [x], expect: {within: fast}}\n",
            "d.yaml": "cues:\n  d: {every: 1h, command: [x], expect: {within: 2x, by: 7:00}}\n",
        }
    )
    said = {name: cuectl.run("validate", f"{name}.yaml") for name in "abcd"}
    assert "'by' in cue 'a' means nothing without a schedule" in said["a"].stdout
    assert "'25:00' is not a time of the day" in said["b"].stdout
    assert "until" in said["b"].stdout
    assert "'fast'" in said["c"].stdout
    assert [one.status for one in said.values()] == [7, 7, 7, 0]


def test_a_cue_keeps_what_it_expects(cuectl: Cuectl) -> None:
    make(cuectl, "--expect-within", "10m", "--expect-by", "7:00")
    policy = cuectl.json("get", "job")["policy"]
    assert (policy["expect_within_s"], policy["expect_times"]) == (600, None)
    assert policy["expect_by"] == "07:00"
    cuectl.run("update", "job", "--expect-within", "3x")
    policy = cuectl.json("get", "job")["policy"]
    assert (policy["expect_within_s"], policy["expect_times"]) == (None, 3)
    cuectl.run("update", "job", "--no-expect-within", "--no-expect-by")
    policy = cuectl.json("get", "job")["policy"]
    assert {policy[name] for name in policy if name.startswith("expect")} == {None}
