"""`opencode run`: JSON events; the prompt on stdin, because arguments get quotes put around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.agents import Driver
from cuectl.engine.agents.json_output import (
    events,
    number_in,
    object_in,
    plain_text,
    session_in,
    text_in,
    usage_in,
)
from cuectl.model.turn import Answer, PromptBy

if TYPE_CHECKING:
    from cuectl.model.turn import Ask

Record = dict[str, Any]


def _arguments(ask: Ask) -> list[str]:
    # Without `--auto` it hangs at the first question of permission.
    words = ["run", "--format", "json", "--auto"]
    return [*words, "-m", ask.model] if ask.model else words


def _read(out: bytes, _: bytes) -> Answer:
    found = events(out)
    if not found:
        return Answer(text=plain_text(out))
    texts: list[str] = []
    error = session = None
    cost, usage = None, {}
    for event in found:
        session = session_in(event.get("sessionID")) or session
        part = object_in(event.get("part"))
        match event.get("type"):
            case "text":
                texts.append(text_in(part.get("text")))
            case "tool_use":
                texts.clear()
            case "step_finish":
                usage = usage_in(part.get("tokens"))
                step = number_in(part.get("cost"))
                cost = step if cost is None else cost + (step or 0.0)
            case "error":
                error = _message(event.get("error"))
    return Answer(text="\n".join(texts), error=error, session=session, cost_usd=cost, usage=usage)


def _message(error: object) -> str:
    said = object_in(error)
    data = object_in(said.get("data"))
    return text_in(data.get("message")) or text_in(said.get("name")) or "error"


driver = Driver(
    program="opencode",
    arguments=_arguments,
    read=_read,
    prompt_words={PromptBy.STDIN: (), PromptBy.ARG: ("--",)},
    resume=lambda session: ("-s", session),
)
