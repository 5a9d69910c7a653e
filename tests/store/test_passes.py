"""The file of a pass: its lock and its spawn log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cuectl.store import pass_files
from cuectl.store.pass_files import PassFile, Spawned, read_spawn_log

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "1795226400000-4711-16"
ROOT = Path(__file__).resolve().parents[2]


def spawn_log(home: Path) -> dict[str, Spawned]:
    found = read_spawn_log(str(home), ID)
    assert found is not None
    return found


def test_a_pass_is_alive_until_its_process_is_gone(home: Path) -> None:
    code = (
        "import sys\nfrom cuectl.store.pass_files import PassFile\n"
        f"file = PassFile({str(home)!r}, {ID!r})\nprint('there', flush=True)\ninput()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"there\n"
    assert pass_files.is_alive(str(home), ID)
    assert pass_files.pass_ids(str(home)) == [ID]
    process.kill()
    process.communicate()

    assert not pass_files.is_alive(str(home), ID)
    assert spawn_log(home) == {}
    pass_files.remove(str(home), ID)
    assert pass_files.pass_ids(str(home)) == []
    assert read_spawn_log(str(home), ID) is None
    assert not pass_files.is_alive(str(home), ID)


def test_the_spawn_log_tells_what_became_of_each(home: Path) -> None:
    file = PassFile(str(home), ID)
    file.starting("exec_a.1", 10)
    file.started("exec_a.1", 100)
    file.starting("exec_b.1", 20)
    file.ended("exec_a.1", 256)
    file.starting("exec_a.2", 30)
    file.starting("exec_a.1.check", 40)
    file.started("exec_a.1.check", 101)

    assert spawn_log(home) == {
        "exec_a.1": Spawned(started_ns=10, pid=100, status=256),
        "exec_b.1": Spawned(started_ns=20),
        "exec_a.2": Spawned(started_ns=30),
        "exec_a.1.check": Spawned(started_ns=40, pid=101),
    }
    file.remove()


def test_a_second_start_of_the_same_begins_anew(home: Path) -> None:
    """A checker that died is run again under the same name."""
    file = PassFile(str(home), ID)
    for number in (1, 2):
        file.starting("exec_a.1.check", number)
        assert spawn_log(home)["exec_a.1.check"] == Spawned(started_ns=number)
        file.started("exec_a.1.check", 100 + number)
        file.ended("exec_a.1.check", 9)
    file.remove()


@pytest.mark.parametrize(
    "text",
    [
        "S exec_a.1 5\nP exec_a",
        "S exec_a.1 5\nP exec_a.1 12",
        "S exec_a.1 5\nP exec_a.1 x\n",
        "S exec_a.1 5\n\nnonsense\n\xff\n",
        "P exec_b.1 7\nX exec_b.1 0\nS exec_a.1 5\n",
    ],
)
def test_lines_that_are_not_whole_say_nothing(home: Path, text: str) -> None:
    (home / "passes" / ID).write_bytes(text.encode("latin-1"))

    assert spawn_log(home) == {"exec_a.1": Spawned(started_ns=5)}


def test_a_line_after_one_that_was_cut_short_counts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk cuts a line; the next one must not be lost, or its process runs twice."""
    import os

    from cuectl.store import files

    file = PassFile(str(home), ID)

    def cut(fd: int, data: bytes) -> None:
        os.write(fd, data[:5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_all", cut)
        with pytest.raises(OSError, match="No space"):
            file.starting("exec_a.1", 1)
    file.starting("exec_b.1", 2)

    assert spawn_log(home) == {"exec_b.1": Spawned(started_ns=2)}


def test_a_pass_is_not_seen_before_it_is_locked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without its lock is that of a dead pass, and would be taken away."""
    seen: list[list[str]] = []
    lock: Callable[..., None] = pass_files.fcntl.flock  # type: ignore[attr-defined]

    def watch(*arguments: int) -> None:
        seen.append(pass_files.pass_ids(str(home)))
        lock(*arguments)

    monkeypatch.setattr("fcntl.flock", watch)
    file = PassFile(str(home), ID)

    assert seen == [[]]
    assert pass_files.pass_ids(str(home)) == [ID]
    file.remove()


def test_two_passes_never_share_a_file(home: Path) -> None:
    file = PassFile(str(home), ID)
    (home / "passes" / f"{ID}~").touch()
    with pytest.raises(FileExistsError):
        PassFile(str(home), ID)
    file.remove()
