"""What people are sent when a cue fails in a pass: real processes, real receivers on loopback."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from tests.alerts.test_alert_delivery import delivery_is_over
from tests.fixtures.mailbox import PARSER, Mailbox, server_context
from tests.fixtures.observing import until
from tests.fixtures.receiver import Receiver, closed_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

NIGHT = "2026-11-21T02:30:00Z"
HOST = os.uname().nodename


def prepared(cuectl: Cuectl, sinks: dict[str, Any], **settings: Any) -> Cuectl:
    """Define sinks, and a cue that fails at half past two each night."""
    cuectl.home.mkdir(mode=0o700)
    defined = {"alerts": sinks, "settings": settings, "secrets": ["TOKEN"]}
    (cuectl.home / "cue.yaml").write_text(json.dumps(defined))
    cuectl.at("2026-11-20T12:00:00Z")
    work = "echo copying; echo token hush-4711; echo 'rsync: disk full' >&2; exit 12"
    made = cuectl.run(
        *("create", "--name", "backup", "--cron", "30 2 * * *", "--alert-after", "1"),
        *("--tag", "prod", "--shell", work),
    )
    assert made.status == 0, made
    assert cuectl.env(TOKEN="hush-4711").run("run-due").status == 0
    return cuectl


def passed(cuectl: Cuectl, at: str = NIGHT) -> None:
    """Make a pass, and await the end of all that it delivers."""
    answer = cuectl.at(at).run("run-due")
    assert answer.status == 0, answer
    # The time of each call begins anew, and what the pass has raised must be due by then. It is
    # begun by this call, or by the process that the pass has started.
    cuectl.at(at.replace(":00Z", ":30Z"))
    until(lambda: not cuectl.json("deliver")["running"])
    until(lambda: delivery_is_over(cuectl))


def the_text(cuectl: Cuectl) -> str:
    (one,) = cuectl.json("executions", "list")
    (alert,) = (it for it in cuectl.json("alerts", "list") if it["cue_name"] == "backup")
    return f"""\
'backup' failed: exit 12: rsync: disk full

Host:         {HOST}
Cue:          backup
Since:        Sat 2026-11-21 02:30 UTC
Verdict:      failed: exit 12: rsync: disk full
Run:          {one["id"]}, due Sat 2026-11-21 02:30 UTC, took TIME
Next:         fires next Sun 2026-11-22 02:30 UTC

The end of its output:
    copying
    token ***
    rsync: disk full

Look:         cuectl executions output {one["id"]}
Run again:    cuectl retry {one["id"]}
Acknowledge:  cuectl alerts ack {alert["id"]}
"""


def timeless(text: str) -> str:
    """Return a text with the time that the run took taken out."""
    before, _, rest = text.replace("\r\n", "\n").partition(", took ")
    return f"{before}, took TIME\n{rest.partition(chr(10))[2]}"


def complaints(cuectl: Cuectl) -> list[str]:
    found = cuectl.json("alerts", "list", "--type", "delivery_failed")
    return [one["message"] for one in found]


def test_a_failure_reaches_a_mailbox_with_all_that_is_needed(
    cuectl: Cuectl, tmp_path: Path
) -> None:
    login = ("me", "pass-0815")
    with Mailbox(login=login, tls=server_context(tmp_path)) as box:
        smtp = f"smtp://me:${{MAIL_PASS}}@localhost:{box.port}"
        prepared(cuectl, {"default": {"mail": {"to": "me@example.org", "smtp": smtp}}})
        (cuectl.home / "env").write_text("MAIL_PASS=pass-0815\n")
        (cuectl.home / "env").chmod(0o600)
        passed(cuectl)
        (got,) = box.mails
    assert (got.to, got.encrypted, got.user) == (("me@example.org",), True, "me")
    assert got.mail["Subject"] == f"{HOST}: 'backup' failed: exit 12: rsync: disk full"
    assert timeless(got.mail.get_content()) == the_text(cuectl)
    kept = [path for path in cuectl.home.rglob("*") if path.is_file() and path.name != "env"]
    assert [path for path in kept if b"pass-0815" in path.read_bytes()] == []


def test_services_webhooks_programs_and_the_desktop_get_the_same_text(cuectl: Cuectl) -> None:
    tools = cuectl.work / "tools"
    tools.mkdir()
    for name in ("sendmail", "notify-send"):
        script = f'#!/bin/sh\nprintf "%s\\0" "$@" > {tools}/{name}.words\ncat > {tools}/{name}.in\n'
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    path = f"{tools}:{cuectl.environment['PATH']}"
    cuectl.env(PATH=path, DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere", KEY="key-0815")
    with Receiver(200) as receiver, Receiver() as hook:
        address = receiver.url.removeprefix("http://")
        when = {"when": {"tags": ["prod"]}}
        sinks = {
            "apps": {"notify": [f"json://u:${{KEY}}@{address}/1", f"json://{address}/2"], **when},
            "hook": {"webhook": f"{hook.url}/in", "allow_private": True, **when},
            "local": {"mail": {"to": "root", "sendmail": True}, **when},
            "screen": {"desktop": True, **when},
            "other": {"command": ["touch", f"{tools}/never"], "when": {"tags": ["test"]}},
        }
        prepared(cuectl, sinks)
        passed(cuectl)
    text = the_text(cuectl)
    title = f"{HOST}: 'backup' failed: exit 12: rsync: disk full"
    bodies = {one.path: json.loads(one.body) for one in receiver.requests}
    assert sorted(bodies) == ["/1", "/2"]
    assert bodies["/1"]["title"] == title
    assert timeless(bodies["/1"]["message"] + "\n").split() == text.split()
    posted = json.loads(hook.requests[0].body)
    assert (posted["alert_type"], posted["title"]) == ("consecutive_failures", title)
    assert timeless(posted["text"]) == text
    mail = PARSER.parsebytes((tools / "sendmail.in").read_bytes())
    assert (tools / "sendmail.words").read_text() == "-i\0root\0"
    assert (mail["Subject"], timeless(mail.get_content())) == (title, text)
    words = (tools / "notify-send.words").read_text().split("\0")
    assert words[1:4] == ["--urgency=critical", "--", title]
    assert not (tools / "never").exists()
    kept = [path for path in cuectl.home.rglob("*") if path.is_file()]
    assert [path for path in kept if b"key-0815" in path.read_bytes()] == []


def test_a_server_that_is_away_is_complained_of_with_the_third_try_and_gets_it_in_the_end(
    cuectl: Cuectl,
) -> None:
    port = closed_port()
    smtp = f"smtp://127.0.0.1:{port}"
    prepared(cuectl, {"default": {"mail": {"to": "me@example.org", "smtp": smtp}}})
    passed(cuectl)
    assert complaints(cuectl) == []
    for minute in ("32", "38"):
        passed(cuectl, f"2026-11-21T02:{minute}:00Z")
    message = f"'127.0.0.1:{port}' can't be reached: Connection refused"
    assert complaints(cuectl) == [f"sink 'default' does not get its alerts: {message}"]
    (alert,) = (it for it in cuectl.json("alerts", "list") if it["cue_name"] == "backup")
    assert alert["delivered"]["default"]["error"] == message


def test_a_wrong_password_and_a_refused_recipient_are_complained_of_at_once(cuectl: Cuectl) -> None:
    with Mailbox(login=("me", "right")) as wants, Mailbox(refused=("you@example.org",)) as refuses:
        one = f"smtp://me:${{TOKEN}}@127.0.0.1:{wants.port}"
        sinks = {
            "one": {"mail": {"to": "me@example.org", "smtp": one}, "when": {"tags": ["prod"]}},
            "two": {
                "mail": {"to": ["me@example.org", "you@example.org"], "smtp": refuses.url},
                "when": {"tags": ["prod"]},
            },
        }
        prepared(cuectl, sinks)
        passed(cuectl)
        first, second = sorted(complaints(cuectl))
        ports = (wants.port, refuses.port)
        assert len(refuses.mails) == 1
    assert first.startswith(
        f"sink 'one' does not get its alerts: "
        f"'127.0.0.1:{ports[0]}' refuses the user or the password: 535 "
    )
    assert "hush" not in first
    assert second == (
        f"sink 'two' gets its alerts in part: "
        f"'127.0.0.1:{ports[1]}' refuses 'you@example.org': 550 5.1.1 nobody of that name"
    )
    later = cuectl.at("2026-11-21T02:30:50Z").run("run-due")
    assert later.stderr.count("alert: delivery_failed: ") == 2


def test_in_quiet_hours_only_what_is_critical_is_sent_and_the_rest_afterwards_as_one(
    cuectl: Cuectl,
) -> None:
    got = cuectl.work / "got"
    script = 'echo "$1" >> "$0"'
    sink = {"command": ["sh", "-c", script, str(got), "{{ alert.type }} {{ alert.short }}"]}
    prepared(cuectl, {"default": sink}, quiet="22:00-07:00", timezone="Europe/Berlin")
    proof = ("--verification-mode", "require_external_id")
    for name in ("report", "audit"):
        cuectl.at("2026-11-21T02:00:00Z")
        cuectl.run("create", "--name", name, *proof, "--in", "10m", "--", "true")
    passed(cuectl)
    failed = f"consecutive_failures {HOST}: 'backup' failed: exit 12: rsync: disk full\n"
    assert got.read_text() == failed
    kept = {it["cue_name"]: it["delivered"] for it in cuectl.json("alerts", "list")}
    assert (
        kept["report"]
        == kept["audit"]
        == {
            "default": {
                "status": "pending",
                "tries": 0,
                "next_at": "2026-11-21T06:00:00Z",
                "error": "kept until the quiet hours are over (22:00-07:00)",
            }
        }
    )
    passed(cuectl, "2026-11-21T05:59:00Z")
    assert got.read_text() == failed
    passed(cuectl, "2026-11-21T06:00:00Z")
    digest = got.read_text().removeprefix(failed)
    assert digest.startswith(f"digest {HOST}: 2 cues fail: ")
    assert digest.count("\n") == 1
