"""Any command line: the prompt on stdin, the answer on stdout, as text or as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.agents import Driver
from cuectl.engine.agents.json_output import number_in, plain_text, text_in, whole_object
from cuectl.model.turn import Answer

if TYPE_CHECKING:
    from cuectl.model.turn import Ask

_MEMBERS = frozenset({"text", "session_id", "cost_usd", "error"})


def _arguments(_: Ask) -> list[str]:
    return []


def _read(out: bytes, _: bytes) -> Answer:
    text = plain_text(out)
    said = whole_object(text.rpartition("\n")[2].encode()) or whole_object(out)
    if said is None or not said.keys() & {"text", "error"} or said.keys() - _MEMBERS:
        return Answer(text=text)
    error = said.get("error")
    return Answer(
        text=text_in(said.get("text")),
        error=None if error in (None, False, "") else text_in(error) or "error",
        session=text_in(said.get("session_id")) or None,
        cost_usd=number_in(said.get("cost_usd")),
    )


driver = Driver(program="", arguments=_arguments, read=_read, empty_is_error=False)
