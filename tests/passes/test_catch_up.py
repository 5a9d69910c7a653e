"""What becomes of occurrences that fell due while no pass ran: each has its record."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import WAITS

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import Record, StoreState


def create(cuectl: Cuectl, cron: str, *options: str) -> None:
    """Make a cue half an hour after midnight."""
    cuectl.at("2026-11-21T00:30:00Z")
    answer = cuectl.run("create", "--name", "job", "--cron", cron, *options, "--", "true")
    assert answer.status == 0, answer


def pass_at(cuectl: Cuectl, clock: str) -> str:
    """Run a pass at a time of that day; return what it said."""
    answer = cuectl.at(f"2026-11-21T{clock}Z").run("run-due")
    assert answer.status == 0, answer
    return answer.stderr


def short(record: Record) -> str:
    """Return a record as `02:00 succeeded` or `01:00-09:00 skipped(coalesced) x9`."""
    end = f"{record['status']}({record['reason']})" if record.get("reason") else record["status"]
    if span := record.get("range"):
        return f"{span['from'][11:16]}-{span['to'][11:16]} {end} x{span['count']}"
    return f"{record['scheduled_for'][11:16]} {end}"


def shown(state: StoreState) -> list[str]:
    return [short(record) for record in state.executions()]


def occurrences(state: StoreState) -> int:
    """Return how many occurrences the records account for."""
    return sum((one.get("range") or {"count": 1})["count"] for one in state.executions())


def test_the_latest_runs_and_the_others_are_coalesced(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 * * * *")
    pass_at(cuectl, "10:20:00")

    assert sorted(shown(state)) == ["01:00-09:00 skipped(coalesced) x9", "10:00 succeeded"]
    # Coalesced is not missed.
    assert state.alerts() == []
    pass_at(cuectl, "11:00:00")
    assert occurrences(state) == 11


def test_one_coalesced_occurrence_is_no_range(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 * * * *")
    pass_at(cuectl, "02:20:00")

    assert sorted(shown(state)) == ["01:00 skipped(coalesced)", "02:00 succeeded"]


def test_none_runs_only_what_is_on_time(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 * * * *", "--catch-up", "none")
    pass_at(cuectl, "10:20:00")
    assert shown(state) == ["01:00-10:00 missed(catch_up) x10"]
    assert state.alerts() == ["missed"]

    pass_at(cuectl, "11:01:30")
    said = pass_at(cuectl, "14:00:30")

    assert sorted(shown(state)) == [
        "01:00-10:00 missed(catch_up) x10",
        "11:00 succeeded",
        "12:00-13:00 missed(catch_up) x2",
        "14:00 succeeded",
    ]
    # One alert for each gap, because the run between them has ended the first; the second gap and
    # its end come within a day of that message, so neither is sent yet.
    assert state.alerts() == ["missed", "recovered", "missed", "recovered"]
    assert "missed" not in said


def test_one_gap_is_one_alert(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 * * * *", "--catch-up", "none")
    pass_at(cuectl, "04:20:00")
    pass_at(cuectl, "05:20:00")
    said = pass_at(cuectl, "06:20:00")

    assert occurrences(state) == 6
    assert state.alerts() == ["missed"]
    assert "alert" not in said


def test_all_run_in_their_order_with_a_distance(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 * * * *", "--catch-up", "all")
    pass_at(cuectl, "04:20:00")
    assert [one["status"] for one in state.executions()] == ["succeeded"] + ["pending"] * 3
    pass_at(cuectl, "04:20:31")
    assert [one["status"] for one in state.executions()].count("succeeded") == 2
    pass_at(cuectl, "04:25:00")

    assert shown(state) == [f"0{hour}:00 succeeded" for hour in (1, 2, 3, 4)]
    started = [one["started_at"] for one in state.executions()]
    assert started == sorted(started)
    assert state.alerts() == []


def test_all_has_an_end(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "*/10 * * * *", "--catch-up", "all")
    pass_at(cuectl, "06:35:00")
    pass_at(cuectl, "07:07:00")

    runs = [line for line in shown(state) if "succeeded" in line]
    others = [line for line in shown(state) if "succeeded" not in line]
    assert len(runs) == 25
    # The backlog of the second pass waits for that of the first.
    assert others[0] == "00:40-02:20 missed(catch_up_limit) x11"
    assert others[1:] == ["06:40 pending", "06:50 pending", "07:00 pending"]
    pass_at(cuectl, "07:09:30")

    assert [line for line in shown(state) if "succeeded" not in line] == others[:1]
    assert occurrences(state) == 39
    by_start = sorted(state.executions()[1:], key=lambda one: str(one.get("started_at")))
    assert by_start == state.executions()[1:]
    assert state.alerts() == ["missed", "recovered"]


def test_a_backlog_does_not_run_beside_an_earlier_run(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.at("2026-11-21T00:30:00Z")
    words = ("--cron", "*/10 * * * *", "--catch-up", "all", "--shell", WAITS)
    cuectl.run("create", "--name", "job", *words)
    cuectl.at("2026-11-21T00:40:00Z")
    first = passes.start("job")
    pass_at(cuectl, "01:11:00")
    assert [one["status"] for one in state.executions()] == ["pending"] * 4
    pass_at(cuectl, "01:14:00")
    assert [one["status"] for one in state.executions()] == ["pending"] + ["queued"] * 3
    assert len(state.of_type("execution.claimed")) == 1

    (cuectl.work / "go").touch()
    assert first.end() == 0

    assert shown(state) == [f"{clock} succeeded" for clock in ("00:40", "00:50", "01:00", "01:10")]
    started = [one["started_at"] for one in state.executions()]
    assert started == sorted(started)


def time_of_children_s() -> float:
    """Return what ended children have used: on a loaded machine a clock says nothing."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_year_of_downtime_is_one_record(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2025-10-01T00:00:30Z")
    cuectl.run("create", "--name", "job", "--cron", "* * * * *", "--", "true")
    used_s = time_of_children_s()
    cuectl.at("2026-11-05T00:00:30Z").run("run-due")

    assert time_of_children_s() - used_s < 5
    assert [one["status"] for one in state.executions()] == ["skipped", "succeeded"]
    assert occurrences(state) == 400 * 24 * 60
    assert state.alerts() == []


def test_an_interval_catches_up_as_well(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T00:30:00Z")
    cuectl.run("create", "--name", "job", "--every", "2h", "--", "true")
    pass_at(cuectl, "09:00:00")
    # Late passes do not move it.
    pass_at(cuectl, "10:30:20")

    assert sorted(shown(state)) == [
        "02:30-06:30 skipped(coalesced) x3",
        "08:30 succeeded",
        "10:30 succeeded",
    ]


@pytest.mark.parametrize(("clock", "end"), [("02:09:00", "succeeded"), ("02:10:01", "missed")])
def test_too_late_is_missed(cuectl: Cuectl, state: StoreState, clock: str, end: str) -> None:
    create(cuectl, "0 2 * * *", "--deadline", "10m")
    said = pass_at(cuectl, clock)

    assert state.one()["status"] == end
    if end == "missed":
        assert state.one()["reason"] == "deadline"
        assert state.alerts() == ["missed"]
        assert "'job' missed an occurrence (deadline)" in said


def test_within_a_long_deadline_nothing_is_missed(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "* * * * *", "--deadline", "2h")
    pass_at(cuectl, "01:30:00")

    assert sorted(shown(state)) == ["00:31-01:29 skipped(coalesced) x59", "01:30 succeeded"]
    assert state.alerts() == []


def test_beyond_a_deadline_the_newest_still_runs(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 * * * *", "--deadline", "90m")
    pass_at(cuectl, "10:20:00")

    assert sorted(shown(state)) == [
        "01:00-08:00 missed(deadline) x8",
        "09:00 skipped(coalesced)",
        "10:00 succeeded",
    ]


def test_jitter_moves_the_start_and_not_the_occurrence(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 2 * * *", "--jitter", "40m")
    (marker,) = [path for path in state.implied() if path.startswith("due/")]
    at_ms = int(marker.rpartition("/")[2].partition(".")[0])
    shift_s = at_ms // 1000 % 86400 - 2 * 3600
    assert 0 <= shift_s < 40 * 60
    before, after = (time.strftime("%H:%M:%S", time.gmtime(at_ms // 1000 + d)) for d in (-5, 5))
    if shift_s > 5:
        pass_at(cuectl, before)
        assert state.executions() == []
    pass_at(cuectl, after)

    assert state.one()["scheduled_for"] == "2026-11-21T02:00:00Z"
    assert state.one()["status"] == "succeeded"
    (marker,) = [path for path in state.implied() if path.startswith("due/")]
    assert int(marker.rpartition("/")[2].partition(".")[0]) == at_ms + 86_400_000


@pytest.mark.parametrize("options", [("--catch-up", "none"), ("--deadline", "5m")])
def test_jitter_does_not_count_as_being_late(
    cuectl: Cuectl, state: StoreState, options: tuple[str, ...]
) -> None:
    for number in range(4):
        cuectl.at("2026-11-21T00:30:00Z")
        words = ("--cron", "0 2 * * *", "--jitter", "55m", *options)
        assert cuectl.run("create", "--name", f"job{number}", *words, "--", "true").status == 0
    for minute in range(0, 60, 1):
        moment = f"02:{minute:02d}:30"
        if any(_is_due(path, moment) for path in state.implied()):
            pass_at(cuectl, moment)

    assert [one["status"] for one in state.executions()] == ["succeeded"] * 4


def _is_due(path: str, clock: str) -> bool:
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    day_s = hours * 3600 + minutes * 60 + seconds
    if not path.startswith("due/"):
        return False
    at_s = int(path.rpartition("/")[2].partition(".")[0]) // 1000
    return at_s // 86400 == 20778 and at_s % 86400 <= day_s


def test_a_paused_cue_leaves_no_gap_unrecorded(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "0 * * * *")
    pass_at(cuectl, "01:00:10")
    cuectl.run("pause", "job")
    pass_at(cuectl, "04:00:10")
    cuectl.at("2026-11-21T05:30:00Z").run("resume", "job")
    pass_at(cuectl, "06:00:10")

    assert sorted(shown(state)) == [
        "01:00 succeeded",
        "02:00-05:00 skipped(paused) x4",
        "06:00 succeeded",
    ]
