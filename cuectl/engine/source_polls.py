"""Event sources outside: polled without the store lock, recorded with it, one commit for all.

While a source is polled its own lock is held, so that two passes do not ask it at once (hole
A10). What it remembers is durable before the commit that names it, and moves on in the commit
that records its events. What one source can't do stops no other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cuectl.engine.clock import monotonic_s
from cuectl.engine.settle import read_cue
from cuectl.engine.source_records import events_of, known_source, record_views, root_of
from cuectl.engine.sources import POLLED, Ask, SourceError
from cuectl.model.instants import to_text
from cuectl.model.source_look import Seen
from cuectl.model.values import dataclass
from cuectl.store import paths, source_memory
from cuectl.store.lines import Event as Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.settling import Settling
    from cuectl.engine.source_records import Known
    from cuectl.engine.surroundings import Context
    from cuectl.model.cue import Cue
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]

SOURCE_FAILED = "source_failed"
_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")


@dataclass(slots=True, kw_only=True)
class Polled:
    """A poll that is over, and not recorded yet.

    Attributes:
        lock: of the source.
        named: what the record will name the new memory by; None when that is the old one.
        error: why the source, or a part of it, could not be asked.
        too_often: it was asked more often than it allows.
        counted: it was recorded.
        root: the directory that was looked at.
    """

    known: Known
    lock: int
    seen: Seen
    named: Record | None = None
    error: str | None = None
    too_often: bool = False
    counted: bool = False
    root: str = ""

    @property
    def has_news(self) -> bool:
        """Whether there is something to record."""
        source = self.known.source
        failed = bool(source and source.get("failed"))
        moved = bool(self.seen.happenings) or self.named is not None or self.known.is_edited
        return moved or failed != (self.error is not None)


def poll(
    known: Known, cue: Cue, context: Context, to: Settling, *, in_haste: bool
) -> Polled | None:
    """Poll a source; None while somebody else does."""
    lock = source_memory.hold(context.home, known.id)
    if lock is None:
        return None
    done = Polled(known=known, lock=lock, seen=Seen())
    try:
        ask = _ask(known, cue, context, to, in_haste=in_haste)
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
    return done


def _ask(known: Known, cue: Cue, context: Context, to: Settling, *, in_haste: bool) -> Ask:
    from cuectl.engine.listeners import ready

    around = context.around
    environment = dict(around.environment)
    for name in _TOKENS:
        value = around.lookup(name)
        if value:
            environment.setdefault(name, value)
    root = root_of(cue, to, context.home, environment.get("HOME", ""))
    chosen = ready(cue).filter
    accepts: Callable[[Record], bool] = chosen.matches if chosen is not None else _everything
    return Ask(
        trigger=known.trigger,
        root=root,
        memory=_memory(known, context.home),
        now=to.now,
        machine_ns=time.time_ns(),
        deadline_s=monotonic_s() + POLLED[known.event].limit_s,
        environment=environment,
        home=context.home,
        accepts=accepts,
        in_haste=in_haste,
    )


def _everything(_: Record) -> bool:
    return True


def _memory(known: Known, home: str) -> Record | None:
    named = (known.source or {}).get("memory")
    if named is None:
        return None
    try:
        return source_memory.read(home, known.id, named)
    except (OSError, ValueError, TypeError, KeyError) as error:
        if known.source is not None and known.source.get("lost") == named["sha256"]:
            # That was told; now it begins anew.
            return None
        raise MemoryLost(f"what it had seen is lost, and is taken as seen now: {error}") from error


class MemoryLost(SourceError):
    """What a source remembers can't be read; it is told once, and then the source begins anew."""


def _generation(source: Record | None) -> int:
    return int(((source or {}).get("memory") or {}).get("generation", 0))


def record(tx: Transaction, done: Polled, to: Settling) -> bool:
    """Stage what a poll has found; tell whether it counts, which it does if nothing has moved."""
    before = known_source(tx, done.known.id, done.known.event)
    if before is None or not before.listens or before.cue != done.known.cue:
        return False
    if _generation(before.source) != _generation(done.known.source):
        return False
    after = _record_after(before, done, to)
    if after != before.source:
        views = record_views(before.id, before.source, after)
        views |= _alert_edge(tx, before, done, to)
        tx.stage(Line(type="source.looked", ids={"cue": before.id}, set=views))
    if done.seen.happenings:
        from cuectl.engine.events import ingest

        ingest(tx, events_of(before, done.seen.happenings, to), to)
    return True


def _record_after(before: Known, done: Polled, to: Settling) -> Record:
    source = before.source or {}
    record: Record = {"event": before.event}
    if done.named is not None:
        record["memory"] = done.named
    elif "memory" in source:
        record["memory"] = source["memory"]
    # A first poll that fails has remembered nothing, and the definition stays new.
    record["defined"] = before.cue["updated_at"]
    if done.error is not None:
        failed = source.get("failed")
        record["failed"] = failed or {"since": to_text(to.now), "message": to.masked(done.error)}
        if done.error.startswith(_LOST):
            record["lost"] = source["memory"]["sha256"]
    return record


_LOST = "what it had seen is lost"


def _alert_edge(tx: Transaction, before: Known, done: Polled, to: Settling) -> Views:
    """Stage the alert that a source has begun to fail; return the state of the cue after it."""
    from cuectl.engine.alerts import clear_alerts
    from cuectl.engine.cue_alerts import alert

    found = read_cue(tx, before.id)
    if found is None:
        return {}
    cue, state = found
    if done.error is None:
        after = clear_alerts(state, SOURCE_FAILED)
    else:
        message = f"'{cue.name}' can't look at its source ({before.event}): {done.error}"
        after = alert(tx, cue, state, SOURCE_FAILED, message, None, to)
    return {paths.state(cue.id): after.to_record()} if after != state else {}


def close(home: str, done: Polled, *, durable: bool) -> None:
    """Give the lock of a source back; remove the memory that is not in use any more.

    Args:
        home: the state directory.
        done: the poll.
        durable: its commit is.
    """
    try:
        if done.named is not None and done.counted and durable:
            source_memory.keep_only(home, done.known.id, done.named)
    finally:
        source_memory.release(done.lock)
