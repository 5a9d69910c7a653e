"""Alerts from a pass to their sinks, with real processes."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.observing import until
from tests.fixtures.receiver import Receiver

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"


def definitions(cuectl: Cuectl, script: str) -> None:
    """Let the sink `ops` run a script with the alert's message as its argument."""
    argv = ["sh", "-c", f"cd {cuectl.work}; {script}", "ops", "{{ alert.message }}"]
    cuectl.home.mkdir(mode=0o700, exist_ok=True)
    (cuectl.home / "cue.yaml").write_text(json.dumps({"alerts": {"ops": {"command": argv}}}))


def failing_cue(cuectl: Cuectl, name: str = "backup") -> None:
    """Make a cue whose runs show no evidence, and let it be run."""
    mode = ("--verification-mode", "require_external_id")
    created = cuectl.run("create", "--name", name, *mode, "--alert", "ops", "--", "true")
    assert created.status == 0, created
    assert cuectl.run("fire", name).status == 0


def the_alert(cuectl: Cuectl) -> dict[str, Any]:
    (alert,) = (a for a in cuectl.json("alerts", "list") if a["type"] == "verification_failed")
    assert isinstance(alert, dict)
    return alert


def delivery_is_over(cuectl: Cuectl) -> bool:
    """Tell whether no process holds the lock of deliveries."""
    from cuectl.alerts.delivery import LOCK_NAME
    from cuectl.store import home

    return not home.is_held(f"{cuectl.home}/{LOCK_NAME}")


def test_a_pass_starts_the_delivery_and_does_not_wait_for_it(cuectl: Cuectl) -> None:
    definitions(cuectl, 'echo "$1" > part; mv part got; while [ -e got ]; do sleep 0.05; done')
    failing_cue(cuectl.at(START))
    answer = cuectl.run("run-due")
    assert answer.status == 0
    got = cuectl.work / "got"
    until(got.exists)
    # The pass is over, and the sink is still at work.
    assert the_alert(cuectl)["delivered"]["ops"]["status"] == "pending"
    got.unlink()
    until(lambda: the_alert(cuectl)["delivered"]["ops"]["status"] == "delivered")
    until(lambda: delivery_is_over(cuectl))


def test_a_delivery_that_is_killed_in_the_middle_comes_later_and_nothing_is_lost(
    cuectl: Cuectl,
) -> None:
    # The first time, the sink kills the process that delivers.
    definitions(cuectl, 'echo "$1" >> got; [ -e second ] || { touch second; kill -9 $PPID; }')
    failing_cue(cuectl.at(START))
    cuectl.run("run-due")
    got = cuectl.work / "got"
    until(lambda: (cuectl.work / "second").exists() and delivery_is_over(cuectl))
    delivery = the_alert(cuectl)["delivered"]["ops"]
    assert delivery == {
        "status": "pending",
        "tries": 1,
        "next_at": delivery["next_at"],
        "error": "the delivery did not come to an end",
    }
    assert cuectl.at("2026-11-21T02:00:30Z").json("deliver")["delivered"] == 0
    # The next pass after a minute starts it again.
    cuectl.at("2026-11-21T02:02:00Z").run("run-due")
    until(lambda: the_alert(cuectl)["delivered"]["ops"]["status"] == "delivered")
    until(lambda: delivery_is_over(cuectl))
    lines = got.read_text().splitlines()
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert cuectl.json("deliver") == {
        "delivered": 0,
        "pinged": 0,
        "failed": 0,
        "put_off": 0,
        "running": False,
    }


@pytest.mark.parametrize("number", range(3))
def test_wherever_a_delivery_is_killed_the_alert_arrives_in_the_end(
    cuectl: Cuectl, number: int
) -> None:
    definitions(cuectl, 'echo "$1" >> got')
    failing_cue(cuectl.at(START))
    held = hold_delivery(cuectl)
    cuectl.run("run-due")
    os.close(held)
    process = cuectl.at("2026-11-21T02:00:10Z").start("deliver")
    with suppress(subprocess.TimeoutExpired):
        process.wait(number * 0.1)
    process.kill()
    process.communicate()
    for minute in (2, 8, 30):
        cuectl.at(f"2026-11-21T02:{minute:02}:00Z").run("deliver")
    assert the_alert(cuectl)["delivered"]["ops"]["status"] == "delivered"
    assert len((cuectl.work / "got").read_text().splitlines()) in (1, 2)


def hold_delivery(cuectl: Cuectl) -> int:
    """Keep passes from starting a delivery, until the descriptor is closed."""
    from cuectl.alerts.delivery import LOCK_NAME
    from cuectl.store import home

    return home.acquire(f"{cuectl.home}/{LOCK_NAME}", 0)


def test_two_deliveries_at_once_hand_an_alert_over_once(cuectl: Cuectl) -> None:
    definitions(cuectl, 'echo "$1" >> got')
    failing_cue(cuectl.at(START))
    held = hold_delivery(cuectl)
    cuectl.run("run-due")
    os.close(held)
    cuectl.at("2026-11-21T02:00:10Z")
    processes = [cuectl.start("deliver") for _ in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    assert len((cuectl.work / "got").read_text().splitlines()) == 1


def test_a_sink_that_fails_is_told_of_on_the_standard_error_of_the_next_pass(
    cuectl: Cuectl,
) -> None:
    definitions(cuectl, "exit 3")
    failing_cue(cuectl.at(START))
    cuectl.run("run-due")
    until(lambda: bool(the_alert(cuectl)["delivered"]["ops"]["error"]))
    until(lambda: delivery_is_over(cuectl))
    answer = cuectl.at("2026-11-21T02:00:10Z").run("run-due")
    line = "alert: delivery_failed: sink 'ops' does not get its alerts: it ended with exit status 3"
    assert answer.stderr == f"cuectl: {line}\n"
    assert cuectl.run("run-due").stderr == ""
    status = cuectl.run("status", "--json")
    assert status.status == 4
    codes = [finding["code"] for finding in status.json["findings"]]
    assert codes[0] == "alert_delivery_failed"
    assert "alerts_waiting" in codes


def test_a_webhook_on_this_machine_gets_what_a_file_allows_with_no_secret_in_it(
    cuectl: Cuectl,
) -> None:
    """From the file to the receiver: the signature holds, and a declared secret is nowhere."""
    with Receiver() as receiver:
        cuectl.home.mkdir(mode=0o700)
        hook = {"webhook": f"{receiver.url}/hook", "secret_file": "signing", "allow_private": True}
        handler = {
            "cmd": 'echo "$TOKEN"; cuectl report --success --summary "said $TOKEN" '
            '--metadata "key=$TOKEN"',
            "env": {"TOKEN": "${TOKEN}"},
        }
        yaml = {"secrets": ["TOKEN"], "handlers": {"job": handler}, "alerts": {"default": hook}}
        (cuectl.home / "cue.yaml").write_text(json.dumps(yaml))
        (cuectl.home / "signing").write_text("s3cret-of-the-hook\n")
        (cuectl.home / "signing").chmod(0o600)
        cuectl.env(TOKEN="hush-hush-4711").run(
            *("create", "--name", "job", "--task", "job"),
            *("--verification-mode", "require_external_id"),
        )
        cuectl.run("fire", "job")
        assert cuectl.run("run-due").status == 0
        until(lambda: len(receiver.requests) == 1)
        until(lambda: delivery_is_over(cuectl))

    (request,) = receiver.requests
    assert json.loads(request.body)["alert_type"] == "verification_failed"
    stamp = request.headers["X-CueAPI-Timestamp"].encode()
    expected = hmac.new(b"s3cret-of-the-hook", stamp + b"." + request.body, hashlib.sha256)
    assert request.headers["X-CueAPI-Signature"] == f"v1={expected.hexdigest()}"
    assert b"hush" not in request.body

    (one,) = cuectl.json("executions", "list")
    assert (one["summary"], one["metadata"]) == ("said ***", {"key": "***"})
    for words in (
        ("executions", "list", "--json"),
        ("executions", "list"),
        ("executions", "get", one["id"]),
        ("executions", "output", one["id"]),
        ("chain", "show", one["id"]),
        ("log", "--json"),
        ("log",),
        ("alerts", "list", "--json"),
    ):
        assert "hush" not in cuectl.run(*words).stdout, words
    kept = [path for path in cuectl.home.rglob("*") if path.is_file()]
    assert [path for path in kept if b"hush-hush" in path.read_bytes()] == []


def test_a_secret_that_is_reported_over_http_is_kept_nowhere(cuectl: Cuectl) -> None:
    """Regression: a report, and an outcome that was posted, stood in the journal in clear."""
    script = (
        "import json, os, urllib.request\n"
        "of = os.environ\n"
        "body = {'success': True, 'external_id': of['TOKEN'], 'metadata': {of['TOKEN']: 1}}\n"
        "where = of['CUEAPI_BASE_URL'] + '/v1/executions/' + of['CUE_EXECUTION_ID'] + '/outcome'\n"
        "headers = {'Authorization': 'Bearer ' + of['CUEAPI_API_KEY'],\n"
        "           'Content-Type': 'application/json'}\n"
        "data = json.dumps(body).encode()\n"
        "urllib.request.urlopen(urllib.request.Request(where, data=data, headers=headers))\n"
    )
    (cuectl.work / "post.py").write_text(script)
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.env(TOKEN="hush-hush-4711").at(START)
    cuectl.run("create", "--name", "job", "--", sys.executable, "post.py")
    cuectl.run("fire", "job")
    assert cuectl.run("run-due").status == 0
    (one,) = cuectl.json("executions", "list")
    assert (one["status"], one["external_id"], one["metadata"]) == ("succeeded", "***", {"***": 1})
    kept = [path for path in cuectl.home.rglob("*") if path.is_file()]
    assert [path for path in kept if b"hush-hush" in path.read_bytes()] == []


def test_an_alert_that_a_verdict_raises_is_delivered_without_another_pass(cuectl: Cuectl) -> None:
    definitions(cuectl, 'echo "$1" > part; mv part got')
    mode = ("--verification-mode", "manual")
    made = cuectl.at(START).run("create", "--name", "job", *mode, "--alert", "ops", "--", "true")
    assert made.status == 0, made
    assert cuectl.run("fire", "job").status == 0
    assert cuectl.run("run-due").status == 0
    (execution,) = cuectl.json("executions", "list")
    assert cuectl.run("verify", execution["id"], "--reject").status == 0
    until((cuectl.work / "got").exists)
    until(lambda: the_alert(cuectl)["delivered"]["ops"]["status"] == "delivered")
    until(lambda: delivery_is_over(cuectl))
