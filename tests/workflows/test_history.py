"""The rules of histories: what counts, what is compared, where a replay goes another way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.workflows.rules.history import (
    Checkpoints,
    Cursor,
    EngineCall,
    HistoryMismatch,
    TimedOut,
    WorkflowError,
    active_ms,
    error_record,
    matched_lines,
    own_notes_at_the_end,
    shown_call,
    shown_command,
)


def numbered(*lines: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"line": number, **line} for number, line in enumerate(lines, 1)]


def call(n: int, name: str = "bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "call", "n": n, "step": n, "name": name, "arguments": arguments}


def ended(n: int, **result: Any) -> dict[str, Any]:
    return {"type": "call.ended", "n": n, "step": n, "result": result or {"value": n}}


def made(n: int, name: str = "bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "call", "n": n, "name": name, "arguments": arguments}


LOG = {"type": "log", "message": "x"}


def test_notes_do_not_count() -> None:
    lines = matched_lines(numbered(LOG, call(1), {"type": "run.parked"}, ended(1), LOG))
    assert [each["line"] for each in lines] == [2, 4]


def test_a_command_is_found_at_the_cursor_or_is_new() -> None:
    cursor = Cursor(numbered(call(1, cmd="a", words=["x"]), ended(1)))
    assert cursor.command(made(1, cmd="a", words=("x",))) is cursor.lines[0]
    assert cursor.event() is cursor.lines[1]
    assert cursor.at_end
    assert (cursor.command(made(2, cmd="b")), cursor.event()) == (None, None)


@pytest.mark.parametrize(
    ("line", "command", "message"),
    [
        (call(1, cmd="a"), made(1, cmd="b"), 'call 1 was bash(cmd="a") and is now bash(cmd="b")'),
        (call(1), made(1, "send"), "call 1 was bash() and is now send()"),
        (call(1), made(2), "call 2 was bash() and is now bash()"),
        (ended(1), made(2), "call 2 was the end of call 1 and is now bash()"),
        ({"type": "timer", "n": 3}, made(2), "call 2 was the end of wait 3 and is now bash()"),
        ({"type": "cancel", "n": 1}, made(2),
         "call 2 was the cancelling of call 1 and is now bash()"),
        ({"type": "stop", "by": "SIGINT"}, made(2),
         "call 2 was the end of the run, by SIGINT and is now bash()"),
        ({"type": "segment"}, made(2), "call 2 was resume_state() and is now bash()"),
    ],
)  # fmt: skip
def test_another_command_names_both(
    line: dict[str, Any], command: dict[str, Any], message: str
) -> None:
    with pytest.raises(HistoryMismatch) as found:
        Cursor([line]).command(command)
    assert str(found.value) == message
    assert (found.value.was, found.value.now) == (line, command)


def test_a_command_that_is_not_made_any_more_is_found_when_an_event_is_wanted() -> None:
    with pytest.raises(HistoryMismatch) as found:
        Cursor([call(4, cmd="a")]).event()
    assert str(found.value) == 'call 4 was bash(cmd="a") and is not made any more'
    assert found.value.n == 4


def test_markers_that_nobody_asks_for_are_skipped() -> None:
    one, two = {"type": "patch", "name": "one"}, {"type": "patch", "name": "two"}
    cursor = Cursor([one, two, call(1)])
    assert cursor.command(made(1)) == call(1)
    cursor = Cursor([one, two, call(1)])
    assert cursor.patched("new") is False
    assert cursor.patched("two") is True
    assert cursor.patched("new") is False
    assert cursor.command(made(1)) == call(1)
    assert cursor.patched("new") is None


def test_a_segment_drops_what_came_after_it() -> None:
    segment = {"type": "segment", "before": 2, "checkpoint": 3, "state": {}}
    lines = numbered(
        call(1), ended(1), {"type": "checkpoint", "payload": {}}, call(2), segment, call(2)
    )
    assert [each["line"] for each in matched_lines(lines)] == [1, 5, 6]


def test_calls_after_the_newest_checkpoint_are_taken_over_once() -> None:
    known = Checkpoints(
        numbered(
            call(1, cmd="a"), {"type": "checkpoint", "payload": 1}, call(2, cmd="b"), ended(2),
            call(3, cmd="c"), {**call(4, "uuid"), "result": {"value": "x"}},
        )
    )  # fmt: skip
    assert known.newest is not None
    assert known.newest["payload"] == 1
    assert known.take_call(made(7, cmd="a")) is None
    assert known.take_call(made(8, cmd="b")) == (2, {"value": 2})
    assert known.take_call(made(9, cmd="b")) is None
    assert known.take_call(made(9, cmd="c")) == (3, None)
    assert known.take_call(made(9, "uuid")) is None
    assert Checkpoints(numbered(call(1))).newest is None


def test_notes_of_the_procedure_at_the_end_are_counted() -> None:
    told = {**LOG, "by": "cuectl"}
    assert own_notes_at_the_end(numbered(LOG, call(1), LOG, told, {"type": "cost"}, LOG)) == 2
    assert own_notes_at_the_end(numbered(LOG, {"type": "rewound", "before": 1})) == 0


def test_the_time_between_processes_is_not_active() -> None:
    def at(kind: str, second: int) -> dict[str, Any]:
        return {"type": kind, "at": f"2026-11-21T08:00:{second:02d}Z"}

    lines = [at("run.started", 0), at("call", 3), at("run.started", 20), at("call", 25)]
    assert active_ms(lines) == 8_000
    assert active_ms([*lines, at("run.started", 40)]) == 8_000
    assert active_ms([]) == 0


def test_an_error_comes_back_as_it_was() -> None:
    error = TimedOut("too long")
    vars(error)["limit"] = 3
    answered = EngineCall(step=1, name="bash", arguments={}, result=error_record(error))
    with pytest.raises(TimedOut, match="too long") as found:
        answered.answer()
    assert vars(found.value) == {"limit": 3}
    unknown = EngineCall(step=1, name="x", arguments={}, result={"error": "e", "kind": "Gone"})
    with pytest.raises(WorkflowError, match=r"^e$"):
        unknown.answer()
    cancelled = EngineCall(step=1, name="x", arguments={}, result={"cancelled": True})
    with pytest.raises(WorkflowError, match="was cancelled"):
        cancelled.answer()


def test_a_long_call_is_shown_in_one_line() -> None:
    shown = shown_call("send", {"text": "x\n" * 500, "timeout": None})
    assert len(shown) < 200
    assert "\n" not in shown
    assert shown_command({"type": "patch", "name": "new"}) == "patched('new')"


@given(st.lists(st.text(max_size=5), max_size=8), st.integers(0, 8))
def test_the_same_calls_fit_up_to_where_the_past_ends(commands: list[str], cut: int) -> None:
    lines = [call(n, cmd=cmd) for n, cmd in enumerate(commands, 1)][:cut]
    cursor = Cursor(list(lines))
    found = [cursor.command(made(n, cmd=cmd)) for n, cmd in enumerate(commands, 1)]
    assert found == [*lines, *([None] * (len(commands) - len(lines)))]
    assert cursor.at_end
