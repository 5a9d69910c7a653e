"""Event sources outside: polled without the store lock, recorded with it, one commit for all.

While a source is polled its own lock is held, so that two passes do not ask it at once (hole
A10). What it remembers is durable before the commit that names it, and moves on in the commit
that records its events. What one source can't do stops no other.
"""

from __future__ import annotations

import os
import time

from cuectl.agents.rules import QUEUE_FULL
from cuectl.cues.progress import read_cue
from cuectl.cues.rules.record import cue_from_record
from cuectl.events.dispatch import room_for
from cuectl.events.rules.event import Seen
from cuectl.events.rules.match import targets_of
from cuectl.events.sources.registry import POLLED, PollRequest, SourceError
from cuectl.events.sources.state import events_of, known_source, record_views
from cuectl.executions.effects import why_of
from cuectl.process.runtime import monotonic_s
from cuectl.store import paths, source_memory
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import dataclass
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.cues.rules.record import Cue
    from cuectl.events.sources.state import SourceState
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

SOURCE_FAILED = "source_failed"
_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")
_LOST = "what it had seen is lost"


@dataclass(slots=True, kw_only=True)
class Polled:
    """A poll that has ended, and not recorded yet."""

    known: SourceState
    lock: int = -1  # of the source, held until this is recorded
    seen: Seen
    named: Record | None = None  # the new memory's name in the record; None for no new one
    error: str | None = None  # why the source, or a part of it, could not be asked
    too_often: bool = False  # it was asked more often than it allows
    counted: bool = False  # it was recorded
    root: str = ""

    @property
    def has_news(self) -> bool:
        """Whether there is something to record."""
        failed = bool((self.known.source or {}).get("failed"))
        moved = bool(self.seen.happenings) or self.named is not None or self.known.is_edited
        moved = moved or bool((self.known.source or {}).get("full")) != bool(self.seen.waiting)
        return moved or failed != (self.error is not None)


def poll(known: SourceState, context: PassContext, effects: Effects, *, in_haste: bool) -> Polled:
    """Poll a source, whose lock is held."""
    done = Polled(known=known, seen=Seen())
    try:
        ask = _ask(known, cue_from_record(known.cue), context, effects, in_haste=in_haste)
        done.root = ask.root
        done.seen = POLLED[known.event].poll(ask)
        done.error = done.seen.problem
        if done.seen.memory is not None:
            number = _generation(known.source) + 1
            done.named = source_memory.write(context.home, known.id, number, done.seen.memory)
    except SourceError as error:
        done.error, done.too_often = error.message, error.too_often
    except OSError as error:
        done.error = f"{error.strerror or error}: '{error.filename or known.cue['name']}'".lower()
    except Exception as error:  # noqa: BLE001 - it is about this one source
        done.error = why_of(error)
    return done


def _ask(
    known: SourceState, cue: Cue, context: PassContext, effects: Effects, *, in_haste: bool
) -> PollRequest:
    from cuectl.events.lines import ready

    environment = dict(context.environment)
    for name in _TOKENS:
        if value := context.lookup(name):
            environment.setdefault(name, value)
    root = _root_of(cue, effects, context.home, environment.get("HOME", ""))
    chosen = ready(cue).filter
    return PollRequest(
        trigger=known.trigger,
        root=root,
        memory=_memory(known, context.home),
        now=effects.now,
        machine_ns=time.time_ns(),
        deadline_s=monotonic_s() + POLLED[known.event].limit_s,
        environment=environment,
        home=context.home,
        accepts=chosen.matches if chosen is not None else lambda _: True,
        in_haste=in_haste,
        room=known.room,
    )


def _root_of(cue: Cue, effects: Effects, home: str, environment_home: str) -> str:
    """Return where relative paths begin: in the directory of the agent, else of the file."""
    root = str(cue.trigger.get("directory") or "")
    named = [one for one in targets_of(cue.target) if "agent" in one]
    known = effects.in_force.agent_of(named[0]) if named and effects.in_force is not None else None
    if known is not None:
        root = known.cwd
    if root == "~" or root.startswith("~/"):
        root = environment_home + root[1:]
    root = os.path.normpath(root) if root else home
    # It is never the state directory, but the one that this lies in.
    return os.path.dirname(home) if root == os.path.normpath(home) else root


def _memory(known: SourceState, home: str) -> Record | None:
    named = (known.source or {}).get("memory")
    if named is None:
        return None
    try:
        return source_memory.read(home, known.id, named)
    except (OSError, ValueError, TypeError, KeyError) as error:
        if known.source is not None and known.source.get("lost") == named["sha256"]:
            # That was told; now it starts again.
            return None
        raise SourceError(f"{_LOST}, and is taken as seen now: {error}") from error


def _generation(source: Record | None) -> int:
    return int(((source or {}).get("memory") or {}).get("generation", 0))


def record(tx: Transaction, done: Polled, effects: Effects) -> bool:
    """Stage what a poll has found; tell whether it counts, as nothing has moved meanwhile."""
    before = known_source(tx, done.known.id, done.known.event)
    if before is None or not before.listens or before.cue != done.known.cue:
        return False
    if _generation(before.source) != _generation(done.known.source):
        return False
    if done.seen.places > room_for(tx, cue_from_record(before.cue), effects):
        # Others were quicker: all of it comes again at the next look.
        return False
    after = _record_after(before, done, effects)
    if after != before.source:
        views = record_views(before.id, before.source, after)
        views |= _alert_edge(tx, before, done, effects)
        tx.stage(JournalEntry(type="source.looked", ids={"cue": before.id}, set=views))
    if done.seen.happenings:
        from cuectl.events.events import ingest

        ingest(tx, events_of(before, done.seen.happenings, effects, done.root), effects)
    return True


def _record_after(before: SourceState, done: Polled, effects: Effects) -> Record:
    source = before.source or {}
    record: Record = {"event": before.event}
    if memory := done.named or source.get("memory"):
        record["memory"] = memory
    # A first poll that fails has remembered nothing, and the definition stays new.
    record["defined"] = before.cue["updated_at"]
    if done.seen.waiting:
        record["full"] = True
    if done.error is not None:
        fresh = {"since": to_text(effects.now), "message": effects.masked(done.error)}
        record["failed"] = source.get("failed") or fresh
        if done.error.startswith(_LOST):
            record["lost"] = source["memory"]["sha256"]
    return record


def _alert_edge(tx: Transaction, before: SourceState, done: Polled, effects: Effects) -> Views:
    from cuectl.alerts.incidents import close_incidents, open_incident

    found = read_cue(tx, before.id)
    if found is None:
        return {}
    cue, state = found
    after = state
    if done.error is None:
        after = close_incidents(tx, cue, state, {SOURCE_FAILED}, effects)
    elif SOURCE_FAILED not in dict(state.alerts):
        # Told once: what is found at each look has no place in the journal.
        message = f"'{cue.name}' can't look at its source ({before.event}): {done.error}"
        after = open_incident(tx, cue, after, SOURCE_FAILED, message, None, effects)
    was_full = bool((before.source or {}).get("full"))
    if done.seen.waiting and not was_full:
        # Told once, until all have found a place; a success in between would clear an alert.
        first, more = done.seen.waiting[0], len(done.seen.waiting) - 1
        what = f"'{first}' and {more} more wait" if more else f"'{first}' waits"
        message = f"'{cue.name}' finds its queue full: {what} at the source, and nothing is lost"
        after = open_incident(tx, cue, after, QUEUE_FULL, message, None, effects)
    elif was_full and not done.seen.waiting and done.error is None:
        after = close_incidents(tx, cue, after, {QUEUE_FULL}, effects)
    return {paths.state(cue.id): after.to_record()} if after != state else {}


def close(home: str, done: Polled, *, durable: bool) -> None:
    """Release the lock of a source; once its commit is durable, remove its older memories."""
    try:
        if done.named is not None and done.counted and durable:
            source_memory.keep_only(home, done.known.id, done.named)
    finally:
        source_memory.release(done.lock)
