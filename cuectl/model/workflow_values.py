"""What the engine of a workflow gives to it: messages, views of sessions, results."""

from __future__ import annotations

import json
from typing import Any

from cuectl.model.values import dataclass

Record = dict[str, Any]

OK = "ok"
ERROR = "error"
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """What a session has said in one turn.

    Attributes:
        sender: `agent:HANDLE`.
        timestamp: RFC 3339, UTC.
        status: `ok`; `error`, and the body says why; `interrupted` for a turn whose end
            nobody saw, so that it may have had effects.
        task_id: the task that it answers, of a queue.
    """

    sender: str
    timestamp: str
    body: str
    status: str = OK
    task_id: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form."""
        record = {"sender": self.sender, "timestamp": self.timestamp}
        record |= {"body": self.body, "status": self.status}
        return record | ({"task_id": self.task_id} if self.task_id else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A session as `list_sessions` shows it.

    Attributes:
        agent: whose session it is; `agent_slug` is the same.
        state: `ready`, `working` or `closed`.
        run: the run that has spawned it.
    """

    handle: str
    agent: str
    state: str
    turns: int = 0
    run: str | None = None

    @property
    def agent_slug(self) -> str:
        """Whose session it is."""
        return self.agent

    def to_record(self) -> Record:
        """Return the JSON form."""
        record: Record = {"handle": self.handle, "agent": self.agent, "state": self.state}
        return record | {"turns": self.turns, "run": self.run}


def result_text(result: object) -> str | None:
    """Return what a workflow has returned as text; None for nothing."""
    if result is None or isinstance(result, str):
        return result
    return json.dumps(result, ensure_ascii=False)
