"""What an agent's turn left behind: its answer, and whether that is a success."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cuectl.engine.agents import empty_is_error, reader_of
from cuectl.model.outcome import TEXT_LIMITS
from cuectl.model.turn import Answer, first_line, judge_turn
from cuectl.model.values import replace
from cuectl.store import files, output

if TYPE_CHECKING:
    from cuectl.engine.attempt_end import Found
    from cuectl.engine.turn import TurnFiles
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.masking import Masker
    from cuectl.model.outcome import Outcome
    from cuectl.model.start import Ended

ERRORS_BYTES = 65_536
TAIL_BYTES = 4_096


def read_answer(where: TurnFiles, agent: AgentDefinition, masker: Masker | None) -> Answer:
    """Return what the output of a turn says, secrets hidden, and keep its final text.

    Args:
        where: its files; their outputs are cut to their limit.
        agent: who was asked.
        masker: hides secrets.
    """
    errors = _tidied(where.err, masker)
    out = _tidied(where.out, masker)
    answer = reader_of(agent)(out, errors[-ERRORS_BYTES:])
    error = answer.error or error_by_pattern(answer.text, agent)
    complete = answer.complete and error is None
    error = _kept(error, masker) if error is not None else None
    answer = replace(answer, text=_kept(answer.text, masker), error=error, complete=complete)
    text = answer.text.encode()
    if text and text != out.rstrip(b"\r\n"):
        # The output is made of events; this is what people and the next agent want to read.
        with contextlib.suppress(OSError):
            files.replace_file(where.answer, text)
    return answer


def answer_file(where: TurnFiles) -> str:
    """Return the path of the file with the final text of a turn that was read before."""
    return where.answer if os.path.exists(where.answer) else where.out


def final_text(where: TurnFiles, limit: int = output.LIMIT_BYTES) -> str:
    """Return the final text of a turn that was read before; empty when it is no longer kept.

    Args:
        where: its files.
        limit: bytes of its end that are wanted.
    """
    try:
        return output.read_end(answer_file(where), limit).decode("utf-8", "replace").rstrip("\r\n")
    except OSError:
        return ""


def _kept(text: str, masker: Masker | None) -> str:
    """Return a text with secrets hidden and nothing in it that UTF-8 can't say."""
    text = text.encode("utf-8", "replace").decode()
    return masker.mask(text) if masker is not None else text


def _tidied(path: str, masker: Masker | None) -> bytes:
    size = output.size(path)
    if not size:
        return b""
    # On a full disk it stays as long as it is.
    with contextlib.suppress(OSError):
        output.tidy(path, size, masker)
    try:
        # A note stands where something was left out, so it may be a little longer.
        return output.read_end(path, output.LIMIT_BYTES + TAIL_BYTES)
    except OSError:
        return b""


def error_by_pattern(text: str, agent: AgentDefinition) -> str | None:
    """Return the line of an answer that its agent's definition calls an error."""
    if agent.error_pattern is None:
        return None
    import re

    found = re.search(agent.error_pattern, text, re.MULTILINE)
    if found is None:
        return None
    start = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    return text[start : end if end >= 0 else len(text)]


def with_answer(
    found: Found,
    where: TurnFiles,
    ended: Ended,
    agent: AgentDefinition,
    masker: Masker | None,
) -> Found:
    """Return what was found, with the answer of the turn in it.

    Args:
        found: from the files that every attempt has.
        where: the files of the turn.
        ended: how its process ended.
        agent: who was asked.
        masker: hides secrets.
    """
    answer = read_answer(where, agent, masker)
    by_itself = ended.exit_code is not None and ended.cause is None
    judged = judge_turn(
        answer,
        ended.exit_code or 0,
        empty_is_error=empty_is_error(agent),
        ok_exits=agent.ok_exit,
    )
    error = judged.error if by_itself else answer.error
    errors = output.read_end(where.err, TAIL_BYTES).decode("utf-8", "replace")
    return replace(
        found,
        outcome=_outcome(found.outcome, answer, error, lost=ended.lost),
        tail=answer.text or errors,
        text=answer.text,
        exit_code=judged.exit_code if by_itself else None,
        problem=first_line(error) if error is not None and (by_itself or ended.lost) else None,
    )


def _outcome(outcome: Outcome, answer: Answer, error: str | None, *, lost: bool) -> Outcome:
    facts = answer.metadata()
    if facts:
        outcome = replace(outcome, metadata={**(outcome.metadata or {}), **facts})
    if error is not None:
        # What the program says of itself counts whatever the outcome says of the work.
        outcome = replace(outcome, error=_end(error, "error"))
        return replace(outcome, success=False) if lost else outcome
    if outcome.reported:
        return outcome
    # Nobody saw its exit, but its format says in so many words that it worked.
    success = True if lost and answer.complete else None
    return replace(outcome, success=success, result=_end(answer.text, "result") or None)


def _end(text: str, name: str) -> str:
    limit = TEXT_LIMITS[name]
    stripped = text.strip()
    return stripped if len(stripped) <= limit else "…" + stripped[1 - limit :]
