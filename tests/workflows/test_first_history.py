from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.workflows.rules.first_history import Past
from cuectl.workflows.rules.history import HistoryMismatch, shown_call


def call(step: int, place: str, name: str = "bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "call", "step": step, "place": place, "name": name, "arguments": arguments}


def ended(step: int, value: object) -> dict[str, Any]:
    return {"type": "call.ended", "step": step, "name": "bash", "result": {"value": value}}


def test_a_finished_call_has_its_result_and_an_open_one_has_none() -> None:
    past = Past([call(1, "0", cmd="a"), ended(1, "A"), call(2, "1", cmd="b")])
    first, second = past.match("0", "bash", {"cmd": "a"}), past.match("1", "bash", {"cmd": "b"})
    assert first is not None
    assert first.result == {"value": "A"}
    assert second is not None
    assert second.result is None
    assert past.match("2", "bash", {"cmd": "c"}) is None
    assert past.steps == 2


def test_another_call_at_a_place_names_both() -> None:
    past = Past([call(1, "0", cmd="a")])
    with pytest.raises(HistoryMismatch) as found:
        past.match("0", "send", {"text": "x"})
    assert str(found.value) == 'call 0 was bash(cmd="a") and is now send(text="x")'


def test_a_call_that_is_not_made_again_is_found() -> None:
    past = Past([call(1, "0", cmd="a"), call(2, "1", cmd="b"), call(3, "1.0/0", cmd="c")])
    assert past.match("0", "bash", {"cmd": "a"}) is not None
    left = past.first_untaken()
    assert left is not None
    assert left.place == "1"


def test_after_a_checkpoint_calls_are_matched_by_their_content() -> None:
    records = [
        call(1, "0", cmd="a"),
        {"type": "checkpoint", "step": 1, "name": "n", "payload": {"done": ["a"]}},
        call(2, "1", cmd="b"),
        ended(2, "B"),
    ]
    past = Past(records)
    newest = past.resume_from_checkpoint()
    assert newest is not None
    assert newest["payload"] == {"done": ["a"]}
    assert past.match("0", "bash", {"cmd": "new"}) is None
    known = past.match("1", "bash", {"cmd": "b"})
    assert known is not None
    assert known.result == {"value": "B"}
    assert past.match("2", "bash", {"cmd": "b"}) is None
    assert past.match("3", "bash", {"cmd": "a"}) is None
    assert past.first_untaken() is None


def test_a_long_call_is_shown_in_one_line() -> None:
    shown = shown_call("send", {"text": "x\n" * 500, "timeout": None})
    assert len(shown) < 200
    assert "\n" not in shown


COMMANDS = st.lists(st.text(max_size=5), max_size=8)


@given(COMMANDS, st.integers(0, 8))
def test_the_same_calls_find_their_past_up_to_where_it_ends(commands: list[str], cut: int) -> None:
    records = [call(n + 1, str(n), cmd=cmd) for n, cmd in enumerate(commands)][:cut]
    past = Past(records)
    for number, cmd in enumerate(commands):
        found = past.match(str(number), "bash", {"cmd": cmd})
        assert (found is not None) == (number < len(records))
    assert past.first_untaken() is None
