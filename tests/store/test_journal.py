"""The journal of one process: finding its end, appending, taking back, going on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.store import files
from cuectl.store.journal.journal import Journal
from cuectl.store.journal.lines import JournalEntry, Position
from cuectl.values.errors import Refused, StateError

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-11-21T02:00:00Z"
FIRST = "000000000001.jsonl"


def events(count: int = 1) -> list[JournalEntry]:
    return [JournalEntry(type="x.y", detail={"n": number}) for number in range(count)]


@pytest.fixture
def journal(home: Path) -> Journal:
    return Journal(str(home))


@pytest.fixture
def other(home: Path) -> Journal:
    """The journal of another process."""
    return Journal(str(home))


def segment(home: Path, name: str = FIRST) -> Path:
    return home / "journal" / name


def test_the_first_append_makes_the_segment(journal: Journal, home: Path) -> None:
    journal.append(events(2), AT)

    assert segment(home).stat().st_mode & 0o777 == 0o600
    assert journal.place.seq == 2
    assert journal.place.size == segment(home).stat().st_size


def test_another_process_takes_in_what_was_appended(journal: Journal, other: Journal) -> None:
    journal.append(events(2), AT)
    assert other.unread()

    assert [line["seq"] for line in other.take_in(cut=True)] == [1, 2]
    assert other.place == journal.place
    assert not other.unread()
    assert other.take_in(cut=True) == []


def test_what_others_append_is_noticed_without_looking_for_the_file(
    journal: Journal, other: Journal
) -> None:
    assert not journal.grew()
    other.append(events(), AT)
    assert journal.grew()
    journal.take_in(cut=True)
    assert not journal.grew()
    journal.append(events(), AT)
    assert not journal.grew()
    other.take_in(cut=True)
    other.rotate(AT)
    assert journal.grew()


def test_two_processes_append_in_turn(journal: Journal, other: Journal) -> None:
    for _ in range(3):
        journal.take_in(cut=True)
        journal.append(events(), AT)
        other.take_in(cut=True)
        other.append(events(2), AT)
    journal.take_in(cut=True)

    assert journal.place == other.place
    assert journal.place.seq == 9


def test_what_another_wrote_is_synced_before_it_is_trusted(
    journal: Journal, other: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    journal.append(events(), AT)
    monkeypatch.setattr(files, "sync", synced.append)
    other.take_in(cut=True)
    assert not other.trusted

    other.sync()
    other.sync()

    assert len(synced) == 1
    assert other.trusted


def test_an_append_that_cannot_be_synced_is_taken_back(
    journal: Journal, other: Journal, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(events(), AT)
    before = segment(home).read_bytes()

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", fail)
        with pytest.raises(OSError, match="Input/output"):
            journal.append(events(3), AT)

    assert segment(home).read_bytes() == before
    other.take_in(cut=True)
    assert other.place.seq == 1


@pytest.mark.parametrize("written", [0, 1, 30])
def test_an_append_that_is_cut_short_is_taken_back(
    journal: Journal, home: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    journal.append(events(), AT)
    before = segment(home).read_bytes()

    def fill(fd: int, data: bytes) -> None:
        os.write(fd, data[:written])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_all", fill)
        with pytest.raises(OSError, match="No space"):
            journal.append(events(), AT)

    assert segment(home).read_bytes() == before


def test_a_torn_end_is_cut_and_kept_aside(journal: Journal, other: Journal, home: Path) -> None:
    journal.append(events(), AT)
    whole = segment(home).read_bytes()
    journal.append(events(3), AT)
    torn = segment(home).read_bytes()[len(whole) : -10]
    segment(home).write_bytes(whole + torn)

    assert [line["seq"] for line in other.take_in(cut=True)] == [1]

    assert segment(home).read_bytes() == whole
    assert (home / "journal" / "torn-2").read_bytes() == torn
    other.append(events(), AT)
    assert other.place.seq == 2


def test_a_torn_end_is_left_alone_without_the_lock(
    journal: Journal, other: Journal, home: Path
) -> None:
    journal.append(events(), AT)
    with segment(home).open("ab") as file:
        file.write(b'{"seq":2')
    before = segment(home).read_bytes()

    other.take_in(cut=False)

    assert segment(home).read_bytes() == before
    assert other.unread()


def test_healing_comes_before_keeping_what_was_torn(
    journal: Journal, other: Journal, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk there is no space to keep it aside, and truncating needs none (A19)."""
    journal.append(events(), AT)
    whole = segment(home).read_bytes()
    segment(home).write_bytes(whole + b"torn")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "replace_file", full)
    other.take_in(cut=True)

    assert segment(home).read_bytes() == whole


def test_damage_in_the_middle_changes_nothing(journal: Journal, other: Journal, home: Path) -> None:
    journal.append(events(), AT)
    journal.append(events(), AT)
    data = segment(home).read_bytes().replace(b'"type":"x.y"', b'"type":"x.z"', 1)
    segment(home).write_bytes(data)

    with pytest.raises(StateError, match="line 1 is damaged"):
        other.take_in(cut=True)
    assert segment(home).read_bytes() == data


def test_a_journal_that_became_shorter_is_an_error(journal: Journal, home: Path) -> None:
    journal.append(events(3), AT)
    os.truncate(segment(home), 10)

    assert journal.unread()
    with pytest.raises(StateError, match="went back"):
        journal.take_in(cut=True)


def test_a_journal_that_was_replaced_is_noticed(journal: Journal, home: Path) -> None:
    journal.append(events(), AT)
    data = segment(home).read_bytes()
    segment(home).unlink()
    segment(home).write_bytes(data)

    assert journal.unread()


def test_a_segment_that_is_gone_is_noticed(journal: Journal, other: Journal, home: Path) -> None:
    journal.append(events(), AT)
    other.start_at(journal.place)
    segment(home).unlink()

    assert other.unread()
    with pytest.raises(StateError, match="is missing"):
        other.take_in(cut=True)


def test_rotation_goes_on_in_a_segment_that_is_named_by_its_first_line(
    journal: Journal, other: Journal, home: Path
) -> None:
    journal.append(events(3), AT)
    journal.rotate(AT)
    journal.append(events(2), AT)

    assert journal.place.segment == "000000000005.jsonl"
    taken = other.take_in(cut=True)
    assert [line["seq"] for line in taken] == [1, 2, 3, 4, 5, 6]
    assert taken[3]["type"] == "journal.closed"
    assert other.place == journal.place
    names = sorted(path.name for path in (home / "journal").iterdir())
    assert names == ["000000000001.jsonl", "000000000005.jsonl"]


def test_rotation_changes_the_size_of_the_old_segment(journal: Journal, home: Path) -> None:
    """Whoever compares it, as the idle path does, sees that something has happened (A5)."""
    journal.append(events(), AT)
    before = segment(home).stat().st_size
    journal.rotate(AT)

    assert segment(home).stat().st_size > before


def test_a_rotation_that_was_killed_in_between_is_finished(
    journal: Journal, other: Journal, home: Path
) -> None:
    journal.append(events(), AT)
    journal.rotate(AT)
    segment(home, "000000000003.jsonl").unlink()

    other.take_in(cut=True)

    assert segment(home, "000000000003.jsonl").exists()
    other.append(events(), AT)
    assert other.place == Position(
        segment="000000000003.jsonl", size=other.place.size, seq=3, sum=other.place.sum
    )


def test_several_rotations_are_followed(journal: Journal, other: Journal) -> None:
    for _ in range(4):
        journal.append(events(), AT)
        journal.rotate(AT)

    assert len(other.take_in(cut=True)) == 8
    assert other.place == journal.place


def test_a_place_is_held_when_its_line_ends_there(journal: Journal, home: Path) -> None:
    journal.append(events(), AT)
    first = journal.place
    journal.append(events(), AT)

    assert journal.holds(first)
    assert journal.holds(journal.place)
    assert not journal.holds(Position(size=first.size - 1, seq=1, sum=first.sum))
    assert not journal.holds(Position(size=first.size, seq=1, sum="0" * 16))
    assert not journal.holds(Position(segment="x.jsonl", size=9, seq=1, sum=first.sum))
    os.truncate(segment(home), first.size)
    assert journal.holds(first)
    assert not journal.holds(journal.place)


def test_the_last_instant_is_that_of_the_last_line(journal: Journal) -> None:
    assert journal.last_at() is None
    journal.append(events(), "2026-11-21T02:00:00Z")
    journal.append(events(), "2026-11-21T02:00:01.500Z")

    assert journal.last_at() == 1_795_226_401_500


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo"])
def test_what_is_no_plain_file_is_refused(
    journal: Journal, home: Path, tmp_path: Path, kind: str
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    if kind == "symlink":
        segment(home).symlink_to(other)
    elif kind == "hard link":
        segment(home).hardlink_to(other)
    else:
        os.mkfifo(segment(home))

    with pytest.raises((Refused, OSError)):
        journal.append(events(), AT)
    assert other.read_bytes() == b""
