"""Sessions: opened, closed, shown; messages from elsewhere, in a file until the next turn."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cuectl.agents.drivers.driver import added
from cuectl.store import paths, workflow_files
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.ids import find_id, not_found
from cuectl.values.records import replace
from cuectl.values.times import to_text
from cuectl.workflows.rules.records import Session, session_from_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.agents.turn import TurnEnd
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.reading import ViewReader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_LONGEST = 40
HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


def new_handle(agent: str, random: Callable[[int], bytes]) -> str:
    """Return a handle that says whose session it is."""
    word = re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-")[:_LONGEST] or "agent"
    number = int.from_bytes(random(4), "big")
    base = len(_LETTERS)
    return f"{word}-{''.join(_LETTERS[number // base**place % base] for place in range(5))}"


def read_session(source: ViewReader | Transaction, handle: str) -> Session | None:
    """Return a session, None when there is none."""
    if not HANDLE.fullmatch(handle):
        return None
    record = source.read(paths.session(handle))
    return session_from_record(record) if record else None


def list_sessions(source: ViewReader) -> list[Session]:
    """Return all sessions, the oldest first."""
    names = [name[:-5] for name in source.names("sessions") if name.endswith(".json")]
    found = [one for name in names if (one := read_session(source, name)) is not None]
    return sorted(found, key=lambda one: (one.created_at, one.handle))


def find_session(source: ViewReader, handle: str) -> Session:
    """Return the session of a handle or of its beginning, or raise NotFound."""
    known = [name[:-5] for name in source.names("sessions") if name.endswith(".json")]
    hint = "all: cuectl sessions list --all"
    found = read_session(source, find_id("session", handle, known, hint))
    if found is None:
        raise not_found("session", handle, None, hint)
    return found


def public(home: str, session: Session) -> Record:
    """Return a session as commands show it."""
    record: Record = {"handle": session.handle, "agent": session.agent}
    record |= {"state": state_of(home, session), "cwd": session.cwd, "run": session.run}
    record |= {"conversation": session.conversation, "turns": session.turns}
    record |= {"last_status": session.last_status, "cost_usd": session.cost_usd or None}
    record["usage"] = session.usage
    record["created_at"], record["last_at"] = to_text(session.created_at), to_text(session.last_at)
    return record


def state_of(home: str, session: Session) -> str:
    """Return `ready`, `working` or `closed`."""
    if session.closed:
        return "closed"
    return "working" if workflow_files.is_working(home, session.handle) else "ready"


def open_session(runtime: Runtime, session: Session, *, is_new: bool = False) -> bool:
    """Record a session, once; False when another one has its handle.

    One that `is_new` takes the place of one that is closed, without what was left for that.
    """
    with runtime.store.transaction(runtime.now()) as tx:
        known = read_session(tx, session.handle)
        is_same = known is not None and (known.run, known.agent) == (session.run, session.agent)
        if known is not None and not known.closed and (is_new or not is_same):
            return False
        if known is not None and is_same and not is_new:
            after = replace(known, closed=False)
        else:
            after = session
            workflow_files.drop_inbox(runtime.home, session.handle)
        if after != known:
            _stage(tx, "session.opened", after)
    return True


def end_turn(
    runtime: Runtime,
    handle: str,
    turn: str,
    status: str,
    end: TurnEnd | None,
    *,
    resumes: bool,
    charge: Callable[[Transaction], None],
) -> None:
    """Record that a turn has ended, once, and what it costs.

    `resumes`: its program can continue with the conversation.
    """
    with runtime.store.transaction(runtime.now()) as tx:
        known = read_session(tx, handle)
        if known is None or known.last_turn == turn:
            return
        after = replace(
            known, turns=known.turns + 1, last_turn=turn, last_status=status, last_at=tx.now
        )
        if end is not None:
            goes_on = end.counts_thread and known.conversation is not None
            after = replace(
                after, conversation=(end.session if resumes else None) or known.conversation,
                cost_usd=known.cost_usd + (end.cost_usd or 0.0),
                usage=(end.usage or known.usage) if goes_on else added(known.usage, end.usage),
            )  # fmt: skip
        _stage(tx, "session.turn", after)
        charge(tx)


def close_session(runtime: Runtime, handle: str) -> bool:
    """Record that a session is closed; tell whether it was open."""
    with runtime.store.transaction(runtime.now()) as tx:
        known = read_session(tx, handle)
        if known is None or known.closed:
            return False
        _stage(tx, "session.closed", replace(known, closed=True, last_at=tx.now))
    return True


def _stage(tx: Transaction, kind: str, session: Session) -> None:
    ids = {"session": session.handle, **({"run": session.run} if session.run else {})}
    views: Views = {paths.session(session.handle): session.to_record()}
    tx.stage(JournalEntry(type=kind, ids=ids, set=views))


def leave_message(
    runtime: Runtime, handle: str, sender: str, body: str, status: str, task_id: str | None
) -> None:
    """Leave a message for a session."""
    record: Record = {"at": to_text(runtime.now())[:19] + "Z", "sender": sender}
    record |= {"task_id": task_id, "status": status, "body": body}
    workflow_files.append_inbox(runtime.home, handle, record)


def with_inbox(home: str, handle: str, text: str, key: str) -> str:
    """Return a prompt behind the messages that wait; the session's lock is held.

    The key is the turn, which gets the same messages when it is resumed.
    """
    shown = []
    for message in workflow_files.take_inbox(home, handle, key):
        parts = [f"from {message['sender']}"]
        if message.get("task_id"):
            parts += [f"task#{message['task_id']}", str(message["status"])]
        head = " · ".join([*parts, str(message["at"])])
        shown.append(f"> {head}\n\n{message['body']}")
    return "\n\n".join([*shown, text])


def waiting_for(home: str, handle: str) -> list[Record]:
    """Return the messages that wait for a session."""
    path = workflow_files.inbox_path(home, handle)
    return workflow_files.read_lines(path) if os.path.exists(path) else []
