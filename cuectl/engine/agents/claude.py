"""`claude`: JSON events, the last of them the result; errors are in the result, not the exit."""

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
    return [*words, "--model", ask.model] if ask.model else words


def _read(out: bytes, _: bytes) -> Answer:
    found = [each for each in events(out) if isinstance(each.get("type"), str)]
    result = next((each for each in reversed(found) if each["type"] == "result"), None)
    sessions = (session_in(each.get("session_id")) for each in reversed(found))
    session = next((each for each in sessions if each), None)
    if result is None:
        text = _last_message(found) if found else plain_text(out)
        return Answer(text=text, session=session, error=_error_in(text))
    text = text_in(result.get("result")) or _last_message(found)
    subtype = text_in(result.get("subtype")) or "success"
    failed = result.get("is_error") is True or subtype != "success"
    error = (text or _errors_of(result) or subtype) if failed else _error_in(text)
    denied = result.get("permission_denials")
    return Answer(
        text=text,
        error=error,
        complete=error is None,
        session=session,
        cost_usd=number_in(result.get("total_cost_usd")),
        usage=usage_in(result.get("usage")),
        denied=_denied(denied if isinstance(denied, list) else []),
    )


def _last_message(found: list[Record]) -> str:
    for event in reversed(found):
        if event["type"] == "assistant":
            content = object_in(event.get("message")).get("content")
            parts = content if isinstance(content, list) else []
            texts = [text_in(object_in(part).get("text")) for part in parts]
            if any(texts):
                return "".join(texts)
    return ""


def _errors_of(result: Record) -> str:
    errors = result.get("errors")
    return "\n".join(text_in(each) for each in errors) if isinstance(errors, list) else ""


def _denied(denials: list[object]) -> tuple[str, ...]:
    names = (text_in(object_in(each).get("tool_name")) for each in denials)
    return tuple(dict.fromkeys(name[:100] for name in names if name))[:32]


def _error_in(text: str) -> str | None:
    return text if text.startswith(_ERROR_TEXTS) else None


driver = Driver(
    program="claude",
    arguments=_arguments,
    read=_read,
    # After `--` a prompt may begin with a dash.
    prompt_words={PromptBy.STDIN: (), PromptBy.ARG: ("--",)},
    resume=lambda session: ("--resume", session),
    begin=lambda session: ("--session-id", session),
    # A batch process ends before its background tasks do.
    env={"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"},
)
