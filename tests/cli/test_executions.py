"""`executions list`, `get` and `output`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.cli.commands.execution_list import OUTCOME_STATES, STATUSES
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verification import OutcomeState
from tests.cli.past import fire, make_past
from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


def names(cuectl: Cuectl, *filters: str) -> list[str]:
    """Return the cues of the executions that are found, in the order of the answer."""
    found: list[dict[str, Any]] = cuectl.json("executions", "list", *filters)
    assert_fits(found, "executions")
    return [record["cue_name"] for record in found]


def test_what_has_happened_is_listed_newest_first(cuectl: Cuectl) -> None:
    make_past(cuectl)

    found = names(cuectl)

    assert set(found[:2]) == {"check", "tidy"}
    assert found[2] == "forgetful"
    assert set(found[3:]) == {"audit", "mourn"}
    assert names(cuectl, "--limit", "1") == found[:1]
    assert names(cuectl, "-n", "0") == found


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (("--cue", "audit"), {"audit"}),
        (("--status", "failed"), {"forgetful"}),
        (("--status", "failed", "--status", "skipped"), {"forgetful", "mourn"}),
        (("--outcome-state", "reported_failure"), {"forgetful"}),
        (("--result-type", "audit_run", "--result-type", "audit_followup"), {"audit", "check"}),
        (("--parent-run-id", "run-7"), {"check"}),
        (("--has-evidence",), {"audit", "check"}),
        (("--triggered-by", "fire"), {"audit", "forgetful"}),
        (("--triggered-by", "manual_fire"), {"audit", "forgetful"}),
        (("--triggered-by", "chain"), {"check", "tidy", "mourn"}),
        (("--payload", "issues.1=12"), {"check"}),
        (("--payload", "issues=[11,12]"), {"check"}),
        (("--metadata", "still_open=2"), {"audit"}),
        (("--since", "2026-11-22"), {"check"}),
        (("--until", "2026-11-22", "--status", "succeeded"), {"audit", "tidy"}),
        (("--status", "running"), set()),
    ],
)
def test_each_filter_finds_what_it_says(
    cuectl: Cuectl, filters: tuple[str, ...], expected: set[str]
) -> None:
    make_past(cuectl)

    assert set(names(cuectl, *filters)) == expected


def test_a_chain_is_found_by_its_parent_and_by_its_root(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    assert set(names(cuectl, "--parent-run-id", ids["audit"])) == {"check", "tidy", "mourn"}
    assert set(names(cuectl, "--root", ids["audit"])) == {"audit", "check", "tidy", "mourn"}


def test_executions_of_a_deleted_cue_are_found_by_its_name_and_id(cuectl: Cuectl) -> None:
    make_past(cuectl)
    cue_id = cuectl.json("get", "forgetful")["id"]
    assert cuectl.run("delete", "forgetful", "--yes").status == 0

    assert names(cuectl, "--cue", "forgetful") == ["forgetful"]
    assert names(cuectl, "--cue", cue_id) == ["forgetful"]
    assert names(cuectl, "--cue", cue_id[:8]) == ["forgetful"]


def test_a_cue_that_never_was_is_an_error_and_one_that_never_ran_is_not(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "backup", "--", "true")

    cuectl.run("executions", "list", "--cue", "bakup").fails(
        5, "no cue named 'bakup'", "did you mean 'backup'? all names: cuectl list"
    )
    cuectl.run("executions", "list", "--cue", "backup").gives(stderr="no executions match\n")
    assert cuectl.json("executions", "list", "--cue", "backup") == []


def test_a_home_that_is_not_there_has_no_executions(cuectl: Cuectl) -> None:
    assert cuectl.json("executions", "list") == []
    assert not cuectl.home.exists()
    answer = cuectl.run("executions", "get", "exec_01m7xz0v20")
    assert answer.status == 5


def test_what_waits_and_what_runs_comes_first(cuectl: Cuectl) -> None:
    make_past(cuectl)
    cuectl.run("create", "--name", "slow", "--", "sleep", "60")
    cuectl.run("fire", "slow")
    assert names(cuectl, "--status", "pending") == ["slow"]

    passing = cuectl.start("run-due")
    try:
        from tests.fixtures.observing import until

        (running,) = until(lambda: cuectl.json("executions", "list", "--status", "running"))
        assert (running["cue_name"], running["reason"]) == ("slow", None)
        assert running["started_at"].startswith("2026-11-22T02:00:")
        assert names(cuectl)[0] == "slow"
        shown = cuectl.json("executions", "get", running["id"])
        assert shown["status"] == "running"
        assert shown["output_path"].endswith(f"{running['id']}.out")
    finally:
        passing.terminate()
        passing.communicate()


def test_a_line_for_people_has_the_most_telling_things(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    answer = cuectl.run("executions", "list", "--status", "failed")

    heading, line = answer.stdout.splitlines()
    assert heading.split() == ["RUN", "RESULT", "WHEN", "TOOK", "EVIDENCE", "NOTE", "ID"]
    assert line.startswith("✗ forgetful  failed  1d ago  ")
    assert line.endswith(ids["forgetful"][-6:])
    answer = cuectl.run("executions", "list", "--status", "failed", "--time", "abs", "-v")
    assert "  Sat 21 Nov 02:00 UTC  " in answer.stdout
    assert ids["forgetful"] in answer.stdout


def test_plain_rows_have_the_keys_of_the_record(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    rows = cuectl.run("executions", "list", "--cue", "audit", "--plain").stdout.splitlines()

    found = dict(zip(rows[0].split("\t"), rows[1].split("\t"), strict=True))
    assert found["id"] == ids["audit"]
    assert found["scheduled_for"] == "2026-11-21T02:00:00Z" or "." in found["scheduled_for"]
    assert found["external_id"] == "run-7"


def test_get_shows_evidence_and_times(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    view = cuectl.json("executions", "get", ids["audit"])
    text = cuectl.run("executions", "get", ids["audit"]).stdout

    assert_fits(view, "execution")
    assert view["external_id"] == "run-7"
    assert view["metadata"] == {"still_open": 2}
    assert text.startswith(f"✓ audit  passed  {ids['audit']}\n")
    assert "\nexternal id:  run-7\n" in text
    assert "\nwhy:          Filed 3 issues\n" in text


def test_the_start_of_an_id_is_enough_while_it_is_the_only_one(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)
    whole = ids["audit"]

    assert cuectl.json("executions", "get", whole[:-3])["id"] == whole
    answer = cuectl.run("executions", "get", whole[:9])
    assert answer.status == 5
    assert f"'{whole[:9]}' is ambiguous: exec_" in answer.stderr


def test_a_near_id_is_suggested(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)
    wrong = ids["audit"][:-1] + ("0" if ids["audit"][-1] != "0" else "1")

    cuectl.run("executions", "get", wrong).fails(
        5,
        f"no execution '{wrong}'",
        f"did you mean '{ids['audit']}'? all executions: cuectl executions list",
    )


@pytest.mark.parametrize("ref", ["", "audit", "exec_", "exec_../../x", "exec_\n\x1b[31m", "cue_a"])
def test_what_is_no_id_is_not_found(cuectl: Cuectl, ref: str) -> None:
    answer = cuectl.run("executions", "get", ref)

    assert answer.status == 5
    assert "\x1b" not in answer.stderr


# --- output -----------------------------------------------------------------------------------


def test_output_is_safe_for_a_terminal(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    cuectl.run("executions", "output", ids["forgetful"]).gives("one\ntwo\\x1b[31m red\nthree\n")


def test_raw_output_is_what_was_written(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    cuectl.run("executions", "output", ids["forgetful"], "--raw").gives(
        "one\ntwo\x1b[31m red\nthree\n"
    )


@pytest.mark.parametrize(
    ("count", "expected"), [("0", ""), ("1", "three\n"), ("2", "two\\x1b[31m red\nthree\n")]
)
def test_the_tail_is_the_last_lines(cuectl: Cuectl, count: str, expected: str) -> None:
    ids = make_past(cuectl)

    cuectl.run("executions", "output", ids["forgetful"], "--tail", count).gives(expected)


def test_output_as_json(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    answer = cuectl.json("executions", "output", ids["forgetful"])

    assert_fits(answer, "executions-output")
    assert answer["files"][0]["text"] == "one\ntwo\x1b[31m red\nthree\n"


def test_each_attempt_has_its_output(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T02:00:00Z")
    cuectl.run(
        *("create", "--name", "again", "--retries", "1", "--backoff", "1m"),
        *("--shell", "echo attempt $CUE_ATTEMPT; exit 1"),
    )
    identity = fire(cuectl, "again")
    waiting = cuectl.json("executions", "get", identity)
    assert (waiting["status"], waiting["attempt"], len(waiting["attempts"])) == ("waiting", 2, 1)
    cuectl.run("executions", "output", identity).gives("attempt 1\n")

    cuectl.at("2026-11-21T02:02:00Z").run("run-due")

    cuectl.run("executions", "output", identity).gives("attempt 2\n")
    cuectl.run("executions", "output", identity, "--attempt", "1").gives("attempt 1\n")
    cuectl.run("executions", "output", identity, "--attempt", "3").fails(
        5, f"'{identity}' has no attempt 3; its newest is 2"
    )
    assert len(cuectl.json("executions", "get", identity)["attempts"]) == 2
    assert "attempt 1  " in cuectl.run("executions", "get", identity).stdout


def test_what_never_started_has_no_output(cuectl: Cuectl) -> None:
    make_past(cuectl)
    (mourn,) = cuectl.json("executions", "list", "--cue", "mourn")

    cuectl.run("executions", "output", mourn["id"]).fails(
        5, f"'{mourn['id']}' has no output: it never started (skipped)"
    )


def test_output_that_is_no_longer_kept_is_told(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)
    (path,) = cuectl.home.glob(f"runs/*/{ids['forgetful']}.out")
    path.unlink()

    answer = cuectl.run("executions", "output", ids["forgetful"])

    assert answer.status == 5
    assert "is no longer kept" in answer.stderr
    assert cuectl.json("executions", "get", ids["forgetful"])["output_path"] is None


def test_declared_secrets_are_masked(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T02:00:00Z")
    cuectl.run("create", "--name", "leaky", "--shell", "echo token $TOKEN; sleep 60")
    cuectl.env(TOKEN="s3cret-value")
    cuectl.home.joinpath("cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.run("fire", "leaky")
    passing = cuectl.start("run-due")
    try:
        from tests.fixtures.observing import until

        # While it runs its file cannot be rewritten; what is shown of it is masked all the same.
        (running,) = until(lambda: cuectl.json("executions", "list", "--status", "running"))
        shown = until(lambda: cuectl.run("executions", "output", running["id"]).stdout)
        assert shown == "token ***\n"
        cuectl.run("executions", "output", running["id"], "--raw").gives("token ***\n")
        cuectl.run("executions", "output", running["id"], "--tail", "1").gives("token ***\n")
    finally:
        passing.terminate()
        passing.communicate()


def test_a_record_that_can_not_be_read_is_shown_from_the_journal(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "later", "--", "true")
    (fired,) = [cuectl.run("--json", "fire", "later").json["id"]]
    (cuectl.home / "waiting" / f"{fired}.json").write_bytes(b"\x00")

    answer = cuectl.run("executions", "get", fired)

    assert answer.status == 0
    assert "is damaged (not JSON); the journal has it" in answer.stderr
    cuectl.checked = False


def test_the_words_of_the_options_are_those_of_the_model() -> None:
    assert set(STATUSES) == {one.value for one in ExecutionStatus}
    assert set(OUTCOME_STATES) == {one.value for one in OutcomeState}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--status", "done"), "option '--status': 'done' is not known"),
        (("--outcome-state", "ok"), "option '--outcome-state': 'ok' is not known"),
        (("--triggered-by", "cron"), "option '--triggered-by': 'cron' is not known"),
        (("--payload", "task"), "option '--payload': 'task' is not KEY=VALUE"),
        (("--limit", "-1"), "option '--limit': -1 is less than 0"),
        (("--cue", ""), "option '--cue': the value is empty"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(
    cuectl: Cuectl, words: tuple[str, ...], message: str
) -> None:
    answer = cuectl.run("executions", "list", *words)

    assert answer.status == 2
    assert answer.stderr.startswith(f"cuectl: error: {message}")


def test_a_chain_is_found_by_any_execution_in_it(cuectl: Cuectl) -> None:
    make_past(cuectl)
    (root,) = cuectl.json("executions", "list", "--cue", "audit")
    (child,) = cuectl.json("executions", "list", "--cue", "check")
    assert child["root_id"] == root["id"]
    assert names(cuectl, "--root", child["id"]) == names(cuectl, "--root", root["id"])
    assert names(cuectl, "--root", root["id"], "--status", "running") == []


@pytest.mark.parametrize("ref", ["NOPE", "exec_0000000000000000000000ab"])
def test_a_chain_that_never_was_is_said(cuectl: Cuectl, ref: str) -> None:
    """Regression: `executions list --root NOPE` answered 0 and nothing, as for a quiet chain."""
    cuectl.run("executions", "list", "--root", ref).fails(
        5, f"no execution '{ref}'", "all executions: cuectl executions list"
    )


def test_a_span_of_time_that_ends_before_it_begins_is_refused(cuectl: Cuectl) -> None:
    cuectl.run("executions", "list", "--since", "2026-11-22", "--until", "2026-11-21").fails(
        2, "'--until 2026-11-21' is not after '--since 2026-11-22'"
    )
