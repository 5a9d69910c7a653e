"""Any command line: the prompt on stdin, the answer on stdout, as text or as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.agents import Driver
from cuectl.engine.agents.json_output import (
    number_in,
    plain_text,
    session_in,
    text_in,
    whole_object,
)
from cuectl.model.turn import Answer, PromptBy

if TYPE_CHECKING:
    from typing import Any

    from cuectl.model.turn import Ask

_MEMBERS = frozenset({"text", "session_id", "cost_usd", "error"})


def _arguments(_: Ask) -> list[str]:
    return []


def read_text(out: bytes, _: bytes) -> Answer:
    """Take the whole output as the answer, whatever it looks like."""
    return Answer(text=plain_text(out))


def read_json(out: bytes, _: bytes) -> Answer:
    """Take the answer from the JSON object that must stand at the end of the output."""
    said = _object_at_the_end(out)
    if said is None:
        text = plain_text(out)
        return Answer(text=text, error="the output ends with no JSON object" if text else None)
    return _of(said)


def _read(out: bytes, _: bytes) -> Answer:
    said = _object_at_the_end(out)
    if said is None or not said.keys() & {"text", "error"} or said.keys() - _MEMBERS:
        return Answer(text=plain_text(out))
    return _of(said)


def _object_at_the_end(out: bytes) -> dict[str, Any] | None:
    return whole_object(out.rstrip().rpartition(b"\n")[2]) or whole_object(out)


def _of(said: dict[str, Any]) -> Answer:
    error = said.get("error")
    return Answer(
        text=text_in(said.get("text")),
        error=None if error in (None, False, "") else text_in(error) or "error",
        session=session_in(said.get("session_id")),
        cost_usd=number_in(said.get("cost_usd")),
    )


driver = Driver(
    program="",
    arguments=_arguments,
    read=_read,
    prompt_words={PromptBy.STDIN: (), PromptBy.ARG: (), PromptBy.FILE: ()},
    empty_is_error=False,
)
