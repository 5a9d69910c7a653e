"""Processes are found by what they know of the root, and nobody else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .leftovers import await_quiet, descendants, kill_leftovers, leftovers

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def start(cwd: Path, env: dict[str, str], *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*argv], cwd=cwd, env=env)


def test_a_process_is_found_by_directory_environment_or_arguments(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "root-2"
    root.mkdir()
    other.mkdir()
    path = {"PATH": os.environ["PATH"]}
    found = [
        start(root, path, "sleep", "60"),
        start(other, {**path, "HOME": f"{root}/home"}, "sleep", "60"),
        start(other, path, "sh", "-c", f"sleep 60; : '{root}'"),
    ]
    stranger = start(other, path, "sleep", "60")

    try:
        assert {one.pid for one in found} <= set(leftovers(root))
        assert stranger.pid not in leftovers(root)
        kill_leftovers(root)
        assert leftovers(root) == []
        assert [one.wait() for one in found] == [-9, -9, -9]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_waiting_ends_with_the_last_process_or_with_the_deadline(tmp_path: Path) -> None:
    process = start(tmp_path, {"PATH": os.environ["PATH"]}, "sh", "-c", "read line")
    process.kill()
    process.wait()
    assert await_quiet(tmp_path)

    endless = start(tmp_path, {"PATH": os.environ["PATH"]}, "sleep", "60")
    try:
        assert not await_quiet(tmp_path, 0.05)
    finally:
        endless.kill()
        endless.wait()


def test_descendants_include_grandchildren(tmp_path: Path) -> None:
    script = "sh -c 'echo $$; sleep 60; :'; :"
    process = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())

    try:
        assert child in descendants(process.pid)
    finally:
        kill_leftovers(tmp_path)
        process.wait()
        process.stdout.close()
