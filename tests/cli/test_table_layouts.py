"""Whole tables, as terminals of several widths show them, of a morning that is played here."""
# ruff: noqa: E501 - a wide terminal has long lines.

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_tables import on_terminal, with_columns
from tests.fixtures.forking import quick

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

DAY = "2026-11-23T"
ASKS = '''\
from cuectl.workflow import workflow


@workflow(durable=True)
async def release_notes(engine):
    """Ask a person."""
    return await engine.ask_human("Publish these notes?", options=["yes", "no"])
'''
FILE = """\
workflows: [notes.py]
cues:
  notes: {cron: "2 9 * * *", workflow: release_notes}
  slow-index: {cron: "0 3 * * *", timeout: 1500ms, cmd: "echo indexing; exec sleep 60"}
"""
CREATE = (
    ("fetch-prices", "3-59/5 9 * * *", "true"),
    ("sync-crm", "*/30 8-9 * * *", "echo POST /api; echo 'error: token expired'; exit 1"),
    ("weekly-report", "1 8 * * 1", "true", "--verification-mode", "require_artifacts"),
    ("send-invoices", "1 9 23 * *", "true", "--verification-mode", "manual"),
    ("paused-one", "0 9 * * *", "true"),
)
# One end a pass, so that their order is always the same.
TIMES = "03:00 08:00 08:01 08:02 08:30 09:00 09:01 09:02 09:03".split()
NOW = f"{DAY}09:04:20Z"


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Cuectl:
    """A home after a morning with every kind of end."""
    cuectl = quick(tmp_path_factory.mktemp("morning"), programs).env(NO_COLOR="1")
    cuectl = cuectl.at("2026-11-22T23:50:00Z").files({"cue.yaml": FILE, "notes.py": ASKS})
    assert cuectl.run("apply", "cue.yaml").status == 0
    for name, cron, script, *more in CREATE:
        made = cuectl.run("create", "--name", name, "--cron", cron, *more, "--shell", script)
        assert made.status == 0, made
    cuectl.run("create", "--name", "once", "--at", f"{DAY}08:02:00Z", "--", "true")
    cuectl.run("create", "--name", "by-hand", "--", "true")
    cuectl.run("pause", "paused-one")
    for time in TIMES:
        cuectl = cuectl.at(f"{DAY}{time}:10Z")
        cuectl.run("run-due")
    return cuectl.at(NOW)


def shown(cuectl: Cuectl, columns: int, *words: str) -> str:
    """Return what a terminal shows, without what differs each time."""
    lines = on_terminal(with_columns(cuectl, columns), columns, *words)
    assert max(map(len, lines)) <= columns, lines
    text = re.sub(r"\b\d\.\ds\b", "0.0s", "\n".join(lines) + "\n")
    text = re.sub(r"verify [0-9a-hjkmnp-tv-z]{6}\b", "verify IDENTI", text)
    return re.sub(r"\b[0-9a-hjkmnp-tv-z]{6}$", "ID", text, flags=re.MULTILINE)


# What is seen of a command at some widths.
SHOWN = {
    ("list", (40,)): """\
CUE              RESULT       NEXT
✓ fetch-prices   passed      in 3m
✗ sync-crm       failed ×3  in 25m
✗ slow-index     timed out  in 18h
◌ notes          waiting     in 1d
! weekly-report  unproven    in 7d
? send-invoices  to verify  in 30d
  by-hand        -               -
‖ paused-one     paused          -
8 cues: 3 failing, 2 waiting for you, 1…
""",
    ("list", (80,)): """\
CUE              RESULT          LAST    NEXT  RECENT
✓ fetch-prices   passed        1m ago   in 3m  ✓
✗ sync-crm       failed ×3     4m ago  in 25m  ✗✗✗
✗ slow-index     timed out  6h04m ago  in 18h  ✗
◌ notes          waiting            -   in 1d  ◌
! weekly-report  unproven   1h03m ago   in 7d  !
? send-invoices  to verify     3m ago  in 30d  ?
  by-hand        -                  -       -  -
‖ paused-one     paused             -       -  -
8 cues: 3 failing, 2 waiting for you, 1 paused. 1 finished hidden (--all).
""",
    ("list", (120, 200)): """\
CUE              RESULT          LAST    NEXT  RECENT  SCHEDULE        WHY
✓ fetch-prices   passed        1m ago   in 3m  ✓       3-59/5 9 * * *  -
✗ sync-crm       failed ×3     4m ago  in 25m  ✗✗✗     */30 8-9 * * *  exit 1: error: token expired
✗ slow-index     timed out  6h04m ago  in 18h  ✗       0 3 * * *       time limit of 1.5 s exceeded: indexing
◌ notes          waiting            -   in 1d  ◌       2 9 * * *       asks: Publish these notes?
! weekly-report  unproven   1h03m ago   in 7d  !       1 8 * * 1       exited 0, no artifacts were reported
? send-invoices  to verify     3m ago  in 30d  ?       1 9 23 * *      waits for you: cuectl verify send-invoices
  by-hand        -                  -       -  -       by hand         -
‖ paused-one     paused             -       -  -       0 9 * * *       -
8 cues: 3 failing, 2 waiting for you, 1 paused. 1 finished hidden (--all).
""",
    ("executions list", (40,)): """\
RUN              RESULT          WHEN
◌ notes          waiting       2m ago
✓ fetch-prices   passed        1m ago
? send-invoices  to verify     3m ago
✗ sync-crm       failed        4m ago
✗ sync-crm~1     failed       34m ago
✓ once           passed     1h02m ago
! weekly-report  unproven   1h03m ago
✗ sync-crm~2     failed     1h04m ago
✗ slow-index     timed out  6h04m ago
""",
    ("executions list", (80,)): """\
RUN              RESULT          WHEN  TOOK  NOTE
◌ notes          waiting       2m ago     -  asks: Publish these notes?
✓ fetch-prices   passed        1m ago  0.0s  -
? send-invoices  to verify     3m ago  0.0s  waits for you: cuectl verify IDENTI
✗ sync-crm       failed        4m ago  0.0s  exit 1: error: token expired
✗ sync-crm~1     failed       34m ago  0.0s  exit 1: error: token expired
✓ once           passed     1h02m ago  0.0s  -
! weekly-report  unproven   1h03m ago  0.0s  exited 0, no artifacts were report…
✗ sync-crm~2     failed     1h04m ago  0.0s  exit 1: error: token expired
✗ slow-index     timed out  6h04m ago  0.0s  time limit of 1.5 s exceeded: inde…
""",
    ("executions list", (120, 200)): """\
RUN              RESULT          WHEN  TOOK  EVIDENCE  NOTE                                    ID
◌ notes          waiting       2m ago     -  -         asks: Publish these notes?              ID
✓ fetch-prices   passed        1m ago  0.0s  -         -                                       ID
? send-invoices  to verify     3m ago  0.0s  -         waits for you: cuectl verify IDENTI     ID
✗ sync-crm       failed        4m ago  0.0s  -         exit 1: error: token expired            ID
✗ sync-crm~1     failed       34m ago  0.0s  -         exit 1: error: token expired            ID
✓ once           passed     1h02m ago  0.0s  -         -                                       ID
! weekly-report  unproven   1h03m ago  0.0s  -         exited 0, no artifacts were reported    ID
✗ sync-crm~2     failed     1h04m ago  0.0s  -         exit 1: error: token expired            ID
✗ slow-index     timed out  6h04m ago  0.0s  -         time limit of 1.5 s exceeded: indexing  ID
""",
    ("status", (40,)): """\
✗ 3 of 9 cues failing, 2 waiting for you
  ✗ slow-index     timed out since 03:00
  ✗ sync-crm       failed ×3 since 08:00
  ! weekly-report  unproven since 08:01
  ? send-invoices  to verify for 3m
    cuectl verify send-invoices
  ◌ notes          waiting for 2m
    cuectl workflow answer notes yes|no
  more: cuectl get CUE
  silence: cuectl alerts ack CUE
last pass  1m ago
next       fetch-prices, in 3m
running    nothing
ends       5 failed in the last 24h
""",
    ("status", (80, 120, 200)): """\
✗ 3 of 9 cues failing, 2 waiting for you
  ✗ slow-index     timed out since 03:00  time limit of 1.5 s exceeded: indexing
  ✗ sync-crm       failed ×3 since 08:00  exit 1: error: token expired
  ! weekly-report  unproven since 08:01   exited 0, no artifacts were reported
  ? send-invoices  to verify for 3m       cuectl verify send-invoices
  ◌ notes          waiting for 2m         asks: Publish these notes?
                                          cuectl workflow answer notes yes|no
  more: cuectl get CUE
  silence: cuectl alerts ack CUE
last pass  1m ago
next       fetch-prices, in 3m
running    nothing
ends       5 failed in the last 24h
""",
    ("alerts list", (40,)): """\
CUE                 RAISED  MESSAGE
✗ slow-index     6h04m ago  'slow-index…
✗ sync-crm       1h04m ago  'sync-crm'…
! weekly-report  1h03m ago  'weekly-rep…
""",
    ("alerts list", (80,)): """\
CUE                 RAISED  MESSAGE                                       ID
✗ slow-index     6h04m ago  'slow-index' failed: time limit of 1.5 s ex…  ID
✗ sync-crm       1h04m ago  'sync-crm' failed: exit 1: error: token exp…  ID
! weekly-report  1h03m ago  'weekly-report' is unproven: exited 0, no a…  ID
""",
    ("alerts list", (120,)): """\
CUE              TYPE                     RAISED  MESSAGE                                              DELIVERED  ID
✗ slow-index     consecutive_failures  6h04m ago  'slow-index' failed: time limit of 1.5 s exceeded:…  stderr     ID
✗ sync-crm       consecutive_failures  1h04m ago  'sync-crm' failed: exit 1: error: token expired      stderr     ID
! weekly-report  verification_failed   1h03m ago  'weekly-report' is unproven: exited 0, no artifact…  stderr     ID
""",
    ("alerts list", (200,)): """\
CUE              TYPE                     RAISED  MESSAGE                                                            DELIVERED  ID
✗ slow-index     consecutive_failures  6h04m ago  'slow-index' failed: time limit of 1.5 s exceeded: indexing        stderr     ID
✗ sync-crm       consecutive_failures  1h04m ago  'sync-crm' failed: exit 1: error: token expired                    stderr     ID
! weekly-report  verification_failed   1h03m ago  'weekly-report' is unproven: exited 0, no artifacts were reported  stderr     ID
""",
    ("next -n 2", (40,)): """\
CUE              IN
fetch-prices  in 3m
fetch-prices  in 8m
""",
    ("next -n 2", (80,)): """\
CUE              IN  AT                        SCHEDULE
fetch-prices  in 3m  Mon 2026-11-23 09:08 UTC  at every 5th minute from 3 throu…
fetch-prices  in 8m  Mon 2026-11-23 09:13 UTC  at every 5th minute from 3 throu…
""",
    ("next -n 2", (120, 200)): """\
CUE              IN  AT                        SCHEDULE
fetch-prices  in 3m  Mon 2026-11-23 09:08 UTC  at every 5th minute from 3 through 58 past hour 9
fetch-prices  in 8m  Mon 2026-11-23 09:13 UTC  at every 5th minute from 3 through 58 past hour 9
""",
    ("workflow runs", (40,)): """\
WORKFLOW         NOTE
◌ release_notes  Publish these notes?
""",
    ("workflow runs", (80, 120, 200)): """\
WORKFLOW         STATUS   STARTED  TOOK  COST  NOTE                  RUN
◌ release_notes  waiting   2m ago     -     -  Publish these notes?  ID
""",
}


@pytest.mark.parametrize(
    ("words", "columns"), [(words, one) for words, widths in SHOWN for one in widths]
)
def test_a_terminal_shows(morning: Cuectl, words: str, columns: int) -> None:
    (expected,) = (text for (name, at), text in SHOWN.items() if name == words and columns in at)

    assert shown(morning, columns, *words.split()) == expected


def test_what_fails_comes_first_when_asked(morning: Cuectl) -> None:
    lines = shown(morning, 40, "list", "--sort", "failing").splitlines()

    assert [line.split()[:2] for line in lines[1:5]] == [
        ["✗", "sync-crm"],
        ["✗", "slow-index"],
        ["!", "weekly-report"],
        ["✓", "fetch-prices"],
    ]


def test_finished_one_shots_are_hidden_from_people_only(morning: Cuectl) -> None:
    names = [cue["name"] for cue in morning.json("list")]
    assert "once" in names
    assert "\nonce\t" in morning.run("list", "--plain").stdout
    assert "✓ once " not in morning.run("list").stdout
    for words in (("--all",), ("--status", "completed"), ("--name", "once")):
        assert "✓ once " in morning.run("list", *words).stdout


def test_without_utf_8_every_sign_is_ascii(morning: Cuectl) -> None:
    """Regression: one sign that a terminal can't show makes every column behind it jump."""
    found = with_columns(morning, 120).env(CUECTL_ASCII="1").run("list", "--time", "iso").stdout

    assert found.isascii()
    assert "\nx sync-crm       failed x3  2026-11-23T09:00:" in found
    assert "\n. notes          waiting" in found
    dumb = on_terminal(with_columns(morning, 80).env(TERM="dumb"), 80, "executions", "list")
    assert all(line.isascii() for line in dumb)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("sync-crm", "09:00"),
        ("sync-crm~0", "09:00"),
        ("sync-crm~2", "08:00"),
        ("sync-crm@08:30", "08:30"),
        ("sync-crm@8:30", "08:30"),
        ("sync-crm@2026-11-23", "09:00"),
        ("sync-crm@2026-11-23T08:30", "08:30"),
    ],
)
def test_a_run_has_a_name(morning: Cuectl, run: str, expected: str) -> None:
    found = morning.json("executions", "get", run)

    assert found["scheduled_for"] == f"{DAY}{expected}:00Z"
    assert morning.json("executions", "get", found["id"][-6:])["id"] == found["id"]


def test_what_no_run_has_is_said(morning: Cuectl) -> None:
    hint = "its runs: cuectl executions list --cue sync-crm"
    for name in ("sync-crm~3", "sync-crm@07:30"):
        morning.run("executions", "get", name).fails(5, "cue 'sync-crm' has no such run", hint)
    morning.run("executions", "get", "by-hand").fails(
        5, "cue 'by-hand' has not run yet", "its runs: cuectl executions list --cue by-hand"
    )


def test_names_reach_questions_outputs_chains_and_alerts(
    morning: Cuectl, tmp_path: Path, programs: Path
) -> None:
    cuectl = type(morning)(tmp_path, programs).at(NOW)
    shutil.copytree(morning.home, cuectl.home)

    assert cuectl.run("executions", "output", "sync-crm~1").stdout == (
        "POST /api\nerror: token expired\n"
    )
    assert cuectl.json("chain", "show", "sync-crm")["execution"]["cue_name"] == "sync-crm"
    assert cuectl.json("workflow", "show", "notes")["workflow"] == "release_notes"
    assert cuectl.run("workflow", "answer", "notes", "yes").status == 0
    assert cuectl.run("verify", "send-invoices").status == 0
    (alert,) = cuectl.json("alerts", "list", "--cue", "sync-crm")
    cuectl.run("alerts", "ack", "sync-crm").gives(f"acknowledged {alert['id']}\n")
    assert [one["cue_name"] for one in cuectl.json("alerts", "list")] == [
        "slow-index",
        "weekly-report",
    ]
    rows = {one["name"]: one["verdict"] for one in cuectl.json("list")}
    assert rows["send-invoices"] == "verified"
    assert "waiting for you" not in cuectl.run("status").stdout


def test_an_exact_name_wins_over_what_looks_like_a_reference(cuectl: Cuectl) -> None:
    for name in ("a", "a~1", "a@09:00"):
        cuectl.run("create", "--name", name, "--", "true")
        cuectl.run("fire", name, "--wait")
    cuectl.run("fire", "a", "--wait")

    for name in ("a~1", "a@09:00"):
        assert cuectl.json("executions", "get", name)["cue_name"] == name
    assert cuectl.json("executions", "get", "a~1~0")["cue_name"] == "a~1"
