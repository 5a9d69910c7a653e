"""Going back in a history keeps what came by itself, and does the rest again, under new numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.values.errors import Conflict, NotFound, UsageError
from cuectl.workflows.rules.rewind import (
    Rewind,
    before_line,
    copied_lines,
    counting_lines,
    find_call,
    open_calls,
    remembered_turns,
    results_at_hand,
    rewind,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Line = dict[str, Any]


class History:
    """Writes lines as a run does."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.steps = 0

    def add(self, **line: Any) -> Line:
        made = {"line": len(self.lines) + 1, **line}
        self.lines.append(made)
        return made

    def call(self, n: int, kind: str = "bash", **arguments: Any) -> Line:
        self.steps += 1
        return self.add(type="call", n=n, step=self.steps, name=kind, arguments=arguments)

    def end(self, n: int, **result: Any) -> Line:
        return self.add(type="call.ended", n=n, result=result or {"value": None})

    @property
    def counting(self) -> list[Line]:
        return counting_lines(self.lines)

    def go_back(
        self, step: int | None, given: dict[int, Any] | None = None, *, force: bool = True
    ) -> Rewind:
        lines = self.counting
        rerun = None if step is None else find_call(lines, str(step))
        found = rewind(lines, rerun, given or {}, first_free=self.steps + 1, force=force)
        self.steps += len(found.steps)
        self.add(**found.line("alex"))
        return found


BAD = {"error": "bad", "kind": "WorkflowError"}


def test_the_results_of_calls_begun_before_are_kept_and_later_calls_are_made_again() -> None:
    run = History()
    run.call(1), run.call(2), run.call(3)
    run.end(1, value="one")
    run.end(2, **BAD)
    run.end(3, value="three")
    run.call(4)
    found = run.go_back(2)

    assert found.before == 5
    assert found.kept == ({"n": 3, "result": {"value": "three"}, "usage": None},)
    assert [call["step"] for call in found.again] == [2, 4]
    assert found.steps == {2: 5}
    lines = run.counting
    assert [line["step"] for line in lines if line["type"] == "call"] == [1, 5, 3]
    assert results_at_hand(lines) == {3: {"n": 3, "result": {"value": "three"}, "usage": None}}
    run.end(3, value="three")
    assert results_at_hand(run.counting) == {}
    assert [call["n"] for call in open_calls(run.counting)] == [2]


def test_a_loser_that_only_the_dropped_lines_had_cancelled_is_made_again() -> None:
    run = History()
    run.call(1), run.call(2), run.call(3)
    run.add(type="cancel", n=3)
    run.end(1, **BAD)
    run.add(type="cancel", n=2)
    run.end(2, cancelled=True)
    run.end(3, cancelled=True)
    found = run.go_back(1)

    assert [call["step"] for call in found.again] == [1, 2]
    assert found.kept == ({"n": 3, "result": {"cancelled": True}, "usage": None},)
    assert found.steps == {1: 4, 2: 5}


def test_a_run_that_was_ended_goes_back_to_before_its_stop() -> None:
    run = History()
    run.call(1), run.call(2), run.call(3)
    run.end(1)
    run.add(type="stop", by="SIGINT")
    run.add(type="cancel", n=2)
    run.end(2, cancelled=True)
    run.end(3, value="three")
    run.call(4)
    run.end(4)
    found = before_line(run.counting, 4, set(), [], 5, was_ended=True)

    assert found.line("resume") == {
        "type": "rewound",
        "before": 5,
        "by": "resume",
        "dropped": [4],
        "kept": [{"n": 3, "result": {"value": "three"}, "usage": None}],
        "steps": {},
    }


def test_a_call_that_is_open_gets_a_new_number_and_nothing_is_taken_back() -> None:
    run = History()
    run.call(1)
    run.call(2)
    run.end(1)
    found = run.go_back(2, force=False)

    assert (found.before, found.kept, found.steps) == (4, (), {2: 3})
    assert len(run.counting) == 4


def test_a_given_value_is_the_end_of_the_call_and_has_the_form_of_its_kind() -> None:
    run = History()
    run.call(1, "step"), run.call(2, "send", handle="w"), run.call(3)
    run.end(2, value={"body": "no", "status": "error", "sender": "agent:w"})
    found = run.go_back(None, {1: {"n": 5}, 2: "yes", 3: 0})

    assert found.again == ()
    assert [each["result"]["value"] for each in found.kept] == [
        {"n": 5},
        {"body": "yes", "status": "ok", "sender": "agent:w"},
        {"exit": 0, "stdout": "", "stderr": ""},
    ]


@pytest.mark.parametrize(
    ("text", "step"),
    [("last", 3), ("1", 1), ("step", 4), ("fetch", 2), ("bash", 3)],
    ids=["the last bad one", "a number", "a kind", "the name of a step", "the last of a kind"],
)
def test_a_call_is_named_by_its_number_its_name_or_not_at_all(text: str, step: int) -> None:
    run = History()
    run.call(1), run.call(2, "step", name="fetch"), run.call(3), run.call(4, "step", name="save")
    run.end(1, **BAD)
    run.end(3, value={"exit": 2, "stdout": "", "stderr": ""})
    run.end(2), run.end(4)

    assert find_call(run.counting, text)["step"] == step


def test_what_can_not_be_done_is_refused_with_the_way_out() -> None:
    run = History()
    run.call(1)
    run.end(1)
    run.call(2)
    run.end(2)
    run.steps += 1
    run.add(type="call", n=3, step=3, name="uuid", arguments={}, result={"value": "x"})
    lines = run.counting

    def going_back(step: int, given: dict[int, Any]) -> Rewind:
        return rewind(lines, find_call(lines, str(step)), given, first_free=9, force=True)

    with pytest.raises(Conflict, match="call 1 ended well"):
        rewind(lines, find_call(lines, "1"), {}, first_free=9)
    with pytest.raises(UsageError, match="call 2 is made anew"):
        going_back(1, {2: "x"})
    with pytest.raises(NotFound, match="no call '3' in the run"):
        going_back(3, {})
    with pytest.raises(NotFound, match="no call '7' in the run"):
        find_call(lines, "7")
    run.add(type="segment", state={}, before=None)
    with pytest.raises(Conflict, match="call 1 stands before the checkpoint"):
        rewind(run.counting, find_call(lines, "1"), {}, first_free=9, force=True)


def test_sessions_remember_the_turns_that_are_taken_again() -> None:
    run = History()
    for n in range(1, 7):
        run.call(n, "send", handle="w1" if n != 2 else "w2", text=str(n))
        run.end(n, value={"body": "", "status": "ok" if n != 4 else "error"})
    found = run.go_back(4, force=False)

    assert remembered_turns(run.lines[:-1], found.again) == ["session 'w1' remembers turns 3 to 5"]


def test_a_fork_begins_with_the_lines_before_a_call() -> None:
    run = History()
    run.add(type="run.started")
    run.call(1), run.call(2)
    run.end(1)
    run.add(type="log", message="x")
    third = run.call(3)
    run.end(2)

    assert [line["line"] for line in copied_lines(run.counting, third)] == [2, 3, 4]


@st.composite
def histories(draw: Callable[[Any], Any]) -> History:
    """Draw the history of a procedure that begins, cancels and ends calls in any order."""
    run = History()
    is_open: dict[int, bool] = {}
    for _ in range(draw(st.integers(1, 14))):
        choices = ["call", *(["end", "end", "cancel"] if is_open else []), "timer"]
        kind = draw(st.sampled_from(choices))
        if kind == "call":
            n = 1 + sum(line["type"] == "call" for line in run.lines)
            run.call(n, draw(st.sampled_from(["bash", "send"])), handle="w")
            is_open[n] = False
        elif kind == "timer":
            run.add(type="timer", n=len(run.lines))
        else:
            n = draw(st.sampled_from(sorted(is_open)))
            if kind == "cancel":
                if not is_open[n]:
                    run.add(type="cancel", n=n)
                is_open[n] = True
            else:
                cancelled = is_open.pop(n)
                run.end(n, **({"cancelled": True} if cancelled else {"value": n}))
    return run


@given(histories(), st.data())
def test_whatever_is_taken_back_each_call_counts_once(run: History, data: st.DataObject) -> None:
    for _ in range(2):
        calls = [line for line in run.counting if line["type"] == "call"]
        if not calls:
            return
        before, written = run.counting, len(run.lines)
        taken = data.draw(st.sampled_from(calls))
        found = run.go_back(taken["step"])
        after = run.counting

        # What stood before is as it was, but for the numbers of what is done again.
        kept_lines = [line for line in before if line["line"] < found.before]
        assert [line["line"] for line in after[:-1]] == [line["line"] for line in kept_lines]
        # Every call is either done again, or has its end, or one at hand, or is still open.
        again = {call["step"] for call in found.again}
        left = {line["step"] for line in kept_lines if line["type"] == "call"} - again
        assert again | left == {call["step"] for call in calls}
        assert taken["step"] in again
        # No result comes twice, none is for a call that is done again or has its end.
        at_hand = results_at_hand(after)
        waiting = {call["n"]: call for call in open_calls(after)}
        assert at_hand.keys() <= waiting.keys()
        numbers = [
            call["step"] for call in waiting.values() if call["step"] in found.steps.values()
        ]
        assert sorted(numbers) == sorted(found.steps.values())
        assert not {waiting[n]["step"] for n in at_hand} & set(found.steps.values())
        # A result that came by itself is not lost.
        dropped = before[len(kept_lines) :]
        broken_off = {line["n"] for line in dropped if line["type"] == "cancel"}
        came = {line["n"] for line in dropped if line["type"] == "call.ended"} - broken_off
        begun = {line["n"] for line in kept_lines if line["type"] == "call"}
        assert came & begun - {taken["n"]} <= at_hand.keys()
        # The run goes on: what is at hand comes, and some of the rest.
        assert len(run.lines) == written + 1
        for n, each in at_hand.items():
            run.end(n, **each["result"])
        for n in waiting.keys() - at_hand.keys():
            if data.draw(st.booleans()):
                run.end(n, value=n)
