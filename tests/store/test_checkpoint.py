"""Checkpoints and rotation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.store.journal import checkpoint
from cuectl.store.journal.lines import JournalEntry, read_applied
from cuectl.store.store import Store, StoreLimits

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_226_400_000
ONE = "cues/cue_one.json"
LIMITS = StoreLimits(
    segment_bytes=2_000, checkpoint_events=8, checkpoint_young_events=3, checkpoint_age_ms=60_000
)


@pytest.fixture
def store(home: Path) -> Store:
    return Store(str(home), limits=LIMITS)


def change(store: Store, count: int = 1) -> None:
    for number in range(count):
        with store.transaction(NOW) as tx:
            tx.stage(JournalEntry(type="x.y", set={ONE: {"n": number}}))


def test_a_checkpoint_is_due_by_number_or_by_age(store: Store, home: Path) -> None:
    made_ms = (home / "FORMAT").stat().st_mtime_ns // 1_000_000
    change(store, 2)
    assert not checkpoint.is_due(store, made_ms + 10**9)
    change(store)
    assert not checkpoint.is_due(store, made_ms + 1000)
    assert checkpoint.is_due(store, made_ms + 60_001)
    change(store, 5)
    assert checkpoint.is_due(store, made_ms + 1000)


def test_after_a_checkpoint_it_is_counted_from_there(store: Store, home: Path) -> None:
    change(store, 8)
    checkpoint.checkpoint(store)
    made_ms = (home / "journal" / "checkpoint").stat().st_mtime_ns // 1_000_000
    assert not checkpoint.is_due(store, made_ms + 10**9)
    change(store, 3)
    assert not checkpoint.is_due(store, made_ms + 59_000)
    assert checkpoint.is_due(store, made_ms + 60_001)


def test_a_checkpoint_names_the_place_of_the_views(store: Store, home: Path) -> None:
    with store.transaction(NOW, flush=False) as tx:
        tx.stage(JournalEntry(type="x.y", set={ONE: {"n": 1}}))
    checkpoint.checkpoint(store)
    found = read_applied(f"{home}/journal/checkpoint")

    assert found is not None
    assert found.position == store.journal.place
    assert (home / ONE).exists()


def test_a_failed_sync_takes_applied_away_and_leaves_the_old_checkpoint(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cache shows may not be what is on the disk: it is written anew (hole A8)."""
    change(store)
    checkpoint.checkpoint(store)
    before = (home / "journal" / "checkpoint").read_bytes()
    change(store)

    def fail(_home: str) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "sync_views", fail)
        with pytest.raises(OSError, match="Input/output"):
            checkpoint.checkpoint(store)

    assert (home / "journal" / "checkpoint").read_bytes() == before
    assert not (home / "journal" / "applied").exists()
    kept = os.open(home / ONE, os.O_RDONLY)
    inode = os.fstat(kept).st_ino
    with Store(str(home)).transaction(NOW):
        pass
    assert (home / ONE).stat().st_ino != inode
    os.close(kept)


def test_the_lock_is_free_while_views_are_synced(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cuectl.store import home as lock

    held: list[bool] = []
    monkeypatch.setattr(
        checkpoint, "sync_views", lambda home: held.append(lock.is_held(f"{home}/lock"))
    )
    change(store)
    checkpoint.checkpoint(store)

    assert held == [False]


def test_a_large_segment_is_closed(store: Store, home: Path) -> None:
    names: list[int] = []
    for _ in range(30):
        change(store)
        with store.locked():
            checkpoint.rotate_if_large(store, NOW)
        names.append(len(list((home / "journal").glob("0*.jsonl"))))

    assert names[0] == 1
    assert names[-1] > 2
    assert sorted(names) == names
    with Store(str(home)).transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 0}


def test_views_are_written_before_a_segment_is_closed(store: Store, home: Path) -> None:
    """Whoever begins in the new segment needs nothing of the old one."""
    change(store, 20)
    with store.transaction(NOW, flush=False) as tx:
        tx.stage(JournalEntry(type="x.y", set={ONE: {"n": 99}}))
    with store.locked():
        store.flush()
        checkpoint.rotate_if_large(store, NOW)
    applied = read_applied(f"{home}/journal/applied")

    assert applied is not None
    assert applied.position.size == 0
    assert applied.position.segment != "000000000001.jsonl"


def test_a_rebuild_that_has_begun_takes_away_a_checkpoint_that_is_being_made(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(store)
    checkpoint.checkpoint(store)
    monkeypatch.setattr(checkpoint, "sync_views", checkpoint.withdraw)
    checkpoint.checkpoint(store)
    assert not [name for name in os.listdir(home / "journal") if name.startswith("checkpoint")]
    monkeypatch.undo()
    checkpoint.checkpoint(store)
    made = read_applied(f"{home}/journal/checkpoint")
    assert made is not None
    assert made.position == store.journal.place
