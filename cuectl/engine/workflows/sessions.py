"""Sessions: conversations with agents that outlive the process of each turn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cuectl.model.errors import NotFound
from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass, fields, replace
from cuectl.store import paths, session_files
from cuectl.store.lines import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource
    from cuectl.store.store import Transaction

Record = dict[str, Any]

_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_LONGEST = 40
HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session.

    Attributes:
        cwd: where its agent works, when not in the agent's own directory.
        run: the run that has opened it.
        conversation: what the agent's program calls it, once that has said so.
        turns: how many turns it has had; `last_turn` is the newest one's run and step.
        last_status: `ok`, `error` or `interrupted`.
        cost_usd: of all turns.
    """

    handle: str
    agent: str
    cwd: str | None = None
    run: str | None = None
    closed: bool = False
    conversation: str | None = None
    turns: int = 0
    last_turn: str | None = None
    last_status: str | None = None
    cost_usd: float = 0.0
    created_at: int
    last_at: int

    def to_record(self) -> Record:
        """Return what `sessions/<handle>.json` holds."""
        record: Record = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("created_at", "last_at"):
                value = to_text(value)
            if value not in (None, False, 0):
                record[each.name] = value
        return record


_KNOWN = frozenset(each.name for each in fields(Session))


def session_from_record(record: Record) -> Session:
    """Return the session in a record.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    known = {name: value for name, value in record.items() if name in _KNOWN}
    for name in ("created_at", "last_at"):
        known[name] = from_text(known[name])
    return Session(**known)


def new_handle(agent: str, random: Callable[[int], bytes]) -> str:
    """Return a handle that says whose session it is."""
    word = re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-")[:_LONGEST] or "agent"
    number = int.from_bytes(random(4), "big")
    letters = []
    for _ in range(5):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return f"{word}-{''.join(letters)}"


def read_session(source: ViewSource | Transaction, handle: str) -> Session | None:
    """Return a session, None when there is none."""
    if not HANDLE.fullmatch(handle):
        return None
    record = source.read(paths.session(handle))
    return session_from_record(record) if record else None


def list_sessions(source: ViewSource) -> list[Session]:
    """Return all sessions, the oldest first."""
    names = [name[:-5] for name in source.names("sessions") if name.endswith(".json")]
    found = [one for name in names if (one := read_session(source, name)) is not None]
    return sorted(found, key=lambda one: (one.created_at, one.handle))


def find_session(source: ViewSource, handle: str) -> Session:
    """Return the session of a handle.

    Raises:
        NotFound: there is none.
    """
    found = read_session(source, handle)
    if found is None:
        raise NotFound(f"no session '{handle}'", hint="all: cuectl sessions list --all")
    return found


def public(home: str, session: Session) -> Record:
    """Return a session as commands show it."""
    return {
        "handle": session.handle,
        "agent": session.agent,
        "state": state_of(home, session),
        "cwd": session.cwd,
        "run": session.run,
        "conversation": session.conversation,
        "turns": session.turns,
        "last_status": session.last_status,
        "cost_usd": session.cost_usd or None,
        "created_at": to_text(session.created_at),
        "last_at": to_text(session.last_at),
    }


def state_of(home: str, session: Session) -> str:
    """Return `ready`, `working` or `closed`."""
    if session.closed:
        return "closed"
    return "working" if session_files.is_working(home, session.handle) else "ready"


def open_session(runtime: Runtime, session: Session) -> bool:
    """Record a session; False when its handle is another's. Doing it twice is once."""
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        known = read_session(tx, session.handle)
        if known is not None and (known.run, known.agent) != (session.run, session.agent):
            return False
        after = session if known is None else replace(known, closed=False)
        if after != known:
            _stage(tx, "session.opened", after)
    return True


def end_turn(
    runtime: Runtime, handle: str, turn: str, status: str, conversation: str | None, cost: float
) -> None:
    """Record that a turn is over; once, however often it is said."""
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        known = read_session(tx, handle)
        if known is None or known.last_turn == turn:
            return
        after = replace(
            known,
            turns=known.turns + 1,
            last_turn=turn,
            last_status=status,
            last_at=now,
            conversation=conversation or known.conversation,
            cost_usd=known.cost_usd + cost,
        )
        _stage(tx, "session.turn", after)


def close_session(runtime: Runtime, handle: str) -> bool:
    """Record that a session is closed; tell whether it was open."""
    with runtime.store.transaction(runtime.now()) as tx:
        known = read_session(tx, handle)
        if known is None or known.closed:
            return False
        _stage(tx, "session.closed", replace(known, closed=True, last_at=tx.now))
    return True


def _stage(tx: Transaction, kind: str, session: Session) -> None:
    ids = {"session": session.handle}
    if session.run:
        ids["run"] = session.run
    tx.stage(Event(type=kind, ids=ids, set={paths.session(session.handle): session.to_record()}))
