"""`gemini`: JSON events on stdout; after a fatal error, one object on stderr instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.agents.drivers.driver import (
    AgentDriver,
    events,
    object_in,
    plain_text,
    session_in,
    text_in,
    usage_in,
    whole_object,
)
from cuectl.agents.rules import Answer, PromptBy

if TYPE_CHECKING:
    from cuectl.agents.rules import PromptRequest
    from cuectl.values.records import Record


def _arguments(ask: PromptRequest) -> list[str]:
    words = ["-o", "stream-json", "--approval-mode", "auto_edit"]
    return [*words, "-m", ask.model] if ask.model else words


def _read(out: bytes, err: bytes) -> Answer:
    whole = whole_object(out)
    if whole is not None and "type" not in whole:
        return _of_object(whole)
    found = events(out)
    if any(each.get("type") == "result" for each in found):
        return _of_events(found)
    # The object may come after warnings, and on many lines.
    failed = whole_object(err[err.find(b"\n{") + 1 :]) or whole_object(err) or {}
    if failed.get("error"):
        return _of_object(failed)
    return _of_events(found) if found else Answer(text=plain_text(out))


def _of_object(record: Record) -> Answer:
    error = _message(record["error"]) if record.get("error") else None
    return Answer(
        text=text_in(record.get("response")),
        error=error,
        complete=error is None,
        final=True,
        session=session_in(record.get("session_id")),
        usage=usage_in(record.get("stats"), depth=4),
    )


def _of_events(found: list[Record]) -> Answer:
    texts: list[str] = []
    error = session = warning = None
    usage: Record = {}
    complete = final = False
    for event in found:
        match event.get("type"):
            case "init":
                session = session_in(event.get("session_id"))
            case "message" if event.get("role") == "assistant":
                texts.append(text_in(event.get("content")))
            case "error":
                warning = _message(event.get("error") or event)
                error = error if event.get("severity") == "warning" else warning
            case "result":
                final = True
                usage = usage_in(event.get("stats"))
                complete = event.get("status") == "success"
                if not complete:
                    error = _message(event.get("error") or event)
    return Answer(
        text="".join(texts),
        error=None if complete else error,
        complete=complete,
        final=final,
        warning=warning,
        session=session,
        usage=usage,
    )


def _message(error: object) -> str:
    if isinstance(error, str):
        return error
    said = object_in(error)
    return text_in(said.get("message")) or text_in(said.get("type")) or "error"


driver = AgentDriver(
    program="gemini",
    arguments=_arguments,
    read=_read,
    prompt_words={PromptBy.STDIN: (), PromptBy.ARG: ("--prompt=",)},
    resume=lambda session: ("--resume", session),
    begin=lambda session: ("--session-id", session),
)
