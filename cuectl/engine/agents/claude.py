"""`claude`: JSON events, the last of them the result; errors are in the result, not the exit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.agents import Driver
from cuectl.engine.agents.json_output import (
    number_in,
    object_in,
    objects,
    plain_text,
    text_in,
    whole_object,
)
from cuectl.model.turn import Answer

if TYPE_CHECKING:
    from cuectl.model.turn import Ask

Record = dict[str, Any]

# Results that are error messages, though nothing beside the text says so.
_ERROR_TEXTS = (
    "API Error",
    "Invalid API key",
    "Not logged in",
    "Credit balance is too low",
    "Claude AI usage limit reached",
    "You've hit your limit",
    "Unknown slash command",
)


def _arguments(ask: Ask) -> list[str]:
    words = ["-p", "--output-format", "stream-json", "--verbose"]
    words += ["--permission-mode", "acceptEdits"]
    if ask.model:
        words += ["--model", ask.model]
    return [*words, "--resume", ask.session] if ask.session else words


def _read(out: bytes, _: bytes) -> Answer:
    whole = whole_object(out)
    events = [whole] if whole is not None else list(objects(out))
    result = next((each for each in reversed(events) if each.get("type") == "result"), None)
    session = next((text_in(each.get("session_id")) for each in events if "session_id" in each), "")
    if result is None:
        text = _last_message(events) if events else plain_text(out)
        return Answer(text=text, session=session or None, error=_error_in(text))
    text = text_in(result.get("result")) or _last_message(events)
    failed = result.get("is_error") is True or result.get("subtype") != "success"
    error = (text or text_in(result.get("subtype")) or "error") if failed else _error_in(text)
    denied = result.get("permission_denials")
    return Answer(
        text=text,
        error=error,
        complete=error is None,
        session=text_in(result.get("session_id")) or session or None,
        cost_usd=number_in(result.get("total_cost_usd")),
        usage=object_in(result.get("usage")),
        denied=_denied(denied if isinstance(denied, list) else []),
    )


def _last_message(events: list[Record]) -> str:
    for event in reversed(events):
        if event.get("type") == "assistant":
            content = object_in(event.get("message")).get("content")
            parts = content if isinstance(content, list) else []
            texts = [text_in(object_in(part).get("text")) for part in parts]
            if any(texts):
                return "".join(texts)
    return ""


def _denied(denials: list[object]) -> tuple[str, ...]:
    names = (text_in(object_in(each).get("tool_name")) for each in denials)
    return tuple(dict.fromkeys(name for name in names if name))


def _error_in(text: str) -> str | None:
    return text if text.startswith(_ERROR_TEXTS) else None


driver = Driver(
    program="claude",
    arguments=_arguments,
    read=_read,
    # A batch process ends before its background tasks do.
    env={"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"},
)
