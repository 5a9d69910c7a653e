"""Messages to a session that came from elsewhere: results of tasks and of runs.

They stand in a file beside the session until its next turn, which gets them before its prompt.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.model.instants import to_text
from cuectl.store import session_files

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime

Record = dict[str, Any]


def leave_message(
    runtime: Runtime, handle: str, sender: str, body: str, status: str, task_id: str | None
) -> None:
    """Leave a message for a session."""
    record: Record = {"at": to_text(runtime.now())[:19] + "Z", "sender": sender}
    record |= {"task_id": task_id, "status": status, "body": body}
    session_files.append_inbox(runtime.home, handle, record)


def with_inbox(home: str, handle: str, text: str, key: str) -> str:
    """Return a prompt with the messages that wait for the session before it.

    Args:
        home: the state directory.
        handle: of the session, whose lock is held.
        text: the prompt.
        key: the turn; asked again, it gets the same messages.
    """
    messages = session_files.take_inbox(home, handle, key)
    if not messages:
        return text
    return "\n\n".join([*(_shown(each) for each in messages), text])


def _shown(message: Record) -> str:
    parts = [f"from {message['sender']}"]
    if message.get("task_id"):
        parts += [f"task#{message['task_id']}", str(message["status"])]
    head = " · ".join([*parts, str(message["at"])])
    return f"> {head}\n\n{message['body']}"


def waiting_for(home: str, handle: str) -> list[Record]:
    """Return the messages that wait for a session."""
    path = session_files.inbox_path(home, handle)
    return session_files.read_lines(path) if os.path.exists(path) else []
