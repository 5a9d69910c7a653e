"""Mending one damaged view in a running command."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cuectl.store import files, paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.repair.fsck import check
from cuectl.store.repair.rebuild import Healed, heal_view
from cuectl.store.store import Store
from cuectl.store.views import BadView
from tests.fixtures.past import START, a_cue, create, note, rotate

CUE = a_cue()
PATH = paths.cue(CUE.id)


@pytest.fixture
def store(home: Path) -> Store:
    store = Store(str(home))
    create(store, CUE)
    rotate(store, START)
    note(store, START)
    return store


def heal(store: Store, path: str = PATH) -> Healed:
    with store.locked():
        return heal_view(store, path, START)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", b'{"id":1}'])
def test_a_damaged_view_is_put_aside_and_written_anew(store: Store, content: bytes) -> None:
    Path(store.home, PATH).write_bytes(content)

    healed = heal(store)

    assert healed.record == CUE.to_record()
    assert store.read(PATH) == CUE.to_record()
    assert healed.kept_as == f"quarantine/{START}-cues-{CUE.id}.json"
    assert Path(store.home, healed.kept_as).read_bytes() == content
    assert check(Store(store.home)).findings == ()


def test_a_directory_in_the_place_of_a_view_is_put_aside(store: Store) -> None:
    Path(store.home, PATH).unlink()
    Path(store.home, PATH).mkdir()

    assert heal(store).kept_as
    assert store.read(PATH) == CUE.to_record()


def test_a_link_in_the_place_of_a_view_is_put_aside(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("{}")
    Path(store.home, PATH).unlink()
    Path(store.home, PATH).symlink_to(tmp_path / "elsewhere")

    heal(store)

    assert store.read(PATH) == CUE.to_record()
    assert (tmp_path / "elsewhere").read_text() == "{}"


def test_the_last_thing_that_the_journal_said_counts(store: Store) -> None:
    with store.transaction(START) as tx:
        tx.stage(JournalEntry(type="cue.updated", set={PATH: {"id": CUE.id, "n": 2}}))
    Path(store.home, PATH).write_bytes(b"damaged")

    assert heal(store).record == {"id": CUE.id, "n": 2}


def test_a_view_that_should_not_be_there_goes(store: Store) -> None:
    with store.transaction(START) as tx:
        tx.stage(JournalEntry(type="cue.deleted", set={PATH: None}))
    Path(store.home, PATH).write_bytes(b"damaged")

    assert heal(store).record is None
    assert not Path(store.home, PATH).exists()


def test_a_stranger_that_the_journal_never_named_goes_to_quarantine(store: Store) -> None:
    Path(store.home, "cues/cue_stranger.json").write_bytes(b"x")

    healed = heal(store, "cues/cue_stranger.json")

    assert (healed.record, healed.kept_as is None) == (None, False)
    assert check(Store(store.home)).findings == ()


def test_a_view_that_is_as_the_journal_says_is_left_alone(store: Store) -> None:
    healed = heal(store)

    assert (healed.reason, healed.kept_as) == ("", None)
    assert not Path(store.home, "quarantine").exists()


def test_two_damaged_files_of_one_instant_are_both_kept(store: Store) -> None:
    kept = []
    for content in (b"first", b"second"):
        Path(store.home, PATH).write_bytes(content)
        kept.append(heal(store).kept_as)

    assert len(set(kept)) == 2


def test_a_lack_of_descriptors_is_not_taken_for_damage(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.read_file

    def no_descriptor(path: str, limit: int = 1 << 20) -> bytes | None:
        if path.endswith(PATH):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, limit)

    monkeypatch.setattr(files, "read_file", no_descriptor)
    with pytest.raises((OSError, BadView)):
        heal(store)

    assert Path(store.home, PATH).exists()
    assert not Path(store.home, "quarantine").exists()


def test_what_a_base_says_is_found(store: Store) -> None:
    from cuectl.store.journal.segments import write_base
    from tests.implied import implied_views

    segments = sorted(Path(store.home, "journal").glob("0*.jsonl"))
    lines = len(segments[0].read_bytes().splitlines())
    chain = segments[0].read_bytes()[-19:-3].decode()
    views = implied_views(store.home)
    write_base(store.home, lines, chain, views, "2026-11-21T02:00:00Z")
    segments[0].unlink()
    Path(store.home, PATH).write_bytes(b"damaged")

    assert heal(store).record == CUE.to_record()
