"""The pass that finds nothing: when it is taken, and what ends it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def quiet(cuectl: Cuectl) -> None:
    """Leave a store in which nothing is due for hours."""
    assert cuectl.run("create", "--name", "later", "--in", "5h", "--", "true").status == 0
    assert cuectl.run("run-due").status == 0


def calls(cuectl: Cuectl) -> str:
    """Return which modules of ours a pass imports, and which others beyond an empty program."""
    code = (
        "import sys; before = set(sys.modules); sys.argv = ['cuectl', 'run-due']\n"
        "from cuectl.entry import main\n"
        "status = main()\n"
        "print(' '.join(sorted(set(sys.modules) - before)))\n"
        "raise SystemExit(status)\n"
    )
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=cuectl.environment,
        cwd=cuectl.work,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


IDLE = "cuectl cuectl.entry cuectl.store cuectl.store.idle"


def is_idle(cuectl: Cuectl) -> bool:
    return calls(cuectl) == IDLE


def test_an_idle_pass_imports_next_to_nothing(cuectl: Cuectl, state: StoreState) -> None:
    quiet(cuectl)
    before = (cuectl.home / "last-pass").stat().st_mtime_ns

    assert calls(cuectl) == IDLE
    assert (cuectl.home / "last-pass").stat().st_mtime_ns > before


def test_next_is_at_most_an_hour_ahead(cuectl: Cuectl, state: StoreState) -> None:
    quiet(cuectl)
    words = (cuectl.home / "next").read_text().split()
    since, until_ms = int(words[1]), int(words[2])

    assert until_ms - since == 3_600_000
    assert abs(since - time.time() * 1000) < 300_000


def test_next_ends_with_the_next_marker(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "soon", "--in", "10m", "--", "true")
    cuectl.run("run-due")
    (marker,) = [path for path in state.implied() if path.startswith("due/")]
    words = (cuectl.home / "next").read_text().split()

    assert words[2] == marker.rpartition("/")[2].partition(".")[0]


def change_journal(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "new", "--in", "3h", "--", "true")


def change_definitions(cuectl: Cuectl) -> None:
    (cuectl.home / "cue.yaml").write_text("handlers:\n  a: 'true'\n")


def change_time(cuectl: Cuectl) -> None:
    words = (cuectl.home / "next").read_text().split(" ")
    words[1], words[2] = "0", "1"
    (cuectl.home / "next").write_text(" ".join(words))


def change_boot(cuectl: Cuectl) -> None:
    words = (cuectl.home / "next").read_text().split(" ")
    words[6] = "00000000-0000-4000-8000-000000000000"
    (cuectl.home / "next").write_text(" ".join(words))


def change_heartbeat(cuectl: Cuectl) -> None:
    ahead = time.time_ns() + 3_600_000_000_000
    os.utime(cuectl.home / "last-pass", ns=(ahead, ahead))


def change_line(cuectl: Cuectl) -> None:
    text = (cuectl.home / "next").read_text()
    (cuectl.home / "next").write_text(text[:-3])


def change_layout(cuectl: Cuectl) -> None:
    """Let a newer program take the directory over; what it keeps is not ours to judge."""
    path = cuectl.home / "FORMAT"
    later = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later, later))


def lose_journal(cuectl: Cuectl) -> None:
    """Make it another file of the same size, as a backup that is put back does."""
    path = cuectl.home / "journal" / "000000000001.jsonl"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    path.chmod(0o600)


CHANGES: list[Callable[[Cuectl], None]] = [
    change_journal,
    change_definitions,
    change_time,
    change_boot,
    change_heartbeat,
    change_line,
    change_layout,
    lose_journal,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_ends_the_idle_path(
    cuectl: Cuectl, state: StoreState, change: Callable[[Cuectl], None]
) -> None:
    quiet(cuectl)
    assert is_idle(cuectl)
    change(cuectl)

    assert not is_idle(cuectl)


def test_after_the_full_pass_it_is_idle_again(cuectl: Cuectl, state: StoreState) -> None:
    quiet(cuectl)
    change_journal(cuectl)
    assert not is_idle(cuectl)
    assert is_idle(cuectl)


def test_next_is_not_written_while_something_is_open(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    quiet(cuectl)
    cuectl.run("create", "--name", "job", "--shell", WAITS)
    cuectl.run("fire", "job")
    busy = passes.start("job")
    assert cuectl.run("run-due").status == 0
    assert not (cuectl.home / "next").exists()
    (cuectl.work / "go").touch()

    assert busy.end() == 0
    assert (cuectl.home / "next").exists()


def test_next_is_not_written_while_somebody_waits_for_a_handler(
    cuectl: Cuectl, state: StoreState
) -> None:
    quiet(cuectl)
    cuectl.run("create", "--name", "job", "--task", "nobody")
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    assert not (cuectl.home / "next").exists()


def test_a_manual_verification_does_not_end_the_idle_path(
    cuectl: Cuectl, state: StoreState
) -> None:
    quiet(cuectl)
    cuectl.run("create", "--name", "job", "--verification-mode", "manual", "--", "true")
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    assert is_idle(cuectl)


def test_next_is_not_written_for_definitions_that_are_too_young(
    cuectl: Cuectl, state: StoreState
) -> None:
    quiet(cuectl)
    change_definitions(cuectl)
    cuectl.run("run-due")
    assert not (cuectl.home / "next").exists()
    old = time.time_ns() - 10_000_000_000
    os.utime(cuectl.home / "cue.yaml", ns=(old, old))
    cuectl.run("run-due")

    assert is_idle(cuectl)


@pytest.mark.parametrize("kind", ["fifo", "symlink", "directory"])
def test_next_that_is_no_file_of_ours_is_no_answer(
    cuectl: Cuectl, state: StoreState, tmp_path: Path, kind: str
) -> None:
    quiet(cuectl)
    path = cuectl.home / "next"
    line = path.read_text()
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        (tmp_path / "line").write_text(line)
        path.symlink_to(tmp_path / "line")
    else:
        path.mkdir()

    answer = cuectl.run("run-due", limit_s=60)

    assert answer.status == 0 or kind == "directory"
    if kind == "directory":
        assert "next" in answer.stderr
        path.rmdir()
    elif kind == "symlink":
        assert (tmp_path / "line").read_text() == line


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_home_that_others_may_write_to_is_not_trusted(
    cuectl: Cuectl, state: StoreState, mode: int
) -> None:
    quiet(cuectl)
    cuectl.home.chmod(mode)
    answer = cuectl.run("run-due")
    cuectl.home.chmod(0o700)

    assert answer.status == 8
    assert "others may write" in answer.stderr
    assert "chmod 700" in answer.stderr


def test_a_pretended_time_is_never_idle(cuectl: Cuectl, state: StoreState) -> None:
    quiet(cuectl)
    cuectl.env(CUECTL_NOW=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60)))

    assert not is_idle(cuectl)


def test_a_pass_by_hand_leaves_the_environment_to_the_first_one_of_a_scheduler(
    cuectl: Cuectl,
) -> None:
    """An idle pass notes nothing, so there is none before a scheduler's environment is known."""
    assert cuectl.run("create", "--name", "job", "--cron", "@yearly", "--", "true").status == 0
    noted, line = cuectl.home / "scheduler-environment", cuectl.home / "next"
    ours, its = os.openpty()
    try:
        by_hand = cuectl.start("run-due", stdin=its, stdout=its, stderr=its)
        assert by_hand.wait(60) == 0
    finally:
        os.close(ours)
        os.close(its)
    assert (noted.exists(), line.exists()) == (False, False)
    assert cuectl.run("run-due").status == 0
    assert json.loads(noted.read_text())["HOME"] == str(cuectl.user)
    assert line.exists(), "from now on passes are idle"
