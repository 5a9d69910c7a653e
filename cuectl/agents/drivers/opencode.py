"""`opencode run`: JSON events; the prompt on stdin, because arguments get quotes put around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.agents.drivers.driver import (
    AgentDriver,
    added,
    events,
    number_in,
    object_in,
    plain_text,
    session_in,
    text_in,
    usage_in,
)
from cuectl.agents.rules import Answer, PromptBy

if TYPE_CHECKING:
    from cuectl.agents.rules import PromptRequest
    from cuectl.values.records import Record


def _arguments(ask: PromptRequest) -> list[str]:
    # Without `--auto` it hangs at the first question of permission.
    words = ["run", "--format", "json", "--auto"]
    return [*words, "-m", ask.model] if ask.model else words


def _read(out: bytes, _: bytes) -> Answer:
    found = events(out)
    if not found:
        return Answer(text=plain_text(out))
    texts: list[str] = []
    error = session = None
    usage: Record = {}
    cost, complete, final = None, False, False
    for event in found:
        session = session_in(event.get("sessionID")) or session
        part = object_in(event.get("part"))
        match event.get("type"):
            case "text":
                texts.append(text_in(part.get("text")))
            case "tool_use":
                texts.clear()
            case "step_finish":
                usage = added(usage, usage_in(part.get("tokens")))
                step = number_in(part.get("cost"))
                cost = step if cost is None else cost + (step or 0.0)
                # Without a reason, or with that of a tool, another step follows.
                final = part.get("reason") not in (None, "tool-calls", "unknown")
                complete = part.get("reason") == "stop"
                error = None if complete else error
            case "error":
                complete, error = False, _message(event.get("error"))
            case "done":
                final = True
    return Answer(
        text="\n".join(texts),
        error=error,
        complete=complete,
        final=final,
        session=session,
        cost_usd=cost,
        usage=usage,
    )


def _message(error: object) -> str:
    said = object_in(error)
    data = object_in(said.get("data"))
    return text_in(data.get("message")) or text_in(said.get("name")) or "error"


driver = AgentDriver(
    program="opencode",
    arguments=_arguments,
    read=_read,
    prompt_words={PromptBy.STDIN: (), PromptBy.ARG: ("--",)},
    resume=lambda session: ("-s", session),
)
