"""Whose turn it is, what an agent is asked, and what came of it: pure.

A root run of a subscription never overlaps itself; the line is served in order, except for those
that wait for their own cue (the second page, "Concurrency Control"; reference/maestro-cue.md 8).
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.values.records import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

QUEUE_FULL = "queue_full"
STALE = "stale"
BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one agent: turns at once, places in its line, the longest wait."""

    slots: int = 1
    line: int = 512
    stale_ms: int = 1_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An execution that holds a slot or waits for one; `alone`: never beside another of its cue."""

    execution: str
    cue: str
    alone: bool

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {"execution": self.execution, "cue": self.cue, "alone": self.alone}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What is known of an agent's slots; `number` is that of the next place in its line."""

    agent: str
    held: tuple[Seat, ...] = ()
    waiting: int = 0
    number: int = 0

    def to_record(self) -> Record:
        """Return what the view holds."""
        record: Record = {"agent": self.agent, "held": [one.to_record() for one in self.held]}
        return record | {"waiting": self.waiting, "number": self.number}

    def holds(self, execution_id: str) -> bool:
        """Tell whether an execution has a slot."""
        return any(one.execution == execution_id for one in self.held)

    def takes(self, seat: Seat, limits: Limits) -> bool:
        """Tell whether an execution may have a slot now."""
        if len(self.held) >= limits.slots:
            return False
        return not (seat.alone and any(one.cue == seat.cue and one.alone for one in self.held))

    def with_seat(self, seat: Seat) -> Slots:
        """Return the slots with one more taken."""
        return replace(self, held=(*self.held, seat))

    def without(self, execution_id: str) -> Slots:
        """Return the slots without those of an execution."""
        return replace(self, held=tuple(one for one in self.held if one.execution != execution_id))


class Place(StrEnum):
    """What becomes of an execution that wants a slot."""

    START = "start"
    WAIT = "wait"
    DROP = "drop"


def place_for(slots: Slots, seat: Seat, limits: Limits) -> Place:
    """Return whether an execution starts, waits, or finds the line full."""
    if slots.takes(seat, limits):
        return Place.START
    return Place.WAIT if slots.waiting < limits.line else Place.DROP


def is_stale(since: int, now: int, limits: Limits) -> bool:
    """Tell whether a wait is longer than the limit; exactly as long is fine."""
    return now - since > limits.stale_ms


def slots_from_record(record: Record) -> Slots:
    """Return the slots in a view. Raises KeyError, TypeError, ValueError: it is not one."""
    held = tuple(Seat(**each) for each in record["held"])
    return Slots(
        agent=record["agent"], held=held, waiting=record["waiting"], number=record["number"]
    )


class PromptBy(StrEnum):
    """How the prompt gets into the program."""

    STDIN = "stdin"
    ARG = "arg"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRequest:
    """What an adapter may need for a command line."""

    prompt: str
    prompt_file: str  # absolute path of a file that holds the prompt
    cwd: str
    model: str | None = None
    session: str | None = None  # the conversation to continue, None for a new one
    new_session: str | None = None  # the id of a new one, for programs that take one


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the output of a program says of the turn."""

    text: str = ""
    error: str | None = None  # the error that the format names
    complete: bool = False  # the format says explicitly that the turn worked
    final: bool = False  # the format says that nothing more belongs to the turn
    warning: str | None = None  # the last error that it went on after, or might have
    session: str | None = None
    cost_usd: float | None = None
    usage: Record = field(default_factory=dict)  # tokens and the like, as the program counts them
    model: str | None = None
    denied: tuple[str, ...] = ()  # tools that it was not allowed to use

    def metadata(self) -> Record:
        """Return what is kept of it beside the text; empty for nothing."""
        record: Record = {"session": self.session, "cost_usd": self.cost_usd}
        record |= {"usage": self.usage, "denied": list(self.denied), "model": self.model}
        return {name: value for name, value in record.items() if value not in (None, {}, [])}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTurn:
    """What a turn that ended by itself comes to; the exit code is 0 when it is no failure."""

    exit_code: int
    error: str | None = None


def judge_turn(
    answer: Answer, exit_code: int, *, empty_is_error: bool, ok_exits: tuple[int, ...] = (0,)
) -> JudgedTurn:
    """Return what a turn comes to: its named error decides, then its exit, then an empty answer."""
    # Programs exit with 0 after errors, with 1 after good answers (reference/agent-clis.md 4, 6).
    if answer.error is not None:
        return JudgedTurn(exit_code=exit_code, error=answer.error)
    if exit_code not in ok_exits and not answer.complete:
        return JudgedTurn(exit_code=exit_code or 1, error=None if exit_code else "exit status 0")
    if empty_is_error and not answer.text.strip():
        denied = f"; it was denied: {', '.join(answer.denied)}" if answer.denied else ""
        return JudgedTurn(exit_code=0, error=f"the answer is empty{denied}")
    return JudgedTurn(exit_code=0)


def first_line(error: str) -> str:
    """Return the first line of an error that says something, cut to a length for reasons."""
    line = next((each.strip() for each in error.splitlines() if each.strip()), "error")
    return line if len(line) <= 300 else f"{line[:299]}…"
