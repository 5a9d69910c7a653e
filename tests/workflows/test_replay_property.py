"""Plain asyncio replays exactly: random procedures, ends in any order, kills, other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from glob import glob

import pytest

from tests.fixtures.builder import ROOT


@cache
def pythons() -> list[str]:
    """Return this Python, and those of other versions on PATH or where pyenv keeps them."""
    places = [sys.executable, *(f"python3.{minor}" for minor in range(11, 20))]
    places += sorted(glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")))
    found: dict[tuple[int, int], str] = {}
    for place in places:
        ask = [place, "-c", "import sys; print(*sys.version_info[:2])"]
        try:
            said = subprocess.run(ask, capture_output=True, check=True, text=True).stdout.split()
        except (OSError, subprocess.CalledProcessError):
            continue
        version = (int(said[0]), int(said[1]))
        if version >= (3, 11):
            found.setdefault(version, place)
    return list(found.values())


def procedures(python: str, words: list[str], seed: str, given: str | None = None) -> str:
    command = [python, "-m", "tests.workflows.random_procedures", *words]
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=given, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    return done.stdout


def replays(first: int, count: int) -> None:
    histories = procedures(sys.executable, [str(first), str(first + count)], "1")
    assert histories.count("\n") == count
    for number, python in enumerate(pythons()):
        assert procedures(python, [], str(7 + number), histories).strip() == "", python


def test_random_procedures_replay_in_other_processes() -> None:
    replays(0, 40)


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(1_000, 2_000, 100))
def test_a_thousand_random_procedures_replay(first: int) -> None:
    replays(first, 100)
