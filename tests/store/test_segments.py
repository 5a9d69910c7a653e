"""All segments together: which there are, what they imply, where one begins."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from cuectl.store.journal import segments
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.store.store import Store
from cuectl.values.errors import StateError
from tests.implied import implied_views

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_226_400_000
ONE, TWO = "cues/cue_one.json", "cues/cue_two.json"


@pytest.fixture
def three(home: Path) -> Path:
    """A home with three segments of three lines; the last line of the first two closes them."""
    store = Store(str(home))
    for segment in range(3):
        for number in range(2):
            with store.transaction(NOW) as tx:
                tx.stage(JournalEntry(type="x.y", set={ONE: {"n": segment * 10 + number}}))
        if segment < 2:
            with store.locked():
                store.flush()
                store.journal.rotate("2026-11-21T02:00:00Z")
                store.flush()
    return home


def names(home: Path) -> list[str]:
    return [path.rpartition("/")[2] for path in segments.segment_files(str(home))]


def pack(path: Path, *, keep: bool = False) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    if not keep:
        path.unlink()


def test_segments_come_oldest_first(three: Path) -> None:
    (three / "journal" / "torn-3").touch()
    (three / "journal" / "000000000009.jsonl~").touch()

    assert names(three) == [f"00000000000{number}.jsonl" for number in (1, 4, 7)]
    assert [line["seq"] for line in segments.read_lines(str(three))] == list(range(1, 9))


def test_a_packed_segment_reads_like_any(three: Path) -> None:
    pack(three / "journal" / "000000000001.jsonl")
    assert names(three)[0] == "000000000001.jsonl.gz"
    assert [line["seq"] for line in segments.read_lines(str(three))] == list(range(1, 9))


def test_where_both_exist_the_raw_one_wins(three: Path) -> None:
    """Packing removes the raw one last, so the packed one may not be whole."""
    path = three / "journal" / "000000000001.jsonl"
    pack(path, keep=True)
    path.with_name(f"{path.name}.gz").write_bytes(b"half")

    assert names(three)[0] == "000000000001.jsonl"
    assert implied_views(str(three)) == {ONE: {"n": 21}}


@pytest.mark.parametrize("damage", ["cut", "nonsense"])
def test_a_damaged_packed_segment_is_an_error(three: Path, damage: str) -> None:
    path = three / "journal" / "000000000001.jsonl"
    pack(path)
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(packed.read_bytes()[:-20] if damage == "cut" else b"nonsense")

    with pytest.raises(StateError, match="damaged"):
        list(segments.read_lines(str(three)))


def test_damage_names_the_segment_and_the_line(three: Path) -> None:
    path = three / "journal" / "000000000004.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":10', b'"n":99'))

    with pytest.raises(StateError, match=r"000000000004\.jsonl.*line 4"):
        list(segments.read_lines(str(three)))


def test_a_missing_segment_is_an_error(three: Path) -> None:
    (three / "journal" / "000000000004.jsonl").unlink()
    with pytest.raises(StateError):
        list(segments.read_lines(str(three)))


def test_missing_first_segments_are_an_error(three: Path) -> None:
    (three / "journal" / "000000000001.jsonl").unlink()
    (three / "journal" / "applied").unlink()
    with pytest.raises(StateError, match="lacks its first segments"):
        with Store(str(three)).locked():
            pass


def test_what_is_implied_is_the_last_word_on_each_view(home: Path) -> None:
    store = Store(str(home))
    steps: list[Views] = [{ONE: {"n": 1}, TWO: {"n": 1}}, {ONE: None}, {ONE: {"n": 2}, TWO: None}]
    for views in steps:
        with store.transaction(NOW) as tx:
            tx.stage(JournalEntry(type="x.y", set=views))

    assert implied_views(str(home)) == {ONE: {"n": 2}}
    assert segments.last_values(str(home), [ONE, TWO, "cues/x"]) == {ONE: {"n": 2}, TWO: None}


def test_an_empty_journal_implies_nothing(home: Path) -> None:
    assert implied_views(str(home)) == {}
    assert segments.segment_files(str(home)) == []
    overlay: Views = {}
    assert segments.first_place(str(home), overlay).seq == 0
    assert overlay == {}


def test_without_checkpoint_one_begins_behind_the_packed_ones(three: Path) -> None:
    pack(three / "journal" / "000000000001.jsonl")
    overlay: Views = {}
    place = segments.first_place(str(three), overlay)

    assert (place.segment, place.seq, place.size) == ("000000000004.jsonl", 3, 0)
    assert overlay == {ONE: {"n": 1}}
    (three / "journal" / "applied").unlink()
    with Store(str(three)).transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 21}
