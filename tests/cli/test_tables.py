"""Tables as people get them: as wide as the terminal, whole elsewhere, in a format when asked."""

from __future__ import annotations

import os
import re
import subprocess
from copy import copy
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_every_command import Scene, scene
from tests.cli.test_frame_start import modules_after
from tests.fixtures.terminal import shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

__all__ = ["scene"]

WIDTHS = (40, 80, 120, 200)
# Each prints at least one row in the scene; `queue tasks` has a scene of its own below.
TABLES = (
    *("agents list", "agents test bot", "alerts list --all", "config list", "delete --dry-run old"),
    *("events list", "executions list", "list", "next", "queue list", "run-due --dry-run"),
    *("sessions list --all", "subscriptions list", "workflow check", "workflow list"),
    "workflow runs",
)
LONG = "a-name-that-is-too-long-for-any-terminal-" * 3
QUEUE = """\
agents: {bot: {driver: command, cmd: [sleep, "60"], prompt: stdin, cwd: .}}
queues: {chores: {agent: bot}}
"""


def on_terminal(cuectl: Cuectl, columns: int, *words: str, errors: bool = False) -> list[str]:
    """Return the lines that a terminal of that width shows of standard output, or of both."""
    return shown(
        lambda terminal: cuectl.start(
            *words, stdout=terminal, stderr=terminal if errors else subprocess.DEVNULL
        ),
        columns,
    ).splitlines()


@pytest.fixture(scope="module")
def full(scene: Scene, tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Cuectl:
    """The scene, with a failure, long names, and without colours; nothing here changes it."""
    cuectl = scene.copy(tmp_path_factory.mktemp("full"), programs).env(NO_COLOR="1")
    cuectl.run("create", "--name", "broken", "--cron", "0 4 * * *", "--", "false")
    for _ in range(3):
        cuectl.run("fire", "broken", "--wait")
    cuectl.run("create", "--name", LONG, "--cron", "0 5 * * *", "--", "true")
    cuectl.run("create", "--name", "old", "--at", "+1h", "--", "true")
    return cuectl


def with_variables(cuectl: Cuectl, **variables: str) -> Cuectl:
    found = copy(cuectl)
    found.environment = {**cuectl.environment, **variables}
    return found


def with_columns(cuectl: Cuectl, columns: int) -> Cuectl:
    return with_variables(cuectl, COLUMNS=str(columns))


@pytest.mark.parametrize("words", TABLES)
def test_no_line_of_a_table_is_wider_than_the_terminal(full: Cuectl, words: str) -> None:
    whole = full.run(*words.split()).stdout.splitlines()

    for columns in (*WIDTHS, max(map(len, whole))):
        lines = on_terminal(full, columns, *words.split())

        assert len(lines) == len(whole) > 1, lines
        assert max(map(len, lines)) <= columns
        # What has room is shown as it is elsewhere.
        if max(map(len, whole)) <= columns:
            assert lines == whole


def test_no_line_about_a_cue_in_status_is_wider_than_the_terminal(full: Cuectl) -> None:
    for columns in WIDTHS:
        lines = on_terminal(full, columns, "status")
        about = lines[: lines.index("  more: cuectl get CUE")]

        assert len(about) > 1
        assert max(map(len, about)) <= columns, about


# What is no table: errors and hints, help, one cue, one execution, a chain, a journal.
TEXTS = (
    *("status", "doctor", "get broken", "executions get broken", "executions get old"),
    *("executions get no-such-execution-of-that-very-long-name", "chain show broken", "fire"),
    *("log", "help", "help cue.yaml", "delete --help", "alerts", "workflow show --help", "version"),
)


@pytest.mark.parametrize("words", TEXTS)
def test_no_line_of_a_text_is_wider_than_the_terminal(full: Cuectl, words: str) -> None:
    full = with_variables(full, PAGER="cat")
    # How lines break at any width: tests/values/test_line_breaks.py.
    for columns in (40, 80):
        lines = on_terminal(full, columns, *words.split(), errors=True)

        assert lines
        assert [line for line in lines if len(line) > columns and "://" not in line] == []


def test_the_tasks_of_a_queue_fit_too(cuectl: Cuectl) -> None:
    cuectl.files({"cue.yaml": QUEUE}).run("apply", "cue.yaml")
    cuectl.run("queue", "add", "chores", "x" * 300)

    for columns in WIDTHS:
        lines = on_terminal(cuectl, columns, "queue", "tasks", "--all")
        assert len(lines) == 2
        assert max(map(len, lines)) <= columns


def test_the_fires_of_one_cue_fit(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T01:00:00Z")
    words = ("next", "--cron", "*/5 * * * *", "-n", "2")

    assert on_terminal(cuectl, 50, *words)[1:] == [
        "Sat 2026-11-21 01:05 UTC   in 5m",
        "Sat 2026-11-21 01:10 UTC  in 10m",
    ]
    assert cuectl.run(*words).stdout.splitlines()[1:] == [
        "Sat 2026-11-21 01:05 UTC  2026-11-21T01:05:00Z   in 5m",
        "Sat 2026-11-21 01:10 UTC  2026-11-21T01:10:00Z  in 10m",
    ]


def test_runs_are_links_to_their_output_where_a_terminal_opens_links(full: Cuectl) -> None:
    words = ("executions", "list", "--cue", "broken")
    bare = on_terminal(full, 80, *words)
    opens = with_variables(full, VTE_VERSION="7200")
    lines = on_terminal(opens, 80, *words)

    path = full.json(*words)[0]["output_path"]
    assert f"\x1b]8;;file://{os.uname().nodename}{path}\x1b\\" in lines[1]
    assert [re.sub(r"\x1b]8;;[^\x1b]*\x1b\\", "", line) for line in lines] == bare
    for never in ({"TMUX": "1"}, {"CUECTL_HYPERLINKS": "never"}):
        assert on_terminal(with_variables(opens, **never), 80, *words) == bare
    assert opens.run(*words).stdout.splitlines() == bare


def test_columns_wins_over_the_terminal(full: Cuectl) -> None:
    found = on_terminal(with_columns(full, 60), 200, "list")

    assert max(map(len, found)) <= 60


def test_off_a_terminal_nothing_is_cut(full: Cuectl) -> None:
    assert LONG in with_columns(full, 40).run("list").stdout


def test_a_table_comes_in_a_format_for_documents(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T01:00:00Z")
    cuectl.run("create", "--name", "a", "--cron", "0 5 * * *", "--", "true")

    cuectl.run("next", "--format", "github", "-n", "1").gives(
        "| CUE |    IN | AT                       | SCHEDULE           |\n"
        "|-----|-------|--------------------------|--------------------|\n"
        "| a   | in 4h | Sat 2026-11-21 05:00 UTC | every day at 05:00 |\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("list --format github --json", "'--json' and '--format' exclude each other"),
        ("list --plain --format html", "'--plain' and '--format' exclude each other"),
        ("list --plain --json", "'--json' and '--plain' exclude each other"),
    ],
)
def test_one_form_is_enough(cuectl: Cuectl, words: str, message: str) -> None:
    answer = cuectl.run(*words.split())

    assert (answer.status, message in answer.stderr) == (2, True), answer


def test_a_format_that_there_is_not_is_named(cuectl: Cuectl) -> None:
    answer = cuectl.run("list", "--format", "gihtub")

    assert answer.status == 2
    assert answer.stderr.startswith(
        "cuectl: error: option '--format': 'gihtub' is not known\nhint: did you mean 'github'?"
    )


def test_the_format_of_a_graph_is_its_own(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "a", "--cron", "0 5 * * *", "--", "true")

    for words in ("graph --format mermaid", "-q graph --format=mermaid"):
        assert cuectl.run(*words.split()).stdout.startswith("flowchart"), words
    # `-qv` is for click, which has the same declarations.
    assert cuectl.run("graph", "-qv", "--format", "mermaid").stdout.startswith("flowchart")


@pytest.mark.parametrize("form", ["--json", "--plain"])
@pytest.mark.parametrize(
    "words", ["list", "executions list", "next", "alerts list", "config list", "status"]
)
def test_programs_are_answered_without_the_import_of_tabulate(
    cuectl: Cuectl, words: str, form: str
) -> None:
    cuectl.run("create", "--name", "a", "--cron", "0 5 * * *", "--", "true")
    cuectl.run("fire", "a", "--wait")
    cuectl.run("alerts", "test")

    assert "tabulate" not in modules_after(cuectl, form, *words.split())


def test_people_get_their_table_from_tabulate(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "a", "--cron", "0 5 * * *", "--", "true")

    assert "tabulate" in modules_after(cuectl, "list")
