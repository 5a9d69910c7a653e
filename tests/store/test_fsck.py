"""The check of the store: clean is clean, and each kind of difference has its name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cuectl.cues.create import creation_event, planned_views
from cuectl.cues.rules.record import CueState
from cuectl.executions import claim
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, read_applied, sealed, write_applied
from cuectl.store.pass_files import PassFile
from cuectl.store.repair import fsck
from cuectl.store.repair.fsck import FsckReport, check
from cuectl.store.store import Store
from cuectl.values.records import replace
from tests.fixtures.past import START, a_cue, an_execution, create, note, rotate, settle, succeeded


@pytest.fixture
def store(home: Path) -> Store:
    store = Store(str(home))
    cue = create(store, a_cue(trigger={"type": "at", "at": "2027-01-01T00:00:00Z"}))
    settle(store, succeeded(an_execution(cue)))
    rotate(store, START)
    settle(store, succeeded(an_execution(cue, START + 60_000)))
    # The state that settling wrote has no next time; this one has.
    with store.transaction(START) as tx:
        tx.stage(JournalEntry(type="cue.updated", set=planned_views(cue, CueState(), START)))
    return store


def look(store: Store) -> FsckReport:
    """Check as another process would."""
    return check(Store(store.home))


def found(store: Store) -> list[tuple[str, str, str]]:
    return [(one.level, one.kind, one.subject) for one in look(store).findings]


def segments(store: Store) -> list[Path]:
    return sorted(Path(store.home, "journal").glob("0*.jsonl"))


CUE = a_cue()


def test_a_whole_store_is_clean(store: Store) -> None:
    report = look(store)

    assert report.findings == ()
    assert report.is_clean
    assert report.seq == report.lines == store.journal.place.seq
    assert report.views == 4


def test_a_new_home_is_clean(tmp_path: Path) -> None:
    from cuectl.store import home as home_directory

    home_directory.make(str(tmp_path / "cue"))

    assert check(Store(str(tmp_path / "cue"))).findings == ()


def test_views_that_are_merely_behind_are_healed_and_not_reported(store: Store) -> None:
    with store.transaction(START, flush=False) as tx:
        tx.stage(creation_event(tx, a_cue("late"), START))

    assert look(store).findings == ()
    assert Path(store.home, paths.cue(a_cue("late").id)).exists()


def test_a_missing_view_is_named(store: Store) -> None:
    Path(store.home, paths.cue(CUE.id)).unlink()

    assert found(store) == [("error", "missing", paths.cue(CUE.id))]


def test_a_missing_marker_is_named(store: Store) -> None:
    (marker,) = Path(store.home, "due").glob("*/*/*")
    marker.unlink()

    assert found(store) == [("error", "missing", str(marker.relative_to(store.home)))]


def test_a_view_too_many_is_named(store: Store) -> None:
    Path(store.home, "cues/cue_stranger.json").write_text("{}")
    Path(store.home, "due/500000").mkdir()
    Path(store.home, "due/500000/stray").touch()

    assert found(store) == [
        ("error", "extra", "cues/cue_stranger.json"),
        ("error", "extra", "due/500000/stray"),
    ]


def test_a_view_that_differs_is_named_with_its_members(store: Store) -> None:
    path = Path(store.home, paths.cue(CUE.id))
    path.write_text(path.read_text().replace('"name":"audit"', '"name":"other"'))

    (finding,) = look(store).findings

    assert (finding.kind, finding.subject) == ("damaged", paths.cue(CUE.id))
    assert finding.message == "its sum is not that of what it holds"

    record = json.loads(path.read_text())
    del record["seal"]
    path.write_bytes(sealed(record, paths.cue(CUE.id)))
    (finding,) = look(store).findings

    assert (finding.kind, finding.subject) == ("different", paths.cue(CUE.id))
    assert finding.message == "it differs from the journal in 'name'"


@pytest.mark.parametrize("content", [b"", b"[]", b"\x00" * 100, b'{"id": '])
def test_a_damaged_view_is_named(store: Store, content: bytes) -> None:
    Path(store.home, paths.cue(CUE.id)).write_bytes(content)

    (finding,) = look(store).findings

    assert finding.kind in ("damaged", "different")
    assert finding.subject == paths.cue(CUE.id)


def test_a_changed_byte_in_any_line_is_named_with_segment_and_number(store: Store) -> None:
    for segment in segments(store):
        raw = segment.read_bytes()
        for number, line in enumerate(raw.splitlines(keepends=True)[:-1], 1):
            start = raw.index(line)
            segment.write_bytes(raw[: start + 40] + b"~" + raw[start + 41 :])

            report = look(store)

            assert report.damaged
            first = report.findings[0]
            assert (first.subject, first.line) == (f"journal/{segment.name}", number)
        segment.write_bytes(raw)
    assert look(store).is_clean


def test_the_last_line_that_was_applied_and_is_changed_is_damage(store: Store) -> None:
    raw = segments(store)[-1].read_bytes()
    segments(store)[-1].write_bytes(raw[:-30] + b"~" + raw[-29:])

    assert look(store).damaged


def test_a_line_that_is_gone_is_named(store: Store) -> None:
    lines = segments(store)[0].read_bytes().splitlines(keepends=True)
    segments(store)[0].write_bytes(b"".join([lines[0], *lines[2:]]))

    report = look(store)

    assert report.damaged
    assert report.findings[0].message == "line 3 where 2 should stand"


def test_lines_in_another_order_are_named(store: Store) -> None:
    lines = segments(store)[0].read_bytes().splitlines(keepends=True)
    segments(store)[0].write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))

    assert look(store).damaged


def test_a_segment_that_is_gone_is_named(store: Store) -> None:
    rotate(store, START)
    segments(store)[1].unlink()

    report = look(store)

    assert report.damaged
    assert "it begins with line" in report.findings[0].message


def test_the_first_segment_that_is_gone_is_named(store: Store) -> None:
    segments(store)[0].unlink()

    assert look(store).damaged


def test_a_packed_segment_that_is_damaged_is_named(store: Store) -> None:
    import gzip

    first = segments(store)[0]
    packed = bytearray(gzip.compress(first.read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    first.with_name(f"{first.name}.gz").write_bytes(bytes(packed))
    first.unlink()

    report = look(store)

    assert report.damaged
    assert report.findings[0].subject == f"journal/{first.name}"


def test_a_journal_that_lost_its_end_is_named(store: Store) -> None:
    last = segments(store)[-1]
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-1]))

    report = look(store)

    assert report.damaged
    assert "went back" in report.findings[0].message


def test_a_torn_end_is_cut_and_not_reported(store: Store) -> None:
    with segments(store)[-1].open("ab") as file:
        file.write(b'{"seq":4711,"at":')

    assert look(store).findings == ()


def test_half_a_group_at_the_end_is_cut_and_not_reported(store: Store) -> None:
    before = segments(store)[-1].read_bytes()
    with store.transaction(START, flush=False) as tx:
        tx.stage(JournalEntry(type="clock.reset"))
        tx.stage(JournalEntry(type="clock.reset"))
    lines = segments(store)[-1].read_bytes()[len(before) :].splitlines(keepends=True)
    segments(store)[-1].write_bytes(before + lines[0])

    report = look(store)

    assert report.findings == ()
    assert segments(store)[-1].read_bytes() == before


def test_leftovers_are_notes_that_do_not_make_a_store_unclean(store: Store) -> None:
    home = Path(store.home)
    (home / "cues" / "cue_x.json~").touch()
    (home / "next~").touch()
    (home / "passes" / "1-2-3").touch()
    (home / "runs" / "2026-11-21").mkdir(parents=True)
    (home / "runs" / "2026-11-21" / "exec_unknown.out").touch()
    (home / "payloads").mkdir()
    (home / "payloads" / f"{'f' * 64}.json").touch()

    report = look(store)

    assert report.is_clean
    assert sorted(one.subject for one in report.findings) == [
        "cues/cue_x.json~",
        "next~",
        "passes/1-2-3",
        f"payloads/{'f' * 64}.json",
        "runs/2026-11-21/exec_unknown.out",
    ]


def test_outputs_and_passes_that_are_named_are_no_leftovers(store: Store) -> None:
    home = Path(store.home)
    settled = an_execution(CUE)
    running = an_execution(CUE, START + 120_000, pass_id="1-2-3")
    with store.transaction(START) as tx:
        tx.stage(claim.open_event("claimed", running))
    (home / "passes" / "1-2-3").touch()
    living = PassFile(store.home, "9-9-9")
    for execution in (settled, running):
        path = Path(paths.run_file(store.home, execution.id, 1, "out"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert look(store).findings == ()
    living.remove()


def test_a_payload_that_is_needed_and_gone_is_an_error(store: Store) -> None:
    cue = a_cue("large", payload={}, payload_ref="e" * 64)
    create(store, cue)

    assert found(store) == [("error", "payload", f"payloads/{'e' * 64}.json")]


def test_a_checkpoint_that_names_no_line_is_named(store: Store) -> None:
    path = f"{store.home}/journal/checkpoint"
    written = read_applied(path)
    assert written is not None
    wrong = replace(written.position, sum="0" * 16)
    write_applied(path, replace(written, position=wrong))

    assert ("error", "checkpoint", "journal/checkpoint") in found(store)


def test_a_damaged_checkpoint_is_named(store: Store) -> None:
    path = Path(store.home, "journal", "checkpoint")
    path.write_text(path.read_text().replace('"sum":"', '"sum":"0'))

    assert found(store) == [("error", "checkpoint", "journal/checkpoint")]


def test_a_view_that_can_not_be_written_is_named(store: Store) -> None:
    blocked = Path(store.home, paths.cue(a_cue("late").id))
    blocked.mkdir()
    (blocked / "inside").touch()
    with store.transaction(START, flush=False) as tx:
        tx.stage(creation_event(tx, a_cue("late"), START))

    kinds = {(kind, subject) for _, kind, subject in found(store)}

    assert ("behind", paths.cue(a_cue("late").id)) in kinds


def test_a_place_that_can_not_be_written_is_named(store: Store) -> None:
    """Nothing is lost by it, but everything is done again by every command."""
    Path(store.home, "journal", "applied").unlink()
    Path(store.home, "journal", "applied~").mkdir()

    kinds = {(kind, subject) for _, kind, subject in found(store)}

    assert ("behind", "journal/applied") in kinds


def test_the_agenda_is_checked(store: Store) -> None:
    (path,) = Path(store.home, "due").glob("*/*/*")
    with store.transaction(START) as tx:
        tx.stage(JournalEntry(type="cue.updated", set={str(path.relative_to(store.home)): None}))

    assert found(store) == [("error", "no_marker", paths.state(CUE.id))]


def test_what_is_committed_while_the_journal_is_read_is_no_difference(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fsck.suspects

    def meanwhile(home: str, implied: dict) -> set[str]:  # type: ignore[type-arg]
        create(Store(home), a_cue("meanwhile"))
        return real(home, implied)

    monkeypatch.setattr("cuectl.store.repair.fsck.suspects", meanwhile)

    assert look(store).findings == ()


def test_a_base_is_checked_too(store: Store) -> None:
    from cuectl.store.journal.segments import write_base
    from tests.implied import implied_views

    place = store.journal.place
    write_base(store.home, place.seq, place.sum, implied_views(store.home), "2026-11-21T02:00:00Z")
    note(store, START)
    base = next(Path(store.home, "journal").glob("base-*"))
    raw = base.read_bytes()
    base.write_bytes(raw.replace(b"audit", b"audot", 1))

    report = look(store)

    assert report.damaged
    assert report.findings[0].subject == f"journal/{base.name}"
    os.unlink(base)
