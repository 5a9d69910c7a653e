"""What a disk may hold after a power cut, on small programs whose every state is known."""

from __future__ import annotations

import errno
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from .disk import ReplayMismatchError, history_of
from .operations import Kind, Op
from .power import PowerState, power_states
from .runs import Result, crash_at, fail_at, record, unavailable
from .snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from .durability import Model

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

PRELUDE = """
import os, sys
def make(path, data=b"new", flags=os.O_TRUNC):
    fd = os.open(path, os.O_RDWR | os.O_CREAT | flags)
    os.write(fd, data)
    return fd
def sync(path):
    os.fsync(os.open(path, os.O_RDONLY))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "root"
    directory.mkdir()
    (directory / "old").write_bytes(b"old")
    return directory


def python(body: str) -> list[str]:
    return [sys.executable, "-ISc", PRELUDE + body]


def run(root: Path, body: str) -> Result:
    result = record(python(body), root, cwd=root)
    assert result.status == 0, result.stderr
    return result


def final(runs: list[Result], model: Model = "posix") -> list[PowerState]:
    """Return the states after everything has happened."""
    assert runs[0].start is not None
    states = list(power_states(runs[0].start, runs, model=model))
    return [state for state in states if state.cut == max(one.cut for one in states)]


def contents(state: PowerState) -> dict[str, bytes]:
    nodes = state.snapshot().nodes
    return {path: node.data for path, node in nodes.items() if node.kind == 0o100000}


def possible(runs: list[Result], model: Model = "posix") -> list[dict[str, bytes]]:
    return [contents(state) for state in final(runs, model)]


def test_what_was_synced_with_its_name_is_there_in_every_state(root: Path) -> None:
    runs = [run(root, "os.fsync(make('f')); sync('.')")]

    assert possible(runs) == [{"old": b"old", "f": b"new"}]
    assert possible(runs, "ext4") == [{"old": b"old", "f": b"new"}]


def test_the_name_of_a_synced_file_is_safe_on_ext4_but_not_by_posix(root: Path) -> None:
    runs = [run(root, "os.fsync(make('f'))")]

    assert {"old": b"old"} in possible(runs)
    assert possible(runs, "ext4") == [{"old": b"old", "f": b"new"}]


def test_a_synced_name_without_synced_data_can_lead_to_an_empty_or_torn_file(root: Path) -> None:
    states = possible([run(root, "make('f'); sync('.')")])

    found = {state["f"] for state in states}
    assert found == {b"", b"n", b"ne", b"new", b"\0\0\0"}


def test_a_sync_of_everything_makes_everything_durable(root: Path) -> None:
    assert possible([run(root, "make('f'); os.mkdir('d'); os.sync()")]) == [
        {"old": b"old", "f": b"new"}
    ]


def test_unsynced_changes_may_survive_in_any_mixture_by_posix(root: Path) -> None:
    states = possible([run(root, "os.unlink('old'); make('f', b''); make('g', b'')")])

    names = {frozenset(state) for state in states}
    assert {frozenset(), frozenset({"old", "f", "g"}), frozenset({"old", "g"})} <= names


def test_names_survive_in_their_order_on_ext4(root: Path) -> None:
    states = possible([run(root, "os.unlink('old'); make('f', b''); make('g', b'')")], "ext4")

    assert {frozenset(state) for state in states} == {
        frozenset({"old"}),
        frozenset(),
        frozenset({"f"}),
        frozenset({"f", "g"}),
    }


def test_a_later_append_may_survive_an_earlier_one_with_zeros_between(root: Path) -> None:
    body = "fd = make('old', b'AA', os.O_APPEND); os.write(fd, b'BB')"

    states = {state["old"] for state in possible([run(root, body)])}

    assert {b"old", b"oldAA", b"old\0\0BB", b"oldAABB", b"oldAAB"} <= states


def test_a_rename_in_one_directory_is_all_or_nothing(root: Path) -> None:
    states = possible([run(root, "os.rename('old', 'new')")])

    assert states == [{"old": b"old"}, {"new": b"old"}]


def test_a_rename_between_directories_may_leave_both_names_but_never_none(root: Path) -> None:
    states = possible([run(root, "os.mkdir('d'); sync('.'); os.rename('old', 'd/new')")])

    assert {frozenset(state) for state in states} == {
        frozenset({"old"}),
        frozenset({"old", "d/new"}),
        frozenset({"d/new"}),
    }


def test_a_truncation_comes_before_what_is_written_after_it(root: Path) -> None:
    states = {state["old"] for state in possible([run(root, "make('old', b'X')")])}

    assert states == {b"old", b"", b"X", b"\0"}


def test_a_mode_is_durable_after_fsync_but_not_after_fdatasync(root: Path) -> None:
    os_mode = "os.chmod('old', 0o400); fd = os.open('old', os.O_RDONLY); os.{}(fd)"
    data_only = final([run(root, os_mode.format("fdatasync"))])
    modes = {state.snapshot().nodes["old"].mode for state in data_only}
    (root / "old").chmod(0o644)
    whole = final([run(root, os_mode.format("fsync"))])

    assert modes == {0o644, 0o400}
    assert {state.snapshot().nodes["old"].mode for state in whole} == {0o400}


def test_a_failed_sync_is_not_healed_by_a_second_one(root: Path) -> None:
    body = """
fd = make("old", b"added", os.O_APPEND)
try:
    os.fsync(fd)
except OSError:
    os.fsync(fd)
"""
    failed = fail_at(
        python(body), root, lambda op: op.kind is Kind.SYNC, errno.EIO, cwd=root, data=True
    )

    assert failed.status == 0
    assert {state["old"] for state in possible([failed])} >= {b"old", b"oldadded"}


def test_a_file_opened_for_synced_writes_needs_no_sync(root: Path) -> None:
    runs = [run(root, "make('old', b'!', os.O_APPEND | os.O_DSYNC)")]

    assert possible(runs) == [{"old": b"old!"}]


def test_what_is_outside_of_the_disk_survives_at_once(root: Path) -> None:
    (root / "effects").mkdir()
    result = run(root, "make('effects/e'); make('f')")
    assert result.start is not None

    states = list(power_states(result.start, [result], external=["effects"]))

    ended = [contents(state) for state in states if state.finished]
    assert all(state["effects/e"] == b"new" for state in ended)
    assert {"f" in state for state in ended} == {True, False}
    assert contents(states[0]) == {"old": b"old"}


def test_a_state_knows_what_had_been_said(root: Path) -> None:
    first, second = run(root, "make('f'); print('one')"), run(root, "print('two'); make('g')")
    assert first.start is not None

    states = list(power_states(first.start, [first, second]))

    said = [(len(state.finished), state.printed) for state in states]
    assert said == sorted(said)
    assert set(said) == {(0, ""), (0, "one\n"), (1, ""), (1, "two\n"), (2, "")}


def test_two_commands_in_a_row_share_their_files(root: Path) -> None:
    runs = [run(root, "make('f', b'1', os.O_APPEND)"), run(root, "sync('f'); sync('.')")]

    assert possible(runs) == [{"old": b"old", "f": b"1"}]


def test_what_a_killed_command_left_unsynced_can_still_be_lost(root: Path) -> None:
    body = "os.fdatasync(make('old', b'+', os.O_APPEND))"
    killed = crash_at(python(body), root, lambda op: op.kind is Kind.SYNC, cwd=root, data=True)
    reader = run(root, "assert open('old', 'rb').read() == b'old+'")

    states = possible([killed, reader])

    assert {state["old"] for state in states} == {b"old", b"old+", b"old\0"}


def test_a_renamed_and_relinked_and_removed_tree_is_replayed(root: Path) -> None:
    body = """
import random
chance = random.Random(7)
os.mkdir("a"); os.mkdir("b")
for step in range(150):
    one, two = (f"{chance.choice('ab')}/{chance.randrange(4)}" for _ in range(2))
    try:
        match chance.randrange(8):
            case 0 | 1: os.close(make(one, bytes([65 + step % 26]) * 5, 0))
            case 2: os.rename(one, two)
            case 3: os.link(one, two)
            case 4: os.unlink(one)
            case 5: os.truncate(one, chance.randrange(9))
            case 6: os.symlink(two, one)
            case 7: os.chmod(one, 0o600 + chance.randrange(8))
    except OSError:
        pass
"""
    result = record([sys.executable, "-Sc", PRELUDE + body], root, cwd=root)
    assert result.start is not None

    history = history_of(result.start, [result])

    assert result.status == 0
    assert len(history.events) > 60


def test_a_change_that_nobody_recorded_is_reported(root: Path) -> None:
    result = run(root, "os.posix_spawn('/bin/sh', ['sh', '-c', 'echo x > c'], {}); os.wait()")
    assert result.start is not None

    with pytest.raises(
        ReplayMismatchError, match=r"(?s)the replay differs.*: c: only in the second"
    ):
        list(power_states(result.start, [result]))


def test_a_change_between_two_runs_is_reported(root: Path) -> None:
    first = run(root, "make('f')")
    (root / "f").write_text("other")
    second = run(root, "pass")
    assert first.start is not None

    with pytest.raises(ReplayMismatchError, match="something changed the files before this run"):
        list(power_states(first.start, [first, second]))


def test_a_chosen_number_per_point_is_a_repeatable_part_of_all(root: Path) -> None:
    result = run(root, "[make(name, name.encode()) for name in 'abcd']")
    assert result.start is not None

    def labels(per_point: int | None, seed: int = 0) -> list[str]:
        assert result.start is not None
        states = power_states(result.start, [result], per_point=per_point, seed=seed)
        return [state.label for state in states]

    assert labels(3) == labels(3)
    assert labels(3) != labels(3, seed=1)
    assert len(labels(3)) < len(labels(None)) / 2


def test_a_state_is_written_out_as_files(root: Path, tmp_path: Path) -> None:
    state = final([run(root, "make('f')")])[0]

    state.materialise(tmp_path / "copy")

    assert Snapshot.of(tmp_path / "copy").digest() == state.snapshot().digest()


def test_a_call_that_was_never_executed_changes_nothing(root: Path) -> None:
    killed = crash_at(python("make('f')"), root, 1, cwd=root, data=True)
    assert killed.start is not None

    history = history_of(killed.start, [killed])

    assert history.moments[-1].label == "write f (killed)"
    assert isinstance(killed.hit, Op)
    assert replace(killed.hit, injected=False).result is None
