"""Declared secrets: decided on as they are, hidden in all that is kept, shown or told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

SECRET = "hunter2hunter2"
NAMES = "secrets: [TOKEN]\n"


def declared(cuectl: Cuectl, text: str = "", value: str = SECRET) -> None:
    """Declare TOKEN, with a value in the file for handlers."""
    file = cuectl.home / "env"
    cuectl.run("init")
    file.write_text(f"TOKEN={value}\n")
    file.chmod(0o600)
    cuectl.files({"c.yaml": NAMES + text})
    assert cuectl.run("apply", "c.yaml").status == 0


def everywhere(cuectl: Cuectl) -> dict[str, str]:
    """Return what commands say and what is on the disk, but for what is meant to hold secrets."""
    said = {}
    for words in (
        ("executions", "list"), ("log", "-n", "0", "--all"), ("alerts", "list", "--all"),
        ("list",), ("status",), ("events", "list"),
    ):  # fmt: skip
        for form in ((), ("--json",)):
            answer = cuectl.run(*words, *form)
            said[" ".join((*words, *form))] = answer.stdout + answer.stderr
    for identity, name in [
        (one["id"], one["cue_name"]) for one in cuectl.json("executions", "list")
    ]:
        for words in (("executions", "get", identity), ("chain", "show", identity), ("get", name)):
            said[words[0] + words[1]] = (
                cuectl.run(*words).stdout + cuectl.run(*words, "--json").stdout
            )
    for path in cuectl.home.glob("runs/**/*"):
        if path.is_file():
            said[path.name] = path.read_text()
    return said


def assert_hidden(cuectl: Cuectl, secret: str = SECRET) -> None:
    for place, text in everywhere(cuectl).items():
        assert secret not in text, place


@pytest.mark.parametrize("form", ["path", "file-url"])
def test_a_secret_in_the_path_of_an_artifact_changes_no_decision(cuectl: Cuectl, form: str) -> None:
    declared(cuectl, value="kimdev99")
    made = f"{cuectl.work}/kimdev99/out.txt"
    named = made if form == "path" else f"file://{made}"
    script = f"mkdir kimdev99; echo x > {made}; cuectl report --success --artifact {named}"
    mode = ("--verification-mode", "require_artifacts")
    cuectl.run("create", "--name", "job", *mode, "--shell", script)
    cuectl.run("fire", "job")
    said = cuectl.run("run-due").stderr

    (one,) = cuectl.json("executions", "list")
    assert one["outcome_state"] == "verified_success", said
    assert one["artifact_files"][0]["size"] == 2
    (answer,) = cuectl.run("--json", "verify", one["id"], "--recheck").json["rechecked"]
    assert answer["state"] == "same"
    assert_hidden(cuectl, "kimdev99")


def test_a_report_whose_file_is_gone_still_finds_its_artifact(cuectl: Cuectl) -> None:
    declared(cuectl, value="kimdev99")
    script = (
        "mkdir kimdev99; echo x > kimdev99/o; cuectl report --success --artifact kimdev99/o;"
        ' rm "$CUE_OUTCOME_FILE"'
    )
    mode = ("--verification-mode", "require_artifacts")
    cuectl.run("create", "--name", "job", *mode, "--shell", script)
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    assert cuectl.json("executions", "list")[0]["outcome_state"] == "verified_success"


def test_a_secret_number_in_an_answer_changes_no_decision(cuectl: Cuectl) -> None:
    line = {"type": "result", "subtype": "success", "is_error": False, "result": "pin 2048 fine"}
    line |= {"session_id": "s", "usage": {"input_tokens": 2048, "output_tokens": 1}}
    cuectl.files({"say": json.dumps(line) + "\n"})
    agent = f"agents:\n  a: {{driver: claude, cmd: [cat, {cuectl.work}/say], cwd: {cuectl.work}}}\n"
    declared(cuectl, agent, value="2048")
    cuectl.run("create", "--name", "job", "--agent", "a", "--prompt", "x")
    cuectl.run("fire", "job")
    said = cuectl.run("run-due").stderr

    (one,) = cuectl.json("executions", "list")
    assert (one["status"], one["result"]) == ("succeeded", "pin *** fine"), said
    assert one["metadata"]["usage"]["output_tokens"] == 1
    for path in cuectl.home.glob("runs/**/*"):
        assert not path.is_file() or "2048" not in path.read_text(), path


LOUD = 'echo "$TOKEN"; echo "bad $TOKEN" >&2; cuectl report --failure --error "no $TOKEN"'


def told_by(cuectl: Cuectl) -> str:
    """Return a sink that keeps what it gets in the file `told`."""
    told = cuectl.work / "told"
    return f"alerts:\n  default: {{command: [sh, -c, 'cat >> {told}; echo over >> {told}']}}\n"


def what_was_told(cuectl: Cuectl) -> str:
    told = cuectl.work / "told"
    until(lambda: told.exists() and "over" in told.read_text(), "the alert is told")
    return told.read_text()


def test_failure_lines_hide_it(cuectl: Cuectl) -> None:
    handlers = f"handlers:\n  loud: {{cmd: '{LOUD}', env: {{TOKEN: '${{TOKEN}}'}}}}\n"
    declared(cuectl, handlers)
    cuectl.run("create", "--name", "job", "--task", "loud")
    cuectl.run("fire", "job")
    said = cuectl.run("run-due").stderr
    assert "failed: 'job'" in said
    assert "no ***" in said
    assert SECRET not in said
    assert_hidden(cuectl)


def test_alerts_and_what_sinks_get_hide_it(cuectl: Cuectl) -> None:
    declared(cuectl, told_by(cuectl))
    cuectl.at("2026-11-21T02:00:00Z").run("create", "--name", "job", "--task", "x")
    cuectl.run("fire", "job", "--payload", json.dumps({"task": SECRET}))
    cuectl.run("run-due")
    said = cuectl.at("2026-11-21T03:00:00Z").run("run-due")
    (alert,) = cuectl.json("alerts", "list")
    assert alert["message"] == "'job' found no handler for the task '***'"
    told = what_was_told(cuectl)
    assert "***" in told
    assert SECRET not in told + said.stdout + said.stderr
    assert_hidden(cuectl)


def test_notifications_hide_it(cuectl: Cuectl) -> None:
    subscription = (
        "subscriptions:\n"
        "  - {name: n, event: x.y, action: notify, notify: {message: 'here is {{payload.what}}'}}\n"
    )
    declared(cuectl, told_by(cuectl) + subscription)
    cuectl.run("emit", "x.y", "--payload", json.dumps({"what": SECRET}))
    said = cuectl.run("run-due")
    told = what_was_told(cuectl)
    assert "here is ***" in told
    assert SECRET not in told + said.stdout + said.stderr


@pytest.mark.parametrize("given", ["env", "payload", "handler"])
def test_values_that_a_cue_gives_to_a_declared_name_are_hidden(cuectl: Cuectl, given: str) -> None:
    own = "own-secret-value"
    handlers = f"handlers:\n  h: {{cmd: 'echo $TOKEN', env: {{TOKEN: {own}}}}}\n"
    declared(cuectl, handlers if given == "handler" else "")
    words = {
        "env": ("--env", f"TOKEN={own}", "--shell",
                'echo "$TOKEN"; cuectl report --summary "$TOKEN"'),
        "payload": ("--payload", json.dumps({"deep": [{"TOKEN": own}]}), "--shell",
                    'echo "$CUE_PAYLOAD"; cuectl report --summary "$CUE_PAYLOAD"'),
        "handler": ("--task", "h"),
    }[given]  # fmt: skip
    made = cuectl.run("create", "--name", "job", *words)
    assert (made.status, own in made.stdout) == (0, False)
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    (one,) = cuectl.json("executions", "list")
    assert one["status"] == "succeeded"
    if given == "payload":
        assert one["payload"] == {"deep": [{"TOKEN": "***"}]}
    if given == "env":
        assert one["target"]["env"] == {"TOKEN": "***"}
    output = cuectl.run("executions", "output", one["id"]).stdout
    assert "***" in output
    assert_hidden(cuectl, own)


def test_what_a_file_would_change_is_shown_without_it(cuectl: Cuectl) -> None:
    given = "payload: {TOKEN: own-secret-value}, env: {TOKEN: own-2-value}"
    text = f"cues: {{c: {{shell: 'true', {given}}}}}\n"
    cuectl.run("init")
    cuectl.files({"c.yaml": NAMES + text})
    for words in (("diff", "c.yaml"), ("apply", "c.yaml", "--dry-run"), ("apply", "c.yaml")):
        for form in ((), ("--json",)):
            answer = cuectl.run(*words, *form)
            assert "own-" not in answer.stdout + answer.stderr, words
    event = cuectl.run("--json", "emit", "x.y", "--payload", '{"TOKEN": "own-secret-value"}')
    assert event.json["event"]["data"] == {"TOKEN": "***"}
    assert_hidden(cuectl, "own-")


def test_a_retry_gets_what_the_record_hides(cuectl: Cuectl) -> None:
    declared(cuectl)
    script = 'test "$CUE_PAYLOAD" = \'{"TOKEN": "own-secret-value"}\''
    payload = ("--payload", '{"TOKEN": "own-secret-value"}')
    cuectl.run("create", "--name", "job", *payload, "--shell", script)
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    (one,) = cuectl.json("executions", "list")
    cuectl.run("retry", one["id"])
    cuectl.run("run-due")
    assert [each["status"] for each in cuectl.json("executions", "list")] == ["succeeded"] * 2


def test_the_output_of_a_workflow_step_hides_it(cuectl: Cuectl) -> None:
    flow = """\
from cuectl.workflow import workflow


@workflow
async def flow(engine):
    done = await engine.bash('echo "out $TOKEN"; echo "err $TOKEN" >&2')
    await engine.bash('echo "slow $TOKEN"; sleep 60', timeout=2)
    return done.stdout
"""
    cuectl.files({"flows.py": flow})
    cuectl.env(TOKEN=SECRET)
    declared(cuectl, "workflows: [flows.py]\n")
    answer = cuectl.run("workflow", "run", "flow")
    files = [path for path in cuectl.home.glob("runs/**/*") if path.suffix in (".out", ".err")]
    texts = "".join(path.read_text() for path in files)
    assert "out ***" in texts, (answer, files)
    assert "err ***" in texts
    assert "slow ***" in texts
    assert SECRET not in texts
    assert SECRET not in answer.stdout + answer.stderr


@pytest.mark.parametrize("where", ["file", "handler", "cue"])
def test_a_secret_that_is_too_short_is_told(cuectl: Cuectl, where: str) -> None:
    text = "handlers: {h: {cmd: 'true', env: {TOKEN: abc}}}\n" if where == "handler" else ""
    text += "cues: {c: {shell: 'true', payload: {TOKEN: abc}}}\n" if where == "cue" else ""
    cuectl.run("init")
    if where == "file":
        (cuectl.home / "env").write_text("TOKEN=abc\n")
        (cuectl.home / "env").chmod(0o600)
    cuectl.files({"c.yaml": NAMES + text})
    for words in (("validate", "c.yaml"), ("apply", "c.yaml"), ("doctor",)):
        answer = cuectl.run(*words)
        said = answer.stdout + answer.stderr
        assert "the secret 'TOKEN' is too short to be masked in texts" in said, words
        assert "abc" not in said, words


def test_a_secret_that_is_long_enough_is_not_told_of(cuectl: Cuectl) -> None:
    declared(cuectl)
    for words in (("validate", "c.yaml"), ("apply", "c.yaml"), ("doctor",)):
        answer = cuectl.run(*words)
        assert "too short" not in answer.stdout + answer.stderr
