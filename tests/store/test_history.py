"""Looking through the journal, packed or not, in both directions."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from cuectl.executions.rules.filter import ExecutionFilter
from cuectl.store.history import (
    History,
    earliest_time,
    settled_by_id,
    settled_newest_first,
    spans_of,
)
from cuectl.store.journal.segments import blocks, blocks_backwards
from cuectl.store.store import Store
from tests.fixtures.past import (
    MINUTE,
    START,
    a_cue,
    an_execution,
    create,
    note,
    revise,
    rotate,
    settle,
    succeeded,
)

if TYPE_CHECKING:
    from pathlib import Path

DAY = 24 * 60 * MINUTE


@pytest.fixture
def store(home: Path) -> Store:
    return Store(str(home))


def history_of(store: Store) -> History:
    return History(store.home, store.journal.place)


def settle_some(store: Store, count: int, step: int = MINUTE, first: int = START) -> list[str]:
    """Settle executions of one cue, in three segments; return their ids, oldest first."""
    cue = create(store, a_cue(), first) if first == START else a_cue()
    ids = []
    for number in range(count):
        done = succeeded(an_execution(cue, first + number * step), external_id=f"run-{number}")
        ids.append(settle(store, done).id)
        if number in (count // 3, 2 * count // 3):
            rotate(store, first + number * step)
    return ids


def pack(home: Path, name: str) -> None:
    path = home / "journal" / name
    path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def segment_names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "journal").glob("0*.jsonl"))


def test_settled_executions_come_newest_first_across_segments(store: Store) -> None:
    ids = settle_some(store, 9)

    found = [record["id"] for record in settled_newest_first(history_of(store), ())]

    assert found == ids[::-1]


def test_packed_segments_are_read_like_raw_ones(store: Store, home: Path) -> None:
    ids = settle_some(store, 9)
    for name in segment_names(home)[:2]:
        pack(home, name)

    history = history_of(store)

    assert [record["id"] for record in settled_newest_first(history, ())] == ids[::-1]
    assert [line["seq"] for line in history.oldest_first([()])] == list(
        range(1, store.journal.place.seq + 1)
    )


def test_a_raw_segment_wins_over_a_packed_one_of_its_name(store: Store, home: Path) -> None:
    ids = settle_some(store, 9)
    name = segment_names(home)[0]
    (home / "journal" / f"{name}.gz").write_bytes(b"half a gzip file")

    assert len(list(settled_newest_first(history_of(store), ()))) == len(ids)


def test_a_revision_hides_what_was_before_even_when_it_does_not_match(store: Store) -> None:
    cue = create(store, a_cue())
    done = settle(store, succeeded(an_execution(cue), outcome_state="verification_pending"))
    rotate(store, START)
    revise(store, done, START + DAY, outcome_state="verified_success")
    wanted = ExecutionFilter(outcome_states=("verification_pending",))

    found = [
        record
        for record in settled_newest_first(history_of(store), wanted.needles())
        if wanted.matches(record, lambda one: one["payload"])
    ]

    assert found == []


def test_the_newest_of_several_revisions_counts(store: Store) -> None:
    cue = create(store, a_cue())
    done = settle(store, succeeded(an_execution(cue)))
    once = revise(store, done, START + MINUTE, summary="first")
    revise(store, once, START + 2 * MINUTE, summary="second")

    found = list(settled_newest_first(history_of(store), ()))

    assert [(record["rev"], record["summary"]) for record in found] == [(2, "second")]


def test_an_execution_is_found_by_its_id(store: Store, home: Path) -> None:
    ids = settle_some(store, 9)
    pack(home, segment_names(home)[0])

    for execution_id in ids:
        assert list(settled_by_id(history_of(store), execution_id)) == [execution_id]


def test_an_execution_that_ended_before_its_time_is_found(store: Store) -> None:
    # The clock was in the future when it was claimed, and was put right before it ended.
    cue = create(store, a_cue())
    future = an_execution(cue, START + 1000 * DAY)
    settle(store, succeeded(future), now=START)
    rotate(store, START)
    rotate(store, START + 1000 * DAY)

    assert list(settled_by_id(history_of(store), future.id)) == [future.id]


def test_the_start_of_an_id_finds_all_that_begin_so(store: Store) -> None:
    ids = settle_some(store, 9, step=1)
    start = ids[0][:13]

    found = settled_by_id(history_of(store), start)

    assert sorted(found) == sorted(one for one in ids if one.startswith(start))
    assert len(found) > 1


def test_segments_from_long_before_are_not_opened(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_some(store, 3)
    late = settle_some(store, 3, first=START + 90 * DAY)
    opened: list[str] = []

    def noted(path: str, size: int | None = None):  # type: ignore[no-untyped-def]
        opened.append(path)
        return blocks_backwards(path, size)

    monkeypatch.setattr("cuectl.store.history.blocks_backwards", noted)
    found = settled_newest_first(history_of(store), (), since=START + 80 * DAY)

    assert [record["id"] for record in found][: len(late)] == late[::-1]
    assert len(opened) < len(segment_names(home))


def test_a_damaged_line_is_left_out_and_told(store: Store, home: Path) -> None:
    ids = settle_some(store, 3)
    path = home / "journal" / segment_names(home)[0]
    raw = path.read_bytes()
    at = raw.index(b"reported_success")
    path.write_bytes(raw[:at] + b"X" + raw[at + 1 :])

    history = history_of(store)
    found = [record["id"] for record in settled_newest_first(history, ())]

    assert found == [one for one in ids[::-1] if one != ids[0]]
    assert history.problems == [
        f"a damaged line of '{path.name}' was left out: the sum is not that of the line"
    ]


def test_what_stands_behind_the_last_whole_group_is_not_seen(store: Store, home: Path) -> None:
    settle_some(store, 1)
    history = history_of(store)
    path = home / "journal" / segment_names(home)[-1]
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines()[0] + b"\n")

    assert [line["seq"] for line in history.oldest_first([()])][-1] == store.journal.place.seq
    assert next(history.newest_first([()]))["seq"] == store.journal.place.seq


def test_an_empty_journal_has_no_history(store: Store) -> None:
    assert list(history_of(store).newest_first([()])) == []
    note(store, START)
    assert len(list(history_of(store).newest_first([()]))) == 1


@pytest.mark.parametrize("size", [10, 60_000, 70_000, 500_000])
def test_blocks_hold_whole_lines_in_both_directions(tmp_path: Path, size: int) -> None:
    lines = [f"{number:06d} {'x' * (number * 37 % size)}\n".encode() for number in range(40)]
    path = tmp_path / "000000000001.jsonl"
    path.write_bytes(b"".join(lines))

    backwards = [block for block in blocks_backwards(str(path)) if block]

    assert b"".join(blocks(str(path))) == b"".join(lines)
    assert b"".join(backwards[::-1]) == b"".join(lines)
    assert all(block.endswith(b"\n") for block in backwards)


def test_spans_meet_all_groups_by_any_needle() -> None:
    data = b'{"a":1,"b":2}\n{"a":1,"b":3}\n{"a":2,"b":2}\n'

    def lines(*query: tuple[bytes, ...]) -> list[bytes]:
        return [data[start:end] for start, end in spans_of(data, [query])]

    assert lines((b'"a":1',)) == data.splitlines()[:2]
    assert lines((b'"a":1',), (b'"b":3', b'"b":4')) == [b'{"a":1,"b":3}']
    assert lines((b'"a":1', b'"b":2')) == data.splitlines()
    assert lines() == data.splitlines()
    assert lines((b'"c"',)) == []


@pytest.mark.parametrize("start", ["exec_01kd", "exec_01kdwkt0g0", "exec_01kdwkt0g0akemtc3ynrq657"])
def test_no_id_with_a_start_is_earlier_than_its_earliest_time(start: str) -> None:
    from cuectl.values.ids import time_of

    earliest = earliest_time(start)

    assert earliest is not None
    assert earliest <= (time_of("exec_01kdwkt0g0akemtc3ynrq657") or 0)
