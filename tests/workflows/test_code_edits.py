"""Code edited under recorded histories: what changes a call is found; going back replays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.fixtures.builder import ROOT


def check(first: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.workflows.edited_procedures", str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_edit_that_changes_a_call_is_found_and_runs_that_went_back_replay() -> None:
    check(0, 60)


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(1_000, 2_000, 100))
def test_a_thousand_edits_and_ways_back(first: int) -> None:
    check(first, 100)
