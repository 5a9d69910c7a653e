"""Executions on other machines, from claim to end, by passes and by workers of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.scripted_executor import ScriptedWorkers, program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

FORKED = True
DEFINITIONS = """\
executors:
  farm: {{type: scripted, url: "{url}", start_within: 15m, lost_after: 5m{more}}}
handlers:
  train: {{cmd: "python3 train.py", executor: farm/gpu, timeout: 1h}}
  plain: {{executor: farm}}
"""


@pytest.fixture
def farm(cuectl: Cuectl, tmp_path: Path) -> ScriptedWorkers:
    """Workers, and a home whose handlers they have."""
    workers = ScriptedWorkers(tmp_path / "farm")
    define(cuectl, workers)
    return workers


def define(cuectl: Cuectl, workers: ScriptedWorkers, more: str = "") -> None:
    """Take over the definitions."""
    cuectl.env(CUECTL_FLEET_KEY="k" * 32)
    cuectl.at("2026-11-21T01:58:00Z")
    cuectl.files({"fleet.yaml": DEFINITIONS.format(url=workers.url, more=more)})
    assert cuectl.run("apply", "fleet.yaml").status == 0


def run_due(cuectl: Cuectl, at: str) -> str:
    """Run a pass at a time of the day; return what it says."""
    answer = cuectl.at(f"2026-11-21T{at}Z").run("run-due")
    assert answer.status == 0, answer
    return answer.stderr


def the_run(cuectl: Cuectl, name: str = "one") -> dict[str, Any]:
    """Return the newest run of a cue."""
    found: dict[str, Any] = cuectl.json("executions", "get", name)
    return found


def a_run(cuectl: Cuectl, *more: str, task: str = "plain") -> None:
    """Make a cue, and let a pass send its run."""
    a_cue(cuectl, "one", *more, task=task)
    run_due(cuectl, "02:00:01")


def a_cue(cuectl: Cuectl, name: str, *more: str, task: str = "plain") -> None:
    """Make a cue that is due at 02:00."""
    cuectl.at("2026-11-21T01:59:00Z")
    once = ("--at", "2026-11-21T02:00:00Z")
    made = cuectl.run("create", "--name", name, "--task", task, *once, *more)
    assert made.status == 0, made


def test_a_run_is_sent_taken_and_settled_with_its_evidence(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl, "--payload", '{"n": 7}')
    queued = the_run(cuectl)
    (message,) = farm.messages()
    (key,) = farm.take()
    run_due(cuectl, "02:00:10")
    running = the_run(cuectl)
    farm.end(key, outcome={"success": True, "external_id": "x-1"}, output=b"seven\n")
    run_due(cuectl, "02:00:20")
    done = the_run(cuectl)

    assert (queued["status"], queued["reason"], queued["executor"]) == ("queued", "at farm", "farm")
    assert (message["label"], message["execution"]["payload"]) == (None, {"n": 7})
    assert (running["status"], running["reason"]) == ("running", "at farm on host7")
    assert (done["status"], done["external_id"], done["worker"]) == ("succeeded", "x-1", "host7")
    assert cuectl.run("executions", "output", "one").stdout == "seven\n"
    assert farm.acknowledged() == {key}
    assert run_due(cuectl, "02:00:30") == ""


def test_a_label_goes_with_the_message(cuectl: Cuectl, farm: ScriptedWorkers) -> None:
    a_run(cuectl, task="train")

    (message,) = farm.messages()
    assert message["label"] == "gpu"
    assert message["executor"] == "farm"
    assert farm.take() == []
    assert len(farm.take(label="gpu")) == 1


def test_what_no_worker_takes_is_sent_again_and_then_withdrawn_and_missed(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl)
    run_due(cuectl, "02:03:00")
    after_three = len(farm.messages())
    run_due(cuectl, "02:05:30")
    after_five = len(farm.messages())
    said = run_due(cuectl, "02:16:30")
    done = the_run(cuectl)

    assert (after_three, after_five) == (1, 2)
    assert (done["status"], done["reason"]) == ("missed", "no_worker")
    assert "missed: 'one' has not started at 'farm': no worker has taken it" in said
    assert farm.take() == []


def test_a_worker_that_is_silent_too_long_is_given_up_and_its_late_result_counts(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl)
    (key,) = farm.take()
    run_due(cuectl, "02:00:10")
    farm.beat(key, lives=False)
    run_due(cuectl, "02:02:00")
    still = the_run(cuectl)
    said = run_due(cuectl, "02:07:30")
    lost = the_run(cuectl)
    farm.end(key, outcome={"success": True})
    run_due(cuectl, "03:00:00")
    found = the_run(cuectl)

    assert still["status"] == "running"
    assert (lost["status"], lost["worker"]) == ("interrupted", "host7")
    assert lost["reason"] == "lost_contact: nothing was heard of host7 for 5m"
    assert "alert: interrupted" in said
    assert (found["status"], found["rev"], found["adopted"]) == ("succeeded", 1, True)
    assert farm.acknowledged() == {key}


def test_silence_that_can_not_be_heard_does_not_count(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl)
    (key,) = farm.take()
    farm.beat(key, lives=False)
    run_due(cuectl, "02:01:00")
    (farm.folder / "down").write_text("connection refused")
    run_due(cuectl, "02:04:00")
    said = run_due(cuectl, "02:10:00")
    (farm.folder / "down").unlink()
    run_due(cuectl, "02:11:00")

    assert "executor 'farm' can't be reached: connection refused" in said
    assert the_run(cuectl)["status"] == "running"


def test_what_could_never_be_sent_is_missed_and_told(cuectl: Cuectl, farm: ScriptedWorkers) -> None:
    (farm.folder / "down").write_text("connection refused")
    a_run(cuectl)
    waits = the_run(cuectl)
    said = run_due(cuectl, "02:16:30")
    done = the_run(cuectl)

    why = "waits for farm, which can't be reached: connection refused"
    assert (waits["status"], waits["reason"]) == ("queued", why)
    assert (done["status"], done["reason"]) == ("missed", "no_worker")
    assert "it could not be sent" in said


def test_results_are_taken_while_nothing_can_be_sent(cuectl: Cuectl, farm: ScriptedWorkers) -> None:
    a_run(cuectl)
    farm.work()
    (farm.folder / "no-broker").write_text("")
    a_cue(cuectl, "two")
    run_due(cuectl, "02:01:00")

    assert the_run(cuectl)["status"] == "succeeded"
    assert the_run(cuectl, "two")["status"] == "queued"


def test_a_cancelled_run_that_has_not_started_is_withdrawn(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl)
    answer = cuectl.run("cancel", "one")

    assert answer.stdout.startswith("cancelled ")
    assert the_run(cuectl)["status"] == "cancelled"
    assert farm.take() == []


def test_a_cancelled_run_that_is_at_work_is_asked_to_end(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl)
    (key,) = farm.take()
    answer = cuectl.run("cancel", "one")
    asked = (farm.folder / "cancel" / key).exists()
    farm.end(key, exit_code=None, cause="cancel")
    run_due(cuectl, "02:01:00")

    assert answer.stdout.startswith("asked ")
    assert asked
    assert the_run(cuectl)["status"] == "cancelled"


def test_an_executor_that_forgot_gets_nothing_more_until_a_person_says_so(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl)
    farm.forget()
    a_cue(cuectl, "two")
    said = run_due(cuectl, "02:01:00")
    run_due(cuectl, "02:06:30")
    nothing = farm.messages()
    reset = cuectl.run("executors", "reset", "farm")
    run_due(cuectl, "02:07:00")
    sent = [one["execution"]["cue_name"] for one in farm.messages()]
    run_due(cuectl, "02:16:30")

    assert "executor 'farm' has lost its data" in said
    assert nothing == []
    assert reset.status == 0
    assert sent == ["two"]
    first = the_run(cuectl)
    assert first["status"] == "interrupted"
    assert first["reason"].startswith("executor_reset: ")


def test_a_failed_run_is_tried_again_as_a_start_of_its_own(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl, "--retries", "1", "--backoff", "0s")
    (first,) = farm.work(exit_code=3)
    run_due(cuectl, "02:01:00")
    run_due(cuectl, "02:01:10")
    (second,) = farm.work()
    run_due(cuectl, "02:02:00")

    assert (first[-1], second[-1]) == ("1", "2")
    done = the_run(cuectl)
    assert (done["status"], len(done["attempts"])) == ("succeeded", 2)


def test_a_lost_run_is_not_started_again_while_it_may_be_at_work(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl, "--on-interrupted", "rerun")
    (key,) = farm.take()
    farm.beat(key, lives=False)
    run_due(cuectl, "02:01:00")
    run_due(cuectl, "02:07:00")

    assert the_run(cuectl)["status"] == "interrupted"


def test_what_its_worker_ends_when_cut_off_is_started_again(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    define(cuectl, farm, ", on_lost_contact: end")
    a_run(cuectl, "--on-interrupted", "rerun")
    (key,) = farm.take()
    farm.beat(key, lives=False)
    run_due(cuectl, "02:01:00")
    run_due(cuectl, "02:07:00")
    run_due(cuectl, "02:07:10")

    assert [message["key"][-1] for message in farm.messages()] == ["1", "2"]


def test_no_more_are_there_at_once_than_may_be(cuectl: Cuectl, farm: ScriptedWorkers) -> None:
    define(cuectl, farm, ", max_outstanding: 2")
    for number in range(4):
        a_cue(cuectl, f"n{number}")
    run_due(cuectl, "02:00:01")
    first = len(farm.messages())
    farm.work()
    run_due(cuectl, "02:00:10")

    assert (first, len(farm.messages())) == (2, 4)


def test_work_elsewhere_does_not_wait_for_room_here(cuectl: Cuectl, farm: ScriptedWorkers) -> None:
    for number in range(3):
        a_cue(cuectl, f"n{number}")
    cuectl.at("2026-11-21T02:00:01Z").run("run-due", "--max-parallel", "1")

    assert len(farm.messages()) == 3


def test_what_is_checked_is_checked_on_the_same_machine(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    a_run(cuectl, "--verify-command", "test -e made")
    farm.work(host="host9")
    run_due(cuectl, "02:00:30")
    message = farm.messages()[-1]
    farm.take("host9")
    farm.end(message["key"], host="host9")
    run_due(cuectl, "02:01:00")

    assert (message["label"], message["execution"]["phase"]) == ("@host9", "check")
    done = the_run(cuectl)
    assert (done["status"], done["outcome_state"]) == ("succeeded", "verified_success")


def test_a_forged_result_settles_nothing_and_is_told(cuectl: Cuectl, farm: ScriptedWorkers) -> None:
    a_run(cuectl)
    (key,) = farm.take()
    (farm.folder / "result" / key).write_text("{}")
    said = run_due(cuectl, "02:01:00")

    assert "gave what no worker has signed" in said
    assert the_run(cuectl)["status"] == "running"


def test_the_older_version_may_read_a_home_until_executors_are_defined(
    cuectl: Cuectl, tmp_path: Path
) -> None:
    cuectl.at("2026-11-21T02:00:00Z").run(
        "create", "--name", "x", "--cron", "0 9 * * *", "--", "true"
    )
    before = (cuectl.home / "FORMAT").read_text()
    define(cuectl, ScriptedWorkers(tmp_path / "farm"))

    assert before == "1\n"
    assert (cuectl.home / "FORMAT").read_text() == "2\n"


def test_an_executor_that_nobody_has_defined_is_refused(cuectl: Cuectl) -> None:
    answer = cuectl.run("create", "--name", "x", "--executor", "farm", "--in", "0s", "--", "true")

    answer.fails(
        2, "no executor 'farm' is defined", "define it under 'executors' in ~/.cue/cue.yaml"
    )


def test_two_passes_at_once_settle_a_result_once(
    cuectl: Cuectl, farm: ScriptedWorkers, state: StoreState
) -> None:
    a_run(cuectl)
    farm.work()
    cuectl.programs = program(farm.folder / "programs")
    started = [cuectl.start("run-due") for _ in range(3)]
    for one in started:
        one.communicate(timeout=60)

    assert the_run(cuectl)["status"] == "succeeded"
    assert state.settled_twice() == []


def test_what_one_worker_refuses_goes_to_another_that_has_it(
    cuectl: Cuectl, farm: ScriptedWorkers
) -> None:
    now = farm.clock_ms()
    farm.say("a", seen_ms=now, handlers=["plain"])
    farm.say("b", seen_ms=now, handlers=[])
    farm.say("c", seen_ms=now, handlers=["plain"], labels=["gpu"])
    farm.say("d", seen_ms=now - 600_000, handlers=["plain"])
    a_run(cuectl)
    (message,) = farm.messages()
    farm.refuse(message["key"], "no_handler b")
    run_due(cuectl, "02:00:10")
    after_one = the_run(cuectl)
    run_due(cuectl, "02:00:20")
    farm.refuse(message["key"], "definition a")
    run_due(cuectl, "02:00:30")
    run_due(cuectl, "02:00:40")
    farm.refuse(message["key"], "definition c")
    run_due(cuectl, "02:01:50")
    after_all = the_run(cuectl)

    assert after_one["reason"] == "at farm; b answered: its file has no such handler"
    assert after_all["reason"] == (
        "at farm; no worker has taken it for 1m49s; c answered: its definition differs"
    )
    assert [one["label"] for one in farm.messages()] == [None, "@a", "@c"]
