"""Handlers: what they are told, what they leave, what that makes of their executions."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

START = "2026-11-21T02:00:00Z"


def fire(cuectl: Cuectl, name: str, *words: str) -> None:
    """Start a cue and let a pass run it."""
    assert cuectl.run("fire", name, *words).status == 0
    answer = cuectl.run("run-due")
    assert answer.status == 0, answer


def test_the_seed_runs_as_its_page_says(cuectl: Cuectl, state: StoreState) -> None:
    """Seed 1: its create command, its YAML byte for byte, its handlers with `cuectl chain`."""
    cuectl.files({"cueapi-worker.yaml": SEED_YAML, "audit.py": AUDIT, "check_followup.py": CHECK})
    cuectl.env(ANTHROPIC_API_KEY="sk-ant", GITHUB_TOKEN="ghp-token").at("2026-11-21T06:59:00Z")

    created = cuectl.run(
        "create",
        "--name",
        "nightly-audit",
        "--cron",
        "0 2 * * *",
        "--timezone",
        "America/New_York",
        "--transport",
        "worker",
        "--verification-mode",
        "require_external_id",
        "--payload",
        '{"task": "audit"}',
    )
    assert created.status == 0
    cuectl.at("2026-11-21T07:00:05Z")
    assert cuectl.run("worker", "--once", "--config", "cueapi-worker.yaml").status == 0
    cuectl.at("2026-11-22T06:00:10Z")
    assert cuectl.run("worker", "--once", "--config", "cueapi-worker.yaml").status == 0

    audit, followup = state.executions()
    assert audit["status"] == followup["status"] == "succeeded"
    assert audit["outcome_state"] == "verified_success"
    assert audit["scheduled_for"] == "2026-11-21T07:00:00Z"
    assert audit["result_type"] == "audit_run"
    assert followup["parent_id"] == followup["root_id"] == audit["id"]
    assert followup["payload"]["parent_run_id"] == audit["external_id"] == followup["external_id"]
    assert followup["scheduled_for"] == "2026-11-22T06:00:00Z"
    assert followup["metadata"] == {"still_open": [12]}
    assert followup["summary"] == "1 of 2 issues addressed"


SEED_YAML = """\
handlers:
  audit:
    cmd: "python3 audit.py"
    timeout: 3600
    env:
      ANTHROPIC_API_KEY: "${ANTHROPIC_API_KEY}"
      GITHUB_TOKEN: "${GITHUB_TOKEN}"
 
  check-followup:
    cmd: "python3 check_followup.py"
    timeout: 600
    env:
      GITHUB_TOKEN: "${GITHUB_TOKEN}"
"""  # noqa: W293 - the page has blanks in the line between the handlers

AUDIT = """\
import json, os, subprocess
assert os.environ["GITHUB_TOKEN"] == "ghp-token"
RUN_ID = "run-4711"
payload = {"task": "check-followup", "parent_run_id": RUN_ID, "issues": [11, 12]}
subprocess.run(
    ["cuectl", "chain", "--name", f"check-followup-{RUN_ID}", "--at", "2026-11-22T06:00:00Z",
     "--payload", json.dumps(payload)],
    check=True,
)
with open(os.environ["CUEAPI_OUTCOME_FILE"], "w") as f:
    json.dump({
        "success": True,
        "external_id": RUN_ID,
        "result_url": "https://github.com/org/repo/issues",
        "result_type": "audit_run",
        "summary": "Filed 2 issues, follow-up scheduled for tomorrow",
    }, f)
"""

CHECK = """\
import json
import os

def main():
    payload = json.loads(os.environ["CUEAPI_PAYLOAD"])
    parent_run_id = payload["parent_run_id"]
    issues = payload["issues"]
    still_open = issues[1:]
    with open(os.environ["CUEAPI_OUTCOME_FILE"], "w") as f:
        json.dump({
            "success": True,
            "external_id": parent_run_id,
            "result_type": "audit_followup",
            "summary": f"{len(issues) - len(still_open)} of {len(issues)} issues addressed",
            "metadata": {"still_open": still_open},
        }, f)

if __name__ == "__main__":
    main()
"""


def test_a_handler_is_told_what_it_works_on(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T01:59:00Z")
    payload = {"task": "tell", "größe": 'ein "Wort"'}
    yaml = {"handlers": {"tell": {"cmd": "env -0", "cwd": str(cuectl.work)}}}
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(json.dumps(yaml))
    cuectl.run("create", "--name", "job", "--at", START, "--payload", json.dumps(payload))
    cuectl.at("2026-11-21T02:00:07Z").run("worker", "--once", "--worker-id", "me")

    record = state.one()
    pairs = state.output(record).decode().split("\0")[:-1]
    env = dict(pair.split("=", 1) for pair in pairs)
    assert json.loads(env["CUE_PAYLOAD"]) == payload
    outcome = cuectl.home / "runs" / "2026-11-21" / f"{record['id']}.outcome.json"
    for prefix in ("CUE_", "CUEAPI_"):
        assert env[f"{prefix}EXECUTION_ID"] == record["id"]
        assert env[f"{prefix}CUE_ID"] == record["cue_id"]
        assert env[f"{prefix}CUE_NAME"] == "job"
        assert env[f"{prefix}WORKER_ID"] == "me"
        assert env[f"{prefix}PAYLOAD"] == env["CUE_PAYLOAD"]
        assert env[f"{prefix}OUTCOME_FILE"] == str(outcome)
    assert env["CUE_SCHEDULED_FOR"] == START
    assert env["CUE_ATTEMPT"] == "1"
    assert env["CUE_IDEMPOTENCY_KEY"] == env["CUE_CHAIN_ROOT"] == record["id"]
    assert env["CUE_CHAIN_DEPTH"] == "0"
    assert "CUE_PARENT_ID" not in env
    assert "CUE_PAYLOAD_FILE" not in env
    assert env["CUE_DEADLINE"].startswith("2026-11-21T03:00:0")
    assert env["CUECTL_NOW"].startswith("2026-11-21T02:00:0")
    assert env["PWD"] == str(cuectl.work)


@pytest.mark.parametrize(
    ("exit_code", "outcome", "expected"),
    [
        (0, None, "succeeded reported_success"),
        (0, '{"success": true}', "succeeded reported_success"),
        (0, '{"success": false, "error": "no net"}', "failed reported_failure"),
        (0, '{"external_id": "x"}', "succeeded reported_success"),
        (0, "", "succeeded reported_success"),
        (0, "{half", "succeeded reported_success"),
        (0, "[1, 2]", "succeeded reported_success"),
        (0, '{"success": NaN}', "succeeded reported_success"),
        (7, None, "failed reported_failure"),
        (7, '{"success": true, "external_id": "x"}', "failed reported_failure"),
        (7, '{"success": false}', "failed reported_failure"),
    ],
)
def test_exit_code_and_outcome_file_decide_together(
    cuectl: Cuectl, state: StoreState, exit_code: int, outcome: str | None, expected: str
) -> None:
    script = f"exit {exit_code}"
    if outcome is not None:
        cuectl.files({"outcome": outcome})
        script = f'cp outcome "$CUE_OUTCOME_FILE"; exit {exit_code}'
    cuectl.run("create", "--name", "job", "--shell", script)
    fire(cuectl, "job")

    record = state.one()
    assert f"{record['status']} {record['outcome_state']}" == expected
    assert record["exit_code"] == exit_code
    if outcome is not None and '"external_id"' in outcome:
        assert record["external_id"] == "x"
    if outcome in ("{half", "[1, 2]", '{"success": NaN}'):
        assert record["outcome_problem"]


@pytest.mark.parametrize(
    ("mode", "outcome", "outcome_state"),
    [
        ("require_external_id", '{"success": true, "external_id": "7"}', "verified_success"),
        ("require_external_id", '{"success": true, "external_id": "  "}', "verification_failed"),
        ("require_external_id", None, "verification_failed"),
        ("require_result_url", '{"result_url": "https://x.example/"}', "verified_success"),
        ("require_result_url", '{"success": true}', "verification_failed"),
        ("require_artifacts", '{"artifacts": ["made"]}', "verified_success"),
        ("require_artifacts", '{"artifacts": ["lost"]}', "verification_failed"),
        ("require_artifacts", '{"artifacts": ["old"]}', "verification_failed"),
        ("require_artifacts", '{"artifacts": ["made", "empty"]}', "verification_failed"),
        ("require_artifacts", '{"artifacts": []}', "verification_failed"),
    ],
)
def test_evidence_makes_a_success_believed(
    cuectl: Cuectl, state: StoreState, mode: str, outcome: str | None, outcome_state: str
) -> None:
    cuectl.files({"old": "", "outcome": outcome or ""})
    script = "touch -d '2 days ago' old; echo x > made; touch empty"
    if outcome is not None:
        script += '; cp outcome "$CUE_OUTCOME_FILE"'
    cuectl.run("create", "--name", "job", "--verification-mode", mode, "--shell", script)
    fire(cuectl, "job")

    record = state.one()
    assert (record["status"], record["outcome_state"]) == ("succeeded", outcome_state)
    believed = outcome_state == "verified_success"
    assert state.alerts() == ([] if believed else ["verification_failed"])


@pytest.mark.parametrize(
    ("checker", "expected"), [(0, "verified_success"), (3, "verification_failed")]
)
def test_a_checker_decides(cuectl: Cuectl, state: StoreState, checker: int, expected: str) -> None:
    check = f"sh -c 'echo looked >&2; echo \"$CUE_EXECUTION_ID\" > seen; exit {checker}'"
    cuectl.run("create", "--name", "job", "--verify-command", check, "--shell", "echo work")
    fire(cuectl, "job")

    record = state.one()
    assert (record["status"], record["outcome_state"]) == ("succeeded", expected)
    assert (cuectl.work / "seen").read_text().strip() == record["id"]
    assert state.output(record) == b"work\n"


def test_report_writes_the_outcome_and_adds_up(cuectl: Cuectl, state: StoreState) -> None:
    script = (
        "touch one two;"
        "cuectl report --external-id A --artifact one --metadata n=1 && "
        "cuectl report --success --external-id B --artifact two --metadata m=x --summary done"
    )
    cuectl.run("create", "--name", "job", "--shell", script)
    fire(cuectl, "job")

    record = state.one()
    # The first word counts; the other one is kept beside it, and told.
    assert record["external_id"] == "A"
    said = {"external_id": "B"}
    assert record["later_reports"] == [{"attempt": 1, "via": "report", "said": said}]
    output = cuectl.run("executions", "output", record["id"]).stdout
    assert "'external_id' was reported before" in output
    assert record["artifacts"] == [f"{cuectl.work}/one", f"{cuectl.work}/two"]
    assert record["metadata"] == {"n": 1, "m": "x"}
    assert record["summary"] == "done"
    assert record["success"] is True


def test_a_report_counts_though_its_file_is_gone(cuectl: Cuectl, state: StoreState) -> None:
    script = 'cuectl report --success --external-id A; rm "$CUE_OUTCOME_FILE"'
    cuectl.run("create", "--name", "job", "--shell", script)
    fire(cuectl, "job")

    assert state.one()["external_id"] == "A"


def test_nobody_knows_the_task(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T01:50:00Z")
    created = cuectl.run("create", "--name", "job", "--at", START, "--task", "deploy")
    assert created.status == 0
    assert "no handler is defined for the task 'deploy' yet" in created.stderr

    assert cuectl.at("2026-11-21T02:00:30Z").run("run-due").status == 0
    assert state.ends() == ["pending(no_handler)"]
    assert state.alerts() == []
    assert cuectl.at("2026-11-21T02:14:59Z").run("run-due").status == 0
    assert state.ends() == ["pending(no_handler)"]
    missed = cuectl.at("2026-11-21T02:15:31Z").run("run-due")

    assert missed.status == 0
    assert state.ends() == ["missed(no_handler)"]
    assert state.alerts() == ["missed"]
    assert "found no handler for the task 'deploy'" in missed.stderr
    assert state.cue("job")["status"] == "failed"


def test_whoever_has_the_handler_takes_the_task(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.files({"w.yaml": "handlers:\n  deploy: 'echo ran'\n"}).at("2026-11-21T01:50:00Z")
    cuectl.run("create", "--name", "job", "--at", START, "--task", "deploy")
    cuectl.at("2026-11-21T02:00:30Z").run("run-due")

    # A slow pass made it due a little after the instant at which its clock began.
    worker = cuectl.at("2026-11-21T02:00:50Z").run("worker", "--once", "--config", "w.yaml")
    assert worker.status == 0
    assert state.ends() == ["succeeded"]


def test_after_a_downtime_a_task_still_waits_for_its_handler(
    cuectl: Cuectl, state: StoreState
) -> None:
    """The quarter of an hour begins when a pass first finds nobody, not at the nominal time."""
    cuectl.files({"w.yaml": "handlers:\n  deploy: 'echo ran'\n"}).at("2026-11-21T01:50:00Z")
    cuectl.run("create", "--name", "job", "--at", START, "--task", "deploy")
    cuectl.at("2026-11-21T05:00:00Z").run("run-due")
    assert state.ends() == ["pending(no_handler)"]

    # As above: each process begins its own time at the instant that it is given.
    worker = cuectl.at("2026-11-21T05:00:20Z").run("worker", "--once", "--config", "w.yaml")
    assert worker.status == 0
    assert state.ends() == ["succeeded"]
    assert state.one()["scheduled_for"] == START


def test_an_unset_variable_fails_the_execution_before_it_starts(
    cuectl: Cuectl, state: StoreState
) -> None:
    handler = {"cmd": "touch ran", "cwd": str(cuectl.work), "env": {"TOKEN": "${NO_SUCH_NAME}"}}
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(json.dumps({"handlers": {"job": handler}}))
    cuectl.run("create", "--name", "job", "--task", "job")
    fire(cuectl, "job")

    record = state.one()
    assert record["status"] == "failed"
    assert "NO_SUCH_NAME" in record["reason"]
    assert not (cuectl.work / "ran").exists()


def test_variables_come_from_the_env_file_and_from_defaults(
    cuectl: Cuectl, state: StoreState
) -> None:
    env = {"A": "${FROM_FILE}", "B": "${NOT_SET:-x y}", "C": "${FROM_PASS}"}
    handler = {"cmd": 'echo "$A|$B|$C"', "env": env}
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(json.dumps({"handlers": {"job": handler}}))
    (cuectl.home / "env").write_text("FROM_FILE=file\nFROM_PASS=file\n")
    (cuectl.home / "env").chmod(0o600)
    cuectl.env(FROM_PASS="pass").run("create", "--name", "job", "--task", "job")
    fire(cuectl, "job")

    assert state.output(state.one()) == b"file|x y|pass\n"


@pytest.mark.parametrize("size", [99_000, 101_000, 300_000])
def test_a_large_payload_goes_by_file(cuectl: Cuectl, state: StoreState, size: int) -> None:
    payload = {"text": "ü" * (size // 2)}
    cuectl.files({"payload.json": json.dumps(payload, ensure_ascii=False)})
    script = (
        "import os, json\n"
        "path = os.environ.get('CUE_PAYLOAD_FILE')\n"
        "text = open(path).read() if path else os.environ['CUE_PAYLOAD']\n"
        "assert ('CUE_PAYLOAD' in os.environ) == ('CUEAPI_PAYLOAD' in os.environ) != bool(path)\n"
        "print(bool(path), len(json.loads(text)['text']))\n"
    )
    cuectl.files({"handler.py": script})
    work = ("--payload-file", "payload.json", "--", sys.executable, "handler.py")
    assert cuectl.run("create", "--name", "job", *work).status == 0
    fire(cuectl, "job")

    by_file = size > 100_000
    assert state.output(state.one()).decode() == f"{by_file} {size // 2}\n"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["no-such-program-anywhere"], "command not found"),
        (["./not-executable"], "ermission denied"),
        (["/"], "ermission denied"),
        (["./bad-shebang"], "o such file"),
    ],
)
def test_what_cannot_be_started_fails_with_its_reason(
    cuectl: Cuectl, state: StoreState, words: list[str], reason: str
) -> None:
    cuectl.files({"not-executable": "#!/bin/sh\n", "bad-shebang": "#!/no/such/shell\n"})
    (cuectl.work / "bad-shebang").chmod(0o755)
    cuectl.run("create", "--name", "job", "--", *words)
    cuectl.run("create", "--name", "fine", "--", "true")
    cuectl.run("fire", "fine")
    fire(cuectl, "job")

    assert state.ends("fine") == ["succeeded"]
    record = state.one("job")
    assert record["status"] == "failed"
    assert reason in record["reason"]
    assert record.get("exit_code") is None


def test_a_directory_that_is_gone_fails_the_execution(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--cwd", str(cuectl.work / "gone"), "--", "true")
    fire(cuectl, "job")

    record = state.one()
    assert record["status"] == "failed"
    assert "gone" in record["reason"]


def test_the_payload_is_data_and_never_shell(cuectl: Cuectl, state: StoreState) -> None:
    evil = "'; touch pwned; echo $(touch pwned2) \"`touch pwned3`\\ \n"
    cuectl.run(
        "create",
        "--name",
        "job",
        "--payload",
        json.dumps({"who": evil}),
        "--shell",
        "printf '<%s>' {{ payload.who }}",
    )
    fire(cuectl, "job")

    assert state.output(state.one()).decode() == f"<{evil}>"
    assert not list(cuectl.work.glob("pwned*"))


def test_secrets_are_masked_in_what_is_kept(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.home.mkdir(mode=0o700)
    handler = {
        "cmd": 'echo "token $TOKEN"; cuectl report --success --external-id "id-$TOKEN"',
        "env": {"TOKEN": "${SECRET_TOKEN}"},
    }
    yaml = {"secrets": ["SECRET_TOKEN"], "handlers": {"job": handler}}
    (cuectl.home / "cue.yaml").write_text(json.dumps(yaml))
    cuectl.env(SECRET_TOKEN="hunter2hunter2").run("create", "--name", "job", "--task", "job")
    fire(cuectl, "job")

    record = state.one()
    assert b"hunter2" not in state.output(record)
    assert "hunter2" not in json.dumps(record)
    assert record["external_id"].startswith("id-")
