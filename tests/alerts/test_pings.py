"""Pings to a monitor: per cue, and for the pass itself; real processes and a real receiver."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.observing import until
from tests.fixtures.receiver import Receiver, Request, closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

LIMIT_S = 60
START = "2026-11-21T02:00:00Z"


@pytest.fixture
def monitor() -> Iterator[Receiver]:
    with Receiver(200) as receiver:
        yield receiver


def over(cuectl: Cuectl) -> bool:
    """Tell whether no ping waits and no process delivers."""
    waiting = (cuectl.home / "pings").is_dir() and list((cuectl.home / "pings").iterdir())
    return not waiting and not delivers(cuectl)


def delivers(cuectl: Cuectl) -> bool:
    from cuectl.alerts.delivery import LOCK_NAME
    from cuectl.store import home

    return home.is_held(f"{cuectl.home}/{LOCK_NAME}")


def tried(path: Path) -> bool:
    return bool(json.loads(path.read_text())["delivery"]["tries"])


def parts(request: Request) -> tuple[str, str]:
    """Return the path of a ping and the id that its beginning and its end share."""
    path, _, query = request.path.partition("?")
    return path, query.removeprefix("rid=")


def pinging(cuectl: Cuectl, url: str, *words: str) -> None:
    made = cuectl.at(START).run("create", "--name", "job", "--ping-url", url, "--", *words)
    assert made.status == 0, made
    assert cuectl.run("fire", "job").status == 0


def test_a_success_is_pinged_after_its_start_with_one_run_id(
    cuectl: Cuectl, monitor: Receiver
) -> None:
    pinging(cuectl, f"{monitor.url}/check", "echo", "all is done")
    assert cuectl.run("run-due").status == 0
    until(lambda: len(monitor.requests) == 2)
    until(lambda: over(cuectl))

    (start, first), (end, second) = map(parts, monitor.requests)
    assert (start, end) == ("/check/start", "/check")
    assert first == second
    assert len(first) == 36
    assert monitor.requests[0].body == b""
    assert monitor.requests[1].body == b"all is done\n"


def test_the_beginning_is_pinged_while_the_handler_runs(cuectl: Cuectl, monitor: Receiver) -> None:
    cuectl.files({"go": ""})
    pinging(cuectl, f"{monitor.url}/check", "sh", "-c", "while [ -e go ]; do sleep 0.05; done")
    running = cuectl.start("run-due")
    until(lambda: len(monitor.requests) == 1)
    assert parts(monitor.requests[0])[0] == "/check/start"
    (cuectl.work / "go").unlink()
    running.communicate(timeout=LIMIT_S)
    until(lambda: len(monitor.requests) == 2)
    until(lambda: over(cuectl))


def test_a_monitor_that_is_not_there_counts_as_failed(cuectl: Cuectl) -> None:
    pinging(cuectl, f"http://127.0.0.1:{closed_port()}/check", "true")
    cuectl.run("run-due")
    until(lambda: all(tried(path) for path in (cuectl.home / "pings").iterdir()))
    until(lambda: not delivers(cuectl))
    # What told of the beginning comes too late by now.
    done = cuectl.at("2026-11-21T02:10:00Z").json("deliver")
    assert (done["pinged"], done["failed"]) == (0, 1)


def test_a_failure_is_pinged_with_its_status_and_the_end_of_the_log_masked(
    cuectl: Cuectl, monitor: Receiver
) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.env(TOKEN="hush-hush-4711")
    script = "seq 1 5000; echo token hush-hush-4711; exit 7"
    pinging(cuectl, f"{monitor.url}/check?create=1", "sh", "-c", script)
    cuectl.run("run-due")
    until(lambda: len(monitor.requests) == 2)
    until(lambda: over(cuectl))

    path, query = monitor.requests[1].path.split("?")
    assert path == "/check/7"
    assert query.startswith("create=1&rid=")
    body = monitor.requests[1].body.decode()
    assert body.partition("\n\n")[0] == "exit status 7", body[:80]
    assert "5000\ntoken " in body
    assert "hush-hush-4711" not in body
    assert len(body) < 11_000


def test_what_is_not_believed_is_a_failure_and_what_is_to_be_verified_waits(
    cuectl: Cuectl, monitor: Receiver
) -> None:
    url = f"{monitor.url}/check"
    cuectl.at(START)
    for name, mode in {"proof": "require_external_id", "person": "manual"}.items():
        options = ["--ping-url", f"{url}-{name}", "--verification-mode", mode]
        cuectl.run("create", "--name", name, *options, "--", "true")
        cuectl.run("fire", name)
    cuectl.run("run-due")
    until(lambda: len(monitor.requests) == 3)
    until(lambda: over(cuectl))
    paths = sorted(parts(one)[0] for one in monitor.requests)
    assert paths == ["/check-person/start", "/check-proof/fail", "/check-proof/start"]

    (person,) = cuectl.json("executions", "list", "--cue", "person")
    cuectl.at("2026-11-21T02:20:00Z").run("verify", person["id"])
    cuectl.run("run-due")
    until(lambda: len(monitor.requests) == 4)
    until(lambda: over(cuectl))
    assert parts(monitor.requests[3])[0] == "/check-person"


def test_a_monitor_that_is_away_holds_nothing_up_and_gets_the_end_later(cuectl: Cuectl) -> None:
    pinging(cuectl, f"http://127.0.0.1:{closed_port()}/check", "true")
    answer = cuectl.run("run-due")
    assert (answer.status, answer.stderr) == (0, "")
    until(lambda: any("ping.failed" in line for line in journal(cuectl)))
    cuectl.run("deliver")
    with Receiver(200) as monitor:
        # The address is in the record; the monitor comes back under another one.
        for path in (cuectl.home / "pings").iterdir():
            assert "127.0.0.1" in path.read_text()
        cuectl.at("2026-11-21T02:10:00Z").run("update", "job", "--ping-url", f"{monitor.url}/new")
        cuectl.run("fire", "job")
        cuectl.run("run-due")
        until(lambda: len(monitor.requests) == 2)
    dropped = [line for line in journal(cuectl) if '"ping.dropped"' in line]
    until(lambda: [line for line in journal(cuectl) if '"ping.dropped"' in line])
    assert all('"start"' in line for line in dropped)


def journal(cuectl: Cuectl) -> list[str]:
    files = sorted((cuectl.home / "journal").glob("*.jsonl"))
    return [line for file in files for line in file.read_text().splitlines()]


def with_settings(cuectl: Cuectl, url: str) -> None:
    cuectl.home.mkdir(mode=0o700, exist_ok=True)
    (cuectl.home / "cue.yaml").write_text(json.dumps({"settings": {"ping_url": url}}))


def test_the_pass_itself_is_pinged_and_leaves_no_trace_in_the_journal(
    cuectl: Cuectl, monitor: Receiver
) -> None:
    with_settings(cuectl, f"{monitor.url}/pass")
    cuectl.at(START).run("create", "--name", "job", "--", "false")
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    until(lambda: len(monitor.requests) == 2)

    (start, first), (end, second) = map(parts, monitor.requests)
    # The pass worked although the work failed.
    assert (start, end, first == second) == ("/pass/start", "/pass", True)
    assert monitor.requests[1].body == b"1 started, 1 settled"

    before = journal(cuectl)
    cuectl.at("2026-11-21T02:06:00Z").run("run-due")
    until(lambda: len(monitor.requests) == 4)
    assert journal(cuectl) == before


def test_passes_go_at_once_for_five_minutes_at_the_most_when_a_monitor_waits(
    cuectl: Cuectl, monitor: Receiver
) -> None:
    with_settings(cuectl, f"{monitor.url}/pass")
    os.utime(cuectl.home / "cue.yaml", (1_700_000_000, 1_700_000_000))
    cuectl.run("create", "--name", "job", "--", "false")
    cuectl.run("run-due")
    until(lambda: len(monitor.requests) == 2)
    _, since, before, *_ = (cuectl.home / "next").read_text().split()
    assert int(before) - int(since) == 5 * 60_000

    cuectl.run("run-due")
    assert (cuectl.home / "next").exists()


def test_a_pass_that_is_killed_is_pinged_as_failed(cuectl: Cuectl, monitor: Receiver) -> None:
    with_settings(cuectl, f"{monitor.url}/pass")
    cuectl.at(START).files({"go": ""})
    cuectl.run("create", "--name", "job", "--", "sh", "-c", "while [ -e go ]; do sleep 0.05; done")
    cuectl.run("fire", "job")
    running = cuectl.start("run-due")
    until(lambda: len(monitor.requests) == 1)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=LIMIT_S)
    until(lambda: len(monitor.requests) == 2)
    assert parts(monitor.requests[1])[0] == "/pass/1"
    assert b"killed" in monitor.requests[1].body
    (cuectl.work / "go").unlink()
    until(lambda: cuectl.run("run-due").status == 0)


@pytest.mark.parametrize("bad", ["ftp://x/y", "hc-ping.com/x", "https://a b/c", ""])
def test_an_address_that_is_none_is_refused(cuectl: Cuectl, bad: str) -> None:
    answer = cuectl.run("create", "--name", "x", "--ping-url", bad, "--", "true")
    assert answer.status == 2
    assert answer.stderr.startswith("cuectl: error: option '--ping-url': ")
    assert not cuectl.home.exists()


def test_an_address_in_a_definition_file_is_checked_and_kept(cuectl: Cuectl) -> None:
    good = "cues: {a: {command: ['true'], ping_url: 'https://hc-ping.com/x'}}"
    cuectl.files({"bad.yaml": "cues:\n  a:\n    command: ['true']\n    ping_url: nowhere\n",
                  "good.yaml": good})  # fmt: skip
    answer = cuectl.run("apply", "bad.yaml")
    assert answer.status == 7
    assert answer.stderr.startswith("bad.yaml:4:15: error: ")
    assert cuectl.run("apply", "good.yaml").status == 0
    assert cuectl.json("get", "a")["policy"]["ping_url"] == "https://hc-ping.com/x"
    cuectl.run("create", "--name", "b", "--ping-url", "https://hc-ping.com/x", "--", "true")
    assert cuectl.json("update", "b", "--no-ping-url")["policy"]["ping_url"] is None
