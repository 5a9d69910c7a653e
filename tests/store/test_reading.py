"""Reading without the lock."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from cuectl.store import home as lock
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.reading import open_reader
from cuectl.store.store import Store
from cuectl.store.views import BadView
from cuectl.values.errors import StateError
from tests.fixtures.past import START, a_cue, create, note, rotate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(home: Path) -> Store:
    return Store(str(home))


def behind(store: Store, name: str = "late") -> str:
    """Commit a cue as a pass does, which writes the views later; return its path."""
    from cuectl.cues.create import creation_event

    cue = a_cue(name)
    with store.transaction(START, flush=False) as tx:
        tx.stage(creation_event(tx, cue, START))
    return paths.cue(cue.id)


def test_a_home_that_is_not_there_reads_as_an_empty_one() -> None:
    reader = open_reader(None)

    assert reader.read("cues/cue_x.json") is None
    assert reader.names("cues") == []
    assert list(reader.history.newest_first([()])) == []


def test_a_reader_takes_no_lock_when_the_views_are_up_to_date(store: Store, home: Path) -> None:
    cue = create(store, a_cue())
    held = lock.acquire(f"{home}/lock", 1.0)

    try:
        reader = open_reader(Store(str(home)), limit_s=0.0)
    finally:
        os.close(held)

    assert reader.notes == []
    assert reader.read(paths.cue(cue.id)) == cue.to_record()


def test_a_reader_heals_views_that_are_behind(store: Store, home: Path) -> None:
    path = behind(store)
    assert not (home / path).exists()

    reader = open_reader(Store(str(home)))

    assert reader.read(path)
    assert (home / path).exists()
    assert reader.notes == []


def test_when_the_lock_is_not_free_the_journal_is_laid_over_the_views(
    store: Store, home: Path
) -> None:
    create(store, a_cue("early"))
    path = behind(store)
    held = os.open(home / "lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)

    try:
        reader = open_reader(Store(str(home)), limit_s=0.0)
    finally:
        os.close(held)

    assert reader.read(path)
    assert path.split("/")[1] in reader.names("cues")
    assert not (home / path).exists()
    assert "lock is not free" in reader.notes[0]
    assert reader.notes[1] == f"this is as of line {store.journal.place.seq} of the journal"


def test_a_directory_that_can_not_be_written_is_read_in_memory(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = behind(store)

    def refused(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(lock, "acquire", refused)
    reader = open_reader(Store(str(home)))

    assert reader.read(path)
    assert reader.notes[0].endswith("read-only file system")


def test_a_reader_sees_what_is_committed_after_it_was_opened(store: Store, home: Path) -> None:
    create(store, a_cue("early"))
    reader = open_reader(Store(str(home)))

    path = behind(store)

    assert reader.read(path)
    assert path.split("/")[1] in reader.names("cues")
    assert reader.history.place.seq == store.journal.place.seq


def test_a_view_that_is_being_overwritten_is_taken_from_the_journal(
    store: Store, home: Path
) -> None:
    cue = create(store, a_cue())
    reader = open_reader(Store(str(home)))
    with store.transaction(START, flush=False) as tx:
        tx.stage(
            JournalEntry(type="cue.updated", set={paths.cue(cue.id): {"id": cue.id, "new": 1}})
        )
    (home / paths.cue(cue.id)).write_bytes(b'{"id": "half')

    assert reader.read(paths.cue(cue.id)) == {"id": cue.id, "new": 1}
    assert reader.notes == []


def test_a_commit_that_is_taken_back_is_forgotten(store: Store, home: Path) -> None:
    cue = create(store, a_cue())
    reader = open_reader(Store(str(home)))
    segment = home / "journal" / store.journal.place.segment
    size = segment.stat().st_size
    with store.transaction(START, flush=False) as tx:
        tx.stage(JournalEntry(type="cue.updated", set={paths.cue(cue.id): {"id": "wrong"}}))
    assert reader.read(paths.cue(cue.id)) == {"id": "wrong"}

    os.truncate(segment, size)

    assert reader.read(paths.cue(cue.id)) == cue.to_record()


def test_a_damaged_view_is_read_from_the_journal_and_told(store: Store, home: Path) -> None:
    cue = create(store, a_cue())
    (home / paths.cue(cue.id)).write_bytes(b"\x00\x00")

    reader = open_reader(Store(str(home)))

    assert reader.read(paths.cue(cue.id)) == cue.to_record()
    assert "is damaged (not JSON); the journal has it" in reader.notes[0]


def test_a_damaged_file_that_the_journal_does_not_know_stays_damaged(
    store: Store, home: Path
) -> None:
    note(store, START)
    (home / "cues" / "cue_stranger.json").write_bytes(b"[]")

    with pytest.raises(BadView):
        open_reader(Store(str(home))).read("cues/cue_stranger.json")


def test_a_torn_end_of_the_journal_is_not_seen(store: Store, home: Path) -> None:
    create(store, a_cue())
    reader = open_reader(Store(str(home)))
    segment = home / "journal" / store.journal.place.segment
    before = reader.history.place

    with segment.open("ab") as file:
        file.write(b'{"seq":99,"at":"2026')

    assert reader.history.place == before


def test_damage_behind_what_was_applied_is_an_error(store: Store, home: Path) -> None:
    note(store, START)
    segment = home / "journal" / store.journal.place.segment
    size = segment.stat().st_size
    for _ in range(3):
        with store.transaction(START, flush=False) as tx:
            tx.stage(JournalEntry(type="clock.reset"))
    data = bytearray(segment.read_bytes())
    data[size + 30] ^= 1
    segment.write_bytes(bytes(data))

    with pytest.raises(StateError, match="damaged"):
        open_reader(Store(str(home)))


def test_who_may_not_write_a_missing_view_reads_it_from_the_journal(
    store: Store, home: Path
) -> None:
    """Guards: a cue whose file was gone was left out, without a word, while the lock was held."""
    cue, other = create(store, a_cue("gone")), create(store, a_cue("there"))
    (home / paths.cue(cue.id)).unlink()
    held = lock.acquire(f"{home}/lock", 1.0)

    try:
        reader = open_reader(Store(str(home)), limit_s=0.0)
    finally:
        os.close(held)

    assert reader.read(paths.cue(cue.id)) == cue.to_record()
    assert {f"{one.id}.json" for one in (cue, other)} <= set(reader.names("cues"))
    assert not (home / paths.cue(cue.id)).exists()


def test_a_missing_segment_is_told_to_who_may_not_write(store: Store, home: Path) -> None:
    create(store, a_cue("first"))
    rotate(store, START)
    second = create(store, a_cue("second"))
    first = sorted((home / "journal").glob("0*"))[0]
    first.unlink()
    (home / paths.cue(second.id)).unlink()
    held = lock.acquire(f"{home}/lock", 1.0)

    try:
        reader = open_reader(Store(str(home)), limit_s=0.0)
    finally:
        os.close(held)

    assert reader.read(paths.cue(second.id)) == second.to_record()
    assert any(one.startswith("the journal is damaged: ") for one in reader.notes)
