"""Each example runs offline, with its stubs, and ends as its page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.builder import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "examples"
LIMIT_S = 120

# Of each execution that is listed: its cue, how it ended, and what it said.
STORIES = {
    "lint-on-save": {
        ("lint-on-save", "failed"): ["exit 1"],
        ("lint-on-save", "passed"): ["new.py: clean"],
        ("tell-of-lint", "passed"): ["not done yet"],
    },
    "pr-triage": {
        ("triage-pull-requests", "passed"): [
            "later: Pull request #3 by ann: A whole idea",
            "urgent: Pull request #2 by ann: Fix the crash at",
        ],
        ("triage-bugs", "passed"): ["later: Issue #7: Wrong total (for bob)"],
    },
    "todo-worker": {
        ("work-on-tasks", "passed"): ["done: water the plants", "done: write the report"]
    },
    "nightly-digest": {
        ("collect", "failed"): ["exit 1"],
        ("collect", "passed"): ["mail: 3 new (collect for mon)"],
        ("digest", "passed"): ["DIGEST of mail mail: 3 new (collect for mon)"],
    },
}


def run(name: str, programs: Path, user: Path) -> str:
    """Run an example and return what it printed; nothing is left where it lies."""
    before = sorted(path.name for path in (EXAMPLES / name).iterdir())
    done = subprocess.run(
        ["/bin/sh", str(EXAMPLES / name / "run.sh")],
        capture_output=True,
        text=True,
        cwd=user,
        env={"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(user), "TZ": "UTC", "COLUMNS": "200"},
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (EXAMPLES / name).iterdir()) == before
    return done.stdout


def rows(text: str) -> dict[tuple[str, str], list[str]]:
    """Return the executions in a listing: cue and status to what they said, sorted."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in text.splitlines():
        if line[:2] in ("✓ ", "✗ "):
            _, run, word, *rest = line.split()
            cue = run.partition("~")[0]
            found.setdefault((cue, word), []).append(" ".join(rest))
    return found


@pytest.mark.parametrize("name", STORIES)
def test_an_example_ends_as_it_says(name: str, programs: Path, tmp_path: Path) -> None:
    found = rows(run(name, programs, tmp_path))
    assert found.keys() == STORIES[name].keys()
    for key, wanted in STORIES[name].items():
        assert len(found[key]) == len(wanted), (key, found[key])
        for text in wanted:
            assert any(text in row for row in found[key]), (text, found[key])


def test_the_todo_list_is_worked_off(programs: Path, tmp_path: Path) -> None:
    text = run("todo-worker", programs, tmp_path)
    assert "- [x] water the plants\n- [x] write the report\n" in text


def test_the_diamond_joins_both_sides(programs: Path, tmp_path: Path) -> None:
    text = run("diamond", programs, tmp_path)
    last = text.splitlines()[-1]
    assert last.startswith("reporter saw: ")
    assert "security saw: planner saw: the change" in last
    assert "style saw: planner saw: the change" in last
    assert len(re.findall("review(~1)? +passed", text)) == 2
    assert len(re.findall("report +passed", text)) == 1


def test_every_example_has_a_page_and_a_valid_file(programs: Path, tmp_path: Path) -> None:
    for name in (*STORIES, "diamond"):
        assert (EXAMPLES / name / "README.md").read_text().startswith("# ")
        shutil.copytree(EXAMPLES / name, tmp_path / name)
        done = subprocess.run(
            [str(programs / "cuectl"), "validate", str(tmp_path / name / "cue.yaml")],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TZ": "UTC"},
            timeout=LIMIT_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), name
