"""One turn of an agent: what it is asked, how its program is called, what came of it: pure.

An agent that "succeeds" with an error text is a failure: programs exit with 0 after errors and
with 1 after good answers, so the outcome is decided from the error that the format itself
names, then the exit code, then an empty answer (reference/agent-clis.md 4 and 6).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cuectl.model.values import dataclass, field

Record = dict[str, Any]


class PromptBy(StrEnum):
    """How the prompt gets into the program."""

    STDIN = "stdin"
    ARG = "arg"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an adapter may need for a command line.

    Attributes:
        prompt_file: absolute path of a file that holds the prompt.
        session: the conversation to go on with, None for a new one.
        new_session: the id of a new one, for programs that let others choose it.
    """

    prompt: str
    prompt_file: str
    cwd: str
    model: str | None = None
    session: str | None = None
    new_session: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the output of a program says of the turn.

    Attributes:
        text: the final text.
        error: the error that the format names, None for none.
        complete: the format says in so many words that the turn worked.
        session: id of the conversation.
        cost_usd: what it cost.
        usage: tokens and the like, as the program counts them.
        denied: tools that it was not allowed to use.
    """

    text: str = ""
    error: str | None = None
    complete: bool = False
    session: str | None = None
    cost_usd: float | None = None
    usage: Record = field(default_factory=dict)
    denied: tuple[str, ...] = ()

    def metadata(self) -> Record:
        """Return what is kept of it beside the text; empty for nothing."""
        record: Record = {"session": self.session, "cost_usd": self.cost_usd}
        record |= {"usage": self.usage, "denied": list(self.denied)}
        return {name: value for name, value in record.items() if value not in (None, {}, [])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a turn whose process has ended by itself comes to.

    Attributes:
        exit_code: 0 when its program's exit is no failure.
        error: why it did not work, where that is more than the exit code.
    """

    exit_code: int
    error: str | None = None


def judge_turn(
    answer: Answer,
    exit_code: int,
    *,
    empty_is_error: bool,
    ok_exits: tuple[int, ...] = (0,),
) -> Judged:
    """Return what a turn comes to."""
    if answer.error is not None:
        return Judged(exit_code=exit_code, error=answer.error)
    if exit_code not in ok_exits and not answer.complete:
        return Judged(exit_code=exit_code or 1, error=None if exit_code else "exit status 0")
    if empty_is_error and not answer.text.strip():
        denied = f"; it was denied: {', '.join(answer.denied)}" if answer.denied else ""
        return Judged(exit_code=0, error=f"the answer is empty{denied}")
    return Judged(exit_code=0)


def first_line(error: str) -> str:
    """Return the first line of an error that says something, cut to a length for reasons."""
    line = next((each.strip() for each in error.splitlines() if each.strip()), "error")
    return line if len(line) <= 300 else f"{line[:299]}…"
