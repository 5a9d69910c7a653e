"""What an agent's turn left behind: its answer, and whether that is a success."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cuectl.engine.agents import driver_of
from cuectl.model.outcome import TEXT_LIMITS
from cuectl.model.turn import judge_turn
from cuectl.store import files, output, paths

if TYPE_CHECKING:
    from cuectl.engine.attempt_end import Found
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.execution import Execution
    from cuectl.model.masking import Masker
    from cuectl.model.start import Ended
    from cuectl.model.turn import Answer

ERRORS_BYTES = 65_536


def with_answer(
    found: Found,
    execution: Execution,
    ended: Ended,
    agent: AgentDefinition,
    *,
    home: str,
    masker: Masker | None,
    word: str = "",
) -> Found:
    """Return what was found, with the answer of the turn in it.

    What the agent has said with an outcome of its own counts before what its output says.

    Args:
        found: from the files that every attempt has.
        execution: whose turn it was.
        ended: how its process ended.
        agent: who was asked.
        home: the state directory.
        masker: hides secrets.
        word: stands in the names of the files of a later phase.
    """
    driver = driver_of(agent.driver)
    out = paths.run_file(home, execution.id, execution.attempt, f"{word}out")
    errors = paths.run_file(home, execution.id, execution.attempt, f"{word}err")
    answer = driver.read(output.read_end(out, output.LIMIT_BYTES), _errors(errors, masker))
    text = masker.mask(answer.text) if masker else answer.text
    if agent.driver != "command" and text:
        # The output is made of events; this is what people and the next agent want to read.
        with contextlib.suppress(OSError):
            path = paths.run_file(home, execution.id, execution.attempt, f"{word}answer")
            files.replace_file(path, text.encode("utf-8", "replace"))
    judged = judge_turn(answer, ended.exit_code or 0, empty_is_error=driver.empty_is_error)
    by_itself = ended.exit_code is not None and ended.cause is None
    error = judged.error if by_itself else answer.error
    if error is not None and masker is not None:
        error = masker.mask(error)
    return replace(
        found,
        outcome=_outcome(found, answer, text, error, lost=ended.lost),
        tail=text or output.read_end(errors, 4_096).decode("utf-8", "replace"),
        text=text,
        exit_code=judged.exit_code if by_itself else None,
        problem=None if error is None or found.outcome.reported else _first_line(error),
    )


def _errors(path: str, masker: Masker | None) -> bytes:
    size = output.size(path)
    if not size:
        return b""
    with contextlib.suppress(OSError):
        output.tidy(path, size, masker)
    return output.read_end(path, ERRORS_BYTES)


def _outcome(  # type: ignore[no-untyped-def]
    found: Found, answer: Answer, text: str, error: str | None, *, lost: bool
):
    outcome = found.outcome
    metadata = outcome.metadata if outcome.metadata is not None else answer.metadata() or None
    outcome = replace(outcome, metadata=metadata)
    if outcome.reported:
        return outcome
    if error is not None:
        return replace(outcome, success=False, error=_end(error, "error"))
    # Nobody saw its exit, but its format says in so many words that it worked.
    success = True if lost and answer.complete else None
    return replace(outcome, success=success, result=_end(text, "result") or None)


def _end(text: str, name: str) -> str:
    limit = TEXT_LIMITS[name]
    stripped = text.strip()
    return stripped if len(stripped) <= limit else "…" + stripped[1 - limit :]


def _first_line(error: str) -> str:
    line = next((each.strip() for each in error.splitlines() if each.strip()), "error")
    return line if len(line) <= 300 else f"{line[:299]}…"
