"""The end of a segment: whole groups are taken in, a torn end is told from damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.store.journal.lines import START_SUM, JournalEntry, encode_group, read_tail

AT = "2026-11-21T02:00:00Z"


def journal(*sizes: int) -> tuple[bytes, list[int]]:
    """Return groups of these sizes, and the offsets at which they end."""
    data, seq, last, ends = b"", 0, START_SUM, []
    for size in sizes:
        events = [JournalEntry(type="x.y", detail={"n": seq + place}) for place in range(size)]
        more, last = encode_group(events, seq + 1, last, AT)
        data += more
        seq += size
        ends.append(len(data))
    return data, ends


def test_whole_groups_are_taken_in() -> None:
    data, ends = journal(1, 3, 2)
    tail = read_tail(data, 0, START_SUM)

    assert [line["seq"] for line in tail.lines] == [1, 2, 3, 4, 5, 6]
    assert (tail.size, tail.torn, tail.damaged) == (ends[-1], b"", None)
    assert tail.sum == tail.lines[-1]["sum"]


def test_nothing_is_a_tail_as_well() -> None:
    tail = read_tail(b"", 4, "f" * 16)

    assert (tail.lines, tail.sum, tail.size, tail.torn) == ([], "f" * 16, 0, b"")


def test_every_cut_leaves_whole_groups_and_a_torn_end() -> None:
    """Each prefix of the bytes: what a power cut may leave of the last writes."""
    data, ends = journal(1, 3, 2)
    for length in range(len(data)):
        tail = read_tail(data[:length], 0, START_SUM)
        whole = max((end for end in ends if end <= length), default=0)
        assert tail.size == whole
        assert tail.torn == data[whole:length]
        assert tail.damaged is None, length


@given(st.integers(0, 4000), st.sampled_from([b"\0", b"\n", b"x", b'{"seq":', b"\xc3"]))
def test_what_a_file_system_leaves_behind_the_last_group_is_torn(count: int, junk: bytes) -> None:
    data, ends = journal(2)
    tail = read_tail(data + junk * (count % 50 + 1), 0, START_SUM)

    assert tail.size == ends[-1]
    assert tail.damaged is None


def test_a_torn_end_that_holds_whole_lines_of_a_group_is_torn() -> None:
    """A group of which some lines are there was never acknowledged (hole A2)."""
    data, ends = journal(1, 3)
    lines = data.splitlines(keepends=True)
    tail = read_tail(b"".join(lines[:3]), 0, START_SUM)

    assert [line["seq"] for line in tail.lines] == [1]
    assert tail.torn == b"".join(lines[1:3])
    assert tail.size == ends[0]


@pytest.mark.parametrize("line", [0, 1, 2, 3])
def test_a_changed_byte_before_a_whole_group_is_damage(line: int) -> None:
    data, _ = journal(1, 3, 2)
    lines = data.splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"type":"x.y"', b'"type":"x.z"')
    tail = read_tail(b"".join(lines), 0, START_SUM)

    assert tail.damaged is not None
    assert f"line {line + 1} is damaged" in tail.damaged


@pytest.mark.parametrize("line", [1, 2])
def test_a_group_whose_beginning_is_lost_is_torn(line: int) -> None:
    """A power cut may keep the second block of a write and lose the first."""
    data, ends = journal(1, 3)
    lines = data.splitlines(keepends=True)
    lines[line] = b"\0" * (len(lines[line]) - 1) + b"\n"
    tail = read_tail(b"".join(lines), 0, START_SUM)

    assert [one["seq"] for one in tail.lines] == [1]
    assert tail.size == ends[0]
    assert tail.damaged is None


def test_a_last_line_that_does_not_follow_is_torn() -> None:
    data, _ = journal(1, 1, 1)
    lines = data.splitlines(keepends=True)
    tail = read_tail(lines[0] + lines[2], 0, START_SUM)

    # The only whole group that follows is the one that does not fit.
    assert [one["seq"] for one in tail.lines] == [1]
    assert tail.torn == lines[2]


def test_lines_that_stand_in_another_order_are_damage() -> None:
    data, _ = journal(1, 1, 1, 1)
    first, second, third, fourth = data.splitlines(keepends=True)
    tail = read_tail(first + third + second + fourth, 0, START_SUM)

    assert tail.damaged is not None


def test_a_group_of_another_journal_is_not_taken_in() -> None:
    data, _ = journal(1)
    other, _ = encode_group([JournalEntry(type="x.y")], 2, "f" * 16, AT)
    tail = read_tail(data + other, 0, START_SUM)

    assert [line["seq"] for line in tail.lines] == [1]
    assert tail.torn == other


def test_reading_goes_on_where_one_stood() -> None:
    data, ends = journal(1, 2, 3)
    before = read_tail(data[: ends[1]], 0, START_SUM)
    after = read_tail(data[ends[1] :], before.lines[-1]["seq"], before.sum)

    assert [line["seq"] for line in after.lines] == [4, 5, 6]
    assert after.damaged is None
