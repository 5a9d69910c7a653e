"""`codex exec`: JSON events; `error` among them can be harmless, `turn.failed` never is."""

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
)
from cuectl.agents.rules import Answer, PromptBy

if TYPE_CHECKING:
    from cuectl.agents.rules import PromptRequest
    from cuectl.values.records import Record


def _arguments(ask: PromptRequest) -> list[str]:
    words = ["exec", "--json", "--skip-git-repo-check", "-s", "workspace-write"]
    return [*words, "-m", ask.model] if ask.model else words


class _Turn:
    def __init__(self) -> None:
        self.text = ""
        self.error: str | None = None
        self.warning: str | None = None
        self.session: str | None = None
        self.usage: Record = {}
        self.complete = self.final = False

    def take(self, event: Record) -> None:
        kind = event.get("type")
        self.final = self.final or kind in ("turn.completed", "turn.failed")
        match kind:
            case "thread.started":
                self.session = session_in(event.get("thread_id"))
            case "item.completed":
                item = object_in(event.get("item"))
                if item.get("type") == "agent_message":
                    self.text = text_in(item.get("text"))
            case "turn.completed":
                self.complete, self.error = True, None
                # It counts the whole thread, earlier turns too.
                self.usage = usage_in(event.get("usage"))
            case "turn.failed":
                said = object_in(event.get("error")).get("message")
                self.complete, self.error = False, text_in(said) or "the turn failed"
            case "error":
                self.warning = text_in(event.get("message")) or "error"
            # The names in the files that codex keeps of its sessions; some versions print them.
            case "session_meta":
                self.session = session_in(object_in(event.get("payload")).get("id"))
            case "event_msg":
                self._take_message(object_in(event.get("payload")))

    def _take_message(self, message: Record) -> None:
        kind = message.get("type")
        self.final = self.final or kind in ("task_complete", "turn_complete", "turn_aborted")
        match kind:
            case "agent_message":
                self.text = text_in(message.get("message"))
            case "task_complete" | "turn_complete":
                self.complete, self.error = True, None
                self.text = text_in(message.get("last_agent_message")) or self.text
            case "turn_aborted":
                self.complete = False
                self.error = text_in(message.get("reason")) or "the turn was aborted"
            case "error":
                self.warning = text_in(message.get("message")) or "error"


def _read(out: bytes, _: bytes) -> Answer:
    found = events(out)
    if not found:
        return Answer(text=plain_text(out))
    turn = _Turn()
    for event in found:
        turn.take(event)
    error = turn.error
    if error is None and not turn.complete and not turn.text:
        error = turn.warning
    return Answer(
        text=turn.text,
        error=error,
        complete=turn.complete,
        final=turn.final,
        warning=turn.warning,
        session=turn.session,
        usage=turn.usage,
    )


driver = AgentDriver(
    program="codex",
    arguments=_arguments,
    read=_read,
    prompt_words={PromptBy.STDIN: ("-",), PromptBy.ARG: ("--",)},
    # Flags are not remembered with a conversation, so they come first again.
    resume=lambda session: ("resume", session),
    counts_thread=True,
)
