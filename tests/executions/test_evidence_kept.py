"""Nothing that was reported is lost: attempts, later reports, what was not taken, artifacts."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.builder import Answer, Cuectl
    from tests.fixtures.observing import StoreState

NOW = "2026-11-21T02:00:00Z"


def ran(cuectl: Cuectl, script: str, *options: str) -> Answer:
    """Make a cue of a script, and fire it; return what its pass said."""
    cuectl.at(NOW)
    assert cuectl.run("create", "--name", "job", *options, "--shell", script).status == 0
    assert cuectl.run("fire", "job").status == 0
    return cuectl.run("run-due")


def shown(cuectl: Cuectl) -> Any:
    (one,) = cuectl.json("executions", "list", "--cue", "job")
    return one


def test_every_attempt_keeps_its_outcome_and_evidence(cuectl: Cuectl) -> None:
    script = (
        "n=$CUE_ATTEMPT; echo made > made$n; ok=--failure; test $n = 2 && ok=--success;"
        " cuectl report $ok --external-id id$n --summary s$n --artifact made$n --metadata n=$n"
        " --result-url https://x.example/$n"
    )
    ran(cuectl, script, "--retries", "1", "--backoff", "1m")
    cuectl.at("2026-11-21T02:02:00Z").run("run-due")

    one = shown(cuectl)
    first, second = one["attempts"]
    for number, attempt in ((1, first), (2, second)):
        assert attempt["external_id"] == f"id{number}"
        assert (attempt["summary"], attempt["metadata"]) == (f"s{number}", {"n": number})
        assert attempt["result_url"] == f"https://x.example/{number}"
        assert attempt["success"] is (number == 2)
        assert attempt["artifacts"] == [f"{cuectl.work}/made{number}"]
        (file,) = attempt["artifact_files"]
        assert (file["path"], file["size"]) == (f"{cuectl.work}/made{number}", 5)
        assert file["sha256"] == hashlib.sha256(b"made\n").hexdigest()
    assert (first["outcome_state"], second["outcome_state"]) == (
        "reported_failure",
        "reported_success",
    )
    assert one["external_id"] == "id2"
    assert one["created_at"] == one["scheduled_for"]


def test_what_a_second_attempt_does_not_say_is_not_that_of_the_first(cuectl: Cuectl) -> None:
    script = "test $CUE_ATTEMPT = 2 || { cuectl report --failure --external-id one --summary s; }"
    ran(cuectl, script, "--retries", "1", "--backoff", "1m")
    cuectl.at("2026-11-21T02:02:00Z").run("run-due")

    one = shown(cuectl)
    assert (one["status"], one["external_id"], one["summary"]) == ("succeeded", None, None)
    assert one["attempts"][0]["external_id"] == "one"


@pytest.mark.parametrize("checked", [False, True])
def test_a_file_after_a_report_is_kept_beside_it(cuectl: Cuectl, checked: bool) -> None:
    script = (
        "cuectl report --success --external-id first;"
        """ echo '{"success": false, "external_id": "second"}' > "$CUE_OUTCOME_FILE" """
    )
    said = ran(cuectl, script, *(("--verify-command", "true") if checked else ()))

    one = shown(cuectl)
    assert (one["status"], one["external_id"]) == ("succeeded", "first")
    later = {"success": False, "external_id": "second"}
    assert one["later_reports"] == [{"attempt": 1, "via": "file", "said": later}]
    assert "a later report differs from the first one, which counts" in said.stderr


def test_a_report_after_a_file_adds_to_it_and_overrules_nothing(cuectl: Cuectl) -> None:
    script = (
        """echo '{"success": false, "summary": "s"}' > "$CUE_OUTCOME_FILE";"""
        " cuectl report --success --external-id x"
    )
    ran(cuectl, script)

    one = shown(cuectl)
    assert (one["status"], one["summary"], one["external_id"]) == ("failed", "s", "x")
    later = [{"attempt": 1, "via": "report", "said": {"success": True}}]
    assert one["later_reports"] == later


def test_the_same_report_again_is_no_other_one(cuectl: Cuectl) -> None:
    ran(cuectl, "cuectl report --success --external-id x; cuectl report --external-id x")
    assert shown(cuectl)["later_reports"] == []


def test_a_report_on_what_is_over_is_kept_and_told(cuectl: Cuectl, state: StoreState) -> None:
    ran(cuectl, "cuectl report --failure --external-id x")
    identity = shown(cuectl)["id"]
    failures = state.cue("job")
    answer = cuectl.run("report", "--success", "--execution", identity)

    assert answer.status == 6
    assert f"'{identity}' takes no report: it is over" in answer.stderr
    assert "it is kept beside the outcome" in answer.stderr
    one = shown(cuectl)
    assert (one["status"], one["success"], one["rev"]) == ("failed", False, 1)
    assert one["later_reports"][0]["said"] == {"success": True}
    # Nothing follows from it: neither a failure more, nor an alert.
    assert state.cue("job") == failures


LEFTOVER = """\
if [ $CUE_ATTEMPT = 1 ]; then
    env > first
    exit 1
fi
test -e first || exit 2
(
    . ./first.sh
    cuectl report --success --external-id leftover
    echo "answer $?"
)
cuectl report --success --external-id own
"""


def test_a_leftover_of_the_first_attempt_does_not_report_for_the_second(cuectl: Cuectl) -> None:
    ran(cuectl, LEFTOVER, "--retries", "1", "--backoff", "1m")
    env = (cuectl.work / "first").read_text().splitlines()
    kept = ("CUE_OUTCOME_FILE=", "CUEAPI_OUTCOME_FILE=", "CUE_EXECUTION_ID=", "CUE_ATTEMPT=")
    lines = [f"export {line}\n" for line in env if line.startswith(kept)]
    (cuectl.work / "first.sh").write_text("".join(lines))
    cuectl.at("2026-11-21T02:02:00Z").run("run-due")

    one = shown(cuectl)
    assert (one["attempt"], one["external_id"]) == (2, "own")
    said = {"success": True, "external_id": "leftover"}
    assert one["later_reports"] == [{"attempt": 1, "via": "report", "said": said}]
    output = cuectl.run("executions", "output", one["id"]).stdout
    assert "takes no report: its attempt 1 is over" in output
    assert "answer 6" in output


def test_a_child_that_reports_after_its_handler_is_the_report_that_is_waited_for(
    cuectl: Cuectl,
) -> None:
    ran(cuectl, "env > first", "--outcome-deadline", "10m")
    lines = (cuectl.work / "first").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if line.startswith("CUE_"))
    answer = cuectl.env(**env).run("report", "--success", "--external-id", "late")
    assert answer.status == 0, answer

    one = shown(cuectl)
    assert (one["status"], one["external_id"]) == ("succeeded", "late")


def test_a_late_report_does_not_wipe_earlier_evidence(cuectl: Cuectl, state: StoreState) -> None:
    script = "cuectl report --external-id early; until [ -e go ]; do sleep 0.02; done"
    cuectl.at(NOW).run("create", "--name", "job", "--shell", script)
    cuectl.run("fire", "job")
    process = cuectl.start("run-due")
    until(lambda: state.of_type("execution.reported"), "the handler has reported")
    identity = state.executions()[0]["id"]
    words = ("--result-url", "https://x.example/", "--external-id", "other")
    answer = cuectl.run("report", "--execution", identity, *words)
    (cuectl.work / "go").touch()
    process.communicate(timeout=60)

    assert "'external_id' was reported before" in answer.stderr
    one = shown(cuectl)
    assert (one["external_id"], one["result_url"]) == ("early", "https://x.example/")
    assert one["later_reports"][0]["said"] == {"external_id": "other"}


def test_what_an_outcome_file_loses_is_said(cuectl: Cuectl) -> None:
    outcome = {"success": True, "external_id": "x" * 501, "result_url": 5, "summary": "kept"}
    cuectl.files({"o": json.dumps(outcome)})
    said = ran(cuectl, 'cp o "$CUE_OUTCOME_FILE"')

    one = shown(cuectl)
    dropped = ["external_id: longer than 500 characters (501)", "result_url: not a string"]
    assert (one["summary"], one["outcome_dropped"]) == ("kept", dropped)
    for reason in dropped:
        assert f"outcome of 'job' ({one['id']}): not taken: {reason}" in said.stderr


def test_bytes_are_counted_as_they_are_and_not_as_escapes(cuectl: Cuectl) -> None:
    outcome = json.dumps({"metadata": {"a": "é" * 5000}}, ensure_ascii=False)
    cuectl.files({"o": outcome})
    ran(cuectl, 'cp o "$CUE_OUTCOME_FILE"')
    assert shown(cuectl)["metadata"] == {"a": "é" * 5000}


def test_nothing_is_made_up(cuectl: Cuectl) -> None:
    ran(cuectl, "true")
    assert (shown(cuectl)["result"], shown(cuectl)["error"]) == (None, None)
    cuectl.run("create", "--name", "bad", "--shell", "exit 3")
    cuectl.run("fire", "bad")
    cuectl.run("run-due")
    (bad,) = cuectl.json("executions", "list", "--cue", "bad")
    assert (bad["error"], bad["reason"]) == (None, "exit status 3")


def test_what_was_printed_keeps_its_last_newline(cuectl: Cuectl) -> None:
    ran(cuectl, "printf '  two\\nlines\\n'")
    assert shown(cuectl)["result"] == "  two\nlines\n"


@pytest.mark.parametrize(
    ("policy", "state"),
    [("{mode: require_artifacts}", "verification_failed"),
     ("{mode: require_artifacts, allow_empty: true}", "verified_success")],
)  # fmt: skip
def test_an_empty_file_is_an_artifact_where_the_cue_says_so(
    cuectl: Cuectl, policy: str, state: str
) -> None:
    text = f"""\
cues:
  job:
    shell: ': > made; cuectl report --artifact made'
    verification: {policy}
"""
    cuectl.files({"c.yaml": text})
    assert cuectl.at(NOW).run("apply", "c.yaml").status == 0
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    one = shown(cuectl)
    assert one["outcome_state"] == state, one["reason"]
    if state == "verification_failed":
        assert one["reason"] == f"artifact '{cuectl.work}/made' is empty"
    again = cuectl.run("diff", "c.yaml")
    assert (again.status, again.stderr) == (0, "")


def test_empty_artifacts_are_allowed_on_the_command_line_too(cuectl: Cuectl) -> None:
    mode = ("--verification-mode", "require_artifacts", "--allow-empty")
    ran(cuectl, ": > made; cuectl report --artifact made", *mode)
    assert shown(cuectl)["outcome_state"] == "verified_success"
    bare = cuectl.run("create", "--name", "x", "--allow-empty", "--", "true")
    assert bare.status == 2
    assert "goes with the verification mode 'require_artifacts'" in bare.stderr
    other = cuectl.json("update", "job", "--verification-mode", "manual")
    assert other["policy"]["allow_empty"] is False


def test_a_recheck_tells_whether_artifacts_are_still_the_same(cuectl: Cuectl) -> None:
    script = "echo 1 > a; echo 2 > b; echo 3 > c; cuectl report"
    ran(cuectl, script + "".join(f" --artifact {name}" for name in "abc"))
    identity = shown(cuectl)["id"]
    same = cuectl.run("verify", identity, "--recheck")
    assert (same.status, same.stdout.split()[::2]) == (0, ["same"] * 3)
    (cuectl.work / "b").write_text("4\n")
    (cuectl.work / "c").unlink()
    answer = cuectl.run("--json", "verify", identity, "--recheck")
    assert answer.status == 4
    assert [one["state"] for one in answer.json["rechecked"]] == ["same", "changed", "gone"]
    assert shown(cuectl)["rev"] == 0


def test_a_recheck_needs_local_files_and_gives_no_verdict(cuectl: Cuectl) -> None:
    ran(cuectl, "true")
    identity = shown(cuectl)["id"]
    bare = cuectl.run("verify", identity, "--recheck")
    assert (bare.status, "has no local files" in bare.stderr) == (6, True)
    assert cuectl.run("verify", identity, "--recheck", "--reject").status == 2


def test_a_second_verdict_does_not_erase_the_first(cuectl: Cuectl) -> None:
    ran(cuectl, "true", "--verification-mode", "manual")
    identity = shown(cuectl)["id"]
    cuectl.run("verify", identity, "--reject", "--reason", "not so")
    cuectl.run("verify", identity, "--reason", "so it is")

    one = shown(cuectl)
    assert (one["outcome_state"], one["verify_reason"]) == ("verified_success", "so it is")
    first = {"outcome_state": "verification_failed", "by": "person", "reason": "not so"}
    assert one["earlier_verdicts"] == [first]


def test_evidence_over_a_bad_state_is_refused(cuectl: Cuectl) -> None:
    ran(cuectl, "exit 1")
    assert cuectl.run("verify", shown(cuectl)["id"]).status == 6


def open_ones(cuectl: Cuectl) -> list[str]:
    return [path.name for path in (cuectl.home / "open").iterdir()]


def test_an_interruption_is_told_again_once_a_run_has_worked(
    cuectl: Cuectl, state: StoreState
) -> None:
    script = "test -e well && exit 0; kill -9 $PPID; exec sleep 0.1"
    cuectl.run("create", "--name", "job", "--shell", script)

    def run() -> str:
        cuectl.run("fire", "job")
        cuectl.run("run-due")
        until(lambda: cuectl.run("run-due").status == 0 and not open_ones(cuectl), "it is over")
        return str(state.executions("job")[-1]["status"])

    assert run() == "interrupted"
    (cuectl.work / "well").touch()
    assert run() == "succeeded"
    (cuectl.work / "well").unlink()
    assert run() == "interrupted"
    assert state.alerts() == ["interrupted", "recovered", "interrupted"]
