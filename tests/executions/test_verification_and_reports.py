"""What is decided after the end: verification by hand, late reports, their deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def create(cuectl: Cuectl, script: str, *options: str) -> None:
    cuectl.at("2026-11-21T01:00:00Z")
    words = ("--name", "job", "--at", "2026-11-21T02:00:00Z", *options, "--shell", script)
    answer = cuectl.run("create", *words)
    assert answer.status == 0, answer


def pass_at(cuectl: Cuectl, clock: str) -> str:
    answer = cuectl.at(f"2026-11-21T{clock}Z").run("run-due")
    assert answer.status == 0, answer
    return answer.stderr


def test_a_person_accepts_an_outcome(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "cuectl report --external-id 7", "--verification-mode", "manual")
    pass_at(cuectl, "02:00:00")
    record = state.one()
    assert (record["status"], record["outcome_state"]) == ("succeeded", "verification_pending")
    assert state.alerts() == []
    # One manual verification does not end the idle path.
    assert not list((cuectl.home / "open").iterdir())

    answer = cuectl.run("verify", record["id"], "--reason", "looked at it")

    assert answer.status == 0
    judged = state.one()
    assert judged["outcome_state"] == "verified_success"
    assert (judged["verified_by"], judged["verify_reason"]) == ("person", "looked at it")
    assert judged["rev"] == 1
    assert judged["external_id"] == "7"
    assert not list((cuectl.home / "waiting").iterdir())


def test_a_person_rejects_an_outcome(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "true", "--verification-mode", "manual")
    pass_at(cuectl, "02:00:00")
    identity = state.one()["id"]
    answer = cuectl.run("verify", identity, "--reject", "--reason", "not what I asked for")

    assert answer.status == 0
    assert state.one()["status"] == "succeeded"
    assert state.one()["outcome_state"] == "verification_failed"
    assert state.alerts() == ["verification_failed"]
    # Whoever looks again may change his mind.
    assert cuectl.run("verify", identity).status == 0
    assert state.one()["outcome_state"] == "verified_success"
    assert state.one()["rev"] == 2


def test_what_failed_cannot_be_accepted(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "false", "--verification-mode", "manual")
    pass_at(cuectl, "02:00:00")
    answer = cuectl.run("verify", state.one()["id"])

    assert answer.status == 6
    assert "failed, so it can't be verified" in answer.stderr


def test_a_report_comes_after_the_process(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "true", "--outcome-deadline", "10m")
    pass_at(cuectl, "02:00:00")
    assert state.ends() == ["waiting(report)"]
    cuectl.at("2026-11-21T02:05:00Z")
    words = ("--success", "--external-id", "late", "--execution", state.one()["id"])
    assert cuectl.run("report", *words).status == 0

    record = state.one()
    assert (record["status"], record["outcome_state"]) == ("succeeded", "reported_success")
    assert record["external_id"] == "late"
    assert record["exit_code"] == 0
    assert state.cue("job")["status"] == "completed"
    assert "due/" not in "".join(state.implied())
    assert cuectl.run("report", *words).status == 6


def test_a_report_may_say_that_it_failed(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "true", "--outcome-deadline", "10m")
    pass_at(cuectl, "02:00:00")
    words = ("--failure", "--error", "rolled back", "--execution", state.one()["id"])
    assert cuectl.run("report", *words).status == 0

    assert state.one()["status"] == "failed"
    assert state.one()["error"] == "rolled back"
    assert state.cue("job")["status"] == "failed"


def test_a_report_from_outside_takes_the_start_of_an_id(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "true", "--outcome-deadline", "10m")
    pass_at(cuectl, "02:00:00")
    start = state.one()["id"][:-4]
    assert cuectl.run("report", "--success", "--execution", start).status == 0
    assert state.one()["status"] == "succeeded"


def test_a_report_on_an_unknown_execution_finds_nothing(cuectl: Cuectl) -> None:
    create(cuectl, "true")
    assert cuectl.run("report", "--success", "--execution", "exec_nothing").status == 5


def test_a_late_failure_is_tried_again(cuectl: Cuectl, state: StoreState) -> None:
    options = ("--outcome-deadline", "10m", "--retries", "1", "--backoff", "1m")
    create(cuectl, "test $CUE_ATTEMPT = 1 || cuectl report --success", *options)
    pass_at(cuectl, "02:00:00")
    assert cuectl.run("report", "--failure", "--execution", state.one()["id"]).status == 0
    assert state.ends() == ["waiting(retry)"]
    pass_at(cuectl, "02:01:20")

    assert (state.one()["status"], state.one()["attempt"]) == ("succeeded", 2)


def test_no_report_until_the_deadline(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "true", "--outcome-deadline", "10m")
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:09:50")
    assert state.ends() == ["waiting(report)"]
    said = pass_at(cuectl, "02:10:10")

    assert state.ends() == ["succeeded(outcome_timeout)"]
    assert state.one()["outcome_state"] == "unknown"
    assert state.alerts() == ["outcome_timeout"]
    assert "did not report in time" in said


def test_an_outcome_file_that_came_late_is_read_at_the_deadline(
    cuectl: Cuectl, state: StoreState
) -> None:
    create(cuectl, 'echo "$CUE_OUTCOME_FILE" > where', "--outcome-deadline", "10m")
    pass_at(cuectl, "02:00:00")
    path = (cuectl.work / "where").read_text().strip()
    with open(path, "w") as file:
        file.write('{"success": true, "external_id": "by file"}')
    pass_at(cuectl, "02:10:10")

    assert state.one()["outcome_state"] == "reported_success"
    assert state.one()["external_id"] == "by file"
    assert state.alerts() == []


@pytest.mark.parametrize("script", ["exit 3", "cuectl report --success"])
def test_what_is_decided_does_not_wait(cuectl: Cuectl, state: StoreState, script: str) -> None:
    create(cuectl, script, "--outcome-deadline", "10m")
    pass_at(cuectl, "02:00:00")

    assert state.one()["status"] == ("failed" if "exit" in script else "succeeded")


def test_the_next_occurrence_does_not_wait_for_a_report(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T01:59:30Z")
    words = ("--cron", "* * * * *", "--outcome-deadline", "10m", "--", "true")
    cuectl.run("create", "--name", "job", *words)
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:01:00")

    assert state.ends() == ["waiting(report)"] * 2


def test_a_report_from_outside_while_it_runs(cuectl: Cuectl, state: StoreState) -> None:
    script = 'cuectl report --execution "$CUE_EXECUTION_ID" --success --external-id inside'
    create(cuectl, f"env -u CUE_OUTCOME_FILE {script}")
    pass_at(cuectl, "02:00:00")

    assert state.one()["external_id"] == "inside"


def test_a_checker_after_a_late_report(cuectl: Cuectl, state: StoreState) -> None:
    """A report that came late is checked like one that came in time."""
    check = ("--verify-command", "test -e checked")
    create(cuectl, "true", "--outcome-deadline", "10m", *check)
    cuectl.files({"checked": ""})
    pass_at(cuectl, "02:00:00")
    assert cuectl.run("report", "--success", "--execution", state.one()["id"]).status == 0
    pass_at(cuectl, "02:01:00")

    assert state.one()["outcome_state"] == "verified_success"


def test_what_a_power_cut_has_left_of_a_late_report_does_not_stop_the_next(
    cuectl: Cuectl, state: StoreState
) -> None:
    """The file gets its name before the commit; nobody was told that the report was taken."""
    cuectl.run("create", "--name", "job", "--outcome-deadline", "1h", "--", "true")
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    identity = state.one()["id"]
    (day,) = (cuectl.home / "runs").iterdir()
    (day / f"{identity}.outcome.json").write_bytes(b"\0" * 40)

    answer = cuectl.run("report", "--execution", identity, "--success", "--external-id", "T-1")

    assert answer.status == 0, answer
    assert (state.one()["status"], state.one()["external_id"]) == ("succeeded", "T-1")


def test_zeros_that_a_power_cut_has_left_do_not_stop_the_report_of_a_handler(
    cuectl: Cuectl, state: StoreState
) -> None:
    """The size of a file may be on the disk before its bytes: the handler's next report counts."""
    script = 'head -c 40 /dev/zero > "$CUE_OUTCOME_FILE"; cuectl report --success --external-id T-1'
    cuectl.run("create", "--name", "job", "--shell", script)
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    assert (state.one()["status"], state.one()["external_id"]) == ("succeeded", "T-1")
