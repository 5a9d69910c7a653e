"""Lines of the journal: chained, checksummed, in groups."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.store.journal.lines import (
    START_SUM,
    SUM_LETTERS,
    BadLine,
    JournalEntry,
    decode_line,
    encode_group,
    sum_of,
)

AT = "2026-11-21T02:00:00Z"
EVENTS = [
    JournalEntry(
        type="cue.created", ids={"cue": "cue_a"}, set={"cues/cue_a.json": {"id": "cue_a"}}
    ),
    JournalEntry(
        type="execution.settled", ids={"execution": "exec_b"}, record={"status": "failed"}
    ),
    JournalEntry(type="clock.reset", detail={"now": AT}, set={"due/1/02/3.c.cue_a": None}),
]


def group(events: list[JournalEntry], seq: int = 1, previous: str = START_SUM) -> list[bytes]:
    """Return the lines of a group without their newlines."""
    data, _ = encode_group(events, seq, previous, AT)
    assert data.endswith(b"\n")
    return data.splitlines()


def test_a_group_counts_down_and_is_chained() -> None:
    lines = group(EVENTS, seq=7, previous="f" * 16)
    bodies = [json.loads(line) for line in lines]

    assert [(body["seq"], body["n"], body["left"]) for body in bodies] == [
        (7, 3, 2),
        (8, 3, 1),
        (9, 3, 0),
    ]
    assert bodies[0]["prev"] == "f" * 16
    assert [body["prev"] for body in bodies[1:]] == [body["sum"] for body in bodies[:2]]
    assert encode_group(EVENTS, 7, "f" * 16, AT)[1] == bodies[2]["sum"]


def test_the_sum_is_that_of_all_bytes_before_it() -> None:
    for line in group(EVENTS):
        body, _, tail = line.rpartition(b',"sum":"')
        assert tail == hashlib.sha256(body).hexdigest()[:SUM_LETTERS].encode() + b'"}'


def test_what_a_line_is_about_stands_near_its_start() -> None:
    """Filters run over bytes, so a member is written in one way only."""
    line = group(EVENTS)[0]

    start = f'{{"seq":1,"at":"{AT}","type":"cue.created","n":3,"left":2,"cue":"cue_a",'
    assert line.startswith(start.encode())


def test_empty_members_are_left_out() -> None:
    body = json.loads(group([JournalEntry(type="x.y")])[0])

    assert body.keys() == {"seq", "at", "type", "n", "left", "prev", "sum"}


def test_a_line_comes_back_as_it_went_in() -> None:
    for event, line in zip(EVENTS, group(EVENTS), strict=True):
        body, line_sum = decode_line(line)
        assert body["type"] == event.type
        assert body.get("set", {}) == event.set
        assert body.get("record") == event.record
        assert body.get("detail") == event.detail
        assert line_sum == body["sum"] == sum_of(line)


@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    line = group(EVENTS)[0]
    place = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != line[place]))
    changed = line[:place] + bytes([byte]) + line[place + 1 :]

    with pytest.raises(BadLine):
        decode_line(changed)


@given(st.integers(0, 400))
def test_any_cut_is_noticed(kept: int) -> None:
    line = group(EVENTS)[0]
    if kept < len(line):
        with pytest.raises(BadLine):
            decode_line(line[:kept])


@pytest.mark.parametrize("body", [b"[1,2", b'{"seq":1', b"nonsense"])
def test_a_right_sum_does_not_make_a_line(body: bytes) -> None:
    line_sum = hashlib.sha256(body).hexdigest()[:SUM_LETTERS].encode()

    with pytest.raises(BadLine):
        decode_line(body + b',"sum":"' + line_sum + b'"}')


def test_text_from_outside_stays_on_its_line() -> None:
    nasty = "line\nbreak \u2028 \x00 \ud800 \x1b[2J é"
    (line,) = group([JournalEntry(type="x.y", detail={"text": nasty})])

    assert b"\n" not in line
    assert line.isascii()
    assert decode_line(line)[0]["detail"]["text"] == nasty


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        group([JournalEntry(type="x.y", detail={"n": number})])
