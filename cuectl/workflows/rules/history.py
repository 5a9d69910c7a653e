"""The history of a run, format 2: commands of the procedure, and events that were given to it.

The order of its lines is the schedule. Replayed, a procedure must give the same commands between
the same events; a cursor compares them. Other lines are notes, which are never compared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cuectl.values.records import Record, dataclass
from cuectl.values.times import from_text
from cuectl.workflows.rules.rewind import counting_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = 2
COMMANDS = frozenset({"call", "cancel", "patch", "segment"})
EVENTS = frozenset({"call.ended", "timer", "stop"})
# What the procedure itself notes: it does so again when it is replayed.
OWN_NOTES = frozenset({"log", "print", "progress", "set", "checkpoint"})
_COMPARED = ("n", "name", "arguments")
_LONGEST_SHOWN = 160


class WorkflowError(Exception):
    """The expected failure of a workflow, an agent or a queue: the run is reported as failed."""


class PredicateFailed(WorkflowError):
    """A command did not exit with 0, however often it was tried."""


class TurnFailed(WorkflowError):
    """The turn of an agent failed: `status` is that of its message, `body` the reason."""

    def __init__(
        self, message: str, handle: str = "", step: int = 0, status: str = "", body: str = ""
    ) -> None:
        super().__init__(message)
        self.handle, self.step, self.status, self.body = handle, step, status, body


class TurnInterrupted(TurnFailed):
    """The end of a turn was not seen: it may have done all of its work, or none."""


class BudgetExceeded(WorkflowError):
    """What the turns of a run, or of an agent, may cost is spent, so no other one starts."""


class TimedOut(WorkflowError):
    """Something took longer than the workflow gave it."""


class StepFailed(WorkflowError):
    """The function of a step has raised; `type` and `message` are those of what it raised."""

    @property
    def type(self) -> str:
        """The name of the exception's class."""
        return str(self).partition(": ")[0]

    @property
    def message(self) -> str:
        """What the exception says."""
        return str(self).partition(": ")[2]


class StepInterrupted(WorkflowError):
    """A step was started, and its end was not seen: it may have had its effects."""


class ChildFailed(WorkflowError):
    """A run that was started by another one has not succeeded: which, how, and why."""

    def __init__(self, message: str, *, run: str = "", status: str = "failed") -> None:
        super().__init__(message)
        self.run = run
        self.status = status


class NotDurable(RuntimeError):
    """A procedure has asked its event loop for something that a resumed run can't repeat."""


class HistoryMismatch(Exception):
    """A resumed run does something else than it did before; the message names both sides.

    Attributes:
        n: the number of the call, None where it is about something else.
        was: the command that the history has, None for none; `now` the one that is given.
        place: where the procedure stands, as `tdd.py:31`.
    """

    def __init__(
        self,
        message: str,
        *,
        n: int | None = None,
        was: Record | None = None,
        now: Record | None = None,
    ) -> None:
        super().__init__(message)
        self.n = n
        self.was = was
        self.now = now
        self.place: str | None = None


# The errors that a call may end with, by the names that stand in histories.
ERRORS: dict[str, type[WorkflowError]] = {
    kind.__name__: kind
    for kind in (
        *(WorkflowError, PredicateFailed, TimedOut, TurnFailed, TurnInterrupted, BudgetExceeded),
        *(StepFailed, StepInterrupted, ChildFailed),
    )
}


def error_record(error: WorkflowError) -> Record:
    """Return how a call has ended that raised an error; what else the error holds goes along."""
    record: Record = {"error": str(error), "kind": type(error).__name__}
    return record | ({"detail": dict(vars(error))} if vars(error) else {})


@dataclass(slots=True, kw_only=True)
class EngineCall:
    """A call of the engine.

    Attributes:
        n: its number in the procedure; `step`: in the whole run, its files carry it.
        at: when it was first made, in milliseconds.
        place: where it is in a run of the first format.
        result: has one of `value`, `error` and `cancelled` once it has ended.
        is_old: an earlier process of the run made it, and this one has made it again.
        cause: what it has raised in this process.
        usage: what its turns have used, see rules/accounts.py; None where it took none.
    """

    step: int
    name: str
    arguments: Record
    n: int = 0
    at: int = 0
    place: str = ""
    result: Record | None = None
    is_old: bool = False
    cause: BaseException | None = None
    usage: Record | None = None

    def answer(self) -> Any:
        """Return its value, or raise the WorkflowError that it ended with."""
        result = self.result or {}
        if "error" in result:
            error = ERRORS.get(result.get("kind", ""), WorkflowError)(result["error"])
            vars(error).update(result.get("detail", {}))
            raise error from self.cause
        if "cancelled" in result:
            raise WorkflowError(f"{shown_call(self.name, self.arguments)} was cancelled")
        return result.get("value")


def shown_call(name: str, arguments: Record) -> str:
    """Return a call as a person would write it, shortened to one line."""
    words = ", ".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in arguments.items()
        if value is not None
    )
    return f"{name}({words if len(words) <= _LONGEST_SHOWN else words[:_LONGEST_SHOWN] + '…'})"


def shown_command(line: Record) -> str:
    """Return a line that is compared as a person reads it."""
    match line["type"]:
        case "call":
            return shown_call(line["name"], line["arguments"])
        case "cancel":
            return f"the cancelling of call {line['n']}"
        case "patch":
            return f"patched({line['name']!r})"
        case "segment":
            return "resume_state()"
        case "timer":
            return f"the end of wait {line['n']}"
        case "stop":
            return f"the end of the run, by {line['by']}"
        case _:
            return f"the end of call {line['n']}"


def matched_lines(records: Iterable[Record]) -> list[Record]:
    """Return the lines that count: commands and events, those left out that a rewinding dropped."""
    kinds = COMMANDS | EVENTS
    return [line for line in counting_lines(records) if line["type"] in kinds]


def refused(lines: list[Record]) -> Record | None:
    """Return the end of the call that a budget has refused, where nothing but closing follows."""
    for line in reversed(lines):
        match line["type"]:
            case "call.ended" if line["result"].get("kind") == BudgetExceeded.__name__:
                return line
            case "call" if line["name"] != "close":
                return None
    return None


def own_notes_at_the_end(records: list[Record]) -> int:
    """Return how many notes the procedure has made after the last line that counts."""
    count = 0
    for record in reversed(records):
        kind = record.get("type")
        if kind in COMMANDS or kind in EVENTS or kind == "rewound":
            break
        count += kind in OWN_NOTES and "by" not in record
    return count


def steps_before_this_boot(records: Iterable[Record], boot: str) -> frozenset[int]:
    """Return the steps that were started before the machine was started; `-` is no known boot."""
    found, begun_in = set(), boot
    for record in records:
        if record.get("type") == "run.started":
            begun_in = record.get("boot", boot)
        elif record.get("type") == "call" and (begun_in != boot or boot == "-"):
            found.add(record["step"])
    return frozenset(found)


def active_ms(records: Iterable[Record]) -> int:
    """Return how long the processes of a run have worked on it, up to the last line of each."""
    total, began, last = 0, None, 0
    for record in records:
        if "at" not in record:
            continue
        at = from_text(record["at"])
        if record.get("type") == "run.started":
            total += 0 if began is None else max(0, last - began)
            began = at
        last = at
    return total + (0 if began is None else max(0, last - began))


class Checkpoints:
    """The newest checkpoint of earlier processes, and the calls that were made after it."""

    def __init__(self, records: list[Record]) -> None:
        found = (each for each in reversed(records) if each.get("type") == "checkpoint")
        self.newest: Record | None = next(found, None)
        self._calls: dict[int, Record] = {}
        self._results: dict[int, Record] = {}
        since = len(records) if self.newest is None else records.index(self.newest)
        for record in records[since:]:
            if record.get("type") == "call" and "result" not in record:
                self._calls[record["step"]] = record
            elif record.get("type") == "call.ended":
                self._results[record["step"]] = record["result"]

    def take_call(self, made: Record) -> tuple[int, Record | None] | None:
        """Return step and result of the first call that is the same as one made now, once."""
        for step, record in self._calls.items():
            if record["name"] == made["name"] and record["arguments"] == made["arguments"]:
                del self._calls[step]
                return step, self._results.get(step)
        return None

    def forget(self, step: int) -> None:
        """Leave out a call that is known otherwise."""
        self._calls.pop(step, None)


class Cursor:
    """The position of a replay in the lines that count."""

    def __init__(self, lines: list[Record]) -> None:
        self.lines = lines
        self.place = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left, so that what happens now is new."""
        return self.place >= len(self.lines)

    def peek(self) -> Record | None:
        """Return the next line, None at the end; markers that nobody asks for are skipped."""
        lines = self.lines
        while self.place < len(lines):
            line = lines[self.place]
            if line["type"] != "patch":
                return line
            self.place += 1
        return None

    def command(self, made: Record) -> Record | None:
        """Return the line of a command, None when it is a new one. Raises HistoryMismatch."""
        line = self.peek()
        if line is None:
            return None
        if line["type"] != made["type"] or not _is_same(line, made):
            what = f"call {made['n']}" if "n" in made else "the next step"
            was, now = shown_command(line), shown_command(made)
            words = f"{what} was {was} and is now {now}"
            raise HistoryMismatch(words, n=made.get("n"), was=line, now=made)
        self.place += 1
        return line

    def event(self) -> Record | None:
        """Return the next event, None at the end. Raises HistoryMismatch: a command is next."""
        line = self.peek()
        if line is None:
            return None
        if line["type"] not in EVENTS:
            words = f"call {line.get('n')} was {shown_command(line)} and is not made any more"
            raise HistoryMismatch(words, n=line.get("n"), was=line)
        self.place += 1
        return line

    def patched(self, name: str) -> bool | None:
        """Tell whether a marker stands here; None: nothing is left, so one is to be written."""
        place = self.place
        while place < len(self.lines) and self.lines[place]["type"] == "patch":
            place += 1
            if self.lines[place - 1]["name"] == name:
                self.place = place
                return True
        return None if place >= len(self.lines) else False

    def cut(self) -> list[Record]:
        """Drop the rest, and return it."""
        left = self.lines[self.place :]
        del self.lines[self.place :]
        return left


def same_json(was: Any, now: Any) -> bool:
    """Tell whether two values are the same JSON; for Python, 1 equals true and 1.0."""
    if json.dumps(was) == json.dumps(now):
        return True
    # A tuple is a list in a history, a key is a text, members are in any order.
    plain = json.loads(json.dumps(now))
    return json.dumps(was, sort_keys=True) == json.dumps(plain, sort_keys=True)


def _is_same(line: Record, made: Record) -> bool:
    return all(same_json(line.get(name), made.get(name)) for name in _COMPARED)
