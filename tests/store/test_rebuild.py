"""Writing the views anew, and going on over a damaged journal."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from cuectl.cues.create import creation_event
from cuectl.store import paths
from cuectl.store.history import settled_newest_first
from cuectl.store.home import named_lock
from cuectl.store.journal.lines import JournalEntry, encode_group
from cuectl.store.reading import open_reader
from cuectl.store.repair.fsck import check, view_files
from cuectl.store.repair.rebuild import LOCK_NAME, Rebuilt, rebuild
from cuectl.store.store import Store
from cuectl.values.errors import LockTimeout, StateError
from cuectl.values.times import to_text
from tests.fixtures.past import (
    MINUTE,
    START,
    a_cue,
    an_execution,
    create,
    note,
    rotate,
    settle,
    succeeded,
)
from tests.implied import implied_views

AUDIT, BACKUP, LATE = a_cue("audit"), a_cue("backup"), a_cue("late")


@pytest.fixture
def store(home: Path) -> Store:
    """Three cues; `audit` settled twice; three segments."""
    store = Store(str(home))
    create(store, AUDIT)
    settle(store, succeeded(an_execution(AUDIT)))
    rotate(store, START)
    create(store, BACKUP)
    settle(store, succeeded(an_execution(AUDIT, START + MINUTE)))
    rotate(store, START)
    create(store, LATE)
    note(store, START)
    return store


def rebuilt(store: Store, *, accept_loss: bool = False) -> Rebuilt:
    return rebuild(Store(store.home), START, accept_loss=accept_loss)


def contents(store: Store) -> dict[str, bytes]:
    return {path: Path(store.home, path).read_bytes() for path in view_files(store.home)}


def segments(store: Store) -> list[Path]:
    return sorted(Path(store.home, "journal").glob("0*.jsonl"))


def damage(path: Path, place: bytes) -> None:
    """Change one byte of the line that has `place`, not of any path in it."""
    raw = path.read_bytes()
    line = raw.rindex(b"\n", 0, raw.index(place)) + 1 if b"\n" in raw[: raw.index(place)] else 0
    at = raw.index(b'"at":"2026', line) + 7
    path.write_bytes(raw[:at] + b"~" + raw[at + 1 :])


def settled(store: Store) -> int:
    return len(list(settled_newest_first(open_reader(Store(store.home)).history, ())))


def assert_it_goes_on(store: Store) -> None:
    """Check that the store is whole, takes a change, and starts from its journal alone."""
    other = Store(store.home)
    create(other, a_cue("after"), START)
    report = check(Store(store.home))
    assert report.is_clean, report.findings
    on_disk = contents(store)
    for name in ("applied", "checkpoint"):
        Path(store.home, "journal", name).unlink()
    for path in on_disk:
        Path(store.home, path).unlink()
    with Store(store.home).locked():
        pass
    assert contents(store) == on_disk


def test_a_rebuild_changes_nothing_in_a_whole_store(store: Store) -> None:
    before = contents(store)

    done = rebuilt(store)

    assert contents(store) == before
    assert (done.views, done.removed, done.failed) == (len(before), (), ())
    assert check(Store(store.home)).findings == ()


def test_missing_damaged_and_strange_views_are_mended(store: Store) -> None:
    before = contents(store)
    home = Path(store.home)
    (home / paths.cue(AUDIT.id)).write_bytes(b"damaged")
    (home / paths.cue(BACKUP.id)).unlink()
    (home / "cues" / "cue_stranger.json").write_text("{}")
    (home / "cues" / "cue_half.json~").write_text("{")

    done = rebuilt(store)

    assert contents(store) == before
    assert sorted(done.removed) == ["cues/cue_half.json~", "cues/cue_stranger.json"]
    assert check(Store(store.home)).findings == ()


def test_all_views_can_be_lost(store: Store) -> None:
    before = contents(store)
    for folder in ("cues", "keys", "journal/applied", "journal/checkpoint"):
        path = Path(store.home, folder)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    rebuilt(store)

    assert contents(store) == before


@pytest.mark.parametrize("lost", [0, 1])
def test_a_group_that_lost_its_beginning_does_not_keep_a_rebuild(store: Store, lost: int) -> None:
    """A power cut may keep the end of a write that nobody synced, and lose its beginning."""
    last = segments(store)[-1]
    before = last.read_bytes()
    events = [JournalEntry(type="x.y"), JournalEntry(type="x.y"), JournalEntry(type="x.y")]
    place = store.journal.place
    data, _ = encode_group(events, place.seq + 1, place.sum, to_text(START))
    lines = data.splitlines(keepends=True)
    lines[lost] = b"\0" * (len(lines[lost]) - 1) + b"\n"
    last.write_bytes(before + b"".join(lines))

    done = rebuilt(store)

    assert done.damage == ()
    assert last.read_bytes() == before
    assert_it_goes_on(store)


def test_a_torn_end_does_not_keep_a_rebuild(store: Store) -> None:
    with segments(store)[-1].open("ab") as file:
        file.write(b'{"seq":')

    assert rebuilt(store).damage == ()
    assert check(Store(store.home)).findings == ()


def test_only_one_rebuild_is_at_work(store: Store) -> None:
    with named_lock(store.home, LOCK_NAME), pytest.raises(LockTimeout, match="another"):
        rebuilt(store)


# --- a damaged journal ------------------------------------------------------------------------


def test_a_damaged_journal_is_refused_and_nothing_is_changed(store: Store) -> None:
    damage(segments(store)[1], b'"cue.created"')
    Path(store.home, paths.cue(AUDIT.id)).unlink()
    before = contents(store)

    with pytest.raises(StateError) as error:
        rebuilt(store)

    assert "'journal/000000000004.jsonl:2'" in error.value.message
    assert error.value.hint is not None
    assert "--accept-loss" in error.value.hint
    assert contents(store) == before
    assert not Path(store.home, "quarantine").exists()


def test_views_that_had_seen_the_lost_lines_are_kept(store: Store) -> None:
    before = contents(store)
    damage(segments(store)[1], b'"cue.created"')

    done = rebuilt(store, accept_loss=True)

    assert contents(store) == before
    assert len(done.damage) >= 1
    assert paths.cue(BACKUP.id) in done.kept
    assert settled(store) == 2
    assert_it_goes_on(store)


def test_the_damaged_segment_is_put_aside_and_its_whole_lines_stay(store: Store) -> None:
    original = segments(store)[1]
    damage(original, b'"cue.created"')
    raw = original.read_bytes()

    done = rebuilt(store, accept_loss=True)

    assert [Path(store.home, one).read_bytes() for one in done.put_aside] == [raw]
    assert len(original.read_bytes().splitlines()) == len(raw.splitlines()) - 1


def test_a_view_that_was_removed_by_accident_comes_back(store: Store) -> None:
    damage(segments(store)[1], b'"cue.created"')
    Path(store.home, paths.cue(AUDIT.id)).unlink()

    rebuilt(store, accept_loss=True)

    assert Path(store.home, paths.cue(AUDIT.id)).exists()


def test_a_removal_in_a_lost_line_stays(store: Store) -> None:
    with store.transaction(START) as tx:
        tx.stage(JournalEntry(type="cue.deleted", set={paths.cue(LATE.id): None}))
    note(store, START)
    damage(segments(store)[-1], b'"cue.deleted"')

    rebuilt(store, accept_loss=True)

    assert not Path(store.home, paths.cue(LATE.id)).exists()


def test_what_stands_behind_the_damage_wins_over_a_view(store: Store) -> None:
    with store.transaction(START) as tx:
        tx.stage(
            JournalEntry(type="cue.updated", set={paths.cue(BACKUP.id): {"id": BACKUP.id, "n": 1}})
        )
    damage(segments(store)[0], b'"cue.created"')
    Path(store.home, paths.cue(BACKUP.id)).write_text('{"wrong": 1}')

    rebuilt(store, accept_loss=True)

    reader = open_reader(Store(store.home))
    assert reader.read(paths.cue(BACKUP.id)) == {"id": BACKUP.id, "n": 1}


def test_views_that_were_behind_the_damage_are_taken_from_the_journal(store: Store) -> None:
    for number in range(3):
        with store.transaction(START, flush=False) as tx:
            tx.stage(creation_event(tx, a_cue(f"new-{number}"), START))
    damage(segments(store)[-1], a_cue("new-1").id.encode())

    rebuilt(store, accept_loss=True)

    reader = open_reader(Store(store.home))
    found = [reader.read(paths.cue(a_cue(f"new-{number}").id)) for number in range(3)]
    assert [one is not None for one in found] == [True, False, True]
    assert_it_goes_on(store)


def test_a_journal_that_lost_its_end_goes_on_with_the_newer_views(store: Store) -> None:
    before = contents(store)
    last = segments(store)[-1]
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:1]))

    with pytest.raises(StateError, match="lacks what was already applied"):
        rebuilt(store)
    rebuilt(store, accept_loss=True)

    assert contents(store) == before
    assert_it_goes_on(store)


def test_a_lost_segment_is_survived(store: Store) -> None:
    before = contents(store)
    segments(store)[1].unlink()

    rebuilt(store, accept_loss=True)

    assert contents(store) == before
    assert settled(store) == 1
    assert_it_goes_on(store)


def test_a_lost_first_segment_is_survived(store: Store) -> None:
    before = contents(store)
    segments(store)[0].unlink()

    rebuilt(store, accept_loss=True)

    assert contents(store) == before
    assert_it_goes_on(store)


def test_the_whole_lines_of_a_damaged_packed_segment_are_kept(store: Store) -> None:
    first = segments(store)[0]
    packed = gzip.compress(first.read_bytes() * 1)
    first.with_name(f"{first.name}.gz").write_bytes(packed[:-40])
    first.unlink()

    rebuilt(store, accept_loss=True)

    assert check(Store(store.home)).is_clean
    assert first.exists()
    assert not first.with_name(f"{first.name}.gz").exists()


def test_a_damaged_base_is_survived(store: Store) -> None:
    from cuectl.store.journal.segments import write_base

    before = contents(store)
    place = store.journal.place
    write_base(store.home, place.seq, place.sum, implied_views(store.home), "2026-11-21T02:00:00Z")
    rotate(store, START)
    (base,) = Path(store.home, "journal").glob("base-*")
    base.write_bytes(base.read_bytes()[:-200])

    rebuilt(store, accept_loss=True)

    assert contents(store) == before
    assert len(list(Path(store.home, "journal").glob("base-*"))) == 1
    assert check(Store(store.home)).is_clean


def test_two_damages_in_a_row_can_be_accepted(store: Store) -> None:
    before = contents(store)
    damage(segments(store)[0], b'"cue.created"')
    rebuilt(store, accept_loss=True)
    note(Store(store.home), START)
    note(Store(store.home), START)
    damage(segments(store)[-1], b'"clock.reset"')

    rebuilt(store, accept_loss=True)

    assert contents(store) == before
    assert_it_goes_on(store)


def test_damage_in_lines_that_only_history_has_needs_no_new_base(store: Store) -> None:
    damage(segments(store)[0], b'"cue.created"')
    rebuilt(store, accept_loss=True)
    damage(segments(store)[0], b'"execution.settled"')
    assert not check(Store(store.home)).is_clean
    bases = list(Path(store.home, "journal").glob("base-*"))

    rebuilt(store, accept_loss=True)

    assert list(Path(store.home, "journal").glob("base-*")) == bases
    assert check(Store(store.home)).is_clean
    assert settled(store) == 1


@pytest.mark.parametrize("accept", [False, True])
def test_interrupted_at_any_step_it_can_be_done_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, *, accept: bool
) -> None:
    """The sweep of `tests/faults` does this at every system call; this is the quick look."""
    from cuectl.store import files

    before = contents(store)
    if accept:
        damage(segments(store)[1], b'"cue.created"')
    else:
        Path(store.home, paths.cue(AUDIT.id)).write_bytes(b"damaged")
    whole = Path(store.home)
    copy = whole.with_name("copy")
    shutil.copytree(whole, copy)
    calls = 0
    stop_at = 10_000
    steps: set[str] = set()

    def counted(name: str) -> None:
        real = getattr(files, name)

        def call(*args: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            # A checkpoint that is being made has the number of its process in its name.
            steps.add(f"{name} {os.path.basename(str(args[0])).partition(f'.{os.getpid()}~')[0]}")
            if calls == stop_at:
                raise KeyboardInterrupt
            return real(*args, **options)

        monkeypatch.setattr(files, name, call)

    for name in ("replace_file", "remove_file", "sync_directory", "touch_new", "read_file"):
        counted(name)
    rebuilt(store, accept_loss=accept)
    total = calls

    # The view that was damaged, and what says how far the views are, was one of the steps each.
    mended = ["applied", "checkpoint"] if accept else [paths.cue(AUDIT.id), "applied", "checkpoint"]
    assert {f"replace_file {os.path.basename(one)}" for one in mended} <= steps
    assert any(one.startswith("replace_file base-") for one in steps) == accept
    for stop_at in range(1, total + 1):
        shutil.rmtree(whole)
        shutil.copytree(copy, whole)
        calls = 0
        with pytest.raises(KeyboardInterrupt):
            rebuilt(store, accept_loss=accept)
        calls = -10_000_000
        rebuilt(store, accept_loss=accept)
        assert contents(store) == before, stop_at
        assert check(Store(store.home)).is_clean
