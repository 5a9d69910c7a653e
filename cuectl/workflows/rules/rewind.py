"""Going back in a history: which of its lines count, and what a rerun or a fork does again.

Nothing is ever taken out of a history. A `rewound` note says before which line the run stands
again, which results it already has, and under which new numbers calls are made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.values.errors import Conflict, NotFound, UsageError
from cuectl.values.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cuectl.values.records import Record

# Calls that cost something or have effects.
EFFECTS = frozenset({"send", "bash", "step", "delegate", "enqueue", "start_workflow"})
_END = ("n", "result", "usage")
_COPIED = frozenset({"call", "cancel", "patch", "call.ended", "timer", "segment"})
_REDACTED = frozenset({"arguments", "result", "message", "kwargs", "error", "payload", "state"})


@dataclass(frozen=True, slots=True)
class Rewind:
    """Where a run stands again, and what follows from that.

    Attributes:
        before: running number of the first line that does not count any more.
        kept: results of calls that were started before, in their order; they come first.
        again: calls done again: the one that was named, those that only the dropped lines had
            cancelled, and all that were started later.
        steps: new step numbers, by ordinal, of those among them that stay started.
    """

    before: int
    kept: tuple[Record, ...]
    again: tuple[Record, ...]
    steps: Mapping[int, int]

    def line(self, by: str) -> Record:
        """Return the note that informs all later processes of the run."""
        found: Record = {"type": "rewound", "before": self.before, "by": by}
        found |= {"dropped": [call["step"] for call in self.again], "kept": list(self.kept)}
        return found | {"steps": {str(n): step for n, step in self.steps.items()}}


def counting_lines(lines: Iterable[Record]) -> list[Record]:
    """Return the lines of a history that count, calls under the numbers that they now have.

    A call that is done again is `anew` until a process of the run has started it.
    """
    found: list[Record] = []
    for line in lines:
        kind = line.get("type")
        if kind in ("rewound", "segment"):
            before = line["before"] or line["line"]
            found = [_numbered(one, line) for one in found if one["line"] < before]
        elif kind == "begun":
            step = line["step"]
            found = [{**x, "anew": x.get("step") != step} if x.get("anew") else x for x in found]
        found.append(line)
    return found


def _numbered(line: Record, note: Record) -> Record:
    new = note.get("steps", {}).get(str(line["n"])) if line["type"] == "call" else None
    return line if new is None else {**line, "step": new, "anew": True}


def results_at_hand(lines: Iterable[Record]) -> dict[int, Record]:
    """Return the kept results that were not delivered yet, by ordinal, of lines that count."""
    found: dict[int, Record] = {}
    for line in lines:
        if line["type"] == "rewound":
            found = {n: each for n, each in found.items() if str(n) not in line["steps"]}
            found |= {each["n"]: each for each in line["kept"]}
        elif line["type"] == "call.ended":
            found.pop(line["n"], None)
    return found


def ended_badly(result: Record | None) -> bool:
    """Tell whether a call failed, was interrupted, or is a command that did not exit with 0."""
    value = (result or {"error": "it has no end"}).get("value")
    if not isinstance(value, dict):
        return result is None or "error" in result
    is_bad_turn = "body" in value and value.get("status", "ok") != "ok"
    return bool(value.get("interrupted") or value.get("exit") or is_bad_turn)


@dataclass(frozen=True, slots=True)
class _Place:
    """A call among the lines that count; `end` is the place behind the last line while it runs."""

    call: Record
    begin: int
    end: int
    result: Record | None


def _places(lines: Sequence[Record]) -> list[_Place]:
    found: dict[int, _Place] = {}
    for at, line in enumerate(lines):
        if line["type"] == "call":
            found[line["n"]] = _Place(line, at, len(lines), line.get("result"))
        elif line["type"] == "call.ended":
            begun = found[line["n"]]
            found[line["n"]] = _Place(begun.call, begun.begin, at, line["result"])
    return list(found.values())


def find_call(lines: Sequence[Record], text: str) -> Record:
    """Return the call that is meant, of lines that count, or raise NotFound.

    A text is a step number, or the name of a step or a kind of call, whose last one is meant;
    `last` is the last call that ended badly, else the last one.
    """
    places = [each for each in _places(lines) if "result" not in each.call]
    if text == "last":
        bad = [each for each in places if ended_badly(each.result)]
        places = sorted(bad or places, key=lambda each: (each.end, each.begin))
    elif text.isdecimal():
        places = [each for each in places if each.call["step"] == int(text)]
    else:
        places = [p for p in places if text in (p.call["name"], p.call["arguments"].get("name"))]
    if not places:
        hint = "its calls with their numbers: cuectl workflow log RUN"
        raise NotFound(f"no call '{text}' in the run", hint=hint)
    return places[-1].call


def rewind(
    lines: Sequence[Record], rerun: Record | None, given: Mapping[int, Any], *, first_free: int,
    force: bool = False,
) -> Rewind:  # fmt: skip
    """Return how a run goes back to just before the end of a call.

    Args:
        lines: those that count.
        rerun: the call that is done again; also one that ended well, with `force`.
        given: values that a person gives, by the step numbers of their calls.
        first_free: the lowest step number that the whole history has not used.

    Raises Conflict, UsageError: one of the calls can't be taken back, or not with the others.
    """
    places = {each.call["step"]: each for each in _places(lines)}
    wanted = [places[step] for step in ([rerun["step"]] if rerun else []) + sorted(given)]
    back = min(each.end for each in wanted)
    for each in wanted:
        who = f"call {each.call['step']}"
        if each.begin >= back:
            why = f"{who} is made anew, because it began after an end that is taken back"
            raise UsageError(why, hint="set its value once the run has come there again")
        if any(line["type"] == "segment" for line in lines[back:]):
            why = f"{who} stands before the checkpoint that the run was continued from"
            raise Conflict(why, hint="start a new run from there: cuectl workflow fork")
    if rerun and not force and not ended_badly(wanted[0].result):
        hint = "do it again all the same: --force"
        raise Conflict(f"call {rerun['step']} ended well", hint=hint)
    values = [(each, given[each.call["step"]]) for each in wanted if each.call["step"] in given]
    kept = [{"n": p.call["n"], "result": _given_result(p, value)} for p, value in values]
    return before_line(lines, back, {rerun["n"]} if rerun else set(), kept, first_free)


def before_line(
    lines: Sequence[Record], back: int, again: set[int], kept: list[Record], first_free: int, *,
    was_ended: bool = False,
) -> Rewind:  # fmt: skip
    """Return how a run goes back to a place among the lines that count.

    Calls of `again` are done again for their own sake; `kept` comes before what is kept by itself.
    Where the run `was_ended` there, calls that were cancelled with it are open: nothing asks for
    them to be done twice, so their ends are looked for.
    """
    dropped = lines[back:]
    cancelled = {line["n"] for line in dropped if line["type"] == "cancel"}
    again = again if was_ended else again | cancelled
    given = {each["n"] for each in kept}
    before = [p.call for p in _places(lines) if p.begin < back <= p.end]
    anew = [call for call in before if call["n"] in again - given]
    left = {call["n"] for call in before} - again - given
    ends = [
        line for line in dropped
        if line["type"] == "call.ended" and line["n"] in left
        and not (line["n"] in cancelled and "cancelled" in line["result"])
    ]  # fmt: skip
    kept = kept + [copied_end({name: end.get(name) for name in _END}) for end in ends]
    later = [line for line in dropped if line["type"] == "call" and "result" not in line]
    number = dropped[0]["line"] if dropped else lines[-1]["line"] + 1
    steps = {call["n"]: first_free + index for index, call in enumerate(anew)}
    return Rewind(number, tuple(kept), (*anew, *later), steps)


def _given_result(place: _Place, value: Any) -> Record:
    """Return the result that a person gives; a text is a turn's answer, a number an exit status."""
    if place.call["name"] == "send" and isinstance(value, str):
        old = (place.result or {}).get("value")
        value = {**(old if isinstance(old, dict) else {}), "body": value, "status": "ok"}
    elif place.call["name"] == "bash" and type(value) is int:
        value = {"exit": value, "stdout": "", "stderr": ""}
    return {"value": value, "given": True}


def copied_end(line: Record) -> Record:
    """Return an end of a call whose turns were paid for elsewhere."""
    return {**line, "usage": {**line["usage"], "copied": True}} if line.get("usage") else line


def copied_lines(lines: Sequence[Record], call: Record) -> list[Record]:
    """Return the lines that a fork starts with: those before a call, of lines that count."""
    return [copied_end(line) for line in lines[: lines.index(call)] if line["type"] in _COPIED]


def said_in(lines: Sequence[Record], handle: str) -> str:
    """Return what was said in a session, for another one that continues with it."""
    sends = (x for x in lines if x["type"] == "call" and x["name"] == "send")
    texts = {x["n"]: x["arguments"]["text"] for x in sends if x["arguments"]["handle"] == handle}
    ends = (line for line in lines if line["type"] == "call.ended" and line["n"] in texts)
    answers = ((texts[end["n"]], (end["result"].get("value") or {}).get("body")) for end in ends)
    return "\n\n".join(f"You were asked:\n{one}\n\nYou answered:\n{two}" for one, two in answers)


def open_calls(lines: Sequence[Record]) -> list[Record]:
    """Return the calls without an end, of lines that count."""
    return [each.call for each in _places(lines) if each.result is None]


def remembered_turns(lines: Sequence[Record], again: Iterable[Record]) -> list[str]:
    """Return what sessions can't forget: `session 'w1' remembers turns 4 to 6`."""
    wanted = {call["step"] for call in again}
    turns: dict[str, list[int]] = {}
    for line in lines:
        if line["type"] == "call" and line["name"] == "send":
            turns.setdefault(line["arguments"]["handle"], []).append(line["step"])
    found = []
    for handle, steps in turns.items():
        numbers = [str(number) for number, step in enumerate(steps, 1) if step in wanted]
        if numbers:
            span = f"turns {numbers[0]} to {numbers[-1]}" if numbers[1:] else f"turn {numbers[0]}"
            found.append(f"session '{handle}' remembers {span}")
    return found


def redacted(line: Any, *, is_text: bool = False) -> Any:
    """Return a line with the texts of what was asked and answered replaced by their lengths."""
    if isinstance(line, dict):
        return {k: redacted(each, is_text=is_text or k in _REDACTED) for k, each in line.items()}
    if isinstance(line, list):
        return [redacted(each, is_text=is_text) for each in line]
    return f"({len(line)} characters)" if is_text and isinstance(line, str) else line
