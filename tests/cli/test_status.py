from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from cuectl.alerts.alerts import raise_alert
from tests.alerts.test_alerts import CUE
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from tests.fixtures.builder import Answer, Cuectl

SCHEMA = Path(__file__).parents[2] / "cuectl" / "schemas" / "status.json"
NOW = "2026-11-21T02:00:00Z"
NEVER = "nothing has ever called 'cuectl run-due' here, so nothing will run by itself"


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at(NOW)


def look(cuectl: Cuectl, *words: str, status: int = 0) -> dict[str, Any]:
    """Return the JSON of a status, which is what the schema says."""
    answer = cuectl.run("status", "--json", *words)
    assert answer.status == status, answer
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(answer.json)
    assert isinstance(answer.json, dict)
    return answer.json


def codes(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["level"], one["code"]) for one in found["findings"]]


def run(cuectl: Cuectl, *words: str) -> Answer:
    answer = cuectl.run(*words)
    assert answer.status == 0, answer
    return answer


def test_a_store_that_is_not_there_yet_reads_as_an_empty_one(cuectl: Cuectl) -> None:
    cuectl.run("status").gives(
        f"state      none yet at {cuectl.home}; the first command that writes creates it\n"
        "✓ 0 cues, none failing\n"
        "last pass  never\n"
        "next       nothing is planned\n"
        "running    nothing\n"
        "ends       no failures in the last 24h\n"
        "\n"
        f"warning: {NEVER}\n"
        "  have cron or a timer call it each minute: cuectl scheduler install\n"
    )
    assert not cuectl.home.exists()


def test_after_a_pass_all_is_well(cuectl: Cuectl) -> None:
    run(cuectl, "create", "--name", "backup", "--cron", "0 3 * * *", "--", "true")
    run(cuectl, "run-due")
    answer = cuectl.at("2026-11-21T02:01:00Z").run("status")
    assert answer.status == 0
    assert answer.stdout == (
        "✓ 1 cue, none failing\n"
        "last pass  1m ago\n"
        "next       backup, in 59m\n"
        "running    nothing\n"
        "ends       no failures in the last 24h\n"
    )
    found = look(cuectl, "--max-age", "5m")
    assert found["level"] == "ok"
    assert found["next_due_at"] == "2026-11-21T03:00:00Z"
    assert 55 < found["last_pass_age_s"] < 65


@pytest.mark.parametrize(
    ("now", "words", "status", "found"),
    [
        ("2026-11-21T02:04:00Z", (), 0, []),
        ("2026-11-21T02:04:00Z", ("--max-age", "5m"), 0, []),
        ("2026-11-21T02:04:00Z", ("--max-age", "3m"), 4, [("problem", "scheduler_late")]),
        ("2026-11-21T02:30:00Z", (), 0, [("warning", "scheduler_late")]),
        ("2026-11-21T03:30:00Z", (), 4, [("problem", "scheduler_late"), ("problem", "overdue")]),
    ],
)
def test_a_scheduler_that_does_not_call_is_found(
    cuectl: Cuectl, now: str, words: tuple[str, ...], status: int, found: list[tuple[str, str]]
) -> None:
    run(cuectl, "create", "--name", "backup", "--cron", "0 3 * * *", "--", "true")
    run(cuectl, "run-due")
    assert codes(look(cuectl.at(now), *words, status=status)) == found


def test_what_is_due_and_not_claimed_yet_comes_next(cuectl: Cuectl) -> None:
    run(cuectl, "create", "--name", "once", "--in", "1m", "--", "true")
    answer = cuectl.at("2026-11-21T02:02:00Z").run("status")
    assert answer.stdout.splitlines()[2] == "next       once, due now"


def test_nobody_ever_called_and_something_is_overdue(cuectl: Cuectl) -> None:
    run(cuectl, "create", "--name", "backup", "--cron", "0 3 * * *", "--", "true")
    assert codes(look(cuectl)) == [("warning", "scheduler_never")]
    look(cuectl, "--max-age", "1h", status=4)
    found = look(cuectl.at("2026-11-21T03:30:00Z"), status=4)
    assert codes(found) == [("problem", "scheduler_never"), ("problem", "overdue")]
    assert found["overdue"] == 1
    assert found["findings"][1]["message"] == "1 cue is overdue since 2026-11-21T03:00:00Z"


def test_the_idle_pass_counts_as_a_call_too(cuectl: Cuectl) -> None:
    del cuectl.environment["CUECTL_NOW"]
    run(cuectl, "run-due")
    beat = cuectl.home / "last-pass"
    long_ago = time.time_ns() - 3_600 * 10**9
    os.utime(beat, ns=(long_ago, long_ago))
    look(cuectl, "--max-age", "10m", status=4)
    run(cuectl, "run-due")
    look(cuectl, "--max-age", "10m")


def test_what_runs_and_what_waits_is_counted(cuectl: Cuectl) -> None:
    script = f"touch {cuectl.work}/started; while [ ! -e {cuectl.work}/go ]; do sleep 0.05; done"
    run(cuectl, "create", "--name", "long", "--shell", script)
    run(cuectl, "create", "--name", "hand", "--verification-mode", "manual", "--", "true")
    run(cuectl, "create", "--name", "nobody", "--task", "unknown")
    for name in ("long", "hand", "nobody"):
        run(cuectl, "fire", name)
    process = cuectl.start("run-due")
    until((cuectl.work / "started").exists, "the long one has started")
    until(lambda: look(cuectl)["verification_pending"] == 1, "the other one waits for a person")
    found = look(cuectl)
    assert [one["cue_name"] for one in found["running"]] == ["long"]
    assert (found["pending"], found["passes"], found["claimed"]) == (1, 1, 0)
    shown = cuectl.run("status").stdout
    assert "\nrunning    1: long " in shown
    assert "\nwaiting    1 pending\n" in shown
    assert shown.startswith("? 1 waiting for you\n  ? hand  to verify for ")
    assert "  cuectl verify hand\n" in shown
    (cuectl.work / "go").touch()
    process.communicate(timeout=60)
    found = look(cuectl)
    assert (found["running"], found["passes"]) == ([], 0)


def test_what_failed_in_the_last_day_is_counted_by_cue(cuectl: Cuectl) -> None:
    run(cuectl, "create", "--name", "bad", "--", "false")
    mode = ("--verification-mode", "require_result_url")
    run(cuectl, "create", "--name", "doubtful", *mode, "--", "true")
    run(cuectl, "create", "--name", "good", "--", "true")
    for name in ("bad", "bad", "doubtful", "good"):
        run(cuectl, "fire", name)
        run(cuectl, "run-due")
    found = look(cuectl, status=4)
    assert found["failed"] == {"bad": 2, "doubtful": 1}
    assert ("warning", "failed") in codes(found)
    found = look(cuectl.at("2026-11-22T02:10:00Z"), status=4)
    assert found["failed"] == {}


def test_what_failed_long_ago_and_not_passed_since_still_fails(cuectl: Cuectl) -> None:
    run(cuectl, "create", "--name", "monthly", "--", "false")
    run(cuectl, "fire", "monthly")
    run(cuectl, "run-due")
    cuectl.at("2026-11-25T02:00:00Z")
    assert [one["cue_name"] for one in look(cuectl, status=4)["failing"]] == ["monthly"]
    assert cuectl.run("status").stdout.startswith("✗ 1 of 1 cue failing\n  ✗ monthly  failed ")


def test_a_failure_that_somebody_has_accepted_is_none_any_more(cuectl: Cuectl) -> None:
    run(cuectl, "create", "--name", "doubtful", "--verification-mode", "manual", "--", "true")
    identity = run(cuectl, "fire", "doubtful").stdout.split()[0]
    run(cuectl, "run-due")
    run(cuectl, "verify", identity, "--reject", "--reason", "not so")
    assert look(cuectl)["failed"] == {"doubtful": 1}
    run(cuectl, "verify", identity, "--reason", "it is, after all")
    assert look(cuectl)["failed"] == {}


def test_open_alerts_are_warnings_and_critical_ones_are_problems(
    cuectl: Cuectl, runtime: Runtime
) -> None:
    theirs = replace(runtime, home=str(cuectl.home))
    now = theirs.now()
    run(cuectl, "run-due")
    for kind, level, status in (
        ("verification_failed", "warning", 0),
        ("consecutive_failures", "problem", 4),
    ):
        with theirs.store.transaction(now) as tx:
            raise_alert(
                tx,
                now,
                type=kind,
                message="'backup' is not well",
                cue=CUE,
                execution_id=None,
                sinks=("stderr",),
                randomness=theirs.random(9),
            )
        assert codes(look(cuectl, status=status))[0] == (level, f"alert_{kind}")
    run(cuectl, "alerts", "ack", "--all")
    assert codes(look(cuectl)) == []


def test_of_many_that_fail_the_first_are_named_and_the_rest_counted(cuectl: Cuectl) -> None:
    cues = "".join(f"  c{number:02}: {{every: 1h, command: ['false']}}\n" for number in range(23))
    cuectl.files({"cue.yaml": f"cues:\n{cues}"})
    cuectl.at("2026-11-21T08:00:00Z").run("apply", "cue.yaml")
    cuectl.at("2026-11-21T09:00:01Z").run("run-due")
    lines = cuectl.run("status").stdout.splitlines()
    assert lines[0] == "✗ 23 of 23 cues failing"
    assert sum(line.startswith("  ✗ c") for line in lines) == 20
    assert lines[21:24] == [
        "  and 3 more: cuectl alerts list",
        "  more: cuectl get CUE",
        "  silence: cuectl alerts ack CUE",
    ]
    assert not [line for line in lines if line.startswith("problem: consecutive")]
    cuectl.run("alerts", "ack", "--all")
    assert "  silence: cuectl alerts ack CUE" not in cuectl.run("status").stdout.splitlines()


def test_a_broken_cue_yaml_is_a_problem_before_and_after_a_pass_has_seen_it(cuectl: Cuectl) -> None:
    run(cuectl, "run-due")
    (cuectl.home / "cue.yaml").write_text("settings:\n  max_paralel: 4\n")
    before = look(cuectl, status=4)
    assert codes(before) == [("problem", "definitions_broken")]
    assert "cue.yaml:2:3: " in before["findings"][0]["message"]
    cuectl.run("run-due")
    after = look(cuectl, status=4)
    assert ("problem", "definitions_broken") in codes(after)
    (cuectl.home / "cue.yaml").write_text("settings:\n  max_parallel: 4\n")
    assert codes(look(cuectl)) == []


def test_what_was_put_aside_as_damaged_is_a_problem(cuectl: Cuectl) -> None:
    run(cuectl, "run-due")
    aside = cuectl.home / "quarantine"
    aside.mkdir(mode=0o700)
    (aside / "cues_cue_x.json").write_text("{")
    found = look(cuectl, status=4)
    assert found["quarantined"] == ["cues_cue_x.json"]
    assert codes(found) == [("problem", "quarantine")]


def test_a_monitor_gets_one_line_with_measurements_and_its_own_exit_statuses(
    cuectl: Cuectl,
) -> None:
    answer = cuectl.run("status", "--nagios", "--max-age", "5m")
    numbers = "running=0 failed=0 missed=0 alerts=0"
    answer.gives(f"CUECTL CRITICAL - {NEVER} | {numbers}\n", status=2)
    answer = cuectl.run("status", "--nagios")
    answer.gives(f"CUECTL WARNING - {NEVER} | {numbers}\n", status=1)
    run(cuectl, "run-due")
    answer = cuectl.at("2026-11-21T02:00:09Z").run("status", "--nagios", "--max-age", "5m")
    assert answer.status == 0
    first, _, measured = answer.stdout.rstrip("\n").partition(" | ")
    assert first.startswith("CUECTL OK - last pass ")
    assert measured.startswith("last_pass_age=")
    assert measured.endswith(f"s;;300 {numbers}")


def test_a_run_by_hand_does_not_hide_that_nothing_calls_us(cuectl: Cuectl) -> None:
    run(cuectl, "create", "--name", "job", "--cron", "0 4 * * *", "--", "true")
    run(cuectl, "fire", "job", "--wait")
    assert cuectl.run("status", "--max-age", "5m").status == 4
    run(cuectl, "run-due")
    assert cuectl.run("status", "--max-age", "5m").status == 0


def test_a_monitor_is_told_when_the_state_cannot_be_read(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "FORMAT").write_text("99\n")
    cuectl.checked = False
    answer = cuectl.run("status", "--nagios")
    assert answer.status == 3
    assert answer.stdout == (
        f"CUECTL UNKNOWN - '{cuectl.home}' has format 99; this cuectl knows 2\n"
    )
    assert cuectl.run("status").status == 9


def test_an_age_that_is_none_is_refused(cuectl: Cuectl) -> None:
    assert cuectl.run("status", "--max-age", "soon").status == 2
