"""A home that the first version has written: nothing is lost, and no step is asked of people.

`tests/fixtures/first_version/make.py` made it, and says what lies in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tarfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.builder import ROOT, Cuectl
from tests.fixtures.observing import FINAL, Record, processes_with, until

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKED = ROOT / "tests" / "fixtures" / "first_version.tar.gz"
# Where it was made: a parked run knows its module by an absolute path.
PLACE = Path("/tmp/cuectl-first-version")
MADE = "2026-11-21T01:59:30Z"
# Those that are due at one of the three passes below, and what their one run is.
DUE = {
    "nightly": ("succeeded", "reported_success"),
    "unproved": ("succeeded", "verification_failed"),
    "flows": ("succeeded", "reported_success"),
    "hook": ("failed", "reported_failure"),
    "large": ("succeeded", "reported_success"),
    "fails": ("failed", "reported_failure"),
    "later": ("succeeded", "reported_success"),
    "berlin": ("succeeded", "reported_success"),
    "from-file": ("succeeded", "verified_success"),
}
PASSES = ("2026-11-21T02:00:10Z", "2026-11-21T02:30:30Z", "2026-11-21T03:00:10Z")


@pytest.fixture
def old_home(cuectl: Cuectl) -> Iterator[Cuectl]:
    """The program, in the home of the first version, half a minute after it was left."""
    with held("/tmp"):
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(mode=0o700)
        with tarfile.open(PACKED) as file:
            file.extractall(PLACE, filter="data")
        cuectl.user, cuectl.home = PLACE, PLACE / ".cue"
        yield cuectl.env(HOME=str(PLACE)).at(MADE)
        until(lambda: not processes_with(str(PLACE)), "all has ended")
        cuectl.check()
        cuectl.checked = False
        shutil.rmtree(PLACE)


@contextmanager
def held(folder: str) -> Iterator[None]:
    """Keep other workers of the test run away."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def answers(cuectl: Cuectl) -> dict[str, Any]:
    """Return what the reading commands of the first version said."""
    told: dict[str, Any] = json.loads((cuectl.user / "answers.json").read_text())
    return told


def of_cue(cuectl: Cuectl, name: str) -> list[Record]:
    """Return the executions of a cue, the last one first."""
    found: list[Record] = cuectl.json("executions", "list", "--cue", name, "-n", "0")
    return found


def last(cuectl: Cuectl, name: str) -> Record:
    return of_cue(cuectl, name)[0]


def let_everything_work(cuectl: Cuectl) -> None:
    """Let handlers end and the sink take alerts; neither is a step for people."""
    (cuectl.home / "let-go").touch()
    (cuectl.user / "sink-works").touch()


def go_on(cuectl: Cuectl) -> None:
    """Make the passes of an hour, each with all that it starts beside itself."""
    for now in PASSES:
        answer = cuectl.at(now).run("run-due")
        assert answer.status == 0, answer
        until(lambda: not processes_with(str(cuectl.home)), "all has ended")


def test_the_reading_commands_say_what_the_first_version_said(old_home: Cuectl) -> None:
    for command, told in answers(old_home).items():
        words = command.split()
        out = old_home.run("--json", *words).stdout
        many = words[0] == "log"
        found = [json.loads(line) for line in out.splitlines()] if many else json.loads(out)
        assert_holds(found, told, command)


OF_A_START = ("started_at", "attempts", "output_path")


def by_id(rows: list[Record]) -> list[Record]:
    return sorted(rows, key=lambda one: str(one["id"]))


def assert_holds(found: Any, told: Any, where: str) -> None:
    """Compare two answers; members that a later version has added to a mapping are its own."""
    if isinstance(told, dict) and isinstance(found, dict):
        assert told.keys() <= found.keys(), where
        for key, value in told.items():
            # When an attempt began that still runs is told by its machine's time since boot, and
            # a machine that was started anew knows of no such attempt.
            of_a_start = told.get("status") == "running" and key in OF_A_START
            # The first version never said when a subscription is due.
            is_new = key == "next_run" and told.get("trigger", {}).get("type") == "event"
            if not of_a_start and not is_new:
                assert_holds(found[key], value, f"{where}: {key}")
    elif isinstance(told, list) and isinstance(found, list):
        assert len(found) == len(told), where
        if where == "list":
            # Since it says when a subscription is due, they stand in another order.
            found, told = by_id(found), by_id(told)
        for number, value in enumerate(told):
            assert_holds(found[number], value, f"{where}: {number}")
    else:
        assert found == told, where


def test_fsck_and_status_find_it_sound(old_home: Cuectl) -> None:
    found = old_home.json("fsck")
    assert (found["ok"], found["damaged"]) == (True, False)
    # The pass that was killed is not alive here either, whatever process has its number now.
    assert [one["kind"] for one in found["findings"]] == ["leftover"]
    answer = old_home.run("status")
    assert answer.status == 4
    assert "\nproblem: delivery_failed: sink 'default'" in answer.stdout
    assert old_home.run("fsck", "--rebuild").status == 0
    for command in ("list", "executions list -n 0", "sessions list --all"):
        assert_holds(old_home.json(*command.split()), answers(old_home)[command], command)


def test_it_holds_every_state(old_home: Cuectl) -> None:
    """The fixture is worth something only while it has all this in it."""
    executions = old_home.json("executions", "list", "-n", "0")
    statuses = Counter(one["status"] for one in executions)
    assert statuses["running"] == statuses["pending"] == 2
    assert {"queued", "waiting", "succeeded", "failed"} <= statuses.keys()
    assert {one["outcome_state"] for one in executions} >= {
        "reported_success",
        "reported_failure",
        "verified_success",
        "verification_pending",
        "verification_failed",
    }
    assert {one["status"] for one in old_home.json("list")} == {
        "active",
        "completed",
        "held",
        "paused",
    }
    alerts = old_home.json("alerts", "list", "--all")
    assert {bool(one["acknowledged_at"]) for one in alerts} == {True, False}
    journal = old_home.home / "journal"
    assert list(journal.glob("base-*.jsonl"))
    assert list(journal.glob("0*.jsonl.gz"))
    assert list(journal.glob("0*.jsonl"))


def test_passes_go_on_with_it(old_home: Cuectl) -> None:
    let_everything_work(old_home)
    go_on(old_home)
    for name, expected in DUE.items():
        record = last(old_home, name)
        assert record["scheduled_for"] > MADE, name
        assert (record["status"], record["outcome_state"]) == expected, name
    assert last(old_home, "large")["result"] == "80012\n"
    assert [one["status"] for one in of_cue(old_home, "long")] == ["succeeded", "interrupted"]
    for name, attempt in (("reruns", 2), ("tries-again", 2), ("by-hand", 1), ("joined", 1)):
        record = last(old_home, name)
        assert (record["status"], record["attempt"]) == ("succeeded", attempt), name
    record = last(old_home, "waits-for-handler")
    assert (record["status"], record["reason"]) == ("missed", "no_handler")
    assert of_cue(old_home, "paused") == of_cue(old_home, "off") == []
    tasks = {one["payload"]: one for one in old_home.json("queue", "tasks", "errands", "--all")}
    assert tasks["post the letter"]["status"] == "completed"
    assert tasks["buy bread"]["status"] in FINAL | {"completed"}
    parked = {"approves", "parent", "report-late"}
    undecided = old_home.json("executions", "list", "-n", "0")
    assert {one["cue_name"] for one in undecided if one["status"] not in FINAL} <= parked


def test_a_held_child_is_released_by_the_verdict(old_home: Cuectl) -> None:
    parent = last(old_home, "parent")
    assert old_home.run("verify", parent["id"], "--reason", "looked at it").status == 0
    let_everything_work(old_home)
    go_on(old_home)
    child = last(old_home, "after-1")
    assert (child["status"], child["parent_id"]) == ("succeeded", parent["id"])
    assert old_home.run("executions", "output", child["id"]).stdout == "released\n"
    chain = old_home.run("chain", "show", parent["id"]).stdout
    assert "after-1" in chain


def test_a_late_report_is_taken(old_home: Cuectl) -> None:
    waiting = last(old_home, "report-late")
    words = ("--execution", waiting["id"], "--success", "--external-id", "late")
    assert old_home.run("report", *words).status == 0
    assert last(old_home, "report-late")["outcome_state"] == "verified_success"


def test_a_parked_run_is_answered_and_ends(old_home: Cuectl) -> None:
    let_everything_work(old_home)
    parked = {one["kwargs"]["version"]: one for one in runs(old_home, "waiting")}
    before = {version: steps(old_home, one["id"]) for version, one in parked.items()}
    for version, answer in (("1.0", "yes"), ("2.0", "no")):
        assert old_home.run("workflow", "answer", parked[version]["id"], answer).status == 0
    go_on(old_home)
    ended = {one["id"]: one for one in runs(old_home, "succeeded")}
    for version, answer in (("1.0", "yes"), ("2.0", "no")):
        run = ended[parked[version]["id"]]
        told = run["result"]
        notes = f"scribe says: notes for {version}"
        again = f"scribe says: the answer is {answer}"
        assert told[:4] == [version, answer, notes, again]
        # What was done before the question is not done again: it would say something else.
        assert told[4].strip() in before[version]
        assert told[5].strip() not in before[version]
    record = last(old_home, "approves")
    assert (record["status"], record["outcome_state"]) == ("succeeded", "reported_success")
    open_ones = {one["run"] for one in old_home.json("sessions", "list")}
    assert not open_ones & ended.keys()


def runs(cuectl: Cuectl, status: str) -> list[Record]:
    found: list[Record] = cuectl.json("workflow", "runs", "approval", "--status", status)
    return found


def steps(cuectl: Cuectl, run: str) -> str:
    return cuectl.run("--json", "workflow", "log", run).stdout


def test_alerts_are_delivered_and_acknowledged(old_home: Cuectl) -> None:
    let_everything_work(old_home)
    go_on(old_home)
    told = [json.loads(line) for line in (old_home.user / "told").read_text().splitlines() if line]
    types = {one["type"] for one in told}
    assert {"verification_failed", "interrupted", "missed", "no_handler"} & types
    assert old_home.run("alerts", "ack", "--all").status == 0
    assert old_home.json("alerts", "list") == []


def test_what_it_knows_is_known(old_home: Cuectl) -> None:
    again = old_home.json("emit", "part.done", "--key", "second")
    assert again["duplicate_of"]
    assert old_home.run("create", "--name", "nightly", "--every", "1h", "--", "true").status == 6
    assert old_home.run("resume", "paused").status == 0
    assert old_home.run("update", "berlin", "--cron", "30 2 * * *").status == 0
    assert old_home.run("delete", "hourly", "--yes").status == 0
    assert old_home.run("retry", last(old_home, "nightly")["id"]).status == 0
    assert old_home.run("cancel", last(old_home, "tries-again")["id"]).status == 0
    diff = old_home.run("diff", str(old_home.home / "project.yaml"))
    assert "tidied" not in diff.stderr
    assert old_home.run("gc").status == 0
    let_everything_work(old_home)
    go_on(old_home)
    assert last(old_home, "nightly")["status"] == "succeeded"
    assert last(old_home, "tries-again")["status"] == "cancelled"


def test_it_is_carried_to_another_place_and_goes_on_there(old_home: Cuectl, tmp_path: Path) -> None:
    told = answers(old_home)["list"]
    assert old_home.run("export", "old.tar.gz").status == 0
    old_home.user = tmp_path / "there"
    old_home.user.mkdir()
    old_home.home = old_home.user / ".cue"
    old_home.env(HOME=str(old_home.user))
    assert old_home.run("import", "old.tar.gz").status == 0
    assert old_home.run("fsck").status == 0
    assert_holds(old_home.json("list"), told, "list")
    let_everything_work(old_home)
    go_on(old_home)
    for name, (status, _) in DUE.items():
        assert last(old_home, name)["status"] == status, name
    assert last(old_home, "tries-again")["status"] == "succeeded"
