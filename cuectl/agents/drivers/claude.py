"""`claude`: JSON events, the last of them the result; errors are in the result, not the exit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.agents.drivers.driver import (
    AgentDriver,
    events,
    list_in,
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


def _arguments(ask: PromptRequest) -> list[str]:
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
        retried = (text_in(one.get("error")) for one in reversed(found) if one["type"] == "system")
        warning = next((error for error in retried if error), None)
        return Answer(text=text, session=session, error=_error_in(text), warning=warning)
    text = text_in(result.get("result")) or _last_message(found)
    subtype = text_in(result.get("subtype")) or "success"
    failed = result.get("is_error") is True or subtype != "success"
    errors = "\n".join(text_in(each) for each in list_in(result.get("errors")))
    error = (text or errors or subtype) if failed else _error_in(text)
    denials = list_in(result.get("permission_denials"))
    tools = (text_in(object_in(each).get("tool_name")) for each in denials)
    return Answer(
        text=text,
        error=error,
        complete=error is None,
        final=True,
        session=session,
        cost_usd=number_in(result.get("total_cost_usd")),
        usage=usage_in(result.get("usage")),
        model=next((text_in(each["model"])[:100] for each in found if each.get("model")), None),
        denied=tuple(dict.fromkeys(name[:100] for name in tools if name))[:32],
    )


def _last_message(found: list[Record]) -> str:
    for event in reversed(found):
        if event["type"] == "assistant":
            parts = list_in(object_in(event.get("message")).get("content"))
            if text := "".join(text_in(object_in(part).get("text")) for part in parts):
                return text
    return ""


def _error_in(text: str) -> str | None:
    return text if text.startswith(_ERROR_TEXTS) else None


driver = AgentDriver(
    program="claude",
    arguments=_arguments,
    read=_read,
    # After `--` a prompt may start with a dash.
    prompt_words={PromptBy.STDIN: (), PromptBy.ARG: ("--",)},
    resume=lambda session: ("--resume", session),
    begin=lambda session: ("--session-id", session),
    # A batch process ends before its background tasks do.
    env={"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"},
)
