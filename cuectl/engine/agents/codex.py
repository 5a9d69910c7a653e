"""`codex exec`: JSON events; `error` among them can be harmless, `turn.failed` never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.agents import Driver
from cuectl.engine.agents.json_output import object_in, objects, plain_text, text_in
from cuectl.model.turn import Answer

if TYPE_CHECKING:
    from cuectl.model.turn import Ask


def _arguments(ask: Ask) -> list[str]:
    words = ["exec", "--json", "--skip-git-repo-check", "-s", "workspace-write"]
    if ask.model:
        words += ["-m", ask.model]
    # Flags are not remembered with a conversation, so they come first again.
    return [*words, "resume", ask.session, "-"] if ask.session else [*words, "-"]


def _read(out: bytes, _: bytes) -> Answer:
    answer, seen = "", False
    error = warning = session = None
    usage, complete = {}, False
    for event in objects(out):
        seen = True
        match event.get("type"):
            case "thread.started":
                session = text_in(event.get("thread_id")) or None
            case "item.completed":
                item = object_in(event.get("item"))
                if item.get("type") == "agent_message":
                    answer = text_in(item.get("text"))
            case "turn.completed":
                complete, error = True, None
                usage = object_in(event.get("usage"))
            case "turn.failed":
                said = object_in(event.get("error")).get("message")
                complete, error = False, text_in(said) or "the turn failed"
            case "error":
                warning = text_in(event.get("message")) or "error"
    if not seen:
        return Answer(text=plain_text(out))
    if error is None and not complete and not answer:
        error = warning
    return Answer(text=answer, error=error, complete=complete, session=session, usage=usage)


driver = Driver(program="codex", arguments=_arguments, read=_read)
