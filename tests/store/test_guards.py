"""Guards that only a rare state comes to; each of these was once taken away and no test noticed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from cuectl.cues.rules.record import CueState, CueStatus
from cuectl.store import output, paths
from cuectl.store.handler_files import read_env_file
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.store.journal.segments import first_at
from cuectl.store.repair.agenda import corrections
from cuectl.store.repair.fsck import check
from cuectl.store.repair.gc import Keep, collect
from cuectl.store.store import Store
from tests.fixtures.past import START, a_cue, an_execution, create, note, rotate, settle, succeeded

LATER = START + 1000 * 86_400_000
KEEP = Keep(output_s=86_400, journal_s=100 * 86_400)


@pytest.fixture
def store(home: Path) -> Store:
    return Store(str(home))


def test_a_segment_that_is_gone_or_damaged_has_no_first_instant(store: Store) -> None:
    note(store, START)
    path = f"{store.home}/journal/{store.journal.place.segment}"
    raw = Path(path).read_bytes()
    assert first_at(path) == START
    Path(f"{path}.gz").write_bytes(gzip.compress(raw))
    Path(path).unlink()
    assert first_at(path) == START
    Path(f"{path}.gz").write_bytes(b"\x1f\x8b" + b"damaged" * 10)
    assert first_at(path) is None
    Path(f"{path}.gz").unlink()
    assert first_at(path) is None


def test_a_damaged_record_keeps_no_other_from_being_forgotten(store: Store) -> None:
    rested = CueState(status=CueStatus.COMPLETED, last_run=START, last_at=START)
    cues = [create(store, a_cue(name)) for name in ("a", "b", "c")]
    with store.transaction(START) as tx:
        for cue in cues:
            views: Views = {paths.state(cue.id): rested.to_record()}
            tx.stage(JournalEntry(type="cue.updated", set=views))
    Path(store.home, paths.state(cues[0].id)).write_text("damaged")

    assert collect(Store(store.home), KEEP, LATER).forgotten == 2

    left = {path.name for path in Path(store.home, "cues").iterdir()}
    assert {name.partition(".")[0] for name in left} == {cues[0].id}


@pytest.mark.parametrize(
    ("before", "after"),
    [("active", "active"), ("completed", "completed"), ("paused", "paused"), ("held", "paused")],
)
def test_what_has_lost_its_execution_is_paused_only_where_it_waited_for_one(
    before: str, after: str
) -> None:
    cue = a_cue()
    state = {"status": before, "running": ["exec_lost"]}
    known: Views = {
        paths.cue(cue.id): {"id": cue.id, "name": cue.name},
        paths.state(cue.id): state,
        paths.name_key(cue.name): {"cue": cue.id},
    }

    assert corrections(known, START) == {paths.state(cue.id): {"status": after}}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ('""', ""),
        ("''", ""),
        ('"a"', "a"),
        ("'a b'", "a b"),
        ('"', '"'),
        ("'a\"", "'a\""),
        ('a"', 'a"'),
        (" x=y ", "x=y"),
    ],
)
def test_a_value_in_the_file_of_variables_loses_its_quotes_alone(
    home: Path, typed: str, value: str
) -> None:
    (home / "env").write_text(f"export A={typed}\nno-name=1\nB\n")
    (home / "env").chmod(0o600)

    assert read_env_file(str(home)) == {"A": value}


@pytest.mark.parametrize("more", [b'{"seq":', b"x"])
def test_what_stands_behind_the_end_of_a_closed_segment_is_damage(
    store: Store, more: bytes
) -> None:
    """At the end of the journal it would be a write that nobody acknowledged."""
    note(store, START)
    first = Path(store.home, "journal", store.journal.place.segment)
    rotate(store, START)
    assert check(Store(store.home)).findings == ()
    with first.open("ab") as file:
        file.write(more)

    found = check(Store(store.home))

    assert not found.is_clean
    assert f"journal/{first.name}" in {one.subject for one in found.findings}


def test_what_ends_while_the_check_reads_is_known_to_it(store: Store) -> None:
    cue = create(store, a_cue())
    execution = succeeded(an_execution(cue))
    output = Path(paths.run_file(store.home, execution.id, 1, "out"))
    seen: list[str] = []

    def end_one(what: str, *_: int) -> None:
        if not seen:
            output.parent.mkdir(parents=True)
            output.write_bytes(b"done")
            settle(Store(store.home), execution)
        seen.append(what)

    found = check(Store(store.home), end_one)

    assert seen
    assert found.findings == ()
    assert found.seq == 2


def test_a_file_that_ends_in_a_hole_is_read_up_to_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"x" * 5_000)
    os.truncate(path, 1 << 20)
    with path.open("rb") as file:
        found = list(output._ranges(file.fileno(), 0))
        beyond = list(output._ranges(file.fileno(), 1 << 20))

    assert found[0][0] == 0
    assert 5_000 <= found[-1][1] <= 1 << 20
    assert beyond == []
